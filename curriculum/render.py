"""From a plan and templates to the cells of a study notebook. Pure and deterministic: the same in, the same bytes out.

The frame (`study.ipynb`) is the only Jinja2 template; the cells of tools are copied as they are, with personal values
filled in. Cells are plain dicts of notebook format 4.5, their ids derived from slugs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from types import SimpleNamespace
from typing import Any

from curriculum import snapshot
from curriculum.cache import cache_folder
from curriculum.errors import ContentError, Fault, RequestError
from curriculum.messages import say
from curriculum.model import LEVELS, Exercise, Lesson, PhasePlan, Reading, Request, Step, Story, words
from curriculum.personal import fill, told
from curriculum.request import literals, number
from curriculum.roadmap import Roadmap, duration, hours, long_date, span
from curriculum.source import Cell, Notebook
from curriculum.stencil import LEARNER, LITERALS, STUDY, UID, Json, Person, Stencil, new_cell
from curriculum.template import Section, Template, Tool, answer_cell, answer_source
from curriculum.timeline import timeline

#: Above this many cells a study is a map and one notebook for each phase.
MOST_CELLS = 165
PARTS = ("opening", "phase", "tool", "card", "closing")

_FENCES = {
    "Dockerfile": "dockerfile",
    "py": "python",
    "yml": "yaml",
    "yaml": "yaml",
    "sh": "bash",
    "json": "json",
    "toml": "toml",
}


# --- cells -----------------------------------------------------------------------------------------------------------


def markdown(cell_id: str, source: str) -> Json:
    return new_cell("markdown", cell_id, source, {"editable": False, "deletable": False})


def code(
    cell_id: str, source: str, *, tags: tuple[str, ...] = (), editable: bool = False, hidden: bool = False
) -> Json:
    metadata: Json = {"deletable": False} if editable else {"editable": False, "deletable": False}
    if tags:
        metadata["tags"] = list(tags)
    if hidden:
        metadata["jupyter"] = {"source_hidden": True}
    return {**new_cell("code", cell_id, source, metadata), "execution_count": None, "outputs": []}


def _with_output(cell: Json, picture: snapshot.Picture) -> Json:
    data = {mime: text.splitlines(keepends=True) for mime, text in sorted(picture.bundle().items())}
    # nbval takes outputs without a counter for a mistake; front ends show the counter 0 as none. A picture is redrawn
    # with every run, so it is no reference to compare with.
    tags = [*cell["metadata"].get("tags", []), "nbval-ignore-output"]
    cell = {**cell, "execution_count": 0, "metadata": {**cell["metadata"], "tags": tags}}
    return {**cell, "outputs": [{"output_type": "display_data", "data": data, "metadata": {}}]}


def _source(cell: Json) -> str:
    return "".join(cell["source"]).strip("\n")


def _fenced(text: str, language: str = "") -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _fence_language(file: str) -> str:
    name = file.rpartition("/")[2]
    return _FENCES.get(name) or _FENCES.get(name.rpartition(".")[2], "")


# --- a tool ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """Renders the cells of one tool's template at one level, in one language; a learner's own values stay marks."""

    tool: str
    title: str
    template: Template
    level: str
    lang: str
    story: Story
    variant: str = "learner"

    def say(self, key: str, **params: object) -> str:
        return say(self.lang, key, **params)

    @property
    def is_brief(self) -> bool:
        return self.template.brief(self.level)

    def opening(self, confirm: tuple[str, ...]) -> Iterator[str]:
        """The Markdown that belongs to the tool's heading: about the lower depths; of a brief level, everything."""
        if below := [level for level in confirm if self.template.items(level)]:
            if self.is_brief:
                calls = [f'`checklist("{self.tool}", "{level}")`' for level in below]
                yield self.say("page.below", tool=self.title, calls=calls)
            else:
                test_out = self.template.test_out(self.level)
                title = words(test_out.content.title, self.lang) if test_out else ""
                key = "page.confirm" if test_out else "page.confirm-alone"
                yield self.say(key, tool=self.title, exercise=title)
        if self.is_brief:
            yield from (_source(self.lesson(section)) for section in self.template.lessons(self.level))
            if own := self.practice():
                yield own

    def body(self, confirm: tuple[str, ...]) -> Iterator[Json]:
        """Confirming the lower depths, then the level's sections in the template's order, and work of one's own."""
        if self.is_brief:
            yield self.own_checklist()
            return
        yield from self.confirm(confirm)
        listed = False
        for section in self.template.sections:
            if section.level != self.level:
                continue
            if section.kind == "lesson":
                yield self.lesson(section)
            elif section.kind == "exercise":
                yield from self.exercise(section)
            elif not listed:
                listed = True
                yield self.own_checklist()
        if own := self.practice():
            yield markdown(f"{self.tool}-practice", own)

    def own_checklist(self) -> Json:
        return self.checklist(f"{self.tool}-checklist", (self.level,), f'checklist("{self.tool}")')

    def confirm(self, levels: tuple[str, ...]) -> Iterator[Json]:
        test_out = self.template.test_out(self.level) if levels else None
        if not any(self.template.items(level) for level in levels):
            return
        names = ", ".join(f'"{level}"' for level in levels)
        yield self.checklist(f"{self.tool}-confirm-list", levels, f'checklist("{self.tool}", {names})')
        if test_out:
            yield from self.exercise(test_out, heading="page.test-out")

    def checklist(self, cell_id: str, levels: tuple[str, ...], source: str) -> Json:
        items = [
            (f"{self.tool}.{item.id}", words(item.text, self.lang), "open")
            for level in levels
            for item in self.template.items(level)
        ]
        picture = snapshot.checklist(self.title, items, self.lang, uid=UID)
        return _with_output(code(cell_id, source), picture)

    def lesson(self, section: Section) -> Json:
        lesson: Lesson = section.content
        prose = section.prose(self.lang)
        if lesson.example:
            prose = prose.replace("⟦example⟧", example(lesson))
        # Front ends set a folded answer without a gap before what follows.
        prose = re.sub(r"</details>\n+(?=\S)", "</details>\n\n<br>\n\n", prose)
        heading = self.say(
            "page.lesson", title=words(lesson.title, self.lang), time=duration(lesson.minutes, self.lang)
        )
        parts = [f"#### {heading}", prose]
        if lesson.readings:
            parts.append(f"{self.say('page.readings')}\n\n{self.readings(lesson.readings)}")
        return markdown(section.name, "\n\n".join(parts))

    def readings(self, readings: tuple[Reading, ...]) -> str:
        """A Markdown list of pages to read."""
        return "\n".join(
            self.say(
                "page.reading",
                url=reading.url,
                time=duration(reading.minutes, self.lang),
                language=self.say(f"language.{reading.lang}"),
                look_for=words(reading.look_for, self.lang),
            )
            for reading in readings
        )

    def exercise(self, section: Section, heading: str = "page.exercise") -> Iterator[Json]:
        exercise: Exercise = section.content
        values = told(self.story, exercise, self.lang)
        yield markdown(section.name, fill(self.task(section, heading), values))
        files = section.files("starter", self.lang)
        for n, (file, body) in enumerate(files.items(), start=1):
            source = fill(answer_source(section.name, file, body), values)
            yield code(answer_cell(section.name, n), source, editable=True)
        if self.variant == "instructor":
            yield markdown(f"{section.name}-solution", fill(self._solution(section, exercise), values))

    def exercises(self, confirm: tuple[str, ...]) -> Iterator[tuple[str, Exercise]]:
        """The exercises of `body`, by the ids of their cells."""
        test_out = self.template.test_out(self.level) if confirm else None
        for section in (*([test_out] if test_out else []), *self.template.exercises(self.level)):
            answers = range(1, len(section.files("starter", self.lang)) + 1)
            for cell_id in (
                section.name,
                *(answer_cell(section.name, n) for n in answers),
                f"{section.name}-solution",
            ):
                yield cell_id, section.content

    def task(self, section: Section, heading: str = "page.exercise") -> str:
        """The Markdown of an exercise, its personal values not yet filled in."""
        exercise: Exercise = section.content
        title = self.say(heading, title=words(exercise.title, self.lang), time=duration(exercise.minutes, self.lang))
        parts = [f"#### {title}", section.prose(self.lang)]
        if exercise.given and f"work/{section.name}" not in section.prose(self.lang):
            parts.append(
                self.say("page.given", folder=f"work/{section.name}", files=[f"`{name}`" for name in exercise.given])
            )
        parts.append(self._rubric(exercise))
        return "\n\n".join(parts)

    def _rubric(self, exercise: Exercise) -> str:
        rows = [
            [words(c.text, self.lang) + (self.say("page.live") if c.live else ""), words(c.why, self.lang)]
            for c in exercise.rubric.values()
        ]
        head = [self.say("page.criterion"), self.say("page.why")]
        return f"{self.say('page.rubric')}\n\n{markdown_table(head, rows)}"

    def _solution(self, section: Section, exercise: Exercise) -> str:
        parts = [self.say("page.instructor")]
        for file, body in section.files("solution", self.lang).items():
            parts += [f"`{file}`", _fenced(body, _fence_language(file))]
        notes = [f"- `{slug}`: {words(c.note, self.lang)}" for slug, c in exercise.rubric.items() if c.note]
        if notes:
            parts += [self.say("page.notes"), "\n".join(notes)]
        parts.append(self.say("page.hints"))
        parts.append("\n".join(f"{n}. {words(hint.text, self.lang)}" for n, hint in enumerate(exercise.hints, start=1)))
        return "\n\n".join(parts)

    def practice(self) -> str:
        """What a level's lessons and exercises leave to the learner: pages to read, named work of one's own."""
        parts = []
        if readings := self.template.readings(self.level):
            parts.append(f"#### {self.say('page.to-read', tool=self.title)}\n\n{self.readings(readings)}")
        if pieces := [piece for piece in self.template.front.practice if piece.level == self.level]:
            lines = [
                self.say("page.practice-item", text=words(p.text, self.lang), time=duration(p.minutes, self.lang))
                for p in pieces
            ]
            parts.append(f"#### {self.say('page.practice', tool=self.title)}\n\n" + "\n".join(lines))
        return "\n\n".join(parts)


