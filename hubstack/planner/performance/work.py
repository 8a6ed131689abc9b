# SPDX-License-Identifier: Apache-2.0
"""What one token costs a model, whatever it runs on: weights that a step reads, operations, cache that it reads.

Owns the split of a checkpoint into what every step reads and what only the routed experts of its tokens read. Does
not own the bytes of a checkpoint (`hubstack.planner.model.weights`), the layout of a cache
(`hubstack.planner.memory.kv_cache`), nor seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from hubstack.hub.facts import ModelFacts
from hubstack.hub.unquantized import summarize_unquantized
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import WeightsSize, parameter_count, quantization_bits, quantization_method

_DRAFTING = ("qwen3_next", "qwen3_5_moe")
"""Families whose checkpoints contain one draft layer that no locked field names (from the Hub's counts)."""


_TIED = ("gemma", "gpt2", "opt", "bloom", "falcon", "mpt")
"""Families with tied embeddings if the config does not say (defaults of transformers 5.23.0)."""


class NumberFormat(StrEnum):
    """The format in which weights are multiplied, if the accelerator supports it."""

    BF16 = "bf16"
    FP8 = "fp8"
    INT8 = "int8"
    FP4 = "fp4"
    INT4 = "int4"
    """Weight-only quantization: multiplied in 16 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The cost of a token and of a step, on all ranks together."""

    layers: int
    hidden: int
    number_format: NumberFormat
    dense_parameters: int
    """Parameters used for every token: including the head, without embeddings and routed experts."""
    dense_bytes: int
    """The same in bytes: read by every step, regardless of its number of tokens."""
    attention_bytes: int
    """Attention's part of it, which every rank holds completely under attention data parallelism."""
    head_parameters: int
    """Parameters of the output head, which only the last token of a prompt uses."""
    expert_parameters: int = 0
    """Bytes of all routed experts."""
    expert_bytes: int = 0
    experts: int = 0
    """Routed experts per layer."""
    experts_per_token: int = 0
    expert_layers: int = 0
    """Layers with routed experts."""
    latent_layers: int = 0
    """Layers with multi-head latent attention, which run more and smaller kernels."""
    index_layers: int = 0
    """Layers with sparse attention, which selects tokens by an index first."""
    state_layers: int = 0
    """Layers with linear attention or a state space, which run more and smaller kernels."""
    attention_width: int = 0
    """Products a query makes with each cached token: full layers x heads x (key width + value width)."""
    prompt_attention_width: int = 0
    """The same while processing a prompt, when latents are expanded into heads."""
    window_attention_width: int = 0
    """The same for sliding-window layers."""
    window: int | None = None
    index_width: int = 0
    """Products of a sparse-attention index with each cached token."""
    sparse_tokens: int | None = None
    """Cached tokens that a query attends to after selection by the index; None without an index."""

    @property
    def active_parameters(self) -> float:
        """Parameters that one token is multiplied with."""
        share = self.experts_per_token / self.experts if self.experts else 0.0
        return self.dense_parameters + self.expert_parameters * share


def read_work(facts: ModelFacts, geometry: Geometry, weights: WeightsSize, *, has_head: bool = True) -> Work | None:
    """Return the cost of a token, or None if the lock does not describe the model sufficiently.

    Args:
        facts: the lock's.
        geometry: read from it.
        weights: bytes of the checkpoint once loaded.
        has_head: False where nothing is written, and no word chosen: embeddings and rankings.
    """
    total = parameter_count(facts) or _parameters_of(weights, facts)
    if not geometry.layers or not geometry.hidden or total <= 0:
        return None
    text = _text(facts.config)
    tied = bool(text.get("tie_word_embeddings", geometry.model_type.startswith(_TIED)))
    table = (geometry.vocab or 0) * geometry.hidden
    head = table if has_head else 0
    lookups = (0 if tied and has_head else table) + _layer_embeddings(text)
    per_token = _number(text, "num_experts_per_tok", "num_experts_per_token", "moe_topk", "top_k_experts")
    one, expert_layers = _expert_parameters(geometry), _expert_layers(text, geometry)
    experts = geometry.experts if per_token and one else 0
    routed = experts * one * expert_layers
    drafted = _draft_layers(text, geometry) * experts * one
    towers = geometry.vision_parameters + geometry.audio_parameters
    total = _unpacked(total, facts, routed)
    dense = max(total - routed - drafted - towers - lookups, head + total // 100)
    routed = min(routed, max(total - dense, 0))
    attention = min(_attention_parameters(text, geometry), dense)
    keeps = "attention" in summarize_unquantized(facts.quantization) or quantization_method(facts) == "mxfp4"
    wide = head + (attention if keeps else 0)
    narrow = _narrow_bytes(total, routed + dense - wide, lookups + wide + drafted + towers, weights, facts)
    attention_bytes = attention * (2 if keeps else narrow)
    return Work(
        layers=geometry.layers,
        hidden=geometry.hidden,
        number_format=number_format(facts),
        dense_parameters=dense,
        dense_bytes=int(wide * 2 + (dense - wide) * narrow),
        attention_bytes=int(attention_bytes),
        head_parameters=head,
        expert_parameters=routed,
        expert_bytes=int(routed * narrow),
        experts=experts,
        experts_per_token=min(per_token, experts),
        expert_layers=expert_layers if experts else 0,
        latent_layers=geometry.layers if geometry.latent else 0,
        state_layers=geometry.state_layers,
        **_attention(text, geometry),
    )


def number_format(facts: ModelFacts) -> NumberFormat:
    """Return the format in which a checkpoint's weights are to be multiplied."""
    bits, method = quantization_bits(facts), quantization_method(facts) or ""
    words = " ".join(str(facts.quantization.get(key, "")) for key in ("format", "quant_algo", "quant_type")).lower()
    if bits is None:
        return NumberFormat.BF16
    if bits == 8:
        is_int = "int" in words or method in {"bitsandbytes", "gptq", "awq"} or _activations(facts) == "int"
        return NumberFormat.INT8 if is_int else NumberFormat.FP8
    if bits == 4 and ("fp4" in method or "fp4" in words):
        return NumberFormat.FP4
    return NumberFormat.INT4


def _activations(facts: ModelFacts) -> str:
    groups: Any = facts.quantization.get("config_groups")
    first: Any = (
        next(iter(cast("Mapping[str, Any]", groups).values()), None) if isinstance(groups, Mapping) else None
    )
    said: Any = cast("Mapping[str, Any]", first).get("input_activations") if isinstance(first, Mapping) else None
    return str(cast("Mapping[str, Any]", said).get("type", "")) if isinstance(said, Mapping) else ""


def _text(config: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in ("text_config", "llm_config", "language_config"):
        nested = config.get(key)
        if isinstance(nested, Mapping):
            return {**config, **cast("Mapping[str, Any]", nested)}
    return config


def _number(text: Mapping[str, Any], *keys: str) -> int:
    for key in keys:
        said = text.get(key)
        if isinstance(said, int) and not isinstance(said, bool) and 0 < said < 2**40:
            return said
    return 0


def _expert_parameters(geometry: Geometry) -> int:
    """Return the parameters of one routed expert: three projections, or two without a gate."""
    return (2 if "nemotron" in geometry.model_type else 3) * (geometry.hidden or 0) * geometry.expert_width


def _expert_layers(text: Mapping[str, Any], geometry: Geometry) -> int:
    pattern = text.get("hybrid_override_pattern")
    return pattern.count("E") if isinstance(pattern, str) else geometry.expert_layers


def _draft_layers(text: Mapping[str, Any], geometry: Geometry) -> int:
    """Return the number of draft layers, which are read only for speculative decoding."""
    unnamed = 1 if geometry.model_type.startswith(_DRAFTING) else 0
    return _number(text, "num_nextn_predict_layers") or unnamed


def _layer_embeddings(text: Mapping[str, Any]) -> int:
    """Return the per-layer embeddings of Gemma 3n and 4, which are looked up and never multiplied."""
    width = _number(text, "hidden_size_per_layer_input")
    return width * _number(text, "vocab_size_per_layer_input") * _number(text, "num_hidden_layers")


def _attention_parameters(text: Mapping[str, Any], geometry: Geometry) -> int:
    hidden, heads = geometry.hidden or 0, geometry.heads or 0
    layers = geometry.full_layers + geometry.window_layers
    if geometry.latent:
        rank, rope = _number(text, "kv_lora_rank"), _number(text, "qk_rope_head_dim")
        nope, value = _number(text, "qk_nope_head_dim"), _number(text, "v_head_dim") or 128
        query = _number(text, "q_lora_rank")
        widths = (query * (hidden + heads * (nope + rope))) if query else hidden * heads * (nope + rope)
        return layers * (widths + hidden * (rank + rope) + rank * heads * (nope + value) + heads * value * hidden)
    return layers * 2 * hidden * (heads + (geometry.kv_heads or 0)) * (geometry.head_dim or 0)


def _attention(text: Mapping[str, Any], geometry: Geometry) -> dict[str, Any]:
    heads = geometry.heads or 0
    if geometry.latent:  # decoding multiplies with the latent itself
        key, value = geometry.latent, _number(text, "kv_lora_rank")
        unfolded = _number(text, "qk_nope_head_dim") + _number(text, "qk_rope_head_dim")
        unfolded += _number(text, "v_head_dim") or 128
    else:
        key = value = geometry.head_dim or 0
        unfolded = key + value
    sparse = _number(text, "index_topk") or None
    index = _number(text, "index_n_heads") * _number(text, "index_head_dim") * geometry.full_layers
    return {
        "attention_width": geometry.full_layers * heads * (key + value),
        "prompt_attention_width": geometry.full_layers * heads * unfolded,
        "window_attention_width": geometry.window_layers * heads * 2 * (geometry.window_head_dim or 0),
        "window": geometry.window,
        "index_width": index if sparse else 0,
        "sparse_tokens": sparse,
        "index_layers": geometry.full_layers if sparse else 0,
    }


def _unpacked(total: int, facts: ModelFacts, routed: int) -> int:
    """Return the number of parameters; the Hub counts stored numbers, which may each pack two."""
    packed = quantization_bits(facts) == 4 and quantization_method(facts) == "modelopt_fp4"
    return max(total * 2, routed) if packed else max(total, routed)


def _parameters_of(weights: WeightsSize, facts: ModelFacts) -> int:
    bits = quantization_bits(facts) or 16
    return weights.size_bytes * 8 // bits


def _narrow_bytes(total: int, narrow: int, wide: int, weights: WeightsSize, facts: ModelFacts) -> float:
    """Return the bytes per parameter of the layers, derived from the whole checkpoint."""
    bits = quantization_bits(facts)
    if bits is None:
        return min(max(weights.size_bytes / total, 0.25), 4.0)
    measured = (weights.size_bytes - 2 * wide) / narrow if narrow > 0 else bits / 8
    return min(max(measured, bits / 8), bits / 8 * 1.3)
