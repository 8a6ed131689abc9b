# SPDX-License-Identifier: Apache-2.0
"""`block_configs` of networks whose layers were chosen one by one (Nemotron Ultra, Puzzle), folded to counts.

Owns the folding; the lock keeps the folded form, and the order of the layers is lost. Does not own what a kind of
block caches (`hubstack.planner.model.geometry`).
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

WITHOUT_ATTENTION = "none"


def fold_blocks(said: Any) -> dict[str, int]:
    """Return kind of block to its count: `attention`, `mamba` ..., or how many heads share a key-value head."""
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
