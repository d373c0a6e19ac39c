"""Everything that can be wrong with content, all of it at once: each fault with file, cell or line, and remedy."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from curriculum.canonical import canonical
from curriculum.catalog import FRAME, Catalog, load_role
from curriculum.errors import ContentError, CurriculumError, Fault, near
from curriculum.glossary import Glossary, Term, read_glossary
from curriculum.messages import LANGUAGES
from curriculum.model import FORMAT, LEVELS, MARK, RESERVED_PORTS, Checklist, Exercise, Lesson, Role
from curriculum.routes import read_install
from curriculum.source import Document, Notebook, anchors, literal_assignments, load_notebook, load_text, parse_yaml
from curriculum.template import TAGS, Section, Template, parse_template, translations
from curriculum.translation import Translated, of_document, of_section

_JAPANESE = re.compile(r"[぀-ヿ㐀-鿿]")
_LINK = re.compile(r"\]\(#(?:cell-id=)?([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)
_FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1", re.MULTILINE | re.DOTALL)
#: A title or a word that Japanese quotes as it is.
_QUOTED = re.compile(r"「[^」\u3040-\u30ff\u4e00-\u9fff]*」")
#: A language's words outside code: what a reader of the other language must not meet.
_CODE = re.compile(r"^(`{3,}).*?^\1[^\n]*$|`+[^`\n]*`+|https?://\S+", re.MULTILINE | re.DOTALL)


@dataclass
class Collected:
    """What lint learns from one file for the questions that concern several."""

    slugs: dict[str, list[tuple[str, int | None]]] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    terms: tuple[Term, ...] = ()


def lint(catalog: Catalog, packs: Iterable[str] | None = None) -> list[Fault]:
    """All faults of the packs named (of all, without names), sorted by place.

    What the other packs hold counts too: their tools may be built on, and their slugs are taken.
    """
    known = Collected()
    faults: list[Fault] = []
    asked: set[str] = set()
    for pack in catalog.packs:
        glossary, problems = read_glossary(pack.root / "templates" / "glossary.yaml")
        known.terms += glossary.terms if glossary else ()
        faults += problems if packs is None or pack.name in packs else ()
    for pack in catalog.packs:
        told = packs is None or pack.name in packs
        for stem, path in pack.files("roles", ".yaml").items():
            if not told:
                _learn_role(catalog, stem, path, known)
            else:
                asked.add(f"roles/{path.name}")
                faults += lint_role(path, stem, known)
        for stem, path in pack.files("templates/notebooks", ".ipynb").items():
            if stem == FRAME:
                continue
            if not told:
                _learn_template(catalog, stem, path, known)
            else:
                asked.add(f"templates/notebooks/{path.name}")
                faults += lint_template(path, stem, catalog, known)
        install = pack.root / "templates" / "install.yaml"
        if told and install.is_file():
            faults += lint_install(install, known.terms)
    faults += [fault for fault in _across(catalog, known) if fault.file in asked]
    frame = catalog.frame_file
    if packs is None or any(pack.name in packs for pack in catalog.packs if frame.is_relative_to(pack.root)):
        roles = sorted(known.roles.values(), key=lambda role: f"roles/{role.role}.yaml" not in asked)
        faults += lint_frame(frame, catalog, roles)
    return sorted(set_aside_repeats(faults), key=lambda f: (f.file, f.cell or 0, f.line or 0, f.key))


def _learn_role(catalog: Catalog, stem: str, path: Path, known: Collected) -> None:
    """What a pack that nobody asked about declares; its faults are its author's."""
    if catalog.role_files.get(stem) == path:
        with contextlib.suppress(CurriculumError):
            known.roles[stem] = catalog.role(stem)


def _learn_template(catalog: Catalog, stem: str, path: Path, known: Collected) -> None:
    if catalog.template_files.get(stem) == path:
        with contextlib.suppress(CurriculumError):
            template = catalog.template(stem)
            assert template is not None
            known.templates[stem] = template
            for section in template.sections:
                if section.kind != "checklist":
                    known.slugs.setdefault(section.name, []).append((template.file, section.cell))


