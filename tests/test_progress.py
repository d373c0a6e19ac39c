"""The learner's log: what is written is never lost, and what is read is never in doubt."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import threading
from pathlib import Path

import pytest

from curriculum import progress
from curriculum.errors import ProgressError
from curriculum.progress import Answer, Log, fold


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path, "1a2b3c4d5e")


def tick_many(folder: Path, name: str, count: int) -> None:
    log = Log(folder, "1a2b3c4d5e")
    for number in range(count):
        log.append("tick", item=f"{name}.{number}", done=True)


def test_an_event_is_one_line_of_json_with_all_its_fields(log: Log) -> None:
    """The format of DESIGN 7: version, unique id, UTC time with milliseconds, study, kind, data."""
    event = log.append("tick", item="hammer.nail", done=True)
    lines = log.path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [event]
    assert {name: event[name] for name in ("v", "study", "kind", "item", "done")} == {
        "v": 1,
        "study": "1a2b3c4d5e",
        "kind": "tick",
        "item": "hammer.nail",
        "done": True,
    }
    assert len(event["at"]) == len("2026-11-30T09:21:42.120Z")
    assert event["at"].endswith("Z")


def test_the_last_word_about_an_item_counts(log: Log) -> None:
    """Ticked, taken back, ticked: ticked. Even when all of it happens within a millisecond."""
    for done in (True, False, True, False):
        log.append("tick", item="hammer.nail", done=done)
    times = [event["at"] for event in log.events()]
    assert times == sorted(set(times))
    assert not log.state().ticked("hammer.nail")
    log.append("tick", item="hammer.nail", done=True)
    assert log.state().ticked("hammer.nail")


def test_a_clock_that_was_set_back_changes_no_order(log: Log) -> None:
    """An event is never older than the one before it in the file."""
    future = {"v": 1, "id": "f", "at": "2031-01-01T00:00:00.000Z", "kind": "tick", "item": "hammer.nail", "done": True}
    log.path.write_text(json.dumps(future) + "\n", encoding="utf-8")
    log.append("tick", item="hammer.nail", done=False)
    assert not log.state().ticked("hammer.nail")


def test_a_torn_last_line_is_passed_over_and_healed(log: Log) -> None:
    """After a crash in the middle of a line the next event stands on a line of its own."""
    log.append("tick", item="hammer.nail", done=True)
    with log.path.open("ab") as file:
        file.write(b'{"v":1,"id":"torn","at":"2026')
    assert [event["item"] for event in log.events()] == ["hammer.nail"]
    assert log.unreadable == 0
    log.append("tick", item="hammer.nail-check", done=True)
    assert [event["item"] for event in log.events()] == ["hammer.nail", "hammer.nail-check"]
    assert log.unreadable == 1


def test_a_whole_last_line_without_its_end_counts(log: Log) -> None:
    """An editor that drops the last line end takes no tick away."""
    log.append("tick", item="hammer.nail", done=True)
    log.path.write_bytes(log.path.read_bytes().rstrip(b"\n"))
    assert log.state().ticked("hammer.nail")
    log.append("tick", item="hammer.nail-check", done=True)
    assert len(log.events()) == 2
    assert log.unreadable == 0


@pytest.mark.parametrize(
    "line", [b"\xff\xfe", b"null", b"[]", b'{"kind":"tick"}', b'{"id":1,"at":"x","kind":"y"}', b"[" * 100_000]
)
def test_unreadable_lines_are_counted_and_passed_over(log: Log, line: bytes) -> None:
    """Whatever stands there, the rest is read."""
    log.path.write_bytes(line + b"\n\n")
    log.append("tick", item="hammer.nail", done=True)
    assert log.state().ticked("hammer.nail")
    assert log.unreadable == 1


def test_unknown_kinds_and_fields_are_kept_and_passed_over(log: Log) -> None:
    """A newer version's events survive an older one."""
    log.append("outcome", exercise="hammer-nail-first", outcome="passed")
    log.append("tick", item="hammer.nail", done="maybe")
    log.append("tick", item="hammer.nail", done=True, new="field")
    assert len(log.events()) == 3
    assert log.state().ticks == {"hammer.nail": True}


