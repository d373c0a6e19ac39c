"""Judge a scrape configuration: what is read, how often, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from curriculum.labs import judge, promql
from curriculum.labs import prometheus_config as scrape
from curriculum.labs.backends.prometheus import Prometheus, ServerError, exposing, wait_for
from curriculum.labs.lab import Lab
from curriculum.labs.prometheus.shared import listed, read_mapping
from curriculum.outcome import Finding


@judge("prometheus-first-scrape")
def first_scrape(lab: Lab) -> Iterator[Finding]:
    config = read_mapping(lab, "prometheus.yml")
    prometheus = lab.backend("prometheus")
    accepted = _accepted(lab, config, prometheus)
    if lab.live or accepted.result != "met":
        yield accepted
    if accepted.result != "met":
        return
    jobs = {str(job.get("job_name")): job for job in scrape.jobs(config)}
    service, training = jobs.get(lab.value("delivery-time")), jobs.get("training")
    wanted = {f"127.0.0.1:{lab.value(name)}" for name in ("port", "second_port")}
    trainer = f"127.0.0.1:{lab.value('training_port')}"
    everywhere = {target.address for job in jobs.values() for target in targets_of(lab, job)}
    addresses = {target.address for target in targets_of(lab, service or {})}
    missing = wanted - addresses
    fault = (
        "no-job" if service is None and not wanted & everywhere
        else "two-jobs" if missing and missing <= everywhere
        else "one-copy" if missing
        else "mixed"
    )  # fmt: skip
    both = lab.found("both-copies", addresses == wanted, found=listed(addresses), expected=listed(wanted), fault=fault)
    yield both
    pages = {target.page for target in targets_of(lab, training or {})}
    page = f"{trainer}/internal/metrics"
    fault = "no-job" if training is None else "default-path" if f"{trainer}/metrics" in pages else "target"
    trained = lab.found("training-page", pages == {page}, found=listed(pages), expected=page, fault=fault)
    yield trained
    if service and training:
        usual = (config.get("global") or {}).get("scrape_interval", "1m")
        paces = [promql.seconds(job.get("scrape_interval") or usual) for job in (service, training)]
        fault = "everything" if paces[0] == paces[1] == lab.number("seconds") else ""
        yield lab.found(
            "pace",
            paces == [lab.number("seconds"), 60],
            found=" / ".join(f"{pace:g}s" for pace in paces if pace is not None),
            expected=f"{lab.value('seconds')}s / 60s",
            fault=fault,
        )
    if addresses & wanted:
        values = [
            target.stored.get("environment", "")
            for target in targets_of(lab, service or {})
            if target.address in wanted
        ]
        good = all(value == lab.value("environment") for value in values)
        outside = (config.get("global") or {}).get("external_labels") or {}
        fault = "external" if "environment" in outside else "one-copy" if len({*values}) == 2 else ""
        yield lab.found("environment", good, found=listed(values), expected=lab.value("environment"), fault=fault)
    if prometheus and prometheus.has_server and both.result == trained.result == "met":
        yield _all_up(lab, prometheus, config, wanted, trainer)


def _accepted(lab: Lab, config: Mapping[str, Any], prometheus: Prometheus | None) -> Finding:
    """Whether Prometheus accepts prometheus.yml: by promtool where it is there, else by our schema."""
    faults = list(scrape.config_faults(config))
    ok, found = not faults, listed(faults)
    if prometheus:
        with lab.scratch() as folder:
            checked = prometheus.check_config(folder / "prometheus.yml")
        ok, found = checked.ok, checked.last.removeprefix("FAILED: ")
    first = faults[0] if faults else ""
    fault = (
        "url" if ".targets[" in first
        else "name-twice" if first.endswith("job_name")
        else "timeout" if first.endswith("scrape_timeout")
        else "value" if first.rpartition(".")[2].partition("[")[0] in {*scrape.SCRAPE, *scrape.PROMETHEUS}
        else "unknown"
    )  # fmt: skip
    return lab.found("accepted", ok, found=found, fault=fault, how="real" if prometheus else "static")


@dataclass(frozen=True)
class Target:
    """What a job reads, and the labels that it gives what it read there."""

    address: str
    page: str
    stored: Mapping[str, str]


def targets_of(lab: Lab, job: Mapping[str, Any]) -> list[Target]:
    """The targets of a job after relabelling."""
    groups = list(job.get("static_configs") or [])
    for discovery in job.get("file_sd_configs") or []:
        for pattern in discovery.get("files") or []:
            for name in (name for name in lab.names() if Path(name).match(str(pattern))):
                groups += [group for document in lab.yaml(name) for group in document if isinstance(group, dict)]
    found = []
    for address, labels in scrape.static_targets({"static_configs": groups}):
        first = {
            "job": str(job.get("job_name", "")),
            "__address__": address,
            "__scheme__": str(job.get("scheme") or "http"),
            "__metrics_path__": str(job.get("metrics_path") or "/metrics"),
            **labels,
        }
        known = scrape.relabelled(first, job.get("relabel_configs") or [])
        if known is None:
            continue
        place = known.get("__address__", "").replace("localhost", "127.0.0.1")
        kept = {name: value for name, value in known.items() if not name.startswith("__")}
        sample = {"instance": place, **kept, "__name__": "predictions_total", "outcome": "ok"}
        stored = scrape.relabelled(sample, job.get("metric_relabel_configs") or [])
        found.append(Target(place, place + known.get("__metrics_path__", ""), stored or {}))
    return found


_PAGE = """# TYPE predictions_total counter
predictions_total{outcome="ok"} 3
"""


def _all_up(lab: Lab, prometheus: Prometheus, config: Mapping[str, Any], copies: set[str], trainer: str) -> Finding:
    """A Prometheus with the answer's jobs reads stand-ins at other ports."""
    try:
        text, good = _read_stand_ins(lab, prometheus, config, copies, trainer)
    except ServerError as error:
        text, good = str(error), False
    fault = "https" if "https://" in text or "HTTPS" in text else "not-found" if "404" in text else ""
    return lab.found("up", good, found=text, fault=fault, how="real")


