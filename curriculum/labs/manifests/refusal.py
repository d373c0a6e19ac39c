"""What a cluster would refuse: the schema's rules, and those that no schema tells.

Only what the API server itself refuses stands here. What it takes and what then never works (a Service that finds
nobody, an image that does not exist) is for the judges.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from curriculum.labs.manifests.model import TEMPLATES, Manifest, at, entries, mapping, number, texts
from curriculum.labs.manifests.schedule import is_schedule, is_zone
from curriculum.labs.manifests.schema import Schemas
from curriculum.labs.manifests.values import (
    Selector,
    is_dns_label,
    is_label_key,
    is_label_value,
    is_subdomain,
    labels_of,
    quantity,
    scaled,
)

Path = tuple[str | int, ...]
Found = tuple[str, Path, object]

_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9](?:[a-z0-9]|-(?!-))*(?<!-)")
_DATA_KEY = re.compile(r"[-._A-Za-z0-9]{1,253}")
_ENV_NAME = re.compile(r"[ -<>-~]+")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_OPERATORS = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}


@dataclass(frozen=True)
class Refusal:
    """Why a cluster would refuse an object. `rule` is the schema's (`unknown-field`, `missing-field`, `wrong-type`,
    `unknown-kind`) or one of ours (`name`, `label`, `selector`, `port`, `image`, `quantity`, `schedule` …)."""

    rule: str
    title: str
    path: str
    found: str = ""

    def __str__(self) -> str:
        where = f"{self.title} {self.path}".strip()
        return f"{where}: {self.found}" if self.found else where


def refusals(manifests: Iterable[Manifest], schemas: Schemas, *, without: Iterable[str] = ()) -> Iterator[Refusal]:
    """Everything that a cluster would refuse, object by object. `without` names rules that are judged elsewhere."""
    left_out = set(without)
    for manifest in manifests:
        for rule, path, found in _of(manifest, schemas):
            if rule not in left_out:
                yield Refusal(rule, manifest.title, _dotted(path), "" if found is None else str(found)[:80])


def _dotted(path: Path) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _of(manifest: Manifest, schemas: Schemas) -> Iterator[Found]:
    for field in ("apiVersion", "kind"):
        if not isinstance(manifest.at(field), str) or not manifest.at(field):
            yield "missing-field", (field,), None
            return
    breached = False
    for breach in schemas.breaches(manifest.data, manifest.group, manifest.version, manifest.kind):
        breached = True
        yield breach.rule, breach.path, breach.found or None
    if not breached:
        # What has the wrong type was told above; a rule would stumble over it.
        yield from _metadata(manifest)
        for kinds, rule in _RULES:
            if manifest.kind in kinds:
                yield from rule(manifest)


# --- names and labels ------------------------------------------------------------------------------------------------


def _metadata(manifest: Manifest) -> Iterator[Found]:
    name = manifest.name
    if not name:
        if not manifest.at("metadata", "generateName"):
            yield "missing-field", ("metadata", "name"), None
    elif not _name_fits(manifest.kind, name):
        yield "name", ("metadata", "name"), name
    if manifest.namespace and not is_dns_label(manifest.namespace):
        yield "name", ("metadata", "namespace"), manifest.namespace
    yield from _labels(manifest.labels, ("metadata", "labels"))
    for key in manifest.annotations:
        if not is_label_key(key):
            yield "label", ("metadata", "annotations"), key


def _name_fits(kind: str, name: str) -> bool:
    if kind in {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}:
        return name not in {".", ".."} and not {"/", "%"} & set(name)
    if kind == "Namespace":
        return is_dns_label(name)
    if kind == "Service":
        return is_dns_label(name) and not name[0].isdigit()
    # A CronJob leaves room for the eleven characters that it adds to the names of its Jobs.
    return is_subdomain(name) and (kind != "CronJob" or len(name) <= 52)


def _labels(labels: Mapping[str, str], path: Path) -> Iterator[Found]:
    for key, value in labels.items():
        if not is_label_key(key):
            yield "label", path, key
        elif not is_label_value(value):
            yield "label", (*path, key), value


def _selector(value: Any, path: Path) -> Iterator[Found]:
    yield from _labels(labels_of(at(value, "matchLabels")), (*path, "matchLabels"))
    for index, entry in enumerate(entries(at(value, "matchExpressions"))):
        operator = entry.get("operator")
        if operator not in _OPERATORS:
            yield "selector-operator", (*path, "matchExpressions", index, "operator"), operator
        elif bool(entry.get("values")) != _OPERATORS[operator]:
            yield "selector-operator", (*path, "matchExpressions", index, "values"), entry.get("values")


# --- workloads -------------------------------------------------------------------------------------------------------


def _workload(manifest: Manifest) -> Iterator[Found]:
    path = TEMPLATES[manifest.kind]
    pods = manifest.pods
    assert pods is not None
    if manifest.kind not in {"Pod", "Job", "CronJob"}:
        yield from _selector(manifest.at("spec", "selector"), ("spec", "selector"))
        if manifest.selector.empty or not manifest.selector.fits(pods.labels):
            yield "selector", ("spec", "selector"), str(manifest.selector) or "{}"
    if number(manifest.at("spec", "replicas"), 1) < 0:
        yield "negative", ("spec", "replicas"), manifest.at("spec", "replicas")
    yield from _labels(pods.labels, (*path, "metadata", "labels"))
    spec = (*path, "spec")
    policy = pods.spec.get("restartPolicy")
    allowed = {
        "Pod": {"Always", "OnFailure", "Never"},
        "Job": {"OnFailure", "Never"},
        "CronJob": {"OnFailure", "Never"},
    }
    if policy not in allowed.get(manifest.kind, {"Always"}) and (policy is not None or "Job" in manifest.kind):
        yield "restart-policy", (*spec, "restartPolicy"), policy or ""
    if not pods.containers:
        yield "missing-field", (*spec, "containers"), None
    if pods.grace < 0:
        yield "negative", (*spec, "terminationGracePeriodSeconds"), pods.grace
    names = [c.name for c in (*pods.containers, *pods.init_containers)]
    for name in _repeated(names):
        yield "duplicate", (*spec, "containers"), name
    yield from _volumes(pods.spec, spec)
    volumes = set(pods.volumes)
    for field in ("containers", "initContainers"):
        for index, data in enumerate(entries(pods.spec.get(field))):
            yield from _container(data, volumes, (*spec, field, index))


def _container(data: Mapping[str, Any], volumes: set[str], path: Path) -> Iterator[Found]:
    if not is_dns_label(str(data.get("name") or "")):
        yield "name", (*path, "name"), data.get("name")
    image = data.get("image")
    if not isinstance(image, str) or not image.strip() or image != image.strip():
        yield "image", (*path, "image"), image
    if data.get("imagePullPolicy") not in {None, "Always", "IfNotPresent", "Never"}:
        yield "pull-policy", (*path, "imagePullPolicy"), data.get("imagePullPolicy")
    yield from _container_ports(data, (*path, "ports"))
    for index, entry in enumerate(entries(data.get("env"))):
        yield from _env(entry, (*path, "env", index))
    places = []
    for index, mount in enumerate(entries(data.get("volumeMounts"))):
        places.append(str(mount.get("mountPath")))
        if str(mount.get("name")) not in volumes:
            yield "volume", (*path, "volumeMounts", index, "name"), mount.get("name")
    for place in _repeated(places):
        yield "duplicate", (*path, "volumeMounts"), place
    yield from _resources(mapping(data.get("resources")), (*path, "resources"))
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        if isinstance(data.get(kind), dict):
            yield from _probe(data[kind], (*path, kind), kind)
    for hook in ("postStart", "preStop"):
        handler = at(data.get("lifecycle"), hook)
        if isinstance(handler, dict):
            yield from _one_handler(handler, (*path, "lifecycle", hook), "hook")


def _container_ports(data: Mapping[str, Any], path: Path) -> Iterator[Found]:
    names = []
    for index, entry in enumerate(entries(data.get("ports"))):
        if not 0 < number(entry.get("containerPort"), 0) < 65536:
            yield "port", (*path, index, "containerPort"), entry.get("containerPort")
        if entry.get("hostPort") is not None and not 0 < number(entry.get("hostPort"), 0) < 65536:
            yield "port", (*path, index, "hostPort"), entry.get("hostPort")
        name = entry.get("name")
        if name is not None:
            names.append(str(name))
            if not _is_port_name(str(name)):
                yield "port-name", (*path, index, "name"), name
        if entry.get("protocol") not in {None, "TCP", "UDP", "SCTP"}:
            yield "protocol", (*path, index, "protocol"), entry.get("protocol")
    for name in _repeated(names):
        yield "duplicate", path, name


def _env(entry: Mapping[str, Any], path: Path) -> Iterator[Found]:
    name = str(entry.get("name") or "")
    if not _ENV_NAME.fullmatch(name):
        yield "name", (*path, "name"), name
    source = entry.get("valueFrom")
    if isinstance(source, dict) and (entry.get("value") or sum(v is not None for v in source.values()) != 1):
        yield "env", path, name


def _volumes(spec: Mapping[str, Any], path: Path) -> Iterator[Found]:
    found = entries(spec.get("volumes"))
    for name in _repeated([str(entry.get("name")) for entry in found]):
        yield "duplicate", (*path, "volumes"), name
    for index, entry in enumerate(found):
        if not is_dns_label(str(entry.get("name") or "")):
            yield "name", (*path, "volumes", index, "name"), entry.get("name")
        if sum(value is not None for key, value in entry.items() if key != "name") != 1:
            yield "volume", (*path, "volumes", index), entry.get("name")


def _resources(data: Mapping[str, Any], path: Path) -> Iterator[Found]:
    for field in ("requests", "limits"):
        yield from _amounts(data.get(field), (*path, field))
    limits = mapping(data.get("limits"))
    for name, value in mapping(data.get("requests")).items():
        asked, most = quantity(value), quantity(limits.get(name))
        if asked is not None and most is not None and asked > most:
            yield "request-over-limit", (*path, "requests", name), f"{value} > {limits[name]}"


def _amounts(data: Any, path: Path) -> Iterator[Found]:
    for name, value in mapping(data).items():
        amount = quantity(value)
        if amount is None:
            yield "quantity", (*path, name), value
        elif amount < 0:
            yield "negative", (*path, name), value


def _probe(data: Mapping[str, Any], path: Path, kind: str) -> Iterator[Found]:
    yield from _one_handler(data, path, "probe")
    for field, least in (
        ("periodSeconds", 0),
        ("failureThreshold", 0),
        ("timeoutSeconds", 0),
        ("initialDelaySeconds", 0),
    ):
        if number(data.get(field), 1) < least:
            yield "negative", (*path, field), data.get(field)
    if kind != "readinessProbe" and data.get("successThreshold") not in {None, 0, 1}:
        yield "probe", (*path, "successThreshold"), data.get("successThreshold")


def _one_handler(data: Mapping[str, Any], path: Path, rule: str) -> Iterator[Found]:
    named = [key for key in _HANDLERS if data.get(key) is not None]
    if len(named) != 1:
        yield rule, path, ", ".join(named)
    for key in ("httpGet", "tcpSocket", "grpc"):
        port = at(data, key, "port")
        if port is not None and not _is_port(port):
            yield "port", (*path, key, "port"), port
    if data.get("exec") is not None and not texts(at(data, "exec", "command")):
        yield rule, (*path, "exec", "command"), ""


def _is_port(port: object) -> bool:
    """Whether it is a port's number or could be its name."""
    return 0 < port < 65536 if isinstance(port, int) else _is_port_name(str(port))


