"""The first lap: a first success within minutes, and a check that waits rather than judges what it cannot see."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from curriculum.answers import Submission, submission, write_file
from curriculum.catalog import catalog_at
from curriculum.feedback import feedback
from curriculum.generation import generate
from curriculum.home import find_home
from curriculum.labs import first_lap
from curriculum.labs.judging import judge
from curriculum.labs.lab import free_port
from curriculum.messages import say
from curriculum.model import LEVELS
from curriculum.outcome import Outcome
from curriculum.personal import fill, values_of
from curriculum.progress import State
from curriculum.proving import Proof, lay_out, proofs, run_proof, verdict
from curriculum.session import Session
from tests.conftest import REPOSITORY

EXERCISES = [section.name for level in LEVELS for section in catalog_at(None).template("first-lap").exercises(level)]  # type: ignore[union-attr]
PROOFS = [proof for name in EXERCISES for proof in proofs(name, REPOSITORY / "tests" / "proofs")]
#: What an exercise runs on besides Python.
PACKAGES = {
    "first-lap-run-service": ("fastapi", "uvicorn", "prometheus-client"),
    "first-lap-read-metrics": ("fastapi", "uvicorn", "prometheus-client"),
    "first-lap-log-a-run": ("mlflow", "sqlalchemy", "alembic"),
}


def laid_out(exercise: str, folder: Path, **files: str) -> Submission:
    """The solution in a folder, some files of it replaced (`run_py="…"`), for the default values."""
    work = submission(catalog_at(None), exercise, folder / exercise)
    lay_out(Proof(exercise, "solution"), work, catalog_at(None))
    for name, text in files.items():
        file = name.replace("_", ".") if name != "log_run_py" else "log_run.py"
        write_file(work.folder / file, fill(text, work.values).encode())
    return work


def told(work: Submission, outcome: Outcome, lang: str = "en") -> str:
    """All that a learner reads in a result."""
    values = values_of("", work.section.content, catalog_at(None).story(), lang)
    shown = feedback(work.section, outcome, State(), values, lang)
    lines = [f"{line.text} {line.remark}" for line in shown.lines]
    return "\n".join([shown.lead, *shown.notes, *lines, *shown.after])


# --- proofs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "proof", [proof for proof in PROOFS if proof.exercise not in PACKAGES], ids=lambda proof: proof.name
)
def test_what_needs_no_package_is_judged_alike_for_many_learners(proof: Proof) -> None:
    """Whatever their values and their story: a wrong answer misses its own criterion alone."""
    stories = list(catalog_at(None).stories)
    for n in range(1 if proof.exercise == "first-lap-roll-back" else 20):
        outcome = run_proof(proof, catalog_at(None), study=f"learner-{n}", industry=stories[n % len(stories)])
        assert verdict(proof, outcome) == ""


@pytest.mark.parametrize("exercise", EXERCISES)
def test_every_usual_mistake_has_words_of_its_own(exercise: str) -> None:
    """A fault that a judge names stands in the template, and each wrong proof can be told in both languages."""
    rubric = catalog_at(None).exercise(exercise).content.rubric
    assert any(criterion.faults for criterion in rubric.values())
    source = Path(first_lap.__file__).read_text(encoding="utf-8")
    for criterion in rubric.values():
        assert all(f'"{fault}"' in source for fault in criterion.faults), criterion.faults


# --- the first success -----------------------------------------------------------------------------------------------


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    def open_study(level: str, lang: str = "en") -> Session:
        study = generate(
            output=tmp_path, role="mlops-engineer", level=level, lang=lang, id=f"a-{level}", start="2026-11-30"
        )
        cells = json.loads(study.notebook.read_text(encoding="utf-8"))["cells"]
        names: dict[str, Any] = {}
        exec("".join(next(cell for cell in cells if cell["id"] == "parameters")["source"]), names)
        names.pop("__builtins__")
        return Session(find_home(names, {"JPY_SESSION_NAME": str(study.notebook)}, study.notebook.parent))

    yield open_study


def test_the_first_pass_needs_one_number_and_nothing_but_the_core(
    session: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fresh notebook, next step, one number changed: passed, in the kernel, and the plan goes on."""
    import curriculum.checking

    monkeypatch.setattr(curriculum.checking, "judge_apart", lambda *a, **k: pytest.fail("a process was started"))
    study = session("beginner")
    assert study.next_step(study.log.state()) == ("Change one line and have it checked", "first-lap-change-a-file")
    work = study.submission("first-lap-change-a-file")
    starter = fill(work.section.files("starter", "en")["service.toml"], work.values)
    study.answer(work.section.name, "service.toml", starter, replace=False)
    assert [o.outcome for o in study.check(work.section.name)] == ["not-attempted"]
    study.answer(work.section.name, "service.toml", starter.replace("8000", work.values["port"]), replace=False)
    (outcome,) = study.check(work.section.name)
    assert (outcome.outcome, outcome.waiting) == ("passed", ())
    assert study.result(work.section.name, outcome, notes=[], pending=False).lead.startswith("✅ Passed: ")
    assert study.next_step(study.log.state())[1] == "first-lap-service"  # type: ignore[index]


