"""What `list` and `show` say of the catalogue."""

from __future__ import annotations

from typing import Any

from curriculum.catalog import Catalog
from curriculum.errors import RequestError, near
from curriculum.messages import say
from curriculum.model import LEVELS, words
from curriculum.render import markdown_table
from curriculum.request import find_role, find_tools, number, tool_names
from curriculum.roadmap import duration
from curriculum.template import Tool

COLUMNS = {
    "roles": ("role", "title", "tools", "phases"),
    "tools": ("tool", "title", "category", "needs", "hours", "checklist", "exercises"),
    "exercises": ("exercise", "title", "level", "minutes", "backend"),
}

Row = dict[str, Any]


def cell(value: Any) -> str:
    """A value as it stands in a table."""
    if isinstance(value, dict):
        return " / ".join(str(len(entry)) if isinstance(entry, list) else str(entry) for entry in value.values())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return str(value) if value is not None else "–"


def _all_tools(catalog: Catalog) -> dict[str, Tool]:
    """Every tool that a role names or a template is about."""
    tools: dict[str, Tool] = {}
    for slug in catalog.role_files:
        tools |= catalog.tools(catalog.role(slug))
    for slug in catalog.template_files:
        if slug not in tools and (template := catalog.template(slug)):
            front = template.front
            tools[slug] = Tool(slug, front.title, front.category, front.needs, front.hours, front.docs, template)
    return tools


def roles(catalog: Catalog, lang: str) -> list[Row]:
    rows = []
    for slug in catalog.role_files:
        role = catalog.role(slug)
        levels = [level.id for level in role.levels]
        rows.append(
            {
                "role": slug,
                "title": words(role.title, lang),
                "levels": levels,
                "tools": len(role.names),
                "phases": sum(not phase.prelude for phase in role.phases),
            }
        )
    return rows


def tools(catalog: Catalog, lang: str) -> list[Row]:
    return [
        {
            "tool": slug,
            "title": words(tool.title, lang),
            "category": tool.category,
            "needs": list(tool.needs),
            "hours": {level: number(tool.hours.at(level)) for level in LEVELS},
            "checklist": {level: len(tool.template.items(level)) if tool.template else 0 for level in LEVELS},
            "exercises": {
                level: [s.name for s in tool.template.exercises(level)] if tool.template else [] for level in LEVELS
            },
            "docs": tool.docs,
            "template": tool.template is not None,
        }
        for slug, tool in _all_tools(catalog).items()
    ]


def exercises(catalog: Catalog, lang: str) -> list[Row]:
    rows = []
    for slug, template in catalog.exercises():
        section = next(section for section in template.sections if section.name == slug)
        exercise = section.content
        rows.append(
            {
                "exercise": slug,
                "tool": template.front.tool,
                "title": words(exercise.title, lang),
                "level": exercise.level,
                "minutes": exercise.minutes,
                "backend": exercise.backend,
                "criteria": list(exercise.rubric),
                "files": list(section.files("starter", lang)),
            }
        )
    return rows


def role_page(catalog: Catalog, name: str, lang: str) -> str:
    """A role in Markdown: what it is, its levels, its phases."""
    role = catalog.role(find_role(catalog, name))
    parts = [f"# {words(role.title, lang)}", words(role.overview, lang)]
    for level in role.levels:
        years = say(
            lang,
            "years.open" if level.years.to is None else "years.span",
            first=number(level.years.first),
            last=number(level.years.to or 0),
        )
        lines = [f"- {words(text, lang)}" for text in level.expectations]
        parts += [f"## {words(level.title, lang)} ({years})", "\n".join(lines)]
    for number_, phase in role.numbered:
        title = say(lang, "timeline.phase", number=number_, title=words(phase.title, lang))
        lines = [f"- {words(topic.title, lang)}: {words(topic.covers, lang)}" for topic in phase.topics]
        parts += [f"## {title}", words(phase.why, lang), "\n".join(lines)]
    return "\n\n".join(parts)


def tool_page(catalog: Catalog, name: str, lang: str) -> str:
    """A tool in Markdown: what it is for, its hours, its checklists and exercises."""
    every = _all_tools(catalog)
    names = {
        alias: slug for role in catalog.role_files for alias, slug in tool_names(catalog, catalog.role(role)).items()
    }
    names |= {slug: slug for slug in every}
    tool = every[find_tools([name], names)[0]]
    titles = [words(every[need].title, lang) if need in every else need for need in tool.needs]
    parts = [f"# {words(tool.title, lang)}"]
    if tool.template:
        parts.append(words(tool.template.front.summary, lang))
    parts.append(tool.docs)
    if titles:
        parts.append(say(lang, "show.needs", tools=titles))
    for level in LEVELS:
        parts.append(
            "## "
            + say(
                lang,
                "show.level",
                level=say(lang, f"level.{level}"),
                hours=say(lang, "duration.hours", hours=number(tool.hours.at(level))),
            )
        )
        if tool.template is None:
            parts.append(say(lang, "hours.estimate"))
            continue
        parts.append("\n".join(f"- {words(item.text, lang)}" for item in tool.template.items(level)))
        rows = [
            [f"`{s.name}`", words(s.content.title, lang), duration(s.content.minutes, lang)]
            for s in tool.template.exercises(level)
        ]
        if rows:
            head = [say(lang, f"cli.column-{name}") for name in ("exercise", "title", "minutes")]
            parts.append(markdown_table(head, rows))
    return "\n\n".join(parts)


def exercise_page(catalog: Catalog, name: str, lang: str) -> str:
    """An exercise in Markdown, as a learner reads it, with its default values; never its solution."""
    found = dict(catalog.exercises())
    if name not in found:
        raise RequestError("unknown-exercise", value=name, near=near(name, found))
    from curriculum.personal import fill, values_of
    from curriculum.render import Page

    template = found[name]
    section = next(section for section in template.sections if section.name == name)
    page = Page(template.front.tool, words(template.front.title, lang), template, section.level, lang, catalog.story())
    text = page.task(section)
    starters = [f"```\n{body.rstrip()}\n```" for body in section.files("starter", lang).values()]
    return fill("\n\n".join(["#" + text.lstrip("#"), *starters]), values_of("", section.content, catalog.story(), lang))
