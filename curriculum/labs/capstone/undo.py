"""Stop the damage of the night, undo its cause for good, and explain it."""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from curriculum.errors import AnswerError
from curriculum.labs import judge
from curriculum.labs.capstone.evidence import REGISTRY, Evidence, Minute, read_evidence
from curriculum.labs.capstone.night import about, read_minute, shown_minute
from curriculum.labs.capstone.script import mapping, number, word
from curriculum.labs.capstone.switch import difference
from curriculum.labs.lab import Lab, parse_yaml
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.mlflow import MLflow
    from curriculum.labs.manifests import Manifest, Manifests
    from curriculum.labs.mlflow_scene import Scene

LIVE = "capstone-night-live.yaml"
#: What the prose tells: the version to go back to, those that are none, and the image that stays.
GOOD, REFUSED, BAD, IMAGE = "6", "7", "8", "1.8.4"

# --- part 2: stop the damage ----------------------------------------------------------------------------------------------


@judge("capstone-night-rollback")
def rollback(lab: Lab) -> Iterator[Finding]:
    from curriculum.labs.kubernetes import accepted
    from curriculum.labs.manifests import load, objects

    manifests = load(lab)
    live = list(objects(lab.yaml(LIVE), LIVE))
    taken = accepted(lab, manifests)
    yield taken
    main, canary = (manifests.one("Deployment", name) for name in ("api", "api-canary"))
    yield _pinned(lab, manifests, main)
    yield _canary(lab, manifests, canary)
    if main:
        yield _image_kept(lab, [one for one in (main, canary) if one])
    yield _training_stopped(lab, manifests, live)
    if taken.result != "not-met":
        yield _nothing_else(lab, manifests, live)
    if main:
        yield _said_why(lab, main)


def _model_of(manifests: Manifests, deployment: Manifest) -> str:
    """The address from which a Deployment's Pods load their model."""
    pods = deployment.pods
    for container in pods.containers if pods else ():
        value = container.environment(manifests).get("MODEL_URI")
        if value is not None:
            return value.value or ""
    return ""


def _pinned(lab: Lab, manifests: Manifests, deployment: Manifest | None) -> Finding:
    if deployment is None:
        return lab.found("pinned", False, fault="missing")
    said, base = _model_of(manifests, deployment), f"models:/{lab.value('delivery-time')}/"
    known = {f"{base}{BAD}": "bad", f"{base}{REFUSED}": "refused"}
    fault = "alias" if "@" in said else known.get(said, "other")
    return lab.found("pinned", said == f"{base}{GOOD}", found=said, fault=fault)


def _canary(lab: Lab, manifests: Manifests, deployment: Manifest | None) -> Finding:
    said = _model_of(manifests, deployment) if deployment else ""
    fault = "forgotten" if deployment is None or "@" in said else "other"
    return lab.found("canary-pinned", said == f"models:/{lab.value('delivery-time')}/{GOOD}", found=said, fault=fault)


def _image_kept(lab: Lab, deployments: list[Manifest]) -> Finding:
    for deployment in deployments:
        container = deployment.pods.container(name="api") if deployment.pods else None
        image = container.image if container else None
        if image is None or image.name != lab.value("delivery-time") or image.tag != IMAGE:
            fault = "taken-back" if image and image.tag < IMAGE else "other"
            found = f"{deployment.title}: {image.text if image else ''}"
            return lab.found("image-kept", False, found=found, fault=fault)
    return lab.found("image-kept", True)


def _training_stopped(lab: Lab, manifests: Manifests, live: list[Manifest]) -> Finding:
    job = manifests.one("CronJob", "nightly-train")
    if job is None:
        return lab.found("training-stopped", False, fault="missing")
    if job.at("spec", "suspend") is not True:
        return lab.found("training-stopped", False, found=f"suspend: {job.at('spec', 'suspend')}", fault="running")
    place = difference(_bare(_live(live, job)), _bare(job))
    return lab.found("training-stopped", not place, found=place, fault="changed")


def _live(live: list[Manifest], manifest: Manifest) -> Mapping[str, Any]:
    return next((one.data for one in live if (one.kind, one.name) == (manifest.kind, manifest.name)), {})