def set_aside_repeats(faults: list[Fault]) -> list[Fault]:
    """The same fault found twice is one fault."""
    seen: set[tuple[Any, ...]] = set()
    unique = []
    for fault in faults:
        mark = (
            fault.file,
            fault.key,
            fault.cell,
            fault.line,
            tuple(sorted((k, str(v)) for k, v in fault.params.items())),
        )
        if mark not in seen:
            seen.add(mark)
            unique.append(fault)
    return unique


def lint_install(path: Path, terms: tuple[Term, ...] = ()) -> Iterator[Fault]:
    """The routes by which a learner gets what exercises work with."""
    file = f"templates/{path.name}"
    text, _ = load_text(path, file)
    document = parse_yaml(text, file)
    strings = list(of_document(document, path.stem, None))
    yield from _missing(file, strings)
    yield from _wrong_language(file, strings)
    yield from _misused(file, strings, terms)
    try:
        install = read_install(path)
    except ContentError as error:
        yield from error.faults
        return
    ids = [part.part for part in install.parts]
    ids += [route.id for part in install.parts for route in part.routes] + [route.id for route in install.elsewhere]
    for slug, count in Counter(ids).items():
        if count > 1:
            yield Fault(file, "duplicate-id", None, document.line(("parts",)), {"name": slug})


# --- roles -----------------------------------------------------------------------------------------------------------


def lint_role(path: Path, stem: str, known: Collected) -> Iterator[Fault]:
    file = f"roles/{path.name}"
    role, faults = load_role(path, file)
    yield from faults
    text, _ = load_text(path, file)
    yield from (Fault(file, "yaml-anchor", None, line, {"name": name}) for line, name in anchors(text))
    document = parse_yaml(text, file)
    strings = list(of_document(document, stem, None))
    yield from _missing(file, strings)
    yield from _wrong_language(file, strings)
    yield from _misused(file, strings, known.terms)
    if role is None:
        return
    known.roles[stem] = role
    if role.role != stem:
        yield Fault(file, "file-name", None, document.line(("role",)), {"name": role.role, "file": path.name})
    declared = [tool.tool for tool in role.tools]
    for slug, count in Counter(declared).items():
        if count > 1:
            yield Fault(file, "duplicate-tool", None, document.line(("tools", declared.index(slug))), {"name": slug})
    duties = {item.id for group in role.duties for item in group.items}
    for n, phase in enumerate(role.phases):
        for duty in phase.duties:
            if duty not in duties:
                yield Fault(
                    file,
                    "unknown-duty",
                    None,
                    document.line(("phases", n, "duties")),
                    {"name": duty, "near": near(duty, duties)},
                )
    yield from _choices(role, file, document)
    for ids, where in _id_lists(role):
        for slug, count in Counter(ids).items():
            if count > 1:
                yield Fault(file, "duplicate-id", None, document.line(where), {"name": slug})


def _choices(role: Role, file: str, document: Document) -> Iterator[Fault]:
    """Tools of which a plan takes one stand in the path with one need; a tool is one of several for one job at most."""
    places = {place.tool: place for phase in role.phases for topic in phase.topics for place in topic.tools}
    seen: dict[str, str] = {}
    for c, choice in enumerate(role.choices):
        needs = set()
        for n, entry in enumerate(choice.tools):
            line = document.line(("choices", c, "tools", n))
            if entry.tool in seen:
                yield Fault(file, "duplicate-tool", None, line, {"name": entry.tool})
            seen[entry.tool] = choice.id
            if entry.tool not in places:
                yield Fault(file, "choice-not-placed", None, line, {"name": entry.tool})
                continue
            place = places[entry.tool]
            needs.add((tuple(place.need_at(level) for level in LEVELS), place.assumed_from))
        if len(needs) > 1:
            yield Fault(file, "choice-needs-differ", None, document.line(("choices", c)), {"name": choice.id})


def _id_lists(role: Role) -> Iterator[tuple[list[str], tuple[str | int, ...]]]:
    yield [phase.id for phase in role.phases], ("phases",)
    yield [topic.id for phase in role.phases for topic in phase.topics], ("phases",)
    yield [place.tool for phase in role.phases for topic in phase.topics for place in topic.tools], ("phases",)
    yield [item.id for group in role.duties for item in group.items], ("duties",)
    yield [level.id for level in role.levels], ("levels",)


