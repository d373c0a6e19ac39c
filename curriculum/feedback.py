"""From an outcome to what a learner reads: the rubric in words, the next step, and help that opens bit by bit. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from curriculum.errors import AnswerError
from curriculum.messages import keys, say
from curriculum.model import Exercise, words
from curriculum.outcome import Finding, Outcome
from curriculum.personal import fill
from curriculum.progress import State
from curriculum.result import Fold, Line, Result
from curriculum.template import Section

_LEADS = {"passed": "✅", "failed": "🔧", "not-attempted": "✏️", "unavailable": "⏳", "broken": "🛠️"}


def feedback(
    section: Section,
    outcome: Outcome,
    state: State,
    values: Mapping[str, str],
    lang: str,
    *,
    notes: Iterable[str] = (),
    pending: bool = False,
) -> Result:
    """What to show for an outcome. While `pending`, criteria that are still being judged are said to be so.

    `values` fill the marks and are in the learner's language; `state` is the one that the outcome is part of.
    """
    exercise: Exercise = section.content
    judged = outcome.outcome not in {"not-attempted", "broken"}
    return Result(
        lead=_lead(section, outcome, lang, pending),
        notes=(*notes, *_notes(section, outcome, state, lang)),
        lines=tuple(_lines(exercise, outcome, values, lang, pending)) if judged else (),
        after=() if pending else tuple(_after(section, outcome, state, values, lang)),
        folds=() if pending else tuple(_folds(section, outcome, state, values, lang)),
    )


def opened(exercise: Exercise, state: State, slug: str) -> int:
    """How many hints of an exercise are open: those that were asked for, or one for each failed try."""
    return min(len(exercise.hints), max(state.hints.get(slug, 0), state.tries.get(slug, 0)))


def missing_sentence(name: str, reason: str, lang: str) -> str:
    """Why a backend or package is not there, and what to do."""
    key = f"missing.{name}.{reason}"
    if key in keys("en"):
        return say(lang, key)
    return say(lang, f"missing.{reason}" if f"missing.{reason}" in keys("en") else "missing.other", name=name)


def hint_folds(section: Section, count: int, values: Mapping[str, str], lang: str) -> Iterator[Fold]:
    """The first `count` hints, folded."""
    exercise: Exercise = section.content
    for number, hint in enumerate(exercise.hints[:count], start=1):
        title = say(lang, "study.hint", number=number, total=len(exercise.hints))
        yield Fold("💡", title, fill(words(hint.text, lang), values))


def solution_fold(section: Section, values: Mapping[str, str], lang: str) -> Fold:
    """The reference solution, folded."""
    parts = []
    for file, body in section.files("solution", lang).items():
        parts.append(f"`{file}`\n\n```\n{fill(body, values).rstrip()}\n```")
    return Fold("📖", say(lang, "study.result-solution"), "\n\n".join(parts))


def _lead(section: Section, outcome: Outcome, lang: str, pending: bool) -> str:
    title = words(section.content.title, lang)
    met = sum(finding.result == "met" for finding in outcome.findings)
    name: str = "pending" if pending else outcome.outcome
    if name == "passed":
        # Where no criterion wants a tool, files tell everything there is to tell.
        whole = outcome.how == "real" or not any(criterion.live for criterion in section.content.rubric.values())
        name = "passed-real" if whole and not outcome.waiting else "passed-static"
    sign = "⏳" if pending else _LEADS[outcome.outcome]
    return f"{sign} {say(lang, f'study.result-lead-{name}', title=title, met=met, total=len(outcome.findings))}"


def _notes(section: Section, outcome: Outcome, state: State, lang: str) -> Iterator[str]:
    if outcome.problem:
        yield AnswerError(outcome.problem.key, **outcome.problem.params).sentence(lang)
    if outcome.outcome == "broken":
        yield say(lang, "study.result-broken")
    passed = state.passed(section.name)
    if passed and outcome.outcome == "failed":
        yield say(lang, "study.result-earlier", date=passed.at[:10])


def _lines(exercise: Exercise, outcome: Outcome, values: Mapping[str, str], lang: str, pending: bool) -> Iterator[Line]:
    for finding in outcome.findings:
        criterion = exercise.rubric.get(finding.criterion)
        if criterion is None:
            continue
        yield Line(
            state=_state(finding, outcome, pending),
            text=fill(words(criterion.text, lang), values),
            how=finding.how,
            found=finding.found if finding.result == "not-met" else "",
            expected=finding.expected if finding.result == "not-met" else "",
            remark=_remark(exercise, finding, values, lang),
        )


def _state(finding: Finding, outcome: Outcome, pending: bool) -> str:
    if finding.result != "not-judged":
        return finding.result
    if pending:
        return "later"
    return "waiting" if finding.criterion in outcome.waiting else "not-judged"


def _remark(exercise: Exercise, finding: Finding, values: Mapping[str, str], lang: str) -> str:
    """What to say of a criterion that is not met: the words for this very mistake, else why it matters."""
    if finding.result != "not-met":
        return ""
    criterion = exercise.rubric[finding.criterion]
    return fill(words(criterion.faults.get(finding.fault) or criterion.why, lang), values)


def _after(section: Section, outcome: Outcome, state: State, values: Mapping[str, str], lang: str) -> Iterator[str]:
    exercise: Exercise = section.content
    if outcome.waiting:
        yield say(lang, "study.result-waiting", count=len(outcome.waiting))
        for name, reason in outcome.missing.items():
            yield missing_sentence(name, reason, lang)
    if outcome.outcome == "passed":
        yield say(lang, "study.result-next-passed")
    elif outcome.outcome == "not-attempted":
        yield say(lang, "study.answer-starter-next", exercise=section.name)
    elif outcome.outcome == "failed" and not outcome.problem and outcome.failed:
        first = exercise.rubric[outcome.failed[0]]
        yield say(lang, "study.result-next-failed", criterion=fill(words(first.text, lang), values))
        if opened(exercise, state, section.name) >= len(exercise.hints):
            yield say(lang, "study.result-hints-open", exercise=section.name)
        else:
            yield say(lang, "study.result-more-help", exercise=section.name)


def _folds(section: Section, outcome: Outcome, state: State, values: Mapping[str, str], lang: str) -> Iterator[Fold]:
    exercise: Exercise = section.content
    for slug in outcome.waiting:
        if session := exercise.rubric[slug].session:
            title = say(lang, "study.result-session", criterion=fill(words(exercise.rubric[slug].text, lang), values))
            yield Fold("🖥️", title.replace("`", ""), f"```\n{fill(session, values).rstrip()}\n```")
    if outcome.outcome == "passed" or section.name in state.solutions:
        yield solution_fold(section, values, lang)
    elif outcome.outcome == "not-attempted":
        yield from hint_folds(section, max(1, opened(exercise, state, section.name)), values, lang)
    elif outcome.outcome != "broken":
        yield from hint_folds(section, opened(exercise, state, section.name), values, lang)
    if outcome.report:
        yield Fold("🛠️", say(lang, "study.result-report"), f"```\n{outcome.report.rstrip()}\n```")
