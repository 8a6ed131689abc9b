# SPDX-License-Identifier: Apache-2.0
"""Request + lock + catalogue + target -> Plan: size, place, serve and price, in that order.

Owns the sequence, and the problems that point into the request. Pure: `hubstack.planner.inputs` reads the files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from hubstack.catalog import Catalog
from hubstack.files.errors import LockError, PlanError
from hubstack.files.problems import MOST_GUESSED, Problem, meant, nearest
from hubstack.hub.facts import ModelFacts
from hubstack.hub.lock import Lock, check_fresh
from hubstack.inputs.measured import Measurement
from hubstack.inputs.models import ModelRequest, Request
from hubstack.inputs.models_schema import DEFAULT_CONTEXT, Settings
from hubstack.inputs.settings import StackSettings
from hubstack.names import bucket_key, bucket_name, labels
from hubstack.plan import ModelPlan, Plan, Verdict
from hubstack.plan.bill import Cost
from hubstack.plan.existing_cluster import ExistingCluster
from hubstack.plan.gateway import GatewayAuth
from hubstack.plan.network import OWN
from hubstack.plan.target import TargetPlan
from hubstack.planner.advice import sharing, unused_accelerators
from hubstack.planner.cluster_limits import limit_warnings
from hubstack.planner.cost import budget_warnings, commitment_warnings, plan_cost
from hubstack.planner.engines import spec_of
from hubstack.planner.engines.spec import EngineChoice, Refusal
from hubstack.planner.existing_cluster import cluster_warnings, needed, refused
from hubstack.planner.images import image_warnings, place_images, plan_images
from hubstack.planner.inputs import StackInputs, locked_facts
from hubstack.planner.managed.managed import (
    Finders,
    compare_with_cloud_run,
    make_candidate_finders,
    plan_managed,
)
from hubstack.planner.model.geometry import Geometry, read_geometry
from hubstack.planner.model.gguf import with_header
from hubstack.planner.model.weights import ChosenFiles, WeightsSize, choose_files, weights_size
from hubstack.planner.model_plan import Draft, PlacedDraft, loadable
from hubstack.planner.network import network_warnings
from hubstack.planner.no_place import why_nothing
from hubstack.planner.placement.candidates import Candidate, CandidateFinder
from hubstack.planner.placement.driver_rules import check_drivers, driver_warnings
from hubstack.planner.placement.engine_rules import Demand
from hubstack.planner.placement.placement_file import Place, Placement
from hubstack.planner.placement.pools import Member, plan_pools
from hubstack.planner.placement.region_rules import check_regions
from hubstack.planner.placement.solver import Wanted, assign
from hubstack.planner.placement.system_pool import max_system_nodes
from hubstack.planner.platforms import NODES, platform_of
from hubstack.planner.platforms.gke import plan_nodes
from hubstack.planner.quantized_builds import suggest_build
from hubstack.planner.serving.callers import budget_problems, caller_problems, caller_warnings, plan_callers
from hubstack.planner.serving.choose_engine import choose_engine
from hubstack.planner.serving.choose_loading import Loading, choose_loading, refuse_loading
from hubstack.planner.serving.companions import find_companions
from hubstack.planner.serving.routing import endpoints_of, plan_traffic, traffic_problems, traffic_warnings
from hubstack.planner.serving.scaling import check_activation_names
from hubstack.planner.serving.slo import metrics_in_use
from hubstack.planner.teams import quota_problems, request_problems, team_plans, with_team_labels


def plan_inputs(inputs: StackInputs, *, rebalance: bool = False) -> Plan:
    """Plan a stack from its files; `rebalance` ignores the placement file.

    Raises:
        InputError: all problems found.
    """
    placement = Placement() if rebalance else inputs.placement
    return plan_stack(
        inputs.request,
        inputs.lock,
        inputs.catalog,
        inputs.target,
        placement,
        advises=True,
        measured=inputs.measured,
    )


def plan_stack(
    request: Request,
    lock: Lock,
    catalog: Catalog,
    target: StackSettings,
    placement: Placement | None = None,
    *,
    advises: bool = False,
    measured: tuple[Measurement, ...] = (),
) -> Plan:
    """Plan a whole stack. Pure: the same arguments give the same plan.

    Args:
        request: the list of models.
        lock: the locked facts of the models.
        catalog: accelerators, machine types, prices and engines.
        target: the stack's settings.
        placement: earlier places of models, kept while they fit. Default: none.
        advises: whether to look for a cheaper request, which plans a second time.
        measured: measurements of the stack's models; rows of other setups are ignored.

    Raises:
        LockError: a requested model or revision is not in the lock.
        PlanError: a model cannot be served or does not fit any machine.
    """
    locked = _locked(request, lock)
    check_regions(catalog, target)
    if unowned := list(request_problems(request, target, catalog)):
        raise PlanError(unowned)
    request = with_team_labels(request, target)
    check_drivers(catalog, target)
    unrouted = [
        *traffic_problems(_on_gke(request), target.gateway, has_callers=bool(target.callers)),
        *caller_problems(request, target),
    ]
    if unrouted:
        raise PlanError(unrouted)
    finders = make_candidate_finders(catalog, target)
    finder = finders[NODES]
    surveyed = _survey(request, locked, catalog, finders, target, measured)
    drafts = {key: each for key, each in surveyed.items() if each.demand.settings.platform is NODES}
    placement = placement or Placement()
    kept, moved = _kept(drafts, placement.following(request.models), finder)
    drafts = _with_shared(drafts, kept, finder)
    assigned = assign([_wanted(draft, kept.get(key)) for key, draft in drafts.items()], kept)
    loadings = _loadings(drafts, assigned.taken, catalog, target)
    placed = [
        PlacedDraft(
            draft=drafts[key],
            taken=taken,
            loading=loadings[key],
            limits=catalog.termination,
            moved=moved.get(key),
        )
        for key, taken in assigned.taken.items()
    ]
    pools, classes = plan_pools(Member(each.request.key, each.replicas.max, each.taken) for each in placed)
    compared = compare_with_cloud_run(assigned.taken, surveyed, finders, catalog, target)
    nodes = plan_nodes(placed, pools, compared, catalog, target)
    check_activation_names(nodes, request.models)
    managed_models = plan_managed(surveyed, bool(nodes), finders, catalog, target)
    if target.teams and (exceeded := list(quota_problems(nodes, target))):
        raise PlanError(exceeded)
    published = tuple(sorted((*nodes, *managed_models), key=lambda model: model.key))
    images = plan_images(lock, target)
    models = tuple(place_images(model, images) for model in published)
    cost = plan_cost(models, pools, catalog, target)

    def bill_of(other: Request, moving: frozenset[str]) -> Cost | None:
        """Return the bill of another request if some models may move; None if it does not fit."""
        places = {key: place for key, place in placement.models.items() if key not in moving}
        try:
            kept_places = replace(placement, models=places)
            return plan_stack(other, lock, catalog, target, kept_places, measured=measured).cost
        except PlanError:
            return None

    gateway = target.gateway if nodes else None
    traffic = plan_traffic(nodes, gateway) if gateway else None
    cluster = target.cluster if nodes else None
    if cluster:
        needs = needed(target, nodes, pools, gateway, picked=bool(traffic and traffic.picked))
        cluster = replace(cluster, needs=needs)
        _check_cluster(cluster, nodes, request)
    callers = plan_callers(nodes, target, catalog) if gateway and target.callers else None
    if callers and (unpriced := list(budget_problems(callers, target))):
        raise PlanError(unpriced)
    return Plan(
        target=TargetPlan(
            stack=target.stack,
            project=target.project,
            region=target.region,
            namespace=target.namespace,
            deletion_protection=target.deletion_protection,
            release_channel=target.release_channel,
            maintenance=target.maintenance,
            labels=labels(target.stack, target.labels),
            keda_namespace=target.keda_namespace,
            requires_api_key=gateway is not None and gateway.auth is GatewayAuth.API_KEYS,
            security=target.security,
            network=target.network,
            images=images,
            cluster=cluster,
            teams=team_plans(nodes, target, catalog),
            secret_versions=target.secret_versions.plan if target.secret_versions else None,
        ),
        models=models,
        pools=pools,
        classes=classes,
        cost=cost,
        monitoring=target.monitoring,
        warnings=(
            *request.warnings,
            *target.warnings,
            *budget_warnings(cost, target.settings_name),
            *commitment_warnings(models, pools, catalog, target),
            *(f"{model.key}: {warning}" for model in models for warning in model.warnings),
            *driver_warnings(models, pools, catalog),
            *limit_warnings(models, pools, target.network or OWN),
            *(network_warnings(target.network) if nodes and target.network and not cluster else ()),
            *(cluster_warnings(cluster, target, nodes) if cluster else ()),
            *traffic_warnings(nodes, target.gateway),
            *image_warnings(published, lock, catalog, target),
            *_gateway_warnings(nodes, managed_models, target),
            *(caller_warnings(nodes, callers, target) if callers else ()),
            *unused_accelerators(models, cost, drafts, finder),
        ),
        advice=tuple(sharing(request, models, cost, bill_of)) if advises else (),
        gateway=gateway,
        traffic=traffic,
        callers=callers,
        endpoints=endpoints_of(nodes, {each.key: target.in_team(each.team).namespace for each in nodes}),
        buckets={
            model.key: bucket_name(target.project, target.stack, bucket_key(model))
            for model in models
            if model.has_bucket
        },
        max_system_nodes=max_system_nodes(len(nodes)) if nodes and not cluster else 0,
        engine_metrics=metrics_in_use(nodes, catalog.engine_metrics) if target.monitoring else {},
    )


def places_of(plan: Plan) -> dict[str, Place]:
    """Return the places of a plan's models, for the placement file."""
    return {
        model.key: Place(
            machine_type=model.machine_type,
            accelerators=model.accelerator_count // model.hosts,
            nodes=model.hosts,
            servers_per_accelerator=model.servers_per_accelerator,
        )
        for model in plan.on_gke
    }


