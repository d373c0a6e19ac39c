"""A plan in words: what the notebook, the terminal, `--json` and the calendar say of it, in one language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from curriculum.catalog import Catalog
from curriculum.messages import say
from curriculum.model import Minutage, Phase, PhasePlan, Plan, Reason, Request, Role, Skip, Step, Story, words
from curriculum.planner import plan_study
from curriculum.request import number
from curriculum.template import Tool


def long_date(date: dt.date, lang: str) -> str:
    """A date with its year: 30 November 2026, 2026年11月30日."""
    return say(lang, "date.long", year=date.year, month=date.month, day=date.day, name=_month(date, lang))


def short_date(date: dt.date, lang: str) -> str:
    """A date without its year: 30 Nov, 11月30日."""
    return say(lang, "date.short", month=date.month, day=date.day, name=_month(date, lang)[:3])


def span(first: dt.date, last: dt.date, lang: str) -> str:
    """From a day to a day; the year stands where it changes."""
    if first == last:
        return short_date(first, lang)
    form = short_date if first.year == last.year else long_date
    return say(lang, "date.span", first=form(first, lang), last=form(last, lang))


def _month(date: dt.date, lang: str) -> str:
    return say(lang, "date.months").split()[date.month - 1]


def duration(minutes: int, lang: str) -> str:
    """Minutes below two hours as minutes, above as hours."""
    if minutes < 120:
        return say(lang, "duration.minutes", minutes=minutes)
    return say(lang, "duration.hours", hours=number(round(minutes / 60 * 2) / 2))


def hours(minutes: int, lang: str) -> str:
    """Minutes as hours, to the half hour."""
    return say(lang, "duration.hours", hours=number(max(0.5, round(minutes / 60 * 2) / 2)))


@dataclass(frozen=True)
class Roadmap:
    """A plan with the role and the tools that it is about, ready to be put into words in `lang`."""

    plan: Plan
    role: Role
    tools: Mapping[str, Tool]
    lang: str
    story: Story

    @classmethod
    def of(cls, catalog: Catalog, request: Request) -> Roadmap:
        """Plan a request. Raises CurriculumError for content at fault or a request that leaves nothing to plan."""
        return _drawn(catalog, request)

    def title(self, tool: str) -> str:
        return words(self.tools[tool].title, self.lang)

    def phase(self, slug: str) -> Phase:
        return next(phase for phase in self.role.phases if phase.id == slug)

    def phase_title(self, slug: str) -> str:
        return words(self.phase(slug).title, self.lang)

    def level_title(self, level: str) -> str:
        return words(self.role.level(level).title, self.lang)

    def why(self, reason: Reason) -> str:
        """The sentence that tells why a step is there, or is not."""
        params: dict[str, Any] = dict(reason.params)
        if "phase" in params:
            phase = self.role.phases[params["phase"]]
            topic = next(topic for topic in phase.topics if topic.id == params["topic"])
            params |= {"phase": words(phase.title, self.lang), "topic": words(topic.title, self.lang)}
        if "level" in params:
            params["level"] = self.level_title(params["level"])
        if "deadline" in params:
            params["deadline"] = long_date(params["deadline"], self.lang)
        return say(self.lang, f"why.{reason.key}", tools=[self.title(tool) for tool in reason.tools], **params)

    def why_step(self, step: Step) -> str:
        sentences = [self.why(step.reason)]
        if step.reason.key.startswith("topic-") and self.phase(step.phase).prelude:
            sentences = [say(self.lang, "why.prelude")]
        elif step.reason.key.startswith("topic-"):
            topic = self.role.phases[step.reason.params["phase"]].topics
            title = next(words(t.title, self.lang) for t in topic if t.id == step.reason.params["topic"])
            if title == self.title(step.tool):
                # "Docker: the core of Docker" tells nobody anything.
                sentences = [say(self.lang, f"why.{step.reason.key.replace('topic', 'path')}")]
        after = [self.title(other.tool) for other in self.plan.steps if step.tool in self.tools[other.tool].needs]
        if after and step.reason.key != "needed-by":
            sentences.append(say(self.lang, "why.before", tools=after))
        return say(self.lang, "list.sentence").join(sentences)

    def why_skip(self, skip: Skip) -> str:
        """Why a tool is not in the plan; the sentence names the tool."""
        params = {**skip.reason.params, "tool": self.title(skip.tool), "slug": skip.tool}
        if skip.reason.key == "alternative":
            params["when"] = next(
                words(entry.when, self.lang)
                for choice in self.role.choices
                for entry in choice.tools
                if entry.tool == skip.tool
            )
        return self.why(Reason(skip.reason.key, skip.reason.tools, params))

    def alternatives(self, tool: str) -> list[Skip]:
        """What was left out because a tool of the plan does its job."""
        return [skip for skip in self.plan.skipped if skip.reason == Reason("alternative", (tool,))]

    def made_of(self, step: Step) -> str:
        """What a step's hours are made of; for a tool without template, that they are the role's estimate."""
        if step.contents is None:
            return say(self.lang, "hours.estimate")
        parts = self._parts(step.contents)
        if not step.contents.exercises:
            parts.append(say(self.lang, "hours.no-exercises"))
        if step.test_out:
            template = self.tools[step.tool].template
            section = template.test_out(step.level) if template else None
            if section:
                parts.append(say(self.lang, "hours.test-out", time=duration(section.content.minutes, self.lang)))
        return say(self.lang, "list.comma").join(parts)

    def _parts(self, contents: Minutage) -> list[str]:
        return [
            say(self.lang, f"hours.{name}", time=duration(minutes, self.lang))
            for name in ("lessons", "readings", "exercises", "practice")
            if (minutes := getattr(contents, name))
        ]

    def document_months(self, phase: PhasePlan) -> str:
        """What the role's own document says of a phase's length."""
        source = self.phase(phase.phase)
        if source.prelude:
            return say(self.lang, "months.prelude")
        if source.ongoing or source.months is None:
            return say(self.lang, "months.ongoing")
        first, last = number(source.months.first), number(source.months.to or source.months.first)
        return say(self.lang, "months.span", first=first, last=last)

    def deadline(self) -> list[str]:
        """The sentences about the deadline: met or not, and what would help. Empty without one."""
        deadline, lang = self.plan.deadline, self.lang
        if deadline is None:
            return []
        date = long_date(deadline.date, lang)
        if deadline.met:
            return [say(lang, "deadline.met", date=date, end=long_date(self.plan.end, lang))]
        sentences = [say(lang, "deadline.missed", date=date, end=long_date(self.plan.end, lang))]
        if deadline.pace is None:
            sentences.append(say(lang, "deadline.no-day"))
        elif deadline.pace > 40:
            sentences.append(say(lang, "deadline.pace-absurd", pace=number(deadline.pace)))
        else:
            sentences.append(say(lang, "deadline.pace", pace=number(deadline.pace)))
        if deadline.droppable:
            tools = [self.title(tool) for tool in deadline.droppable]
            sentences.append(say(lang, "deadline.droppable", tools=tools, time=hours(deadline.droppable_minutes, lang)))
        sentences.append(say(lang, "deadline.fit"))
        return sentences

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain data, for `plan --json`."""
        plan, request = self.plan, self.plan.request
        deadline = plan.deadline
        return {
            "role": request.role,
            "level": request.level,
            "lang": request.lang,
            "study": request.study,
            "hours_per_week": number(request.hours_per_week),
            "hours": plan.hours,
            "weeks": plan.weeks,
            "start": plan.start.isoformat(),
            "end": plan.end.isoformat(),
            "phases": [
                {
                    "phase": phase.phase,
                    "number": phase.number,
                    "title": self.phase_title(phase.phase),
                    "hours": round(phase.minutes / 60, 1),
                    "document": self.document_months(phase),
                    "steps": [self._step(step) for step in phase.steps],
                }
                for phase in plan.phases
            ],
            "skipped": [
                {
                    "tool": skip.tool,
                    "title": self.title(skip.tool),
                    "reason": skip.reason.key,
                    "why": self.why_skip(skip),
                }
                for skip in plan.skipped
            ],
            "deadline": deadline
            and {
                "date": deadline.date.isoformat(),
                "met": deadline.met,
                "pace": deadline.pace,
                "droppable": list(deadline.droppable),
            },
        }

    def _step(self, step: Step) -> dict[str, Any]:
        contents = step.contents
        return {
            "tool": step.tool,
            "title": self.title(step.tool),
            "level": step.level,
            "need": step.need,
            "hours": step.hours,
            "start": step.start.isoformat(),
            "end": step.end.isoformat(),
            "why": self.why_step(step),
            "estimate": contents is None,
            "minutes": contents
            and {name: getattr(contents, name) for name in ("lessons", "readings", "exercises", "practice")},
            "confirm": list(step.confirm),
            "test_out": step.test_out,
        }


@lru_cache(maxsize=4)
def _drawn(catalog: Catalog, request: Request) -> Roadmap:
    # The command plans for its own words, and once more inside Papermill: the same request, the same plan.
    role = catalog.role(request.role)
    tools = catalog.tools(role)
    return Roadmap(plan_study(request, role, tools), role, tools, request.lang, catalog.story(request.industry))
