"""Ship it: from a run to a model, an image, a Deployment, and a number on a screen that leads back to the run."""

from __future__ import annotations

import ast
import json
import math
import posixpath
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curriculum.errors import AnswerError
from curriculum.labs import judge
from curriculum.labs.capstone.queries import asked, shown
from curriculum.labs.capstone.script import attempt, copied, finished, mapping, number, told, word
from curriculum.labs.lab import Lab
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.kubernetes import Cluster
    from curriculum.labs.backends.prometheus import Prometheus
    from curriculum.labs.dockerfile import Dockerfile, Stage
    from curriculum.labs.manifests import Container, Manifest, Manifests
    from curriculum.labs.prometheus_data import Series
    from curriculum.labs.promql import Vector

EXPORT, MODEL = "capstone-ship-runs.json", "capstone-ship-model.json"
#: The held-out rows on which the team measures.
SPLIT = "19"
#: A number that was measured again may differ by this much, for it may have been rounded.
CLOSE = 0.01

Run = Mapping[str, Any]


# --- part 1: the run that ships ---------------------------------------------------------------------------------------


@judge("capstone-ship-run")
def ship_run(lab: Lab) -> Iterator[Finding]:
    lab.text("choose.py")
    if not lab.live:
        return
    runs = _exported(lab)
    with copied(lab, "release.json", "model.json") as folder:
        written = finished(lab, folder, "choose.py")
        release, model = mapping(written.json("release.json")), mapping(written.json("model.json"))
        fresh = _fresh_rows(lab, folder)
    run = next((run for run in runs if run["run_id"] == word(release.get("run_id"))), None)
    findings = [*_choice(lab, runs, run, word(release.get("run_id")))]
    yield from findings
    if run is None:
        return
    yield _version(lab, run, release, model)
    if run["model"] is not None:
        whole = _whole_model(lab, run, model)
        yield whole
        yield _fresh_number(lab, run, model if whole.result == "met" else run["model"], release, fresh)
    if all(finding.result == "met" for finding in findings):
        yield _any_export(lab, runs)


def _exported(lab: Lab) -> list[dict[str, Any]]:
    runs = lab.json(EXPORT)
    try:
        for run in runs:
            _ = run["run_id"], run["status"], run["params"], run["metrics"], run["model"]
    except (TypeError, KeyError):
        raise AnswerError("answer-given-changed", files=EXPORT, problem="") from None
    return list(runs)


def may_ship(run: Run) -> bool:
    """Whether the data scientist's rule lets a run ship."""
    return (
        run["status"] == "FINISHED"
        and run["model"] is not None
        and run["params"].get("split") == SPLIT
        and "mae" in run["metrics"]
    )


def best(runs: Sequence[Run]) -> Run:
    """The run that ships by the rule."""
    return min(filter(may_ship, runs), key=lambda run: float(run["metrics"]["mae"]))


def _choice(lab: Lab, runs: Sequence[Run], run: Run | None, said: str) -> Iterator[Finding]:
    if run is None:
        yield lab.found("shippable", False, found=said, fault="unknown")
        return
    name = f"{run['run_id'][:8]} {run['run_name']}"
    sound = run["status"] == "FINISHED" and run["model"] is not None
    fault = "no-model" if run["status"] == "FINISHED" else "unfinished"
    yield lab.found("shippable", sound, found=f"{name} {run['status']}", fault=fault)
    split = run["params"].get("split")
    yield lab.found("comparable", split == SPLIT, found=f"{name} split {split}", expected=SPLIT, fault="other-split")
    if not sound or split != SPLIT:
        return
    mae, train = run["metrics"].get("mae"), run["metrics"].get("train_mae")
    rivals = [r for r in runs if r["status"] == "FINISHED" and r["model"] and r["params"].get("split") == SPLIT]
    by_train = train is not None and train <= min(r["metrics"].get("train_mae", math.inf) for r in rivals)
    yield lab.found(
        "lowest-error",
        mae is not None and mae <= best(runs)["metrics"]["mae"],
        found=f"{name} mae {mae}",
        fault="train" if by_train else "worse",
    )


