# SPDX-License-Identifier: Apache-2.0
"""What must be there first is there first, and goes last: in every example, and in a stack with all else.

An engine creates a resource after what it depends on and after its parent, and deletes in the opposite order. So
one claim, that the later reaches the earlier, proves both. That a controller answers in time it does not prove.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pulumi
import pytest
from google.protobuf import json_format
from pulumi_hubstack import Fleet, FleetArgs

from hubstack.plan.gateway import Exposure, GatewayAuth, GatewayPlan
from tests.components.recorder import record
from tests.support.golden import EXAMPLES, read_graph
from tests.support.light_plans import GARDEN, RUN, VAULT
from tests.support.plans import BUSY, RESTING, complete, with_gateway, with_models

APIS = {
    "accesscontextmanager": "accesscontextmanager",
    "billing": "billingbudgets",
    "cloudrunv2": "run",
    "compute": "compute",
    "container": "container",
    "dns": "dns",
    "kms": "cloudkms",
    "monitoring": "monitoring",
    "projects": "cloudresourcemanager",
    "secretmanager": "secretmanager",
    "serviceaccount": "iam",
    "storage": "storage",
    "vertex": "aiplatform",
}
"""Module of the SDK to the Google API that its resources call."""
ALL_ELSE = "a key, canaries, gated models, old commits, Cloud Run and Vertex AI"
PLACES = (*EXAMPLES, ALL_ELSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One resource: what it is, and what it waits for."""

    urn: str
    kind: str
    """The last part of its type: `Deployment`."""
    module: str
    """The first parts: `gcp:storage/bucket`, `kubernetes:apps/v1`."""
    name: str
    parent: str
    inputs: Mapping[str, Any]
    member_from: tuple[str, ...]
    """URNs that an IAM member comes from."""
    needs: frozenset[str]

    @property
    def key(self) -> tuple[str | None, str | None]:
        """Namespace and name in the cluster."""
        metadata = self.inputs.get("metadata", {})
        return metadata.get("namespace"), metadata.get("name")


