"""What several of Docker's judges ask: of a Dockerfile, of an engine, of a container."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from curriculum.labs.asgi import EVERYWHERE
from curriculum.labs.dockerfile import (
    Dockerfile,
    Image,
    Instruction,
    Stage,
    shell_commands,
)
from curriculum.labs.lab import Lab, Missing
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.docker import Box, Build, Docker

#: Images that bring a language or a system and no packages of a project.
_BARE = frozenset(
    {"python", "pypy", "debian", "ubuntu", "alpine", "busybox", "fedora", "rockylinux", "almalinux", "uv"}
)
#: Tags that move on to whatever is newest.
_MOVING = frozenset(
    {"latest", "stable", "edge", "rolling", "lts", "current", "mainline", "devel", "nightly", "main", "master", "dev"}
)
_INSTALLERS = frozenset({"pip", "uv", "poetry", "pdm", "pipenv", "conda", "mamba", "micromamba"})
SYSTEM_INSTALLERS = frozenset({"apt", "apt-get", "apk", "dnf", "yum", "microdnf"})
#: Tools that install other packages: to install them is not yet to install the packages.
_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv", "poetry", "pdm", "pipenv", "pip-tools", "virtualenv"})
#: How long, in seconds, a service may take until it answers.
PATIENCE = 40
#: Exit codes of a service that ended by itself after the stop signal: 143 and 130 are the signal's own.
_ENDED_BY_ITSELF = frozenset({0, 130, 143})


def pinned_base(lab: Lab, dockerfile: Dockerfile) -> Finding:
    """Whether each base image of the stages that are used has a version."""
    for image in _bases(dockerfile):
        fault = _not_pinned(image)
        if fault is not None:
            return lab.found("pinned-base", False, found=f"FROM {image}", fault=fault)
    return lab.found("pinned-base", True, found=", ".join(map(str, _bases(dockerfile))))


def _not_pinned(image: Image) -> str | None:
    """What is wrong with an image's version; None when nothing is."""
    if image.digest:
        return None
    if not image.tag:
        return "no-tag"
    if "$" in image.tag:
        return "no-default"
    if image.tag == "latest":
        return "latest"
    first = image.tag.split("-")[0]
    if first in _MOVING or (image.short == "python" and not first[0].isdigit()):
        return "moving"
    return None


def _bases(dockerfile: Dockerfile) -> list[Image]:
    return [stage.base for stage in dockerfile.used if stage.base]


def packages_first(lab: Lab, criterion: str, dockerfile: Dockerfile, code: str = "app.py") -> Finding:
    """Whether the packages are installed before the code enters the image, in each stage that installs any."""
    installed = False
    for stage in dockerfile.used:
        early: Instruction | None = None
        for instruction in stage.everything:
            if instruction.takes(code):
                early = early or instruction
            if installs(instruction):
                installed = True
                if early:
                    fault = "code-first" if early is not instruction else "code-mounted"
                    return lab.found(criterion, False, found=early.text, fault=fault)
                break
    if not installed and surely_bare(dockerfile):
        return lab.found(criterion, False, fault="nothing-installed")
    return lab.found(criterion, True)


def installs(instruction: Instruction) -> bool:
    """Whether a RUN installs packages of the project."""
    return instruction.name == "RUN" and any(map(_installs_packages, instruction.commands))


def _installs_packages(words: tuple[str, ...]) -> bool:
    names = [program(word) for word in words]
    for place, name in enumerate(names):
        if name in _INSTALLERS:
            rest = words[place + 1 :]
            verbs = [
                n for n, word in enumerate(rest) if word in {"install", "sync", "wheel", "download", "create", "update"}
            ]
            if verbs:
                what = [word for word in rest[verbs[0] + 1 :] if not word.startswith("-")]
                listed = any(word.startswith(("-r", "--requirement", "-e", "--editable")) for word in rest)
                return listed or not what or bool({re.split(r"[=<>~!\[]", word)[0] for word in what} - _TOOLS)
        if name in SYSTEM_INSTALLERS:
            return any(word.startswith(("python3-", "py3-")) for word in words[place + 1 :])
    return False


def program(word: str) -> str:
    """A program's name without its folder and version: `pip` for `/venv/bin/pip3.12`."""
    name = posixpath.basename(word)
    bare = name.rstrip("0123456789.")
    return bare if bare in _INSTALLERS else name


