# SPDX-License-Identifier: Apache-2.0
"""What must hold of every model, card and load, whatever the constants."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstack.planner.performance.constants import GENERATIONS, Evidence, load_table, range_kind
from hubstack.planner.performance.costs import Cache, Layout, Lengths
from hubstack.planner.performance.hardware import Hardware, read_hardware
from hubstack.planner.performance.replica import Replica, Setup, texts_per_second
from hubstack.planner.performance.work import Work
from tests.planner.performance.test_work import work_of
from tests.support.facts import catalog, hub

MODELS = (
    "Qwen/Qwen3-4B-Instruct-2507",
    "meta-llama/Llama-3.3-70B-Instruct",
    "Qwen/Qwen3-30B-A3B-Instruct-2507",
    "deepseek-ai/DeepSeek-V3",
    "Qwen/Qwen3.5-27B",
    "google/gemma-3-27b-it",
)
WORKS = {name: work_of(hub(name)) for name in MODELS}
CARDS = {each.id: read_hardware(each) for each in catalog().accelerators.values()}
GPUS = {name: card for name, card in CARDS.items() if card.link != "ici"}

works = st.sampled_from(list(WORKS.values()))
lengths = st.builds(
    Lengths, prompt=st.sampled_from([64, 1000, 8000, 30000]), answer=st.sampled_from([8, 300, 2000])
)
layouts = st.builds(Layout, tensor_parallel=st.sampled_from([1, 2, 8]), pipeline_parallel=st.sampled_from([1, 2]))
engines = st.sampled_from(["vllm", "sglang", "llama-cpp"])


def setup_of(work: Work, card: Hardware, layout: Layout, engine: str = "vllm", **changes: Any) -> Setup:
    _, number_format = card.operations(work.number_format)
    kind = range_kind(has_experts=bool(work.experts), ranks=layout.tensor_parallel)
    cache = Cache(token_bytes=160_000 / layout.tensor_parallel, room_bytes=20e9)
    fitted = load_table().find(card.generation, engine, card.link, number_format, kind)
    made = Setup(work=work, hardware=card, layout=layout, cache=cache, batch_limit=64, chunk=2048, fitted=fitted)
    return replace(made, **changes)


@given(works, st.sampled_from(sorted(CARDS)), layouts, lengths, engines, st.integers(1, 255))
def test_a_larger_batch_is_never_slower_in_total(
    work: Work, card: str, layout: Layout, asked: Lengths, engine: str, batch: int
) -> None:
    setup = setup_of(work, CARDS[card], layout, engine, cache=Cache(token_bytes=0.0))
    smaller, larger = (Replica(replace(setup, batch_limit=limit), asked) for limit in (batch, batch + 1))
    assert larger.most_per_second >= smaller.most_per_second * (1 - 1e-9)


@given(works, layouts, lengths, st.sampled_from(["vllm", "sglang"]), st.sampled_from([1, 8, 64, 256]))
def test_a_card_that_is_faster_in_everything_is_never_predicted_slower(
    work: Work, layout: Layout, asked: Lengths, engine: str, batch: int
) -> None:
    speeds = {
        name: Replica(
            setup_of(
                work, card, layout, engine, cache=Cache(token_bytes=80_000.0, room_bytes=1e12), batch_limit=batch
            ),
            asked,
        ).most_per_second
        for name, card in GPUS.items()
    }
    for (slow, one), (fast, other) in itertools.permutations(GPUS.items(), 2):
        figures = [
            (a.bytes_per_s, a.operations(work.number_format)[0], _wide(a), a.link_bytes_per_s) for a in (one, other)
        ]
        if all(x <= y for x, y in zip(*figures, strict=True)):
            assert speeds[fast] >= speeds[slow] * (1 - 1e-9), f"{slow} would be taken for faster than {fast}"


def _wide(card: Hardware) -> float:
    return card.operations_per_s.get("bf16") or card.operations_per_s.get("fp16") or 0.0


@given(works, st.sampled_from(sorted(CARDS)), layouts, lengths)
def test_more_requests_a_second_wait_longer_and_run_in_a_larger_batch(
    work: Work, card: str, layout: Layout, asked: Lengths
) -> None:
    replica = Replica(setup_of(work, CARDS[card], layout), asked)
    rates = [replica.most_per_second * part for part in (0.1, 0.5, 0.9, 0.99)]
    waits, batches = [replica.wait_seconds(rate) for rate in rates], [replica.batch_at(rate) for rate in rates]
    assert waits == sorted(waits)
    assert batches == sorted(batches)
    assert 0 <= replica.queue_from < replica.most_per_second


@given(works, st.sampled_from(sorted(CARDS)), layouts, st.sampled_from([256, 2000]), engines)
def test_longer_requests_are_answered_more_slowly(
    work: Work, card: str, layout: Layout, tokens: int, engine: str
) -> None:
    setup = setup_of(work, CARDS[card], layout, engine)
    short, long = (Replica(setup, Lengths(prompt=t, answer=300)) for t in (tokens, 2 * tokens))
    assert long.most_per_second < short.most_per_second
    assert long.first_token_seconds(1) > short.first_token_seconds(1)


def test_a_full_cache_bounds_the_batch() -> None:
    setup = setup_of(WORKS["Qwen/Qwen3-4B-Instruct-2507"], CARDS["l4"], Layout())
    tight = replace(setup, cache=Cache(token_bytes=100_000.0, room_bytes=100_000.0 * 3000))
    assert Replica(tight, Lengths(prompt=1000, answer=300)).full == pytest.approx(3000 / 1210)


def test_more_accelerators_are_faster_and_two_replicas_are_cheaper_per_token_than_one_of_twice_the_ranks() -> None:
    work, card, asked = WORKS["Qwen/Qwen3-4B-Instruct-2507"], CARDS["l4"], Lengths(prompt=1000, answer=300)
    one, two = (Replica(setup_of(work, card, Layout(tensor_parallel=ranks)), asked) for ranks in (1, 2))
    assert one.most_per_second < two.most_per_second < 2 * one.most_per_second


def test_texts_of_twice_the_length_are_embedded_at_about_half_the_rate() -> None:
    setup = setup_of(
        work_of(hub("BAAI/bge-large-en-v1.5"), has_head=False), CARDS["l4"], Layout(), "tei", chunk=16384
    )
    assert 1.4 < texts_per_second(setup, 256) / texts_per_second(setup, 512) < 2.5


def test_constants_without_a_row_say_that_they_are_extrapolated() -> None:
    table = load_table()
    turing = table.find("turing", "vllm", "pcie", "bf16", "dense one")
    hopper = table.find("hopper", "vllm", "nvlink", "bf16", "dense one")
    assert (turing.rows, turing.evidence) == (0, Evidence.EXTRAPOLATED)
    assert hopper.rows >= 20
    assert hopper.evidence is Evidence.CALIBRATED
    assert turing.speed.high / turing.speed.low > hopper.speed.high / hopper.speed.low


def test_every_generation_of_the_catalogue_has_constants() -> None:
    assert {card.generation for card in CARDS.values()} <= set(GENERATIONS)
    assert set(GENERATIONS) == set(load_table().said["generations"])
