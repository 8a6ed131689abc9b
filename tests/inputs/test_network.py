# SPDX-License-Identifier: Apache-2.0
"""`hubstack:network`: what it becomes; what is refused is in tests/bad_input."""

import json
from typing import Any

import pytest

from hubstack.files.errors import InputError
from hubstack.inputs.settings import StackSettings, read_settings
from hubstack.plan.network import OWN, ExistingNetwork, Grants, Nat, NetworkPlan
from hubstack.planner.network import network_warnings

SHARED = {"name": "shared", "subnetwork": "models", "nodes": "10.8.0.0/20", "host_project": "acme-network"}


def read(network: dict[str, Any] | None, **others: str) -> StackSettings:
    told = {"gcp:project": "acme-models", "gcp:region": "us-central1"}
    told |= {"hubstack:network": json.dumps(network)} if network is not None else {}
    return read_settings("dev", told | {f"hubstack:{key}": value for key, value in others.items()})


@pytest.mark.parametrize(
    "same", [None, {}, {"nat": "create"}, {"nodes": OWN.nodes_cidr, "taken": ["10.128.0.0/9"]}]
)
def test_a_stack_that_changes_nothing_has_no_network_in_its_plan(same: dict[str, Any] | None) -> None:
    assert read(same).network is None


def test_ranges_of_its_own_leave_the_others_as_they_are() -> None:
    assert read({"nodes": "10.8.0.0/20"}).network == NetworkPlan(nodes_cidr="10.8.0.0/20")


def test_an_existing_network_is_used_as_it_is() -> None:
    assert read(SHARED).network == NetworkPlan(
        nodes_cidr="10.8.0.0/20",
        pods_cidr=None,
        services_cidr=None,
        nat=Nat.EXISTING,
        existing=ExistingNetwork(
            project="acme-network", name="shared", subnetwork="models", region="us-central1", is_shared=True
        ),
        grants=Grants.DECLARED,
    )
    own = read({key: value for key, value in SHARED.items() if key != "host_project"}).network
    assert own is not None
    assert own.existing is not None
    assert (own.existing.project, own.existing.is_shared) == ("acme-models", False)


def test_the_proxies_overlap_only_where_there_are_some() -> None:
    nodes = {"nodes": "10.2.0.0/20"}
    assert read(nodes).network
    with pytest.raises(InputError, match="overlaps `proxies`"):
        read(nodes, gateway="{}")


def test_the_address_of_the_gateway_is_in_the_subnet_that_is_used() -> None:
    gateway = json.dumps({"address": "10.8.0.9"})
    assert read(SHARED, gateway=gateway).gateway
    with pytest.raises(InputError, match="free address of the stack's subnet"):
        read(None, gateway=gateway)


def test_the_plan_names_what_the_owners_of_a_network_must_do() -> None:
    named = read({**SHARED, "grants": "named", "nat": "none"}).network
    assert named is not None
    grants, nat = network_warnings(named)
    for word in ("acme-network", "models", "roles/compute.networkUser", "roles/container.hostServiceAgentUser"):
        assert word in grants
    assert "without NAT" in nat
    declared = read(SHARED).network
    assert declared is not None
    assert list(network_warnings(declared)) == []


def test_a_range_of_googles_api_addresses_is_refused_and_no_unusable_range_is_suggested() -> None:
    with pytest.raises(InputError, match="which no VPC can use"):
        read({"nodes": "199.36.153.0/24"})
    with pytest.raises(InputError, match="must be an IPv4 range") as caught:
        read({"nodes": "10.0.0.0/0"})
    assert "did you mean" not in str(caught.value)
