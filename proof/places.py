# SPDX-License-Identifier: Apache-2.0
"""Compares where each pod should be with where it is.

Owns the comparison. The plan says what should be; the API server says what is.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.table import Table

from proof.api import Object, owner
from proof.autoscaler import is_refused
from proof.binaries import SandboxError
from proof.nodes import CLASS_LABEL
from proof.sandbox import Sandbox
from proof.stack import Stack, model_of

PENDING_SECONDS = 3
_GROUP_LABEL = "leaderworkerset.sigs.k8s.io/name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One pod."""

    pod: str
    model: str | None
    wanted: tuple[str, ...]
    """Names of the pools that may hold it; empty where it should be pending."""
    found: str | None
    """Name of the pool whose node the scheduler bound it to, None while it is pending."""
    is_refused: bool
    """Whether the scheduler has said that no node takes it."""

    @property
    def is_right(self) -> bool:
        """Whether it is where it should be."""
        return self.found in self.wanted if self.wanted else self.found is None


def scale_to_max(sandbox: Sandbox, stack: Stack, only: Iterable[str] | None = None) -> dict[str, int]:
    """Scale workloads to their most replicas.

    Args:
        sandbox: where the stack is applied.
        stack: whose workloads.
        only: keys of the models to scale; all by default, and the others go to none.

    Returns:
        Name of each workload to the pods that it will have.
    """
    keys = None if only is None else set(only)
    expected: dict[str, int] = {}
    for workload in stack.workloads:
        is_asked = keys is None or model_of(workload) in keys
        replicas = stack.max_replicas(workload) if is_asked else 0
        sandbox.scale(workload, replicas)
        expected[workload["metadata"]["name"]] = replicas * group_size(workload)
    return expected


def group_size(workload: Object) -> int:
    """Return the pods of one replica."""
    return int(workload["spec"].get("leaderWorkerTemplate", {}).get("size", 1))


def pods_of(workload: Object, pods: Iterable[Object]) -> list[Object]:
    """Return the pods that a Deployment or LeaderWorkerSet has made, those that are going left out."""
    metadata = workload["metadata"]
    if workload["kind"] == "LeaderWorkerSet":
        wanted: Mapping[str, str] = {_GROUP_LABEL: metadata["name"]}
    else:
        wanted = workload["spec"]["selector"]["matchLabels"]
    return [
        pod
        for pod in pods
        if pod["metadata"]["namespace"] == metadata["namespace"]
        and "deletionTimestamp" not in pod["metadata"]
        and pod["metadata"].get("labels", {}).items() >= wanted.items()
    ]


def places(sandbox: Sandbox, stack: Stack, steps_out: Mapping[str, int] | None = None) -> list[Place]:
    """Return every pod of the cluster; `steps_out` says how many first steps of a class are out of stock."""
    nodes, found = sandbox.nodes(), []
    system = tuple(pool.name for pool in stack.pools if pool.capacity_class is None)
    for pod in sandbox.pods():
        if "deletionTimestamp" in pod["metadata"]:
            continue
        capacity_class = pod["spec"].get("nodeSelector", {}).get(CLASS_LABEL)
        steps = [system] if capacity_class is None else stack.steps(capacity_class)
        at = (steps_out or {}).get(capacity_class or "", 0)
        found.append(
            Place(
                pod=f"{pod['metadata']['namespace']}/{pod['metadata']['name']}",
                model=model_of(pod),
                wanted=steps[at] if at < len(steps) else (),
                found=sandbox.pool_of_pod(pod, nodes),
                is_refused=is_refused(pod),
            )
        )
    return found


def settle(
    sandbox: Sandbox,
    stack: Stack,
    expected: Mapping[str, int],
    steps_out: Mapping[str, int] | None = None,
    seconds: float = 90,
) -> list[Place]:
    """Wait until every pod is there and where it should be, and return them; after the time, as they are.

    Pods that should be pending are looked at once more after a while, in which a node could have come.
    """

    def is_settled() -> bool:
        pods = sandbox.pods()
        has_all = all(len(pods_of(each, pods)) == expected[each["metadata"]["name"]] for each in stack.workloads)
        found = places(sandbox, stack, steps_out)
        is_decided = all(place.is_right and (place.found or place.is_refused) for place in found)
        return has_all and is_decided and _jobs_ended(pods)

    try:
        sandbox.wait("pods are where they should be", is_settled, seconds)
    except SandboxError as error:
        if "not within" not in str(error):
            raise
    found = places(sandbox, stack, steps_out)
    if any(place.found is None for place in found):
        time.sleep(PENDING_SECONDS)
        found = places(sandbox, stack, steps_out)
    return found


def missing(sandbox: Sandbox, stack: Stack, expected: Mapping[str, int]) -> list[str]:
    """Return the workloads that have not the pods they should have, with both numbers."""
    pods = sandbox.pods()
    counted = {each["metadata"]["name"]: len(pods_of(each, pods)) for each in stack.workloads}
    return [
        f"{name}: {counted[name]} of {count} pods" for name, count in expected.items() if counted[name] != count
    ]


def wrong(found: Iterable[Place]) -> list[str]:
    """Return a line for each pod that is not where it should be."""
    return [
        f"{place.pod} is {place.found or 'pending'}, should be {' or '.join(place.wanted) or 'pending'}"
        for place in found
        if not place.is_right
    ]


def table(found: Iterable[Place]) -> Table:
    """Return the pods as a table."""
    made = Table(box=None, pad_edge=False)
    for column in ("pod", "pool of its node", ""):
        made.add_column(column, overflow="fold")
    for place in sorted(found, key=lambda place: place.pod):
        verdict = "as planned" if place.is_right else f"planned: {' or '.join(place.wanted) or 'pending'}"
        made.add_row(place.pod, place.found or "pending", verdict)
    return made


def _jobs_ended(pods: Iterable[Object]) -> bool:
    of_jobs = [pod for pod in pods if (maker := owner(pod)) and maker["kind"] == "Job"]
    return all(pod["status"].get("phase") == "Succeeded" for pod in of_jobs)
