# SPDX-License-Identifier: Apache-2.0
"""What a step of a batch, and a prompt, cost at the figures of the data sheets: seconds before any efficiency.

Owns how a layout shares the work and how much of the experts, the cache and the links a step touches
(docs/concepts/performance.md, "A step" and "A prompt"). Does not own efficiencies and overheads (`.formula`).
"""

import math
from dataclasses import dataclass

from hubstack.planner.performance.hardware import Hardware
from hubstack.planner.performance.work import NumberFormat, Work

ACTIVATION_BYTES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the ranks of one replica share a model."""

    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    attention_groups: int = 1
    """Groups of ranks that each hold the whole attention for their own sequences (attention data parallelism)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Tokens of an average request."""

    prompt: float
    answer: float
    cached: float = 0.0
    """Prompt tokens shared with an earlier request: already cached, so they are not processed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """KV cache use on one rank: bytes held by a sequence and read by a step."""

    token_bytes: float
    """Bytes per token in one pipeline stage, of layers whose cache grows with the context."""
    window_token_bytes: float = 0.0
    """Bytes per token of sliding-window layers."""
    state_bytes: float = 0.0
    """Bytes of a sequence's recurrent state, read and written by every step."""
    fixed_bytes: float = 0.0
    """Bytes per sequence that do not depend on its length."""
    room_bytes: float = 0.0
    """Bytes available for the cache of all sequences."""

    def sequences(self, tokens: float) -> float:
        """Return how many sequences of this length fit; unlimited without a cache."""
        one = self.token_bytes * tokens + self.fixed_bytes
        return self.room_bytes / one if one > 0 else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds at nominal figures, and the counts that overheads multiply; of one stage's share of a batch."""

    dense_s: float
    """Seconds to read the weights that every step needs."""
    expert_s: float
    """Seconds to read all routed experts."""
    expert_share: float
    """Fraction of the experts that one token is routed to; 0 without experts."""
    has_experts: float
    """1 with experts, 0 without."""
    tokens: float
    """Tokens of one decoding step."""
    cache_s: float
    matmul_s: float
    attention_s: float
    layers: float
    expert_layers: float
    latent_layers: float
    index_layers: float
    state_layers: float
    hops: float
    """Collectives per step times log2 of the ranks."""
    link_s: float
    host_sequences: float
    """Sequences per scheduler."""
    batch: float
    stages: float
    answer: float
    prompt_matmul_s: float
    prompt_attention_s: float
    prompt_link_s: float
    passes: float
    """Passes over the weights per prompt; below 1 if several prompts share a step."""
    pass_tokens: float


def nominal_costs(
    work: Work, hardware: Hardware, layout: Layout, cache: Cache, lengths: Lengths, *, batch: float, chunk: float
) -> Costs:
    """Return the costs of a running batch.

    Args:
        work: of the model.
        hardware: of one rank.
        layout: of one replica.
        cache: of one rank.
        lengths: of an average request.
        batch: sequences that run at once.
        chunk: tokens of a prompt that one step may read.
    """
    ranks, stages, groups = layout.tensor_parallel, layout.pipeline_parallel, layout.attention_groups
    rate, _ = hardware.operations(work.number_format)
    wide, _ = hardware.operations(NumberFormat.BF16)
    tokens = batch / stages
    context, prompt = lengths.prompt + lengths.answer / 2, max(lengths.prompt - lengths.cached, 1.0)
    share = work.experts_per_token / work.experts if work.experts else 0.0
    together = min(max(batch / lengths.answer, 1.0), max(1.0, chunk / prompt))
    collectives, traffic = _collectives(work, layout)
    link_bytes = work.hidden * ACTIVATION_BYTES * traffic * collectives
    return Costs(
        dense_s=_dense_bytes(work, layout) / hardware.bytes_per_s,
        expert_s=work.expert_bytes / ranks / hardware.bytes_per_s,
        expert_share=share,
        has_experts=1.0 if work.experts else 0.0,
        tokens=tokens,
        cache_s=tokens / groups * stages * _cache_bytes(work, cache, context) / hardware.bytes_per_s,
        matmul_s=2 * work.active_parameters / ranks * tokens / rate,
        attention_s=2 * tokens / ranks * _attention_products(work, context) / wide,
        layers=work.layers,
        expert_layers=work.expert_layers,
        latent_layers=work.latent_layers,
        index_layers=work.index_layers,
        state_layers=work.state_layers,
        hops=collectives * math.log2(ranks) if ranks > 1 else 0.0,
        link_s=link_bytes * tokens / hardware.link_bytes_per_s,
        host_sequences=batch / groups,
        batch=batch,
        stages=stages,
        answer=lengths.answer,
        prompt_matmul_s=_prompt_products(work, prompt) / ranks / rate,
        prompt_attention_s=_prompt_attention_products(work, prompt) / ranks / wide,
        prompt_link_s=link_bytes * prompt / hardware.link_bytes_per_s,
        passes=max(1.0, prompt / chunk) / together,
        pass_tokens=min(prompt * together, chunk),
    )


def _dense_bytes(work: Work, layout: Layout) -> float:
    ranks, groups = layout.tensor_parallel, layout.attention_groups
    if groups == 1:
        return work.dense_bytes / ranks
    return work.attention_bytes * groups / ranks + (work.dense_bytes - work.attention_bytes) / ranks


def _cache_bytes(work: Work, cache: Cache, context: float) -> float:
    read = min(context, work.sparse_tokens) if work.sparse_tokens else context
    window = min(work.window or 0, context)
    return cache.token_bytes * read + cache.window_token_bytes * window + 2 * cache.state_bytes


def _attention_products(work: Work, context: float) -> float:
    read = min(context, work.sparse_tokens) if work.sparse_tokens else context
    window = min(work.window or 0, context)
    return work.attention_width * read + work.window_attention_width * window


def _prompt_products(work: Work, prompt: float) -> float:
    return 2 * ((work.active_parameters - work.head_parameters) * prompt + work.head_parameters)


def _prompt_attention_products(work: Work, prompt: float) -> float:
    read = min(prompt / 2, work.sparse_tokens or math.inf)
    window = min(work.window or 0, prompt)
    full = work.prompt_attention_width * read + work.window_attention_width * window
    return 2 * prompt * full + prompt * prompt * work.index_width


def _collectives(work: Work, layout: Layout) -> tuple[float, float]:
    """Return the collectives of a step, and how often each moves a token's activation over a link."""
    ranks, groups = layout.tensor_parallel, layout.attention_groups
    if ranks == 1:
        return 0.0, 0.0
    around = 2 * (ranks - 1) / ranks
    if groups == 1 or not work.experts:
        return 2.0 * work.layers, around
    # Attention stays at home; a token travels to its experts and back.
    return 2.0 * work.expert_layers, around * min(work.experts_per_token, ranks) / groups