class Order:
    """The resources of a stack, and which of them reaches which."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = {node.urn: node for node in nodes}
        self._reached: dict[str, frozenset[str]] = {}

    def of(self, *kinds: str) -> list[Node]:
        return [node for node in self.nodes.values() if node.kind in kinds]

    def reached(self, node: Node) -> frozenset[str]:
        """Return the URNs that are there before it."""
        if node.urn not in self._reached:
            found: set[str] = set()
            for urn in node.needs & self.nodes.keys():
                found |= {urn, *self.reached(self.nodes[urn])}
            self._reached[node.urn] = frozenset(found)
        return self._reached[node.urn]


Pair = tuple[Node, Node]
"""What comes later, and what comes earlier."""


def _node(resource: Mapping[str, Any]) -> Node:
    module, kind = resource["type"].rsplit(":", 1)
    properties = resource.get("propertyDependencies", {})
    provider = resource.get("provider", "").rsplit("::", 1)[0]
    needs = {*resource.get("dependencies", []), resource.get("parent", ""), provider}
    return Node(
        urn=resource["urn"],
        kind=kind,
        module=module,
        name=resource["name"],
        parent=resource.get("parent", ""),
        inputs=resource.get("inputs", {}),
        member_from=tuple(properties.get("member", ())),
        needs=frozenset(needs.union(*properties.values())),
    )


@cache
def order(place: str) -> Order:
    if place == ALL_ELSE:
        return _all_else()
    graph = read_graph(place)
    return Order([_node(resource) for resource in graph["resources"]])


def _all_else() -> Order:
    asked = GatewayPlan(
        timeout_seconds=3600,
        exposure=Exposure.EXTERNAL,
        auth=GatewayAuth.API_KEYS,
        certificate="acme",
        host="models.example.com",
    )
    scale_to_zero_models = replace(RESTING, weights=replace(RESTING.weights, replaces="9" * 40))
    canary = replace(BUSY, key="gated-canary", commit="8" * 40, canary_of="gated", canary_weight=10)
    made = with_models(scale_to_zero_models, BUSY)
    models = sorted((*made.models, canary, RUN, VAULT, GARDEN), key=lambda model: model.key)
    plan = with_gateway(replace(made, models=tuple(models)), asked)

    def program() -> None:
        secret = pulumi.Output.secret("a-secret")
        Fleet("fleet", FleetArgs(plan=complete(plan), hub_token=secret, api_key=secret))

    nodes: list[Node] = []
    for found in record(program).resources.values():
        request = found.request
        nodes.append(
            _node(
                {
                    "urn": found.urn,
                    "type": found.type,
                    "name": found.name,
                    "parent": found.parent,
                    "inputs": json_format.MessageToDict(request.object),
                    "dependencies": list(request.dependencies),
                    "provider": request.provider,
                    "propertyDependencies": {
                        key: list(value.urns) for key, value in request.propertyDependencies.items()
                    },
                }
            )
        )
    return Order(nodes)


def _pairs(later: list[Node], earlier: list[Node], same: Callable[[Node, Node], bool]) -> list[Pair]:
    return [(one, other) for one in later for other in earlier if same(one, other)]


def _any(_later: Node, _earlier: Node) -> bool:
    return True


def _siblings(later: Node, earlier: Node) -> bool:
    return later.parent == earlier.parent


def _model_of(node: Node) -> str:
    """Return the model's key, which is the name of its server and the root of its other components'."""
    component = node.parent.rsplit("::", 1)[-1]
    for role in ("-loader", "-weights", "-disk", "-collector", "-accounts"):
        component = component.removesuffix(role)
    return component


def _one_model(later: Node, earlier: Node) -> bool:
    return _model_of(later).removesuffix("-canary") == _model_of(earlier).removesuffix("-canary")


def _own(later: Node, earlier: Node) -> bool:
    return _model_of(later) == _model_of(earlier)


def _within(order: Order, component: str, *kinds: str) -> list[Node]:
    return [node for node in order.of(*kinds) if node.parent.split("::")[2].endswith(f":{component}")]


def _in_cluster(order: Order) -> list[Node]:
    return [node for node in order.nodes.values() if node.module.startswith("kubernetes:")]


def _workload_grants(order: Order) -> list[Node]:
    """Return grants to accounts of the cluster: Google's own accounts are resources that such members come from."""
    kinds = ("IAMMember", "BucketIAMMember", "SecretIamMember")
    return [
        node for node in order.of(*kinds) if not any("serviceaccount/account" in urn for urn in node.member_from)
    ]


def _release(order: Order, name: str) -> list[Node]:
    return [node for node in order.of("Release") if node.name == name]


def apis(order: Order) -> Iterator[Pair]:
    services = {
        node.name.removeprefix("api-"): node
        for node in order.nodes.values()
        if node.module == "gcp:projects/service"
    }
    manager = services["cloudresourcemanager"]
    yield from ((node, manager) for node in services.values() if node != manager)
    for node in order.nodes.values():
        if node.module.startswith("gcp:") and node.module != "gcp:projects/service":
            yield node, services[APIS[node.module.removeprefix("gcp:").partition("/")[0]]]


def cluster(order: Order) -> Iterator[Pair]:
    clusters = [node for node in order.of("Cluster") if node.module.startswith("gcp:")]
    pools, system = order.of("NodePool"), [node for node in order.of("NodePool") if node.name == "cluster-system"]
    yield from _pairs([*pools, *_in_cluster(order)], clusters, _any)
    yield from _pairs(clusters, order.of("RouterNat"), _any)
    yield from _pairs(clusters, [n for n in order.of("IAMMember") if n.name.startswith("cluster-")], _any)
    # What has a finalizer goes while its controller still has a node.
    finalized = order.of("Release", "Job", "Deployment", "LeaderWorkerSet", "ScaledObject", "PersistentVolumeClaim")
    yield from _pairs([node for node in finalized if node in _in_cluster(order)], system, _any)
    yield from _pairs(order.of("ComputeClass"), pools, _names_pool)


