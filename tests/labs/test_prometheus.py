"""What the judges of Prometheus stand on: our rules, configurations and gateway do as the programs do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from curriculum.answers import submission
from curriculum.catalog import Catalog, catalog_at
from curriculum.labs import prometheus_config as config
from curriculum.labs import prometheus_data as data
from curriculum.labs.backends.prometheus import Prometheus, find, inbox
from curriculum.labs.judging import judge
from curriculum.labs.lab import Lab, fetch, parse_yaml
from curriculum.labs.prometheus import read_exposition
from curriculum.labs.prometheus.batch import gateway
from curriculum.labs.prometheus_play import Moment, Rules, Situation, amiss, firing, notation, played
from curriculum.labs.promql import QueryError, Unsupported
from curriculum.personal import fill
from tests.conftest import REPOSITORY

pytest.importorskip("promql_parser")
pytest.importorskip("prometheus_client")

SERVICE = REPOSITORY / "templates" / "service"
EXERCISES = [
    "prometheus-instrument",
    "prometheus-first-scrape",
    "prometheus-first-queries",
    "prometheus-rules-with-tests",
    "prometheus-route-alerts",
    "prometheus-batch-jobs",
    "prometheus-slo-burn-rate",
    "prometheus-model-quality",
    "prometheus-cardinality-and-incident",
]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return catalog_at(None)


@pytest.fixture
def prometheus(need: Callable[[str], None], tmp_path: Path) -> Prometheus:
    need("promtool")
    return find(Lab("prometheus-first-queries", tmp_path, {}, live=True))


# --- what is handed out ---


def test_given_files_are_what_the_judges_take_them_for() -> None:
    """A query is right or wrong over the very samples that the learner has."""
    assert (SERVICE / "prom-hour.om").read_text(encoding="utf-8") == data.openmetrics(data.hour(0))
    assert (SERVICE / "prom-incident.om").read_text(encoding="utf-8") == data.openmetrics(data.incident(0))
    given = (SERVICE / "prom-predictions.csv").read_text(encoding="utf-8")
    assert given == data.predictions_csv(data.predictions(0))
    assert json.loads((SERVICE / "prom-reference.json").read_text(encoding="utf-8")) == data.reference()


def test_no_value_lies_on_the_end_of_a_bin() -> None:
    """Else it would be a matter of taste into which bin it falls."""
    for seed in range(3):
        for row in data.predictions(seed):
            for place, entry in enumerate(data.reference().values()):
                assert row.features[place] not in entry["edges"]


# --- rules ---

#: No window ends on a sample: Prometheus 2 and 3 disagree about its left end.
RULES = """
groups:
  - name: alerts-before-what-they-read
    rules:
      - alert: Late
        expr: job:errors:ratio > 0.2
        for: 3m
        keep_firing_for: 4m
        labels: {severity: page, what: "{{ $labels.job }}"}
  - name: recorded
    rules:
      - record: job:errors:rate2m
        expr: sum by (job) (rate(errors_total[150s]))
      - record: job:errors:ratio
        expr: job:errors:rate2m / sum by (job) (rate(requests_total[150s]))
        labels: {kind: share}
      - alert: Gone
        expr: absent(up{job="api"}) or up{job="api"} == 0
        for: 2m
      - alert: Now
        expr: up{job="api"} == 0
