# SPDX-License-Identifier: Apache-2.0
"""Adapters and draft models: which suit a model, and what of them is planned."""

import json
from dataclasses import replace
from typing import Any

import pytest

from hubstack.files.errors import LockError, PlanError
from hubstack.hub.facts import FileFacts, ModelFacts, SecurityFacts
from hubstack.plan import CompanionRole, ModelPlan
from hubstack.plan.loading import LoadingMethod
from tests.support.facts import ask, file, llama, made, plan, plan_one

OTHER = "f" * 40


def adapter(
    repo_id: str = "acme/support", *, weights: str = "adapter_model.safetensors", **config: Any
) -> ModelFacts:
    """Return a LoRA adapter of rank 16 for `acme/llama`; keywords add to or replace its config."""
    said = {"peft_type": "LORA", "base_model_name_or_path": "acme/llama", "r": 16, "target_modules": ["q_proj"]}
    beside = {key: config.pop(key) for key in ("adapter_base_quantized_from",) if key in config}
    fields = {key: config.pop(key) for key in ("security", "license", "gated", "asked_id") if key in config}
    return made(
        repo_id,
        commit=OTHER,
        library="peft",
        config={"adapters": {".": said | config}, **beside},
        files=(file("adapter_config.json"), FileFacts(path=weights, size_bytes=40_000_000, sha256="a" * 64)),
        **fields,
    )


def head(repo_id: str = "acme/head", *, weights: str = "model.safetensors", **config: Any) -> ModelFacts:
    """Return an EAGLE-3 head of `acme/llama`."""
    said = {
        "architectures": ["LlamaForCausalLMEagle3"],
        "model_type": "llama",
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 1,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "torch_dtype": "bfloat16",
    }
    listed = (file("config.json"), FileFacts(path=weights, size_bytes=400_000_000, sha256="b" * 64))
    return made(repo_id, commit=OTHER, config=said | config, files=listed, parameters={"BF16": 200_000_000})


def with_adapters(*facts: ModelFacts, base: ModelFacts | None = None, **lora: Any) -> ModelPlan:
    listed = lora.pop("adapters", [each.id for each in facts])
    return plan_one(base or llama(), beside=facts, lora={"adapters": listed, **lora})


def with_head(own: ModelFacts, base: ModelFacts | None = None, **more: Any) -> ModelPlan:
    asked = {"method": "eagle3", "model": own.id, "tokens": 2} | more.pop("speculative", {})
    return plan_one(base or llama(), beside=(own,), speculative=asked, **more)


def values(model: ModelPlan, flag: str) -> list[str]:
    """Return the words after a flag up to the next."""
    words = list(model.server.args[model.server.args.index(flag) + 1 :])
    return words[: next((i for i, word in enumerate(words) if word.startswith("--")), len(words))]


# Adapters


def test_adapters_are_served_under_their_names_from_folders_of_their_commits() -> None:
    other = replace(adapter("acme/legal-lora"), commit="e" * 40)
    listed = ["acme/support", {"id": "acme/legal-lora", "name": "legal"}]
    model = with_adapters(adapter(), other, adapters=listed)
    assert values(model, "--lora-modules") == [f"legal=/companions/{'e' * 40}", f"support=/companions/{OTHER}"]
    assert [each.name for each in model.adapters] == ["legal", "support"]
    staged = model.adapters[1].weights
    assert (staged.prefix, staged.repo_id, staged.commit) == (f"companions/{OTHER}", "acme/support", OTHER)
    assert [(each.path, each.sha256) for each in staged.files] == [
        ("adapter_config.json", None),
        ("adapter_model.safetensors", "a" * 64),
    ]


def test_places_take_the_rank_of_the_largest_adapter_that_the_engine_knows() -> None:
    model = with_adapters(adapter("acme/a", r=8), adapter("acme/b", r=24, rank_pattern=[40]))
    assert values(model, "--max-lora-rank") == ["64"]
    assert values(model, "--max-loras") == ["2"]
    assert "--max-cpu-loras" not in model.server.args
    assert {each.name: each.rank for each in model.adapters} == {"a": 8, "b": 40}


def test_more_adapters_than_places_wait_in_host_memory() -> None:
    facts = [adapter(f"acme/a{i}") for i in range(10)]
    model = with_adapters(*facts, slots=2)
    assert (values(model, "--max-loras"), values(model, "--max-cpu-loras")) == (["2"], ["10"])
    assert values(with_adapters(*facts), "--max-loras") == ["8"]


def test_adapters_that_do_not_fit_in_host_memory_are_refused() -> None:
    huge = adapter()
    files = (huge.files[0], replace(huge.files[1], size_bytes=500_000_000_000))
    with pytest.raises(PlanError, match=r"keeps 465\.7 GiB of adapters in host memory"):
        with_adapters(replace(huge, files=files))


