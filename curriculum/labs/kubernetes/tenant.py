"""The judge of a team's Namespace: quota, defaults, access, network."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from curriculum.labs import judge
from curriculum.labs.kubernetes.shared import accepted, all_met
from curriculum.labs.lab import Lab
from curriculum.labs.manifests import Manifest, Manifests, load, quantity
from curriculum.labs.manifests.model import at, entries, mapping
from curriculum.labs.manifests.network import OUTSIDE, Endpoint, Network
from curriculum.labs.manifests.rbac import Access, Ask
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.kubernetes import Cluster


@judge("kubernetes-tenant-kit")
def tenant_kit(lab: Lab) -> Iterator[Finding]:
    manifests, home = load(lab), lab.value("namespace")
    findings = [_in_the_room(lab, manifests, home), *_room_files(lab, manifests, home)]
    yield from findings
    if all_met(findings) and (cluster := lab.backend("kubernetes")):
        yield _enforced(lab, cluster, manifests, home)


def _in_the_room(lab: Lab, manifests: Manifests, home: str) -> Finding:
    """The criterion `accepted` of the kit: a cluster takes it, and everything lies in the Namespace that it creates."""
    finding = accepted(lab, manifests)
    if finding.result != "met":
        return finding
    if not any(namespace.name == home for namespace in manifests.of("Namespace")):
        return lab.found("accepted", False, expected=f"Namespace/{home}", fault="no-namespace")
    away = [f"{m.title} {m.namespace or '-'}" for m in manifests if m.namespaced and m.namespace != home]
    return lab.found("accepted", not away, found=", ".join(away), expected=home, fault="elsewhere")


def _room_files(lab: Lab, manifests: Manifests, home: str) -> Iterator[Finding]:
    quotas = [quota for quota in manifests.of("ResourceQuota") if (quota.namespace or home) == home]
    yield _quota(lab, quotas)
    yield _defaults(lab, manifests, quotas, home)
    access = Access(manifests, home)
    yield _can_deploy(lab, manifests, access, home)
    beyond = [ask for ask in _beyond(home) if access.can("deployer", home, ask)]
    yield lab.found("cannot-more", not beyond, found=", ".join(map(str, beyond[:4])), fault=_beyond_fault(beyond, home))
    network, name, port = Network(manifests, home), lab.value("delivery-time"), int(lab.number("port"))
    blocked = [str(path) for path in needed_paths(home, name, port) if not path.passes(network)]
    fault = "names" if any(":53" in path for path in blocked) else "callers"
    yield lab.found("paths-open", not blocked, found=", ".join(blocked[:4]), fault=fault)
    opened = [path for path in other_paths(home, name, port) if path.passes(network)]
    yield lab.found("paths-closed", not opened, found=", ".join(map(str, opened[:4])), fault=_open_fault(opened, home))


#: What the quota has to cap: the names that it may go by, and whether the value is memory.
_CAPS = {"requests.cpu": "cpu", "requests.memory": "memory", "limits.memory": ""}


def caps(quotas: Iterable[Manifest]) -> dict[str, Fraction]:
    """What quotas cap together: the least of each, under its long name. A quota with a scope does not count all Pods."""
    found: dict[str, Fraction] = {}
    for quota in quotas:
        if quota.at("spec", "scopes") or quota.at("spec", "scopeSelector"):
            continue
        for key, value in mapping(quota.at("spec", "hard")).items():
            long = next((name for name, short in _CAPS.items() if key == short), key)
            amount = quantity(value)
            if amount is not None:
                found[long] = min(found.get(long, amount), amount)
    return found


def _quota(lab: Lab, quotas: list[Manifest]) -> Finding:
    memory = lab.number("memory") * 1024**3
    wanted = {"requests.cpu": lab.number("cpu"), "requests.memory": memory, "limits.memory": memory}
    known = caps(quotas)
    wrong = {key: known.get(key) for key, amount in wanted.items() if known.get(key) != amount}
    fault = "no-quota" if not known else "not-all" if None in wrong.values() else "other-amount"
    shown = {key: str(value) for quota in quotas for key, value in mapping(quota.at("spec", "hard")).items()}
    return lab.found(
        "quota",
        not wrong,
        found=", ".join(f"{key}: {value}" for key, value in shown.items()),
        expected=f"requests.cpu: {lab.value('cpu')}, requests.memory, limits.memory: {lab.value('memory')}Gi",
        fault=fault,
    )


def given_to_containers(manifests: Manifests, home: str) -> dict[str, Fraction]:
    """What a container gets that states nothing: by the names that a quota counts."""
    found: dict[str, Fraction] = {}
    for limits in manifests.of("LimitRange"):
        for entry in entries(limits.at("spec", "limits")):
            if (limits.namespace or home) != home or entry.get("type") != "Container":
                continue
            default, requests = mapping(entry.get("default")), mapping(entry.get("defaultRequest"))
            # A maximum is the default limit where none is stated, and a limit is the request where none is stated.
            default = {**mapping(entry.get("max")), **default}
            least = mapping(entry.get("min"))
            for kind, amounts in (("limits", default), ("requests", {**least, **default, **requests})):
                for name, value in amounts.items():
                    if (amount := quantity(value)) is not None:
                        found[f"{kind}.{name}"] = amount
    return found


def _defaults(lab: Lab, manifests: Manifests, quotas: list[Manifest], home: str) -> Finding:
    known = caps(quotas)
    counted = {key for key in known if key.startswith(("requests.", "limits.")) and key.count(".") == 1}
    counted |= set(_CAPS) if not counted else set()
    given = given_to_containers(manifests, home)
    lacking = sorted(counted - set(given))
    large = sorted(key for key in counted & set(given) if key in known and given[key] > known[key])
    ranges = manifests.of("LimitRange")
    fault = "no-limit-range" if not ranges else "not-all" if lacking else "too-large"
    return lab.found("defaults", not lacking and not large, found=", ".join(lacking or large), fault=fault)


_THREE = (("deployments", "apps"), ("services", ""), ("configmaps", ""))


def table(home: str) -> list[Ask]:
    """What the team's pipeline has to be able to do."""
    asks = [
        Ask(verb, resource, group, home)
        for resource, group in _THREE
        for verb in ("get", "list", "watch", "create", "update", "patch")
    ]
    asks += [Ask(verb, "pods", "", home) for verb in ("get", "list", "watch")]
    return [*asks, Ask("get", "pods/log", "", home)]


