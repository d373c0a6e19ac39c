"""Personal values: drawn from the study's id, so that every learner has numbers and words of their own. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache

from curriculum.model import ANY, MARK, RESERVED_PORTS, Exercise, Story, Value, words

#: A word as code has it: `distance_km`, `delivery-time`.
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)*")


def personal_values(study: str, exercise: Exercise) -> dict[str, str]:
    """The values of `exercise` in the study with this id; the defaults where `study` is empty (a bare template).

    The same name and range give the same value in every exercise of a study.
    """
    return {name: draw(study, name, value) for name, value in exercise.values.items()}


def values_of(study: str, exercise: Exercise, story: Story, lang: str = "en") -> dict[str, str]:
    """What fills the marks of an exercise: the words of the learner's story, and the personal values."""
    return {**told(story, exercise, lang), **personal_values(study, exercise)}


def told(story: Story, exercise: Exercise, lang: str) -> dict[str, str]:
    """The words of a story that fill the marks of an exercise; its own values come before them."""
    return {name: words(text, lang) for name, text in story.items() if name not in exercise.values}


def retold(text: str, story: Story) -> str:
    """A given file in the words of the story: code that runs as it stands, so that its words are their own marks."""
    names = {name: entry[ANY] for name, entry in story.items() if ANY in entry}
    return _WORD.sub(lambda match: names.get(match[0], match[0]), text)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace every `⟦name⟧` that `values` knows; other marks stay as they are."""
    return MARK.sub(lambda mark: values.get(mark[1], mark[0]), text)


def draw(study: str, name: str, value: Value) -> str:
    """The value that the study with this id has for `name`; the default where `study` is empty."""
    if not study:
        return value.default
    choices = _choices(value, name.endswith("port"))
    spec = f"{value.between[0]}-{value.between[1]}" if value.between else ",".join(choices)
    digest = hashlib.sha256(f"{study}:{name}:{spec}".encode()).digest()
    return choices[int.from_bytes(digest[:8], "big") % len(choices)]


@lru_cache(maxsize=1024)
def _choices(value: Value, port: bool) -> list[str]:
    if value.between is None:
        return list(value.one_of or (value.default,))
    low, high = value.between
    reserved = RESERVED_PORTS if port else frozenset[int]()
    return [str(number) for number in range(low, high + 1) if number not in reserved] or [value.default]
