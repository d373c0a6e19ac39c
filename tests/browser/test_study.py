"""A study notebook in a real JupyterLab, in a real browser."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from curriculum import Study
from tests.browser.conftest import Generate, Open
from tests.browser.lab import Notebook, Server
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.browser

SCREENSHOT = REPOSITORY / "docs" / "screenshot.png"
ANSWER = "docker-first-image-answer"
#: What we put into the page, for axe. The rest of it is JupyterLab's: the colours of code too, and that links in
#: Markdown are told from text by colour alone.
OURS = {
    "include": [[".jp-Notebook .jp-RenderedHTMLCommon"], [".jp-Notebook .jp-OutputArea-output"]],
    "exclude": [["pre code span"]],
}
AXE = {"resultTypes": ["violations", "passes"], "rules": {"link-in-text-block": {"enabled": False}}}
BOTH = pytest.mark.parametrize("lang", ["ja", "en"])


def events(study: Study, kind: str) -> list[dict[str, Any]]:
    log = study.notebook.parent / "progress.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [event for event in map(json.loads, lines) if event["kind"] == kind]


def complaints(notebook: Notebook) -> list[str]:
    """Every error, and whatever went to stderr, with the cell it came from."""
    return [
        f"{cell['id']}: {output.get('evalue') or output.get('text')}"
        for cell in notebook.saved()["cells"]
        for output in cell.get("outputs", [])
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]


def last_answer(notebook: Notebook) -> str:
    return [cell for cell in notebook.cells() if "-answer" in cell][-1]


def expect_ticked(notebook: Notebook, items: list[str]) -> None:
    """Exactly these boxes are ticked, sooner or later: the page asks Python first."""
    notebook.page.wait_for_function(
        "wanted => JSON.stringify([...document.querySelectorAll('[data-item]')].filter(box => box.checked)"
        ".map(box => box.dataset.item)) === JSON.stringify(wanted)",
        arg=items,
    )


@BOTH
def test_run_all_ends_well(lang: str, generate: Generate, open_study: Open) -> None:
    """Every code cell of a fresh notebook runs, without an error and without a word on stderr."""
    notebook = open_study(generate(lang))
    notebook.run_all()
    notebook.save()
    assert not complaints(notebook)
    counts = [cell["execution_count"] for cell in notebook.saved()["cells"] if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_a_tick_is_there_the_next_evening(generate: Generate, open_study: Open) -> None:
    """Ticked by mouse and by keyboard, acknowledged, kernel restarted, notebook reopened: ticked."""
    study = generate("ja")
    notebook = open_study(study)
    notebook.run("docker-checklist")
    boxes = notebook.cell("docker-checklist").locator("[data-item]")
    clicked, pressed = (str(boxes.nth(n).get_attribute("data-item")) for n in (0, 2))

    boxes.nth(0).click()
    boxes.nth(2).focus()
    notebook.page.keyboard.press("Space")
    expect_ticked(notebook, [clicked, pressed])
    notebook.output("docker-checklist").get_by_text(f"2/{boxes.count()}", exact=True).locator(
        "visible=true"
    ).first.wait_for()
    notebook.output("docker-checklist").locator(".cu-snap li", has_text="✅").nth(1).wait_for(state="attached")
    assert [(event["item"], event["done"]) for event in events(study, "tick")] == [(clicked, True), (pressed, True)]

    cells = notebook.cells()
    for key in "ddb":
        notebook.page.keyboard.press(key)
    assert notebook.cells() == cells, "on a focused box, d d and b are not JupyterLab's commands for cells"

    notebook.save()
    notebook.restart_kernel()
    notebook = open_study(study)
    snapshot = notebook.output("docker-checklist").locator(".cu-snap li", has_text="✅").locator("visible=true")
    snapshot.nth(1).wait_for()
    assert [line.get_attribute("title") for line in snapshot.all()] == [clicked, pressed]
    notebook.run("docker-checklist")
    expect_ticked(notebook, [clicked, pressed])


def test_a_list_without_its_kernel_does_not_look_alive(generate: Generate, open_study: Open) -> None:
    """After a restart a click ticks nothing, and the list says what to do."""
    study = generate("en")
    notebook = open_study(study)
    notebook.run("docker-checklist")
    notebook.restart_kernel()
    box = notebook.cell("docker-checklist").locator("[data-item]").first
    box.click()
    notebook.cell("docker-checklist").get_by_role("alert").get_by_text("Not connected to the kernel").wait_for()
    assert not box.is_checked()
    assert box.is_disabled()
    assert not events(study, "tick")


def test_an_answer_survives_the_other_language(lab: Server, generate: Generate, open_study: Open) -> None:
    """Answered in `ja`; Run All in `en`, and then again in `ja`: the file and the cells are what they were."""
    japanese, english = generate("ja"), generate("en")
    text = "%%answer docker-first-image Dockerfile\n# 佐藤の答え\nFROM python:3.12-slim\n"
    file = japanese.notebook.parent / "work" / "docker-first-image" / "Dockerfile"
    notebook = open_study(japanese)
    notebook.wait_idle()
    notebook.type_answer(ANSWER, text)
    answered = text.partition("\n")[2]
    assert file.read_text(encoding="utf-8") == answered
    notebook.save()
    before = japanese.notebook.read_bytes()

    notebook = open_study(english)
    starter = notebook.source(ANSWER)
    notebook.run_all()
    notebook.save()
    assert not complaints(notebook)
    assert "stays as it is" in notebook.seen(ANSWER)
    assert notebook.source(ANSWER) == starter
    assert file.read_text(encoding="utf-8") == answered
    assert japanese.notebook.read_bytes() == before
    assert not (file.parent / ".history").exists()

    notebook = open_study(japanese)
    assert notebook.source(ANSWER) == text.rstrip("\n") or notebook.source(ANSWER) == text
    notebook.run_all()
    assert file.read_text(encoding="utf-8") == answered


def test_the_last_answer_runs_first_on_another_evening(lab: Server, generate: Generate, open_study: Open) -> None:
    """In a fresh kernel an answer is the first cell to run: `%%answer` is known, and the answer is written."""
    study = generate("en")
    open_study(study).wait_idle()
    lab.stop_kernels()
    notebook = open_study(study)
    notebook.wait_idle()
    cell = last_answer(notebook)
    exercise, name = notebook.source(cell).split("\n")[0].split()[1:3]
    notebook.type_answer(cell, f"%%answer {exercise} {name}\nprint('a second evening')\n")
    notebook.save()
    assert not complaints(notebook)
    file = study.notebook.parent / "work" / exercise / name
    assert file.read_text(encoding="utf-8") == "print('a second evening')\n"
    assert name in notebook.seen(cell)


def test_the_next_step_is_one_click_away(generate: Generate, open_study: Open) -> None:
    """The link of tonight lands on its cell four seconds after opening a long notebook, and later again."""
    notebook = open_study(generate("ja"))
    link = notebook.cell("tonight").locator('li a[href*="cell-id="]').first
    target = str(link.get_attribute("href")).partition("cell-id=")[2]
    for _ in range(2):
        notebook.page.wait_for_timeout(4000)
        link.click()
        notebook.wait_in_view(target)
        notebook.select("welcome")


def test_a_far_link_lands_too(generate: Generate, open_study: Open) -> None:
    """From one end of the notebook to the other, four seconds after opening it."""
    notebook = open_study(generate("en"))
    notebook.page.wait_for_timeout(4000)
    notebook.select("work")
    notebook.cell("work").locator('a[href="#cell-id=tool-docker"]').first.click()
    notebook.wait_in_view("tool-docker")


@pytest.mark.parametrize(("lang", "theme"), [("ja", "Dark"), ("en", "Light")])
def test_axe_finds_nothing_serious(lang: str, theme: str, generate: Generate, open_study: Open) -> None:
    """Everything run, dark and light: no serious and no critical violation in what is ours."""
    from axe_playwright_python.sync_playwright import Axe

    notebook = open_study(generate(lang))
    notebook.run_all()
    notebook.theme(theme)
    notebook.show_whole()
    # While anything lies over the page, a dialog or a splash, axe judges no colour.
    for _ in range(5):
        result = Axe().run(notebook.page, context=OURS, options=AXE).response
        judged = {rule["id"]: len(rule["nodes"]) for rule in result["passes"]}
        if judged.get("color-contrast", 0) > 300:
            break
        notebook.page.wait_for_timeout(2000)
    else:
        pytest.fail(f"axe did not see the notebook: {notebook.page.locator('body').inner_text()[:2000]}")
    found = [
        f"{violation['id']}: {node['html']}"
        for violation in result["violations"]
        for node in violation["nodes"]
        if violation["impact"] in {"serious", "critical"}
    ]
    assert not found, "\n".join(found)


def test_reopened_without_running_the_pictures_are_there(lab: Server, generate: Generate, open_study: Open) -> None:
    """No dead widget is seen, every picture is, and the file holds no state of widgets."""
    study = generate("ja")
    notebook = open_study(study)
    notebook.run_all()
    notebook.save()
    lab.stop_kernels()
    notebook = open_study(study)
    notebook.wait_idle()
    lists = [cell for cell in notebook.cells() if cell.endswith("-checklist")]
    assert lists
    for cell in ("start", *lists):
        assert "Error displaying widget" not in notebook.seen(cell)
        notebook.output(cell).locator(".cu-snap").locator("visible=true").first.wait_for()
        assert notebook.cell(cell).locator(".cu-list").count() == 0
    assert "widgets" not in notebook.saved()["metadata"]


@pytest.mark.skipif(os.environ.get("CURRICULUM_SCREENSHOT") != "1", reason="CURRICULUM_SCREENSHOT=1 takes the picture")
def test_the_screenshot_of_the_readme(generate: Generate, open_study: Open) -> None:
    """A notebook in use, as the README shows it: where you are, and what to do tonight."""
    notebook = open_study(generate("ja", learner="佐藤花子"))
    notebook.theme("Light")
    notebook.run("start")
    notebook.run("docker-checklist")
    boxes = notebook.cell("docker-checklist").locator("[data-item]")
    for n in range(3):
        boxes.nth(n).click()
    notebook.output("start").get_by_text("3/8", exact=False).wait_for(state="attached")
    notebook.save()
    notebook.command("application:toggle-left-area")
    notebook.select("tonight")
    notebook.scroll_to("start")
    SCREENSHOT.parent.mkdir(exist_ok=True)
    notebook.page.screenshot(path=SCREENSHOT)
    assert SCREENSHOT.stat().st_size <= 300_000
