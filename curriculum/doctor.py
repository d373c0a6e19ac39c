"""What a machine can and cannot do for a learner: facts and exercises in, conclusions and advice out.

`examine` is pure: it takes the facts that `curriculum.machine` found. `picture` puts its report into words.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from curriculum.catalog import Catalog
from curriculum.machine import GB, Machine, glance, look
from curriculum.messages import say
from curriculum.model import Story, words
from curriculum.personal import values_of
from curriculum.roadmap import long_date
from curriculum.routes import RIGHTS, Install, Part, Route, load_install
from curriculum.snapshot import ALIGNED, Picture, framed, inline
from curriculum.template import Section, Template

#: From this many GB on memory is no topic, below that much free disk is one.
_ENOUGH_MEMORY, _ENOUGH_DISK = 9, 10 * GB
#: A Docker engine with less than this many bytes is too small for a kind cluster.
_KIND_MEMORY = 3_500_000_000
#: The answers of `machine` for which installing would not help: the engine is there.
_THERE = frozenset({"stopped", "denied", "windows", "remote", "silent"})

Sentence = tuple[str, Mapping[str, object]]


@dataclass(frozen=True)
class Wanted:
    """An exercise that a learner will meet. `ports` are their own."""

    slug: str
    title: Mapping[str, str]
    tool: str
    tool_title: Mapping[str, str]
    level: str
    backend: str = ""
    criteria: int = 0
    live: int = 0
    ports: tuple[int, ...] = ()


@dataclass(frozen=True)
class Standing:
    """How a part stands here. `absent` are the programs or packages that are not there."""

    part: Part
    ready: bool
    version: str = ""
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """How an exercise is judged here: `real`, `files` (whole, from its files), or `partly` until a part is there.

    Its live criteria wait for the parts in `waits`, some of the others for those in `lacks`.
    """

    exercise: Wanted
    how: str
    waits: tuple[Part, ...] = ()
    lacks: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Offer:
    """A route to a part that is missing, ready to be pasted. `against`: this machine has too little memory for it."""

    route: Route
    rights: str
    commands: tuple[str, ...]
    requires: tuple[str, ...] = ()
    against: bool = False


@dataclass(frozen=True)
class Report:
    """Everything that there is to say."""

    machine: Machine
    install: Install
    standings: tuple[Standing, ...]
    verdicts: tuple[Verdict, ...]
    offers: tuple[tuple[Part, tuple[Offer, ...]], ...]
    elsewhere: tuple[Route, ...]
    advice: tuple[Sentence, ...]

    def count(self, how: str) -> int:
        return sum(verdict.how == how for verdict in self.verdicts)


# --- what is wanted --------------------------------------------------------------------------------------------------


def all_exercises(catalog: Catalog) -> list[Wanted]:
    """Every exercise of the catalogue, with the values of a template."""
    return exercises_of((catalog.exercise(slug) for slug, _ in catalog.exercises()), catalog, "", catalog.story())


def exercises_of(sections: Iterable[Section], catalog: Catalog, study: str, story: Story) -> list[Wanted]:
    """The exercises of these sections, each once, with the ports that a study has drawn."""
    found = {section.name: section for section in sections}
    templates = {tool: catalog.template(tool) for tool in {section.tool for section in found.values()}}
    return [
        _wanted(section, template, study, story) for section in found.values() if (template := templates[section.tool])
    ]


def _wanted(section: Section, template: Template, study: str, story: Story) -> Wanted:
    exercise = section.content
    values = values_of(study, exercise, story)
    return Wanted(
        slug=section.name,
        title=exercise.title,
        tool=section.tool,
        tool_title=template.front.title,
        level=exercise.level,
        backend=exercise.backend or "",
        criteria=len(exercise.rubric),
        live=sum(criterion.live for criterion in exercise.rubric.values()),
        ports=tuple(
            int(values[name]) for name in exercise.values if name.endswith("port") and values[name].isdecimal()
        ),
    )


# --- conclusions -----------------------------------------------------------------------------------------------------


def diagnose(
    catalog: Catalog, wanted: Sequence[Wanted], folder: Path, context: str = "", *, quick: bool = False
) -> Report:
    """Look at this machine and conclude. With `quick` no program is started. Raises ContentError."""
    install = load_install(catalog)
    names = {"programs": [*install.programs(), "colima", "podman"], "packages": install.packages()}
    if quick:
        return examine(install, wanted, glance(folder=folder, context=context, **names))
    ports = [port for exercise in wanted for port in exercise.ports]
    return examine(install, wanted, look(folder=folder, context=context, ports=ports, **names))


class Study(Protocol):
    """What of a session matters here."""

    folder: Path

    @property
    def catalog(self) -> Catalog: ...
    @property
    def study(self) -> str: ...
    @property
    def story(self) -> Story: ...
    @property
    def contexts(self) -> Mapping[str, str]: ...
    def exercises(self) -> Iterable[Section]: ...


def of_session(session: Study, *, quick: bool = False) -> Report:
    """Look at this machine with the eyes of a study: its exercises, its ports, the cluster that it may use.

    Raises CurriculumError.
    """
    wanted = exercises_of(session.exercises(), session.catalog, session.study, session.story)
    return diagnose(session.catalog, wanted, session.folder, session.contexts.get("kubernetes", ""), quick=quick)


def examine(install: Install, wanted: Sequence[Wanted], machine: Machine) -> Report:
    """What the facts mean for the exercises that are wanted."""
    tools = {exercise.tool for exercise in wanted} | {exercise.backend for exercise in wanted}
    slugs = {exercise.slug for exercise in wanted}
    parts = [part for part in install.parts if _is_wanted(part, tools, slugs)]
    standings = [_standing(part, machine) for part in parts]
    absent = [standing.part for standing in standings if not standing.ready]
    verdicts = [_verdict(exercise, absent) for exercise in wanted]
    offered = [part for part in absent if not (part.probe == "docker" and machine.engine.state in _THERE)]
    offered = [part for part in offered if part.probe != "kubernetes" or not machine.cluster.local]
    offers = [(part, tuple(_offers(part, install, machine))) for part in offered]
    hard = any(part.probe for part in offered)
    return Report(
        machine=machine,
        install=install,
        standings=tuple(standings),
        verdicts=tuple(verdicts),
        offers=tuple((part, routes) for part, routes in offers if routes),
        elsewhere=tuple(r for r in install.elsewhere if hard and machine.systems & set(r.systems)),
        advice=tuple(_advice(machine, wanted, [part for part, routes in offers if routes], absent, offers)),
    )


def _is_wanted(part: Part, tools: set[str], exercises: set[str]) -> bool:
    if part.exercises and not exercises & set(part.exercises):
        return False
    return part.always or not part.tools or bool(tools & set(part.tools))


def _standing(part: Part, machine: Machine) -> Standing:
    if part.probe == "docker":
        return Standing(part, machine.engine.state == "ready", machine.engine.version)
    if part.probe == "kubernetes":
        # What only a glance saw is believed until someone asks it.
        return Standing(part, machine.cluster.state in {"ready", "unseen"}, machine.cluster.version)
    absent = [entry.partition("|")[0] for entry in part.programs if not any(map(machine.has, entry.split("|")))]
    absent += [name for name in part.packages if name not in machine.packages]
    versions = [machine.packages.get(name, "") for name in part.packages]
    versions += [
        machine.programs[name].version for entry in part.programs for name in entry.split("|") if machine.has(name)
    ]
    return Standing(part, not absent, next(filter(None, versions), ""), tuple(absent))


def _verdict(exercise: Wanted, absent: Iterable[Part]) -> Verdict:
    mine = [part for part in absent if not part.exercises or exercise.slug in part.exercises]
    waits = [part for part in mine if part.use == "real" and exercise.backend in part.tools] if exercise.live else []
    lacks = [part for part in mine if part.use == "files" and exercise.tool in part.tools]
    how = "partly" if waits or (lacks and not exercise.live) else "real" if exercise.live else "files"
    return Verdict(exercise, how, tuple(waits), tuple(lacks))


def _offers(part: Part, install: Install, machine: Machine) -> list[Offer]:
    """The routes to a part on this machine: those that it can carry first, then those that need the fewest rights."""
    offers = []
    for route in part.routes:
        if not machine.systems & set(route.systems):
            continue
        requires = tuple(name for name in route.requires if not machine.has(name))
        # Installing Homebrew asks for an administrator's password.
        rights = "once" if "brew" in requires and route.rights == "none" else route.rights
        commands = tuple(_filled(command, part, install, machine) for command in route.commands)
        offers.append(Offer(route, rights, commands, requires, nominal(machine) < route.machine))
    if any(offer.commands for offer in offers):
        offers = [offer for offer in offers if offer.commands]
    return sorted(offers, key=lambda offer: (offer.against, RIGHTS.index(offer.rights)))


def _filled(command: str, part: Part, install: Install, machine: Machine) -> str:
    missing = [name for name in part.packages if name not in machine.packages]
    values = {
        "python": interpreter(machine),
        "pip": f"{interpreter(machine)} -m pip install",
        "missing": " ".join(missing),
        "bin": machine.bin,
        "arch": machine.architecture,
        **install.versions,
    }
    for name, value in values.items():
        command = command.replace(f"{{{name}}}", value)
    return command


def interpreter(machine: Machine) -> str:
    """This very Python as its shell wants it: PowerShell on Windows."""
    if machine.system != "windows":
        return shlex.quote(machine.executable)
    plain = not set(machine.executable) & set(" '&()[]{};,`$")
    return machine.executable if plain else "& '" + machine.executable.replace("'", "''") + "'"


def nominal(machine: Machine) -> float:
    """The memory that a machine was sold with, in GB: of 8, the system often shows 7.7. Infinite where it is unknown."""
    return math.ceil(machine.memory / 2**30 - 0.05) if machine.memory else math.inf


def _advice(
    machine: Machine,
    wanted: Sequence[Wanted],
    offered: Sequence[Part],
    absent: Sequence[Part],
    offers: Iterable[tuple[Part, Sequence[Offer]]],
) -> Iterator[Sentence]:
    docker = any("docker" in part.tools and part.probe == "docker" for part in absent)
    cluster = any(part.probe == "kubernetes" for part in absent)
    kubernetes = any(exercise.backend == "kubernetes" for exercise in wanted)
    containers = kubernetes or any(exercise.backend == "docker" for exercise in wanted)
    if machine.managed and any(part.packages for part in offered):
        yield "managed", {"command": f"`{interpreter(machine)} -m venv .venv`"}
    if docker:
        yield from _engine_advice(machine)
    elif containers and machine.engine.client and not machine.engine.buildx and machine.engine.name != "Podman":
        yield "no-buildx", {}
    if containers:
        yield from _memory_advice(machine, kubernetes and cluster)
        if machine.disk is not None and machine.disk < _ENOUGH_DISK:
            yield "disk-low", {"free": gigabytes(machine.disk)}
    if cluster:
        yield from _cluster_advice(machine)
    desktop = machine.engine.name == "Docker Desktop"
    if desktop or any("docker-desktop" in offer.route.id for _, routes in offers for offer in routes):
        yield "licence", {}
    if not machine.bin_on_path and any("{bin}" in c for part in offered for r in part.routes for c in r.commands):
        if machine.environment:
            yield "activate", {"bin": f"`{machine.bin}`", "command": f"`{_activate(machine)}`"}
        else:
            yield "bin-path", {"bin": f"`{machine.bin}`"}
    if offered:
        if machine.system == "windows":
            yield "powershell", {}
        yield "again", {}


def _activate(machine: Machine) -> str:
    if machine.system == "windows":
        return "& '" + machine.bin.replace("'", "''") + "\\Activate.ps1'"
    return f"source {shlex.quote(machine.bin + '/activate')}"


def _engine_advice(machine: Machine) -> Iterator[Sentence]:
    engine = machine.engine
    if engine.state == "stopped":
        if machine.system == "linux":
            key = "start-linux"
        elif machine.has("colima"):
            key = "start-colima"
        else:
            key = "start-podman" if machine.has("podman") else "start-desktop"
        yield key, {}
        if not engine.host.startswith(("unix:///var/run/", "npipe:////./pipe/docker_engine")) and engine.host:
            yield "host-set", {"host": f"`{engine.host}`"}
    elif engine.state == "denied":
        yield "denied", {}
    elif engine.state == "windows":
        yield "windows-containers", {}
    elif engine.state == "remote":
        yield "remote", {"host": f"`{engine.host}`"}
    elif engine.state == "silent":
        yield "silent", {}


def _cluster_advice(machine: Machine) -> Iterator[Sentence]:
    cluster = machine.cluster
    if cluster.state == "stopped":
        yield "start-cluster", {"context": f"`{cluster.context}`"}
    elif cluster.state == "unknown":
        yield "unknown-context", {"context": f"`{cluster.context}`"}
    elif cluster.local:
        names = [f"`{name}`" for name in cluster.local]
        yield "name-cluster", {"contexts": names, "command": f"`{_use(cluster.local[0])}`"}
    else:
        yield "name-new-cluster", {"command": f"`{_use('k3d-study')}`"}


def _use(context: str) -> str:
    return f'use("kubernetes", context="{context}")'


def _memory_advice(machine: Machine, cluster: bool) -> Iterator[Sentence]:
    memory = nominal(machine)
    virtual = machine.system in {"windows", "macos"}
    if memory < _ENOUGH_MEMORY:
        yield "small", {"memory": f"{memory:g}"}
        if cluster and virtual:
            yield "small-cluster", {"memory": f"{memory:g}"}
        if machine.system == "windows":
            yield "small-wsl", {"half": f"{memory / 2:g}"}
        if machine.system == "macos":
            yield "small-vm", {}
    engine = machine.engine
    if cluster and engine.state == "ready" and engine.memory and engine.memory < _KIND_MEMORY:
        yield "engine-small", {"memory": gigabytes(engine.memory, 2**30)}


def gigabytes(amount: int, unit: int = GB) -> str:
    """Bytes in GB, as people say it."""
    value = amount / unit
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


# --- in words --------------------------------------------------------------------------------------------------------


def glance_line(report: Report, lang: str) -> str:
    """One or two sentences for Start, of a quick report: which tools seem to be there. Empty where no exercise wants any."""
    backends = dict.fromkeys(verdict.exercise.backend for verdict in report.verdicts if verdict.exercise.live)
    wanted = {name: [s for s in report.standings if s.part.use == "real" and name in s.part.tools] for name in backends}
    ready = [_main(name, parts, lang) for name, parts in wanted.items() if parts and all(s.ready for s in parts)]
    missing = [words(s.part.title, lang) for parts in wanted.values() for s in parts if not s.ready]
    if not ready and not missing:
        return ""
    key = "all" if not missing else "some" if ready else "none"
    return say(lang, f"doctor.start-{key}", ready=ready, missing=list(dict.fromkeys(missing)))


def _main(backend: str, parts: Sequence[Standing], lang: str) -> str:
    """What a backend is called: as its part is, of several the one that stands for it."""
    part = next((s.part for s in parts if backend in {s.part.part, s.part.probe}), parts[0].part)
    return words(part.title, lang)


def summary(report: Report, lang: str) -> str:
    """The report in one sentence."""
    if not report.verdicts:
        return say(lang, "doctor.no-exercises")
    real, files, partly = (report.count(how) for how in ("real", "files", "partly"))
    return say(
        lang,
        "doctor.summary" if partly else "doctor.summary-all",
        all=len(report.verdicts),
        real=real,
        files=files,
        partly=partly,
    )


def facts(machine: Machine, lang: str) -> list[tuple[str, str]]:
    """Names and values of what the machine is."""
    unknown = say(lang, "doctor.unknown")
    memory = unknown
    if machine.memory:
        total = f"{nominal(machine):g}"
        memory = say(lang, "doctor.memory", total=total)
        if machine.available is not None:
            memory = say(lang, "doctor.memory-free", total=total, free=gigabytes(machine.available, 2**30))
    system = (
        say(lang, "doctor.in-wsl", system=machine.release)
        if machine.wsl and machine.system == "linux"
        else machine.release
    )
    found = {
        "system": system or unknown,
        "python": f"{machine.python} (`{machine.executable}`)",
        "memory": memory,
        "disk": unknown if machine.disk is None else say(lang, "doctor.disk-free", free=gigabytes(machine.disk)),
        "cores": str(machine.cores),
        "rights": say(lang, f"doctor.rights-{machine.rights}"),
    }
    if machine.system == "windows":
        there = "with" if machine.distributions else "there" if machine.wsl else "missing"
        found["wsl"] = say(lang, f"doctor.wsl-{there}", names=list(machine.distributions))
    return [(say(lang, f"doctor.fact-{name}"), value) for name, value in found.items()]


def state(standing: Standing, machine: Machine, lang: str) -> str:
    """How a part stands, in words."""
    part = standing.part
    if part.probe == "docker":
        return _engine_words(machine, lang)
    if part.probe == "kubernetes":
        cluster = machine.cluster
        return say(lang, f"doctor.cluster-{cluster.state}", context=cluster.context, version=cluster.version)
    if standing.ready:
        version = standing.version
        return say(lang, "doctor.ready-version", version=version) if version else say(lang, "doctor.ready")
    whole = len(standing.absent) == len(part.programs) + len(part.packages) == 1
    return say(lang, "doctor.missing" if whole else "doctor.missing-some", names=list(standing.absent))


def _engine_words(machine: Machine, lang: str) -> str:
    engine = machine.engine
    if engine.state == "missing":
        return say(lang, "doctor.missing")
    if engine.state != "ready":
        return say(lang, f"doctor.docker-{engine.state}")
    about = say(lang, "doctor.docker-ready", name=engine.name, version=engine.version).strip()
    if engine.memory and engine.memory < 0.9 * (machine.memory or 0):
        about = say(lang, "doctor.docker-memory", about=about, memory=gigabytes(engine.memory, 2**30))
    if engine.name == "Podman" and not engine.buildx and not engine.compose:
        return about
    none = say(lang, "doctor.plugin-missing")
    return say(lang, "doctor.docker-plugins", about=about, buildx=engine.buildx or none, compose=engine.compose or none)


def how(verdict: Verdict, lang: str) -> str:
    """How an exercise is judged here, in words."""
    exercise = verdict.exercise
    waits, lacks = ([words(part.title, lang) for part in parts] for parts in (verdict.waits, verdict.lacks))
    if waits:
        files = exercise.criteria - exercise.live
        told = say(lang, "doctor.how-partly", files=files, all=exercise.criteria, missing=waits)
    else:
        told = say(lang, "doctor.how-some" if verdict.how == "partly" else f"doctor.how-{verdict.how}")
    return say(lang, "doctor.how-lacking", how=told, missing=lacks) if lacks else told


def pip_line(report: Report) -> str:
    """One line that installs every Python package that is missing; empty where there are not several parts of them."""
    parts = [part for part, _ in report.offers if part.packages]
    named = dict.fromkeys(name for part in parts for name in part.packages)
    missing = [name for name in named if name not in report.machine.packages]
    return f"{interpreter(report.machine)} -m pip install {' '.join(missing)}" if len(parts) > 1 else ""


def costs(offer: Offer, machine: Machine, lang: str) -> str:
    """What a route needs and takes, in words."""
    route = offer.route
    parts = [say(lang, f"doctor.rights-needed-{offer.rights}")]
    if route.memory:
        parts.append(say(lang, "doctor.cost-memory", gb=f"{route.memory:g}"))
    if route.disk:
        parts.append(say(lang, "doctor.cost-disk", gb=f"{route.disk:g}"))
    if offer.requires:
        named = {
            "brew": "Homebrew (https://brew.sh)",
            "winget": "winget (https://aka.ms/getwinget)",
            "docker": "Docker",
        }
        parts.append(say(lang, "doctor.requires", programs=[named.get(name, name) for name in offer.requires]))
    if offer.against:
        parts.append(say(lang, "doctor.against", memory=f"{nominal(machine):g}"))
    return say(lang, "doctor.costs-comma").join(parts)


def ports(report: Report, lang: str) -> list[str]:
    """A sentence for each port of the exercises."""
    lines = []
    for port in report.machine.ports:
        titles = [words(v.exercise.title, lang) for v in report.verdicts if port.number in v.exercise.ports]
        lines.append(say(lang, f"doctor.port-{port.state}", port=port.number, exercises=titles))
    return lines


# --- the picture -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A piece of the page.

    `kind`: line, link (a line with the address in its row), table (rows, the first its head), items, code, fold (blocks
    below a title).
    """

    kind: str
    text: str = ""
    rows: Sequence[tuple[str, ...]] = ()
    blocks: tuple[Block, ...] = ()
    unfolded: bool = False


