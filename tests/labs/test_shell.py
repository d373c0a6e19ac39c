"""The backends bash and git, and what keeps a learner's script from doing harm."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curriculum.answers import submission
from curriculum.catalog import catalog_at
from curriculum.errors import AnswerError
from curriculum.labs import process
from curriculum.labs.backends import bash, git
from curriculum.labs.backends.bash import Bash, Stage
from curriculum.labs.backends.git import Repository
from curriculum.labs.judging import judge
from curriculum.labs.lab import Lab, Missing
from curriculum.labs.linux_command_line import _guard
from curriculum.proving import Proof, lay_out

pytestmark = [
    pytest.mark.backend,
    pytest.mark.skipif(shutil.which("bash") is None or shutil.which("git") is None, reason="needs bash and git"),
]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab("shell-script-gate", tmp_path, {}, live=True)


@pytest.fixture
def stage(lab: Lab) -> Iterator[Stage]:
    with bash.find(lab).stage(lab) as stage:
        yield stage


def run(lab: Lab, text: str, *arguments: str, **options: object) -> bash.Ran:
    (lab.folder / "answer.sh").write_bytes(text.encode())
    with bash.find(lab).stage(lab, "answer.sh") as stage:
        return stage.script("answer.sh", *arguments, **options)  # type: ignore[arg-type]


def test_a_script_runs_in_a_scratch_folder_that_is_its_home(lab: Lab) -> None:
    """Neither the answer's folder nor the learner's home is where a script writes."""
    (lab.folder / "other.txt").write_text("x")
    ran = run(lab, 'echo "$1"; ls -A; cd; touch here; case $HOME in "$OLDPWD"*) ;; *) echo apart ;; esac', "a b")
    assert ran.lines == ["a b", "answer.sh", "apart"]
    assert sorted(path.name for path in lab.folder.iterdir()) == ["answer.sh", "other.txt"]


def test_what_it_says_to_people_is_kept_apart_from_its_output(lab: Lab) -> None:
    """Exit code, output and errors of a run."""
    ran = run(lab, "echo out; echo err >&2; exit 3")
    assert (ran.code, ran.out, ran.err) == (3, "out\n", "err\n")


def test_line_ends_of_windows_do_no_harm(lab: Lab) -> None:
    """An editor on Windows may have written the answer."""
    assert run(lab, "set -eu\r\necho ok\r\n").out == "ok\n"


def test_a_script_that_cannot_be_read_is_told_of_with_its_line(lab: Lab) -> None:
    """bash's own words for a syntax error."""
    with pytest.raises(AnswerError) as caught:
        run(lab, "echo one\nif true; then\n")
    assert caught.value.key == "answer-syntax"
    assert caught.value.params["line"] >= 2  # type: ignore[operator]


