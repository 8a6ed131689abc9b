# SPDX-License-Identifier: Apache-2.0
"""Says why a model has no place.

Owns these reasons. Does not own what was evaluated (`hubstack.planner.placement.candidates`) or what would give it
one (`hubstack.planner.ways_out`).
"""

from dataclasses import replace

from hubstack.catalog import Catalog, MachineType
from hubstack.inputs.models_schema import CapacityStep
from hubstack.inputs.settings import StackSettings
from hubstack.planner.engines.spec import Refusal
from hubstack.planner.managed.managed import Finders
from hubstack.planner.model_plan import Draft, why_not
from hubstack.planner.placement.candidates import Candidates
from hubstack.planner.placement.engine_rules import Demand
from hubstack.planner.quantized_builds import BUILD_TOPIC
from hubstack.planner.ways_out import ACCELERATOR, Trials

_WAYS = 3
"""Maximum changes in one hint."""
_LATER = "fix the models above first, then plan again: it names what would give this one a place"
_MACHINES = 3
"""Maximum machine types in a reason; of more, their accelerators are named."""
_LAST_RESORT = "choose a smaller model, a quantized build or another region: no setting that was tried helps here"


def why_nothing(
    draft: Draft, finders: Finders, catalog: Catalog, target: StackSettings, *, is_tried: bool = True
) -> Refusal:
    """Return why a model has no place, with a hint of changes that give it one.

    Args:
        draft: the model.
        finders: the candidate finder of each platform.
        catalog: the catalogue.
        target: the stack's settings.
        is_tried: whether to look for such changes, which takes a quarter of a second.
    """
    demand, trials = draft.demand, Trials(demand=draft.demand, finders=finders, catalog=catalog, target=target)
    marks = demand.request.marks
    field = next((f for f in ("accelerator", "capacity", "context", "platform") if f in marks), "id")
    machines = _machines_asked(demand.settings.capacity[0], catalog)
    finder = finders[demand.settings.platform]
    candidates = finder.find_candidates(demand, frozenset(machines)) if machines else draft.candidates
    candidates = replace(candidates, unsold=draft.candidates.unsold)
    other = _of_another_accelerator(demand, candidates, catalog, target)
    why = (
        other
        or _not_sold(demand, candidates, catalog, target)
        or _not_there(demand, candidates, catalog, target)
        or _not_in_zones(demand, candidates, target)
        or _no_memory(candidates, target)
    )
    if not is_tried:
        return Refusal(why=why, hint=_LATER, field=field)
    is_unnamed = other or not demand.settings.accelerators
    named = [*trials.named({machine.accelerator for machine in machines.values()})] if is_unnamed else []
    ways = named + [way for way in trials.ways() if not (named and ACCELERATOR in way)]
    if not candidates.tried or not ways:
        ways = [*ways[: _WAYS - 1], *trials.regions()]
    return Refusal(why=why, hint=_hint(ways or [*trials.without()], demand), field=field)


def _hint(ways: list[str], demand: Demand) -> str:
    hint = ", or ".join(ways[:_WAYS]) or _LAST_RESORT
    build = next((each.text for each in demand.choice.reasons if each.topic == BUILD_TOPIC), None)
    return f"{hint}; {build}" if build else hint


def _machines_asked(step: CapacityStep, catalog: Catalog) -> dict[str, MachineType]:
    rows = catalog.machine_types.values()
    return {row.name: row for row in rows if step.machine_type in {row.name, row.gce_machine_type}}


def _of_another_accelerator(
    demand: Demand, candidates: Candidates, catalog: Catalog, target: StackSettings
) -> str | None:
    """Return the first step whose machine type has other accelerators, or a part of one that is not named."""
    for number, step in enumerate(demand.settings.capacity, 1):
        machines = _machines_asked(step, catalog)
        said = (step.accelerator,) if step.accelerator else demand.settings.accelerators
        wanted = {row.id for word in said if (row := catalog.accelerator(word))}
        has = sorted({machine.accelerator for machine in machines.values()})
        asked = f"cannot be placed: step {number} of `capacity` asks for {step.machine_type}, which"
        if wanted and machines and not wanted & set(has):
            return f"{asked} has {', '.join(has)}, not {', '.join(sorted(wanted))}"
        is_there = any(target.region in catalog.regions(name) for name in machines)
        is_part = all(machine.accelerator_fraction for machine in machines.values())
        if machines and not wanted and is_there and is_part and not candidates.tried:
            return f"{asked} has a fraction of {', '.join(has)} and is used only if you name that in `accelerator:`"
    return None


