"""The judge of the incident, read from its traces."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curriculum.labs import judge
from curriculum.labs.kubernetes.shared import accepted, all_met, from_json
from curriculum.labs.lab import Lab
from curriculum.labs.manifests import Manifests, load, quantity, read
from curriculum.labs.manifests.model import entries
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.kubernetes import Cluster


_TRACES = tuple(f"k8s-incident-{name}.txt" for name in ("get", "describe", "events", "logs", "tags"))


_RELEASE = "k8s-incident-manifests.yaml"


@dataclass(frozen=True)
class Broken:
    """What the release broke: the objects by which a finding may call it, the cause, and what a line that shows the
    cause has in it."""

    cause: str
    objects: tuple[tuple[str, str], ...]
    marks: tuple[str, ...]


_BROKEN = (
    Broken(
        "selector", (("service", "predict"), ("deployment", "predict")), ("release=4", 'release: "4', "predict <none>")
    ),
    Broken("image", (("deployment", "shadow"),), ("1.O.0",)),
    Broken("config", (("deployment", "backfill"), ("configmap", "models")), ("model.json", "model-2.json")),
)


@judge("kubernetes-incident")
def incident(lab: Lab) -> Iterator[Finding]:
    mended, given = load(lab, without={"finding.yaml"}), Manifests(read(lab, _RELEASE))
    now = _with_mend(given, mended)
    findings = [*_findings(lab)]
    if mended:
        # Before there is a mend, what is still broken would give the causes away.
        findings += [accepted(lab, mended), *_mended(lab, now), _nothing_else(lab, given, mended)]
    yield from findings
    if mended and all_met(findings) and (cluster := lab.backend("kubernetes")):
        yield _recovered(lab, cluster, now)


def _with_mend(given: Manifests, mended: Manifests) -> Manifests:
    """What the cluster would hold after the mend was applied over the release."""
    names = {(m.kind, m.name) for m in mended}
    return Manifests([*(m for m in given if (m.kind, m.name) not in names), *mended])


def _findings(lab: Lab) -> Iterator[Finding]:
    """The criteria `causes` and `evidence`, from finding.yaml."""
    documents = lab.yaml("finding.yaml")
    listed = documents[0].get("findings") if len(documents) == 1 and isinstance(documents[0], dict) else None
    found = entries(listed)
    if not found or len(found) != len(listed or ()) or not all({"object", "cause"} <= set(entry) for entry in found):
        yield lab.found("causes", False, expected="findings: [{object, cause, evidence}]", fault="shape")
        return
    known = [(entry, _broken(str(entry["object"]))) for entry in found]
    strange = [str(entry["object"]) for entry, broken in known if broken is None]
    other = [f"{e['object']}: {e['cause']}" for e, b in known if b and str(e["cause"]).strip().lower() != b.cause]
    named = {broken for _, broken in known if broken}
    shown = ", ".join(f"{entry['object']}: {entry['cause']}" for entry in found)
    fault = "not-broken" if strange else "other-cause" if other else "missing"
    yield lab.found("causes", not strange and not other and len(named) == len(_BROKEN), found=shown, fault=fault)
    right = [(e, b) for e, b in known if b and str(e["cause"]).strip().lower() == b.cause]
    if right:
        yield _evidence(lab, right)


def _broken(name: str) -> Broken | None:
    """What a finding speaks of: `Service/predict`, `svc/predict`, or a Pod of a Deployment by its name."""
    kind, _, rest = name.strip().lower().partition("/")
    kind = {
        "svc": "service",
        "deploy": "deployment",
        "deployments": "deployment",
        "services": "service",
        "cm": "configmap",
    }.get(kind.partition(".")[0], kind.partition(".")[0])
    for broken in _BROKEN:
        for wanted, title in broken.objects:
            if (kind, rest) == (wanted, title) or (kind in {"pod", "replicaset"} and rest.startswith(f"{title}-")):
                return broken
    return None


def _evidence(lab: Lab, right: list[tuple[dict[str, Any], Broken]]) -> Finding:
    traces = " ".join(" ".join(lab.text(file).split()) for file in (*_TRACES, _RELEASE))
    for entry, broken in right:
        quote = " ".join(str(entry.get("evidence") or "").split())
        if len(quote) < 5 or quote not in traces:
            return lab.found("evidence", False, found=quote, fault="not-there")
        if not any(mark in quote for mark in broken.marks):
            return lab.found("evidence", False, found=quote, fault="symptom")
    return lab.found("evidence", True)


def _mended(lab: Lab, now: Manifests) -> Iterator[Finding]:
    """The criteria `reached`, `pulled` and `started`: what the cluster would hold, object by object."""
    lost = [service for service in now.of("Service") if not now.chosen_by(service)]
    shown = ", ".join(f"{service.name}: {service.selector}" for service in lost)
    yield lab.found("reached", not lost, found=shown, fault="nobody")
    tags = lab.text("k8s-incident-tags.txt").split()
    containers = [c for workload in now.workloads() if workload.pods for c in workload.pods.containers]
    images = [container.image for container in containers]
    strange = [image.text for image in images if f"{image.repository}:{image.tag}" not in tags]
    yield lab.found("pulled", not strange, found=", ".join(strange), expected=", ".join(tags), fault="no-such-tag")
    for container in containers:
        path = container.environment(now).get("MODEL_PATH")
        file = container.files(now).get(posixpath.normpath(path.value)) if path and path.value else None
        model = from_json(file.value) if file and file.value is not None else None
        if path and not (isinstance(model, dict) and {"version", "bias", "weights"} <= set(model)):
            fault = "no-model" if file and file.value else "still-missing"
            yield lab.found("started", False, found=path.value, fault=fault)
            return
    yield lab.found("started", True)


#: Where a mend may change an object, by kind and name; whose beginning is written here, all below it.
_MENDS = {
    ("Service", "predict"): ("spec.selector",),
    ("Deployment", "predict"): ("spec.template.metadata",),
    ("Deployment", "shadow"): ("spec.template.spec.containers[0].image",),
    ("Deployment", "backfill"): (
        "spec.template.spec.containers[0].env",
        "spec.template.spec.containers[0].volumeMounts",
        "spec.template.spec.volumes",
    ),
    ("ConfigMap", "models"): ("data", "binaryData"),
}


#: What says no more than the file did without it.
_DEFAULTS = {"protocol": "TCP", "imagePullPolicy": "IfNotPresent", "type": "ClusterIP", "restartPolicy": "Always"}


def _nothing_else(lab: Lab, given: Manifests, mended: Manifests) -> Finding:
    changed, added = [], []
    for manifest in mended:
        before = given.one(manifest.kind, manifest.name)
        if before is None:
            # A further ConfigMap is a way to mend the model; a Namespace changes nothing.
            added += [manifest.title] if manifest.kind not in {"ConfigMap", "Namespace"} else []
            continue
        free = ("metadata.", "spec.template.metadata", *_MENDS.get((manifest.kind, manifest.name), ()))
        changed += [
            f"{manifest.title} {path}" for path in differences(before.data, manifest.data) if not path.startswith(free)
        ]
    fault = "changed" if changed else "added"
    return lab.found("nothing-else", not changed and not added, found=", ".join([*changed, *added][:4]), fault=fault)


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """The paths at which two objects say different things."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys((*one, *other)):
            step = f"{path}.{key}" if path else str(key)
            if key in one and key in other:
                yield from differences(one[key], other[key], step)
            elif (other if key in other else one)[key] not in (None, {}, [], _DEFAULTS.get(key)):
                yield step
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, f"{path}[{index}]")
    elif one != other and not (quantity(one) is not None and quantity(one) == quantity(other)):
        yield path


def _recovered(lab: Lab, cluster: Cluster, now: Manifests) -> Finding:
    """The criterion `recovered`: the release with the mend runs, and every Service answers."""
    deployments = now.of("Deployment")
    with cluster.room() as room:
        if trouble := room.apply(now) or room.settle_all(deployments):
            return lab.found("recovered", False, found=trouble, fault=trouble.fault, how=cluster.how)
        with room.door() as door:
            replies = {
                service.name: door.wait(service.name, 80, "/healthz", seconds=10) for service in now.of("Service")
            }
    silent = {name: reply for name, reply in replies.items() if not reply.ok}
    shown = ", ".join(f"{name}: {reply.status} {reply.text[:60]}" for name, reply in (silent or replies).items())
    return lab.found("recovered", not silent, found=shown, fault="no-answer", how=cluster.how)
