"""How the content calls things: one form of each term in each language, from `templates/glossary.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Annotated

from annotated_types import Len

from curriculum.errors import Fault
from curriculum.model import Before, Text, content, gather, words
from curriculum.source import load_text, parse_yaml, validated

Forms = dict[str, Annotated[tuple[str, ...], Len(1)]]


@content
class Term:
    """A term in each language, and by language the forms that are not used."""

    text: Text
    instead_of: Forms = field(default_factory=dict)


@content
class Glossary:
    """The terms of a content pack."""

    format: int
    terms: tuple[Annotated[Term, Before(gather)], ...]

    def misused(self, text: str, lang: str) -> Iterator[tuple[str, str]]:
        """Each form in a text that is not used, with the one that is; code must have been taken out."""
        for term in self.terms:
            right = words(term.text, lang)
            for wrong in term.instead_of.get(lang, ()):
                # サーバ stands in サーバー too: there it is no fault.
                searched = text.replace(right, "\0") if wrong in right else text
                if _pattern(wrong).search(searched):
                    yield wrong, right


@cache
def _pattern(form: str) -> re.Pattern[str]:
    """The form as a word of its own; between Japanese signs every place is the border of a word."""
    before = r"(?<![A-Za-z0-9_-])" if form[0].isascii() else ""
    after = r"(?![A-Za-z0-9_-])" if form[-1].isascii() else ""
    return re.compile(before + re.escape(form) + after)


def read_glossary(path: Path) -> tuple[Glossary | None, tuple[Fault, ...]]:
    """The glossary of a file, or None with what is wrong with it. A file that is not there has no terms."""
    file = f"templates/{path.name}"
    if not path.is_file():
        return Glossary(format=1, terms=()), ()
    text, faults = load_text(path, file)
    if faults:
        return None, faults
    glossary, faults = validated(parse_yaml(text, file), Glossary, file, None)
    return glossary, faults
