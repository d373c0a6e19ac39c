"""A copy is byte by byte what the notebook would be, whoever the learner is."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from curriculum.catalog import Catalog, catalog_at
from curriculum.engine import book
from curriculum.model import LEVELS, study_id
from curriculum.render import Book
from curriculum.request import literals, resolve
from curriculum.source import load_notebook
from curriculum.stencil import Person, dumps, lines_unseen
from tests.conftest import SMALL

NAMES = ["", "Sato", "佐藤 花子", '<b>O\'Brien</b> & "co" | `x` \\ ⟦port⟧', "名" * 120, "🙂" * 60, "=1+1", "a\u202eb"]


def study(catalog: Catalog, role: str, **asked: str) -> Book:
    frame, _ = load_notebook(catalog.frame_file, "study.ipynb")
    assert frame is not None
    return book(catalog, frame, literals(resolve(catalog, role=role, start="2026-11-30", **asked)))


def people() -> Iterator[Person]:
    for n, name in enumerate(NAMES):
        yield Person(name, f"s{n}", study_id(f"s{n}", "x"))


@pytest.mark.parametrize("variant", ["learner", "instructor"])
@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("level", LEVELS)
def test_a_copy_is_the_notebook(level: str, lang: str, variant: str) -> None:
    """Of our own role, for names of every kind: the same bytes, and everything of the learner is filled in."""
    stencil = study(
        catalog_at(None), "mlops-engineer", level=level, lang=lang, variant=variant, learner="x", id="x", single="true"
    ).stencil()
    copies = stencil.copies()
    texts = set()
    for who in people():
        text = copies.text(who)
        assert text == dumps(stencil.notebook(who)).encode()
        assert json.loads(text)["metadata"]["curriculum"]["study"] == who.study
        assert "⟦uid" not in text.decode()
        assert "-literal⟧" not in text.decode()
        texts.add(text)
    assert len(texts) == len(NAMES)


def test_a_copy_is_what_another_study_gives() -> None:
    """A stencil made for one learner gives another learner's notebook as if it had been made for that one."""
    catalog = catalog_at(str(SMALL))
    mine = study(catalog, "tester", level="beginner", lang="en", learner="A", id="a").stencil()
    theirs = study(catalog, "tester", level="beginner", lang="en", learner="Bo|b", id="b").stencil()
    who = Person("Bo|b", "b", study_id("b", "tester"))
    assert mine.copies().text(who) == dumps(theirs.notebook(who)).encode()


def test_a_name_with_marks_stays_a_name() -> None:
    """Whoever is called ⟦study⟧ is greeted so."""
    stencil = study(catalog_at(str(SMALL)), "tester", level="beginner", lang="en", learner="x", id="x").stencil()
    text = stencil.copies().text(Person("⟦study⟧", "i", "0123456789")).decode()
    assert "⟦study⟧" in text
    assert text.encode() == dumps(stencil.notebook(Person("⟦study⟧", "i", "0123456789"))).encode()


def test_lines_that_a_page_adds_are_counted_outside_code() -> None:
    """Wrapped prose and rows of tables take more room than their source; code does not wrap."""
    assert lines_unseen("short") == 0
    assert lines_unseen("long " * 60) == 2
    assert lines_unseen("長" * 140) == 2
    assert lines_unseen("```\n" + "x" * 1000 + "\n```") == 0
    assert lines_unseen("| a | b |\n" * 10) == 7
    assert lines_unseen(f"[word](https://example.org/{'x' * 500})") == 0
