"""What the program talks about: roles, tools, lessons, exercises, requests, plans. Frozen, no I/O.

All are plain frozen dataclasses. The annotations of content (what authors write) say what is allowed; pydantic reads
them when content is validated (`source.validated`), refuses unknown keys and finds every fault. Nothing here imports
pydantic: content that was validated before is used without it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

from annotated_types import Ge, Gt, Le, Len

FORMAT = 1
LEVELS = ("beginner", "intermediate", "advanced")
Level = Literal["beginner", "intermediate", "advanced"]
NEEDS = ("must", "should", "could")
Need = Literal["must", "should", "could"]

#: The key under which a text lies that is the same in every language.
ANY = "*"
#: `⟦name⟧`: where a personal value, or a lesson's example, is filled in.
MARK = re.compile(r"⟦([^⟧]*)⟧")
#: Ports that front ends and servers of the course use themselves (macOS AirPlay, proxies, Prometheus, Jupyter).
RESERVED_PORTS = frozenset({5000, 8080, 9090, *range(8888, 8900)})


class Before:
    """In an annotation: what a function makes of the raw value, before it is validated."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(self.function, handler(source))


class After:
    """In an annotation: a function that returns the validated value, or refuses it with `unfit`."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.function, handler(source))


def unfit(key: str, **params: object) -> Exception:
    """The error that pydantic reports for a value that does not fit; `key` is the fault's message key."""
    from pydantic_core import PydanticCustomError

    return PydanticCustomError(f"curriculum.{key}", key, params)


def _as_text(value: Any) -> Any:
    if isinstance(value, str):
        return {ANY: value}
    if isinstance(value, dict):
        for lang in value:
            if not (isinstance(lang, str) and re.fullmatch(r"[a-z]{2}|\*", lang)):
                raise unfit("bad-language", lang=str(lang))
    return value


def _text(text: dict[str, str]) -> dict[str, str]:
    if not text or not all(words.strip() for words in text.values()):
        raise unfit("empty-text")
    # YAML folds lines with a blank; between Japanese characters there is none.
    return {lang: _FOLD.sub("", words) if lang == "ja" else words for lang, words in text.items()}


_WIDE = "\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef"
_FOLD = re.compile(f"(?<=[{_WIDE}]) (?=[{_WIDE}])")


def _matching(pattern: str, most: int = 2000) -> After:
    def check(text: str) -> str:
        if len(text) > most or not re.search(pattern, text):
            raise unfit("bad-slug")
        return text

    return After(check)


def gather(value: Any) -> Any:
    """Words that stand directly under a thing, by language: `{id: run, en: …, ja: …}`."""
    if not isinstance(value, dict):
        return value
    langs = {key: value[key] for key in value if isinstance(key, str) and re.fullmatch(r"(?!id$|to$)[a-z]{2}", key)}
    rest = {key: entry for key, entry in value.items() if key not in langs}
    return {**rest, "text": langs} if langs else value


Text = Annotated[dict[str, str], Before(_as_text), After(_text)]
Slug = Annotated[str, _matching(r"^[a-z0-9]+(-[a-z0-9]+)*$", 48)]
#: The words of the story in one industry, by the mark that they fill.
Story = dict[str, Text]
Address = Annotated[str, _matching(r"^https://")]
Minutes = Annotated[int, Ge(1), Le(6000)]
Estimate = Annotated[float, Gt(0), Le(400)]


def words(text: Mapping[str, str], lang: str) -> str:
    """The words of `text` in `lang`; the text for every language, else English, else any, where `lang` is missing."""
    for key in (lang, ANY, "en"):
        if key in text:
            return text[key]
    return next(iter(text.values()))


T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def content(cls: type[T]) -> type[T]:
    """A class of content: immutable, keywords only, and unknown keys are refused."""
    cls.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return dataclass(frozen=True, kw_only=True)(cls)


# --- templates -------------------------------------------------------------------------------------------------------


@content
class Hours:
    """An author's estimate for all of a level, in hours."""

    beginner: Estimate
    intermediate: Estimate
    advanced: Estimate

    def at(self, level: str) -> float:
        return float(getattr(self, level))


@content
class Practice:
    """Named work of one's own, beyond lessons, readings and exercises."""

    text: Text
    id: Slug
    level: Level
    minutes: Minutes


@content
class Verified:
    """When a template's content was last proved; against which version, where there is something to run."""

    version: str | None = None
    date: dt.date


@content
class Change:
    """What changed lately about a tool, with the page where it was read."""

    text: Text
    date: dt.date
    url: Address


