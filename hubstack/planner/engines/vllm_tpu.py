# SPDX-License-Identifier: Apache-2.0
"""vLLM on TPUs: as on GPUs, except for compilation time and memory, and Ray on several hosts.

Ray, since vLLM for TPU runs over hosts with `TPU_MULTIHOST_BACKEND=ray` only
(tpu_inference/platforms/tpu_platform.py, 2026-08), and vLLM refuses `--nnodes` with Ray. LeaderWorkerSet sets the
variables (https://github.com/kubernetes-sigs/lws).
"""

import shlex
from dataclasses import replace

from hubstack.catalog import Engine
from hubstack.kinds import EngineKind
from hubstack.planner.engines import vllm
from hubstack.planner.engines.spec import NodeGroup
from hubstack.planner.memory.engine_memory import GIB
from hubstack.planner.memory.workload import Device, EngineMemory, Workload
from hubstack.planner.model.geometry import Geometry

PROGRAM_BYTES = int(0.85 * GIB)
"""Compiled TPU programs outside the share, measured at 836 MB or more (docs/concepts/sizing.md)."""
RAY_PORT = 6379
_SHELL = ("/bin/sh", "-c")


def _env(window_seconds: int) -> dict[str, str]:
    tpu = {"TPU_BACKEND_TYPE": "jax", "VLLM_XLA_CACHE_PATH": "/tmp/xla"}  # noqa: S108
    return vllm.vllm_env(window_seconds) | tpu


def _over_ray(command: tuple[str, ...], args: tuple[str, ...], hosts: int, stages: int) -> NodeGroup:
    """Return commands that start Ray on all nodes, and the engine on the first once all have joined."""
    serve = shlex.join((*command, *args, "--pipeline-parallel-size", str(stages)))
    alive = "sum(node['Alive'] for node in ray.nodes())"
    joined = f"import ray, time; ray.init(address='auto')\nwhile {alive} < {hosts}: time.sleep(5)"
    leader = (
        "set -e",
        f"ray start --head --port={RAY_PORT}",
        f'python3 -c "{joined}"',
        # In the shell's place, so that it is told to stop and its end is the container's.
        f"exec {serve}",
    )
    address = f'"$LWS_LEADER_ADDRESS:{RAY_PORT}"'
    worker = (
        f"until ray health-check --address {address}; do sleep 5; done",
        f"exec ray start --address={address} --block",
    )
    return NodeGroup(
        command=_SHELL,
        args=("\n".join(leader),),
        worker_args=("\n".join(worker),),
        env=(("TPU_MULTIHOST_BACKEND", "ray"),),
    )


def _untested(engine: Engine, geometry: Geometry) -> str | None:
    if engine.uses_of(geometry.name):
        return None
    return f"{geometry.name} is not on vLLM for TPU's list of tested models"


def _outside_bytes(_geometry: Geometry, _device: Device, _load: Workload) -> int:
    """Return the bytes that vLLM uses outside its share on a TPU: the compiled programs."""
    return PROGRAM_BYTES


SPEC = replace(
    vllm.SPEC,
    kind=EngineKind.VLLM_TPU,
    # No terms: on TPUs the pool is what the weights leave (docs/benchmarks/sizing.md).
    memory=EngineMemory(
        share=vllm.MEMORY_SHARE, outside=_outside_bytes, async_since=vllm.ASYNC_SINCE, needs_dimensions=True
    ),
    takes=None,
    ranks_by_overrides=False,
    features=frozenset({"tool_call_parser", "reasoning_parser", "chat_template", "expert_parallel"}),
    not_streamed="vLLM for TPU's support matrix lists it as untested",
    old_driver_env=(),
    start_seconds=1500,  # compilation dominates
    env=_env,
    is_for_tpu=True,
    needs_bf16=False,
    cache_without_fp8=None,
    caveat=_untested,
    group=_over_ray,
)
