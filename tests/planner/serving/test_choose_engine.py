# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from typing import Any

import pytest

from hubstack.hub.facts import ModelFacts, SecurityFacts
from hubstack.kinds import EngineKind
from hubstack.planner.engines.spec import EngineChoice, Refusal
from hubstack.planner.model.geometry import read_geometry
from hubstack.planner.model.weights import choose_files
from hubstack.planner.serving.choose_engine import choose_engine
from tests.support.facts import ask, catalog, file, hub, llama, made, plan_one

CONFIG = file("config.json")
WEIGHTS = file("model.safetensors", 2_000_000_000)


def choose(facts: ModelFacts, **settings: Any) -> EngineChoice | list[Refusal]:
    request = ask(facts.id, **settings)
    chosen = choose_files(facts, gguf_file=request.settings.file)
    return choose_engine(request, facts, read_geometry(facts), chosen, catalog())


def accepted(facts: ModelFacts, **settings: Any) -> EngineChoice:
    choice = choose(facts, **settings)
    assert isinstance(choice, EngineChoice), choice
    return choice


def refused(facts: ModelFacts, **settings: Any) -> Refusal:
    """The one refusal: two for one cause would confuse."""
    refusals = choose(facts, **settings)
    assert isinstance(refusals, list), refusals
    assert len(refusals) == 1, refusals
    return refusals[0]


def of(architecture: str, model_type: str, task: str | None, **fields: Any) -> ModelFacts:
    config = {"architectures": [architecture], "model_type": model_type}
    return made(**{"config": config, "pipeline_tag": task, "parameters": {"BF16": 300_000_000}, **fields})


@pytest.mark.parametrize(
    ("architecture", "model_type", "task", "kind"),
    [
        ("LlamaForCausalLM", "llama", "text-generation", EngineKind.VLLM),
        ("MixtralForCausalLM", "mixtral", "text-generation", EngineKind.VLLM),
        ("JambaForCausalLM", "jamba", "text-generation", EngineKind.VLLM),
        ("GptOssForCausalLM", "gpt_oss", "text-generation", EngineKind.VLLM),
        ("Gemma3nForConditionalGeneration", "gemma3n", "image-text-to-text", EngineKind.VLLM),
        ("Qwen2AudioForConditionalGeneration", "qwen2_audio", "audio-text-to-text", EngineKind.VLLM),
        ("LlavaForConditionalGeneration", "llava", "image-text-to-text", EngineKind.VLLM),
        ("WhisperForConditionalGeneration", "whisper", "automatic-speech-recognition", EngineKind.VLLM),
        ("BertModel", "bert", "feature-extraction", EngineKind.TEI),
        ("XLMRobertaForSequenceClassification", "xlm-roberta", "text-ranking", EngineKind.TEI),
        ("ModernBertModel", "modernbert", "sentence-similarity", EngineKind.TEI),
        ("BertForSequenceClassification", "bert", "text-classification", EngineKind.TEI),
        ("Qwen3ForCausalLM", "qwen3", "feature-extraction", EngineKind.TEI),
        ("Qwen3ForCausalLM", "qwen3", "text-ranking", EngineKind.VLLM),
        ("Gemma3TextModel", "gemma3_text", "sentence-similarity", EngineKind.TEI),
    ],
)
def test_each_task_goes_to_the_engine_that_is_built_for_it(
    architecture: str, model_type: str, task: str, kind: EngineKind
) -> None:
    assert accepted(of(architecture, model_type, task)).kind is kind


def test_a_large_embedder_goes_to_vllm_and_pools() -> None:
    choice = accepted(of("Qwen3ForCausalLM", "qwen3", "feature-extraction", parameters={"BF16": 4_000_000_000}))
    assert (choice.kind, choice.pooling, choice.ranks) == (EngineKind.VLLM, True, False)


def test_a_large_embedder_without_a_language_head_goes_to_vllm_too() -> None:
    facts = of("MistralModel", "mistral", "feature-extraction", parameters={"BF16": 7_110_660_096})
    assert accepted(facts).kind is EngineKind.VLLM


