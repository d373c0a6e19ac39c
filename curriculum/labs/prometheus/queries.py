"""Judge queries by what they answer, over data that was handed out and over other data like it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from curriculum.labs import judge, prometheus_data, promql
from curriculum.labs.backends.prometheus import ServerError
from curriculum.labs.lab import Lab
from curriculum.labs.prometheus.shared import close, read_mapping, shown
from curriculum.labs.prometheus_data import Series
from curriculum.labs.promql import QueryError, Unsupported, Vector
from curriculum.outcome import Finding, How


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


def _equal(one: Vector, other: Vector) -> bool:
    """Whether two results are the same, names of metrics aside."""
    if len(one) != len(other) or not one:
        return False
    left, right = (sorted((_bare(labels), value) for labels, value in vector.items()) for vector in (one, other))
    return all(a == b and close(x, y) for (a, x), (b, y) in zip(left, right, strict=True))


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
    return len(one) == len(other) and all(a == b and close(x, y) for (a, x), (b, y) in zip(one, other, strict=True))
