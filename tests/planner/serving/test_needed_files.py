# SPDX-License-Identifier: Apache-2.0
"""What a server needs beside the weights: a tokenizer it can read, a chat template, pooling, a reranker's words."""

import json
from dataclasses import replace
from typing import Any

import pytest

from hubstack.files.errors import PlanError
from hubstack.hub.facts import FileFacts, ModelFacts, TokenizerFacts
from hubstack.kinds import EngineKind
from tests.support.facts import file, llama, made, plan_one

WEIGHTS = (file("config.json"), file("model.safetensors", 440_000_000))
WHOLE = (*WEIGHTS, file("tokenizer.json"), file("modules.json"), file("1_Pooling/config.json"))


def texts(
    task: str = "sentence-similarity", name: str = "BertModel", family: str = "bert", **fields: Any
) -> ModelFacts:
    config = {
        "architectures": [name],
        "model_type": family,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "vocab_size": 30522,
        "max_position_embeddings": 512,
    }
    given = {"config": config | fields.pop("config", {}), "pipeline_tag": task, "parameters": {"F32": 110_000_000}}
    return made(**{**given, "files": WHOLE, **fields})


def test_a_repository_without_any_tokenizer_is_refused() -> None:
    with pytest.raises(PlanError, match="has no tokenizer"):
        plan_one(llama(files=(*WEIGHTS, file("README.md"), file("generation_config.json"))))
    plan_one(llama(files=(*WEIGHTS, file("vocab.json"), file("merges.txt"))))


def test_tei_is_left_where_it_could_not_read_the_tokenizer() -> None:
    slow = (*WEIGHTS, file("vocab.txt"), file("tokenizer_config.json"), file("1_Pooling/config.json"))
    assert plan_one(texts()).server.engine is EngineKind.TEI
    assert plan_one(texts(files=slow)).server.engine is EngineKind.VLLM
    with pytest.raises(PlanError, match=r"no tokenizer.json, the only tokenizer format that tei reads"):
        plan_one(texts(files=slow), engine=EngineKind.TEI)


@pytest.mark.parametrize(
    ("family", "reference", "engine"),
    [
        ("bert", "jinaai/jina-bert-implementation--modeling_bert.JinaBertModel", EngineKind.TEI),
        ("nomic_bert", "nomic-ai/nomic-bert-2048--modeling_hf_nomic_bert.NomicBertModel", EngineKind.TEI),
        ("xlm-roberta", "jinaai/xlm-roberta-flash-implementation--modeling_lora.XLMRobertaLoRA", EngineKind.VLLM),
        ("xlm-roberta", "modeling_own.OwnModel", EngineKind.VLLM),
    ],
)
def test_a_known_family_with_model_code_of_its_own_is_another_model(
    family: str, reference: str, engine: EngineKind
) -> None:
    name = "XLMRobertaModel" if family == "xlm-roberta" else "BertModel"
    facts = texts(name=name, family=family, config={"auto_map": {"AutoModel": reference}}, custom_code=True)
    assert plan_one(facts).server.engine is engine


def test_tei_is_told_how_to_pool_where_the_repository_does_not_say_it() -> None:
    bare = plan_one(texts(files=(*WEIGHTS, file("tokenizer.json"))))
    assert bare.server.args[-2:] == ("--pooling", "mean")
    assert any("1_Pooling" in warning for warning in bare.warnings)
    assert "--pooling" not in plan_one(texts()).server.args


def test_tei_answers_to_the_name_of_the_model() -> None:
    args = plan_one(texts()).server.args
    assert args[args.index("--served-model-name") + 1] == "acme/model"


def test_a_chat_model_without_a_template_is_told_of() -> None:
    bare, whole = TokenizerFacts(), TokenizerFacts(has_chat_template=True)
    assert any("no chat template" in warning for warning in plan_one(llama(tokenizer=bare)).warnings)
    for facts, settings in (
        (llama(tokenizer=whole), {}),
        (llama(), {}),
        (llama(tokenizer=bare), {"chat_template": "x.jinja"}),
    ):
        assert not any("no chat template" in warning for warning in plan_one(facts, **settings).warnings)


