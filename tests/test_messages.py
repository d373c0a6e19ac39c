"""Every sentence exists in every language, with the same blanks."""

from __future__ import annotations

import re
import string

import pytest

from curriculum.errors import ContentError, CurriculumError, Fault, RequestError, near
from curriculum.messages import LANGUAGES, keys, say
from curriculum.messages import sentences as table
from tests.conftest import REPOSITORY

#: Dates are written with other parts in each language.
FREE = {"date.long", "date.short", "date.months"}


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_languages_have_the_same_keys() -> None:
    """A sentence that one language lacks would be a crash for its readers."""
    assert keys("ja") == keys("en")


@pytest.mark.parametrize("key", sorted(keys("en")))
def test_a_sentence_has_the_same_blanks_in_every_language(key: str) -> None:
    """What is filled in for one reader is filled in for the other."""
    if key not in FREE:
        assert {frozenset(blanks(table(lang)[key])) for lang in LANGUAGES} == {frozenset(blanks(table("en")[key]))}


def test_every_key_that_the_code_names_exists() -> None:
    """`say(lang, "…")`, `RequestError("…")`, `Fault(file, "…")`: a typo would be a crash."""
    known = keys("en")
    for path in (REPOSITORY / "curriculum").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        for key in re.findall(r"""say\([\w.]+(?:\(\))?, ["']([\w.\-]+)["']""", source):
            assert key in known, (path.name, key)
        for key in re.findall(r"""(?:Request|Output|Progress|Cohort|Roster)Error\(\s*["']([\w\-]+)["']""", source):
            assert f"error.{key}" in known, (path.name, key)
        for key in re.findall(r"""Fault\([\w.\[\]]+, ["']([\w\-]+)["']""", source):
            assert f"fault.{key}" in known, (path.name, key)


def test_japanese_sentences_keep_a_space_around_latin_words() -> None:
    """The project's typography: 「Docker を」, not 「Dockerを」."""
    for key, text in table("ja").items():
        assert key in FREE or not re.search(
            r"[A-Za-z0-9][぀-ヿ一-鿿]|[぀-ヿ一-鿿][A-Za-z0-9]", re.sub(r"\{\w+\}|`[^`]*`", "", text)
        ), (
            key,
            text,
        )


def test_errors_speak_every_language_and_survive_a_process_border() -> None:
    """An error carries its data; pickling keeps class, key and parameters."""
    import pickle

    error = RequestError("unknown-level", value="begginer", choices=["beginner", "advanced"], near="beginner")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.key, again.params) == (RequestError, error.key, error.params)
    assert "beginner" in again.sentence("ja")
    assert "Did you mean" in str(again)
    content = ContentError(
        [Fault("roles/x.yaml", "yaml-repeated", line=3, params={"name": "en", "first": 1}), Fault("b", "not-notebook")]
    )
    assert pickle.loads(pickle.dumps(content)).faults == content.faults
    assert "roles/x.yaml" in content.sentence("ja")
    assert issubclass(ContentError, CurriculumError)


def test_a_near_miss_is_the_likeliest_choice_or_nothing() -> None:
    """Case does not matter; what resembles nothing gets no guess."""
    assert near("DOKCER", ["docker", "kubernetes"]) == "docker"
    assert near("zebra", ["docker", "kubernetes"]) == ""


def test_a_list_is_joined_as_the_language_writes_it() -> None:
    """A, B and A、B."""
    assert "a, b" in say("en", "error.unknown-part", value="x", choices=["a", "b"])
    assert "a、b" in say("ja", "error.unknown-part", value="x", choices=["a", "b"])


def test_what_fills_a_japanese_sentence_keeps_its_own_blanks() -> None:
    """Between Japanese words the sentence has no blank; a path of someone called 山田 太郎 has one."""
    assert say("ja", "study.template", path="/home/山田 太郎/study").count("/home/山田 太郎/study") == 1
    assert "習得済み" in say("ja", "why.known", tool="クラウド基礎")
    assert "クラウド基礎の前提" in say("ja", "why.before", tools=["クラウド基礎"])
