"""A small kustomize: what a kustomization makes of the answer's files, for the fields that such answers need.

Fields beyond these are an error that says so. Generated ConfigMaps and Secrets keep their plain name: nothing here
depends on the hash.
"""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from curriculum.errors import AnswerError
from curriculum.labs.lab import parse_yaml
from curriculum.labs.manifests.merge import json_patched, merged
from curriculum.labs.manifests.model import CLUSTER_WIDE, TEMPLATES, Image, Manifest, at, entries, mapping, texts

if TYPE_CHECKING:
    from curriculum.labs.lab import Lab

_KNOWN = frozenset(
    {
        "apiVersion",
        "kind",
        "metadata",
        "resources",
        "namespace",
        "commonLabels",
        "labels",
        "commonAnnotations",
        "images",
        "replicas",
        "configMapGenerator",
        "secretGenerator",
        "generatorOptions",
        "sortOptions",
        "bases",
        "patches",
        "patchesStrategicMerge",
        "patchesJson6902",
    }
)
_PATTERN = re.compile(r"\^?[\w-]*(?:(?:\.\*?|\|)[\w-]*)*\$?")
#: Where a selector lies that `commonLabels` also fills, by kind.
_SELECTORS = {
    "Service": ("spec", "selector"),
    "ReplicationController": ("spec", "selector"),
    "Deployment": ("spec", "selector", "matchLabels"),
    "ReplicaSet": ("spec", "selector", "matchLabels"),
    "StatefulSet": ("spec", "selector", "matchLabels"),
    "DaemonSet": ("spec", "selector", "matchLabels"),
}


def built(lab: Lab, folder: PurePosixPath, file: str, depth: int = 0) -> list[Manifest]:
    """The objects that the kustomization `file` in `folder` makes. Raises AnswerError."""
    name = (folder / file).as_posix()
    documents = lab.yaml(name)
    kustomization = documents[0] if len(documents) == 1 and isinstance(documents[0], dict) else {}
    strange = sorted(set(map(str, kustomization)) - _KNOWN)
    if strange or depth > 5:
        raise AnswerError("answer-kustomize", file=name, field=strange[0] if strange else "resources")
    found: list[Manifest] = []
    for resource in (*texts(kustomization.get("resources")), *texts(kustomization.get("bases"))):
        found += _resource(lab, folder, resource, name, depth)
    found += _generated(lab, folder, kustomization)
    made = [Manifest(copy.deepcopy(dict(manifest.data)), manifest.file) for manifest in found]
    for patch, target in _patches(lab, folder, kustomization, name):
        made = _patched(made, patch, target, name)
    for manifest in made:
        _transform(manifest, kustomization)
    return made


def _resource(lab: Lab, folder: PurePosixPath, resource: str, name: str, depth: int) -> list[Manifest]:
    from curriculum.labs.manifests.loading import _KUSTOMIZATIONS, read

    if "://" in resource or resource.startswith("/"):
        raise AnswerError("answer-kustomize", file=name, field="resources")
    place = _joined(folder, resource)
    if lab.exists(place.as_posix()):
        return read(lab, place.as_posix())
    for file in _KUSTOMIZATIONS:
        if lab.exists((place / file).as_posix()):
            return built(lab, place, file, depth + 1)
    raise AnswerError("answer-missing", file=place.as_posix())


def _joined(folder: PurePosixPath, path: str) -> PurePosixPath:
    parts: list[str] = list(folder.parts)
    if len(path) > 200 or "\0" in path:
        raise AnswerError("answer-outside", file=path[:60])
    for part in PurePosixPath(path).parts:
        if part == "..":
            if not parts:
                raise AnswerError("answer-outside", file=path)
            parts.pop()
        elif part != ".":
            parts.append(part)
    return PurePosixPath(*parts)


