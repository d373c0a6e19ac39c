"""What the cells of a study notebook call: right from the first call, friendly to the last."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curriculum import places, study
from curriculum.snapshot import Picture
from tests.conftest import REPOSITORY, SMALL

SETTINGS: dict[str, Any] = {
    "role": "tester",
    "level": "beginner",
    "lang": "en",
    "learner": "",
    "id": "taro",
    "known": [],
    "hours_per_week": 8,
    "start": "2026-11-30",
    "deadline": "",
    "pause": [],
    "phase": [],
    "only": [],
    "fit": False,
    "single": False,
    "variant": "learner",
    "part": "",
    "study": "1a2b3c4d5e",
    "made_with": "",
}
STARTER = "# how many nails\nnails: # TODO\nport: ⟦port⟧\n"


class Page:
    """Stands for IPython.display: remembers what was shown, and what was drawn anew."""

    def __init__(self) -> None:
        self.shown: list[Any] = []
        self.updates: list[tuple[Picture, str]] = []
        self.ids: list[str | None] = []

    def display(self, thing: Any, display_id: str | None = None) -> None:
        self.shown.append(thing)
        self.ids.append(display_id)

    def update_display(self, picture: Picture, display_id: str) -> None:
        assert display_id in self.ids
        self.updates.append((picture, display_id))

    @property
    def text(self) -> str:
        return "\n".join(repr(thing) for thing in self.shown)

    def answer(self, line: str, cell: str) -> Picture:
        """Run an answer cell: the picture that stands below it in the end."""
        shown, updates = len(self.shown), len(self.updates)
        study.answer(line, cell)
        (first,), (display_id,) = self.shown[shown:], self.ids[shown:]
        later = [picture for picture, where in self.updates[updates:] if where == display_id]
        return later[-1] if later else first


def write_notebook(
    folder: Path, cells: tuple[str, ...] = (), about: dict[str, str] | None = None, **settings: Any
) -> Path:
    values = {name: value for name, value in {**SETTINGS, **settings}.items() if value is not None}
    source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    made = [
        {"cell_type": "code", "id": "parameters", "metadata": {"tags": ["parameters"]}, "source": source, "outputs": []}
    ]
    made += [{"cell_type": "markdown", "id": cell, "metadata": {}, "source": ""} for cell in cells]
    part = f".{values['part']}" if values.get("part") else ""
    path = folder / f"study.{values['lang']}{part}.ipynb"
    book = {"cells": made, "metadata": {"curriculum": about or {}}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(book), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def kernel(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Page]:
    """Restart the kernel on the notebook of a language: nothing is shown, nothing is remembered."""
    monkeypatch.setenv("CURRICULUM_CONTENT", str(SMALL))
    temporary = str(tmp_path_factory.mktemp("temporary"))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: temporary)
    monkeypatch.chdir(tmp_path)

    def restart(lang: str) -> Page:
        page = Page()
        monkeypatch.setattr(study, "_desk", study.Desk())
        monkeypatch.setattr(study, "_page", lambda: page)
        folder, _, name = lang.rpartition("/")
        monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / folder / f"study.{name.removeprefix('study.')}.ipynb"))
        monkeypatch.setenv("CURRICULUM_DATA_DIR", str(tmp_path.with_name(f"{tmp_path.name}-data")))
        places.data_folder.cache_clear()
        monkeypatch.setenv("CURRICULUM_STATIC", "1")
        return page

    return restart


@pytest.fixture
def page(kernel: Callable[[str], Page], tmp_path: Path) -> Page:
    write_notebook(tmp_path)
    return kernel("en")


def events(folder: Path) -> list[dict[str, Any]]:
    log = folder / "progress.jsonl"
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


# --- start and dashboard ---------------------------------------------------------------------------------------------


def test_start_shows_the_dashboard_and_nothing_else(page: Page, tmp_path: Path) -> None:
    """Plan rebuilt from the settings, next step linked; no file is made."""
    study.start()
    (picture,) = page.shown
    assert "Phase 1: Joining boards" in picture.text
    assert "Saw · 3 h" in picture.text
    assert 'href="#cell-id=hammer-nail-lesson"' in picture.html
    assert page.ids[0]
    assert [path.name for path in tmp_path.iterdir()] == ["study.en.ipynb"]


def test_start_speaks_the_notebooks_language(kernel: Callable[[str], Page], tmp_path: Path) -> None:
    """Whatever the system's is."""
    write_notebook(tmp_path, lang="ja")
    page = kernel("ja")
    study.start()
    assert "進み具合" in page.text
    assert "次の一歩" in page.text


