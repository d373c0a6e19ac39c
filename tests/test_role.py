"""The role against the customer's document: everything that it names has a place, in both languages.

The tables below are the document's own structure and terms, typed off it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import pytest

from curriculum.catalog import catalog_at
from curriculum.model import LEVELS, Phase, Role, words

DUTIES = {
    "ML基盤構築": {
        "MLプラットフォーム設計": ["全社", "アーキテクチャ"],
        "パイプライン自動化": ["学習", "推論", "デプロイ"],
        "リソース管理": ["GPU", "CPU", "ストレージ"],
        "セキュリティ": ["モデル", "データ", "保護"],
    },
    "運用・監視": {
        "モデル監視": ["性能劣化", "ドリフト"],
        "ログ・メトリクス": ["運用データ", "分析"],
        "アラート・対応": ["障害", "検知", "復旧"],
        "SLA管理": ["可用性", "レスポンス時間"],
    },
    "CI/CD・自動化": {
        "継続的統合": ["コード", "モデル", "データ", "テスト"],
        "継続的デプロイ": ["カナリアリリース", "ブルーグリーンデプロイ"],
        "バージョン管理": ["モデル", "データ", "コード"],
        "ロールバック": ["問題"],
    },
    "チーム連携・プロセス改善": {
        "開発効率化": ["データサイエンティスト", "MLエンジニア", "生産性"],
        "標準化": ["開発", "運用", "統一"],
        "ツール選定": ["MLOpsツール", "評価", "導入"],
        "教育・サポート": ["チームメンバー", "技術"],
    },
}
SKILLS = {
    "インフラ・クラウド": {
        "クラウドプラットフォーム": ["AWS", "GCP", "Azure"],
        "コンテナ": ["Docker", "Kubernetes", "Helm"],
        "IaC": ["Terraform", "CloudFormation", "Ansible"],
        "サービスメッシュ": ["Istio", "Linkerd"],
    },
    "MLOpsツール": {
        "実験管理": ["MLflow", "Weights & Biases", "Neptune"],
        "パイプライン": ["Kubeflow", "Apache Airflow", "Prefect"],
        "モデル管理": ["MLflow", "DVC", "Pachyderm"],
        "特徴量ストア": ["Feast", "Hopsworks"],
    },
    "監視・運用": {
        "監視": ["Prometheus", "Grafana", "DataDog"],
        "ログ管理": ["ELK Stack", "Fluentd"],
        "APM": ["New Relic", "AppDynamics"],
        "セキュリティ": ["Vault", "RBAC", "ネットワークセキュリティ"],
    },
    "プログラミング・開発": {
        "プログラミング": ["Python", "Go", "Shell Script"],
        "CI/CD": ["Jenkins", "GitLab CI", "GitHub Actions"],
        "バージョン管理": ["Git", "Git LFS"],
        "API開発": ["FastAPI", "Flask", "REST", "GraphQL"],
    },
}
LEVELS_JA = {
    "beginner": ("初級", 0, 2, ["ジュニアMLOpsエンジニア"], [["既存|動いている", "運用", "保守"], ["シニアエンジニア", "指導", "タスク"]]),
    "intermediate": ("中級", 3, 5, ["MLOpsエンジニア"], [["独立|独力", "設計", "実装"], ["ML基盤", "改善", "最適化"]]),
    "advanced": ("上級", 5, None, ["シニアMLOpsエンジニア", "MLプラットフォームアーキテクト", "DevOpsリード", "SREマネージャー"], []),
}  # fmt: skip
SENIOR = {
    "シニアMLOpsエンジニア": ["技術リーダー", "アーキテクト"],
    "MLプラットフォームアーキテクト": ["全社", "ML基盤", "責任"],
    "DevOpsリード": ["インフラ・運用チーム", "責任者"],
    "SREマネージャー": ["サイト信頼性|サイトの信頼性", "責任"],
}
PHASES = [
    ("インフラ基礎", (2, 3), {"Linux基礎": ["コマンドライン", "シェルスクリプト"], "Docker": ["コンテナ化", "イメージ作成"], "Kubernetes基礎": ["Pod", "Service", "Deployment"]}),
    ("クラウド・自動化", (3, 4), {"クラウド基礎": ["AWS", "GCP", "基本サービス"], "CI/CD": ["Jenkins", "GitHub Actions"], "IaC": ["Terraform", "インフラ自動化"]}),
    ("MLOps専門", (4, 5), {"MLflow": ["実験管理", "モデル管理"], "Kubeflow": ["MLパイプライン構築"], "監視システム": ["Prometheus", "Grafana"]}),
    ("高度な実装", None, {"分散システム": ["マイクロサービス", "負荷分散"], "セキュリティ": ["認証・認可", "データ保護"], "スケーラブル設計": ["大規模システム運用"]}),
]  # fmt: skip
#: The tools and skills that a topic of the document names: they are taught in that very topic.
TAUGHT = {
    "Linux基礎": ["コマンドライン", "Shell Script"],
    "Docker": ["Docker"],
    "Kubernetes基礎": ["Kubernetes"],
    "クラウド基礎": ["AWS", "GCP"],
    "CI/CD": ["Jenkins", "GitHub Actions"],
    "IaC": ["Terraform"],
    "MLflow": ["MLflow", "実験管理", "モデル管理"],
    "Kubeflow": ["Kubeflow", "ML パイプライン"],
    "監視システム": ["Prometheus", "Grafana"],
    "分散システム": ["マイクロサービス", "負荷分散"],
    "セキュリティ": ["認証・認可", "データ保護"],
    "スケーラブル設計": ["スケーラブル設計"],
}
INDUSTRIES = {
    "テック企業": ["GAFA", "メガベンチャー", "スタートアップ"],
    "金融": ["フィンテック", "銀行", "保険"],
    "自動車": ["自動運転", "コネクテッドカー"],
    "ヘルスケア": ["医療AI", "創薬"],
    "製造業": ["スマートファクトリー", "予知保全"],
}
TEAM = {
    "データサイエンティスト": ["モデル", "開発", "分析"],
    "機械学習エンジニア": ["実装", "最適化"],
    "データエンジニア": ["データ基盤", "パイプライン"],
    "ソフトウェアエンジニア": ["アプリケーション開発"],
    "SREエンジニア": ["信頼性", "運用"],
}
APTITUDES = {
    "システム思考": ["全体", "最適化", "効率"],
    "自動化志向": ["手作業", "自動化", "標準化"],
    "問題解決力": ["複雑", "運用課題"],
    "学習意欲": ["新しい", "ツール", "技術"],
}
REWARDS = {
    "基盤構築": ["ML", "土台"],
    "効率化": ["チーム全体", "生産性向上"],
    "安定運用": ["可用性", "システム", "実現"],
    "技術的成長": ["最新", "DevOps", "クラウド"],
}
PLATFORMS = {
    "MLOpsプラットフォーム": {"Kubeflow": "Kubernetes", "MLflow": "モデル", "Vertex AI": "GCP", "SageMaker": "AWS"},
    "CI/CD・自動化": {"GitHub Actions": "テスト", "Jenkins": "継続的", "ArgoCD": "GitOps", "Tekton": "Kubernetes"},
    "監視・運用": {
        "Prometheus": "アラート",
        "Grafana": "ダッシュボード",
        "Jaeger": "分散トレーシング",
        "ELK Stack": "ログ",
    },
}
TRENDS = {
    "エッジMLOps": {
        "エッジデプロイ": ["モバイル", "IoT", "最適化"],
        "フェデレーテッドラーニング": ["分散", "学習", "運用"],
        "モデル圧縮": ["軽", "速|高速"],
        "オフライン推論": ["ネットワーク"],
    },
    "AI/ML特化運用": {
        "モデルドリフト検知": ["データ分布", "変化", "自動", "検出"],
        "A/Bテスト自動化": ["モデル", "性能", "比"],
        "説明可能AI": ["モデル", "解釈性", "運用"],
        "公平性監視": ["バイアス", "検出", "軽減"],
    },
}
RELATED = {
    "../career_path_interactive.html": "診断ツール",
    "machine-learning-engineer.md": "機械学習エンジニア",
    "data-engineer.md": "データエンジニア",
    "devops-engineer.md": "DevOpsエンジニア",
}


@cache
def the_role() -> Role:
    return catalog_at(None).role("mlops-engineer")


def fold(text: str) -> str:
    """Spelling that does not count: width, case, spaces."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()


