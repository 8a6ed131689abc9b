# SPDX-License-Identifier: Apache-2.0
"""Sizing against the logs of real engines, whose rows docs/benchmarks/sizing.md lists."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstack.hub.facts import ModelFacts
from hubstack.kinds import EngineKind
from hubstack.plan import MemoryNeed, Verdict
from hubstack.planner.memory import sizing
from hubstack.planner.memory.sizing import Device, kv_bytes_per_token, kv_fixed_bytes
from hubstack.planner.memory.workload import LoraSlots
from tests.support.facts import GIB, ask, geometry, gpu, hub, hub_geometry, hub_ids, llama, load, made, plan, size

QWEN2_7B = {"num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4, "hidden_size": 3584}
DEEPSEEK_V2_LITE = {
    "model_type": "deepseek_v2",
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
}
INTERNVL3_78B = {
    "model_type": "internvl_chat",
    "llm_config": {
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "hidden_size": 8192,
    },
}
PHI_4 = {"num_hidden_layers": 40, "num_attention_heads": 40, "num_key_value_heads": 10, "hidden_size": 5120}
GEMMA_4_E2B = {
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
        "layer_types": {"sliding_attention": 28, "full_attention": 7},
    },
}
TPU = Device(visible_bytes=int(31.24 * GIB), is_tpu=True, has_flash_attention=False)


def term(need: MemoryNeed, name: str) -> float:
    """GiB of a term."""
    return next(each.size_bytes for each in need.terms if each.name == name) / GIB


# KV cache -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "ranks", "logged"),
    [
        ("NousResearch/Meta-Llama-3-8B-Instruct", 1, 131_072),
        ("Qwen/Qwen3-8B", 1, 147_456),
        ("Qwen/Qwen2.5-14B-Instruct", 1, 196_608),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", 1, 98_304),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", 4, 24_576),
        ("meta-llama/Llama-3.3-70B-Instruct", 1, 327_680),
        ("meta-llama/Llama-3.3-70B-Instruct", 2, 163_840),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", 8, 24_576),
        (QWEN2_7B, 1, 57_344),
        (QWEN2_7B, 2, 28_672),
        (QWEN2_7B, 4, 14_336),
        (INTERNVL3_78B, 8, 40_960),
        (PHI_4, 1, 204_800),
        ("deepseek-ai/DeepSeek-V3", 1, 61 * 576 * 2),
        ("deepseek-ai/DeepSeek-V3", 8, 61 * 576 * 2),
        (DEEPSEEK_V2_LITE, 8, 27 * 576 * 2),
    ],
)
def test_cache_bytes_a_token_are_those_that_engines_logged(
    model: str | dict[str, Any], ranks: int, logged: int
) -> None:
    shape = hub_geometry(model) if isinstance(model, str) else geometry(model)
    assert kv_bytes_per_token(shape, load(tensor_parallel=ranks)) == logged


def test_a_rank_holds_at_least_one_key_value_head() -> None:
    two_heads = hub_geometry("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16")
    assert two_heads.kv_heads == 2
    assert kv_bytes_per_token(two_heads, load(tensor_parallel=8)) == kv_bytes_per_token(
        two_heads, load(tensor_parallel=2)
    ), "with more ranks than heads each head is copied"


def test_only_full_layers_grow_with_the_context() -> None:
    per_layer = 2 * 4 * 256 * 2
    assert kv_bytes_per_token(hub_geometry("Qwen/Qwen3.5-27B"), load()) == 16 * per_layer
    gemma = hub_geometry("google/gemma-3-27b-it")
    assert kv_bytes_per_token(gemma, load()) == 10 * 2 * 16 * 128 * 2


def test_window_layers_hold_the_window_and_the_chunk_in_flight() -> None:
    gemma = hub_geometry("google/gemma-3-27b-it")
    per_layer = 2 * 16 * 128 * 2
    # 10 full layers make groups of 10, so 52 with a window take the pages of 60 (logged: 8 more, up to 15.38 %).
    assert kv_fixed_bytes(gemma, load(context=32768)) == 60 * per_layer * (1024 + 2 * sizing.MAX_NUM_BATCHED_TOKENS)
    short = load(context=512)
    assert kv_bytes_per_token(gemma, short) + kv_fixed_bytes(gemma, short) / 512 == 70 * per_layer, "the context"


def test_a_window_wider_than_the_context_saves_nothing() -> None:
    """Gemma-2-9B at its 4,096 tokens: 344,064 bytes a token, as if it had no windows."""
    gemma2 = geometry(
        {
            "model_type": "gemma2",
            "num_hidden_layers": 42,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "head_dim": 256,
            "sliding_window": 4096,
        }
    )
    on = load(context=4096)
    assert kv_bytes_per_token(gemma2, on) * 4096 + kv_fixed_bytes(gemma2, on) == 344_064 * 4096


def test_recurrent_state_is_held_for_each_sequence_and_split_over_ranks() -> None:
    shape = hub_geometry("Qwen/Qwen3.5-27B")
    alone = kv_fixed_bytes(shape, load())
    page = 16 * 2 * 4 * 256 * 2
    padded = -(-shape.state_bytes // page) * page
    assert alone == 48 * 2 * padded, "one in use and one for the prefix cache, in pages of the attention layers"
    assert kv_fixed_bytes(shape, load(tensor_parallel=4)) == alone // 4
    assert kv_fixed_bytes(shape, load(context=262144)) == alone, "it does not grow"
    # Logged: about 75 MB a state slot of the 27B class, which 16-bit state would halve.
    assert 75e6 < alone / 2 < 160e6


def test_full_and_window_layers_may_have_heads_of_different_width() -> None:
    """Gemma-4-E2B on a TPU, where windows are not exploited: 18,432 bytes a token."""
    shape = geometry(GEMMA_4_E2B)
    assert kv_bytes_per_token(shape, load(engine=EngineKind.VLLM_TPU), is_tpu=True) == 18_432
    assert kv_bytes_per_token(shape, load()) == 3 * 2 * 512 * 2


def test_a_sparse_index_is_added_to_the_latent() -> None:
    assert kv_bytes_per_token(hub_geometry("zai-org/GLM-5"), load(tensor_parallel=8)) == 78 * (576 * 2 + 132)


def test_a_latent_was_padded_before_the_engine_cut_its_blocks_to_it() -> None:
    """DeepSeek-R1 on V0: 78,080 bytes a token (serving_logs idx-deepseek-r1-8xh200)."""
    on = load(tensor_parallel=8, engine_version="0.8")
    assert kv_bytes_per_token(hub_geometry("deepseek-ai/DeepSeek-V3"), on) == 61 * 640 * 2


def test_narrow_heads_are_padded_on_a_tpu() -> None:
    narrow = geometry({"num_hidden_layers": 10, "num_attention_heads": 8, "head_dim": 64})
    on = load(engine=EngineKind.VLLM_TPU)
    assert kv_bytes_per_token(narrow, on, is_tpu=True) == 2 * kv_bytes_per_token(narrow, on)


def test_an_embedding_server_keeps_no_cache() -> None:
    need = size(hub("BAAI/bge-large-en-v1.5"), gpu(22.05), load(engine=EngineKind.TEI, context=512, concurrency=9))
    assert (need.kv_bytes_per_token, need.kv_fixed_bytes, need.kv_tokens) == (0, 0, 0)
    assert need.concurrency == 9


def test_whisper_caches_its_encoder_for_each_sequence() -> None:
    whisper = geometry(
        {
            "model_type": "whisper",
            "d_model": 1280,
            "encoder_layers": 32,
            "decoder_layers": 32,
            "num_mel_bins": 128,
            "decoder_attention_heads": 20,
        }
    )
    assert kv_fixed_bytes(whisper, load(context=448)) == 1500 * 32 * 2 * 1280 * 2


# Weights on a rank ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("repo_id", "ranks", "logged_gib"),
    [
        ("NousResearch/Meta-Llama-3-8B-Instruct", 1, 14.96),
        ("NousResearch/Meta-Llama-3-8B-Instruct", 2, 7.48),
        ("Qwen/Qwen3-32B", 1, 61.03),
        ("Qwen/Qwen3-32B", 2, 30.59),
    ],
)
def test_weights_of_a_rank_are_within_one_percent_of_the_log(repo_id: str, ranks: int, logged_gib: float) -> None:
    need = size(hub(repo_id), gpu(79.18), load(tensor_parallel=ranks))
    assert term(need, "weights") == pytest.approx(logged_gib, rel=0.01)


def test_a_vision_tower_whose_heads_the_ranks_do_not_divide_keeps_its_attention_whole() -> None:
    """InternVL3-78B on 8 ranks loads 21.67 GiB each: 25 heads of its tower (docs/benchmarks/sizing.md)."""
    tower = {"hidden_size": 3200, "intermediate_size": 12800, "num_hidden_layers": 45, "num_attention_heads": 25}
    facts = hub(
        "Qwen/Qwen2.5-72B-Instruct",
        parameters={"BF16": 78_408_318_336},
        config={**hub("Qwen/Qwen2.5-72B-Instruct").config, "vision_config": tower},
    )
    assert term(size(facts, gpu(44.39), load(tensor_parallel=8)), "weights") == pytest.approx(21.67, rel=0.02)
    siglip = hub("google/gemma-3-27b-it")
    whole = term(size(siglip, gpu(79.18), load()), "weights")
    assert term(size(siglip, gpu(79.18), load(tensor_parallel=2)), "weights") == pytest.approx(whole / 2)


def test_all_experts_count_not_the_active_ones() -> None:
    assert term(size(hub("Qwen/Qwen3-30B-A3B-Instruct-2507"), gpu(79.18), load()), "weights") == pytest.approx(
        56.9, abs=0.1
    )


GPT_OSS = {
    "architectures": ["GptOssForCausalLM"],
    "model_type": "gpt_oss",
    "hidden_size": 2880,
    "head_dim": 64,
    "intermediate_size": 2880,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "vocab_size": 201088,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
}


def gpt_oss(layers: int, experts: int, parameters: dict[str, int]) -> ModelFacts:
    config = {**GPT_OSS, "num_hidden_layers": layers, "num_local_experts": experts}
    return made(config=config, quantization={"quant_method": "mxfp4"}, parameters=parameters)


GPT_OSS_20B = gpt_oss(24, 32, {"BF16": 1_804_459_584, "U8": 19_110_297_600})
GPT_OSS_120B = gpt_oss(36, 128, {"BF16": 2_167_371_072, "U8": 114_661_785_600})


@pytest.mark.parametrize(
    ("facts", "card", "ranks", "logged_gib"),
    [
        (GPT_OSS_120B, "a100-80gb", 1, 65.97),
        (GPT_OSS_120B, "a100-80gb", 4, 17.22),
        (GPT_OSS_120B, "h100-80gb", 1, 64.38),
        (GPT_OSS_20B, "h100-80gb", 1, 13.47),  # from the pool: 71.26 - 50.28 - 7.38 - 0.13
    ],
)
def test_experts_in_mxfp4_are_as_wide_as_the_kernel_of_the_card_makes_them(
    facts: ModelFacts, card: str, ranks: int, logged_gib: float
) -> None:
    """Boots of gpt-oss (docs/benchmarks/sizing.md): the widths of 2,880 are rounded on each rank."""
    assert term(size(facts, gpu(79.18, card, "mxfp4"), load(tensor_parallel=ranks)), "weights") == pytest.approx(
        logged_gib, rel=0.01
    )


def test_experts_that_are_put_on_ranks_whole_are_rounded_once() -> None:
    on = gpu(79.18, "a100-80gb", "mxfp4")
    cut = term(size(GPT_OSS_120B, on, load(tensor_parallel=8)), "weights")
    whole = term(size(GPT_OSS_120B, on, load(tensor_parallel=8, expert_parallel=True)), "weights")
    assert whole < cut, "360 of 2,880 are rounded to 384 on each of 8 ranks, 2,880 to 2,944"
    assert whole * 8 == pytest.approx(term(size(GPT_OSS_120B, on, load()), "weights"), rel=0.001)


# Pools ----------------------------------------------------------------------------------------------------------

FP8 = {"quant_method": "fp8"}


@pytest.mark.parametrize(
    ("version", "repo_id", "quantization", "visible_gib", "ranks", "seqs", "logged_gib"),
    [
        ("0.11.0", "NousResearch/Meta-Llama-3-8B-Instruct", {}, 79.18, 1, 1024, 51.38),
        ("0.11.0", "meta-llama/Llama-3.3-70B-Instruct", FP8, 79.18, 2, 1024, 32.00),
        ("0.11.0", "Qwen/Qwen3-32B", {}, 79.18, 1, 1024, 4.45),
        ("0.11.0", "Qwen/Qwen3-32B", {}, 79.18, 2, 1024, 34.49),
        ("0.11.0", "Qwen/Qwen3-8B", {}, 39.50, 1, 256, 18.69),
        (
            "0.29.0",
            "Qwen/Qwen3-30B-A3B-Instruct-2507",
            FP8,
            22.03 * 0.85 / 0.90,
            4,
            256,
            9.20,
        ),  # at a share of 0.85
    ],
)
def test_the_pool_is_the_logged_one_within_half_a_gib(
    version: str,
    repo_id: str,
    quantization: dict[str, Any],
    visible_gib: float,
    ranks: int,
    seqs: int,
    logged_gib: float,
) -> None:
    on = load(tensor_parallel=ranks, concurrency=seqs, engine_version=version)
    need = size(hub(repo_id, quantization=quantization), gpu(visible_gib), on)
    assert need.kv_available_bytes / GIB == pytest.approx(logged_gib, abs=0.5)


@pytest.mark.parametrize(
    ("vocab", "seqs", "logged_gib"),
    [
        (151_936, 1024, 5.56),
        (201_088, 1024, 7.38),
        (128_256, 1024, 4.76),
        (151_936, 256, 1.40),
        (200_064, 256, 1.83),
    ],
)
def test_the_sampler_that_sorts_takes_what_boots_measured(vocab: int, seqs: int, logged_gib: float) -> None:
    facts, old = llama(config={"vocab_size": vocab}), load(concurrency=seqs, engine_version="0.16.0")
    assert term(size(facts, gpu(79.18), old), "activation") == pytest.approx(logged_gib, rel=0.04)


def test_the_sampler_of_today_does_not_sort() -> None:
    """Gemma-4-E2B on an L4, vLLM 0.21.0, eager: 1.02 GiB beside the weights, of which 0.13 are the runtime."""
    facts = llama(config={"vocab_size": 262_144})
    need = size(facts, gpu(22.03), load(concurrency=256, engine_version="0.21.0", cuda_graphs=False))
    assert term(need, "activation") + term(need, "runtime") == pytest.approx(1.02, rel=0.03)


@pytest.mark.parametrize(("sequences", "sizes"), [(1, 2), (4, 4), (8, 5), (64, 19), (256, 51), (1024, 51)])
def test_graphs_are_captured_for_the_batch_sizes_that_the_engine_lists(sequences: int, sizes: int) -> None:
    need = size(llama(), gpu(79.18), load(max_num_seqs=sequences))
    assert f"x {sizes} batch sizes" in next(each.how for each in need.terms if each.name == "graphs")


def test_the_batch_is_pinned_so_that_activation_does_not_hang_on_a_card() -> None:
    assert sizing.max_num_seqs(load(concurrency=1)) == sizing.max_num_seqs(load(concurrency=64)) == 64
    assert sizing.max_num_seqs(load(concurrency=200)) == 200


def test_a_small_vocabulary_leaves_the_forward_pass_as_the_larger_one() -> None:
    need = size(
        llama(config={"vocab_size": 1000, "hidden_size": 8192, "intermediate_size": 28672}), gpu(79.18), load()
    )
    assert term(need, "activation") == pytest.approx(2048 * 2 * (2 * 28672 + 8 * 8192) / GIB)


def test_collectives_grow_with_ranks() -> None:
    grown = [term(size(llama(), gpu(79.18), load(tensor_parallel=ranks)), "runtime") for ranks in (1, 2, 4, 8)]
    assert grown == sorted(grown)
    assert (grown[0], grown[-1]) == (pytest.approx(0.13, abs=0.001), pytest.approx(1.53, abs=0.001))


def test_a_mixture_of_experts_leaves_more_room_for_graphs() -> None:
    dense = size(hub("Qwen/Qwen3-8B"), gpu(79.18), load())
    experts = size(hub("Qwen/Qwen3-30B-A3B-Instruct-2507"), gpu(79.18), load())
    weights = term(experts, "weights")
    assert term(experts, "graphs") == pytest.approx(term(dense, "graphs") + weights / 100, abs=0.001)


def test_engines_before_the_estimate_keep_graphs_out_of_the_pool() -> None:
    names = [each.name for each in size(llama(), gpu(79.18), load(engine_version="0.20.2")).terms]
    assert "graphs" not in names
    assert "graphs" not in [each.name for each in size(llama(), gpu(79.18), load(cuda_graphs=False)).terms]


def test_states_were_taken_at_start_before_the_engine_paged_them() -> None:
    """Nemotron-Nano-9B-v2 with 32 sequences: 435,036 tokens of 16,384 B (serving_logs nim-...-90)."""
    mamba = {
        "hybrid_override_pattern": "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-",
        "mamba_num_heads": 128,
        "mamba_head_dim": 80,
        "ssm_state_size": 128,
        "n_groups": 8,
        "model_type": "nemotron_h",
        "architectures": ["NemotronHForCausalLM"],
        "hidden_size": 4480,
        "num_hidden_layers": 56,
        "num_attention_heads": 40,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 131072,
        "intermediate_size": 15680,
    }
    facts = made(config=mamba, parameters={"BF16": 8_888_227_328})
    on = load(context=4096, max_num_seqs=32, batch_tokens=4096, engine_version="0.9")
    need = size(facts, gpu(31.84), on)
    assert need.kv_bytes_per_token == 4 * 2 * 8 * 128 * 2
    assert need.kv_available_bytes / need.kv_bytes_per_token == pytest.approx(435_036, rel=0.01)


def test_compressed_caches_hold_what_is_in_flight() -> None:
    """DeepSeek-V4-Flash: 12.67 GiB hold 4.63 sequences of 65,536 (serving_logs idx-dsv4flash0731-2xgh200-65k)."""
    v4 = geometry(
        {
            "model_type": "deepseek_v4",
            "num_hidden_layers": 43,
            "hidden_size": 4096,
            "head_dim": 512,
            "index_head_dim": 128,
            "sliding_window": 128,
            "num_attention_heads": 64,
            "compress_ratios": [0, 0, *([4, 128] * 20), 4, 0],
        }
    )
    on = load(context=65536, batch_tokens=8192, is_async=False)
    sequence = kv_fixed_bytes(v4, on) + kv_bytes_per_token(v4, on) * 65536
    assert sequence / GIB == pytest.approx(12.67 / 4.63, rel=0.03)


def test_an_8_bit_cache_is_half_and_guessed_tokens_keep_states() -> None:
    hybrid = hub_geometry("Qwen/Qwen3.5-35B-A3B")
    plain, small = load(), load(kv_cache_dtype="fp8")
    assert kv_bytes_per_token(hybrid, small) * 2 == kv_bytes_per_token(hybrid, plain)
    assert kv_fixed_bytes(hybrid, load(draft_tokens=3)) * 2 == 5 * kv_fixed_bytes(hybrid, plain)


@pytest.mark.parametrize(
    ("repo_id", "ranks", "context", "drafts", "logged_gib"),
    [
        ("Qwen/Qwen3.5-27B", 1, 262144, 2, 59.54 / 6.52),
        ("Qwen/Qwen3.5-27B", 2, 131072, 0, 4.99 / 2.31),
        ("Qwen/Qwen3.5-35B-A3B", 1, 262144, 2, 74.76 / 24.62),
    ],
)
def test_a_sequence_of_a_hybrid_takes_what_pools_held(
    repo_id: str, ranks: int, context: int, drafts: int, logged_gib: float
) -> None:
    """An 8-bit cache; the pool by the concurrency that was printed. One more layer guesses tokens.

    Rows idx-qwen36-27b-fp8-vllm-pro6000-0955, talos-1995-qwen38-27b-fp8-2x3090 and idx-qwen36-35b-nvfp4-gb10.
    """
    on = load(
        tensor_parallel=ranks,
        context=context,
        kv_cache_dtype="fp8",
        draft_tokens=drafts,
        draft_layers=1 if drafts else 0,
    )
    shape = hub_geometry(repo_id)
    sequence = kv_bytes_per_token(shape, on) * context + kv_fixed_bytes(shape, on)
    assert sequence / GIB == pytest.approx(logged_gib, rel=0.01)


def test_adapters_take_two_matrices_for_each_projection() -> None:
    need = size(llama(), gpu(79.18), load(lora=LoraSlots(slots=4)))
    # q, o: 2048 + 2048; k, v: 2048 + 512; gate, up, down: 2048 + 8192; embeddings and head: 128256 + 2048.
    widths = 16 * (2 * 4096 + 2 * 2560 + 3 * 10240) + 2 * 130304
    assert term(need, "adapters") == pytest.approx(4 * 16 * widths * 2 / GIB)


def test_ranks_split_only_the_side_of_an_adapter_that_their_module_splits() -> None:
    need = size(llama(), gpu(79.18), load(lora=LoraSlots(slots=4), tensor_parallel=2))
    widths = 16 * (2 * (2048 + 1024) + 2 * (2048 + 256) + 3 * (2048 + 4096)) + 2 * 130304
    assert term(need, "adapters") == pytest.approx(4 * 16 * widths * 2 / GIB)


def test_every_expert_has_its_own_place_for_an_adapter() -> None:
    config = {
        "architectures": ["Qwen3MoeForCausalLM"],
        "model_type": "qwen3_moe",
        "num_experts": 8,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 768,
    }
    mixture = llama(config=config)
    need = size(mixture, gpu(79.18), load(lora=LoraSlots(slots=1)))
    attention, experts = 2 * 4096 + 2 * 2560, 8 * 3 * (2048 + 768) + 2048 + 8
    assert term(need, "adapters") == pytest.approx(16 * (16 * (attention + experts) + 2 * 130304) * 2 / GIB)
    split = size(mixture, gpu(79.18), load(lora=LoraSlots(slots=1), tensor_parallel=2, expert_parallel=True))
    attention, experts = 2 * 3072 + 2 * 2304, 4 * 3 * (2048 + 768) + 2048 + 8
    assert term(split, "adapters") == pytest.approx(16 * (16 * (attention + experts) + 2 * 130304) * 2 / GIB)


def test_a_stage_holds_its_layers_and_an_edge() -> None:
    whole = size(llama(), gpu(79.18), load())
    half = size(llama(), gpu(79.18), load(pipeline_parallel=2))
    assert half.kv_bytes_per_token * 2 == whole.kv_bytes_per_token
    edge = 128256 * 2048 * 2 / GIB
    inner = term(whole, "weights") - 2 * edge
    assert term(half, "weights") == pytest.approx(inner / 2 + edge), "one stage embeds, the other has the head"
    uneven = size(llama(config={"num_hidden_layers": 17}), gpu(79.18), load(pipeline_parallel=2))
    assert term(uneven, "weights") == pytest.approx(inner * 9 / 17 + edge), "the fuller stage counts"
    tied = size(llama(config={"tie_word_embeddings": True}), gpu(79.18), load(pipeline_parallel=2))
    assert term(tied, "weights") == pytest.approx((inner + edge) / 2 + edge), "both need the one table"


def test_the_longest_context_fits_and_one_more_would_not() -> None:
    need = size(hub("Qwen/Qwen3-8B"), gpu(22.05), load())
    held = need.kv_bytes_per_token * need.longest_context
    assert held <= need.kv_available_bytes < held + need.kv_bytes_per_token


def test_a_vision_model_keeps_a_gib_for_an_image_where_nothing_else_peaks_higher() -> None:
    few, many = (size(hub("google/gemma-3-27b-it"), gpu(79.18), load(max_num_seqs=n)) for n in (16, 1024))
    assert term(few, "activation") == 1.0
    assert term(many, "activation") == pytest.approx(14 * 1024 * 262144 / GIB, abs=0.001), "the larger counts"


def test_a_long_step_of_a_vision_model_was_never_measured() -> None:
    facts = hub("google/gemma-3-27b-it")
    assert size(facts, gpu(139.81), load(batch_tokens=8192)).verdict is Verdict.FITS
    assert size(facts, gpu(139.81), load(batch_tokens=16384)).verdict is Verdict.UNCERTAIN


def test_attention_without_flash_kernels_pays_for_its_scores() -> None:
    old = Device(visible_bytes=int(14.74 * GIB), is_tpu=False, has_flash_attention=False)
    on = load(engine=EngineKind.TEI, context=512)
    with_flash = term(size(hub("BAAI/bge-large-en-v1.5"), gpu(14.74), on), "activation")
    without = term(size(hub("BAAI/bge-large-en-v1.5"), old, on), "activation")
    assert without - with_flash == pytest.approx(16384 * 512 * 16 * 8 / GIB)


def test_a_gguf_without_layers_is_an_estimate_and_never_sure_to_fit() -> None:
    need = size(llama(config={"num_hidden_layers": None}), gpu(79.18), load(engine=EngineKind.LLAMA_CPP))
    assert need.verdict is Verdict.UNCERTAIN
    assert "estimate" in need.terms[-1].name


def test_a_tpu_keeps_its_programs_outside_and_has_no_activation() -> None:
    need = size(llama(), TPU, load(engine=EngineKind.VLLM_TPU))
    assert [each.name for each in need.terms] == ["weights"]


def test_a_tpu_leaves_out_the_audio_tower() -> None:
    """Gemma-4-E2B on one v6e: 8.97 GiB loaded of a checkpoint of 9.54 (serving_logs tpu-gemma4-e2b-v6e1)."""
    audio = {"audio_config": {"model_type": "gemma4_audio", "hidden_size": 1024, "num_hidden_layers": 12}}
    facts = llama(config=audio, parameters={"BF16": int(9.54 * GIB / 2)})
    on_tpu = size(facts, TPU, load(engine=EngineKind.VLLM_TPU))
    assert term(on_tpu, "weights") == pytest.approx(8.97, rel=0.01)
    assert term(size(facts, gpu(22.03), load()), "weights") == pytest.approx(9.54, rel=0.001)


def test_a_tpu_without_room_for_its_programs_may_not_start() -> None:
    """On one v5e a share of 0.95 failed by 37 MB and 0.92 started (docs/benchmarks/sizing.md)."""
    v5e = Device(visible_bytes=int(15.75 * GIB), is_tpu=True, has_flash_attention=False)
    verdicts = [
        size(llama(), v5e, load(engine=EngineKind.VLLM_TPU, memory_share_override=share)).verdict
        for share in (0.92, 0.95)
    ]
    assert verdicts == [Verdict.FITS, Verdict.UNCERTAIN]


# Verdict and invariants -----------------------------------------------------------------------------------------


HALF = load(memory_share_override=0.5)
"""A share that leaves enough outside of it on the smallest card."""


def visible_for(spare_gib: float) -> Device:
    """A card on which the small Llama has so much to spare."""
    big = size(llama(), gpu(79.18), HALF)
    wanted = big.total_bytes + big.kv_bytes_per_token * 8192 + spare_gib * GIB
    return gpu(wanted / 0.5 / GIB + 1e-6)


@pytest.mark.parametrize(
    ("spare_gib", "verdict"),
    [
        (2, Verdict.FITS),
        (0.51, Verdict.FITS),
        (0.49, Verdict.UNCERTAIN),
        (0, Verdict.UNCERTAIN),
        (-0.49, Verdict.UNCERTAIN),
        (-0.51, Verdict.DOES_NOT_FIT),
        (-5, Verdict.DOES_NOT_FIT),
    ],
)
def test_half_a_gib_on_either_side_of_the_line_is_uncertain(spare_gib: float, verdict: Verdict) -> None:
    assert size(llama(), visible_for(spare_gib), HALF).verdict is verdict


def test_too_little_outside_the_share_may_not_start() -> None:
    """768 sequences x 151,936 words x 4 B failed on an L4 with 361 MiB free (docs/benchmarks/sizing.md)."""
    facts = hub("Qwen/Qwen3-30B-A3B-Instruct-2507", quantization={"quant_method": "fp8"})
    on = {"tensor_parallel": 4, "context": 8192, "max_num_seqs": 768}
    assert size(facts, gpu(22.03), load(memory_share_override=0.88, **on)).verdict is Verdict.UNCERTAIN
    assert size(facts, gpu(22.03), load(memory_share_override=0.80, **on)).verdict is Verdict.FITS


def test_the_terms_and_the_cache_make_the_budget() -> None:
    need = size(llama(), gpu(22.05), load())
    assert need.budget_bytes == int(int(22.05 * GIB) * 0.9)
    assert need.total_bytes + need.kv_available_bytes == need.budget_bytes


def test_every_term_says_its_arithmetic() -> None:
    for repo_id in hub_ids():
        need = size(hub(repo_id), gpu(79.18), load())
        assert all(each.how and each.size_bytes >= 0 for each in need.terms), repo_id


def test_tokens_and_sequences_are_what_the_pool_holds() -> None:
    need = size(llama(), gpu(22.05), load(context=4096))
    assert need.concurrency == need.kv_available_bytes // (need.kv_bytes_per_token * 4096)
    assert need.kv_tokens == need.kv_available_bytes // need.kv_bytes_per_token


REPO_IDS = st.sampled_from(hub_ids())
RANKS = st.sampled_from([1, 2, 4, 8])
CONTEXTS = st.integers(128, 200_000)
ORDER = [Verdict.FITS, Verdict.UNCERTAIN, Verdict.DOES_NOT_FIT]


@given(REPO_IDS, RANKS, CONTEXTS, CONTEXTS, st.floats(15, 180), st.booleans())
def test_more_context_never_fits_better(
    repo_id: str, ranks: int, first: int, second: int, visible: float, is_tpu: bool
) -> None:
    device = Device(visible_bytes=int(visible * GIB), is_tpu=is_tpu, has_flash_attention=True)
    engine = EngineKind.VLLM_TPU if is_tpu else EngineKind.VLLM
    less, more = (
        size(hub(repo_id), device, load(engine=engine, tensor_parallel=ranks, context=context))
        for context in sorted((first, second))
    )
    assert ORDER.index(less.verdict) <= ORDER.index(more.verdict)
    assert less.concurrency >= more.concurrency


@given(RANKS, st.integers(10**6, 10**12), st.integers(10**6, 10**12))
def test_more_parameters_never_need_less(ranks: int, first: int, second: int) -> None:
    less, more = (
        size(llama(parameters={"BF16": count}), gpu(79.18), load(tensor_parallel=ranks)).total_bytes
        for count in sorted((first, second))
    )
    assert less <= more


@given(REPO_IDS, RANKS)
def test_more_ranks_never_make_a_rank_hold_more_weights(repo_id: str, ranks: int) -> None:
    alone, shared = (
        size(hub(repo_id), gpu(79.18), load(tensor_parallel=count)).terms[0].size_bytes for count in (1, ranks)
    )
    assert shared <= alone


def test_a_window_at_least_as_large_as_the_context_is_full_attention() -> None:
    """Phi-3.5 has a window of 262,144 tokens and takes 131,072: each token is kept, and the context has a limit."""
    repo_id = "microsoft/Phi-3.5-mini-instruct"
    need = plan((hub(repo_id), ask(repo_id, context=8192))).models[0].need
    assert need.kv_bytes_per_token == 32 * 2 * 32 * 96 * 2, (
        "layers x (key and value) x heads x head dimension x 2 B"
    )
    assert need.kv_fixed_bytes == 0
    assert need.longest_context == need.kv_available_bytes // need.kv_bytes_per_token


@pytest.mark.parametrize(("tokens", "measured"), [(2048, 0.52), (4096, 0.52), (8192, 0.89)])
def test_graphs_of_a_hybrid_grow_with_the_step_as_its_profiler_counts_them(tokens: int, measured: float) -> None:
    """A hybrid of 64 layers on an RTX 5090 (vllm#52872): too high a count costs cache, too low a one the start."""
    need = size(hub("Qwen/Qwen3.5-27B"), gpu(79.18), load(batch_tokens=tokens))
    assert measured * 0.95 <= term(need, "graphs") <= measured * 1.2
    plain = [size(hub("Qwen/Qwen3-8B"), gpu(79.18), load(batch_tokens=each)) for each in (2048, tokens)]
    assert term(plain[0], "graphs") == term(plain[1], "graphs")