def _version(lab: Lab, run: Run, release: Mapping[str, Any], model: Mapping[str, Any]) -> Finding:
    wanted = run["run_id"][:8]
    said = [word(release.get("version")), word(model.get("version"))]
    return lab.found(
        "version",
        said == [wanted, wanted],
        found=f"release.json {said[0]}, model.json {said[1]}",
        expected=wanted,
        fault="other",
    )


def _whole_model(lab: Lab, run: Run, model: Mapping[str, Any]) -> Finding:
    wanted, weights = run["model"], mapping(model.get("weights"))
    complete = number(model.get("bias")) is not None and set(weights) == set(wanted["weights"])
    same = (
        complete
        and number(model["bias"]) == wanted["bias"]
        and all(number(weights[name]) == value for name, value in wanted["weights"].items())
    )
    found = json.dumps({"bias": model.get("bias"), "weights": weights}, ensure_ascii=False)
    return lab.found(
        "whole-model", same, found=found, expected=json.dumps(wanted), fault="changed" if complete else "incomplete"
    )


_ROWS = "import json, sys; from data import FEATURES, make; print(json.dumps([FEATURES, *make(rows=300, seed=int(sys.argv[1]))]))"

Rows = tuple[list[str], list[list[float]], list[float]]


def _fresh_rows(lab: Lab, folder: Path) -> Rows:
    (folder / "data.py").write_text(lab.text("data.py"), encoding="utf-8")
    features, rows, truths = told(lab, folder, _ROWS, lab.value("check_seed"), given="data.py")
    return features, rows, truths


def misses(model: Mapping[str, Any], fresh: Rows) -> list[float]:
    """By how much each answer of a model is off: above zero when it is too high."""
    features, rows, truths = fresh
    weights = [float(model["weights"][name]) for name in features]
    return [
        float(model["bias"]) + sum(w * x for w, x in zip(weights, row, strict=True)) - truth
        for row, truth in zip(rows, truths, strict=True)
    ]


def _fresh_number(lab: Lab, run: Run, model: Mapping[str, Any], release: Mapping[str, Any], fresh: Rows) -> Finding:
    off, said = misses(model, fresh), number(release.get("fresh_mae"))
    wanted = sum(map(abs, off)) / len(off)
    others = {
        "copied": float(run["metrics"].get("mae", math.nan)),
        "signed": abs(sum(off) / len(off)),
        "rmse": math.sqrt(sum(x * x for x in off) / len(off)),
    }
    fault = next(
        (key for key, value in others.items() if said is not None and abs(abs(said) - value) <= CLOSE), "other-rows"
    )
    return lab.found(
        "fresh-number",
        said is not None and abs(said - wanted) <= CLOSE,
        found=word(release.get("fresh_mae")),
        expected=f"{wanted:.3f}",
        fault=fault,
    )


def another_export(runs: Sequence[Run], seed: int) -> list[dict[str, Any]]:
    """The same experiment a week later: other ids, another order, other numbers, some of them above ten."""
    draw = random.Random(seed)
    later: list[dict[str, Any]] = json.loads(json.dumps(runs))
    fit = [run for run in later if may_ship(run)]
    # As texts, "10.…" would come before "9.…".
    errors = [9.7312, 10.2088, *(10.3 + n for n in range(len(fit)))][: len(fit)]
    draw.shuffle(errors)
    for run, mae in zip(fit, errors, strict=True):
        run["metrics"] |= {"mae": mae, "train_mae": round(21 - mae, 4)}
    for n, run in enumerate(run for run in later if run not in fit and "mae" in run["metrics"]):
        run["metrics"]["mae"] = round(4.1 + n / 7, 4)
    for run in later:
        run["run_id"] = f"{draw.getrandbits(128):032x}"
        run["run_name"] = f"run-{draw.randrange(1000)}"
        if run["model"] is not None:
            run["model"]["bias"] = round(draw.uniform(5, 15), 4)
    draw.shuffle(later)
    return later


