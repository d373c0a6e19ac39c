"""Patches: a JSON merge patch, the strategic one that joins lists by their keys, and RFC 6902."""

from __future__ import annotations

import copy
from typing import Any

from curriculum.labs.manifests.model import entries

#: Lists that a strategic merge joins by a key, wherever they stand.
_MERGE_KEYS = {
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "secrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}


def merged(old: Any, patch: Any, *, strategic: bool, field: str = "") -> Any:
    """Data with a merge patch on it; a null takes a field away."""
    if isinstance(old, list) and isinstance(patch, list) and strategic and (key := _key_of(field, patch)):
        return _merged_list(old, patch, key)
    if not isinstance(old, dict) or not isinstance(patch, dict) or patch.get("$patch") == "replace":
        return _without_directives(patch)
    new = dict(old)
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            new[name] = [entry for entry in new.get(name, []) if entry not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            new.pop(key, None)
        else:
            new[key] = merged(new.get(key), value, strategic=strategic, field=key)
    return new


def _key_of(field: str, patch: list[Any]) -> str | None:
    if field == "ports":
        return "containerPort" if any("containerPort" in entry for entry in entries(patch)) else "port"
    return _MERGE_KEYS.get(field)


def _merged_list(old: list[Any], patch: list[Any], key: str) -> list[Any]:
    new = [dict(entry) for entry in entries(old)]
    for entry in entries(patch):
        place = next((n for n, other in enumerate(new) if other.get(key) == entry.get(key)), None)
        if entry.get("$patch") == "delete":
            if place is not None:
                new.pop(place)
        elif place is None:
            new.append(_without_directives(entry))
        else:
            new[place] = merged(new[place], entry, strategic=True)
    return new


def _without_directives(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_directives(v) for k, v in value.items() if not str(k).startswith("$") and v is not None}
    if isinstance(value, list):
        return [_without_directives(entry) for entry in value]
    return value


def json_patched(data: Any, patch: list[Any]) -> Any:
    """Data with an RFC 6902 patch on it. Raises LookupError, TypeError or ValueError where a step does not fit."""
    data = copy.deepcopy(data)
    for step in entries(patch):
        *path, last = [part.replace("~1", "/").replace("~0", "~") for part in str(step["path"]).split("/")[1:]]
        place: Any = data
        for part in path:
            place = place[int(part)] if isinstance(place, list) else place[part]
        _change(place, last, str(step.get("op")), step.get("value"))
    return data


def _change(place: Any, last: str, operation: str, value: Any) -> None:
    if operation not in {"add", "replace", "remove"}:
        raise ValueError(operation)
    if isinstance(place, list):
        index = len(place) if last == "-" else int(last)
        if operation == "add":
            place.insert(index, value)
        elif operation == "remove":
            place.pop(index)
        else:
            place[index] = value
    elif operation == "remove":
        del place[last]
    elif operation == "replace" and last not in place:
        raise KeyError(last)
    else:
        place[last] = value
