# SPDX-License-Identifier: Apache-2.0
"""kube-router as the enforcer of network policies, on the router of `proof.policies.network`.

Owns the objects that it reads: a node, namespaces, pods with addresses, and the policies as they are given.
"""

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from proof.api import Object
from proof.control_plane import ControlPlane
from proof.policies.binaries import router

NODE, NODE_ADDRESS = "router", "192.0.2.1"
SYNC_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod of the cluster."""

    name: str
    namespace: str
    address: str
    labels: Mapping[str, str]


def enforce(
    plane: ControlPlane,
    namespaces: Mapping[str, Mapping[str, str]],
    pods: Iterable[Pod],
    policies: Iterable[Object],
) -> None:
    """Create the objects, start kube-router, and wait until its rules have every pod that a policy selects.

    Args:
        plane: a running control plane.
        namespaces: labels by name.
        pods: the pods, all on one node.
        policies: NetworkPolicies.
    """
    api = plane.api
    there = {each["metadata"]["name"] for each in api.objects("v1", "Namespace")}
    for name, labels in namespaces.items():
        space: Object = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": dict(labels)},
        }
        _ = api.patch(space, space) if name in there else api.create(space)
    subprocess.run(["ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "lo"], check=True)
    node: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
    api.create(node)
    addresses = [{"type": "InternalIP", "address": NODE_ADDRESS}]
    api.patch(node, {"status": {"addresses": addresses}}, subresource="/status")
    held = list(pods)
    for each in held:
        metadata = {"name": each.name, "namespace": each.namespace, "labels": dict(each.labels)}
        container = {"name": "end", "image": "end"}
        pod: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        api.create(pod | {"spec": {"nodeName": NODE, "containers": [container]}})
        ready = {
            "phase": "Running",
            "podIP": each.address,
            "podIPs": [{"ip": each.address}],
            "hostIP": NODE_ADDRESS,
        }
        api.patch(pod, {"status": ready}, subresource="/status")
    for policy in policies:
        api.create(policy)
    plane.processes.start(
        "kube-router",
        [
            router(),
            f"--kubeconfig={plane.kubeconfig}",
            f"--hostname-override={NODE}",
            "--run-firewall=true",
            "--run-router=false",
            "--run-service-proxy=false",
            "--health-port=0",
            "--service-cluster-ip-range=10.96.0.0/16",
        ],
    )
    plane.wait("kube-router has a chain for every pod", lambda: _chains() >= len(held), SYNC_SECONDS)


def _chains() -> int:
    """Return the number of pods for which kube-router has rules."""
    done = subprocess.run(["iptables-save", "-t", "filter"], capture_output=True, text=True, check=True)
    return sum(line.startswith(":KUBE-POD-FW-") for line in done.stdout.splitlines())
