"""The samples that exercises hand out, and others like them that nobody sees. Pure.

They are made by a rule from a seed. Seed 0 is what the given files hold; a judge asks a query over another seed too, so
that a number read off the first is no answer.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from curriculum.labs.promql import Data, labels_of

#: Monday, 6 October 2025, 09:00 UTC.
MONDAY = 1759741200
#: When the queries of `prometheus-first-queries` are asked: not on a sample, where versions of Prometheus disagree.
HOUR_AT = MONDAY + 1207


@dataclass(frozen=True)
class Series:
    """A series and its samples: the time in seconds, and the value."""

    name: str
    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]


def data_of(series: Iterable[Series]) -> Data:
    """The series as our evaluator reads them."""
    data = Data()
    for one in series:
        labels = labels_of({**one.labels, "__name__": one.name})
        for time, value in one.samples:
            data.add(labels, time, value)
    return data


def openmetrics(series: Iterable[Series], *, later: int = 0) -> str:
    """The series as `promtool tsdb create-blocks-from openmetrics` reads them, `later` seconds later."""
    families = defaultdict[str, list[Series]](list)
    for one in series:
        families[one.name].append(one)
    lines = []
    for name in sorted(families):
        # Samples of a histogram or counter may stand apart from each other, so that no type is claimed.
        lines.append(f"# TYPE {name} unknown")
        for one in families[name]:
            inside = ",".join(f'{key}="{value}"' for key, value in one.labels.items())
            lines += [f"{name}{{{inside}}} {value:g} {time + later:.0f}" for time, value in one.samples]
    return "\n".join([*lines, "# EOF"]) + "\n"


def together(*texts: str) -> str:
    """Several OpenMetrics texts as one."""
    blocks = defaultdict[str, list[str]](list)
    for text in texts:
        kind = ""
        for line in text.splitlines():
            if line.startswith("# TYPE"):
                kind = line
            elif not line.startswith("#"):
                blocks[kind].append(line)
    return "\n".join([*(line for kind in sorted(blocks) for line in (kind, *blocks[kind])), "# EOF"]) + "\n"


def _counted(draw: random.Random, times: list[float], a_minute: float, restart: float | None) -> list[float]:
    """A counter that gains about `a_minute` from one time to the next, and may be restarted."""
    total = float(round(a_minute * draw.uniform(20, 40)))
    found = []
    for time in times:
        total = 0.0 if time == restart else total
        total += max(0, round(draw.gauss(a_minute, math.sqrt(a_minute) / 2)))
        found.append(total)
    return found


def _observed(
    draw: random.Random, times: list[float], a_minute: float, typical: float, bounds: list[float], restart: float | None
) -> dict[str, list[float]]:
    """A histogram's series by suffix: bucket bounds as text, `count`, `sum`."""
    counts, spent = dict.fromkeys([*bounds, math.inf], 0.0), 0.0
    for bound in counts:
        counts[bound] = 400.0 if bound >= 4 * typical else 150.0 if bound >= typical else 20.0
    spent = 400 * typical
    found = defaultdict[str, list[float]](list)
    for time in times:
        if time == restart:
            counts, spent = dict.fromkeys(counts, 0.0), 0.0
        for _ in range(round(draw.gauss(a_minute, 2))):
            seconds = typical * draw.lognormvariate(0, 0.5)
            spent += seconds
            for bound in counts:
                counts[bound] += seconds <= bound
        for bound, count in counts.items():
            found["+Inf" if math.isinf(bound) else f"{bound:g}"].append(count)
        found["count"].append(counts[math.inf])
        found["sum"].append(round(spent, 2))
    return found


def _zipped(times: list[float], values: list[float]) -> tuple[tuple[float, float], ...]:
    return tuple(zip(times, values, strict=True))


