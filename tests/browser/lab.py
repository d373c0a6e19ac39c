"""JupyterLab as a learner meets it: a server of its own, and a notebook on a page."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

#: How long a page may take for anything but running a whole notebook, and for that, in milliseconds.
PATIENCE, RUN_PATIENCE = 20_000, 60_000
_TOKEN = "a-test-token"
_QUIET = {"fetchNews": "false", "checkForUpdates": False}


@dataclass(frozen=True)
class Server:
    """A JupyterLab server that serves the folder `root`."""

    url: str
    root: Path

    def address(self, notebook: Path, front_end: str = "lab") -> str:
        """Where a notebook opens in JupyterLab (`lab`) or Notebook 7 (`notebook`), with nothing remembered."""
        place = {"lab": "lab/tree", "notebook": "notebooks"}[front_end]
        return f"{self.url}/{place}/{quote(notebook.relative_to(self.root).as_posix())}?token={_TOKEN}&reset"

    def stop_kernels(self) -> None:
        """What happens overnight."""
        for session in json.loads(self._ask("GET", "/api/sessions")):
            self._ask("DELETE", f"/api/sessions/{session['id']}")

    def is_up(self) -> bool:
        try:
            return bool(self._ask("GET", "/api/status"))
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def _ask(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(self.url + path, method=method, headers={"Authorization": f"token {_TOKEN}"})
        with urllib.request.urlopen(request, timeout=20) as response:
            return bytes(response.read())


@contextmanager
def serving(home: Path) -> Iterator[Server]:
    """JupyterLab on a free port, with nothing of this machine's user in it; stopped at the end."""
    folders = {name: home / name for name in ("config", "data", "runtime", "ipython", "temporary", "studies")}
    settings = folders["config"] / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    for folder in (*folders.values(), settings):
        folder.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(_QUIET), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={folders['studies']}"]
    command += [f"--IdentityProvider.token={_TOKEN}", "--LabApp.expose_app_in_browser=True"]
    command += ["--JupyterNotebookApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"]
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(folders["config"]),
        "JUPYTER_DATA_DIR": str(folders["data"]),
        "JUPYTER_RUNTIME_DIR": str(folders["runtime"]),
        "IPYTHONDIR": str(folders["ipython"]),
        "CURRICULUM_DATA_DIR": str(folders["data"] / "curriculum"),
        # The studies lie in a temporary folder: the kernels are not to know, or each notebook begins with a warning.
        "TMPDIR": str(folders["temporary"]),
    }
    for name in ("CURRICULUM_STATIC", "CURRICULUM_CONTENT", "JPY_SESSION_NAME"):
        environment.pop(name, None)
    server = Server(f"http://127.0.0.1:{port}", folders["studies"])
    log = home / "server.log"
    with log.open("wb") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process:
        try:
            until = time.monotonic() + 60
            while not server.is_up():
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")
                time.sleep(0.1)
            yield server
            server.stop_kernels()
        finally:
            process.terminate()


