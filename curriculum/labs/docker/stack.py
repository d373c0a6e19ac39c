"""The judge of Docker's Compose stack: the service, MLflow and Prometheus.

For the live part the answer's file is not started as it is: what it says of images, commands, checks, order and named
volumes is carried over into a project of the judge's own, so that nothing of the machine's is mounted and no port is taken.
Files that it mounts are copied into images. Where MLflow's and Prometheus's images cannot be had (no network), small
programs that answer like them take their place, and the finding says `emulated`.
"""

from __future__ import annotations

import json
import posixpath
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curriculum.labs import judge
from curriculum.labs.compose import Check, Compose, Service, pairs, read_compose
from curriculum.labs.docker.shared import engine
from curriculum.labs.dockerfile import Image, parse_dockerfile
from curriculum.labs.lab import Lab, Missing
from curriculum.outcome import Finding, How

if TYPE_CHECKING:
    from curriculum.labs.backends.docker import Build, Docker, Project

#: The port that the service listens on inside its container, as the given Dockerfile has it.
INSIDE = "8000"
_BESIDE = ("mlflow", "prometheus")
#: What Compose hands on to a container and is safe to hand on.
_KEPT = (
    "user",
    "working_dir",
    "read_only",
    "tmpfs",
    "cap_drop",
    "security_opt",
    "init",
    "stop_signal",
    "stop_grace_period",
)
_STORES = ("--backend-store-uri", "--artifacts-destination", "--default-artifact-root")
_STORE_VARIABLES = {
    "--backend-store-uri": "MLFLOW_BACKEND_STORE_URI",
    "--artifacts-destination": "MLFLOW_ARTIFACTS_DESTINATION",
    "--default-artifact-root": "MLFLOW_DEFAULT_ARTIFACT_ROOT",
}
_STAND_INS = Path(__file__).with_name("stand_ins")


@judge("docker-compose-stack")
def compose_stack(lab: Lab) -> Iterator[Finding]:
    compose = read_compose(lab)
    name = lab.value("delivery-time")
    scrape = lab.yaml("prometheus.yml")
    lost = [service for service in (name, *_BESIDE) if service not in compose.services]
    if lost:
        yield lab.found(
            "pinned-images", False, found=" ".join(compose.services), expected=" ".join(lost), fault="no-service"
        )
        return
    api, mlflow, prometheus = (compose.services[service] for service in (name, *_BESIDE))
    yield _pinned(lab, mlflow, prometheus)
    statics = [
        _health(lab, api),
        _gate(lab, compose, prometheus, name),
        _scraped(lab, scrape, api),
        _kept(lab, compose, mlflow),
        _ports(lab, compose, api),
    ]
    yield from statics
    if any(finding.result == "not-met" for finding in statics):
        return
    images = [str(service.image) for service in compose.services.values() if service.image and not service.build]
    docker = engine(lab, images=["python:3.12-slim"])
    if docker is None:
        return
    try:
        _ = docker.compose
        docker.fetch(images)
        how: How = "real"
    except Missing as missing:
        if missing.reason != "offline":
            lab.missing["docker"] = missing.reason
            return
        how = "emulated"
    with lab.scratch() as folder, ExitStack() as stack:
        yield _comes_up(lab, docker, stack, folder, compose, scrape[0], how)


def _pinned(lab: Lab, *services: Service) -> Finding:
    for service in services:
        if service.build:
            continue
        if service.image is None or not service.image.pinned:
            fault = "latest" if service.image and service.image.tag == "latest" else "no-tag"
            return lab.found("pinned-images", False, found=f"{service.name}: {service.image or ''}", fault=fault)
    return lab.found("pinned-images", True, found=" ".join(str(service.image) for service in services))


def _health(lab: Lab, api: Service) -> Finding:
    check = api.healthcheck
    path = _dockerfile_of(lab, api)
    dockerfile = parse_dockerfile(lab.text(path), path) if path else None
    if check is None:
        own = dockerfile.last.healthcheck if dockerfile else None
        if own is None:
            return lab.found("api-health", False, fault="missing")
        check = Check(own.command.words, own.command.is_list)
    if "/healthz" not in check.text:
        return lab.found("api-health", False, found=check.text, expected="/healthz", fault="other-path")
    if f":{lab.value('port')}/" in check.text:
        return lab.found("api-health", False, found=check.text, expected=f":{INSIDE}", fault="outer-port")
    program = next((name for name in ("curl", "wget") if name in check.text.replace("/", " ").split()), "")
    brought = dockerfile and any(
        program in words for step in dockerfile.last.everything if step.name == "RUN" for words in step.commands
    )
    if program and dockerfile and not brought and dockerfile.last.root and dockerfile.last.root.short == "python":
        return lab.found("api-health", False, found=check.text, fault="no-program")
    return lab.found("api-health", True, found=check.text)


