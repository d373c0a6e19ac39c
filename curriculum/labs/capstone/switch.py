"""One switch for registry and manifest: run forward and back on registries that are made for it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curriculum.errors import AnswerError
from curriculum.labs import judge
from curriculum.labs.capstone.script import Written
from curriculum.labs.lab import Lab
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.mlflow import MLflow
    from curriculum.labs.mlflow_scene import Scene

LIVE, WRITTEN, SCRIPT = "capstone-release-live.yaml", "deployment.yaml", "release.py"
#: In the judge's registry this version is in use, that one wants its place; the newest is neither.
OLD, NEW, NEWEST = 2, 4, 5


@judge("capstone-release-switch")
def switch(lab: Lab) -> Iterator[Finding]:
    lab.text(SCRIPT)
    if mlflow := lab.backend("mlflow"):
        with _registry(lab, mlflow, "passed") as play:
            yield from _forward_and_back(lab, play)
        yield _refuses(lab, mlflow)


@contextmanager
def _registry(lab: Lab, mlflow: MLflow, shadow: str, *, previous: bool = False) -> Iterator[Scene]:
    """A registry with five versions; the challenger's run carries this tag, or none."""
    from curriculum.labs.mlflow_scene import scene

    name = lab.value("delivery-time")
    aliases = {OLD: ["champion"], NEW: ["challenger"], 1: ["previous"] if previous else []}
    tags = {OLD: "passed", NEW: shadow, 3: "failed"}
    runs = [
        {
            "tags": {"shadow": tags[number]} if tags.get(number) else {},
            "model": {"names": ["hour"], "weights": [0.0], "bias": 40.0 + number},
            "register": name,
            "aliases": aliases.get(number, []),
        }
        for number in range(1, NEWEST + 1)
    ]
    with scene(lab, mlflow) as play:
        play.remove(WRITTEN)
        play.write(LIVE, lab.text(LIVE))
        play.build(name, runs)
        yield play


def _aliases(lab: Lab, play: Scene) -> dict[str, int]:
    return play.read().aliases(lab.value("delivery-time"))


def _forward_and_back(lab: Lab, play: Scene) -> Iterator[Finding]:
    run = play.run(SCRIPT, "forward")
    aliases = _aliases(lab, play)
    if "Traceback" in run.output and not run.ok and aliases.get("champion") == OLD:
        raise AnswerError("answer-fails", file=SCRIPT, problem=run.last[:300])
    champion = aliases.get("champion")
    fault = "latest" if champion == NEWEST else "not-moved" if champion != NEW else "failed"
    moved = champion == NEW and run.ok
    yield lab.found("forward", moved, found=_shown(aliases) if run.ok else run.last, fault=fault, how="real")
    if champion != NEW:
        return
    previous = aliases.get("previous")
    fault = "missing" if previous is None else "same" if previous == NEW else "other"
    kept = previous == OLD
    yield lab.found("previous", kept, found=_shown(aliases), expected=f"previous {OLD}", fault=fault, how="real")
    pinned = _pinned(lab, play.folder, NEW)
    yield pinned
    if pinned.fault != "no-file":
        yield _rest_kept(lab, play.folder)
    if kept:
        play.run(SCRIPT, "forward")
        again = _aliases(lab, play)
        fault = "moved" if again.get("champion") != NEW else "lost"
        same = (again.get("champion"), again.get("previous")) == (NEW, OLD)
        yield lab.found("twice", same, found=_shown(again), expected=_shown(aliases), fault=fault, how="real")
        if same:
            yield _back(lab, play, manifest=pinned.result == "met")


