# SPDX-License-Identifier: Apache-2.0
"""Figures that a plan believes are not changed unseen: prices, quotas, the description of a cluster."""

import json
from pathlib import Path
from typing import Any

import pytest

from hubstack.review.diff.change import compare
from hubstack.review.diff.gates import tripped
from hubstack.review.diff.guards import read_guards
from hubstack.review.diff.render import report
from hubstack.review.diff.state import State, Versions
from tests.bad_input.runner import base_project

OWN = "as_of: 2026-11-01\nprices:\n- {item: gke-cluster, price: 0.1}\n- {machine: g2-standard-4, on-demand: 0.7}\n"
PRICES = """\
format: 1
as_of: 2026-11-30
exchange: {currency: EUR, per_usd: 0.9, as_of: 2026-11-30}
skus:
  AAAA-BBBB-CCCC: {what: L4, unit: h, usd: 0.5}
items: {g2-standard-4: {us-central1: {on-demand: {AAAA-BBBB-CCCC: 1.0}}}}
"""
QUOTA = """\
format: 1
as_of: 2026-11-30
project: p
quota: {us-central1: {l4: {on-demand: 8}}}
all_regions: 16
reservations: {r1: {zone: us-central1-a, machine_type: g2-standard-4, count: 2, in_use: 0}}
zones: {us-central1-a: [g2-standard-4]}
"""
CLUSTER = {
    "name": "platform",
    "location": "us-central1",
    "currentMasterVersion": "1.36.3-gke.100",
    "endpoint": "10.0.0.2",
    "masterAuth": {"clusterCaCertificate": "b3Vycw=="},
    "networkConfig": {"datapathProvider": "ADVANCED_DATAPATH"},
    "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"endpoint": "gke-1.us-central1.gke.goog"}},
}
NAMES = {"prices.yaml": OWN, "dev.prices.yaml": PRICES, "dev.quota.yaml": QUOTA, "c.json": json.dumps(CLUSTER)}


def guards(folder: Path, files: dict[str, str]) -> dict[str, Any]:
    folder.mkdir()
    base_project(folder)
    config = folder / "stacks" / "Pulumi.dev.yaml"
    if "c.json" in files:
        named = '{"name":"platform","location":"us-central1","facts":"stacks/c.json"}'
        config.write_text(f"{config.read_text()}  hubstack:cluster: '{named}'\n")
    for name, text in files.items():
        (folder / "stacks" / name).write_text(text)
    found = read_guards("dev", folder)
    assert found is not None
    return json.loads(json.dumps(found))


def decided(folder: Path, before: dict[str, str], after: dict[str, str]) -> str:
    """Return what is said, after checking that the first lines and the gate say it too."""
    plan: dict[str, Any] = {"models": [], "pools": [], "target": {}, "cost": {}}
    sides = [
        State(name="x", plan=plan, graph={"resources": []}, guards=guards(folder / name, files))
        for name, files in (("base", before), ("head", after))
    ]
    change = compare("dev", Versions(base=sides[0], head=sides[1]))
    if change.weaker:
        assert report(change).verdict.startswith("DECIDE")
        assert tripped(change, ("protection",))
    return "\n".join(f"{each.subject}: {each.text}" for each in change.weaker)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("prices.yaml", "price: 0.1", "price: 0.001", "own prices: `prices[0].price`: 0.1 -> 0.001"),
        ("prices.yaml", "on-demand: 0.7", "on-demand: 0.2", "`prices[1].on-demand`: 0.7 -> 0.2"),
        ("prices.yaml", "as_of: 2026-11-01", "as_of: 2026-11-01\ndiscounts:\n- {percent: 90}", "90"),
        ("dev.prices.yaml", "usd: 0.5", "usd: 0.05", "`skus.AAAA-BBBB-CCCC.usd`: 0.5 -> 0.05"),
        ("dev.prices.yaml", "CCCC: 1.0", "CCCC: 0.1", "1.0 -> 0.1"),
        ("dev.prices.yaml", "per_usd: 0.9", "per_usd: 0.01", "0.9 -> 0.01"),
        ("dev.quota.yaml", "on-demand: 8", "on-demand: 800", "`quota.us-central1.l4.on-demand`: 8 -> 800"),
        ("dev.quota.yaml", "{l4: {on-demand: 8}}", "{}", "8 -> none"),
        ("dev.quota.yaml", "all_regions: 16\n", "", "`all_regions`: 16 -> none"),
        ("dev.quota.yaml", "count: 2", "count: 200", "`reservations.r1.count`: 2 -> 200"),
        ("c.json", "10.0.0.2", "6.6.6.6", "10.0.0.2/32 -> 6.6.6.6/32"),
        ("c.json", "b3Vycw==", "bWluZQ==", "`certificate`: b3Vycw== -> bWluZQ=="),
        ("c.json", "gke-1.us", "evil.us", "`dns_host`"),
        ("c.json", "ADVANCED_DATAPATH", "LEGACY_DATAPATH", "`features`"),
    ],
)
def test_a_figure_that_hides_something_is_decided(tmp_path: Path, name: str, old: str, new: str, said: str) -> None:
    assert old in NAMES[name]
    found = decided(tmp_path, {name: NAMES[name]}, {name: NAMES[name].replace(old, new)})
    assert said.replace("`", "") in found.replace("`", "").replace('"', "")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("dev.prices.yaml", "2026-11-30", "2026-12-01"),
        ("dev.prices.yaml", "usd: 0.5", "usd: 0.48"),
        ("dev.prices.yaml", "usd: 0.5", "usd: 0.9"),
        ("dev.quota.yaml", "on-demand: 8", "on-demand: 4"),
        ("dev.quota.yaml", "in_use: 0", "in_use: 2"),
        ("c.json", "1.36.3-gke.100", "1.36.4-gke.1"),
    ],
)
def test_what_every_refresh_changes_needs_no_decision(tmp_path: Path, name: str, old: str, new: str) -> None:
    assert decided(tmp_path, {name: NAMES[name]}, {name: NAMES[name].replace(old, new)}) == ""


@pytest.mark.parametrize("name", ["prices.yaml", "dev.prices.yaml", "c.json"])
def test_a_file_that_comes_with_the_pull_request_is_decided(tmp_path: Path, name: str) -> None:
    assert "a new file" in decided(tmp_path, {}, {name: NAMES[name]})


@pytest.mark.parametrize("name", ["prices.yaml", "dev.prices.yaml", "dev.quota.yaml", "c.json"])
def test_a_file_that_goes_is_decided(tmp_path: Path, name: str) -> None:
    assert decided(tmp_path, {name: NAMES[name]}, {})
