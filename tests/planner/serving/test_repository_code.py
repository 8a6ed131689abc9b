# SPDX-License-Identifier: Apache-2.0
"""Code of a repository runs only where a part needs it or the request asks for it; never dropped without a word.

The parts are judged by what transformers of the pinned vLLM knows, whatever vLLM has of the architecture.
"""

from dataclasses import replace
from typing import Any

import pytest

from hubstack.hub.facts import ModelFacts, TokenizerFacts
from hubstack.kinds import EngineKind
from hubstack.planner.model.geometry import read_geometry
from hubstack.planner.serving.repository_code import RepositoryCode, decide_code
from tests.support.facts import ask, catalog, file, hub, llama, plan_one

OWN = {"AutoConfig": "configuration_x.XConfig", "AutoModel": "modeling_x.XModel"}


def of(architecture: str, model_type: str, auto_map: dict[str, str] | None = None, **fields: Any) -> ModelFacts:
    config = {"architectures": [architecture], "model_type": model_type}
    config |= {"auto_map": auto_map} if auto_map else {}
    return llama(config=config, custom_code=bool(auto_map) or bool(fields.get("tokenizer")), **fields)


def decide(facts: ModelFacts, engine: EngineKind = EngineKind.VLLM, **settings: Any) -> RepositoryCode:
    return decide_code(ask(facts.id, **settings), facts, read_geometry(facts), catalog().engines[engine.value])


@pytest.mark.parametrize(
    ("architecture", "model_type"),
    [
        ("InternVLChatModel", "internvl_chat"),
        ("MiniCPMV", "minicpmv"),
        ("Phi4MMForCausalLM", "phi4mm"),
        ("MolmoForCausalLM", "molmo"),
        ("Ovis2_5", "ovis2_5"),
        ("KeyeForConditionalGeneration", "Keye"),
        ("ExaoneForCausalLM", "exaone"),
        ("MiMoForCausalLM", "mimo"),
        ("BailingMoeForCausalLM", "bailing_moe"),
        ("DeciLMForCausalLM", "nemotron-nas"),
        ("OrionForCausalLM", "orion"),
        ("InternLM2ForCausalLM", "internlm2"),
    ],
)
def test_a_known_architecture_whose_config_class_is_in_the_repository_needs_its_code(
    architecture: str, model_type: str
) -> None:
    facts = of(architecture, model_type, OWN)
    assert catalog().engines["vllm"].uses_of(architecture)
    refusal = decide(facts).refusal
    assert refusal is not None
    assert "config class" in refusal.why
    assert "trust_remote_code: true" in (refusal.hint or "")
    assert decide(facts, trust_remote_code=True) == RepositoryCode(runs=True)


@pytest.mark.parametrize("model_type", ["kimi_vl", "deepseek_vl_v2", "chatglm", "step3_vl", "hyperclovax"])
def test_a_config_class_of_the_engine_itself_needs_none(model_type: str) -> None:
    code = decide(of("LlamaForCausalLM", model_type, OWN))
    assert (code.runs, code.refusal) == (False, None)
    assert "does not run" in (code.warning or "")


def test_a_tokenizer_that_only_the_repository_has_needs_its_code() -> None:
    tokenizer = TokenizerFacts(class_name="TikTokenTokenizer", code=("tokenization_kimi.TikTokenTokenizer",))
    kimi = of("DeepseekV3ForCausalLM", "kimi_k2", tokenizer=tokenizer, files=(file("tiktoken.model"),))
    refusal = decide(kimi).refusal
    assert refusal is not None
    assert "tokenizer" in refusal.why
    assert decide(kimi, trust_remote_code=True).runs
    generic = of("DeepseekV3ForCausalLM", "kimi_k2", tokenizer=tokenizer, files=(file("tokenizer.json"),))
    assert decide(generic).refusal is None, "transformers falls back to tokenizer.json"


def test_a_flag_that_the_user_set_is_passed_also_where_it_is_not_needed() -> None:
    facts = of("LlamaForCausalLM", "llama", OWN)
    assert decide(facts, trust_remote_code=True).runs
    assert not decide(facts).runs


