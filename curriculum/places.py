"""Where studies lie: an index in the user's data folder, so that a notebook that was moved finds its progress again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from curriculum.answers import write_file
from curriculum.errors import CurriculumError, ProgressError
from curriculum.progress import FILE, Event, Log

#: How many folders the index keeps for a study, the newest last.
_MOST = 8


def remember(study: str, folder: Path) -> None:
    """Note that a study lies in a folder. What cannot be noted is not: the index only helps."""
    with suppress(CurriculumError, OSError):
        index = _read()
        places = [place for place in index.get(study, []) if place != str(folder)] + [str(folder)]
        if index.get(study) != places[-_MOST:]:
            index[study] = places[-_MOST:]
            write_file(_file(), json.dumps(index, ensure_ascii=False, indent=1).encode())


def known_places(study: str = "") -> list[Path]:
    """The folders in which a study was seen (every study for ""), the newest first, those that are still there."""
    index = _read()
    places = index.get(study, []) if study else [place for entry in index.values() for place in entry]
    return [Path(place) for place in reversed(places) if Path(place).is_dir()]


def found_elsewhere(study: str, here: Path) -> Iterator[tuple[Path, list[Event]]]:
    """Folders other than `here` whose log has events of the study, with these: parents first, then the index."""
    seen = {here}
    for folder in (*list(here.parents)[:3], *known_places(study)):
        if folder in seen:
            continue
        seen.add(folder)
        events = _events(folder, study)
        if events:
            yield folder, events


def adopted(study: str, source: Path, target: Path, log: Log) -> tuple[int, int]:
    """Copy a study's events and answers from one folder into another; how many events and files.

    A file that is there already stays. Raises ProgressError when the source has nothing of the study.
    """
    events = _events(source, study)
    if not events:
        raise ProgressError("adopt-nothing", path=str(source))
    count = log.merge(events)
    files = 0
    for path in sorted((source / "work").rglob("*")):
        to = target / "work" / path.relative_to(source / "work")
        if path.is_file() and not path.is_symlink() and not to.exists():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, to)
            files += 1
    return count, files


def _events(folder: Path, study: str) -> list[Event]:
    if not (folder / FILE).is_file():
        return []
    with suppress(CurriculumError):
        return [event for event in Log(folder, study).events() if event.get("study") == study]
    return []


def _file() -> Path:
    return data_folder() / "studies.json"


@cache
def data_folder() -> Path:
    """Where this person's data of the program lie; not made yet, it may be."""
    told = os.environ.get("CURRICULUM_DATA_DIR")
    if told:
        return Path(told)
    from platformdirs import user_data_path

    return user_data_path("curriculum", appauthor=False)


def _read() -> dict[str, list[str]]:
    try:
        index = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return (
        {k: [p for p in v if isinstance(p, str)] for k, v in index.items() if isinstance(v, list)}
        if isinstance(index, dict)
        else {}
    )
