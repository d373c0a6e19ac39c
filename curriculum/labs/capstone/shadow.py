"""What the shadow says of a model's candidates: the log, the team's rule, and logs made up to try a script on. Pure."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: The version in use, and the largest share of rows in which a candidate may give no answer.
IN_USE, MOST_FAILURES = "4", 0.005
#: This share of the answers has to come in time.
IN_TIME = 0.95
REASONS = ("failures", "slow", "worse", "slice")

Row = Mapping[str, str]


def slices(rain: str) -> list[Callable[[Row], bool]]:
    """The five slices; `rain` is what the story calls the feature that is 0 or 1."""
    return [
        lambda row: row[rain] == "0",
        lambda row: row[rain] == "1",
        lambda row: int(row["hour"]) < 11,
        lambda row: 11 <= int(row["hour"]) <= 16,
        lambda row: int(row["hour"]) >= 17,
    ]


@dataclass(frozen=True)
class Rule:
    """The team's rule, with the numbers that differ from learner to learner."""

    budget_ms: float
    margin: float
    rain: str

    def decision(self, text: str) -> tuple[str | None, dict[str, set[str]]]:
        """The version to release, or None, and the reasons against each that is refused. Raises ValueError, KeyError."""
        everything = list(csv.DictReader(io.StringIO(text)))
        rows = [row for row in everything if row["truth"]]
        versions = [name[1:] for name in everything[0] if name.startswith("v") and name[1:].isdecimal()]
        against = {version: self._reasons(version, rows) for version in versions if version != IN_USE}
        fit = [version for version, reasons in against.items() if not reasons]
        best = min(fit, key=lambda version: _error(rows, version), default=None)
        return best, {version: reasons for version, reasons in against.items() if reasons}

    def _reasons(self, version: str, rows: Sequence[Row]) -> set[str]:
        times = [float(row[f"ms{version}"]) for row in rows if row[f"v{version}"]]
        holds = {
            "failures": len(rows) - len(times) > MOST_FAILURES * len(rows),
            "slow": sum(ms <= self.budget_ms for ms in times) < IN_TIME * len(times),
            "worse": _error(rows, version) > _error(rows, IN_USE),
            "slice": any(self._worse_there(part, version, rows) for part in slices(self.rain)),
        }
        return {reason for reason, holds_here in holds.items() if holds_here}

    def _worse_there(self, part: Callable[[Row], bool], version: str, rows: Sequence[Row]) -> bool:
        there = [row for row in rows if part(row)]
        return _error(there, version) - _error(there, IN_USE) > self.margin


def _error(rows: Sequence[Row], version: str) -> float:
    off = [abs(float(row[f"v{version}"]) - float(row["truth"])) for row in rows if row[f"v{version}"]]
    return sum(off) / len(off) if off else 0.0


#: By how much a version is off in a row, and how many milliseconds it takes: None for no answer.
Answer = Callable[[int, Row], tuple[float, float] | None]


def steady(off: float, ms: float = 6.0) -> Answer:
    """A version that is always equally good."""
    return lambda number, row: (off, ms)


def log(rain: str, versions: Mapping[str, Answer], *, unknown: int = 0, rows: int = 400, seed: int = 1) -> str:
    """A shadow log: every `unknown`-th row has no truth yet. Version 4 is off by 3 and takes 5 ms."""
    draw = random.Random(seed)
    everyone = {IN_USE: steady(3.0, 5.0), **versions}
    names = ["id", "hour", rain, "truth", *(f"{kind}{version}" for version in everyone for kind in ("v", "ms"))]
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for number in range(rows):
        truth = round(draw.uniform(15, 80), 1)
        row = {"id": str(2000 + number), "hour": str(8 + number % 14), rain: "1" if number % 10 < 3 else "0"}
        row["truth"] = "" if unknown and number % unknown == 0 else f"{truth:.1f}"
        for version, answer in everyone.items():
            given = answer(number, row)
            sign = 1 if draw.random() < 0.5 else -1
            row[f"v{version}"] = "" if given is None else f"{truth + sign * given[0]:.2f}"
            row[f"ms{version}"] = "" if given is None else f"{given[1]:.1f}"
        writer.writerow(row)
    return out.getvalue()
