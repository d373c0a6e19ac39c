"""Read notebooks and YAML strictly, keeping the place of everything.

Both are read as plain data: `nbformat` would cost a second where JupyterLab is installed, and YAML's own
conversions (`no` as false, 1.10 as 1.1, a repeated key that wins) are surprises an author should be told about.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from curriculum.errors import Fault, near

Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_BOOLEAN_WORDS = {"yes", "no", "on", "off"}
_CORE = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge", "value")
)


@dataclass(frozen=True)
class Document:
    """A YAML text as plain data (dict, list, str, None), with the line of every key and item.

    `lines` maps a path such as `("items", 2, "en")` to a line, counted from 1 within the text.
    """

    value: Any
    lines: dict[tuple[str | int, ...], int]
    faults: tuple[Fault, ...]

    def line(self, path: tuple[str | int, ...]) -> int | None:
        """The line of `path`, or of the nearest thing around it."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)


def line_of(mark: Any) -> int:
    """The line of a YAML node or event, counted from 1."""
    return int(mark.start_mark.line) + 1


def parse_yaml(text: str, file: str, cell: int | None = None) -> Document:
    """Turn YAML into data in which every scalar is a string (an empty one is None).

    Never raises: syntax errors, repeated keys, aliases, anchors, tags, and words such as `no` that YAML reads as a
    truth value come back as faults.
    """
    faults: list[Fault] = []
    lines: dict[tuple[str | int, ...], int] = {}
    seen: set[int] = set()

    def fault(key: str, line: int | None, **params: object) -> None:
        faults.append(Fault(file, key, cell, line, params))

    def build(node: yaml.Node, path: tuple[str | int, ...]) -> Any:
        line = lines.setdefault(path, line_of(node))
        if id(node) in seen:
            fault("yaml-alias", line)
            return None
        seen.add(id(node))
        if node.tag not in _CORE:
            fault("yaml-tag", line, tag=node.tag)
            return None
        if isinstance(node, yaml.MappingNode):
            mapping: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = str(key_node.value)
                if not isinstance(key_node, yaml.ScalarNode):
                    fault("yaml-key", line_of(key_node))
                    continue
                if key in mapping:
                    fault("yaml-repeated", line_of(key_node), name=key, first=lines[(*path, key)])
                    continue
                lines[(*path, key)] = line_of(key_node)
                mapping[key] = build(value_node, (*path, key))
            return mapping
        if isinstance(node, yaml.SequenceNode):
            return [build(item, (*path, n)) for n, item in enumerate(node.value)]
        value = str(node.value)
        if isinstance(node, yaml.ScalarNode) and not node.style:
            if value == "" or value in {"~", "null", "Null", "NULL"}:
                return None
            if value.casefold() in _BOOLEAN_WORDS:
                fault("yaml-boolean", line, value=value)
        return value

    try:
        root = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        fault("yaml-syntax", mark.line + 1 if mark else None, problem=problem)
        return Document(None, lines, tuple(faults))
    except yaml.YAMLError as error:
        fault("yaml-syntax", None, problem=str(error).splitlines()[0])
        return Document(None, lines, tuple(faults))
    except RecursionError:
        fault("yaml-syntax", None, problem="nested too deeply")
        return Document(None, lines, tuple(faults))
    value = None if root is None else build(root, ())
    return Document(value, lines, tuple(faults))


