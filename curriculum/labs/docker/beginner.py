"""Docker's judges for beginners: a first image, a container with its settings, a small build context."""

from __future__ import annotations

import json
import posixpath
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curriculum.errors import AnswerError
from curriculum.labs import judge
from curriculum.labs.asgi import EVERYWHERE, listens
from curriculum.labs.docker.shared import (
    PATIENCE,
    engine,
    list_start,
    not_built,
    packages_first,
    pinned_base,
    reachable,
    serves,
)
from curriculum.labs.dockerfile import (
    Stage,
    read_dockerfile,
    read_ignore,
)
from curriculum.labs.dockerrun import DockerRun, read_docker_runs
from curriculum.labs.lab import Lab, Reply
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.docker import Docker


@judge("docker-first-image")
def first_image(lab: Lab) -> Iterator[Finding]:
    dockerfile = read_dockerfile(lab)
    stage = dockerfile.last
    yield pinned_base(lab, dockerfile)
    packages = packages_first(lab, "deps-before-code", dockerfile)
    yield packages
    yield list_start(lab, stage)
    if stage.start is None:
        return
    place = listens(stage.start, stage.env)
    port = lab.value("port")
    if place is not None:
        yield reachable(lab, place, port)
        if place[0] not in EVERYWHERE or place[1] != port:
            return
    if packages.fault == "nothing-installed":
        return
    docker = engine(lab, dockerfile)
    if docker is None:
        if place is None:
            yield lab.waits("reachable", "docker")
        return
    with lab.scratch() as folder, docker.build(folder) as build:
        if not build.ok:
            yield not_built(lab, "answers", build)
            return
        with docker.container(build.id, ports=[int(port)]) as box:
            if place is None:
                reply = box.get(int(port), "/healthz", wait=PATIENCE)
                yield lab.found("reachable", bool(reply.status), expected=f"0.0.0.0:{port}", how="real")
                if not reply.status:
                    return
            yield serves(lab, "answers", box, port)


@judge("docker-run-and-inspect")
def run_and_inspect(lab: Lab) -> Iterator[Finding]:
    runs = read_docker_runs(lab.text("run.sh"))
    service = [run for run in runs if run.values("publish", "detach")] or runs
    name = f"{lab.value('delivery-time')}-{lab.value('color')}"
    if not service or not service[-1].image:
        yield lab.found("named", False, expected=f"docker run --name {name} …", fault="no-run")
        return
    run = service[-1]
    fault = "after-image" if any(word.startswith("--name") for word in run.command) else ""
    named = lab.found("named", run.value("name") == name, found=run.value("name"), expected=name, fault=fault)
    port, path, volume = _published(lab, run), _model_path(lab, run), _named_volume(lab, run)
    yield from (named, port, path, volume)
    evidence = _evidence(lab, run)
    if evidence:
        yield evidence
    if any(finding.result == "not-met" for finding in (port, path, volume)):
        return
    docker = engine(lab, images=["python:3.12-slim"])
    if docker:
        yield _survives(lab, docker, run)


def _published(lab: Lab, run: DockerRun) -> Finding:
    inside, outside = lab.value("port"), lab.value("outside-port")
    found = " ".join(map(str, run.ports))
    if any(p.loopback and (p.published, p.target) == (outside, inside) for p in run.ports):
        open_too = [port for port in run.ports if not port.loopback]
        fault = "every-address" if open_too else ""
        return lab.found("published", not open_too, found=found, fault=fault)
    fault = ""
    if any(word.startswith(("-p", "--publish")) for word in run.command):
        fault = "after-image"
    elif not run.ports:
        fault = "not-published"
    elif any((p.published, p.target) == (inside, outside) for p in run.ports):
        fault = "swapped"
    elif any((p.published, p.target) == (outside, inside) for p in run.ports):
        fault = "every-address"
    return lab.found("published", False, found=found, expected=f"127.0.0.1:{outside}:{inside}", fault=fault)


def _model_path(lab: Lab, run: DockerRun) -> Finding:
    path = run.environment.get("MODEL_PATH", "")
    fault = "after-image" if any(word.startswith(("-e", "--env")) for word in run.command) else ""
    expected = "MODEL_PATH=/models/model.json"
    met = posixpath.normpath(path or ".") == "/models/model.json"
    return lab.found("model-path", met, found=f"MODEL_PATH={path}" if path else "", expected=expected, fault=fault)