def test_code_of_another_repository_is_refused_where_it_is_needed() -> None:
    auto_map = {"AutoConfig": "acme-code/impl--configuration_x.X", "AutoModel": "acme-code/impl--modeling_x.X"}
    for trusted in (False, True):
        refusal = decide(of("HomeGrownModel", "home", auto_map), trust_remote_code=trusted).refusal
        assert refusal is not None
        assert "acme-code/impl" in refusal.why
        assert "neither locked nor staged" in refusal.why


def test_code_of_another_repository_that_nothing_needs_is_left_out_with_a_word() -> None:
    facts = of("LlamaForCausalLM", "llama", {"AutoConfig": "acme-code/impl--configuration_x.X"})
    code = decide(facts, trust_remote_code=True)
    assert (code.runs, code.refusal) == (False, None)
    assert "acme-code/impl" in (code.warning or "")


def test_a_reference_to_the_repository_itself_is_its_own_code() -> None:
    facts = of(
        "HomeGrownForCausalLM", "home", {"AutoConfig": "acme/llama--c.X", "AutoModelForCausalLM": "acme/llama--m.X"}
    )
    assert decide(facts, trust_remote_code=True).runs


def test_a_model_type_that_nobody_knows_and_that_names_no_code_is_refused() -> None:
    refusal = decide(of("InternVLChatModel", "internvl_chat")).refusal
    assert refusal is not None
    assert "transformers 5.20.2" in refusal.why
    assert "includes no code" in refusal.why


def test_a_key_without_effect_is_told() -> None:
    assert "no effect" in (decide(llama(), trust_remote_code=True).warning or "")
    assert decide(llama()) == RepositoryCode()
    assert "no effect" in (
        decide(of("BertModel", "bert", OWN), EngineKind.TEI, trust_remote_code=True).warning or ""
    )


def test_code_that_runs_is_staged_flagged_and_known_to_policy() -> None:
    files = (
        file("config.json"),
        file("configuration_x.py"),
        file("tokenizer.json"),
        file("model.safetensors", 2_000_000_000),
    )
    facts = of("InternVLChatModel", "internvl_chat", OWN, files=files)
    model = plan_one(facts, trust_remote_code=True)
    assert "--trust-remote-code" in model.server.args
    assert "configuration_x.py" in {file.path for file in model.weights.files}
    assert model.provenance.runs_remote_code


def test_no_known_model_of_the_facts_is_refused_for_its_config() -> None:
    release = catalog().engines["vllm"].release
    assert release is not None
    assert release.has_config(hub("deepseek-ai/DeepSeek-V3").config["model_type"], "")


def test_a_known_type_whose_config_class_is_another_ones_needs_that_class() -> None:
    """jina-embeddings-v3 calls itself xlm-roberta; vLLM asserts an XLMRobertaFlashConfig (models/config.py)."""
    flash = "jinaai/xlm-roberta-flash-implementation--configuration_xlm_roberta.XLMRobertaFlashConfig"
    refusal = decide(of("XLMRobertaModel", "xlm-roberta", {"AutoConfig": flash})).refusal
    assert refusal is not None
    assert "jinaai/xlm-roberta-flash-implementation for its config class" in refusal.why
    same = "acme/shared--configuration_xlm_roberta.XLMRobertaConfig"
    assert decide(of("XLMRobertaModel", "xlm-roberta", {"AutoConfig": same})).refusal is None


@pytest.mark.parametrize("key", ["AutoProcessor", "AutoImageProcessor"])
def test_a_processor_that_only_the_repository_has_needs_its_code(key: str) -> None:
    auto_map = {key: "processing_x.XProcessor"}
    known, unknown = "qwen2_5_vl", "gemma3n_vision"
    name = "Gemma3nForConditionalGeneration"
    refusal = decide(of(name, unknown, auto_map)).refusal
    assert refusal is not None
    assert "for its processor" in refusal.why
    assert decide(of("Qwen2_5_VLForConditionalGeneration", known, auto_map)).refusal is None
    own = {key: "processing_ovis.OvisProcessor"}
    assert decide(of(name, unknown, own)).refusal is None, "the engine has this class itself"
    assert decide(of("LlamaForCausalLM", "llama", auto_map)).refusal is None, "text needs no processor"


