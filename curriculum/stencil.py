"""A plan's notebook in which the places for a learner's own values are still open. Pure.

A plan is rendered once, with marks where one learner's notebook differs from another's: the name, the ids, the values
of an exercise, the names of pictures. `Stencil.notebook` fills them. `Copies.text` gives the same as text without
serializing again what all learners share: it makes the thousand notebooks of a cohort.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

from rich.cells import cell_len

from curriculum.model import MARK, Exercise, Value
from curriculum.personal import draw, fill
from curriculum.snapshot import uid

Json = dict[str, Any]

#: Columns of a line of text in a window of usual width, and what a table's row is higher than its text, in tenths.
PAGE_COLUMNS, ROW_PADDING = 130, 7
_LINK_TARGET = re.compile(r"\]\([^)]*\)")
_ACTIVE = re.compile(r"[\\`*_{}\[\]<>#|$~&\"^:@/=!]")
#: The marks that every cell may have.
LEARNER, STUDY, UID = "⟦learner⟧", "⟦study⟧", "⟦uid⟧"
LITERALS = {name: f"⟦{name}-literal⟧" for name in ("learner", "id", "study")}
#: Stand in the text of a notebook for the lines of a cell and their digest. No text has these signs.
_SEPARATOR = b",\n    "
_LINES, _DIGEST = "\ue000lines ", "\ue000digest "
_PLACE = re.compile(f'\\[\n *"{_LINES}([^"]*)"\n *\\]|{_DIGEST}([^"]*)|⟦(study|uid) ([^⟧]*)⟧')


@dataclass(frozen=True)
class Person:
    """Whose notebook it is. `study` is the study's id; in a bare template all three are empty."""

    learner: str
    id: str
    study: str


def new_cell(kind: str, cell_id: str, source: str, metadata: Json) -> Json:
    """A cell of a study notebook, with the digest by which a later version knows whether someone has edited it."""
    source = source.strip("\n")
    if kind == "markdown":
        source += "\n" * lines_unseen(source)
    return {
        "cell_type": kind,
        "id": cell_id,
        "metadata": {**metadata, "curriculum": {"id": cell_id, "sha": digest(source)}},
        "source": source.splitlines(keepends=True),
    }


def digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def lines_unseen(source: str) -> int:
    """Lines that a page adds to a Markdown text when it wraps and draws it.

    JupyterLab takes a cell that it has not drawn yet for as high as its source has lines. Exercises, with their long
    lines, then turn out twice as high, and a link to what stands below them lands a window above it. Empty lines at
    the end, which no page shows, make the guess right.
    """
    return _whole(sum(map(_unseen, _prose(source.splitlines()))))


def _prose(lines: list[str]) -> Iterator[str]:
    """The lines outside code."""
    fenced = False
    for line in lines:
        fenced ^= line.startswith("```")
        if not fenced:
            yield line


