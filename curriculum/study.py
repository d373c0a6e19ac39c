"""What the cells of a study notebook call: `from curriculum.study import *`.

Every function works as the first one after a kernel has started, never raises at a learner, and never writes to
stderr: what goes wrong is told in a sentence, in the learner's language.
"""

from __future__ import annotations

import functools
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum import doctor as physician
from curriculum import magic, result, snapshot
from curriculum.checking import without_later
from curriculum.errors import CurriculumError, RequestError
from curriculum.home import cell_id, current_shell, find_home, live_front_end, user_names
from curriculum.messages import say
from curriculum.outcome import Outcome
from curriculum.progress import State
from curriculum.request import shown, system_language
from curriculum.session import Session
from curriculum.snapshot import Item, Picture

__all__ = ["adopt", "check", "checklist", "dashboard", "doctor", "done", "hint", "start", "undo", "use"]

#: The star import puts our `start` over the parameter of that name: what the parameter held is taken before.
_START = user_names().get("start")


# --- the functions ---------------------------------------------------------------------------------------------------


def _friendly(*, returned: bool) -> Callable[[Callable[..., Picture | None]], Callable[..., Any]]:
    """Turn whatever goes wrong into a picture.

    With `returned` it is the call's result, which the notebook shows. Without, it is shown at once: those calls may
    stand inside a `try` or a loop, where a result is not shown.
    """

    def decorate(call: Callable[..., Picture | None]) -> Callable[..., Any]:
        @functools.wraps(call)
        def friendly(*args: Any, **options: Any) -> Picture | None:
            try:
                return call(*args, **options)
            except Exception as error:
                picture = snapshot.notice([_sentence(error)], _desk.lang(), uid=_new_uid())
            if returned:
                return picture
            _page().display(picture)
            return None

        return friendly

    return decorate


def _sentence(error: Exception) -> str:
    if isinstance(error, CurriculumError):
        return error.sentence(_desk.lang())
    return say(_desk.lang(), "study.bug", problem=shown(f"{type(error).__name__}: {error}"))


@_friendly(returned=False)
def start(tool: str = "") -> None:
    """Begin, or go on: show where you are and what comes next."""
    _register_answer()
    session = _desk.open(tool)
    state = session.log.state()
    if remarks := session.remarks():
        _page().display(snapshot.notice(remarks, session.lang, uid=_new_uid()))
    _desk.show("dashboard", session.dashboard, state)
    with suppress(Exception):
        # A glance at the machine never keeps anyone from beginning.
        if line := physician.glance_line(physician.of_session(session, quick=True), session.lang):
            _page().display(snapshot.notice([line], session.lang, uid=_new_uid()))


@_friendly(returned=False)
def dashboard() -> None:
    """Show where you are and what comes next."""
    session = _desk.session
    _desk.show("dashboard", session.dashboard, session.log.state())


@_friendly(returned=False)
def checklist(tool: str = "", *levels: str) -> None:
    """Show a tool's checklist, to be ticked: `checklist("docker")`."""
    session = _desk.session
    chosen = session.levels(levels)
    template = session.template(tool)
    slug = template.front.tool

    def draw(state: State, uid: str) -> Picture:
        return session.checklist(slug, chosen, state, uid)

    def items(state: State) -> list[Item]:
        return session.items(template, chosen, state)

    _desk.show(f"checklist {slug} {' '.join(chosen)}", draw, session.log.state(), items)


@_friendly(returned=True)
def done(*items: Any) -> Picture:
    """Tick items without clicking: `done("docker.run")`."""
    return _mark(items, True)


@_friendly(returned=True)
def undo(*items: Any) -> Picture:
    """Take ticks back: `undo("docker.run")`."""
    return _mark(items, False)


@_friendly(returned=True)
def hint(exercise: str = "") -> Picture:
    """Open the next hint of an exercise: `hint("docker-first-image")`. What is opened is written to the log."""
    session = _desk.session
    return result.picture(session.hint(str(exercise)), session.lang, uid=_new_uid())