def _can_deploy(lab: Lab, manifests: Manifests, access: Access, home: str) -> Finding:
    accounts = [account for account in manifests.of("ServiceAccount") if account.name == "deployer"]
    if not any((account.namespace or home) == home for account in accounts):
        return lab.found("can-deploy", False, expected="ServiceAccount/deployer", fault="no-account")
    lacking = [ask for ask in table(home) if not access.can("deployer", home, ask)]
    fault = "not-bound" if len(lacking) == len(table(home)) else "lacking"
    return lab.found("can-deploy", not lacking, found=", ".join(map(str, lacking[:4])), fault=fault)


_RBAC = "rbac.authorization.k8s.io"


_CHANGES = ("create", "update", "patch", "delete", "deletecollection")


def _beyond(home: str) -> Iterator[Ask]:
    """What the pipeline must not be able to do."""
    for verb in ("get", "list", "watch", *_CHANGES):
        yield Ask(verb, "secrets", "", home)
    for sub in ("exec", "attach", "portforward"):
        yield Ask("create", f"pods/{sub}", "", home)
        yield Ask("get", f"pods/{sub}", "", home)
    yield Ask("patch", "pods/ephemeralcontainers", "", home)
    for resource, group in (
        ("resourcequotas", ""),
        ("limitranges", ""),
        ("networkpolicies", "networking.k8s.io"),
        ("roles", _RBAC),
        ("rolebindings", _RBAC),
        ("namespaces", ""),
    ):
        for verb in _CHANGES:
            yield Ask(verb, resource, group, home)
    yield Ask("bind", "roles", _RBAC, home)
    yield Ask("escalate", "roles", _RBAC, home)
    yield Ask("create", "serviceaccounts/token", "", home)
    yield Ask("impersonate", "serviceaccounts", "", home)
    # An empty Namespace is the cluster as a whole.
    for elsewhere in ("default", "kube-system", f"{home}-next", ""):
        for resource, group in (*_THREE, ("pods", ""), ("pods/log", ""), ("secrets", ""), ("roles", _RBAC)):
            for verb in ("get", "list", "watch", *_CHANGES):
                yield Ask(verb, resource, group, elsewhere)
    for resource, group in (("namespaces", ""), ("nodes", ""), ("clusterroles", _RBAC), ("clusterrolebindings", _RBAC)):
        for verb in ("get", "list", *_CHANGES):
            yield Ask(verb, resource, group)


