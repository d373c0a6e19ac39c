"""Content that was validated once is not validated again: it is kept, by what it was read from.

An entry's name holds a digest of the file and of the code that read it, so it is never out of date. It lies in the
user's cache folder (CURRICULUM_CACHE_DIR names another; empty turns the cache off) and is trusted as far as compiled
Python files are. Whatever goes wrong with the cache costs time, never a result.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_READERS = ("model.py", "source.py", "template.py", "catalog.py", "routes.py")


def cached(kind: str, path: Path, build: Callable[[], T]) -> T:
    """What `build` makes of the file at `path`: from the cache, or made and kept. Raises what `build` raises."""
    folder = cache_folder("content")
    if folder is None:
        return build()
    try:
        digest = hashlib.blake2b(path.read_bytes() + _code(), digest_size=12).hexdigest()
    except OSError:
        return build()
    place = hashlib.blake2b(str(path).encode(), digest_size=4).hexdigest()
    stem = f"{kind}-{path.stem}-{place}-"
    entry = folder / f"{stem}{digest}.pickle"
    try:
        with entry.open("rb") as file:
            return pickle.load(file)  # type: ignore[no-any-return]
    except Exception:
        # Missing, torn, or made by other code: it is made anew.
        content = build()
    _keep(folder, stem, entry, content)
    return content


def _keep(folder: Path, stem: str, entry: Path, content: object) -> None:
    temporary = entry.with_name(f".{entry.name}.{os.getpid()}")
    try:
        for old in folder.glob(f"{stem}*.pickle"):
            old.unlink(missing_ok=True)
        temporary.write_bytes(pickle.dumps(content, pickle.HIGHEST_PROTOCOL))
        temporary.replace(entry)
    except (OSError, pickle.PickleError, RecursionError):
        temporary.unlink(missing_ok=True)


@lru_cache(maxsize=1)
def _code() -> bytes:
    """What an entry depends on besides its file: this Python, and the code that reads content."""
    package = Path(__file__).parent
    stamps = [(package / name).stat() for name in _READERS if (package / name).is_file()]
    return repr((sys.version_info[:2], [(stamp.st_mtime_ns, stamp.st_size) for stamp in stamps])).encode()


def cache_folder(name: str) -> Path | None:
    """A folder of that name in the cache, there and writable; None where there can be none."""
    named = os.environ.get("CURRICULUM_CACHE_DIR")
    if named == "":
        return None
    if named is None:
        from platformdirs import user_cache_path

        root = user_cache_path("curriculum", appauthor=False)
    else:
        root = Path(named)
    folder = root / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
