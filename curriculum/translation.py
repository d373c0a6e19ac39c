"""Which strings of a template are translated, and whether the translation is as new as its English.

The notebook's metadata holds one map, string id → stamp of the English that the translation was made from. A string's
id is its section and its path (`docker-layers/title`, `docker-first-image/rubric/pinned-base`, `docker-layers/prose`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from curriculum.messages import LANGUAGES
from curriculum.source import Document
from curriculum.template import Section

#: Keys that are languages; `id` and `to` are the format's own.
_LANGUAGE = re.compile(r"(?!id$|to$)[a-z]{2}")
#: The language that the others are translated from.
ORIGIN = "en"


@dataclass(frozen=True)
class Translated:
    """A string in the languages it has, and where it stands."""

    id: str
    texts: dict[str, str]
    cell: int | None
    line: int | None

    @property
    def stamp(self) -> str:
        """What the English was when this was called: ten hexadecimal digits; white space does not count."""
        return hashlib.sha256(" ".join(self.texts.get(ORIGIN, "").split()).encode()).hexdigest()[:10]

    @property
    def missing(self) -> list[str]:
        return [lang for lang in LANGUAGES if not self.texts.get(lang, "").strip()]


def of_document(document: Document, prefix: str, cell: int | None) -> Iterator[Translated]:
    """Every mapping of languages to strings in a YAML text."""
    yield from _walk(document.value, prefix, (), document, cell)


def _walk(
    value: Any, name: str, path: tuple[str | int, ...], document: Document, cell: int | None
) -> Iterator[Translated]:
    if isinstance(value, dict):
        texts = {key: entry for key, entry in value.items() if _LANGUAGE.fullmatch(key) and isinstance(entry, str)}
        if texts and path[-1:] != ("files",):
            yield Translated(name, texts, cell, document.line(path))
        for key, entry in value.items():
            if key not in texts:
                yield from _walk(entry, f"{name}/{key}", (*path, key), document, cell)
    elif isinstance(value, list):
        for n, entry in enumerate(value):
            own = entry.get("id") if isinstance(entry, dict) else None
            yield from _walk(entry, f"{name}/{own or n + 1}", (*path, n), document, cell)


def of_section(section: Section) -> Iterator[Translated]:
    """Every translated string of a section: its YAML, its prose, and the language variants of its files."""
    name = f"checklist-{section.name}" if section.kind == "checklist" else section.name
    yield from of_document(section.document, name, section.cell)
    prose = {
        lang: "\n\n".join(b.source for b in section.blocks if b.role == "prose" and b.lang == lang)
        for lang in LANGUAGES
    }
    if any(prose.values()):
        first = next(b.cell for b in section.blocks if b.role == "prose" and b.lang)
        yield Translated(f"{name}/prose", {lang: text for lang, text in prose.items() if text}, first, None)
    for role in ("starter", "solution"):
        files: dict[str, dict[str, str]] = {}
        cells: dict[str, int] = {}
        for block in section.blocks:
            if block.role == role and block.lang:
                files.setdefault(block.target[1], {})[block.lang] = block.source
                cells.setdefault(block.target[1], block.cell)
        for file, texts in files.items():
            yield Translated(f"{name}/{role}/{file}", texts, cells[file], None)
