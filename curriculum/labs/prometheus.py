"""The judges of the exercises on Prometheus.

Rules and queries are judged by what they answer, with our own evaluator; where Prometheus is installed it has the last
word. So the quick pass says what is wrong at once, and leaves what looks right to the full pass.
"""

from __future__ import annotations

import base64
import json
import math
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from curriculum.errors import AnswerError
from curriculum.labs import judge, prometheus_data, promql
from curriculum.labs import prometheus_config as scrape
from curriculum.labs.backends.prometheus import Prometheus, ServerError, exposing, inbox, listening, wait_for
from curriculum.labs.lab import Lab, fetch
from curriculum.labs.prometheus_data import Series
from curriculum.labs.prometheus_play import Moment, Situation, amiss, firing, played
from curriculum.labs.promql import QueryError, Unsupported, Vector, labels_of
from curriculum.outcome import Finding, How


def read_mapping(lab: Lab, file: str) -> dict[str, Any]:
    """The one mapping of a YAML file, without the fields that hold nothing. Raises AnswerError."""
    documents = lab.yaml(file)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise AnswerError("answer-syntax", file=file, line=1, problem="expected one mapping")
    kept = scrape.without_nulls(documents[0])
    assert isinstance(kept, dict)
    return kept


# --- prometheus-instrument ---


@dataclass(frozen=True)
class Sample:
    """One line of an exposition, with its metric and the type of that."""

    family: str
    kind: str
    name: str
    labels: Mapping[str, str]
    value: float


def read_exposition(text: str) -> list[Sample]:
    """The lines of a text as /metrics shows it. Raises ValueError."""
    from prometheus_client import parser

    read: Any = parser.text_string_to_metric_families
    return [
        Sample(family.name, family.type, sample.name, sample.labels, float(sample.value))
        for family in read(text)
        for sample in family.samples
    ]


def run_program(lab: Lab, folder: Path, file: str, *arguments: str, timeout: float = 60, **env: str) -> None:
    """Run a program of the answer to a good end. Raises AnswerError."""
    run = lab.python(file, *arguments, folder=folder, timeout=timeout, **env)
    if run.code is None:
        raise AnswerError("answer-too-long", seconds=round(timeout))
    if not run.ok:
        raise AnswerError("answer-fails", file=file, problem=run.last[:300])


#: The numbers of the requests that the starter plays, and how long the eight good ones wait together, in seconds.
_REQUESTS = {f"r-{number}" for number in range(1001, 1011)}
_DISTANCES = {"3.2", "7.5", "-4.0", "1.1", "12.0", "5.4", "9.9", "480.0", "2.7", "6.3"}
_WAITS = {"0.02", "0.01", "0.03", "0.45", "0.12"}


@judge("prometheus-instrument")
def instrument(lab: Lab) -> Iterator[Finding]:
    text = lab.text("metrics.py")
    if not lab.live or lab.package("prometheus_client") is None:
        return
    with lab.scratch() as folder:
        shown = folder / "metrics.prom"
        shown.unlink(missing_ok=True)
        run_program(lab, folder, "metrics.py", timeout=30)
        if not shown.is_file():
            yield lab.found("types", False, fault="no-file")
            return
        samples = read_exposition(shown.read_text(encoding="utf-8"))
    counted = [sample for sample in samples if sample.name == "predictions_total"]
    buckets = [sample for sample in samples if sample.name == "prediction_seconds_bucket"]
    spent = sum(sample.value for sample in samples if sample.name == "prediction_seconds_sum")
    observed = sum(sample.value for sample in samples if sample.name == "prediction_seconds_count")
    kinds = {sample.name: sample.kind for sample in samples}
    count_kind, seconds_kind = kinds.get("predictions_total", ""), kinds.get("prediction_seconds_count", "")
    fault = "gauge" if count_kind == "gauge" else "summary" if seconds_kind == "summary" else ""
    if not seconds_kind and "prediction_seconds" in text:
        fault = fault or "other-registry"
    yield lab.found(
        "types",
        count_kind == "counter" and seconds_kind == "histogram",
        found=f"predictions_total: {count_kind or '-'}, prediction_seconds: {seconds_kind or '-'}",
        expected="predictions_total: counter, prediction_seconds: histogram",
        fault=fault,
        how="real",
    )
    if counted:
        total = sum(sample.value for sample in counted)
        yield lab.found(
            "failures-counted",
            total == 10,
            found=f"{total:g}",
            expected="10",
            fault="only-successes" if total == 8 else "twice" if total > 10 else "",
            how="real",
        )
        words = {sample.labels.get("outcome", "") for sample in counted}
        yield lab.found(
            "outcome-label",
            words <= {"ok", "error"},
            found=", ".join(sorted(word or "-" for word in words)),
            expected="ok, error",
            fault="no-label" if words == {""} else "other-words",
            how="real",
        )
    if counted or buckets:
        yield _bounded(lab, samples)
    if seconds_kind in ("histogram", "summary"):
        fault = "milliseconds" if spent > 100 else "unused" if observed < 8 else "arithmetic-only"
        good = 0.65 <= spent <= 5 and 8 <= observed <= 10
        yield lab.found("seconds", good, found=f"count {observed:g}, sum {spent:.2f}", fault=fault, how="real")
    if buckets:
        bounds = sorted({float(sample.labels["le"]) for sample in buckets})
        wanted = lab.number("budget")
        fault = "milliseconds" if 1000 * wanted in bounds else "defaults" if 0.005 in bounds and 7.5 in bounds else ""
        shown_bounds = ", ".join(f"{bound:g}" for bound in bounds)
        yield lab.found(
            "budget-bucket", wanted in bounds, found=shown_bounds, expected=f"{wanted:g}", fault=fault, how="real"
        )


