# SPDX-License-Identifier: Apache-2.0
"""Rules about container images and plain-text secrets. No message contains a secret."""

import re
from collections.abc import Iterator

from containers import CHART, containers, images, repository, texts, trimmed
from resources import SECRET, UNKNOWN, Resource, Settings, listed, mapping

_TOKENS = re.compile(
    r"\bhf_[A-Za-z0-9]{20,}|\bgh[pousr]_[A-Za-z0-9]{30,}|\bAIza[0-9A-Za-z_-]{35}|\bya29\.[\w-]{20,}"
    r"|\bsk-[A-Za-z0-9_-]{20,}|\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-[\w-]{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
)
"""Tokens of the Hub, GitHub, Google, OpenAI, AWS and Slack by prefix; private keys; JSON Web Tokens."""
_SECRET_NAME = re.compile(
    r"(^|[_-])(TOKEN|PASSWORD|PASSWD|SECRET|API_?KEY|ACCESS_?KEY|CREDENTIALS?)$", re.IGNORECASE
)
_HOMES = ("gcp:secretmanager/secretVersion:SecretVersion", "kubernetes:core/v1:Secret")
_HOME_PATHS = ("modelConfig.huggingFaceAccessToken",)  # Vertex AI takes the token of a gated model as a plain value
"""Properties that may contain a secret. Pulumi passes secrets to policies as plain text, so they look like any
value."""


def no_plain_secret(resource: Resource, settings: Settings) -> Iterator[str]:  # noqa: ARG001
    """Find tokens by pattern in any property, and secrets in container environments by variable name."""
    if resource.type in _HOMES or resource.type.startswith("pulumi:providers:"):
        return
    for path, text in texts(resource.props, ""):
        if _TOKENS.search(text) and path not in _HOME_PATHS:
            yield f"{path} looks like a token or a private key"
    for container in containers(resource):
        for variable in (*listed(container, "env"), *listed(container, "envs")):
            held = mapping(variable)
            name, value = str(held.get("name", "")), held.get("value")
            if (
                _SECRET_NAME.search(name)
                and value not in {None, "", UNKNOWN, SECRET}
                and not _TOKENS.search(str(value))
            ):
                yield f"the environment variable {name} has a plain-text value"


def image_registry(resource: Resource, settings: Settings) -> Iterator[str]:
    allowed = settings.get("registries")
    for image in images(resource) if allowed is not None else ():
        place = repository(image)
        if not any(place == one or place.startswith(f"{one}/") for one in map(trimmed, allowed or [])):
            yield f"the image {image} is not from {', '.join(allowed or []) or 'an allowed registry'}"


def image_tag(resource: Resource, settings: Settings) -> Iterator[str]:  # noqa: ARG001
    """Charts install images that their values may not name, so a chart's version must be pinned."""
    if resource.type == CHART and not resource.props.get("version"):
        yield f"the chart {resource.props.get('chart')} has no pinned version"
    for image in images(resource):
        name = image.split("@")[0].rsplit("/", 1)[-1]
        if "@" not in image and name.partition(":")[2] in {"", "latest"}:
            yield f"the image {image} has no fixed tag"


def image_digest(resource: Resource, settings: Settings) -> Iterator[str]:  # noqa: ARG001
    for image in images(resource):
        if not re.search(r"@sha256:[0-9a-f]{64}$", image):
            yield f"the image {image} is not pinned by digest"
