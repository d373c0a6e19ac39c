"""What the judges of several Kubernetes exercises ask for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from curriculum.labs.lab import Lab
from curriculum.labs.manifests import Container, Manifest, Manifests, quantity, refusals, schemas
from curriculum.labs.manifests.model import entries
from curriculum.labs.manifests.schema import PACKAGE
from curriculum.outcome import Finding

if TYPE_CHECKING:
    from curriculum.labs.backends.kubernetes import Cluster


#: The rules of a schema; for a refusal by any other rule there is one fault, `refused`.
_SCHEMA_RULES = frozenset({"unknown-field", "missing-field", "wrong-type", "unknown-kind"})


def accepted(
    lab: Lab, manifests: Iterable[Manifest], *, without: Iterable[str] = (), own: Iterable[str] = ()
) -> Finding:
    """The criterion `accepted`: a cluster would take every object.

    `without` names rules that are judged elsewhere, `own` those for which the criterion has words of its own.
    """
    known = schemas()
    if known is None:
        lab.missing[PACKAGE] = "package"
        return lab.waits("accepted", PACKAGE)
    found = list(refusals(manifests, known, without=without))
    fault = found[0].rule if found and found[0].rule in {*_SCHEMA_RULES, *own} else "refused"
    shown = list(dict.fromkeys(map(str, found)))
    return lab.found("accepted", not found, found="\n".join(shown[:4]), fault=fault)


def all_met(findings: Iterable[Finding]) -> bool:
    """Whether what a cluster needs first is as it should be: what waits for a package does not count against it."""
    return all(finding.result != "not-met" for finding in findings)


def main_container(lab: Lab, workload: Manifest) -> Container | None:
    """The container that runs the service: by its image, else the only one."""
    pods = workload.pods
    return pods.container(image=lab.value("delivery-time")) if pods else None


def workload(manifests: Manifests, kind: str, name: str) -> Manifest | None:
    """The object of a kind that the task names; an only one under another name stands in, so that the rest is judged."""
    found = manifests.of(kind)
    return manifests.one(kind, name) or (found[0] if len(found) == 1 else None)


def image_fault(container: Container | None, name: str) -> str:
    """What is wrong with a container's image, as a fault's key; empty where it is the one asked for, in a version."""
    if container is None or container.image.name != name:
        return "other-image"
    if container.image.pinned:
        return ""
    return "latest" if container.image.tag == "latest" else "no-tag"


def target(service: Manifest, port: int, container: Container) -> tuple[int | None, object]:
    """Where a Service passes on what comes in on `port`: the container's port, and how the file names it.

    Both are None when the Service does not listen there.
    """
    for entry in entries(service.at("spec", "ports")):
        if entry.get("port") == port and entry.get("protocol") in (None, "TCP"):
            named = entry.get("targetPort")
            named = port if named is None else named
            return container.number_of(named), named
    return None, None


def reaches_port(lab: Lab, service: Manifest, container: Container, port: int) -> Finding:
    """The criterion `reaches-port`: from the Service's port 80 to the port on which the container listens."""
    reached, named = target(service, 80, container)
    fault = "no-port" if named is None else "unknown-name" if reached is None else "other-port"
    found = (
        "" if named is None else f"80 -> {named}" + (f" ({reached})" if reached and str(named) != str(reached) else "")
    )
    return lab.found("reaches-port", reached == port, found=found, expected=f"80 -> {port}", fault=fault)


def answers(
    lab: Lab,
    cluster: Cluster,
    manifests: Iterable[Manifest],
    deployments: list[Manifest],
    service: str,
    *,
    calls: int = 1,
) -> Finding:
    """The criterion `answers`: on a cluster all copies become ready, and so many calls through a Service succeed."""
    with cluster.room() as room:
        if trouble := room.apply(manifests) or room.settle_all(deployments):
            return lab.found("answers", False, found=trouble, fault=trouble.fault, how=cluster.how)
        with room.door() as door:
            reply = door.wait(service, 80, "/healthz")
            replies = [reply, *(door.call(service, 80, "/healthz") for _ in range(calls - 1))]
        bad = [reply for reply in replies if not reply.ok]
        shown = (bad or replies)[0]
        return lab.found(
            "answers",
            not bad,
            found=f"GET /healthz {shown.status or ''} {shown.text[:120]}"
            + (f" ({len(bad)}/{calls})" if bad and calls > 1 else ""),
            fault="no-answer",
            how=cluster.how,
        )


def service_for(deployment: Manifest, port: int, name: str = "") -> Manifest:
    """A Service of the judge's own in front of a Deployment, for answers that have none: port 80 to `port`."""
    labels = deployment.pods.labels if deployment.pods else {}
    return Manifest(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name or f"{deployment.name[:50]}-check"},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": port}]},
        }
    )


def sized(lab: Lab, container: Container, least: str = "100Mi") -> Finding:
    requests, limits = container.requests(), container.limits()
    lacking = [name for name in ("cpu", "memory") if not requests.get(name)]
    limit, enough = limits.get("memory"), quantity(least) or 0
    fault = "too-small" if limit is not None and limit < enough else "no-limit" if limit is None else "no-requests"
    shown = container.data.get("resources")
    return lab.found(
        "sized",
        not lacking and limit is not None and limit >= enough,
        found=json.dumps(shown) if shown else "",
        fault="no-requests" if lacking else fault,
    )


def from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
