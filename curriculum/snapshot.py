"""Pictures of a study: a checklist, the dashboard, the result of an answer, a hint. Pure: data in, text out.

Each picture is HTML, Markdown and plain text that say the same. The HTML survives the sanitizers of GitHub and of an
untrusted notebook, so it does without headings, scripts, SVG, custom properties, ARIA and data attributes, and says
with words and signs what it shows; colour is never alone. What comes from content or from a person is escaped.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from curriculum.messages import say
from curriculum.model import Plan, Role, words
from curriculum.request import number
from curriculum.template import Tool

#: An item of a checklist: its id, its words, and how it stands: `open`, `declared` (ticked by the learner), `static`
#: or `real` (proven by an exercise, from its files or for real).
Item = tuple[str, str, str]

_SIGNS = {"open": "⬜", "declared": "✅", "static": "📄", "real": "🏅"}
_TEXT_SIGNS = {"open": "[ ]", "declared": "[x]", "static": "[+]", "real": "[*]"}
_BAR = 10
ALIGNED = 'style="text-align:left;vertical-align:middle"'


@dataclass(frozen=True)
class Picture:
    """Something to show, in three forms that say the same."""

    html: str
    markdown: str
    text: str

    def bundle(self) -> dict[str, str]:
        """The forms by MIME type: the data of a notebook's output."""
        return {"text/html": self.html, "text/markdown": self.markdown, "text/plain": self.text}

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.bundle()

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Row:
    """A step of the plan, as the dashboard shows it. `items` is 0 where there is no checklist."""

    phase_number: int
    phase_title: str
    title: str
    tool: str
    ticked: int
    items: int
    hours: float
    start: dt.date | None = None
    end: dt.date | None = None
    passed: int = 0
    exercises: int = 0

    @property
    def finished(self) -> bool:
        return 0 < self.items <= self.ticked and self.passed >= self.exercises

    @property
    def hours_done(self) -> float:
        """The planned hours that count as done: in proportion to the items that are ticked and exercises passed."""
        parts = self.items + self.exercises
        return self.hours * (self.ticked + self.passed) / parts if parts else 0.0


def plan_rows(
    plan: Plan,
    role: Role,
    tools: Mapping[str, Tool],
    lang: str,
    ticked: Mapping[str, int] | None = None,
    passed: Mapping[str, int] | None = None,
) -> list[Row]:
    """One row for each step of a plan; `ticked` counts the ticked items by tool, `passed` the exercises."""
    titles = {phase.id: words(phase.title, lang) for phase in role.phases}
    rows = []
    for phase in plan.phases:
        for step in phase.steps:
            tool = tools[step.tool]
            rows.append(
                Row(
                    phase_number=phase.number,
                    phase_title=titles[phase.phase],
                    title=words(tool.title, lang),
                    tool=step.tool,
                    ticked=(ticked or {}).get(step.tool, 0),
                    items=len(tool.template.items(step.level)) if tool.template else 0,
                    hours=step.hours,
                    start=step.start,
                    end=step.end,
                    passed=(passed or {}).get(step.tool, 0),
                    exercises=len(tool.template.exercises(step.level)) if tool.template else 0,
                )
            )
    return rows


# --- pictures --------------------------------------------------------------------------------------------------------


def checklist(title: str, items: Sequence[Item], lang: str, *, uid: str) -> Picture:
    """The checklist of a tool, and how to tick without clicking."""
    ticked = sum(state != "open" for _, _, state in items)
    example = next((item for item, _, state in items if state == "open"), items[0][0] if items else "")
    how = say(lang, "study.how-to-tick", item=example)
    lines = [
        f'<li title="{escape(item)}">{_SIGNS[state]} {inline(text)} <small>({_state(state, lang)})</small></li>'
        for item, text, state in items
    ]
    html = (
        f"<p><strong>{escape(title)}</strong> {_progress(title, ticked, len(items))}</p>"
        f'<ul style="list-style-type:none;padding-left:4px">{"".join(lines)}</ul>'
        f"<p><small>{inline(how)}</small></p>"
    )
    markdown = [f"**{_plain_markdown(title)}** {ticked}/{len(items)}", ""]
    markdown += [f"- {_SIGNS[state]} {text} ({_state(state, lang)})" for _, text, state in items]
    text_lines = [f"{title} {ticked}/{len(items)}"]
    text_lines += [f"{_TEXT_SIGNS[state]} {text} ({item})" for item, text, state in items]
    return Picture(
        framed(html, lang, uid), "\n".join([*markdown, "", how]), "\n".join([*text_lines, how.replace("`", "")])
    )


