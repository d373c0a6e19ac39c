"""From a person's words to a request: what is understood, and how the rest is refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum.catalog import catalog_at
from curriculum.errors import CurriculumError, RequestError
from curriculum.model import Request
from curriculum.request import literals, next_monday, resolve, system_language
from curriculum.source import literal_assignments

TODAY = dt.date(2026, 11, 24)


def resolved(**changes: Any) -> Request:
    return resolve(
        catalog_at(None), **{"role": "mlops-engineer", "level": "beginner", "lang": "en", "today": TODAY, **changes}
    )


def refused(**changes: Any) -> RequestError:
    with pytest.raises(RequestError) as refusal:
        resolved(**changes)
    for lang in ("en", "ja"):
        assert refusal.value.sentence(lang)
    return refusal.value


@pytest.mark.parametrize(
    "word", ["mlops-engineer", "MLOps Engineer", "ＭＬＯｐｓエンジニア", "mlopsエンジニア", "MLOps"]
)
def test_a_role_is_known_by_all_its_names(word: str) -> None:
    """Slug, title in either language, alias; width and case do not matter."""
    assert resolved(role=word).role == "mlops-engineer"


@pytest.mark.parametrize(
    ("word", "level"),
    [
        ("初級", "beginner"),
        ("中級", "intermediate"),
        ("上級", "advanced"),
        ("Advanced", "advanced"),
        ("初級者", "beginner"),
    ],
)
def test_a_level_is_known_in_both_languages(word: str, level: str) -> None:
    """初級 is beginner."""
    assert resolved(level=word).level == level


@pytest.mark.parametrize(("word", "lang"), [("ja", "ja"), ("日本語", "ja"), ("English", "en"), ("JA", "ja")])
def test_a_language_is_known_by_code_and_name(word: str, lang: str) -> None:
    """日本語 is ja."""
    assert resolved(lang=word).lang == lang


def test_tools_are_known_by_slug_title_and_any_comma() -> None:
    """Commas of both languages; each tool once, in the order given."""
    assert resolved(known=["Docker、git", "docker"]).known == ("docker", "git")


@pytest.mark.parametrize(
    ("words", "phases"),
    [
        ("0", ("first-lap",)),
        (0, ("first-lap",)),
        ("first-lap", ("first-lap",)),
        ("1", ("infrastructure-basics",)),
        ("４", ("advanced-implementation",)),
        ("3,0", ("first-lap", "mlops-core")),
        ("", ()),
    ],
)
def test_phases_are_known_by_number_and_id(words: str | int, phases: tuple[str, ...]) -> None:
    """The prelude is 0; the document's phases keep their numbers from 1 on."""
    assert resolved(phase=words).phases == phases


def test_a_phase_that_does_not_exist_is_refused_with_all_numbers() -> None:
    """From 0, where the role has a prelude."""
    assert refused(phase="5").params["choices"][:2] == ["0 (first-lap)", "1 (infrastructure-basics)"]


@pytest.mark.parametrize("text", ["2026-12-01", "2026/12/1", "2026年12月1日", "２０２６－１２－０１"])
def test_dates_are_read_as_people_write_them(text: str) -> None:
    """ISO, slashes, Japanese, full width."""
    assert resolved(start=text).start == dt.date(2026, 12, 1)


def test_the_start_is_the_coming_monday_or_today() -> None:
    """A Tuesday waits for Monday; a Monday starts at once."""
    assert resolved().start == dt.date(2026, 11, 30)
    assert next_monday(dt.date(2026, 11, 30)) == dt.date(2026, 11, 30)


