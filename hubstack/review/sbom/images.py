# SPDX-License-Identifier: Apache-2.0
"""The container images and Helm charts of a plan, and the purpose of each.

Owns the lists and the parsing of image names.
"""

import re

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
from hubstack.plan import Plan


def stack_images(plan: Plan) -> list[tuple[str, str]]:
    """Return each image with its purposes, sorted."""
    found: dict[str, set[str]] = {}
    for model in plan.models:
        if model.vertex:
            continue  # Google chooses the image
        found.setdefault(model.server.image, set()).add(f"serves models ({model.server.engine})")
        found.setdefault(model.weights.loader_image, set()).add("copies weights from the Hub")
    if plan.gateway:
        found.setdefault(BODY_ROUTER_IMAGE, set()).add("reads the model's name from requests")
        if plan.traffic and plan.traffic.picked:
            found.setdefault(PICKER_IMAGE, set()).add("chooses the server of a request")
    return sorted((image, ", ".join(sorted(purposes))) for image, purposes in found.items())


def stack_charts(plan: Plan) -> list[Chart]:
    """Return the Helm charts that a plan installs; the images inside them are not listed."""
    charts = [keda_chart()] if is_scaled(plan) else []
    if scale_to_zero_models(plan):
        charts.append(http_add_on_chart(plan.target.keda_namespace, max_activation_timeout(plan)))
    return charts + ([lws_chart()] if any(model.hosts > 1 for model in plan.on_gke) else [])


def image_name(image: str) -> tuple[str, str | None, str | None]:
    """Split an image name into repository (with registry), tag and digest, by Docker's rules."""
    rest, _, digest = image.partition("@")
    tagged = re.fullmatch(r"(.*?)(?::([^/:]+))?", rest)
    name, tag = (tagged.group(1), tagged.group(2)) if tagged else (rest, None)
    first, slash, _ = name.partition("/")
    if not (slash and ("." in first or ":" in first or first == "localhost")):
        name = f"docker.io/{name}" if slash else f"docker.io/library/{name}"
    return name, tag, digest or None