def _names_pool(later: Node, earlier: Node) -> bool:
    priorities = later.inputs["spec"].get("priorities", [])
    named = {pool for priority in priorities for pool in priority.get("nodepools", [])}
    return earlier.inputs["name"] in named


def namespaces(order: Order) -> Iterator[Pair]:
    made = order.of("Namespace")
    yield from _pairs(_in_cluster(order), made, lambda later, earlier: later.key[0] == earlier.key[1])
    yield from _pairs(order.of("Release"), made, lambda later, earlier: later.inputs["namespace"] == earlier.key[1])


def workload_identity(order: Order) -> Iterator[Pair]:
    """A project has the pool of its identities from its first cluster on."""
    clusters = [node for node in order.of("Cluster") if node.module.startswith("gcp:")]
    yield from _pairs(_workload_grants(order), clusters, _any)


def loads(order: Order) -> Iterator[Pair]:
    jobs = _within(order, "WeightsLoader", "Job") + _within(order, "RunLoader", "Job")
    grants = _within(order, "WeightsBucket", "BucketIAMMember")
    yield from _pairs(jobs, grants, _one_model)
    files = order.of("ServiceAccount", "ConfigMap", "SecretProviderClass", "BucketObject", "SecretIamMember")
    yield from _pairs(jobs, files, _siblings)
    token = _within(order, "HubToken", "SecretIamMember", "SecretVersion")
    gated = {
        node.parent
        for node in order.nodes.values()
        if node.kind == "SecretProviderClass" or node.name.endswith("-loader-token")
    }
    yield from _pairs(
        [job for job in jobs if job.parent in gated], token, lambda _, grant: grant.kind == "SecretVersion"
    )
    yield from _pairs(
        [job for job in jobs if job.parent in gated],
        token,
        lambda job, grant: grant.name == f"hub-token-{_model_of(job)}",
    )


def servers(order: Order) -> Iterator[Pair]:
    made = _within(order, "ModelServer", "Deployment", "LeaderWorkerSet")
    made += _within(order, "CloudRunService", "Service")
    yield from _pairs(made, order.of("Job"), lambda later, job: "loader" in job.name and _own(later, job))
    yield from _pairs(made, order.of("BucketIAMMember"), _one_model)
    yield from _pairs(made, order.of("PersistentVolumeClaim"), _own)
    yield from _pairs(made, order.of("ServiceAccount"), _siblings)
    yield from _pairs(order.of("LeaderWorkerSet"), _release(order, "group-controller-lws"), _any)
    classes = [node for node in order.of("ComputeClass") if node.name.startswith("class-")]
    yield from _pairs(made, classes, lambda later, one: one.key[1] in json.dumps(later.inputs))


def disks(order: Order) -> Iterator[Pair]:
    claims = order.of("PersistentVolumeClaim")
    yield from _pairs(claims, order.of("GCPDataSource"), _siblings)
    yield from _pairs(claims, _within(order, "DiskTransfer", "NodePool", "StorageClass", "ComputeClass"), _any)
    yield from _pairs(claims, _within(order, "WeightsLoader", "Job"), _own)


def scaling(order: Order) -> Iterator[Pair]:
    """KEDA takes its finalizers off, so it goes after what has them."""
    keda, interceptor = _release(order, "autoscaling-keda"), _release(order, "autoscaling-interceptor")
    scalers, routes = order.of("ScaledObject"), order.of("InterceptorRoute")
    yield from _pairs([*scalers, *order.of("TriggerAuthentication"), *interceptor], keda, _any)
    yield from _pairs(scalers, order.of("TriggerAuthentication"), _any)
    yield from _pairs(scalers, [n for n in order.of("IAMMember") if n.name == "autoscaling-monitoring"], _any)
    yield from _pairs([*routes, *scalers], interceptor, _any)
    yield from _pairs(scalers, routes, _siblings)
    yield from _pairs(scalers, _within(order, "ModelServer", "Deployment", "LeaderWorkerSet"), _siblings)