@content
class FrontMatter:
    """The first raw cell of a tool's template."""

    format: int
    tool: Slug
    title: Text
    category: Slug
    summary: Text
    docs: Address
    needs: tuple[Slug, ...] = ()
    hours: Hours
    practice: tuple[Annotated[Practice, Before(gather)], ...] = ()
    verified: Verified
    changes: tuple[Annotated[Change, Before(gather)], ...] = ()
    aliases: tuple[str, ...] = ()
    formerly: tuple[Slug, ...] = ()


@content
class Reading:
    """A page worth reading: `minutes` for the part that `look_for` names."""

    url: Address
    lang: Annotated[str, _matching(r"^[a-z]{2}$")]
    minutes: Minutes
    look_for: Text


def readings_for(readings: tuple[Reading, ...], lang: str) -> tuple[Reading, ...]:
    """The readings that hours count: those in the reader's language, else those in others."""
    return tuple(reading for reading in readings if reading.lang == lang) or readings


@content
class Example:
    """An example: files, and a session with its recorded output, which the tests run again; at least one of the two.

    docs/template-format.md tells how.
    """

    needs: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    session: Annotated[str, _matching(r"^\$ \S", 20_000)] = ""

    def commands(self) -> list[tuple[str, str]]:
        """Each command of the session with what it printed."""
        pairs: list[tuple[str, str]] = []
        for line in self.session.splitlines():
            if line.startswith("$ "):
                pairs.append((line[2:].strip(), ""))
            else:
                pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]}{line}\n")
        return pairs


@content
class Lesson:
    """One screen of teaching. Its prose stands in the Markdown cells below it."""

    lesson: Slug
    level: Level
    minutes: Minutes
    title: Text
    example: Example | None = None
    readings: Annotated[tuple[Reading, ...], Len(0, 4)] = ()
    formerly: tuple[Slug, ...] = ()


@content
class Item:
    """A can-do item. Elsewhere it is called `<tool>.<id>`."""

    text: Text
    id: Slug
    lesson: Slug | None = None
    proven_by: Slug | None = None
    formerly: tuple[Slug, ...] = ()


@content
class Checklist:
    """What someone at a level can do with a tool."""

    checklist: Level
    items: Annotated[tuple[Annotated[Item, Before(gather)], ...], Len(1)]
    readings: Annotated[tuple[Reading, ...], Len(0, 6)] = ()


@content
class Value:
    """A personal value: a number between two, or one of several words."""

    default: str
    between: tuple[int, int] | None = None
    one_of: Annotated[tuple[str, ...], Len(2)] | None = None


def _possible(value: Value) -> Value:
    """Either kind of value, and a default that could be drawn."""
    if (value.between is None) == (value.one_of is None):
        raise unfit("value-kind")
    if value.between is not None:
        low, high = value.between
        if not (value.default.isdecimal() and low <= int(value.default) <= high and low < high):
            raise unfit("value-default")
    elif value.one_of is not None and value.default not in value.one_of:
        raise unfit("value-default")
    return value


@content
class Criterion:
    """Something an experienced reviewer would say of an answer."""

    text: Text
    points: Annotated[int, Ge(1), Le(20)] = 1
    live: bool = False
    why: Text
    note: Text | None = None
    #: What to say of a mistake that people often make, by a key that the judge gives.
    faults: dict[Slug, Text] = field(default_factory=dict)
    #: For a live criterion: what the real tool printed, to be read where it is not there. Commands begin with `$ `.
    session: Annotated[str, _matching(r"^\$ \S", 20_000)] | None = None


@content
class Hint:
    """One step of help."""

    text: Text


@content
class Exercise:
    """The YAML of an exercise. Its story, starters and solutions stand in the cells below it."""

    exercise: Slug
    level: Level
    minutes: Minutes
    title: Text
    backend: Literal["bash", "docker", "git", "kubernetes", "mlflow", "prometheus"] | None = None
    given: tuple[str, ...] = ()
    values: dict[str, Annotated[Value, After(_possible)]] = field(default_factory=dict)
    rubric: Annotated[dict[Slug, Annotated[Criterion, Before(gather)]], Len(4, 8)]
    hints: Annotated[tuple[Annotated[Hint, Before(gather)], ...], Len(3)]
    formerly: tuple[Slug, ...] = ()


@dataclass(frozen=True)
class Minutage:
    """What a step's hours are made of, in minutes."""

    lessons: int = 0
    readings: int = 0
    exercises: int = 0
    practice: int = 0

    @property
    def total(self) -> int:
        return self.lessons + self.readings + self.exercises + self.practice