def test_nothing_of_the_learners_shell_gets_in(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start files and another repository named in the environment change nothing."""
    rc = tmp_path / "rc.sh"
    rc.write_text("echo started\n")
    monkeypatch.setenv("BASH_ENV", str(rc))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert run(lab, 'echo "${GIT_DIR-none} $LC_ALL"').out == "none C\n"


@pytest.mark.parametrize("text", ["while true; do :; done", "sleep 300 & wait", "yes", "cat"])
def test_a_script_without_end_is_stopped(lab: Lab, text: str) -> None:
    """By its time, or by the length of its output; one that waits for input gets none."""
    begun = time.monotonic()
    ran = run(lab, text, timeout=2)
    assert time.monotonic() - begun < 8
    assert ran.code is None or text == "cat"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_script_cannot_fill_the_disk_with_one_file(lab: Lab) -> None:
    """A file is cut off at 64 MB."""
    ran = run(lab, "head -c 200000000 /dev/zero > big; wc -c < big", timeout=20)
    assert ran.lines == [str(64 * 1024 * 1024)]


def test_nothing_that_a_script_started_outlives_it(lab: Lab, tmp_path: Path) -> None:
    """A background job ends with the check."""
    mark = tmp_path / "mark"
    run(lab, f'(sleep 1.5; touch "{mark.as_posix()}") &')
    time.sleep(2)
    assert not mark.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Git Bash reach its own programs only")
@pytest.mark.parametrize(
    "command",
    [
        "kill {pid}",
        "kill -9 {pid}",
        "kill -s KILL {pid}",
        "echo {pid} | xargs kill -9",
        "pkill -f 'sleep 299'",
        "kill -TERM -{pid}",
        "kill -9 -1",
    ],
)
def test_a_signal_to_a_stranger_is_caught(lab: Lab, stage: Stage, tmp_path: Path, command: str) -> None:
    """The exercise about signals runs scripts that may hit the wrong process: never one of the learner's."""
    with process.serving(["sleep", "299"], folder=tmp_path) as stranger:
        refused = tmp_path / "refused.txt"
        stage.write("stop.sh", command.format(pid=stranger.process.pid))
        stage.script("stop.sh", **_guard(stage, [os.getpid() + 10**6], refused))
        time.sleep(0.2)
        assert stranger.running
        assert refused.read_text().split()[-1].lstrip("-") in {str(stranger.process.pid), "1"}


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Git Bash reach its own programs only")
@pytest.mark.parametrize("command", ["kill {pid}", "kill -9 {pid}", "kill -s TERM -- {pid}", "echo {pid} | xargs kill"])
def test_a_signal_to_a_process_of_the_exercise_arrives(lab: Lab, stage: Stage, tmp_path: Path, command: str) -> None:
    """The guard stands in nobody's way."""
    with process.serving(["sleep", "298"], folder=tmp_path) as ours:
        stage.write("stop.sh", f"sleep 60 &\nkill $!\nkill %1\n{command.format(pid=ours.process.pid)}")
        stage.script("stop.sh", **_guard(stage, [ours.process.pid], tmp_path / "refused.txt"))
        deadline = time.monotonic() + 3
        while ours.running and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not ours.running
        assert not (tmp_path / "refused.txt").exists()


def test_the_bash_of_wsl_is_never_taken_for_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On Windows: the PATH without the system's folders, then the places of Git for Windows."""
    places = {name: tmp_path / name for name in ("tools", "Git")}
    (places["tools"]).mkdir()
    (places["tools"] / "bash.exe").touch()
    monkeypatch.setattr(bash.os, "name", "nt")
    monkeypatch.setattr(bash.os, "pathsep", ";")
    monkeypatch.setattr(bash, "Path", type(tmp_path))
    monkeypatch.setattr(bash.shutil, "which", lambda name, path=None: str(tmp_path / "Git" / "cmd" / "git.exe"))
    monkeypatch.setenv("PATH", f"C:\\Windows\\System32;C:\\Windows\\sysnative\\;{places['tools']}")
    monkeypatch.setenv("ProgramFiles", str(tmp_path / "Program Files"))
    found = [path.as_posix() for path in bash._candidates()]
    assert found[0] == (places["tools"] / "bash.exe").as_posix()
    assert found[1] == (tmp_path / "Git" / "bin" / "bash.exe").as_posix()
    assert (tmp_path / "Program Files" / "Git" / "bin" / "bash.exe").as_posix() in found
    assert not any("system32" in path.lower() for path in found)


def test_no_bash_and_an_old_git_are_said_in_words(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing has a sentence in both languages."""
    from curriculum.messages import keys

    monkeypatch.setattr(git, "LEAST", (99, 0))
    with pytest.raises(Missing) as old:
        git.find(lab)
    monkeypatch.setattr(bash, "_candidates", lambda: iter([Path("/nowhere/bash")]))
    with pytest.raises(Missing) as none:
        bash.find(lab)
    for key in (f"missing.git.{old.value.reason}", f"missing.bash.{none.value.reason}"):
        assert key in keys("en")
        assert key in keys("ja")


def test_git_runs_with_a_configuration_of_its_own(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings, hooks or identity of the learner's; no network; no way up to another repository."""
    settings = tmp_path / "gitconfig"
    settings.write_text("[user]\n\tname = Somebody\n[core]\n\thooksPath = /nowhere\n[alias]\n\tst = status\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody")
    text = """\
git rev-parse --git-dir 2> /dev/null || echo outside
git init -q project
cd project
git commit -q --allow-empty -m one
git log --format='%an %D'
git st 2> /dev/null || echo no alias
git clone -q https://example.org/x.git 2>&1 | grep -c "not allowed"
"""
    (lab.folder / "steps.sh").write_text(text)
    with git.find(lab).stage(lab, "steps.sh") as stage:
        assert stage.script("steps.sh").lines == ["outside", "Learner HEAD -> main", "no alias", "1"]


def test_a_repository_is_read_with_names_as_they_are(lab: Lab) -> None:
    """Spaces and other scripts than Latin in the names of files, and what was deleted again."""
    with git.find(lab).stage(lab) as stage:
        stage.write(
            "make.sh",
            "git init -q p; cd p; echo 1 > 'ä b.txt'; mkdir s; echo 2 > s/.env; git add -A; git commit -qm one;"
            "git rm -q s/.env; git commit -qm two",
        )
        assert stage.script("make.sh").ok
        project = Repository(stage, "p")
        assert project.files("HEAD") == ["ä b.txt"]
        assert project.changed("HEAD") == ["s/.env"]
        assert project.changed("HEAD~1") == ["s/.env", "ä b.txt"]
        assert project.ever(".env")
        assert not project.ever("env")
        assert project.text("HEAD", "ä b.txt") == "1\n"
        assert project.contains("HEAD", "HEAD~1")
        assert not project.contains("HEAD~1", "HEAD")
        assert project.commit("nowhere") == ""


def test_every_bash_has_limits_of_its_own(lab: Lab) -> None:
    """A stage of git is a stage of bash with more in its environment."""
    found = git.find(lab)
    assert isinstance(found, Bash)
    assert found.environment(Path("/x"))["LC_ALL"] == "C"


def test_the_scripts_of_one_answer_are_judged_as_they_come(tmp_path: Path) -> None:
    """Five cells write five files: the first is judged before the second is there, which is asked for by its name."""
    exercise = "linux-command-line-read-log"
    work = submission(catalog_at(None), exercise, tmp_path / exercise)
    work.folder.mkdir()
    (work.folder / "requests.sh").write_text("grep -c ' /predict ' service.log\n")
    assert judge(work, live=False).problem is None
    outcome = judge(work, live=True)
    assert outcome.problem is not None
    assert (outcome.problem.key, outcome.problem.params["file"]) == ("answer-missing", "statuses.sh")
    assert [finding.criterion for finding in outcome.findings if finding.result == "met"] == ["predict-count"]


@pytest.mark.parametrize("exercise", ["linux-command-line-read-log", "git-undo", "shell-script-gate"])
def test_without_bash_everything_waits_and_nobody_fails(
    exercise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A right answer on a machine without bash: no verdict, and the reason why."""
    monkeypatch.setattr(bash, "_candidates", lambda: iter(()))
    work = submission(catalog_at(None), exercise, tmp_path / exercise)
    work.folder.mkdir()
    lay_out(Proof(exercise, "solution"), work, catalog_at(None))
    outcome = judge(work, live=True)
    assert outcome.outcome == "unavailable"
    assert len(outcome.waiting) == len(outcome.findings)
    assert set(outcome.missing.values()) == {"not-found"}
