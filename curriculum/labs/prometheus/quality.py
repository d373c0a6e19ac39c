"""Judge a program that measures a model, and the alerts on what it shows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from curriculum.errors import AnswerError
from curriculum.labs import judge, prometheus_data
from curriculum.labs.lab import Lab
from curriculum.labs.prometheus.rules import Play, read_rules
from curriculum.labs.prometheus.shared import Sample, read_exposition
from curriculum.labs.prometheus_play import Moment, Situation, firing
from curriculum.outcome import Finding


@judge("prometheus-model-quality")
def model_quality(lab: Lab) -> Iterator[Finding]:
    lab.text("quality.py")
    prometheus = lab.backend("prometheus")
    read_rules(lab, "rules.yml")
    if lab.live and lab.package("prometheus_client") is not None:
        yield from _measured(lab)
    play = Play(lab, lab.text("rules.yml"), prometheus)
    error = f"model_mean_absolute_error_{lab.value('minutes')}"
    limit, where = lab.number("limit"), 'job="node", instance="batch:9100"'

    def models(bad: str, judged: int = 200) -> dict[str, str]:
        """Two models, of which one is wrong by `bad`; only so many of its predictions have been judged."""
        return {
            f'{error}{{{where}, model="7"}}': f"{limit / 2}x400",
            f'model_predictions_judged{{{where}, model="7"}}': "400x400",
            f'model_predictions_waiting{{{where}, model="7"}}': "20x400",
            f'{error}{{{where}, model="8"}}': bad,
            f'model_predictions_judged{{{where}, model="8"}}': f"{judged}x400",
            f'model_predictions_waiting{{{where}, model="8"}}': "20x400",
        }

    def situation(series: Mapping[str, str], *moments: Moment) -> Situation:
        return Situation(series, moments, interval="4m", step="4m")

    def fires(alert: str, **labels: str) -> str:
        return firing(alertname=alert, **labels)

    def shows(alert: str) -> str:
        return f'ALERTS{{alertname="{alert}"}}'

    high, drift, stale = "ModelErrorHigh", "FeatureDrift", "ModelQualityStale"
    wrong, thin = models(f"{limit + 1}x400"), models(f"{limit + 5}x400", judged=12)
    blip = models(f"{limit - 1}x14 {limit + 3}x6 {limit - 1}x300")
    moved = {
        f'feature_drift_psi{{{where}, feature="{lab.value("stops")}"}}': "0.4x400",
        f'feature_drift_psi{{{where}, feature="hour"}}': "0.15x400",
    }
    hourly = " ".join(f"{3600 * hour}x14" for hour in range(3))
    last = f"model_quality_last_run_timestamp_seconds{{{where}}}"
    stopped = {last: f"{hourly} {3 * 3600}x400"}
    yield from play.judged(
        {
            "error-alert": {
                "deaf": situation(wrong, Moment("2h", fires(high), shows=shows(high))),
                "no-model": situation(wrong, Moment("2h", fires(high, model="8"), shows=shows(high))),
                "other-model": situation(wrong, Moment("2h", fires(high, model="7"), False)),
                "below": situation(models(f"{limit - 0.5}x400"), Moment("3h", fires(high), False)),
                "hasty": situation(blip, *(Moment(at, fires(high), False) for at in ("1h12m", "1h24m", "2h"))),
            },
            "thin": {"jumpy": situation(thin, Moment("3h", fires(high, model="8"), False))},
            "drift-alert": {
                "deaf": situation(moved, Moment("2h", fires(drift), shows=shows(drift))),
                "no-feature": situation(
                    moved, Moment("2h", fires(drift, feature=lab.value("stops")), shows=shows(drift))
                ),
                "jumpy": situation(moved, Moment("2h", fires(drift, feature="hour"), False)),
            },
            "stale": {
                "jumpy": situation(stopped, Moment("1h28m", fires(stale), False), Moment("5h28m", fires(stale), False)),
                "deaf": situation(stopped, Moment("7h", fires(stale), shows=shows(stale))),
                "never": situation({f"up{{{where}}}": "1x400"}, Moment("4h", fires(stale), shows=shows(stale))),
            },
        }
    )


def _measured(lab: Lab) -> Iterator[Finding]:
    """What the program says of days that nobody has seen."""
    names = [lab.value(name) if name != "hour" else name for name in prometheus_data.FEATURES]
    unit, reference = lab.value("minutes"), prometheus_data.reference()
    error_name = f"model_mean_absolute_error_{unit}"
    day = prometheus_data.predictions(1)
    first = [replace(row, actual=None) for row in prometheus_data.predictions(2, models=("9",), dry=True)[:60]]
    with lab.scratch() as folder:
        told = {name: reference[own] for name, own in zip(names, prometheus_data.FEATURES, strict=True)}
        (folder / "prom-reference.json").write_text(json.dumps(told), encoding="utf-8")

        def run(rows: list[prometheus_data.Prediction]) -> list[Sample] | str:
            """What the program writes about predictions, or how it fails."""
            (folder / "day.csv").write_text(prometheus_data.predictions_csv(rows, names), encoding="utf-8")
            (folder / "day.prom").unlink(missing_ok=True)
            ended = lab.python("quality.py", "day.csv", "day.prom", folder=folder, timeout=30)
            if not ended.ok or not (folder / "day.prom").is_file():
                return ended.last or "day.prom: -"
            try:
                return read_exposition((folder / "day.prom").read_text(encoding="utf-8"))
            except ValueError as error:
                return str(error)

        samples, beginning = run(day), run(first)
    if isinstance(samples, str):
        raise AnswerError("answer-fails", file="quality.py", problem=samples)
    errors = _by(samples, error_name, "model")
    differences = {
        model: [row.predicted - row.actual for row in day if row.model == model and row.actual is not None]
        for model in ("7", "8")
    }
    right = {model: sum(map(abs, rows)) / len(rows) for model, rows in differences.items()}
    everything = [abs(row.predicted - (row.actual or 0)) for row in day if row.model == "7"]
    others = {
        "signed": sum(differences["7"]) / len(differences["7"]),
        "squared": math.sqrt(sum(one * one for one in differences["7"]) / len(differences["7"])),
        "missing-as-zero": sum(everything) / len(everything),
        "all-rows": sum(map(abs, differences["7"])) / len(everything),
    }
    told_of_7 = errors.get("7", math.nan)
    fault = next(
        (name for name, value in others.items() if math.isclose(abs(told_of_7), abs(value), rel_tol=0.002)), ""
    )
    yield lab.found(
        "error",
        _alike(errors, right),
        found=_labelled(errors),
        expected=_labelled(right),
        fault=fault or ("no-model" if not errors else ""),
        how="real",
    )
    judged = {model: float(len(rows)) for model, rows in differences.items()}
    waiting = {model: float(sum(row.model == model and row.actual is None for row in day)) for model in ("7", "8")}
    told_judged, told_waiting = (_by(samples, f"model_predictions_{kind}", "model") for kind in ("judged", "waiting"))
    yield lab.found(
        "waiting",
        _alike(told_judged, judged) and _alike(told_waiting, waiting),
        found=f"judged: {_labelled(told_judged)}\nwaiting: {_labelled(told_waiting)}",
        expected=f"judged: {_labelled(judged)}\nwaiting: {_labelled(waiting)}",
        fault="missing" if not told_judged or not told_waiting else "all-rows" if told_judged != judged else "",
        how="real",
    )
    drifts = _by(samples, "feature_drift_psi", "feature")
    wanted = {
        name: prometheus_data.psi([row.features[place] for row in day], **reference[own])
        for place, (name, own) in enumerate(zip(names, prometheus_data.FEATURES, strict=True))
    }
    scaled = {name: value / math.log(10) for name, value in wanted.items()}
    fault = "no-feature" if not {*wanted} <= {*drifts} else "log10" if _alike(drifts, scaled) else "other"
    yield lab.found(
        "drift",
        _alike({name: value for name, value in drifts.items() if name in wanted}, wanted),
        found=_labelled(drifts),
        expected=_labelled(wanted),
        fault=fault,
        how="real",
    )
    if isinstance(beginning, str):
        yield lab.found("first-hour", False, found=beginning, fault="crash", how="real")
        return
    early = _by(beginning, error_name, "model").get("9")
    finite = [value for value in _by(beginning, "feature_drift_psi", "feature").values() if math.isfinite(value)]
    invented = early is not None and not math.isnan(early)
    yield lab.found(
        "first-hour",
        len(finite) >= len(wanted) and not invented,
        found=_labelled(
            _by(beginning, error_name, "model") if invented else _by(beginning, "feature_drift_psi", "feature")
        ),
        fault="invented" if invented else "infinite",
        how="real",
    )


def _by(samples: Iterable[Sample], name: str, label: str) -> dict[str, float]:
    """The values of a metric by one of its labels."""
    return {sample.labels[label]: sample.value for sample in samples if sample.name == name and label in sample.labels}


def _alike(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    close = (
        math.isclose(one.get(name, math.nan), value, rel_tol=0.002, abs_tol=0.002) for name, value in other.items()
    )
    return one.keys() == other.keys() and all(close)


def _labelled(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in sorted(values.items())) or "-"