@dataclass(frozen=True)
class Notebook:
    """A notebook that is open on a page of JupyterLab. Cells go by the ids that the generator gave them."""

    page: Page
    path: Path

    # --- doing ---

    def command(self, name: str, **arguments: Any) -> None:
        """Run a command of JupyterLab and wait until it is done."""
        self.page.evaluate(
            """([name, args, patience]) => Promise.race([
                jupyterapp.commands.execute(name, args).then(() => null),
                new Promise((_, fail) => setTimeout(() => fail(new Error(`${name} does not end`)), patience)),
            ])""",
            [name, arguments, RUN_PATIENCE],
        )

    def run_all(self) -> None:
        self.wait_idle()
        self.command("notebook:run-all-cells")
        self.wait_idle()

    def run(self, cell: str) -> None:
        """Run one cell and nothing else."""
        self.wait_idle()
        self.select(cell)
        self.command("notebook:run-cell")
        self.wait_idle()

    def type_answer(self, cell: str, text: str) -> None:
        """Write over a cell's text and press Shift+Enter, as a learner does."""
        self.wait_idle()
        self.cell(cell).locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Shift+Enter")
        self.wait_idle()

    def run_code(self, code: str, below: str, *, wait: bool = True) -> str:
        """Insert a cell below another one, run it, and go on; the new cell's id. What a learner does to explore."""
        self.wait_idle()
        self.select(below)
        self.command("notebook:insert-cell-below")
        index = self.index(below) + 1
        self.page.evaluate(f"([n, text]) => {_NOTEBOOK}.widgets[n].model.sharedModel.setSource(text)", [index, code])
        name = self.cells()[index]
        # The command waits for the cell to end, so it is not waited for.
        self.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-cell') }")
        if wait:
            self.page.wait_for_timeout(100)
            self.wait_idle()
        return name

    def select(self, cell: str) -> None:
        """Make a cell the active one, in sight."""
        self.page.evaluate(f"n => {{ {_NOTEBOOK}.activeCellIndex = n }}", self.index(cell))
        self.cell(cell).scroll_into_view_if_needed()

    def scroll_to(self, cell: str) -> None:
        """Bring the top of a cell to the top of the window."""
        self.cell(cell).evaluate(
            "cell => { document.querySelector('.jp-WindowedPanel-outer').scrollTop +="
            " cell.getBoundingClientRect().top - 100; }"
        )

    def save(self) -> None:
        self.command("docmanager:save")

    def restart_kernel(self) -> None:
        # The command waits for its dialog, so it is not waited for.
        self.page.evaluate("() => { jupyterapp.commands.execute('kernelmenu:restart') }")
        self.page.locator(".jp-Dialog button.jp-mod-accept").click()
        self.page.locator(".jp-Dialog").wait_for(state="detached")
        self.wait_idle()

    def theme(self, name: str) -> None:
        """Change to the theme `Light` or `Dark`."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        light = "true" if name == "Light" else "false"
        self.page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")
        # While a theme loads, a splash stands before an empty page.
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")
        self.page.locator(".jp-WindowedPanel-outer").wait_for()

    def show_whole(self) -> None:
        """Lay out the whole notebook and make the window as high as it: axe judges only what it can see.

        JupyterLab's body has no height of its own, which axe takes for hidden.
        """
        style = "body { height: 100vh; } .jp-Cell { content-visibility: visible !important; }"
        self.page.add_style_tag(content=style)
        self.select(self.cells()[0])
        height = self.page.locator(".jp-WindowedPanel-outer").evaluate("panel => panel.scrollHeight")
        self.page.set_viewport_size({"width": 1280, "height": height + 200})
        self.page.wait_for_function(
            "() => { const panel = document.querySelector('.jp-WindowedPanel-outer');"
            " panel.scrollTop = 0; return panel.clientHeight > 2000; }"
        )

    # --- waiting ---

    def wait_open(self) -> None:
        """Until the notebook's cells can be read."""
        self.page.wait_for_function(
            f"() => window.jupyterapp?.shell.currentWidget?.context?.isReady && {_NOTEBOOK}?.widgets.length"
        )

    def wait_idle(self) -> None:
        """Until the kernel is there and no cell waits or runs."""
        self.page.wait_for_function(
            """() => {
                const kernel = jupyterapp.shell.currentWidget.sessionContext.session?.kernel;
                const prompts = [...document.querySelectorAll('.jp-InputPrompt')];
                return kernel?.connectionStatus === 'connected' && kernel.status === 'idle'
                    && !prompts.some(prompt => prompt.textContent.includes('*'));
            }""",
            timeout=RUN_PATIENCE,
        )

    def wait_in_view(self, cell: str) -> None:
        """Until the beginning of a cell is in the upper part of the window, and stays there for a second."""
        self.page.wait_for_function(
            f"""([n, stays]) => {{
                const frame = document.querySelector('.jp-WindowedPanel-outer').getBoundingClientRect();
                const top = {_NOTEBOOK}.widgets[n].node.getBoundingClientRect().top;
                const seen = top >= frame.top - 5 && top < frame.top + frame.height / 2;
                if (!seen || window.cuTop !== top) {{ window.cuTop = top; window.cuSince = Date.now(); }}
                return seen && Date.now() - window.cuSince > stays;
            }}""",
            arg=[self.index(cell), 1000],
        )

    # --- looking ---

    def cells(self) -> list[str]:
        """The ids of all cells, in order."""
        return list(self.page.evaluate(f"() => {_NOTEBOOK}.widgets.map(cell => cell.model.id)"))

    def index(self, cell: str) -> int:
        return self.cells().index(cell)

    def cell(self, cell: str) -> Locator:
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{self.index(cell)}"]')

    def output(self, cell: str) -> Locator:
        return self.cell(cell).locator(".jp-OutputArea-output")

    def seen(self, cell: str) -> str:
        """What can be read in a cell and its output. What is far from the window is not laid out, so it comes into sight."""
        self.select(cell)
        text = self.page.wait_for_function(f"n => {_NOTEBOOK}.widgets[n].node.innerText.trim()", arg=self.index(cell))
        return str(text.json_value())

    def source(self, cell: str) -> str:
        """The text of a cell, as the page holds it."""
        text = self.page.evaluate(f"n => {_NOTEBOOK}.widgets[n].model.sharedModel.getSource()", self.index(cell))
        return str(text)

    def saved(self) -> dict[str, Any]:
        """What the file holds."""
        content: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return content


_NOTEBOOK = "jupyterapp.shell.currentWidget.content"


def open_notebook(page: Page, server: Server, path: Path, front_end: str = "lab") -> Notebook:
    """Open a notebook in JupyterLab or Notebook 7; its kernel may still be starting."""
    notebook = Notebook(page, path)
    page.goto(server.address(path, front_end))
    notebook.wait_open()
    return notebook
