"""The first lap's judges: one file, a running service, one recorded run, its metrics, its Dockerfile.

Nothing here needs a backend. What a learner's program does is found out by running it in a copy of the folder.
"""

from __future__ import annotations

import ast
import json
import math
import random
import re
import socket
import sys
import time
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from curriculum.errors import AnswerError
from curriculum.labs import judge, process
from curriculum.labs.lab import Lab, fetch, free_port
from curriculum.outcome import Finding

#: How long a service may take until it listens, in seconds; a cold laptop with a virus scanner is slow.
_PATIENCE = 45.0
_LOOPBACK = "127.0.0.1"
#: What stands in a starter where something is to be filled in.
_BLANK = {"", "todo", "none", "null", "~"}


# --- a file with settings --------------------------------------------------------------------------------------------


@judge("first-lap-change-a-file")
def change_a_file(lab: Lab) -> Iterator[Finding]:
    settings = read_toml(lab, "service.toml")
    port, wanted = settings.get("port"), lab.value("port")
    digits = str(port).strip()
    fault = "missing" if port is None else "old" if digits == "8000" else "other"
    yield lab.found("port", digits == wanted, found="" if port is None else digits, expected=wanted, fault=fault)
    if port is not None:
        number = isinstance(port, int) and not isinstance(port, bool)
        yield lab.found("number", number, found=json.dumps(port, default=str), fault="quotes")
    host = str(settings.get("host", ""))
    fault = "everywhere" if host in {"0.0.0.0", "::", ""} else ""
    yield lab.found("local", host in {_LOOPBACK, "localhost", "::1"}, found=host, expected=_LOOPBACK, fault=fault)
    rest = {"name": lab.value("delivery-time"), "model": "model.json"}
    differing = [f"{name} = {settings.get(name, '')}" for name in rest if settings.get(name) != rest[name]]
    more = [name for name in settings if name not in {*rest, "port", "host"}]
    fault = "differs" if differing else "more"
    yield lab.found("small-change", not differing and not more, found="\n".join([*differing, *more]), fault=fault)


@judge("first-lap-timeouts")
def timeouts(lab: Lab) -> Iterator[Finding]:
    settings = read_toml(lab, "client.toml")
    attempts, timeout, pause = (
        number_in(settings, name, "client.toml") for name in ("attempts", "attempt_timeout_ms", "pause_ms")
    )
    patience, healthy = lab.number("patience"), lab.number("p99")
    yield lab.found("retries", attempts >= 2, found=f"{attempts:g}", expected=">= 2")
    yield lab.found("no-storm", attempts <= 3, found=f"{attempts:g}", expected="<= 3")
    fault = "seconds" if timeout < 10 else ""
    yield lab.found("healthy", timeout >= healthy, found=f"{timeout:g}", expected=f">= {healthy:g}", fault=fault)
    yield lab.found("pause", pause > 0, found=f"{pause:g}", expected="> 0")
    worst = attempts * timeout + max(0, attempts - 1) * pause
    yield lab.found("fits", worst <= patience, found=f"{worst:g}", expected=f"<= {patience:g}")


def read_toml(lab: Lab, file: str) -> dict[str, Any]:
    """The settings of a TOML file. Raises AnswerError, with a sentence of its own for signs typed in full width."""
    text = lab.text(file)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+)", str(error))
        line = int(at[1]) if at else max(1, len(text.splitlines()))
        problem = re.sub(r" \(at .*\)$", "", str(error))
    except RecursionError:
        line, problem = 1, "nested too deeply"
    signs = wide_signs((text.splitlines() or [""])[min(line, len(text.splitlines()) or 1) - 1])
    if signs:
        raise AnswerError("answer-wide-signs", file=file, line=line, signs=signs)
    raise AnswerError("answer-syntax", file=file, line=line, problem=problem)


def wide_signs(line: str) -> str:
    """The signs of a line that look like ASCII and are not: full-width forms and curly quotes, before a comment."""
    found = [sign for sign in line.partition("#")[0] if sign in "“”‘’" or _narrow(sign)]
    return "".join(dict.fromkeys(found))


def _narrow(sign: str) -> bool:
    return not sign.isascii() and unicodedata.normalize("NFKC", sign).isascii()


def number_in(settings: Mapping[str, Any], name: str, file: str) -> float:
    """A setting that has to be a number. Raises AnswerError."""
    value = settings.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        found = "" if value is None else json.dumps(value, default=str)[:60]
        raise AnswerError("answer-not-number", file=file, name=name, value=found)
    return float(value)


