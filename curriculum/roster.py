"""Rosters: tables of learners as people keep them, read row by row.

CSV and its relatives in the encodings that Excel writes, XLSX, JSON Lines and YAML, from a file or from a pipe. Column
names are understood in English and in Japanese. Values stay as they were written; what they mean is for
`curriculum.request.resolve` to say. Nothing is held but the row at hand.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import json
import re
import shutil
import sys
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from curriculum.catalog import Catalog
from curriculum.errors import CohortError, CurriculumError, RequestError, RosterError, near
from curriculum.journal import fold as fold_id
from curriculum.model import LEVELS
from curriculum.request import fold, resolve, shown
from curriculum.source import parse_yaml

#: What a column is called, in the words of those who keep rosters; the first name is ours.
_NAMES = {
    "id": ("id", "learner id", "student id", "student number", "employee id", "受講者ID", "受講生ID", "学籍番号", "社員番号", "学生番号", "番号", "ユーザーID"),
    "learner": ("learner", "name", "full name", "student", "student name", "氏名", "名前", "お名前", "受講者", "受講者名", "受講生", "学生氏名", "社員名"),
    "role": ("role", "job", "職種", "ロール", "役割"),
    "level": ("level", "レベル", "習熟度", "コース", "段階"),
    "lang": ("lang", "language", "言語", "使用言語"),
    "hours_per_week": ("hours per week", "hours/week", "weekly hours", "pace", "週の学習時間", "週あたりの学習時間", "週時間", "学習時間", "週の時間", "学習時間（週）"),
    "start": ("start", "start date", "first day", "開始日", "開始", "受講開始日"),
    "deadline": ("deadline", "due", "due date", "end date", "期限", "締切", "締め切り", "終了日", "修了期限"),
    "known": ("known", "known tools", "already knows", "習得済み", "既習", "経験", "経験のあるツール", "使えるツール"),
    "pause": ("pause", "pauses", "break", "休止", "休止期間", "休み"),
    "phase": ("phase", "phases", "フェーズ"),
    "only": ("only", "only tools", "対象", "対象ツール"),
    "prefer": ("prefer", "preferred", "preferred tools", "使うツール", "希望ツール"),
    "depth": ("depth", "学ぶ範囲", "範囲"),
    "fit": ("fit", "期限優先", "期限に合わせる"),
    "single": ("single", "一冊", "1 冊にまとめる"),
    "industry": ("industry", "業界", "業種"),
}  # fmt: skip
COLUMNS = tuple(_NAMES)
_MEANS = {fold(name): column for column, names in _NAMES.items() for name in names}
#: Lines above the header that may be titles, bytes that are looked at to tell formats apart.
_TITLES, _HEAD = 20, 65536
_JSON, _YAML, _TEXT = {".jsonl", ".ndjson", ".json"}, {".yaml", ".yml"}, {".csv", ".tsv", ".txt"}
_ENCODINGS = ("utf-8-sig", "cp932")
#: An XLSX is a zip file: what it may unpack to, in bytes and against its own size.
_MOST_UNPACKED, _MOST_RATIO = 2_000_000_000, 200
_MOST_YAML = 20_000_000


@dataclass(frozen=True)
class Row:
    """A learner's row: its number as a person counts, its values by column, empty ones left out, and what is wrong."""

    number: int
    values: dict[str, str]
    faults: tuple[RosterError, ...] = ()


@dataclass(frozen=True)
class Notice:
    """Something that a person should know about a roster, though it can be read."""

    key: str
    params: dict[str, object]

    def sentence(self, lang: str = "en") -> str:
        from curriculum.errors import with_near
        from curriculum.messages import say

        return say(lang, f"roster.{self.key}", **with_near(lang, self.params))


@dataclass
class Roster:
    """A roster that is being read. `warnings` is complete when `rows` has ended."""

    rows: Iterator[Row]
    defaults: dict[str, str] = field(default_factory=dict)
    warnings: list[Notice] = field(default_factory=list)
    files: ExitStack = field(default_factory=ExitStack, repr=False)

    def close(self) -> None:
        """Close the file; for a roster that is not read to its end, too."""
        self.files.close()


