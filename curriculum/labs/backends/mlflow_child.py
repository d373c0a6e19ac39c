"""What runs beside a judge of MLflow's, in processes of its own: learners' scripts, and questions about a store.

    python -P mlflow_child.py ask QUESTION ASKED.json ANSWER.json     one question, and its answer in a file
    python -P mlflow_child.py serve                                   requests on stdin, one reply a line on stdout

Importing MLflow and scikit-learn takes seconds. `serve` does it once and forks for each request, so that a script of
a learner's runs in a process of its own, which has everything imported already. It knows nothing of the rest of this
project: whatever a hostile model does when it is loaded, it does here.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import threading
import time
import traceback
import types
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

#: What logging and loading a model import late. What a version of MLflow does not have is left out.
LATE = (
    "pandas",
    "mlflow.sklearn",
    "mlflow.pyfunc",
    "mlflow.pyfunc.scoring_server",
    "mlflow.pyfunc.utils.environment",
    "mlflow.data.pandas_dataset",
    "mlflow.models.display_utils",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.tracking.context.default_context",
    "sklearn.compose",
    "sklearn.dummy",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.neighbors",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "skops.io",
    "narwhals._pandas_like.namespace",
    "sqlalchemy.dialects.sqlite",
    "alembic.command",
    "IPython",
    "git",
    "uvicorn",
)
#: A store is read up to so many runs, files of one run, and characters of one file.
MOST_RUNS, MOST_FILES, MOST_TEXT = 500, 200, 200_000

QUESTIONS: dict[str, Callable[..., Any]] = {}


def question(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function a question: it takes data and returns data."""
    QUESTIONS[function.__name__] = function
    return function


# --- questions about a store: nothing of a learner's is imported or unpickled ---


@question
def make_store(path: str) -> None:
    """Make an empty tracking database. The experiment that MLflow puts into it goes: it would name our folder."""
    import sqlite3

    _client(path).search_experiments()
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM experiments")
    database.close()


@question
def read(path: str) -> dict[str, Any]:
    """All of a tracking database: the runs, newest first, and the registered models."""
    client = _client(path)
    experiments = {e.experiment_id: e.name for e in client.search_experiments()}
    found = client.search_runs(list(experiments), max_results=MOST_RUNS, order_by=["start_time DESC"])
    runs = sorted(found, key=lambda run: run.info.start_time or 0, reverse=True)
    return {
        "runs": [_run(client, run, experiments[run.info.experiment_id]) for run in runs],
        "models": {model.name: _registered(client, model) for model in client.search_registered_models()},
    }


@question
def artifact(path: str, run: str, file: str) -> str:
    """The text of a file that a run has logged."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        local = Path(_client(path).download_artifacts(run, file, folder))
        with local.open(encoding="utf-8", errors="replace") as text:
            return text.read(MOST_TEXT)


def _client(path: str) -> Any:
    import mlflow

    uri = f"sqlite:///{Path(path).as_posix()}"
    mlflow.set_tracking_uri(uri)
    return mlflow.MlflowClient(uri, uri)


def _run(client: Any, run: Any, experiment: str) -> dict[str, Any]:
    files = _files(client, run.info.run_id)
    return {
        "id": run.info.run_id,
        "name": run.info.run_name,
        "experiment": experiment,
        "status": run.info.status,
        "start": run.info.start_time,
        "params": dict(run.data.params),
        "metrics": {name: value for name, value in run.data.metrics.items() if value == value},
        "tags": dict(run.data.tags),
        "data": [
            {
                "name": entry.dataset.name,
                "digest": entry.dataset.digest,
                "tags": {tag.key: tag.value for tag in entry.tags},
            }
            for entry in run.inputs.dataset_inputs
        ],
        "models": [_model(uri) for uri in _models(run, files)],
        "files": files,
        "place": run.info.artifact_uri,
    }


def _models(run: Any, files: list[str]) -> list[str]:
    """The addresses of a run's models, newest first: those that were logged, and those that lie among its files."""
    logged = getattr(run.outputs, "model_outputs", None) or []
    found = [f"models:/{output.model_id}" for output in reversed(logged)]
    found += [f"runs:/{run.info.run_id}/{file.removesuffix('/MLmodel')}" for file in files if file.endswith("/MLmodel")]
    return found