# --- a running service -----------------------------------------------------------------------------------------------


@judge("first-lap-run-service")
def run_service(lab: Lab) -> Iterator[Finding]:
    check_python(lab, "run.py")
    if lab.exists("ask.py"):
        check_python(lab, "ask.py")
    if not lab.live:
        return
    criteria = ("starts", "port", "local", "answered", "own-question")
    if need := missing_package(lab, "fastapi", "uvicorn", "prometheus_client"):
        yield from (lab.waits(criterion, need) for criterion in criteria)
        return
    port = int(lab.value("port"))
    if accepts(_LOOPBACK, port):
        # Most likely the learner's own copy; what answers there is not what this check would start.
        lab.missing["port"] = "busy"
        yield from (lab.waits(criterion, "port") for criterion in criteria)
        return
    lab.tell("lab.starts-service")
    with lab.scratch() as folder, process.serving([sys.executable, "run.py"], folder=folder) as service:
        where = wait_until_listening(service, port)
        yield _started(lab, service, where)
        if where:
            here = where == f"http://{_LOOPBACK}:{port}"
            yield lab.found("port", here, found=where, expected=f"http://{_LOOPBACK}:{port}", fault="other", how="real")
            if here:
                outside = [address for address in other_addresses() if accepts(address, port)]
                yield lab.found("local", not outside, found=" ".join(outside), fault="everywhere", how="real")
                yield from _asked(lab, folder, port)


def _started(lab: Lab, service: process.Service, where: str) -> Finding:
    if where:
        return lab.found("starts", True, how="real")
    log = service.log.strip().splitlines()
    code = service.process.poll()
    fault = "silent" if code is None else "ended" if code == 0 else "error"
    return lab.found("starts", False, found=log[-1] if log else "", fault=fault, how="real")


def _asked(lab: Lab, folder: Path, port: int) -> Iterator[Finding]:
    """Whether ask.py gets an answer, and whether it is the one to the learner's question."""
    # Where it is not written yet, that is told, and what was found of the service stands.
    lab.text("ask.py")
    unit = lab.value("minutes")
    expected = fetch(f"http://{_LOOPBACK}:{port}/predict", own_question(lab)).json()
    ran = lab.python("ask.py", folder=folder, timeout=30)
    numbers = [float(text) for text in re.findall(r"-?\d+(?:\.\d+)?", ran.output)]
    met = ran.ok and bool(numbers)
    yield lab.found("answered", met, found=ran.last, fault=_why_unanswered(ran), how="real")
    if met and isinstance(expected, dict) and unit in expected:
        wanted = float(expected[unit])
        right = any(abs(number - wanted) < 0.06 for number in numbers)
        yield lab.found("own-question", right, found=ran.last, expected=f"{wanted:g}", how="real")


def own_question(lab: Lab) -> dict[str, Any]:
    """The question that the learner's values make."""
    features = {"distance_km": "far", "stops": "times"}
    question: dict[str, Any] = {lab.value(word): int(lab.value(name)) for word, name in features.items()}
    return {**question, "hour": int(lab.value("at")), lab.value("rain"): True}


def _why_unanswered(ran: process.Run) -> str:
    if ran.ok:
        return "quiet"
    if re.search(r"\bHTTP Error 4\d\d\b", ran.output):
        return "refused"
    if re.search(r"NameError: name '(true|false)'", ran.output):
        return "capital"
    return "nobody" if re.search(r"refused|URLError|timed out", ran.output) else ""


def wait_until_listening(service: process.Service, port: int) -> str:
    """The address at which a service listens, or an empty string when it ended or never did.

    At the expected port it is found by connecting; elsewhere, by what uvicorn says in its log. That comes a moment
    before it listens, so what it says is believed only when some time has passed.
    """
    deadline = time.monotonic() + _PATIENCE
    heard = math.inf
    while service.running and time.monotonic() < deadline:
        if accepts(_LOOPBACK, port):
            return f"http://{_LOOPBACK}:{port}"
        said = re.search(r"running on (https?://\S+?)/?\s", service.log)
        if said:
            heard = min(heard, time.monotonic())
            patience = 10 if said[1].endswith(f":{port}") else 0.5
            if time.monotonic() - heard > patience:
                return said[1]
        time.sleep(0.1)
    return ""


