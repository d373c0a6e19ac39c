"""The judge of a build that can be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from curriculum.errors import AnswerError
from curriculum.labs import judge
from curriculum.labs.docker.shared import (
    SYSTEM_INSTALLERS,
    engine,
    not_built,
    program,
    serves,
)
from curriculum.labs.dockerfile import (
    Dockerfile,
    Image,
    read_dockerfile,
)
from curriculum.labs.lab import Lab
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.docker import Build, Docker


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
    docker = engine(lab, dockerfile)
    if docker is None:
        return
    port = lab.value("port")
    with lab.scratch() as folder, docker.build(folder, cache=False) as first:
        if not first.ok:
            fault = "incomplete" if "hashes" in first.output.lower() else "build-failed"
            yield lab.found("answers", False, found=first.last, fault=fault, how="real")
            return
        with docker.container(first.id, ports=[int(port)]) as box:
            yield serves(lab, "answers", box, port)
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
    names = [program(word) for word in words]
    if {"curl", "wget"} & set(names[:2]):
        return "download"
    if SYSTEM_INSTALLERS & set(names[:2]) and {"install", "add", "upgrade", "dist-upgrade"} & set(words):
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
        return not_built(lab, "same-twice", second)
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