def _named_volume(lab: Lab, run: DockerRun) -> Finding:
    volume = f"{lab.value('delivery-time')}-models"
    here = [mount for mount in run.mounts if mount.target.rstrip("/") == "/models"]
    fault = ""
    if any(word.startswith(("-v", "--volume", "--mount")) for word in run.command):
        fault = "after-image"
    elif here and here[-1].type == "bind":
        fault = "folder"
    elif here and not here[-1].source:
        fault = "no-name"
    elif any(mount.source == volume for mount in run.mounts):
        fault = "other-place"
    met = bool(here) and here[-1].type == "volume" and here[-1].source == volume
    found = " ".join(f"{mount.source}:{mount.target}" for mount in run.mounts)
    return lab.found("named-volume", met, found=found, expected=f"{volume}:/models", fault=fault)


def _evidence(lab: Lab, run: DockerRun) -> Finding | None:
    """Whether `inspect.json` was taken of the running container that `run.sh` starts; None while there is none yet."""
    data = _captured(lab, "inspect.json")
    entry = data[0] if isinstance(data, list) and data else data
    if not isinstance(entry, dict) or "HostConfig" not in entry or "State" not in entry:
        fault = "image" if isinstance(entry, dict) and "RootFS" in entry else "nothing-yet"
        return lab.found("evidence", False, fault=fault)
    try:
        told = _inspected(entry)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError):
        return lab.found("evidence", False, fault="shortened")
    state = entry["State"]
    if not re.fullmatch("[0-9a-f]{64}", str(entry.get("Id"))) or not state.get("StartedAt"):
        return lab.found("evidence", False, fault="shortened")
    if not state.get("Running") or not state.get("Pid"):
        return lab.found("evidence", False, found=state.get("Status", ""), expected="running", fault="not-running")
    wanted = _wanted(run)
    for key, value in wanted.items():
        if value not in told[key]:
            return lab.found(
                "evidence", False, found=" ".join(sorted(told[key])), expected=value, fault="other-container"
            )
    return lab.found("evidence", True, found=str(entry["Id"])[:12], how="static")


def _inspected(entry: Mapping[str, Any]) -> dict[str, set[str]]:
    """What a captured `docker inspect` says, in the words of `_wanted`."""
    bindings = entry["NetworkSettings"]["Ports"] or {}
    return {
        "name": {str(entry["Name"]).lstrip("/")},
        "port": {
            f"{binding['HostIp']}:{binding['HostPort']}->{port.partition('/')[0]}"
            for port, hosts in bindings.items()
            for binding in hosts or []
        },
        "env": set(map(str, entry["Config"]["Env"] or [])),
        "volume": {f"{mount.get('Name', mount.get('Source'))}:{mount['Destination']}" for mount in entry["Mounts"]},
    }


def _wanted(run: DockerRun) -> dict[str, str]:
    """What `docker inspect` must say of a container that `run` started."""
    wanted = {}
    if run.value("name"):
        wanted["name"] = run.value("name")
    loopback = [port for port in run.ports if port.loopback and port.published]
    if loopback:
        port = loopback[-1]
        wanted["port"] = f"{port.address.replace('localhost', '127.0.0.1')}:{port.published}->{port.target}"
    if "MODEL_PATH" in run.environment:
        wanted["env"] = f"MODEL_PATH={run.environment['MODEL_PATH']}"
    named = [mount for mount in run.mounts if mount.type == "volume" and mount.source]
    if named:
        wanted["volume"] = f"{named[-1].source}:{named[-1].target.rstrip('/')}"
    return wanted


