# SPDX-License-Identifier: Apache-2.0
"""How weights are read: which way is taken, why, and for how long.

What it cannot prove: that a real load takes as long as is estimated here.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstack.files.documents import Mark
from hubstack.files.errors import PlanError
from hubstack.inputs.models_schema import CapacityStep
from hubstack.kinds import CapacityKind, EngineKind
from hubstack.plan.loading import LoadingMethod
from hubstack.planner.engines.spec import Refusal
from hubstack.planner.model.weights import WeightsFormat
from hubstack.planner.serving.choose_loading import MIN_GAIN_SECONDS, Loadable, Loading, choose_loading, estimate
from tests.support.facts import ask, catalog, file, hub, llama, made, plan, plan_one, steps

GB, GIB = 10**9, 1024**3
RATES = catalog().load_rates
STREAMED, MOUNTED, DISK = LoadingMethod.RUNAI_STREAMER, LoadingMethod.GCSFUSE, LoadingMethod.HYPERDISK_ML
BASE = Loadable(
    engine=EngineKind.VLLM,
    format=WeightsFormat.SAFETENSORS,
    size_bytes=60 * GB,
    largest_file_bytes=5 * GB,
    pooling=False,
    chat_template=False,
    ranks=1,
    hosts=1,
    free_memory_bytes=94 * GIB,
    machine_types=("g4-standard-48",),
    zones=(("us-central1-a", "us-central1-b"),),
    boot_disk_gib=200,
    network_bytes_per_second=None,
    bucket_uri="gs://acme/" + "c" * 40,
)


def choose(asked: str = "auto", cache: str = "none", **changes: Any) -> Loading:
    found = choose_loading(asked, cache, replace(BASE, **changes), RATES)
    assert isinstance(found, Loading), found
    return found


def refused(asked: str, cache: str = "none", **changes: Any) -> Refusal:
    found = choose_loading(asked, cache, replace(BASE, **changes), RATES)
    assert isinstance(found, Refusal), found
    return found


@pytest.mark.parametrize(
    ("changes", "method", "why"),
    [
        ({}, STREAMED, "saves 265 of the 362 s that a mount takes"),
        ({"size_bytes": 8 * GB}, MOUNTED, f"save only 36 of 49 s (minimum {MIN_GAIN_SECONDS})"),
        ({"size_bytes": 230 * GB, "ranks": 8, "free_memory_bytes": 880 * GIB}, STREAMED, "that a mount takes"),
        ({"engine": EngineKind.TEI}, MOUNTED, "tei can only load files"),
        ({"engine": EngineKind.LLAMA_CPP, "format": WeightsFormat.GGUF}, MOUNTED, "llama-cpp can only load files"),
        ({"engine": EngineKind.SGLANG}, MOUNTED, "SGLang's image"),
        ({"engine": EngineKind.VLLM_TPU}, MOUNTED, "lists it as untested"),
        ({"format": WeightsFormat.PICKLE}, MOUNTED, "only safetensors can be streamed"),
        ({"pooling": True}, MOUNTED, "pooling"),
        ({"chat_template": True}, MOUNTED, "streaming mounts no files"),
        ({"has_folders": True}, MOUNTED, "in subfolders"),
        ({"free_memory_bytes": 3 * GIB}, MOUNTED, "may need a 4.7 GiB buffer, but the host has 3.0 GiB"),
        ({"ranks": 2, "free_memory_bytes": 52 * GIB}, MOUNTED, "the streamer may need a 55.9 GiB buffer"),
    ],
)
def test_the_way_is_chosen_by_size_and_engine(changes: dict[str, Any], method: LoadingMethod, why: str) -> None:
    found = choose(**changes)
    assert found.plan.method is method
    assert why in found.reason.text
    assert found.reason.topic == "loading"


def test_the_arithmetic_and_its_source_are_said() -> None:
    text = choose("runai-streamer", size_bytes=622 * GB).reason.text
    assert "622.0 GB / 622 MB/s (runai-streamer) = 1,000 s" in text
    assert choose("runai-streamer").reason.source == "sglang-22749"


def test_a_rate_that_nobody_measured_is_called_an_allowance() -> None:
    reason = choose("hyperdisk-ml").reason
    assert "our assumption" in reason.text
    assert reason.source is None


def test_every_rate_with_a_source_names_one_of_the_catalogue() -> None:
    assert set(RATES.sources) <= set(catalog().sources)
    assert {row.id for row in RATES.rates.values() if row.source is None} == {"gcsfuse", "hyperdisk-ml"}


def test_a_narrow_network_bounds_a_fast_reader() -> None:
    found = choose("runai-streamer", network_bytes_per_second=100_000_000)
    assert found.plan.seconds == 600
    assert "the node's network" in found.reason.text


def test_a_cache_speeds_up_the_streamer_and_names_the_zones_of_every_step() -> None:
    zones = (("us-central1-b",), ("us-central1-a", "us-central1-b"))
    found = choose("runai-streamer", "anywhere", zones=zones)
    assert found.plan.cache_zones == ("us-central1-a", "us-central1-b")
    assert found.plan.seconds < choose("runai-streamer").plan.seconds


def test_ranks_share_the_streaming_and_one_rank_does_not() -> None:
    assert choose("runai-streamer", ranks=2).plan.distributed is True
    assert choose("runai-streamer").plan.distributed is False


def test_a_mount_caches_files_only_where_half_the_disk_holds_them() -> None:
    assert choose("gcsfuse", size_bytes=100 * GIB).plan.file_cache is True
    assert choose("gcsfuse", size_bytes=100 * GIB + 1).plan.file_cache is False
    assert choose("gcsfuse", size_bytes=20 * GIB, boot_disk_gib=30).plan.file_cache is False


@pytest.mark.parametrize("machine", ["a2-highgpu-1g", "a3-highgpu-8g", "g2-standard-8", "ct6e-standard-8t"])
def test_a_disk_goes_where_a_source_says_that_it_can_be_attached(machine: str) -> None:
    found = choose("hyperdisk-ml", machine_types=(machine,), engine=EngineKind.TEI)
    assert (found.plan.method, found.plan.zone) == (DISK, "us-central1-a")
    assert found.plan.disk_throughput_mib == 2400


@pytest.mark.parametrize("machine", ["n1-standard-8-t4-1", "a3-ultragpu-8g", "a4-highgpu-8g", "ct5lp-hightpu-1t"])
def test_a_disk_is_refused_where_no_source_says_so(machine: str) -> None:
    found = refused("hyperdisk-ml", machine_types=("g2-standard-8", machine))
    assert machine in found.why
    assert "g2-standard-8" not in found.why
    assert found.field == "loading"


def test_a_disk_needs_a_zone_that_all_steps_share() -> None:
    apart = (("us-central1-a",), ("us-central1-b",))
    assert "no zone in common" in refused("hyperdisk-ml", zones=apart, machine_types=("g2-standard-8",) * 2).why
    shared = (("us-central1-a", "us-central1-b"), ("us-central1-b",))
    assert choose("hyperdisk-ml", zones=shared).plan.zone == "us-central1-b"


def test_a_cache_before_a_disk_is_refused_at_its_own_line() -> None:
    assert refused("hyperdisk-ml", "anywhere").field == "cache"


sizes = st.integers(min_value=1, max_value=2_000 * GB)
kinds = st.sampled_from(list(LoadingMethod))


@given(sizes, sizes, kinds, st.integers(1, 4), st.booleans())
def test_more_weights_are_never_read_sooner_in_the_same_way(
    one: int, other: int, method: LoadingMethod, hosts: int, cached: bool
) -> None:
    small, large = (
        estimate(method, replace(BASE, size_bytes=size, hosts=hosts), RATES, cached=cached)
        for size in sorted((one, other))
    )
    assert small.seconds <= large.seconds


@given(
    sizes,
    st.sampled_from(["auto", "gcsfuse", "runai-streamer", "hyperdisk-ml"]),
    st.integers(1, 8),
    st.integers(1, 4),
    st.integers(10, 2000),
)
def test_a_choice_is_whole_whatever_the_model(size: int, asked: str, ranks: int, hosts: int, gib: int) -> None:
    what = replace(BASE, size_bytes=size, ranks=ranks, hosts=hosts, free_memory_bytes=gib * GIB)
    found = choose_loading(asked, "none", what, RATES)
    if isinstance(found, Refusal):
        assert asked == "runai-streamer", "only memory can refuse here"
        return
    assert found.plan.seconds >= 1
    assert found.plan.slow_seconds >= size / hosts / 200_000_000 - 1
    streams = found.plan.method is STREAMED
    assert bool(found.plan.uri) is streams
    if streams:
        assert min(what.largest_file_bytes, size) <= found.plan.buffer_bytes <= what.free_memory_bytes
        assert found.plan.buffer_bytes <= max(40 * GB, what.largest_file_bytes)


# Through the planner, at the line of the request


def at(line: int, column: int, text: str) -> Mark:
    return Mark("acme.models.yaml", line, column, text)


def problem(facts: Any, **settings: Any) -> str:
    marks = {
        "id": at(3, 5, f"  - {facts.id}"),
        "loading": at(4, 5, "    loading: x"),
        "cache": at(5, 5, "    cache: x"),
    }
    with pytest.raises(PlanError) as error:
        plan((facts, ask(facts.id, marks=marks, **settings)))
    return str(error.value)


GGUF = made(files=(file("m-Q4_K_M.gguf", 5 * GB),), pipeline_tag="text-generation")
PICKLED = llama(files=(file("config.json"), file("pytorch_model.bin", 2 * GB)))
BIG = hub("meta-llama/Llama-3.3-70B-Instruct")


@pytest.mark.parametrize(
    ("facts", "settings", "place", "why"),
    [
        (hub("BAAI/bge-large-en-v1.5"), {"loading": "runai-streamer"}, ":4:5", "tei can only load files"),
        (GGUF, {"loading": "runai-streamer"}, ":4:5", "llama-cpp can only load files"),
        (PICKLED, {"loading": "runai-streamer", "allow_pickle": True}, ":4:5", "only safetensors"),
        (llama(), {"loading": "runai-streamer", "accelerator": "tpu-v6e"}, ":4:5", "lists it as untested"),
        (llama(), {"loading": "runai-streamer", "engine": EngineKind.SGLANG}, ":4:5", "SGLang's image"),
        (llama(), {"loading": "runai-streamer", "chat_template": "t.jinja"}, ":4:5", "streaming mounts no files"),
        (llama(), {"loading": "hyperdisk-ml", "accelerator": "t4"}, ":4:5", "not list it as attachable"),
        (llama(), {"loading": "hyperdisk-ml", "cache": "anywhere"}, ":5:5", "nothing would use the cache"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_work_is_refused_at_its_line(
    facts: Any, settings: dict[str, Any], place: str, why: str
) -> None:
    said = problem(facts, **settings)
    assert place in said
    assert why in said
    assert "Traceback" not in said


def test_a_step_without_the_disk_is_refused() -> None:
    capacity = (CapacityStep(kind=CapacityKind.ON_DEMAND), CapacityStep(kind=CapacityKind.SPOT, accelerator="t4"))
    said = problem(llama(), loading="hyperdisk-ml", accelerator="l4", capacity=capacity)
    assert "loading" in said or "step 2" in said


def test_loading_never_moves_a_model() -> None:
    plain = plan_one(BIG)
    for asked in ("gcsfuse", "hyperdisk-ml", "runai-streamer"):
        other = plan_one(BIG, loading=asked, cache="none")
        assert (other.machine_type, other.accelerator_count, other.capacity_class) == (
            plain.machine_type,
            plain.accelerator_count,
            plain.capacity_class,
        )


def test_the_commit_that_the_lock_replaced_reaches_the_plan() -> None:
    old = "9" * 40
    assert plan_one(llama()).weights.replaces is None
    assert plan_one(llama(replaced=old)).weights.replaces == old
    assert plan_one(llama(replaced=old), keep_previous=True).weights.keep_replaced is True
    same = llama()
    assert plan_one(llama(replaced=same.commit)).weights.replaces is None, "nothing was replaced by itself"


def test_what_a_way_to_load_costs_is_named_where_it_has_no_price() -> None:
    plain, disk = (plan((BIG, ask(BIG.id, loading=asked))).cost.not_counted for asked in ("auto", "hyperdisk-ml"))
    cached = plan((BIG, ask(BIG.id, cache="anywhere"))).cost.not_counted
    assert set(disk) - set(plain) == {"Hyperdisk ML volumes and the nodes that fill them"}
    assert set(cached) - set(plain) == {"Anywhere Caches"}


def test_a_reservation_outside_the_disks_zone_is_warned_of() -> None:
    model = plan_one(BIG, loading="hyperdisk-ml", capacity=steps("reservation:team-a"))
    assert any("reservation team-a must be in that zone" in warning for warning in model.warnings)
