# SPDX-License-Identifier: Apache-2.0
"""Who reaches whom under NetworkPolicies, judged by cyclonus' matcher, built from tests/support/netpol by Go.

GKE's FQDNNetworkPolicy is turned into a NetworkPolicy first: each host has an address of its own here, as in its
cluster's DNS. That is the kind's meaning as Google writes it: what it allows is added to what others allow.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.support.go import ask, go_tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One end of a connection; outside of the cluster where it has no namespace."""

    name: str
    ip: str
    namespace: str = ""
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        labels = {"kubernetes.io/metadata.name": self.namespace, **self.namespace_labels}
        return {
            "ip": self.ip,
            "namespace": self.namespace,
            "namespaceLabels": labels,
            "podLabels": dict(self.labels),
        }


@dataclass(frozen=True, slots=True)
class Attempt:
    """A connection that is tried."""

    source: Peer
    target: Peer
    port: int
    protocol: str = "TCP"

    def told(self) -> dict[str, Any]:
        ends = {"from": self.source.told(), "to": self.target.told()}
        return ends | {"port": self.port, "protocol": self.protocol}


class Hosts:
    """An address for each name that a policy names."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self._free = count(1)

    def address(self, host: str) -> str:
        assert "*" not in host, "a pattern opens hosts that nobody named"
        return self.addresses.setdefault(host, f"203.0.113.{next(self._free)}")

    def plain(self, policy: dict[str, Any]) -> dict[str, Any]:
        if policy["kind"] == "NetworkPolicy":
            return policy
        rules = [
            {
                "to": [{"ipBlock": {"cidr": f"{self.address(match['name'])}/32"}} for match in rule["matches"]],
                "ports": rule["ports"],
            }
            for rule in policy["spec"]["egress"]
        ]
        spec = {"podSelector": policy["spec"]["podSelector"], "policyTypes": ["Egress"], "egress": rules}
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": policy["metadata"],
            "spec": spec,
        }


def allowed(policies: Iterable[dict[str, Any]], attempts: Iterable[Attempt]) -> list[bool]:
    """Say of each attempt whether both ends allow it."""
    asked = {"policies": list(policies), "traffic": [each.told() for each in attempts]}
    return ask(go_tool("netpol", "network policies are not judged by cyclonus here"), asked)
