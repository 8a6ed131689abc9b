# SPDX-License-Identifier: Apache-2.0
"""Geometry of named models. Configs that are not in facts.yaml are shortened from the families' own config.json;
the claims rest on their fields, not on the figures being those of a certain checkpoint."""

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstack.hub.remote.config_fields import keep_config
from hubstack.planner.model.geometry import read_geometry
from tests.support.facts import geometry, hub_geometry, made


def layers(config: dict[str, Any]) -> tuple[int, int, int]:
    """Full, window and recurrent layers."""
    shape = geometry(config)
    return shape.full_layers, shape.window_layers, shape.state_layers


@pytest.mark.parametrize(
    ("repo_id", "full", "windowed", "recurrent"),
    [
        ("Qwen/Qwen3-8B", 36, 0, 0),
        ("Qwen/Qwen3.5-27B", 16, 0, 48),
        ("Qwen/Qwen3.5-35B-A3B", 10, 0, 30),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", 12, 0, 36),
        ("google/gemma-2-27b-it", 23, 23, 0),
        ("google/gemma-3-27b-it", 10, 52, 0),
        ("allenai/Olmo-3-7B-Instruct", 8, 24, 0),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", 6, 0, 23),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", 48, 0, 0),
        ("deepseek-ai/DeepSeek-V3", 61, 0, 0),
    ],
)
def test_layers_of_real_models_are_counted_by_what_they_cache(
    repo_id: str, full: int, windowed: int, recurrent: int
) -> None:
    shape = hub_geometry(repo_id)
    assert (shape.full_layers, shape.window_layers, shape.state_layers) == (full, windowed, recurrent)


def test_a_window_as_wide_as_the_context_is_kept_for_sizing_to_judge() -> None:
    assert hub_geometry("microsoft/Phi-3.5-mini-instruct").window == 262144


def test_nested_configs_are_read_under_every_name_that_families_use() -> None:
    inner = {
        "hidden_size": 3584,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 151674,
        "model_type": "qwen2",
    }
    for key in ("text_config", "llm_config", "language_config"):
        shape = geometry({"architectures": ["InternVLChatModel"], "model_type": "internvl_chat", key: inner})
        assert (shape.layers, shape.kv_heads, shape.head_dim, shape.vocab) == (28, 4, 128, 151674), key
        assert shape.model_type == "internvl_chat"
    omni = geometry({"architectures": ["Qwen2_5OmniModel"], "thinker_config": {"text_config": inner}})
    assert (omni.layers, omni.name) == (28, "Qwen2_5OmniModel")


