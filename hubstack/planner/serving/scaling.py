# SPDX-License-Identifier: Apache-2.0
"""How replicas follow the load: the metrics that scale them, and the longest wait for a model scaled to zero.

Pure. Owns the decision and its reasons, and whether a rollout can use a free place. Does not own the Kubernetes
objects (`hubstack.deploy.manifests.scaling`) or the engines' metric names (`catalog/engine_metrics.yaml`). See
docs/concepts/scaling.md, and docs/adr/0013-scale-to-zero.md for the choice of KEDA.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from hubstack import names
from hubstack.catalog.engine_metrics import EngineMetrics
from hubstack.files.errors import PlanError
from hubstack.files.problems import Problem
from hubstack.inputs.models import ModelRequest
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import EngineKind
from hubstack.plan import ModelPlan, PoolPlan, Reason, ScalingPlan, ScalingTrigger
from hubstack.planner.engines import spec_of
from hubstack.planner.memory.workload import MAX_NUM_SEQS

NODE_START_SECONDS = 600
"""From a pending pod to a running container: node, driver, image of 10 to 20 GB. Our assumption."""
NEXT_STEP_SECONDS = 300
"""Extra time per further capacity step: a stockout shows only after nodes are requested. Our assumption."""
SETTLE_LIMIT_SECONDS = 1800
"""The longest period that a HorizontalPodAutoscaler policy allows (Kubernetes API, `HPAScalingPolicy`)."""
SOURCE = "docs/concepts/scaling.md"
BLIND = "`hubstack:monitoring` is off, so nothing scrapes the metrics that autoscaling needs"


def with_scaling(
    models: Iterable[ModelPlan],
    pools: Iterable[PoolPlan],
    requests: Iterable[ModelRequest],
    metrics: Mapping[EngineKind, EngineMetrics],
    target: StackSettings,
) -> tuple[ModelPlan, ...]:
    """Return the models with their scaling and surge, and the reasons for both.

    Raises:
        PlanError: a model has the name of another model's cold-start address.
    """
    requests = tuple(requests)
    asked = {request.key: request for request in requests}
    held = list(pools)
    planned = list(models)
    # Servers of one class share its pools and their free places.
    one_of = {model.capacity_class: model for model in planned}
    spares = {key: spare_places(model, planned, held) for key, model in one_of.items()}
    decided = [
        _decided(model, spares[model.capacity_class], asked[model.key], metrics, target) for model in planned
    ]
    problems = list(_taken_names(decided, {names.original_key(request): request for request in requests}))
    if problems:
        raise PlanError(problems)
    return tuple(decided)


def activation_timeout_seconds(model: ModelPlan) -> int:
    """Return the seconds that a request may wait for a model scaled to zero: until its startup probe fails."""
    return _node_start_seconds(model) + _load_window_seconds(model)


def spare_places(model: ModelPlan, models: Iterable[ModelPlan], pools: Iterable[PoolPlan]) -> int:
    """Return the free places in the model's pools with every model at `replicas.max`.

    The pool with the fewest counts, because a pod may be scheduled on any of them. A place is an accelerator, or a
    part of a shared one. TPU slices have no free places.
    """
    taken = sum(
        _places(other) * other.replicas.max for other in models if other.capacity_class == model.capacity_class
    )
    own = [pool for pool in pools if pool.capacity_class == model.capacity_class]
    if not own or any(pool.nodes_per_slice > 1 for pool in own):
        return 0
    return min(pool.max_nodes * pool.accelerators_per_node * pool.servers_per_accelerator - taken for pool in own)


def _places(model: ModelPlan) -> int:
    return 1 if model.servers_per_accelerator > 1 else model.accelerator_count


def _decided(
    model: ModelPlan,
    spare: int,
    request: ModelRequest,
    metrics: Mapping[EngineKind, EngineMetrics],
    target: StackSettings,
) -> ModelPlan:
    surge = int(model.hosts == 1 and spare >= _places(model))
    scaling = _scaling(model, request, metrics, target)
    reasons = (*_scaling_reasons(model, request, scaling, metrics, target), _surge_reason(model, spare, surge))
    blind = (BLIND,) if scaling and target.monitoring is None else ()
    return replace(
        model,
        scaling=scaling,
        max_surge=surge,
        reasons=(*model.reasons, *reasons),
        warnings=(*model.warnings, *blind),
    )


def _scaling(
    model: ModelPlan, request: ModelRequest, metrics: Mapping[EngineKind, EngineMetrics], target: StackSettings
) -> ScalingPlan | None:
    if not target.autoscaling or model.replicas.min == model.replicas.max:
        return None
    scales_to_zero = model.replicas.min == 0
    return ScalingPlan(
        triggers=tuple(_triggers(model, request, metrics[model.server.engine], target)),
        requests_per_replica=_at_once(model, request),
        scales_to_zero=scales_to_zero,
        # A model that is still loading must not be scaled to zero.
        idle_seconds=max(
            60 * request.settings.scaling.idle_minutes, _load_window_seconds(model) if scales_to_zero else 0
        ),
        activation_timeout_seconds=activation_timeout_seconds(model) if scales_to_zero else 0,
        settle_seconds=min(model.server.load_seconds, SETTLE_LIMIT_SECONDS),
    )


def _at_once(model: ModelPlan, request: ModelRequest) -> int:
    """Return the requests in flight per replica above which a replica is added."""
    traffic = model.performance.traffic if model.performance else None
    return traffic.sequences if traffic else concurrent_requests(model.server.engine, request.settings.concurrency)


def concurrent_requests(engine: EngineKind, concurrency: int) -> int:
    """Return the requests that a replica processes at once: its slots or the engine's batch limit."""
    return concurrency if spec_of(engine).has_slots else max(concurrency, MAX_NUM_SEQS)