def picture(report: Report, lang: str, *, uid: str) -> Picture:
    """The report as HTML, Markdown and text that say the same."""
    blocks = list(page(report, lang))
    return Picture(
        framed("".join(map(_html, blocks)), lang, uid),
        "\n\n".join(map(_markdown, blocks)),
        "\n".join(line for block in blocks for line in _text(block, "")),
    )


def page(report: Report, lang: str) -> Iterator[Block]:
    """What is said, from what matters first to what can be looked up."""
    machine = report.machine

    def titled(key: str, *blocks: Block, unfolded: bool = False, **params: object) -> Block:
        return Block("fold", say(lang, f"doctor.{key}", **params), blocks=blocks, unfolded=unfolded)

    yield Block("line", f"**{summary(report, lang)}**")
    if report.count("partly"):
        yield Block("line", say(lang, "doctor.not-blocked"))
    yield titled("parts", Block("table", rows=_part_rows(report, lang)), unfolded=True)
    if report.advice:
        told = tuple((say(lang, f"doctor.{key}", **params),) for key, params in report.advice)
        yield titled("advice", Block("items", rows=told), unfolded=True)
    if line := pip_line(report):
        yield titled("pip-all", Block("code", line), unfolded=True)
    for part, offers in report.offers:
        routes = [block for offer in offers for block in _offer_blocks(offer, report, lang)]
        yield titled("install-part", *routes, part=words(part.title, lang))
    if report.elsewhere:
        lines = [block for route in report.elsewhere for block in _route_blocks(route, lang)]
        yield titled("elsewhere", *lines)
    for tool, group in groupby(report.verdicts, key=lambda verdict: verdict.exercise.tool):
        verdicts = list(group)
        rows = tuple(
            (words(v.exercise.title, lang), say(lang, f"level.{v.exercise.level}"), how(v, lang)) for v in verdicts
        )
        head = tuple(say(lang, f"doctor.column-{name}") for name in ("exercise", "level", "how"))
        title = words(verdicts[0].exercise.tool_title, lang) or tool
        yield titled("exercises-of", Block("table", rows=(head, *rows)), tool=title)
    if lines_ := ports(report, lang):
        taken = any(port.state != "free" for port in machine.ports)
        yield titled("ports", Block("items", rows=tuple((line,) for line in lines_)), unfolded=taken)
    told = tuple((say(lang, "doctor.fact", name=name, value=value),) for name, value in facts(machine, lang))
    yield titled("machine", Block("items", rows=told))
    yield Block("line", say(lang, "doctor.checked", date=long_date(report.install.checked, lang)))


