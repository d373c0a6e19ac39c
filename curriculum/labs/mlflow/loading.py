"""The judge of `mlflow-log-and-load-model`: one script logs a model, another predicts with nothing but the store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from curriculum.errors import AnswerError
from curriculum.labs import judge
from curriculum.labs.lab import Lab, shortened
from curriculum.labs.mlflow_scene import Record, Rows, Scene, imported, parsed, same, scene
from curriculum.outcome import Finding

_TRAINING = {"train", "data", "sklearn", "pickle", "joblib", "cloudpickle", "skops"}


@judge("mlflow-log-and-load-model")
def log_and_load(lab: Lab) -> Iterator[Finding]:
    parsed(lab, "train.py")
    used = [name for name, _ in imported(parsed(lab, "predict.py")) if name.split(".")[0] in _TRAINING]
    yield lab.found("store-only", not used, found=", ".join(used), fault="imports")
    if mlflow := lab.backend("mlflow"):
        with scene(lab, mlflow) as play:
            rows = play.rows(6, 99)
            play.finish("train.py")
            run = _newest(lab, play)
            if run is None or not run.models:
                files = ", ".join(run.files) if run else ""
                yield lab.found("signature", False, found=files, fault="no-model", how="real")
                return
            yield from _described(lab, run, rows.names)
            yield from _loaded(lab, play, run, rows)


def _newest(lab: Lab, play: Scene) -> Record | None:
    return next((run for run in play.read().of(lab.value("delivery-time")) if run.models), None)


def _described(lab: Lab, run: Record, names: list[str]) -> Iterator[Finding]:
    model = run.models[0]
    met = model.names >= set(names)
    fault = "none" if model.inputs is None else "no-names"
    yield lab.found(
        "signature", met, found=", ".join(sorted(model.names)), expected=", ".join(names), fault=fault, how="real"
    )
    yield lab.found("example", any(model.example for model in run.models), how="real", fault="none")


def _loaded(lab: Lab, play: Scene, run: Record, rows: Rows) -> Iterator[Finding]:
    """What the second script predicts, once the first and its data are gone."""
    train, data = ((play.folder / name).read_text(encoding="utf-8") for name in ("train.py", "data.py"))
    play.remove("train.py", "data.py")
    # As JSON writes them: what is a whole number is written as one.
    plain = [
        {name: int(value) if value.is_integer() else value for name, value in zip(rows.names, row, strict=True)}
        for row in rows.X
    ]
    told, last = _predict(play, plain)
    expected = play.predict(run.models[0].uri, rows)
    if expected is None:
        raise AnswerError("answer-fails", file="train.py", problem=run.models[0].uri)
    met = _equal(told, expected)
    yield lab.found(
        "predicts",
        met,
        found=told if told is not None else shortened(last, 160),
        expected=[round(value, 1) for value in expected],
        fault="no-file" if told is None else "other",
        how="real",
    )
    if not met:
        return
    turned = [{"note": "urgent", **{name: row[name] for name in reversed(row)}} for row in plain]
    told, last = _predict(play, turned)
    yield lab.found(
        "by-name",
        _equal(told, expected),
        found=told if told is not None else shortened(last, 160),
        expected=[round(value, 1) for value in expected],
        fault="order",
        how="real",
    )
    told, last = _predict(play, [{name: row[name] for name in rows.names[:-1]} for row in plain])
    yield lab.found("refuses", told is None, found=told or shortened(last, 160), fault="guessed", how="real")
    # Another training, with other data: the script takes the newer model.
    play.write("train.py", train)
    play.write(
        "data.py",
        data
        + "\n\n_before = make\n\n\ndef make(*args, **more):\n    X, y = _before(*args, **more)\n    return X, [v + 20 for v in y]\n",
    )
    play.finish("train.py")
    newer = _newest(lab, play)
    play.remove("train.py", "data.py")
    told, last = _predict(play, plain)
    expected = play.predict(newer.models[0].uri, rows) if newer else None
    yield lab.found(
        "newest",
        expected is not None and _equal(told, expected),
        found=told if told is not None else shortened(last, 160),
        expected=[round(value, 1) for value in expected or ()],
        fault="older",
        how="real",
    )


def _predict(play: Scene, rows: Sequence[Mapping[str, object]]) -> tuple[list[float] | None, str]:
    """The numbers that predict.py writes for rows, or None, and its last line."""
    play.write("mlflow-rows.json", json.dumps(rows))
    play.remove("predictions.json")
    run = play.run("predict.py")
    try:
        found = json.loads((play.folder / "predictions.json").read_text(encoding="utf-8"))
        return ([float(value) for value in found] if run.ok else None), run.last
    except (OSError, ValueError, TypeError, RecursionError):
        return None, run.last


def _equal(told: list[float] | None, expected: list[float]) -> bool:
    return told is not None and len(told) == len(expected) and all(map(_same, told, expected))


def _same(told: float, true: float) -> bool:
    return same(told, true) or abs(told - true) <= 0.06
