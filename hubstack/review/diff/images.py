# SPDX-License-Identifier: Apache-2.0
"""Images whose bytes a reviewer must decide on: another digest under an equal tag, or no digest.

Owns the comparison. Digests are compared by published name, so that a mirror changes none.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from hubstack.review.diff.state import Data, State

_SHOWN = len("sha256:") + 12


def compare_images(base: State, head: State) -> Iterator[tuple[str, str, bool]]:
    """Yield subject, text and whether protection is weaker, for each image that runs otherwise than before."""
    before, after = _digests(base), _digests(head)
    for image in sorted(before.keys() & after.keys()):
        if before[image] != after[image]:
            move = f"{before[image][:_SHOWN]} -> {after[image][:_SHOWN]}"
            yield image, f"the same tag has another digest: {move}: verify that its publisher moved it", True
    if before and not after and not head.is_missing:
        yield "images", "images are no longer pinned by digest", True
    if after and not before:
        pinned = "1 image is" if len(after) == 1 else f"{len(after)} images are"
        yield "images", f"{pinned} pinned by digest", False
    for reference in sorted(_by_tag(head) - _by_tag(base)) if after else ():
        yield reference, "runs by its tag: the lock has no digest for it", True


def _digests(state: State) -> Mapping[str, str]:
    said: Data = state.target.get("images") or {}
    return said.get("digests", {})


def _by_tag(state: State) -> set[str]:
    """Return the images of the containers that a version registers without a digest."""
    found = set[str]()
    for each in state.resources.values():
        _look(each.get("inputs"), found)
    return {image for image in found if "@" not in image}


def _look(value: Any, found: set[str]) -> None:
    if isinstance(value, Mapping):
        held = cast("Mapping[str, Any]", value)
        image = held.get("image")
        if isinstance(image, str):
            found.add(image)
        for item in held.values():
            _look(item, found)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            _look(item, found)
