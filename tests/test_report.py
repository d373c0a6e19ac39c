"""The report: what can be shown to someone, and what it must not claim."""

from __future__ import annotations

import datetime as dt
from html.parser import HTMLParser
from pathlib import Path

import pytest

from curriculum.home import home_at
from curriculum.messages import LANGUAGES
from curriculum.report import report
from curriculum.session import Session
from tests.conftest import SMALL
from tests.kills import make_study

TODAY = dt.date(2027, 3, 1)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("CURRICULUM_CONTENT", str(SMALL))
    return Session(home_at(make_study(tmp_path)))


def work(session: Session) -> None:
    session.hint("hammer-nail-first")
    session.answer("hammer-nail-first", "plan.yaml", "nails: 2\nport: ⟦port⟧\n", replace=True)
    list(session.check("hammer-nail-first"))
    session.tick(["hammer.nail-check"], True)


def test_an_empty_study_claims_nothing(session: Session) -> None:
    """No table of exercises, no skill; the page is whole."""
    page = report(session, TODAY)
    assert "Exercises passed: 0 of 1, 0 of them" in page
    assert "<table>" not in page
    assert page.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_skills_stand_with_their_evidence_and_date(session: Session, lang: str) -> None:
    """Proven from files is not proven for real; a tick is the learner's word; help is told."""
    session.lang = lang
    work(session)
    page = report(session, TODAY)
    assert session.say("how.static") in page
    assert session.say("study.state-declared") in page
    assert session.say("report.hints", count=1) in page
    assert session.log.events()[-1]["at"][:10] in page
    assert session.say("report.not-real") in page
    assert session.say("report.all-real") not in page


def test_names_are_data_and_the_page_stands_alone(session: Session) -> None:
    """No script, nothing from elsewhere, markup in a name is shown."""
    work(session)
    session.home.settings["learner"] = '<img src=x onerror="alert(1)">'  # type: ignore[index]
    page = report(session, TODAY)
    assert "<img" not in page
    assert "<script" not in page
    assert "http" not in page

    class Closed(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in {"meta", "br"}:
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    parser = Closed()
    parser.feed(page)
    assert parser.open == []