def _nothing_else(lab: Lab, manifests: Manifests, live: list[Manifest]) -> Finding:
    for manifest in manifests:
        if manifest.kind == "CronJob" and manifest.name == "nightly-train":
            continue
        before, now = _bare(_live(live, manifest)), _bare(manifest)
        if not before:
            return lab.found("nothing-else", False, found=manifest.title, fault="changed")
        if place := difference(before, now):
            fault = "changed" if _has(now, place) else "deleted-field"
            return lab.found("nothing-else", False, found=f"{manifest.title} {place}", fault=fault)
    return lab.found("nothing-else", True)


def _has(data: Any, place: str) -> bool:
    """Whether there is anything at a place such as `spec.ports[0].name`."""
    for part in place.replace("]", "").replace("[", ".").split("."):
        if isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        elif isinstance(data, dict) and part in data:
            data = data[part]
        else:
            return False
    return True


#: What a cluster adds to an object, or takes for granted where it is not said.
_DEFAULTS: Mapping[str, Any] = {
    "protocol": "TCP",
    "imagePullPolicy": "IfNotPresent",
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "creationTimestamp": None,
    "status": {},
    "securityContext": {},
}


def _bare(manifest: Mapping[str, Any] | Manifest) -> dict[str, Any]:
    """An object without annotations and defaults, and without what is judged by itself: image, model, a pause."""
    data = copy.deepcopy(dict(manifest if isinstance(manifest, Mapping) else manifest.data))

    def strip(node: Any) -> None:
        if isinstance(node, dict):
            for key in (
                "annotations",
                "suspend",
                *(key for key, usual in _DEFAULTS.items() if node.get(key, 0) == usual),
            ):
                node.pop(key, None)
            if isinstance(node.get("env"), list):
                node["env"] = [
                    one for one in node["env"] if not (isinstance(one, dict) and one.get("name") == "MODEL_URI")
                ]
                if "image" in node and data.get("kind") == "Deployment":
                    node.pop("image")
            for value in node.values():
                strip(value)
        elif isinstance(node, list):
            for value in node:
                strip(value)

    strip(data)
    return data


def _said_why(lab: Lab, deployment: Manifest) -> Finding:
    cause = deployment.annotations.get("kubernetes.io/change-cause", "").strip()
    fault = "no-version" if cause else "missing"
    return lab.found("said-why", GOOD in re.findall(r"\d+", cause), found=cause, fault=fault)


# --- part 3: undo it for good ---------------------------------------------------------------------------------------------

SCRIPT, REBUILD, REVIEW = "restore.py", "capstone-night-rebuild.py", "review.md"


@judge("capstone-night-explain")
def explain(lab: Lab) -> Iterator[Finding]:
    facts, text = read_review(lab)
    lab.text(SCRIPT)
    evidence = read_evidence(lab)
    yield from _review(lab, facts, text, evidence)
    if mlflow := lab.backend("mlflow"):
        yield from _restored(lab, mlflow)


@contextmanager
def _registry(lab: Lab, mlflow: MLflow, registry: Mapping[str, Any]) -> Iterator[Scene]:
    """A copy of the answer with this registry, built by the script that was handed out."""
    from curriculum.labs.mlflow_scene import scene

    with scene(lab, mlflow) as play:
        play.write(REGISTRY, json.dumps(registry))
        play.write(REBUILD, lab.text(REBUILD))
        run = play.run(REBUILD)
        if not run.ok:
            raise AnswerError("answer-given-changed", files=f"{REBUILD}, {REGISTRY}", problem=run.last)
        yield play


def another_night(registry: Mapping[str, Any], *, sound: bool = False) -> dict[str, Any]:
    """Another registry with the same features: the champion is 12, and 13 is newer; 9 and 10 have passed, 11 has not.

    The second feature of small values has moved the most in proportion, the first the most in absolute numbers; in a
    sound one, none has moved by a fifth.
    """
    names = list(registry["versions"][0]["run"]["dataset"]["means"])
    first, hour, rain, last = names
    usual = {first: 12.4, hour: 14.2, rain: 0.31, last: 4.4}
    moved = (
        {first: 13.9, hour: 14.5, rain: 0.33, last: 4.7} if sound else {first: 14.6, hour: 14.5, rain: 0.33, last: 5.8}
    )

    def version(number: int, gate: str, mae: float, means: Mapping[str, float]) -> dict[str, Any]:
        made: dict[str, Any] = copy.deepcopy(registry["versions"][0])
        made |= {"version": str(number), "tags": {"gate": gate}}
        made["run"] |= {"name": f"nightly-{number}", "metrics": {"mae": mae}}
        made["run"]["dataset"] = {"name": "export", "digest": f"d{number}", "means": dict(means)}
        return made

    return {
        "model": registry["model"],
        "captured": registry["captured"],
        "aliases": {"champion": 12},
        "versions": [
            version(9, "passed", 3.1, usual),
            version(10, "passed", 3.6, usual),
            version(11, "refused", 4.9, {**usual, rain: 0.12}),
            version(12, "passed", 3.0, moved),
            version(13, "passed", 3.3, usual),
        ],
    }


