"""The canonical form of a template notebook: what `curriculum fmt` writes, so that diffs stay small."""

from __future__ import annotations

import json
import re
from typing import Any

from curriculum.source import Notebook
from curriculum.template import KINDS

_KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def is_template(book: Notebook) -> bool:
    """Whether a notebook is a tool's template or the frame. A study notebook is somebody's work, and is not to be touched."""
    head = book.cells[0] if book.cells else None
    return (
        head is not None and head.kind == "raw" and re.search(r"^(tool|frame):", head.source, re.MULTILINE) is not None
    )


def canonical(raw: dict[str, Any], book: Notebook) -> str:
    """The text of a template without outputs, counters and local kernel, with ids that say what a cell is."""
    ids = _ids(book)
    cells = []
    for cell, cell_id in zip(book.cells, ids, strict=True):
        tags = {"tags": list(cell.tags)} if cell.tags else {}
        source = "\n".join(
            line.rstrip() if cell.kind == "raw" else line for line in cell.source.strip("\n").split("\n")
        )
        entry: dict[str, Any] = {
            "cell_type": cell.kind,
            "id": cell_id,
            "metadata": tags,
            "source": source.splitlines(keepends=True),
        }
        if cell.kind == "code":
            entry |= {"execution_count": None, "outputs": []}
        cells.append(entry)
    ours = raw["metadata"].get("curriculum")
    metadata: dict[str, Any] = {**({"curriculum": ours} if ours else {}), **_KERNEL}
    content = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _ids(book: Notebook) -> list[str]:
    if book.cells and "frame:" in book.cells[0].source:
        return _frame_ids(book)
    ids: list[str] = []
    section = ""
    for number, cell in enumerate(book.cells):
        if number == 0:
            wanted = "front-matter"
        elif cell.kind == "raw":
            match = re.search(rf"^({'|'.join(KINDS)}):\s*(\S+)", cell.source, re.MULTILINE)
            section = (f"checklist-{match[2]}" if match[1] == "checklist" else match[2]) if match else "section"
            wanted = section
        elif section:
            role = cell.kind if cell.kind == "code" else "prose"
            wanted = "-".join([section[:44], *([*cell.tags] or [role])])
        else:
            wanted = "-".join(cell.tags) or cell.kind
        ids.append(_unique(re.sub(r"[^A-Za-z0-9_-]", "-", wanted)[:60], ids))
    return ids


def _frame_ids(book: Notebook) -> list[str]:
    """The frame's ids become the ids of study notebooks, so an author's own are kept."""
    ids: list[str] = []
    for cell in book.cells:
        wanted = (
            re.sub(r"[^A-Za-z0-9_-]", "-", cell.source.strip())[:40]
            if cell.kind == "raw" and cell.source.startswith("part:")
            else cell.id
        )
        ids.append(_unique(wanted or "-".join(cell.tags) or cell.kind, ids))
    return ids


def _unique(wanted: str, taken: list[str]) -> str:
    candidate, n = wanted, 1
    while candidate in taken:
        n += 1
        candidate = f"{wanted}-{n}"
    return candidate
