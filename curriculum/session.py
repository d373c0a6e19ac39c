"""A study while its notebook is open: its plan, its items, what is done, what comes next. Shows nothing."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace as changed
from functools import cached_property
from pathlib import Path
from typing import Any

from curriculum import snapshot
from curriculum.answers import Submission, Written, submission
from curriculum.catalog import Catalog, catalog_at
from curriculum.checking import Tell, check
from curriculum.errors import CurriculumError, ProgressError, RequestError, near
from curriculum.feedback import feedback, hint_folds, opened, solution_fold
from curriculum.home import PARAMETERS, Home, warnings
from curriculum.messages import say
from curriculum.model import LEVELS, Story, words
from curriculum.model import Item as TemplateItem
from curriculum.outcome import Outcome
from curriculum.personal import fill, values_of
from curriculum.places import adopted, found_elsewhere, remember
from curriculum.planner import plan_study
from curriculum.progress import Log, State
from curriculum.request import find_language, resolve, shown, system_language
from curriculum.result import Result
from curriculum.roadmap import Roadmap, long_date
from curriculum.snapshot import Item, Picture, Row, uid
from curriculum.source import load_notebook
from curriculum.template import Section, Template, answer_cell, answer_source

#: After so many days without an event a study has paused.
_PAUSE = 14
#: Backends of which a learner names the context.
BACKENDS = ("kubernetes",)
#: Settings that say where a notebook comes from; the others are a request.
_ORIGIN = {"study", "made_with"}


class Session:
    """A study at work. Its methods raise CurriculumError, and nothing else for what a learner may do."""

    def __init__(self, home: Home, tool: str = "", content: str = "") -> None:
        self.home = home
        self.tool = tool or home.tool
        self.content = content or os.environ.get("CURRICULUM_CONTENT") or ""
        self.lang = _language(home)
        self.lock = threading.RLock()
        self.folder = Path(tempfile.mkdtemp(prefix="curriculum-")) if home.template else home.folder
        self.log = Log(self.folder, self.study)
        self._places: dict[str, str] = {}
        if self.study and not home.template:
            remember(self.study, self.folder)

    # --- what the study is ---

    @property
    def study(self) -> str:
        """The study's id; empty in a bare template, which runs with the default values."""
        return str(self.home.settings.get("study", ""))

    @cached_property
    def catalog(self) -> Catalog:
        return catalog_at(self.content or None)

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
        return Roadmap(plan_study(request, role, tools), role, tools, self.lang, self.story)

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
        lines += self._strays()
        lines += self._pause()
        if self.log.unreadable:
            lines.append(self.say("study.warn-unreadable", count=self.log.unreadable, path=self.log.path.name))
        return lines

    def _strays(self) -> Iterator[str]:
        """Progress that lies where it was not expected: another study's here, or this study's elsewhere."""
        studies = self.log.state().studies
        if studies and self.study and self.study not in studies:
            yield self.say("study.warn-foreign", path=self.log.path.name)
        elif not studies and self.study:
            for folder, events in found_elsewhere(self.study, self.folder):
                last = events[-1]["at"][:10]
                yield self.say("study.warn-elsewhere", path=str(folder), count=len(events), date=last)

    def _pause(self) -> Iterator[str]:
        """After a pause, how the rest is planned anew. No count of missed days."""
        events = self.log.events()
        today = dt.date.today()
        if not events or not self.course:
            return
        with suppress(ValueError):
            last = dt.datetime.fromisoformat(events[-1]["at"]).date()
            if (today - last).days >= _PAUSE and any(not row.finished for row in self.rows(self.log.state())):
                yield self.say("study.replan", date=long_date(last, self.lang), today=today.isoformat())

    def adopt(self, folder: Path) -> tuple[int, int]:
        """Bring the progress and the answers of this study from another folder; how many events and files.

        What is here stays; the other folder is left as it is. Raises CurriculumError.
        """
        with self.lock:
            return adopted(self.study, folder, self.folder, self.log)

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
        return [
            (f"{template.front.tool}.{item.id}", words(item.text, self.lang), self.standing(template, item, state))
            for level in levels
            for item in template.items(level)
        ]

    def standing(self, template: Template, item: TemplateItem, state: State) -> str:
        """How an item stands, by the best evidence: `real` or `static` (an exercise proves it), `declared` or `open`."""
        tool = template.front.tool
        if item.proven_by and (check := state.passed(item.proven_by)):
            return "real" if check.how == "real" and not check.waiting else "static"
        ticked = state.ticked(f"{tool}.{item.id}", (f"{tool}.{old}" for old in item.formerly))
        return "declared" if ticked else "open"

    def title_of(self, tool: str) -> str:
        """The title of a tool that has a template."""
        return words(self.template(tool).front.title, self.lang)

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
            for template, level in self.path()
        }
        passed = {
            template.front.tool: sum(state.passed(section.name) is not None for section in template.exercises(level))
            for template, level in self.path()
        }
        if self.course:
            return snapshot.plan_rows(self.course.plan, self.course.role, self.course.tools, self.lang, ticked, passed)
        return [
            Row(
                phase_number=0,
                phase_title="",
                title=words(template.front.title, self.lang),
                tool=template.front.tool,
                ticked=ticked[template.front.tool],
                items=len(template.items(level)),
                hours=template.front.hours.at(level),
                passed=passed[template.front.tool],
                exercises=len(template.exercises(level)),
            )
            for template, level in self.path()
        ]

    def next_step(self, state: State) -> tuple[str, str] | None:
        """Title and place of the first lesson whose items are not all ticked, or exercise that has no answer yet."""
        for template, level in self.path():
            open_items = {item for item, _, mark in self.items(template, (level,), state) if mark == "open"}
            tool = template.front.tool
            for section in template.work(level):
                taught = {f"{tool}.{item.id}" for item in template.items(level) if item.lesson == section.name}
                waits = taught & open_items if section.kind == "lesson" else not state.passed(section.name)
                if waits:
                    # A step without exercises is one cell of a whole study.
                    cell = f"tool-{tool}" if template.brief(level) else section.name
                    return words(section.content.title, self.lang), self._place(cell)
            if open_items:
                return words(template.front.title, self.lang), self._place(f"{tool}-checklist")
        return None

    def path(self) -> list[tuple[Template, str]]:
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

    def picture_of(self, cell: str, state: State) -> Picture | None:
        """The picture that stands in a cell of a study notebook, drawn for a state; None for a cell that has none."""
        name = uid(self.study, cell)
        if cell == "start":
            return self.dashboard(state, name)
        for suffix, levels in (("-checklist", (self.level,)), ("-confirm-list", LEVELS[: LEVELS.index(self.level)])):
            if cell.endswith(suffix) and self.catalog.template(tool := cell.removesuffix(suffix)):
                return self.checklist(tool, levels, state, name)
        return None

    def with_settings(self, settings: Mapping[str, Any], notebook: Path, cells: Iterable[str]) -> Session:
        """This study as other settings have it, in a notebook that need not be written yet."""
        return Session(
            Home(self.home.folder, notebook, settings, self.home.tool, cells=frozenset(cells)), content=self.content
        )

    # --- exercises ---

    def section(self, exercise: str) -> Section:
        """An exercise's section. Raises RequestError for an exercise that does not exist."""
        return self.catalog.exercise(exercise)

    @property
    def industry(self) -> str:
        return str(self.home.settings.get("industry") or "")

    @cached_property
    def story(self) -> Story:
        """The words of the story in the study's industry; of the first one where that has no story here."""
        return self.catalog.story(self.industry if self.industry in self.catalog.stories else "")

    def submission(self, exercise: str) -> Submission:
        """The folder of an exercise in this study. Raises RequestError for an exercise that does not exist."""
        industry = self.industry if self.industry in self.catalog.stories else ""
        return submission(self.catalog, exercise, self.folder / "work" / exercise, study=self.study, industry=industry)

    def answer(self, exercise: str, file: str, text: str, replace: bool) -> Written:
        """Write an answer's file by the rules of `Lab.answer`, the given files first, and log it once it is written."""
        lab = self.submission(exercise)
        section = lab.section
        with self.lock:
            file = lab.check(file)
            given = lab.put_given(self.catalog.given_file)
            last = self.log.state().answers.get((section.name, file))
            writer = self.home.writer
            outcome = lab.answer(file, fill(text, lab.values), by=writer, last=last, replace=replace)
            if outcome.kind == "written":
                self.log.append("answer", exercise=section.name, file=file, sha256=outcome.sha256, by=writer)
        return changed(outcome, given=given)

    def check(
        self, exercise: str, *, again: bool = False, lazy: bool = False, apart: bool = True, tell: Tell | None = None
    ) -> Iterator[Outcome]:
        """Check an exercise: the outcome from its files, then, where more can be found out, the final one.

        Raises CurriculumError for an exercise that does not exist and for a log that cannot be written.
        """
        work = self.submission(exercise)
        with self.lock:
            state = self.log.state()
        yield from check(
            work,
            self.log,
            state,
            content=self.content,
            industry=self.industry if self.industry in self.catalog.stories else "",
            again=again,
            lazy=lazy,
            apart=apart,
            tell=tell,
        )

    def result(self, exercise: str, outcome: Outcome, *, notes: Iterable[str] = (), pending: bool = False) -> Result:
        """What to show of an outcome, with the help that is open by now."""
        section = self.section(exercise)
        values = values_of(self.study, section.content, self.story, self.lang)
        return feedback(section, outcome, self.log.state(), values, self.lang, notes=notes, pending=pending)

    def notes(self, outcome: Written) -> list[str]:
        """What became of a cell's text, in words."""
        path = self._shown(outcome.path)
        lines = [self.say(f"study.answer-{outcome.kind}", path=path), *self._details(outcome, path)]
        if outcome.given:
            lines.append(self.say("study.answer-given", files=[f"`{name}`" for name in outcome.given]))
        return lines

    def exercises(self) -> list[Section]:
        """The exercises of this study in its order, and those that prove what a level takes for granted."""
        found = [section for template, level in self.path() for section in template.exercises(level)]
        steps = self.course.plan.steps if self.course else ()
        return [*found, *(self.section(step.test_out) for step in steps if step.test_out)]

    def answered(self) -> list[str]:
        """The exercises of this study that have an answer in its folder, in the order of the plan, then any others."""
        folder = self.folder / "work"
        there = {path.name for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()
        planned = [section.name for template, level in self.path() for section in template.exercises(level)]
        known = dict(self.catalog.exercises())
        others = sorted(name for name in there - set(planned) if name in known)
        return [name for name in (*planned, *others) if name in there]

    def progress(self) -> dict[str, Any]:
        """The progress as plain data: `exercises`, `items` and what is `next`."""
        state = self.log.state()
        exercises, items = {}, {}
        for template, level in self.path():
            for section in template.exercises(level):
                exercises[section.name] = self._exercise_progress(section.name, state)
            for item in template.items(level):
                standing = self.standing(template, item, state)
                proven = standing in {"real", "static"}
                items[f"{template.front.tool}.{item.id}"] = {
                    "state": "proven" if proven else standing,
                    "how": standing if proven else "",
                }
        for name in self.answered():
            exercises.setdefault(name, self._exercise_progress(name, state))
        step = self.next_step(state)
        return {
            "study": self.study,
            "exercises": exercises,
            "items": items,
            "next": {"title": step[0], "cell": step[1]} if step else None,
        }

    def _exercise_progress(self, exercise: str, state: State) -> dict[str, Any]:
        """The best that is known of an exercise, and how its latest check ended."""
        best, latest = state.best.get(exercise), state.latest.get(exercise)
        shown = best if best and best.rank else latest
        return {
            "outcome": shown.outcome if shown else "not-attempted",
            "how": shown.how if shown and shown.outcome == "passed" else "",
            "waiting": list(shown.waiting) if shown else [],
            "latest": latest.outcome if latest else "not-attempted",
            "at": shown.at if shown else "",
            "tries": state.tries.get(exercise, 0),
            "hints": state.hints.get(exercise, 0),
            "solution": exercise in state.solutions,
        }

    def reset(self, exercise: str) -> list[Path]:
        """Put the starters back into the exercise's folder; where the answer's files went. Raises CurriculumError."""
        work = self.submission(exercise)
        with self.lock:
            kept = work.reset(self.lang)
            work.put_given(self.catalog.given_file)
            self.log.append("reset", exercise=work.section.name)
        return kept

    def starters(self, exercise: str, lang: str) -> dict[str, str]:
        """The answer cells of an exercise as a fresh notebook in `lang` has them: source by cell id."""
        work = self.submission(exercise)
        values = work.values_in(lang)
        cells = {}
        for n, (file, body) in enumerate(work.section.files("starter", lang).items(), start=1):
            cells[answer_cell(work.section.name, n)] = fill(answer_source(work.section.name, file, body), values)
        return cells

    @property
    def contexts(self) -> Mapping[str, str]:
        """The contexts that the checks of a backend may use, by backend."""
        return self.log.state().contexts

    def use(self, backend: str, context: str) -> None:
        """Remember which context the checks of a backend may use. Raises RequestError for one that has none."""
        if backend not in BACKENDS:
            raise RequestError(
                "unknown-backend", value=shown(backend), near=near(backend, BACKENDS), choices=list(BACKENDS)
            )
        self.log.append("use", backend=backend, context=context)

    def _details(self, outcome: Written, path: str) -> Iterator[str]:
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

    def hint(self, exercise: str) -> Result:
        """Open the next hint of an exercise and show those that are open; after the last one, a solution.

        What is opened is written to the log. Raises CurriculumError.
        """
        section = self.section(exercise)
        values = values_of(self.study, section.content, self.story, self.lang)
        title, total = words(section.content.title, self.lang), len(section.content.hints)
        with self.lock:
            state = self.log.state()
            count = min(opened(section.content, state, section.name) + 1, total)
            if state.hints.get(section.name, 0) >= total:
                if section.name not in state.solutions and not state.passed(section.name):
                    self.log.append("solution", exercise=section.name)
                fold = solution_fold(section, values, self.lang)
                return Result(f"📖 {title}", (self.say("study.solution-taken"),), folds=(changed(fold, open=True),))
            self.log.append("hint", exercise=section.name, number=count)
        folds = list(hint_folds(section, count, values, self.lang))
        folds[-1] = changed(folds[-1], open=True)
        more = self.say("study.hint-more") if count < total else self.say("study.hint-last", exercise=section.name)
        return Result(f"💡 {title}", (), after=(more,), folds=tuple(folds))


def _language(home: Home) -> str:
    try:
        return find_language(str(home.settings.get("lang") or "")) if home.settings.get("lang") else system_language()
    except CurriculumError:
        return system_language()


def _level(word: str) -> str:
    if word not in LEVELS:
        raise RequestError("unknown-level", value=shown(word), choices=list(LEVELS), near=near(word, LEVELS))
    return word
