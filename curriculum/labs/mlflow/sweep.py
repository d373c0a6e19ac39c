"""The judge of `mlflow-sweep-and-evaluate`: a sweep is run, and every number is measured again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from curriculum.labs import judge
from curriculum.labs.lab import Lab
from curriculum.labs.mlflow.beginner import listed
from curriculum.labs.mlflow_scene import Record, Scene, Store, parsed, same, scene
from curriculum.outcome import Finding

_SETTINGS = (1, 3, 5, 9, 20, 60)
#: How the starter parts the rows: first those for the last test, then those that settings are compared on.
_TEST, _VALIDATION = 0.2, 0.25


@judge("mlflow-sweep-and-evaluate")
def sweep(lab: Lab) -> Iterator[Finding]:
    parsed(lab, "sweep.py")
    if mlflow := lab.backend("mlflow"):
        with scene(lab, mlflow) as play:
            play.finish("sweep.py")
            family = _Family(play.read(), lab.value("delivery-time"))
            yield family.found(lab)
            if not family.whole:
                return
            errors = _measured(lab, play)
            yield _errors(lab, family, errors)
            yield from _chosen(lab, family, errors)
            yield _table(lab, play, family, "table")
            # The next night: other rows, the same store.
            play.write("data.py", lab.text("data.py") + _NEXT_NIGHT)
            play.finish("sweep.py")
            yield _own(lab, play, chose=family.chose_best)


_NEXT_NIGHT = """

_before = make


def make(rows=400, seed=7):
    return _before(rows, seed + 1000)
"""


class _Family:
    """The newest parent of an experiment and its children."""

    def __init__(self, store: Store, experiment: str) -> None:
        runs = store.of(experiment)
        parents = [run for run in runs if any(other.parent == run.id for other in runs)]
        self.runs = runs
        self.parent: Record | None = parents[0] if parents else None
        self.children = [run for run in runs if self.parent and run.parent == self.parent.id]
        self.by_setting = {
            int(run.params["neighbors"]): run for run in self.children if run.params.get("neighbors", "").isdecimal()
        }

    @property
    def whole(self) -> bool:
        return sorted(self.by_setting) == sorted(_SETTINGS) and len(self.children) == len(_SETTINGS)

    @property
    def best(self) -> int:
        """The setting with the lowest error by what the children have logged."""
        return min(self.by_setting, key=lambda setting: self.by_setting[setting].metrics.get("mae", float("inf")))

    @property
    def chose_best(self) -> bool:
        told = self.parent.params.get("best_neighbors", "") if self.parent else ""
        return told.isdecimal() and self.is_best(int(told))

    def is_best(self, setting: int) -> bool:
        """Whether no other setting is better; children may log rounded errors, and so tie."""
        errors = {name: run.metrics.get("mae", float("inf")) for name, run in self.by_setting.items()}
        return setting in errors and (setting == self.best or same(errors[setting], errors[self.best]))

    def found(self, lab: Lab) -> Finding:
        fault = "no-parent" if self.parent is None else "setting" if len(self.children) else "few"
        shown = f"1 + {len(self.children)}: {sorted(self.by_setting)}" if self.parent else f"{len(self.runs)} + 0"
        return lab.found(
            "family",
            self.whole,
            found=shown,
            expected=f"1 + {len(_SETTINGS)}: {sorted(_SETTINGS)}",
            fault=fault,
            how="real",
        )


#: For each setting the error on the rows learned, those compared on, and those kept for the end.
_Errors = dict[int, tuple[float, float, float]]


def _measured(lab: Lab, play: Scene) -> _Errors:
    rows = play.rows()
    test, validation, learned = play.split(rows, _TEST, _VALIDATION, seed=int(lab.number("seed")))
    parts = [{"X": part.X, "y": part.y} for part in (learned, validation, test)]
    errors = play.ask("neighbors", names=rows.names, parts=parts, settings=list(_SETTINGS))
    return {setting: (a, b, c) for setting, (a, b, c) in zip(_SETTINGS, errors, strict=True)}


def _errors(lab: Lab, family: _Family, errors: _Errors) -> Finding:
    """Whether each child's `mae` is that of its setting on the rows for comparing."""
    told = {setting: run.metrics.get("mae") for setting, run in family.by_setting.items()}
    wrong = [setting for setting in _SETTINGS if not same(told[setting], errors[setting][1])]
    fault = "other"
    if None in told.values():
        fault = "missing"
    elif all(same(told[setting], errors[setting][0]) for setting in _SETTINGS):
        fault = "training-rows"
    elif all(same(told[setting], errors[setting][2]) for setting in _SETTINGS):
        fault = "test-rows"
    shown = wrong[0] if wrong else _SETTINGS[0]
    return lab.found(
        "same-rows",
        not wrong,
        found=f"neighbors={shown}: {told[shown]}",
        expected=f"{errors[shown][1]:.2f}",
        fault=fault,
        how="real",
    )


