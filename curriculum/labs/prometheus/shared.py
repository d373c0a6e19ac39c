"""What several of the judges of Prometheus ask for: files, programs, and how numbers are shown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum.errors import AnswerError
from curriculum.labs import prometheus_config as scrape
from curriculum.labs.lab import Lab
from curriculum.labs.promql import Vector


def read_mapping(lab: Lab, file: str) -> dict[str, Any]:
    """The one mapping of a YAML file, without the fields that hold nothing. Raises AnswerError."""
    documents = lab.yaml(file)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise AnswerError("answer-syntax", file=file, line=1, problem="expected one mapping")
    kept = scrape.without_nulls(documents[0])
    assert isinstance(kept, dict)
    return kept


@dataclass(frozen=True)
class Sample:
    """One line of an exposition, with its metric and the type of that."""

    family: str
    kind: str
    name: str
    labels: Mapping[str, str]
    value: float


def read_exposition(text: str) -> list[Sample]:
    """The lines of a text as /metrics shows it. Raises ValueError."""
    from prometheus_client import parser

    read: Any = parser.text_string_to_metric_families
    return [
        Sample(family.name, family.type, sample.name, sample.labels, float(sample.value))
        for family in read(text)
        for sample in family.samples
    ]


def run_program(lab: Lab, folder: Path, file: str, *arguments: str, timeout: float = 60, **env: str) -> None:
    """Run a program of the answer to a good end. Raises AnswerError."""
    run = lab.python(file, *arguments, folder=folder, timeout=timeout, **env)
    if run.code is None:
        raise AnswerError("answer-too-long", seconds=round(timeout))
    if not run.ok:
        raise AnswerError("answer-fails", file=file, problem=run.last[:300])


def listed(parts: Iterable[str]) -> str:
    return ", ".join(sorted(part or "-" for part in parts)) or "-"


def close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9) or (math.isnan(one) and math.isnan(other))


def shown(vector: Vector, names: tuple[str, ...] | None = None) -> str:
    """A result as a query window shows it, cut after some lines."""
    lines = []
    for labels, value in sorted(vector.items()):
        known = {name: text for name, text in labels if not names or name in names}
        metric = known.pop("__name__", "")
        inside = "{" + ", ".join(f'{name}="{text}"' for name, text in known.items()) + "}" if known else ""
        lines.append(f"{metric}{inside} {value:.6g}".strip())
    return "\n".join([*lines[:6], f"… ({len(lines)})"] if len(lines) > 6 else lines) or "{}"
