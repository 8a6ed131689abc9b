# SPDX-License-Identifier: Apache-2.0
"""What must hold of every model, card and load, whatever the figures."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hubstack.hub.facts import ModelFacts
from hubstack.kinds import EngineKind
from hubstack.plan import MemoryNeed, Verdict
from hubstack.planner.engines import spec_of
from hubstack.planner.memory.sizing import Device, Workload, kv_bytes_per_token, kv_fixed_bytes
from hubstack.planner.memory.workload import LoraSlots
from tests.support.facts import GIB, gpu, hub, hub_ids, read_geometry, size

SERVED = [name for name in hub_ids() if read_geometry(hub(name)).layers and read_geometry(hub(name)).hidden]
ORDER = [Verdict.DOES_NOT_FIT, Verdict.UNCERTAIN, Verdict.FITS]

models = st.sampled_from(SERVED).map(hub)
cards = st.sampled_from([14.74, 22.03, 39.5, 44.4, 79.18, 94.97, 139.81, 178.36]).map(gpu)
loads = st.builds(
    Workload,
    engine=st.sampled_from([spec_of(kind).memory for kind in (EngineKind.VLLM, EngineKind.SGLANG, EngineKind.TEI)]),
    tensor_parallel=st.sampled_from([1, 2, 4, 8]),
    pipeline_parallel=st.sampled_from([1, 1, 2, 3]),
    context=st.sampled_from([512, 2048, 8192, 65536, 131072]),
    concurrency=st.integers(1, 64),
    kv_cache_dtype=st.sampled_from(["auto", "fp8"]),
    lora=st.sampled_from([None, None, LoraSlots(slots=4)]),
    draft_tokens=st.sampled_from([0, 0, 2]),
)


def needed(facts: ModelFacts, device: Device, load: Workload) -> int:
    """Bytes of one rank with all sequences that were asked for."""
    need = size(facts, device, load)
    return need.total_bytes + (need.kv_fixed_bytes + need.kv_bytes_per_token * need.context) * load.concurrency


def grown(load: Workload, **changes: Any) -> Workload:
    return replace(load, **changes)


@given(models, cards, loads, st.integers(1, 100_000))
def test_more_context_never_needs_less(facts: ModelFacts, card: Device, load: Workload, more: int) -> None:
    longer = grown(load, context=load.context + more)
    assert needed(facts, card, longer) >= needed(facts, card, load)


@given(models, cards, loads, st.integers(1, 64))
def test_more_sequences_never_need_less(facts: ModelFacts, card: Device, load: Workload, more: int) -> None:
    assert needed(facts, card, grown(load, concurrency=load.concurrency + more)) >= needed(facts, card, load)


@given(models, cards, cards, loads)
def test_a_larger_card_never_turns_fits_into_not(
    facts: ModelFacts, one: Device, other: Device, load: Workload
) -> None:
    small, large = sorted((one, other), key=lambda card: card.visible_bytes)
    before, after = size(facts, small, load).verdict, size(facts, large, load).verdict
    assert ORDER.index(after) >= ORDER.index(before)


@given(models, cards, loads)
def test_an_8_bit_cache_never_needs_more(facts: ModelFacts, card: Device, load: Workload) -> None:
    plain, small = grown(load, kv_cache_dtype="auto"), grown(load, kv_cache_dtype="fp8")
    assert needed(facts, card, small) <= needed(facts, card, plain)


@given(models, loads)
def test_more_ranks_never_hold_more_of_the_cache_each(facts: ModelFacts, load: Workload) -> None:
    geometry = read_geometry(facts)
    one, two = grown(load, tensor_parallel=1), grown(load, tensor_parallel=load.tensor_parallel * 2)
    assert kv_bytes_per_token(geometry, two) <= kv_bytes_per_token(geometry, one)
    assert kv_fixed_bytes(geometry, two) <= kv_fixed_bytes(geometry, one)


@given(models, cards, loads)
def test_what_fits_says_so_in_figures_that_agree(facts: ModelFacts, card: Device, load: Workload) -> None:
    need: MemoryNeed = size(facts, card, load)
    assert need.total_bytes + need.kv_available_bytes == need.budget_bytes
    if need.verdict is Verdict.FITS:
        assert need.kv_available_bytes > 0
        assert need.concurrency >= load.concurrency
        assert need.longest_context >= load.context
        assert needed(facts, card, load) <= need.budget_bytes - GIB // 2
