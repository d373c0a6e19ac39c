"""MLflow's judges. Each runs the learner's scripts afresh, on an empty store, and reads what they leave there."""

from __future__ import annotations

from curriculum.labs.mlflow import beginner, gate, reproduce, server

__all__ = ["beginner", "gate", "reproduce", "server"]