def _any_export(lab: Lab, runs: Sequence[Run]) -> Finding:
    fault = ""
    for seed in (1, 2):
        later = another_export(runs, seed)
        with copied(lab, "release.json", "model.json") as folder:
            (folder / EXPORT).write_text(json.dumps(later), encoding="utf-8")
            run = attempt(lab, folder, "choose.py")
            try:
                release = json.loads((folder / "release.json").read_text(encoding="utf-8")) if run.ok else {}
            except (OSError, ValueError):
                release = {}
        said = word(mapping(release).get("run_id"))
        if said != best(later)["run_id"]:
            fault = "other-rule" if any(run["run_id"] == said for run in later) else "fixed"
            break
    return lab.found("any-export", not fault, found=said if fault else "", expected=best(later)["run_id"], fault=fault)


# --- part 2: the image and its note -----------------------------------------------------------------------------------


def shipped(lab: Lab) -> str:
    """The version of the model that was handed out."""
    return word(mapping(lab.json(MODEL)).get("version"))


@judge("capstone-ship-image")
def ship_image(lab: Lab) -> Iterator[Finding]:
    from curriculum.labs.dockerfile import read_dockerfile

    version, dockerfile = shipped(lab), read_dockerfile(lab)
    note = mapping(next(iter(lab.yaml("handover.yaml")), None))
    yield from _image(lab, dockerfile, version)
    yield _tag(lab, note, version)
    yield _note(lab, note, version)


def _image(lab: Lab, dockerfile: Dockerfile, version: str) -> Iterator[Finding]:
    from curriculum.labs.asgi import EVERYWHERE, listens
    from curriculum.labs.docker.shared import list_start, packages_first, pinned_base, reachable

    stage = dockerfile.last
    yield pinned_base(lab, dockerfile)
    orders = [packages_first(lab, "deps-before-code", dockerfile, file) for file in ("app.py", MODEL)]
    yield next((order for order in orders if order.result != "met"), orders[0])
    yield _model_inside(lab, dockerfile)
    yield list_start(lab, stage)
    if stage.start is not None:
        # What the command does not tell, a script of theirs may.
        place = listens(stage.start, stage.env) or (next(iter(EVERYWHERE)), lab.value("port"))
        yield reachable(lab, place, lab.value("port"))
    yield _labelled_image(lab, stage, version)


def _model_inside(lab: Lab, dockerfile: Dockerfile) -> Finding:
    from curriculum.labs.dockerfile import read_ignore

    stage = dockerfile.last
    found = places(stage, dockerfile, MODEL)
    wanted = posixpath.normpath(posixpath.join("/", stage.workdir, _model_path(stage)))
    if found and read_ignore(lab).hides(MODEL):
        return lab.found("model-inside", False, found=".dockerignore", fault="ignored")
    fault = "other-place" if found else "missing"
    return lab.found("model-inside", wanted in found, found=", ".join(sorted(found)), expected=wanted, fault=fault)


def _model_path(stage: Stage) -> str:
    """The path at which the service opens its model."""
    set_at_start = [
        w.partition("=")[2] for w in (stage.start.text.split() if stage.start else []) if w.startswith("MODEL_PATH=")
    ]
    return next(iter(set_at_start), "") or stage.env.get("MODEL_PATH") or "model.json"


def _labelled_image(lab: Lab, stage: Stage, version: str) -> Finding:
    labels: dict[str, str] = {}
    for instruction in stage.everything:
        if instruction.name == "LABEL":
            labels |= {key: value for key, _, value in (word.partition("=") for word in instruction.words)}
    said = labels.get("org.opencontainers.image.version")
    fault = "no-label" if said is None else "other-version"
    return lab.found("labelled", said == version, found=said or "", expected=version, fault=fault)


