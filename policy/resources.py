# SPDX-License-Identifier: Apache-2.0
"""A registration as every rule sees it, whoever recorded it.

Owns the type and the reading of nested properties. A value that is not known before the deployment is `[unknown]`
and a secret is `[secret]`; neither is ever a reason for a finding.
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
    """Pulumi's token, as `gcp:storage/bucket:Bucket`."""
    name: str
    """Logical name."""
    props: Mapping[str, Any]
    stack: str
    default_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Labels that its provider gives to all it makes."""

    @property
    def model(self) -> str | None:
        """Key of the model that it belongs to, by its label."""
        labels = {**mapping(self.props, "labels"), **mapping(self.props, "metadata", "labels")}
        is_ours = "hubstack" in {labels.get("managed-by"), labels.get("app.kubernetes.io/managed-by")}
        return labels.get("app.kubernetes.io/instance") or labels.get("hubstack-model") if is_ours else None


Found = tuple[Resource | None, str]
"""The resource (None: the stack as a whole) and what is wrong."""


def is_of(stack: str, environment: str) -> bool:
    """Whether a stack is an environment's: its own, or that of one of its clusters (`prod-eu` of `prod`)."""
    return stack == environment or stack.startswith(f"{environment}-")


def mapping(value: Any, *path: str) -> dict[str, Any]:
    """Return the mapping at a path; empty where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return dict(value) if isinstance(value, Mapping) else {}


def listed(value: Any, *path: str) -> list[Any]:
    """Return the list at a path; empty where there is none."""
    held = mapping(value, *path[:-1]).get(path[-1])
    return list(held) if isinstance(held, list | tuple) else []


def provider_labels(held: Any) -> dict[str, str]:
    """Return a provider's `defaultLabels`; its inputs are texts, so they are JSON."""
    try:
        found: Any = json.loads(held) if isinstance(held, str) else held
    except ValueError:
        return {}
    return mapping(found)


def has_kind(resource: Resource, *kinds: str) -> bool:
    """Compare the last part of the type: `Bucket` of `gcp:storage/bucket:Bucket`."""
    return resource.type.rsplit(":", 1)[-1] in kinds


def is_google(resource: Resource) -> bool:
    return resource.type.startswith("gcp:")


def is_object(resource: Resource) -> bool:
    return resource.type.startswith("kubernetes:")