def test_a_reranker_ranks_and_a_chat_model_does_neither() -> None:
    ranker = accepted(of("Qwen3ForCausalLM", "qwen3", "text-ranking"))
    assert (ranker.pooling, ranker.ranks) == (True, True)
    chat = accepted(llama())
    assert (chat.pooling, chat.ranks) == (False, False)


def test_a_quantized_embedder_is_not_given_to_tei() -> None:
    awq = {"quant_method": "awq", "bits": 4}
    assert accepted(of("Qwen3ForCausalLM", "qwen3", "feature-extraction", quantization=awq)).kind is EngineKind.VLLM


def test_a_sentence_transformer_without_a_task_is_an_embedder() -> None:
    choice = accepted(of("BertModel", "bert", None, library="sentence-transformers"))
    assert (choice.kind, choice.pooling) == (EngineKind.TEI, True)


def test_a_model_without_a_task_is_judged_by_its_architecture() -> None:
    assert accepted(of("LlamaForCausalLM", "llama", None)).kind is EngineKind.VLLM


def test_gguf_goes_to_llama_cpp() -> None:
    facts = made(library="gguf", files=(file("model-Q4_K_M.gguf", 5_000_000_000),), pipeline_tag="text-generation")
    assert accepted(facts).kind is EngineKind.LLAMA_CPP


def test_the_reason_is_given() -> None:
    reason = accepted(llama()).reasons[0]
    assert (reason.topic, "LlamaForCausalLM" in reason.text, bool(reason.source)) == ("engine", True, True)


# Refusals -------------------------------------------------------------------------------------------------------


def test_an_adapter_is_refused_with_what_to_list_instead() -> None:
    refusal = refused(made(files=(file("adapter_config.json"), file("adapter_model.safetensors"))))
    assert "adapter" in refusal.why
    assert "base model" in (refusal.hint or "")
    assert "adapter" in refused(llama(library="peft")).why
    assert "`acme/base`" in (refused(llama(library="peft", base_models=("acme/base",))).hint or "")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("parakeet.nemo", "has its weights in parakeet.nemo, a format that none of hubstack's engines loads"),
        ("kokoro-v1_0.pth", "has its weights in kokoro-v1_0.pth"),
        ("transformer/model.safetensors", "has weights only in subfolders (transformer/model.safetensors)"),
        ("notes.txt", "has no safetensors, GGUF or pickle weights"),
    ],
)
def test_a_repository_without_loadable_weights_is_refused_with_what_it_has(path: str, why: str) -> None:
    assert why in refused(made(files=(CONFIG, file(path, 9)), pipeline_tag="text-to-speech")).why


ENCODER = {"model_type": "modernbert", "architectures": ["ModernBertModel"]}


def test_late_interaction_goes_to_vllm_under_the_name_that_it_has_there() -> None:
    facts = llama(config=ENCODER, library="PyLate", pipeline_tag="sentence-similarity")
    assert accepted(facts).kind is EngineKind.VLLM
    args = plan_one(facts).server.args
    assert args[args.index("--hf-overrides") + 1] == '{"architectures": ["ColBERTModernBertModel"]}'
    assert (
        accepted(llama(config=ENCODER, pipeline_tag="sentence-similarity", parameters={"F32": 10**8})).kind
        is EngineKind.TEI
    )
    other = {"model_type": "xlm-roberta", "architectures": ["XLMRobertaModel"]}
    unknown = llama(config=other, library="PyLate", pipeline_tag="sentence-similarity")
    assert "a late-interaction model (ColBERT) with a `xlm-roberta` encoder" in refused(unknown).why


@pytest.mark.parametrize(
    ("family", "told"), [("bert", None), ("modernbert", "ColBERTModernBertModel"), ("lfm2", "ColBERTLfm2Model")]
)
def test_what_colbert_writes_into_the_config_means_another_architecture_for_each_encoder(
    family: str, told: str | None
) -> None:
    facts = llama(config={"model_type": family, "architectures": ["HF_ColBERT"]}, pipeline_tag=None)
    args = plan_one(facts).server.args
    assert ("--hf-overrides" in args) is (told is not None)
    if told:
        assert json.loads(args[args.index("--hf-overrides") + 1]) == {"architectures": [told]}


