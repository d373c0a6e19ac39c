"""Prometheus and its companions, as far as they are installed: promtool, the server, Alertmanager, the Pushgateway.

    if prometheus := lab.backend("prometheus"):
        checked = prometheus.check_config(folder / "prometheus.yml")       # a process.Run
        with prometheus.server({"scrape_configs": [...]}) as server:       # on a free loopback port, in a folder of its own
            server.wait('up{job="x"} == 1', seconds=8)
            server.query("sum(rate(predictions_total[5m]))")               # a promql.Vector

promtool is the least there must be; whether the others are there, `has_server` … say. Everything that is started ends
with its block, and nothing of the learner's own Prometheus is asked or touched.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

from curriculum.labs import process
from curriculum.labs.lab import Lab, Missing, fetch, free_port
from curriculum.labs.promql import QueryError, Vector, labels_of

_Answer = TypeVar("_Answer")

#: How long a server may take until it is ready, in seconds.
PATIENCE = 20
#: Debian calls Alertmanager and the Pushgateway by longer names.
_PROGRAMS = {
    "promtool": ("promtool",),
    "server": ("prometheus",),
    "alertmanager": ("alertmanager", "prometheus-alertmanager"),
    "amtool": ("amtool",),
    "pushgateway": ("pushgateway", "prometheus-pushgateway"),
}


def find(lab: Lab) -> Prometheus:
    """The programs of Prometheus on the PATH. Raises Missing without promtool, or when it does not run."""
    path = process.environment()["PATH"]
    programs = {}
    for part, names in _PROGRAMS.items():
        if program := next((found for name in names if (found := shutil.which(name, path=path))), None):
            programs[part] = program
    if "promtool" not in programs:
        raise Missing("not-installed")
    try:
        works = process.run([programs["promtool"], "--version"], folder=Path(tempfile.gettempdir()), timeout=20).ok
    except OSError:
        works = False
    if not works:
        raise Missing("not-working")
    return Prometheus(programs)


@dataclass(frozen=True)
class Prometheus:
    """The programs that were found, by part: promtool, server, alertmanager, amtool, pushgateway."""

    programs: Mapping[str, str]

    @property
    def has_server(self) -> bool:
        return "server" in self.programs

    @property
    def has_alertmanager(self) -> bool:
        return "alertmanager" in self.programs

    @property
    def has_amtool(self) -> bool:
        return "amtool" in self.programs

    @property
    def has_pushgateway(self) -> bool:
        return "pushgateway" in self.programs

    # --- programs that end by themselves ---

    def check_config(self, file: Path) -> process.Run:
        """`promtool check config`: every field, and the rule files that it names."""
        return self._run("promtool", "check", "config", file.name, folder=file.parent)

    def check_rules(self, file: Path) -> process.Run:
        """`promtool check rules`."""
        return self._run("promtool", "check", "rules", file.name, folder=file.parent)

    def test_rules(self, file: Path, *, timeout: float = 60) -> process.Run:
        """`promtool test rules`: the tests of a file, with the rule files beside it."""
        return self._run("promtool", "test", "rules", file.name, folder=file.parent, timeout=timeout)

    def check_alertmanager(self, file: Path) -> process.Run:
        """`amtool check-config`."""
        return self._run("amtool", "check-config", file.name, folder=file.parent)

    def route(self, file: Path, labels: Mapping[str, str]) -> list[str]:
        """The receivers to which `amtool config routes test` sends an alert; empty when it refuses the file."""
        pairs = [f"{name}={value}" for name, value in labels.items()]
        run = self._run("amtool", "config", "routes", "test", f"--config.file={file.name}", *pairs, folder=file.parent)
        lines = [line for line in run.output.splitlines() if line.strip() and not line.startswith("Warning")]
        return [name.strip() for name in lines[-1].split(",")] if run.ok and lines else []

    def _run(self, part: str, *arguments: str, folder: Path, timeout: float = 60) -> process.Run:
        return process.run([self.programs[part], *arguments], folder=folder, timeout=timeout)

    # --- servers, each as long as its block ---

    @contextmanager
    def server(
        self, config: Mapping[str, Any] | None = None, *, openmetrics: str = "", beside: Path | None = None
    ) -> Iterator[Server]:
        """A Prometheus with this configuration, over the samples of an OpenMetrics text where one is given.

        Paths in the configuration are seen from the folder `beside`. Raises ServerError when it does not start.
        """
        with self._folder() as folder:
            data = folder / "data"
            if openmetrics:
                (folder / "seed.om").write_text(openmetrics, encoding="utf-8", newline="\n")
                seeded = self._run(
                    "promtool", "tsdb", "create-blocks-from", "openmetrics", "seed.om", "data", folder=folder
                )
                if not seeded.ok:
                    raise ServerError(seeded.last)
            file = (beside or folder) / f"{folder.name}.json"
            file.write_text(json.dumps(config or {}), encoding="utf-8")
            port = free_port()
            argv = [
                self.programs["server"],
                f"--config.file={file}",
                f"--storage.tsdb.path={data}",
                # Recorded data is old, and must still be there.
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=error",
            ]
            with _serving(argv, folder, f"http://127.0.0.1:{port}", "/-/ready") as (url, service):
                yield Server(url, service)

    @contextmanager
    def alertmanager(self, config: Mapping[str, Any]) -> Iterator[Alertmanager]:
        """An Alertmanager with this configuration. Raises ServerError when it does not start."""
        with self._folder() as folder:
            (folder / "alertmanager.json").write_text(json.dumps(config), encoding="utf-8")
            port = free_port()
            argv = [
                self.programs["alertmanager"],
                "--config.file=alertmanager.json",
                "--storage.path=data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ]
            with _serving(argv, folder, f"http://127.0.0.1:{port}", "/-/ready") as (url, service):
                yield Alertmanager(url, service)

    @contextmanager
    def pushgateway(self) -> Iterator[str]:
        """An empty Pushgateway; gives its host and port. Raises ServerError when it does not start."""
        with self._folder() as folder:
            address = f"127.0.0.1:{free_port()}"
            # Debian's gateway would otherwise read what another one has left behind.
            argv = [self.programs["pushgateway"], f"--web.listen-address={address}", "--persistence.file=data"]
            with _serving(argv, folder, f"http://{address}", "/-/ready"):
                yield address

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="curriculum-prometheus-", ignore_cleanup_errors=True) as name:
            yield Path(name)


class ServerError(Exception):
    """A server did not become ready; the text is what it said last."""


@contextmanager
def _serving(argv: Sequence[str], folder: Path, url: str, ready: str) -> Iterator[tuple[str, process.Service]]:
    with process.serving(argv, folder=folder) as service:
        end = time.monotonic() + PATIENCE
        while not fetch(url + ready, timeout=1).ok:
            if not service.running or time.monotonic() > end:
                lines = [line for line in service.log.splitlines() if line.strip()]
                raise ServerError(lines[-1] if lines else "not ready")
            time.sleep(0.03)
        yield url, service


@dataclass(frozen=True)
class Server:
    """A running Prometheus."""

    url: str
    service: process.Service

    def query(self, expr: str, at: float | None = None) -> Vector:
        """The result of a query now, or at a time in seconds; a scalar comes without labels. Raises QueryError."""
        reply = fetch(f"{self.url}/api/v1/query?{_form(query=expr, time=at)}", timeout=20).json()
        if not isinstance(reply, dict) or reply.get("status") != "success":
            raise QueryError(reply.get("error", "") if isinstance(reply, dict) else "no answer")
        kind, result = reply["data"]["resultType"], reply["data"]["result"]
        if kind == "scalar":
            return {(): float(result[1])}
        if kind != "vector":
            raise QueryError(f"expected instant vector, got {kind}")
        return {labels_of(sample["metric"]): float(sample["value"][1]) for sample in result}

    def targets(self) -> list[dict[str, Any]]:
        """The active targets, as the page /targets shows them: labels, scrapeUrl, health, lastError …"""
        reply = fetch(f"{self.url}/api/v1/targets?state=active").json()
        return list(reply["data"]["activeTargets"]) if isinstance(reply, dict) and "data" in reply else []

    def wait(self, expr: str, *, seconds: float) -> Vector:
        """The first result of a query that is not empty, or the empty one when it stays so for `seconds`."""
        return wait_for(lambda: self.query(expr), seconds=seconds)


@dataclass(frozen=True)
class Alertmanager:
    """A running Alertmanager."""

    url: str
    service: process.Service

    def post(self, alerts: Sequence[Mapping[str, str]]) -> bool:
        """Give it firing alerts, each as its labels."""
        body = [{"labels": dict(labels), "annotations": {"summary": labels.get("alertname", "")}} for labels in alerts]
        return fetch(f"{self.url}/api/v2/alerts", body).ok


@dataclass
class Inbox:
    """A loopback web hook: what it was sent, each with the path of its address. `url` has no slash at its end."""

    url: str
    received: list[tuple[str, Any]] = field(default_factory=list)


@contextmanager
def inbox() -> Iterator[Inbox]:
    """A web hook that takes whatever it is sent."""
    with ExitStack() as stack:

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                box.received.append((self.path.strip("/"), json.loads(raw or b"null")))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        server = stack.enter_context(listening(Handler))
        box = Inbox(f"http://127.0.0.1:{server.server_port}")
        yield box


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    """A web server of ours on a free loopback port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=2)


@contextmanager
def exposing(pages: Mapping[str, str]) -> Iterator[int]:
    """A service that shows texts under paths (`/metrics`) as a target does; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(urllib.parse.urlsplit(self.path).path)
            body = (page or "").encode()
            self.send_response(404 if page is None else 200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with listening(Handler) as server:
        yield server.server_port


def wait_for(ask: Callable[[], _Answer], *, seconds: float) -> _Answer:
    """Ask until the answer is something, or time is up; the last answer."""
    end = time.monotonic() + seconds
    while not (answer := ask()) and time.monotonic() < end:
        time.sleep(0.05)
    return answer


def _form(**values: Any) -> str:
    return urllib.parse.urlencode({name: value for name, value in values.items() if value is not None})
