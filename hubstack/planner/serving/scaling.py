# SPDX-License-Identifier: Apache-2.0
"""How replicas follow the load: the metrics that scale them, and the longest wait for a model scaled to zero.

Pure. Owns the decision and its reasons, and whether a rollout can use a free place. Does not own the Kubernetes
objects (`hubstack.deploy.manifests.scaling`) or the engines' metric names (`catalog/engine_metrics.yaml`). See
docs/concepts/scaling.md, and docs/adr/0013-scale-to-zero.md for the choice of KEDA.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hubstack import names
from hubstack.catalog.engine_metrics import EngineMetrics
from hubstack.files.errors import PlanError
from hubstack.files.problems import Problem
from hubstack.inputs.models import ModelRequest
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import EngineKind
from hubstack.plan import ModelPlan, PoolPlan, Probe, Reason, ScalingPlan, ScalingTrigger
from hubstack.planner.engines import spec_of
from hubstack.planner.memory.workload import MAX_NUM_SEQS
from hubstack.planner.model_plan import PlacedDraft

NODE_START_SECONDS = 600
"""From a pending pod to a running container: node, driver, image of 10 to 20 GB. Our assumption."""
NEXT_STEP_SECONDS = 300
"""Extra time per further capacity step: a stockout shows only after nodes are requested. Our assumption."""
SETTLE_LIMIT_SECONDS = 1800
"""The longest period that a HorizontalPodAutoscaler policy allows (Kubernetes API, `HPAScalingPolicy`)."""
SOURCE = "docs/concepts/scaling.md"
BLIND = "`hubstack:monitoring` is off, so nothing scrapes the metrics that autoscaling needs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """How a model scales, and why."""

    scaling: ScalingPlan | None
    max_surge: int
    reasons: tuple[Reason, ...]
    warnings: tuple[str, ...]


def plan_scaling(model: PlacedDraft, spare: int, metrics: EngineMetrics, target: StackSettings) -> Scaled:
    """Return how a model on nodes scales.

    Args:
        model: the model on its machine.
        spare: free places in its pools.
        metrics: its engine's metrics.
        target: the stack's settings.
    """
    surge = int(model.hosts == 1 and spare >= model.places)
    scaling = _scaling(model, metrics, target)
    return Scaled(
        scaling=scaling,
        max_surge=surge,
        reasons=(*_scaling_reasons(model, scaling, metrics, target), _surge_reason(model, spare, surge)),
        warnings=(BLIND,) if scaling and target.monitoring is None else (),
    )


def activation_timeout_seconds(startup: Probe, steps: int) -> int:
    """Return the seconds that a request may wait for a model scaled to zero: until its startup probe fails.

    Args:
        startup: the probe.
        steps: the model's capacity steps.
    """
    return _node_start_seconds(steps) + _window_seconds(startup)


def spare_places(capacity_class: str, taken: int, pools: Iterable[PoolPlan]) -> int:
    """Return the free places in the pools of a class of which its models take some at `replicas.max`.

    The pool with the fewest counts, because a pod may be scheduled on any of them. A place is an accelerator, or a
    part of a shared one. TPU slices have no free places.
    """
    own = [pool for pool in pools if pool.capacity_class == capacity_class]
    if not own or any(pool.nodes_per_slice > 1 for pool in own):
        return 0
    return min(pool.max_nodes * pool.accelerators_per_node * pool.servers_per_accelerator - taken for pool in own)


def check_activation_names(models: Iterable[ModelPlan], requests: Iterable[ModelRequest]) -> None:
    """Check that no model has the name of another model's cold-start address.

    Raises:
        PlanError: some do.
    """
    made = {names.original_key(request): request for request in requests}
    if problems := list(_taken_names(models, made)):
        raise PlanError(problems)


def _scaling(model: PlacedDraft, metrics: EngineMetrics, target: StackSettings) -> ScalingPlan | None:
    replicas, server = model.replicas, model.server
    if not target.autoscaling or replicas.min == replicas.max:
        return None
    is_lazy = replicas.min == 0
    return ScalingPlan(
        triggers=tuple(_triggers(model, metrics, target)),
        requests_per_replica=_at_once(model),
        scales_to_zero=is_lazy,
        # A model that is still loading must not be scaled to zero.
        idle_seconds=max(
            60 * model.settings.scaling.idle_minutes, _window_seconds(server.startup) if is_lazy else 0
        ),
        activation_timeout_seconds=activation_timeout_seconds(server.startup, model.step_count) if is_lazy else 0,
        settle_seconds=min(server.load_seconds, SETTLE_LIMIT_SECONDS),
    )


def _at_once(model: PlacedDraft) -> int:
    """Return the requests in flight per replica above which a replica is added."""
    served = model.taken.served if model.settings.traffic else None
    return served.sequences if served else concurrent_requests(model.taken.kind, model.settings.concurrency)


def concurrent_requests(engine: EngineKind, concurrency: int) -> int:
    """Return the requests that a replica processes at once: its slots or the engine's batch limit."""
    return concurrency if spec_of(engine).has_slots else max(concurrency, MAX_NUM_SEQS)


