# SPDX-License-Identifier: Apache-2.0
"""`hubstack eject`: writes a folder with a plain program and plain Kubernetes files.

Owns the layout. Of the stack's config, only the encrypted secrets are copied: the program reads nothing else.
"""

from collections.abc import Mapping
from typing import Any, cast

import yaml

from hubstack.inputs.stack import Stack
from hubstack.review.eject.program import program_files
from hubstack.review.preview.files import graph_files
from hubstack.review.preview.graph import Graph
from hubstack.review.preview.trace import trace

_KUBERNETES = ("kubernetes/", "helm/")


def ejected_files(stack: Stack, graph: Graph) -> dict[str, str]:
    """Return every file that the stack needs without hubstack, as path to text.

    Args:
        stack: the loaded stack to eject.
        graph: its registered resources, secrets masked.

    Raises:
        InputError: the config is wrong.
        PreviewError: the program failed, or contains a value that cannot be ejected.
    """
    found = trace(stack.project_dir, stack=stack.name, config=stack.source)
    description = f"The stack {stack.name}, ejected from hubstack"
    files = {f"program/{path}": text for path, text in program_files(found, description).items()}
    settings = f"program/Pulumi.{stack.name}.yaml"
    files[settings] = _secrets_of(stack.source.document.value)
    for path, text in graph_files(graph).items():
        if path.startswith(_KUBERNETES):
            files[f"kubernetes/{path.removeprefix('kubernetes/')}"] = text
    return dict(sorted(files.items()))


def _secrets_of(settings: Mapping[str, Any]) -> str:
    """Return a stack's config with only its secrets and the keys needed to decrypt them."""
    held = cast("dict[str, Any]", settings.get("config") or {})
    secret: dict[str, Any] = {
        key: held[key] for key in held if isinstance(held[key], dict) and "secure" in held[key]
    }
    return yaml.safe_dump({**settings, "config": secret}, sort_keys=True)
