"""`%%answer` never destroys work: every rule by which a cell's text may, or may not, go to disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from curriculum import answers
from curriculum.answers import Submission, Written, sha256
from curriculum.catalog import Catalog
from curriculum.errors import CurriculumError, OutputError, RequestError
from curriculum.progress import Answer
from tests.conftest import SMALL

FILE = "plan.yaml"
STARTER_EN = "# how many nails\nnails: # TODO\nport: 18813\n"
STARTER_JA = "# 釘の本数\nnails: # TODO\nport: 18813\n"
MINE = "nails: 2\nport: 18813\n"
OTHER = "nails: 3\nport: 18813\n"
EN, JA = "study.en.ipynb", "study.ja.ipynb"


@pytest.fixture
def lab(tmp_path: Path) -> Submission:
    template = Catalog(SMALL).template("hammer")
    assert template
    return Submission(tmp_path / "work" / "hammer-nail-first", template.exercises("beginner")[0], {"port": "18813"})


def on_disk(lab: Submission, text: str | bytes) -> Path:
    lab.folder.mkdir(parents=True, exist_ok=True)
    path = lab.folder / FILE
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def say(lab: Submission, text: str, by: str = EN, last: Answer | None = None, replace: bool = False) -> Written:
    return lab.answer(FILE, text, by=by, last=last, replace=replace)


def wrote(text: str, by: str = EN) -> Answer:
    return Answer(sha256(text), by, "2026-11-30T09:21:42.120Z")


def history(lab: Submission) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(lab.folder.glob(".history/*"))]


def test_the_first_answer_makes_folder_and_file(lab: Submission) -> None:
    """UTF-8 with LF, whole, with nothing left beside it."""
    outcome = say(lab, "nails: 2 # 本\r\nport: 18813")
    assert outcome.kind == "written"
    assert outcome.path.read_bytes() == "nails: 2 # 本\nport: 18813\n".encode()
    assert [path.name for path in lab.folder.iterdir()] == [FILE]


@pytest.mark.parametrize("starter", [STARTER_EN, STARTER_JA, "# how many nails  \nnails: # TODO\t\nport: ⟦port⟧"])
def test_an_untouched_starter_is_put_where_nothing_is(lab: Submission, starter: str) -> None:
    """In either language, with values filled in or not; it counts as nothing filled in."""
    assert say(lab, starter).kind == "starter"


@pytest.mark.parametrize("starter", [STARTER_EN, STARTER_JA, "", "\n \n"])
@pytest.mark.parametrize("replace", [False, True])
def test_an_untouched_starter_never_replaces_anything(lab: Submission, starter: str, replace: bool) -> None:
    """Not even when asked to, and not even what this notebook wrote itself: Run All on a new copy is harmless."""
    path = on_disk(lab, MINE)
    assert say(lab, starter, last=wrote(MINE), replace=replace).kind == "starter-kept"
    assert path.read_text(encoding="utf-8") == MINE


@pytest.mark.parametrize("there", [STARTER_EN, STARTER_JA, STARTER_EN.replace("\n", "\r\n"), ""])
def test_an_answer_replaces_an_untouched_starter_without_keeping_it(lab: Submission, there: str) -> None:
    """A starter is no work; an editor's line ends do not make it one."""
    on_disk(lab, there)
    outcome = say(lab, MINE, by=JA)
    assert (outcome.kind, outcome.history, history(lab)) == ("written", None, [])


@pytest.mark.parametrize("there", [MINE, MINE.replace("\n", "\r\n"), MINE.rstrip("\n")])
def test_the_same_text_again_writes_nothing(lab: Submission, there: str) -> None:
    """The file keeps its time and its line ends."""
    path = on_disk(lab, there)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert say(lab, MINE).kind == "same"
    assert path.stat().st_mtime == 1_000_000_000
    assert path.read_bytes() == there.encode()


def test_what_this_notebook_wrote_last_may_go_and_is_kept(lab: Submission) -> None:
    """Answer, run, change, run: the usual evening. The earlier text lies in .history."""
    on_disk(lab, MINE)
    outcome = say(lab, OTHER, last=wrote(MINE))
    assert outcome.kind == "written"
    assert outcome.history
    assert outcome.history.name.endswith(f"Z-{FILE}")
    assert history(lab) == [MINE]
    assert (lab.folder / FILE).read_text(encoding="utf-8") == OTHER


def test_git_may_change_the_line_ends_of_what_this_notebook_wrote(lab: Submission) -> None:
    """A checkout on Windows is no edit."""
    on_disk(lab, MINE.replace("\n", "\r\n"))
    assert say(lab, OTHER, last=wrote(MINE)).kind == "written"