def _role_references(role: Role) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every place in a role that names a tool."""
    for g, group in enumerate(role.duties):
        for i, item in enumerate(group.items):
            yield from ((("duties", g, "items", i, "tools", n), tool) for n, tool in enumerate(item.tools))
    for g, skills in enumerate(role.skills):
        for i, kind in enumerate(skills.kinds):
            yield from ((("skills", g, "kinds", i, "tools", n), tool) for n, tool in enumerate(kind.tools))
    for n, level in enumerate(role.levels):
        for i, position in enumerate(level.positions):
            yield from ((("levels", n, "positions", i, "tools", t), tool) for t, tool in enumerate(position.tools))
    for p, phase in enumerate(role.phases):
        for t, topic in enumerate(phase.topics):
            yield from (
                (("phases", p, "topics", t, "tools", n, "tool"), place.tool) for n, place in enumerate(topic.tools)
            )
    for g, trend in enumerate(role.trends):
        for i, item in enumerate(trend.items):
            yield from ((("trends", g, "items", i, "tools", n), tool) for n, tool in enumerate(item.tools))
    for g, platform in enumerate(role.platforms):
        yield from ((("platforms", g, "tools", n, "tool"), entry.tool) for n, entry in enumerate(platform.tools))
    for c, choice in enumerate(role.choices):
        yield from ((("choices", c, "tools", n, "tool"), entry.tool) for n, entry in enumerate(choice.tools))
    for q, question in enumerate(role.questions):
        yield from ((("questions", q, "known", n), tool) for n, tool in enumerate(question.known))
    for t, tool in enumerate(role.tools):
        yield from ((("tools", t, "needs", n), need) for n, need in enumerate(tool.needs))


# --- templates -------------------------------------------------------------------------------------------------------


def lint_template(path: Path, stem: str, catalog: Catalog, known: Collected) -> Iterator[Fault]:
    file = f"templates/notebooks/{path.name}"
    book, faults = load_notebook(path, file)
    yield from faults
    if book is None:
        return
    raw = json.loads(path.read_text(encoding="utf-8-sig"))
    yield from _cells(book, {"level", "lang"})
    for cell in book.cells:
        if cell.kind == "raw":
            yield from (
                Fault(file, "yaml-anchor", cell.number, line, {"name": name}) for line, name in anchors(cell.source)
            )
    template, faults = parse_template(book)
    yield from faults
    if template is None:
        return
    if canonical(raw, book) != path.read_text(encoding="utf-8"):
        yield Fault(file, "not-canonical", params={"file": path.name})
    front = template.front
    known.templates[front.tool] = template
    if front.tool != stem:
        yield Fault(file, "file-name", 1, None, {"name": front.tool, "file": path.name})
    yield from _code_before_sections(book)
    document = parse_yaml(book.cells[0].source, file, 1)
    strings = list(of_document(document, front.tool, 1))
    for section in template.sections:
        yield from section.checked[1]
        strings += of_section(section)
        if section.checked[0] is not None:
            yield from _section(section, front.tool, catalog, known)
        if section.kind == "exercise":
            raw_values = section.document.value.get("values") if isinstance(section.document.value, dict) else None
            yield from _marks(section, {*catalog.story(), *(raw_values if isinstance(raw_values, dict) else ())})
        yield from _blocks(section)
    yield from _missing(file, strings)
    yield from _wrong_language(file, strings)
    yield from _misused(file, strings, known.terms)
    yield from _stamped(file, strings, template.translations)
    yield from _checklists(template)
    yield from _hours(template, document.line(("hours",)))


def _cells(book: Notebook, required: set[str]) -> Iterator[Fault]:
    """What a template needs besides its sections: one `parameters` cell, first of the code cells, and one `start`."""
    code = [cell for cell in book.cells if cell.kind == "code"]
    for tag in ("parameters", "start"):
        tagged = [cell for cell in book.cells if tag in cell.tags]
        if len(tagged) != 1 or tagged[0].kind != "code":
            yield Fault(
                book.file, f"not-one-{tag}", tagged[1].number if len(tagged) > 1 else None, None, {"count": len(tagged)}
            )
    parameters = [cell for cell in code if "parameters" in cell.tags]
    if parameters and parameters[0] is not code[0]:
        yield Fault(book.file, "parameters-not-first", parameters[0].number)
    for cell in parameters:
        values = literal_assignments(cell.source)
        if values is None:
            yield Fault(book.file, "bad-parameters", cell.number)
        elif required - set(values):
            yield Fault(book.file, "missing-parameters", cell.number, None, {"names": sorted(required - set(values))})
    languages = set(LANGUAGES)
    for cell in book.cells:
        for tag in cell.tags:
            if tag not in TAGS | languages:
                choices = sorted(TAGS | languages)
                yield Fault(
                    book.file,
                    "unknown-tag",
                    cell.number,
                    None,
                    {"name": tag, "near": near(tag, choices), "choices": choices},
                )
    ids = Counter(cell.id for cell in book.cells if cell.id)
    for cell in book.cells:
        if ids[cell.id] > 1:
            yield Fault(book.file, "duplicate-cell-id", cell.number, None, {"name": cell.id})


def _code_before_sections(book: Notebook) -> Iterator[Fault]:
    for cell in book.cells[1:]:
        if cell.kind == "raw":
            return
        if not {"parameters", "start"} & set(cell.tags):
            yield Fault(book.file, "stray-cell", cell.number)


def _section(section: Section, tool: str, catalog: Catalog, known: Collected) -> Iterator[Fault]:
    content = section.content
    file, line = section.file, section.document.line
    if section.kind != "checklist":
        known.slugs.setdefault(section.name, []).append((file, section.cell))
        if not section.name.startswith(f"{tool}-"):
            yield Fault(file, "foreign-slug", section.cell, line((section.kind,)), {"name": section.name, "tool": tool})
    if isinstance(content, Lesson):
        yield from _lesson(section, content)
    elif isinstance(content, Exercise):
        yield from _exercise(section, content, catalog)


def _lesson(section: Section, lesson: Lesson) -> Iterator[Fault]:
    for lang in LANGUAGES:
        prose = section.prose(lang)
        if not prose:
            continue
        shown = prose.count("⟦example⟧")
        if shown != (1 if lesson.example else 0):
            yield Fault(
                section.file, "example-mark", section.cell, None, {"name": section.name, "lang": lang, "count": shown}
            )
        if "<details>" not in prose:
            yield Fault(section.file, "no-question", section.cell, None, {"name": section.name, "lang": lang})
    yield from _marks(section, {"example"} if lesson.example else set())


def _exercise(section: Section, exercise: Exercise, catalog: Catalog) -> Iterator[Fault]:
    file, cell, line = section.file, section.cell, section.document.line
    for lang in LANGUAGES:
        starters, solutions = section.files("starter", lang), section.files("solution", lang)
        if not starters or set(starters) != set(solutions):
            yield Fault(
                file,
                "unmatched-files",
                cell,
                None,
                {"name": section.name, "lang": lang, "starters": sorted(starters), "solutions": sorted(solutions)},
            )
        for name, body in solutions.items():
            if starters.get(name, "").strip() == body.strip() and len(solutions) == 1:
                yield Fault(file, "leaking-solution", cell, None, {"name": section.name, "where": name})
    for name in exercise.given:
        if catalog.given_file(name) is None:
            yield Fault(file, "no-given-file", cell, line(("given",)), {"name": name})
    if any(c.live for c in exercise.rubric.values()) and exercise.backend is None:
        yield Fault(file, "live-without-backend", cell, line(("rubric",)), {"name": section.name})
    for slug, criterion in exercise.rubric.items():
        if criterion.live and criterion.session is None:
            yield Fault(file, "live-without-session", cell, line(("rubric", slug)), {"name": slug})
    for name, value in exercise.values.items():
        if name.endswith("port") and (int(value.default) if value.default.isdecimal() else 0) in RESERVED_PORTS:
            yield Fault(file, "reserved-port", cell, line(("values", name)), {"value": value.default})
    yield from _leaks(section)


def _marks(section: Section, known: set[str]) -> Iterator[Fault]:
    """`⟦name⟧` that nothing fills, in the YAML or in a cell."""
    texts = [(section.cell, text) for text in _strings(section.document.value)]
    texts += [(block.cell, block.source) for block in section.blocks]
    for cell, text in texts:
        for name in dict.fromkeys(MARK.findall(text)):
            if name not in known:
                yield Fault(
                    section.file,
                    "unknown-value",
                    cell,
                    None,
                    {"name": name, "near": near(name, known), "choices": sorted(known) or ["–"]},
                )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _strings(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _strings(entry)


def _leaks(section: Section) -> Iterator[Fault]:
    """Where the learner would read the solution: most of its own lines stand in a starter, in the prose or in a hint."""
    starters = {line.strip() for b in section.blocks if b.role == "starter" for line in b.body.splitlines()}
    for solution in (block for block in section.blocks if block.role == "solution"):
        own = {line.strip() for line in solution.body.splitlines() if len(line.strip()) >= 12} - starters
        if len(own) < 2:
            continue
        places = [(b.cell, b.source) for b in section.blocks if b.role in {"prose", ""}]
        places += [(section.cell, text) for text in _strings(section.document.value)]
        for cell, text in places:
            lines = {line.strip() for line in text.splitlines()}
            if len(own & lines) * 2 > len(own):
                yield Fault(
                    section.file, "leaking-solution", cell, None, {"name": section.name, "where": solution.target[1]}
                )


def _blocks(section: Section) -> Iterator[Fault]:
    """The cells below a section's YAML."""
    for block in section.blocks:
        place = (section.file, block.cell)
        if block.role == "":
            yield Fault(place[0], "untagged-code", place[1])
        elif block.role == "prose":
            if _HEADING.search(_FENCE.sub("", block.source)):
                yield Fault(place[0], "heading", place[1])
        elif section.kind != "exercise":
            yield Fault(place[0], "stray-answer", place[1], None, {"role": block.role})
        elif block.target[0] != section.name or not block.target[1]:
            yield Fault(place[0], "bad-answer-line", place[1], 1, {"role": block.role, "name": section.name})
    if section.kind != "checklist":
        for lang in LANGUAGES:
            if not section.prose(lang):
                yield Fault(section.file, "no-prose", section.cell, None, {"name": section.name, "lang": lang})


