# SPDX-License-Identifier: Apache-2.0
"""policy.yaml as people write it, rightly and wrongly; and that the pack reads it as hubstack does."""

import datetime as dt
import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from settings import read_settings

from hubstack.files.errors import InputError
from hubstack.review.check.policy_file import Policy, load_policy
from hubstack.review.check.policy_schema import Limits, PolicyFile, Waiver
from hubstack.review.check.rules import catalogue, defaults
from tools import reference

PROJECT = Path(__file__).resolve().parents[3]
SHARED = """licenses: [mit]
regions: [us-central1]
levels: {HS019: "off", HS018: warn}
waivers:
  - {rule: HS004, model: old, owner: a@b.c, until: 2027-01-31, why: soon mended}
environments:
  prod:
    regions: [us-east4]
    levels: {HS019: error}
    waivers:
      - {rule: HS010, resource: gateway-listener, owner: a@b.c, until: 2027-01-31, why: meant to be outside}
"""


def read(folder: Path, text: str, stack: str = "dev") -> Policy:
    (folder / "policy.yaml").write_text(text)
    return load_policy(folder / "policy.yaml", "stacks/policy.yaml", stack)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, text)
    return str(caught.value)


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    policy = load_policy(tmp_path / "policy.yaml", "policy.yaml", "dev")
    assert policy.limits == defaults()
    assert policy.levels == {rule.id: rule.level for rule in catalogue().values()}


def test_an_environments_part_holds_for_its_clusters_and_yields_to_their_own(tmp_path: Path) -> None:
    text = f"{SHARED}  prod-eu:\n    regions: [europe-west4]\n"
    eu, us = read(tmp_path, text, "prod-eu"), read(tmp_path, text, "prod-us")
    assert (eu.limits["regions"], us.limits["regions"]) == (["europe-west4"], ["us-east4"])
    assert (eu.levels["HS019"], us.levels["HS019"]) == ("error", "error")
    assert read(tmp_path, text, "production").limits["regions"] == ["us-central1"]


def test_an_environment_wins_key_by_key_and_adds_its_waivers(tmp_path: Path) -> None:
    dev, prod = read(tmp_path, SHARED), read(tmp_path, SHARED, "prod")
    assert (dev.limits["regions"], prod.limits["regions"]) == (["us-central1"], ["us-east4"])
    assert dev.limits["licenses"] == prod.limits["licenses"] == ["mit"]
    assert (dev.levels["HS019"], prod.levels["HS019"], prod.levels["HS018"]) == ("off", "error", "warn")
    assert [(p.waiver.rule, p.mark.line) for p in prod.waivers] == [("HS004", 5), ("HS010", 11)]
    assert [p.waiver.until for p in dev.waivers] == [dt.date(2027, 1, 31)]
    assert (dev.marks["regions"].line, prod.marks["regions"].line) == (2, 8)


@pytest.mark.parametrize("stack", ["dev", "prod", "other"])
@pytest.mark.parametrize("text", [SHARED, (PROJECT / "stacks" / "policy.yaml").read_text(), ""])
def test_the_pack_reads_the_same(tmp_path: Path, text: str, stack: str) -> None:
    policy, told = read(tmp_path, text, stack), read_settings(tmp_path / "policy.yaml", stack)
    assert {key: told[key] for key in defaults()} == policy.limits
    assert told["levels"].items() <= policy.levels.items()
    assert [each["rule"] for each in told["waivers"]] == [placed.waiver.rule for placed in policy.waivers]


REFUSED = {
    "license: [mit]": ("policy.yaml:1:1: unknown key `license`", "did you mean `licenses`?"),
    "environments: {prod: {region: [a]}}": ("unknown key `region`", "did you mean `regions`?"),
    "licenses: mit": ("policy.yaml:1:11: `licenses` must be a list", ""),
    "levels: {HS99: warn}": ("policy.yaml:1:10: unknown rule `HS99`", "did you mean"),
    "levels: {HS019: loud}": ("`levels.HS019`", "one of error, warn, off"),
    "max_usd_per_month: -1": ("`max_usd_per_month` must be above 0", ""),
    "waivers:\n  - {rule: scan-clean, owner: a@b.c, until: 2027-01-31, why: x}": (
        "policy.yaml:2:12: unknown rule `scan-clean`",
        "`HS005`",
    ),
    "waivers:\n  - {rule: HS004, until: 2027-01-31, why: x}": ("`owner` is missing", "the owner's e-mail address"),
    "waivers:\n  - {rule: HS004, owner: ada, until: 2027-01-31, why: x}": (
        "`waivers.owner`",
        "the owner's e-mail address",
    ),
    "waivers:\n  - {rule: HS004, owner: a@b.c, until: soon, why: x}": ("`waivers.until`", "`2027-01-31`"),
    "waivers:\n  - {rule: HS004, owner: a@b.c, until: 2027-01-31}": ("`why` is missing", "explain why"),
    "waivers:\n  - {rule: HS004, model: a, resource: b, owner: a@b.c, until: 2027-01-31, why: x}": (
        "policy.yaml:2:5",
        "write two separate waivers",
    ),
    "- a": ("the file must be a mapping", ""),
    "a: [": ("is not YAML", ""),
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_mistake_is_shown_where_it_stands(tmp_path: Path, text: str) -> None:
    message, hint = REFUSED[text]
    said = refusal(tmp_path, text)
    assert message in said
    assert hint in said


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    said = refusal(tmp_path, "license: [a]\nregions: x\nmax_usd_per_month: none\n")
    assert [line[:22] for line in said.splitlines() if line.startswith("stacks/")] == [
        "stacks/policy.yaml:1:1",
        "stacks/policy.yaml:2:1",
        "stacks/policy.yaml:3:2",
    ]


def test_every_key_has_a_description_and_the_schema_takes_what_the_reader_takes() -> None:
    for model in (PolicyFile, Limits, Waiver):
        assert all(field.description for field in model.model_fields.values())
    schema = json.loads((reference.FOLDER / "policy.schema.json").read_text())
    check = jsonschema.Draft202012Validator(schema)
    for text in (SHARED, (PROJECT / "stacks" / "policy.yaml").read_text()):
        value = json.loads(json.dumps(yaml.safe_load(text), default=str))  # JSON has no dates
        assert list(check.iter_errors(value)) == []
    assert list(check.iter_errors({"license": ["mit"]}))
