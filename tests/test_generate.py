"""What a study notebook holds: for everyone the same bytes, for each their own, and never a solution for a learner."""

from __future__ import annotations

import ast
import getpass
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from curriculum.catalog import Catalog, catalog_at
from curriculum.engine import book as compose_book
from curriculum.generation import compose, exercises, generate, roadmap
from curriculum.model import ANY, LEVELS, words
from curriculum.request import resolve
from curriculum.source import load_notebook
from tests.conftest import REPOSITORY, SMALL

LANGS = ("ja", "en")
SIX = [(level, lang) for level in LEVELS for lang in LANGS]
REQUEST = {"role": "mlops-engineer", "start": "2026-11-30"}


@cache
def made(level: str, lang: str, **more: Any) -> dict[str, Any]:
    """A whole study as one notebook: what `generate --single` writes."""
    catalog = catalog_at(None)
    request = resolve(catalog, level=level, lang=lang, **{**REQUEST, "single": True, **more})
    content: dict[str, Any] = json.loads(compose(catalog, request, "")[0])
    return content


def drawn(level: str, lang: str, catalog: Catalog | None = None, **more: Any) -> list[dict[str, Any]]:
    """The cells, without the way through Papermill."""
    catalog = catalog or catalog_at(None)
    frame, _ = load_notebook(catalog.frame_file, "study.ipynb")
    assert frame is not None
    parameters = {**REQUEST, "single": True, "level": level, "lang": lang, **more}
    cells: list[dict[str, Any]] = compose_book(catalog, frame, parameters).notebook()["cells"]
    return cells


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def ids(cells: list[dict[str, Any]]) -> list[str]:
    return [cell["id"] for cell in cells]


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "lang"), SIX)
def test_a_study_is_a_valid_notebook(level: str, lang: str) -> None:
    """Of format 4.5, without widget state; every cell says who it is and what it was."""
    import hashlib

    import nbformat

    notebook = made(level, lang)
    nbformat.validate(notebook, relax_add_props=False)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert set(notebook["metadata"]) == {"curriculum", "kernelspec", "language_info"}
    assert len(set(ids(notebook["cells"]))) == len(notebook["cells"]) > 20
    for cell in notebook["cells"]:
        ours = cell["metadata"]["curriculum"]
        assert ours == {"id": cell["id"], "sha": hashlib.sha256(source(cell).encode()).hexdigest()[:16]}
        assert re.fullmatch(r"[a-z0-9-]{1,64}", cell["id"])


@pytest.mark.parametrize("level", LEVELS)
def test_ids_do_not_depend_on_the_language(level: str) -> None:
    """So a tick or an answer belongs to the same place in both."""
    assert ids(made(level, "ja")["cells"]) == ids(made(level, "en")["cells"])


@pytest.mark.parametrize("tool", ["docker", "kubernetes", "mlflow", "prometheus"])
def test_the_ids_of_a_tool_do_not_depend_on_the_rest_of_the_plan(tool: str) -> None:
    """Alone, or among all the others, or below other tools that are known."""

    def own(cells: list[dict[str, Any]]) -> list[str]:
        return [name for name in ids(cells) if name.startswith(f"{tool}-")]

    whole = own(made("intermediate", "en")["cells"])
    assert whole
    assert own(drawn("intermediate", "en", only=[tool])) == whole
    assert own(drawn("intermediate", "en", known=["git", "python"])) == whole


@pytest.mark.parametrize(("level", "lang"), SIX)
def test_a_tool_is_worked_through_in_its_templates_order(level: str, lang: str) -> None:
    """Lessons and exercises as their author put them; in the first lap an exercise comes first."""
    cells = ids(made(level, lang)["cells"])
    for tool in catalog_at(None).template_files:
        template = catalog_at(None).template(tool)
        assert template is not None
        # Without exercises a step is one text.
        work = [] if template.brief(level) else [section.name for section in template.work(level)]
        if f"tool-{tool}" in cells:
            assert [name for name in cells if name in work] == work, tool
    assert cells.index("first-lap-checklist") > min(n for n, name in enumerate(cells) if name.endswith("-answer"))


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("industry", list(catalog_at(None).stories))
def test_the_welcome_tells_the_story_of_the_industry(industry: str, lang: str) -> None:
    """What the service predicts, and what hangs on it; no mark is left anywhere."""
    cells = drawn("beginner", lang, industry=industry)
    welcome = next(source(cell) for cell in cells if cell["id"] == "welcome")
    for name in ("how-long", "stakes"):
        assert words(catalog_at(None).story(industry)[name], lang) in welcome
    assert not any(re.search("⟦[a-z]", source(cell)) for cell in cells if cell["id"].startswith("first-lap"))


