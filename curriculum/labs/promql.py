"""Answer PromQL over samples in memory, as Prometheus does, for whoever has no Prometheus. Pure.

What the course uses is here; the rest raises Unsupported, and whatever wanted the answer waits for the real one. Tests
compare this with Prometheus, query by query. Ranges are open at their left end, as they are since Prometheus 3.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

#: The labels of a series, sorted, the metric's name as `__name__`.
Labels = tuple[tuple[str, str], ...]
#: An instant vector. A scalar is a float.
Vector = dict[Labels, float]


#: An instant query looks back this far, in seconds.
LOOKBACK = 300.0
#: How many samples one expression may read: enough for days of rules, too few to be kept busy.
MOST_SAMPLES = 2_000_000

_NAME = "__name__"


_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_SECONDS = (31_536_000, 604_800, 86_400, 3600, 60, 1, 0.001)


class QueryError(Exception):
    """Prometheus would refuse this query, or break it off."""


class Unsupported(Exception):
    """Something of PromQL that is not here."""


def labels_of(labels: Mapping[str, str]) -> Labels:
    """Labels as the key of a series; empty ones are none."""
    return tuple(sorted((name, value) for name, value in labels.items() if value != ""))


def seconds(duration: object) -> float | None:
    """The length of `1h30m`, or None for what Prometheus does not take for a duration."""
    text = str(duration)
    match = _DURATION.fullmatch(text)
    if text == "0" or not (match and text):
        return 0.0 if text == "0" else None
    return sum(int(part) * length for part, length in zip(match.groups(), _SECONDS, strict=True) if part)


def parse(text: str) -> Any:
    """The expression of a query as promql-parser gives it. Raises QueryError, Unsupported; ImportError without the parser."""
    import promql_parser

    try:
        return promql_parser.parse(text)
    except (ValueError, OverflowError) as error:
        if any(f"'{name}'" in str(error) for name in _NEWER):
            raise Unsupported(str(error)) from None
        raise QueryError(str(error)) from None


#: Functions of Prometheus that the parser may not know yet, or no longer.
_NEWER = frozenset(
    [
        "double_exponential_smoothing",
        "first_over_time",
        "histogram_avg",
        "histogram_fraction",
        "histogram_quantiles",
        "histogram_stddev",
        "histogram_stdvar",
        "holt_winters",
        "info",
        "mad_over_time",
        "sort_by_label",
        "sort_by_label_desc",
        "ts_of_first_over_time",
        "ts_of_last_over_time",
        "ts_of_max_over_time",
        "ts_of_min_over_time",
    ]
)


def walk(expression: Any) -> Iterator[Any]:
    """An expression and all that it is made of."""
    yield expression
    for part in ("lhs", "rhs", "expr", "param", "vector_selector"):
        if (child := getattr(expression, part, None)) is not None:
            yield from walk(child)
    for child in getattr(expression, "args", ()):
        yield from walk(child)


# --- samples ---


@dataclass
class Samples:
    """One series: `gained` is what a counter that is restarted would show by now had it not been."""

    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    gained: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    def add(self, time: float, value: float) -> None:
        gained = 0.0
        if self.values:
            last = self.values[-1]
            gained = self.gained[-1] + (value if value < last else value - last)
        self.times.append(time)
        self.values.append(value)
        self.gained.append(gained)

    def at(self, time: float) -> float | None:
        """The value at a time: the last one of five minutes, unless the series has ended since."""
        last = bisect_right(self.times, time) - 1
        if last < 0 or self.times[last] <= time - LOOKBACK:
            return None
        end = bisect_right(self.ends, time) - 1
        return None if end >= 0 and self.ends[end] >= self.times[last] else self.values[last]


class Data:
    """Series with their samples. Times only go up."""

    def __init__(self) -> None:
        self._series: dict[Labels, Samples] = {}
        self._names: dict[str, list[Labels]] = defaultdict(list)

    def add(self, labels: Labels, time: float, value: float) -> None:
        self.series(labels).add(time, value)

    def end(self, labels: Labels, time: float) -> None:
        """The series ends here, as it does when a scrape no longer shows it."""
        self.series(labels).ends.append(time)

    def series(self, labels: Labels) -> Samples:
        if labels not in self._series:
            self._series[labels] = Samples()
            self._names[dict(labels).get(_NAME, "")].append(labels)
        return self._series[labels]

    def select(self, selector: Any) -> Iterator[tuple[Labels, Samples]]:
        matchers = selector.matchers
        groups = [[*matchers.matchers, *group] for group in matchers.or_matchers] or [matchers.matchers]
        candidates = self._names.get(selector.name, []) if selector.name else list(self._series)
        for labels in candidates:
            known = dict(labels)
            if any(all(_matches(known.get(m.name, ""), m.op, str(m.value)) for m in group) for group in groups):
                yield labels, self._series[labels]


def _matches(value: str, op: Any, wanted: str) -> bool:
    kind = str(op).rpartition(".")[2]
    same = value == wanted if kind in ("Equal", "NotEqual") else _regex(wanted).fullmatch(value) is not None
    return same if kind in ("Equal", "Re") else not same


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.DOTALL)
    except (re.error, FutureWarning) as error:
        raise Unsupported(f"the regular expression {text}") from error


def read_openmetrics(text: str) -> Data:
    """The samples of an OpenMetrics text with times. Raises ValueError."""
    from prometheus_client.openmetrics import parser

    read: Any = parser.text_string_to_metric_families
    found = []
    for family in read(text):
        for sample in family.samples:
            found.append((float(sample.timestamp or 0), labels_of({**sample.labels, _NAME: sample.name}), sample.value))
    data = Data()
    for time, labels, value in sorted(found, key=lambda entry: entry[0]):
        data.add(labels, time, float(value))
    return data


# --- queries ---


def query(text: str, data: Data, at: float) -> Vector:
    """The result of a query at a time; a scalar comes as one sample without labels. Raises QueryError, Unsupported."""
    return evaluate(parse(text), data, at)


def evaluate(expression: Any, data: Data, at: float) -> Vector:
    """`query` for an expression that was parsed before."""
    result = _Query(data, at).value(expression)
    if isinstance(result, str):
        raise QueryError("expected instant vector, got string")
    return result if isinstance(result, dict) else {(): result}


class _Query:
    """One expression at one time. `start` and `end` are the query's own, for `@ start()`."""

    def __init__(self, data: Data, at: float, start: float | None = None, left: list[int] | None = None) -> None:
        self.data = data
        self.at = at
        self.start = at if start is None else start
        self.left = [MOST_SAMPLES] if left is None else left

    def value(self, node: Any) -> Any:
        return getattr(self, f"_{type(node).__name__}", self._unknown)(node)

    def vector(self, node: Any) -> Vector:
        value = self.value(node)
        if not isinstance(value, dict):
            raise QueryError("expected instant vector")
        return value

    def _unknown(self, node: Any) -> Any:
        if type(node).__name__ in ("MatrixSelector", "SubqueryExpr"):
            raise QueryError("expected instant vector, got range vector")
        raise Unsupported(type(node).__name__)

    def _NumberLiteral(self, node: Any) -> float:
        return float(node.val)

    def _StringLiteral(self, node: Any) -> str:
        return str(node.val)

    def _ParenExpr(self, node: Any) -> Any:
        return self.value(node.expr)

    def _UnaryExpr(self, node: Any) -> Any:
        value = self.value(node.expr)
        return _mapped(value, lambda x: -x) if isinstance(value, dict) else -value

    def _VectorSelector(self, node: Any) -> Vector:
        time = self._shifted(node)
        found = {}
        for labels, samples in self.data.select(node):
            self._spend(1)
            if (value := samples.at(time)) is not None:
                found[labels] = value
        return found

    def _shifted(self, node: Any) -> float:
        time = self.at
        if node.at is not None:
            kind = str(node.at.type).rpartition(".")[2]
            time = node.at.at.timestamp() if kind == "At" else self.start
        return time - (node.offset.total_seconds() if node.offset else 0)

    def _spend(self, samples: int) -> None:
        self.left[0] -= samples
        if self.left[0] < 0:
            raise QueryError("query processing would load too many samples into memory")

    def range(self, node: Any) -> tuple[dict[Labels, Samples], float, float]:
        """The series of a range, cut to it, with its two ends."""
        if type(node).__name__ == "ParenExpr":
            return self.range(node.expr)
        if type(node).__name__ == "SubqueryExpr":
            return self._subquery(node)
        if type(node).__name__ != "MatrixSelector":
            raise QueryError("expected range vector")
        to = self._shifted(node.vector_selector)
        begin = to - node.range.total_seconds()
        found = {}
        for labels, samples in self.data.select(node.vector_selector):
            first, last = bisect_right(samples.times, begin), bisect_right(samples.times, to)
            if first < last:
                self._spend(last - first)
                cut = slice(first, last)
                found[labels] = Samples(samples.times[cut], samples.values[cut], samples.gained[cut])
        return found, begin, to

    def _subquery(self, node: Any) -> tuple[dict[Labels, Samples], float, float]:
        to = self._shifted(node)
        begin, step = to - node.range.total_seconds(), node.step.total_seconds() if node.step else 60.0
        time = math.floor(begin / step) * step + step
        found: dict[Labels, Samples] = {}
        while time <= to:
            value = _Query(self.data, time, self.start, self.left).value(node.expr)
            self._spend(20)
            for labels, sample in (value if isinstance(value, dict) else {(): value}).items():
                found.setdefault(labels, Samples()).add(time, sample)
            time += step
        return found, begin, to

    # --- functions ---

    def _Call(self, node: Any) -> Any:
        name, arguments = node.func.name, node.args
        if name in _OVER_RANGE:
            series, begin, to = self.range(arguments[0])
            extra = [self.value(argument) for argument in arguments[1:]]
            found: Vector = {}
            for labels, samples in series.items():
                if (value := _OVER_RANGE[name](samples, begin, to, *extra)) is not None:
                    _put(found, labels if name == "last_over_time" else _unnamed(labels), value)
            return found
        if name in ("quantile_over_time", "absent_over_time"):
            series, *_ = self.range(arguments[-1])
            if name == "absent_over_time":
                return {} if series else {_labels_if_absent(arguments[-1]): 1.0}
            rank = self.value(arguments[0])
            return {_unnamed(labels): _quantile(rank, samples.values) for labels, samples in series.items()}
        if name in _OF_VALUE:
            extra = [self.value(argument) for argument in arguments[1:]]
            return _mapped(self.vector(arguments[0]), lambda value: _OF_VALUE[name](value, *extra))
        function = getattr(self, f"_call_{name}", None)
        if function is None:
            raise Unsupported(f"{name}()")
        return function(*arguments)

    def _call_absent(self, node: Any) -> Vector:
        return {} if self.vector(node) else {_labels_if_absent(node): 1.0}

    def _call_histogram_quantile(self, rank: Any, node: Any) -> Vector:
        wanted, groups = self.value(rank), defaultdict[Labels, list[tuple[float, float]]](list)
        for labels, value in self.vector(node).items():
            try:
                bound = float(dict(labels)["le"])
            except (KeyError, ValueError):
                continue
            groups[tuple(pair for pair in _unnamed(labels) if pair[0] != "le")].append((bound, value))
        return {labels: _bucket_quantile(wanted, buckets) for labels, buckets in groups.items()}

    def _call_scalar(self, node: Any) -> float:
        vector = self.vector(node)
        return next(iter(vector.values())) if len(vector) == 1 else math.nan

    def _call_vector(self, node: Any) -> Vector:
        return {(): self.value(node)}

    def _call_time(self) -> float:
        return self.at

    def _call_timestamp(self, node: Any) -> Vector:
        if type(node).__name__ != "VectorSelector":
            return _mapped(self.vector(node), lambda _: self.at)
        time = self._shifted(node)
        return {
            _unnamed(labels): samples.times[bisect_right(samples.times, time) - 1]
            for labels, samples in self.data.select(node)
            if samples.at(time) is not None
        }

    def _call_sort(self, node: Any) -> Vector:
        return self.vector(node)

    _call_sort_desc = _call_sort

    def _call_label_replace(self, node: Any, target: Any, replacement: Any, source: Any, pattern: Any) -> Vector:
        name, template, origin = (self.value(part) for part in (target, replacement, source))
        regex, found = _regex(self.value(pattern)), dict[Labels, float]()
        for labels, value in self.vector(node).items():
            known = dict(labels)
            if match := regex.fullmatch(known.get(origin, "")):
                known[name] = expand(match, template)
            _put(found, labels_of(known), value)
        return found

    def _call_label_join(self, node: Any, target: Any, separator: Any, *sources: Any) -> Vector:
        name, between, names = self.value(target), self.value(separator), [self.value(part) for part in sources]
        found: Vector = {}
        for labels, value in self.vector(node).items():
            known = dict(labels)
            _put(found, labels_of({**known, name: between.join(known.get(part, "") for part in names)}), value)
        return found

    # --- aggregation ---

    def _AggregateExpr(self, node: Any) -> Vector:
        op, vector = str(node.op), self.vector(node.expr)
        groups: dict[Labels, Vector] = defaultdict(dict)
        for labels, value in vector.items():
            groups[_grouped(labels, node.modifier)][labels] = value
        parameter: Any = None if node.param is None else self.value(node.param)
        if op in ("topk", "bottomk"):
            keep = max(0, int(parameter)) if math.isfinite(parameter) else 0
            return {
                labels: group[labels]
                for group in groups.values()
                for labels in sorted(group, key=lambda key: _order(group[key], op == "topk"))[:keep]
            }
        if op == "count_values":
            counted: Vector = defaultdict(float)
            for labels, group in groups.items():
                for value in group.values():
                    counted[labels_of({**dict(labels), str(parameter): number(value)})] += 1
            return dict(counted)
        if op == "quantile":
            return {labels: _quantile(parameter, list(group.values())) for labels, group in groups.items()}
        if op not in _AGGREGATIONS:
            raise Unsupported(op)
        return {labels: _AGGREGATIONS[op](list(group.values())) for labels, group in groups.items()}

    # --- operators ---

    def _BinaryExpr(self, node: Any) -> Any:
        op, left, right = str(node.op), self.value(node.lhs), self.value(node.rhs)
        as_bool = bool(node.modifier and node.modifier.return_bool)
        if op in ("and", "or", "unless"):
            return _set_operation(op, left, right, _match_key(node.modifier))
        compare = op in _COMPARISONS
        operate: Callable[[float, float], Any] = _COMPARISONS[op] if compare else _ARITHMETIC[op]
        if not isinstance(left, dict) and not isinstance(right, dict):
            return float(operate(left, right))
        if isinstance(left, dict) and isinstance(right, dict):
            return _joined(operate, left, right, node.modifier, compare, as_bool)
        found = {}
        for labels, value in (left if isinstance(left, dict) else right).items():
            result = operate(value, right) if isinstance(left, dict) else operate(left, value)
            if compare and not as_bool:
                if result:
                    found[labels] = value
            else:
                _put(found, _unnamed(labels), float(result))
        return found


