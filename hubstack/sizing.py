# SPDX-License-Identifier: Apache-2.0
"""Does a model fit an accelerator, and how much context is left: the arithmetic, every term kept.

Owns the formulas (docs/sizing.md gives each with the measurements behind it). Pure: facts in, MemoryNeed out.
Does not own which shapes are tried (`hubstack.placement`) or which flags carry the result to the engine
(`hubstack.serving`).

One rank's budget, as vLLM counts it: visible x share - weights - activation - runtime - graphs = KV cache.
"""

from dataclasses import dataclass

from hubstack.architecture import Geometry
from hubstack.plan import EngineKind, MemoryNeed, MemoryTerm, Verdict
from hubstack.weights import WeightsSize

GIB = 1024**3
MARGIN_BYTES = GIB // 2
"""Engines' pools differ by 0.2 to 1.2 GiB from boot to boot (docs/sizing.md, "Near the line")."""
SAMPLER_BYTES = 38.5
"""Per sequence and vocabulary entry, measured over 12 vLLM boots (docs/sizing.md, "Activation")."""
MAX_NUM_SEQS = 64
"""Sequences that the engine batches at most; pinned, since its default differs by card and costs memory."""
MAX_NUM_BATCHED_TOKENS = 2048
"""Tokens of one step of chunked prefill; pinned for the same reason."""
MEMORY_SHARE = {
    EngineKind.VLLM: 0.90,
    EngineKind.VLLM_TPU: 0.90,
    EngineKind.TEI: 0.95,
    EngineKind.LLAMA_CPP: 0.95,
}
"""Share of the visible memory that is planned with. vLLM's default is 0.92; what lies outside its budget
(context, collectives, sampler warm-up) was measured at 0.5 to 2.4 GiB. The others take what they need."""
TEI_BATCH_TOKENS = 16384
"""TEI's own default."""
VISION_ITEM_TOKENS = 16384
"""Encoder tokens that the engine profiles with at start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One rank's accelerator as the engine sees it."""

    visible_bytes: int
    is_tpu: bool
    has_flash_attention: bool
    """Compute capability 8.0 and above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the model is asked to do on these ranks."""

    engine: EngineKind
    tensor_parallel: int
    context: int
    concurrency: int
    batch_tokens: int = MAX_NUM_BATCHED_TOKENS
    """Tokens of one step. An embedding is made of a whole text at once, so there it is the context."""

    @property
    def memory_share(self) -> float:
        """Share of the visible memory that the engine may use."""
        return MEMORY_SHARE[self.engine]


def max_num_seqs(load: Load) -> int:
    """Return the pinned batch limit: never below the sequences that were asked for."""
    return max(load.concurrency, MAX_NUM_SEQS)


def size_model(weights: WeightsSize, geometry: Geometry, device: Device, load: Load) -> MemoryNeed:
    """Size a model on one rank of its accelerators."""
    terms = [_weights_term(weights, geometry, load)]
    if load.engine is EngineKind.TEI:
        terms.append(_encoder_term(geometry, device, load))
    elif load.engine is EngineKind.LLAMA_CPP:
        terms.append(_llama_cpp_term(weights, geometry))
    elif device.is_tpu:
        # Compiled programs live outside the budget: 836 MB at least, seen on v5e.
        terms.append(MemoryTerm(name="compiled programs", size_bytes=GIB, how="1 GiB, measured 0.8 GiB"))
    else:
        terms += _vllm_terms(geometry, load)
    return _need(terms, geometry, device, load)


def kv_bytes_per_token(geometry: Geometry, load: Load, *, is_tpu: bool = False) -> int:
    """Return cache bytes a token and rank of the layers whose cache grows with the context."""
    # On TPUs windows are not exploited: their layers cache the whole context too.
    windowed = geometry.window_layers * _window_bytes_per_layer(geometry, load, is_tpu=True) if is_tpu else 0
    return geometry.full_layers * _kv_bytes_per_layer(geometry, load, is_tpu=is_tpu) + windowed


def kv_fixed_bytes(geometry: Geometry, load: Load, *, is_tpu: bool = False) -> int:
    """Return cache bytes a sequence and rank that do not grow: windows, recurrent state, cross-attention."""
    per_layer = _kv_bytes_per_layer(geometry, load, is_tpu=is_tpu)
    window = 0 if is_tpu else min(geometry.window or 0, load.context)
    # vLLM keeps the window and the chunk being prefilled.
    held = min(window + load.batch_tokens, load.context) if window else 0
    state = geometry.state_layers * geometry.state_bytes // load.tensor_parallel
    cross = geometry.cross_tokens * geometry.full_layers * per_layer
    windowed = geometry.window_layers * _window_bytes_per_layer(geometry, load, is_tpu=is_tpu) * held
    return windowed + state + cross


def _kv_bytes_per_layer(geometry: Geometry, load: Load, *, is_tpu: bool) -> int:
    if load.engine is EngineKind.TEI:
        return 0
    if geometry.latent:
        # The latent is one head: each rank holds all of it.
        return geometry.latent * 2 + geometry.index
    return _heads_bytes(geometry.kv_heads, geometry.head_dim, load, is_tpu=is_tpu)


def _window_bytes_per_layer(geometry: Geometry, load: Load, *, is_tpu: bool) -> int:
    if load.engine is EngineKind.TEI or geometry.latent:
        return _kv_bytes_per_layer(geometry, load, is_tpu=is_tpu)
    return _heads_bytes(geometry.window_kv_heads, geometry.window_head_dim, load, is_tpu=is_tpu)


