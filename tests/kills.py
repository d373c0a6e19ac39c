"""Kill a process that ticks and checks at random moments: nothing that it said was saved may be lost."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from curriculum.progress import Log
from tests.conftest import REPOSITORY, SMALL

#: What a learner's kernel does, without a kernel: tick, answer, check, and say so once it is written.
WORKER = """
import os, sys
from pathlib import Path
from curriculum.home import home_at
from curriculum.session import Session

session = Session(home_at(Path(sys.argv[1])))
print("ready", flush=True)
n = int(sys.argv[2])
while True:
    n += 1
    session.tick(["hammer.nail"], n % 2 == 0)
    event = session.log.append("mark", number=n)
    print(event["id"], flush=True)
    session.answer("hammer-nail-first", "plan.yaml", f"nails: {n}\\n", replace=True)
    *_, outcome = session.check("hammer-nail-first", again=True)
    print(session.log.append("mark", number=n)["id"], flush=True)
"""


def make_study(folder: Path) -> Path:
    """A study of the small catalogue."""
    from curriculum.generation import generate

    return generate(
        output=folder, content=SMALL, role="tester", level="beginner", lang="en", start="2026-11-30", id="kill"
    ).notebook.parent


def kill_at_random(study: Path, times: int, seed: int = 0) -> int:
    """Start, kill, and look, `times` times; how many events were acknowledged. Raises AssertionError for a lost one."""
    draw = random.Random(seed)
    said: set[str] = set()
    for n in range(times):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(study), str(n * 1000)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=REPOSITORY,
            env={**__import__("os").environ, "CURRICULUM_CONTENT": str(SMALL)},
        )
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"ready"
        time.sleep(draw.uniform(0.0, 0.12))
        process.kill()
        said |= {line.decode() for line in process.stdout.read().splitlines() if len(line) == 16}
        process.stdout.close()
        process.wait()
        log = Log(study, "")
        known = {event["id"] for event in log.events()}
        assert said <= known, f"lost: {said - known}"
        assert log.unreadable <= n + 1
        answer = study / "work/hammer-nail-first/plan.yaml"
        assert not answer.exists() or answer.read_text().startswith("nails: ")
    # Torn lines stay where they are; everything else is whole.
    lines = (study / "progress.jsonl").read_bytes().split(b"\n")
    assert sum(1 for line in lines if line.strip() and not _whole(line)) <= times
    return len(said)


def _whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
