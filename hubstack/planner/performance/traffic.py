# SPDX-License-Identifier: Apache-2.0
"""How many replicas of a setup serve the requested traffic within its service level.

Owns the search for one replica's largest load that keeps time to first token and time per token within the level.
Does not own the cost of a load (`.replica`) or the choice of a setup (`hubstack.planner.placement.candidates`).
"""

import math
from dataclasses import dataclass

from hubstack.inputs.models_schema import Slo, Traffic
from hubstack.planner.performance.costs import Lengths
from hubstack.planner.performance.replica import Replica, Setup, texts_per_second

BUSIEST = 0.9
"""Our choice: usable fraction of a replica's peak; above it, waits depend on the arrival of single requests."""
_BISECTIONS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The service level that placement must meet; None for parts that are not requested."""

    first_seconds: float | None
    token_seconds: float | None
    percent: float

    @property
    def is_asked(self) -> bool:
        """Whether any part is requested."""
        return self.first_seconds is not None or self.token_seconds is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The load of one replica, and the number of replicas needed."""

    replicas: int
    rate: float
    """Requests a second that one replica serves within its level."""
    batch: float
    """Sequences running at that rate."""

    @property
    def sequences(self) -> int:
        """The same as a whole number, at least 1."""
        return max(1, round(self.batch))


def level_of(slo: Slo) -> Level:
    """Return the service level that the settings ask for."""
    is_asked = "time_to_first_token_seconds" in slo.model_fields_set
    return Level(
        first_seconds=slo.time_to_first_token_seconds if is_asked else None,
        token_seconds=slo.time_per_output_token_seconds,
        percent=slo.latency_percent,
    )


def lengths_of(traffic: Traffic) -> Lengths:
    """Return the tokens of an average request."""
    return Lengths(
        prompt=traffic.input_tokens,
        answer=max(traffic.output_tokens, 1),
        cached=traffic.input_tokens * traffic.prefix_percent / 100,
    )


def serve(setup: Setup, lengths: Lengths, level: Level, rate: float | None) -> Served | str:
    """Return how a setup serves a request rate, or which part of the service level it misses.

    Args:
        setup: the setup.
        lengths: tokens of an average request.
        level: the service level to meet.
        rate: peak requests per second over all replicas; None to check only that a lone request meets the level.
    """
    replica = Replica(setup, lengths)
    missed = _missed(replica, 1.0, 0.0, level)
    if missed:
        return missed
    if rate is None:
        return Served(replicas=1, rate=0.0, batch=1.0)
    low, high = 1.0, replica.full
    most, batch = _rate_at(replica, low), low
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        offered = _rate_at(replica, middle)
        if _missed(replica, middle, offered, level):
            high = middle
        else:
            low, most, batch = middle, offered, middle
    count = max(1, math.ceil(rate / most - 1e-9))
    return Served(replicas=count, rate=most, batch=batch)


def serve_texts(setup: Setup, traffic: Traffic) -> Served:
    """Return how a setup embeds or ranks the traffic's texts per second."""
    most = BUSIEST * texts_per_second(setup, traffic.input_tokens)
    count = max(1, math.ceil(traffic.requests_per_second / most - 1e-9))
    return Served(replicas=count, rate=most, batch=max(1.0, setup.chunk / traffic.input_tokens))


def _rate_at(replica: Replica, batch: float) -> float:
    """Return the requests per second at which this number of sequences runs."""
    return min(replica.rate_of(batch), BUSIEST * replica.most_per_second)


def _missed(replica: Replica, batch: float, rate: float, level: Level) -> str | None:
    """Return which part of the level is missed at a load, using central figures, or None."""
    if level.token_seconds is not None:
        token = replica.token_seconds(batch)
        if token > level.token_seconds:
            return f"misses its `slo:`: {1e3 * token:,.0f} ms per token, above {1e3 * level.token_seconds:,.0f} ms"
    if level.first_seconds is not None:
        first = first_token_within(replica, batch, rate, level.percent)
        if first > level.first_seconds:
            return f"misses its `slo:`: {first:,.2g} s to the first token, above {level.first_seconds:,g} s"
    return None


def first_token_within(replica: Replica, batch: float, rate: float, percent: float) -> float:
    """Return the seconds within which `percent` of requests get their first token (waits are exponential)."""
    wait = replica.wait_seconds(rate) * -math.log(1 - percent / 100) if rate else 0.0
    return replica.first_token_seconds(batch) + wait
