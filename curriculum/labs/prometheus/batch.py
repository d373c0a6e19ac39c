"""Judge a nightly job by what it leaves at a gateway, and the alert on its staying away."""

from __future__ import annotations

import base64
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote

from curriculum.errors import AnswerError
from curriculum.labs import judge
from curriculum.labs import prometheus_config as scrape
from curriculum.labs.backends.prometheus import Prometheus, listening
from curriculum.labs.lab import Lab, fetch
from curriculum.labs.prometheus.rules import Play, actionable, read_rules
from curriculum.labs.prometheus.shared import Sample, listed, read_exposition, read_mapping
from curriculum.labs.prometheus.targets import targets_of
from curriculum.labs.prometheus_play import Moment, Situation, firing
from curriculum.outcome import Finding, How

#: The training of the check: it takes other times and rows than the one that is handed out.
_RETRAIN = """import os
import time


def retrain() -> int:
    time.sleep(0.35)
    if os.environ.get("NIGHT") == "bad":
        time.sleep(0.8)
        raise RuntimeError("the rows of today did not arrive")
    return 1234
"""
_SUCCESS, _RUN = "retrain_last_success_timestamp_seconds", "retrain_last_run_timestamp_seconds"


@judge("prometheus-batch-jobs")
def batch_jobs(lab: Lab) -> Iterator[Finding]:
    lab.text("nightly.py")
    prometheus = lab.backend("prometheus")
    config = read_mapping(lab, "prometheus.yml")
    if faults := list(scrape.config_faults(config)):
        raise AnswerError("answer-refused", file="prometheus.yml", problem=faults[0])
    rules = read_rules(lab, "rules.yml")
    if lab.live and lab.package("prometheus_client") is not None:
        yield from _nights(lab, prometheus)
    yield _honoured(lab, config)
    play = Play(lab, lab.text("rules.yml"), prometheus)
    hours = int(lab.number("hours"))
    late, alerts = firing(alertname="RetrainLate"), 'ALERTS{alertname="RetrainLate"}'
    gateway = 'up{job="pushgateway", instance="127.0.0.1:9091"}'
    success, run = f'{_SUCCESS}{{job="retrain"}}', f'{_RUN}{{job="retrain"}}'
    #: A good night at one o'clock, the next at one o'clock a day later, or never again.
    nightly = {gateway: "1x600", success: "_x14 3600x359 90000x500", run: "_x14 3600x359 90000x500"}
    stopped = {gateway: "1x600", success: "_x14 3600x600", run: "_x14 3600x600"}
    failing = {gateway: "1x600", run: "_x14 3600x359 90000x500"}
    silent = tuple(Moment(f"{hour}h", late, False) for hour in (12, hours, 36))

    def situation(series: Mapping[str, str], *moments: Moment) -> Situation:
        return Situation(series, moments, interval="4m", step="4m")

    yield from play.judged(
        {
            "late": {
                "jumpy": situation(nightly, *silent),
                "early": situation(stopped, Moment(f"{hours}h", late, False)),
                "deaf": situation(stopped, Moment(f"{hours + 2}h", late, shows=alerts)),
            },
            "never": {"deaf": situation(failing, Moment(f"{hours + 2}h", late, shows=alerts))},
        }
    )
    yield actionable(lab, rules)


