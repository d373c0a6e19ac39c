"""Kubernetes objects as plain data with names for what judges ask about. Everything here bears nonsense: what is
missing or has the wrong type reads as empty."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, overload

from curriculum.labs.manifests.values import Selector, labels_of, quantity

#: Kinds that belong to the cluster as a whole, not to a Namespace.
CLUSTER_WIDE = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterTrustBundle",
        "CustomResourceDefinition",
        "DeviceClass",
        "FlowSchema",
        "GatewayClass",
        "IPAddress",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ResourceSlice",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeAttributesClass",
    }
)
#: Kinds with a Pod template, and the path to it.
TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}


def at(data: Any, *path: str | int) -> Any:
    """What lies at a path of keys and indices, or None where the path leads nowhere."""
    for step in path:
        if isinstance(step, int):
            data = data[step] if isinstance(data, list) and -len(data) <= step < len(data) else None
        else:
            data = data.get(step) if isinstance(data, dict) else None
    return data


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def entries(value: Any) -> list[dict[str, Any]]:
    """The maps of a list; anything else in it is left out."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def texts(value: Any) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else []


def number(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


@dataclass(frozen=True)
class Manifest:
    """One object as a file describes it."""

    data: Mapping[str, Any]
    file: str = ""

    def at(self, *path: str | int) -> Any:
        return at(self.data, *path)

    @property
    def api_version(self) -> str:
        value = self.at("apiVersion")
        return value if isinstance(value, str) else ""

    @property
    def group(self) -> str:
        """The API group; the core group is empty."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        return self.api_version.rpartition("/")[2]

    @property
    def kind(self) -> str:
        value = self.at("kind")
        return value if isinstance(value, str) else ""

    @property
    def name(self) -> str:
        value = self.at("metadata", "name")
        return str(value) if value is not None else ""

    @property
    def namespace(self) -> str:
        """The Namespace that the manifest names; empty where it leaves that to whoever applies it."""
        value = self.at("metadata", "namespace")
        return str(value) if value is not None and self.namespaced else ""

    @property
    def namespaced(self) -> bool:
        return self.kind not in CLUSTER_WIDE

    @property
    def labels(self) -> dict[str, str]:
        return labels_of(self.at("metadata", "labels"))

    @property
    def annotations(self) -> dict[str, str]:
        return labels_of(self.at("metadata", "annotations"))

    @property
    def title(self) -> str:
        return f"{self.kind or '?'}/{self.name or '?'}"

    @property
    def replicas(self) -> int:
        return number(self.at("spec", "replicas"), 1)

    @property
    def selector(self) -> Selector:
        """`spec.selector`, as this kind reads it."""
        value = self.at("spec", "selector")
        if self.kind in {"Service", "ReplicationController"}:
            return Selector.of_labels(value)
        return Selector.of(value)

    @property
    def pods(self) -> PodSpec | None:
        """The Pods that this object is or makes; None for an object that makes none."""
        if self.kind not in TEMPLATES:
            return None
        return PodSpec(mapping(self.at(*TEMPLATES[self.kind])), self)


class Manifests(Sequence[Manifest]):
    """The objects of an answer, in the order in which they would be applied."""

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        self._all = tuple(manifests)

    @overload
    def __getitem__(self, index: int) -> Manifest: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Manifest]: ...
    def __getitem__(self, index: int | slice) -> Manifest | Sequence[Manifest]:
        return self._all[index]

    def __len__(self) -> int:
        return len(self._all)

    def of(self, *kinds: str) -> list[Manifest]:
        """The objects of one or more kinds."""
        return [manifest for manifest in self._all if manifest.kind in kinds]

    def one(self, kind: str, name: str) -> Manifest | None:
        """The object of a kind with a name: the last one where several are named alike, as applying would leave it."""
        return next((m for m in reversed(self._all) if m.kind == kind and m.name == name), None)

    def workloads(self) -> list[Manifest]:
        """The objects that run Pods."""
        return [manifest for manifest in self._all if manifest.kind in TEMPLATES]

    def chosen_by(self, service: Manifest) -> list[Manifest]:
        """The workloads whose Pods a Service selects."""
        found = []
        for workload in self.workloads():
            pods = workload.pods
            if pods and same_namespace(workload, service) and service.selector.fits(pods.labels):
                found.append(workload)
        return found


def same_namespace(one: Manifest, other: Manifest) -> bool:
    """Whether two objects land in the same Namespace, for all that the files tell."""
    return not one.namespace or not other.namespace or one.namespace == other.namespace


@dataclass(frozen=True)
class PodSpec:
    """A Pod template: what every Pod of a workload looks like."""

    template: Mapping[str, Any]
    owner: Manifest

    @property
    def spec(self) -> dict[str, Any]:
        return mapping(self.template.get("spec"))

    @property
    def labels(self) -> dict[str, str]:
        return labels_of(at(self.template, "metadata", "labels"))

    @property
    def annotations(self) -> dict[str, str]:
        return labels_of(at(self.template, "metadata", "annotations"))

    @property
    def containers(self) -> list[Container]:
        return [Container(entry, self) for entry in entries(self.spec.get("containers"))]

    @property
    def init_containers(self) -> list[Container]:
        return [Container(entry, self) for entry in entries(self.spec.get("initContainers"))]

    @property
    def volumes(self) -> dict[str, dict[str, Any]]:
        return {str(entry.get("name")): entry for entry in entries(self.spec.get("volumes"))}

    @property
    def grace(self) -> int:
        """How many seconds a Pod may take to stop."""
        return number(self.spec.get("terminationGracePeriodSeconds"), 30)

    def container(self, image: str = "", name: str = "") -> Container | None:
        """The container with this name or image (its last part), or the only one there is."""
        for container in self.containers:
            if (name and container.name == name) or (image and container.image.name == image):
                return container
        return self.containers[0] if len(self.containers) == 1 else None

    def port(self, name: str) -> int | None:
        """The number of the port that a container gives this name."""
        sidecars = [c for c in self.init_containers if c.data.get("restartPolicy") == "Always"]
        for container in (*self.containers, *sidecars):
            for entry in container.ports:
                if entry.get("name") == name:
                    return number(entry.get("containerPort"), 0) or None
        return None


@dataclass(frozen=True)
class Image:
    """A reference to an image, taken apart."""

    text: str
    registry: str
    repository: str
    tag: str
    digest: str

    @classmethod
    def of(cls, text: str) -> Image:
        rest, _, digest = text.strip().partition("@")
        head, slash, tail = rest.rpartition("/")
        tail, _, tag = tail.partition(":")
        path = f"{head}{slash}{tail}"
        first, slash, remainder = path.partition("/")
        # Docker's rule: the first part is a registry when it looks like a host.
        if slash and ("." in first or ":" in first or first == "localhost"):
            return cls(text, first, remainder, tag, digest)
        return cls(text, "", path, tag, digest)

    @property
    def name(self) -> str:
        """The last part of the repository: `delivery-time` of `registry.example/team/delivery-time:1.0.0`."""
        return self.repository.rpartition("/")[2]

    @property
    def pinned(self) -> bool:
        """Whether it says which build is meant."""
        return bool(self.digest) or self.tag not in {"", "latest"}


@dataclass(frozen=True)
class Probe:
    """A probe with its defaults filled in."""

    data: Mapping[str, Any]
    container: Container

    @property
    def handler(self) -> str:
        """`httpGet`, `exec`, `tcpSocket`, `grpc`, or empty."""
        return next(
            (key for key in ("httpGet", "exec", "tcpSocket", "grpc") if isinstance(self.data.get(key), dict)), ""
        )

    @property
    def delay(self) -> int:
        return number(self.data.get("initialDelaySeconds"), 0)

    @property
    def period(self) -> int:
        return number(self.data.get("periodSeconds"), 10) or 10

    @property
    def failures(self) -> int:
        return number(self.data.get("failureThreshold"), 3) or 3

    @property
    def timeout(self) -> int:
        return number(self.data.get("timeoutSeconds"), 1) or 1

    @property
    def patience(self) -> int:
        """How many seconds after the start it gives up, at the earliest."""
        return self.delay + self.period * self.failures

    @property
    def path(self) -> str:
        """The path that it asks for, without host and query; a missing one is `/`."""
        value = str(at(self.data, "httpGet", "path") or "/")
        return "/" + value.partition("?")[0].lstrip("/")

    @property
    def port(self) -> int | None:
        return self.container.number_of(at(self.data, self.handler, "port"))

    @property
    def command(self) -> list[str]:
        return texts(at(self.data, "exec", "command"))

    def __str__(self) -> str:
        match self.handler:
            case "httpGet":
                return f"httpGet :{at(self.data, 'httpGet', 'port')}{self.path}"
            case "exec":
                return f"exec {' '.join(self.command)}"
            case "tcpSocket" | "grpc":
                return f"{self.handler} :{at(self.data, self.handler, 'port')}"
        return ""


@dataclass(frozen=True)
class EnvValue:
    """Where the value of an environment variable comes from: `literal`, `ConfigMap`, `Secret` or `field`.

    `value` is the value where the answer's own files tell it, None where they do not; `optional` says that the Pod
    starts without it.
    """

    source: str
    value: str | None
    name: str = ""
    key: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Container:
    """A container of a Pod template."""

    data: Mapping[str, Any]
    pods: PodSpec = field(repr=False)

    @property
    def name(self) -> str:
        return str(self.data.get("name") or "")

    @property
    def image(self) -> Image:
        return Image.of(str(self.data.get("image") or ""))

    @property
    def ports(self) -> list[dict[str, Any]]:
        return entries(self.data.get("ports"))

    @property
    def argv(self) -> list[str]:
        """`command` and `args` as one list; empty where the image decides."""
        return [*texts(self.data.get("command")), *texts(self.data.get("args"))]

    def probe(self, kind: str) -> Probe | None:
        """The `readiness`, `liveness` or `startup` probe."""
        data = self.data.get(f"{kind}Probe")
        return Probe(data, self) if isinstance(data, dict) and data else None

    def number_of(self, port: object) -> int | None:
        """The number of a port given by number, by a number's text or by its name; None for an unknown name."""
        if isinstance(port, int) and not isinstance(port, bool):
            return port
        if isinstance(port, str):
            return int(port) if port.isdecimal() and len(port) <= 5 else self.pods.port(port)
        return None

    def requests(self) -> dict[str, Fraction]:
        """What the container asks for: a limit without a request is the request too."""
        return self.limits() | _quantities(at(self.data, "resources", "requests"))

    def limits(self) -> dict[str, Fraction]:
        return _quantities(at(self.data, "resources", "limits"))

    def mounts(self) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Every mounted volume that exists: path in the container, the mount, the volume."""
        for mount in entries(self.data.get("volumeMounts")):
            volume = self.pods.volumes.get(str(mount.get("name")))
            if volume is not None:
                yield str(mount.get("mountPath") or ""), mount, volume

    def environment(self, manifests: Manifests) -> dict[str, EnvValue]:
        """The variables that the container is started with, and where each comes from."""
        found: dict[str, EnvValue] = {}
        for entry in entries(self.data.get("envFrom")):
            prefix = str(entry.get("prefix") or "")
            for ref, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if isinstance(entry.get(ref), dict):
                    name, optional = str(entry[ref].get("name") or ""), entry[ref].get("optional") is True
                    for key, value in contents(manifests, kind, name).items():
                        found[prefix + key] = EnvValue(kind, value, name, key, optional)
        for entry in entries(self.data.get("env")):
            found[str(entry.get("name") or "")] = self._value(entry, manifests, found)
        return found

    def _value(self, entry: Mapping[str, Any], manifests: Manifests, known: Mapping[str, EnvValue]) -> EnvValue:
        source = mapping(entry.get("valueFrom"))
        for ref, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if isinstance(source.get(ref), dict):
                name, key = str(source[ref].get("name") or ""), str(source[ref].get("key") or "")
                value = contents(manifests, kind, name).get(key)
                return EnvValue(kind, value, name, key, source[ref].get("optional") is True)
        if source:
            return EnvValue("field", None)
        text = str(entry.get("value") if entry.get("value") is not None else "")

        def used(match: re.Match[str]) -> str:
            other = known.get(match[1])
            return other.value if other and other.value is not None else match[0]

        return EnvValue("literal", re.sub(r"\$\(([A-Za-z_][\w.-]*)\)", used, text))

    def files(self, manifests: Manifests) -> dict[str, EnvValue]:
        """The files that ConfigMaps and Secrets put into the container, by path."""
        found: dict[str, EnvValue] = {}
        for path, mount, volume in self.mounts():
            for source in _projected(volume):
                kind, name, wanted, optional = source
                have = contents(manifests, kind, name)
                names = wanted or {key: key for key in have}
                below = str(mount.get("subPath") or "")
                for key, place in names.items():
                    value = EnvValue(kind, have.get(key), name, key, optional)
                    if not below:
                        found[f"{path.rstrip('/')}/{place.lstrip('/')}"] = value
                    elif place == below:
                        found[path] = value
                    elif place.startswith(below.rstrip("/") + "/"):
                        found[f"{path.rstrip('/')}/{place[len(below.rstrip('/')) + 1 :]}"] = value
        return found


def contents(manifests: Manifests, kind: str, name: str) -> dict[str, str]:
    """The entries of a ConfigMap or Secret, decoded. Bytes that are no text are left as they are written."""
    manifest = manifests.one(kind, name)
    if manifest is None:
        return {}
    found = {}
    for key, value in labels_of(manifest.at("data")).items():
        if kind == "Secret":
            with suppress(binascii.Error, ValueError):
                value = base64.b64decode(value, validate=False).decode()
        found[key] = value
    if kind == "Secret":
        found |= labels_of(manifest.at("stringData"))
    return found | labels_of(manifest.at("binaryData"))


def _projected(volume: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, str], bool]]:
    """What a volume takes from ConfigMaps and Secrets: kind, name, file by key (empty: all of them), optional."""
    direct = [{"configMap": volume.get("configMap")}, {"secret": volume.get("secret")}]
    for source in (*direct, *entries(at(volume, "projected", "sources"))):
        for ref, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            body = source.get(ref)
            if isinstance(body, dict):
                name = str(body.get("name") or body.get("secretName") or "")
                items = {str(e.get("key")): str(e.get("path")) for e in entries(body.get("items"))}
                yield kind, name, items, body.get("optional") is True


def _quantities(value: Any) -> dict[str, Fraction]:
    found = {}
    for key, entry in mapping(value).items():
        amount = quantity(entry)
        if amount is not None:
            found[str(key)] = amount
    return found


def canonical(data: Any) -> str:
    """Data as one text, to tell whether two pieces say the same."""
    return json.dumps(data, sort_keys=True, default=str)