def _survey(
    request: Request,
    locked: "_Locked",
    catalog: Catalog,
    finders: Finders,
    target: StackSettings,
    measured: tuple[Measurement, ...] = (),
) -> dict[str, Draft]:
    """Return every model with its candidates, or raise a PlanError with all problems."""
    problems: list[Problem] = []
    refused: set[str] = set()
    drafts: dict[str, Draft] = {}
    done: dict[tuple[object, ...], Draft] = {}
    for model in request.models:
        unknown = [
            *_unknown_words(model, catalog, target),
            *platform_of(model.settings.platform).find_problems(model, target.region, catalog),
        ]
        if unknown:
            problems += unknown
            refused.add(model.key)
            continue
        # Identical requests under several names share one search.
        signature = (model.id, locked.models[model.key].commit, _what_is_asked(model.settings))
        alike = done.get(signature)
        if alike:
            drafts[model.key] = replace(alike, demand=replace(alike.demand, request=model))
            continue
        draft = _draft(model, locked, catalog, finders[model.settings.platform], measured)
        if isinstance(draft, Draft):
            refusal = platform_of(model.settings.platform).refuse(draft, catalog)
            if not draft.candidates.fitting:
                is_tried = len(problems) < MOST_GUESSED
                why = why_nothing(draft, finders, catalog, target, is_tried=is_tried)
                draft = [_refused(model, why)]
            elif refusal:
                draft = [_refused(model, refusal)]
        if isinstance(draft, list):
            problems += draft
            refused.add(model.key)
        else:
            drafts[model.key] = done[signature] = draft
    if problems:
        raise PlanError(problems, models=refused)
    return drafts


