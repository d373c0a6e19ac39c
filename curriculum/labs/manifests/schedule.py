"""Cron schedules as Kubernetes reads them: five fields, names, steps, and the `@` words."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = re.compile(r"@every (?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+")
_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_DAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
#: The lowest and the highest number of each field, and the names it takes.
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)


@dataclass(frozen=True)
class Schedule:
    """The minutes, hours, days, months and weekdays of a schedule. A day fits when the day of the month or the weekday
    fits, unless one of the two is `*`: then both have to."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def on(self, date: dt.date) -> bool:
        """Whether it runs on a day at all."""
        if date.month not in self.months:
            return False
        by_day, by_weekday = date.day in self.days, date.isoweekday() % 7 in self.weekdays
        return (by_day and by_weekday) if self.any_day or self.any_weekday else (by_day or by_weekday)

    def times(self) -> list[dt.time]:
        """The times of a day on which it runs."""
        return [dt.time(hour, minute) for hour in sorted(self.hours) for minute in sorted(self.minutes)]

    def runs(self, first: dt.date, days: int) -> Iterator[dt.datetime]:
        """Every run from a day on, for so many days."""
        for offset in range(days):
            date = first + dt.timedelta(days=offset)
            if self.on(date):
                yield from (dt.datetime.combine(date, time) for time in self.times())


def parse_schedule(text: object) -> Schedule | None:
    """A schedule, or None when Kubernetes would refuse it."""
    if not isinstance(text, str):
        return None
    fields = _MACROS.get(text.strip(), text).split()
    if len(fields) != 5 or "TZ=" in fields[0]:
        return None
    found = []
    for field, (low, high, names) in zip(fields, _FIELDS, strict=True):
        values = _field(field.lower(), low, high, names)
        if values is None:
            return None
        found.append(values)
    # `*/2` is a list of days, not every day.
    star = [bool({"*", "?", "*/1", "?/1"} & set(field.split(","))) for field in fields]
    return Schedule(found[0], found[1], found[2], found[3], found[4], star[2], star[4])


def is_schedule(text: object) -> bool:
    """Whether Kubernetes takes a text for a schedule; `@every 1h` is one, though it names no time of day."""
    return parse_schedule(text) is not None or (isinstance(text, str) and bool(_EVERY.fullmatch(text.strip())))


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int] | None:
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, {}) if slash else 1
        if not step:
            return None
        first_text, dash, last_text = span.partition("-")
        if first_text in {"*", "?"} and not dash:
            first, last = low, high
        else:
            start = _number(first_text, names)
            end = _number(last_text, names) if dash else (high if slash else start)
            if start is None or end is None:
                return None
            first, last = start, end
        if not low <= first <= last <= high:
            return None
        values |= set(range(first, last + 1, step))
    return frozenset(values)


def _number(text: str, names: dict[str, int]) -> int | None:
    if text in names:
        return names[text]
    return int(text) if text.isdecimal() and len(text) <= 4 else None


def is_zone(name: str) -> bool:
    """Whether Kubernetes takes a name for a time zone."""
    known = zoneinfo.available_timezones()
    # Where a system has no database of zones (Windows without tzdata), a name cannot be looked up.
    return name != "" and name.casefold() != "local" and (not known or name in known)


def same_clock(one: str, other: str) -> bool:
    """Whether two time zones show the same time all year round: `Japan` is another name of `Asia/Tokyo`."""
    if one == other:
        return True
    try:
        zones = zoneinfo.ZoneInfo(one), zoneinfo.ZoneInfo(other)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    days = [dt.datetime(2028, 1, 1, 12) + dt.timedelta(days=n) for n in range(366)]
    return all(zones[0].utcoffset(day) == zones[1].utcoffset(day) for day in days)