@_friendly(returned=False)
def answer(line: str, cell: str = "") -> None:
    """The cell magic `%%answer EXERCISE FILE [--replace]`: write the cell to the exercise's file, then check it."""
    session = _desk.session
    words = line.split()
    names = [word for word in words if word != "--replace"]
    if len(names) != 2:
        raise RequestError("answer-usage")
    exercise, file = names
    written = session.answer(exercise, file, cell, replace="--replace" in words)
    _check(exercise, session.notes(written), lazy=written.kind == "same")


@_friendly(returned=False)
def check(exercise: str = "", *, again: bool = False) -> None:
    """Check an exercise by the files in its folder: `check("docker-first-image")`.

    An answer that was checked before is not checked again, except with `again=True`.
    """
    _check(str(exercise), [], again=again)


@_friendly(returned=True)
def use(backend: str = "", context: str = "") -> Picture:
    """Let the checks of a backend use a context of yours: `use("kubernetes", context="kind-study")`."""
    session = _desk.session
    if not context:
        return snapshot.notice([session.say("study.use-usage")], session.lang, uid=_new_uid())
    session.use(str(backend), str(context))
    text = session.say("study.used", backend=backend, context=f"`{context}`")
    return snapshot.notice([text], session.lang, uid=_new_uid())


@_friendly(returned=True)
def adopt(folder: str = "") -> Picture:
    """Bring the progress of this study from the folder where it lies: `adopt(r"C:\\old\\place")`."""
    session = _desk.session
    events, files = session.adopt(Path(folder).expanduser())
    _desk.refresh()
    text = session.say("study.adopted", path=str(folder), events=events, files=files)
    return snapshot.notice([text], session.lang, uid=_new_uid())


@_friendly(returned=True)
def doctor() -> Picture:
    """Tell what this machine has for the exercises of this study, and how to get what it lacks. It changes nothing."""
    session = _desk.session
    return physician.picture(physician.of_session(session), session.lang, uid=_new_uid())


def _check(exercise: str, notes: list[str], *, again: bool = False, lazy: bool = False) -> None:
    """Check an exercise and show the result: what files tell at once, then, in the same place, all of it."""
    session = _desk.session
    uid = _new_uid()
    shown: list[Outcome] = []

    def show(outcome: Outcome, more: list[str], *, pending: bool) -> None:
        told = session.result(exercise, outcome, notes=[*notes, *more], pending=pending)
        picture = result.picture(told, session.lang, uid=uid)
        (_page().update_display if shown else _page().display)(picture, display_id=f"cu-{uid}")
        shown.append(outcome)

    def tell(key: str, params: Mapping[str, Any]) -> None:
        show(shown[-1], [session.say(key, **params)], pending=True)

    try:
        for outcome in session.check(exercise, again=again, lazy=lazy, tell=tell):
            show(outcome, [], pending=outcome.pending)
    except KeyboardInterrupt:
        if shown:
            show(without_later(shown[-1]), [session.say("study.result-stopped")], pending=False)
    # A pass ticks what it proves.
    _desk.refresh()


def _mark(items: tuple[Any, ...], value: bool) -> Picture:
    session = _desk.session
    # A list of items is as good as the items.
    items = tuple(str(name) for item in items for name in (item if isinstance(item, list | tuple | set) else [item]))
    if not items:
        raise RequestError("no-items-named")
    # Dictionaries keep the order in which the items were named.
    lists = {session.level_of(item): None for item in items}
    session.tick(items, value)
    state = _desk.refresh()
    return snapshot.stacked(session.checklist(tool, (level,), state, _new_uid()) for tool, level in lists)


# --- what is on the page ---------------------------------------------------------------------------------------------


