"""Every exercise of the catalogue is proven: a new one is covered by being there.

Starter: not attempted. Solution and every other right answer: no criterion unmet. Every wrong answer: exactly the
criterion that it is named after.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curriculum.answers import submission
from curriculum.catalog import catalog_at
from curriculum.feedback import feedback
from curriculum.messages import LANGUAGES
from curriculum.outcome import Outcome
from curriculum.progress import State
from curriculum.proving import LEAST_RIGHT, LEAST_WRONG, Proof, lay_out, proofs, run_proof, verdict
from curriculum.result import picture
from tests.conftest import REPOSITORY, found

PLACE = REPOSITORY / "tests" / "proofs"
EXERCISES = [name for name, _ in catalog_at(None).exercises()]
PROOFS = [proof for name in EXERCISES for proof in proofs(name, PLACE)]
#: The two learners of the proofs: the default values, and another's in another industry.
LEARNERS = [("", ""), ("proof", "finance")]

#: Each proof with its learner: the solution is both's, every other answer the one's or the other's in turn.
PAIRS = [
    (proof, learner)
    for n, proof in enumerate(PROOFS)
    for learner in (LEARNERS if proof.kind == "solution" else LEARNERS[n % 2 : n % 2 + 1])
]

#: What a proof of an exercise needs to be real, by the exercise's backend.
NEEDS = {
    "docker": ("docker", "hadolint"),
    "kubernetes": ("kubectl", "python:kubernetes-validate"),
    "mlflow": ("python:mlflow", "python:scikit-learn"),
    "prometheus": ("promtool", "prometheus", "amtool", "python:promql-parser", "python:prometheus-client"),
    "bash": ("bash",),
    "git": ("git", "bash"),
}
#: Packages that exercises without a backend run on, by tool.
PACKAGES = {"first-lap": ("python:fastapi", "python:uvicorn", "python:mlflow", "python:sqlalchemy")}


@pytest.fixture(scope="module")
def kube_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An emulated Kubernetes API, in a context that is named: what it proves is called emulated."""
    if not (found("kubectl") and found("python:kubernetes-validate")):
        yield
        return
    from tests.labs.kube_api import CONTEXT, serving

    kubeconfig = tmp_path_factory.mktemp("kube") / "config"
    with serving(kubeconfig), pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(kubeconfig))
        patch.setenv("CURRICULUM_KUBE_CONTEXT", CONTEXT)
        patch.setenv("CURRICULUM_ALLOW_EMULATED", "1")
        yield


def test_no_proof_is_left_without_its_exercise() -> None:
    """A renamed exercise takes its proofs along, and a wrong answer names a criterion that there is."""
    catalog = catalog_at(None)
    for folder in PLACE.iterdir():
        rubric = catalog.exercise(folder.name).content.rubric
        assert {path.name for path in folder.iterdir()} <= {"right", "wrong"}
        for path in (folder / "wrong").iterdir():
            assert path.name.partition("--")[0] in rubric, path


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_has_enough_proofs(name: str) -> None:
    """At least three answers that people get wrong, and two that are right in other words."""
    kinds = [proof.kind for proof in proofs(name, PLACE)]
    assert kinds.count("right") >= LEAST_RIGHT
    assert kinds.count("wrong") >= LEAST_WRONG


@pytest.mark.parametrize("name", EXERCISES)
def test_the_starter_is_not_attempted_in_any_language(name: str, tmp_path: Path) -> None:
    """Whatever the learner's values and story are."""
    catalog = catalog_at(None)
    for study, industry in LEARNERS:
        for lang in LANGUAGES:
            work = submission(catalog, name, tmp_path / f"{study}-{lang}" / name, study=study, industry=industry)
            work.put_given(catalog.given_file)
            work.reset(lang)
            assert work.untouched_all()
        assert (
            verdict(Proof(name, "starter"), run_proof(Proof(name, "starter"), catalog, study=study, live=False)) == ""
        )


@pytest.mark.parametrize("name", EXERCISES)
def test_no_industry_changes_what_is_right(name: str) -> None:
    """Judged from its files, the solution has nothing against it in any story."""
    catalog = catalog_at(None)
    for industry in catalog.stories:
        outcome = run_proof(Proof(name, "solution"), catalog, study=f"s-{industry}", industry=industry, live=False)
        assert not outcome.failed, outcome
        assert not outcome.problem, outcome
        assert outcome.outcome != "broken", outcome.report


# A real engine on a busy machine may be late once; a wrong verdict is wrong every time.
@pytest.mark.flaky(reruns=2)
@pytest.mark.backend
@pytest.mark.parametrize(("proof", "learner"), PAIRS, ids=[f"{p.name}{'-another' * bool(s)}" for p, (s, _) in PAIRS])
def test_an_answer_has_the_outcome_that_it_should_have(
    proof: Proof, learner: tuple[str, str], need: Callable[[str], None], kube_api: None, tmp_path: Path
) -> None:
    """For real: the tool runs, and what it says is told in every language."""
    catalog = catalog_at(None)
    backend = catalog.exercise(proof.exercise).content.backend
    for name in (*NEEDS.get(backend or "", ()), *PACKAGES.get(catalog.exercise(proof.exercise).tool, ())):
        need(name)
    study, industry = learner
    outcome = run_proof(proof, catalog, study=study, industry=industry)
    assert verdict(proof, outcome) == ""
    if backend and os.environ.get("CURRICULUM_REQUIRE"):
        # A wrong answer may name an image that only a registry has; no right one does.
        beyond = {"docker": "offline"} if proof.kind == "wrong" else {}
        assert outcome.missing in ({}, beyond), "in CI nothing else may be missing"
    if proof.kind in {"solution", "right"}:
        assert outcome.outcome == "passed"
        assert all(finding.result == "met" for finding in outcome.findings)
    rubric = catalog.exercise(proof.exercise).content.rubric
    for finding in outcome.findings:
        assert not finding.fault or finding.fault in rubric[finding.criterion].faults, finding
    work = submission(catalog, proof.exercise, tmp_path / proof.exercise, study=study, industry=industry)
    lay_out(proof, work, catalog)
    for lang in LANGUAGES:
        said = picture(feedback(work.section, outcome, State(), work.values_in(lang), lang), lang, uid="x")
        assert "⟦" not in said.text


def test_a_verdict_is_strict() -> None:
    """The proof of the proofs: what is not as it should be is said."""
    from curriculum.outcome import Finding, Problem

    met, unmet = Finding("a", "met"), Finding("b", "not-met", found="1")
    wrong = Proof("x", "wrong", "b--note")
    assert verdict(wrong, Outcome("x", "failed", (met, unmet))) == ""
    assert "expected: b" in verdict(wrong, Outcome("x", "failed", (Finding("a", "not-met"), unmet)))
    assert "nothing" in verdict(wrong, Outcome("x", "passed", (met,)))
    assert "could not" in verdict(wrong, Outcome("x", "failed", (met,), problem=Problem("answer-missing", {})))
    assert "b: 1" in verdict(Proof("x", "right", "r"), Outcome("x", "failed", (met, unmet)))
    assert "never judged: c" in verdict(
        Proof("x", "solution"), Outcome("x", "failed", (met, Finding("c", "not-judged")))
    )
    assert "passed" in verdict(Proof("x", "starter"), Outcome("x", "passed", (met,)))
    assert "broke" in verdict(Proof("x", "solution"), Outcome("x", "broken", report="boom"))
