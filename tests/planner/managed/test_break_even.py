# SPDX-License-Identifier: Apache-2.0
"""Where Cloud Run and GKE cost the same: figures by hand from the sourced rates, and what holds for all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstack.kinds import PlatformKind
from hubstack.planner.managed.break_even import break_even, sentence, summary_sentence
from tests.support.facts import ask, hub, plan, plan_one, target

HOURS = 730
RATES = st.floats(0.05, 50, allow_nan=False)
FEES = st.floats(0, 500, allow_nan=False)
L4_HOUR = (0.0001867 + 4 * 0.000018 + 16 * 0.000002) * 3600
"""run-sku: an L4 without zonal redundancy, 4 vCPU, 16 GiB."""
G2_STANDARD_4, FEE = 0.70683, 73.0


def test_an_l4_against_a_g2_standard_4_by_hand() -> None:
    assert pytest.approx(1.04652) == L4_HOUR
    found = break_even(L4_HOUR, G2_STANDARD_4, FEE, HOURS)
    assert found.always_on_hours == pytest.approx((0.70683 * 730 + 73) / 1.04652)
    assert found.always_on_hours == pytest.approx(562.8, abs=0.1)
    assert found.scale_to_zero_hours == pytest.approx(73 / 0.33969)
    assert found.scale_to_zero_hours == pytest.approx(214.9, abs=0.1)


def test_without_a_fee_stopped_nodes_win_from_the_first_hour() -> None:
    found = break_even(L4_HOUR, G2_STANDARD_4, 0, HOURS)
    assert found.scale_to_zero_hours == 0
    assert found.always_on_hours == pytest.approx(493.0, abs=0.1)
    assert "cost less from the first hour" in sentence(found, "a node", HOURS)


def test_where_gkes_hour_costs_no_less_cloud_run_always_wins() -> None:
    rtx = (0.00036522 + 20 * 0.000018 + 80 * 0.000002) * 3600
    found = break_even(rtx, 4.49993, FEE, HOURS)
    assert (found.always_on_hours, found.scale_to_zero_hours) == (None, None)
    text = sentence(found, "1 x rtx-pro-6000", HOURS)
    assert text.count("never cost less") == 2
    assert summary_sentence(found) == "never (always on), never (scaled to zero when idle)"


@given(RATES, RATES, FEES)
def test_at_the_break_even_both_cost_the_same_to_the_cent(run: float, node: float, fixed: float) -> None:
    found = break_even(run, node, fixed, HOURS)
    if found.always_on_hours is not None:
        assert run * found.always_on_hours == pytest.approx(node * HOURS + fixed, abs=0.005)
    if found.scale_to_zero_hours is not None:
        hours = found.scale_to_zero_hours
        assert run * hours == pytest.approx(node * hours + fixed, abs=0.005)


@given(RATES, RATES, FEES, st.floats(0, HOURS))
def test_before_it_cloud_run_is_no_dearer_and_after_it_no_cheaper(
    run: float, node: float, fixed: float, hours: float
) -> None:
    found = break_even(run, node, fixed, HOURS)
    for turn, gke in (
        (found.always_on_hours, node * HOURS + fixed),
        (found.scale_to_zero_hours, node * hours + fixed),
    ):
        if turn is None or hours <= turn:
            assert run * hours <= gke + 1e-6
        else:
            assert run * hours >= gke - 1e-6


@given(RATES, RATES, FEES, st.floats(1.01, 3))
def test_a_dearer_gke_moves_it_later_and_a_dearer_cloud_run_earlier(
    run: float, node: float, fixed: float, factor: float
) -> None:
    def hours(*rates: float) -> tuple[float, float]:
        found = break_even(*rates, HOURS)
        pair = (found.always_on_hours, found.scale_to_zero_hours)
        return tuple(float("inf") if each is None else each for each in pair)

    before = hours(run, node, fixed)
    later, earlier = hours(run, node * factor, fixed), hours(run * factor, node, fixed)
    for at in (0, 1):
        assert later[at] >= before[at] >= earlier[at]


def test_the_plan_of_a_cloud_run_model_carries_the_arithmetic() -> None:
    model = plan_one(hub("Qwen/Qwen3-4B-Instruct-2507"), platform=PlatformKind.CLOUD_RUN, replicas={"min": 0})
    (reason,) = [reason for reason in model.reasons if reason.topic == "break-even"]
    assert "697 busy hours a month: (0.7068 x 730 + 213.54) / 1.0465" in reason.text
    assert "629 busy hours a month: 213.54 / (1.0465 - 0.7068)" in reason.text
    assert reason.source == "run-sku, karpenter-0803"


def test_in_a_stack_with_a_cluster_its_fee_is_due_anyway() -> None:
    light = ask("Qwen/Qwen3-4B-Instruct-2507", platform=PlatformKind.CLOUD_RUN, replicas={"min": 0})
    decided = plan((hub("Qwen/Qwen3-4B-Instruct-2507"), light), hub("Qwen/Qwen3-8B"))
    said = {model.key: {reason.topic: reason.text for reason in model.reasons} for model in decided.models}
    assert "the cluster exists anyway" in said["qwen3-4b-instruct-2507"]["break-even"]
    assert "73.00" not in said["qwen3-4b-instruct-2507"]["break-even"]


def test_a_gke_model_that_would_fit_says_so_and_one_that_would_not_does_not() -> None:
    small, large = plan_one(hub("Qwen/Qwen3-4B-Instruct-2507")), plan_one(hub("Qwen/Qwen2.5-72B-Instruct"))
    (reason,) = [reason for reason in small.reasons if reason.topic == "cloud-run"]
    assert "GKE would cost less from 697 busy hours (always on), from 629 busy hours (scaled" in reason.text
    assert "cloud-run" not in [reason.topic for reason in large.reasons]


def test_without_a_rate_of_the_region_it_is_unknown() -> None:
    there = target(region="europe-west4")
    model = plan_one(
        hub("Qwen/Qwen3-4B-Instruct-2507"), there, platform=PlatformKind.CLOUD_RUN, replicas={"min": 0}
    )
    said = {reason.topic: reason.text for reason in model.reasons}
    assert said["break-even"] == "unknown: the catalogue has no price for Cloud Run in this region"
