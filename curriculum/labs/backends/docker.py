"""A learner's Docker engine, driven so that nothing of theirs is touched and nothing of ours stays.

    if docker := lab.backend("docker"):
        docker.fetch(dockerfile.images)                  # says what will be pulled, pulls; raises Missing("offline")
        with docker.build(folder) as build:              # Build: ok, problem, output, id, size, layers, files …
            with docker.container(build.id, ports=[8000]) as box:
                reply = box.get(8000, "/healthz", wait=20)
                seconds, code = box.stop()

Everything that is made here has the label `curriculum.lab` and a random name, is limited, and is removed after its block,
also when the block fails. What a crash left behind is removed by the next `find`, an hour later. Ports are published on
127.0.0.1 alone, under numbers that the engine chooses. `docker build` is asked by Docker's command line (BuildKit where it
is), all else over the engine's API.

With CURRICULUM_BUILD_NETWORK=none images are built without network and never pulled: for places whose base images bring
their packages along. An image that is named by digest is then taken by its tag.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from curriculum.labs import process
from curriculum.labs.dockerfile import Image, parse_dockerfile
from curriculum.labs.lab import Lab, Missing, Reply, fetch

LABEL = "curriculum.lab"
#: Objects with our label that are older than this many seconds belong to nobody any more.
OLDEST = 3600
#: What a build may use: seconds, bytes on the disk, processes on the machine (the last two where they can be seen).
MOST_SECONDS, MOST_DISK, MOST_PROCESSES = 600, 4_000_000_000, 3000
#: What a container may use unless a judge says otherwise.
MEMORY, PIDS, CPUS = "512m", 200, 1.0
_SAID_NOT_THERE = (
    "not found",
    "manifest unknown",
    "access denied",
    "does not exist",
    "invalid reference",
    "no such image",
)


def find(lab: Lab) -> Docker:
    """The engine that the docker command talks to. Raises Missing."""
    try:
        sdk = importlib.import_module("docker")
    except ImportError:
        raise Missing("no-package") from None
    if not shutil.which("docker"):
        raise Missing("not-installed")
    host = os.environ.get("DOCKER_HOST") or _context("{{.Endpoints.docker.Host}}")
    if not _local(host):
        raise Missing("remote")
    try:
        client = sdk.DockerClient(base_url=host or None, timeout=120)
        client.ping()
        windows = client.info().get("OSType") == "windows"
    except (sdk.errors.DockerException, OSError) as error:
        raise Missing("no-permission" if "permission denied" in str(error).lower() else "not-running") from None
    if windows:
        raise Missing("windows-containers")
    engine = Docker(lab, sdk, client)
    engine.sweep()
    return engine


@dataclass(frozen=True)
class Build:
    """What became of a build. `problem` is empty, `failed` or one of the limits: `time`, `output`, `disk`,
    `processes`, `memory`."""

    problem: str
    output: str
    seconds: float
    id: str = ""
    name: str = ""
    details: Mapping[str, Any] | None = None
    history: tuple[Mapping[str, Any], ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problem

    @property
    def last(self) -> str:
        """The line that says best why a build failed: the first that speaks of an error, else the last."""
        lines = [_without_step(line) for line in self.output.splitlines() if line.strip()]
        telling = [line for line in lines if "error" in line.lower() or "failed" in line.lower()]
        return telling[0] if telling else (lines or [self.problem])[-1]

    @property
    def size(self) -> int:
        """The image's size in bytes, its base included: the sum of its unpacked layers, whatever the engine stores."""
        return sum(int(step.get("Size", 0)) for step in self.history)

    @property
    def config(self) -> Mapping[str, Any]:
        return (self.details or {}).get("Config") or {}

    @property
    def layers(self) -> tuple[str, ...]:
        """The digests of the layers' contents, the lowest first."""
        return tuple(((self.details or {}).get("RootFS") or {}).get("Layers") or ())

    def new_bytes(self, before: Build) -> int:
        """How many bytes of this image's layers were not in the image `before`."""
        known = set(before.layers)
        steps = [step for step in reversed(self.history) if step.get("Size", 0) or not _empty(step)]
        sizes = [int(step.get("Size", 0)) for step in steps]
        if len(sizes) != len(self.layers):
            # Empty layers are told apart differently by every builder: then the sizes that are not zero must do.
            sizes = [size for size in sizes if size]
        pairs = zip(reversed(self.layers), reversed(sizes), strict=False)
        return sum(size for layer, size in pairs if layer not in known)


