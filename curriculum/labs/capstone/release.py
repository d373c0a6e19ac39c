"""Release v2: ask the shadow, plan, switch, and watch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from curriculum.errors import AnswerError
from curriculum.labs import judge
from curriculum.labs.capstone.queries import asked
from curriculum.labs.capstone.script import attempt, copied, mapping, number, word
from curriculum.labs.capstone.shadow import Rule, log, steady
from curriculum.labs.lab import Lab
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.prometheus_data import Series

SHADOW = "capstone-release-shadow.csv"

# --- part 1: what the shadow says -------------------------------------------------------------------------------------


@judge("capstone-release-compare")
def compare(lab: Lab) -> Iterator[Finding]:
    lab.text("compare.py")
    if not lab.live:
        return
    rule = Rule(lab.number("budget_ms"), lab.number("margin"), lab.value("rain"))
    findings = []
    crashes = 0
    for criterion, trials in _trials(rule).items():
        finding, crashed = _tried(lab, criterion, trials)
        findings.append(finding)
        crashes += crashed
    if crashes == len(findings):
        raise AnswerError("answer-fails", file="compare.py", problem=findings[0].found)
    yield from findings
    if all(finding.result == "met" for finding in findings):
        yield _decision(lab, rule)


@dataclass(frozen=True)
class Trial:
    """A log, and what the right script says of it: the release, and one reason against one version."""

    fault: str
    log: str
    release: str | None
    version: str = ""
    reason: str = ""


def _trials(rule: Rule) -> dict[str, list[Trial]]:
    """For each rule of the team, logs in which it alone decides. Version 12 is the one that may go, unless it says so."""
    rain, budget, margin = rule.rain, rule.budget_ms, rule.margin
    good = {"12": steady(2.5)}

    def slow(each: int) -> Any:
        return lambda number, row: (2.0, budget * 3 if number % each == 0 else 6.0)

    def bad_where(where: Any, more: float) -> Any:
        return lambda number, row: (3.0 + more if where(row) else 1.0, 6.0)

    def one(fault: str, answer: Any, reason: str = "", others: Any = good) -> Trial:
        """Version 7 beside those that may go; with a reason, it is to be refused for it."""
        return Trial(fault, log(rain, {**others, "7": answer}), "12", "7", reason)

    def hopeless(number: int, row: Mapping[str, str]) -> tuple[float, float] | None:
        return (9.0, budget * 3) if number % 2 else None

    lacking = {"12": lambda number, row: (2.5, 6.0) if row["truth"] else None, "9": steady(3.3)}
    single = {"12": lambda number, row: None if number == 7 else (2.5, 6.0)}
    outlier = {"12": lambda number, row: (2.5, budget * 4 if number == 7 else 6.0)}
    barely = {"12": lambda number, row: (3.0 + margin * 0.6 if row[rain] == "1" else 1.0, 6.0)}
    bounds = bad_where(lambda row: int(row["hour"]) in (11, 16), 3 * margin + 6)
    return {
        "unknown-truth": [Trial("counted", log(rain, lacking, unknown=8), "12")],
        "failures": [
            one("unnoticed", lambda number, row: None if number % 33 == 0 else (2.0, 6.0), "failures"),
            one("any", steady(3.2), others=single),
        ],
        "slow": [one("mean", slow(10), "slow"), one("single", steady(3.2), others=outlier)],
        "worse": [one("unnoticed", steady(3.0 + margin / 2), "worse")],
        "slice": [
            one("first", bad_where(lambda row: row[rain] == "1", margin + 1), "slice"),
            one("hours", bad_where(lambda row: int(row["hour"]) >= 17, margin + 1), "slice"),
            one("bounds", bounds, "slice"),
            one("strict", steady(3.2), others=barely),
        ],
        "best": [
            Trial("other", log(rain, {"9": steady(2.6), "12": steady(2.2), "31": steady(2.4)}), "12"),
            Trial("other", log(rain, {"12": steady(1.9), "5": steady(2.3), "7": steady(2.1)}, seed=2), "12"),
        ],
        "hold": [Trial("released", log(rain, {"7": hopeless, "9": hopeless}), None)],
    }


def _tried(lab: Lab, criterion: str, trials: list[Trial]) -> tuple[Finding, bool]:
    """The finding on one rule, and whether the script broke off where it was first tried."""
    for place, trial in enumerate(trials):
        said, problem = _said(lab, trial.log)
        if said is None:
            fault = "crashed" if criterion in {"unknown-truth", "hold"} else trial.fault
            return lab.found(criterion, False, found=problem, fault=fault), place == 0
        release, refused = said
        if release != trial.release or (trial.reason and trial.reason not in refused.get(trial.version, set())):
            return lab.found(criterion, False, found=_shown(release, refused), fault=trial.fault), False
    return lab.found(criterion, True), False


def _said(lab: Lab, text: str) -> tuple[tuple[str | None, dict[str, set[str]]] | None, str]:
    """What the script says of a log; or None, and why."""
    with copied(lab, "decision.json") as folder:
        (folder / SHADOW).write_text(text, encoding="utf-8", newline="\n")
        run = attempt(lab, folder, "compare.py")
        if run.code is None:
            raise AnswerError("answer-too-long", seconds=60)
        if not run.ok:
            return None, run.last
        try:
            data = json.loads((folder / "decision.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise AnswerError("answer-unwritten", file="compare.py", output="decision.json") from None
        except ValueError as error:
            return None, str(error)
    decision = mapping(data)
    refused = {
        word(version): {word(reason) for reason in (reasons if isinstance(reasons, list) else [reasons])}
        for version, reasons in mapping(decision.get("refused")).items()
        if reasons
    }
    return (word(decision.get("release")) or None, refused), ""


def _shown(release: str | None, refused: Mapping[str, set[str]]) -> str:
    return json.dumps({"release": release, "refused": {version: sorted(why) for version, why in refused.items()}})


def _decision(lab: Lab, rule: Rule) -> Finding:
    try:
        release, refused = rule.decision(lab.text(SHADOW))
    except (ValueError, KeyError, IndexError) as error:
        raise AnswerError("answer-given-changed", files=SHADOW, problem=str(error)) from None
    said, problem = _said(lab, lab.text(SHADOW))
    if said is None:
        raise AnswerError("answer-fails", file="compare.py", problem=problem)
    fault = "release" if said[0] != release else "reasons"
    met = said == (release, refused)
    return lab.found(
        "decision", met, found=_shown(*said), expected=_shown(release, refused) if met else "", fault=fault
    )


# --- part 2: the plan ---------------------------------------------------------------------------------------------------

OLD, NEW = "4", "6"
#: Minutes until a bad version is out again, until the truth is known; how many answers judge a version.
NOTICED, TRUTH_AFTER, ENOUGH = 15, 40, 200
#: No step may give more than so many times the share of the one before.
FASTEST = 4
WORDS = ("alerts", "deploy", "traffic", "alias", "retire")


@dataclass(frozen=True)
class Step:
    """A step of a plan. `wait` is in minutes, None where there is none or it is no duration."""

    do: str
    version: str
    share: float | None
    wait: float | None
    check: str
    back: Mapping[str, Any] | None

    def __str__(self) -> str:
        return f"{self.do} {self.version or (f'{self.share:g}' if self.share is not None else '')}".strip()


def read_plan(lab: Lab, file: str) -> list[Step]:
    """The steps of a plan. Raises AnswerError for a word that the pipeline does not know."""
    document = mapping(next(iter(lab.yaml(file)), None))
    found = []
    for entry in document.get("steps") or []:
        step = read_step(mapping(entry))
        if step.do not in WORDS:
            raise AnswerError("answer-refused", file=file, problem=f"do: {step.do or '-'} ({', '.join(WORDS)})")
        found.append(step)
    return found


def read_step(entry: Mapping[str, Any]) -> Step:
    from curriculum.labs.promql import seconds

    wait = seconds(word(entry.get("wait"))) if entry.get("wait") is not None else None
    return Step(
        word(entry.get("do")),
        word(entry.get("version")),
        number(word(entry.get("share")).removesuffix("%").strip()),
        None if wait is None else wait / 60,
        word(entry.get("check")),
        entry.get("back") if isinstance(entry.get("back"), dict) else None,
    )


@judge("capstone-release-plan")
def plan(lab: Lab) -> Iterator[Finding]:
    steps = read_plan(lab, "plan.yaml")
    traffic = [step for step in steps if step.do == "traffic" and step.share != 0]
    yield _eyes_first(lab, steps, traffic)
    if traffic:
        yield _first_share(lab, traffic[0])
        yield _pace(lab, traffic)
        yield _waits(lab, traffic)
        yield from _checks(lab, traffic)
    if any(step.share == 100 for step in traffic):
        yield _alias_last(lab, steps)
    yield _keeps_old(lab, steps)
    yield _way_back(lab, steps)


def _eyes_first(lab: Lab, steps: list[Step], traffic: list[Step]) -> Finding:
    if not traffic:
        return lab.found("eyes-first", False, fault="no-traffic")
    before = steps[: steps.index(traffic[0])]
    watched = any(step.do == "alerts" for step in before)
    there = any(step.do == "deploy" and step.version == NEW for step in before)
    fault = "nobody-there" if watched else "blind"
    return lab.found("eyes-first", watched and there, found=" → ".join(map(str, [*before, traffic[0]])), fault=fault)


def _first_share(lab: Lab, first: Step) -> Finding:
    if first.share is None or not 0 < first.share <= 100:
        return lab.found("first-share", False, found=first, fault="not-a-share")
    wrong = lab.number("a_minute") * first.share / 100 * NOTICED
    met = wrong <= lab.number("bearable") + 1e-9
    return lab.found("first-share", met, found=f"{wrong:g}", expected=lab.value("bearable"), fault="too-large")


def _pace(lab: Lab, traffic: list[Step]) -> Finding:
    shares = [step.share or 0 for step in traffic]
    pairs = list(pairwise(shares))
    fault = ""
    if any(after <= before for before, after in pairs):
        fault = "not-growing"
    elif any(after > FASTEST * before + 1e-9 for before, after in pairs):
        fault = "jump"
    elif shares[-1] != 100:
        fault = "unfinished"
    return lab.found("pace", not fault, found=" → ".join(f"{share:g}" for share in shares), fault=fault)


def _waits(lab: Lab, traffic: list[Step]) -> Finding:
    for step in traffic:
        if step.share is None or not 0 < step.share < 100:
            continue
        least = TRUTH_AFTER + ENOUGH / (lab.number("a_minute") * step.share / 100)
        if step.wait is None:
            return lab.found("waits", False, found=step, fault="no-wait")
        # Whole minutes are what people write.
        if step.wait < int(least):
            fault = "no-truth" if step.wait <= TRUTH_AFTER else "too-few"
            return lab.found("waits", False, found=f"{step}: {step.wait:g}m", expected=f"{least:.0f}m", fault=fault)
    return lab.found("waits", True)


def _alias_last(lab: Lab, steps: list[Step]) -> Finding:
    share = 0.0
    moved = ""
    for step in steps:
        if step.do == "traffic":
            share = step.share or 0
        elif step.do == "alias":
            if step.version == NEW and share < 100:
                return lab.found("alias-last", False, found=f"{share:g} %", expected="100 %", fault="early")
            moved = step.version
    return lab.found(
        "alias-last", moved == NEW, found=moved, expected=NEW, fault="other-version" if moved else "missing"
    )


def _keeps_old(lab: Lab, steps: list[Step]) -> Finding:
    gone = next((place for place, step in enumerate(steps) if step.do == "retire"), None)
    if gone is None:
        return lab.found("keeps-old", False, fault="missing")
    if steps[gone].version != OLD:
        return lab.found("keeps-old", False, found=steps[gone], expected=f"retire {OLD}", fault="wrong-version")
    if gone != len(steps) - 1:
        return lab.found("keeps-old", False, found=steps[gone + 1], fault="not-last")
    moved = max((place for place, step in enumerate(steps) if step.do == "alias"), default=None)
    if moved is None:
        moved = max((place for place, step in enumerate(steps) if step.share == 100), default=0)
    hours = sum(step.wait or 0 for step in steps[moved:gone]) / 60
    return lab.found("keeps-old", hours >= 24, found=f"{hours:g}h", expected="24h", fault="too-early")


def _way_back(lab: Lab, steps: list[Step]) -> Finding:
    share = 0.0
    for step in steps:
        if step.do not in {"traffic", "alias"} or (step.do == "traffic" and step.share == 0):
            continue
        if step.back is None:
            return lab.found("way-back", False, found=step, fault="missing")
        back = read_step(step.back)
        if step.do == "traffic":
            good = back.do == "traffic" and back.share is not None and back.share <= share
            share = step.share or 0
        else:
            good = back.do == "alias" and back.version == OLD
        if not good:
            return lab.found("way-back", False, found=f"{step}: {back}", fault="not-back")
    return lab.found("way-back", True)


@dataclass(frozen=True)
class Day:
    """Mean errors of both versions now, the new one's at its beginning, and whether the release may go on."""

    fault: str
    old: float
    new: float
    holds: bool
    at_first: float = 2.5


