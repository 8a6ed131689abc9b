# SPDX-License-Identifier: Apache-2.0
"""The predicted throughput and latency of a placed model, with ranges, evidence and price.

Owns the conversion of a placement to a setup, the assumed request lengths, and the warnings. Does not own formulas.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hubstack.catalog import Accelerator
from hubstack.hub.facts import ModelFacts
from hubstack.inputs import measured as measurements
from hubstack.inputs.models_schema import Traffic
from hubstack.kinds import EngineKind
from hubstack.plan import MemoryNeed
from hubstack.plan.performance import (
    Estimate,
    FormulaFigures,
    Hour,
    LoadPoint,
    PerformancePlan,
    TrafficPlan,
    WorkCost,
)
from hubstack.planner.always_on import HOURS_PER_MONTH
from hubstack.planner.memory.kv_cache import kv_window_bytes_per_token
from hubstack.planner.memory.workload import Workload
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import WeightsSize
from hubstack.planner.performance.constants import Evidence, Range, load_table, range_kind
from hubstack.planner.performance.costs import Cache, Layout, Lengths
from hubstack.planner.performance.hardware import read_hardware
from hubstack.planner.performance.measured import corrected, rows_of
from hubstack.planner.performance.replica import Replica, Setup, texts_per_second
from hubstack.planner.performance.traffic import Level, Served, first_token_within, lengths_of, serve, serve_texts
from hubstack.planner.performance.work import read_work

ASSUMED_INPUT, ASSUMED_OUTPUT, ASSUMED_TEXT = 1000, 300, 256
"""Tokens per request if the list has no `traffic:`; our choice, close to common benchmarks."""
TIGHT_SEQUENCES = 4
"""Our choice: with room for fewer sequences, a small sizing error causes a large throughput error."""
SECONDS_PER_HOUR = 3600
CURVE_POINTS, CURVE_END = 19, 0.95
"""Points of the curve of latency by load, and the share of the throughput at which it ends."""
_SLOW_PATHS = Path(__file__).parent / "slow_paths.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedModel:
    """A model on the accelerators of one replica, as the result of placement."""

    facts: ModelFacts
    geometry: Geometry
    weights: WeightsSize
    accelerator: Accelerator
    accelerators: int
    """Of one replica."""
    share: float
    """Share of each GPU that the server has; 1 unless the GPU is shared."""
    engine: EngineKind
    engine_version: str | None
    servers_per_accelerator: int
    load: Workload
    need: MemoryNeed
    is_pooling: bool
    """Whether the model embeds or ranks, and so generates no text."""
    usd_per_hour: float | None
    """Of one replica."""
    measured: tuple[measurements.Measurement, ...] = ()
    """The stack's measurements of any setup."""

    @property
    def measured_setup(self) -> measurements.Setup:
        """Return what a measurement of this placement is recorded under."""
        return measurements.Setup(
            model=self.facts.id,
            commit=self.facts.commit,
            accelerator=self.accelerator.id,
            accelerators=self.accelerators,
            servers_per_accelerator=self.servers_per_accelerator,
            tensor_parallel=self.load.tensor_parallel,
            pipeline_parallel=self.load.pipeline_parallel,
            engine=self.engine.value,
            version=self.engine_version or measurements.UNPINNED,
            kv_cache_dtype=self.load.kv_cache_dtype,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedTraffic:
    """The requested traffic, and how the placement serves it."""

    traffic: Traffic
    level: Level
    served: Served
    replicas_min: int


def predict(
    placed: PlacedModel, asked: RequestedTraffic | None = None, objective_seconds: float | None = None
) -> PerformancePlan | None:
    """Return the performance of one replica, or None if the lock does not describe the model sufficiently.

    Args:
        placed: the model on its machine.
        asked: the requested traffic, if any.
        objective_seconds: the time to the first token above which a long prompt is warned of.
    """
    setup = read_setup(placed)
    if setup is None:
        return None
    return _texts(setup, placed, asked) if placed.is_pooling else _answers(setup, placed, asked, objective_seconds)


def serve_placed(placed: PlacedModel, traffic: Traffic | None, level: Level) -> Served | str:
    """Return how a placement serves the traffic within a service level, or which part of it it misses."""
    setup = read_setup(placed)
    if setup is None:
        return "its throughput is unknown because the lock does not have its geometry: remove `traffic:` and `slo:`"
    if placed.is_pooling:
        if traffic is None:
            return Served(replicas=1, rate=0.0, batch=1.0)
        return serve_texts(_measured(setup, placed, lengths_of(traffic)), traffic)
    lengths = lengths_of(traffic) if traffic else _assumed(placed)
    if lengths.prompt + lengths.answer > placed.need.context:
        tokens = f"{lengths.prompt + lengths.answer:,.0f} tokens"
        return f"a request of its `traffic:` has {tokens}, but `context:` is {placed.need.context:,}"
    return serve(
        _measured(setup, placed, lengths), lengths, level, traffic.requests_per_second if traffic else None
    )


def _measured(setup: Setup, placed: PlacedModel, lengths: Lengths) -> Setup:
    """Return the setup corrected by its own measurements, if it has any."""
    if not placed.measured:
        return setup
    rows = (row for row in placed.measured if (row.output_tokens == 0) is placed.is_pooling)
    return corrected(setup, rows_of(rows, placed.measured_setup, lengths))


def _assumed(placed: PlacedModel) -> Lengths:
    prompt = max(1, min(ASSUMED_INPUT, placed.need.context * 3 // 4))
    return Lengths(prompt=prompt, answer=max(1, min(ASSUMED_OUTPUT, placed.need.context - prompt)))


def read_setup(placed: PlacedModel) -> Setup | None:
    """Return the setup of a placement, or None if the lock does not have the model's dimensions."""
    work = read_work(placed.facts, placed.geometry, placed.weights, has_head=not placed.is_pooling)
    if work is None or not load_table().has(placed.engine):
        return None
    hardware = read_hardware(placed.accelerator)
    if placed.share < 1:
        hardware = replace(
            hardware,
            bytes_per_s=hardware.bytes_per_s * placed.share,
            operations_per_s={name: rate * placed.share for name, rate in hardware.operations_per_s.items()},
        )
    load, need, is_tpu = placed.load, placed.need, hardware.link == "ici"
    _, number_format = hardware.operations(work.number_format)
    kind = range_kind(has_experts=bool(work.experts), ranks=load.ranks)
    states = placed.geometry.state_layers * placed.geometry.state_bytes / load.ranks
    return Setup(
        work=work,
        hardware=hardware,
        layout=Layout(tensor_parallel=load.tensor_parallel, pipeline_parallel=load.pipeline_parallel),
        cache=Cache(
            token_bytes=need.kv_bytes_per_token,
            fixed_bytes=need.kv_fixed_bytes,
            window_token_bytes=0 if is_tpu else kv_window_bytes_per_token(placed.geometry, load),
            state_bytes=states,
            room_bytes=max(need.kv_available_bytes, 0),
        ),
        batch_limit=load.sequences,
        chunk=load.engine.batch_tokens or load.batch_tokens,
        fitted=load_table().find(hardware.generation, placed.engine, hardware.link, number_format, kind),
    )


def _answers(
    setup: Setup, placed: PlacedModel, asked: RequestedTraffic | None, objective_seconds: float | None
) -> PerformancePlan:
    lengths = lengths_of(asked.traffic) if asked else _assumed(placed)
    formula = Replica(setup, lengths)
    setup = _measured(setup, placed, lengths)
    replica = Replica(setup, lengths)
    prompt, answer = int(replica.lengths.prompt), int(replica.lengths.answer)
    speed, first = setup.fitted.speed, setup.fitted.first_token
    rate, queue_from = replica.most_per_second, replica.queue_from
    queued = replica.first_token_seconds(replica.batch_at(queue_from))
    longest = max(prompt, placed.need.context - answer)
    last = estimate(
        1e3 * replica.with_lengths(Lengths(prompt=longest, answer=answer)).first_token_seconds(1.0), first
    )
    return PerformancePlan(
        input_tokens=prompt,
        output_tokens=answer,
        is_assumed=asked is None,
        sequences=int(replica.full),
        requests_per_second=estimate(rate, speed),
        input_tokens_per_second=estimate(rate * prompt, speed),
        output_tokens_per_second=estimate(rate * answer, speed),
        token_ms=estimate(1e3 * replica.token_seconds(replica.full), inverse(speed)),
        token_alone_ms=estimate(1e3 * replica.token_seconds(1.0), inverse(speed)),
        first_token_ms=estimate(1e3 * replica.first_token_seconds(1.0), first),
        longest_input_tokens=longest,
        first_token_longest_ms=last,
        first_token_queue_ms=estimate(1e3 * queued, first),
        queue_from_requests_per_second=significant(queue_from),
        evidence=setup.fitted.evidence,
        rows=setup.fitted.rows,
        warnings=(*_warnings(setup, placed, replica), *_slow_prompts(longest, last, objective_seconds)),
        cost=_cost(placed.usd_per_hour, replica),
        traffic=_traffic(setup, placed, asked, replica) if asked else None,
        formula=_formula(setup, formula.most_per_second, 1e3 * formula.token_seconds(formula.full)),
    )


def _slow_prompts(longest: int, first_token_ms: Estimate, objective_seconds: float | None) -> Iterator[str]:
    """Yield a warning if a prompt as long as the context misses the objective even without other load."""
    if objective_seconds is not None and first_token_ms.value > 1e3 * objective_seconds:
        waits = f"{first_token_ms.value / 1e3:.3g} s to its first token even without other load"
        yield f"a prompt of {longest:,} tokens takes {waits}; the objective is {objective_seconds:g} s"


def _texts(setup: Setup, placed: PlacedModel, asked: RequestedTraffic | None) -> PerformancePlan:
    tokens = asked.traffic.input_tokens if asked else max(1, min(ASSUMED_TEXT, placed.need.context))
    formula = texts_per_second(setup, tokens)
    setup = _measured(setup, placed, Lengths(prompt=tokens, answer=1.0))
    rate, speed = texts_per_second(setup, tokens), setup.fitted.speed
    usd = placed.usd_per_hour
    cost = None
    if usd is not None:
        dear = estimate(usd / SECONDS_PER_HOUR / (rate * tokens) * 1e6, inverse(speed))
        cost = WorkCost(usd_per_million_input_tokens=dear, usd_per_million_output_tokens=None)
    return PerformancePlan(
        input_tokens=tokens,
        output_tokens=0,
        is_assumed=asked is None,
        sequences=max(1, setup.chunk // tokens),
        requests_per_second=estimate(rate, speed),
        input_tokens_per_second=estimate(rate * tokens, speed),
        output_tokens_per_second=Estimate(value=0.0, low=0.0, high=0.0),
        token_ms=None,
        token_alone_ms=None,
        first_token_ms=None,
        longest_input_tokens=placed.need.context,
        first_token_longest_ms=None,
        first_token_queue_ms=None,
        queue_from_requests_per_second=significant(rate),
        evidence=setup.fitted.evidence,
        rows=setup.fitted.rows,
        cost=cost,
        traffic=_traffic(setup, placed, asked, None) if asked else None,
        warnings=tuple(_slow_paths(setup, placed.engine)),
        formula=_formula(setup, formula, None),
    )


def load_curve(placed: PlacedModel) -> tuple[LoadPoint, ...]:
    """Return the latency of one replica by load, up to 95 % of its throughput; empty if it generates no text."""
    setup = read_setup(placed)
    if setup is None or placed.is_pooling:
        return ()
    lengths = _assumed(placed)
    replica = Replica(_measured(setup, placed, lengths), lengths)
    points: list[LoadPoint] = []
    for step in range(1, CURVE_POINTS + 1):
        rate = CURVE_END * replica.most_per_second * step / CURVE_POINTS
        batch = replica.batch_at(rate)
        first = replica.first_token_seconds(batch) + replica.wait_seconds(rate)
        points.append(
            LoadPoint(
                requests_per_second=significant(rate),
                token_ms=significant(1e3 * replica.token_seconds(batch)),
                first_token_ms=significant(1e3 * first),
            )
        )
    return tuple(points)


def _formula(setup: Setup, rate: float, token_ms: float | None) -> FormulaFigures | None:
    """Return what the formula alone gives, next to a measurement; None if nothing was measured."""
    if setup.fitted.evidence is not Evidence.MEASURED:
        return None
    shown = significant(token_ms) if token_ms is not None else None
    return FormulaFigures(requests_per_second=significant(rate), token_ms=shown)


def _traffic(setup: Setup, placed: PlacedModel, asked: RequestedTraffic, replica: Replica | None) -> TrafficPlan:
    """Return the traffic plan; `replica` is None for models that generate no text."""
    traffic, served, speed = asked.traffic, asked.served, setup.fitted.speed
    token = first = None
    if replica is not None:
        rate = traffic.requests_per_second / served.replicas
        batch = replica.batch_at(rate)
        wait = first_token_within(replica, batch, rate, asked.level.percent)
        token = estimate(1e3 * replica.token_seconds(batch), inverse(speed))
        first = estimate(1e3 * wait, setup.fitted.first_token)
    usd, cost = _month(placed, asked, replica)
    return TrafficPlan(
        requests_per_second=traffic.requests_per_second,
        replicas=served.replicas,
        replicas_if_slow=math.ceil(traffic.requests_per_second / (served.rate * speed.low)),
        replica_requests_per_second=estimate(served.rate, speed),
        sequences=served.sequences,
        token_ms=token,
        first_token_ms=first,
        percent=asked.level.percent,
        usd_per_month=usd,
        cost=cost,
        hourly=_hours(asked) if traffic.profile else None,
    )


def _hours(asked: RequestedTraffic) -> tuple[Hour, ...]:
    """Return the load and the replicas of each hour of a day or week."""
    peak, served = asked.traffic.requests_per_second, asked.served
    return tuple(
        Hour(
            requests_per_second=peak * part,
            replicas=max(asked.replicas_min, math.ceil(peak * part / served.rate - 1e-9)),
        )
        for part in asked.traffic.hourly
    )


def _month(
    placed: PlacedModel, asked: RequestedTraffic, replica: Replica | None
) -> tuple[float | None, WorkCost | None]:
    """Return USD per month for the traffic profile's hours, and the cost of a million tokens."""
    if placed.usd_per_hour is None:
        return None, None
    traffic = asked.traffic
    running = [hour.replicas for hour in _hours(asked)]
    usd = placed.usd_per_hour * HOURS_PER_MONTH * sum(running) / len(running)
    seconds = SECONDS_PER_HOUR * HOURS_PER_MONTH
    requests = traffic.requests_per_second * seconds * sum(traffic.hourly) / len(traffic.hourly)
    share = replica.prompt_share if replica else 1.0
    exact = Range(1.0, 1.0)
    out = 1e6 * usd * (1 - share) / (requests * traffic.output_tokens) if traffic.output_tokens else None
    cost = WorkCost(
        usd_per_million_input_tokens=estimate(1e6 * usd * share / (requests * traffic.input_tokens), exact),
        usd_per_million_output_tokens=estimate(out, exact) if out is not None and replica else None,
    )
    return round(usd, 2), cost


def _cost(usd_per_hour: float | None, replica: Replica) -> WorkCost | None:
    """Return a replica's price split between input and output tokens, by the time each takes."""
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
    """Return a figure with its range, rounded to significant digits."""
    return Estimate(
        value=significant(value), low=significant(value * around.low), high=significant(value * around.high)
    )


def inverse(speed: Range) -> Range:
    """Return the range of a time or a price from that of the speed."""
    return Range(1 / speed.high, 1 / speed.low)


def significant(value: float) -> float:
    """Round to three digits."""
    return float(f"{value:.3g}")


def _warnings(setup: Setup, placed: PlacedModel, replica: Replica) -> Iterator[str]:
    yield from _slow_paths(setup, placed.engine)
    if replica.full < min(TIGHT_SEQUENCES, setup.batch_limit):
        tokens = int(replica.lengths.prompt + replica.lengths.answer)
        held = f"its KV cache holds only {replica.full:.1f} sequences of {tokens:,} tokens"
        yield f"{held}: slightly less memory would cost much of the throughput"
    if placed.load.pipeline_parallel > 1:
        yield "the estimate ignores the network between its nodes"
    if placed.load.draft_tokens:
        yield "the estimate ignores speculative decoding"


def _slow_paths(setup: Setup, engine: EngineKind) -> Iterator[str]:
    here: Mapping[str, Any] = {
        "engine": engine.value,
        "generation": setup.hardware.generation,
        "experts": bool(setup.work.experts),
        "number_format": setup.work.number_format.value,
    }
    for row in _read_slow_paths():
        if all(here[key] == row[key] for key in here if key in row):
            yield f"slower than estimated: {row['why']} (measured: {row['measured']})"


@cache
def _read_slow_paths() -> tuple[Mapping[str, Any], ...]:
    return tuple(yaml.safe_load(_SLOW_PATHS.read_text(encoding="utf-8"))["slow_paths"])
