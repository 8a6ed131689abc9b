# SPDX-License-Identifier: Apache-2.0
"""Our stand-in for GKE's node autoscaler with ComputeClasses; not Google's code or its complete behavior.

Owns when a Node is added, and in which pool: for a pod that the real scheduler reports as unschedulable, the first
priority of its ComputeClass (read from the API) whose pool is in stock, below its maximum size, and matches the pod
by labels, taints and resources. Pods without a class get a node from a pool without one. A multi-host slice is
added as a whole. It never removes a node. It ignores affinity: if only affinity keeps a pod off a node with free
capacity, it waits until that capacity is used.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from proof.api import Api, ApiError, Object
from proof.nodes import CLASS_LABEL, POOL_LABEL, ZONE_LABEL, Pool, node_of, node_status
from proof.quantity import amount, requests

Room = dict[str, Counter[str]]
"""Node name to its free resources."""


class Autoscaler:
    """Adds nodes for pending pods."""

    def __init__(self, api: Api, pools: Iterable[Pool], now: Callable[[], str]) -> None:
        self._api, self._now = api, now
        self.pools = {pool.name: pool for pool in pools}
        self.out_of_stock: set[str] = set()
        """Names of pools that cannot get more nodes."""

    def step(self, pods: list[Object]) -> None:
        """Process all pods once."""
        nodes = self._api.objects("v1", "Node")
        for pool in self.pools.values():
            while self._count(nodes, pool) < pool.min_nodes and self._is_open(nodes, pool):
                nodes += self._add(pool, nodes)
        room = self._room(nodes, pods)
        for pod in sorted(filter(_is_waiting, pods), key=lambda pod: pod["metadata"]["creationTimestamp"]):
            self._serve(pod, nodes, room)

    def _serve(self, pod: Object, nodes: list[Object], room: Room) -> None:
        asked = requests(pod)
        wanted = [pool for pool in self._pools_for(pod) if _suits(pod, pool)]
        names = {pool.name for pool in wanted}
        for node in nodes:
            labels = node["metadata"]["labels"]
            is_there = labels.get(POOL_LABEL) in names and _zone(pod) in (None, labels[ZONE_LABEL])
            if is_there and asked <= room[node["metadata"]["name"]]:
                room[node["metadata"]["name"]] -= asked
                return
        for pool in wanted:
            if self._is_open(nodes, pool) and asked <= _all(pool):
                made = self._add(pool, nodes, _zone(pod))
                nodes += made
                room |= {node["metadata"]["name"]: _all(pool) for node in made}
                room[made[0]["metadata"]["name"]] -= asked
                return

    def _pools_for(self, pod: Object) -> list[Pool]:
        """Return the pools that can run a pod, best first."""
        selector = pod["spec"].get("nodeSelector", {})
        name = selector.get(CLASS_LABEL)
        if name is None:
            return [pool for pool in self.pools.values() if pool.capacity_class is None]
        try:
            kind = self._api.kind("cloud.google.com/v1", "ComputeClass")
            found = self._api.call("GET", kind.path(name=name))
        except ApiError:
            return []
        named = [pool for priority in found["spec"]["priorities"] for pool in priority.get("nodepools", ())]
        return [self.pools[pool] for pool in named if pool in self.pools]

    def _is_open(self, nodes: list[Object], pool: Pool) -> bool:
        return pool.name not in self.out_of_stock and self._count(nodes, pool) + pool.slice_nodes <= pool.max_nodes

    def _add(self, pool: Pool, nodes: list[Object], zone: str | None = None) -> list[Object]:
        first = self._count(nodes, pool)
        numbers = range(first, first + pool.slice_nodes)
        # The nodes of a slice are in one zone.
        made = [node_of(pool, n, zone or pool.zones[(n // pool.slice_nodes) % len(pool.zones)]) for n in numbers]
        for node in made:
            self._api.create(node)
            self._api.patch(node, node_status(pool, self._now()), subresource="/status")
        return made

    def _room(self, nodes: list[Object], pods: list[Object]) -> Room:
        # A node that was just made is listed without status; its pool says what it has.
        room: Room = {}
        for node in nodes:
            pool = self.pools.get(_pool_of(node))
            room[node["metadata"]["name"]] = _all(pool) if pool else Counter()
        for pod in pods:
            node = pod["spec"].get("nodeName")
            if node in room and pod["status"].get("phase") not in ("Succeeded", "Failed"):
                room[node].subtract(requests(pod))
        return room

    @staticmethod
    def _count(nodes: list[Object], pool: Pool) -> int:
        return sum(_pool_of(node) == pool.name for node in nodes)


def _pool_of(node: Object) -> str:
    return node["metadata"]["labels"].get(POOL_LABEL, "")


def _all(pool: Pool) -> Counter[str]:
    return Counter({name: amount(value) for name, value in pool.allocatable.items()})  # pyright: ignore[reportArgumentType]


def is_refused(pod: Object) -> bool:
    """Return whether the scheduler reported a pod as unschedulable."""
    conditions = pod["status"].get("conditions", ())
    return any(each["type"] == "PodScheduled" and each.get("reason") == "Unschedulable" for each in conditions)


def _is_waiting(pod: Object) -> bool:
    return is_refused(pod) and not pod["spec"].get("nodeName") and "deletionTimestamp" not in pod["metadata"]


def _suits(pod: Object, pool: Pool) -> bool:
    selector: dict[str, str] = pod["spec"].get("nodeSelector", {})
    if _zone(pod) not in (None, *pool.zones):
        return False
    if any(pool.labels.get(key) != value for key, value in selector.items() if key != ZONE_LABEL):
        return False
    tolerations = pod["spec"].get("tolerations", ())
    return all(any(_tolerates(each, taint) for each in tolerations) for taint in pool.taints)


def _zone(pod: Object) -> str | None:
    """Return the zone that a pod selects, if exactly one."""
    return pod["spec"].get("nodeSelector", {}).get(ZONE_LABEL)


def _tolerates(toleration: Object, taint: Mapping[str, str]) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return (toleration.get("key"), toleration.get("value", "")) == (taint["key"], taint["value"])
