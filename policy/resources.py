# SPDX-License-Identifier: Apache-2.0
"""A registered resource as rules see it, regardless of who recorded it.

Owns the type and access to nested properties. A value not known before deployment is `[unknown]`, and a secret is
`[secret]`; neither ever causes a finding.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Settings = Mapping[str, Any]
UNKNOWN, SECRET = "[unknown]", "[secret]"
ANNOTATION = "hubstack.dev/"
RUN_SERVICE = "gcp:cloudrunv2/service:Service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One registration."""

    type: str
    """Pulumi's type token, such as `gcp:storage/bucket:Bucket`."""
    name: str
    """Logical name."""
    props: Mapping[str, Any]
    stack: str
    default_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Default labels of its provider."""

    @property
    def model(self) -> str | None:
        """Return the key of the model that it belongs to, from its label."""
        labels = {**mapping(self.props, "labels"), **mapping(self.props, "metadata", "labels")}
        is_ours = "hubstack" in {labels.get("managed-by"), labels.get("app.kubernetes.io/managed-by")}
        return labels.get("app.kubernetes.io/instance") or labels.get("hubstack-model") if is_ours else None


Found = tuple[Resource | None, str]
"""The resource (None for the whole stack) and the message."""


def is_of(stack: str, environment: str) -> bool:
    """Return whether a stack belongs to an environment: its own, or that of a cluster (`prod-eu` of `prod`)."""
    return stack == environment or stack.startswith(f"{environment}-")


def mapping(value: Any, *path: str) -> dict[str, Any]:
    """Return the mapping at a path; empty if absent."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return dict(value) if isinstance(value, Mapping) else {}


def listed(value: Any, *path: str) -> list[Any]:
    """Return the list at a path; empty if absent."""
    held = mapping(value, *path[:-1]).get(path[-1])
    return list(held) if isinstance(held, list | tuple) else []


def provider_labels(held: Any) -> dict[str, str]:
    """Return a provider's `defaultLabels`; provider inputs are strings, so they are JSON."""
    try:
        found: Any = json.loads(held) if isinstance(held, str) else held
    except ValueError:
        return {}
    return mapping(found)


def has_kind(resource: Resource, *kinds: str) -> bool:
    """Return whether the last part of the type is one of the kinds: `Bucket` in `gcp:storage/bucket:Bucket`."""
    return resource.type.rsplit(":", 1)[-1] in kinds


def is_google(resource: Resource) -> bool:
    return resource.type.startswith("gcp:")


def is_object(resource: Resource) -> bool:
    return resource.type.startswith("kubernetes:")
