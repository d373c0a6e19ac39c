"""From a request, a role and its tools to a plan. Pure: no files, no clock.

A tool is in a plan when its topic needs it at the level, as deep as the request goes (`must`, `should` or `could`), or
when the learner asks for it by name. Of several tools for one job it is the one that the learner prefers, else the first.
A tool that a planned tool builds on comes in too, unless the learner knows it or the level assumes it. Within the
phases the order of topics holds, but nothing comes before what it builds on.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from curriculum.errors import RequestError
from curriculum.model import (
    LEVELS,
    NEEDS,
    Deadline,
    Phase,
    PhasePlan,
    Plan,
    Reason,
    Request,
    Role,
    Skip,
    Step,
    TopicTool,
)
from curriculum.template import Section, Tool


@dataclass(frozen=True)
class Entry:
    """A tool's place in the role: phase, topic, and how much it is needed."""

    tool: str
    phase: int
    topic: str
    place: TopicTool


def plan_study(request: Request, role: Role, tools: Mapping[str, Tool]) -> Plan:
    """Return the plan of `request`. Raises RequestError when nothing is left to learn, or nothing fits a deadline."""
    entries = {
        place.tool: Entry(place.tool, number, topic.id, place)
        for number, phase in enumerate(role.phases)
        for topic in phase.topics
        for place in topic.tools
        if place.tool in tools
    }
    chosen, skips = _choose(request, role, entries, tools)
    if not chosen:
        raise RequestError("nothing-to-learn")
    order = _order(chosen, entries, tools, len(role.phases))
    days = Calendar(request.resume or request.start, request.hours_per_week, request.pauses)
    costs = {tool: _minutes(tools[tool], request.level, role.phases[phase]) for tool, phase in order}
    left = {tool: max(0, minutes - dict(request.done).get(tool, 0)) for tool, minutes in costs.items()}
    if request.fit and request.deadline:
        kept = _fit(order, chosen, entries, tools, left, days.capacity(request.deadline), request.level)
        if not kept:
            raise RequestError("nothing-fits", deadline=request.deadline, pace=f"{request.hours_per_week:g}")
        for tool, _ in order:
            if tool not in kept:
                skips[tool] = Reason("left-out", (), {"deadline": request.deadline})
        order = [(tool, phase) for tool, phase in order if tool in kept]
    spent = 0
    phases: list[list[Step]] = [[] for _ in role.phases]
    for tool, phase in order:
        step = _step(
            request,
            tools[tool],
            role.phases[phase],
            entries.get(tool),
            chosen[tool],
            days,
            spent,
            costs[tool],
            left[tool],
        )
        phases[phase].append(step)
        spent += left[tool]
    plan = Plan(
        request,
        tuple(
            PhasePlan(phase.id, number, tuple(steps))
            for (number, phase), steps in zip(role.numbered, phases, strict=True)
        ),
        tuple(
            Skip(tool, role.phases[entries[tool].phase].id if tool in entries else "", reason)
            for tool, reason in skips.items()
        ),
    )
    if request.deadline:
        deadline = _deadline(plan, tools, days, request.deadline)
        plan = Plan(plan.request, plan.phases, plan.skipped, deadline)
    return plan


def _choose(
    request: Request, role: Role, entries: Mapping[str, Entry], tools: Mapping[str, Tool]
) -> tuple[dict[str, Reason], dict[str, Reason]]:
    """Which tools are in, and why; which are not, and why. Together they are every tool that has a place or a name."""
    level, known = request.level, set(request.known)
    phases = {number for number, phase in enumerate(role.phases) if not request.phases or phase.id in request.phases}
    picks = dict(_picks(request, role, entries))
    chosen: dict[str, Reason] = {}
    skips: dict[str, Reason] = {}
    for tool, entry in entries.items():
        need = entry.place.need_at(level)
        if request.only:
            if tool in request.only and entry.phase in phases:
                chosen[tool] = Reason("asked-for")
            else:
                skips[tool] = Reason("not-chosen")
        elif entry.phase not in phases:
            skips[tool] = Reason("other-phase")
        elif tool in known:
            skips[tool] = Reason("known")
        elif tool in request.prefer:
            chosen[tool] = Reason("asked-for")
        elif entry.place.assumed_at(level):
            skips[tool] = _assumed(tools[tool], level)
        elif NEEDS.index(need) > NEEDS.index(request.depth):
            skips[tool] = Reason("optional")
        elif (taken := picks.get(tool, tool)) != tool:
            skips[tool] = Reason("alternative", (taken,))
        else:
            chosen[tool] = Reason(f"topic-{need}", (), {"phase": entry.phase, "topic": entry.topic})
    for tool in request.prefer:
        if tool not in entries and tool in tools and tool not in known and not request.only:
            chosen[tool] = Reason("asked-for")
    if request.only:
        for tool in request.only:
            if tool not in entries and tool in tools:
                chosen[tool] = Reason("asked-for")
        for tool in list(chosen):
            for need in tools[tool].needs:
                if need in skips and skips[need].key == "not-chosen" and need not in known:
                    skips[need] = Reason("not-chosen-needed", (tool,))
        return chosen, skips
    waiting = list(chosen)
    while waiting:
        tool = waiting.pop()
        for need in tools[tool].needs:
            if need in chosen or need not in tools or need in known:
                continue
            place = entries.get(need)
            if place and (place.place.assumed_at(level) or place.phase not in phases):
                continue
            chosen[need] = Reason("needed-by", (tool,))
            skips.pop(need, None)
            waiting.append(need)
    return chosen, skips


