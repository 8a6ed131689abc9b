# SPDX-License-Identifier: Apache-2.0
"""What a placed model serves: the plan's figures, their ranges, their evidence and their price.

Owns the way from a placement to a set-up, the lengths that are assumed, and the warnings. Does not own formulas.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hubstack.catalog import Accelerator
from hubstack.hub.facts import ModelFacts
from hubstack.kinds import EngineKind
from hubstack.plan import MemoryNeed
from hubstack.plan.performance import Estimate, PerformancePlan, WorkCost
from hubstack.planner.memory.kv_cache import kv_window_bytes_per_token
from hubstack.planner.memory.workload import Load
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import WeightsSize
from hubstack.planner.performance.constants import Range, load_table, range_kind
from hubstack.planner.performance.costs import Cache, Layout, Lengths
from hubstack.planner.performance.hardware import read_hardware
from hubstack.planner.performance.replica import Replica, Setup, texts_per_second
from hubstack.planner.performance.work import read_work

ASSUMED_INPUT, ASSUMED_OUTPUT, ASSUMED_TEXT = 1000, 300, 256
"""Tokens of a request where the list says nothing of its traffic: our choice, near what benchmarks take."""
TIGHT_SEQUENCES = 4
"""Our choice: with room for fewer a small error of the sizing is a large one of the throughput."""
SECONDS_PER_HOUR = 3600
_SLOW_PATHS = Path(__file__).parent / "slow_paths.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A model on the accelerators of one replica, as placement leaves it."""

    facts: ModelFacts
    geometry: Geometry
    weights: WeightsSize
    accelerator: Accelerator
    share: float
    """Part of each card that the server has; 1 but for shared cards."""
    engine: EngineKind
    load: Load
    need: MemoryNeed
    is_pooling: bool
    """Embeds or ranks: reads texts and writes nothing."""
    usd_per_hour: float | None
    """Of one replica."""


def predict(placed: Placed) -> PerformancePlan | None:
    """Return what one replica serves, or None where the lock does not say enough of the model."""
    setup = read_setup(placed)
    if setup is None:
        return None
    return _texts(setup, placed) if placed.is_pooling else _answers(setup, placed)


def read_setup(placed: Placed) -> Setup | None:
    """Return the set-up of a placement, None where the lock does not give the model's geometry."""
    work = read_work(placed.facts, placed.geometry, placed.weights, has_head=not placed.is_pooling)
    if work is None or not load_table().has(placed.engine):
        return None
    hardware = read_hardware(placed.accelerator)
    if placed.share < 1:
        hardware = replace(
            hardware, bytes_per_s=hardware.bytes_per_s * placed.share,
            operations_per_s={name: rate * placed.share for name, rate in hardware.operations_per_s.items()},
        )  # fmt: skip
    load, need, is_tpu = placed.load, placed.need, hardware.link == "ici"
    _, number_format = hardware.operations(work.number_format)
    kind = range_kind(has_experts=bool(work.experts), ranks=load.ranks)
    states = placed.geometry.state_layers * placed.geometry.state_bytes / load.ranks
    return Setup(
        work=work, hardware=hardware,
        layout=Layout(tensor_parallel=load.tensor_parallel, pipeline_parallel=load.pipeline_parallel),
        cache=Cache(
            token_bytes=need.kv_bytes_per_token, fixed_bytes=need.kv_fixed_bytes,
            window_token_bytes=0 if is_tpu else kv_window_bytes_per_token(placed.geometry, load),
            state_bytes=states, room_bytes=max(need.kv_available_bytes, 0),
        ),
        batch_limit=load.sequences,
        chunk=load.engine.batch_tokens or load.batch_tokens,
        fitted=load_table().find(hardware.generation, placed.engine, hardware.link, number_format, kind),
    )  # fmt: skip


