# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstack.hub.facts import FileFacts, ModelFacts
from hubstack.hub.unquantized import summarize_unquantized
from hubstack.planner.model.geometry import read_geometry
from hubstack.planner.model.weights import (
    ChosenFiles,
    WeightsFormat,
    choose_files,
    declares_fp8_cache,
    parameter_count,
    quantization_bits,
    quantization_block,
    quantization_method,
    weights_size,
)
from tests.support.facts import GIB, file, hub, llama, made, weight_files_gib

AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128}


def size_bytes(facts: ModelFacts) -> int:
    size = weights_size(facts, choose_files(facts), read_geometry(facts))
    assert size is not None
    return size.size_bytes


def chosen(*paths: str, gguf_file: str | None = None) -> ChosenFiles:
    return choose_files(made(files=tuple(file(path) for path in sorted(paths))), gguf_file=gguf_file)


def weight_paths(*paths: str, gguf_file: str | None = None) -> list[str]:
    return [each.path for each in chosen(*paths, gguf_file=gguf_file).weights]


# Which files ----------------------------------------------------------------------------------------------------


def test_safetensors_are_taken_before_pickle() -> None:
    files = chosen("config.json", "model.safetensors", "pytorch_model.bin")
    assert (files.format, [each.path for each in files.weights]) == (
        WeightsFormat.SAFETENSORS,
        ["model.safetensors"],
    )


def test_pickle_is_recognised_as_such() -> None:
    assert chosen("config.json", "pytorch_model.bin").format is WeightsFormat.PICKLE
    assert chosen("config.json", "model.pt").format is WeightsFormat.PICKLE


def test_a_repository_without_weights_has_none() -> None:
    assert chosen("README.md", "config.json").format is WeightsFormat.NONE
    assert choose_files(made()).format is WeightsFormat.NONE


def test_copies_for_other_programs_are_not_counted() -> None:
    """gpt-oss carries its weights three times, Mistral's repositories twice."""
    paths = (
        "model.safetensors",
        "original/model.safetensors",
        "metal/model.bin",
        "consolidated.safetensors",
        "onnx/model.onnx",
        "openvino/model.bin",
    )
    assert weight_paths(*paths) == ["model.safetensors"]


def test_a_second_precision_beside_the_first_is_left_out() -> None:
    """As in openai/whisper-large-v3."""
    assert weight_paths(
        "model.safetensors", "model.fp32-00001-of-00002.safetensors", "model.fp32-00002-of-00002.safetensors"
    ) == ["model.safetensors"]
    assert weight_paths("model.fp16.safetensors") == ["model.fp16.safetensors"], "the only copy is served"


def test_all_shards_are_taken() -> None:
    shards = [f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]
    assert weight_paths("model.safetensors.index.json", *shards) == shards


def test_projection_layers_of_sentence_transformers_are_no_model_and_are_counted_once() -> None:
    files = chosen("2_Dense/model.safetensors", "pytorch_model.bin")
    assert files.format is WeightsFormat.PICKLE
    both = chosen("1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors", "model.safetensors")
    paths = [each.path for each in (*both.weights, *both.side)]
    assert sorted(paths) == sorted(set(paths)), "a file is staged once"
    assert "2_Dense/model.safetensors" in paths


def test_config_and_tokenizer_come_along() -> None:
    files = chosen("README.md", "chat_template.jinja", "config.json", "model.safetensors", "tokenizer.model")
    assert [each.path for each in files.side] == ["chat_template.jinja", "config.json", "tokenizer.model"]


SHARDS = tuple(f"model-0000{n}-of-00004.safetensors" for n in (1, 2, 3, 4))
INDEX = "model.safetensors.index.json"


def test_checkpoints_of_the_training_are_neither_counted_nor_staged() -> None:
    folder = [f"checkpoint-500/{name}" for name in (*SHARDS, "config.json", "trainer_state.json")]
    files = chosen("config.json", INDEX, *SHARDS, *folder, "checkpoint-500/optimizer.pt")
    assert [each.path for each in files.weights] == list(SHARDS)
    assert [each.path for each in files.side] == ["config.json", INDEX]


@pytest.mark.parametrize("kind", ["safetensors", "bin", "pt"])
def test_a_loader_without_a_list_leaves_the_folders_of_copies(kind: str) -> None:
    exclude = choose_files(made(parameters={"BF16": 8})).exclude
    assert any(fnmatchcase(f"checkpoint-500/model.{kind}", pattern) for pattern in exclude)
    assert not any(fnmatchcase("2_Dense/model.safetensors", pattern) for pattern in exclude)


