"""Lint: our own content is clean, and every fault that an author can make is found at its place."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from curriculum import cli
from curriculum.canonical import canonical
from curriculum.catalog import Catalog
from curriculum.errors import Fault
from curriculum.lint import lint, stamps
from curriculum.messages import LANGUAGES, keys
from curriculum.source import parse_notebook
from tests.conftest import REPOSITORY, SMALL

HAMMER = "templates/notebooks/hammer.ipynb"
DOCKER = "templates/notebooks/docker.ipynb"
STUDY = "templates/notebooks/study.ipynb"
TESTER = "roles/tester.yaml"


class Pack:
    """A copy of the small catalogue that a test may break. It also holds docker and the frame when it is asked to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(SMALL, root)

    def path(self, file: str) -> Path:
        """The file, copied from ours where the small catalogue has none: in canonical form, its translations vouched for."""
        path = self.root / file
        if not path.exists():
            raw = json.loads((REPOSITORY / file).read_text(encoding="utf-8"))
            raw["metadata"]["curriculum"] = {"translations": dict(stamps(REPOSITORY / file))}
            path.write_text(canonical_text(raw, file), encoding="utf-8")
        return path

    def text(self, file: str) -> str:
        return self.path(file).read_text(encoding="utf-8")

    def write(self, file: str, text: str) -> None:
        self.path(file).write_text(text, encoding="utf-8")

    def book(self, file: str) -> Any:
        return json.loads(self.text(file))

    def save(self, file: str, raw: Any) -> None:
        """Save as an author does who runs `curriculum fmt` after every change."""
        self.write(file, canonical_text(raw, file))

    def faults(self) -> list[Fault]:
        """What lint says of the files of this pack; the frame is ours where the pack has none of its own."""
        return [fault for fault in lint(Catalog(self.root), ["small"]) if (self.root / fault.file).exists()]


def canonical_text(raw: Any, file: str) -> str:
    book, _ = parse_notebook(raw, file)
    assert book is not None
    return canonical(raw, book)


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return Pack(tmp_path / "pack")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Fault]]:
    """The faults of a pack with this file before anything was sown: few, while content is being written."""

    @cache
    def faults(file: str) -> list[Fault]:
        untouched = Pack(tmp_path_factory.mktemp("before") / "pack")
        untouched.path(file)
        return untouched.faults()

    return faults


def cell(raw: Any, name: str) -> Any:
    """A cell by its id; `kind:n` is the nth cell of that sort of section or tag, which any template has."""
    kind, _, n = name.partition(":")
    if kind == "part":
        return next(c for c in raw["cells"] if source(c).strip() == name)
    if not n:
        return next(c for c in raw["cells"] if c["id"] == name)
    if kind in {"starter", "solution", "en", "ja"}:
        found = [c for c in raw["cells"] if kind in c["metadata"].get("tags", [])]
    else:
        found = [c for c in raw["cells"] if c["cell_type"] == "raw" and f"{kind}:" in "".join(c["source"])[:200]]
    return found[int(n)]


def source(one: Any) -> str:
    return "".join(one["source"])


def set_source(one: Any, text: str) -> None:
    one["source"] = text.splitlines(keepends=True)


# --- seeds -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seed:
    """A change that makes a fault: `old` becomes `new` in a file or in one of its cells.

    The fault has this `key`, and stands on the line where `at` is (nowhere, for None) once the change is made, in the
    cell that was changed or, where the section as a whole is at fault, in the cell `there`. `also` are the keys of
    faults that come with it.
    """

    name: str
    file: str
    cell: str
    old: str
    new: str
    key: str
    at: str | None = None
    also: tuple[str, ...] = ()
    says: str = ""
    there: str = ""

    def sow(self, pack: Pack) -> tuple[int | None, int | None]:
        """Make the change; the cell and line where the fault is."""
        if not self.cell:
            text = pack.text(self.file)
            changed = self.changed(text)
            pack.write(self.file, changed)
            return None, self.line(changed)
        raw = pack.book(self.file)
        one = cell(raw, self.cell)
        number = raw["cells"].index(one) + 1
        changed = self.changed(source(one))
        set_source(one, changed)
        if self.there:
            number = raw["cells"].index(cell(raw, self.there)) + 1
        pack.save(self.file, raw)
        return number, self.line(changed)

    def changed(self, text: str) -> str:
        assert re.search(self.old, text, re.MULTILINE), f"{self.name}: nothing to change"
        return re.sub(self.old, lambda match: match.expand(self.new), text, count=1, flags=re.MULTILINE)

    def line(self, text: str) -> int | None:
        if self.at is None:
            return None
        found = re.search(self.at, text, re.MULTILINE)
        assert found, f"{self.name}: the place is not there"
        return text[: found.start()].count("\n") + 1


_STALE = ("stale-translation", "unstamped-translation")

#: Two tools for one job, before a role's list of tools.
CHOICE = """\
choices:
  - id: job
    title:
      en: A job
      ja: 仕事
    tools:
      - tool: hammer
        when:
          en: Now
          ja: いま
      - tool: saw
        when:
          en: Then
          ja: あと
tools:
"""

