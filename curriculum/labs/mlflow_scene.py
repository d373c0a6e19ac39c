"""What MLflow's judges share: a folder with an empty store in which scripts run, and what they leave there."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum.errors import AnswerError
from curriculum.labs.backends.mlflow import PATIENCE, MLflow, Reply, endless
from curriculum.labs.lab import Lab, shortened
from curriculum.labs.process import Run

#: Two numbers this near are the same measurement.
NEAR = 0.01


# --- scripts as they are written ---


def parsed(lab: Lab, file: str) -> ast.Module:
    """A Python file as its parser sees it. Raises AnswerError."""
    text = lab.text(file)
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise AnswerError("answer-syntax", file=file, line=error.lineno or 1, problem=error.msg) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise AnswerError("answer-syntax", file=file, line=1, problem=shortened(error, 120)) from None


def calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    """The calls of functions and methods with one of these names, whatever they are called on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in names:
            yield node


def called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The modules that a file imports, each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno


def strings(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The texts that stand in a file, those inside f-strings too, each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, node.lineno


def logged_params(tree: ast.AST) -> dict[str, ast.expr]:
    """The params whose values stand in a call of `log_param` or `log_params`, each with the expression."""
    found: dict[str, ast.expr] = {}
    for call in calls(tree, "log_param", "log_params"):
        arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        if called(call) == "log_param" and len(arguments) > 1 and isinstance(arguments[0], ast.Constant):
            found[str(arguments[0].value)] = arguments[1]
        for table in (node for node in arguments if isinstance(node, ast.Dict)):
            keyed = zip(table.keys, table.values, strict=True)
            found |= {str(key.value): value for key, value in keyed if isinstance(key, ast.Constant)}
        for made in (node for node in arguments if isinstance(node, ast.Call) and called(node) == "dict"):
            found |= {keyword.arg: keyword.value for keyword in made.keywords if keyword.arg}
    return found


# --- scripts as they run ---


@dataclass(frozen=True)
class Rows:
    """A table of features and what is to be predicted."""

    names: list[str]
    X: list[list[float]]
    y: list[float]

    def table(self, target: str = "") -> dict[str, list[float]]:
        """By column, with the target last if it has a name here."""
        columns = {name: [row[n] for row in self.X] for n, name in enumerate(self.names)}
        return {**columns, target: self.y} if target else columns


class Scene:
    """A copy of the answer with an empty store, in which scripts run and questions are asked."""

    def __init__(self, mlflow: MLflow, folder: Path) -> None:
        self.mlflow = mlflow
        self.folder = folder
        self.database = str(mlflow.store(folder))

    def run(self, script: str, *arguments: str, timeout: float = PATIENCE, env: Mapping[str, str] | None = None) -> Run:
        """Run a script, however it ends. Raises AnswerError when it has to be stopped."""
        run = self.mlflow.run(script, *arguments, folder=self.folder, timeout=timeout, env=env)
        if run.code is None:
            raise endless(script, run, timeout)
        return run

    def finish(self, script: str, *arguments: str, env: Mapping[str, str] | None = None) -> Run:
        """Run a script to its good end. Raises AnswerError."""
        return self.mlflow.finish(script, *arguments, folder=self.folder, env=env)

    def reply(self, question: str, **asked: Any) -> Reply:
        """Ask about the store; the reply may be a problem."""
        return self.mlflow.ask(question, folder=self.folder, path=self.database, **asked)

    def ask(self, question: str, **asked: Any) -> Any:
        """Ask what can always be answered, without a learner's part in it."""
        reply = self.mlflow.ask(question, folder=self.folder, **asked)
        if not reply.ok:
            raise RuntimeError(f"{question}: {reply.problem}")
        return reply.data

    def read(self) -> Store:
        """What lies in the store now."""
        return Store(self.ask("read", path=self.database))

    def build(self, experiment: str, runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Write runs into the store (see `mlflow_child.build`)."""
        made: list[dict[str, Any]] = self.ask("build", path=self.database, experiment=experiment, runs=list(runs))
        return made

    def rows(self, rows: int | None = None, seed: int | None = None) -> Rows:
        """What the given data.py makes. Raises AnswerError when it was changed so that it makes nothing."""
        reply = self.mlflow.ask("rows", folder=self.folder, rows=rows, seed=seed)
        if not reply.ok:
            raise AnswerError("answer-fails", file="data.py", problem=shortened(reply.problem, 200))
        return Rows(reply.data["names"], reply.data["X"], reply.data["y"])

    def split(self, rows: Rows, *sizes: float, seed: int) -> list[Rows]:
        """The parts held out, one after the other, and last the rest (see `mlflow_child.split`)."""
        parts = self.ask("split", X=rows.X, y=rows.y, sizes=list(sizes), seed=seed)
        return [Rows(rows.names, part["X"], part["y"]) for part in parts]

    def predict(self, uri: str, rows: Rows) -> list[float] | None:
        """What a model predicts, loaded in a process of its own; None when it cannot."""
        reply = self.reply("predict", uri=uri, names=rows.names, X=rows.X)
        return reply.data if reply.ok else None

    def data(self, file: str) -> dict[str, Any] | None:
        """The JSON object in a file that a script wrote, or None."""
        try:
            found = json.loads((self.folder / file).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def write(self, file: str, text: str) -> None:
        (self.folder / file).write_text(text, encoding="utf-8")

    def remove(self, *files: str) -> None:
        for file in files:
            (self.folder / file).unlink(missing_ok=True)


@contextmanager
def scene(lab: Lab, mlflow: MLflow) -> Iterator[Scene]:
    """A fresh copy of the answer with an empty store, gone after the block."""
    with lab.scratch() as folder:
        yield Scene(mlflow, folder)


# --- what scripts leave ---


@dataclass(frozen=True)
class Logged:
    """A logged model: its address, and what its description says."""

    uri: str
    inputs: list[dict[str, Any]] | None
    outputs: list[dict[str, Any]] | None
    example: bool

    @property
    def names(self) -> set[str]:
        """The names of the columns that its signature asks for."""
        return {column["name"] for column in self.inputs or () if column["name"]}


@dataclass(frozen=True)
class Record:
    """A run as it stands in the store."""

    id: str
    name: str
    experiment: str
    status: str
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    data: list[dict[str, Any]]
    models: list[Logged]
    files: list[str]

    @property
    def parent(self) -> str:
        return self.tags.get("mlflow.parentRunId", "")


@dataclass(frozen=True)
class Version:
    """A version of a registered model."""

    number: int
    run: str
    tags: dict[str, str]
    model: Logged


class Store:
    """Everything in a tracking database: runs, newest first, and registered models."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.runs = [
            Record(
                **{
                    name: run[name]
                    for name in ("id", "name", "experiment", "status", "params", "metrics", "tags", "data", "files")
                },
                models=[_logged(model) for model in run["models"] if not model["problem"]],
            )
            for run in data["runs"]
        ]
        self._models = data["models"]

    def of(self, experiment: str) -> list[Record]:
        """The runs of an experiment, newest first."""
        return [run for run in self.runs if run.experiment == experiment]

    def run(self, id: str) -> Record | None:
        return next((run for run in self.runs if run.id == id), None)

    def aliases(self, name: str) -> dict[str, int]:
        return dict(self._models[name]["aliases"]) if name in self._models else {}

    def versions(self, name: str) -> list[Version]:
        """The versions of a registered model, oldest first."""
        entries = self._models[name]["versions"] if name in self._models else []
        return [Version(e["version"], e["run"] or "", e["tags"], _logged(e["model"])) for e in entries]


def _logged(model: Mapping[str, Any]) -> Logged:
    return Logged(model["uri"], model["inputs"], model["outputs"], model["example"])


# --- numbers ---


def mean_error(predicted: Sequence[float], true: Sequence[float]) -> float:
    """The mean absolute error."""
    return sum(abs(p - t) for p, t in zip(predicted, true, strict=True)) / len(true)


def mean_square(predicted: Sequence[float], true: Sequence[float]) -> float:
    """The mean squared error."""
    return sum((p - t) ** 2 for p, t in zip(predicted, true, strict=True)) / len(true)


def same(told: object, true: float) -> bool:
    """Whether a number that was told is the true one, as far as anyone rounds it."""
    if isinstance(told, bool) or not isinstance(told, int | float):
        return False
    return abs(told - true) <= NEAR or told == round(true, 1)
