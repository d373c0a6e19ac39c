"""Checks of a study: judged once, remembered, never lost; what is waiting is judged where the tools are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from curriculum.home import home_at
from curriculum.labs.judging import PATIENCE, judge_apart
from curriculum.outcome import Finding, Outcome, conclude
from curriculum.progress import Log, fold
from curriculum.session import Session
from tests.conftest import REPOSITORY, SMALL
from tests.kills import kill_at_random, make_study

GOOD, BAD = "nails: 2\nport: ⟦port⟧\n", "nails: 1\nport: ⟦port⟧\n"


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("CURRICULUM_CONTENT", str(SMALL))
    return Session(home_at(make_study(tmp_path)))


def curriculum(*arguments: str | Path, code: int = 0) -> Any:
    """Run the command as a process; its JSON."""
    result = subprocess.run(
        [sys.executable, "-m", "curriculum", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        env={**os.environ, "CURRICULUM_CONTENT": str(SMALL)},
        cwd=REPOSITORY,
    )
    assert result.returncode == code, result.stdout + result.stderr
    assert code == 3 or "Traceback" not in result.stdout + result.stderr
    return json.loads(result.stdout) if "--json" in arguments else result.stdout


def answer(session: Session, exercise: str, text: str) -> Outcome:
    session.answer(exercise, "plan.yaml", text, replace=True)
    *_, outcome = session.check(exercise)
    return outcome


# --- outcomes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("results", "missing", "name", "waiting"),
    [
        ({"a": "met", "b": "met"}, {}, "passed", ()),
        ({"a": "met"}, {"docker": "not-running"}, "passed", ("b",)),
        ({"a": "not-met"}, {"docker": "not-running"}, "failed", ("b",)),
        ({}, {"docker": "not-running"}, "failed", ("b",)),
        ({"a": "met"}, {}, "failed", ()),
    ],
)
def test_the_outcome_is_over_what_could_be_judged(
    results: dict[str, Any], missing: dict[str, str], name: str, waiting: tuple[str, ...]
) -> None:
    """A missing backend blocks nobody; a criterion that waits for another one is no pass."""
    found = {slug: Finding(slug, result) for slug, result in results.items()}
    outcome = conclude("x", ["a", "b"], found, missing, {"b": "docker"})
    if not results:
        assert outcome.outcome == "unavailable"
    else:
        assert (outcome.outcome, outcome.waiting) == (name, waiting)
    assert Outcome.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome


def test_evidence_is_real_only_when_the_tool_ran_and_nothing_waits() -> None:
    """A Dockerfile that was read and built is real; read alone it is not."""
    read, built = Finding("a", "met"), Finding("b", "met", "real")
    assert Outcome("x", "passed", (read, built)).how == "real"
    assert Outcome("x", "passed", (read, Finding("b", "not-judged", reason="docker")), {"docker": "x"}).how == "static"
    assert Outcome("x", "passed", (read, Finding("b", "met", "emulated"))).how == "emulated"


def test_the_best_evidence_stays_whatever_comes_later() -> None:
    """Failed, waiting or broken later: a real pass is a real pass."""

    def event(at: str, outcome: str, how: str = "static") -> dict[str, Any]:
        return {"id": at, "at": at, "kind": "outcome", "exercise": "x", "outcome": outcome, "how": how, "findings": []}

    state = fold([event("1", "passed"), event("2", "passed", "real"), event("3", "failed"), event("4", "passed")])
    best = state.passed("x")
    assert best is not None
    assert (best.at, best.how, state.latest["x"].at) == ("2", "real", "4")


# --- sessions --------------------------------------------------------------------------------------------------------


def test_an_answer_is_judged_once_for_each_text(session: Session) -> None:
    """The same answer and the same judge give the recorded result; another text is judged anew."""
    assert answer(session, "hammer-nail-first", BAD).failed == ("enough",)
    count = len(session.log.events())
    *_, again = session.check("hammer-nail-first")
    assert again.failed == ("enough",)
    assert again.findings[2].found == "1"
    assert len(session.log.events()) == count
    assert answer(session, "hammer-nail-first", GOOD).outcome == "passed"


def test_the_untouched_starter_is_not_attempted_and_leaves_no_trace(session: Session) -> None:
    """Run All on a fresh study judges nothing."""
    for text in session.starters("hammer-nail-first", "ja").values():
        session.answer("hammer-nail-first", "plan.yaml", text.partition("\n")[2], replace=False)
    *_, outcome = session.check("hammer-nail-first")
    assert outcome.outcome == "not-attempted"
    assert session.log.events() == []


def test_progress_tells_exercises_items_and_what_is_next(session: Session) -> None:
    """As `curriculum progress --json` prints it."""
    answer(session, "hammer-nail-first", GOOD)
    session.tick(["hammer.nail-check"], True)
    told = curriculum("progress", session.folder, "--json")
    assert told["exercises"]["hammer-nail-first"]["outcome"] == "passed"
    assert told["exercises"]["hammer-nail-first"]["how"] == "static"
    assert told["exercises"]["hammer-nail-first"]["waiting"] == []
    assert told["items"]["hammer.nail"] == {"state": "proven", "how": "static"}
    assert told["items"]["hammer.nail-check"] == {"state": "declared", "how": ""}
    assert told["next"] is None
    assert "1/1" in curriculum("progress", session.folder)


def test_the_terminal_checks_as_the_notebook_does(session: Session) -> None:
    """All answers or one; the exit code tells."""
    session.answer("hammer-nail-first", "plan.yaml", BAD, replace=True)
    told = curriculum("check", session.folder, "--json", code=1)
    assert told["exercises"]["hammer-nail-first"]["outcome"] == "failed"
    assert "[ ] It is enough" in curriculum("check", session.folder, "hammer-nail-first", code=1)
    assert (
        "Did you mean" in curriculum("check", session.folder, "hammer-nail-frist", "--json", code=1)["error"]["message"]
    )
    session.answer("hammer-nail-first", "plan.yaml", GOOD, replace=True)
    assert "Passed" in curriculum("check", session.folder)
    assert "study" in curriculum("check", session.folder / "nowhere", "--json", code=1)["error"]["message"]


def test_a_judge_that_breaks_is_our_fault_and_counts_for_nothing(session: Session) -> None:
    """`broken`, with a report; never `failed`, and no try of the learner's."""
    outcome = answer(session, "hammer-nail-first", "- 1\n")
    assert outcome.outcome == "broken"
    assert "AttributeError" in outcome.report
    assert session.log.state().tries == {}
    assert curriculum("check", session.folder, "--json", code=3)["exercises"]["hammer-nail-first"]["report"]