SEEDS = [
    # A role's YAML
    Seed(
        "unknown key", TESTER, "", "^overview:", "overveiw:", "unknown-key", "^overveiw", ("missing-key",), "overview"
    ),
    Seed("missing key", TESTER, "", "^overview:\n.*\n.*\n", "", "missing-key"),
    Seed("repeated key", TESTER, "", r"^(aliases:.*\n)", r"\1\1", "yaml-repeated", r"(?<=\n)aliases.*\n(?!aliases)"),
    Seed("no as false", TESTER, "", "^  en: Tester", "  en: no", "yaml-boolean", "^  en: no"),
    Seed("an anchor", TESTER, "", "^  en: Tester", "  en: &beta Tester", "yaml-anchor", "&beta", (), "beta"),
    Seed(
        "an alias",
        TESTER,
        "",
        r"^  ja: テスター\naliases: .*",
        "  ja: &t テスター\naliases: [*t]",
        "yaml-alias",
        "&t",
        ("yaml-anchor",),
    ),
    Seed("a tag", TESTER, "", "^  en: Tester", "  en: !word Tester", "yaml-tag", "!word", ("missing-translation",)),
    Seed("a key that is a list", TESTER, "", "^overview:", "[a, b]: c\noverview:", "yaml-key", r"^\[a"),
    Seed("broken YAML", TESTER, "", "^  en: Tester", '  en: "Tester', "yaml-syntax"),
    Seed(
        "prose in a flow mapping",
        TESTER,
        "",
        r"^(\s+)title:\n\s+en: Nails\n.*",
        r"\1title: {en: Nails, screws and glue, ja: 釘}",
        "bad-language",
        "screws and glue",
    ),
    Seed("a newer role", TESTER, "", "^format: 1", "format: 2", "bad-format", "^format", (), "2"),
    Seed("no Japanese in a role", TESTER, "", "^  ja: テスター\n", "", "missing-translation", "^title", (), "ja"),
    Seed("English as Japanese in a role", TESTER, "", "^(overview:\n.*)\n  ja: .*", r"\1\n  ja: A tester builds small things and shows that they hold", "wrong-language", "^overview"),
    Seed("a third language in a role", TESTER, "", "^  ja: テスター", "  ja: テスター\n  de: Tester", "bad-language", "^title"),
    Seed("an unknown tool in a role", TESTER, "", r"tools: \[hammer, saw\]", "tools: [hammer, swa]", "dangling-tool", r"\[hammer, swa", (), "saw"),
    Seed("a tool of others that a role does not declare", TESTER, "", r"tools: \[hammer, saw\]", "tools: [hammer, docker]", "undeclared-tool", r"\[hammer, docker", (), "docker"),
    Seed("an unknown need in a role", TESTER, "", r"needs: \[hammer\]", "needs: [hamer]", "dangling-tool", r"needs: \[hamer", (), "hammer"),
    Seed("a tool declared twice", TESTER, "", r"^(  - \{tool: saw, title.*\n)", r"\1\1", "duplicate-tool"),
    Seed("an unknown duty", TESTER, "", r"^    duties: \[nailing\]", "    duties: [nialing]", "unknown-duty", r"\[nialing", (), "nailing"),
    Seed("a phase twice", TESTER, "", "^  - id: cutting", "  - id: joining", "duplicate-id"),
    Seed("a prelude in the middle", TESTER, "", "^(  - id: cutting)", r"\1\n    prelude: true", "prelude-not-first", "^phases:"),
    Seed("a choice without a place", TESTER, "", "^          - {tool: saw, need: must}\n((.|\n)*)^tools:\n", r"          - {tool: hammer, need: must}\n\1" + CHOICE, "choice-not-placed", "tool: saw$", ("duplicate-id",)),
    Seed("a choice between unequals", TESTER, "", "tool: saw, need: must}((.|\n)*)^tools:\n", r"tool: saw, need: could}\1" + CHOICE, "choice-needs-differ", "^  - id: job"),
    Seed("a choice with a tool twice", TESTER, "", "^tools:\n", CHOICE.replace("saw", "hammer"), "duplicate-tool", r"tool: hammer\n.*\n.*Then"),
    Seed("an unknown level", TESTER, "", "^  - id: advanced", "  - id: advnaced", "bad-choice", "advnaced", ("missing-key",), "advanced"),
    Seed("months that are words", TESTER, "", "months: {from: 1", "months: {from: one", "bad-number", "from: one"),
    Seed("a word for true", TESTER, "", "ongoing: true", "ongoing: maybe", "bad-boolean", "maybe"),
    Seed("a list that is a word", TESTER, "", r"aliases: \[QA\]", "aliases: QA", "bad-list", "aliases"),
    Seed("a mapping that is a word", TESTER, "", r"^    years: \{from: 3\}", "    years: three", "bad-mapping", "three"),
    Seed("a text that is a list", TESTER, "", r"aliases: \[QA\]", "aliases: [[QA]]", "bad-text", "aliases"),
    Seed("an address without https", TESTER, "", "https://example.org/saw", "example.org/saw", "bad-slug", "example.org/saw"),
    Seed("the file has another name", TESTER, "", "^role: tester", "role: checker", "file-name", "^role"),
    # A tool's front matter
    Seed("unknown key in front", HAMMER, "front-matter", "^category:", "categroy:", "unknown-key", "^categroy", ("missing-key",), "category"),
    Seed("no front matter", HAMMER, "front-matter", "^format: 1\n(.|\n)*", "A few words", "no-front-matter"),
    Seed("a newer template", HAMMER, "front-matter", "^format: 1", "format: 2", "bad-format", "^format"),
    Seed("repeated key in front", HAMMER, "front-matter", "^category: joining", "category: joining\ncategory: other", "yaml-repeated", "^category: other"),
    Seed("yes in front", HAMMER, "front-matter", "^category: joining", "category: yes", "yaml-boolean", "^category"),
    Seed("an anchor in front", HAMMER, "front-matter", "^  en: It drives", "  en: &it drives", "yaml-anchor", "&it"),
    Seed("no Japanese summary", HAMMER, "front-matter", "^  ja: 釘を.*\n", "", "missing-translation", "^summary", (), "ja"),
    Seed("an empty text", HAMMER, "front-matter", "^  en: It drives.*", '  en: " "', "empty-text", "^summary", ("missing-translation",)),
    Seed("a date that does not exist", HAMMER, "front-matter", "2026-11-24", "2026-11-31", "bad-date", "2026-11-31"),
    Seed("hours without contents", HAMMER, "front-matter", "{beginner: 1,", "{beginner: 20,", "empty-hours", "^hours", (), "20"),
    Seed("an unknown need in front", HAMMER, "front-matter", r"^needs: \[\]", "needs: [swa]", "dangling-tool", None, (), "saw"),
    Seed("two tools in a circle", HAMMER, "front-matter", r"^needs: \[\]", "needs: [saw]", "cycle", None, (), "hammer → saw → hammer"),
    Seed("the notebook has another name", HAMMER, "front-matter", "^tool: hammer", "tool: hamer", "file-name", None, ("foreign-slug",)),
    # Lessons and checklists
    Seed("an unknown section", HAMMER, "hammer-nail-lesson", "^lesson: ", "leson: ", "unknown-section", "^leson", ("no-such-lesson", "empty-hours"), "lesson"),
    Seed("a foreign slug", HAMMER, "hammer-nail-lesson", "^lesson: hammer-nail-lesson", "lesson: nail-lesson", "foreign-slug", "^lesson", ("no-such-lesson", "untested-lesson")),
    Seed("minutes that are a word", HAMMER, "hammer-nail-lesson", "^minutes: 15", "minutes: some", "bad-number", "^minutes"),
    Seed("five readings", HAMMER, "hammer-nail-lesson", r"^(readings:\n)((?:.+\n?)+)", r"\1\2\n\2\n\2\n\2\n\2", "too-many", "^readings"),
    Seed("an example that is not shown", DOCKER, "docker-containers-ja", "^⟦example⟧\n", "", "example-mark", there="docker-containers"),
    Seed("an example that is not there", HAMMER, "hammer-nail-lesson-en", r"\A", "⟦example⟧\n\n", "example-mark", None, ("unknown-value",), there="hammer-nail-lesson"),
    Seed("a lesson without question", HAMMER, "hammer-nail-lesson-ja", "<details>(.|\n)*</details>", "", "no-question", there="hammer-nail-lesson"),
    Seed("a heading", HAMMER, "hammer-nail-lesson-ja", r"\A", "## 金づち\n\n", "heading"),
    Seed("a dead link", HAMMER, "hammer-nail-lesson-en", r"\Z", "\n\n[on](#cell-id=hammer-nail-frist)", "dead-link", None, (), "hammer-nail-first"),
    Seed("English as Japanese", HAMMER, "hammer-nail-first-ja", r"\A(.|\n)*", "A friend wants to see it on port ⟦port⟧.", "wrong-language", there="hammer-nail-first-en"),
    Seed("a term that is not the glossary's", HAMMER, "front-matter", "ja: 釘を打つ", "ja: クギを打つ", "misused-term", "^summary"),
    Seed("a term that is not the glossary's in prose", HAMMER, "hammer-nail-lesson-en", "Hold the hammer", "Hold the spike", "misused-term", None, _STALE[:1]),
    Seed("Japanese as English", HAMMER, "hammer-nail-lesson-en", "Hold the hammer", "金づち", "wrong-language"),
    Seed("an item twice", HAMMER, "checklist-beginner", "id: nail-check", "id: nail", "duplicate-id", "^  - id: nail\n    en: Say"),
    Seed("an item of an unknown lesson", HAMMER, "checklist-beginner", "lesson: hammer-nail-lesson", "lesson: hammer-nail-leson", "no-such-lesson", "^  - id: nail$", (), "hammer-nail-lesson"),
    Seed("an item of an unknown exercise", HAMMER, "checklist-beginner", "proven_by: .*", "proven_by: hammer-nail-second", "no-such-exercise", "^  - id: nail$"),
    Seed("an item without lesson", HAMMER, "checklist-beginner", r"\n    lesson: hammer-nail-lesson\n    proven", r"\n    proven", "item-without-lesson", "^  - id: nail$"),
    Seed("a lesson without item", HAMMER, "checklist-beginner", r"lesson: hammer-nail-lesson((?:.|\n)*)lesson: hammer-nail-lesson", r"lesson: hammer-box-lesson\1lesson: hammer-box-lesson", "untested-lesson", there="hammer-nail-lesson"),
    # Exercises
    Seed("an unknown level of an exercise", HAMMER, "hammer-nail-first", "^level: beginner", "level: begginer", "bad-choice", "^level", ("empty-hours",), "beginner"),
    Seed("no hints", HAMMER, "hammer-nail-first", r"^hints:\n(.|\n)*", "", "missing-key", None, ("empty-hours",), "hints"),
    Seed("two hints", HAMMER, "hammer-nail-first", r"^  - en: Look at.*\n.*\n", "", "too-few", "^hints", ("empty-hours",), "3"),
    Seed("three criteria", HAMMER, "hammer-nail-first", r"^  counted:\n(    .*\n)+", "", "too-few", "^rubric", ("empty-hours",), "4"),
    Seed("no Japanese hint", HAMMER, "hammer-nail-first", r"^    ja: ポートは .*", "", "missing-translation", r"^  - en: Your port"),
    Seed("an unknown value in a criterion", HAMMER, "hammer-nail-first", "en: The port is ⟦port⟧", "en: The port is ⟦prot⟧", "unknown-value", None, (), "port"),
    Seed("an unknown value in a hint", HAMMER, "hammer-nail-first", "en: Your port is ⟦port⟧", "en: Your port is ⟦prot⟧", "unknown-value", None, (), "port"),
    Seed("an unknown value in the story", HAMMER, "hammer-nail-first-ja", "⟦port⟧", "⟦prot⟧", "unknown-value", None, (), "port"),
    Seed("an unknown value in a starter", HAMMER, "hammer-nail-first-starter-ja", "⟦port⟧", "⟦prot⟧", "unknown-value", None, (), "port"),
    Seed("an unknown value in a solution", HAMMER, "hammer-nail-first-solution-en", "⟦port⟧", "⟦prot⟧", "unknown-value", None, (), "port"),
    Seed("two kinds of values", HAMMER, "hammer-nail-first", r"between: \[18000, 18999\]", "between: [18000, 18999], one_of: [a, b]", "value-kind", "between", ("empty-hours",)),
    Seed("a default outside", HAMMER, "hammer-nail-first", "default: 18080", "default: 17000", "value-default", "default", ("empty-hours",)),
    Seed("a reserved port", HAMMER, "hammer-nail-first", "default: 18080, between: .18000", "default: 8080, between: [8000", "reserved-port", "8080", (), "8080"),
    Seed("a given file that is not there", HAMMER, "hammer-nail-first", r"given: \[app.py\]", "given: [ap.py]", "no-given-file", "^given", (), "ap.py"),
    Seed("live without backend", HAMMER, "hammer-nail-first", "^  counted:", "  counted:\n    live: true", "live-without-backend", "^rubric", ("live-without-session",)),
    Seed("live without a recorded session", HAMMER, "hammer-nail-first", "^rubric:\n  counted:", "backend: docker\nrubric:\n  counted:\n    live: true", "live-without-session", "^  counted:"),
    Seed("a wrong first line", HAMMER, "hammer-nail-first-starter-en", "%%answer hammer-nail-first", "%%answer hammer-nail-frist", "bad-answer-line", r"\A"),
    Seed("the starter is the solution", HAMMER, "hammer-nail-first-starter-en", "nails: # TODO", "nails: 2", "leaking-solution", there="hammer-nail-first"),
    Seed("parameters that are code", HAMMER, "parameters", "^level = .*", "level = input()", "bad-parameters"),
    Seed("parameters that are missing", HAMMER, "parameters", "^lang = .*\n", "", "missing-parameters", None, (), "lang"),
    # The frame
    Seed("an unknown name in the frame", STUDY, "welcome-en", r"\{\{ role_title \}\}", "{{ role_titel }}", "jinja", None, _STALE, "role_titel"),
    Seed("broken Jinja2 in the frame", STUDY, "tonight-ja", r"\{% endif %\}", "{% endfi %}", "jinja", "endfi"),
    Seed("an unknown part", STUDY, "part: card", "card", "crad", "unknown-part", r"\A", ("missing-part",)),
    Seed("no frame", STUDY, "front-matter", "frame: study", "fram: study", "no-frame", None, ("missing-translation", *_STALE)),
    Seed("a dead link in the frame", STUDY, "welcome-en", r"\Z", "\n\n[on](#cell-id=tonigth)", "dead-link", None, _STALE, "tonight"),
]  # fmt: skip


