# SPDX-License-Identifier: Apache-2.0
"""What each accelerator that a model fits would serve, and at what cost per token.

Owns the comparison that `explain` shows. It ignores the list's `accelerator:` and later entries of `capacity:`,
since it shows what another choice would change, and prices a replica alone on its nodes. Does not choose: placement
minimizes the price of the whole fleet.
"""

from dataclasses import replace

from hubstack.inputs.models_schema import CapacityStep, Slo
from hubstack.kinds import CapacityKind
from hubstack.plan import ModelPlan, Verdict
from hubstack.plan.performance import Alternative, Comparison, WayCost, usd_per_million
from hubstack.planner.inputs import StackInputs
from hubstack.planner.managed.managed import make_candidate_finders
from hubstack.planner.performance.predict import load_curve, predict
from hubstack.planner.placement.candidates import Candidate, placed
from hubstack.planner.placement.engine_rules import Demand
from hubstack.planner.placement.offers import Offer
from hubstack.planner.planner import demand_of


def compare_accelerators(inputs: StackInputs, model: ModelPlan) -> Comparison:
    """Return the comparison for a planned model of the inputs."""
    catalog = inputs.catalog
    finder = make_candidate_finders(catalog, inputs.target)[model.platform]
    demand = demand_of(inputs, model.key)
    bought = (CapacityStep(kind=demand.settings.capacity[0].kind),)
    free = replace(
        demand, request=demand.request.changed(accelerator=None, capacity=bought, traffic=None, slo=Slo())
    )
    machines = frozenset(catalog.machine_types)
    found: dict[tuple[str, int], tuple[Alternative, Candidate]] = {}
    for each in finder.find_candidates(free, only=machines).fitting:
        alternative = _alternative(each, free, model)
        if alternative is None or each.verdict is not Verdict.FITS:
            continue
        shape = alternative.accelerator, alternative.accelerator_count
        known = found.get(shape)
        if known is None or alternative.is_chosen or (not known[0].is_chosen and each.usd < known[1].usd):
            found[shape] = alternative, each
    ordered = sorted((pair[0] for pair in found.values()), key=_rank)
    chosen = next((pair[1] for pair in found.values() if pair[0].is_chosen), None)
    curve = load_curve(placed(chosen.offer, chosen.load, chosen.need, free, chosen.engine)) if chosen else ()
    ways = tuple(_ways(chosen.offer, model)) if chosen else ()
    return Comparison(alternatives=tuple(ordered), curve=curve, ways=ways)


def _ways(offer: Offer, model: ModelPlan) -> list[WayCost]:
    """Return what a million tokens cost on the chosen nodes by how these are bought, cheapest first."""
    usd = usd_per_million(model.performance) if model.performance else None
    paid = offer.usd(model.steps[0].kind) if model.steps and offer.price(model.steps[0].kind) else None
    row = offer.row
    if usd is None or not paid or row is None:
        return []
    node = {str(kind): price.usd_per_hour for kind in CapacityKind if (price := offer.price(kind))}
    others = {"1 year committed": row.cud_1y, "3 years committed": row.cud_3y, "your commitment": row.held}
    node |= {way: hourly for way, hourly in others.items() if hourly is not None}
    if not offer.machine.reservation:
        node.pop(str(CapacityKind.RESERVATION), None)
    share = offer.taken / offer.units
    found = [
        WayCost(way=way, usd_per_hour=round(hourly * share, 6), usd_per_million=round(usd.value * hourly / paid, 6))
        for way, hourly in node.items()
    ]
    return sorted(found, key=lambda each: (each.usd_per_hour, each.way))


def _alternative(candidate: Candidate, demand: Demand, model: ModelPlan) -> Alternative | None:
    offer = candidate.offer
    what = placed(offer, candidate.load, candidate.need, demand, candidate.engine)
    if what.usd_per_hour is not None:
        what = replace(what, usd_per_hour=candidate.alone())
    performance = predict(what)
    if performance is None:
        return None
    return Alternative(
        accelerator=offer.accelerator.id,
        accelerator_count=offer.count * offer.hosts,
        machine_type=offer.machine.name,
        usd_per_hour=what.usd_per_hour,
        is_chosen=(offer.machine.name, offer.count * offer.hosts) == (model.machine_type, model.accelerator_count),
        performance=performance,
    )


def _rank(each: Alternative) -> tuple[float, str, int]:
    usd = usd_per_million(each.performance)
    return (usd.value if usd else float("inf"), each.accelerator, each.accelerator_count)
