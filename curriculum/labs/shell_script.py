"""Shell scripts' judges: a script is run as cron or a pipeline would run it, on good days and on bad ones."""

from __future__ import annotations

import json
import shutil
import socketserver
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from curriculum.labs import judge, process
from curriculum.labs.backends.bash import Bash, Ran, Stage
from curriculum.labs.lab import Lab
from curriculum.outcome import Finding

# --- a report that must not lie --------------------------------------------------------------------------------------


@judge("shell-script-safe-report")
def safe_report(lab: Lab) -> Iterator[Finding]:
    lab.text("report.sh")
    if bash := lab.backend("bash"):
        yield from _good_days(lab, bash)
        yield from _bad_days(lab, bash)
        yield _shellcheck(lab, bash)


@dataclass(frozen=True)
class _Report:
    """What a run of `report.sh` left behind."""

    ran: Ran
    text: str | None
    files: tuple[str, ...]

    @property
    def rows(self) -> dict[str, int] | None:
        """The number of rows by file, or None where the report is no such list."""
        found = {}
        for line in (self.text or "").splitlines():
            name, _, number = line.strip().rpartition(" ")
            if not number.isdecimal():
                return None
            found[name.strip().rpartition("/")[2]] = int(number)
        return found


#: A date that is nobody's today.
_DATE = "2031-05-07"


def _report(stage: Stage, folder: str = "incoming") -> _Report:
    ran = stage.script("report.sh", folder, "reports", RUN_DATE=_DATE)
    path = stage.folder / "reports" / f"{_DATE}.txt"
    return _Report(ran, path.read_text(errors="replace") if path.is_file() else None, _reports(stage))


def _without_date(stage: Stage) -> _Report:
    """A run in an environment without RUN_DATE: not even an empty one."""
    ran = stage.program("env", "-u", "RUN_DATE", str(stage.bash.path), "report.sh", "incoming", "reports")
    return _Report(ran, None, _reports(stage))