def _is_port_name(name: str) -> bool:
    return len(name) <= 15 and bool(_PORT_NAME.fullmatch(name))


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _strategy(manifest: Manifest) -> Iterator[Found]:
    path: Path = ("spec", "strategy")
    kind, rolling = manifest.at(*path, "type"), manifest.at(*path, "rollingUpdate")
    if kind not in {None, "RollingUpdate", "Recreate"} or (kind == "Recreate" and rolling is not None):
        yield "strategy", path, kind
    amounts = []
    for field, up in (("maxSurge", True), ("maxUnavailable", False)):
        value = at(rolling, field)
        amount = scaled("25%" if value is None else value, max(manifest.replicas, 1), up=up)
        if amount is None or amount < 0:
            yield "share", (*path, "rollingUpdate", field), value
        else:
            # The server looks at what is written, before any rounding.
            amounts.append(value in {0, "0%"})
    if amounts == [True, True]:
        yield "strategy", (*path, "rollingUpdate"), "maxSurge: 0, maxUnavailable: 0"


# --- Services, data --------------------------------------------------------------------------------------------------


def _service(manifest: Manifest) -> Iterator[Found]:
    yield from _labels(labels_of(manifest.at("spec", "selector")), ("spec", "selector"))
    kind = manifest.at("spec", "type")
    if kind not in {None, "ClusterIP", "NodePort", "LoadBalancer", "ExternalName"}:
        yield "service-type", ("spec", "type"), kind
    if kind == "ExternalName":
        return
    ports = entries(manifest.at("spec", "ports"))
    if not ports and manifest.at("spec", "clusterIP") != "None":
        yield "missing-field", ("spec", "ports"), None
    for index, entry in enumerate(ports):
        path: Path = ("spec", "ports", index)
        if not 0 < number(entry.get("port"), 0) < 65536:
            yield "port", (*path, "port"), entry.get("port")
        target = entry.get("targetPort")
        if target is not None and not _is_port(target):
            yield "port", (*path, "targetPort"), target
        if entry.get("nodePort") and not 30000 <= number(entry.get("nodePort"), 0) <= 32767:
            yield "port", (*path, "nodePort"), entry.get("nodePort")
        if entry.get("protocol") not in {None, "TCP", "UDP", "SCTP"}:
            yield "protocol", (*path, "protocol"), entry.get("protocol")
        name = entry.get("name")
        if (len(ports) > 1 and not name) or (name and not is_dns_label(str(name))):
            yield "port-name", (*path, "name"), name
    for name in _repeated([str(entry["name"]) for entry in ports if entry.get("name")]):
        yield "duplicate", ("spec", "ports"), name
    for pair in _repeated([f"{entry.get('port')}/{entry.get('protocol') or 'TCP'}" for entry in ports]):
        yield "duplicate", ("spec", "ports"), pair


