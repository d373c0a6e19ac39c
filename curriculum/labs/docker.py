"""Docker's judges.

What files tell is read from models of a Dockerfile, a Compose file and a `docker run` command; whether an image does what
it should is tried with the learner's own engine.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curriculum.errors import AnswerError
from curriculum.labs import judge, process
from curriculum.labs.asgi import EVERYWHERE, listens
from curriculum.labs.compose import Compose, Service, read_compose
from curriculum.labs.dockerfile import (
    Dockerfile,
    Image,
    Instruction,
    Stage,
    read_dockerfile,
    read_ignore,
)
from curriculum.labs.dockerrun import DockerRun, read_docker_runs
from curriculum.labs.lab import Lab, Missing, Reply
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
_SYSTEM_INSTALLERS = frozenset({"apt", "apt-get", "apk", "dnf", "yum", "microdnf"})
#: Tools that install other packages: to install them is not yet to install the packages.
_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv", "poetry", "pdm", "pipenv", "pip-tools", "virtualenv"})
#: How long, in seconds, a service may take until it answers.
_PATIENCE = 40
#: Exit codes of a service that ended by itself after the stop signal: 143 and 130 are the signal's own.
_ENDED_BY_ITSELF = frozenset({0, 130, 143})


@judge("docker-first-image")
def first_image(lab: Lab) -> Iterator[Finding]:
    dockerfile = read_dockerfile(lab)
    stage = dockerfile.last
    yield _pinned_base(lab, dockerfile)
    packages = _packages_first(lab, "deps-before-code", dockerfile)
    yield packages
    yield _list_start(lab, stage)
    if stage.start is None:
        return
    place = listens(stage.start, stage.env)
    port = lab.value("port")
    if place is not None:
        yield _reachable(lab, place, port)
        if place[0] not in EVERYWHERE or place[1] != port:
            return
    if packages.fault == "nothing-installed":
        return
    docker = _engine(lab, dockerfile)
    if docker is None:
        if place is None:
            yield lab.waits("reachable", "docker")
        return
    with lab.scratch() as folder, docker.build(folder) as build:
        if not build.ok:
            yield _not_built(lab, "answers", build)
            return
        with docker.container(build.id, ports=[int(port)]) as box:
            if place is None:
                reply = box.get(int(port), "/healthz", wait=_PATIENCE)
                yield lab.found("reachable", bool(reply.status), expected=f"0.0.0.0:{port}", how="real")
                if not reply.status:
                    return
            yield _serves(lab, "answers", box, port)


def _pinned_base(lab: Lab, dockerfile: Dockerfile) -> Finding:
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


def _packages_first(lab: Lab, criterion: str, dockerfile: Dockerfile, code: str = "app.py") -> Finding:
    """Whether the packages are installed before the code enters the image, in each stage that installs any."""
    installed = False
    for stage in dockerfile.used:
        early: Instruction | None = None
        for instruction in stage.everything:
            if instruction.takes(code):
                early = early or instruction
            if _installs(instruction):
                installed = True
                if early:
                    fault = "code-first" if early is not instruction else "code-mounted"
                    return lab.found(criterion, False, found=early.text, fault=fault)
                break
    if not installed and _surely_bare(dockerfile):
        return lab.found(criterion, False, fault="nothing-installed")
    return lab.found(criterion, True)


def _installs(instruction: Instruction) -> bool:
    """Whether a RUN installs packages of the project."""
    return instruction.name == "RUN" and any(map(_installs_packages, instruction.commands))


def _installs_packages(words: tuple[str, ...]) -> bool:
    names = [_program(word) for word in words]
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
        if name in _SYSTEM_INSTALLERS:
            return any(word.startswith(("python3-", "py3-")) for word in words[place + 1 :])
    return False


def _program(word: str) -> str:
    """A program's name without its folder and version: `pip` for `/venv/bin/pip3.12`."""
    name = posixpath.basename(word)
    bare = name.rstrip("0123456789.")
    return bare if bare in _INSTALLERS else name