def _triggers(model: PlacedDraft, metrics: EngineMetrics, target: StackSettings) -> Iterator[ScalingTrigger]:
    # Managed Prometheus covers the whole project and adds `cluster` and `namespace`; our scrape adds `model`.
    where = (
        f'cluster="{target.cluster_name}"',
        f'namespace="{target.namespace}"',
        f'model="{names.original_key(model.request)}"',
    )
    if metrics.queue_length:
        query = f"sum({metrics.queue_length.select(*where)})"
        yield ScalingTrigger(name="queue", query=query, target=model.settings.scaling.queue)
    if metrics.kv_cache_usage:
        query = f"sum({metrics.kv_cache_usage.select(*where)})"
        yield ScalingTrigger(name="kv-cache", query=query, target=model.settings.scaling.kv_cache_percent / 100)


def _scaling_reasons(
    model: PlacedDraft, scaling: ScalingPlan | None, metrics: EngineMetrics, target: StackSettings
) -> Iterator[Reason]:
    low, high = model.replicas.min, model.replicas.max
    if scaling is None:
        why = f"always {low}" if low == high else f"{low} to {high}, scaled manually: `hubstack:autoscaling` is off"
        yield Reason(topic="replicas", text=why, source="request" if target.autoscaling else None)
        return
    figures = [f"more than {model.settings.scaling.queue} queued requests"]
    if any(trigger.name == "kv-cache" for trigger in scaling.triggers):
        figures.append(f"a KV cache over {model.settings.scaling.kv_cache_percent} % full")
    else:
        absent = metrics.absent["kv_cache_usage"]
        figures[0] += f" ({model.taken.kind} does not report KV cache use: {absent})"
    if scaling.scales_to_zero:
        figures.append(f"more than {scaling.requests_per_replica} requests in flight")
    text = f"{low} to {high}: adds a replica when the average replica has {' or '.join(figures)}"
    yield Reason(topic="replicas", text=text, source=SOURCE)
    if scaling.scales_to_zero:
        idle = _idle_text(scaling, model.settings.scaling.idle_minutes)
        node, window = _node_start_seconds(model.step_count), _window_seconds(model.server.startup)
        text = (
            f"scales to zero after {idle}; the next request may wait up to "
            f"{scaling.activation_timeout_seconds:,} s: {node:,} s for a node"
            f"{_steps_text(model.step_count)} + {window:,} s to load, a generous limit"
        )
        yield Reason(topic="rest", text=text, source=SOURCE)


def _idle_text(scaling: ScalingPlan, asked: int) -> str:
    if scaling.idle_seconds <= 60 * asked:
        return f"{asked} idle minutes"
    minutes = -(-scaling.idle_seconds // 60)
    return f"{minutes} idle minutes ({asked} requested, but loading alone may take {minutes})"


def _surge_reason(model: PlacedDraft, spare: int, surge: int) -> Reason:
    if surge:
        text = f"starts the new replica first: with all models at `replicas.max`, {spare} places are still free"
    elif model.hosts > 1:
        text = "stops the old replica first: both at once would need a second group of nodes"
    else:
        text = "stops the old replica first: with all models at `replicas.max` its nodes have no free place"
    return Reason(topic="rollout", text=text, source=SOURCE)


def _node_start_seconds(steps: int) -> int:
    return NODE_START_SECONDS + NEXT_STEP_SECONDS * max(0, steps - 1)


def _steps_text(steps: int) -> str:
    further = steps - 1
    return (
        f" ({NODE_START_SECONDS} + {further} x {NEXT_STEP_SECONDS} for further capacity steps)"
        if further > 0
        else ""
    )


def _window_seconds(startup: Probe) -> int:
    return startup.period_seconds * startup.failure_threshold


def _taken_names(models: Iterable[ModelPlan], made: Mapping[str, ModelRequest]) -> Iterator[Problem]:
    """Yield a problem for each model whose physical name is a cold-start address; `made` is by original key."""
    for model in models:
        name = names.activation_service_name(names.original_key(model))
        if model.scaling and model.scaling.scales_to_zero and name in made:
            message = f"`{name}` is reserved: it is the address that starts `{model.key}` from zero"
            yield made[name].mark("name").problem(message, "give one of the two another `name:`")