def open_roster(source: str | Path) -> Roster:
    """Read a roster; `-` is a pipe. Raises RosterError when it is no roster at all, also while `rows` are read."""
    if str(source) == "-":
        spool = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the rows
        shutil.copyfileobj(sys.stdin.buffer, spool)
        spool.seek(0)
        return _opened("stdin", spool)
    path = Path(source)
    try:
        if path.is_dir():
            raise RosterError("roster-folder", path=str(path))
        return _opened(str(path), path.open("rb"))
    except FileNotFoundError as error:
        there = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise RosterError("roster-missing", path=str(path), near=near(path.name, there)) from error
    except OSError as error:
        raise RosterError("roster-unreadable", path=str(path), problem=error.strerror or str(error)) from error


def count_rows(source: str | Path) -> int | None:
    """How many rows a roster has, for a progress bar; None for a pipe, and where it cannot be read."""
    if str(source) == "-":
        return None
    try:
        with closing(open_roster(source)) as roster:
            return sum(1 for _ in roster.rows)
    except RosterError:
        return None


def _opened(name: str, file: IO[bytes]) -> Roster:
    with ExitStack() as files:
        files.enter_context(file)
        roster = _told(name, file, files)
        roster.files = files.pop_all()
        return roster


def _told(name: str, file: IO[bytes], files: ExitStack) -> Roster:
    """The roster in a file, by what the file holds, and by its name where that leaves it open."""
    head = file.read(_HEAD)
    file.seek(0)
    if not head.strip():
        raise RosterError("roster-empty", path=name)
    if head.startswith(b"PK\x03\x04"):
        return _table(name, _xlsx(name, file))
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise RosterError("roster-old-excel", path=name)
    text = files.enter_context(io.TextIOWrapper(file, encoding=_encoding(name, file), newline=""))
    start = text.read(4096)
    text.seek(0)
    suffix = Path(name).suffix.casefold()
    if suffix in _JSON or (suffix not in _TEXT and start.lstrip().startswith("{")):
        return _json_lines(name, text)
    if suffix in _YAML or (suffix not in _TEXT and re.match(r"\s*(- |cohort:|learners:)", start)):
        return _yaml(name, text)
    return _table(name, _csv(text, name, start))


def _encoding(name: str, file: IO[bytes]) -> str:
    """The first encoding in which the whole file can be read; the file is at its beginning again."""
    head = file.read(4)
    file.seek(0)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for encoding in _ENCODINGS:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        try:
            while chunk := file.read(1 << 20):
                if "\0" in decoder.decode(chunk):
                    raise RosterError("roster-binary", path=name)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        finally:
            file.seek(0)
        return encoding
    raise RosterError("roster-binary", path=name)


# --- tables ----------------------------------------------------------------------------------------------------------

Cells = Sequence[str | RosterError]


def _csv(text: io.TextIOWrapper, name: str, start: str) -> Iterator[tuple[int, Cells]]:
    """Each line that is not empty, with its number in the file."""
    first = start.splitlines()[:_TITLES]
    delimiter = max("\t,;", key=lambda sign: sum(line.count(sign) for line in first))
    table = csv.reader(text, delimiter=delimiter)
    csv.field_size_limit(1_000_000)
    begin = 1
    while True:
        try:
            cells = next(table)
        except StopIteration:
            return
        except (csv.Error, UnicodeError) as error:
            raise RosterError("roster-line", path=name, row=begin, problem=str(error)) from error
        number, begin = begin, table.line_num + 1
        if any(cell.strip() for cell in cells):
            yield number, cells


def _xlsx(name: str, file: IO[bytes]) -> Iterator[tuple[int, Cells]]:
    """The rows of the first visible sheet that has any. Formulas give the value that Excel has stored."""
    try:
        import openpyxl
    except ImportError as error:
        raise RosterError("roster-no-xlsx", problem=str(error)) from error
    try:
        with zipfile.ZipFile(file) as archive:
            sizes = [(entry.file_size, entry.compress_size) for entry in archive.infolist()]
        unpacked, packed = (sum(column) for column in zip(*sizes, strict=True))
        if unpacked > _MOST_UNPACKED or (unpacked > 10_000_000 and unpacked > _MOST_RATIO * packed):
            raise RosterError("roster-bomb", path=name)
        file.seek(0)
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        for sheet in book.worksheets:
            if sheet.sheet_state != "visible":
                continue
            sheet.reset_dimensions()
            some = False
            for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
                cells = [_excel(value) for value in row]
                if any(isinstance(cell, RosterError) or cell.strip() for cell in cells):
                    some = True
                    yield number, cells
            if some:
                return
    except RosterError:
        raise
    except Exception as error:
        raise RosterError("roster-broken-xlsx", path=name, problem=str(error) or type(error).__name__) from error