def _part_rows(report: Report, lang: str) -> tuple[tuple[str, ...], ...]:
    head = tuple(say(lang, f"doctor.column-{name}") for name in ("part", "state", "why"))
    rows = []
    for standing in report.standings:
        sign = "✅" if standing.ready else "⬜"
        name = f"{sign} {words(standing.part.title, lang)}"
        rows.append((name, state(standing, report.machine, lang), words(standing.part.why, lang)))
    return (head, *rows)


def _offer_blocks(offer: Offer, report: Report, lang: str) -> Iterator[Block]:
    title = words(offer.route.title, lang)
    yield Block("line", say(lang, "doctor.route", title=title, costs=costs(offer, report.machine, lang)))
    if offer.commands:
        yield Block("code", "\n".join(offer.commands))
    if offer.route.note:
        note = words(offer.route.note, lang)
        for name, version in report.install.versions.items():
            note = note.replace(f"{{{name}}}", version)
        yield Block("line", note)
    yield _source(offer.route, lang)


def _route_blocks(route: Route, lang: str) -> Iterator[Block]:
    yield Block("line", f"**{words(route.title, lang)}**")
    if route.note:
        yield Block("line", words(route.note, lang))
    yield _source(route, lang)


def _source(route: Route, lang: str) -> Block:
    return Block("link", say(lang, "doctor.source", url=route.source), rows=((route.source,),))