def test_jinas_late_interaction_is_refused_for_the_code_that_its_config_needs() -> None:
    code = {"AutoConfig": "jinaai/xlm-roberta-flash-implementation--configuration.XLMRobertaFlashConfig"}
    for name in ("HF_ColBERT", "ColBERTJinaRobertaModel"):
        config = {"model_type": "xlm-roberta", "architectures": [name], "auto_map": code}
        why = refused(llama(config=config, custom_code=True, pipeline_tag=None)).why
        assert "needs Python code from jinaai/xlm-roberta-flash-implementation for its config class" in why
    plain = llama(config={"model_type": "xlm-roberta", "architectures": ["HF_ColBERT"]}, pipeline_tag=None)
    assert "with a `xlm-roberta` encoder" in refused(plain).why


@pytest.mark.parametrize(
    "name",
    ["HF_ColBERT", "BertForTokenClassification", "ModernBertForSequenceClassification", "ColPaliForRetrieval"],
)
def test_a_pooling_architecture_without_a_task_is_served_as_what_it_is(name: str) -> None:
    facts = llama(config={"architectures": [name], "model_type": "bert"}, pipeline_tag=None)
    assert accepted(facts).pooling


def test_tei_takes_no_classifier_of_a_family_that_it_cannot_classify() -> None:
    config = {"architectures": ["DistilBertForSequenceClassification"], "model_type": "distilbert"}
    outcome = choose(llama(config=config, pipeline_tag=None))
    assert not isinstance(outcome, EngineChoice) or outcome.kind is not EngineKind.TEI


def test_a_diffusion_pipeline_is_refused() -> None:
    facts = made(pipeline_tag="text-to-image", files=(file("model_index.json"), file("unet/model.safetensors")))
    assert "diffusion pipeline (text-to-image)" in refused(facts).why
    assert "diffusion" in refused(llama(library="diffusers")).why


def test_pickle_is_refused_unless_it_is_allowed() -> None:
    facts = llama(files=(CONFIG, file("pytorch_model.bin", 2_000_000_000)))
    refusal = refused(facts)
    assert "can run arbitrary code" in refusal.why
    assert "allow_pickle: true" in (refusal.hint or "")
    assert accepted(facts, allow_pickle=True).kind is EngineKind.VLLM


def test_a_repository_without_weights_is_refused() -> None:
    assert "pickle weights" in refused(made(files=(CONFIG,), pipeline_tag="text-generation")).why


GGUF = tuple(file(f"m-{name}.gguf") for name in ("IQ2_S", "Q8_0"))


def test_several_gguf_files_ask_for_a_choice() -> None:
    refusal = refused(made(files=GGUF))
    assert "m-IQ2_S.gguf, m-Q8_0.gguf" in refusal.why
    assert refusal.field == "file"
    assert accepted(made(files=GGUF), file="m-Q8_0.gguf").kind is EngineKind.LLAMA_CPP
    assert "has no file `m-Q9.gguf`" in refused(made(files=GGUF), file="m-Q9.gguf").why


def scanned(issues: dict[str, str], *, done: bool = True, **fields: Any) -> ModelFacts:
    return llama(files=(CONFIG, WEIGHTS), security=SecurityFacts(scans_done=done, issues=issues), **fields)


def test_a_served_file_that_the_scan_reports_is_refused_unless_allowed() -> None:
    facts = scanned({"model.safetensors": "unsafe"})
    refusal = refused(facts)
    assert "model.safetensors (unsafe)" in refusal.why
    assert "allow_unsafe: true" in (refusal.hint or "")
    assert accepted(facts, allow_unsafe=True)


def test_a_reported_file_that_is_not_served_does_no_harm() -> None:
    assert accepted(scanned({"training/old.pkl": "unsafe"})).warnings == ()