def check_words(fault: Fault) -> None:
    """A sentence in both languages, with nothing left to fill in."""
    sentences = [fault.sentence(lang) for lang in LANGUAGES]
    assert all(len(sentence) > 5 and not re.search(r"\{\w+\}", sentence) for sentence in sentences)
    assert len(set(sentences)) == len(LANGUAGES)
    assert re.search("[ぁ-ん]", fault.sentence("ja"))
    assert not re.search("[ぁ-ん]", fault.sentence("en").replace(str(fault.params.get("value", "")), ""))


def new(after: Iterable[Fault], before: Iterable[Fault]) -> list[Fault]:
    known = [(f.file, f.key, f.params.get("id") or f.params) for f in before]
    return [f for f in after if (f.file, f.key, f.params.get("id") or f.params) not in known]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_a_seeded_fault_is_found_at_its_place(pack: Pack, before: Callable[[str], list[Fault]], seed: Seed) -> None:
    """File, cell and line; a sentence in both languages; and no fault that has nothing to do with it."""
    number, line = seed.sow(pack)
    found = new(pack.faults(), before(seed.file))
    hits = [f for f in found if f.key == seed.key and f.file == seed.file]
    assert hits, [f"{f.place()}: {f.sentence()}" for f in found]
    if seed.cell:
        # A circle has no cell of its own.
        assert (None if seed.key == "cycle" else number) in {f.cell for f in hits}, [f.place() for f in hits]
    if seed.at:
        assert line in {f.line for f in hits}, [f.place() for f in hits]
    assert any(seed.says in f.sentence("en") and seed.says in f.sentence("ja") for f in hits)
    assert {f.key for f in found} <= {seed.key, *seed.also, *_STALE}, [f"{f.place()}: {f.sentence()}" for f in found]
    for fault in found:
        check_words(fault)


