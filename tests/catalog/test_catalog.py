# SPDX-License-Identifier: Apache-2.0
"""What planning may ask the catalogue, against figures written here by hand from the sources."""

import time
from pathlib import Path

import pytest

import hubstack.catalog
from hubstack.catalog import load_catalog, read_catalog
from hubstack.catalog.engine_arguments import FILE as RULES
from hubstack.catalog.loader import FILES
from hubstack.kinds import AcceleratorKind, CapacityKind

DATA = Path(hubstack.catalog.__file__).parent
GIB = 2**30
ASKED_FOR = {
    "t4",
    "l4",
    "a100-40gb",
    "a100-80gb",
    "h100-80gb",
    "h200-141gb",
    "b200",
    "rtx-pro-6000",
    "v5e",
    "v5p",
    "v6e",
    "tpu7x",
}


@pytest.fixture(scope="module")
def catalog():
    return load_catalog()


def test_every_accelerator_that_was_asked_for_can_be_planned_with(catalog):
    planable = {row.accelerator for row in catalog.machine_types.values() if any(catalog.regions(row.name))}
    priced = {catalog.machine_types[machine_type].accelerator for machine_type, _ in catalog.prices}
    assert planable & priced >= ASKED_FOR


def test_every_yaml_file_of_the_room_is_read():
    of_others = {RULES.stem}
    assert {path.stem for path in DATA.glob("*.yaml")} == set(FILES) | of_others


def test_the_catalogue_is_read_once(catalog):
    assert load_catalog() is catalog


def test_reading_stays_within_its_budget():
    seconds = []
    for _ in range(5):
        start = time.process_time()
        read_catalog(DATA)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.15


@pytest.mark.parametrize(
    ("word", "accelerator"),
    [
        ("l4", "l4"),
        ("nvidia-l4", "l4"),
        ("NVIDIA-L4", "l4"),
        ("nvidia-tesla-t4", "t4"),
        ("nvidia-h100-80gb", "h100-80gb"),
        ("v6e", "v6e"),
        ("tpu-v6e", "v6e"),
        ("tpu-v6e-slice", "v6e"),
        ("tpu-v5e", "v5e"),
        ("tpu-v5-lite-podslice", "v5e"),
        ("tpu7x", "tpu7x"),
    ],
)
def test_an_accelerator_answers_to_its_id_its_gke_label_and_its_tpu_word(catalog, word, accelerator):
    assert catalog.accelerator(word).id == accelerator


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("h200", "h200-141gb"),
        ("H100", "h100-80gb h100-mega-80gb"),
        ("h100-80g", "h100-80gb h100-mega-80gb"),
        ("NVIDIA H200", "h200-141gb"),
        ("nvidia-a100", "a100-40gb a100-80gb"),
        ("nvidia-t4", "t4"),
        ("tesla-t4", "t4"),
        ("l-4", "l4"),
        ("rtx pro", "rtx-pro-6000"),
        ("rtx6000", "rtx-pro-6000"),
        ("rtxpro-6000", "rtx-pro-6000"),
        ("tpu-v6", "v6e"),
        ("v5", "v5e v5p"),
        ("v5litepod-8", "v5e"),
        ("v6e-8", "v6e"),
        ("8xh200", "h200-141gb"),
        ("h200x8", "h200-141gb"),
        ("tpu", "v5e v5p v6e tpu7x"),
        ("trillium", "v6e"),
        ("Ironwood", "tpu7x"),
    ],
)
def test_an_unknown_word_means_the_accelerators_whose_names_it_is_a_part_of(catalog, word, meant):
    assert catalog.accelerator(word) is None
    assert " ".join(catalog.accelerators_meant(word)) == meant


@pytest.mark.parametrize(
    "word", ["l40s", "L40", "nvidia-l40s", "a10", "a10g", "h20", "h800", "p100", "mi300x", "cpu", "v7"]
)
def test_a_product_that_google_does_not_sell_means_no_accelerator_that_is_spelled_alike(catalog, word):
    assert catalog.accelerators_meant(word) == ()


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("g2", "l4"),
        ("g4", "rtx-pro-6000"),
        ("g2-standard-8", "l4"),
        ("a3-ultragpu-8g", "h200-141gb"),
        ("a3", "h100-80gb h100-mega-80gb h200-141gb"),
        ("ct6e-standard-4t", "v6e"),
    ],
)
def test_a_machine_type_or_its_series_means_its_accelerators(catalog, word, meant):
    assert " ".join(catalog.accelerators_meant(word)) == meant


def test_only_accelerators_of_the_kind_that_is_asked_for_are_meant(catalog):
    assert catalog.accelerators_meant("v6", AcceleratorKind.GPU) == ()


