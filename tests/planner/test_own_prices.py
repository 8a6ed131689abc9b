# SPDX-License-Identifier: Apache-2.0
"""Prices, discounts and commitments of a user's own, in placement and in the bill."""

from pathlib import Path

import pytest

from hubstack.catalog import Catalog
from hubstack.files.errors import InputError
from hubstack.inputs.own_prices import OwnPrices, load_own_prices
from hubstack.inputs.refreshed import RefreshedPrices
from hubstack.kinds import CapacityKind
from hubstack.plan import Plan
from hubstack.planner.own_prices import exchange_rate, own_catalog
from tests.support.facts import ask, catalog, llama, plan, steps, target

REFRESHED = RefreshedPrices.model_validate(
    {
        "format": 1,
        "as_of": "2026-11-30",
        "exchange": {"currency": "EUR", "per_usd": 0.8, "as_of": "2026-11-29"},
        "skus": {
            "AAAA-0000-0001": {"what": "G2 Instance Core running in Americas", "unit": "h", "usd": 0.025},
            "AAAA-0000-0002": {"what": "G2 Instance Ram running in Americas", "unit": "GiBy.h", "usd": 0.003},
            "AAAA-0000-0003": {"what": "Nvidia L4 GPU running in Americas", "unit": "h", "usd": 0.56},
        },
        "items": {
            "g2-standard-4": {
                "us-central1": {"on-demand": {"AAAA-0000-0001": 4, "AAAA-0000-0002": 16, "AAAA-0000-0003": 1}}
            }
        },
    },
    strict=False,
)


def own(tmp_path: Path, text: str) -> OwnPrices:
    path = tmp_path / "prices.yaml"
    path.write_text("as_of: 2026-11-01\n" + text)
    found = load_own_prices(path, "prices.yaml", catalog())
    assert found
    return found


def prices(tmp_path: Path, text: str, refreshed: RefreshedPrices | None = None) -> Catalog:
    return own_catalog(catalog(), own(tmp_path, text), refreshed)


def refused(tmp_path: Path, text: str, refreshed: RefreshedPrices | None = None) -> str:
    with pytest.raises(InputError) as caught:
        prices(tmp_path, text, refreshed)
    return str(caught.value)


def planned(tmp_path: Path, text: str, **asked: object) -> Plan:
    return plan((llama(), ask("acme/llama", **asked)), catalogue=prices(tmp_path, text))


# Prices ---------------------------------------------------------------------------------------------------------


def test_a_price_of_a_machine_replaces_the_catalogue_s_and_says_where_it_stands(tmp_path: Path) -> None:
    used = prices(tmp_path, "prices:\n- {machine: g2-standard-4, on-demand: 0.5}\n")
    price = used.price("g2-standard-4", "europe-west4")
    assert price
    row = price.used(CapacityKind.ON_DEMAND)
    assert row
    assert (row.usd_per_hour, row.source, row.as_of) == (0.5, "your price, prices.yaml:3", "2026-11-01")
    spot = price.used(CapacityKind.SPOT)
    assert spot
    assert spot.source != row.source, "what the file does not price keeps its source"


def test_a_price_of_an_accelerator_counts_for_each_of_a_machine(tmp_path: Path) -> None:
    used = prices(tmp_path, "prices:\n- {accelerator: l4, spot: 0.2, region: us-central1}\n")
    assert [used.prices[name, "us-central1"].spot for name in ("g2-standard-4", "g2-standard-96")] == [0.2, 1.6]
    assert used.prices["g2-standard-4", "us-east1"] == catalog().prices["g2-standard-4", "us-east1"]


def test_a_price_in_another_currency_is_converted_by_the_file_s_rate(tmp_path: Path) -> None:
    text = "currency: EUR\nexchange_rate: 0.8\nprices:\n- {machine: g2-standard-4, on-demand: 0.4}\n"
    assert prices(tmp_path, text).prices["g2-standard-4", "us-central1"].on_demand == 0.5


def test_a_price_in_another_currency_takes_the_rate_that_google_gave(tmp_path: Path) -> None:
    text = "currency: EUR\nprices:\n- {machine: g2-standard-8, on-demand: 0.4}\n"
    assert prices(tmp_path, text, REFRESHED).prices["g2-standard-8", "us-central1"].on_demand == 0.5
    assert "`EUR` has no exchange rate" in refused(tmp_path, text)


def test_a_price_of_a_sku_changes_the_machines_that_it_is_part_of(tmp_path: Path) -> None:
    text = "prices:\n- {sku: AAAA-0000-0003, price: 0.26}\n"
    row = prices(tmp_path, text, REFRESHED).prices["g2-standard-4", "us-central1"]
    assert row.on_demand == pytest.approx(4 * 0.025 + 16 * 0.003 + 0.26)
    assert row.provenance["on_demand"].source == "your price, prices.yaml:3"
    assert "is not among the prices that `hubstack refresh` read" in refused(tmp_path, text)


def test_the_items_of_a_cluster_have_prices_too(tmp_path: Path) -> None:
    text = (
        "prices:\n- {item: nat-gateway, price: 0.01}\n- {item: gke-cluster, price: 0.05}\n"
        "- {machine: e2-standard-4, on-demand: 0.1}\n"
    )
    cost = plan(llama(), catalogue=prices(tmp_path, text)).cost
    lines = {line.what: line for line in cost.lines if line.item == "cluster"}
    assert lines["Cloud NAT"].usd_per_month_max == pytest.approx(7.30)
    assert lines["GKE control plane"].usd_per_month_max == pytest.approx(36.50)
    assert lines["system pool"].usd_per_month_max == pytest.approx(73 + 10)
    assert lines["Cloud NAT"].source == "your price, prices.yaml:3"
    assert "taxes and credits" in cost.not_counted, "discounts are in the figures"


