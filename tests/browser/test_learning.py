"""Learning by doing, in a real JupyterLab and Notebook 7: answers, feedback, hints, ticks; nothing lost on the way."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curriculum import Study
from curriculum.answers import submission
from curriculum.catalog import catalog_at
from curriculum.messages import say
from curriculum.proving import Proof, lay_out
from curriculum.session import Session
from tests.browser.conftest import Generate, Open
from tests.browser.lab import Notebook, Server
from tests.browser.test_study import AXE, complaints, expect_ticked

pytestmark = pytest.mark.browser

EXERCISE, FILE, TOOL = "first-lap-change-a-file", "service.toml", "first-lap"
ANSWER, LIST = f"{EXERCISE}-answer", f"{TOOL}-checklist"


def events(study: Study, kind: str) -> list[dict[str, Any]]:
    log = study.notebook.parent / "progress.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [event for event in map(json.loads, lines) if event["kind"] == kind]


def cell_text(study: Study, folder: Path, *, wrong: bool) -> str:
    """The answer cell with the solution of this learner, or with a wrong port in it."""
    from curriculum.home import home_at

    values = Session(home_at(study.notebook))
    work = submission(catalog_at(None), EXERCISE, folder / EXERCISE, study=values.study)
    lay_out(Proof(EXERCISE, "solution"), work, catalog_at(None))
    text = (work.folder / FILE).read_text(encoding="utf-8")
    shutil.rmtree(work.folder)
    return f"%%answer {EXERCISE} {FILE}\n{text.replace(work.values['port'], '8000') if wrong else text}"


def proven() -> list[str]:
    template = catalog_at(None).template(TOOL)
    assert template
    return [f"{TOOL}.{item.id}" for item in template.items("beginner") if item.proven_by == EXERCISE]


def result(notebook: Notebook, words: str) -> None:
    """Wait until a result below the answer says something."""
    notebook.output(ANSWER).get_by_text(words, exact=False).first.wait_for()


@pytest.mark.parametrize(
    ("front_end", "lang", "theme"), [("lab", "ja", "Dark"), ("lab", "en", "Light"), ("notebook", "ja", "Light")]
)
def test_a_learner_fails_gets_help_and_passes(
    front_end: str, lang: str, theme: str, generate: Generate, open_study: Open, tmp_path: Path
) -> None:
    """Wrong: what was found and expected. A hint. Right: passed, the item ticks itself, the dashboard moves."""
    from axe_playwright_python.sync_playwright import Axe

    study = generate(lang)
    notebook = open_study(study, front_end)
    if front_end == "lab":
        notebook.theme(theme)
    notebook.run("start")
    notebook.run(LIST)
    notebook.type_answer(ANSWER, cell_text(study, tmp_path, wrong=True))
    result(notebook, say(lang, "study.result-not-met"))
    assert "8000" in notebook.seen(ANSWER)
    found = Axe().run(notebook.page, context={"include": [[".jp-OutputArea-output"]]}, options=AXE).response
    assert not [v["id"] for v in found["violations"] if v["impact"] in {"serious", "critical"}]

    hint = notebook.run_code(f'hint("{EXERCISE}")', ANSWER)
    assert say(lang, "study.hint", number=2, total=9)[:5] in notebook.seen(hint)
    assert [event["number"] for event in events(study, "hint")] == [2]

    notebook.type_answer(ANSWER, cell_text(study, tmp_path, wrong=False))
    result(notebook, say(lang, "study.result-solution"))
    assert [event["outcome"] for event in events(study, "outcome")] == ["failed", "passed"]
    expect_ticked(notebook, proven())
    state = say(lang, "study.state-static")
    notebook.output("start").get_by_text("1/", exact=False).first.wait_for(state="attached")
    notebook.output(LIST).locator(".cu-snap li", has_text=state).first.wait_for(state="attached")
    notebook.save()
    assert not complaints(notebook)


def test_what_was_passed_is_there_after_a_restart_and_without_a_kernel(
    lab: Server, generate: Generate, open_study: Open, tmp_path: Path
) -> None:
    """The result, the list and the dashboard read the same on another evening; Run All judges nothing again."""
    study = generate("ja")
    notebook = open_study(study)
    notebook.run("start")
    notebook.run(LIST)
    notebook.type_answer(ANSWER, cell_text(study, tmp_path, wrong=False))
    result(notebook, say("ja", "study.result-solution"))
    notebook.save()
    lab.stop_kernels()
    notebook = open_study(study)
    assert say("ja", "study.state-static") in notebook.seen(LIST)
    assert say("ja", "study.result-met") in notebook.seen(ANSWER)
    notebook.wait_idle()
    notebook.restart_kernel()
    notebook.run(ANSWER)
    result(notebook, say("ja", "study.result-solution"))
    assert len(events(study, "outcome")) == 1


def test_two_notebooks_on_one_study_lose_nothing(
    lab: Server, generate: Generate, open_study: Open, page: Any, tmp_path: Path
) -> None:
    """Ticked in both languages at once: the log holds every tick, and each page shows all after its next one."""
    japanese, english = generate("ja"), generate("en")
    other = page.context.new_page()
    try:
        first, second = open_study(japanese), open_study(english, on=other)
        for notebook in (first, second):
            notebook.run("docker-checklist")
        items = [
            first.cell("docker-checklist").locator("[data-item]").nth(n).get_attribute("data-item") for n in range(4)
        ]
        for n in range(4):
            notebook = (first, second)[n % 2]
            notebook.cell("docker-checklist").locator(f'[data-item="{items[n]}"]').click()
        second.page.wait_for_function(
            "n => [...document.querySelectorAll('[data-item]')].filter(box => box.checked).length === n", arg=4
        )
        assert sorted(event["item"] for event in events(japanese, "tick")) == sorted(map(str, items))
    finally:
        other.close()


def test_a_notebook_that_was_moved_finds_its_progress(lab: Server, generate: Generate, open_study: Open) -> None:
    """In another folder, alone: Start says where the progress lies, and `adopt` brings it."""
    study = generate("en")
    notebook = open_study(study)
    notebook.run("docker-checklist")
    box = notebook.cell("docker-checklist").locator("[data-item]").first
    item = str(box.get_attribute("data-item"))
    box.click()
    expect_ticked(notebook, [item])
    notebook.save()
    lab.stop_kernels()
    new = study.notebook.parent.parent / "another place" / "my study.ipynb"
    new.parent.mkdir()
    shutil.move(study.notebook, new)
    notebook = open_study(new)
    notebook.run("start")
    notebook.run("docker-checklist")
    assert "Your progress in this study lies in" in notebook.seen("start")
    notebook.run_code(f"adopt(r{str(study.notebook.parent)!r})", "start")
    expect_ticked(notebook, [item])
    assert (new.parent / "progress.jsonl").is_file()


def test_a_tick_counts_while_a_long_cell_runs(generate: Generate, open_study: Open) -> None:
    """The page is answered on a thread of its own."""
    study = generate("en")
    notebook = open_study(study)
    notebook.run("docker-checklist")
    box = notebook.cell("docker-checklist").locator("[data-item]").first
    box.click()
    expect_ticked(notebook, [str(box.get_attribute("data-item"))])
    second = notebook.cell("docker-checklist").locator("[data-item]").nth(1)
    notebook.run_code("import time; time.sleep(8); print('long' + ' over')", "docker-checklist", wait=False)
    second.click()
    notebook.page.wait_for_timeout(1500)
    assert len(events(study, "tick")) == 2
    assert notebook.page.get_by_text("long over", exact=True).count() == 0
    notebook.wait_idle()


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_on_paper_it_reads_as_on_the_page(
    lang: str, generate: Generate, open_study: Open, page: Any, tmp_path: Path, need: Callable[[str], None]
) -> None:
    """Exported to HTML, printed to PDF: the text is there, in its language, with its pictures and results."""
    need("pdftotext")
    study = generate(lang)
    notebook = open_study(study)
    notebook.run("start")
    notebook.type_answer(ANSWER, cell_text(study, tmp_path, wrong=True))
    result(notebook, say(lang, "study.result-not-met"))
    notebook.save()
    html, pdf = tmp_path / "study.html", tmp_path / "study.pdf"
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(study.notebook), "--output", str(html)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert "Error displaying widget" not in html.read_text(encoding="utf-8")
    page.goto(html.as_uri())
    page.pdf(path=str(pdf), format="A4", print_background=True)
    text = subprocess.run(["pdftotext", str(pdf), "-"], capture_output=True, check=True, timeout=60)
    words = "".join(text.stdout.decode().split())
    for key in ("study.progress", "study.result-criterion", "page.rubric"):
        assert "".join(say(lang, key).split()).strip("*:：") in words, key
    report = subprocess.run(
        [
            sys.executable,
            "-m",
            "curriculum",
            "report",
            str(study.notebook.parent),
            "--output",
            str(tmp_path / "r.html"),
        ],
        capture_output=True,
        timeout=60,
    )
    assert report.returncode == 0
    page.goto((tmp_path / "r.html").as_uri())
    page.pdf(path=str(tmp_path / "r.pdf"), format="A4")
    pages = (tmp_path / "r.pdf").read_bytes().count(b"/Type /Page\n")
    assert 1 <= pages <= 2
