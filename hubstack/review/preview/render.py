# SPDX-License-Identifier: Apache-2.0
"""A graph as a tree for a terminal."""

from collections import Counter

from rich.tree import Tree

from hubstack.review.preview.graph import Graph, Resource


def render_tree(graph: Graph) -> Tree:
    """Draw parents and children, with the number of resources under each component."""
    children: dict[str | None, list[Resource]] = {}
    known = {resource.urn for resource in graph.resources}
    for resource in graph.resources:
        parent = resource.parent if resource.parent in known else None
        children.setdefault(parent, []).append(resource)
    tree = Tree(f"pulumi:pulumi:Stack {graph.project}-{graph.stack}  ({graph.count} resources, with the stack)")
    _grow(tree, None, children)
    return tree


def type_counts(graph: Graph) -> Counter[str]:
    """Return how many resources there are of each type."""
    return Counter(resource.type for resource in graph.resources)


def _grow(tree: Tree, parent: str | None, children: dict[str | None, list[Resource]]) -> None:
    for resource in sorted(children.get(parent, []), key=lambda each: (each.custom, each.type, each.name)):
        below = _count(resource.urn, children)
        tail = f"  ({below} resources)" if below else ""
        _grow(tree.add(f"{resource.type} {resource.name}{tail}"), resource.urn, children)


def _count(urn: str, children: dict[str | None, list[Resource]]) -> int:
    return sum(1 + _count(child.urn, children) for child in children.get(urn, []))