def hour(seed: int, *, job: str = "delivery-time", rain: str = "rain") -> list[Series]:
    """Twenty minutes of a service in several copies: one is busy, one slow and restarted, one goes away."""
    draw = random.Random(seed)
    names = ["a", "b", "c"] if seed == 0 else ["k", "l", "m", "n"]
    times = [float(MONDAY + 60 * n) for n in range(21)]
    found = []
    for place, name in enumerate(names):
        labels = {"job": job, "instance": f"{name}:8000"}
        restart = times[14] if place == 1 else None
        ends = 17 if place == 2 else 21
        busy, typical = (90.0, 0.09) if place == 0 else (20.0 + 6 * place, 0.25 + 0.02 * place)
        for wet, outcome, share in (
            ("false", "ok", 0.7),
            ("true", "ok", 0.25),
            ("false", "error", 0.01),
            ("true", "error", 0.04 if place == 0 else 0.16),
        ):
            values = _counted(draw, times, busy * share + 1, restart)
            shown = _zipped(times[:ends], values[:ends])
            found.append(Series("predictions_total", {**labels, rain: wet, "outcome": outcome}, shown))
        histogram = _observed(draw, times, busy, typical, [0.1, 0.2, 0.4, 0.8], restart)
        for suffix, values in histogram.items():
            whole = suffix in ("count", "sum")
            series_name = f"prediction_seconds_{suffix if whole else 'bucket'}"
            own = labels if whole else {**labels, "le": suffix}
            found.append(Series(series_name, own, _zipped(times[:ends], values[:ends])))
        found.append(Series("up", labels, _zipped(times, [1.0 if n < ends else 0.0 for n in range(21)])))
    return found


# --- prometheus-model-quality ---

#: Where the bins of each feature end. No value ever lies on such an end.
_EDGES = {
    "distance_km": [2.25, 4.25, 6.25, 8.25, 10.25, 12.25, 14.25, 16.25, 18.25],
    "hour": [9.5, 11.5, 13.5, 15.5, 17.5, 19.5],
    "rain": [0.5],
    "stops": [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5],
}
FEATURES = tuple(_EDGES)
#: What a share of 0 counts as in a drift, which would be endless otherwise.
LEAST_SHARE = 0.0001


@dataclass(frozen=True)
class Prediction:
    """One prediction of a model, and what came of it; None while nobody knows."""

    model: str
    features: tuple[float, ...]
    predicted: float
    actual: float | None


def _features(draw: random.Random, *, moved: bool = False, wet: float = 0.3) -> tuple[float, ...]:
    stops = draw.randint(1, 8)
    if moved:
        stops = min(stops, draw.randint(1, 8))
    return (round(draw.uniform(0.5, 20.0), 1), float(draw.randrange(8, 22)), float(draw.random() < wet), float(stops))


def binned(values: Iterable[float], edges: list[float]) -> list[float]:
    """The share of the values in each bin."""
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[bisect_left(edges, value)] += 1
    total = sum(counts) or 1
    return [count / total for count in counts]


def reference() -> dict[str, dict[str, list[float]]]:
    """How the features were distributed when the model was trained: the ends of the bins, and the shares in them."""
    draw = random.Random(7)
    rows = [_features(draw) for _ in range(2000)]
    found = {}
    for place, (name, edges) in enumerate(_EDGES.items()):
        shares = binned((row[place] for row in rows), edges)
        found[name] = {"edges": edges, "shares": [round(share, 4) for share in shares]}
    return found


def psi(values: Iterable[float], edges: list[float], shares: list[float]) -> float:
    """The population stability index of the values against the shares of the reference."""
    now = [max(share, LEAST_SHARE) for share in binned(values, edges)]
    return sum((new - old) * math.log(new / old) for new, old in zip(now, shares, strict=True))


def predictions(seed: int, *, models: tuple[str, ...] = ("7", "8"), dry: bool = False) -> list[Prediction]:
    """A day of predictions. One feature has moved away from the reference; the second model is wrong more often."""
    draw = random.Random(100 + seed)
    found = []
    for _ in range(240 if seed == 0 else 180):
        place = int(draw.random() < 0.35) if len(models) > 1 else 0
        features = _features(draw, moved=True, wet=0.0 if dry else 0.3)
        distance, hour, wet, stops = features
        truth = 8 + 2.4 * distance + 5 * wet + 3.5 * stops + (6 if hour in (8, 9, 17, 18, 19) else 0)
        spread = 3.0 if place == 0 else 9.0
        predicted = round(truth + draw.gauss(-2.0 if place else 0.5, spread), 1)
        known = draw.random() < (0.8 if place == 0 else 0.6)
        found.append(Prediction(models[place], features, predicted, round(truth, 1) if known else None))
    return found


def predictions_csv(rows: Iterable[Prediction], names: Iterable[str] = FEATURES) -> str:
    """Predictions as a table; what is not known yet is left empty."""
    lines = [",".join(["model", *names, "predicted", "actual"])]
    for row in rows:
        features = [f"{row.features[0]:.1f}", *(f"{value:.0f}" for value in row.features[1:])]
        actual = "" if row.actual is None else f"{row.actual:.1f}"
        lines.append(",".join([row.model, *features, f"{row.predicted:.1f}", actual]))
    return "\n".join(lines) + "\n"


