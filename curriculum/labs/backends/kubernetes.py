"""A Kubernetes cluster on the learner's own machine, driven by kubectl.

Nothing is touched unless the learner has named a context, and the context is a local cluster by its name and by its
address. Every call goes to a private copy of that one context, every object into a Namespace of our own, which is
deleted afterwards; a Namespace without our label is never deleted.
"""

from __future__ import annotations

import copy
import datetime as dt
import ipaddress
import json
import os
import re
import secrets
import shutil
import socket
import tempfile
import threading
import time
import urllib.parse
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curriculum.labs import process
from curriculum.labs.lab import Missing, Reply, fetch, free_port
from curriculum.labs.manifests import Manifest, Manifests
from curriculum.labs.manifests.model import at, entries, mapping
from curriculum.labs.manifests.rbac import Ask
from curriculum.outcome import How

if TYPE_CHECKING:
    from curriculum.labs.lab import Lab

#: Where the notebook's `use("kubernetes", context=…)` leaves the name of the context.
CONTEXT = "CURRICULUM_KUBE_CONTEXT"
#: Tests set it to 1: an emulated API is taken for a cluster, and its findings say so.
ALLOW_EMULATED = "CURRICULUM_ALLOW_EMULATED"
#: The label of the Namespaces that are ours to delete.
LABEL = "curriculum-room"

_LOCAL = re.compile(
    r"kind-[\w.-]+|minikube|k3d-[\w.-]+|docker-desktop|rancher-desktop|orbstack|colima(-[\w.-]+)?|microk8s"
)
#: Local clusters whose address is one of the machine's private networks, not the loopback address.
_PRIVATE = frozenset({"minikube"})
_PRIVATE_NETWORKS = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
#: After this many seconds a Namespace of ours is a leftover: its check died.
_LEFTOVER = 3600
#: What a container waits for that does not pass by itself.
_HOPELESS = frozenset({"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CrashLoopBackOff"})
_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
#: What may pass by itself gets this long, in seconds.
_PATIENCE = 15


def find(lab: Lab) -> Cluster:
    """The cluster that the learner has named. Raises Missing, with the reason why there is none to work with."""
    if shutil.which("kubectl") is None:
        raise Missing("not-installed")
    context = os.environ.get(CONTEXT, "").strip()
    if not context:
        raise Missing("no-context")
    if not _LOCAL.fullmatch(context):
        raise Missing("not-local")
    cluster = Cluster(lab, context)
    cluster.sweep()
    return cluster


@dataclass(frozen=True)
class Trouble:
    """Why Pods do not run: Kubernetes' own reason (`ImagePullBackOff`, `CrashLoopBackOff` …) and message."""

    reason: str
    message: str = ""

    @property
    def fault(self) -> str:
        """The key of the sentence for it: `no-image`, `crash`, `no-start`, `rejected`, `no-room`, or `not-ready`."""
        if self.reason in _IMAGE:
            return "no-image"
        if self.reason == "CrashLoopBackOff":
            return "crash"
        if self.reason in {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}:
            return "no-start"
        return {"Refused": "rejected", "FailedCreate": "rejected", "Unschedulable": "no-room"}.get(
            self.reason, "not-ready"
        )

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.message else self.reason


