"""The kinds that the emulated Kubernetes API knows, and how kubectl lists them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from curriculum.labs.manifests.model import at, entries, mapping
from curriculum.labs.manifests.values import Selector, written

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True)
class Kind:
    """A kind of object: where its API lies, and what it is called there."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = tuple(_VERBS)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def discovery(self) -> list[dict[str, Any]]:
        """What `kubectl api-resources` learns of it."""
        own = {
            "name": self.plural,
            "singularName": self.kind.lower(),
            "namespaced": self.namespaced,
            "kind": self.kind,
            "verbs": list(self.verbs),
            "shortNames": list(self.short),
            "categories": ["all"] if self.kind in _ALL else [],
        }
        subs = [
            {
                "name": f"{self.plural}/{sub}",
                "singularName": "",
                "namespaced": self.namespaced,
                "kind": {"scale": "Scale", "eviction": "Eviction"}.get(sub, self.kind),
                "verbs": ["get", "patch", "update", "create"],
                **({"group": "autoscaling", "version": "v1"} if sub == "scale" else {}),
                **({"group": "policy", "version": "v1"} if sub == "eviction" else {}),
            }
            for sub in self.subresources
        ]
        return [own, *subs]


_ALL = {
    "Pod",
    "Service",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "HorizontalPodAutoscaler",
}
_REVIEW = ("create",)
KINDS = (
    Kind("", "v1", "ConfigMap", "configmaps", short=("cm",)),
    Kind("", "v1", "Endpoints", "endpoints", short=("ep",)),
    Kind("", "v1", "Event", "events", short=("ev",)),
    Kind("", "v1", "LimitRange", "limitranges", short=("limits",)),
    Kind("", "v1", "Namespace", "namespaces", namespaced=False, short=("ns",)),
    Kind("", "v1", "Node", "nodes", namespaced=False, short=("no",)),
    Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", short=("pvc",)),
    Kind("", "v1", "Pod", "pods", short=("po",), subresources=("log", "eviction", "proxy", "status")),
    Kind("", "v1", "ResourceQuota", "resourcequotas", short=("quota",)),
    Kind("", "v1", "Secret", "secrets"),
    Kind("", "v1", "ServiceAccount", "serviceaccounts", short=("sa",)),
    Kind("", "v1", "Service", "services", short=("svc",), subresources=("proxy", "status")),
    Kind("apps", "v1", "Deployment", "deployments", short=("deploy",), subresources=("scale", "status")),
    Kind("apps", "v1", "ReplicaSet", "replicasets", short=("rs",), subresources=("scale", "status")),
    Kind("apps", "v1", "StatefulSet", "statefulsets", short=("sts",), subresources=("scale", "status")),
    Kind("apps", "v1", "DaemonSet", "daemonsets", short=("ds",)),
    Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", short=("hpa",)),
    Kind("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", short=("hpa",)),
    Kind("batch", "v1", "Job", "jobs"),
    Kind("batch", "v1", "CronJob", "cronjobs", short=("cj",)),
    Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    Kind("networking.k8s.io", "v1", "Ingress", "ingresses", short=("ing",)),
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", short=("netpol",)),
    Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", short=("pdb",)),
    Kind("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    Kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False),
    Kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    Kind("authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", namespaced=False, verbs=_REVIEW),
    Kind("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False, verbs=_REVIEW),
)  # fmt: skip
BY_PLURAL = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
BY_KIND = {(kind.group, kind.version, kind.kind): kind for kind in KINDS}


# --- tables ----------------------------------------------------------------------------------------------------------

Row = Callable[[dict[str, Any]], list[Any]]


def table(kind: Kind, objects: list[dict[str, Any]], version: str) -> dict[str, Any]:
    """The answer to `kubectl get`: the columns that a cluster shows."""
    columns, row = _TABLES.get(kind.kind, (["Name", "Age"], lambda o: [o["metadata"]["name"], age(o)]))
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [
            {
                "name": name.removeprefix("+"),
                "type": "string",
                "format": "name" if name == "Name" else "",
                "description": "",
                "priority": int(name.startswith("+")),
            }
            for name in columns
        ],
        "rows": [
            {
                "cells": row(each),
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": each["metadata"],
                },
            }
            for each in objects
        ],
    }