# --- prometheus-cardinality-and-incident ---

#: When the queries about the incident are asked.
INCIDENT_AT = MONDAY + 3607
#: The metric, and its label, that cost the most series.
RUNAWAY = ("prediction_request_seconds", "request_id")
_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(frozen=True)
class _Copy:
    name: str
    version: str
    typical: float
    stragglers: float
    traced: bool = False


def _copies(seed: int) -> tuple[list[_Copy], str]:
    """The copies of the service, and the version that breaks the promise on the slowest requests.

    The newest version is a little slower for all, and shows a series for each request; a middle one is quick for nearly
    all, and very slow for a few.
    """
    old, guilty, new = ("1.8", "1.9", "2.0") if seed == 0 else ("3.4", "3.5", "3.6")
    names = "abcde" if seed == 0 else "pqrst"
    found = [_Copy(names[0], old, 0.12, 0.0), _Copy(names[1], old, 0.12, 0.0)]
    found += [_Copy(names[2], guilty, 0.07, 0.03), _Copy(names[3], guilty, 0.07, 0.03)]
    return [*found, _Copy(names[4], new, 0.3, 0.0, traced=True)], guilty


def guilty_version(seed: int = 0) -> str:
    return _copies(seed)[1]


def incident(seed: int, *, job: str = "delivery-time", traced: int = 120) -> list[Series]:
    """An hour of a service in three versions, one sample every five minutes."""
    draw = random.Random(200 + seed)
    times = [float(MONDAY + 300 * n) for n in range(13)]
    found = []
    for copy in _copies(seed)[0]:
        labels = {"job": job, "instance": f"{copy.name}:8000"}
        counts = {bound: 300.0 if bound >= 4 * copy.typical else 120.0 for bound in (*_BOUNDS, math.inf)}
        spent, shown = 300 * copy.typical, defaultdict[str, list[float]](list)
        for _ in times:
            for _ in range(draw.randint(70, 90)):
                late = draw.random() < copy.stragglers
                seconds = draw.uniform(1.2, 2.4) if late else copy.typical * draw.lognormvariate(0, 0.35)
                spent += seconds
                for bound in counts:
                    counts[bound] += seconds <= bound
            for bound, count in counts.items():
                shown["+Inf" if math.isinf(bound) else str(bound)].append(count)
            shown["count"].append(counts[math.inf])
            shown["sum"].append(round(spent, 2))
        for suffix, values in shown.items():
            whole = suffix in ("count", "sum")
            name = f"prediction_seconds_{suffix if whole else 'bucket'}"
            found.append(Series(name, labels if whole else {**labels, "le": suffix}, _zipped(times, values)))
        for outcome, a_step in (("ok", 79.0), ("error", 1.5)):
            values = _counted(draw, times, a_step, None)
            found.append(Series("predictions_total", {**labels, "outcome": outcome}, _zipped(times, values)))
        built = {**labels, "version": copy.version}
        found.append(Series("prediction_build_info", built, tuple((time, 1.0) for time in times)))
        for number in range(traced if copy.traced else 0):
            request = {**labels, RUNAWAY[1]: f"r-{seed}{number:05d}"}
            seconds = round(copy.typical * draw.lognormvariate(0, 0.35), 3)
            found.append(Series(RUNAWAY[0], request, ((times[-1], seconds),)))
    return found


def page(seed: int, *, traced: int = 400) -> list[Series]:
    """What the newest version shows at /metrics: no `job`, no `instance`, one sample for each series."""
    newest = _copies(seed)[0][-1]
    return [
        Series(one.name, {k: v for k, v in one.labels.items() if k not in ("job", "instance")}, one.samples[-1:])
        for one in incident(seed, traced=traced)
        if one.labels["instance"] == f"{newest.name}:8000"
    ]


def exposition(series: Iterable[Series]) -> str:
    """The last value of each series as the text of /metrics."""
    lines = []
    for one in series:
        inside = ",".join(f'{key}="{value}"' for key, value in one.labels.items())
        lines.append(f"{one.name}{{{inside}}} {one.samples[-1][1]:g}")
    return "\n".join(lines) + "\n"
