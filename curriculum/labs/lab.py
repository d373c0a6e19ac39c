"""What a judge works with: the answer's folder, the learner's values, and the tools it may ask for."""

from __future__ import annotations

import importlib
import json
import shutil
import socket
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from curriculum.errors import AnswerError
from curriculum.labs import process
from curriculum.outcome import Finding, How

#: A file of an answer that is larger than this many bytes is not read, nor a folder larger than that copied.
MOST_BYTES, MOST_FOLDER = 1_000_000, 50_000_000
#: A YAML file may not unfold to more nodes than this: aliases make small files that fill the memory.
MOST_NODES = 50_000

#: What stands in a lab folder and is not part of the answer.
_LEFT_OUT = (
    ".history",
    ".git",
    "__pycache__",
    ".ipynb_checkpoints",
    "mlruns",
    "mlartifacts",
    "*.db",
    "*.db-*",
    "*.pyc",
)


@dataclass(frozen=True)
class Reply:
    """What a server answered; `status` is 0 when it did not."""

    status: int
    text: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as data, or None when it is no JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


class Lab:
    """An exercise's folder as its judge sees it. Its methods raise AnswerError for what a learner can mend.

    `files` are the answer's files in the template's order, `given` those that were handed out. Without `live` no
    program is started and no server asked: `backend` and `python` are None, and a judge finds out what files tell.
    """

    def __init__(
        self,
        exercise: str,
        folder: Path,
        values: Mapping[str, str],
        *,
        files: tuple[str, ...] = (),
        given: tuple[str, ...] = (),
        live: bool = False,
        tell: Callable[[str, Mapping[str, Any]], None] | None = None,
    ) -> None:
        self.exercise = exercise
        self.folder = folder
        self.values = values
        self.files = files
        self.given = given
        self.live = live
        #: Backends and packages that were asked for and are not there, each with the key of its reason.
        self.missing: dict[str, str] = {}
        self._tell = tell
        self._backends: dict[str, Any] = {}

    # --- values ---

    def value(self, name: str) -> str:
        """A personal value, or a word of the story: `lab.value("port")`, `lab.value("delivery-time")`."""
        return self.values[name]

    def number(self, name: str) -> float:
        """A personal value as a number."""
        return float(self.values[name])

    # --- files ---

    def path(self, file: str) -> Path:
        """The path of a file of the answer. Raises AnswerError for one that lies elsewhere by a link."""
        path = self.folder / file
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise AnswerError("answer-outside", file=file)
        return path

    def exists(self, file: str) -> bool:
        return self.path(file).is_file()

    def names(self, *suffixes: str) -> list[str]:
        """The files in the folder that belong to the answer, sorted: those with one of the suffixes, or all."""
        found = []
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder)
            if path.is_file() and not any(
                part.match(pattern) for part in map(Path, name.parts) for pattern in _LEFT_OUT
            ):
                found.append(name.as_posix())
            if len(found) > 1000:
                raise AnswerError("answer-too-many", most=1000)
        return [name for name in found if not suffixes or name.endswith(suffixes)]

    def text(self, file: str) -> str:
        """The text of a file with LF at the ends of lines. Raises AnswerError when it is missing or no text."""
        path = self.path(file)
        try:
            size = path.stat().st_size
            if size > MOST_BYTES:
                raise AnswerError("answer-too-large", file=file, size=size // 1000, most=MOST_BYTES // 1000)
            raw = path.read_bytes()
        except FileNotFoundError:
            raise AnswerError("answer-missing", file=file) from None
        except OSError as error:
            raise AnswerError("answer-unreadable", file=file, problem=error.strerror or type(error).__name__) from error
        if b"\0" in raw:
            raise AnswerError("answer-binary", file=file)
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise AnswerError("answer-not-utf8", file=file, line=raw[: error.start].count(b"\n") + 1) from None
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def yaml(self, file: str) -> list[Any]:
        """The documents of a YAML (or JSON) file as plain data, empty ones left out. Raises AnswerError.

        Tags of Python's or of one's own are refused, and so is a file whose aliases unfold without end.
        """
        return parse_yaml(self.text(file), file)

    def json(self, file: str) -> Any:
        """The data of a JSON file. Raises AnswerError."""
        try:
            return json.loads(self.text(file))
        except json.JSONDecodeError as error:
            raise AnswerError("answer-syntax", file=file, line=error.lineno, problem=error.msg) from None
        except RecursionError:
            raise AnswerError("answer-syntax", file=file, line=1, problem="nested too deeply") from None

    # --- findings ---

    def found(
        self,
        criterion: str,
        met: bool,
        *,
        found: object = "",
        expected: object = "",
        fault: str = "",
        how: How = "static",
    ) -> Finding:
        """A criterion is met or not. `found`, `expected` are data for the learner; `fault` names a common mistake."""
        return Finding(
            criterion,
            "met" if met else "not-met",
            how,
            shortened(found),
            shortened(expected),
            "" if met else fault,
        )

    def waits(self, criterion: str, need: str) -> Finding:
        """A criterion that cannot be judged for want of `need`, a backend or package that was asked for."""
        return Finding(criterion, "not-judged", reason=need)

    def tell(self, key: str, **params: Any) -> None:
        """Say what is about to happen, before it does: a message key (`lab.…`), and what fills it."""
        if self._tell:
            self._tell(key, params)

    # --- tools ---

    def package(self, module: str) -> Any:
        """An optional package (a parser, a linter), or None: then a criterion that wants it waits for `module`."""
        try:
            return importlib.import_module(module)
        except ImportError:
            self.missing[module] = "package"
            return None

    def backend(self, name: str) -> Any:
        """The backend `name` as curriculum.labs.backends.<name> finds it, or None where there is none or no `live`.

        Each backend module has `find(lab)`, which returns the backend or raises `Missing(reason)`.
        """
        if not self.live:
            return None
        if name not in self._backends:
            module = importlib.import_module(f"curriculum.labs.backends.{name}")
            try:
                self._backends[name] = module.find(self)
            except Missing as missing:
                self.missing[name] = missing.reason
                self._backends[name] = None
        return self._backends[name]

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A copy of the answer's and the given files in a temporary folder, gone after the block.

        Where a judge runs an answer, so that nothing of the learner's is touched and nothing old is found.
        """
        with tempfile.TemporaryDirectory(prefix="curriculum-", ignore_cleanup_errors=True) as name:
            copy = Path(name) / "lab"
            copy.mkdir()
            size = 0
            for file in self.names():
                source, target = self.path(file), copy / file
                size += source.stat().st_size
                if size > MOST_FOLDER:
                    raise AnswerError("answer-folder-large", most=MOST_FOLDER // 1_000_000)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
            yield copy

    def run(self, *argv: str | Path, folder: Path, timeout: float = 60, input: str = "", **env: str) -> process.Run:
        """Run a program under limits (`process.run`); only with `live`. `env` adds to the lab's environment."""
        assert self.live, "a judge runs programs only where it may"
        return process.run(argv, folder=folder, env=env, timeout=timeout, input=input)

    def python(
        self, *arguments: str | Path, folder: Path, timeout: float = 120, input: str = "", **env: str
    ) -> process.Run:
        """Run this interpreter: `lab.python("train.py", folder=scratch)`."""
        return self.run(sys.executable, *arguments, folder=folder, timeout=timeout, input=input, **env)


class Missing(Exception):
    """A backend is not there. `reason` is the key of a sentence, `missing.<backend>.<reason>`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def shortened(data: object, most: int = 300) -> str:
    """Data as it may stand in a result: not endless, no control characters."""
    text = "".join(c if c.isprintable() or c == "\n" else " " for c in str(data)).strip()
    return text if len(text) <= most else text[: most - 1] + "…"


def parse_yaml(text: str, file: str) -> list[Any]:
    """The documents of a YAML text; see `Lab.yaml`."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for node in yaml.compose_all(text, Loader=loader):
            if node is not None and _unfolded(node, {}) > MOST_NODES:
                raise AnswerError("answer-aliases", file=file)
        return [document for document in yaml.load_all(text, Loader=loader) if document is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise AnswerError("answer-syntax", file=file, line=mark.line + 1 if mark else 1, problem=problem) from None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AnswerError("answer-syntax", file=file, line=1, problem=shortened(problem, 120)) from None


def _unfolded(node: yaml.Node, known: dict[int, int]) -> int:
    """How many nodes stand where `node` stands once every alias is followed."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = MOST_NODES + 1  # an alias to something around it never ends
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        children = [part for pair in node.value for part in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = list(node.value)
    size = 1
    for child in children:
        size += _unfolded(child, known)
        if size > MOST_NODES:
            break
    known[id(node)] = size
    return size


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(url: str, body: Any = None, *, timeout: float = 5, headers: Mapping[str, str] | None = None) -> Reply:
    """GET an address, or POST `body` as JSON. Never raises: what does not answer has status 0."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as reply:
            return Reply(reply.status, reply.read(2_000_000).decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.read(200_000).decode("utf-8", "replace"))
    except (OSError, ValueError) as error:
        return Reply(0, str(error))
    except Exception as error:  # http.client raises its own tree for a server that breaks the protocol
        return Reply(0, f"{type(error).__name__}: {error}")
