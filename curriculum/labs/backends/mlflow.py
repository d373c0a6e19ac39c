"""MLflow as a judge uses it: the one that the learner's own Python has, on an empty store in a temporary folder.

Scripts of the learner's, and every model, run in processes of their own (`mlflow_child`), never in the judge's.
"""

from __future__ import annotations

import atexit
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from curriculum.cache import cache_folder
from curriculum.errors import AnswerError
from curriculum.labs import process
from curriculum.labs.lab import Lab, Missing, shortened
from curriculum.labs.process import Run

#: What an answer needs besides MLflow, all of it in the extra `mlflow`.
NEEDED = ("mlflow", "sqlalchemy", "alembic", "sklearn", "pandas", "skops")
#: What `mlflow server --app-name basic-auth` needs more.
NEEDED_TO_SERVE = ("flask", "flask_wtf")
#: Older versions have no logged models, aliases or SQLite by default.
OLDEST = (3, 5)
#: A script of a learner's may take so many seconds, importing MLflow and finding out requirements included.
PATIENCE = 90
#: The least number of seconds that starting Python with MLflow may take on a slow machine.
START = 120

CHILD = Path(__file__).with_name("mlflow_child.py")
#: A server that a script waits for must not keep it for minutes.
SOBER = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}

T = TypeVar("T")


def find(lab: Lab) -> MLflow:
    """MLflow in this Python. Raises Missing; imports nothing."""
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        raise Missing("not-installed")
    version = _version()
    if tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < OLDEST:
        raise Missing("too-old")
    return MLflow(version, lab.tell)


def can_serve() -> bool:
    """Whether this Python can start a tracking server with sign-in."""
    package = importlib.util.find_spec("mlflow")
    places = package.submodule_search_locations if package else None
    whole = any((Path(place) / "server" / "auth").is_dir() for place in places or ())
    return whole and all(importlib.util.find_spec(name) is not None for name in NEEDED_TO_SERVE)


def _version() -> str:
    for package in ("mlflow", "mlflow-skinny"):
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(package)
    return "0"


@dataclass(frozen=True)
class Reply:
    """What a process says to a question: data, or why there is none."""

    data: Any = None
    problem: str = ""

    @property
    def ok(self) -> bool:
        return not self.problem


