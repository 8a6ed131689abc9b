# SPDX-License-Identifier: Apache-2.0
"""A model's geometry, read from the many spellings of config.json.

Owns the translation from config fields to the few numbers that sizing needs. Does not own the arithmetic.
Field names: facts of each family's config.json as published on the Hub (docs/sizing.md, "Geometry").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from hubstack.facts import ModelFacts

_NESTED = ("text_config", "llm_config", "language_config")


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """The numbers of a decoder or encoder stack. None where the config does not say."""

    name: str
    """First of `architectures`; empty where the config names none."""
    model_type: str
    hidden: int | None
    ffn: int | None
    """Width of the feed-forward block that a token passes: dense, or active experts together."""
    layers: int | None
    heads: int | None
    kv_heads: int | None
    head_dim: int | None
    vocab: int | None
    max_context: int | None
    dtype: str | None
    full_layers: int
    """Layers whose cache grows with the context."""
    window_layers: int
    """Layers whose cache stops at `window` tokens."""
    window: int | None
    state_layers: int
    """Recurrent layers (Mamba, linear attention): fixed state a sequence, no cache."""
    state_bytes: int
    """State of one recurrent layer for one sequence, before tensor parallelism."""
    latent: int | None
    """Multi-head latent attention: cached numbers a token and layer, the same on every rank."""
    index: int
    """Sparse-attention index: cached bytes a token and layer, the same on every rank."""
    experts: int
    moe_ffn: int | None
    cross_tokens: int
    """Encoder tokens that a decoder's cross-attention caches for each sequence."""
    vision_parameters: int
    """Of the vision tower, replicated on every rank; 0 without one."""
    intermediate: int | None
    """Width that tensor parallelism splits in dense layers."""