def _unnamed(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != _NAME)


def _put(vector: Vector, labels: Labels, value: float) -> None:
    if labels in vector:
        raise QueryError("vector cannot contain metrics with the same labelset")
    vector[labels] = value


def _mapped(vector: Vector, function: Callable[[float], float]) -> Vector:
    found: Vector = {}
    for labels, value in vector.items():
        _put(found, _unnamed(labels), function(value))
    return found


def expand(match: re.Match[str], template: str) -> str:
    """A replacement as Prometheus writes it: `$1`, `${1}`, `${name}`, `$$`."""

    def part(found: re.Match[str]) -> str:
        key = found[1] or found[2]
        if found[0] == "$$":
            return "$"
        try:
            return match[int(key) if key.isdecimal() else key] or ""
        except IndexError:
            return ""

    return re.sub(r"\$\$|\$\{(\w+)\}|\$(\w+)", part, template)


def _labels_if_absent(node: Any) -> Labels:
    selector = getattr(node, "vector_selector", node)
    if type(selector).__name__ != "VectorSelector":
        return ()
    matchers = selector.matchers.matchers
    names = [matcher.name for matcher in matchers]
    return labels_of(
        {
            m.name: str(m.value)
            for m in matchers
            if str(m.op).endswith(".Equal") and names.count(m.name) == 1 and m.name != _NAME
        }
    )