class MLflow:
    """Runs scripts and answers questions, each in a process of its own."""

    def __init__(self, version: str, tell: Callable[..., None] | None = None, *, fork: bool | None = None) -> None:
        self.version = version
        self._tell = tell
        # macOS and Windows cannot fork what has threads in its libraries: there every process starts from nothing.
        self._fork = sys.platform == "linux" if fork is None else fork

    def warm(self) -> None:
        """Let what will be needed start already, while a judge waits for something else."""
        if self._fork:
            _host(self._tell)

    # --- stores ---

    def store(self, folder: Path) -> Path:
        """An empty tracking database `mlflow.db` in `folder`, where learners' scripts expect one.

        It is copied: making one takes MLflow seconds, so one is kept for each version.
        """
        target = folder / "mlflow.db"
        kept = cache_folder("mlflow")
        if kept is None:
            self._make(target)
            return target
        ready = kept / f"store-{self.version}.db"
        if not ready.is_file():
            with tempfile.TemporaryDirectory(dir=kept) as temporary:
                fresh = Path(temporary) / "mlflow.db"
                self._make(fresh)
                fresh.replace(ready)
        shutil.copy(ready, target)
        return target

    def _make(self, path: Path) -> None:
        reply = self.ask("make_store", folder=path.parent, path=str(path))
        if not reply.ok:
            raise RuntimeError(f"MLflow made no store: {reply.problem}")

    # --- processes ---

    def run(
        self,
        script: str,
        *arguments: str,
        folder: Path,
        timeout: float = PATIENCE,
        env: Mapping[str, str] | None = None,
    ) -> Run:
        """Run `python SCRIPT ARGUMENTS` in `folder`, which is no longer waited for after `timeout` seconds."""
        more = {**SOBER, **(env or {})}
        if not self._fork:
            argv = [sys.executable, script, *arguments]
            return process.run(argv, folder=folder, env=more, timeout=timeout)
        request = {"do": "run", "script": script, "arguments": list(arguments), "env": more}
        return self._request(request, folder, timeout)

    def finish(
        self,
        script: str,
        *arguments: str,
        folder: Path,
        timeout: float = PATIENCE,
        env: Mapping[str, str] | None = None,
    ) -> Run:
        """Run a script that must come to a good end. Raises AnswerError when it does not."""
        run = self.run(script, *arguments, folder=folder, timeout=timeout, env=env)
        if run.code is None:
            raise endless(script, run, timeout)
        if not run.ok:
            raise AnswerError("answer-fails", file=script, problem=shortened(run.last, 200) or f"exit code {run.code}")
        return run

    def ask(self, question: str, *, folder: Path, timeout: float = PATIENCE, **asked: Any) -> Reply:
        """Ask one of `mlflow_child`'s questions in a process of its own."""
        with tempfile.TemporaryDirectory(prefix="curriculum-asked-") as name:
            place = Path(name) / "answer.json"
            if self._fork:
                request = {
                    "do": "ask",
                    "question": question,
                    "asked": json.dumps(asked),
                    "answer": str(place),
                    "env": {},
                }
                run = self._request(request, folder, timeout)
            else:
                paper = Path(name) / "asked.json"
                paper.write_text(json.dumps(asked), encoding="utf-8")
                argv: list[str | Path] = [sys.executable, "-P", CHILD, "ask", question, paper, place]
                run = process.run(argv, folder=folder, timeout=timeout)
            try:
                told = json.loads(place.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                return Reply(problem=run.last or f"exit code {run.code}")
        return Reply(told.get("data"), str(told.get("problem", "")))

    def _request(self, request: dict[str, Any], folder: Path, timeout: float) -> Run:
        limits = {"timeout": timeout, "most": process.MOST_OUTPUT, "most_file": process.MOST_FILE}
        reply = _host(self._tell).request({**request, **limits, "folder": str(folder.resolve())}, timeout + 30)
        if reply is None:
            return Run(None, "", timeout)
        return Run(reply["code"], reply["output"], reply["seconds"])


def endless(script: str, run: Run, timeout: float) -> AnswerError:
    """What to say of a script that had to be stopped."""
    if run.seconds < timeout:
        return AnswerError("answer-floods", file=script)
    return AnswerError("answer-too-long", seconds=round(timeout))


class Host:
    """A process that has imported MLflow and forks for each request (`mlflow_child serve`)."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="curriculum-mlflow-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(CHILD), "serve"],
            cwd=self._folder.name,
            env=process.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._owner = os.getpid()
        self._ready = False

    @property
    def usable(self) -> bool:
        """Whether it runs, and was started by this very process: a fork must not share it."""
        return self._owner == os.getpid() and self._process.poll() is None

    def request(self, request: Mapping[str, Any], timeout: float) -> dict[str, Any] | None:
        """Send a request and wait for its reply; None when the process is gone or silent, which ends it."""
        assert self._process.stdin is not None
        self._await()
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            reply = self._reply(timeout)
        except OSError:
            reply = None
        except BaseException:
            self.close()
            raise
        if reply is None:
            self.close()
        return reply

    def close(self) -> None:
        """End it, and with it whatever it runs: it sees its standard input close."""
        with suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._folder.cleanup()

    def _await(self) -> None:
        """Wait until it has imported everything. Raises RuntimeError when it never has."""
        if not self._ready:
            try:
                self._ready = self._reply(START) is not None
            finally:
                if not self._ready:
                    self.close()
        if not self._ready:
            raise RuntimeError("Python with MLflow did not start")

    def _reply(self, timeout: float) -> dict[str, Any] | None:
        assert self._process.stdout is not None
        late = threading.Timer(timeout, self._process.kill)
        late.daemon = True
        late.start()
        try:
            line = self._process.stdout.readline()
        finally:
            late.cancel()
        try:
            reply: dict[str, Any] = json.loads(line)
        except ValueError:
            return None
        return reply


_hosts: list[Host] = []


def _host(tell: Callable[..., None] | None) -> Host:
    """The host of this process, started when it is first wanted; it ends with this process."""
    if _hosts and not _hosts[0].usable:
        _hosts.clear()
    if not _hosts:
        if tell:
            tell("lab.mlflow-starts")
        _register_end()
        _hosts.append(Host())
    return _hosts[0]


@lru_cache(maxsize=1)
def _register_end() -> None:
    atexit.register(close)


def close() -> None:
    """End the host, if there is one."""
    while _hosts:
        host = _hosts.pop()
        if host._owner == os.getpid():
            host.close()