def test_reset_puts_the_starter_back_and_keeps_the_answer(session: Session) -> None:
    """In the file and in the cell; what was passed stays passed."""
    answer(session, "hammer-nail-first", GOOD)
    notebook = session.folder / "study.en.ipynb"
    book = json.loads(notebook.read_text(encoding="utf-8"))
    cell = next(cell for cell in book["cells"] if cell["id"] == "hammer-nail-first-answer")
    starter = cell["source"]
    cell["source"] = ["%%answer hammer-nail-first plan.yaml\n", "nails: 2"]
    notebook.write_text(json.dumps(book), encoding="utf-8")
    curriculum("reset", session.folder, "hammer-nail-first")
    folder = session.folder / "work/hammer-nail-first"
    assert "TODO" in (folder / "plan.yaml").read_text(encoding="utf-8")
    assert [path.read_text().startswith("nails: 2") for path in (folder / ".history").iterdir()] == [True]
    book = json.loads(notebook.read_text(encoding="utf-8"))
    assert next(cell["source"] for cell in book["cells"] if cell["id"] == "hammer-nail-first-answer") == starter
    assert session.log.state().passed("hammer-nail-first")


def test_recheck_looks_only_at_what_is_not_proven_for_real(session: Session) -> None:
    """And takes nothing away."""
    answer(session, "hammer-nail-first", GOOD)
    told = curriculum("recheck", session.folder, "--json")
    assert told == {
        "exercises": [{"exercise": "hammer-nail-first", "before": "static", "outcome": "passed", "after": "static"}]
    }


# --- nothing is ever lost --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_twenty_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    """What was acknowledged is there; the log can always be read."""
    assert kill_at_random(make_study(tmp_path), 20) > 20


@pytest.mark.slow
def test_four_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    """Two notebooks, a terminal and a grader on one study."""
    code = (
        "import sys; from pathlib import Path; from curriculum.progress import Log\n"
        "log = Log(Path(sys.argv[1]), 's')\n"
        "for n in range(100): log.append('tick', item=f'{sys.argv[2]}.{n}', done=True)"
    )
    argv = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen([*argv, str(n)], cwd=REPOSITORY) for n in range(4)]
    assert [process.wait(timeout=120) for process in processes] == [0] * 4
    log = Log(tmp_path, "s")
    assert len(log.state().ticks) == 400
    assert log.unreadable == 0


def test_a_read_only_log_is_told_and_the_answer_kept(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is shown as counted that is not written."""
    import curriculum.progress as progress
    from curriculum.errors import ProgressError

    session.answer("hammer-nail-first", "plan.yaml", GOOD, replace=True)

    def refuse(*_: object) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(progress.os, "write", refuse)
    with pytest.raises(ProgressError, match="could not be saved"):
        list(session.check("hammer-nail-first"))
    assert (session.folder / "work/hammer-nail-first/plan.yaml").is_file()


@pytest.mark.parametrize("inherited", [signal.default_int_handler, signal.SIG_IGN], ids=["terminal", "background"])
def test_a_check_that_is_given_up_ends_its_process(session: Session, inherited: Any) -> None:
    """The child is interrupted, and need not be killed: not even where what started us ignores interrupts."""
    work = session.submission("hammer-box-first")
    work.folder.mkdir(parents=True)
    (work.folder / "plan.yaml").write_text(f"sides: 2\nport: {work.values['port']}\nseconds: 120\n")
    before = signal.signal(signal.SIGINT, inherited)
    begun = time.monotonic()
    try:
        outcome = judge_apart(work, content=str(SMALL), study=session.study, timeout=5)
    finally:
        signal.signal(signal.SIGINT, before)
    assert outcome.outcome == "failed"
    assert outcome.problem and outcome.problem.key == "answer-too-long"
    assert time.monotonic() - begun < 5 + PATIENCE / 2
    assert threading.active_count() < 20
