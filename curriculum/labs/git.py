"""Git's judges: a script of git commands is run on a prepared project, and the repository that it leaves is read."""

from __future__ import annotations

import configparser
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from curriculum.labs import judge
from curriculum.labs.backends.bash import Ran, Stage
from curriculum.labs.backends.git import Git, Repository
from curriculum.labs.lab import Lab
from curriculum.outcome import Finding

_ANSWER = "steps.sh"


def _prepared(lab: Lab, stage: Stage, script: str, *arguments: str) -> Repository:
    """Lay out an exercise's project with the script that was handed out for it."""
    stage.given(script)
    made = stage.script(script, *arguments)
    assert made.ok, made.err
    return Repository(stage, "project")


# --- the first history -----------------------------------------------------------------------------------------------

_SERVICE = ("README.md", "app.py", "model.json", "requirements.txt")
#: What must never be recorded, in whichever folder it lies.
_UNWANTED = (
    ".env",
    "sub/.env",
    "__pycache__/app.cpython-312.pyc",
    "sub/__pycache__/more.pyc",
    "data/raw.csv",
    "data/new.csv",
)
_WANTED = ("train.py", "sub/features.py", "model-2.json", "docs/data.md")


@judge("git-first-history")
def first_history(lab: Lab) -> Iterator[Finding]:
    lab.text(_ANSWER)
    git: Git | None = lab.backend("git")
    if git is None:
        return
    with git.stage(lab, _ANSWER) as stage:
        project = _prepared(lab, stage, "git-project.sh", "12")
        before = {name: (stage.folder / "project" / name).read_text() for name in _SERVICE}
        ran = stage.script(_ANSWER)
        where = project.git("rev-parse", "--show-prefix")
        head = project.commit("HEAD")
        if not where.ok or where.out.strip() or not head:
            fault = "no-commit" if where.ok and not where.out.strip() else "elsewhere" if where.ok else "no-repository"
            yield lab.found("tracked", False, found=ran.err.strip(), fault=fault, how="real")
            return
        yield from _recorded(lab, project, before, head)


def _recorded(lab: Lab, project: Repository, before: dict[str, str], head: str) -> Iterator[Finding]:
    missing = sorted({*_SERVICE, ".gitignore"} - set(project.files(head)))
    fault = "no-ignore-file" if missing == [".gitignore"] else "missing-files"
    yield lab.found("tracked", not missing, found=", ".join(missing), fault=fault, how="real")
    leaked = project.ever(".env")
    fault = "in-history" if ".env" not in project.files(head) else "in-head"
    yield lab.found(
        "secret-out", not leaked, found=_first_with(project, ".env") if leaked else "", fault=fault, how="real"
    )
    yield _ignored(lab, project)
    changes = _changes(project, before)
    yield _one_purpose(lab, project, changes, head)
    tag = lab.value("tag")
    tagged = project.commit(f"refs/tags/{tag}")
    as_it_was = bool(tagged) and {*_SERVICE} <= set(project.files(tagged)) and tagged not in changes
    fault = "late" if tagged else "missing"
    yield lab.found("tagged", as_it_was, found=_titled(project, tagged), expected=tag, fault=fault, how="real")
    status = project.status()
    fault = "untracked" if all(line.startswith("??") for line in status) else "modified"
    yield lab.found("clean", not status, found="\n".join(status), fault=fault, how="real")


def _first_with(project: Repository, name: str) -> str:
    commits = project.commits("--all", "--reverse")
    return next((_titled(project, commit) for commit in commits if name in project.files(commit)), name)


def _titled(project: Repository, commit: str) -> str:
    """A commit as people know it: the short hash and the first line of its message."""
    return project.git("log", "--max-count=1", "--format=%h %s", commit).out.strip() if commit else ""


def _ignored(lab: Lab, project: Repository) -> Finding:
    """Ask git which of some names it would ignore; most of them are not even there."""
    seen = [name for name in _UNWANTED if not _check_ignore(project, name)]
    lost = [name for name in _WANTED if _check_ignore(project, name)]
    fault = (
        "too-much"
        if lost and not seen
        else "one-folder-only"
        if seen and not {".env", "data/raw.csv"} & set(seen)
        else "not-ignored"
    )
    return lab.found("ignored", not seen and not lost, found=", ".join(seen or lost), fault=fault, how="real")


