"""Where a cohort's notebooks are written: a folder, or a bucket behind an address such as `s3://school/autumn`.

Both promise the same: a file is there whole or not at all, and writing it again does no harm. A store travels to
workers, so it holds an address and no connection.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from curriculum.answers import replace_file
from curriculum.errors import OutputError
from curriculum.places import data_folder

#: The end of the name that a file has while it is written. Whatever was left with it by a crash is written over.
PART = ".part"
#: What a learner's work leaves beside a notebook.
TRACES = ("progress.jsonl", "work")
JOURNAL = ".cohort.sqlite"


class Store(Protocol):
    """Files by their names below one place, with `/` on every system."""

    def read(self, name: str) -> bytes | None:
        """What a file holds; None where there is none. Raises OutputError."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all, making its folder. Raises OutputError."""

    def worked(self, folder: str) -> bool:
        """Whether a learner's work lies in a folder. Raises OutputError."""

    def create(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """A file to write piece by piece; it is there, whole, when the block has ended. Raises OutputError."""

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        """The objects of a file of JSON Lines; a torn line is left out, a missing file has none. Raises OutputError."""

    def journal(self) -> Path:
        """Where a run's journal lies: a file of this machine."""


def store_at(address: str) -> Store:
    """The store for a path or an address. Raises OutputError where the package for the address is missing."""
    if "://" in address and not address.startswith("file://"):
        return Cloud(address.rstrip("/"))
    return Local(address.removeprefix("file://"))


@dataclass(frozen=True)
class Local:
    """A folder of this machine, or one that all workers share."""

    root: str

    def path(self, name: str) -> Path:
        return Path(self.root, *name.split("/"))

    def read(self, name: str) -> bytes | None:
        path = self.path(name)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unwritable(path, error) from error

    def write(self, name: str, data: bytes) -> None:
        path = self.path(name)
        # One run at a time works in a folder, so that the name can be known: a crash leaves nothing that stays.
        part = path.with_name(f".{path.name}{PART}")
        try:
            try:
                handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                replace_file(str(part), path)
            except BaseException:
                part.unlink(missing_ok=True)
                with suppress(OSError):
                    path.parent.rmdir()
                raise
        except OSError as error:
            raise _unwritable(path, error) from error

    @contextmanager
    def create(self, name: str) -> Iterator[IO[bytes]]:
        path = self.path(name)
        part = path.with_name(f".{path.name}{PART}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("wb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                replace_file(str(part), path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise _unwritable(path, error) from error

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        try:
            with self.path(name).open(encoding="utf-8", errors="replace") as file:
                yield from _objects(file)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unwritable(self.path(name), error) from error

    def journal(self) -> Path:
        return Path(self.root, JOURNAL)

    def worked(self, folder: str) -> bool:
        return any(self.path(f"{folder}/{trace}").exists() for trace in TRACES)


def _objects(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict):
                yield value


def _unwritable(path: Path | str, error: Exception) -> OutputError:
    problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return OutputError("cannot-write", path=str(path), problem=problem)


@dataclass(frozen=True)
class Cloud:
    """Objects behind an address that fsspec knows. An object appears whole; what was written is looked at again."""

    root: str

    @property
    def _files(self) -> Any:
        try:
            import fsspec

            return fsspec.core.url_to_fs(self.root, use_listings_cache=False)[0]
        except ImportError as error:
            raise OutputError("no-cloud", address=self.root, problem=str(error)) from error
        except ValueError as error:
            raise OutputError("bad-address", address=self.root, problem=str(error)) from error

    def read(self, name: str) -> bytes | None:
        try:
            return bytes(self._files.cat_file(f"{self.root}/{name}"))
        except FileNotFoundError:
            return None
        except OutputError:
            raise
        except Exception as error:
            raise _unwritable(f"{self.root}/{name}", error) from error

    def write(self, name: str, data: bytes) -> None:
        address = f"{self.root}/{name}"
        try:
            files = self._files
            files.pipe_file(address, data)
            files.invalidate_cache()
            there = files.info(address)
        except OutputError:
            raise
        except Exception as error:
            raise _unwritable(address, error) from error
        tag = str(there.get("ETag", "")).strip('"')
        if there["size"] != len(data) or (
            len(tag) == 32 and tag != hashlib.md5(data, usedforsecurity=False).hexdigest()
        ):
            raise OutputError("not-as-written", path=address)

    @contextmanager
    def create(self, name: str) -> Iterator[IO[bytes]]:
        # An object is written at once or not at all, so it is gathered on this machine's disk.
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            self.write(name, file.read())

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        yield from _objects((self.read(name) or b"").decode(errors="replace").splitlines())

    def journal(self) -> Path:
        digest = hashlib.sha256(self.root.encode()).hexdigest()[:16]
        return data_folder() / f"cohort-{digest}.sqlite"

    def worked(self, folder: str) -> bool:
        try:
            files = self._files
            return any(files.exists(f"{self.root}/{folder}/{trace}") for trace in TRACES)
        except OutputError:
            raise
        except Exception as error:
            raise _unwritable(f"{self.root}/{folder}", error) from error
