"""What a run over a cohort has done so far: the manifest while it grows. It survives a kill, and it is the lock.

SQLite holds it beside the studies: it is there after a crash, its memory does not grow with the roster, and its lock
goes with the process that took it. When a run has ended well the manifest says the same, and the journal goes.
"""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from curriculum.errors import CohortError

Json = dict[str, Any]

_TABLE = """create table if not exists learner (
    key text primary key, folded text unique, row integer not null, run integer not null, line text)"""
#: What belongs to the learner's folder, whatever became of the row.
_KEPT = ("request", "files", "hours", "weeks", "end", "fits", "versions")


class Journal:
    """The journal of one output. Raises CohortError while another run has it; sqlite3.OperationalError for a full disk."""

    def __init__(self, path: Path, earlier: Iterable[Json]) -> None:
        """`earlier` are the lines of the manifest that a run before has left; used where the journal is new."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._base = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            # A kill loses nothing that was committed; a power cut may, and then the files themselves tell.
            for pragma in ("locking_mode = exclusive", "journal_mode = wal", "synchronous = off"):
                self._base.execute(f"pragma {pragma}")
            self._base.execute("begin exclusive")
            self._base.execute(_TABLE)
        except sqlite3.OperationalError as error:
            self._base.close()
            if error.sqlite_errorcode not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise
            raise CohortError("cohort-locked", path=str(path.parent)) from error
        except sqlite3.DatabaseError:
            # Not ours, or torn by a power cut: the studies are compared with what they should be anyway.
            self._base.close()
            path.unlink()
            self.__init__(path, earlier)  # type: ignore[misc]
            return
        (last,) = self._base.execute("select max(run) from learner").fetchone()
        if last is None:
            for line in earlier:
                key = line["id"] or f"row {line['row']}"
                self._put(key, fold(key) if line["id"] else None, line["row"], 0, line)
        self.run = (last or 0) + 1
        self.commit()

    def earlier(self, name: str) -> Json | None:
        """What is known of a learner, from this run or one before."""
        found = self._base.execute("select line from learner where key = ?", (name,)).fetchone()
        return json.loads(found[0]) if found and found[0] else None

    def claim(self, name: str, row: int) -> tuple[int, str] | None:
        """Take an id for a row; the row and the id of another learner of this run who has it, or one that reads alike."""
        folded = fold(name)
        found = self._base.execute("select key, row, run from learner where folded = ?", (folded,)).fetchone()
        if found and found[2] == self.run:
            return found[1], found[0]
        if found and found[0] != name:
            self._base.execute("delete from learner where folded = ?", (folded,))
        self._base.execute(
            "insert into learner values (?, ?, ?, ?, null)"
            " on conflict (key) do update set row = excluded.row, run = excluded.run",
            (name, folded, row, self.run),
        )
        return None

    def note(self, line: Json) -> None:
        """Put down a line of the manifest. One without an id, or with an id that another row has, stands for its row."""
        name, row = line["id"], line["row"]
        found = self._base.execute("select row, line from learner where key = ?", (name,)).fetchone() if name else None
        if found and found[0] == row:
            before = json.loads(found[1]) if found[1] else {}
            if line["status"] == "failed":
                line = line | {name: before[name] for name in _KEPT if name in before and not line.get(name)}
            self._put(name, fold(name), row, self.run, line)
        else:
            self._put(f"row {row}", None, row, self.run, line)

    def _put(self, key: str, folded: str | None, row: int, run: int, line: Json) -> None:
        text = json.dumps(line, ensure_ascii=False)
        self._base.execute("insert or replace into learner values (?, ?, ?, ?, ?)", (key, folded, row, run, text))

    def commit(self) -> None:
        """What was noted until now outlives this process."""
        if self._base.in_transaction:
            self._base.execute("commit")
        self._base.execute("begin exclusive")

    def close_roster(self) -> int:
        """The roster was read to its end: whoever was not in it is gone. How many are."""
        self._base.execute("delete from learner where run < ? and folded is null", (self.run,))
        gone = self._base.execute(
            "select key, line from learner where run < ? and line is not null", (self.run,)
        ).fetchall()
        for key, text in gone:
            line = json.loads(text) | {"status": "gone", "error": None}
            self._base.execute("update learner set line = ? where key = ?", (json.dumps(line, ensure_ascii=False), key))
        return len(gone)

    def lines(self) -> Iterator[Json]:
        """The manifest: this roster's rows in their order, then whoever is not in it any more."""
        rows = self._base.execute(
            "select line from learner where line is not null order by run < ?, row, key", (self.run,)
        )
        for (text,) in rows:
            yield json.loads(text)

    def close(self, *, done: bool) -> None:
        """Let others in. When all is `done` the manifest says it, and the journal goes."""
        # On a full disk what is not put down yet is lost; the next run then looks at the files.
        with suppress(sqlite3.OperationalError):
            if self._base.in_transaction:
                self._base.execute("commit")
        self._base.close()
        if done:
            for end in ("", "-wal", "-shm"):
                Path(f"{self.path}{end}").unlink(missing_ok=True)


def fold(name: str) -> str:
    """A form in which ids are equal that some system takes for the same folder: case, width, Unicode form."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
