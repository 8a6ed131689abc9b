# SPDX-License-Identifier: Apache-2.0
"""Container images: how a name is read, and where a stack pulls it from, at which digest.

Owns the reading of names by Docker's rules and the rewriting for a mirror. Does not own which images a stack uses
(`hubstack.deploy.images`) or what a registry says of them (`hubstack.hub.remote.registry`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

DOCKER_HUB = "docker.io"
EVERY_REGISTRY = "*"
"""Key of the mirror of all registries that have none of their own."""
UPSTREAMS: Mapping[str, str] = {
    DOCKER_HUB: "https://registry-1.docker.io",
    "ghcr.io": "https://ghcr.io",
    "quay.io": "https://quay.io",
    "registry.k8s.io": "https://registry.k8s.io",
}
"""Registry to the address that an Artifact Registry remote repository pulls from."""
_TAGGED = re.compile(r"(.*?)(?::([^/:]+))?")


class ImageName(NamedTuple):
    """A name such as `vllm/vllm-openai:v0.33.0@sha256:...`, in its parts."""

    registry: str
    """Host, with its port: `docker.io` if the name has none."""
    path: str
    """Repository in the registry: `vllm/vllm-openai`, `library/python`."""
    tag: str | None
    digest: str | None

    @property
    def repository(self) -> str:
        """Return the repository with its registry."""
        return f"{self.registry}/{self.path}"


def read_image(image: str) -> ImageName:
    """Split an image name by Docker's rules."""
    rest, _, digest = image.partition("@")
    tagged = _TAGGED.fullmatch(rest)
    name, tag = (tagged.group(1), tagged.group(2)) if tagged else (rest, None)
    first, slash, path = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return ImageName(first, path, tag, digest or None)
    return ImageName(DOCKER_HUB, name if slash else f"library/{name}", tag, digest or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesPlan:
    """Where a stack's images come from, and the digests at which they run."""

    mirrors: Mapping[str, str]
    """Registry to the registry or repository that holds its images; `*` for all others."""
    has_remote_repositories: bool = False
    """Whether the stack creates the mirrors: one Artifact Registry remote repository for each registry."""
    digests: Mapping[str, str]
    """Published name with its tag to the locked digest."""

    def reference(self, image: str) -> str:
        """Return what a container names for a published image: from the mirror, at the locked digest if any."""
        placed, digest = self.placed(image), self.digests.get(image)
        return f"{placed}@{digest}" if digest and "@" not in placed else placed

    def placed(self, image: str) -> str:
        """Return a published image's name in its mirror, without the locked digest."""
        name = read_image(image)
        mirror = self.mirrors.get(name.registry, self.mirrors.get(EVERY_REGISTRY))
        return image if mirror is None else f"{mirror}/{image_path(name)}"


def image_path(name: ImageName) -> str:
    """Return the path that an image has in every registry, with its tag and digest."""
    return name.path + (f":{name.tag}" if name.tag else "") + (f"@{name.digest}" if name.digest else "")


def remote_repository_id(stack_slug: str, registry: str) -> str:
    """Return the ID of the remote repository for a registry: `hubstack-dev-ghcr-io`."""
    suffix = re.sub(r"[^a-z0-9]+", "-", registry)
    return f"hubstack-{stack_slug[: 53 - len(suffix)].rstrip('-')}-{suffix}"


def remote_mirrors(project: str, region: str, stack_slug: str) -> dict[str, str]:
    """Return the remote repository of each registry that Artifact Registry can pull from."""
    home = f"{region}-docker.pkg.dev/{project}"
    return {registry: f"{home}/{remote_repository_id(stack_slug, registry)}" for registry in UPSTREAMS}
