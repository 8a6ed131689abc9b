# SPDX-License-Identifier: Apache-2.0
"""Models beside GKE, and what each model would cost on the other side.

Owns how a surveyed model becomes a Cloud Run service or a Vertex AI deployment, and the reasons that name the
break-even. Does not own the search (`hubstack.planner.placement.candidates`) nor the formula
(`hubstack.planner.managed.break_even`).
"""

from collections.abc import Mapping
from dataclasses import replace

from hubstack.catalog import Catalog
from hubstack.inputs.settings import Target
from hubstack.kinds import CapacityKind, PlatformKind
from hubstack.plan import ModelPlan, Reason
from hubstack.planner.cost import HOURS_PER_MONTH
from hubstack.planner.engines.spec import Refusal
from hubstack.planner.managed import cloud_run, vertex
from hubstack.planner.managed.break_even import break_even, in_short, sentence
from hubstack.planner.managed.platform_rules import BOUGHT_AS_IS
from hubstack.planner.model_plan import Draft
from hubstack.planner.placement.candidates import Candidate, Surveyor
from hubstack.planner.placement.engine_rules import Demand
from hubstack.planner.placement.offers import list_offers

Surveyors = Mapping[PlatformKind, Surveyor]


def make_surveyors(catalog: Catalog, target: Target) -> Surveyors:
    """Return who looks for places on each platform."""
    nodes = list_offers(catalog, target)
    offers = {
        PlatformKind.GKE: nodes,
        PlatformKind.CLOUD_RUN: cloud_run.list_offers(catalog, target),
        PlatformKind.VERTEX: vertex.keep_offers(nodes, catalog),
    }
    return {kind: Surveyor(each, catalog, target) for kind, each in offers.items()}


def refusal_of(draft: Draft, catalog: Catalog) -> Refusal | None:
    """Say why a model that fits cannot be brought there; None where it can."""
    demand = draft.demand
    if demand.request.platform is not PlatformKind.CLOUD_RUN:
        return None
    largest = demand.largest_file_bytes
    return None if cloud_run.job_of(largest, catalog) else cloud_run.too_large(largest, catalog)


def plan_light(
    drafts: Mapping[str, Draft], has_cluster: bool, surveyors: Surveyors, catalog: Catalog, target: Target
) -> tuple[ModelPlan, ...]:
    """Return the models beside GKE, each on the cheapest that fits it."""
    return tuple(
        _plan(draft, has_cluster, surveyors, catalog, target)
        for draft in drafts.values() if draft.demand.request.platform is not PlatformKind.GKE
    )  # fmt: skip


def _plan(draft: Draft, has_cluster: bool, surveyors: Surveyors, catalog: Catalog, target: Target) -> ModelPlan:
    taken = draft.candidates.fitting[0]
    if draft.demand.request.platform is PlatformKind.VERTEX:
        return vertex.plan_deployment(draft, taken, catalog)
    job = cloud_run.job_of(draft.demand.largest_file_bytes, catalog)
    if job is None:  # `refusal_of` has refused it
        raise ValueError(f"{draft.demand.request.key} has a file that no Job copies")
    model = cloud_run.plan_service(draft, taken, job, catalog, target)
    return _with(model, _against_nodes(draft, taken, has_cluster, surveyors, catalog))


def _against_nodes(
    draft: Draft, taken: Candidate, has_cluster: bool, surveyors: Surveyors, catalog: Catalog
) -> Reason:
    """Compare a Cloud Run model with the cheapest nodes that would hold it."""
    found = surveyors[PlatformKind.GKE].survey(_elsewhere(draft.demand, PlatformKind.GKE)).fitting
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
    found = surveyors[PlatformKind.CLOUD_RUN].survey(_elsewhere(demand, PlatformKind.CLOUD_RUN)).fitting
    return found[0] if found else None


def _elsewhere(demand: Demand, platform: PlatformKind) -> Demand:
    """Return the same model asked for on another platform, on whatever accelerator is cheapest there."""
    request = replace(
        demand.request, platform=platform, accelerators=(), capacity=BOUGHT_AS_IS, share_gpu=False,
        expert_parallel=False, replicas_max=1,
    )  # fmt: skip
    return replace(demand, request=request)


def _fee(catalog: Catalog, *, has_cluster: bool) -> float:
    """USD a month of a cluster that would be there for one model alone."""
    return 0.0 if has_cluster else round(catalog.gke_fee().usd_per_cluster_hour * HOURS_PER_MONTH, 2)


def _with(model: ModelPlan, reason: Reason) -> ModelPlan:
    return replace(model, reasons=(*model.reasons, reason))
