"""MLflow as judges use it: scripts and models run elsewhere, on an empty store, under limits, and nothing stays behind."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curriculum.errors import AnswerError
from curriculum.labs.backends import mlflow as backend
from curriculum.labs.lab import Lab, Missing
from curriculum.labs.mlflow_scene import Scene, calls, imported, logged_params, parsed, same, strings
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.backend
FORKS = [
    pytest.param(True, id="forked", marks=pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")),
    pytest.param(False, id="fresh"),
]


@pytest.fixture(scope="module", autouse=True)
def ended() -> Iterator[None]:
    yield
    backend.close()


@pytest.fixture(params=FORKS)
def mlflow(request: pytest.FixtureRequest, need: Callable[[str], None]) -> backend.MLflow:
    """MLflow with each way of starting a process."""
    for package in ("mlflow", "scikit-learn", "pandas", "skops"):
        need(f"python:{package}")
    return backend.MLflow(backend._version(), fork=request.param)


@pytest.fixture
def play(mlflow: backend.MLflow, tmp_path: Path) -> Scene:
    (tmp_path / "data.py").write_text((REPOSITORY / "templates/service/data.py").read_text(encoding="utf-8"))
    return Scene(mlflow, tmp_path)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().split()[2] != "Z"


TRAIN = """
import mlflow, pandas as pd
from sklearn.linear_model import LinearRegression
from data import FEATURES, make

X, y = make()
X = pd.DataFrame(X, columns=FEATURES).astype(float)
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("trial")
with mlflow.start_run(run_name="one"):
    mlflow.log_param("rows", len(X))
    mlflow.log_metric("mae", 3.5)
    mlflow.log_text("hello", "notes/a.txt")
    mlflow.sklearn.log_model(
        LinearRegression().fit(X, y), name="model", input_example=X.head(2), registered_model_name="trial",
        pip_requirements=["scikit-learn"],
    )
mlflow.MlflowClient().set_registered_model_alias("trial", "champion", "1")
"""


def test_what_a_script_left_is_read(play: Scene) -> None:
    """Runs, their files and models, versions and aliases; a model predicts in a process of its own."""
    play.write("train.py", TRAIN)
    play.finish("train.py")
    store = play.read()
    (run,) = store.of("trial")
    assert (run.name, run.status, run.params, run.metrics) == ("one", "FINISHED", {"rows": "400"}, {"mae": 3.5})
    assert run.files == ["notes/a.txt"]
    assert run.models[0].names == {"distance_km", "hour", "rain", "stops"}
    assert run.models[0].example
    assert store.aliases("trial") == {"champion": 1}
    assert [version.run for version in store.versions("trial")] == [run.id]
    assert play.ask("artifact", path=play.database, run=run.id, file="notes/a.txt") == "hello"
    rows = play.rows(rows=5, seed=3)
    predicted = play.predict(run.models[0].uri, rows)
    assert predicted is not None
    assert all(abs(p - t) < 20 for p, t in zip(predicted, rows.y, strict=True))


def test_every_scene_begins_with_an_empty_store(mlflow: backend.MLflow, tmp_path: Path) -> None:
    """The experiment that MLflow makes by itself lies in the scene's folder, not where the store was made."""
    (tmp_path / "sub").mkdir()
    play = Scene(mlflow, tmp_path / "sub")
    assert play.read().runs == []
    play.write("a.py", 'import mlflow\nwith mlflow.start_run():\n    mlflow.log_text("x", "a.txt")\n')
    play.finish("a.py")
    assert [run.files for run in play.read().runs] == [["a.txt"]]
    assert list((tmp_path / "sub").rglob("a.txt"))


def test_a_hostile_pickle_is_never_loaded_here(play: Scene) -> None:
    """Reading the store does not open a model; loading one does it in another process."""
    play.write(
        "train.py",
        """
import os
import cloudpickle, mlflow

class Hostile:
    def predict(self, X):
        return [1.0] * len(X)
    def __reduce__(self):
        return (exec, ("import os; open('pid', 'a').write(str(os.getpid()) + ' ')",))

mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("trial")
with mlflow.start_run():
    from sklearn.linear_model import LinearRegression
    info = mlflow.sklearn.log_model(
        LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), name="model",
        serialization_format="cloudpickle", pip_requirements=["scikit-learn"],
    )
import pathlib
place = next(path for path in pathlib.Path("mlruns").rglob("model.pkl"))
place.write_bytes(cloudpickle.dumps(Hostile()))
""",
    )
    play.finish("train.py")
    store = play.read()
    assert not (play.folder / "pid").exists(), "reading a store loads no model"
    (model,) = store.runs[0].models
    assert play.predict(model.uri, play.rows(rows=2, seed=1)) is None
    loaded = {int(pid) for pid in (play.folder / "pid").read_text().split()}
    assert loaded, "the pickle did run, elsewhere"
    assert os.getpid() not in loaded
    assert not any(alive(pid) for pid in loaded)


