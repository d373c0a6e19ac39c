"""The evidence of the night: what the files that were handed out really say. Pure, apart from reading them.

Nothing of the answer is written down here: culprit, times and numbers are worked out as a learner has to.
"""

from __future__ import annotations

import datetime as dt
import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from curriculum.errors import AnswerError

if TYPE_CHECKING:
    from curriculum.labs.lab import Lab

LOG, METRICS, REGISTRY = "capstone-night-log.jsonl", "capstone-night-metrics.om", "capstone-night-registry.json"
#: The mean error of all answers, in the story's unit, above which the service is called bad.
LIMIT = 6.0

Minute = int  #: Minutes since 1970.


@dataclass(frozen=True)
class Pod:
    """A Pod of the night: the image it was started with, the model version it loaded, and when it could answer."""

    name: str
    image: str
    model: str
    ready: Minute


class Evidence:
    """The files of the night."""

    def __init__(
        self, log: Sequence[Mapping[str, Any]], metrics: Mapping[tuple[str, str], dict[Minute, float]], registry: Any
    ) -> None:
        self._log = log
        self.metrics = metrics
        self._registry = registry

    # --- Pods and versions ---

    @cached_property
    def pods(self) -> dict[str, Pod]:
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        for entry in self._log:
            about = found[str(entry["source"])]
            if entry["event"] == "service.started":
                about["image"] = str(entry["image"])
            elif entry["event"] == "model.loaded":
                about["model"] = str(entry["version"])
            elif entry["event"] == "service.ready":
                about["ready"] = minute_of(entry["ts"])
        return {name: Pod(name, **about) for name, about in found.items() if len(about) == 3}

    def mean_error(self, pod: str) -> float:
        """The mean error of a Pod's answers, as far as their truth is known."""
        count = _last(self.metrics.get(("prediction_error_count", pod), {}))
        return _last(self.metrics.get(("prediction_error_sum", pod), {})) / count if count else 0.0

    @cached_property
    def wrong(self) -> set[str]:
        """The Pods whose answers are wrong: their mean error is at least half as high as the highest."""
        worst = max(map(self.mean_error, self.pods))
        return {pod for pod in self.pods if self.mean_error(pod) > worst / 2}

    @cached_property
    def cause(self) -> str:
        """What separates the Pods that are wrong from those that are right."""
        for kind in ("image", "model"):
            wrong, right = (
                {getattr(self.pods[name], kind) for name in names}
                for names in (self.wrong, set(self.pods) - self.wrong)
            )
            if not wrong & right:
                return kind
        return ""

    @cached_property
    def bad(self) -> str:
        """The version of the model that is wrong."""
        (version,) = {self.pods[name].model for name in self.wrong}
        return version

    @cached_property
    def images(self) -> tuple[str, str]:
        """The image before the release of the night, and the new one."""
        by_start = sorted(self.pods.values(), key=lambda pod: pod.ready)
        return by_start[0].image, by_start[-1].image

    # --- the registry ---

    @cached_property
    def versions(self) -> dict[str, Any]:
        return {str(entry["version"]): entry for entry in self._registry["versions"]}

    @cached_property
    def _move(self) -> Mapping[str, Any]:
        """The moment at which the bad version became champion."""
        moves = (entry for entry in self._log if entry["event"] == "alias.moved" and str(entry["to"]) == self.bad)
        return next(moves)

    @property
    def last_good(self) -> str:
        """The version that the bad one has replaced."""
        return str(self._move["from"])

    @property
    def alias_moved(self) -> Minute:
        return minute_of(self._move["ts"])

    @cached_property
    def feature(self) -> str:
        """The feature whose mean in the training data changed the most from the last good version to the bad one."""
        old, new = (self.versions[version]["run"]["dataset"]["means"] for version in (self.last_good, self.bad))
        return str(max(old, key=lambda name: abs(new[name] - old[name]) / abs(old[name])))

    @cached_property
    def people(self) -> set[str]:
        """The names of persons that stand in the log."""
        return {str(entry["export_author"]) for entry in self._log if "export_author" in entry}

    # --- minutes and numbers ---

    @property
    def first_wrong(self) -> Minute:
        """When the first Pod with the bad version could answer."""
        return min(self.pods[name].ready for name in self.wrong)

    @cached_property
    def rollout(self) -> Minute:
        """When the first Pod of the new image, the canary aside, could answer: what everybody suspects."""
        new = sorted(pod.ready for pod in self.pods.values() if pod.image == self.images[1])
        return new[1] if len(new) > 1 else new[0]

    @cached_property
    def damage(self) -> float:
        """How many answers the bad version had given when the record ends."""
        return sum(_last(self.metrics[("predictions_total", name)]) for name in self.wrong)

    @cached_property
    def judged(self) -> float:
        """Of these, how many had a known truth by then."""
        return sum(_last(self.metrics[("prediction_error_count", name)]) for name in self.wrong)

    def gone(self, name: str) -> bool:
        """Whether a Pod's record ends before the last minute."""
        return max(self.metrics[("predictions_total", name)]) < self.end

    @cached_property
    def end(self) -> Minute:
        return max(max(rows) for rows in self.metrics.values())

    def first_bad(self, window: int = 10) -> Minute:
        """The first minute whose mean error over the `window` minutes before it is above the limit."""
        sums = [rows for (name, _), rows in self.metrics.items() if name == "prediction_error_sum"]
        counts = [rows for (name, _), rows in self.metrics.items() if name == "prediction_error_count"]
        start = min(min(rows) for rows in sums)
        for minute in range(start + window, self.end + 1):
            count = _gain(counts, minute - window, minute)
            if count and _gain(sums, minute - window, minute) / count > LIMIT:
                return minute
        return self.end

    @cached_property
    def first_bad_minutes(self) -> range:
        """The minutes that are right for `first_bad`: Prometheus 2 and 3 cut a range differently, and people count so too."""
        found = [self.first_bad(window) for window in (9, 10, 11)]
        return range(min(found) - 1, max(found) + 2)