def example(lesson: Lesson) -> str:
    """A lesson's example: its files, and the session with its commands and what they printed."""
    assert lesson.example is not None
    parts = []
    for file, text in lesson.example.files.items():
        parts += [f"`{file}`", _fenced(text, _fence_language(file))]
    if lesson.example.session:
        parts.append(_fenced(lesson.example.session, "console"))
    return "\n\n".join(parts)


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; what stands in the cells is Markdown on one line."""
    lines = [head, [":--"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_in_table(text) for text in line)} |" for line in lines)


def _in_table(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# --- the frame -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Frame:
    """`study.ipynb`: its cells by part."""

    file: str
    parts: Mapping[str, tuple[Cell, ...]]

    def of(self, part: str, lang: str) -> Iterator[tuple[str, Cell]]:
        """The cells of a part for a language, each with the id that its study notebook cell gets."""
        for cell in self.parts[part]:
            if not (set(cell.tags) & _languages(cell)) or lang in cell.tags:
                yield re.sub(rf"-({'|'.join(cell.tags)})$" if cell.tags else "$^", "", cell.id), cell


def _languages(cell: Cell) -> set[str]:
    return {tag for tag in cell.tags if re.fullmatch("[a-z]{2}", tag)}


def parse_frame(book: Notebook) -> Frame:
    """Split the frame into parts. Raises ContentError when a part is missing or unknown."""
    parts: dict[str, list[Cell]] = {}
    faults = []
    current: list[Cell] | None = None
    if not book.cells or book.cells[0].kind != "raw" or "frame: study" not in book.cells[0].source:
        raise ContentError([Fault(book.file, "no-frame", 1)])
    for cell in book.cells[1:]:
        if cell.kind == "raw":
            name = cell.source.strip().removeprefix("part:").strip()
            current = parts.setdefault(name, [])
            if name not in PARTS:
                faults.append(Fault(book.file, "unknown-part", cell.number, 1, {"name": name, "choices": list(PARTS)}))
        elif current is not None:
            current.append(cell)
    faults += [Fault(book.file, "missing-part", params={"name": part}) for part in PARTS if part not in parts]
    if faults:
        raise ContentError(faults)
    return Frame(book.file, {name: tuple(cells) for name, cells in parts.items()})


_SOURCES: dict[str, str] = {}


@lru_cache
def _environment() -> Any:
    import jinja2

    folder = cache_folder("jinja2")
    return jinja2.Environment(
        loader=jinja2.DictLoader(_SOURCES),
        bytecode_cache=jinja2.FileSystemBytecodeCache(str(folder)) if folder else None,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


def _compiled(source: str) -> Any:
    """The compiled text, by its digest: compiling takes longer than rendering, so Jinja2 keeps the result."""
    name = hashlib.sha256(source.encode()).hexdigest()
    _SOURCES[name] = source
    return _environment().get_template(name)


def _jinja(frame: Frame, cell: Cell, context: Mapping[str, Any]) -> str:
    import jinja2

    try:
        return str(_compiled(cell.source).render(context))
    except jinja2.TemplateError as error:
        line = getattr(error, "lineno", None)
        raise ContentError(
            [Fault(frame.file, "jinja", cell.number, line, {"problem": str(error.message or error)})]
        ) from error


def person(request: Request) -> Person:
    """Whose study a request asks for."""
    return Person(request.learner, request.id, request.study)


# --- a whole study ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Book:
    """Renders a study: the frame around the tools of a plan."""

    roadmap: Roadmap
    frame: Frame
    made_with: str
    split: bool = False

    @property
    def request(self) -> Request:
        return self.roadmap.plan.request

    @property
    def lang(self) -> str:
        return self.request.lang

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The notebooks of the study: `""` alone, or the map `""` and one part for each numbered phase that has steps.

        A prelude stays in the map: the first success needs no second notebook.
        """
        if not self.split and (self.request.single or len(self._whole) <= MOST_CELLS):
            return ("",)
        return ("", *(f"phase-{phase.number}" for phase in self.roadmap.plan.phases if phase.steps and phase.number))

    def notebook(self) -> Json:
        """The notebook that the request's `part` names. Raises RequestError for a part that the study does not have."""
        return self.stencil().notebook(person(self.request))

    def stencil(self) -> Stencil:
        """The same for whoever has this plan: a learner's own values are not filled in. Raises RequestError."""
        part = self.request.part
        if part not in self.parts:
            raise RequestError("unknown-part", value=part, choices=[name for name in self.parts if name] or ["–"])
        if len(self.parts) > 1 and not self.split:
            return replace(self, split=True).stencil()
        if len(self.parts) == 1:
            cells = self._whole
        elif part == "":
            cells = [*self._frame("opening"), *self._map(), *self._frame("closing")]
        else:
            cells = self._phase_part(part)
        about = {
            "role": self.request.role,
            "level": self.request.level,
            "lang": self.lang,
            "variant": self.request.variant,
            "part": part,
            "parts": list(self.parts),
            "made_with": self.made_with,
        }
        return Stencil(cells, about, self._exercises)

    @property
    def _exercises(self) -> dict[str, Exercise]:
        pages = ((self._page(step), step) for step in self.roadmap.plan.steps)
        return dict(entry for page, step in pages if page for entry in page.exercises(step.confirm))

    @cached_property
    def _whole(self) -> list[Json]:
        cells = list(self._frame("opening"))
        for phase in self.roadmap.plan.phases:
            if phase.steps:
                cells += self._phase(phase)
        return cells + list(self._frame("closing"))

    def _map(self) -> Iterator[Json]:
        """The prelude, and all checklists; the other lessons and exercises are in the parts."""
        for phase in self.roadmap.plan.phases:
            if not phase.steps:
                continue
            if not phase.number:
                yield from self._phase(phase)
                continue
            yield from self._frame("phase", phase=self._phase_view(phase), suffix=phase.phase)
            file = part_file(self.lang, f"phase-{phase.number}")
            yield markdown(f"phase-{phase.phase}-open", say(self.lang, "page.open-part", file=file))
            for step in phase.steps:
                page = self._page(step)
                if page and page.template.items(step.level):
                    yield page.checklist(f"{step.tool}-checklist", (step.level,), f'checklist("{step.tool}")')

    def _phase_part(self, part: str) -> list[Json]:
        phase = next(phase for phase in self.roadmap.plan.phases if f"phase-{phase.number}" == part)
        home = part_file(self.lang, "")
        cells = [
            markdown(
                "welcome", say(self.lang, "page.part-welcome", title=self.roadmap.phase_title(phase.phase), file=home)
            )
        ]
        cells += [cell for cell in self._frame("opening") if cell["cell_type"] == "code"]
        return cells + self._phase(phase)

    def _phase(self, phase: PhasePlan) -> list[Json]:
        view = self._phase_view(phase)
        cells = list(self._frame("phase", phase=view, suffix=phase.phase))
        for group in _groups(phase.steps, self.roadmap.tools):
            page = self._page(group[0])
            views = [self._step_view(step) for step in group]
            part = "tool" if page else "card"
            cells += self._frame(part, phase=view, step=views[0], steps=views, suffix=group[0].tool)
            if page:
                cells[-1] = markdown(
                    cells[-1]["id"], "\n\n".join([_source(cells[-1]), *page.opening(group[0].confirm)])
                )
                cells += page.body(group[0].confirm)
        return cells

    def _page(self, step: Step) -> Page | None:
        tool = self.roadmap.tools[step.tool]
        if tool.template is None:
            return None
        return Page(
            step.tool,
            self.roadmap.title(step.tool),
            tool.template,
            step.level,
            self.lang,
            self.roadmap.story,
            self.request.variant,
        )

    def _frame(self, part: str, *, suffix: str = "", **more: Any) -> Iterator[Json]:
        context = {**self._context, **more}
        for cell_id, cell in self.frame.of(part, self.lang):
            if suffix:
                cell_id = f"{cell_id}-{suffix}"
            if "parameters" in cell.tags:
                yield parameters_cell(
                    cell_id, {**literals(self.request), "study": "", "made_with": self.made_with}, self.lang
                )
            elif "start" in cell.tags:
                yield _with_output(start_cell(cell_id, "start()", self.lang), self._dashboard(cell_id))
            elif cell.kind == "code":
                yield code(cell_id, cell.source)
            else:
                yield markdown(cell_id, _jinja(self.frame, cell, context))

    def _dashboard(self, cell_id: str) -> snapshot.Picture:
        rows = snapshot.plan_rows(self.roadmap.plan, self.roadmap.role, self.roadmap.tools, self.lang)
        return snapshot.dashboard(
            rows,
            self.lang,
            uid=UID,
            next=(first.title, first.link) if (first := self._first_work) else None,
        )

    @cached_property
    def _first_work(self) -> SimpleNamespace | None:
        """The first thing in the plan that can be done in the notebook."""
        for phase in self.roadmap.plan.phases:
            for step in phase.steps:
                template = self.roadmap.tools[step.tool].template
                if template and (sections := template.work(step.level)):
                    section = sections[0]
                    content = section.content
                    return SimpleNamespace(
                        kind=section.kind,
                        link=self._link(
                            phase.number, f"tool-{step.tool}" if template.brief(step.level) else section.name
                        ),
                        title=words(content.title, self.lang),
                        time=duration(content.minutes, self.lang),
                        tool=self.roadmap.title(step.tool),
                    )
        return None

    @cached_property
    def _context(self) -> dict[str, Any]:
        roadmap, plan, lang, role = self.roadmap, self.roadmap.plan, self.lang, self.roadmap.role
        level = role.level(self.request.level)
        steps = plan.steps
        begin = plan.request.resume or plan.start
        ahead = [step for step in steps if step.left] or list(steps)
        two_weeks = [step for step in ahead if (step.start - begin).days < 14]
        phases = [self._phase_view(phase) for phase in plan.phases]
        skips: dict[str, list[SimpleNamespace]] = {}
        for skip in plan.skipped:
            entry = SimpleNamespace(
                title=roadmap.title(skip.tool),
                phase=skip.phase,
                why=roadmap.why_skip(skip),
                docs=roadmap.tools[skip.tool].docs,
            )
            skips.setdefault(skip.reason.key, []).append(entry)
        return {
            "learner": LEARNER if self.request.learner else "",
            "role": role,
            "role_title": words(role.title, lang),
            "level": level,
            "level_title": words(level.title, lang),
            "pace": number(self.request.hours_per_week),
            "hours": hours(plan.minutes, lang),
            "weeks": plan.weeks,
            "start": long_date(plan.start, lang),
            "end": long_date(plan.end, lang),
            "phases": [phase for phase in phases if phase.steps],
            "all_phases": phases,
            "first_phase": next(phase for phase in phases if phase.steps),
            "first_step": self._step_view(ahead[0]),
            "first_work": self._first_work,
            "two_weeks": [self._step_view(step) for step in two_weeks],
            "skips": skips,
            "pauses": [span(first, last, lang) for first, last in self.request.pauses],
            "deadline": roadmap.deadline(),
            "timeline": timeline(roadmap),
            "instructor": self.request.variant == "instructor",
            "w": lambda text: words(text, lang),
            "table": lambda text: _in_table(words(text, lang)),
            "titles": lambda slugs: say(lang, "list.comma").join(self._linked(slug) for slug in slugs),
            "made_with": self.made_with,
            "story": {name: words(text, lang) for name, text in roadmap.story.items()},
            "lang": lang,
            "study": STUDY,
        }

    def _linked(self, slug: str) -> str:
        """A tool's title, linked to its place in this study where it has one."""
        if slug not in self.roadmap.tools:
            return slug
        title = self.roadmap.title(slug)
        return f"[{title}]({self._links[slug]})" if slug in self._links else title

    def _link(self, phase: int, cell_id: str) -> str:
        """The address of a cell of a phase: in this notebook, or in the part (a prelude: the map) that holds it."""
        part = f"phase-{phase}" if phase else ""
        file = part_file(self.lang, part) if self.split and self.request.part != part else ""
        return f"{file}#cell-id={cell_id}"

    @cached_property
    def _links(self) -> dict[str, str]:
        """Where each step of the plan is told of; tools without template share a cell."""
        links: dict[str, str] = {}
        for phase in self.roadmap.plan.phases:
            for group in _groups(phase.steps, self.roadmap.tools):
                part = "tool" if self.roadmap.tools[group[0].tool].template else "card"
                links |= {step.tool: self._link(phase.number, f"{part}-{group[0].tool}") for step in group}
        return links

    def _phase_view(self, phase: PhasePlan) -> SimpleNamespace:
        source = self.roadmap.phase(phase.phase)
        duties = {item.id: item for group in self.roadmap.role.duties for item in group.items}
        return SimpleNamespace(
            id=phase.phase,
            number=phase.number,
            title=words(source.title, self.lang),
            why=words(source.why, self.lang),
            duties=[words(duties[slug].title, self.lang) for slug in source.duties if slug in duties],
            topics=[
                SimpleNamespace(title=words(t.title, self.lang), covers=words(t.covers, self.lang))
                for t in source.topics
            ],
            steps=[self._step_view(step) for step in phase.steps],
            hours=hours(phase.minutes, self.lang) if phase.steps else "",
            months=self.roadmap.document_months(phase),
            span=span(phase.steps[0].start, max(s.end for s in phase.steps), self.lang) if phase.steps else "",
        )

    def _step_view(self, step: Step) -> SimpleNamespace:
        tool = self.roadmap.tools[step.tool]
        template = tool.template
        return SimpleNamespace(
            tool=step.tool,
            title=self.roadmap.title(step.tool),
            level=self.roadmap.level_title(step.level),
            summary=words(template.front.summary, self.lang) if template else "",
            docs=tool.docs,
            docs_name=re.sub(r"^https://(www\.)?|/$", "", tool.docs),
            hours=hours(step.minutes, self.lang),
            made_of=self.roadmap.made_of(step),
            estimate=not (step.contents and step.contents.exercises),
            changes=[
                SimpleNamespace(text=words(c.text, self.lang), date=long_date(c.date, self.lang), url=c.url)
                for c in (template.front.changes if template else ())
            ],
            span=span(step.start, step.end, self.lang) if step.left else say(self.lang, "study.finished"),
            why=self.roadmap.why_step(step),
            alternatives=[self.roadmap.why_skip(skip) for skip in self.roadmap.alternatives(step.tool)],
            verified=template.front.verified if template else None,
            verified_on=long_date(template.front.verified.date, self.lang) if template else "",
            exercises=[words(s.content.title, self.lang) for s in template.exercises(step.level)] if template else [],
            link=self._links[step.tool],
        )


