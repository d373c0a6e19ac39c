"""The command as people run it: words, exit codes, JSON, and never a traceback."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curriculum import cli


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command, in this process."""
    code = cli.run(list(argv))
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def run_json(capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    code, out, _ = run(capsys, *argv, "--json")
    assert code == 0
    return json.loads(out)


GENERATE = ("generate", "--role", "mlops-engineer", "--level", "beginner", "--start", "2026-11-30")


def test_generate_says_where_the_notebook_is_and_how_to_open_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The last line can be pasted into a shell."""
    code, out, _ = run(capsys, *GENERATE, "--lang", "ja", "--output", str(tmp_path))
    notebook = tmp_path / "mlops-engineer-beginner" / "study.ja.ipynb"
    assert code == 0
    assert notebook.is_file()
    assert str(notebook) in out
    assert " open " in out.splitlines()[-1]


def test_an_output_that_reads_like_a_notebook_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Else a folder would be made with the name that somebody meant for the file."""
    code, _, err = run(capsys, *GENERATE, "--lang", "en", "--output", str(tmp_path / "mine.ipynb"))
    assert code == 1
    assert "Give the folder" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("genrate", "--lang", "ja"), "もしかして「generate」ですか。"),
        (("plan", "--levl", "x", "--lang", "ja"), "もしかして「--level」ですか。"),
        (("plan", "--levl", "x", "--lang", "en"), "Did you mean “--level”?"),
        (("update", "--lang", "ja"), "STUDY を指定してください。"),
    ],
)
def test_a_mistyped_command_line_is_answered_in_the_language_asked_for(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], words: str
) -> None:
    code, _, err = run(capsys, *argv)
    assert code == 2
    assert words in err


def test_generate_json_is_one_object_with_what_a_script_needs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """notebook, role, level, lang, tools, exercises, hours, weeks, end."""
    made = run_json(capsys, *GENERATE, "--lang", "en", "--id", "s-1", "--output", str(tmp_path))
    assert Path(made["notebook"]) == tmp_path / "s-1-beginner" / "study.en.ipynb"
    assert (made["role"], made["level"], made["lang"]) == ("mlops-engineer", "beginner", "en")
    assert {"docker", "kubernetes", "mlflow", "prometheus"} <= set(made["tools"])
    assert {"docker-first-image"} <= set(made["exercises"])
    assert made["hours"] > 0
    assert made["weeks"] > 0
    assert made["end"] > "2026-11-30"


def test_plan_json_explains_every_step_and_every_skip(capsys: pytest.CaptureFixture[str]) -> None:
    """Phases with steps; each step has hours, dates and why; each skip has why."""
    plan = run_json(capsys, "plan", "--level", "advanced", "--known", "docker", "--lang", "ja")
    steps = [step for phase in plan["phases"] for step in phase["steps"]]
    assert all({"tool", "hours", "start", "end", "why"} <= set(step) and step["why"] for step in steps)
    skipped = {skip["tool"]: skip["why"] for skip in plan["skipped"]}
    assert "習得済み" in skipped["docker"]
    assert "docker" not in {step["tool"] for step in steps}


def test_list_tools_json_has_the_fields_that_were_promised(capsys: pytest.CaptureFixture[str]) -> None:
    """Every tool of the role, with checklist counts and exercise slugs per level."""
    tools = {tool["tool"]: tool for tool in run_json(capsys, "list", "tools")}
    assert len(tools) >= 94
    docker = tools["docker"]
    assert {"tool", "category", "needs", "checklist", "exercises"} <= set(docker)
    assert all(6 <= docker["checklist"][level] <= 10 for level in ("beginner", "intermediate", "advanced"))
    assert all(docker["exercises"].values())


@pytest.mark.parametrize("what", ["roles", "tools", "exercises"])
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_lists_are_tables_in_the_chosen_language(capsys: pytest.CaptureFixture[str], what: str, lang: str) -> None:
    """A table without --json."""
    code, out, _ = run(capsys, "list", what, "--lang", lang)
    assert code == 0
    assert len(out.splitlines()) > 2


@pytest.mark.parametrize(
    ("what", "name", "expected"),
    [
        ("role", "MLOpsエンジニア", "インフラ基礎"),
        ("tool", "Docker", "Docker"),
        ("exercise", "docker-first-image", "Dockerfile"),
    ],
)
def test_show_tells_what_there_is_to_know(
    capsys: pytest.CaptureFixture[str], what: str, name: str, expected: str
) -> None:
    """By slug or by title."""
    code, out, _ = run(capsys, "show", what, name, "--lang", "ja")
    assert code == 0
    assert expected in out
    assert "⟦" not in out