def _patches(
    lab: Lab, folder: PurePosixPath, kustomization: Mapping[str, Any], name: str
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Every patch as data, and what it names as its target; a strategic patch may name that itself."""
    for field in ("patches", "patchesJson6902"):
        for entry in entries(kustomization.get(field)):
            place = entry.get("path")
            text = lab.text(_joined(folder, str(place)).as_posix()) if place else str(entry.get("patch") or "")
            for patch in parse_yaml(text, str(place or name)):
                yield patch, mapping(entry.get("target"))
    for text in texts(kustomization.get("patchesStrategicMerge")):
        place = _joined(folder, text).as_posix() if "\n" not in text else ""
        for patch in parse_yaml(lab.text(place) if place else text, place or name):
            yield patch, {}


def _patched(made: list[Manifest], patch: Any, target: Mapping[str, Any], name: str) -> list[Manifest]:
    """The objects with a patch on those that it is meant for. Raises AnswerError where it is meant for none."""
    aim = Manifest(patch if isinstance(patch, dict) else {})
    found, changed = [], False
    for manifest in made:
        if not (_is_target(manifest, target) if target else (manifest.kind, manifest.name) == (aim.kind, aim.name)):
            found.append(manifest)
            continue
        changed = True
        if isinstance(patch, dict) and patch.get("$patch") == "delete":
            continue
        try:
            data = json_patched(manifest.data, patch) if isinstance(patch, list) else _merged(manifest, patch)
        except (LookupError, TypeError, ValueError):
            raise AnswerError("answer-kustomize-patch", file=name, target=manifest.title) from None
        found.append(Manifest(data, manifest.file))
    if not changed:
        wanted = f"{target.get('kind') or aim.kind or '?'}/{target.get('name') or aim.name or '?'}"
        raise AnswerError("answer-kustomize-patch", file=name, target=wanted)
    return found


def _merged(manifest: Manifest, patch: Any) -> Any:
    if not isinstance(patch, dict):
        raise TypeError
    # With a target, the names in the patch itself do not count.
    kept = {"apiVersion": manifest.data.get("apiVersion"), "kind": manifest.kind}
    data = merged(dict(manifest.data), {**patch, **kept}, strategic=True)
    data["metadata"] = {**mapping(data.get("metadata")), "name": manifest.name}
    return data


def _is_target(manifest: Manifest, target: Mapping[str, Any]) -> bool:
    def fits(wanted: object, value: str) -> bool:
        pattern = str(wanted or "")
        # A pattern as people write it; one that could take for ever is only compared.
        plain = _PATTERN.fullmatch(pattern) is None or pattern.count("*") > 2
        return not pattern or value == pattern or (not plain and re.fullmatch(pattern, value) is not None)

    return (
        all(
            fits(target.get(field), value)
            for field, value in (
                ("kind", manifest.kind),
                ("name", manifest.name),
                ("group", manifest.group),
                ("version", manifest.version),
                ("namespace", manifest.namespace),
            )
        )
        and _has(str(target.get("labelSelector") or ""), manifest.labels)
        and _has(str(target.get("annotationSelector") or ""), manifest.annotations)
    )


def _has(selector: str, labels: Mapping[str, str]) -> bool:
    pairs = [part.replace("==", "=").partition("=") for part in selector.split(",") if part.strip()]
    return all(labels.get(key.strip()) == value.strip() for key, _, value in pairs)


def _generated(lab: Lab, folder: PurePosixPath, kustomization: Mapping[str, Any]) -> Iterator[Manifest]:
    for field, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
        for entry in entries(kustomization.get(field)):
            data = dict(_generated_data(lab, folder, entry))
            metadata: dict[str, Any] = {"name": str(entry.get("name") or "")}
            if entry.get("namespace"):
                metadata["namespace"] = str(entry["namespace"])
            body: dict[str, Any] = {"apiVersion": "v1", "kind": kind, "metadata": metadata}
            if kind == "Secret":
                body["type"] = str(entry.get("type") or "Opaque")
                data = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
            yield Manifest({**body, "data": data})


def _generated_data(lab: Lab, folder: PurePosixPath, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for literal in texts(entry.get("literals")):
        key, _, value = literal.partition("=")
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        yield key, value
    for file in texts(entry.get("files")):
        key, equals, path = file.partition("=")
        place = _joined(folder, path if equals else key)
        yield key if equals else place.name, lab.text(place.as_posix())
    for file in [*texts(entry.get("envs")), *([str(entry["env"])] if entry.get("env") else [])]:
        for line in lab.text(_joined(folder, file).as_posix()).splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                key, _, value = line.partition("=")
                yield key.strip(), value


def _transform(manifest: Manifest, kustomization: Mapping[str, Any]) -> None:
    data = manifest.data
    assert isinstance(data, dict)
    metadata = data.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        return
    namespace = kustomization.get("namespace")
    if namespace and manifest.kind not in CLUSTER_WIDE:
        metadata["namespace"] = str(namespace)
    if namespace:
        for subject in entries(data.get("subjects")):
            if subject.get("kind") == "ServiceAccount" and manifest.kind.endswith("Binding"):
                subject["namespace"] = str(namespace)
    if namespace and manifest.kind == "Namespace" and len(texts(kustomization.get("resources"))) >= 1:
        # kustomize gives the Namespace object that it finds the name too.
        metadata["name"] = str(namespace)
    template = at(data, *TEMPLATES[manifest.kind]) if TEMPLATES.get(manifest.kind) else None
    common = mapping(kustomization.get("commonLabels"))
    _merge(metadata, "labels", common)
    if common:
        _into_template(template, common)
        _into_selector(data, manifest.kind, common)
    for entry in entries(kustomization.get("labels")):
        pairs = mapping(entry.get("pairs"))
        _merge(metadata, "labels", pairs)
        selectors = entry.get("includeSelectors") is True
        if selectors or entry.get("includeTemplates") is True:
            _into_template(template, pairs)
        if selectors:
            _into_selector(data, manifest.kind, pairs)
    annotations = mapping(kustomization.get("commonAnnotations"))
    _merge(metadata, "annotations", annotations)
    _into_template(template, annotations, "annotations")
    for entry in entries(kustomization.get("replicas")):
        scaled = manifest.kind in _SELECTORS and manifest.kind not in {"Service", "DaemonSet"}
        if scaled and entry.get("name") == manifest.name and isinstance(data.get("spec"), dict):
            data["spec"]["replicas"] = entry.get("count")
    for entry in entries(kustomization.get("images")):
        _reimage(manifest, entry)


def _merge(target: dict[str, Any], field: str, pairs: Mapping[str, Any]) -> None:
    if pairs:
        target[field] = {**mapping(target.get(field)), **{str(k): str(v) for k, v in pairs.items()}}


def _into_template(template: Any, pairs: Mapping[str, Any], field: str = "labels") -> None:
    if isinstance(template, dict) and pairs:
        metadata = template.setdefault("metadata", {})
        if isinstance(metadata, dict):
            _merge(metadata, field, pairs)


def _into_selector(data: dict[str, Any], kind: str, pairs: Mapping[str, Any]) -> None:
    path = _SELECTORS.get(kind)
    if path is None or not isinstance(data.get("spec"), dict):
        return
    place: dict[str, Any] = data
    for step in path[:-1]:
        child = place.setdefault(step, {})
        if not isinstance(child, dict):
            return
        place = child
    _merge(place, path[-1], pairs)


def _reimage(manifest: Manifest, entry: Mapping[str, Any]) -> None:
    pods = manifest.pods
    if pods is None:
        return
    for field in ("containers", "initContainers"):
        for container in entries(pods.spec.get(field)):
            if isinstance(container.get("image"), str):
                container["image"] = _renamed(container["image"], entry)


def _renamed(text: str, entry: Mapping[str, Any]) -> str:
    image = Image.of(text)
    name = f"{image.registry}/{image.repository}" if image.registry else image.repository
    if name != entry.get("name"):
        return text
    name = str(entry.get("newName") or name)
    if entry.get("digest"):
        return f"{name}@{entry['digest']}"
    tag = str(entry.get("newTag") or image.tag)
    return f"{name}:{tag}" if tag else name