def _surely_bare(dockerfile: Dockerfile) -> bool:
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


def _list_start(lab: Lab, stage: Stage, criterion: str = "exec-form") -> Finding:
    """Whether the service itself is the first process: no shell stands before it."""
    start = stage.start
    if start is None:
        return lab.found(criterion, False, fault="missing")
    script = start.shell_script
    if script is None:
        return lab.found(criterion, True, found=json.dumps(list(start.words)))
    replaced = any(words[0] == "exec" for words in _commands(script))
    return lab.found(criterion, replaced, found=start.text, fault="shell-in-list" if start.is_list else "shell-form")


def _commands(script: str) -> list[tuple[str, ...]]:
    from curriculum.labs.dockerfile import shell_commands

    return shell_commands(script)


def _reachable(lab: Lab, place: tuple[str, str], port: str) -> Finding:
    host, actual = place
    fault = "own-address" if host not in EVERYWHERE else "other-port"
    met = host in EVERYWHERE and actual == port
    return lab.found("reachable", met, found=f"{host}:{actual}", expected=f"0.0.0.0:{port}", fault=fault)


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
    docker = _engine(lab, images=["python:3.12-slim"])
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
                    reply = box.get(port, "/healthz", wait=_PATIENCE)
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
    order = _packages_first(lab, "packages-first", dockerfile)
    yield order
    if seen or hidden or not ignore.hides(".env"):
        return
    docker = _engine(lab, dockerfile, images=["busybox:latest"])
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
            return _not_built(lab, "context-size", build)
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
            return _not_built(lab, "fast-again", before)
        code = folder / "app.py"
        mark = f"changed-{secrets.token_hex(4)}"
        code.write_text(code.read_text(encoding="utf-8").replace('"ok": True', f'"ok": "{mark}"'), encoding="utf-8")
        with docker.build(folder) as after:
            if not after.ok:
                return _not_built(lab, "fast-again", after)
            new = after.new_bytes(before)
            place = listens(stage.start, stage.env)
            port = int(place[1]) if place and place[1].isdecimal() else 8000
            with docker.container(after.id, ports=[port]) as box:
                reply = box.get(port, "/healthz", wait=_PATIENCE)
                if not reply.ok:
                    return lab.found("fast-again", False, found=box.last, fault="ended", how="real")
            if mark not in reply.text:
                return lab.found("fast-again", False, found=reply.text, fault="old-code", how="real")
    found = f"{new / 1e6:.1f} MB"
    return lab.found("fast-again", new < 2_000_000, found=found, expected="< 2 MB", fault="all-again", how="real")


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
    docker = _engine(lab, dockerfile)
    if docker is None:
        return
    with lab.scratch() as folder, docker.build(folder) as build:
        if not build.ok:
            yield _not_built(lab, "becomes-healthy", build)
            return
        with docker.container(build.id) as box:
            yield _becomes_healthy(lab, box)
            if box.running:
                yield _stops(lab, "stops-cleanly", box)


def _multi_stage(lab: Lab, dockerfile: Dockerfile) -> Finding:
    last = dockerfile.last
    installs = next((step for step in last.everything if _installs(step)), None)
    if installs:
        fault = "one-stage" if len(dockerfile.used) == 1 else "installs"
        return lab.found("multi-stage", False, found=installs.text, fault=fault)
    copied = [stage for stage in map(dockerfile.stage, dockerfile.sources(last)) if stage]
    made = any(_installs(step) for stage in copied for step in stage.everything)
    return lab.found("multi-stage", made or (bool(copied) and not _surely_bare(dockerfile)), fault="one-stage")


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
    root = _first_process_is_root(box)
    return lab.found("becomes-healthy", not root, found="healthy", fault="root-process", how="real")


def _first_process_is_root(box: Box) -> bool:
    try:
        top = box.container.top(ps_args="-eo pid,uid,args")
    except Exception:
        return False
    column = [title.upper() for title in top["Titles"]].index("UID")
    return bool(top["Processes"]) and str(top["Processes"][0][column]) in {"0", "root"}


