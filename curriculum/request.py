"""From what a person typed to a `Request`: words to slugs, dates to dates, defaults filled in.

The command line, the Papermill engine, the Python API and the Start cell of a study notebook all come through here,
so they understand the same words and refuse the same mistakes.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from curriculum.catalog import Catalog
from curriculum.errors import RequestError, near
from curriculum.messages import LANGUAGES
from curriculum.model import LEVELS, NEEDS, Request, Role

#: Hours a week below or above which a plan would not be a plan.
LEAST_HOURS, MOST_HOURS = 0.5, 80.0
LONGEST_NAME = 120

_LANGUAGE_WORDS = {"ja": ("japanese", "日本語", "jpn", "jp"), "en": ("english", "英語", "eng")}
_LEVEL_WORDS = {
    "beginner": ("初級", "初心者", "初級者", "入門", "初学者", "junior", "basic"),
    "intermediate": ("中級", "中級者"),
    "advanced": ("上級", "上級者", "senior", "expert"),
}
_RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")

Words = str | Iterable[str]


def resolve(
    catalog: Catalog,
    *,
    role: str = "",
    level: str = "",
    lang: str = "",
    learner: str = "",
    id: str = "",
    known: Words = (),
    hours_per_week: float | str = 8,
    start: str | dt.date = "",
    deadline: str | dt.date = "",
    pause: Words = (),
    phase: Words | int = (),
    only: Words = (),
    prefer: Words = (),
    depth: str = "",
    fit: bool = False,
    single: bool = False,
    variant: str = "learner",
    industry: str = "",
    resume: str | dt.date = "",
    done: Mapping[str, int] = MappingProxyType({}),
    part: str = "",
    today: dt.date | None = None,
) -> Request:
    """Turn words into a `Request`. Raises RequestError for the first value that cannot be used."""
    for option, word in (
        ("role", role),
        ("level", level),
        ("lang", lang),
        ("variant", variant),
        ("industry", industry),
        ("part", part),
        ("depth", depth),
    ):
        if not isinstance(word, str):
            raise RequestError("name-not-text", value=shown(str(word)), option=option)
    roles = list(catalog.role_files)
    if not role and len(roles) != 1:
        raise RequestError("no-role", choices=roles)
    the_role = catalog.role(find_role(catalog, role) if role else roles[0])
    if not level:
        raise RequestError("no-level", choices=[entry.id for entry in the_role.levels])
    the_start = parse_date(start, "start") or next_monday(today or dt.date.today())
    the_deadline = parse_date(deadline, "deadline")
    if the_deadline and the_deadline < the_start:
        raise RequestError("deadline-before-start", deadline=the_deadline, start=the_start)
    if flag(fit, "fit") and not the_deadline:
        raise RequestError("fit-without-deadline")
    names = tool_names(catalog, the_role)
    return Request(
        role=the_role.role,
        level=find_level(level, the_role),
        lang=find_language(lang) if lang else system_language(),
        start=the_start,
        hours_per_week=parse_pace(hours_per_week),
        learner=clean_name(learner),
        id=clean_id(id),
        known=find_tools(known, names),
        deadline=the_deadline,
        pauses=tuple(sorted(parse_pause(text) for text in _split(pause))),
        phases=find_phases(the_role, _split(phase)),
        only=find_tools(only, names),
        prefer=find_preferred(prefer, names, the_role),
        depth=choice("unknown-depth", depth or "should", NEEDS),
        fit=flag(fit, "fit"),
        single=flag(single, "single"),
        variant=choice("unknown-variant", variant, ("learner", "instructor")),
        industry=find_industry(catalog, industry, the_role),
        resume=parse_date(resume, "resume"),
        done=parse_done(done),
        part=part,
    )


def literals(request: Request) -> dict[str, object]:
    """The request as plain literals: the parameters cell of a study notebook. `resolve` reads them back."""
    return {
        "role": request.role,
        "level": request.level,
        "lang": request.lang,
        "learner": request.learner,
        "id": request.id,
        "known": list(request.known),
        "hours_per_week": number(request.hours_per_week),
        "start": request.start.isoformat(),
        "deadline": request.deadline.isoformat() if request.deadline else "",
        "pause": [f"{first}..{last}" for first, last in request.pauses],
        "phase": list(request.phases),
        "only": list(request.only),
        "prefer": list(request.prefer),
        "depth": request.depth,
        "fit": request.fit,
        "single": request.single,
        "variant": request.variant,
        "industry": request.industry,
        "resume": request.resume.isoformat() if request.resume else "",
        "done": dict(request.done),
        "part": request.part,
    }


def flag(value: object, option: str) -> bool:
    """A flag, as Python, YAML or a shell writes it."""
    text = str(value).casefold()
    if text not in {"true", "false", "1", "0", ""}:
        raise RequestError("bad-flag", option=option, value=shown(str(value)))
    return text in {"true", "1"}


def number(value: float) -> float | int:
    """8.0 as 8, 7.5 as 7.5: how people write hours."""
    return int(value) if float(value).is_integer() else value


def fold(text: str) -> str:
    """A form in which spelling variants are equal: width, case, spaces, hyphens."""
    return re.sub(r"[\s_\-・]+", "", unicodedata.normalize("NFKC", text)).casefold()


def _split(value: Words | int | float) -> list[str]:
    texts = [str(item) for item in value] if isinstance(value, list | tuple | set | frozenset) else [str(value)]
    return [part.strip() for text in texts for part in re.split(r"[,、，]", text) if part.strip()]


def choice(key: str, value: str, choices: Iterable[str]) -> str:
    choices = list(choices)
    if value not in choices:
        raise RequestError(key, value=value, choices=choices, near=near(value, choices))
    return value


def find_role(catalog: Catalog, word: str) -> str:
    """A role by slug, title or alias, in any language."""
    if word in catalog.role_files:
        return word
    names: dict[str, str] = {}
    for slug in catalog.role_files:
        role = catalog.role(slug)
        for name in (slug, *role.title.values(), *role.aliases):
            names[name] = slug
    return _named(word, names, "unknown-role", list(catalog.role_files))


def find_level(word: str, role: Role | None = None) -> str:
    """A level by slug or common name, or by the title that the role gives it, in any language."""
    levels: list[str] = [level.id for level in role.levels] if role else list(LEVELS)
    names = {name: slug for slug in LEVELS for name in (slug, *_LEVEL_WORDS[slug])}
    if role:
        names |= {title: level.id for level in role.levels for title in level.title.values()}
    return choice("unknown-level", _named(word, names, "unknown-level", levels), levels)


def find_industry(catalog: Catalog, word: object, role: Role | None = None) -> str:
    """An industry that the story is told for, by id or by the title that the role gives it; "" stays "", the first one."""
    if not isinstance(word, str):
        raise RequestError("name-not-text", value=shown(str(word)), option="industry")
    if not word.strip():
        return ""
    names = {name: name for name in catalog.stories}
    for industry in role.industries if role else ():
        if industry.id in catalog.stories:
            names |= dict.fromkeys(industry.title.values(), industry.id)
    return _named(word, names, "unknown-industry", list(catalog.stories))


def find_language(word: str) -> str:
    """A language by code or by name."""
    names = {name: lang for lang, others in _LANGUAGE_WORDS.items() for name in (lang, *others)}
    return _named(word, names, "unknown-language", list(LANGUAGES))


def tool_names(catalog: Catalog, role: Role) -> dict[str, str]:
    """Every name that a tool of the role goes by, with its slug."""
    names: dict[str, str] = {}
    for slug, tool in catalog.tools(role).items():
        others = (*tool.template.front.aliases, *tool.template.front.formerly) if tool.template else ()
        for name in (slug, *tool.title.values(), *others):
            names[name] = slug
    return names


def find_tools(words: Words, names: Mapping[str, str]) -> tuple[str, ...]:
    """Tools by slug, title or alias; each once, in the order given."""
    slugs = sorted(set(names.values()))
    return tuple(dict.fromkeys(_named(word, names, "unknown-tool", slugs) for word in _split(words)))


def find_preferred(words: Words, names: Mapping[str, str], role: Role) -> tuple[str, ...]:
    """Tools that a plan takes in; of those that do the same job, one. Raises RequestError for two."""
    tools = find_tools(words, names)
    for choice in role.choices:
        same = [entry.tool for entry in choice.tools if entry.tool in tools]
        if len(same) > 1:
            raise RequestError("prefer-two", value=same[0], other=same[1])
    return tools


def _named(word: str, names: Mapping[str, str], key: str, choices: list[str]) -> str:
    folded = {fold(name): slug for name, slug in names.items()}
    if fold(word) in folded:
        return folded[fold(word)]
    guess = near(fold(word), folded)
    raise RequestError(key, value=shown(word), choices=choices, near=folded[guess] if guess else "")


def shown(text: str) -> str:
    """A value as it may stand in a message: one line, not endless."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return text if len(text) <= 60 else text[:59] + "…"


