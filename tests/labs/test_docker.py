"""Docker for real, with hostile answers: what never ends, prints without end, fills the disk or forks is stopped and told
as the answer's fault, and nothing of ours stays on the learner's engine."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curriculum.answers import Submission, submission
from curriculum.catalog import catalog_at
from curriculum.labs.backends import docker as backend
from curriculum.labs.backends.docker import LABEL, Docker
from curriculum.labs.judging import judge, judge_apart
from curriculum.labs.lab import Lab
from curriculum.outcome import Outcome
from curriculum.proving import Proof, lay_out, run_proof, verdict

pytestmark = [
    pytest.mark.backend,
    pytest.mark.skipif(sys.platform == "win32", reason="Docker's tests want an engine for Linux images"),
]

#: Names this run's sleeping programs, so that those left running can be told from others.
SLEEP = str(100_000 + secrets.randbelow(800_000))
#: Seconds in which a stopped build's programs and images must be gone.
SOON = 20


@pytest.fixture
def docker(tmp_path: Path, need: Callable[[str], None]) -> Docker:
    """The engine, with the small image from which the hostile ones are built."""
    need("docker")
    lab = Lab("docker-test", tmp_path, {}, live=True)
    engine = backend.find(lab)
    if not engine.has("busybox:latest"):
        engine.fetch(["busybox:latest"])
    return engine


@pytest.fixture
def clean(docker: Docker) -> Iterator[None]:
    """Whatever the test does, our containers, images, networks and volumes are soon those of before."""
    before, running = ours(docker), set(sleepers())
    yield
    deadline = time.monotonic() + SOON
    while (ours(docker) - before or set(sleepers()) - running) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert ours(docker) - before == set()
    assert set(sleepers()) - running == set()


def ours(docker: Docker) -> set[str]:
    """Everything with our label that the engine has now."""
    only = {"filters": {"label": LABEL}}
    client = docker.client
    things = [
        *client.containers.list(all=True, ignore_removed=True, **only),
        *client.images.list(all=True, **only),
        *client.networks.list(**only),
        *client.volumes.list(**only),
    ]
    return {f"{type(thing).__name__} {thing.id}" for thing in things}


def sleepers() -> list[str]:
    """The programs of a build or container of this run that still run; empty where they cannot be seen."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", SLEEP.encode()]:
            found.append(path.parent.name)
    return found


def dockerfile(folder: Path, run: str) -> Path:
    """A folder whose build runs a command that no cache has seen."""
    (folder / "Dockerfile").write_text(f"FROM busybox:latest\nRUN : {secrets.token_hex(4)}; {run}\n")
    return folder


def hostile(catalog_folder: Path, run: str) -> Submission:
    """The answer of the first exercise with a command in its build."""
    catalog = catalog_at(None)
    folder = catalog_folder / "docker-first-image"
    folder.mkdir()
    work = submission(catalog, "docker-first-image", folder)
    lay_out(Proof("docker-first-image", "solution"), work, catalog)
    path = folder / "Dockerfile"
    path.write_text(path.read_text().replace("COPY app.py", f"RUN : {secrets.token_hex(4)}; {run}\nCOPY app.py"))
    return work


def result(outcome: Outcome, criterion: str) -> tuple[str, str, str]:
    finding = next(one for one in outcome.findings if one.criterion == criterion)
    return finding.result, finding.fault, finding.found


# --- a build that uses too much ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clean")
def test_a_build_that_never_ends_is_stopped(docker: Docker, tmp_path: Path) -> None:
    begun = time.monotonic()
    with docker.build(dockerfile(tmp_path, f"sleep {SLEEP}"), timeout=5) as build:
        assert (build.problem, build.ok) == ("time", False)
    assert time.monotonic() - begun < 5 + SOON


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("sign", ["y", "あ"], ids=["ascii", "japanese"])
def test_a_build_that_prints_without_end_is_stopped(docker: Docker, tmp_path: Path, sign: str) -> None:
    """Also where a sign takes several bytes."""
    with docker.build(dockerfile(tmp_path, f"yes {sign * 40}"), timeout=60) as build:
        assert build.problem == "output"


