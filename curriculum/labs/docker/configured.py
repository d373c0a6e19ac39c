"""The judge of one image for every place, with no secret in it."""

from __future__ import annotations

import hashlib
import posixpath
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from curriculum.labs import judge
from curriculum.labs.asgi import listens
from curriculum.labs.docker.shared import (
    PATIENCE,
    engine,
    not_built,
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
    from curriculum.labs.backends.docker import Build, Docker


@judge("docker-config-and-secrets")
def config_and_secrets(lab: Lab) -> Iterator[Finding]:
    dockerfile = read_dockerfile(lab)
    stage, secret = dockerfile.last, lab.value("secret-id")
    mount = _secret_mount(lab, dockerfile, secret)
    yield mount
    ignore = read_ignore(lab)
    seen = [path for path in (f"secrets/{secret}", ".env", "sub/.env") if not ignore.hides(path)]
    fault = "token-file" if f"secrets/{secret}" in seen else "env-file"
    yield lab.found("context-closed", not seen, found=" ".join(seen), fault=fault)
    setting = _port_from_outside(lab, stage)
    yield setting
    docker = engine(lab, dockerfile) if mount.result == "met" else None
    if docker is None:
        return
    token = f"tok-{secrets.token_hex(12)}"
    with lab.scratch() as folder:
        kept = folder / "secrets" / secret
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(token, encoding="utf-8")
        _never_cached(folder / "docker-fetch.py")
        with docker.build(folder, secret_files={secret: kept}) as build:
            if not build.ok:
                yield not_built(lab, "data-fetched", build)
                return
            yield _data_fetched(lab, docker, build, token)
            places = docker.scan(build.id, token)
            if token in build.output:
                places.append("docker build")
            yield lab.found("nothing-in-layers", not places, found=" ".join(places[:5]), fault="left", how="real")
            if setting.result == "met":
                yield _two_ports(lab, docker, build, setting.found)


def _never_cached(script: Path) -> None:
    """Make a given script new, so that the step that runs it runs again.

    A secret is not part of what a step is cached by: a build with another token would take the old step's files.
    """
    with script.open("a", encoding="utf-8") as file:
        file.write(f"\n# {secrets.token_hex(8)}\n")


def _secret_mount(lab: Lab, dockerfile: Dockerfile, secret: str) -> Finding:
    """Whether the token reaches the build by a secret mount, and by nothing else."""
    mounted: list[str] = []
    for stage in dockerfile.used:
        for step in stage.instructions:
            if step.name in {"ARG", "ENV"} and any(_secret_name(word) for word in step.words):
                return lab.found("secret-mount", False, found=step.text, fault="arg" if step.name == "ARG" else "env")
            if step.name in {"COPY", "ADD"} and any(_covers_secret(word, secret) for word in step.sources):
                return lab.found("secret-mount", False, found=step.text, fault="copied")
            for mount in step.mounts:
                if mount["type"] == "secret":
                    target = mount.get("target", mount.get("dst", mount.get("destination", "")))
                    mounted.append(mount.get("id", posixpath.basename(target)))
    fault = "other-id" if mounted else "missing"
    return lab.found("secret-mount", secret in mounted, found=" ".join(mounted), expected=f"id={secret}", fault=fault)


def _covers_secret(source: str, secret: str) -> bool:
    """Whether a COPY names the folder of secrets or the token itself; `COPY . .` is a matter of `.dockerignore`."""
    parts = posixpath.normpath(source).strip("/").split("/")
    return parts[0] == "secrets" or parts[-1] == secret


def _secret_name(word: str) -> bool:
    """Whether a variable is named like a secret and holds one, not the path of a file."""
    name, _, value = word.partition("=")
    secret = any(part in {"TOKEN", "SECRET", "PASSWORD", "KEY", "CREDENTIALS"} for part in name.upper().split("_"))
    return secret and "/" not in value


def _port_from_outside(lab: Lab, stage: Stage) -> Finding:
    """Whether an environment variable moves the port, and without it the port is the learner's. `found` names it."""
    port = lab.value("port")
    place = listens(stage.start, stage.env)
    if place is None or place[1] != port:
        found = place[1] if place else ""
        return lab.found("port-from-outside", False, found=found, expected=port, fault="other-default")
    for name in (*stage.env, "UVICORN_PORT", "PORT"):
        moved = listens(stage.start, {**stage.env, name: "19999"})
        if moved and moved[1] == "19999":
            return lab.found("port-from-outside", True, found=name)
    fault = "build-arg" if port in stage.args.values() else "hard-coded"
    return lab.found("port-from-outside", False, found=stage.start.text if stage.start else "", fault=fault)


def _data_fetched(lab: Lab, docker: Docker, build: Build, token: str) -> Finding:
    receipt = hashlib.sha256(token.encode()).hexdigest()[:16]
    with docker.container(build.id, start=False) as box:
        for member, file in box.files():
            if file and posixpath.basename(member.name) == "holidays.json":
                if receipt.encode() in file.read():
                    return lab.found("data-fetched", True, found=f"/{member.name}", how="real")
                return lab.found("data-fetched", False, found=f"/{member.name}", fault="other-token", how="real")
    return lab.found("data-fetched", False, fault="no-file", how="real")


def _two_ports(lab: Lab, docker: Docker, build: Build, variable: str) -> Finding:
    usual = int(lab.value("port"))
    for port, env in ((usual, {}), (usual + 1000, {variable: str(usual + 1000)})):
        with docker.container(build.id, ports=[port], env=env) as box:
            reply = box.get(port, "/healthz", wait=PATIENCE)
            if not reply.ok:
                fault = "ended" if not box.running else "not-moved" if env else "no-answer"
                return lab.found("one-image", False, found=box.last, expected=str(port), fault=fault, how="real")
    return lab.found("one-image", True, found=f"{usual} {usual + 1000}", how="real")