@pytest.mark.parametrize(("level", "lang"), SIX)
def test_nothing_tells_where_when_or_by_whom_it_was_made(level: str, lang: str) -> None:
    """No path, user or host; no date of today, no time of day in the machine's hand."""
    text = json.dumps(made(level, lang), ensure_ascii=False)
    for trace in (str(REPOSITORY), str(Path.home()), sys.prefix, f"/{getpass.getuser()}/", socket.gethostname()):
        assert trace not in text
    assert not re.search(r"/(home|Users|tmp|root|var|work)/[a-z]\w+/\w+/\w+\.(?:py|ipynb)", text)
    assert not re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,}", text)


@pytest.mark.parametrize("lang", LANGS)
def test_the_same_request_gives_the_same_bytes(tmp_path: Path, lang: str) -> None:
    """In other processes, with another hash seed, from another folder, in another locale and time zone."""
    code = (
        "import sys, curriculum; from curriculum import generate; "
        "generate(output=sys.argv[1], role='mlops-engineer', level='intermediate', lang=sys.argv[2],"
        " start='2026-11-30', learner='山田', id='s-1', known=['git'])"
    )
    texts = set()
    for n, (seed, zone, locale) in enumerate(
        [("0", "UTC", "C.UTF-8"), ("1", "Asia/Tokyo", "en_US.UTF-8"), ("2", "", "")]
    ):
        folder = tmp_path / f"{n}" / "somewhere"
        folder.mkdir(parents=True)
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale, "USER": f"user{n}"}
        result = subprocess.run(
            [sys.executable, "-c", code, str(folder / "o"), lang],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        (path,) = (folder / "o").glob(f"*/study.{lang}.ipynb")
        texts.add(b"\0".join(p.read_bytes() for p in sorted(path.parent.iterdir())))
    assert len(texts) == 1


def test_the_parameters_cell_rebuilds_the_plan() -> None:
    """The whole request stands in it as literals; with them alone the same notebook is made again."""
    asked = {
        "learner": 'O\'Brien "Q"',
        "id": "s-1",
        "known": ["git", "docker"],
        "hours_per_week": 7.5,
        "deadline": "2027-12-31",
        "pause": ["2026-12-28..2027-01-03"],
        "fit": True,
        "variant": "instructor",
    }
    cells = drawn("intermediate", "ja", **asked)
    cell = next(cell for cell in cells if "parameters" in cell["metadata"].get("tags", []))
    values = {
        s.targets[0].id: ast.literal_eval(s.value)  # type: ignore[attr-defined]
        for s in ast.parse(source(cell)).body
    }
    assert values["learner"] == 'O\'Brien "Q"'
    assert values["known"] == ["git", "docker"]
    assert {"study", "made_with"} <= set(values)
    again = {name: value for name, value in values.items() if name not in {"study", "made_with"}}
    first = roadmap(level="intermediate", lang="ja", **{**REQUEST, "single": True, **asked})
    assert roadmap(**again).plan == first.plan
    assert drawn(**again) == cells
    assert values["study"] == first.plan.request.study


@pytest.mark.parametrize(("level", "lang"), SIX)
def test_every_jump_lands(level: str, lang: str) -> None:
    """Links to cells name cells that are there; the roadmap links every step of the plan."""
    cells = made(level, lang)["cells"]
    there = set(ids(cells))
    targets = {t for c in cells for t in re.findall(r"#cell-id=([\w-]+)", json.dumps([c["source"], c.get("outputs")]))}
    assert targets <= there
    plan = roadmap(level=level, lang=lang, **REQUEST).plan
    table = source(next(cell for cell in cells if cell["id"] == "roadmap"))
    assert len(re.findall(r"#cell-id=(?:tool|card)-", table)) == len(plan.steps)


@pytest.mark.parametrize(("level", "lang"), SIX)
def test_the_roadmap_gives_the_reason_for_every_step(level: str, lang: str) -> None:
    """And for what the level assumes or the learner knows; with start, end and hours."""
    drawing = roadmap(level=level, lang=lang, known=["git"], **REQUEST)
    cells = drawn(level, lang, known=["git"])
    text = " ".join(source(next(cell for cell in cells if cell["id"] == "roadmap")).split())
    for step in drawing.plan.steps:
        assert drawing.why_step(step)
        assert " ".join(drawing.why_step(step).split()) in text
        assert drawing.title(step.tool) in text
    told = [s for s in drawing.plan.skipped if s.reason.key in {"known", "assumed", "assumed-prove"}]
    assert [s.tool for s in told if s.reason.key == "known"] == ["git"]
    for skip in told:
        # What is merely assumed stands in one list, with the page to look it up.
        link = f"[{drawing.title(skip.tool)}]({drawing.tools[skip.tool].docs})"
        words = link if skip.reason.key == "assumed" else drawing.why_skip(skip)
        assert " ".join(words.split()) in text


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("level", LEVELS)
def test_lower_levels_are_confirmed_not_taught(level: str, lang: str) -> None:
    """Above beginner: a list of the lower levels' items and one test-out exercise, before the level's own lessons."""
    cells = made(level, lang)["cells"]
    names = ids(cells)
    catalog = catalog_at(None)
    for tool in ("docker", "kubernetes", "mlflow", "prometheus"):
        template = catalog.template(tool)
        assert template is not None
        lower = LEVELS[: LEVELS.index(level)]
        assert (f"{tool}-confirm-list" in names) == bool(lower)
        for other in LEVELS:
            lessons = [section.name for section in template.lessons(other)]
            assert (set(lessons) <= set(names)) == (other == level)
        if lower:
            listed = source(cells[names.index(f"{tool}-confirm-list")])
            assert all(f'"{name}"' in listed for name in lower)
            output = json.dumps(cells[names.index(f"{tool}-confirm-list")]["outputs"], ensure_ascii=False)
            assert all(f"{tool}.{item.id}" in output for name in lower for item in template.items(name))
            test_out = template.test_out(level)
            assert test_out is not None
            first = names.index(template.lessons(level)[0].name)
            assert names.index(f"{tool}-confirm-list") < names.index(test_out.name) < first


@pytest.mark.parametrize(("level", "lang"), SIX)
def test_every_step_has_its_checklist_and_exercises(level: str, lang: str) -> None:
    """Each answer cell begins with `%%answer EXERCISE FILE` and holds the starter, nothing of which is locked."""
    cells = made(level, lang)["cells"]
    drawing = roadmap(level=level, lang=lang, **REQUEST)
    by_id = {cell["id"]: cell for cell in cells}
    for name in exercises(drawing):
        answer = by_id[f"{name}-answer"]
        assert source(answer).startswith(f"%%answer {name} ")
        assert answer["metadata"].get("editable", True)
    for tool in ("docker", "kubernetes", "mlflow", "prometheus"):
        checklist = by_id[f"{tool}-checklist"]
        assert source(checklist) == f'checklist("{tool}")'
        (output,) = checklist["outputs"]
        assert set(output["data"]) == {"text/html", "text/markdown", "text/plain"}


# --- learners and instructors ----------------------------------------------------------------------------------------


def secrets(lang: str) -> list[tuple[str, str]]:
    """What only an instructor may read, in a language: lines of solutions that stand nowhere else, notes, hints."""
    found = []
    # What any starter, lesson or task shows is no secret of another exercise's solution.
    templates = {template.file: template for _, template in catalog_at(None).exercises()}.values()
    shown = flat(
        "\n".join(
            text
            for template in templates
            for other in template.sections
            for text in [other.yaml, *(b.source for b in other.blocks if b.role != "solution")]
        )
    )
    for template in templates:
        for section in template.sections:
            if section.kind != "exercise":
                continue
            for body in section.files("solution", lang).values():
                lines = [line.strip() for line in body.splitlines() if len(line.strip()) >= 20]
                found += [(section.name, line) for line in lines if flat(line) not in shown]
            found += [(section.name, words(c.note, lang)) for c in section.content.rubric.values() if c.note]
            found += [(section.name, words(hint.text, lang)) for hint in section.content.hints]
    return [(name, text) for name, text in found if "⟦" not in text]


def flat(text: str) -> str:
    return " ".join(text.split())


def everything(notebook: dict[str, Any]) -> str:
    """All text of a notebook: sources, outputs, metadata."""
    texts: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for entry in value.values():
                walk(entry)
        elif isinstance(value, list):
            if all(isinstance(entry, str) for entry in value):
                texts.append("".join(value))
            else:
                for entry in value:
                    walk(entry)
        elif isinstance(value, str):
            texts.append(value)

    walk(notebook)
    return "\n".join(texts)


@pytest.mark.parametrize(("level", "lang"), SIX)
def test_a_learners_copy_has_no_trace_of_solutions(level: str, lang: str) -> None:
    """No line that stands only in a solution, no note, no hint; in neither language."""
    text = flat(everything(made(level, lang)))
    told = {(name, secret) for other in LANGS for name, secret in secrets(other) if flat(secret) in text}
    assert told == set()
    assert len({name for name, _ in secrets(lang)}) == len(dict(catalog_at(None).exercises()))


@pytest.mark.parametrize(("level", "lang"), SIX)
def test_an_instructors_copy_has_solutions_notes_and_hints(level: str, lang: str) -> None:
    """For every exercise of the study, and not more cells to run than the learner has."""
    notebook = made(level, lang, variant="instructor")
    text = flat(everything(notebook))
    mine = set(exercises(roadmap(level=level, lang=lang, **REQUEST)))
    missing = {(name, secret) for name, secret in secrets(lang) if name in mine and flat(secret) not in text}
    assert missing == set()
    code = [c["id"] for c in notebook["cells"] if c["cell_type"] == "code"]
    assert code == [c["id"] for c in made(level, lang)["cells"] if c["cell_type"] == "code"]


# --- two languages ---------------------------------------------------------------------------------------------------

_JAPANESE = re.compile(r"[぀-ヿ㐀-鿿々〆ー]")
_FENCED = re.compile(r"^(`{3,}|~{3,})[^\n]*\n.*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
#: Code, addresses, and titles of English pages in Japanese quotation marks.
_NOT_PROSE = re.compile(
    r"「[^」\n぀-ヿ㐀-鿿]*」|`+[^`\n]*`+|\]\([^)\s]*\)|https?://\S+|<[^>]+>|&#?\w+;|#cell-id=\S+|[\w.+-]*/[\w./+-]+|\w+(?:[-_.]\w+)+"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z']*")


def names() -> frozenset[str]:
    """Words of products' names, which are the same in every language. A list of names is no sentence."""
    catalog = catalog_at(None)
    tools = catalog.tools(catalog.role("mlops-engineer")).values()
    titles = [tool.title[ANY] for tool in tools if ANY in tool.title]
    return frozenset(word.casefold() for title in titles for word in _WORD.findall(title))


def english_sentences(text: str) -> list[str]:
    """Runs of six or more English words, not names, without a Japanese character between them."""
    known = names()
    found = []
    for line in _NOT_PROSE.sub("、", text).splitlines():
        for run in re.split(r"[぀-ヿ㐀-鿿、。（）「」：・，！？]|[|*]{1,2}", line):
            # Articles, prepositions and the like are what makes words a sentence.
            said = [word for word in _WORD.findall(run) if word.casefold() not in known]
            if len(said) >= 6 and {w.casefold() for w in said} & _GRAMMAR:
                found.append(run.strip())
    return found


_GRAMMAR = frozenset(
    [
        "a",
        "an",
        "the",
        "is",
        "are",
        "was",
        "of",
        "to",
        "in",
        "on",
        "for",
        "with",
        "and",
        "or",
        "that",
        "this",
        "it",
        "you",
        "your",
        "not",
        "by",
        "from",
        "as",
        "at",
    ]
)


def comments(code: str) -> str:
    """What a reader reads in code: its comments and the strings that are sentences."""
    lines = [line.partition("#")[2] for line in code.splitlines() if re.match(r"^[^\"']*(?:^|\s)#", line)]
    return "\n".join(line for line in lines if not line.startswith("!"))


def prose(cell: dict[str, Any]) -> str:
    """What is written for a reader in a cell and in its outputs."""
    if cell["cell_type"] == "markdown":
        return _FENCED.sub("", source(cell))
    shown = ["".join(output["data"]["text/markdown"]) for output in cell["outputs"]]
    return "\n".join([comments(source(cell)), *shown])


def test_the_detector_knows_a_sentence() -> None:
    """It would find what it looks for, and leaves names and code alone."""
    assert english_sentences("これは図です。The hammer is for driving a nail into wood. 次へ")
    assert english_sentences("# nothing is installed when you come to the last stage".lstrip("# "))
    assert not english_sentences("Docker、Kubernetes、Apache Airflow、Weights & Biases、GitHub Actions、GitLab CI")
    assert not english_sentences("`docker run -d --name a the image for you and me` を実行します")
    assert not english_sentences("「What a pod is and how it is used by you」の節")
    assert english_sentences("「つまり what a pod is and how it is used by you」の節")
    assert not english_sentences("[docs](https://example.org/a/the/of/to/in/on)")
    assert comments("x = 1  # one\n# two\n#!sh\nprint('#')") == " one\n two"


@pytest.mark.parametrize("variant", ["learner", "instructor"])
@pytest.mark.parametrize("level", LEVELS)
def test_a_japanese_notebook_has_no_english_sentence(level: str, variant: str) -> None:
    """Neither in prose nor in comments; messages of tools and code stay as they are, in backticks."""
    cells = made(level, "ja", variant=variant)["cells"]
    found = [(cell["id"], sentence) for cell in cells for sentence in english_sentences(prose(cell))]
    assert found == []


@pytest.mark.parametrize("variant", ["learner", "instructor"])
@pytest.mark.parametrize("level", LEVELS)
def test_an_english_notebook_has_no_japanese(level: str, variant: str) -> None:
    """Nowhere but in code: not one character."""
    cells = made(level, "en", variant=variant)["cells"]
    found = [
        (cell["id"], line)
        for cell in cells
        for line in re.sub(r"`[^`\n]*`", "", prose(cell)).splitlines()
        if _JAPANESE.search(line)
    ]
    assert found == []


def answers(role: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Exercise, file and its text by language, for every starter or solution."""
    for slug, template in catalog_at(None).exercises():
        section = next(s for s in template.sections if s.name == slug)
        for file in section.files(role, "en"):
            yield slug, file, {lang: section.files(role, lang)[file] for lang in LANGS}


@pytest.mark.parametrize("role", ["starter", "solution"])
def test_comments_in_answers_are_in_the_readers_language(role: str) -> None:
    """In solutions too: an instructor reads them."""
    found = list(answers(role))
    assert len(found) >= 12
    for slug, file, texts in found:
        assert not _JAPANESE.search(comments(texts["en"])), (slug, file)
        lines = comments(texts["ja"]).splitlines()
        english = [line for line in lines if not _JAPANESE.search(line) and len(_WORD.findall(line)) > 3]
        assert english == [], (slug, file)


def bare(code: str) -> list[str]:
    """A file without its comments and what its strings say."""
    lines = [re.sub(r"(^|\s)#.*$", "", line) for line in code.splitlines()]
    lines = [re.sub(r"\"[^\"]*\"|'[^']*'|((?:description|summary|name): ).*", r"\1", line) for line in lines]
    return [line.rstrip() for line in lines if line.strip()]


@pytest.mark.parametrize("role", ["starter", "solution"])
def test_both_languages_are_asked_for_the_same(role: str) -> None:
    """Variants of a file differ in comments and strings only."""
    for slug, file, texts in answers(role):
        # A document is prose from its first line to its last.
        if file.endswith(".md"):
            continue
        assert bare(texts["en"]) == bare(texts["ja"]), (slug, file)


def test_examples_hold_no_comments() -> None:
    """They are the same in every language."""
    for slug in ("docker", "kubernetes", "mlflow", "prometheus"):
        template = catalog_at(None).template(slug)
        assert template is not None
        for section in template.sections:
            if section.kind == "lesson" and section.content.example:
                for file, text in section.content.example.files.items():
                    assert comments(text).strip() == "", (section.name, file)


@pytest.mark.parametrize(("level", "lang"), SIX)
def test_a_learner_never_reads_just_simply_or_obviously(level: str, lang: str) -> None:
    """DESIGN 9."""
    text = "\n".join(prose(cell) for cell in made(level, lang)["cells"])
    assert re.findall(r"\b(?:just|simply|obviously)\b", text, re.IGNORECASE) == []


# --- people ----------------------------------------------------------------------------------------------------------

NAMES = [
    "山田 太郎",
    "Zoë 🦊👩‍🔬",
    'O\'Brien "Q"',
    "{{ 7 * 7 }} {% raw %}",
    "<script>alert(1)</script>",
    "**bold** [x](javascript:alert(1)) ![y](z) `code` # h",
    "a | b | c",
    "$x^2$ &lt; ~~no~~ :smile: \\",
    "⟦port⟧",
    "x" * 120,
    "%s {0} {name}",
    "'''\"\"\"",
    "1. one",
    "=cmd|' /C calc'!A0",
    "http://evil.example/",
    "user@evil.example",
]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_is_data(name: str, lang: str) -> None:
    """It stands in the notebook as it was given, and does nothing there; the parameters cell keeps it exactly."""
    import html

    import nbformat
    from markdown_it import MarkdownIt

    cells = drawn("beginner", lang, learner=name, only=["docker"])
    nbformat.validate({**made("beginner", lang), "cells": cells})
    values: dict[str, Any] = {}
    exec(source(next(c for c in cells if "parameters" in c["metadata"].get("tags", []))), values)
    assert values["learner"] == name
    welcome = source(cells[0])
    shown = (
        MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"]).render(welcome)
    )
    text = html.unescape(re.sub(r"<[^>]+>", "", shown))
    assert name in " ".join(text.split())
    plain = MarkdownIt("commonmark", {"html": True}).render(
        source(drawn("beginner", lang, learner="N", only=["docker"])[0])
    )
    assert re.findall(r"<[^>]+>", shown) == re.findall(r"<[^>]+>", plain)
    if name != "山田 太郎" and re.search(r"[<{$@:*]", name):
        assert name not in welcome


@pytest.mark.parametrize(
    ("given", "kept"), [("A\nB", "A B"), ("A\r\n\tB", "A B"), ("  A  ", "A"), ("A\u2028B\x00C", "A B C")]
)
def test_a_name_stands_on_one_line(given: str, kept: str) -> None:
    """Line ends and control characters become spaces."""
    cells = drawn("beginner", "en", learner=given, only=["docker"])
    assert f"**For {kept}**" in source(cells[0])


def test_who_a_study_is_for_does_not_change_its_ids() -> None:
    """Cell ids are the course's, not the learner's."""
    assert ids(drawn("beginner", "en", learner="A", id="a")) == ids(made("beginner", "en")["cells"])


# --- personal values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "lang"), SIX)
@pytest.mark.parametrize("variant", ["learner", "instructor"])
def test_every_personal_value_is_filled_in(level: str, lang: str, variant: str) -> None:
    """No `⟦` is left anywhere."""
    assert "⟦" not in everything(made(level, lang, variant=variant))


def ports(level: str, lang: str, **more: Any) -> dict[str, set[str]]:
    """The personal port by exercise, as it stands in the exercise's cells."""
    found: dict[str, set[str]] = {}
    for cell in drawn(level, lang, **more):
        if re.match(r"(docker|kubernetes)-", cell["id"]):
            for port in re.findall(r"\b18\d{3}\b", source(cell)):
                found.setdefault(cell["id"].partition("-")[0], set()).add(port)
    return found


def test_values_are_ones_own_and_the_same_in_every_tool() -> None:
    """The same port in docker and kubernetes, in both languages, every time; another learner has another."""
    mine = ports("beginner", "en", id="taro")
    assert set(mine) == {"docker", "kubernetes"}
    assert len(set.union(*mine.values())) == 1
    assert ports("beginner", "ja", id="taro") == mine
    others = {
        next(iter(ports("beginner", "en", id=name, only=["docker"])["docker"])) for name in ("jiro", "hana", "ken")
    }
    assert len(others | mine["docker"]) == 4
    assert not any(port in {"5000", "8080", "9090"} for port in others)


def test_a_study_without_a_name_still_has_values() -> None:
    """Nobody in particular is somebody too: the values are filled in, and the same for all who gave no name."""
    assert ports("beginner", "en", only=["docker"]) == ports("beginner", "en", only=["docker"])


# --- the python function ---------------------------------------------------------------------------------------------


def test_generate_gives_back_what_it_made(tmp_path: Path) -> None:
    """The notebook, its files, the plan."""
    study = generate(output=tmp_path, level="beginner", lang="en", only=["docker"], **REQUEST)
    assert study.files == (study.notebook,)
    assert study.notebook == tmp_path / "mlops-engineer-beginner" / "study.en.ipynb"
    assert json.loads(study.notebook.read_text(encoding="utf-8"))["cells"]
    assert study.notebook.read_bytes().endswith(b"}\n")
    assert b"\r" not in study.notebook.read_bytes()
    assert [step.tool for step in study.plan.steps] == ["docker"]
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["mlops-engineer-beginner", "study.en.ipynb"]


@pytest.mark.usefixtures("fresh_catalog")
def test_a_schools_pack_is_named_in_the_notebook(tmp_path: Path) -> None:
    """Its name and version, not its folder."""
    study = generate(output=tmp_path, content=SMALL, role="tester", level="beginner", lang="en", start="2026-11-30")
    text = study.notebook.read_text(encoding="utf-8")
    assert "small 1" in text
    assert str(SMALL) not in text


def test_the_api_is_callable_whatever_was_imported_before() -> None:
    """No submodule bears the name of a function."""
    import importlib

    import curriculum

    for module in ("cli", "generation", "engine", "planner"):
        importlib.import_module(f"curriculum.{module}")
    assert callable(curriculum.generate)
    assert callable(curriculum.plan)


@pytest.mark.parametrize(
    ("depth", "level", "lang"), [("must", "advanced", "ja"), ("could", "beginner", "en"), ("could", "advanced", "ja")]
)
def test_a_plan_of_any_depth_can_be_drawn(tmp_path: Path, depth: str, level: str, lang: str) -> None:
    """The core alone, and everything: then a map with a notebook for each phase, and one tool for each job."""
    study = generate(
        output=tmp_path, role="mlops-engineer", level=level, lang=lang, start="2026-11-30", depth=depth, id="sato"
    )
    tools = {step.tool for step in study.plan.steps}
    role = catalog_at(None).role("mlops-engineer")
    for choice in role.choices:
        # A second one comes in only where something builds on it.
        extra = [entry.tool for entry in choice.tools if entry.tool in tools][1:]
        reasons = {step.tool: step.reason.key for step in study.plan.steps}
        assert all(reasons[tool] == "needed-by" for tool in extra)
    assert (len(study.files) > 1) == (depth == "could")


def test_a_preferred_tool_is_taught_and_the_others_are_named() -> None:
    """Its page says which other tools do the same job, and when to take them."""
    cells = drawn("beginner", "en", prefer=["gitlab-ci"])
    page = next(source(cell) for cell in cells if cell["id"] == "tool-gitlab-ci")
    assert "Jenkins: the same job as GitLab CI/CD." in page
    assert "--prefer github-actions" in page
    assert "tool-jenkins" not in ids(cells)
