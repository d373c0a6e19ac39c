"""Play a situation through somebody's rules: invented series go in, and at given moments a query is asked.

promtool does it where it is there; else our own evaluator, which answers as promtool does or says that it cannot.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum.labs import promql
from curriculum.labs.backends.prometheus import Prometheus
from curriculum.labs.lab import parse_yaml
from curriculum.labs.prometheus_config import without_nulls
from curriculum.labs.promql import Data, Labels, QueryError, Unsupported, Vector, labels_of, seconds


@dataclass(frozen=True)
class Moment:
    """At `at` after the start, `expr` has a result, or has none.

    When it is not so, `shows` is the query whose result to show, and `wants` what it should have been.
    """

    at: str
    expr: str
    holds: bool = True
    shows: str = ""
    wants: str = ""


@dataclass(frozen=True)
class Situation:
    """Series in the notation of promtool (`0+15x30`), one sample each `interval`; rules are evaluated each `step`."""

    series: Mapping[str, str]
    moments: tuple[Moment, ...]
    interval: str = "1m"
    step: str = "1m"


def firing(**labels: str) -> str:
    """A query for firing alerts with these labels."""
    pairs = {"alertstate": "firing", **labels}
    return "ALERTS{" + ",".join(f'{name}="{value}"' for name, value in pairs.items()) + "}"


def amiss(rules: str, situation: Situation, prometheus: Prometheus | None) -> list[Moment]:
    """The moments at which something else is the case. Raises QueryError for rules that cannot be evaluated,
    Unsupported where only promtool could tell and there is none."""
    if prometheus is None:
        return _amiss_here(rules, situation)
    with tempfile.TemporaryDirectory(prefix="curriculum-rules-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "rules.yml").write_text(rules, encoding="utf-8", newline="\n")
        if _holds(prometheus, folder, situation, situation.moments):
            return []
        if not (checked := prometheus.check_rules(folder / "rules.yml")).ok:
            raise QueryError(checked.last)
        return [moment for moment in situation.moments if not _holds(prometheus, folder, situation, [moment])]


def _holds(prometheus: Prometheus, folder: Path, situation: Situation, moments: Sequence[Moment]) -> bool:
    asked = [
        {
            "expr": f"count({moment.expr}) > bool 0 or vector(0)",
            "eval_time": moment.at,
            "exp_samples": [{"labels": "{}", "value": float(moment.holds)}],
        }
        for moment in moments
    ]
    test = {
        "interval": situation.interval,
        "input_series": [{"series": name, "values": values} for name, values in situation.series.items()],
        "promql_expr_test": asked,
    }
    file = folder / "hidden_test.yml"
    document = {"rule_files": ["rules.yml"], "evaluation_interval": situation.step, "tests": [test]}
    file.write_text(json.dumps(document), encoding="utf-8")
    return prometheus.test_rules(file).ok


# --- the same, without promtool ---


def _amiss_here(rules: str, situation: Situation) -> list[Moment]:
    seen = played(rules, situation, [(moment.at, moment.expr) for moment in situation.moments])
    return [moment for moment in situation.moments if bool(seen[moment.at, moment.expr]) != moment.holds]


def played(rules: str, situation: Situation, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Vector]:
    """What queries return at moments of a situation, by our own evaluator. Raises QueryError, Unsupported."""
    waiting = {(at, expr): promql.parse(expr) for at, expr in asked}
    data, found = Data(), dict[tuple[str, str], Vector]()
    feeds = [_Feed(name, values) for name, values in situation.series.items()]
    evaluator = Rules(without_nulls(parse_yaml(rules, "rules.yml")))
    interval, step = seconds(situation.interval) or 60, seconds(situation.step) or 60
    end, time = max(seconds(at) or 0 for at, _ in asked), 0.0
    while time <= end:
        for feed in feeds:
            feed.until(time, interval, data)
        evaluator.evaluate(data, time)
        for (at, expr), expression in waiting.items():
            if seconds(at) == time:
                found[at, expr] = promql.evaluate(expression, data, time)
        time += step
    return found


class _Feed:
    """One invented series, handed over sample by sample."""

    def __init__(self, name: str, values: str) -> None:
        selector = promql.parse(name)
        labels = {matcher.name: str(matcher.value) for matcher in selector.matchers.matchers}
        self.labels = labels_of({"__name__": selector.name or "", **labels})
        self.values = list(notation(values))
        self.given = 0

    def until(self, time: float, interval: float, data: Data) -> None:
        while self.given < len(self.values) and self.given * interval <= time:
            value = self.values[self.given]
            if value == "stale":
                data.end(self.labels, self.given * interval)
            elif value is not None:
                data.add(self.labels, self.given * interval, float(value))
            self.given += 1


_RUN = re.compile(r"(?P<first>-?[\d.]+(?:e[+-]?\d+)?)?(?P<each>[+-][\d.]+)?(?:x(?P<times>\d+))?|_(?:x(?P<gaps>\d+))?")


def notation(text: str) -> Iterator[float | str | None]:
    """The values of promtool's notation; a gap is None, and `stale` the end of a series. Raises QueryError."""
    for part in text.split():
        match = _RUN.fullmatch(part)
        if part == "stale":
            yield "stale"
        elif part.startswith("_") and match:
            yield from [None] * int(match["gaps"] or 1)
        elif match and match["first"]:
            each, times = float(match["each"] or 0), int(match["times"] or 0)
            yield from (float(match["first"]) + each * n for n in range(times + 1))
        else:
            raise QueryError(f"series values: {part}")