@pytest.mark.parametrize(
    ("last", "by"),
    [
        pytest.param(None, "", id="never written by a notebook"),
        pytest.param(wrote(STARTER_EN + "# more\n"), "", id="edited since"),
        pytest.param(wrote(MINE, JA), JA, id="written by the other language's notebook"),
    ],
)
def test_a_file_changed_elsewhere_is_left_alone(lab: Submission, last: Answer | None, by: str) -> None:
    """The file counts; the outcome says when it changed and, where it is known, who wrote it."""
    path = on_disk(lab, MINE)
    outcome = say(lab, OTHER, last=last)
    assert (outcome.kind, outcome.by) == ("edited", by)
    assert outcome.changed
    assert path.read_text(encoding="utf-8") == MINE
    assert history(lab) == []


def test_replace_puts_the_cell_in_its_place_and_keeps_the_file(lab: Submission) -> None:
    """The learner decides; nothing is lost by it, and each version is kept once."""
    on_disk(lab, MINE)
    assert say(lab, OTHER, last=wrote(MINE, JA), replace=True).kind == "written"
    assert say(lab, MINE, last=wrote(OTHER), replace=True).kind == "written"
    assert history(lab) == [MINE, OTHER]


def test_a_file_that_is_no_text_is_kept_byte_for_byte(lab: Submission) -> None:
    """Somebody saved it in another encoding: not ours to judge."""
    raw = "釘: 2".encode("cp932")
    on_disk(lab, raw)
    assert say(lab, MINE).kind == "edited"
    outcome = say(lab, MINE, replace=True)
    assert outcome.history
    assert outcome.history.read_bytes() == raw


@pytest.mark.parametrize(
    "file",
    [
        "../x",
        "/etc/passwd",
        "a/../../x",
        "..",
        "C:\\x",
        "C:x",
        "nul",
        "con.txt",
        "x.",
        "a\nb",
        ".history/x",
        "x" * 101,
        "",
    ],
)
def test_a_name_that_leads_out_or_is_reserved_is_refused(lab: Submission, file: str) -> None:
    """With a sentence, before anything is written."""
    with pytest.raises(RequestError) as caught:
        lab.answer(file, MINE, by=EN, last=None)
    assert caught.value.key == "bad-answer-file"
    assert not lab.folder.exists()


def test_an_unknown_file_gets_a_guess(lab: Submission) -> None:
    """`Plan.yml` was probably meant to be `plan.yaml`."""
    with pytest.raises(RequestError) as caught:
        lab.answer("Plan.yml", MINE, by=EN, last=None)
    assert "“plan.yaml”" in caught.value.sentence("en")


def test_given_files_are_put_once_and_never_replaced(lab: Submission) -> None:
    """What a learner changes in them stays."""
    catalog = Catalog(SMALL)
    assert lab.put_given(catalog.given_file) == ("app.py",)
    (lab.folder / "app.py").write_text("mine", encoding="utf-8")
    assert lab.put_given(catalog.given_file) == ()
    assert (lab.folder / "app.py").read_text(encoding="utf-8") == "mine"


def test_a_folder_in_the_way_is_told(lab: Submission) -> None:
    """Nothing is removed to make room."""
    (lab.folder / FILE).mkdir(parents=True)
    with pytest.raises(OutputError) as caught:
        say(lab, MINE, replace=True)
    assert caught.value.key == "answer-is-folder"


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(lab: Submission, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole or not at all."""
    path = on_disk(lab, STARTER_EN)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(answers.os, "fsync", full)
    with pytest.raises(CurriculumError) as caught:
        say(lab, MINE)
    assert "No space left" in str(caught.value)
    assert path.read_text(encoding="utf-8") == STARTER_EN
    assert [entry.name for entry in lab.folder.iterdir()] == [FILE]


def test_a_file_that_a_scanner_holds_is_tried_again(lab: Submission, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows refuses for a moment; the learner need not know."""
    refusals = iter([True, True, False])
    replace = Path.replace

    def held(self: Path, target: Path) -> Path:
        if next(refusals):
            raise PermissionError(13, "held")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", held)
    monkeypatch.setattr(answers.time, "sleep", lambda seconds: None)
    assert say(lab, MINE).kind == "written"


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_a_file_is_as_open_as_the_one_it_replaces(lab: Submission) -> None:
    """A script that was executable stays so; a new file follows the umask."""
    mask = os.umask(0o022)
    try:
        assert say(lab, MINE).path.stat().st_mode & 0o777 == 0o644
        (lab.folder / FILE).chmod(0o755)
        assert say(lab, OTHER, replace=True).path.stat().st_mode & 0o777 == 0o755
    finally:
        os.umask(mask)
