# SPDX-License-Identifier: Apache-2.0
"""What a change does, told without hubstack's own comparison: sets of URNs, equal inputs, fields set only once.

A resource continues an old one of its own URN, or of one of the aliases that Pulumi's SDK computes for it. It is
replaced where a field differs that its API takes at creation only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.identity.sides import Side

FROZEN = {
    "kubernetes:apps/v1:Deployment": ("spec.selector",),
    "kubernetes:batch/v1:Job": ("spec.template", "spec.selector"),
    "kubernetes:core/v1:ConfigMap": ("data", "binaryData"),
    "kubernetes:core/v1:PersistentVolumeClaim": ("spec.accessModes", "spec.storageClassName", "spec.volumeName"),
    "gcp:cloudrunv2/job:Job": ("name", "location"),
    "gcp:cloudrunv2/service:Service": ("name", "location"),
    "gcp:container/nodePool:NodePool": ("name", "cluster", "location", "nodeConfig", "placementPolicy"),
    "gcp:serviceaccount/account:Account": ("accountId",),
    "gcp:storage/anywhereCache:AnywhereCache": ("bucket", "zone"),
    "gcp:storage/bucket:Bucket": ("name", "location"),
    "gcp:storage/bucketObject:BucketObject": ("bucket", "name"),
    "gcp:monitoring/dashboard:Dashboard": (),
    "gcp:monitoring/alertPolicy:AlertPolicy": (),
}
"""Kind to what replaces it, beside name and namespace of a Kubernetes object; of IAM members all does."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Labels of what happens; the rest is left as it is."""

    created: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()
    updated: frozenset[str] = frozenset()


def outcome(
    *,
    created: Iterable[str] = (),
    deleted: Iterable[str] = (),
    replaced: Iterable[str] = (),
    updated: Iterable[str] = (),
) -> Outcome:
    return Outcome(
        created=frozenset(created),
        deleted=frozenset(deleted),
        replaced=frozenset(replaced),
        updated=frozenset(updated),
    )


def label(resource: dict[str, Any]) -> str:
    """Return the logical name, of a component in brackets."""
    return resource["name"] if resource.get("custom") else f"[{resource['name']}]"


def pairs(old: Side, new: Side) -> dict[str, str]:
    """Return new URN to the URN that it continues."""
    free = old.resources.keys() - new.resources.keys()
    found = {urn: urn for urn in new.resources if urn in old.resources}
    for urn in new.resources.keys() - found.keys() if free else ():
        former = {*new.sdk_aliases.get(urn, ())} & free
        assert len(former) <= 1, f"{urn} may continue any of {former}"
        if former:
            found[urn] = former.pop()
    assert len(set(found.values())) == len(found), "two resources continue one"
    return found


def judge(old: Side, new: Side) -> Outcome:
    """Return what Pulumi would do to bring the old side to the new one."""
    continued = pairs(old, new)
    changed = {
        urn
        for urn, before in continued.items()
        if old.resources[before].get("inputs") != new.resources[urn].get("inputs")
    }
    replaced = {urn for urn in changed if _frozen(old.resources[continued[urn]]) != _frozen(new.resources[urn])}
    return outcome(
        created=(label(new.resources[urn]) for urn in new.resources.keys() - continued.keys()),
        deleted=(label(old.resources[urn]) for urn in old.resources.keys() - set(continued.values())),
        replaced=(label(new.resources[urn]) for urn in replaced),
        updated=(label(new.resources[urn]) for urn in changed - replaced),
    )


def _frozen(resource: dict[str, Any]) -> list[Any]:
    kind, inputs = resource["type"], resource.get("inputs", {})
    if kind.endswith(("IAMMember", "IamMember", "ModelGardenDeployment")):
        return [inputs]
    named = ("metadata.name", "metadata.namespace") if kind.startswith("kubernetes:") else ()
    held = FROZEN.get(kind, ()) if named else FROZEN[kind]
    return [_at(inputs, path) for path in (*named, *held)]


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
