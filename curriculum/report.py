"""A page or two to show someone: what a learner can do, how it is known, and what is not real yet. Pure but for the log.

One self-contained HTML page: no script, no address but the studied tools' own, black on white, made to be printed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from html import escape

from curriculum.model import words
from curriculum.progress import State
from curriculum.request import shown
from curriculum.roadmap import long_date
from curriculum.session import Session
from curriculum.snapshot import inline
from curriculum.template import Template

_STYLE = """
@page { size: A4; margin: 14mm 15mm; }
body { font: 10pt/1.4 "Hiragino Sans", "Noto Sans CJK JP", "Yu Gothic UI", Meiryo, "Segoe UI", Helvetica, Arial, sans-serif;
  color: #1b1f24; background: #fff; max-width: 180mm; margin: 8mm auto; }
h1 { font-size: 16pt; margin: 0 0 2mm; } h2 { font-size: 11.5pt; margin: 5mm 0 1.5mm; } p { margin: 1mm 0; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: 0.6mm 2mm 0.6mm 0;
  border-bottom: 0.2mm solid #d0d7de; } thead th { border-bottom: 0.4mm solid #57606a; font-weight: 600; }
tr { break-inside: avoid; } h2 { break-after: avoid; } code { font-size: 9pt; } .small { color: #424a53; font-size: 8.5pt; }
@media print { body { margin: 0; max-width: none; } }
"""


def report(session: Session, today: dt.date) -> str:
    """The page for a study as it stands. Raises CurriculumError for a study that cannot be read."""
    state = session.log.state()
    role = words(session.course.role.title, session.lang) if session.course else session.title_of(session.tool)
    learner = str(session.home.settings.get("learner") or "")
    title = session.say("report.title", role=role)
    level = session.say(f"level.{session.level}")
    about = " · ".join(part for part in (learner, level, long_date(today, session.lang)) if part)
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p><strong>{escape(about)}</strong></p>",
        *_summary(session, state),
        *_exercises(session, state),
        *_skills(session, state),
        *_not_yet(session, state),
        f'<p class="small">{escape(session.say("report.made-with", made=session.catalog.made_with, study=session.study))}</p>',
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="{session.lang}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{_STYLE}</style></head>\n'
        f"<body><main>\n{chr(10).join(body)}\n</main></body></html>\n"
    )


def _summary(session: Session, state: State) -> Iterator[str]:
    rows = session.rows(state)
    passed, total = sum(row.passed for row in rows), sum(row.exercises for row in rows)
    checks = [state.passed(name) for name, _ in _all(session)]
    real = sum(check is not None and check.how == "real" and not check.waiting for check in checks)
    hours = round(sum(row.hours_done for row in rows))
    yield f"<p>{escape(session.say('report.summary', passed=passed, total=total, real=real, hours=hours))}</p>"
    yield f'<p class="small">{escape(session.say("report.evidence"))}</p>'


def _exercises(session: Session, state: State) -> Iterator[str]:
    """The exercises that were passed, with their evidence; those of the capstone stand last, as in the plan."""
    rows: list[tuple[str, ...]] = []
    for name, template in _all(session):
        check = state.passed(name)
        if check is None:
            continue
        section = session.section(name)
        how = session.say(f"how.{check.how}") + (session.say("report.partly") if check.waiting else "")
        help_ = session.say("report.solution") if name in state.solutions else ""
        if not help_ and state.hints.get(name):
            help_ = session.say("report.hints", count=state.hints[name])
        cells = (_title(session, template), words(section.content.title, session.lang), how, check.at[:10], help_)
        rows.append(cells)
    if rows:
        head = [session.say(f"report.column-{name}") for name in ("topic", "exercise", "evidence", "date", "help")]
        yield f"<h2>{escape(session.say('report.exercises'))}</h2>"
        yield _table(head, rows)


def _skills(session: Session, state: State) -> Iterator[str]:
    lines = []
    for template, level in session.path():
        told = []
        for item in template.items(level):
            standing = session.standing(template, item, state)
            if standing != "open":
                told.append(
                    f"{inline(words(item.text, session.lang))} <small>({session.say(f'study.state-{standing}')})</small>"
                )
        if told:
            lines.append(
                f"<tr><th scope='row'>{escape(_title(session, template))}</th><td>{'<br>'.join(told)}</td></tr>"
            )
    if lines:
        yield f"<h2>{escape(session.say('report.skills'))}</h2>"
        yield f"<table><tbody>{''.join(lines)}</tbody></table>"


def _not_yet(session: Session, state: State) -> Iterator[str]:
    """What a reader should not take for more than it is."""
    lines = []
    for name, _ in _all(session):
        check = state.passed(name)
        if check and (check.how != "real" or check.waiting):
            title = words(session.section(name).content.title, session.lang)
            rubric = session.section(name).content.rubric
            waiting = [words(rubric[slug].text, session.lang) for slug in check.waiting if slug in rubric]
            more = f": {' / '.join(waiting)}" if waiting else ""
            lines.append(f"<li>{inline(shown_whole(title + more))}</li>")
    yield f"<h2>{escape(session.say('report.not-real'))}</h2>"
    yield f"<ul>{''.join(lines)}</ul>" if lines else f"<p>{escape(session.say('report.all-real'))}</p>"


def shown_whole(text: str) -> str:
    """A text on one line, its marks without their brackets: a report names the skill, not a learner's port."""
    return " ".join(text.replace("⟦", "").replace("⟧", "").split())


def _all(session: Session) -> list[tuple[str, Template]]:
    """The exercises of the plan, and any other one that was answered, each with its template."""
    found = {section.name: template for template, level in session.path() for section in template.exercises(level)}
    known = dict(session.catalog.exercises())
    return list((found | {name: known[name] for name in session.answered() if name not in found}).items())


def _title(session: Session, template: Template) -> str:
    return shown(words(template.front.title, session.lang))


def _table(head: list[str], rows: list[tuple[str, ...]]) -> str:
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{inline(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>"
