# SPDX-License-Identifier: Apache-2.0
"""The URNs of each release are still there, or an alias leads to them, or `gone.yaml` says why they went.

`releases/VERSION.txt` has a line for each resource of each example: the example and the URN. A release writes its
own: `python -m tests.identity.test_releases`; none is edited later.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from hubstack.files.write import write_text_atomically
from tests.identity.sides import side
from tests.support.golden import EXAMPLES

RELEASES = Path(__file__).with_name("releases")
GONE = Path(__file__).with_name("gone.yaml")
VERSIONS = sorted(path.stem for path in RELEASES.glob("*.txt"))
CONTENT = re.compile(r"(-loader-)[0-9a-f]{8}(?=-|$)")
"""The hash of what a load on Cloud Run does: another content is meant to be another resource
(docs/concepts/identity.md)."""
Line = tuple[str, str]
"""An example and a URN."""


def line(example: str, urn: str) -> Line:
    return example, CONTENT.sub(r"\1HASH", urn)


@cache
def present() -> dict[Line, str]:
    """Return each URN that a resource has or may continue, to the URN that it has."""
    found: dict[Line, str] = {}
    for example in EXAMPLES:
        base = side(example, "base")
        for urn in base.resources:
            found |= {line(example, former): urn for former in base.sdk_aliases[urn]}
        found |= {line(example, urn): urn for urn in base.resources}
    return found


def read(name: str) -> list[Line]:
    rows = [row.split(" ", 1) for row in (RELEASES / f"{name}.txt").read_text().splitlines()]
    return [(example, urn) for example, urn in rows]


@cache
def gone() -> dict[Line, str]:
    said = yaml.safe_load(GONE.read_text())["gone"]
    return {(each["example"], each["urn"]): each["why"] for each in said}


def lost(released: Iterable[Line], now: Mapping[Line, str], excused: Mapping[Line, str]) -> list[Line]:
    return [each for each in released if each not in now and each not in excused]


@pytest.mark.parametrize("name", VERSIONS)
def test_no_resource_of_a_release_is_lost(name: str) -> None:
    assert lost(read(name), present(), gone()) == [], (
        "upgrading hubstack would delete and make anew what these are: give the resource an alias, or say in "
        "tests/identity/gone.yaml why it has to go"
    )


def test_what_is_said_to_be_gone_is_gone_and_has_a_reason() -> None:
    released = {each for name in VERSIONS for each in read(name)}
    assert gone().keys() <= released - present().keys()
    assert all(why.strip() for why in gone().values())


def test_every_example_is_in_the_newest_release() -> None:
    assert VERSIONS, "no release is recorded"
    newest = max(VERSIONS, key=lambda name: [int(part) for part in name.split(".")])
    assert {example for example, _ in read(newest)} == set(EXAMPLES)


def test_a_resource_under_another_name_is_found_lost_unless_an_alias_leads_to_it() -> None:
    old, new = side("quickstart", "base"), side("quickstart", "rename")
    released = [line("quickstart", urn) for urn in old.resources]
    urns = {line("quickstart", urn): urn for urn in new.resources}
    aliases = {line("quickstart", each): urn for urn in new.resources for each in new.sdk_aliases[urn]}
    assert len(lost(released, urns, {})) > 40
    assert lost(released, urns | aliases, {}) == []


if __name__ == "__main__":
    asked = sys.argv[1] if len(sys.argv) > 1 else version("hubstack")
    target = RELEASES / f"{asked}.txt"
    assert not target.exists(), f"{target} is there: a release is never written again"
    rows = sorted({line(example, urn) for example in EXAMPLES for urn in side(example, "base").resources})
    write_text_atomically(target, "".join(f"{example} {urn}\n" for example, urn in rows))
    print(f"wrote {target}: {len(rows)} resources")
