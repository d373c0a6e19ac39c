"""Where a study lives is found anew in every kernel, whatever was run first in it."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from curriculum.home import find_home, live_front_end, warnings

SETTINGS = {
    "role": "tester",
    "level": "beginner",
    "lang": "en",
    "start": "2026-11-30",
    "study": "1a2b3c4d5e",
    "part": "",
}


def write(path: Path, tag: str = "parameters", **more: Any) -> Path:
    source = "# a comment\n" + "\n".join(f"{name} = {value!r}" for name, value in {**SETTINGS, **more}.items())
    cell = {"cell_type": "code", "id": "parameters", "metadata": {"tags": [tag]}, "source": source, "outputs": []}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    return path


def test_the_session_name_leads_to_the_notebook(tmp_path: Path) -> None:
    """JupyterLab's JPY_SESSION_NAME, with spaces and Japanese, wherever the kernel stands."""
    folder = tmp_path / "学習 ノート"
    folder.mkdir()
    path = write(folder / "study.ja.ipynb", lang="ja")
    home = find_home({}, {"JPY_SESSION_NAME": str(path)}, tmp_path)
    assert (home.folder, home.notebook, home.writer) == (folder, path, "study.ja.ipynb")
    assert home.settings["start"] == "2026-11-30"
    assert "parameters" in home.cells


def test_vs_code_tells_the_notebook_by_a_name(tmp_path: Path) -> None:
    """`__vsc_ipynb_file__` among the kernel's names."""
    path = write(tmp_path / "study.en.ipynb")
    home = find_home({"__vsc_ipynb_file__": str(path)}, {}, Path(tempfile.gettempdir()))
    assert home.notebook == path


def test_the_only_study_notebook_of_the_folder_is_the_one(tmp_path: Path) -> None:
    """Another notebook beside it, without settings, or one that is broken, is not taken for it."""
    path = write(tmp_path / "study.en.ipynb")
    write(tmp_path / "scratch.ipynb", tag="other")
    (tmp_path / "broken.ipynb").write_text("{", encoding="utf-8")
    assert find_home({}, {}, tmp_path).notebook == path


def test_of_two_languages_the_kernel_says_which(tmp_path: Path) -> None:
    """Without that word neither is guessed."""
    english, _ = write(tmp_path / "study.en.ipynb"), write(tmp_path / "study.ja.ipynb", lang="ja")
    assert find_home(SETTINGS, {}, tmp_path).notebook == english
    assert find_home({}, {}, tmp_path).notebook is None


def test_names_of_exploring_cells_do_no_harm(tmp_path: Path) -> None:
    """`level`, `fit`, `start` are everyday names; the file remembers what they were."""
    write(tmp_path / "study.en.ipynb")
    names = {**SETTINGS, "level": "DEBUG", "fit": True, "start": print, "id": 7}
    settings = find_home(names, {}, tmp_path).settings
    assert (settings["level"], settings["start"]) == ("beginner", "2026-11-30")
    assert "id" not in settings


def test_without_a_file_the_kernels_names_are_enough(tmp_path: Path) -> None:
    """Colab, or a program that runs a notebook elsewhere; names of another type are somebody else's."""
    home = find_home({**SETTINGS, "known": "x", "hours_per_week": True}, {}, tmp_path)
    assert home.settings == SETTINGS
    assert (home.folder, home.notebook, home.writer) == (tmp_path, None, "study.en.ipynb")


def test_another_study_in_the_folder_does_not_answer_for_this_one(tmp_path: Path) -> None:
    """The kernel's study is not the file's: the kernel is right."""
    write(tmp_path / "study.en.ipynb")
    assert (
        find_home({**SETTINGS, "study": "ffffffffff", "level": "advanced"}, {}, tmp_path).settings["level"]
        == "advanced"
    )


def test_a_renamed_notebook_still_has_its_folder(tmp_path: Path) -> None:
    """The kernel was told the old name."""
    path = write(tmp_path / "renamed.ipynb")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    home = find_home(SETTINGS, {"JPY_SESSION_NAME": str(tmp_path / "study.en.ipynb")}, tmp_path)
    assert home.notebook == path
    home = find_home(SETTINGS, {"JPY_SESSION_NAME": str(tmp_path / "study.en.ipynb")}, elsewhere)
    assert (home.notebook, home.folder) == (None, tmp_path)


def test_a_bare_template_is_an_authors_run(tmp_path: Path) -> None:
    """It has settings and no study."""
    path = write(tmp_path / "hammer.ipynb", study="")
    assert find_home({}, {}, tmp_path).template
    assert find_home({}, {}, tmp_path).notebook == path
    assert not find_home({}, {}, tmp_path / "nowhere").template


@pytest.mark.parametrize(
    ("names", "environment", "live"),
    [
        ({}, {}, False),
        ({}, {"JPY_SESSION_NAME": "x.ipynb"}, True),
        ({"__vsc_ipynb_file__": "x.ipynb"}, {}, True),
        ({}, {"JPY_SESSION_NAME": "x.ipynb", "CURRICULUM_STATIC": "1"}, False),
        ({}, {"JPY_SESSION_NAME": "x.ipynb", "CURRICULUM_STATIC": "0"}, True),
    ],
)
def test_widgets_are_for_pages_only(names: dict[str, str], environment: dict[str, str], live: bool) -> None:
    """nbclient, papermill and nbconvert get the picture alone, and no widget state in the file."""
    assert live_front_end(names, environment) is live


def test_places_where_work_would_vanish_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder, a read-only one, a full disk, Colab without Drive; and nothing where all is well."""

    def keys(folder: Path) -> list[str]:
        return [key for key, _ in warnings(find_home(SETTINGS, {}, folder))]

    assert keys(tmp_path) == ["warn-temporary"]
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "elsewhere"))
    assert keys(tmp_path) == []
    assert keys(tmp_path / "gone") == ["warn-read-only"]
    with monkeypatch.context() as patched:
        patched.setattr("curriculum.home._free", lambda folder: 10)
        assert keys(tmp_path) == ["warn-full"]
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    assert keys(tmp_path) == ["warn-colab"]
