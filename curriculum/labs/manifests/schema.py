"""The official schemas of Kubernetes, as the package kubernetes-validate ships them, and what breaks them.

Read here and not through that package: its import costs a second where jsonschema has its extras, and it reads 1.3 MB
anew for every object. The schemas use eight words of JSON Schema; tests compare the verdicts with the package's own.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = "kubernetes_validate"

_FOLDER = re.compile(r"v(\d+)\.(\d+)\.\d+-local-strict")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}


@dataclass(frozen=True)
class Breach:
    """Where an object breaks its schema. `rule` is `unknown-field`, `missing-field`, `wrong-type` or `unknown-kind`."""

    rule: str
    path: tuple[str | int, ...]
    found: str


class Schemas:
    """The schemas of one version of Kubernetes."""

    def __init__(self, version: str, definitions: Mapping[str, Any]) -> None:
        self.version = version
        self._definitions = definitions
        self._kinds: dict[tuple[str, str, str], Any] = {}
        for schema in definitions.values():
            for entry in schema.get("x-kubernetes-group-version-kind", ()):
                self._kinds[entry["group"], entry["version"], entry["kind"]] = schema

    def knows(self, group: str, version: str, kind: str) -> bool:
        return (group, version, kind) in self._kinds

    def kinds(self) -> list[tuple[str, str, str]]:
        """Every group, version and kind that there is."""
        return list(self._kinds)

    def breaches(self, data: Mapping[str, Any], group: str, version: str, kind: str) -> Iterator[Breach]:
        """Everything in an object that its schema does not allow."""
        if not self.knows(group, version, kind):
            yield Breach("unknown-kind", (), f"{data.get('apiVersion')} {kind}")
            return
        yield from self._check(data, self._kinds[group, version, kind], ())

    def _check(self, data: Any, schema: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[Breach]:
        while "$ref" in schema:
            schema = self._definitions[schema["$ref"].rpartition("/")[2]]
        choices = schema.get("oneOf")
        if choices and not any(_has_type(data, choice.get("type")) for choice in choices):
            yield Breach("wrong-type", path, _shown(data))
            return
        if not _has_type(data, schema.get("type")):
            yield Breach("wrong-type", path, _shown(data))
            return
        if "enum" in schema and data is not None and data not in schema["enum"]:
            yield Breach("wrong-type", path, _shown(data))
        if isinstance(data, dict):
            yield from self._check_map(data, schema, path)
        elif isinstance(data, list) and "items" in schema:
            for index, entry in enumerate(data):
                yield from self._check(entry, schema["items"], (*path, index))

    def _check_map(
        self, data: Mapping[Any, Any], schema: Mapping[str, Any], path: tuple[str | int, ...]
    ) -> Iterator[Breach]:
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        for name in schema.get("required", ()):
            # A null stands for a field that is not there.
            if data.get(name) is None:
                yield Breach("missing-field", (*path, name), "")
        for key, value in data.items():
            if key in properties:
                yield from self._check(value, properties[key], (*path, key))
            elif others is False:
                yield Breach("unknown-field", (*path, str(key)), "")
            elif isinstance(others, dict):
                yield from self._check(value, others, (*path, str(key)))


def _has_type(data: Any, types: Any) -> bool:
    if types is None:
        return True
    names = [types] if isinstance(types, str) else types
    if isinstance(data, bool):
        return "boolean" in names
    if isinstance(data, float) and data.is_integer() and "integer" in names:
        return True
    return any(isinstance(data, _TYPES[name]) for name in names if name != "boolean")


def _shown(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, default=str)[:60]


@cache
def schemas(version: str = "") -> Schemas | None:
    """The schemas of a version (`1.32`), or of the newest there is; None where the package is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    found = {}
    for folder in (Path(spec.submodule_search_locations[0]) / "kubernetes-json-schema").iterdir():
        if match := _FOLDER.fullmatch(folder.name):
            found[int(match[1]), int(match[2])] = folder
    wanted = [pair for pair in found if not version or version == f"{pair[0]}.{pair[1]}"]
    if not wanted:
        return None
    text = (found[max(wanted)] / "_definitions.json").read_text(encoding="utf-8")
    return Schemas("{}.{}".format(*max(wanted)), json.loads(text)["$defs"])
