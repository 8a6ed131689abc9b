# SPDX-License-Identifier: Apache-2.0
"""Converts dataclasses to JSON-serializable data. Does not own what they mean."""

import dataclasses
from collections.abc import Mapping
from typing import Any

OMITTED_IF_NONE: Mapping[str, Any] = {"omitted_if_none": True}
"""Metadata of a field that was added later: data of those who do not use it stays as it was."""


def plain(value: Any, absent: object = ...) -> Any:
    """Return a value with dataclasses as mappings and tuples as lists, omitting fields equal to `absent`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        optional = {f.name for f in fields if f.metadata == OMITTED_IF_NONE and getattr(value, f.name) is None}
        held = ((f.name, getattr(value, f.name)) for f in fields if f.name not in optional)
        return {name: plain(each, absent) for name, each in held if each is not absent}
    if isinstance(value, Mapping):
        return {str(k): plain(v, absent) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, tuple | list):
        return [plain(item, absent) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value
