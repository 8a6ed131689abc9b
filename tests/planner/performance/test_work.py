# SPDX-License-Identifier: Apache-2.0
"""How much a token costs a model: against the parameters that publishers state."""

import pytest

from hubstack.hub.facts import ModelFacts
from hubstack.planner.model.geometry import read_geometry
from hubstack.planner.model.weights import choose_files, weights_size
from hubstack.planner.performance.work import NumberFormat, Work, number_format, read_work
from tests.support.facts import hub, llama, made

BILLION = 1_000_000_000


def work_of(facts: ModelFacts, *, has_head: bool = True) -> Work:
    geometry = read_geometry(facts)
    weights = weights_size(facts, choose_files(facts), geometry)
    assert weights is not None
    work = read_work(facts, geometry, weights, has_head=has_head)
    assert work is not None
    return work


@pytest.mark.parametrize(
    ("repo_id", "active"),
    [
        ("deepseek-ai/DeepSeek-V3", 37.0),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", 3.3),
        ("MiniMaxAI/MiniMax-M2.5", 10.0),
        ("meta-llama/Llama-3.3-70B-Instruct", 70.6),
    ],
)
def test_the_active_parameters_are_those_that_the_publisher_states(repo_id: str, active: float) -> None:
    found = work_of(hub(repo_id)).active_parameters / BILLION
    # Publishers count embeddings, which are looked up and not multiplied, now in and now out.
    assert found == pytest.approx(active, rel=0.37), f"{repo_id} would be predicted with {found:.1f} billion"


def test_a_dense_step_reads_the_checkpoint_without_the_embeddings_that_are_only_looked_up() -> None:
    work = work_of(hub("meta-llama/Llama-3.3-70B-Instruct"))
    assert work.dense_bytes == pytest.approx(2 * (70_553_706_496 - 128_256 * 8192), rel=0.001)
    assert work.expert_bytes == 0


def test_an_embedding_model_multiplies_with_no_head() -> None:
    facts = hub("Qwen/Qwen3-Embedding-0.6B")
    with_head, without = work_of(facts), work_of(facts, has_head=False)
    assert without.head_parameters == 0
    assert without.dense_parameters < with_head.dense_parameters


def test_experts_kept_in_four_bits_leave_attention_in_sixteen() -> None:
    plain = hub("Qwen/Qwen3-30B-A3B-Instruct-2507")
    kept = {"quant_method": "nvfp4", "format": "nvfp4-pack-quantized", "modules_to_not_convert": {"attention": -1}}
    wide = work_of(
        ModelFacts(
            id=plain.id,
            revision="main",
            commit=plain.commit,
            config=plain.config,
            parameters_total=30_532_122_624,
            quantization=kept,
        )
    )
    assert wide.attention_bytes == work_of(plain).attention_bytes
    assert wide.expert_bytes < work_of(plain).expert_bytes / 3


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, NumberFormat.BF16),
        ({"quant_method": "fp8"}, NumberFormat.FP8),
        ({"quant_method": "compressed-tensors", "format": "int-quantized", "bits": 8}, NumberFormat.INT8),
        ({"quant_method": "awq", "bits": 4}, NumberFormat.INT4),
        ({"quant_method": "mxfp4"}, NumberFormat.FP4),
        ({"quant_algo": "NVFP4"}, NumberFormat.FP4),
        ({"quant_method": "compressed-tensors", "format": "float-quantized"}, NumberFormat.FP8),
    ],
)
def test_the_format_of_the_products_follows_the_quantization(
    said: dict[str, object], expected: NumberFormat
) -> None:
    assert number_format(llama(quantization=said)) is expected


def test_a_model_without_geometry_has_no_figure() -> None:
    facts = made(parameters_total=1000)
    geometry = read_geometry(facts)
    weights = weights_size(facts, choose_files(facts), geometry)
    assert weights is not None
    assert read_work(facts, geometry, weights) is None
