"""One learner: a request becomes a study notebook on disk, through Papermill and our engine."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum.catalog import Catalog, catalog_at
from curriculum.errors import CurriculumError, OutputError
from curriculum.model import Plan, Request
from curriculum.render import part_file
from curriculum.request import literals, number, resolve
from curriculum.roadmap import Roadmap


@dataclass(frozen=True)
class Study:
    """A study that was made: its notebook (the map, where there are several), all its files, and its roadmap."""

    notebook: Path
    files: tuple[Path, ...]
    roadmap: Roadmap

    @property
    def plan(self) -> Plan:
        return self.roadmap.plan

    @property
    def request(self) -> Request:
        return self.plan.request

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for `generate --json`."""
        plan, request = self.plan, self.request
        return {
            "notebook": str(self.notebook),
            "files": [str(path) for path in self.files],
            "study": request.study,
            "role": request.role,
            "level": request.level,
            "lang": request.lang,
            "tools": [step.tool for step in plan.steps],
            "exercises": list(exercises(self.roadmap)),
            "hours": plan.hours,
            "hours_per_week": number(request.hours_per_week),
            "weeks": plan.weeks,
            "start": plan.start.isoformat(),
            "end": plan.end.isoformat(),
        }


def exercises(roadmap: Roadmap) -> tuple[str, ...]:
    """The exercises of a study, in its order, test-outs included."""
    slugs: dict[str, None] = {}
    for step in roadmap.plan.steps:
        template = roadmap.tools[step.tool].template
        if template:
            if step.test_out:
                slugs[step.test_out] = None
            slugs |= dict.fromkeys(section.name for section in template.exercises(step.level))
    return tuple(slugs)


def roadmap(*, content: str | Path | None = None, **request: Any) -> Roadmap:
    """The plan of a request, with the words for it. The arguments are those of `generate`. Raises CurriculumError."""
    catalog = catalog_at(str(content) if content else None)
    return Roadmap.of(catalog, resolve(catalog, **request))


def plan(**request: Any) -> Plan:
    """Plan without writing anything: the arguments of `generate`, but for `output`. Raises CurriculumError."""
    return roadmap(**request).plan


def generate(*, output: str | Path = "output", content: str | Path | None = None, **request: Any) -> Study:
    """Write a study notebook to `output/<learner id or role>-<level>/study.<lang>.ipynb` and say what was made.

    The arguments are those of the command: role, level, lang, learner, id, known, hours_per_week, start, deadline,
    pause, phase, only, prefer, depth, industry, fit, single, variant. Raises CurriculumError; then nothing was written.
    Never overwrites.
    """
    if Path(output).suffix.lower() == ".ipynb":
        raise OutputError("output-not-folder", path=str(output))
    catalog = catalog_at(str(content) if content else None)
    resolved = resolve(catalog, **request)
    roadmap = Roadmap.of(catalog, resolved)
    folder = Path(output) / f"{resolved.id or resolved.role}-{resolved.level}"
    waiting, texts = [""], dict[Path, str]()
    while waiting:
        part = waiting.pop(0)
        path = folder / part_file(resolved.lang, part)
        if path.exists() or path.is_symlink():
            raise OutputError("already-there", path=str(path))
        texts[path], parts = compose(catalog, resolved, part)
        if not part:
            waiting += parts[1:]
    write_all(texts)
    return Study(next(iter(texts)), tuple(texts), roadmap)


def compose(catalog: Catalog, request: Request, part: str) -> tuple[str, list[str]]:
    """One notebook of a study, as Papermill and our engine make it: its text, and the names of all parts."""
    import click
    import nbformat.v4
    import papermill

    parameters = {**literals(request), "part": part}
    if catalog.named:
        parameters["content"] = str(catalog.packs[-1].root)
    # Papermill takes braces in a path for format fields.
    frame = str(catalog.frame_file).replace("{", "{{").replace("}", "}}")
    try:
        node = papermill.execute_notebook(
            frame,
            None,
            parameters,
            engine_name="curriculum",
            kernel_name="python3",
            language="python",
            progress_bar=False,
        )
    except click.ClickException as refusal:
        if isinstance(refusal.__cause__, CurriculumError):
            raise refusal.__cause__ from None
        raise
    return f"{nbformat.v4.writes(node)}\n", list(node.metadata["curriculum"]["parts"])


def write_all(texts: dict[Path, str]) -> None:
    """Write files so that each is there whole or not at all. Raises OutputError, leaving nothing behind."""
    written: list[Path] = []
    made: list[Path] = []
    path = Path()
    try:
        for path, text in texts.items():
            made += _make_folder(path.parent)
            write_text(path, text)
            written.append(path)
    except OSError as error:
        for done in written:
            done.unlink(missing_ok=True)
        for folder in reversed(made):
            if not any(folder.iterdir()):
                folder.rmdir()
        raise OutputError("cannot-write", path=str(path), problem=error.strerror or type(error).__name__) from error


def _make_folder(folder: Path) -> list[Path]:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir()
    return list(reversed(missing))


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with LF under a temporary name and rename. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files; a study may be shared as any other file.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
