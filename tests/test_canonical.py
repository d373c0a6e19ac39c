"""The canonical form of templates, and the record of their translations: what `fmt` and `translated` do to a file."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from curriculum import cli
from curriculum.canonical import canonical
from curriculum.source import load_notebook, parse_notebook
from tests.conftest import REPOSITORY, SMALL

TEMPLATES = sorted((REPOSITORY / "templates" / "notebooks").glob("*.ipynb"))
HAMMER = "templates/notebooks/hammer.ipynb"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SMALL, tmp_path / "a pack"))


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = cli.run([*argv, "--lang", "en"])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def text_of(raw: dict[str, Any]) -> str:
    book, faults = parse_notebook(raw, "x.ipynb")
    assert book is not None, faults
    return canonical(raw, book)


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def used(raw: dict[str, Any]) -> dict[str, Any]:
    """The template as JupyterLab leaves it after someone ran it on another machine."""
    cells = []
    for n, one in enumerate(raw["cells"]):
        cell = {**one, "id": f"{n:08x}", "metadata": {**one["metadata"], "collapsed": True}, "source": one["source"]}
        if cell["cell_type"] == "code":
            output = {"output_type": "stream", "name": "stdout", "text": ["/home/qqsmith\n"]}
            cell |= {"execution_count": n, "outputs": [output]}
        cells.append(cell)
    kernel = {"display_name": "my venv", "language": "python", "name": "venv"}
    language = {"name": "python", "version": "3.13.1", "file_extension": ".py"}
    metadata = {**raw["metadata"], "kernelspec": kernel, "language_info": language, "widgets": {"a": {}}}
    return {**raw, "cells": cells, "metadata": metadata, "nbformat_minor": 4}


@pytest.mark.parametrize("path", [*TEMPLATES, SMALL / HAMMER], ids=lambda path: path.stem)
def test_formatting_twice_changes_nothing_more(path: Path) -> None:
    """Idempotent, whatever the file looked like before."""
    once = text_of(read(path))
    assert text_of(json.loads(once)) == once


@pytest.mark.parametrize("path", [*TEMPLATES, SMALL / HAMMER], ids=lambda path: path.stem)
def test_what_a_run_left_behind_is_gone(path: Path) -> None:
    """No outputs, counters, local kernel, widget state or collapsed cells; the texts, tags and stamps are as they were."""
    raw = read(path)
    raw["metadata"]["curriculum"] = {"translations": {"a": "0123456789"}}
    if path.stem == "study":
        # The ids of the frame are its author's: they become those of study notebooks.
        text = text_of({**used(raw), "cells": [{**c, "id": o["id"]} for c, o in zip(used(raw)["cells"], raw["cells"])]})
    else:
        text = text_of(used(raw))
    assert text == text_of(raw)
    after = json.loads(text)
    assert "qqsmith" not in text
    assert "venv" not in json.dumps(after["metadata"])
    assert after["metadata"]["curriculum"] == {"translations": {"a": "0123456789"}}
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in after["cells"] if c["cell_type"] == "code")
    assert all(set(c["metadata"]) <= {"tags"} for c in after["cells"])
    assert ["".join(c["source"]).strip() for c in after["cells"]] == [
        "\n".join(line.rstrip() for line in "".join(c["source"]).strip().split("\n"))
        if c["cell_type"] == "raw"
        else "".join(c["source"]).strip()
        for c in raw["cells"]
    ]


@pytest.mark.parametrize("path", [*TEMPLATES, SMALL / HAMMER], ids=lambda path: path.stem)
def test_ids_are_unique_and_say_what_a_cell_is(path: Path) -> None:
    """At most 64 letters, digits, hyphens and underscores: what a notebook allows."""
    ids = [cell["id"] for cell in json.loads(text_of(read(path)))["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in ids)


def test_ids_do_not_depend_on_what_stands_elsewhere() -> None:
    """A new section gives new ids and changes none."""
    raw = read(SMALL / HAMMER)
    before = [cell["id"] for cell in json.loads(text_of(raw))["cells"]]
    source = "".join(raw["cells"][3]["source"]).replace("hammer-nail-lesson", "hammer-new-lesson")
    raw["cells"][3:3] = [{**raw["cells"][3], "source": source}, {**raw["cells"][4]}]
    after = [cell["id"] for cell in json.loads(text_of(raw))["cells"]]
    assert [name for name in after if "new" not in name] == before


def test_long_slugs_still_give_valid_ids() -> None:
    """A slug of 48 characters, with tags behind it."""
    slug = "hammer-" + "x" * 41
    text = (SMALL / HAMMER).read_text(encoding="utf-8").replace("hammer-nail-first", slug)
    ids = [cell["id"] for cell in json.loads(text_of(json.loads(text)))["cells"]]
    assert len(set(ids)) == len(ids)
    assert max(map(len, ids)) <= 64


def test_fmt_puts_a_used_template_right(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By name or by path; `--check` changes nothing and says what would change; the second time nothing is left to do."""
    path = pack / HAMMER
    path.write_text(json.dumps(used(read(path))), encoding="utf-8")
    before = path.read_bytes()
    assert run(capsys, "fmt", "--check", "--content", str(pack))[:2] == (1, "hammer.ipynb: not in canonical form\n")
    assert path.read_bytes() == before
    assert run(capsys, "fmt", "hammer", "--content", str(pack))[:2] == (0, "hammer.ipynb: put into canonical form\n")
    assert path.read_bytes() == (SMALL / HAMMER).read_bytes()
    assert run(capsys, "fmt", str(path))[:2] == (0, "")
    assert run(capsys, "fmt", "--check", "--content", str(pack))[:2] == (0, "")


