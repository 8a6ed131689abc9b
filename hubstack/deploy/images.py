# SPDX-License-Identifier: Apache-2.0
"""The container images and Helm charts of a plan, and the purpose of each.

Owns the lists. Does not own how names are read or rewritten (`hubstack.plan.images`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hubstack.deploy.manifests import (
    http_add_on_chart,
    is_scaled,
    keda_chart,
    lws_chart,
    max_activation_timeout,
    scale_to_zero_models,
)
from hubstack.deploy.manifests.callouts import BODY_ROUTER_IMAGE, PICKER_IMAGE
from hubstack.deploy.manifests.charts import Chart
from hubstack.names import slug
from hubstack.plan import Plan
from hubstack.plan.existing_cluster import Component
from hubstack.plan.images import UPSTREAMS, remote_mirrors


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedImage:
    """An image that a stack's containers name."""

    image: str
    """The name in the plan: published, or from a mirror and at a digest if the plan has them."""
    purpose: str
    models: tuple[str, ...] = ()
    """Keys of the models whose containers use it; empty if no single model does."""
    chart: str | None = None
    """The Helm chart that names it; None if the stack registers its container."""
    takes_digest: bool = True
    """Whether a digest can be named."""


def used_images(plan: Plan) -> tuple[UsedImage, ...]:
    """Return every image of a plan, sorted by name: those of its containers and those of its charts."""
    purposes: dict[str, set[str]] = {}
    users: dict[str, set[str]] = {}
    for image, purpose, models in _of_containers(plan):
        purposes.setdefault(image, set()).add(purpose)
        users.setdefault(image, set()).update(models)
    found = [
        UsedImage(image=image, purpose=", ".join(sorted(why)), models=tuple(sorted(users[image])))
        for image, why in purposes.items()
    ]
    for chart in stack_charts(plan):
        found += [
            UsedImage(
                image=plan.target.image(image)
                if chart.takes_digests
                else plan.target.images.placed(image)
                if plan.target.images
                else image,
                purpose=f"controller of the chart {chart.release}",
                chart=chart.release,
                takes_digest=chart.takes_digests,
            )
            for image in chart.images
        ]
    return tuple(sorted(found, key=lambda each: each.image))


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteRepository:
    """A repository of the stack that pulls from a registry."""

    registry: str
    repository_id: str
    upstream: str
    """Address of the registry."""


def remote_repositories(plan: Plan) -> tuple[RemoteRepository, ...]:
    """Return the remote repositories that a plan's images need, sorted by registry."""
    images = plan.target.images
    if images is None or not images.has_remote_repositories:
        return ()
    own = remote_mirrors(plan.target.project, plan.target.region, slug(plan.target.stack))
    used = [each.image for each in used_images(plan)]
    return tuple(
        RemoteRepository(registry=registry, repository_id=mirror.rpartition("/")[2], upstream=UPSTREAMS[registry])
        for registry, mirror in sorted(own.items())
        if any(image.startswith(f"{mirror}/") for image in used)
    )


def _of_containers(plan: Plan) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for model in plan.models:
        if model.vertex:
            continue  # Google chooses the image
        yield model.server.image, f"serves models ({model.server.engine})", (model.key,)
        if model.weights.loader_image:
            yield model.weights.loader_image, "copies weights from the Hub", ()
    if callers := plan.callers:
        yield plan.target.image(callers.proxy.image), "checks callers' keys and limits", ()
        yield plan.target.image(callers.limiter.image), "enforces callers' limits", ()
        yield plan.target.image(callers.counters.image), "counts usage by caller", ()
        yield plan.target.image(callers.keys_image), "provides the callers' keys to the proxy", ()
    elif plan.gateway:
        yield plan.target.image(BODY_ROUTER_IMAGE), "reads the model's name from requests", ()
        if plan.traffic and plan.traffic.picked:
            yield plan.target.image(PICKER_IMAGE), "chooses the server of a request", ()


def stack_charts(plan: Plan) -> list[Chart]:
    """Return the Helm charts that a plan installs."""
    target = plan.target
    charts: list[Chart] = []
    if is_scaled(plan) and not target.has_installed(Component.KEDA):
        charts.append(keda_chart(target.keda_namespace, target.images))
        if scale_to_zero_models(plan):
            hold = max_activation_timeout(plan)
            charts.append(http_add_on_chart(target.keda_namespace, hold, target.images))
    if any(model.hosts > 1 for model in plan.on_gke) and not target.has_installed(Component.LWS):
        charts.append(lws_chart(target.images))
    return charts
