# SPDX-License-Identifier: Apache-2.0
"""Reads the header of a safetensors file from its first bytes. Pure.

Owns the format (safetensors' README, "Format"): eight bytes of length, then a JSON object of tensors. The Hub
counts parameters from these headers; for own weights hubstack counts them itself. A header is untrusted input.
"""

import json
from collections import Counter
from math import prod
from typing import Any, cast

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000
"""The format's own limit (safetensors/src/tensor.rs, MAX_HEADER_SIZE)."""
_MAX_DIMENSIONS = 64
"""Our limit; weights have at most five, PyTorch's tensors at most 64."""
_METADATA = "__metadata__"


class NotSafetensorsError(ValueError):
    """The bytes are not the header of a safetensors file."""


def header_bytes(start: bytes, size_bytes: int) -> int:
    """Return how many bytes length and header have together.

    Args:
        start: the first bytes of the file.
        size_bytes: the size of the file.
    """
    length = int.from_bytes(start[:LENGTH_BYTES], "little")
    if len(start) < LENGTH_BYTES or not 2 <= length <= min(size_bytes - LENGTH_BYTES, MAX_HEADER_BYTES):
        raise NotSafetensorsError
    return LENGTH_BYTES + length


def count_parameters(header: bytes) -> Counter[str]:
    """Return the number of parameters by dtype.

    Args:
        header: the whole header, without its length.
    """
    try:
        said: Any = json.loads(header)
    except (ValueError, RecursionError):
        raise NotSafetensorsError from None
    if not isinstance(said, dict):
        raise NotSafetensorsError
    counts = Counter[str]()
    for name, tensor in cast("dict[str, Any]", said).items():
        if name == _METADATA:
            continue
        if not isinstance(tensor, dict):
            raise NotSafetensorsError
        dtype, shape = (cast("dict[str, Any]", tensor).get(key) for key in ("dtype", "shape"))
        if not isinstance(dtype, str) or not isinstance(shape, list):
            raise NotSafetensorsError
        sizes = cast("list[Any]", shape)
        # Without a limit, the product of a long list would take hours.
        if len(sizes) > _MAX_DIMENSIONS or not all(type(size) is int and 0 <= size < 2**63 for size in sizes):
            raise NotSafetensorsError
        counts[dtype] += prod(sizes)
        if counts[dtype] >= 2**63:
            raise NotSafetensorsError
    return counts
