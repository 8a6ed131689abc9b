# SPDX-License-Identifier: Apache-2.0
"""Images in a comparison: another digest under an equal tag, and an image that no digest pins, are decided."""

from typing import Any

from hubstack.review.diff.change import Change, compare
from hubstack.review.diff.gates import tripped
from hubstack.review.diff.render import report
from hubstack.review.diff.state import State, Versions

VLLM, LOADER = "vllm/vllm-openai:v1", "python:3.12"
ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
GUARDS: dict[str, Any] = {
    "settings": {},
    "plain_secrets": [],
    "models": {},
    "limits": {},
    "levels": {},
    "waivers": [],
}


def state(digests: dict[str, str], *images: str, mirrors: dict[str, str] | None = None, **guards: Any) -> State:
    locked = {"images": {"digests": digests, "mirrors": mirrors or {}}} if digests else {}
    resources = [
        {
            "urn": f"urn:pulumi:dev::p::kubernetes:apps/v1:Deployment::{at}",
            "type": "kubernetes:apps/v1:Deployment",
            "name": str(at),
            "custom": True,
            "inputs": {"spec": {"template": {"spec": {"containers": [{"name": "x", "image": image}]}}}},
        }
        for at, image in enumerate(images)
    ]
    plan = {"models": [], "pools": [], "target": locked, "cost": {}}
    return State(name="x", plan=plan, graph={"resources": resources}, guards={**GUARDS, **guards})


def compared(before: State, after: State) -> Change:
    return compare("dev", Versions(base=before, head=after))


def said(change: Change, *, weaker: bool = True) -> list[str]:
    return [f"{each.subject}: {each.text}" for each in change.protection if each.is_weaker is weaker]


def test_another_digest_under_the_same_tag_is_decided_by_a_reviewer() -> None:
    change = compared(state({VLLM: ONE}, f"{VLLM}@{ONE}"), state({VLLM: TWO}, f"{VLLM}@{TWO}"))
    move = f"sha256:{'1' * 12} -> sha256:{'2' * 12}"
    assert said(change) == [f"{VLLM}: the same tag has another digest: {move}: verify that its publisher moved it"]
    assert report(change).verdict.startswith("DECIDE")
    assert tripped(change, ("protection",))


def test_another_tag_with_its_digest_is_no_weaker_protection() -> None:
    new = "vllm/vllm-openai:v2"
    assert said(compared(state({VLLM: ONE}, f"{VLLM}@{ONE}"), state({new: TWO}, f"{new}@{TWO}"))) == []


def test_an_image_that_the_lock_does_not_have_is_named_once_others_are_pinned() -> None:
    before, after = state({VLLM: ONE}, f"{VLLM}@{ONE}"), state({VLLM: ONE}, f"{VLLM}@{ONE}", LOADER)
    assert said(compared(before, after)) == [f"{LOADER}: runs by its tag: the lock has no digest for it"]
    assert said(compared(after, after)) == []
    assert said(compared(state({}, VLLM), state({}, VLLM, LOADER))) == [], "nothing is pinned here"


def test_pins_that_are_added_are_stronger_and_pins_that_are_removed_weaker() -> None:
    tags, pins = state({}, VLLM), state({VLLM: ONE}, f"{VLLM}@{ONE}")
    assert said(compared(tags, pins)) == []
    assert said(compared(tags, pins), weaker=False) == ["images: 1 image is pinned by digest"]
    assert said(compared(pins, tags)) == ["images: images are no longer pinned by digest"]


def test_other_registries_are_decided_by_a_reviewer() -> None:
    settings = {"hubstack:images": '{"registry":"m.example"}'}
    change = compared(state({}, VLLM), state({}, f"m.example/{VLLM}", settings=settings))
    (line,) = said(change)
    assert line.startswith("hubstack:images: images come from other registries: not set -> ")
    assert "m.example" in line
