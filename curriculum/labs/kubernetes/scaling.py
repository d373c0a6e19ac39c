"""The judge of the autoscaler and the disruption budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from curriculum.labs import judge
from curriculum.labs.kubernetes.shared import accepted, all_met, workload
from curriculum.labs.lab import Lab, Reply
from curriculum.labs.manifests import Manifest, Manifests, Selector, load, scaled
from curriculum.labs.manifests.model import at, entries, number
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.kubernetes import Cluster


@judge("kubernetes-autoscale-and-disruption")
def autoscale_and_disruption(lab: Lab) -> Iterator[Finding]:
    manifests, name = load(lab), lab.value("delivery-time")
    deployment = workload(manifests, "Deployment", name)
    findings = [accepted(lab, manifests)]
    if deployment and deployment.pods:
        findings += _scaling_files(lab, manifests, deployment)
    yield from findings
    if deployment and all_met(findings) and (cluster := lab.backend("kubernetes")):
        yield _survives_drain(lab, cluster, manifests, deployment)


def _scaling_files(lab: Lab, manifests: Manifests, deployment: Manifest) -> Iterator[Finding]:
    least, most = int(lab.number("replicas")), int(lab.number("most"))
    scalers = manifests.of("HorizontalPodAutoscaler")
    scaler = scalers[0] if scalers else None
    if scaler is None:
        yield lab.found("range", False, fault="no-autoscaler")
    else:
        aims = (scaler.at("spec", "scaleTargetRef", "kind"), scaler.at("spec", "scaleTargetRef", "name"))
        ends = (number(scaler.at("spec", "minReplicas"), 1), number(scaler.at("spec", "maxReplicas"), 0))
        right = aims == ("Deployment", deployment.name) and len(scalers) == 1
        yield lab.found(
            "range",
            right and ends == (least, most),
            found=f"{aims[0]}/{aims[1]}: {ends[0]}-{ends[1]}",
            expected=f"Deployment/{deployment.name}: {least}-{most}",
            fault="other-range" if right else "other-target",
        )
        yield _measures(lab, scaler, deployment)
    stated = deployment.at("spec", "replicas")
    yield lab.found("hands-off", stated is None, found=f"replicas: {stated}", fault="fixed")
    yield from _budgets(lab, manifests, deployment, least, most)
    yield _spread(lab, deployment)


def _measures(lab: Lab, scaler: Manifest, deployment: Manifest) -> Finding:
    """The criterion `measures`: the target for CPU, and a request to measure it against."""
    wanted, pods = int(lab.number("load")), deployment.pods
    targets = [cpu_target(metric) for metric in entries(scaler.at("spec", "metrics"))]
    known = [target for target in targets if target]
    simple = scaler.at("spec", "targetCPUUtilizationPercentage")
    if simple is not None:
        known.append(("Utilization", simple))
    bare = [container.name for container in (pods.containers if pods else ()) if not container.requests().get("cpu")]
    kinds = {kind for kind, _ in known}
    fault = "no-metric" if not known else "absolute" if kinds != {"Utilization"} else "other-load"
    aimed = ("Utilization", wanted) in known
    return lab.found(
        "measures",
        aimed and not bare,
        found=", ".join([f"{kind}: {value}" for kind, value in known] + [f"{container}: -" for container in bare]),
        expected=f"Utilization: {wanted}",
        fault="no-request" if aimed else fault,
    )


def cpu_target(metric: Mapping[str, Any]) -> tuple[str, Any] | None:
    """What a metric of an autoscaler wants of CPU: the kind of target and its value; None for another resource."""
    for kind in ("resource", "containerResource"):
        source = metric.get(kind)
        if isinstance(source, dict) and source.get("name") == "cpu" and isinstance(source.get("target"), dict):
            target = source["target"]
            value = target.get("averageUtilization", target.get("averageValue"))
            return str(target.get("type")), value
    return None


def disruptions(budget: Manifest, running: int) -> int | None:
    """How many of so many healthy Pods a budget lets go at once; None when it cannot be told."""
    most, least = budget.at("spec", "maxUnavailable"), budget.at("spec", "minAvailable")
    if most is not None:
        return scaled(most, running, up=True)
    kept = scaled(least, running, up=True)
    return None if kept is None else max(0, running - kept)


def _budgets(lab: Lab, manifests: Manifests, deployment: Manifest, least: int, most: int) -> Iterator[Finding]:
    """The criteria `drain-possible` and `drain-gentle`."""
    labels = deployment.pods.labels if deployment.pods else {}
    budgets = manifests.of("PodDisruptionBudget")
    covering = [budget for budget in budgets if budget.selector.fits(labels)]
    if not covering:
        fault = "other-pods" if budgets else "no-budget"
        yield lab.found("drain-gentle", False, found=budgets[0].selector if budgets else "", fault=fault)
        return
    allowed = {count: disruptions(covering[0], count) for count in range(least, most + 1)}
    shown = ", ".join(f"{count}: {allowed[count]}" for count in (least, most))
    quiet = allowed[least]
    if len(covering) > 1:
        yield lab.found("drain-possible", False, found=len(covering), fault="two-budgets")
    elif quiet is not None:
        yield lab.found("drain-possible", quiet >= 1, found=shown, fault="blocked")
    if all(count is not None for count in allowed.values()):
        gentle = all(count is not None and count <= 1 for count in allowed.values())
        yield lab.found("drain-gentle", gentle, found=shown, expected=f"{least}: 1, {most}: 1", fault="stands-still")


_HOST = "kubernetes.io/hostname"


def _spread(lab: Lab, deployment: Manifest) -> Finding:
    """The criterion `spread`: what the scheduler is told about keeping these Pods apart."""
    pods = deployment.pods
    spec, labels = (pods.spec, pods.labels) if pods else ({}, {})
    required, preferred = (
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    )
    anti = at(spec, "affinity", "podAntiAffinity")
    terms = [at(entry, "podAffinityTerm") for entry in entries(at(anti, preferred))]
    soft = [*entries(spec.get("topologySpreadConstraints")), *entries(terms)]
    own = [rule for rule in soft if Selector.of(rule.get("labelSelector")).fits(labels)]
    hard = [
        rule
        for rule in entries(at(anti, required))
        if rule.get("topologyKey") == _HOST and Selector.of(rule.get("labelSelector")).fits(labels)
    ]
    good = any(rule.get("topologyKey") == _HOST for rule in own)
    fault = "one-each" if hard else "other-key" if own else "no-own-pods" if soft else "none"
    keys = [str(rule.get("topologyKey")) for rule in (*soft, *entries(at(anti, required)))]
    return lab.found(
        "spread",
        good and not hard,
        found=", ".join(keys),
        expected=_HOST if fault in {"none", "other-key"} else "",
        fault=fault,
    )


def _survives_drain(lab: Lab, cluster: Cluster, manifests: Manifests, deployment: Manifest) -> Finding:
    """The criterion `survives-drain`: the autoscaler brings up its least, and the budget lets one Pod go, not two."""

    def found(met: bool, shown: object, fault: str = "") -> Finding:
        return lab.found("survives-drain", met, found=shown, fault=fault, how=cluster.how)

    least = int(lab.number("replicas"))
    with cluster.room() as room:
        if trouble := room.apply(manifests) or room.settle(deployment, least=least):
            few = trouble.reason == "NotReady" and len(room.pods_of(deployment)) < least
            return found(False, trouble, "not-scaled" if few else trouble.fault)
        ready = [str(at(pod, "metadata", "name")) for pod in room.pods_of(deployment)]
        room.wait_for_budget()
        with room.door() as door:
            # One right after the other: before a new Pod can have taken the place.
            replies = [door.evict(pod) for pod in ready[:2]]
    first, second = replies
    shown = ", ".join(_said(reply) for reply in replies)
    return found(first.ok and not second.ok, shown, "both-evicted" if first.ok else "not-evicted")


def _said(reply: Reply) -> str:
    body = reply.json()
    message = body.get("message") if isinstance(body, dict) else None
    return f"{reply.status} {message or ''}".strip()
