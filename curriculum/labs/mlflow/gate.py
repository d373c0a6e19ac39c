"""The judge of `mlflow-promotion-gate`: the gate is tried on versions whose faults are known."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from curriculum.labs import judge
from curriculum.labs.backends.mlflow import MLflow
from curriculum.labs.lab import Lab, shortened
from curriculum.labs.mlflow.beginner import listed
from curriculum.labs.mlflow_scene import Rows, Scene, Store, Version, mean_error, parsed, scene
from curriculum.outcome import Finding

_WORDS = ("promoted", "refused", "undecided")
_REASONS = ("worse", "unknown-data", "no-signature")
#: What the given data.py adds up, in the order of its features; the rush hours are in the bias.
_WEIGHTS = (2.4, 0.0, 5.0, 3.5)
_BIAS = 10.1


@judge("mlflow-promotion-gate")
def promotion_gate(lab: Lab) -> Iterator[Finding]:
    for file in ("cases.py", "gate.py"):
        parsed(lab, file)
    if mlflow := lab.backend("mlflow"):
        yield from _gate(lab, mlflow)
        yield _cases(lab, mlflow)


@dataclass(frozen=True)
class _Verdict:
    """What a gate said of a challenger, and where `champion` was afterwards."""

    case: str
    code: int | None
    line: str
    champion: int | None
    before: int | None
    challenger: int | None

    @property
    def word(self) -> str:
        return re.split(r"\W", self.line, maxsplit=1)[0]

    @property
    def reasons(self) -> list[str]:
        return [reason for reason in _REASONS if reason in self.line]

    @property
    def shown(self) -> str:
        return f"{self.case}: exit {self.code}, {self.line}"

    def is_promotion(self) -> bool:
        return self.code == 0 and self.word == "promoted"

    def refuses(self, reason: str) -> bool:
        return self.code == 1 and self.word == "refused" and self.reasons == [reason]

    def is_open(self) -> bool:
        return self.code == 2 and self.word == "undecided"


class _Registry:
    """A registry with a champion and challengers of every kind, in which the gate is asked."""

    def __init__(self, lab: Lab, play: Scene) -> None:
        self._play = play
        self._name = lab.value("delivery-time")
        rows = play.rows(300, int(lab.number("gate_seed")))
        learned = play.rows()
        tolerance = lab.number("tolerance")
        data = learned.table("target")
        unknown = {**data, "target": [value + 1 for value in learned.y]}
        approved = play.ask("digest", table=data)
        play.write("approved-data.txt", f"0123abcd\n{approved}\n")
        used = _shifted(rows, 0.3)
        near, worse = _shifted(rows, 0.3 + 0.8 * tolerance), _shifted(rows, 0.3 + 1.3 * tolerance)
        sound = {"data": data, "bias": _BIAS}
        self.versions = self._build(
            rows,
            {
                "champion": {**sound, "bias": used},
                "nearly-equal": {**sound, "bias": near},
                "better": sound,
                "worse": {**sound, "bias": worse, "mae": 1.0},
                "unknown-data": {**sound, "data": unknown},
                "no-data": {"bias": _BIAS},
                "no-signature": {**sound, "signature": False},
                "no-files": sound,
            },
        )

    def _build(self, rows: Rows, specs: Mapping[str, Mapping[str, object]]) -> dict[str, int]:
        runs = []
        for case, spec in specs.items():
            model = {
                "names": rows.names,
                "weights": _WEIGHTS,
                "bias": spec["bias"],
                "signature": spec.get("signature", True),
            }
            # Whoever believes what is logged takes every challenger for a good one or a bad one at will.
            run = {
                "name": case,
                "metrics": {"mae": spec.get("mae", 9.9)},
                "model": model,
                "register": self._name,
            }
            runs.append({**run, "data": spec["data"]} if "data" in spec else run)
        made = self._play.build(self._name, runs)
        versions = {case: int(entry["version"]) for case, entry in zip(specs, made, strict=True)}
        gone = made[list(specs).index("no-files")]["uri"].rpartition("/")[2]
        for place in [path for path in self._play.folder.rglob(gone) if path.is_dir()]:
            shutil.rmtree(place, ignore_errors=True)
        return versions

    def ask(self, case: str, *, champion: bool = True) -> _Verdict:
        """Make a version `challenger`, run the gate, and see."""
        before = self.versions["champion"] if champion else None
        challenger = self.versions.get(case)
        self._play.ask(
            "change",
            path=self._play.database,
            name=self._name,
            aliases={"champion": before, "challenger": challenger},
        )
        return _asked(self._play, self._name, case, before, challenger)


def _asked(play: Scene, name: str, case: str, before: int | None, challenger: int | None) -> _Verdict:
    run = play.run("gate.py")
    lines = [line.strip() for line in run.output.splitlines() if line.strip().startswith(_WORDS)]
    champion = play.ask("aliases", path=play.database, name=name).get("champion")
    return _Verdict(case, run.code, lines[-1] if lines else shortened(run.last, 120), champion, before, challenger)


def _shifted(rows: Rows, worse: float) -> float:
    """The bias that makes the mean absolute error on these rows larger by `worse`."""
    plain = [sum(w * x for w, x in zip(_WEIGHTS, row, strict=True)) for row in rows.X]
    best = mean_error([value + _BIAS for value in plain], rows.y)
    bias = _BIAS
    while mean_error([value + bias for value in plain], rows.y) < best + worse:
        bias += 0.005
    return bias


def _gate(lab: Lab, mlflow: MLflow) -> Iterator[Finding]:
    with scene(lab, mlflow) as play:
        registry = _Registry(lab, play)
        better = registry.ask("better")
        nearly = registry.ask("nearly-equal")
        alone = registry.ask("better", champion=False)
        worse = registry.ask("worse")
        unknown, bare = registry.ask("unknown-data"), registry.ask("no-data")
        unsigned = registry.ask("no-signature")
        nobody, gone = registry.ask("nobody"), registry.ask("no-files")
    with scene(lab, mlflow) as play:
        play.write("approved-data.txt", "0123abcd\n")
        empty = _asked(play, lab.value("delivery-time"), "empty", None, None)
    good = {"better": better, "tolerance": nearly, "no-champion": alone}
    yield _said(lab, "promotes", "exit 0, promoted", {f: (v, v.is_promotion()) for f, v in good.items()})
    fault = "believed" if worse.is_promotion() else "word"
    yield _said(lab, "worse", "exit 1, refused: worse", {fault: (worse, worse.refuses("worse"))})
    kinds = {"other-content": unknown, "none": bare}
    yield _said(
        lab,
        "unknown-data",
        "exit 1, refused: unknown-data",
        {f: (v, v.refuses("unknown-data")) for f, v in kinds.items()},
    )
    yield _said(
        lab,
        "no-signature",
        "exit 1, refused: no-signature",
        {"passed" if unsigned.is_promotion() else "word": (unsigned, unsigned.refuses("no-signature"))},
    )
    open_cases = (nobody, gone, empty)
    yield _said(
        lab,
        "undecided",
        "exit 2, undecided",
        {f"{v.case}": (v, v.is_open()) for v in open_cases},
    )
    yield _moved(lab, [better, nearly, alone, worse, unknown, bare, unsigned, nobody, gone])


def _said(lab: Lab, criterion: str, expected: str, cases: Mapping[str, tuple[_Verdict, bool]]) -> Finding:
    """Whether every verdict is right; the first wrong one is shown, and its key is the fault."""
    wrong = next(((fault, verdict) for fault, (verdict, right) in cases.items() if not right), None)
    if wrong is None:
        return lab.found(criterion, True, found="; ".join(v.shown for v, _ in cases.values()), how="real")
    fault, verdict = wrong
    return lab.found(criterion, False, found=verdict.shown, expected=expected, fault=fault, how="real")


def _moved(lab: Lab, verdicts: list[_Verdict]) -> Finding:
    """Whether `champion` is where each verdict, right or wrong, says that it should be."""
    for verdict in verdicts:
        promoted = verdict.is_promotion()
        expected = verdict.challenger if promoted else verdict.before
        if verdict.champion != expected:
            return lab.found(
                "alias",
                False,
                found=f"{verdict.shown}; champion: {verdict.champion}",
                expected=f"champion: {expected}",
                fault="stayed" if promoted else "moved",
                how="real",
            )
    return lab.found("alias", True, how="real")


# --- the learner's own cases ---


def _cases(lab: Lab, mlflow: MLflow) -> Finding:
    with scene(lab, mlflow) as play:
        # The gate itself was tried above; here its part takes no time.
        play.write("gate.py", 'print("promoted")\n')
        run = play.run("cases.py")
        store = play.read()
        versions = store.versions(lab.value("delivery-time"))
        tagged = {version.tags.get("case", ""): version for version in versions}
        aliases = store.aliases(lab.value("delivery-time"))
        used = tagged.get("champion") or next((v for v in versions if v.number == aliases.get("champion")), None)
        absent = [reason for reason in _REASONS if reason not in tagged]
        if absent or used is None:
            problem = "" if run.ok else run.last
            return lab.found(
                "cases",
                False,
                found=problem or ", ".join(tagged),
                expected=", ".join(absent),
                fault="absent",
                how="real",
            )
        rows = play.rows(300, int(lab.number("gate_seed")))
        found = {
            reason: " + ".join(_flaws(play, store, tagged[reason], used, rows, lab.number("tolerance"))) or "-"
            for reason in _REASONS
        }
    wrong = [reason for reason in _REASONS if found[reason] != reason]
    return lab.found(
        "cases",
        not wrong,
        found=listed(found),
        expected=listed({reason: reason for reason in _REASONS}),
        fault=("harmless" if found[wrong[0]] == "-" else "several") if wrong else "",
        how="real",
    )


def _flaws(play: Scene, store: Store, version: Version, used: Version, rows: Rows, tolerance: float) -> Iterator[str]:
    """The reasons for which a version would have to be refused."""
    errors = []
    for model in (version.model, used.model):
        predicted = play.predict(model.uri, rows)
        errors.append(mean_error(predicted, rows.y) if predicted else 0.0)
    if errors[0] - errors[1] > tolerance:
        yield "worse"
    approved = play.folder / "approved-data.txt"
    known = approved.read_text(encoding="utf-8").split() if approved.is_file() else []
    run = store.run(version.run)
    if not (run and run.data and all(entry["digest"] in known for entry in run.data)):
        yield "unknown-data"
    if version.model.inputs is None:
        yield "no-signature"
