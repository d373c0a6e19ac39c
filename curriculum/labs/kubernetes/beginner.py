"""The judges of the beginner's exercises: the first Deployment, labels, settings."""

from __future__ import annotations

import base64
import json
import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from curriculum.labs import judge
from curriculum.labs.kubernetes.shared import (
    accepted,
    all_met,
    answers,
    from_json,
    image_fault,
    main_container,
    reaches_port,
    service_for,
    workload,
)
from curriculum.labs.lab import Lab
from curriculum.labs.manifests import Container, Manifest, Manifests, load
from curriculum.labs.manifests.model import contents, entries
from curriculum.labs.manifests.refusal import selects_own
from curriculum.labs.manifests.values import written
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.kubernetes import Cluster


@judge("kubernetes-first-deployment")
def first_deployment(lab: Lab) -> Iterator[Finding]:
    manifests, name = load(lab), lab.value("delivery-time")
    findings = [*_first_deployment_files(lab, manifests, name)]
    yield from findings
    deployment = manifests.one("Deployment", name)
    if deployment and all_met(findings) and (cluster := lab.backend("kubernetes")):
        yield answers(lab, cluster, manifests, [deployment], name)


def _first_deployment_files(lab: Lab, manifests: Manifests, name: str) -> Iterator[Finding]:
    yield accepted(lab, manifests, without={"selector"})
    copies = int(lab.number("replicas"))
    deployment, service = workload(manifests, "Deployment", name), manifests.one("Service", name)
    named = deployment is not None and deployment.name == name
    asked = deployment.replicas if deployment else ""
    yield lab.found(
        "copies",
        named and asked == copies,
        found=asked if named or not deployment else deployment.title,
        expected=copies,
        fault="other-name" if not named else "",
    )
    if deployment is None or deployment.pods is None:
        return
    pods, container = deployment.pods, main_container(lab, deployment)
    yield lab.found("own-pods", selects_own(deployment), found=written(pods.labels), expected=deployment.selector)
    fault = image_fault(container, name)
    yield lab.found("pinned-image", not fault, found=container.image.text if container else "", fault=fault)
    if pods.labels:
        chosen = service is not None and deployment in manifests.chosen_by(service)
        yield lab.found(
            "finds-pods",
            chosen,
            found=service.selector if service else "",
            expected=", ".join(f"{key}={value}" for key, value in pods.labels.items()),
            fault="no-service" if service is None else "no-selector" if service.selector.missing else "other-label",
        )
    if service is not None and container is not None:
        yield reaches_port(lab, service, container, int(lab.number("port")))


@judge("kubernetes-service-and-labels")
def service_and_labels(lab: Lab) -> Iterator[Finding]:
    manifests, name = load(lab), lab.value("delivery-time")
    findings = [*_labels_files(lab, manifests, name)]
    yield from findings
    deployments = [manifests.one("Deployment", name), manifests.one("Deployment", f"{name}-replay")]
    known = [deployment for deployment in deployments if deployment]
    if len(known) == 2 and all_met(findings) and (cluster := lab.backend("kubernetes")):
        yield answers(lab, cluster, manifests, known, name, calls=30)


def _labels_files(lab: Lab, manifests: Manifests, name: str) -> Iterator[Finding]:
    yield accepted(lab, manifests, without={"selector"})
    serving, replay = manifests.one("Deployment", name), manifests.one("Deployment", f"{name}-replay")
    if serving is None or replay is None or serving.pods is None or replay.pods is None:
        return
    pods = {"serving": serving.pods, "replay": replay.pods}
    bare = [owner.owner.title for owner in pods.values() if owner.labels.get("app") != name]
    yield lab.found("kept", not bare, found=", ".join(bare), expected=f"app={name}")
    strangers = [owner.title for owner in (serving, replay) if not selects_own(owner)]
    overlapping = serving.selector.fits(replay.pods.labels) or replay.selector.fits(serving.pods.labels)
    yield lab.found(
        "own-pods",
        not strangers and not overlapping,
        found=f"{serving.selector} | {replay.selector}",
        fault="not-own" if strangers else "others-too",
    )
    service = manifests.one("Service", name)
    chosen = manifests.chosen_by(service) if service else []
    yield lab.found(
        "serving-only",
        chosen == [serving],
        found=service.selector if service else "",
        fault="no-service" if service is None else "others-too" if serving in chosen else "nobody",
    )
    container = main_container(lab, serving)
    if service is not None and container is not None:
        yield reaches_port(lab, service, container, int(lab.number("port")))
    yield _all_found(lab, manifests, [serving, replay], f"{name}-all")


def _all_found(lab: Lab, manifests: Manifests, owners: list[Manifest], name: str) -> Finding:
    """The criterion `all-found`: one Service finds the Pods of every owner, each on the port on which it listens."""
    service = manifests.one("Service", name)
    if service is None:
        return lab.found("all-found", False, fault="no-service")
    chosen = manifests.chosen_by(service)
    listens = {owners[0].name: int(lab.number("port")), owners[1].name: int(lab.number("replay-port"))}
    reached = []
    for entry in entries(service.at("spec", "ports")):
        named = entry.get("targetPort") if entry.get("targetPort") is not None else entry.get("port")
        reached.append(all(_number(owner, named) == listens[owner.name] for owner in owners))
    everybody = all(owner in chosen for owner in owners)
    return lab.found(
        "all-found",
        everybody and any(reached),
        found=f"{service.selector}; targetPort {[e.get('targetPort') for e in entries(service.at('spec', 'ports'))]}",
        fault="one-number" if everybody else "not-all",
    )