def _bounded(lab: Lab, samples: list[Sample]) -> Finding:
    """No label differs from request to request."""
    values = defaultdict[str, set[str]](set)
    for sample in samples:
        for name, value in sample.labels.items():
            if name != "le":
                values[name].add(value)
    for name, seen in values.items():
        numbers = len({_plain(value) for value in seen} & {_plain(value) for value in _DISTANCES | _WAITS})
        ids = any(number in value or number.removeprefix("r-") == value for value in seen for number in _REQUESTS)
        if ids or numbers >= 4:
            found = f"{name}: {', '.join(sorted(seen))}"
            return lab.found("bounded-labels", False, found=found, fault="id" if ids else "number", how="real")
    return lab.found("bounded-labels", True, found=", ".join(sorted(values)), how="real")


def _plain(value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        return value
    return f"{number:g}" if math.isfinite(number) else value


# --- prometheus-first-scrape ---


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
    everywhere = {target.address for job in jobs.values() for target in _targets(lab, job)}
    addresses = {target.address for target in _targets(lab, service or {})}
    missing = wanted - addresses
    fault = (
        "no-job" if service is None and not wanted & everywhere
        else "two-jobs" if missing and missing <= everywhere
        else "one-copy" if missing
        else "mixed"
    )  # fmt: skip
    both = lab.found(
        "both-copies", addresses == wanted, found=_listed(addresses), expected=_listed(wanted), fault=fault
    )
    yield both
    pages = {target.page for target in _targets(lab, training or {})}
    page = f"{trainer}/internal/metrics"
    fault = "no-job" if training is None else "default-path" if f"{trainer}/metrics" in pages else "target"
    trained = lab.found("training-page", pages == {page}, found=_listed(pages), expected=page, fault=fault)
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
            target.stored.get("environment", "") for target in _targets(lab, service or {}) if target.address in wanted
        ]
        good = all(value == lab.value("environment") for value in values)
        outside = (config.get("global") or {}).get("external_labels") or {}
        fault = "external" if "environment" in outside else "one-copy" if len({*values}) == 2 else ""
        yield lab.found("environment", good, found=_listed(values), expected=lab.value("environment"), fault=fault)
    if prometheus and prometheus.has_server and both.result == trained.result == "met":
        yield _all_up(lab, prometheus, config, wanted, trainer)


def _accepted(lab: Lab, config: Mapping[str, Any], prometheus: Prometheus | None) -> Finding:
    """Whether Prometheus accepts prometheus.yml: by promtool where it is there, else by our schema."""
    faults = list(scrape.config_faults(config))
    ok, found = not faults, _listed(faults)
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


def _targets(lab: Lab, job: Mapping[str, Any]) -> list[Target]:
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


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(sorted(part or "-" for part in parts)) or "-"


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
        jobs = [_moved(lab, job, moved) for job in scrape.jobs(config)]
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


def _moved(lab: Lab, job: Mapping[str, Any], moved: Mapping[str, str]) -> dict[str, Any]:
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
        groups = [{"targets": [moved[target.address]]} for target in _targets(lab, job) if target.address in moved]
    there = {**kept, "static_configs": groups, "scrape_interval": "1s"}
    elsewhere = {target.address for target in _targets(lab, there)} - {*moved.values()}
    return {**there, "static_configs": []} if elsewhere else there


# --- prometheus-first-queries ---


@dataclass(frozen=True)
class Question:
    """What is asked of a query: a right one, the labels that tell its results apart, and wrong ones by their fault."""

    right: str
    labels: tuple[str, ...] = ()
    faults: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    #: Whether the values count too, and not only for which labels there are any.
    values: bool = True
    #: Whether the largest ones are enough.
    largest: bool = False
    #: Whether to show what a right query answers. It would give another criterion away where it is to be found out.
    told: bool = True


