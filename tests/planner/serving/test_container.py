# SPDX-License-Identifier: Apache-2.0
"""The container that a plan describes: every figure that sizing assumed is pinned by a flag."""

import json
from typing import Any

import pytest

from hubstack.files.errors import PlanError
from hubstack.hub.facts import ModelFacts
from hubstack.kinds import EngineKind
from hubstack.plan import ModelPlan
from hubstack.plan.loading import LoadingMethod
from tests.support.facts import GIB, catalog, file, hub, llama, made, plan_one

GGUF = made(files=(file("m-Q4_K_M.gguf", 5_000_000_000),), pipeline_tag="text-generation")
EMBEDDER = hub("BAAI/bge-large-en-v1.5")


def flag(model: ModelPlan, name: str) -> str:
    args = model.server.args
    assert args.count(name) == 1, f"{name} in {args}"
    return args[args.index(name) + 1]


def test_sizing_and_flags_say_the_same() -> None:
    model = plan_one(hub("Qwen/Qwen3-32B"), context=12_000, accelerator="l4")
    assert flag(model, "--max-model-len") == "12000" == str(model.need.context)
    assert flag(model, "--tensor-parallel-size") == str(model.tensor_parallel) == "4"
    assert flag(model, "--max-num-seqs") == "64"
    assert flag(model, "--max-num-batched-tokens") == "2048"
    share = model.need.budget_bytes / model.need.visible_bytes
    assert float(flag(model, "--gpu-memory-utilization")) == pytest.approx(share)


def test_more_sequences_than_the_pinned_batch_raise_it() -> None:
    assert flag(plan_one(llama(), context=1024, concurrency=100), "--max-num-seqs") == "100"


@pytest.mark.parametrize(
    ("repo_id", "asked", "jobs"),
    [
        ("Qwen/Qwen3-4B-Instruct-2507", {"accelerator": "l4"}, "1"),
        ("Qwen/Qwen3-32B", {"accelerator": "rtx-pro-6000"}, "17"),
        ("BAAI/bge-large-en-v1.5", {"accelerator": "l4"}, None),
        ("Qwen/Qwen3-4B-Instruct-2507", {"accelerator": "tpu-v6e"}, None),
    ],
)
def test_kernels_are_compiled_by_as_many_compilers_as_the_memory_holds(
    repo_id: str, asked: dict[str, Any], jobs: str | None
) -> None:
    assert dict(plan_one(hub(repo_id), **asked).server.env).get("MAX_JOBS") == jobs


def test_a_model_answers_to_its_hub_id_and_to_its_key() -> None:
    args = plan_one(hub("Qwen/Qwen3-8B")).server.args
    at = args.index("--served-model-name")
    assert args[at + 1 : at + 3] == ("Qwen/Qwen3-8B", "qwen3-8b")


def test_an_embedder_on_vllm_pools_and_takes_a_whole_text_at_once() -> None:
    qwen3 = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 1000}
    facts = llama(config=qwen3, pipeline_tag="feature-extraction", parameters={"BF16": 4_000_000_000})
    model = plan_one(facts, context=16384)
    assert flag(model, "--runner") == "pooling"
    assert flag(model, "--max-num-batched-tokens") == "16384"
    activation = next(term for term in model.need.terms if term.name == "activation")
    assert activation.size_bytes == 16384 * 2 * (2 * 8192 + 8 * 2048), "sizing counted the same step"


def test_an_embedder_takes_no_longer_text_than_sentence_transformers_allows() -> None:
    qwen3 = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 1000}
    longest = {"max_position_embeddings": 32768, "sentence_transformers": {"max_seq_length": 4096}}
    facts = llama(config=qwen3 | longest, pipeline_tag="feature-extraction", parameters={"BF16": 4_000_000_000})
    assert flag(plan_one(facts), "--max-model-len") == "4096"
    with pytest.raises(PlanError, match="supports at most 4,096 tokens"):
        plan_one(facts, context=8192)


