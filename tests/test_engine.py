"""The Papermill engine: the plain `papermill` command gives what our own command gives, and is as strict."""

from __future__ import annotations

import getpass
import importlib.metadata
import json
import os
import shutil
import socket
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from papermill.cli import papermill as papermill_command

from curriculum import render
from curriculum.generation import generate
from curriculum.model import LEVELS
from tests.conftest import REPOSITORY, SMALL

FRAME = REPOSITORY / "templates" / "notebooks" / "study.ipynb"
TOOLS = sorted(path for path in FRAME.parent.glob("*.ipynb") if path.stem != "study")
HAMMER = SMALL / "templates" / "notebooks" / "hammer.ipynb"
#: Templates that have exercises are tried at every level and in every language, the others once each.
HANDS_ON = [path for path in TOOLS if '"starter"' in path.read_text(encoding="utf-8")]
ALONE = [(path, level, lang) for path in [*HANDS_ON, HAMMER] for level in LEVELS for lang in ("ja", "en")]
ALONE += [(path, LEVELS[n % 3], ("ja", "en")[n % 2]) for n, path in enumerate(TOOLS) if path not in HANDS_ON]
BASE = {"role": "mlops-engineer", "level": "beginner", "lang": "ja", "start": "2026-11-30"}


def papermill(template: Path, output: Path | None, /, **parameters: Any) -> Any:
    """The notebook that Papermill makes with our engine, in this process. Braces in paths are ours to escape."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import papermill as pm

        return pm.execute_notebook(
            str(template).replace("{", "{{").replace("}", "}}"),
            str(output) if output else None,
            parameters,
            engine_name="curriculum",
            kernel_name="python3",
            language="python",
            progress_bar=False,
        )


def command(*argv: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The `papermill` command, as a process of its own."""
    environment = {**os.environ, "LANG": "en_US.UTF-8", "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [sys.executable, "-m", "papermill", "--engine", "curriculum", "--no-progress-bar", *map(str, argv)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        cwd=cwd,
        timeout=120,
    )


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def cells(notebook: Any) -> list[tuple[str, str, str]]:
    return [(cell["id"], cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]


def test_the_entry_point_is_ours_and_imports_nothing_heavy() -> None:
    """Papermill loads it whenever it is imported."""
    (entry,) = [e for e in importlib.metadata.entry_points(group="papermill.engine") if e.name == "curriculum"]
    assert entry.value == "curriculum.engine:CurriculumEngine"
    code = "import sys, curriculum.engine; print(sorted({'papermill','nbformat','yaml','jinja2','pydantic','click'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_the_papermill_command_gives_the_cells_of_generate(tmp_path: Path, lang: str) -> None:
    """Same request, same cells: ids, kinds, texts, metadata and pre-rendered outputs."""
    study = generate(output=tmp_path / "o", learner="山田 太郎", known=["git"], **{**BASE, "lang": lang})
    out = tmp_path / "plain.ipynb"
    arguments = [x for name, value in {**BASE, "lang": lang}.items() for x in ("-p", name, value)]
    result = command(FRAME, out, *arguments, "-r", "learner", "山田 太郎", "-y", "known: [git]", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert read(out)["cells"] == read(study.notebook)["cells"]
    assert read(out)["metadata"]["curriculum"] == read(study.notebook)["metadata"]["curriculum"]


def test_the_papermill_command_serves_a_tool_alone(tmp_path: Path) -> None:
    """DESIGN 4: `papermill --engine curriculum docker.ipynb out.ipynb -p level advanced -p lang ja`."""
    out = tmp_path / "docker.ipynb"
    result = command(FRAME.with_name("docker.ipynb"), out, "-p", "level", "advanced", "-p", "lang", "ja")
    assert result.returncode == 0, result.stderr
    assert "docker-checklist" in [cell["id"] for cell in read(out)["cells"]]
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("template", "level", "lang"), ALONE, ids=lambda value: getattr(value, "stem", value))
def test_every_template_alone_is_a_notebook(template: Path, level: str, lang: str) -> None:
    """Valid, with the level's exercises or its checklist, its parameters and one Start cell; no `⟦` is left."""
    import nbformat

    made = papermill(template, None, level=level, lang=lang, learner="Ada")
    nbformat.validate(made, relax_add_props=False)
    tags = [tag for cell in made.cells for tag in cell.metadata.get("tags", [])]
    assert sorted(set(tags) - {"nbval-ignore-output"}) == ["parameters", "start"]
    answers = [cell.source for cell in made.cells if cell.source.startswith("%%answer")]
    if template in [*HANDS_ON, HAMMER]:
        assert any(source.split()[1].startswith(template.stem) for source in answers)
    else:
        assert f"{template.stem}-checklist" in [cell.id for cell in made.cells]
    assert not [cell.id for cell in made.cells if "⟦" in cell.source]
    values: dict[str, Any] = {}
    exec(next(cell.source for cell in made.cells if "parameters" in cell.metadata.get("tags", [])), values)
    assert (values["level"], values["lang"], values["learner"]) == (level, lang, "Ada")


@pytest.mark.parametrize("template", [FRAME, *HANDS_ON, TOOLS[0]], ids=lambda path: path.stem)
def test_nothing_of_papermill_or_the_machine_remains(tmp_path: Path, template: Path) -> None:
    """No metadata.papermill, no path, user, host or time; the same bytes a second time."""
    texts = []
    for name in ("one", "two"):
        out = tmp_path / name / "s.ipynb"
        out.parent.mkdir()
        papermill(template, out, **(BASE if template == FRAME else {"level": "beginner", "lang": "ja"}))
        texts.append(out.read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    made = json.loads(texts[0])
    assert set(made["metadata"]) == {"curriculum", "kernelspec", "language_info"}
    assert all("papermill" not in cell["metadata"] for cell in made["cells"])
    assert not [tag for cell in made["cells"] for tag in cell["metadata"].get("tags", []) if "injected" in tag]
    for trace in (str(tmp_path), str(REPOSITORY), str(Path.home()), f"/{getpass.getuser()}/", socket.gethostname()):
        assert trace not in texts[0] or len(trace) < 4


# --- refusals --------------------------------------------------------------------------------------------------------

REFUSALS = [
    (("-p", "levle", "beginner"), "“level”"),
    (("-p", "level", "begginer"), "“beginner”"),
    (("-p", "role", "mlops-enginer"), "“mlops-engineer”"),
    (("-p", "lang", "jaa"), "“ja”"),
    (("-p", "learner", "007"), "-r"),
    (("-p", "learner", "True"), "-r"),
    (("-p", "id", "007"), "-r"),
    (("-p", "hours_per_week", "0"), "0"),
    (("-p", "start", "2026-02-30"), "2026-02-30"),
    (("-p", "single", "perhaps"), "perhaps"),
    (("-p", "content", "/no/such/folder"), "/no/such/folder"),
    (("-p", "part", "phase-9"), "phase-9"),
    (("-p", "variant", "teacher"), "instructor"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("change", "expected"), REFUSALS, ids=[" ".join(change) for change, _ in REFUSALS])
def test_what_papermill_lets_pass_is_refused(tmp_path: Path, change: tuple[str, str, str], expected: str) -> None:
    """Exit code 1, one sentence, no traceback, no file."""
    arguments = [x for name, value in {**BASE, "lang": "en"}.items() for x in ("-p", name, value)]
    argv = [str(FRAME), str(tmp_path / "out.ipynb"), *arguments, *change]
    result = CliRunner().invoke(papermill_command, ["--engine", "curriculum", "--no-progress-bar", *argv])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    sentences = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert len(sentences) == 1
    assert expected in sentences[0]
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_no_traceback_to_anyone(tmp_path: Path) -> None:
    """A refusal, as a process of its own."""
    result = command(FRAME, tmp_path / "out.ipynb", "-p", "levle", "beginner", "-p", "lang", "en")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr + result.stdout
    assert "Did you mean “level”?" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_speaks_the_language_asked_for() -> None:
    """`lang` is read before anything else, even when something else is wrong."""
    with pytest.raises(click.ClickException) as refusal:
        papermill(FRAME, None, **{**BASE, "level": "begginer"})
    assert "beginner" in refusal.value.message
    assert "レベル" in refusal.value.message


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"levle": "beginner"}, "“level”"),
        ({"level": "begginer"}, "“beginner”"),
        ({"lang": "jaa", "level": "beginner"}, "“ja”"),
        ({"learner": 7}, "-r"),
        ({"variant": "teacher"}, "instructor"),
        ({"role": "mlops-engineer"}, "role"),
        ({"level": ["beginner"]}, "level"),
        ({"lang": 3}, "3"),
    ],
)
def test_a_tool_alone_is_as_strict(parameters: dict[str, Any], expected: str) -> None:
    """The same refusals for a template that is no frame."""
    with pytest.raises(click.ClickException) as refusal:
        papermill(HAMMER, None, **{"lang": "en", **parameters})
    assert expected in refusal.value.message


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"known": "kubernets"}, "“kubernetes”"),
        ({"level": None}, "level"),
        ({"role": 3}, "3"),
        ({"known": 3}, "3"),
        ({"hours_per_week": None}, "None"),
        ({"hours_per_week": True}, "True"),
        ({"start": 20261130}, "20261130"),
        ({"pause": "2026-12-28"}, "2026-12-28"),
        ({"learner": None}, "-r"),
        ({"learner": "x" * 500}, "500"),
        ({"phase": [9]}, "9"),
        ({"content": 3}, "3"),
    ],
)
def test_values_of_a_wrong_kind_are_refused_in_a_sentence(parameters: dict[str, Any], expected: str) -> None:
    """YAML gives numbers, lists and nothing where words are meant."""
    with pytest.raises(click.ClickException) as refusal:
        papermill(FRAME, None, **{**BASE, "lang": "en", **parameters})
    assert expected in refusal.value.message