def _dockerfile_of(lab: Lab, service: Service) -> str:
    """The Dockerfile that a service is built from, if it lies in the answer's folder."""
    if service.build is None:
        return ""
    context = str(service.build.get("context", "."))
    path = posixpath.normpath(posixpath.join(context, str(service.build.get("dockerfile", "Dockerfile"))))
    return path if not path.startswith(("..", "/")) and lab.exists(path) else ""


def _gate(lab: Lab, compose: Compose, prometheus: Service, name: str) -> Finding:
    """Whether Prometheus waits for a healthy service, directly or by way of another that does."""
    condition = prometheus.depends_on.get(name, "")
    if condition == "service_healthy" or name in _waited_for(compose, prometheus, set()):
        return lab.found("health-gate", True, found="service_healthy")
    fault = "not-waiting" if not condition else "only-started"
    return lab.found("health-gate", False, found=condition, expected="service_healthy", fault=fault)


def _waited_for(compose: Compose, service: Service, seen: set[str]) -> set[str]:
    """The services that are healthy before `service` starts."""
    found = set()
    for name, condition in service.depends_on.items():
        below = compose.services.get(name)
        if below is None or name in seen:
            continue
        found |= {name} if condition == "service_healthy" else set()
        found |= _waited_for(compose, below, seen | {name})
    return found


def targets(scrape: Any) -> list[str]:
    """The addresses that a Prometheus configuration names, `host:port`, also by way of DNS."""
    found = []
    jobs = scrape.get("scrape_configs") if isinstance(scrape, dict) else None
    for job in jobs if isinstance(jobs, list) else []:
        for group in (job.get("static_configs") or []) if isinstance(job, dict) else []:
            found += [str(target) for target in group.get("targets") or []]
        for group in (job.get("dns_sd_configs") or []) if isinstance(job, dict) else []:
            found += [f"{host}:{group.get('port', '')}" for host in group.get("names") or []]
    return found


def _scraped(lab: Lab, documents: list[Any], api: Service) -> Finding:
    found = targets(documents[0] if documents else None)
    names = {
        api.name,
        str(api.raw.get("container_name", api.name)),
        str(api.raw.get("hostname", api.name)),
        *_aliases(api),
    }
    if any(target in {f"{name}:{INSIDE}" for name in names} for target in found):
        return lab.found("scraped-by-name", True, found=" ".join(found))
    hosts = {target.rpartition(":")[0] or target: target.rpartition(":")[2] for target in found}
    fault = ""
    if names & set(hosts):
        fault = "outer-port"
    elif {"localhost", "127.0.0.1", "host.docker.internal", "0.0.0.0"} & set(hosts):
        fault = "localhost"
    elif not found:
        fault = "no-target"
    return lab.found("scraped-by-name", False, found=" ".join(found), expected=f"{api.name}:{INSIDE}", fault=fault)


def _aliases(service: Service) -> set[str]:
    networks = service.raw.get("networks")
    entries = networks.values() if isinstance(networks, dict) else ()
    return {str(alias) for entry in entries if isinstance(entry, dict) for alias in entry.get("aliases") or []}


def stores(service: Service) -> dict[str, str]:
    """Where an MLflow server keeps runs and files, as its command or environment says."""
    words = [part for word in (*service.entrypoint, *service.command) for part in word.split()]
    found = {}
    for option in _STORES:
        for word, after in zip(words, [*words[1:], ""], strict=True):
            if word == option:
                found[option] = after
            elif word.startswith(f"{option}="):
                found[option] = word.partition("=")[2]
        if option not in found and _STORE_VARIABLES[option] in service.environment:
            found[option] = service.environment[_STORE_VARIABLES[option]]
    return found


def _kept(lab: Lab, compose: Compose, mlflow: Service) -> Finding:
    """Whether runs and files lie on a mount that outlives the container."""
    home = str(mlflow.raw.get("working_dir", "/"))
    lasting = [mount.target for mount in mlflow.mounts if mount.source and mount.type in {"volume", "bind"}]
    found = stores(mlflow)
    database = found.get("--backend-store-uri", "sqlite:///mlflow.db")
    files = found.get("--artifacts-destination", found.get("--default-artifact-root", "mlartifacts"))
    shown = " ".join(f"{mount.source}:{mount.target}" for mount in mlflow.mounts)
    for place, fault in ((database, "database"), (files, "files")):
        if not _lasts(place, home, lasting):
            return lab.found("runs-kept", False, found=f"{shown} {place}", fault=fault if lasting else "no-volume")
    undeclared = [
        m.source for m in mlflow.mounts if m.type == "volume" and m.source and m.source not in compose.volumes
    ]
    return lab.found("runs-kept", not undeclared, found=shown, fault="not-declared")


