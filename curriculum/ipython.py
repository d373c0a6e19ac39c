"""The IPython extension that lets any cell of a reopened notebook be run first.

The wheel places `ipython_config.py` in the environment, which loads this in every kernel. So it costs next to nothing:
the study's code is imported when one of the names is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from curriculum import magic

_NAMES = ("start", "checklist", "check", "dashboard", "done", "undo", "hint", "use", "adopt", "doctor")


def load_ipython_extension(shell: Any) -> None:
    """Give a kernel `%%answer` and the names of a study notebook, where they are not taken. Elsewhere do nothing."""
    if getattr(shell, "kernel", None) is None:
        return
    if magic.NAME not in shell.magics_manager.magics["cell"]:
        magic.register(shell, _lazy(magic.NAME))
    free = {name: _lazy(name) for name in _NAMES if name not in shell.user_ns}
    shell.push(free, interactive=False)


def _lazy(name: str) -> Callable[..., Any]:
    """The function `name` of `curriculum.study`, imported when it is called."""

    def call(*args: Any, **options: Any) -> Any:
        from curriculum import study

        return getattr(study, name)(*args, **options)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"`curriculum.study.{name}`, loaded when it is first called."
    return call
