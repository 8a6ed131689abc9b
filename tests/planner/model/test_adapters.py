# SPDX-License-Identifier: Apache-2.0
"""Models whose repository includes adapters for images or sounds."""

import json
from typing import Any

from hubstack.hub.facts import ModelFacts
from hubstack.plan import ModelPlan
from hubstack.plan.loading import LoadingMethod
from tests.support.facts import file, llama, plan_one

BESIDE = (file("config.json"), file("tokenizer.json"), file("model.safetensors", 5_000_000_000))


def speech(name: str, *adapters: str, **fields: Any) -> ModelFacts:
    config = {"architectures": [name], "model_type": "granite_speech"}
    adapter_files = tuple(file(path, 140_000_000) for path in adapters)
    return llama(
        config=config, files=(*BESIDE, *adapter_files), pipeline_tag="automatic-speech-recognition", **fields
    )


def flag(model: ModelPlan, name: str) -> str:
    args = model.server.args
    return args[args.index(name) + 1]


GRANITE = speech("GraniteSpeechForConditionalGeneration", "adapter_config.json", "adapter_model.safetensors")


def test_the_adapter_for_speech_is_loaded_staged_and_sized() -> None:
    model = plan_one(GRANITE)
    assert json.loads(flag(model, "--default-mm-loras")) == {"audio": "/weights"}
    assert (flag(model, "--max-loras"), flag(model, "--max-lora-rank")) == ("1", "64")
    assert "--enable-lora" in model.server.args
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {each.path for each in model.weights.files}
    terms = {term.name: term.size_bytes for term in model.need.terms}
    assert terms["weights"] == 5_000_000_000, "the adapter takes a slot of its own"
    assert terms["adapters"] > 0


def test_a_model_with_adapters_is_not_streamed() -> None:
    assert plan_one(GRANITE).loading.method is not LoadingMethod.RUNAI_STREAMER


def test_a_later_version_without_an_adapter_gets_no_flag() -> None:
    model = plan_one(speech("GraniteSpeechForConditionalGeneration"))
    assert "--enable-lora" not in model.server.args


def test_adapters_in_folders_are_staged_for_their_modality() -> None:
    names = [
        f"{folder}/{name}"
        for folder in ("speech-lora", "vision-lora")
        for name in ("adapter_config.json", "adapter_model.safetensors")
    ]
    facts = speech("Phi4MMForCausalLM", *names)
    config = {
        **facts.config,
        "model_type": "phi4mm",
        "auto_map": {"AutoConfig": "configuration_phi4mm.Phi4MMConfig"},
    }
    model = plan_one(llama(config=config, files=facts.files, custom_code=True), trust_remote_code=True)
    told = {"audio": "/weights/speech-lora", "image": "/weights/vision-lora"}
    assert json.loads(flag(model, "--default-mm-loras")) == told
    assert (flag(model, "--max-loras"), flag(model, "--max-lora-rank")) == ("2", "320")
    assert set(names) <= {each.path for each in model.weights.files}


def test_slots_of_the_request_come_on_top() -> None:
    model = plan_one(GRANITE, lora={"slots": 2, "rank": 16})
    assert (flag(model, "--max-loras"), flag(model, "--max-lora-rank")) == ("3", "64")
    assert model.server.args.count("--enable-lora") == 1