def ja(text: Mapping[str, str] | None) -> str:
    assert text is not None
    return fold(words(text, "ja"))


def says(text: Mapping[str, str] | None, *terms: str) -> list[str]:
    """The terms that the Japanese text does not have; `|` stands between spellings."""
    return [term for term in terms if not any(fold(one) in ja(text) for one in term.split("|"))]


def named(title: Mapping[str, str], name: str) -> bool:
    """Whether a title is the document's name, or the name with an explanation in brackets."""
    return ja(title) == fold(name) or re.sub(r"\(.*\)$", "", ja(title)) == fold(name)


def titles(things: Iterable[Any]) -> list[str]:
    return [re.sub(r"\(.*\)$", "", ja(thing.title)) for thing in things]


@cache
def tool_slugs() -> dict[str, str]:
    """Slug by every name that a tool's title gives: the title, and what stands in its brackets."""
    slugs = {}
    for tool in catalog_at(None).tools(the_role()).values():
        for title in tool.title.values():
            for name in (title, re.sub(r"\s*[(（].*", "", title), *re.findall(r"[(（]([^)）]*)", title)):
                slugs[fold(name)] = tool.slug
        slugs[fold(tool.slug.replace("-", " "))] = tool.slug
    return slugs


def slug(name: str) -> str:
    aliases = {"rest": "rest-api", "elkstack": "elk-stack", "コマンドライン": "linux-command-line"}
    return aliases.get(fold(name)) or tool_slugs()[fold(name)]


