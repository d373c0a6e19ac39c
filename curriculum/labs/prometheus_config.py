"""Read the configuration of Prometheus and Alertmanager without them: what the fields are, and what they do. Pure.

The schemas name each field that the programs know, old and new, so that what is refused here is refused there. What a
label does on its way (relabelling) and where an alert goes (routes, inhibition) is worked out as the programs do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import md5
from typing import Any

from curriculum.labs import promql
from curriculum.labs.promql import QueryError, Unsupported, seconds

#: What a value may be: a test, a mapping of fields (`*_x`: any that end so), or a list with the one kind of its items.
Spec = Any

# --- schemas ---


def _any(value: object) -> bool:
    return True


def _text(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def _word(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _duration(value: object) -> bool:
    return seconds(value) is not None


def _label_name(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", value) is not None


def _labels(value: object) -> bool:
    return isinstance(value, dict) and all(_label_name(name) and _text(text) for name, text in value.items())


def _texts(value: object) -> bool:
    return isinstance(value, dict) and all(_text(text) for text in value.values())


def _target(value: object) -> bool:
    return isinstance(value, str) and value != "" and "/" not in value


def _regex(value: object) -> bool:
    try:
        re.compile(str(value))
    except (re.error, FutureWarning):
        return False
    return _text(value)


def _query(value: object) -> bool:
    try:
        promql.parse(str(value))
    except QueryError:
        return False
    except (Unsupported, ImportError):
        return True
    return True


def _free(names: str) -> dict[str, Spec]:
    """Fields whose values are not looked at."""
    return dict.fromkeys(names.split(), _any)


def _counts(names: str) -> dict[str, Spec]:
    return dict.fromkeys(names.split(), _count)


ACTIONS = {*_free("replace keep drop labeldrop labelkeep labelmap hashmod lowercase uppercase keepequal dropequal")}
_RELABEL = {
    "source_labels": [_word],
    "separator": _text,
    "target_label": _word,
    "regex": _regex,
    "modulus": _count,
    "replacement": _text,
    "action": lambda value: str(value).lower() in ACTIONS,
}
_HTTP = _free(
    "basic_auth authorization oauth2 follow_redirects enable_http2 tls_config proxy_url no_proxy "
    "proxy_from_environment proxy_connect_header http_headers bearer_token bearer_token_file"
)
_LIMITS = {
    **_counts("sample_limit label_limit label_name_length_limit label_value_length_limit target_limit"),
    **_free(
        "keep_dropped_targets body_size_limit scrape_protocols scrape_failure_log_file metric_name_validation_scheme "
        "metric_name_escaping_scheme always_scrape_classic_histograms scrape_classic_histograms "
        "scrape_native_histograms convert_classic_histograms_to_nhcb extra_scrape_metrics"
    ),
}
SCRAPE = {
    "job_name": _text,
    "scrape_interval": _duration,
    "scrape_timeout": _duration,
    "metrics_path": _text,
    "scheme": lambda value: str(value).lower() in ("http", "https"),
    "params": _any,
    "honor_labels": _flag,
    "honor_timestamps": _flag,
    "track_timestamps_staleness": _flag,
    "enable_compression": _flag,
    "fallback_scrape_protocol": _any,
    "native_histogram_bucket_limit": _count,
    "native_histogram_min_bucket_factor": _any,
    "static_configs": [{"targets": [_target], "labels": _labels}],
    "*_sd_configs": _any,
    "relabel_configs": [_RELABEL],
    "metric_relabel_configs": [_RELABEL],
    **_LIMITS,
    **_HTTP,
}
PROMETHEUS = {
    "global": {
        "scrape_interval": _duration,
        "scrape_timeout": _duration,
        "evaluation_interval": _duration,
        "rule_query_offset": _duration,
        "external_labels": _labels,
        "query_log_file": _any,
        **_LIMITS,
    },
    "rule_files": [_text],
    "scrape_config_files": [_text],
    "scrape_configs": [SCRAPE],
    **_free("alerting remote_write remote_read storage tracing otlp runtime"),
}
_RULE = {
    "record": lambda value: isinstance(value, str) and re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", value) is not None,
    "alert": _text,
    "expr": _query,
    "for": _duration,
    "keep_firing_for": _duration,
    "labels": _labels,
    "annotations": _labels,
}
RULES = {
    "groups": [
        {
            "name": _text,
            "interval": _duration,
            "query_offset": _duration,
            "limit": _count,
            "labels": _labels,
            "rules": [_RULE],
        }
    ]
}
_ROUTE: dict[str, Spec] = {
    "receiver": _text,
    "group_by": [_word],
    "group_wait": _duration,
    "group_interval": _duration,
    "repeat_interval": _duration,
    "matchers": [_word],
    "match": _texts,
    "match_re": _texts,
    "continue": _flag,
    "mute_time_intervals": [_text],
    "active_time_intervals": [_text],
}
_ROUTE["routes"] = [_ROUTE]
ALERTMANAGER = {
    "global": _any,
    "templates": [_text],
    "route": _ROUTE,
    "receivers": [{"name": _text, "*_configs": _any}],
    "inhibit_rules": [
        {
            "name": _text,
            "source_match": _texts,
            "source_match_re": _texts,
            "source_matchers": [_word],
            "target_match": _texts,
            "target_match_re": _texts,
            "target_matchers": [_word],
            "equal": [_word],
            "sources": _any,
        }
    ],
    **_free("mute_time_intervals time_intervals tracing"),
}


def without_nulls(value: Any) -> Any:
    """A document without the fields and items that hold nothing: they are as good as not there."""
    if isinstance(value, dict):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    if isinstance(value, list):
        return [without_nulls(part) for part in value if part is not None]
    return value


def misfits(value: Any, spec: Spec, path: str = "") -> Iterator[str]:
    """Where a document does not fit its schema, as paths (`scrape_configs[0].static_config`)."""
    if value is None:
        return
    if isinstance(spec, dict):
        if not isinstance(value, dict):
            yield path or "."
            return
        for name, part in value.items():
            place = f"{path}.{name}" if path else str(name)
            known = spec.get(name) or next(
                (kind for key, kind in spec.items() if key[0] == "*" and str(name).endswith(key[1:])), None
            )
            if known is None:
                yield place
            else:
                yield from misfits(part, known, place)
    elif isinstance(spec, list):
        if not isinstance(value, list):
            yield path
            return
        for n, part in enumerate(value):
            yield from misfits(part, spec[0], f"{path}[{n}]")
    elif not spec(value):
        yield path


def config_faults(config: Mapping[str, Any]) -> Iterator[str]:
    """Why Prometheus would refuse a configuration, as paths."""
    yield from misfits(config, PROMETHEUS)
    if not isinstance(config.get("scrape_configs") or [], list) or not isinstance(config.get("global") or {}, dict):
        return
    usual = config.get("global") or {}
    names: set[str] = set()
    for n, job in enumerate(config.get("scrape_configs") or []):
        if not isinstance(job, dict):
            continue
        name = str(job.get("job_name", ""))
        if not name or name in names:
            yield f"scrape_configs[{n}].job_name"
        else:
            names.add(name)
        interval = seconds(job.get("scrape_interval") or usual.get("scrape_interval", "1m"))
        timeout = seconds(job.get("scrape_timeout", 0))
        if interval is not None and timeout and timeout > interval:
            yield f"scrape_configs[{n}].scrape_timeout"


def rule_faults(document: Mapping[str, Any]) -> Iterator[str]:
    """Why Prometheus would refuse a file of rules, as paths."""
    found = list(misfits(document, RULES))
    yield from found
    if found:
        return
    names = [group.get("name") for group in document.get("groups") or [] if group]
    if len({*names}) < len(names) or not all(names):
        yield "groups[].name"
    for n, group in enumerate(document.get("groups") or []):
        for m, rule in enumerate((group or {}).get("rules") or []):
            place = f"groups[{n}].rules[{m}]"
            if not isinstance(rule, dict) or ("alert" in rule) == ("record" in rule):
                yield place
            elif "expr" not in rule:
                yield f"{place}.expr"
            elif "record" in rule and {"for", "keep_firing_for", "annotations"} & {*rule}:
                yield f"{place}.{next(iter({'for', 'keep_firing_for', 'annotations'} & {*rule}))}"


def alertmanager_faults(config: Mapping[str, Any]) -> Iterator[str]:
    """Why Alertmanager would refuse a configuration, as paths."""
    found = list(misfits(config, ALERTMANAGER))
    yield from found
    if found:
        return
    root = config.get("route")
    if not root:
        yield "route"
        return
    if not root.get("receiver"):
        yield "route.receiver"
    if any(root.get(name) for name in ("matchers", "match", "match_re")):
        yield "route.matchers"
    names = [str(receiver.get("name")) for receiver in config.get("receivers") or [] if receiver]
    if len({*names}) < len(names):
        yield "receivers[].name"
    for place, route in _all_routes(root, "route"):
        if route.get("receiver") and str(route["receiver"]) not in names:
            yield f"{place}.receiver"
        if len({*(route.get("group_by") or [])}) < len(route.get("group_by") or []):
            yield f"{place}.group_by"
        yield from (f"{place}.{field}" for field in _bad_matchers(route, ("",)))
    for n, rule in enumerate(config.get("inhibit_rules") or []):
        yield from (f"inhibit_rules[{n}].{field}" for field in _bad_matchers(rule or {}, ("source_", "target_")))


def _all_routes(route: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield place, route
    for n, child in enumerate(route.get("routes") or []):
        yield from _all_routes(child or {}, f"{place}.routes[{n}]")


def _bad_matchers(rule: Mapping[str, Any], prefixes: Sequence[str]) -> Iterator[str]:
    for prefix in prefixes:
        try:
            matchers(rule, prefix)
        except (ValueError, re.error):
            yield f"{prefix}matchers"


# --- what a scrape configuration does ---


def jobs(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The scrape configurations."""
    return [job for job in config.get("scrape_configs") or [] if isinstance(job, dict)]


