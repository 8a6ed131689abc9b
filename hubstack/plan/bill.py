# SPDX-License-Identifier: Apache-2.0
"""The bill of a plan as plain data, computed by `hubstack.planner.cost`."""

from dataclasses import dataclass, field

from hubstack.files.jsonable import OMITTED_IF_NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """A line of the bill, in USD."""

    item: str
    what: str
    usd_per_month_min: float | None
    """Cost with every model at its minimum replicas; None if no source gives a price."""
    usd_per_month_max: float | None
    """Cost with every model at its maximum replicas."""
    source: str | None
    as_of: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCost:
    """Cost of one capacity class's nodes, for all its models together."""

    capacity_class: str
    machine_type: str
    accelerator: str
    models: tuple[str, ...]
    nodes_idle: int
    """Nodes with every model at its minimum replicas."""
    nodes_busy: int
    """Nodes with every model at its maximum replicas."""
    usd_per_hour_idle: float | None
    """USD per hour on the first step; None if no source gives a price."""
    usd_per_hour_busy: float | None
    """USD per hour on the most expensive step."""
    usd_per_month_committed_1y: float | None
    """Cost of the busy nodes with a one-year commitment; None if no source gives its price."""
    usd_per_month_committed_3y: float | None
    accelerators_used_busy: float
    """Accelerators in use with every model at its maximum replicas; a server on a shared card uses a part of
    one."""
    accelerators_paid_busy: int
    accelerator_hours_busy: int
    """GPU-hours or chip-hours a month."""
    places_busy: int
    """Paid accelerators with every model at its maximum replicas; shared cards count by their parts."""
    places_used_busy: int
    """Accelerators that a model uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRate:
    """How the account's currency is converted."""

    currency: str
    per_usd: float
    """Units of it per US dollar."""
    source: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The bill. Items without a price are listed, not counted as zero."""

    lines: tuple[CostLine, ...]
    usd_per_month_min: float
    usd_per_month_max: float
    unpriced: tuple[str, ...]
    pools: tuple[PoolCost, ...] = ()
    """By capacity class, sorted by key."""
    not_counted: tuple[str, ...]
    """Kinds of cost not included in the plan (egress, logs ...)."""
    hours_per_month: int
    budget_usd_per_month: float | None = None
    """The plan's budget (`hubstack:budget`), converted from `hubstack:currency`; None means no limit."""
    exchange_rate: ExchangeRate | None = field(default=None, metadata=OMITTED_IF_NONE)
    """The account's currency; None means US dollars."""

    @property
    def over_budget_usd(self) -> float:
        """How far the maximum bill exceeds the budget, in USD; 0 if it does not."""
        if self.budget_usd_per_month is None:
            return 0.0
        return max(0.0, self.usd_per_month_max - self.budget_usd_per_month)

    def by_item(self) -> dict[str, list[CostLine]]:
        """Return the lines grouped by item."""
        found: dict[str, list[CostLine]] = {}
        for line in self.lines:
            found.setdefault(line.item, []).append(line)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class StackBill:
    """The bill of one of several stacks, for a summary table."""

    stack: str
    region: str
    models: int
    usd_per_month_min: float
    usd_per_month_max: float
    unpriced: int
    """Items without a price from any source."""
