# SPDX-License-Identifier: Apache-2.0
"""What a token and a sequence hold in the KV cache of one rank.

Owns the two numbers of every cache: bytes that grow with each token and bytes that a sequence holds whatever its
length (docs/sizing.md, "KV cache"). Does not own what is left for the cache (`hubstack.planner.memory.sizing`).
"""

from hubstack.planner.memory.workload import Load
from hubstack.planner.model.geometry import Geometry

SPARSE_LATENT_BYTES = 656
"""fp8 latent of 512 numbers, their scales and the 16-bit rotary part (vLLM's fp8_ds_mla layout)."""
TPU_LANES = 128
STATIC_STATE_BEFORE = (0, 11)
"""Before this version vLLM took the states of all sequences at start, outside the pool (V0's Mamba cache)."""


def kv_bytes_per_token(geometry: Geometry, load: Load, *, is_tpu: bool = False) -> int:
    """Return cache bytes a token and rank of the layers whose cache grows with the context."""
    if not load.engine.has_kv_cache:
        return 0
    if geometry.compressed_token_bytes:
        return geometry.compressed_token_bytes
    layers = _of_stage(geometry.full_layers, load)
    # On TPUs windows are not exploited: their layers cache the whole context too.
    windowed = _of_stage(geometry.window_layers, load) if is_tpu else 0
    drafts = load.draft_layers * _bytes_per_layer(geometry, load, is_tpu=is_tpu)
    return (
        layers * _bytes_per_layer(geometry, load, is_tpu=is_tpu)
        + windowed * _window_bytes_per_layer(geometry, load, is_tpu=is_tpu)
        + drafts
    )


def kv_fixed_bytes(geometry: Geometry, load: Load, *, is_tpu: bool = False) -> int:
    """Return cache bytes a sequence and rank that do not grow: windows, recurrent state, cross-attention."""
    if not load.engine.has_kv_cache:
        return 0
    in_flight = load.tokens_in_flight
    if geometry.compressed_token_bytes:
        # Compressors keep what is in flight in fp32 until a block of tokens is full.
        window = min((geometry.window or 0) + in_flight, load.context)
        return in_flight * geometry.compressor_token_bytes + window * geometry.compressed_window_bytes
    windowed = 0
    if geometry.window and not is_tpu:
        # vLLM keeps the window and the chunk being prefilled.
        held = min(geometry.window + in_flight, load.context)
        layers = _of_stage(geometry.window_layers, load)
        windowed = layers * _window_bytes_per_layer(geometry, load, is_tpu=is_tpu) * held
    cross = geometry.cross_tokens * geometry.full_layers * _bytes_per_layer(geometry, load, is_tpu=is_tpu)
    return windowed + cross + (0 if has_static_state(load) else state_bytes(geometry, load))


def state_bytes(geometry: Geometry, load: Load) -> int:
    """Return the recurrent state of one sequence on one rank."""
    states = _of_stage(geometry.state_layers, load) * (1 + load.draft_tokens)
    return states * geometry.state_bytes // load.tensor_parallel


def has_static_state(load: Load) -> bool:
    """Return whether the engine takes the states of all its sequences at start."""
    return load.version is not None and load.version < STATIC_STATE_BEFORE


def _of_stage(layers: int, load: Load) -> int:
    """Return the layers of the fullest pipeline stage."""
    return -(-layers // load.pipeline_parallel)


def _bytes_per_layer(geometry: Geometry, load: Load, *, is_tpu: bool) -> int:
    if geometry.latent:
        # The latent is one head: each rank holds all of it.
        if load.kv_bytes == 1 and geometry.index:
            return SPARSE_LATENT_BYTES + geometry.index
        return geometry.latent * load.kv_bytes + geometry.index
    return _heads_bytes(geometry.kv_heads, geometry.head_dim, load, is_tpu=is_tpu)


def _window_bytes_per_layer(geometry: Geometry, load: Load, *, is_tpu: bool) -> int:
    if geometry.latent:
        return _bytes_per_layer(geometry, load, is_tpu=is_tpu)
    return _heads_bytes(geometry.window_kv_heads, geometry.window_head_dim, load, is_tpu=is_tpu)


def _heads_bytes(kv_heads: int | None, head_dim: int | None, load: Load, *, is_tpu: bool) -> int:
    # Where ranks exceed heads, heads are repeated: a rank never has less than one.
    heads = max(1, -(-(kv_heads or 0) // load.tensor_parallel))
    dim = head_dim or 0
    if is_tpu:
        dim = -(-dim // TPU_LANES) * TPU_LANES  # smaller heads are padded to the width of a lane
    return 2 * heads * dim * load.kv_bytes
