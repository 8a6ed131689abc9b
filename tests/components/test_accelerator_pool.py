# SPDX-License-Identifier: Apache-2.0
"""Node pools of accelerators, bought in each way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi_hubstack.accelerator_pool import AcceleratorPool, AcceleratorPoolArgs

from hubstack.catalog import load_catalog
from hubstack.kinds import CapacityKind, GpuDriver
from hubstack.plan import PoolPlan
from tests.components.recorder import Registered, record
from tests.support.plans import L4_ON_DEMAND, L4_SPOT, POOLS, RESERVED, TPU_SPOT

FACTS = Path(__file__).resolve().parents[2] / "hubstack" / "review" / "diff" / "replacement_google.yaml"


def build(pool: PoolPlan) -> Registered:
    def program() -> None:
        args = AcceleratorPoolArgs(pool=pool, cluster_id="c", region="us-central1", node_account_email="n@acme")
        AcceleratorPool(pool.key, args)

    return record(program).one("gcp:container/nodePool:NodePool")


def node(pool: PoolPlan) -> dict[str, Any]:
    return build(pool).inputs["nodeConfig"]


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.key)
def test_a_pool_starts_empty_and_the_autoscaler_keeps_its_count(pool: PoolPlan) -> None:
    found = build(pool)
    assert found.inputs["initialNodeCount"] == 0, "a stock-out while creating blocks the whole cluster"
    assert "nodeCount" not in found.inputs
    assert found.request.ignoreChanges[0] == "initialNodeCount"
    assert found.inputs["autoscaling"] == {
        "totalMinNodeCount": 0,
        "totalMaxNodeCount": 3,
        "locationPolicy": "ANY",
    }


@pytest.mark.parametrize(
    ("machine", "disks"),
    [
        ("a2-ultragpu-2g", 2),
        ("a3-highgpu-1g", 2),
        ("a3-megagpu-8g", 16),
        ("a4-highgpu-8g", 32),
        ("g2-standard-4", 0),
    ],
)
def test_bundled_disks_are_declared_as_gke_will_fill_them_in(machine: str, disks: int) -> None:
    """Left out, the next `up` replaces the pool (terraform-provider-google#17068); 375 GiB each."""
    made = replace(POOLS[0], machine_type=machine, local_ssds=load_catalog().machine_types[machine].local_ssds)
    said = node(made).get("ephemeralStorageLocalSsdConfig")
    assert said == ({"localSsdCount": disks} if disks else None)


ONLY_BY_REQUEST = {
    "bootDiskKmsKey",
    "confidentialNodes",
    "enableConfidentialStorage",
    "metadata",
    "minCpuPlatform",
    "nodeGroup",
    "preemptible",
    "sandboxConfig",
    "secondaryBootDisks",
    "soleTenantConfig",
}
"""Fields that a pool may leave out: GKE sets none of them by itself, or the provider takes its value (metadata)."""


def test_what_gke_fills_in_replaces_no_pool() -> None:
    facts = yaml.safe_load(FACTS.read_text())
    replacing = facts["types"]["gcp:container/nodePool:NodePool"]["replaced_by"]
    fields = {path.split(".")[1] for path in replacing if path.startswith("nodeConfig.")}
    ignored = {path.removeprefix("nodeConfig.") for path in build(POOLS[0]).request.ignoreChanges}
    declared = set.intersection(*(set(node(pool)) for pool in POOLS))
    by_capacity = {
        "flexStart",
        "guestAccelerators",
        "spot",
    }  # unset where a pool buys another, and then not filled in
    assert fields - declared - by_capacity - ONLY_BY_REQUEST <= ignored, "each `up` would replace the pool"
    assert {"ephemeralStorageLocalSsdConfig", "localSsdCount", "maxRunDuration"} <= ignored


def test_a_shared_reservation_is_named_by_its_path() -> None:
    path = "projects/acme-central/reservations/team-a"
    made = replace(POOLS[0], capacity=CapacityKind.RESERVATION, reservation=path)
    assert node(made)["reservationAffinity"]["values"] == [path]


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.key)
def test_only_our_own_taint_is_declared(pool: PoolPlan) -> None:
    taint = {"key": "cloud.google.com/compute-class", "value": pool.capacity_class, "effect": "NO_SCHEDULE"}
    assert node(pool)["taints"] == [taint], "GKE's own taints, declared too, differ for ever"
    assert node(pool)["labels"] == {"cloud.google.com/compute-class": pool.capacity_class}


