"""Prove an exercise: its starter, its solution, and the right and wrong answers that are kept for it.

Proofs lie in `<folder>/<exercise>/right/<note>/` and `<folder>/<exercise>/wrong/<criterion>--<note>/`. Each holds the
files that differ from the solution, personal values as `⟦marks⟧`; a file `NAME.absent` says that the answer has no
file NAME.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from curriculum.answers import Submission, submission, write_file
from curriculum.catalog import Catalog
from curriculum.labs.judging import judge, judge_apart
from curriculum.outcome import Outcome
from curriculum.personal import fill

#: The least number of proofs of each kind that an exercise has.
LEAST_RIGHT, LEAST_WRONG = 2, 3


@dataclass(frozen=True)
class Proof:
    """An answer whose outcome is known. `kind` is starter, solution, right or wrong; `criterion` the one that a wrong
    answer misses."""

    exercise: str
    kind: str
    note: str = ""
    folder: Path | None = None

    @property
    def criterion(self) -> str:
        return self.note.partition("--")[0] if self.kind == "wrong" else ""

    @property
    def name(self) -> str:
        return "/".join(part for part in (self.exercise, self.kind, self.note) if part)


def proofs(exercise: str, folder: Path | None) -> Iterator[Proof]:
    """The proofs of an exercise: starter and solution, then those kept in `folder`."""
    yield Proof(exercise, "starter")
    yield Proof(exercise, "solution")
    for kind in ("right", "wrong"):
        place = folder / exercise / kind if folder else None
        if place and place.is_dir():
            yield from (Proof(exercise, kind, path.name, path) for path in sorted(place.iterdir()) if path.is_dir())


def lay_out(proof: Proof, work: Submission, catalog: Catalog) -> None:
    """Write a proof's answer into the folder of `work`, with the given files."""
    work.put_given(catalog.given_file)
    kind = "starter" if proof.kind == "starter" else "solution"
    files = {name: body.encode() for name, body in work.section.files(kind, "en").items()}
    if proof.folder:
        for path in sorted(proof.folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(proof.folder).as_posix()
                if name.endswith(".absent"):
                    files.pop(name.removesuffix(".absent"), None)
                    (work.folder / name.removesuffix(".absent")).unlink(missing_ok=True)
                else:
                    files[name] = path.read_bytes()
    for name, raw in files.items():
        with suppress(UnicodeDecodeError):
            raw = fill(raw.decode(), work.values).encode()
        write_file(work.folder / name, raw)


def run_proof(
    proof: Proof, catalog: Catalog, *, study: str = "", industry: str = "", live: bool = True, apart: bool = False
) -> Outcome:
    """Judge a proof's answer in a temporary folder, as the learner of a study would have it judged."""
    with tempfile.TemporaryDirectory(prefix="curriculum-proof-", ignore_cleanup_errors=True) as name:
        work = submission(catalog, proof.exercise, Path(name) / proof.exercise, study=study, industry=industry)
        work.folder.mkdir()
        lay_out(proof, work, catalog)
        if apart:
            return judge_apart(work, study=study, industry=industry)
        return judge(work, live=live)


def verdict(proof: Proof, outcome: Outcome) -> str:
    """What is wrong with the outcome of a proof, or an empty string when it is as it should be."""
    problem = f" ({outcome.problem.key} {dict(outcome.problem.params)})" if outcome.problem else ""
    if outcome.outcome == "broken":
        return f"the judge broke: {outcome.report}"
    if proof.kind == "starter":
        return "" if outcome.outcome == "not-attempted" else f"the starter is {outcome.outcome}, not not-attempted"
    if proof.kind == "wrong":
        if problem:
            return f"it could not be judged{problem}"
        if outcome.failed != (proof.criterion,):
            return f"not met: {', '.join(outcome.failed) or 'nothing'}; expected: {proof.criterion}"
        return ""
    if outcome.failed or problem:
        found = "; ".join(f"{f.criterion}: {f.found or f.fault}" for f in outcome.findings if f.result == "not-met")
        return f"not met: {found}{problem}"
    unjudged = [f.criterion for f in outcome.findings if f.result == "not-judged" and f.reason not in outcome.missing]
    return f"never judged: {', '.join(unjudged)}" if unjudged else ""