def _restored(lab: Lab, mlflow: MLflow) -> Iterator[Finding]:
    """The findings `restored` and `named`, on the registry of another night."""
    night, name, good, bad = another_night(lab.json(REGISTRY)), lab.value("delivery-time"), 10, 12
    with _registry(lab, mlflow, night) as play:
        run = play.run(SCRIPT)
        store = play.read()
    champion = store.aliases(name).get("champion", 0)
    if champion == bad and not run.ok and "Traceback" in run.output:
        raise AnswerError("answer-fails", file=SCRIPT, problem=run.last[:300])
    moved = _moved(lab, night, champion, good, bad)
    yield moved
    if moved.result == "met":
        tags = next((version.tags for version in store.versions(name) if version.number == bad), {})
        yield _named(lab, night, tags, good, bad)
        yield _sound_stays(lab, mlflow)


def _moved(lab: Lab, registry: Mapping[str, Any], champion: int, good: int, bad: int) -> Finding:
    entries = {int(entry["version"]): entry for entry in registry["versions"]}
    passed = [n for n, entry in entries.items() if entry["tags"].get("gate") == "passed" and n != bad]
    lowest = min(passed, key=lambda n: float(entries[n]["run"]["metrics"]["mae"]))
    if champion == bad:
        fault = "not-moved"
    elif champion > bad:
        fault = "newer"
    elif champion in entries and champion not in passed:
        fault = "refused"
    else:
        fault = "best-number" if champion == lowest else "other"
    return lab.found("restored", champion == good, found=f"{bad} → {champion}", fault=fault, how="real")


def _means(registry: Mapping[str, Any], number: int) -> dict[str, float]:
    entry = next(entry for entry in registry["versions"] if int(entry["version"]) == number)
    return {str(name): float(mean) for name, mean in entry["run"]["dataset"]["means"].items()}


def _named(lab: Lab, registry: Mapping[str, Any], tags: Mapping[str, str], good: int, bad: int) -> Finding:
    was, now = _means(registry, good), _means(registry, bad)
    wanted = max(was, key=lambda name: abs(now[name] - was[name]) / abs(was[name]))
    largest = max(was, key=lambda name: abs(now[name] - was[name]))
    said = tags.get("withdrawn", "").strip().removeprefix("mean_")
    fault = "no-tag" if not said else "absolute" if said == largest else "other"
    return lab.found("named", said == wanted, found=said, fault=fault, how="real")


def _sound_stays(lab: Lab, mlflow: MLflow) -> Finding:
    name = lab.value("delivery-time")
    with _registry(lab, mlflow, another_night(lab.json(REGISTRY), sound=True)) as play:
        run = play.run(SCRIPT)
        store = play.read()
    champion = store.aliases(name).get("champion", 0)
    tagged = [version.number for version in store.versions(name) if "withdrawn" in version.tags]
    fault = "moved" if champion != 12 else "tagged" if tagged else "code" if run.ok else ""
    return lab.found("sound-stays", not fault, found=f"12 → {champion}", fault=fault, how="real")


# --- the review ---

#: What the prose tells of the end of the night, as minutes of the day, and the answers after the evidence ends.
DETECTED, ENDED, AFTERWARDS = 3 * 60 + 10, 3 * 60 + 52, 171
TEAMS = frozenset({"ml", "data", "platform"})
KINDS = ("prevent", "detect", "mitigate")


def read_review(lab: Lab) -> tuple[Mapping[str, Any], str]:
    """The facts at the top of the review, and all of its text. Raises AnswerError."""
    text = lab.text(REVIEW)
    match = re.match(r"\s*---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)", text, re.DOTALL)
    if match is None:
        raise AnswerError("answer-no-front-matter", file=REVIEW)
    return mapping(next(iter(parse_yaml(match[1], REVIEW)), None)), text


