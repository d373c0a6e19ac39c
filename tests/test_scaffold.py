"""`curriculum new`: files that pass lint at once and can be generated from, and nobody's work overwritten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from curriculum import cli
from curriculum.generation import generate
from tests.conftest import SMALL


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = cli.run([*argv])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def clean(capsys: pytest.CaptureFixture[str], pack: Path) -> list[str]:
    cli.run(["lint", "--content", str(pack), "--json", "--lang", "en"])
    return [f"{f['file']} {f['cell']} {f['line']} {f['message']}" for f in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize("name", ["terraform", "Weights & Biases"[:7], "Apache Airflow", "k3s", "go", "git_lfs"])
def test_a_new_tool_passes_lint(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    """In an empty folder: the folder becomes a pack; the name becomes a slug, and the title stays as it was typed."""
    pack = tmp_path / "my school"
    pack.mkdir()
    code, out, _ = run(capsys, "new", "tool", name, "--content", str(pack), "--lang", "en")
    slug = name.lower().replace(" ", "-").replace("_", "-")
    path = pack / "templates" / "notebooks" / f"{slug}.ipynb"
    assert code == 0
    assert path.is_file()
    assert str(path) in out
    assert "curriculum lint" in out
    assert clean(capsys, pack) == []
    assert json.dumps(name)[1:-1] in json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"][2]


def test_a_new_tool_beside_others_passes_lint(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """In a pack that has content already; `fmt` has nothing to do."""
    pack = Path(shutil.copytree(SMALL, tmp_path / "small"))
    before = set(clean(capsys, pack))
    assert run(capsys, "new", "tool", "chisel", "--content", str(pack), "--lang", "ja")[0] == 0
    assert set(clean(capsys, pack)) == before
    assert run(capsys, "fmt", "--check", "--content", str(pack))[0] == 0


@pytest.mark.parametrize("level", ["beginner", "intermediate", "advanced"])
@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.usefixtures("fresh_catalog")
def test_a_study_can_be_made_from_a_new_role(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, level: str, lang: str
) -> None:
    """At every level, in both languages, before a word of it was replaced."""
    pack = tmp_path / "school"
    pack.mkdir()
    assert run(capsys, "new", "role", "Data Engineer", "--content", str(pack), "--lang", lang)[0] == 0
    study = generate(
        output=tmp_path / "o", content=pack, role="data-engineer", level=level, lang=lang, start="2026-11-30"
    )
    assert study.notebook.is_file()
    assert [step.tool for step in study.plan.steps] == ["docker"]
    assert "TODO" in study.notebook.read_text(encoding="utf-8")


@pytest.mark.usefixtures("fresh_catalog")
def test_a_new_role_passes_lint(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It uses docker, which is ours."""
    pack = tmp_path / "school"
    pack.mkdir()
    code, out, _ = run(capsys, "new", "role", "data-engineer", "--content", str(pack), "--lang", "en")
    assert code == 0
    assert str(pack / "roles" / "data-engineer.yaml") in out
    assert clean(capsys, pack) == []


@pytest.mark.usefixtures("fresh_catalog")
def test_a_new_tool_can_be_studied(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A new role, a new tool, one line that puts the tool into the role: a study with its lessons."""
    pack = tmp_path / "school"
    pack.mkdir()
    run(capsys, "new", "role", "r", "--content", str(pack))
    run(capsys, "new", "tool", "terraform", "--content", str(pack))
    role = pack / "roles" / "r.yaml"
    role.write_text(role.read_text(encoding="utf-8").replace("docker", "terraform"), encoding="utf-8")
    assert clean(capsys, pack) == []
    study = generate(output=tmp_path / "o", content=pack, role="r", level="advanced", lang="en", start="2026-11-30")
    text = study.notebook.read_text(encoding="utf-8")
    assert "terraform-advanced-lesson" in text
    assert "%%answer terraform-advanced-exercise answer.txt" in text


@pytest.mark.parametrize("what", ["tool", "role"])
def test_nothing_is_overwritten(capsys: pytest.CaptureFixture[str], tmp_path: Path, what: str) -> None:
    """The second time it says so; the file is as it was."""
    run(capsys, "new", what, "thing", "--content", str(tmp_path), "--lang", "en")
    (path,) = tmp_path.rglob("thing.*")
    path.write_text("mine", encoding="utf-8")
    code, _, err = run(capsys, "new", what, "Thing", "--content", str(tmp_path), "--lang", "en")
    assert code == 1
    assert "is there already" in err
    assert path.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("what", ["tool", "role"])
@pytest.mark.parametrize("name", ["../x", "x/y", "", "-x", "x-", "a--b", "日本語", "x" * 31, "C:\\x", "{{ x }}", ".x"])
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_bad_names_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, what: str, name: str, lang: str
) -> None:
    """One sentence, exit code 1, nothing written."""
    code, out, err = run(capsys, "new", what, f"--content={tmp_path}", f"--lang={lang}", "--", name)
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_study_is_the_name_of_the_frame(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A tool of that name would stand in for the frame of every study: refused."""
    code, _, _ = run(capsys, "new", "tool", "study", "--content", str(tmp_path))
    assert code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A file where a folder should be."""
    (tmp_path / "roles").write_text("", encoding="utf-8")
    code, _, err = run(capsys, "new", "role", "x", "--content", str(tmp_path), "--lang", "en")
    assert code == 1
    assert "could not be written" in err
