# SPDX-License-Identifier: Apache-2.0
"""The fields of config.json that a lock keeps: those that sizing, placement and serving use.

Owns the lists. Add a field here before planning uses it (a test compares the geometry of every known model before
and after); existing locks get it with `hubstack lock --upgrade`. Lists of module names are summarized as counts by
kind, and rotary tables are omitted: hundreds of lines that nothing uses.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from hubstack.hub.blocks import count_block_kinds
from hubstack.hub.unquantized import summarize_unquantized

_FIELDS = frozenset(
    {
        # what it is
        "architectures",
        "model_type",
        "auto_map",
        "is_encoder_decoder",
        "is_causal",
        "use_bidirectional_attention",
        "audio_model_id",
        "text_model_id",
        "num_labels",
        "torch_dtype",
        "dtype",
        # a transformer's sizes, in the spellings of the families
        "hidden_size",
        "n_embd",
        "d_model",
        "dim",
        "embed_dim",
        "hidden_dim",
        "width",
        "intermediate_size",
        "intermediate_size_mlp",
        "ffn_hidden_size",
        "n_inner",
        "decoder_ffn_dim",
        "encoder_ffn_dim",
        "shared_expert_intermediate_size",
        "shared_intermediate_size",
        "ffn_dim",
        "num_hidden_layers",
        "num_layers",
        "n_layer",
        "n_layers",
        "decoder_layers",
        "encoder_layers",
        "depth",
        "layers",
        "num_attention_heads",
        "n_head",
        "n_heads",
        "num_heads",
        "decoder_attention_heads",
        "encoder_attention_heads",
        "num_key_value_heads",
        "num_kv_heads",
        "n_head_kv",
        "multi_query",
        "multi_query_group_num",
        "new_decoder_architecture",
        "num_global_key_value_heads",
        "head_dim",
        "global_head_dim",
        "v_head_dim",
        "vocab_size",
        "type_vocab_size",
        "tie_word_embeddings",
        "hidden_size_per_layer_input",
        "vocab_size_per_layer_input",
        "num_kv_shared_layers",
        "attention_bias",
        # length
        "max_position_embeddings",
        "n_positions",
        "n_ctx",
        "seq_length",
        "max_seq_len",
        "max_sequence_length",
        "model_max_length",
        "max_target_positions",
        "max_source_positions",
        "rope_scaling",
        "rope_parameters",
        "rope_theta",
        "original_max_position_embeddings",
        "max_trained_positions",
        # which layers keep how much
        "sliding_window",
        "use_sliding_window",
        "max_window_layers",
        "sliding_window_pattern",
        "_sliding_window_pattern",
        "attention_chunk_size",
        "layer_types",
        "layers_block_type",
        "hybrid_override_pattern",
        "full_attention_interval",
        "attn_layer_indices",
        "no_rope_layers",
        # mixture of experts
        "num_experts",
        "n_routed_experts",
        "num_local_experts",
        "moe_num_experts",
        "num_experts_per_tok",
        "num_experts_per_token",
        "moe_topk",
        "top_k_experts",
        "moe_intermediate_size",
        "n_shared_experts",
        "num_shared_experts",
        "first_k_dense_replace",
        "moe_layer_freq",
        "interleave_moe_layer_step",
        "decoder_sparse_step",
        "mlp_only_layers",
        "enable_moe_block",
        "num_nextn_predict_layers",
        # speculative decoding: heads name their target's sizes
        "draft_vocab_size",
        "target_hidden_size",
        "speculators_model_type",
        # latent and sparse attention
        "kv_lora_rank",
        "q_lora_rank",
        "qk_rope_head_dim",
        "qk_nope_head_dim",
        "index_head_dim",
        "index_n_heads",
        "index_topk",
        "compress_ratios",
        # recurrent layers
        "linear_num_key_heads",
        "linear_num_value_heads",
        "linear_key_head_dim",
        "linear_value_head_dim",
        "linear_conv_kernel_dim",
        "mamba_num_heads",
        "mamba_n_heads",
        "mamba_head_dim",
        "mamba_d_head",
        "mamba_d_state",
        "mamba_d_conv",
        "mamba_expand",
        "mamba_n_groups",
        "ssm_state_size",
        "conv_kernel",
        "n_groups",
        "kda_layers",
        "full_attn_layers",
        "short_conv_kernel_size",
        "conv_L_cache",
        "state_size",
        "expand",
        "n_mamba_heads",
        "mamba_ngroups",
        "attn_layer_period",
        "attn_layer_offset",
        "hybrid_layer_pattern",
        "swa_num_key_value_heads",
        "swa_head_dim",
        "attention_k_eq_v",
        "padded_vocab_size",
        "n_embed",
        "kv_n_heads",
        "block_structure",
        "num_attention_groups",
        # towers
        "num_mel_bins",
        "image_size",
        "patch_size",
        "spatial_merge_size",
        "temporal_patch_size",
        "out_hidden_size",
        "mm_tokens_per_image",
    }
)

_NESTED = frozenset(
    {
        "text_config",
        "llm_config",
        "language_config",
        "vision_config",
        "audio_config",
        "thinker_config",
        "encoder_config",
        "decoder_config",
        "linear_attn_config",
        "attn_config",
        "transformer_layer_config",
    }
)

_COUNTED = frozenset({"layer_types", "layers_block_type", "compress_ratios"})

_ROPE = frozenset(
    {
        "rope_type",
        "type",
        "factor",
        "original_max_position_embeddings",
        "low_freq_factor",
        "high_freq_factor",
        "beta_fast",
        "beta_slow",
        "mscale",
        "mscale_all_dim",
        "attention_factor",
        "rope_theta",
        "full_attention",
        "sliding_attention",
    }
)

_QUANTIZATION = frozenset(
    {
        "quant_method",
        "quant_algo",
        "quant_type",
        "kv_cache_quant_algo",
        "kv_cache_scheme",
        "format",
        "fmt",
        "bits",
        "w_bit",
        "num_bits",
        "group_size",
        "q_group_size",
        "zero_point",
        "version",
        "backend",
        "desc_act",
        "sym",
        "type",
        "strategy",
        "symmetric",
        "dynamic",
        "activation_scheme",
        "weight_block_size",
        "load_in_4bit",
        "load_in_8bit",
        "bnb_4bit_quant_type",
        "bnb_4bit_use_double_quant",
        "bnb_4bit_compute_dtype",
        "config_groups",
        "weights",
        "input_activations",
        # Quark's spelling of the two
        "global_quant_config",
        "weight",
        "input_tensors",
        "dtype",
        "producer",
        "name",
        "quantization",
        "quantization_status",
    }
)

_ADAPTER = frozenset(
    {
        "peft_type",
        "task_type",
        "base_model_name_or_path",
        "revision",
        "r",
        "lora_alpha",
        "target_modules",
        "target_parameters",
        "modules_to_save",
        # what vLLM refuses (0.33.0, lora/peft_helper.py)
        "bias",
        "use_dora",
        "use_rslora",
        "lora_bias",
        "init_lora_weights",
        "alora_invocation_tokens",
        "layer_replication",
        "use_bdlora",
        "use_qalora",
    }
)
_ADAPTER_TEXT, _ADAPTER_LIST = 200, 64
"""Longer values of an adapter_config.json are cut: target modules may be an expression or every layer's name."""

