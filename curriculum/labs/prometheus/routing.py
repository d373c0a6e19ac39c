"""Judge where alerts go, what is one message and what is kept quiet."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from curriculum.labs import judge
from curriculum.labs import prometheus_config as scrape
from curriculum.labs.backends.prometheus import Prometheus, ServerError, inbox, wait_for
from curriculum.labs.lab import Lab
from curriculum.labs.prometheus.shared import listed, read_mapping
from curriculum.outcome import Finding, How


@judge("prometheus-route-alerts")
def route_alerts(lab: Lab) -> Iterator[Finding]:
    config = read_mapping(lab, "alertmanager.yml")
    faults = list(scrape.alertmanager_faults(config))
    prometheus = lab.backend("prometheus")
    amtool = prometheus if prometheus and prometheus.has_amtool else None
    accepted = _accepted_routes(lab, faults, amtool)
    if lab.live or accepted.result != "met":
        yield accepted
    if accepted.result != "met":
        return
    job = lab.value("delivery-time")
    page, ticket = {"severity": "page"}, {"severity": "ticket"}
    alert, training = (
        {"alertname": "PredictionErrors", "job": job},
        {"alertname": "RetrainLate", "job": "training-nightly"},
    )
    with lab.scratch() as folder:

        def sent(labels: Mapping[str, str]) -> set[str]:
            if amtool:
                return {*amtool.route(folder / "alertmanager.yml", labels)}
            return {delivery.receiver for delivery in scrape.deliveries(config, labels)}

        how: How = "real" if amtool else "static"
        receivers = {name: sent(labels) for name, labels in {
            "page": {**alert, **page},
            "other-page": {"alertname": "DiskFull", **page},
            "training-page": {**training, **page},
            "training": {**training, **ticket},
            "other-training": {**training, "job": "training-weekly"},
            "ticket": {**alert, **ticket},
            "info": {**alert, "severity": "info"},
            "no-severity": {"alertname": "Watchdog"},
        }.items()}  # fmt: skip

    def findings() -> Iterator[Finding]:
        yield _routed(
            lab, "pages", receivers, {"page": {"oncall"}, "other-page": {"oncall"}, "training-page": {"oncall"}}, how
        )
        yield _routed(
            lab,
            "training",
            receivers,
            {"training": {"models"}, "other-training": {"models"}, "training-page": {"models"}},
            how,
        )
        yield _routed(
            lab, "default", receivers, {"ticket": {"queue"}, "info": {"queue"}, "no-severity": {"queue"}}, how
        )

    for finding in findings():
        if lab.live or finding.result != "met":
            yield finding
    pages = [one for one in scrape.deliveries(config, {**alert, **page}) if one.receiver == "oncall"]
    if pages:
        wait, repeat = pages[0].group_wait, pages[0].repeat_interval
        wanted = 3600 * lab.number("hours")
        fault = "repeat" if repeat != wanted else "wait"
        yield lab.found(
            "pace",
            wait <= 30 and repeat == wanted,
            found=f"group_wait {wait:g}s, repeat_interval {repeat / 3600:g}h",
            expected=f"group_wait ≤ 30s, repeat_interval {lab.value('hours')}h",
            fault=fault,
        )
    try:
        messages = _night(prometheus, config, alert | page) if prometheus and prometheus.has_alertmanager else None
    except ServerError:
        messages = None
    night_how: How = "static" if messages is None else "real"
    for finding in _night_findings(lab, _night_here(config, alert | page) if messages is None else messages, night_how):
        if lab.live or finding.result != "met":
            yield finding


def _accepted_routes(lab: Lab, faults: list[str], amtool: Prometheus | None) -> Finding:
    """Whether Alertmanager accepts the file: by amtool where it is there, else by our schema."""
    ok, found = not faults, listed(faults)
    if amtool:
        with lab.scratch() as folder:
            checked = amtool.check_alertmanager(folder / "alertmanager.yml")
        ok = checked.ok
        lines = [line.strip() for line in checked.output.partition("FAILED:")[2].splitlines()]
        found = "\n".join([line for line in lines if line and not line.startswith("amtool:")][:3])
    first = faults[0] if faults else ""
    name = first.rpartition(".")[2].partition("[")[0]
    fault = (
        "root-matchers" if first == "route.matchers"
        else "receiver" if name == "receiver"
        else "matchers" if name in ("matchers", "source_matchers", "target_matchers")
        else "unknown"
    )  # fmt: skip
    return lab.found("accepted", ok, found=found, fault=fault, how="real" if amtool else "static")


def _routed(
    lab: Lab, criterion: str, receivers: Mapping[str, set[str]], wanted: Mapping[str, set[str]], how: How
) -> Finding:
    """Whether alerts reach the receivers they should; only a page about training may have another one besides."""
    for name, names in wanted.items():
        found = receivers[name]
        allowed = {"oncall", "models"} if name == "training-page" else names
        if not (names <= found <= allowed):
            return lab.found(criterion, False, found=listed(found), expected=listed(names), fault=name, how=how)
    return lab.found(criterion, True, how=how)


def _incident(page: Mapping[str, str]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Alerts that fire at once, and those of them that are to be quiet: four copies fail in two ways, one job is down."""
    copies = [{**page, "instance": f"{name}:8000"} for name in "abcd"]
    slow = [{**copy, "alertname": "PredictionsSlow"} for copy in copies[:2]]
    elsewhere = [{**page, "job": "pricing", "instance": f"{name}:8000"} for name in "xy"]
    down = [{**page, "job": "search", "alertname": "PredictionServiceDown", "instance": "s:8000"}]
    quiet = [{**page, "job": "search", "instance": f"{name}:8000"} for name in "st"]
    return [*copies, *slow, *elsewhere, *down], quiet