def test_start_says_that_versions_differ_and_where_work_would_vanish(
    kernel: Callable[[str], Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line each, above the dashboard."""
    write_notebook(tmp_path, made_with="curriculum 0.0.1")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    page = kernel("en")
    study.start()
    assert len(page.shown) == 2
    assert "curriculum 0.0.1" in page.text
    assert "temporary folder" in page.text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"role": "testre"}, "Did you mean “tester”"),
        ({"level": "begginer"}, "no level “begginer”"),
        ({"hours_per_week": 0}, "hours a week make no plan"),
        ({"known": ["hammer", "saw"]}, "Nothing is left to learn"),
    ],
)
def test_settings_at_fault_are_told_in_a_sentence(
    kernel: Callable[[str], Page], tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    """The error of the command line, no traceback, even inside the Start cell's `try`."""
    write_notebook(tmp_path, **settings)
    page = kernel("en")
    assert study.start() is None
    assert said in page.text


def test_without_settings_every_function_says_what_to_do(kernel: Callable[[str], Page]) -> None:
    """A notebook that was never saved, opened in a kernel that knows nothing."""
    page = kernel("en")
    study.start()
    study.checklist("hammer")
    study.dashboard()
    assert page.text.count("The settings of this study were not found") == 3


def test_a_tool_alone_has_no_plan_and_shows_its_own_list(kernel: Callable[[str], Page], tmp_path: Path) -> None:
    """A template's study notebook; after a restart its metadata tells the tool."""
    settings = dict.fromkeys(SETTINGS) | {
        "level": "beginner",
        "lang": "en",
        "id": "",
        "learner": "",
        "study": "ffffffffff",
    }
    write_notebook(tmp_path, about={"tool": "hammer"}, **settings)
    page = kernel("en")
    study.start(tool="hammer")
    assert "Hammer: ░░░░░░░░░░ 0/2 · Exercises 0/1 · 1 h" in page.text
    assert "Phase" not in page.text
    page = kernel("en")
    study.dashboard()
    study.checklist("hammer")
    assert "Next step: Join two boards, step by step" in page.text
    assert "Hammer 0/2" in page.text


def test_an_authors_run_of_a_template_leaves_the_content_alone(kernel: Callable[[str], Page], tmp_path: Path) -> None:
    """Ticks and answers go to a temporary folder; starters run with the default values."""
    settings = dict.fromkeys(SETTINGS) | {"level": "beginner", "lang": "en"}
    write_notebook(tmp_path, **settings)
    page = kernel("en")
    study.start(tool="hammer")
    assert "This is a template" in page.text
    assert "ready" in page.answer("hammer-nail-first plan.yaml", STARTER).text
    study.done("hammer.nail")
    assert [path.name for path in tmp_path.iterdir()] == ["study.en.ipynb"]
    folder = study._desk.session.folder
    assert "port: 18080" in (folder / "work/hammer-nail-first/plan.yaml").read_text(encoding="utf-8")


def test_the_next_step_moves_on_with_the_learner(page: Page) -> None:
    """Lesson until its items are ticked, exercise until it is passed, then nothing is left."""
    study.start()
    assert "Next step: Join two boards, step by step" in page.shown[0].text
    study.done("hammer.nail", "hammer.nail-check")
    assert "Next step: Join two boards\n" in page.updates[-1][0].text
    page.answer("hammer-nail-first plan.yaml", "nails: 1")
    assert "Next step: Join two boards\n" in page.updates[-1][0].text
    page.answer("hammer-nail-first plan.yaml", "nails: 2\nport: ⟦port⟧\n")
    assert "You have come a long way" in page.updates[-1][0].text


def test_the_next_step_of_a_large_study_may_lie_in_another_notebook(
    kernel: Callable[[str], Page], tmp_path: Path
) -> None:
    """The map links to the part that holds the lesson."""
    write_notebook(tmp_path, cells=("hammer-checklist",))
    write_notebook(tmp_path, cells=("hammer-nail-lesson",), part="phase-1")
    page = kernel("en")
    study.start()
    assert 'href="study.en.phase-1.ipynb#cell-id=hammer-nail-lesson"' in page.shown[0].html


# --- checklists and ticks --------------------------------------------------------------------------------------------


def test_a_checklist_may_be_the_first_call_after_a_restart(page: Page, tmp_path: Path) -> None:
    """The second evening: no Start cell, and what was ticked is ticked."""
    study.done("hammer.nail")
    study.checklist("hammer")
    assert "[x] Join two boards with `hammer` (hammer.nail)" in page.text
    assert [event["item"] for event in events(tmp_path)] == ["hammer.nail"]


def test_a_checklist_of_other_levels_shows_theirs(page: Page) -> None:
    """The confirm-you-can list of a higher level."""
    study.checklist("hammer", "intermediate", "advanced")
    assert "0/4" in page.text
    assert "(hammer.box)" in page.text
    assert "(hammer.nail)" not in page.text


def test_a_tick_redraws_every_list_and_the_dashboard(page: Page, tmp_path: Path) -> None:
    """Only what has changed is drawn."""
    study.start()
    study.checklist("hammer")
    study.checklist("hammer", "advanced")
    study.done("hammer.nail")
    assert [display_id for _, display_id in page.updates] == page.ids[:2]
    assert all("1/2" in picture.text for picture, _ in page.updates)
    study.done("hammer.nail")
    assert len(page.updates) == 2
    assert len(events(tmp_path)) == 1


def test_running_the_same_cell_again_lets_the_old_pair_go(page: Page) -> None:
    """Otherwise every run would leave one more picture to be drawn anew."""
    study.checklist("hammer")
    study.checklist("hammer")
    study.done("hammer.nail")
    assert [display_id for _, display_id in page.updates] == page.ids[1:]


def test_done_and_undo_return_the_list_as_it_is_now(page: Page, tmp_path: Path) -> None:
    """For everyone without a widget: by name, several at once, and back."""
    assert study.done("hammer.nail", "hammer.box").text.count("[x]") == 2
    assert "[ ] Join two boards" in study.undo("hammer.nail").text
    assert [(event["item"], event["done"]) for event in events(tmp_path)] == [
        ("hammer.nail", True),
        ("hammer.box", True),
        ("hammer.nail", False),
    ]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (["hammer.nial"], "Did you mean “hammer.nail”?"),
        (["hamer.nail"], "Did you mean “hammer.nail”?"),
        (["hammer"], "An item is called like"),
        ([], "Name at least one item"),
        (["hammer.nail", "hammer.zzz"], "Items: hammer.nail, hammer.nail-check"),
    ],
)
def test_an_unknown_item_gets_a_guess_and_ticks_nothing(
    page: Page, tmp_path: Path, items: list[str], said: str
) -> None:
    """All of them or none."""
    assert said in study.done(*items).text
    assert events(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hamer"], "Did you mean “hammer”?"),
        (["saw"], "Saw has no checklist yet."),
        ([], "There is no tool “”."),
        (["hammer", "expert"], "There is no level “expert”."),
    ],
)
def test_an_unknown_list_is_told_in_a_sentence(page: Page, arguments: list[str], said: str) -> None:
    """A typo in a cell is no reason for a traceback."""
    study.checklist(*arguments)
    assert said in page.text