def age(data: dict[str, Any]) -> str:
    made = dt.datetime.fromisoformat(data["metadata"]["creationTimestamp"].replace("Z", "+00:00"))
    seconds = int((dt.datetime.now(dt.UTC) - made).total_seconds())
    return f"{seconds}s" if seconds < 120 else f"{seconds // 60}m" if seconds < 7200 else f"{seconds // 3600}h"


def pod_status(pod: dict[str, Any]) -> str:
    """The column STATUS of a Pod: a container's reason before the phase."""
    if at(pod, "metadata", "deletionTimestamp"):
        return "Terminating"
    for status in entries(at(pod, "status", "containerStatuses")):
        for state in ("waiting", "terminated"):
            if reason := at(status, "state", state, "reason"):
                return str(reason)
    return str(at(pod, "status", "phase") or "Pending")


def _pod(o: dict[str, Any]) -> list[Any]:
    statuses = entries(at(o, "status", "containerStatuses"))
    ready = sum(bool(status.get("ready")) for status in statuses)
    restarts = sum(int(status.get("restartCount", 0)) for status in statuses)
    wide = [at(o, "status", "podIP") or "<none>", at(o, "spec", "nodeName") or "<none>", "<none>", "<none>"]
    return [
        o["metadata"]["name"],
        f"{ready}/{len(o['spec']['containers'])}",
        pod_status(o),
        str(restarts),
        age(o),
        *wide,
    ]


def _deployment(o: dict[str, Any]) -> list[Any]:
    status = mapping(o.get("status"))
    containers = entries(at(o, "spec", "template", "spec", "containers"))
    selector = str(Selector.of(at(o, "spec", "selector"))).replace(", ", ",")
    return [
        o["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{o['spec'].get('replicas', 1)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(o),
        ",".join(str(c.get("name")) for c in containers),
        ",".join(str(c.get("image")) for c in containers),
        selector,
    ]


def _replica_set(o: dict[str, Any]) -> list[Any]:
    status = mapping(o.get("status"))
    return [
        o["metadata"]["name"],
        o["spec"].get("replicas", 1),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(o),
    ]


def _service(o: dict[str, Any]) -> list[Any]:
    ports = ",".join(f"{p['port']}/{p.get('protocol', 'TCP')}" for p in entries(o["spec"].get("ports"))) or "<none>"
    selector = written(mapping(o["spec"].get("selector"))) or "<none>"
    return [
        o["metadata"]["name"],
        o["spec"].get("type", "ClusterIP"),
        o["spec"].get("clusterIP", "None"),
        "<none>",
        ports,
        age(o),
        selector,
    ]


def _endpoints(o: dict[str, Any]) -> list[Any]:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in entries(o.get("subsets"))
        for port in entries(subset.get("ports"))
        for address in entries(subset.get("addresses"))
    ]
    shown = ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "")
    # Pods that are selected but not ready leave the column empty.
    return [o["metadata"]["name"], shown or ("" if o.get("subsets") else "<none>"), age(o)]


def _budget(o: dict[str, Any]) -> list[Any]:
    spec = o["spec"]
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    return [
        o["metadata"]["name"],
        "N/A" if least is None else str(least),
        "N/A" if most is None else str(most),
        at(o, "status", "disruptionsAllowed") or 0,
        age(o),
    ]


def _autoscaler(o: dict[str, Any]) -> list[Any]:
    spec = o["spec"]
    target = f"{at(spec, 'scaleTargetRef', 'kind')}/{at(spec, 'scaleTargetRef', 'name')}"
    current = at(o, "status", "currentReplicas") or 0
    shown = ", ".join(
        f"{at(m, 'resource', 'name')}: <unknown>/{at(m, 'resource', 'target', 'averageUtilization')}%"
        for m in entries(spec.get("metrics"))
    )
    return [
        o["metadata"]["name"],
        target,
        shown or "<none>",
        spec.get("minReplicas", 1),
        spec["maxReplicas"],
        current,
        age(o),
    ]