def read_geometry(facts: ModelFacts) -> Geometry:
    """Read the geometry of a model from its locked config."""
    top = facts.config
    thinker = _mapping(top, "thinker_config")
    outer: Mapping[str, Any] = {**top, **thinker}
    empty: Mapping[str, Any] = {}
    nested = next((_mapping(outer, key) for key in _NESTED if _mapping(outer, key)), empty)
    text: Mapping[str, Any] = {**outer, **nested}
    layers = _int(text, "num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers")
    heads = _int(text, "num_attention_heads", "n_head", "n_heads", "decoder_attention_heads")
    hidden = _int(text, "hidden_size", "n_embd", "d_model", "dim")
    head_dim = _int(text, "head_dim") or (hidden // heads if hidden and heads else None)
    full, windowed, window, recurrent = _layer_kinds(text, layers or 0)
    architectures = top.get("architectures")
    moe_ffn = _int(text, "moe_intermediate_size")
    intermediate = _int(text, "intermediate_size", "ffn_hidden_size", "n_inner", "decoder_ffn_dim")
    return Geometry(
        name=str(architectures[0]) if architectures else "",
        model_type=str(top.get("model_type") or text.get("model_type") or ""),
        hidden=hidden,
        ffn=_active_ffn(text, intermediate, moe_ffn) or (4 * hidden if hidden else None),
        layers=layers,
        heads=heads,
        kv_heads=_kv_heads(text, heads),
        head_dim=head_dim,
        vocab=_int(text, "vocab_size"),
        max_context=_int(text, "max_position_embeddings", "n_positions", "max_target_positions",
                         "max_seq_len", "seq_length", "n_ctx", "model_max_length"),
        dtype=_word(text, "torch_dtype", "dtype"),
        full_layers=full,
        window_layers=windowed,
        window=window,
        state_layers=recurrent,
        state_bytes=_state_bytes(text),
        latent=_latent(text),
        index=_index_bytes(text),
        experts=_int(text, "num_experts", "n_routed_experts", "num_local_experts") or 0,
        moe_ffn=moe_ffn,
        cross_tokens=1500 if "encoder_layers" in text and "num_mel_bins" in text else 0,
        vision_parameters=_vision_parameters(outer),
        intermediate=intermediate,
    )  # fmt: skip


def _mapping(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _int(config: Mapping[str, Any], *keys: str) -> int | None:
    for key in keys:
        value = config.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _word(config: Mapping[str, Any], *keys: str) -> str | None:
    return next((str(config[key]).removeprefix("torch.") for key in keys if config.get(key)), None)


def _kv_heads(text: Mapping[str, Any], heads: int | None) -> int | None:
    # Falcon-7B says `multi_query` and means one head; its successors name `num_kv_heads`.
    named = _int(text, "num_key_value_heads", "n_head_kv", "multi_query_group_num")
    if named:
        return named
    if text.get("new_decoder_architecture"):
        return _int(text, "num_kv_heads") or heads
    return 1 if text.get("multi_query") else _int(text, "num_kv_heads") or heads


def _active_ffn(text: Mapping[str, Any], intermediate: int | None, moe: int | None) -> int | None:
    per_token = _int(text, "num_experts_per_tok", "num_experts_per_token", "moe_topk")
    if moe and per_token:
        shared = _int(text, "n_shared_experts") or 0
        return max(moe * (per_token + shared), intermediate or 0)
    if per_token and intermediate and _int(text, "num_local_experts", "num_experts"):
        return intermediate * per_token
    return intermediate


def _latent(text: Mapping[str, Any]) -> int | None:
    rank = _int(text, "kv_lora_rank")
    return rank + (_int(text, "qk_rope_head_dim") or 0) if rank else None


def _index_bytes(text: Mapping[str, Any]) -> int:
    # DeepSeek sparse attention keeps one fp8 index vector and a 4-byte scale a token.
    dim = _int(text, "index_head_dim")
    return dim + 4 if dim else 0


def _layer_kinds(text: Mapping[str, Any], layers: int) -> tuple[int, int, int | None, int]:
    """Return full layers, window layers, the window, recurrent layers."""
    window = _int(text, "sliding_window", "attention_chunk_size")
    if text.get("use_sliding_window") is False:
        window = None
    counts = _counted_types(text)
    if counts:
        windowed = sum(n for kind, n in counts.items() if "sliding" in kind or "chunked" in kind)
        recurrent = sum(n for kind, n in counts.items() if any(word in kind for word in _RECURRENT))
        full = sum(counts.values()) - windowed - recurrent
        return (full, windowed, window, recurrent) if window else (full + windowed, 0, None, recurrent)
    pattern = text.get("hybrid_override_pattern")
    if isinstance(pattern, str):
        return pattern.count("*"), 0, None, pattern.count("M")
    interval = _int(text, "full_attention_interval")
    if interval and _int(text, "linear_num_value_heads"):
        return layers // interval, 0, None, layers - layers // interval
    if not window:
        return layers, 0, None, 0
    every = _int(text, "sliding_window_pattern", "_sliding_window_pattern")
    if every is None and str(text.get("model_type")).startswith(("gemma2", "gpt_oss")):
        every = 2  # these alternate and older configs leave it to the model's code
    if every and every > 1:
        return layers // every, layers - layers // every, window, 0
    return 0, layers, window, 0


_RECURRENT = ("linear", "mamba", "conv", "recurrent", "ssm")


def _counted_types(text: Mapping[str, Any]) -> dict[str, int]:
    """Return layer type to count, from the Hub's list or the folded form that a lock keeps."""
    types = text.get("layer_types") or text.get("layers_block_type")
    if isinstance(types, Mapping):
        folded = _mapping(cast("Mapping[str, Any]", types), "counts") or cast("Mapping[str, Any]", types)
        return {str(kind): int(count) for kind, count in folded.items() if isinstance(count, int)}
    counts: dict[str, int] = {}
    if isinstance(types, list):
        for kind in cast("list[Any]", types):
            counts[str(kind)] = counts.get(str(kind), 0) + 1
    return counts


def _state_bytes(text: Mapping[str, Any]) -> int:
    """Return the state of one recurrent layer for one sequence: fp32 state plus a short convolution."""
    value_heads = _int(text, "linear_num_value_heads")
    if value_heads:
        key_dim = _int(text, "linear_key_head_dim") or 128
        value_dim = _int(text, "linear_value_head_dim") or 128
        key_heads = _int(text, "linear_num_key_heads") or value_heads
        convolved = 2 * key_heads * key_dim + value_heads * value_dim
        return value_heads * key_dim * value_dim * 4 + convolved * 3 * 2
    heads = _int(text, "mamba_num_heads", "mamba_n_heads")
    state = _int(text, "ssm_state_size", "mamba_d_state")
    if heads and state:
        dim = _int(text, "mamba_head_dim", "mamba_d_head") or 64
        return heads * dim * state * 4 + (heads * dim + 2 * 8 * state) * 3 * 2
    return 0


def _vision_parameters(outer: Mapping[str, Any]) -> int:
    vision = _mapping(outer, "vision_config")
    hidden = _int(vision, "hidden_size", "embed_dim", "width")
    depth = _int(vision, "num_hidden_layers", "depth", "layers")
    if not vision:
        return 0
    if not hidden or not depth:
        return 400_000_000  # a SigLIP-so400m-sized tower, the common case where the config names no width
    ffn = _int(vision, "intermediate_size") or 4 * hidden
    return depth * (4 * hidden * hidden + 2 * hidden * ffn)