def test_a_tick_that_cannot_be_written_is_said_and_not_shown(page: Page, tmp_path: Path) -> None:
    """The box would lie."""
    (tmp_path / "progress.jsonl").mkdir()
    assert "could not be read" in study.done("hammer.nail").text


def test_our_own_mistakes_are_called_ours(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug is a sentence too, with what is needed to report it."""
    monkeypatch.setattr(study.Session, "tick", lambda *_: 1 / 0)
    text = study.done("hammer.nail").text
    assert "our mistake, not yours" in text
    assert "ZeroDivisionError" in text


def test_unreadable_lines_are_reported_once_at_the_start(page: Page, tmp_path: Path) -> None:
    """Passed over, not passed over in silence."""
    (tmp_path / "progress.jsonl").write_text("nonsense\n", encoding="utf-8")
    study.start()
    assert "Lines of progress.jsonl that could not be read: 1." in page.text


def test_both_languages_share_ticks(kernel: Callable[[str], Page], tmp_path: Path) -> None:
    """Ticked in Japanese, seen in English."""
    write_notebook(tmp_path)
    write_notebook(tmp_path, lang="ja")
    kernel("ja")
    study.done("hammer.nail")
    page = kernel("en")
    study.checklist("hammer")
    assert "Hammer 1/2" in page.text


# --- answers and hints -----------------------------------------------------------------------------------------------


def test_an_answer_is_written_logged_and_reported(page: Page, tmp_path: Path) -> None:
    """Given files first; then the file; then the event; then words."""
    picture = page.answer("hammer-nail-first plan.yaml", "nails: 2\n")
    folder = tmp_path / "work/hammer-nail-first"
    assert (folder / "plan.yaml").read_text(encoding="utf-8") == "nails: 2\n"
    assert (folder / "app.py").is_file()
    assert "Saved in work/hammer-nail-first/plan.yaml." in picture.text
    assert "app.py" in picture.text
    assert "[ ] The port is 18" in picture.text
    event, outcome = events(tmp_path)
    assert (outcome["kind"], outcome["outcome"]) == ("outcome", "failed")
    assert (event["kind"], event["exercise"], event["file"], event["by"]) == (
        "answer",
        "hammer-nail-first",
        "plan.yaml",
        "study.en.ipynb",
    )


def test_a_starter_as_it_was_given_is_no_answer(page: Page, tmp_path: Path) -> None:
    """Run All on a fresh notebook writes starters with the learner's own values, and no event."""
    picture = page.answer("hammer-nail-first plan.yaml", STARTER)
    assert "Nothing is filled in yet" in picture.text
    assert "Nothing is filled in yet" in page.answer("hammer-nail-first plan.yaml", STARTER).text
    assert "⟦" not in (tmp_path / "work/hammer-nail-first/plan.yaml").read_text(encoding="utf-8")
    assert events(tmp_path) == []


def test_answers_in_one_language_survive_running_all_in_the_other(
    kernel: Callable[[str], Page], tmp_path: Path
) -> None:
    """The English starter changes nothing; an English answer asks first; the learner decides; both texts are kept."""
    write_notebook(tmp_path)
    write_notebook(tmp_path, lang="ja")
    path = tmp_path / "work/hammer-nail-first/plan.yaml"
    page = kernel("ja")
    assert "保存しました" in page.answer("hammer-nail-first plan.yaml", "nails: 2\n").text
    page = kernel("en")
    assert "stays as it is" in page.answer("hammer-nail-first plan.yaml", STARTER).text
    refusal = page.answer("hammer-nail-first plan.yaml", "nails: 3\n")
    assert "study.ja.ipynb" in refusal.text
    assert "--replace" in refusal.text
    assert path.read_text(encoding="utf-8") == "nails: 2\n"
    assert "kept in" in page.answer("hammer-nail-first plan.yaml --replace", "nails: 3\n").text
    assert path.read_text(encoding="utf-8") == "nails: 3\n"
    assert [kept.read_text(encoding="utf-8") for kept in path.parent.glob(".history/*")] == ["nails: 2\n"]
    assert "Saved" in page.answer("hammer-nail-first plan.yaml", "nails: 4\n").text


def test_an_edit_in_another_program_is_kept(page: Page, tmp_path: Path) -> None:
    """The cell is older than the file: the file counts."""
    study.answer("hammer-nail-first plan.yaml", "nails: 2\n")
    path = tmp_path / "work/hammer-nail-first/plan.yaml"
    path.write_text("nails: 22\n", encoding="utf-8")
    text = page.answer("hammer-nail-first plan.yaml", "nails: 3\n").text
    assert "left alone" in text
    assert "changed outside this notebook" in text
    assert path.read_text(encoding="utf-8") == "nails: 22\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "The first line of an answer reads"),
        ("hammer-nail-first", "The first line of an answer reads"),
        ("hammer-nial-first plan.yaml", "Did you mean “hammer-nail-first”?"),
        ("nonsense plan.yaml", "There is no exercise “nonsense”."),
        ("hammer-nail-first plan.yml", "Did you mean “plan.yaml”?"),
        ("hammer-nail-first ../plan.yaml", "cannot be the name"),
        ("../hammer plan.yaml", "There is no exercise"),
    ],
)
def test_a_wrong_first_line_is_told_and_writes_nothing(page: Page, tmp_path: Path, line: str, said: str) -> None:
    """With a guess where there is one."""
    assert said in page.answer(line, "nails: 2\n").text
    assert not (tmp_path / "work").exists()