def _last(rows: Mapping[Minute, float]) -> float:
    return rows[max(rows)] if rows else 0.0


def _gain(series: Sequence[Mapping[Minute, float]], begin: Minute, end: Minute) -> float:
    """By how much counters have grown; one that did not exist yet began at zero."""
    return sum(_at(rows, end) - _at(rows, begin) for rows in series)


def _at(rows: Mapping[Minute, float], minute: Minute) -> float:
    minutes = sorted(rows)
    place = bisect_right(minutes, minute)
    return rows[minutes[place - 1]] if place else 0.0


def minute_of(text: Any) -> Minute:
    """The minute of a time such as `2026-11-12T02:17:09Z`."""
    moment = dt.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return int(moment.timestamp()) // 60


def read_evidence(lab: Lab) -> Evidence:
    """The evidence as it lies in the exercise's folder. Raises AnswerError when it was changed beyond reading."""
    try:
        log = [json.loads(line) for line in lab.text(LOG).splitlines() if line.strip()]
        evidence = Evidence(log, _samples(lab.text(METRICS)), json.loads(lab.text(REGISTRY)))
        _ = evidence.cause, evidence.last_good, evidence.feature, evidence.first_bad_minutes
    except (ValueError, KeyError, TypeError, StopIteration, ZeroDivisionError) as error:
        raise AnswerError("answer-given-changed", files=f"{LOG}, {METRICS}, {REGISTRY}", problem=str(error)) from None
    return evidence


def _samples(text: str) -> dict[tuple[str, str], dict[Minute, float]]:
    """The samples of a record as we have written it, by metric and Pod: `name{pod="x"} value time` on each line."""
    found: dict[tuple[str, str], dict[Minute, float]] = defaultdict(dict)
    for line in text.splitlines():
        if line and not line.startswith("#"):
            series, value, time = line.split(" ")
            name, _, labels = series.partition("{")
            if labels:
                found[name, labels.partition('"')[2].rpartition('"')[0]][int(time) // 60] = float(value)
    return dict(found)
