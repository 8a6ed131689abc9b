# SPDX-License-Identifier: Apache-2.0
"""The plan as a whole: what it may depend on, and how it says no."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubstack.files.errors import HubstackError, InputError, LockError, PlanError
from hubstack.hub.facts import ModelFacts, SecurityFacts
from hubstack.hub.lock import Lock, lock_path
from hubstack.inputs.models import ModelRequest, Request
from hubstack.planner.placement.placement_file import Placement
from hubstack.planner.planner import places_of, plan_stack
from tests.planner.model.test_geometry import CONFIGS
from tests.support.facts import ask, catalog, file, hub, hub_ids, llama, made, plan, plan_one, steps, target

SERVED = [
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-32B",
    "Qwen/Qwen3-4B-Instruct-2507",
    "google/gemma-3-27b-it",
    "meta-llama/Llama-3.3-70B-Instruct",
    "Qwen/Qwen3-Embedding-0.6B",
    "microsoft/Phi-3.5-mini-instruct",
    "Qwen/Qwen3.5-27B",
    "MiniMaxAI/MiniMax-M2.5",
    "openai-community/gpt2",
]


def locked(*facts: ModelFacts) -> Lock:
    return Lock(path="acme.models.lock.yaml", models=facts)


def request(*models: Any) -> Request:
    return Request(path="acme.models.yaml", models=models)


# What a plan depends on -----------------------------------------------------------------------------------------


def test_the_same_arguments_give_the_same_plan() -> None:
    models = [hub(repo_id) for repo_id in SERVED]
    assert plan(*models).to_json() == plan(*models).to_json()


def test_every_model_of_the_collection_that_says_enough_is_planned() -> None:
    unserved = set(hub_ids()) - {facts.id for facts in _planned()}
    assert unserved == {
        "nvidia/Qwen3-8B-NVFP4",  # the sources give no architectures
    }


def _planned() -> list[ModelFacts]:
    kept: list[ModelFacts] = []
    for repo_id in hub_ids():
        facts = hub(repo_id)
        try:
            plan_one(facts)
        except PlanError:
            continue
        kept.append(facts)
    return kept


@settings(max_examples=15)
@given(st.permutations(SERVED))
def test_the_order_of_lock_and_request_changes_nothing(order: list[str]) -> None:
    shuffled = [hub(repo_id) for repo_id in order]
    models = sorted((ask(facts.id) for facts in shuffled), key=lambda model: model.key)
    planned = plan_stack(request(*models), locked(*shuffled), catalog(), target())
    assert planned.to_json() == plan(*[hub(repo_id) for repo_id in SERVED]).to_json()


@settings(max_examples=15)
@given(st.sets(st.sampled_from(SERVED), min_size=1), st.sampled_from(SERVED))
def test_a_new_model_moves_no_other(held: set[str], new: str) -> None:
    before = plan(*[hub(repo_id) for repo_id in sorted(held)])
    stand = Placement(models=places_of(before))
    after = plan(*[hub(repo_id) for repo_id in sorted(held | {new})], placement=stand)
    grown = {model.key: model for model in after.models}
    assert all(grown[model.key] == model for model in before.models)
    assert {pool.key for pool in before.pools} <= {pool.key for pool in after.pools}


def price(facts: ModelFacts, **settings_: Any) -> float:
    """Of a replica that surely fits; infinite where none does."""
    try:
        model = plan_one(facts, **settings_)
    except PlanError:
        return float("inf")
    return model.usd_per_replica_hour if not model.warnings else float("inf")


@settings(max_examples=40)
@given(st.sampled_from(SERVED), st.integers(128, 32768), st.integers(128, 32768))
def test_more_context_is_never_cheaper(repo_id: str, first: int, second: int) -> None:
    facts = hub(repo_id)
    limit = facts.config.get("max_position_embeddings") or 1024
    less, more = sorted((min(first, limit), min(second, limit)))
    assert price(facts, context=less) <= price(facts, context=more)


@settings(max_examples=40)
@given(st.integers(1, 500), st.integers(1, 500))
def test_more_parameters_are_never_cheaper(first: int, second: int) -> None:
    less, more = (price(llama(parameters={"BF16": n * 10**9})) for n in sorted((first, second)))
    assert less <= more


def test_more_sequences_are_never_cheaper() -> None:
    prices = [price(hub("Qwen/Qwen3-8B"), concurrency=count) for count in (1, 4, 16, 64, 256)]
    assert prices == sorted(prices)
    assert prices[0] < prices[-1]


# What it says ---------------------------------------------------------------------------------------------------


def test_a_plan_names_models_and_pools_in_order() -> None:
    planned = plan(*[hub(repo_id) for repo_id in reversed(SERVED)])
    assert [model.key for model in planned.models] == sorted(model.key for model in planned.models)
    assert [pool.key for pool in planned.pools] == sorted(pool.key for pool in planned.pools)
    classes = {each.key for each in planned.classes}
    assert {model.capacity_class for model in planned.models} == classes


def test_every_decision_keeps_its_reason() -> None:
    for model in plan(*[hub(repo_id) for repo_id in SERVED]).models:
        topics = [reason.topic for reason in model.reasons if reason.topic not in {"cloud-run", "parsers"}]
        assert topics == ["engine", "weights", "context", "accelerator", "loading", "slo", "replicas", "rollout"]
        assert all(reason.text for reason in model.reasons)


def test_context_is_the_models_own_limit_and_at_most_8192_unless_asked() -> None:
    assert plan_one(hub("openai-community/gpt2")).need.context == 1024
    assert plan_one(hub("Qwen/Qwen3-8B")).need.context == 8192
    assert plan_one(hub("Qwen/Qwen3-8B"), context=20_000).need.context == 20_000
    with pytest.raises(PlanError, match="at most 40,960 tokens, but `context:` is 50,000"):
        plan_one(hub("Qwen/Qwen3-8B"), context=50_000)


def test_a_gated_model_needs_the_token_and_an_open_one_does_not() -> None:
    gated = plan_one(hub("meta-llama/Llama-3.3-70B-Instruct"))
    assert (gated.gated, gated.weights.needs_token) == (True, True)
    assert plan_one(llama()).weights.needs_token is False


def test_listed_files_are_staged_by_commit_with_their_hashes() -> None:
    files = (file("config.json", 600), file("model.safetensors", 2_000_000_000))
    weights = plan_one(llama(files=files)).weights
    assert [each.path for each in weights.files] == ["config.json", "model.safetensors"]
    assert weights.total_bytes == 2_000_000_600
    assert weights.prefix == weights.commit == "0123456789" * 4


def test_a_list_without_its_config_is_not_taken_for_the_whole() -> None:
    weights = plan_one(llama(files=(file("model.safetensors", 2_000_000_000),))).weights
    assert weights.files == ()
    assert "*.safetensors" in weights.patterns


def test_a_gguf_is_served_as_a_file_and_the_rest_as_a_folder() -> None:
    gguf = plan_one(made(files=(file("m-Q4_K_M.gguf", 5_000_000_000),)))
    assert gguf.weights.model_path == "/weights/m-Q4_K_M.gguf"
    assert plan_one(llama()).weights.model_path == "/weights"


# How it says no -------------------------------------------------------------------------------------------------


def no(error: type[InputError], *models: Any, where: Any = None, lock: Lock | None = None) -> str:
    facts = [model for model in models if isinstance(model, ModelFacts)]
    asked = [ask(model.id) if isinstance(model, ModelFacts) else model for model in models]
    with pytest.raises(error) as caught:
        plan_stack(request(*asked), lock or locked(*facts), catalog(), where or target())
    return str(caught.value)


def test_a_model_that_is_not_locked_is_named_with_its_place_and_the_nearest_one() -> None:
    said = no(LockError, ask("Qwen/Qwen3-8b"), lock=locked(hub("Qwen/Qwen3-8B"), hub("openai-community/gpt2")))
    assert "acme.models.yaml:3:5: `Qwen/Qwen3-8b` is not in the lock" in said
    assert "hubstack lock" in said
    assert "did you mean `Qwen/Qwen3-8B`?" in said


def test_an_unlike_model_is_not_suggested() -> None:
    assert "did you mean" not in no(LockError, ask("acme/zzz"), lock=locked(hub("Qwen/Qwen3-8B")))


def test_a_stale_lock_says_which_revision_it_holds() -> None:
    said = no(LockError, ask("Qwen/Qwen3-8B", revision="v2"), lock=locked(hub("Qwen/Qwen3-8B")))
    assert "the lock is stale" in said
    assert "`main`, not at `v2`" in said


def test_a_renamed_model_is_found_by_its_old_name() -> None:
    renamed = llama("acme/new", asked_id="acme/old")
    planned = plan_stack(request(ask("acme/old")), locked(renamed), catalog(), target())
    assert planned.models[0].id == "acme/new"


def test_an_unknown_accelerator_is_named_with_the_nearest_one() -> None:
    said = no(PlanError, ask("acme/llama", accelerator="h100-80g"), lock=locked(llama()))
    assert "`h100-80g` is not an accelerator" in said
    assert "did you mean `h100-80gb` or `h100-mega-80gb`?" in said
    assert "known: " in no(PlanError, ask("acme/llama", accelerator="zzz"), lock=locked(llama()))


def test_an_unknown_region_is_named_with_the_nearest_one() -> None:
    said = no(InputError, llama(), where=target(region="us-centrl1"))
    assert "`gcp:region` is `us-centrl1`" in said
    assert "did you mean `us-central1`?" in said


def test_all_problems_of_all_models_are_told_at_once() -> None:
    said = no(
        PlanError,
        llama("acme/adapter", library="peft"),
        llama("acme/code", config={"architectures": ["HomeGrownForCausalLM"], "model_type": "x"}, custom_code=True),
        llama("acme/unsafe", security=SecurityFacts(issues={"a.bin": "unsafe"})),
        hub("Qwen/Qwen3-8B"),
    )
    assert all(f"`acme/{name}`" in said for name in ("adapter", "code", "unsafe"))
    assert "Qwen3-8B" not in said


def test_a_lock_without_sizes_names_what_is_missing() -> None:
    said = no(PlanError, llama(config={"num_hidden_layers": None, "vocab_size": None}))
    assert "its config.json does not give its layers and vocabulary size in a form that hubstack reads" in said
    assert "a token" not in said, "the lock has its config, so no token would help"


def test_a_plan_over_the_budget_says_by_how_much_and_names_the_three_largest_items() -> None:
    models = [hub(repo_id) for repo_id in SERVED]
    planned = plan(*models, where=target(budget_per_month=100.0))
    said = next(warning for warning in planned.warnings if warning.startswith("over budget by"))
    named = re.findall(r"([a-z0-9.-]+) \$([\d,]+) \(", said.split("largest items are ")[1].split(". Lower")[0])
    amounts = [int(amount.replace(",", "")) for _, amount in named]
    every = sorted((line.usd_per_month_max or 0 for line in plan(*models).cost.lines), reverse=True)
    assert amounts == [round(usd) for usd in every[:3]]
    assert planned.cost.over_budget_usd == pytest.approx(planned.cost.usd_per_month_max - 100)


def test_a_budget_that_is_met_says_nothing() -> None:
    cost = plan(llama()).cost.usd_per_month_max
    assert plan(llama(), where=target(budget_per_month=cost)).cost.over_budget_usd == 0
    assert plan(llama(), where=target(budget_per_month=cost - 0.01)).cost.over_budget_usd == pytest.approx(0.01)


def test_warnings_carry_the_key_of_their_model() -> None:
    planned = plan(llama(custom_code=True))
    assert planned.warnings
    assert all(warning.startswith("llama: ") for warning in planned.warnings)


def test_the_lock_lies_beside_its_request() -> None:
    assert str(lock_path(Path("stacks/dev.models.yaml"))) == "stacks/dev.models.lock.yaml"


# Nothing crashes ------------------------------------------------------------------------------------------------

TASKS = st.sampled_from(
    [
        None,
        "text-generation",
        "feature-extraction",
        "text-ranking",
        "image-text-to-text",
        "automatic-speech-recognition",
        "fill-mask",
        "odd",
    ]
)
NAMES = st.sampled_from(["LlamaForCausalLM", "Qwen3ForCausalLM", "BertModel", "MixtralForCausalLM", "OddModel"])
TYPES = st.sampled_from(["llama", "bert", "qwen3", "mixtral", "odd"])
WHOLE: dict[str, Any] = {
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "vocab_size": 32000,
}


def outcome(facts: ModelFacts, asked: ModelRequest) -> str:
    """Return the plan as JSON, or the refusal as the user reads it."""
    try:
        return plan((facts, asked)).to_json()
    except HubstackError as error:
        return str(error)


@settings(max_examples=200)
@given(CONFIGS, NAMES, TYPES, TASKS, st.booleans(), st.integers(0, 10**12), st.sampled_from(["l4", "tpu-v6e", ""]))
def test_a_model_of_any_config_is_planned_or_refused(
    config: dict[str, Any], name: str, kind: str, task: str | None, whole: bool, count: int, card: str
) -> None:
    base: dict[str, Any] = WHOLE if whole else {}
    given_ = {**base, **config, "architectures": [name], "model_type": kind}
    facts = made(config=given_, pipeline_tag=task, parameters={"BF16": count})
    said = outcome(facts, ask(facts.id, accelerator=card or None))
    assert said.startswith(("{", "acme.models.yaml:3:5: `acme/model`")), said


FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "mistralai/Mixtral-8x7B-Instruct-v0.1": (
        "MixtralForCausalLM",
        {
            "model_type": "mixtral",
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "vocab_size": 32000,
            "num_local_experts": 8,
            "num_experts_per_tok": 2,
            "sliding_window": None,
        },
    ),
    "deepseek-ai/DeepSeek-V2-Lite-Chat": (
        "DeepseekV2ForCausalLM",
        {
            "model_type": "deepseek_v2",
            "hidden_size": 2048,
            "intermediate_size": 10944,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "num_key_value_heads": 16,
            "kv_lora_rank": 512,
            "q_lora_rank": None,
            "qk_rope_head_dim": 64,
            "vocab_size": 102400,
            "n_routed_experts": 64,
            "moe_intermediate_size": 1408,
            "num_experts_per_tok": 6,
            "n_shared_experts": 2,
        },
    ),
    "ai21labs/Jamba-v0.1": (
        "JambaForCausalLM",
        {
            "model_type": "jamba",
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "vocab_size": 65536,
            "attn_layer_period": 8,
            "num_experts": 16,
            "num_experts_per_tok": 2,
            "mamba_d_state": 16,
            "mamba_expand": 2,
        },
    ),
    "openai/gpt-oss-20b": (
        "GptOssForCausalLM",
        {
            "model_type": "gpt_oss",
            "hidden_size": 2880,
            "intermediate_size": 2880,
            "num_hidden_layers": 24,
            "num_attention_heads": 64,
            "num_key_value_heads": 8,
            "head_dim": 64,
            "vocab_size": 201088,
            "num_local_experts": 32,
            "num_experts_per_tok": 4,
            "sliding_window": 128,
            "layer_types": {"sliding_attention": 12, "full_attention": 12},
        },
    ),
    "google/gemma-3n-E4B-it": (
        "Gemma3nForConditionalGeneration",
        {
            "model_type": "gemma3n",
            "text_config": {
                "model_type": "gemma3n_text",
                "hidden_size": 2048,
                "intermediate_size": [16384] * 35,
                "num_hidden_layers": 35,
                "num_attention_heads": 8,
                "num_key_value_heads": 2,
                "head_dim": 256,
                "vocab_size": 262400,
                "sliding_window": 512,
                "num_kv_shared_layers": 15,
                "layer_types": {"sliding_attention": 28, "full_attention": 7},
            },
            "vision_config": {"hidden_size": 2048},
        },
    ),
    "OpenGVLab/InternVL3-8B": (
        "InternVLChatModel",
        {
            "model_type": "internvl_chat",
            "auto_map": {"AutoConfig": "configuration_internvl_chat.InternVLChatConfig"},
            "llm_config": {
                "model_type": "qwen2",
                "hidden_size": 3584,
                "intermediate_size": 18944,
                "num_hidden_layers": 28,
                "num_attention_heads": 28,
                "num_key_value_heads": 4,
                "vocab_size": 151674,
            },
            "vision_config": {"hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 4096},
        },
    ),
    "Qwen/Qwen2-Audio-7B-Instruct": (
        "Qwen2AudioForConditionalGeneration",
        {
            "model_type": "qwen2_audio",
            "audio_config": {"d_model": 1280, "encoder_layers": 32},
            "text_config": {
                "model_type": "qwen2",
                "hidden_size": 4096,
                "intermediate_size": 11008,
                "num_hidden_layers": 32,
                "num_attention_heads": 32,
                "vocab_size": 156032,
            },
        },
    ),
    "CohereLabs/c4ai-command-r-plus": (
        "CohereForCausalLM",
        {
            "model_type": "cohere",
            "hidden_size": 12288,
            "intermediate_size": 33792,
            "num_hidden_layers": 64,
            "num_attention_heads": 96,
            "num_key_value_heads": 8,
            "vocab_size": 256000,
        },
    ),
    "tiiuae/falcon-mamba-7b": (
        "FalconMambaForCausalLM",
        {
            "model_type": "falcon_mamba",
            "hidden_size": 4096,
            "num_hidden_layers": 64,
            "state_size": 16,
            "intermediate_size": 8192,
            "vocab_size": 65024,
        },
    ),
}


@pytest.mark.parametrize("repo_id", FAMILIES)
def test_families_that_are_in_no_fact_file_are_served(repo_id: str) -> None:
    name, config = FAMILIES[repo_id]
    facts = made(
        repo_id,
        config={"architectures": [name], **config},
        pipeline_tag="text-generation",
        parameters={"BF16": 8_000_000_000},
        custom_code="auto_map" in config,
    )
    model = plan_one(facts, trust_remote_code=facts.custom_code)
    assert model.server.engine == "vllm"
    assert model.need.kv_bytes_per_token or model.need.kv_fixed_bytes


def test_spot_and_on_demand_of_the_same_model_are_two_stacks_apart_in_capacity_only() -> None:
    spot, held = (plan_one(hub("Qwen/Qwen3-8B"), capacity=steps(word)) for word in ("spot", "on-demand"))
    assert spot.capacity_class != held.capacity_class
    at = held.server.args.index("--shutdown-timeout") + 1  # what is left of Spot's 25 seconds
    assert spot.server.args[:at] + spot.server.args[at + 1 :] == held.server.args[:at] + held.server.args[at + 1 :]