class Cluster:
    """A running local cluster. `how` is what a finding of it is worth: `real`, or `emulated` for our API of the tests."""

    def __init__(self, lab: Lab, context: str) -> None:
        self.context = context
        self._lab = lab
        self.folder = Path(tempfile.mkdtemp(prefix="curriculum-kube-"))
        # A backend has no end of its own: the folder goes with it, at the latest with this process.
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._config = self.folder / "config"
        self._pin()
        versions = self._versions()
        self.version = str(at(versions, "serverVersion", "gitVersion"))
        self.how: How = "emulated" if "+emulated" in self.version else "real"
        if self.how == "emulated" and os.environ.get(ALLOW_EMULATED) != "1":
            raise Missing("not-running")
        minor = re.match(r"\d+", str(at(versions, "clientVersion", "minor") or ""))
        # Older kubectls check against a document that newer servers no longer have.
        self._validate = "true" if minor and int(minor[0]) >= 25 else "false"

    def _pin(self) -> None:
        """Copy the context, alone, to a private file. Raises Missing."""
        argv = ("kubectl", "config", "view", "--minify", "--flatten", "--raw", "--context", self.context, "-o", "json")
        run = process.run(argv, folder=self.folder, timeout=20)
        try:
            config = json.loads(run.output) if run.ok else None
        except ValueError:
            config = None
        server = at(config, "clusters", 0, "cluster", "server")
        if not isinstance(server, str):
            raise Missing("unknown-context")
        if at(config, "clusters", 0, "cluster", "proxy-url") or not is_local(server, private=self.context in _PRIVATE):
            raise Missing("not-local")
        handle = os.open(self._config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(config, file)

    def _versions(self) -> Any:
        run = self.kubectl("version", "-o", "json", "--request-timeout=5s", timeout=20)
        start = run.output.find("{")
        try:
            # Warnings may stand around the JSON.
            versions = json.JSONDecoder().raw_decode(run.output[start:])[0] if start >= 0 else None
        except ValueError:
            versions = None
        if not at(versions, "serverVersion", "gitVersion"):
            raise Missing("not-running")
        return versions

    def argv(self, *arguments: str) -> list[str]:
        """The command line of a kubectl call to this cluster."""
        cache = str(self.folder / "cache")
        return [
            "kubectl",
            "--kubeconfig",
            str(self._config),
            "--context",
            self.context,
            "--cache-dir",
            cache,
            *arguments,
        ]

    def kubectl(self, *arguments: str, input: str = "", timeout: float = 60) -> process.Run:
        """Run kubectl; never raises for what it says."""
        return process.run(
            self.argv(*arguments), folder=self.folder, env={"NO_PROXY": "*"}, timeout=timeout, input=input
        )

    def sweep(self) -> None:
        """Delete the Namespaces that a check of long ago left behind."""
        listed = _json(self.kubectl("get", "namespaces", "-l", f"{LABEL}=true", "-o", "json"))
        for namespace in entries(at(listed, "items")):
            made = _moment(at(namespace, "metadata", "creationTimestamp"))
            if made is None or time.time() - made > _LEFTOVER:
                self._delete(str(at(namespace, "metadata", "name")))

    @contextmanager
    def room(self) -> Iterator[Room]:
        """A Namespace of our own, with a random name, that is deleted after the block."""
        name = f"study-{secrets.token_hex(4)}"
        self._lab.tell("lab.kubernetes-room", context=self.context, namespace=name)
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {LABEL: "true"}}}
        try:
            run = self.kubectl("create", "--validate=false", "-f", "-", input=json.dumps(body))
            if not run.ok:
                raise RuntimeError(f"the Namespace {name} could not be created: {run.output}")
            yield Room(self, name)
        finally:
            self._delete(name)

    def _delete(self, namespace: str) -> None:
        found = _json(self.kubectl("get", "namespace", namespace, "-o", "json"))
        if mapping(at(found, "metadata", "labels")).get(LABEL) == "true":
            self.kubectl("delete", "namespace", namespace, "--wait=false")

    def may(self, account: str, namespace: str, asks: Iterable[Ask]) -> list[bool]:
        """Whether a ServiceAccount may do each of the things asked, as the cluster's own authorizer says."""
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
        reviews = []
        for ask in asks:
            resource, _, sub = ask.resource.partition("/")
            attributes = {"verb": ask.verb, "resource": resource, "subresource": sub, "group": ask.group}
            attributes |= {"namespace": ask.namespace, "name": ask.name}
            who = {"user": f"system:serviceaccount:{namespace}:{account}", "groups": groups}
            spec = {**who, "resourceAttributes": {key: value for key, value in attributes.items() if value}}
            reviews.append({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec})
        body = "\n".join(map(json.dumps, reviews))
        run = self.kubectl("create", "--validate=false", "-f", "-", "-o", "json", input=body)
        return [at(review, "status", "allowed") is True for review in _all_json(run.output)]

    @property
    def validate(self) -> str:
        return f"--validate={self._validate}"


