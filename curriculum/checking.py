"""Check an exercise of a study: what the log already knows, what files tell at once, then what the real tools say.

A check writes its outcome to the log; what a log holds already, for the same answer and the same judge, is not judged
again. Nothing here shows anything.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from curriculum import labs
from curriculum.answers import Submission
from curriculum.labs.judging import judge, judge_apart
from curriculum.outcome import Finding, Outcome
from curriculum.progress import Check, Log, State

#: Backends that take long enough that what files tell has to be right first.
_SLOW = frozenset({"docker", "kubernetes"})

Tell = Callable[[str, Mapping[str, Any]], None]


def check(
    submission: Submission,
    log: Log,
    state: State,
    *,
    content: str = "",
    industry: str = "",
    again: bool = False,
    lazy: bool = False,
    apart: bool = True,
    tell: Tell | None = None,
) -> Iterator[Outcome]:
    """Judge an answer; yield the outcome from its files and, where more can be found out, the final one.

    The last one is in the log when it is yielded. With `again` an answer is judged anew, and with the real tools also
    where its files are not yet right; `lazy` is content with what is known although criteria are waiting. Without `apart` no process is started: what files tell is all.
    Raises ProgressError when the log cannot be written.
    """
    exercise = submission.section.name
    artefact, version = submission.artefact(), judge_version(submission)
    known = state.latest.get(exercise)
    if known and not again and known.artefact == artefact and settled(known, version, lazy):
        yield recorded(known)
        return
    outcome = judge(submission, live=False)
    if apart and _goes_on(submission, outcome, again):
        yield outcome
        outcome = judge_apart(
            submission,
            content=content,
            study=log.study,
            industry=industry,
            kube_context=state.contexts.get("kubernetes", ""),
            tell=tell,
        )
    else:
        outcome = without_later(outcome)
    if outcome.outcome != "not-attempted":
        write(log, outcome, artefact, version)
    yield outcome


def settled(known: Check, version: str, lazy: bool) -> bool:
    """Whether a recorded check of the same answer need not be repeated.

    It was judged whole, by the judge of today. To be `lazy` is to be content with any pass, so that running a finished
    study from top to bottom starts nothing.
    """
    if lazy and known.outcome == "passed":
        return True
    whole = not known.waiting and not known.data.get("problem")
    return known.outcome in {"passed", "failed"} and whole and known.judge == version


def _goes_on(submission: Submission, outcome: Outcome, again: bool) -> bool:
    """Whether a process with the real tools could find out more."""
    if outcome.outcome in {"not-attempted", "broken"} or outcome.problem:
        return False
    if all(finding.result != "not-judged" for finding in outcome.findings):
        return False
    return again or not outcome.failed or submission.section.content.backend not in _SLOW


def without_later(outcome: Outcome) -> Outcome:
    """The outcome when nothing comes after it: what was to come later depends on what is not right yet."""
    findings = tuple(
        dataclasses.replace(finding, reason="precondition") if finding.reason in _later(outcome) else finding
        for finding in outcome.findings
    )
    missing = {name: why for name, why in outcome.missing.items() if why != "later"}
    return dataclasses.replace(outcome, findings=findings, missing=missing)


def _later(outcome: Outcome) -> set[str]:
    return {name for name, why in outcome.missing.items() if why == "later"}


def write(log: Log, outcome: Outcome, artefact: str, version: str) -> None:
    """Put an outcome into the log. Raises ProgressError."""
    data = outcome.to_json()
    defaults = {field.name: field.default for field in dataclasses.fields(Finding)}
    data["findings"] = [
        {name: value for name, value in finding.items() if value != defaults.get(name)} for finding in data["findings"]
    ]
    data["report"] = data["report"][-2000:]
    log.append("outcome", artefact=artefact, judge=version, **{k: v for k, v in data.items() if v or k == "findings"})


def recorded(known: Check) -> Outcome:
    """The outcome that a check in the log tells. One that cannot be read is told without its findings."""
    try:
        return Outcome.from_json({"missing": {}, **known.data})
    except (KeyError, TypeError, ValueError):
        return Outcome(str(known.data.get("exercise", "")), known.outcome)  # type: ignore[arg-type]


def judge_version(submission: Submission) -> str:
    """A hash of what judges an exercise: the code of the labs, and the exercise's rubric."""
    digest = hashlib.sha256(_code().encode())
    digest.update(submission.section.yaml.encode())
    if submission.judges:
        digest.update(submission.judges.read_bytes())
    return digest.hexdigest()[:12]


@cache
def _code() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(labs.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