def test_a_report_without_a_file_list_is_taken_seriously() -> None:
    facts = llama(security=SecurityFacts(issues={"pytorch_model.bin": "suspicious"}))
    assert "pytorch_model.bin (suspicious)" in refused(facts).why


def test_an_unfinished_scan_is_a_warning() -> None:
    assert any("not finished" in warning for warning in accepted(scanned({}, done=False)).warnings)


def test_remote_code_is_refused_unless_it_is_trusted() -> None:
    facts = of("HomeGrownForCausalLM", "home_grown", "text-generation", custom_code=True)
    assert "HomeGrownForCausalLM" in refused(facts).why
    choice = accepted(facts, trust_remote_code=True)
    assert choice.remote_code is True


def test_an_asked_engine_does_not_bring_remote_code_in_by_the_back_door() -> None:
    facts = of("HomeGrownForCausalLM", "home_grown", "text-generation", custom_code=True)
    assert "auto_map" in refused(facts, engine=EngineKind.VLLM).why


def test_an_unknown_architecture_is_refused_by_name() -> None:
    refusal = refused(of("NextYearForCausalLM", "next_year", "text-generation"))
    assert "NextYearForCausalLM" in refusal.why
    assert "its last version" not in refusal.why


@pytest.mark.parametrize(("architecture", "version"), [("FuyuForCausalLM", "0.25.0")])
def test_a_removed_architecture_is_refused_with_the_last_version_that_had_it(
    architecture: str, version: str
) -> None:
    assert f"last supported in {version}" in refused(of(architecture, "x", "text-generation")).why


@pytest.mark.parametrize("task", ["fill-mask", "image-classification", "text-to-video", "zero-shot-classification"])
def test_a_task_that_no_engine_serves_is_refused_by_name(task: str) -> None:
    refusal = refused(of("BertForMaskedLM", "bert", task))
    assert f"has the task {task}" in refusal.why
    assert "embeddings" in (refusal.hint or "")


def test_an_embedder_of_an_unknown_family_is_refused() -> None:
    assert "of type `odd_bert`" in refused(of("OddBertModel", "odd_bert", "feature-extraction")).why


def test_a_tei_family_without_a_classifier_is_not_asked_to_classify() -> None:
    choice = choose(of("NomicBertModel", "nomic_bert", "text-classification"))
    assert not isinstance(choice, EngineChoice) or choice.kind is not EngineKind.TEI


def test_what_vllm_dropped_goes_to_sglang() -> None:
    mllama = of("MllamaForConditionalGeneration", "mllama", "image-text-to-text")
    assert accepted(mllama).kind is EngineKind.SGLANG


def test_bitsandbytes_is_refused_since_no_image_carries_it_and_the_model_behind_it_is_named() -> None:
    four_bits = {"quantization": {"quant_method": "bitsandbytes"}, "base_models": ("acme/whole",)}
    facts = of("LlamaForCausalLM", "llama", "text-generation", **four_bits)
    for engine in (None, EngineKind.SGLANG):
        refusal = refused(facts, engine=engine)
        assert "bitsandbytes" in refusal.why
        assert "acme/whole" in (refusal.hint or "")


def test_a_parser_that_the_engine_lacks_is_refused_with_the_nearest_name() -> None:
    llama = of("LlamaForCausalLM", "llama", "text-generation")
    refusal = refused(llama, tool_call_parser="lama3_json")
    assert (refusal.field, refusal.hint) == ("tool_call_parser", "did you mean `llama3_json`?")
    assert "reasoning parser `qwen33`" in refused(llama, reasoning_parser="qwen33").why
    assert accepted(llama, tool_call_parser="llama3_json", reasoning_parser="deepseek_r1")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"tool_call_parser": "hermes"}, "tool_call_parser"),
        ({"kv_cache_dtype": "fp8"}, "kv_cache_dtype"),
        ({"lora": {"slots": 2}}, "lora"),
        ({"speculative": {"method": "ngram"}}, "speculative"),
    ],
)
def test_what_an_engine_cannot_do_is_refused(asked: dict[str, Any], field: str) -> None:
    refusal = refused(of("BertModel", "bert", "feature-extraction"), **asked)
    assert (refusal.field, "does not support on tei" in refusal.why) == (field, True)


