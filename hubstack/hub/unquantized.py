# SPDX-License-Identifier: Apache-2.0
"""Summarizes which modules a quantized checkpoint keeps in 16 bits; a config may list hundreds of names.

Owns the kinds of modules and the summary, which is the form in the lock. Does not own sizes in bytes
(`hubstack.planner.model.weights`).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

KEYS = ("modules_to_not_convert", "ignore", "ignored_layers", "exclude_modules", "modules_to_not_quantize")
"""Keys of fbgemm and fp8, compressed-tensors, others, modelopt, and AWQ forks."""
EVERY_LAYER = -1
_KINDS = (
    ("vision", re.compile(r"vis(ion|ual)|image|mm_projector|multi_modal|audio")),
    ("recurrent", re.compile(r"mamba|mixer|conv1d|linear_attn|delta")),
    ("attention", re.compile(r"attn|attention|[qkvo]_proj\b|qkv")),
    ("experts", re.compile(r"experts(?!.*shared)")),
    ("mlp", re.compile(r"mlp|feed_forward|(gate|up|down)_proj\b|shared_expert")),
)
_LAYER = re.compile(r"\.(\d+)\.")


def summarize_unquantized(quantization: Mapping[str, Any]) -> dict[str, int]:
    """Return kind of module to the number of layers that keep it in 16 bits, or EVERY_LAYER if no layer is named.

    Accepts a `quantization_config` as published, or as summarized in a lock.
    """
    layers: dict[str, set[int]] = {}
    everywhere: set[str] = set()
    for key in KEYS:
        said: Any = quantization.get(key)
        if isinstance(said, Mapping):
            folded = cast("Mapping[str, Any]", said)
            return {kind: n for kind, n in folded.items() if isinstance(n, int) and not isinstance(n, bool)}
        for name in _texts(said):
            kind = _kind(name)
            found = _LAYER.search(name)
            if kind and found:
                layers.setdefault(kind, set()).add(int(found[1]))
            elif kind:
                everywhere.add(kind)
    counts = {kind: len(numbers) for kind, numbers in layers.items()}
    return dict(sorted((counts | dict.fromkeys(everywhere, EVERY_LAYER)).items()))


def _texts(value: Any) -> Iterable[str]:
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return (item.lower() for item in items if isinstance(item, str))


def _kind(name: str) -> str | None:
    # Embeddings and head are always in 16 bits; `mlp.gate` is a router with a few thousand weights.
    if re.search(r"(mlp|moe|feed_forward)\.(gate|router)$", name) or name in {"gate", "router"}:
        return None
    return next((kind for kind, pattern in _KINDS if pattern.search(name)), None)
