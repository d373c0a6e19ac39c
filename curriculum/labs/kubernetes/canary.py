"""The judge of the canary: two versions behind one name, and the way back."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from curriculum.labs import judge
from curriculum.labs.kubernetes.shared import accepted, all_met, main_container, target
from curriculum.labs.lab import Lab, Reply
from curriculum.labs.manifests import Manifest, Manifests, build
from curriculum.labs.manifests.model import entries
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.kubernetes import Cluster


_OLD, _NEW, _MOST_PODS = "1.0.0", "2.0.0", 12


@judge("kubernetes-canary")
def canary(lab: Lab) -> Iterator[Finding]:
    trial, back = build(lab, "canary"), build(lab, "back")
    findings = [accepted(lab, [*trial, *back])]
    old, new = _of_version(lab, trial, _OLD), _of_version(lab, trial, _NEW)
    if old is None or new is None or old.pods is None or new.pods is None:
        findings.append(lab.found("two-versions", False, found=_OLD if old else _NEW if new else "", fault="missing"))
        yield from findings
        return
    overlap = old.selector.fits(new.pods.labels) or new.selector.fits(old.pods.labels)
    findings.append(lab.found("two-versions", not overlap, found=f"{old.selector} | {new.selector}", fault="overlap"))
    findings += [_one_door(lab, trial, old, new), _share(lab, old, new), _capacity(lab, old, new)]
    findings += [_guarded(lab, (old, new)), _way_back(lab, back, old, new)]
    yield from findings
    if all_met(findings) and (cluster := lab.backend("kubernetes")):
        yield _split(lab, cluster, trial, back, old, new)


def _of_version(lab: Lab, manifests: Manifests, tag: str) -> Manifest | None:
    """The Deployment that runs the service in a version."""
    for deployment in manifests.of("Deployment"):
        for container in deployment.pods.containers if deployment.pods else ():
            if container.image.name == lab.value("delivery-time") and container.image.tag == tag:
                return deployment
    return None


def _one_door(lab: Lab, manifests: Manifests, old: Manifest, new: Manifest) -> Finding:
    service = manifests.one("Service", lab.value("delivery-time"))
    if service is None:
        return lab.found("one-door", False, fault="no-service")
    chosen = manifests.chosen_by(service)
    both = old in chosen and new in chosen
    port = int(lab.number("port"))
    containers = [container for container in (main_container(lab, old), main_container(lab, new)) if container]
    reached = [target(service, 80, container)[0] for container in containers]
    return lab.found(
        "one-door",
        both and reached == [port, port],
        found=f"{service.selector}; 80 -> {reached}",
        fault="other-port" if both else "only-one",
    )


def _share(lab: Lab, old: Manifest, new: Manifest) -> Finding:
    total, most = old.replicas + new.replicas, lab.number("share")
    share = 100 * new.replicas / total if total else 0
    fault = "none" if not new.replicas else "too-much" if share > most else "too-little"
    return lab.found(
        "share",
        most / 2 <= share <= most,
        found=f"{new.replicas} / {total} = {share:.1f} %",
        expected=f"{most / 2:g}-{most:g} %",
        fault=fault,
    )


def _capacity(lab: Lab, old: Manifest, new: Manifest) -> Finding:
    least, total = int(lab.number("replicas")), old.replicas + new.replicas
    return lab.found(
        "capacity",
        old.replicas >= least and total <= _MOST_PODS,
        found=f"{_OLD}: {old.replicas}, {old.replicas} + {new.replicas} = {total}",
        expected=f"{_OLD}: >= {least}, <= {_MOST_PODS}",
        fault="too-few" if old.replicas < least else "too-many",
    )


def _guarded(lab: Lab, deployments: tuple[Manifest, ...]) -> Finding:
    port, faults = int(lab.number("port")), []
    for deployment in deployments:
        container = main_container(lab, deployment)
        probe = container.probe("readiness") if container else None
        if probe is None:
            faults.append((f"{deployment.title}: -", "none"))
        elif probe.handler == "exec":
            if "/healthz" not in " ".join(probe.command):
                faults.append((f"{deployment.title}: {probe}", "astray"))
        elif probe.handler != "httpGet" or probe.port != port or probe.path.rstrip("/") != "/healthz":
            faults.append((f"{deployment.title}: {probe}", "astray"))
    shown, fault = faults[0] if faults else ("", "")
    return lab.found("guarded", not faults, found=shown, expected=f"httpGet :{port}/healthz", fault=fault)


def _way_back(lab: Lab, back: Manifests, old: Manifest, new: Manifest) -> Finding:
    least, name = int(lab.number("replicas")), lab.value("delivery-time")
    left, rest = back.one("Deployment", new.name), back.one("Deployment", old.name)
    service = back.one("Service", name)
    stays = left is not None and left.replicas > 0 and _of_version(lab, Manifests([left]), _NEW) is not None
    kept = rest.replicas if rest is not None and _of_version(lab, Manifests([rest]), _OLD) else 0
    # A Service that the way back does not mention stays as the trial left it.
    found_by = service is None or (rest is not None and rest in back.chosen_by(service))
    fault = "left-out" if left is None else "still-there" if stays else "too-few" if kept < least else "no-door"
    return lab.found(
        "way-back",
        left is not None and not stays and kept >= least and found_by,
        found=f"{new.name}: {left.replicas if left else '-'}, {old.name}: {kept}",
        expected=f"{new.name}: 0, {old.name}: >= {least}",
        fault=fault,
    )


_MARKED = {"version": "canary", "bias": 1, "weights": {}}


def _split(lab: Lab, cluster: Cluster, trial: Manifests, back: Manifests, old: Manifest, new: Manifest) -> Finding:
    """The criterion `split`: who answers during the trial, and after the way back."""

    def found(met: bool, shown: object, fault: str = "") -> Finding:
        return lab.found("split", met, found=shown, fault=fault, how=cluster.how)

    name, calls = lab.value("delivery-time"), 200
    with cluster.room() as room:
        marked = _with_model(trial, new.name)
        if trouble := room.apply(marked) or room.settle_all([old, new]):
            return found(False, trouble, trouble.fault)
        with room.door() as door:
            door.wait(name, 80, "/healthz")
            during = [door.call(name, 80, "/healthz") for _ in range(calls)]
            bad = [reply for reply in during if not reply.ok]
            if bad:
                return found(False, f"{len(bad)} / {calls}: {bad[0].status} {bad[0].text[:120]}", "no-answer")
            hits = sum(_model(reply) == _MARKED["version"] for reply in during)
            wanted = new.replicas / (old.replicas + new.replicas)
            if not 0.3 * wanted <= hits / calls <= 2.5 * wanted:
                return found(False, f"{hits} / {calls}", "other-share")
            after = Manifests([m for m in _with_model(back, new.name) if m.name != _MODEL_NAME])
            if trouble := room.apply(after) or room.settle_all([m for m in after if m.kind == "Deployment"]):
                return found(False, trouble, trouble.fault)
            end = [door.call(name, 80, "/healthz") for _ in range(calls // 4)]
        strays = [reply for reply in end if not reply.ok or (_model(reply) == _MARKED["version"] and _gone(back, new))]
        return found(not strays, f"{hits} / {calls}, {len(strays)} / {len(end)}", "not-back")


def _gone(back: Manifests, new: Manifest) -> bool:
    """Whether the way back takes the second Deployment's Pods away, and not their image."""
    left = back.one("Deployment", new.name)
    return left is None or left.replicas == 0