def _tag(lab: Lab, note: Mapping[str, Any], version: str) -> Finding:
    from curriculum.labs.manifests import Image

    image = Image.of(word(note.get("image")))
    if image.name != lab.value("delivery-time"):
        fault = "other-name"
    elif not image.tag:
        fault = "no-tag"
    else:
        fault = "latest" if image.tag == "latest" else "other-version"
    met = image.name == lab.value("delivery-time") and image.tag == version
    return lab.found("tag", met, found=image.text, expected=f"{lab.value('delivery-time')}:{version}", fault=fault)


def _note(lab: Lab, note: Mapping[str, Any], version: str) -> Finding:
    said = {name: word(note.get(name)) for name in ("version", "port", "health", "metrics")}
    routes = _routes(lab)
    if not all(said.values()):
        fault, found = "missing", ", ".join(name for name, value in said.items() if not value)
    elif said["version"] != version:
        fault, found = "version", said["version"]
    elif said["port"] != lab.value("port"):
        fault, found = "port", said["port"]
    else:
        wrong = [
            said[name]
            for name, route in (("health", "healthz"), ("metrics", "metrics"))
            if said[name] != routes.get(route)
        ]
        fault, found = ("path" if wrong else ""), ", ".join(wrong)
    return lab.found("note-true", not fault, found=found, fault=fault)


def _routes(lab: Lab) -> dict[str, str]:
    """The paths of the given app, by the name of the function that answers."""
    try:
        tree = ast.parse(lab.text("app.py"))
    except SyntaxError as error:
        raise AnswerError("answer-given-changed", files="app.py", problem=error.msg) from None
    found = {}
    for node in ast.walk(tree):
        for decorator in getattr(node, "decorator_list", ()):
            if isinstance(decorator, ast.Call) and decorator.args and isinstance(decorator.args[0], ast.Constant):
                found[str(getattr(node, "name", ""))] = str(decorator.args[0].value)
    return found


def places(stage: Stage, dockerfile: Dockerfile, file: str) -> set[str]:
    """Where a file of the build context lies in a stage, as absolute paths: copied, copied on, moved or linked."""
    found: set[str] = set()
    workdir = "/"
    for instruction in stage.everything:
        if instruction.name == "WORKDIR":
            workdir = posixpath.normpath(posixpath.join(workdir, instruction.target or "/"))
        elif instruction.name in {"COPY", "ADD"}:
            origin = dockerfile.stage(instruction.flag("from")) if instruction.flag("from") else None
            if origin is None and not instruction.flag("from"):
                names = {posixpath.join("/", file)} if instruction.takes(file) else set()
            else:
                names = places(origin, dockerfile, file) if origin and origin.index < stage.index else set()
            found |= set(
                _landed(names, instruction.sources, posixpath.join(workdir, instruction.target), instruction.target)
            )
        elif instruction.name == "RUN":
            for command in instruction.commands:
                found |= _moved(found, command, workdir)
    return found


def _landed(names: set[str], sources: Sequence[str], target: str, written: str) -> Iterator[str]:
    """Where files come to lie that a COPY takes by these sources."""
    for name in names:
        for source in sources:
            place = posixpath.normpath(posixpath.join("/", source))
            if place == name:
                into = written.endswith("/") or written in {".", ".."} or len(sources) > 1
                yield posixpath.normpath(posixpath.join(target, posixpath.basename(name)) if into else target)
            elif place == "/" or name.startswith(place + "/"):
                yield posixpath.normpath(posixpath.join(target, posixpath.relpath(name, place)))
            elif any(sign in source for sign in "*?["):
                yield posixpath.normpath(posixpath.join(target, posixpath.basename(name)))