def _groups(steps: tuple[Step, ...], tools: Mapping[str, Tool]) -> list[list[Step]]:
    """Steps that share a heading: a tool with a template alone, neighbors without one together."""
    groups: list[list[Step]] = []
    for step in steps:
        if groups and tools[step.tool].template is None and tools[groups[-1][0].tool].template is None:
            groups[-1].append(step)
        else:
            groups.append([step])
    return groups


def parameters_cell(cell_id: str, values: Mapping[str, object], lang: str) -> Json:
    """The whole request as literals: what the Start cell rebuilds the plan from."""
    written = {name: repr(value) for name, value in values.items()} | LITERALS
    lines = [f"# {say(lang, 'page.parameters')}", *(f"{name} = {value}" for name, value in written.items())]
    return code(cell_id, "\n".join(lines), tags=("parameters",), hidden=True)


def start_cell(cell_id: str, call: str, lang: str) -> Json:
    """Two lines: what loads the runtime, and what to do when the package is missing."""
    source = (
        f"try: from curriculum.study import *; {call}  # {say(lang, 'page.start')}\n"
        f'except ModuleNotFoundError: import sys; print({say(lang, "page.install")!r}, f\'"{{sys.executable}}" -m pip install "curriculum[jupyter]"\')'
    )
    return code(cell_id, source, tags=("start",))