def _model(uri: str) -> dict[str, Any]:
    """A logged model: what its description says of it. The model itself is not loaded."""
    import mlflow

    try:
        info = mlflow.models.get_model_info(uri)
    except Exception as error:
        return {"uri": uri, "problem": str(error), "inputs": None, "outputs": None, "example": False}
    signature = info.signature
    return {
        "uri": uri,
        "problem": "",
        "inputs": _columns(signature.inputs) if signature else None,
        "outputs": _columns(signature.outputs) if signature else None,
        "example": bool(info.saved_input_example_info),
    }


def _columns(schema: Any) -> list[dict[str, Any]]:
    if schema is None or schema.is_tensor_spec():
        return []
    return [
        {"name": column.name or "", "type": str(getattr(column.type, "name", column.type)), "required": column.required}
        for column in schema.inputs
    ]


def _files(client: Any, run: str) -> list[str]:
    """The files of a run, its folders followed."""
    found: list[str] = []
    folders = [""]
    with suppress(Exception):
        while folders and len(found) < MOST_FILES:
            for entry in client.list_artifacts(run, folders.pop() or None):
                (folders if entry.is_dir else found).append(entry.path)
    return sorted(found)


def _registered(client: Any, model: Any) -> dict[str, Any]:
    versions = client.search_model_versions(f"name = '{model.name}'")
    return {
        "aliases": {name: int(version) for name, version in client.get_registered_model(model.name).aliases.items()},
        "versions": [
            {
                "version": int(version.version),
                "run": version.run_id,
                "tags": dict(version.tags),
                "model": _model(f"models:/{model.name}/{version.version}"),
            }
            for version in sorted(versions, key=lambda version: int(version.version))
        ],
    }


# --- what a scene is made of ---


@question
def rows(rows: int | None = None, seed: int | None = None) -> dict[str, Any]:
    """What `make` in the folder's data.py gives."""
    data = _import("data")
    features, target = data.make(**{k: v for k, v in {"rows": rows, "seed": seed}.items() if v is not None})
    return {
        "names": list(data.FEATURES),
        "X": [list(map(float, row)) for row in features],
        "y": list(map(float, target)),
    }


@question
def split(X: list[list[float]], y: list[float], sizes: list[float], seed: int) -> list[dict[str, Any]]:
    """Rows parted as scikit-learn parts them, once for each of `sizes`: the parts held out first, and last the rest."""
    from sklearn.model_selection import train_test_split

    parts = []
    for size in sizes:
        X, out_X, y, out_y = train_test_split(X, y, test_size=size, random_state=seed)
        parts.append({"X": out_X, "y": out_y})
    return [*parts, {"X": X, "y": y}]


@question
def digest(table: dict[str, list[float]]) -> str:
    """The digest that MLflow gives a table."""
    return str(_dataset(table).digest)


