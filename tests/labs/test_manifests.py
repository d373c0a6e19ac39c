"""What manifests say: quantities, selectors, what a cluster refuses, who may do what, what gets through."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from curriculum.answers import submission
from curriculum.catalog import catalog_at
from curriculum.errors import AnswerError
from curriculum.labs.lab import Lab
from curriculum.labs.manifests import (
    Image,
    Manifest,
    Manifests,
    Selector,
    build,
    load,
    objects,
    quantity,
    refusals,
    scaled,
    schemas,
)
from curriculum.labs.manifests.model import canonical
from curriculum.labs.manifests.network import OUTSIDE, Endpoint, Network
from curriculum.labs.manifests.rbac import Access, Ask
from curriculum.labs.manifests.schedule import parse_schedule, same_clock
from curriculum.personal import fill
from tests.conftest import REPOSITORY

PROOFS = REPOSITORY / "tests" / "proofs"


def lab(folder: Path, **files: str) -> Lab:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_yaml", ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Lab("kubernetes-test", folder, {})


def parsed(text: str) -> Manifests:
    return Manifests(list(objects(yaml.safe_load_all(text))))


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("100m", Fraction(1, 10)),
        ("64Mi", 64 * 1024**2),
        ("1G", 10**9),
        ("0.5", Fraction(1, 2)),
        (2, 2),
        (0.25, Fraction(1, 4)),
        ("1e3", 1000),
        ("128974848", 128974848),
        ("256m", Fraction(256, 1000)),
        ("64 megs", None),
        ("1GB", None),
        (True, None),
        (None, None),
    ],
)
def test_a_quantity_is_the_number_that_a_cluster_reads(text: object, number: object) -> None:
    """Suffixes of ten and of two, exponents, thousandths; anything else is none."""
    assert quantity(text) == number


@pytest.mark.parametrize(
    ("value", "total", "up", "result"),
    [
        ("25%", 4, False, 1),
        ("25%", 3, False, 0),
        ("25%", 3, True, 1),
        (2, 9, True, 2),
        ("100%", 5, True, 5),
        ("half", 4, True, None),
    ],
)
def test_percentages_are_rounded_as_the_field_wants(value: object, total: int, up: bool, result: int | None) -> None:
    """maxSurge up, maxUnavailable down."""
    assert scaled(value, total, up=up) == result


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ({"matchLabels": {"app": "a"}}, True),
        ({"matchLabels": {"app": "b"}}, False),
        ({}, True),
        (None, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}, {"key": "tier", "operator": "Exists"}]}, False),
    ],
)
def test_selectors_choose_by_labels_and_expressions(selector: object, fits: bool) -> None:
    """An empty one selects everything, a missing one nothing."""
    assert Selector.of(selector).fits({"app": "a"}) is fits


@pytest.mark.parametrize(
    ("text", "registry", "name", "pinned"),
    [
        ("web", "", "web", False),
        ("web:latest", "", "web", False),
        ("web:1.0", "", "web", True),
        ("localhost:5000/team/web:2", "localhost:5000", "web", True),
        ("team/web", "", "web", False),
        ("ghcr.io/team/web@sha256:0123", "ghcr.io", "web", True),
    ],
)
def test_an_image_is_taken_apart(text: str, registry: str, name: str, pinned: bool) -> None:
    """A port belongs to the registry, not to the tag."""
    image = Image.of(text)
    assert (image.registry, image.name, image.pinned) == (registry, name, pinned)


@pytest.mark.parametrize(
    "text", ["* * * *", "60 * * * *", "* 24 * * *", "0 3 * * 7", "*/0 * * * *", "TZ=UTC 0 3 * * *", "a b c d e", 5]
)
def test_a_schedule_that_a_cluster_refuses_is_none(text: object) -> None:
    """Five fields in their ranges; Sunday is 0; a time zone has a field of its own."""
    assert parse_schedule(text) is None


def test_a_schedule_tells_its_days_and_times() -> None:
    """Names, lists, steps and the rule of cron for day and weekday."""
    schedule = parse_schedule("30 3 * * MON-FRI")
    assert schedule is not None
    assert schedule.times() == [dt.time(3, 30)]
    assert [run.day for run in schedule.runs(dt.date(2026, 11, 21), 4)] == [23, 24]
    either = parse_schedule("0 0 13 * FRI")
    assert either is not None and either.on(dt.date(2026, 11, 27)) and either.on(dt.date(2026, 12, 13))
    both = parse_schedule("0 0 */2 * FRI")
    assert both is not None and both.on(dt.date(2026, 11, 27)) and both.on(dt.date(2026, 11, 3))


def test_two_names_of_a_zone_show_the_same_clock() -> None:
    """Summer time makes a difference."""
    assert same_clock("Japan", "Asia/Tokyo")
    assert not same_clock("Europe/London", "UTC")


# --- loading ---------------------------------------------------------------------------------------------------------


def test_manifests_are_read_however_they_are_written(tmp_path: Path) -> None:
    """Several documents, a List, JSON, any name; what lies in folders is not applied."""
    work = lab(
        tmp_path,
        one_yaml="kind: Service\nmetadata: {name: a}\n---\n---\nkind: Service\nmetadata: {name: b}\n",
        two_yaml='{"kind": "List", "items": [{"kind": "ConfigMap", "metadata": {"name": "c"}}]}',
        old__three_yaml="kind: Secret\nmetadata: {name: d}\n",
    )
    assert [m.title for m in load(work)] == ["Service/a", "Service/b", "ConfigMap/c"]


def test_dates_and_numbers_as_keys_are_texts_as_in_json(tmp_path: Path) -> None:
    """Kubernetes reads YAML as JSON, which has no dates."""
    work = lab(tmp_path, one_yaml="kind: ConfigMap\nmetadata: {name: a, annotations: {on: 2026-11-24, 2: x}}\n")
    assert load(work)[0].annotations == {"true": "2026-11-24", "2": "x"}


KUSTOMIZED = {
    "base__kustomization_yaml": "resources: [all.yaml]\n",
    "base__all_yaml": """