def test_a_chat_model_that_the_engine_renders_itself_needs_no_template() -> None:
    """DeepSeek-V3.2 has none, and vLLM sets its tokenizer mode by itself (0.33.0, config/model.py)."""
    bare = TokenizerFacts()
    own = llama(tokenizer=bare, config={"architectures": ["DeepseekV32ForCausalLM"], "model_type": "deepseek_v32"})
    gguf = made(tokenizer=bare, files=(file("m-Q4_K_M.gguf", 10**9),), pipeline_tag="text-generation")
    mistral = llama(
        tokenizer=bare,
        files=tuple(
            file(path, 9) for path in ("config.json", "params.json", "tekken.json", "consolidated.safetensors")
        ),
    )
    for facts in (own, gguf, mistral):
        assert not any("no chat template" in warning for warning in plan_one(facts).warnings)


@pytest.mark.parametrize(
    ("name", "family", "words"),
    [
        ("Qwen3ForCausalLM", "qwen3", "Judge whether the Document meets the requirements"),
        ("Qwen2ForCausalLM", "qwen2", "search relevance expert"),
        ("GemmaForCausalLM", "gemma", "determine whether the passage contains"),
    ],
)
def test_a_language_model_that_ranks_gets_its_overrides_and_its_words(name: str, family: str, words: str) -> None:
    facts = llama(config={"architectures": [name], "model_type": family}, pipeline_tag="text-ranking")
    args = plan_one(facts).server.args
    assert json.loads(args[args.index("--hf-overrides") + 1])["classifier_from_token"]
    template = args[args.index("--chat-template") + 1]
    assert words in template
    assert "'query'" in template
    assert "'document'" in template
    own = plan_one(facts, chat_template="own.jinja").server.args
    assert own.count("--chat-template") == 1
    assert own[own.index("--chat-template") + 1] == "/weights/own.jinja"


def test_a_reranker_that_is_told_by_its_architecture_only_is_warned_about() -> None:
    facts = llama(
        config={"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}, pipeline_tag="text-ranking"
    )
    assert any("scores are wrong if its model card has others" in warning for warning in plan_one(facts).warnings)
    for known in (
        replace(facts, id="acme/Qwen3-Reranker-8B"),
        replace(facts, base_models=("Qwen/Qwen3-Reranker-0.6B",)),
    ):
        assert not any("scores are wrong" in warning for warning in plan_one(known).warnings)


def test_a_reranker_that_is_a_classifier_already_gets_its_template_only() -> None:
    config = {"architectures": ["Qwen3ForSequenceClassification"], "model_type": "qwen3"}
    args = plan_one(
        llama("acme/Qwen3-Reranker-0.6B-seq-cls", config=config, pipeline_tag="text-ranking")
    ).server.args
    assert "--hf-overrides" not in args
    assert "Judge whether the Document" in args[args.index("--chat-template") + 1]


def test_a_reranker_of_another_family_is_said_to_be_unknown() -> None:
    facts = llama(pipeline_tag="text-ranking")
    assert any("do not rely on its scores" in warning for warning in plan_one(facts).warnings)


SPARSE = (*WEIGHTS, file("tokenizer.json"), file("modules.json"), file("1_SpladePooling/config.json"))


@pytest.mark.parametrize("files", [SPARSE, SPARSE[:-1]])
def test_a_sparse_embedder_is_pooled_by_words_not_averaged(files: tuple[FileFacts, ...]) -> None:
    facts = texts("feature-extraction", "BertForMaskedLM", files=files, library="sentence-transformers")
    model = plan_one(facts)
    assert model.server.args[-2:] == ("--pooling", "splade")
    assert model.server.open_paths == ("/v1", "/rerank", "/embed_sparse")
    assert not any("averaged" in warning for warning in model.warnings)


def test_a_sparse_embedder_that_tei_cannot_load_is_refused_not_embedded_densely() -> None:
    family = "modernbert"
    facts = texts("feature-extraction", "ModernBertForMaskedLM", family, files=SPARSE)
    with pytest.raises(PlanError, match=r"is a sparse embedder \(SPLADE\)"):
        plan_one(facts)
    with pytest.raises(PlanError, match=r"of type `modernbert`, which tei only embeds densely"):
        plan_one(facts, engine=EngineKind.TEI)