# --- faults of cells and files ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """A change that is more than words: what it does to a file, and the fault that it makes."""

    name: str
    make: Callable[[Pack, str], int | None]
    key: str
    files: tuple[str, ...] = (HAMMER, DOCKER)
    also: tuple[str, ...] = ()


def edit(change: Callable[[Any, Any], Any], name: str) -> Callable[[Pack, str], int | None]:
    """Do something to the notebook and one of its cells; the fault is at the cell (unless the change says otherwise)."""

    def make(pack: Pack, file: str) -> int | None:
        raw = pack.book(file)
        one = cell(raw, name)
        place = change(raw, one)
        if place is None and one in raw["cells"]:
            place = next(n for n, c in enumerate(raw["cells"], start=1) if c is one)
        pack.save(file, raw)
        return None if place == 0 else place

    return make


def tags(*wanted: str) -> Callable[[Any, Any], Any]:
    def change(_: Any, one: Any) -> Any:
        one["metadata"]["tags"] = list(wanted)

    return change


def untag(tag: str) -> Callable[[Any, Any], Any]:
    def change(_: Any, one: Any) -> Any:
        one["metadata"]["tags"].remove(tag)

    return change


def retag(tag: str, other: str) -> Callable[[Any, Any], Any]:
    def change(_: Any, one: Any) -> Any:
        one["metadata"]["tags"] = [other if t == tag else t for t in one["metadata"]["tags"]]

    return change


