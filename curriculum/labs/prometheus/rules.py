"""Judge rules by playing situations through them, and their tests by breaking the rules."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from curriculum.errors import AnswerError
from curriculum.labs import judge, promql
from curriculum.labs import prometheus_config as scrape
from curriculum.labs.backends.prometheus import Prometheus
from curriculum.labs.lab import Lab
from curriculum.labs.prometheus.shared import read_mapping, shown
from curriculum.labs.prometheus_play import Moment, Situation, amiss, firing, played
from curriculum.labs.promql import QueryError, Unsupported
from curriculum.outcome import Finding, How


def read_rules(lab: Lab, file: str) -> list[dict[str, Any]]:
    """The rules of a file, once it can be loaded. Raises AnswerError."""
    document = read_mapping(lab, file)
    if prometheus := lab.backend("prometheus"):
        with lab.scratch() as folder:
            checked = prometheus.check_rules(folder / file)
        if not checked.ok:
            raise AnswerError("answer-refused", file=file, problem=checked.last)
    elif faults := list(scrape.rule_faults(document)):
        problem = faults[0]
        if problem.endswith(".expr") and (text := _at(document, problem)):
            problem = f"{problem}: {_refusal(str(text))}"
        raise AnswerError("answer-refused", file=file, problem=problem)
    return [rule for group in document.get("groups") or [] for rule in group.get("rules") or []]


def _refusal(expr: str) -> str:
    try:
        promql.parse(expr)
    except (QueryError, Unsupported) as error:
        return str(error)
    return ""


def _at(value: Any, path: str) -> Any:
    for part in path.replace("]", "").replace("[", ".").split("."):
        value = value[int(part)] if part.isdecimal() else value.get(part)
    return value


@dataclass(frozen=True)
class Play:
    """Somebody's rules, ready for situations; `judged` plays them."""

    lab: Lab
    rules: str
    prometheus: Prometheus | None

    def judged(self, criteria: Mapping[str, Mapping[str, Situation]]) -> Iterator[Finding]:
        """The finding on each criterion: rules do right in all its situations; the first that goes wrong is the fault.

        In the quick pass only what is wrong is said: promtool may know better.
        """
        # What plays with the same series is played once, for all moments together.
        together = defaultdict[tuple[int, str, str], list[Situation]](list)
        for situation in (situation for situations in criteria.values() for situation in situations.values()):
            together[id(situation.series), situation.interval, situation.step].append(situation)
        whole = [
            replace(parts[0], moments=tuple(dict.fromkeys(moment for part in parts for moment in part.moments)))
            for parts in together.values()
        ]
        with ThreadPoolExecutor(2 if self.prometheus else 1) as pool:
            found = dict(zip(together, pool.map(self._tried, whole), strict=True))
        for criterion, situations in criteria.items():
            results = {
                fault: _of(found[id(situation.series), situation.interval, situation.step], situation)
                for fault, situation in situations.items()
            }
            finding = self._finding(criterion, situations, results)
            if self.lab.live or finding.result == "not-met":
                yield finding

    def _tried(self, situation: Situation) -> list[Moment] | Exception:
        try:
            return amiss(self.rules, situation, self.prometheus)
        except (QueryError, Unsupported, ImportError) as error:
            return error

    def _finding(
        self, criterion: str, situations: Mapping[str, Situation], results: Mapping[str, list[Moment] | Exception]
    ) -> Finding:
        how: How = "real" if self.prometheus else "static"
        for fault, result in results.items():
            if isinstance(result, QueryError):
                return self.lab.found(criterion, False, found=result, how=how)
            if isinstance(result, ImportError):
                self.lab.package("promql_parser")
                return self.lab.waits(criterion, "promql_parser")
            if isinstance(result, Exception):
                return self.lab.waits(criterion, "prometheus")
            if result:
                moment = result[0]
                expected = f"{moment.at}: {(moment.wants or moment.expr) if moment.holds else '{}'}"
                seen = self._seen(situations[fault], moment)
                return self.lab.found(criterion, False, found=seen, expected=expected, fault=fault, how=how)
        return self.lab.found(criterion, True, how=how)

    def _seen(self, situation: Situation, moment: Moment) -> str:
        """What there is instead, as far as we can tell without promtool."""
        asked = (moment.at, moment.shows or moment.expr)
        try:
            return f"{moment.at}: {shown(played(self.rules, situation, [asked])[asked])}"
        except (QueryError, Unsupported, ImportError):
            return ""


def _of(result: list[Moment] | Exception, situation: Situation) -> list[Moment] | Exception:
    """The part of a result that is about the moments of a situation."""
    if isinstance(result, Exception):
        return result
    return [moment for moment in situation.moments if moment in result]


