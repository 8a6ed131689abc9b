# SPDX-License-Identifier: Apache-2.0
"""Limits on the number of objects in one stack, and the warnings of a plan that exceeds them.

Owns what is counted; the limits and their sources are in limits.yaml, and docs/concepts/scale.md lists limits that
are not counted. Does not own accelerator quotas, which differ by project (`hubstack.review.check.quota`).
"""

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hubstack.plan import ModelPlan, PoolPlan
from hubstack.plan.network import OWN, NetworkPlan

_FILE = Path(__file__).with_name("cluster_limits.yaml")
_GOOGLES_IN_SUBNET = 4
"""Addresses that Google reserves in the primary range of a subnet."""
_POD_ADDRESSES_OF_NODE = 64
"""A node takes a /26 of the pods' range."""
Count = Callable[[Sequence[ModelPlan], Sequence[PoolPlan]], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The maximum number of one kind of object."""

    counts: str
    """Key in COUNTS."""
    what: str
    """Name of the objects, in the plural."""
    most: int
    hint: str
    source: str
    as_of: str
    """Day on which the source was read, ISO 8601."""


@cache
def limits() -> tuple[Limit, ...]:
    """Return all limits of limits.yaml."""
    rows: list[dict[str, Any]] = yaml.load(_FILE.read_bytes(), Loader=yaml.CSafeLoader)["limits"]
    for row in rows:
        row["as_of"] = str(row["as_of"])
    return tuple(Limit(**row) for row in rows)


def limit_warnings(
    models: Sequence[ModelPlan], pools: Sequence[PoolPlan], network: NetworkPlan = OWN
) -> Iterator[str]:
    """Yield a warning for each limit that the models and pools exceed.

    Args:
        models: all models of the stack.
        pools: all node pools.
        network: its ranges limit how many nodes and Services there can be.
    """
    ranges = _most_in_ranges(network)
    for limit in limits():
        found, most = COUNTS[limit.counts](models, pools), ranges.get(limit.counts, limit.most)
        if found > most:
            yield f"{found:,} {limit.what}, but the limit is {most:,} (docs/concepts/scale.md): {limit.hint}"


def _most_in_ranges(network: NetworkPlan) -> dict[str, int]:
    """Return the limits that follow from a network's ranges, as far as these are known."""
    nodes = ipaddress.IPv4Network(network.nodes_cidr).num_addresses - _GOOGLES_IN_SUBNET
    if network.pods_cidr:
        nodes = min(nodes, ipaddress.IPv4Network(network.pods_cidr).num_addresses // _POD_ADDRESSES_OF_NODE)
    most = {"busy_nodes": nodes}
    if network.services_cidr:
        most["service_addresses"] = ipaddress.IPv4Network(network.services_cidr).num_addresses
    return most


def _on_gke(models: Sequence[ModelPlan]) -> int:
    return sum(model.has_nodes for model in models)


def _services(models: Sequence[ModelPlan], _pools: Sequence[PoolPlan]) -> int:
    """Return one Service per model, plus one for each model that scales to zero."""
    return _on_gke(models) + sum(bool(model.scaling and model.scaling.scales_to_zero) for model in models)


def _busy_nodes(_models: Sequence[ModelPlan], pools: Sequence[PoolPlan]) -> int:
    """Return the maximum number of nodes; of alternative capacity steps in a class only the largest counts."""
    bought: dict[tuple[str, str, str | None], int] = {}
    for pool in pools:
        way = (pool.capacity_class, str(pool.capacity), pool.reservation)
        bought[way] = bought.get(way, 0) + pool.max_nodes
    most: dict[str, int] = {}
    for (capacity_class, *_), nodes in bought.items():
        most[capacity_class] = max(nodes, most.get(capacity_class, 0))
    return sum(most.values())


COUNTS: Mapping[str, Count] = {
    # The second Service of a model that scales to zero has no address.
    "service_addresses": lambda models, _: _on_gke(models),
    "services": _services,
    "deployments": lambda models, _: sum(m.has_nodes and m.hosts == 1 for m in models),
    "cloud_run_services": lambda models, _: sum(m.cloud_run is not None for m in models),
    "busy_nodes": _busy_nodes,
    "nodes_of_largest_pool_zone": lambda _, pools: max((-(-p.max_nodes // len(p.zones)) for p in pools), default=0),
}