def _html(block: Block) -> str:
    match block.kind:
        case "line":
            return f"<p>{inline(block.text)}</p>"
        case "link":
            url = escape(block.rows[0][0])
            link = f'<a href="{url}">{url}</a>'
            return f"<p><small>{escape(block.text).replace(url, link)}</small></p>"
        case "code":
            return f"<pre><code>{escape(block.text)}</code></pre>"
        case "items":
            return "<ul>" + "".join(f"<li>{inline(row[0])}</li>" for row in block.rows) + "</ul>"
        case "table":
            head, *rows = block.rows
            columns = "".join(f'<th scope="col" {ALIGNED}>{inline(cell)}</th>' for cell in head)
            body = "".join(
                f'<tr><th scope="row" {ALIGNED}>{inline(row[0])}</th>'
                + "".join(f"<td {ALIGNED}>{inline(cell)}</td>" for cell in row[1:])
                + "</tr>"
                for row in rows
            )
            return f"<table><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>"
    inside = "".join(map(_html, block.blocks))
    opened = " open" if block.unfolded else ""
    return f"<details{opened}><summary><strong>{inline(block.text)}</strong></summary>{inside}</details>"


def _markdown(block: Block) -> str:
    match block.kind:
        case "line" | "link":
            return block.text
        case "code":
            return f"```\n{block.text}\n```"
        case "items":
            return "\n".join(f"- {row[0]}" for row in block.rows)
        case "table":
            head, *rows = (tuple(cell.replace("|", "\\|") for cell in row) for row in block.rows)
            lines = [f"| {' | '.join(head)} |", "|" + ":--|" * len(head)]
            return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
    return "\n\n".join([f"**{block.text}**", *map(_markdown, block.blocks)])


