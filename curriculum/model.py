"""What the program talks about: roles, tools, lessons, exercises, requests, plans. Frozen, validated, no I/O.

Content (what authors write) is pydantic: unknown keys are refused and every fault is found. What the program itself
makes (requests, plans) is plain dataclasses.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

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


def _as_text(value: Any) -> Any:
    if isinstance(value, str):
        return {ANY: value}
    if isinstance(value, dict):
        for lang in value:
            if not (isinstance(lang, str) and re.fullmatch(r"[a-z]{2}|\*", lang)):
                raise PydanticCustomError("curriculum.bad-language", "not a language", {"lang": str(lang)})
    return value


def _not_empty(text: dict[str, str]) -> dict[str, str]:
    if not text or not all(words.strip() for words in text.values()):
        raise PydanticCustomError("curriculum.empty-text", "empty")
    return text


Text = Annotated[dict[str, str], BeforeValidator(_as_text), AfterValidator(_not_empty)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=48)]
Minutes = Annotated[int, Field(ge=1, le=6000)]


def words(text: Mapping[str, str], lang: str) -> str:
    """The words of `text` in `lang`; the text for every language, else English, else any, where `lang` is missing."""
    for key in (lang, ANY, "en"):
        if key in text:
            return text[key]
    return next(iter(text.values()))


class Content(BaseModel):
    """Anything that stands in YAML: immutable, and an unknown key is an error."""

    # Built when first used: a class that stands inside another never needs a validator of its own.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Worded(Content):
    """A thing whose words stand directly under it, by language: `{id: run, en: …, ja: …}`."""

    text: Text

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        langs = {
            key: value[key]
            for key in value
            if isinstance(key, str) and re.fullmatch(r"[a-z]{2}", key) and key not in cls.model_fields
        }
        if not langs:
            return value
        rest = {key: entry for key, entry in value.items() if key not in langs}
        return {**rest, "text": langs}


# --- templates -------------------------------------------------------------------------------------------------------


class Hours(Content):
    """An author's estimate for all of a level, in hours."""

    beginner: float = Field(gt=0, le=400)
    intermediate: float = Field(gt=0, le=400)
    advanced: float = Field(gt=0, le=400)

    def at(self, level: str) -> float:
        return float(getattr(self, level))


class Practice(Worded):
    """Named work of one's own, beyond lessons, readings and exercises."""

    id: Slug
    level: Level
    minutes: Minutes


class Verified(Content):
    """When, and against which version, a template's content was last proved."""

    version: str
    date: dt.date


class FrontMatter(Content):
    """The first raw cell of a tool's template."""

    format: int
    tool: Slug
    title: Text
    category: Slug
    summary: Text
    docs: str = Field(pattern=r"^https://")
    needs: tuple[Slug, ...] = ()
    hours: Hours
    practice: tuple[Practice, ...] = ()
    verified: Verified
    aliases: tuple[str, ...] = ()
    formerly: tuple[Slug, ...] = ()


class Reading(Content):
    """A page worth reading: `minutes` for the part that `look_for` names."""

    url: str = Field(pattern=r"^https://")
    lang: str = Field(pattern=r"^[a-z]{2}$")
    minutes: Minutes
    look_for: Text


class Example(Content):
    """An example with its recorded output. The tests run it again (see docs/template-format.md)."""

    needs: tuple[str, ...] = ()
    files: dict[str, str] = {}
    run: str
    output: str


class Lesson(Content):
    """One screen of teaching. Its prose stands in the Markdown cells below it."""

    lesson: Slug
    level: Level
    minutes: Minutes
    title: Text
    example: Example | None = None
    readings: tuple[Reading, ...] = Field(default=(), max_length=4)
    formerly: tuple[Slug, ...] = ()

    def readings_for(self, lang: str) -> tuple[Reading, ...]:
        """The readings in a reader's language; where there are none, those in other languages."""
        return tuple(reading for reading in self.readings if reading.lang == lang) or self.readings


class Item(Worded):
    """A can-do item. Elsewhere it is called `<tool>.<id>`."""

    id: Slug
    lesson: Slug | None = None
    proven_by: Slug | None = None
    formerly: tuple[Slug, ...] = ()


class Checklist(Content):
    """What someone at a level can do with a tool."""

    checklist: Level
    items: tuple[Item, ...] = Field(min_length=1)


class Value(Content):
    """A personal value: a number between two, or one of several words."""

    default: str
    between: tuple[int, int] | None = None
    one_of: tuple[str, ...] | None = Field(default=None, min_length=2)

    @model_validator(mode="after")
    def _one_kind(self) -> Value:
        if (self.between is None) == (self.one_of is None):
            raise PydanticCustomError("curriculum.value-kind", "between or one_of")
        if self.between is not None:
            low, high = self.between
            if not (self.default.isdecimal() and low <= int(self.default) <= high and low < high):
                raise PydanticCustomError("curriculum.value-default", "default outside")
        elif self.one_of is not None and self.default not in self.one_of:
            raise PydanticCustomError("curriculum.value-default", "default outside")
        return self


