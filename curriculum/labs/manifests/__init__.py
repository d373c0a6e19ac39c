"""What an answer in Kubernetes manifests says: a model of the objects, and the rules by which a cluster reads them.

    manifests = load(lab)                                  # every manifest of the folder, however it is written
    service = manifests.one("Service", "web")
    for refusal in refusals(manifests, schemas): ...       # what a cluster would refuse, and why

The parts: `model` (objects, Pods, containers), `loading` (files to objects, kustomizations too), `values` (quantities,
selectors, percentages), `schema` and `refusal` (what a cluster accepts), `rbac`, `network`, `schedule`.
"""

from __future__ import annotations

from curriculum.labs.manifests.loading import build, load, objects, read
from curriculum.labs.manifests.model import Container, EnvValue, Image, Manifest, Manifests, PodSpec, Probe
from curriculum.labs.manifests.refusal import Refusal, refusals
from curriculum.labs.manifests.schema import schemas
from curriculum.labs.manifests.values import Selector, labels_of, quantity, scaled

__all__ = [
    "Container",
    "EnvValue",
    "Image",
    "Manifest",
    "Manifests",
    "PodSpec",
    "Probe",
    "Refusal",
    "Selector",
    "build",
    "labels_of",
    "load",
    "objects",
    "quantity",
    "read",
    "refusals",
    "scaled",
    "schemas",
]
