# SPDX-License-Identifier: Apache-2.0
"""A card that lacks the kernel of an attention, a cache or a scheme is refused with the figure; others are not."""

from typing import Any

import pytest

from hubstack.hub.facts import ModelFacts
from hubstack.planner.model.geometry import read_geometry
from hubstack.planner.placement.card_rules import lacks_kernel
from tests.support.facts import catalog, hub, llama

MLA = {"kv_lora_rank": 512, "qk_rope_head_dim": 64}
SPARSE = {**MLA, "index_head_dim": 128, "index_topk": 2048, "model_type": "deepseek_v32"}


def on(card: str, facts: ModelFacts, cache: str = "auto", engine: str = "vllm") -> str | None:
    rows = catalog()
    return lacks_kernel(rows.accelerators[card], rows.engines[engine], facts, read_geometry(facts), cache)


def packed(weights: tuple[str, int], activations: tuple[str, int] | None) -> ModelFacts:
    group: dict[str, Any] = {"weights": {"type": weights[0], "num_bits": weights[1]}}
    if activations:
        group["input_activations"] = {"type": activations[0], "num_bits": activations[1]}
    return llama(quantization={"quant_method": "compressed-tensors", "config_groups": {"group_0": group}})


@pytest.mark.parametrize(
    ("card", "runs"),
    [
        ("t4", False),
        ("l4", False),
        ("a100-80gb", False),
        ("h100-80gb", True),
        ("b200", True),
        ("rtx-pro-6000", True),
    ],
)
def test_sparse_latent_attention_has_kernels_from_9_on(card: str, runs: bool) -> None:
    why = on(card, llama(config=SPARSE))
    assert (why is None) is runs
    if why:
        assert "sparse latent attention (MLA)" in why
        assert "9, 10, 10.3, 12" in why


@pytest.mark.parametrize("card", ["t4", "l4", "a100-40gb", "h100-80gb", "b200", "rtx-pro-6000"])
def test_plain_attention_and_latent_attention_run_everywhere(card: str) -> None:
    assert on(card, llama()) is None
    assert on(card, llama(config=MLA)) is None


@pytest.mark.parametrize(
    ("card", "config", "runs"),
    [
        ("t4", {}, False),
        ("a100-80gb", {}, True),
        ("l4", {}, True),
        ("h100-80gb", {}, True),
        ("a100-80gb", MLA, False),
        ("l4", MLA, True),
        ("b200", MLA, True),
        ("a100-80gb", {"head_dim": 80}, False),
    ],
)
def test_an_fp8_cache_needs_a_kernel_that_holds_it(card: str, config: dict[str, Any], runs: bool) -> None:
    assert (on(card, llama(config=config), "fp8") is None) is runs


@pytest.mark.parametrize(
    ("weights", "activations", "cards"),
    [
        (("int", 8), ("int", 8), {"t4", "l4", "a100-80gb", "h100-80gb", "h200-141gb"}),
        (("int", 4), ("float", 8), {"h100-80gb", "h200-141gb"}),
        (("int", 4), None, {"t4", "l4", "a100-80gb", "h100-80gb", "h200-141gb", "b200", "rtx-pro-6000"}),
        (("float", 8), ("float", 8), {"t4", "l4", "a100-80gb", "h100-80gb", "h200-141gb", "b200", "rtx-pro-6000"}),
    ],
)
def test_a_quantization_scheme_runs_between_its_bounds(
    weights: tuple[str, int], activations: tuple[str, int] | None, cards: set[str]
) -> None:
    every = {"t4", "l4", "a100-80gb", "h100-80gb", "h200-141gb", "b200", "rtx-pro-6000"}
    assert {card for card in every if on(card, packed(weights, activations)) is None} == cards


QUARK = {
    "quant_method": "quark",
    "global_quant_config": {"weight": {"dtype": "int8"}, "input_tensors": {"dtype": "int8"}},
}


@pytest.mark.parametrize(
    ("card", "runs"), [("l4", True), ("h100-80gb", True), ("b200", False), ("rtx-pro-6000", False)]
)
@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_int8_has_no_kernel_on_blackwell_in_either_engine_and_in_any_spelling(
    engine: str, card: str, runs: bool
) -> None:
    spellings = [packed(("int", 8), ("int", 8)), llama(quantization=QUARK)]
    spellings += [llama(quantization={"quant_method": "w8a8_int8"})]
    for facts in spellings:
        why = on(card, facts, engine=engine)
        assert (why is None) is runs
        assert runs or f"{engine} " in (why or "")


@pytest.mark.parametrize(
    ("card", "runs"), [("l4", False), ("a100-80gb", False), ("h100-80gb", True), ("b200", True)]
)
def test_sparse_latent_attention_of_sglang_needs_9(card: str, runs: bool) -> None:
    why = on(card, llama(config=SPARSE), engine="sglang")
    assert (why is None) is runs
    assert runs or "sparse latent attention (MLA) in sglang" in (why or "")
    assert on(card, llama(config=MLA), engine="sglang") is None


def test_an_engine_without_a_list_is_not_judged() -> None:
    assert on("t4", hub("BAAI/bge-large-en-v1.5"), engine="tei") is None