@pytest.mark.parametrize(
    ("accelerator", "visible_gib"),
    [
        ("t4", 14.74),
        ("l4", 22.03),
        ("h100-80gb", 79.18),
        ("h200-141gb", 139.81),
        ("rtx-pro-6000", 94.97),
        ("v6e", 31.24),
    ],
)
def test_visible_memory_is_what_engines_logged_and_not_the_marketing_figure(catalog, accelerator, visible_gib):
    row = catalog.accelerator(accelerator)
    assert row.memory_bytes_visible == int(visible_gib * GIB)
    assert row.memory_visible_source == "serving-logs"


def test_a_tpu7x_chip_is_two_devices_with_half_its_memory_each(catalog):
    row = catalog.accelerator("tpu7x")
    assert (row.devices_per_chip, row.memory_bytes_visible) == (2, int(94.75 * GIB))
    assert all(other.devices_per_chip == 1 for other in catalog.accelerators.values() if other is not row)


# Published results of the node sizing formula (mCPU, GiB), before DaemonSets.
@pytest.mark.parametrize(
    ("machine_type", "millicores", "gib"),
    [
        ("g2-standard-4", 3920, 12.9),
        ("g2-standard-48", 47810, 178),
        ("g4-standard-6", 5915, 18.5),
        ("a2-highgpu-1g", 11900, 76.6),
        ("a2-megagpu-16g", 95690, 1304.4),
        ("a3-highgpu-1g", 25865, 218.5),
        ("a3-highgpu-8g", 207410, 1798.1),
        ("a4-highgpu-8g", 223370, 3819.5),
        ("n1-standard-4+nvidia-tesla-t4x1", 3920, 12.1),
        ("ct5lp-hightpu-8t", 223370, 363.1),
        ("ct5p-hightpu-4t", 207410, 424.9),
        ("ct6e-standard-1t", 43820, 162.6),
        ("tpu7x-standard-4t", 223370, 918.6),
    ],
)
def test_allocatable_follows_the_published_results_less_the_daemonsets(catalog, machine_type, millicores, gib):
    row = catalog.machine_types[machine_type]
    overhead = catalog.node_overhead
    assert overhead.allocatable_cpu_millicores(row.vcpu) == millicores
    assert overhead.allocatable_memory_bytes(row.ram_gb) / GIB == pytest.approx(gib, abs=0.051)
    assert row.allocatable_cpu_millicores == millicores - 850
    assert row.allocatable_memory_bytes / GIB == pytest.approx(gib - 0.6, abs=0.051)


def test_a_gpu_attached_to_n1_keeps_the_machine_type_that_compute_engine_knows(catalog):
    row = catalog.machine_types["n1-standard-4+nvidia-tesla-t4x1"]
    assert (row.gce_machine_type, row.accelerator, row.accelerator_count) == ("n1-standard-4", "t4", 1)
    assert catalog.machine_types["g2-standard-4"].gce_machine_type == "g2-standard-4"


@pytest.mark.parametrize(
    ("machine_type", "sold_as"),
    [
        ("g2-standard-4", {"on-demand", "spot", "flex-start", "reservation"}),
        ("a3-highgpu-1g", {"spot", "flex-start"}),
        ("a3-highgpu-8g", {"on-demand", "spot", "flex-start", "reservation"}),
        ("a4x-highgpu-4g", {"reservation"}),
        ("tpu7x-standard-4t", {"on-demand", "flex-start", "reservation"}),
    ],
)
def test_a_machine_is_sold_only_as_a_source_says(catalog, machine_type, sold_as):
    row = catalog.machine_types[machine_type]
    assert {kind.value for kind in CapacityKind if row.is_sold_as(kind)} == sold_as


def test_eight_chips_of_v6e_are_one_node_or_two(catalog):
    eight = [row for row in catalog.tpu_topologies_of("v6e") if row.chips == 8]
    assert [(row.machine_type, row.is_multi_host) for row in eight] == [
        ("ct6e-standard-8t", False),
        ("ct6e-standard-4t", True),
    ]


def test_a_price_carries_the_source_and_date_of_each_figure(catalog):
    price = catalog.price("g2-standard-12", "us-central1")
    assert (price.on_demand, price.spot, price.cud_1y, price.cud_3y) == (1.00042, 0.60007, 0.63026, 0.45019)
    assert (price.source, price.as_of) == ("karpenter-0803", "2026-08-03")
    assert (price.provenance["spot"].source, price.provenance["spot"].as_of) == (
        "cyclenerd-0820",
        "2026-08-20",
    )
    assert price.unverified == frozenset()


def test_a_figure_that_no_source_gives_is_none(catalog):
    price = catalog.price("a4-highgpu-8g", "us-central1")
    assert (price.on_demand, price.cud_1y, price.cud_3y) == (None, None, None)
    assert price.flex_start == 64.44
    assert catalog.price("a4x-highgpu-4g", "us-central1") is None
    assert catalog.price("g2-standard-4", "us-east5") is None