def static_targets(job: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """The targets of a job, each with its labels."""
    return [
        (str(target), {name: str(text) for name, text in (group.get("labels") or {}).items()})
        for group in job.get("static_configs") or []
        for target in (group or {}).get("targets") or []
    ]


def relabelled(labels: Mapping[str, str], rules: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
    """The labels after relabelling, or None when what bears them is dropped."""
    now = {name: text for name, text in labels.items() if text != ""}
    for rule in rules:
        action = str(rule.get("action", "replace")).lower()
        regex = re.compile(f"(?s:{rule.get('regex', '(.*)')})")
        target = str(rule.get("target_label", ""))
        value = str(rule.get("separator", ";")).join(now.get(name, "") for name in rule.get("source_labels") or [])
        match = regex.fullmatch(value)
        if (action == "keep" and not match) or (action == "drop" and match):
            return None
        if (action == "keepequal" and value != now.get(target, "")) or (
            action == "dropequal" and value == now.get(target, "")
        ):
            return None
        if action in ("labeldrop", "labelkeep"):
            now = {name: text for name, text in now.items() if bool(regex.fullmatch(name)) == (action == "labelkeep")}
        elif action == "labelmap":
            for name, text in list(now.items()):
                if found := regex.fullmatch(name):
                    now[promql.expand(found, str(rule.get("replacement", "$1")))] = text
        elif action == "replace" and match:
            now[promql.expand(match, target)] = promql.expand(match, str(rule.get("replacement", "$1")))
        elif action in ("lowercase", "uppercase"):
            now[target] = value.lower() if action == "lowercase" else value.upper()
        elif action == "hashmod":
            digest = md5(value.encode(), usedforsecurity=False).digest()
            now[target] = str(int.from_bytes(digest[8:], "big") % int(rule.get("modulus") or 1))
        now = {name: text for name, text in now.items() if text != ""}
    return now


# --- where an alert goes ---

_MATCHER = re.compile(r'\s*"?([a-zA-Z_][\w.:-]*)"?\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^\s,{}"]*)\s*')
Matcher = tuple[str, str, str]


def matchers(rule: Mapping[str, Any], prefix: str = "") -> list[Matcher]:
    """The matchers of a route or of one side of an inhibition, in any of their spellings. Raises ValueError."""
    found = [(name, "=", str(text)) for name, text in (rule.get(f"{prefix}match") or {}).items()]
    found += [(name, "=~", str(text)) for name, text in (rule.get(f"{prefix}match_re") or {}).items()]
    for text in rule.get(f"{prefix}matchers") or []:
        inside = text.strip()
        if inside.startswith("{") and inside.endswith("}"):
            inside = inside[1:-1]
        place = 0
        while place < len(inside):
            match = _MATCHER.match(inside, place)
            if not match or (match.end() < len(inside) and inside[match.end()] != ","):
                raise ValueError(text)
            value = match[3]
            quoted = value.startswith('"')
            found.append((match[1], match[2], re.sub(r"\\(.)", r"\1", value[1:-1]) if quoted else value))
            place = match.end() + 1
    for _, op, text in found:
        if op in ("=~", "!~"):
            re.compile(text)
    return found


def matches(labels: Mapping[str, str], wanted: Sequence[Matcher]) -> bool:
    """Whether labels fulfil all matchers; a label that is missing is empty."""
    for name, op, text in wanted:
        value = labels.get(name, "")
        same = re.fullmatch(text, value, re.DOTALL) is not None if op.endswith("~") else value == text
        if same == op.startswith("!"):
            return False
    return True


@dataclass(frozen=True)
class Delivery:
    """Where an alert goes, with the settings of its route. `group_by` is None when each alert is a group of its own."""

    receiver: str
    group_by: tuple[str, ...] | None
    group_wait: float
    group_interval: float
    repeat_interval: float

    def group(self, labels: Mapping[str, str]) -> tuple[object, ...]:
        """What the alerts of one message have in common."""
        names = sorted(labels) if self.group_by is None else sorted(self.group_by)
        return (self.receiver, *((name, labels.get(name, "")) for name in names))


def deliveries(config: Mapping[str, Any], labels: Mapping[str, str]) -> list[Delivery]:
    """Where Alertmanager sends an alert, in the order of the routes."""
    usual = {"group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h"}
    return _deliveries(config.get("route") or {}, labels, usual)


def _deliveries(route: Mapping[str, Any], labels: Mapping[str, str], outer: Mapping[str, Any]) -> list[Delivery]:
    if not matches(labels, matchers(route)):
        return []
    own = {**outer, **{name: value for name, value in route.items() if value is not None}}
    handed_down = {name: own[name] for name in _HANDED_DOWN if name in own}
    found: list[Delivery] = []
    for child in route.get("routes") or []:
        here = _deliveries(child or {}, labels, handed_down)
        found += here
        if here and not (child or {}).get("continue"):
            break
    if found:
        return found
    names = tuple(str(name) for name in own.get("group_by") or ())
    wait, interval, repeat = (seconds(own[name]) or 0.0 for name in ("group_wait", "group_interval", "repeat_interval"))
    return [Delivery(str(own.get("receiver")), None if "..." in names else names, wait, interval, repeat)]


_HANDED_DOWN = ("receiver", "group_by", "group_wait", "group_interval", "repeat_interval")


def muted(config: Mapping[str, Any], labels: Mapping[str, str], active: Sequence[Mapping[str, str]]) -> bool:
    """Whether an inhibition keeps an alert quiet while the alerts `active` fire."""
    for rule in config.get("inhibit_rules") or []:
        sources, targets = matchers(rule, "source_"), matchers(rule, "target_")
        if not matches(labels, targets):
            continue
        both = matches(labels, sources)
        for alert in active:
            same = all(alert.get(name, "") == labels.get(name, "") for name in rule.get("equal") or [])
            if same and matches(alert, sources) and not (both and matches(alert, targets)):
                return True
    return False