def test_hints_come_one_at_a_time_and_a_solution_last(page: Page, tmp_path: Path) -> None:
    """From nudge to worked part, with the learner's values; a solution only when asked once more, and the log knows."""
    assert "Hint 2" not in study.hint("hammer-nail-first").text
    study.hint("hammer-nail-first")
    last = study.hint("hammer-nail-first").text
    assert "Hint 3 of 3" in last
    assert "Your port is 18" in last
    assert "nails: 2" not in last
    assert [event["number"] for event in events(tmp_path)] == [1, 2, 3]
    assert "nails: 2" in study.hint("hammer-nail-first").text
    assert "nails: 2" in study.hint("hammer-nail-first").text
    assert [event["kind"] for event in events(tmp_path)].count("solution") == 1
    assert "Did you mean" in study.hint("hammer-nail-frist").text


def test_each_changed_failed_try_opens_a_hint_in_the_result(page: Page) -> None:
    """The same answer again is no new try; help is folded, and no solution stands in it."""
    first = page.answer("hammer-nail-first plan.yaml", "nails: 1\nport: ⟦port⟧\n")
    again = page.answer("hammer-nail-first plan.yaml", "nails: 1\nport: ⟦port⟧\n")
    second = page.answer("hammer-nail-first plan.yaml", "nails: -3\nport: ⟦port⟧\n")
    assert [picture.html.count("<details>") for picture in (first, again, second)] == [1, 1, 2]
    assert "Expected: 2" in first.text
    assert "Next step: It is enough" in first.text
    assert "nails: 2" not in second.text


