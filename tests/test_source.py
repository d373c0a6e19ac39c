"""Strict YAML and notebooks: every surprise is a fault with its line."""

from __future__ import annotations

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from curriculum.model import After, Exercise, FrontMatter, Value, _possible
from curriculum.source import anchors, literal_assignments, parse_notebook, parse_yaml, validated

FRONT = """\
format: 1
tool: docker
title: Docker
category: containers
summary: {en: a, ja: あ}
docs: https://docs.docker.com/
hours: {beginner: 1, intermediate: 1, advanced: 1}
verified: {version: 1.10, date: 2026-11-24}
"""


def faults(text: str, model: type = FrontMatter) -> list[tuple[str, int | None]]:
    document = parse_yaml(text, "f", 1)
    return [(fault.key, fault.line) for fault in validated(document, model, "f", 1)[1]]


def test_a_version_stays_what_was_written() -> None:
    """1.10 is not 1.1."""
    front, found = validated(parse_yaml(FRONT, "f"), FrontMatter, "f", None)
    assert found == ()
    assert front.verified.version == "1.10"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("title: Docker", "titel: Docker"), {("unknown-key", 3), ("missing-key", 1)}),
        (("title: Docker", "title: Docker\ntitle: Podman"), {("yaml-repeated", 4)}),
        (("title: Docker", "title: no"), {("yaml-boolean", 3)}),
        (("title: Docker", "title: &a Docker\nsummary2: *a"), {("yaml-alias", 4)}),
        (("title: Docker", "title: !!python/name:os.system x"), {("yaml-tag", 3)}),
        (("title: Docker", "title: 'Docker"), {("yaml-syntax", 9)}),
        (("en: a, ja: あ", "en: a, b, ja: あ"), {("bad-language", 5)}),
        (("beginner: 1", "beginner: many"), {("bad-number", 7)}),
        (("beginner: 1", "beginner: 0"), {("bad-value", 7)}),
        (("date: 2026-11-24", "date: 2026-11-31"), {("bad-date", 8)}),
        (("docs: https", "docs: http"), {("bad-slug", 6)}),
        (("ja: あ", "ja: ''"), {("empty-text", 5)}),
    ],
)
def test_every_yaml_surprise_is_a_fault_with_its_line(change: tuple[str, str], expected: set[tuple[str, int]]) -> None:
    """Unknown and repeated keys, booleans in disguise, aliases, tags, flow mappings with prose."""
    assert change[0] in FRONT
    assert set(faults(FRONT.replace(*change))) == expected


def test_an_unknown_key_gets_a_guess() -> None:
    """`catgory` was meant to be `category`."""
    found = validated(parse_yaml(FRONT.replace("category", "catgory"), "f", 1), FrontMatter, "f", 1)[1]
    assert {fault.params.get("near") for fault in found if fault.key == "unknown-key"} == {"category"}


def test_anchors_are_named_because_they_swallow_a_word() -> None:
    """`en: &beta test` would lose “&beta”."""
    assert list(anchors("en: &beta test\nja: x")) == [(1, "beta")]


@given(st.text(max_size=200))
def test_no_yaml_text_is_a_crash(text: str) -> None:
    """Whatever the text, there is a value or a fault, and every fault has a sentence in both languages."""
    for fault in parse_yaml(text, "f", 1).faults:
        assert fault.sentence("ja")
        assert fault.sentence("en")


def test_a_yaml_bomb_is_refused_without_being_expanded() -> None:
    """Nine levels of aliases."""
    lines = ["a: &a [x, x]"] + [
        f"{c}: &{c} [*{p}, *{p}, *{p}, *{p}]" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    assert {fault.key for fault in parse_yaml("\n".join(lines), "f").faults} == {"yaml-alias"}


@pytest.mark.parametrize(
    "value",
    [
        {"default": "5"},
        {"default": "5", "between": [1, 3]},
        {"default": "x", "one_of": ["a", "b"]},
        {"default": "1", "between": [1, 3], "one_of": ["a", "b"]},
    ],
)
def test_a_personal_value_has_one_kind_and_a_possible_default(value: dict[str, object]) -> None:
    """Between or one_of, not both, not neither; the default is one of the possible values."""
    with pytest.raises(ValueError, match=r"between|default"):
        TypeAdapter(Annotated[Value, After(_possible)]).validate_python(value)


def test_an_exercise_needs_four_criteria_and_three_hints() -> None:
    """An exercise without hints leaves a learner alone."""
    text = "exercise: x-y\nlevel: beginner\nminutes: 5\ntitle: x\nrubric: {a: {en: x, ja: あ, why: x}}\nhints: []"
    assert {key for key, _ in faults(text, Exercise)} == {"too-few"}


@pytest.mark.parametrize(
    "raw",
    [
        [],
        {},
        {"cells": 1, "metadata": {}},
        {"cells": [{"cell_type": "code"}], "metadata": {}},
        {"cells": [3], "metadata": {}},
    ],
)
def test_what_is_no_notebook_is_a_fault(raw: object) -> None:
    """Never an exception."""
    book, found = parse_notebook(raw, "f")
    assert book is None
    assert [fault.key for fault in found] == ["not-notebook"]


@pytest.mark.parametrize(
    ("source", "values"),
    [('a = 1\nb = ["x"]  # c', {"a": 1, "b": ["x"]}), ("a = f()", None), ("import os", None), ("a =", None)],
)
def test_a_parameters_cell_holds_literals_only(source: str, values: object) -> None:
    """Nothing in it is run."""
    assert literal_assignments(source) == values
