# SPDX-License-Identifier: Apache-2.0
"""A policy that is opened, in either direction, is a new sentence of who reaches what."""

import copy
import json
from typing import Any

import pytest

from hubstack.review.diff.reach import compare_reach
from hubstack.review.diff.state import State
from tests.support.golden import golden_path

GRAPH = json.loads(golden_path("quickstart", "graph").read_text())


def opened(name: str, **spec: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is said anew, and no longer, once parts of a policy's spec are others."""
    other = copy.deepcopy(GRAPH)
    (held,) = [each for each in other["resources"] if each["name"] == name]
    held["inputs"]["spec"] |= spec
    return compare_reach(State(name="old", graph=GRAPH), State(name="new", graph=other))


@pytest.mark.parametrize(("name", "spec", "words"), [
    ("default-deny", {"ingress": [{}]}, 'default-deny lets in ["anyone"], for pods {}'),
    ("default-deny", {"egress": [{}]}, 'default-deny lets out to ["anyone"], for pods {}'),
    ("same-namespace", {"ingress": [{}]}, 'same-namespace lets in ["anyone"]'),
    ("servers-egress", {"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}, "0.0.0.0/0"),
    ("servers-egress", {"podSelector": {}}, "for pods {}"),
    ("loaders-to-hub", {"egress": [{"matches": [{"name": "evil.example"}]}]}, "evil.example"),
])  # fmt: skip
def test_what_opens_a_policy_is_said(name: str, spec: dict[str, Any], words: str) -> None:
    (new,), (gone,) = opened(name, **spec)
    assert words in new
    assert gone.startswith(f"the network policy {name} lets ")


def test_a_closed_namespace_is_said_in_both_directions() -> None:
    new, _ = compare_reach(State(name="old"), State(name="new", graph=GRAPH))
    assert "the network policy default-deny lets in no one, for pods {}" in new
    assert "the network policy default-deny lets out to no one, for pods {}" in new
