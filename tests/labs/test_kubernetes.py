"""Kubernetes for real, as far as a machine without a cluster goes: the backend against the emulated API, with the real
kubectl; and one Pod that podman really runs."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from curriculum.answers import submission
from curriculum.catalog import catalog_at
from curriculum.labs.backends import kubernetes as backend
from curriculum.labs.lab import Lab, Missing, fetch, free_port
from curriculum.labs.manifests import Manifest, objects
from curriculum.personal import fill
from curriculum.proving import Proof, run_proof, verdict
from tests.labs import kube_api

pytestmark = pytest.mark.backend


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The emulated API, and the kubeconfig that leads to it."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on this machine")
    config = tmp_path_factory.mktemp("kube") / "config"
    with kube_api.serving(config, speed=40):
        yield config


@pytest.fixture
def reached(emulator: Path, monkeypatch: pytest.MonkeyPatch, need: Callable[[str], None]) -> Path:
    """A learner who has named the emulated context, in tests that may take it for a cluster."""
    need("python:kubernetes-validate")
    monkeypatch.setenv("KUBECONFIG", str(emulator))
    monkeypatch.setenv(backend.CONTEXT, kube_api.CONTEXT)
    monkeypatch.setenv(backend.ALLOW_EMULATED, "1")
    return emulator


def lab(folder: Path) -> Lab:
    return Lab("kubernetes-test", folder, {}, live=True)


def kubectl(config: Path, *arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
    argv = ["kubectl", "--kubeconfig", str(config), "--context", kube_api.CONTEXT, *arguments]
    return subprocess.run(argv, input=input, capture_output=True, text=True, timeout=60)


def namespaces(config: Path) -> set[str]:
    return set(kubectl(config, "get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}").stdout.split())


# --- which cluster may be touched ------------------------------------------------------------------------------------


def config_with(path: Path, context: str, server: str, **cluster: str) -> Path:
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
        "current-context": context,
    }
    path.write_text(yaml.safe_dump(body), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("named", "context", "server", "more", "reason"),
    [
        ("", "kind-study", "https://127.0.0.1:1", {}, "no-context"),
        ("prod", "prod", "https://127.0.0.1:1", {}, "not-local"),
        ("kind-study", "kind-study", "https://203.0.113.5:6443", {}, "not-local"),
        ("kind-study", "kind-study", "https://10.0.0.5:6443", {}, "not-local"),
        ("kind-study", "kind-study", "https://127.0.0.1:1", {"proxy-url": "http://203.0.113.5"}, "not-local"),
        ("kind-other", "kind-study", "https://127.0.0.1:1", {}, "unknown-context"),
        ("kind-study", "kind-study", "https://127.0.0.1:1", {}, "not-running"),
        ("minikube", "minikube", "https://8.8.8.8:8443", {}, "not-local"),
    ],
)
def test_nothing_is_touched_but_a_local_cluster_that_was_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    need: Callable[[str], None],
    named: str,
    context: str,
    server: str,
    more: dict[str, str],
    reason: str,
) -> None:
    """By name and by address; the current context is never used because it is the current one."""
    need("kubectl")
    monkeypatch.setenv("KUBECONFIG", str(config_with(tmp_path / "config", context, server, **more)))
    monkeypatch.setenv(backend.CONTEXT, named)
    with pytest.raises(Missing) as missing:
        backend.find(lab(tmp_path))
    assert missing.value.reason == reason


def test_without_kubectl_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when a context was named."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(backend.CONTEXT, "kind-study")
    with pytest.raises(Missing) as missing:
        backend.find(lab(tmp_path))
    assert missing.value.reason == "not-installed"


def test_an_emulated_api_is_no_cluster_unless_tests_say_so(
    reached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A learner never earns anything on it."""
    monkeypatch.delenv(backend.ALLOW_EMULATED)
    with pytest.raises(Missing) as missing:
        backend.find(lab(tmp_path))
    assert missing.value.reason == "not-running"
    monkeypatch.setenv(backend.ALLOW_EMULATED, "1")
    assert backend.find(lab(tmp_path)).how == "emulated"


