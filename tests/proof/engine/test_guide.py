# SPDX-License-Identifier: Apache-2.0
"""docs/guides/killed-up.md names every kind that a stack makes, with the id that Google's provider has."""

import re

import yaml

from proof.engine.google_schema import TABLE, schema_of
from tests.support.golden import EXAMPLES, PROJECT, read_graph

PAGE = (PROJECT / "docs" / "guides" / "killed-up.md").read_text()
TAKES_UP = "createIgnoreAlreadyExists"
BY_HAND = {
    "gcp:monitoring/dashboard:Dashboard",
    "gcp:container/cluster:Cluster",
    "gcp:container/nodePool:NodePool",
    "gcp:storage/bucket:Bucket",
}
"""Whose ids the provider does not write as one text."""


def test_every_kind_of_an_example_is_on_the_page() -> None:
    kinds = {
        each["type"]
        for example in EXAMPLES
        for each in read_graph(example)["resources"]
        if each["type"].startswith("gcp:") and not each["type"].endswith(("IAMMember", "IamMember"))
    }
    assert not [kind for kind in sorted(kinds) if f"`{kind}`" not in PAGE]


def test_the_ids_are_those_of_the_provider() -> None:
    rows = dict(re.findall(r"^\| `(gcp:[^`]+)` \| `([^`]+)`", PAGE, re.MULTILINE))
    known = yaml.safe_load(TABLE.read_text())["types"]
    assert rows
    for kind, form in rows.items():
        if kind not in BY_HAND:
            assert form == known[kind]["id"], kind


def test_whatever_google_lets_us_take_up_is_taken_up() -> None:
    for example in EXAMPLES:
        for each in read_graph(example)["resources"]:
            if each["type"].startswith("gcp:") and TAKES_UP in schema_of(each["type"]).arguments:
                assert each["inputs"].get(TAKES_UP) is True, each["name"]
