"""A learner's program runs under limits, and leaves nothing running."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from curriculum.labs.lab import Lab, fetch, free_port
from curriculum.labs.process import MOST_OUTPUT, run, serving


def python(code: str, folder: Path, timeout: float = 20, **env: str):
    return run([sys.executable, "-c", code], folder=folder, timeout=timeout, env=env)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_a_program_that_ends_tells_code_and_output(tmp_path: Path) -> None:
    """stdout and stderr together, in its folder, as UTF-8."""
    ended = python("import os, sys; print('予測', os.getcwd()); sys.stderr.write('no\\n'); sys.exit(3)", tmp_path)
    assert (ended.code, ended.ok, ended.last) == (3, False, "no")
    assert f"予測 {tmp_path.resolve()}" in ended.output


def test_a_program_that_never_ends_is_stopped_with_its_children(tmp_path: Path) -> None:
    """The whole group goes, also what ignores a polite request."""
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    begin = time.monotonic()
    ended = python(code, tmp_path, timeout=1)
    assert ended.code is None
    assert time.monotonic() - begin < 10
    time.sleep(0.2)
    assert not alive(int(ended.output))


def test_a_child_that_outlives_its_parent_is_stopped_too(tmp_path: Path) -> None:
    """Nothing stays behind a program that ended well."""
    code = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid)"
    ended = python(code, tmp_path)
    assert ended.ok
    time.sleep(0.2)
    assert not alive(int(ended.output))


def test_output_without_end_is_cut_and_stopped(tmp_path: Path) -> None:
    """Long before the memory is full."""
    ended = python("while True: print('x' * 1000)", tmp_path, timeout=30)
    assert ended.code is None
    assert ended.seconds < 25
    assert len(ended.output) <= MOST_OUTPUT


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_file_without_end_is_stopped(tmp_path: Path) -> None:
    """The disk is not filled."""
    code = "f = open('big', 'wb')\nwhile True: f.write(b'x' * 10_000_000)"
    ended = python(code, tmp_path)
    assert not ended.ok
    assert (tmp_path / "big").stat().st_size <= 512 * 1024 * 1024


def test_what_the_kernel_knows_is_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracking server of the learner's own is not written to by accident."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    monkeypatch.setenv("JPY_SESSION_NAME", "x.ipynb")
    code = "import os; print(sorted(n for n in os.environ if n.startswith(('MLFLOW_TR', 'JPY_'))), os.environ['PORT'])"
    assert python(code, tmp_path, PORT="1").last == "[] 1"


def test_a_service_runs_as_long_as_its_block(tmp_path: Path) -> None:
    """Asked on loopback, ended at the end; what does not answer has status 0."""
    port = free_port()
    with serving([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"], folder=tmp_path) as service:
        for _ in range(100):
            if (reply := fetch(f"http://127.0.0.1:{port}/")).ok:
                break
            time.sleep(0.1)
        assert reply.ok
        pid = service.process.pid
    assert not alive(pid)
    assert fetch(f"http://127.0.0.1:{port}/", timeout=1).status == 0


def test_a_scratch_copy_holds_the_answer_and_nothing_else(tmp_path: Path) -> None:
    """No history, no database, no link; and what happens there stays there."""
    folder = tmp_path / "lab"
    (folder / ".history").mkdir(parents=True)
    (folder / ".history" / "old").write_text("x")
    (folder / "mlflow.db").write_text("x")
    (folder / "deep").mkdir()
    (folder / "deep" / "train.py").write_text("print(1)")
    lab = Lab("x", folder, {}, live=True)
    with lab.scratch() as copy:
        assert [path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()] == ["deep/train.py"]
        assert lab.python("deep/train.py", folder=copy).output == "1\n"
        (copy / "left").write_text("x")
    assert not copy.exists()
    assert not (folder / "left").exists()
