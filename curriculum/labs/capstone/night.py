"""The night the model went wrong: find, roll back, explain, guard."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any

from curriculum.labs import judge
from curriculum.labs.capstone.evidence import Evidence, Minute, read_evidence
from curriculum.labs.capstone.script import mapping, number, word
from curriculum.labs.lab import Lab
from curriculum.outcome import Finding

# --- part 1: find -------------------------------------------------------------------------------------------------------


@judge("capstone-night-find")
def find(lab: Lab) -> Iterator[Finding]:
    said = mapping(next(iter(lab.yaml("findings.yaml")), None))
    evidence = read_evidence(lab)
    yield _culprit(lab, said, evidence)
    yield _acquitted(lab, mapping(said.get("acquits")), evidence)
    yield _last_good(lab, said, evidence)
    feature = word(said.get("feature"))
    yield lab.found("feature", feature == evidence.feature, found=feature, fault="other")
    yield from _minutes(lab, said, evidence)
    yield _damage(lab, said, evidence)


def _culprit(lab: Lab, said: Mapping[str, Any], evidence: Evidence) -> Finding:
    cause, version = word(said.get("cause")).lower(), _version(said.get("version"))
    right = cause == evidence.cause
    fault = "version" if right else "image" if cause == "image" else "other"
    return lab.found("culprit", right and version == evidence.bad, found=f"{cause} {version}".strip(), fault=fault)


def _version(value: Any) -> str:
    """A version as people write it: `8`, `"8"`, `v8`, `delivery-time/8`."""
    return word(value).rpartition("/")[2].lower().removeprefix("version").strip().removeprefix("v").strip()


def _acquitted(lab: Lab, said: Mapping[str, Any], evidence: Evidence) -> Finding:
    names = [word(said.get(field)) for field in ("new_image_right", "old_image_wrong")]
    pods = [evidence.pods.get(name) for name in names]
    old, new = evidence.images
    if None in pods:
        fault = "unknown"
    elif pods[0] and (pods[0].image != new or names[0] in evidence.wrong):
        fault = "not-right"
    elif pods[1] and (pods[1].image != old or names[1] not in evidence.wrong):
        fault = "not-wrong"
    else:
        fault = ""
    found = ", ".join(f"{name} {pod.image if pod else ''}".strip() for name, pod in zip(names, pods, strict=True))
    return lab.found("acquitted", not fault, found=found, fault=fault)


def _last_good(lab: Lab, said: Mapping[str, Any], evidence: Evidence) -> Finding:
    version = _version(said.get("last_good"))
    entry = evidence.versions.get(version)
    refused = entry is not None and mapping(entry.get("tags")).get("gate") == "refused"
    fault = "refused" if refused else "bad" if version == evidence.bad else "older"
    return lab.found("last-good", version == evidence.last_good, found=version, fault=fault)


def _minutes(lab: Lab, said: Mapping[str, Any], evidence: Evidence) -> Iterator[Finding]:
    day = evidence.end // 1440
    moved = read_minute(said.get("alias_moved"), day)
    met = moved is not None and abs(moved - evidence.alias_moved) <= 1
    yield lab.found("alias-moved", met, found=shown_minute(moved), fault="other")
    first = read_minute(said.get("first_wrong_answer"), day)
    met = first is not None and abs(first - evidence.first_wrong) <= 1
    near = {"rollout": evidence.rollout, "alias": evidence.alias_moved}
    fault = next((key for key, minute in near.items() if first is not None and abs(first - minute) <= 3), "other")
    yield lab.found("first-wrong", met, found=shown_minute(first), fault=fault)
    bad, right = read_minute(said.get("first_bad_minute"), day), evidence.first_bad_minutes
    fault = "early" if bad is not None and bad < right[0] else "late"
    yield lab.found("first-bad", bad in right, found=shown_minute(bad), fault=fault)


def read_minute(value: Any, day: int) -> Minute | None:
    """A time as people write it, in UTC: with or without the day, quoted or not, `02:17` or `2:17`."""
    if isinstance(value, dt.datetime):
        value = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return int(value.timestamp()) // 60
    if isinstance(value, int) and not isinstance(value, bool):
        # YAML takes an unquoted 2:17 for a number to the base of sixty, and 2:17:09 for a larger one.
        value = value if value < 1440 else value // 60
        return day * 1440 + value if 0 <= value < 1440 else None
    text = word(value).upper().removesuffix("UTC").strip()
    if match := re.fullmatch(r"(\d{1,2}):(\d\d)(?::\d\d)?Z?", text):
        return day * 1440 + int(match[1]) * 60 + int(match[2])
    try:
        moment = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()) // 60


def shown_minute(minute: Minute | None) -> str:
    return "" if minute is None else f"{dt.datetime.fromtimestamp(minute * 60, dt.UTC):%Y-%m-%dT%H:%MZ}"


def _damage(lab: Lab, said: Mapping[str, Any], evidence: Evidence) -> Finding:
    count = number(said.get("wrong_answers"))
    running = sum(
        max(evidence.metrics[("predictions_total", name)].values())
        for name in evidence.wrong
        if not evidence.gone(name)
    )
    near = {"running-only": running, "judged-only": evidence.judged}
    fault = next((key for key, value in near.items() if count is not None and about(count, value)), "other")
    met = count is not None and about(count, evidence.damage)
    return lab.found("damage", met, found=word(said.get("wrong_answers")), fault=fault)


def about(one: float, other: float) -> bool:
    return abs(one - other) <= 0.02 * other
