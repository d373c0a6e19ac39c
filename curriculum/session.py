"""A study while its notebook is open: its plan, its items, what is done, what comes next. Shows nothing."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace as changed
from functools import cached_property
from pathlib import Path

from curriculum import snapshot
from curriculum.answers import Lab, Outcome
from curriculum.catalog import Catalog, catalog_at
from curriculum.errors import CurriculumError, ProgressError, RequestError, near
from curriculum.home import PARAMETERS, Home, warnings
from curriculum.messages import say
from curriculum.model import LEVELS, words
from curriculum.personal import fill, personal_values
from curriculum.planner import plan_study
from curriculum.progress import Log, State
from curriculum.request import find_language, resolve, shown, system_language
from curriculum.roadmap import Roadmap
from curriculum.snapshot import Item, Picture, Row
from curriculum.source import load_notebook
from curriculum.template import Section, Template

#: Settings that say where a notebook comes from; the others are a request.
_ORIGIN = {"study", "made_with"}


class Session:
    """A study at work. Its methods raise CurriculumError, and nothing else for what a learner may do."""

    def __init__(self, home: Home, tool: str = "") -> None:
        self.home = home
        self.tool = tool or home.tool
        self.lang = _language(home)
        self.lock = threading.RLock()
        self.folder = Path(tempfile.mkdtemp(prefix="curriculum-")) if home.template else home.folder
        self.log = Log(self.folder, self.study)
        self._hints: dict[str, int] = {}
        self._places: dict[str, str] = {}

    # --- what the study is ---

    @property
    def study(self) -> str:
        """The study's id; empty in a bare template, which runs with the default values."""
        return str(self.home.settings.get("study", ""))

    @cached_property
    def catalog(self) -> Catalog:
        return catalog_at(os.environ.get("CURRICULUM_CONTENT") or None)

    @property
    def level(self) -> str:
        level = self.home.settings.get("level")
        if level is None:
            raise ProgressError("no-settings")
        return _level(str(level))

    @cached_property
    def course(self) -> Roadmap | None:
        """The plan, built anew from the settings; None where the notebook is about a tool alone."""
        if "level" not in self.home.settings:
            raise ProgressError("no-settings")
        if "role" not in self.home.settings:
            return None
        asked = {
            name: value for name, value in self.home.settings.items() if name in PARAMETERS and name not in _ORIGIN
        }
        request = resolve(self.catalog, **asked)
        role = self.catalog.role(request.role)
        tools = self.catalog.tools(role)
        return Roadmap(plan_study(request, role, tools), role, tools, self.lang)

    def say(self, key: str, /, **params: object) -> str:
        return say(self.lang, key, **params)

    def remarks(self) -> list[str]:
        """What a learner should know before the first tick: where work would vanish, and that versions differ."""
        if self.home.template:
            return [self.say("study.template", path=str(self.folder))]
        lines = [self.say(f"study.{key}", **params) for key, params in warnings(self.home)]
        made, now = self.home.settings.get("made_with"), self.catalog.made_with
        if made and made != now:
            lines.append(self.say("study.made-with", made=made, now=now))
        if self.log.unreadable:
            lines.append(self.say("study.warn-unreadable", count=self.log.unreadable, path=self.log.path.name))
        return lines

    # --- tools and items ---

    def template(self, tool: str) -> Template:
        """The template of a tool. Raises RequestError where there is none."""
        slug = tool.strip().casefold().replace(" ", "-").replace("_", "-")
        template = self.catalog.template(slug)
        if template is None:
            if self.course and slug in self.course.tools:
                raise RequestError("no-checklist", tool=self.course.title(slug))
            raise RequestError(
                "unknown-tool-list", value=shown(tool), near=near(slug, self.catalog.template_files) if slug else ""
            )
        return template

    def items(self, template: Template, levels: Iterable[str], state: State) -> list[Item]:
        """The items of a tool at some levels, as the pictures want them."""
        tool = template.front.tool
        return [
            (
                f"{tool}.{item.id}",
                words(item.text, self.lang),
                "declared" if state.ticked(f"{tool}.{item.id}", (f"{tool}.{old}" for old in item.formerly)) else "open",
            )
            for level in levels
            for item in template.items(level)
        ]

    def title(self, items: Iterable[Item]) -> str:
        """The title of the tool that items belong to."""
        tool = next((item.partition(".")[0] for item, _, _ in items), "")
        return words(self.template(tool).front.title, self.lang)

    def levels(self, named: Iterable[str]) -> tuple[str, ...]:
        """The levels that were named, else the study's."""
        return tuple(_level(level) for level in named) or (self.level,)

    def checklist(self, tool: str, levels: tuple[str, ...], state: State, uid: str) -> Picture:
        template = self.template(tool)
        title = words(template.front.title, self.lang)
        return snapshot.checklist(title, self.items(template, levels, state), self.lang, uid=uid)

    def level_of(self, item: str) -> tuple[str, str]:
        """The tool and the level of an item such as `docker.run`. Raises RequestError for one that does not exist."""
        tool, dot, _ = item.partition(".")
        if not dot or not self.catalog.template(tool):
            raise RequestError("unknown-item-tool", value=shown(item), near=near(item, self._all_items()))
        template = self.template(tool)
        by_item = {f"{tool}.{entry.id}": level for level in LEVELS for entry in template.items(level)}
        if item not in by_item:
            raise RequestError("unknown-item", value=shown(item), near=near(item, by_item), choices=list(by_item))
        return tool, by_item[item]

    def tick(self, items: Iterable[str], done: bool) -> None:
        """Write the ticks that are not as they should be. Raises ProgressError when one cannot be written."""
        with self.lock:
            ticks = self.log.state().ticks
            for item in items:
                if ticks.get(item) != done:
                    self.log.append("tick", item=item, done=done)

    def _all_items(self) -> Iterator[str]:
        for slug, template in self._templates():
            yield from (f"{slug}.{item.id}" for level in LEVELS for item in template.items(level))

    def _templates(self) -> Iterator[tuple[str, Template]]:
        for slug in self.catalog.template_files:
            if template := self.catalog.template(slug):
                yield slug, template

    # --- the dashboard ---

    def dashboard(self, state: State, uid: str) -> Picture:
        return snapshot.dashboard(self.rows(state), self.lang, uid=uid, next=self.next_step(state))

    def rows(self, state: State) -> list[Row]:
        """One row for each step of the plan, or one for the tool alone."""
        ticked = {
            template.front.tool: sum(mark != "open" for _, _, mark in self.items(template, (level,), state))
            for template, level in self._path()
        }
        if self.course:
            return snapshot.plan_rows(self.course.plan, self.course.role, self.course.tools, self.lang, ticked)
        return [
            Row(
                phase_number=0,
                phase_title="",
                title=words(template.front.title, self.lang),
                tool=template.front.tool,
                ticked=ticked[template.front.tool],
                items=len(template.items(level)),
                hours=template.front.hours.at(level),
            )
            for template, level in self._path()
        ]

    def next_step(self, state: State) -> tuple[str, str] | None:
        """Title and place of the first lesson whose items are not all ticked, or exercise that has no answer yet."""
        for template, level in self._path():
            open_items = {item for item, _, mark in self.items(template, (level,), state) if mark == "open"}
            tool = template.front.tool
            for section in template.lessons(level):
                taught = {f"{tool}.{item.id}" for item in template.items(level) if item.lesson == section.name}
                if taught & open_items:
                    return words(section.content.title, self.lang), self._place(section.name)
            for section in template.exercises(level):
                if not state.answered(section.name):
                    return words(section.content.title, self.lang), self._place(section.name)
            if open_items:
                return words(template.front.title, self.lang), self._place(f"{tool}-checklist")
        return None

    def _path(self) -> list[tuple[Template, str]]:
        """The templates of this study with their level, in order."""
        if self.course:
            steps = ((self.course.tools[step.tool].template, step.level) for step in self.course.plan.steps)
            return [(template, level) for template, level in steps if template]
        return [(self.template(self.tool), self.level)] if self.tool else []

    def _place(self, cell: str) -> str:
        """A cell's id; with its notebook, where the study has several and the cell is in another one."""
        if not self.home.cells or cell in self.home.cells:
            return cell
        if cell not in self._places:
            self._places[cell] = self._search(cell)
        return self._places[cell]

    def _search(self, cell: str) -> str:
        for path in sorted(self.home.folder.glob(f"study.{self.lang}*.ipynb")):
            book, _ = load_notebook(path, path.name)
            if book and any(candidate.id == cell for candidate in book.cells):
                return f"{path.name}#cell-id={cell}"
        return cell

    # --- exercises ---

    def section(self, exercise: str) -> Section:
        """An exercise's section. Raises RequestError for an exercise that does not exist."""
        for slug, template in self._templates():
            if exercise.startswith(f"{slug}-"):
                for section in template.sections:
                    if section.kind == "exercise" and section.name == exercise:
                        return section
        known = [name for name, _ in self.catalog.exercises()]
        raise RequestError("unknown-exercise", value=shown(exercise), near=near(exercise, known) if exercise else "")

    def answer(self, exercise: str, file: str, text: str, replace: bool) -> Outcome:
        """Write an answer's file by the rules of `Lab.answer`, the given files first, and log it once it is written."""
        section = self.section(exercise)
        values = personal_values(self.study, section.content)
        lab = Lab(self.folder / "work" / section.name, section, values)
        with self.lock:
            file = lab.check(file)
            given = lab.put_given(self.catalog.given_file)
            last = self.log.state().answers.get((section.name, file))
            writer = self.home.writer
            outcome = lab.answer(file, fill(text, values), by=writer, last=last, replace=replace)
            if outcome.kind == "written":
                self.log.append("answer", exercise=section.name, file=file, sha256=outcome.sha256, by=writer)
        return changed(outcome, given=given)

    def report(self, exercise: str, outcome: Outcome, uid: str) -> Picture:
        """What became of an answer, in words."""
        path = self._shown(outcome.path)
        details = list(self._details(outcome, path))
        if outcome.given:
            details.append(self.say("study.answer-given", files=[f"`{name}`" for name in outcome.given]))
        after = {
            "written": "study.answer-judging",
            "same": "study.answer-judging",
            "starter": "study.answer-starter-next",
        }
        following = self.say(after[outcome.kind], exercise=exercise) if outcome.kind in after else ""
        message = self.say(f"study.answer-{outcome.kind}", path=path)
        good = outcome.kind in {"written", "same"}
        return snapshot.answer(message, details, self.lang, uid=uid, good=good, next=following)

    def _details(self, outcome: Outcome, path: str) -> Iterator[str]:
        if outcome.history:
            yield self.say("study.answer-kept", path=self._shown(outcome.history))
        if outcome.kind == "starter-kept":
            yield self.say("study.answer-starter-kept-why")
        if outcome.kind == "edited" and outcome.changed:
            key = "study.answer-other-why" if outcome.by else "study.answer-edited-why"
            by = f"`{outcome.by}`"
            yield self.say(key, time=f"{outcome.changed:%Y-%m-%d %H:%M}", by=by)
            yield self.say("study.answer-choose", history=f"{path.rpartition('/')[0]}/.history/")

    def _shown(self, path: Path) -> str:
        """A path as a learner sees it: from the study's folder."""
        return path.relative_to(self.folder).as_posix()

    def hint(self, exercise: str, uid: str) -> Picture:
        """The hints of an exercise, one more at each call."""
        content = self.section(exercise).content
        values = personal_values(self.study, content)
        texts = [fill(words(hint.text, self.lang), values) for hint in content.hints]
        count = self._hints[exercise] = min(self._hints.get(exercise, 0) + 1, len(texts))
        return snapshot.hints(words(content.title, self.lang), texts[:count], len(texts), self.lang, uid=uid)


def _language(home: Home) -> str:
    try:
        return find_language(str(home.settings.get("lang") or "")) if home.settings.get("lang") else system_language()
    except CurriculumError:
        return system_language()


def _level(word: str) -> str:
    if word not in LEVELS:
        raise RequestError("unknown-level", value=shown(word), choices=list(LEVELS), near=near(word, LEVELS))
    return word