def test_show_exercise_does_not_show_the_solution(capsys: pytest.CaptureFixture[str]) -> None:
    """The solution's own lines are not in it."""
    from curriculum.catalog import catalog_at

    template = dict(catalog_at(None).exercises())["docker-first-image"]
    section = next(s for s in template.sections if s.name == "docker-first-image")
    own = set(section.files("solution", "en")["Dockerfile"].splitlines()) - set(
        section.files("starter", "en")["Dockerfile"].splitlines()
    )
    _, out, _ = run(capsys, "show", "exercise", "docker-first-image", "--lang", "en")
    assert own
    assert not {line for line in own if line.strip()} & set(out.splitlines())


REFUSALS = [
    (("--role", "mlops-enginer"), "mlops-engineer"),
    (("--level", "begginer"), "beginner"),
    (("--lang", "jp-JP"), ""),
    (("--known", "kubernets"), "kubernetes"),
    (("--start", "2026-02-30"), "2026-02-30"),
    (("--hours-per-week", "0"), "0"),
    (("--hours-per-week", "1000"), "1000"),
    (("--deadline", "2020-01-01"), "2020-01-01"),
    (("--learner", "x" * 500), "500"),
    (("--id", "../x"), "../x"),
    (("--content", "/no/such/folder"), "/no/such/folder"),
]


@pytest.mark.parametrize(("change", "expected"), REFUSALS, ids=[" ".join(change)[:40] for change, _ in REFUSALS])
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_bad_values_are_refused_in_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, change: tuple[str, str], expected: str, lang: str
) -> None:
    """Exit code 1, one line in the chosen language on stderr, nothing written."""
    code, out, err = run(capsys, *GENERATE, "--lang", lang, "--output", str(tmp_path / "o"), *change)
    assert (code, out) == (1, "")
    assert len(err.strip().splitlines()) == 1
    assert expected in err
    if change[0] != "--lang":
        assert err.startswith("エラー" if lang == "ja" else "Error")
    assert not (tmp_path / "o").exists()


def test_errors_are_json_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One object on stdout, with key, message and exit code."""
    code, out, err = run(capsys, "plan", "--level", "begginer", "--lang", "ja", "--json")
    error = json.loads(out)["error"]
    assert (code, err) == (1, "")
    assert (error["key"], error["exit_code"]) == ("unknown-level", 1)
    assert "beginner" in error["message"]


@pytest.mark.parametrize(
    "argv",
    [
        ("generate", "--lvel", "beginner"),
        ("generat",),
        ("list", "everything"),
        ("generate", "--role", "mlops-engineer"),
    ],
)
def test_a_command_line_that_is_not_understood_ends_with_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    """Unknown options, commands and choices, and a missing level where nobody can be asked."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    code, _, err = run(capsys, *argv)
    assert code == 2
    assert "--help" in err


def test_an_existing_notebook_is_not_overwritten(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The second run says so with exit code 1; the file is as it was."""
    run(capsys, *GENERATE, "--lang", "ja", "--output", str(tmp_path))
    notebook = tmp_path / "mlops-engineer-beginner" / "study.ja.ipynb"
    notebook.write_text("mine", encoding="utf-8")
    code, _, err = run(capsys, *GENERATE, "--lang", "ja", "--output", str(tmp_path))
    assert code == 1
    assert "上書き" in err
    assert notebook.read_text(encoding="utf-8") == "mine"


def test_an_output_that_cannot_be_written_leaves_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A file where a folder should be, and a full disk."""
    (tmp_path / "file").write_text("x")
    code, _, err = run(capsys, *GENERATE, "--lang", "en", "--output", str(tmp_path / "file"))
    assert code == 1
    assert "could not be written" in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_a_full_disk_leaves_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOSPC while flushing: no notebook, no temporary file, no folder."""
    import errno

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = run(capsys, *GENERATE, "--lang", "en", "--output", str(tmp_path / "o"))
    assert code == 1
    assert "No space left" in err
    assert list(tmp_path.iterdir()) == []


def test_ics_is_one_entry_for_each_step(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Readable by a calendar library; the same plan gives the same bytes; no file is overwritten."""
    import icalendar

    for name in ("a.ics", "b.ics"):
        plan = run_json(
            capsys,
            "plan",
            "--level",
            "beginner",
            "--lang",
            "ja",
            "--start",
            "2026-11-30",
            "--ics",
            str(tmp_path / name),
        )
    events = icalendar.Calendar.from_ical((tmp_path / "a.ics").read_bytes()).walk("VEVENT")
    steps = [step for phase in plan["phases"] for step in phase["steps"]]
    assert [event["DTSTART"].dt.isoformat() for event in events] == [step["start"] for step in steps]
    assert (tmp_path / "a.ics").read_bytes() == (tmp_path / "b.ics").read_bytes()
    code, _, _ = run(capsys, "plan", "--level", "beginner", "--ics", str(tmp_path / "a.ics"))
    assert code == 1


def test_a_full_disk_behind_a_redirect_is_not_our_bug() -> None:
    """Exit code 1 and no traceback, whatever was to be printed."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    for argv in (["plan", "--level", "beginner"], ["list", "tools", "--json"], ["--help"]):
        with open("/dev/full", "w") as full:  # noqa: PTH123
            result = subprocess.run(
                [sys.executable, "-m", "curriculum", *argv], stdout=full, stderr=subprocess.PIPE, timeout=60
            )
        assert result.returncode == 1, argv
        assert b"Traceback" not in result.stderr


def test_the_command_alone_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Help, and exit code 0."""
    code, out, _ = run(capsys)
    assert code == 0
    assert "generate" in out


def test_the_deadline_is_spoken_of_honestly(capsys: pytest.CaptureFixture[str]) -> None:
    """Missed: the pace that would meet it, and what could be dropped."""
    _, out, _ = run(
        capsys, "plan", "--level", "beginner", "--lang", "en", "--start", "2026-11-30", "--deadline", "2027-01-31"
    )
    assert "cannot be met" in out
    assert "hours a week it could" in out


def command(*argv: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "curriculum", *argv], capture_output=True, env={**os.environ, **environment}, timeout=120
    )


