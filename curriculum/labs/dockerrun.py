"""A `docker run` command as data, read from the text of a shell script. Pure; no program is started."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from curriculum.labs.compose import Mount, Port
from curriculum.labs.dockerfile import shell_commands

#: The flags of `docker run` that take no value; every other one takes the next word.
_SWITCHES = frozenset(
    [
        "detach",
        "d",
        "interactive",
        "i",
        "tty",
        "t",
        "rm",
        "init",
        "read-only",
        "privileged",
        "publish-all",
        "P",
        "oom-kill-disable",
        "no-healthcheck",
        "sig-proxy",
        "disable-content-trust",
        "quiet",
        "q",
        "help",
        "use-api-socket",
    ]
)
_LONG = {
    "d": "detach", "i": "interactive", "t": "tty", "p": "publish", "P": "publish-all", "v": "volume", "e": "env",
    "u": "user", "w": "workdir", "h": "hostname", "m": "memory", "l": "label", "a": "attach", "c": "cpu-shares", "q": "quiet",
}  # fmt: skip


@dataclass(frozen=True)
class DockerRun:
    """`docker run FLAGS IMAGE COMMAND…`. `flags` are in the order in which they are written, by their long names."""

    flags: tuple[tuple[str, str], ...]
    image: str
    command: tuple[str, ...]

    def values(self, *names: str) -> tuple[str, ...]:
        return tuple(value for name, value in self.flags if name in names)

    def value(self, name: str) -> str:
        """The last value of a flag, which is the one that counts."""
        return (*("",), *self.values(name))[-1]

    def switched(self, name: str) -> bool:
        return self.value(name) == "true"

    @property
    def ports(self) -> tuple[Port, ...]:
        return tuple(_port(value) for value in self.values("publish"))

    @property
    def environment(self) -> Mapping[str, str]:
        return dict(value.partition("=")[::2] for value in self.values("env"))

    @property
    def mounts(self) -> tuple[Mount, ...]:
        return (*map(_volume, self.values("volume")), *map(_mount, self.values("mount")))


def read_docker_runs(script: str) -> list[DockerRun]:
    """The `docker run` commands of a script; variables that the script itself sets to a plain value are filled in.

    The ends of lines may be continued as sh, PowerShell or cmd continue them.
    """
    for mark in ("\\", "`", "^"):
        script = script.replace(f"{mark}\n", " ")
    found, known = [], dict[str, str]()
    for command in shell_commands(script):
        words = [_filled(word, known) for word in command]
        while words and words[0].partition("=")[0].isidentifier() and "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            known[name] = value
        if words and words[0] in {"sudo", "exec", "command"}:
            del words[0]
        if words[:2] == ["docker", "run"]:
            found.append(_parsed(words[2:]))
        elif words[:3] == ["docker", "container", "run"]:
            found.append(_parsed(words[3:]))
    return found


def _parsed(words: list[str]) -> DockerRun:
    flags: list[tuple[str, str]] = []
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if not equals:
                value = "true" if name in _SWITCHES else words.pop(0) if words else ""
            flags.append((_LONG.get(name, name), value))
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in _SWITCHES:
                flags.append((_LONG.get(letter, letter), "true"))
            else:
                value = letters.removeprefix("=") or (words.pop(0) if words else "")
                flags.append((_LONG.get(letter, letter), value))
                letters = ""
    return DockerRun(tuple(flags), words[0] if words else "", tuple(words[1:]))


def _port(text: str) -> Port:
    text, _, protocol = text.partition("/")
    address = ""
    if text.startswith("["):
        address, _, text = text[1:].partition("]:")
    parts = text.split(":")
    if len(parts) == 3:
        address = parts[0]
    return Port(parts[-1], parts[-2] if len(parts) > 1 else "", address, protocol or "tcp")


def _volume(text: str) -> Mount:
    parts = text.split(":")
    if len(parts[0]) == 1 and len(parts) > 1 and parts[1][:1] in {"\\", "/"}:
        parts = [f"{parts[0]}:{parts[1]}", *parts[2:]]  # C:\folder
    if len(parts) == 1:
        return Mount("volume", "", parts[0])
    named = parts[0][:1].isalnum() and ":" not in parts[0] and "/" not in parts[0]
    return Mount("volume" if named else "bind", parts[0], parts[1], "ro" in parts[2:])


def _mount(text: str) -> Mount:
    options = dict(part.partition("=")[::2] for part in text.split(","))
    source = options.get("source", options.get("src", ""))
    target = options.get("target", options.get("dst", options.get("destination", "")))
    return Mount(
        options.get("type", "volume"), source, target, options.get("readonly", options.get("ro", "no")) != "no"
    )


def _filled(word: str, known: Mapping[str, str]) -> str:
    for name, value in known.items():
        word = word.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return word


def quoted(words: tuple[str, ...]) -> str:
    """Words as a shell would read them again."""
    return shlex.join(words)