def _picks(request: Request, role: Role, entries: Mapping[str, Entry]) -> Iterator[tuple[str, str]]:
    """Every tool that is one of several for a job, with the one that is taken: preferred, known, or the first."""
    for choice in role.choices:
        tools = [entry.tool for entry in choice.tools if entry.tool in entries]
        wanted = [
            *(tool for tool in tools if tool in request.prefer),
            *(tool for tool in tools if tool in request.known),
        ]
        yield from ((tool, (wanted or tools)[0]) for tool in tools)


def _assumed(tool: Tool, level: str) -> Reason:
    """Taken for granted at this level; with the exercise that proves it, where there is one."""
    test_out = tool.template.test_out(level) if tool.template else None
    if test_out:
        return Reason("assumed-prove", (), {"exercise": test_out.name, "at": test_out.content.level, "level": level})
    return Reason("assumed", (), {"level": level})


def _order(
    chosen: Mapping[str, Reason], entries: Mapping[str, Entry], tools: Mapping[str, Tool], phases: int
) -> list[tuple[str, int]]:
    """Chosen tools with their phase: phase by phase, and never a tool before what it builds on."""
    order: list[tuple[str, int]] = []
    placed: set[str] = set()
    position = {tool: n for n, tool in enumerate(entries)}

    def place(tool: str, phase: int) -> None:
        if tool in placed or tool not in chosen:
            return
        placed.add(tool)
        for need in sorted(tools[tool].needs, key=lambda need: position.get(need, len(position))):
            place(need, phase)
        order.append((tool, phase))

    for number in range(phases):
        for tool, entry in entries.items():
            if entry.phase == number:
                place(tool, number)
    for tool in chosen:
        place(tool, phases - 1)
    return sorted(order, key=lambda pair: pair[1])


def _test_out(tool: Tool, level: str, phase: Phase) -> Section | None:
    """The exercise that proves the lower depths. A prelude is new to everyone: nothing is below it to be proved."""
    return tool.template.test_out(level) if tool.template and not phase.prelude else None


def _minutes(tool: Tool, level: str, phase: Phase) -> int:
    test_out = _test_out(tool, level, phase)
    return round(tool.hours.at(level) * 60) + (test_out.content.minutes if test_out else 0)


def _step(
    request: Request,
    tool: Tool,
    phase: Phase,
    entry: Entry | None,
    reason: Reason,
    days: Calendar,
    spent: int,
    minutes: int,
    left: int,
) -> Step:
    level = request.level
    template = tool.template
    test_out = _test_out(tool, level, phase)
    return Step(
        tool=tool.slug,
        level=level,
        phase=phase.id,
        topic=entry.topic if entry else "",
        need=entry.place.need_at(level) if entry else "could",
        minutes=minutes,
        start=days.day(spent),
        end=days.day(spent + max(left, 1) - 1),
        reason=reason,
        contents=template.minutage(level, request.lang) if template else None,
        confirm=LEVELS[: LEVELS.index(level)] if template and not phase.prelude else (),
        test_out=test_out.name if test_out else None,
        left=left,
    )