def test_a_model_is_still_streamed_with_adapters_beside_it() -> None:
    big = llama(
        config={
            "hidden_size": 8192,
            "intermediate_size": 28672,
            "num_hidden_layers": 80,
            "num_attention_heads": 64,
        },
        parameters={"BF16": 70_000_000_000},
    )
    model = plan_one(big, beside=(adapter(),), lora={"adapters": ["acme/support"]}, loading="runai-streamer")
    assert model.loading.method is LoadingMethod.RUNAI_STREAMER
    assert values(model, "--lora-modules") == [f"support=/companions/{OTHER}"]


def test_slots_without_adapters_are_as_before() -> None:
    model = plan_one(llama(), lora={"slots": 4})
    assert (values(model, "--max-loras"), values(model, "--max-lora-rank")) == (["4"], ["16"])
    assert model.companions is None


QUANTIZED = llama("acme/llama-awq", base_models=("acme/llama",), quantization={"quant_method": "awq", "bits": 4})
TUNED = llama("acme/llama-chat", base_models=("acme/llama",))


@pytest.mark.parametrize(
    ("base", "own"),
    [
        (llama(), adapter()),
        (llama(), adapter(base_model_name_or_path="ACME/Llama")),
        (llama("acme/new", asked_id="acme/llama"), adapter()),
        (QUANTIZED, adapter()),
        (llama(), adapter(base_model_name_or_path="u/llama-4bit", adapter_base_quantized_from=["acme/llama"])),
        (llama(), adapter(base_model_name_or_path="")),
    ],
)
def test_an_adapter_suits_its_base_and_quantized_builds_of_it(base: ModelFacts, own: ModelFacts) -> None:
    asked = ask(base.asked_id or base.id, lora={"adapters": [own.id]})
    (model,) = plan((base, asked), beside=(own,)).models
    assert [each.name for each in model.adapters] == ["support"]


@pytest.mark.parametrize(
    ("own", "settings", "why"),
    [
        (adapter(base_model_name_or_path="acme/other"), {}, "was trained on `acme/other`, another model"),
        (adapter(peft_type="LOHA"), {}, "is of the type LOHA: vLLM serves LoRA adapters only"),
        (adapter(r="16"), {}, "has no rank"),
        (adapter(r=1024), {}, "has rank 1024; vLLM takes at most 512"),
        (adapter(r=32), {"rank": 16}, "has rank 32, but `lora` sets `rank: 16`"),
        (adapter(use_dora=True), {}, "uses DoRA, which vLLM does not load"),
        (adapter(bias="all"), {}, "`bias: all`"),
        (adapter(init_lora_weights="pissa"), {}, "changes the model's own weights"),
        (adapter(modules_to_save=["embed_tokens"]), {}, r"whole modules besides the adapter \(embed_tokens\)"),
        (adapter(weights="adapter_model.bin"), {}, "a pickle can run arbitrary code"),
        (adapter(weights="other.safetensors"), {}, "has no adapter_model.safetensors"),
        (
            adapter(security=SecurityFacts(issues={"adapter_model.safetensors": "unsafe"})),
            {},
            "flagged by the Hub's security scan",
        ),
        (llama("acme/support"), {}, "is not an adapter: it has no adapter_config.json"),
        (replace(adapter(), config={}), {}, "was locked without the contents of its adapter_config.json"),
    ],
)
def test_an_adapter_that_would_fail_or_mislead_is_refused(
    own: ModelFacts, settings: dict[str, Any], why: str
) -> None:
    with pytest.raises(PlanError, match=why):
        with_adapters(own, **settings)


def test_an_adapter_of_what_a_model_was_made_from_is_refused_until_the_list_says_that_they_are_one() -> None:
    with pytest.raises(PlanError, match="from which this model was fine-tuned: the weights differ") as refused:
        with_adapters(adapter(), base=TUNED)
    assert "say so: `base: acme/llama`" in str(refused.value)
    listed = [{"id": "acme/support", "base": "acme/llama"}]
    assert with_adapters(adapter(), base=TUNED, adapters=listed).adapters
    with pytest.raises(PlanError, match="was trained on `acme/llama`"):
        with_adapters(adapter(), base=TUNED, adapters=[{"id": "acme/support", "base": "acme/more"}])


def test_an_adapter_that_names_a_folder_of_its_trainer_is_served_once_the_list_says_that_it_is_the_model() -> None:
    local = adapter(base_model_name_or_path="/home/ml/out")
    with pytest.raises(PlanError, match="was trained on `/home/ml/out`, another model") as refused:
        with_adapters(local)
    assert "if that is the listed model under another name, say so: `base: /home/ml/out`" in str(refused.value)
    assert with_adapters(local, adapters=[{"id": "acme/support", "base": "/home/ml/out"}]).adapters


def test_pickles_and_flagged_files_are_let_in_by_the_same_keys_as_weights() -> None:
    own = adapter(weights="adapter_model.bin")
    model = plan_one(llama(), beside=(own,), lora={"adapters": [own.id]}, allow_pickle=True)
    assert model.adapters[0].provenance.weights_format == "pickle"