def test_a_pickle_that_ends_its_process_only_ends_that(play: Scene) -> None:
    """The next question is answered as ever."""

    class Ends:
        def __reduce__(self) -> tuple[object, tuple[int]]:
            return os._exit, (0,)

    play.write("data.py", f"import pickle\npickle.loads({pickle.dumps(Ends())!r})\n")
    with pytest.raises(AnswerError) as caught:
        play.rows()
    assert caught.value.key == "answer-fails"
    assert play.read().runs == []


def test_a_script_that_never_ends_is_stopped(play: Scene) -> None:
    """With all that it started, and with a sentence."""
    play.write(
        "slow.py",
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open('child', 'w').write(str(child.pid))\ntime.sleep(60)\n",
    )
    begin = time.monotonic()
    with pytest.raises(AnswerError) as caught:
        play.run("slow.py", timeout=3)
    assert caught.value.key == "answer-too-long"
    assert time.monotonic() - begin < 40
    time.sleep(0.2)
    assert not alive(int((play.folder / "child").read_text()))


def test_a_script_that_prints_without_end_is_stopped(play: Scene) -> None:
    """Long before its time is up."""
    play.write("loud.py", "while True:\n    print('x' * 1000)\n")
    with pytest.raises(AnswerError) as caught:
        play.run("loud.py", timeout=60)
    assert caught.value.key == "answer-floods"
    assert caught.value.sentence("ja")


def test_a_script_that_fails_is_told_by_its_last_line(play: Scene) -> None:
    """The traceback is the learner's own, without a frame of ours."""
    play.write("bad.py", "def f():\n    return 1 / 0\n\nf()\n")
    run = play.run("bad.py")
    assert (run.code, run.last) == (1, "ZeroDivisionError: division by zero")
    assert run.output.count("File ") == 2
    with pytest.raises(AnswerError) as caught:
        play.finish("bad.py")
    assert caught.value.key == "answer-fails"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("", 0),
        ("raise SystemExit", 0),
        ("import sys; sys.exit(2)", 2),
        ("import sys; sys.exit('no')", 1),
        ("import os; os._exit(7)", 7),
        ("import sys; assert __name__ == '__main__' and sys.argv == ['a.py', 'x', 'y z']", 0),
        ("import pathlib; assert pathlib.Path(__file__).name == 'a.py' and pathlib.Path('a.py').exists()", 0),
        ("import atexit; atexit.register(lambda: open('left', 'w').close())", 0),
        ("import multiprocessing as m; m.Process(target=print).start()", 0),
        (
            "import threading, time; threading.Thread(target=lambda: (time.sleep(.2), open('left', 'w').close())).start()",
            0,
        ),
    ],
)
def test_a_script_runs_as_python_runs_it(play: Scene, code: str, expected: int) -> None:
    """Exit codes, arguments, `__main__`, and what is done at the end."""
    play.write("a.py", textwrap.dedent(code))
    assert play.run("a.py", "x", "y z").code == expected
    assert (play.folder / "left").exists() == ("left" in code)