def _nights(lab: Lab, prometheus: Prometheus | None) -> Iterator[Finding]:
    """Three nights, a good one, a bad one and another good one, and what the gateway shows after each."""
    real = prometheus if prometheus and prometheus.has_pushgateway else None
    how: How = "real" if real else "emulated"
    with lab.scratch() as folder, real.pushgateway() if real else gateway() as address:
        (folder / "prom_retrain.py").write_text(_RETRAIN, encoding="utf-8")

        def night(kind: str) -> tuple[float, bool, list[Sample]]:
            begun = time.time()
            run = lab.python("nightly.py", folder=folder, timeout=30, NIGHT=kind, PUSHGATEWAY=address)
            if run.code is None:
                raise AnswerError("answer-too-long", seconds=30)
            if kind == "good" and not run.ok:
                raise AnswerError("answer-fails", file="nightly.py", problem=run.last)
            return begun, run.ok, read_exposition(fetch(f"http://{address}/metrics").text)

        first, _, good = night("good")
        second, ended_well, bad = night("bad")
        _, _, again = night("good")
    succeeded, rows, took = (_value(good, name) for name in (_SUCCESS, "retrain_rows", "retrain_duration_seconds"))
    fault = (
        "nothing" if succeeded is None and rows is None
        else "name" if succeeded is None
        else "milliseconds" if succeeded > 1e11
        else "time" if not first - 1 <= succeeded <= second + 1
        else "rows" if rows != 1234
        else "duration"
    )  # fmt: skip
    fine = succeeded is not None and first - 1 <= succeeded <= second + 1 and rows == 1234
    yield lab.found(
        "success",
        fine and took is not None and 0.3 <= took <= 20,
        found="\n".join(f"{sample.name} {sample.value:.12g}" for sample in _pushed(good)) or "-",
        fault=fault,
        how=how,
    )
    if succeeded is not None:
        kept, ran, before = _value(bad, _SUCCESS), _value(bad, _RUN), _value(good, _RUN)
        fault = "wiped" if kept is None else "set-anyway" if kept != succeeded else "not-seen"
        yield lab.found(
            "bad-night",
            kept == succeeded and ran is not None and ran > (before or 0) and ran >= second - 1,
            found="\n".join(f"{sample.name} {sample.value:.12g}" for sample in _pushed(bad)) or "-",
            fault=fault,
            how=how,
        )
    yield lab.found("exit-code", not ended_well, found="0" if ended_well else "", expected="≠ 0", how="real")
    groups = {tuple(sorted((n, v) for n, v in s.labels.items() if v)) for s in again if s.name == "push_time_seconds"}
    if groups:
        names = {name for group in groups for name, _ in group}
        fault = "per-run" if len(groups) > 1 else "more-labels" if names - {"job"} else "job"
        yield lab.found(
            "one-group",
            groups == {(("job", "retrain"),)},
            found="\n".join(", ".join(f'{n}="{v}"' for n, v in group) for group in sorted(groups)),
            expected='job="retrain"',
            fault=fault,
            how=how,
        )


def _value(samples: Iterable[Sample], name: str) -> float | None:
    return max((sample.value for sample in samples if sample.name == name), default=None)


def _pushed(samples: Iterable[Sample]) -> list[Sample]:
    """What was pushed, without the gateway's own numbers."""
    return [
        s for s in samples if s.labels.get("job") and not s.name.startswith("push_") and not s.name.endswith("_created")
    ]


def _honoured(lab: Lab, config: Mapping[str, Any]) -> Finding:
    """A pushed series keeps its own label `job` on its way into Prometheus."""
    place = f"127.0.0.1:{lab.value('gateway_port')}"
    jobs = [job for job in scrape.jobs(config) if place in {target.address for target in targets_of(lab, job)}]
    stored: set[str] = set()
    for job in jobs:
        labels = {"__name__": _SUCCESS, "instance": place, "job": "retrain"}
        if not job.get("honor_labels"):
            labels |= {"exported_job": "retrain", "job": str(job.get("job_name", ""))}
        after = scrape.relabelled(labels, job.get("metric_relabel_configs") or [])
        stored.add((after or {}).get("job", ""))
    fault = "no-target" if not jobs else "overwritten"
    return lab.found("honor-labels", stored == {"retrain"}, found=listed(stored), expected="retrain", fault=fault)


@contextmanager
def gateway() -> Iterator[str]:
    """Something that takes pushes as the Pushgateway does, and shows them; gives its host and port."""
    groups: dict[tuple[tuple[str, str], ...], dict[str, list[Sample]]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._take(replace=True)

        def do_POST(self) -> None:
            self._take(replace=False)

        def do_DELETE(self) -> None:
            groups.pop(_group_of(self.path), None)
            self._answer(202)

        def do_GET(self) -> None:
            lines = []
            for group, families in groups.items():
                found = [sample for samples in families.values() for sample in samples]
                for name, labels, value in [
                    *((sample.name, {**sample.labels, **dict(group)}, sample.value) for sample in found),
                    ("push_time_seconds", dict(group), time.time()),
                ]:
                    inside = ",".join(f'{key}="{text}"' for key, text in labels.items())
                    lines.append(f"{name}{{{inside}}} {value!r}")
            self._answer(200, "\n".join(lines) + "\n")

        def _take(self, replace: bool) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            pushed = defaultdict[str, list[Sample]](list)
            try:
                for sample in read_exposition(body):
                    pushed[sample.family].append(sample)
            except ValueError:
                self._answer(400, "text format parsing error\n")
                return
            group = _group_of(self.path)
            groups[group] = {**({} if replace else groups.get(group, {})), **pushed}
            self._answer(200)

        def _answer(self, status: int, body: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with listening(Handler) as server:
        yield f"127.0.0.1:{server.server_port}"


def _group_of(path: str) -> tuple[tuple[str, str], ...]:
    """The group that the address of a push names: /metrics/job/retrain/shop/station."""
    parts = [unquote(part) for part in path.strip("/").split("/")[1:]]
    found = []
    for name, value in zip(parts[::2], parts[1::2], strict=False):
        if name.endswith("@base64"):
            value = base64.urlsafe_b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4)).decode()
        found.append((name.removesuffix("@base64"), value))
    return tuple(sorted(found))