def test_a_tpu_machine_costs_its_chips_and_says_so(catalog):
    price = catalog.price("ct6e-standard-8t", "us-central1")
    assert price.on_demand == pytest.approx(8 * 2.7)
    assert price.spot == pytest.approx(8 * 0.59266)
    assert price.provenance["on_demand"].derived == "usd_per_chip_hour of v6e x chips"
    assert price.unverified == {"cud_1y", "cud_3y"}


def test_a_list_price_is_not_used_for_on_demand_but_is_for_a_reservation(catalog):
    price = catalog.price("a3-highgpu-1g", "us-central1")
    assert price.is_list_price
    assert price.on_demand == 11.06125
    assert price.used(CapacityKind.ON_DEMAND) is None
    assert price.used(CapacityKind.RESERVATION).basis == "on-demand list price"


def test_a_price_that_is_used_names_its_basis_source_and_date(catalog):
    used = catalog.price("g2-standard-12", "us-central1").used(CapacityKind.SPOT)
    assert (used.usd_per_hour, used.basis, used.source, used.as_of) == (
        0.60007,
        "spot",
        "cyclenerd-0820",
        "2026-08-20",
    )
    weak = catalog.price("a3-highgpu-8g", "us-central1").used(CapacityKind.FLEX_START)
    assert (weak.usd_per_hour, weak.basis) == (38.32, "flex-start (unverified)")
    assert catalog.price("g2-standard-12", "us-central1").used(CapacityKind.FLEX_START) is None


def test_zones_belong_to_their_region_and_documented_ones_lead_for_tpus(catalog):
    assert catalog.zones("l4", "us-central1") == ("us-central1-a", "us-central1-b", "us-central1-c")
    assert catalog.zones("v6e", "us-central1") == ("us-central1-b",)
    assert catalog.zones("v5e", "us-east1") == ("us-east1-b", "us-east1-c")
    assert catalog.zones("l4", "us-east5") == ()
    assert catalog.zones("abacus", "us-central1") == ()


def test_regions_of_attached_gpus_are_those_of_their_zones(catalog):
    assert "us-central1" in catalog.regions("n1-standard-4+nvidia-tesla-t4x1")
    assert "us-east5" not in catalog.regions("n1-standard-4+nvidia-tesla-t4x1")
    assert catalog.regions("ct5p-hightpu-4t") == tuple(sorted(catalog.regions("ct5p-hightpu-4t")))
    assert catalog.regions("unheard-of") == ()


def test_storage_and_the_cluster_have_prices_and_unknown_regions_have_none(catalog):
    row = catalog.storage_price("gcs_standard", "us-central1")
    assert (row.usd_per_gb_month, row.source, row.as_of) == (0.02, "gcs-pricing", "2026-09-20")
    assert catalog.storage_price("gcs_standard", "mars-west1") is None
    assert catalog.storage_price("rapid_cache", "us-central1") is None
    assert catalog.gke_fee().usd_per_cluster_hour == 0.1


def test_traffic_is_free_only_where_the_source_says_so(catalog):
    free = {kind for kind, row in catalog.network_prices.items() if row.usd_per_gib == 0}
    assert free == {"ingress", "gcs-to-gke-same-region"}


def test_the_age_of_the_prices_can_be_told(catalog):
    assert catalog.price_dates()["storage"] == "2026-09-20"


def test_cloud_run_rates_and_least_instances_are_those_of_the_sources(catalog):
    """An L4 is 0.67212 an hour (run-sku), an RTX PRO 6000 1.31479 (gcp-md), both without zonal redundancy."""
    rates = {
        item: catalog.cloud_run_price(item, "us-central1").usd_per_second * 3600
        for item in ("nvidia-l4", "nvidia-rtx-pro-6000", "vcpu", "memory-gib")
    }
    assert rates == {
        "nvidia-l4": pytest.approx(0.67212),
        "nvidia-rtx-pro-6000": pytest.approx(1.31479, abs=1e-5),
        "vcpu": pytest.approx(0.0648),
        "memory-gib": pytest.approx(0.0072),
    }
    assert catalog.cloud_run_price("nvidia-l4", "europe-west4") is None
    gpus = catalog.cloud_run.gpus
    least = {name: (gpu.shapes[0].vcpu, gpu.shapes[0].memory_gib) for name, gpu in gpus.items()}
    assert least == {"l4": (4, 16), "rtx-pro-6000": (20, 80)}
    assert "us-east4" in gpus["l4"].regions
    assert "us-east4" not in gpus["rtx-pro-6000"].regions
    assert catalog.cloud_run.probe_period_seconds == 240
