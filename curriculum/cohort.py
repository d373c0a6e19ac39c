"""A cohort: each learner of a roster gets a study notebook of their own, the one that `generate` would make.

The rows stream through. Learners with the same plan are gathered; a plan is composed once, through Papermill, and
its copies are made wherever the executor runs: in this process, in others, on a cluster. What was made is noted in a
journal as it is made, so that a run that was cut short goes on where it ended.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from threading import Event
from typing import Any

from curriculum import __version__
from curriculum.catalog import Catalog, catalog_at
from curriculum.cohort_page import write_csv, write_page
from curriculum.copies import Chunk, Seat, told, write_chunk
from curriculum.engine import book
from curriculum.errors import CohortError, ContentError, CurriculumError, RequestError
from curriculum.executors import executor_for, interruptible
from curriculum.generation import compose
from curriculum.journal import Journal
from curriculum.lms import Packed, pack_folder, pack_moodle
from curriculum.model import LEVELS, Request
from curriculum.render import part_file, person
from curriculum.request import clean_id, clean_name, find_language, literals, number, resolve, system_language
from curriculum.roadmap import Roadmap
from curriculum.roster import Roster, Row
from curriculum.source import Notebook, load_notebook
from curriculum.stencil import Copies
from curriculum.store import Local, Store, store_at

Json = dict[str, Any]

#: Learners that a worker gets at once, plans that wait until so many have gathered, and plans that are kept.
CHUNK, WAITING, KEPT = 64, 48, 64
#: Combinations of values whose meaning is remembered, and manifest lines that an outcome shows.
REMEMBERED, NOTABLE = 4096, 20
#: What a first run settles for good where nobody says it: a run next week changes nothing.
SETTLED = ("start", "lang")
MANIFEST = "manifest.jsonl"


@dataclass
class Counts:
    """How many learners have which state. `gone`: not in the roster any more; their folders are kept."""

    made: int = 0
    unchanged: int = 0
    updated: int = 0
    skipped: int = 0
    failed: int = 0
    gone: int = 0

    def add(self, status: str) -> None:
        setattr(self, status, getattr(self, status) + 1)

    @property
    def learners(self) -> int:
        """The learners of the roster that were looked at."""
        return self.made + self.unchanged + self.updated + self.skipped + self.failed


@dataclass
class Outcome:
    """What a run did: the counts, the first lines of the manifest that need a look, and how the deadlines stand."""

    output: str
    counts: Counts = field(default_factory=Counts)
    plans: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    #: Manifest lines of learners that were skipped or failed: the first few, for a person to read.
    notable: list[Json] = field(default_factory=list)
    #: Learners with a deadline, and those of them who cannot meet it; what to say about the first such plan.
    deadlines: int = 0
    unmet: int = 0
    advice: Roadmap | None = None

    @property
    def page(self) -> str:
        """Where the instructor's page lies."""
        return f"{self.output.rstrip('/')}/index.html"

    def as_dict(self) -> Json:
        """Plain data, for `cohort --json`."""
        return {
            **asdict(self.counts),
            "learners": self.counts.learners,
            "plans": self.plans,
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "output": self.output,
            "deadlines": self.deadlines,
            "unmet": self.unmet,
            "notable": self.notable,
        }


@dataclass(frozen=True)
class Composed:
    """What all learners with one plan share: its notebooks by file name, and its figures for the manifest."""

    notebooks: tuple[tuple[str, Copies], ...]
    figures: Json
    roadmap: Roadmap


@dataclass(frozen=True)
class Task:
    """A chunk for a worker, with what this side knows of its learners."""

    chunk: Chunk
    requests: tuple[Request, ...]
    figures: Json


