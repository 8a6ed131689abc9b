# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from hubstack.inputs.network import NetworkSettings
from hubstack.plan.bill import Cost, CostLine
from hubstack.planner.always_on import HOURS_PER_MONTH, always_on
from tests.support.facts import ask, catalog, hub, llama, plan, steps, target


def lines(cost: Cost, item: str, word: str) -> list[CostLine]:
    return [line for line in cost.lines if line.item == item and word in line.what]


def test_the_bill_is_the_sum_of_its_lines() -> None:
    cost = plan(llama(), hub("Qwen/Qwen3-32B"), hub("Qwen/Qwen3-Embedding-0.6B")).cost
    assert cost.usd_per_month_min == pytest.approx(
        sum(line.usd_per_month_min or 0 for line in cost.lines), abs=0.01
    )
    assert cost.usd_per_month_max == pytest.approx(
        sum(line.usd_per_month_max or 0 for line in cost.lines), abs=0.01
    )
    assert cost.unpriced == ()


def test_a_model_costs_its_replicas_times_the_hours_of_a_month() -> None:
    cost = plan((llama(), ask("acme/llama", replicas={"min": 2, "max": 5}))).cost
    hourly = catalog().price("g2-standard-4", "us-central1").on_demand
    (line,) = lines(cost, "llama", "g2-standard-4")
    assert line.what == "2 to 5 x g2-standard-4"
    assert line.usd_per_month_min == pytest.approx(2 * hourly * HOURS_PER_MONTH, abs=0.01)
    assert line.usd_per_month_max == pytest.approx(5 * hourly * HOURS_PER_MONTH, abs=0.01)


def test_a_model_that_may_stop_costs_nothing_at_least() -> None:
    cost = plan((llama(), ask("acme/llama", replicas={"min": 0}))).cost
    (line,) = lines(cost, "llama", "g2-standard-4")
    assert (line.usd_per_month_min, line.usd_per_month_max > 0) == (0, True)


def test_the_most_is_counted_on_the_dearest_step_and_the_least_on_the_first() -> None:
    row = catalog().price("g2-standard-4", "us-central1")
    (line,) = lines(plan((llama(), ask("acme/llama", capacity=steps("spot", "on-demand")))).cost, "llama", "g2")
    assert line.usd_per_month_min == pytest.approx(row.spot * HOURS_PER_MONTH, abs=0.01)
    assert line.usd_per_month_max == pytest.approx(row.on_demand * HOURS_PER_MONTH, abs=0.01)


def test_a_reservation_is_counted_at_the_list_price() -> None:
    reserved = plan((llama(), ask("acme/llama", capacity=steps("reservation:team-a")))).cost
    assert (
        lines(reserved, "llama", "g2")[0].usd_per_month_max
        == lines(plan(llama()).cost, "llama", "g2")[0].usd_per_month_max
    )


def test_the_bucket_is_counted_by_the_bytes_of_the_weights() -> None:
    (line,) = lines(plan(llama()).cost, "llama", "bucket")
    row = catalog().storage_price("gcs_standard", "us-central1")
    assert line.usd_per_month_max == pytest.approx(1_235_814_400 * 2 / 1e9 * row.usd_per_gb_month, abs=0.01)


def test_the_control_plane_is_counted_once() -> None:
    cost = plan(llama(), hub("Qwen/Qwen3-32B")).cost
    (line,) = lines(cost, "cluster", "control plane")
    assert line.usd_per_month_max == pytest.approx(catalog().gke_fee().usd_per_cluster_hour * HOURS_PER_MONTH)


def test_a_cluster_costs_its_system_node_and_its_nat_when_every_model_is_idle() -> None:
    cost = plan((llama(), ask("acme/llama", replicas={"min": 0}))).cost
    node = catalog().hour_price("e2-standard-4", "us-central1")
    disk = catalog().storage_price("pd-balanced", "us-central1")
    (pool,) = lines(cost, "cluster", "system pool")
    assert pool.usd_per_month_min == pool.usd_per_month_max
    assert pool.usd_per_month_min == pytest.approx(node.usd_per_hour * 730 + 100 * disk.usd_per_gb_month, abs=0.01)
    (nat,) = lines(cost, "cluster", "Cloud NAT")
    assert nat.usd_per_month_min == pytest.approx(32.70, abs=0.01)