def find_phases(role: Role, words: Iterable[str]) -> tuple[str, ...]:
    """Phases by number (a prelude is 0, the others count from 1) or id, in the role's order."""
    numbers = {number: phase.id for number, phase in role.numbered}
    ids = list(numbers.values())
    wanted = set()
    for word in words:
        text = unicodedata.normalize("NFKC", word)
        if text.isdecimal() and int(text) in numbers:
            wanted.add(numbers[int(text)])
        else:
            choices = [f"{n} ({slug})" for n, slug in numbers.items()]
            if text not in ids:
                raise RequestError("unknown-phase", value=shown(word), choices=choices, near=near(text, ids))
            wanted.add(text)
    return tuple(slug for slug in ids if slug in wanted)


def parse_pace(value: float | str) -> float:
    """Hours a week, from `LEAST_HOURS` to `MOST_HOURS`."""
    try:
        pace = float(unicodedata.normalize("NFKC", value) if isinstance(value, str) else value)
    except (TypeError, ValueError):
        raise RequestError("bad-hours", value=shown(str(value)), least=LEAST_HOURS, most=number(MOST_HOURS)) from None
    if isinstance(value, bool) or not math.isfinite(pace) or not LEAST_HOURS <= pace <= MOST_HOURS:
        raise RequestError("bad-hours", value=shown(str(value)), least=LEAST_HOURS, most=number(MOST_HOURS))
    return pace


