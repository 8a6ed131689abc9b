# SPDX-License-Identifier: Apache-2.0
"""What the SDK's classes take: the inputs of a Google resource, by their names in Pulumi's protocol."""

import importlib
import typing
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi import _types

Path = tuple[str, ...]
SAMPLES: dict[Any, Any] = {str: "x", int: 1, float: 0.5, bool: True, Any: "x"}


def arguments(token: str) -> type:
    """Return the class of a resource's inputs (`gcp:container/nodePool:NodePool` gives `NodePoolArgs`)."""
    _, module, name = token.split(":")
    with warnings.catch_warnings():
        # The SDK warns, when a module is loaded, of classes that it still carries under old names.
        warnings.simplefilter("ignore", DeprecationWarning)
        return getattr(importlib.import_module(f"pulumi_gcp.{module.split('/')[0]}"), f"{name}Args")


def required(cls: type) -> set[str]:
    """Return the inputs that the class does not let out."""
    names = _types.input_type_py_to_pulumi_names(cls)
    hints = typing.get_type_hints(cls.__init__, localns={"pulumi": importlib.import_module("pulumi")})
    return {names[name] for name, kind in hints.items() if name in names and type(None) not in typing.get_args(kind)}


def samples(cls: type) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the path of each innermost input, through lists, with inputs that hold a value there and nothing else."""
    for name, kind in _types.input_type_types(cls).items():
        for path, value in _samples(kind):
            yield (name, *path), {name: value}


def _samples(kind: Any) -> Iterator[tuple[Path, Any]]:
    kind = _types.unwrap_type(kind)
    origin, items = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and _types.is_input_type(kind):
        yield from samples(kind)
    elif origin in {list, Sequence}:
        yield from ((path, [value]) for path, value in _samples(items[0]))
    elif origin in {dict, Mapping}:
        yield from ((path, {"key": value}) for path, value in _samples(items[1]))
    else:
        yield (), SAMPLES[kind]