def _shown(aliases: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {aliases[name]}" for name in ("champion", "previous", "challenger") if name in aliases)


def _manifest(lab: Lab, folder: Path) -> dict[str, Any] | None:
    """The Deployment that was written. Raises AnswerError when it is no YAML."""
    written = Written(lab.exercise, folder, lab.values, files=(SCRIPT,))
    if not written.exists(WRITTEN):
        return None
    documents = written.yaml(WRITTEN)
    return next((doc for doc in documents if isinstance(doc, dict) and doc.get("kind") == "Deployment"), {})


def _address(manifest: Mapping[str, Any]) -> str:
    """The value of MODEL_URI in the Deployment's container."""
    from curriculum.labs.manifests.model import at, entries

    for container in entries(at(manifest, "spec", "template", "spec", "containers")):
        for variable in entries(container.get("env")):
            if variable.get("name") == "MODEL_URI":
                return str(variable.get("value") or "")
    return ""


def _pinned(lab: Lab, folder: Path, version: int) -> Finding:
    manifest = _manifest(lab, folder)
    if manifest is None:
        return lab.found("pinned", False, fault="no-file", how="real")
    said, base = _address(manifest), f"models:/{lab.value('delivery-time')}/"
    fault = "alias" if "@" in said else "old" if said == f"{base}{OLD}" or said.endswith("/4") else "missing"
    return lab.found(
        "pinned", said == f"{base}{version}", found=said, expected=f"{base}{version}", fault=fault, how="real"
    )


def _rest_kept(lab: Lab, folder: Path) -> Finding:
    written, live = _manifest(lab, folder) or {}, _live(lab)
    place = difference(_without_model(live), _without_model(written))
    return lab.found("rest-kept", not place, found=place, fault="changed", how="real")


def _live(lab: Lab) -> dict[str, Any]:
    documents = lab.yaml(LIVE)
    if not documents or not isinstance(documents[0], dict):
        raise AnswerError("answer-given-changed", files=LIVE, problem="")
    return documents[0]


def _without_model(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A Deployment without the address of its model, and without annotations."""
    from curriculum.labs.manifests.model import at, entries

    bare = copy.deepcopy(dict(manifest))
    for container in entries(at(bare, "spec", "template", "spec", "containers")):
        container["env"] = [one for one in entries(container.get("env")) if one.get("name") != "MODEL_URI"]
    for metadata in (at(bare, "metadata"), at(bare, "spec", "template", "metadata")):
        if isinstance(metadata, dict):
            metadata.pop("annotations", None)
    return bare


def difference(one: Any, other: Any, path: str = "") -> str:
    """The first place at which two documents say something else, or an empty string."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            place = f"{path}.{key}" if path else str(key)
            if key not in one or key not in other:
                return place
            if found := difference(one[key], other[key], place):
                return found
        return ""
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return path
        return next(
            (
                found
                for n, pair in enumerate(zip(one, other, strict=True))
                if (found := difference(*pair, f"{path}[{n}]"))
            ),
            "",
        )
    return "" if one == other else path


def _back(lab: Lab, play: Scene, *, manifest: bool) -> Finding:
    """The criterion `back`; without `manifest` only the registry is looked at."""
    run = play.run(SCRIPT, "back")
    aliases, said = _aliases(lab, play), _address(_manifest(lab, play.folder) or {})
    fault = ""
    if aliases.get("champion") != OLD:
        fault = "not-moved" if run.ok else "failed"
    elif manifest and not said.endswith(f"/{OLD}"):
        fault = "registry-only"
    elif not run.ok:
        fault = "failed"
    elif "previous" not in aliases:
        fault = _second_back(lab, play)
    return lab.found("back", not fault, found=f"{_shown(aliases)}; {said}", fault=fault, how="real")


def _second_back(lab: Lab, play: Scene) -> str:
    """There is nothing left to go back to."""
    run = play.run(SCRIPT, "back")
    return "no-previous" if run.ok or _aliases(lab, play).get("champion") != OLD else ""


def _refuses(lab: Lab, mlflow: MLflow) -> Finding:
    for fault, shadow in (("failed-one", "failed"), ("untagged", "")):
        with _registry(lab, mlflow, shadow, previous=True) as play:
            before = _aliases(lab, play)
            run = play.run(SCRIPT, "forward")
            after = _aliases(lab, play)
            wrote = (play.folder / WRITTEN).exists()
        if after.get("champion") != OLD:
            return lab.found("refuses", False, found=_shown(after), expected=_shown(before), fault=fault, how="real")
        if after != before or wrote:
            found = _shown(after) + (f"; {WRITTEN}" if wrote else "")
            return lab.found("refuses", False, found=found, expected=_shown(before), fault="half", how="real")
        if run.ok:
            return lab.found("refuses", False, found=run.last, fault="code", how="real")
    return lab.found("refuses", True, how="real")
