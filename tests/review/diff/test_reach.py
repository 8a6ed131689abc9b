# SPDX-License-Identifier: Apache-2.0
"""A policy that is opened, in either direction, is a new sentence of who reaches what."""

import copy
from typing import Any

import pytest

from hubstack.review.diff.reach import compare_reach
from hubstack.review.diff.state import State
from tests.support.golden import read_graph

GRAPH = read_graph("quickstart")


def opened(name: str, **spec: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is said anew, and no longer, once parts of a policy's spec are others."""
    other = copy.deepcopy(GRAPH)
    (held,) = [each for each in other["resources"] if each["name"] == name]
    held["inputs"]["spec"] |= spec
    return compare_reach(State(name="old", graph=GRAPH), State(name="new", graph=other))


@pytest.mark.parametrize(
    ("name", "spec", "words"),
    [
        ("default-deny", {"ingress": [{}]}, "default-deny lets in anyone on every port, for all pods"),
        ("default-deny", {"egress": [{}]}, "default-deny lets out to anyone on every port, for all pods"),
        ("same-namespace", {"ingress": [{}]}, "same-namespace lets in anyone on every port"),
        ("servers-egress", {"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}, "0.0.0.0/0"),
        ("servers-egress", {"podSelector": {}}, "for all pods"),
        ("loaders-to-hub", {"egress": [{"matches": [{"name": "evil.example"}]}]}, "evil.example"),
    ],
)
def test_what_opens_a_policy_is_said(name: str, spec: dict[str, Any], words: str) -> None:
    head, gone = opened(name, **spec)
    assert any(words in each for each in head)
    assert all(each.startswith(f"the network policy {name} lets ") for each in (*head, *gone))
    assert gone
    assert not [each for each in head if "{" in each], "no JSON"


def test_a_closed_namespace_is_said_in_both_directions() -> None:
    head, _ = compare_reach(State(name="old"), State(name="new", graph=GRAPH))
    assert "the network policy default-deny lets in no one, for all pods" in head
    assert "the network policy default-deny lets out to no one, for all pods" in head


def grant(kind: str, **inputs: Any) -> State:
    held = {"urn": f"urn:pulumi:s::p::{kind}::it", "type": kind, "name": "it", "custom": True, "inputs": inputs}
    return State(name="x", graph={"resources": [held]})


MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"


@pytest.mark.parametrize(
    ("kind", "before", "after", "words"),
    [
        (MEMBER, {"role": "r", "member": "serviceAccount:a"}, {"role": "r", "member": "user:evil"}, "user:evil"),
        (MEMBER, {"role": "r", "member": "user:a"}, {"role": "r", "member": "allUsers"}, "anyone on the internet"),
        (
            "gcp:storage/bucketIAMBinding:BucketIAMBinding",
            {"role": "r", "members": ["user:a"]},
            {"role": "r", "members": ["user:a", "user:evil"]},
            "user:evil",
        ),
        (
            "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding",
            {"subjects": []},
            {
                "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "User", "name": "evil"}],
            },
            "cluster-admin",
        ),
        (
            "gcp:compute/firewall:Firewall",
            {"allows": [{}], "sourceRanges": ["10.0.0.0/8"]},
            {"allows": [{}], "sourceRanges": ["0.0.0.0/0"]},
            "anyone on the internet",
        ),
    ],
)
def test_a_grant_to_someone_else_is_said(
    kind: str, before: dict[str, Any], after: dict[str, Any], words: str
) -> None:
    head, _ = compare_reach(grant(kind, **before), grant(kind, **after))
    assert [each for each in head if words in each]
    assert compare_reach(grant(kind, **after), grant(kind, **after)) == ((), ())
