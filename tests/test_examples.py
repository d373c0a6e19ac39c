"""Every lesson's example is run again: its files in an empty folder, its command there, its recorded output."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from curriculum.catalog import catalog_at
from curriculum.model import Lesson


def examples() -> list[tuple[str, Lesson]]:
    catalog = catalog_at(None)
    found = []
    for slug in catalog.template_files:
        template = catalog.template(slug)
        assert template is not None
        for section in template.sections:
            if section.kind == "lesson" and section.content.example:
                found.append((section.name, section.content))
    return found


def as_pattern(recorded: str) -> re.Pattern[str]:
    """`…` alone on a line stands for any lines, within a line for any text; blanks at line ends do not count."""
    lines = [line.rstrip() for line in recorded.strip().splitlines()]
    parts = [
        r"(?:[^\n]*\n)*" if line == "…" else "[^\n]*".join(map(re.escape, line.split("…"))) + r"[ \t]*\n"
        for line in lines
    ]
    return re.compile("".join(parts) + r"\s*")


def run(command: str, folder: Path) -> str:
    """What a command prints, stdout and stderr together; `python` is this interpreter."""
    words = shlex.split(command)
    if words[0] in {"python", "python3"}:
        words[0] = sys.executable
    quiet = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONUTF8": "1",
        "DOCKER_BUILDKIT": "0",
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        words,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=180,
        env={**os.environ, **quiet, "PATH": path},
    )
    return result.stdout.decode("utf-8")


def test_the_pattern_of_a_recorded_output_is_strict_where_nothing_was_left_out() -> None:
    """An ellipsis stands for what varies; everything else must be the same."""
    pattern = as_pattern("a\n…\nid: … ok\n")
    assert pattern.fullmatch("a\nx\ny\nid: 12 ok\n")
    assert pattern.fullmatch("a\nid: 12 ok  \n")
    assert not pattern.fullmatch("a\nid: 12 bad\n")
    assert not pattern.fullmatch("b\nid: 12 ok\n")


@pytest.mark.backend
@pytest.mark.parametrize(("name", "lesson"), examples(), ids=[name for name, _ in examples()])
def test_an_example_prints_what_was_recorded(
    name: str, lesson: Lesson, tmp_path: Path, need: Callable[[str], None]
) -> None:
    """Readers without the backend see what readers with it would."""
    assert lesson.example is not None
    for program in lesson.example.needs:
        need(program)
    for file, text in lesson.example.files.items():
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    for command, recorded in lesson.example.commands():
        printed = run(command, tmp_path)
        same = as_pattern(recorded).fullmatch(printed.strip() + "\n")
        assert same, "\n".join(
            [
                f"$ {command}",
                *difflib.unified_diff(recorded.splitlines(), printed.splitlines(), "recorded", "printed", lineterm=""),
            ]
        )
