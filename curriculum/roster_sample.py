"""A sample roster to fill in, with the headings of a language; as XLSX with lists to choose from."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Any

from curriculum.catalog import Catalog
from curriculum.errors import OutputError, RosterError
from curriculum.messages import say
from curriculum.model import LEVELS, words
from curriculum.request import next_monday

#: The columns of a sample; others may be added (`curriculum.roster.COLUMNS`).
COLUMNS = ("id", "learner", "level", "lang", "hours_per_week", "start", "known", "industry")
#: Rows that the lists of a sheet reach to.
_ROWS = 1000


def write_sample(path: Path, catalog: Catalog, lang: str, today: dt.date) -> None:
    """Write three learners to a CSV (UTF-8 with BOM) or an XLSX, by the name. Never overwrites.

    Raises OutputError, and RosterError for another ending or where the package for XLSX is missing.
    """
    if path.exists():
        raise OutputError("already-there", path=str(path))
    start = next_monday(today).isoformat()
    rows = [
        ["s001", say(lang, "roster.sample-first"), LEVELS[0], lang, "6", start, "git", "finance"],
        ["s002", say(lang, "roster.sample-second"), LEVELS[1], lang, "8", start, "git,docker", ""],
        ["s003", say(lang, "roster.sample-third"), LEVELS[2], "en", "10", start, "", "tech"],
    ]
    for row in rows:
        row[2] = say(lang, f"level.{row[2]}")
    heads = [say(lang, f"cohort-page.{column}") for column in COLUMNS]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.casefold() == ".xlsx":
            _write_xlsx(path, heads, rows, catalog, lang)
        elif path.suffix.casefold() == ".csv":
            with path.open("x", encoding="utf-8-sig", newline="") as file:
                csv.writer(file).writerows([heads, *rows])
        else:
            raise RosterError("roster-sample-ending", path=str(path))
    except OSError as error:
        raise OutputError("cannot-write", path=str(path), problem=error.strerror or str(error)) from error


def _write_xlsx(path: Path, heads: list[str], rows: list[list[str]], catalog: Catalog, lang: str) -> None:
    try:
        import openpyxl
        from openpyxl.styles import Font
        from openpyxl.utils import get_column_letter
        from openpyxl.worksheet.datavalidation import DataValidation
    except ImportError as error:
        raise RosterError("roster-no-xlsx", problem=str(error)) from error
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = say(lang, "cohort-page.learners")
    sheet.append(heads)
    for row in rows:
        sheet.append([*row[:4], float(row[4]), dt.date.fromisoformat(row[5]), *row[6:]])
    sheet.freeze_panes = "A2"
    choices = {
        "level": [say(lang, f"level.{level}") for level in LEVELS],
        "lang": ["ja", "en"],
        "industry": list(catalog.stories),
    }
    for number, column in enumerate(COLUMNS, start=1):
        letter = get_column_letter(number)
        sheet[f"{letter}1"].font = Font(bold=True)
        sheet.column_dimensions[letter].width = 16
        # An id is text: Excel would take its zeros away.
        for line in range(2, _ROWS):
            if column == "id":
                sheet[f"{letter}{line}"].number_format = "@"
        if column in choices:
            check = DataValidation("list", formula1=f'"{",".join(choices[column])}"', allow_blank=True)
            sheet.add_data_validation(check)
            check.add(f"{letter}2:{letter}{_ROWS}")
    about = book.create_sheet(say(lang, "roster.sample-about"))
    for head, column in zip(heads, COLUMNS, strict=True):
        about.append([head, say(lang, f"roster.about-{column}")])
    about.column_dimensions["A"].width, about.column_dimensions["B"].width = 20, 90
    for role in catalog.role_files:
        about.append([say(lang, "cohort-page.role"), f"{role}: {words(catalog.role(role).title, lang)}"])
    book.save(path)