def accepts(address: str, port: int) -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def other_addresses() -> list[str]:
    """Addresses of this machine at which a service bound to 127.0.0.1 alone does not answer."""
    found = ["127.0.0.2"] if sys.platform != "darwin" else []
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            # Nothing is sent: this only asks which of our own addresses would be used.
            probe.connect(("192.0.2.1", 9))
            found.append(probe.getsockname()[0])
    except OSError:
        pass
    return [address for address in found if address not in {_LOOPBACK, "0.0.0.0"}]


def check_python(lab: Lab, file: str) -> None:
    """Raise AnswerError where a file is no Python."""
    try:
        ast.parse(lab.text(file))
    except SyntaxError as error:
        raise AnswerError("answer-syntax", file=file, line=error.lineno or 1, problem=error.msg) from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise AnswerError("answer-syntax", file=file, line=1, problem=type(error).__name__) from None


def missing_package(lab: Lab, *modules: str) -> str:
    """The first of the packages that is not there, or an empty string. They are looked for, not imported.

    The learner's program imports them; here that would cost seconds.
    """
    absent = [module for module in modules if find_spec(module) is None]
    lab.missing |= dict.fromkeys(absent, "package")
    return absent[0] if absent else ""


# --- a recorded run --------------------------------------------------------------------------------------------------

#: Measures the model on the learner's data as log_run.py should: the arguments are the seed and nothing else.
_MEASURE = """
import json, sys
from data import FEATURES, make
model = json.load(open("model.json", encoding="utf-8"))
rows, truths = make(seed=int(sys.argv[1]))
errors = [
    abs(model["bias"] + sum(model["weights"][name] * value for name, value in zip(FEATURES, row)) - truth)
    for row, truth in zip(rows, truths)
]
print(json.dumps({"mae": sum(errors) / len(errors), "version": str(model["version"])}))
"""


#: Prints the runs of the stores that are the arguments, as JSON. A database that is not MLflow's has none.
_READ = """
import json, sys
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
runs = []
for store in sys.argv[1:]:
    try:
        client = MlflowClient(f"sqlite:///{store}")
        for experiment in client.search_experiments():
            for run in client.search_runs([experiment.experiment_id]):
                data = {name: getattr(run.data, name) for name in ("params", "metrics", "tags")}
                runs.append({"experiment": experiment.name, "status": run.info.status, **data})
    except MlflowException:
        continue
print("\\n" + json.dumps(runs))
"""


@judge("first-lap-log-a-run")
def log_a_run(lab: Lab) -> Iterator[Finding]:
    check_python(lab, "log_run.py")
    if not lab.live:
        return
    criteria = ("ends-well", "one-run", "experiment", "parameters", "metric")
    if need := missing_package(lab, "mlflow", "sqlalchemy", "alembic"):
        yield from (lab.waits(criterion, need) for criterion in criteria)
        return
    lab.tell("lab.runs-program", file="log_run.py")
    with lab.scratch() as folder:
        measured = lab.python("-c", _MEASURE, lab.value("seed"), folder=folder, timeout=60)
        if not measured.ok:
            raise AnswerError("answer-given-changed", files="data.py, model.json", problem=measured.last)
        expected = json.loads(measured.last)
        # The address that MLflow takes where the program names none; a server of the learner's own is left alone.
        ran = lab.python("log_run.py", folder=folder, timeout=240, MLFLOW_TRACKING_URI="sqlite:///mlflow.db")
        yield lab.found("ends-well", ran.ok, found=ran.last, how="real")
        if ran.ok:
            yield from _logged(lab, recorded_runs(lab, folder), expected)


def _logged(lab: Lab, runs: list[dict[str, Any]], expected: Mapping[str, Any]) -> Iterator[Finding]:
    status = runs[0]["status"] if runs else ""
    fault = "none" if not runs else "several" if len(runs) > 1 else "open"
    one = len(runs) == 1 and status == "FINISHED"
    yield lab.found("one-run", one, found=f"{len(runs)} {status}", expected="1 FINISHED", fault=fault, how="real")
    if len(runs) != 1:
        return
    run = runs[0]
    experiment, wanted = run["experiment"], lab.value("delivery-time")
    fault = "default" if experiment == "Default" else ""
    yield lab.found("experiment", experiment == wanted, found=experiment, expected=wanted, fault=fault, how="real")
    params, values = run["params"], {"seed": lab.value("seed"), "model_version": expected["version"]}
    wrong = [name for name in values if not same(params.get(name), values[name])]
    elsewhere = any(name in run["tags"] or name in run["metrics"] for name in wrong)
    fault = "elsewhere" if elsewhere else "missing" if any(name not in params for name in wrong) else ""
    told = " ".join(f"{name}={params.get(name, '–')}" for name in values)
    wish = " ".join(f"{name}={value}" for name, value in values.items())
    yield lab.found("parameters", not wrong, found=told, expected=wish, fault=fault, how="real")
    mae = run["metrics"].get("mae")
    fault = "other" if mae is not None else "as-parameter" if "mae" in params else "missing"
    right = mae is not None and math.isclose(mae, expected["mae"], rel_tol=2e-3, abs_tol=0.006)
    found = " ".join(f"{name}={value:g}" for name, value in run["metrics"].items())
    yield lab.found("metric", right, found=found, expected=f"mae={expected['mae']:.3f}", fault=fault, how="real")


