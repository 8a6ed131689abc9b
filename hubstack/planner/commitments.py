# SPDX-License-Identifier: Apache-2.0
"""Commitments held, in the bill: paid for all month, whether their accelerators are used or not.

Owns these lines. Models' lines keep their on-demand price; a commitment's line adds its own price and takes off
that of the accelerators that it covers, so it is negative if it saves more than it costs.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from hubstack.catalog.prices import HeldCommitment
from hubstack.plan.bill import CostLine
from hubstack.planner.always_on import HOURS_PER_MONTH, ITEM


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Accelerators that run, and what each costs an hour without a commitment."""

    accelerator: str
    count: float
    usd_per_hour: float


def commitment_lines(
    commitments: Iterable[HeldCommitment], region: str, idle: Iterable[Running], busy: Iterable[Running]
) -> Iterator[CostLine]:
    """Yield a line for each commitment in the region.

    Args:
        commitments: those held.
        region: the stack's.
        idle: accelerators on covered nodes with every model at its minimum replicas.
        busy: the same with every model at its maximum.
    """
    left = [_dearest_first(idle), _dearest_first(busy)]
    for held in commitments:
        if held.region == region:
            paid = held.count * held.usd_per_hour
            usd = [round((paid - _cover(running, held)) * HOURS_PER_MONTH, 2) for running in left]
            yield CostLine(
                item=ITEM,
                what=f"commitment of {held.count} x {held.accelerator}, {held.term}",
                usd_per_month_min=usd[0],
                usd_per_month_max=usd[1],
                source=held.source,
                as_of=held.as_of,
            )


def unused_commitments(
    commitments: Iterable[HeldCommitment], region: str, busy: Iterable[Running]
) -> Iterator[str]:
    """Yield a warning for each accelerator of which fewer are used at most than are committed."""
    held: dict[str, int] = {}
    for each in commitments:
        if each.region == region:
            held[each.accelerator] = held.get(each.accelerator, 0) + each.count
    running = list(busy)
    for accelerator, count in held.items():
        used = sum(each.count for each in running if each.accelerator == accelerator)
        if used < count:
            yield (
                f"{used:g} of {count} committed {accelerator} are used with every model at its maximum; the others "
                "are paid for by this stack's bill"
            )


def _dearest_first(running: Iterable[Running]) -> list[Running]:
    return sorted(running, key=lambda each: -each.usd_per_hour)


def _cover(running: list[Running], held: HeldCommitment) -> float:
    """Take the accelerators that a commitment covers off the list; return their price an hour."""
    left, usd = float(held.count), 0.0
    for at, each in enumerate(running):
        if each.accelerator == held.accelerator:
            covered = min(left, each.count)
            usd += covered * min(each.usd_per_hour, held.covers_usd_per_hour)
            running[at] = replace(each, count=each.count - covered)
            left -= covered
    return usd
