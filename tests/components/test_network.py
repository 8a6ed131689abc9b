# SPDX-License-Identifier: Apache-2.0
"""Existing networks, Shared VPC and own ranges: what is registered, and where each range appears."""

import json
from dataclasses import replace

import pytest
from pulumi_hubstack import Fleet, FleetArgs, Network
from pulumi_hubstack.shared_network import SharedNetwork

from hubstack.plan.gateway import GatewayPlan
from hubstack.plan.network import ExistingNetwork, Grants, Nat, NetworkPlan
from tests.components.recorder import NUMBER, Recorded, record
from tests.support.plans import complete, make_plan, with_gateway

assert Network
assert SharedNetwork
CLUSTER, SUBNET = "gcp:container/cluster:Cluster", "gcp:compute/subnetwork:Subnetwork"
ROUTER, VPC = "gcp:compute/router:Router", "gcp:compute/network:Network"
SUBNET_GRANT, GRANT = "gcp:compute/subnetworkIAMMember:SubnetworkIAMMember", "gcp:projects/iAMMember:IAMMember"
OTHERS = ExistingNetwork(
    project="acme-network", name="shared", subnetwork="models", region="us-central1", is_shared=True
)
SHARED = NetworkPlan(
    nodes_cidr="10.8.0.0/20",
    pods_cidr=None,
    services_cidr=None,
    proxies_cidr="10.9.0.0/23",
    pods_range="gke-pods",
    services_range="gke-services",
    nat=Nat.EXISTING,
    existing=OTHERS,
)


def build(network: NetworkPlan | None, *, gateway: bool = False) -> Recorded:
    plan = make_plan()
    plan = replace(plan, target=replace(plan.target, network=network))
    plan = with_gateway(plan, GatewayPlan(timeout_seconds=3600)) if gateway else plan
    return record(lambda: Fleet("fleet", FleetArgs(plan=complete(plan))))


def kinds(recorded: Recorded) -> list[str]:
    return [each.type for each in recorded.resources.values()]


def test_an_existing_network_is_named_in_full_and_nothing_of_it_is_registered() -> None:
    recorded = build(SHARED)
    assert not {VPC, SUBNET, ROUTER, "gcp:compute/routerNat:RouterNat"} & set(kinds(recorded))
    cluster = recorded.one(CLUSTER).inputs
    assert cluster["network"] == "projects/acme-network/global/networks/shared"
    assert cluster["subnetwork"] == "projects/acme-network/regions/us-central1/subnetworks/models"
    assert cluster["ipAllocationPolicy"] == {
        "clusterSecondaryRangeName": "gke-pods",
        "servicesSecondaryRangeName": "gke-services",
    }


def test_gke_may_use_the_subnet_of_a_host_project_before_the_cluster_is_created() -> None:
    recorded = build(SHARED)
    members = {each.inputs["member"] for each in recorded.resources.values() if each.type == SUBNET_GRANT}
    gke = f"serviceAccount:service-{NUMBER}@container-engine-robot.iam.gserviceaccount.com"
    assert members == {gke, f"serviceAccount:{NUMBER}@cloudservices.gserviceaccount.com"}
    host = [
        each.inputs
        for each in recorded.resources.values()
        if each.type == GRANT and each.inputs["project"] == "acme-network"
    ]
    assert [(each["role"], each["member"]) for each in host] == [("roles/container.hostServiceAgentUser", gke)]


@pytest.mark.parametrize(
    "network",
    [replace(SHARED, grants=Grants.NAMED), replace(SHARED, existing=replace(OTHERS, is_shared=False))],
)
def test_nobody_is_granted_what_was_not_asked_for(network: NetworkPlan) -> None:
    recorded = build(network)
    assert SUBNET_GRANT not in kinds(recorded)
    assert not any(name.name.startswith("shared-network") for name in recorded.resources.values())


def test_a_nat_for_an_existing_subnet_is_in_the_project_of_its_network() -> None:
    recorded = build(replace(SHARED, nat=Nat.CREATE))
    router, nat = recorded.one(ROUTER).inputs, recorded.one("gcp:compute/routerNat:RouterNat").inputs
    assert (router["project"], nat["project"]) == ("acme-network", "acme-network")
    assert router["network"] == OTHERS.network_id
    assert nat["subnetworks"][0]["name"] == OTHERS.subnet_id


def test_own_ranges_are_those_of_the_subnet_and_of_every_policy() -> None:
    ranges = NetworkPlan(
        nodes_cidr="10.8.0.0/20", pods_cidr="10.64.0.0/14", services_cidr="10.9.0.0/20", proxies_cidr="10.10.0.0/23"
    )
    recorded = build(ranges, gateway=True)
    subnet, proxies = (each.inputs for each in recorded.resources.values() if each.type == SUBNET)
    assert subnet["ipCidrRange"] == "10.8.0.0/20"
    assert [each["ipCidrRange"] for each in subnet["secondaryIpRanges"]] == ["10.64.0.0/14", "10.9.0.0/20"]
    assert proxies["ipCidrRange"] == "10.10.0.0/23"
    text = json.dumps([each.inputs for each in recorded.resources.values()], default=str)
    for default in ("10.0.0.0/20", "10.16.0.0/14", "10.1.0.0/20", "10.2.0.0/23"):
        assert default not in text


def test_a_proxy_subnet_that_exists_is_not_created_again() -> None:
    recorded = build(replace(SHARED, creates_proxy_subnet=False), gateway=True)
    assert SUBNET not in kinds(recorded)
    policies = json.dumps([each.inputs for each in recorded.resources.values()], default=str)
    assert "10.9.0.0/23" in policies
    created = build(SHARED, gateway=True)
    assert created.one(SUBNET).inputs["project"] == "acme-network"