def test_of_parts_and_a_whole_one_copy_is_served() -> None:
    """vLLM keeps what an index names (filter_duplicate_safetensors_files); without one the whole is first."""
    assert weight_paths(INDEX, *SHARDS, "model.safetensors") == list(SHARDS)
    assert weight_paths(*SHARDS, "model.safetensors") == ["model.safetensors"]
    pickles = ("pytorch_model-00001-of-00001.bin", "pytorch_model.bin", "pytorch_model.bin.index.json")
    assert weight_paths(*pickles) == ["pytorch_model-00001-of-00001.bin"]


def test_of_weights_that_were_split_twice_one_split_is_served() -> None:
    splits = [[f"model-0000{n}-of-0000{count}.safetensors" for n in range(1, count + 1)] for count in (2, 3)]
    assert weight_paths(*splits[0], *splits[1], "config.json") == splits[1]
    other = "extra-00001-of-00001.safetensors"
    assert set(weight_paths(*splits[0], other)) == {*splits[0], other}


def test_a_gguf_that_is_asked_for_is_served_beside_safetensors() -> None:
    paths = ("config.json", "model.safetensors", "model-Q4_K_M.gguf", "model-Q8_0.gguf")
    assert weight_paths(*paths, gguf_file="model-Q8_0.gguf") == ["model-Q8_0.gguf"]
    assert weight_paths(*paths) == ["model.safetensors"]


GGUF = ("model-Q2_K.gguf", "model-Q4_K_M.gguf", "model-Q8_0.gguf", "mmproj-model-f16.gguf")


def test_of_several_gguf_files_the_q4_k_m_one_is_served_unless_one_is_asked_for() -> None:
    assert weight_paths(*GGUF) == ["model-Q4_K_M.gguf"]
    assert weight_paths(*GGUF, gguf_file="model-Q8_0.gguf") == ["model-Q8_0.gguf"]
    assert weight_paths(*GGUF, gguf_file="model-Q9.gguf") == []
    assert weight_paths("model-Q2_K.gguf", "model-Q8_0.gguf") == [], "a choice is for the user to make"
    assert weight_paths("mmproj-model-f16.gguf", "model-Q8_0.gguf") == ["model-Q8_0.gguf"]


def test_all_parts_of_a_split_gguf_are_taken_and_no_other_quantization() -> None:
    parts = ["m-q4_k_m-00001-of-00002.gguf", "m-q4_k_m-00002-of-00002.gguf"]
    assert weight_paths(*parts, "m-q8_0-00001-of-00001.gguf") == parts


# How many bytes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "repo_id",
    [
        "meta-llama/Llama-3.3-70B-Instruct",
        "google/gemma-3-27b-it",
        "microsoft/Phi-3.5-mini-instruct",
        "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
    ],
)
def test_counts_of_the_lock_make_the_bytes_of_the_files(repo_id: str) -> None:
    assert size_bytes(hub(repo_id)) / GIB == pytest.approx(weight_files_gib(repo_id), abs=0.01)


def test_an_awq_checkpoint_without_a_file_list_is_within_one_percent_of_its_files() -> None:
    facts = hub("Qwen/Qwen3-8B-AWQ", quantization=AWQ)
    assert size_bytes(facts) / GIB == pytest.approx(weight_files_gib("Qwen/Qwen3-8B-AWQ"), rel=0.01)


def test_a_packed_nvfp4_count_is_unpacked() -> None:
    """8.19 billion parameters that the Hub counts as 4.72: two in a byte."""
    nvfp4 = size_bytes(hub("nvidia/Qwen3-8B-NVFP4", quantization={"quant_algo": "NVFP4"}))
    embeddings = 2 * 151936 * 4096
    rest = 8_190_735_360 - embeddings
    assert nvfp4 == pytest.approx(embeddings * 2 + rest * 4.5 / 8, rel=0.001)


def test_fp8_keeps_embeddings_and_head_at_sixteen_bits() -> None:
    facts = hub("nvidia/Llama-3.1-70B-Instruct-FP8", quantization={"quant_algo": "FP8"})
    assert size_bytes(facts) == 70_553_706_496 + 2 * 128256 * 8192


def test_a_gptq_checkpoint_is_larger_than_half_a_byte_a_parameter() -> None:
    facts = hub("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4", quantization={**AWQ, "quant_method": "gptq"})
    assert size_bytes(facts) > facts.parameters_total / 2 * 1.3


def test_thirty_two_bit_weights_are_loaded_as_sixteen() -> None:
    assert size_bytes(hub("openai-community/gpt2")) == 137_022_720 * 2
    stored = made(files=(file("model.safetensors", 4_000_000),), parameters={"F32": 1_000_000})
    assert size_bytes(stored) == 2_000_000
    pickled = made(files=(file("pytorch_model.bin", 4_000_000),), config={"torch_dtype": "float32"})
    assert size_bytes(pickled) == 2_000_000