@pytest.mark.parametrize(
    "argv",
    [
        ("--help",),
        ("--version",),
        ("generate", "--help"),
        ("plan", "--level", "beginner", "--lang", "ja"),
        ("list", "tools", "--lang", "ja"),
        ("show", "tool", "docker", "--lang", "ja"),
        ("lint", "--lang", "ja"),
        ("plan", "--level", "最高", "--lang", "ja"),
        ("completion", "bash"),
    ],
    ids=" ".join,
)
def test_every_command_speaks_to_a_japanese_windows_console(argv: tuple[str, ...]) -> None:
    """Piped, with cp932, and with an encoding left to the system being an error: no crash, no traceback."""
    result = command(
        *argv, PYTHONIOENCODING="cp932", PYTHONWARNDEFAULTENCODING="1", PYTHONWARNINGS="error::EncodingWarning"
    )
    assert b"Traceback" not in result.stderr
    assert result.returncode in {0, 1}
    result.stdout.decode("cp932")


def test_jupyter_and_python_m_are_the_same_command() -> None:
    """`python -m curriculum --version` and `jupyter curriculum --version`."""
    import shutil

    assert command("--version").stdout.startswith(b"curriculum ")
    folder = str(Path(sys.executable).parent)
    jupyter = shutil.which("jupyter", path=folder)
    if jupyter:
        path = f"{folder}{os.pathsep}{os.environ['PATH']}"
        result = subprocess.run(
            [jupyter, "curriculum", "--version"], capture_output=True, env={**os.environ, "PATH": path}, timeout=120
        )
        assert result.stdout.startswith(b"curriculum ")


def test_help_imports_next_to_nothing() -> None:
    """Neither papermill nor pydantic, Jinja2, YAML or rich is loaded to print help."""
    code = "import sys; from curriculum.cli import run; run(['--help']); print(sorted({'papermill','pydantic','jinja2','yaml','rich','nbformat'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX terminal")
def test_generate_without_options_asks_and_shows_the_command(tmp_path: Path) -> None:
    """In a terminal: language, level by five questions, pace, known; then the command it amounts to."""
    import pty
    import select
    import time

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "curriculum", "generate", "--output", str(tmp_path)],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        close_fds=True,
    )
    os.close(follower)
    answers = [b"1\n", b"4\n", b"y\n", b"y\n", b"n\n", b"n\n", b"n\n", b"6\n", b"\n"]
    seen, since, end = b"", 0, time.monotonic() + 60
    while time.monotonic() < end:
        ready, _, _ = select.select([leader], [], [], 0.3)
        if ready:
            try:
                chunk = os.read(leader, 4096)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
        elif answers and len(seen) > since:
            since = len(seen)
            os.write(leader, answers.pop(0))
        elif process.poll() is not None:
            break
    os.close(leader)
    text = seen.decode("utf-8")
    assert process.wait(30) == 0, text
    assert "--level beginner --lang ja --known linux-command-line,shell-script,python,git --hours-per-week 6" in text
    assert f"--output {tmp_path}" in text
    assert "linux-command-line" in text
    assert list(tmp_path.glob("*/study.ja.ipynb"))