@judge("prometheus-first-queries")
def first_queries(lab: Lab) -> Iterator[Finding]:
    rain, quantile, budget = (lab.value(name) for name in ("rain", "quantile", "budget"))
    total, errors = "predictions_total", 'predictions_total{outcome="error"}'
    buckets = "prediction_seconds_bucket"
    within = f'sum(rate({buckets}{{le="{budget}"}}[10m])) / sum(rate(prediction_seconds_count[10m]))'
    questions = {
        "speed": Question(
            f"sum(rate({total}[5m]))",
            faults={
                "since-start": f"sum({total})",
                "raw": total,
                "per-series": f"rate({total}[5m])",
                "per-copy": f"sum by (instance) (rate({total}[5m]))",
                "not-per-second": f"sum(increase({total}[5m]))",
                "window": f"sum(rate({total}[10m]))",
                "mean": f"avg(rate({total}[5m]))",
            },
        ),
        "split": Question(
            f"sum by ({rain}) (rate({total}[5m]))",
            (rain,),
            {
                "since-start": f"sum by ({rain}) ({total})",
                "all-labels": f"rate({total}[5m])",
                "no-label": f"sum(rate({total}[5m]))",
                "without": f"sum without ({rain}) (rate({total}[5m]))",
                "window": f"sum by ({rain}) (rate({total}[10m]))",
            },
        ),
        "failed": Question(
            f"sum(rate({errors}[10m])) / sum(rate({total}[10m]))",
            faults={
                "since-start": f"sum({errors}) / sum({total})",
                "percent": f"100 * sum(rate({errors}[10m])) / sum(rate({total}[10m]))",
                "ones": tuple(
                    f"{over}(rate({errors}[10m]) / rate({total}[10m]))" for over in ("", "sum", "avg", "max")
                ),
                "mean-of-shares": f"avg(sum by (instance) (rate({errors}[10m])) / sum by (instance) (rate({total}[10m])))",
                "per-copy": f"sum by (instance) (rate({errors}[10m])) / sum by (instance) (rate({total}[10m]))",
                "against-ok": f'sum(rate({errors}[10m])) / sum(rate({total}{{outcome="ok"}}[10m]))',
                "window": f"sum(rate({errors}[5m])) / sum(rate({total}[5m]))",
            },
        ),
        "slow": Question(
            f"histogram_quantile({quantile}, sum by (le) (rate({buckets}[10m])))",
            faults={
                "since-start": f"histogram_quantile({quantile}, sum by (le) ({buckets}))",
                "per-copy": f"histogram_quantile({quantile}, rate({buckets}[10m]))",
                "mean-of-copies": f"avg(histogram_quantile({quantile}, rate({buckets}[10m])))",
                "worst-copy": f"max(histogram_quantile({quantile}, rate({buckets}[10m])))",
                "percent": f"histogram_quantile(100 * {quantile}, sum by (le) (rate({buckets}[10m])))",
                "mean": "sum(rate(prediction_seconds_sum[10m])) / sum(rate(prediction_seconds_count[10m]))",
                "window": f"histogram_quantile({quantile}, sum by (le) (rate({buckets}[5m])))",
            },
        ),
        "kept": Question(
            within,
            faults={
                "late": f"1 - {within}",
                "percent": f"100 * {within}",
                "since-start": f'sum({buckets}{{le="{budget}"}}) / sum(prediction_seconds_count)',
                "ones": f'rate({buckets}{{le="{budget}"}}[10m]) / rate(prediction_seconds_count[10m])',
                "not-a-share": f'sum(rate({buckets}{{le="{budget}"}}[10m]))',
                "le-against-none": f'sum by (le) (rate({buckets}{{le="{budget}"}}[10m])) / sum(rate(prediction_seconds_count[10m]))',
                "window": within.replace("10m", "5m"),
            },
        ),
        "silent": Question(
            "up == 0",
            ("instance",),
            {
                "all-copies": "up",
                "as-bool": "up == bool 0",
                "up-ones": "up == 1",
                "counted": "count(up == 0)",
                "name-lost": "sum(up == 0)",
            },
            values=False,
        ),
    }
    asked = _queries(lab, "queries.yml", questions)
    hours = [prometheus_data.hour(seed, job=lab.value("delivery-time"), rain=rain) for seed in (0, 1)]
    yield from judged_queries(lab, asked, questions, hours, prometheus_data.HOUR_AT)


def _queries(lab: Lab, file: str, names: Iterable[str]) -> dict[str, str]:
    """The queries of a YAML file by name; an empty text where one is missing. Raises AnswerError."""
    given = read_mapping(lab, file)
    return {name: str(given.get(name) or "").strip() for name in names}


def judged_queries(
    lab: Lab, asked: Mapping[str, str], questions: Mapping[str, Question], data: list[list[Series]], at: float
) -> Iterator[Finding]:
    """The findings on queries over the data that was handed out, and over other data like it.

    In the quick pass only what is wrong is said: Prometheus may know better.
    """
    with _answering(lab, data, at) as (ask, how):
        for criterion, question in questions.items():
            try:
                if ask is None:
                    yield lab.waits(criterion, "promql_parser")
                    continue
                finding = _judged_query(lab, criterion, asked[criterion], question, ask, how)
            except Unsupported:
                # Only Prometheus can tell.
                if lab.live:
                    yield lab.waits(criterion, "prometheus")
                continue
            if lab.live or finding.result != "met":
                yield finding


#: The result of a query over the n-th data.
Ask = Callable[[str, int], Vector]


@contextmanager
def _answering(lab: Lab, data: list[list[Series]], at: float) -> Iterator[tuple[Ask | None, How]]:
    """Prometheus over the data, where it is there; else our own evaluator."""
    prometheus, day = lab.backend("prometheus"), 86_400
    with ExitStack() as stack:
        server = None
        if prometheus and prometheus.has_server:
            texts = [prometheus_data.openmetrics(series, later=n * day) for n, series in enumerate(data)]
            with suppress(ServerError):
                server = stack.enter_context(prometheus.server(openmetrics=prometheus_data.together(*texts)))
        if server:
            yield (lambda query, n: server.query(query, at + n * day)), "real"
        elif lab.package("promql_parser") is None:
            yield None, "static"
        else:
            own = [prometheus_data.data_of(series) for series in data]
            yield (lambda query, n: promql.query(query, own[n], at)), "static"


def _judged_query(lab: Lab, criterion: str, query: str, question: Question, ask: Ask, how: How) -> Finding:
    right = ask(question.right, 0)
    expected = shown(right, question.labels) if question.told else ""
    if not query:
        return lab.found(criterion, False, found="-", expected=expected, how=how)
    try:
        answer = ask(query, 0)
    except QueryError as error:
        problem = str(error).removeprefix('invalid parameter "query": ')
        return lab.found(criterion, False, found=problem, expected=expected, how=how)
    if not _same(answer, right, question):
        fault = _fault(answer, question, ask) if answer else "empty"
        return lab.found(criterion, False, found=shown(answer), expected=expected, fault=fault, how=how)
    # A number that was read off, or a copy that was named, is no answer for other data.
    general = _same(_tried(ask, query, 1), ask(question.right, 1), question)
    return lab.found(criterion, general, found=query, fault="this-data-only", how=how)


def _fault(answer: Vector, question: Question, ask: Ask) -> str:
    """The fault whose wrong query answers the same."""
    for name, wrong in question.faults.items():
        queries = (wrong,) if isinstance(wrong, str) else wrong
        if any(_equal(answer, _tried(ask, query, 0)) for query in queries):
            return name
    return ""


def _tried(ask: Ask, query: str, n: int) -> Vector:
    try:
        return ask(query, n)
    except QueryError:
        return {}


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9) or (math.isnan(one) and math.isnan(other))