def _captured(lab: Lab, file: str) -> Any:
    """The data of a JSON file that a program wrote, also where PowerShell made UTF-16 of it."""
    path = lab.path(file)
    if path.is_file() and path.stat().st_size < 1_000_000 and path.read_bytes()[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        try:
            return json.loads(path.read_bytes().decode("utf-16"))
        except ValueError as error:
            raise AnswerError("answer-syntax", file=file, line=1, problem=str(error)) from None
    return lab.json(file)


def _survives(lab: Lab, docker: Docker, run: DockerRun) -> Finding:
    """Run the command twice over one volume, with names and ports of our own; the model between is changed."""
    port = int(lab.value("port"))
    with lab.scratch() as folder:
        (folder / "Dockerfile").write_text(_reference(port), encoding="utf-8")
        (folder / ".dockerignore").unlink(missing_ok=True)
        model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        first, second = (f"{n}-{secrets.token_hex(3)}" for n in (1, 2))
        seen = []
        with (
            docker.build(folder) as build,
            docker.volume({"model.json": json.dumps({**model, "version": first}).encode()}, image=build.id) as volume,
        ):
            for version in (first, second):
                with docker.container(
                    build.id,
                    command=run.command or None,
                    ports=[port],
                    env=run.environment,
                    volumes=[f"{volume}:/models"],
                ) as box:
                    reply = box.get(port, "/healthz", wait=PATIENCE)
                    if not reply.ok:
                        return lab.found("survives", False, found=box.last, fault="ended", how="real")
                    seen.append(_version(reply))
                    if version == first:
                        box.put("/models", {"model.json": json.dumps({**model, "version": second}).encode()})
    return lab.found("survives", seen == [first, second], found=" ".join(seen), fault="baked", how="real")


def _reference(port: int) -> str:
    """The Dockerfile of the service as the first exercise asks for it."""
    return (
        "FROM python:3.12-slim\nWORKDIR /app\nCOPY requirements.txt ./\n"
        "RUN pip install --no-cache-dir -r requirements.txt\nCOPY app.py model.json ./\n"
        f'CMD ["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "{port}"]\n'
    )


def _version(reply: Reply) -> str:
    data = reply.json()
    return str(data.get("model", "")) if isinstance(data, dict) else ""


@judge("docker-small-context")
def small_context(lab: Lab) -> Iterator[Finding]:
    dockerfile = read_dockerfile(lab)
    ignore = read_ignore(lab)
    bulk = {"git": ".git/config", "data": f"{lab.value('folder')}/2025/all.csv", "venv": ".venv/bin/python"}
    seen = {key: path for key, path in bulk.items() if not ignore.hides(path)}
    hidden = [name for name in lab.given if ignore.hides(name)]
    yield lab.found("secret-out", ignore.hides(".env"), found=".env", fault="")
    yield lab.found("bulk-out", not seen, found=" ".join(seen.values()), fault=next(iter(seen), ""))
    yield lab.found("needed-in", not hidden, found=" ".join(hidden), fault="all" if len(hidden) == 3 else "some")
    order = packages_first(lab, "packages-first", dockerfile)
    yield order
    if seen or hidden or not ignore.hides(".env"):
        return
    docker = engine(lab, dockerfile, images=["busybox:latest"])
    if docker is None:
        return
    with lab.scratch() as folder:
        _clutter(folder, lab.value("folder"))
        yield _context_size(lab, docker, folder)
        if order.result == "met":
            yield _fast_again(lab, docker, folder, dockerfile.last)


def _clutter(folder: Path, data: str) -> None:
    """What a team's folder holds beside the service."""
    (folder / ".env").write_text(f"TOKEN={secrets.token_hex(8)}\n", encoding="utf-8")
    for name, size in ((".git/objects/pack/p.pack", 5), (f"{data}/2025/all.csv", 20), (".venv/lib/big.so", 5)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(secrets.token_bytes(1000) * 1000 * size)


def _context_size(lab: Lab, docker: Docker, folder: Path) -> Finding:
    """How much of the folder Docker takes, found out with an image that holds all that it sees."""
    probe = folder / "probe.dockerfile"
    probe.write_text("FROM busybox:latest\nCOPY . /context/\n", encoding="utf-8")
    with docker.build(folder, file=probe.name) as build:
        if not build.ok:
            return not_built(lab, "context-size", build)
        with docker.container(build.id, command=["find", "/context", "-type", "f"]) as box:
            box.wait(20)
            names = [line.removeprefix("/context/") for line in box.log.splitlines()]
        size = sum((folder / name).stat().st_size for name in names if (folder / name).is_file())
    probe.unlink()
    big = [name for name in names if (folder / name).is_file() and (folder / name).stat().st_size > 100_000]
    return lab.found(
        "context-size", size < 200_000, found=" ".join([f"{size // 1000} kB", *big]), expected="< 200 kB", how="real"
    )


def _fast_again(lab: Lab, docker: Docker, folder: Path, stage: Stage) -> Finding:
    """Build, change a line of code, build again: what is new must be small, and the change must be there."""
    with docker.build(folder) as before:
        if not before.ok:
            return not_built(lab, "fast-again", before)
        code = folder / "app.py"
        mark = f"changed-{secrets.token_hex(4)}"
        code.write_text(code.read_text(encoding="utf-8").replace('"ok": True', f'"ok": "{mark}"'), encoding="utf-8")
        with docker.build(folder) as after:
            if not after.ok:
                return not_built(lab, "fast-again", after)
            new = after.new_bytes(before)
            place = listens(stage.start, stage.env)
            port = int(place[1]) if place and place[1].isdecimal() else 8000
            with docker.container(after.id, ports=[port]) as box:
                reply = box.get(port, "/healthz", wait=PATIENCE)
                if not reply.ok:
                    return lab.found("fast-again", False, found=box.last, fault="ended", how="real")
            if mark not in reply.text:
                return lab.found("fast-again", False, found=reply.text, fault="old-code", how="real")
    found = f"{new / 1e6:.1f} MB"
    return lab.found("fast-again", new < 2_000_000, found=found, expected="< 2 MB", fault="all-again", how="real")
