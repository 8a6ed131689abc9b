# SPDX-License-Identifier: Apache-2.0
"""A rendered stack: its files, objects, node pools, and the plan to compare with.

Owns reading. Accepts all kinds in the files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hubstack.catalog import load_catalog
from hubstack.files.managed_folder import write_folder
from hubstack.inputs.environment import Environment, find_environment
from hubstack.inputs.stack import Stack as StackFiles
from hubstack.names import original_key
from hubstack.plan import Plan, PoolPlan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.preview.environment import preview_stack
from hubstack.review.preview.files import graph_files
from proof.api import Object
from proof.nodes import Pool, pool_of

SCALED = ("Deployment", "LeaderWorkerSet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One environment, rendered."""

    folder: Path
    """Of the Kubernetes objects."""
    objects: tuple[Object, ...]
    pools: tuple[Pool, ...]
    plan: Plan

    @property
    def workloads(self) -> tuple[Object, ...]:
        """What makes server pods."""
        return tuple(each for each in self.objects if each["kind"] in SCALED)

    def max_replicas(self, workload: Object) -> int:
        """Return the replicas of a workload when it is busiest: its scaler's word, else the plan's.

        A workload of no model (a gateway's picker, say) keeps the replicas that it was written with.
        """
        for scaler in self.objects:
            target = scaler.get("spec", {}).get("scaleTargetRef")
            if isinstance(target, Mapping) and target.get("name") == workload["metadata"]["name"]:
                replicas = scaler["spec"].get("replicas")
                most = replicas.get("max") if isinstance(replicas, Mapping) else None
                most = most or scaler["spec"].get("maxReplicaCount") or scaler["spec"].get("maxReplicas")
                if most:
                    return int(most)
        key = model_of(workload)
        model = next((each for each in self.plan.models if original_key(each) == key), None)
        if model is None or pod_template(workload)["metadata"]["labels"].get("app.kubernetes.io/name") != "server":
            return int(workload["spec"].get("replicas", 1))
        others = [each for each in self.workloads if model_of(each) == key and each is not workload]
        return model.replicas.max - sum(int(each["spec"].get("replicas", 1)) for each in others)

    def steps(self, capacity_class: str) -> list[tuple[str, ...]]:
        """Return the names of a class's pools, first choice first; slices of one step are together."""
        by_key = {pool.key: pool for pool in self.plan.pools}
        groups: dict[tuple[Any, ...], list[str]] = {}
        for key in next(each.pools for each in self.plan.classes if each.key == capacity_class):
            groups.setdefault(_bought(by_key[key]), []).append(key)
        return [tuple(keys) for keys in groups.values()]


def read_stack(project: Path, name: str, folder: Path) -> Stack:
    """Plan and render an environment into a folder.

    Args:
        project: folder of Pulumi.yaml.
        name: a stack, or a folder such as `examples/fleet`.
        folder: where the files go; new or rendered to before.
    """
    return render(find_environment(name, project, project), folder)


def render(environment: Environment, folder: Path) -> Stack:
    """Render an environment as `hubstack render` does and read back what it wrote."""
    stack = StackFiles.load(environment)
    plan = plan_inputs(StackInputs.of(stack))
    graph = preview_stack(stack, plan)
    write_folder(folder, graph_files(graph), "render")
    catalog = load_catalog()
    entries = [
        yaml.safe_load(path.read_text()) for path in sorted((folder / "google").glob("container.NodePool/*.yaml"))
    ]
    return Stack(
        folder=folder / "kubernetes",
        objects=tuple(read_objects(folder / "kubernetes")),
        pools=tuple(pool_of(entry["inputs"], catalog, plan.target.region) for entry in entries),
        plan=plan,
    )


def read_objects(folder: Path) -> list[Object]:
    """Return all objects of a folder, in the order that kubectl applies them."""
    return [
        value for path in sorted(folder.rglob("*.yaml")) for value in yaml.safe_load_all(path.read_text()) if value
    ]


def model_of(value: Object) -> str | None:
    """Return the key under which the model that an object or a pod is of was made."""
    return value["metadata"].get("labels", {}).get("app.kubernetes.io/instance")


def pod_template(workload: Object) -> Object:
    """Return the template of the pods (of the leaders) that a workload makes."""
    spec = workload["spec"]
    return spec["template"] if "template" in spec else spec["leaderWorkerTemplate"]["leaderTemplate"]


def _bought(pool: PoolPlan) -> tuple[Any, ...]:
    return (
        pool.machine_type,
        pool.accelerator,
        pool.accelerators_per_node,
        pool.tpu_topology,
        pool.capacity,
        pool.reservation,
    )