def _sample_beyond(home: str) -> list[Ask]:
    """One question of each sort: a cluster is asked them one by one."""
    return [
        *(Ask(verb, "secrets", "", home) for verb in ("get", "list", "create")),
        Ask("create", "pods/exec", "", home),
        Ask("update", "resourcequotas", "", home),
        Ask("delete", "networkpolicies", "networking.k8s.io", home),
        Ask("create", "rolebindings", _RBAC, home),
        Ask("delete", "namespaces", "", home),
        Ask("create", "deployments", "apps", "default"),
        Ask("get", "secrets", "", "kube-system"),
        Ask("list", "pods"),
        Ask("list", "nodes"),
    ]


def _beyond_fault(beyond: list[Ask], home: str) -> str:
    at_home = [ask for ask in beyond if ask.namespace == home]
    if not at_home:
        return "elsewhere" if beyond else ""
    kinds = {ask.resource for ask in at_home}
    if "secrets" in kinds and len(kinds) > 1:
        return "everything"
    return "secrets" if "secrets" in kinds else "enters" if any("pods/" in kind for kind in kinds) else "changes"


@dataclass(frozen=True)
class Connection:
    """A connection that somebody may try to make, judged on one side: `out` of a Pod, or `in` to it."""

    side: str
    source: Endpoint
    target: Endpoint
    port: int
    protocol: str = "TCP"

    def passes(self, network: Network) -> bool:
        if self.side == "out":
            return network.lets_out(self.source, self.target, self.port, self.protocol)
        return network.lets_in(self.target, self.source, self.port, self.protocol)

    def __str__(self) -> str:
        protocol = "" if self.protocol == "TCP" else f"/{self.protocol}"
        return f"{_named(self.source)} -> {_named(self.target)}:{self.port}{protocol}"


def _named(pod: Endpoint) -> str:
    if not pod.namespace:
        return pod.address
    labels = ",".join(f"{key}={value}" for key, value in pod.labels.items())
    return f"{pod.namespace}/{labels or '*'}"


def _inhabitants(home: str, name: str) -> list[Endpoint]:
    return [Endpoint(home, labels) for labels in ({}, {"app": name}, {"app": "notebook"}, {"job-name": "search"})]


_DNS = Endpoint("kube-system", {"k8s-app": "kube-dns"}, "10.244.0.3")


def needed_paths(home: str, name: str, port: int) -> Iterator[Connection]:
    """What has to get through."""
    for pod in _inhabitants(home, name):
        for protocol in ("UDP", "TCP"):
            yield Connection("out", pod, _DNS, 53, protocol)
    for caller in ("gateway", "monitoring"):
        for labels in ({}, {"app": "edge"}, {"app.kubernetes.io/name": "prometheus"}):
            yield Connection("in", Endpoint(caller, labels), Endpoint(home, {"app": name}), port)


def other_paths(home: str, name: str, port: int) -> Iterator[Connection]:
    """Everything else, by example: none of it may get through."""
    served, strange = Endpoint(home, {"app": name}), Endpoint(f"{home}-next", {"app": "edge"})
    others = [strange, Endpoint("default", {}), Endpoint("kube-system", {"app": "agent"}), OUTSIDE]
    inhabitants = _inhabitants(home, name)
    callers = [Endpoint(caller, {"app": "edge"}) for caller in ("gateway", "monitoring")]
    for pod in inhabitants:
        for peer in (*inhabitants, *others):
            yield from (Connection("in", peer, pod, number) for number in (port, 80))
            yield from (Connection("out", pod, peer, number) for number in (port, 80, 443))
        for peer in callers:
            yield Connection("out", pod, peer, port)
            if pod.labels != served.labels:
                yield Connection("in", peer, pod, port)
        for protocol in ("UDP", "TCP"):
            yield from (Connection("out", pod, peer, 53, protocol) for peer in (strange, OUTSIDE, *inhabitants))
        yield Connection("out", pod, _DNS, 443)
    for peer in callers:
        yield from (Connection("in", peer, served, number) for number in (port + 1, 22, 443))
        yield Connection("in", peer, served, port, "UDP")


