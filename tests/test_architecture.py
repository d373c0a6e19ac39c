"""The order of the house: a module imports only what stands above it, and some doors stay shut."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

#: Above the line nothing imports papermill, nbformat or jsonschema: it runs in a learner's kernel.
ORDER = [
    "messages", "errors", "source", "cache", "model", "template", "catalog", "request", "planner", "roadmap", "timeline",
    "personal", "outcome", "progress", "snapshot", "result", "widget", "home", "answers", "labs", "checking", "feedback",
    "places", "routes", "machine", "doctor", "session", "magic", "study", "ipython",
    "-",
    "stencil", "render", "engine", "generation", "translation", "canonical", "glossary", "lint", "scaffold", "placement", "listing", "ics", "interview",
    "updating", "report", "proving", "store", "copies", "executors", "journal", "roster", "roster_sample", "cohort_page", "lms", "cohort", "cli",
    "__main__",
]  # fmt: skip
ABOVE = ORDER[: ORDER.index("-")]
PACKAGE = REPOSITORY / "curriculum"


def imports(name: str) -> set[str]:
    """Every module of ours that a module imports, inside functions too."""
    paths = sorted((PACKAGE / name).rglob("*.py")) if (PACKAGE / name).is_dir() else [PACKAGE / f"{name}.py"]
    found = set()
    for node in (node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "curriculum":
                found |= {alias.name for alias in node.names} - {"__version__"}
            elif node.module.startswith("curriculum."):
                found.add(node.module.split(".")[1])
    return found - ({name} if (PACKAGE / name).is_dir() else set())


def test_every_module_has_its_place() -> None:
    """A new module is put into the order on purpose."""
    modules = {path.stem for path in PACKAGE.glob("*.py")} | {"messages", "labs"}
    assert modules - {"__init__", "ipython_config"} == set(ORDER) - {"-"}


@pytest.mark.parametrize("name", [name for name in ORDER if name != "-"])
def test_a_module_imports_only_what_stands_above_it(name: str) -> None:
    """So there are no import cycles."""
    assert imports(name) <= set(ORDER[: ORDER.index(name)])


def test_what_runs_in_a_kernel_imports_no_heavy_notebook_library() -> None:
    """Importing everything above the line loads neither papermill nor nbformat nor jsonschema."""
    code = f"import sys, importlib\nfor name in {ABOVE!r}:\n    importlib.import_module('curriculum.' + name)\nprint(sorted({{'papermill', 'nbformat', 'jsonschema'}} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert result.stdout.strip() == "[]", result.stderr


def test_one_place_prints() -> None:
    """`print` stands nowhere in the package but in the text of the Start cell."""
    for path in PACKAGE.rglob("*.py"):
        calls = [
            n
            for n in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "print"
        ]
        assert not calls, path


def test_importing_the_package_costs_nothing() -> None:
    """`import curriculum` loads nothing but itself; its functions come when they are used."""
    code = "import sys; before = set(sys.modules); import curriculum; print(sorted(m for m in set(sys.modules) - before if m.startswith(('curriculum.', 'yaml', 'pydantic'))))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert result.stdout.strip() == "[]"