def part_file(lang: str, part: str) -> str:
    """The file name of a study notebook or of a part of it."""
    return f"study.{lang}.{part}.ipynb" if part else f"study.{lang}.ipynb"


def render_tool(
    tool: Tool,
    *,
    level: str,
    lang: str,
    study: str,
    industry: str,
    story: Story,
    learner: str,
    id: str,
    variant: str,
    made_with: str,
) -> Json:
    """A study notebook of one tool: what a template gives alone."""
    assert tool.template is not None
    title = words(tool.title, lang)
    page = Page(tool.slug, title, tool.template, level, lang, story, variant)
    front, lower = tool.template.front, LEVELS[: LEVELS.index(level)]
    head = say(
        lang,
        "page.tool-alone",
        title=title,
        level=say(lang, f"level.{level}"),
        summary=words(front.summary, lang),
        docs=front.docs,
    )
    if learner:
        head += "\n\n" + say(lang, "page.for", learner=LEARNER)
    values = {
        "level": level,
        "lang": lang,
        "learner": learner,
        "id": id,
        "variant": variant,
        "industry": industry,
        "study": "",
        "made_with": made_with,
    }
    cells = [
        markdown(f"tool-{tool.slug}", "\n\n".join([head, *page.opening(lower)])),
        parameters_cell("parameters", values, lang),
        start_cell("start", f'start(tool="{tool.slug}")', lang),
        *page.body(lower),
    ]
    about = {
        "tool": tool.slug,
        "level": level,
        "lang": lang,
        "variant": variant,
        "made_with": made_with,
    }
    return Stencil(cells, about, dict(page.exercises(lower))).notebook(Person(learner, id, study))