def parse_date(value: str | dt.date, option: str) -> dt.date | None:
    """A date such as 2026-11-30, 2026/11/30 or 2026年11月30日; None for an empty value."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    text = unicodedata.normalize("NFKC", str(value)).strip()
    if not text:
        return None
    match = _DATE.fullmatch(text)
    if not match:
        raise RequestError("bad-date", value=shown(text), option=option)
    try:
        date = dt.date(*map(int, match.groups()))
    except ValueError:
        raise RequestError("no-such-date", value=shown(text), option=option) from None
    if not 2000 <= date.year <= 2100:
        raise RequestError("far-date", value=shown(text), option=option)
    return date


def parse_done(value: object) -> tuple[tuple[str, int], ...]:
    """Minutes by tool, as the parameters cell has them."""
    if not isinstance(value, Mapping) or not all(isinstance(m, int) and m >= 0 for m in value.values()):
        raise RequestError("bad-done", value=shown(str(value)))
    return tuple((str(tool), minutes) for tool, minutes in sorted(value.items()))


def parse_pause(text: str) -> tuple[dt.date, dt.date]:
    """`FROM..TO`, both days included."""
    first, dots, last = re.sub("[〜～~]", "..", text).partition("..")
    begin, end = parse_date(first, "pause"), parse_date(last, "pause")
    if not dots or begin is None or end is None:
        raise RequestError("bad-pause", value=shown(text))
    if end < begin:
        raise RequestError("pause-backwards", value=shown(text))
    return begin, end


def next_monday(today: dt.date) -> dt.date:
    """Today if it is a Monday, else the coming Monday."""
    return today + dt.timedelta(days=-today.weekday() % 7)


def clean_name(name: object) -> str:
    """A person's name on one line. What it may contain is the renderer's business: it is data, never markup."""
    if not isinstance(name, str):
        raise RequestError("name-not-text", value=shown(str(name)), option="learner")
    text = " ".join("".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in name).split())
    if any(unicodedata.category(c) == "Cs" for c in text):
        raise RequestError("name-not-text", value=shown(text), option="learner")
    if len(text) > LONGEST_NAME:
        raise RequestError("name-too-long", length=len(text), most=LONGEST_NAME)
    return text


def clean_id(value: object) -> str:
    """A learner's id: it names a folder, so it must be a safe file name on every system."""
    if not isinstance(value, str):
        raise RequestError("name-not-text", value=shown(str(value)), option="id")
    text = unicodedata.normalize("NFC", value)
    if text and (
        not re.fullmatch(r"\w[\w.\-]{0,63}", text) or text.endswith(".") or text.split(".")[0].casefold() in _RESERVED
    ):
        raise RequestError("bad-id", value=shown(text))
    return text


def system_language(environment: Mapping[str, str] | None = None) -> str:
    """The language of this system, `ja` or `en`; knows POSIX names (ja_JP.UTF-8) and Windows' (Japanese_Japan.932)."""
    import locale

    variables = os.environ if environment is None else environment
    names = [variables.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    if environment is None and not any(names):
        names.append(locale.getlocale()[0] or "")
    name = next((name for name in names if name), "").casefold()
    return "ja" if name.startswith(("ja_", "japanese")) or name in {"ja", "ja.utf-8"} else "en"
