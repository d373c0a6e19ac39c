"""The samples that exercises hand out, and others like them that nobody sees. Pure.

They are made by a rule from a seed. Seed 0 is what the given files hold; a judge asks a query over another seed too, so
that a number read off the first is no answer.
"""

from __future__ import annotations

import math
import random
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