Labelled = Mapping[str, str]


def _night_here(config: Mapping[str, Any], page: Labelled) -> list[list[Labelled]]:
    """The messages to `oncall` as Alertmanager would group them, without what it would keep quiet."""
    loud, quiet = _incident(page)
    messages = defaultdict[tuple[object, ...], list[Labelled]](list)
    for labels in [*loud, *quiet]:
        if not scrape.muted(config, labels, [*loud, *quiet]):
            for delivery in scrape.deliveries(config, labels):
                if delivery.receiver == "oncall":
                    messages[delivery.group(labels)].append(labels)
    return list(messages.values())


def _night(prometheus: Prometheus, config: Mapping[str, Any], page: Labelled) -> list[list[Labelled]]:
    """The messages to `oncall` that a real Alertmanager sends when it gets all alerts at once. Raises ServerError."""
    loud, quiet = _incident(page)
    with inbox() as box:
        hurried = {name: part for name, part in config.items() if name in ("route", "inhibit_rules")}
        hurried["route"] = _hurried(config["route"])
        hurried["receivers"] = [
            {"name": str(one["name"]), "webhook_configs": [{"url": f"{box.url}/{n}", "send_resolved": False}]}
            for n, one in enumerate(config["receivers"])
        ]
        number = next((str(n) for n, one in enumerate(config["receivers"]) if one["name"] == "oncall"), "")
        with prometheus.alertmanager(hurried) as alertmanager:
            alertmanager.post([*loud, *quiet])

            def arrived() -> int:
                return sum(len(body["alerts"]) for path, body in box.received if path == number)

            wait_for(lambda: arrived() >= len(loud), seconds=5)
            # What should be quiet would come with the rest, or a moment later.
            time.sleep(0.5)
        return [[alert["labels"] for alert in body["alerts"]] for path, body in box.received if path == number]


def _hurried(route: Mapping[str, Any]) -> dict[str, Any]:
    """A route that sends almost at once, and at any hour."""
    kept = {name: value for name, value in route.items() if not name.endswith("_time_intervals")}
    if "routes" in kept:
        kept["routes"] = [_hurried(child) for child in kept["routes"] or []]
    return {**kept, "group_wait": "600ms", "group_interval": "1m", "repeat_interval": "1h"}


def _night_findings(lab: Lab, messages: list[list[Labelled]], how: How) -> Iterator[Finding]:
    sent = [labels for message in messages for labels in message]
    if not sent:
        return
    of_search = [labels["alertname"] for labels in sent if labels.get("job") == "search"]
    others = {labels.get("job", "") for labels in sent if labels["alertname"] == "PredictionErrors"} - {"search"}
    fault = "not-inhibited" if "PredictionErrors" in of_search else "other-jobs" if len(others) < 2 else "down-too"
    yield lab.found(
        "quiet",
        of_search == ["PredictionServiceDown"] and len(others) == 2,
        found="\n".join(sorted({f"{labels['alertname']} {labels.get('job', '')}" for labels in sent})),
        fault=fault,
        how=how,
    )
    mixed = [m for m in messages if len({(labels["alertname"], labels.get("job", "")) for labels in m}) > 1]
    kinds = {(labels["alertname"], labels.get("job", "")) for labels in sent}
    yield lab.found(
        "one-message",
        not mixed and len(messages) == len(kinds),
        found=str(len(messages)),
        expected=str(len(kinds)),
        fault="mixed" if mixed else "split",
        how=how,
    )