class Cohort:
    """One run over a roster."""

    def __init__(
        self,
        output: str,
        *,
        content: str | None = None,
        options: Mapping[str, Any] | None = None,
        update: bool = False,
        watch: Callable[[Counts], None] = lambda counts: None,
    ) -> None:
        """`options` are arguments of `generate` for what a roster does not say. Raises CurriculumError."""
        self.catalog: Catalog = catalog_at(content)
        self.content = content
        self.options = dict(options or {})
        self.variant = self.options.get("variant") or "learner"
        self.update, self.watch = update, watch
        place = f"{output.rstrip('/')}/instructor" if self.variant == "instructor" else output
        self.store: Store = store_at(place)
        self.outcome = Outcome(place)
        self.versions = {"curriculum": __version__, "content": self.catalog.made_with}
        resolve(self.catalog, **{"level": LEVELS[0], **self.options})
        self.lang = find_language(self.options["lang"]) if self.options.get("lang") else system_language()
        self._resolved: OrderedDict[str, Request] = OrderedDict()
        self._plans: OrderedDict[Request, Composed] = OrderedDict()
        self._roadmaps: OrderedDict[Request, Roadmap] = OrderedDict()

    @property
    def counts(self) -> Counts:
        return self.outcome.counts

    # --- running ---

    def run(self, roster: Roster, *, jobs: int = 1, dask: str = "") -> Outcome:
        """Make what is missing or changed. Raises CurriculumError for what concerns the whole cohort.

        After a Ctrl-C it ends soon, with a manifest of what is there, and says so in the outcome.
        """
        begin = time.monotonic()
        try:
            with closing(roster):
                self._run(roster, jobs, dask)
        except sqlite3.OperationalError as error:
            raise CohortError("cohort-unwritable", path=str(self.store.journal()), problem=str(error)) from error
        self.outcome.seconds = time.monotonic() - begin
        return self.outcome

    def _run(self, roster: Roster, jobs: int, dask: str) -> None:
        journal = Journal(self.store.journal(), self.store.lines(MANIFEST))
        done = False
        try:
            with executor_for(jobs, dask) as executor, interruptible() as stop:
                tasks = self._tasks(roster, journal, stop)
                for task, results in executor.map(partial(write_chunk, self.store), tasks, lambda task: task.chunk):
                    self._note(journal, task, results)
                if stop.is_set():
                    self.outcome.interrupted = True
                else:
                    self.counts.gone = journal.close_roster()
            self._publish(journal)
            done = True
        finally:
            journal.close(done=done)

    def rehearse(self, roster: Roster) -> Outcome:
        """What `run` would find in the roster, without writing anything: how many could be made, who fails, and why."""
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, interruptible() as stop, closing(roster):
            journal = Journal(Path(folder) / "journal", self.store.lines(MANIFEST))
            for row, request in self._requests_of(roster, journal, stop):
                try:
                    self._figure(self._roadmap(request), 1)
                except RequestError as error:
                    self._fail(journal, row, request, error)
                else:
                    self._count({"status": "made"})
            journal.close(done=True)
            self.outcome.interrupted = stop.is_set()
        self.outcome.seconds = time.monotonic() - begin
        return self.outcome

    def pack(self, lms: str, worksheet: str) -> Packed:
        """Pack what is there for a learning platform: `moodle` with its grading worksheet, or `folder`.

        Raises CurriculumError.
        """
        if not isinstance(self.store, Local):
            raise CohortError("lms-local")
        lines, root = self.store.lines(MANIFEST), Path(self.store.root)
        if lms == "moodle":
            return pack_moodle(lines, self.store, Path(worksheet), root / "feedback.zip")
        return pack_folder(lines, self.store, root / "notebooks.zip")

    # --- from rows to tasks ---

    def _requests_of(self, roster: Roster, journal: Journal, stop: Event) -> Iterator[tuple[Row, Request]]:
        """Each row that asks for something that can be made; the others are noted as failed."""
        for row in roster.rows:
            if stop.is_set():
                return
            try:
                request = self._request(row, roster.defaults, journal)
                name = self._folder(request)
                if other := journal.claim(name, row.number):
                    if self.variant == "instructor":
                        continue
                    key = "cohort-id-twice" if other[1] == name else "cohort-id-alike"
                    raise CohortError(key, id=name, row=other[0], other=other[1], column="id")
            except (RequestError, CohortError) as error:
                self._fail(journal, row, None, error)
            else:
                yield row, request

    def _request(self, row: Row, defaults: Mapping[str, str], journal: Journal) -> Request:
        if row.faults:
            raise row.faults[0]
        asked = {**defaults, **self.options, **row.values}
        who, name = clean_name(asked.pop("learner", "")), clean_id(asked.pop("id", ""))
        if not name:
            raise CohortError("cohort-no-id", column="id")
        if any(not asked.get(option) for option in SETTLED):
            before = (journal.earlier(name) or {}).get("request") or {}
            asked |= {option: before[option] for option in SETTLED if before.get(option) and not asked.get(option)}
        key = json.dumps(asked, sort_keys=True, default=str)
        if key not in self._resolved:
            self._resolved[key] = resolve(self.catalog, **asked)
            _trim(self._resolved, REMEMBERED)
        plan = self._resolved[key]
        return plan if self.variant == "instructor" else replace(plan, learner=who, id=name)

    def _folder(self, request: Request) -> str:
        if request.id:
            return request.id
        digest = hashlib.sha256(json.dumps(literals(request), sort_keys=True).encode()).hexdigest()[:8]
        return f"{request.role}-{request.level}-{request.lang}-{digest}"

    def _tasks(self, roster: Roster, journal: Journal, stop: Event) -> Iterator[Task]:
        """Learners with the same plan, `CHUNK` at a time; fewer at the end, or where too many plans are waiting."""
        waiting: OrderedDict[Request, list[tuple[Row, Request]]] = OrderedDict()
        for row, request in self._requests_of(roster, journal, stop):
            plan = _plan_of(request)
            waiting.setdefault(plan, []).append((row, request))
            waiting.move_to_end(plan)
            if len(waiting[plan]) == CHUNK:
                yield from self._task(journal, waiting.pop(plan))
            elif len(waiting) > WAITING:
                yield from self._task(journal, waiting.popitem(last=False)[1])
        for group in waiting.values():
            if stop.is_set():
                return
            yield from self._task(journal, group)

    def _task(self, journal: Journal, group: list[tuple[Row, Request]]) -> Iterator[Task]:
        try:
            composed = self._composed(group[0][1])
        except RequestError as error:
            for row, request in group:
                self._fail(journal, row, request, error)
            return
        self._figure(composed.roadmap, len(group))
        seats = tuple(Seat(row.number, self._folder(request), person(request)) for row, request in group)
        yield Task(Chunk(composed.notebooks, seats), tuple(request for _, request in group), composed.figures)

    def _composed(self, request: Request) -> Composed:
        plan = _plan_of(request)
        if plan not in self._plans:
            self.outcome.plans += 1
            roadmap = self._roadmap(request)
            self._plans[plan] = Composed(tuple(self._notebooks(request)), _figures(roadmap), roadmap)
            _trim(self._plans, KEPT)
        self._plans.move_to_end(plan)
        return self._plans[plan]

    def _notebooks(self, request: Request) -> Iterator[tuple[str, Copies]]:
        """The notebooks of a plan, as Papermill composes them for its first learner."""
        waiting = [""]
        while waiting:
            part = waiting.pop(0)
            text, parts = compose(self.catalog, request, part)
            asked = {**literals(request), "part": part}
            copies = book(self.catalog, self._frame, asked).stencil().copies()
            assert copies.text(person(request)) == text.encode(), "a copy is not what Papermill has composed"
            yield part_file(request.lang, part), copies
            if not part:
                waiting += parts[1:]

    @cached_property
    def _frame(self) -> Notebook:
        frame, faults = load_notebook(self.catalog.frame_file, self.catalog.frame_file.name)
        if frame is None:
            raise ContentError(faults)
        return frame

    def _roadmap(self, request: Request) -> Roadmap:
        plan = replace(request, learner="", id="")
        if plan not in self._roadmaps:
            self._roadmaps[plan] = Roadmap.of(self.catalog, plan)
            _trim(self._roadmaps, KEPT)
        return self._roadmaps[plan]

    # --- what became of them ---

    def _figure(self, roadmap: Roadmap, learners: int) -> None:
        deadline = roadmap.plan.deadline
        if deadline is None:
            return
        self.outcome.deadlines += learners
        if not deadline.met:
            self.outcome.unmet += learners
            self.outcome.advice = self.outcome.advice or roadmap

    def _note(self, journal: Journal, task: Task, results: list[Json] | CohortError) -> None:
        for n, (seat, request) in enumerate(zip(task.chunk.seats, task.requests, strict=True)):
            if isinstance(results, CohortError):
                result: Json = {"status": "failed", "files": [], "error": told(results)}
            else:
                result = results[n]
            if result["status"] == "skipped" and self.update:
                result = self._updated(request, result)
            line = {"id": seat.folder, "row": seat.row, "request": literals(request), **task.figures, **result}
            journal.note(line | {"versions": self.versions})
            self._count(line)
        journal.commit()
        self.watch(self.counts)

    def _fail(self, journal: Journal, row: Row, request: Request | None, error: CurriculumError) -> None:
        name = self._folder(request) if request else row.values.get("id", "")
        line: Json = {
            "id": name,
            "row": row.number,
            "status": "failed",
            "request": literals(request) if request else None,
            "files": [],
            **dict.fromkeys(("hours", "weeks", "end", "fits")),
            "error": told(error),
            "versions": self.versions,
        }
        journal.note(line)
        self._count(line)

    def _count(self, line: Json) -> None:
        self.counts.add(line["status"])
        if line.get("error") and len(self.outcome.notable) < NOTABLE:
            self.outcome.notable.append(line)

    def _updated(self, request: Request, result: Json) -> Json:
        """Bring a study up to date in which the learner has worked: what is theirs stays."""
        if not isinstance(self.store, Local):
            return result | {"error": told(CohortError("cohort-update-local"))}
        from curriculum.home import home_at
        from curriculum.updating import update

        folder = self.store.path(self._folder(request))
        try:
            there = home_at(folder, request.lang).settings
            asked = {name: value for name, value in literals(request).items() if name not in {"part", "resume", "done"}}
            changes: dict[str, Any] = {name: value for name, value in asked.items() if there.get(name) != value}
            if not changes and there.get("made_with") == self.catalog.made_with:
                return result | {"status": "unchanged", "error": None}
            update(folder, content=self.content, **changes)
        except CurriculumError as error:
            return result | {"status": "failed", "error": told(error)}
        return result | {"status": "updated", "error": None}

    def _publish(self, journal: Journal) -> None:
        """The manifest, the instructor's page and the table, for what is in the journal."""
        journal.commit()
        with self.store.create(MANIFEST) as file:
            for line in journal.lines():
                file.write(f"{json.dumps(line, ensure_ascii=False)}\n".encode())
        with self.store.create("index.html") as file:
            write_page(journal.lines(), file, self.lang)
        with self.store.create("cohort.csv") as file:
            write_csv(journal.lines(), file, self.lang)


def _plan_of(request: Request) -> Request:
    """The request of whoever has the same notebook but for what is their own: a name is there, or is not."""
    return replace(request, learner="…" if request.learner else "", id="")


def _figures(roadmap: Roadmap) -> Json:
    plan = roadmap.plan
    return {
        "hours": number(plan.hours),
        "weeks": plan.weeks,
        "end": plan.end.isoformat(),
        "fits": plan.deadline.met if plan.deadline else None,
    }


def _trim(table: OrderedDict[Any, Any], most: int) -> None:
    while len(table) > most:
        table.popitem(last=False)
