"""Update a study in place: the plan and our cells anew, everything of the learner's kept.

A cell that is still as we wrote it is replaced; one that was edited stays; what is new is inserted, and the learner's
own cells stay behind the cells they stood behind. The notebook as it was goes to `.history/` first.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curriculum.answers import write_file
from curriculum.catalog import Catalog, catalog_at
from curriculum.errors import OutputError, RequestError
from curriculum.generation import compose
from curriculum.home import PARAMETERS, home_at
from curriculum.model import Plan, Request
from curriculum.render import part_file
from curriculum.request import literals, resolve
from curriculum.roadmap import Roadmap
from curriculum.session import Session
from curriculum.stencil import dumps

Json = dict[str, Any]


@dataclass
class Merge:
    """What became of a notebook's cells, by cell id. `own` counts the learner's own cells."""

    replaced: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    own: int = 0


@dataclass(frozen=True)
class Update:
    """What an update did: each notebook with what became of its cells (None: it is new), backups, and the plan."""

    before: Request
    plan: Plan
    files: Mapping[Path, Merge | None]
    backups: tuple[Path, ...]
    retired: tuple[Path, ...] = ()


def update(
    study: Path,
    *,
    start_again_from: dt.date | None = None,
    today: dt.date | None = None,
    content: str | None = None,
    **changes: Any,
) -> Update:
    """Bring the study in a folder, or of a notebook, up to date. `changes` are arguments of `generate`.

    A new pace counts from today, or from `start_again_from`; what is done by then is not planned again. With another
    language the notebook in that language is made, or brought up to date, beside the one that is there.
    Raises CurriculumError; then nothing was changed.
    """
    catalog = catalog_at(content)
    home = home_at(study, changes.get("lang") or "")
    if "role" not in home.settings:
        raise RequestError("no-whole-study", path=str(study))
    settings = {
        name: value
        for name, value in home.settings.items()
        if name in PARAMETERS and name not in {"study", "made_with"}
    }
    before = resolve(catalog, **settings)
    session = Session(home, content=content or "")
    settings |= {name: value for name, value in changes.items() if value not in (None, "", ())} | {"part": ""}
    today = today or dt.date.today()
    if start_again_from is None and "hours_per_week" in changes and before.start < today:
        start_again_from = today
    if start_again_from:
        settings |= {"resume": start_again_from.isoformat(), "done": minutes_done(session)}
    after = resolve(catalog, **settings)
    if after.study != before.study:
        raise RequestError("other-study", path=str(study))
    texts = _composed(catalog, after, home.folder)
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    backups, merges, contents = [], dict[Path, Merge | None](), dict[Path, bytes]()
    for path, text in texts.items():
        made = json.loads(text)
        old = _load(path)
        if old is not None:
            merge, made = merged(old, made)
            merges[path] = merge
            backups.append(_backup(path, stamp))
        else:
            merges[path] = None
        contents[path] = dumps(_redrawn(made, path, session, after, catalog)).encode()
    for path, raw in contents.items():
        write_file(path, raw)
    retired = tuple(_retire(home.folder, after.lang, texts, stamp))
    return Update(before, Roadmap.of(catalog, after).plan, merges, tuple(backups), retired)


def minutes_done(session: Session) -> dict[str, int]:
    """How many of its planned minutes each tool of a study has behind it, in proportion to what is ticked and passed."""
    rows = session.rows(session.log.state())
    return {row.tool: minutes for row in rows if (minutes := round(row.hours_done * 60))}


def merged(old: Json, new: Json) -> tuple[Merge, Json]:
    """The new notebook with everything of the old one that is the learner's."""
    merge = Merge()
    ours: dict[str, Json] = {}
    followers: dict[str, list[Json]] = {"": []}
    anchor = ""
    new_ids = {_id(cell) for cell in new["cells"]}
    for cell in old["cells"]:
        slug = _id(cell)
        if slug and slug not in ours and slug in new_ids:
            ours[slug] = cell
            anchor = slug
            followers.setdefault(anchor, [])
        elif not slug or slug in ours:
            merge.own += 1
            followers[anchor].append(cell)
        elif edited(cell):
            merge.orphaned.append(slug)
            followers[anchor].append(cell)
        else:
            merge.removed.append(slug)
    cells = list(followers[""])
    for cell in new["cells"]:
        slug = _id(cell)
        there = ours.get(slug)
        if there is None:
            merge.added.append(slug)
            cells.append(cell)
        elif edited(there):
            merge.kept.append(slug)
            cells.append(there)
        else:
            same = _source(there) == _source(cell)
            if not same:
                merge.replaced.append(slug)
            keep = same and there["cell_type"] == "code" and not _drawn(cell)
            cells.append(
                {**cell, "outputs": there["outputs"], "execution_count": there["execution_count"]} if keep else cell
            )
        cells += followers.get(slug, [])
    return merge, {**new, "cells": _distinct(cells)}


