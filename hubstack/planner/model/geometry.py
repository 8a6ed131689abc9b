# SPDX-License-Identifier: Apache-2.0
"""A model's dimensions, read from the different field names that families use in config.json.

Owns the translation from config fields to the few numbers that sizing needs. Does not own the arithmetic. Field
names come from each family's config.json on the Hub (docs/concepts/sizing.md, "Geometry"). Configs are untrusted:
implausible numbers are treated as absent, and layers of an unknown kind are assumed to cache the whole context.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from hubstack.files.whole_numbers import whole_number
from hubstack.hub.blocks import count_block_kinds
from hubstack.hub.facts import ModelFacts

_NESTED = ("text_config", "llm_config", "language_config")
_LARGEST = 2**40
"""Larger numbers are not plausible sizes: tokenizers write 10^30 for "no limit"."""

_LLAMA = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "vocab_size": 32000,
    "max_position_embeddings": 2048,
}
_MISTRAL = {**_LLAMA, "intermediate_size": 14336, "num_key_value_heads": 8, "max_position_embeddings": 131072}
_GEMMA3 = {
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 26,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "vocab_size": 262208,
    "max_position_embeddings": 131072,
    "sliding_window": 4096,
}
_LEFT_OUT: Mapping[str, Mapping[str, int]] = {
    "llama": _LLAMA,
    "mistral": _MISTRAL,
    "mixtral": _MISTRAL,
    "gemma3_text": _GEMMA3,
}
"""Family defaults of transformers 5.23.0 (`configuration_<family>.py`). Nested configs omit fields that equal them:
`google/gemma-3-4b-it`, for example, has no head count."""

_EVERY = {"gemma2": 2, "gpt_oss": 2, "cohere2": 4, "exaone4": 4, "olmo3": 4, "gemma3n": 5, "gemma3": 6, "gemma4": 6}
"""Interval of full-attention layers per family (the others use a sliding window), where only the model's code
defines it (source as above)."""
_WINDOW_EVERYWHERE = ("mistral", "mixtral", "phi3", "phi4", "phimoe", "starcoder2")
_RECURRENT_ONLY = ("mamba", "mamba2", "falcon_mamba")
_RECURRENT = ("linear", "mamba", "conv", "recurrent", "ssm", "hybrid", "kda", "delta", "lightning")
_CACHELESS = ("mlp", "moe")
_OFFSET_POSITIONS = frozenset(
    {
        "camembert",
        "data2vec-text",
        "mpnet",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xmod",
    }
)
"""Families whose positions start after the padding token: 514 positions hold 512 tokens, and the tokens above that
have no embedding (transformers 5.20.2, `create_position_ids_from_input_ids`; vLLM 0.33.0, models/roberta.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Dimensions of a decoder or encoder stack; None if the config does not give them."""

    name: str
    """First entry of `architectures`; empty if the config has none."""
    model_type: str
    hidden: int | None
    ffn: int | None
    """Width of the feed-forward block per token: the dense block, or all active experts together."""
    layers: int | None
    heads: int | None
    kv_heads: int | None
    head_dim: int | None
    window_kv_heads: int | None
    """Key-value heads of sliding-window layers; in some families they differ from full layers."""
    window_head_dim: int | None
    vocab: int | None
    max_context: int | None
    dtype: str | None
    full_layers: int
    """Number of layers whose cache grows with the context."""
    window_layers: int
    """Number of layers whose cache is limited to `window` tokens."""
    window: int | None
    state_layers: int
    """Number of recurrent layers (Mamba, linear attention): fixed state per sequence, no cache."""
    state_bytes: int
    """Bytes of one recurrent layer's state per sequence, before tensor parallelism."""
    latent: int | None
    """Multi-head latent attention: cached numbers per token and layer, replicated on every rank."""
    index: int
    """Sparse-attention index: cached bytes per token and layer, replicated on every rank."""
    experts: int
    moe_ffn: int | None
    cross_tokens: int
    """Encoder tokens per sequence that the decoder's cross-attention caches."""
    vision_parameters: int
    """Parameters of the vision tower, replicated on every rank; 0 without one."""
    intermediate: int | None
    """Feed-forward width of dense layers, which tensor parallelism splits."""
    audio_parameters: int = 0
    """Parameters of the audio tower."""
    vision_heads: int = 0
    vision_attention_parameters: int = 0
    """Attention heads of the vision tower: if not divisible by the ranks, every rank holds the whole tower."""
    latent_parameters: int = 0
    """Parameters of the projections into the latent, replicated on every rank."""
    state_scratch_bytes: int = 0
    """Bytes of working memory per token of a step for the recurrent layers' scan, on all ranks together."""
    compressed_token_bytes: int = 0
    """Compressed caches (DeepSeek-V4): bytes per token over all layers, replicated on every rank."""
    compressed_window_bytes: int = 0
    """Compressed caches: bytes per token of the window."""
    compressor_token_bytes: int = 0
    """Compressed caches: bytes of the compressors' fp32 state per token in flight."""
    dense_layers: int = 0
    """Dense layers of a mixture of experts."""
    tied: bool = False
    """Whether the output head shares its weights with the embeddings."""

    @property
    def embedding_parameters(self) -> int:
        """Parameters of the embedding table, and of the output head if it is separate."""
        return (self.vocab or 0) * (self.hidden or 0) * (1 if self.tied else 2)

    @property
    def expert_width(self) -> int:
        """Width of one expert; 0 without experts."""
        return (self.moe_ffn or self.intermediate or 0) if self.experts else 0

    @property
    def expert_layers(self) -> int:
        """Number of layers with experts."""
        return max(0, (self.layers or 0) - self.dense_layers) if self.experts else 0

    @property
    def expert_parameters(self) -> int:
        """Parameters of all experts, three matrices each."""
        return self.expert_layers * self.experts * 3 * (self.hidden or 0) * self.expert_width

    @property
    def linear_parameters(self) -> int:
        """Parameters of the linear layers without embeddings; 0 if the config does not give them."""
        hidden, layers = self.hidden or 0, self.layers or 0
        attention = 2 * hidden * ((self.heads or 0) + (self.kv_heads or 0)) * (self.head_dim or 0)
        dense = layers - self.expert_layers
        return layers * attention + dense * 3 * hidden * (self.intermediate or 0) + self.expert_parameters

    @property
    def dense_parameters(self) -> int:
        """Parameters of a text model with only full attention and gated feed-forwards; 0 for any other model."""
        other = self.experts or self.latent or self.state_layers or self.vision_parameters or self.audio_parameters
        return 0 if other or self.cross_tokens else self.linear_parameters


def read_geometry(facts: ModelFacts) -> Geometry:
    """Return the dimensions of a model from its locked config."""
    top = facts.config
    outer: Mapping[str, Any] = {**top, **_mapping(top, "thinker_config")}
    empty: Mapping[str, Any] = {}
    nested = next((_mapping(outer, key) for key in _NESTED if _mapping(outer, key)), empty)
    left_out = _LEFT_OUT.get(_word(nested, "model_type") or "", empty)
    text: Mapping[str, Any] = {**left_out, **outer, **nested}
    # In an encoder-decoder only the decoder caches, and `num_hidden_layers` counts the encoder's layers.
    layers = _int(text, "decoder_layers", "num_hidden_layers", "n_layer", "n_layers", "num_layers")
    heads = _int(text, "num_attention_heads", "n_head", "n_heads", "decoder_attention_heads")
    hidden = _int(text, "hidden_size", "n_embd", "n_embed", "d_model", "dim")
    kv_heads, head_dim = _attention(text, heads, hidden)
    stack = _read_layers(text, layers or 0)
    moe_ffn = _int(text, "moe_intermediate_size")
    intermediate = _int(text, "intermediate_size", "ffn_hidden_size", "n_inner", "decoder_ffn_dim", "ffn_dim")
    return Geometry(
        name=_first_word(top.get("architectures")),
        model_type=_word(top, "model_type") or _word(text, "model_type") or "",
        hidden=hidden,
        ffn=_active_ffn(text, intermediate, moe_ffn) or (4 * hidden if hidden else None),
        layers=layers,
        heads=heads,
        kv_heads=_global_kv_heads(text) or kv_heads,
        head_dim=_int(text, "global_head_dim") or head_dim,
        window_kv_heads=_int(text, "swa_num_key_value_heads") or kv_heads,
        window_head_dim=_int(text, "swa_head_dim") or head_dim,
        vocab=_int(text, "vocab_size", "padded_vocab_size"),
        max_context=_max_context(text, _mapping(top, "sentence_transformers")),
        dtype=_word(text, "torch_dtype", "dtype"),
        full_layers=stack.full,
        window_layers=stack.windowed,
        window=stack.window,
        state_layers=stack.recurrent,
        state_bytes=_state_bytes(text, hidden or 0) if stack.recurrent else 0,
        latent=_latent(text),
        index=_index_bytes(text),
        experts=_experts(text),
        moe_ffn=moe_ffn,
        cross_tokens=1500 if "encoder_layers" in text and "num_mel_bins" in text else 0,
        vision_parameters=_vision_parameters(outer),
        intermediate=intermediate,
        audio_parameters=_audio_parameters(outer),
        vision_heads=_int(_mapping(outer, "vision_config"), "num_attention_heads", "num_heads") or 0,
        vision_attention_parameters=_vision_attention(outer),
        latent_parameters=_latent_parameters(text, layers or 0, hidden or 0),
        state_scratch_bytes=_scratch_bytes(text),
        compressed_token_bytes=_compressed(text)[0],
        compressed_window_bytes=_compressed(text)[1],
        compressor_token_bytes=_compressed(text)[2],
        dense_layers=_dense_layers(text, layers or 0),
        tied=text.get("tie_word_embeddings") is True,
    )


def _mapping(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _numbers(value: Any) -> list[int]:
    """Return the integers of a list; a single integer counts as a list."""
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    whole = (int(n) for n in items if isinstance(n, int | float) and not isinstance(n, bool) and n == n // 1)
    return list(whole)


def _int(config: Mapping[str, Any], *keys: str) -> int | None:
    """Return the first plausible size under these keys; for per-layer lists, the largest."""
    for key in keys:
        said = config.get(key)
        if said is None:  # most keys belong to other families
            continue
        sizes = [n for n in _numbers(said) if 0 < n < _LARGEST]
        if sizes:
            return max(sizes)
    return None


def _word(config: Mapping[str, Any], *keys: str) -> str | None:
    words = (config.get(key) for key in keys)
    return next((word.removeprefix("torch.") for word in words if isinstance(word, str) and word), None)


def _first_word(value: Any) -> str:
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    return items[0] if items and isinstance(items[0], str) else ""


def _family(text: Mapping[str, Any]) -> str:
    return (_word(text, "model_type") or "").removesuffix("_text")


def _attention(text: Mapping[str, Any], heads: int | None, hidden: int | None) -> tuple[int | None, int | None]:
    """Return the number of key-value heads and the head dimension."""
    if _family(text) == "minicpm3":  # trained with latents, but vLLM serves it with unfolded heads
        parts = (_int(text, "qk_nope_head_dim") or 0) + (_int(text, "qk_rope_head_dim") or 0)
        return heads, parts or None
    return _kv_heads(text, heads), _int(text, "head_dim") or (hidden // heads if hidden and heads else None)


def _kv_heads(text: Mapping[str, Any], heads: int | None) -> int | None:
    # Falcon-7B and StarCoder set `multi_query`, which means one head regardless of other fields.
    if text.get("multi_query") is True and not text.get("new_decoder_architecture"):
        return 1
    named = _int(text, "num_key_value_heads", "n_head_kv", "multi_query_group_num")
    named = named or _int(_mapping(text, "attn_config"), "kv_n_heads")
    named = named or _int(text, "num_kv_heads", "num_attention_groups")
    shared = [group for kind in count_block_kinds(text.get("block_configs")) if (group := whole_number(kind))]
    if not named and shared and heads:
        return heads // min(shared)
    return named or heads


def _global_kv_heads(text: Mapping[str, Any]) -> int | None:
    # Gemma 4: full layers have fewer heads only if keys and values share one projection.
    return _int(text, "num_global_key_value_heads") if text.get("attention_k_eq_v") is True else None


def _active_ffn(text: Mapping[str, Any], intermediate: int | None, moe: int | None) -> int | None:
    per_token = _int(text, "num_experts_per_tok", "num_experts_per_token", "moe_topk", "top_k_experts")
    if moe and per_token:
        shared = _int(text, "n_shared_experts") or 0
        return max(moe * (per_token + shared), intermediate or 0)
    if per_token and intermediate and _int(text, "num_local_experts", "num_experts"):
        return intermediate * per_token
    return intermediate


def _max_context(text: Mapping[str, Any], sentences: Mapping[str, Any]) -> int | None:
    """Return the longest input: of the positions, or what sentence-transformers allows of them.

    vLLM (config/model.py) and TEI (router/src/lib.rs) take the latter over the config's, and vLLM does not start
    with a longer `--max-model-len`.
    """
    longest = _int(sentences, "max_seq_length")
    positions = _int(
        text,
        "max_position_embeddings",
        "n_positions",
        "max_target_positions",
        "max_seq_len",
        "seq_length",
        "n_ctx",
        "model_max_length",
    )
    is_offset = (_word(text, "model_type") or "") in _OFFSET_POSITIONS
    own = positions - 2 if positions and is_offset and positions > 2 else positions
    return min(own, longest) if own and longest else own or longest


def _experts(text: Mapping[str, Any]) -> int:
    """Return the number of routed experts; one expert is a dense layer (Jamba Reasoning)."""
    count = _int(text, "num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts") or 0
    return count if count > 1 else 0


def _dense_layers(text: Mapping[str, Any], layers: int) -> int:
    """Return how many layers of a mixture have no experts, under any family's field names."""
    first = _int(text, "first_k_dense_replace")
    every = _int(text, "decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_freq") or 1
    named = text.get("mlp_only_layers")
    listed = len(cast("list[Any]", named)) if isinstance(named, list) else 0
    return min(layers, first or listed or (layers - layers // every))


def _latent(text: Mapping[str, Any]) -> int | None:
    rank = None if _family(text) == "minicpm3" else _int(text, "kv_lora_rank")
    return rank + (_int(text, "qk_rope_head_dim") or 0) if rank else None


def _latent_parameters(text: Mapping[str, Any], layers: int, hidden: int) -> int:
    latent = _latent(text)
    return layers * hidden * (latent + (_int(text, "q_lora_rank") or 0)) if latent else 0


def _index_bytes(text: Mapping[str, Any]) -> int:
    # DeepSeek sparse attention caches one fp8 index vector and a 4-byte scale per token.
    dim = _int(text, "index_head_dim")
    return dim + 4 if dim else 0


@dataclass(frozen=True, slots=True)
class _Layers:
    """Number of layers by kind of cache."""

    full: int
    windowed: int = 0
    recurrent: int = 0
    window: int | None = None


def _read_layers(text: Mapping[str, Any], layers: int) -> _Layers:
    # The last layers of Gemma 3n and 4 reuse the cache of earlier layers.
    shared = _int(text, "num_kv_shared_layers") or 0
    owned = layers - shared if shared < layers else layers
    window = None if text.get("use_sliding_window") is False else _int(text, "sliding_window")
    if _family(text).startswith("qwen") and not text.get("use_sliding_window"):
        window = None  # off by default in these families
    found = _recurrent_layers(text, owned) or _listed_layers(text, layers, owned)
    if found is None:
        every = _rhythm(text) if window else 1
        full = owned // every if every else 0
        found = _Layers(full, owned - full)
    if not window:
        return _Layers(found.full + found.windowed, 0, found.recurrent)
    return _Layers(found.full, found.windowed, found.recurrent, window)


def _recurrent_layers(text: Mapping[str, Any], layers: int) -> _Layers | None:
    """Return the layers of families that mark recurrent layers without a list of layer types."""
    pattern, blocks = text.get("hybrid_override_pattern"), count_block_kinds(text.get("block_configs"))
    if isinstance(pattern, str):
        blocks = {"attention": pattern.count("*"), "mamba": pattern.count("M")}
    if blocks:
        return _blocks(blocks)
    linear = _mapping(text, "linear_attn_config")
    if linear.get("kda_layers"):
        recurrent = min(len(_numbers(linear["kda_layers"])), layers)
        return _Layers(layers - recurrent, 0, recurrent)
    if _family(text) in _RECURRENT_ONLY:
        return _Layers(0, 0, layers)
    if _family(text) == "falcon_h1":  # every layer has both attention and Mamba
        return _Layers(layers, 0, layers)
    every = _int(text, "attn_layer_period")
    if every is None and _int(text, "linear_num_value_heads"):
        every = _int(text, "full_attention_interval")
    if every and not _counted_types(text):
        full = -(-layers // every)
        return _Layers(full, 0, layers - full)
    return None


def _blocks(counts: Mapping[str, int]) -> _Layers:
    """Return the layers of a block list; layers with fewer key-value heads count as fractions of a full layer."""
    shared = {heads: n for kind, n in counts.items() if (heads := whole_number(kind))}
    parts = sum(n * min(shared) / heads for heads, n in shared.items())
    return _Layers(counts.get("attention", 0) + math.ceil(parts), 0, counts.get("mamba", 0))


def _listed_layers(text: Mapping[str, Any], layers: int, owned: int) -> _Layers | None:
    """Return the layers of a type list, less layers without their own cache (proportionally: locks drop order)."""
    marks = _numbers(text.get("hybrid_layer_pattern")) if text.get("hybrid_layer_pattern") else []
    counts = _counted_types(text) or {"sliding" if mark else "full": marks.count(mark) for mark in set(marks)}
    if not counts:
        return None
    windowed = sum(n for kind, n in counts.items() if "sliding" in kind or kind == "swa")
    recurrent = sum(n for kind, n in counts.items() if any(word in kind for word in _RECURRENT))
    both = sum(n for kind, n in counts.items() if "hybrid" in kind)
    none = sum(n for kind, n in counts.items() if kind in _CACHELESS)
    full = sum(counts.values()) - windowed - recurrent + both - none
    if owned < layers:
        full, windowed = -(-full * owned // layers), windowed * owned // layers
    return _Layers(full, windowed, recurrent)


def _counted_types(text: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of layers per type, from the Hub's list or the condensed form in a lock."""
    types = text.get("layer_types") or text.get("layers_block_type")
    if isinstance(types, Mapping):
        named = cast("Mapping[str, Any]", types)
        folded = _mapping(named, "counts") or named
        return {str(kind): n for kind in folded if (n := _int(folded, kind))}
    counts: dict[str, int] = {}
    if isinstance(types, list):
        for kind in cast("list[Any]", types):
            counts[str(kind)] = counts.get(str(kind), 0) + 1
    return counts


def _rhythm(text: Mapping[str, Any]) -> int:
    """Return the interval of full-attention layers if a window is set: 0 for none, 1 for all layers.

    An unknown pattern counts as all: overestimating memory refuses a model, underestimating crashes its server.
    """
    pattern = text.get("sliding_window_pattern")
    if isinstance(pattern, str) and "G" in pattern:  # `LLLG`: local, local, local, global
        return max(1, len(pattern) // pattern.count("G"))
    every = _int(text, "sliding_window_pattern", "_sliding_window_pattern")
    if every:
        return every
    family = _family(text)
    return 0 if family.startswith(_WINDOW_EVERYWHERE) else _EVERY.get(family, 1)


def _state_bytes(text: Mapping[str, Any], hidden: int) -> int:
    """Return the bytes of one recurrent layer's state per sequence: fp32 state plus a short convolution."""
    value_heads = _int(text, "linear_num_value_heads")
    if value_heads:
        key_dim = _int(text, "linear_key_head_dim") or 128
        value_dim = _int(text, "linear_value_head_dim") or 128
        key_heads = _int(text, "linear_num_key_heads") or value_heads
        convolved = 2 * key_heads * key_dim + value_heads * value_dim
        return value_heads * key_dim * value_dim * 4 + convolved * 3 * 2
    linear = _mapping(text, "linear_attn_config")
    heads, dim = _int(linear, "num_heads"), _int(linear, "head_dim")
    if heads and dim:
        return heads * dim * dim * 4 + 3 * heads * dim * 3 * 2
    return _mamba_state_bytes(text, hidden)


def _mamba_state_bytes(text: Mapping[str, Any], hidden: int) -> int:
    heads = _int(text, "mamba_num_heads", "mamba_n_heads", "n_mamba_heads")
    inner = heads * (_int(text, "mamba_head_dim", "mamba_d_head") or 64) if heads else 0
    inner = inner or hidden * (_int(text, "mamba_expand", "expand") or 2)
    state = _int(text, "ssm_state_size", "mamba_d_state", "state_size") or 16
    groups = _int(text, "mamba_n_groups", "n_groups", "mamba_ngroups") or 8
    return inner * state * 4 + (inner + 2 * groups * state) * 3 * 2


def _scratch_bytes(text: Mapping[str, Any]) -> int:
    """Return the bytes per token of a step that a scan needs besides the residual stream."""
    if _counted_ratios(text):
        # DeepSeek-V4's indexer and compressors, measured: 5.30 GiB at 8,224 tokens, 1.39 GiB at 2,048.
        return 680_000
    # Gated DeltaNet: a 16-bit state per 64 tokens, value heads x key width x value width.
    heads = _int(text, "linear_num_value_heads")
    key_dim, value_dim = _int(text, "linear_key_head_dim") or 128, _int(text, "linear_value_head_dim") or 128
    if heads:
        return heads * key_dim * value_dim * 2 // 64
    heads = _int(text, "mamba_num_heads", "mamba_n_heads", "n_mamba_heads")
    if not heads:
        return 0
    # Mamba-2: the projection, the convolution, the scan's fp32 input, and two fp32 states per 256 tokens.
    inner = heads * (_int(text, "mamba_head_dim", "mamba_d_head") or 64)
    state = _int(text, "ssm_state_size", "mamba_d_state", "state_size") or 16
    mixed = 2 * (_int(text, "mamba_n_groups", "n_groups", "mamba_ngroups") or 8) * state
    return 2 * (2 * inner + mixed + heads) + 2 * (inner + mixed) + 4 * inner + inner * state * 8 // 256


def _compressed(text: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return bytes of DeepSeek-V4's compressed caches: per token, per window token and per token in flight.

    An entry has 584 B and holds one window token, or 4 or 128 compressed tokens, depending on the layer. The layout
    is that of vLLM's fp8_ds_mla blocks, checked against measured starts (docs/concepts/sizing.md).
    """
    ratios = _counted_ratios(text)
    if not ratios:
        return 0, 0, 0
    head_dim, index_dim = _int(text, "head_dim") or 512, _int(text, "index_head_dim") or 128
    four, many = ratios.get(4, 0), sum(n for ratio, n in ratios.items() if ratio > 4)
    growth = sum(n * 584 / ratio for ratio, n in ratios.items() if ratio > 1) + four * (index_dim + 4) / 4
    compressors = 4 * (four * 4 * (head_dim + index_dim) + many * 2 * head_dim)
    return int(growth), 584 * sum(ratios.values()), compressors


def _counted_ratios(text: Mapping[str, Any]) -> dict[int, int]:
    """Return the number of layers per compression ratio, from the Hub's list or the condensed form in a lock."""
    said = text.get("compress_ratios")
    layers = _int(text, "num_hidden_layers") or 0
    if isinstance(said, Mapping):
        folded = cast("Mapping[str, Any]", said)
        pairs = ((whole_number(ratio), _int(folded, ratio)) for ratio in folded)
        return {ratio: n for ratio, n in pairs if ratio is not None and n}
    ratios = _numbers(said)[:layers] if isinstance(said, list) else []
    return {ratio: ratios.count(ratio) for ratio in set(ratios)}


def _audio_parameters(outer: Mapping[str, Any]) -> int:
    """Return the parameters of the audio tower: a conformer (Gemma) or an encoder like Whisper's."""
    audio = _mapping(outer, "audio_config")
    hidden = _int(audio, "hidden_size", "d_model")
    depth = _int(audio, "num_hidden_layers", "encoder_layers")
    if not hidden or not depth:
        return 0
    is_conformer = "gemma" in (_word(audio, "model_type") or "")
    return depth * hidden * hidden * (24 if is_conformer else 12)


def _vision_attention(outer: Mapping[str, Any]) -> int:
    vision = _mapping(outer, "vision_config")
    hidden = _int(vision, "embed_dim", "hidden_size", "width")
    depth = _int(vision, "num_hidden_layers", "depth", "layers")
    return 4 * hidden * hidden * depth if hidden and depth else 0


def _vision_parameters(outer: Mapping[str, Any]) -> int:
    vision = _mapping(outer, "vision_config")
    hidden = _int(vision, "embed_dim", "hidden_size", "width")  # if `embed_dim` is set, `hidden_size` is the output
    depth = _int(vision, "num_hidden_layers", "depth", "layers")
    if not vision:
        return 0
    if not hidden or not depth:
        return 400_000_000  # config without a width: assume the common SigLIP-so400m
    ffn = _int(vision, "intermediate_size") or 4 * hidden
    return depth * (4 * hidden * hidden + 2 * hidden * ffn)
