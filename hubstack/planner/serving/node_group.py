# SPDX-License-Identifier: Apache-2.0
"""How the nodes of one replica find each other, where it spans several.

Owns what starts on the first node and on the others. Does not own the engine's own flags
(`hubstack.planner.serving.container`) nor
the objects (`hubstack.deploy.manifests.multi_host`). LeaderWorkerSet sets the variables (facts: gke.md 3.6).

GPUs: vLLM's own multiprocessing over nodes, which it takes by itself where `--nnodes` is above 1
(vllm/config/parallel.py). TPUs: Ray, since vLLM for TPU runs over hosts with `TPU_MULTIHOST_BACKEND=ray` only
(tpu_inference/platforms/tpu_platform.py, 2026-08), and vLLM refuses `--nnodes` with Ray.
"""

import shlex
from dataclasses import dataclass

from hubstack.kinds import EngineKind

RAY_PORT = 6379
_SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """What the containers of one replica are started with."""

    command: tuple[str, ...] = ()
    """Replaces the image's entry point, of leader and workers; empty: as the image has it."""
    args: tuple[str, ...]
    """Of the leader, which answers."""
    worker_args: tuple[str, ...] = ()
    """Of the others; empty where there are none."""
    env: tuple[tuple[str, str], ...] = ()


def node_group(kind: EngineKind, args: tuple[str, ...], hosts: int, stages: int) -> NodeGroup:
    """Return how a replica's containers start.

    Args:
        kind: the engine.
        args: what it would be started with on one node.
        hosts: nodes of the replica.
        stages: of the pipeline over them.
    """
    if hosts == 1:
        return NodeGroup(args=args)
    args = (*args, "--pipeline-parallel-size", str(stages))
    if kind is EngineKind.VLLM_TPU:
        return _over_ray(args, hosts)
    args = (*args, "--nnodes", str(hosts), "--node-rank", "$(LWS_WORKER_INDEX)", "--master-addr",
            "$(LWS_LEADER_ADDRESS)")  # fmt: skip
    return NodeGroup(args=args, worker_args=(*args, "--headless"))


def _over_ray(args: tuple[str, ...], hosts: int) -> NodeGroup:
    """Start Ray on all nodes, and the engine on the first once all have joined."""
    alive = "sum(node['Alive'] for node in ray.nodes())"
    joined = f"import ray, time; ray.init(address='auto')\nwhile {alive} < {hosts}: time.sleep(5)"
    leader = (
        "set -e", f"ray start --head --port={RAY_PORT}", f'python3 -c "{joined}"',
        # In the shell's place, so that it is told to stop and its end is the container's.
        f"exec vllm serve {shlex.join(args)}",
    )  # fmt: skip
    address = f'"$LWS_LEADER_ADDRESS:{RAY_PORT}"'
    worker = (
        f"until ray health-check --address {address}; do sleep 5; done",
        f"exec ray start --address={address} --block",
    )
    return NodeGroup(
        command=_SHELL, args=("\n".join(leader),), worker_args=("\n".join(worker),),
        env=(("TPU_MULTIHOST_BACKEND", "ray"),),
    )  # fmt: skip
