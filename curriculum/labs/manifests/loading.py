"""From the files of an answer to objects: any names, several documents in one file, Lists, JSON, kustomizations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from curriculum.errors import AnswerError
from curriculum.labs.manifests import kustomize
from curriculum.labs.manifests.model import Manifest, Manifests

if TYPE_CHECKING:
    from curriculum.labs.lab import Lab

_SUFFIXES = (".yaml", ".yml", ".json")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def load(lab: Lab, *, without: Iterable[str] = (), given: bool = False) -> Manifests:
    """Every object that `kubectl apply -f .` would find in the folder, or what its kustomization makes.

    `without` names files that hold something else; given files are left out unless asked for. Raises AnswerError for a
    file that is missing or cannot be read.
    """
    names = set(lab.names(*_SUFFIXES, "Kustomization"))
    for file in _KUSTOMIZATIONS:
        if file in names:
            return Manifests(kustomize.built(lab, PurePosixPath(), file))
    for file in lab.files:
        if file.endswith(_SUFFIXES) and file not in without and file not in names:
            lab.text(file)  # says that it is missing
    left_out = {*without, *(() if given else lab.given)}
    found: list[Manifest] = []
    for name in sorted(names):
        # Like kubectl, which does not look into folders.
        if "/" not in name and not name.startswith(".") and name not in left_out:
            found += read(lab, name)
    return Manifests(found)


def build(lab: Lab, folder: str) -> Manifests:
    """What `kubectl apply -k FOLDER` would find: the objects that the kustomization in a folder makes.

    Raises AnswerError.
    """
    for file in _KUSTOMIZATIONS:
        if lab.exists(f"{folder}/{file}"):
            return Manifests(kustomize.built(lab, PurePosixPath(folder), file))
    raise AnswerError("answer-missing", file=f"{folder}/{_KUSTOMIZATIONS[0]}")


def read(lab: Lab, file: str) -> list[Manifest]:
    """The objects of one file. Raises AnswerError."""
    return list(objects(lab.yaml(file), file))


def objects(documents: Iterable[Any], file: str = "") -> Iterator[Manifest]:
    """The objects in YAML documents; a List stands for what it holds. What is no map is an object without a kind."""
    for document in documents:
        if not isinstance(document, dict):
            yield Manifest({"": plain(document)}, file)
        elif str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list):
            yield from objects(document["items"], file)
        else:
            yield Manifest(plain(document), file)


def plain(value: Any) -> Any:
    """Data as JSON has it: Kubernetes reads no dates, and every key is a text."""
    if isinstance(value, dict):
        return {_key(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(entry) for entry in value]
    if isinstance(value, dt.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    return value


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return str(key).lower()
    return "" if key is None else str(key)