def test_listed_files_win_over_counts() -> None:
    facts = hub("Qwen/Qwen3-8B", files=(file("model.safetensors", 123_456),))
    assert size_bytes(facts) == 123_456


def test_mixed_dtypes_are_added_up_each_in_its_own_width() -> None:
    assert size_bytes(made(parameters={"BF16": 100, "F8_E4M3": 1000, "F32": 10})) == 200 + 1000 + 20


def test_no_figure_is_no_size() -> None:
    facts = made(config={"num_hidden_layers": 4})
    assert weights_size(facts, choose_files(facts), read_geometry(facts)) is None


COMPRESSED = {
    "quant_method": "compressed-tensors",
    "format": "pack-quantized",
    "config_groups": {"group_0": {"weights": {"num_bits": 8, "group_size": 32}}},
}


@pytest.mark.parametrize(
    ("said", "method", "bits", "block"),
    [
        ({}, None, None, None),
        (AWQ, "awq", 4, 128),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, "gptq", 8, None),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8", 8, 128),
        ({"quant_algo": "FP8"}, "modelopt", 8, None),
        ({"quant_algo": "NVFP4", "group_size": 16}, "modelopt_fp4", 4, 16),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "modelopt_fp4", 4, None),
        ({"quant_method": "mxfp4"}, "mxfp4", 4, None),
        (COMPRESSED, "compressed-tensors", 8, 32),
        ({"quant_method": "compressed-tensors", "format": "float-quantized"}, "compressed-tensors", 8, None),
        ({"quant_method": "compressed-tensors", "format": "mxfp4-pack-quantized"}, "compressed-tensors", 4, None),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes", 4, None),
    ],
)
def test_quantization_is_read_from_the_words_of_each_tool(
    said: dict[str, Any], method: str | None, bits: int | None, block: int | None
) -> None:
    facts = llama(quantization=said)
    assert (quantization_method(facts), quantization_bits(facts), quantization_block(facts)) == (
        method,
        bits,
        block,
    )


def test_fewer_bits_are_never_more_bytes() -> None:
    plain = size_bytes(hub("Qwen/Qwen3-8B"))
    eight = size_bytes(hub("Qwen/Qwen3-8B", quantization={"quant_method": "fp8"}))
    four = size_bytes(hub("Qwen/Qwen3-8B", quantization=AWQ))
    assert four < eight < plain


ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.lists(st.integers(), max_size=3)
)
SAID = st.dictionaries(
    st.sampled_from(
        [
            "quant_method",
            "quant_algo",
            "format",
            "bits",
            "w_bit",
            "group_size",
            "weight_block_size",
            "config_groups",
            "load_in_4bit",
        ]
    ),
    ODD | st.dictionaries(st.just("group_0"), ODD | st.dictionaries(st.just("weights"), ODD)),
)


@given(SAID, st.dictionaries(st.sampled_from(["BF16", "F32", "U8", "Q9"]), ODD, max_size=3))
def test_no_quantization_and_no_count_makes_a_traceback(said: dict[str, Any], counts: dict[str, Any]) -> None:
    facts = llama(quantization=said, parameters=counts)
    size = weights_size(facts, choose_files(facts), read_geometry(facts))
    assert size is None or size.size_bytes > 0
    assert parameter_count(facts) >= 0
    assert (quantization_block(facts) or 1) > 0
    assert quantization_bits(facts) in {None, *range(2, 17)}


@given(
    st.lists(
        st.sampled_from(
            [
                "config.json",
                "model.safetensors",
                "model.fp16.safetensors",
                "a.gguf",
                "b-00001-of-00002.gguf",
                "x/y.bin",
                "pytorch_model.bin",
                "2_Dense/model.safetensors",
                "onnx/model.onnx",
                "tokenizer.json",
                "[odd].gguf",
            ]
        ),
        unique=True,
    )
)
def test_no_file_is_chosen_twice_and_none_is_made_up(paths: list[str]) -> None:
    files = tuple(FileFacts(path=path, size_bytes=1) for path in sorted(paths))
    picked = choose_files(made(files=files))
    served = [each.path for each in (*picked.weights, *picked.side)]
    assert len(served) == len(set(served))
    assert set(served) <= set(paths)


# Modules that stay in 16 bits -----------------------------------------------------------------------------------


def test_a_checkpoint_that_keeps_its_attention_is_larger() -> None:
    """Llama-3.1-405B-Instruct-FP8 on 8 ranks loads 57.75 GiB each: attention and two MLPs in 16 bits."""
    kept = [f"model.layers.{n}.self_attn.{p}_proj" for n in range(126) for p in "qkvo"]
    kept += [f"model.layers.{n}.mlp.{p}_proj" for n in (0, 125) for p in ("gate", "up", "down")]
    facts = llama(
        parameters={},
        parameters_total=405_868_625_920,
        quantization={"quant_method": "fbgemm_fp8", "modules_to_not_convert": ["lm_head", *kept]},
        config={
            "hidden_size": 16384,
            "intermediate_size": 53248,
            "num_hidden_layers": 126,
            "num_attention_heads": 128,
            "num_key_value_heads": 8,
        },
    )
    size = weights_size(facts, choose_files(facts), read_geometry(facts))
    assert size is not None
    assert size.size_bytes / 8 / GIB == pytest.approx(57.75, rel=0.02)
    assert "attention, mlp not quantized" in size.how