def _review(lab: Lab, facts: Mapping[str, Any], text: str, evidence: Evidence) -> Iterator[Finding]:
    day = evidence.end // 1440
    true = {
        "alias_moved": evidence.alias_moved,
        "first_wrong_answer": evidence.first_wrong,
        "detected": day * 1440 + DETECTED,
        "ended": day * 1440 + ENDED,
    }
    yield _timeline(lab, {field: read_minute(facts.get(field), day) for field in true}, true)
    yield _durations(lab, facts, true)
    said, wanted = number(facts.get("wrong_answers")), evidence.damage + AFTERWARDS
    fault = "until-evidence" if said is not None and about(said, evidence.damage) else "other"
    met = said is not None and about(said, wanted)
    yield lab.found("impact", met, found=word(facts.get("wrong_answers")), fault=fault)
    yield _actions(lab, facts.get("actions"), day)
    named = sorted(person for person in evidence.people if _names(person, text))
    yield lab.found("blameless", not named, found=", ".join(named), fault="name")


def _timeline(lab: Lab, said: Mapping[str, Minute | None], true: Mapping[str, Minute]) -> Finding:
    for field, minute in true.items():
        told = said[field]
        if told is None or abs(told - minute) > 1:
            found = f"{field}: {shown_minute(told)}"
            return lab.found("timeline", False, found=found, fault=field.split("_")[0])
    return lab.found("timeline", True)


def _durations(lab: Lab, facts: Mapping[str, Any], true: Mapping[str, Minute]) -> Finding:
    begun, moved, seen, ended = (true[name] for name in ("first_wrong_answer", "alias_moved", "detected", "ended"))
    said = [_span(facts.get(field)) for field in ("minutes_undetected", "minutes_of_damage")]

    def near(*minutes: int) -> bool:
        return all(one is not None and abs(one - other) <= 2 for one, other in zip(said, minutes, strict=True))

    alias = said[0] is not None and abs(said[0] - (seen - moved)) <= 2
    late = said[1] is not None and abs(said[1] - (ended - seen)) <= 2
    fault = "from-alias" if alias else "from-detection" if late else "other"
    found = ", ".join("" if span is None else f"{span:g}" for span in said)
    return lab.found("durations", near(seen - begun, ended - begun), found=found, fault=fault)


def _span(value: Any) -> float | None:
    """Minutes as people write them: 77, `77 min`, `1h17m`."""
    from curriculum.labs.promql import seconds

    text = word(value).lower().replace(" ", "").removesuffix("utes").removesuffix("s").removesuffix("in")
    plain = number(text.removesuffix("m"))
    if plain is not None:
        return plain
    length = seconds(text)
    return None if length is None else length / 60


def _names(person: str, text: str) -> bool:
    """Whether a text names somebody: by the account, or by its longer part alone."""
    parts = [person, *(part for part in person.split(".") if len(part) > 2)]
    return any(re.search(rf"(?<![A-Za-z]){re.escape(part)}(?![A-Za-z])", text, re.IGNORECASE) for part in parts)


def _actions(lab: Lab, value: Any, day: int) -> Finding:
    actions = [mapping(entry) for entry in value] if isinstance(value, list) else []
    if len(actions) < 3:
        return lab.found("actions", False, found=len(actions), fault="few")
    incident = dt.date(1970, 1, 1) + dt.timedelta(days=day)
    for action in actions:
        fault = ""
        kind, owner, due = word(action.get("kind")).lower(), word(action.get("owner")).lower(), _date(action.get("due"))
        if not word(action.get("what")):
            fault = "what"
        elif kind not in KINDS:
            fault = "kind"
        elif owner not in TEAMS:
            fault = "owner"
        elif due is None or not incident <= due <= incident + dt.timedelta(days=31):
            fault = "due"
        if fault:
            found = ", ".join(word(action.get(field))[:60] for field in ("what", "kind", "owner", "due"))
            return lab.found("actions", False, found=found, fault=fault)
    kinds = {word(action.get("kind")).lower() for action in actions}
    missing = next((kind for kind in ("prevent", "detect") if kind not in kinds), "")
    return lab.found("actions", not missing, found=", ".join(sorted(kinds)), fault=f"no-{missing}")


def _date(value: Any) -> dt.date | None:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(word(value).replace("/", "-"))
    except ValueError:
        return None