def gateway(order: Order) -> Iterator[Pair]:
    routes, inside = order.of("HTTPRoute"), _within(order, "Gateway", *(node.kind for node in order.nodes.values()))

    def of(*kinds: str) -> list[Node]:
        return [node for node in inside if node.kind in kinds]

    yield from _pairs(of("Gateway"), of("Address", "Subnetwork"), _any)
    policies = of("GCPBackendPolicy", "HealthCheckPolicy", "InferencePool", "Deployment")
    yield from _pairs(
        routes,
        policies,
        lambda route, policy: (
            policy.name
            in {
                route.name.removesuffix("-route") + role
                for role in ("-backend", "-health", "-pool", "-picker-deployment")
            }
        ),
    )
    held = [route for route in routes if "interceptor" in json.dumps(route.inputs)]
    yield from _pairs(held, of("ReferenceGrant"), _any)
    yield from _pairs(held, _release(order, "autoscaling-interceptor"), _any)
    pickers = [node for node in of("Deployment") if node.name.endswith("-picker-deployment")]
    own = of("Role", "RoleBinding", "ConfigMap", "ServiceAccount", "Service", "InferencePool")
    yield from _pairs(
        pickers,
        own,
        lambda picker, part: part.name.startswith(picker.name.removesuffix("-picker-deployment") + "-p"),
    )
    yield from _pairs(
        of("GCPRoutingExtension"),
        [n for n in inside if n.name in {"gateway-body-router-deployment", "gateway-body-router-service"}],
        _any,
    )
    secret = of("SecretProviderClass", "SecretIamMember", "ServiceAccount")
    yield from _pairs(
        of("SecretSync"), secret, lambda sync, part: part.name.startswith(sync.name.removesuffix("-sync"))
    )


def canaries(order: Order) -> Iterator[Pair]:
    """A canary gets its share of the requests when it can answer."""
    made = [node for node in _within(order, "ModelServer", "Deployment") if _model_of(node).endswith("-canary")]
    yield from _pairs(
        order.of("HTTPRoute"),
        made,
        lambda route, server: route.name == f"gateway-{_model_of(server).removesuffix('-canary')}-route",
    )


def collectors(order: Order) -> Iterator[Pair]:
    made = _within(order, "ModelServer", "Deployment", "LeaderWorkerSet")
    yield from _pairs(_within(order, "WeightsCollector", "Job"), made, _one_model)
    yield from _pairs(_within(order, "WeightsCollector", "Job"), order.of("BucketIAMMember"), _one_model)


RULES = (
    apis,
    cluster,
    namespaces,
    workload_identity,
    loads,
    servers,
    disks,
    scaling,
    gateway,
    canaries,
    collectors,
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_what_is_needed_is_there_first_and_goes_last(rule: Callable[[Order], Iterator[Pair]], place: str) -> None:
    found = order(place)
    wrong = sorted(
        f"{later.kind} {later.name} does not wait for {earlier.kind} {earlier.name}"
        for later, earlier in rule(found)
        if earlier.urn not in found.reached(later)
    )
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_each_rule_speaks_of_some_stack(rule: Callable[[Order], Iterator[Pair]]) -> None:
    assert any(list(rule(order(place))) for place in PLACES)


def test_an_order_that_is_missing_is_seen() -> None:
    found = order("quickstart")
    scaler = found.of("ScaledObject")[0]
    free = Order([*(node for node in found.nodes.values() if node != scaler), replace(scaler, needs=frozenset())])
    missed = [pair for pair in scaling(free) if pair[1].urn not in free.reached(pair[0])]
    assert {earlier.name for _, earlier in missed} >= {"autoscaling-keda", "autoscaling-interceptor"}
