# SPDX-License-Identifier: Apache-2.0
"""GKE: nodes of the stack's own cluster, shared by its models; the solver decides where each model runs."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from hubstack.catalog import Catalog
from hubstack.files.problems import Problem
from hubstack.inputs.models import ModelRequest
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import AcceleratorKind, PlatformKind
from hubstack.plan import ModelPlan, PoolPlan, Reason
from hubstack.plan.plan import GKE_NAME
from hubstack.planner.existing_cluster import AUTOPILOT_ACCELERATORS
from hubstack.planner.model_plan import Hosting, PlacedDraft, assemble
from hubstack.planner.placement.offers import Offer, list_offers
from hubstack.planner.platforms.rules import no_eula
from hubstack.planner.platforms.spec import PlatformSpec
from hubstack.planner.serving.scaling import plan_scaling, spare_places
from hubstack.planner.serving.slo import plan_slo


def _find_problems(request: ModelRequest, _region: str, catalog: Catalog) -> Iterator[Problem]:
    yield from no_eula(request)
    settings = request.settings
    asked = [*settings.accelerators, *(step.accelerator for step in settings.capacity if step.accelerator)]
    rows = [row for word in asked if (row := catalog.accelerator(word))]
    if settings.share_gpu and rows and all(row.kind is AcceleratorKind.TPU for row in rows):
        message = (
            f"`share_gpu` is not supported on {', '.join(sorted({row.id for row in rows}))}: a TPU runs one server"
        )
        yield request.mark("share_gpu").problem(message, "remove the key, or name a GPU in `accelerator:`")


def plan_nodes(
    placed: Sequence[PlacedDraft],
    pools: Sequence[PoolPlan],
    compared: Mapping[str, Reason],
    catalog: Catalog,
    target: StackSettings,
) -> tuple[ModelPlan, ...]:
    """Return the plans of the models on nodes.

    Args:
        placed: the models on their machines.
        pools: the node pools that they share.
        compared: by model key, how their cost compares with another platform's.
        catalog: engine metrics.
        target: the stack's settings.
    """
    taken: Counter[str] = Counter()
    for model in placed:
        taken[model.taken.key] += model.places * model.replicas.max
    # Servers of one class share its pools and their free places.
    spares = {key: spare_places(key, places, pools) for key, places in taken.items()}
    planned: list[ModelPlan] = []
    for model in placed:
        metrics = catalog.engine_metrics[model.taken.kind]
        slo, why_slo = plan_slo(model.settings.slo, metrics)
        scaled = plan_scaling(model, spares[model.taken.key], metrics, target.in_team(model.settings.team))
        found = compared.get(model.request.key)
        hosting = Hosting(
            placed=model,
            platform_name=GKE_NAME,
            server=model.server,
            capacity_class=model.taken.key,
            slo=slo,
            scaling=scaled.scaling,
            max_surge=scaled.max_surge,
            reasons=(why_slo, *([found] if found else []), *scaled.reasons),
            warnings=scaled.warnings,
        )
        planned.append(assemble(hosting))
    return tuple(planned)


def _offers(catalog: Catalog, target: StackSettings) -> tuple[Offer, ...]:
    """Return the machines of the region; in an Autopilot cluster, those with accelerators that it has."""
    offers = list_offers(catalog, target)
    if target.cluster is None or not target.cluster.is_autopilot:
        return offers
    return tuple(offer for offer in offers if offer.accelerator.id in AUTOPILOT_ACCELERATORS)


SPEC = PlatformSpec(kind=PlatformKind.GKE, offers=_offers, find_problems=_find_problems)