def test_a_local_address_is_the_loopback_one() -> None:
    """For minikube a private one too; a name has to resolve to nothing else."""
    assert backend.is_local("https://127.0.0.1:6443") and backend.is_local("https://[::1]:6443")
    assert not backend.is_local("https://192.168.49.2:8443")
    assert backend.is_local("https://192.168.49.2:8443", private=True)
    assert not backend.is_local("https://203.0.113.5", private=True)
    assert not backend.is_local("https://no-such-host.invalid")
    assert not backend.is_local("not an address")


def test_the_context_is_pinned(reached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the learner's kubeconfig says later does not redirect a check; the copy is for its owner alone."""
    cluster = backend.find(lab(tmp_path))
    copy = next(cluster.folder.glob("config"))
    assert os.name == "nt" or stat.S_IMODE(copy.stat().st_mode) == 0o600
    monkeypatch.setenv("KUBECONFIG", str(config_with(tmp_path / "other", "kind-emulated", "https://203.0.113.5:1")))
    assert cluster.kubectl("get", "namespaces").ok


# --- what is left behind ---------------------------------------------------------------------------------------------


def test_a_room_is_gone_after_its_block_whatever_happens(reached: Path, tmp_path: Path) -> None:
    """Also after a failure and an interrupt."""
    before = namespaces(reached)
    cluster = backend.find(lab(tmp_path))
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error), cluster.room() as room:
            assert room.name in namespaces(reached)
            raise error
    assert namespaces(reached) == before


def test_a_namespace_without_our_label_is_never_deleted(reached: Path, tmp_path: Path) -> None:
    """A learner may have taken the label off to look around."""
    cluster = backend.find(lab(tmp_path))
    with cluster.room() as room:
        kubectl(reached, "label", "namespace", room.name, f"{backend.LABEL}-")
    assert room.name in namespaces(reached)
    kubectl(reached, "delete", "namespace", room.name)


def test_what_a_dead_check_left_is_swept_after_an_hour(
    reached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not before: another check may be going on."""
    body = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "study-left", "labels": {backend.LABEL: "true"}},
    }
    kubectl(reached, "create", "--validate=false", "-f", "-", input=json.dumps(body))
    backend.find(lab(tmp_path))
    assert "study-left" in namespaces(reached)
    monkeypatch.setattr(backend, "_LEFTOVER", -1)
    backend.find(lab(tmp_path))
    assert "study-left" not in namespaces(reached)


def test_what_belongs_to_the_whole_cluster_is_not_applied(reached: Path, tmp_path: Path) -> None:
    """Objects land in the room whatever Namespace they name; a ClusterRole does not land at all."""
    texts = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "production"}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "wide"},
            "rules": [],
        },
    ]
    cluster = backend.find(lab(tmp_path))
    with cluster.room() as room:
        assert room.apply([Manifest(text) for text in texts]) is None
        assert room.get("configmap", "a")
    assert "wide" not in kubectl(reached, "get", "clusterroles").stdout


# --- trouble is told -------------------------------------------------------------------------------------------------


def deployment(**container: Any) -> Manifest:
    labels = {"app": "web"}
    body = {"name": "api", "image": "delivery-time:1.0.0", **container}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}}
    spec["template"] = {"metadata": {"labels": labels}, "spec": {"containers": [body]}}
    return Manifest({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})


@pytest.mark.parametrize(
    ("container", "fault"),
    [
        ({}, ""),
        ({"image": "registry.example/web:1"}, "no-image"),
        ({"imagePullPolicy": "Always"}, "no-image"),
        ({"env": [{"name": "MODEL_PATH", "value": "/nowhere.json"}]}, "crash"),
        ({"resources": {"limits": {"memory": "16Mi"}}}, "crash"),
        ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}]}, "no-start"),
        ({"readinessProbe": {"httpGet": {"path": "/nope", "port": 80}}}, "not-ready"),
        ({"ports": [{"containerPort": 99999}]}, "rejected"),
    ],
)
def test_a_deployment_that_does_not_run_says_why(
    reached: Path, tmp_path: Path, container: dict[str, Any], fault: str
) -> None:
    """The reason is Kubernetes' own; the fault is the sentence that a learner reads."""
    cluster, manifest = backend.find(lab(tmp_path)), deployment(**container)
    with cluster.room() as room:
        trouble = room.apply([manifest]) or room.settle(manifest, seconds=40)
    assert (trouble.fault if trouble else "") == fault, trouble


def test_a_service_is_called_through_the_api_server(reached: Path, tmp_path: Path) -> None:
    """GET and POST; what nobody answers is no 200."""
    manifest = deployment()
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    service |= {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8000}]}}
    cluster = backend.find(lab(tmp_path))
    with cluster.room() as room:
        assert (room.apply([manifest, Manifest(service)]) or room.settle(manifest)) is None
        with room.door() as door:
            assert door.wait("web", 80, "/healthz").json() == {"ok": True, "model": "1"}
            body = {"distance_km": 1, "hour": 8, "rain": False, "stops": 1}
            assert door.call("web", 80, "/predict", body).ok
            assert door.call("web", 81, "/healthz").status == 503
            assert door.call("nobody", 80, "/healthz").status == 404