def _check_ignore(project: Repository, name: str) -> bool:
    return project.git("check-ignore", "--no-index", "--quiet", name).ok


def _changes(project: Repository, before: dict[str, str]) -> list[str]:
    """The commits in which the model or the README is not what it was in the beginning, the newest first."""
    found = []
    for commit in project.commits("HEAD"):
        texts = {name: project.text(commit, name) for name in ("model.json", "README.md")}
        if any(text and text != before[name] for name, text in texts.items()):
            found.append(commit)
    return found


def _one_purpose(lab: Lab, project: Repository, changes: list[str], head: str) -> Finding:
    version = _version(project.text(head, "model.json"))
    names = {commit: project.changed(commit) for commit in changes if project.changed(commit)}
    touched = sorted(name for files in names.values() for name in files)
    fault = ""
    if any({"model.json", "README.md"} <= set(files) for files in names.values()):
        fault = "together"
    elif version != lab.value("version") or touched.count("README.md") < 1:
        fault = "not-recorded"
    elif any(len(files) > 1 for files in names.values()):
        fault = "more-files"
    found = "\n".join(f"{_titled(project, commit)}: {', '.join(files)}" for commit, files in names.items())
    return lab.found("one-purpose", not fault, found=found, fault=fault, how="real")


def _version(text: str) -> str:
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(text)["version"])
    return ""


# --- a merge with a conflict -----------------------------------------------------------------------------------------


@judge("git-merge-conflict")
def merge_conflict(lab: Lab) -> Iterator[Finding]:
    lab.text(_ANSWER)
    git: Git | None = lab.backend("git")
    if git is None:
        return
    with git.stage(lab, _ANSWER) as stage:
        project = _prepared(lab, stage, "git-branches.sh", lab.value("mine"), lab.value("theirs"))
        retries, main = project.commit("retries"), project.commit("main")
        ran = stage.script(_ANSWER)
        yield from _merged(lab, project, retries, main, ran)


def _merged(lab: Lab, project: Repository, retries: str, main: str, ran: Ran) -> Iterator[Finding]:
    level, topic = lab.value("level"), project.commit(f"refs/heads/{lab.value('topic')}")
    log = _setting(project.text(topic, "settings.ini"), "service", "log") if topic else ""
    fault = "" if topic and log == level else "no-change" if topic else "no-branch"
    found = _titled(project, topic) or ", ".join(project.git("branch", "--format=%(refname:short)").lines)
    yield lab.found("own-branch", not fault, found=found, expected=lab.value("topic"), fault=fault, how="real")
    in_main = bool(topic) and project.contains("main", topic) and topic != main
    if not fault:
        yield lab.found("topic-merged", in_main, found=_graph(project), how="real")
    with_retries = project.contains("main", retries)
    unfinished = bool(project.commit("MERGE_HEAD"))
    if not with_retries:
        copied = "retries" in project.text("main", "settings.ini") or bool(project.text("main", "retry.py"))
        fault = "unfinished" if unfinished else "copied" if copied else "not-merged"
        yield lab.found("retries-merged", False, found=_graph(project), fault=fault, how="real")
        return
    yield lab.found("retries-merged", True, found=_graph(project), how="real")
    marked = _marked(project)
    yield lab.found("no-markers", not marked, found=", ".join(marked), how="real")
    if not marked:
        yield _resolved(lab, project)
        yield _nothing_lost(lab, project, level if in_main else "")
    status = project.status()
    yield lab.found("clean", not status and not unfinished, found="\n".join(status), how="real")


def _graph(project: Repository) -> str:
    return "\n".join(project.git("log", "--graph", "--format=%s", "--max-count=8", "main").out.splitlines()[:8])


def _settings(text: str) -> dict[str, dict[str, str]] | None:
    """The settings by section, or None for a file that cannot be read, such as one with a setting twice."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    return {section: dict(parser[section]) for section in parser.sections()}


def _setting(text: str, section: str, name: str) -> str:
    return (_settings(text) or {}).get(section, {}).get(name, "")


def _marked(project: Repository) -> list[str]:
    """The files of main with a conflict's markers in them."""
    marks = ("<<<<<<< ", ">>>>>>> ")
    return [
        name
        for name in project.files("main")
        if any(line.startswith(marks) for line in project.text("main", name).splitlines())
    ]


