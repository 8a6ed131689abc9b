# SPDX-License-Identifier: Apache-2.0
"""A model deployed from Vertex AI's Model Garden, on a whole machine with a server that Vertex AI chooses.

Owns the machines it can use, and the messages about what such a deployment cannot do. Sources:
docs/concepts/cloud-run.md.
"""

from collections.abc import Iterator
from dataclasses import replace

from hubstack.catalog import Catalog
from hubstack.files.problems import Problem
from hubstack.inputs.models import ModelRequest
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import PlatformKind
from hubstack.names import is_own
from hubstack.plan.managed import VertexPlan
from hubstack.planner.model_plan import Draft, Hosting, PlacedDraft
from hubstack.planner.placement.candidates import Candidate
from hubstack.planner.placement.offers import Offer, list_offers
from hubstack.planner.platforms.rules import absent_accelerators, beside_nodes
from hubstack.planner.platforms.spec import PlatformSpec
from hubstack.planner.serving.choose_loading import mount_elsewhere

CHOSEN_THERE = "(Model Garden chooses the image)"


def _offers(catalog: Catalog, target: StackSettings) -> tuple[Offer, ...]:
    """Return those of GKE's offers that are whole machines with an accelerator Vertex AI has in the region."""
    words = catalog.vertex.accelerators
    return tuple(
        offer
        for offer in list_offers(catalog, target)
        if offer.accelerator.id in words
        and offer.count == offer.machine.accelerator_count
        and offer.servers_per_accelerator == 1
        and offer.hosts == 1
        and offer.machine.accelerator_fraction is None
    )


def _plan(draft: Draft, taken: Candidate, catalog: Catalog, _target: StackSettings) -> Hosting:
    """Return how a Vertex AI machine serves one model."""
    loading = mount_elsewhere(draft.demand.weights.size_bytes, "Vertex AI", catalog.load_rates)
    model = PlacedDraft(draft=draft, taken=taken, loading=loading, limits=catalog.termination)
    offer = taken.offer
    name = f"{offer.count} x {offer.accelerator.name} ({offer.machine.name})"
    vertex = VertexPlan(
        accelerator_type=catalog.vertex.accelerators[offer.accelerator.id],
        accelerator_count=offer.count,
        machine_type=offer.machine.gce_machine_type,
        accept_eula=model.settings.accept_eula,
        needs_token=model.weights.needs_token,
    )
    return Hosting(
        placed=model,
        platform_name="Vertex AI",
        server=replace(
            model.server,
            image=CHOSEN_THERE,
            version=None,
            command=(),
            args=(),
            env=(),
            metrics_path=None,
            memory_bytes=0,
            cpu_millicores=0,
            scratch_bytes=0,
        ),
        has_bucket=False,
        is_priced=False,
        why=f"{name}: the cheapest that fits at Compute Engine prices; the catalogue has no Vertex AI prices",
        vertex=vertex,
        warnings=tuple(_caveats(draft.demand.facts.commit, vertex)),
    )


def _caveats(commit: str, vertex: VertexPlan) -> Iterator[str]:
    yield f"Model Garden does not accept a revision: it may not deploy the locked commit {commit[:12]}"
    yield "Pulumi's provider does not read a Model Garden deployment back: changes made outside Pulumi go unnoticed"
    yield "almost any change except replica counts replaces the deployment, which then has a new address"
    yield "Model Garden chooses the server and its flags: the memory and context here assume hubstack's server"
    yield "the catalogue has no Vertex AI prices: the totals do not include this model"
    if not vertex.accept_eula:
        yield "Model Garden may require you to accept the model's terms: set `accept_eula: true`"
    if vertex.needs_token:
        yield "Vertex AI's API receives the Hub token (`hubstack:hfToken`) in plain text"


def _find_problems(request: ModelRequest, _region: str, catalog: Catalog) -> Iterator[Problem]:
    if is_own(request.id):
        why = f"`{request.id}` cannot be served on vertex: Model Garden deploys repositories of the Hub only"
        yield request.mark("id").problem(why, "use `platform: gke` or `platform: cloud-run`")
    yield from beside_nodes(request)
    yield from absent_accelerators(request, sorted(catalog.vertex.accelerators), catalog)
    if request.settings.replicas.min < 1:
        why = "a Model Garden deployment keeps at least one replica (`min_replica_count`)"
        hint = "set `replicas: {min: 1}`, or use `platform: cloud-run`, which costs nothing while idle"
        yield request.mark("replicas").problem(f"replicas of `{request.key}`: {why}", hint)
    if not request.settings.is_default("revision"):
        why = "Model Garden does not accept a revision: it deploys the repository's latest commit"
        yield request.mark("revision").problem(f"`{request.revision}`: {why}", "remove `revision:`")
    for setting in _CHOSEN_BY_MODEL_GARDEN:
        if not request.settings.is_default(setting):
            why = f"`{setting}` is not supported on vertex: Model Garden chooses the server and its flags"
            yield request.mark(setting).problem(
                why, "remove the key, or set `platform: cloud-run` or `platform: gke`"
            )


_CHOSEN_BY_MODEL_GARDEN = (
    "engine",
    "engine_args",
    "env",
    "file",
    "chat_template",
    "tool_call_parser",
    "reasoning_parser",
    "speculative",
    "trust_remote_code",
    "kv_cache_dtype",
)


SPEC = PlatformSpec(
    kind=PlatformKind.VERTEX,
    offers=_offers,
    find_problems=_find_problems,
    own_api="Vertex AI's prediction API",
    plan=_plan,
)
