"""MLflow's judges. Each runs the learner's scripts afresh, on an empty store, and reads what they leave there."""

from __future__ import annotations

from curriculum.labs.mlflow import beginner, gate, loading, registry, reproduce, server, serving, sweep

__all__ = ["beginner", "gate", "loading", "registry", "reproduce", "server", "serving", "sweep"]