def _equal(one: Vector, other: Vector) -> bool:
    """Whether two results are the same, names of metrics aside."""
    if len(one) != len(other) or not one:
        return False
    left, right = (sorted((_bare(labels), value) for labels, value in vector.items()) for vector in (one, other))
    return all(a == b and _close(x, y) for (a, x), (b, y) in zip(left, right, strict=True))


def _bare(labels: promql.Labels) -> promql.Labels:
    return tuple(pair for pair in labels if pair[0] != "__name__")


def _same(answer: Vector, right: Vector, question: Question) -> bool:
    """Whether a result says what the right one says: further labels do no harm as long as each value stands once."""

    def told_apart(vector: Vector) -> list[tuple[list[str], float]]:
        return sorted(
            ([dict(labels).get(name, "") for name in question.labels], value if question.values else 0.0)
            for labels, value in vector.items()
        )

    one, other = told_apart(answer), told_apart(right)
    if question.largest and answer:
        highest = max(value for _, value in other)
        return (
            len(one) == len({*map(str, one)})
            and all(entry in other for entry in one)
            and any(v == highest for _, v in one)
        )
    return len(one) == len(other) and all(a == b and _close(x, y) for (a, x), (b, y) in zip(one, other, strict=True))


def shown(vector: Vector, names: tuple[str, ...] | None = None) -> str:
    """A result as a query window shows it, cut after some lines."""
    lines = []
    for labels, value in sorted(vector.items()):
        known = {name: text for name, text in labels if not names or name in names}
        metric = known.pop("__name__", "")
        inside = "{" + ", ".join(f'{name}="{text}"' for name, text in known.items()) + "}" if known else ""
        lines.append(f"{metric}{inside} {value:.6g}".strip())
    return "\n".join([*lines[:6], f"… ({len(lines)})"] if len(lines) > 6 else lines) or "{}"


# --- rules ---


def read_rules(lab: Lab, file: str) -> list[dict[str, Any]]:
    """The rules of a file, once it can be loaded. Raises AnswerError."""
    document = read_mapping(lab, file)
    if prometheus := lab.backend("prometheus"):
        with lab.scratch() as folder:
            checked = prometheus.check_rules(folder / file)
        if not checked.ok:
            raise AnswerError("answer-refused", file=file, problem=checked.last)
    elif faults := list(scrape.rule_faults(document)):
        problem = faults[0]
        if problem.endswith(".expr") and (text := _at(document, problem)):
            problem = f"{problem}: {_refusal(str(text))}"
        raise AnswerError("answer-refused", file=file, problem=problem)
    return [rule for group in document.get("groups") or [] for rule in group.get("rules") or []]


def _refusal(expr: str) -> str:
    try:
        promql.parse(expr)
    except (QueryError, Unsupported) as error:
        return str(error)
    return ""


def _at(value: Any, path: str) -> Any:
    for part in path.replace("]", "").replace("[", ".").split("."):
        value = value[int(part)] if part.isdecimal() else value.get(part)
    return value


@dataclass(frozen=True)
class Play:
    """Somebody's rules, ready for situations; see `play`."""

    lab: Lab
    rules: str
    prometheus: Prometheus | None

    def judged(self, criteria: Mapping[str, Mapping[str, Situation]]) -> Iterator[Finding]:
        """The finding on each criterion: rules do right in all its situations; the first that goes wrong is the fault.

        In the quick pass only what is wrong is said: promtool may know better.
        """
        # What plays with the same series is played once, for all moments together.
        together = defaultdict[tuple[int, str, str], list[Situation]](list)
        for situation in (situation for situations in criteria.values() for situation in situations.values()):
            together[id(situation.series), situation.interval, situation.step].append(situation)
        whole = [
            replace(parts[0], moments=tuple(dict.fromkeys(moment for part in parts for moment in part.moments)))
            for parts in together.values()
        ]
        with ThreadPoolExecutor(2 if self.prometheus else 1) as pool:
            found = dict(zip(together, pool.map(self._tried, whole), strict=True))
        for criterion, situations in criteria.items():
            results = {
                fault: _of(found[id(situation.series), situation.interval, situation.step], situation)
                for fault, situation in situations.items()
            }
            finding = self._finding(criterion, situations, results)
            if self.lab.live or finding.result == "not-met":
                yield finding

    def _tried(self, situation: Situation) -> list[Moment] | Exception:
        try:
            return amiss(self.rules, situation, self.prometheus)
        except (QueryError, Unsupported, ImportError) as error:
            return error

    def _finding(
        self, criterion: str, situations: Mapping[str, Situation], results: Mapping[str, list[Moment] | Exception]
    ) -> Finding:
        how: How = "real" if self.prometheus else "static"
        for fault, result in results.items():
            if isinstance(result, QueryError):
                return self.lab.found(criterion, False, found=result, how=how)
            if isinstance(result, ImportError):
                self.lab.package("promql_parser")
                return self.lab.waits(criterion, "promql_parser")
            if isinstance(result, Exception):
                return self.lab.waits(criterion, "prometheus")
            if result:
                moment = result[0]
                expected = f"{moment.at}: {(moment.wants or moment.expr) if moment.holds else '{}'}"
                seen = self._seen(situations[fault], moment)
                return self.lab.found(criterion, False, found=seen, expected=expected, fault=fault, how=how)
        return self.lab.found(criterion, True, how=how)

    def _seen(self, situation: Situation, moment: Moment) -> str:
        """What there is instead, as far as we can tell without promtool."""
        asked = (moment.at, moment.shows or moment.expr)
        try:
            return f"{moment.at}: {shown(played(self.rules, situation, [asked])[asked])}"
        except (QueryError, Unsupported, ImportError):
            return ""


def _of(result: list[Moment] | Exception, situation: Situation) -> list[Moment] | Exception:
    """The part of a result that is about the moments of a situation."""
    if isinstance(result, Exception):
        return result
    return [moment for moment in situation.moments if moment in result]


