"""An emulated Kubernetes API for tests: the real kubectl works against it, but no cluster stands behind it.

    python -m tests.labs.kube_api --kubeconfig FILE        # runs until it is stopped; FILE has a context `kind-emulated`

It says so in its version (`+emulated`), and a judge's finding from it is `emulated`, never `real`. It keeps objects,
refuses what a cluster refuses, merges patches, answers access reviews, and lets stand-ins for the course's service
start, fail, answer and stop (`kube_world`). It has no scheduler, no network and no containers.
"""

from __future__ import annotations

import argparse
import base64
import copy
import http.server
import json
import random
import re
import sys
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from curriculum.catalog import catalog_at
from curriculum.labs.manifests import Manifest, Manifests, refusals, schemas
from curriculum.labs.manifests.merge import json_patched, merged
from curriculum.labs.manifests.model import at, entries, mapping
from curriculum.labs.manifests.rbac import Access, Ask
from curriculum.labs.manifests.values import Selector
from curriculum.model import words
from tests.labs.kube_kinds import BY_PLURAL, KINDS, Kind, table
from tests.labs.kube_store import Store, kind_named, now
from tests.labs.kube_world import DEPLOYMENT, NAMESPACE, POD, World

#: The version of Kubernetes whose schemas and messages are imitated.
VERSION = "1.32"
CONTEXT = "kind-emulated"

_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+)(?P<rest>/.*)?)?"
)
_ACCOUNT = re.compile(r"system:serviceaccount:([^:]+):([^:]+)")