@pytest.mark.parametrize("method", ["eetq", "hqq"])
def test_a_quantization_that_the_engine_does_not_load_is_refused(method: str) -> None:
    refusal = refused(llama(quantization={"quant_method": method, "load_in_4bit": True}))
    assert f"quantized with `{method}`" in refusal.why
    assert "awq" in refusal.why, "what it does load is named"


@pytest.mark.parametrize("method", ["awq", "gptq", "fp8", "mxfp4", "compressed-tensors", "modelopt"])
def test_a_quantization_that_the_engine_loads_is_accepted(method: str) -> None:
    assert accepted(llama(quantization={"quant_method": method})).kind is EngineKind.VLLM


def test_a_gated_config_that_could_not_be_read_asks_for_a_token() -> None:
    refusal = refused(made(pipeline_tag="text-generation", parameters={"BF16": 10**9}))
    assert "no `architectures`" in refusal.why
    assert "token" in (refusal.hint or "")


def test_a_config_of_another_library_asks_for_no_token() -> None:
    files = (CONFIG, WEIGHTS, file("tokenizer.json"))
    speech = made(config={"torch_dtype": "bfloat16"}, library="nemo", pipeline_tag="text-generation", files=files)
    refusal = refused(speech)
    assert (
        "no `architectures` in config.json, so no engine can be chosen; the Hub says that its library is `nemo`"
        in (refusal.why)
    )
    assert "token" not in (refusal.hint or "")
    assert "has no config.json" in refused(replace(speech, config={}, files=files[1:])).why
    assert "token" not in (refused(replace(speech, config={})).hint or "")
    assert "token" in (refused(replace(speech, config={}, gated="manual")).hint or "")


@pytest.mark.parametrize(
    ("task", "files", "why"),
    [
        ("translation", ("pytorch_model.bin",), "has the task translation, which none"),
        ("text-to-image", ("a-Q4_K_S.gguf", "a-Q8_0.gguf"), "has the task text-to-image"),
        ("token-classification", ("pytorch_model.bin",), "has no config.json"),
    ],
)
def test_a_key_is_not_asked_for_where_it_would_not_help(task: str, files: tuple[str, ...], why: str) -> None:
    refusal = refused(made(files=tuple(file(path, 10**9) for path in files), pipeline_tag=task))
    assert why in refusal.why
    assert refusal.field != "file"


# Requested engines ------------------------------------------------------------------------------------------------


def test_an_asked_engine_is_taken() -> None:
    embedder = of("Qwen3ForCausalLM", "qwen3", "feature-extraction")
    assert accepted(embedder, engine=EngineKind.VLLM).kind is EngineKind.VLLM


@pytest.mark.parametrize(
    ("facts", "engine", "why"),
    [
        (llama(), EngineKind.LLAMA_CPP, "has safetensors weights, but llama-cpp loads gguf"),
        (made(files=(file("m-Q4_K_M.gguf"),)), EngineKind.VLLM, "has gguf weights, but vllm loads safetensors"),
        (hub("deepseek-ai/DeepSeek-V3"), EngineKind.TEI, "`deepseek_v3`, which tei does not support"),
    ],
)
def test_an_asked_engine_that_is_sure_to_fail_is_refused(facts: ModelFacts, engine: EngineKind, why: str) -> None:
    refusal = refused(facts, engine=engine)
    assert why in refusal.why
    assert refusal.field == "engine"


def test_all_refusals_of_one_model_are_given_together() -> None:
    facts = llama(
        files=(CONFIG, file("pytorch_model.bin")), security=SecurityFacts(issues={"pytorch_model.bin": "unsafe"})
    )
    refusals = choose(facts)
    assert isinstance(refusals, list)
    assert len(refusals) == 2