def actionable(lab: Lab, rules: Iterable[Mapping[str, Any]], severities: tuple[str, ...] = ()) -> Finding:
    """Each alert says how urgent it is, what is wrong and where to read on."""
    missing = []
    for rule in (rule for rule in rules if "alert" in rule):
        severity = str((rule.get("labels") or {}).get("severity", ""))
        if not severity or (severities and severity not in severities):
            missing.append((str(rule["alert"]), "severity"))
        texts = rule.get("annotations") or {}
        missing += [(str(rule["alert"]), name) for name in ("summary", "runbook_url") if not texts.get(name)]
    fault = missing[0][1].replace("_", "-") if missing else ""
    alerts = any("alert" in rule for rule in rules)
    found = ", ".join(f"{alert}: {name}" for alert, name in missing) or ("" if alerts else "-")
    return lab.found("actionable", alerts and not missing, found=found, fault=fault)


# --- prometheus-rules-with-tests ---

_RATIO = "job:predictions_errors:ratio_rate5m"


@judge("prometheus-rules-with-tests")
def rules_with_tests(lab: Lab) -> Iterator[Finding]:
    rules = read_rules(lab, "rules.yml")
    prometheus = lab.backend("prometheus")
    play = Play(lab, lab.text("rules.yml"), prometheus)
    job, percent = lab.value("delivery-time"), lab.number("percent")

    def series(outcome: str, instance: str = "a", job: str = job) -> str:
        return f'predictions_total{{job="{job}", instance="{instance}", outcome="{outcome}"}}'

    ratio, errors = f'{_RATIO}{{job="{job}"}}', firing(alertname="PredictionErrors")
    uneven = {
        series("ok", "a"): "0+90x40",
        series("ok", "b"): "0+6x40",
        series("error", "b"): "0+32x40",
        series("ok", "a", "other"): "0+10x40",
        series("error", "a", "other"): "0+30x40",
    }
    fired, quarter = 'ALERTS{alertname="PredictionErrors"}', f"{ratio} 0.25"

    def steady(share: float) -> dict[str, str]:
        """A share of failures, the same for 40 minutes."""
        failed = round(share * 10)
        return {series("ok"): f"0+{1000 - failed}x40", series("error"): f"0+{failed}x40"}

    sudden = {
        series("ok"): "0+100x10 1050+50x40",
        series("error"): "0x10 50+50x40",
    }
    blip = {
        series("ok"): "0+100x10 1050+50x2 1250+100x30",
        series("error"): "0x10 50+50x2 150x30",
    }
    down, other = firing(alertname="PredictionServiceDown"), 'up{job="other", instance="z"}'
    up = [f'up{{job="{job}", instance="{name}"}}' for name in "ab"]
    yield from play.judged(
        {
            "ratio": {
                "missing": Situation(uneven, (Moment("30m", _RATIO),)),
                "per-instance": Situation(
                    uneven, (Moment("30m", f"count({ratio}) == 1", shows=_RATIO, wants=quarter),)
                ),
                "value": Situation(
                    uneven, (Moment("30m", f"abs({ratio} - 0.25) < 0.0001", shows=_RATIO, wants=quarter),)
                ),
            },
            "threshold": {
                "deaf": Situation(steady(percent + 0.4), (Moment("35m", errors, shows=fired),)),
                "jumpy": Situation(steady(percent - 0.4), (Moment("35m", errors, False),)),
            },
            "patience": {
                "hasty": Situation(sudden, (Moment("12m", errors, False), Moment("19m", errors, False))),
                "blip": Situation(blip, tuple(Moment(f"{minute}m", errors, False) for minute in (13, 15, 18, 20))),
                "slow": Situation(sudden, (Moment("24m", errors, shows=fired),)),
            },
            "down": {
                "jumpy": Situation({up[0]: "1x40", up[1]: "1x40", other: "0x40"}, (Moment("30m", down, False),)),
                "one-instance": Situation({up[0]: "1x40", up[1]: "1x9 0x30", other: "1x40"}, (Moment("20m", down),)),
                "no-target": Situation({up[0]: "1x9 stale", up[1]: "1x9 stale", other: "1x40"}, (Moment("20m", down),)),
            },
        }
    )
    yield actionable(lab, rules)
    tests = read_mapping(lab, "rules_test.yml")
    sides = _sides(tests)
    wanted = {(alert, fires) for alert in ("PredictionErrors", "PredictionServiceDown") for fires in (True, False)}
    missing = sorted(wanted - sides)
    fault = "" if not missing else "never-fires" if missing[0][1] else "never-silent"
    found = ", ".join(f"{alert}: {'exp_alerts' if fires else 'exp_alerts: []'}" for alert, fires in missing)
    yield lab.found("both-sides", not missing, found=found, fault=fault)
    if prometheus:
        broken: dict[str, dict[str, Change]] = {
            "never": {"expr": _never},
            "always": {"expr": _always},
            "no-wait": {"for": lambda wait: None},
        }
        yield _tests_bite(
            lab, prometheus, "rules.yml", "rules_test.yml", broken, {name: {"PredictionErrors"} for name in broken}
        )


def _sides(document: Mapping[str, Any]) -> set[tuple[str, bool]]:
    """Which alerts the tests expect to fire, and which to be silent."""
    found = set()
    for test in _list(document, "tests"):
        for case in _list(test, "alert_rule_test"):
            found.add((str(case.get("alertname", "")), bool(case.get("exp_alerts"))))
        for case in _list(test, "promql_expr_test"):
            expected = _list(case, "exp_samples")
            fires = any(sample.get("value", 1) != 0 for sample in expected)
            for alert in _alerts_asked(str(case.get("expr", ""))):
                found.add((alert, fires))
            for sample in expected:
                for alert in _alerts_asked(str(sample.get("labels", ""))):
                    found.add((alert, True))
    return found


