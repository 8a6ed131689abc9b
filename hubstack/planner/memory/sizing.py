# SPDX-License-Identifier: Apache-2.0
"""Whether a model fits an accelerator and how much context remains, with every term of the arithmetic.

Owns the total and the verdict (formulas and measurements: docs/concepts/sizing.md). Pure: facts in, MemoryNeed out.
Does not own which shapes are tried (`hubstack.planner.placement.candidates`) or the engine flags that apply the
result (`hubstack.planner.engines`).

One rank's budget, as vLLM counts it: visible x share - weights - activation - runtime - graphs = KV cache.
"""

from collections.abc import Iterator
from dataclasses import replace

from hubstack.plan import MemoryNeed, MemoryTerm, Verdict
from hubstack.planner.memory.engine_memory import GIB, engine_terms, planned_share
from hubstack.planner.memory.kv_cache import has_static_state, kv_bytes_per_token, kv_fixed_bytes, one_state_bytes
from hubstack.planner.memory.workload import MAX_NUM_BATCHED_TOKENS, MAX_NUM_SEQS, Device, Workload
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import WeightsSize

__all__ = [
    "GIB",
    "MAX_NUM_BATCHED_TOKENS",
    "MAX_NUM_SEQS",
    "Device",
    "Workload",
    "kv_bytes_per_token",
    "kv_fixed_bytes",
    "max_num_seqs",
    "max_states",
    "planned_share",
    "size_model",
    "why_uncertain",
]

MARGIN_BYTES = GIB // 2
"""Margin for variation: an engine's pool differs by 0.2 to 1.2 GiB between starts (docs/concepts/sizing.md)."""
MODELLED_SINCE = (0, 6)
"""Older vLLM releases profiled memory differently, so the verdict for them is unknown."""
MEASURED_ENCODER_TOKENS = 8192
"""Largest number of tokens per step for which the image encoders' peak memory was measured."""


def max_num_seqs(load: Workload) -> int:
    """Return the pinned batch limit, raised to the requested concurrency if that is higher."""
    return load.sequences


def size_model(weights: WeightsSize, geometry: Geometry, device: Device, load: Workload) -> MemoryNeed:
    """Return the memory need of a model on one rank of its accelerators."""
    terms = [_weights_term(_loaded(weights, geometry, device), geometry, device, load)]
    if load.draft_bytes:
        size = load.draft_bytes // load.tensor_parallel
        terms.append(
            MemoryTerm(name="draft", size_bytes=size, how=f"{load.draft_bytes:,} / {load.tensor_parallel}")
        )
    terms += engine_terms(weights.size_bytes, geometry, device, load)
    return _need(terms, geometry, device, load)


def _loaded(weights: WeightsSize, geometry: Geometry, device: Device) -> WeightsSize:
    """Return the weights to load, without the audio tower on TPUs: there Gemma-4-E2B loads 8.97 of 9.54 GiB."""
    audio = geometry.audio_parameters * 2
    if not device.is_tpu or not 0 < audio < weights.size_bytes:
        return weights
    how = f"{weights.how} - {audio:,} for the audio tower"
    return replace(weights, size_bytes=weights.size_bytes - audio, how=how)