# --- the parts of the document ---------------------------------------------------------------------------------------


def test_what_the_role_is() -> None:
    """Its name, and the sentence that defines it."""
    assert named(the_role().title, "MLOpsエンジニア")
    assert says(the_role().overview, "機械学習システム", "運用", "自動化", "基盤構築", "専門家") == []
    assert says(the_role().overview, "本番環境", "インフラ", "プロセス", "ツール", "設計", "構築", "改善") == []


def test_four_groups_of_four_duties() -> None:
    """主な業務内容, each with what it is about and the tools that serve it."""
    assert titles(the_role().duties) == [fold(name) for name in DUTIES]
    for group, items in zip(the_role().duties, DUTIES.values(), strict=True):
        assert titles(group.items) == [fold(name) for name in items]
        for item, terms in zip(group.items, items.values(), strict=True):
            assert says(item.text, *terms) == [], item.id
            assert item.tools


def test_four_groups_of_four_kinds_of_skills_with_every_tool() -> None:
    """必要なスキル, the tools in the document's order."""
    assert titles(the_role().skills) == [fold(name) for name in SKILLS]
    for group, kinds in zip(the_role().skills, SKILLS.values(), strict=True):
        assert titles(group.kinds) == [fold(name) for name in kinds]
        for kind, tools in zip(group.kinds, kinds.values(), strict=True):
            assert list(kind.tools) == [slug(name) for name in tools], kind.id


def test_three_levels_with_years_positions_and_expectations() -> None:
    """キャリアパス; the senior careers are four."""
    assert [level.id for level in the_role().levels] == list(LEVELS) == list(LEVELS_JA)
    for level in the_role().levels:
        title, first, last, positions, expectations = LEVELS_JA[level.id]
        assert named(level.title, title)
        assert (level.years.first, level.years.to) == (first, last)
        assert titles(level.positions) == [fold(name) for name in positions]
        for text, terms in zip(level.expectations, expectations, strict=False):
            assert says(text, *terms) == []
        assert len(level.expectations) >= len(expectations)
    for position, terms in zip(the_role().level("advanced").positions, SENIOR.values(), strict=True):
        assert says(position.text, *terms) == []