def test_a_generating_reranker_scores_yes_against_no() -> None:
    facts = llama(
        config={"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}, pipeline_tag="text-ranking"
    )
    overrides = json.loads(flag(plan_one(facts), "--hf-overrides"))
    assert overrides["classifier_from_token"] == ["no", "yes"]


def test_a_pickled_model_is_not_told_to_be_safetensors() -> None:
    pickled = llama(files=(file("config.json"), file("pytorch_model.bin", 2_000_000_000)))
    assert "--load-format" not in plan_one(pickled, allow_pickle=True).server.args
    assert flag(plan_one(llama()), "--load-format") == "safetensors"


def test_remote_code_is_switched_on_only_where_it_is_trusted() -> None:
    home_grown: dict[str, Any] = {"config": {"architectures": ["HomeGrownForCausalLM"], "model_type": "x"}}
    trusted = plan_one(llama(**home_grown, custom_code=True), trust_remote_code=True)
    assert "--trust-remote-code" in trusted.server.args
    assert "--trust-remote-code" in plan_one(llama(custom_code=True), trust_remote_code=True).server.args
    assert "--trust-remote-code" not in plan_one(llama(custom_code=True)).server.args


def test_tei_gets_the_batch_that_sizing_counted_and_a_port_that_needs_no_root() -> None:
    server = plan_one(EMBEDDER).server
    assert flag(plan_one(EMBEDDER), "--max-batch-tokens") == "16384"
    assert flag(plan_one(EMBEDDER), "--port") == str(server.port) == "8080"
    assert flag(plan_one(EMBEDDER), "--dtype") == "float16"


def test_a_family_that_tei_runs_in_one_number_format_only_gets_that_one() -> None:
    """EmbeddingGemma overflows in 16 bits; TEI runs it in 32."""
    gemma = made(
        config={"architectures": ["Gemma3TextModel"], "model_type": "gemma3_text"},
        pipeline_tag="sentence-similarity",
        parameters={"BF16": 302_863_104},
    )
    assert flag(plan_one(gemma), "--dtype") == "float32"


def test_llama_cpp_keeps_prompts_in_half_of_the_memory_that_it_leaves() -> None:
    """Its default of 8 GiB is more than a small pod has (LLMKube#1406)."""
    gguf = made(library="gguf", pipeline_tag="text-generation", files=(file("m-Q4_K_M.gguf", 4_900_000_000),))
    small = plan_one(gguf, accelerator="t4")
    cache = int(flag(small, "--cache-ram"))
    assert 0 < cache * 1024**2 <= (small.server.memory_bytes - 4 * GIB) / 2
    assert flag(plan_one(gguf, accelerator="a100-80gb"), "--cache-ram") == "8192"


def test_llama_cpp_shares_its_context_among_the_sequences() -> None:
    model = plan_one(GGUF, context=4096, concurrency=3)
    assert (flag(model, "--ctx-size"), flag(model, "--parallel")) == ("12288", "3")
    assert flag(model, "--model") == "/weights/m-Q4_K_M.gguf"
    assert "--metrics" in model.server.args


@pytest.mark.parametrize("facts", [llama(), EMBEDDER, GGUF, hub("Qwen/Qwen3-32B")])
def test_no_server_reaches_for_the_hub_or_runs_as_root(facts: ModelFacts) -> None:
    server = plan_one(facts).server
    assert dict(server.env)["HF_HUB_OFFLINE"] == "1"
    assert server.run_as_user > 0
    assert server.port >= 1024


def test_a_tpu_server_runs_as_root_since_its_devices_belong_to_root() -> None:
    server = plan_one(llama(), accelerator="tpu-v6e").server
    assert (server.run_as_user, server.accelerator_resource) == (0, "google.com/tpu")


@pytest.mark.parametrize("facts", [llama(), EMBEDDER, GGUF, hub("meta-llama/Llama-3.3-70B-Instruct")])
def test_the_startup_probe_waits_three_times_as_long_as_the_load_may_take(facts: ModelFacts) -> None:
    server = plan_one(facts).server
    allowed = server.startup.period_seconds * server.startup.failure_threshold
    assert allowed >= 3 * server.load_seconds
    assert server.load_seconds > 0


def test_a_larger_model_is_given_longer_to_load() -> None:
    small, large = (
        plan_one(each).server.load_seconds for each in (llama(), hub("meta-llama/Llama-3.3-70B-Instruct"))
    )
    assert large > small


def test_a_load_is_the_engines_start_and_the_estimated_reading() -> None:
    model = plan_one(hub("Qwen/Qwen3-32B"))
    assert model.server.load_seconds == 240 + model.loading.seconds


def test_a_fast_estimate_does_not_shorten_the_wait_for_a_slow_load() -> None:
    """The window was three times a load at 200 MB/s before estimates, and is never shorter."""
    model = plan_one(hub("meta-llama/Llama-3.3-70B-Instruct"), loading="runai-streamer")
    slow = 240 + 141_107_412_992 / 200_000_000
    assert model.server.load_seconds < slow
    assert model.server.startup.period_seconds * model.server.startup.failure_threshold >= 3 * slow
    assert int(dict(model.server.env)["VLLM_ENGINE_READY_TIMEOUT_S"]) >= 3 * slow


def test_sglang_is_planned_too() -> None:
    """Its start-up allowance was missing, so every such plan ended in a traceback."""
    model = plan_one(llama(), engine=EngineKind.SGLANG)
    assert model.server.engine is EngineKind.SGLANG
    assert model.loading.method is LoadingMethod.GCSFUSE


def test_a_streamed_model_is_read_from_its_bucket_by_commit() -> None:
    model = plan_one(hub("meta-llama/Llama-3.3-70B-Instruct"), loading="runai-streamer")
    assert model.server.args[0] == f"gs://acme-ml-acme-llama-3-3-70b-instruct/{model.commit}"
    assert flag(model, "--load-format") == "runai_streamer"
    told = json.loads(flag(model, "--model-loader-extra-config"))
    assert told == {"distributed": True, "memory_limit": model.loading.buffer_bytes}
    assert dict(model.server.env)["HF_HUB_OFFLINE"] == "1", "nothing of it is asked of the Hub"


def test_every_node_of_a_streamed_replica_reads_from_the_bucket() -> None:
    model = plan_one(
        hub("deepseek-ai/DeepSeek-V3"),
        loading="runai-streamer",
    )
    assert model.hosts > 1
    assert model.server.worker_args[0] == model.loading.uri
    assert "runai_streamer" in model.server.worker_args


@pytest.mark.parametrize("facts", [llama(), EMBEDDER, hub("Qwen/Qwen3-32B")])
def test_what_a_pod_asks_of_its_node_fits_on_it(facts: ModelFacts) -> None:
    model = plan_one(facts)
    machine = catalog().machine_types[model.machine_type]
    assert 0 < model.server.memory_bytes <= machine.allocatable_memory_bytes
    assert 0 < model.server.cpu_millicores <= machine.allocatable_cpu_millicores
    assert model.server.shm_bytes <= model.server.memory_bytes / 2


def test_ranks_share_memory_and_one_process_needs_none() -> None:
    assert plan_one(llama()).server.shm_bytes == 0
    assert plan_one(hub("Qwen/Qwen3-32B")).server.shm_bytes >= 4 * GIB


def test_the_image_is_the_one_that_the_catalogue_names_for_the_card() -> None:
    assert plan_one(EMBEDDER).server.image == "ghcr.io/huggingface/text-embeddings-inference:89-1.9.4"
    assert plan_one(llama()).server.image.startswith("vllm/vllm-openai:v")


@pytest.mark.parametrize("facts", [llama(), EMBEDDER, GGUF])
def test_no_secret_stands_in_flags_or_environment(facts: ModelFacts) -> None:
    server = plan_one(facts).server
    words = " ".join((*server.args, *(f"{name}={value}" for name, value in server.env))).lower()
    assert "token=" not in words
    assert "hf_token" not in words