def test_a_commit_without_the_hubs_counts_is_served_as_the_branch_is() -> None:
    """The Hub counts the default branch alone; 7 billion parameters that nobody counted are not few."""
    config = {"architectures": ["MistralModel"], "model_type": "mistral", "torch_dtype": "bfloat16"}
    weights = file("model.safetensors", 14_221_000_000)
    at_main = made(
        config=config,
        pipeline_tag="feature-extraction",
        parameters={"BF16": 7_110_660_096},
        files=(CONFIG, weights),
    )
    pinned = made(config=config, pipeline_tag="feature-extraction", files=(CONFIG, weights))
    assert accepted(pinned).kind is accepted(at_main).kind is EngineKind.VLLM
    small = made(
        config={**config, "torch_dtype": "float32"},
        pipeline_tag="feature-extraction",
        files=(CONFIG, file("model.safetensors", 1_200_000_000)),
    )
    assert accepted(small).kind is EngineKind.TEI, "300 million of 32 bits"


def test_mlx_checkpoints_are_refused_by_name() -> None:
    mlx = llama(parameters={"BF16": 62_000_000, "U32": 502_000_000}, quantization={"group_size": 64, "bits": 4})
    assert "quantized for MLX" in refused(mlx).why


def test_a_file_is_honoured_or_refused() -> None:
    both = llama(files=(CONFIG, file("model-Q4_K_M.gguf", 9), WEIGHTS))
    assert accepted(both).kind is EngineKind.VLLM
    assert accepted(both, file="model-Q4_K_M.gguf").kind is EngineKind.LLAMA_CPP
    why = refused(llama(files=(CONFIG, WEIGHTS)), file="model-Q4_K_M.gguf").why
    assert "has no GGUF files, but `file: model-Q4_K_M.gguf` selects one" in why


def test_weights_that_lack_a_part_are_refused() -> None:
    parts = [file(f"model-0000{n}-of-00003.safetensors", 9) for n in (1, 3)]
    assert (
        "is incomplete: model-00002-of-00003.safetensors is missing" in refused(llama(files=(CONFIG, *parts))).why
    )


@pytest.mark.parametrize(
    ("architecture", "model_type", "task"),
    [
        ("BertForTokenClassification", "bert", "token-classification"),
        ("ModernBertForTokenClassification", "modernbert", "token-classification"),
        ("ColPaliForRetrieval", "colpali", "visual-document-retrieval"),
        ("HF_ColBERT", "bert", "sentence-similarity"),
    ],
)
def test_token_labels_and_late_interaction_are_pooled_by_vllm(
    architecture: str, model_type: str, task: str
) -> None:
    choice = accepted(of(architecture, model_type, task))
    assert (choice.kind, choice.pooling) == (EngineKind.VLLM, True)


def test_a_model_with_an_adapter_of_its_own_is_no_adapter() -> None:
    files = (
        CONFIG,
        WEIGHTS,
        *(file(name) for name in ("adapter_config.json", "adapter_model.safetensors", "vocab.json")),
    )
    speech = of(
        "GraniteSpeechForConditionalGeneration", "granite_speech", "automatic-speech-recognition", files=files
    )
    assert accepted(speech).kind is EngineKind.VLLM


def test_the_parsers_of_a_family_are_named_and_stay_off() -> None:
    chat = of("Qwen3ForCausalLM", "qwen3", "text-generation")
    said = [reason.text for reason in accepted(chat).reasons if reason.topic == "parsers"]
    assert len(said) == 1
    assert "`tool_call_parser: hermes` and `reasoning_parser: qwen3`" in said[0]
    asked = accepted(chat, tool_call_parser="hermes", reasoning_parser="qwen3")
    assert not [reason for reason in asked.reasons if reason.topic == "parsers"]
    assert not [
        r for r in accepted(of("Qwen3ForCausalLM", "qwen3", "text-ranking")).reasons if r.topic == "parsers"
    ]


def test_every_suggested_parser_is_one_of_the_release() -> None:
    vllm = catalog().engines["vllm"]
    for family in vllm.family_parsers:
        assert family.parsers.get("tool_call") in {None, *vllm.tool_call_parsers}
        assert family.parsers.get("reasoning") in {None, *vllm.reasoning_parsers}


