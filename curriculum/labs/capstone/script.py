"""Run an answer that is a program, in a copy of its folder, and read what it left there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curriculum.errors import AnswerError
from curriculum.labs.lab import Lab
from curriculum.labs.process import Run


class Written(Lab):
    """The folder in which a program has run: what it wrote is read as an answer is."""

    def json(self, file: str) -> Any:
        """The data of a JSON file that the program `by` has written. Raises AnswerError."""
        if not self.exists(file):
            raise AnswerError("answer-unwritten", file=self.files[0], output=file)
        return super().json(file)


@contextmanager
def copied(lab: Lab, *outputs: str) -> Iterator[Path]:
    """A copy of the answer's folder without what an earlier run of it may have left."""
    with lab.scratch() as folder:
        for name in outputs:
            (folder / name).unlink(missing_ok=True)
        yield folder


def attempt(lab: Lab, folder: Path, file: str, *arguments: str, timeout: float = 60, **env: str) -> Run:
    """Run a program of the answer in `folder`."""
    return lab.python(file, *arguments, folder=folder, timeout=timeout, **env)


def finished(lab: Lab, folder: Path, file: str, *arguments: str, timeout: float = 60) -> Written:
    """Run a program of the answer to its good end. Raises AnswerError when it breaks off."""
    run = attempt(lab, folder, file, *arguments, timeout=timeout)
    if run.code is None:
        raise AnswerError("answer-too-long", seconds=round(timeout))
    if not run.ok:
        raise AnswerError("answer-fails", file=file, problem=run.last[:300])
    return Written(lab.exercise, folder, lab.values, files=(file,))


def told(lab: Lab, folder: Path, code: str, *arguments: str, given: str) -> Any:
    """What a few lines of ours print as JSON, run among the given files. Raises AnswerError when those were changed."""
    run = lab.python("-c", code, *arguments, folder=folder, timeout=60)
    try:
        if run.ok:
            return json.loads(run.last)
    except ValueError:
        pass
    raise AnswerError("answer-given-changed", files=given, problem=run.last)


def mapping(value: Any) -> Mapping[str, Any]:
    """A map as it is; anything else reads as an empty one."""
    return value if isinstance(value, dict) else {}


def number(value: Any) -> float | None:
    """A finite number, also when it is written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if abs(found) < 1e12 else None


def word(value: Any) -> str:
    """A scalar as the text that somebody meant by it: YAML reads `8` as a number and `1.10` as 1.1."""
    return "" if value is None or isinstance(value, dict | list) else str(value).strip()
