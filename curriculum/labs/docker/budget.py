"""The judge of an image within a size budget that runs without rights."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from curriculum.labs import judge, process
from curriculum.labs.compose import Compose, Service, read_compose
from curriculum.labs.docker.shared import (
    engine,
    not_built,
    serves,
)
from curriculum.labs.dockerfile import (
    Stage,
    read_dockerfile,
)
from curriculum.labs.lab import Lab
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.docker import Build, Docker


@judge("docker-image-budget")
def image_budget(lab: Lab) -> Iterator[Finding]:
    dockerfile = read_dockerfile(lab)
    if lab.live:
        yield _lint_clean(lab)
    service = _only_service(lab, read_compose(lab))
    port = lab.value("port")
    yield lab.found("read-only", service.read_only)
    yield _no_capabilities(lab, service)
    yield _limits(lab, service)
    yield _loopback(lab, service, port)
    docker = engine(lab, dockerfile, images=["python:3.12-slim"])
    if docker is None:
        return
    with lab.scratch() as folder, docker.build(folder) as build:
        if not build.ok:
            yield not_built(lab, "within-budget", build)
            return
        yield _within_budget(lab, docker, build)
        yield _runs_locked(lab, docker, build, service, dockerfile.last)


def _only_service(lab: Lab, compose: Compose) -> Service:
    return compose.services.get(lab.value("delivery-time")) or next(iter(compose.services.values()))


def _lint_clean(lab: Lab) -> Finding:
    """What hadolint says when no rule is switched off, neither in the file nor in a configuration."""
    program = shutil.which("hadolint", path=process.environment()["PATH"])
    if program is None:
        lab.missing["hadolint"] = "package"
        return lab.waits("lint-clean", "hadolint")
    with lab.scratch() as folder:
        (folder / "no-rules.yaml").write_text("failure-threshold: error\n", encoding="utf-8")
        options = ["--config", "no-rules.yaml", "--disable-ignore-pragma", "--no-fail", "--format", "json"]
        run = lab.run(program, *options, "Dockerfile", folder=folder, timeout=60)
    try:
        said = [entry for entry in json.loads(run.output) if entry["level"] in {"error", "warning", "info"}]
    except (ValueError, KeyError, TypeError):
        return lab.found("lint-clean", False, found=run.last)
    first = " ".join(f"{said[0][key]}" for key in ("line", "code", "message")) if said else ""
    switched_off = "hadolint ignore" in lab.text("Dockerfile") or "hadolint global ignore" in lab.text("Dockerfile")
    return lab.found("lint-clean", not said, found=first, fault="switched-off" if switched_off else "findings")


def _no_capabilities(lab: Lab, service: Service) -> Finding:
    fault = ""
    if service.privileged:
        fault = "privileged"
    elif "ALL" not in service.cap_drop:
        fault = "not-dropped"
    elif service.cap_add:
        fault = "added"
    elif not any(entry in {"no-new-privileges", "no-new-privileges:true"} for entry in service.security_opt):
        fault = "new-privileges"
    return lab.found("no-capabilities", not fault, fault=fault)


def _limits(lab: Lab, service: Service) -> Finding:
    found = f"{service.memory // 1024**2} MB, {service.pids} processes"
    fault = ""
    if service.memory <= 0:
        fault = "no-memory"
    elif service.memory > 256 * 1024**2:
        fault = "too-much"
    elif service.pids <= 0:
        fault = "no-processes"
    return lab.found("limits", not fault, found=found, fault=fault)


def _loopback(lab: Lab, service: Service, port: str) -> Finding:
    found = " ".join(map(str, service.ports))
    open_ports = [entry for entry in service.ports if not entry.loopback]
    if open_ports:
        return lab.found("loopback", False, found=found, expected=f"127.0.0.1:{port}", fault="every-address")
    met = any(entry.published == port for entry in service.ports)
    return lab.found("loopback", met, found=found, expected=f"127.0.0.1:{port}", fault="other-port")


def _within_budget(lab: Lab, docker: Docker, build: Build) -> Finding:
    base = docker.size("python:3.12-slim")
    more = (build.size - base) / 1e6
    budget = lab.number("budget")
    return lab.found("within-budget", more <= budget, found=f"{more:.1f} MB", expected=f"≤ {budget:.0f} MB", how="real")


def _runs_locked(lab: Lab, docker: Docker, build: Build, service: Service, stage: Stage) -> Finding:
    inside = next((entry.target for entry in service.ports if entry.target.isdecimal()), lab.value("port"))
    options: dict[str, Any] = {
        "read_only": service.read_only,
        "tmpfs": {path: options for path, _, options in (entry.partition(":") for entry in service.tmpfs)},
        "cap_drop": sorted(service.cap_drop),
        "security_opt": [entry for entry in service.security_opt if entry.startswith("no-new-privileges")],
    }
    if service.user:
        options["user"] = service.user
    if service.entrypoint:
        options["entrypoint"] = list(service.entrypoint)
    with docker.container(
        build.id,
        command=service.command or None,
        ports=[int(inside)],
        env=service.environment,
        memory=str(min(service.memory or 10**9, 10**9)),
        pids=min(service.pids or 200, 1000),
        **options,
    ) as box:
        served = serves(lab, "runs-locked", box, inside)
        if served.result == "met":
            time.sleep(1)
            if not box.running:
                return lab.found("runs-locked", False, found=box.last, fault="ended", how="real")
        elif box.state.get("OOMKilled"):
            return lab.found("runs-locked", False, found="OOMKilled", fault="memory", how="real")
        return served