kind: Deployment
apiVersion: apps/v1
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: api, image: web, env: [{name: A, value: "1"}]}
---
kind: Service
apiVersion: v1
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
""",
    "over__kustomization_yaml": """
resources: [../base]
namespace: team
commonAnnotations: {owner: me}
images: [{name: web, newTag: "2.0"}]
replicas: [{name: web, count: 7}]
labels: [{pairs: {tier: front}, includeSelectors: true}]
patches:
  - target: {kind: Service, name: web}
    patch: |-
      - {op: replace, path: /spec/ports/0/port, value: 8000}
  - patch: |-
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: web}
      spec:
        template:
          spec:
            containers:
              - name: api
                env: [{name: B, value: "2"}]
""",
}


def unordered(value: Any) -> Any:
    """Data in which the order of a list does not count: kustomize puts what a patch adds first."""
    if isinstance(value, dict):
        return {key: unordered(entry) for key, entry in value.items()}
    return sorted(map(unordered, value), key=canonical) if isinstance(value, list) else value


@pytest.mark.backend
def test_a_kustomization_makes_what_kubectl_makes(tmp_path: Path, need: Callable[[str], None]) -> None:
    """For the fields that are read here, the objects are the same, but for their order."""
    import shutil
    import subprocess

    need("kubectl")
    work = lab(tmp_path, **KUSTOMIZED)
    run = subprocess.run(
        [shutil.which("kubectl") or "", "kustomize", str(tmp_path / "over")], capture_output=True, text=True
    )
    if "unknown field" in run.stderr or "invalid Kustomization" in run.stderr:
        pytest.skip("this kubectl has an old kustomize")
    assert run.returncode == 0, run.stderr
    theirs = {m.title: unordered(m.data) for m in parsed(run.stdout)}
    assert {m.title: unordered(m.data) for m in build(work, "over")} == theirs


def test_a_kustomization_that_cannot_be_read_here_says_which_field(tmp_path: Path) -> None:
    """A right answer must not be judged by half of it."""
    work = lab(tmp_path, kustomization_yaml="resources: []\nhelmCharts: []\n")
    with pytest.raises(AnswerError) as error:
        load(work)
    assert (error.value.key, error.value.params["field"]) == ("answer-kustomize", "helmCharts")


def test_a_patch_without_a_target_is_told(tmp_path: Path) -> None:
    """Like kustomize, which refuses it."""
    files = {
        **KUSTOMIZED,
        "over__kustomization_yaml": "resources: [../base]\npatches:\n  - patch: '{kind: Job, metadata: {name: x}}'\n",
    }
    with pytest.raises(AnswerError) as error:
        build(lab(tmp_path, **files), "over")
    assert error.value.params["target"] == "Job/x"


DEEP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: " + "{a: " * 200 + "1" + "}" * 200
LONG = "9" * 5000
HOSTILE = [
    DEEP,
    f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{containers: [{{name: c, image: i, resources: {{limits: {{cpu: '{LONG}'}}}}}}]}}",
    f"apiVersion: v1\nkind: Service\nmetadata: {{name: '{'a' * 90_000}!'}}\nspec: {{ports: [{{port: 80, targetPort: '{LONG}'}}]}}",
    f"apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: a}}\nspec: {{schedule: '*/{LONG} * * * *', jobTemplate: {{}}}}",
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: 5\nspec: [1]\n",
    "apiVersion: [v1]\nkind: {a: b}\n",
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec: {podSelector: 3, ingress: [x, {from: 7}]}\n",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nonsense_is_refused_and_breaks_nothing(text: str, need: Callable[[str], None]) -> None:
    """Everything that a judge asks of an object may be asked of any data."""
    assert refused(text, need)
    for manifest in parsed(text):
        Access(Manifests([manifest])).can("a", "b", Ask("get", "pods"))
        Network(Manifests([manifest])).allows(Endpoint("a"), Endpoint("b"), 80)
        if pods := manifest.pods:
            for container in pods.containers:
                container.environment(Manifests([manifest]))
                container.files(Manifests([manifest]))


# --- refusals --------------------------------------------------------------------------------------------------------


def refused(text: str, need: Callable[[str], None]) -> list[str]:
    known = schemas()
    if known is None:
        need("python:kubernetes-validate")
    assert known is not None
    return [refusal.rule for refusal in refusals(parsed(text), known)]


POD = """
apiVersion: v1
kind: Pod
metadata: {{name: a}}
spec:
  containers:
    - name: api
      image: web:1
      {extra}
