# SPDX-License-Identifier: Apache-2.0
"""What the SDK's classes take: the inputs of a Google resource, by their names in Pulumi's protocol."""

import importlib
import inspect
import typing
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pulumi
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


def missing(cls: type, inputs: dict[str, Any], at: str = "") -> Iterator[str]:
    """Yield what the class does not let out and the inputs do not have, in depth."""
    names = _types.input_type_py_to_pulumi_names(cls)
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.default is parameter.empty and names[name] not in inputs:
            yield f"{at}{names[name]}"
    for name, kind in _types.input_type_types(cls).items():
        for item, inner in _objects(kind, inputs.get(name)):
            yield from missing(inner, item, f"{at}{name}.")


def unknown(cls: type, inputs: dict[str, Any], at: str = "") -> Iterator[str]:
    """Yield the inputs that the class does not take, in depth."""
    kinds = _types.input_type_types(cls)
    yield from (f"{at}{name}" for name in inputs if name not in kinds)
    for name, kind in kinds.items():
        for item, inner in _objects(kind, inputs.get(name)):
            yield from unknown(inner, item, f"{at}{name}.")


def _objects(kind: Any, value: Any) -> Iterator[tuple[dict[str, Any], type]]:
    kind = _types.unwrap_type(kind)
    if isinstance(value, list) and typing.get_origin(kind) in {list, Sequence}:
        for item in value:
            yield from _objects(typing.get_args(kind)[0], item)
    elif isinstance(value, dict) and isinstance(kind, type) and _types.is_input_type(kind):
        yield value, kind


def samples(cls: type) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the path of each innermost input, through lists, with inputs that hold one value: there."""
    for name, kind in _types.input_type_types(cls).items():
        for path, value in _samples(kind):
            yield (name, *path), {name: value}


def _samples(kind: Any) -> Iterator[tuple[Path, Any]]:
    kind = _types.unwrap_type(kind)
    origin, items = typing.get_origin(kind), typing.get_args(kind)
    if pulumi.Asset in items:
        yield (), "x"  # a file, which no JSON says
    elif isinstance(kind, type) and _types.is_input_type(kind):
        yield from samples(kind)
    elif origin in {list, Sequence}:
        yield from ((path, [value]) for path, value in _samples(items[0]))
    elif origin in {dict, Mapping}:
        yield from ((path, {"key": value}) for path, value in _samples(items[1]))
    else:
        yield (), SAMPLES[kind]
