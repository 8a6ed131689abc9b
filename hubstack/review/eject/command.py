# SPDX-License-Identifier: Apache-2.0
"""`hubstack eject`: a folder with the plain program and the plain Kubernetes files.

Owns the layout. Of the stack's own settings only the secrets go along, encrypted as they are: the program reads no
other.
"""

from typing import Any, cast

import yaml

from hubstack.inputs.environment import Environment
from hubstack.review.eject.program import program_files
from hubstack.review.preview.files import graph_files
from hubstack.review.preview.graph import Graph
from hubstack.review.preview.trace import trace

_KUBERNETES = ("kubernetes/", "helm/")


def ejected_files(environment: Environment, graph: Graph) -> dict[str, str]:
    """Return path to text of everything that a stack needs without hubstack.

    Args:
        environment: the stack to leave with.
        graph: what its program registers, secrets masked.

    Raises:
        InputError: the config is wrong.
        PreviewError: the program failed, or holds a value that cannot be written as a program.
    """
    found = trace(environment.project_dir, stack=environment.stack, config_file=environment.config_file)
    description = f"The stack {environment.stack}, as hubstack left it"
    files = {f"program/{path}": text for path, text in program_files(found, description).items()}
    settings = f"program/Pulumi.{environment.stack}.yaml"
    files[settings] = _secrets_of(environment.config_file.read_text(encoding="utf-8"))
    for path, text in graph_files(graph).items():
        if path.startswith(_KUBERNETES):
            files[f"kubernetes/{path.removeprefix('kubernetes/')}"] = text
    return dict(sorted(files.items()))


def _secrets_of(settings: str) -> str:
    """Return a stack's settings without those that are no secrets; what decrypts them stays."""
    said = cast("dict[str, Any]", yaml.safe_load(settings) or {})
    held = cast("dict[str, Any]", said.get("config") or {})
    secret: dict[str, Any] = {
        key: held[key] for key in held if isinstance(held[key], dict) and "secure" in held[key]
    }
    return yaml.safe_dump({**said, "config": secret}, sort_keys=True)
