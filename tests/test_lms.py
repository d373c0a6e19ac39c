"""The notebooks of a cohort as a learning platform takes them."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import pytest

from curriculum.cli import run
from curriculum.errors import RosterError
from curriculum.lms import pack_folder, pack_moodle
from curriculum.store import Local
from tests.conftest import SMALL
from tests.test_cohort import made, manifest, write_roster

ROWS = [
    {"id": "007", "name": "佐藤_花子", "level": "beginner", "lang": "ja"},
    {"id": "bob@example.org", "name": "Bob", "level": "beginner", "lang": "en"},
    {"id": "c3", "name": "O'Neil / CON", "level": "advanced", "lang": "en"},
    {"id": "d4", "name": "Twin", "level": "advanced", "lang": "en"},
]
HEADS = {
    "en": ["Identifier", "Full name", "ID number", "Email address"],
    "ja": ["識別子", "フルネーム", "IDナンバー", "メールアドレス"],
}
WORD = {"en": "Participant", "ja": "参加者"}


def worksheet(folder: Path, lang: str) -> Path:
    path = folder / f"grading.{lang}.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        table = csv.writer(file)
        table.writerow([*HEADS[lang], "Grade"])
        for number, rest in {
            11: ["佐藤_花子", "007", "h@example.org"],
            12: ["Bob Other", "", "BOB@example.org"],
            13: ["O'Neil / CON", "", ""],
            14: ["Twin", "", ""],
            15: ["Twin", "", ""],
        }.items():
            table.writerow([f"{WORD[lang]} {number}", *rest, ""])
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    rows = [row | {"id": row["id"].replace("@", "-at-")} for row in ROWS]
    made(write_roster(tmp_path, rows), tmp_path / "out")
    return tmp_path / "out"


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_moodle_finds_each_learner_by_the_participants_number(output: Path, tmp_path: Path, lang: str) -> None:
    """By ID number or by a name that only one has; who is not found is told, never guessed."""
    packed = pack_moodle(manifest(output), Local(str(output)), worksheet(tmp_path, lang), tmp_path / "feedback.zip")
    with zipfile.ZipFile(packed.path) as archive:
        names = archive.namelist()
        assert names == [
            "佐藤 花子_11_assignfeedback_file_study.ja.ipynb",
            "O Neil CON_13_assignfeedback_file_study.en.ipynb",
        ]
        assert archive.read(names[0]) == (output / "007" / "study.ja.ipynb").read_bytes()
    assert packed.unmatched == ["bob-at-example.org", "d4"]
    # What Moodle splits at the signs `_`: name, number, plugin, file.
    assert all(name.split("_", 4)[1].isdecimal() and name.split("_", 4)[4].startswith("study.") for name in names)


def test_the_same_zip_again(output: Path, tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        pack_folder(manifest(output), Local(str(output)), tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_shared_folder_keeps_learners_apart(output: Path, tmp_path: Path) -> None:
    packed = pack_folder(manifest(output), Local(str(output)), tmp_path / "all.zip")
    with zipfile.ZipFile(packed.path) as archive:
        names = archive.namelist()
    assert len({name.casefold() for name in names}) == packed.learners == 4
    assert names[0] == "007_佐藤 花子_study.ja.ipynb"
    assert not any(set(name) & set('/\\:*?"<>|') or len(name) > 120 for name in names)


def test_another_table_is_no_worksheet(output: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(RosterError) as error:
        pack_moodle(manifest(output), Local(str(output)), path, tmp_path / "x.zip")
    assert error.value.key == "lms-worksheet"
    assert not list(tmp_path.glob("*x.zip*"))


def test_the_command_packs_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    roster = write_roster(tmp_path, ROWS[:1])
    argv = [
        "cohort",
        str(roster),
        "--output",
        str(tmp_path / "out"),
        "--content",
        str(SMALL),
        "--role",
        "tester",
        "--json",
    ]
    assert run([*argv, "--lms", "moodle", "--worksheet", str(worksheet(tmp_path, "ja"))]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["packed"]["learners"] == 1
    assert Path(told["packed"]["path"]).exists()
    assert run([*argv, "--lms", "moodle"]) == 2