def broken(tmp_path: Path, change: str) -> Path:
    raw = read(HAMMER)
    parameters = next(cell for cell in raw["cells"] if cell["id"] == "parameters")
    if change == "no tag":
        parameters["metadata"] = {}
    elif change == "no cell":
        raw["cells"].remove(parameters)
    elif change == "code":
        parameters["source"] = ["level = input()\n", 'lang = "en"']
    elif change == "syntax":
        parameters["source"] = ["level =\n"]
    elif change == "no front matter":
        raw["cells"] = raw["cells"][1:]
    elif change == "broken YAML":
        raw["cells"][0]["source"] = ['title: "x\n']
    elif change == "newer":
        raw["cells"][0]["source"][0] = "format: 2\n"
    elif change == "no hints":
        first = next(cell for cell in raw["cells"] if cell["id"] == "hammer-nail-first")
        first["source"] = first["source"][: first["source"].index("hints:\n")]
    path = tmp_path / "hammer.ipynb"
    path.write_text(json.dumps(raw), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "change", ["no tag", "no cell", "code", "syntax", "no front matter", "broken YAML", "newer", "no hints"]
)
def test_a_template_at_fault_is_refused(tmp_path: Path, change: str) -> None:
    """In a sentence that names the place, and nothing is written."""
    path = broken(tmp_path, change)
    with pytest.raises(click.ClickException) as refusal:
        papermill(path, tmp_path / "out.ipynb", level="beginner", lang="en")
    assert len(refusal.value.message.splitlines()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["hammer.ipynb"]


def test_the_command_refuses_a_template_without_parameters(tmp_path: Path) -> None:
    """Papermill alone would put the injected cell before the defaults, which then win."""
    result = command(broken(tmp_path, "no tag"), tmp_path / "out.ipynb", "-p", "lang", "en")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "parameters" in result.stderr


def test_any_other_notebook_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """Someone's own notebook, given by mistake."""
    import nbformat

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a = 1", metadata={"tags": ["parameters"]})])
    nbformat.write(book, tmp_path / "own.ipynb")
    result = command(tmp_path / "own.ipynb", tmp_path / "out.ipynb")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out.ipynb").exists()


# --- a study in which someone has worked -----------------------------------------------------------------------------


def edited(path: Path) -> None:
    raw = read(path)
    one = next(cell for cell in raw["cells"] if "".join(cell["source"]).startswith("%%answer"))
    one["source"] = [*one["source"], "\n# mine"]
    path.write_text(json.dumps(raw), encoding="utf-8")


def added(path: Path) -> None:
    raw = read(path)
    raw["cells"].append({"cell_type": "markdown", "id": "mine", "metadata": {}, "source": ["mine"]})
    path.write_text(json.dumps(raw), encoding="utf-8")


def executed(path: Path) -> None:
    raw = read(path)
    next(cell for cell in raw["cells"] if cell["cell_type"] == "code")["execution_count"] = 1
    path.write_text(json.dumps(raw), encoding="utf-8")


def ticked(path: Path) -> None:
    (path.parent / "progress.jsonl").write_text("{}\n", encoding="utf-8")


def answered(path: Path) -> None:
    (path.parent / "work").mkdir()


def foreign(path: Path) -> None:
    path.write_text("{}", encoding="utf-8")


@pytest.mark.parametrize("work", [edited, added, executed, ticked, answered, foreign], ids=lambda work: work.__name__)
def test_a_study_in_which_someone_has_worked_is_not_overwritten(tmp_path: Path, work: Any) -> None:
    """Papermill itself overwrites whatever it finds."""
    out = tmp_path / "s" / "out.ipynb"
    out.parent.mkdir()
    papermill(HAMMER, out, level="beginner", lang="en")
    work(out)
    before = out.read_bytes()
    with pytest.raises(click.ClickException) as refusal:
        papermill(HAMMER, out, level="beginner", lang="en")
    assert str(out) in refusal.value.message
    assert out.read_bytes() == before


def test_an_untouched_study_is_made_again(tmp_path: Path) -> None:
    """Another level over a notebook in which nobody has worked: as Papermill's users expect."""
    out = tmp_path / "out.ipynb"
    papermill(HAMMER, out, level="beginner", lang="en")
    papermill(HAMMER, out, level="advanced", lang="en")
    assert "hammer-house-first" in out.read_text(encoding="utf-8")


# --- content packs and parts -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("fresh_catalog")
def test_a_pack_may_lie_anywhere(tmp_path: Path) -> None:
    """Spaces, Japanese and braces in the path; through our command and through Papermill's."""
    pack = Path(shutil.copytree(SMALL, tmp_path / "学校 の {pack} {0} {{x}}"))
    shutil.copy(FRAME, pack / "templates" / "notebooks")
    request = {**BASE, "role": "tester"}
    study = generate(output=tmp_path / "o {out}", content=pack, **request)
    assert study.notebook.is_file()
    made = papermill(FRAME, tmp_path / "plain.ipynb", content=str(pack), **request)
    assert cells(made) == cells(read(study.notebook))
    assert "hammer-nail-first" in [cell.id for cell in made.cells]
    for file in (study.notebook, tmp_path / "plain.ipynb"):
        assert "学校" not in file.read_text(encoding="utf-8")


@pytest.mark.usefixtures("fresh_catalog")
def test_a_large_study_is_a_map_and_a_notebook_for_each_phase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that exist behind every link, cells that exist behind every jump, all checklists on the map."""
    import re

    monkeypatch.setattr(render, "MOST_CELLS", 10)
    study = generate(output=tmp_path, content=SMALL, **{**BASE, "role": "tester"})
    names = [path.name for path in study.files]
    assert names == ["study.ja.ipynb", "study.ja.phase-1.ipynb", "study.ja.phase-2.ipynb"]
    assert study.notebook.name == "study.ja.ipynb"
    books = {path.name: read(path) for path in study.files}
    ids = {name: {cell["id"] for cell in book["cells"]} for name, book in books.items()}
    answers = [c["id"] for book in books.values() for c in book["cells"] if "".join(c["source"]).startswith("%%answer")]
    assert "hammer-checklist" in ids["study.ja.ipynb"]
    assert "hammer-nail-first-answer" not in ids["study.ja.ipynb"]
    assert len(answers) == len(set(answers)) > 0
    dead = []
    for name, book in books.items():
        assert book["metadata"]["curriculum"]["parts"] == ["", "phase-1", "phase-2"]
        assert [tag for c in book["cells"] for tag in c["metadata"].get("tags", [])].count("start") == 1
        for cell in book["cells"]:
            if cell["cell_type"] != "markdown":
                continue
            for target in re.findall(r"\]\(([^)\s]+)\)", "".join(cell["source"])):
                file, _, place = target.partition("#")
                if target.startswith("https://"):
                    continue
                if (file and file not in books) or (place and place.removeprefix("cell-id=") not in ids[file or name]):
                    dead.append((name, cell["id"], target))
    assert dead == []


def test_the_map_of_a_large_study_holds_the_first_lap_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first success needs no second notebook; the other parts link back to it."""
    monkeypatch.setattr(render, "MOST_CELLS", 10)
    study = generate(output=tmp_path, **BASE)
    assert [path.name for path in study.files][:2] == ["study.ja.ipynb", "study.ja.phase-1.ipynb"]
    ids = [cell["id"] for cell in read(study.notebook)["cells"]]
    assert ids.index("first-lap-change-a-file-answer") < ids.index("phase-infrastructure-basics")
    assert "docker-first-image-answer" not in ids
    sources = "".join("".join(cell["source"]) for cell in read(study.notebook)["cells"])
    assert "(#cell-id=first-lap-change-a-file)" in sources
    for path in study.files[1:]:
        assert "first-lap-change-a-file" not in {cell["id"] for cell in read(path)["cells"]}


@pytest.mark.usefixtures("fresh_catalog")
def test_single_is_one_notebook_however_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--single`."""
    monkeypatch.setattr(render, "MOST_CELLS", 10)
    study = generate(output=tmp_path, content=SMALL, single=True, **{**BASE, "role": "tester"})
    assert [path.name for path in study.files] == ["study.ja.ipynb"]
    assert read(study.notebook)["metadata"]["curriculum"]["parts"] == [""]


def test_the_parts_are_runs_of_papermill_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run a notebook, with the parameter `part`."""
    monkeypatch.setattr(render, "MOST_CELLS", 10)
    study = generate(output=tmp_path, **BASE)
    for path in study.files:
        made = papermill(FRAME, None, part=path.name.removeprefix("study.ja").removesuffix(".ipynb").strip("."), **BASE)
        assert cells(made) == cells(read(path))
