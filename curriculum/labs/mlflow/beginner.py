"""Judges of the beginner's exercises: a first run, a fair choice."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from curriculum.errors import AnswerError
from curriculum.labs import judge
from curriculum.labs.backends.mlflow import MLflow
from curriculum.labs.lab import Lab, shortened
from curriculum.labs.mlflow_scene import (
    Logged,
    Record,
    Rows,
    Scene,
    Store,
    logged_params,
    mean_error,
    mean_square,
    parsed,
    same,
    scene,
    strings,
)
from curriculum.outcome import Finding

#: How the starters part the rows: this share is held out.
HELD_OUT = 0.25


# --- mlflow-first-run ---


@judge("mlflow-first-run")
def first_run(lab: Lab) -> Iterator[Finding]:
    params = logged_params(parsed(lab, "train.py"))
    lab.text("data.py")
    typed = {name: ast.unparse(params[name]) for name in ("seed", "rows") if isinstance(params.get(name), ast.Constant)}
    if params:
        yield lab.found("from-variables", not typed, found=listed(typed), fault="typed")
    if mlflow := lab.backend("mlflow"):
        with scene(lab, mlflow) as play:
            run = play.run("train.py")
            store = play.read()
            newest = next(iter(store.of(lab.value("delivery-time"))), None)
            yield _finished(lab, store, newest, "" if run.ok else run.last)
            if newest and newest.status == "FINISHED" and run.ok:
                if not params:
                    yield lab.found("from-variables", True)
                yield from _recorded(lab, play, newest)


def _finished(lab: Lab, store: Store, newest: Record | None, crash: str) -> Finding:
    slug, expected = "finished-run", "FINISHED"
    if crash:
        return lab.found(slug, False, found=crash, expected=expected, fault="crashed", how="real")
    if newest is None:
        elsewhere = sorted({run.experiment for run in store.runs})
        return lab.found(
            slug, False, found=", ".join(elsewhere), expected=lab.value("delivery-time"), fault="none", how="real"
        )
    met = newest.status == "FINISHED"
    return lab.found(slug, met, found=newest.status, expected=expected, fault="failed", how="real")


def _recorded(lab: Lab, play: Scene, run: Record) -> Iterator[Finding]:
    """What the newest run of a first training holds."""
    rows = play.rows()
    expected = {"seed": str(int(lab.number("seed"))), "rows": str(len(rows.y))}
    kept = {name: run.params[name] for name in expected if name in run.params}
    yield lab.found(
        "params",
        kept == expected,
        found=listed(kept),
        expected=listed(expected),
        fault="missing" if len(kept) < len(expected) else "other",
        how="real",
    )
    purpose = run.tags.get("purpose", "").strip()
    fault = "param" if "purpose" in run.params else "missing"
    yield lab.found("purpose", bool(purpose), found=purpose, fault=fault, how="real")
    pickled = any(file.endswith((".pkl", ".pickle", ".joblib")) for file in run.files)
    yield lab.found(
        "model", bool(run.models), found=", ".join(run.files), fault="pickle" if pickled else "missing", how="real"
    )
    if run.models:
        yield _named(lab, run.models, rows.names)
        held_out, learned = play.split(rows, HELD_OUT, seed=int(lab.number("seed")))
        yield _honest(lab, "honest-metric", play, run, held_out, learned)


def _named(lab: Lab, models: list[Logged], names: list[str]) -> Finding:
    """Whether a model's signature names the features."""
    best = max(models, key=lambda model: len(model.names & set(names)))
    return lab.found(
        "signature",
        best.names >= set(names),
        found=", ".join(sorted(best.names)),
        expected=", ".join(names),
        fault="none" if best.inputs is None else "no-names" if not best.names else "some",
        how="real",
    )


