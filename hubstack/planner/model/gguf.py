# SPDX-License-Identifier: Apache-2.0
"""A GGUF model's config, translated from its header in the lock.

Owns the translation to the field names of config.json that `hubstack.planner.model.geometry` reads, and what
llama.cpp does with them (src/llama-model.cpp and llama-hparams.h). Does not own the header's format.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from hubstack.files.whole_numbers import whole_number
from hubstack.hub.facts import ModelFacts
from hubstack.hub.gguf_files import model_of
from hubstack.planner.model.weights import ChosenFiles, WeightsFormat

_FULL_EVERY = {
    "cohere2": 4,
    "exaone4": 4,
    "gemma2": 2,
    "gemma3": 6,
    "gemma3n": 5,
    "gpt_oss": 2,
    "olmo2": 4,
}
"""Interval of full-attention layers where llama.cpp's code defines it. Any other family with a window but without a
pattern in its header is counted as full attention: llama.cpp reads windows of few families."""
_RECURRENT_EVERY = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}
"""The same for families with linear attention, if the header does not give the interval."""


def with_header(facts: ModelFacts, chosen: ChosenFiles) -> ModelFacts:
    """Return the facts with the config that the chosen GGUF file declares; unchanged if the lock has no header."""
    said: Any = facts.config.get("gguf")
    if chosen.format is not WeightsFormat.GGUF or not isinstance(said, Mapping):
        return facts
    told = cast("Mapping[str, Any]", said)
    header = _header(told, chosen)
    if header is not None:
        return replace(facts, config={**config_of_header(header), "gguf": told})
    if "model_type" in facts.config:
        return facts
    known = {"model_type": told.get("architecture"), "max_position_embeddings": told.get("context_length")}
    return replace(facts, config={**known, **facts.config})


def _header(told: Mapping[str, Any], chosen: ChosenFiles) -> Mapping[str, Any] | None:
    """Return the header of the chosen file's model: its quantizations differ only in their weights."""
    headers: Any = told.get("headers")
    if not isinstance(headers, Mapping) or not chosen.weights:
        return None
    named = {model_of(path): header for path, header in cast("Mapping[str, Any]", headers).items()}
    found = named.get(model_of(chosen.weights[0].path))
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else None


def config_of_header(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a config.json that say the same as a header."""
    family = str(header.get("architecture", "")).replace("-", "_")
    heads_kv = header.get("attention.head_count_kv")
    config = {
        "model_type": family,
        "num_hidden_layers": _size(header, "block_count"),
        "hidden_size": _size(header, "embedding_length"),
        "intermediate_size": _size(header, "feed_forward_length"),
        "moe_intermediate_size": _size(header, "expert_feed_forward_length"),
        "num_experts": _size(header, "expert_count"),
        "num_experts_per_tok": _size(header, "expert_used_count"),
        "num_attention_heads": _size(header, "attention.head_count"),
        "num_key_value_heads": _largest(heads_kv) or _size(header, "attention.head_count"),
        "head_dim": _width(header, ""),
        "swa_head_dim": _width(header, "_swa"),
        "vocab_size": _size(header, "vocab_size"),
        "max_position_embeddings": _size(header, "context_length"),
        "num_kv_shared_layers": _size(header, "attention.shared_kv_layers"),
        **_layers(header, family, heads_kv),
        **_recurrent(header),
    }
    return {key: value for key, value in config.items() if value}


def _layers(header: Mapping[str, Any], family: str, heads_kv: Any) -> dict[str, Any]:
    """Return the layers by kind of cache: layers without key-value heads are recurrent."""
    layers = _size(header, "block_count") or 0
    if isinstance(heads_kv, Mapping):
        none = _int(cast("Mapping[str, Any]", heads_kv).get("0")) or 0
        if none:
            return {"layer_types": {"full_attention": max(0, layers - none), "mamba": none}}
    every = _size(header, "full_attention_interval") or _RECURRENT_EVERY.get(family)
    if every:
        full = layers // every
        return {"layer_types": {"full_attention": full, "linear_attention": layers - full}}
    window = _size(header, "attention.sliding_window")
    pattern: Any = header.get("attention.sliding_window_pattern")
    if not window:
        return {}
    if isinstance(pattern, Mapping):
        counted = cast("Mapping[str, Any]", pattern)
        named = {"sliding_attention": counted.get("true"), "full_attention": counted.get("false")}
        return {"sliding_window": window, "use_sliding_window": True, "layer_types": named}
    interval = _int(pattern) or _FULL_EVERY.get(family)
    if not interval:
        return {}
    return {"sliding_window": window, "use_sliding_window": True, "sliding_window_pattern": interval}


def _recurrent(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recurrent state: llama.cpp keeps inner size x state size numbers for each layer and sequence."""
    inner, state = _size(header, "ssm.inner_size"), _size(header, "ssm.state_size")
    if not inner or not state:
        return {}
    return {
        "mamba_num_heads": 1,
        "mamba_head_dim": inner,
        "ssm_state_size": state,
        "n_groups": _size(header, "ssm.group_count"),
    }


def _width(header: Mapping[str, Any], suffix: str) -> int | None:
    """Return the mean width of keys and values: the cache holds one of each."""
    key, value = (_size(header, f"attention.{part}_length{suffix}") for part in ("key", "value"))
    return -(-(key + value) // 2) if key and value else None


def _size(header: Mapping[str, Any], key: str) -> int | None:
    return _largest(header.get(key))


def _largest(said: Any) -> int | None:
    """Return a size, or the largest of sizes that the lock counts by layer."""
    if isinstance(said, Mapping):
        return max((whole_number(key) or 0 for key in cast("Mapping[str, Any]", said)), default=0) or None
    return _int(said)


def _int(said: Any) -> int | None:
    return said if isinstance(said, int) and not isinstance(said, bool) and said > 0 else None