"""
SERIES = {
    'requests_total{job="api"}': "0+60x10 660+60x30",
    'errors_total{job="api"}': "0x10 30+30x5 180x25",
    'up{job="api"}': "1x7 0x3 1 _ _ 1x4 stale _x9 1x20",
}


@pytest.mark.backend
@pytest.mark.parametrize("expr", ["ALERTS", "count by (alertname, alertstate) (ALERTS)", "job:errors:ratio", "up"])
def test_rules_do_what_they_do_in_promtool(expr: str, prometheus: Prometheus) -> None:
    """Minute by minute: the same alerts pending and firing, the same series recorded and gone."""
    minutes = [f"{minute}m" for minute in range(40)]
    seen = played(RULES, Situation(SERIES, ()), [(at, expr) for at in minutes])
    moments = tuple(Moment(at, expr, bool(seen[at, expr])) for at in minutes)
    assert amiss(RULES, Situation(SERIES, moments), prometheus) == []
    for at in minutes:
        for labels, value in seen[at, expr].items():
            inside = ",".join(f'{name}="{text}"' for name, text in labels if name != "__name__")
            name = dict(labels).get("__name__", "")
            wanted = f"{name}{{{inside}}}" if name else f"({expr})"
            moment = Moment(at, f"abs({wanted} - {value!r}) < 1e-9")
            assert amiss(RULES, Situation(SERIES, (moment,)), prometheus) == [], (at, labels, value)


def test_notation_of_series() -> None:
    assert list(notation("1+2x3 _x2 stale 5 0-1x1")) == [1.0, 3.0, 5.0, 7.0, None, None, "stale", 5.0, 0.0, -1.0]
    with pytest.raises(QueryError):
        list(notation("1+x"))


@pytest.mark.parametrize(
    "rules",
    [
        'groups: [{name: a, rules: [{alert: A, expr: up, labels: {x: "{{ $value }}"}}]}]',
        "groups: [{name: a, query_offset: 1m, rules: []}]",
    ],
)
def test_what_cannot_be_played_here_is_said(rules: str) -> None:
    with pytest.raises(Unsupported):
        from curriculum.labs.promql import Data

        evaluator = Rules(parse_yaml(rules, "rules.yml"))
        store = Data()
        store.add((("__name__", "up"),), 0, 1)
        evaluator.evaluate(store, 0)


def test_rules_that_break_while_they_run_are_an_answer_at_fault() -> None:
    rules = "groups: [{name: a, rules: [{record: a, expr: up / on (job) up}]}]"
    twice = {'up{job="a", instance="1"}': "1x5", 'up{job="a", instance="2"}': "1x5"}
    with pytest.raises(QueryError, match="duplicate"):
        amiss(rules, Situation(twice, (Moment("2m", "up"),)), None)


def test_firing_is_not_pending() -> None:
    assert firing(alertname="A") == 'ALERTS{alertstate="firing",alertname="A"}'


# --- configurations ---

CONFIGS = {
    "scrape_configs: [{job_name: a, static_configs: [{targets: ['a:1']}]}]": True,
    "scrape_configs: [{job_name: a, static_configs: [{targets: ['http://a:1']}]}]": False,
    "scrape_configs: [{job_name: a, static_configs: [{targets: ['a:1/metrics']}]}]": False,
    "scrape_configs: [{job_name: a, static_config: [{targets: ['a:1']}]}]": False,
    "scrape_configs: [{job_name: a, static_configs: [{target: ['a:1']}]}]": False,
    "scrape_configs: [{static_configs: [{targets: ['a:1']}]}]": False,
    "scrape_configs: [{job_name: a}, {job_name: a}]": False,
    "scrape_configs: [{job_name: a, scrape_interval: 5}]": False,
    "scrape_configs: [{job_name: a, scrape_interval: 5s, scrape_timeout: 10s}]": False,
    "scrape_configs: [{job_name: a, scrape_interval: 1h30m, honor_labels: true, scheme: https}]": True,
    "scrape_configs: [{job_name: a, sample_limit: 100, metric_relabel_configs: [{regex: x, action: labeldrop}]}]": True,
    "scrape_configs: [{job_name: a, metric_relabel_configs: [{regex: x, action: remove}]}]": False,
    "scrape_configs: [{job_name: a, metric_relabel_configs: [{source_labels: [x], regex: '(', action: drop}]}]": False,
    "global: {scrape_intervall: 5s}": False,
    "global: {scrape_interval: 5s, external_labels: {a: b}}\nscrape_configs: [{job_name: 5}]": True,
    "scrape_configs: [{job_name: a, dns_sd_configs: [{names: [a.example.com]}], basic_auth: {username: a, password: b}}]": True,
    "alerting: {alertmanagers: [{static_configs: [{targets: ['a:1']}]}]}": True,
}


@pytest.mark.backend
@pytest.mark.parametrize("text", CONFIGS)
def test_promtool_and_our_schema_agree_on_a_configuration(text: str, prometheus: Prometheus, tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")
    assert prometheus.check_config(tmp_path / "prometheus.yml").ok == CONFIGS[text]
    assert (not list(config.config_faults(parse_yaml(text, "prometheus.yml")[0]))) == CONFIGS[text]


RULE_FILES = {
    "groups: [{name: a, rules: [{record: 'a:b', expr: sum(up)}]}]": True,
    "groups: [{name: a, rules: [{record: a-b, expr: sum(up)}]}]": False,
    "groups: [{name: a, rules: [{record: a, expr: 'sum(up'}]}]": False,
    "groups: [{name: a, rules: [{record: a}]}]": False,
    "groups: [{name: a, rules: [{record: a, alert: b, expr: up}]}]": False,
    "groups: [{name: a, rules: [{record: a, expr: up, for: 5m}]}]": False,
    "groups: [{name: a, rules: [{alert: b, expr: up, for: 5m, keep_firing_for: 1m, labels: {a: b}}]}]": True,
    "groups: [{name: a, rules: [{alert: b, expr: up, for: 5 minutes}]}]": False,
    "groups: [{name: a, rules: [{alert: b, expr: up, severity: page}]}]": False,
    "groups: [{name: a, rules: []}, {name: a, rules: []}]": False,
    "group: []": False,
    "groups: []": True,
}


@pytest.mark.backend
@pytest.mark.parametrize("text", RULE_FILES)
def test_promtool_and_our_schema_agree_on_rules(text: str, prometheus: Prometheus, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(text, encoding="utf-8")
    assert prometheus.check_rules(tmp_path / "rules.yml").ok == RULE_FILES[text]
    assert (not list(config.rule_faults(parse_yaml(text, "rules.yml")[0]))) == RULE_FILES[text]


ALERTMANAGERS = {
    "route: {receiver: a}\nreceivers: [{name: a}]": True,
    "route: {receiver: b}\nreceivers: [{name: a}]": False,
    "route: {receiver: a, matchers: [x=y]}\nreceivers: [{name: a}]": False,
    "route: {receiver: a, routes: [{matchers: ['x=~\"(\"']}]}\nreceivers: [{name: a}]": False,
    "route: {receiver: a, routes: [{matchers: ['x']}]}\nreceivers: [{name: a}]": False,
    'route: {receiver: a, routes: [{matchers: [\'{x="y", z!~"a|b"}\'], continue: true}]}\nreceivers: [{name: a}]': True,
    "route: {receiver: a, routes: [{match: {x: y}, match_re: {z: a.*}}]}\nreceivers: [{name: a}]": True,
    "route: {receiver: a, group_by: [x, x]}\nreceivers: [{name: a}]": False,
    "route: {receiver: a, group_wait: soon}\nreceivers: [{name: a}]": False,
    "route: {receiver: a, routes: [{receiver: c}]}\nreceivers: [{name: a}]": False,
    "route: {receiver: a}\nreceivers: [{name: a}, {name: a}]": False,
    "receivers: [{name: a}]": False,
    "route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules: [{source_matchers: [a=b], target_matchers: [c=d], equal: [x]}]": True,
    "route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules: [{source: [a=b]}]": False,
}


@pytest.mark.backend
@pytest.mark.parametrize("text", ALERTMANAGERS)
def test_amtool_and_our_schema_agree(
    text: str, need: Callable[[str], None], prometheus: Prometheus, tmp_path: Path
) -> None:
    need("amtool")
    (tmp_path / "alertmanager.yml").write_text(text, encoding="utf-8")
    assert prometheus.check_alertmanager(tmp_path / "alertmanager.yml").ok == ALERTMANAGERS[text]
    assert (not list(config.alertmanager_faults(parse_yaml(text, "alertmanager.yml")[0]))) == ALERTMANAGERS[text]


TREE = """
route:
  receiver: root
  routes:
    - matchers: [severity=~"page|critical"]
      receiver: pages
      continue: true
      routes:
        - matchers: [team="a"]
          receiver: a-pages
        - match_re: {team: "b.*"}
          receiver: b-pages
    - matchers: ['{team="a", severity!="page"}']
      receiver: a
    - matchers: [team=""]
      receiver: nobodys
