"""The capstone's judges: a service is shipped, its next version released, an incident found and undone.

One module for each level. Whatever can be known from evidence that was handed out is worked out from it here, not
written down: the judge reads the same files as the learner.
"""

from __future__ import annotations

from curriculum.labs.capstone import alerts, guard, night, release, ship, switch, undo

__all__ = ["alerts", "guard", "night", "release", "ship", "switch", "undo"]