def _weights_term(weights: WeightsSize, geometry: Geometry, device: Device, load: Workload) -> MemoryTerm:
    """Return one rank's part of the weights, on the fullest pipeline stage (the first or the last)."""
    ranks, stages = load.tensor_parallel, load.pipeline_parallel
    padding = _padding(weights, geometry, device, load)
    if load.ranks == 1:
        return MemoryTerm(
            name="weights", size_bytes=weights.size_bytes + padding, how=weights.how + _padded(padding)
        )
    copied = min(_copied_parameters(geometry, ranks) * 2, weights.size_bytes)
    whole = f" + {copied:,} replicated on each rank" if copied else ""
    if stages == 1:
        size = (weights.size_bytes - copied) // ranks + copied
        how = f"({weights.how}) / {ranks} ranks{whole}"
    else:
        edges = min(geometry.embedding_parameters * 2, (weights.size_bytes - copied) // 2)
        edge = edges if geometry.tied else edges // 2
        layers = max(geometry.layers or stages, 1)
        full = min(-(-layers // stages), layers)
        size = (weights.size_bytes - copied - edges) * full // layers // ranks + copied + edge // ranks
        how = f"({weights.how} - {edges:,} for embeddings) x {full} of {layers} layers / {ranks} ranks{whole}"
        how += f" + {edge // ranks:,} for embeddings"
    return MemoryTerm(name="weights", size_bytes=size + padding, how=how + _padded(padding))


def _padded(padding: int) -> str:
    return f" + {padding:,} of padding that the kernel adds to the experts" if padding else ""


def _padding(weights: WeightsSize, geometry: Geometry, device: Device, load: Workload) -> int:
    """Return the bytes that this card's kernel adds to a rank's experts by rounding up their widths."""
    kernel, hidden, width = device.expert_kernel, geometry.hidden or 0, geometry.expert_width
    if kernel is None or not hidden or not width:
        return 0
    cut = 1 if load.expert_parallel else load.tensor_parallel
    held = -(-width // cut)
    more = _round_up(held, kernel.intermediate) * _round_up(hidden, kernel.hidden) - held * hidden
    experts = geometry.experts if cut > 1 else -(-geometry.experts // load.tensor_parallel)
    layers = -(-geometry.expert_layers // load.pipeline_parallel)
    return int(layers * experts * 3 * more * weights.expert_bits / 8)


def _round_up(width: int, multiple: int) -> int:
    return -(-width // multiple) * multiple


def _copied_parameters(geometry: Geometry, ranks: int) -> int:
    """Return parameters replicated on each rank: latent projections, and a tower whose heads are not divisible."""
    heads = geometry.vision_heads
    tower = geometry.vision_attention_parameters if heads and heads % ranks else 0
    return tower + geometry.latent_parameters


def _need(terms: list[MemoryTerm], geometry: Geometry, device: Device, load: Workload) -> MemoryNeed:
    budget = int(device.visible_bytes * load.memory_share)
    available = budget - sum(term.size_bytes for term in terms)
    per_token = kv_bytes_per_token(geometry, load, is_tpu=device.is_tpu)
    fixed = kv_fixed_bytes(geometry, load, is_tpu=device.is_tpu)
    sequence = fixed + per_token * load.context
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
        longest_context=_longest(available, geometry, device, load),
        verdict=_verdict(available, sequence * load.concurrency, geometry, device, load),
    )


def _longest(available: int, geometry: Geometry, device: Device, load: Workload) -> int:
    """Return the longest context in tokens that one sequence can have, up to the model's own limit."""
    limit = max(geometry.max_context or load.context, load.context)
    # At the limit, windows cache less than the context; the requested context may fit even if full windows do not.
    for context in (limit, load.context):
        asked = replace(load, context=context)
        per_token = kv_bytes_per_token(geometry, asked, is_tpu=device.is_tpu)
        fixed = kv_fixed_bytes(geometry, asked, is_tpu=device.is_tpu)
        if available > fixed:
            return min((available - fixed) // per_token, context) if per_token else context
    return 0


def _verdict(available: int, asked: int, geometry: Geometry, device: Device, load: Workload) -> Verdict:
    if available - asked < -MARGIN_BYTES - _doubtful_bytes(geometry, load) // 2:
        return Verdict.DOES_NOT_FIT
    return Verdict.UNCERTAIN if any(_doubts(available, asked, geometry, device, load)) else Verdict.FITS


def _doubtful_bytes(geometry: Geometry, load: Workload) -> int:
    """Return the bytes of caches that are less certain than the margin.

    One sequence's compressed caches were measured at 1.0 to 1.3 times the formula, and at half of it without
    asynchronous scheduling.
    """
    return kv_fixed_bytes(geometry, load) * load.concurrency if geometry.compressed_token_bytes else 0


def _doubtful_scan_bytes(geometry: Geometry, load: Workload) -> int:
    """Return by how much a step of DeepSeek-V4 may exceed the formula: 1 to 2 times it was measured."""
    is_compressed = bool(geometry.compressed_token_bytes)
    return load.batch_tokens * geometry.state_scratch_bytes // load.tensor_parallel if is_compressed else 0


def why_uncertain(need: MemoryNeed, geometry: Geometry, device: Device, load: Workload) -> tuple[str, ...]:
    """Return why a need that is not refused is not certain to fit, with the figures; empty if it is certain."""
    sequence = need.kv_fixed_bytes + need.kv_bytes_per_token * load.context
    return tuple(_doubts(need.kv_available_bytes, sequence * load.concurrency, geometry, device, load))


def _doubts(available: int, asked: int, geometry: Geometry, device: Device, load: Workload) -> Iterator[str]:
    spare = available - asked
    margin = MARGIN_BYTES + _doubtful_bytes(geometry, load) * 3 // 10 + _doubtful_scan_bytes(geometry, load)
    outside = device.visible_bytes - int(device.visible_bytes * load.memory_share)
    needed = load.engine.outside(geometry, device, load)
    states = max_states(available, geometry, load)
    if load.engine.estimates_without_layers and not geometry.layers:
        yield "its cache is an estimate, because the lock does not say how many layers it has"
    if load.version is not None and load.version < MODELLED_SINCE:
        yield f"memory is not modelled for {load.engine_version}"
    if spare < margin:
        left = f"{spare / GIB:.1f} GiB would be left" if spare >= 0 else f"{-spare / GIB:.1f} GiB are missing"
        yield f"{left}, and its memory can only be computed to within {margin / GIB:.1f} GiB"
    if outside < needed:
        yield f"it needs about {needed / GIB:.1f} GiB outside its share, where {outside / GIB:.1f} GiB are left"
    if geometry.vision_parameters and load.batch_tokens > MEASURED_ENCODER_TOKENS and not device.is_tpu:
        yield f"the memory of its image encoder was not measured above {MEASURED_ENCODER_TOKENS:,} tokens per step"
    if geometry.state_layers and states < load.sequences:
        yield f"the recurrent states of only {states} of {load.sequences} sequences fit"


def max_states(available: int, geometry: Geometry, load: Workload) -> int:
    """Return how many sequences' recurrent states fit the pool: vLLM refuses to start with more."""
    state = (1 + load.draft_tokens) * one_state_bytes(geometry, load)
    if not state or has_static_state(load) or load.engine.fits_batch_to_states:
        return load.sequences
    return max(0, available) // state