def _what_is_asked(settings: Settings) -> str:
    """Return the settings that determine where a model fits, as text to compare."""
    elsewhere = {"scaling", "canary", "labels", "team"} | (set[str]() if settings.traffic else {"replicas"})
    return settings.model_dump_json(exclude_unset=True, exclude=elsewhere)


def _wanted(draft: Draft, kept: Candidate | None = None) -> Wanted:
    demand = draft.demand
    servers = (kept or draft.candidates.fitting[0]).servers(demand.settings)
    return Wanted(key=demand.request.key, servers=servers, candidates=draft.candidates.fitting)


def _kept(
    drafts: Mapping[str, Draft], placement: Placement, finder: CandidateFinder
) -> tuple[dict[str, Candidate], dict[str, str]]:
    """Return the models that keep their places, and the reasons of those that must move."""
    kept: dict[str, Candidate] = {}
    moved: dict[str, str] = {}
    for key, draft in drafts.items():
        place = placement.models.get(key)
        if place is None:
            continue
        looked = finder.find_candidates(draft.demand, only=frozenset({place.machine_type}))
        stays = next((c for c in (*draft.candidates.fitting, *looked.fitting) if Place.of(c.offer) == place), None)
        if stays and (stays.verdict is Verdict.FITS or draft.candidates.fitting[0].verdict is not Verdict.FITS):
            kept[key] = stays
            continue
        tried = next((t for t in looked.tried if Place.of(t.offer) == place), None)
        near = f"it is not certain to fit there ({'; '.join(stays.doubts)})" if stays else None
        why = (tried and tried.why_not) or near or f"{place.machine_type} is no longer an option"
        moved[key] = f"the model moves from {place.accelerators} x {place.machine_type}: {why}"
    return kept, moved


