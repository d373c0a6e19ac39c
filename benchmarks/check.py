"""What a learner waits for: loading the runtime, a check of files, a tick, Start after a year. Also: kills at random.

    python benchmarks/check.py [--runs N] [--kills N]

Each figure stands beside a peer that is measured in turns in the same run, and the ratio is what counts. The promises:
the import at most 0.3 s beyond an idle kernel, a check of files at most 50 ms after the first, a tick acknowledged
within 100 ms, Start on a study with 5,000 events within 0.5 s. Run it where JupyterLab is installed, as learners have
it. With --kills a process that ticks and checks is killed that often at random moments, and nothing may be lost.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

EVENTS = 5_000


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def report(name: str, ours: list[float], peer: list[float], what: str) -> None:
    """Medians and their ratio."""
    us, them = statistics.median(ours), statistics.median(peer)
    print(
        f"{name:34} {us * 1000:8.1f} ms   {what:34} {them * 1000:8.1f} ms   {us / them:6.2f} x   worst {max(ours) * 1000:.1f} ms"
    )


def process(code: str) -> float:
    """Seconds that a fresh interpreter says `code` took, after it has become an idle kernel."""
    idle = "import time, ipykernel.kernelapp, IPython.display; begin = time.perf_counter()\n"
    out = subprocess.run(
        [sys.executable, "-c", f"{idle}{code}\nprint(time.perf_counter() - begin)"], capture_output=True, check=True
    )
    return float(out.stdout.split()[-1])


def loading(runs: int) -> None:
    """`from curriculum.study import *` in an idle kernel, beside one of the libraries that learners import anyway."""
    ours, peer = [], []
    for run in range(runs + 1):
        pair = process("from curriculum.study import *"), process("import fastapi")
        if run:
            ours.append(pair[0])
            peer.append(pair[1])
    report("import curriculum.study", ours, peer, "import fastapi")


def year(study: Path) -> None:
    """A log such as a busy year leaves: ticks, answers and checks."""
    from curriculum.progress import Log

    log = Log(study, "")
    event = log.append("tick", item="docker.run", done=True)
    findings = [{"criterion": f"c{n}", "result": "met", "found": "python:3.12-slim"} for n in range(5)]
    with log.path.open("a", encoding="utf-8") as file:
        for n in range(EVENTS - 1):
            more = (
                {"kind": "tick", "item": f"docker.item-{n % 90}", "done": n % 3 > 0}
                if n % 5
                else {
                    "kind": "outcome",
                    "exercise": "docker-first-image",
                    "outcome": "failed",
                    "artefact": str(n),
                    "findings": findings,
                }
            )
            file.write(json.dumps({**event, "id": f"{n:016x}", **more}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--kills", type=int, default=0)
    arguments = parser.parse_args()
    os.environ["CURRICULUM_STATIC"] = "1"
    with tempfile.TemporaryDirectory() as name:
        os.environ |= {"CURRICULUM_DATA_DIR": f"{name}/data", "CURRICULUM_CACHE_DIR": f"{name}/cache"}
        if arguments.kills:
            from tests.kills import kill_at_random, make_study

            os.environ["CURRICULUM_CONTENT"] = str(REPOSITORY / "tests/catalogs/small")
            said = kill_at_random(make_study(Path(name) / "k"), arguments.kills)
            del os.environ["CURRICULUM_CONTENT"]
            print(f"{arguments.kills} kills, {said} acknowledged events, none lost")
        loading(min(arguments.runs, 9))
        measure(Path(name), arguments.runs)


def measure(folder: Path, runs: int) -> None:
    import curriculum
    from curriculum import study
    from curriculum.home import home_at
    from curriculum.proving import Proof, lay_out
    from curriculum.session import Session

    made = curriculum.generate(role="mlops-engineer", level="beginner", lang="en", output=folder, id="bench")
    place = made.notebook.parent
    session = Session(home_at(place))
    work = session.submission("docker-first-image")
    lay_out(Proof("docker-first-image", "solution"), work, session.catalog)
    text = (work.folder / "Dockerfile").read_text(encoding="utf-8")

    ours, peer = [], []
    for run in range(runs + 1):
        session.answer("docker-first-image", "Dockerfile", f"{text}\nLABEL run=r{run}\n", replace=True)
        pair = (
            seconds(lambda: list(session.check("docker-first-image", apart=False))),
            seconds(lambda: subprocess.run([sys.executable, "-c", ""], check=True)),
        )
        if run:
            ours.append(pair[0])
            peer.append(pair[1])
    report("a check of files", ours, peer, "starting an empty interpreter")

    class Quiet:
        """Stands for the page, which is not what is measured."""

        def display(self, *_: object, **__: object) -> None: ...

        update_display = display

    study._page = Quiet  # type: ignore[assignment]
    os.environ["JPY_SESSION_NAME"] = str(made.notebook)
    study.start()
    study.checklist("docker")
    ours, peer = [], []
    plain = folder / "plain.jsonl"
    for run in range(runs + 1):

        def append() -> None:
            with plain.open("a") as file:
                file.write("x" * 150 + "\n")
                file.flush()
                os.fsync(file.fileno())

        pair = seconds(lambda: study._desk._save("docker.run", run % 2 == 0)), seconds(append)  # noqa: B023
        if run:
            ours.append(pair[0])
            peer.append(pair[1])
    report("a tick, until it is acknowledged", ours, peer, "a line appended and synced")

    year(place)
    ours, peer = [], []
    log = place / "progress.jsonl"
    for run in range(runs + 1):
        study._desk = study.Desk()
        pair = seconds(study.start), seconds(lambda: [json.loads(line) for line in log.read_bytes().splitlines()])
        if run:
            ours.append(pair[0])
            peer.append(pair[1])
    report(f"Start with {EVENTS:,} events", ours, peer, "reading the log's lines as JSON")


if __name__ == "__main__":
    main()