def test_what_a_nested_config_leaves_out_is_the_default_of_its_family() -> None:
    """google/gemma-3-4b-it names four numbers, LLaVA-1.5 none of the language model's."""
    small = geometry(
        {
            "architectures": ["Gemma3ForConditionalGeneration"],
            "model_type": "gemma3",
            "text_config": {
                "model_type": "gemma3_text",
                "hidden_size": 2560,
                "intermediate_size": 10240,
                "num_hidden_layers": 34,
                "sliding_window": 1024,
            },
        }
    )
    assert (small.heads, small.kv_heads, small.head_dim, small.vocab) == (8, 4, 256, 262208)
    assert (small.full_layers, small.window_layers, small.window) == (5, 29, 1024)
    vicuna = {"model_type": "llama", "max_position_embeddings": 4096, "vocab_size": 32064}
    llava = geometry(
        {"architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "text_config": vicuna}
    )
    assert (llava.layers, llava.hidden, llava.kv_heads, llava.vocab) == (32, 4096, 32, 32064)


def test_a_flat_config_is_never_filled_up_with_defaults() -> None:
    assert geometry({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}).layers is None


def test_falcon_7b_has_one_key_value_head_and_its_successors_those_they_name() -> None:
    seven = {"num_attention_heads": 71, "num_kv_heads": 71, "new_decoder_architecture": False, "multi_query": True}
    assert geometry(seven).kv_heads == 1
    forty = {"num_attention_heads": 128, "num_kv_heads": 8, "new_decoder_architecture": True, "multi_query": True}
    assert geometry(forty).kv_heads == 8


@pytest.mark.parametrize(
    ("config", "kv_heads"),
    [
        ({"n_head": 48, "multi_query": True}, 1),  # StarCoder
        ({"num_attention_heads": 32, "multi_query_attention": True, "multi_query_group_num": 2}, 2),  # GLM-4-9B
        ({"n_heads": 48, "attn_config": {"kv_n_heads": 8}}, 8),  # DBRX
        ({"num_attention_heads": 64, "num_key_value_heads": [8, 4, 8]}, 8),  # sizes given layer by layer
        ({"num_attention_heads": 40}, 40),
    ],
)
def test_key_value_heads_are_found_in_the_spelling_of_each_family(config: dict[str, Any], kv_heads: int) -> None:
    assert geometry(config).kv_heads == kv_heads


def test_a_latent_cache_is_rank_and_rotary_part() -> None:
    assert hub_geometry("deepseek-ai/DeepSeek-V3").latent == 576
    lite = {"model_type": "deepseek_v2", "kv_lora_rank": 512, "qk_rope_head_dim": 64, "num_attention_heads": 16}
    assert geometry(lite).latent == 576
    assert hub_geometry("Qwen/Qwen3-8B").latent is None


def test_a_sparse_index_is_cached_beside_the_latent() -> None:
    shape = hub_geometry("zai-org/GLM-5")
    assert (shape.latent, shape.index) == (576, 132)


def test_minicpm3_caches_its_heads_although_it_names_a_latent() -> None:
    shape = geometry(
        {
            "model_type": "minicpm3",
            "kv_lora_rank": 256,
            "qk_rope_head_dim": 32,
            "hidden_size": 2560,
            "qk_nope_head_dim": 64,
            "num_attention_heads": 40,
            "num_hidden_layers": 62,
        }
    )
    assert (shape.latent, shape.kv_heads, shape.head_dim) == (None, 40, 96)


WINDOW = {"num_hidden_layers": 32, "sliding_window": 4096}


@pytest.mark.parametrize(
    ("config", "full", "windowed"),
    [
        ({**WINDOW, "model_type": "mistral"}, 0, 32),
        ({**WINDOW, "model_type": "starcoder2"}, 0, 32),
        ({**WINDOW, "model_type": "qwen2", "use_sliding_window": False}, 32, 0),
        ({**WINDOW, "model_type": "qwen2"}, 32, 0),
        ({**WINDOW, "model_type": "cohere2"}, 8, 24),
        ({**WINDOW, "model_type": "exaone4", "sliding_window_pattern": "LLLG"}, 8, 24),
        ({**WINDOW, "model_type": "anything", "sliding_window_pattern": 8}, 4, 28),
        ({**WINDOW, "model_type": "a_family_of_tomorrow"}, 32, 0),
        ({"num_hidden_layers": 48, "attention_chunk_size": 8192, "model_type": "llama4_text"}, 48, 0),
        (
            {
                "num_hidden_layers": 24,
                "sliding_window": 128,
                "model_type": "gpt_oss",
                "layer_types": ["sliding_attention", "full_attention"] * 12,
            },
            12,
            12,
        ),
        ({"num_hidden_layers": 36, "sliding_window": 128, "model_type": "gpt_oss"}, 18, 18),
        ({"num_hidden_layers": 4, "sliding_window": 128, "hybrid_layer_pattern": [0, 1, 1, 0]}, 2, 2),  # MiMo
        (
            {"num_hidden_layers": 36, "sliding_window": None, "layer_types": ["full_attention"] * 36},
            36,
            0,
        ),  # SmolLM3
    ],
)
def test_windows_save_cache_only_where_the_family_is_known_to_use_them(
    config: dict[str, Any], full: int, windowed: int
) -> None:
    assert layers(config)[:2] == (full, windowed)


@pytest.mark.parametrize(
    ("config", "full", "recurrent"),
    [
        # Jamba
        ({"model_type": "jamba", "num_hidden_layers": 32, "attn_layer_period": 8, "attn_layer_offset": 4}, 4, 28),
        # Granite 4 and Bamba
        ({"num_hidden_layers": 40, "layer_types": {"mamba": 36, "attention": 4}}, 4, 36),
        # Kimi Linear
        (
            {
                "model_type": "kimi_linear",
                "num_hidden_layers": 27,
                "kv_lora_rank": 512,
                "qk_rope_head_dim": 64,
                "linear_attn_config": {"kda_layers": list(range(20)), "num_heads": 32, "head_dim": 128},
            },
            7,
            20,
        ),
        # Zamba2: the hybrid layers have both
        ({"num_hidden_layers": 4, "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"]}, 2, 4),
        # Falcon-H1: both in every layer
        ({"model_type": "falcon_h1", "num_hidden_layers": 36, "mamba_n_heads": 24, "mamba_d_state": 128}, 36, 36),
        ({"model_type": "falcon_mamba", "num_hidden_layers": 64, "hidden_size": 4096, "state_size": 16}, 0, 64),
        ({"num_hidden_layers": 52, "hybrid_override_pattern": "MEM*-"}, 1, 2),
        ({"num_hidden_layers": 16, "layer_types": ["conv"] * 10 + ["full_attention"] * 6}, 6, 10),  # LFM2
        ({"num_hidden_layers": 6, "layer_types": ["mamba", "moe", "attention", "mlp", "moe", "mamba"]}, 1, 2),
    ],
)
def test_recurrent_layers_are_told_from_those_with_a_cache(
    config: dict[str, Any], full: int, recurrent: int
) -> None:
    shape = geometry(config)
    assert (shape.full_layers, shape.window_layers, shape.state_layers) == (full, 0, recurrent)