def _heads_bytes(kv_heads: int | None, head_dim: int | None, load: Load, *, is_tpu: bool) -> int:
    heads = max(1, -(-(kv_heads or 0) // load.tensor_parallel))
    dim = head_dim or 0
    if is_tpu:
        dim = -(-dim // 128) * 128  # TPU lanes are 128 wide; smaller heads are padded
    return 2 * heads * dim * 2


def _weights_term(weights: WeightsSize, geometry: Geometry, load: Load) -> MemoryTerm:
    ranks = load.tensor_parallel
    if ranks == 1:
        return MemoryTerm(name="weights", size_bytes=weights.size_bytes, how=weights.how)
    copied = min(geometry.vision_parameters * 2, weights.size_bytes)
    size = (weights.size_bytes - copied) // ranks + copied
    tower = f" + {copied:,} of the vision tower on each" if copied else ""
    return MemoryTerm(name="weights", size_bytes=size, how=f"({weights.how}) / {ranks} ranks{tower}")


def _vllm_terms(geometry: Geometry, load: Load) -> list[MemoryTerm]:
    ranks, seqs, vocab = load.tensor_parallel, max_num_seqs(load), geometry.vocab or 0
    sampler = int(SAMPLER_BYTES * seqs * vocab)
    hidden, ffn = geometry.hidden or 0, geometry.ffn or 0
    forward = load.batch_tokens * 2 * (2 * ffn // ranks + 8 * hidden)
    activation = max(sampler, forward)
    how = (
        f"sampler {SAMPLER_BYTES} B x {seqs} sequences x {vocab:,} words"
        if sampler >= forward
        else f"{load.batch_tokens:,} tokens x 2 B x (2 x {ffn:,} / {ranks} + 8 x {hidden:,})"
    )
    terms = [MemoryTerm(name="activation", size_bytes=activation, how=how)]
    if geometry.vision_parameters:
        terms.append(
            MemoryTerm(name="vision", size_bytes=GIB, how="1 GiB for one image of the largest size, measured")
        )
    runtime = min(0.13 + 0.35 * (ranks - 1), 2.2)
    terms.append(
        MemoryTerm(
            name="runtime",
            size_bytes=int(runtime * GIB),
            how=f"0.13 + 0.35 x ({ranks} - 1) GiB, at most 2.2: allocator and collectives",
        )
    )
    graphs = 1.5 if geometry.experts else 0.5
    kind = "mixture of experts" if geometry.experts else "dense"
    terms.append(
        MemoryTerm(name="graphs", size_bytes=int(graphs * GIB), how=f"{graphs} GiB of CUDA graphs, {kind}")
    )
    return terms


def _encoder_term(geometry: Geometry, device: Device, load: Load) -> MemoryTerm:
    hidden, ffn = geometry.hidden or 1024, geometry.ffn or 4096
    tokens = max(TEI_BATCH_TOKENS, load.context)
    size = tokens * 2 * (12 * hidden + 2 * ffn) + GIB // 2
    how = f"{tokens:,} tokens x 2 B x (12 x {hidden:,} + 2 x {ffn:,}) + 0.5 GiB of runtime"
    if not device.has_flash_attention:
        size += tokens * load.context * (geometry.heads or 16) * 8
        how += f" + scores {tokens:,} x {load.context:,} x {geometry.heads or 16} heads x 8 B"
    return MemoryTerm(name="activation", size_bytes=size, how=how)


def _llama_cpp_term(weights: WeightsSize, geometry: Geometry) -> MemoryTerm:
    if geometry.layers:
        return MemoryTerm(name="runtime", size_bytes=GIB, how="1 GiB of compute buffers")
    size = weights.size_bytes // 4 + GIB
    how = "a quarter of the weights + 1 GiB: the lock gives no layers, so the cache cannot be computed"
    return MemoryTerm(name="cache and runtime (estimate)", size_bytes=size, how=how)


def _need(terms: list[MemoryTerm], geometry: Geometry, device: Device, load: Load) -> MemoryNeed:
    budget = int(device.visible_bytes * load.memory_share)
    available = budget - sum(term.size_bytes for term in terms)
    per_token = kv_bytes_per_token(geometry, load, is_tpu=device.is_tpu)
    fixed = kv_fixed_bytes(geometry, load, is_tpu=device.is_tpu)
    sequence = fixed + per_token * load.context
    asked = sequence * load.concurrency
    fits = max(0, available) // sequence if sequence else (load.concurrency if available > 0 else 0)
    usable = max(0, available - fixed * min(fits, load.concurrency))
    return MemoryNeed(
        terms=tuple(terms),
        visible_bytes=device.visible_bytes,
        budget_bytes=budget,
        kv_bytes_per_token=per_token,
        kv_fixed_bytes=fixed,
        kv_available_bytes=available,
        kv_tokens=usable // per_token if per_token else 0,
        context=load.context,
        concurrency=fits,
        verdict=_verdict(available - asked, geometry, load),
    )


def _verdict(spare: int, geometry: Geometry, load: Load) -> Verdict:
    if spare < -MARGIN_BYTES:
        return Verdict.DOES_NOT_FIT
    guessed = load.engine is EngineKind.LLAMA_CPP and not geometry.layers
    return Verdict.UNCERTAIN if spare < MARGIN_BYTES or guessed else Verdict.FITS
