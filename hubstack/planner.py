# SPDX-License-Identifier: Apache-2.0
"""Request + lock + catalogue + target -> Plan: size, place, serve, price, in that order.

Owns the sequence and the problems that point back into the request. `plan_stack` is pure; `plan_environment`
reads the files for it and is what `__main__.py` calls.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from hubstack.architecture import Geometry, read_geometry
from hubstack.catalog import Catalog, load_catalog
from hubstack.cost import plan_cost
from hubstack.engine import EngineChoice, Refusal, choose_engine
from hubstack.errors import InputError, LockError, PlanError
from hubstack.facts import ModelFacts
from hubstack.lock import Lock, check_fresh, load_lock, lock_path
from hubstack.names import labels
from hubstack.placement import Demand, Placed, class_key, place_model, plan_pools
from hubstack.plan import (
    Cost,
    EngineKind,
    ModelPlan,
    Plan,
    Reason,
    Replicas,
    TargetPlan,
    Verdict,
    WeightsFile,
    WeightsPlan,
)
from hubstack.problems import Problem, nearest
from hubstack.request import DEFAULT_CONTEXT, ModelRequest, Request, load_request
from hubstack.serving import MODEL_DIR, Serving, Shape, plan_server
from hubstack.target import Target, read_target
from hubstack.weights import OTHER_COPIES, ChosenFiles, WeightsFormat, WeightsSize, choose_files, weights_size

LOADER_IMAGE = "python:3.12-slim-bookworm"
LOADER_REQUIREMENTS = ("huggingface_hub==2.4.0",)


def plan_environment(project_dir: Path, stack: str, config: Mapping[str, str]) -> Plan:
    """Read one environment's files and plan it.

    Args:
        project_dir: folder of Pulumi.yaml; paths in the config are relative to it.
        stack: name of the Pulumi stack.
        config: full config key (`gcp:project`) to text, as Pulumi hands it to a program.

    Raises:
        InputError: with every problem found.
    """
    target = read_target(stack, config)
    path = project_dir / target.models_path
    request = load_request(path, target.models_path)
    lock_name = str(lock_path(Path(target.models_path)))
    lock = load_lock(lock_path(path), lock_name)
    return plan_stack(request, lock, load_catalog(), target)


def plan_stack(request: Request, lock: Lock, catalog: Catalog, target: Target) -> Plan:
    """Plan a whole stack. Pure: the same arguments give the same plan.

    Raises:
        LockError: the lock does not hold what was asked.
        PlanError: a model is refused or fits nothing, or the budget is too small.
    """
    facts = _facts(request, lock)
    problems: list[Problem] = []
    placed: list[tuple[ModelPlan, Shape, ModelRequest]] = []
    _check_region(catalog, target)
    for model in request.models:
        unknown = _unknown_accelerators(model, catalog)
        if unknown:
            problems += unknown
            continue
        planned = _plan_model(model, facts[model.key], catalog, target)
        if isinstance(planned, list):
            problems += planned
        else:
            placed.append((*planned, model))
    if problems:
        raise PlanError(problems)
    models = tuple(model for model, _, _ in placed)
    pools, classes = plan_pools(((m, s, r.capacity) for m, s, r in placed), catalog, target)
    cost = plan_cost(models, pools, catalog, target)
    _check_budget(cost, target)
    return Plan(
        target=TargetPlan(
            stack=target.stack, project=target.project, region=target.region, namespace=target.namespace,
            deletion_protection=target.deletion_protection, labels=labels(target.stack),
        ),
        models=models,
        pools=pools,
        classes=classes,
        cost=cost,
        warnings=(
            *(f"{model.key}: {warning}" for model in models for warning in model.warnings),
            *_budget_warnings(cost, target),
        ),
    )  # fmt: skip


def _facts(request: Request, lock: Lock) -> dict[str, ModelFacts]:
    """Return the facts of each model by key, or raise a problem for each that the lock lacks."""
    found = {model.key: facts for model in request.models if (facts := lock.get(model.id, model.revision))}
    freshness = check_fresh(lock, ((model.id, model.revision) for model in request.models))
    stale = {(entry.id, entry.revision): entry.locked_revisions for entry in freshness.stale}
    problems: list[Problem] = []
    for model in request.models:
        if model.key in found:
            continue
        others = stale.get((model.id, model.revision))
        if others:
            said = f"`{model.id}` is locked at revision `{', '.join(others)}`, not at `{model.revision}`"
            problems.append(model.mark("revision").problem(f"the lock is stale: {said}", "run `hubstack lock`"))
            continue
        near = nearest(model.id, [facts.id for facts in lock.models])
        meant = f"; or did you mean `{near}`?" if near else ""
        hint = f"run `hubstack lock` and commit what it writes{meant}"
        problems.append(model.mark("id").problem(f"`{model.id}` is not in the lock", hint))
    if problems:
        raise LockError(problems)
    return found


def _check_region(catalog: Catalog, target: Target) -> None:
    known = catalog.all_regions()
    if target.region not in known:
        near = nearest(target.region, known)
        hint = f"did you mean `{near}`?" if near else f"regions with accelerators: {', '.join(known)}"
        message = f"`gcp:region` is `{target.region}`, where the catalogue lists no accelerator"
        raise InputError([Problem(path=f"Pulumi.{target.stack}.yaml", message=message, hint=hint)])


def _unknown_accelerators(model: ModelRequest, catalog: Catalog) -> list[Problem]:
    problems: list[Problem] = []
    for word in model.accelerators:
        if catalog.accelerator(word) is None:
            near = nearest(word, catalog.accelerator_words())
            hint = f"did you mean `{near}`?" if near else f"known: {', '.join(sorted(catalog.accelerators))}"
            problems.append(model.mark("accelerator").problem(f"`{word}` is no accelerator", hint))
    return problems


def _plan_model(
    request: ModelRequest, facts: ModelFacts, catalog: Catalog, target: Target
) -> tuple[ModelPlan, Shape] | list[Problem]:
    chosen = choose_files(facts, gguf_file=request.file)
    geometry = read_geometry(facts)
    choice = choose_engine(request, facts, geometry, chosen, catalog)
    if not isinstance(choice, EngineChoice):
        return [_refused(request, refusal) for refusal in choice]
    size = weights_size(facts, chosen, geometry)
    missing = _missing(choice, geometry, size)
    if size is None or missing:
        why = f"the lock gives no {missing}, so its memory cannot be computed"
        return [_refused(request, Refusal(why=why, hint="run `hubstack lock` again, with a token that has access"))]
    context, context_why = _context(request, geometry)
    if context is None:
        return [_refused(request, Refusal(why=context_why, field="context"))]
    demand = Demand(
        request=request, facts=facts, geometry=geometry, choice=choice, weights=size,
        largest_file_bytes=_largest(chosen, size), context=context,
    )  # fmt: skip
    placed = place_model(demand, catalog, target)
    if isinstance(placed, str):
        hint = "lower `context:` or `concurrency:`, allow other accelerators or capacity, or change the region"
        field = next((f for f in ("accelerator", "capacity", "context") if f in request.marks), "id")
        return [_refused(request, Refusal(why=placed, hint=hint, field=field))]
    choice = replace(choice, engine=placed.engine, kind=placed.kind)
    return _assemble(demand, choice, chosen, placed, context_why), placed.shape


def _refused(request: ModelRequest, refusal: Refusal) -> Problem:
    return request.mark(refusal.field).problem(f"`{request.id}` {refusal.why}", refusal.hint)


def _missing(choice: EngineChoice, geometry: Geometry, size: WeightsSize | None) -> str:
    """Name what sizing needs and the lock does not hold."""
    if size is None:
        return "size or parameter count of its weights"
    if choice.kind is not EngineKind.VLLM:
        return ""
    needed = {
        "layers": geometry.layers, "attention heads": geometry.heads or geometry.latent or geometry.state_layers,
        "hidden size": geometry.hidden, "vocabulary size": geometry.vocab,
    }  # fmt: skip
    return " and ".join(name for name, value in needed.items() if not value)


def _context(request: ModelRequest, geometry: Geometry) -> tuple[int | None, str]:
    own = geometry.max_context
    if request.context is None:
        context = min(own or DEFAULT_CONTEXT, DEFAULT_CONTEXT)
        limit = f"the model's own limit is {own:,}" if own else "the lock does not give the model's limit"
        return context, f"{context:,} tokens by default; {limit}"
    if own and request.context > own:
        return None, f"takes at most {own:,} tokens, and {request.context:,} were asked for"
    return request.context, f"{request.context:,} tokens were asked for"


def _largest(chosen: ChosenFiles, size: WeightsSize) -> int:
    """Return the largest file; where none is listed, shards of 5 GB as transformers writes them."""
    listed = max((file.size_bytes for file in chosen.weights), default=0)
    return listed or min(size.size_bytes, 5_000_000_000)


def _assemble(
    demand: Demand, choice: EngineChoice, chosen: ChosenFiles, placed: Placed, context_why: str
) -> ModelPlan:
    request, facts, shape = demand.request, demand.facts, placed.shape
    weights = _weights(demand, chosen)
    server = plan_server(Serving(
        request=request, facts=facts, geometry=demand.geometry, choice=choice, shape=shape, need=placed.need,
        load=placed.load, load_bytes=demand.weights.size_bytes, model_path=weights.model_path,
        format=chosen.format,
    ))  # fmt: skip
    per_replica = (
        placed.price.usd_per_hour * shape.count / shape.machine.accelerator_count if placed.price else None
    )
    return ModelPlan(
        key=request.key,
        id=facts.id,
        revision=facts.revision,
        commit=facts.commit,
        license=facts.license_name or facts.license,
        gated=facts.gated is not None,
        accelerator=shape.accelerator.id,
        accelerator_name=shape.accelerator.name,
        accelerator_kind=shape.accelerator.kind,
        gke_accelerator=shape.accelerator.gke_label,
        machine_type=shape.machine.name,
        accelerator_count=shape.count,
        tensor_parallel=shape.tensor_parallel,
        tpu_topology=shape.topology,
        capacity_class=class_key(shape, request.capacity),
        replicas=Replicas(min=request.replicas_min, max=request.replicas_max),
        need=placed.need,
        server=server,
        weights=weights,
        usd_per_replica_hour=per_replica,
        reasons=(
            *choice.reasons,
            Reason(topic="weights", text=demand.weights.how, source="lock"),
            Reason(topic="context", text=context_why, source="lock and request"),
            Reason(topic="accelerator", text=placed.why, source=placed.price.source if placed.price else None),
        ),
        rejected=placed.rejected,
        warnings=(*choice.warnings, *_placement_warnings(demand, placed)),
    )


def _placement_warnings(demand: Demand, placed: Placed) -> Iterator[str]:
    if placed.need.verdict is Verdict.UNCERTAIN:
        yield "its memory is near the line: it may not start"
    if placed.kind is EngineKind.VLLM_TPU and not placed.engine.uses_of(demand.geometry.name):
        yield f"{demand.geometry.name} is not on the tested list of vLLM for TPU"


def _weights(demand: Demand, chosen: ChosenFiles) -> WeightsPlan:
    facts = demand.facts
    files = tuple(
        WeightsFile(path=file.path, size_bytes=file.size_bytes, sha256=file.sha256, git_oid=file.git_oid)
        for file in sorted((*chosen.weights, *chosen.side), key=lambda file: file.path)
    )
    # Without its config.json a list cannot be the whole repository; the loader then asks the Hub for the list
    # at the locked commit, and checks the files against the Hub's own hashes.
    whole = chosen.format is WeightsFormat.GGUF or any(file.path == "config.json" for file in chosen.side)
    single = chosen.format is WeightsFormat.GGUF and chosen.weights
    return WeightsPlan(
        repo_id=facts.id,
        commit=facts.commit,
        prefix=facts.commit,
        files=files if chosen.weights and whole else (),
        patterns=chosen.patterns,
        exclude=OTHER_COPIES,
        total_bytes=sum(file.size_bytes for file in (*chosen.weights, *chosen.side)) if chosen.weights
        else demand.weights.size_bytes,
        largest_file_bytes=demand.largest_file_bytes,
        model_path=f"{MODEL_DIR}/{chosen.weights[0].path}" if single else MODEL_DIR,
        needs_token=facts.gated is not None,
        loader_image=LOADER_IMAGE,
        loader_requirements=LOADER_REQUIREMENTS,
    )  # fmt: skip


def _budget_warnings(cost: Cost, target: Target) -> Iterator[str]:
    if target.budget_usd_per_month is not None and cost.unpriced:
        yield f"the budget leaves out what has no price: {'; '.join(cost.unpriced)}"


def _check_budget(cost: Cost, target: Target) -> None:
    budget = target.budget_usd_per_month
    if budget is None or cost.usd_per_month_max <= budget:
        return
    largest = sorted(cost.lines, key=lambda line: -(line.usd_per_month_max or 0))[:3]
    items = ", ".join(f"{line.item} ${line.usd_per_month_max or 0:,.0f} ({line.what})" for line in largest)
    message = f"the plan may cost ${cost.usd_per_month_max:,.0f} a month, above the budget of ${budget:,.0f}"
    hint = f"the largest items: {items}; lower `replicas.max`, or raise `hubstack:budget`"
    raise PlanError([Problem(path=f"Pulumi.{target.stack}.yaml", message=message, hint=hint)])
