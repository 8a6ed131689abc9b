# SPDX-License-Identifier: Apache-2.0
"""Assigns the resources of an ejected program to files.

Owns file names and order: a file is named after the component of its resources, and files that would import each
other are merged.
"""

from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter

from hubstack.review.preview.graph import Resource

_OWN = {"gcp": "google", "kubernetes": "objects", "pulumi": "providers"}
"""Files for resources directly in the outermost component."""


def area_of(resource: Resource) -> str:
    """Return a resource's file, named after the type of its innermost component below the outermost one."""
    parents = resource.urn.split("::")[2].split("$")[:-1]
    if len(parents) > 1:
        return parents[-1].split(":")[1]
    kind = resource.type.split(":")
    return f"provider_{kind[2]}" if kind[0] == "pulumi" else _OWN[kind[0]]


def arrange(resources: Sequence[Resource], needs: Mapping[str, set[str]]) -> dict[str, list[Resource]]:
    """Map each file to its resources, with files and resources in dependency order.

    Args:
        resources: resources to assign.
        needs: URN to the URNs that it refers to.
    """
    by_urn = {resource.urn: resource for resource in resources}
    order = list(TopologicalSorter({urn: sorted(needs[urn]) for urn in sorted(by_urn)}).static_order())
    areas = _merged({urn: area_of(resource) for urn, resource in by_urn.items()}, needs)
    links: dict[str, set[str]] = {area: set() for area in sorted(set(areas.values()))}
    for urn, area in areas.items():
        links[area] |= {areas[needed] for needed in needs[urn]} - {area}
    files: dict[str, list[Resource]] = {area: [] for area in TopologicalSorter(links).static_order()}
    for urn in order:
        files[areas[urn]].append(by_urn[urn])
    return files


def _merged(areas: dict[str, str], needs: Mapping[str, set[str]]) -> dict[str, str]:
    """Merge files that depend on each other, also transitively, under the alphabetically first name."""
    reach: dict[str, set[str]] = {area: set() for area in areas.values()}
    for urn, area in areas.items():
        reach[area] |= {areas[needed] for needed in needs[urn]}
    for middle in sorted(reach):  # Warshall
        for found in reach.values():
            if middle in found:
                found.update(reach[middle])
    return {
        urn: min({area, *(other for other in reach[area] if area in reach[other])}) for urn, area in areas.items()
    }