@pytest.mark.parametrize(
    ("config", "state_bytes"),
    [
        (
            {
                "model_type": "jamba",
                "num_hidden_layers": 8,
                "attn_layer_period": 8,
                "hidden_size": 4096,
                "mamba_d_state": 16,
                "mamba_expand": 2,
            },
            8192 * 16 * 4 + (8192 + 2 * 8 * 16) * 6,
        ),
        (
            {
                "num_hidden_layers": 4,
                "full_attention_interval": 4,
                "linear_num_value_heads": 48,
                "linear_num_key_heads": 16,
                "linear_key_head_dim": 128,
                "linear_value_head_dim": 128,
            },
            48 * 128 * 128 * 4 + (2 * 16 * 128 + 48 * 128) * 6,
        ),
        (
            {
                "num_hidden_layers": 4,
                "linear_attn_config": {"kda_layers": [0, 1], "num_heads": 32, "head_dim": 128},
            },
            32 * 128 * 128 * 4 + 3 * 32 * 128 * 6,
        ),
    ],
)
def test_recurrent_state_is_a_matrix_for_each_head_and_a_short_convolution(
    config: dict[str, Any], state_bytes: int
) -> None:
    assert geometry(config).state_bytes == state_bytes


def test_a_model_without_recurrent_layers_keeps_no_state() -> None:
    assert hub_geometry("Qwen/Qwen3-8B").state_bytes == 0


def test_layers_that_read_the_cache_of_others_are_not_counted() -> None:
    """Gemma-4-E2B: 15 of 35 layers own a cache, 3 of them full with heads of 512 (docs/benchmarks/sizing.md)."""
    config = {
        "model_type": "gemma4",
        "text_config": {
            "model_type": "gemma4_text",
            "num_hidden_layers": 35,
            "num_kv_shared_layers": 20,
            "sliding_window": 512,
            "num_attention_heads": 8,
            "num_key_value_heads": 1,
            "head_dim": 256,
            "global_head_dim": 512,
            "hidden_size": 1536,
            "layer_types": {"sliding_attention": 28, "full_attention": 7},
        },
    }
    shape = geometry(config)
    assert (shape.full_layers, shape.window_layers) == (3, 12)
    assert (shape.head_dim, shape.window_head_dim) == (512, 256)


