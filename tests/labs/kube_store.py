"""What the emulated Kubernetes API remembers: objects with versions, changes for those who watch, patches."""

from __future__ import annotations

import copy
import datetime as dt
import json
import threading
import uuid
from collections import deque
from dataclasses import dataclass
from typing import Any

from curriculum.labs.manifests.model import entries
from tests.labs.kube_kinds import KINDS, Kind


@dataclass(frozen=True)
class Key:
    kind: Kind
    namespace: str
    name: str


@dataclass(frozen=True)
class Change:
    version: int
    type: str
    key: Key
    data: dict[str, Any]


class Store:
    """Objects by key. Whoever reads or changes them holds `lock`; `changed` tells of every change."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.objects: dict[Key, dict[str, Any]] = {}
        self.changes: deque[Change] = deque(maxlen=5000)
        self.version = 1000

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
        return self.objects.get(Key(kind, namespace if kind.namespaced else "", name))

    def of(self, kind: Kind, namespace: str = "") -> list[dict[str, Any]]:
        """The objects of a kind, in a Namespace or everywhere, by name."""
        found = [(k.namespace, k.name, o) for k, o in self.objects.items() if k.kind is kind]
        return [o for where, _, o in sorted(found, key=lambda f: f[:2]) if not namespace or where == namespace]

    def put(self, kind: Kind, data: dict[str, Any]) -> dict[str, Any]:
        """Create or replace an object; what does not change it makes no new version."""
        with self.lock:
            metadata = data["metadata"]
            key = Key(kind, metadata.get("namespace", "") if kind.namespaced else "", metadata["name"])
            old = self.objects.get(key)
            data.setdefault("apiVersion", kind.api_version)
            data.setdefault("kind", kind.kind)
            metadata["uid"] = old["metadata"]["uid"] if old else str(uuid.uuid4())
            metadata["creationTimestamp"] = old["metadata"]["creationTimestamp"] if old else now()
            if old and _says(old) == _says(data):
                return old
            changed = not old or old.get("spec") != data.get("spec")
            metadata["generation"] = (old["metadata"].get("generation", 1) if old else 0) + bool(changed)
            self.version += 1
            metadata["resourceVersion"] = str(self.version)
            self.objects[key] = data
            self._tell("MODIFIED" if old else "ADDED", key, data)
            return data

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete an object and all that it owns; a Namespace takes its contents along."""
        with self.lock:
            key = Key(kind, namespace if kind.namespaced else "", name)
            data = self.objects.pop(key, None)
            if data is None:
                return
            self.version += 1
            self._tell("DELETED", key, data)
            uid = data["metadata"]["uid"]
            owned = [
                k
                for k, o in self.objects.items()
                if any(owner.get("uid") == uid for owner in entries(o["metadata"].get("ownerReferences")))
            ]
            inside = [k for k in self.objects if kind.kind == "Namespace" and k.namespace == name]
            for other in (*owned, *inside):
                self.remove(other.kind, other.namespace, other.name)

    def _tell(self, type: str, key: Key, data: dict[str, Any]) -> None:
        self.changes.append(Change(self.version, type, key, copy.deepcopy(data)))
        self.changed.notify_all()


def now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _says(data: dict[str, Any]) -> str:
    metadata = {k: v for k, v in data["metadata"].items() if k not in {"resourceVersion", "generation"}}
    return json.dumps({**data, "metadata": metadata}, sort_keys=True)


def kind_named(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.kind == name)