@dataclass
class Shown:
    """Something on the page that follows the state: a picture and, where a front end is there, its widget."""

    uid: str
    draw: Callable[[State, str], Picture]
    items: Callable[[State], list[Item]] | None = None
    widget: Any = None
    html: str = ""

    def picture(self, state: State) -> Picture:
        picture = self.draw(state, self.uid)
        return picture if self.widget is None else snapshot.swapped(picture, self.uid)

    def ticked(self, state: State) -> list[str]:
        return sorted(item for item, _, mark in self.items(state) if mark != "open") if self.items else []

    def close(self) -> None:
        if self.widget is not None:
            with suppress(Exception):
                self.widget.close()


class Desk:
    """The session of this kernel and what it has shown. Ticks come in on threads of the kernel's own, hence the lock."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._shown: dict[str, Shown] = {}
        self._lock = threading.RLock()

    @property
    def session(self) -> Session:
        """The session, begun silently where no Start cell was run."""
        return self._session or self.open()

    def open(self, tool: str = "") -> Session:
        """The session of the notebook as it is now: the one that is open, if nothing has changed."""
        names = dict(user_names())
        if not isinstance(names.get("start"), str):
            names["start"] = _START
        with self._lock:
            home = find_home(names, os.environ, Path.cwd())
            current = self._session
            if current is None or current.home != home or (tool and current.tool != tool):
                self._close()
                current = self._session = Session(home, tool)
            return current

    def lang(self) -> str:
        return self._session.lang if self._session else system_language()

    def show(
        self,
        what: str,
        draw: Callable[[State, str], Picture],
        state: State,
        items: Callable[[State], list[Item]] | None = None,
    ) -> None:
        """Show a picture that follows the state and, for `items`, the widget below it that ticks them.

        When the same cell shows the same thing again, what it showed before is let go.
        """
        with self._lock:
            key = f"{cell_id()} {what}"
            if key in self._shown:
                self._shown.pop(key).close()
            thing = Shown(_new_uid(), draw, items)
            thing.widget = self._widget(thing, state)
            picture = thing.picture(state)
            thing.html = picture.html
            self._shown[key] = thing
        _page().display(picture, display_id=f"cu-{thing.uid}")
        if thing.widget is not None:
            _page().display(thing.widget)

    def refresh(self) -> State:
        """Draw anew whatever the state has changed; the state."""
        with self._lock:
            state = self.session.log.state()
            for thing in self._shown.values():
                self._redraw(thing, state)
            return state

    def _redraw(self, thing: Shown, state: State) -> None:
        picture = thing.picture(state)
        if picture.html == thing.html:
            return
        thing.html = picture.html
        if thing.widget is not None:
            thing.widget.ticked = thing.ticked(state)
        _page().update_display(picture, display_id=f"cu-{thing.uid}")

    def _widget(self, thing: Shown, state: State) -> Any:
        """The widget that ticks a thing's items, or None where there are none or nothing could show it."""
        if thing.items is None or not live_front_end(user_names(), os.environ):
            return None
        try:
            from curriculum.widget import TickList
        except ImportError:
            return None
        items = thing.items(state)
        return TickList(
            self.session.title(items),
            [(item, text) for item, text, _ in items],
            thing.ticked(state),
            self.session.lang,
            uid=thing.uid,
            save=self._save,
            saved=self._saved,
        )

    def _save(self, item: str, value: bool) -> str:
        """Write a tick for the page; a sentence when it could not be written."""
        try:
            self.session.tick([item], value)
        except Exception as error:
            return _sentence(error)
        return ""

    def _saved(self) -> None:
        # The tick is written and acknowledged: a picture that cannot be drawn anew takes nothing away.
        with suppress(Exception):
            self.refresh()

    def _close(self) -> None:
        for thing in self._shown.values():
            thing.close()
        self._shown.clear()


_desk = Desk()


def _new_uid() -> str:
    """A name for one display: one that a reopened notebook does not share with a live one."""
    return secrets.token_hex(6)


def _page() -> Any:
    """Where things are shown. IPython is at home in a kernel, and nowhere else needed."""
    import IPython.display

    return IPython.display


def _register_answer() -> None:
    """Give the kernel `%%answer`; outside of one there is nothing to do."""
    if shell := current_shell():
        magic.register(shell, answer)