def _text(block: Block, indent: str) -> Iterator[str]:
    match block.kind:
        case "line" | "link":
            yield indent + _plain(block.text)
        case "code":
            yield from (f"{indent}    {line}" for line in block.text.splitlines())
        case "items":
            yield from (f"{indent}- {_plain(row[0])}" for row in block.rows)
        case "table":
            yield from (f"{indent}- {_plain(row[0])}: {_plain(' / '.join(row[1:]))}" for row in block.rows[1:])
        case _:
            yield ""
            yield f"{indent}{_plain(block.text)}"
            for inner in block.blocks:
                yield from _text(inner, f"{indent}  ")


def _plain(text: str) -> str:
    """A line of Markdown as plain text, with signs that every console has."""
    return text.replace("**", "").replace("`", "").replace("✅", "[x]").replace("⬜", "[ ]")


# --- data ------------------------------------------------------------------------------------------------------------


def as_dict(report: Report, lang: str) -> dict[str, Any]:
    """The report as plain data: what `--json` prints."""
    return {
        "summary": {
            "exercises": len(report.verdicts),
            **{name: report.count(name) for name in ("real", "files", "partly")},
            "message": summary(report, lang),
        },
        "machine": asdict(report.machine),
        "parts": [
            {
                "part": standing.part.part,
                "title": words(standing.part.title, lang),
                "use": standing.part.use,
                "tools": list(standing.part.tools),
                "ready": standing.ready,
                "version": standing.version,
                "absent": list(standing.absent),
                "message": state(standing, report.machine, lang),
            }
            for standing in report.standings
        ],
        "exercises": [
            {
                "exercise": verdict.exercise.slug,
                "tool": verdict.exercise.tool,
                "level": verdict.exercise.level,
                "backend": verdict.exercise.backend or None,
                "criteria": verdict.exercise.criteria,
                "live": verdict.exercise.live,
                "how": verdict.how,
                "missing": [part.part for part in (*verdict.waits, *verdict.lacks)],
                "ports": list(verdict.exercise.ports),
            }
            for verdict in report.verdicts
        ],
        "install": [
            {
                "part": part.part,
                "routes": [
                    {
                        "route": offer.route.id,
                        "title": words(offer.route.title, lang),
                        "rights": offer.rights,
                        "memory_gb": offer.route.memory,
                        "disk_gb": offer.route.disk,
                        "advised": not offer.against,
                        "requires": list(offer.requires),
                        "commands": list(offer.commands),
                        "source": offer.route.source,
                    }
                    for offer in offers
                ],
            }
            for part, offers in report.offers
        ],
        "pip": pip_line(report) or None,
        "advice": [{"key": key, "message": say(lang, f"doctor.{key}", **params)} for key, params in report.advice],
        "checked": report.install.checked.isoformat(),
    }
