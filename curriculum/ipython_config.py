# Loads %%answer, checklist(…) and their like in every kernel of this environment, without importing them yet.
from importlib.util import find_spec

if find_spec("curriculum"):
    get_config().InteractiveShellApp.extensions.append("curriculum.ipython")  # type: ignore[name-defined]  # noqa: F821