def _read_stand_ins(
    lab: Lab, prometheus: Prometheus, config: Mapping[str, Any], copies: set[str], trainer: str
) -> tuple[str, bool]:
    with ExitStack() as stack:
        ports = {address: stack.enter_context(exposing({"/metrics": _PAGE})) for address in sorted(copies)}
        ports[trainer] = stack.enter_context(exposing({"/internal/metrics": _PAGE}))
        moved = {address: f"127.0.0.1:{port}" for address, port in ports.items()}
        jobs = [moved_job(lab, job, moved) for job in scrape.jobs(config)]
        folder = stack.enter_context(lab.scratch())
        server = stack.enter_context(prometheus.server({"scrape_configs": jobs}, beside=folder))
        wanted = {*moved.values()}

        def judged() -> list[dict[str, Any]]:
            targets = [t for t in server.targets() if urlsplit(t["scrapeUrl"]).netloc in wanted]
            return targets if len(targets) >= 3 and all(t["health"] != "unknown" for t in targets) else []

        targets = wait_for(judged, seconds=15)
        up = server.query("up == 1")
        errors = [str(target["lastError"]) for target in targets if target["health"] != "up"]
    text = "\n".join(errors) or ("" if len(up) >= 3 else f"up: {len(up)}")
    for address, other in moved.items():
        text = text.replace(other, address)
    return text, bool(targets) and not errors and len(up) >= 3


def moved_job(lab: Lab, job: Mapping[str, Any], moved: Mapping[str, str]) -> dict[str, Any]:
    """A job that reads stand-ins, and often: everything else about it as it is, but for what would ask others."""
    kept = {
        name: value
        for name, value in job.items()
        if not name.endswith("_sd_configs") and "proxy" not in name and name not in ("scrape_timeout", "oauth2")
    }
    groups = []
    for address, labels in scrape.static_targets(job):
        place = moved.get(address.replace("localhost", "127.0.0.1"))
        if place:
            groups.append({"targets": [place], "labels": labels})
    if not groups:
        groups = [{"targets": [moved[target.address]]} for target in targets_of(lab, job) if target.address in moved]
    there = {**kept, "static_configs": groups, "scrape_interval": "1s"}
    elsewhere = {target.address for target in targets_of(lab, there)} - {*moved.values()}
    return {**there, "static_configs": []} if elsewhere else there
