# SPDX-License-Identifier: Apache-2.0
"""Cluster and Network: exactly their children, and the settings whose loss would open or replace them."""

from functools import cache

import pytest
from pulumi_hubstack.cluster import Cluster, ClusterArgs
from pulumi_hubstack.network import Network, NetworkArgs

from hubstack.plan.settings import MaintenancePlan
from tests.components.recorder import Recorded, record


def build_cluster(*, gated: bool = False, maintenance: MaintenancePlan | None = None) -> Recorded:
    def program() -> None:
        Cluster(
            "cluster",
            ClusterArgs(
                stack="test",
                project="acme",
                region="us-central1",
                network_id="n",
                subnet_id="s",
                pods_range="pods",
                services_range="services",
                release_channel="REGULAR",
                deletion_protection=True,
                maintenance=maintenance,
                max_system_nodes=4,
                state_metrics=(),
                has_gated_models=gated,
                has_gateway=False,
                binary_authorization=False,
                kms_key=None,
                has_synced_secrets=False,
                private_control_plane=False,
                intranode_visibility=False,
            ),
        )

    return record(program)


@cache
def network() -> Recorded:
    return record(lambda: Network("network", NetworkArgs(region="us-central1")))


@cache
def cluster() -> Recorded:
    return build_cluster()


def test_a_network_is_a_subnet_with_a_way_out() -> None:
    _, children = network().component("hubstack:network:Network")
    assert children == [
        ("gcp:compute/network:Network", "network-vpc"),
        ("gcp:compute/router:Router", "network-router"),
        ("gcp:compute/routerNat:RouterNat", "network-nat"),
        ("gcp:compute/subnetwork:Subnetwork", "network-subnet"),
    ]
    assert network().one("gcp:compute/network:Network").inputs["autoCreateSubnetworks"] is False
    subnet = network().one("gcp:compute/subnetwork:Subnetwork").inputs
    assert subnet["privateIpGoogleAccess"] is True
    assert [r["rangeName"] for r in subnet["secondaryIpRanges"]] == ["pods", "services"]


def test_a_cluster_is_an_identity_and_one_small_pool() -> None:
    _, children = cluster().component("hubstack:cluster:Cluster")
    assert children == [
        ("gcp:container/cluster:Cluster", "cluster-gke"),
        ("gcp:container/nodePool:NodePool", "cluster-system"),
        ("gcp:projects/iAMMember:IAMMember", "cluster-nodes-defaultNodeServiceAccount"),
        ("gcp:projects/iAMMember:IAMMember", "cluster-nodes-reader"),
        ("gcp:serviceaccount/account:Account", "cluster-nodes"),
    ]


def test_nodes_may_do_no_more_than_nodes_must() -> None:
    roles = {m.inputs["role"] for m in cluster().of_type("gcp:projects/iAMMember:IAMMember")}
    assert roles == {"roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader"}


def test_pools_are_never_inline_and_the_default_one_goes() -> None:
    inputs = cluster().one("gcp:container/cluster:Cluster").inputs
    assert "nodePools" not in inputs, "an inline pool replaces the cluster"
    assert inputs["removeDefaultNodePool"] is True
    email = "hubstack-test-nodes@acme-models-test.iam.gserviceaccount.com"
    assert inputs["nodeConfig"]["serviceAccount"] == email, "projects may forbid the default account"
    ignored = cluster().one("gcp:container/cluster:Cluster").request.ignoreChanges
    assert sorted(ignored) == ["initialNodeCount", "nodeConfig"]
    assert "clusterAutoscaling" not in inputs


def test_the_cluster_has_what_pods_need() -> None:
    inputs = cluster().one("gcp:container/cluster:Cluster").inputs
    assert inputs["workloadIdentityConfig"] == {"workloadPool": "acme.svc.id.goog"}
    assert inputs["addonsConfig"]["gcsFuseCsiDriverConfig"] == {"enabled": True}
    assert inputs["monitoringConfig"]["managedPrometheus"] == {"enabled": True}
    assert inputs["releaseChannel"] == {"channel": "REGULAR"}


def test_system_pods_find_nodes_without_a_taint() -> None:
    system = cluster().one("gcp:container/nodePool:NodePool").inputs
    assert "taints" not in system["nodeConfig"]
    assert system["autoscaling"]["totalMinNodeCount"] == 1


@pytest.mark.parametrize("gated", [True, False])
def test_the_secret_manager_add_on_is_there_for_gated_models_only(gated: bool) -> None:
    inputs = build_cluster(gated=gated).one("gcp:container/cluster:Cluster").inputs
    assert inputs.get("secretManagerConfig") == ({"enabled": True} if gated else None)


def test_gke_upgrades_in_the_window_that_was_asked_for_only() -> None:
    window = MaintenancePlan(start_time="s", end_time="e", recurrence="r")
    inputs = build_cluster(maintenance=window).one("gcp:container/cluster:Cluster").inputs
    told = {"startTime": "s", "endTime": "e", "recurrence": "r"}
    assert inputs["maintenancePolicy"] == {"recurringWindow": told}
    assert "maintenancePolicy" not in cluster().one("gcp:container/cluster:Cluster").inputs


def test_registered_outputs_are_the_documented_ones() -> None:
    found, _ = cluster().component("hubstack:cluster:Cluster")
    assert set(cluster().outputs[found.urn]) == {"name"}
    found, _ = network().component("hubstack:network:Network")
    assert set(network().outputs[found.urn]) == {"network_id", "subnet_id"}
