"""What judging an exercise comes to: a finding for each criterion, and the outcome over them. Pure.

A finding says how it was found out: `real` (the tool itself ran), `emulated` (something that answers like the tool),
`static` (a parser or linter read the files) or `fixture` (recorded data). The outcome is over the criteria that could
be judged; those that still want a backend are `waiting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Result = Literal["met", "not-met", "not-judged"]
How = Literal["real", "emulated", "static", "fixture"]
#: `passed`, `failed`, `not-attempted` (the starter untouched), `unavailable` (nothing could be judged),
#: `broken` (our fault).
Name = Literal["passed", "failed", "not-attempted", "unavailable", "broken"]


@dataclass(frozen=True)
class Finding:
    """What a judge found of one criterion.

    `found` and `expected` are data (a tag, a port, a line of output), the same in every language. `fault` is the key of
    one of the criterion's `faults`: the words for a mistake that people often make. `reason` says why a criterion was
    not judged: `precondition`, or the name of the backend or package that is missing.
    """

    criterion: str
    result: Result
    how: How = "static"
    found: str = ""
    expected: str = ""
    fault: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Problem:
    """Why an answer could not be read or run at all: the key of a sentence, and what fills it."""

    key: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The outcome of an exercise: `findings` in the rubric's order, one for each criterion.

    `missing` names the backends and packages that were asked for and are not there, each with the key of its reason.
    `report` is the traceback of a judge that broke.
    """

    exercise: str
    outcome: Name
    findings: tuple[Finding, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    problem: Problem | None = None
    report: str = ""

    @property
    def waiting(self) -> tuple[str, ...]:
        """The criteria that were not judged for want of a backend or a package."""
        return tuple(f.criterion for f in self.findings if f.result == "not-judged" and f.reason in self.missing)

    @property
    def pending(self) -> bool:
        """Whether something is still being judged: the outcome is not final."""
        return "later" in self.missing.values()

    @property
    def how(self) -> How:
        """The weakest evidence among the criteria that were met; `static` while some are waiting."""
        order: tuple[How, ...] = ("fixture", "static", "emulated", "real")
        kinds = {f.how for f in self.findings if f.result == "met"}
        if self.waiting or not kinds:
            return "static"
        strong = kinds & {"real", "emulated"}
        # A Dockerfile that was read and then really built is proven for real, though some criteria only look at words.
        return min(strong or kinds, key=order.index)

    @property
    def failed(self) -> tuple[str, ...]:
        """The criteria that are not met."""
        return tuple(f.criterion for f in self.findings if f.result == "not-met")

    def to_json(self) -> dict[str, Any]:
        """The outcome as plain data; `from_json` reads it back."""
        return {**asdict(self), "waiting": list(self.waiting), "how": self.how}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        problem = data.get("problem")
        return cls(
            exercise=data["exercise"],
            outcome=data["outcome"],
            findings=tuple(Finding(**finding) for finding in data["findings"]),
            missing=data.get("missing", {}),
            problem=Problem(**problem) if problem else None,
            report=data.get("report", ""),
        )


def conclude(
    exercise: str,
    criteria: Iterable[str],
    found: Mapping[str, Finding],
    missing: Mapping[str, str],
    wanting: Mapping[str, str],
    problem: Problem | None = None,
) -> Outcome:
    """The outcome over what was found. `wanting` names, for a criterion, the backend that it needs.

    A criterion without a finding was not judged: for want of its backend where that is missing, else because something
    that it depends on is not as it should be.
    """
    findings = []
    for slug in criteria:
        need = wanting.get(slug, "")
        reason = need if need in missing else "precondition"
        findings.append(found.get(slug) or Finding(slug, "not-judged", reason=reason))
    results = {finding.result for finding in findings}
    if problem and problem.key == "no-judge":
        name: Name = "unavailable"
    elif problem or "not-met" in results:
        name = "failed"
    elif "met" in results:
        blocked = any(f.result == "not-judged" and f.reason not in missing for f in findings)
        name = "failed" if blocked else "passed"
    else:
        name = "unavailable"
    return Outcome(exercise, name, tuple(findings), dict(missing), problem)
