"""The live checklist. Imported only when a front end is there to show it: it needs anywidget.

A tick counts once Python has written it: the page asks, Python answers, and only then the box stays. The look and the
behaviour lie in widget.css and widget.js beside this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from typing import Any

import anywidget
import traitlets

from curriculum.messages import say

#: The sentences of the page. `{item}` stays for the page to fill.
_LABELS = ("progress", "saving", "ticked", "open", "late", "offline", "failed")


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


class TickList(anywidget.AnyWidget):
    """A list of boxes. `save` writes a tick and returns a sentence when it could not; `saved` is called after the answer."""

    _esm = _asset("widget.js")
    _css = _asset("widget.css")

    # The names must not be those of Widget's own methods: a trait called `open` keeps the widget from appearing.
    uid = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    lang = traitlets.Unicode().tag(sync=True)
    labels: traitlets.Dict = traitlets.Dict().tag(sync=True)
    items: traitlets.List[dict[str, str]] = traitlets.List().tag(sync=True)
    ticked: traitlets.List[str] = traitlets.List().tag(sync=True)

    def __init__(
        self,
        title: str,
        items: Iterable[tuple[str, str]],
        ticked: Iterable[str],
        lang: str,
        *,
        uid: str,
        save: Callable[[str, bool], str],
        saved: Callable[[], None],
    ) -> None:
        super().__init__(
            uid=uid,
            title=title,
            lang=lang,
            labels={name: say(lang, f"study.widget-{name}", title=title, item="{item}") for name in _LABELS},
            items=[{"id": item, "text": text} for item, text in items],
            ticked=sorted(ticked),
        )
        self._save = save
        self._saved = saved
        self.on_msg(self._receive)

    def _receive(self, _widget: object, message: Mapping[str, Any], _buffers: object) -> None:
        """Answer the page. May run on a thread of the kernel's own, while a cell is running."""
        match message:
            case {"type": "ping"}:
                self.send({"type": "pong"})
            case {"type": "set", "id": str(item), "done": bool(done), "seq": int(seq)}:
                problem = self._save(item, done)
                self.send({"type": "ack", "seq": seq, "ok": not problem, "problem": problem})
                if not problem:
                    self._saved()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget alone: its text form is empty, because the picture above it says everything."""
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        return {**data, "text/plain": ""}, metadata