def _checklists(template: Template) -> Iterator[Fault]:
    """Items name lessons and exercises that exist; every lesson is named; ids are unique within the tool."""
    names = {kind: {s.name: s.level for s in template.sections if s.kind == kind} for kind in ("lesson", "exercise")}
    ids: Counter[str] = Counter()
    taught: set[str] = set()
    for section in template.sections:
        content = section.checked[0]
        if not isinstance(content, Checklist):
            continue
        for n, item in enumerate(content.items):
            line = section.document.line(("items", n))
            ids[item.id] += 1
            if ids[item.id] > 1:
                yield Fault(section.file, "duplicate-id", section.cell, line, {"name": item.id})
            for kind, slug in (("lesson", item.lesson), ("exercise", item.proven_by)):
                if slug is not None and slug not in names[kind]:
                    yield Fault(
                        section.file,
                        f"no-such-{kind}",
                        section.cell,
                        line,
                        {"name": slug, "near": near(slug, names[kind])},
                    )
            if item.lesson is None and names["exercise"]:
                yield Fault(section.file, "item-without-lesson", section.cell, line, {"name": item.id})
            taught.add(item.lesson or "")
    for section in template.sections:
        if section.kind == "lesson" and section.name not in taught:
            yield Fault(section.file, "untested-lesson", section.cell, 1, {"name": section.name})