class Refused(Exception):
    """An answer that is an error, as a Status object."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": details,
            "code": code,
        }


class Api:
    """What the requests come to: one method for each verb."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = world.store
        for name in ("default", "kube-system"):
            self.create(NAMESPACE, "", {"metadata": {"name": name}}, {})

    # --- verbs ---

    def read(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        found = self.store.get(kind, namespace, name)
        if found is None:
            raise Refused(404, "NotFound", f'{_resource(kind)} "{name}" not found', name=name, kind=kind.plural)
        return found

    def list(self, kind: Kind, namespace: str, query: dict[str, str]) -> list[dict[str, Any]]:
        return [data for data in self.store.of(kind, namespace) if chosen(data, query)]

    def create(self, kind: Kind, namespace: str, data: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        if kind.group == "authorization.k8s.io":
            return self.review(data)
        metadata = data.setdefault("metadata", {})
        metadata.setdefault("name", metadata.get("generateName", "") + uuid.uuid4().hex[:5])
        if kind.namespaced:
            self._in_namespace(metadata, namespace)
        if self.store.get(kind, namespace, metadata["name"]):
            raise Refused(409, "AlreadyExists", f'{_resource(kind)} "{metadata["name"]}" already exists')
        return self._write(kind, data, query)

    def replace(
        self, kind: Kind, namespace: str, name: str, data: dict[str, Any], query: dict[str, str]
    ) -> dict[str, Any]:
        old = self.read(kind, namespace, name)
        version = at(data, "metadata", "resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            text = "the object has been modified; please apply your changes to the latest version and try again"
            raise Refused(409, "Conflict", f'Operation cannot be fulfilled on {_resource(kind)} "{name}": {text}')
        data["metadata"] = {**mapping(data.get("metadata")), "name": name}
        if kind.namespaced:
            self._in_namespace(data["metadata"], namespace)
        return self._write(kind, {**data, "status": old.get("status", {})}, query)

    def patch(
        self, kind: Kind, namespace: str, name: str, body: Any, how: str, query: dict[str, str]
    ) -> dict[str, Any]:
        old = self.store.get(kind, namespace, name)
        if old is None:
            if "apply-patch" not in how:
                self.read(kind, namespace, name)
            return self.create(kind, namespace, body, query)
        if "json-patch" in how:
            new = json_patched({**old, "metadata": {"annotations": {}, "labels": {}, **old["metadata"]}}, body)
        else:
            new = merged(copy.deepcopy(old), body, strategic="strategic" in how or "apply-patch" in how)
        return self._write(kind, new, query)

    def delete(self, kind: Kind, namespace: str, name: str, query: dict[str, str]) -> dict[str, Any]:
        found = self.read(kind, namespace, name)
        if query.get("dryRun") != "All":
            if kind is POD:
                self.world.end(found, grace=0 if query.get("gracePeriodSeconds") == "0" else None)
            else:
                self.store.remove(kind, namespace, name)
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {"name": name, "kind": kind.plural, "uid": found["metadata"]["uid"]},
        }

    def scale(self, kind: Kind, namespace: str, name: str, replicas: int | None) -> dict[str, Any]:
        found = self.read(kind, namespace, name)
        if replicas is not None:
            found = copy.deepcopy(found)
            found["spec"]["replicas"] = replicas
            found = self.store.put(kind, found)
        count = found["spec"].get("replicas", 1)
        metadata = {
            k: found["metadata"].get(k) for k in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        }
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": metadata,
            "spec": {"replicas": count},
            "status": {"replicas": count},
        }

    def evict(self, namespace: str, name: str) -> dict[str, Any]:
        """Take a Pod off its node, unless a budget forbids it."""
        pod = self.read(POD, namespace, name)
        for budget in self.store.of(kind_named("PodDisruptionBudget"), namespace):
            covers = Selector.of(at(budget, "spec", "selector")).fits(mapping(pod["metadata"].get("labels")))
            if covers and not at(budget, "status", "disruptionsAllowed"):
                text = "Cannot evict pod as it would violate the pod's disruption budget."
                raise Refused(429, "TooManyRequests", text)
        self.world.end(pod)
        self.world.count_budgets(namespace)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

    # --- access ---

    def review(self, data: dict[str, Any], account: str = "") -> dict[str, Any]:
        """A SubjectAccessReview, or one about the caller."""
        asked = mapping(at(data, "spec", "resourceAttributes"))
        resource = str(asked.get("resource", ""))
        if asked.get("subresource"):
            resource += f"/{asked['subresource']}"
        ask = Ask(
            str(asked.get("verb", "")),
            resource,
            str(asked.get("group", "")),
            str(asked.get("namespace", "")),
            str(asked.get("name", "")),
        )
        who = account or str(at(data, "spec", "user") or "")
        return {**data, "status": {"allowed": self.allowed(who, ask)}}

    def allowed(self, who: str, ask: Ask) -> bool:
        """Whether somebody may do something; whoever is no ServiceAccount is the cluster's administrator."""
        match = _ACCOUNT.fullmatch(who)
        if match is None:
            return True
        kinds = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
        rules = Manifests([Manifest(o) for kind in kinds for o in self.store.of(kind_named(kind))])
        return Access(rules).can(match[2], match[1], ask)

    # --- writing ---

    def _in_namespace(self, metadata: dict[str, Any], namespace: str) -> None:
        if metadata.get("namespace", namespace) != namespace:
            text = "the namespace of the provided object does not match the namespace sent on the request"
            raise Refused(400, "BadRequest", text)
        metadata["namespace"] = namespace
        if self.store.get(NAMESPACE, "", namespace) is None:
            raise Refused(404, "NotFound", f'namespaces "{namespace}" not found')

    def _write(self, kind: Kind, data: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        data = _without_nulls(copy.deepcopy(data))
        data["apiVersion"], data["kind"] = kind.api_version, kind.kind
        check(kind, data, strict=query.get("fieldValidation", "Strict") == "Strict")
        complete(kind, data)
        if kind is POD and (refused := self.world.admit(data)):
            raise Refused(403, "Forbidden", refused)
        if query.get("dryRun") == "All":
            metadata = {"uid": str(uuid.uuid4()), "creationTimestamp": now(), **data["metadata"]}
            return {**data, "metadata": metadata}
        return self.store.put(kind, data)


def check(kind: Kind, data: dict[str, Any], *, strict: bool) -> None:
    """Refuse what a cluster refuses, in its words as far as that matters."""
    known = schemas(VERSION)
    assert known is not None, "install kubernetes-validate"
    bare = {key: value for key, value in data.items() if key != "status"}
    bare["metadata"] = {k: v for k, v in data["metadata"].items() if k not in {"managedFields"}}
    found = list(refusals([Manifest(bare)], known))
    unknown = [f'unknown field "{f.path}"' for f in found if f.rule == "unknown-field"]
    head = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
    if unknown and strict:
        raise Refused(400, "BadRequest", f"{head}strict decoding error: {', '.join(unknown)}")
    wrong = [f for f in found if f.rule == "wrong-type"]
    if wrong:
        raise Refused(
            400, "BadRequest", f"{head}json: cannot unmarshal {wrong[0].found} into Go value at {wrong[0].path}"
        )
    rest = [f for f in found if f.rule not in {"unknown-field", "wrong-type"}]
    if rest:
        name = data["metadata"].get("name", "")
        causes = [{"field": f.path, "message": _words(f.rule, f.found)} for f in rest]
        text = ", ".join(f"{c['field']}: {c['message']}" for c in causes)
        full = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
        raise Refused(422, "Invalid", f'{full} "{name}" is invalid: {text}', name=name, kind=kind.kind, causes=causes)


def _words(rule: str, found: str) -> str:
    match rule:
        case "missing-field" | "image" if not found:
            return "Required value"
        case "selector":
            return f'Invalid value: "{found}": `selector` does not match template `labels`'
        case "duplicate":
            return f'Duplicate value: "{found}"'
        case "restart-policy" | "pull-policy" | "service-type" | "protocol" | "concurrency-policy":
            return f'Unsupported value: "{found}"'
    return f'Invalid value: "{found}"'


def complete(kind: Kind, data: dict[str, Any]) -> None:
    """Fill in defaults, as the API server does."""
    spec = mapping(data.get("spec"))
    if kind.kind == "Namespace":
        data["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = data["metadata"]["name"]
        data.setdefault("status", {"phase": "Active"})
    elif kind.kind == "Service":
        spec.setdefault("type", "ClusterIP")
        spec.setdefault("clusterIP", f"10.96.{random.randrange(1, 250)}.{random.randrange(1, 250)}")
        spec.setdefault("sessionAffinity", "None")
        for port in entries(spec.get("ports")):
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port["port"])
    elif kind.kind == "Secret":
        for key, value in mapping(data.pop("stringData", None)).items():
            data.setdefault("data", {})[key] = base64.b64encode(str(value).encode()).decode()
        data.setdefault("type", "Opaque")
    elif kind is DEPLOYMENT:
        spec.setdefault("replicas", 1)
        strategy = spec.setdefault("strategy", {})
        if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxSurge", "25%")
            rolling.setdefault("maxUnavailable", "25%")
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("progressDeadlineSeconds", 600)
    pods = spec if kind is POD else mapping(at(spec, "template", "spec"))
    for container in entries(pods.get("containers")):
        for port in entries(container.get("ports")):
            port.setdefault("protocol", "TCP")
        container.setdefault("resources", {})
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if isinstance(container.get(probe), dict):
                for field, value in (
                    ("timeoutSeconds", 1),
                    ("periodSeconds", 10),
                    ("successThreshold", 1),
                    ("failureThreshold", 3),
                ):
                    container[probe].setdefault(field, value)
    if pods.get("containers"):
        pods.setdefault("restartPolicy", "Always")
        pods.setdefault("terminationGracePeriodSeconds", 30)


def chosen(data: dict[str, Any], query: dict[str, str]) -> bool:
    """Whether an object is one of those that a list asks for, by label and by field."""
    labels = mapping(data["metadata"].get("labels"))
    return all(_has_label(part.strip(), labels) for part in _split(query.get("labelSelector", ""))) and all(
        _has_field(part.strip(), data) for part in query.get("fieldSelector", "").split(",") if part
    )


def _split(selector: str) -> list[str]:
    return [part for part in re.split(r",(?![^(]*\))", selector) if part]


def _has_label(part: str, labels: dict[str, Any]) -> bool:
    if match := re.fullmatch(r"(\S+)\s+(in|notin)\s+\(([^)]*)\)", part):
        values = {value.strip() for value in match[3].split(",")}
        return (labels.get(match[1]) in values) == (match[2] == "in")
    if "!=" in part:
        key, _, value = part.partition("!=")
        return bool(labels.get(key) != value)
    if "=" in part:
        key, _, value = part.replace("==", "=").partition("=")
        return bool(labels.get(key) == value)
    return part[1:] not in labels if part.startswith("!") else part in labels


def _has_field(part: str, data: dict[str, Any]) -> bool:
    key, _, value = part.replace("==", "=").partition("!=" if "!=" in part else "=")
    return (str(at(data, *key.split(".")) or "") == value) == ("!=" not in part)


def _resource(kind: Kind) -> str:
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(entry) for key, entry in value.items() if entry is not None}
    return [_without_nulls(entry) for entry in value] if isinstance(value, list) else value


# --- HTTP ------------------------------------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    api: Api

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def _handle(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        query = {name: values[0] for name, values in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        body = self._read()
        try:
            self._route(urllib.parse.unquote(url.path.rstrip("/")), query, body)
        except Refused as refused:
            self._json(refused.code, refused.body)
        except ConnectionError:
            self.close_connection = True
        except Exception as error:  # a fault of the emulator shows itself in the test, not in a hanging client
            import traceback

            traceback.print_exc()
            self._json(500, Refused(500, "InternalError", f"{type(error).__name__}: {error}").body)

    def _read(self) -> bytes:
        if "chunked" not in (self.headers.get("transfer-encoding") or ""):
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def _json(self, code: int, data: Any) -> None:
        self._send(code, data if isinstance(data, bytes) else json.dumps(data).encode(), "application/json")

    def _send(self, code: int, raw: bytes, type: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", type)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _route(self, path: str, query: dict[str, str], body: bytes) -> None:
        if self.command == "GET" and (answer := documents(path)) is not None:
            return self._json(200, answer)
        match = _PATH.fullmatch(path)
        kind = (
            BY_PLURAL.get((match["group"] or "", match["core"] or match["version"], match["plural"])) if match else None
        )
        if match is None or kind is None:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        namespace, name, sub = match["namespace"] or "", match["name"] or "", match["sub"] or ""
        self._authorize(kind, namespace, name, sub)
        if sub == "proxy":
            return self._proxy(kind, namespace, name, match["rest"] or "/", body)
        if self.command == "GET" and not name and query.get("watch") in {"true", "1"}:
            return self._watch(kind, namespace, query)
        with self.api.store.lock:
            code, answer = self._answer(kind, namespace, name, sub, query, body)
        return self._json(code, answer)

    def _authorize(self, kind: Kind, namespace: str, name: str, sub: str) -> None:
        who = self.headers.get("Impersonate-User") or ""
        if kind.kind == "SelfSubjectAccessReview" or not who:
            return
        verbs = {
            "GET": "get" if name else "list",
            "POST": "create",
            "PUT": "update",
            "PATCH": "patch",
            "DELETE": "delete",
        }
        verb = verbs[self.command]
        resource = f"{kind.plural}/{sub}" if sub else kind.plural
        if not self.api.allowed(who, Ask(verb, resource, kind.group, namespace, name)):
            where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
            text = f'{_resource(kind)}{f" {chr(34)}{name}{chr(34)}" if name else ""} is forbidden: User "{who}" cannot {verb} resource "{resource}" in API group "{kind.group}"{where}'
            raise Refused(403, "Forbidden", text, name=name, kind=kind.plural)

    def _answer(
        self, kind: Kind, namespace: str, name: str, sub: str, query: dict[str, str], body: bytes
    ) -> tuple[int, Any]:
        api, verb = self.api, self.command
        as_table = "as=Table" in (self.headers.get("accept") or "")
        if verb == "GET":
            if sub == "scale":
                return 200, api.scale(kind, namespace, name, None)
            if sub == "log":
                return 200, b"INFO:     Application startup complete.\n"
            found = [api.read(kind, namespace, name)] if name else api.list(kind, namespace, query)
            if as_table:
                return 200, table(kind, found, str(api.store.version))
            return 200, found[0] if name else _list(kind, found, api.store.version)
        if verb == "DELETE":
            if name:
                return 200, api.delete(kind, namespace, name, _options(query, body))
            for data in api.list(kind, namespace, query):
                api.delete(kind, namespace, data["metadata"]["name"], {})
            return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        data = self._body(body)
        if sub == "eviction":
            return 201, api.evict(namespace, name)
        if sub == "scale":
            return 200, api.scale(kind, namespace, name, int(at(data, "spec", "replicas")))
        if verb == "PATCH":
            return 200, api.patch(kind, namespace, name, data, self.headers.get("content-type") or "", query)
        if verb == "PUT":
            return 200, api.replace(kind, namespace, name, data, query)
        if kind.kind == "SelfSubjectAccessReview":
            return 201, api.review(data, self.headers.get("Impersonate-User") or "administrator")
        return 201, api.create(kind, namespace, data, query)

    def _body(self, body: bytes) -> Any:
        type = self.headers.get("content-type") or ""
        if "protobuf" in type:
            return from_protobuf(body)
        return yaml.safe_load(body) if "yaml" in type else json.loads(body)

    def _proxy(self, kind: Kind, namespace: str, name: str, rest: str, body: bytes) -> None:
        parts = name.split(":")
        service, port = (parts[1], parts[2]) if len(parts) == 3 else (parts[0], parts[1] if len(parts) > 1 else "")
        code, text = self.api.world.call(namespace, service, port, self.command, rest, body)
        if code == 503:
            self._json(503, Refused(503, "ServiceUnavailable", text).body)
        else:
            self._send(code, text.encode(), "application/json")

    def _watch(self, kind: Kind, namespace: str, query: dict[str, str]) -> None:
        as_table = "as=Table" in (self.headers.get("accept") or "")
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        store = self.api.store
        seen = int(query.get("resourceVersion") or 0)
        end = time.monotonic() + min(float(query.get("timeoutSeconds") or 60), 60)

        def send(type: str, data: dict[str, Any]) -> None:
            shown = table(kind, [data], str(store.version)) if as_table else data
            line = json.dumps({"type": type, "object": shown}).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()

        if not seen:
            with store.lock:
                first, seen = self.api.list(kind, namespace, query), store.version
            for data in first:
                send("ADDED", data)
        while time.monotonic() < end:
            with store.changed:
                new = [
                    change
                    for change in store.changes
                    if change.version > seen
                    and change.key.kind is kind
                    and (not namespace or change.key.namespace == namespace)
                    and chosen(change.data, query)
                ]
                if not new:
                    store.changed.wait(0.2)
            for change in new:
                send(change.type, change.data)
                seen = change.version
        self.wfile.write(b"0\r\n\r\n")


class Server(http.server.ThreadingHTTPServer):
    """A thread for each connection; a client that hangs up is no fault."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _options(query: dict[str, str], body: bytes) -> dict[str, str]:
    """The options of a delete, which kubectl sends in the body."""
    try:
        said = json.loads(body) if body else {}
    except ValueError:
        return query
    grace = said.get("gracePeriodSeconds")
    return {**query, **({"gracePeriodSeconds": str(grace)} if grace is not None else {})}


def _list(kind: Kind, found: list[dict[str, Any]], version: int) -> dict[str, Any]:
    return {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": {"resourceVersion": str(version)},
        "items": found,
    }


# --- discovery -------------------------------------------------------------------------------------------------------


def documents(path: str) -> Any:
    """What kubectl asks a server about itself; None for any other path."""
    groups = sorted({(kind.group, kind.version) for kind in KINDS})
    if path == "/version":
        minor = VERSION.partition(".")[2]
        return {"major": "1", "minor": minor, "gitVersion": f"v{VERSION}.0+emulated", "platform": "emulated/none"}
    if path in {"/healthz", "/readyz", "/livez"}:
        return b"ok"
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups()}
    if path == "/openapi/v3":
        where = {
            kind.root.strip("/"): {"serverRelativeURL": f"/openapi/v3{kind.root}?hash={VERSION}"} for kind in KINDS
        }
        return {"paths": where}
    for group, version in groups:
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        if path == root:
            kinds = [kind for kind in KINDS if (kind.group, kind.version) == (group, version)]
            return {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": f"{group}/{version}".lstrip("/"),
                "resources": [entry for kind in kinds for entry in kind.discovery()],
            }
        if path == f"/openapi/v3{root}":
            return openapi(group, version)
    return None


def _groups() -> list[dict[str, Any]]:
    found: dict[str, list[str]] = {}
    for kind in KINDS:
        if kind.group and kind.version not in found.setdefault(kind.group, []):
            found[kind.group].append(kind.version)
    groups = []
    for name, versions in found.items():
        entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
        groups.append({"name": name, "versions": entries, "preferredVersion": entries[0]})
    return groups


@cache
def openapi(group: str, version: str) -> bytes:
    """The OpenAPI document of a group: kubectl reads from it what a patch may look like, and explains fields."""
    known = schemas(VERSION)
    assert known is not None
    definitions: dict[str, Any] = dict(known._definitions)
    paths: dict[str, Any] = {}
    wanted: list[str] = []
    for kind in KINDS:
        if (kind.group, kind.version) != (group, version):
            continue
        names = {"group": group, "version": version, "kind": kind.kind}
        wanted += [n for n, d in definitions.items() if names in d.get("x-kubernetes-group-version-kind", ())]
        flags = ("fieldValidation", "dryRun", "fieldManager")
        operation = {
            "x-kubernetes-group-version-kind": names,
            "parameters": [{"name": flag, "in": "query", "schema": {"type": "string"}} for flag in flags],
            "responses": {},
        }
        place = kind.root + ("/namespaces/{namespace}" if kind.namespaced else "") + f"/{kind.plural}"
        paths[place] = {"post": operation, "get": operation}
        paths[f"{place}/{{name}}"] = dict.fromkeys(("get", "put", "patch", "delete"), operation)
    found: dict[str, Any] = {}
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = _as_openapi(definitions[name])
            wanted += re.findall(r"#/components/schemas/([\w.-]+)", json.dumps(found[name]))
    document = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": f"v{VERSION}.0+emulated"},
        "paths": paths,
        "components": {"schemas": found},
    }
    return json.dumps(document).encode()


def _as_openapi(value: Any) -> Any:
    """A schema of kubernetes-validate, where every type may be null, as OpenAPI has it."""
    if isinstance(value, dict):
        return {
            key: entry[0] if key == "type" and isinstance(entry, list) else _as_openapi(entry)
            for key, entry in value.items()
        }
    if isinstance(value, list):
        return [_as_openapi(entry) for entry in value]
    return value.replace("#/$defs/", "#/components/schemas/") if isinstance(value, str) else value


# --- protobuf --------------------------------------------------------------------------------------------------------

_REVIEW_FIELDS = {1: "namespace", 2: "verb", 3: "group", 4: "version", 5: "resource", 6: "subresource", 7: "name"}


def from_protobuf(body: bytes) -> dict[str, Any]:
    """The two kinds of object that newer kubectls send in protobuf and tests send at all: reviews and Namespaces."""
    envelope = dict(_fields(body[4:]))
    type_meta = dict(_fields(envelope[1]))
    kind, raw = type_meta.get(2, b"").decode(), dict(_fields(envelope[2]))
    if kind == "Namespace":
        return {"metadata": {"name": dict(_fields(raw[1]))[1].decode()}}
    if kind == "SelfSubjectAccessReview":
        asked = dict(_fields(dict(_fields(raw[2])).get(1, b"")))
        attributes = {name: asked[n].decode() for n, name in _REVIEW_FIELDS.items() if n in asked}
        return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": {"resourceAttributes": attributes}}
    raise Refused(415, "UnsupportedMediaType", f"the emulated API does not read {kind} as protobuf; send JSON")


def _fields(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a protobuf message: number and bytes. Numbers themselves are passed over."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = raw[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(raw):
        tag = varint()
        if tag & 7 == 2:
            size = varint()
            yield tag >> 3, raw[place : place + size]
            place += size
        elif tag & 7 == 0:
            varint()
        else:
            place += 8 if tag & 7 == 1 else 4


# --- running ---------------------------------------------------------------------------------------------------------


def known_images() -> set[str]:
    """The images that the emulated node has: the story's service in every industry."""
    catalog = catalog_at(None)
    industries = ("tech", "finance", "automotive", "healthcare", "manufacturing")
    return {words(catalog.story(industry)["delivery-time"], "en") for industry in industries}


@contextmanager
def serving(kubeconfig: Path, *, port: int = 0, speed: float = 20, images: set[str] | None = None) -> Iterator[World]:
    """The emulated API on the loopback address as long as the block lasts, and a kubeconfig that leads to it."""
    world = World(Store(), images or known_images(), speed)
    handler = type("Handler", (Handler,), {"api": Api(world)})
    server = Server(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": {"server": address}}],
        "users": [{"name": CONTEXT, "user": {}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
        "current-context": "",
    }
    kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")
    world.start()
    thread.start()
    try:
        yield world
    finally:
        world.stop()
        server.shutdown()
        server.server_close()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="where to write the way to it")
    parser.add_argument("--port", type=int, default=0, help="default: any that is free")
    parser.add_argument("--speed", type=float, default=20, help="how many times as fast as a cluster")
    options = parser.parse_args(argv)
    with serving(options.kubeconfig, port=options.port, speed=options.speed):
        sys.stdout.write(
            f"ready: export KUBECONFIG={options.kubeconfig} CURRICULUM_KUBE_CONTEXT={CONTEXT} CURRICULUM_ALLOW_EMULATED=1\n"
        )
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
