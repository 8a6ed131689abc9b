# SPDX-License-Identifier: Apache-2.0
"""Accelerator memory that an engine needs besides weights and KV cache: activations, collectives, graphs, adapters.

Owns these terms, both inside and outside the engine's memory share, each backed by a measurement
(docs/concepts/sizing.md). Does not own the total (`hubstack.planner.memory.sizing`).
"""

import math
from collections.abc import Iterator

from hubstack.inputs.models_schema import Lora
from hubstack.plan import MemoryTerm
from hubstack.planner.memory.kv_cache import has_static_state, state_bytes
from hubstack.planner.memory.workload import MAX_NUM_BATCHED_TOKENS, Device, Workload
from hubstack.planner.model.geometry import Geometry

GIB = 1024**3
SAMPLER_BYTES = 38.5
"""Sampler bytes per sequence and vocabulary entry, measured over 12 vLLM starts (docs/concepts/sizing.md)."""
TEI_BATCH_TOKENS = 16384
"""TEI's default for `--max-batch-tokens`."""
GRAPH_ESTIMATE_SINCE = (0, 21)
"""First vLLM version that subtracts CUDA graphs from its KV cache pool; earlier, they were outside its share."""
CONTEXT_BYTES = int(0.6 * GIB)
"""CUDA context of a process, measured at 0.3 to 0.6 GiB (docs/concepts/sizing.md)."""
COLLECTIVES_BYTES = int(1.75 * GIB)
"""NCCL groups outside the share: 2.3 to 2.4 GiB with the CUDA context, measured on four L4s."""
TPU_PROGRAM_BYTES = int(0.85 * GIB)
"""Compiled TPU programs outside the share, measured at 836 MB or more (docs/concepts/sizing.md)."""
CHUNKED_ABOVE = 32768
"""Context length above which vLLM's V0 engine enabled chunked prefill, except with latent attention."""


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