def _hours(template: Template, line: int | None) -> Iterator[Fault]:
    """Hours have contents: lint reports a level whose contents cover less than 80 % of the author's estimate."""
    for level in LEVELS:
        try:
            minutes = min(template.minutage(level, lang).total for lang in LANGUAGES)
        except CurriculumError:
            continue
        estimate = template.front.hours.at(level) * 60
        if minutes < 0.8 * estimate:
            yield Fault(
                template.file,
                "empty-hours",
                1,
                line,
                {"level": level, "hours": estimate / 60, "share": round(100 * minutes / estimate)},
            )


# --- languages -------------------------------------------------------------------------------------------------------


def _missing(file: str, strings: Iterable[Translated]) -> Iterator[Fault]:
    for string in strings:
        for lang in string.missing:
            yield Fault(file, "missing-translation", string.cell, string.line, {"id": string.id, "lang": lang})
        for lang in set(string.texts) - set(LANGUAGES):
            yield Fault(file, "bad-language", string.cell, string.line, {"name": string.id, "lang": lang})


def _stamped(file: str, strings: Iterable[Translated], stamps: Mapping[str, str]) -> Iterator[Fault]:
    """Translations that were made from an older English, or of which nobody said from which."""
    for string in strings:
        made_from = stamps.get(string.id)
        if not string.missing and made_from != string.stamp:
            key = "stale-translation" if made_from else "unstamped-translation"
            yield Fault(file, key, string.cell, string.line, {"id": string.id, "file": file.rpartition("/")[2]})


