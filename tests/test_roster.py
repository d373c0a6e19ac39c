"""Rosters as people keep them: every format and encoding, headings in both languages, and a sentence for what is none."""

from __future__ import annotations

import datetime as dt
import io
import json
import sys
import tracemalloc
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from curriculum.catalog import catalog_at
from curriculum.cli import run
from curriculum.errors import RequestError, RosterError
from curriculum.roster import Row, check_roster, count_rows, open_roster
from curriculum.roster_sample import write_sample
from tests.conftest import SMALL

TEXT = "学籍番号,お名前,レベル,開始日,フリガナ\n007,佐藤 花子,初級,2026/11/30,サトウ\n008,鈴木,上級,,スズキ\n"
ROWS = [
    {"id": "007", "learner": "佐藤 花子", "level": "初級", "start": "2026/11/30"},
    {"id": "008", "learner": "鈴木", "level": "上級"},
]


def read(path: Path | str) -> tuple[list[Row], list[str]]:
    with closing(open_roster(path)) as roster:
        rows = list(roster.rows)
        return rows, [notice.key for notice in roster.warnings]


def values(path: Path | str) -> list[dict[str, str]]:
    return [row.values for row in read(path)[0]]


def refusal(path: Path | str) -> str:
    with pytest.raises(RosterError) as error:
        read(path)
    for lang in ("ja", "en"):
        assert error.value.sentence(lang)
    return error.value.key


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_text_in_every_form_that_excel_writes(tmp_path: Path, encoding: str, delimiter: str, line_end: str) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(TEXT.replace(",", delimiter).replace("\n", line_end).encode(encoding))
    rows, warnings = read(path)
    assert [row.values for row in rows] == ROWS
    assert [row.number for row in rows] == [2, 3]
    assert warnings == ["ignored"]


def test_cp932_that_shows_late_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(b"id,name\n" + b"".join(b"s%06d,x\n" % n for n in range(200_000)) + "a,山田\n".encode("cp932"))
    assert values(path)[-1] == {"id": "a", "learner": "山田"}


def test_data_instead_of_tables(tmp_path: Path) -> None:
    """JSON Lines and YAML, with what all share in the head, and lists as lists."""
    lines = tmp_path / "r.jsonl"
    lines.write_text('{"id": "a", "known": ["git", "docker"], "hours_per_week": 7.5}\n\n{"ID": "b"}\nrubbish\n[1]\n')
    rows, _ = read(lines)
    assert [row.values for row in rows[:2]] == [
        {"id": "a", "known": "git,docker", "hours_per_week": "7.5"},
        {"id": "b"},
    ]
    assert [[fault.key for fault in row.faults] for row in rows[2:]] == [["roster-json"], ["roster-no-object"]]
    tree = tmp_path / "r.yaml"
    tree.write_text(
        "cohort: {level: 初級, 開始日: 2026-11-30}\nlearners:\n  - {id: '007', 氏名: 佐藤}\n", encoding="utf-8"
    )
    with closing(open_roster(tree)) as roster:
        assert [row.values for row in roster.rows] == [{"id": "007", "learner": "佐藤"}]
        assert roster.defaults == {"level": "初級", "start": "2026-11-30"}


def test_a_pipe_is_read_by_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe:
        def __init__(self, data: bytes) -> None:
            self.buffer = io.BytesIO(data)

    for data in (TEXT.encode("cp932"), b'{"id": "007"}\n{"id": "008"}\n', b"- id: '007'\n- id: '008'\n"):
        monkeypatch.setattr(sys, "stdin", Pipe(data))
        assert [row["id"] for row in values("-")] == ["007", "008"]
    assert count_rows("-") is None


