# SPDX-License-Identifier: Apache-2.0
"""The accelerator memory that vLLM profiles at startup: activations, runtime, CUDA graphs.

Owns these terms, each backed by a measurement (docs/concepts/sizing.md).
"""

from collections.abc import Iterator

from hubstack.plan import MemoryTerm
from hubstack.planner.memory.engine_memory import GIB
from hubstack.planner.memory.kv_cache import has_static_state, state_bytes
from hubstack.planner.memory.workload import Device, Workload
from hubstack.planner.model.geometry import Geometry

SAMPLER_BYTES, SORTING_SAMPLER_BYTES = 14, 38.5
"""Sampler bytes per sequence and vocabulary entry: logits at 2 and 4 B, two copies at 4 B (0.33.0, v1/sample/ops);
with the earlier sort, measured over 12 starts (docs/concepts/sizing.md)."""
UNSORTED_SAMPLER_SINCE = (0, 17)
"""First vLLM version whose top-k and top-p do not sort the logits (a Triton kernel; FlashInfer from 0.21 on)."""
GRAPH_BYTES, HYBRID_GRAPH_BYTES, CAPTURED_SIZE_BYTES = int(0.1 * GIB), int(0.3 * GIB), 14 * 1024**2
HYBRID_GRAPH_TOKENS, HYBRID_TOKEN_BYTES = 4096, 128 * 1024
GRAPH_ESTIMATE_SINCE = (0, 21)
"""First vLLM version that subtracts CUDA graphs from its KV cache pool; earlier, they were outside its share."""


def vllm_terms(weights_bytes: int, geometry: Geometry, _device: Device, load: Workload) -> Iterator[MemoryTerm]:
    """Yield the memory that vLLM profiles on a GPU before it assigns the rest to its KV cache pool."""
    yield _activation_term(geometry, load)
    yield _runtime_term(load)
    if load.cuda_graphs and (load.version is None or load.version >= GRAPH_ESTIMATE_SINCE):
        yield _graphs_term(weights_bytes // load.ranks, geometry, load)
    if geometry.state_layers and has_static_state(load):
        size = load.sequences * state_bytes(geometry, load)
        yield MemoryTerm(name="states", size_bytes=size, how=f"recurrent state of {load.sequences} sequences")


def _activation_term(geometry: Geometry, load: Workload) -> MemoryTerm:
    """Return the largest activation that the engine profiles at startup: sampler, forward pass or largest image."""
    ranks, seqs, vocab = load.tensor_parallel, load.sequences, geometry.vocab or 0
    is_old = load.version is not None and load.version < UNSORTED_SAMPLER_SINCE
    sampler_bytes = SORTING_SAMPLER_BYTES if is_old else SAMPLER_BYTES
    sampler = int(sampler_bytes * seqs * vocab)
    hidden, ffn = geometry.hidden or 0, geometry.ffn or 0
    tokens = load.batch_tokens
    forward = tokens * 2 * (2 * ffn // ranks + 8 * hidden) + tokens * geometry.state_scratch_bytes // ranks
    vision = GIB if geometry.vision_parameters else 0
    size = max(sampler, forward, vision)
    if size == sampler:
        how = f"sampler {sampler_bytes} B x {seqs} sequences x {vocab:,} vocabulary entries"
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


def _graphs_term(weights_bytes: int, geometry: Geometry, load: Workload) -> MemoryTerm:
    """Return vLLM's reserve for CUDA graphs: by the number of captured batch sizes, more for mixtures and hybrids.

    With recurrent layers its profiler counts 0.2 GiB more, and what a step of more than 4,096 tokens allocates for
    a moment (vllm#52872: 0.52 GiB up to 4,096 tokens, 0.89 at 8,192; vllm#50780: 128 KiB a token).
    """
    is_hybrid = bool(geometry.state_layers and geometry.full_layers)
    base = HYBRID_GRAPH_BYTES if is_hybrid else GRAPH_BYTES
    sizes = captured_sizes(load.sequences * (1 + load.draft_tokens))
    more = max(0, load.batch_tokens - HYBRID_GRAPH_TOKENS) * HYBRID_TOKEN_BYTES if is_hybrid else 0
    mixture = weights_bytes // 100 if geometry.experts else 0
    how = f"{base / GIB:.1f} GiB of CUDA graphs + {CAPTURED_SIZE_BYTES // 1024**2} MiB x {sizes} batch sizes"
    how += f" + {more:,} for a step of {load.batch_tokens:,} tokens" if more else ""
    how += " + 1 % of a rank's weights for a mixture of experts" if mixture else ""
    return MemoryTerm(name="graphs", size_bytes=base + sizes * CAPTURED_SIZE_BYTES + more + mixture, how=how)


def captured_sizes(tokens: int) -> int:
    """Return for how many batch sizes vLLM captures a graph where a decode step has at most `tokens` tokens.

    1, 2, 4, each multiple of 8 below 256, then of 16, up to twice the tokens but no more than 512 (0.33.0,
    config/vllm.py).
    """
    largest = min(2 * tokens, 512)
    sizes = (1, 2, 4, *range(8, 256, 8), *range(256, 513, 16))
    return sum(size <= largest for size in sizes)