def dashboard(rows: Sequence[Row], lang: str, *, uid: str, next: tuple[str, str] | None) -> Picture:
    """Where someone is: the whole, the next step, and the steps phase by phase.

    `next` is the next step's title and the id of its cell (or an address with `#`, where it is in another notebook).
    The phase of the next unfinished step is unfolded. Dates stand in the roadmap only.
    """
    ticked, items = sum(row.ticked for row in rows), sum(row.items for row in rows)
    overall = say(lang, "study.progress")
    html = [f"<p><strong>{overall}</strong> {_progress(overall, ticked, items)}</p>"] if items else []
    markdown = [f"**{overall}** {bar(ticked, items)} {ticked}/{items}"] if items else []
    text = [f"{overall} {bar(ticked, items)} {ticked}/{items}"] if items else []
    if items:
        total = sum(row.hours for row in rows)
        done = say(
            lang, "study.how-done", done=_hours_of(sum(row.hours_done for row in rows), lang), total=_hours(total, lang)
        )
        html.append(f"<p>{escape(done)}</p>")
        markdown += ["", done]
        text.append(done)
    step = _next(next, lang) if next else _all_done(rows, lang)
    if step:
        html.append(f"<p>{step.html}</p>")
        markdown += ["", step.markdown]
        text.append(step.text)
    here = _current_phase(rows)
    for phase, group in groupby(rows, key=lambda row: (row.phase_number, row.phase_title)):
        part = _phase(phase, list(group), lang, unfolded=phase[0] == here)
        html.append(part.html)
        markdown += ["", part.markdown]
        text += ["", part.text]
    return Picture(framed("".join(html), lang, uid), "\n".join(markdown).strip(), "\n".join(text).strip())


def notice(lines: Sequence[str], lang: str, *, uid: str) -> Picture:
    """One or several friendly lines."""
    html = "".join(f"<p>ℹ️ {inline(line)}</p>" for line in lines)
    markdown = "\n\n".join(f"ℹ️ {line}" for line in lines)
    return Picture(framed(html, lang, uid), markdown, "\n".join(lines).replace("`", ""))


def uid(study: str, cell_id: str) -> str:
    """The id of a pre-rendered output: from study and cell, so that it never matches a live one and never changes."""
    return hashlib.sha256(f"{study}/{cell_id}".encode()).hexdigest()[:12]


def stacked(pictures: Iterable[Picture]) -> Picture:
    """Several pictures as one, from top to bottom."""
    pictures = list(pictures)
    return Picture(
        "".join(picture.html for picture in pictures),
        "\n\n".join(picture.markdown for picture in pictures),
        "\n\n".join(picture.text for picture in pictures),
    )


def swapped(picture: Picture, uid: str) -> Picture:
    """The picture for the place above a live widget.

    While the widget with this uid lives on the page the picture hides; where the widget is dead (the notebook was
    reopened) its error line hides instead. Where `<style>` is dropped, both show and nothing is lost.
    """
    output = ".jp-OutputArea-child"
    style = (
        f"<style>body:has(.cu-live-{uid}) .cu-snap-{uid}{{display:none}}"
        f"{output}:has(.cu-snap-{uid})+{output}:has(.jupyter-widgets):not(:has(.cu-live-{uid})){{display:none}}</style>"
    )
    return Picture(style + picture.html, picture.markdown, picture.text)


# --- parts -----------------------------------------------------------------------------------------------------------


def _phase(phase: tuple[int, str], rows: Sequence[Row], lang: str, *, unfolded: bool) -> Picture:
    """The steps of a phase. A phase without a title is none: a tool alone."""
    table = _table(rows, lang)
    phase_number, title = phase
    if not title:
        return table
    ticked, items = sum(row.ticked for row in rows), sum(row.items for row in rows)
    hours = _hours(sum(row.hours for row in rows), lang)
    name = say(lang, "study.phase", number=phase_number, title=title)
    count = f"{ticked}/{items}" if items else ""
    about = " · ".join(part for part in (count, hours) if part)
    return Picture(
        f"<details{' open' if unfolded else ''}><summary><strong>{escape(name)}</strong> {about}</summary>{table.html}</details>",
        f"**{_plain_markdown(name)}** {about}\n\n{table.markdown}",
        f"{name} {about}\n{table.text}",
    )