def _excel(value: object) -> str | RosterError:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    return RosterError("roster-excel-error", value=text) if re.fullmatch(r"#[A-Z/0!?]+", text) else text


def _table(name: str, lines: Iterator[tuple[int, Cells]]) -> Roster:
    roster = Roster(iter(()))
    titles = []
    for number, cells in islice(lines, _TITLES):
        columns = [_MEANS.get(fold(str(cell)), "") for cell in cells]
        known = [column for column in columns if column]
        if {"id", "learner"} & set(known) and (len(known) > 1 or len([c for c in cells if str(c).strip()]) == 1):
            break
        titles.append(number)
    else:
        raise RosterError("roster-no-header", path=name)
    for column in known:
        if known.count(column) > 1:
            written = [str(cell).strip() for cell, means in zip(cells, columns, strict=True) if means == column]
            raise RosterError("roster-column-twice", path=name, column=column, names=written)
    if titles:
        roster.warnings.append(Notice("titles", {"count": len(titles), "row": number}))
    ignored = [
        str(cell).strip() for cell, column in zip(cells, columns, strict=True) if not column and str(cell).strip()
    ]
    for word in ignored:
        if guess := near(fold(word), _MEANS):
            roster.warnings.append(Notice("column-near", {"column": shown(word), "near": guess}))
    if ignored:
        roster.warnings.append(Notice("ignored", {"columns": [shown(word) for word in ignored]}))
    header = [str(cell).strip() for cell in cells]
    roster.rows = _checked(name, _table_rows(lines, columns, header), roster)
    return roster


def _table_rows(lines: Iterator[tuple[int, Cells]], columns: list[str], header: list[str]) -> Iterator[Row]:
    for number, cells in lines:
        if [str(cell).strip() for cell in cells] == header:
            continue
        faults = [
            RosterError(cell.key, **cell.params, row=number, column=column)
            for cell, column in zip(cells, columns, strict=False)
            if isinstance(cell, RosterError) and column
        ]
        extra = [cell for cell in cells[len(columns) :] if str(cell).strip()]
        if extra:
            faults.append(
                RosterError("roster-too-many", row=number, column="", count=len(cells), expected=len(columns))
            )
        values = {
            column: str(cell)
            for column, cell in zip(columns, cells, strict=False)
            if column and not isinstance(cell, RosterError)
        }
        yield Row(number, values, tuple(faults))


# --- data ------------------------------------------------------------------------------------------------------------


def _json_lines(name: str, text: io.TextIOWrapper) -> Roster:
    roster = Roster(iter(()))

    def rows() -> Iterator[Row]:
        number = 0
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Row(number, {}, (RosterError("roster-json", row=number, column="", problem=str(error)),))
                continue
            yield _from_data(number, value, unknown)

    unknown: dict[str, None] = {}
    roster.rows = _checked(name, _telling(rows(), roster, unknown), roster)
    return roster


def _yaml(name: str, text: io.TextIOWrapper) -> Roster:
    source = text.read(_MOST_YAML + 1)
    if len(source) > _MOST_YAML:
        raise RosterError("roster-yaml-long", path=name)
    document = parse_yaml(source, name)
    if document.faults:
        fault = document.faults[0]
        raise RosterError("roster-yaml", path=name, row=fault.line or 1, problem=fault.key, fault=fault)
    value: Any = document.value
    head: Mapping[str, Any] = {}
    if isinstance(value, dict):
        head, value = value.get("cohort") or {}, value.get("learners")
    if not isinstance(value, list) or not isinstance(head, dict):
        raise RosterError("roster-yaml-shape", path=name)
    unknown: dict[str, None] = {}
    defaults = _from_data(0, head, unknown)
    roster = Roster(iter(()), defaults.values)
    rows = (_from_data(n, entry, unknown) for n, entry in enumerate(value, start=1))
    roster.rows = _checked(name, _telling(rows, roster, unknown), roster)
    return roster


def _from_data(number: int, value: object, unknown: dict[str, None]) -> Row:
    if not isinstance(value, dict):
        return Row(number, {}, (RosterError("roster-no-object", row=number, column="", value=shown(str(value))),))
    values: dict[str, str] = {}
    for key, entry in value.items():
        column = _MEANS.get(fold(str(key)))
        if column is None:
            unknown[shown(str(key))] = None
        elif isinstance(entry, list):
            values[column] = ",".join(map(str, entry))
        elif entry is not None:
            values[column] = _excel(entry) if isinstance(entry, float) else str(entry)  # type: ignore[assignment]
    return Row(number, values)


