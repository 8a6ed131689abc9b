# SPDX-License-Identifier: Apache-2.0
"""The node pools and capacity classes that placed models share.

Owns the keys of pools, their sizes and their order of preference. Does not own which candidate a model gets
(`hubstack.planner.placement.solver`) or what a pool costs (`hubstack.planner.cost`).
"""

from collections.abc import Iterable
from typing import NamedTuple

from hubstack import names
from hubstack.plan import CapacityClass, PoolPlan
from hubstack.planner.placement.candidates import Candidate, Step

BOOT_DISK_GIB = 200
"""Boot disk space for unpacked images of 10 to 20 GB and their layers."""


class Member(NamedTuple):
    """A model that uses a pool."""

    key: str
    servers: int
    """At most."""
    taken: Candidate


def pool_key(capacity_class: str, step: Step, number: int | None = None) -> str:
    """Return a pool's key: machine, capacity kind, and a hash of every property whose change replaces the pool.

    With the hash in its name, a changed pool is created before the old one is deleted (docs/concepts/identity.md).
    `number` distinguishes the slices of a multi-host TPU.
    """
    offer = step.offer
    said = [
        capacity_class,
        offer.machine.name,
        str(offer.machine.accelerator_count),
        offer.topology or "",
        step.asked.kind.value,
        step.asked.reservation or "",
    ]
    if number is not None:
        said.append(str(number))
    if step.driver is not None:
        said.append(step.driver.value)
    digest = names.short_hash(*said, length=6)
    return names.shorten(f"{names.slug(offer.machine.name)}-{step.asked.kind.value}-{digest}", names.NODE_POOL_MAX)


def plan_pools(placed: Iterable[Member]) -> tuple[tuple[PoolPlan, ...], tuple[CapacityClass, ...]]:
    """Return the pools and classes of the placed models, sorted by key."""
    groups: dict[str, list[Member]] = {}
    for member in placed:
        groups.setdefault(member.taken.key, []).append(member)
    pools: list[PoolPlan] = []
    classes: list[CapacityClass] = []
    for key, members in sorted(groups.items()):
        of_steps = [_pools_of(key, at, members) for at in range(len(members[0].taken.steps))]
        made = [pool for step in of_steps for pool in step]
        classes.append(CapacityClass(key=key, pools=tuple(pool.key for pool in made)))
        pools += made
    return tuple(sorted(pools, key=lambda pool: pool.key)), tuple(classes)


def _pools_of(key: str, at: int, members: list[Member]) -> list[PoolPlan]:
    """Return the pools of one step: a single pool, or one per replica of a multi-host TPU."""
    step = members[0].taken.steps[at]
    if not step.offer.is_slice:
        return [_pool(pool_key(key, step), key, step, members, nodes_for(members, at))]
    replicas = sum(member.servers for member in members)
    return [_pool(pool_key(key, step, number), key, step, members, step.offer.hosts) for number in range(replicas)]


def nodes_for(members: Iterable[Member], at: int) -> int:
    """Return the nodes of one step needed with every model at `replicas.max`."""
    held = list(members)
    offer = held[0].taken.steps[at].offer
    places = sum(member.taken.steps[at].offer.taken * member.servers for member in held)
    return -(-places // offer.units)


def _pool(key: str, capacity_class: str, step: Step, members: list[Member], nodes: int) -> PoolPlan:
    offer = step.offer
    return PoolPlan(
        key=key,
        capacity_class=capacity_class,
        accelerator=offer.accelerator.id,
        accelerator_kind=offer.accelerator.kind,
        gke_accelerator=offer.accelerator.gke_label,
        machine_type=offer.machine.name,
        gce_machine_type=offer.machine.gce_machine_type,
        accelerators_per_node=offer.machine.accelerator_count,
        accelerator_fraction=offer.machine.accelerator_fraction,
        servers_per_accelerator=offer.servers_per_accelerator,
        nodes_per_slice=offer.hosts if offer.is_slice else 1,
        tpu_topology=offer.topology,
        capacity=step.asked.kind,
        reservation=step.asked.reservation,
        zones=step.zones,
        min_nodes=0,
        max_nodes=nodes,
        boot_disk_gib=BOOT_DISK_GIB,
        boot_disk_type=offer.machine.boot_disk_type,
        local_ssds=offer.machine.local_ssds,
        price=offer.price(step.asked.kind),
        models=tuple(sorted(member.key for member in members)),
        gpu_driver=step.driver,
    )