"""


@pytest.mark.parametrize(
    ("extra", "rules"),
    [
        ("", []),
        ("imagePulPolicy: Always", ["unknown-field"]),
        ("imagePullPolicy: always", ["pull-policy"]),
        ("ports: [{containerPort: 99999}]", ["port"]),
        ("ports: [{containerPort: '80'}]", ["wrong-type"]),
        ("ports: [{name: a-name-that-is-too-long, containerPort: 80}]", ["port-name"]),
        ("resources: {requests: {memory: 64 megs}}", ["quantity"]),
        ("resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}", ["request-over-limit"]),
        ("readinessProbe: {periodSeconds: 5}", ["probe"]),
        ("readinessProbe: {httpGet: {port: 80}, exec: {command: [a]}}", ["probe"]),
        ("livenessProbe: {httpGet: {port: 80}, successThreshold: 2}", ["probe"]),
        ("volumeMounts: [{name: x, mountPath: /x}]", ["volume"]),
        ("env: [{name: A, value: b, valueFrom: {secretKeyRef: {name: a, key: b}}}]", ["env"]),
        ("env: [{name: A, value: 5}]", ["wrong-type"]),
        ("lifecycle: {preStop: {}}", ["hook"]),
    ],
)
def test_a_container_is_refused_for_what_no_schema_tells(
    extra: str, rules: list[str], need: Callable[[str], None]
) -> None:
    """The rules of the API server beyond fields and types."""
    assert refused(POD.format(extra=extra), need) == rules


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("kind: Service\nmetadata: {name: a}\n", ["missing-field"]),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: A_b}\nspec: {ports: [{port: 80}]}\n", ["name"]),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}, {port: 81}]}\n",
            ["port-name"] * 2,
        ),
        ("apiVersion: apps/v1\nkind: Service\nmetadata: {name: a}\n", ["unknown-kind"]),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {a: 'b c'}}\n", ["label"]),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {'a b': c}\n", ["data-key"]),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: '#'}\n", ["base64"]),
        (
            "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: a}\nspec: {minAvailable: 1, maxUnavailable: 1}\n",
            ["budget"],
        ),
        (
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a}\n"
            "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}\nsubjects: [{kind: ServiceAccount, name: s}]\n",
            ["subject"],
        ),
        ("- a\n- b\n", ["missing-field"]),
    ],
)
def test_an_object_is_refused_as_a_whole(text: str, rules: list[str], need: Callable[[str], None]) -> None:
    """Names, labels, ports, keys, and what is no object at all."""
    assert refused(text, need) == rules


def answers() -> Iterator[tuple[str, Manifest]]:
    """Every object of the solutions and the kept answers of Kubernetes."""
    catalog = catalog_at(None)
    for name in (name for name, _ in catalog.exercises() if name.startswith("kubernetes-")):
        section = catalog.exercise(name)
        values = submission(catalog, name, Path(name)).values
        texts = [body for _, body in section.files("solution", "en").items()]
        texts += [path.read_text(encoding="utf-8") for path in sorted((PROOFS / name).rglob("*.yaml"))]
        for text in texts:
            try:
                documents = list(yaml.safe_load_all(fill(text, values)))
            except yaml.YAMLError:
                continue
            for manifest in objects(d for d in documents if isinstance(d, dict)):
                if manifest.api_version and manifest.kind and manifest.kind != "Kustomization":
                    yield name, manifest


def test_our_reading_of_the_schemas_is_that_of_the_package(need: Callable[[str], None]) -> None:
    """Every answer that is kept: accepted by both, or by neither."""
    need("python:kubernetes-validate")
    import kubernetes_validate

    known, count = schemas("1.32"), 0
    assert known is not None
    for name, manifest in answers():
        ours = not any(known.breaches(manifest.data, manifest.group, manifest.version, manifest.kind))
        try:
            kubernetes_validate.validate(dict(manifest.data), "1.32", strict=True)
            theirs = True
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError):
            theirs = False
        assert ours == theirs, (name, manifest.title)
        count += 1
    assert count > 200


# --- access, network -------------------------------------------------------------------------------------------------

ROLES = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r, namespace: team}
rules:
  - {apiGroups: [apps], resources: [deployments], verbs: [get, create]}
  - {apiGroups: [""], resources: ["*/log"], verbs: [get]}
  - {apiGroups: [""], resources: [configmaps], resourceNames: [one], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b, namespace: team}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
subjects: [{kind: ServiceAccount, name: s, namespace: team}]
"""