def _stops(lab: Lab, criterion: str, box: Box) -> Finding:
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


@judge("docker-compose-stack")
def compose_stack(lab: Lab) -> Iterator[Finding]:
    from curriculum.labs import docker_stack

    yield from docker_stack.judged(lab, engine=_engine)


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
    docker = _engine(lab, dockerfile) if mount.result == "met" else None
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
                yield _not_built(lab, "data-fetched", build)
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
            if step.name in {"COPY", "ADD"} and any(covers_secret(word, secret) for word in step.sources):
                return lab.found("secret-mount", False, found=step.text, fault="copied")
            for mount in step.mounts:
                if mount["type"] == "secret":
                    target = mount.get("target", mount.get("dst", mount.get("destination", "")))
                    mounted.append(mount.get("id", posixpath.basename(target)))
    fault = "other-id" if mounted else "missing"
    return lab.found("secret-mount", secret in mounted, found=" ".join(mounted), expected=f"id={secret}", fault=fault)


def covers_secret(source: str, secret: str) -> bool:
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
            reply = box.get(port, "/healthz", wait=_PATIENCE)
            if not reply.ok:
                fault = "ended" if not box.running else "not-moved" if env else "no-answer"
                return lab.found("one-image", False, found=box.last, expected=str(port), fault=fault, how="real")
    return lab.found("one-image", True, found=f"{usual} {usual + 1000}", how="real")


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
    docker = _engine(lab, dockerfile, images=["python:3.12-slim"])
    if docker is None:
        return
    with lab.scratch() as folder, docker.build(folder) as build:
        if not build.ok:
            yield _not_built(lab, "within-budget", build)
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
        served = _serves(lab, "runs-locked", box, inside)
        if served.result == "met":
            time.sleep(1)
            if not box.running:
                return lab.found("runs-locked", False, found=box.last, fault="ended", how="real")
        elif box.state.get("OOMKilled"):
            return lab.found("runs-locked", False, found="OOMKilled", fault="memory", how="real")
        return served


@judge("docker-reproducible-build")
def reproducible_build(lab: Lab) -> Iterator[Finding]:
    dockerfile = read_dockerfile(lab)
    loose = [image for image in dockerfile.images if not Image.of(image).digest]
    yield lab.found("base-digest", not loose, found=" ".join(loose), fault="tag-only")
    hashed = _hashed_packages(lab)
    yield hashed
    beside = _nothing_beside(lab, dockerfile)
    yield beside
    if "not-met" in {hashed.result, beside.result}:
        return
    docker = _engine(lab, dockerfile)
    if docker is None:
        return
    port = lab.value("port")
    with lab.scratch() as folder, docker.build(folder, cache=False) as first:
        if not first.ok:
            fault = "incomplete" if "hashes" in first.output.lower() else "build-failed"
            yield lab.found("answers", False, found=first.last, fault=fault, how="real")
            return
        with docker.container(first.id, ports=[int(port)]) as box:
            yield _serves(lab, "answers", box, port)
        with docker.build(folder, cache=False) as second:
            yield _same(lab, docker, first, second)
        yield _wrong_hash(lab, docker, folder)


