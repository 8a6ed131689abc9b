# SPDX-License-Identifier: Apache-2.0
"""Which name each container gets for its image: from a mirror, at the locked digest; and what is wrong with images.

Owns the warnings. Does not own the rewriting (`hubstack.plan.images`) or the images outside of models
(`hubstack.deploy.images`).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from hubstack.catalog import Catalog
from hubstack.hub.facts import LockedImage
from hubstack.hub.lock import Lock
from hubstack.inputs.images import SETTING
from hubstack.inputs.settings import StackSettings
from hubstack.plan import ModelPlan, WeightsPlan
from hubstack.plan.images import ImagesPlan

_ARTIFACT_REGISTRY = re.compile(r"([a-z0-9-]+)-docker\.pkg\.dev/([^/]+)/([^/]+)")
_ROOT = {"", "0", "root"}


def plan_images(lock: Lock, target: StackSettings) -> ImagesPlan | None:
    """Return the mirrors and digests of a stack; None if it has neither."""
    asked = target.images
    mirrors = asked.mirrors(target.project, target.region, target.stack) if asked else {}
    if not (mirrors or lock.images):
        return None
    return ImagesPlan(
        mirrors=mirrors,
        has_remote_repositories=asked is not None and asked.remote,
        digests={image.image: image.digest for image in lock.images},
    )


def place_images(model: ModelPlan, images: ImagesPlan | None) -> ModelPlan:
    """Return a model whose containers name their images as they are pulled."""
    if images is None or model.vertex:  # Google chooses the image
        return model

    def place(weights: WeightsPlan) -> WeightsPlan:
        loader = weights.loader_image
        return replace(weights, loader_image=images.reference(loader)) if loader else weights

    beside = tuple(replace(each, weights=place(each.weights)) for each in model.companions or ())
    return replace(
        model,
        server=replace(model.server, image=images.reference(model.server.image)),
        weights=place(model.weights),
        companions=beside or None,
    )


def image_warnings(
    models: Sequence[ModelPlan], lock: Lock, catalog: Catalog, target: StackSettings
) -> Iterator[str]:
    """Yield what a reviewer should know of the images of models, which are named as published."""
    used = {model.server.image: model for model in models if not model.vertex}
    loaders = {image for model in models if not model.vertex and (image := model.weights.loader_image)}
    if lock.images:
        locked = {image.image for image in lock.images}
        for image in sorted((used.keys() | loaders) - locked):
            yield f"the image {image} is not in the lock and runs by its tag: run `hubstack lock`"
    yield from image_mismatches((image for image in lock.images if image.image in used), catalog)
    yield from _grants(target)


def image_mismatches(images: Iterable[LockedImage], catalog: Catalog) -> Iterator[str]:
    """Yield each image whose entrypoint or user is not what the catalogue says of it."""
    asked = tuple(images)
    rows = {row.image: engine for engine in catalog.every_engine() for row in engine.images} if asked else {}
    for image in asked:
        engine = rows.get(image.image)
        if engine is None:
            continue
        known, where = engine.image_facts, f"hubstack/catalog/engines.yaml says of {engine.id} ({{}})"
        pairs = (
            ("entrypoint", " ".join(image.entrypoint) or "none", " ".join(known.entrypoint) or "none"),
            ("user", _user(image.user), _user(known.user)),
        )
        for what, found, expected in pairs:
            if found != expected:
                told = where.format(known.source)
                yield (
                    f"the image {image.image} has the {what} `{found}`, but {told} that it is `{expected}`: "
                    "check that a mirror did not rebuild it, and start one server before the others"
                )


def _user(user: str) -> str:
    name = user.partition(":")[0]
    return "root" if name in _ROOT else name


def _grants(target: StackSettings) -> Iterator[str]:
    """Name the grant that a mirror in another project needs, which the stack cannot give."""
    asked = target.images
    if asked is None:
        return
    cluster = target.cluster
    if asked.remote and cluster is not None and cluster.is_autopilot:
        yield (
            f"`{SETTING}`: the service account of the Autopilot nodes of {cluster.name} needs "
            "roles/artifactregistry.reader on the stack's remote repositories, which the stack cannot grant to it"
        )
    for mirror in sorted({*asked.registries.values(), asked.registry or ""}):
        found = _ARTIFACT_REGISTRY.match(f"{mirror}/")
        if found and found[2] != target.project:
            yield (
                f"`{SETTING}` names {mirror}: the nodes' service account of {target.project} needs "
                f"roles/artifactregistry.reader on the repository {found[3]} of {found[2]}"
            )