@pytest.mark.parametrize("level", LEVELS)
def test_everyone_meets_answer_and_result_first(session: Callable[..., Session], level: str) -> None:
    """At every level the first thing to do is a short exercise that needs no backend."""
    study = session(level)
    template = catalog_at(None).template("first-lap")
    assert template is not None
    first = template.work(level)[0]
    assert first.kind == "exercise"
    assert first.content.minutes <= 10
    assert first.content.backend is None
    assert first.name not in PACKAGES
    assert study.next_step(study.log.state())[1] == first.name  # type: ignore[index]
    cells = json.loads((study.folder / "study.en.ipynb").read_text(encoding="utf-8"))["cells"]
    tonight = "".join(next(cell for cell in cells if cell["id"] == "tonight")["source"])
    assert f"#cell-id={first.name})" in tonight
    text = first.prose("en") + first.prose("ja")
    for said in ("%%answer", "Shift+Enter", f'hint("{first.name}")', "`work"):
        assert text.count(said) >= 2 or said == "%%answer", said


def test_the_first_check_imports_nothing_heavy() -> None:
    """What stands in the kernel's way before the first success is Python's own."""
    program = """
import sys, tempfile, time
for name in ("fastapi", "uvicorn", "mlflow", "prometheus_client", "sqlalchemy"):
    sys.modules[name] = None
from pathlib import Path
from curriculum.answers import submission
from curriculum.catalog import catalog_at
from curriculum.labs.judging import judge
from curriculum.proving import Proof, lay_out
work = submission(catalog_at(None), "first-lap-change-a-file", Path(tempfile.mkdtemp()) / "x")
lay_out(Proof("first-lap-change-a-file", "solution"), work, catalog_at(None))
print(judge(work, live=False).outcome)
begun = time.perf_counter()
judge(work, live=False)
assert time.perf_counter() - begun < 0.05
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ))
    assert ran.stdout == "passed\n", ran.stderr


# --- what a learner reads ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "signs"), [("port = １７０８０", "１７０８"), ("port ＝ 17080", "＝"), ("host = “x”", "“”")]
)
def test_signs_typed_in_full_width_are_told_as_such(tmp_path: Path, text: str, signs: str) -> None:
    """An input method left on is no reason to learn what “Invalid value” means."""
    work = laid_out("first-lap-change-a-file", tmp_path, service_toml=f'name = "x"\n{text}\n')
    outcome = judge(work, live=False)
    assert outcome.problem is not None
    assert (outcome.problem.key, outcome.problem.params["line"]) == ("answer-wide-signs", 2)
    assert outcome.problem.params["signs"] == signs
    assert signs in told(work, outcome, "ja")


@pytest.mark.parametrize(
    "text", ["port = \n", "[x\n", "port = 1\nport = 2\n", "a = " + "[" * 5000, "\x00", "= 3", "", "日本"]
)
def test_settings_that_cannot_be_read_are_told_with_a_place(tmp_path: Path, text: str) -> None:
    """Whatever was written, the judge does not break."""
    work = laid_out("first-lap-change-a-file", tmp_path, service_toml=text)
    assert judge(work, live=False).outcome in {"failed", "not-attempted"}
    work = laid_out("first-lap-timeouts", tmp_path, client_toml=text)
    assert judge(work, live=False).outcome in {"failed", "not-attempted"}


@pytest.mark.parametrize(
    "text",
    ["- a\n- b\n", "hello", "{", "kind: [a, b]\n", "1: 2\n", "kind: counter\n---\n3\n", "kind: 0x1F\ntimed: {a: b}\n"],
)
def test_facts_that_are_none_are_told(tmp_path: Path, text: str) -> None:
    """A list, a word, a nested thing: a sentence, never a crash."""
    for exercise in ("first-lap-read-metrics", "first-lap-read-dockerfile"):
        outcome = judge(laid_out(exercise, tmp_path, facts_yaml=text), live=False)
        assert outcome.outcome == "failed", outcome.report


def test_a_number_in_words_is_told(tmp_path: Path) -> None:
    """The other settings are not judged by a guess."""
    work = laid_out(
        "first-lap-timeouts", tmp_path, client_toml='attempts = "two"\nattempt_timeout_ms = 400\npause_ms = 50\n'
    )
    outcome = judge(work, live=False)
    assert outcome.problem is not None
    assert outcome.problem.key == "answer-not-number"
    assert "attempts" in told(work, outcome)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_dockerfile_in_the_text_is_the_one_that_is_handed_out(lang: str) -> None:
    """What one reads and what is judged are the same."""
    section = catalog_at(None).exercise("first-lap-read-dockerfile")
    path = catalog_at(None).given_file("first-lap.Dockerfile")
    assert path is not None
    assert path.read_text(encoding="utf-8").strip() in section.prose(lang)


# --- what is not there, or in the way --------------------------------------------------------------------------------


@pytest.mark.parametrize(("exercise", "packages"), PACKAGES.items())
def test_without_its_packages_an_exercise_waits_and_says_for_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exercise: str, packages: tuple[str, ...]
) -> None:
    """Nothing is failed for want of an installation; every package that is missing is named at once."""

    monkeypatch.setattr(first_lap, "find_spec", lambda name: None)
    work = laid_out(exercise, tmp_path)
    outcome = judge(work, live=True)
    assert outcome.failed == ()
    assert outcome.waiting
    assert set(outcome.missing) == {name.replace("-", "_") for name in packages}
    for lang in ("en", "ja"):
        text = told(work, outcome, lang)
        assert all(name.replace("-", "_") in text for name in packages)
        assert " ".join(packages).replace("mlflow", "mlflow-skinny") in work.section.prose(lang)


def test_a_port_in_use_makes_the_check_wait(tmp_path: Path, need: Callable[[str], None]) -> None:
    """Most likely it is the learner's own copy that still runs; a right answer is not judged wrong for it."""
    for package in PACKAGES["first-lap-run-service"]:
        need(f"python:{package}")
    work = laid_out("first-lap-run-service", tmp_path)
    with closing(socket.create_server(("127.0.0.1", int(work.values["port"])))):
        outcome = judge(work, live=True)
    assert (outcome.outcome, outcome.failed, dict(outcome.missing)) == ("unavailable", (), {"port": "busy"})
    assert len(outcome.waiting) == 5
    assert say("en", "missing.port.busy") in told(work, outcome)


