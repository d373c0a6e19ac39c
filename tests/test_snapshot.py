"""Pictures: three forms that say the same, in HTML that every sanitizer lets through."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from curriculum import result, snapshot
from curriculum.messages import LANGUAGES
from curriculum.result import Fold, Line, Result
from curriculum.snapshot import Picture, Row

ITEMS = [("hammer.nail", "Drive a `nail`", "open"), ("hammer.box", "Build a box", "declared")]
ROWS = [
    Row(1, "Joining", "Hammer", "hammer", ticked=2, items=2, hours=1.5),
    Row(1, "Joining", "Glue", "glue", ticked=0, items=0, hours=2),
    Row(2, "Cutting", "Saw", "saw", ticked=1, items=3, hours=3),
]
NASTY = '<script>alert("x")</script> & | `'


RESULT = Result(
    "🔧 Not yet: Join `two`",
    ("Saved in `work/x`.",),
    (
        Line("met", "The *port* is there", how="real"),
        Line("not-met", "It is enough", found="a\nb", expected="2", remark="One `nail` turns."),
        Line("waiting", "It holds"),
    ),
    ("Next step: It is enough.",),
    (Fold("💡", "Hint 1 of 2", "Look.\n\n```\nx < y\n```"), Fold("📖", "Solution", "So.", open=True)),
)


def pictures(lang: str) -> list[Picture]:
    return [
        snapshot.checklist("Hammer", ITEMS, lang, uid="u1"),
        snapshot.dashboard(ROWS, lang, uid="u2", next=("Saw a board", "saw-lesson")),
        snapshot.dashboard([Row(0, "", "Hammer", "hammer", 0, 2, 1)], lang, uid="u3", next=None),
        result.picture(RESULT, lang, uid="u4"),
        snapshot.notice(["A line."], lang, uid="u5"),
    ]


class Tags(HTMLParser):
    """Collects tags, attributes, and whether every tag is closed where it should be."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_html_has_nothing_that_a_sanitizer_drops(lang: str) -> None:
    """No headings, scripts, styles, SVG, ARIA, data attributes or var(): an untrusted notebook looks the same."""
    allowed = {"div", "p", "strong", "small", "code", "pre", "ul", "li", "label", "progress", "details", "summary", "a"}
    allowed |= {"table", "thead", "tbody", "tr", "th", "td"}
    for picture in pictures(lang):
        parsed = Tags(picture.html)
        assert not parsed.open
        assert {tag for tag, _ in parsed.tags} <= allowed
        for _, attributes in parsed.tags:
            assert not [
                name for name in attributes if name.startswith(("aria-", "data-", "on")) or name in {"role", "id"}
            ]
            assert "var(" not in (attributes.get("style") or "")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_picture_has_three_forms_and_says_its_language(lang: str) -> None:
    """HTML for the page, Markdown and text for what cannot show it."""
    for picture in pictures(lang):
        assert list(picture.bundle()) == ["text/html", "text/markdown", "text/plain"]
        assert all(picture.bundle().values())
        assert picture._repr_mimebundle_() == picture.bundle()
        assert repr(picture) == picture.text
        assert f'lang="{lang}"' in picture.html


def test_state_is_a_word_and_a_sign_never_colour_alone() -> None:
    """Read aloud or printed in grey, a ticked item still differs from an open one."""
    html = snapshot.checklist("Hammer", ITEMS, "en", uid="u").html
    assert re.search(r"⬜ Drive a <code>nail</code> <small>\(to do\)", html)
    assert re.search(r"✅ Build a box <small>\(ticked\)", html)
    proven = snapshot.checklist("Hammer", [("hammer.nail", "Drive", "real")], "ja", uid="u")
    assert "実機で確認済み" in proven.html
    assert "color" not in html


def test_a_checklist_counts_and_tells_how_to_tick() -> None:
    """The last line names a real item that is still open."""
    picture = snapshot.checklist("Hammer", ITEMS, "en", uid="u")
    assert '<progress value="1" max="2"' in picture.html
    assert "1/2" in picture.markdown
    assert picture.text.splitlines()[-1].count('done("hammer.nail")') == 1
    assert "(hammer.box)" in picture.text


