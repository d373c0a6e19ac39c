"""Judge an answer in a process of its own: `python -m curriculum.labs EXERCISE FOLDER [--json]`.

With --json it prints one JSON object a line: what is about to happen (`tell`), and last the outcome. It ends, and
cleans up, when its standard input closes or it is interrupted.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from curriculum.answers import submission
from curriculum.catalog import catalog_at
from curriculum.errors import AnswerError, CurriculumError
from curriculum.labs.judging import judge


@click.command()
@click.argument("exercise")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, instead of a few words.")
@click.option("--study", default="", help="The study's id, from which personal values are drawn.")
@click.option("--industry", default="", help="The industry of the story.")
@click.option("--content", default="", help="A folder of content over ours.")
def main(exercise: str, folder: Path, as_json: bool, study: str, industry: str, content: str) -> None:
    """Judge the answer in FOLDER with every tool that is there."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    # Whatever a library prints must not stand among the messages.
    os.dup2(2, 1)

    def say(message: Mapping[str, Any]) -> None:
        out.write(json.dumps(message, ensure_ascii=False) + "\n")

    # A server that was started in the background may have handed down that interrupts are ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if as_json:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work = submission(catalog_at(content or None), exercise, folder, study=study, industry=industry)
        outcome = judge(
            work, live=True, tell=lambda key, params: say({"tell": key, "params": params}) if as_json else None
        )
    except CurriculumError as error:
        raise click.ClickException(error.sentence()) from error
    if as_json:
        say(outcome.to_json())
    else:
        out.write(f"{outcome.outcome}\n")
        for finding in outcome.findings:
            out.write(f"  {finding.result:10} {finding.criterion} ({finding.how}) {finding.found}\n")
        if outcome.problem:
            out.write(f"  {AnswerError(outcome.problem.key, **outcome.problem.params).sentence()}\n")
        if outcome.report:
            out.write(outcome.report)


def _end_with_parent() -> None:
    """Wait until standard input closes, then interrupt ourselves, so that every block cleans up behind it."""
    while sys.stdin.buffer.read(1024):
        pass
    if sys.platform == "win32":
        import _thread

        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main()
