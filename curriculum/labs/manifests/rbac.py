"""Who may do what: the answer that a cluster gives to `kubectl auth can-i`, from Roles and bindings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from curriculum.labs.manifests.model import Manifest, Manifests, entries, mapping, texts
from curriculum.labs.manifests.values import Selector

_READ = ["get", "list", "watch"]
_WRITE = ["create", "update", "patch", "delete", "deletecollection"]
_WORKLOADS = [
    {"apiGroups": [""], "resources": ["pods", "services", "configmaps", "endpoints", "events", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "limitranges", "serviceaccounts", "pods/log", "pods/status", "namespaces"]},
    {"apiGroups": ["apps"], "resources": ["deployments", "replicasets", "statefulsets", "daemonsets", "deployments/scale", "replicasets/scale"]},
    {"apiGroups": ["batch"], "resources": ["jobs", "cronjobs"]},
    {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"]},
    {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies", "ingresses"]},
    {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"]},
]  # fmt: skip
_VIEW: list[dict[str, Any]] = [{**rule, "verbs": _READ} for rule in _WORKLOADS]
_NOT_WRITTEN = {"resourcequotas", "limitranges", "namespaces", "pods/log", "pods/status"}
_EDIT: list[dict[str, Any]] = [
    *_VIEW,
    *({**rule, "resources": [r for r in rule["resources"] if r not in _NOT_WRITTEN], "verbs": _WRITE} for rule in _WORKLOADS),
    {"apiGroups": [""], "resources": ["secrets"], "verbs": [*_READ, *_WRITE]},
    {"apiGroups": [""], "resources": ["pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy"], "verbs": [*_READ, *_WRITE]},
    {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]},
]  # fmt: skip
_ADMIN: list[dict[str, Any]] = [
    *_EDIT,
    {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": [*_READ, *_WRITE]},
]  # fmt: skip
_EVERYTHING: list[dict[str, Any]] = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
#: The roles that every cluster has, as far as they matter to somebody's access.
READY_MADE = {"view": _VIEW, "edit": _EDIT, "admin": _ADMIN, "cluster-admin": _EVERYTHING}


@dataclass(frozen=True)
class Ask:
    """A request. An empty `namespace` asks for the cluster as a whole."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {resource}" + (f" -n {self.namespace}" if self.namespace else "")


class Access:
    """What the Roles and bindings of an answer allow. `home` is the Namespace of objects that name none."""

    def __init__(self, manifests: Manifests, home: str = "default") -> None:
        self._manifests = manifests
        self._home = home

    def can(self, account: str, account_namespace: str, ask: Ask) -> bool:
        """Whether a ServiceAccount may do what is asked."""
        return any(self._covers(rule, ask) for rule in self._rules(account, account_namespace, ask.namespace))

    def _rules(self, account: str, home: str, namespace: str) -> Iterator[dict[str, Any]]:
        for binding in self._manifests.of("RoleBinding", "ClusterRoleBinding"):
            everywhere = binding.kind == "ClusterRoleBinding"
            where = binding.namespace or self._home
            if (everywhere or where == namespace) and self._names(binding, account, home):
                yield from self._role(binding, where)

    def _names(self, binding: Manifest, account: str, home: str) -> bool:
        groups = {"system:serviceaccounts", f"system:serviceaccounts:{home}", "system:authenticated"}
        for subject in entries(binding.at("subjects")):
            kind, name = subject.get("kind"), str(subject.get("name") or "")
            if kind == "ServiceAccount" and name == account and str(subject.get("namespace") or "") == home:
                return True
            if kind == "User" and name == f"system:serviceaccount:{home}:{account}":
                return True
            if kind == "Group" and name in groups:
                return True
        return False

    def _role(self, binding: Manifest, where: str) -> Iterator[dict[str, Any]]:
        ref = mapping(binding.at("roleRef"))
        kind, name = str(ref.get("kind") or ""), str(ref.get("name") or "")
        found = [
            role
            for role in self._manifests.of(kind)
            if role.name == name and (kind == "ClusterRole" or (role.namespace or self._home) == where)
        ]
        if not found and kind == "ClusterRole":
            yield from READY_MADE.get(name, ())
        for role in found[-1:]:
            yield from entries(role.at("rules"))
            for selector in entries(role.at("aggregationRule", "clusterRoleSelectors")):
                for other in self._manifests.of("ClusterRole"):
                    if Selector.of(selector).fits(other.labels):
                        yield from entries(other.at("rules"))

    @staticmethod
    def _covers(rule: dict[str, Any], ask: Ask) -> bool:
        verbs, groups, resources = (texts(rule.get(key)) for key in ("verbs", "apiGroups", "resources"))
        names = texts(rule.get("resourceNames"))
        _, slash, sub = ask.resource.partition("/")
        wanted = {"*", ask.resource} | ({f"*/{sub}"} if slash else set())
        # A list or a create names no object, so a rule with names does not cover it.
        named = not names or (ask.name != "" and ask.name in names)
        return (
            bool({"*", ask.verb} & set(verbs))
            and bool({"*", ask.group} & set(groups))
            and bool(wanted & set(resources))
            and named
        )
