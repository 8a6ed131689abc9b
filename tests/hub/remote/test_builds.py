# SPDX-License-Identifier: Apache-2.0
"""Which quantized builds of a large model a lock names."""

import pytest

from hubstack.hub.lock import parse_lock, render_lock
from hubstack.hub.remote import fetch_facts
from hubstack.hub.remote.builds import MOST_BUILDS, read_builds
from tests.support.facts import made
from tests.support.hub import StandIn

ROWS = [
    {"id": "Qwen/Qwen3-32B-AWQ", "tags": ["safetensors", "awq", "4-bit", "base_model:quantized:Qwen/Qwen3-32B"]},
    {"id": "Qwen/Qwen3-32B-GGUF", "tags": ["gguf", "4-bit"]},
    {"id": "mlx-community/Qwen3-32B-4bit", "tags": ["mlx", "4-bit"]},
    {"id": "acme/Qwen3-32B-w8a8", "tags": ["compressed-tensors", "8-bit"]},
    {"id": "acme/Qwen3-32B-FP8", "tags": ["fp8"]},
    {"id": "acme/unsaid", "tags": ["gptq"]},
]


def test_builds_that_an_engine_loads_are_kept_with_their_bits_in_order() -> None:
    assert read_builds(ROWS) == {"Qwen/Qwen3-32B-AWQ": 4, "acme/Qwen3-32B-w8a8": 8, "acme/Qwen3-32B-FP8": 8}


@pytest.mark.parametrize("name", ["nvidia/Qwen3-32B-FP4", "RedHatAI/Qwen3-32B-NVFP4", "acme/Qwen3-32B-mxfp4"])
def test_a_build_in_4_bit_floats_has_4_bits_although_the_hub_tags_it_8_bit(name: str) -> None:
    assert read_builds([{"id": name, "tags": ["modelopt", "8-bit"]}]) == {name: 4}
    assert read_builds([{"id": "acme/Qwen3-32B-FP400", "tags": ["modelopt", "8-bit"]}]) == {
        "acme/Qwen3-32B-FP400": 8
    }


def test_an_answer_may_be_anything() -> None:
    odd = [
        None,
        1,
        {},
        {"id": 7, "tags": ["awq"]},
        {"id": "../../etc", "tags": ["awq"]},
        {"id": "a/b", "tags": "awq"},
    ]
    assert read_builds(odd) == read_builds({"error": "no"}) == read_builds(None) == {}
    many = [{"id": f"acme/m{n}", "tags": ["awq"]} for n in range(50)]
    assert len(read_builds(many)) == MOST_BUILDS


def test_a_lock_keeps_them() -> None:
    facts = made(quantized_builds={"acme/b-awq": 4, "acme/a-fp8": 8})
    again = parse_lock(render_lock([facts]), "lock").models[0]
    assert list(again.quantized_builds.items()) == [("acme/b-awq", 4), ("acme/a-fp8", 8)], (
        "the order is by downloads"
    )


@pytest.mark.parametrize(("least", "times"), [(1, 1), (10**12, 0)])
def test_a_large_model_is_asked_about_once_and_a_hub_without_the_search_costs_only_the_suggestion(
    hub: StandIn, monkeypatch: pytest.MonkeyPatch, least: int, times: int
) -> None:
    monkeypatch.setattr("hubstack.hub.remote.fetch.LEAST_BYTES", least)
    assert fetch_facts([("stand-in/sharded", "main")])[0].quantized_builds == {}
    assert sum(request.path == "/api/models" for request in hub.requests) == times
