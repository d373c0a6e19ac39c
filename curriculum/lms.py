"""A cohort's notebooks as a learning platform takes them: Moodle's feedback files, or one flat folder."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curriculum.errors import OutputError, RosterError
from curriculum.messages import say
from curriculum.request import fold
from curriculum.store import Local

Json = dict[str, Any]

#: Columns of Moodle's grading worksheet, as its English and its Japanese name them.
_COLUMNS = {
    "identifier": ("Identifier", "識別子"),
    "name": ("Full name", "フルネーム", "姓名", "氏名"),
    "number": ("ID number", "IDナンバー", "ID番号"),
    "mail": ("Email address", "メールアドレス"),
}
_MEANS = {fold(name): column for column, names in _COLUMNS.items() for name in names}
#: A file's name on a shared drive, at most; and the time that every entry of a zip bears, so that it is the same again.
_LONGEST, _TIME = 100, (1980, 1, 1, 0, 0, 0)


@dataclass
class Packed:
    """Where the notebooks were packed, how many learners, and who was not found on the platform."""

    path: Path
    learners: int = 0
    unmatched: list[str] = field(default_factory=list)

    def as_dict(self) -> Json:
        """Plain data, for `cohort --json`."""
        return {"path": str(self.path), "learners": self.learners, "unmatched": self.unmatched}

    def sentences(self, lang: str) -> Iterator[str]:
        """What a person should know of it."""
        yield say(lang, "lms.packed", path=str(self.path), count=self.learners)
        if self.unmatched:
            shown = [*self.unmatched[:20], *(["…"] if len(self.unmatched) > 20 else [])]
            yield say(lang, "lms.unmatched", count=len(self.unmatched), ids=shown)


def pack_moodle(lines: Iterable[Json], store: Local, worksheet: Path, out: Path) -> Packed:
    """One zip for *Upload multiple feedback files in a zip*, from a manifest and the assignment's grading worksheet.

    A learner is found by ID number, else by an e-mail address that is the id, else by a full name that only one
    participant has; whoever is not found is told, never guessed. Moodle reads the participant's number from a file
    name `<full name>_<number>_assignfeedback_file_<file>`
    (mod/assign/feedback/file/importziplib.php of Moodle 4 and 5, and before).
    Raises RosterError for a file that is no grading worksheet, and OutputError.
    """
    participants = _participants(worksheet)
    packed = Packed(out)
    with _Writing(out) as archive:
        for line in _ready(lines):
            found = _find(line, participants)
            if found is None:
                packed.unmatched.append(line["id"])
                continue
            packed.learners += 1
            number, name = found
            for file in line["files"]:
                entry = f"{name}_{number}_assignfeedback_file_{file['file'].rpartition('/')[2]}"
                _add(archive, entry, store, file["file"])
    return packed


def pack_folder(lines: Iterable[Json], store: Local, out: Path) -> Packed:
    """One zip of files whose names keep learners apart in one shared folder: `<id>_<name>_study.<lang>.ipynb`.

    Raises OutputError.
    """
    packed = Packed(out)
    with _Writing(out) as archive:
        for line in _ready(lines):
            packed.learners += 1
            name = _plain((line.get("request") or {}).get("learner", ""))
            for file in line["files"]:
                end = file["file"].rpartition("/")[2]
                head = f"{line['id']}_{name}"[: _LONGEST - len(end)].rstrip("_. ") if name else line["id"]
                _add(archive, f"{head}_{end}", store, file["file"])
    return packed


def _ready(lines: Iterable[Json]) -> Iterator[Json]:
    return (line for line in lines if line["status"] in {"made", "unchanged", "updated", "skipped"} and line["files"])


class _Writing:
    """A zip that is there whole or not at all."""

    def __init__(self, out: Path) -> None:
        self.out, self.part = out, out.with_name(f".{out.name}.part")

    def __enter__(self) -> zipfile.ZipFile:
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self.archive = zipfile.ZipFile(self.part, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        except OSError as error:
            raise self._error(error) from error
        return self.archive

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self.archive.close()
            if error is None:
                self.part.replace(self.out)
        except OSError as problem:
            raise self._error(problem) from problem
        finally:
            self.part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise self._error(error) from error

    def _error(self, error: OSError) -> OutputError:
        return OutputError("cannot-write", path=str(self.out), problem=error.strerror or str(error))


def _add(archive: zipfile.ZipFile, entry: str, store: Local, file: str) -> None:
    """What the learner's folder holds now goes in; a file that is gone is left out."""
    data = store.read(file)
    if data is not None:
        info = zipfile.ZipInfo(entry, _TIME)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        archive.writestr(info, data)


def _participants(worksheet: Path) -> Mapping[str, dict[str, list[tuple[str, str]]]]:
    """The participants of a worksheet by each way to find them: their numbers and their names without signs."""
    try:
        text = worksheet.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise RosterError("roster-missing", path=str(worksheet), near="") from error
    except UnicodeDecodeError as error:
        raise RosterError("roster-binary", path=str(worksheet)) from error
    except OSError as error:
        raise RosterError("roster-unreadable", path=str(worksheet), problem=error.strerror or str(error)) from error
    rows = csv.reader(io.StringIO(text, newline=""))
    columns = [_MEANS.get(fold(name), "") for name in next(rows, [])]
    if "identifier" not in columns:
        raise RosterError("lms-worksheet", path=str(worksheet))
    found: dict[str, dict[str, list[tuple[str, str]]]] = {"number": {}, "mail": {}, "name": {}}
    for row in rows:
        values = dict(zip(columns, row, strict=False))
        number = re.search(r"(\d+)\s*$", unicodedata.normalize("NFKC", values["identifier"]))
        if number:
            participant = (number[1], _plain(values.get("name", "")) or "participant")
            for way, table in found.items():
                if key := fold(values.get(way, "")):
                    table.setdefault(key, []).append(participant)
    return found


def _find(line: Json, participants: Mapping[str, dict[str, list[tuple[str, str]]]]) -> tuple[str, str] | None:
    name = (line.get("request") or {}).get("learner", "")
    for way, value in (("number", line["id"]), ("mail", line["id"]), ("name", name)):
        there = participants[way].get(fold(value), []) if value else []
        if len(there) == 1:
            return there[0]
    return None


def _plain(name: str) -> str:
    """A name that may stand in a file's name on every system; `_` would split Moodle's."""
    return " ".join(re.sub(r"[^\w.\- ]|_", " ", unicodedata.normalize("NFC", name)).split()).strip(". ")
