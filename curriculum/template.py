"""A tool's template notebook: its sections, parsed when they are needed.

docs/template-format.md is the format in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from curriculum.errors import ContentError, Fault, near
from curriculum.model import (
    FORMAT,
    LEVELS,
    Checklist,
    Exercise,
    FrontMatter,
    Hours,
    Item,
    Lesson,
    Minutage,
    Reading,
    readings_for,
)
from curriculum.source import Cell, Document, Notebook, load_notebook, parse_yaml, validated

#: The kinds of section, by the key that opens them.
KINDS: dict[str, type] = {"lesson": Lesson, "checklist": Checklist, "exercise": Exercise}
#: Tags that a cell of a template may have, besides languages.
TAGS = frozenset({"parameters", "start", "starter", "solution"})

_HEAD = re.compile(r"^(\w+):[ \t]*[\"']?([^\s\"'#]*)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A cell below a section's YAML. `role` is `prose`, `starter` or `solution`; `lang` is None for every language."""

    role: str
    lang: str | None
    source: str
    cell: int

    @property
    def target(self) -> tuple[str, str]:
        """The exercise and the file that the first line of a starter or solution names; empty where it names none."""
        head = self.source.partition("\n")[0].split()
        return (head[1], head[2]) if len(head) == 3 and head[0] == "%%answer" else ("", "")

    @property
    def body(self) -> str:
        """The file's text: what stands below the first line."""
        return self.source.partition("\n")[2]


@dataclass(frozen=True)
class Section:
    """A raw cell and the cells below it.

    `kind`, `name` and `level` are read off its lines at once; the YAML is parsed and validated when `content` is asked
    for, so that planning a few tools does not cost reading all of them.
    """

    file: str
    kind: str
    name: str
    level: str
    cell: int
    yaml: str
    blocks: tuple[Block, ...] = ()

    @property
    def tool(self) -> str:
        """The tool in whose template the section stands."""
        return Path(self.file).stem

    @cached_property
    def document(self) -> Document:
        return parse_yaml(self.yaml, self.file, self.cell)

    @cached_property
    def checked(self) -> tuple[Any, tuple[Fault, ...]]:
        """The validated content or None, and the faults of the YAML."""
        if self.kind not in KINDS:
            return None, (
                Fault(
                    self.file,
                    "unknown-section",
                    self.cell,
                    1,
                    {"name": self.kind, "near": near(self.kind, KINDS), "choices": list(KINDS)},
                ),
            )
        return validated(self.document, KINDS[self.kind], self.file, self.cell)

    def __getstate__(self) -> dict[str, Any]:
        # Lines are for telling faults; they would be most of what the cache keeps.
        return {name: value for name, value in self.__dict__.items() if name != "document"}

    @property
    def content(self) -> Any:
        """The lesson, checklist or exercise. Raises ContentError when its YAML is at fault."""
        content, faults = self.checked
        if content is None:
            raise ContentError(faults)
        return content

    def prose(self, lang: str) -> str:
        """The Markdown of the section in `lang`, as one text."""
        return "\n\n".join(b.source.strip() for b in self.blocks if b.role == "prose" and b.lang in (None, lang))

    def files(self, role: str, lang: str) -> dict[str, str]:
        """Text by file name of the `starter` or the `solution` in `lang`, in the order of the template."""
        texts: dict[str, str] = {}
        for block in self.blocks:
            if block.role == role and block.lang in (None, lang):
                texts[block.target[1]] = block.body
        return texts


@dataclass(frozen=True)
class Template:
    """A tool's template."""

    file: str
    front: FrontMatter
    sections: tuple[Section, ...]
    translations: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: str, level: str) -> tuple[Section, ...]:
        return tuple(section for section in self.sections if section.kind == kind and section.level == level)

    def lessons(self, level: str) -> tuple[Section, ...]:
        return self.of("lesson", level)

    def exercises(self, level: str) -> tuple[Section, ...]:
        return self.of("exercise", level)

    def brief(self, level: str) -> bool:
        """Whether a level has nothing to write: in a study it is one text, under its tool's heading, and a checklist."""
        return not self.exercises(level) and not self.test_out(level)

    def work(self, level: str) -> tuple[Section, ...]:
        """The lessons and exercises of a level, in the order in which a learner meets them."""
        return tuple(s for s in self.sections if s.level == level and s.kind in {"lesson", "exercise"})

    def items(self, level: str) -> tuple[Item, ...]:
        return tuple(item for section in self.of("checklist", level) for item in section.content.items)

    def readings(self, level: str) -> tuple[Reading, ...]:
        """The pages to read that belong to no lesson."""
        return tuple(reading for section in self.of("checklist", level) for reading in section.content.readings)

    def minutage(self, level: str, lang: str) -> Minutage:
        """What the hours of a level are made of, for a reader of `lang`."""
        lessons = [section.content for section in self.lessons(level)]
        readings = [*(lesson.readings for lesson in lessons), self.readings(level)]
        return Minutage(
            lessons=sum(lesson.minutes for lesson in lessons),
            readings=sum(reading.minutes for some in readings for reading in readings_for(some, lang)),
            exercises=sum(section.content.minutes for section in self.exercises(level)),
            practice=sum(practice.minutes for practice in self.front.practice if practice.level == level),
        )

    def test_out(self, level: str) -> Section | None:
        """The exercise that proves the depths below `level`: the last one of the nearest level below that has any."""
        for below in reversed(LEVELS[: LEVELS.index(level)]):
            if exercises := self.exercises(below):
                return exercises[-1]
        return None