def _list(value: Any, name: str) -> list[dict[str, Any]]:
    part = value.get(name) if isinstance(value, dict) else None
    return [entry for entry in part if isinstance(entry, dict)] if isinstance(part, list) else []


def _alerts_asked(expr: str) -> Iterator[str]:
    """The alerts of which a query asks, by their series ALERTS."""
    try:
        parts = list(promql.walk(promql.parse(expr)))
    except (QueryError, ImportError):
        return
    for part in parts:
        for matcher in getattr(getattr(part, "matchers", None), "matchers", ()):
            if matcher.name == "alertname":
                yield str(matcher.value)


Change = Callable[[Any], Any]


def _never(expr: Any) -> str:
    """An alert's expression that has no result."""
    return f"({expr}) unless on () vector(1)"


def _always(expr: Any) -> str:
    """An alert's expression without its limit; where it has none that stands outside, one that always has a result."""
    try:
        whole = promql.parse(str(expr))
    except (QueryError, Unsupported, ImportError):
        whole = None
    if type(whole).__name__ == "BinaryExpr" and str(whole.op) in (">", ">=", "<", "<="):
        side = (
            whole.lhs if any(type(part).__name__ == "VectorSelector" for part in promql.walk(whole.lhs)) else whole.rhs
        )
        return str(side.prettify())
    return 'group by (job) ({__name__=~"predictions_total|up"})'


def _tests_bite(
    lab: Lab,
    prometheus: Prometheus,
    rules: str,
    tests: str,
    broken: Mapping[str, Mapping[str, Change]],
    alerts: Mapping[str, set[str]],
) -> Finding:
    """The answer's tests pass over its own rules, and fail over rules that were broken in each of several ways.

    `broken` says what becomes of which fields, and `alerts` in the rules of which alerts.
    """
    with lab.scratch() as folder:
        runs = {"": folder}
        for name, changes in broken.items():
            document = read_mapping(lab, rules)
            if _break(document, changes, alerts[name]):
                runs[name] = folder.parent / name
                shutil.copytree(folder, runs[name])
                (runs[name] / rules).write_text(json.dumps(document), encoding="utf-8")
        with ThreadPoolExecutor(2) as pool:
            results = dict(
                zip(runs, pool.map(lambda place: prometheus.test_rules(place / tests), runs.values()), strict=True)
            )
    first = results.pop("")
    if not first.ok:
        lines = [line.strip() for line in first.output.splitlines() if line.strip()]
        fault = "nothing-tested" if not _list(read_mapping(lab, tests), "tests") else "fails"
        return lab.found("tests-bite", False, found="\n".join(lines[1:7]), fault=fault, how="real")
    survivor = next((name for name, run in results.items() if run.ok), "")
    return lab.found("tests-bite", not survivor, found=survivor, fault=survivor, how="real")


def _break(document: Mapping[str, Any], changes: Mapping[str, Change], alerts: set[str]) -> bool:
    """Change fields of the rules for some alerts; whether there was any to change."""
    changed = False
    for group in document.get("groups") or []:
        for rule in group.get("rules") or []:
            for part in changes if str(rule.get("alert")) in alerts else ():
                if part in rule:
                    changed = True
                    rule[part] = changes[part](rule[part])
                    if rule[part] is None:
                        del rule[part]
    return changed


# --- prometheus-route-alerts ---


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
    ok, found = not faults, _listed(faults)
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
            return lab.found(criterion, False, found=_listed(found), expected=_listed(names), fault=name, how=how)
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


# --- prometheus-batch-jobs ---

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
    jobs = [job for job in scrape.jobs(config) if place in {target.address for target in _targets(lab, job)}]
    stored: set[str] = set()
    for job in jobs:
        labels = {"__name__": _SUCCESS, "instance": place, "job": "retrain"}
        if not job.get("honor_labels"):
            labels |= {"exported_job": "retrain", "job": str(job.get("job_name", ""))}
        after = scrape.relabelled(labels, job.get("metric_relabel_configs") or [])
        stored.add((after or {}).get("job", ""))
    fault = "no-target" if not jobs else "overwritten"
    return lab.found("honor-labels", stored == {"retrain"}, found=_listed(stored), expected="retrain", fault=fault)


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


# --- prometheus-slo-burn-rate ---

#: Predictions a minute in the situations of the check.
_TRAFFIC = 10_000


