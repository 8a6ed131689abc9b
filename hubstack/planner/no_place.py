# SPDX-License-Identifier: Apache-2.0
"""Says why a model has no place, and what would give it one.

Owns these reasons and hints. Does not own what was evaluated (`hubstack.planner.placement.candidates`).
"""

from hubstack.catalog import Catalog
from hubstack.inputs.models_schema import CapacityStep
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import CapacityKind
from hubstack.planner.engines.spec import Refusal
from hubstack.planner.model_plan import Draft, why_not
from hubstack.planner.placement.candidates import Candidates
from hubstack.planner.placement.engine_rules import Demand
from hubstack.planner.placement.offers import Offer
from hubstack.planner.platforms import NODES
from hubstack.planner.quantized_builds import BUILD_TOPIC

_REGIONS = 5
"""Maximum regions named in one hint."""


def why_nothing(draft: Draft, catalog: Catalog, target: StackSettings) -> Refusal:
    """Return why a model has no place, with a hint that would change that."""
    demand, candidates = draft.demand, draft.candidates
    marks = demand.request.marks
    field = next((f for f in ("accelerator", "capacity", "context", "platform") if f in marks), "id")
    why, hint = (
        _not_sold(demand, candidates, target)
        or _nothing_there(demand, candidates, catalog, target)
        or _not_in_zones(demand, candidates, catalog, target)
        or _no_memory(demand, candidates, target)
    )
    build = next((each.text for each in demand.choice.reasons if each.topic == BUILD_TOPIC), None)
    return Refusal(why=why, hint=f"{hint}; {build}" if build else hint, field=field)


def _not_sold(demand: Demand, candidates: Candidates, target: StackSettings) -> tuple[str, str] | None:
    step = demand.settings.capacity[0]
    named = [o for o in candidates.unsold if step.machine_type in {o.machine.name, o.machine.gce_machine_type}]
    if not named and (candidates.tried or not candidates.unsold):
        return None
    machines = {offer.machine.name: offer.machine for offer in named or candidates.unsold}
    ways = sorted({way for machine in machines.values() for way in machine.ways})
    sold = f"; Google sells it as {', '.join(ways)}" if ways else ""
    why = f"cannot be placed: {', '.join(machines)} in {target.region} is not sold as {step.kind}{sold}"
    words = ["`reservation: NAME`" if way is CapacityKind.RESERVATION else f"`{way}`" for way in ways]
    set_to = f"set `capacity:` to {_or(words)}, or " if words else ""
    return why, f"{set_to}allow other accelerators"


def _nothing_there(
    demand: Demand, candidates: Candidates, catalog: Catalog, target: StackSettings
) -> tuple[str, str] | None:
    if candidates.tried:
        return None
    if candidates.without_image:
        names = ", ".join(candidates.without_image)
        return f"cannot be placed: {demand.choice.engine.name} has no image for {names}", "allow other accelerators"
    cards = [row.id for word in demand.settings.accelerators if (row := catalog.accelerator(word))]
    wanted, where = ", ".join(cards) or "an accelerator", ", ".join(target.zones) or target.region
    why = f"cannot be placed: {where} has no machine type with {wanted} in the catalogue"
    zones = sorted({zone for card in cards for zone in catalog.zones(card, target.region)})
    if zones:
        return why, f"{wanted} is in {', '.join(zones)}; or allow other accelerators"
    regions = {
        region
        for name, row in catalog.machine_types.items()
        if row.accelerator in cards
        for region in catalog.regions(name)
    }
    there = f"allow other accelerators, or use a region with {wanted}: {_nearby(regions, target.region)}"
    return why, there if regions else "allow other accelerators, or use another region"


def _not_in_zones(
    demand: Demand, candidates: Candidates, catalog: Catalog, target: StackSettings
) -> tuple[str, str] | None:
    """Return the first step whose zones have none of the machines."""
    offers = [each.offer for each in candidates.tried]
    for number, step in enumerate(demand.settings.capacity, 1):
        if step.accelerator is None and step.zones and not any(_zones_of(step, offer) for offer in offers):
            cards = sorted({offer.accelerator.id for offer in offers})
            there = sorted({zone for card in cards for zone in catalog.zones(card, target.region)})
            wanted, place = ", ".join(cards), ", ".join(step.zones)
            why = f"cannot be placed: step {number} of `capacity` is limited to {place}, which has no {wanted}"
            return why, f"zones of {target.region} with {wanted}: {', '.join(there)}; or allow other accelerators"
    return None


def _zones_of(step: CapacityStep, offer: Offer) -> set[str]:
    return set(step.zones) & set(offer.zones)


def _no_memory(demand: Demand, candidates: Candidates, target: StackSettings) -> tuple[str, str]:
    tried = candidates.tried
    whole = [t for t in tried if t.offer.is_whole_node] or list(tried)
    computed = {t.offer.accelerator.id for t in whole if not t.is_ruled_out}
    # Accelerators that a rule excludes altogether say nothing about memory.
    whole = [t for t in whole if t.offer.accelerator.id in computed] or whole
    said: dict[str, list[str]] = {}
    for each in sorted(whole, key=lambda t: t.offer.accelerator_bytes)[-3:]:
        said.setdefault(why_not(each), []).append(each.offer.machine.name)
    reasons = "; ".join(f"{', '.join(machines)}: {why}" for why, machines in said.items())
    verb = "does not fit" if computed else "cannot run on"
    why = f"{verb} any of {len(tried)} machine shapes in {target.region}. The largest: {reasons}"
    is_memory, platform = any(not each.is_ruled_out for each in tried), demand.settings.platform
    lower = "lower `context:` or `concurrency:`"
    if platform is NODES:
        ways, joined = "allow other accelerators or capacity, or use another region", f"{lower}, "
    else:
        kind = "larger" if is_memory else "other"
        ways, joined = f"set `platform: gke`: {platform} has no {kind} machines", f"{lower}, or "
    return why, f"{joined}{ways}" if is_memory else ways


def _nearby(regions: set[str], region: str) -> str:
    """Return regions as text, those of the same part of the world first."""
    area = region.partition("-")[0]
    ordered = sorted(regions, key=lambda each: (each.partition("-")[0] != area, each))
    more = f" and {len(ordered) - _REGIONS} more" if len(ordered) > _REGIONS else ""
    return f"{', '.join(ordered[:_REGIONS])}{more}"


def _or(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
