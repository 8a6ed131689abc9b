# SPDX-License-Identifier: Apache-2.0
"""Converts property values of Pulumi's protocol to plain JSON.

Owns the unwrapping of values marked by signatures: secrets, unknowns, outputs, assets, resources.
Signatures: the SDK's own constants (pulumi.runtime.rpc).
"""

from collections.abc import Mapping
from typing import Any, cast

from google.protobuf import json_format, struct_pb2
from pulumi.runtime import rpc

MASKED = "[secret]"
UNKNOWN = "[unknown]"
_SIGNATURE = rpc._special_sig_key  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
_SECRET = rpc._special_secret_sig  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
_RESOURCE = rpc._special_resource_sig  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
_OUTPUT = rpc._special_output_value_sig  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
_ASSETS = {
    rpc._special_asset_sig: "asset",  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    rpc._special_archive_sig: "archive",  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
}


def plain_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Return a protocol object as plain JSON, secrets masked."""
    raw = json_format.MessageToDict(struct)
    return {key: plain(value) for key, value in sorted(raw.items())}


def plain(value: Any) -> Any:
    """Return one protocol value as plain JSON, secrets masked."""
    if value == rpc.UNKNOWN:
        return UNKNOWN
    if isinstance(value, list):
        return [plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return _plain_mapping(cast("dict[str, Any]", value))
    if isinstance(value, float) and value.is_integer():
        return int(value)  # the protocol has only one number type
    return value


def _plain_mapping(value: Mapping[str, Any]) -> Any:
    signature = value.get(_SIGNATURE)
    if signature is None:
        return {key: plain(item) for key, item in sorted(value.items())}
    if signature == _SECRET:
        return MASKED
    if signature == _RESOURCE:
        return value.get("urn")
    if signature == _OUTPUT:
        if value.get("secret"):
            return MASKED
        return plain(value["value"]) if "value" in value else UNKNOWN
    kind = _ASSETS.get(str(signature), "value")
    return f"[{kind}]"
