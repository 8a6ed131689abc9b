# SPDX-License-Identifier: Apache-2.0
"""The serving container of a model: image, flags, probes and resources as plain data.

Owns how a sized and placed model is passed to its engine: a flag pins every figure that sizing assumed. Does not
own the Kubernetes objects (`hubstack.deploy.manifests`).
"""

import math

from hubstack.kinds import AcceleratorKind
from hubstack.plan import MountedFile, Probe, ServerPlan
from hubstack.planner.engines import spec_of
from hubstack.planner.engines.arguments import port_of
from hubstack.planner.engines.spec import EngineSpec, NodeGroup, Serving
from hubstack.planner.memory import sizing
from hubstack.planner.placement.offers import host_cpu_millicores, host_memory_bytes
from hubstack.planner.serving.engine_arguments import JOBS_ENV, OWN_ENV, arguments_of
from hubstack.planner.serving.shutdown import plan_shutdown

GIB = sizing.GIB
ANSWER_TOKENS = 2048
"""Length in tokens of the response that a stopping server may still finish."""
MIN_ANSWER_SECONDS, MAX_ANSWER_SECONDS = 60, 900
NON_ROOT_USER = 2000
"""A user that exists in vLLM's images; the other engines do not need an entry for it."""
COMPILER_BYTES = 8 * GIB
"""Host memory of one compiler of FlashInfer's kernels: 5.7 GiB measured (vllm#54237), 8 assumed by FlashInfer's own
build (flashinfer#3899). Without a limit as many run as the node has CPUs, and the container is killed."""


def shm_bytes(tensor_parallel: int, memory_bytes: int) -> int:
    """Return the bytes of /dev/shm, which count as pod memory; 0 if a single process does not need it."""
    return min(2 * tensor_parallel * GIB, memory_bytes // 4) if tensor_parallel > 1 else 0


def compile_jobs(memory_bytes: int, cpu_millicores: int) -> int:
    """Return how many kernels may be compiled at once in the memory that the engine's processes leave free."""
    return max(1, min(memory_bytes // COMPILER_BYTES, cpu_millicores // 1000))


def plan_server(serving: Serving) -> ServerPlan:
    """Return the container that serves a model."""
    choice, shape = serving.choice, serving.shape
    engine = choice.engine
    spec, loading = spec_of(choice.kind), serving.loading
    start, port = spec.start_seconds, port_of(engine.port)
    load_seconds = start + loading.seconds
    # The slower of both rates sets the startup window, so that a fast estimate does not cut off a slow load.
    window_seconds = 3 * (start + max(loading.seconds, loading.slow_seconds))
    share = shape.host_share
    memory = host_memory_bytes(shape.machine, share)
    is_tpu = shape.accelerator.kind is AcceleratorKind.TPU
    image = engine.image_for(shape.accelerator.id)
    if image is None:  # placement only uses accelerators with an engine image
        raise ValueError(f"{engine.id} has no image for {shape.accelerator.id}")
    answer = answer_seconds(serving.load_bytes, shape.count * shape.hosts, shape.accelerator.bandwidth_gbps)
    stop = plan_shutdown(engine, serving.request, answer, serving.limits)
    drain = (engine.drain_argument, str(stop.drain)) if engine.drain_argument else ()
    given, given_env = arguments_of(serving.settings), serving.settings.env
    group = _group(spec, serving, (*given, *drain))
    cpu = host_cpu_millicores(shape.machine, share)
    shm = shm_bytes(shape.tensor_parallel, memory)
    free = memory - shm - spec.process_bytes(shape.tensor_parallel, serving.geometry)
    jobs = {JOBS_ENV: str(compile_jobs(free, cpu))} if spec.compiles_kernels and not is_tpu else {}
    own_env = OWN_ENV | jobs | dict(spec.env(window_seconds)) | dict(engine.env) | dict(group.env)
    return ServerPlan(
        engine=choice.kind,
        version=engine.version,
        image=image,
        command=group.command,
        args=group.args,
        worker_args=group.worker_args,
        env=tuple(sorted((own_env | given_env).items())),
        files=tuple(MountedFile(name=f.name, text=f.text, sha256=f.digest) for f in serving.request.files) or None,
        engine_args=given or None,
        engine_env=tuple(sorted(given_env)) or None,
        port=port,
        startup=Probe(
            path=engine.health_path,
            port=port,
            period_seconds=10,
            failure_threshold=max(30, -(-window_seconds // 10)),
        ),
        readiness=Probe(path=engine.health_path, port=port, period_seconds=5, failure_threshold=3),
        liveness=Probe(path=engine.health_path, port=port, period_seconds=15, failure_threshold=8),
        metrics_path=engine.metrics_path,
        api_path="/v1",
        open_paths=(*spec.open_paths, *spec.more_paths(serving.facts)),
        api_key=spec.api_key,
        picker_metrics=spec.picker_metrics,
        served_model_name=serving.name,
        # The vfio devices of a TPU belong to root and GKE gives them to no one else.
        run_as_user=0 if is_tpu else NON_ROOT_USER,
        cpu_millicores=cpu,
        memory_bytes=memory,
        accelerator_resource="google.com/tpu" if is_tpu else "nvidia.com/gpu",
        accelerator_count=shape.count,
        shm_bytes=shm,
        scratch_bytes=8 * GIB,
        load_seconds=load_seconds,
        pre_stop_seconds=stop.pre_stop,
        drain_seconds=stop.drain,
        termination_grace_seconds=stop.grace,
    )


def _group(spec: EngineSpec, serving: Serving, more: tuple[str, ...]) -> NodeGroup:
    """Return how the containers of one multi-node replica start."""
    command, args, hosts = serving.choice.engine.command, (*spec.args(serving), *more), serving.shape.hosts
    if hosts == 1:
        return NodeGroup(command=command, args=args)
    if spec.group is None:  # placement plans it on one node
        raise ValueError(f"{spec.kind} has no group of {hosts} nodes")
    return spec.group(command, args, hosts, serving.shape.pipeline_parallel)


def answer_seconds(load_bytes: int, accelerators: int, bandwidth_gbps: float) -> int:
    """Return the seconds to finish a response that has started: every token reads the weights once.

    Assumes half the memory bandwidth, because other sequences are served at the same time.
    """
    seconds = ANSWER_TOKENS * load_bytes / accelerators / (bandwidth_gbps * 1e9 / 2)
    return min(max(MIN_ANSWER_SECONDS, math.ceil(seconds)), MAX_ANSWER_SECONDS)
