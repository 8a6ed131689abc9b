# SPDX-License-Identifier: Apache-2.0
"""The serving container of a model: image, flags, probes and resources as plain data.

Owns how a sized and placed model is told to its engine, so that it starts: every figure that sizing assumed
is pinned by a flag. Does not own the Kubernetes objects (`hubstack.deploy.manifests`).
"""

import json
import math
from dataclasses import dataclass

from hubstack import names
from hubstack.catalog import Accelerator, MachineType
from hubstack.hub.facts import ModelFacts
from hubstack.inputs.models import ModelRequest
from hubstack.kinds import AcceleratorKind, EngineKind
from hubstack.plan import MemoryNeed, Probe, ServerPlan
from hubstack.plan.loading import LoadingMethod, LoadingPlan
from hubstack.planner.memory import sizing
from hubstack.planner.memory.sizing import Load
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import WeightsFormat, quantization_method
from hubstack.planner.placement.offers import host_cpu_millicores, host_memory_bytes
from hubstack.planner.serving.choose_engine import EngineChoice
from hubstack.planner.serving.node_group import node_group

GIB = sizing.GIB
MODEL_DIR = "/weights"
"""Where the model's folder of the bucket is mounted, read-only."""
START_SECONDS = {
    EngineKind.VLLM: 240,
    EngineKind.VLLM_TPU: 1500,
    EngineKind.SGLANG: 240,
    EngineKind.TEI: 60,
    EngineKind.LLAMA_CPP: 60,
}
"""Allowance for what follows the load: compilation, graph capture, warm-up. TPU compilation dominates."""
DEPRECATED_QUANTIZATION = frozenset({"fbgemm_fp8"})
"""Methods that vLLM 0.33.0 loads only when it is told to (its quantization/__init__.py, in the wheel)."""
ANSWER_TOKENS = 2048
"""Of an answer that is waited for when a server is told to stop."""
MIN_GRACE_SECONDS, MAX_GRACE_SECONDS = 60, 900
NON_ROOT_USER = 2000
"""vLLM's images carry this user; the other engines need no entry for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The accelerators of one replica."""

    machine: MachineType
    accelerator: Accelerator
    count: int
    """GPUs or chips that the replica uses."""
    tensor_parallel: int
    topology: str | None = None
    pipeline_parallel: int = 1
    """Stages; one node holds one stage."""
    hosts: int = 1
    """Nodes of one replica; `count` is of each."""
    servers_per_accelerator: int = 1
    """Above 1 the card is shared by time-sharing, and the server may use that part of it."""
    fraction: float | None = None
    """Share of one card that the machine has; None for whole cards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A placed model, on its way to a container."""

    request: ModelRequest
    facts: ModelFacts
    geometry: Geometry
    choice: EngineChoice
    shape: Shape
    need: MemoryNeed
    load: Load
    """What sizing assumed; the flags pin it."""
    load_bytes: int
    model_path: str
    """As the engine is given it: the mounted folder, or the GGUF file in it."""
    format: WeightsFormat
    loading: LoadingPlan
    model_dir: str = MODEL_DIR
    """Folder of the model's files."""