# --- the emulated API speaks kubectl's language ----------------------------------------------------------------------


def test_kubectl_works_against_the_emulated_api(reached: Path, tmp_path: Path) -> None:
    """Apply, change, look, restart, roll out, delete: with whichever kubectl is there."""
    file = tmp_path / "web.yaml"
    file.write_text(yaml.safe_dump(dict(deployment().data)), encoding="utf-8")
    flags = ("--validate=false",)
    assert kubectl(reached, "apply", *flags, "-f", str(file)).stdout == "deployment.apps/web created\n"
    assert kubectl(reached, "apply", *flags, "-f", str(file)).stdout == "deployment.apps/web unchanged\n"
    assert "successfully rolled out" in kubectl(reached, "rollout", "status", "deployment/web", "--timeout=20s").stdout
    assert kubectl(reached, "set", "image", "deployment/web", "api=delivery-time:1.1.0").returncode == 0
    assert kubectl(reached, "rollout", "restart", "deployment/web").returncode == 0
    assert "successfully rolled out" in kubectl(reached, "rollout", "status", "deployment/web", "--timeout=20s").stdout
    assert kubectl(reached, "scale", "deployment/web", "--replicas=3").returncode == 0
    assert "web" in kubectl(reached, "get", "deployments", "-l", "app!=x").stdout
    assert "Replicas:" in kubectl(reached, "describe", "deployment", "web").stdout
    assert kubectl(reached, "delete", "-f", str(file)).returncode == 0
    assert kubectl(reached, "get", "deployment", "web").returncode == 1


def test_the_emulated_api_refuses_what_a_cluster_refuses(reached: Path) -> None:
    """In words that a search engine finds."""
    body = {**deployment().data, "spec": {**deployment().data["spec"], "replicas": "3"}}
    refused = kubectl(reached, "create", "--validate=false", "-f", "-", input=json.dumps(body))
    assert "cannot be handled as a Deployment" in refused.stderr
    body = {**deployment().data, "spec": {**deployment().data["spec"], "selector": {"matchLabels": {"app": "x"}}}}
    refused = kubectl(reached, "create", "--validate=false", "-f", "-", input=json.dumps(body))
    assert "`selector` does not match template `labels`" in refused.stderr


# --- exercises -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "exercise", ["kubernetes-first-deployment", "kubernetes-config-and-secret", "kubernetes-tenant-kit"]
)
def test_a_solution_passes_on_the_emulated_api_and_says_so(reached: Path, exercise: str) -> None:
    """Its evidence is `emulated`, so that nobody takes it for a cluster's."""
    proof = Proof(exercise, "solution")
    outcome = run_proof(proof, catalog_at(None))
    assert not verdict(proof, outcome)
    assert (outcome.outcome, outcome.how) == ("passed", "emulated")


