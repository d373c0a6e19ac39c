"""The judge of the image that may go to production."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from curriculum.labs import judge
from curriculum.labs.docker.shared import (
    engine,
    first_process_is_root,
    installs,
    not_built,
    stops,
    surely_bare,
)
from curriculum.labs.dockerfile import (
    Dockerfile,
    Stage,
    read_dockerfile,
    read_ignore,
)
from curriculum.labs.lab import Lab
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.docker import Box


@judge("docker-production-image")
def production_image(lab: Lab) -> Iterator[Finding]:
    dockerfile = read_dockerfile(lab)
    stage, port = dockerfile.last, lab.value("port")
    yield _multi_stage(lab, dockerfile)
    user, check = _number_user(lab, stage), _healthcheck(lab, stage, port)
    yield from (user, check)
    yield _secrets_stay_out(lab)
    if stage.start is None or "not-met" in {user.result, check.result}:
        return
    docker = engine(lab, dockerfile)
    if docker is None:
        return
    with lab.scratch() as folder, docker.build(folder) as build:
        if not build.ok:
            yield not_built(lab, "becomes-healthy", build)
            return
        with docker.container(build.id) as box:
            yield _becomes_healthy(lab, box)
            if box.running:
                yield stops(lab, "stops-cleanly", box)


def _multi_stage(lab: Lab, dockerfile: Dockerfile) -> Finding:
    last = dockerfile.last
    own = next((step for step in last.everything if installs(step)), None)
    if own:
        fault = "one-stage" if len(dockerfile.used) == 1 else "installs"
        return lab.found("multi-stage", False, found=own.text, fault=fault)
    copied = [stage for stage in map(dockerfile.stage, dockerfile.sources(last)) if stage]
    made = any(installs(step) for stage in copied for step in stage.everything)
    return lab.found("multi-stage", made or (bool(copied) and not surely_bare(dockerfile)), fault="one-stage")


def _number_user(lab: Lab, stage: Stage) -> Finding:
    user = stage.user or ""
    name = user.partition(":")[0]
    fault = "root" if name in {"", "0", "root"} else "name"
    return lab.found("non-root", name.isdecimal() and int(name) > 0, found=f"USER {user}" if user else "", fault=fault)


def _healthcheck(lab: Lab, stage: Stage, port: str) -> Finding:
    check = stage.healthcheck
    if check is None:
        return lab.found("healthcheck", False, fault="missing")
    text = _with_scripts(lab, check.command.words)
    if "/healthz" not in text:
        return lab.found("healthcheck", False, found=check.command.text, expected="/healthz", fault="other-path")
    met = port in text or any(name in text for name, value in stage.env.items() if value == port)
    return lab.found("healthcheck", met, found=check.command.text, expected=port, fault="other-port")


def _with_scripts(lab: Lab, words: Iterable[str]) -> str:
    """The text of a command, and of the scripts of the answer that it names."""
    text = " ".join(words)
    for name in lab.names():
        if Path(name).name in {posixpath.basename(word) for word in text.replace('"', " ").split()}:
            text += "\n" + lab.text(name)
    return text


def _secrets_stay_out(lab: Lab) -> Finding:
    ignore = read_ignore(lab)
    seen = [path for path in (".env", "sub/.env", ".git/config") if not ignore.hides(path)]
    fault = {(".env", "sub/.env", ".git/config"): "nothing", ("sub/.env",): "top-only", (".git/config",): "git"}
    return lab.found("secrets-stay-out", not seen, found=" ".join(seen), fault=fault.get(tuple(seen), ""))


def _becomes_healthy(lab: Lab, box: Box) -> Finding:
    status = box.health(65)
    if not box.running:
        return lab.found("becomes-healthy", False, found=box.last, fault="ended", how="real")
    if status != "healthy":
        output = box.health_output
        fault = "no-program" if "not found" in output.lower() or "no such file" in output.lower() else "unhealthy"
        return lab.found("becomes-healthy", False, found=output or status, fault=fault, how="real")
    root = first_process_is_root(box)
    return lab.found("becomes-healthy", not root, found="healthy", fault="root-process", how="real")