def _wrong_language(file: str, strings: Iterable[Translated]) -> Iterator[Fault]:
    """Japanese in the English text, or a sentence of English where Japanese should be."""
    for string in strings:
        if re.match(r"[^/]+/(?:starter|solution)/", string.id):
            continue
        english = _CODE.sub("", string.texts.get("en", ""))
        japanese = _CODE.sub("", string.texts.get("ja", ""))
        if _JAPANESE.search(english):
            yield Fault(file, "wrong-language", string.cell, string.line, {"id": string.id, "lang": "en"})
        pieces = re.split(r"[\n。、（）「」：|]", _QUOTED.sub("", japanese))
        if any(not _JAPANESE.search(piece) and len(re.findall(r"[A-Za-z]{2,}", piece)) > 5 for piece in pieces):
            yield Fault(file, "wrong-language", string.cell, string.line, {"id": string.id, "lang": "ja"})


def _misused(file: str, strings: Iterable[Translated], terms: tuple[Term, ...]) -> Iterator[Fault]:
    """Terms in a form that the glossary does not have."""
    glossary = Glossary(format=FORMAT, terms=terms)
    for string in strings:
        if re.match(r"[^/]+/(?:starter|solution)/", string.id):
            continue
        for lang, text in string.texts.items():
            for wrong, right in glossary.misused(_CODE.sub("", text), lang):
                params: dict[str, object] = {"id": string.id, "lang": lang, "wrong": wrong, "right": right}
                yield Fault(file, "misused-term", string.cell, string.line, params)


# --- everything together ---------------------------------------------------------------------------------------------


def _across(catalog: Catalog, known: Collected) -> Iterator[Fault]:
    for slug, places in known.slugs.items():
        for file, cell in places[1:]:
            yield Fault(file, "duplicate-slug", cell, None, {"name": slug, "first": places[0][0]})
    templates = set(known.templates) | set(catalog.template_files)
    declared = {tool.tool for role in known.roles.values() for tool in role.tools} | templates
    for slug, role in known.roles.items():
        file = f"roles/{slug}.yaml"
        document = parse_yaml(load_text(catalog.role_files[slug], file)[0], file)
        own = {tool.tool for tool in role.tools} | (set(role.names) & templates)
        for path, tool in _role_references(role):
            if tool not in own:
                key = "undeclared-tool" if tool in declared else "dangling-tool"
                yield Fault(file, key, None, document.line(path), {"name": tool, "near": near(tool, own)})
    for template in known.templates.values():
        for need in template.front.needs:
            if need not in declared:
                yield Fault(template.file, "dangling-tool", 1, None, {"name": need, "near": near(need, declared)})
    yield from _cycles(known)
    targets = set(known.slugs)
    for template in known.templates.values():
        for section in template.sections:
            for block in section.blocks:
                yield from _links(
                    template.file, block.cell, block.source, targets | {f"tool-{t}" for t in known.templates}
                )


def _cycles(known: Collected) -> Iterator[Fault]:
    """Tools that build on each other in a circle; each circle once."""
    needs: dict[str, tuple[str, ...]] = {}
    files: dict[str, str] = {}
    for slug, role in known.roles.items():
        for tool in role.tools:
            needs[tool.tool], files[tool.tool] = tool.needs, f"roles/{slug}.yaml"
    for name, template in known.templates.items():
        needs[name], files[name] = template.front.needs, template.file
    done: set[str] = set()
    told: set[frozenset[str]] = set()

    def visit(tool: str, path: list[str]) -> Iterator[Fault]:
        if tool in path:
            circle = path[path.index(tool) :]
            if frozenset(circle) not in told:
                told.add(frozenset(circle))
                at = next((t for t in circle if files[t].endswith(".ipynb")), circle[0])
                yield Fault(files[at], "cycle", None, None, {"path": " → ".join([*circle, tool])})
            return
        if tool in done:
            return
        for need in needs.get(tool, ()):
            yield from visit(need, [*path, tool])
        done.add(tool)

    for name in needs:
        yield from visit(name, [])