def test_boot_disks_count_by_the_nodes_and_only_where_their_type_has_a_price() -> None:
    (disks,) = lines(
        plan((llama(), ask("acme/llama", replicas={"min": 1, "max": 3}))).cost, "cluster", "boot disks"
    )
    assert (disks.usd_per_month_min, disks.usd_per_month_max) == (200 * 0.1, 3 * 200 * 0.1)
    hyperdisk = plan((llama(), ask("acme/llama", accelerator="rtx-pro-6000"))).cost
    assert not lines(hyperdisk, "cluster", "boot disks")
    assert "boot disks of g4-standard-6" in hyperdisk.not_counted


def test_a_network_with_a_nat_of_its_own_pays_for_no_second_one() -> None:
    elsewhere = target(network_settings=NetworkSettings(nat="existing"))
    assert not lines(plan(llama(), where=elsewhere).cost, "cluster", "Cloud NAT")


def test_what_the_cluster_needs_is_named_where_it_has_no_price() -> None:
    bare = replace(catalog(), hour_prices={}, storage_prices={})
    shown, missing = always_on((), (), bare, target())
    assert [line.what for line in shown] == ["GKE control plane"]
    assert missing == ("the system node pool", "the Cloud NAT gateway")


def test_every_price_names_its_source_and_date() -> None:
    for line in plan(llama(), hub("Qwen/Qwen3-32B")).cost.lines:
        assert line.source in catalog().sources, line
        assert line.as_of


def test_what_has_no_price_is_named_and_not_counted_as_nothing() -> None:
    asked = (llama(), ask("acme/llama", accelerator="l4", capacity=steps("on-demand", "flex-start")))
    assert catalog().price("g2-standard-4", "us-central1").flex_start is None
    cost = plan(asked).cost
    (line,) = lines(cost, "llama", "no price for flex-start")
    assert (line.usd_per_month_min, line.usd_per_month_max) == (pytest.approx(0.70683 * 730, abs=0.01), None)
    assert cost.unpriced == (f"llama: {line.what}",)


def test_a_budget_that_cannot_be_checked_in_full_is_a_warning() -> None:
    asked = (llama(), ask("acme/llama", accelerator="l4", capacity=steps("flex-start")))
    warned = plan(asked, where=target(budget_per_month=5000.0)).warnings
    assert any("the budget check omits items without a known price" in warning for warning in warned)
    assert plan(llama(), where=target(budget_per_month=5000.0)).warnings == ()
    assert plan(asked).warnings == (), "without a budget there is nothing to check"


def test_what_the_bill_leaves_out_is_said() -> None:
    said = " ".join(plan(llama()).cost.not_counted)
    assert all(word in said for word in ("egress", "logs", "taxes"))


# Shared nodes ---------------------------------------------------------------------------------------------------


def test_models_that_share_nodes_pay_for_them_to_the_cent() -> None:
    """Three models of one L4 each that share it with others, eight servers on a card: one node for all of them."""
    small = [llama(f"acme/small-{n}", parameters={"BF16": 300_000_000}) for n in range(3)]
    asked = [(facts, ask(facts.id, share_gpu=True, context=2048, concurrency=1)) for facts in small]
    decided = plan(*asked)
    (pool,) = decided.pools
    assert (pool.max_nodes, {m.servers_per_accelerator for m in decided.models}) == (
        1,
        {pool.servers_per_accelerator},
    )
    assert pool.price is not None
    month = round(pool.price.usd_per_hour * HOURS_PER_MONTH, 2)
    paid = [line.usd_per_month_max for line in decided.cost.lines if "of a card" in line.what]
    assert len(paid) == 3
    assert round(sum(usd or 0 for usd in paid), 2) == month
    assert max(paid) - min(paid) <= 0.01


def test_a_class_is_priced_by_its_nodes_idle_busy_and_committed() -> None:
    model = (llama(), ask("acme/llama", replicas={"min": 0, "max": 3}, capacity=steps("spot", "on-demand")))
    (cost,) = plan(model).cost.pools
    row = catalog().price("g2-standard-4", "us-central1")
    assert (cost.nodes_idle, cost.nodes_busy, cost.usd_per_hour_idle) == (0, 3, 0)
    assert cost.usd_per_hour_busy == pytest.approx(3 * row.on_demand)
    assert cost.usd_per_month_committed_1y == pytest.approx(3 * row.cud_1y * HOURS_PER_MONTH, abs=0.01)
    assert cost.accelerator_hours_busy == 3 * HOURS_PER_MONTH


def test_a_commitment_without_a_price_is_not_made_up() -> None:
    (cost,) = plan((hub("Qwen/Qwen3-32B"), ask("Qwen/Qwen3-32B", accelerator="a100-80gb"))).cost.pools
    assert catalog().price("a2-ultragpu-1g", "us-central1").cud_1y is None
    assert cost.usd_per_month_committed_1y is None