def test_the_decoder_of_an_encoder_decoder_is_what_caches() -> None:
    turbo = geometry(
        {
            "model_type": "whisper",
            "d_model": 1280,
            "num_hidden_layers": 32,
            "encoder_layers": 32,
            "decoder_layers": 4,
            "num_mel_bins": 128,
            "decoder_attention_heads": 20,
            "vocab_size": 51866,
            "max_target_positions": 448,
        }
    )
    assert (turbo.layers, turbo.full_layers, turbo.cross_tokens, turbo.max_context) == (4, 4, 1500, 448)


def test_experts_that_a_token_passes_make_the_width_of_its_step() -> None:
    shape = hub_geometry("Qwen/Qwen3-30B-A3B-Instruct-2507")
    assert (shape.experts, shape.moe_ffn) == (128, 768)
    assert shape.ffn == 8 * 768
    mixtral = {"intermediate_size": 14336, "num_local_experts": 8, "num_experts_per_tok": 2}
    assert geometry(mixtral).ffn == 2 * 14336
    assert geometry({"moe_num_experts": [64, 64]}).experts == 64


def test_a_vision_tower_is_counted_by_its_inner_width() -> None:
    siglip = hub_geometry("google/gemma-3-27b-it").vision_parameters
    assert siglip == pytest.approx(400_000_000, rel=0.05)
    qwen2_vl = {"vision_config": {"depth": 32, "embed_dim": 1280, "hidden_size": 3584}}
    assert geometry(qwen2_vl).vision_parameters == 32 * 12 * 1280 * 1280
    assert geometry({"vision_config": {"patch_size": 14}}).vision_parameters == 400_000_000
    assert geometry({}).vision_parameters == 0


def test_a_length_that_means_no_limit_is_no_limit() -> None:
    no_limit = 1_000_000_000_000_000_019_884_624_838_656
    assert geometry({"model_max_length": no_limit}).max_context is None


@pytest.mark.parametrize("odd", ["32", None, [], {}, True, -32, 0, 32.5, float("nan"), float("inf"), ["a"], 10**40])
def test_an_odd_number_counts_as_not_said(odd: Any) -> None:
    shape = geometry({"num_hidden_layers": odd, "num_attention_heads": odd, "hidden_size": odd, "vocab_size": odd})
    assert (shape.layers, shape.heads, shape.hidden, shape.vocab, shape.full_layers) == (None, None, None, None, 0)


def test_a_whole_number_written_as_a_float_is_read() -> None:
    assert geometry({"num_hidden_layers": 32.0}).layers == 32


@pytest.mark.parametrize("odd", ["LlamaForCausalLM", ["LlamaForCausalLM", "Other"]])
def test_architectures_may_be_a_text_or_a_list(odd: Any) -> None:
    assert geometry({"architectures": odd}).name == "LlamaForCausalLM"


@pytest.mark.parametrize("odd", [None, [], {}, 7, [None], [["a"]], {"a": 1}])
def test_architectures_that_are_no_names_are_none(odd: Any) -> None:
    assert geometry({"architectures": odd}).name == ""


KEYS = [
    "architectures",
    "model_type",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "max_position_embeddings",
    "torch_dtype",
    "sliding_window",
    "sliding_window_pattern",
    "layer_types",
    "layers_block_type",
    "hybrid_override_pattern",
    "hybrid_layer_pattern",
    "full_attention_interval",
    "linear_num_value_heads",
    "attn_layer_period",
    "linear_attn_config",
    "attn_config",
    "num_kv_shared_layers",
    "kv_lora_rank",
    "num_experts",
    "num_experts_per_tok",
    "vision_config",
    "text_config",
    "thinker_config",
    "llm_config",
    "global_head_dim",
    "mamba_num_heads",
    "use_sliding_window",
    "encoder_layers",
]
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(
        [
            "llama",
            "gemma3_text",
            "mistral",
            "jamba",
            "falcon_h1",
            "full_attention",
            "sliding_attention",
            32,
            4096,
        ]
    )
)
ODD = st.recursive(
    SCALAR,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*KEYS, "counts"]), inner, max_size=5)
    ),
    max_leaves=12,
)
CONFIGS = st.dictionaries(st.sampled_from(KEYS), ODD, max_size=14)


