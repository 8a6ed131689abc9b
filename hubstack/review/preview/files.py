# SPDX-License-Identifier: Apache-2.0
"""Writes a graph as files, one per resource, for a GitOps repository and readable `git diff` output.

Owns the layout and the text. Equal graphs give equal bytes on any machine. Components have no file of their own.

    kubernetes/cluster/<kind>-<name>.yaml                  sorts first: `kubectl apply -R` needs namespaces first
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
"""Strings that kubectl's YAML parser may read as a number, date or boolean although PyYAML does not. For example,
it reads the short commit `123e45678901` as a float and rejects the object."""


class _Dumper(yaml.SafeDumper):
    """Writes multi-line strings as block scalars, so that scripts in a ConfigMap diff line by line."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the base class's signature
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else "'" if _IS_NUMBER_ELSEWHERE.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)  # pyright: ignore[reportUnknownMemberType]


_Dumper.add_representer(str, _represent_text)


def graph_files(graph: Graph) -> dict[str, str]:
    """Return the file of every resource of a graph, as path to text, sorted by path.

    Raises:
        PreviewError: two resources map to the same file.
    """
    files: dict[str, str] = {}
    for resource in graph.resources:
        if not resource.custom:
            continue
        path = _path(resource)
        if path in files:
            raise PreviewError(f"two resources map to the file {path}; one is {resource.urn}")
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
    """Return the entry of a resource, with dependencies by type and name instead of the full URN."""
    needs = [urn.split("::", 2)[-1] for urn in resource.dependencies]
    said = {
        "type": resource.type,
        "name": resource.name,
        "inputs": dict(resource.inputs),
        "options": dict(resource.options),
        "dependencies": needs,
    }
    return {key: value for key, value in said.items() if value not in ({}, [])}


def _text(value: Mapping[str, Any]) -> str:
    return yaml.dump(
        dict(value), Dumper=_Dumper, sort_keys=True, allow_unicode=True, default_flow_style=False, width=2**31
    )
