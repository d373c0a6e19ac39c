"""The roadmap as a picture: an SVG in an `<img>`, with words that say the same.

Front ends drop inline `<svg>` from what they do not trust, and an image cannot see the reader's theme: so it is a data
URI on a white card of its own, and its `alt` text carries everything that it shows.
"""

from __future__ import annotations

import datetime as dt
from html import escape
from urllib.parse import quote

from curriculum.messages import say
from curriculum.roadmap import Roadmap, long_date, short_date, span

_WIDTH, _ROW, _TOP, _LEFT, _FONT = (
    760,
    30,
    26,
    8,
    "system-ui,'Hiragino Sans','Yu Gothic UI','Noto Sans CJK JP',sans-serif",
)
#: By the phase's number: a prelude's first, then over and over those of the phases from 1.
_PRELUDE, _FILLS = "#e5e7eb", ("#cfe3ff", "#d5f0d8", "#ffe9c2", "#eadcff")


def timeline(roadmap: Roadmap) -> str:
    """An `<img>` tag with a bar for every phase that has steps."""
    lang, plan = roadmap.lang, roadmap.plan
    phases = [phase for phase in plan.phases if phase.steps]
    first, days = plan.start, (plan.end - plan.start).days + 1

    def x(date: dt.date) -> float:
        return _LEFT + (date - first).days / days * (_WIDTH - 2 * _LEFT)

    height = _TOP + len(phases) * _ROW + 8
    shapes, said = [], []
    for mark in _marks(first, plan.end):
        anchor = "start" if x(mark) < 40 else "end" if x(mark) > _WIDTH - 40 else "middle"
        shapes.append(f'<path d="M{x(mark):.1f} {_TOP - 6}V{height - 6}" stroke="#b5bcc6" stroke-width="1"/>')
        shapes.append(
            f'<text x="{x(mark):.1f}" y="15" font-size="11" fill="#4b5563" text-anchor="{anchor}">{escape(short_date(mark, lang))}</text>'
        )
    for row, phase in enumerate(phases):
        begin, end = phase.steps[0].start, max(step.end for step in phase.steps)
        left, right = x(begin), x(end + dt.timedelta(days=1))
        top = _TOP + row * _ROW
        title = say(lang, "timeline.phase", number=phase.number, title=roadmap.phase_title(phase.phase))
        width = max(3.0, right - left)
        shapes.append(
            f'<rect x="{left:.1f}" y="{top + 3}" width="{width:.1f}" height="{_ROW - 6}" rx="5" '
            f'fill="{_FILLS[(phase.number - 1) % len(_FILLS)] if phase.number else _PRELUDE}" stroke="#6b7280" stroke-width=".6"/>'
        )
        # Inside the bar where the title fits, else beside it, on the side that has room.
        need = sum(13.0 if ord(sign) > 0x2E7F else 7.5 for sign in title) + 16
        inside, beside = need <= width, right + need <= _WIDTH
        at, anchor = (left + 8, "start") if inside else (right + 8, "start") if beside else (left - 8, "end")
        shapes.append(
            f'<text x="{at:.1f}" y="{top + 20}" font-size="13" fill="#111827" text-anchor="{anchor}">{escape(title)}</text>'
        )
        said.append(say(lang, "timeline.said", title=title, span=span(begin, end, lang)))
    alt = say(
        lang,
        "timeline.alt",
        first=long_date(plan.start, lang),
        last=long_date(plan.end, lang),
        phases=say(lang, "timeline.join").join(said),
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="{_FONT}"><rect width="{_WIDTH}" height="{height}" rx="6" fill="#fff"/>{"".join(shapes)}</svg>'
    )
    return f'<img alt="{escape(alt)}" style="max-width:100%" src="data:image/svg+xml,{quote(svg, safe="/:,;=")}">'


def _marks(first: dt.date, last: dt.date) -> list[dt.date]:
    """At most nine dates, evenly apart by whole weeks."""
    weeks = max(1, -(-((last - first).days + 1) // 7))
    every = -(-weeks // 8)
    return [first + dt.timedelta(weeks=n) for n in range(0, weeks + 1, every) if first + dt.timedelta(weeks=n) <= last]
