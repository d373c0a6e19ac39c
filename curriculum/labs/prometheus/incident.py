"""Judge an incident's findings, and the scrape that is to protect the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from curriculum.errors import AnswerError
from curriculum.labs import judge, prometheus_data
from curriculum.labs import prometheus_config as scrape
from curriculum.labs.backends.prometheus import Prometheus, ServerError, exposing
from curriculum.labs.lab import Lab
from curriculum.labs.prometheus.queries import Question, judged_queries
from curriculum.labs.prometheus.shared import close, listed, read_mapping
from curriculum.labs.prometheus.targets import moved_job, targets_of
from curriculum.labs.prometheus_data import Series
from curriculum.labs.promql import Vector, labels_of
from curriculum.outcome import Finding, How

_RUNAWAY = prometheus_data.RUNAWAY
#: A copy without the runaway metric shows fewer samples than this.
_USUAL = 60


@judge("prometheus-cardinality-and-incident")
def cardinality_and_incident(lab: Lab) -> Iterator[Finding]:
    report = read_mapping(lab, "incident.yml")
    version, guilty = str(report.get("version") or "").strip(), prometheus_data.guilty_version()
    fault = {"1.8": "old", "2.0": "by-mean"}.get(version, "")
    yield lab.found("culprit", version.lstrip("v") == guilty, found=version or "-", fault=fault)
    runaway = [str(report.get(name) or "").strip() for name in ("metric", "label")]
    fault = "histogram" if runaway[0].startswith("prediction_seconds") else "label" if runaway[0] == _RUNAWAY[0] else ""
    yield lab.found("widest", tuple(runaway) == _RUNAWAY, found=" ".join(runaway).strip() or "-", fault=fault)
    joined = "* on (instance) group_left (version) prediction_build_info"
    buckets = "prediction_seconds_bucket"
    questions = {
        "p99-by-version": Question(
            f"histogram_quantile(0.99, sum by (le, version) (rate({buckets}[30m]) {joined}))",
            ("version",),
            {
                "overall": f"histogram_quantile(0.99, sum by (le) (rate({buckets}[30m])))",
                "per-copy": f"histogram_quantile(0.99, sum by (le, instance) (rate({buckets}[30m])))",
                "per-copy-joined": f"histogram_quantile(0.99, rate({buckets}[30m]) {joined})",
                "mean": f"sum by (version) (rate(prediction_seconds_sum[30m]) {joined})"
                f" / sum by (version) (rate(prediction_seconds_count[30m]) {joined})",
                "since-start": f"histogram_quantile(0.99, sum by (le, version) ({buckets} {joined}))",
                "p95": f"histogram_quantile(0.95, sum by (le, version) (rate({buckets}[30m]) {joined}))",
                "window": f"histogram_quantile(0.99, sum by (le, version) (rate({buckets}[1h]) {joined}))",
            },
            told=False,
        ),
        "series-by-metric": Question(
            'count by (__name__) ({__name__=~".+"})',
            ("__name__",),
            {
                "all-together": 'count({__name__=~".+"})',
                "values": 'sum by (__name__) ({__name__=~".+"})',
                "one-metric": tuple(
                    f"count{by} ({name})" for by in ("", " by (__name__)") for name in (_RUNAWAY[0], buckets)
                ),
            },
            largest=True,
            told=False,
        ),
    }
    hours = [prometheus_data.incident(seed, job=lab.value("delivery-time")) for seed in (0, 1)]
    asked = {name: str(report.get(name) or "").strip() for name in questions}
    yield from judged_queries(lab, asked, questions, hours, prometheus_data.INCIDENT_AT)
    yield from _protected(lab)


def _protected(lab: Lab) -> Iterator[Finding]:
    """What a scrape of the newest version leaves behind, and how much it may bring."""
    config = read_mapping(lab, "prometheus.yml")
    prometheus = lab.backend("prometheus")
    if prometheus:
        with lab.scratch() as folder:
            checked = prometheus.check_config(folder / "prometheus.yml")
        if not checked.ok:
            raise AnswerError("answer-refused", file="prometheus.yml", problem=checked.last.removeprefix("FAILED: "))
    elif faults := list(scrape.config_faults(config)):
        raise AnswerError("answer-refused", file="prometheus.yml", problem=faults[0])
    place = f"127.0.0.1:{lab.value('port')}"
    job = next((j for j in scrape.jobs(config) if place in {target.address for target in targets_of(lab, j)}), None)
    if job is None:
        raise AnswerError("answer-refused", file="prometheus.yml", problem=f"targets: {place}")
    shown_page = prometheus_data.page(1)
    real = prometheus if prometheus and prometheus.has_server else None
    scraped = _scraped(lab, real, job, shown_page) if real else None
    how: How = "static" if scraped is None else "real"
    for finding in _kept(lab, _stored(job, shown_page) if scraped is None else scraped, shown_page, job, how):
        if lab.live or finding.result != "met":
            yield finding
    limit = job.get("sample_limit") or (config.get("global") or {}).get("sample_limit") or 0
    most = int(lab.number("budget"))
    fault = "none" if not limit else "high" if limit > most else "low"
    yield lab.found("budget", _USUAL <= limit <= most, found=limit or "-", expected=f"≤ {most}", fault=fault)


def _kept(lab: Lab, stored: Vector, page: list[Series], job: Mapping[str, Any], how: How) -> Iterator[Finding]:
    left = [labels for labels in stored if dict(labels).get("__name__") == _RUNAWAY[0]]
    merged = bool(left) and not any(_RUNAWAY[1] in dict(labels) for labels in left)
    early = any("__name__" in (rule.get("source_labels") or []) for rule in job.get("relabel_configs") or [])
    fault = "labeldrop" if merged else "too-early" if early else "all" if len(left) > 300 else "some"
    yield lab.found("dropped", not left, found=f"{_RUNAWAY[0]}: {len(left)}", fault=fault, how=how)
    missing = []
    for one in (one for one in page if one.name != _RUNAWAY[0]):
        own = {*labels_of({**one.labels, "__name__": one.name})}
        if not any(own <= {*labels} and close(value, one.samples[-1][1]) for labels, value in stored.items()):
            missing.append(one.name)
    everything = len({*missing}) == len({one.name for one in page}) - 1
    fault = "everything" if everything else "merged" if {*missing} == {"prediction_seconds_bucket"} else "some"
    yield lab.found("kept", not missing, found=listed({*missing}) if missing else "", fault=fault, how=how)


def _stored(job: Mapping[str, Any], page: list[Series]) -> Vector:
    """What relabelling leaves of a page, worked out here."""
    found: Vector = {}
    for one in page:
        labels = {**one.labels, "__name__": one.name, "job": str(job.get("job_name")), "instance": "-"}
        after = scrape.relabelled(labels, job.get("metric_relabel_configs") or [])
        if after and after.get("__name__"):
            found.setdefault(labels_of(after), one.samples[-1][1])
    return found


def _scraped(lab: Lab, prometheus: Prometheus, job: Mapping[str, Any], page: list[Series]) -> Vector | None:
    """What a real scrape of a page leaves behind; None when the scrape fails, which says nothing about the labels."""
    path = str(job.get("metrics_path") or "/metrics")
    place = f"127.0.0.1:{lab.value('port')}"
    limits = {name for name in job if name.endswith("_limit")}
    with ExitStack() as stack:
        port = stack.enter_context(exposing({path: prometheus_data.exposition(page)}))
        moved = moved_job(lab, {k: v for k, v in job.items() if k not in limits}, {place: f"127.0.0.1:{port}"})
        folder = stack.enter_context(lab.scratch())
        try:
            server = stack.enter_context(prometheus.server({"scrape_configs": [moved]}, beside=folder))
        except ServerError:
            return None
        if not server.wait("scrape_duration_seconds > 0", seconds=15):
            return None
        if not server.query("up == 1"):
            return None
        return server.query('{__name__=~".+", __name__!~"up|scrape_.*"}')