def actionable(lab: Lab, rules: Iterable[Mapping[str, Any]], severities: tuple[str, ...] = ()) -> Finding:
    """Each alert says how urgent it is, what is wrong and where to read on."""
    missing = []
    for rule in (rule for rule in rules if "alert" in rule):
        severity = str((rule.get("labels") or {}).get("severity", ""))
        if not severity or (severities and severity not in severities):
            missing.append((str(rule["alert"]), "severity"))
        texts = rule.get("annotations") or {}
        missing += [(str(rule["alert"]), name) for name in ("summary", "runbook_url") if not texts.get(name)]
    fault = missing[0][1].replace("_", "-") if missing else ""
    alerts = any("alert" in rule for rule in rules)
    found = ", ".join(f"{alert}: {name}" for alert, name in missing) or ("" if alerts else "-")
    return lab.found("actionable", alerts and not missing, found=found, fault=fault)


def entries(value: Any, name: str) -> list[dict[str, Any]]:
    part = value.get(name) if isinstance(value, dict) else None
    return [entry for entry in part if isinstance(entry, dict)] if isinstance(part, list) else []


Change = Callable[[Any], Any]


def never_fires(expr: Any) -> str:
    """An alert's expression that has no result."""
    return f"({expr}) unless on () vector(1)"


def always_fires(expr: Any) -> str:
    """An alert's expression without its limit; where it has none that stands outside, one that always has a result."""
    try:
        whole = promql.parse(str(expr))
    except (QueryError, Unsupported, ImportError):
        whole = None
    if type(whole).__name__ == "BinaryExpr" and str(whole.op) in (">", ">=", "<", "<="):
        side = (
            whole.lhs if any(type(part).__name__ == "VectorSelector" for part in promql.walk(whole.lhs)) else whole.rhs
        )
        return str(side.prettify())
    return 'group by (job) ({__name__=~"predictions_total|up"})'


def tests_bite(
    lab: Lab,
    prometheus: Prometheus,
    rules: str,
    tests: str,
    broken: Mapping[str, Mapping[str, Change]],
    alerts: Mapping[str, set[str]],
) -> Finding:
    """The answer's tests pass over its own rules, and fail over rules that were broken in each of several ways.

    `broken` says what becomes of which fields, and `alerts` in the rules of which alerts.
    """
    with lab.scratch() as folder:
        runs = {"": folder}
        for name, changes in broken.items():
            document = read_mapping(lab, rules)
            if _break(document, changes, alerts[name]):
                runs[name] = folder.parent / name
                shutil.copytree(folder, runs[name])
                (runs[name] / rules).write_text(json.dumps(document), encoding="utf-8")
        with ThreadPoolExecutor(2) as pool:
            results = dict(
                zip(runs, pool.map(lambda place: prometheus.test_rules(place / tests), runs.values()), strict=True)
            )
    first = results.pop("")
    if not first.ok:
        lines = [line.strip() for line in first.output.splitlines() if line.strip()]
        fault = "nothing-tested" if not entries(read_mapping(lab, tests), "tests") else "fails"
        return lab.found("tests-bite", False, found="\n".join(lines[1:7]), fault=fault, how="real")
    survivor = next((name for name, run in results.items() if run.ok), "")
    return lab.found("tests-bite", not survivor, found=survivor, fault=survivor, how="real")


def _break(document: Mapping[str, Any], changes: Mapping[str, Change], alerts: set[str]) -> bool:
    """Change fields of the rules for some alerts; whether there was any to change."""
    changed = False
    for group in document.get("groups") or []:
        for rule in group.get("rules") or []:
            for part in changes if str(rule.get("alert")) in alerts else ():
                if part in rule:
                    changed = True
                    rule[part] = changes[part](rule[part])
                    if rule[part] is None:
                        del rule[part]
    return changed


_RATIO = "job:predictions_errors:ratio_rate5m"