def write_xlsx(path: Path, rows: list[list[Any]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_excel_dates_numbers_and_errors(tmp_path: Path) -> None:
    """A date is a date, 8.0 is 8, and a broken formula is the row's fault."""
    day = dt.datetime(2026, 11, 30)
    path = write_xlsx(
        tmp_path / "r.xlsx", [["名簿"], [], ["ID", "週の時間", "開始日"], [7, 8.0, day], ["b", "#REF!", None]]
    )
    rows, warnings = read(path)
    assert rows[0].values == {"id": "7", "hours_per_week": "8", "start": "2026-11-30"}
    assert rows[0].number == 4
    assert [fault.key for fault in rows[1].faults] == ["roster-excel-error"]
    assert "titles" in warnings


def test_names_make_ids_where_there_is_no_such_column(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("name,level\nTaro  Yamada,beginner\n")
    assert values(path) == [{"id": "Taro-Yamada", "learner": "Taro  Yamada", "level": "beginner"}]
    path.write_text("id,name\n００７,x\n,y\n", encoding="utf-8")
    assert values(path) == [{"id": "007", "learner": "x"}, {"learner": "y"}]


def test_titles_repeated_headers_and_lost_zeros(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("春の研修\n2026 年度,,\n\nid,name,levle\n007,a,x\nid,name,levle\n7,b,y\n", encoding="utf-8")
    rows, warnings = read(path)
    assert [row.values["id"] for row in rows] == ["007", "7"]
    assert [row.number for row in rows] == [5, 7]
    assert warnings == ["titles", "column-near", "ignored", "zeros"]


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"\0" * 60_000_000)


def test_what_is_no_roster_is_refused_with_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    cases: dict[str, tuple[str, bytes]] = {
        "roster-empty": ("a.csv", b" \n"),
        "roster-binary": ("b.csv", b"id,name\n\x00\xff\xfe\x81"),
        "roster-no-header": ("c.csv", b"1,2,3\n4,5,6\n"),
        "roster-no-rows": ("d.csv", b"id,name\n"),
        "roster-column-twice": ("e.csv", b"id,name,full name\na,b,c\n"),
        "roster-old-excel": ("f.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 rest"),
        "roster-broken-xlsx": ("g.xlsx", b"PK\x03\x04 rubbish"),
        "roster-yaml": ("h.yaml", b"a: &x [1]\nb: *x\n"),
        "roster-yaml-shape": ("i.yaml", b"just: this\n"),
    }
    for key, (name, data) in cases.items():
        (tmp_path / name).write_bytes(data)
        assert refusal(tmp_path / name) == key
    bomb(tmp_path / "z.xlsx")
    assert refusal(tmp_path / "z.xlsx") == "roster-bomb"
    assert refusal(tmp_path) == "roster-folder"
    with pytest.raises(RosterError) as error:
        open_roster(tmp_path / "a.cvs")
    assert "a.csv" in error.value.sentence("en")


def test_too_many_fields_are_the_rows_fault(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("id,name\na,Sato, Hanako\nb\n")
    rows, _ = read(path)
    assert [fault.key for fault in rows[0].faults] == ["roster-too-many"]
    assert rows[1].values == {"id": "b"}


def test_memory_does_not_grow_with_the_roster(tmp_path: Path) -> None:
    peaks = []
    for count in (1_000, 50_000):
        path = tmp_path / f"{count}.csv"
        path.write_text("id,name\n" + "".join(f"s{n},Learner {n}\n" for n in range(count)))
        tracemalloc.start()
        with closing(open_roster(path)) as roster:
            assert sum(1 for _ in roster.rows) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + 1_000_000


def test_every_fault_is_listed_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also several in one row, each with its column."""
    path = tmp_path / "r.csv"
    path.write_text(
        "id,level,start,hours_per_week\na,guru,2026-13-01,900\nA,beginner,,\n,beginner,,\nb,beginner,,\n../x,beginner,,\n"
    )
    catalog = catalog_at(str(SMALL))
    report = check_roster(open_roster(path), catalog, {"role": "tester"})
    found = [(fault.row, fault.column, fault.error.key) for fault in report.faults]
    assert sorted(found[:3]) == [
        (2, "hours_per_week", "bad-hours"),
        (2, "level", "unknown-level"),
        (2, "start", "no-such-date"),
    ]
    assert found[3:] == [(3, "id", "cohort-id-alike"), (4, "id", "cohort-no-id"), (6, "id", "bad-id")]
    with pytest.raises(RequestError):
        check_roster(open_roster(path), catalog, {"role": "tester", "start": "x"})
    argv = ["roster", "check", str(path), "--role", "tester", "--content", str(SMALL), "--json"]
    assert run(argv) == 1
    assert len(json.loads(capsys.readouterr().out)["faults"]) == 6


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_sample_is_a_roster_without_fault(tmp_path: Path, lang: str, ending: str) -> None:
    if ending == "xlsx":
        pytest.importorskip("openpyxl")
    path, catalog = tmp_path / f"sample.{ending}", catalog_at(None)
    write_sample(path, catalog, lang, dt.date(2026, 11, 25))
    report = check_roster(open_roster(path), catalog, {})
    assert (report.learners, report.faults) == (3, [])
    assert run(["roster", "new", str(path)]) == 1
