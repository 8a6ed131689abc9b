# SPDX-License-Identifier: Apache-2.0
"""The earlier URNs of a resource, from its aliases and those of its parent.

Owns the engine's rule (pulumi/pulumi 1b594989, pkg/resource/deploy/step_generator.go: generateAliases,
collapseAliasToUrn, inheritedChildAlias, read 2026-11-25): an alias replaces parts of the URN (name, type, stack,
project, parent). A child of a parent that was itself found under an alias is looked for below that alias, and where
its name begins with the parent's name, that beginning is the alias's name.
"""

from collections.abc import Mapping
from typing import Any

from hubstack.review.diff.state import Data


def alias_urns(urn: str, resources: Mapping[str, Data], former: Mapping[str, str]) -> list[str]:
    """Return the possible earlier URNs of a resource, in the engine's lookup order.

    Args:
        urn: of the resource.
        resources: URN to resource, components too.
        former: URN of each parent that was found under an alias, to that alias.
    """
    resource = resources[urn]
    parent = resources.get(str(resource.get("parent") or ""))
    own = [_resolve(alias, resource, parent, former) for alias in resource.get("aliases", ())]
    found = list(own)
    if parent is not None and parent["urn"] in former:
        kinds = [(resource["type"], resource["name"])]
        kinds += [(_parts(each)[2].rpartition("$")[2], _parts(each)[3]) for each in own]
        found += [_under(former[parent["urn"]], parent, resource, *kind) for kind in kinds]
    return list(dict.fromkeys(each for each in found if each != urn))


def _resolve(alias: Any, resource: Data, parent: Data | None, former: Mapping[str, str]) -> str:
    if isinstance(alias, str):
        return alias
    if alias.get("urn"):
        return str(alias["urn"])
    spec: Data = alias.get("spec", {})
    stack, project, *_ = _parts(resource["urn"])
    above = str(spec.get("parentUrn") or "")
    parent_urn = former.get(above, above) or ("" if spec.get("noParent") or parent is None else parent["urn"])
    return _urn(
        spec.get("stack") or stack,
        spec.get("project") or project,
        parent_urn,
        spec.get("type") or resource["type"],
        spec.get("name") or resource["name"],
    )


def _under(former: str, parent: Data, resource: Data, kind: str, name: str) -> str:
    """Return a child's URN under its parent's alias."""
    stack, project, *_ = _parts(resource["urn"])
    if name.startswith(parent["name"]):
        name = _parts(former)[3] + name.removeprefix(parent["name"])
    return _urn(stack, project, former, kind, name)


def _parts(urn: str) -> tuple[str, str, str, str]:
    stack, project, kind, name = urn.removeprefix("urn:pulumi:").split("::", 3)
    return stack, project, kind, name


def _urn(stack: str, project: str, parent_urn: str, kind: str, name: str) -> str:
    types = f"{_parts(parent_urn)[2]}$" if parent_urn and not parent_urn.endswith(":pulumi:pulumi:Stack") else ""
    types = "" if types.startswith("pulumi:pulumi:Stack$") else types
    return f"urn:pulumi:{stack}::{project}::{types}{kind}::{name}"