def anchors(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of every anchor: `en: &beta` loses its first word silently."""
    try:
        for event in yaml.parse(text, Loader=Loader):
            name = getattr(event, "anchor", None)
            if name and not isinstance(event, yaml.AliasEvent):
                yield line_of(event), name
    except yaml.YAMLError:
        return


@functools.cache
def _adapter(model: type) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(model)


def validated(document: Document, model: type, file: str, cell: int | None) -> tuple[Any, tuple[Fault, ...]]:
    """Turn a document into `model` (a class of content): the instance or None, and every fault with its line."""
    from pydantic import ValidationError

    if document.faults and not isinstance(document.value, dict):
        return None, document.faults
    told = {fault.line for fault in document.faults}
    try:
        content = _adapter(model).validate_python(document.value if document.value is not None else {})
        return (None if document.faults else content), document.faults
    except ValidationError as error:
        faults = list(document.faults)
        for problem in error.errors():
            path = tuple(
                part for part in problem["loc"] if not (isinstance(part, str) and part.startswith("function-"))
            )
            fault = _fault(problem, path, model, file, cell, document.line(path))
            # What is wrong with a line as YAML is the reason for what is wrong with it as content.
            if fault.line is None or fault.line not in told:
                faults.append(fault)
        return None, tuple(faults)


#: pydantic's error types, by the sentence that tells an author what was expected instead.
_EXPECTED = {
    "int_parsing": "bad-number",
    "int_type": "bad-number",
    "int_from_float": "bad-number",
    "float_parsing": "bad-number",
    "float_type": "bad-number",
    "bool_parsing": "bad-boolean",
    "bool_type": "bad-boolean",
    "date_from_datetime_parsing": "bad-date",
    "date_parsing": "bad-date",
    "date_type": "bad-date",
    "string_type": "bad-text",
    "string_pattern_mismatch": "bad-slug",
    "string_too_long": "bad-slug",
    "list_type": "bad-list",
    "tuple_type": "bad-list",
    "dict_type": "bad-mapping",
    "dataclass_type": "bad-mapping",
    "too_short": "too-few",
    "too_long": "too-many",
}


def _fault(
    problem: Any, path: tuple[str | int, ...], model: type, file: str, cell: int | None, line: int | None
) -> Fault:
    name = ".".join(str(part) for part in path) or "?"
    kind = problem["type"]
    context = problem.get("ctx") or {}
    value = str(problem.get("input"))
    params: dict[str, object] = {"name": name, "value": value if len(value) <= 60 else value[:59] + "…"}
    if kind == "unexpected_keyword_argument":
        last = str(path[-1])
        return Fault(file, "unknown-key", cell, line, {"name": last, "near": near(last, _field_names(model))})
    if kind == "missing":
        return Fault(file, "missing-key", cell, line, {"name": name})
    if kind == "literal_error":
        choices = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        params |= {"choices": choices, "near": near(value, choices.split(", "))}
        return Fault(file, "bad-choice", cell, line, params)
    if kind.startswith("curriculum."):
        return Fault(file, kind.removeprefix("curriculum."), cell, line, params | context)
    params |= {"least": context.get("min_length", ""), "most": context.get("max_length", "")}
    return Fault(file, _EXPECTED.get(kind, "bad-value"), cell, line, params)


def _field_names(model: Any, seen: set[type] | None = None) -> set[str]:
    """Every key that may stand anywhere in `model`: what a mistyped key is compared with."""
    import typing

    seen = set() if seen is None else seen
    names: set[str] = set()
    if isinstance(model, type) and dataclasses.is_dataclass(model) and model not in seen:
        seen.add(model)
        for name, annotation in typing.get_type_hints(model, include_extras=True).items():
            names |= {name} | _field_names(annotation, seen)
    for argument in typing.get_args(model):
        names |= _field_names(argument, seen)
    return names


@dataclass(frozen=True)
class Cell:
    """One cell of a notebook as it stands in the file. `number` counts from 1."""

    number: int
    kind: str
    source: str
    tags: tuple[str, ...]
    id: str


@dataclass(frozen=True)
class Notebook:
    """A notebook file as plain data."""

    file: str
    cells: tuple[Cell, ...]
    metadata: dict[str, Any]


def load_text(path: Path, file: str) -> tuple[str, tuple[Fault, ...]]:
    """Read a UTF-8 file: its text, or the fault that it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig"), ()
    except UnicodeDecodeError:
        return "", (Fault(file, "not-utf8"),)
    except OSError as error:
        return "", (Fault(file, "unreadable", params={"problem": error.strerror or str(error)}),)


def load_notebook(path: Path, file: str) -> tuple[Notebook | None, tuple[Fault, ...]]:
    """Read a notebook: the notebook or None, and what is wrong with the file."""
    text, faults = load_text(path, file)
    if faults:
        return None, faults
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        return None, (Fault(file, "not-json", line=error.lineno, params={"problem": error.msg}),)
    except RecursionError:
        return None, (Fault(file, "not-notebook"),)
    return parse_notebook(raw, file)


def parse_notebook(raw: Any, file: str) -> tuple[Notebook | None, tuple[Fault, ...]]:
    """Turn a notebook's JSON (or an nbformat node) into a `Notebook`."""
    if not isinstance(raw, dict) or not isinstance(raw.get("cells"), list) or not isinstance(raw.get("metadata"), dict):
        return None, (Fault(file, "not-notebook"),)
    cells = []
    for number, cell in enumerate(raw["cells"], start=1):
        kind = cell.get("cell_type") if isinstance(cell, dict) else None
        source = cell.get("source") if isinstance(cell, dict) else None
        if isinstance(source, list) and all(isinstance(line, str) for line in source):
            source = "".join(source)
        metadata = cell.get("metadata") if isinstance(cell, dict) else None
        tags = metadata.get("tags", []) if isinstance(metadata, dict) else None
        if kind not in {"raw", "markdown", "code"} or not isinstance(source, str) or not isinstance(tags, list):
            return None, (Fault(file, "not-notebook", number),)
        cells.append(Cell(number, kind, source, tuple(map(str, tags)), str(cell.get("id", ""))))
    return Notebook(file, tuple(cells), raw["metadata"]), ()


def literal_assignments(source: str) -> dict[str, Any] | None:
    """The names and values of a parameters cell; None when it holds anything but `name = literal` and comments."""
    try:
        statements = ast.parse(source).body
        values = {}
        for statement in statements:
            if (
                not isinstance(statement, ast.Assign)
                or len(statement.targets) != 1
                or not isinstance(statement.targets[0], ast.Name)
            ):
                return None
            values[statement.targets[0].id] = ast.literal_eval(statement.value)
    except (SyntaxError, ValueError, RecursionError):
        return None
    return values