def _unseen(line: str) -> int:
    """In tenths of a line."""
    return 10 * (cell_len(_LINK_TARGET.sub("]", line)) // PAGE_COLUMNS) + ROW_PADDING * line.startswith("|")


def _whole(tenths: int) -> int:
    return (tenths + 5) // 10


def escaped(person: str) -> str:
    """What a person wrote, harmless in Markdown and HTML: every sign with a meaning becomes a character reference."""
    return _ACTIVE.sub(lambda match: f"&#{ord(match[0])};", person)


def dumps(content: Json) -> str:
    """A notebook as text: the form in which nbformat writes it, with a last line end."""
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


@dataclass(frozen=True)
class Stencil:
    """The cells of a notebook with their marks, what it says about itself, and the exercises by their cells' ids."""

    cells: list[Json]
    about: Json
    exercises: Mapping[str, Exercise]

    def notebook(self, person: Person) -> Json:
        """The notebook of one learner. Nothing in it tells where, when or by whom it was made."""
        cells = [self._filled(cell, person) if _marked(cell) else cell for cell in self.cells]
        return _around(cells, {**self.about, "study": person.study})

    def copies(self) -> Copies:
        """What makes many notebooks of it; it holds no more than that takes, and travels to workers."""
        forms = {}
        places = {Place(name): n for n, name in enumerate(_general(Person("", "", "")))}
        for marked in self.cells:
            exercise = self.exercises.get(marked["id"])
            form = _Form(marked, exercise.values if exercise else {}, places)
            if form.open:
                forms[marked["id"]] = form
        return Copies(tuple(self._pieces(forms)), forms, tuple(places))

    def _filled(self, marked: Json, person: Person) -> Json:
        cell_id = marked["id"]
        values = {**_general(person), "uid": uid(person.study, cell_id)}
        if cell_id in self.exercises:
            values |= {name: draw(person.study, name, v) for name, v in self.exercises[cell_id].values.items()}
        metadata = {name: entry for name, entry in marked["metadata"].items() if name != "curriculum"}
        made = new_cell(marked["cell_type"], cell_id, fill("".join(marked["source"]), values), metadata)
        if not marked.get("outputs"):
            return {**marked, **made}
        outputs = json.loads(fill(json.dumps(marked["outputs"], ensure_ascii=False), values))
        return {**marked, **made, "outputs": outputs}

    def _pieces(self, forms: Mapping[str, _Form]) -> Iterator[bytes | tuple[str, str]]:
        """The text of the notebook, cut where a learner's own text goes."""
        cells = []
        for marked in self.cells:
            name = marked["id"]
            made = dict(marked)
            if "outputs" in marked:
                outputs = json.dumps(marked["outputs"], ensure_ascii=False)
                made["outputs"] = json.loads(outputs.replace(UID, f"⟦uid {name}⟧"))
            if name in forms:
                made["source"] = [_LINES + name]
                made["metadata"] = {**marked["metadata"], "curriculum": {"id": name, "sha": _DIGEST + name}}
            cells.append(made)
        text = dumps(_around(cells, {**self.about, "study": "⟦study ⟧"}))
        end = 0
        for place in _PLACE.finditer(text):
            yield text[end : place.start()].encode()
            lines, sha, kind, name = place.groups()
            yield ("lines", lines) if lines else ("digest", sha) if sha else (kind, name)
            end = place.end()
        yield text[end:].encode()


@dataclass(frozen=True)
class Place:
    """What is filled in at a mark: something of the learner's own, or what their study draws for a value."""

    name: str
    value: Value | None = None


@dataclass(frozen=True)
class Copies:
    """The text of a plan's notebook, cut where learners differ: bytes as they are, or what is filled in and where."""

    pieces: tuple[bytes | tuple[str, str], ...]
    forms: Mapping[str, _Form]
    places: tuple[Place, ...]

    def text(self, person: Person) -> bytes:
        """`dumps(stencil.notebook(person))` in UTF-8."""
        general = _general(person)
        words = [draw(person.study, p.name, p.value) if p.value else general[p.name] for p in self.places]
        values = _Values(
            words,
            [word.encode() for word in words],
            [encode_basestring(word)[1:-1].encode() for word in words],
            [cell_len(word) for word in words],
        )
        filled = {name: form.fill(values) for name, form in self.forms.items()}
        parts = []
        for piece in self.pieces:
            if isinstance(piece, bytes):
                parts.append(piece)
                continue
            kind, name = piece
            if kind == "study":
                parts.append(person.study.encode())
            elif kind == "uid":
                parts.append(uid(person.study, name).encode())
            else:
                parts.append(filled[name][kind == "digest"])
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class _Values:
    """A person's words by the numbers of their places: as text, as bytes, as bytes within JSON, and their columns."""

    words: list[str]
    source: list[bytes]
    json: list[bytes]
    columns: list[int]


def _around(cells: list[Json], about: Json) -> Json:
    return {
        "cells": cells,
        "metadata": {
            "curriculum": about,
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _marked(marked: Json) -> bool:
    return bool(MARK.search("".join(marked["source"]))) or bool(marked.get("outputs"))


def _general(person: Person) -> dict[str, str]:
    return {
        "learner": escaped(person.learner),
        "study": person.study,
        "learner-literal": repr(person.learner),
        "id-literal": repr(person.id),
        "study-literal": repr(person.study),
    }


class _Form:
    """The source of a cell with marks, made ready to be filled many times."""

    def __init__(self, marked: Json, values: Mapping[str, Value], places: dict[Place, int]) -> None:
        self.markdown = marked["cell_type"] == "markdown"
        known = {place.name: place for place in places if place.value is None}
        known |= {name: Place(name, value) for name, value in values.items()}
        #: The source and the same as JSON lines, both in pieces: text as it is, or the number of a place.
        source: list[bytes | int] = []
        array: list[bytes | int] = []
        self.lines: list[_Line] = []
        self.tenths, fenced = 0, False
        for text in "".join(marked["source"]).strip("\n").splitlines(keepends=True):
            fenced ^= text.startswith("```")
            prose = self.markdown and not fenced
            pieces: list[str | int] = []
            for n, piece in enumerate(_split(text, known)):
                pieces.append(places.setdefault(known[piece], len(places)) if n % 2 else piece)
            array.append(_SEPARATOR + b'"')
            for part in pieces:
                source.append(part if isinstance(part, int) else part.encode())
                array.append(part if isinstance(part, int) else encode_basestring(part)[1:-1].encode())
            array.append(b'"')
            if prose and len(pieces) > 1:
                self.lines.append(_Line(pieces))
            elif prose:
                self.tenths += _unseen(text)
        self.source, self.array = _Pieces(source), _Pieces(array)
        self.open = bool(self.source.places)

    def fill(self, values: _Values) -> tuple[bytes, bytes]:
        """The cell's lines as a JSON array, and their digest."""
        source, array = self.source.fill(values.source), self.array.fill(values.json)
        if self.markdown and (empty := _whole(self.tenths + sum(line.unseen(values) for line in self.lines))):
            source += b"\n" * empty
            array = array[:-1] + b'\\n"' + (_SEPARATOR + b'"\\n"') * (empty - 1)
        sha = hashlib.sha256(source).hexdigest()[:16].encode()
        return b"[" + array[1:] + b"\n   ]", sha


class _Pieces:
    """Bytes with places in them."""

    def __init__(self, pieces: list[bytes | int]) -> None:
        self.parts: list[bytes] = [b""]
        #: Where in `parts` which place is filled in.
        self.places: list[tuple[int, int]] = []
        for piece in pieces:
            if isinstance(piece, int):
                self.places.append((len(self.parts), piece))
                self.parts += [b"", b""]
            else:
                self.parts[-1] += piece

    def fill(self, values: list[bytes]) -> bytes:
        parts = self.parts.copy()
        for part, place in self.places:
            parts[part] = values[place]
        return b"".join(parts)


class _Line:
    """A line of prose with places in it."""

    def __init__(self, pieces: list[str | int]) -> None:
        self.pieces = pieces
        texts = [piece for piece in pieces if isinstance(piece, str)]
        self.places = [piece for piece in pieces if isinstance(piece, int)]
        self.linked = "](" in "".join(texts)
        self.columns = sum(map(cell_len, texts))
        self.tenths = ROW_PADDING * bool(texts[0].startswith("|"))

    def unseen(self, values: _Values) -> int:
        """`_unseen` of the filled line; what is wide is measured once, where no address has to be left out."""
        if self.linked:
            return _unseen("".join(values.words[piece] if isinstance(piece, int) else piece for piece in self.pieces))
        columns = self.columns + sum(values.columns[place] for place in self.places)
        return 10 * (columns // PAGE_COLUMNS) + self.tenths


def _split(text: str, names: Collection[str]) -> list[str]:
    """A line cut at the marks that are known; every other mark stays text."""
    pieces = [""]
    for n, piece in enumerate(MARK.split(text)):
        if n % 2 and piece in names:
            pieces += [piece, ""]
        else:
            pieces[-1] += f"⟦{piece}⟧" if n % 2 else piece
    return pieces
