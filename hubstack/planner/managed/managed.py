# SPDX-License-Identifier: Apache-2.0
"""Models beside GKE, and what each model would cost on the other side.

Owns which machine each takes, and the reasons that name the break-even; what it becomes there its platform's seat
knows (`hubstack.planner.platforms`). Does not own the search (`hubstack.planner.placement.candidates`) nor the
formula (`hubstack.planner.managed.break_even`).
"""

from collections.abc import Mapping
from dataclasses import replace

from hubstack.catalog import Catalog
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import CapacityKind, PlatformKind
from hubstack.plan import ModelPlan, Reason
from hubstack.planner.cost import HOURS_PER_MONTH
from hubstack.planner.managed.break_even import break_even, in_short, sentence
from hubstack.planner.model_plan import Draft
from hubstack.planner.placement.candidates import Candidate, Surveyor
from hubstack.planner.placement.engine_rules import Demand
from hubstack.planner.platforms import NODES, cloud_run, platform_of, platforms
from hubstack.planner.platforms.rules import BOUGHT_AS_IS

Surveyors = Mapping[PlatformKind, Surveyor]


def make_surveyors(catalog: Catalog, target: StackSettings) -> Surveyors:
    """Return who looks for places on each platform."""
    return {kind: Surveyor(spec.offers(catalog, target), catalog, target) for kind, spec in platforms().items()}


def plan_managed(
    drafts: Mapping[str, Draft], has_cluster: bool, surveyors: Surveyors, catalog: Catalog, target: StackSettings
) -> tuple[ModelPlan, ...]:
    """Return the models beside GKE, each on the cheapest that fits it."""
    planned: list[ModelPlan] = []
    for draft in drafts.values():
        spec = platform_of(draft.demand.request.platform)
        if spec.plan is None:
            continue
        taken = draft.candidates.fitting[0]
        model = spec.plan(draft, taken, catalog, target)
        if spec.is_priced:
            model = _with(model, _against_nodes(draft, taken, has_cluster, surveyors, catalog))
        planned.append(model)
    return tuple(planned)


def _against_nodes(
    draft: Draft, taken: Candidate, has_cluster: bool, surveyors: Surveyors, catalog: Catalog
) -> Reason:
    """Compare a Cloud Run model with the cheapest nodes that would hold it."""
    found = surveyors[NODES].survey(_elsewhere(draft.demand, NODES)).fitting
    nodes, price = (found[0], found[0].offer.price(CapacityKind.ON_DEMAND)) if found else (None, None)
    mine = taken.offer.price(CapacityKind.ON_DEMAND)
    if nodes is None:
        return Reason(topic="break-even", text="no GKE node of this region fits it: there is nothing to compare")
    if price is None or mine is None:
        missing = nodes.offer.machine.name if price is None else "Cloud Run here"
        return Reason(topic="break-even", text=f"unknown: no source gives the price of {missing}")
    name = f"{nodes.offer.count} x {nodes.offer.accelerator.id} on GKE ({nodes.offer.machine.name}, {price.basis})"
    text = sentence(
        break_even(mine.usd_per_hour, nodes.alone(), _fee(catalog, has_cluster=has_cluster), HOURS_PER_MONTH),
        name, HOURS_PER_MONTH,
    )  # fmt: skip
    return Reason(topic="break-even", text=text, source=f"{mine.source}, {price.source}")


def compare_with_cloud_run(
    models: tuple[ModelPlan, ...], drafts: Mapping[str, Draft], surveyors: Surveyors, catalog: Catalog
) -> tuple[ModelPlan, ...]:
    """Add the break-even to each GKE model that would fit an instance of Cloud Run.

    What is said of a model does not depend on the others: the cluster's fee is left out, and then put in.
    """
    looked: dict[int, Candidate | None] = {}
    compared: list[ModelPlan] = []
    for model in models:
        draft = drafts[model.key]
        # Drafts of models that are asked for alike share their candidates.
        if id(draft.candidates) not in looked:
            looked[id(draft.candidates)] = _on_cloud_run(draft, surveyors, catalog)
        there = looked[id(draft.candidates)]
        price = there.offer.price(CapacityKind.ON_DEMAND) if there else None
        if there is None or price is None or model.usd_per_replica_hour is None:
            compared.append(model)
            continue
        rates = (price.usd_per_hour, model.usd_per_replica_hour)
        shared = break_even(*rates, 0.0, HOURS_PER_MONTH)
        only = break_even(*rates, _fee(catalog, has_cluster=False), HOURS_PER_MONTH)
        text = (
            f"it would fit {there.offer.machine.name}. {sentence(shared, 'its nodes here', HOURS_PER_MONTH)}. "
            f"Were it the cluster's only model: {in_short(only)}"
        )
        compared.append(_with(model, Reason(topic="cloud-run", text=text, source=price.source)))
    return tuple(compared)


def _on_cloud_run(draft: Draft, surveyors: Surveyors, catalog: Catalog) -> Candidate | None:
    demand = draft.demand
    if demand.request.lora_slots or cloud_run.job_of(demand.largest_file_bytes, catalog) is None:
        return None
    found = surveyors[cloud_run.SPEC.kind].survey(_elsewhere(demand, cloud_run.SPEC.kind)).fitting
    return found[0] if found else None


def _elsewhere(demand: Demand, platform: PlatformKind) -> Demand:
    """Return the same model asked for on another platform, on whatever accelerator is cheapest there."""
    request = replace(
        demand.request, platform=platform, accelerators=(), capacity=BOUGHT_AS_IS, share_gpu=False,
        expert_parallel=False, replicas_max=1, traffic=None,
    )  # fmt: skip
    return replace(demand, request=request)


def _fee(catalog: Catalog, *, has_cluster: bool) -> float:
    """USD a month of a cluster that would be there for one model alone."""
    return 0.0 if has_cluster else round(catalog.gke_fee().usd_per_cluster_hour * HOURS_PER_MONTH, 2)


def _with(model: ModelPlan, reason: Reason) -> ModelPlan:
    return replace(model, reasons=(*model.reasons, reason))
