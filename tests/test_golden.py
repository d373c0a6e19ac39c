"""Golden notebooks: what the small catalogue becomes in our frame, to be read by eye when it changes.

`pytest tests/test_golden.py --update-golden` writes them anew; the diff is then reviewed like code.
"""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from curriculum.catalog import Catalog
from curriculum.generation import generate
from tests.conftest import SMALL

GOLDEN = Path(__file__).resolve().parent / "golden"
CASES = [(level, lang) for level in ("beginner", "advanced") for lang in ("ja", "en")]


def golden(level: str, lang: str) -> Path:
    return GOLDEN / f"tester-{level}.{lang}.ipynb"


def unlike(expected: str, found: str) -> str:
    """The first lines of the difference, and what to do."""
    lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), "golden", "made now", n=1, lineterm="")
    return "\n".join([*list(lines)[:40], "Meant? Run: pytest tests/test_golden.py --update-golden"])


@pytest.mark.usefixtures("fresh_catalog")
@pytest.mark.parametrize(("level", "lang"), CASES)
def test_a_study_of_the_small_catalogue_is_the_golden_one(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, level: str, lang: str
) -> None:
    """Text by text; what made it (our version) is kept out, so that a release changes nothing."""
    monkeypatch.setattr(Catalog, "made_with", "curriculum, small")
    study = generate(
        output=tmp_path,
        content=SMALL,
        role="tester",
        level=level,
        lang=lang,
        learner="Ada Lovelace" if lang == "en" else "山田 太郎",
        id="s-1",
        start="2026-11-30",
        hours_per_week=2,
        pause="2026-12-28..2027-01-03",
        deadline="2027-06-30",
    )
    text = study.notebook.read_text(encoding="utf-8")
    path = golden(level, lang)
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    assert path.is_file(), f"{path.name} is missing. Run: pytest tests/test_golden.py --update-golden"
    expected = path.read_text(encoding="utf-8")
    assert text == expected, unlike(expected, text)


def test_every_golden_file_belongs_to_a_case() -> None:
    """None is left over from a case that is gone, and none is missing."""
    assert {path.name for path in GOLDEN.glob("*")} == {golden(*case).name for case in CASES}
