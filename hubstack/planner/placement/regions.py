# SPDX-License-Identifier: Apache-2.0
"""Plans of the same list in other regions, for comparison.

Owns which regions are compared and what is reported for each. Does not change where the stack is created, which
`gcp:region` sets (docs/adr/0006-regions-compare.md).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from hubstack.catalog import Catalog
from hubstack.files.errors import InputError, PlanError
from hubstack.files.problems import Problem
from hubstack.hub.lock import Lock
from hubstack.inputs.measured import Measurement
from hubstack.inputs.models import Request
from hubstack.inputs.settings import StackSettings
from hubstack.plan import Plan
from hubstack.planner.placement.region_rules import region_hint
from hubstack.planner.planner import plan_stack

ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPlan:
    """One region: its plan, or why the list does not fit there."""

    region: str
    plan: Plan | None
    why_not: str | None


def compare_regions(
    request: Request,
    lock: Lock,
    catalog: Catalog,
    target: StackSettings,
    asked: Iterable[str],
    measured: tuple[Measurement, ...] = (),
) -> tuple[RegionPlan, ...]:
    """Return the list's plan in each region, cheapest first; regions with unknown prices come last.

    Raises:
        InputError: a region has no accelerators in the catalogue.
    """
    known = catalog.all_regions()
    words = list(dict.fromkeys(asked))
    unknown = [word for word in words if word not in {*known, ANY}]
    if unknown:
        raise InputError([_unknown(word, known) for word in unknown])
    regions = known if ANY in words else tuple(words)
    found = [_plan(request, lock, catalog, target.changed(region=region), measured) for region in regions]
    return tuple(sorted(found, key=_rank))


def _plan(
    request: Request, lock: Lock, catalog: Catalog, target: StackSettings, measured: tuple[Measurement, ...]
) -> RegionPlan:
    # Zones and budget apply to the stack's own region only.
    there = target.changed(zones=(), budget_per_month=None)
    try:
        plan = plan_stack(request, lock, catalog, there, measured=measured)
        return RegionPlan(region=target.region, plan=plan, why_not=None)
    except PlanError as error:
        first = error.problems[0].message
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        return RegionPlan(region=target.region, plan=None, why_not=f"{first}{more}")


def _rank(each: RegionPlan) -> tuple[bool, bool, float, str]:
    cost = each.plan.cost if each.plan else None
    return (cost is None, bool(cost and cost.unpriced), cost.usd_per_month_max if cost else 0.0, each.region)


def _unknown(word: str, known: Collection[str]) -> Problem:
    message = f"`{word}` is not a region with accelerators in the catalogue"
    return Problem(path="regions", message=message, hint=region_hint(word, known))