def _quota(o: dict[str, Any]) -> list[Any]:
    hard, used = mapping(at(o, "spec", "hard")), mapping(at(o, "status", "used"))
    shown = {name: f"{name}: {used.get(name, '0')}/{most}" for name, most in sorted(hard.items())}
    limits = ", ".join(text for name, text in shown.items() if name.startswith("limits."))
    requests = ", ".join(text for name, text in shown.items() if not name.startswith("limits."))
    return [o["metadata"]["name"], requests, limits, age(o)]


def _cron_job(o: dict[str, Any]) -> list[Any]:
    spec = o["spec"]
    zone = spec.get("timeZone") or "<none>"
    suspended = str(bool(spec.get("suspend"))).capitalize()
    return [o["metadata"]["name"], spec["schedule"], zone, suspended, 0, "<none>", age(o)]


_WIDE_POD = ["+IP", "+Node", "+Nominated Node", "+Readiness Gates"]
_TABLES: dict[str, tuple[list[str], Row]] = {
    "Pod": (["Name", "Ready", "Status", "Restarts", "Age", *_WIDE_POD], _pod),
    "Deployment": (
        ["Name", "Ready", "Up-to-date", "Available", "Age", "+Containers", "+Images", "+Selector"],
        _deployment,
    ),
    "ReplicaSet": (["Name", "Desired", "Current", "Ready", "Age"], _replica_set),
    "Service": (["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "+Selector"], _service),
    "Endpoints": (["Name", "Endpoints", "Age"], _endpoints),
    "ConfigMap": (["Name", "Data", "Age"], lambda o: [o["metadata"]["name"], len(mapping(o.get("data"))), age(o)]),
    "Secret": (
        ["Name", "Type", "Data", "Age"],
        lambda o: [o["metadata"]["name"], o.get("type", "Opaque"), len(mapping(o.get("data"))), age(o)],
    ),
    "Namespace": (
        ["Name", "Status", "Age"],
        lambda o: [o["metadata"]["name"], at(o, "status", "phase") or "Active", age(o)],
    ),
    "PodDisruptionBudget": (
        ["Name", "Min Available", "Max Unavailable", "Allowed Disruptions", "Age"],
        _budget,
    ),
    "HorizontalPodAutoscaler": (
        ["Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"],
        _autoscaler,
    ),
    "ResourceQuota": (["Name", "Request", "Limit", "Age"], _quota),
    "CronJob": (["Name", "Schedule", "Timezone", "Suspend", "Active", "Last Schedule", "Age"], _cron_job),
    "Event": (
        ["Last Seen", "Type", "Reason", "Object", "Message"],
        lambda o: [
            age(o),
            o.get("type"),
            o.get("reason"),
            f"{at(o, 'involvedObject', 'kind').lower()}/{at(o, 'involvedObject', 'name')}",
            o.get("message"),
        ],
    ),
    "NetworkPolicy": (
        ["Name", "Pod-Selector", "Age"],
        lambda o: [o["metadata"]["name"], str(Selector.of(at(o, "spec", "podSelector"))) or "<none>", age(o)],
    ),
    "Node": (
        ["Name", "Status", "Roles", "Age", "Version"],
        lambda o: [
            o["metadata"]["name"],
            "Ready,SchedulingDisabled" if at(o, "spec", "unschedulable") else "Ready",
            "<none>",
            age(o),
            "v1.32.0+emulated",
        ],
    ),
    "Role": (["Name", "Created At"], lambda o: [o["metadata"]["name"], o["metadata"]["creationTimestamp"]]),
    "RoleBinding": (
        ["Name", "Role", "Age"],
        lambda o: [o["metadata"]["name"], f"{at(o, 'roleRef', 'kind')}/{at(o, 'roleRef', 'name')}", age(o)],
    ),
}
