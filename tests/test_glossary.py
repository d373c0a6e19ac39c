"""The glossary: one form of each term, the same everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from curriculum.glossary import Glossary, Term, read_glossary
from tests.conftest import REPOSITORY

TERMS = Glossary(
    format=1,
    terms=(
        Term(text={"en": "Argo CD", "ja": "Argo CD"}, instead_of={"en": ("ArgoCD",), "ja": ("ArgoCD",)}),
        Term(text={"en": "server", "ja": "サーバー"}, instead_of={"ja": ("サーバ",)}),
        Term(text={"en": "deployment", "ja": "デプロイ"}, instead_of={"ja": ("デプロイメント",)}),
    ),
)


@pytest.mark.parametrize(
    ("text", "lang", "found"),
    [
        ("サーバーを起動します。", "ja", set()),
        ("サーバを起動し、サーバーを止めます。", "ja", {"サーバ"}),
        ("Webサーバを起動します。", "ja", {"サーバ"}),
        ("デプロイします。", "ja", set()),
        ("デプロイメントを見ます。", "ja", {"デプロイメント"}),
        ("ArgoCDで届けます。", "ja", {"ArgoCD"}),
        ("Sync it with ArgoCD.", "en", {"ArgoCD"}),
        ("The image argocd-image and ArgoCDs are other words.", "en", set()),
    ],
)
def test_a_form_is_found_as_a_word_of_its_own(text: str, lang: str, found: set[str]) -> None:
    """Where it stands in the right form, or in a longer word, it is none."""
    assert {wrong for wrong, _ in TERMS.misused(text, lang)} == found


def test_no_term_forbids_itself() -> None:
    """The right forms of our glossary pass it, in both languages, and no form is both right and wrong."""
    glossary, faults = read_glossary(REPOSITORY / "templates" / "glossary.yaml")
    assert glossary and not faults
    assert len(glossary.terms) > 40
    for lang in ("en", "ja"):
        for term in glossary.terms:
            assert not list(glossary.misused(term.text[lang], lang))


def test_a_broken_glossary_is_a_fault_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    path = tmp_path / "templates" / "glossary.yaml"
    path.write_text("format: 1\nterms:\n  - {en: server, ja: サーバー, insteadof: {}}\n", encoding="utf-8")
    faults = read_glossary(path)[1]
    assert {(fault.key, fault.line) for fault in faults} >= {("unknown-key", 3)}
