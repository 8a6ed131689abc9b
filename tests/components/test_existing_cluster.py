# SPDX-License-Identifier: Apache-2.0
"""A stack in an existing cluster: what is registered, what is not, and what names others' namespaces."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pulumi_hubstack import Fleet, FleetArgs
from pulumi_hubstack.existing_cluster import UsedCluster

from hubstack.plan.existing_cluster import Component, ExistingCluster
from hubstack.plan.gateway import GatewayPlan
from hubstack.plan.network import ExistingNetwork, Nat, NetworkPlan
from tests.components.recorder import NUMBER, Recorded, record
from tests.support.plans import RESTING, complete, with_gateway, with_models

assert UsedCluster
POOL, CLASS = "gcp:container/nodePool:NodePool", "kubernetes:cloud.google.com/v1:ComputeClass"
RELEASE, NAMESPACE = "kubernetes:helm.sh/v3:Release", "kubernetes:core/v1:Namespace"
PLATFORM = ExistingCluster(
    name="platform", location="us-central1", project="acme-platform", control_plane=("172.16.0.0/28",)
)
NETWORK = NetworkPlan(
    nodes_cidr="10.8.0.0/20",
    pods_cidr=None,
    services_cidr=None,
    nat=Nat.EXISTING,
    existing=ExistingNetwork(
        project="acme-network", name="shared", subnetwork="models", region="us-central1", is_shared=True
    ),
)


def build(cluster: ExistingCluster = PLATFORM, *, gateway: bool = False, **target: Any) -> Recorded:
    plan = with_models(RESTING)
    plan = replace(plan, target=replace(plan.target, cluster=cluster, **target))
    plan = with_gateway(plan, GatewayPlan(timeout_seconds=3600)) if gateway else plan
    return record(lambda: Fleet("fleet", FleetArgs(plan=complete(plan))))


def kinds(recorded: Recorded) -> set[str]:
    return {each.type for each in recorded.resources.values()}


def test_no_cluster_network_or_system_pool_is_registered() -> None:
    recorded = build()
    assert not {each for each in kinds(recorded) if each.startswith("gcp:compute/") or each.endswith(":Cluster")}
    assert "system" not in {each.inputs["name"] for each in recorded.of_type(POOL)}
    assert {each.inputs["cluster"] for each in recorded.of_type(POOL)} == {
        "projects/acme-platform/locations/us-central1/clusters/platform"
    }


def test_the_nodes_of_the_stack_have_an_account_in_the_clusters_project() -> None:
    account = build().one("gcp:serviceaccount/account:Account").inputs
    assert (account["project"], account["accountId"]) == ("acme-platform", "hubstack-test-nodes")
    given = build(replace(PLATFORM, node_account="nodes@acme-platform.iam.gserviceaccount.com"))
    assert "gcp:serviceaccount/account:Account" not in kinds(given)
    emails = {each.inputs["nodeConfig"]["serviceAccount"] for each in given.of_type(POOL)}
    assert emails == {"nodes@acme-platform.iam.gserviceaccount.com"}


def test_pods_are_members_of_the_clusters_identity_pool() -> None:
    members = {each.inputs["member"] for each in build().of_type("gcp:storage/bucketIAMMember:BucketIAMMember")}
    assert all(f"projects/{NUMBER}/" in each and "acme-platform.svc.id.goog" in each for each in members)


def test_the_control_planes_own_addresses_are_in_every_policy_that_lets_pods_reach_it() -> None:
    policies = json.dumps(
        [each.inputs for each in build(gateway=True, network=NETWORK).resources.values()], default=str
    )
    assert "172.16.0.0/28" in policies
    assert "10.8.0.0/20" not in policies


def test_an_autopilot_cluster_gets_classes_that_describe_their_nodes_and_no_pools() -> None:
    recorded = build(replace(PLATFORM, is_autopilot=True))
    assert not recorded.of_type(POOL)
    assert "gcp:serviceaccount/account:Account" not in kinds(recorded)
    rules = {each.inputs["metadata"]["name"]: each.inputs["spec"]["priorities"] for each in recorded.of_type(CLASS)}
    (l4,) = (held for held in rules.values() if held[0].get("gpu", {}).get("type") == "nvidia-l4")
    assert [each.get("spot", False) for each in l4] == [True, False]
    assert all(each["location"]["zones"] and "nodepools" not in each for held in rules.values() for each in held)
    (tpu,) = (held for held in rules.values() if "tpu" in held[0])
    assert tpu[0]["tpu"]["type"] == "tpu-v6e-slice"


@pytest.mark.parametrize("is_installed", [False, True])
def test_installed_controllers_are_used_and_not_installed_again(is_installed: bool) -> None:
    installed = tuple(Component) if is_installed else ()
    recorded = build(replace(PLATFORM, installed=installed), gateway=True, network=NETWORK)
    releases = {each.inputs["name"] for each in recorded.of_type(RELEASE)}
    spaces = {each.inputs["metadata"]["name"] for each in recorded.of_type(NAMESPACE)}
    assert ("keda" in releases) is not is_installed
    assert ("keda" in spaces) is not is_installed
    assert "models" in spaces
    assert recorded.of_type("kubernetes:keda.sh/v1alpha1:TriggerAuthentication")
    roles = {each.inputs["role"] for each in recorded.of_type("gcp:projects/iAMMember:IAMMember")}
    assert ("roles/monitoring.viewer" in roles) is not is_installed
    if is_installed:
        others = [
            each.type
            for each in recorded.resources.values()
            if each.inputs.get("metadata", {}).get("namespace") == "keda"
        ]
        assert set(others) <= {"kubernetes:gateway.networking.k8s.io/v1beta1:ReferenceGrant"}
