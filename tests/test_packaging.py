"""The wheel: what it holds, and that it works where there is nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow


def run(*argv: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command without the environment of the tests: no PYTHONPATH, no locale but English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LC_", "CURRICULUM"))}
    return subprocess.run(
        [*map(str, argv)],
        cwd=cwd,
        env={**kept, "LANG": "en_US.UTF-8", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this folder with the tools that are here."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, REPOSITORY)
    if "No module named build" in built.stderr:
        built = run(sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-w", folder, REPOSITORY)
    assert built.returncode == 0, built.stderr[-2000:]
    (path,) = folder.glob("curriculum-*.whl")
    return path


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """A fresh environment with nothing but the wheel and what it needs: its folder of programs."""
    folder = tmp_path_factory.mktemp("empty") / "env"
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    installed = run(programs / "python", "-m", "pip", "install", "--quiet", wheel)
    if installed.returncode and "No matching distribution" in installed.stderr + installed.stdout:
        pytest.skip("the packages that the wheel needs cannot be fetched here")
    assert installed.returncode == 0, installed.stderr[-2000:]
    return programs


def test_the_wheel_holds_everything_that_a_study_needs(wheel: Path) -> None:
    """Roles, templates, given files, messages, the widget, the type marker, and IPython's configuration."""
    names = set(zipfile.ZipFile(wheel).namelist())
    data = {name.partition(".data/data/")[2] for name in names if ".data/data/" in name}
    assert data == {"etc/ipython/ipython_config.py"}
    for path in (REPOSITORY / "roles").glob("*.yaml"):
        assert f"curriculum/content/roles/{path.name}" in names
    for path in (REPOSITORY / "templates").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and ".ipynb_checkpoints" not in path.parts:
            assert f"curriculum/content/templates/{path.relative_to(REPOSITORY / 'templates').as_posix()}" in names
    for path in (REPOSITORY / "curriculum").rglob("*"):
        if path.suffix in {".py", ".yaml", ".js", ".css", ".typed"}:
            assert path.relative_to(REPOSITORY).as_posix() in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    """No tests, no caches, no output of the one who built it."""
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".tmp"))]
    assert not [
        name for name in names if ".ipynb_checkpoints" in name or "/work/" in name or "progress" in Path(name).suffix
    ]
    tops = {name.partition("/")[0] for name in names}
    assert {top.partition("-")[0] for top in tops} == {"curriculum"}


def test_the_source_archive_is_complete(tmp_path: Path) -> None:
    """Who has the archive can build the wheel and run the tests."""
    built = run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path, REPOSITORY)
    if "No module named build" in built.stderr:
        pytest.skip("needs build")
    assert built.returncode == 0, built.stderr[-2000:]
    (path,) = tmp_path.glob("curriculum-*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "roles/mlops-engineer.yaml", "templates/notebooks/study.ipynb"}
    assert wanted | {"tests/conftest.py", "tests/catalogs/small/roles/tester.yaml"} <= names
    assert not [name for name in names if name.startswith(("output/", ".git/", ".hypothesis/"))]


def test_an_empty_environment_generates(empty: Path, tmp_path: Path) -> None:
    """`curriculum generate`, from a folder with nothing in it: a notebook, and the line that installs JupyterLab."""
    made = run(
        empty / "curriculum",
        "generate",
        "--role",
        "mlops-engineer",
        "--level",
        "beginner",
        "--lang",
        "ja",
        cwd=tmp_path,
    )
    assert made.returncode == 0, made.stderr
    notebook = tmp_path / "output" / "mlops-engineer-beginner" / "study.ja.ipynb"
    assert notebook.is_file()
    assert "curriculum[jupyter]" in made.stdout
    assert "docker-first-image" in notebook.read_text(encoding="utf-8")
    assert str(empty.parent) not in notebook.read_text(encoding="utf-8")


def test_the_installed_copy_makes_the_same_bytes(empty: Path, tmp_path: Path) -> None:
    """As the repository does."""
    argv = ["generate", "--role", "mlops-engineer", "--level", "advanced", "--lang", "en", "--start", "2026-11-30"]
    for n, program in enumerate(([empty / "python"], [sys.executable])):
        made = run(*program, "-m", "curriculum", *argv, "--output", tmp_path / f"{n}", cwd=tmp_path)
        assert made.returncode == 0, made.stderr
    files = [{p.name: p.read_bytes() for p in (tmp_path / f"{n}").rglob("*.ipynb")} for n in range(2)]
    assert files[0] == files[1] != {}


def test_every_name_of_the_command_works(empty: Path, tmp_path: Path) -> None:
    """`curriculum`, `python -m curriculum`, `jupyter-curriculum`: the same version as the package's."""
    from curriculum import __version__

    for argv in ([empty / "curriculum"], [empty / "python", "-m", "curriculum"], [empty / "jupyter-curriculum"]):
        told = run(*argv, "--version", cwd=tmp_path)
        assert (told.returncode, told.stdout) == (0, f"curriculum {__version__}\n"), told.stderr


def test_no_content_is_read_from_the_current_folder(empty: Path, tmp_path: Path) -> None:
    """Neither a broken role nor a module of our name that lies there is touched."""
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "evil.yaml").write_text("broken: [", encoding="utf-8")
    (tmp_path / "templates" / "notebooks").mkdir(parents=True)
    (tmp_path / "templates" / "notebooks" / "docker.ipynb").write_text("{", encoding="utf-8")
    (tmp_path / "content.yaml").write_text("name: evil", encoding="utf-8")
    listed = run(empty / "curriculum", "list", "roles", "--json", cwd=tmp_path)
    assert [role["role"] for role in json.loads(listed.stdout)] == ["mlops-engineer"]
    assert run(empty / "curriculum", "show", "tool", "docker", cwd=tmp_path).returncode == 0


def test_the_installed_content_is_clean_and_is_left_alone(empty: Path, tmp_path: Path) -> None:
    """`lint` is content with it; `new` without --content does not write into the installation."""
    assert run(empty / "curriculum", "lint", cwd=tmp_path).returncode == 0
    refused = run(empty / "curriculum", "new", "tool", "x", cwd=tmp_path)
    assert refused.returncode == 1
    assert "--content" in refused.stderr


def test_a_kernel_of_the_environment_knows_the_answer_magic(empty: Path) -> None:
    """IPython's configuration lies where IPython looks: in the environment's etc/ipython."""
    assert (empty.parent / "etc" / "ipython" / "ipython_config.py").is_file()


def test_papermill_finds_the_engine(empty: Path, tmp_path: Path) -> None:
    """`papermill --engine curriculum`, with the template of the installed copy."""
    where = run(empty / "python", "-c", "from curriculum.catalog import own_pack; print(own_pack().root)", cwd=tmp_path)
    template = Path(where.stdout.strip()) / "templates" / "notebooks" / "docker.ipynb"
    made = run(empty / "papermill", "--engine", "curriculum", template, tmp_path / "o.ipynb", "-p", "lang", "ja")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "o.ipynb").is_file()