@dataclass(frozen=True)
class Tool:
    """A tool as the plan sees it: the role's entry, refined by the template where there is one."""

    slug: str
    title: Mapping[str, str]
    category: str
    needs: tuple[str, ...]
    hours: Hours
    docs: str
    template: Template | None = None


def answer_cell(exercise: str, number: int) -> str:
    """The id of the cell with an exercise's first, second … file."""
    return f"{exercise}-answer" if number == 1 else f"{exercise}-answer-{number}"


def answer_source(exercise: str, file: str, body: str) -> str:
    """The cell that writes a file of an answer."""
    return f"%%answer {exercise} {file}\n{body}".strip("\n")


def load_template(path: Path, file: str) -> tuple[Template | None, tuple[Fault, ...]]:
    """Read a template: the template or None, and what keeps it from being read (not all that lint would say)."""
    notebook, faults = load_notebook(path, file)
    return parse_template(notebook) if notebook else (None, faults)


def parse_template(notebook: Notebook) -> tuple[Template | None, tuple[Fault, ...]]:
    """Split a notebook into front matter and sections."""
    cells = notebook.cells
    if not cells or cells[0].kind != "raw":
        return None, (Fault(notebook.file, "no-front-matter", 1),)
    document = parse_yaml(cells[0].source, notebook.file, 1)
    faults = format_faults(document, notebook.file, 1)
    if faults:
        return None, faults
    front, faults = validated(document, FrontMatter, notebook.file, 1)
    if front is None:
        return None, faults
    return Template(notebook.file, front, tuple(_sections(notebook)), translations(notebook)), ()


def translations(notebook: Notebook) -> Mapping[str, str]:
    """The map from string id to the hash of the English that the translation was made from."""
    ours = notebook.metadata.get("curriculum")
    stamps = ours.get("translations") if isinstance(ours, dict) else None
    return {str(k): str(v) for k, v in stamps.items()} if isinstance(stamps, dict) else {}


def format_faults(document: Document, file: str, cell: int | None) -> tuple[Fault, ...]:
    """A file of a newer format deserves a sentence of its own, before its unknown keys are complained of."""
    if document.faults or not isinstance(document.value, dict):
        return document.faults or (Fault(file, "no-front-matter" if cell else "no-role", cell),)
    found = document.value.get("format")
    if found != str(FORMAT):
        return (Fault(file, "bad-format", cell, document.line(("format",)), {"found": found or "–", "known": FORMAT}),)
    return ()


def _sections(notebook: Notebook) -> Iterator[Section]:
    head: Cell | None = None
    blocks: list[Block] = []
    for cell in (*notebook.cells[1:], None):
        if cell is None or cell.kind == "raw":
            if head is not None:
                yield _section(notebook.file, head, tuple(blocks))
            head, blocks = cell, []
        elif head is not None:
            role = next(
                (tag for tag in cell.tags if tag in {"starter", "solution"}), "prose" if cell.kind == "markdown" else ""
            )
            lang = next((tag for tag in cell.tags if re.fullmatch("[a-z]{2}", tag)), None)
            blocks.append(Block(role, lang, cell.source, cell.number))


def _section(file: str, head: Cell, blocks: tuple[Block, ...]) -> Section:
    keys = _HEAD.findall(head.source)
    kind, name = next(((k, v) for k, v in keys if k in KINDS), keys[0] if keys else ("", ""))
    level = name if kind == "checklist" else next((v for k, v in keys if k == "level"), "")
    return Section(file, kind, name, level, head.number, head.source, blocks)
