"""Run a program of the learner's, or one about it, under limits, and leave nothing running behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: More output than this many characters is cut, and a program that goes on printing is stopped.
MOST_OUTPUT = 200_000
#: A program may write no file larger than this, in bytes (where the system can limit it).
MOST_FILE = 512 * 1024 * 1024

#: What tools of the course would otherwise do on their own: call home, start servers, warn at length.
QUIET = {
    "PYTHONIOENCODING": "utf-8",
    "PYTHONUTF8": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "GIT_TERMINAL_PROMPT": "0",
}


@dataclass(frozen=True)
class Run:
    """What became of a program. `output` is stdout and stderr together; `code` is None when it had to be stopped."""

    code: int | None
    output: str
    seconds: float

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def last(self) -> str:
        """The last line that says something: what to show of a failure."""
        return next((line.strip() for line in reversed(self.output.splitlines()) if line.strip()), "")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a lab: this one, with the interpreter's programs first on the PATH and nothing of the kernel's."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("JPY_", "CURRICULUM_", "MLFLOW_"))
    }
    path = os.pathsep.join(part for part in (str(Path(sys.executable).parent), kept.get("PATH", "")) if part)
    return {**kept, **QUIET, "PATH": path, **(extra or {})}


def run(
    argv: Sequence[str | Path],
    *,
    folder: Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 60,
    input: str = "",
) -> Run:
    """Run a program to its end, or stop it and all that it started after `timeout` seconds. Never raises for it.

    Raises FileNotFoundError when the program does not exist.
    """
    begun = time.monotonic()
    with _started(argv, folder, env) as (process, output):
        try:
            if process.stdin:
                with suppress(OSError):
                    process.stdin.write(input.encode())
                with suppress(OSError):
                    process.stdin.close()
            while process.poll() is None:
                if time.monotonic() - begun > timeout or output.full:
                    _stop(process)
                    return Run(None, output.text(), time.monotonic() - begun)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.05 if time.monotonic() - begun < 1 else 0.2)
        finally:
            _stop(process)
        return Run(process.returncode, output.text(), time.monotonic() - begun)


@dataclass
class Service:
    """A program that goes on running."""

    process: subprocess.Popen[bytes]
    _output: _Output

    @property
    def log(self) -> str:
        return self._output.text()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def flooded(self) -> bool:
        """Whether it has printed as much as is kept, whatever signs that makes."""
        return self._output.cut

    def stop(self, patience: float = 5) -> int | None:
        """Ask it to end; its exit code, or None when it did not end within `patience` seconds (it is killed later)."""
        with suppress(OSError):
            self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(timeout=patience)
        return None


@contextmanager
def serving(argv: Sequence[str | Path], *, folder: Path, env: Mapping[str, str] | None = None) -> Iterator[Service]:
    """A program that runs as long as the block does. Raises FileNotFoundError when it does not exist."""
    with _started(argv, folder, env) as (process, output):
        try:
            yield Service(process, output)
        finally:
            _stop(process)


class _Output:
    """What a program prints, read on a thread so that it never blocks, and cut where there is no end to it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._thread = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        return self._size > 20 * MOST_OUTPUT

    @property
    def cut(self) -> bool:
        return self._size >= MOST_OUTPUT

    def text(self) -> str:
        self._thread.join(timeout=0.5)
        return b"".join(self._parts)[:MOST_OUTPUT].decode("utf-8", "replace").replace("\r\n", "\n")

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with suppress(OSError, ValueError):
            while chunk := os.read(process.stdout.fileno(), 65536):
                if self._size < MOST_OUTPUT:
                    self._parts.append(chunk)
                self._size += len(chunk)


@contextmanager
def _started(
    argv: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None
) -> Iterator[tuple[subprocess.Popen[bytes], _Output]]:
    process: subprocess.Popen[bytes] = subprocess.Popen(
        [str(part) for part in argv],
        cwd=folder,
        env=environment(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **own_group(limit=True),
    )
    try:
        yield process, _Output(process)
    finally:
        _stop(process)
        for stream in (process.stdin, process.stdout):
            with suppress(OSError, ValueError):
                if stream:
                    stream.close()


def own_group(*, limit: bool = False) -> dict[str, Any]:
    """What makes a new process the head of a group of its own, so that it can be ended with all that it starts."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True, "preexec_fn": _limit if limit else None}


def _limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_FILE, MOST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a program with all that it started: the group first, then whatever is left of itself."""
    if sys.platform == "win32":
        if process.poll() is None:
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
    else:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(OSError):
        process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=5)