def path() -> list[Phase]:
    """The phases of the document."""
    return [phase for phase in the_role().phases if not phase.prelude]


def test_a_short_prelude_stands_before_the_documents_phases() -> None:
    """The first lap is ours, not the document's: no months, needed by everyone, and short."""
    prelude, *rest = the_role().phases
    assert prelude.prelude
    assert (prelude.id, prelude.months, prelude.hours, prelude.ongoing) == ("first-lap", None, None, False)
    assert not any(phase.prelude for phase in rest)
    assert [number for number, _ in the_role().numbered] == [0, 1, 2, 3, 4]
    (place,) = (place for topic in prelude.topics for place in topic.tools)
    assert {place.need_at(level) for level in LEVELS} == {"must"}
    assert not any(place.assumed_at(level) for level in LEVELS)
    hours = catalog_at(None).tools(the_role())[place.tool].hours
    assert 3 <= hours.at("beginner") <= 5
    assert hours.at("intermediate") == hours.at("advanced") == 0.5


def test_four_phases_with_months_hours_and_three_topics_each() -> None:
    """推奨学習パス; the last one goes on."""
    assert titles(path()) == [fold(name) for name, _, _ in PHASES]
    for phase, (_, months, topics) in zip(path(), PHASES, strict=True):
        if months:
            assert phase.months is not None
            assert phase.hours is not None
            assert (phase.months.first, phase.months.to) == months
            assert phase.hours.to is not None
            assert 0 < phase.hours.first < phase.hours.to
            assert not phase.ongoing
        else:
            assert phase.ongoing
            assert phase.months is None
        # The capstone is ours.
        theirs = [topic for topic in phase.topics if topic.id != "capstone"]
        assert titles(theirs) == [fold(name) for name in topics]
        for topic, terms in zip(theirs, topics.values(), strict=True):
            assert says(topic.covers, *terms) == [], topic.id
            taught = {place.tool for place in topic.tools}
            name = next(name for name in TAUGHT if named(topic.title, name))
            assert {slug(one) for one in TAUGHT[name]} <= taught, topic.id
        assert len(ja(phase.why)) > 60
        assert phase.duties


@pytest.mark.parametrize(
    ("part", "expected"),
    [("industries", INDUSTRIES), ("team", TEAM), ("aptitudes", APTITUDES), ("rewards", REWARDS)],
)
def test_where_with_whom_and_for_whom(part: str, expected: dict[str, list[str]]) -> None:
    """働く環境・業界, チーム構成, 適性, やりがい."""
    entries = getattr(the_role(), part)
    assert titles(entries) == [fold(name) for name in expected]
    for entry, terms in zip(entries, expected.values(), strict=True):
        assert says(getattr(entry, "examples", None) or entry.text, *terms) == [], entry.id


def test_three_groups_of_four_platform_tools() -> None:
    """代表的なツール・技術, each with what it is for."""
    assert titles(the_role().platforms) == [fold(name) for name in PLATFORMS]
    for group, tools in zip(the_role().platforms, PLATFORMS.values(), strict=True):
        assert [entry.tool for entry in group.tools] == [slug(name) for name in tools]
        for entry, term in zip(group.tools, tools.values(), strict=True):
            assert says(entry.text, term) == [], entry.tool


def test_two_groups_of_four_trends() -> None:
    """最新技術トレンド; each trend is a thing that can be learnt."""
    assert titles(the_role().trends) == [fold(name) for name in TRENDS]
    for group, items in zip(the_role().trends, TRENDS.values(), strict=True):
        assert titles(group.items) == [fold(name) for name in items]
        for item, terms in zip(group.items, items.values(), strict=True):
            assert says(item.text, *terms) == [], item.id
            assert item.tools


