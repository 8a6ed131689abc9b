# SPDX-License-Identifier: Apache-2.0
"""Accelerator memory that several engines need besides weights and KV cache: CUDA context, collectives, adapters.

Owns these terms, both inside and outside the engine's memory share, each backed by a measurement
(docs/concepts/sizing.md). Does not own the terms of one engine (`hubstack.planner.engines`) or the total
(`hubstack.planner.memory.sizing`).
"""

import math
from collections.abc import Iterator

from hubstack.plan import MemoryTerm
from hubstack.planner.memory.workload import Device, LoraSlots, Workload
from hubstack.planner.model.geometry import Geometry

GIB = 1024**3
CONTEXT_BYTES = int(0.6 * GIB)
"""CUDA context of a process, measured at 0.3 to 0.6 GiB (docs/concepts/sizing.md)."""
COLLECTIVES_BYTES = int(1.75 * GIB)
"""NCCL groups outside the share: 2.3 to 2.4 GiB with the CUDA context, measured on four L4s."""


def engine_terms(weights_bytes: int, geometry: Geometry, device: Device, load: Workload) -> Iterator[MemoryTerm]:
    """Yield the memory terms inside the engine's share, except weights and KV cache.

    Args:
        weights_bytes: bytes of the weights on all ranks together.
        geometry: the model's dimensions.
        device: one rank's accelerator.
        load: the workload to size for.
    """
    yield from load.engine.terms(weights_bytes, geometry, device, load)
    if load.lora:
        yield _lora_term(load.lora, geometry, load)


def gpu_outside_bytes(geometry: Geometry, _device: Device, load: Workload) -> int:
    """Return the bytes that vLLM and SGLang use outside their share on a GPU."""
    # The sampler warms up with its own buffer after the pool has been allocated.
    warm_up = load.sequences * (geometry.vocab or 0) * 4
    return CONTEXT_BYTES + (COLLECTIVES_BYTES if load.tensor_parallel > 1 else 0) + warm_up


def planned_share(geometry: Geometry, device: Device, load: Workload) -> float:
    """Return the memory share for the engine, lowered if the planned share would leave too little outside it."""
    room = 1 - load.engine.outside(geometry, device, load) / device.visible_bytes
    return min(load.memory_share, math.floor(room * 100) / 100)


def _lora_term(lora: LoraSlots, geometry: Geometry, load: Workload) -> MemoryTerm:
    """Return the memory of the adapters' places, which vLLM allocates for every module whatever adapters change.

    Two low-rank matrices for each module (vLLM 0.33.0, lora/layers): those beside the hidden size whole on every
    rank, the others split by tensor parallelism; experts each have their own; embedding and output head too.
    """
    stage = -(-(geometry.layers or 0) // load.pipeline_parallel)
    routed = max(stage - geometry.dense_layers, 0) if geometry.experts and geometry.moe_ffn else 0
    widths = stage * _attention_width(geometry, load) + (stage - routed) * _dense_width(geometry, load)
    widths += routed * _expert_width(geometry, load)
    edges = 2 * ((geometry.vocab or 0) + (geometry.hidden or 0))
    how = f"{lora.slots} adapters of rank {lora.rank} x ({widths:,} in {stage} layers + {edges:,}) x 2 B"
    return MemoryTerm(name="adapters", size_bytes=lora.slots * lora.rank * (widths + edges) * 2, how=how)


def _attention_width(geometry: Geometry, load: Workload) -> int:
    hidden, dim, ranks = geometry.hidden or 0, geometry.head_dim or 0, load.tensor_parallel
    heads, kv = (geometry.heads or 0) * dim // ranks, max((geometry.kv_heads or 0) // ranks, 1) * dim
    return 2 * (hidden + heads) + 2 * (hidden + kv)


def _dense_width(geometry: Geometry, load: Workload) -> int:
    return 3 * ((geometry.hidden or 0) + (geometry.intermediate or geometry.ffn or 0) // load.tensor_parallel)


def _expert_width(geometry: Geometry, load: Workload) -> int:
    """Return the width of all experts on one rank: whole ones, or a slice of each."""
    ranks, ffn = load.tensor_parallel, geometry.moe_ffn or 0
    experts, part = (
        (-(-geometry.experts // ranks), ffn) if load.expert_parallel else (geometry.experts, ffn // ranks)
    )
    return experts * 3 * ((geometry.hidden or 0) + part) + (geometry.hidden or 0) + geometry.experts
