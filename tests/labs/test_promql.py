"""Our PromQL answers as Prometheus does, query by query."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator

import pytest

from curriculum.labs import promql
from curriculum.labs.backends import prometheus
from curriculum.labs.lab import Lab

pytest.importorskip("promql_parser")
pytest.importorskip("prometheus_client")

BASE, STEP, COUNT = 1700000000, 15, 121
#: Not on a sample: Prometheus 2 and 3 disagree about a range's left end.
AT = BASE + 1507

QUERIES = """
http_requests_total
http_requests_total{code=~"5.."}
http_requests_total{code!~"5..|4.."}
http_requests_total{nosuch=""}
{__name__=~"temp|up"}
sum(rate(http_requests_total[5m]))
sum by (code) (rate(http_requests_total[5m]))
sum(rate(http_requests_total[5m])) by (code)
sum without (instance) (increase(http_requests_total[10m]))
sum(rate(http_requests_total{code=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))
100 * sum by (job) (rate(http_requests_total{code="500"}[5m])) / on (job) sum by (job) (rate(http_requests_total[5m]))
sum by (instance, code) (rate(http_requests_total[5m])) / ignoring (code) group_left sum by (instance) (rate(http_requests_total[5m]))
sum by (instance) (rate(http_requests_total{code="500"}[5m])) / ignoring (code) sum by (instance) (rate(http_requests_total[5m])) > 0.02
histogram_quantile(0.9, sum by (le) (rate(lat_seconds_bucket[5m])))
histogram_quantile(0.99, sum by (le, instance) (rate(lat_seconds_bucket[5m])))
histogram_quantile(0.5, rate(lat_seconds_bucket[5m]))
histogram_quantile(1.2, rate(lat_seconds_bucket[5m]))
histogram_quantile(0, rate(lat_seconds_bucket[5m]))
histogram_quantile(0.9, sum(rate(lat_seconds_bucket[5m])))
histogram_quantile(0.9, lat_seconds_bucket{le!="+Inf"})
sum(rate(lat_seconds_bucket{le="0.5"}[5m])) / sum(rate(lat_seconds_count[5m]))
rate(lat_seconds_sum[5m]) / rate(lat_seconds_count[5m])
irate(http_requests_total{code="200"}[1m])
increase(lat_seconds_count[20m])
increase(up[2m])
rate(http_requests_total{code="200"}[10s])
avg_over_time(temp[10m])
max_over_time(temp[10m]) - min_over_time(temp[10m])
sum_over_time(temp[3m])
count_over_time(temp[10m])
last_over_time(temp[5m])
present_over_time(temp[5m])
quantile_over_time(0.9, temp[20m])
stddev_over_time(temp[10m])
delta(temp[10m])
idelta(temp[10m])
deriv(temp[10m])
predict_linear(temp[10m], 600)
changes(up[20m])
resets(http_requests_total[30m])
avg_over_time((temp > bool 22)[10m:30s])
max_over_time(sum(rate(http_requests_total[5m]))[15m:1m])
topk(2, rate(http_requests_total[5m]))
topk by (code) (1, rate(http_requests_total[5m]))
bottomk(1, temp)
count(up == 1)
count by (job) (up)
group(up)
avg(temp) by (room)
min(temp)
max without (room) (temp)
stddev(temp)
stdvar(temp)
quantile(0.5, temp)
count_values("v", up)
sum(http_requests_total) by (nosuch)
count({__name__=~".+"})
topk(3, count by (__name__) ({__name__=~".+"}))
temp * on (instance) group_left (version) info
info * on (instance) group_right (version) temp
http_requests_total{code="200"} and on (instance) up == 1
temp unless on (instance) (temp > 24)
temp > 20 or up
up or vector(1)
temp > on (instance) up
temp > bool 22
22 < temp
up == 1 and temp
absent(nosuch{job="x"})
absent(nosuch{job="x", job="y", a=~"b"})
absent(up)
absent(sum(nosuch))
absent_over_time(nosuch{a="b"}[5m])
absent_over_time(up[5m])
label_replace(up, "host", "$1", "instance", "(.*):.*")
label_replace(up, "host", "x", "instance", "nomatch")
label_join(up, "j", "-", "job", "instance")
temp offset 10m
temp offset -1m
sum(rate(http_requests_total[5m] offset 5m))
temp @ 1700000300
rate(http_requests_total{code="200"}[5m] @ 1700000907)
sort_desc(sum by (code) (http_requests_total))
clamp_max(temp, 22)
clamp_min(temp, 22)
clamp(temp, 20, 22)
round(temp, 0.5)
round(temp)
ceil(temp) + floor(temp)
abs(-temp)
-temp
sgn(temp - 22)
ln(temp) + log2(temp) + log10(temp) + sqrt(temp) + exp(up)
time()
time() - timestamp(temp)
vector(1) + scalar(sum(up))
scalar(temp)
2 ^ 3 ^ 2 - 7 % 4
1 / 0
temp / 0
temp % 3
(temp > 1000) / 2
sum(temp > 1000) or vector(0)
1 > bool 2
temp == temp
temp != 22
rate(lat_seconds_count[5m]) > 0.2 < 0.4
"""

REFUSED = """
rate(http_requests_total)
sum(foo
topk(http_requests_total, 2)
http_requests_total / on (job) temp
sum by (job) (up) / on (job) up
rate({__name__=~"lat_seconds_sum|lat_seconds_count"}[5m])
temp[5m]
label_replace(up, "instance", "", "instance", ".*")
temp + on (instance) group_left http_requests_total
1 > 2
temp and 1
"""


def openmetrics() -> str:
    draw = random.Random(1)
    families: dict[str, list[tuple[dict[str, str], list[float]]]] = {}

    def add(name: str, labels: dict[str, str], values: list[float]) -> None:
        families.setdefault(name, []).append((labels, values))

    for instance in ("a:1", "b:1"):
        where = {"job": "api", "instance": instance}
        for code, speed in (("200", 30), ("500", 4), ("404", 7)):
            total, values = 0, []
            for n in range(COUNT):
                total = 0 if instance == "b:1" and n == 60 else total + draw.randint(0, 2 * speed)
                values.append(float(total))
            add("http_requests_total", {**where, "code": code}, values)
        bounds = [0.1, 0.5, 1.0, math.inf]
        counts, seen = dict.fromkeys(bounds, 0.0), []
        spent: list[float] = []
        for _ in range(COUNT):
            for _ in range(5):
                seconds = draw.expovariate(3)
                spent.append((spent[-1] if spent else 0) + seconds)
                for bound in bounds:
                    counts[bound] += seconds <= bound
            seen.append(dict(counts))
        for bound in bounds:
            le = "+Inf" if math.isinf(bound) else str(bound)
            add("lat_seconds_bucket", {**where, "le": le}, [entry[bound] for entry in seen])
        add("lat_seconds_sum", where, [round(value, 3) for value in spent[4::5]])
        add("lat_seconds_count", where, [entry[math.inf] for entry in seen])
        heat = [round(20 + 5 * math.sin(n / 10) + draw.random(), 2) for n in range(COUNT)]
        add("temp", {"instance": instance, "room": "x" if instance == "a:1" else "y"}, heat)
        add("up", where, [0.0 if instance == "b:1" and 40 < n < 50 else 1.0 for n in range(COUNT)])
        add("info", {"instance": instance, "version": f"1.{len(families)}"}, [1.0] * COUNT)
    lines = []
    for name, series in sorted(families.items()):
        lines.append(f"# TYPE {name} unknown")
        for labels, values in series:
            inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
            lines += [f"{name}{{{inside}}} {value} {BASE + n * STEP}" for n, value in enumerate(values)]
    return "\n".join([*lines, "# EOF"]) + "\n"


@pytest.fixture(scope="module")
def data() -> promql.Data:
    return promql.read_openmetrics(openmetrics())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[prometheus.Server]:
    lab = Lab("prometheus-first-queries", tmp_path_factory.mktemp("lab"), {}, live=True)
    with lab.backend("prometheus").server(openmetrics=openmetrics()) as server:
        yield server


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


@pytest.mark.backend
@pytest.mark.parametrize("query", lines(QUERIES))
def test_answers_as_prometheus_does(
    query: str, data: promql.Data, need: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    need("prometheus")
    real = request.getfixturevalue("server").query(query, AT)
    own = promql.query(query, data, AT)
    assert own.keys() == real.keys()
    for labels, value in real.items():
        assert own[labels] == pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True), labels


@pytest.mark.backend
@pytest.mark.parametrize("query", lines(REFUSED))
def test_refuses_what_prometheus_refuses(
    query: str, data: promql.Data, need: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    need("prometheus")
    with pytest.raises(promql.QueryError):
        request.getfixturevalue("server").query(query, AT)
    with pytest.raises(promql.QueryError):
        promql.query(query, data, AT)


@pytest.mark.parametrize("query", ["day_of_week()", "limitk(1, temp)"])
def test_says_what_it_does_not_know(query: str, data: promql.Data) -> None:
    with pytest.raises(promql.Unsupported):
        promql.query(query, data, AT)


def test_is_not_kept_busy(data: promql.Data) -> None:
    """A query that would read without end is broken off, as Prometheus does."""
    with pytest.raises(promql.QueryError, match="too many samples"):
        promql.query("sum_over_time(sum_over_time(temp[1d:1s])[1d:1s])", data, AT)