def _moved(found: set[str], command: Sequence[str], workdir: str) -> set[str]:
    """What `cp`, `mv` or `ln` adds to the places of a file."""
    if not command or posixpath.basename(command[0]) not in {"cp", "mv", "ln"}:
        return set()
    paths = [posixpath.normpath(posixpath.join(workdir, word)) for word in command[1:] if not word.startswith("-")]
    if len(paths) < 2 or not any(
        path in found or posixpath.basename(path) in map(posixpath.basename, found) for path in paths[:-1]
    ):
        return set()
    return {paths[-1], posixpath.join(paths[-1], posixpath.basename(paths[0]))}


# --- part 3: the Deployment ---------------------------------------------------------------------------------------------

VERSION = "4b5dcdd9"
VERSION_LABEL = "app.kubernetes.io/version"


@judge("capstone-ship-manifest")
def ship_manifest(lab: Lab) -> Iterator[Finding]:
    from curriculum.labs.kubernetes import all_met, main_container, workload
    from curriculum.labs.manifests import load

    manifests, name = load(lab), lab.value("delivery-time")
    deployment = workload(manifests, "Deployment", name)
    service = manifests.one("Service", name)
    container = main_container(lab, deployment) if deployment else None
    findings = [*_manifest_files(lab, manifests, deployment, service, container)]
    yield from findings
    if deployment and all_met(findings) and (cluster := lab.backend("kubernetes")):
        yield _answers(lab, cluster, manifests, deployment)


def _manifest_files(
    lab: Lab, manifests: Manifests, deployment: Manifest | None, service: Manifest | None, container: Container | None
) -> Iterator[Finding]:
    from curriculum.labs.kubernetes import accepted, image_fault, reaches_port

    yield accepted(lab, manifests)
    copies, name = int(lab.number("replicas")), lab.value("delivery-time")
    named = deployment is not None and deployment.name == name
    asked = deployment.replicas if deployment else ""
    fault = "" if named else "other-name"
    found = asked if named or not deployment else deployment.title
    yield lab.found("copies", named and asked == copies, found=found, expected=copies, fault=fault)
    if deployment is None or deployment.pods is None:
        return
    image = container.image if container else None
    fault = image_fault(container, name) or ("" if image and image.tag == VERSION else "other-version")
    text = image.text if image else ""
    yield lab.found("image", not fault, found=text, expected=f"{name}:{VERSION}", fault=fault)
    yield _version_label(lab, deployment)
    yield _stable_selector(lab, deployment, service)
    yield _finds_pods(lab, manifests, deployment, service)
    if service is not None and container is not None:
        yield reaches_port(lab, service, container, int(lab.number("port")))


def _version_label(lab: Lab, deployment: Manifest) -> Finding:
    assert deployment.pods is not None
    said = deployment.pods.labels.get(VERSION_LABEL, "")
    fault = "other-version" if said else "deployment-only" if VERSION_LABEL in deployment.labels else "no-label"
    return lab.found("version-label", said == VERSION, found=said, expected=VERSION, fault=fault)


def _stable_selector(lab: Lab, deployment: Manifest, service: Manifest | None) -> Finding:
    for fault, manifest in (("deployment", deployment), ("service", service)):
        if manifest is not None and _by_version(manifest):
            return lab.found("stable-selector", False, found=f"{manifest.title}: {manifest.selector}", fault=fault)
    return lab.found("stable-selector", True)


def _by_version(manifest: Manifest) -> bool:
    """Whether an object chooses Pods by what changes with each release."""
    selector = manifest.selector
    values = [*selector.match_labels.values(), *(value for _, _, several in selector.expressions for value in several)]
    keys = [*selector.match_labels, *(key for key, _, several in selector.expressions if several)]
    return VERSION in values or VERSION_LABEL in keys


def _finds_pods(lab: Lab, manifests: Manifests, deployment: Manifest, service: Manifest | None) -> Finding:
    assert deployment.pods is not None
    labels = ", ".join(f"{key}={value}" for key, value in deployment.pods.labels.items())
    fault = "no-service" if service is None else "no-selector" if service.selector.missing else "other-label"
    chosen = service is not None and deployment in manifests.chosen_by(service)
    return lab.found("finds-pods", chosen, found=service.selector if service else "", expected=labels, fault=fault)


