# SPDX-License-Identifier: Apache-2.0
"""KV cache bytes per token and per sequence on one rank.

Owns the two figures of every cache: bytes that grow with each token, and fixed bytes per sequence
(docs/concepts/sizing.md, "KV cache"). Does not own how much memory remains for the cache
(`hubstack.planner.memory.sizing`).
"""

from dataclasses import dataclass

from hubstack.planner.memory.workload import Workload
from hubstack.planner.model.geometry import Geometry

SPARSE_LATENT_BYTES = 656
"""Bytes per token: an fp8 latent of 512 numbers, scales and a 16-bit rotary part (vLLM's fp8_ds_mla layout)."""
TPU_LANES = 128
PAGE_TOKENS = 16
"""vLLM pages are a multiple of this, and states are padded to whole pages (0.33.0, platforms/interface.py)."""
LATENT_PADDED_BEFORE, LATENT_PADDING = (0, 9), 128
"""vLLM's V0 engine padded a latent of 576 numbers to 640 (docs/concepts/sizing.md)."""
STATIC_STATE_BEFORE = (0, 11)
"""Before this version vLLM allocated all sequences' states at startup, outside the pool (V0's Mamba cache)."""


def kv_bytes_per_token(geometry: Geometry, load: Workload, *, is_tpu: bool = False) -> int:
    """Return cache bytes per token and rank for layers whose cache grows with the context."""
    if not load.engine.has_kv_cache:
        return 0
    if geometry.compressed_token_bytes:
        return geometry.compressed_token_bytes
    groups = _groups(geometry, load)
    # On TPUs, sliding-window layers cache the whole context too.
    windowed = groups.windowed if is_tpu or _windows_hold_all(geometry, load) else 0
    return groups.full * _bytes_per_layer(geometry, load, is_tpu=is_tpu) + windowed * _window_bytes_per_layer(
        geometry, load, is_tpu=is_tpu
    )


def kv_fixed_bytes(geometry: Geometry, load: Workload, *, is_tpu: bool = False) -> int:
    """Return fixed cache bytes per sequence and rank: windows, recurrent state, cross-attention."""
    if not load.engine.has_kv_cache:
        return 0
    in_flight = load.tokens_in_flight
    if geometry.compressed_token_bytes:
        # Compressors keep tokens in flight in fp32 until a block is full.
        window = min((geometry.window or 0) + in_flight, load.context)
        return in_flight * geometry.compressor_token_bytes + window * geometry.compressed_window_bytes
    windowed = 0
    if geometry.window and not is_tpu and not _windows_hold_all(geometry, load):
        # vLLM caches the window plus the chunk being prefilled.
        held = min(geometry.window + in_flight, load.context)
        windowed = _groups(geometry, load).windowed * _window_bytes_per_layer(geometry, load, is_tpu=is_tpu) * held
    cross = geometry.cross_tokens * geometry.full_layers * _bytes_per_layer(geometry, load, is_tpu=is_tpu)
    return windowed + cross + (0 if has_static_state(load) else state_bytes(geometry, load))


def kv_window_bytes_per_token(geometry: Geometry, load: Workload) -> int:
    """Return cache bytes per token and rank for sliding-window layers."""
    if not load.engine.has_kv_cache or not geometry.window or _windows_hold_all(geometry, load):
        return 0
    return _of_stage(geometry.window_layers, load) * _window_bytes_per_layer(geometry, load, is_tpu=False)


def state_bytes(geometry: Geometry, load: Workload) -> int:
    """Return the bytes of recurrent state that one sequence holds on one rank."""
    held = 1 + load.draft_tokens
    since = load.engine.cached_state_since
    if since and (load.version is None or load.version >= since):
        held += 1  # for the prefix cache
    return held * one_state_bytes(geometry, load)


def one_state_bytes(geometry: Geometry, load: Workload) -> int:
    """Return the bytes of one recurrent state on one rank, rounded up to pages of the attention layers' size."""
    size = geometry.state_bytes // load.tensor_parallel
    page = PAGE_TOKENS * _bytes_per_layer(geometry, load, is_tpu=False) if geometry.full_layers else 0
    if page and load.engine.pages_layers and not has_static_state(load):
        size = -(-size // page) * page
    return _groups(geometry, load).recurrent * size


def has_static_state(load: Workload) -> bool:
    """Return whether the engine allocates the states of all its sequences at startup."""
    return load.version is not None and load.version < STATIC_STATE_BEFORE


def _windows_hold_all(geometry: Geometry, load: Workload) -> bool:
    """Return whether the window covers the whole context, so that its layers act as full attention."""
    return geometry.window is not None and geometry.window >= load.context


@dataclass(frozen=True, slots=True)
class _Groups:
    """Number of layers of each kind in one pipeline stage, rounded up as the engine allocates pages for them."""

    full: int
    windowed: int
    recurrent: int


def _groups(geometry: Geometry, load: Workload) -> _Groups:
    """Return the layers as vLLM groups them: equal groups per kind of cache, the last group padded."""
    full = _of_stage(geometry.full_layers, load) + load.draft_layers
    kinds = (full, _of_stage(geometry.window_layers, load), _of_stage(geometry.state_layers, load))
    present = [count for count in kinds if count]
    if not load.engine.pages_layers or len(present) < 2 or has_static_state(load):
        return _Groups(*kinds)
    size = max(present) if max(present) < 1.5 * min(present) else min(present)
    return _Groups(*(-(-count // size) * size for count in kinds))


def _of_stage(layers: int, load: Workload) -> int:
    """Return the number of layers in the fullest pipeline stage."""
    return -(-layers // load.pipeline_parallel)


def _bytes_per_layer(geometry: Geometry, load: Workload, *, is_tpu: bool) -> int:
    if geometry.latent:
        # The latent acts as one head, so each rank holds all of it.
        if load.kv_bytes == 1 and geometry.index:
            return SPARSE_LATENT_BYTES + geometry.index
        latent = geometry.latent
        if load.version is not None and load.version < LATENT_PADDED_BEFORE:
            latent = -(-latent // LATENT_PADDING) * LATENT_PADDING
        return latent * load.kv_bytes + geometry.index
    return _heads_bytes(geometry.kv_heads, geometry.head_dim, load, is_tpu=is_tpu)


def _window_bytes_per_layer(geometry: Geometry, load: Workload, *, is_tpu: bool) -> int:
    if geometry.latent:
        return _bytes_per_layer(geometry, load, is_tpu=is_tpu)
    return _heads_bytes(geometry.window_kv_heads, geometry.window_head_dim, load, is_tpu=is_tpu)


def _heads_bytes(kv_heads: int | None, head_dim: int | None, load: Workload, *, is_tpu: bool) -> int:
    # With more ranks than heads, heads are replicated: every rank has at least one.
    heads = max(1, -(-(kv_heads or 0) // load.tensor_parallel))
    dim = head_dim or 0
    if is_tpu:
        dim = -(-dim // TPU_LANES) * TPU_LANES  # smaller heads are padded to the width of a lane
    return 2 * heads * dim * load.kv_bytes