def test_a_static_check_is_quick(need: Callable[[str], None]) -> None:
    """At most 50 ms after the first: it runs in the learner's kernel."""
    need("python:kubernetes-validate")
    catalog = catalog_at(None)
    for name in (name for name, _ in catalog.exercises() if name.startswith("kubernetes-")):
        run_proof(Proof(name, "solution"), catalog, live=False)
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            run_proof(Proof(name, "solution"), catalog, live=False)
            times.append(time.perf_counter() - begun)
        # The time includes laying out the proof's files.
        assert min(times) < 0.1, (name, times)


# --- a Pod that really runs ------------------------------------------------------------------------------------------

_PODMAN = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
infra_image = "localhost/pause:local"
"""


def test_the_pods_of_the_first_deployment_really_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, need: Callable[[str], None]
) -> None:
    """podman runs the solution's Deployment with a stand-in image, and it answers on the port of the manifest."""
    need("podman")
    need("busybox")
    need("runc")
    exercise, port = "kubernetes-first-deployment", free_port()
    values = submission(catalog_at(None), exercise, tmp_path).values
    section = catalog_at(None).exercise(exercise)
    text = fill(section.files("solution", "en")["deployment.yaml"], values)
    (manifest,) = objects(yaml.safe_load_all(text))
    assert manifest.pods is not None
    container = manifest.pods.spec["containers"][0]
    inside = container["ports"][0]["containerPort"]
    image = f"localhost/{container['image']}"
    container |= {"image": image, "imagePullPolicy": "Never"}
    container["ports"][0]["hostPort"] = port
    dict(manifest.data)["spec"]["replicas"] = 1
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(dict(manifest.data)), encoding="utf-8")

    runc = shutil.which("runc")
    (tmp_path / "containers.conf").write_text(
        f'{_PODMAN}runtime = "runc"\n[engine.runtimes]\nrunc = ["{runc}"]\n', encoding="utf-8"
    )
    monkeypatch.setenv("CONTAINERS_CONF", str(tmp_path / "containers.conf"))
    # podman wants short paths.
    store = Path(tempfile.mkdtemp(prefix="pm-"))
    places = [f"--{name}={store / name}" for name in ("root", "runroot", "tmpdir")]

    def podman(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["podman", *places, *arguments], capture_output=True, text=True, timeout=120)

    def imported(name: str, command: str, *files: tuple[str, Path]) -> None:
        with tarfile.open(tmp_path / "image.tar", "w") as tar:
            for place, path in files:
                tar.add(path, place)
        run = podman("import", "-c", command, str(tmp_path / "image.tar"), name)
        if run.returncode:
            pytest.skip(f"podman cannot work here: {run.stderr.strip()[-200:]}")

    busybox = Path(shutil.which("busybox") or "")
    (tmp_path / "healthz").write_text('{"ok":true}', encoding="utf-8")
    imported(
        "localhost/pause:local", 'ENTRYPOINT ["/bin/busybox","sleep","2147483647"]', ("bin/busybox", busybox.resolve())
    )
    serve = json.dumps(["/bin/busybox", "httpd", "-f", "-p", str(inside), "-h", "/www"])
    imported(image, f"CMD {serve}", ("bin/busybox", busybox.resolve()), ("www/healthz", tmp_path / "healthz"))
    try:
        run = podman("play", "kube", str(tmp_path / "pod.yaml"))
        assert run.returncode == 0, run.stderr
        end = time.monotonic() + 10
        while not (reply := fetch(f"http://127.0.0.1:{port}/healthz")).ok and time.monotonic() < end:
            time.sleep(0.2)
        assert reply.json() == {"ok": True}
    finally:
        podman("play", "kube", "--down", str(tmp_path / "pod.yaml"))
        podman("pod", "rm", "--all", "--force")
        podman("rmi", "--all", "--force")
        shutil.rmtree(store, ignore_errors=True)
