"""Personal study notebooks from a role and a level.

The Python API has the words of the command line:

>>> import curriculum
>>> plan = curriculum.plan(role="mlops-engineer", level="beginner", start="2026-11-30")
>>> study = curriculum.generate(role="mlops-engineer", level="beginner", lang="ja")  # doctest: +SKIP

Importing the package costs nothing: the functions are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curriculum.generation import Study, generate, plan

__version__ = "0.1.0"
__all__ = ["Study", "__version__", "generate", "plan"]


def __getattr__(name: str) -> Any:
    if name in {"generate", "plan", "Study"}:
        from importlib import import_module

        value = getattr(import_module("curriculum.generation"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'curriculum' has no attribute {name!r}")