@pytest.mark.parametrize(
    ("name", "model_type", "parsers"),
    [
        ("Llama-3.1-8B-Instruct", "llama", {"tool_call": "llama3_json"}),
        ("Llama-3.3-70B-Instruct-FP8-dynamic", "llama", {"tool_call": "llama3_json"}),
        ("DeepSeek-R1-Distill-Llama-8B", "llama", {"reasoning": "deepseek_r1"}),
        ("Yi-1.5-34B-Chat", "llama", {}),
        ("DeepSeek-V3.1-Terminus", "deepseek_v3", {"tool_call": "deepseek_v31", "reasoning": "deepseek_v3"}),
        ("DeepSeek-R1-0528", "deepseek_v3", {"tool_call": "deepseek_v3", "reasoning": "deepseek_r1"}),
        ("Moonlight-16B-A3B-Instruct", "deepseek_v3", {}),
        ("GLM-4.6", "glm4_moe", {"tool_call": "glm45", "reasoning": "glm45"}),
        ("GLM-4.7-FP8", "glm4_moe", {"tool_call": "glm47", "reasoning": "glm47"}),
        ("Qwen3-Coder-30B-A3B-Instruct", "qwen3_moe", {"tool_call": "qwen3_coder"}),
        ("Qwen3-30B-A3B-Instruct-2507", "qwen3_moe", {"tool_call": "hermes"}),
        ("Qwen3-VL-8B-Thinking", "qwen3_vl", {"tool_call": "hermes", "reasoning": "qwen3"}),
        ("Mistral-Small-3.2-24B-Instruct-2506", "mistral3", {"tool_call": "mistral"}),
        ("Mistral-7B-Instruct-v0.1", "mistral", {}),
        (
            "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
            "nemotron_h",
            {"tool_call": "qwen3_coder", "reasoning": "nemotron_v3"},
        ),
        ("Nemotron-H-8B-Base-8K", "nemotron_h", {}),
        ("MiniMax-M3", "minimax_m3_vl", {"tool_call": "minimax_m3", "reasoning": "minimax_m3"}),
        ("LongCat-Flash-Chat", "longcat_flash", {"tool_call": "longcat"}),
        ("Kimi-K2-Instruct-0905", "kimi_k2", {"tool_call": "kimi_k2"}),
        ("Phi-4-mini-instruct", "phi3", {"tool_call": "phi4_mini_json"}),
    ],
)
def test_a_family_that_shares_its_model_type_is_told_by_its_name(
    name: str, model_type: str, parsers: dict[str, str]
) -> None:
    assert catalog().engines["vllm"].parsers_of(model_type, name) == parsers


def test_a_parser_whose_package_the_image_lacks_is_neither_suggested_nor_accepted() -> None:
    command = of("Cohere2ForCausalLM", "cohere2", "text-generation", repo_id="acme/command-a-reasoning-08-2025")
    assert not [reason for reason in accepted(command).reasons if reason.topic == "parsers"]
    assert "needs the package cohere_melody" in refused(command, tool_call_parser="cohere_command3").why


def test_a_model_without_a_task_is_said_to_have_none() -> None:
    assert "has no task (`pipeline_tag`)" in refused(of("NobodyKnows", "nobody", None)).why


def test_a_model_whose_weights_are_in_other_repositories_is_refused_with_their_names() -> None:
    towers = {
        "audio_model_id": "openai/whisper-large-v3-turbo",
        "text_model_id": "meta-llama/Llama-3.2-1B-Instruct",
    }
    config = {"architectures": ["UltravoxModel"], "model_type": "ultravox"}
    hears = made(config=config | towers, pipeline_tag="audio-text-to-text", files=(CONFIG, WEIGHTS))
    why = refused(hears).why
    assert (
        "from openai/whisper-large-v3-turbo and meta-llama/Llama-3.2-1B-Instruct, which are neither locked" in why
    )
    whole = replace(hears, config=config | {"audio_model_id": None})
    assert "part of its weights" not in str(choose(whole))