def _data(manifest: Manifest) -> Iterator[Found]:
    for field in ("data", "binaryData", "stringData"):
        for key in mapping(manifest.at(field)):
            if not _DATA_KEY.fullmatch(key) or key in {".", ".."}:
                yield "data-key", (field,), key
    encoded = "data" if manifest.kind == "Secret" else "binaryData"
    for key, value in labels_of(manifest.at(encoded)).items():
        if not _is_base64(value):
            yield "base64", (encoded, key), None
    if manifest.kind == "ConfigMap":
        for key in mapping(manifest.at("data")).keys() & mapping(manifest.at("binaryData")).keys():
            yield "duplicate", ("binaryData",), key


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


# --- scaling, disruption, jobs ---------------------------------------------------------------------------------------


def _autoscaler(manifest: Manifest) -> Iterator[Found]:
    least, most = number(manifest.at("spec", "minReplicas"), 1), number(manifest.at("spec", "maxReplicas"), 0)
    if least < 1:
        yield "scale-range", ("spec", "minReplicas"), least
    if most < max(least, 1):
        yield "scale-range", ("spec", "maxReplicas"), f"{most} < {least}" if most else most
    if manifest.version == "v1":
        return
    names = {"Resource": "resource", "Pods": "pods", "Object": "object", "External": "external"}
    names["ContainerResource"] = "containerResource"
    for index, metric in enumerate(entries(manifest.at("spec", "metrics"))):
        path: Path = ("spec", "metrics", index)
        kind = str(metric.get("type"))
        if kind not in names or not isinstance(metric.get(names[kind]), dict):
            yield "metric", (*path, "type"), kind
            continue
        target = mapping(at(metric, names[kind], "target"))
        fields = {"Utilization": "averageUtilization", "AverageValue": "averageValue", "Value": "value"}
        wanted = fields.get(str(target.get("type")))
        if wanted is None or target.get(wanted) is None:
            yield "metric", (*path, names[kind], "target"), target.get("type")
        elif wanted == "averageUtilization" and number(target[wanted], 0) < 1:
            yield "metric", (*path, names[kind], "target", wanted), target[wanted]


