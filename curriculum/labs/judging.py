"""Judge an exercise: here, with what files tell, or in a process of its own, with every tool that is there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from curriculum.answers import Submission
from curriculum.errors import CurriculumError
from curriculum.labs import find_judge
from curriculum.labs.lab import Lab
from curriculum.labs.process import own_group
from curriculum.model import Exercise
from curriculum.outcome import Finding, Outcome, Problem, conclude

Tell = Callable[[str, Mapping[str, Any]], None]

#: A check may take this long, in seconds. Building an image without a cache is the slowest that it waits for.
MOST_SECONDS = 1200
#: Seconds that an interrupted check has for cleaning up before it is killed.
PATIENCE = 20


def judge(submission: Submission, *, live: bool, tell: Tell | None = None) -> Outcome:
    """Judge what lies in the folder of a submission. Never raises for an answer, nor for a judge that breaks.

    With `live` it starts programs and asks backends: a learner's kernel leaves that to a process of its own.
    """
    section, exercise = submission.section, submission.section.content
    if submission.untouched_all():
        return Outcome(section.name, "not-attempted", _unjudged(exercise))
    lab = Lab(
        section.name,
        submission.folder,
        submission.values,
        files=submission.files,
        given=exercise.given,
        live=live,
        tell=tell,
    )
    found: dict[str, Finding] = {}
    problem = None
    try:
        for finding in find_judge(section.tool, section.name, submission.judges)(lab):
            if finding.criterion not in exercise.rubric:
                raise KeyError(f"{section.name} has no criterion {finding.criterion!r}")
            found[finding.criterion] = finding
    except CurriculumError as error:
        problem = Problem(error.key, error.params)
    except Exception:
        return Outcome(section.name, "broken", _unjudged(exercise), report=traceback.format_exc())
    wanting = {slug: exercise.backend or "" for slug, criterion in exercise.rubric.items() if criterion.live}
    if not live:
        # What was not even looked for is not missing; it is still to come.
        wanting = dict.fromkeys(exercise.rubric, "later") | wanting
        lab.missing |= dict.fromkeys(wanting.values(), "later")
    return conclude(section.name, exercise.rubric, found, lab.missing, wanting, problem)


def _unjudged(exercise: Exercise) -> tuple[Finding, ...]:
    return tuple(Finding(slug, "not-judged") for slug in exercise.rubric)


def judge_apart(
    submission: Submission,
    *,
    content: str = "",
    study: str = "",
    industry: str = "",
    kube_context: str = "",
    tell: Tell | None = None,
    timeout: float = MOST_SECONDS,
) -> Outcome:
    """Judge in a process of its own, with everything that is there. Interrupted, it ends that process and raises.

    A process that dies or never ends gives an outcome too: the first is `broken`, the second an answer's problem.
    """
    argv = [sys.executable, "-m", "curriculum.labs", submission.section.name, str(submission.folder), "--json"]
    argv += ["--study", study, "--industry", industry, "--content", content]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
    if kube_context:
        environment["CURRICULUM_KUBE_CONTEXT"] = kube_context
    # stdin stays open: the child ends, and cleans up, when it closes because we are gone.
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **own_group()
    ) as process:
        errors: list[bytes] = []
        reader = threading.Thread(
            target=lambda: errors.append(process.stderr.read() if process.stderr else b""), daemon=True
        )
        reader.start()
        late = threading.Event()

        def give_up() -> None:
            late.set()
            _end(process)

        timer = threading.Timer(timeout, give_up)
        timer.daemon = True
        timer.start()
        try:
            outcome = _listen(process, tell)
        except BaseException:
            _end(process)
            raise
        finally:
            timer.cancel()
            with suppress(OSError):
                if process.stdin:
                    process.stdin.close()
        process.wait()
        reader.join(timeout=1)
    if outcome is not None:
        return outcome
    unjudged = _unjudged(submission.section.content)
    if late.is_set():
        problem = Problem("answer-too-long", {"seconds": round(timeout)})
        return Outcome(submission.section.name, "failed", unjudged, problem=problem)
    report = b"".join(errors).decode("utf-8", "replace")[-5000:] or f"exit code {process.returncode}"
    return Outcome(submission.section.name, "broken", unjudged, report=report)


def _listen(process: subprocess.Popen[bytes], tell: Tell | None) -> Outcome | None:
    assert process.stdout is not None
    for line in process.stdout:
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if "tell" in message and tell:
            tell(message["tell"], message["params"])
        if "outcome" in message:
            return Outcome.from_json(message)
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the child to stop, which cleans up what it made; kill it when it does not."""
    with suppress(OSError):
        if process.stdin:
            process.stdin.close()
    deadline = time.monotonic() + PATIENCE
    if sys.platform != "win32":
        with suppress(OSError):
            process.send_signal(signal.SIGINT)
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    with suppress(OSError):
        process.kill()
