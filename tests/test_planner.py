"""The planner: pure, so its promises are checked on thousands of made-up roles and requests."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from curriculum.catalog import catalog_at
from curriculum.errors import RequestError
from curriculum.model import LEVELS, Alternative, Choice, Hours, Plan, Request, Role
from curriculum.planner import Calendar, plan_study
from curriculum.template import Tool

MONDAY = dt.date(2026, 11, 30)


def make_role(
    places: list[list[dict[str, object]]], tools: dict[str, tuple[list[str], float]]
) -> tuple[Role, dict[str, Tool]]:
    """A role whose phases hold the given places, one topic each, and its tools with needs and hours."""
    both = {"en": "x", "ja": "あ"}
    role = TypeAdapter(Role).validate_python(
        {
            "format": 1,
            "role": "tester",
            "title": both,
            "overview": both,
            "levels": [
                {"id": level, "title": both, "years": {"from": 0}, "positions": [], "expectations": []}
                for level in LEVELS
            ],
            "phases": [
                {
                    "id": f"p{n}",
                    "title": both,
                    "why": both,
                    "topics": [{"id": f"t{n}", "title": both, "covers": both, "tools": entries}],
                }
                for n, entries in enumerate(places)
            ],
            "tools": [
                {
                    "tool": slug,
                    "title": slug,
                    "category": "x",
                    "needs": needs,
                    "hours": dict.fromkeys(LEVELS, hours),
                    "docs": "https://example.org/",
                }
                for slug, (needs, hours) in tools.items()
            ],
        }
    )
    made = {
        slug: Tool(
            slug,
            {"*": slug},
            "x",
            tuple(needs),
            Hours(beginner=hours, intermediate=hours, advanced=hours),
            "https://example.org/",
        )
        for slug, (needs, hours) in tools.items()
    }
    return role, made


def request(**changes: object) -> Request:
    values: dict[str, object] = {
        "role": "tester",
        "level": "beginner",
        "lang": "en",
        "start": MONDAY,
        "hours_per_week": 7.0,
    }
    return Request(**{**values, **changes})  # type: ignore[arg-type]


@st.composite
def studies(draw: st.DrawFn) -> tuple[Role, dict[str, Tool], Request]:
    count = draw(st.integers(1, 12))
    names = [f"tool-{n}" for n in range(count)]
    # A tool may need only tools of a smaller number: no circles.
    needs = {
        name: draw(st.lists(st.sampled_from(names[:n]), unique=True, max_size=3)) if n else []
        for n, name in enumerate(names)
    }
    tools = {name: (needs[name], draw(st.sampled_from([0.5, 1, 2.5, 8, 40]))) for name in names}
    phases: list[list[dict[str, object]]] = [[] for _ in range(draw(st.integers(1, 4)))]
    for name in draw(st.permutations(names)):
        place: dict[str, object] = {"tool": name, "need": draw(st.sampled_from(["must", "should", "could"]))}
        assumed = draw(st.sampled_from([None, None, None, "intermediate", "advanced"]))
        if assumed:
            place["assumed_from"] = assumed
        draw(st.sampled_from(phases)).append(place)
    role, made = make_role(phases, tools)
    pauses = draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=3))
    deadline = draw(st.none() | st.integers(0, 400))
    asked = request(
        level=draw(st.sampled_from(LEVELS)),
        hours_per_week=draw(st.sampled_from([0.5, 3.0, 8.0, 40.0])),
        known=tuple(draw(st.lists(st.sampled_from(names), unique=True, max_size=3))),
        only=tuple(draw(st.lists(st.sampled_from(names), unique=True, max_size=3))),
        prefer=tuple(draw(st.lists(st.sampled_from(names), unique=True, max_size=2))),
        depth=draw(st.sampled_from(["must", "should", "could"])),
        pauses=tuple((MONDAY + dt.timedelta(days=a), MONDAY + dt.timedelta(days=a + b)) for a, b in pauses),
        deadline=None if deadline is None else MONDAY + dt.timedelta(days=deadline),
        fit=deadline is not None and draw(st.booleans()),
    )
    return role, made, asked


def planned(study: tuple[Role, dict[str, Tool], Request]) -> Plan | None:
    role, tools, asked = study
    try:
        return plan_study(asked, role, tools)
    except RequestError as error:
        assert error.key in {"nothing-to-learn", "nothing-fits"}
        return None


@settings(max_examples=300, deadline=None)
@given(studies())
def test_a_plan_is_in_prerequisite_order_without_gaps_and_explains_every_tool(
    study: tuple[Role, dict[str, Tool], Request],
) -> None:
    """Each tool once; after what it builds on; dates never go back; every tool of the role is a step or a skip."""
    role, tools, asked = study
    plan = planned(study)
    if plan is None:
        return
    names = [step.tool for step in plan.steps]
    assert len(set(names)) == len(names)
    for place, step in enumerate(plan.steps):
        assert not set(tools[step.tool].needs) & set(names[place + 1 :])
        assert step.start <= step.end
        if place:
            assert plan.steps[place - 1].start <= step.start
            assert plan.steps[place - 1].end <= step.end
            assert (step.start - plan.steps[place - 1].end).days <= 1 + sum((b - a).days + 1 for a, b in asked.pauses)
        for first, last in asked.pauses:
            assert not first <= step.start <= last
            assert not first <= step.end <= last
    assert plan.minutes == sum(step.minutes for step in plan.steps)
    everything = {place.tool for phase in role.phases for topic in phase.topics for place in topic.tools}
    assert everything == set(names) | {skip.tool for skip in plan.skipped}
    assert not set(names) & {skip.tool for skip in plan.skipped}


@settings(max_examples=300, deadline=None)
@given(studies())
def test_what_fits_a_deadline_meets_it_and_is_coherent(study: tuple[Role, dict[str, Tool], Request]) -> None:
    """With `fit` the plan ends in time, and no step lacks a tool that was dropped under it."""
    _, tools, asked = study
    plan = planned(study)
    if plan is None or not asked.fit or asked.deadline is None:
        return
    assert plan.end <= asked.deadline
    assert plan.deadline is not None
    assert plan.deadline.met
    left_out = {skip.tool for skip in plan.skipped if skip.reason.key == "left-out"}
    for step in plan.steps:
        assert not left_out & set(tools[step.tool].needs)


@settings(max_examples=200, deadline=None)
@given(studies())
def test_the_pace_that_is_said_to_meet_a_deadline_meets_it(study: tuple[Role, dict[str, Tool], Request]) -> None:
    """A missed deadline names a pace; planning again with that pace is in time."""
    role, tools, asked = study
    plan = planned(study)
    if plan is None or plan.deadline is None or plan.deadline.met or plan.deadline.pace is None:
        return
    assert plan.deadline.pace > asked.hours_per_week
    faster = plan_study(Request(**{**vars_of(asked), "hours_per_week": plan.deadline.pace}), role, tools)
    assert faster.deadline is not None
    assert faster.deadline.met


def vars_of(asked: Request) -> dict[str, object]:
    import dataclasses

    return {field.name: getattr(asked, field.name) for field in dataclasses.fields(asked)}


@given(
    st.integers(0, 100_000),
    st.sampled_from([0.5, 7.0, 12.0, 80.0]),
    st.lists(st.tuples(st.integers(-20, 300), st.integers(0, 40)), max_size=4),
)
def test_a_calendar_gives_back_the_minutes_it_was_asked_for(
    minute: int, pace: float, spans: list[tuple[int, int]]
) -> None:
    """The day of a minute has room for it, and the day before has not; it is never a paused day."""
    pauses = [(MONDAY + dt.timedelta(days=a), MONDAY + dt.timedelta(days=a + b)) for a, b in spans]
    calendar = Calendar(MONDAY, pace, pauses)
    day = calendar.day(minute)
    assert calendar.capacity(day) >= minute
    assert calendar.capacity(day - dt.timedelta(days=1)) <= minute
    assert not any(first <= day <= last for first, last in pauses)


TWO = [
    [{"tool": "git"}, {"tool": "docker"}],
    [{"tool": "kubernetes"}, {"tool": "helm", "need": "should"}, {"tool": "istio", "need": "could"}],
]
TOOLS: dict[str, tuple[list[str], float]] = {
    "git": ([], 7),
    "docker": ([], 7),
    "kubernetes": (["docker"], 14),
    "helm": (["kubernetes"], 7),
    "istio": (["kubernetes"], 7),
}


def reasons(plan: Plan) -> dict[str, str]:
    return {skip.tool: skip.reason.key for skip in plan.skipped} | {step.tool: step.reason.key for step in plan.steps}


def test_seven_hours_a_week_are_one_hour_a_day() -> None:
    """Seven hours at seven hours a week are Monday to Sunday."""
    plan = plan_study(request(), *make_role(TWO, TOOLS))
    first, second = plan.steps[:2]
    assert (first.start, first.end) == (MONDAY, MONDAY + dt.timedelta(days=6))
    assert second.start == MONDAY + dt.timedelta(days=7)
    assert (plan.hours, plan.weeks, plan.end) == (35, 5, MONDAY + dt.timedelta(days=34))


def test_a_pause_moves_everything_after_it() -> None:
    """Two weeks of pause in the first week: the end is two weeks later, no step touches the pause."""
    pause = (MONDAY + dt.timedelta(days=3), MONDAY + dt.timedelta(days=16))
    plan = plan_study(request(pauses=(pause,)), *make_role(TWO, TOOLS))
    assert plan.end == MONDAY + dt.timedelta(days=34 + 14)
    assert plan.weeks == 7


def test_every_choice_has_its_reason() -> None:
    """Known, optional, recommended and required tools say why they are where they are."""
    plan = plan_study(request(known=("docker",)), *make_role(TWO, TOOLS))
    assert reasons(plan) == {
        "git": "topic-must",
        "docker": "known",
        "kubernetes": "topic-must",
        "helm": "topic-should",
        "istio": "optional",
    }


def test_what_a_planned_tool_builds_on_comes_in_too() -> None:
    """An optional tool that a required one needs is planned before it, and says for whose sake."""
    places = [[{"tool": "mlflow"}], [{"tool": "python", "need": "could"}]]
    plan = plan_study(request(), *make_role(places, {"mlflow": (["python"], 5), "python": ([], 5)}))
    assert [step.tool for step in plan.steps] == ["python", "mlflow"]
    assert plan.steps[0].reason.key == "needed-by"
    assert plan.steps[0].reason.tools == ("mlflow",)


def test_only_names_what_is_built_on_but_not_chosen() -> None:
    """With `only`, prerequisites stay out and say so."""
    plan = plan_study(request(only=("kubernetes",)), *make_role(TWO, TOOLS))
    assert [step.tool for step in plan.steps] == ["kubernetes"]
    assert reasons(plan)["docker"] == "not-chosen-needed"
    assert reasons(plan)["git"] == "not-chosen"


def with_choice(role: Role, *tools: str) -> Role:
    """The role, the tools doing the same job in it."""
    both = {"en": "x", "ja": "あ"}
    alternatives = tuple(Alternative(tool=tool, when=both) for tool in tools)
    return replace(role, choices=(Choice(id="job", title=both, tools=alternatives),))


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({}, "jenkins"),
        ({"prefer": ("gitlab",)}, "gitlab"),
        ({"known": ("actions",)}, None),
        ({"prefer": ("gitlab",), "known": ("actions",)}, "gitlab"),
        ({"depth": "must"}, None),
        ({"depth": "must", "prefer": ("actions",)}, "actions"),
        ({"depth": "could"}, "jenkins"),
    ],
)
def test_of_several_tools_for_a_job_one_is_planned(changes: dict[str, Any], taken: str | None) -> None:
    """The preferred one, else the first; none where one is known or the plan does not go that far."""
    three = {tool: ([], 5.0) for tool in ("jenkins", "gitlab", "actions")}
    role, tools = make_role(
        [[{"tool": "git"}, *({"tool": tool, "need": "should"} for tool in three), {"tool": "go", "need": "could"}]],
        {"git": ([], 1), **three, "go": ([], 5)},
    )
    role = with_choice(role, *three)
    plan = plan_study(request(**changes), role, tools)
    deep = changes.get("depth") == "could"
    assert [step.tool for step in plan.steps] == ["git", *([taken] if taken else []), *(["go"] if deep else [])]
    for skip in plan.skipped:
        if skip.reason.key == "alternative":
            assert skip.reason.tools == ((taken or changes["known"][0]),)


def test_a_preferred_tool_is_planned_wherever_it_stands() -> None:
    """An optional tool that the learner names comes in, with what it builds on, and the rest stays."""
    plan = plan_study(request(prefer=("istio",)), *make_role(TWO, TOOLS))
    assert [step.tool for step in plan.steps][-1] == "istio"
    assert reasons(plan)["istio"] == "asked-for"
    assert reasons(plan)["git"] == "topic-must"


def with_prelude(role: Role) -> Role:
    """The role, its first phase a prelude."""
    first, *rest = role.phases
    return replace(role, phases=(replace(first, prelude=True), *rest))


def test_a_prelude_is_number_0_and_the_others_keep_theirs() -> None:
    """Also where nothing of it is left to plan."""
    role, tools = make_role(TWO, TOOLS)
    assert [phase.number for phase in plan_study(request(), role, tools).phases] == [1, 2]
    plan = plan_study(request(), with_prelude(role), tools)
    assert [phase.number for phase in plan.phases] == [0, 1]
    known = tuple(step.tool for step in plan.phases[0].steps)
    assert known
    without = plan_study(request(known=known), with_prelude(role), tools)
    assert [(phase.number, bool(phase.steps)) for phase in without.phases] == [(0, False), (1, True)]


def test_a_prelude_has_no_lower_depths_to_confirm() -> None:
    """It is new to everyone: no list to confirm, no test-out exercise, no time for either."""
    catalog = catalog_at(None)
    role = catalog.role("mlops-engineer")
    plan = plan_study(request(role="mlops-engineer", level="advanced"), role, catalog.tools(role))
    (step,) = plan.phases[0].steps
    assert (step.tool, step.confirm, step.test_out, step.minutes) == ("first-lap", (), None, 30)
    assert next(step for step in plan.steps if step.tool == "docker").confirm == ("beginner", "intermediate")


def test_a_phase_alone_plans_that_phase() -> None:
    """With `phase`, other phases are skipped, prerequisites in them included."""
    plan = plan_study(request(phases=("p1",)), *make_role(TWO, TOOLS))
    assert [step.tool for step in plan.steps] == ["kubernetes", "helm"]
    assert reasons(plan)["docker"] == "other-phase"


def test_a_missed_deadline_says_what_would_help() -> None:
    """35 hours in three weeks: 12 hours a week would do, and Helm could be dropped."""
    plan = plan_study(request(deadline=MONDAY + dt.timedelta(days=20)), *make_role(TWO, TOOLS))
    assert plan.deadline is not None
    assert (plan.deadline.met, plan.deadline.pace, plan.deadline.droppable) == (False, 12.0, ("helm",))


def test_fitting_drops_the_least_important_first() -> None:
    """Four weeks hold everything but Helm; two weeks hold the first two tools."""
    role, tools = make_role(TWO, TOOLS)
    four = plan_study(request(deadline=MONDAY + dt.timedelta(days=27), fit=True), role, tools)
    assert [step.tool for step in four.steps] == ["git", "docker", "kubernetes"]
    two = plan_study(request(deadline=MONDAY + dt.timedelta(days=13), fit=True), role, tools)
    assert [step.tool for step in two.steps] == ["git", "docker"]


@pytest.mark.parametrize(
    ("changes", "key"),
    [({"known": tuple(TOOLS)}, "nothing-to-learn"), ({"deadline": MONDAY, "fit": True}, "nothing-fits")],
)
def test_a_plan_without_steps_is_refused(changes: dict[str, object], key: str) -> None:
    """Nobody gets an empty roadmap: the refusal says why."""
    with pytest.raises(RequestError) as refusal:
        plan_study(request(**changes), *make_role(TWO, TOOLS))
    assert refusal.value.key == key