def _with_shared(
    drafts: Mapping[str, Draft], kept: Mapping[str, Candidate], finder: CandidateFinder
) -> dict[str, Draft]:
    """Add candidates on nodes where other models may leave free places, whatever they cost on their own."""
    # Only nodes that some model uses in part even on its own: others save almost nothing.
    candidates = [draft.candidates.fitting[0] for draft in drafts.values()] + list(kept.values())
    machines = frozenset(c.offer.machine.name for c in candidates if c.offer.units > c.offer.taken)
    if not machines:
        return dict(drafts)
    grown: dict[str, Draft] = {}
    done: dict[int, Draft] = {}
    for key, draft in drafts.items():
        found = draft.candidates
        if found.fitting[0].offer.hosts > 1:
            grown[key] = draft
            continue
        if id(found) not in done:
            have = {c.key for c in found.fitting}
            more = finder.find_candidates(draft.demand, only=machines).fitting
            sure = found.fitting[0].verdict
            new = [c for c in more if c.key not in have and c.verdict is sure and c.offer.hosts == 1]
            wanted = found.fitting[0].servers(draft.demand.settings)
            new = [c for c in new if c.servers(draft.demand.settings) == wanted]
            done[id(found)] = replace(draft, candidates=replace(found, fitting=(*found.fitting, *new)))
        grown[key] = replace(done[id(found)], demand=draft.demand)
    return grown


def _loadings(
    drafts: Mapping[str, Draft], assigned: Mapping[str, Candidate], catalog: Catalog, target: StackSettings
) -> dict[str, Loading]:
    """Return how each placed model loads its weights, or raise a PlanError if a requested method is impossible."""
    found: dict[str, Loading] = {}
    problems: list[Problem] = []
    for key, taken in assigned.items():
        request = drafts[key].demand.request
        what = loadable(drafts[key], taken, target)
        loading = choose_loading(request.settings.loading, request.settings.cache, what, catalog.load_rates)
        hosts = taken.offer.hosts
        if request.settings.batch and hosts > 1:
            why = f"has a `batch`, but takes {hosts} nodes: its Job has one pod"
            hint = "remove the key, or name a larger machine's accelerator, with which one node is enough"
            problems.append(_refused(request, Refusal(why=why, hint=hint, field="batch")))
        elif isinstance(loading, Refusal):
            problems.append(_refused(request, loading))
        else:
            found[key] = loading
    if problems:
        raise PlanError(problems, models=assigned.keys() - found.keys())
    return found


@dataclass(frozen=True, slots=True)
class _Locked:
    """The locked facts of a request."""

    models: Mapping[str, ModelFacts]
    """By key."""
    companions: Mapping[tuple[str, str], ModelFacts]
    """Of the repositories that are served with models, by ID and revision."""


def _locked(request: Request, lock: Lock) -> _Locked:
    """Return the locked facts of a request, or raise a LockError for repositories that are missing."""
    found = locked_facts(request, lock)
    freshness = check_fresh(lock, request.repositories)
    stale = {(entry.id, entry.revision): entry.locked_revisions for entry in freshness.stale}
    problems: list[Problem] = []
    models: set[str] = set()
    for model in request.models:
        for repo_id, revision, field in ((model.id, model.revision, "id"), *model.companions):
            if lock.get(repo_id, revision) is not None:
                continue
            models.add(model.key)
            others = stale.get((repo_id, revision))
            if others:
                said = f"`{repo_id}` is locked at revision `{', '.join(others)}`, not at `{revision}`"
                mark = model.mark("revision" if field == "id" else field)
                problems.append(mark.problem(f"the lock is stale: {said}", "run `hubstack lock`"))
                continue
            near = nearest(repo_id, [facts.id for facts in lock.models])
            meant = f"; or did you mean `{near}`?" if near else ""
            hint = f"run `hubstack lock` and commit the lock file{meant}"
            problems.append(model.mark(field).problem(f"`{repo_id}` is not in the lock", hint))
    if problems:
        raise LockError(problems, models=models)
    pairs = {pair for model in request.models for pair in model.repositories[1:]}
    return _Locked(found, {pair: facts for pair in pairs if (facts := lock.get(*pair))})