# --- roles -----------------------------------------------------------------------------------------------------------


@content
class OpenSpan:
    """A span of numbers, written `{from: 2, to: 3}`; `to` is missing where it is open."""

    first: Annotated[float, Ge(0)]
    to: float | None = None


def _from(value: Any) -> Any:
    """`from` is a word of Python's own."""
    if isinstance(value, dict) and "first" not in value:
        return {"first" if key == "from" else key: entry for key, entry in value.items()}
    return value


Span = Annotated[OpenSpan, Before(_from)]


@content
class Titled:
    """Something with a name and, mostly, a sentence about it."""

    id: Slug
    title: Text
    text: Text | None = None


@content
class Served(Titled):
    """Something that tools of the role serve."""

    tools: tuple[Slug, ...] = ()


@content
class DutyGroup:
    id: Slug
    title: Text
    items: tuple[Served, ...]


@content
class SkillGroup:
    id: Slug
    title: Text
    kinds: tuple[Served, ...]


@content
class RoleLevel:
    id: Level
    title: Text
    years: Span
    positions: tuple[Served, ...]
    expectations: tuple[Text, ...]


@content
class Question:
    """A can-you question that helps to find a level; yes means that the tools in `known` are known at `level`."""

    text: Text
    id: Slug
    level: Level
    known: tuple[Slug, ...] = ()


def _need_by_level(value: Any) -> Any:
    return dict.fromkeys(LEVELS, value) if isinstance(value, str) else value


def _must() -> dict[Level, Need]:
    return {"beginner": "must", "intermediate": "must", "advanced": "must"}


@content
class TopicTool:
    """A tool's place in a topic. From the level `assumed_from` on it is taken for granted."""

    tool: Slug
    need: Annotated[dict[Level, Need], Before(_need_by_level)] = field(default_factory=_must)
    assumed_from: Level | None = None

    def need_at(self, level: str) -> str:
        """`must`, `should` or `could` at a level; a level that is not named needs the tool as `could`."""
        return self.need.get(level, "could")  # type: ignore[call-overload, no-any-return]

    def assumed_at(self, level: str) -> bool:
        return self.assumed_from is not None and LEVELS.index(level) >= LEVELS.index(self.assumed_from)


@content
class Topic:
    id: Slug
    title: Text
    covers: Text
    tools: tuple[TopicTool, ...]


@content
class Phase:
    """A stretch of the learning path. A `prelude` stands before the role's own phases, which count from 1."""

    id: Slug
    title: Text
    prelude: bool = False
    months: Span | None = None
    hours: Span | None = None
    ongoing: bool = False
    why: Text
    duties: tuple[Slug, ...] = ()
    topics: tuple[Topic, ...]


@content
class Alternative:
    """One of several tools for the same job, with when to take it."""

    tool: Slug
    when: Text


@content
class Choice:
    """Tools of which a plan takes one: the learner's, else the first. They stand in the path with the same need."""

    id: Slug
    title: Text
    tools: Annotated[tuple[Alternative, ...], Len(2)]


@content
class Industry:
    id: Slug
    title: Text
    examples: Text


@content
class PlatformTool:
    tool: Slug
    text: Text


@content
class PlatformGroup:
    id: Slug
    title: Text
    tools: tuple[PlatformTool, ...]


@content
class TrendGroup:
    id: Slug
    title: Text
    items: tuple[Served, ...]


@content
class Related(Titled):
    link: str


@content
class RoleTool:
    """A tool of the role that has no template yet: it stands in the roadmap with these hours."""

    tool: Slug
    title: Text
    category: Slug
    needs: tuple[Slug, ...] = ()
    hours: Hours
    docs: Address


