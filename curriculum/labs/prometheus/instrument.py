"""Judge a program by the metrics that it writes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from curriculum.labs import judge
from curriculum.labs.lab import Lab
from curriculum.labs.prometheus.shared import Sample, read_exposition, run_program
from curriculum.outcome import Finding

#: The numbers of the requests that the starter plays, and how long the eight good ones wait together, in seconds.
_REQUESTS = {f"r-{number}" for number in range(1001, 1011)}
_DISTANCES = {"3.2", "7.5", "-4.0", "1.1", "12.0", "5.4", "9.9", "480.0", "2.7", "6.3"}
_WAITS = {"0.02", "0.01", "0.03", "0.45", "0.12"}


@judge("prometheus-instrument")
def instrument(lab: Lab) -> Iterator[Finding]:
    text = lab.text("metrics.py")
    if not lab.live or lab.package("prometheus_client") is None:
        return
    with lab.scratch() as folder:
        shown = folder / "metrics.prom"
        shown.unlink(missing_ok=True)
        run_program(lab, folder, "metrics.py", timeout=30)
        if not shown.is_file():
            yield lab.found("types", False, fault="no-file")
            return
        samples = read_exposition(shown.read_text(encoding="utf-8"))
    counted = [sample for sample in samples if sample.name == "predictions_total"]
    buckets = [sample for sample in samples if sample.name == "prediction_seconds_bucket"]
    spent = sum(sample.value for sample in samples if sample.name == "prediction_seconds_sum")
    observed = sum(sample.value for sample in samples if sample.name == "prediction_seconds_count")
    kinds = {sample.name: sample.kind for sample in samples}
    count_kind, seconds_kind = kinds.get("predictions_total", ""), kinds.get("prediction_seconds_count", "")
    fault = "gauge" if count_kind == "gauge" else "summary" if seconds_kind == "summary" else ""
    if not seconds_kind and "prediction_seconds" in text:
        fault = fault or "other-registry"
    yield lab.found(
        "types",
        count_kind == "counter" and seconds_kind == "histogram",
        found=f"predictions_total: {count_kind or '-'}, prediction_seconds: {seconds_kind or '-'}",
        expected="predictions_total: counter, prediction_seconds: histogram",
        fault=fault,
        how="real",
    )
    if counted:
        total = sum(sample.value for sample in counted)
        yield lab.found(
            "failures-counted",
            total == 10,
            found=f"{total:g}",
            expected="10",
            fault="only-successes" if total == 8 else "twice" if total > 10 else "",
            how="real",
        )
        words = {sample.labels.get("outcome", "") for sample in counted}
        yield lab.found(
            "outcome-label",
            words <= {"ok", "error"},
            found=", ".join(sorted(word or "-" for word in words)),
            expected="ok, error",
            fault="no-label" if words == {""} else "other-words",
            how="real",
        )
    if counted or buckets:
        yield _bounded(lab, samples)
    if seconds_kind in ("histogram", "summary"):
        fault = "milliseconds" if spent > 100 else "unused" if observed < 8 else "arithmetic-only"
        good = 0.65 <= spent <= 5 and 8 <= observed <= 10
        yield lab.found("seconds", good, found=f"count {observed:g}, sum {spent:.2f}", fault=fault, how="real")
    if buckets:
        bounds = sorted({float(sample.labels["le"]) for sample in buckets})
        wanted = lab.number("budget")
        fault = "milliseconds" if 1000 * wanted in bounds else "defaults" if 0.005 in bounds and 7.5 in bounds else ""
        shown_bounds = ", ".join(f"{bound:g}" for bound in bounds)
        yield lab.found(
            "budget-bucket", wanted in bounds, found=shown_bounds, expected=f"{wanted:g}", fault=fault, how="real"
        )


def _bounded(lab: Lab, samples: list[Sample]) -> Finding:
    """No label differs from request to request."""
    values = defaultdict[str, set[str]](set)
    for sample in samples:
        for name, value in sample.labels.items():
            if name != "le":
                values[name].add(value)
    for name, seen in values.items():
        numbers = len({_plain(value) for value in seen} & {_plain(value) for value in _DISTANCES | _WAITS})
        ids = any(number in value or number.removeprefix("r-") == value for value in seen for number in _REQUESTS)
        if ids or numbers >= 4:
            found = f"{name}: {', '.join(sorted(seen))}"
            return lab.found("bounded-labels", False, found=found, fault="id" if ids else "number", how="real")
    return lab.found("bounded-labels", True, found=", ".join(sorted(values)), how="real")


def _plain(value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        return value
    return f"{number:g}" if math.isfinite(number) else value
