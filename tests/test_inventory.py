"""The roadmap is whole: everything that the customer's document names has its place, and nothing is said twice."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from curriculum.catalog import catalog_at
from curriculum.lint import _CODE
from curriculum.messages import LANGUAGES
from curriculum.model import LEVELS, Item, Reading
from curriculum.template import Template
from curriculum.translation import of_section
from tests.conftest import REPOSITORY

INVENTORY = Path(__file__).with_name("inventory.csv")
#: Steps of our own that are no entry of the document.
OURS = {"first-lap", "capstone"}
#: The hosts that speak for a product. A page of another host is somebody else's word on it.
OFFICIAL = {
    "ansible": "docs.ansible.com",
    "apache-airflow": "airflow.apache.org",
    "appdynamics": "help.splunk.com",
    "argocd": "argo-cd.readthedocs.io",
    "aws": "docs.aws.amazon.com",
    "azure": "learn.microsoft.com",
    "cloudformation": "docs.aws.amazon.com",
    "datadog": "docs.datadoghq.com",
    "docker": "docs.docker.com",
    "dvc": "doc.dvc.org",
    "elk-stack": "www.elastic.co",
    "fastapi": "fastapi.tiangolo.com",
    "feast": "docs.feast.dev",
    "flask": "flask.palletsprojects.com",
    "fluentd": "docs.fluentd.org",
    "gcp": "docs.cloud.google.com",
    "git": "git-scm.com",
    "git-lfs": "git-lfs.com",
    "github-actions": "docs.github.com",
    "gitlab-ci": "docs.gitlab.com",
    "go": "go.dev",
    "grafana": "grafana.com",
    "graphql": "graphql.org",
    "helm": "helm.sh",
    "hopsworks": "docs.hopsworks.ai",
    "istio": "istio.io",
    "jaeger": "www.jaegertracing.io",
    "jenkins": "www.jenkins.io",
    "kubeflow": "www.kubeflow.org",
    "kubernetes": "kubernetes.io",
    "linkerd": "linkerd.io",
    "mlflow": "mlflow.org",
    "neptune": "docs.neptune.ai",
    "new-relic": "docs.newrelic.com",
    "pachyderm": "github.com",
    "prefect": "docs.prefect.io",
    "prometheus": "prometheus.io",
    "python": "docs.python.org",
    "sagemaker": "docs.aws.amazon.com",
    "tekton": "tekton.dev",
    "terraform": "developer.hashicorp.com",
    "vault": "developer.hashicorp.com",
    "vertex-ai": "docs.cloud.google.com",
    "weights-and-biases": "docs.wandb.ai",
}


@cache
def rows() -> tuple[dict[str, str], ...]:
    with INVENTORY.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@cache
def templates() -> dict[str, Template]:
    catalog = catalog_at(None)
    return {slug: template for slug in catalog.template_files if (template := catalog.template(slug))}


def items() -> Iterator[tuple[str, Item]]:
    for slug, template in templates().items():
        for level in LEVELS:
            yield from ((slug, item) for item in template.items(level))


def readings(template: Template) -> Iterator[Reading]:
    for level in LEVELS:
        yield from template.readings(level)
        for lesson in template.lessons(level):
            yield from lesson.content.readings


def test_every_row_of_the_inventory_leads_somewhere() -> None:
    """To a tool with a template, to the role, or to a level, position, industry, colleague, trait or link of it."""
    role = catalog_at(None).role("mlops-engineer")
    places = {
        "role": {role.role},
        "level": {level.id for level in role.levels},
        "position": {position.id for level in role.levels for position in level.positions},
        **{
            kind: {entry.id for entry in entries}
            for kind, entries in (
                ("industry", role.industries),
                ("team", role.team),
                ("aptitude", role.aptitudes),
                ("reward", role.rewards),
                ("related", role.related),
            )
        },
    }
    assert [int(row["number"]) for row in rows()] == list(range(1, 157))
    lost = []
    for row in rows():
        targets = row["leads_to"].split()
        for target in targets:
            kind, _, name = target.partition(":")
            there = name in places[kind] if name else kind in templates() and kind in role.names
            if not there:
                lost.append((row["number"], target))
        assert targets, row
    assert lost == []


def test_every_entry_comes_from_the_inventory() -> None:
    """94 entries besides our own two, each named by a row."""
    named = {target for row in rows() for target in row["leads_to"].split() if ":" not in target}
    assert named == set(templates()) - OURS
    assert len(named) == 94


def test_every_entry_has_three_checklists_of_four_items() -> None:
    short = [
        (slug, level) for slug, template in templates().items() for level in LEVELS if len(template.items(level)) < 4
    ]
    assert short == []


def test_every_level_of_an_entry_has_something_to_read_and_to_do() -> None:
    """Hours have contents: a lesson or a page, and an exercise or named work."""
    bare = [
        (slug, level)
        for slug, template in templates().items()
        for level in LEVELS
        for minutes in [template.minutage(level, "ja")]
        if not (minutes.lessons or minutes.readings) or not (minutes.exercises or minutes.practice)
    ]
    assert bare == []


def test_what_a_default_plan_teaches_has_a_lesson() -> None:
    """Whatever a plan takes in without being asked, and not what may take its place."""
    catalog = catalog_at(None)
    role = catalog.role("mlops-engineer")
    others = {entry.tool for choice in role.choices for entry in choice.tools[1:]}
    for phase in role.phases:
        for topic in phase.topics:
            for place in topic.tools:
                template = templates()[place.tool]
                for level in LEVELS:
                    if place.need_at(level) != "could" and not place.assumed_at(level):
                        assert template.lessons(level) or place.tool in others, (place.tool, level)


def words_of(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]{3,}", text.casefold())) - {
        "the",
        "and",
        "with",
        "that",
        "what",
        "for",
        "its",
    }


def test_no_item_says_what_another_says() -> None:
    """Across all tools and levels: neither the same sentence nor nearly the same words."""
    said = [(slug, item.id, words_of(item.text["en"])) for slug, item in items()]
    alike = [
        (f"{a}.{i}", f"{b}.{j}")
        for (a, i, one), (b, j, two) in combinations(said, 2)
        if len(one & two) > 0.75 * len(one | two)
    ]
    assert alike == []


def test_items_are_things_one_does() -> None:
    """Not "understand X": a verb that a colleague could watch."""
    vague = re.compile(r"^(understand|know|learn|be (able|familiar)|grasp|master)\b", re.IGNORECASE)
    assert [f"{slug}.{item.id}" for slug, item in items() if vague.search(item.text["en"])] == []
    assert [
        f"{slug}.{item.id}" for slug, item in items() if re.search("(理解する|知る|把握している)$", item.text["ja"])
    ] == []


@pytest.mark.parametrize("slug", sorted(OFFICIAL))
def test_the_documentation_of_a_product_is_its_own(slug: str) -> None:
    assert urlsplit(templates()[slug].front.docs).hostname == OFFICIAL[slug]


def test_addresses_are_well_formed() -> None:
    """https, a host with a dot, no port, no user, nothing that follows people."""
    wrong = []
    for slug, template in templates().items():
        addresses = [
            template.front.docs,
            *(r.url for r in readings(template)),
            *(c.url for c in template.front.changes),
        ]
        for address in addresses:
            parts = urlsplit(address)
            fine = parts.scheme == "https" and "." in (parts.hostname or "") and not parts.port and not parts.username
            if not fine or "utm_" in parts.query or re.search(r"\s", address):
                wrong.append((slug, address))
    assert wrong == []


def test_changes_are_told_with_date_and_page() -> None:
    """What ended or was renamed in the last year, where TOOLS of the field changed under their users."""
    changed = {slug for slug, template in templates().items() if template.front.changes}
    assert {"neptune", "vertex-ai", "jaeger", "aws", "terraform"} <= changed


def test_english_is_spelled_right(tmp_path: Path, need: object) -> None:
    """codespell's dictionary of common mistakes finds none in what people read."""
    assert callable(need)
    need("python:codespell-lib")
    for slug, template in templates().items():
        texts = [
            text
            for section in template.sections
            for string in of_section(section)
            for text in [string.texts.get("en", "")]
        ]
        (tmp_path / f"{slug}.txt").write_text(_CODE.sub("", "\n".join(texts)), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "codespell_lib", "--quiet-level", "2", str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
        cwd=REPOSITORY,
    )
    assert result.stdout == ""
    assert set(LANGUAGES) >= {"en", "ja"}
