# SPDX-License-Identifier: Apache-2.0
"""What one stack can have too many of, and the warning of a plan that does.

Owns what is counted; the figures and their sources are in limits.yaml, docs/concepts/scale.md has those that
nothing counts. Does not own quotas of accelerators, which differ by project (`hubstack.review.check.quota`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hubstack.plan import ModelPlan, PoolPlan

_FILE = Path(__file__).with_name("cluster_limits.yaml")
Count = Callable[[Sequence[ModelPlan], Sequence[PoolPlan]], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many of one thing there may be."""

    counts: str
    """Key of COUNTS."""
    what: str
    """The thing, in the plural."""
    most: int
    hint: str
    source: str
    as_of: str
    """Day on which the source was read, ISO 8601."""


@cache
def limits() -> tuple[Limit, ...]:
    """Return the table."""
    rows: list[dict[str, Any]] = yaml.load(_FILE.read_bytes(), Loader=yaml.CSafeLoader)["limits"]
    for row in rows:
        row["as_of"] = str(row["as_of"])
    return tuple(Limit(**row) for row in rows)


def limit_warnings(models: Sequence[ModelPlan], pools: Sequence[PoolPlan]) -> Iterator[str]:
    """Yield a warning for each limit that a plan's models and pools exceed."""
    for limit in limits():
        found = COUNTS[limit.counts](models, pools)
        if found > limit.most:
            yield f"{found:,} {limit.what}, and there may be {limit.most:,} (docs/concepts/scale.md): {limit.hint}"


def _on_gke(models: Sequence[ModelPlan]) -> int:
    return sum(model.has_nodes for model in models)


def _services(models: Sequence[ModelPlan], _pools: Sequence[PoolPlan]) -> int:
    """One for each model, and another name for each that rests."""
    return _on_gke(models) + sum(bool(model.scaling and model.scaling.rests) for model in models)


def _busy_nodes(_models: Sequence[ModelPlan], pools: Sequence[PoolPlan]) -> int:
    """The ways to buy a class are alternatives: the largest counts. Each slice of several nodes is a pool."""
    bought: dict[tuple[str, str, str | None], int] = {}
    for pool in pools:
        way = (pool.capacity_class, str(pool.capacity), pool.reservation)
        bought[way] = bought.get(way, 0) + pool.max_nodes
    most: dict[str, int] = {}
    for (capacity_class, *_), nodes in bought.items():
        most[capacity_class] = max(nodes, most.get(capacity_class, 0))
    return sum(most.values())


COUNTS: Mapping[str, Count] = {
    # The other name of a model that rests has no address.
    "service_addresses": lambda models, _: _on_gke(models),
    "services": _services,
    "deployments": lambda models, _: sum(m.has_nodes and m.hosts == 1 for m in models),
    "cloud_run_services": lambda models, _: sum(m.cloud_run is not None for m in models),
    "busy_nodes": _busy_nodes,
    "nodes_of_largest_pool_zone": lambda _, pools: max((-(-p.max_nodes // len(p.zones)) for p in pools), default=0),
}