def _lasts(place: str, home: str, lasting: list[str]) -> bool:
    scheme, _, path = place.partition("://")
    if scheme.startswith("sqlite"):
        # sqlite:////data/x is an absolute path, sqlite:///x one in the working folder.
        place = path[1:] if path.startswith("/") else path
    elif scheme == "file" and path:
        place = path
    elif path:
        return True  # another server or a bucket, which keeps it
    full = posixpath.normpath(posixpath.join(home, place))
    return any(full == target.rstrip("/") or full.startswith(f"{target.rstrip('/')}/") for target in lasting)


def _ports(lab: Lab, compose: Compose, api: Service) -> Finding:
    port = lab.value("port")
    for service in compose.services.values():
        for entry in service.ports:
            if not entry.loopback:
                return lab.found("loopback", False, found=f"{service.name}: {entry}", fault="every-address")
    met = any((entry.published, entry.target) == (port, INSIDE) for entry in api.ports)
    found = " ".join(map(str, api.ports))
    fault = "not-published" if not api.ports else "other-port"
    return lab.found("loopback", met, found=found, expected=f"127.0.0.1:{port}:{INSIDE}", fault=fault)


# --- live ---


def _comes_up(
    lab: Lab, docker: Docker, stack: ExitStack, folder: Path, compose: Compose, scrape: Any, how: How
) -> Finding:
    def fails(fault: str, found: object = "") -> Finding:
        return lab.found("comes-up", False, found=found, fault=fault, how=how)

    name = lab.value("delivery-time")
    images = {}
    for service in compose.services.values():
        build = _image(docker, stack, folder, service, scrape, how)
        if not build.ok:
            return fails("build-failed", f"{service.name}: {build.last}")
        images[service.name] = build.id
    model = _model(compose, images, name)
    with docker.project(model, folder) as project:
        run = project.up()
        boxes = {service: project.box(service) for service in compose.services}
        for label, box in boxes.items():
            if box is None or not box.running:
                why = box.last if box else run.last
                if label == name or not (box and box.state["Status"] == "created"):
                    return fails("ended", f"{label}: {why}")
        api, prometheus, mlflow = boxes[name], boxes["prometheus"], boxes["mlflow"]
        assert api and prometheus and mlflow
        if api.health(60) != "healthy":
            return fails("unhealthy", api.health_output or api.health(0))
        if not prometheus.running:
            return fails("ended", f"prometheus: {prometheus.last}")
        if not _in_order(api.details, prometheus.details):
            return fails("too-early", prometheus.state["StartedAt"])
        if not _target_up(project, f"{name}:{INSIDE}", docker):
            return fails("target-down", prometheus.last)
        return _runs_stay(lab, project, fails, how)


def _runs_stay(lab: Lab, project: Project, fails: Callable[..., Finding], how: How) -> Finding:
    """Whether an experiment is still there after `down` and `up`."""
    mlflow = project.box("mlflow")
    made = mlflow and mlflow.get(5000, "/api/2.0/mlflow/experiments/create", {"name": "kept"}, wait=60)
    if not made or not made.ok:
        return fails("mlflow-silent", mlflow.last if mlflow else "")
    project.down()
    project.up()
    mlflow = project.box("mlflow")
    path = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=kept"
    kept = mlflow.get(5000, path, wait=60) if mlflow else None
    met = bool(kept and kept.ok)
    return lab.found("comes-up", met, found="healthy, up, kept" if met else "", fault="runs-lost", how=how)


def _in_order(api: Mapping[str, Any], prometheus: Mapping[str, Any]) -> bool:
    """Whether the service had been healthy when Prometheus started."""
    first = next((entry["End"] for entry in api["State"]["Health"]["Log"] if entry["ExitCode"] == 0), "")
    # The engine keeps the last few checks only: with the first one gone, it was healthy long ago.
    return len(api["State"]["Health"]["Log"]) >= 5 or _moment(first) <= _moment(prometheus["State"]["StartedAt"]) + 1


def _moment(text: str) -> float:
    import datetime as dt

    whole, _, rest = text.partition(".")
    zone = (
        "+00:00"
        if rest.endswith("Z") or not rest
        else next((rest[rest.index(s) :] for s in "+-" if s in rest), "+00:00")
    )
    return dt.datetime.fromisoformat(whole.rstrip("Z") + zone).timestamp() if text else float("inf")


