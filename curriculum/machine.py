"""What this machine has. It only looks: nothing is created or changed, and whatever cannot be found out is left empty.

`look` asks the programs that are there for their versions, all at once and each for a few seconds at most; `glance`
starts no program at all. Neither raises.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import yaml

#: A program may take this long to answer, and all of them together that long, in seconds.
PATIENCE, ALTOGETHER = 3.0, 4.5
GB = 1_000_000_000
#: What names a cluster that judges may use. Others are never asked.
CONTEXT = "CURRICULUM_KUBE_CONTEXT"
#: Contexts that tools for a cluster on one's own machine make.
LOCAL_CONTEXT = re.compile(r"^(kind-.*|k3d-.*|minikube|docker-desktop|rancher-desktop|orbstack|colima(-.*)?|microk8s)$")

_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?(?:[-+][0-9A-Za-z.+-]+)?")
_ASK = {"kubectl": ("version", "--client"), "kind": ("version",), "minikube": ("version",), "k3d": ("version",)}
_ADMINISTRATORS = frozenset({"sudo", "wheel", "admin"})


@dataclass(frozen=True)
class Program:
    """A program that was found. `version` is empty where it was not asked, or did not answer."""

    path: str
    version: str = ""


@dataclass(frozen=True)
class Engine:
    """A Docker engine as the `docker` command reaches it.

    `state`: `ready`, `missing` (there is no `docker` command), `stopped` (nothing answers), `denied` (this account may
    not use it), `windows` (it runs Windows containers), `remote` (it is another machine's), `silent` (no answer in
    time), `unseen` (not asked).
    """

    state: str = "missing"
    version: str = ""
    name: str = ""
    memory: int | None = None
    client: str = ""
    buildx: str = ""
    compose: str = ""
    host: str = ""


@dataclass(frozen=True)
class Cluster:
    """The Kubernetes cluster that was named for this course, and the local ones that could be.

    `state`: `ready`, `missing` (there is no `kubectl`), `unnamed`, `unknown` (no such context), `stopped` (nothing
    answers), `unseen` (not asked).
    """

    state: str = "missing"
    context: str = ""
    version: str = ""
    local: tuple[str, ...] = ()


@dataclass(frozen=True)
class Port:
    """`state`: `free`, `used` (something listens), `reserved` (the system keeps it)."""

    number: int
    state: str


@dataclass(frozen=True)
class Machine:
    """The facts. `system` is windows, macos or linux; `family` the package world of a Linux (debian, ubuntu, fedora).

    `rights`: `have` (an administrator's), `can` (the account may ask for them), `none`, `unknown`. Memory and disk are
    in bytes, and None where they could not be found out. `bin` is a folder of one's own where a program is found;
    `environment` says that this Python is a virtual environment's, `managed` that pip may not touch it.
    """

    system: str
    release: str = ""
    family: str = ""
    architecture: str = "amd64"
    wsl: bool = False
    distributions: tuple[str, ...] = ()
    python: str = ""
    executable: str = ""
    environment: bool = False
    managed: bool = False
    bin: str = ""
    bin_on_path: bool = True
    rights: str = "unknown"
    memory: int | None = None
    available: int | None = None
    disk: int | None = None
    cores: int = 1
    programs: Mapping[str, Program] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    engine: Engine = field(default_factory=Engine)
    cluster: Cluster = field(default_factory=Cluster)
    ports: tuple[Port, ...] = ()

    def has(self, program: str) -> bool:
        return program in self.programs

    @property
    def systems(self) -> frozenset[str]:
        """The names under which install routes may mean this machine."""
        return frozenset({self.system, self.family} - {""})


def glance(*, folder: Path, programs: Iterable[str] = (), packages: Iterable[str] = (), context: str = "") -> Machine:
    """What can be seen without starting a program or asking a server: within some milliseconds."""
    found = {name: Program(path) for name in programs if (path := which(name))}
    versions = {name: version for name in packages if (version := package_version(name))}
    named = context or os.environ.get(CONTEXT, "")
    return replace(
        _at_hand(folder),
        programs=found,
        packages=versions,
        engine=_engine_at_a_glance(),
        cluster=_cluster_at_a_glance(named),
    )


def look(
    *,
    folder: Path,
    programs: Iterable[str] = (),
    packages: Iterable[str] = (),
    ports: Iterable[int] = (),
    context: str = "",
) -> Machine:
    """Everything that can be found out within `ALTOGETHER` seconds. What does not answer by then is left empty."""
    facts = glance(folder=folder, programs=programs, packages=packages, context=context)
    tasks: dict[str, Callable[[], Any]] = {
        f"version {name}": partial(_version, name, program.path)
        for name, program in facts.programs.items()
        if name != "docker"
    }
    tasks |= {f"port {number}": partial(_port, number) for number in set(ports)}
    tasks["engine"] = partial(_engine, facts.engine)
    tasks["cluster"] = partial(_cluster, facts.cluster)
    tasks["rights"] = _rights
    answers = together(tasks, ALTOGETHER)
    engine: Engine = answers.get("engine") or _unanswered(facts.engine)
    found = {
        name: replace(program, version=answers.get(f"version {name}") or "") for name, program in facts.programs.items()
    }
    if "docker" in found:
        found["docker"] = replace(found["docker"], version=engine.client)
    return replace(
        facts,
        programs=found,
        engine=engine,
        cluster=answers.get("cluster") or replace(facts.cluster, state="stopped"),
        ports=tuple(sorted((a for a in answers.values() if isinstance(a, Port)), key=lambda port: port.number)),
        rights=answers.get("rights") or "unknown",
    )


def _unanswered(engine: Engine) -> Engine:
    return replace(engine, state="silent") if engine.state in {"ready", "unseen"} else engine


# --- helpers ---------------------------------------------------------------------------------------------------------

T = TypeVar("T")


def together(tasks: Mapping[str, Callable[[], T]], seconds: float) -> dict[str, T]:
    """The answers of all tasks that finish in time without raising, each on a thread of its own."""
    answers: dict[str, T] = {}

    def answer(name: str, task: Callable[[], T]) -> None:
        with suppress(Exception):
            answers[name] = task()

    threads = [threading.Thread(target=answer, args=pair, daemon=True) for pair in tasks.items()]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(answers)


def search_path() -> str:
    """Where programs are looked for: beside this interpreter, where pip puts them, then on the PATH."""
    return os.pathsep.join(part for part in (str(Path(sys.executable).parent), os.environ.get("PATH", "")) if part)


def which(program: str) -> str:
    """The path of a program, or an empty string. Stand-ins that a system has for programs it lacks do not count."""
    path = shutil.which(program, path=search_path()) or ""
    if sys.platform == "darwin" and path.startswith("/usr/bin/") and program in {"git", "python3", "make"}:
        # Without Apple's command line tools these open a window that offers to install them.
        tools = ("/Library/Developer/CommandLineTools/usr/bin", "/Applications/Xcode.app/Contents/Developer/usr/bin")
        return path if any(Path(folder, program).exists() for folder in tools) else ""
    if os.name == "nt" and re.search(r"\\(System32\\bash|WindowsApps\\(bash|python3?))\.exe$", path, re.IGNORECASE):
        # WSL's doorway, or the door to a shop.
        path = ""
    if os.name == "nt" and program == "bash" and not path:
        # Git for Windows brings one, and keeps it off the PATH.
        homes = [Path(git).parents[1] for git in [which("git")] if git]
        homes += [Path(root, "Git") for name in ("PROGRAMFILES", "PROGRAMW6432") if (root := os.environ.get(name))]
        homes += [Path(root, "Programs", "Git") for root in [os.environ.get("LOCALAPPDATA")] if root]
        path = next((str(home / "bin" / "bash.exe") for home in homes if (home / "bin" / "bash.exe").is_file()), "")
    return path


def package_version(distribution: str) -> str:
    """The version of an installed Python package, or an empty string."""
    try:
        return importlib.metadata.version(distribution)
    except Exception:
        return ""


def run(*argv: str, seconds: float = PATIENCE) -> tuple[str, str] | None:
    """What a program prints, on stdout and on stderr; None when it cannot be run or takes too long."""
    alone: dict[str, Any] = {"creationflags": 0x08000000} if os.name == "nt" else {"start_new_session": True}
    environment = {**os.environ, "PATH": search_path(), "DOCKER_CLI_HINTS": "false", "PYTHONUTF8": "1"}
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            **alone,
        )
    except (OSError, ValueError):
        return None
    try:
        out, err = process.communicate(timeout=seconds)
        return out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            if sys.platform != "win32":
                with suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def _version(name: str, path: str) -> str:
    answer = run(path, *_ASK.get(name, ("--version",)))
    match = _VERSION.search(" ".join(answer)) if answer else None
    return match[0] if match else ""


# --- the machine itself ----------------------------------------------------------------------------------------------


def _at_hand(folder: Path) -> Machine:
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    release, family = _release(system)
    total, available = _memory()
    place, on_path = _bin()
    return Machine(
        system=system,
        release=release,
        family=family,
        architecture="arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "amd64",
        wsl=_wsl(system),
        distributions=_distributions(),
        python=platform.python_version(),
        executable=sys.executable,
        environment=sys.prefix != sys.base_prefix,
        managed=_managed(),
        bin=place,
        bin_on_path=on_path,
        memory=total,
        available=available,
        disk=_disk(folder),
        cores=os.cpu_count() or 1,
    )


def _release(system: str) -> tuple[str, str]:
    """The system's name and version as people say it, and a Linux's package world."""
    with suppress(Exception):
        if sys.platform == "win32":
            build = sys.getwindowsversion().build
            return f"Windows {11 if build >= 22000 else 10} (build {build})", ""
        if system == "macos":
            return f"macOS {platform.mac_ver()[0]}", ""
        about = platform.freedesktop_os_release()
        words = [about.get("ID", ""), *about.get("ID_LIKE", "").split()]
        families = ("ubuntu", "debian", "fedora")
        family = next((name for word in words for name in families if word == name), "")
        return about.get("PRETTY_NAME", about.get("NAME", "Linux")), family
    return {"windows": "Windows", "macos": "macOS"}.get(system, "Linux"), ""


def _wsl(system: str) -> bool:
    """Whether this is a Linux under WSL, or a Windows that has WSL."""
    with suppress(Exception):
        if system == "linux":
            return "microsoft" in Path("/proc/version").read_text(encoding="utf-8").lower()
        if system == "windows":
            return Path(os.environ.get("PROGRAMFILES", r"C:\Program Files"), "WSL", "wsl.exe").is_file()
    return False


def _distributions() -> tuple[str, ...]:
    """The Linux distributions of WSL, as the registry names them; nothing is started for it."""
    names: list[str] = []
    if sys.platform == "win32":
        import winreg

        place = r"Software\Microsoft\Windows\CurrentVersion\Lxss"
        with suppress(OSError), winreg.OpenKey(winreg.HKEY_CURRENT_USER, place) as root:
            for n in range(winreg.QueryInfoKey(root)[0]):
                with suppress(OSError), winreg.OpenKey(root, winreg.EnumKey(root, n)) as key:
                    names.append(str(winreg.QueryValueEx(key, "DistributionName")[0]))
    return tuple(names)


def _memory() -> tuple[int | None, int | None]:
    """All memory, and what is free of it."""
    if sys.platform == "win32":

        class Status(ctypes.Structure):
            _fields_ = (
                ("length", ctypes.c_ulong),
                ("load", ctypes.c_ulong),
                *((name, ctypes.c_ulonglong) for name in ("total", "available", "p1", "p2", "v1", "v2", "v3")),
            )

        status = Status(length=ctypes.sizeof(Status))
        with suppress(Exception):
            if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
                return int(status.total), int(status.available)
    else:
        with suppress(Exception):
            return _unix_memory()
    return None, None


def _unix_memory() -> tuple[int, int | None]:
    total, available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), None
    with suppress(OSError, ValueError, LookupError):
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        table = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines}
        total, available = table["MemTotal"], table["MemAvailable"]
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        # A container's share of the machine is all that it has.
        with suppress(OSError, ValueError):
            total = min(total, int(Path(limit).read_text(encoding="utf-8")))
    return total, None if available is None else min(available, total)


def _disk(folder: Path) -> int | None:
    with suppress(Exception):
        return shutil.disk_usage(folder).free
    return None


def _managed() -> bool:
    """Whether this Python is the system's own, which pip is kept away from."""
    with suppress(Exception):
        return sys.prefix == sys.base_prefix and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists()
    return False


def _bin() -> tuple[str, bool]:
    """A folder of one's own for programs (this environment's, else one at home), and whether it is on the PATH."""
    with suppress(Exception):
        place = Path(sys.executable).parent
        shared = str(place).lower().startswith(os.environ.get("PROGRAMFILES", "C:\\Program Files").lower())
        if sys.prefix == sys.base_prefix and (os.name != "nt" or shared or not os.access(place, os.W_OK)):
            place = Path.home() / ("bin" if os.name == "nt" else ".local/bin")
        return str(place), os.path.normcase(place) in map(
            os.path.normcase, os.environ.get("PATH", "").split(os.pathsep)
        )
    return "", False


def _rights() -> str:
    """Whether this account has an administrator's rights, may ask for them, or neither."""
    if sys.platform == "win32":
        if ctypes.windll.shell32.IsUserAnAdmin():
            return "have"
        answer = run("whoami", "/groups", "/fo", "csv", "/nh")
        return "unknown" if answer is None else "can" if "S-1-5-32-544" in answer[0] else "none"
    else:  # noqa: RET505
        import grp

        if os.geteuid() == 0:
            return "have"
        names = set()
        for group in os.getgroups():
            with suppress(KeyError):
                names.add(grp.getgrgid(group).gr_name)
        return "can" if names & _ADMINISTRATORS else "none"


def _port(number: int) -> Port:
    """Whether a port of the loopback address can be had."""
    with socket.socket() as probe:
        probe.settimeout(0.3)
        if probe.connect_ex(("127.0.0.1", number)) == 0:
            return Port(number, "used")
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", number))
        return Port(number, "free")
    except OSError as error:
        # Windows keeps whole ranges for its virtual machines.
        return Port(number, "reserved" if error.errno in {errno.EACCES, 10013} else "used")


# --- Docker ----------------------------------------------------------------------------------------------------------


def endpoint() -> str:
    """Where the `docker` command looks for its engine: DOCKER_HOST, the current context's place, or the default."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    with suppress(Exception):
        current = (
            os.environ.get("DOCKER_CONTEXT")
            or json.loads((folder / "config.json").read_text("utf-8"))["currentContext"]
        )
        name = hashlib.sha256(str(current).encode()).hexdigest()
        meta = json.loads((folder / "contexts" / "meta" / name / "meta.json").read_text("utf-8"))
        return str(meta["Endpoints"]["docker"]["Host"])
    return "npipe:////./pipe/docker_engine" if os.name == "nt" else "unix:///var/run/docker.sock"


def _engine_at_a_glance() -> Engine:
    """Whether there is a command, and something where it would look. Ready means no more than that here."""
    if not which("docker"):
        return Engine()
    host = endpoint()
    state = "unseen" if _here(host) else "remote"
    with suppress(Exception):
        kind, _, place = host.partition("://")
        if kind == "unix":
            state = "stopped" if not Path(place).exists() else "ready" if os.access(place, os.W_OK) else "denied"
        elif kind == "npipe":
            state = "ready" if place.rpartition("/")[2] in os.listdir(r"\\.\pipe") else "stopped"  # noqa: PTH208
    return Engine(state=state, host=host)


def _here(host: str) -> bool:
    """Whether an engine's address is on this machine: a far one is not for exercises."""
    near = {"localhost", "127.0.0.1", "::1"}
    return host.startswith(("unix://", "npipe://")) or (urlsplit(host).hostname or "") in near


def _engine(seen: Engine) -> Engine:
    command = which("docker")
    if not command or seen.state == "remote":
        return seen
    answers = together(
        {what: partial(run, command, what, "--format", "{{json .}}") for what in ("info", "version")},
        PATIENCE + 0.5,
    )
    info, told = _json(answers.get("info")), " ".join(answers.get("info") or ())
    version = _json(answers.get("version"))
    if answers.get("info") is None:
        return replace(seen, state="silent")
    if "host" in info and "version" in info:  # the command is Podman's
        about = info["version"] if isinstance(info["version"], dict) else {}
        host = info["host"] if isinstance(info["host"], dict) else {}
        number = str(about.get("Version", ""))
        return Engine("ready", number, "Podman", _number(host.get("memTotal")), number, host=seen.host)
    client = str(_dig(version, "Client", "Version") or _dig(info, "ClientInfo", "Version") or "")
    raw = _dig(info, "ClientInfo", "Plugins")
    plugins = (
        {str(entry.get("Name")): str(entry.get("Version") or "") for entry in raw} if isinstance(raw, list) else {}
    )
    base = Engine(client=client, buildx=plugins.get("buildx", ""), compose=plugins.get("compose", ""), host=seen.host)
    if not info.get("ServerVersion"):
        problem = f"{told} {info.get('ServerErrors') or ''}".lower()
        return replace(base, state="denied" if "permission denied" in problem else "stopped")
    names = [str(part.get("Name")) for part in _dig(version, "Server", "Components") or [] if isinstance(part, dict)]
    system = str(info.get("OperatingSystem") or "")
    name = "Podman" if any("podman" in part.lower() for part in names) else ""
    return replace(
        base,
        state="windows" if info.get("OSType") == "windows" else "ready",
        version=str(info["ServerVersion"]),
        name=name or ("Docker Desktop" if "docker desktop" in system.lower() else "Docker Engine"),
        memory=_number(info.get("MemTotal")),
    )


def _json(answer: tuple[str, str] | None) -> dict[str, Any]:
    with suppress(Exception):
        data = json.loads(answer[0]) if answer else {}
        return data if isinstance(data, dict) else {}
    return {}


def _dig(data: Any, *keys: str) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


# --- Kubernetes ------------------------------------------------------------------------------------------------------


def contexts() -> dict[str, str]:
    """The contexts of the kubeconfig files, each with its server's address."""
    paths = os.environ.get("KUBECONFIG", "").split(os.pathsep) if os.environ.get("KUBECONFIG") else []
    servers: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for path in map(Path, paths or [str(Path.home() / ".kube" / "config")]):
        with suppress(Exception):
            if path.stat().st_size > 2_000_000:
                continue
            loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            config = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
            for entry in config.get("clusters") or []:
                servers.setdefault(str(entry["name"]), str(entry["cluster"]["server"]))
            for entry in config.get("contexts") or []:
                pairs.setdefault(str(entry["name"]), str(entry["context"]["cluster"]))
    return {name: servers.get(cluster, "") for name, cluster in pairs.items()}


def on_this_machine(context: str, server: str) -> bool:
    """Whether a context is a local cluster's, by its name and by its address; minikube's has a private one."""
    host = (urlsplit(server).hostname or "").lower()
    private = r"|192\.168\.|10\.|172\.(1[6-9]|2\d|3[01])\." if context == "minikube" else ""
    near = host in {"localhost", "::1", "kubernetes.docker.internal", "0.0.0.0"} or re.match(rf"127\.{private}", host)
    return bool(near and LOCAL_CONTEXT.match(context))


def _cluster_at_a_glance(context: str) -> Cluster:
    if not which("kubectl"):
        return Cluster(context=context)
    known: dict[str, str] = {}
    with suppress(Exception):
        known = contexts()
    local = tuple(name for name, server in known.items() if on_this_machine(name, server))
    state = "unnamed" if not context else "unknown" if context not in known else "unseen"
    return Cluster(state, context, local=local)


def _cluster(seen: Cluster) -> Cluster:
    """Ask the cluster that was named, and no other."""
    if seen.state != "unseen":
        return seen
    answer = run(which("kubectl"), "version", "--context", seen.context, "--request-timeout=2s", "-o", "json")
    version = str(_dig(_json(answer), "serverVersion", "gitVersion") or "")
    return replace(seen, state="ready" if version else "stopped", version=version)
