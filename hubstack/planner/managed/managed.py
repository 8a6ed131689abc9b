# SPDX-License-Identifier: Apache-2.0
"""Models on managed platforms, and the cost comparison between GKE and Cloud Run.

Owns which machine each of these models gets, and the break-even reasons. Does not own what a model becomes on its
platform (`hubstack.planner.platforms`), the search (`hubstack.planner.placement.candidates`) or the formula
(`hubstack.planner.managed.break_even`).
"""

from collections.abc import Mapping
from dataclasses import replace

from hubstack.catalog import Catalog
from hubstack.inputs.models_schema import ON_DEMAND, Replicas
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import CapacityKind, PlatformKind
from hubstack.plan import ModelPlan, Reason
from hubstack.planner.always_on import HOURS_PER_MONTH, fixed_usd_per_month
from hubstack.planner.managed.break_even import break_even, sentence, summary_sentence
from hubstack.planner.model_plan import Draft, assemble, replica_usd
from hubstack.planner.placement.candidates import Candidate, CandidateFinder
from hubstack.planner.placement.engine_rules import Demand
from hubstack.planner.platforms import NODES, cloud_run, platform_of, platforms

Finders = Mapping[PlatformKind, CandidateFinder]


def make_candidate_finders(catalog: Catalog, target: StackSettings) -> Finders:
    """Return the candidate finder of each platform."""
    return {
        kind: CandidateFinder(spec.offers(catalog, target), catalog, target) for kind, spec in platforms().items()
    }


def plan_managed(
    drafts: Mapping[str, Draft],
    has_cluster: bool,
    finders: Finders,
    catalog: Catalog,
    target: StackSettings,
) -> tuple[ModelPlan, ...]:
    """Return the models on managed platforms, each on the cheapest machine that fits it."""
    planned: list[ModelPlan] = []
    for draft in drafts.values():
        spec = platform_of(draft.demand.settings.platform)
        if spec.plan is None:
            continue
        taken = draft.candidates.fitting[0]
        hosting = spec.plan(draft, taken, catalog, target)
        fixed = 0.0 if has_cluster else fixed_usd_per_month(catalog, target)
        compared = (_against_nodes(draft, taken, fixed, finders),) if hosting.is_priced else ()
        planned.append(assemble(hosting, compared))
    return tuple(planned)


def _against_nodes(draft: Draft, taken: Candidate, fixed: float, finders: Finders) -> Reason:
    """Return the cost comparison of a Cloud Run model with the cheapest GKE nodes that fit it."""
    found = finders[NODES].find_candidates(_elsewhere(draft.demand, NODES)).fitting
    nodes, price = (found[0], found[0].offer.price(CapacityKind.ON_DEMAND)) if found else (None, None)
    mine = taken.offer.price(CapacityKind.ON_DEMAND)
    if nodes is None:
        return Reason(topic="break-even", text="not compared: the model fits no GKE node in this region")
    if price is None or mine is None:
        missing = nodes.offer.machine.name if price is None else "Cloud Run in this region"
        return Reason(topic="break-even", text=f"unknown: the catalogue has no price for {missing}")
    name = f"{nodes.offer.count} x {nodes.offer.accelerator.id} on GKE ({nodes.offer.machine.name}, {price.basis})"
    text = sentence(
        break_even(mine.usd_per_hour, nodes.alone(), fixed, HOURS_PER_MONTH),
        name,
        HOURS_PER_MONTH,
    )
    return Reason(topic="break-even", text=text, source=f"{mine.source}, {price.source}")


def compare_with_cloud_run(
    taken: Mapping[str, Candidate],
    drafts: Mapping[str, Draft],
    finders: Finders,
    catalog: Catalog,
    target: StackSettings,
) -> dict[str, Reason]:
    """Return, by key, the break-even of each GKE model that would fit a Cloud Run instance.

    The text does not depend on other models: it gives the figures both without and with the cluster's own cost.

    Args:
        taken: the nodes of each model.
        drafts: the models with their candidates.
        finders: the candidate finder of each platform.
        catalog: prices.
        target: the stack's settings.
    """
    fixed = fixed_usd_per_month(catalog, target)
    looked: dict[int, Candidate | None] = {}
    compared: dict[str, Reason] = {}
    for key, candidate in taken.items():
        draft = drafts[key]
        # Identical requests share their candidates.
        if id(draft.candidates) not in looked:
            looked[id(draft.candidates)] = _on_cloud_run(draft, finders, catalog)
        there, usd = looked[id(draft.candidates)], replica_usd(candidate.steps[0])
        price = there.offer.price(CapacityKind.ON_DEMAND) if there else None
        if there is None or price is None or usd is None:
            continue
        rates = (price.usd_per_hour, usd)
        shared = break_even(*rates, 0.0, HOURS_PER_MONTH)
        only = break_even(*rates, fixed, HOURS_PER_MONTH)
        text = (
            f"the model also fits {there.offer.machine.name}. {sentence(shared, 'GKE nodes', HOURS_PER_MONTH)}. "
            f"If it were the cluster's only model, GKE would cost less {summary_sentence(only)}"
        )
        compared[key] = Reason(topic="cloud-run", text=text, source=price.source)
    return compared


def _on_cloud_run(draft: Draft, finders: Finders, catalog: Catalog) -> Candidate | None:
    demand = draft.demand
    if demand.settings.lora or cloud_run.job_of(demand.largest_file_bytes, catalog) is None:
        return None
    found = finders[cloud_run.SPEC.kind].find_candidates(_elsewhere(demand, cloud_run.SPEC.kind)).fitting
    return found[0] if found else None


def _elsewhere(demand: Demand, platform: PlatformKind) -> Demand:
    """Return the same demand for another platform, free to use any accelerator there."""
    request = demand.request.changed(
        platform=platform,
        accelerator=None,
        capacity=ON_DEMAND,
        share_gpu=False,
        expert_parallel=False,
        replicas=Replicas(max=1),
        traffic=None,
    )
    return replace(demand, request=request)