@pytest.mark.backend
def test_a_service_without_its_question_is_judged_as_far_as_it_goes(
    tmp_path: Path, need: Callable[[str], None]
) -> None:
    """Whoever has run one of two cells is told what is right about it."""
    for package in PACKAGES["first-lap-run-service"]:
        need(f"python:{package}")
    work = laid_out("first-lap-run-service", tmp_path)
    (work.folder / "ask.py").unlink()
    outcome = judge(work, live=True)
    assert [f.criterion for f in outcome.findings if f.result == "met"] == ["starts", "port", "local"]
    assert outcome.problem is not None
    assert outcome.problem.params["file"] == "ask.py"


@pytest.mark.backend
def test_nothing_runs_on_after_a_check(tmp_path: Path, need: Callable[[str], None]) -> None:
    """Neither the service nor what it started; and a program that never listens is given up."""
    for package in PACKAGES["first-lap-run-service"]:
        need(f"python:{package}")
    work = laid_out("first-lap-run-service", tmp_path)
    assert judge(work, live=True).outcome == "passed"
    assert not first_lap.accepts("127.0.0.1", int(work.values["port"]))


@pytest.mark.parametrize(
    ("program", "fault"),
    [("import time\ntime.sleep(60)\n", "silent"), ("print('done')\n", "ended"), ("raise SystemExit('no')\n", "error")],
)
def test_a_program_that_is_no_service_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, need: Callable[[str], None], program: str, fault: str
) -> None:
    """It ended, it broke, or it never listens."""
    for package in PACKAGES["first-lap-run-service"]:
        need(f"python:{package}")
    monkeypatch.setattr(first_lap, "_PATIENCE", 1.0)
    outcome = judge(laid_out("first-lap-run-service", tmp_path, run_py=program), live=True)
    assert [(f.criterion, f.fault) for f in outcome.findings if f.result == "not-met"] == [("starts", fault)]


def test_a_handed_out_file_that_was_broken_is_named(tmp_path: Path) -> None:
    """The learner is told to fetch a fresh one; the answer is not at fault."""
    work = laid_out("first-lap-read-dockerfile", tmp_path)
    (work.folder / "first-lap.Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    outcome = judge(work, live=False)
    assert outcome.problem is not None
    assert (outcome.problem.key, outcome.failed) == ("answer-given-changed", ())


def test_a_free_address_accepts_nobody() -> None:
    """And the other addresses of this machine are not the loopback one."""
    assert not first_lap.accepts("127.0.0.1", free_port())
    assert "127.0.0.1" not in first_lap.other_addresses()


@pytest.mark.backend
@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize(
    ("exercise", "prints"),
    [
        ("first-lap-run-service", '{"minutes":'),
        ("first-lap-log-a-run", "{'mae': 3."),
        ("first-lap-read-metrics", 'predictions_total{rain="true"} 5.0'),
        ("first-lap-roll-back", "v12"),
    ],
)
def test_the_code_in_the_text_does_what_it_promises(
    tmp_path: Path, need: Callable[[str], None], exercise: str, prints: str, lang: str
) -> None:
    """What a learner pastes into a new cell runs beside the notebook, with the answer that is asked for."""
    for package in PACKAGES.get(exercise, ()):
        need(f"python:{package}")
    work = laid_out(exercise, tmp_path / "work")
    shown = re.findall(r"^```python\n(.*?)^```$", work.section.prose(lang), re.MULTILINE | re.DOTALL)
    program = fill("\n".join(shown), work.values)
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert prints in ran.stdout
