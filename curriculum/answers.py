"""Write the files of an answer without ever destroying work.

What a cell holds and what lies on the disk may both be somebody's work: the file may have been edited elsewhere, or
written by the study's notebook in another language. So a cell's text goes to disk only where nothing is lost by it,
and each version that goes is kept in `.history/` first.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from curriculum.catalog import Catalog
from curriculum.errors import OutputError, RequestError, near
from curriculum.model import Exercise, Story, words
from curriculum.personal import fill, retold, values_of
from curriculum.progress import Answer
from curriculum.request import shown
from curriculum.template import Section

#: What became of a cell's text: `written`; `same` as the file already; a `starter`, put there or there already;
#: `starter-kept` and `edited`: the file was left alone.
Kind = Literal["written", "same", "starter", "starter-kept", "edited"]

_RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}
_FORBIDDEN = frozenset('<>:"|?*\\') | {chr(code) for code in range(32)}
#: How often Windows is asked again while a virus scanner or an editor holds the file, and how long between, in seconds.
_ATTEMPTS, _PAUSE = 6, 0.05


@dataclass(frozen=True)
class Written:
    """What became of a cell's text. `history` is where the file's earlier text went, `given` what was put beside it."""

    kind: Kind
    path: Path
    sha256: str = ""
    history: Path | None = None
    given: tuple[str, ...] = ()
    changed: dt.datetime | None = None
    by: str = ""


@dataclass(frozen=True)
class Submission:
    """The folder of an exercise in a study, and what the exercise says of its files."""

    folder: Path
    section: Section
    values: Mapping[str, str]
    story: Story = field(default_factory=dict)
    #: A module with judges of a content pack's own; None where ours judge.
    judges: Path | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The files of an answer, in the template's order."""
        return tuple(dict.fromkeys(b.target[1] for b in self.section.blocks if b.role == "starter"))

    def check(self, file: str) -> str:
        """The file's name, if it is one of the exercise's. Raises RequestError."""
        if not _safe(file):
            raise RequestError("bad-answer-file", value=shown(file))
        if file not in self.files:
            raise RequestError(
                "unknown-answer-file",
                exercise=self.section.name,
                value=shown(file),
                near=near(file, self.files),
                choices=list(self.files),
            )
        return file

    def untouched(self, file: str, text: str) -> bool:
        """Whether `text` is a starter of the file as we gave it, in any language, or nothing; ends of lines do not count."""
        if not text.strip():
            return True
        exercise: Exercise = self.section.content
        defaults = {name: value.default for name, value in exercise.values.items()}
        given = set()
        for block in self.section.blocks:
            if block.role == "starter" and block.target[1] == file:
                values = self.values_in(block.lang or "en")
                given |= {_trimmed(fill(block.body, values)), _trimmed(fill(block.body, {**values, **defaults}))}
        return _trimmed(fill(text, self.values)) in given

    def untouched_all(self) -> bool:
        """Whether nothing was attempted: every file of the answer is missing, empty or its starter."""
        for file in self.files:
            try:
                text = _read(self.folder / file)
            except OutputError:
                return False
            if text is not None and not self.untouched(file, text):
                return False
        return True

    def put_given(self, find: Callable[[str], Path | None]) -> tuple[str, ...]:
        """Put the exercise's given files there where they are missing; their names. Raises OutputError.

        They are written in the words of the learner's story.
        """
        put = []
        exercise: Exercise = self.section.content
        for name in exercise.given:
            source, target = find(name), self.folder / name
            if source and not target.exists():
                write_file(target, retold(source.read_text(encoding="utf-8"), self.story).encode("utf-8"))
                put.append(name)
        return tuple(put)

    def artefact(self) -> str:
        """A hash of the answer's files: the same for the same answer, whatever the ends of its lines.

        Raises OutputError when a file cannot be read.
        """
        digest = hashlib.sha256()
        for file in self.files:
            text = _read(self.folder / file)
            digest.update(f"{file}\0{sha256(text) if text is not None else ''}\0".encode())
        return digest.hexdigest()[:16]

    def answer(self, file: str, text: str, *, by: str, last: Answer | None, replace: bool = False) -> Written:
        """Write `text`, which the notebook `by` holds, to `file`, unless work could be lost. Raises CurriculumError.

        `last` is the last time that any notebook wrote the file. `replace` is the learner's word that the file may go;
        for a starter it never does.
        """
        path = self.folder / self.check(file)
        if path.is_dir():
            raise OutputError("answer-is-folder", path=str(path))
        text = _with_line_ends(text)
        starter = self.untouched(file, text)
        there = _read(path)
        if there is None:
            return self._write(path, file, text, starter, None)
        if _with_line_ends(there) == text:
            return Written("starter" if starter else "same", path, sha256(text))
        untouched_there = self.untouched(file, there)
        if starter:
            return Written("starter" if untouched_there else "starter-kept", path)
        own = last is not None and last.by == by and last.sha256 == sha256(there)
        if untouched_there or own or replace:
            return self._write(path, file, text, starter, None if untouched_there else path)
        other = last.by if last is not None and last.sha256 == sha256(there) else ""
        changed = dt.datetime.fromtimestamp(path.stat().st_mtime).astimezone()
        return Written("edited", path, changed=changed, by=other)

    def reset(self, lang: str) -> list[Path]:
        """Put the starters back, in `lang`; where the files of the answer went. Raises OutputError."""
        kept = []
        for file, body in self.section.files("starter", lang).items():
            path = self.folder / self.check(file)
            there = _read(path)
            if there is not None and not self.untouched(file, there):
                kept.append(self._keep(path, file))
            write_file(path, fill(body, self.values_in(lang)).encode("utf-8"))
        return kept

    def values_in(self, lang: str) -> dict[str, str]:
        """What fills the marks, the story told in `lang`."""
        return {**self.values, **{name: words(entry, lang) for name, entry in self.story.items()}}

    def _write(self, path: Path, file: str, text: str, starter: bool, replaced: Path | None) -> Written:
        history = self._keep(replaced, file) if replaced else None
        write_file(path, text.encode("utf-8"))
        return Written("starter" if starter else "written", path, sha256(text), history)

    def _keep(self, path: Path, file: str) -> Path:
        """Copy a version that is about to go to `.history/`; a name there is never used twice."""
        moment = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%fZ")
        target = self.folder / ".history" / f"{moment}-{file.replace('/', '-')}"
        write_file(target, path.read_bytes())
        return target