def surely_bare(dockerfile: Dockerfile) -> bool:
    """Whether no package can be in the image: its base brings none, and no script could have installed any."""
    for stage in dockerfile.used:
        root = stage.root
        if root is not None and posixpath.basename(root.short) not in _BARE:
            return False
        for instruction in stage.everything:
            if instruction.name == "RUN" and any(
                word.endswith((".sh", ".py")) for c in instruction.commands for word in c
            ):
                return False
    return all(dockerfile.stage(source) for stage in dockerfile.used for source in dockerfile.sources(stage))


def list_start(lab: Lab, stage: Stage, criterion: str = "exec-form") -> Finding:
    """Whether the service itself is the first process: no shell stands before it."""
    start = stage.start
    if start is None:
        return lab.found(criterion, False, fault="missing")
    script = start.shell_script
    if script is None:
        return lab.found(criterion, True, found=json.dumps(list(start.words)))
    replaced = any(words[0] == "exec" for words in shell_commands(script))
    return lab.found(criterion, replaced, found=start.text, fault="shell-in-list" if start.is_list else "shell-form")


def reachable(lab: Lab, place: tuple[str, str], port: str) -> Finding:
    """Whether a service that listens on `place`, an address and a port, can be reached from outside its container."""
    host, actual = place
    fault = "own-address" if host not in EVERYWHERE else "other-port"
    met = host in EVERYWHERE and actual == port
    return lab.found("reachable", met, found=f"{host}:{actual}", expected=f"0.0.0.0:{port}", fault=fault)


def engine(lab: Lab, dockerfile: Dockerfile | None = None, images: Iterable[str] = ()) -> Docker | None:
    """The engine with all images that are needed, or None: then live criteria wait for `docker`."""
    docker: Docker | None = lab.backend("docker")
    if docker is None:
        return None
    try:
        if dockerfile and not docker.buildkit and _wants_buildkit(dockerfile):
            raise Missing("no-buildkit")
        docker.fetch([*(dockerfile.images if dockerfile else ()), *images])
    except Missing as missing:
        lab.missing["docker"] = missing.reason
        return None
    return docker


def _wants_buildkit(dockerfile: Dockerfile) -> bool:
    newer = {"mount", "chmod", "link", "parents", "exclude", "checksum", "network", "security"}
    steps = [step for stage in dockerfile.used for step in stage.instructions]
    return any(step.heredocs or newer & {name for name, _ in step.flags} for step in steps)


def not_built(lab: Lab, criterion: str, build: Build) -> Finding:
    """A criterion that fails because the image cannot be built, or takes more than it may."""
    fault = "build-failed" if build.problem == "failed" else "build-limit"
    found = build.last if build.problem == "failed" else f"{build.problem}: {build.seconds:.0f} s"
    return lab.found(criterion, False, found=found, fault=fault, how="real")


def serves(lab: Lab, criterion: str, box: Box, port: str) -> Finding:
    """Whether the service in a container is healthy and predicts."""
    reply = box.get(int(port), "/healthz", wait=PATIENCE)
    if not box.running:
        return lab.found(criterion, False, found=box.last, fault="ended", how="real")
    if not reply.ok:
        return lab.found(criterion, False, found=f"/healthz {reply.status or ''}", fault="no-answer", how="real")
    body = {lab.value("distance_km"): 3.5, "hour": 9, lab.value("rain"): True, lab.value("stops"): 2}
    reply = box.get(int(port), "/predict", body)
    data = reply.json()
    number = reply.ok and isinstance(data, dict) and any(isinstance(value, int | float) for value in data.values())
    return lab.found(criterion, number, found=reply.text, fault="no-prediction", how="real")


def stops(lab: Lab, criterion: str, box: Box) -> Finding:
    """Whether `docker stop` ends a container soon, and by its own doing."""
    seconds, code = box.stop()
    met = seconds <= 5 and code in _ENDED_BY_ITSELF
    fault = "killed" if code == 137 else "slow" if seconds > 5 else "code"
    return lab.found(
        criterion,
        met,
        found=f"{seconds:.1f} s, exit code {code}",
        expected="≤ 5 s, exit code 0",
        fault=fault,
        how="real",
    )


def first_process_is_root(box: Box) -> bool:
    """Whether the first process of a container runs as root; not where the engine does not tell."""
    try:
        top = box.container.top(ps_args="-eo pid,uid,args")
    except Exception:
        return False
    column = [title.upper() for title in top["Titles"]].index("UID")
    return bool(top["Processes"]) and str(top["Processes"][0][column]) in {"0", "root"}
