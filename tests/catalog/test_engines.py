# SPDX-License-Identifier: Apache-2.0
"""What the engine table says of models and accelerators. Proves nothing about the images themselves."""

import pytest

from hubstack.catalog import load_catalog
from hubstack.kinds import EngineKind


@pytest.fixture(scope="module")
def catalog():
    return load_catalog()


@pytest.fixture(scope="module")
def vllm(catalog):
    return catalog.engine("vllm")


def test_every_engine_that_plans_may_name_has_a_row(catalog):
    assert all(catalog.engine(kind) is not None for kind in EngineKind)
    assert catalog.engine("tgi") is None


@pytest.mark.parametrize(
    ("engine", "accelerator", "image"),
    [
        ("vllm", "l4", "vllm/vllm-openai:v0.33.0"),
        ("vllm", "t4", "vllm/vllm-openai:v0.33.0"),
        ("vllm", "v100", None),
        ("vllm", "p4", None),
        ("vllm", "v6e", None),
        ("vllm-tpu", "v6e", "vllm/vllm-tpu:v0.27.0"),
        ("vllm-tpu", "l4", None),
        ("tei", "l4", "ghcr.io/huggingface/text-embeddings-inference:89-1.9"),
        ("tei", "a100-40gb", "ghcr.io/huggingface/text-embeddings-inference:1.9"),
        ("tei", "h200-141gb", "ghcr.io/huggingface/text-embeddings-inference:hopper-1.9"),
        ("tei", "gb300", None),
        ("llama-cpp", "l4", "ghcr.io/ggml-org/llama.cpp:server-cuda13"),
    ],
)
def test_an_engine_has_an_image_only_where_it_is_built_for_the_accelerator(catalog, engine, accelerator, image):
    assert catalog.engine(engine).image_for(accelerator) == image


def test_an_engine_without_a_numbered_tag_has_no_version(catalog):
    assert [row.id for row in catalog.engines.values() if row.version is None] == ["llama-cpp"]


def test_experimental_images_are_marked(catalog):
    tei = catalog.engine("tei")
    experimental = {name for image in tei.images if image.is_experimental for name in image.accelerators}
    assert experimental == {"t4", "b200", "rtx-pro-6000"}


@pytest.mark.parametrize(
    ("architecture", "uses"),
    [
        ("Qwen3MoeForCausalLM", ("text_generation",)),
        ("LlamaForCausalLM", ("text_generation", "embedding")),
        ("Qwen2_5_VLForConditionalGeneration", ("multimodal",)),
        ("WhisperForConditionalGeneration", ("multimodal",)),
        ("XLMRobertaForSequenceClassification", ("sequence_classification",)),
        ("SmolLM3ForCausalLM", ("transformers_backend",)),
        ("Qwen3ForSequenceClassification", ("sequence_classification",)),
        ("Qwen3Model", ("embedding",)),
        ("MPNetModel", ()),
        ("GritLM", ()),
        ("T5ForConditionalGeneration", ()),
        ("MllamaForConditionalGeneration", ()),
    ],
)
def test_vllm_knows_an_architecture_by_name_or_by_its_suffix_rule(vllm, architecture, uses):
    assert vllm.uses_of(architecture) == uses


def test_a_dropped_architecture_names_the_last_version_that_had_it(vllm):
    assert vllm.removed_architectures["MllamaForConditionalGeneration"] == "0.10.2"
    assert vllm.removed_architectures["MPTForCausalLM"] == "0.28.0"
    assert len(vllm.removed_architectures) == 50


def test_counts_of_the_vllm_registry_are_those_of_the_tree_that_was_read(vllm):
    counts = {use: len(names) for use, names in vllm.architectures.items()}
    assert counts == {
        "text_generation": 118,
        "multimodal": 122,
        "embedding": 38,
        "late_interaction": 11,
        "sequence_classification": 11,
        "token_classification": 8,
        "reward": 3,
        "transformers_backend": 23,
    }


def test_formats_that_need_a_plugin_are_not_offered_by_vllm(vllm):
    assert {"gguf", "bitsandbytes"}.isdisjoint({*vllm.formats, *vllm.quantization})
    assert vllm.quantization["awq"] == 7.5
    assert vllm.quantization["mxfp4"] == 8.0
    assert vllm.gpu_memory_utilization == 0.92


def test_an_architecture_that_passed_on_one_tpu_only_is_limited_to_it(catalog):
    tpu = catalog.engine("vllm-tpu")
    assert tpu.runs_on("GptOssForCausalLM", "tpu7x")
    assert not tpu.runs_on("GptOssForCausalLM", "v6e")
    assert tpu.runs_on("LlamaForCausalLM", "v6e")
    assert tpu.uses_of("FalconForCausalLM") == ()


@pytest.mark.parametrize(
    ("model_type", "can_classify"),
    [("xlm-roberta", True), ("bert", True), ("modernbert", True), ("qwen3", False), ("nomic_bert", False)],
)
def test_tei_loads_heads_only_of_the_types_that_have_one(catalog, model_type, can_classify):
    assert catalog.engine("tei").model_types[model_type].can_classify is can_classify


def test_tei_does_not_claim_types_that_it_cannot_load(catalog):
    tei = catalog.engine("tei")
    assert {"jina_embeddings_v3", "t5", "clip", "qwen3_moe"}.isdisjoint(tei.model_types)
    assert tei.model_types["gemma3_text"].dtype == "float32"
    assert tei.model_types["mistral"].min_compute_capability == 8.0
