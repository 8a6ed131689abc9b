# SPDX-License-Identifier: Apache-2.0
"""Models on the accelerators that they are known to be served on: none refused, none on more than they take.

Most pairs are of GKE's tutorials (Gemma and Llama with vLLM, several hosts, TPU) and of what Inference Quickstart
lists, from memory: the pages cannot be opened here. Models without facts of ours are made from their config.json.
"""

from typing import Any

import pytest

from hubstack.hub.facts import ModelFacts
from hubstack.plan import Verdict
from tests.support.facts import hub, llama, made, plan_one, steps

LLAMA_70B = {
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}
LLAMA_8B = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}
LLAMA_405B = {
    **LLAMA_70B,
    "hidden_size": 16384,
    "intermediate_size": 53248,
    "num_hidden_layers": 126,
    "num_attention_heads": 128,
}
GPT_OSS = {
    "architectures": ["GptOssForCausalLM"],
    "model_type": "gpt_oss",
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_hidden_layers": 36,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "vocab_size": 201088,
    "sliding_window": 128,
    "num_local_experts": 128,
    "num_experts_per_tok": 4,
    "max_position_embeddings": 131072,
}
MISTRAL_7B = {
    "architectures": ["MistralForCausalLM"],
    "model_type": "mistral",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32768,
    "max_position_embeddings": 32768,
}


def gpt_oss(layers: int, experts: int, parameters: int) -> ModelFacts:
    kinds = {"sliding_attention": layers // 2, "full_attention": layers // 2}
    config = {**GPT_OSS, "num_hidden_layers": layers, "num_local_experts": experts, "layer_types": kinds}
    return made(
        "openai/gpt-oss",
        config=config,
        parameters_total=parameters,
        pipeline_tag="text-generation",
        quantization={"quant_method": "mxfp4"},
    )


def big(config: dict[str, Any], parameters: int, **fields: Any) -> ModelFacts:
    return llama(config=config, parameters={"BF16": parameters}, **fields)


def mistral() -> ModelFacts:
    return made(config=MISTRAL_7B, parameters={"BF16": 7_248_023_552}, pipeline_tag="text-generation")


PAIRS: list[tuple[str, ModelFacts, str, int, str]] = [
    ("gemma-3-27b", hub("google/gemma-3-27b-it"), "h100-80gb", 1, "spot"),
    ("gemma-3-27b", hub("google/gemma-3-27b-it"), "a100-80gb", 1, "on-demand"),
    ("gemma-3-27b", hub("google/gemma-3-27b-it"), "v6e", 4, "on-demand"),
    ("llama-3.1-8b", big(LLAMA_8B, 8_030_261_248), "l4", 1, "on-demand"),
    ("llama-3.1-8b", big(LLAMA_8B, 8_030_261_248), "v6e", 1, "on-demand"),
    ("llama-3.1-8b", big(LLAMA_8B, 8_030_261_248), "v5e", 4, "on-demand"),
    ("llama-3.1-70b", big(LLAMA_70B, 70_553_706_496), "l4", 8, "on-demand"),
    ("llama-3.1-70b", big(LLAMA_70B, 70_553_706_496), "a100-80gb", 2, "on-demand"),
    ("llama-3.1-70b", big(LLAMA_70B, 70_553_706_496), "h100-80gb", 2, "spot"),
    ("llama-3.1-70b", big(LLAMA_70B, 70_553_706_496), "v6e", 8, "on-demand"),
    ("llama-3.1-405b", big(LLAMA_405B, 405_853_388_800), "h100-80gb", 16, "on-demand"),
    (
        "llama-3.1-405b-fp8",
        llama(
            config=LLAMA_405B,
            parameters={},
            parameters_total=405_868_625_920,
            quantization={"quant_method": "fbgemm_fp8"},
        ),
        "h100-80gb",
        8,
        "on-demand",
    ),
    ("deepseek-v3", hub("deepseek-ai/DeepSeek-V3"), "h100-80gb", 16, "on-demand"),
    ("deepseek-v3", hub("deepseek-ai/DeepSeek-V3"), "h200-141gb", 8, "spot"),
    ("gpt-oss-120b", gpt_oss(36, 128, 116_829_156_672), "h100-80gb", 1, "spot"),
    ("gpt-oss-20b", gpt_oss(24, 32, 20_914_757_184), "l4", 1, "on-demand"),
    ("mistral-7b", mistral(), "l4", 1, "on-demand"),
    ("qwen3-32b", hub("Qwen/Qwen3-32B"), "h100-80gb", 1, "spot"),
    ("qwen3-32b", hub("Qwen/Qwen3-32B"), "v6e", 4, "on-demand"),
    ("qwen3-30b-a3b", hub("Qwen/Qwen3-30B-A3B-Instruct-2507"), "h100-80gb", 1, "spot"),
    ("qwen3-30b-a3b", hub("Qwen/Qwen3-30B-A3B-Instruct-2507"), "l4", 4, "on-demand"),
    ("bge-large", hub("BAAI/bge-large-en-v1.5"), "l4", 1, "on-demand"),
]


@pytest.mark.parametrize(
    ("name", "facts", "accelerator", "count", "bought"),
    PAIRS,
    ids=[f"{name}-{count}x{card}" for name, _, card, count, _ in PAIRS],
)
def test_a_pair_that_google_publishes_is_planned_on_as_many(
    name: str, facts: ModelFacts, accelerator: str, count: int, bought: str
) -> None:
    model = plan_one(facts, accelerator=accelerator, capacity=steps(bought), concurrency=1)
    assert model.accelerator_count <= count, name
    assert model.need.verdict is Verdict.FITS
