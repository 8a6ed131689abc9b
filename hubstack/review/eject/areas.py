# SPDX-License-Identifier: Apache-2.0
"""Which resource stands in which file of an ejected program.

Owns the files' names and their order: a file is named by the component that held its resources, and files that
would import each other are one file.
"""

from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter

from hubstack.review.preview.graph import Resource

_OWN = {"gcp": "google", "kubernetes": "objects", "pulumi": "providers"}
"""For what stood in no component but the outermost."""


def area_of(resource: Resource) -> str:
    """Return the file that a resource would stand in: by the type of its innermost component but the outermost."""
    parents = resource.urn.split("::")[2].split("$")[:-1]
    if len(parents) > 1:
        return parents[-1].split(":")[1]
    kind = resource.type.split(":")
    return f"provider_{kind[2]}" if kind[0] == "pulumi" else _OWN[kind[0]]


def arrange(resources: Sequence[Resource], needs: Mapping[str, set[str]]) -> dict[str, list[Resource]]:
    """Return file to resources, both in an order in which each comes after what it needs.

    Args:
        resources: to be placed.
        needs: URN to the URNs that it names.
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
    """Give files that need each other, even by way of others, the first of their names."""
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