def _triggers(
    model: ModelPlan, request: ModelRequest, metrics: EngineMetrics, target: StackSettings
) -> Iterator[ScalingTrigger]:
    # Managed Prometheus covers the whole project and adds `cluster` and `namespace`; our scrape adds `model`.
    where = (
        f'cluster="{names.cluster_name(target.stack)}"',
        f'namespace="{target.namespace}"',
        f'model="{names.original_key(model)}"',
    )
    if metrics.queue_length:
        query = f"sum({metrics.queue_length.select(*where)})"
        yield ScalingTrigger(name="queue", query=query, target=request.settings.scaling.queue)
    if metrics.kv_cache_usage:
        query = f"sum({metrics.kv_cache_usage.select(*where)})"
        yield ScalingTrigger(name="kv-cache", query=query, target=request.settings.scaling.kv_cache_percent / 100)


def _scaling_reasons(
    model: ModelPlan,
    request: ModelRequest,
    scaling: ScalingPlan | None,
    metrics: Mapping[EngineKind, EngineMetrics],
    target: StackSettings,
) -> Iterator[Reason]:
    low, high = model.replicas.min, model.replicas.max
    if scaling is None:
        why = f"always {low}" if low == high else f"{low} to {high}, scaled manually: `hubstack:autoscaling` is off"
        yield Reason(topic="replicas", text=why, source="request" if target.autoscaling else None)
        return
    figures = [f"more than {request.settings.scaling.queue} queued requests"]
    if any(trigger.name == "kv-cache" for trigger in scaling.triggers):
        figures.append(f"a KV cache over {request.settings.scaling.kv_cache_percent} % full")
    else:
        absent = metrics[model.server.engine].absent
        figures[0] += f" ({model.server.engine} does not report KV cache use: {absent['kv_cache_usage']})"
    if scaling.scales_to_zero:
        figures.append(f"more than {scaling.requests_per_replica} requests in flight")
    text = f"{low} to {high}: adds a replica when the average replica has {' or '.join(figures)}"
    yield Reason(topic="replicas", text=text, source=SOURCE)
    if scaling.scales_to_zero:
        yield Reason(
            topic="rest",
            source=SOURCE,
            text=f"scales to zero after {_idle_text(scaling, request)}; the next request may wait up to "
            f"{scaling.activation_timeout_seconds:,} s: {_node_start_seconds(model):,} s for a node"
            f"{_steps_text(model)} + {_load_window_seconds(model):,} s to load, a generous limit",
        )


def _idle_text(scaling: ScalingPlan, request: ModelRequest) -> str:
    asked = request.settings.scaling.idle_minutes
    if scaling.idle_seconds <= 60 * asked:
        return f"{asked} idle minutes"
    minutes = -(-scaling.idle_seconds // 60)
    return f"{minutes} idle minutes ({asked} requested, but loading alone may take {minutes})"


def _surge_reason(model: ModelPlan, spare: int, surge: int) -> Reason:
    if surge:
        text = f"starts the new replica first: with all models at `replicas.max`, {spare} places are still free"
    elif model.hosts > 1:
        text = "stops the old replica first: both at once would need a second group of nodes"
    else:
        text = "stops the old replica first: with all models at `replicas.max` its nodes have no free place"
    return Reason(topic="rollout", text=text, source=SOURCE)


def _node_start_seconds(model: ModelPlan) -> int:
    return NODE_START_SECONDS + NEXT_STEP_SECONDS * max(0, len(model.steps) - 1)


def _steps_text(model: ModelPlan) -> str:
    further = len(model.steps) - 1
    return (
        f" ({NODE_START_SECONDS} + {further} x {NEXT_STEP_SECONDS} for further capacity steps)"
        if further > 0
        else ""
    )


def _load_window_seconds(model: ModelPlan) -> int:
    startup = model.server.startup
    return startup.period_seconds * startup.failure_threshold


def _taken_names(models: Iterable[ModelPlan], made: Mapping[str, ModelRequest]) -> Iterator[Problem]:
    """Yield a problem for each model whose physical name is a cold-start address; `made` is by original key."""
    for model in models:
        name = names.activation_service_name(names.original_key(model))
        if model.scaling and model.scaling.scales_to_zero and name in made:
            message = f"`{name}` is reserved: it is the address that starts `{model.key}` from zero"
            yield made[name].mark("name").problem(message, "give one of the two another `name:`")
