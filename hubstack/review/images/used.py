# SPDX-License-Identifier: Apache-2.0
"""The images of every stack of an environment, with what the lock says of each. Reads files only."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hubstack.deploy.images import UsedImage, used_images
from hubstack.files.jsonable import plain
from hubstack.hub.facts import LockedImage
from hubstack.hub.lock import Lock
from hubstack.inputs.settings import StackSettings
from hubstack.inputs.stack import Stack
from hubstack.plan.images import ImagesPlan
from hubstack.planner.images import plan_images
from hubstack.planner.inputs import StackInputs, stack_lock
from hubstack.planner.planner import plan_inputs

NO_IMAGES = ImagesPlan(mirrors={}, digests={})


@dataclass(frozen=True, slots=True, kw_only=True)
class StackImage:
    """An image, as published, and what is known of it."""

    used: UsedImage
    reference: str
    """The name that containers have for it."""
    locked: LockedImage | None
    target: StackSettings
    """The settings of the first stack that uses it."""


def stacks_of(stack: Stack) -> list[Stack]:
    """Return the Pulumi stacks of an environment: itself, or one for each cluster."""
    group = stack.divided
    return [group.load_stack(cluster) for cluster in group.clusters] if group else [stack]


def stack_images(stack: Stack, lock: Lock | None = None) -> tuple[StackImage, ...]:
    """Return the images of an environment's stacks by published name, sorted.

    Args:
        stack: the environment.
        lock: its lock, if already read.

    Raises:
        InputError: a stack cannot be planned.
    """
    held = lock or stack_lock(stack)
    locked = {image.image: image for image in held.images}
    found: dict[str, StackImage] = {}
    for each in stacks_of(stack):
        inputs = StackInputs.of(each, held)
        images = plan_images(held, inputs.target) or NO_IMAGES
        for used in _published(inputs):
            known = found.get(used.image)
            if known:
                found[used.image] = replace(known, used=_merged(known.used, used))
                continue
            reference = images.reference(used.image) if used.takes_digest else images.placed(used.image)
            found[used.image] = StackImage(
                used=used, reference=reference, locked=locked.get(used.image), target=inputs.target
            )
    return tuple(found[image] for image in sorted(found))


def _published(inputs: StackInputs) -> Iterator[UsedImage]:
    """Yield the images of a stack as published: those of its plan without mirror and digests."""
    bare = replace(inputs, target=inputs.target.changed(images=None), lock=replace(inputs.lock, images=()))
    yield from used_images(plan_inputs(bare))


def _merged(one: UsedImage, other: UsedImage) -> UsedImage:
    models = tuple(sorted({*one.models, *other.models}))
    purpose = ", ".join(dict.fromkeys((*one.purpose.split(", "), *other.purpose.split(", "))))
    return replace(one, models=models, purpose=purpose)


def image_differences(stack: Stack, lock: Lock) -> list[str]:
    """Return a line for each image that is used but not locked, or the reverse; none if no image is locked."""
    if not lock.images:
        return []
    used = {each.used.image for each in stack_images(stack, lock)}
    locked = {image.image for image in lock.images}
    return [
        *(f"missing: the image {image}" for image in sorted(used - locked)),
        *(f"unused: the image {image}" for image in sorted(locked - used)),
    ]


def images_json(images: Sequence[StackImage], commands: Sequence[str] = ()) -> str:
    """Return the images as JSON that ends with a newline; with `commands`, those that copy them too."""
    said: Mapping[str, object] = {"format": 1, "images": [_row(each) for each in images]}
    return json.dumps({**said, **({"commands": list(commands)} if commands else {})}, indent=2) + "\n"


def _row(each: StackImage) -> Mapping[str, object]:
    locked = plain(each.locked) if each.locked else None
    if locked:
        del locked["image"]
    return {
        "image": each.used.image,
        "reference": each.reference,
        "runs_by": runs_by(each),
        "purpose": each.used.purpose,
        "models": list(each.used.models),
        "chart": each.used.chart,
        "locked": locked,
    }


def runs_by(each: StackImage) -> str:
    """Return whether containers name the image by `digest` or by `tag`."""
    return "digest" if "@" in each.reference else "tag"