def test_a_pass_shows_a_solution_ticks_what_it_proves_and_stays(page: Page, tmp_path: Path) -> None:
    """Proven from files looks different from ticked by hand; a later failure takes nothing away."""
    study.checklist("hammer")
    passed = page.answer("hammer-nail-first plan.yaml", "nails: 2\nport: ⟦port⟧\n")
    assert "✅ Passed" in passed.html
    assert "# how many nails" in passed.text
    assert "[+] Join two boards with `hammer` (hammer.nail)" in page.updates[-1][0].text
    worse = page.answer("hammer-nail-first plan.yaml", "nails: 1\nport: ⟦port⟧\n")
    assert "and that stays" in worse.text
    study.undo("hammer.nail")
    study.checklist("hammer")
    assert "[+] Join two boards" in page.shown[-1].text


def test_what_only_a_program_can_tell_comes_in_the_same_place_a_moment_later(page: Page, tmp_path: Path) -> None:
    """First what files tell, then all of it; what is known is not judged again."""
    picture = page.answer("hammer-box-first plan.yaml", "sides: 2\nport: ⟦port⟧\n")
    assert "being checked" in page.shown[-1].text
    assert "Passed" in picture.text
    before = len(events(tmp_path))
    study.check("hammer-box-first")
    assert "Passed" in page.shown[-1].text
    assert len(events(tmp_path)) == before
    study.check("hammer-box-first", again=True)
    assert len(events(tmp_path)) == before + 1


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "Nothing is filled in yet"),
        (b"nails: [", "cannot be read, line 2"),
        (b"nails: !!python/object:os.system 2", "cannot be read"),
        (b"nails: 2\xff\nport: 1\n", "not UTF-8"),
        (b"nails:\x00 2\n", "not a text file"),
        (b"#" * 1_100_000, "kB"),
        (b"\xef\xbb\xbfnails: 2\r\nport: 1\r\n", "The port is"),
        (b"- 1\n", "check itself broke"),
        (
            b"a: &a [1,1,1,1,1,1,1,1,1]\n"
            + b"".join(b"%c: &%c [%s]\n" % (n + 1, n + 1, b",".join([b"*%c" % n] * 9)) for n in range(97, 104)),
            "unfold",
        ),
    ],
)
def test_an_answer_that_cannot_be_read_gets_a_sentence(page: Page, tmp_path: Path, raw: bytes, said: str) -> None:
    """Broken, huge, binary, hostile: said in words, the file left as it is, and no traceback but for our own fault."""
    page.answer("hammer-nail-first plan.yaml", "nails: 3\n")
    path = tmp_path / "work/hammer-nail-first/plan.yaml"
    path.write_bytes(raw)
    study.check("hammer-nail-first")
    assert said in page.shown[-1].text or not raw
    assert path.read_bytes() == raw


