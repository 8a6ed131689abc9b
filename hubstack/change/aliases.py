# SPDX-License-Identifier: Apache-2.0
"""The URNs that a resource may have had before, as its aliases and those of its parents say.

Owns the engine's rule: an alias replaces parts of the URN (name, type, stack, project, parent), and a child of a
parent with aliases is found under each of them, its name following the parent's where it begins with it
(pulumi/pulumi pkg/resource/deploy/step_generator.go, inheritedChildAlias).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from hubstack.change.state import Data


def alias_urns(urn: str, resources: Mapping[str, Data]) -> list[str]:
    """Return the URNs that a resource may have had, the nearest first."""
    resource = resources[urn]
    parent = resources.get(str(resource.get("parent") or ""))
    found = [_resolve(alias, resource, parent) for alias in resource.get("aliases", ())]
    if parent is not None:
        for former in alias_urns(parent["urn"], resources):
            found += list(_under(former, parent, resource))
    return list(dict.fromkeys(each for each in found if each != urn))


def _resolve(alias: Any, resource: Data, parent: Data | None) -> str:
    if isinstance(alias, str):
        return alias
    if alias.get("urn"):
        return str(alias["urn"])
    spec: Data = alias.get("spec", {})
    stack, project, *_ = _parts(resource["urn"])
    parent_urn = spec.get("parentUrn") or ("" if spec.get("noParent") or parent is None else parent["urn"])
    return _urn(spec.get("stack") or stack, spec.get("project") or project, parent_urn,
                spec.get("type") or resource["type"], spec.get("name") or resource["name"])  # fmt: skip


def _under(former: str, parent: Data, resource: Data) -> Iterator[str]:
    """Yield a child's URN under a former parent."""
    name, was, now = resource["name"], former.rpartition("::")[2], parent["name"]
    stack, project, *_ = _parts(former)
    renamed = was + name.removeprefix(now) if name.startswith(now) else name
    for each in dict.fromkeys((renamed, name)):
        yield _urn(stack, project, former, resource["type"], each)


def _parts(urn: str) -> tuple[str, str, str, str]:
    stack, project, kind, name = urn.removeprefix("urn:pulumi:").split("::", 3)
    return stack, project, kind, name


def _urn(stack: str, project: str, parent_urn: str, kind: str, name: str) -> str:
    types = f"{_parts(parent_urn)[2]}$" if parent_urn and not parent_urn.endswith(":pulumi:pulumi:Stack") else ""
    types = "" if types.startswith("pulumi:pulumi:Stack$") else types
    return f"urn:pulumi:{stack}::{project}::{types}{kind}::{name}"