def _answers(lab: Lab, cluster: Cluster, manifests: Manifests, deployment: Manifest) -> Finding:
    """The criterion `answers`: all copies become ready, and what answers through the Service is the version shipped."""
    with cluster.room() as room:
        if trouble := room.apply(manifests) or room.settle(deployment):
            return lab.found("answers", False, found=trouble, fault=trouble.fault, how=cluster.how)
        with room.door() as door:
            reply = door.wait(deployment.name, 80, "/healthz")
    # The emulated cluster of the tests has no images; its stand-in knows one model only.
    same = cluster.how == "emulated" or word(mapping(reply.json()).get("model")) == VERSION
    return lab.found(
        "answers",
        reply.ok and same,
        found=f"GET /healthz {reply.status or ''} {reply.text[:120]}",
        expected=VERSION,
        fault="other-version" if reply.ok else "no-answer",
        how=cluster.how,
    )


# --- part 4: what is watched --------------------------------------------------------------------------------------------


@judge("capstone-ship-scrape")
def ship_scrape(lab: Lab) -> Iterator[Finding]:
    from curriculum.labs.prometheus import read_mapping

    configuration = read_mapping(lab, "prometheus.yml")
    said = mapping(next(iter(lab.yaml("questions.yaml")), None))
    target = _target(lab, configuration)
    yield target
    labelled: Finding | None = None
    if target.fault not in {"refused", "no-job", "other-address"}:
        job = _job(lab, configuration)
        yield _interval(lab, configuration, job)
        labelled = _labelled(lab, job)
        yield labelled
    yield from _questions(lab, said)
    yield _traced(lab, said)
    if target.result == "met" and labelled and labelled.result == "met" and (prometheus := lab.backend("prometheus")):
        yield from _scrapes(lab, prometheus, configuration)


def _job(lab: Lab, configuration: Mapping[str, Any]) -> dict[str, Any]:
    from curriculum.labs.prometheus_config import jobs

    return next((job for job in jobs(configuration) if job.get("job_name") == lab.value("delivery-time")), {})


def _addresses(lab: Lab) -> set[str]:
    return {f"{host}:{lab.value('port')}" for host in ("127.0.0.1", "localhost", "[::1]")}


def _target(lab: Lab, configuration: Mapping[str, Any]) -> Finding:
    from curriculum.labs.prometheus_config import config_faults, static_targets

    if wrong := list(config_faults(configuration)):
        return lab.found("target", False, found="\n".join(wrong[:3]), fault="refused")
    job = _job(lab, configuration)
    targets = [address for address, _ in static_targets(job)]
    path = word(job.get("metrics_path", "/metrics"))
    if not job:
        fault, found = "no-job", ""
    elif not _addresses(lab) & set(targets):
        fault, found = "other-address", ", ".join(targets)
    else:
        fault, found = ("" if path == "/metrics" else "other-path"), path
    return lab.found("target", not fault, found=found, expected=f"127.0.0.1:{lab.value('port')}", fault=fault)


def _interval(lab: Lab, configuration: Mapping[str, Any], job: Mapping[str, Any]) -> Finding:
    from curriculum.labs.promql import seconds

    said = word(job.get("scrape_interval") or mapping(configuration.get("global")).get("scrape_interval") or "1m")
    return lab.found("interval", (seconds(said) or 60) <= 15, found=said, expected="15s", fault="too-long")


