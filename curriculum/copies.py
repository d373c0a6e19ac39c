"""Copies of a plan's notebook for many learners: what a worker of a cohort does, in this process or in another."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from curriculum.engine import worked_in
from curriculum.errors import CohortError, CurriculumError
from curriculum.messages import LANGUAGES
from curriculum.stencil import Copies, Person
from curriculum.store import Store

Json = dict[str, Any]

#: Files that a worker writes at the same time.
THREADS = 4


@dataclass(frozen=True)
class Seat:
    """A learner's place: the roster's row, the folder, and whose study it is."""

    row: int
    folder: str
    person: Person


@dataclass(frozen=True)
class Chunk:
    """Learners with the same plan, and its notebooks by their file names."""

    notebooks: tuple[tuple[str, Copies], ...]
    seats: tuple[Seat, ...]


def write_chunk(store: Store, chunk: Chunk) -> list[Json]:
    """Make the notebooks of a chunk; for each seat its `status`, `files` and `error`, as the manifest has them.

    `made`: written. `unchanged`: already there, byte by byte. `skipped`: another file is there and the learner has
    worked in it, so that it was left alone. `failed`: it could not be written; nothing half-written stays.
    """
    # While one thread waits for the disk or the network, others make the next texts.
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(partial(_write, store, chunk), chunk.seats))


def _write(store: Store, chunk: Chunk, seat: Seat) -> Json:
    files, changed = [], []
    over = worked = False
    try:
        for name, copies in chunk.notebooks:
            text = copies.text(seat.person)
            file = f"{seat.folder}/{name}"
            there = store.read(file)
            files.append({"file": file, "sha256": hashlib.sha256(text).hexdigest(), "bytes": len(text)})
            if there != text:
                changed.append((file, text))
                over = over or there is not None
                worked = worked or (there is not None and worked_in(there))
        # A notebook that is missing beside a learner's work overwrites nothing.
        if worked or (over and store.worked(seat.folder)):
            return {"status": "skipped", "files": files, "error": told(CohortError("cohort-worked"))}
        for file, text in changed:
            store.write(file, text)
    except CurriculumError as error:
        return {"status": "failed", "files": [], "error": told(error)}
    return {"status": "made" if changed else "unchanged", "files": files, "error": None}


def told(error: CurriculumError, column: str = "") -> Json:
    """An error as the manifest has it: its key, the roster's column, and its sentence in every language."""
    column = column or str(error.params.get("column") or error.params.get("option") or "")
    return {"key": error.key, "column": column} | {lang: error.sentence(lang) for lang in LANGUAGES}
