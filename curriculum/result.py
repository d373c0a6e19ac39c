"""The picture of a check's result: the rubric, what was expected and found, what comes next, and folded help. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from curriculum.messages import say
from curriculum.snapshot import ALIGNED, Picture, blocks, framed, inline

#: Signs by state of a criterion; the word beside says the same.
_SIGNS = {"met": "✅", "not-met": "❌", "waiting": "⏳", "later": "⏳", "not-judged": "➖"}
_TEXT_SIGNS = {"met": "[x]", "not-met": "[ ]", "waiting": "[~]", "later": "[~]", "not-judged": "[-]"}


@dataclass(frozen=True)
class Line:
    """A criterion in a result. `state` is met, not-met, waiting (for a backend), later (being judged) or not-judged."""

    state: str
    text: str
    how: str = ""
    found: str = ""
    expected: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Fold:
    """Something that opens with a click: help, a recorded session, a solution."""

    sign: str
    title: str
    text: str
    open: bool = False


@dataclass(frozen=True)
class Result:
    """What a check came to, in the learner's language. `notes` stand above the rubric, `after` below it."""

    lead: str
    notes: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    after: tuple[str, ...] = ()
    folds: tuple[Fold, ...] = ()


def picture(result: Result, lang: str, *, uid: str) -> Picture:
    """The result as HTML, Markdown and text that say the same."""
    return Picture(
        framed(_html(result, lang), lang, uid),
        "\n\n".join(_markdown(result, lang)),
        "\n".join(_text(result, lang)),
    )


def _html(result: Result, lang: str) -> str:
    parts = [f"<p><strong>{inline(result.lead)}</strong></p>"]
    parts += [f"<p>{inline(note)}</p>" for note in result.notes]
    if result.lines:
        head = "".join(f'<th scope="col" {ALIGNED}>{escape(name)}</th>' for name in _head(lang))
        rows = "".join(
            f"<tr><td {ALIGNED}>{_SIGNS[line.state]} {escape(_word(line, lang))}</td>"
            f"<td {ALIGNED}>{inline(line.text)}</td><td {ALIGNED}>{_details(line, lang)}</td></tr>"
            for line in result.lines
        )
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    parts += [f"<p>{inline(line)}</p>" for line in result.after]
    parts += [
        f"<details{' open' if fold.open else ''}><summary>{fold.sign} {escape(fold.title)}</summary>{blocks(fold.text)}</details>"
        for fold in result.folds
    ]
    return "".join(parts)


def _details(line: Line, lang: str) -> str:
    pieces = [inline(line.remark)] if line.remark else []
    for name, data in _data(line, lang):
        shown = f"<pre><code>{escape(data)}</code></pre>" if "\n" in data else f"<code>{escape(data)}</code>"
        pieces.append(f"<small>{escape(name)}</small> {shown}")
    return "".join(f"<div>{piece}</div>" for piece in pieces)


def _markdown(result: Result, lang: str) -> Iterator[str]:
    yield f"**{result.lead}**"
    yield from result.notes
    if result.lines:
        rows = [f"| {' | '.join(_head(lang))} |", "|:--|:--|:--|"]
        for line in result.lines:
            pieces = [line.remark] if line.remark else []
            pieces += [f"{name} `{' '.join(data.split()).replace('`', '´')}`" for name, data in _data(line, lang)]
            cells = (f"{_SIGNS[line.state]} {_word(line, lang)}", line.text, "<br>".join(pieces))
            rows.append("| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |")
        yield "\n".join(rows)
    yield from result.after
    for fold in result.folds:
        yield f"<details><summary>{fold.sign} {escape(fold.title)}</summary>\n\n{fold.text}\n\n</details>"


def _text(result: Result, lang: str) -> Iterator[str]:
    yield plain(result.lead)
    yield from map(plain, result.notes)
    for line in result.lines:
        yield f"  {_TEXT_SIGNS[line.state]} {plain(line.text)} ({_word(line, lang)})"
        if line.remark:
            yield f"      {plain(line.remark)}"
        for name, data in _data(line, lang):
            yield f"      {name} {' '.join(data.split())}"
    yield from map(plain, result.after)
    for fold in result.folds:
        yield f"{plain(fold.title)}:"
        yield from (f"    {text}" for text in plain(fold.text).splitlines())


def _data(line: Line, lang: str) -> list[tuple[str, str]]:
    """What was found and expected, where it says something."""
    pairs = [("study.result-found", line.found), ("study.result-expected", line.expected)]
    return [(say(lang, key), data) for key, data in pairs if data]


def _head(lang: str) -> Sequence[str]:
    return [say(lang, f"study.result-{name}") for name in ("state", "criterion", "details")]


def _word(line: Line, lang: str) -> str:
    word = say(lang, f"study.result-{line.state}-state" if line.state == "waiting" else f"study.result-{line.state}")
    return f"{word} ({say(lang, f'how.{line.how}')})" if line.how and line.state == "met" else word


def plain(text: str) -> str:
    """A line of Markdown as plain text."""
    return text.replace("**", "").replace("`", "")