@dataclass
class _Alert:
    since: float
    firing: bool = False
    gone: float | None = None


class Rules:
    """The rules of a file, evaluated in their order. Raises QueryError and Unsupported as they are read."""

    def __init__(self, documents: Sequence[Any]) -> None:
        self._rules = []
        for group in (group for document in documents for group in document.get("groups") or []):
            if group.get("query_offset") or group.get("labels"):
                raise Unsupported("fields of groups")
            self._rules += [_Rule(rule) for rule in group.get("rules") or []]

    def evaluate(self, data: Data, time: float) -> None:
        for rule in self._rules:
            rule.evaluate(data, time)


class _Rule:
    def __init__(self, rule: Mapping[str, Any]) -> None:
        self.alert = str(rule.get("alert", ""))
        self.name = str(rule.get("record", ""))
        self.expression = promql.parse(str(rule["expr"]))
        self.labels = {name: str(value) for name, value in (rule.get("labels") or {}).items()}
        self.wait = seconds(rule.get("for", 0)) or 0.0
        self.keep = seconds(rule.get("keep_firing_for", 0)) or 0.0
        self.active: dict[Labels, _Alert] = {}
        self.written: set[Labels] = set()

    def evaluate(self, data: Data, time: float) -> None:
        found = promql.evaluate(self.expression, data, time)
        written: dict[Labels, float] = {}
        if self.name:
            for labels, value in found.items():
                written[labels_of({**dict(labels), **self._labels(labels), "__name__": self.name})] = value
        else:
            written = dict.fromkeys(self._alerts(found, time), 1.0)
        for labels in self.written - written.keys():
            data.end(labels, time)
        for labels, value in written.items():
            data.add(labels, time, value)
        self.written = set(written)

    def _alerts(self, found: promql.Vector, time: float) -> Iterator[Labels]:
        now = set()
        for labels in found:
            own = dict(labels)
            own.pop("__name__", None)
            key = labels_of({**own, **self._labels(labels), "alertname": self.alert})
            now.add(key)
            alert = self.active.setdefault(key, _Alert(time))
            alert.firing = alert.firing or time - alert.since >= self.wait
            alert.gone = None
        for key in set(self.active) - now:
            alert = self.active[key]
            alert.gone = time if alert.gone is None else alert.gone
            if not alert.firing or time - alert.gone >= self.keep:
                del self.active[key]
        for key, alert in self.active.items():
            state = "firing" if alert.firing else "pending"
            yield labels_of({**dict(key), "__name__": "ALERTS", "alertstate": state})

    def _labels(self, labels: Labels) -> dict[str, str]:
        """The rule's own labels; of the template language only `{{ $labels.name }}` is known here."""
        known = dict(labels)
        own = {}
        for name, text in self.labels.items():
            own[name] = re.sub(r"\{\{-?\s*\$labels\.(\w+)\s*-?\}\}", lambda match: known.get(match[1], ""), text)
            if "{{" in own[name]:
                raise Unsupported("templates")
        return own
