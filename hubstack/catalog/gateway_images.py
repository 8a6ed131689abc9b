# SPDX-License-Identifier: Apache-2.0
"""The images of the callers' proxy: types and reader of catalog/gateway_images.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass

from hubstack.catalog.row import Row

PROXY, LIMITER, COUNTERS = "proxy", "limiter", "counters"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayImage:
    """An image and what is known of it."""

    id: str
    name: str
    """The program and its version."""
    image: str
    entrypoint: tuple[str, ...]
    """Of the image itself; empty if it has none."""
    command: tuple[str, ...]
    """What the container runs."""
    user: int
    source: str


def read_gateway_images(file: Row) -> Mapping[str, GatewayImage]:
    """Read catalog/gateway_images.yaml."""
    found: dict[str, GatewayImage] = {}
    for row in file.rows("gateway_images"):
        image = row.fill(GatewayImage)
        found[image.id] = image
        row.done()
    for needed in (PROXY, LIMITER, COUNTERS):
        if needed not in found:
            file.refuse(f"`gateway_images` has no row `{needed}`", "gateway_images")
    return found
