"""The judge of `mlflow-reproduce-a-run`: from a version in use back to its run, its data and its number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from curriculum.errors import AnswerError
from curriculum.labs import judge
from curriculum.labs.lab import Lab, shortened
from curriculum.labs.mlflow.beginner import listed
from curriculum.labs.mlflow_scene import Record, Scene, Store, parsed, same, scene
from curriculum.outcome import Finding

_NAMES = ("rows", "data_seed", "split_seed", "alpha")
#: Settings that no script has as its own, the first ones those of the version in use.
_USED = {"rows": "330", "data_seed": "1203", "split_seed": "1204", "alpha": "900"}
_NEWER = {"rows": "370", "data_seed": "1301", "split_seed": "1302", "alpha": "40"}
#: Other data of the same kind: nothing differs by enough to move an error.
_OTHER_DATA = """

_before = make


def make(*args, **settings):
    features, target = _before(*args, **settings)
    return [[row[0] + 0.01, *row[1:]] for row in features], [value + 0.02 for value in target]
"""


@judge("mlflow-reproduce-a-run")
def reproduce(lab: Lab) -> Iterator[Finding]:
    for file in ("train.py", "reproduce.py"):
        parsed(lab, file)
    data = lab.text("data.py")
    if mlflow := lab.backend("mlflow"):
        with scene(lab, mlflow) as play:
            trained = _train(lab, play)
            yield _recorded(lab, play.read(), trained)
            if trained and not _lacking(trained):
                yield from _traced(lab, play, trained, data)


@dataclass(frozen=True)
class _Report:
    """What the script says of the version in use."""

    code: int | None
    last: str
    data: dict[str, Any]

    @property
    def verdict(self) -> str:
        return str(self.data.get("verdict", "")).strip()

    @property
    def told(self) -> str:
        return self.verdict or self.last


def _train(lab: Lab, play: Scene) -> Record | None:
    """Train once with settings that are not the script's own; the run, if there is one."""
    play.finish("train.py", *_arguments(_USED))
    return next(iter(play.read().of(lab.value("delivery-time"))), None)


def _arguments(settings: dict[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", value)]


def _lacking(run: Record) -> list[str]:
    """What a run does not say, or says wrongly."""
    lacking = [name for name in _NAMES if not _equal(run.params.get(name, ""), _USED[name])]
    lacking += [] if "mae" in run.metrics else ["mae"]
    return lacking + ([] if run.data else ["dataset"])


def _equal(told: str, value: str) -> bool:
    try:
        return float(told) == float(value)
    except ValueError:
        return False


def _recorded(lab: Lab, store: Store, run: Record | None) -> Finding:
    expected = ", ".join((*_NAMES, "mae", "dataset"))
    if run is None:
        return lab.found("recorded", False, expected=expected, fault="none", how="real")
    lacking = _lacking(run)
    kept = {name: run.params[name] for name in _NAMES if name in run.params}
    if run.data:
        kept["dataset"] = ", ".join(entry["digest"] for entry in run.data)
    fault = "data" if lacking == ["dataset"] else "setting"
    return lab.found(
        "recorded", not lacking, found=listed(kept), expected=", ".join(lacking) or expected, fault=fault, how="real"
    )


def _traced(lab: Lab, play: Scene, used: Record, data: str) -> Iterator[Finding]:
    """What is found out about a version in use that is not the newest."""
    name = lab.value("delivery-time")
    play.finish("train.py", *_arguments(_NEWER))
    store = play.read()
    numbers = {version.run: version.number for version in store.versions(name)}
    if used.id not in numbers:
        raise AnswerError("answer-fails", file="train.py", problem=f"models:/{name}: no version")
    _use(play, name, numbers[used.id])

    first = _ask(play)
    if not first.data and first.code:
        raise AnswerError("answer-fails", file="reproduce.py", problem=shortened(first.last, 200))
    named = store.run(str(first.data.get("run_id", ""))) or used
    number = str(first.data.get("version", ""))
    met = named.id == used.id == first.data.get("run_id") and number == str(numbers[used.id])
    fault = "newest" if named.id != used.id else "other"
    yield lab.found("champion", met, found=number, expected=numbers[used.id], fault=fault, how="real")
    again = first.data.get("again")
    yield lab.found(
        "from-run",
        first.verdict == "reproduced" and same(again, named.metrics["mae"]),
        found=f"{first.told}: {again}",
        expected=f"reproduced: {named.metrics['mae']:.2f}",
        fault="other" if first.data else "no-report",
        how="real",
    )

    runs = [run for run in store.runs if "mae" in run.metrics]
    for run in runs:
        _claim(play, run, run.metrics["mae"] - 0.7)
    claimed = _ask(play)
    for run in runs:
        _claim(play, run, run.metrics["mae"])
    kept = isinstance(again, int | float) and same(claimed.data.get("again"), float(again))
    yield lab.found(
        "measured",
        claimed.verdict == "other-number" and kept,
        found=f"{claimed.told}: {claimed.data.get('again')}",
        expected=f"other-number: {again}",
        fault="copied" if not kept else "word",
        how="real",
    )

    play.write("data.py", data + _OTHER_DATA)
    other = _ask(play)
    play.write("data.py", data)
    yield lab.found(
        "other-data", other.verdict == "other-data", found=other.told, expected="other-data", fault="unseen", how="real"
    )

    bare = {"metrics": {"mae": 2.1}, "register": name, "model": {"names": ["hour"], "weights": [1.0], "bias": 30.0}}
    _use(play, name, play.build(name, [bare])[0]["version"])
    lost = _ask(play)
    yield lab.found(
        "not-recorded",
        lost.verdict == "not-recorded",
        found=lost.told,
        expected="not-recorded",
        fault="guessed" if lost.data else "crashed",
        how="real",
    )
    yield _ends(lab, {"reproduced": first, "other-number": claimed, "other-data": other, "not-recorded": lost})


def _use(play: Scene, name: str, version: int) -> None:
    play.ask("change", path=play.database, name=name, aliases={"champion": version})


def _claim(play: Scene, run: Record, mae: float) -> None:
    """Have a run say another number."""
    play.ask("alter", path=play.database, run=run.id, metrics={"mae": mae}, drop=[])


def _ask(play: Scene) -> _Report:
    play.remove("report.json")
    run = play.run("reproduce.py")
    return _Report(run.code, run.last, play.data("report.json") or {})


def _ends(lab: Lab, reports: dict[str, _Report]) -> Finding:
    """Whether the exit code says what the verdict does, whatever the verdict was."""
    codes = {report.verdict: report.code for report in reports.values() if report.verdict}
    expected = {verdict: {"reproduced": 0, "not-recorded": 2}.get(verdict, 1) for verdict in codes}
    fault = "zero" if not any(codes.values()) else "other"
    return lab.found(
        "exit-code", codes == expected, found=listed(codes), expected=listed(expected), fault=fault, how="real"
    )