def _grouped(labels: Labels, modifier: Any) -> Labels:
    if modifier is None:
        return ()
    if str(modifier.type).endswith(".By"):
        return tuple(pair for pair in labels if pair[0] in modifier.labels)
    return tuple(pair for pair in labels if pair[0] not in modifier.labels and pair[0] != _NAME)


def _match_key(modifier: Any) -> Callable[[Labels], Labels]:
    matching = modifier.matching if modifier else None
    if matching is not None and str(matching.type).endswith(".Include"):
        return lambda labels: tuple(pair for pair in labels if pair[0] in matching.labels)
    left_out = {_NAME, *(matching.labels if matching is not None else ())}
    return lambda labels: tuple(pair for pair in labels if pair[0] not in left_out)


def _set_operation(op: str, left: Any, right: Any, key: Callable[[Labels], Labels]) -> Vector:
    if not isinstance(left, dict) or not isinstance(right, dict):
        raise QueryError(f'set operator "{op}" not allowed in binary scalar expression')
    if op == "or":
        known = {key(labels) for labels in left}
        return {**left, **{labels: value for labels, value in right.items() if key(labels) not in known}}
    known = {key(labels) for labels in right}
    return {labels: value for labels, value in left.items() if (key(labels) in known) == (op == "and")}


def _joined(
    operate: Callable[[float, float], Any], left: Vector, right: Vector, modifier: Any, compare: bool, as_bool: bool
) -> Vector:
    """An operator between two vectors: the samples of the "one" side by their matching labels, then the others."""
    key, card = _match_key(modifier), str(modifier.card).rpartition(".")[2] if modifier else "OneToOne"
    one, many = (left, right) if card == "OneToMany" else (right, left)
    known: dict[Labels, Labels] = {}
    for labels in one:
        if key(labels) in known:
            raise QueryError("found duplicate series for the match group")
        known[key(labels)] = labels
    found: Vector = {}
    seen: set[Labels] = set()
    for labels, value in many.items():
        partner = known.get(key(labels))
        if partner is None:
            continue
        if card == "OneToOne" and key(labels) in seen:
            raise QueryError("multiple matches for labels: many-to-one matching must be explicit")
        seen.add(key(labels))
        pair = (one[partner], value) if card == "OneToMany" else (value, one[partner])
        result = operate(*pair)
        if compare and not as_bool:
            if not result:
                continue
            result = pair[0]
        kept = dict(labels if compare and not as_bool else _unnamed(labels))
        if card == "OneToOne":
            matching = modifier.matching if modifier else None
            if matching is not None:
                include = str(matching.type).endswith(".Include")
                kept = {name: text for name, text in kept.items() if (name in matching.labels) == include}
        else:
            kept |= {name: dict(partner).get(name, "") for name in modifier.group_labels or ()}
        _put(found, labels_of(kept), float(result))
    return found


