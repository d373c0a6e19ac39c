"""The Papermill engine `curriculum`: it composes a study notebook instead of running one.

Papermill loads this module at its own import, so nothing is imported here until a notebook is composed, and the class
has no base: a subclass of `papermill.engines.Engine` would be a circular import.

Where Papermill is loose the engine is strict: unknown parameters are refused, names must be text, a study in which
someone has worked is not overwritten, and nothing of the machine (paths, times) stays in the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from curriculum.catalog import Catalog
    from curriculum.render import Book
    from curriculum.source import Notebook
    from curriculum.stencil import Json


class CurriculumEngine:
    """What `papermill --engine curriculum` calls."""

    @classmethod
    def execute_notebook(
        cls, nb: Any, kernel_name: str, output_path: str | None = None, input_path: Any = None, **_: Any
    ) -> Any:
        """Return the composed notebook. Raises a click.ClickException with a sentence for whatever is wrong."""
        from pathlib import Path

        import click

        from curriculum.errors import CurriculumError
        from curriculum.request import find_language, system_language

        parameters = dict(nb.metadata.get("papermill", {}).get("parameters") or {})
        try:
            refuse_worked(output_path)
            file = Path(input_path).name if isinstance(input_path, str) else "template"
            content = compose(nb, parameters, file)
        except CurriculumError as error:
            try:
                lang = find_language(str(parameters.get("lang") or "")) if parameters.get("lang") else system_language()
            except CurriculumError:
                lang = system_language()
            refusal = click.ClickException(error.sentence(lang))
            raise refusal from error
        return as_node(content)

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        return name or "python3"

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        return language or "python"


def compose(nb: Any, parameters: dict[str, Any], file: str) -> Json:
    """The notebook that a frame or a tool's template gives with these parameters."""
    from curriculum.errors import ContentError, Fault
    from curriculum.source import parse_notebook, parse_yaml

    cells = [cell for cell in nb["cells"] if "injected-parameters" not in cell["metadata"].get("tags", [])]
    book, faults = parse_notebook({"cells": cells, "metadata": nb["metadata"]}, file)
    if book is None:
        raise ContentError(faults)
    refuse_unknown(book, parameters)
    front = parse_yaml(book.cells[0].source, book.file, 1) if book.cells and book.cells[0].kind == "raw" else None
    if front and isinstance(front.value, dict) and "frame" in front.value:
        return compose_study(book, parameters)
    if front and isinstance(front.value, dict) and "tool" in front.value:
        return compose_tool(book, parameters)
    raise ContentError([Fault(book.file, "no-front-matter", 1)])


def compose_study(frame: Notebook, parameters: dict[str, Any]) -> Json:
    from curriculum.catalog import catalog_at
    from curriculum.errors import RequestError

    parameters = dict(parameters)
    content = parameters.pop("content", "")
    if not isinstance(content, str):
        raise RequestError("name-not-text", value=str(content), option="content")
    catalog = catalog_at(content or None)
    parameters = {**_defaults(frame), **parameters}
    parameters.pop("content", None)
    return book(catalog, frame, parameters).notebook()


def book(catalog: Catalog, frame: Notebook, parameters: dict[str, Any]) -> Book:
    """The study that the parameters ask for, ready to be rendered."""
    from curriculum.render import Book, parse_frame
    from curriculum.request import resolve
    from curriculum.roadmap import Roadmap

    roadmap = Roadmap.of(catalog, resolve(catalog, **parameters))
    return Book(roadmap, parse_frame(frame), catalog.made_with)


def compose_tool(notebook: Notebook, parameters: dict[str, Any]) -> Json:
    """A study notebook of the one tool that the template is about."""
    from curriculum.catalog import catalog_at
    from curriculum.errors import ContentError
    from curriculum.model import study_id
    from curriculum.render import render_tool
    from curriculum.request import (
        choice,
        clean_id,
        clean_name,
        find_industry,
        find_language,
        find_level,
        system_language,
    )
    from curriculum.template import Tool, parse_template

    template, faults = parse_template(notebook)
    if template is None:
        raise ContentError(faults)
    values = {**_defaults(notebook), **parameters}
    level = find_level(str(values["level"]))
    lang = find_language(str(values["lang"])) if values["lang"] else system_language()
    front, catalog = template.front, catalog_at(None)
    industry = find_industry(catalog, values.get("industry", ""))
    learner, learner_id = clean_name(values["learner"]), clean_id(values["id"])
    tool = Tool(front.tool, front.title, front.category, front.needs, front.hours, front.docs, template)
    return render_tool(
        tool,
        level=level,
        lang=lang,
        study=study_id(learner_id or learner, front.tool),
        learner=learner,
        id=learner_id,
        variant=choice("unknown-variant", str(values["variant"]), ("learner", "instructor")),
        industry=industry,
        story=catalog.story(industry),
        made_with=catalog.made_with,
    )


def _defaults(notebook: Notebook) -> dict[str, Any]:
    """The names and literals of the parameters cell. Raises ContentError for anything else in it."""
    from curriculum.errors import ContentError, Fault
    from curriculum.source import literal_assignments

    cell = next((cell for cell in notebook.cells if cell.kind == "code" and "parameters" in cell.tags), None)
    if cell is None:
        raise ContentError([Fault(notebook.file, "no-parameters")])
    values = literal_assignments(cell.source)
    if values is None:
        raise ContentError([Fault(notebook.file, "bad-parameters", cell.number)])
    return values


def refuse_unknown(notebook: Notebook, parameters: dict[str, Any]) -> None:
    """Papermill only warns of a parameter that the template does not have, and goes on with the default."""
    from curriculum.errors import RequestError, near

    declared = _defaults(notebook)
    for name in parameters:
        if name not in declared:
            raise RequestError("unknown-parameter", value=name, choices=sorted(declared), near=near(name, declared))


def refuse_worked(output_path: str | Path | None) -> None:
    """Papermill overwrites its output; a study in which someone has worked is not to be overwritten."""
    from pathlib import Path

    from curriculum.errors import OutputError

    if not output_path:
        return
    path = Path(output_path)
    if not path.is_file():
        return
    try:
        worked = worked_in(path.read_bytes())
    except OSError:
        worked = True
    if worked or (path.parent / "progress.jsonl").exists() or (path.parent / "work").exists():
        raise OutputError("worked-in", path=str(path))


def worked_in(notebook: bytes) -> bool:
    """Whether someone has edited or run a cell of a notebook; what is not a study notebook of ours is someone's too."""
    import json

    try:
        return any(_edited(cell) for cell in json.loads(notebook)["cells"])
    except (ValueError, KeyError, TypeError):
        return True


def _edited(cell: dict[str, Any]) -> bool:
    import hashlib

    ours = cell["metadata"].get("curriculum")
    source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
    return (
        not ours or hashlib.sha256(source.encode()).hexdigest()[:16] != ours["sha"] or bool(cell.get("execution_count"))
    )


def as_node(content: Json) -> Any:
    """The notebook as nbformat holds it in memory."""
    import nbformat
    from nbformat.v4.rwbase import rejoin_lines

    return rejoin_lines(nbformat.from_dict(content))