def _honest(lab: Lab, slug: str, play: Scene, run: Record, held_out: Rows, learned: Rows) -> Finding:
    """Whether the logged `mae` is what one of the run's models has on the rows that were held out."""
    told = run.metrics.get("mae")
    if told is None:
        return lab.found(slug, False, found=listed(run.metrics), expected="mae", fault="missing", how="real")
    fault, true = "other", math.nan
    for model in run.models:
        predicted = play.predict(model.uri, held_out)
        if predicted is None:
            continue
        true = mean_error(predicted, held_out.y)
        if same(told, true):
            return lab.found(slug, True, found=f"{told:.2f}", how="real")
        fault = _mistaken(play, told, model, predicted, held_out, learned)
    return lab.found(slug, False, found=f"{told:.2f}", expected=f"{true:.2f}", fault=fault, how="real")


def _mistaken(play: Scene, told: float, model: Logged, predicted: list[float], held_out: Rows, learned: Rows) -> str:
    """What a number is instead of the mean absolute error on the rows held out."""
    square = mean_square(predicted, held_out.y)
    if same(told, square) or same(told, math.sqrt(square)):
        return "squared"
    by_heart = play.predict(model.uri, learned)
    if by_heart is not None and same(told, mean_error(by_heart, learned.y)):
        return "training-rows"
    return "other"


def listed(values: Mapping[Any, object]) -> str:
    """A mapping as a finding shows it."""
    return ", ".join(f"{name}={value}" for name, value in values.items())


# --- mlflow-choose-best ---

#: Runs that can be compared: model, mean absolute error, milliseconds. Neither the first, the last nor the one that
#: comes first as text is the best.
_COMPARABLE = (
    ("linear", 3.28, 1.1),
    ("average", 12.95, 0.2),
    ("neighbors", 10.2, 2.4),
    ("by-hour", 2.61, 3.0),
    ("ridge", 3.31, 1.0),
)
_MONTH, _QUIET_MONTH = "2026-10", "2026-07"


@judge("mlflow-choose-best")
def choose_best(lab: Lab) -> Iterator[Finding]:
    ids = [text for text, _ in strings(parsed(lab, "choose.py")) if re.search(r"\b[0-9a-f]{32}\b", text)]
    yield lab.found("no-typed-id", not ids, found=", ".join(ids), fault="typed")
    mlflow = lab.backend("mlflow")
    if ids or not mlflow:
        return
    # Out of the question for three reasons at once: one that is overlooked makes no difference.
    hopeless = _measured("stacked", 9.9, 99, held_out=_QUIET_MONTH, status="FAILED")
    with _history(lab, mlflow, hopeless) as choice:
        yield from _best(lab, choice)
        if not choice.decided:
            return
        ordered = choice.model == "by-hour"
    yield from _tempted(lab, mlflow, ordered)
    with _history(
        lab, mlflow, _measured("stacked", 1.5, 99, held_out=_QUIET_MONTH, status="FAILED"), alone=True
    ) as choice:
        yield _nobody(lab, choice)


@dataclass(frozen=True)
class _Choice:
    """What a script chose from a history: its decision, the run that it names, and the store as it was left."""

    decision: dict[str, object] | None
    crash: str
    runs: list[Record]
    made: int

    @property
    def decided(self) -> bool:
        return self.decision is not None and "run_id" in self.decision

    @property
    def chosen(self) -> Record | None:
        return next((run for run in self.runs if self.decision and run.id == self.decision.get("run_id")), None)

    @property
    def model(self) -> str:
        return self.chosen.params["model"] if self.chosen else str((self.decision or {}).get("run_id", ""))

    @property
    def marked(self) -> list[Record]:
        return [run for run in self.runs if run.tags.get("decision", "").strip() == "chosen"]


def _measured(
    model: str, mae: float, milliseconds: float, *, held_out: str = _MONTH, status: str = "FINISHED"
) -> dict[str, object]:
    """A run of a history, as `mlflow_child.build` takes it."""
    return {
        "params": {"model": model, "held_out": held_out},
        "metrics": {"mae": mae, "predict_ms": milliseconds},
        "status": status,
    }


