"""Docker's judges.

What files tell is read from models of a Dockerfile, a Compose file and a `docker run` command; whether an image does what
it should is tried with the learner's own engine. `shared` holds what several of them ask; the other modules are one
exercise each, or the few of a level.
"""

from __future__ import annotations

from curriculum.labs.docker import beginner, budget, configured, incidents, production, reproducible, stack

__all__ = ["beginner", "budget", "configured", "incidents", "production", "reproducible", "stack"]