def test_a_link_out_of_the_folder_is_not_followed(page: Page, tmp_path: Path) -> None:
    """What lies elsewhere is nobody's answer."""
    page.answer("hammer-nail-first plan.yaml", "nails: 3\n")
    path = tmp_path / "work/hammer-nail-first/plan.yaml"
    (tmp_path / "elsewhere.yaml").write_text("nails: 2\n")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.yaml")
    study.check("hammer-nail-first")
    assert "leads out" in page.shown[-1].text


def test_progress_that_lies_elsewhere_is_found_and_brought(kernel: Callable[[str], Page], tmp_path: Path) -> None:
    """A notebook that was moved away from its folder does not start silently at zero."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    write_notebook(old)
    write_notebook(new)
    page = kernel("old/study.en")
    study.done("hammer.nail")
    page.answer("hammer-nail-first plan.yaml", "nails: 2\n")
    page = kernel("new/study.en")
    study.start()
    assert str(old) in page.text
    assert "events" in page.text
    assert "Brought here" in study.adopt(str(old)).text
    assert (new / "work/hammer-nail-first/plan.yaml").read_text() == "nails: 2\n"
    study.checklist("hammer")
    assert "[x] Join two boards" in page.shown[-1].text
    assert study.adopt(str(tmp_path)).text.startswith("There is no progress")


def test_another_studys_log_is_named(kernel: Callable[[str], Page], tmp_path: Path) -> None:
    """Somebody else's folder is no place to work in."""
    write_notebook(tmp_path)
    (tmp_path / "progress.jsonl").write_text('{"v":1,"id":"x","at":"2026-01-01","study":"other","kind":"tick"}\n')
    page = kernel("en")
    study.start()
    assert "belongs to another study" in page.text


def test_a_context_is_named_and_remembered(page: Page, tmp_path: Path) -> None:
    """Only Kubernetes has contexts; nothing is used that was not named."""
    assert "kind-study" in study.use("kubernetes").text
    assert "Checks for kubernetes now use kind-study" in study.use("kubernetes", context="kind-study").text
    assert study._desk.session.log.state().contexts == {"kubernetes": "kind-study"}
    assert "no backend" in study.use("kuberntes", context="x").text


