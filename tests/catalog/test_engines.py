# SPDX-License-Identifier: Apache-2.0
"""What the engine table says of models and accelerators. Proves nothing about the images themselves."""

import re
import shutil

import pytest

from hubstack.catalog import CatalogError, load_catalog, read_catalog
from hubstack.catalog.loader import FOLDER
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
        ("tei", "l4", "ghcr.io/huggingface/text-embeddings-inference:89-1.9.4"),
        ("tei", "a100-40gb", "ghcr.io/huggingface/text-embeddings-inference:1.9.4"),
        ("tei", "h200-141gb", "ghcr.io/huggingface/text-embeddings-inference:hopper-1.9.4"),
        ("tei", "gb300", None),
        ("llama-cpp", "l4", "ghcr.io/ggml-org/llama.cpp:server-cuda13-b11206"),
    ],
)
def test_an_engine_has_an_image_only_where_it_is_built_for_the_accelerator(catalog, engine, accelerator, image):
    assert catalog.engine(engine).image_for(accelerator) == image


def test_every_engine_is_pinned_to_a_release_that_its_tag_names(catalog):
    for row in catalog.engines.values():
        assert row.version
        assert all(row.version in image.image for image in row.images), row.id


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
        ("HeliumForCausalLM", ("transformers_backend",)),
        ("T5ForConditionalGeneration", ()),
        ("MllamaForConditionalGeneration", ()),
    ],
)
def test_vllm_knows_an_architecture_by_name_or_by_its_suffix_rule(vllm, architecture, uses):
    assert vllm.uses_of(architecture) == uses


def test_a_dropped_architecture_names_the_last_version_that_had_it(vllm):
    assert vllm.removed_after("MllamaForConditionalGeneration") == "0.10.2"
    assert vllm.removed_after("MPTForCausalLM") == "0.28.0"
    assert vllm.removed_after("LlamaForCausalLM") is None


def test_every_architecture_of_the_pinned_release_is_known_and_none_beyond(vllm):
    """Counted in the registry of the 0.33.0 wheel; 14 of these came after 0.32.0."""
    assert len(frozenset().union(*vllm.architectures.values())) == 335
    new = {
        "Step5ForCausalLM",
        "MuseSparkForConditionalGeneration",
        "Lfm2BidirectionalModel",
        "ModernVBertModel",
        "RadioMBartPrefixForCausalLM",
        "Alpamayo2Super",
    }
    assert all(vllm.uses_of(name) for name in new)
    assert not any(vllm.uses_of(name) for name in ("BaichuanForCausalLM", "T5ForConditionalGeneration", "Made4U"))


def test_a_version_whose_wheel_was_not_read_is_refused(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "catalog")
    file = tmp_path / "catalog" / "engines.yaml"
    file.write_text(file.read_text().replace("version: 0.33.0", "version: 0.34.0"))
    with pytest.raises(CatalogError, match=r"vllm-0\.34\.0\.yaml"):
        read_catalog(tmp_path / "catalog")


def test_a_fault_of_another_version_is_found_when_it_is_asked_for(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "catalog")
    file = tmp_path / "catalog" / "engines.yaml"
    file.write_text(file.read_text().replace("    0.32.0:\n", "    0.32.0:\n      prt: 8000\n"))
    read = read_catalog(tmp_path / "catalog")
    with pytest.raises(CatalogError, match=r"unknown key `prt`"):
        read.engine_at("vllm", "0.32.0")


def test_another_version_has_its_own_facts_and_the_rest_of_the_row(vllm):
    earlier = load_catalog().engine_at("vllm", "0.32.0")
    assert earlier.image_for("l4") == "vllm/vllm-openai:v0.32.0"
    assert earlier.uses_of("Step5ForCausalLM") == (), "added in 0.33.0"
    assert earlier.release.library.version == "5.19.0", "0.32.0 allows transformers below 5.20"
    assert (earlier.command, earlier.port, earlier.formats) == (vllm.command, vllm.port, vllm.formats)


def test_every_engine_but_that_for_tpus_has_two_versions():
    catalog = load_catalog()
    assert {name: len(catalog.versions_of(name)) for name in catalog.engines} == {
        "vllm": 2,
        "vllm-tpu": 1,
        "tei": 2,
        "llama-cpp": 2,
        "sglang": 2,
    }


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("  command: [text-embeddings-router]\n", "", "`command` is missing; it is required because"),
        ("  image_facts: {source: tei-image,", "  image_fact: {source: tei-image,", "did you mean `image_facts`?"),
        (
            "{source: tei-image, entrypoint: [./entrypoint.sh], serves: false,",
            "{source: tei-image, serves: true,",
            "an image without an `entrypoint` cannot serve by itself",
        ),
        (
            "user: root, finds_driver: false}",
            "user: root}",
            "`finds_driver` belongs to images for GPUs, and all of them",
        ),
        ("{source: tei-image,", "{source: tei-imagined,", "tei-imagined"),
        ("user: root, finds_driver: false}", "finds_driver: false}", "`user`"),
    ],
)
def test_an_image_of_which_too_little_is_known_is_refused(tmp_path, old, new, complaint):
    """Three of five images have no entry point that serves: without a command their containers did not start."""
    shutil.copytree(FOLDER, tmp_path / "catalog")
    file = tmp_path / "catalog" / "engines.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(CatalogError, match=re.escape(complaint)):
        read_catalog(tmp_path / "catalog")


def test_a_server_names_its_user_because_every_image_would_run_as_root(catalog):
    assert {row.image_facts.user for row in catalog.engines.values()} == {"root"}


def test_an_engine_writes_only_where_a_pod_lets_it(catalog):
    writable = {"/tmp", "/dev/shm"}  # noqa: S108  of a pod
    assert {path for row in catalog.engines.values() for path in row.image_facts.writes or ()} <= writable


def test_a_server_that_does_not_look_for_the_driver_is_told_where_it_is(catalog):
    for row in catalog.engines.values():
        if row.image_facts.finds_driver is False:
            assert "/usr/local/nvidia/lib64" in row.env["LD_LIBRARY_PATH"]


@pytest.mark.parametrize(
    ("model_type", "known"),
    [
        ("llama", True),
        ("kimi_k2", True),
        ("kimi_vl", True),
        ("internvl_chat", False),
        ("phi4mm", False),
        ("minicpmv", False),
        ("molmo", False),
        ("exaone", False),
        ("exaone4", True),
        ("bailing_moe", False),
    ],
)
def test_a_config_class_comes_from_the_engine_or_from_its_transformers(vllm, model_type, known):
    assert vllm.release.has_config(model_type, "") is known


def test_where_attention_runs_is_known_by_card_and_cache(vllm):
    sparse = [backend for backend in vllm.release.attention if backend.is_latent and backend.is_sparse]
    assert {major for backend in sparse for major in map(int, backend.capabilities)} == {9, 10, 12}
    by_name = {backend.name: backend for backend in vllm.release.attention}
    assert not by_name["TRITON_ATTN"].holds(7.5, "fp8", 128)
    assert by_name["TRITON_ATTN"].holds(7.5, "auto", 128)
    assert by_name["FLASHINFER"].holds(8.0, "fp8", 128)
    assert not by_name["FLASHINFER"].holds(8.0, "fp8", 80)


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