@pytest.mark.parametrize(
    ("changes", "key", "guess"),
    [
        ({"role": "mlops-enginer"}, "unknown-role", "mlops-engineer"),
        ({"level": "begginer"}, "unknown-level", "beginner"),
        ({"lang": "japan"}, "unknown-language", "ja"),
        ({"known": "kubernets"}, "unknown-tool", "kubernetes"),
        ({"only": "dokcer"}, "unknown-tool", "docker"),
        ({"phase": "5"}, "unknown-phase", ""),
        ({"variant": "instructer"}, "unknown-variant", "instructor"),
        ({"prefer": "gitlab-cy"}, "unknown-tool", "gitlab-ci"),
        ({"prefer": "gitlab-ci,jenkins"}, "prefer-two", ""),
        ({"depth": "shuold"}, "unknown-depth", "should"),
        ({"depth": 3}, "name-not-text", ""),
        ({"hours_per_week": 0}, "bad-hours", ""),
        ({"hours_per_week": -3}, "bad-hours", ""),
        ({"hours_per_week": "170"}, "bad-hours", ""),
        ({"hours_per_week": "nan"}, "bad-hours", ""),
        ({"hours_per_week": "many"}, "bad-hours", ""),
        ({"start": "2026-02-30"}, "no-such-date", ""),
        ({"start": "soon"}, "bad-date", ""),
        ({"start": "1026-01-01"}, "far-date", ""),
        ({"deadline": "2026-11-01"}, "deadline-before-start", ""),
        ({"fit": True}, "fit-without-deadline", ""),
        ({"fit": "maybe"}, "bad-flag", ""),
        ({"pause": "2026-12-01"}, "bad-pause", ""),
        ({"pause": "2026-12-09..2026-12-01"}, "pause-backwards", ""),
        ({"learner": 7}, "name-not-text", ""),
        ({"learner": "x" * 500}, "name-too-long", ""),
        ({"id": "../x"}, "bad-id", ""),
        ({"id": "C:\\x"}, "bad-id", ""),
        ({"id": "CON"}, "bad-id", ""),
        ({"id": "nul.txt"}, "bad-id", ""),
        ({"id": "end."}, "bad-id", ""),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_near_miss(changes: dict[str, Any], key: str, guess: str) -> None:
    """Each refusal names its fault, and what was probably meant."""
    refusal = refused(**changes)
    assert refusal.key == key
    assert refusal.params.get("near", "") == guess
    assert not guess or guess in refusal.sentence("ja")


def test_a_name_is_data() -> None:
    """Markup stays what it is; line breaks and control characters become spaces."""
    assert resolved(learner="A\nB\x00<script>{{ x }}😀").learner == "A B <script>{{ x }}😀"


@given(st.text(max_size=130))
def test_no_name_is_a_crash(name: str) -> None:
    """Any text is a name of one line, or is refused with a sentence."""
    try:
        learner = resolved(learner=name).learner
    except CurriculumError as error:
        assert error.sentence("ja")
    else:
        assert "\n" not in learner
        assert "\r" not in learner


def test_a_request_survives_the_parameters_cell() -> None:
    """What the cell says in literals resolves to the same request."""
    request = resolved(
        learner='O\'Brien "B"',
        id="s-1",
        known="git",
        deadline="2027-12-31",
        pause="2026-12-28..2027-01-03",
        phase="1",
        fit=True,
        hours_per_week=7.5,
    )
    cell = "\n".join(f"{name} = {value!r}" for name, value in literals(request).items())
    values = literal_assignments(cell)
    assert values is not None
    assert resolve(catalog_at(None), **values) == request


def test_a_study_is_who_and_which_role() -> None:
    """Language, level and pace leave the id alone; another person has another."""
    study = resolved(id="s-1").study
    assert study == resolved(id="s-1", lang="ja", level="advanced", hours_per_week=3).study
    assert study != resolved(id="s-2").study
    assert len(study) == 10


@pytest.mark.parametrize(
    ("environment", "lang"),
    [
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "Japanese_Japan.932"}, "ja"),
        ({"LANG": "C"}, "en"),
        ({"LC_ALL": "en_US", "LANG": "ja_JP"}, "en"),
        ({}, "en"),
    ],
)
def test_the_system_language_is_read_from_posix_and_windows_names(environment: dict[str, str], lang: str) -> None:
    """Japanese_Japan.932 is ja."""
    assert system_language(environment) == lang