def _requirements(text: str) -> list[tuple[str, list[str]]]:
    """The requirements of a pip file, each with its hashes."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split(" #")[0].split()
        if not words or words[0].startswith(("#", "-")):
            continue
        hashes = [word.partition("=")[2] for word in words if word.startswith("--hash=")]
        hashes += [after for word, after in pairwise(words) if word == "--hash"]
        found.append((" ".join(words).split(" --")[0].strip(), hashes))
    return found


def _hashed_packages(lab: Lab) -> Finding:
    from packaging.requirements import InvalidRequirement, Requirement

    entries = _requirements(lab.text("requirements.txt"))
    names = set()
    for text, hashes in entries:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise AnswerError(
                "answer-syntax", file="requirements.txt", line=1, problem=str(error).splitlines()[0]
            ) from None
        exact = [one for one in requirement.specifier if one.operator in {"==", "==="} and "*" not in one.version]
        if not exact and not requirement.url:
            return lab.found("hashed-packages", False, found=text, fault="not-exact")
        if not any(digest.startswith(("sha256:", "sha384:", "sha512:")) for digest in hashes):
            return lab.found("hashed-packages", False, found=text, fault="no-hash")
        names.add(requirement.name.lower().replace("_", "-"))
    lost = sorted({"fastapi", "uvicorn", "prometheus-client"} - names)
    if lost:
        return lab.found("hashed-packages", False, found=" ".join(lost), fault="left-out")
    # Starlette is what FastAPI cannot do without: a list that lacks it holds only what was asked for by name.
    if "starlette" not in names:
        return lab.found("hashed-packages", False, found=str(len(names)), fault="only-direct")
    return lab.found("hashed-packages", True, found=str(len(names)))


def _nothing_beside(lab: Lab, dockerfile: Dockerfile) -> Finding:
    """Whether nothing is fetched while building but the packages of the list."""
    for stage in dockerfile.used:
        for step in stage.instructions:
            if step.name == "ADD" and any("://" in word for word in step.sources) and not step.flag("checksum"):
                return lab.found("nothing-beside", False, found=step.text, fault="download")
            for words in step.commands if step.name == "RUN" else ():
                fault = _fetches(words)
                if fault:
                    return lab.found("nothing-beside", False, found=" ".join(words), fault=fault)
    return lab.found("nothing-beside", True)


def _fetches(words: tuple[str, ...]) -> str:
    """What a command fetches beside the list, or an empty string."""
    names = [_program(word) for word in words]
    if {"curl", "wget"} & set(names[:2]):
        return "download"
    if _SYSTEM_INSTALLERS & set(names[:2]) and {"install", "add", "upgrade", "dist-upgrade"} & set(words):
        return "system"
    if "pip" in names and "install" in words:
        after = words[words.index("install") + 1 :]
        values = {"-r", "--requirement", "-c", "--constraint", "-t", "--target", "--prefix", "--root", "--python", "-i"}
        values |= {
            "--index-url",
            "--extra-index-url",
            "--find-links",
            "-f",
            "--only-binary",
            "--no-binary",
            "--platform",
        }
        values |= {
            "--progress-bar",
            "--retries",
            "--timeout",
            "--cache-dir",
            "--python-version",
            "--implementation",
            "--abi",
        }
        skip, loose = False, []
        for word in after:
            if skip:
                skip = False
            elif word in values:
                skip = True
            elif not word.startswith("-") and not word.startswith(("/", ".")):
                loose.append(word)
        if loose:
            return "loose-package"
        if not any(word.startswith(("-r", "--requirement")) for word in after) and not any(
            word.startswith(("/", ".")) for word in after
        ):
            return "loose-package"
    return ""


def _same(lab: Lab, docker: Docker, first: Build, second: Build) -> Finding:
    """Whether two builds hold the same files."""
    if not second.ok:
        return _not_built(lab, "same-twice", second)
    one, two = (_files(docker, build) for build in (first, second))
    other = sorted(name for name in {*one, *two} if one.get(name) != two.get(name))
    fault = ""
    if any(name.endswith(".pyc") for name in other):
        fault = "bytecode"
    elif any("/.cache/" in name for name in other):
        fault = "cache"
    found = f"{len(other)}: {' '.join(other[:2])}" if other else ""
    return lab.found("same-twice", not other, found=found, fault=fault, how="real")


#: What the engine itself writes into every container.
_ENGINES_OWN = ("dev/", "proc/", "sys/", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", ".dockerenv")


def _files(docker: Docker, build: Build) -> dict[str, str]:
    """Every file of an image with its kind, rights, owner and contents; times do not count."""
    found = {}
    with docker.container(build.id, start=False) as box:
        for member, file in box.files():
            if not member.name.startswith(_ENGINES_OWN):
                digest = hashlib.sha256(file.read()).hexdigest() if file else member.linkname
                found[member.name] = f"{member.type!r} {member.mode:o} {member.uid}:{member.gid} {digest}"
    return found


def _wrong_hash(lab: Lab, docker: Docker, folder: Path) -> Finding:
    """Whether a package whose hash is another than in the list stops the build."""
    path = folder / "requirements.txt"
    text = path.read_text(encoding="utf-8")
    name, hashes = next((name, hashes) for name, hashes in _requirements(text) if name.lower().startswith("uvicorn"))
    for digest in hashes:
        text = text.replace(digest, f"{digest.partition(':')[0]}:{'0' * len(digest.partition(':')[2])}")
    path.write_text(text, encoding="utf-8")
    with docker.build(folder, cache=False) as build:
        return lab.found(
            "wrong-hash", not build.ok, found=build.last if not build.ok else name, fault="accepted", how="real"
        )


@judge("docker-stop-and-debug")
def stop_and_debug(lab: Lab) -> Iterator[Finding]:
    documents = lab.yaml("diagnosis.yaml")
    told = documents[0] if len(documents) == 1 and isinstance(documents[0], dict) else {}
    for criterion, case in _CASES.items():
        yield _diagnosed(lab, criterion, case, told)
    dockerfile = read_dockerfile(lab)
    lab.text("start.sh")
    docker = _engine(lab, dockerfile)
    if docker is None:
        return
    port = lab.value("port")
    with lab.scratch() as folder, docker.build(folder) as build:
        if not build.ok:
            yield _not_built(lab, "starts", build)
            return
        with docker.container(build.id, ports=[int(port)], memory="1g") as box:
            served = _serves(lab, "starts", box, port)
            if served.result == "met" and _first_process_is_root(box):
                served = lab.found("starts", False, found="uid 0", fault="root", how="real")
            yield served
            if not box.running:
                return
            yield _stops(lab, "stops", box)
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
        served = _serves(lab, "fits", box, port)
        for _ in range(30):
            served = _serves(lab, "fits", box, port) if served.result == "met" else served
        state = box.state
        if state.get("OOMKilled") or state.get("ExitCode") == 137:
            return lab.found("fits", False, found=f"OOMKilled, {memory} MB", fault="memory", how="real")
        if served.result == "met" and not state["Running"]:
            return lab.found("fits", False, found=box.last, fault="ended", how="real")
        return served


# --- what several of them ask ---


def _bases(dockerfile: Dockerfile) -> list[Image]:
    return [stage.base for stage in dockerfile.used if stage.base]


def _engine(lab: Lab, dockerfile: Dockerfile | None = None, images: Iterable[str] = ()) -> Docker | None:
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


def _not_built(lab: Lab, criterion: str, build: Build) -> Finding:
    """A criterion that fails because the image cannot be built, or takes more than it may."""
    fault = "build-failed" if build.problem == "failed" else "build-limit"
    found = build.last if build.problem == "failed" else f"{build.problem}: {build.seconds:.0f} s"
    return lab.found(criterion, False, found=found, fault=fault, how="real")


def _serves(lab: Lab, criterion: str, box: Box, port: str) -> Finding:
    """Whether the service in a container is healthy and predicts."""
    reply = box.get(int(port), "/healthz", wait=_PATIENCE)
    if not box.running:
        return lab.found(criterion, False, found=box.last, fault="ended", how="real")
    if not reply.ok:
        return lab.found(criterion, False, found=f"/healthz {reply.status or ''}", fault="no-answer", how="real")
    body = {lab.value("distance_km"): 3.5, "hour": 9, lab.value("rain"): True, lab.value("stops"): 2}
    reply = box.get(int(port), "/predict", body)
    data = reply.json()
    number = reply.ok and isinstance(data, dict) and any(isinstance(value, int | float) for value in data.values())
    return lab.found(criterion, number, found=reply.text, fault="no-prediction", how="real")