def _labelled(lab: Lab, job: Mapping[str, Any]) -> Finding:
    """The labels of the service's numbers after both relabellings, worked out as Prometheus would."""
    from curriculum.labs.prometheus_config import relabelled, static_targets

    said = ""
    for address, labels in static_targets(job):
        if address in _addresses(lab):
            target = relabelled(
                {"__address__": address, **labels, "job": word(job.get("job_name"))}, job.get("relabel_configs") or []
            )
            sample = {name: text for name, text in (target or {}).items() if not name.startswith("__")}
            found = relabelled({"__name__": "predictions_total", **sample}, job.get("metric_relabel_configs") or [])
            said = (found or {}).get("version", "")
    fault = "other-version" if said else "no-label"
    return lab.found("version-label", said == VERSION, found=said, expected=VERSION, fault=fault)


def watched(lab: Lab) -> list[Series]:
    """Half an hour of a service with two versions, one instance of which cannot be reached, beside another job."""
    from curriculum.labs.prometheus_data import Series

    minutes = range(31)
    made: list[Series] = []

    def add(name: str, labels: Mapping[str, str], value: Callable[[int], float]) -> None:
        made.append(Series(name, labels, tuple((minute * 60.0, value(minute)) for minute in minutes)))

    # The first half is slow and idle: what was counted since the start is another answer than five minutes.
    def done(each: float, share: float, at_first: float = 1.0) -> Callable[[int], float]:
        return lambda minute: each * (min(minute, 15) * at_first / 4 + max(0, minute - 15)) * share

    job = lab.value("delivery-time")
    instances = [("10.0.0.1:80", VERSION, 12.0), ("10.0.0.2:80", VERSION, 33.0), ("10.0.0.3:80", "b7720600", 5.0)]
    for instance, version, each in instances:
        own = {"job": job, "instance": instance, "version": version}
        add("up", own, lambda _, alive=float(each != 33): alive)  # type: ignore[misc]
        for wet, share in (("true", 0.25), ("false", 0.75)):
            add("predictions_total", {lab.value("rain"): wet, **own}, done(each, share))
        for bound, share in (("0.01", 0.3), ("0.05", 0.8), ("0.1", 0.9), ("0.5", 0.98), ("+Inf", 1.0)):
            add("prediction_seconds_bucket", {"le": bound, **own}, done(each, share, 1.0 if bound == "+Inf" else 0.3))
    other = {"job": "node", "instance": "10.0.0.9:80", "version": "1.8.2"}
    add("up", other, lambda _: 1.0)
    add("predictions_total", other, lambda minute: minute * 100.0)
    for bound, each in (("0.5", 10.0), ("+Inf", 100.0)):
        add("prediction_seconds_bucket", {"le": bound, **other}, done(each, 1.0, 4.0))
    return made


def _questions(lab: Lab, said: Mapping[str, Any]) -> Iterator[Finding]:
    from curriculum.labs.prometheus_data import data_of
    from curriculum.labs.promql import QueryError, query

    judged = {"instances": _one_number, "per-version": _by_versions, "slowest": _one_quantile}
    if lab.package("promql_parser") is None:
        yield from (lab.waits(criterion, "promql_parser") for criterion in judged)
        return
    series, at = watched(lab), 29 * 60 + 7.0
    data, job = data_of(series), f'job="{lab.value("delivery-time")}"'
    for criterion, fault_of in judged.items():
        try:
            answer = asked(lab, series, word(said.get(criterion.replace("-", "_"))), at)
        except QueryError as error:
            yield lab.found(criterion, False, found=str(error), fault="refused")
            continue
        if answer is None:
            yield lab.waits(criterion, "prometheus")
            continue
        fault = fault_of(answer, lambda wanted: query(wanted.replace("JOB", job), data, at))
        yield lab.found(criterion, not fault, found=shown(answer), fault=fault)


def _one_number(answer: Vector, ask: Any) -> str:
    values = list(answer.values())
    if len(values) != 1:
        return "not-one"
    if values[0] == 2:
        return ""
    return "counts-dead" if values[0] == 3 else "other-job"


