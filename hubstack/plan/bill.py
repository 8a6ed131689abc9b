# SPDX-License-Identifier: Apache-2.0
"""The bill of a plan as plain data. `hubstack.planner.cost` makes it; nothing here computes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One line of the bill, USD."""

    item: str
    what: str
    usd_per_month_min: float | None
    """With every model at its smallest number of replicas; None where no source gives a price."""
    usd_per_month_max: float | None
    """With every model at its largest."""
    source: str | None
    as_of: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCost:
    """What the nodes of one capacity class cost, all its models together."""

    capacity_class: str
    machine_type: str
    accelerator: str
    models: tuple[str, ...]
    nodes_idle: int
    """With every model at its fewest replicas."""
    nodes_busy: int
    """With every model at its most."""
    usd_per_hour_idle: float | None
    """On the first step; None where no source gives a price."""
    usd_per_hour_busy: float | None
    """On the dearest step."""
    usd_per_month_committed_1y: float | None
    """The busy nodes under a commitment of one year; None where no source gives its price."""
    usd_per_month_committed_3y: float | None
    accelerators_used_busy: float
    """Of those that are paid for, with every model at its most; a server on a shared card uses a part of one."""
    accelerators_paid_busy: int
    accelerator_hours_busy: int
    """GPU-hours or chip-hours a month."""
    places_busy: int
    """Accelerators that are paid for with every model at its most; of shared cards, their parts."""
    places_used_busy: int
    """Those of them that a model uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The bill; what has no price is named, not counted as nothing."""

    lines: tuple[CostLine, ...]
    usd_per_month_min: float
    usd_per_month_max: float
    unpriced: tuple[str, ...]
    pools: tuple[PoolCost, ...] = ()
    """By capacity class, sorted by key."""
    not_counted: tuple[str, ...]
    """Kinds of cost that the plan leaves out (egress, logs ...)."""
    hours_per_month: int
    budget_usd_per_month: float | None = None
    """What the plan may cost (`hubstack:budget`); None: no limit."""

    @property
    def over_budget_usd(self) -> float:
        """By how much the largest bill is over the budget; 0 where it is not."""
        if self.budget_usd_per_month is None:
            return 0.0
        return max(0.0, self.usd_per_month_max - self.budget_usd_per_month)

    def by_item(self) -> dict[str, list[CostLine]]:
        """Return item to its lines."""
        found: dict[str, list[CostLine]] = {}
        for line in self.lines:
            found.setdefault(line.item, []).append(line)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class StackBill:
    """What one of several stacks costs, for a table of all."""

    stack: str
    region: str
    models: int
    usd_per_month_min: float
    usd_per_month_max: float
    unpriced: int
    """Items that no source gives a price of."""
