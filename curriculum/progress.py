"""The learner's log: an append-only file of events beside the notebook, and the state that follows from them.

    {"v":1,"id":"5f0c…","at":"2026-11-30T09:21:42.120Z","study":"1a2b3c4d5e","kind":"tick","item":"docker.run","done":true}

Nothing a person made is ever lost: a line is only ever added, whole; a line torn by a crash is passed over; the copies
that a sync service makes of a log in conflict are read as if they were one with it. A folder is one learner's: what is
done there counts for every notebook in it, whatever its language or level.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curriculum.errors import ProgressError

Event = dict[str, Any]

VERSION = 1
FILE = "progress.jsonl"

#: How far back an append looks for the last event's time: longer than any line that we write.
_TAIL = 16_384
#: Where Windows locks a byte: behind every line, so that readers are never kept out.
_LOCKED_BYTE = 0x7FFF_0000


class Log:
    """The log of a study, in its folder."""

    def __init__(self, folder: Path, study: str) -> None:
        self.path = folder / FILE
        self.study = study
        #: Lines that the last call of `events` could not read, a torn last line of a file not counted.
        self.unreadable = 0
        self._lock = threading.Lock()

    def append(self, kind: str, **data: Any) -> Event:
        """Write an event and return it once it is on the disk. Raises ProgressError when it cannot be written.

        Safe from several threads and processes. `at` never runs backwards within a file, so that of two events the
        later one wins even after the clock was set back.
        """
        with self._lock, self._opened() as handle:
            try:
                return self._write(handle, kind, data)
            except OSError as error:
                raise self._unwritable(error) from error

    def merge(self, events: Iterable[Event]) -> int:
        """Take over events of another log that this one does not have; how many. Raises ProgressError."""
        known = {event["id"] for event in self.events()}
        new = [event for event in events if event["id"] not in known]
        if not new:
            return 0
        lines = "".join(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n" for event in new)
        with self._lock, self._opened() as handle:
            size = os.lseek(handle, 0, os.SEEK_END)
            torn = size and not _read(handle, size - 1, size).endswith(b"\n")
            raw = (b"\n" if torn else b"") + lines.encode("utf-8", "backslashreplace")
            try:
                if os.write(handle, raw) != len(raw):
                    raise OSError(28, os.strerror(28))
                os.fsync(handle)
            except OSError as error:
                with suppress(OSError):
                    os.ftruncate(handle, size)
                raise self._unwritable(error) from error
        return len(new)

    def events(self) -> list[Event]:
        """Every readable event, of the log and of conflict copies beside it, each once, ordered by (at, id).

        Raises ProgressError when a log is there and cannot be read.
        """
        found: dict[str, Event] = {}
        self.unreadable = 0
        for path in self._files():
            try:
                raw = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise ProgressError("log-unreadable", path=str(path), problem=_problem(error)) from error
            for event in self._parsed(raw):
                found.setdefault(event["id"], event)
        return sorted(found.values(), key=lambda event: (event["at"], event["id"]))

    def state(self) -> State:
        """What follows from all events."""
        return fold(self.events())

    def _files(self) -> list[Path]:
        return sorted({self.path, *self.path.parent.glob("progress*.jsonl")})

    def _parsed(self, raw: bytes) -> Iterator[Event]:
        *lines, last = raw.split(b"\n")
        for line in lines:
            event = _parse(line)
            if event:
                yield event
            elif line.strip():
                self.unreadable += 1
        if torn_or_whole := _parse(last):
            yield torn_or_whole

    def _write(self, handle: int, kind: str, data: Mapping[str, Any]) -> Event:
        size = os.lseek(handle, 0, os.SEEK_END)
        tail = _read(handle, max(0, size - _TAIL), size)
        event: Event = {
            "v": VERSION,
            "id": secrets.token_hex(8),
            "at": _moment(after=_last_moment(tail)),
            "study": self.study,
            "kind": kind,
            **data,
        }
        line = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"
        if tail and not tail.endswith(b"\n"):
            line = b"\n" + line
        try:
            if os.write(handle, line) != len(line):
                raise OSError(28, os.strerror(28))
            os.fsync(handle)
        except OSError:
            # A full disk takes half a line: give it back, so that the file ends as it did before.
            with suppress(OSError):
                os.ftruncate(handle, size)
            raise
        return event

    @contextmanager
    def _opened(self) -> Iterator[int]:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            handle = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            with _locked(handle):
                yield handle
        finally:
            os.close(handle)

    def _unwritable(self, error: OSError) -> ProgressError:
        return ProgressError("log-unwritable", path=str(self.path), problem=_problem(error))


@dataclass(frozen=True)
class Answer:
    """The last time that a notebook wrote an exercise's file: the text's hash, the notebook, the time."""

    sha256: str
    by: str
    at: str


@dataclass(frozen=True)
class Check:
    """An outcome as the log keeps it: when, of which artefact, by which judge, and the findings as data."""

    outcome: str
    how: str
    at: str
    artefact: str
    judge: str
    waiting: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rank(self) -> int:
        """How much it proves: nothing, a pass from recorded data or files, an emulated one, a real one."""
        return 1 + _EVIDENCE.index(self.how) if self.outcome == "passed" and self.how in _EVIDENCE else 0


#: Evidence for a pass, the strongest last.
_EVIDENCE = ("fixture", "static", "emulated", "real")


@dataclass(frozen=True)
class State:
    """What a learner has done, as the events tell it.

    `best` holds, for each exercise, the check that proves the most: a pass is never taken away by a later check.
    `latest` holds the last one. `tries` counts failed checks of different answers, `hints` the hints that were opened.
    """

    ticks: Mapping[str, bool] = field(default_factory=dict)
    answers: Mapping[tuple[str, str], Answer] = field(default_factory=dict)
    best: Mapping[str, Check] = field(default_factory=dict)
    latest: Mapping[str, Check] = field(default_factory=dict)
    tries: Mapping[str, int] = field(default_factory=dict)
    hints: Mapping[str, int] = field(default_factory=dict)
    solutions: frozenset[str] = frozenset()
    contexts: Mapping[str, str] = field(default_factory=dict)
    studies: frozenset[str] = frozenset()

    def ticked(self, item: str, formerly: Iterable[str] = ()) -> bool:
        """Whether an item is ticked, under its name or, where that has no event yet, one that it had before."""
        return next((self.ticks[name] for name in (item, *formerly) if name in self.ticks), False)

    def answered(self, exercise: str) -> bool:
        """Whether an answer to the exercise was ever written."""
        return any(slug == exercise for slug, _ in self.answers)

    def passed(self, exercise: str) -> Check | None:
        """The check that passed an exercise, the one that proves the most; None while there is none."""
        check = self.best.get(exercise)
        return check if check and check.rank else None


def fold(events: Iterable[Event]) -> State:
    """The state after `events`, which are in order. Kinds and fields that this version does not know are passed over."""
    ticks: dict[str, bool] = {}
    answers: dict[tuple[str, str], Answer] = {}
    best: dict[str, Check] = {}
    latest: dict[str, Check] = {}
    failed: dict[str, set[str]] = {}
    hints: dict[str, int] = {}
    solutions: set[str] = set()
    contexts: dict[str, str] = {}
    studies: set[str] = set()
    for event in events:
        if isinstance(event.get("study"), str):
            studies.add(event["study"])
        match event:
            case {"kind": "tick", "item": str(item), "done": bool(done)}:
                ticks[item] = done
            case {"kind": "answer", "exercise": str(exercise), "file": str(file), "sha256": str(sha), "by": str(by)}:
                answers[exercise, file] = Answer(sha, by, event["at"])
            case {"kind": "outcome", "exercise": str(exercise), "outcome": str(), "findings": list()}:
                check = _check(event)
                latest[exercise] = check
                if exercise not in best or check.rank >= best[exercise].rank:
                    best[exercise] = check
                if check.outcome == "failed":
                    failed.setdefault(exercise, set()).add(check.artefact)
            case {"kind": "hint", "exercise": str(exercise), "number": int(opened)}:
                hints[exercise] = max(opened, hints.get(exercise, 0))
            case {"kind": "solution", "exercise": str(exercise)}:
                solutions.add(exercise)
            case {"kind": "reset", "exercise": str(exercise)}:
                failed.pop(exercise, None)
                latest.pop(exercise, None)
            case {"kind": "use", "backend": str(backend), "context": str(context)}:
                contexts[backend] = context
    tries = {exercise: len(artefacts) for exercise, artefacts in failed.items()}
    return State(ticks, answers, best, latest, tries, hints, frozenset(solutions), contexts, frozenset(studies))


def _check(event: Event) -> Check:
    waiting = event.get("waiting")
    return Check(
        outcome=event["outcome"],
        how=str(event.get("how", "static")),
        at=event["at"],
        artefact=str(event.get("artefact", "")),
        judge=str(event.get("judge", "")),
        waiting=tuple(map(str, waiting)) if isinstance(waiting, list) else (),
        data=event,
    )


def _parse(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(event, dict) and all(isinstance(event.get(name), str) for name in ("id", "at", "kind"))
    return event if whole else None


def _read(handle: int, start: int, end: int) -> bytes:
    os.lseek(handle, start, os.SEEK_SET)
    return os.read(handle, end - start)


def _last_moment(tail: bytes) -> str:
    for line in reversed(tail.split(b"\n")):
        if event := _parse(line):
            return str(event["at"])
    return ""


def _moment(after: str) -> str:
    """This moment in UTC to the millisecond; a millisecond after `after` where the clock is not beyond that."""
    now = dt.datetime.now(dt.UTC)
    with suppress(ValueError, TypeError):
        now = max(now, dt.datetime.fromisoformat(after) + dt.timedelta(milliseconds=1))
    return now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"


def _problem(error: OSError) -> str:
    return error.strerror or type(error).__name__


@contextmanager
def _locked(handle: int) -> Iterator[None]:
    """Hold the file against other processes. A file system without locks is used without: single lines still are whole."""
    try:
        _lock(handle)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):
            _unlock(handle)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)

    def _unlock(handle: int) -> None:
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX)

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)
