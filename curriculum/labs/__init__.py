"""The judges of exercises, one module for each tool (its name is the tool's slug with `_`).

A judge is a generator: from a `Lab` (the answer's folder and the learner's personal values) to findings. It names a
criterion of the rubric and what it found, in data; every sentence about it stands in the tool's template.

    @judge("docker-first-image")
    def first_image(lab: Lab) -> Iterator[Finding]:
        dockerfile = read_dockerfile(lab)
        yield lab.found("pinned-base", dockerfile.pinned, found=dockerfile.base)
        if docker := lab.backend("docker"):
            with docker.build(lab.folder) as image: ...
                yield lab.found("answers", reply.ok, how="real")

docs/judges.md tells how to write one.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from curriculum.errors import RequestError
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.lab import Lab

Judge = Callable[["Lab"], Iterator[Finding]]

_JUDGES: dict[str, Judge] = {}


def judge(exercise: str) -> Callable[[Judge], Judge]:
    """Make a generator the judge of an exercise."""

    def register(function: Judge) -> Judge:
        _JUDGES[exercise] = function
        return function

    return register


def module_name(tool: str) -> str:
    """The module with the judges of a tool."""
    return f"curriculum.labs.{tool.replace('-', '_')}"


def find_judge(tool: str, exercise: str, file: Path | None = None) -> Judge:
    """The judge of an exercise of a tool, from a content pack's `file` where it has one.

    Raises RequestError where there is none.
    """
    if file is not None:
        _load(file)
    else:
        try:
            importlib.import_module(module_name(tool))
        except ModuleNotFoundError as error:
            if error.name != module_name(tool):
                raise
    if exercise not in _JUDGES:
        raise RequestError("no-judge", exercise=exercise)
    return _JUDGES[exercise]


@cache
def _load(file: Path) -> None:
    spec = importlib.util.spec_from_file_location(f"curriculum_judges_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
