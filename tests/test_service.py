"""The service that the exercises hand out: the same code in the words of every industry, and it runs in all of them."""

from __future__ import annotations

import ast
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curriculum.catalog import catalog_at
from curriculum.labs import process
from curriculum.labs.first_lap import wait_until_listening
from curriculum.labs.lab import fetch, free_port
from curriculum.model import ANY
from curriculum.personal import retold

INDUSTRIES = list(catalog_at(None).stories)
FILES = ("app.py", "data.py", "model.json", "requirements.txt", "train.py", "first-lap-ask.py", "first-lap.Dockerfile")


def word(industry: str, name: str) -> str:
    """A word of code as an industry has it."""
    return catalog_at(None).story(industry)[name][ANY]


def told(industry: str, file: str) -> str:
    """A given file as it is handed out."""
    path = catalog_at(None).given_file(file)
    assert path is not None
    return retold(path.read_text(encoding="utf-8"), catalog_at(None).story(industry))


def lay_out(industry: str, folder: Path) -> None:
    for file in FILES:
        (folder / file).write_text(told(industry, file), encoding="utf-8", newline="\n")


def fields(industry: str) -> list[str]:
    """The features that the service asks for, in its own order."""
    (model,) = (node for node in ast.parse(told(industry, "app.py")).body if isinstance(node, ast.ClassDef))
    assert model.name == word(industry, "Delivery")
    return [
        node.target.id for node in model.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_code_data_and_model_speak_of_the_same_features(industry: str) -> None:
    """In the same order: the class of a question, the columns of the data, the weights of the model."""
    names = [word(industry, "distance_km"), "hour", word(industry, "rain"), word(industry, "stops")]
    assert fields(industry) == names
    assert list(json.loads(told(industry, "model.json"))["weights"]) == names
    assert f"FEATURES = {json.dumps(names)}" in told(industry, "data.py")


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_no_word_of_another_industry_is_left(industry: str) -> None:
    """A payment has no rain, and no delivery is meant where there is none."""
    own = {entry[ANY] for entry in catalog_at(None).story(industry).values() if ANY in entry}
    others = {e[ANY] for story in catalog_at(None).stories.values() for e in story.values() if ANY in e} - own
    for file in FILES:
        words = set(re.findall(r"[A-Za-z_]+(?:-[A-Za-z_]+)*", told(industry, file)))
        assert words & others == set(), file
        if industry != "tech":
            assert not re.search(
                "deliver|rain\\b|distance", told(industry, file).replace("train", ""), re.IGNORECASE
            ), file


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_the_data_are_made_without_any_package_and_fit_the_model(industry: str, tmp_path: Path) -> None:
    """The model is off by some three units on them, whatever they are called."""
    lay_out(industry, tmp_path)
    program = (
        "import json; from data import FEATURES, make; m = json.load(open('model.json')); rows, truths = make();"
        "print(sum(abs(m['bias'] + sum(m['weights'][n] * v for n, v in zip(FEATURES, r)) - t)"
        " for r, t in zip(rows, truths)) / len(rows))"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, '.'); {program}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert 3 < float(ran.stdout) < 4, ran.stderr
    for file in FILES:
        if file.endswith(".py"):
            compile((tmp_path / file).read_text(encoding="utf-8"), file, "exec")


@pytest.mark.slow
@pytest.mark.parametrize("industry", INDUSTRIES)
def test_the_service_answers_in_the_words_of_the_industry(
    industry: str, tmp_path: Path, need: Callable[[str], None]
) -> None:
    """/predict with the unit, /healthz with the version, /metrics with the label; a wrong question is refused."""
    for package in ("fastapi", "uvicorn", "prometheus-client"):
        need(f"python:{package}")
    lay_out(industry, tmp_path)
    port = free_port()
    argv = [sys.executable, "-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", str(port)]
    with process.serving(argv, folder=tmp_path) as service:
        assert wait_until_listening(service, port), service.log
        base = f"http://127.0.0.1:{port}"
        assert fetch(f"{base}/healthz").json() == {"ok": True, "model": "1"}
        question: dict[str, Any] = dict(zip(fields(industry), (7.5, 9, True, 3), strict=True))
        answer = fetch(f"{base}/predict", question).json()
        assert answer == {word(industry, "minutes"): 44.6}
        assert fetch(f"{base}/predict", {**question, fields(industry)[3]: 0}).status == 422
        page = fetch(f"{base}/metrics").text
        assert f'predictions_total{{{word(industry, "rain")}="true"}} 1.0' in page
        assert "prediction_seconds_count 1.0" in page
        asked = subprocess.run(
            [sys.executable, "first-lap-ask.py", str(port), "4-2-3"], cwd=tmp_path, capture_output=True, text=True
        )
        assert asked.stdout == "sent=9\n", asked.stderr
        page = fetch(f"{base}/metrics").text
        assert f'predictions_total{{{word(industry, "rain")}="true"}} 4.0' in page
        assert f'predictions_total{{{word(industry, "rain")}="false"}} 4.0' in page
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
