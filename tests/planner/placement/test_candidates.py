# SPDX-License-Identifier: Apache-2.0
"""Where models are placed in the real catalogue: rules of engines and machines, prices, pools."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubstack.files.errors import PlanError
from hubstack.hub.facts import ModelFacts
from hubstack.inputs.models_schema import CapacityStep
from hubstack.kinds import AcceleratorKind, CapacityKind, EngineKind
from hubstack.plan import Verdict
from tests.support.facts import GIB, ask, catalog, file, hub, llama, made, plan, plan_one, steps, target


def why_not(facts: ModelFacts, where: Any = None, **asked: Any) -> str:
    with pytest.raises(PlanError) as caught:
        plan_one(facts, where=where, **asked)
    return str(caught.value)


# Preference -----------------------------------------------------------------------------------------------------


def test_the_cheapest_shape_that_fits_is_taken() -> None:
    assert plan_one(hub("Qwen/Qwen3-4B-Instruct-2507")).machine_type == "g2-standard-4"
    large = plan_one(hub("meta-llama/Llama-3.3-70B-Instruct"))
    more_expensive = [row for row in large.rejected if "fits" in row.why]
    assert large.usd_per_replica_hour is not None
    assert all(
        float(re.search(r"\$([\d.,]+)", row.why)[1].replace(",", "")) >= large.usd_per_replica_hour
        for row in more_expensive
    )


def test_what_was_taken_fits_all_sequences_that_were_asked_for() -> None:
    taken = plan_one(hub("Qwen/Qwen3-8B"), context=32768, concurrency=8)
    assert taken.need.verdict is Verdict.FITS
    assert taken.need.concurrency >= 8


def test_a_rejected_shape_carries_the_figure_that_rejected_it() -> None:
    cheaper = [row for row in plan_one(hub("Qwen/Qwen3-32B")).rejected if "needs" in row.why]
    assert cheaper, "the shapes just below the choice are shown"
    assert all(
        re.search(r"needs \d+\.\d GiB per accelerator.*, but only \d+\.\d GiB are usable", row.why)
        for row in cheaper
    )


def test_several_nodes_come_before_one_that_may_not_start() -> None:
    model = plan_one(hub("deepseek-ai/DeepSeek-V3"))
    assert (model.hosts, model.pipeline_parallel) == (2, 2)
    assert model.need.verdict is Verdict.FITS
    assert not [warning for warning in model.warnings if "LeaderWorkerSet" in warning], (
        "its controller comes with it"
    )


def test_several_nodes_are_explained_by_what_the_largest_single_node_lacks() -> None:
    said = {reason.topic: reason.text for reason in plan_one(hub("deepseek-ai/DeepSeek-V3")).reasons}["accelerator"]
    assert re.search(r"the largest single node, g4-standard-384, (needs|is not certain to fit)", said)
    assert "larger, but not sold as on-demand: a3-ultragpu-8g" in said


def test_an_unsure_model_is_said_to_be_unsure_for_the_reason_that_makes_it_so() -> None:
    gguf = made(files=(file("m-Q4_K_M.gguf", 5_000_000_000),), pipeline_tag="text-generation")
    assert plan_one(gguf).warnings == (
        "it may not start: its cache is an estimate, because the lock does not say how many layers it has",
    )


def test_a_model_that_no_rule_allows_does_not_fail_for_its_size() -> None:
    int8 = {"type": "int", "num_bits": 8}
    groups = {"group_0": {"weights": int8, "input_activations": int8}}
    facts = llama(quantization={"quant_method": "compressed-tensors", "config_groups": groups})
    said = why_not(facts, accelerator="rtx-pro-6000")
    assert "cannot run on any of" in said
    assert "`context:`" not in said, "less memory would not help"
    assert "`context:`" in why_not(llama(), accelerator="l4", context=131072, concurrency=999)


def test_a_model_near_the_line_is_taken_only_where_nothing_fits_and_with_a_warning() -> None:
    # 25 heads: no ranks divide them, so one L4 must do, and it has 0.4 GiB to spare.
    heads = {"num_attention_heads": 25, "num_key_value_heads": 5}
    model = plan_one(llama(config=heads, parameters={"BF16": 9_900_000_000}), accelerator="l4")
    assert model.need.verdict is Verdict.UNCERTAIN
    assert any(re.search(r"0\.\d GiB would be left, and its memory", warning) for warning in model.warnings)
    assert plan_one(hub("Qwen/Qwen3-8B")).warnings == ()


def test_a_model_that_fits_nowhere_is_refused_with_figures() -> None:
    said = why_not(hub("deepseek-ai/DeepSeek-V3"), accelerator="l4")
    assert re.search(r"does not fit any of \d+ machine shapes in us-central1", said)
    assert re.search(r"needs \d+\.\d GiB", said)
    assert "hint:" in said


# Tensor parallelism ---------------------------------------------------------------------------------------------


def test_ranks_divide_the_attention_heads() -> None:
    odd = llama(config={"num_attention_heads": 25, "num_key_value_heads": 5}, parameters={"BF16": 40_000_000_000})
    assert plan_one(odd).tensor_parallel == 1
    said = why_not(odd, accelerator="l4")
    assert "its 25 attention heads are not divisible by 8 ranks" in said


def test_ranks_and_key_value_heads_divide_one_way_or_the_other() -> None:
    phi4 = llama(config={"num_attention_heads": 40, "num_key_value_heads": 10}, parameters={"BF16": 14_659_507_200})
    assert plan_one(phi4, accelerator="l4").tensor_parallel == 2
    bigger = llama(
        config={"num_attention_heads": 40, "num_key_value_heads": 10}, parameters={"BF16": 60_000_000_000}
    )
    assert "its 10 key-value heads cannot be split evenly across 8 ranks" in why_not(bigger, accelerator="l4")


def test_ranks_divide_the_feed_forward_width() -> None:
    odd = llama(config={"intermediate_size": 8190}, parameters={"BF16": 30_000_000_000})
    assert "feed-forward width 8,190 is not divisible by" in why_not(odd, accelerator="l4")


def test_a_rank_holds_whole_quantization_blocks() -> None:
    """Qwen3-30B-A3B in FP8 by blocks of 128: 768 / 4 = 192 (docs/benchmarks/sizing.md)."""
    blocks = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    facts = hub("Qwen/Qwen3-30B-A3B-Instruct-2507", quantization=blocks)
    assert plan_one(facts, accelerator="l4").tensor_parallel == 2, "768 / 2 holds three blocks"
    dense = llama(config={"intermediate_size": 768}, quantization=blocks, parameters_total=60_000_000_000)
    assert "768 / 4 ranks is not a multiple of its quantization block of 128" in why_not(dense, accelerator="l4")


def test_experts_that_cannot_be_cut_are_put_on_the_ranks_whole() -> None:
    """A boot of Qwen3-30B-A3B in FP8 on four L4 with expert parallelism (serving_logs idx-qwen3-30b-fp8-4xl4)."""
    blocks = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    facts = hub("Qwen/Qwen3-30B-A3B-Instruct-2507", quantization=blocks, parameters_total=60_000_000_000)
    placed = plan_one(facts, accelerator="l4")
    assert (placed.tensor_parallel, placed.expert_parallel) == (4, True)


@settings(max_examples=25)
@given(
    st.sampled_from([8, 12, 20, 25, 32, 40, 56, 64, 71]), st.sampled_from([1, 2, 4, 5, 8, 10]), st.integers(1, 300)
)
def test_whatever_is_placed_divides_evenly(heads: int, kv_heads: int, billions: int) -> None:
    config = {"num_attention_heads": heads, "num_key_value_heads": kv_heads}
    try:
        model = plan_one(llama(config=config, parameters={"BF16": billions * 10**9}))
    except PlanError:
        return
    assert heads % model.tensor_parallel == 0
    assert max(kv_heads, model.tensor_parallel) % min(kv_heads, model.tensor_parallel) == 0


def test_engines_without_tensor_parallelism_get_one_accelerator() -> None:
    assert plan_one(hub("Qwen/Qwen3-Embedding-0.6B")).accelerator_count == 1


# Cards ----------------------------------------------------------------------------------------------------------


def test_a_t4_is_taken_only_where_the_request_names_it() -> None:
    assert plan_one(llama()).accelerator != "t4", "although it is cheaper"
    asked = plan_one(llama(), accelerator="t4")
    assert (asked.accelerator, "half" in asked.server.args) == ("t4", True)


def test_gemma_is_never_put_on_a_card_without_bf16() -> None:
    assert "`gemma3` models overflow in fp16" in why_not(hub("google/gemma-3-27b-it"), accelerator="t4")


def test_a_tpu_is_taken_only_where_the_request_names_it_or_its_engine() -> None:
    assert plan_one(llama()).accelerator_kind is AcceleratorKind.GPU
    for asked in ({"accelerator": "tpu-v6e"}, {"engine": EngineKind.VLLM_TPU}):
        model = plan_one(llama(), **asked)
        assert model.accelerator_kind is AcceleratorKind.TPU
        assert model.server.engine is EngineKind.VLLM_TPU
        assert model.tpu_topology is not None


def test_the_words_of_gke_name_an_accelerator_too() -> None:
    assert plan_one(llama(), accelerator="nvidia-l4").accelerator == "l4"
    assert plan_one(llama(), accelerator="tpu-v5-lite-podslice").accelerator == "v5e"


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (hub("deepseek-ai/DeepSeek-V3", quantization={}), "does not run on this TPU"),
        (llama(quantization={"quant_method": "fp8"}), "quantized checkpoints are untested"),
        (hub("Qwen/Qwen3-Next-80B-A3B-Instruct"), "cache layout is not on vLLM for TPU"),
        (hub("BAAI/bge-large-en-v1.5"), "Text Embeddings Inference has no image for v6e"),
    ],
)
def test_what_is_untested_on_tpus_is_refused_there(facts: ModelFacts, why: str) -> None:
    assert why in why_not(facts, accelerator="tpu-v6e")


def test_a_tpu_that_asks_for_a_privileged_pod_is_refused() -> None:
    assert "privileged" in why_not(llama(), accelerator="tpu7x")


def test_an_experimental_image_is_taken_only_where_the_request_names_the_card() -> None:
    free = plan_one(hub("BAAI/bge-large-en-v1.5"), capacity=steps("spot"))
    assert free.accelerator not in {"rtx-pro-6000", "b200", "t4"}
    assert plan_one(hub("BAAI/bge-large-en-v1.5"), accelerator="rtx-pro-6000").accelerator == "rtx-pro-6000"


def test_hosts_of_another_architecture_are_refused() -> None:
    assert "gb200" in catalog().accelerators
    assert "vLLM on GPU has no image for gb200" in why_not(llama(), accelerator="gb200")


def test_an_engine_needs_host_memory_for_its_processes() -> None:
    """What sees takes 4 GiB more than the 6 of a text model, and a server gets 9.1 GiB of a g2-standard-4."""
    text = plan_one(hub("Qwen/Qwen3-4B-Instruct-2507"), accelerator="l4")
    large = hub("google/gemma-3-27b-it")
    text_config = large.config["text_config"] | {
        "hidden_size": 2560,
        "num_hidden_layers": 34,
        "intermediate_size": 10240,
    }
    small = replace(
        large, config=dict(large.config) | {"text_config": text_config}, parameters={"BF16": 4_300_079_472}
    )
    sees = plan_one(small, accelerator="l4")
    assert (text.steps[0].machine_type, sees.steps[0].machine_type) == ("g2-standard-4", "g2-standard-8")
    assert any("the engine needs 10.0 GiB of host memory" in str(each) for each in sees.rejected)


def test_loading_needs_host_memory_for_the_largest_file() -> None:
    facts = llama(parameters={"BF16": 7_000_000_000}, files=())
    small = plan_one(facts)
    needed = min(14_000_000_000, 5_000_000_000) + 4 * GIB
    machine = catalog().machine_types[small.machine_type]
    assert machine.allocatable_memory_bytes * 0.8 >= needed


# Capacity -------------------------------------------------------------------------------------------------------


def test_a_machine_that_is_not_sold_on_demand_is_not_planned_so() -> None:
    """GKE sells a3-highgpu-1g, -2g and -4g on spot and by reservation only."""
    assert plan_one(llama(), accelerator="h100-80gb").machine_type == "a3-highgpu-8g"
    spot = plan_one(llama(), accelerator="h100-80gb", capacity=steps("spot"))
    assert spot.machine_type == "a3-highgpu-1g"


def test_every_capacity_step_must_be_sold() -> None:
    both = plan_one(llama(), accelerator="h100-80gb", capacity=steps("spot", "on-demand"))
    assert both.machine_type == "a3-highgpu-8g", "the small machine has no on-demand to fall back on"


def test_the_price_is_that_of_the_first_step() -> None:
    spot = plan_one(llama(), capacity=steps("spot", "on-demand"))
    on_demand = plan_one(llama(), capacity=steps("on-demand", "spot"))
    assert spot.machine_type == on_demand.machine_type == "g2-standard-4"
    assert spot.usd_per_replica_hour < on_demand.usd_per_replica_hour


def test_a_class_has_a_pool_for_each_step_in_the_order_of_the_request() -> None:
    planned = plan((llama(), ask("acme/llama", capacity=steps("reservation:team-a", "spot", "on-demand"))))
    pools = {pool.key: pool for pool in planned.pools}
    kinds = [pools[key].capacity for key in planned.classes[0].pools]
    assert kinds == [CapacityKind.RESERVATION, CapacityKind.SPOT, CapacityKind.ON_DEMAND]
    assert [pools[key].reservation for key in planned.classes[0].pools] == ["team-a", None, None]


# Zones ----------------------------------------------------------------------------------------------------------


def test_pools_stand_only_in_zones_of_the_target_that_have_the_card() -> None:
    everywhere = plan(llama()).pools[0].zones
    assert len(everywhere) > 1
    assert all(zone.startswith("us-central1-") for zone in everywhere)
    assert plan(llama(), where=target(zones=everywhere[:1])).pools[0].zones == everywhere[:1]


def test_a_zone_without_accelerators_is_named_in_the_refusal() -> None:
    assert "`hubstack:zones` (us-central1-z) has no accelerators" in why_not(
        llama(), where=target(zones=("us-central1-z",))
    )


# Pools ----------------------------------------------------------------------------------------------------------


def others(count: int) -> list[ModelFacts]:
    return [llama(f"acme/other-{number}", parameters={"BF16": 10**9 + number}) for number in range(count)]


def test_models_of_one_shape_and_order_share_a_pool_with_room_for_all() -> None:
    asked = [(facts, ask(facts.id, replicas={"max": 3})) for facts in others(4)]
    planned = plan(*asked)
    assert len(planned.pools) == len(planned.classes) == 1
    assert planned.pools[0].max_nodes == 12
    assert planned.pools[0].models == tuple(sorted(facts.id.split("/")[1] for facts in others(4)))


def test_pools_start_from_nothing() -> None:
    assert {pool.min_nodes for pool in plan(llama(), hub("Qwen/Qwen3-32B")).pools} == {0}


def test_a_pool_key_does_not_depend_on_the_other_models() -> None:
    alone = {pool.key for pool in plan(llama()).pools}
    among = {pool.key for pool in plan(llama(), *others(3), hub("Qwen/Qwen3-32B")).pools}
    assert alone < among


def test_a_pool_key_changes_with_what_would_replace_the_pool() -> None:
    bought = [("spot",), ("on-demand",), ("spot", "on-demand"), ("reservation:a",), ("reservation:b",)]
    keys = [
        tuple(pool.key for pool in plan((llama(), ask("acme/llama", capacity=steps(*words)))).pools)
        for words in bought
    ]
    flat = [key for each in keys for key in each]
    assert len(set(flat)) == len(flat)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]{0,39}", key) for key in flat), "GKE takes 40 characters"


def test_every_machine_that_is_planned_is_listed_in_the_region() -> None:
    for region in ("us-central1", "europe-west4", "asia-southeast1"):
        model = plan_one(llama(), where=target(region=region))
        assert region in catalog().regions(model.machine_type)


# Ways to buy ----------------------------------------------------------------------------------------------------


def test_only_shapes_that_can_be_reserved_take_a_reservation() -> None:
    """Google's page of GPU machine types: one, two and four H100 are Spot or Flex-start only."""
    model = plan_one(llama(), accelerator="h100-80gb", capacity=steps("reservation:team-a"))
    assert model.machine_type == "a3-highgpu-8g"
    assert any("reservation team-a is assumed to hold a3-highgpu-8g" in warning for warning in model.warnings)