def _open_fault(opened: list[Connection], home: str) -> str:
    """Which of the usual gaps it is."""
    strangers = [
        path for path in opened if path.side == "in" and path.source.namespace not in {"gateway", "monitoring"}
    ]
    unserved = [path for path in opened if path.side == "in" and "app" not in path.target.labels]
    if unserved:
        return "incoming"
    if strangers:
        return "strangers"
    if any(path.side == "in" for path in opened):
        return "other-port"
    return "names-anywhere" if all(path.port == 53 for path in opened) else "outgoing"


def _enforced(lab: Lab, cluster: Cluster, manifests: Manifests, home: str) -> Finding:
    """The criterion `enforced`: the kit in a Namespace of the check's own, asked and tried.

    What belongs to the cluster as a whole is not created: a ClusterRole becomes a Role of that Namespace.
    """

    def found(met: bool, shown: object, fault: str = "") -> Finding:
        return lab.found("enforced", met, found=shown, fault=fault, how=cluster.how)

    from curriculum.labs.backends.kubernetes import moved_into

    with cluster.room() as room:
        if trouble := room.apply(_as_roles(moved_into(manifests, {home: room.name}))):
            return found(False, trouble, trouble.fault)
        wanted, refused = table(room.name), _sample_beyond(room.name)
        answers = cluster.may("deployer", room.name, [*wanted, *refused])
        lacking = [str(ask) for ask, yes in zip(wanted, answers, strict=False) if not yes]
        beyond = [str(ask) for ask, yes in zip(refused, answers[len(wanted) :], strict=False) if yes]
        if lacking or beyond or len(answers) != len(wanted) + len(refused):
            return found(False, ", ".join((lacking or beyond)[:4]), "lacking" if lacking else "beyond")
        room.wait_for_quota()
        plain = _plain_deployment(lab.value("delivery-time"))
        account = f"--as=system:serviceaccount:{room.name}:deployer"
        if trouble := room.apply([plain], account):
            return found(False, trouble, "lacking")
        pods = room.wait_for_pods(plain)
        if not pods:
            return found(False, room.trouble(plain) or "", "no-pod")
        giant = _giant_pod(lab.value("delivery-time"), int(lab.number("cpu")) + 1)
        tried = room.try_pod(giant)
        resources = at(pods[0], "spec", "containers", 0, "resources")
        return found(not tried.ok and "quota" in tried.output, json.dumps(resources), "quota-ignored")


def _as_roles(manifests: Manifests) -> Iterator[Manifest]:
    """The kit without what belongs to the whole cluster: ClusterRoles that a RoleBinding names become Roles."""
    own = {role.name for role in manifests.of("ClusterRole")}
    for manifest in manifests:
        if manifest.kind == "ClusterRole":
            yield Manifest({**manifest.data, "kind": "Role"})
        elif manifest.kind == "RoleBinding" and manifest.at("roleRef", "name") in own:
            yield Manifest({**manifest.data, "roleRef": {**mapping(manifest.at("roleRef")), "kind": "Role"}})
        elif manifest.namespaced:
            yield manifest


def _plain_deployment(image: str) -> Manifest:
    """A Deployment as a team's first one looks: it states no resources."""
    labels = {"app": image}
    container = {"name": "api", "image": f"{image}:1.0.0"}
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    return Manifest({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "first"}, "spec": spec})


def _giant_pod(image: str, cpu: int) -> Manifest:
    resources = {"requests": {"cpu": str(cpu)}, "limits": {"cpu": str(cpu)}}
    container = {"name": "api", "image": f"{image}:1.0.0", "resources": resources}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "giant"}, "spec": {"containers": [container]}}
    return Manifest(body)