@pytest.mark.parametrize(
    ("said", "folded"),
    [
        ({"modules_to_not_convert": ["lm_head"]}, {}),
        ({"ignore": ["re:.*self_attn.*", "re:visual.*", "lm_head"]}, {"attention": -1, "vision": -1}),
        ({"modules_to_not_convert": ["model.layers.0.mlp.gate", "gate"]}, {}),
        ({"exclude_modules": ["model.layers.3.linear_attn.in_proj"]}, {"recurrent": 1}),
        ({"modules_to_not_convert": {"attention": 126}}, {"attention": 126}),
        ({"modules_to_not_convert": None, "ignore": [3, {}]}, {}),
    ],
)
def test_names_are_folded_to_kinds(said: dict[str, Any], folded: dict[str, int]) -> None:
    assert summarize_unquantized(said) == folded
    assert summarize_unquantized({"modules_to_not_convert": folded}) == folded, "what a lock keeps reads the same"


@pytest.mark.parametrize(("code", "staged"), [(False, []), (True, ["modeling_acme.py"])])
def test_python_of_a_repository_is_staged_only_where_it_may_run(code: bool, staged: list[str]) -> None:
    paths = ("config.json", "model.safetensors", "modeling_acme.py")
    chosen = choose_files(made(files=tuple(file(path) for path in paths)), code=code)
    assert [each.path for each in chosen.side if each.path.endswith(".py")] == staged
    assert ("*.py" in chosen.patterns) is code, "the loader asks the Hub by these where the lock lists no files"


def test_counts_by_dtype_tell_what_is_quantized_from_what_is_not() -> None:
    """gpt-oss-20b: 12.84 GiB of tensors; the Hub counts the parameters of packed blocks, without their scales."""
    facts = made(
        parameters={"BF16": 1_804_459_584, "U8": 19_110_297_600},
        quantization={"quant_method": "mxfp4"},
        config={
            "num_hidden_layers": 24,
            "num_local_experts": 32,
            "intermediate_size": 2880,
            "hidden_size": 2880,
            "vocab_size": 201088,
            "num_attention_heads": 64,
            "head_dim": 64,
            "num_key_value_heads": 8,
        },
    )
    assert size_bytes(facts) == 1_804_459_584 * 2 + 19_110_297_600 * 4.25 / 8
    whole = replace(facts, parameters={}, parameters_total=20_914_757_184)
    assert size_bytes(whole) == pytest.approx(size_bytes(facts), rel=0.001), "the experts alone are quantized"


def test_stored_elements_of_nvfp4_are_bytes() -> None:
    """The Hub counts a byte of two NVFP4 weights once, and their scales beside them."""
    facts = llama(
        parameters={"BF16": 262_668_288, "U8": 486_539_264, "F8_E4M3": 60_817_408},
        quantization={"quant_algo": "NVFP4"},
    )
    assert size_bytes(facts) == 262_668_288 * 2 + 486_539_264 + 60_817_408


FP8_SCHEME = {"num_bits": 8, "type": "float", "dynamic": False}


def test_a_head_that_is_its_embeddings_is_loaded_once() -> None:
    """Qwen3-0.6B stores both: 751,632,384 parameters, of which engines load 596 million."""
    config = {
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "head_dim": 128,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "vocab_size": 151936,
        "tie_word_embeddings": True,
    }
    twice = llama(config=config, parameters={"BF16": 751_632_384})
    assert size_bytes(twice) == (751_632_384 - 151936 * 1024) * 2
    once = llama(config=config, parameters={"BF16": 596_049_920})
    assert size_bytes(once) == 596_049_920 * 2


@pytest.mark.parametrize(
    ("quantization", "declared"),
    [
        ({"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"}, True),
        ({"quant_method": "modelopt", "kv_cache_scheme": FP8_SCHEME}, True),
        ({"quant_algo": "FP8", "kv_cache_quant_algo": None}, False),
        ({"quant_method": "compressed-tensors", "kv_cache_scheme": FP8_SCHEME}, False),
    ],
)
def test_an_8_bit_cache_is_declared_by_checkpoints_of_modelopt(
    quantization: dict[str, Any], declared: bool
) -> None:
    assert declares_fp8_cache(made(quantization=quantization)) is declared
