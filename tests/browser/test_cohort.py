"""The instructor's page in a real browser, opened from the disk: found, sorted, filtered, opened, in both languages."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

import pytest

from curriculum.cohort import Cohort
from curriculum.roster import open_roster
from tests.conftest import SMALL

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=\"document.title='broken'\">=1+1"


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 learners; one name is hostile, one row is at fault."""
    folder = tmp_path_factory.mktemp("cohort")
    with (folder / "r.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["id", "name", "level"])
        for n in range(300):
            table.writerow([f"s{n:03}", f"佐藤 {n}", ("初級", "中級", "上級")[n % 3]])
        table.writerows([["春", EVIL, "初級"], ["bad", "x", "none"]])
    options = {"role": "tester", "start": "2026-11-30", "lang": "ja"}
    Cohort(str(folder / "out"), content=str(SMALL), options=options).run(open_roster(folder / "r.csv"))
    return folder / "out"


def ids(page: Page) -> list[str]:
    return page.locator("#body th").all_inner_texts()


def test_an_instructor_finds_sorts_filters_and_opens(page: Page, output: Path) -> None:
    from playwright.sync_api import expect

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((output / "index.html").as_uri())
    assert page.title() == "受講者の学習ノートブック"
    assert len(ids(page)) == 200
    page.locator("#more").click()
    assert len(ids(page)) == 302

    page.locator("#text").fill("佐藤 29")
    expect(page.locator("#body tr")).to_have_count(11)
    assert ids(page) == ["s029", *(f"s29{n}" for n in range(10))]
    page.locator("#level").select_option("advanced")
    assert ids(page) == ["s029", "s290", "s293", "s296", "s299"]
    assert "5" in page.locator("#found").inner_text()
    page.locator("[data-column=id]").click()
    page.locator("[data-column=id]").click()
    assert ids(page)[0] == "s299"
    assert page.locator("#head th").first.get_attribute("aria-sort") == "descending"

    page.locator("#switch").click()
    assert page.title() == "The cohort's study notebooks"
    assert page.locator("html").get_attribute("lang") == "en"
    page.locator("#text").fill("春")
    page.locator("#level").select_option("")
    expect(page.locator("#body tr")).to_have_count(1)
    link = page.locator("#body a").evaluate("link => link.href")
    assert Path(unquote(urlparse(link).path)) == output / "春" / "study.ja.ipynb"
    assert (output / "春" / "study.ja.ipynb").exists()
    assert EVIL in page.locator("#body").inner_text()
    assert "none" in page.locator("#errors").inner_text()
    assert all(url.startswith("file:") for url in asked)
    assert page.locator("#body img").count() == 0


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_serious_on_the_page(page: Page, output: Path, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto((output / "index.html").as_uri())
    found = [
        f"{violation['id']}: {node['html']}"
        for violation in Axe().run(page).response["violations"]
        for node in violation["nodes"]
        if violation["impact"] in {"serious", "critical"}
    ]
    assert not found, "\n".join(found)


def test_the_table_runs_nothing_in_excel(output: Path) -> None:
    """UTF-8 with BOM, and a cell that begins like a formula begins with an apostrophe."""
    from curriculum.cohort_page import harmless

    text = (output / "cohort.csv").read_bytes().decode("utf-8-sig")
    assert len(list(csv.reader(text.splitlines()))) == 303
    for sign in ("=1", " =1", "+1", "-1", "@a", "\t=1", "＝1"):
        assert str(harmless(sign)).startswith("'")
    assert harmless("佐藤") == "佐藤"