receivers: [{name: root}, {name: pages}, {name: a-pages}, {name: b-pages}, {name: a}, {name: nobodys}]
"""


@pytest.mark.backend
def test_alerts_go_where_amtool_says(need: Callable[[str], None], prometheus: Prometheus, tmp_path: Path) -> None:
    need("amtool")
    (tmp_path / "alertmanager.yml").write_text(TREE, encoding="utf-8")
    tree = parse_yaml(TREE, "alertmanager.yml")[0]
    for severity in ("page", "critical", "pages", "ticket", ""):
        for team in ("a", "b", "bees", "c", ""):
            labels = {name: text for name, text in (("severity", severity), ("team", team)) if text}
            own = [delivery.receiver for delivery in config.deliveries(tree, labels)]
            assert own == prometheus.route(tmp_path / "alertmanager.yml", labels or {"x": "y"}), labels


def test_what_a_route_does_not_say_it_takes_from_above() -> None:
    tree = parse_yaml(
        "route: {receiver: a, group_by: [x], repeat_interval: 1h, routes: [{matchers: [b=c], group_wait: 5s}]}", "a"
    )[0]
    (delivery,) = config.deliveries(tree, {"b": "c"})
    assert delivery == config.Delivery("a", ("x",), 5, 300, 3600)
    assert delivery.group({"x": "1", "y": "2"}) == delivery.group({"x": "1", "y": "3"})


def test_an_alert_does_not_keep_itself_quiet() -> None:
    rules = {"inhibit_rules": [{"source_matchers": ['a="1"'], "target_matchers": ['job=~".+"'], "equal": ["job"]}]}
    one, other = {"a": "1", "job": "x"}, {"a": "2", "job": "x"}
    assert not config.muted(rules, one, [one, other])
    assert config.muted(rules, other, [one, other])
    assert not config.muted(rules, {**other, "job": "y"}, [one, other])


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ({"source_labels": ["a"], "regex": "1", "action": "drop"}, None),
        ({"source_labels": ["a"], "regex": "", "action": "keep"}, None),
        ({"source_labels": ["missing"], "regex": "", "action": "keep"}, {"a": "1", "b": "22"}),
        ({"regex": "b", "action": "labeldrop"}, {"a": "1"}),
        ({"regex": "b", "action": "labelkeep"}, {"b": "22"}),
        ({"source_labels": ["a", "b"], "target_label": "c"}, {"a": "1", "b": "22", "c": "1;22"}),
        ({"source_labels": ["b"], "regex": "2(.)", "target_label": "a", "replacement": "x$1"}, {"a": "x2", "b": "22"}),
        ({"source_labels": ["b"], "regex": "3", "target_label": "a", "replacement": "x"}, {"a": "1", "b": "22"}),
        ({"target_label": "a", "replacement": ""}, {"b": "22"}),
        ({"regex": "(b)", "action": "labelmap", "replacement": "old_$1"}, {"a": "1", "b": "22", "old_b": "22"}),
    ],
)
def test_relabelling(rule: dict[str, object], left: dict[str, str] | None) -> None:
    assert config.relabelled({"a": "1", "b": "22"}, [rule]) == left


# --- stand-ins ---


@pytest.mark.backend
def test_our_gateway_keeps_what_the_pushgateway_keeps(prometheus: Prometheus) -> None:
    """PUT replaces the group, POST the metrics that it names, DELETE takes the group away."""
    from prometheus_client import CollectorRegistry, Gauge, delete_from_gateway, push_to_gateway, pushadd_to_gateway

    if not prometheus.has_pushgateway:
        pytest.skip("pushgateway is not installed")

    def pushes(address: str) -> list[set[tuple[str, str, float]]]:
        def registry(**values: float) -> CollectorRegistry:
            made = CollectorRegistry()
            for name, value in values.items():
                Gauge(name, name, registry=made).set(value)
            return made

        def shown() -> set[tuple[str, str, float]]:
            samples = read_exposition(fetch(f"http://{address}/metrics").text)
            return {
                (s.name, str(sorted((n, v) for n, v in s.labels.items() if v)), s.value)
                for s in samples
                if s.labels.get("job") in ("a", "b c/d") and not s.name.startswith("push_")
            }

        found = []
        push_to_gateway(address, "a", registry(x=1, y=2))
        pushadd_to_gateway(address, "a", registry(y=3, z=4))
        found.append(shown())
        push_to_gateway(address, "a", registry(z=5))
        push_to_gateway(address, "b c/d", registry(x=6), grouping_key={"shop": "station", "empty": ""})
        found.append(shown())
        delete_from_gateway(address, "a")
        found.append(shown())
        return found

    with gateway() as own, prometheus.pushgateway() as real:
        assert pushes(own) == pushes(real)


def test_the_inbox_takes_what_it_is_sent() -> None:
    with inbox() as box:
        assert fetch(f"{box.url}/3", {"alerts": []}).ok
    assert box.received == [("3", {"alerts": []})]


# --- judges ---


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_solution_passes_without_prometheus(
    exercise: str, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has no Prometheus works through all exercises; only what nothing else can tell waits for it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    work = submission(catalog, exercise, tmp_path / exercise)
    work.folder.mkdir()
    work.put_given(catalog.given_file)
    for name, body in work.section.files("solution", "en").items():
        (work.folder / name).write_text(fill(body, work.values), encoding="utf-8")
    outcome = judge(work, live=True)
    assert outcome.outcome == "passed", outcome
    live = {slug for slug, criterion in work.section.content.rubric.items() if criterion.live}
    assert set(outcome.waiting) == live


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize("text", ["", "---\n---\n", "- a", "null", "{", "groups: [{rules: [{}]}]", "route: [1]"])
def test_no_answer_breaks_a_judge(exercise: str, text: str, catalog: Catalog, tmp_path: Path) -> None:
    work = submission(catalog, exercise, tmp_path / exercise)
    work.folder.mkdir()
    for name in work.files:
        (work.folder / name).write_text(text, encoding="utf-8")
    assert judge(work, live=False).outcome != "broken"
