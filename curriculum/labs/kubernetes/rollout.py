"""The judge of the rollout that loses no request."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from curriculum.labs import judge
from curriculum.labs.kubernetes.shared import (
    accepted,
    all_met,
    main_container,
    service_for,
    sized,
    workload,
)
from curriculum.labs.lab import Lab
from curriculum.labs.manifests import Container, Manifest, Manifests, Probe, load, scaled
from curriculum.labs.manifests.model import number
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.kubernetes import Cluster


@judge("kubernetes-zero-downtime-rollout")
def zero_downtime_rollout(lab: Lab) -> Iterator[Finding]:
    manifests, name = load(lab), lab.value("delivery-time")
    deployment = workload(manifests, "Deployment", name)
    findings = [accepted(lab, manifests, own={"probe", "request-over-limit"})]
    if deployment:
        findings += _rollout_files(lab, deployment)
    yield from findings
    if deployment and all_met(findings) and (cluster := lab.backend("kubernetes")):
        yield _no_request_lost(lab, cluster, manifests, deployment)


def _rollout_files(lab: Lab, deployment: Manifest) -> Iterator[Finding]:
    container, pods = main_container(lab, deployment), deployment.pods
    if container is None or pods is None:
        return
    port = int(lab.number("port"))
    yield _ready(lab, container, port)
    yield _patient(lab, container, port, int(lab.number("warmup")))
    yield sized(lab, container)
    copies, least = deployment.replicas, int(lab.number("replicas"))
    recreate = deployment.at("spec", "strategy", "type") == "Recreate"
    missing = deployment.at("spec", "strategy", "rollingUpdate", "maxUnavailable")
    away = copies if recreate else scaled("25%" if missing is None else missing, copies, up=False)
    if away is not None:
        yield lab.found(
            "never-fewer",
            copies - away >= least,
            found=copies - away,
            expected=f">= {least}",
            fault="recreate" if recreate else "too-many-missing",
        )
    hook, drain = container.data.get("lifecycle"), int(lab.number("drain"))
    hook = hook.get("preStop") if isinstance(hook, dict) else None
    wait = seconds_waited(hook)
    yield lab.found(
        "drains",
        wait >= drain,
        found=f"{wait:g} s",
        expected=f">= {drain} s",
        fault="no-hook" if not hook else "too-short" if wait else "no-wait",
    )
    left = pods.grace - wait
    yield lab.found(
        "finishes", left >= 20, found=f"{pods.grace} - {wait:g} = {left:g} s", expected=">= 20 s", fault="eaten-up"
    )


def _ready(lab: Lab, container: Container, port: int) -> Finding:
    probe = container.probe("readiness")
    if probe is None:
        return lab.found("ready", False, fault="none")
    if probe.handler == "exec":
        asks = "/healthz" in " ".join(probe.command)
        return lab.found("ready", asks, found=probe, fault="no-question")
    if probe.handler != "httpGet":
        return lab.found("ready", False, found=probe, fault="no-question")
    path, door = probe.path.rstrip("/") == "/healthz", probe.port == port
    expected = f"httpGet :{port}/healthz"
    return lab.found(
        "ready", path and door, found=probe, expected=expected, fault="other-port" if path else "other-path"
    )


def _patient(lab: Lab, container: Container, port: int, warmup: int) -> Finding:
    """The criterion `patient`: what may restart the container waits long enough for a start, and asks at a real door."""
    startup, liveness = container.probe("startup"), container.probe("liveness")
    if liveness is None:
        return lab.found("patient", False, found=startup or "", fault="no-liveness")
    astray = [probe for probe in (startup, liveness) if probe and not _reaches(probe, port)]
    if astray:
        return lab.found("patient", False, found=astray[0], fault="astray")
    patience = (startup or liveness).patience
    return lab.found("patient", patience >= warmup, found=f"{patience} s", expected=f">= {warmup} s", fault="too-soon")


def _reaches(probe: Probe, port: int) -> bool:
    """Whether a probe asks where the service answers; what a command does, nobody can tell from here."""
    if probe.handler == "exec":
        return True
    return probe.port == port and (probe.handler != "httpGet" or probe.path.rstrip("/") in _SERVED)


#: What the service answers to a GET.
_SERVED = frozenset({"/healthz", "/metrics", "/docs", "/redoc", "/openapi.json"})


_SLEEPS = re.compile(r"\bsleep[\s('\"=,]+(\d+(?:\.\d+)?)\s*([smh]?)(?![\w.])")


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def seconds_waited(hook: object) -> float:
    """How many seconds a `preStop` hook waits: by its `sleep` action, or by the commands that say so."""
    if not isinstance(hook, dict):
        return 0
    action, command = hook.get("sleep"), hook.get("exec")
    if isinstance(action, dict):
        return float(number(action.get("seconds"), 0))
    words = command.get("command") if isinstance(command, dict) else None
    text = " ".join(str(word) for word in words) if isinstance(words, list) else ""
    return sum(float(amount) * _UNITS[unit] for amount, unit in _SLEEPS.findall(text))


def _no_request_lost(lab: Lab, cluster: Cluster, manifests: Manifests, deployment: Manifest) -> Finding:
    """The criterion `no-request-lost`: a stream of requests while every Pod is replaced."""
    service = service_for(deployment, int(lab.number("port")))
    target = f"deployment/{deployment.name}"
    with cluster.room() as room:
        if trouble := room.apply([*manifests, service]) or room.settle(deployment, seconds=180):
            return lab.found("no-request-lost", False, found=trouble, fault=trouble.fault, how=cluster.how)
        with room.door() as door:
            door.wait(service.name, 80, "/healthz")
            with door.stream(service.name, 80, "/healthz") as stream:
                room.kubectl("rollout", "restart", target)
                trouble = room.settle(deployment, seconds=300)
                time.sleep(0.5 if cluster.how == "emulated" else 5)
        if trouble:
            return lab.found("no-request-lost", False, found=trouble, fault=trouble.fault, how=cluster.how)
        worst = stream.failures[0] if stream.failures else None
        return lab.found(
            "no-request-lost",
            not stream.failures and stream.calls > 0,
            found=f"{len(stream.failures)} / {stream.calls}"
            + (f": {worst.status} {worst.text[:120]}" if worst else ""),
            expected="0",
            fault="lost",
            how=cluster.how,
        )