def shm_bytes(tensor_parallel: int, memory_bytes: int) -> int:
    """Return the size of /dev/shm, which counts as memory of the pod; 0 where one process needs none."""
    return min(2 * tensor_parallel * GIB, memory_bytes // 4) if tensor_parallel > 1 else 0


def plan_server(serving: Serving) -> ServerPlan:
    """Describe the container that serves a model."""
    choice, shape = serving.choice, serving.shape
    engine = choice.engine
    start, loading = START_SECONDS[choice.kind], serving.loading
    load_seconds = start + loading.seconds
    # A fast estimate never closes the window on a slow load: both rates count, the slower one wins.
    window_seconds = 3 * (start + max(loading.seconds, loading.slow_seconds))
    share = shape.count / shape.machine.accelerator_count / shape.servers_per_accelerator
    memory = host_memory_bytes(shape.machine, share)
    is_tpu = shape.accelerator.kind is AcceleratorKind.TPU
    image = engine.image_for(shape.accelerator.id)
    if image is None:  # placement offers only accelerators that the engine has an image for
        raise ValueError(f"{engine.id} has no image for {shape.accelerator.id}")
    group = node_group(choice.kind, _args(serving), shape.hosts, shape.pipeline_parallel)
    return ServerPlan(
        engine=choice.kind,
        version=engine.version,
        image=image,
        command=group.command,
        args=group.args,
        worker_args=group.worker_args,
        env=tuple(sorted((*_env(choice.kind, window_seconds), *group.env))),
        port=_port(engine.port),
        startup=Probe(path=engine.health_path, port=_port(engine.port), period_seconds=10,
                      failure_threshold=max(30, -(-window_seconds // 10))),
        readiness=Probe(path=engine.health_path, port=_port(engine.port), period_seconds=5,
                        failure_threshold=3),
        liveness=Probe(path=engine.health_path, port=_port(engine.port), period_seconds=15,
                       failure_threshold=8),
        metrics_path=engine.metrics_path,
        api_path="/v1",
        served_model_name=serving.facts.id,
        # The vfio devices of a TPU belong to root and GKE gives them to no one else.
        run_as_user=0 if is_tpu else NON_ROOT_USER,
        cpu_millicores=host_cpu_millicores(shape.machine, share),
        memory_bytes=memory,
        accelerator_resource="google.com/tpu" if is_tpu else "nvidia.com/gpu",
        accelerator_count=shape.count,
        shm_bytes=shm_bytes(shape.tensor_parallel, memory),
        scratch_bytes=8 * GIB,
        load_seconds=load_seconds,
        termination_grace_seconds=_grace_seconds(serving),
    )  # fmt: skip


def _grace_seconds(serving: Serving) -> int:
    """Return the time to finish an answer that has begun: every token reads the weights once.

    At half the memory's bandwidth, since other sequences are served at the same time.
    """
    shape = serving.shape
    rank_bytes = serving.load_bytes / (shape.count * shape.hosts)
    seconds = ANSWER_TOKENS * rank_bytes / (shape.accelerator.bandwidth_gbps * 1e9 / 2)
    return min(max(MIN_GRACE_SECONDS, math.ceil(seconds)), MAX_GRACE_SECONDS)


def _port(port: int) -> int:
    """Return a port that a user other than root may open."""
    return port if port >= 1024 else 8000 + port


def _env(kind: EngineKind, window_seconds: int) -> tuple[tuple[str, str], ...]:
    shared = {
        "DO_NOT_TRACK": "1",
        "HF_HOME": "/tmp/huggingface",  # noqa: S108  an emptyDir of the pod
        "HF_HUB_OFFLINE": "1",
        "HOME": "/tmp",  # noqa: S108
        "USER": "hubstack",
    }
    vllm = {
        "VLLM_CACHE_ROOT": "/tmp/vllm",  # noqa: S108
        "VLLM_ENGINE_READY_TIMEOUT_S": str(window_seconds),
        "VLLM_NO_USAGE_STATS": "1",
    }
    tpu = {"TPU_BACKEND_TYPE": "jax", "VLLM_XLA_CACHE_PATH": "/tmp/xla"}  # noqa: S108
    extra = {EngineKind.VLLM: vllm, EngineKind.VLLM_TPU: vllm | tpu}.get(kind, {})
    return tuple(sorted((shared | extra).items()))


def _args(serving: Serving) -> tuple[str, ...]:
    choice = serving.choice
    if choice.engine.arguments:
        values = _values(serving)
        return tuple(text.format_map(values) for text in choice.engine.arguments)
    return _sglang_args(serving) if choice.kind is EngineKind.SGLANG else _vllm_args(serving)


def _values(serving: Serving) -> dict[str, str | int]:
    """Return what an engine's row may name in braces."""
    context, concurrency = serving.need.context, serving.request.concurrency
    return {
        "batch_tokens": max(sizing.TEI_BATCH_TOKENS, context),
        "cache_tokens": context * concurrency,
        "concurrency": concurrency,
        "context": context,
        "dtype": _tei_dtype(serving),
        "model_path": serving.model_path,
        "name": serving.facts.id,
        "port": _port(serving.choice.engine.port),
    }


def _sglang_args(serving: Serving) -> tuple[str, ...]:
    """Facts: gke.md 2.1 and 2.5; it listens on localhost unless told otherwise."""
    request, load = serving.request, serving.load
    flags = [
        "--model-path", serving.model_path, "--served-model-name", serving.facts.id, "--host", "0.0.0.0",  # noqa: S104
        "--port", str(_port(serving.choice.engine.port)), "--tp-size", str(load.tensor_parallel),
        "--context-length", str(serving.need.context), "--mem-fraction-static", f"{load.memory_share:g}",
        "--max-running-requests", str(sizing.max_num_seqs(load)), "--chunked-prefill-size", str(load.batch_tokens),
        "--enable-metrics",
    ]  # fmt: skip
    if load.kv_cache_dtype != "auto":
        flags += ["--kv-cache-dtype", "fp8_e4m3"]
    if load.expert_parallel:
        flags += ["--ep-size", str(load.tensor_parallel)]
    flags += _parser_flags(request, serving.model_dir)
    if serving.choice.remote_code:
        flags.append("--trust-remote-code")
    return tuple(flags)


def _parser_flags(request: ModelRequest, model_dir: str) -> list[str]:
    flags: list[str] = []
    if request.tool_call_parser:
        flags += ["--tool-call-parser", request.tool_call_parser]
    if request.reasoning_parser:
        flags += ["--reasoning-parser", request.reasoning_parser]
    if request.chat_template:
        flags += ["--chat-template", f"{model_dir}/{request.chat_template}"]
    return flags


def _tei_dtype(serving: Serving) -> str:
    support = serving.choice.engine.model_types.get(serving.geometry.model_type)
    return (support and support.dtype) or "float16"


def _vllm_args(serving: Serving) -> tuple[str, ...]:
    choice, shape, need = serving.choice, serving.shape, serving.need
    load = serving.load
    flags = [
        serving.loading.uri or serving.model_path, "--port", str(_port(choice.engine.port)),
        # A canary answers to its primary's names: the caller does not know which of the two it asks. Former names
        # of a renamed model are answered too.
        "--served-model-name", serving.facts.id, *names.entry_keys(serving.request),
        "--tensor-parallel-size", str(shape.tensor_parallel),
        "--max-model-len", str(need.context),
        "--max-num-seqs", str(sizing.max_num_seqs(load)),
        "--max-num-batched-tokens", str(load.batch_tokens),
        "--gpu-memory-utilization", f"{load.memory_share:g}",
    ]  # fmt: skip
    flags += _load_flags(serving)
    if choice.pooling:
        flags += ["--runner", "pooling"]
    if choice.ranks:
        flags += _rank_flags(serving.geometry)
    if not shape.accelerator.bf16_native and shape.accelerator.kind is AcceleratorKind.GPU:
        flags += ["--dtype", "half"]
    flags += _parallel_flags(serving) + _feature_flags(serving.request)
    flags += _parser_flags(serving.request, serving.model_dir)
    if serving.request.tool_call_parser:
        flags.append("--enable-auto-tool-choice")
    if choice.remote_code:
        flags.append("--trust-remote-code")
    return tuple(flags)


def _load_flags(serving: Serving) -> list[str]:
    """Return how vLLM reads its weights. The streamer's three keys: vllm runai_streamer_loader.py (0.32 wheel)."""
    loading = serving.loading
    if loading.method is LoadingMethod.RUNAI_STREAMER:
        told: dict[str, object] = {"memory_limit": loading.buffer_bytes}
        if loading.distributed:
            told["distributed"] = True
        extra = json.dumps(told, sort_keys=True)
        return ["--load-format", "runai_streamer", "--model-loader-extra-config", extra]
    return ["--load-format", "safetensors"] if serving.format is WeightsFormat.SAFETENSORS else []


def _parallel_flags(serving: Serving) -> list[str]:
    load, shape = serving.load, serving.shape
    flags: list[str] = []
    if load.expert_parallel:
        flags.append("--enable-expert-parallel")
    if load.kv_cache_dtype != "auto":
        flags += ["--kv-cache-dtype", load.kv_cache_dtype]
    if quantization_method(serving.facts) in DEPRECATED_QUANTIZATION:
        flags.append("--allow-deprecated-quantization")
    if shape.servers_per_accelerator > 1:
        # Servers that start side by side upset each other's profile of the card; the planned cache needs none.
        flags += ["--kv-cache-memory-bytes", str(max(serving.need.kv_available_bytes, 0))]
    return flags


def _feature_flags(request: ModelRequest) -> list[str]:
    flags: list[str] = []
    if request.lora_slots:
        flags += [
            "--enable-lora",
            "--max-loras",
            str(request.lora_slots),
            "--max-lora-rank",
            str(request.lora_rank),
        ]
    if request.speculative_method:
        told: dict[str, object] = {"method": request.speculative_method,
                                   "num_speculative_tokens": request.speculative_tokens}  # fmt: skip
        if request.speculative_method == "ngram":
            told["prompt_lookup_max"] = 4
        flags += ["--speculative-config", json.dumps(told, sort_keys=True)]
    return flags


def _rank_flags(geometry: Geometry) -> list[str]:
    """Generating rerankers score by the odds of one word against another (vLLM docs, "Score API")."""
    overrides = {
        "Qwen3ForCausalLM": {
            "architectures": ["Qwen3ForSequenceClassification"],
            "classifier_from_token": ["no", "yes"],
            "is_original_qwen3_reranker": True,
        },
        "Qwen2ForCausalLM": {
            "architectures": ["Qwen2ForSequenceClassification"],
            "classifier_from_token": ["0", "1"],
            "method": "from_2_way_softmax",
        },
    }.get(geometry.name)
    return ["--hf-overrides", json.dumps(overrides, sort_keys=True)] if overrides else []