class Docker:
    """An engine. `buildkit` says whether its builder knows `RUN --mount` and heredocs."""

    def __init__(self, lab: Lab, sdk: Any, client: Any) -> None:
        self.lab = lab
        self.sdk = sdk
        self.client = client
        self.offline = os.environ.get("CURRICULUM_BUILD_NETWORK") == "none"
        self._label = f"{int(time.time())}-{secrets.token_hex(6)}"

    # --- images ---

    def has(self, image: str) -> bool:
        """Whether an image is there already."""
        try:
            self.client.images.get(image)
        except self.sdk.errors.APIError:
            return False
        return True

    def size(self, image: str) -> int:
        """The size of an image that is there, in bytes, counted as `Build.size` counts."""
        return sum(int(step.get("Size", 0)) for step in self.client.images.get(image).history())

    def fetch(self, images: Iterable[str]) -> None:
        """Pull the images that are not there, after saying so. One that does not exist is left for the build to say.

        Raises Missing("offline") when the registry cannot be reached.
        """
        wanted = [image for image in images if "$" not in image and not self.has(self._reachable(image))]
        if not wanted:
            return
        if self.offline:
            raise Missing("offline")
        self.lab.tell("lab.pulls", images=wanted)
        for image in wanted:
            run = self.cli("pull", "-q", image, timeout=MOST_SECONDS)
            if not run.ok and not any(said in run.output.lower() for said in _SAID_NOT_THERE):
                raise Missing("offline")

    @contextmanager
    def build(
        self,
        folder: Path,
        *,
        file: str = "Dockerfile",
        target: str = "",
        args: Mapping[str, str] | None = None,
        secret_files: Mapping[str, Path] | None = None,
        cache: bool = True,
        timeout: float | None = None,
    ) -> Iterator[Build]:
        """Build the Dockerfile `file` of a folder; the image is there as long as the block. Never raises for a build."""
        with tempfile.TemporaryDirectory(prefix="curriculum-build-", ignore_cleanup_errors=True) as name:
            iid, tag = Path(name) / "iid", self._name()
            command = [
                "build",
                "--force-rm",
                "--iidfile",
                str(iid),
                "--label",
                f"{LABEL}={self._label}-{secrets.token_hex(3)}",
            ]
            command += ["--file", str(self._rewritten(folder / file, Path(name))), "--tag", tag]
            command += ["--target", target] if target else []
            command += [] if cache else ["--no-cache"]
            command += ["--network", "none"] if self.offline else []
            for key, value in (args or {}).items():
                command += ["--build-arg", f"{key}={value}"]
            for key, path in (secret_files or {}).items():
                command += ["--secret", f"id={key},src={path}"]
            if not self.buildkit:
                command += ["--memory", "2g", "--memory-swap", "2g"]
            build = self._watched([*command, str(folder)], folder, iid, tag, timeout or MOST_SECONDS)
        try:
            yield build
        finally:
            if build.id:
                with suppress(Exception):
                    self.client.images.remove(build.id, force=True)

    @cached_property
    def buildkit(self) -> bool:
        return self._builder in {"buildx", "daemon"}

    @cached_property
    def _builder(self) -> str:
        if self.cli("buildx", "version", timeout=20).ok:
            return "buildx"
        version = self.cli("version", "--format", "{{.Client.Version}}", timeout=20).output.strip()
        major = version.split(".")[0]
        # Up to 20.10 the command line talks to the engine's own BuildKit; later ones want buildx for it.
        return "daemon" if major.isdecimal() and int(major) < 23 else "legacy"

    def _builder_env(self) -> dict[str, str]:
        env = {"DOCKER_CLI_HINTS": "false", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "BUILDKIT_PROGRESS": "plain"}
        if self._builder == "buildx":
            # The builder of the engine itself: only its images can be run here at once.
            env["BUILDX_BUILDER"] = "default" if os.environ.get("DOCKER_HOST") else _context("{{.Name}}") or "default"
        else:
            env["DOCKER_BUILDKIT"] = "1" if self._builder == "daemon" else "0"
        return env

    def _watched(self, command: list[str], folder: Path, iid: Path, tag: str, timeout: float) -> Build:
        watch = _Watch(self._root)
        begun = time.monotonic()
        problem = ""
        with process.serving(["docker", *command], folder=folder, env=self._builder_env()) as service:
            while service.running and not problem:
                if time.monotonic() - begun > timeout:
                    problem = "time"
                elif service.flooded:
                    problem = "output"
                else:
                    problem = watch.exceeded()
                with suppress(subprocess.TimeoutExpired):
                    service.process.wait(timeout=0.5)
            code = service.process.returncode
            output = service.log
        seconds = time.monotonic() - begun
        id_ = iid.read_text(encoding="utf-8").strip() if iid.exists() else ""
        if problem or code != 0 or not id_:
            return Build(problem or "failed", output, seconds, id_)
        image = self.client.images.get(id_)
        return Build("", output, seconds, id_, tag, image.attrs, tuple(image.history()))

    def _rewritten(self, path: Path, folder: Path) -> Path:
        """The Dockerfile; without a network a copy that asks for no frontend and takes images by their tags."""
        if not self.offline:
            return path
        text = path.read_text(encoding="utf-8-sig")
        for image in map(Image.of, parse_dockerfile(text).images):
            if image.digest and not self.has(str(image)):
                text = text.replace(f"@{image.digest}", "")
        lines = text.splitlines(keepends=True)
        while lines and lines[0].lower().replace(" ", "").startswith("#syntax="):
            del lines[0]
        copy = folder / "Dockerfile"
        copy.write_text("".join(lines), encoding="utf-8")
        for beside in (path.with_name(path.name + ".dockerignore"),):
            if beside.exists():
                shutil.copy(beside, folder / "Dockerfile.dockerignore")
        return copy

    def _reachable(self, image: str) -> str:
        parsed = Image.of(image)
        return str(Image(parsed.name, parsed.tag)) if self.offline and parsed.tag else image

    def scan(self, image: str, needle: str) -> list[str]:
        """Where a text occurs in an image: `config`, or the files of its layers. What its base holds is looked at, too."""
        found = []
        kept = self.client.images.get(image)
        if needle in json.dumps(kept.attrs) or needle in json.dumps(kept.history()):
            found.append("config")
        with tempfile.TemporaryFile() as file:
            for chunk in kept.save():
                file.write(chunk)
            file.seek(0)
            with tarfile.open(fileobj=file) as archive:
                for member in archive:
                    if member.isfile():
                        found += _occurrences(archive.extractfile(member), member.name, needle.encode())
        return found

    # --- containers ---

    @contextmanager
    def container(
        self,
        image: str,
        *,
        command: Sequence[str] | None = None,
        ports: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        memory: str = MEMORY,
        pids: int = PIDS,
        start: bool = True,
        **options: Any,
    ) -> Iterator[Box]:
        """A container of an image, as long as the block. `ports` are the container's; `options` go to the engine as they are
        (`read_only`, `cap_drop`, `volumes`, `network`, `user` …)."""
        types = self.sdk.types
        container = self.client.containers.create(
            image,
            command=list(command) if command is not None else None,
            ports={f"{port}/tcp": ("127.0.0.1",) for port in ports},
            environment=dict(env or {}),
            mem_limit=memory,
            memswap_limit=memory,
            pids_limit=pids,
            nano_cpus=int(CPUS * 1_000_000_000),
            ulimits=[types.Ulimit(name="fsize", soft=process.MOST_FILE, hard=process.MOST_FILE)],
            log_config=types.LogConfig(type="json-file", config={"max-size": "2m", "max-file": "1"}),
            labels={LABEL: self._label},
            name=options.pop("name", None) or self._name(),
            detach=True,
            **options,
        )
        box = Box(self, container)
        try:
            if start:
                box.start()
            yield box
        finally:
            with suppress(Exception):
                container.remove(force=True, v=True)

    @contextmanager
    def volume(self, files: Mapping[str, bytes] | None = None, *, image: str = "") -> Iterator[str]:
        """A named volume with files in it, put there by a container of `image` that never starts."""
        volume = self.client.volumes.create(name=self._name(), labels={LABEL: self._label})
        try:
            if files:
                with self.container(image, start=False, volumes=[f"{volume.name}:/kept"]) as box:
                    box.put("/kept", files)
            yield volume.name
        finally:
            with suppress(Exception):
                volume.remove(force=True)

    @contextmanager
    def network(self) -> Iterator[str]:
        """A network of its own, in which containers find each other by their names."""
        network = self.client.networks.create(self._name(), labels={LABEL: self._label})
        try:
            yield network.name
        finally:
            with suppress(Exception):
                network.remove()

    # --- Compose ---

    @cached_property
    def compose(self) -> tuple[str, ...]:
        """The command that Compose is on this machine: `docker compose`, or the older `docker-compose`. Raises Missing."""
        if self.cli("compose", "version", timeout=20).ok:
            return ("docker", "compose")
        if shutil.which("docker-compose"):
            return ("docker-compose",)
        raise Missing("no-compose")

    @contextmanager
    def project(self, model: Mapping[str, Any], folder: Path, *, timeout: float = 300) -> Iterator[Project]:
        """A Compose project, from a model that holds nothing of the learner's machine: images, commands, checks, named
        volumes. Labels, limits and a random name are added. It is started by `up`, and gone after the block."""
        services = {
            name: {
                "mem_limit": "1g",
                "pids_limit": PIDS,
                **service,
                "labels": self.labels(),
                "restart": "no",
            }
            for name, service in model["services"].items()
        }
        labelled = {
            kind: {name: {"labels": self.labels()} for name in model.get(kind, ())} for kind in ("volumes", "networks")
        }
        networks = {"default": {"labels": self.labels()}, **labelled["networks"]}
        whole = {"version": "2.4", "services": services, "volumes": labelled["volumes"], "networks": networks}
        path = folder / "curriculum-project.json"
        path.write_text(json.dumps(whole), encoding="utf-8")
        project = Project(self, path, f"curriculum-lab-{secrets.token_hex(6)}", timeout)
        try:
            yield project
        finally:
            project.down(volumes=True)
            path.unlink(missing_ok=True)

    # --- the rest ---

    def cli(self, *arguments: str, timeout: float = 60, **env: str) -> process.Run:
        """Ask Docker's command line."""
        return process.run(["docker", *arguments], folder=Path(tempfile.gettempdir()), env=env, timeout=timeout)

    def labels(self) -> dict[str, str]:
        """The label of everything that is made here."""
        return {LABEL: self._label}

    def remove_labelled(self, label: str) -> None:
        """Remove all containers, networks, volumes and images whose label begins with `label`."""
        self._remove(lambda value: value.startswith(label))

    def sweep(self) -> None:
        """Remove what a crash left behind more than an hour ago."""
        self._remove(lambda value: _age(value) > OLDEST)

    def _remove(self, chosen: Callable[[str], bool]) -> None:
        only = {"filters": {"label": LABEL}}
        with suppress(Exception):
            for container in self.client.containers.list(all=True, ignore_removed=True, **only):
                if chosen(container.labels.get(LABEL, "")):
                    with suppress(Exception):
                        container.remove(force=True, v=True)
        with suppress(Exception):
            for thing in [*self.client.networks.list(**only), *self.client.volumes.list(**only)]:
                if chosen((thing.attrs.get("Labels") or {}).get(LABEL, "")):
                    with suppress(Exception):
                        thing.remove()
        with suppress(Exception):
            for image in self.client.images.list(**only):
                if chosen(image.labels.get(LABEL, "")):
                    with suppress(Exception):
                        self.client.images.remove(image.id, force=True)

    @cached_property
    def _root(self) -> str:
        return str(self.client.info().get("DockerRootDir", ""))

    def _name(self) -> str:
        return f"curriculum-lab-{secrets.token_hex(6)}"