_DAYS = (
    Day("never", 3.3, 2.5, True),
    Day("since-start", 3.3, 2.5, True, at_first=25.0),
    Day("blind", 3.0, 9.0, False),
    Day("absolute", 8.0, 8.2, True),
    Day("margin", 3.3, 6.3, False),
    Day("margin", 3.3, 4.8, True),
)


def _checks(lab: Lab, traffic: list[Step]) -> Iterator[Finding]:
    from curriculum.labs.promql import QueryError

    checked = [step for step in traffic if step.share is None or step.share < 100]
    if any(not step.check for step in checked):
        yield lab.found("checks", False, found=next(step for step in checked if not step.check), fault="missing")
        return
    if lab.package("promql_parser") is None:
        yield lab.waits("checks", "promql_parser")
        return
    for text in dict.fromkeys(step.check for step in checked):
        for day in _DAYS:
            try:
                answer = asked(lab, _errors(day), text, 180 * 60 + 11)
            except QueryError as error:
                yield lab.found("checks", False, found=error, fault="refused")
                return
            if answer is None:
                yield lab.waits("checks", "prometheus")
                return
            if (bool(answer) and all(answer.values())) != day.holds:
                found = f"4: {day.old:g}, 6: {day.new:g} → {'; '.join(f'{v:g}' for v in answer.values()) or '{}'}"
                yield lab.found("checks", False, found=found, fault=day.fault)
                return
    yield lab.found("checks", True)


def _errors(day: Day) -> list[Series]:
    """Three hours in which version 6 gets a twentieth of the answers; its mean error changes after the first."""
    from curriculum.labs.prometheus_data import Series

    made = []
    for model, pod, each in ((OLD, "a", 120), (OLD, "b", 65), (NEW, "c", 10)):
        counts, sums = [], []
        total = 0.0
        for minute in range(185):
            mean = day.old if model == OLD else (day.at_first if minute < 60 else day.new)
            total += each * mean
            counts.append((minute * 60.0, each * (minute + 1.0)))
            sums.append((minute * 60.0, total))
        labels = {"job": "feedback", "model": model, "pod": pod}
        made += [
            Series("prediction_error_count", labels, tuple(counts)),
            Series("prediction_error_sum", labels, tuple(sums)),
        ]
    return made