class Room:
    """A Namespace of ours."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name

    @property
    def how(self) -> How:
        return self.cluster.how

    def kubectl(self, *arguments: str, input: str = "", timeout: float = 60) -> process.Run:
        """Run kubectl in this Namespace."""
        return self.cluster.kubectl("-n", self.name, *arguments, input=input, timeout=timeout)

    def apply(self, manifests: Iterable[Manifest], *flags: str) -> Trouble | None:
        """Apply what belongs into a Namespace, here; what belongs to the cluster as a whole is left out.

        Returns what was refused.
        """
        body = "\n".join(json.dumps(self.moved(manifest)) for manifest in manifests if manifest.namespaced)
        run = self.kubectl("apply", self.cluster.validate, *flags, "-f", "-", input=body)
        return None if run.ok else Trouble("Refused", run.last.removeprefix("Error from server "))

    def try_pod(self, pod: Manifest) -> process.Run:
        """Ask whether a Pod would be let in, without creating it."""
        path = f"/api/v1/namespaces/{self.name}/pods?dryRun=All"
        return self.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(self.moved(pod)))

    def moved(self, manifest: Manifest) -> dict[str, Any]:
        """An object as it is applied here, whatever Namespace it names; accounts that it speaks of move with it."""
        data = copy.deepcopy(dict(manifest.data))
        data["metadata"] = {**mapping(data.get("metadata")), "namespace": self.name}
        for subject in entries(data.get("subjects")):
            if subject.get("kind") == "ServiceAccount" and subject.get("namespace") in {manifest.namespace, "default"}:
                subject["namespace"] = self.name
        return data

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """An object as the cluster holds it, or an empty map."""
        return mapping(_json(self.kubectl("get", kind, name, "-o", "json")))

    def objects(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """The objects of a kind, all or those with a label (`app=web`)."""
        flags = ["-l", selector] if selector else []
        return entries(at(_json(self.kubectl("get", kind, *flags, "-o", "json")), "items"))

    def pods_of(self, workload: Manifest) -> list[dict[str, Any]]:
        """The Pods of a workload that are not about to go."""
        found = []
        for pod in self.objects("pods"):
            labels = mapping(at(pod, "metadata", "labels"))
            if workload.selector.fits(labels) and not at(pod, "metadata", "deletionTimestamp"):
                found.append(pod)
        return found

    def settle(self, workload: Manifest, *, seconds: float = 120, least: int = 0) -> Trouble | None:
        """Wait until a Deployment runs as its manifest says; else the reason why it does not.

        With `least` an autoscaler has to bring up so many Pods first. A reason that does not pass by itself ends the waiting early.
        """
        # The emulated API runs faster than a cluster, and so does what waits for it.
        haste = 10 if self.how == "emulated" else 1
        end, first_seen = time.monotonic() + seconds / haste, time.monotonic()
        trouble: Trouble | None = None
        while True:
            if self._settled(workload, least):
                return None
            found = self.trouble(workload)
            if found is None or trouble is None or found.reason != trouble.reason:
                first_seen = time.monotonic()
            trouble = found
            waited = time.monotonic() - first_seen
            if trouble and (trouble.reason in _HOPELESS or waited > _PATIENCE / haste):
                return trouble
            if time.monotonic() > end:
                return trouble or Trouble("NotReady", self._state(workload))
            time.sleep(1 / haste)

    def settle_all(self, workloads: Iterable[Manifest], *, seconds: float = 120) -> Trouble | None:
        """`settle` for several Deployments; the first trouble."""
        end = time.monotonic() + seconds
        for workload in workloads:
            if trouble := self.settle(workload, seconds=max(1, end - time.monotonic())):
                return trouble
        return None

    def _settled(self, workload: Manifest, least: int) -> bool:
        found = self.get("deployment", workload.name)
        status, wanted = mapping(found.get("status")), at(found, "spec", "replicas")
        return (
            bool(found)
            and status.get("availableReplicas", 0) >= least
            and status.get("observedGeneration") == at(found, "metadata", "generation")
            and status.get("updatedReplicas", 0) == wanted
            and status.get("availableReplicas", 0) == wanted
            and status.get("replicas", 0) == wanted
        )

    def _state(self, workload: Manifest) -> str:
        found = self.get("deployment", workload.name)
        return f"{at(found, 'status', 'readyReplicas') or 0}/{at(found, 'spec', 'replicas') or 0}"

    def wait_for_budget(self, *, seconds: float = 20) -> None:
        """Wait until the cluster has counted what its disruption budgets allow."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            budgets = self.objects("poddisruptionbudgets")
            if all(at(one, "status", "currentHealthy") for one in budgets):
                return
            time.sleep(0.3)

    def wait_for_quota(self, *, seconds: float = 20) -> None:
        """Wait until the cluster counts by its quotas: until then it refuses every Pod."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if all(at(one, "status", "hard") for one in self.objects("resourcequotas")):
                return
            time.sleep(0.3)

    def wait_for_pods(self, workload: Manifest, *, seconds: float = 20) -> list[dict[str, Any]]:
        """The Pods of a workload, as soon as there are some; whether they run does not matter."""
        end = time.monotonic() + seconds
        while not (pods := self.pods_of(workload)) and time.monotonic() < end and not self.trouble(workload):
            time.sleep(0.3)
        return pods

    def trouble(self, workload: Manifest) -> Trouble | None:
        """What keeps the Pods of a workload from running, as far as the cluster tells."""
        pods = self.pods_of(workload)
        for pod in pods:
            for status in entries(at(pod, "status", "containerStatuses")):
                waiting = at(status, "state", "waiting")
                if isinstance(waiting, dict) and waiting.get("reason") not in {
                    None,
                    "ContainerCreating",
                    "PodInitializing",
                }:
                    return Trouble(str(waiting["reason"]), str(waiting.get("message") or ""))
        for pod in pods:
            for condition in entries(at(pod, "status", "conditions")):
                if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
                    return Trouble(str(condition.get("reason")), str(condition.get("message") or ""))
        for condition in entries(at(self.get("deployment", workload.name), "status", "conditions")):
            if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
                return Trouble(str(condition.get("reason")), str(condition.get("message") or ""))
        return None

    @contextmanager
    def door(self) -> Iterator[Door]:
        """A way to call the Services of this Namespace from here, as long as the block lasts."""
        port = free_port()
        base = f"/api/v1/namespaces/{self.name}"
        argv = self.cluster.argv(
            "proxy", "--address=127.0.0.1", f"--port={port}", f"--accept-paths=^{base}/(services|pods)/.*$"
        )
        with process.serving(argv, folder=self.cluster.folder, env={"NO_PROXY": "*"}) as service:
            end = time.monotonic() + 15
            while service.running and time.monotonic() < end and not _listens(port):
                time.sleep(0.05)
            yield Door(f"http://127.0.0.1:{port}{base}")


@dataclass(frozen=True)
class Door:
    """The address under which the API server passes requests on to Services, and takes Pods off their nodes."""

    base: str

    def call(self, service: str, port: int, path: str, body: Any = None, *, timeout: float = 10) -> Reply:
        """Call a Service on one of its ports. What does not answer has another status than 200."""
        return fetch(f"{self.base}/services/{service}:{port}/proxy{path}", body, timeout=timeout)

    def evict(self, pod: str) -> Reply:
        """Ask for a Pod to be taken off its node, as a maintenance does: a disruption budget may refuse it."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        return fetch(f"{self.base}/pods/{pod}/eviction", body, timeout=20)

    @contextmanager
    def stream(self, service: str, port: int, path: str) -> Iterator[Stream]:
        """Calls in a row, several at a time, as long as the block lasts; afterwards it says how many failed."""
        stream, over = Stream(), threading.Event()

        def go_on() -> None:
            while not over.wait(0.05):
                reply = self.call(service, port, path, timeout=30)
                stream.calls += 1
                if not reply.ok:
                    stream.failures.append(reply)

        threads = [threading.Thread(target=go_on, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            yield stream
        finally:
            over.set()
            for thread in threads:
                thread.join(timeout=35)

    def wait(self, service: str, port: int, path: str, *, seconds: float = 20) -> Reply:
        """Call until it answers well, or for so many seconds; the last reply."""
        end = time.monotonic() + seconds
        while True:
            reply = self.call(service, port, path)
            if reply.ok or time.monotonic() > end:
                return reply
            time.sleep(0.3)


@dataclass
class Stream:
    """What became of calls in a row."""

    calls: int = 0
    failures: list[Reply] = field(default_factory=list)


def is_local(server: str, *, private: bool = False) -> bool:
    """Whether every address of a server is this machine's loopback, or with `private` one of a private network."""
    host = urllib.parse.urlsplit(server).hostname
    if not host:
        return False
    try:
        found = {str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    addresses = [ipaddress.ip_address(text) for text in found]
    return bool(addresses) and all(
        one.is_loopback or (private and any(one in network for network in _PRIVATE_NETWORKS)) for one in addresses
    )


def moved_into(manifests: Manifests, names: Mapping[str, str]) -> Manifests:
    """The objects with other names in place of those given, wherever a text of a manifest is one: a Namespace's, mostly."""

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: renamed(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [renamed(entry) for entry in value]
        if isinstance(value, str) and value.startswith("system:serviceaccount"):
            return ":".join(names.get(part, part) for part in value.split(":"))
        return names.get(value, value) if isinstance(value, str) else value

    return Manifests([Manifest(renamed(dict(manifest.data)), manifest.file) for manifest in manifests])


def _json(run: process.Run) -> Any:
    """The JSON of an answer; warnings before it are passed over."""
    start = run.output.find("{")
    if not run.ok or start < 0:
        return None
    try:
        return json.JSONDecoder().raw_decode(run.output[start:])[0]
    except ValueError:
        return None


def _all_json(text: str) -> Iterator[Any]:
    """The JSON objects in a text, one after the other."""
    decoder, place = json.JSONDecoder(), text.find("{")
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
        except ValueError:
            return
        yield from entries(value["items"]) if isinstance(value.get("items"), list) else (value,)
        place = text.find("{", end)


def _moment(text: object) -> float | None:
    try:
        return dt.datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