@given(CONFIGS)
def test_no_config_makes_a_traceback_or_a_negative_number(config: dict[str, Any]) -> None:
    shape = asdict(read_geometry(made(config=config)))
    wrong = {name: value for name, value in shape.items() if isinstance(value, int) and value < 0}
    assert not wrong, f"{wrong} of {config}"


def test_attention_groups_are_key_value_heads() -> None:
    """Step-3.5 says `num_attention_groups` (vLLM 0.33.0, models/step3p5.py)."""
    step = {"num_hidden_layers": 4, "num_attention_heads": 64, "num_attention_groups": 8, "hidden_size": 4096}
    assert read_geometry(made(config=step)).kv_heads == 8


def test_layers_that_were_chosen_one_by_one_cache_what_each_has() -> None:
    """Nemotron Ultra: some layers have no attention, some fewer heads; the lock keeps counts."""
    blocks = [{"attention": {"n_heads_in_group": 8}}] * 6 + [{"attention": {"n_heads_in_group": 16}}] * 4
    blocks += [{"attention": {"no_op": True, "n_heads_in_group": None}}] * 5
    nas = {"num_hidden_layers": 15, "num_attention_heads": 64, "hidden_size": 8192, "block_configs": blocks}
    for config in (nas, keep_config(nas)):
        shape = read_geometry(made(config=config))
        assert (shape.kv_heads, shape.full_layers) == (8, 8), "6 layers of 8 heads and 4 of 4"


def test_a_puzzle_of_blocks_names_what_each_is() -> None:
    blocks = [{"block_type": kind} for kind in ("mamba", "moe", "mamba", "attention", "mlp")]
    shape = read_geometry(made(config={"num_hidden_layers": 5, "num_attention_heads": 8, "block_configs": blocks}))
    assert (shape.full_layers, shape.state_layers) == (1, 2)


def test_kimi_delta_layers_are_recurrent_by_either_name() -> None:
    named = {"num_hidden_layers": 4, "layer_types": ["kda", "kda", "kda", "full_attention"]}
    listed = {"num_hidden_layers": 4, "linear_attn_config": {"kda_layers": [1, 2, 3], "full_attn_layers": [4]}}
    for config in (named, listed):
        shape = read_geometry(made(config=config))
        assert (shape.full_layers, shape.state_layers) == (1, 3)


def test_positions_that_start_after_the_padding_token_hold_two_tokens_less() -> None:
    for kind in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        assert geometry({"model_type": kind, "max_position_embeddings": 514}).max_context == 512
    assert geometry({"model_type": "bert", "max_position_embeddings": 512}).max_context == 512


def test_one_expert_is_a_dense_layer() -> None:
    assert geometry({"model_type": "jamba", "num_experts": 1}).experts == 0
    assert geometry({"model_type": "jamba", "num_experts": 16}).experts == 16


def test_the_longest_text_of_sentence_transformers_counts_where_it_is_shorter() -> None:
    """vLLM does not start with all-MiniLM-L6-v2 at its 512 positions: sentence_bert_config.json allows 256."""
    bert: dict[str, Any] = {"model_type": "bert", "max_position_embeddings": 512}
    assert geometry({**bert, "sentence_transformers": {"max_seq_length": 256}}).max_context == 256
    assert geometry({**bert, "sentence_transformers": {"max_seq_length": 1024}}).max_context == 512
    assert geometry({"model_type": "bert", "sentence_transformers": {"max_seq_length": 256}}).max_context == 256
