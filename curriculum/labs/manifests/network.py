"""What gets through: NetworkPolicies as a network plugin enforces them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curriculum.labs.manifests.model import Manifest, Manifests, at, entries, mapping, texts
from curriculum.labs.manifests.values import Selector

#: The label that the API server puts on each Namespace.
NAME_LABEL = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Endpoint:
    """A Pod, or with an empty namespace something outside the cluster."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = "10.244.3.7"
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)

    @property
    def home(self) -> dict[str, str]:
        """The labels of its Namespace."""
        return {**self.namespace_labels, NAME_LABEL: self.namespace}


OUTSIDE = Endpoint("", {}, "203.0.113.20")


class Network:
    """The policies of an answer. `home` is the Namespace of policies that name none."""

    def __init__(self, manifests: Manifests, home: str = "default") -> None:
        self._policies = manifests.of("NetworkPolicy")
        self._home = home

    def allows(self, source: Endpoint, target: Endpoint, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection gets through: out of the source, and into the target."""
        return self._passes("Egress", source, target, port, protocol) and self._passes(
            "Ingress", target, source, port, protocol
        )

    def lets_out(self, source: Endpoint, target: Endpoint, port: int, protocol: str = "TCP") -> bool:
        """Whether the source may send, whatever the target says to it."""
        return self._passes("Egress", source, target, port, protocol)

    def lets_in(self, target: Endpoint, source: Endpoint, port: int, protocol: str = "TCP") -> bool:
        """Whether the target may receive, whatever the source may send."""
        return self._passes("Ingress", target, source, port, protocol)

    def _passes(self, direction: str, pod: Endpoint, peer: Endpoint, port: int, protocol: str) -> bool:
        if not pod.namespace:
            return True
        chosen = [policy for policy in self._policies if self._selects(policy, pod) and direction in kinds(policy)]
        if not chosen:
            return True
        target = peer if direction == "Egress" else pod
        return any(
            self._opens(rule, policy, direction, peer, target, port, protocol)
            for policy in chosen
            for rule in entries(policy.at("spec", direction.lower()))
        )

    def _selects(self, policy: Manifest, pod: Endpoint) -> bool:
        if (policy.namespace or self._home) != pod.namespace:
            return False
        # A missing podSelector is an empty one: all Pods.
        return Selector.of(mapping(policy.at("spec", "podSelector"))).fits(pod.labels)

    def _opens(
        self,
        rule: Mapping[str, Any],
        policy: Manifest,
        direction: str,
        peer: Endpoint,
        target: Endpoint,
        port: int,
        protocol: str,
    ) -> bool:
        peers = entries(rule.get("to" if direction == "Egress" else "from"))
        ports = entries(rule.get("ports"))
        return (not peers or any(self._is(entry, policy, peer) for entry in peers)) and (
            not ports or any(_has(entry, target, port, protocol) for entry in ports)
        )

    def _is(self, entry: Mapping[str, Any], policy: Manifest, peer: Endpoint) -> bool:
        block = entry.get("ipBlock")
        if isinstance(block, dict):
            return _within(block, peer.address)
        if not peer.namespace:
            return False
        if isinstance(entry.get("namespaceSelector"), dict):
            at_home = Selector.of(entry["namespaceSelector"]).fits(peer.home)
        else:
            at_home = (policy.namespace or self._home) == peer.namespace
        pods = entry.get("podSelector")
        return at_home and (not isinstance(pods, dict) or Selector.of(pods).fits(peer.labels))


def kinds(policy: Manifest) -> list[str]:
    """The directions that a policy speaks of: named, or told by its rules."""
    named = texts(policy.at("spec", "policyTypes"))
    return named or ["Ingress", *(["Egress"] if policy.at("spec", "egress") else [])]


def _has(entry: Mapping[str, Any], target: Endpoint, port: int, protocol: str) -> bool:
    if str(entry.get("protocol") or "TCP") != protocol:
        return False
    wanted = entry.get("port")
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return target.ports.get(wanted) == port
    last = entry.get("endPort")
    return isinstance(wanted, int) and wanted <= port <= (last if isinstance(last, int) else wanted)


def _within(block: Mapping[str, Any], address: str) -> bool:
    try:
        there = ipaddress.ip_address(address)
        return there in ipaddress.ip_network(str(at(dict(block), "cidr")), strict=False) and not any(
            there in ipaddress.ip_network(hole, strict=False) for hole in texts(block.get("except"))
        )
    except ValueError:
        return False
