# SPDX-License-Identifier: Apache-2.0
"""Predicted performance of a replica: figures with 80 % ranges and their basis.

Owns the types. `hubstack.planner.performance` computes them (docs/concepts/performance.md).
"""

from dataclasses import dataclass, field

from hubstack.files.jsonable import OMITTED_IF_NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure and the range that covers 80 % of measurements of models not used for fitting."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCost:
    """USD per million tokens, or per million texts for an embedding model, at a replica's price."""

    usd_per_million_input_tokens: Estimate
    usd_per_million_output_tokens: Estimate | None
    """None if no tokens are generated: embeddings and rankings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One hour of a traffic profile."""

    requests_per_second: float
    replicas: int
    """Replicas that serve it within the service level; at least the model's minimum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPlan:
    """The traffic in the list, and the replicas it needs."""

    requests_per_second: float
    """Value at the peak."""
    replicas: int
    """Replicas needed to serve it within the service level."""
    replicas_if_slow: int
    """Replicas needed if each were as slow as the low end of its range."""
    replica_requests_per_second: Estimate
    """Throughput of one replica within the service level."""
    sequences: int
    """Concurrent requests of one replica at that throughput; beyond them, a replica is added."""
    token_ms: Estimate | None
    """Value at the peak."""
    first_token_ms: Estimate | None
    """Wait for the first token at the peak, met by `percent` of requests; includes queueing for a batch slot."""
    percent: float
    usd_per_month: float | None
    """Cost over the hours of the traffic profile; None without a price."""
    cost: WorkCost | None
    """Cost per million tokens of this traffic."""
    hourly: tuple[Hour, ...] | None = field(default=None, metadata=OMITTED_IF_NONE)
    """The hours of the profile, a day or a week from Monday; None if the list gives none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormulaFigures:
    """What the formula alone predicts at full load, beside measured figures."""

    requests_per_second: float
    token_ms: float | None
    """None if no tokens are generated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformancePlan:
    """Performance of one replica under load."""

    input_tokens: int
    """Tokens of an average request, or of a text if the model embeds or ranks."""
    output_tokens: int
    """Generated tokens of an average request; 0 if none are generated."""
    is_assumed: bool
    """Whether the two figures are hubstack's defaults, because the list gives no `traffic:`."""
    sequences: int
    """Concurrent requests at full load: what the KV cache fits, up to the engine's batch limit."""
    requests_per_second: Estimate
    """Throughput at full load."""
    input_tokens_per_second: Estimate
    output_tokens_per_second: Estimate
    token_ms: Estimate | None
    """Time between two tokens of a response, at full load."""
    token_alone_ms: Estimate | None
    """Time between two tokens of a single request."""
    first_token_ms: Estimate | None
    """Time to first token of a single request."""
    longest_input_tokens: int
    """The longest prompt that fits into the context together with a response."""
    first_token_longest_ms: Estimate | None
    """Time to first token of a single request with that prompt."""
    first_token_queue_ms: Estimate | None
    """Time to first token at the request rate where queueing starts."""
    queue_from_requests_per_second: float
    """Request rate at which randomly arriving requests wait a tenth of a second on average."""
    evidence: str
    """`measured`, `calibrated` or `extrapolated`."""
    rows: int
    """Number of measurements behind the figures: of this setup if measured, else of this engine on this accelerator
    generation."""
    warnings: tuple[str, ...] = ()
    """Known slow paths, and settings not covered by the formula."""
    cost: WorkCost | None = None
    """Cost at full load; None without a price."""
    traffic: TrafficPlan | None = None
    """None if the list specifies no traffic."""
    formula: FormulaFigures | None = None
    """None if nothing was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPoint:
    """Predicted latency of one replica at a request rate."""

    requests_per_second: float
    token_ms: float
    first_token_ms: float
    """Mean, including the wait for a batch slot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One replica of a model on an accelerator that it fits."""

    accelerator: str
    """Catalogue ID."""
    accelerator_count: int
    machine_type: str
    usd_per_hour: float | None
    """Price of the nodes that one replica alone needs, bought as in the first entry of the capacity list."""
    is_chosen: bool
    performance: PerformancePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class WayCost:
    """The chosen nodes, bought in one way."""

    way: str
    """A capacity kind, `1 year committed`, `3 years committed`, or `your commitment`."""
    usd_per_hour: float
    """Of the nodes that one replica needs."""
    usd_per_million: float
    """Of a million generated tokens at full load, or input tokens if none are generated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The accelerators that a model fits, and the chosen one under load."""

    alternatives: tuple[Alternative, ...]
    """Cheapest million tokens first; one for each accelerator and count."""
    curve: tuple[LoadPoint, ...]
    """Latency of the chosen accelerator by load; empty for a model that generates no text."""
    ways: tuple[WayCost, ...] = ()
    """The chosen nodes by how they are bought, cheapest first; empty if none has a price."""

    @property
    def frontier(self) -> frozenset[Alternative]:
        """Return the alternatives that no other beats in both cost per token and time per token."""
        return frozenset(
            each
            for each in self.alternatives
            if not any(_beats(other, each) for other in self.alternatives if other is not each)
        )


def usd_per_million(found: PerformancePlan) -> Estimate | None:
    """Return the cost of a million generated tokens, or of a million input tokens if none are generated."""
    if found.cost is None:
        return None
    return found.cost.usd_per_million_output_tokens or found.cost.usd_per_million_input_tokens


def _beats(one: Alternative, other: Alternative) -> bool:
    usd, than = usd_per_million(one.performance), usd_per_million(other.performance)
    if usd is None or than is None or usd.value > than.value:
        return False
    token, slower = one.performance.token_ms, other.performance.token_ms
    if token is None or slower is None:
        return usd.value < than.value
    return token.value <= slower.value and (usd.value, token.value) != (than.value, slower.value)
