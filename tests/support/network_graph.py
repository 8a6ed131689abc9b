# SPDX-License-Identifier: Apache-2.0
"""The pods and network policies of each example's graph, and others who may try to reach them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.golden import read_graph
from tests.support.netpol_engine import Hosts, Peer

EXAMPLES = sorted(
    path.parent.name
    for path in (Path(__file__).resolve().parents[2] / "examples").glob("*/graph.yaml")
    if "kind: NetworkPolicy" in path.read_text()
)
KINDS = ("NetworkPolicy", "FQDNNetworkPolicy")


@dataclass(frozen=True)
class Example:
    """What a graph says of its network."""

    policies: list[dict[str, Any]]
    hosts: Hosts
    pods: list[Peer]
    ports: list[int]
    """Of the servers."""
    on_disk: set[str]
    """Models whose weights are on a disk."""

    def role(self, name: str) -> list[Peer]:
        return [pod for pod in self.pods if pod.labels["app.kubernetes.io/name"] == name]


@cache
def example(name: str) -> Example:
    objects = [each["inputs"] for each in read_graph(name)["resources"] if each["type"].startswith("kubernetes:")]
    hosts = Hosts()
    policies = [hosts.plain(each) for each in objects if each.get("kind") in KINDS]
    pods = list(_pods(objects))
    ports = {
        port["containerPort"]
        for each in objects
        for template in _templates(each)
        if template["metadata"]["labels"]["app.kubernetes.io/name"] == "server"
        for port in template["spec"]["containers"][0].get("ports", ())
    }
    on_disk = {
        template["metadata"]["labels"]["app.kubernetes.io/instance"]
        for each in objects
        for template in _templates(each)
        if any("persistentVolumeClaim" in volume for volume in template["spec"].get("volumes", ()))
    }
    return Example(policies, hosts, pods, sorted(ports), on_disk)


def _templates(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match value.get("kind"):
        case "Deployment" | "Job":
            yield value["spec"]["template"]
        case "LeaderWorkerSet":
            group = value["spec"]["leaderWorkerTemplate"]
            yield group["leaderTemplate"]
            yield group["workerTemplate"]


def _pods(objects: list[dict[str, Any]]) -> Iterator[Peer]:
    number = 0
    for value in objects:
        for template in _templates(value):
            number += 1
            # As the API server labels the pods of a Job.
            own = {"batch.kubernetes.io/job-name": "any"} if value["kind"] == "Job" else {}
            labels = {**template["metadata"]["labels"], **own}
            name = str(labels.get("app.kubernetes.io/instance", number))
            yield Peer(name=name, ip=f"10.16.0.{number}", namespace=value["metadata"]["namespace"], labels=labels)


def pod(name: str, namespace: str, labels: dict[str, str] | None = None, **of_namespace: str) -> Peer:
    told = {key.replace("__", "/").replace("_", "-"): value for key, value in of_namespace.items()}
    return Peer(name=name, ip="10.17.0.1", namespace=namespace, labels=labels or {}, namespace_labels=told)


INTERCEPTOR = {"app.kubernetes.io/component": "interceptor", "app.kubernetes.io/name": "http-add-on"}
CLIENT = Peer(
    name="client", ip="10.17.0.2", namespace="app", namespace_labels={"hubstack.dev/model-client": "true"}
)
COLLECTOR = pod("collector", "gmp-system")
HELD = pod("interceptor", "keda", INTERCEPTOR)
KEDA = {
    "operator": pod("keda-operator", "keda", {"app.kubernetes.io/name": "keda-operator"}),
    "metrics": pod("keda-metrics", "keda", {"app.kubernetes.io/name": "keda-operator-metrics-apiserver"}),
    "webhooks": pod("keda-webhooks", "keda", {"app.kubernetes.io/name": "keda-admission-webhooks"}),
    "interceptor": HELD,
    "scaler": pod("scaler", "keda", {"app.kubernetes.io/component": "scaler"}),
}
LWS = pod("lws", "lws-system", {"control-plane": "controller-manager"})
"""The charts' pods, with their labels (github.com/kedacore/charts, github.com/kubernetes-sigs/lws)."""
STRANGERS = (
    pod("neighbour", "default"),
    pod("neighbour with the interceptor's labels", "default", INTERCEPTOR),
    pod("neighbour with the picker's labels", "default", {"app.kubernetes.io/name": "endpoint-picker"}),
    pod("KEDA's operator", "keda", {"app.kubernetes.io/name": "keda-operator"}),
    pod("someone in the models' namespace", "models"),
    Peer(name="the internet", ip="198.51.100.7"),
    Peer(name="the network", ip="10.0.3.4"),
)
PROXIES = tuple(Peer(name=ip, ip=ip) for ip in ("10.2.0.5", "35.191.0.9", "130.211.1.9"))


def destinations(found: Example) -> list[tuple[str, Peer, int, str]]:
    """Return what a pod may want: name, peer, port, protocol."""
    dns = [
        ("kube-dns", pod("dns", "kube-system", {"k8s-app": "kube-dns"})),
        ("node-local-dns", pod("dns", "kube-system", {"k8s-app": "node-local-dns"})),
        ("dns-cache", Peer(name="dns", ip="169.254.20.10")),
        ("cloud-dns", Peer(name="dns", ip="169.254.169.254")),
    ]
    hosts = [(host, Peer(name=host, ip=ip), 443, "TCP") for host, ip in found.hosts.addresses.items()]
    plain = [(f"http://{host}", Peer(name=host, ip=ip), 80, "TCP") for host, ip in found.hosts.addresses.items()]
    return [
        *((what, peer, 53, "UDP") for what, peer in dns),
        ("metadata:988", Peer(name="metadata", ip="169.254.169.252"), 988, "TCP"),
        ("metadata:80", Peer(name="metadata", ip="169.254.169.254"), 80, "TCP"),
        ("the nodes' own metadata server", Peer(name="metadata", ip="169.254.169.254"), 8080, "TCP"),
        *hosts,
        *plain,
        ("the internet", Peer(name="internet", ip="198.51.100.7"), 443, "TCP"),
        ("a DNS server of the internet", Peer(name="internet", ip="8.8.8.8"), 53, "UDP"),
        ("the control plane", Peer(name="kubernetes", ip="10.0.0.2"), 443, "TCP"),
        ("a node", Peer(name="node", ip="10.0.0.9"), 10250, "TCP"),
        ("a neighbour", pod("neighbour", "default"), 443, "TCP"),
        ("kube-system", pod("metrics-server", "kube-system", {"k8s-app": "metrics-server"}), 443, "TCP"),
        ("a client", CLIENT, 443, "TCP"),
    ]
