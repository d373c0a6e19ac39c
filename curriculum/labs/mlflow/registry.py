"""The judge of `mlflow-registry-aliases`: the rule is tried on an empty registry, again, and against other champions."""

from __future__ import annotations

from collections.abc import Iterator

from curriculum.labs import judge
from curriculum.labs.backends.mlflow import MLflow
from curriculum.labs.lab import Lab
from curriculum.labs.mlflow.beginner import HELD_OUT, listed
from curriculum.labs.mlflow_scene import Record, Scene, Store, mean_error, parsed, same, scene
from curriculum.outcome import Finding

#: So much noise more that only the best candidate, or none, stays below any limit.
_NOISE = """

_before = make


def make(rows=400, seed=7):
    draw = random.Random(seed + 1)
    features, target = _before(rows, seed)
    return features, [value + draw.gauss(0, {noise}) for value in target]
"""
_RUSH_HOURS = (8, 9, 17, 18, 19)
#: Rush hours that take less longer than those of the given data.
_QUIET = """

_before = make


def make(rows=400, seed=7):
    features, target = _before(rows, seed)
    less = [{less} if row[1] in (8, 9, 17, 18, 19) else 0.0 for row in features]
    return features, [value - part for value, part in zip(target, less)]
"""
_CANDIDATES = 3


@judge("mlflow-registry-aliases")
def registry_aliases(lab: Lab) -> Iterator[Finding]:
    parsed(lab, "register.py")
    data = lab.text("data.py")
    if mlflow := lab.backend("mlflow"):
        with scene(lab, mlflow) as play:
            play.finish("register.py")
            first = _Registry(play.read(), lab.value("delivery-time"))
            yield _versions(lab, first)
            if not first.whole:
                return
            yield _same_rows(lab, play, first)
            best = min(first.mae, key=lambda number: first.mae[number])
            yield lab.found(
                "first-champion",
                first.champion is not None and same(first.mae[first.champion], first.mae[best]),
                found=first.shown,
                expected=f"champion={best}",
                fault="none" if first.champion is None else "other",
                how="real",
            )
            yield _challenger(lab, first)
            second = _again(lab, play, first.champion)
            yield _replaced(lab, play, second)
        yield _limited(lab, mlflow, data)
        yield _kept(lab, mlflow, data, first, second)


class _Registry:
    """The registered versions, each with the error that its run logged."""

    def __init__(self, store: Store, name: str) -> None:
        self.versions = store.versions(name)
        self.runs: dict[int, Record] = {v.number: run for v in self.versions if (run := store.run(v.run))}
        self.mae = {number: run.metrics["mae"] for number, run in self.runs.items() if "mae" in run.metrics}
        self.aliases = store.aliases(name)

    @property
    def whole(self) -> bool:
        runs = {run.id for run in self.runs.values()}
        return len(self.versions) == len(runs) == len(self.mae) == _CANDIDATES

    @property
    def champion(self) -> int | None:
        return self.aliases.get("champion")

    @property
    def challenger(self) -> int | None:
        return self.aliases.get("challenger")

    @property
    def shown(self) -> str:
        errors = {f"mae({number})": round(mae, 2) for number, mae in sorted(self.mae.items())}
        return listed({**self.aliases, **errors})


def _versions(lab: Lab, registry: _Registry) -> Finding:
    runs = len({run.id for run in registry.runs.values()})
    fault = "few" if len(registry.versions) < _CANDIDATES else "no-mae" if runs == _CANDIDATES else "one-run"
    return lab.found(
        "versions",
        registry.whole,
        found=f"versions={len(registry.versions)}, runs={runs}, mae={len(registry.mae)}",
        expected=f"versions={_CANDIDATES}, runs={_CANDIDATES}, mae={_CANDIDATES}",
        fault=fault,
        how="real",
    )


def _same_rows(lab: Lab, play: Scene, registry: _Registry) -> Finding:
    """Whether every version's number is what its model has on the rows that were held out."""
    held_out, learned = play.split(play.rows(), HELD_OUT, seed=int(lab.number("seed")))
    for version in registry.versions:
        told = registry.mae[version.number]
        predicted = play.predict(version.model.uri, held_out)
        true = mean_error(predicted, held_out.y) if predicted else -1.0
        if not same(told, true):
            by_heart = play.predict(version.model.uri, learned)
            trained = by_heart is not None and same(told, mean_error(by_heart, learned.y))
            return lab.found(
                "same-rows",
                False,
                found=f"version {version.number}: {told:.2f}",
                expected=f"{true:.2f}",
                fault="training-rows" if trained else "other",
                how="real",
            )
    return lab.found("same-rows", True, found=registry.shown, how="real")


