"""A Compose file as data: every short form written out. Pure; no program is started.

    compose = read_compose(lab)                    # raises AnswerError for what Compose could not read either
    service = compose.services["delivery-time"]
    service.ports                                  # Port: address, published, target
    service.depends_on                             # {"api": "service_healthy"}
    service.mounts, service.environment, service.healthcheck, service.memory …

`${NAME:-default}` is filled in from a `.env` beside the file, as Compose does it, never from this process's environment.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curriculum.errors import AnswerError
from curriculum.labs.dockerfile import Image

if TYPE_CHECKING:
    from curriculum.labs.lab import Lab

_UNITS = {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


@dataclass(frozen=True)
class Port:
    """A published port; `address` is empty when it is every address of the machine."""

    target: str
    published: str = ""
    address: str = ""
    protocol: str = "tcp"

    @property
    def loopback(self) -> bool:
        return self.address in {"localhost", "::1"} or self.address.startswith("127.")

    def __str__(self) -> str:
        return ":".join(part for part in (self.address, self.published, self.target) if part)


@dataclass(frozen=True)
class Mount:
    """What is mounted at `target`: a `volume` (with a name or, anonymous, without), a `bind` of a path, or a `tmpfs`."""

    type: str
    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Check:
    """A health check. `words` are a program's words, or one text for a shell when `is_list` is false."""

    words: tuple[str, ...]
    is_list: bool
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True)
class Service:
    """A service. `raw` is its part of the file, for what stands here nowhere else."""

    name: str
    raw: Mapping[str, Any]
    image: Image | None = None
    build: Mapping[str, Any] | None = None
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    depends_on: Mapping[str, str] = field(default_factory=dict)
    healthcheck: Check | None = None
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    user: str = ""
    read_only: bool = False
    tmpfs: tuple[str, ...] = ()
    cap_drop: frozenset[str] = frozenset()
    cap_add: frozenset[str] = frozenset()
    privileged: bool = False
    security_opt: tuple[str, ...] = ()
    memory: int = 0
    pids: int = 0


@dataclass(frozen=True)
class Compose:
    """A Compose file. `volumes` are the named volumes that it declares."""

    services: Mapping[str, Service]
    volumes: Mapping[str, Any]
    raw: Mapping[str, Any]


def read_compose(lab: Lab, file: str = "compose.yaml") -> Compose:
    """The Compose file of an answer. Raises AnswerError."""
    documents = lab.yaml(file)
    known = _env_file(lab.text(".env")) if lab.exists(".env") else {}
    return parse_compose(documents, file, known)


def parse_compose(documents: list[Any], file: str = "compose.yaml", known: Mapping[str, str] | None = None) -> Compose:
    """A Compose file from its YAML documents, of which there is one. Raises AnswerError."""
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise AnswerError("answer-syntax", file=file, line=1, problem="top-level object must be a mapping")
    raw = _filled(documents[0], known or {}, file)
    services = raw.get("services")
    if not isinstance(services, dict) or not services:
        raise AnswerError("answer-syntax", file=file, line=1, problem="services must be a mapping")
    found = {}
    for name, entry in services.items():
        if not isinstance(entry, dict):
            raise AnswerError("answer-syntax", file=file, line=1, problem=f"services.{name} must be a mapping")
        try:
            found[str(name)] = _service(str(name), _extended(entry, services))
        except (TypeError, ValueError, AttributeError) as error:
            raise AnswerError("answer-syntax", file=file, line=1, problem=f"services.{name}: {error}") from None
    volumes = raw.get("volumes")
    return Compose(found, volumes if isinstance(volumes, dict) else {}, raw)


def _service(name: str, raw: Mapping[str, Any]) -> Service:
    build = raw.get("build")
    limits = _at(raw, "deploy", "resources", "limits")
    image = raw.get("image")
    return Service(
        name,
        raw,
        image=Image.of(str(image)) if image else None,
        build={"context": build} if isinstance(build, str) else build if isinstance(build, dict) else None,
        ports=tuple(port for entry in _list(raw.get("ports")) for port in _ports(entry)),
        mounts=tuple(_mount(entry) for entry in _list(raw.get("volumes"))),
        environment=pairs(raw.get("environment")),
        depends_on=_depends_on(raw.get("depends_on")),
        healthcheck=_check(raw.get("healthcheck")),
        command=words(raw.get("command")),
        entrypoint=words(raw.get("entrypoint")),
        user=str(raw.get("user", "")),
        read_only=_true(raw.get("read_only")),
        tmpfs=tuple(map(str, _list(raw.get("tmpfs")))),
        cap_drop=frozenset(str(entry).upper().removeprefix("CAP_") for entry in _list(raw.get("cap_drop"))),
        cap_add=frozenset(str(entry).upper().removeprefix("CAP_") for entry in _list(raw.get("cap_add"))),
        privileged=_true(raw.get("privileged")),
        security_opt=tuple(str(entry).replace("=", ":") for entry in _list(raw.get("security_opt"))),
        memory=size(raw.get("mem_limit") or limits.get("memory")),
        pids=int(raw.get("pids_limit") or limits.get("pids") or 0),
    )


