"""The judge of `mlflow-tracking-server`: a server is started from the learner's files, used, and looked into."""

from __future__ import annotations

import ast
import base64
import configparser
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum.errors import AnswerError
from curriculum.labs import judge, process
from curriculum.labs.backends.mlflow import MLflow, can_serve
from curriculum.labs.lab import Lab, Reply, fetch, free_port, shortened
from curriculum.labs.mlflow_scene import parsed
from curriculum.outcome import Finding

#: What must come from the environment, not from a file.
_SECRETS = ("MLFLOW_AUTH_ADMIN_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY")
_LIVE = ("answers", "sign-in", "proxied", "in-store", "private")
#: A server takes some ten seconds to start, and a multiple on a slow machine.
_PATIENCE = 90


@judge("mlflow-tracking-server")
def tracking_server(lab: Lab) -> Iterator[Finding]:
    written = [*_typed(parsed(lab, "start.py")), *_configured(lab)]
    yield lab.found("no-secret", not written, found=", ".join(written), fault="written")
    mlflow = lab.backend("mlflow")
    if mlflow and not can_serve():
        lab.missing["mlflow"] = "no-server"
        yield from (lab.waits(criterion, "mlflow") for criterion in _LIVE)
    elif mlflow:
        yield from _started(lab, mlflow)


# --- what is written ---


def _configured(lab: Lab) -> Iterator[str]:
    """Passwords in the configuration of sign-in. Raises AnswerError where it is none."""
    config = configparser.ConfigParser(interpolation=None)
    try:
        config.read_string(lab.text("auth.ini"))
    except configparser.Error as error:
        raise AnswerError(
            "answer-syntax", file="auth.ini", line=getattr(error, "lineno", 1) or 1, problem=str(error).splitlines()[0]
        ) from None
    if any(config[section].get("admin_password", "").strip() for section in config.sections()):
        yield "admin_password"


def _typed(tree: ast.Module) -> Iterator[str]:
    """Secrets that are given a text in a script: in a dictionary, an assignment, a call or a keyword."""
    for node in ast.walk(tree):
        pairs: list[tuple[ast.AST | None, ast.AST]] = []
        if isinstance(node, ast.Dict):
            pairs = list(zip(node.keys, node.values, strict=True))
        elif isinstance(node, ast.Assign):
            pairs = [(target.slice, node.value) for target in node.targets if isinstance(target, ast.Subscript)]
        elif isinstance(node, ast.Call):
            pairs = [(node.args[0], node.args[1])] if len(node.args) > 1 else []
            pairs += [(ast.Constant(keyword.arg), keyword.value) for keyword in node.keywords]
        for key, value in pairs:
            if isinstance(key, ast.Constant) and key.value in _SECRETS and _text(value):
                yield str(key.value)


def _text(value: ast.AST) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str) and bool(value.value)


# --- what runs ---


@dataclass(frozen=True)
class _User:
    name: str
    password: str

    @property
    def header(self) -> dict[str, str]:
        pair = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}


@dataclass(frozen=True)
class _Server:
    address: str
    admin: _User

    def get(self, path: str, user: _User | None = None) -> Reply:
        return fetch(f"{self.address}/api/2.0/mlflow/{path}", timeout=15, headers=user.header if user else None)

    def post(self, path: str, body: Any, user: _User) -> Reply:
        return fetch(f"{self.address}/api/2.0/mlflow/{path}", body, timeout=15, headers=user.header)


def _started(lab: Lab, mlflow: MLflow) -> Iterator[Finding]:
    port = free_port()
    server = _Server(f"http://127.0.0.1:{port}", _User("admin", secrets.token_urlsafe(18)))
    env = {
        "PORT": str(port),
        # Where an answer leaves the number of processes open, one will do here.
        "MLFLOW_WORKERS": "1",
        "MLFLOW_AUTH_ADMIN_PASSWORD": server.admin.password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(18),
    }
    lab.tell("lab.mlflow-server-starts")
    mlflow.warm()
    with lab.scratch() as folder, process.serving([sys.executable, "start.py"], folder=folder, env=env) as service:
        ready = _wait(server, service)
        last = next((line.strip() for line in reversed(service.log.splitlines()) if line.strip()), "")
        yield lab.found(
            "answers",
            ready,
            found="" if ready else shortened(last, 200),
            expected=f"GET /health: 200, PORT={port}",
            fault="silent" if service.running else "ended",
            how="real",
        )
        if ready:
            yield from _used(lab, mlflow, server, folder)


def _wait(server: _Server, service: process.Service) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and service.running:
        if fetch(f"{server.address}/health", timeout=2).ok:
            return True
        if "Application startup complete" in service.log:
            # It is up, and if not here, then elsewhere.
            deadline = min(deadline, time.monotonic() + 5)
        time.sleep(0.2)
    return False


def _used(lab: Lab, mlflow: MLflow, server: _Server, folder: Path) -> Iterator[Finding]:
    """What two users meet, and what is left in the folder."""
    search = "experiments/search?max_results=1"
    stranger, admin = server.get(search).status, server.get(search, server.admin).status
    yield lab.found(
        "sign-in",
        stranger == 401 and admin == 200,
        found=f"-: {stranger}, admin: {admin}",
        expected="-: 401, admin: 200",
        fault="open" if stranger != 401 else "other-password",
        how="real",
    )
    users = [_User(f"{name}-{secrets.token_hex(4)}", secrets.token_urlsafe(12)) for name in ("trainer", "reader")]
    guarded = all(
        server.post("users/create", {"username": user.name, "password": user.password}, server.admin).ok
        for user in users
    )
    if stranger == 401 and not guarded:
        return
    trainer, reader = users
    note = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="curriculum-client-") as client:
        visit = mlflow.ask(
            "visit",
            folder=Path(client),
            address=server.address,
            experiment=lab.value("delivery-time"),
            user=trainer.name,
            password=trainer.password,
            note=note,
        )
    place = visit.data["place"] if visit.ok else ""
    proxied = place.startswith("mlflow-artifacts:")
    yield lab.found(
        "proxied",
        proxied,
        found=place or shortened(visit.problem, 200),
        expected="mlflow-artifacts:/",
        fault="direct" if place else "refused",
        how="real",
    )
    if not visit.ok:
        return
    kept = {"database": visit.data["run"], **({"files": note} if proxied else {})}
    # The database of runs knows the trainer's name too; the reader has an account and nothing else.
    kept |= {"accounts": reader.name} if guarded else {}
    lost = [what for what, text in kept.items() if not _holding(folder / "store", text, files=what == "files")]
    yield lab.found(
        "in-store",
        not lost,
        found=", ".join(
            path.relative_to(folder).as_posix()
            for what in lost
            for path in _holding(folder, kept[what], files=what == "files")
        ),
        expected="store/",
        fault=lost[0] if lost else "",
        how="real",
    )
    if guarded:
        seen = server.get(f"runs/get?run_id={visit.data['run']}", reader).status
        yield lab.found("private", seen in (401, 403, 404), found=seen, expected=403, fault="open", how="real")


def _holding(place: Path, text: str, *, files: bool) -> list[Path]:
    """The files of a folder in which a text stands: databases, or else `files` of any kind."""
    found = (path for path in sorted(place.rglob("*")) if path.is_file() and not path.is_symlink())
    return [path for path in found if (files or _database(path)) and text.encode() in path.read_bytes()]


def _database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(15) == b"SQLite format 3" or path.name.endswith(("-wal", "-journal"))