@judge("prometheus-slo-burn-rate")
def slo_burn_rate(lab: Lab) -> Iterator[Finding]:
    rules = read_rules(lab, "slo.yml")
    prometheus = lab.backend("prometheus")
    play = Play(lab, lab.text("slo.yml"), prometheus)
    budget = 1 - lab.number("objective") / 100
    page, ticket = firing(severity="page"), firing(severity="ticket")
    pages, tickets = 'ALERTS{severity="page"}', 'ALERTS{severity="ticket"}'

    def share(*parts: tuple[int, float], every: int = 1) -> dict[str, str]:
        """Predictions of which a share fails for so many minutes, then another share; a sample `every` few minutes."""
        place = f'job="{lab.value("delivery-time")}", instance="a"'
        ok, failed, good, bad = [], [], 0, 0
        for minutes, part in parts:
            steps, fails = minutes // every, round(_TRAFFIC * every * part)
            succeeds = _TRAFFIC * every - fails
            ok.append(f"{good}+{succeeds}x{steps - 1}")
            failed.append(f"{bad}+{fails}x{steps - 1}")
            good, bad = good + succeeds * steps, bad + fails * steps
        return {
            f'predictions_total{{{place}, outcome="ok"}}': " ".join(ok),
            f'predictions_total{{{place}, outcome="error"}}': " ".join(failed),
        }

    hour, day = 60, 1440
    outage = share((6 * hour, 0.0), (30, 0.5), (2 * hour, 0.0))
    blip = share((6 * hour, 0.0), (5, 0.1), (2 * hour, 0.0))
    leak = share((day, 0.0), (6 * hour, 8 * budget), every=2)
    fresh, later = share((2 * day, 2 * budget), every=2), share((2 * day, 0.0), (2 * day, 2 * budget), every=2)
    low = share((2 * day, 0.7 * budget), every=2)

    def long(series: Mapping[str, str], *moments: Moment) -> Situation:
        # Longer steps would be faster, and stale for rules that read what is recorded further below.
        return Situation(series, moments, interval="2m", step="4m")

    if prometheus:
        lab.tell("lab.plays-days")
    if lab.live:
        yield from play.judged(
            {
                "outage": {
                    "jumpy": Situation(outage, (Moment("1h", page, False), Moment("5h59m", page, False))),
                    "late": Situation(outage, (Moment("6h15m", page, shows=pages),)),
                },
                "slow-page": {"late": long(leak, Moment("30h", page, shows=pages))},
                "ticket": {
                    "deaf": long(fresh, Moment("2d", ticket, shows=tickets)),
                    "pages": long(fresh, *(Moment(at, page, False) for at in ("2h", "12h", "48h"))),
                    "below": long(low, *(Moment(at, firing(), False) for at in ("2h", "12h", "48h"))),
                    "forgets": long(later, Moment("4d", ticket, shows=tickets)),
                },
                "blip": {
                    "pages": Situation(blip, tuple(Moment(f"6h{minute}m", page, False) for minute in (3, 5, 8, 12, 30)))
                },
                "recovery": {"lasts": Situation(outage, (Moment("7h10m", page, False),))},
            }
        )
    yield actionable(lab, rules, ("page", "ticket"))
    read_mapping(lab, "slo_test.yml")
    if prometheus:
        paging = {str(rule["alert"]) for rule in rules if (rule.get("labels") or {}).get("severity") == "page"}
        broken: dict[str, dict[str, Change]] = {"never": {"expr": _never}, "always": {"expr": _always}}
        alerts = {"never": {str(rule["alert"]) for rule in rules if "alert" in rule}, "always": paging}
        yield _tests_bite(lab, prometheus, "slo.yml", "slo_test.yml", broken, alerts)


# --- prometheus-model-quality ---


@judge("prometheus-model-quality")
def model_quality(lab: Lab) -> Iterator[Finding]:
    lab.text("quality.py")
    prometheus = lab.backend("prometheus")
    read_rules(lab, "rules.yml")
    if lab.live and lab.package("prometheus_client") is not None:
        yield from _measured(lab)
    play = Play(lab, lab.text("rules.yml"), prometheus)
    error = f"model_mean_absolute_error_{lab.value('minutes')}"
    limit, where = lab.number("limit"), 'job="node", instance="batch:9100"'

    def models(bad: str, judged: int = 200) -> dict[str, str]:
        """Two models, of which one is wrong by `bad`; only so many of its predictions have been judged."""
        return {
            f'{error}{{{where}, model="7"}}': f"{limit / 2}x400",
            f'model_predictions_judged{{{where}, model="7"}}': "400x400",
            f'model_predictions_waiting{{{where}, model="7"}}': "20x400",
            f'{error}{{{where}, model="8"}}': bad,
            f'model_predictions_judged{{{where}, model="8"}}': f"{judged}x400",
            f'model_predictions_waiting{{{where}, model="8"}}': "20x400",
        }

    def situation(series: Mapping[str, str], *moments: Moment) -> Situation:
        return Situation(series, moments, interval="4m", step="4m")

    def fires(alert: str, **labels: str) -> str:
        return firing(alertname=alert, **labels)

    def shows(alert: str) -> str:
        return f'ALERTS{{alertname="{alert}"}}'

    high, drift, stale = "ModelErrorHigh", "FeatureDrift", "ModelQualityStale"
    wrong, thin = models(f"{limit + 1}x400"), models(f"{limit + 5}x400", judged=12)
    blip = models(f"{limit - 1}x14 {limit + 3}x6 {limit - 1}x300")
    moved = {
        f'feature_drift_psi{{{where}, feature="{lab.value("stops")}"}}': "0.4x400",
        f'feature_drift_psi{{{where}, feature="hour"}}': "0.15x400",
    }
    hourly = " ".join(f"{3600 * hour}x14" for hour in range(3))
    last = f"model_quality_last_run_timestamp_seconds{{{where}}}"
    stopped = {last: f"{hourly} {3 * 3600}x400"}
    yield from play.judged(
        {
            "error-alert": {
                "deaf": situation(wrong, Moment("2h", fires(high), shows=shows(high))),
                "no-model": situation(wrong, Moment("2h", fires(high, model="8"), shows=shows(high))),
                "other-model": situation(wrong, Moment("2h", fires(high, model="7"), False)),
                "below": situation(models(f"{limit - 0.5}x400"), Moment("3h", fires(high), False)),
                "hasty": situation(blip, *(Moment(at, fires(high), False) for at in ("1h12m", "1h24m", "2h"))),
            },
            "thin": {"jumpy": situation(thin, Moment("3h", fires(high, model="8"), False))},
            "drift-alert": {
                "deaf": situation(moved, Moment("2h", fires(drift), shows=shows(drift))),
                "no-feature": situation(
                    moved, Moment("2h", fires(drift, feature=lab.value("stops")), shows=shows(drift))
                ),
                "jumpy": situation(moved, Moment("2h", fires(drift, feature="hour"), False)),
            },
            "stale": {
                "jumpy": situation(stopped, Moment("1h28m", fires(stale), False), Moment("5h28m", fires(stale), False)),
                "deaf": situation(stopped, Moment("7h", fires(stale), shows=shows(stale))),
                "never": situation({f"up{{{where}}}": "1x400"}, Moment("4h", fires(stale), shows=shows(stale))),
            },
        }
    )