def recorded_runs(lab: Lab, folder: Path) -> list[dict[str, Any]]:
    """Every run in the stores below a folder, with the name of its experiment."""
    stores = [store.as_posix() for store in sorted(folder.rglob("*.db"))]
    read = lab.python("-c", _READ, *stores, folder=folder, timeout=120)
    if not read.ok:
        raise RuntimeError(read.output)
    return [dict(run) for run in json.loads(read.last)]


# --- a page of metrics -----------------------------------------------------------------------------------------------


@judge("first-lap-read-metrics")
def read_metrics(lab: Lab) -> Iterator[Finding]:
    facts = read_facts(lab, "facts.yaml")
    rain = lab.value("rain")
    yield _fact(lab, facts, "kind", "counter")
    yield _fact(lab, facts, "label", rain)
    timed = re.sub(r"\s", "", str(facts.get("timed", "")))
    right = timed.startswith("prediction_seconds_count") or re.match(r'prediction_seconds_bucket\{le="\+Inf"', timed)
    known = next((name for name in ("sum", "bucket", "created", "total") if f"_{name}" in timed), "")
    yield lab.found("timed", bool(right), found=_said(facts, "timed"), fault="empty" if blank(timed) else known)
    if not lab.live:
        return
    criteria = ("by-label", "refused")
    if need := missing_package(lab, "fastapi", "uvicorn", "prometheus_client"):
        yield from (lab.waits(criterion, need) for criterion in criteria)
        return
    lab.tell("lab.starts-service")
    with lab.scratch() as folder, served_app(lab, folder) as port:
        code = "-".join(lab.value(name) for name in ("calm", "broken", "wet"))
        asked = lab.python("first-lap-ask.py", str(port), code, folder=folder, timeout=60)
        counts = counted(fetch(f"http://{_LOOPBACK}:{port}/metrics").text, rain)
    sent = re.search(r"sent=(\d+)", asked.output)
    if not sent or set(counts) != {"true", "false"}:
        raise AnswerError("answer-given-changed", files="app.py, first-lap-ask.py", problem=asked.last)
    yield _counts_fact(lab, facts, rain, counts)
    yield _refused_fact(lab, facts, int(sent[1]), sum(counts.values()))


def _counts_fact(lab: Lab, facts: Mapping[str, Any], rain: str, counts: Mapping[str, int]) -> Finding:
    names = {value: f"{rain}_{value}" for value in ("true", "false")}
    told = {value: as_number(facts.get(name)) for value, name in names.items()}
    right = all(told[value] == counts[value] for value in names)
    fault = ""
    if any(blank(facts.get(name)) for name in names.values()):
        fault = "empty"
    elif told == {"true": counts["false"], "false": counts["true"]}:
        fault = "swapped"
    elif any((number or 0) > 1e6 for number in told.values()):
        fault = "created"
    elif all((told[value] or 0) >= counts[value] for value in names):
        fault = "more"
    found = " ".join(f"{name}={_said(facts, name)}" for name in names.values())
    return lab.found("by-label", right, found=found, fault=fault, how="real")


def _refused_fact(lab: Lab, facts: Mapping[str, Any], sent: int, served: int) -> Finding:
    told = as_number(facts.get("refused"))
    fault = "empty" if blank(facts.get("refused")) else "sent" if told == sent else "zero" if told == 0 else ""
    return lab.found("refused", told == sent - served, found=_said(facts, "refused"), fault=fault, how="real")


@contextmanager
def served_app(lab: Lab, folder: Path) -> Iterator[int]:
    """The service of a folder on a free port. Raises AnswerError when it does not start."""
    port = free_port()
    argv = [sys.executable, "-m", "uvicorn", "app:app", "--host", _LOOPBACK, "--port", str(port)]
    with process.serving(argv, folder=folder) as service:
        if not wait_until_listening(service, port):
            log = service.log.strip().splitlines()
            raise AnswerError("answer-given-changed", files="app.py", problem=log[-1] if log else "")
        yield port