def nowhere(change: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The fault is of the whole file."""

    def changed(raw: Any, one: Any) -> int:
        change(raw, one)
        return 0

    return changed


def twice(raw: Any, one: Any) -> Any:
    raw["cells"].insert(raw["cells"].index(one) + 1, {**one, "id": "again"})
    return raw["cells"].index(one) + 2


def swap(raw: Any, one: Any) -> Any:
    n = raw["cells"].index(one)
    raw["cells"][n : n + 2] = raw["cells"][n : n + 2][::-1]
    return n + 2


def drop(raw: Any, one: Any) -> Any:
    raw["cells"].remove(one)
    return 0


def stray(raw: Any, one: Any) -> Any:
    raw["cells"].insert(3, {"cell_type": "markdown", "id": "x", "metadata": {}, "source": ["Hello"]})
    return 4


def answer_in_lesson(raw: Any, one: Any) -> Any:
    starter = cell(raw, "starter:0")
    n = raw["cells"].index(one)
    raw["cells"].insert(n + 1, {**starter, "id": "x"})
    return n + 2


def pasted(raw: Any, one: Any) -> Any:
    """The solution stands in the story."""
    set_source(one, source(one) + "\n\n```\n" + source(cell(raw, "docker-production-image-solution")) + "\n```")


def pasted_into_hint(raw: Any, one: Any) -> Any:
    """The solution stands in a hint."""
    lines = source(cell(raw, "docker-production-image-solution")).splitlines()[1:]
    hint = "\n".join(f"      {line}" for line in lines)
    set_source(one, source(one) + f"\n  - en: |\n{hint}\n    ja: |\n      見る\n{hint}")


def broken(text: Callable[[str], str | bytes]) -> Callable[[Pack, str], int | None]:
    def make(pack: Pack, file: str) -> int | None:
        content = text(pack.text(file))
        pack.path(file).write_bytes(content if isinstance(content, bytes) else content.encode())
        return None

    return make


def with_output(pack: Pack, file: str) -> int | None:
    """As JupyterLab saves a template that was run."""
    raw = pack.book(file)
    one = cell(raw, "parameters")
    one["execution_count"] = 3
    one["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["hello\n"]}]
    raw["metadata"]["kernelspec"]["display_name"] = "my venv"
    pack.write(file, json.dumps(raw, indent=1, ensure_ascii=False))
    return None


def same_id(pack: Pack, file: str) -> int | None:
    raw = pack.book(file)
    raw["cells"][4]["id"] = raw["cells"][3]["id"]
    pack.write(file, json.dumps(raw, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    return 4


def newer_english(raw: Any, one: Any) -> Any:
    set_source(one, source(one).replace("title:\n  en: ", "title:\n  en: New ", 1))


def unstamped(raw: Any, one: Any) -> Any:
    stamped = raw["metadata"]["curriculum"]["translations"]
    name = next(id for id in stamped if id.endswith("/title"))
    del stamped[name]
    return raw["cells"].index(cell(raw, name.partition("/")[0])) + 1


_LOST = ("unmatched-files", "stale-translation", "unstamped-translation", "missing-translation")

CHANGES = [
    Change("no parameters", edit(nowhere(tags()), "parameters"), "not-one-parameters", also=("stray-cell",)),
    Change("two parameters", edit(twice, "parameters"), "not-one-parameters"),
    Change("parameters below start", edit(swap, "parameters"), "parameters-not-first"),
    Change("no start", edit(nowhere(tags()), "start"), "not-one-start", also=("stray-cell",)),
    Change("no start cell", edit(drop, "start"), "not-one-start"),
    Change("two starts", edit(twice, "start"), "not-one-start"),
    Change("a stray cell", edit(stray, "start"), "stray-cell"),
    Change("a tag with a typo", edit(retag("solution", "solutoin"), "solution:0"), "unknown-tag", also=("untagged-code", *_LOST)),
    Change("a language nobody speaks here", edit(retag("en", "eng"), "en:0"), "unknown-tag", also=("example-mark", *_LOST)),
    Change("a starter without tag", edit(untag("starter"), "starter:0"), "untagged-code", also=_LOST),
    Change("a solution without tag", edit(untag("solution"), "solution:0"), "untagged-code", also=_LOST),
    Change("no starter at all", edit(drop, "starter:0"), "unmatched-files", also=_LOST),
    Change("an answer in a lesson", edit(answer_in_lesson, "en:0"), "stray-answer", also=("unknown-value", *_LOST)),
    Change("no English prose", edit(drop, "en:0"), "no-prose", also=("missing-translation", "no-question")),
    Change("no Japanese prose", edit(drop, "ja:0"), "no-prose", also=("missing-translation", "no-question")),
    Change("English newer than the Japanese", edit(newer_english, "lesson:0"), "stale-translation"),
    Change("a translation nobody vouched for", edit(unstamped, "lesson:0"), "unstamped-translation"),
    Change("the solution in the story", edit(pasted, "docker-production-image-en"), "leaking-solution", (DOCKER,), _LOST),
    Change("the solution in a hint", edit(pasted_into_hint, "docker-production-image"), "leaking-solution", (DOCKER,), (*_LOST, "wrong-language")),
    Change("a cell id twice", same_id, "duplicate-cell-id", also=("not-canonical",)),
    Change("outputs and counters", with_output, "not-canonical"),
    Change("broken JSON", broken(lambda text: text[:-40]), "not-json"),
    Change("half a file", broken(lambda text: ""), "not-json"),
    Change("a list", broken(lambda text: "[]"), "not-notebook"),
    Change("cells that are a number", broken(lambda text: '{"cells": 3, "metadata": {}}'), "not-notebook"),
    Change("a cell that is a word", broken(lambda text: '{"cells": ["a"], "metadata": {}}'), "not-notebook"),
    Change("another encoding", broken(lambda text: text.encode("cp932", "replace")), "not-utf8"),
    Change("no cells", broken(lambda text: '{"cells": [], "metadata": {}}'), "no-front-matter", also=("not-one-parameters", "not-one-start")),
    Change("a role in another encoding", broken(lambda text: text.encode("cp932", "replace")), "not-utf8", (TESTER,)),
    Change("an empty role", broken(lambda text: ""), "no-role", (TESTER,)),
    Change("a frame that is no notebook", broken(lambda text: "[]"), "not-notebook", (STUDY,)),
    Change("a frame in another encoding", broken(lambda text: text.encode("cp932", "replace")), "not-utf8", (STUDY,)),
    Change("a frame with broken JSON", broken(lambda text: text[:-40]), "not-json", (STUDY,)),
    Change("a frame with outputs", with_output, "not-canonical", (STUDY,)),
    Change("a frame without a part", edit(drop, "part: card"), "missing-part", (STUDY,), ("duplicate-cell-id", *_LOST)),
    Change("a frame without its Japanese", edit(drop, "card-ja"), "missing-translation", (STUDY,), ("dead-link",)),
    Change("a frame without its English", edit(drop, "card-en"), "missing-translation", (STUDY,), ("dead-link",)),
    Change("a frame without parameters", edit(nowhere(tags()), "parameters"), "not-one-parameters", (STUDY,)),
    Change("a frame without start", edit(drop, "start"), "not-one-start", (STUDY,)),
    Change("a frame with a typo in a tag", edit(tags("jp"), "welcome-ja"), "unknown-tag", (STUDY,), _LOST),
]  # fmt: skip


def _cases() -> Iterator[Any]:
    for change in CHANGES:
        for file in change.files:
            yield pytest.param(change, file, id=f"{change.name}-{Path(file).stem}")


CASES = list(_cases())


@pytest.mark.parametrize(("change", "file"), CASES)
def test_a_fault_of_cells_or_files_is_found_at_its_place(
    pack: Pack, before: Callable[[str], list[Fault]], change: Change, file: str
) -> None:
    """In the small template and in a real one. A file that cannot be read is one fault: none that only follows from it."""
    number = change.make(pack, file)
    found = new(pack.faults(), before(file))
    hits = [f for f in found if f.key == change.key and f.file == file]
    assert hits, [f"{f.place()}: {f.sentence()}" for f in found]
    if number:
        assert number in {f.cell for f in hits}, [f.place() for f in hits]
    if change.key in {"not-json", "not-notebook", "not-utf8"}:
        assert len(found) == 1, [f"{f.place()}: {f.sentence()}" for f in found]
    assert {f.key for f in found} <= {change.key, *change.also}, [f"{f.place()}: {f.sentence()}" for f in found]
    for fault in found:
        check_words(fault)


# --- several files ---------------------------------------------------------------------------------------------------


def test_three_tools_in_a_circle_are_one_fault(pack: Pack) -> None:
    """Across a template and a role: hammer → plane → saw → hammer, told once."""
    role = pack.text(TESTER)
    plane = '  - {tool: plane, title: {en: Plane, ja: かんな}, category: cutting, needs: [saw], hours: {beginner: 1, intermediate: 1, advanced: 1}, docs: "https://example.org/"}\n'
    pack.write(TESTER, role + plane)
    raw = pack.book(HAMMER)
    front = cell(raw, "front-matter")
    set_source(front, source(front).replace("needs: []", "needs: [plane]"))
    pack.save(HAMMER, raw)
    circles = [f for f in pack.faults() if f.key == "cycle"]
    assert [f.file for f in circles] == [HAMMER]
    assert set(str(circles[0].params["path"]).split(" → ")) == {"hammer", "plane", "saw"}
    check_words(circles[0])


def test_a_tool_that_needs_itself_is_a_circle(pack: Pack) -> None:
    """hammer → hammer."""
    raw = pack.book(HAMMER)
    front = cell(raw, "front-matter")
    set_source(front, source(front).replace("needs: []", "needs: [hammer]"))
    pack.save(HAMMER, raw)
    assert [f.params["path"] for f in pack.faults() if f.key == "cycle"] == ["hammer → hammer"]


def test_a_slug_of_another_template_is_taken(pack: Pack) -> None:
    """Slugs are unique in the whole catalogue; the fault names the file that had it first."""
    raw = pack.book(HAMMER)
    front = cell(raw, "front-matter")
    set_source(front, source(front).replace("tool: hammer", "tool: hammer-nail"))
    file = "templates/notebooks/hammer-nail.ipynb"
    (pack.root / file).write_text("{}", encoding="utf-8")
    pack.save(file, raw)
    taken = [f for f in pack.faults() if f.key == "duplicate-slug" and f.params["name"] == "hammer-nail-first"]
    assert len(taken) == 1
    assert taken[0].cell == 1 + raw["cells"].index(cell(raw, "hammer-nail-first"))
    assert {taken[0].file, taken[0].params["first"]} == {HAMMER, file}
    assert str(taken[0].params["first"]) in taken[0].sentence("ja")
    check_words(taken[0])


def test_a_slug_of_our_own_templates_is_taken_too(pack: Pack) -> None:
    """A pack stands over ours: an exercise of its own tool must not bear the name of one of ours."""
    raw = pack.book(HAMMER)
    text = json.dumps(raw, ensure_ascii=False).replace("hammer-nail-first", "docker-first-image")
    text = text.replace("tool: hammer", "tool: docker-first")
    file = "templates/notebooks/docker-first.ipynb"
    (pack.root / file).write_text("{}", encoding="utf-8")
    pack.save(file, json.loads(text))
    assert "docker-first-image" in {f.params["name"] for f in pack.faults() if f.key == "duplicate-slug"}


def test_a_pack_may_build_on_our_tools(tmp_path: Path) -> None:
    """A school's own docker needs the command line, which our role declares: no fault."""
    folder = tmp_path / "school" / "templates" / "notebooks"
    folder.mkdir(parents=True)
    shutil.copy(REPOSITORY / DOCKER, folder)
    assert [f for f in lint(Catalog(tmp_path / "school"), ["school"]) if f.key == "dangling-tool"] == []


def test_all_faults_are_told_at_once(pack: Pack, before: Callable[[str], list[Fault]]) -> None:
    """Five faults in three files: five, in the order of their places."""
    names = {
        "an unknown duty",
        "no hints",
        "a heading",
        "an unknown value in a starter",
        "an unknown name in the frame",
    }
    seeds = [seed for seed in SEEDS if seed.name in names]
    assert len(seeds) == 5
    for seed in seeds:
        seed.sow(pack)
    found = new(pack.faults(), before(STUDY))
    assert {(seed.file, seed.key) for seed in seeds} <= {(f.file, f.key) for f in found}
    assert [(f.file, f.cell or 0, f.line or 0) for f in found] == sorted(
        (f.file, f.cell or 0, f.line or 0) for f in found
    )


# --- our own content -------------------------------------------------------------------------------------------------


def test_our_own_content_is_clean() -> None:
    """The role, the frame and every template."""
    assert [f"{f.place()}: {f.sentence()}" for f in lint(Catalog())] == []


def test_the_small_catalogue_is_clean() -> None:
    """Else nothing above would mean much. Our frame, with which it is rendered, is the business of the test above."""
    assert [f"{f.place()}: {f.sentence()}" for f in lint(Catalog(SMALL), ["small"]) if f.file != STUDY] == []


def test_every_sentence_of_lint_has_been_heard() -> None:
    """Whatever lint can say is said by a seed: a new kind of fault needs a test."""
    elsewhere = {
        "at-cell",
        "at-line",
        "cycle",
        "duplicate-slug",
        "bad-pack",  # the pack itself: tests of the catalogue
        "no-parameters",  # the engine's
        "not-template",  # fmt's
        "unreadable",
        "bad-value",  # what no other sentence fits
    }
    sown = {seed.key for seed in SEEDS} | {change.key for change in CHANGES}
    told = {key.removeprefix("fault.") for key in keys("en") if key.startswith("fault.")}
    assert told - sown - elsewhere == set()
    assert sown <= told


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_command_tells_place_and_remedy(pack: Pack, capsys: pytest.CaptureFixture[str], lang: str) -> None:
    """One line for each fault, and exit code 1; nothing but the count on stderr."""
    seed = next(seed for seed in SEEDS if seed.name == "a heading")
    number, _ = seed.sow(pack)
    code = cli.run(["lint", "--content", str(pack.root), "--lang", lang])
    out, err = capsys.readouterr()
    assert code == 1
    (line,) = [line for line in out.splitlines() if line.startswith(HAMMER)]
    assert str(number) in line.partition(".ipynb")[2]
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err


def test_the_command_gives_data(pack: Pack, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json`: an array of objects with file, cell, line, key and message."""
    seed = next(seed for seed in SEEDS if seed.name == "a wrong first line")
    number, line = seed.sow(pack)
    code = cli.run(["lint", "--content", str(pack.root), "--json", "--lang", "ja"])
    faults = json.loads(capsys.readouterr().out)
    assert code == 1
    (fault,) = [fault for fault in faults if fault["key"] == "bad-answer-line"]
    assert (fault["file"], fault["cell"], fault["line"]) == (HAMMER, number, line)
    assert "%%answer hammer-nail-first" in fault["message"]


@pytest.mark.parametrize("argv", [["generate", "--level", "beginner", "--role", "tester"], ["plan", "--level", "beginner", "--role", "tester"], ["list", "tools"], ["show", "tool", "hammer"], ["lint"], ["fmt"]], ids=" ".join)  # fmt: skip
@pytest.mark.parametrize(
    ("file", "content"),
    [
        (HAMMER, b"{"),
        (HAMMER, b"[]"),
        (HAMMER, "あ".encode("cp932")),
        (TESTER, b"role: [\n"),
        (TESTER, "あ".encode("cp932")),
    ],
    ids=["half JSON", "no notebook", "no UTF-8", "half YAML", "no UTF-8 in a role"],
)
def test_no_command_trips_over_broken_content(
    pack: Pack, capsys: pytest.CaptureFixture[str], tmp_path: Path, argv: list[str], file: str, content: bytes
) -> None:
    """A sentence with the file's name, exit code 1, no traceback, nothing written."""
    if argv == ["fmt"]:
        # It is about notebooks only.
        file = HAMMER
    pack.path(file).write_bytes(content)
    if argv[0] == "generate":
        argv = [*argv, "--output", str(tmp_path / "o")]
    code = cli.run([*argv, "--content", str(pack.root), "--lang", "en"])
    out, err = capsys.readouterr()
    assert code == 1
    assert Path(file).name in out + err
    assert "Traceback" not in out + err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        ("Fill the blank", "Fill  the\n blank", False),
        ("Fill the blank", "Fill the gap", True),
        ("空欄を", "空所を", False),
    ],
    ids=["white space", "another word", "the translation"],
)
def test_a_stamp_is_of_the_english_words(pack: Pack, old: str, new: str, stale: bool) -> None:
    """White space does not count, and the translation may be bettered at any time."""
    for lang in ("en", "ja"):
        raw = pack.book(HAMMER)
        one = cell(raw, f"hammer-nail-first-{lang}")
        set_source(one, source(one).replace(old, new))
        pack.save(HAMMER, raw)
    assert [f.params["id"] for f in pack.faults() if f.key == "stale-translation" and f.file == HAMMER] == (
        ["hammer-nail-first/prose"] if stale else []
    )
