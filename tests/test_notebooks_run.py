"""Every notebook runs: studies and templates, on a copy, from top to bottom, saying nothing on stderr."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curriculum.generation import generate
from curriculum.model import LEVELS
from tests.conftest import REPOSITORY, SMALL

pytestmark = pytest.mark.kernel

TEMPLATES = sorted((REPOSITORY / "templates" / "notebooks").glob("*.ipynb"))


@pytest.fixture(autouse=True)
def kernels(tmp_path: Path, need: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels with no profile of whoever runs the tests, and no front end; temporary folders are ours to look at."""
    for package in ("nbclient", "ipykernel"):
        need(f"python:{package}")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a study to a folder with a space and Japanese in its name, and give the folder."""

    def make(level: str, lang: str, **more: Any) -> Path:
        request = {"role": "mlops-engineer", "start": "2026-11-30", "learner": "山田 'T' {{ x }}", **more}
        study = generate(output=tmp_path / "学習 ノート", level=level, lang=lang, **request)
        return study.notebook.parent

    return make


def run_all(path: Path) -> Any:
    """Run a notebook as it stands in its folder; the notebook with its outputs. Raises CellExecutionError."""
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(book, timeout=120, kernel_name="python3", store_widget_state=False, resources=resources).execute()
    return book


def complaints(book: Any) -> Iterator[tuple[str, str]]:
    """Whatever a cell said that is no picture."""
    for cell in book.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                yield cell.id, output.evalue
            elif output.output_type == "stream":
                yield cell.id, f"{output.name}: {output.text}"
            elif "text/html" in output.data and any(
                mark in output.data["text/plain"]
                for mark in ("inside curriculum", "curriculum の内部", "check itself broke", "採点プログラムに不具合")
            ):
                yield cell.id, output.data["text/plain"]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def notebooks(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.ipynb"))


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("level", LEVELS)
def test_a_fresh_study_runs_from_top_to_bottom(make: Callable[..., Path], level: str, lang: str) -> None:
    """Nothing on stderr, no error; the notebooks are as they were; only the learner's own folder is begun."""
    folder = make(level, lang)
    before = files(folder)
    for path in notebooks(folder):
        book = run_all(path)
        assert list(complaints(book)) == []
        assert "widgets" not in book.metadata
        ran = [cell for cell in book.cells if cell.cell_type == "code"]
        assert all(cell.execution_count for cell in ran)
        # Every code cell but the parameters shows something.
        assert [cell.id for cell in ran if not cell.outputs] == ["parameters"]
    after = files(folder)
    assert {name: after[name] for name in before} == before
    begun = {name for name in after if name not in before}
    assert all(name.startswith("work/") or name == "progress.jsonl" for name in begun), begun
    answers = [c.source.split()[1:3] for path in notebooks(folder) for c in run_cells(path, "%%answer")]
    assert {f"work/{exercise}/{file}" for exercise, file in answers} <= begun


def run_cells(path: Path, begins: str) -> list[Any]:
    import nbformat

    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.source.startswith(begins)]


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_running_all_again_changes_nothing(make: Callable[..., Path], lang: str) -> None:
    """Neither what was begun nor what someone wrote in an editor meanwhile; no tick is made or lost."""
    folder = make("beginner", lang, only=["docker"])
    (path,) = notebooks(folder)
    run_all(path)
    dockerfile = folder / "work" / "docker-first-image" / "Dockerfile"
    dockerfile.write_text("FROM mine\n", encoding="utf-8")
    before = files(folder)
    assert list(complaints(run_all(path))) == []
    after = files(folder)
    assert dockerfile.read_text(encoding="utf-8") == "FROM mine\n"
    assert {n: after[n] for n in before if n != "progress.jsonl"} == {
        n: before[n] for n in before if n != "progress.jsonl"
    }
    log = after.get("progress.jsonl", b"")
    assert log.startswith(before.get("progress.jsonl", b""))
    assert b'"tick"' not in log


def test_both_languages_share_what_was_answered(make: Callable[..., Path]) -> None:
    """Answered in ja, then Run All in en: nothing is lost."""
    folder = make("beginner", "ja", only=["docker"])
    make("beginner", "en", only=["docker"])
    japanese, english = folder / "study.ja.ipynb", folder / "study.en.ipynb"
    raw = json.loads(japanese.read_text(encoding="utf-8"))
    cell = next(c for c in raw["cells"] if c["id"] == "docker-first-image-answer")
    cell["source"] = [cell["source"][0], "FROM python:3.12-slim\n", "# 私の答え\n"]
    japanese.write_text(json.dumps(raw), encoding="utf-8")
    run_all(japanese)
    answer = folder / "work" / "docker-first-image" / "Dockerfile"
    assert "私の答え" in answer.read_text(encoding="utf-8")
    book = run_all(english)
    assert list(complaints(book)) == []
    assert "私の答え" in answer.read_text(encoding="utf-8")


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_nbval_agrees(make: Callable[..., Path], need: Callable[[str], None], lang: str) -> None:
    """`pytest --nbval` on a fresh notebook, in its folder: every cell runs, no output is a surprise."""
    need("python:nbval")
    folder = make("beginner", lang)
    before = {path.name: path.read_bytes() for path in notebooks(folder)}
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
    ]
    result = subprocess.run(
        [*argv, str(folder), *before],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=500,
    )
    assert result.returncode == 0, result.stdout[-3000:]
    assert " passed" in result.stdout
    assert {path.name: path.read_bytes() for path in notebooks(folder)} == before


@pytest.mark.parametrize("path", [*TEMPLATES, SMALL / "templates" / "notebooks" / "hammer.ipynb"], ids=lambda p: p.stem)
def test_an_author_can_run_a_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """As it stands, starters and solutions included, with the defaults of its values; nothing appears beside it."""
    folder = tmp_path / "content" / "templates" / "notebooks"
    folder.mkdir(parents=True)
    shutil.copy(path, folder)
    if SMALL in path.parents:
        monkeypatch.setenv("CURRICULUM_CONTENT", str(SMALL))
    before = files(tmp_path / "content")
    book = run_all(folder / path.name)
    assert list(complaints(book)) == []
    assert files(tmp_path / "content") == before


@pytest.mark.parametrize("tool", [path.stem for path in TEMPLATES if path.stem != "study"])
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_a_template_alone_runs(tmp_path: Path, tool: str, lang: str) -> None:
    """What `papermill --engine curriculum docker.ipynb` makes runs as well."""
    from tests.test_engine import papermill

    out = tmp_path / "alone" / f"{tool}.ipynb"
    out.parent.mkdir()
    papermill(REPOSITORY / "templates" / "notebooks" / f"{tool}.ipynb", out, level="intermediate", lang=lang)
    assert list(complaints(run_all(out))) == []


def test_the_instructors_copy_runs(make: Callable[..., Path]) -> None:
    """Solutions are shown, not run."""
    folder = make("advanced", "ja", variant="instructor", only=["docker"])
    (path,) = notebooks(folder)
    assert list(complaints(run_all(path))) == []


def test_a_study_of_a_schools_pack_runs(make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the pack is announced; here by the environment."""
    monkeypatch.setenv("CURRICULUM_CONTENT", str(SMALL))
    folder = make("beginner", "ja", role="tester", content=SMALL)
    (path,) = notebooks(folder)
    assert list(complaints(run_all(path))) == []
    assert (folder / "work" / "hammer-nail-first" / "app.py").is_file()