class Criterion(Worded):
    """Something an experienced reviewer would say of an answer."""

    points: int = Field(default=1, ge=1, le=20)
    live: bool = False
    why: Text
    note: Text | None = None


class Hint(Worded):
    """One step of help."""


class Exercise(Content):
    """The YAML of an exercise. Its story, starters and solutions stand in the cells below it."""

    exercise: Slug
    level: Level
    minutes: Minutes
    title: Text
    backend: Literal["docker", "kubernetes", "mlflow", "prometheus"] | None = None
    given: tuple[str, ...] = ()
    values: dict[str, Value] = {}
    rubric: dict[Slug, Criterion] = Field(min_length=4, max_length=8)
    hints: tuple[Hint, ...] = Field(min_length=3)
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


class Span(Content):
    """A span of numbers; `to` is missing where it is open."""

    from_: float = Field(alias="from", ge=0)
    to: float | None = None


class Titled(Content):
    """Something with a name and, mostly, a sentence about it."""

    id: Slug
    title: Text
    text: Text | None = None


class Served(Titled):
    """Something that tools of the role serve."""

    tools: tuple[Slug, ...] = ()


class DutyGroup(Content):
    id: Slug
    title: Text
    items: tuple[Served, ...]


class SkillGroup(Content):
    id: Slug
    title: Text
    kinds: tuple[Served, ...]


class RoleLevel(Content):
    id: Level
    title: Text
    years: Span
    positions: tuple[Titled, ...]
    expectations: tuple[Text, ...]


class Question(Worded):
    """A can-you question that helps to find a level; yes means that the tools in `known` are known at `level`."""

    id: Slug
    level: Level
    known: tuple[Slug, ...] = ()


def _need_by_level(value: Any) -> Any:
    return dict.fromkeys(LEVELS, value) if isinstance(value, str) else value


class TopicTool(Content):
    """A tool's place in a topic. From the level `assumed_from` on it is taken for granted."""

    tool: Slug
    need: Annotated[dict[Level, Need], BeforeValidator(_need_by_level)] = Field(
        default={level: "must" for level in ("beginner", "intermediate", "advanced")}
    )
    assumed_from: Level | None = None

    def need_at(self, level: str) -> str:
        """`must`, `should` or `could` at a level; a level that is not named needs the tool as `could`."""
        return self.need.get(level, "could")  # type: ignore[call-overload, no-any-return]

    def assumed_at(self, level: str) -> bool:
        return self.assumed_from is not None and LEVELS.index(level) >= LEVELS.index(self.assumed_from)


class Topic(Content):
    id: Slug
    title: Text
    covers: Text
    tools: tuple[TopicTool, ...]


class Phase(Content):
    id: Slug
    title: Text
    months: Span | None = None
    hours: Span | None = None
    ongoing: bool = False
    why: Text
    duties: tuple[Slug, ...] = ()
    topics: tuple[Topic, ...]


class Industry(Content):
    id: Slug
    title: Text
    examples: Text


class PlatformTool(Content):
    tool: Slug
    text: Text


class PlatformGroup(Content):
    id: Slug
    title: Text
    tools: tuple[PlatformTool, ...]


class TrendGroup(Content):
    id: Slug
    title: Text
    items: tuple[Served, ...]


class Related(Titled):
    link: str


class RoleTool(Content):
    """A tool that the role uses. A template refines it; without one it still stands in the roadmap with its hours."""

    tool: Slug
    title: Text
    category: Slug
    needs: tuple[Slug, ...] = ()
    hours: Hours
    docs: str = Field(pattern=r"^https://")


class Role(Content):
    """Everything that is known of a role."""

    format: int
    role: Slug
    title: Text
    aliases: tuple[str, ...] = ()
    overview: Text
    duties: tuple[DutyGroup, ...] = ()
    skills: tuple[SkillGroup, ...] = ()
    levels: tuple[RoleLevel, ...]
    questions: tuple[Question, ...] = ()
    phases: tuple[Phase, ...] = Field(min_length=1)
    industries: tuple[Industry, ...] = ()
    team: tuple[Titled, ...] = ()
    aptitudes: tuple[Titled, ...] = ()
    rewards: tuple[Titled, ...] = ()
    platforms: tuple[PlatformGroup, ...] = ()
    trends: tuple[TrendGroup, ...] = ()
    related: tuple[Related, ...] = ()
    tools: tuple[RoleTool, ...]

    def level(self, level: str) -> RoleLevel:
        """The role's own words for a level. Raises KeyError when the role does not have it."""
        for candidate in self.levels:
            if candidate.id == level:
                return candidate
        raise KeyError(level)


# --- requests and plans ----------------------------------------------------------------------------------------------


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
    fit: bool = False
    single: bool = False
    variant: str = "learner"
    part: str = ""

    @cached_property
    def study(self) -> str:
        """The study's id: who and which role, ten hexadecimal digits. Language and level do not change it."""
        import hashlib

        who = self.id or self.learner
        return hashlib.sha256(f"{who}\n{self.role}".encode()).hexdigest()[:10]


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
    """The steps of one phase, in order; may be empty."""

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
