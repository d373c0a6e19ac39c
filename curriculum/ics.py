"""A roadmap as calendar entries (RFC 5545)."""

from __future__ import annotations

import datetime as dt

from curriculum.model import words
from curriculum.roadmap import Roadmap, hours


def calendar(roadmap: Roadmap) -> str:
    """One all-day entry for each step; the same plan gives the same text."""
    from icalendar import Calendar, Event

    lang, plan = roadmap.lang, roadmap.plan
    result = Calendar()
    result.add("prodid", "-//curriculum//roadmap//EN")
    result.add("version", "2.0")
    result.add("x-wr-calname", words(roadmap.role.title, lang))
    for step in plan.steps:
        event = Event()
        event.add("uid", f"{plan.request.study}-{step.tool}-{step.level}@curriculum")
        event.add("dtstamp", dt.datetime.combine(plan.start, dt.time(), dt.UTC))
        event.add("dtstart", step.start)
        event.add("dtend", step.end + dt.timedelta(days=1))
        event.add("summary", f"{roadmap.title(step.tool)} ({hours(step.minutes, lang)})")
        event.add("description", f"{roadmap.why_step(step)}\n{roadmap.made_of(step)}")
        event.add("transp", "TRANSPARENT")
        result.add_component(event)
    return str(result.to_ical().decode("utf-8"))
