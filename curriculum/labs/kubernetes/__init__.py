"""Kubernetes' judges.

`shared` holds what several of them ask for; the other modules are one exercise each, or the few of a level.
"""

from __future__ import annotations

from curriculum.labs.kubernetes import beginner, canary, incident, retrain, rollout, scaling, tenant
from curriculum.labs.kubernetes.shared import (
    accepted,
    all_met,
    answers,
    from_json,
    image_fault,
    main_container,
    reaches_port,
    service_for,
    sized,
    target,
    workload,
)

__all__ = [
    "accepted",
    "all_met",
    "answers",
    "beginner",
    "canary",
    "from_json",
    "image_fault",
    "incident",
    "main_container",
    "reaches_port",
    "retrain",
    "rollout",
    "scaling",
    "service_for",
    "sized",
    "target",
    "tenant",
    "workload",
]