def _unknown_words(model: ModelRequest, catalog: Catalog, target: StackSettings) -> list[Problem]:
    """Return a problem for every accelerator, zone and machine type that is not in the catalogue."""
    problems = list(_unknown_version(model, catalog))
    asked = [("accelerator", word) for word in model.settings.accelerators]
    asked += [("capacity", step.accelerator) for step in model.settings.capacity if step.accelerator]
    for field, word in asked:
        if catalog.accelerator(word) is None:
            near = catalog.accelerators_meant(word)
            hint = meant(near) if near else f"known: {', '.join(sorted(catalog.accelerators))}"
            problems.append(model.mark(field).problem(f"`{word}` is not an accelerator in the catalogue", hint))
    zones = [zone for step in model.settings.capacity for zone in step.zones]
    known = sorted({z for name in catalog.accelerators if zones for z in catalog.zones(name, target.region)})
    for zone in zones:
        if zone not in known:
            hint = f"zones of {target.region} with accelerators: {', '.join(known)}"
            problems.append(model.mark("capacity").problem(f"`{zone}` is not a zone of this stack", hint))
    machines = {name for row in catalog.machine_types.values() for name in (row.name, row.gce_machine_type)}
    for step in model.settings.capacity:
        if step.machine_type and step.machine_type not in machines:
            near = nearest(step.machine_type, machines)
            hint = (
                f"did you mean `{near}`?" if near else "machine types with accelerators: docs/reference/catalog.md"
            )
            message = f"`{step.machine_type}` is not a machine type with accelerators"
            problems.append(model.mark("capacity").problem(message, hint))
    return problems


def _unknown_version(model: ModelRequest, catalog: Catalog) -> Iterator[Problem]:
    engine = model.settings.engine
    if engine is None or engine.version is None:
        return
    known = catalog.versions_of(engine.kind)
    if engine.version not in known:
        hint = f"versions of {engine.kind}: {', '.join(known)}; docs/guides/pin-engine.md explains how to add one"
        message = f"the catalogue has no {engine.kind} {engine.version}"
        yield model.mark("engine.version").problem(message, hint)


def _draft(
    request: ModelRequest,
    locked: "_Locked",
    catalog: Catalog,
    finder: CandidateFinder,
    measured: tuple[Measurement, ...],
) -> Draft | list[Problem]:
    read = _demand(request, locked, catalog, measured)
    if isinstance(read, list):
        return read
    demand, chosen, context_why = read
    candidates = finder.find_candidates(demand)
    build = suggest_build(demand, chosen, candidates, finder)
    if build:
        choice = demand.choice
        demand = replace(demand, choice=replace(choice, reasons=(*choice.reasons, build)))
    return Draft(demand=demand, chosen=chosen, candidates=candidates, context_why=context_why)


def _demand(
    request: ModelRequest, locked: "_Locked", catalog: Catalog, measured: tuple[Measurement, ...]
) -> tuple[Demand, ChosenFiles, str] | list[Problem]:
    """Return what placement needs to know about a model, its files, and the reason for its context."""
    facts = locked.models[request.key]
    chosen = choose_files(facts, gguf_file=request.settings.file, code=request.settings.trust_remote_code)
    facts = with_header(facts, chosen)
    geometry = read_geometry(facts)
    choice = choose_engine(request, facts, geometry, chosen, catalog)
    if not isinstance(choice, EngineChoice):
        return [_refused(request, refusal) for refusal in choice]
    unloadable = refuse_loading(
        request.settings.loading,
        request.settings.cache,
        choice.kind,
        chosen.format,
        pooling=choice.pooling,
        chat_template=bool(request.settings.chat_template) and not request.settings.is_template_mounted,
    )
    if unloadable:
        return [_refused(request, unloadable)]
    size = weights_size(facts, chosen, geometry)
    missing = _missing(choice, geometry, size)
    if size is None or missing:
        return [_refused(request, _cannot_size(facts, missing))]
    companions = find_companions(request, facts, geometry, locked.companions, choice.engine)
    if isinstance(companions, list):
        return [_refused(request, refusal) for refusal in companions]
    context, context_why = _context(request, geometry)
    if context is None:
        return [_refused(request, Refusal(why=context_why, field="context"))]
    demand = Demand(
        request=request,
        facts=facts,
        geometry=geometry,
        choice=choice,
        weights=size,
        largest_file_bytes=_largest(chosen, size),
        context=context,
        measured=measured,
        companions=companions,
    )
    return demand, chosen, context_why


