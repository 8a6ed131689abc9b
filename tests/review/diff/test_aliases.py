# SPDX-License-Identifier: Apache-2.0
"""Which URNs a resource may have had: the situations of the engine's own test of it (TestGenerateAliases in
pulumi/pulumi 1b594989, pkg/resource/deploy/step_generator_test.go), in names of ours.
"""

import pytest

from hubstack.review.diff.aliases import alias_urns

PART, OTHER, ROOM = "hubstack:part:Part", "hubstack:other:Other", "gcp:storage/bucket:Bucket"
BASE = "urn:pulumi:dev::hubstack::"
PARENT, CHILD = f"{BASE}{PART}::talk", f"{BASE}{PART}${ROOM}::talk-bucket"


def found(aliases: list[object], former: str | None = None) -> list[str]:
    resources = {
        PARENT: {"urn": PARENT, "type": PART, "name": "talk"},
        CHILD: {"urn": CHILD, "type": ROOM, "name": "talk-bucket", "parent": PARENT, "aliases": aliases},
    }
    return [urn.removeprefix(BASE) for urn in alias_urns(CHILD, resources, {PARENT: former} if former else {})]


@pytest.mark.parametrize(
    ("aliases", "former", "urns"),
    [
        ([], None, []),
        ([{"spec": {"type": OTHER}}], None, [f"{PART}${OTHER}::talk-bucket"]),
        ([{"spec": {"name": "pail"}}], None, [f"{PART}${ROOM}::pail"]),
        ([{"spec": {"type": OTHER, "noParent": True}}], None, [f"{OTHER}::talk-bucket"]),
        ([{"spec": {"parentUrn": f"{BASE}{OTHER}::old"}}], None, [f"{OTHER}${ROOM}::talk-bucket"]),
        ([{"urn": f"{BASE}{ROOM}::pail"}], None, [f"{ROOM}::pail"]),
        ([f"{BASE}{ROOM}::pail"], None, [f"{ROOM}::pail"]),
        # What the parent was found as gives the beginning of the name, and nothing else does.
        ([], f"{BASE}{PART}::chat", [f"{PART}${ROOM}::chat-bucket"]),
        ([], f"{BASE}{OTHER}::talk", [f"{OTHER}${ROOM}::talk-bucket"]),
        (
            [{"spec": {"name": "talk-pail"}}],
            f"{BASE}{PART}::chat",
            [f"{PART}${ROOM}::talk-pail", f"{PART}${ROOM}::chat-bucket", f"{PART}${ROOM}::chat-pail"],
        ),
        (
            [{"spec": {"name": "pail"}}],
            f"{BASE}{PART}::chat",
            [f"{PART}${ROOM}::pail", f"{PART}${ROOM}::chat-bucket"],
        ),
        (
            [{"spec": {"parentUrn": PARENT}}],
            f"{BASE}{OTHER}::chat",
            [f"{OTHER}${ROOM}::talk-bucket", f"{OTHER}${ROOM}::chat-bucket"],
        ),
    ],
)
def test_the_urns_are_the_engines(aliases: list[object], former: str | None, urns: list[str]) -> None:
    assert found(aliases, former) == urns