def _number(owner: Manifest, port: object) -> int | None:
    pods = owner.pods
    return pods.containers[0].number_of(port) if pods and pods.containers else None


@judge("kubernetes-config-and-secret")
def config_and_secret(lab: Lab) -> Iterator[Finding]:
    manifests, name = load(lab), lab.value("delivery-time")
    findings = [*_config_files(lab, manifests, name)]
    yield from findings
    deployment = workload(manifests, "Deployment", name)
    if deployment and all_met(findings) and (cluster := lab.backend("kubernetes")):
        yield _new_model_answers(lab, cluster, manifests, deployment)


def _config_files(lab: Lab, manifests: Manifests, name: str) -> Iterator[Finding]:
    yield accepted(lab, manifests, own={"base64", "volume"})
    yield _model_in_config(lab, manifests)
    deployment = workload(manifests, "Deployment", name)
    container = main_container(lab, deployment) if deployment else None
    if container is None:
        return
    yield _model_mounted(lab, container, manifests)
    hidden = [path for path in _mounted_folders(container) if path in _NEEDED]
    if container.data.get("volumeMounts"):
        yield lab.found("nothing-hidden", not hidden, found=", ".join(hidden))
    yield _token_from_secret(lab, container, manifests)
    token = lab.value("token")
    encoded = base64.b64encode(token.encode()).decode()
    places = [place for m in manifests for place, text in _texts(m.data) if token in text or encoded in text]
    clear = [place for place in places if not place.startswith(("Secret", "env"))]
    yield lab.found("not-in-clear", not clear, found=", ".join(clear))


def _model_in_config(lab: Lab, manifests: Manifests) -> Finding:
    texts = [
        text for config in manifests.of("ConfigMap") for text in contents(manifests, "ConfigMap", config.name).values()
    ]
    models = [model for model in map(from_json, texts) if isinstance(model, dict)]
    return lab.found(
        "model-in-config",
        lab.json("k8s-model-2.json") in models,
        found=json.dumps(models[0]) if models else "",
        fault="other-model" if models else "not-json" if texts else "no-config",
    )


def _model_mounted(lab: Lab, container: Container, manifests: Manifests) -> Finding:
    path = container.environment(manifests).get("MODEL_PATH")
    files = {file: value for file, value in container.files(manifests).items() if value.source == "ConfigMap"}
    there = {posixpath.normpath(file) for file, value in files.items() if value.value is not None}
    # A relative path starts in the image's working folder.
    wanted = posixpath.normpath(posixpath.join("/app", path.value)) if path and path.value else ""
    fault = "no-path" if not wanted else "other-path" if there else "no-volume"
    return lab.found("model-mounted", wanted in there, found=wanted, expected=", ".join(sorted(there)[:3]), fault=fault)


#: Folders of the image without which the service cannot run.
_NEEDED = frozenset(
    {
        "/",
        "/app",
        "/bin",
        "/etc",
        "/lib",
        "/lib64",
        "/sbin",
        "/usr",
        "/usr/bin",
        "/usr/lib",
        "/usr/local",
        "/usr/local/bin",
        "/usr/local/lib",
    }
)


def _mounted_folders(container: Container) -> Iterator[str]:
    for path, mount, _ in container.mounts():
        if not mount.get("subPath") and not mount.get("subPathExpr"):
            yield posixpath.normpath(path)


def _token_from_secret(lab: Lab, container: Container, manifests: Manifests) -> Finding:
    token, given = lab.value("token"), container.environment(manifests).get("API_TOKEN")
    value = given.value if given else None
    if given is None or value is None:
        fault = "missing"
    elif given.source != "Secret":
        fault = "literal" if given.source == "literal" else "from-config"
    elif value == token:
        return lab.found("token-from-secret", True)
    elif value.strip() == token:
        fault = "newline"
    else:
        fault = "encoded-twice" if _decoded(value).strip() == token else "other-value"
    return lab.found("token-from-secret", False, found="" if value is None else repr(value), fault=fault)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""


def _texts(data: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text in an object and where it stands: `Secret` for those of a Secret, `env` for the variable API_TOKEN."""
    if isinstance(data, dict):
        if not place:
            place = "Secret" if data.get("kind") == "Secret" else Manifest(data).title
        if data.get("name") == "API_TOKEN":
            place = "env"
        for key, value in data.items():
            yield from _texts(value, place if place in {"Secret", "env"} else f"{place} {key}".strip()[:80])
    elif isinstance(data, list):
        for entry in data:
            yield from _texts(entry, place)
    elif isinstance(data, str):
        yield place, data


def _new_model_answers(lab: Lab, cluster: Cluster, manifests: Manifests, deployment: Manifest) -> Finding:
    service = service_for(deployment, int(lab.number("port")))
    with cluster.room() as room:
        if trouble := room.apply([*manifests, service]) or room.settle(deployment):
            return lab.found("new-model-answers", False, found=trouble, fault=trouble.fault, how=cluster.how)
        with room.door() as door:
            reply = door.wait(service.name, 80, "/healthz")
        body = reply.json()
        model = body.get("model") if isinstance(body, dict) else None
        return lab.found(
            "new-model-answers",
            reply.ok and model == "2",
            found=f"GET /healthz {reply.status or ''} {reply.text[:120]}",
            fault="old-model" if reply.ok else "no-answer",
            how=cluster.how,
        )