@pytest.mark.usefixtures("clean")
def test_a_build_that_fills_the_disk_is_stopped(
    docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path(docker._root).exists():
        pytest.skip("the engine's disk cannot be seen from here")
    monkeypatch.setattr(backend, "MOST_DISK", 300_000_000)
    run = f"dd if=/dev/zero of=/big bs=1M count=1000; sleep {SLEEP}"
    with docker.build(dockerfile(tmp_path, run), timeout=60) as build:
        assert build.problem == "disk"


@pytest.mark.usefixtures("clean")
def test_a_build_that_forks_is_stopped(docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four hundred processes stand for a bomb."""
    if not Path(docker._root).exists():
        pytest.skip("the engine's processes cannot be seen from here")
    monkeypatch.setattr(backend, "MOST_PROCESSES", 200)
    run = f"for i in $(seq 400); do sleep {SLEEP} & done; wait"
    with docker.build(dockerfile(tmp_path, run), timeout=60) as build:
        assert build.problem == "processes"


# --- the same, as a learner sees it -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("clean")
def test_a_judge_tells_which_limit_a_build_ran_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docker: Docker
) -> None:
    monkeypatch.setattr(backend, "MOST_SECONDS", 8)
    outcome = judge(hostile(tmp_path, f"sleep {SLEEP}"), live=True)
    assert outcome.outcome == "failed"
    verdict, fault, found = result(outcome, "answers")
    assert (verdict, fault) == ("not-met", "build-limit")
    assert found.startswith("time: ")


# On a busy machine the engine may start a step after its build was cancelled.
@pytest.mark.flaky(reruns=2)
@pytest.mark.usefixtures("clean")
def test_a_check_that_is_given_up_cleans_up(tmp_path: Path, docker: Docker) -> None:
    """The process that judges is interrupted in the middle of a build."""
    work = hostile(tmp_path, f"sleep {SLEEP}")
    outcome = judge_apart(work, timeout=12)
    assert outcome.outcome == "failed"
    assert outcome.problem and outcome.problem.key == "answer-too-long"


@pytest.mark.usefixtures("clean")
def test_a_container_that_forks_and_prints_is_held(docker: Docker) -> None:
    """The engine itself keeps it to its processes and its log, and it ends with the block."""
    run = f"for i in $(seq 300); do sleep {SLEEP} & done; yes"
    with docker.container("busybox:latest", command=["sh", "-c", run], pids=40) as box:
        time.sleep(3)
        assert len(sleepers()) <= 40
        assert len(box.log) <= 200_000


@pytest.mark.usefixtures("clean")
def test_a_failing_block_leaves_nothing(docker: Docker, tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError),
        docker.build(dockerfile(tmp_path, "true")) as build,
        docker.network() as network,
        docker.volume({"a": b"1"}, image=build.id) as volume,
        docker.container(build.id, command=["sleep", SLEEP], network=network, volumes=[f"{volume}:/kept"]) as box,
    ):
        assert box.running
        raise RuntimeError


# --- what a crash left ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clean")
def test_leftovers_are_swept_after_an_hour(docker: Docker, tmp_path: Path) -> None:
    """Ours that are older go, ours that are younger stay, and so does everything of the learner's."""
    label = {age: f"{int(time.time()) - age}-{secrets.token_hex(6)}" for age in (4000, 60)}
    kept = docker.client.containers.create("busybox:latest", name=f"mine-{secrets.token_hex(6)}")
    try:
        for text in label.values():
            made = {LABEL: text}
            docker.client.containers.create("busybox:latest", labels=made)
            docker.client.networks.create(f"curriculum-lab-{secrets.token_hex(6)}", labels=made)
            docker.client.volumes.create(labels=made)
            subprocess.run(
                ["docker", "build", "-q", "--label", f"{LABEL}={text}", str(dockerfile(tmp_path, "true"))],
                check=True,
                capture_output=True,
                env={**os.environ, "DOCKER_BUILDKIT": "1"},
            )
        assert (held(docker, label[4000]), held(docker, label[60])) == (4, 4)
        backend.find(docker.lab)
        assert (held(docker, label[4000]), held(docker, label[60])) == (0, 4)
        kept.reload()
    finally:
        kept.remove(force=True)
        for text in label.values():
            docker.remove_labelled(text)


def held(docker: Docker, label: str) -> int:
    """How many things have exactly this label."""
    only = {"filters": {"label": f"{LABEL}={label}"}}
    client = docker.client
    kinds = (client.networks.list(**only), client.volumes.list(**only), client.images.list(**only))
    return len(client.containers.list(all=True, **only)) + sum(map(len, kinds))


# --- a right answer, checked again ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clean")
def test_a_second_check_does_not_take_the_first_ones_token(docker: Docker) -> None:
    """A secret is not part of what a build step is cached by."""
    if not docker.buildkit or shutil.which("docker") is None:
        pytest.skip("no builder that knows secrets")
    proof = Proof("docker-config-and-secrets", "solution")
    for _ in range(2):
        assert verdict(proof, run_proof(proof, catalog_at(None))) == ""