# --- numbers ---


def number(value: float) -> str:
    """A number as Prometheus writes it."""
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _order(value: float, descending: bool) -> tuple[bool, float]:
    return math.isnan(value), -value if descending else value


def _quantile(rank: float, values: Iterable[float]) -> float:
    ordered = sorted(values, key=lambda value: (not math.isnan(value), value))
    if not ordered or math.isnan(rank):
        return math.nan
    if rank < 0 or rank > 1:
        return math.copysign(math.inf, rank)
    place = rank * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] * (1 - place + low) + ordered[high] * (place - low)


def _bucket_quantile(rank: float, buckets: list[tuple[float, float]]) -> float:
    """The quantile of a histogram's buckets, between whose bounds values are taken as even."""
    merged: dict[float, float] = defaultdict(float)
    for bound, count in buckets:
        merged[bound] += count
    bounds = sorted(merged)
    if math.isnan(rank) or len(bounds) < 2 or not math.isinf(bounds[-1]):
        return math.nan
    if rank < 0 or rank > 1:
        return math.copysign(math.inf, rank)
    counts: list[float] = []
    for bound in bounds:
        counts.append(max(merged[bound], counts[-1] if counts else 0.0))
    if counts[-1] == 0 or math.isnan(counts[-1]):
        return math.nan
    wanted = rank * counts[-1]
    place = bisect_left(counts, wanted, 0, len(counts) - 1)
    if place == len(bounds) - 1:
        return bounds[-2]
    if place == 0 and bounds[0] <= 0:
        return bounds[0]
    low, below = (bounds[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    return low + (bounds[place] - low) * (wanted - below) / (counts[place] - below)


def _extrapolated(counter: bool, per_second: bool) -> Callable[..., float | None]:
    """`rate`, `increase` and `delta`: what was seen between the first and last sample, extended to the range's ends."""

    def function(samples: Samples, begin: float, to: float) -> float | None:
        times, values = samples.times, samples.values
        if len(times) < 2:
            return None
        gain = samples.gained[-1] - samples.gained[0] if counter else values[-1] - values[0]
        seen = times[-1] - times[0]
        between = seen / (len(times) - 1)
        before, after = times[0] - begin, to - times[-1]
        if before >= between * 1.1:
            before = between / 2
        if counter and gain > 0 and values[0] >= 0:
            # A counter was never below zero.
            before = min(before, seen * values[0] / gain)
        if after >= between * 1.1:
            after = between / 2
        gain *= (seen + before + after) / seen
        return gain / (to - begin) if per_second else gain

    return function


def _between_last_two(per_second: bool) -> Callable[..., float | None]:
    def function(samples: Samples, begin: float, to: float) -> float | None:
        if len(samples.times) < 2:
            return None
        if not per_second:
            return samples.values[-1] - samples.values[-2]
        return (samples.gained[-1] - samples.gained[-2]) / (samples.times[-1] - samples.times[-2])

    return function


def _line(samples: Samples, origin: float) -> tuple[float, float] | None:
    """Slope and value at `origin` of the line through the samples, by least squares."""
    n = len(samples.times)
    if n < 2:
        return None
    xs = [time - origin for time in samples.times]
    mean_x, mean_y = sum(xs) / n, sum(samples.values) / n
    spread = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, samples.values, strict=True)) / spread
    return slope, mean_y - slope * mean_x