class Calendar:
    """Study minutes to dates: the weekly hours are spread evenly over the days that are not paused."""

    def __init__(self, start: dt.date, hours_per_week: float, pauses: Iterable[tuple[dt.date, dt.date]]) -> None:
        self.start = start
        self.minutes_a_day = hours_per_week * 60 / 7
        self.pauses = _merged(pauses)

    def day(self, minute: int) -> dt.date:
        """The day on which the study minute `minute` (from 0) falls."""
        day = self.start + dt.timedelta(days=math.floor(minute / self.minutes_a_day))
        for first, last in self.pauses:
            first = max(first, self.start)
            if last >= first and day >= first:
                day += (last - first) + dt.timedelta(days=1)
        return day

    def study_days(self, last: dt.date) -> int:
        """The days from the first to `last`, both included, that are not paused."""
        days = (last - self.start).days + 1
        for first, end in self.pauses:
            first, end = max(first, self.start), min(end, last)
            days -= max(0, (end - first).days + 1)
        return max(0, days)

    def capacity(self, last: dt.date) -> int:
        """The study minutes from the first day to `last`, both included."""
        return math.floor(self.study_days(last) * self.minutes_a_day)


def _merged(pauses: Iterable[tuple[dt.date, dt.date]]) -> list[tuple[dt.date, dt.date]]:
    merged: list[tuple[dt.date, dt.date]] = []
    for first, last in sorted(pauses):
        if merged and first <= merged[-1][1] + dt.timedelta(days=1):
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _drop_order(
    tools_in_order: list[str], need: Callable[[str], str], tools: Mapping[str, Tool], keep: Callable[[set[str]], bool]
) -> set[str]:
    """Drop `could` before `should` before `must`, late before early, never what a kept tool needs, until `keep` holds."""
    kept = set(tools_in_order)
    for words in (("could",), ("could", "should"), ("could", "should", "must")):
        while not keep(kept):
            free = (
                tool
                for tool in reversed(tools_in_order)
                if tool in kept and need(tool) in words and not any(tool in tools[other].needs for other in kept)
            )
            tool = next(free, None)
            if tool is None:
                break
            kept.discard(tool)
    return kept


def _fit(
    order: list[tuple[str, int]],
    chosen: Mapping[str, Reason],
    entries: Mapping[str, Entry],
    tools: Mapping[str, Tool],
    costs: Mapping[str, int],
    capacity: int,
    level: str,
) -> set[str]:
    """The subset that meets the capacity: coherent, and as much of the important as there is room for."""
    names = [tool for tool, _ in order]
    kept = _drop_order(
        names,
        lambda tool: _need_in_plan(tool, entries, chosen, level),
        tools,
        lambda kept: sum(costs[tool] for tool in kept) <= capacity,
    )
    # What was dropped early may fit again once something large went after it.
    for tool in names:
        needs_met = all(need in kept or need not in chosen for need in tools[tool].needs)
        if tool not in kept and needs_met and sum(costs[t] for t in kept) + costs[tool] <= capacity:
            kept.add(tool)
    return kept


def _need_in_plan(tool: str, entries: Mapping[str, Entry], chosen: Mapping[str, Reason], level: str) -> str:
    """How much a plan needs a tool; one that the learner named, or another one builds on, is never mere decoration."""
    need = entries[tool].place.need_at(level) if tool in entries else "must"
    return "must" if chosen[tool].key == "asked-for" else need


def _deadline(plan: Plan, tools: Mapping[str, Tool], days: Calendar, deadline: dt.date) -> Deadline:
    if plan.end <= deadline:
        return Deadline(deadline, True, None)
    study_days = days.study_days(deadline)
    # Rounded up to the next half hour, as people plan their weeks.
    pace = math.ceil(plan.left / 60 / (study_days / 7) * 2) / 2 if study_days else None
    steps = {step.tool: step for step in plan.steps}
    needed = {need for step in plan.steps if step.need == "must" for need in _closure(step.tool, tools)}
    droppable = [
        tool
        for tool, step in steps.items()
        if step.need != "must" and tool not in needed and step.reason.key != "asked-for"
    ]
    return Deadline(deadline, False, pace, tuple(droppable), sum(steps[tool].left for tool in droppable))


def _closure(tool: str, tools: Mapping[str, Tool]) -> set[str]:
    """Everything that a tool builds on, directly or not."""
    found: set[str] = set()
    waiting = [tool]
    while waiting:
        for need in tools[waiting.pop()].needs:
            if need in tools and need not in found:
                found.add(need)
                waiting.append(need)
    return found
