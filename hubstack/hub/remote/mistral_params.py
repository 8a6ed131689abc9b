# SPDX-License-Identifier: Apache-2.0
"""Converts params.json of a repository in Mistral's format to the fields of a config.json.

Owns the conversion, for repositories without config.json (Pixtral, Mistral's own builds). The names are those of
vLLM 0.33.0 (transformers_utils/configs/mistral.py).
"""

from collections.abc import Mapping
from typing import Any, cast

_NAMES = {
    "dim": "hidden_size",
    "n_layers": "num_hidden_layers",
    "hidden_dim": "intermediate_size",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "vocab_size": "vocab_size",
    "max_position_embeddings": "max_position_embeddings",
    "max_seq_len": "max_seq_len",
    "tied_embeddings": "tie_word_embeddings",
    "sliding_window": "sliding_window",
    "kv_lora_rank": "kv_lora_rank",
    "q_lora_rank": "q_lora_rank",
    "qk_rope_head_dim": "qk_rope_head_dim",
    "qk_nope_head_dim": "qk_nope_head_dim",
    "v_head_dim": "v_head_dim",
}
_MOE = {
    "num_experts": "num_local_experts",
    "num_experts_per_tok": "num_experts_per_tok",
    "expert_hidden_dim": "moe_intermediate_size",
    "num_shared_experts": "n_shared_experts",
}
_AUDIO = {"dim": "d_model", "n_layers": "encoder_layers", "hidden_dim": "encoder_ffn_dim"}


def config_of_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config that an engine derives from params.json."""
    text: dict[str, Any] = {new: params[old] for old, new in _NAMES.items() if params.get(old) is not None}
    moe = _mapping(params, "moe")
    text |= {new: moe[old] for old, new in _MOE.items() if moe.get(old) is not None}
    text["torch_dtype"] = "bfloat16"
    multimodal = _mapping(params, "multimodal")
    vision = _mapping(params, "vision_encoder") or _mapping(multimodal, "vision_encoder_args")
    audio = _mapping(_mapping(multimodal, "whisper_model_args"), "encoder_args")
    if vision:
        return {
            "architectures": ["PixtralForConditionalGeneration"],
            "model_type": "pixtral",
            "text_config": text,
            "vision_config": dict(vision),
        }
    if audio:
        encoder = {new: audio[old] for old, new in _AUDIO.items() if audio.get(old) is not None}
        return {
            "architectures": ["VoxtralForConditionalGeneration"],
            "model_type": "voxtral",
            "text_config": text,
            "audio_config": encoder,
        }
    if not moe:
        return {"architectures": ["MistralForCausalLM"], "model_type": "mistral", **text}
    name = "MistralLarge3ForCausalLM" if moe.get("num_shared_experts") else "MixtralForCausalLM"
    return {"architectures": [name], "model_type": "mixtral", **text}


def _mapping(held: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = held.get(key)
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