def _challenger(lab: Lab, registry: _Registry) -> Finding:
    """Whether the challenger is the best of what may be one besides the champion."""
    limit = lab.number("limit")
    allowed = [n for n, mae in registry.mae.items() if mae <= limit and n != registry.champion]
    best = min(allowed, key=lambda number: registry.mae[number]) if allowed else None
    told = registry.challenger
    # Without a champion there is nobody whom the challenger could be confused with: then the very best is right too.
    met = told == best or (told in registry.mae and best is not None and same(registry.mae[told], registry.mae[best]))
    fault = "none" if told is None else "champion" if told == registry.champion else "other"
    return lab.found("challenger", met, found=registry.shown, expected=f"challenger={best}", fault=fault, how="real")


def _limited(lab: Lab, mlflow: MLflow, data: str) -> Finding:
    """Whether no alias is given to what is worse than the limit, with data on which all candidates are."""
    with scene(lab, mlflow) as play:
        play.write("data.py", data + _NOISE.format(noise=14))
        run = play.run("register.py")
        registry = _Registry(play.read(), lab.value("delivery-time"))
    limit = lab.number("limit")
    bad = {alias: number for alias, number in registry.aliases.items() if registry.mae.get(number, 99.0) > limit}
    crashed = not run.ok
    return lab.found(
        "limit",
        not bad and not crashed,
        found=run.last if crashed and not bad else registry.shown,
        expected=f"mae <= {limit}",
        fault="bad" if bad else "crashed",
        how="real",
    )


def _again(lab: Lab, play: Scene, champion: int | None) -> _Registry:
    """What becomes of the registry when the script runs again while this version is the champion."""
    name = lab.value("delivery-time")
    play.ask("change", path=play.database, name=name, aliases={"champion": champion})
    play.finish("register.py")
    return _Registry(play.read(), name)


def _replaced(lab: Lab, play: Scene, registry: _Registry) -> Finding:
    """Whether a champion goes when something is clearly better."""
    least = min(registry.mae.values()) + lab.number("margin")
    worse = min((n for n, mae in registry.mae.items() if mae > least), key=lambda number: registry.mae[number])
    after = _again(lab, play, worse)
    return lab.found(
        "replaces",
        after.champion not in (None, worse),
        found=after.shown,
        expected=f"champion!={worse}",
        fault="stayed",
        how="real",
    )


def _kept(lab: Lab, mlflow: MLflow, data: str, first: _Registry, second: _Registry) -> Finding:
    """Whether a champion stays against copies of itself, and against what is hardly better."""
    if first.champion is not None and second.champion != first.champion:
        return lab.found(
            "keeps", False, found=second.shown, expected=f"champion={first.champion}", fault="again", how="real"
        )
    with scene(lab, mlflow) as play:
        play.write("data.py", data + _QUIET.format(less=6.0 - _rush(lab, play)))
        play.finish("register.py")
        candidates = _Registry(play.read(), lab.value("delivery-time"))
        best, used = sorted(candidates.mae, key=lambda number: candidates.mae[number])[:2]
        after = _again(lab, play, used)
    # By the answer's own numbers: whether those are right is another question.
    hardly = 0 < candidates.mae[used] - candidates.mae[best] < lab.number("margin")
    return lab.found(
        "keeps",
        after.champion == used or not hardly,
        found=after.shown,
        expected=f"champion={used}",
        fault="margin",
        how="real",
    )


def _rush(lab: Lab, play: Scene) -> float:
    """How much longer a rush hour has to take for the best candidate to be hardly better than the next."""
    rows = play.rows()
    choices = [step / 4 for step in range(1, 24)]
    targets = [
        [value - (6.0 - rush) * (row[1] in _RUSH_HOURS) for row, value in zip(rows.X, rows.y, strict=True)]
        for rush in choices
    ]
    gains = play.ask("hourly_gain", X=rows.X, targets=targets, size=HELD_OUT, seed=int(lab.number("seed")))
    aim = lab.number("margin") / 2
    return min(zip(choices, gains, strict=True), key=lambda pair: abs(pair[1] - aim))[0]