def _table(rows: Sequence[Row], lang: str) -> Picture:
    head = [say(lang, f"study.column-{column}") for column in ("tool", "progress", "exercises", "hours")]
    html_rows, markdown_rows, text_rows = [], [], []
    for row in rows:
        hours = _hours(row.hours, lang)
        done = f" {say(lang, 'study.finished')}" if row.finished else ""
        if row.items:
            shown = _progress(row.title, row.ticked, row.items) + escape(done)
            plain = f"{bar(row.ticked, row.items)} {row.ticked}/{row.items}{done}"
        else:
            shown = plain = say(lang, "study.no-items")
        exercises = f"{row.passed}/{row.exercises}" if row.exercises else "–"
        cells = "".join(f"<td {ALIGNED}>{cell}</td>" for cell in (shown, exercises, hours))
        html_rows.append(f'<tr><th scope="row" {ALIGNED}>{escape(row.title)}</th>{cells}</tr>')
        markdown_rows.append(f"| {_plain_markdown(row.title)} | {plain} | {exercises} | {hours} |")
        passed = f" · {say(lang, 'study.column-exercises')} {exercises}" if row.exercises else ""
        text_rows.append(f"  {row.title}: {plain}{passed} · {hours}" if row.items else f"  {row.title} · {hours}")
    columns = "".join(f'<th scope="col" {ALIGNED}>{name}</th>' for name in head)
    return Picture(
        f"<table><thead><tr>{columns}</tr></thead><tbody>{''.join(html_rows)}</tbody></table>",
        "\n".join([f"| {' | '.join(head)} |", "|:--|:--|:--|:--|", *markdown_rows]),
        "\n".join(text_rows),
    )


def _next(next: tuple[str, str], lang: str) -> Picture:
    title, target = next
    label = say(lang, "study.next")
    link = target if "#" in target else f"#cell-id={target}"
    return Picture(
        f'<strong>{label}</strong> <a href="{escape(link)}">{escape(title)}</a>',
        f"**{label}** [{_plain_markdown(title)}]({link})",
        f"{label} {title}",
    )


def _all_done(rows: Sequence[Row], lang: str) -> Picture | None:
    if not any(row.items for row in rows) or not all(row.finished for row in rows if row.items):
        return None
    sentence = say(lang, "study.all-done")
    return Picture(escape(sentence), sentence, sentence)


def _current_phase(rows: Sequence[Row]) -> int:
    """The phase of the first step that can be ticked and is not finished; else the first one that has steps."""
    return next(
        (row.phase_number for row in rows if row.items and not row.finished), rows[0].phase_number if rows else 0
    )


def _progress(label: str, done: int, total: int) -> str:
    """A bar with its numbers. The label around it is its name for a screen reader."""
    if not total:
        return ""
    name = f"{escape(label)} {done}/{total}"
    return f'<label><progress value="{done}" max="{total}" title="{name}" style="width:140px;height:12px"></progress> {done}/{total}</label>'


def bar(done: int, total: int) -> str:
    """A bar of ten blocks for Markdown and plain text; full only when everything is done, empty only when nothing is."""
    full = done * _BAR // total if total else 0
    if done and not full:
        full = 1
    return "█" * full + "░" * (_BAR - full)


def _state(state: str, lang: str) -> str:
    return say(lang, f"study.state-{state}")


def _hours_of(hours: float, lang: str) -> str:
    """Hours of a part, which may be none."""
    return say(lang, "duration.hours", hours=number(round(hours * 2) / 2))


def _hours(hours: float, lang: str) -> str:
    return say(lang, "duration.hours", hours=number(max(0.5, round(hours * 2) / 2)))


def framed(html: str, lang: str, uid: str) -> str:
    return f'<div class="cu-snap cu-snap-{uid}" lang="{lang}">{html}</div>'


def inline(text: str) -> str:
    """A line of Markdown as HTML: escaped, with `code` and **strong** and nothing else."""
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*\*(?=\S)([^*]+)\*\*", r"<strong>\1</strong>", html)


def blocks(text: str) -> str:
    """Markdown of several lines as HTML: paragraphs and fenced code, each line as `inline` reads it."""
    parts = re.split(r"^```[^\n]*\n(.*?)^```[ \t]*$", text.strip() + "\n", flags=re.MULTILINE | re.DOTALL)
    html = []
    for n, part in enumerate(parts):
        if n % 2:
            html.append(f"<pre><code>{escape(part)}</code></pre>")
        else:
            html += [f"<p>{inline(' '.join(p.split()))}</p>" for p in re.split(r"\n\s*\n", part) if p.strip()]
    return "".join(html)


def _plain_markdown(text: str) -> str:
    """A title that Markdown leaves as it is, in running text and in tables."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