def _measured(lab: Lab) -> Iterator[Finding]:
    """What the program says of days that nobody has seen."""
    names = [lab.value(name) if name != "hour" else name for name in prometheus_data.FEATURES]
    unit, reference = lab.value("minutes"), prometheus_data.reference()
    error_name = f"model_mean_absolute_error_{unit}"
    day = prometheus_data.predictions(1)
    first = [replace(row, actual=None) for row in prometheus_data.predictions(2, models=("9",), dry=True)[:60]]
    with lab.scratch() as folder:
        told = {name: reference[own] for name, own in zip(names, prometheus_data.FEATURES, strict=True)}
        (folder / "prom-reference.json").write_text(json.dumps(told), encoding="utf-8")

        def run(rows: list[prometheus_data.Prediction]) -> list[Sample] | str:
            """What the program writes about predictions, or how it fails."""
            (folder / "day.csv").write_text(prometheus_data.predictions_csv(rows, names), encoding="utf-8")
            (folder / "day.prom").unlink(missing_ok=True)
            ended = lab.python("quality.py", "day.csv", "day.prom", folder=folder, timeout=30)
            if not ended.ok or not (folder / "day.prom").is_file():
                return ended.last or "day.prom: -"
            try:
                return read_exposition((folder / "day.prom").read_text(encoding="utf-8"))
            except ValueError as error:
                return str(error)

        samples, beginning = run(day), run(first)
    if isinstance(samples, str):
        raise AnswerError("answer-fails", file="quality.py", problem=samples)
    errors = _by(samples, error_name, "model")
    differences = {
        model: [row.predicted - row.actual for row in day if row.model == model and row.actual is not None]
        for model in ("7", "8")
    }
    right = {model: sum(map(abs, rows)) / len(rows) for model, rows in differences.items()}
    everything = [abs(row.predicted - (row.actual or 0)) for row in day if row.model == "7"]
    others = {
        "signed": sum(differences["7"]) / len(differences["7"]),
        "squared": math.sqrt(sum(one * one for one in differences["7"]) / len(differences["7"])),
        "missing-as-zero": sum(everything) / len(everything),
        "all-rows": sum(map(abs, differences["7"])) / len(everything),
    }
    told_of_7 = errors.get("7", math.nan)
    fault = next(
        (name for name, value in others.items() if math.isclose(abs(told_of_7), abs(value), rel_tol=0.002)), ""
    )
    yield lab.found(
        "error",
        _alike(errors, right),
        found=_labelled(errors),
        expected=_labelled(right),
        fault=fault or ("no-model" if not errors else ""),
        how="real",
    )
    judged = {model: float(len(rows)) for model, rows in differences.items()}
    waiting = {model: float(sum(row.model == model and row.actual is None for row in day)) for model in ("7", "8")}
    told_judged, told_waiting = (_by(samples, f"model_predictions_{kind}", "model") for kind in ("judged", "waiting"))
    yield lab.found(
        "waiting",
        _alike(told_judged, judged) and _alike(told_waiting, waiting),
        found=f"judged: {_labelled(told_judged)}\nwaiting: {_labelled(told_waiting)}",
        expected=f"judged: {_labelled(judged)}\nwaiting: {_labelled(waiting)}",
        fault="missing" if not told_judged or not told_waiting else "all-rows" if told_judged != judged else "",
        how="real",
    )
    drifts = _by(samples, "feature_drift_psi", "feature")
    wanted = {
        name: prometheus_data.psi([row.features[place] for row in day], **reference[own])
        for place, (name, own) in enumerate(zip(names, prometheus_data.FEATURES, strict=True))
    }
    scaled = {name: value / math.log(10) for name, value in wanted.items()}
    fault = "no-feature" if not {*wanted} <= {*drifts} else "log10" if _alike(drifts, scaled) else "other"
    yield lab.found(
        "drift",
        _alike({name: value for name, value in drifts.items() if name in wanted}, wanted),
        found=_labelled(drifts),
        expected=_labelled(wanted),
        fault=fault,
        how="real",
    )
    if isinstance(beginning, str):
        yield lab.found("first-hour", False, found=beginning, fault="crash", how="real")
        return
    early = _by(beginning, error_name, "model").get("9")
    finite = [value for value in _by(beginning, "feature_drift_psi", "feature").values() if math.isfinite(value)]
    invented = early is not None and not math.isnan(early)
    yield lab.found(
        "first-hour",
        len(finite) >= len(wanted) and not invented,
        found=_labelled(
            _by(beginning, error_name, "model") if invented else _by(beginning, "feature_drift_psi", "feature")
        ),
        fault="invented" if invented else "infinite",
        how="real",
    )


def _by(samples: Iterable[Sample], name: str, label: str) -> dict[str, float]:
    """The values of a metric by one of its labels."""
    return {sample.labels[label]: sample.value for sample in samples if sample.name == name and label in sample.labels}


def _alike(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    close = (
        math.isclose(one.get(name, math.nan), value, rel_tol=0.002, abs_tol=0.002) for name, value in other.items()
    )
    return one.keys() == other.keys() and all(close)


def _labelled(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in sorted(values.items())) or "-"


# --- prometheus-cardinality-and-incident ---

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
    job = next((j for j in scrape.jobs(config) if place in {target.address for target in _targets(lab, j)}), None)
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
        if not any(own <= {*labels} and _close(value, one.samples[-1][1]) for labels, value in stored.items()):
            missing.append(one.name)
    everything = len({*missing}) == len({one.name for one in page}) - 1
    fault = "everything" if everything else "merged" if {*missing} == {"prediction_seconds_bucket"} else "some"
    yield lab.found("kept", not missing, found=_listed({*missing}) if missing else "", fault=fault, how=how)


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
        moved = _moved(lab, {k: v for k, v in job.items() if k not in limits}, {place: f"127.0.0.1:{port}"})
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