def test_a_reservation_is_of_one_machine_type_in_one_zone() -> None:
    step = CapacityStep(
        kind=CapacityKind.RESERVATION,
        reservation="projects/acme-central/reservations/l4s",
        machine_type="g2-standard-16",
        zones=("us-central1-b",),
    )
    model = plan_one(llama(), capacity=(step,))
    assert (model.machine_type, model.steps[0].zones) == ("g2-standard-16", ("us-central1-b",))
    assert not [warning for warning in model.warnings if "is assumed to hold" in warning]


def test_a_machine_type_that_nobody_sells_is_named_with_the_nearest() -> None:
    step = CapacityStep(kind=CapacityKind.RESERVATION, reservation="l4s", machine_type="g2-standard-17")
    assert "`g2-standard-17` is not a machine type" in why_not(llama(), capacity=(step,))


@pytest.mark.parametrize("machine", ["a3-highgpu-1g", "a3-highgpu-2g", "a3-highgpu-4g"])
def test_a_named_machine_type_that_cannot_be_reserved_is_said_to_be_so(machine: str) -> None:
    step = CapacityStep(kind=CapacityKind.RESERVATION, reservation="mine", machine_type=machine)
    said = why_not(llama(), accelerator="h100-80gb", capacity=(step,))
    assert f"{machine} in us-central1 is not sold as reservation; Google sells it as flex-start, spot" in said


@pytest.mark.parametrize(("card", "machine"), [("h200-141gb", "a3-ultragpu-8g"), ("b200", "a4-highgpu-8g")])
def test_a_card_that_is_not_sold_on_demand_is_said_to_be_so(card: str, machine: str) -> None:
    said = why_not(llama(), accelerator=card, capacity=steps("on-demand"))
    assert f"{machine} in us-central1 is not sold as on-demand; Google sells it as" in said


def test_a_region_without_the_card_names_regions_that_have_it() -> None:
    with pytest.raises(PlanError) as caught:
        plan_one(llama(), where=target(region="asia-south1"), accelerator="b200", capacity=steps("spot"))
    (problem,) = caught.value.problems
    assert "asia-south1 has no machine type with b200" in problem.message
    regions = (problem.hint or "").partition("such as ")[2].split(", ")
    assert set(regions) <= set(catalog().regions("a4-highgpu-8g"))
    assert regions[0].startswith("asia-"), "the same part of the world comes first"
    assert plan_one(llama(), where=target(region=regions[0]), accelerator="b200", capacity=steps("spot"))