def _telling(rows: Iterable[Row], roster: Roster, unknown: dict[str, None]) -> Iterator[Row]:
    yield from rows
    if unknown:
        roster.warnings.append(Notice("ignored", {"columns": list(unknown)}))


# --- every row ---------------------------------------------------------------------------------------------------------


def _checked(name: str, rows: Iterator[Row], roster: Roster) -> Iterator[Row]:
    """Rows with clean values and an id, and a word about ids that may have lost their zeros."""
    first = next(rows, None)
    if first is None:
        raise RosterError("roster-no-rows", path=name)
    lengths: set[int] = set()

    def cleaned() -> Iterator[Row]:
        for row in chain([first], rows):
            values = {column: text for column, raw in row.values.items() if (text := raw.strip())}
            if "id" in values:
                values["id"] = _plain(values["id"])
            elif "id" not in row.values and values.get("learner"):
                values["id"] = re.sub(r"\s+", "-", values["learner"])
            if values.get("id", "").isdecimal():
                lengths.add(len(values["id"]))
            yield Row(row.number, values, row.faults)
        if len(lengths) > 1:
            roster.warnings.append(Notice("zeros", {"lengths": sorted(lengths)}))

    return cleaned()


def _plain(name: str) -> str:
    """An id of letters and digits in their usual width: ００７ is 007."""
    narrow = unicodedata.normalize("NFKC", name)
    return narrow if narrow.isascii() else name


# --- every fault -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Complaint:
    """What is wrong with a row, and in which column, where it is one column's."""

    row: int
    column: str
    error: CurriculumError


@dataclass
class Report:
    """Every fault of a roster, and how many learners it has."""

    learners: int = 0
    faults: list[Complaint] = field(default_factory=list)

    def as_dict(self, lang: str) -> dict[str, Any]:
        """Plain data, for `roster check --json`."""
        faults = [
            {"row": fault.row, "column": fault.column, "key": fault.error.key, "message": fault.error.sentence(lang)}
            for fault in self.faults
        ]
        return {"learners": self.learners, "faults": faults}


def check_roster(roster: Roster, catalog: Catalog, options: Mapping[str, Any]) -> Report:
    """Read a roster to its end and find every fault of every row. `options` stand for what rows leave open.

    Raises RosterError when it is no roster at all, and RequestError for what all rows share.
    """
    report = Report()
    seen: dict[str, tuple[int, str]] = {}
    with closing(roster):
        # What all rows share is wrong once, not in every row.
        resolve(catalog, **{"level": LEVELS[0], **roster.defaults, **options})
        for row in roster.rows:
            report.learners += 1
            report.faults += [Complaint(row.number, str(error.params.get("column", "")), error) for error in row.faults]
            report.faults += _faults(row, catalog, {**roster.defaults, **options})
            if name := row.values.get("id", ""):
                if other := seen.get(fold_id(name)):
                    key = "cohort-id-twice" if other[1] == name else "cohort-id-alike"
                    error = CohortError(key, id=name, row=other[0], other=other[1])
                    report.faults.append(Complaint(row.number, "id", error))
                seen.setdefault(fold_id(name), (row.number, name))
            elif not row.faults:
                report.faults.append(Complaint(row.number, "id", CohortError("cohort-no-id")))
    return report


def _faults(row: Row, catalog: Catalog, defaults: Mapping[str, Any]) -> Iterator[Complaint]:
    """`resolve` stops at the first value that cannot be used; taken away one by one, the others show theirs."""
    values = dict(row.values)
    while True:
        try:
            resolve(catalog, **{**defaults, **values})
            return
        except RequestError as error:
            column = next((name for name in values if _at_fault(name, values, catalog, defaults, error)), "")
            yield Complaint(row.number, column, error)
            if not column:
                return
            # What a row must have is replaced, so that the rest can be looked at.
            del values[column]
            if column == "level" and "level" not in defaults:
                values["level"] = LEVELS[0]
            if column == "role" and "role" not in defaults:
                values["role"] = next(iter(catalog.role_files))


def _at_fault(
    name: str, values: Mapping[str, str], catalog: Catalog, defaults: Mapping[str, Any], error: RequestError
) -> bool:
    """Whether the error goes, or is another one, without this value."""
    rest = {column: value for column, value in values.items() if column != name}
    try:
        resolve(catalog, **{"level": LEVELS[0], **defaults, **rest})
    except RequestError as other:
        return (other.key, other.params) != (error.key, error.params)
    return True