def size(value: Any) -> int:
    """A size as Compose writes it, in bytes: `128m`, `0.5gb`, 134217728; 0 for none."""
    text = str(value or "0").strip().lower().removesuffix("ib").removesuffix("b") or "0"
    unit = text[-1] if text[-1] in _UNITS else ""
    return int(float(text.removesuffix(unit) or 0) * _UNITS.get(unit, 1))


def pairs(value: Any) -> dict[str, str]:
    """A mapping that may also be written as a list of `NAME=value`; a name without a value is empty."""
    if isinstance(value, dict):
        return {str(key): _word(entry) for key, entry in value.items()}
    return {key: rest for key, _, rest in (str(entry).partition("=") for entry in _list(value))}


def words(value: Any) -> tuple[str, ...]:
    """A command: a list of words, or one text that is split as a shell would split it."""
    if isinstance(value, str):
        return tuple(shlex.split(value))
    return tuple(_word(entry) for entry in _list(value))


def _ports(entry: Any) -> list[Port]:
    if isinstance(entry, dict):
        published = entry.get("published")
        port = Port(
            str(entry.get("target", "")),
            "" if published is None else str(published),
            str(entry.get("host_ip", "")),
            str(entry.get("protocol", "tcp")),
        )
        return [port]
    text, _, protocol = str(entry).partition("/")
    address = ""
    if text.startswith("["):
        address, _, text = text[1:].partition("]:")
    parts = text.split(":")
    if len(parts) > 3:
        raise ValueError(f"invalid port {entry!r}")
    if len(parts) == 3:
        address = parts[0]
    return [Port(parts[-1], parts[-2] if len(parts) > 1 else "", address, protocol or "tcp")]


def _mount(entry: Any) -> Mount:
    if isinstance(entry, dict):
        kind = str(entry.get("type", "volume"))
        return Mount(kind, str(entry.get("source", "")), str(entry.get("target", "")), _true(entry.get("read_only")))
    parts = str(entry).split(":")
    if len(parts[0]) == 1 and parts[0].isalpha() and len(parts) > 1 and parts[1][:1] in {"\\", "/"}:
        parts = [f"{parts[0]}:{parts[1]}", *parts[2:]]  # C:\folder
    if len(parts) == 1:
        return Mount("volume", "", parts[0])
    options = parts[2].split(",") if len(parts) > 2 else []
    is_path = parts[0].startswith((".", "/", "~")) or ":" in parts[0]
    return Mount("bind" if is_path else "volume", parts[0], parts[1], "ro" in options)


def _depends_on(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return {
            str(name): str((entry or {}).get("condition", "service_started") if isinstance(entry, dict) else entry)
            for name, entry in value.items()
        }
    return {str(name): "service_started" for name in _list(value)}


def _check(value: Any) -> Check | None:
    if not isinstance(value, dict) or _true(value.get("disable")):
        return None
    test = value.get("test")
    options = {key: entry for key, entry in value.items() if key != "test"}
    if isinstance(test, str):
        return Check((test,), False, options)
    parts = [str(entry) for entry in _list(test)]
    if not parts or parts[0] == "NONE":
        return None
    return Check(tuple(parts[1:]), parts[0] == "CMD", options)


def _extended(entry: Mapping[str, Any], services: Mapping[str, Any]) -> Mapping[str, Any]:
    """A service with what it takes over from another of the same file."""
    other = entry.get("extends")
    name = other.get("service") if isinstance(other, dict) and not other.get("file") else other
    below = services.get(name) if isinstance(name, str) else None
    if not isinstance(below, dict) or below is entry or "extends" in below:
        return entry
    merged = dict(below)
    for key, value in entry.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = {**old, **value}
        elif isinstance(old, list) and isinstance(value, list) and key not in {"command", "entrypoint"}:
            merged[key] = [*old, *value]
        else:
            merged[key] = value
    return merged


def _filled(value: Any, known: Mapping[str, str], file: str) -> Any:
    """Data with its variables filled in."""
    if isinstance(value, dict):
        return {key: _filled(entry, known, file) for key, entry in value.items()}
    if isinstance(value, list):
        return [_filled(entry, known, file) for entry in value]
    if isinstance(value, str) and "$" in value:
        from e2b_dockerfile_utils import ShellLex

        lex = ShellLex("\0", env=known, skip_process_quotes=True, skip_unset_env=False)
        try:
            return "$".join(lex.process_word(part) for part in value.split("$$"))
        except ValueError as error:
            raise AnswerError("answer-syntax", file=file, line=1, problem=f"invalid interpolation: {error}") from None
    return value


def _env_file(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            found[name.removeprefix("export ").strip()] = value.strip().strip("'\"")
    return found


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _at(value: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """The mapping under a path of keys; empty where there is none."""
    found: Any = value
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _true(value: Any) -> bool:
    return str(value).lower() == "true"


def _word(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
