# SPDX-License-Identifier: Apache-2.0
"""Advice on capacity that a plan pays for but does not use, and on cheaper alternatives. Pure.

Owns two rules: unused accelerators on multi-accelerator nodes, and small models with one GPU each. Does not change
the plan: the user decides.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from hubstack.inputs.models import Request
from hubstack.kinds import AcceleratorKind, CapacityKind
from hubstack.plan import ModelPlan, Verdict
from hubstack.plan.bill import Cost, PoolCost
from hubstack.planner.model_plan import Draft
from hubstack.planner.placement.candidates import Candidate, CandidateFinder

LEAST_USED = 0.5
"""Used share of the paid accelerators below which a plan warns."""
MOST_MODELS = 100
"""Longer lists are not planned a second time to look for savings."""
_SMALL = 0.4
"""Share of a GPU's memory: two models below it fit on one GPU, including each server's overhead."""
_LEAST_SAVING_USD = 10.0
"""USD per month below which a saving is not suggested."""


def unused_accelerators(
    models: tuple[ModelPlan, ...], cost: Cost, drafts: Mapping[str, Draft], finder: CandidateFinder
) -> Iterator[str]:
    """Yield a warning for nodes that are less than half used, with the reason and cheaper alternatives."""
    for pool in cost.pools:
        paid, used = pool.accelerators_paid_busy, pool.accelerators_used_busy
        if not paid or used / paid >= LEAST_USED:
            continue
        per_node = paid // pool.nodes_busy
        keys = ", ".join(pool.models)
        usd, verb = pool.usd_per_hour_busy, "use" if len(pool.models) > 1 else "uses"
        month = "price unknown" if usd is None else f"up to ${usd * cost.hours_per_month:,.0f} a month"
        said = (
            f"{keys}: {verb} {used:g} of the {paid} {pool.accelerator} you pay for ({month}), because "
            f"{pool.machine_type} is sold in nodes of {per_node}"
        )
        found = [model for model in models if model.key in pool.models]
        others = list(_alternatives(found, pool, cost.hours_per_month, drafts, finder))
        yield f"{said}. Cheaper: {'; '.join(others)}" if others else said


def _alternatives(
    models: list[ModelPlan], pool: PoolCost, hours: int, drafts: Mapping[str, Draft], finder: CandidateFinder
) -> Iterator[str]:
    """Yield cheaper alternatives: the same machine as spot, and other accelerators."""
    usd = pool.usd_per_hour_busy
    if usd is None:
        return
    demand = drafts[models[0].key].demand
    kinds = {step.kind for model in models for step in model.steps}
    spot = _taken(drafts[models[0].key], models[0]).offer.price(CapacityKind.SPOT)
    if spot and kinds != {CapacityKind.SPOT} and spot.usd_per_hour * pool.nodes_busy < usd:
        yield f"the same nodes as spot: ${spot.usd_per_hour * pool.nodes_busy * hours:,.0f} a month, preemptible"
    if len(models) > 1:
        return
    free = replace(demand, request=demand.request.changed(accelerator=None))
    fitting = [each for each in finder.find_candidates(free).fitting if each.verdict is Verdict.FITS]
    replicas = models[0].replicas.max
    best = min(fitting, key=lambda each: each.alone(replicas), default=None)
    if best and best.offer.machine.name != pool.machine_type and best.alone(replicas) < usd:
        shape = f"{best.offer.count} x {best.offer.accelerator.id} ({best.offer.machine.name})"
        yield f"{shape}: ${best.alone(replicas) * hours:,.0f} a month"


def _taken(draft: Draft, model: ModelPlan) -> Candidate:
    same = [each for each in draft.candidates.fitting if each.offer.machine.name == model.machine_type]
    return (same or list(draft.candidates.fitting))[0]


def sharing(
    request: Request,
    models: Sequence[ModelPlan],
    cost: Cost,
    bill_of: Callable[[Request, frozenset[str]], Cost | None],
) -> Iterator[str]:
    """Suggest `share_gpu` for small models that each have their own GPU, with the saving.

    Args:
        request: the list of models.
        models: their plans.
        cost: their bill.
        bill_of: returns the bill of another request in which the given models may move, or None if it does not fit.
    """
    small = frozenset(model.key for model in models if _is_small(model))
    if len(small) <= 1 or len(models) > MOST_MODELS:
        return
    shared = tuple(each.changed(share_gpu=True) if each.key in small else each for each in request.models)
    other = bill_of(replace(request, models=shared), small)
    saved = cost.usd_per_month_max - other.usd_per_month_max if other else 0.0
    if saved >= _LEAST_SAVING_USD:
        yield (
            f"{', '.join(sorted(small))} each use only a small part of a GPU: `share_gpu: true` on them "
            f"saves up to ${saved:,.0f} a month"
        )


def _is_small(model: ModelPlan) -> bool:
    if not model.has_nodes or model.accelerator_kind is not AcceleratorKind.GPU:
        return False
    alone = model.accelerator_count == 1 and model.servers_per_accelerator == 1 and model.hosts == 1
    return alone and max(step.needs_bytes for step in model.steps) <= _SMALL * model.need.visible_bytes
