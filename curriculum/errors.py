"""The tree of errors. Each says what was wrong, where, and what to do, in the reader's language.

CurriculumError            exit code 1; nothing half-written
├── RequestError           a value that someone asked for (unknown level, 0 hours, a date that does not exist)
├── ContentError           a role, a template or a content pack; carries every fault found
├── AnswerError            a learner's answer that cannot be read or run at all
├── RosterError            a roster, or a row of one, cannot be read
├── CohortError            a learner of a cohort, or a whole cohort, cannot be served
├── OutputError            the place where something was to be written
└── ProgressError          a learner's log that cannot be read or written
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from curriculum.messages import say


@dataclass(frozen=True)
class Fault:
    """One thing wrong with content: where it is and, by message key, what it is and how to mend it.

    `cell` and `line` count from 1 (`line` within the cell, or within the file where there is no cell).
    """

    file: str
    key: str
    cell: int | None = None
    line: int | None = None
    params: dict[str, object] = field(default_factory=dict, hash=False)

    def sentence(self, lang: str = "en") -> str:
        """What is wrong and what to do, without the place."""
        return say(lang, f"fault.{self.key}", **with_near(lang, self.params))

    def place(self, lang: str = "en") -> str:
        """The file, and the cell and line where they are known."""
        place = self.file
        if self.cell is not None:
            place += say(lang, "fault.at-cell", cell=self.cell)
        if self.line is not None:
            place += say(lang, "fault.at-line", line=self.line)
        return place


class CurriculumError(Exception):
    """A sentence to a person. `key` names the message; the parameters fill it and travel with the error."""

    def __init__(self, key: str, /, **params: object) -> None:
        super().__init__(key, params)
        self.key = key
        self.params = params

    def sentence(self, lang: str = "en") -> str:
        """The whole message in `lang`."""
        return say(lang, f"error.{self.key}", **with_near(lang, self.params))

    def __str__(self) -> str:
        return self.sentence()

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.key, self.params)


def _rebuild(kind: type[CurriculumError], key: str, params: dict[str, object]) -> CurriculumError:
    return kind(key, **params)


class RequestError(CurriculumError):
    """A value that was asked for cannot be used."""


class AnswerError(CurriculumError):
    """A learner's answer cannot be read or run, so that its criteria cannot be judged."""


class CohortError(CurriculumError):
    """A learner's notebook, or a whole cohort's, cannot be made."""


class RosterError(CurriculumError):
    """A roster, or a row of one, cannot be read. `row` and `column` say where, where they are known."""


class OutputError(CurriculumError):
    """Something could not be written where it was to be written."""


class ProgressError(CurriculumError):
    """The learner's log could not be read or written."""


class ContentError(CurriculumError):
    """Content is at fault. `faults` holds every fault found, not the first."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("content", count=len(self.faults))

    def sentence(self, lang: str = "en") -> str:
        first = self.faults[0]
        rest = say(lang, "error.content-more", count=len(self.faults) - 1) if len(self.faults) > 1 else ""
        return f"{first.place(lang)}: {first.sentence(lang)}{rest}"

    def __reduce__(self) -> tuple[object, ...]:
        return ContentError, (self.faults,)


def near(word: str, choices: Iterable[str]) -> str:
    """The choice that `word` was probably meant to be, or an empty string."""
    by_fold = {choice.casefold(): choice for choice in choices}
    match = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return by_fold[match[0]] if match else ""


def with_near(lang: str, params: dict[str, object]) -> dict[str, object]:
    """Add the finished "did you mean" sentence to the parameters that carry a near miss."""
    guess = params.get("near", "")
    return {**params, "did_you_mean": say(lang, "did-you-mean", near=guess) if guess else ""}
