# SPDX-License-Identifier: Apache-2.0
"""Summarizes the `block_configs` of models with per-layer architectures (Nemotron Ultra, Puzzle) as counts.

Owns the summary, which is the form in the lock; it does not preserve the order of the layers. Does not own what
each kind of block caches (`hubstack.planner.model.geometry`).
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

WITHOUT_ATTENTION = "none"


def count_block_kinds(said: Any) -> dict[str, int]:
    """Return kind of block to count: `attention`, `mamba` ..., or the number of heads per key-value head."""
    if isinstance(said, Mapping):
        folded = cast("Mapping[str, Any]", said)
        return {
            str(kind): n for kind, n in folded.items() if isinstance(n, int) and not isinstance(n, bool) and n > 0
        }
    blocks = cast("list[Any]", said) if isinstance(said, list) else []
    kinds = (_kind(cast("Mapping[str, Any]", block)) for block in blocks if isinstance(block, Mapping))
    return dict(Counter(kinds))


def _kind(block: Mapping[str, Any]) -> str:
    named = block.get("block_type")
    if isinstance(named, str):
        return named
    attention: Any = block.get("attention")
    if not isinstance(attention, Mapping):
        return WITHOUT_ATTENTION
    told = cast("Mapping[str, Any]", attention)
    shared = told.get("n_heads_in_group")
    if told.get("no_op") or told.get("replace_with_linear") or not isinstance(shared, int) or shared < 1:
        return WITHOUT_ATTENTION
    return str(shared)