def test_the_magic_takes_line_and_body_as_they_stand(
    page: Page, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """IPython would otherwise fill `$name` and `{name}` in, and complain of an empty body on stderr."""
    from IPython.core.interactiveshell import InteractiveShell

    from curriculum.ipython import load_ipython_extension

    shell = InteractiveShell(history_length=0)
    try:
        shell.kernel = object()
        load_ipython_extension(shell)
        shell.user_ns["name"] = "plan.yaml"
        shell.run_cell("%%answer hammer-nail-first plan.yaml\nnails: {name} $name !ls ⟦port⟧\n")
        assert "Saved" in page.text
        assert "{name} $name !ls 18" in (tmp_path / "work/hammer-nail-first/plan.yaml").read_text(encoding="utf-8")
        for cell in ("%%answer hammer-nail-first", "%%answer hammer-nail-first {name}\n", "%%answer a b\n\n"):
            shown = len(page.shown)
            shell.run_cell(cell)
            assert len(page.shown) == shown + 1
        assert capsys.readouterr().err == ""
    finally:
        shell.history_manager.end_session()


# --- the extension ---------------------------------------------------------------------------------------------------


class Shell:
    """Enough of IPython's shell for an extension."""

    def __init__(self, kernel: object | None) -> None:
        self.kernel = kernel
        self.user_ns: dict[str, Any] = {"done": "mine"}
        self.magics_manager = self
        self.magics: dict[str, dict[str, Any]] = {"cell": {}}
        self.input_transformers_cleanup: list[Any] = []

    def register_magic_function(self, call: Any, kind: str, name: str) -> None:
        self.magics[kind][name] = call

    def push(self, names: dict[str, Any], interactive: bool) -> None:
        assert not interactive
        self.user_ns |= names


def test_the_extension_gives_names_that_are_free_and_the_magic(page: Page) -> None:
    """A learner's own `done` stays; the others work at once."""
    from curriculum.ipython import load_ipython_extension

    shell = Shell(kernel=object())
    load_ipython_extension(shell)
    assert shell.user_ns["done"] == "mine"
    assert {"start", "checklist", "dashboard", "undo", "hint"} <= shell.user_ns.keys()
    shell.user_ns["checklist"]("hammer")
    assert "Hammer 0/2" in page.text
    shell.magics["cell"]["answer"]("hammer-nail-first plan.yaml", "nails: 2")
    assert "Saved" in page.text


def test_the_extension_does_nothing_in_a_terminal() -> None:
    """`ipython` reads the same configuration."""
    from curriculum.ipython import load_ipython_extension

    shell = Shell(kernel=None)
    load_ipython_extension(shell)
    assert shell.user_ns == {"done": "mine"}


def test_loading_the_extension_imports_next_to_nothing() -> None:
    """Every kernel of the environment loads it, most of them for something else."""
    code = "import sys; import curriculum.ipython; print(sorted(m for m in sys.modules if m.startswith(('curriculum', 'yaml', 'pydantic', 'IPython'))))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert result.stdout.strip() == "['curriculum', 'curriculum.ipython', 'curriculum.magic']"


# --- the widget ------------------------------------------------------------------------------------------------------


@pytest.fixture
def live(page: Page, need: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Page:
    need("python:anywidget")
    monkeypatch.setenv("CURRICULUM_STATIC", "0")
    return page


def test_with_a_page_a_checklist_is_a_picture_and_a_widget(live: Page) -> None:
    """The picture hides while the widget lives; the widget says nothing in text."""
    study.checklist("hammer")
    picture, widget = live.shown
    assert picture.html.startswith("<style>")
    assert f"cu-snap-{widget.uid}" in picture.html
    assert widget.title == "Hammer"
    assert [item["id"] for item in widget.items] == ["hammer.nail", "hammer.nail-check"]
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == ""
    assert "application/vnd.jupyter.widget-view+json" in data


def test_a_click_is_written_then_acknowledged_then_drawn(live: Page, tmp_path: Path) -> None:
    """In this order: the page is never told of a tick that is not on disk."""
    study.start()
    study.checklist("hammer")
    widget = live.shown[-1]
    seen: list[tuple[dict[str, Any], int, int]] = []
    widget.send = lambda message: seen.append((message, len(events(tmp_path)), len(live.updates)))
    widget._receive(widget, {"type": "ping"}, [])
    widget._receive(widget, {"type": "set", "id": "hammer.nail", "done": True, "seq": 7}, [])
    assert seen == [({"type": "pong"}, 0, 0), ({"type": "ack", "seq": 7, "ok": True, "problem": ""}, 1, 0)]
    assert widget.ticked == ["hammer.nail"]
    assert len(live.updates) == 2


def test_a_click_that_cannot_be_written_is_refused_in_words(live: Page, tmp_path: Path) -> None:
    """The page un-ticks the box and shows the sentence."""
    study.checklist("hammer")
    widget = live.shown[-1]
    (tmp_path / "progress.jsonl").mkdir()
    seen: list[dict[str, Any]] = []
    widget.send = seen.append
    widget._receive(widget, {"type": "set", "id": "hammer.nail", "done": True, "seq": 1}, [])
    assert not seen[0]["ok"]
    assert "could not be" in seen[0]["problem"]
    assert widget.ticked == []


def test_what_a_page_should_not_send_is_passed_over(live: Page, tmp_path: Path) -> None:
    """A message of another version, or of nobody."""
    study.checklist("hammer")
    widget = live.shown[-1]
    for message in ({}, {"type": "set"}, {"type": "set", "id": 1, "done": "yes", "seq": None}, {"type": "else"}):
        widget._receive(widget, message, [])
    assert events(tmp_path) == []


def test_ticks_from_threads_while_cells_run_lose_nothing(live: Page, tmp_path: Path) -> None:
    """The kernel answers pages on threads of its own."""
    study.checklist("hammer")
    widget = live.shown[-1]
    widget.send = lambda message: None

    def click(item: str) -> None:
        for seq in range(10):
            widget._receive(widget, {"type": "set", "id": item, "done": seq % 2 == 0, "seq": seq}, [])

    threads = [threading.Thread(target=click, args=(item,)) for item in ("hammer.nail", "hammer.nail-check")]
    for thread in threads:
        thread.start()
    study.answer("hammer-nail-first plan.yaml", "nails: 2\n")
    for thread in threads:
        thread.join()
    assert len(events(tmp_path)) == 22


def test_without_anywidget_the_picture_does(live: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pip install curriculum` without the extra still gives a checklist, and `done(…)`."""
    monkeypatch.setitem(sys.modules, "curriculum.widget", None)
    study.checklist("hammer")
    (picture,) = live.shown
    assert "<style>" not in picture.html


def test_every_sentence_of_the_page_comes_from_the_messages() -> None:
    """The JavaScript holds no words; every focusable element keeps Lab's single-key commands off."""
    source = (REPOSITORY / "curriculum/widget.js").read_text(encoding="utf-8")
    assert '"data-lm-suppress-shortcuts": "true"' in source
    assert "innerHTML" not in source
    css = (REPOSITORY / "curriculum/widget.css").read_text(encoding="utf-8")
    assert css.count("{") == css.count("}")


def test_the_star_import_gives_the_documented_names() -> None:
    """And nothing that would hide a learner's own."""
    assert sorted(study.__all__) == [
        "adopt",
        "check",
        "checklist",
        "dashboard",
        "doctor",
        "done",
        "hint",
        "start",
        "undo",
        "use",
    ]
    assert all(getattr(study, name).__doc__ for name in study.__all__)


def test_the_configuration_loads_the_extension_and_is_silent_without_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the wheel places in etc/ipython outlives an uninstall: then it does nothing."""
    import importlib.util

    from traitlets.config.loader import PyFileConfigLoader

    def extensions() -> list[str]:
        config = PyFileConfigLoader("ipython_config.py", str(REPOSITORY / "curriculum")).load_config()
        return list(config.InteractiveShellApp.extensions.get_value([])) if "InteractiveShellApp" in config else []

    assert extensions() == ["curriculum.ipython"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert extensions() == []