def test_a_gpu_pool_names_its_driver() -> None:
    assert node(L4_SPOT)["guestAccelerators"] == [
        {"type": "nvidia-l4", "count": 1, "gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"}}
    ]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (GpuDriver.LATEST, "LATEST"),
        (GpuDriver.DEFAULT, "DEFAULT"),
        (GpuDriver.DISABLED, "INSTALLATION_DISABLED"),
    ],
)
def test_a_pool_gets_the_driver_that_was_asked_for(asked: GpuDriver, said: str) -> None:
    (cards,) = node(replace(L4_SPOT, gpu_driver=asked))["guestAccelerators"]
    assert cards["gpuDriverInstallationConfig"] == {"gpuDriverVersion": said}


def test_a_single_host_tpu_pool_has_neither_accelerators_nor_placement() -> None:
    assert "guestAccelerators" not in node(TPU_SPOT)
    assert "placementPolicy" not in build(TPU_SPOT).inputs


@pytest.mark.parametrize(
    ("pool", "spot", "affinity"),
    [
        (L4_SPOT, True, {"consumeReservationType": "NO_RESERVATION"}),
        (L4_ON_DEMAND, None, {"consumeReservationType": "NO_RESERVATION"}),
        (
            RESERVED,
            None,
            {
                "consumeReservationType": "SPECIFIC_RESERVATION",
                "key": "compute.googleapis.com/reservation-name",
                "values": ["team-a"],
            },
        ),
    ],
)
def test_nodes_are_bought_as_planned(pool: PoolPlan, spot: object, affinity: dict[str, Any]) -> None:
    assert node(pool).get("spot") == spot
    assert node(pool)["reservationAffinity"] == affinity
    assert "flexStart" not in node(pool)


def test_flex_start_is_neither_spot_nor_repaired_nor_reserved() -> None:
    flex = build(replace(L4_SPOT, capacity=CapacityKind.FLEX_START))
    assert flex.inputs["nodeConfig"]["flexStart"] is True
    assert "spot" not in flex.inputs["nodeConfig"]
    assert flex.inputs["management"]["autoRepair"] is False
    assert flex.inputs["nodeConfig"]["reservationAffinity"] == {"consumeReservationType": "NO_RESERVATION"}
    assert "upgradeSettings" not in flex.inputs


def test_flex_start_tpus_are_bounded_in_each_zone() -> None:
    flex = build(replace(TPU_SPOT, capacity=CapacityKind.FLEX_START))
    assert flex.inputs["autoscaling"] == {"minNodeCount": 0, "maxNodeCount": 3, "locationPolicy": "ANY"}


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.key)
def test_an_upgrade_needs_no_second_accelerator(pool: PoolPlan) -> None:
    assert build(pool).inputs["upgradeSettings"] == {"strategy": "SURGE", "maxSurge": 0, "maxUnavailable": 1}


def test_the_name_stays_within_gkes_limit_and_two_long_keys_differ() -> None:
    keys = [f"a3-ultragpu-8g-reservation-in-a-long-class-{tail}" for tail in ("one", "two")]
    found = [build(replace(RESERVED, key=key)).inputs["name"] for key in keys]
    assert all(len(name) <= 40 for name in found)
    assert found[0] != found[1]


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.key)
def test_nodes_have_an_identity_of_their_own_and_hide_the_hosts(pool: PoolPlan) -> None:
    assert node(pool)["serviceAccount"] == "n@acme"
    assert node(pool)["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}
    assert node(pool)["shieldedInstanceConfig"]["enableSecureBoot"] is True


def test_a_stuck_create_ends_in_minutes_not_hours() -> None:
    assert build(L4_SPOT).request.customTimeouts.create == "45m"


def test_a_shared_card_has_as_many_clients_as_it_has_parts() -> None:
    (gpu,) = node(replace(L4_SPOT, servers_per_accelerator=4))["guestAccelerators"]
    assert gpu["gpuSharingConfig"] == {"gpuSharingStrategy": "TIME_SHARING", "maxSharedClientsPerGpu": 4}


def test_a_multi_host_slice_is_placed_by_its_topology() -> None:
    """COMPACT and the topology, and no more nodes than the slice has."""
    made = build(replace(TPU_SPOT, nodes_per_slice=2, tpu_topology="2x4", max_nodes=2))
    assert made.inputs["placementPolicy"] == {"type": "COMPACT", "tpuTopology": "2x4"}
    assert made.inputs["autoscaling"]["totalMaxNodeCount"] == 2


def test_a_node_of_a_slice_has_the_room_for_pods_that_gke_takes_there() -> None:
    whole = replace(TPU_SPOT, tpu_topology="4x4", nodes_per_slice=4, max_nodes=4)
    assert build(whole).inputs["maxPodsPerNode"] == 15
    assert build(whole).inputs["placementPolicy"] == {"type": "COMPACT", "tpuTopology": "4x4"}
    assert build(whole).inputs["autoscaling"]["totalMaxNodeCount"] == 4
    assert build(TPU_SPOT).inputs["maxPodsPerNode"] == 32
