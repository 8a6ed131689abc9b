# SPDX-License-Identifier: Apache-2.0
"""Checks that every multi-host TPU model is consistent: its pools, its group and its pods agree on one slice.

A slice is created and deleted as a whole, and GKE counts chips only if pod and pool use the same labels
(github.com/GoogleCloudPlatform/accelerated-platforms); a mismatch leaves pods pending indefinitely. Pure; reads the
declared objects.
"""

from collections.abc import Iterator
from math import prod

from hubstack.deploy.manifests.base import Object
from hubstack.deploy.manifests.multi_host import EXCLUSIVE_TOPOLOGY, NODE_POOL_LABEL, leader_worker_set
from hubstack.deploy.manifests.server import TPU_ACCELERATOR_LABEL, TPU_TOPOLOGY_LABEL
from hubstack.kinds import AcceleratorKind, CapacityKind
from hubstack.plan import ModelPlan, Plan, PoolPlan


def incomplete_slices(plan: Plan) -> tuple[str, ...]:
    """Return one line for each inconsistency; empty if every slice is consistent."""
    return tuple(
        f"{model.key}: {problem}"
        for model in plan.models
        if model.accelerator_kind is AcceleratorKind.TPU and model.hosts > 1
        for problem in _of_model(plan, model)
    )


def _of_model(plan: Plan, model: ModelPlan) -> Iterator[str]:
    pools = [pool for pool in plan.pools if pool.capacity_class == model.capacity_class]
    replicas = sum(other.replicas.max for other in plan.models if other.capacity_class == model.capacity_class)
    for step in sorted({_bought(pool) for pool in pools}):
        count = sum(_bought(pool) == step for pool in pools)
        if count != replicas:
            yield f"it has {count} pools of capacity {' '.join(step).strip()}, but {replicas} replicas"
    for pool in pools:
        yield from _of_pool(model, pool)
    group = leader_worker_set(plan.target, model)
    if group["metadata"]["annotations"].get(EXCLUSIVE_TOPOLOGY) != NODE_POOL_LABEL:
        yield "two of its groups could share a slice"
    template = group["spec"]["leaderWorkerTemplate"]
    if template["size"] != model.hosts:
        yield f"its group has {template['size']} pods, but a replica needs {model.hosts} nodes"
    for pod, of in (("leaderTemplate", "leader"), ("workerTemplate", "worker")):
        yield from _of_pod(model, pools, template[pod]["spec"], of)


def _bought(pool: PoolPlan) -> tuple[str, str]:
    return (str(CapacityKind(pool.capacity)), pool.reservation or "")


def _of_pool(model: ModelPlan, pool: PoolPlan) -> Iterator[str]:
    chips = prod(int(side) for side in (pool.tpu_topology or "0").split("x"))
    if pool.tpu_topology != model.tpu_topology:
        yield f"pool {pool.key} has topology {pool.tpu_topology}, but its pods request {model.tpu_topology}"
    if chips != pool.nodes_per_slice * pool.accelerators_per_node:
        yield (
            f"pool {pool.key}: topology {pool.tpu_topology} has {chips} chips, which does not match "
            f"{pool.nodes_per_slice} nodes of {pool.accelerators_per_node}"
        )
    if (pool.min_nodes, pool.max_nodes) != (0, pool.nodes_per_slice):
        yield (
            f"pool {pool.key} scales from {pool.min_nodes} to {pool.max_nodes} nodes, but a slice has "
            f"{pool.nodes_per_slice}"
        )
    if pool.nodes_per_slice != model.hosts:
        yield f"pool {pool.key} has {pool.nodes_per_slice} nodes per slice, but its groups have {model.hosts} pods"


def _of_pod(model: ModelPlan, pools: list[PoolPlan], pod: Object, of: str) -> Iterator[str]:
    selector, (container,) = pod["nodeSelector"], pod["containers"]
    wanted = {TPU_ACCELERATOR_LABEL: model.gke_accelerator, TPU_TOPOLOGY_LABEL: model.tpu_topology}
    for label, value in wanted.items():
        if selector.get(label) != value:
            yield f"its {of} selects {label}={selector.get(label)} instead of {value}"
    resources = container["resources"]
    asked = {resources[part].get("google.com/tpu") for part in ("requests", "limits")}
    nodes = {str(pool.accelerators_per_node) for pool in pools}
    if asked != nodes:
        yield f"its {of} asks for {'/'.join(sorted(map(str, asked)))} chips of nodes with {'/'.join(sorted(nodes))}"