@pytest.mark.parametrize(
    ("ask", "may"),
    [
        (Ask("create", "deployments", "apps", "team"), True),
        (Ask("create", "deployments", "", "team"), False),
        (Ask("create", "deployments", "apps", "other"), False),
        (Ask("get", "pods/log", "", "team"), True),
        (Ask("get", "pods", "", "team"), False),
        (Ask("get", "configmaps", "", "team", "one"), True),
        (Ask("list", "configmaps", "", "team"), False),
    ],
)
def test_access_is_what_roles_and_bindings_give(ask: Ask, may: bool) -> None:
    """Verb, group, resource, Namespace and name, each on its own."""
    assert Access(parsed(ROLES)).can("s", "team", ask) is may


def policies(spec: dict[str, Any]) -> Network:
    body = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": "team"},
    }
    return Network(Manifests([Manifest({**body, "spec": spec})]))


def test_a_direction_is_closed_by_the_first_policy_that_names_it() -> None:
    """Without one everything passes; other Namespaces are not concerned."""
    pod, other = Endpoint("team", {"app": "a"}), Endpoint("next", {"app": "b"})
    network = policies({"podSelector": {}, "policyTypes": ["Ingress"]})
    assert not network.lets_in(pod, other, 80)
    assert network.lets_out(pod, OUTSIDE, 443)
    assert network.lets_in(other, pod, 80)


def test_one_item_means_and_two_items_mean_or() -> None:
    """One dash more opens the door to everyone in the Namespace."""
    home = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}}
    pods = {"podSelector": {"matchLabels": {"app": "edge"}}}
    target, debug = Endpoint("team", {}), Endpoint("gateway", {"app": "debug"})
    one = policies({"podSelector": {}, "ingress": [{"from": [{**home, **pods}]}]})
    two = policies({"podSelector": {}, "ingress": [{"from": [home, pods]}]})
    assert not one.lets_in(target, debug, 80)
    assert two.lets_in(target, debug, 80)
    assert two.lets_in(target, Endpoint("team", {"app": "edge"}), 80)