def test_a_script_sees_no_server_of_the_learners(play: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel knows of a tracking server is not handed on, what a judge says is."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    play.write("a.py", "import os; print(sorted(n for n in os.environ if n in ('MLFLOW_TRACKING_URI', 'EXTRA')))")
    assert play.run("a.py", env={"EXTRA": "1"}).last == "['EXTRA']"


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
def test_a_script_that_ends_the_process_beside_it_is_survived(need: Callable[[str], None], tmp_path: Path) -> None:
    """The next one gets a new process; the script does not outlive the old one."""
    need("python:mlflow")
    play = Scene(backend.MLflow(backend._version(), fork=True), tmp_path)
    play.write(
        "a.py",
        "import os, signal, time\nopen('pid', 'w').write(str(os.getpid()))\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)\n",
    )
    with pytest.raises(AnswerError):
        play.run("a.py", timeout=5)
    time.sleep(0.2)
    assert not alive(int((tmp_path / "pid").read_text()))
    play.write("b.py", "print('still here')")
    assert play.run("b.py").last == "still here"


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
def test_nothing_outlives_a_judge_that_is_killed(need: Callable[[str], None], tmp_path: Path) -> None:
    """The process beside it ends when its standard input closes, and takes the running script with it."""
    need("python:mlflow")
    (tmp_path / "a.py").write_text(
        "import os, time\nopen('pid', 'w').write(f'{os.getpid()} {os.getppid()}')\ntime.sleep(60)\n"
    )
    code = (
        "from pathlib import Path\nfrom curriculum.labs.backends import mlflow as backend\n"
        "backend.MLflow(backend._version()).run('a.py', folder=Path('.'), timeout=60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, start_new_session=True) as judge:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):
            time.sleep(0.1)
        judge.kill()
    pids = [int(pid) for pid in (tmp_path / "pid").read_text().split()]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(map(alive, pids)):
        time.sleep(0.1)
    assert not any(map(alive, pids))


def test_scenes_hold_what_they_are_told(play: Scene) -> None:
    """Runs with every ending, data, models with and without a signature, versions and aliases."""
    data = {"a": [1.0, 2.0], "y": [3.0, 4.0]}
    model = {"names": ["a"], "weights": [2.0], "bias": 1.0}
    play.build(
        "trial",
        [
            {"name": "first", "params": {"p": 1}, "metrics": {"mae": 2.0}, "tags": {"t": "x"}, "data": data},
            {"name": "broken", "status": "FAILED"},
            {"name": "open", "status": "RUNNING"},
            {"name": "named", "model": model, "register": "m", "aliases": ["champion"], "files": {"f.txt": "x"}},
            {"name": "unnamed", "model": {**model, "signature": False}, "register": "m"},
        ],
    )
    store = play.read()
    assert [run.name for run in store.runs] == ["unnamed", "named", "open", "broken", "first"], "newest first"
    assert [run.status for run in store.runs] == ["FINISHED", "FINISHED", "RUNNING", "FAILED", "FINISHED"]
    first = store.runs[-1]
    assert (first.params, first.metrics, first.tags["t"]) == ({"p": "1"}, {"mae": 2.0}, "x")
    assert first.data[0]["digest"] == play.ask("digest", table=data)
    assert store.aliases("m") == {"champion": 1}
    assert [version.model.inputs is None for version in store.versions("m")] == [False, True]
    play.ask("change", path=play.database, name="m", aliases={"champion": 2, "challenger": 1})
    assert play.read().aliases("m") == {"champion": 2, "challenger": 1}


# --- without a process ---


def test_looking_for_mlflow_imports_nothing(tmp_path: Path) -> None:
    """It is looked for at every check."""
    code = (
        "import sys; from pathlib import Path\nfrom curriculum.labs.backends import mlflow as backend\n"
        "from curriculum.labs.lab import Lab, Missing\n"
        "try: backend.find(Lab('x', Path('.'), {}, live=True)); backend.can_serve()\n"
        "except Missing: pass\n"
        "print(sorted({'mlflow', 'pandas', 'sklearn', 'sqlalchemy'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.stdout.strip() == "[]", ended.stderr


@pytest.mark.parametrize(("version", "reason"), [("2.22.1", "too-old"), ("3.4.0", "too-old")])
def test_what_is_too_old_is_said_to_be(
    version: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing is started that could not work."""
    monkeypatch.setattr(backend, "_version", lambda: version)
    monkeypatch.setattr(backend, "NEEDED", ("json",))
    with pytest.raises(Missing) as caught:
        backend.find(Lab("x", tmp_path, {}, live=True))
    assert caught.value.reason == reason


@pytest.mark.parametrize("version", ["3.5.0", "3.17.2", "4.0.0rc1", "3.18.0.dev0"])
def test_what_is_new_enough_is_used(version: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever stands after the second number."""
    monkeypatch.setattr(backend, "_version", lambda: version)
    monkeypatch.setattr(backend, "NEEDED", ("json",))
    assert backend.find(Lab("x", tmp_path, {}, live=True)).version == version


def test_what_is_missing_is_said_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(backend, "NEEDED", ("no_such_package_at_all",))
    with pytest.raises(Missing) as caught:
        backend.find(Lab("x", tmp_path, {}, live=True))
    assert caught.value.reason == "not-installed"


def tree(tmp_path: Path, code: str):
    (tmp_path / "a.py").write_text(code, encoding="utf-8")
    return parsed(Lab("x", tmp_path, {}), "a.py")


@pytest.mark.parametrize("code", ["def f(:\n", "x = (\n", "\tx\n y\n", "(" * 500 + ")" * 500])
def test_a_script_that_cannot_be_read_is_a_sentence(tmp_path: Path, code: str) -> None:
    with pytest.raises(AnswerError) as caught:
        tree(tmp_path, code)
    assert caught.value.sentence("en") and caught.value.sentence("ja")


def test_params_are_found_however_they_are_logged(tmp_path: Path) -> None:
    """With one call or several, a dictionary or keywords; what is passed by name only is not looked into."""
    code = (
        'log_param("a", 1)\nmlflow.log_params({"b": B, **more})\nclient.log_params(dict(c=2))\n'
        'mlflow.log_param(key="d", value=3)\nmlflow.log_params(settings)\nmlflow.log_param(name, 4)\n'
    )
    assert set(logged_params(tree(tmp_path, code))) >= {"a", "b", "c"}


def test_what_stands_in_a_script_is_found(tmp_path: Path) -> None:
    code = 'import a.b as c\nfrom d import e\nc.f(1)\ng("h", f"i{j}")\n'
    found = tree(tmp_path, code)
    assert [name for name, _ in imported(found)] == ["a.b", "d"]
    assert len(list(calls(found, "f", "g"))) == 2
    assert {text for text, _ in strings(found)} == {"h", "i"}


@pytest.mark.parametrize(
    ("told", "true", "expected"),
    [
        (3.28, 3.2828, True),
        (3.3, 3.2828, True),
        (3, 3.2828, False),
        ("3.28", 3.2828, False),
        (True, 1.0, False),
        (None, 1.0, False),
        (float("nan"), 1.0, False),
    ],
)
def test_numbers_are_compared_as_people_round_them(told: object, true: float, expected: bool) -> None:
    assert same(told, true) is expected