def _answers(setup: Setup, placed: Placed) -> PerformancePlan:
    context = placed.need.context
    prompt = max(1, min(ASSUMED_INPUT, context * 3 // 4))
    answer = max(1, min(ASSUMED_OUTPUT, context - prompt))
    replica = Replica(setup, Lengths(prompt=prompt, answer=answer))
    speed, first = setup.fitted.speed, setup.fitted.first_token
    rate, queue_from = replica.most_per_second, replica.queue_from
    queued = replica.first_token_seconds(replica.batch_at(queue_from))
    return PerformancePlan(
        input_tokens=prompt, output_tokens=answer, is_assumed=True, sequences=int(replica.full),
        requests_per_second=estimate(rate, speed),
        input_tokens_per_second=estimate(rate * prompt, speed),
        output_tokens_per_second=estimate(rate * answer, speed),
        token_ms=estimate(1e3 * replica.token_seconds(replica.full), inverse(speed)),
        token_alone_ms=estimate(1e3 * replica.token_seconds(1.0), inverse(speed)),
        first_token_ms=estimate(1e3 * replica.first_token_seconds(1.0), first),
        first_token_queue_ms=estimate(1e3 * queued, first),
        queue_from_requests_per_second=significant(queue_from),
        evidence=setup.fitted.evidence, rows=setup.fitted.rows,
        warnings=tuple(_warnings(setup, placed, replica)), cost=_cost(placed.usd_per_hour, replica),
    )  # fmt: skip


def _texts(setup: Setup, placed: Placed) -> PerformancePlan:
    tokens = max(1, min(ASSUMED_TEXT, placed.need.context))
    rate, speed = texts_per_second(setup, tokens), setup.fitted.speed
    usd = placed.usd_per_hour
    cost = None
    if usd is not None:
        dear = estimate(usd / SECONDS_PER_HOUR / (rate * tokens) * 1e6, inverse(speed))
        cost = WorkCost(usd_per_million_input_tokens=dear, usd_per_million_output_tokens=None)
    return PerformancePlan(
        input_tokens=tokens, output_tokens=0, is_assumed=True, sequences=max(1, setup.chunk // tokens),
        requests_per_second=estimate(rate, speed), input_tokens_per_second=estimate(rate * tokens, speed),
        output_tokens_per_second=Estimate(value=0.0, low=0.0, high=0.0), token_ms=None, token_alone_ms=None,
        first_token_ms=None, first_token_queue_ms=None, queue_from_requests_per_second=significant(rate),
        evidence=setup.fitted.evidence, rows=setup.fitted.rows, cost=cost,
        warnings=tuple(_slow_paths(setup, placed.engine)),
    )  # fmt: skip


def _cost(usd_per_hour: float | None, replica: Replica) -> WorkCost | None:
    """Share a replica's price among what it reads and writes, by the time that each takes."""
    if usd_per_hour is None:
        return None
    lengths, share = replica.lengths, replica.prompt_share
    request = usd_per_hour / SECONDS_PER_HOUR / replica.most_per_second * 1e6
    dear = inverse(replica.setup.fitted.speed)
    return WorkCost(
        usd_per_million_input_tokens=estimate(request * share / lengths.prompt, dear),
        usd_per_million_output_tokens=estimate(request * (1 - share) / lengths.answer, dear),
    )


def estimate(value: float, around: Range) -> Estimate:
    """Return a figure with its range, each with the digits that it is worth."""
    return Estimate(value=significant(value), low=significant(value * around.low),
                    high=significant(value * around.high))  # fmt: skip


def inverse(speed: Range) -> Range:
    """Return the range of a time or a price from that of the speed."""
    return Range(1 / speed.high, 1 / speed.low)


def significant(value: float) -> float:
    """Round to three digits."""
    return float(f"{value:.3g}")


def _warnings(setup: Setup, placed: Placed, replica: Replica) -> Iterator[str]:
    yield from _slow_paths(setup, placed.engine)
    if replica.full < min(TIGHT_SEQUENCES, setup.batch_limit):
        tokens = int(replica.lengths.prompt + replica.lengths.answer)
        held = f"its cache holds {replica.full:.1f} sequences of {tokens:,} tokens"
        yield f"{held}: a little less memory costs much of the throughput"
    if placed.load.pipeline_parallel > 1:
        yield "it spans several nodes: the network between them is not in the figures"
    if placed.load.draft_tokens:
        yield "speculative decoding is not in the figures"


def _slow_paths(setup: Setup, engine: EngineKind) -> Iterator[str]:
    here: Mapping[str, Any] = {
        "engine": engine.value, "generation": setup.hardware.generation, "experts": bool(setup.work.experts),
        "number_format": setup.work.number_format.value,
    }  # fmt: skip
    for row in _read_slow_paths():
        if all(here[key] == row[key] for key in here if key in row):
            yield f"known slow path, slower than the figures: {row['why']}: {row['measured']}"


@cache
def _read_slow_paths() -> tuple[Mapping[str, Any], ...]:
    return tuple(yaml.safe_load(_SLOW_PATHS.read_text(encoding="utf-8"))["slow_paths"])