def _links(file: str, cell: int | None, source: str, targets: set[str]) -> Iterator[Fault]:
    for target in _LINK.findall(source):
        if target not in targets:
            yield Fault(file, "dead-link", cell, None, {"name": target, "near": near(target, targets)})


# --- the frame -------------------------------------------------------------------------------------------------------


def lint_frame(path: Path, catalog: Catalog, roles: Iterable[Role]) -> Iterator[Fault]:
    """The frame: its cells, its languages, and a study rendered with it for every role, level and language."""
    file = f"templates/notebooks/{path.name}"
    book, faults = load_notebook(path, file)
    yield from faults
    if book is None:
        return
    raw = json.loads(path.read_text(encoding="utf-8-sig"))
    if canonical(raw, book) != path.read_text(encoding="utf-8"):
        yield Fault(file, "not-canonical", params={"file": path.name})
    yield from _cells(book, {"role", "level", "lang", "learner", "start", "hours_per_week"})
    yield from _pairs(book)
    for role in roles:
        try:
            faults = tuple(_rendered(book, role, catalog))
        except ContentError as error:
            faults = tuple(fault for fault in error.faults if fault.file == file)
            if not faults:
                # A template that cannot be read is told of where it is at fault: another role may show the frame's.
                continue
        except CurriculumError:
            continue
        yield from faults
        if faults:
            return


def _pairs(book: Notebook) -> Iterator[Fault]:
    """Every Markdown cell of the frame in every language; its strings carry stamps like a template's."""
    stamps = translations(book)
    for string in _frame_strings(book):
        yield from _missing(book.file, [string])
        yield from _stamped(book.file, [string], stamps)


def _rendered(book: Notebook, role: Role, catalog: Catalog) -> Iterator[Fault]:
    from curriculum.engine import book as compose_book

    for level in role.levels:
        for lang in LANGUAGES:
            parameters = {"role": role.role, "level": level.id, "lang": lang, "start": "2026-01-05", "single": True}
            cells = compose_book(catalog, book, parameters).notebook()["cells"]
            ids = [cell["id"] for cell in cells]
            for slug, count in Counter(ids).items():
                if count > 1:
                    yield Fault(book.file, "duplicate-cell-id", None, None, {"name": slug})
            for cell in cells:
                if cell["cell_type"] == "markdown":
                    for fault in _links(book.file, None, "".join(cell["source"]), set(ids)):
                        # Where the frame writes the target out, that is the cell to mend.
                        target = str(fault.params["name"])
                        source = next((c.number for c in book.cells if target in c.source), None)
                        yield replace(fault, cell=source)


def stamps(path: Path) -> Mapping[str, str]:
    """The translation stamps that a template or the frame would have now, for every string that is translated."""
    book, faults = load_notebook(path, path.name)
    if book is None:
        raise ContentError(faults)
    if "frame:" in book.cells[0].source:
        strings = list(_frame_strings(book))
    else:
        template, faults = parse_template(book)
        if template is None:
            raise ContentError(faults)
        document = parse_yaml(book.cells[0].source, path.name, 1)
        strings = [*of_document(document, template.front.tool, 1)]
        for section in template.sections:
            strings += of_section(section)
    return {string.id: string.stamp for string in strings if not string.missing}


def _frame_strings(book: Notebook) -> Iterator[Translated]:
    cells: dict[str, dict[str, str]] = {}
    numbers: dict[str, int] = {}
    for cell in book.cells:
        lang = next((tag for tag in cell.tags if tag in LANGUAGES), None)
        if cell.kind == "markdown" and lang:
            name = cell.id.removesuffix(f"-{lang}")
            cells.setdefault(name, {})[lang] = cell.source
            numbers.setdefault(name, cell.number)
    for name, texts in cells.items():
        yield Translated(f"{FRAME}/{name}", texts, numbers[name], None)
