# SPDX-License-Identifier: Apache-2.0
"""Who may call which models, and how much: the callers of a gateway as plain data.

Owns the types. `hubstack.inputs.callers` reads the users' settings, `hubstack.planner.serving.callers` decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerPlan:
    """One caller: a team with keys of its own."""

    name: str
    secret_id: str
    """Secret in Secret Manager whose latest version holds the caller's keys, one a line."""
    readers: tuple[str, ...]
    """IAM members that may read the keys."""
    models: tuple[str, ...]
    """Keys of the models that it may use, sorted."""
    requests_per_minute: int | None = None
    """None: no limit."""
    tokens_per_minute: int | None = None
    """Tokens of prompts and answers; None: no limit."""
    budget_units: int | None = None
    """Budget for 30 days, in `CallersPlan.unit_usd`; None: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """What a million tokens of a model cost, by the plan's prediction at full load or by the settings."""

    usd_per_million_input: float
    usd_per_million_output: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyImage:
    """An image of the callers' proxy."""

    image: str
    command: tuple[str, ...]
    user: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallersPlan:
    """All callers of a gateway."""

    callers: tuple[CallerPlan, ...]
    """Sorted by name."""
    prices: Mapping[str, TokenPrice]
    """Key of each model with a price."""
    unit_usd: float
    """The unit in which costs are counted: a power of ten that lets the largest budget fit into 32 bits."""
    proxy: ProxyImage
    """Envoy."""
    limiter: ProxyImage
    """Envoy's rate limit service."""
    counters: ProxyImage
    """Where the service counts."""
    keys_image: str
    """Python, which gives Envoy the keys."""