_GGUF = frozenset({"total", "architecture", "context_length", "quantize_imatrix_file", "causal"})


def keep_config(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a config.json to keep, also in the nested configs of text models and towers."""
    kept: dict[str, Any] = {}
    for key, value in raw.items():
        if key in _NESTED and isinstance(value, dict):
            kept[key] = keep_config(cast("dict[str, Any]", value))
        elif key in {"rope_scaling", "rope_parameters"} and isinstance(value, dict):
            kept[key] = _only(cast("dict[str, Any]", value), _ROPE)
        elif key in _COUNTED and isinstance(value, list):
            kept[key] = dict(Counter(str(kind) for kind in cast("list[Any]", value)))
        elif key == "block_configs":
            kept[key] = count_block_kinds(value)
        elif key in _FIELDS and value is not None:
            kept[key] = value
    return {key: value for key, value in kept.items() if value not in ({}, [])}


def keep_quantization(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `quantization_config` or hf_quant_config.json to keep."""
    kept: dict[str, Any] = {}
    for key, value in raw.items():
        if key == "config_groups" and isinstance(value, dict):
            groups = cast("dict[str, Any]", value)
            kept[key] = {name: keep_quantization(group) for name, group in groups.items() if _is_map(group)}
        elif key in _QUANTIZATION and isinstance(value, dict):
            kept[key] = keep_quantization(cast("dict[str, Any]", value))
        elif key in _QUANTIZATION and value is not None:
            kept[key] = value
    folded = summarize_unquantized(raw)
    if folded:
        kept["modules_to_not_convert"] = folded
    return {key: value for key, value in kept.items() if value not in ({}, [])}


def keep_adapter(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an adapter_config.json to keep; ranks of single modules as a list of distinct ones."""
    kept = {key: _cut(value) for key, value in _only(raw, _ADAPTER).items() if value not in (False, [], {})}
    patterns: Any = raw.get("rank_pattern")
    ranks: set[Any] = set(cast("dict[str, Any]", patterns).values()) if isinstance(patterns, dict) else set()
    if whole := sorted(rank for rank in ranks if type(rank) is int):
        kept["rank_pattern"] = whole[-_ADAPTER_LIST:]
    return kept


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_ADAPTER_TEXT]
    if isinstance(value, list):
        listed = cast("list[Any]", value)
        return sorted({str(each)[:_ADAPTER_TEXT] for each in listed})[:_ADAPTER_LIST]
    return value if isinstance(value, int | float) else "set"


def keep_gguf(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields to keep of the GGUF header as parsed by the Hub (no chat template or tokenizer)."""
    return _only(raw, _GGUF)


def _only(raw: Mapping[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if key in fields and value is not None}


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)