def counted(page: str, label: str) -> dict[str, int]:
    """The counts of predictions on a page of metrics, by the value of a label."""
    from prometheus_client.parser import text_string_to_metric_families

    return {
        sample.labels[label]: int(sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "predictions_total" and label in sample.labels
    }


# --- a Dockerfile ----------------------------------------------------------------------------------------------------


@judge("first-lap-read-dockerfile")
def read_dockerfile(lab: Lab) -> Iterator[Finding]:
    facts = read_facts(lab, "facts.yaml")
    lines = instructions(lab.text("first-lap.Dockerfile"))
    said = dict(reversed(lines))
    if missing := {"FROM", "COPY", "USER", "EXPOSE", "CMD"} - set(said):
        raise AnswerError("answer-given-changed", files="first-lap.Dockerfile", problem=" ".join(sorted(missing)))
    base = behind(facts.get("base", ""), "FROM").removeprefix("docker.io/").removeprefix("library/")
    fault = "empty" if blank(base) else "no-tag" if base == said["FROM"].partition(":")[0] else ""
    yield lab.found("base", base == said["FROM"], found=base, fault=fault)
    user = behind(facts.get("user", ""), "USER")
    fault = "empty" if blank(user) else "root" if user.casefold() in {"root", "0"} else ""
    yield lab.found("user", user.partition(":")[0] == said["USER"], found=user, fault=fault)
    start = str(facts.get("at_start", "")).strip()
    word = start.partition(" ")[0].upper()
    fault = "empty" if blank(start) else "run" if word == "RUN" else ""
    yield lab.found("at-start", word == "CMD", found=start, fault=fault)
    yield _done_again(lab, facts, lines)
    yield _publish(lab, facts, said["EXPOSE"])


def _done_again(lab: Lab, facts: Mapping[str, Any], lines: list[tuple[str, str]]) -> Finding:
    told = " ".join(str(facts.get("done_again_from", "")).split())
    meant = _meant(told, lines)
    code = [n for n, (word, rest) in enumerate(lines) if word == "COPY" and "app.py" in rest.split()]
    words = {lines[n][0] for n in meant}
    if blank(told):
        fault = "empty"
    elif len(meant) > 1:
        fault = "which"
    else:
        fault = {"RUN": "install", "CMD": "start", "FROM": "all"}.get("".join(words), "")
    return lab.found("done-again", meant == code[:1], found=told, fault=fault)


def _meant(told: str, lines: list[tuple[str, str]]) -> list[int]:
    """The places of the lines that someone names, by number, by their words, or by the words that they begin with."""
    number = re.fullmatch(r"(?:line )?(\d+)(?: ?行目)?", told.casefold())
    if number:
        return [n for n in [int(number[1]) - 1] if 0 <= n < len(lines)]
    whole = [f"{word} {rest}".casefold() for word, rest in lines]
    return [n for n, line in enumerate(whole) if told and line.startswith(told.casefold())]


def _publish(lab: Lab, facts: Mapping[str, Any], inside: str) -> Finding:
    told = str(facts.get("publish", "")).strip()
    text = re.sub(r"^(-p|--publish)[ =]?", "", told).strip().removesuffix("/tcp")
    port = lab.value("port")
    parts = text.split(":")
    if blank(text):
        fault = "empty"
    elif parts[-2:] == [inside, port]:
        fault = "swapped"
    elif text == f"{port}:{inside}" or parts[0] in {"0.0.0.0", ""}:
        fault = "everywhere"
    else:
        fault = ""
    return lab.found("publish", text == f"{_LOOPBACK}:{port}:{inside}", found=told, fault=fault)


def behind(told: object, word: str) -> str:
    """What someone wrote, without the instruction that stands before it in the Dockerfile."""
    text = str(told).strip()
    return text[len(word) :].strip() if text.casefold().startswith(f"{word} ".casefold()) else text


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of the given Dockerfile, which has one on each line, and what stands behind them."""
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in text.splitlines()) if word]


# --- a decision ------------------------------------------------------------------------------------------------------


@judge("first-lap-roll-back")
def roll_back(lab: Lab) -> Iterator[Finding]:
    check_python(lab, "choose.py")
    if not lab.live:
        return
    least, limit = int(lab.value("least")), int(lab.value("limit"))
    many, fast = least * 3, limit // 2
    running = _release("v9", 3.4, many, fast, running=True)
    with lab.scratch() as folder:
        plain = [
            running,
            _release("v8", 3.3, many, fast),
            _release("v7", 3.1, many, fast),
            _release("v6", 3.2, many, fast),
        ]
        finding = _chosen(lab, folder, "best", plain, "v7", {"v8": "newest", "v6": "", "v9": "running"})
        yield finding
        if finding.result != "met":
            return
        best = {**running, "mae": 1.5}
        yield _chosen(lab, folder, "not-running", [best, *plain[1:]], "v7")
        few = [running, _release("v8", 2.0, least - 1, fast), _release("v7", 3.1, least, fast), plain[3]]
        yield _chosen(lab, folder, "enough-requests", few, "v7", {"v6": "border"})
        slow = [running, _release("v8", 2.0, many, limit + 1), _release("v7", 3.1, many, limit), plain[3]]
        yield _chosen(lab, folder, "fast-enough", slow, "v7", {"v6": "border"})
        yield _none_left(lab, folder, [{**running, "requests": least - 1}, _release("v8", 2.0, least - 1, limit + 1)])


def _release(version: str, mae: float, requests: int, p99: int, *, running: bool = False) -> dict[str, Any]:
    return {"version": version, "running": running, "requests": requests, "p99_ms": p99, "mae": mae}


def _chosen(
    lab: Lab,
    folder: Path,
    criterion: str,
    releases: list[dict[str, Any]],
    expected: str,
    faults: Mapping[str, str] = {},
) -> Finding:
    """Whether the program names the expected release, in whatever order it finds them."""
    for seed in range(2):
        ran, named = _choice(lab, folder, random.Random(seed).sample(releases, len(releases)))
        if not ran.ok or named != [expected]:
            broke = "error" if criterion == "best" and not ran.ok else ""
            fault = faults.get(named[0], "") if len(named) == 1 else broke
            found = ran.last if not ran.ok else " ".join(named) or ran.last
            return lab.found(criterion, False, found=found, expected=expected, fault=fault, how="real")
    return lab.found(criterion, True, how="real")


def _none_left(lab: Lab, folder: Path, releases: list[dict[str, Any]]) -> Finding:
    ran, named = _choice(lab, folder, releases)
    crashed = "Traceback (most recent call last)" in ran.output
    fault = "named" if named else "crash" if crashed else "zero" if ran.ok else ""
    met = ran.code not in (0, None) and not named and not crashed
    found = ran.last or f"exit code {ran.code}"
    return lab.found("none-left", met, found=found, fault=fault, how="real")


def _choice(lab: Lab, folder: Path, releases: list[dict[str, Any]]) -> tuple[process.Run, list[str]]:
    """Run the program on a list of releases: what became of it, and the releases that it names."""
    ran = lab.python("choose.py", folder=folder, timeout=20, input=json.dumps(releases))
    words = re.findall(r"[\w.-]+", ran.output)
    versions = {release["version"] for release in releases}
    return ran, [word for word in words if word in versions]


# --- facts -----------------------------------------------------------------------------------------------------------


def read_facts(lab: Lab, file: str) -> dict[str, Any]:
    """The lines `name: value` of a YAML file. Raises AnswerError when it is something else."""
    documents = lab.yaml(file)
    facts: dict[str, Any] = {}
    for document in documents:
        if not isinstance(document, dict):
            raise AnswerError("answer-no-facts", file=file)
        facts |= {str(name): value for name, value in document.items()}
    return facts


def _fact(lab: Lab, facts: Mapping[str, Any], name: str, expected: str) -> Finding:
    """A fact that is a word; its criterion has the fact's name."""
    told = facts.get(name)
    return lab.found(name, same(told, expected), found=_said(facts, name), fault="empty" if blank(told) else "")


def _said(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    return "" if value is None else str(value)


def blank(value: object) -> bool:
    """Whether something is still to be filled in."""
    return value is None or str(value).strip().casefold() in _BLANK


def same(told: object, expected: str) -> bool:
    """Whether a word or number is the expected one; case and quotes do not count."""
    if told is None:
        return False
    text = str(told).strip().strip("`'\"").casefold()
    return text == expected.casefold() or (as_number(text) is not None and as_number(text) == as_number(expected))


def as_number(value: object) -> float | None:
    """A number as people write it, or None."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(unicodedata.normalize("NFKC", str(value)).strip().replace(",", ""))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
