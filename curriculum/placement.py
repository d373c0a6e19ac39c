"""From answers to a role's can-you questions to a level and the tools that need no lessons."""

from __future__ import annotations

from collections.abc import Sequence

from curriculum.model import LEVELS, Role


def place(role: Role, answers: Sequence[bool]) -> tuple[str, tuple[str, ...]]:
    """The level and the known tools of someone who answered the role's questions, in their order.

    Up to two fifths yes is a beginner, all yes is advanced, between is intermediate. A yes counts as knowing the
    question's tools only where the question is as deep as the level.
    """
    share = sum(answers) / len(answers) if answers else 0.0
    level = "advanced" if share == 1 else "intermediate" if share > 0.4 else "beginner"
    known = [
        tool
        for question, yes in zip(role.questions, answers, strict=True)
        if yes and LEVELS.index(question.level) >= LEVELS.index(level)
        for tool in question.known
    ]
    return level, tuple(dict.fromkeys(known))