def submission(catalog: Catalog, exercise: str, folder: Path, *, study: str = "", industry: str = "") -> Submission:
    """The submission for an exercise in a folder. Raises RequestError for an exercise that does not exist."""
    section = catalog.exercise(exercise)
    story = catalog.story(industry)
    return Submission(
        folder, section, values_of(study, section.content, story), story, catalog.judges_file(section.tool)
    )


def sha256(text: str) -> str:
    """The hash by which a text is known again, whatever the ends of its lines have become."""
    return hashlib.sha256(_with_line_ends(text).encode("utf-8", "surrogateescape")).hexdigest()


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, making its folder. Raises OutputError, leaving nothing behind."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            _take_mode(Path(name), path)
            replace_file(name, path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError("cannot-write", path=str(path), problem=error.strerror or type(error).__name__) from error


def _take_mode(new: Path, old: Path) -> None:
    """A temporary file is private; the file that it becomes is as open as the one before, or as any other new one."""
    try:
        mode = old.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    with suppress(OSError):
        new.chmod(mode)


def replace_file(name: str, path: Path) -> None:
    """Rename over a file, and wait for another program that holds it (a scanner, a sync client). Raises OSError."""
    for attempt in range(_ATTEMPTS):
        try:
            Path(name).replace(path)
            return
        except PermissionError:
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(_PAUSE * 2**attempt)


def _read(path: Path) -> str | None:
    """The text of a file, or None where there is none. Bytes that are no UTF-8 survive in disguise."""
    try:
        return path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError("cannot-write", path=str(path), problem=error.strerror or type(error).__name__) from error


def _safe(file: str) -> bool:
    """Whether a name lies inside the exercise's folder, and can be a file's name on every system."""
    parts: Iterable[str] = PurePosixPath(file).parts
    return (
        0 < len(file) <= 100
        and not file.startswith("/")
        and not _FORBIDDEN & set(file)
        and all(
            part not in {"..", ".history"}
            and not part.endswith((".", " "))
            and part.split(".")[0].casefold() not in _RESERVED
            for part in parts
        )
    )


def _with_line_ends(text: str) -> str:
    """The text with LF, and one at its end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.endswith("\n") or not text else text + "\n"


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
