# SPDX-License-Identifier: Apache-2.0
"""The commands that copy a stack's images to another registry, for a network without the internet.

Owns the command lines. Nothing is run: the commands need logins, and often a machine of their own.
"""

import shlex
from collections.abc import Iterator, Sequence
from enum import StrEnum

from hubstack.plan.images import ImageName, read_image
from hubstack.review.images.used import StackImage


class Tool(StrEnum):
    """The program that copies."""

    CRANE = "crane"
    SKOPEO = "skopeo"
    GCRANE = "gcrane"


def copy_commands(images: Sequence[StackImage], registry: str, tool: Tool) -> list[str]:
    """Return one command for each image: it copies the locked digest and gives the copy the published tag.

    A copy of every platform keeps the digest, so that the lock holds for it too.
    """
    return [line for each in images for line in _copy(each, registry, tool)]


def _copy(each: StackImage, registry: str, tool: Tool) -> Iterator[str]:
    name = read_image(each.used.image)
    source = f"{name.repository}@{each.locked.digest}" if each.locked else f"{name.repository}:{name.tag}"
    target = f"{registry}/{_tagged(name)}"
    if tool is Tool.SKOPEO:
        yield shlex.join(
            ["skopeo", "copy", "--all", "--preserve-digests", f"docker://{source}", f"docker://{target}"]
        )
    else:
        yield shlex.join([tool.value, "copy" if tool is Tool.CRANE else "cp", source, target])


def _tagged(name: ImageName) -> str:
    return f"{name.path}:{name.tag}"