def _target_up(project: Project, target: str, docker: Docker) -> bool:
    """Whether Prometheus has scraped the service."""
    deadline = time.monotonic() + 45
    while time.monotonic() < deadline:
        box = project.box("prometheus")
        data = box.get(9090, "/api/v1/targets", wait=5).json() if box else None
        active = (data or {}).get("data", {}).get("activeTargets", []) if isinstance(data, dict) else []
        if any(
            entry.get("health") == "up" and f"/{target.split(':')[0]}" in entry.get("scrapeUrl", "") for entry in active
        ):
            return True
        if any(
            entry.get("health") == "up" and entry.get("scrapeUrl", "").endswith(f":{INSIDE}/metrics")
            for entry in active
        ):
            return True
        time.sleep(0.5)
    return False


def _image(docker: Docker, stack: ExitStack, folder: Path, service: Service, scrape: Any, how: How) -> Build:
    """Build the image of a service, with the files of the answer's folder that it mounts copied in."""
    bound = _bound(folder, service)
    base = _base(service, how)
    if service.build is not None:
        context = folder / str(service.build.get("context", "."))
        file = str(service.build.get("dockerfile", "Dockerfile"))
        wanted = str(service.build.get("target", ""))
        arguments = pairs(service.build.get("args"))
        build: Build = stack.enter_context(docker.build(context, file=file, target=wanted, args=arguments))
        if not build.ok or not bound:
            return build
        base = build.name
    place = folder / f"curriculum-{service.name}"
    place.mkdir()
    lines = [f"FROM {base}"]
    if how == "emulated" and service.name in _BESIDE and service.build is None:
        lines += _stand_in(place, service.name, scrape)
    for number, (path, target) in enumerate(bound):
        copy = place / f"mounted-{number}"
        (shutil.copytree if path.is_dir() else shutil.copy)(path, copy)
        lines.append(f'COPY ["{copy.name}", "{target}"]')
    (place / "Dockerfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
    derived: Build = stack.enter_context(docker.build(place))
    return derived


def _base(service: Service, how: How) -> str:
    return (
        "python:3.12-slim" if how == "emulated" and service.name in _BESIDE else str(service.image or Image("busybox"))
    )


def _bound(folder: Path, service: Service) -> list[tuple[Path, str]]:
    """The files and folders of the answer that a service mounts, each with its place in the container."""
    root = folder.resolve()
    paths = [((root / mount.source).resolve(), mount.target) for mount in service.mounts if mount.type == "bind"]
    return [(path, target) for path, target in paths if path.exists() and path.is_relative_to(root) and path != root]


def _stand_in(place: Path, name: str, scrape: Any) -> list[str]:
    """Put a program that answers like MLflow or Prometheus into the image."""
    kept = place / "stand-ins"
    kept.mkdir()
    for file in (f"{name}.py", "wget.py"):
        shutil.copy(_STAND_INS / file, kept / file)
    (kept / "targets.json").write_text(json.dumps(targets(scrape)), encoding="utf-8")
    lines = ["COPY stand-ins /stand-ins/", "RUN chmod 755 /stand-ins/*.py"]
    lines += [f"RUN ln -s /stand-ins/{program}.py /usr/local/bin/{program}" for program in (name, "wget")]
    if name == "prometheus":
        lines += ["WORKDIR /prometheus", 'ENTRYPOINT ["prometheus"]']
        lines += ['CMD ["--config.file=/etc/prometheus/prometheus.yml"]']
    return lines


def _model(compose: Compose, images: Mapping[str, str], name: str) -> dict[str, Any]:
    """The project that is started: what the answer says, without ports of its own, folders of the machine or rights."""
    services: dict[str, Any] = {}
    inside = {name: INSIDE, "mlflow": "5000", "prometheus": "9090"}
    for service in compose.services.values():
        ports = {entry.target for entry in service.ports} | (
            {inside[service.name]} if service.name in inside else set()
        )
        entry: dict[str, Any] = {key: service.raw[key] for key in _KEPT if key in service.raw}
        entry["image"] = images[service.name]
        entry["ports"] = [f"127.0.0.1::{port}" for port in sorted(ports) if port.isdecimal()]
        entry["environment"] = dict(service.environment)
        entry["volumes"] = [
            f"{mount.source}:{mount.target}" for mount in service.mounts if mount.type == "volume" and mount.source
        ]
        if service.command:
            entry["command"] = list(service.command)
        if service.entrypoint:
            entry["entrypoint"] = list(service.entrypoint)
        if "healthcheck" in service.raw:
            entry["healthcheck"] = service.raw["healthcheck"]
        if service.depends_on:
            entry["depends_on"] = {below: {"condition": condition} for below, condition in service.depends_on.items()}
        services[service.name] = entry
    volumes = {m.source for s in compose.services.values() for m in s.mounts if m.type == "volume" and m.source}
    return {"services": services, "volumes": sorted(volumes)}