def _reports(stage: Stage) -> tuple[str, ...]:
    folder = stage.folder / "reports"
    return tuple(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ()


def _incoming(stage: Stage, seed: str, *, spaces: bool) -> dict[str, int]:
    """Lay out a day's files; the rows of each, and of all together."""
    stage.given("sh-incoming.sh")
    stage.script("sh-incoming.sh", seed)
    rows = {}
    for path in sorted((stage.folder / "incoming").iterdir()):
        if " " in path.name and not spaces:
            path.unlink()
        else:
            rows[path.name] = len(stage.program("gzip", "-dc", f"incoming/{path.name}").out.splitlines()) - 1
    return {**rows, "total": sum(rows.values())}


def _good_days(lab: Lab, bash: Bash) -> Iterator[Finding]:
    with bash.stage(lab, "report.sh") as stage:
        expected = _incoming(stage, "31", spaces=False)
        first, again = _report(stage), _report(stage)
        right = first.ran.ok and first.rows == expected
        yield lab.found("counts", right, found=first.text or first.ran.told, expected=_listed(expected), how="real")
        if not right:
            return
        fault = "appends" if len((again.text or "").splitlines()) > len((first.text or "").splitlines()) else ""
        met = again.ran.ok and again.rows == expected and not fault
        yield lab.found("rerun", met, found=again.text or again.ran.told, expected=first.text, fault=fault, how="real")
    with bash.stage(lab, "report.sh") as stage:
        expected = _incoming(stage, "32", spaces=True)
        report = _report(stage)
        met = report.ran.ok and report.rows == expected
        yield lab.found("spaces", met, found=report.text or report.ran.told, expected=_listed(expected), how="real")


def _listed(rows: Mapping[str, int]) -> str:
    return "\n".join(f"{name} {number}" for name, number in rows.items())


def _bad_days(lab: Lab, bash: Bash) -> Iterator[Finding]:
    with bash.stage(lab, "report.sh") as stage:
        _incoming(stage, "33", spaces=False)
        report = _report(stage, "yesterday")
        yield _refused(lab, "no-folder", report)
    with bash.stage(lab, "report.sh") as stage:
        _incoming(stage, "34", spaces=False)
        report = _without_date(stage)
        yield _refused(lab, "no-date", report)
    with bash.stage(lab, "report.sh") as stage:
        _incoming(stage, "35", spaces=False)
        path = stage.folder / "incoming" / "old.csv.gz"
        whole = (stage.folder / "incoming" / "south.csv.gz").read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        report = _report(stage)
        fault = "went-on" if report.ran.code == 0 else "endless" if report.ran.code is None else ""
        yield lab.found("broken-file", not fault, found=report.ran.told, fault=fault, how="real")
        if not fault:
            yield lab.found("no-half-report", report.text is None, found=report.text or "", how="real")


def _refused(lab: Lab, criterion: str, report: _Report) -> Finding:
    """A run that had to end with an error and leave no report."""
    fault = (
        "endless" if report.ran.code is None else "went-on" if report.ran.ok else "left-report" if report.files else ""
    )
    found = ", ".join(report.files) if fault == "left-report" else report.ran.told
    return lab.found(criterion, not fault, found=found, fault=fault, how="real")


def _shellcheck(lab: Lab, bash: Bash) -> Finding:
    program = shutil.which("shellcheck", path=process.environment()["PATH"])
    if program is None:
        lab.missing["shellcheck"] = "package"
        return lab.waits("shellcheck", "shellcheck")
    with bash.stage(lab, "report.sh") as stage:
        options = ("--norc", "--shell=bash", "--severity=info", "--format=json1")
        ran = stage.program(program, *options, "report.sh")
    comments = json.loads(ran.out or "{}").get("comments", [])
    found = "\n".join(f"SC{comment['code']} line {comment['line']}" for comment in comments[:5])
    return lab.found("shellcheck", not comments and ran.ok, found=found or ran.told if comments else "", how="real")


# --- a gate that others can build on ---------------------------------------------------------------------------------


@judge("shell-script-gate")
def gate(lab: Lab) -> Iterator[Finding]:
    lab.text("gate.sh")
    bash: Bash | None = lab.backend("bash")
    if bash is None:
        return
    metric = lab.value("metric")
    with bash.stage(lab, "gate.sh") as stage:

        def run(*arguments: str, **values: str) -> Ran:
            stage.write("values.txt", "".join(f"{name} {value}\n" for name, value in values.items()))
            return stage.script("gate.sh", *arguments)

        decides = _decides(lab, run, metric)
        yield decides
        other = next(name for name in ("bias", "p95") if name != metric)
        passed = run("-m", other, "values.txt", "4", **{metric: "9", other: "3"})
        refused = run("-m", other, "values.txt", "2", **{metric: "1", other: "3"})
        met = (passed.code, refused.code) == (0, 1)
        yield lab.found("option", met, found=f"{passed.code}, {refused.code}", expected="0, 1", how="real")
        yield _usage(lab, [run(*arguments, **{metric: "1"}) for arguments in _MISUSES])
        asked = run("-h", **{metric: "1"})
        fault = "stderr" if asked.ok and not asked.out.strip() and asked.err.strip() else "code" if not asked.ok else ""
        met = asked.ok and bool(asked.out.strip())
        yield lab.found("help", met, found=_coded(asked), expected="exit 0", fault=fault, how="real")
        yield _undecided(lab, [run("nowhere.txt", "5"), run("values.txt", "5", rows="7")])
        if decides.result == "met":
            alike = {f"{metric}_train": "1.00", f"old_{metric}": "1.10", metric: "5.00", f"{metric}2": "1.20"}
            codes = [run("values.txt", limit, **alike).code for limit in ("2", "6")]
            yield lab.found("exact-name", codes == [1, 0], found=_codes(codes), expected="1, 0", how="real")


#: Ways to call the gate wrongly.
_MISUSES: tuple[tuple[str, ...], ...] = ((), ("values.txt",), ("values.txt", "5", "6"), ("-x", "values.txt", "5"))
#: A value, a limit, and the exit code.
_DECISIONS = (("4.25", "4.5", 0), ("4.25", "4.25", 0), ("4.25", "4.2", 1), ("10.5", "9", 1), ("9", "10.5", 0))


def _codes(codes: list[int | None]) -> str:
    return ", ".join("–" if code is None else str(code) for code in codes)


def _coded(ran: Ran) -> str:
    return f"exit {ran.code}: {(ran.err or ran.out).strip()}".rstrip(": ")


def _decides(lab: Lab, run: Any, metric: str) -> Finding:
    for value, limit, code in _DECISIONS:
        ran: Ran = run("values.txt", limit, **{metric: value})
        if ran.code != code:
            fault = ""
            if "integer" in ran.err:
                fault = "integers"
            elif {value, limit} == {"10.5", "9"}:
                fault = "text-compare"
            elif value == limit:
                fault = "at-limit"
            found, expected = f"{metric} {value}, {limit}: {_coded(ran)}", f"exit {code}"
            return lab.found("decides", False, found=found, expected=expected, fault=fault, how="real")
    return lab.found("decides", True, how="real")


def _usage(lab: Lab, runs: list[Ran]) -> Finding:
    for arguments, ran in zip(_MISUSES, runs, strict=True):
        fault = ""
        if ran.code != 2:
            fault = "code"
        elif ran.out.strip():
            fault = "stdout"
        elif not ran.err.strip():
            fault = "silent"
        if fault:
            found = " ".join(("gate.sh", *arguments)) + f": {_coded(ran)}"
            return lab.found("usage", False, found=found, expected="exit 2", fault=fault, how="real")
    return lab.found("usage", True, found=runs[0].err.strip(), how="real")


def _undecided(lab: Lab, runs: list[Ran]) -> Finding:
    """Without a value there is no decision: neither yes nor no."""
    for ran in runs:
        fault = {0: "silent-pass", 1: "looks-like-no"}.get(ran.code or 0, "") if ran.code != 2 else ""
        if not fault and not ran.err.strip():
            fault = "silent"
        if fault or ran.code != 2:
            return lab.found("no-value", False, found=_coded(ran), expected="exit 2", fault=fault, how="real")
    return lab.found("no-value", True, found=runs[0].err.strip(), how="real")


# --- a smoke test ----------------------------------------------------------------------------------------------------

#: How long, in seconds, the smoke test is told to wait, and by how much it may be late.
_PATIENCE, _GRACE = 3, 7


@dataclass(frozen=True)
class _Service:
    """A service as the smoke test meets it: whether each prediction that it was asked for was asked for rightly."""

    port: int
    predictions: list[bool]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@judge("shell-script-smoke-test")
def smoke_test(lab: Lab) -> Iterator[Finding]:
    lab.text("smoke.sh")
    bash: Bash | None = lab.backend("bash")
    if bash is None:
        return
    modes = {
        "late": "10",
        "error": str(_PATIENCE),
        "broken": str(_PATIENCE),
        "absent": str(_PATIENCE),
        "hang": str(_PATIENCE),
    }
    with ThreadPoolExecutor() as pool:
        runs = {mode: pool.submit(_smoke, lab, bash, mode, patience) for mode, patience in modes.items()}
        done = {mode: run.result() for mode, run in runs.items()}
    yield from _smoked(lab, done)


def _smoked(lab: Lab, done: Mapping[str, tuple[_Service, Ran]]) -> Iterator[Finding]:
    service, late = done["late"]
    waited = late.ok or bool(service.predictions)
    fault = "" if late.code is not None else "endless"
    yield lab.found("waits", waited, found=late.told, expected="exit 0", fault=fault or "too-early", how="real")
    predicted = any(service.predictions)
    if waited:
        fault = "body" if service.predictions else "not-asked"
        yield lab.found(
            "predicts", predicted and late.ok, found=late.told, fault="" if predicted else fault, how="real"
        )
    bad = ["error", "broken"] if predicted else ["error"]
    trusting = [mode for mode in bad if done[mode][1].code == 0]
    addresses = {"error": "/healthz 500", "broken": "/predict 500"}
    found = ", ".join(addresses[mode] for mode in trusting)
    yield lab.found("honest", not trusting, found=found, expected="exit 1", fault="trusts-errors", how="real")
    absent, hanging = done["absent"][1], done["hang"][1]
    fault = (
        "says-yes" if absent.ok else "too-long" if absent.code is None or absent.seconds > _PATIENCE + _GRACE else ""
    )
    yield lab.found("gives-up", not fault, found=_timed(absent), expected=f"{_PATIENCE} s", fault=fault, how="real")
    if fault != "too-long":
        fault = "says-yes" if hanging.ok else "hangs" if hanging.code is None else ""
        yield lab.found("no-hang", not fault, found=_timed(hanging), fault=fault, how="real")
    failed = {mode: done[mode] for mode in ("error", "absent") if done[mode][1].code not in (0, None)}
    if failed:
        dumb = next((pair for pair in failed.values() if f"127.0.0.1:{pair[0].port}" not in pair[1].err), None)
        fault = "" if dumb is None else "stdout" if str(dumb[0].port) in dumb[1].out else "silent"
        told = next(iter(failed.values()))[1] if dumb is None else dumb[1]
        yield lab.found("says-why", dumb is None, found=told.err.strip() or told.out.strip(), fault=fault, how="real")


def _timed(ran: Ran) -> str:
    return f"exit {ran.code}, {ran.seconds:.0f} s" if ran.code is not None else f"> {ran.seconds:.0f} s"


def _smoke(lab: Lab, bash: Bash, mode: str, patience: str) -> tuple[_Service, Ran]:
    names = [lab.value("distance_km"), "hour", lab.value("rain"), lab.value("stops")]
    with bash.stage(lab, "smoke.sh") as stage, _serving(mode, frozenset(names)) as service:
        stage.write("sh-request.json", json.dumps(dict(zip(names, (4.2, 18, True, 3), strict=True))))
        return service, stage.script("smoke.sh", service.url, patience, timeout=_PATIENCE + _GRACE + 8)


class _Server(ThreadingHTTPServer):
    """Bound at once, so that its port is its own; it listens when it is activated, if ever."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler, bind_and_activate=False)
        # HTTPServer would ask the network for the name of this machine.
        socketserver.TCPServer.server_bind(self)
        self.timeout = 0.1

    def handle_error(self, request: object, address: object) -> None:
        """A caller that hangs up is no news."""


@contextmanager
def _serving(mode: str, features: frozenset[str]) -> Iterator[_Service]:
    """A service that comes up late, answers with errors, hangs, or never comes up at all."""
    over = threading.Event()
    predictions: list[bool] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if mode == "hang":
                over.wait(60)
            elif self.path.rstrip("/") in {"/healthz", ""}:
                self._answer(500 if mode == "error" else 200, {"ok": mode != "error"})
            else:
                self._answer(404, {"detail": "Not Found"})

        def do_POST(self) -> None:
            raw = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 100_000))
            try:
                body = json.loads(raw)
            except ValueError:
                body = None
            right = self.path.rstrip("/") == "/predict" and isinstance(body, dict) and features <= set(body)
            predictions.append(right)
            self._answer(500 if mode == "broken" else 200 if right else 422, {"minutes": 31.4} if right else {})

        def _answer(self, status: int, body: Mapping[str, object]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with _Server(Handler) as server:

        def serve() -> None:
            if mode == "absent" or over.wait(2.5 if mode == "late" else 0):
                return
            server.server_activate()
            while not over.is_set():
                server.handle_request()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield _Service(int(server.socket.getsockname()[1]), predictions)
        finally:
            over.set()
            thread.join(timeout=5)