@judge("prometheus-rules-with-tests")
def rules_with_tests(lab: Lab) -> Iterator[Finding]:
    rules = read_rules(lab, "rules.yml")
    prometheus = lab.backend("prometheus")
    play = Play(lab, lab.text("rules.yml"), prometheus)
    job, percent = lab.value("delivery-time"), lab.number("percent")

    def series(outcome: str, instance: str = "a", job: str = job) -> str:
        return f'predictions_total{{job="{job}", instance="{instance}", outcome="{outcome}"}}'

    ratio, errors = f'{_RATIO}{{job="{job}"}}', firing(alertname="PredictionErrors")
    uneven = {
        series("ok", "a"): "0+90x40",
        series("ok", "b"): "0+6x40",
        series("error", "b"): "0+32x40",
        series("ok", "a", "other"): "0+10x40",
        series("error", "a", "other"): "0+30x40",
    }
    fired, quarter = 'ALERTS{alertname="PredictionErrors"}', f"{ratio} 0.25"

    def steady(share: float) -> dict[str, str]:
        """A share of failures, the same for 40 minutes."""
        failed = round(share * 10)
        return {series("ok"): f"0+{1000 - failed}x40", series("error"): f"0+{failed}x40"}

    sudden = {
        series("ok"): "0+100x10 1050+50x40",
        series("error"): "0x10 50+50x40",
    }
    blip = {
        series("ok"): "0+100x10 1050+50x2 1250+100x30",
        series("error"): "0x10 50+50x2 150x30",
    }
    down, other = firing(alertname="PredictionServiceDown"), 'up{job="other", instance="z"}'
    up = [f'up{{job="{job}", instance="{name}"}}' for name in "ab"]
    yield from play.judged(
        {
            "ratio": {
                "missing": Situation(uneven, (Moment("30m", _RATIO),)),
                "per-instance": Situation(
                    uneven, (Moment("30m", f"count({ratio}) == 1", shows=_RATIO, wants=quarter),)
                ),
                "value": Situation(
                    uneven, (Moment("30m", f"abs({ratio} - 0.25) < 0.0001", shows=_RATIO, wants=quarter),)
                ),
            },
            "threshold": {
                "deaf": Situation(steady(percent + 0.4), (Moment("35m", errors, shows=fired),)),
                "jumpy": Situation(steady(percent - 0.4), (Moment("35m", errors, False),)),
            },
            "patience": {
                "hasty": Situation(sudden, (Moment("12m", errors, False), Moment("19m", errors, False))),
                "blip": Situation(blip, tuple(Moment(f"{minute}m", errors, False) for minute in (13, 15, 18, 20))),
                "slow": Situation(sudden, (Moment("24m", errors, shows=fired),)),
            },
            "down": {
                "jumpy": Situation({up[0]: "1x40", up[1]: "1x40", other: "0x40"}, (Moment("30m", down, False),)),
                "one-instance": Situation({up[0]: "1x40", up[1]: "1x9 0x30", other: "1x40"}, (Moment("20m", down),)),
                "no-target": Situation({up[0]: "1x9 stale", up[1]: "1x9 stale", other: "1x40"}, (Moment("20m", down),)),
            },
        }
    )
    yield actionable(lab, rules)
    tests = read_mapping(lab, "rules_test.yml")
    sides = _sides(tests)
    wanted = {(alert, fires) for alert in ("PredictionErrors", "PredictionServiceDown") for fires in (True, False)}
    missing = sorted(wanted - sides)
    fault = "" if not missing else "never-fires" if missing[0][1] else "never-silent"
    found = ", ".join(f"{alert}: {'exp_alerts' if fires else 'exp_alerts: []'}" for alert, fires in missing)
    yield lab.found("both-sides", not missing, found=found, fault=fault)
    if prometheus:
        broken: dict[str, dict[str, Change]] = {
            "never": {"expr": never_fires},
            "always": {"expr": always_fires},
            "no-wait": {"for": lambda wait: None},
        }
        yield tests_bite(
            lab, prometheus, "rules.yml", "rules_test.yml", broken, {name: {"PredictionErrors"} for name in broken}
        )


def _sides(document: Mapping[str, Any]) -> set[tuple[str, bool]]:
    """Which alerts the tests expect to fire, and which to be silent."""
    found = set()
    for test in entries(document, "tests"):
        for case in entries(test, "alert_rule_test"):
            found.add((str(case.get("alertname", "")), bool(case.get("exp_alerts"))))
        for case in entries(test, "promql_expr_test"):
            expected = entries(case, "exp_samples")
            fires = any(sample.get("value", 1) != 0 for sample in expected)
            for alert in _alerts_asked(str(case.get("expr", ""))):
                found.add((alert, fires))
            for sample in expected:
                for alert in _alerts_asked(str(sample.get("labels", ""))):
                    found.add((alert, True))
    return found


def _alerts_asked(expr: str) -> Iterator[str]:
    """The alerts of which a query asks, by their series ALERTS."""
    try:
        parts = list(promql.walk(promql.parse(expr)))
    except (QueryError, ImportError):
        return
    for part in parts:
        for matcher in getattr(getattr(part, "matchers", None), "matchers", ()):
            if matcher.name == "alertname":
                yield str(matcher.value)
