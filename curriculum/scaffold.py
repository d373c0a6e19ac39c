"""The start of a new role or tool: a file that passes lint and says where to go on."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from curriculum.canonical import canonical
from curriculum.catalog import FRAME
from curriculum.errors import OutputError, RequestError
from curriculum.generation import write_text
from curriculum.lint import stamps
from curriculum.model import LEVELS
from curriculum.source import parse_notebook

_FRONT = """\
format: 1
tool: {slug}
title: {title}
category: new
summary:
  en: "TODO: what it is for, in one or two sentences."
  ja: "TODO：何のためのものか、1〜2 文で。"
docs: https://example.org/
needs: []
hours: {{beginner: 1, intermediate: 1, advanced: 1}}
verified: {{version: "0", date: {today}}}
"""
_LESSON = """\
lesson: {slug}-{level}-lesson
level: {level}
minutes: 10
title:
  en: "TODO: the idea"
  ja: "TODO：考え方"
readings:
  - url: https://example.org/
    lang: en
    minutes: 10
    look_for:
      en: "TODO: what to look for"
      ja: "TODO：注目するところ"
"""
_CHECKLIST = """\
checklist: {level}
items:
  - id: {level}-first
    en: "TODO: something a colleague could watch you do"
    ja: "TODO：同僚がそばで見て確かめられること"
    lesson: {slug}-{level}-lesson
    proven_by: {slug}-{level}-exercise
"""
_EXERCISE = """\
exercise: {slug}-{level}-exercise
level: {level}
minutes: 40
title:
  en: "TODO: the skill"
  ja: "TODO：身につくこと"
rubric:
{rubric}hints:
{hints}"""
_CRITERION = """\
  criterion-{n}:
    en: "TODO: what a reviewer would say"
    ja: "TODO：レビューで言われること"
    why:
      en: "TODO: why it matters in the job"
      ja: "TODO：仕事でなぜ大事か"
"""
_HINT = """\
  - en: "TODO: hint {n}"
    ja: "TODO：ヒント {n}"
"""
_PROSE = {
    "lesson": {
        "en": "TODO: the idea, in at most five sentences.\n\n*What will happen?* TODO\n\n<details><summary>Answer</summary>\n\nTODO\n\n</details>\n\n*A common mistake:* TODO",
        "ja": "TODO：考え方を 5 文以内で。\n\n*どうなるでしょう？* TODO\n\n<details><summary>答え</summary>\n\nTODO\n\n</details>\n\n*よくあるつまずき：* TODO",
    },
    "exercise": {"en": "TODO: a situation from the job.\n\n1. TODO", "ja": "TODO：仕事での場面。\n\n1. TODO"},
}
_ROLE = """\
format: 1
role: {slug}
title:
  en: {title}
  ja: {title}
overview:
  en: "TODO: what the role is about"
  ja: "TODO：どんな仕事か"
levels:
{levels}phases:
  - id: basics
    title:
      en: Basics
      ja: 基礎
    months: {{from: 1, to: 2}}
    why:
      en: "TODO: why this phase matters for the job"
      ja: "TODO：このフェーズが仕事でなぜ大事か"
    topics:
      - id: containers
        title:
          en: Containers
          ja: コンテナ
        covers:
          en: Images and containers
          ja: イメージとコンテナ
        tools:
          - {{tool: docker, need: must}}
tools:
  - {{tool: docker, title: Docker, category: containers, needs: [], hours: {{beginner: 10, intermediate: 12, advanced: 14}}, docs: "https://docs.docker.com/"}}
"""
_ROLE_LEVEL = """\
  - id: {level}
    title:
      en: {en}
      ja: {ja}
    years: {{from: {years}}}
    positions:
      - id: {level}-position
        title:
          en: "TODO: position"
          ja: "TODO：役職"
    expectations:
      - en: "TODO: what is expected"
        ja: "TODO：期待されること"
"""


def new_tool(root: Path, slug: str, title: str, today: dt.date) -> Path:
    """Write the template of a new tool into a content folder. Raises OutputError when there is one already."""
    path = root / "templates" / "notebooks" / f"{slug}.ipynb"
    if slug == FRAME:
        raise RequestError("bad-slug", value=slug)
    _refuse(path)
    cells = [_raw(_FRONT.format(slug=slug, title=json.dumps(title, ensure_ascii=False), today=today.isoformat()))]
    parameters = 'level = "beginner"\nlang = "en"\nlearner = ""\nid = ""\nvariant = "learner"'
    cells += [_code(parameters, "parameters"), _code(f'from curriculum.study import *; start(tool="{slug}")', "start")]
    for level in LEVELS:
        names = {"slug": slug, "level": level}
        cells += [_raw(_LESSON.format(**names)), *_prose("lesson"), _raw(_CHECKLIST.format(**names))]
        rubric = "".join(_CRITERION.format(n=n) for n in range(1, 5))
        hints = "".join(_HINT.format(n=n) for n in range(1, 4))
        cells += [_raw(_EXERCISE.format(**names, rubric=rubric, hints=hints)), *_prose("exercise")]
        line = f"%%answer {slug}-{level}-exercise answer.txt\n"
        cells += [_code(line + "TODO", "starter"), _code(line + "42", "solution")]
    raw = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    _write(path, _canonical(raw, path))
    raw["metadata"] = {"curriculum": {"translations": dict(stamps(path))}}
    _write(path, _canonical(raw, path))
    return path


def new_role(root: Path, slug: str, title: str) -> Path:
    """Write a new role into a content folder. Raises OutputError when there is one already."""
    path = root / "roles" / f"{slug}.yaml"
    _refuse(path)
    names = {
        "beginner": ("Beginner", "初級", 0),
        "intermediate": ("Intermediate", "中級", 3),
        "advanced": ("Advanced", "上級", 5),
    }
    levels = "".join(
        _ROLE_LEVEL.format(level=level, en=en, ja=ja, years=years) for level, (en, ja, years) in names.items()
    )
    _write(path, _ROLE.format(slug=slug, title=json.dumps(title, ensure_ascii=False), levels=levels))
    return path


def check_slug(name: str) -> str:
    """A name that may become a slug: lower case, digits and single hyphens, at most 30 characters."""
    import re

    slug = re.sub(r"[\s_]+", "-", name.strip()).lower()
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) or len(slug) > 30:
        raise RequestError("bad-slug", value=name[:60])
    return slug


def _refuse(path: Path) -> None:
    if path.exists():
        raise OutputError("file-exists", path=str(path))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    except OSError as error:
        raise OutputError("cannot-write", path=str(path), problem=error.strerror or type(error).__name__) from error


def _canonical(raw: dict[str, Any], path: Path) -> str:
    book, _ = parse_notebook(raw, path.name)
    assert book is not None
    return canonical(raw, book)


def _raw(source: str) -> dict[str, Any]:
    return {"cell_type": "raw", "metadata": {}, "source": source.rstrip("\n")}


def _code(source: str, *tags: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "metadata": {"tags": list(tags)},
        "source": source,
        "execution_count": None,
        "outputs": [],
    }


def _prose(kind: str) -> list[dict[str, Any]]:
    return [
        {"cell_type": "markdown", "metadata": {"tags": [lang]}, "source": text} for lang, text in _PROSE[kind].items()
    ]
