"""What the browser tests share: one JupyterLab, one Chromium, and for each test a page and a study of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import curriculum
from tests.browser.lab import PATIENCE, Notebook, Server, open_notebook, serving

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On a busy machine a real browser may be late once; what is wrong is wrong every time."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


Generate = Callable[..., curriculum.Study]
Open = Callable[..., Notebook]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("jupyterlab")) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[BrowserContext]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(_FLAGS))
        context = running.new_context(viewport={"width": 1280, "height": 900}, locale="ja-JP")
        context.set_default_timeout(PATIENCE)
        yield context
        running.close()


@pytest.fixture(autouse=True)
def machine(need: Callable[[str], None]) -> None:
    for name in ("chromium", "python:jupyterlab", "python:playwright", "python:axe-playwright-python"):
        need(name)


@pytest.fixture
def page(machine: None, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of its own. The browser starts with the first test that may run."""
    running: BrowserContext = request.getfixturevalue("browser")
    blank = running.new_page()
    yield blank
    blank.close()


@pytest.fixture
def lab(machine: None, request: pytest.FixtureRequest) -> Iterator[Server]:
    """JupyterLab without kernels. It starts with the first test that may run."""
    running: Server = request.getfixturevalue("server")
    yield running
    running.stop_kernels()


@pytest.fixture
def generate(lab: Server, tmp_path: Path) -> Generate:
    """Make a study in a folder that JupyterLab serves: the same folder for both languages."""

    def make(lang: str, **request: Any) -> curriculum.Study:
        asked = {"role": "mlops-engineer", "level": "beginner", "start": "2026-11-30", "id": "sato"} | request
        return curriculum.generate(lang=lang, output=lab.root / tmp_path.name, **asked)

    return make


@pytest.fixture
def open_study(lab: Server, page: Page) -> Open:
    """Open a study's notebook, or another one, with nothing remembered; what was open on the page goes."""

    def open_it(study: curriculum.Study | Path, front_end: str = "lab", on: Page | None = None) -> Notebook:
        path = study if isinstance(study, Path) else study.notebook
        return open_notebook(on or page, lab, path, front_end)

    return open_it
