"""What happens behind the emulated Kubernetes API: Deployments make Pods, Pods start, fail and stop, Services find them.

Time runs `speed` times as fast as in a cluster. A container is a stand-in for the course's prediction service: it runs
when its image is known and what it is given is there, and answers what the service would answer.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
import re
import threading
import time
import uuid
from fractions import Fraction
from typing import Any

from curriculum.labs.manifests import Container, Manifest, Manifests, PodSpec
from curriculum.labs.manifests.model import at, entries, mapping, number
from curriculum.labs.manifests.values import Selector, quantity, scaled
from tests.labs.kube_kinds import BY_KIND, Kind
from tests.labs.kube_store import Store, now

POD, SERVICE, ENDPOINTS, NAMESPACE = (BY_KIND["", "v1", k] for k in ("Pod", "Service", "Endpoints", "Namespace"))
DEPLOYMENT, REPLICA_SET = BY_KIND["apps", "v1", "Deployment"], BY_KIND["apps", "v1", "ReplicaSet"]
NODE = BY_KIND["", "v1", "Node"]
QUOTA, LIMITS, EVENT = (BY_KIND["", "v1", k] for k in ("ResourceQuota", "LimitRange", "Event"))
BUDGET = BY_KIND["policy", "v1", "PodDisruptionBudget"]
SCALERS = tuple(BY_KIND["autoscaling", version, "HorizontalPodAutoscaler"] for version in ("v1", "v2"))

#: The node has every version of the images that it has (in small letters), and no `latest`.
_VERSION = re.compile(r"(?!latest$)[a-z0-9][a-z0-9._-]*")
#: The stand-in needs this much memory.
_MEMORY = Fraction(50 * 1024**2)
_MODEL = {
    "version": "1",
    "bias": 10.5323,
    "weights": {"distance_km": 2.4237, "hour": -0.0429, "rain": 5.8588, "stops": 3.4777},
}


class World:
    """The controllers and the one node of the emulated cluster. `images` are the repositories that the node has."""

    def __init__(self, store: Store, images: set[str], speed: float = 20) -> None:
        self.store = store
        self.images = images
        self.speed = speed
        self._born: dict[str, float] = {}
        self._leaves: dict[str, float] = {}
        self._address = 1
        self._told: set[tuple[str, str]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        for name in ("kind-worker", "kind-worker2", "kind-worker3"):
            ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
            store.put(NODE, {"metadata": {"name": name}, "spec": {}, "status": {"conditions": [ready]}})

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            with self.store.lock:
                for data in self.store.of(NAMESPACE):
                    self._namespace(data["metadata"]["name"])

    def _namespace(self, namespace: str) -> None:
        for pod in self.store.of(POD, namespace):
            self._live(pod)
        for deployment in self.store.of(DEPLOYMENT, namespace):
            self._deploy(deployment)
        for replica_set in self.store.of(REPLICA_SET, namespace):
            self._replicate(replica_set)
        for service in self.store.of(SERVICE, namespace):
            self._endpoints(service)
        for endpoints in self.store.of(ENDPOINTS, namespace):
            if self.store.get(SERVICE, namespace, endpoints["metadata"]["name"]) is None:
                self.store.remove(ENDPOINTS, namespace, endpoints["metadata"]["name"])
        self.count_budgets(namespace)
        for kind in SCALERS:
            for scaler in self.store.of(kind, namespace):
                self._autoscale(kind, scaler)
        for quota in self.store.of(QUOTA, namespace):
            self._count(quota)

    # --- Deployments and ReplicaSets ---

    def _deploy(self, deployment: dict[str, Any]) -> None:
        metadata, spec = deployment["metadata"], deployment["spec"]
        namespace, wanted = metadata["namespace"], number(spec.get("replicas"), 1)
        template = json.dumps(spec["template"], sort_keys=True)
        code = _readable(template, 10)
        own = [rs for rs in self.store.of(REPLICA_SET, namespace) if _owner(rs) == metadata["uid"]]
        new = next((rs for rs in own if rs["metadata"]["labels"].get("pod-template-hash") == code), None)
        if new is None:
            new = self._new_replica_set(deployment, code)
            own.append(new)
        old = [rs for rs in own if rs is not new]
        surge, missing = _pace(spec, wanted)
        total = sum(rs["spec"]["replicas"] for rs in own)
        if new["spec"]["replicas"] > wanted:
            self._scale(new, wanted)
        elif new["spec"]["replicas"] < wanted and not (_recreates(spec) and any(self._pods(rs) for rs in old)):
            room = wanted + surge - total if old else wanted
            self._scale(new, min(wanted, new["spec"]["replicas"] + max(room, 0)))
        ready = sum(self._ready(rs) for rs in own)
        spare = 10**6 if _recreates(spec) else ready - (wanted - missing)
        for rs in old:
            idle = rs["spec"]["replicas"] - self._ready(rs)
            go = idle + max(0, min(spare, self._ready(rs)))
            if rs["spec"]["replicas"] and go:
                spare -= max(0, go - idle)
                self._scale(rs, max(0, rs["spec"]["replicas"] - go))
        self._deployment_status(deployment, new, own, wanted)

    def _new_replica_set(self, deployment: dict[str, Any], code: str) -> dict[str, Any]:
        metadata, spec = deployment["metadata"], deployment["spec"]
        template = copy.deepcopy(spec["template"])
        template.setdefault("metadata", {}).setdefault("labels", {})["pod-template-hash"] = code
        selector = copy.deepcopy(spec["selector"])
        selector.setdefault("matchLabels", {})["pod-template-hash"] = code
        name = f"{metadata['name']}-{code}"
        self._event(
            deployment, "Normal", "ScalingReplicaSet", f"Scaled up replica set {name} to {spec.get('replicas', 1)}"
        )
        return self.store.put(
            REPLICA_SET,
            {
                "metadata": {
                    "name": name,
                    "namespace": metadata["namespace"],
                    "labels": dict(template["metadata"]["labels"]),
                    "annotations": {"deployment.kubernetes.io/desired-replicas": str(spec.get("replicas", 1))},
                    "ownerReferences": [_reference("apps/v1", "Deployment", metadata)],
                },
                "spec": {"replicas": 0, "selector": selector, "template": template},
                "status": {"replicas": 0},
            },
        )

    def _scale(self, replica_set: dict[str, Any], replicas: int) -> None:
        data = copy.deepcopy(replica_set)
        data["spec"]["replicas"] = replicas
        self.store.put(REPLICA_SET, data)
        replica_set["spec"]["replicas"] = replicas

    def _deployment_status(
        self, deployment: dict[str, Any], new: dict[str, Any], own: list[dict[str, Any]], wanted: int
    ) -> None:
        ready = sum(self._ready(rs) for rs in own)
        enough = ready >= wanted - _pace(deployment["spec"], wanted)[1]
        conditions: list[dict[str, Any]] = [
            {
                "type": "Available",
                "status": str(enough),
                "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
                "message": f"Deployment {'has' if enough else 'does not have'} minimum availability.",
            },
            {
                "type": "Progressing",
                "status": "True",
                "reason": "ReplicaSetUpdated",
                "message": "ReplicaSet is progressing.",
            },
        ]
        new_ready = self._ready(new)
        if new_ready >= wanted and len(self._pods(new)) == sum(len(self._pods(rs)) for rs in own):
            conditions[1] |= {"reason": "NewReplicaSetAvailable", "message": "ReplicaSet has successfully progressed."}
        conditions += [c for c in entries(at(new, "status", "conditions")) if c.get("type") == "ReplicaFailure"]
        total = sum(len(self._pods(rs)) for rs in own)
        status = {
            "observedGeneration": deployment["metadata"].get("generation", 1),
            "replicas": total,
            "updatedReplicas": len(self._pods(new)),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": max(0, wanted - ready),
            "conditions": conditions,
        }
        status = {key: value for key, value in status.items() if value not in (0,)}
        if deployment.get("status") != status:
            self.store.put(DEPLOYMENT, {**deployment, "metadata": dict(deployment["metadata"]), "status": status})

    def _replicate(self, replica_set: dict[str, Any]) -> None:
        pods, wanted = self._pods(replica_set), number(replica_set["spec"].get("replicas"), 1)
        refused = ""
        for _ in range(wanted - len(pods)):
            refused = self._create_pod(replica_set)
            if refused:
                break
        by_worth = sorted(pods, key=lambda pod: (is_ready(pod), pod["metadata"]["creationTimestamp"]))
        for pod in by_worth[: max(0, len(pods) - wanted)]:
            self.end(pod)
        pods = self._pods(replica_set)
        status: dict[str, Any] = {"replicas": len(pods), "readyReplicas": sum(map(is_ready, pods))}
        if refused:
            status["conditions"] = [
                {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": refused}
            ]
            self._event(replica_set, "Warning", "FailedCreate", f"Error creating: {refused}")
        if replica_set.get("status") != status:
            self.store.put(REPLICA_SET, {**replica_set, "metadata": dict(replica_set["metadata"]), "status": status})

    def _create_pod(self, replica_set: dict[str, Any]) -> str:
        metadata, template = replica_set["metadata"], copy.deepcopy(replica_set["spec"]["template"])
        name = f"{metadata['name']}-{_readable(uuid.uuid4().hex, 5)}"
        pod = {
            "metadata": {
                "name": name,
                "namespace": metadata["namespace"],
                "labels": mapping(at(template, "metadata", "labels")),
                "annotations": mapping(at(template, "metadata", "annotations")),
                "ownerReferences": [_reference("apps/v1", "ReplicaSet", metadata)],
            },
            "spec": template["spec"],
        }
        refused = self.admit(pod)
        if not refused:
            pod["spec"]["nodeName"] = self._emptiest_node()
            self.store.put(POD, pod)
            self._event(replica_set, "Normal", "SuccessfulCreate", f"Created pod: {name}")
        return refused

    def _emptiest_node(self) -> str:
        places = [str(at(pod, "spec", "nodeName")) for pod in self.store.of(POD)]
        names = [node["metadata"]["name"] for node in self.store.of(NODE) if not at(node, "spec", "unschedulable")]
        return min(names, key=places.count, default="")

    def _pods(self, replica_set: dict[str, Any]) -> list[dict[str, Any]]:
        uid = replica_set["metadata"]["uid"]
        return [
            pod
            for pod in self.store.of(POD, replica_set["metadata"]["namespace"])
            if _owner(pod) == uid and not pod["metadata"].get("deletionTimestamp")
        ]

    def _ready(self, replica_set: dict[str, Any]) -> int:
        return sum(map(is_ready, self._pods(replica_set)))

    # --- admission: limits and quotas ---

    def admit(self, pod: dict[str, Any]) -> str:
        """Fill in what a LimitRange gives, then say why a quota refuses the Pod; empty when it does not."""
        namespace = pod["metadata"]["namespace"]
        for limits in self.store.of(LIMITS, namespace):
            for limit in entries(at(limits, "spec", "limits")):
                if limit.get("type") == "Container":
                    for container in entries(pod["spec"].get("containers")):
                        _fill(container, limit)
        asked = _asked(pod)
        for quota in self.store.of(QUOTA, namespace):
            hard = mapping(at(quota, "spec", "hard"))
            name = quota["metadata"]["name"]
            counted = {key: _other_name(key) for key in hard}
            missing = sorted(key for key, long in counted.items() if long not in asked and long.count("."))
            head = f'pods "{pod["metadata"]["name"]}" is forbidden: '
            if missing:
                return (
                    f"{head}failed quota: {name}: must specify {','.join(f'{m} for: {_names(pod)}' for m in missing)}"
                )
            used = self._used(namespace)
            for key, long in counted.items():
                most = quantity(hard[key])
                if long in asked and most is not None and used.get(long, Fraction(0)) + asked[long] > most:
                    return (
                        f"{head}exceeded quota: {name}, requested: {key}={_short(asked[long], long)}, "
                        f"used: {key}={_short(used.get(long, Fraction(0)), long)}, limited: {key}={hard[key]}"
                    )
        return ""

    def _used(self, namespace: str) -> dict[str, Fraction]:
        total: dict[str, Fraction] = {}
        for pod in self.store.of(POD, namespace):
            for key, amount in _asked(pod).items():
                total[key] = total.get(key, Fraction(0)) + amount
        return total

    def _count(self, quota: dict[str, Any]) -> None:
        used = self._used(quota["metadata"]["namespace"])
        hard = mapping(at(quota, "spec", "hard"))
        status = {
            "hard": hard,
            "used": {k: _short(used.get(_other_name(k), Fraction(0)), _other_name(k)) for k in hard},
        }
        if quota.get("status") != status:
            self.store.put(QUOTA, {**quota, "metadata": dict(quota["metadata"]), "status": status})

    # --- Pods ---

    def end(self, pod: dict[str, Any], grace: int | None = None) -> None:
        """Tell a Pod to stop: it goes when its hook is through, and is out of every Service at once."""
        if pod["metadata"].get("deletionTimestamp"):
            return
        hook = at(pod, "spec", "containers", 0, "lifecycle", "preStop")
        command = entries([mapping(hook).get("exec")])
        wait = number(at(hook, "sleep", "seconds"), 0)
        if command:
            words = " ".join(str(part) for part in command[0].get("command", [])).split()
            wait = next((int(word) for word in words if word.isdecimal()), wait)
        self._leaves[pod["metadata"]["uid"]] = time.monotonic() + (0 if grace == 0 else (wait + 1) / self.speed)
        self._put_pod(pod, mark=True)

    def _put_pod(self, pod: dict[str, Any], *, status: dict[str, Any] | None = None, mark: bool = False) -> None:
        metadata = dict(pod["metadata"])
        if mark:
            metadata |= {"deletionTimestamp": now(), "deletionGracePeriodSeconds": 30}
        self.store.put(POD, {**pod, "metadata": metadata, "status": status or pod.get("status", {})})

    def _live(self, pod: dict[str, Any]) -> None:
        uid = pod["metadata"]["uid"]
        begun = self._born.setdefault(uid, time.monotonic())
        if pod["metadata"].get("deletionTimestamp"):
            if time.monotonic() > self._leaves.get(uid, 0):
                self.store.remove(POD, pod["metadata"]["namespace"], pod["metadata"]["name"])
            return
        lived = (time.monotonic() - begun) * self.speed
        status = self._status(pod, lived)
        if pod.get("status") != status:
            self._put_pod(pod, status=status)

    def _status(self, pod: dict[str, Any], lived: float) -> dict[str, Any]:
        before = mapping(pod.get("status"))
        address = before.get("podIP")
        if address is None and lived > 1:
            self._address += 1
            address = f"10.244.0.{self._address % 250 + 2}"
        found = [self._container_status(pod, n, lived) for n in range(len(pod["spec"]["containers"]))]
        ready = all(one["ready"] for one in found)
        running = any("running" in one["state"] for one in found)
        started = before.get("startTime") or now()
        return {
            "phase": "Running" if running or any(one["restartCount"] for one in found) else "Pending",
            "startTime": started,
            **({"podIP": address, "podIPs": [{"ip": address}], "hostIP": "172.18.0.2"} if address else {}),
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Initialized", "status": "True"},
                {"type": "ContainersReady", "status": str(ready)},
                {"type": "Ready", "status": str(ready)},
            ],
            "containerStatuses": found,
        }

    def _container_status(self, pod: dict[str, Any], index: int, lived: float) -> dict[str, Any]:
        data = pod["spec"]["containers"][index]
        base = {"name": data["name"], "image": data["image"], "imageID": "", "ready": False, "restartCount": 0}
        namespace = pod["metadata"]["namespace"]
        container = container_of(pod, index)
        image = container.image
        if lived < 2:
            return {**base, "state": {"waiting": {"reason": "ContainerCreating"}}}
        name = f"{image.registry}/{image.repository}" if image.registry else image.repository
        runs = "running" in mapping(at(pod, "status", "containerStatuses", index, "state"))
        there = name in self.images and _VERSION.fullmatch(image.tag) and not image.digest
        if not runs and (not there or data.get("imagePullPolicy") == "Always"):
            full = image.text if image.registry else f"docker.io/{'' if '/' in image.text else 'library/'}{image.text}"
            self._event(
                pod, "Warning", "Failed", f'Failed to pull image "{image.text}": failed to resolve reference "{full}"'
            )
            reason, text = ("ErrImagePull", f'failed to pull and unpack image "{full}": failed to resolve reference')
            if lived > 5:
                reason, text = "ImagePullBackOff", f'Back-off pulling image "{image.text}"'
            return {**base, "state": {"waiting": {"reason": reason, "message": text}}}
        known = self.known(namespace)
        missing = "" if runs else _missing(container, known)
        if missing:
            return {**base, "state": {"waiting": {"reason": "CreateContainerConfigError", "message": missing}}}
        problem = "" if runs else _crash(container, known)
        if problem:
            self._event(
                pod,
                "Warning",
                "BackOff",
                f"Back-off restarting failed container {data['name']} in pod {pod['metadata']['name']}",
            )
            ended = {"exitCode": 137 if problem == "OOMKilled" else 1, "reason": problem}
            back_off = {
                "reason": "CrashLoopBackOff",
                "message": f"back-off 10s restarting failed container={data['name']} pod={pod['metadata']['name']}",
            }
            restarts = min(5, int(lived // 10) + 1)
            return {
                **base,
                "restartCount": restarts,
                "state": {"waiting": back_off},
                "lastState": {"terminated": ended},
            }
        self._event(pod, "Normal", "Started", f"Started container {data['name']}")
        restarts = _restarts(container, lived)
        return {
            **base,
            "started": True,
            "ready": lived > 3 and _becomes_ready(container),
            "restartCount": restarts,
            "state": {"running": {"startedAt": at(pod, "status", "startTime") or now()}},
        }

    def known(self, namespace: str) -> Manifests:
        """What a Namespace holds, as manifests."""
        return Manifests([Manifest(o) for k, o in self.store.objects.items() if k.namespace == namespace])

    # --- Services ---

    def selected(self, service: dict[str, Any]) -> list[dict[str, Any]]:
        """The Pods that a Service selects and that are not about to go."""
        selector = Selector.of_labels(at(service, "spec", "selector"))
        return [
            pod
            for pod in self.store.of(POD, service["metadata"]["namespace"])
            if selector.fits(mapping(pod["metadata"].get("labels"))) and not pod["metadata"].get("deletionTimestamp")
        ]

    def ready_pods(self, service: dict[str, Any]) -> list[dict[str, Any]]:
        return [pod for pod in self.selected(service) if is_ready(pod)]

    def _endpoints(self, service: dict[str, Any]) -> None:
        if not at(service, "spec", "selector"):
            return
        subsets: dict[str, dict[str, Any]] = {}
        for pod in self.selected(service):
            ports = []
            for port in entries(at(service, "spec", "ports")):
                target = container_of(pod).number_of(port.get("targetPort", port["port"]))
                if target:
                    named = {"name": port["name"]} if port.get("name") else {}
                    ports.append({**named, "port": target, "protocol": "TCP"})
            if ports and at(pod, "status", "podIP"):
                subset = subsets.setdefault(json.dumps(ports), {"ports": ports})
                address = {"ip": pod["status"]["podIP"], "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]}}
                subset.setdefault("addresses" if is_ready(pod) else "notReadyAddresses", []).append(address)
        metadata = {"name": service["metadata"]["name"], "namespace": service["metadata"]["namespace"]}
        self.store.put(ENDPOINTS, {"metadata": metadata, "subsets": list(subsets.values())})

    def call(self, namespace: str, name: str, port: str, method: str, path: str, body: bytes) -> tuple[int, str]:
        """A request to a Service, passed on to one of its ready Pods: status and text."""
        with self.store.lock:
            service = self.store.get(SERVICE, namespace, name)
            if service is None:
                return 404, f'services "{name}" not found'
            entry = next(
                (p for p in entries(at(service, "spec", "ports")) if port in {str(p["port"]), p.get("name", "")}), None
            )
            if entry is None:
                return 503, f'no service port "{port}" found for service "{name}"'
            pods = [
                p for p in self.ready_pods(service) if container_of(p).number_of(entry.get("targetPort", entry["port"]))
            ]
            if not pods:
                return 503, f'no endpoints available for service "{name}:{port}"'
            pod = random.choice(pods)
            container = container_of(pod)
            target = container.number_of(entry.get("targetPort", entry["port"]))
            listens = {number(p.get("containerPort"), 0) for p in container.ports}
            if listens and target not in listens:
                return (
                    503,
                    f"error trying to reach service: dial tcp {pod['status']['podIP']}:{target}: connect: connection refused",
                )
            known = self.known(namespace)
        return answer(container, known, method, path, body)

    def count_budgets(self, namespace: str) -> None:
        for budget in self.store.of(BUDGET, namespace):
            self._budget(budget)

    def _autoscale(self, kind: Kind, scaler: dict[str, Any]) -> None:
        """Without metrics an autoscaler does one thing: it keeps to its lower and its upper end."""
        spec, namespace = scaler["spec"], scaler["metadata"]["namespace"]
        target = self.store.get(DEPLOYMENT, namespace, str(at(spec, "scaleTargetRef", "name")))
        if target is None or at(spec, "scaleTargetRef", "kind") != "Deployment":
            return
        has = number(target["spec"].get("replicas"), 1)
        wanted = max(number(spec.get("minReplicas"), 1), min(has, number(spec.get("maxReplicas"), has)))
        status = {"currentReplicas": has, "desiredReplicas": wanted}
        if scaler.get("status") != status:
            self.store.put(kind, {**scaler, "metadata": dict(scaler["metadata"]), "status": status})
        if wanted != has:
            data = copy.deepcopy(target)
            data["spec"]["replicas"] = wanted
            self.store.put(DEPLOYMENT, data)

    def _budget(self, budget: dict[str, Any]) -> None:
        selector = Selector.of(at(budget, "spec", "selector"))
        pods = [
            pod
            for pod in self.store.of(POD, budget["metadata"]["namespace"])
            if selector.fits(mapping(pod["metadata"].get("labels"))) and not pod["metadata"].get("deletionTimestamp")
        ]
        owners = {_owner(pod) for pod in pods}
        sets = [
            rs for rs in self.store.of(REPLICA_SET, budget["metadata"]["namespace"]) if rs["metadata"]["uid"] in owners
        ]
        expected = sum(number(rs["spec"].get("replicas"), 1) for rs in sets)
        least, most = at(budget, "spec", "minAvailable"), at(budget, "spec", "maxUnavailable")
        if most is not None:
            wanted = expected - (scaled(most, expected, up=True) or 0)
        else:
            wanted = scaled(least, expected, up=True) or 0
        healthy = sum(map(is_ready, pods))
        status = {
            "observedGeneration": budget["metadata"].get("generation", 1),
            "currentHealthy": healthy,
            "desiredHealthy": max(0, wanted),
            "expectedPods": expected,
            "disruptionsAllowed": max(0, healthy - max(0, wanted)) if pods else 0,
        }
        if budget.get("status") != status:
            self.store.put(BUDGET, {**budget, "metadata": dict(budget["metadata"]), "status": status})

    # --- events ---

    def _event(self, about: dict[str, Any], type: str, reason: str, message: str) -> None:
        mark = (about["metadata"]["uid"], reason)
        if mark in self._told:
            return
        self._told.add(mark)
        metadata = about["metadata"]
        self.store.put(
            EVENT,
            {
                "metadata": {"name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}", "namespace": metadata["namespace"]},
                "involvedObject": {
                    "kind": about.get("kind"),
                    "name": metadata["name"],
                    "namespace": metadata["namespace"],
                    "uid": metadata["uid"],
                    "apiVersion": about.get("apiVersion"),
                },
                "type": type,
                "reason": reason,
                "message": message,
                "count": 1,
                "firstTimestamp": now(),
                "lastTimestamp": now(),
                "source": {"component": "kubelet" if about.get("kind") == "Pod" else "controller"},
            },
        )


# --- what a container does -------------------------------------------------------------------------------------------


def container_of(pod: dict[str, Any], index: int = 0) -> Container:
    """A container of a stored Pod."""
    return PodSpec(pod, Manifest({**pod, "kind": "Pod"})).containers[index]


def is_ready(pod: dict[str, Any]) -> bool:
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in entries(at(pod, "status", "conditions")))


def answer(container: Container, known: Manifests, method: str, path: str, body: bytes) -> tuple[int, str]:
    """What the prediction service in a container answers."""
    model = model_of(container, known)
    assert model is not None
    path = path.partition("?")[0]
    if path == "/healthz" and method == "GET":
        return 200, json.dumps({"ok": True, "model": model["version"]}, separators=(",", ":"))
    if path == "/metrics" and method == "GET":
        return 200, "# HELP predictions_total Predictions served\n# TYPE predictions_total counter\n"
    if path == "/predict" and method == "POST":
        features = json.loads(body)
        minutes = model["bias"] + sum(w * float(features.get(name, 0)) for name, w in model["weights"].items())
        return 200, json.dumps({"minutes": round(minutes, 1)}, separators=(",", ":"))
    return 404, '{"detail":"Not Found"}'


def model_of(container: Container, known: Manifests) -> dict[str, Any] | None:
    """The model that the service in a container loads at its start; None when it cannot."""
    env = container.environment(known)
    path = env["MODEL_PATH"].value if "MODEL_PATH" in env else "model.json"
    if path == "model.json":
        return _MODEL
    file = container.files(known).get(str(path))
    try:
        model = json.loads(file.value or "") if file else None
    except ValueError:
        return None
    return model if isinstance(model, dict) and {"version", "bias", "weights"} <= set(model) else None


def _missing(container: Container, known: Manifests) -> str:
    """A ConfigMap, Secret or key that the container needs and nobody has."""
    for entry in entries(container.data.get("envFrom")):
        for ref, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            name = at(entry, ref, "name")
            if name and not at(entry, ref, "optional") and not known.one(kind, str(name)):
                return f'{kind.lower()} "{name}" not found'
    for value in container.environment(known).values():
        if value.source in {"ConfigMap", "Secret"} and not value.optional and value.value is None:
            if known.one(value.source, value.name):
                return f"couldn't find key {value.key} in {value.source} default/{value.name}"
            return f'{value.source.lower()} "{value.name}" not found'
    for _, _, volume in container.mounts():
        for ref, field, kind in (("configMap", "name", "ConfigMap"), ("secret", "secretName", "Secret")):
            name = at(volume, ref, field)
            if name and not at(volume, ref, "optional") and not known.one(kind, str(name)):
                return f'{kind.lower()} "{name}" not found'
    return ""


def _crash(container: Container, known: Manifests) -> str:
    """Why the container ends again and again; empty when it runs."""
    memory = container.limits().get("memory")
    if memory is not None and memory < _MEMORY:
        return "OOMKilled"
    if model_of(container, known) is None:
        return "Error"
    argv = container.argv
    if argv and not any("app:app" in word or "sleep" in word for word in argv):
        return "Error"
    return ""


def _becomes_ready(container: Container) -> bool:
    return all(_probe_answers(container, kind) for kind in ("readiness", "startup"))


def _restarts(container: Container, lived: float) -> int:
    probe = container.probe("liveness")
    return 0 if probe is None or _probe_answers(container, "liveness") else int(lived // max(1, probe.patience))


def _probe_answers(container: Container, kind: str) -> bool:
    probe = container.probe(kind)
    if probe is None or probe.handler == "exec":
        return True
    listens = {number(p.get("containerPort"), 0) for p in container.ports}
    reaches = probe.port is not None and (not listens or probe.port in listens)
    return reaches and (
        probe.handler != "httpGet" or probe.path.rstrip("/") in {"/healthz", "/metrics", "/docs", "/openapi.json"}
    )


# --- small change ----------------------------------------------------------------------------------------------------


def _owner(data: dict[str, Any]) -> str:
    return str(at(data, "metadata", "ownerReferences", 0, "uid") or "")


def _reference(api_version: str, kind: str, metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }


def _recreates(spec: dict[str, Any]) -> bool:
    return at(spec, "strategy", "type") == "Recreate"


def _pace(spec: dict[str, Any], wanted: int) -> tuple[int, int]:
    """How many Pods more, and how many fewer, a rollout may have."""
    rolling = mapping(at(spec, "strategy", "rollingUpdate"))
    surge = scaled(rolling.get("maxSurge", "25%"), wanted, up=True) or 0
    missing = scaled(rolling.get("maxUnavailable", "25%"), wanted, up=False) or 0
    return surge, missing if surge or missing else 1


def _readable(seed: str, length: int) -> str:
    """Letters and digits as Kubernetes uses them in names."""
    letters = "bcdfghjklmnpqrstvwxz2456789"
    digest = hashlib.sha256(seed.encode()).digest()
    return "".join(letters[byte % len(letters)] for byte in digest[:length])


def _fill(container: dict[str, Any], limit: dict[str, Any]) -> None:
    resources = container.setdefault("resources", {})
    default, requests = mapping(limit.get("default")), mapping(limit.get("defaultRequest"))
    limits = {**default, **mapping(resources.get("limits"))}
    asked = {**default, **limits, **requests, **mapping(resources.get("requests"))}
    for name, value in mapping(resources.get("limits")).items():
        if name not in mapping(resources.get("requests")):
            asked[name] = value
    container["resources"] = {k: v for k, v in (("limits", limits), ("requests", asked)) if v}


def _other_name(key: str) -> str:
    return {"cpu": "requests.cpu", "memory": "requests.memory", "pods": "count/pods"}.get(key, key)


def _asked(pod: dict[str, Any]) -> dict[str, Fraction]:
    total = {"count/pods": Fraction(1)}
    containers = entries(pod["spec"].get("containers"))
    for field in ("requests", "limits"):
        for name in ("cpu", "memory", "ephemeral-storage"):
            amounts = []
            for container in containers:
                value = at(container, "resources", field, name)
                if value is None and field == "requests":
                    value = at(container, "resources", "limits", name)
                amounts.append(quantity(value))
            if all(amount is not None for amount in amounts):
                total[f"{field}.{name}"] = sum((a for a in amounts if a is not None), Fraction(0))
    return total


def _names(pod: dict[str, Any]) -> str:
    return ",".join(str(c.get("name")) for c in entries(pod["spec"].get("containers")))


def _short(amount: Fraction, name: str) -> str:
    if name.endswith("cpu"):
        return str(int(amount)) if amount.denominator == 1 else f"{int(amount * 1000)}m"
    if name.endswith("memory") and amount:
        for suffix, size in (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024)):
            if amount % size == 0:
                return f"{int(amount / size)}{suffix}"
    return str(int(amount))
