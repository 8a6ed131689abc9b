# SPDX-License-Identifier: Apache-2.0
"""Reads the Hub's list of quantized builds of a model. Pure.

Owns which builds a lock names: those whose tags say a format that hubstack's engines load and its bits per weight.
The Hub takes the relation from the builds' model cards (`base_model:quantized:ID`).
"""

from typing import Any, cast

from hubstack.hub.float4 import float4_format
from hubstack.inputs.hub_names import repo_id_problem

MOST_BUILDS = 5
"""Builds to record, the most downloaded first."""
LEAST_BYTES = 20_000_000_000
"""Weights below this fit one of the smallest GPUs, so their builds are not asked for."""
_FORMATS = frozenset({"awq", "gptq", "fp8", "compressed-tensors", "modelopt"})
_BITS = {"4-bit": 4, "8-bit": 8, "awq": 4, "fp8": 8}
"""Tags, the more exact ones first. The Hub tags 4-bit floats `8-bit`, because a byte holds two of them."""


def read_builds(answer: object) -> dict[str, int]:
    """Return the bits per weight of each build that an engine could load, in the order of the answer."""
    rows = cast("list[Any]", answer) if isinstance(answer, list) else []
    found: dict[str, int] = {}
    for row in rows:
        said = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
        name, listed = said.get("id"), said.get("tags")
        tags = [str(tag).lower() for tag in cast("list[Any]", listed)] if isinstance(listed, list) else []
        is_float4 = isinstance(name, str) and float4_format(name) is not None
        bits = 4 if is_float4 else next((bits for tag, bits in _BITS.items() if tag in tags), None)
        if (
            isinstance(name, str)
            and not repo_id_problem(name)
            and bits
            and _FORMATS & {*tags}
            and "gguf" not in tags
        ):
            found[name] = bits
    return dict(list(found.items())[:MOST_BUILDS])
