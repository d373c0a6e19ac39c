"""What the exercises work with, and the routes to it on each system: the data of `templates/install.yaml`.

A part is something that must be there: a program, a Python package, an engine. A route is one way to get it, with what
it costs and the rights that it needs. A content pack may bring an `install.yaml` of its own, which stands over ours: a
school names its lab server there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Len

from curriculum.cache import cached
from curriculum.catalog import Catalog
from curriculum.errors import ContentError, Fault
from curriculum.model import Address, Slug, Text, content
from curriculum.source import load_text, parse_yaml, validated

System = Literal["windows", "macos", "linux", "debian", "ubuntu", "fedora"]
#: `none`: one's own account is enough; `once`: an administrator prepares the machine once; `admin`: installing needs one.
Rights = Literal["none", "once", "admin"]
RIGHTS = ("none", "once", "admin")
Gigabytes = Annotated[float, Ge(0)]


@content
class Route:
    """One way to get a part.

    `memory` is what it takes while it runs, `disk` what it takes for good, both in GB and as far as known. On a machine
    with less than `machine` GB it is advised against. `requires` names programs that must be there first. In commands,
    `{python}`, `{pip}`, `{missing}`, `{bin}`, `{arch}` and the names under `versions` are filled in.
    """

    id: Slug
    title: Text
    systems: Annotated[tuple[System, ...], Len(1)]
    rights: Rights
    requires: tuple[str, ...] = ()
    memory: Gigabytes | None = None
    machine: Gigabytes = 0
    disk: Gigabytes | None = None
    commands: tuple[str, ...] = ()
    note: Text | None = None
    source: Address


@content
class Part:
    """Something that exercises work with.

    `use`: `real` (criteria that run on the tool itself wait for it), `files` (some of the others do), `work` (none
    does). `tools` are those (tools or backends) whose exercises want it, `exercises` the only ones that do; none means
    all of them. One that is wanted `always` is looked for whatever is studied. It is there when its `probe` says so, or
    all its `programs` (alternatives with `|`) and `packages` are found.
    """

    part: Slug
    title: Text
    use: Literal["real", "files", "work"]
    tools: tuple[Slug, ...] = ()
    exercises: tuple[Slug, ...] = ()
    always: bool = False
    why: Text
    probe: Literal["docker", "kubernetes"] | None = None
    programs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    routes: Annotated[tuple[Route, ...], Len(1)]


@content
class Install:
    """All parts. `checked` is the day on which the routes were last compared with their sources."""

    format: int
    checked: dt.date
    versions: dict[str, str] = field(default_factory=dict)
    parts: Annotated[tuple[Part, ...], Len(1)]
    elsewhere: tuple[Route, ...] = ()

    def programs(self) -> list[str]:
        """Every program that a part or a route names."""
        named = (name for part in self.parts for name in (*alternatives(part.programs), *_required(part.routes)))
        return list(dict.fromkeys(["docker", "kubectl", *named]))

    def packages(self) -> list[str]:
        return list(dict.fromkeys(name for part in self.parts for name in part.packages))


def alternatives(programs: Iterable[str]) -> Iterator[str]:
    """Each of the programs that are named, alternatives too."""
    for entry in programs:
        yield from entry.split("|")


def _required(routes: Iterable[Route]) -> Iterator[str]:
    for route in routes:
        yield from route.requires


def load_install(catalog: Catalog) -> Install:
    """The parts and routes of the topmost pack that tells them. Raises ContentError when its file is at fault."""
    for pack in reversed(catalog.packs):
        path = pack.root / "templates" / "install.yaml"
        if path.is_file():
            return cached("install", path, lambda path=path: read_install(path))  # type: ignore[misc]
    raise ContentError([Fault("templates/install.yaml", "unreadable", params={"problem": "-"})])


def read_install(path: Path) -> Install:
    """Read and validate a file of parts and routes. Raises ContentError with every fault found."""
    file = f"templates/{path.name}"
    text, faults = load_text(path, file)
    if not faults:
        install, faults = validated(parse_yaml(text, file), Install, file, None)
    if faults:
        raise ContentError(faults)
    assert isinstance(install, Install)
    return install