def _cannot_size(facts: ModelFacts, missing: str) -> Refusal:
    """Return the refusal for missing values: the lock has no config at all, or a config that does not give them."""
    if facts.config:
        why = f"cannot be sized: its config.json does not give its {missing} in a form that hubstack reads"
        return Refusal(why=why)
    hint = "run `hubstack lock` again with a token that can read the repository"
    return Refusal(why=f"cannot be sized: the lock does not have its {missing}", hint=hint)


def demand_of(inputs: StackInputs, key: str) -> Demand:
    """Return what placement needs to know about one model, as `plan_inputs` reads it.

    Raises:
        InputError: the model cannot be served.
    """
    (request,) = (model for model in inputs.request.models if model.key == key)
    read = _demand(request, _locked(inputs.request, inputs.lock), inputs.catalog, inputs.measured)
    if isinstance(read, list):
        raise PlanError(read)
    return read[0]


def _refused(request: ModelRequest, refusal: Refusal) -> Problem:
    other = "choose another model, or another build of it: docs/concepts/serving.md"
    default = other if refusal.field == "id" else f"change or remove `{refusal.field}:`"
    message, hint = f"`{request.id}` {refusal.why}", refusal.hint or default
    return request.mark(refusal.field).problem(message, hint, is_secret=refusal.is_secret)


def _missing(choice: EngineChoice, geometry: Geometry, size: WeightsSize | None) -> str:
    """Return the names of values that sizing needs but the lock does not have."""
    if size is None:
        return "weights' size or parameter count"
    if not spec_of(choice.kind).memory.needs_dimensions:
        return ""
    needed = {
        "layers": geometry.layers,
        "attention heads": geometry.heads or geometry.latent or geometry.state_layers,
        "hidden size": geometry.hidden,
        "vocabulary size": geometry.vocab,
    }
    return " and ".join(name for name, value in needed.items() if not value)


def _context(request: ModelRequest, geometry: Geometry) -> tuple[int | None, str]:
    own = geometry.max_context
    if request.settings.context is None:
        context = min(own or DEFAULT_CONTEXT, DEFAULT_CONTEXT)
        limit = f"the model allows {own:,}" if own else "the lock does not have the model's limit"
        return context, f"{context:,} tokens by default; {limit}"
    if own and request.settings.context > own:
        return None, f"supports at most {own:,} tokens, but `context:` is {request.settings.context:,}"
    return request.settings.context, f"{request.settings.context:,} tokens, as set by `context:`"


def _largest(chosen: ChosenFiles, size: WeightsSize) -> int:
    """Return the bytes of the largest file; if none is listed, assume transformers' 5 GB shards."""
    listed = max((file.size_bytes for file in chosen.weights), default=0)
    return listed or min(size.size_bytes, 5_000_000_000)


def _on_gke(request: Request) -> Request:
    """Return the request with only the models that a gateway can serve."""
    return replace(request, models=tuple(m for m in request.models if m.settings.platform is NODES))


def _check_cluster(cluster: ExistingCluster, models: tuple[ModelPlan, ...], request: Request) -> None:
    """Raise a PlanError with the models that cannot run in an existing cluster."""
    by_key = {model.key: model for model in request.models}
    problems: list[Problem] = []
    keys: set[str] = set()
    for key, field, why, hint in refused(cluster, models):
        asked = by_key[key]
        problems.append(asked.mark(field if field in asked.marks else "id").problem(f"`{key}` {why}", hint))
        keys.add(key)
    if problems:
        raise PlanError(problems, models=keys)


def _gateway_warnings(
    nodes: tuple[ModelPlan, ...], managed_models: tuple[ModelPlan, ...], target: StackSettings
) -> Iterator[str]:
    if target.gateway is None or not managed_models:
        return
    own = ", ".join(model.key for model in managed_models)
    yield f"the gateway serves models on GKE only, not {own}: see `pulumi stack output endpoints`"
    if not nodes:
        yield "no model runs on GKE, so no gateway is created"
