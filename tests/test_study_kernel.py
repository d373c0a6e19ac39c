"""A study notebook in a real kernel, as a program runs it and as a learner reopens it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY, SMALL

pytestmark = pytest.mark.kernel

PARAMETERS = """\
role = "tester"
level = "beginner"
lang = "en"
start = "2026-11-30"
study = "1a2b3c4d5e"
made_with = "curriculum 0.0.1"
"""
START = "try: from curriculum.study import *; start()\nexcept ModuleNotFoundError: print('missing')"
ANSWER = "%%answer hammer-nail-first plan.yaml\n# how many nails\nnails: {nails}\nport: 18813"


@pytest.fixture
def run(tmp_path: Path, need: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Save cells as the study's notebook, run some of them in a fresh kernel, and give each cell's outputs."""
    for package in ("nbclient", "ipykernel"):
        need(f"python:{package}")
    import nbformat
    from nbclient import NotebookClient

    folder = tmp_path / "学習 ノート"
    folder.mkdir()
    # What the wheel places at etc/ipython is read the same way from the profile's folder.
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    shutil.copy(REPOSITORY / "curriculum" / "ipython_config.py", profile)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("CURRICULUM_CONTENT", str(SMALL))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)

    def run(*sources: str, only: slice = slice(None)) -> list[Any]:
        book = nbformat.v4.new_notebook()
        book.cells = [nbformat.v4.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(sources)]
        book.cells[0].metadata["tags"] = ["parameters"]
        nbformat.write(book, folder / "study.en.ipynb")
        book.cells = book.cells[only]
        NotebookClient(book, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
        assert "widgets" not in book.metadata
        for cell in book.cells:
            for output in cell.outputs:
                assert output.output_type in {"display_data", "execute_result"}, output
        return [cell.outputs for cell in book.cells]

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "学習 ノート"


def text(outputs: list[Any]) -> str:
    return "\n".join(output.data["text/plain"] for output in outputs)


def test_a_study_runs_from_top_to_bottom(run: Callable[..., list[Any]], folder: Path) -> None:
    """Nothing on stderr, no widget state, every output a picture in three forms."""
    cells = run(PARAMETERS, START, 'checklist("hammer")', ANSWER.format(nails=2), 'done("hammer.nail")', "dashboard()")
    assert "curriculum 0.0.1" in text(cells[1])
    assert "Hammer 1/2" in text(cells[2])
    assert "Saved in work/hammer-nail-first/plan.yaml." in text(cells[3])
    assert "[x] Join two boards" in text(cells[4])
    assert "Hammer: █████░░░░░ 1/2" in text(cells[5])
    assert all(set(o.data) == {"text/html", "text/markdown", "text/plain"} for outputs in cells for o in outputs)
    # The checklist and the dashboard of the Start cell were drawn anew in their places.
    assert "Progress █████░░░░░ 1/2" in text(cells[1])
    assert (folder / "progress.jsonl").read_text(encoding="utf-8").count("\n") == 3


def test_the_second_evening_may_begin_with_the_last_answer(run: Callable[..., list[Any]], folder: Path) -> None:
    """A fresh kernel, one cell, no Start: the answer is this notebook's own, so it is written and the old text kept."""
    run(PARAMETERS, START, ANSWER.format(nails=2))
    (outputs,) = run(PARAMETERS, START, ANSWER.format(nails=3), only=slice(2, 3))
    assert "Saved in" in text(outputs)
    assert "nails: 3" in (folder / "work/hammer-nail-first/plan.yaml").read_text(encoding="utf-8")
    assert len(list(folder.glob("work/hammer-nail-first/.history/*"))) == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('checklist("hammer")', "Hammer 0/2"),
        ("dashboard()", "Next step: Join two boards, step by step"),
        ('done("hammer.nail")', "[x] Join two boards"),
        ('hint("hammer-nail-first")', "Hint 1 of 3"),
        ("start()", "Phase 1: Joining boards"),
        ("%%answer hammer-nail-first plan.yaml", "Nothing is filled in yet"),
    ],
)
def test_any_cell_may_be_the_first(run: Callable[..., list[Any]], source: str, said: str) -> None:
    """Whoever reopens the notebook and runs any cell succeeds."""
    (outputs,) = run(PARAMETERS, START, source, only=slice(2, 3))
    assert said in text(outputs)


def test_a_kernel_loads_nothing_of_ours_until_a_name_is_used(run: Callable[..., list[Any]]) -> None:
    """Most kernels of an environment are for something else."""
    source = "import sys\nassert 'curriculum.study' not in sys.modules\nassert 'curriculum.ipython' in sys.modules"
    run("pass", source, only=slice(1, 2))