def vllm_terms(weights_bytes: int, geometry: Geometry, _device: Device, load: Workload) -> Iterator[MemoryTerm]:
    """Yield the memory that vLLM profiles on a GPU before it assigns the rest to its KV cache pool."""
    yield _activation_term(geometry, load)
    yield _runtime_term(load)
    if load.cuda_graphs and (load.version is None or load.version >= GRAPH_ESTIMATE_SINCE):
        yield _graphs_term(weights_bytes // load.ranks, geometry)
    if geometry.state_layers and has_static_state(load):
        size = load.sequences * state_bytes(geometry, load)
        yield MemoryTerm(name="states", size_bytes=size, how=f"recurrent state of {load.sequences} sequences")


def sglang_terms(_weights_bytes: int, _geometry: Geometry, _device: Device, load: Workload) -> Iterator[MemoryTerm]:
    """Yield SGLang's runtime memory; its pool is what remains of the share once weights are loaded."""
    size = CONTEXT_BYTES + (COLLECTIVES_BYTES if load.tensor_parallel > 1 else 0)
    how = "0.6 GiB of CUDA context" + (" + 1.75 GiB of collectives" if load.tensor_parallel > 1 else "")
    yield MemoryTerm(name="runtime", size_bytes=size, how=how)


def tei_terms(_weights_bytes: int, geometry: Geometry, device: Device, load: Workload) -> Iterator[MemoryTerm]:
    """Yield the activations of TEI's largest batch, plus attention scores without flash attention."""
    hidden, ffn = geometry.hidden or 1024, geometry.ffn or 4096
    tokens = max(TEI_BATCH_TOKENS, load.context)
    size = tokens * 2 * (12 * hidden + 2 * ffn) + GIB // 2
    how = f"{tokens:,} tokens x 2 B x (12 x {hidden:,} + 2 x {ffn:,}) + 0.5 GiB of runtime"
    if not device.has_flash_attention:
        size += tokens * load.context * (geometry.heads or 16) * 8
        how += f" + scores {tokens:,} x {load.context:,} x {geometry.heads or 16} heads x 8 B"
    yield MemoryTerm(name="activation", size_bytes=size, how=how)


def llama_cpp_terms(
    weights_bytes: int, geometry: Geometry, _device: Device, load: Workload
) -> Iterator[MemoryTerm]:
    """Yield llama.cpp's compute buffers, plus a guess for the KV cache if the number of layers is unknown."""
    if geometry.layers:
        hidden, ffn = geometry.hidden or 0, geometry.ffn or 0
        more = max(0, load.batch_tokens - MAX_NUM_BATCHED_TOKENS)
        size = GIB + more * 4 * (8 * hidden + 2 * ffn)
        widths = f" + {more:,} tokens x 4 B x (8 x {hidden:,} + 2 x {ffn:,})" if more else ""
        yield MemoryTerm(name="runtime", size_bytes=size, how=f"1 GiB of compute buffers{widths}")
        return
    size = weights_bytes // 4 + GIB
    how = "a quarter of the weights + 1 GiB: the lock does not say how many layers it has, so the cache is a guess"
    yield MemoryTerm(name="cache and runtime (estimate)", size_bytes=size, how=how)


def tpu_outside_bytes(_geometry: Geometry, _device: Device, _load: Workload) -> int:
    """Return the bytes that vLLM uses outside its share on a TPU: the compiled programs."""
    return TPU_PROGRAM_BYTES


def gpu_outside_bytes(geometry: Geometry, _device: Device, load: Workload) -> int:
    """Return the bytes that vLLM and SGLang use outside their share on a GPU."""
    # The sampler warms up with its own buffer after the pool has been allocated.
    warm_up = load.sequences * (geometry.vocab or 0) * 4
    return CONTEXT_BYTES + (COLLECTIVES_BYTES if load.tensor_parallel > 1 else 0) + warm_up


def planned_share(geometry: Geometry, device: Device, load: Workload) -> float:
    """Return the memory share for the engine, lowered if the planned share would leave too little outside it."""
    room = 1 - load.engine.outside(geometry, device, load) / device.visible_bytes
    return min(load.memory_share, math.floor(room * 100) / 100)


def _activation_term(geometry: Geometry, load: Workload) -> MemoryTerm:
    """Return the largest activation that the engine profiles at startup: sampler, forward pass or largest image."""
    ranks, seqs, vocab = load.tensor_parallel, load.sequences, geometry.vocab or 0
    sampler = int(SAMPLER_BYTES * seqs * vocab)
    hidden, ffn = geometry.hidden or 0, geometry.ffn or 0
    tokens = load.batch_tokens
    forward = tokens * 2 * (2 * ffn // ranks + 8 * hidden) + tokens * geometry.state_scratch_bytes // ranks
    vision = GIB if geometry.vision_parameters else 0
    size = max(sampler, forward, vision)
    if size == sampler:
        how = f"sampler {SAMPLER_BYTES} B x {seqs} sequences x {vocab:,} vocabulary entries"
    elif size == forward:
        scratch = (
            f" + {geometry.state_scratch_bytes:,} B / {ranks} for the scan" if geometry.state_scratch_bytes else ""
        )
        how = f"{tokens:,} tokens x (2 B x (2 x {ffn:,} / {ranks} + 8 x {hidden:,}){scratch})"
    else:
        how = "1 GiB for one image of the largest size (measured)"
    return MemoryTerm(name="activation", size_bytes=size, how=how)


def _runtime_term(load: Workload) -> MemoryTerm:
    ranks = load.tensor_parallel
    size = int((0.13 + 0.2 * (ranks - 1)) * GIB)
    how = f"0.13 + 0.2 x ({ranks} - 1) GiB for the allocator and collectives"
    return MemoryTerm(name="runtime", size_bytes=size, how=how)


def _graphs_term(weights_bytes: int, geometry: Geometry) -> MemoryTerm:
    """Return vLLM's reserve for CUDA graphs: 0.2 to 0.5 GiB for small models, 1 to 2 GiB for large mixtures."""
    size = int(0.3 * GIB) + (weights_bytes // 100 if geometry.experts else 0)
    how = "0.3 GiB of CUDA graphs" + (
        " + 1 % of a rank's weights for a mixture of experts" if geometry.experts else ""
    )
    return MemoryTerm(name="graphs", size_bytes=size, how=how)


def _lora_term(lora: Lora, geometry: Geometry, load: Workload) -> MemoryTerm:
    """Return the LoRA slots' memory: two low-rank matrices for each of a layer's seven projections."""
    hidden, ffn = geometry.hidden or 0, geometry.intermediate or geometry.ffn or 0
    dim = geometry.head_dim or 0
    heads, kv = (geometry.heads or 0) * dim, (geometry.kv_heads or 0) * dim
    widths = 2 * (hidden + heads) + 2 * (hidden + kv) + 3 * (hidden + ffn)
    size = lora.slots * lora.rank * widths * (geometry.layers or 0) * 2 // load.ranks
    how = f"{lora.slots} adapters of rank {lora.rank} x {widths:,} x {geometry.layers} layers x 2 B"
    return MemoryTerm(name="adapters", size_bytes=size, how=how)
