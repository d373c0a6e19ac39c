"""Updating a study: our cells anew, the learner's kept, and a way back."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from curriculum.errors import OutputError, RequestError
from curriculum.home import home_at
from curriculum.session import Session
from curriculum.updating import update
from tests.conftest import SMALL
from tests.kills import make_study


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CURRICULUM_CONTENT", str(SMALL))
    return make_study(tmp_path) / "study.en.ipynb"


def load(path: Path) -> dict[str, Any]:
    book: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return book


def cell_of(book: dict[str, Any], name: str) -> dict[str, Any]:
    cell: dict[str, Any] = next(cell for cell in book["cells"] if cell["id"] == name)
    return cell


def source(book: dict[str, Any], name: str) -> str:
    return "".join(cell_of(book, name)["source"])


def test_an_update_without_a_change_changes_nothing(study: Path) -> None:
    """Not a byte, but for the backup."""
    before = study.read_bytes()
    done = update(study, content=str(SMALL))
    assert study.read_bytes() == before
    (merge,) = done.files.values()
    assert merge is not None
    assert not (merge.replaced or merge.added or merge.removed or merge.kept or merge.own)
    assert [path.read_bytes() for path in done.backups] == [before]


def test_what_the_learner_made_stays_and_the_rest_is_new(study: Path) -> None:
    """Edited cells, own cells behind their neighbours, outputs, a copied cell; another level brings new cells."""
    book = load(study)
    answer = cell_of(book, "hammer-nail-first-answer")
    answer["source"] = ["%%answer hammer-nail-first plan.yaml\n", "nails: 2"]
    at = book["cells"].index(answer)
    mine = {"cell_type": "markdown", "id": "mine", "metadata": {}, "source": ["my note"]}
    copy = {**answer, "id": "copied", "source": ["print(1)"]}
    book["cells"][at + 1 : at + 1] = [mine, copy]
    study.write_text(json.dumps(book), encoding="utf-8")
    done = update(study, content=str(SMALL), level="intermediate")
    (merge,) = done.files.values()
    assert merge is not None
    assert merge.own == 2
    book = load(study)
    names = [cell["id"] for cell in book["cells"]]
    assert "level = 'intermediate'" in source(book, "parameters")
    assert "hammer-box-first-answer" in names
    assert source(book, "mine") == "my note"
    # The exercise is the test-out of the next level: the answer is where it was.
    assert "nails: 2" in source(book, "hammer-nail-first-answer")
    assert names.index("mine") == names.index("hammer-nail-first-answer") + 1
    assert len(set(names)) == len(names)


def test_progress_shows_in_the_pictures_at_once(study: Path) -> None:
    """A checklist reads right without a kernel, after an update too."""
    session = Session(home_at(study))
    session.tick(["hammer.nail"], True)
    update(study, content=str(SMALL))
    book = load(study)
    texts = ["".join(cell_of(book, name)["outputs"][0]["data"]["text/plain"]) for name in ("start", "hammer-checklist")]
    assert all("1/2" in text for text in texts)


def test_a_plan_that_starts_again_counts_what_is_done(study: Path) -> None:
    """Dates from the new day on; what is behind the learner is not planned again; the study keeps its id."""
    session = Session(home_at(study))
    before = update(study, content=str(SMALL)).plan
    session.tick(["hammer.nail", "hammer.nail-check"], True)
    session.answer("hammer-nail-first", "plan.yaml", "nails: 2\nport: ⟦port⟧\n", replace=True)
    list(session.check("hammer-nail-first"))
    done = update(study, content=str(SMALL), start_again_from=dt.date(2027, 1, 4))
    steps = {step.tool: step for step in done.plan.steps}
    assert steps["hammer"].left == 0
    assert done.plan.left < before.left
    assert all(step.start >= dt.date(2027, 1, 4) for step in done.plan.steps if step.left)
    assert done.plan.request.study == before.request.study
    assert "✓ complete" in "".join("".join(cell["source"]) for cell in load(study)["cells"])


def test_a_new_pace_counts_from_today(study: Path) -> None:
    """The weeks behind were at the old one."""
    done = update(study, content=str(SMALL), hours_per_week="2", today=dt.date(2027, 2, 1))
    assert done.plan.request.resume == dt.date(2027, 2, 1)
    assert min(step.start for step in done.plan.steps) == dt.date(2027, 2, 1)
    early = update(study, content=str(SMALL), hours_per_week="4", today=dt.date(2026, 1, 1))
    assert early.plan.request.hours_per_week == 4


def test_another_language_is_made_beside_the_first(study: Path) -> None:
    """Both share ticks and answers; the first is not touched."""
    before = study.read_bytes()
    done = update(study.parent, content=str(SMALL), lang="ja")
    assert list(done.files) == [study.parent / "study.ja.ipynb"]
    assert study.read_bytes() == before
    assert "lang = 'ja'" in source(load(study.parent / "study.ja.ipynb"), "parameters")


@pytest.mark.parametrize(
    ("text", "error"),
    [("{", RequestError), ('{"cells": 3}', RequestError), ("[]", RequestError)],
)
def test_what_is_no_study_is_refused_and_left_alone(study: Path, text: str, error: type[Exception]) -> None:
    """A sentence; the file as it was."""
    study.write_text(text, encoding="utf-8")
    with pytest.raises(error):
        update(study, content=str(SMALL))
    assert study.read_text(encoding="utf-8") == text


def test_a_change_that_cannot_be_planned_changes_nothing(study: Path) -> None:
    """Refused before anything is written."""
    before = study.read_bytes()
    for changes in ({"level": "expert-ish"}, {"hours_per_week": "0"}, {"known": ["nonsense"]}, {"industry": "x"}):
        with pytest.raises(RequestError):
            update(study, content=str(SMALL), **changes)
    with pytest.raises((RequestError, OutputError)):
        update(study.parent / "nowhere", content=str(SMALL))
    assert study.read_bytes() == before
    assert not (study.parent / ".history").exists()
