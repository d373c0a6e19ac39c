"""Ask a query of an answer's over samples that are made up or recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from curriculum.labs.lab import Lab

if TYPE_CHECKING:
    from curriculum.labs.prometheus_data import Series
    from curriculum.labs.promql import Vector

#: Prometheus takes no samples from the year in which our clocks begin.
_LATER = 1_700_000_000


def asked(lab: Lab, series: Sequence[Series], text: str, at: float) -> Vector | None:
    """What a query answers: by our evaluator, or by Prometheus where only it can tell; None where there is none."""
    from curriculum.labs.prometheus_data import data_of, openmetrics
    from curriculum.labs.promql import Unsupported, query

    try:
        return query(text, data_of(series), at)
    except Unsupported:
        prometheus = lab.backend("prometheus")
        if not prometheus or not prometheus.has_server:
            return None
        with prometheus.server(openmetrics=openmetrics(series, later=_LATER)) as server:
            found: Vector = server.query(text, _LATER + at)
            return found


def shown(answer: Vector) -> str:
    lines = [f"{{{', '.join(f'{k}={v}' for k, v in labels)}}} {value:.4g}" for labels, value in answer.items()]
    return "\n".join(lines[:4])
