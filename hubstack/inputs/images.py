# SPDX-License-Identifier: Apache-2.0
"""The stack setting `hubstack:images`: the registries from which a stack pulls its images.

Owns its keys and their rules. Does not own the rewriting of names (`hubstack.plan.images`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hubstack.inputs.setting_types import form
from hubstack.names import slug
from hubstack.plan.images import DOCKER_HUB, EVERY_REGISTRY, remote_mirrors

SETTING = "hubstack:images"
EXAMPLE = '{"registry":"europe-docker.pkg.dev/my-project/mirror"}'
_HOST = r"(localhost|[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+|[a-z0-9.-]+(?=:))(:\d{1,5})?"
_PATH = r"(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
_OTHER_NAMES = {"index.docker.io", "registry-1.docker.io", "hub.docker.com", "registry.hub.docker.com"}


Mirror = Annotated[
    str, form(_HOST + _PATH, "a registry or a repository in one, such as europe-docker.pkg.dev/my-project/mirror")
]


class ImagesSettings(BaseModel):
    """The registries of the stack's images (docs/guides/images.md)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    registry: Mirror | None = None
    """Registry, or repository in one, that holds copies of all images under their own paths:
    `ghcr.io/kedacore/keda` is then `REGISTRY/kedacore/keda`. Default: images come from where they are published."""
    registries: Mapping[str, Mirror] = Field(default_factory=dict[str, str])
    """The same for the images of one registry: `{ghcr.io: mirror.example.org/ghcr}`; before `registry` and
    `remote`."""
    remote: bool = False
    """Whether the stack creates an Artifact Registry remote repository for each registry that its images come from,
    and pulls through it."""

    def mirrors(self, project: str, region: str, stack: str) -> dict[str, str]:
        """Return the mirror of each registry; `*` for all others.

        Args:
            project: the stack's project.
            region: the stack's region.
            stack: name of the stack.
        """
        remote = remote_mirrors(project, region, slug(stack)) if self.remote else {}
        return remote | ({EVERY_REGISTRY: self.registry} if self.registry else {}) | dict(self.registries)


def images_problems(asked: ImagesSettings) -> Iterator[tuple[str, str, str]]:
    """Yield key, message and hint for each key that conflicts with the others."""
    if asked.remote and asked.registry:
        yield (
            "remote",
            "conflicts with `registry`, which already applies to all images",
            "remove one of them; `registries` sets a mirror for individual registries",
        )
    for registry in asked.registries:
        if registry in _OTHER_NAMES:
            yield (
                "registries",
                f"contains `{registry}`: in image names, that registry is `{DOCKER_HUB}`",
                f"write `{DOCKER_HUB}`",
            )
        elif not re.fullmatch(_HOST, registry):
            message = f"contains `{registry}`, which is not the host of a registry"
            yield "registries", message, "write the host only, such as `ghcr.io`"
    if not (asked.remote or asked.registry or asked.registries):
        yield (
            "registry",
            "is missing: the setting names no registry",
            "set `registry`, `registries` or `remote: true`",
        )