class Box:
    """A container."""

    def __init__(self, docker: Docker, container: Any) -> None:
        self._docker = docker
        self.container = container
        #: Why the engine could not even start it: `exec: "uvicorn": executable file not found in $PATH`.
        self.refused = ""

    def start(self) -> None:
        """Start it. What the engine says when it cannot is kept in `refused`."""
        try:
            self.container.start()
        except self._docker.sdk.errors.APIError as error:
            self.refused = str(error.explanation or error)

    @property
    def details(self) -> dict[str, Any]:
        """What `docker inspect` says now."""
        self.container.reload()
        return dict(self.container.attrs)

    @property
    def state(self) -> dict[str, Any]:
        return dict(self.details["State"])

    @property
    def running(self) -> bool:
        return bool(self.state["Running"])

    @property
    def log(self) -> str:
        """The last lines that it printed."""
        return str(self.container.logs(tail=200).decode("utf-8", "replace")[-process.MOST_OUTPUT :])

    @property
    def last(self) -> str:
        """The line that says best why it does not run."""
        lines = [line.strip() for line in self.log.splitlines() if line.strip()]
        return self.refused or (lines[-1] if lines else f"exit code {self.state['ExitCode']}")

    def address(self, port: int) -> str:
        """The address on this machine under which a published port of the container is reached; empty when it is not."""
        bindings = self.details["NetworkSettings"]["Ports"].get(f"{port}/tcp") or []
        return f"http://127.0.0.1:{bindings[0]['HostPort']}" if bindings else ""

    def get(self, port: int, path: str, body: Any = None, *, wait: float = 0) -> Reply:
        """Ask the container over its published port, again and again for `wait` seconds while it runs and does not answer."""
        deadline = time.monotonic() + wait
        while True:
            address = self.address(port)
            reply = fetch(address + path, body) if address else Reply(0, self.last)
            if reply.status or time.monotonic() >= deadline or not self.running:
                return reply
            time.sleep(0.2)

    def exec(self, *argv: str, timeout: float = 20, user: str = "") -> process.Run:
        """Run a program inside."""
        options = ["--user", user] if user else []
        return self._docker.cli("exec", *options, self.container.id, *argv, timeout=timeout)

    def health(self, wait: float) -> str:
        """The health status once it is no longer `starting`, or after `wait` seconds; `none` without a health check."""
        deadline = time.monotonic() + wait
        while True:
            state = self.state
            status = (state.get("Health") or {}).get("Status", "none")
            if status not in {"starting", "unhealthy"} or not state["Running"] or time.monotonic() >= deadline:
                return str(status)
            time.sleep(0.3)

    @property
    def health_output(self) -> str:
        """What the last health check printed."""
        log = (self.state.get("Health") or {}).get("Log") or [{}]
        return str(log[-1].get("Output", "")).strip()

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None when it still runs after so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            state = self.state
            if not state["Running"] and state["Status"] != "created":
                return int(state["ExitCode"])
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.1)

    @property
    def starved(self) -> bool:
        """Whether the kernel ended a process in it for want of memory. While the first one lives, only an event tells."""
        state = self.state
        if state["OOMKilled"] or state["ExitCode"] == 137:
            return True
        client = self._docker.client
        # Up to now, by the engine's clock: it answers at once.
        now = datetime.fromisoformat(client.info()["SystemTime"]).timestamp()
        only = {"container": self.container.id, "event": "oom"}
        return any(client.events(filters=only, since=1, until=f"{now:.6f}"))

    def settle(self, most: float) -> None:
        """Wait until its memory no longer grows: whatever it starts is then there. At most so many seconds."""
        deadline, before = time.monotonic() + most, -1
        while self.running and time.monotonic() < deadline:
            # Without a stream the engine looks twice, a second apart, before it answers.
            usage = self.container.stats(stream=False)["memory_stats"].get("usage", 0)
            if usage <= before * 1.02:
                return
            before = usage

    def stop(self, patience: int = 10) -> tuple[float, int]:
        """`docker stop`: how many seconds it took, and the exit code."""
        begun = time.monotonic()
        self.container.stop(timeout=patience)
        return time.monotonic() - begun, int(self.state["ExitCode"])

    def put(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Put files into a folder of the container, which need not run."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode, member.mtime = len(data), 0o644, int(time.time())
                archive.addfile(member, io.BytesIO(data))
        self.container.put_archive(folder, buffer.getvalue())

    def files(self, most: int = 2_000_000_000) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
        """The files of the container's whole file system, read from what the engine exports."""
        with tempfile.TemporaryFile() as file:
            size = 0
            for chunk in self.container.export():
                size += len(chunk)
                if size > most:
                    break
                file.write(chunk)
            file.seek(0)
            with tarfile.open(fileobj=file) as archive:
                for member in archive:
                    yield member, archive.extractfile(member) if member.isfile() else None


class Project:
    """A Compose project."""

    def __init__(self, docker: Docker, file: Path, name: str, timeout: float) -> None:
        self._docker = docker
        self._file = file
        self._timeout = timeout
        self.name = name

    def up(self) -> process.Run:
        """Start all services, as their dependencies say."""
        return self._run("up", "-d", timeout=self._timeout)

    def down(self, *, volumes: bool = False) -> process.Run:
        """Stop and remove all containers; named volumes stay unless `volumes`."""
        return self._run("down", "-t", "2", *(["-v"] if volumes else []), timeout=120)

    def box(self, service: str) -> Box | None:
        """The container of a service, if there is one."""
        only = {"label": [f"com.docker.compose.project={self.name}", f"com.docker.compose.service={service}"]}
        found = self._docker.client.containers.list(all=True, filters=only, ignore_removed=True)
        return Box(self._docker, found[0]) if found else None

    def _run(self, *arguments: str, timeout: float) -> process.Run:
        command = [*self._docker.compose, "-f", str(self._file), "-p", self.name, *arguments]
        return process.run(command, folder=self._file.parent, env={"COMPOSE_ANSI": "never"}, timeout=timeout)


class _Watch:
    """How a build is kept from using up the machine, as far as this system shows it: Linux does, others have a VM around
    the engine whose size is the limit."""

    def __init__(self, root: str) -> None:
        self._disk = root if sys.platform == "linux" and Path(root).exists() else ""
        self._free = self._free_disk()
        self._before = _processes()

    def exceeded(self) -> str:
        """The limit that is passed, or an empty string."""
        if self._disk and self._free - self._free_disk() > MOST_DISK:
            return "disk"
        if _processes() - self._before > MOST_PROCESSES:
            return "processes"
        if _memory_left() < 0.08:
            return "memory"
        return ""

    def _free_disk(self) -> int:
        try:
            return shutil.disk_usage(self._disk).free if self._disk else 0
        except OSError:
            return 0


def _processes() -> int:
    try:
        return sum(entry.name.isdecimal() for entry in os.scandir("/proc"))
    except OSError:
        return 0


def _memory_left() -> float:
    """The part of the memory that is available; 1 where it cannot be seen."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
            sizes = {line.split(":")[0]: int(line.split()[1]) for line in file}
        return sizes["MemAvailable"] / sizes["MemTotal"]
    except (OSError, KeyError, ValueError):
        return 1.0


def _occurrences(file: IO[bytes] | None, name: str, needle: bytes) -> Iterator[str]:
    """Where a text occurs in one file of a saved image: a layer (itself an archive) or a description."""
    if file is None:
        return
    data = file.read()
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as layer:
            for member in layer:
                inside = layer.extractfile(member) if member.isfile() else None
                if needle in member.name.encode() or (inside and needle in inside.read()):
                    yield f"/{member.name.lstrip('./')}"
    except tarfile.TarError:
        if needle in data:
            yield name


def _without_step(line: str) -> str:
    """A line of BuildKit's without the number of its step and the seconds: `#7 0.412 `."""
    words = line.split()
    if words and words[0].startswith("#") and words[0][1:].isdecimal():
        words = words[2:] if len(words) > 1 and words[1].replace(".", "").isdecimal() else words[1:]
        return " ".join(words)
    return line.strip()


def _empty(step: Mapping[str, Any]) -> bool:
    """Whether a step of an image's history made no layer: it only set something."""
    words = str(step.get("CreatedBy", "")).removeprefix("/bin/sh -c #(nop) ").split()
    return bool(words) and words[0] in {
        "CMD", "ENTRYPOINT", "ENV", "ARG", "EXPOSE", "LABEL", "USER", "HEALTHCHECK", "STOPSIGNAL", "VOLUME", "SHELL", "MAINTAINER",
    }  # fmt: skip


def _age(label: str) -> float:
    begun = label.split("-")[0]
    return time.time() - int(begun) if begun.isdecimal() else 0


def _local(host: str) -> bool:
    """Whether an engine's address is on this machine: ports are published there, and a far engine is not ours to use."""
    if not host or host.startswith(("unix://", "npipe://")):
        return True
    return host.split("://")[-1].rsplit(":", 1)[0].strip("[]") in {"localhost", "127.0.0.1", "::1"}


def _context(template: str) -> str:
    run = process.run(
        ["docker", "context", "inspect", "--format", template], folder=Path(tempfile.gettempdir()), timeout=20
    )
    return run.output.strip() if run.ok else ""