def _budget(manifest: Manifest) -> Iterator[Found]:
    yield from _selector(manifest.at("spec", "selector"), ("spec", "selector"))
    named = [field for field in ("minAvailable", "maxUnavailable") if manifest.at("spec", field) is not None]
    if len(named) == 2:
        yield "budget", ("spec",), ", ".join(named)
    for field in named:
        amount = scaled(manifest.at("spec", field), 100, up=True)
        if amount is None or amount < 0 or (isinstance(manifest.at("spec", field), str) and amount > 100):
            yield "share", ("spec", field), manifest.at("spec", field)


def _job(manifest: Manifest) -> Iterator[Found]:
    path: Path = ("spec", "jobTemplate", "spec") if manifest.kind == "CronJob" else ("spec",)
    for field in ("backoffLimit", "completions", "parallelism", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        if number(manifest.at(*path, field), 0) < 0:
            yield "negative", (*path, field), manifest.at(*path, field)
    if manifest.kind != "CronJob":
        return
    if not is_schedule(manifest.at("spec", "schedule")):
        yield "schedule", ("spec", "schedule"), manifest.at("spec", "schedule")
    if manifest.at("spec", "concurrencyPolicy") not in {None, "Allow", "Forbid", "Replace"}:
        yield "concurrency-policy", ("spec", "concurrencyPolicy"), manifest.at("spec", "concurrencyPolicy")
    for field in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        if number(manifest.at("spec", field), 0) < 0:
            yield "negative", ("spec", field), manifest.at("spec", field)
    zone = manifest.at("spec", "timeZone")
    if zone is not None and not is_zone(str(zone)):
        yield "time-zone", ("spec", "timeZone"), zone


# --- access, network, quota ------------------------------------------------------------------------------------------


def _role(manifest: Manifest) -> Iterator[Found]:
    for index, rule in enumerate(entries(manifest.at("rules"))):
        path: Path = ("rules", index)
        if not texts(rule.get("verbs")):
            yield "missing-field", (*path, "verbs"), None
        if texts(rule.get("nonResourceURLs")) and manifest.kind == "ClusterRole":
            continue
        for field in ("apiGroups", "resources"):
            if not texts(rule.get(field)):
                yield "missing-field", (*path, field), None


def _binding(manifest: Manifest) -> Iterator[Found]:
    kinds = {"ClusterRole"} if manifest.kind == "ClusterRoleBinding" else {"Role", "ClusterRole"}
    if manifest.at("roleRef", "kind") not in kinds:
        yield "role-ref", ("roleRef", "kind"), manifest.at("roleRef", "kind")
    if manifest.at("roleRef", "apiGroup") not in {"", "rbac.authorization.k8s.io"}:
        yield "role-ref", ("roleRef", "apiGroup"), manifest.at("roleRef", "apiGroup")
    if not manifest.at("roleRef", "name"):
        yield "role-ref", ("roleRef", "name"), None
    for index, subject in enumerate(entries(manifest.at("subjects"))):
        path: Path = ("subjects", index)
        if subject.get("kind") not in {"ServiceAccount", "User", "Group"}:
            yield "subject", (*path, "kind"), subject.get("kind")
        if not subject.get("name"):
            yield "subject", (*path, "name"), None
        if subject.get("kind") == "ServiceAccount":
            if not subject.get("namespace"):
                yield "subject", (*path, "namespace"), None
            if subject.get("apiGroup"):
                yield "subject", (*path, "apiGroup"), subject.get("apiGroup")


def _policy(manifest: Manifest) -> Iterator[Found]:
    yield from _selector(manifest.at("spec", "podSelector"), ("spec", "podSelector"))
    for index, kind in enumerate(texts(manifest.at("spec", "policyTypes"))):
        if kind not in {"Ingress", "Egress"}:
            yield "policy-type", ("spec", "policyTypes", index), kind
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(entries(manifest.at("spec", direction))):
            path: Path = ("spec", direction, index)
            for place, peer in enumerate(entries(rule.get(side))):
                named = [key for key in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(key) is not None]
                if not named or ("ipBlock" in named and len(named) > 1):
                    yield "peer", (*path, side, place), ", ".join(named)
                for key in ("podSelector", "namespaceSelector"):
                    yield from _selector(peer.get(key), (*path, side, place, key))
            for place, entry in enumerate(entries(rule.get("ports"))):
                if entry.get("protocol") not in {None, "TCP", "UDP", "SCTP"}:
                    yield "protocol", (*path, "ports", place, "protocol"), entry.get("protocol")
                wanted = entry.get("port")
                if wanted is not None and not _is_port(wanted):
                    yield "port", (*path, "ports", place, "port"), wanted


def _quota(manifest: Manifest) -> Iterator[Found]:
    yield from _amounts(manifest.at("spec", "hard"), ("spec", "hard"))


def _limit_range(manifest: Manifest) -> Iterator[Found]:
    for index, limit in enumerate(entries(manifest.at("spec", "limits"))):
        path: Path = ("spec", "limits", index)
        for field in ("default", "defaultRequest", "max", "min", "maxLimitRequestRatio"):
            yield from _amounts(limit.get(field), (*path, field))
        # What a container is given must fit between the bounds, and the request under the limit.
        order = ("min", "defaultRequest", "default", "max")
        for name in {name for field in order for name in mapping(limit.get(field))}:
            known = [(field, quantity(at(limit, field, name))) for field in order]
            there = [(field, amount) for field, amount in known if amount is not None]
            for (low, less), (high, more) in pairwise(there):
                if less > more:
                    yield "request-over-limit", (*path, high, name), f"{low} > {high}"


_RULES: tuple[tuple[frozenset[str], Callable[[Manifest], Iterator[Found]]], ...] = (
    (frozenset(TEMPLATES), _workload),
    (frozenset({"Deployment"}), _strategy),
    (frozenset({"Service"}), _service),
    (frozenset({"ConfigMap", "Secret"}), _data),
    (frozenset({"HorizontalPodAutoscaler"}), _autoscaler),
    (frozenset({"PodDisruptionBudget"}), _budget),
    (frozenset({"Job", "CronJob"}), _job),
    (frozenset({"Role", "ClusterRole"}), _role),
    (frozenset({"RoleBinding", "ClusterRoleBinding"}), _binding),
    (frozenset({"NetworkPolicy"}), _policy),
    (frozenset({"ResourceQuota"}), _quota),
    (frozenset({"LimitRange"}), _limit_range),
)


def selects_own(manifest: Manifest) -> bool:
    """Whether a workload's selector fits the Pods that it makes; judged apart where that is the lesson."""
    pods = manifest.pods
    return pods is not None and not manifest.selector.empty and Selector.fits(manifest.selector, pods.labels)
