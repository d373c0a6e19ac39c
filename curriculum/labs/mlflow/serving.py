"""The judge of `mlflow-serve-contract`: the logged model is served, and asked well and badly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from curriculum.errors import AnswerError
from curriculum.labs import judge
from curriculum.labs.lab import Lab, shortened
from curriculum.labs.mlflow_scene import parsed, scene
from curriculum.outcome import Finding

#: A model that has learned the given rows is off by less than this.
_NEAR = 15.0


@judge("mlflow-serve-contract")
def serve_contract(lab: Lab) -> Iterator[Finding]:
    parsed(lab, "contract.py")
    if mlflow := lab.backend("mlflow"):
        with scene(lab, mlflow) as play:
            play.finish("contract.py")
            run = next(iter(play.read().of(lab.value("delivery-time"))), None)
            if run is None or not run.models:
                yield lab.found("answers", False, expected=lab.value("delivery-time"), fault="no-model", how="real")
                return
            asked = _Asked(play.rows(2).names, lab.number("most"))
            told = play.reply("converse", uri=run.models[0].uri, requests=asked.bodies)
            if not told.ok:
                raise AnswerError("answer-fails", file="contract.py", problem=shortened(told.problem, 200))
            yield from _findings(lab, asked, dict(zip(asked.names, told.data, strict=True)))


class _Asked:
    """The requests, by name. A plain row is one that everybody would answer."""

    def __init__(self, features: list[str], most: float) -> None:
        self.features = features
        rows = [[4.0, 11.0, 0.0, 2.0], [9.5, 18.0, 1.0, 5.0]]
        plain = rows[0]

        def with_(place: int, value: object) -> list[object]:
            return [value if n == place else known for n, known in enumerate(plain)]

        split: dict[str, list[list[Any]]] = {
            "plain": [list(row) for row in rows],
            "whole": [[4, 11, 0, 2]],
            "text": [with_(0, "far")],
            "empty": [with_(0, None)],
            "empty-later": [with_(3, None)],
            "hour-25": [with_(1, 25.0)],
            "hour-minus": [with_(1, -1.0)],
            "far": [with_(0, most + 1)],
            "minus": [with_(0, -0.5)],
            "one-of-two": [list(plain), with_(1, 24.0)],
            "edge-low": [with_(1, 0.0)],
            "edge-high": [with_(1, 23.0)],
            "edge-far": [with_(0, most)],
        }
        bodies = {name: {"dataframe_split": {"columns": features, "data": data}} for name, data in split.items()}
        for n, feature in enumerate(features):
            columns = [name for name in features if name != feature]
            data = [[value for place, value in enumerate(plain) if place != n]]
            bodies[f"without {feature}"] = {"dataframe_split": {"columns": columns, "data": data}}
        self.names, self.bodies = list(bodies), list(bodies.values())


def _findings(lab: Lab, asked: _Asked, replies: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    plain = replies["plain"]
    told, true = _numbers(plain), (22.6, 55.3)
    met = len(told) == 2 and all(abs(t - right) < _NEAR for t, right in zip(told, true, strict=True))
    fault = "refused" if plain["status"] != 200 else "numbers"
    yield lab.found("answers", met, found=_shown(plain), expected="200: 2 × number", fault=fault, how="real")
    if not met:
        return
    yield _all(lab, "whole-numbers", replies, ["whole"], 200, "refused")
    yield _all(lab, "names", replies, [f"without {name}" for name in asked.features], 400, "guessed")
    yield _all(lab, "types", replies, ["text", "empty", "empty-later"], 400, "answered")
    beyond = ["hour-25", "hour-minus", "far", "minus", "one-of-two"]
    if any(replies[name]["status"] // 100 != 4 for name in beyond):
        yield _all(lab, "range", replies, beyond, 400, "answered")
    else:
        yield _all(lab, "range", replies, ["edge-low", "edge-high", "edge-far"], 200, "edge")
        named = {"hour-25": "hour", "far": asked.features[0]}
        silent = [name for name, feature in named.items() if feature not in _reason(replies[name])]
        yield lab.found(
            "says-which",
            not silent,
            found=_shown(replies[silent[0] if silent else "far"]),
            expected=named[silent[0]] if silent else "",
            fault="silent",
            how="real",
        )


def _all(
    lab: Lab, criterion: str, replies: dict[str, dict[str, Any]], names: list[str], status: int, fault: str
) -> Finding:
    """Whether all these requests get a status like this one; the first that does not is shown."""
    wrong = [name for name in names if replies[name]["status"] // 100 != status // 100]
    # A server that breaks on a request has refused nothing: whoever called cannot know what to mend.
    broken = bool(wrong) and replies[wrong[0]]["status"] >= 500
    name = (wrong or names)[0]
    return lab.found(
        criterion,
        not wrong,
        found=f"{name}: {_shown(replies[name])}",
        expected=status,
        fault="broke" if broken else fault,
        how="real",
    )


def _numbers(reply: dict[str, Any]) -> list[float]:
    """The predictions in a reply; a list in a list or a table of one column too."""
    try:
        given = json.loads(reply["text"])["predictions"]
        rows = [next(iter(row.values())) if isinstance(row, dict) else row for row in given]
        return [float(row[0] if isinstance(row, list) else row) for row in rows]
    except (ValueError, KeyError, TypeError, IndexError, StopIteration):
        return []


def _reason(reply: dict[str, Any]) -> str:
    """Why a request was refused, without the rows, which MLflow repeats before it."""
    try:
        message = str(json.loads(reply["text"])["message"])
    except (ValueError, KeyError, TypeError):
        message = reply["text"]
    return message.rpartition("\nError: ")[2]


def _shown(reply: dict[str, Any]) -> str:
    text = reply["text"]
    try:
        told = json.loads(text)
        text = _reason(reply) if "message" in told else str(told["predictions"])
    except (ValueError, KeyError, TypeError):
        pass
    return shortened(f"{reply['status']} {text}", 160)