def test_fmt_takes_a_byte_order_mark_away(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Some editors write one; papermill cannot read the file then, so lint and `--check` tell of it."""
    path = pack / HAMMER
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    cli.run(["lint", "--content", str(pack), "--json"])
    assert "not-canonical" in capsys.readouterr().out
    assert run(capsys, "fmt", "--check", str(path))[0] == 1
    assert run(capsys, "fmt", str(path))[0] == 0
    assert path.read_bytes() == (SMALL / HAMMER).read_bytes()


def test_fmt_refuses_what_is_no_template(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name with a typo gets a guess; a broken file is left as it is."""
    code, _, err = run(capsys, "fmt", "hamer", "--content", str(pack))
    assert code == 1
    assert "“hammer”" in err
    path = pack / HAMMER
    path.write_text("{", encoding="utf-8")
    code, _, err = run(capsys, "fmt", "--content", str(pack))
    assert (code, path.read_text(encoding="utf-8")) == (1, "{")
    assert "JSON" in err


def stamped(pack: Path) -> dict[str, str]:
    stamps: dict[str, str] = read(pack / HAMMER)["metadata"]["curriculum"]["translations"]
    return stamps


def change_english(pack: Path) -> list[str]:
    """Two English strings become new; the keys that lint then complains of."""
    path = pack / HAMMER
    text = path.read_text(encoding="utf-8")
    text = text.replace("en: It drives nails.", "en: It drives nails in.").replace(
        "en: Build a box,", "en: Make a box,"
    )
    path.write_text(text, encoding="utf-8")
    return ["hammer/summary", "hammer-box-lesson/title"]


def lint_ids(pack: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    cli.run(["lint", "--content", str(pack), "--json", "--lang", "en"])
    faults = json.loads(capsys.readouterr().out)
    return [f["message"].partition(":")[0] for f in faults if "hammer" in f["file"]]


def test_translated_vouches_for_the_strings_named_only(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One of two stale strings is brought up to date; the other stays stale; all else stays as it was."""
    summary, title = change_english(pack)
    before = stamped(pack)
    assert sorted(lint_ids(pack, capsys)) == sorted([summary, title])
    code, out, _ = run(capsys, "translated", "hammer", summary, "--content", str(pack))
    assert code == 0
    assert re.search(r"hammer.ipynb: .*\b1\b", out)
    after = stamped(pack)
    assert {name for name in after if after[name] != before[name]} == {summary}
    assert lint_ids(pack, capsys) == [title]


def test_translated_without_names_vouches_for_all(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Strings that are gone lose their stamps; new ones get theirs."""
    change_english(pack)
    path = pack / HAMMER
    raw = read(path)
    raw["metadata"]["curriculum"]["translations"]["hammer/gone"] = "0123456789"
    path.write_text(json.dumps(raw), encoding="utf-8")
    assert run(capsys, "translated", str(path))[0] == 0
    assert lint_ids(pack, capsys) == []
    assert "hammer/gone" not in stamped(pack)
    book, _ = load_notebook(path, path.name)
    assert book is not None
    assert canonical(read(path), book) == path.read_text(encoding="utf-8")


def test_translated_refuses_a_string_that_is_not_there(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a guess; nothing is recorded, not even for the other names."""
    before = (pack / HAMMER).read_bytes()
    code, _, err = run(
        capsys, "translated", "hammer", "hammer/summary", "hammer-nail-leson/title", "--content", str(pack)
    )
    assert code == 1
    assert "“hammer-nail-lesson/title”" in err
    assert (pack / HAMMER).read_bytes() == before


def test_translated_serves_the_frame_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its cells are the strings."""
    path = tmp_path / "study.ipynb"
    shutil.copy(REPOSITORY / "templates" / "notebooks" / "study.ipynb", path)
    assert run(capsys, "translated", str(path))[0] == 0
    assert {"study/welcome", "study/card"} <= set(read(path)["metadata"]["curriculum"]["translations"])


def test_translated_does_not_vouch_for_what_is_missing(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A string without Japanese gets no stamp."""
    path = pack / HAMMER
    path.write_text(path.read_text(encoding="utf-8").replace("  ja: 釘を打つ道具です。\\n", ""), encoding="utf-8")
    raw = read(path)
    front = [line for line in raw["cells"][0]["source"] if "釘を打つ" not in line]
    raw["cells"][0]["source"] = front
    path.write_text(json.dumps(raw), encoding="utf-8")
    assert run(capsys, "translated", str(path))[0] == 0
    assert "hammer/summary" not in stamped(pack)


def test_a_study_notebook_is_left_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`fmt` is for templates: what a learner works in keeps every byte, and exit code 1 says why."""
    import curriculum

    study = curriculum.generate(level="beginner", lang="en", start="2026-11-30", output=tmp_path)
    before = study.notebook.read_bytes()
    for options in ([], ["--check"]):
        assert cli.run(["fmt", str(study.notebook), "--lang", "en", *options]) == 1
        assert "no template" in capsys.readouterr().err
    assert study.notebook.read_bytes() == before