def test_an_architecture_without_adapters_in_the_engine_is_refused() -> None:
    falcon = llama(config={"architectures": ["FalconForCausalLM"], "model_type": "falcon"})
    with pytest.raises(PlanError, match="takes no adapters for FalconForCausalLM"):
        plan_one(falcon, beside=(adapter(),), lora={"adapters": ["acme/support"]})


def test_other_engines_refuse_adapters() -> None:
    with pytest.raises(PlanError, match="sets `lora`, which hubstack does not support on sglang"):
        plan_one(llama(), beside=(adapter(),), engine="sglang", lora={"adapters": ["acme/support"]})


def test_an_adapter_that_is_not_locked_is_named() -> None:
    with pytest.raises(LockError, match="`acme/support` is not in the lock"):
        plan_one(llama(), lora={"adapters": ["acme/support"]})


# Draft models


def test_a_head_is_staged_sized_and_told_to_the_engine() -> None:
    model, alone = with_head(head()), plan_one(llama())
    told = json.loads(values(model, "--speculative-config")[0])
    assert told == {
        "method": "eagle3",
        "num_speculative_tokens": 2,
        "model": f"/companions/{OTHER}",
        "draft_load_config": {"load_format": "safetensors"},
    }
    (draft,) = model.companions or ()
    assert (draft.role, draft.name, draft.rank) == (CompanionRole.DRAFT, "draft", None)
    assert [each.path for each in draft.weights.files] == ["config.json", "model.safetensors"]
    terms = {term.name: term.size_bytes for term in model.need.terms}
    assert terms["draft"] == 400_000_000
    assert model.need.kv_bytes_per_token == alone.need.kv_bytes_per_token * 17 // 16, "one more layer"


def test_a_draft_models_cache_is_counted_in_its_own_size() -> None:
    small = head("acme/small", architectures=["LlamaForCausalLM"], num_hidden_layers=8, num_key_value_heads=4)
    model = with_head(small, speculative={"method": "draft_model"})
    assert model.need.kv_bytes_per_token == plan_one(llama()).need.kv_bytes_per_token * 20 // 16


@pytest.mark.parametrize(
    ("own", "method", "why"),
    [
        (head(hidden_size=4096), "eagle3", "reads hidden states of 4,096 numbers; the model has 2,048"),
        (head(target_hidden_size=4096), "eagle3", "reads hidden states of 4,096 numbers"),
        (head(vocab_size=32000), "eagle3", "has a vocabulary of 32,000 tokens; the model has 128,256"),
        (head(vocab_size=32000, architectures=["LlamaForCausalLM"]), "draft_model", "a vocabulary of 32,000"),
        (head(architectures=["MambaForCausalLM"]), "eagle3", "Eagle3MambaForCausalLM, which vLLM"),
        (head(), "eagle", "EagleLlamaForCausalLMEagle3"),
        (head(architectures=["CLIPModel"]), "draft_model", "with which vLLM .* generates no text"),
        (head(weights="pytorch_model.bin"), "eagle3", "a pickle can run arbitrary code"),
        (adapter("acme/head"), "eagle3", "is a LoRA adapter"),
        (head(weights="other.gguf"), "eagle3", "has no weights that vLLM can draft with"),
    ],
)
def test_a_draft_model_that_does_not_fit_its_model_is_refused(own: ModelFacts, method: str, why: str) -> None:
    with pytest.raises(PlanError, match=why):
        with_head(own, speculative={"method": method})


def test_a_head_in_the_speculators_format_is_read_from_its_layer() -> None:
    layer = {"model_type": "qwen3", "hidden_size": 2048, "vocab_size": 128256, "num_hidden_layers": 1}
    layer |= {"num_attention_heads": 32, "num_key_value_heads": 8}
    config = {"architectures": ["Eagle3Speculator"], "speculators_model_type": "eagle3"}
    own = replace(head(), config={**config, "transformer_layer_config": layer})
    assert with_head(own).companions
    wrong = replace(own, config={**config, "transformer_layer_config": layer | {"model_type": "gemma"}})
    with pytest.raises(PlanError, match="Eagle3Speculator"):
        with_head(wrong)


def test_a_head_for_another_model_of_the_same_size_is_warned_of() -> None:
    own = replace(head(), base_models=("acme/other",))
    assert any("drafts for acme/other by its model card" in text for text in with_head(own).warnings)


def test_a_pickled_head_is_read_as_a_pickle_where_the_list_allows_it() -> None:
    model = with_head(head(weights="pytorch_model.bin"), allow_pickle=True)
    assert json.loads(values(model, "--speculative-config")[0])["draft_load_config"] == {"load_format": "pt"}


def test_managed_platforms_stage_no_draft_model() -> None:
    with pytest.raises(PlanError, match=r"`speculative` .*cloud-run"):
        with_head(head(), platform="cloud-run")