@pytest.mark.parametrize(
    "name",
    [
        "progress (1).jsonl",
        "progress-DESKTOP-7.jsonl",
        "progress.sync-conflict-20261130-092142-ABC.jsonl",
        "progress (太郎の競合コピー).jsonl",
    ],
)
def test_a_conflict_copy_is_read_as_if_it_were_one_with_the_log(tmp_path: Path, log: Log, name: str) -> None:
    """Union of ids, in order of time: neither machine's ticks are lost, none counts twice."""
    log.append("tick", item="hammer.nail", done=True)
    copy = Log(tmp_path / "elsewhere", log.study)
    copy.path.parent.mkdir()
    copy.path.write_bytes(log.path.read_bytes())
    copy.append("tick", item="hammer.box", done=True)
    copy.path.rename(tmp_path / name)
    log.append("tick", item="hammer.house", done=True)
    items = [event["item"] for event in log.events()]
    assert items[0] == "hammer.nail"
    assert sorted(items) == ["hammer.box", "hammer.house", "hammer.nail"]


def test_threads_and_processes_lose_nothing(tmp_path: Path, log: Log) -> None:
    """Two notebooks, each with ticks from the kernel's own threads."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=tick_many, args=(tmp_path, f"p{n}", 25)) for n in range(2)]
    threads = [threading.Thread(target=tick_many, args=(tmp_path, f"t{n}", 25)) for n in range(2)]
    for worker in (*processes, *threads):
        worker.start()
    for worker in (*processes, *threads):
        worker.join()
    assert len(log.events()) == 100
    assert log.unreadable == 0


def test_answers_remember_who_wrote_them_last(log: Log) -> None:
    """The last answer event of a file tells its hash and its notebook."""
    for by in ("study.en.ipynb", "study.ja.ipynb"):
        log.append("answer", exercise="hammer-nail-first", file="plan.yaml", sha256=by[::-1], by=by)
    state = log.state()
    answer = state.answers["hammer-nail-first", "plan.yaml"]
    assert answer == Answer("study.ja.ipynb"[::-1], "study.ja.ipynb", answer.at)
    assert state.answered("hammer-nail-first")
    assert not state.answered("hammer-box-first")


def test_an_item_keeps_its_tick_under_a_new_name() -> None:
    """`formerly:` carries a tick over, until the new name has a word of its own."""
    old = {"kind": "tick", "item": "hammer.old", "done": True, "at": "", "id": "1"}
    assert fold([old]).ticked("hammer.new", ["hammer.old"])
    new = {"kind": "tick", "item": "hammer.new", "done": False, "at": "", "id": "2"}
    assert not fold([old, new]).ticked("hammer.new", ["hammer.old"])


def test_a_folder_that_is_gone_is_told_in_a_sentence(tmp_path: Path) -> None:
    """Not a traceback: the place and the reason."""
    log = Log(tmp_path / "gone", "x")
    with pytest.raises(ProgressError) as caught:
        log.append("tick", item="hammer.nail", done=True)
    assert "progress.jsonl" in caught.value.sentence("en")
    assert "保存できませんでした" in caught.value.sentence("ja")
    assert log.events() == []


def test_a_log_that_cannot_be_read_is_told_and_not_taken_for_an_empty_one(log: Log) -> None:
    """Starting silently at zero would look like a loss."""
    log.path.mkdir()
    with pytest.raises(ProgressError) as caught:
        log.events()
    assert caught.value.key == "log-unreadable"


def test_a_full_disk_leaves_the_log_as_it_was(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line goes to the disk; it is taken back and the tick is refused."""
    log.append("tick", item="hammer.nail", done=True)
    before = log.path.read_bytes()
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(progress.os, "write", lambda handle, data: write(handle, data[: len(data) // 2]))
        with pytest.raises(ProgressError) as caught:
            log.append("tick", item="hammer.box", done=True)
    assert caught.value.params["problem"] == os.strerror(errno.ENOSPC)
    assert log.path.read_bytes() == before
    log.append("tick", item="hammer.box", done=True)
    assert len(log.events()) == 2


def test_a_file_system_without_locks_still_takes_whole_lines(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network drives refuse to lock."""

    def refuse(handle: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(progress, "_lock", refuse)
    log.append("tick", item="hammer.nail", done=True)
    assert log.state().ticked("hammer.nail")


def test_a_name_that_is_no_unicode_can_be_logged(log: Log) -> None:
    """A notebook's file name on Linux may be any bytes."""
    log.append("answer", exercise="x", file="y", sha256="z", by="study\udcff.ipynb")
    assert log.state().answers["x", "y"].by == "study\udcff.ipynb"