def _by_versions(answer: Vector, ask: Any) -> str:
    wanted = {
        dict(labels)["version"]: value
        for labels, value in ask("sum by (version) (rate(predictions_total{JOB}[5m]))").items()
    }
    found = {dict(labels).get("version", ""): value for labels, value in answer.items()}
    total = {
        dict(labels)["version"]: value for labels, value in ask("sum by (version) (predictions_total{JOB})").items()
    }
    if any(len(answer) >= len(found) and _same(found.get(v), total[v]) for v in total) or len(answer) > 10:
        return "since-start"
    if set(found) != set(wanted) or len(answer) != len(found):
        return "not-by-version" if set(found) != {*wanted, "1.8.2"} else "other-number"
    return "" if all(_same(found[version], value) for version, value in wanted.items()) else "other-number"


def _one_quantile(answer: Vector, ask: Any) -> str:
    values = list(answer.values())
    if len(values) != 1:
        return "not-one"
    (wanted,) = ask("histogram_quantile(0.95, sum by (le) (rate(prediction_seconds_bucket{JOB}[5m])))").values()
    (since,) = ask("histogram_quantile(0.95, sum by (le) (prediction_seconds_bucket{JOB}))").values()
    if _same(values[0], wanted):
        return ""
    return "since-start" if _same(values[0], since) else "other-number"


def _same(one: float | None, other: float) -> bool:
    return one is not None and math.isclose(one, other, rel_tol=0.02)


def _traced(lab: Lab, said: Mapping[str, Any]) -> Finding:
    runs, wanted = _exported(lab), "b7720600"
    run = next((run for run in runs if run["run_id"] == word(said.get("run_id"))), None)
    mae = number(said.get("mae"))
    if run is None:
        fault = "unknown"
    elif not run["run_id"].startswith(wanted):
        fault = "shipped" if run["run_id"].startswith(VERSION) else "other-run"
    else:
        fault = "" if mae is not None and abs(mae - run["metrics"]["mae"]) <= CLOSE else "number"
    found = f"{word(said.get('run_id'))} {word(said.get('mae'))}".strip()
    return lab.found("traced", not fault, found=found, expected=wanted, fault=fault)


def _scrapes(lab: Lab, prometheus: Prometheus, configuration: Mapping[str, Any]) -> Iterator[Finding]:
    """The criterion `scrapes`: their configuration, with our port in place of theirs, on a real Prometheus."""
    from curriculum.labs.backends.prometheus import ServerError, exposing

    if not prometheus.has_server:
        yield lab.waits("scrapes", "prometheus")
        return
    with exposing({"/metrics": _EXPOSED.replace("WET", lab.value("rain"))}) as port:
        config = json.loads(json.dumps(configuration, default=str))
        job = _job(lab, config)
        config["scrape_configs"] = [job]
        config.pop("rule_files", None)
        job["scrape_interval"], job["scrape_timeout"] = "1s", "1s"
        for group in job["static_configs"]:
            theirs = _addresses(lab) & set(group["targets"])
            group["targets"] = [f"127.0.0.1:{port}"] if theirs else []
        try:
            with prometheus.server(config, beside=lab.folder) as server:
                if not server.wait(f'up{{job="{job["job_name"]}"}} == 1', seconds=20):
                    yield lab.found("scrapes", False, found="up 0", fault="down", how="real")
                    return
                found = server.wait(f'predictions_total{{version="{VERSION}"}}', seconds=10)
        except ServerError as error:
            yield lab.found("scrapes", False, found=str(error), fault="refused", how="real")
            return
    yield lab.found("scrapes", bool(found), found=shown(found), fault="no-version", how="real")


_EXPOSED = """\
# TYPE predictions_total counter
predictions_total{WET="true"} 3
predictions_total{WET="false"} 5
# TYPE prediction_seconds histogram
prediction_seconds_bucket{le="0.1"} 7
prediction_seconds_bucket{le="+Inf"} 8
prediction_seconds_count 8
prediction_seconds_sum 0.4
"""