@contextmanager
def _history(lab: Lab, mlflow: MLflow, *more: dict[str, object], alone: bool = False) -> Iterator[_Choice]:
    """What the script makes of a history: runs that can be compared, unless there are none, and `more`."""
    runs = [*more[:1], *(() if alone else (_measured(*run) for run in _COMPARABLE)), *more[1:]]
    with scene(lab, mlflow) as play:
        play.build(lab.value("delivery-time"), runs)
        play.remove("decision.json")
        run = play.run("choose.py")
        store = play.read()
        yield _Choice(
            play.data("decision.json"), "" if run.ok else run.last, store.of(lab.value("delivery-time")), len(runs)
        )


def _best(lab: Lab, choice: _Choice) -> Iterator[Finding]:
    """What is decided where only the error decides."""
    if not choice.decided:
        if choice.crash:
            raise AnswerError("answer-fails", file="choose.py", problem=shortened(choice.crash, 200))
        yield lab.found("best", False, fault="no-file", how="real")
        return
    orders = {"ridge": "newest", "average": "highest", "neighbors": "text-order"}
    yield lab.found(
        "best",
        choice.model == "by-hour",
        found=choice.model,
        expected="by-hour",
        fault=orders.get(choice.model, ""),
        how="real",
    )
    if chosen := choice.chosen:
        yield _reported(lab, choice.decision or {}, chosen.metrics["mae"])
        yield _marked(lab, choice, chosen)


def _reported(lab: Lab, decision: dict[str, object], mae: float) -> Finding:
    """Whether the decision is explained by the right numbers, whichever run it names."""
    average = next(error for model, error, _ in _COMPARABLE if model == "average")
    true = {"mae": mae, "compared": len(_COMPARABLE), "gain": average - mae}
    wrong = [name for name in true if not same(decision.get(name), true[name])]
    return lab.found(
        "report",
        not wrong,
        found=listed({name: decision.get(name) for name in true}),
        expected=listed({name: round(value, 2) for name, value in true.items()}),
        fault=wrong[0] if wrong else "",
        how="real",
    )


def _marked(lab: Lab, choice: _Choice, chosen: Record) -> Finding:
    met = [run.id for run in choice.marked] == [chosen.id]
    fault = "new-run" if len(choice.runs) > choice.made else "other-run" if choice.marked else "missing"
    names = ", ".join(run.params.get("model", run.name) for run in choice.marked)
    return lab.found("marked", met, found=names, expected=choice.model, fault=fault, how="real")


def _tempted(lab: Lab, mlflow: MLflow, ordered: bool) -> Iterator[Finding]:
    """Histories in each of which one run looks best that may not be chosen.

    An answer that does not choose by the error at all (not `ordered`) is not blamed for that a second time.
    """
    budget = lab.number("budget")
    temptations = {
        "finished": [_measured("stacked", 1.2, 1, status="FAILED"), _measured("stacked", 1.1, 1, status="RUNNING")],
        "same-rows": [_measured("stacked", 1.9, 1, held_out=_QUIET_MONTH)],
        "in-budget": [_measured("stacked", 1.5, budget + 0.4), _measured("forest", 2.2, budget)],
    }
    faults = {"finished": "unfinished", "same-rows": "other-rows", "in-budget": "over"}
    for criterion, runs in temptations.items():
        with _history(lab, mlflow, *runs) as choice:
            expected = "forest" if criterion == "in-budget" and ordered else ""
            met = choice.model == expected if expected else choice.model != "stacked"
            fault = faults[criterion] if choice.model == "stacked" else "edge"
            yield lab.found(
                criterion, met, found=choice.model or choice.crash, expected=expected, fault=fault, how="real"
            )


def _nobody(lab: Lab, choice: _Choice) -> Finding:
    empty = choice.decided and choice.decision is not None and choice.decision["run_id"] is None
    met = empty and not choice.marked
    fault = "chosen" if choice.chosen or choice.marked else "crashed" if choice.crash else "no-file"
    return lab.found("nobody", met, found=choice.crash or choice.model, expected="null", fault=fault, how="real")
