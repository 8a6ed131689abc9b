# SPDX-License-Identifier: Apache-2.0
"""A graph as files, one a resource: what a GitOps repository holds and `git diff` reads well.

Owns the layout and the text. Equal graphs give equal bytes on any machine. Components register nothing of their own
and have no file; what they hold has.

    kubernetes/cluster/<kind>-<name>.yaml                  sorts first: `kubectl apply -R` needs namespaces early
    kubernetes/namespaces/<namespace>/<kind>-<name>.yaml   the object itself
    google/<module>.<Type>/<logical name>.yaml             type, inputs, options and dependencies
    helm/<logical name>.yaml, pulumi/<type>/<logical name>.yaml
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from hubstack.files.errors import PreviewError
from hubstack.review.preview.graph import Graph, Resource

_KUBERNETES, _GOOGLE = "kubernetes:", "gcp:"
_RELEASE = "kubernetes:helm.sh/"
_IS_NUMBER_ELSEWHERE = re.compile(r"[-+]?\.?[0-9][0-9a-fA-FoOxX_.:+-]*|[yYnN]")
"""Texts that kubectl's YAML reader may take for a number, a date or a truth where PyYAML does not: of a commit's 12
characters, `123e45678901` is a float to it and the object is refused."""


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as they are, so that a script in a ConfigMap is read and compared line by line."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the base class's signature
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else "'" if _IS_NUMBER_ELSEWHERE.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)  # pyright: ignore[reportUnknownMemberType]


_Dumper.add_representer(str, _represent_text)


def graph_files(graph: Graph) -> dict[str, str]:
    """Return path to text for every resource of a graph, sorted by path.

    Raises:
        PreviewError: two resources would have one file.
    """
    files: dict[str, str] = {}
    for resource in graph.resources:
        if not resource.custom:
            continue
        path = _path(resource)
        if path in files:
            raise PreviewError(f"two resources would be written to {path}; one of them is {resource.urn}")
        files[path] = _text(resource.inputs if _is_object(resource) else _entry(resource))
    return dict(sorted(files.items()))


def _is_object(resource: Resource) -> bool:
    return resource.type.startswith(_KUBERNETES) and not resource.type.startswith(_RELEASE)


def _path(resource: Resource) -> str:
    if resource.type.startswith(_RELEASE):
        return f"helm/{resource.name}.yaml"
    if _is_object(resource):
        metadata = resource.inputs["metadata"]
        name = f"{str(resource.inputs['kind']).lower()}-{metadata['name']}.yaml"
        space = metadata.get("namespace")
        return f"kubernetes/namespaces/{space}/{name}" if space else f"kubernetes/cluster/{name}"
    if resource.type.startswith(_GOOGLE):
        _, module, kind = resource.type.split(":")
        return f"google/{module.split('/')[0]}.{kind}/{resource.name}.yaml"
    return f"pulumi/{resource.type.replace(':', '.').replace('/', '.')}/{resource.name}.yaml"


def _entry(resource: Resource) -> dict[str, Any]:
    """Return what is said of a resource, with neighbours by type and name: a URN adds only the stack."""
    needs = [urn.split("::", 2)[-1] for urn in resource.dependencies]
    said = {
        "type": resource.type, "name": resource.name, "inputs": dict(resource.inputs),
        "options": dict(resource.options), "dependencies": needs,
    }  # fmt: skip
    return {key: value for key, value in said.items() if value not in ({}, [])}


def _text(value: Mapping[str, Any]) -> str:
    return yaml.dump(
        dict(value), Dumper=_Dumper, sort_keys=True, allow_unicode=True, default_flow_style=False, width=2**31
    )
