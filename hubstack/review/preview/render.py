# SPDX-License-Identifier: Apache-2.0
"""Renders a graph as a tree or table for the terminal."""

from collections import Counter
from collections.abc import Mapping

from rich.tree import Tree

from hubstack.review.preview.graph import Graph, Resource
from hubstack.review.report.tables import Column, FittedTable


def render_tree(graph: Graph) -> Tree:
    """Draw parents and children, with the number of resources under each component."""
    children: dict[str | None, list[Resource]] = {}
    known = {resource.urn for resource in graph.resources}
    for resource in graph.resources:
        parent = resource.parent if resource.parent in known else None
        children.setdefault(parent, []).append(resource)
    tree = Tree(
        f"pulumi:pulumi:Stack {graph.project}-{graph.stack}  ({graph.count} resources, including the stack)"
    )
    _grow(tree, None, children)
    return tree


def component_table(graph: Graph) -> FittedTable:
    """Return one row per component type: its count and the number of resources it contains."""
    known = {resource.urn: resource for resource in graph.resources}
    held, made = Counter[str](), Counter[str]()
    for resource in graph.resources:
        kind = _owner(resource, known)
        if not resource.custom:
            made[resource.type.rpartition(":")[2]] += 1
        else:
            held[kind] += 1
    names = sorted({*held, *made}, key=lambda name: (-held[name], name))
    return FittedTable(
        (
            Column(name="component", cells=names),
            Column(name="count", cells=[f"{made[name]:,}" for name in names], is_number=True),
            Column(name="resources", cells=[f"{held[name]:,}" for name in names], is_number=True),
        )
    )


def _owner(resource: Resource, known: Mapping[str, Resource]) -> str:
    """Return the type of the component that directly contains a resource."""
    parent = known.get(resource.parent or "")
    while parent is not None and parent.custom:
        parent = known.get(parent.parent or "")
    return parent.type.rpartition(":")[2] if parent else "(the stack itself)"


def _grow(tree: Tree, parent: str | None, children: dict[str | None, list[Resource]]) -> None:
    for resource in sorted(children.get(parent, []), key=lambda each: (each.custom, each.type, each.name)):
        below = _count(resource.urn, children)
        tail = f"  ({below} resource{'s' if below > 1 else ''})" if below else ""
        _grow(tree.add(f"{resource.type} {resource.name}{tail}"), resource.urn, children)


def _count(urn: str, children: dict[str | None, list[Resource]]) -> int:
    return sum(1 + _count(child.urn, children) for child in children.get(urn, []))
