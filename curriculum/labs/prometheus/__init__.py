"""The judges of the exercises on Prometheus: each in a module, with what others of its kind may use.

Rules and queries are judged by what they answer, with our own evaluator; where Prometheus is installed it has the last
word. So the quick pass says what is wrong at once, and leaves what looks right to the full pass.
"""

from __future__ import annotations

from curriculum.labs.prometheus import batch, incident, instrument, quality, routing, slo, targets
from curriculum.labs.prometheus.queries import Question, judged_queries
from curriculum.labs.prometheus.rules import (
    Change,
    Play,
    actionable,
    always_fires,
    never_fires,
    read_rules,
    tests_bite,
)
from curriculum.labs.prometheus.shared import Sample, read_exposition, read_mapping, run_program, shown

__all__ = [
    "Change",
    "Play",
    "Question",
    "Sample",
    "actionable",
    "always_fires",
    "batch",
    "incident",
    "instrument",
    "judged_queries",
    "never_fires",
    "quality",
    "read_exposition",
    "read_mapping",
    "read_rules",
    "routing",
    "run_program",
    "shown",
    "slo",
    "targets",
    "tests_bite",
]

# The names by which the capstone's judges know them.
_always, _never, _tests_bite = always_fires, never_fires, tests_bite