def test_the_dashboard_shows_phase_tool_progress_hours_and_the_next_step() -> None:
    """The whole and the parts; the phase in which work waits is unfolded."""
    picture = snapshot.dashboard(ROWS, "en", uid="u", next=("Saw a board", "saw-lesson"))
    assert '<progress value="3" max="5" title="Progress 3/5"' in picture.html
    assert '<a href="#cell-id=saw-lesson">Saw a board</a>' in picture.html
    assert "[Saw a board](#cell-id=saw-lesson)" in picture.markdown
    assert "<details><summary><strong>Phase 1: Joining</strong> 2/2 · 3.5 h" in picture.html
    assert "<details open><summary><strong>Phase 2: Cutting</strong> 1/3 · 3 h" in picture.html
    assert "✓ complete" in picture.text
    assert "none yet" in picture.html


def test_a_next_step_in_another_notebook_keeps_its_address() -> None:
    """A large study has one notebook for each phase."""
    target = "study.en.phase-2.ipynb#cell-id=saw-lesson"
    assert f'href="{target}"' in snapshot.dashboard(ROWS, "en", uid="u", next=("Saw", target)).html


def test_a_finished_plan_is_greeted_and_an_empty_one_is_not() -> None:
    """Nothing to tick is not everything ticked."""
    done = [Row(1, "Joining", "Hammer", "hammer", 2, 2, 1), Row(1, "Joining", "Glue", "glue", 0, 0, 1)]
    assert "long way" in snapshot.dashboard(done, "en", uid="u", next=None).html
    assert "long way" not in snapshot.dashboard(done[1:], "en", uid="u", next=None).html
    assert snapshot.dashboard([], "en", uid="u", next=None).html


def test_no_dates_press_the_learner() -> None:
    """Planned dates stand in the roadmap only: the dashboard counts no missed days."""
    import datetime as dt

    row = Row(1, "Joining", "Hammer", "hammer", 0, 2, 1, dt.date(2020, 1, 6), dt.date(2020, 1, 9))
    assert not any("2020" in form for form in snapshot.dashboard([row], "en", uid="u", next=None).bundle().values())


def test_what_comes_from_content_or_people_is_escaped() -> None:
    """Markup in a title, an item or a path is shown, not obeyed."""
    made = [
        snapshot.checklist(NASTY, [("x.y", NASTY, "open")], "en", uid="u"),
        snapshot.dashboard([Row(1, NASTY, NASTY, "x", 0, 1, 1)], "en", uid="u", next=(NASTY, "x")),
        result.picture(
            Result(
                NASTY,
                (NASTY,),
                (Line("not-met", NASTY, "real", NASTY, NASTY, NASTY),),
                (NASTY,),
                (Fold("", NASTY, NASTY),),
            ),
            "en",
            uid="u",
        ),
        snapshot.notice([NASTY], "en", uid="u"),
    ]
    for picture in made:
        assert "<script" not in picture.html
        assert not Tags(picture.html).open
    table = made[1].markdown.splitlines()[-1]
    assert len(re.findall(r"(?<!\\)\|", table)) == 5


def test_the_swap_hides_the_picture_while_its_widget_lives() -> None:
    """And the dead widget's error line when it does not. Only the display with this uid is meant."""
    picture = snapshot.checklist("Hammer", ITEMS, "en", uid="u1")
    swapped = snapshot.swapped(picture, "u1")
    assert swapped.html.startswith("<style>body:has(.cu-live-u1) .cu-snap-u1{display:none}")
    assert ":has(.jupyter-widgets):not(:has(.cu-live-u1)){display:none}</style>" in swapped.html
    assert swapped.html.endswith(picture.html)
    assert (swapped.markdown, swapped.text) == (picture.markdown, picture.text)


def test_a_result_says_what_was_found_what_was_expected_and_how_it_is_known() -> None:
    """In words, in every form; help is folded, and what was asked for is open."""
    picture = result.picture(RESULT, "en", uid="u")
    assert "✅ met (for real)" in picture.html
    assert "[ ] It is enough (not yet)" in picture.text
    assert "Found: a b" in picture.text
    assert "<pre><code>a\nb</code></pre>" in picture.html
    assert "waits for a tool" in picture.markdown
    assert picture.html.count("<details>") == picture.html.count("<details open>") == 1


def test_a_bar_is_full_only_when_all_is_done_and_empty_only_when_nothing_is() -> None:
    """1 of 40 is something, 39 of 40 is not everything."""
    assert [snapshot.bar(done, 40) for done in (0, 1, 39, 40)] == ["░" * 10, "█" + "░" * 9, "█" * 9 + "░", "█" * 10]