def edited(cell: Json) -> bool:
    """Whether a cell of ours is no longer as we wrote it."""
    sha = hashlib.sha256(_source(cell).encode()).hexdigest()[:16]
    return bool(sha != cell["metadata"]["curriculum"].get("sha"))


def reset_cells(session: Session, exercise: str) -> list[Path]:
    """Put the starters back into the answer cells of every notebook of a study; the backups of those that changed.

    Raises OutputError.
    """
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    backups = []
    for path in sorted(session.folder.glob("study.*.ipynb")):
        book = _load(path)
        lang = path.name.split(".")[1]
        starters = session.starters(exercise, lang)
        cells = [cell for cell in book["cells"] if _id(cell) in starters] if book else []
        if book and any(_source(cell) != starters[_id(cell)] for cell in cells):
            backups.append(_backup(path, stamp))
            for cell in cells:
                cell |= {
                    "source": starters[_id(cell)].splitlines(keepends=True),
                    "outputs": [],
                    "execution_count": None,
                }
            write_file(path, dumps(book).encode())
    return backups


def _composed(catalog: Catalog, request: Request, folder: Path) -> dict[Path, str]:
    texts: dict[Path, str] = {}
    waiting = [""]
    while waiting:
        part = waiting.pop(0)
        texts[folder / part_file(request.lang, part)], parts = compose(catalog, request, part)
        if not part:
            waiting += parts[1:]
    return texts


def _redrawn(book: Json, path: Path, session: Session, request: Request, catalog: Catalog) -> Json:
    """The notebook with its pictures as the learner's progress has them."""
    settings = {**literals(request), "study": session.study, "made_with": catalog.made_with}
    fresh = session.with_settings(settings, path, [cell["id"] for cell in book["cells"]])
    state = fresh.log.state()
    for cell in book["cells"]:
        slug = _id(cell)
        outputs = cell.get("outputs") or []
        if not _drawn(cell) or not outputs:
            continue
        picture = fresh.picture_of(slug, state)
        if picture is not None:
            outputs[0]["data"] = {
                mime: text.splitlines(keepends=True) for mime, text in sorted(picture.bundle().items())
            }
    return book


def _retire(folder: Path, lang: str, texts: Iterable[Path], stamp: str) -> Iterable[Path]:
    """Parts that the study no longer has: those in which nothing is the learner's go to `.history/`, the others stay."""
    for path in sorted(folder.glob(f"study.{lang}.phase-*.ipynb")):
        if path in set(texts):
            continue
        book = _load(path)
        if book and not any(not _id(cell) or edited(cell) for cell in book["cells"]):
            _backup(path, stamp)
            path.unlink()
            yield path


def _load(path: Path) -> Json | None:
    if not path.exists():
        return None
    try:
        book = json.loads(path.read_text(encoding="utf-8"))
        for cell in book["cells"]:
            _ = cell["metadata"], _source(cell)
        return dict(book)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutputError("not-a-notebook", path=str(path)) from error


def _backup(path: Path, stamp: str) -> Path:
    target = path.parent / ".history" / f"{stamp}-{path.name}"
    write_file(target, path.read_bytes())
    return target


def _id(cell: Json) -> str:
    ours = cell["metadata"].get("curriculum")
    return str(ours.get("id", "")) if isinstance(ours, dict) else ""


def _source(cell: Json) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _drawn(cell: Json) -> bool:
    """Whether a cell comes with a picture that is drawn beforehand."""
    return "nbval-ignore-output" in cell["metadata"].get("tags", [])


def _distinct(cells: list[Json]) -> list[Json]:
    """The cells, each with an id of its own: a copied cell may have brought one that is taken."""
    seen: set[str] = set()
    result = []
    for cell in cells:
        name = cell.get("id") or "own"
        while name in seen:
            name = f"{name[:55]}-copy"
        seen.add(name)
        result.append({**cell, "id": name})
    return result