def _model(reply: Reply) -> object:
    body = reply.json()
    return body.get("model") if isinstance(body, dict) else None


_MODEL_NAME = "curriculum-model"


def _with_model(manifests: Manifests, name: str) -> Manifests:
    """The objects, with a model of its own for the service in one Deployment, by which its answers are known."""
    data = {"model.json": json.dumps(_MARKED)}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _MODEL_NAME}, "data": data}
    made = [Manifest(config)]
    for manifest in manifests:
        if (manifest.kind, manifest.name) != ("Deployment", name):
            made.append(manifest)
            continue
        changed = Manifest(copy.deepcopy(dict(manifest.data)), manifest.file)
        spec = changed.pods.spec if changed.pods else {}
        spec["volumes"] = [*(spec.get("volumes") or []), {"name": _MODEL_NAME, "configMap": {"name": _MODEL_NAME}}]
        for container in entries(spec.get("containers")):
            mount = {"name": _MODEL_NAME, "mountPath": "/curriculum-model"}
            env = [entry for entry in entries(container.get("env")) if entry.get("name") != "MODEL_PATH"]
            container["volumeMounts"] = [*(container.get("volumeMounts") or []), mount]
            container["env"] = [*env, {"name": "MODEL_PATH", "value": "/curriculum-model/model.json"}]
        made.append(changed)
    return Manifests(made)