def test_four_related_links() -> None:
    """関連リンク."""
    assert {entry.link: says(entry.title, RELATED[entry.link]) for entry in the_role().related} == {
        link: [] for link in RELATED
    }


# --- the tools -------------------------------------------------------------------------------------------------------


def test_every_tool_that_the_document_names_is_declared() -> None:
    """The products, languages and named practices, by the document's own spelling; 94 entries with the skills and practices around them."""
    spelled = {name for kinds in SKILLS.values() for tools in kinds.values() for name in tools}
    spelled |= {name for tools in PLATFORMS.values() for name in tools}
    assert len(spelled) == 48
    declared = set(the_role().names)
    assert {slug(name) for name in spelled} <= declared
    assert len(declared) >= 94


def test_every_tool_stands_in_exactly_one_topic() -> None:
    """Nothing is planned twice, nothing is forgotten."""
    places = Counter(place.tool for phase in the_role().phases for topic in phase.topics for place in topic.tools)
    assert set(places.values()) == {1}
    assert set(places) == set(catalog_at(None).tools(the_role()))


def test_every_tool_has_a_category_hours_and_docs() -> None:
    """More can take longer; every address is https."""
    for tool in catalog_at(None).tools(the_role()).values():
        assert all(tool.hours.at(level) > 0 for level in LEVELS)
        assert tool.docs.startswith("https://")
        assert tool.category


def test_every_tool_serves_a_duty() -> None:
    """A learner can be told what each tool is for at work. The first lap leads to all of them."""
    serving = {tool for group in the_role().duties for item in group.items for tool in item.tools} | {"first-lap"}
    assert set(the_role().names) - serving == set()


def test_prerequisites_come_no_later_than_what_builds_on_them() -> None:
    """No tool needs one of a later phase."""
    order = {
        place.tool: n for n, phase in enumerate(the_role().phases) for topic in phase.topics for place in topic.tools
    }
    tools = catalog_at(None).tools(the_role())
    late = [(tool.slug, need) for tool in tools.values() for need in tool.needs if order[need] > order[tool.slug]]
    assert late == []


def test_every_level_has_a_core() -> None:
    """Tools that must be learnt exist at each level in phases 1 to 3."""
    for level in LEVELS:
        for phase in path()[:3]:
            needs = [place.need_at(level) for topic in phase.topics for place in topic.tools]
            assert "must" in needs, (level, phase.id)


# --- both languages --------------------------------------------------------------------------------------------------


def texts(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    """Every text of the role with its place."""
    if isinstance(value, dict):
        if value and all(isinstance(entry, str) for entry in value.values()) and set(value) <= {"ja", "en", "*"}:
            yield path, value
            return
        for key, entry in value.items():
            yield from texts(entry, f"{path}/{key}")
    elif isinstance(value, tuple | list):
        for n, entry in enumerate(value):
            yield from texts(entry, f"{path}/{getattr(entry, 'id', n)}")
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts(getattr(value, field.name), f"{path}/{field.name}")


def test_every_text_is_in_both_languages() -> None:
    """A name that is the same everywhere (Docker) may stand once; a sentence never."""
    found = list(texts(the_role()))
    assert len(found) > 200
    for path, text in found:
        if "*" in text:
            assert re.fullmatch(r"[\w &./+(),-]{1,48}", text["*"]), path
        else:
            assert set(text) == {"ja", "en"}, path


def test_japanese_is_japanese_and_english_english() -> None:
    """And a space stands between Japanese and Latin words, as everywhere in the project."""
    for path, text in texts(the_role()):
        assert not re.search(r"[぀-ヿ㐀-鿿]", text.get("en", "")), path
        japanese = text.get("ja", "")
        assert not re.search(r"[A-Za-z0-9][ぁ-ヴー一-鿿]|[ぁ-ヴー一-鿿][A-Za-z0-9]", japanese), (path, japanese)
        if "." in text.get("en", "")[-1:]:
            assert re.search(r"[぀-ヿ㐀-鿿]", japanese), path