def _prelude_first(phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """A prelude has the number 0, so there is one at most, and nothing comes before it."""
    if any(phase.prelude for phase in phases[1:]):
        raise unfit("prelude-not-first")
    return phases


@content
class Role:
    """Everything that is known of a role."""

    format: int
    role: Slug
    title: Text
    aliases: tuple[str, ...] = ()
    overview: Text
    duties: tuple[DutyGroup, ...] = ()
    skills: tuple[SkillGroup, ...] = ()
    levels: tuple[RoleLevel, ...]
    questions: tuple[Annotated[Question, Before(gather)], ...] = ()
    phases: Annotated[tuple[Phase, ...], Len(1), After(_prelude_first)]
    choices: tuple[Choice, ...] = ()
    industries: tuple[Industry, ...] = ()
    team: tuple[Titled, ...] = ()
    aptitudes: tuple[Titled, ...] = ()
    rewards: tuple[Titled, ...] = ()
    platforms: tuple[PlatformGroup, ...] = ()
    trends: tuple[TrendGroup, ...] = ()
    related: tuple[Related, ...] = ()
    tools: tuple[RoleTool, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every tool of the role: those of its topics in their order, then those that are only declared."""
        placed = (place.tool for phase in self.phases for topic in phase.topics for place in topic.tools)
        return tuple(dict.fromkeys([*placed, *(tool.tool for tool in self.tools)]))

    @property
    def numbered(self) -> Iterator[tuple[int, Phase]]:
        """The phases with their numbers: a prelude is 0, the others count from 1."""
        return enumerate(self.phases, start=0 if self.phases[0].prelude else 1)

    def level(self, level: str) -> RoleLevel:
        """The role's own words for a level. Raises KeyError when the role does not have it."""
        for candidate in self.levels:
            if candidate.id == level:
                return candidate
        raise KeyError(level)


# --- requests and plans ----------------------------------------------------------------------------------------------


def study_id(who: str, subject: str) -> str:
    """The id of a study: ten hexadecimal digits made from who studies (an id or a name) and what (a role or a tool)."""
    return hashlib.sha256(f"{who}\n{subject}".encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Request:
    """One study notebook, wholly resolved: slugs and dates, no defaults left to guess."""

    role: str
    level: str
    lang: str
    start: dt.date
    hours_per_week: float = 8.0
    learner: str = ""
    id: str = ""
    known: tuple[str, ...] = ()
    deadline: dt.date | None = None
    pauses: tuple[tuple[dt.date, dt.date], ...] = ()
    phases: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    depth: str = "should"
    fit: bool = False
    single: bool = False
    variant: str = "learner"
    industry: str = ""
    #: From when the rest is planned anew, and the minutes that each tool had behind it then.
    resume: dt.date | None = None
    done: tuple[tuple[str, int], ...] = ()
    part: str = ""

    @cached_property
    def study(self) -> str:
        """The study's id. Language, level and pace do not change it."""
        return study_id(self.id or self.learner, self.role)


@dataclass(frozen=True)
class Reason:
    """Why a step is in a plan, or is not: a message key and what fills it."""

    key: str
    tools: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One tool at one depth, with its time. `minutes` counts `contents` (or the estimate) and the test-out."""

    tool: str
    level: str
    phase: str
    topic: str
    need: str
    minutes: int
    start: dt.date
    end: dt.date
    reason: Reason
    contents: Minutage | None = None
    confirm: tuple[str, ...] = ()
    test_out: str | None = None
    #: The minutes that are still to be studied; none where the step was finished before a plan was made anew.
    left: int = 0

    @property
    def hours(self) -> float:
        return round(self.minutes / 60, 1)


@dataclass(frozen=True)
class Skip:
    """A tool of the role that is not in the plan, and why."""

    tool: str
    phase: str
    reason: Reason


@dataclass(frozen=True)
class PhasePlan:
    """The steps of one phase, in order; may be empty. The number of a prelude is 0."""

    phase: str
    number: int
    steps: tuple[Step, ...]

    @property
    def minutes(self) -> int:
        return sum(step.minutes for step in self.steps)


@dataclass(frozen=True)
class Deadline:
    """How a plan stands to its deadline. `pace` (hours a week) would meet it; None when there is no day left to study."""

    date: dt.date
    met: bool
    pace: float | None
    droppable: tuple[str, ...] = ()
    droppable_minutes: int = 0


@dataclass(frozen=True)
class Plan:
    """A roadmap: what, in which order, when, and why."""

    request: Request
    phases: tuple[PhasePlan, ...]
    skipped: tuple[Skip, ...]
    deadline: Deadline | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step for phase in self.phases for step in phase.steps)

    @property
    def minutes(self) -> int:
        return sum(step.minutes for step in self.steps)

    @property
    def left(self) -> int:
        """The minutes that are still to be studied."""
        return sum(step.left for step in self.steps)

    @property
    def hours(self) -> float:
        return round(self.minutes / 60, 1)

    @property
    def start(self) -> dt.date:
        return self.request.start

    @property
    def end(self) -> dt.date:
        return max((step.end for step in self.steps), default=self.request.start)

    @property
    def weeks(self) -> int:
        """Calendar weeks from the first day to the last, pauses included."""
        return -(-((self.end - self.start).days + 1) // 7)
