# SPDX-License-Identifier: Apache-2.0
"""Repositories in Mistral's own format are served in it: their files, their flags, their config."""

import pytest

from hubstack.hub.facts import ModelFacts
from hubstack.hub.remote.config_fields import keep_config
from hubstack.hub.remote.mistral_params import config_of_params
from hubstack.planner.model.geometry import read_geometry
from hubstack.planner.model.weights import choose_files, is_mistral_format
from tests.support.facts import file, llama, made, plan_one

OWN = (file("params.json"), file("tekken.json"), file("consolidated.safetensors", 9_000_000_000))
HF = (
    file("config.json"),
    file("model-00001-of-00002.safetensors", 5_000_000_000),
    file("model-00002-of-00002.safetensors", 4_000_000_000),
)
PIXTRAL = {
    "dim": 5120,
    "n_layers": 40,
    "head_dim": 128,
    "hidden_dim": 14336,
    "n_heads": 32,
    "n_kv_heads": 8,
    "vocab_size": 131072,
    "max_seq_len": 128000,
    "rope_theta": 1e9,
    "vision_encoder": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "intermediate_size": 4096,
        "image_size": 1024,
        "patch_size": 16,
        "num_attention_heads": 16,
    },
}


def flags(facts: ModelFacts) -> tuple[str, ...]:
    return plan_one(facts).server.args


@pytest.mark.parametrize(
    ("files", "architecture", "own"),
    [
        (OWN, "MistralForCausalLM", True),
        ((*OWN, *HF), "MistralForCausalLM", True),  # no tokenizer.json
        ((*OWN, *HF, file("tokenizer.json")), "MistralForCausalLM", False),
        ((*OWN, *HF, file("tokenizer.json")), "VoxtralForConditionalGeneration", True),
        (HF, "MistralForCausalLM", False),
        ((*HF, file("consolidated.safetensors", 9)), "MistralForCausalLM", False),  # no params.json
    ],
)
def test_mistrals_format_is_taken_where_the_other_is_not_whole(
    files: tuple[object, ...], architecture: str, own: bool
) -> None:
    facts = llama(config={"architectures": [architecture], "model_type": "mistral"}, files=files)
    assert is_mistral_format(facts) is own
    chosen = choose_files(facts)
    assert all(each.path.startswith("consolidated") is own for each in chosen.weights)
    assert ("consolidated*" in chosen.exclude) is not own


def test_the_server_is_told_of_the_format_and_streams_nothing() -> None:
    args = flags(llama(config={"model_type": "mistral", "architectures": ["MistralForCausalLM"]}, files=OWN))
    at = args.index("--tokenizer-mode")
    assert args[at : at + 6] == (
        "--tokenizer-mode",
        "mistral",
        "--config-format",
        "mistral",
        "--load-format",
        "mistral",
    )
    assert "runai_streamer" not in args
    assert "mistral" not in flags(llama(files=(*HF, file("tokenizer.json"))))


def test_params_json_is_a_config_where_there_is_no_other() -> None:
    config = keep_config(config_of_params(PIXTRAL))
    geometry = read_geometry(made(config=config))
    assert geometry.name == "PixtralForConditionalGeneration"
    assert (geometry.hidden, geometry.layers, geometry.kv_heads, geometry.head_dim) == (5120, 40, 8, 128)
    assert geometry.vision_parameters > 0
    assert geometry.max_context == 128000
    voxtral = config_of_params(
        {
            **PIXTRAL,
            "vision_encoder": None,
            "multimodal": {"whisper_model_args": {"encoder_args": {"dim": 1280, "n_layers": 32}}},
        }
    )
    assert voxtral["architectures"] == ["VoxtralForConditionalGeneration"]
    assert config_of_params({"dim": 4096, "moe": {"num_experts": 8}})["architectures"] == ["MixtralForCausalLM"]
