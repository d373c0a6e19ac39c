"""`generate` without options, in a terminal: questions, and the command that the answers amount to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from curriculum.catalog import Catalog
from curriculum.errors import CurriculumError, RequestError, near
from curriculum.messages import say
from curriculum.model import Role, words
from curriculum.placement import place
from curriculum.request import (
    find_language,
    find_level,
    find_role,
    find_tools,
    fold,
    parse_pace,
    system_language,
    tool_names,
)

T = TypeVar("T")

_YES, _NO = ("y", "yes", "はい"), ("n", "no", "いいえ")


def interview(catalog: Catalog, options: dict[str, Any]) -> dict[str, Any]:
    """The options with role, level, language, pace and known tools asked for, where they were not given."""
    lang = find_language(options["lang"]) if options["lang"] else ""
    if not lang:
        own = system_language()
        lang = _choose(own, say(own, "ask.language"), {"ja": "日本語", "en": "English"}, own)
    role = catalog.role(_role(catalog, options["role"], lang))
    level = find_level(options["level"], role) if options["level"] else ""
    names = tool_names(catalog, role)
    known = find_tools(options["known"], names)
    if not level:
        level, sure = _level(role, lang)
        known += sure
    pace = _ask(lang, say(lang, "ask.pace"), parse_pace, default=str(options["hours_per_week"]))
    known += _ask(lang, say(lang, "ask.known"), lambda text: find_tools(text, names), default="")
    return {
        **options,
        "role": role.role,
        "level": level,
        "lang": lang,
        "hours_per_week": f"{pace:g}",
        "known": list(dict.fromkeys(known)),
    }


def _role(catalog: Catalog, word: str, lang: str) -> str:
    if word:
        return find_role(catalog, word)
    roles = {slug: words(catalog.role(slug).title, lang) for slug in catalog.role_files}
    return _choose(lang, say(lang, "ask.role"), roles, next(iter(roles)))


def _level(role: Role, lang: str) -> tuple[str, tuple[str, ...]]:
    """The level, asked for or found by the role's questions; with it what the answers say is known."""
    levels: dict[str, str] = {level.id: words(level.title, lang) for level in role.levels}
    unsure = {"?": say(lang, "ask.unsure")} if role.questions else {}
    level = _choose(lang, say(lang, "ask.level"), {**levels, **unsure}, next(iter(levels)))
    if level != "?":
        return level, ()
    answers = [_ask(lang, f"{words(question.text, lang)} [y/N]", _yes, default="n") for question in role.questions]
    level, known = place(role, answers)
    click.echo(say(lang, "ask.placed", level=levels[level]))
    return level, known


def _yes(text: str) -> bool:
    answer = text.strip().casefold()
    if answer not in (*_YES, *_NO):
        raise RequestError("yes-or-no", value=text)
    return answer in _YES


def _choose(lang: str, question: str, choices: dict[str, str], default: str) -> str:
    """Ask for one of several: by number, or by the word itself."""
    click.echo(question)
    slugs = list(choices)
    for number, label in enumerate(choices.values(), start=1):
        click.echo(f"  {number}. {label}")
    by_word = {str(n): slug for n, slug in enumerate(slugs, start=1)}
    by_word |= {fold(word): slug for slug, label in choices.items() for word in (slug, label)}

    def chosen(text: str) -> str:
        if fold(text) not in by_word:
            labels = list(choices.values())
            raise RequestError("not-a-choice", value=text, choices=labels, near=near(text, labels))
        return by_word[fold(text)]

    return _ask(lang, "", chosen, default=str(slugs.index(default) + 1))


def _ask(lang: str, question: str, parse: Callable[[str], T], *, default: str) -> T:
    """Ask until the answer can be used; each refusal is a sentence in the chosen language."""
    while True:
        answer = click.prompt(question, default=default, show_default=bool(default), prompt_suffix="> ")
        try:
            return parse(answer)
        except CurriculumError as error:
            click.echo(error.sentence(lang))