def _deriv(samples: Samples, begin: float, to: float) -> float | None:
    line = _line(samples, samples.times[0])
    return line[0] if line else None


def _predict_linear(samples: Samples, begin: float, to: float, ahead: float) -> float | None:
    line = _line(samples, to)
    return line[1] + line[0] * ahead if line else None


def _deviation(values: Sequence[float]) -> float:
    return math.sqrt(_variance(values))


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)


def _over(function: Callable[[list[float]], float]) -> Callable[..., float | None]:
    return lambda samples, begin, to: function(samples.values)


def _round(value: float, nearest: float = 1.0) -> float:
    return math.floor(value / nearest + 0.5) * nearest if math.isfinite(value) else value


def _log(base: float) -> Callable[[float], float]:
    return lambda value: math.log(value, base) if value > 0 else -math.inf if value == 0 else math.nan


def _divided(left: float, right: float) -> float:
    if right:
        return left / right
    return math.nan if math.isnan(right) or left == 0 or math.isnan(left) else math.copysign(math.inf, left)


def _power(left: float, right: float) -> float:
    try:
        result = left**right
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return result if isinstance(result, float) else math.nan


_OVER_RANGE: dict[str, Callable[..., float | None]] = {
    "rate": _extrapolated(counter=True, per_second=True),
    "increase": _extrapolated(counter=True, per_second=False),
    "delta": _extrapolated(counter=False, per_second=False),
    "irate": _between_last_two(per_second=True),
    "idelta": _between_last_two(per_second=False),
    "deriv": _deriv,
    "predict_linear": _predict_linear,
    "avg_over_time": _over(lambda values: sum(values) / len(values)),
    "sum_over_time": _over(math.fsum),
    "min_over_time": _over(min),
    "max_over_time": _over(max),
    "count_over_time": _over(lambda values: float(len(values))),
    "last_over_time": _over(lambda values: values[-1]),
    "present_over_time": _over(lambda values: 1.0),
    "stddev_over_time": _over(_deviation),
    "stdvar_over_time": _over(_variance),
    "changes": _over(lambda values: float(sum(a != b for a, b in pairwise(values)))),
    "resets": _over(lambda values: float(sum(b < a for a, b in pairwise(values)))),
}
_OF_VALUE: dict[str, Callable[..., float]] = {
    "abs": abs,
    "ceil": lambda value: float(math.ceil(value)) if math.isfinite(value) else value,
    "floor": lambda value: float(math.floor(value)) if math.isfinite(value) else value,
    "round": _round,
    "clamp": lambda value, low, high: max(low, min(high, value)),
    "clamp_min": lambda value, low: max(low, value),
    "clamp_max": lambda value, high: min(high, value),
    "exp": lambda value: math.exp(value) if value < 709 else math.inf,
    "ln": _log(math.e),
    "log2": _log(2),
    "log10": _log(10),
    "sgn": lambda value: math.copysign(1.0, value) if value else value,
    "sqrt": lambda value: math.sqrt(value) if value >= 0 else math.nan,
}
_AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "avg": lambda values: math.fsum(values) / len(values),
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
    "group": lambda values: 1.0,
    "stddev": _deviation,
    "stdvar": _variance,
}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divided,
    "%": lambda a, b: math.fmod(a, b) if b else math.nan,
    "^": _power,
    "atan2": math.atan2,
}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}