@question
def build(path: str, experiment: str, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write runs into a database: what each has (params, metrics, tags, files, data, model), and how it ended.

    `model` is a linear one: names, weights and bias of its features, with or without a signature; `register` makes it
    a version of that name with these `aliases`. Returns each run's id, version and the address of its model.
    """
    import mlflow

    client = _client(path)
    place = mlflow.set_experiment(experiment).experiment_id
    made = []
    for number, spec in enumerate(runs):
        run = client.create_run(
            place,
            run_name=spec.get("name"),
            start_time=int(time.time() * 1000) - 60_000 * (len(runs) - number),
        )
        entry = {"id": run.info.run_id, "version": 0, "uri": ""}
        with mlflow.start_run(run_id=run.info.run_id):
            mlflow.log_params(spec.get("params", {}))
            mlflow.log_metrics(spec.get("metrics", {}))
            mlflow.set_tags(spec.get("tags", {}))
            for name, text in spec.get("files", {}).items():
                mlflow.log_text(text, name)
            if "data" in spec:
                _log_data(spec["data"])
            if "model" in spec:
                entry |= _log_model(client, spec)
        if spec.get("status", "FINISHED") == "RUNNING":
            client.update_run(entry["id"], status="RUNNING")
        else:
            client.set_terminated(entry["id"], spec.get("status", "FINISHED"))
        made.append(entry)
    return made


def _log_data(table: dict[str, list[float]]) -> None:
    import mlflow

    mlflow.log_input(_dataset(table), context="training")


def _dataset(table: dict[str, list[float]]) -> Any:
    import mlflow
    import pandas as pd

    data: Any = mlflow.data
    return data.from_pandas(pd.DataFrame(table), name="table")


def _log_model(client: Any, spec: dict[str, Any]) -> dict[str, Any]:
    import mlflow
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    model, names = spec["model"], spec["model"]["names"]
    linear = LinearRegression()
    linear.coef_, linear.intercept_ = np.array(model["weights"], dtype=float), float(model["bias"])
    linear.n_features_in_, linear.feature_names_in_ = len(names), np.array(names, dtype=object)
    example = pd.DataFrame([[1.0] * len(names)], columns=names)
    info = mlflow.sklearn.log_model(
        linear,
        name="model",
        input_example=example if model.get("signature", True) else None,
        registered_model_name=spec.get("register"),
        pip_requirements=["scikit-learn"],
    )
    version = int(info.registered_model_version or 0)
    for alias in spec.get("aliases", ()):
        client.set_registered_model_alias(spec["register"], alias, str(version))
    return {"version": version, "uri": info.model_uri}


@question
def change(path: str, name: str, aliases: dict[str, int | None]) -> None:
    """Move the aliases of a registered model; None takes one away."""
    client = _client(path)
    for alias, version in aliases.items():
        if version is None:
            with suppress(Exception):
                client.delete_registered_model_alias(name, alias)
        else:
            client.set_registered_model_alias(name, alias, str(version))


@question
def aliases(path: str, name: str) -> dict[str, int]:
    """The aliases of a registered model, none where there is no such model."""
    with suppress(Exception):
        return {alias: int(version) for alias, version in _client(path).get_registered_model(name).aliases.items()}
    return {}


@question
def alter(path: str, run: str, metrics: dict[str, float], drop: list[str]) -> None:
    """Write over metrics of a run, and take tags away, as somebody might who wants it to look better."""
    client = _client(path)
    for name, value in metrics.items():
        client.log_metric(run, name, value, timestamp=int(time.time() * 1000) + 1000, step=1_000_000)
    for name in drop:
        client.delete_tag(run, name)


# --- questions that load a learner's model ---


@question
def predict(path: str, uri: str, names: list[str], X: list[list[float]]) -> list[float]:
    """What a model predicts for rows; a table is taken for its first column."""
    import mlflow
    import numpy as np
    import pandas as pd

    _client(path)
    model = mlflow.pyfunc.load_model(uri)
    given = model.predict(_as_asked(model.metadata.get_input_schema(), pd.DataFrame(X, columns=names).astype(float)))
    table = given.to_numpy() if hasattr(given, "to_numpy") else np.asarray(given)
    return [float(value) for value in table.reshape(len(X), -1)[:, 0]]


def _as_asked(schema: Any, table: Any) -> Any:
    """A table in the types that a signature asks for: whole numbers where it says so, an array where it has no names."""
    types = {"long": "int64", "integer": "int32", "float": "float32", "boolean": "bool", "string": "str"}
    if schema is None:
        return table
    if schema.is_tensor_spec():
        return table.to_numpy()
    for column in schema.inputs:
        kind = types.get(str(getattr(column.type, "name", "")))
        if kind and column.name in table:
            table[column.name] = table[column.name].astype(kind)
    return table


@question
def neighbors(names: list[str], parts: list[dict[str, Any]], settings: list[int]) -> list[list[float]]:
    """For each number of neighbors, the mean absolute error on each of `parts` of a model that learned the first."""
    import pandas as pd
    from sklearn.metrics import mean_absolute_error
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    tables = [(pd.DataFrame(part["X"], columns=names).astype(float), part["y"]) for part in parts]
    errors = []
    for setting in settings:
        model = make_pipeline(StandardScaler(), KNeighborsRegressor(setting, algorithm="brute")).fit(*tables[0])
        errors.append([float(mean_absolute_error(y, model.predict(X))) for X, y in tables])
    return errors


@question
def hourly_gain(X: list[list[float]], targets: list[list[float]], size: float, seed: int) -> list[float]:
    """For each of `targets`, how much a linear regression gains when each hour is a feature of its own.

    The hour is the second column of `X`. The gain is in the mean absolute error on the rows held out.
    """
    import numpy as np
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import mean_absolute_error
    from sklearn.model_selection import train_test_split

    plain = np.array(X)
    hours = plain[:, 1:2] == np.unique(plain[:, 1])
    by_hour = np.hstack([plain[:, [0, *range(2, plain.shape[1])]], hours])

    def error(features: Any, target: list[float]) -> float:
        learn, held, learn_y, held_y = train_test_split(features, target, test_size=size, random_state=seed)
        return float(mean_absolute_error(held_y, LinearRegression().fit(learn, learn_y).predict(held)))

    return [error(plain, target) - error(by_hour, target) for target in targets]


@question
def converse(path: str, uri: str, requests: list[Any]) -> list[dict[str, Any]]:
    """Serve a model as `mlflow models serve` does, on a loopback port, and send it each of `requests`."""
    import socket

    import mlflow
    import uvicorn
    from mlflow.pyfunc import scoring_server

    _client(path)
    app = scoring_server.init(mlflow.pyfunc.load_model(uri))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/invocations"
        deadline = time.monotonic() + 20
        while not server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        replies = [_send(address, body) for body in requests]
        server.should_exit = True
        thread.join(timeout=5)
    return replies


def _send(address: str, body: Any) -> dict[str, Any]:
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=15) as reply:
            return {"status": reply.status, "text": reply.read(MOST_TEXT).decode("utf-8", "replace")}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "text": error.read(MOST_TEXT).decode("utf-8", "replace")}
    except OSError as error:
        return {"status": 0, "text": str(error)}


@question
def visit(address: str, experiment: str, user: str, password: str, note: str) -> dict[str, Any]:
    """Log a run with a model that carries a note to a server, as a user of it, and get the model back."""
    import mlflow
    from sklearn.dummy import DummyRegressor

    os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = user, password
    mlflow.set_tracking_uri(address)
    # Each request to a server with sign-in takes a quarter of a second: a password is slow to check on purpose.
    with mlflow.start_run(experiment_id=mlflow.create_experiment(experiment)) as run:
        mlflow.log_metric("mae", 3.28)
        info = mlflow.sklearn.log_model(
            DummyRegressor().fit([[0.0]], [40.0]),
            name="model",
            metadata={"note": note},
            pip_requirements=["scikit-learn"],
        )
    loaded = mlflow.pyfunc.load_model(info.model_uri).predict([[0.0]])
    return {"run": run.info.run_id, "place": run.info.artifact_uri, "prediction": float(loaded[0])}


def _import(name: str) -> types.ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    return importlib.import_module(name)


# --- one process for one request ---


def answer(name: str, asked: str, place: str) -> int:
    """Answer a question: the data, or what went wrong, goes to the file `place`. An exit code."""
    warnings.simplefilter("ignore")
    try:
        given: dict[str, Any] = {"data": QUESTIONS[name](**json.loads(asked))}
    except Exception as error:
        given = {"problem": f"{type(error).__name__}: {error}"[:2000]}
    Path(place).write_text(json.dumps(given), encoding="utf-8")
    return 0


def script(path: str, arguments: list[str]) -> int:
    """Run a script as `python SCRIPT ARGUMENTS` does, up to its exit code."""
    sys.argv = [path, *arguments]
    sys.path.insert(0, str(Path(path).resolve().parent))
    main = types.ModuleType("__main__")
    main.__file__ = path
    main.__builtins__ = __builtins__  # type: ignore[attr-defined]
    sys.modules["__main__"] = main
    try:
        exec(compile(Path(path).read_bytes(), path, "exec"), main.__dict__)
    except SystemExit as end:
        return _exit_code(end)
    except BaseException as error:
        # Two frames are ours: a learner sees their own.
        own = error.__traceback__.tb_next if error.__traceback__ else None
        traceback.print_exception(type(error), error, own)
        return 1
    return 0


def _exit_code(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return 1


# --- serving ---


class Requests:
    """Requests as they come on stdin. Selectable, so that its end is seen while a request is being served."""

    def __init__(self) -> None:
        self._rest = b""
        self.ended = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            while b"\n" not in self._rest:
                self.take()
                if self.ended:
                    return
            line, _, self._rest = self._rest.partition(b"\n")
            yield json.loads(line)

    def take(self) -> None:
        chunk = os.read(0, 65536)
        self._rest += chunk
        self.ended = not chunk


def serve() -> int:
    """Import everything, then serve requests until stdin ends."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    prepare()
    replies.write(json.dumps({"ready": True}) + "\n")
    requests = Requests()
    for request in requests:
        reply = one(request, requests)
        if requests.ended:
            break
        replies.write(json.dumps(reply) + "\n")
    return 0


def prepare() -> None:
    """Import what scripts will, and let no later garbage collection touch it: memory stays shared with the forks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("mlflow")
        for name in LATE:
            with suppress(Exception):
                importlib.import_module(name)
        with suppress(Exception):
            # MLflow looks up once in a process which package each module comes from, which takes a second.
            importlib.import_module("mlflow.utils.requirements_utils")._init_packages_to_modules_map()
    gc.collect()
    gc.freeze()


def one(request: dict[str, Any], requests: Requests) -> dict[str, Any]:
    """Serve a request in a process of its own and wait for it, under limits. What became of it."""
    begun = time.monotonic()
    read_end, write_end = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        os.close(read_end)
        _become(request, write_end)
    os.close(write_end)
    output, code = _attend(child, read_end, request, requests, begun + request["timeout"])
    os.close(read_end)
    return {
        "code": code,
        "output": output.decode("utf-8", "replace").replace("\r\n", "\n"),
        "seconds": time.monotonic() - begun,
    }


def _attend(
    child: int, output: int, request: dict[str, Any], requests: Requests, deadline: float
) -> tuple[bytes, int | None]:
    """Read what a process prints until it ends; stop it when it takes too long, prints too much, or nobody waits."""
    most, size, parts = int(request["most"]), 0, []
    code: int | None = None
    over = False
    with selectors.DefaultSelector() as ready:
        ready.register(output, selectors.EVENT_READ)
        ready.register(0, selectors.EVENT_READ)
        while not over:
            ended, status = os.waitpid(child, os.WNOHANG)
            over = bool(ended)
            if over:
                code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline or size > 20 * most or requests.ended:
                _kill(child)
                os.waitpid(child, 0)
                break
            for key, _ in ready.select(0 if over else 0.02):
                if key.fd == 0:
                    requests.take()
                elif chunk := os.read(output, 65536):
                    size += len(chunk)
                    if size <= most + 65536:
                        parts.append(chunk)
                else:
                    ready.unregister(output)
            if over:
                _kill(child)
                parts.append(_rest(output, most))
    return b"".join(parts)[:most], code


def _rest(output: int, most: int) -> bytes:
    """What is still in a pipe whose writer has ended."""
    os.set_blocking(output, False)
    parts: list[bytes] = []
    with suppress(OSError):
        while sum(map(len, parts)) < most and (chunk := os.read(output, 65536)):
            parts.append(chunk)
    return b"".join(parts)


def _kill(child: int) -> None:
    """End a process and all that it started: it leads a group of its own."""
    with suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    with suppress(OSError):
        os.kill(child, signal.SIGKILL)


def _become(request: dict[str, Any], output: int) -> None:
    """In the fork: turn into the process that was asked for. Never returns."""
    code = 1
    try:
        os.setsid()
        _end_with_parent()
        _limit(int(request["most_file"]))
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.closerange(3, 256)
        os.environ.update(request["env"])
        os.chdir(request["folder"])
        gc.unfreeze()
        if request["do"] == "ask":
            code = answer(request["question"], request["asked"], request["answer"])
        else:
            code = script(request["script"], request["arguments"])
    except BaseException:
        traceback.print_exc()
    finally:
        _end(code)


def _end(code: int) -> None:
    """End as an interpreter does, but do not take apart what was imported: that takes half a second."""
    with suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
    with suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BaseException):
            stream.flush()
    os._exit(code)


def _end_with_parent() -> None:
    """Be killed when the process that forked us is gone, however it went (Linux)."""
    import ctypes

    with suppress(Exception):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _limit(most_file: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (most_file, most_file))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        sys.exit(serve())
    sys.exit(answer(sys.argv[2], Path(sys.argv[3]).read_text(encoding="utf-8"), sys.argv[4]))
