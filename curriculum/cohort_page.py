"""What an instructor opens: the page and the table of a cohort, made from the lines of its manifest."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterable
from importlib import resources
from typing import IO, Any

from curriculum.messages import LANGUAGES, say, sentences

Json = dict[str, Any]

#: Learners and errors that a page holds; the table and the manifest hold all.
MOST_ROWS, MOST_ERRORS = 20_000, 1_000
COLUMNS = ("id", "learner", "role", "level", "lang", "hours", "hours_per_week", "start", "end", "status")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def write_page(lines: Iterable[Json], out: IO[bytes], lang: str) -> None:
    """One page that needs nothing else: found, sorted, filtered, opened; in every language, `lang` first."""
    import jinja2
    from markupsafe import Markup

    prefix = "cohort-page."
    words = {
        language: {
            key.removeprefix(prefix): text for key, text in sentences(language).items() if key.startswith(prefix)
        }
        for language in LANGUAGES
    }
    source = resources.files("curriculum").joinpath("cohort_page.html").read_text(encoding="utf-8")
    script = _SCRIPT.search(source)
    assert script
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(source)
    page = template.render(
        lang=lang,
        other=next(language for language in LANGUAGES if language != lang),
        words=words,
        words_json=Markup(_safe(words)),
        digest=base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode(),
    )
    before, after = page.split("%ROWS%")
    out.write(before.encode())
    counts: Counter[str] = Counter()
    errors: list[Json] = []
    out.write(b'{"rows":[')
    for total, line in enumerate(lines):
        counts[line["status"]] += 1
        if line.get("error") and len(errors) < MOST_ERRORS:
            errors.append({"row": line["row"], "id": line["id"], **line["error"]})
        if total < MOST_ROWS:
            row = _row(line) | {"files": [file["file"] for file in line["files"]]}
            out.write((b"," if total else b"") + _safe(row).encode())
    about = {"counts": counts, "errors": errors, "total": sum(counts.values())}
    out.write(b"]," + _safe(about)[1:].encode())
    out.write(after.encode())


def write_csv(lines: Iterable[Json], out: IO[bytes], lang: str) -> None:
    """The same as a table that Excel opens as it is; nothing in it is taken for a formula."""
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="", write_through=True)
    table = csv.writer(text)
    table.writerow([say(lang, f"cohort-page.{column}") for column in (*COLUMNS, "file", "number", "error")])
    for line in lines:
        row = _row(line)
        for column in ("level", "lang", "status"):
            row[column] = say(lang, f"cohort-page.{column}-{row[column]}") if row[column] else ""
        files = " ".join(file["file"] for file in line["files"])
        error = line["error"][lang] if line.get("error") else ""
        table.writerow([harmless(value) for value in (*row.values(), files, line["row"], error)])
    text.detach()


def harmless(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and (value.lstrip().startswith(_FORMULA) or value.startswith(("\t", "\r"))):
        return f"'{value}"
    return value


def _row(line: Json) -> Json:
    request = line.get("request") or {}
    known = {**request, **{name: line.get(name) for name in ("id", "hours", "end", "status")}}
    return {column: known.get(column) for column in COLUMNS}


def _safe(value: object) -> str:
    """JSON that may stand in a page: nothing in it ends a script."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
