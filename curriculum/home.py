"""Where a study lives: its notebook, its settings, its folder. Found anew whenever a kernel starts.

The settings are the literals of the cell tagged `parameters`. The file is asked before the kernel's names: cells for
exploring use names such as `level` or `fit` too, and `from curriculum.study import *` hides the parameter `start`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curriculum.errors import RequestError
from curriculum.source import Notebook, literal_assignments, load_notebook

#: The parameters by name, with what each may be. A name of another type in the kernel is somebody else's.
PARAMETERS: dict[str, tuple[type, ...]] = {
    "role": (str,),
    "level": (str,),
    "lang": (str,),
    "learner": (str,),
    "id": (str,),
    "known": (list,),
    "hours_per_week": (int, float),
    "start": (str,),
    "deadline": (str,),
    "pause": (list,),
    "phase": (list,),
    "only": (list,),
    "prefer": (list,),
    "depth": (str,),
    "fit": (bool,),
    "single": (bool,),
    "variant": (str,),
    "resume": (str,),
    "done": (dict,),
    "industry": (str,),
    "part": (str,),
    "study": (str,),
    "made_with": (str,),
}

#: Less free space than this, in bytes, and the next tick may not fit.
_ALMOST_FULL = 1_000_000


@dataclass(frozen=True)
class Home:
    """The place of a study. `notebook` is None where it cannot be told.

    `template` is an author's run of a template: its work belongs into a temporary folder, not beside the content.
    """

    folder: Path
    notebook: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    tool: str = ""
    template: bool = False
    cells: frozenset[str] = frozenset()

    @property
    def writer(self) -> str:
        """The name under which this notebook writes answers."""
        return self.notebook.name if self.notebook else f"study.{self.settings.get('lang', '')}.ipynb"


def find_home(names: Mapping[str, Any], environment: Mapping[str, str], here: Path) -> Home:
    """The home of the study whose notebook runs in a kernel with these names, in the folder `here`.

    Never raises; where no settings are found, they are empty.
    """
    spoken = {name: names[name] for name, kinds in PARAMETERS.items() if _is(names.get(name), kinds)}
    path = next(_candidates(names, environment, here, spoken), None)
    written, book = _read(path) if path else ({}, None)
    if not spoken.get("study") or spoken["study"] == written.get("study"):
        settings = {**spoken, **written} if written.get("study") else {**written, **spoken}
    else:
        settings = spoken
    # Every study notebook has a study; a template, or the frame, has none.
    template = bool(settings) and not settings.get("study")
    folder = path.parent if path else _session_folder(environment) or here
    return Home(
        folder=folder.resolve(),
        notebook=path,
        settings=settings,
        tool=_tool(book),
        template=template,
        cells=frozenset(cell.id for cell in book.cells) if book else frozenset(),
    )


def home_at(place: Path, lang: str = "") -> Home:
    """The home of the study in a folder, or of a notebook; in a folder the notebook in `lang` where there is one.

    Raises RequestError when no study is there.
    """
    path = place
    if place.is_dir():
        found = [path for path in sorted(place.glob("study.*.ipynb")) if path.name.count(".") == 2]
        preferred = [path for path in found if path.name == f"study.{lang}.ipynb"]
        if not found:
            raise RequestError("no-study", path=str(place))
        path = (preferred or found)[0]
    settings, book = _read(path) if path.is_file() else ({}, None)
    if book is None or not settings.get("study"):
        raise RequestError("no-study", path=str(place))
    return Home(
        folder=path.parent.resolve(),
        notebook=path.resolve(),
        settings=settings,
        tool=_tool(book),
        cells=frozenset(cell.id for cell in book.cells),
    )


def live_front_end(names: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    """Whether a page is there that can show widgets: not when a program runs the notebook, where they would be litter."""
    if environment.get("CURRICULUM_STATIC", "0") != "0":
        return False
    return bool(environment.get("JPY_SESSION_NAME")) or "__vsc_ipynb_file__" in names or _on_colab()


def warnings(home: Home) -> Iterator[tuple[str, dict[str, object]]]:
    """Message keys, with what fills them, for whatever would lose a learner's work here."""
    if _on_colab():
        if not home.folder.is_relative_to("/content/drive"):
            yield "warn-colab", {}
    elif home.folder.is_relative_to(Path(tempfile.gettempdir()).resolve()):
        yield "warn-temporary", {"path": str(home.folder)}
    if not _writable(home.folder):
        yield "warn-read-only", {"path": str(home.folder)}
    elif _free(home.folder) < _ALMOST_FULL:
        yield "warn-full", {}


def _is(value: object, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _candidates(
    names: Mapping[str, Any], environment: Mapping[str, str], here: Path, spoken: Mapping[str, Any]
) -> Iterator[Path]:
    """Where the notebook may be, the surest place first."""
    for told in (environment.get("JPY_SESSION_NAME"), names.get("__vsc_ipynb_file__")):
        path = here / told if isinstance(told, str) and told else None
        if path and path.suffix == ".ipynb" and path.is_file():
            yield path
    known = {path: settings for path in sorted(here.glob("*.ipynb")) if (settings := _read(path)[0]).get("level")}
    if len(known) > 1 and spoken:
        # Several notebooks of one study lie together: this is the one that says what the kernel says.
        telling = ("study", "lang", "level", "part")
        known = {p: s for p, s in known.items() if all(s.get(name) == spoken.get(name) for name in telling)}
    if len(known) == 1:
        yield from known


def _read(path: Path) -> tuple[dict[str, Any], Notebook | None]:
    book, _ = load_notebook(path, path.name)
    if book is None or not book.cells:
        return {}, None
    source = next((cell.source for cell in book.cells if cell.kind == "code" and "parameters" in cell.tags), "")
    values = literal_assignments(source) or {}
    return {name: value for name, value in values.items() if _is(value, PARAMETERS.get(name, ()))}, book


def _tool(book: Notebook | None) -> str:
    about = book.metadata.get("curriculum") if book else None
    return str(about.get("tool", "")) if isinstance(about, dict) else ""


def _session_folder(environment: Mapping[str, str]) -> Path | None:
    """The folder of a notebook that was renamed while its kernel was running."""
    folder = Path(environment.get("JPY_SESSION_NAME") or ".").parent
    return folder if folder.is_absolute() and folder.is_dir() else None


def _on_colab() -> bool:
    return "google.colab" in sys.modules


def _writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return _ALMOST_FULL


def user_names() -> Mapping[str, Any]:
    """The names of the notebook: the kernel's, or those of a plain Python."""
    shell = current_shell()
    names = shell.user_ns if shell else vars(sys.modules["__main__"])
    return names if isinstance(names, Mapping) else {}


def cell_id() -> str:
    """The id of the cell that is running, where the front end tells it."""
    try:
        parent = current_shell().get_parent()
        return str(parent["metadata"].get("cellId") or "")
    except (AttributeError, KeyError, TypeError):
        return ""


def current_shell() -> Any:
    """IPython's shell, or None outside of one."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()
