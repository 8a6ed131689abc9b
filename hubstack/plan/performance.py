# SPDX-License-Identifier: Apache-2.0
"""What a replica is predicted to serve: figures with their 80 % ranges and what they rest on.

Owns the types. `hubstack.planner.performance` computes them (docs/concepts/performance.md).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure and the range that holds 80 % of the measurements of models that were not fitted."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCost:
    """USD for a million tokens, or texts of an embedding model, at a replica's price."""

    usd_per_million_input_tokens: Estimate
    usd_per_million_output_tokens: Estimate | None
    """None where nothing is written: embeddings and rankings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPlan:
    """The traffic that the list asks for, and what it takes."""

    requests_per_second: float
    """At the peak."""
    replicas: int
    """That serve it within the service level."""
    replicas_if_slow: int
    """Likewise, were each as slow as the low end of its range."""
    replica_requests_per_second: Estimate
    """Of one replica within the service level."""
    sequences: int
    """That one replica has at once then; beyond them another replica is asked for."""
    token_ms: Estimate | None
    """At the peak."""
    first_token_ms: Estimate | None
    """At the peak, of `percent` of the requests; waits for a place among them."""
    percent: float
    usd_per_month: float | None
    """By the hours of the profile; None without a price."""
    cost: WorkCost | None
    """Of a million tokens of this traffic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformancePlan:
    """One replica of a model under load."""

    input_tokens: int
    """Of an average request; of a text where the model embeds or ranks."""
    output_tokens: int
    """0 where nothing is written."""
    is_assumed: bool
    """Whether the two are hubstack's own, because the list gives no `traffic:`."""
    sequences: int
    """That run at once at full load: what the cache holds, at most the engine's batch limit."""
    requests_per_second: Estimate
    """At full load."""
    input_tokens_per_second: Estimate
    output_tokens_per_second: Estimate
    token_ms: Estimate | None
    """Between two tokens of an answer, at full load."""
    token_alone_ms: Estimate | None
    """Likewise of a lone request."""
    first_token_ms: Estimate | None
    """Of a lone request."""
    longest_input_tokens: int
    """The longest prompt that the context has room for beside an answer."""
    first_token_longest_ms: Estimate | None
    """Of a lone request with that prompt."""
    first_token_queue_ms: Estimate | None
    """Where queueing starts."""
    queue_from_requests_per_second: float
    """More a second, arriving at random, wait for a place: a tenth of a second on average."""
    evidence: str
    """`measured`, `calibrated` or `extrapolated`."""
    rows: int
    """Measurements of this engine on this generation of accelerators behind the constants."""
    warnings: tuple[str, ...] = ()
    """Known slow paths, and settings that the formula leaves out."""
    cost: WorkCost | None = None
    """At full load; None without a price."""
    traffic: TrafficPlan | None = None
    """None where the list asks for none."""