def _resolved(lab: Lab, project: Repository) -> Finding:
    text = project.text("main", "settings.ini")
    settings = _settings(text)
    calls = (settings or {}).get("calls", {})
    expected = {"timeout": lab.value("theirs"), "retries": "3", "backoff": "1"}
    fault = ""
    if settings is None:
        fault = "twice"
    elif "retries" not in calls:
        fault = "retries-lost"
    elif calls.get("timeout") != expected["timeout"]:
        fault = "other-timeout"
    wanted = "\n".join(f"{name} = {value}" for name, value in expected.items())
    return lab.found("resolved", calls == expected, found=text.strip(), expected=wanted, fault=fault, how="real")


def _nothing_lost(lab: Lab, project: Repository, level: str) -> Finding:
    """What was not in conflict is still there: the files of both sides, and the other settings."""
    expected = {"port": "8000", "workers": "2"} | ({"log": level} if level else {})
    service = (_settings(project.text("main", "settings.ini")) or {}).get("service")
    lost = [name for name in ("app.py", "CHANGES.md", "retry.py") if name not in project.files("main")]
    wrong = (
        [f"{name} = {service.get(name, '')}" for name in expected if service.get(name) != expected[name]]
        if service
        else []
    )
    fault = "files" if lost else "settings"
    return lab.found("nothing-lost", not lost and not wrong, found=", ".join(lost or wrong), fault=fault, how="real")


# --- undo without harm -----------------------------------------------------------------------------------------------


@judge("git-undo")
def undo(lab: Lab) -> Iterator[Finding]:
    lab.text(_ANSWER)
    git: Git | None = lab.backend("git")
    if git is None:
        return
    with git.stage(lab, _ANSWER) as stage:
        project = _prepared(lab, stage, "git-mishaps.sh", "58")
        folder = stage.folder / "project"
        published, lost = project.commit("origin/main"), project.commit("HEAD@{2}")
        kept = (folder / "README.md").read_text()
        texts = {"app.py": project.text("HEAD", "app.py"), "weights.json": project.text(lost, "weights.json")}
        texts["model.json"] = project.text(f"{published}~2", "model.json")
        ran = stage.script(_ANSWER)
        yield from _undone(lab, project, folder, published, kept, texts, ran)


def _undone(
    lab: Lab, project: Repository, folder: Path, published: str, kept: str, texts: dict[str, str], ran: Ran
) -> Iterator[Finding]:
    real: dict[str, Any] = {"how": "real"}
    app = _read(folder / "app.py")
    yield lab.found("restored", app == texts["app.py"], found=app.strip(), expected=texts["app.py"].strip(), **real)
    readme = _read(folder / "README.md")
    yield lab.found(
        "kept-work",
        readme == kept,
        found="".join(readme.strip().splitlines()[-1:]),
        expected=kept.splitlines()[-1],
        **real,
    )
    main = project.commit("main")
    if project.commit("REVERT_HEAD"):
        fault = "unfinished"
    elif "==" not in project.text(main, "requirements.txt"):
        fault = "later-lost"
    elif project.text(main, "model.json") != texts["model.json"]:
        fault = "still-there"
    else:
        fault = ""
    file = "requirements.txt" if fault == "later-lost" else "model.json"
    expected = "" if fault == "later-lost" else texts["model.json"].strip()
    yield lab.found(
        "reverted", not fault, found=project.text(main, file).strip(), expected=expected, fault=fault, **real
    )
    pushed = Repository(project.stage, "origin.git").commit("main")
    fault = "rewritten" if not project.contains(main, published) else ""
    if not fault and not project.contains(pushed, published):
        fault = "forced"
    yield lab.found("published-kept", not fault, found="" if not fault else _graph(project), fault=fault, **real)
    report = "report.sh" in project.files(main)
    if project.ever(".env"):
        fault = "in-history" if ".env" not in project.files(main) else "in-head"
    else:
        fault = "report-lost" if not report else "file-gone" if not (folder / ".env").is_file() else ""
    yield lab.found("local-redone", not fault, found=_graph(project) if fault else "", fault=fault, **real)
    rescue = project.commit("refs/heads/rescue")
    met = bool(rescue) and project.text(rescue, "weights.json") == texts["weights.json"]
    fault = "" if met else "other-commit" if rescue else "no-branch"
    yield lab.found("rescued", met, found=_titled(project, rescue) or ran.err.strip(), fault=fault, **real)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
    except OSError:
        return ""