def test_own_prices_decide_the_placement(tmp_path: Path) -> None:
    """An A100 that costs less than an L4 is taken, and the bill says whose price it is."""
    text = "prices:\n- {accelerator: a100-40gb, on-demand: 0.1}\n"
    model = planned(tmp_path, text).models[0]
    assert plan(llama()).models[0].accelerator == "l4"
    assert model.accelerator == "a100-40gb"


# Refreshed prices and discounts -----------------------------------------------------------------------------------


def test_a_refreshed_price_is_the_sum_of_its_skus_and_dated(tmp_path: Path) -> None:
    row = own_catalog(catalog(), None, REFRESHED).prices["g2-standard-4", "us-central1"]
    assert row.on_demand == pytest.approx(4 * 0.025 + 16 * 0.003 + 0.56)
    origin = row.provenance["on_demand"]
    assert (origin.source, origin.as_of) == ("Cloud Billing Catalog", "2026-11-30")
    assert row.spot == catalog().prices["g2-standard-4", "us-central1"].spot, "what was not read stays"


def test_the_first_discount_that_matches_applies_to_the_refreshed_price(tmp_path: Path) -> None:
    text = "discounts:\n- {percent: 50, accelerator: l4, capacity: [on-demand]}\n- {percent: 10}\n"
    used = prices(tmp_path, text, REFRESHED)
    listed, row = own_catalog(catalog(), None, REFRESHED), used.prices["g2-standard-4", "us-central1"]
    before = listed.prices["g2-standard-4", "us-central1"]
    assert before.on_demand
    assert before.spot
    assert row.on_demand == pytest.approx(before.on_demand / 2)
    assert row.spot == pytest.approx(before.spot * 0.9, abs=1e-6)
    assert row.provenance["on_demand"].source == "Cloud Billing Catalog less 50 %, prices.yaml:3"
    assert used.gke_fee().usd_per_cluster_hour == pytest.approx(0.09), "what is no machine has the general discount"


def test_a_discount_never_applies_to_a_price_of_your_own(tmp_path: Path) -> None:
    text = "discounts:\n- {percent: 50}\nprices:\n- {machine: g2-standard-4, on-demand: 0.5}\n"
    assert prices(tmp_path, text).prices["g2-standard-4", "us-central1"].on_demand == 0.5


# Commitments ------------------------------------------------------------------------------------------------------

HELD = "commitments:\n- {accelerator: l4, count: 4, term: 1y, region: us-central1, price: 0.3}\n"


def test_a_commitment_is_paid_all_month_and_takes_off_what_it_covers(tmp_path: Path) -> None:
    cost = planned(tmp_path, HELD, replicas={"min": 0, "max": 3}).cost
    (line,) = [line for line in cost.lines if line.what.startswith("commitment")]
    hourly = catalog().prices["g2-standard-4", "us-central1"].on_demand
    assert hourly
    assert line.usd_per_month_min == pytest.approx(4 * 0.3 * 730)
    assert line.usd_per_month_max == pytest.approx((4 * 0.3 - 3 * hourly) * 730, abs=0.02)
    assert line.source == "your price, prices.yaml:3"


def test_committed_accelerators_that_nothing_uses_are_a_warning(tmp_path: Path) -> None:
    warned = planned(tmp_path, HELD, replicas={"min": 0, "max": 3}).warnings
    assert any("3 of 4 committed l4 are used" in warning for warning in warned)
    assert not any("committed" in each for each in planned(tmp_path, HELD, replicas={"min": 0, "max": 4}).warnings)


def test_a_commitment_covers_no_spot_nodes(tmp_path: Path) -> None:
    cost = planned(tmp_path, HELD, accelerator="l4", capacity=steps("spot")).cost
    (line,) = [line for line in cost.lines if line.what.startswith("commitment")]
    assert line.usd_per_month_max == pytest.approx(4 * 0.3 * 730)


def test_placement_prefers_an_accelerator_that_is_committed(tmp_path: Path) -> None:
    text = "commitments:\n- {accelerator: a100-40gb, count: 8, term: 3y, region: us-central1, price: 0.2}\n"
    assert planned(tmp_path, text).models[0].accelerator == "a100-40gb"


def test_a_commitment_lowers_the_cost_of_a_million_tokens(tmp_path: Path) -> None:
    costs = [
        model.performance.cost.usd_per_million_input_tokens.value
        for model in (plan(llama()).models[0], planned(tmp_path, HELD).models[0])
        if model.performance and model.performance.cost
    ]
    assert costs[1] / costs[0] == pytest.approx(0.3 / 0.70683, rel=1e-2)


def test_a_commitment_without_a_price_has_that_of_its_term(tmp_path: Path) -> None:
    (held,) = prices(tmp_path, HELD.replace(", price: 0.3", "")).commitments
    assert held.usd_per_hour == pytest.approx(0.4453)
    unknown = "commitments:\n- {accelerator: b200, count: 8, term: 1y, region: us-central1}\n"
    assert "no source gives the price of a 1y commitment of b200 in us-central1" in refused(tmp_path, unknown)


# Currency ---------------------------------------------------------------------------------------------------------


def test_a_budget_is_in_the_account_s_currency(tmp_path: Path) -> None:
    rate = exchange_rate("EUR", None, REFRESHED)
    assert rate
    where = target(budget_per_month=800.0, currency="EUR", exchange_rate=rate)
    cost = plan(llama(), where=where).cost
    assert cost.budget_usd_per_month == 1000
    assert cost.exchange_rate == rate
    assert exchange_rate("GBP", None, REFRESHED) is None