def _chosen(lab: Lab, family: _Family, errors: _Errors) -> Iterator[Finding]:
    """Whether the parent names the best by its children's numbers, and its error on the rows kept for the end."""
    assert family.parent is not None
    told = family.parent.params.get("best_neighbors", "")
    by_mae = sorted(_SETTINGS, key=lambda setting: family.by_setting[setting].metrics.get("mae", float("inf")))
    best = int(told) if told.isdecimal() and int(told) in _SETTINGS else None
    fault = "missing" if best is None else "highest" if best == by_mae[-1] else "other"
    yield lab.found(
        "choice", best is not None and family.is_best(best), found=told, expected=by_mae[0], fault=fault, how="real"
    )
    number = family.parent.metrics.get("test_mae")
    named = best or by_mae[0]
    fault = "missing" if number is None else "validation" if same(number, errors[named][1]) else "other"
    yield lab.found(
        "final",
        same(number, errors[named][2]),
        found=number,
        expected=f"{errors[named][2]:.2f}",
        fault=fault,
        how="real",
    )


def _table(lab: Lab, play: Scene, family: _Family, criterion: str) -> Finding:
    """Whether `sweep.csv` of the parent has a line for each of its children, with the numbers that they logged."""
    lines = _lines(play, family)
    expected = {setting: run.metrics.get("mae") for setting, run in family.by_setting.items()}
    if lines is None:
        files = ", ".join(family.parent.files) if family.parent else ""
        return lab.found(criterion, False, found=files, expected="sweep.csv", fault="missing", how="real")
    met = len(lines) == len(expected) and all(same(error, expected.get(setting) or -1) for setting, error in lines)
    return lab.found(
        criterion,
        met and {setting for setting, _ in lines} == set(expected),
        found=", ".join(f"{setting}={error}" for setting, error in lines[: len(expected) + 1]),
        expected=listed(expected),
        fault="too-many" if len(lines) > len(expected) else "other",
        how="real",
    )


def _lines(play: Scene, family: _Family) -> list[tuple[int, float]] | None:
    if family.parent is None or "sweep.csv" not in family.parent.files:
        return None
    text = play.ask("artifact", path=play.database, run=family.parent.id, file="sweep.csv")
    try:
        return [
            (int(float(line["neighbors"])), float(line["mae"]))
            for line in csv.DictReader(io.StringIO(text), strict=True)
        ]
    except (KeyError, ValueError, TypeError, csv.Error):
        return []


def _own(lab: Lab, play: Scene, *, chose: bool) -> Finding:
    """Whether a second sweep looks at its own children only; its choice counts where the first was right."""
    family = _Family(play.read(), lab.value("delivery-time"))
    if not family.whole:
        return lab.found("own-sweep", False, found=len(family.children), expected=len(_SETTINGS), how="real")
    lines = _lines(play, family) or ()
    told = family.parent.params.get("best_neighbors", "") if family.parent else ""
    return lab.found(
        "own-sweep",
        len(lines) <= len(_SETTINGS) and (family.chose_best or not chose),
        found=f"sweep.csv: {len(lines)}, best_neighbors={told}",
        expected=f"sweep.csv: {len(_SETTINGS)}, best_neighbors={family.best}",
        fault="others",
        how="real",
    )
