"""The judge of four dead containers and one mended image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from curriculum.labs import judge
from curriculum.labs.docker.shared import (
    engine,
    first_process_is_root,
    not_built,
    serves,
    stops,
)
from curriculum.labs.dockerfile import (
    read_dockerfile,
)
from curriculum.labs.lab import Lab
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.docker import Build, Docker


@judge("docker-stop-and-debug")
def stop_and_debug(lab: Lab) -> Iterator[Finding]:
    documents = lab.yaml("diagnosis.yaml")
    told = documents[0] if len(documents) == 1 and isinstance(documents[0], dict) else {}
    for criterion, case in _CASES.items():
        yield _diagnosed(lab, criterion, case, told)
    dockerfile = read_dockerfile(lab)
    lab.text("start.sh")
    docker = engine(lab, dockerfile)
    if docker is None:
        return
    port = lab.value("port")
    with lab.scratch() as folder, docker.build(folder) as build:
        if not build.ok:
            yield not_built(lab, "starts", build)
            return
        with docker.container(build.id, ports=[int(port)], memory="1g") as box:
            served = serves(lab, "starts", box, port)
            if served.result == "met" and first_process_is_root(box):
                served = lab.found("starts", False, found="uid 0", fault="root", how="real")
            yield served
            if not box.running:
                return
            yield stops(lab, "stops", box)
        yield _fits(lab, docker, build, port)


#: For each criterion on a case: its letter, its cause, and the words of which its evidence holds one.
_CASES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "memory-case": ("a", "out-of-memory", ('"OOMKilled": true', "container oom")),
    "missing-case": ("b", "program-missing", ("executable file not found",)),
    "rights-case": ("c", "not-readable", ("Permission denied: 'model.json'",)),
    "signal-case": ("d", "stop-ignored", ("signal=9", "signal=15")),
}


def _diagnosed(lab: Lab, criterion: str, case: tuple[str, str, tuple[str, ...]], told: Mapping[Any, Any]) -> Finding:
    letter, cause, telling = case
    entry = told.get(letter)
    entry = entry if isinstance(entry, dict) else {}
    said, evidence = str(entry.get("cause") or ""), " ".join(str(entry.get("evidence") or "").split())
    if not said or said.startswith("TODO"):
        return lab.found(criterion, False, fault="nothing-yet")
    if said != cause:
        return lab.found(
            criterion, False, found=said, fault=said if said in {"out-of-memory", "crashed"} else "other-cause"
        )
    text = " ".join(lab.text(f"docker-case-{letter}.txt").split())
    if not evidence or evidence.rstrip(",") not in text:
        return lab.found(criterion, False, found=evidence, fault="not-quoted")
    return lab.found(criterion, any(words in evidence for words in telling), found=evidence, fault="not-telling")


def _fits(lab: Lab, docker: Docker, build: Build, port: str) -> Finding:
    """Whether the service starts and works with little memory."""
    memory = lab.value("memory")
    with docker.container(build.id, ports=[int(port)], memory=f"{memory}m") as box:
        served = serves(lab, "fits", box, port)
        # The first worker answers while others still load.
        box.settle(30)
        for _ in range(30):
            served = serves(lab, "fits", box, port) if served.result == "met" else served
        if box.starved:
            return lab.found("fits", False, found=f"OOMKilled, {memory} MB", fault="memory", how="real")
        if served.result == "met" and not box.running:
            return lab.found("fits", False, found=box.last, fault="ended", how="real")
        return served