def test_an_architecture_that_only_the_repository_has_is_planned_with_a_warning() -> None:
    facts = of("AcmeForCausalLM", "acme", {**OWN, "AutoModelForCausalLM": "modeling_x.AcmeForCausalLM"})
    model = plan_one(facts, trust_remote_code=True)
    assert any("no implementation of AcmeForCausalLM" in warning for warning in model.warnings)
    assert not plan_one(llama()).warnings


@pytest.mark.parametrize(
    ("architecture", "model_type"),
    [("Phi3VForCausalLM", "phi3_v"), ("KimiVLForConditionalGeneration", "kimi_vl"), ("MolmoForCausalLM", "molmo")],
)
@pytest.mark.parametrize("role", ["AutoProcessor", "AutoImageProcessor"])
def test_a_processor_whose_code_only_its_own_file_names_needs_that_code(
    architecture: str, model_type: str, role: str
) -> None:
    own, other = ({"processor_code": {role: f"{prefix}processing.HomeProcessor"}} for prefix in ("", "acme/code--"))
    said = {"architectures": [architecture], "model_type": model_type}
    refusal = decide(llama(config=said | own, custom_code=True)).refusal
    assert refusal is not None
    assert "processor" in refusal.why
    elsewhere = decide(llama(config=said | other, custom_code=True), trust_remote_code=True).refusal
    assert elsewhere is not None
    assert "acme/code" in elsewhere.why


def test_the_code_of_a_processor_that_transformers_has_runs_only_where_it_is_asked_for() -> None:
    said = {"architectures": ["LlavaForConditionalGeneration"], "model_type": "llava"}
    facts = llama(config=said | {"processor_code": {"AutoProcessor": "p.P"}}, custom_code=True)
    assert "does not run" in (decide(facts).warning or "")
    assert decide(facts, trust_remote_code=True) == RepositoryCode(runs=True)


EMBEDS = {"AutoModel": "modeling_qwen.Qwen2Model", "AutoModelForCausalLM": "modeling_qwen.Qwen2ForCausalLM"}


def test_an_embedder_needs_the_tokenizer_of_its_repository_although_the_engine_has_the_class() -> None:
    tokenizer = TokenizerFacts(class_name="Qwen2Tokenizer", code=("tokenization_qwen.Qwen2Tokenizer",))
    embedder = of("Qwen2ForCausalLM", "qwen2", EMBEDS, tokenizer=tokenizer, pipeline_tag="sentence-similarity")
    refusal = decide(embedder).refusal
    assert refusal is not None
    assert "for its tokenizer" in refusal.why
    assert decide(embedder, trust_remote_code=True).runs
    chat = of("Qwen2ForCausalLM", "qwen2", EMBEDS, tokenizer=tokenizer)
    assert decide(chat).refusal is None, "a chat's template ends its texts"


def test_an_embedder_with_code_for_a_language_model_is_told_that_its_direction_is_unknown() -> None:
    embedder = of("Qwen2ForCausalLM", "qwen2", EMBEDS, pipeline_tag="sentence-similarity")
    assert "bidirectional" in (decide(embedder).warning or "")
    own = TokenizerFacts(class_name="Qwen2Tokenizer", code=("tokenization_qwen.Qwen2Tokenizer",))
    trusted = decide(replace(embedder, tokenizer=own), trust_remote_code=True)
    assert trusted.runs
    assert "bidirectional" in (trusted.warning or "")
    args = plan_one(embedder, engine_args={"hf-overrides": '{"is_causal": false}'}).server.args
    assert args[args.index("--hf-overrides") + 1] == '{"is_causal": false}', "what the warning says can be done"
    said = replace(embedder, config={**embedder.config, "is_causal": False})
    assert "bidirectional" not in (decide(said).warning or "")
    encoder = of("ModernBertModel", "modernbert", {"AutoModel": "m.M"}, pipeline_tag="sentence-similarity")
    assert "bidirectional" not in (decide(encoder).warning or "")
