# SPDX-License-Identifier: Apache-2.0
"""What a GGUF header says about the memory of a model."""

from typing import Any

import pytest

from hubstack.files.errors import PlanError
from hubstack.hub.facts import ModelFacts
from hubstack.hub.remote.gguf_header import read_header
from hubstack.plan import ModelPlan, Verdict
from hubstack.planner.model.geometry import read_geometry
from hubstack.planner.model.gguf import config_of_header
from hubstack.planner.model.weights import parameter_count
from tests.support.facts import file, geometry, made, plan_one
from tests.support.hub.gguf import QWEN3, header

SIZED = read_header(header(QWEN3))


def locked(*paths: str, size: int = 5_000_000_000, **fields: Any) -> ModelFacts:
    headers = dict.fromkeys(paths[:1], SIZED)
    config = {"gguf": {"architecture": "qwen3", "headers": headers}}
    files = tuple(file(path, size) for path in paths)
    return made(files=files, config=config, **{"pipeline_tag": "text-generation", **fields})


def flag(model: ModelPlan, name: str) -> str:
    args = model.server.args
    return args[args.index(name) + 1]


def test_the_cache_is_computed_from_the_header() -> None:
    """Qwen3-8B: 2 x 36 layers x 8 heads x 128 x 2 bytes (docs/concepts/sizing.md)."""
    model = plan_one(locked("m-Q4_K_M.gguf"), context=32768)
    assert model.need.kv_bytes_per_token == 147_456
    assert model.need.verdict is Verdict.FITS
    assert "estimate" not in " ".join(term.name for term in model.need.terms)


def test_another_quantization_of_the_same_model_has_its_header() -> None:
    model = plan_one(locked("m-Q4_K_M.gguf", "m-Q8_0.gguf"), file="m-Q8_0.gguf")
    assert model.need.kv_bytes_per_token == 147_456


def test_a_context_beyond_the_headers_is_refused() -> None:
    with pytest.raises(PlanError, match="at most 40,960 tokens"):
        plan_one(locked("m-Q4_K_M.gguf"), context=65536)
    old = made(files=(file("m-Q4_K_M.gguf"),), config={"gguf": {"architecture": "qwen3", "context_length": 4096}})
    with pytest.raises(PlanError, match="at most 4,096 tokens"):
        plan_one(old, context=8192)


@pytest.mark.parametrize(
    ("said", "layers"),
    [
        ({"architecture": "gemma3", "block_count": 62, "attention.sliding_window": 1024}, (10, 52, 0)),
        ({"architecture": "gpt-oss", "block_count": 24, "attention.sliding_window": 128}, (12, 12, 0)),
        ({"architecture": "phi3", "block_count": 32, "attention.sliding_window": 2047}, (32, 0, 0)),
        (
            {
                "architecture": "gemma4",
                "block_count": 30,
                "attention.sliding_window": 512,
                "attention.sliding_window_pattern": {"true": 25, "false": 5},
            },
            (5, 25, 0),
        ),
        (
            {"architecture": "granitehybrid", "block_count": 40, "attention.head_count_kv": {"0": 36, "8": 4}},
            (4, 0, 36),
        ),
        ({"architecture": "qwen3next", "block_count": 48, "full_attention_interval": 4}, (12, 0, 36)),
        ({"architecture": "qwen35moe", "block_count": 40}, (10, 0, 30)),
        ({"architecture": "mamba2", "block_count": 64}, (0, 0, 64)),
        ({"architecture": "falcon-h1", "block_count": 36}, (36, 0, 36)),
    ],
)
def test_layers_are_counted_by_what_they_cache(said: dict[str, Any], layers: tuple[int, int, int]) -> None:
    heads = {"attention.head_count": 8, "attention.head_count_kv": 4, "embedding_length": 1024}
    geometry = read_geometry(made(config=config_of_header({**heads, **said})))
    assert (geometry.full_layers, geometry.window_layers, geometry.state_layers) == layers


def test_keys_and_values_of_different_widths_are_averaged() -> None:
    """DeepSeek-V3 in GGUF: one head with keys of 576 and values of 512."""
    said = {
        "architecture": "deepseek2",
        "block_count": 61,
        "attention.head_count": 128,
        "attention.head_count_kv": 1,
        "attention.key_length": 576,
        "attention.value_length": 512,
    }
    geometry = read_geometry(made(config=config_of_header(said)))
    assert 2 * (geometry.kv_heads or 0) * (geometry.head_dim or 0) == 576 + 512


def test_a_recurrent_state_has_the_size_of_the_header() -> None:
    said = {"architecture": "mamba2", "block_count": 64, "ssm.inner_size": 5120, "ssm.state_size": 128}
    geometry = read_geometry(made(config=config_of_header({**said, "ssm.group_count": 1})))
    assert geometry.state_bytes == pytest.approx(5120 * 128 * 4, rel=0.02)


def test_a_header_in_a_lock_may_hold_anything() -> None:
    for said in ({"architecture": 7, "block_count": "many"}, {"attention.head_count_kv": {"x": []}}, {}):
        assert read_geometry(made(config=config_of_header(said))).layers is None
    facts = made(files=(file("m-Q4_K_M.gguf", 5 * 10**9),), config={"gguf": {"headers": {"m-Q4_K_M.gguf": [1]}}})
    assert plan_one(facts).need.verdict is Verdict.UNCERTAIN
    assert parameter_count(facts) == 0


def test_an_embedder_gets_its_endpoint_and_a_batch_of_a_whole_text() -> None:
    model = plan_one(locked("m-Q8_0.gguf", size=600_000_000, pipeline_tag="feature-extraction"), context=32768)
    assert "--embeddings" in model.server.args
    assert flag(model, "--ubatch-size") == flag(model, "--batch-size") == "32768"
    ranker = plan_one(locked("m-Q8_0.gguf", size=600_000_000, pipeline_tag="text-ranking"))
    assert "--reranking" in ranker.server.args
    assert "--embeddings" not in plan_one(locked("m-Q8_0.gguf")).server.args


@pytest.mark.parametrize("task", ["text-to-image", "automatic-speech-recognition", "text-to-speech"])
def test_a_task_that_the_server_does_not_have_is_refused(task: str) -> None:
    with pytest.raises(PlanError, match=f"has the task {task} and GGUF weights"):
        plan_one(locked("m-Q8_0.gguf", pipeline_tag=task))


def test_a_t4_is_used_only_where_it_is_named() -> None:
    small = locked("m-Q8_0.gguf", size=600_000_000)
    assert plan_one(small).accelerator == "l4"
    assert plan_one(small, accelerator="t4").accelerator == "t4"


@pytest.mark.parametrize("size", ["²", "9" * 5000, "-1", ""])
def test_a_header_with_what_is_no_number_breaks_no_plan(size: str) -> None:
    said = {**SIZED, "attention.head_count_kv": {size: 1}, "feed_forward_length": {size: 1}}
    config = {"gguf": {"architecture": "qwen3", "headers": {"m-Q4_K_M.gguf": said}}}
    facts = made(files=(file("m-Q4_K_M.gguf", 5_000_000_000),), config=config, pipeline_tag="text-generation")
    assert plan_one(facts, context=8192).need.kv_bytes_per_token


@pytest.mark.parametrize("kind", ["²", "0", "9" * 5000])
def test_a_block_with_what_is_no_number_of_heads_breaks_no_geometry(kind: str) -> None:
    config = {"model_type": "nemotron-nas", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 8}
    geometry(config | {"block_configs": [{"block_type": kind}, {"block_type": "attention"}]})
    geometry(config | {"compress_ratios": {kind: 2}})