def _not_sold(demand: Demand, candidates: Candidates, catalog: Catalog, target: StackSettings) -> str | None:
    """Return the first step that buys none of the machines."""
    for number, step in enumerate(demand.settings.capacity, 1):
        machines = {each.offer.machine.name: each.offer.machine for each in candidates.tried}
        if number == 1:
            unsold = {each.machine.name: each.machine for each in candidates.unsold}
            named = {key: m for key, m in unsold.items() if step.machine_type in {m.name, m.gce_machine_type}}
            machines = named if step.machine_type else {} if machines else unsold
        if step.accelerator and (card := catalog.accelerator(step.accelerator)):
            rows = catalog.machine_types.items()
            here = {key: m for key, m in rows if m.accelerator == card.id and target.region in catalog.regions(key)}
            machines = {
                key: m for key, m in here.items() if step.machine_type in {None, m.name, m.gce_machine_type}
            }
        if not machines or any(each.is_sold_as(step.kind) for each in machines.values()):
            continue
        whole = {name: each for name, each in machines.items() if not each.accelerator_fraction} or machines
        ways = sorted({way for machine in whole.values() for way in machine.ways})
        sold = f"; Google sells it as {', '.join(ways)}" if ways else ""
        at = f"step {number}: " if len(demand.settings.capacity) > 1 else ""
        cards = sorted({machine.accelerator for machine in whole.values()})
        said = list(whole) if len(whole) <= _MACHINES else cards
        verb = "is" if len(said) == 1 else "are"
        return f"cannot be placed: {at}{', '.join(said)} in {target.region} {verb} not sold as {step.kind}{sold}"
    return None


def _not_there(demand: Demand, candidates: Candidates, catalog: Catalog, target: StackSettings) -> str | None:
    if candidates.tried:
        return None
    engine = demand.settings.engine_kind or demand.choice.engine.name
    if candidates.without_image:
        return f"cannot be placed: {engine} has no image for {', '.join(candidates.without_image)}"
    cards = [row.id for word in demand.settings.accelerators if (row := catalog.accelerator(word))]
    machine = demand.settings.capacity[0].machine_type
    wanted = machine or (f"machine type with {', '.join(cards)} in the catalogue" if cards else "")
    zones = sorted({zone for card in cards for zone in catalog.zones(card, target.region)})
    if not wanted and not target.zones:
        return f"cannot be placed: {engine} runs this model on no accelerator in {target.region}"
    if target.zones:
        there = f"; {', '.join(cards)} is in {', '.join(zones)}" if zones else ""
        zones = f"`hubstack:zones` ({', '.join(target.zones)})"
        return f"cannot be placed: {zones} has no {wanted or 'accelerators'}{there}"
    return f"cannot be placed: {target.region} has no {wanted}"


def _not_in_zones(demand: Demand, candidates: Candidates, target: StackSettings) -> str | None:
    """Return the first step whose zones have none of the machines."""
    offers = [each.offer for each in candidates.tried]
    for number, step in enumerate(demand.settings.capacity, 1):
        if step.accelerator or not step.zones or any(set(step.zones) & set(offer.zones) for offer in offers):
            continue
        cards, place = sorted({offer.accelerator.id for offer in offers}), ", ".join(step.zones)
        limited = f"cannot be placed: step {number} of `capacity` is limited to {place}, which"
        if target.zones and not set(step.zones) & set(target.zones):
            return f"{limited} `hubstack:zones` ({', '.join(target.zones)}) excludes"
        return f"{limited} has no {step.machine_type or ', '.join(cards)}"
    return None


def _no_memory(candidates: Candidates, target: StackSettings) -> str:
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
    if len(tried) == 1:
        return f"{verb} {reasons}"
    return f"{verb} any of {len(tried)} machine shapes in {target.region}. The largest: {reasons}"
