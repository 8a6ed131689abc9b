# SPDX-License-Identifier: Apache-2.0
"""vLLM on GPUs: its flags and its use of memory.

Flags belong to the release pinned in catalog/engines.yaml. On several nodes vLLM uses its own multiprocessing,
which is the default if `--nnodes` is above 1 (vllm/config/parallel.py). LeaderWorkerSet sets the variables.
"""

import json

from hubstack import names
from hubstack.catalog import Engine
from hubstack.hub.facts import ModelFacts
from hubstack.kinds import AcceleratorKind, EngineKind
from hubstack.plan import ApiKey, CompanionRole
from hubstack.plan.loading import LoadingMethod
from hubstack.planner.engines.arguments import parser_flags, port_of
from hubstack.planner.engines.rerankers import reranker_of
from hubstack.planner.engines.spec import Answer, EngineSpec, HostMemory, NodeGroup, Refusal, Serving, Unassigned
from hubstack.planner.engines.tasks import (
    GENERATE,
    TRANSCRIBE,
    has_late_encoder,
    is_for_texts,
    is_late,
    is_sparse,
    late_architecture,
)
from hubstack.planner.engines.vllm_memory import vllm_terms
from hubstack.planner.memory import sizing
from hubstack.planner.memory.engine_memory import gpu_outside_bytes
from hubstack.planner.memory.workload import EngineMemory
from hubstack.planner.model.adapters import modality_adapters
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import WeightsFormat, quantization_method

DEPRECATED_QUANTIZATION = frozenset({"fbgemm_fp8"})
"""Quantization methods that vLLM 0.33.0 loads only with `--quantization` (quantization/__init__.py)."""
MEMORY_SHARE = 0.90
"""Of the visible memory. Its default is 0.92; what lies outside its budget (context, collectives, sampler warm-up)
was measured at 0.5 to 2.4 GiB."""
ASYNC_SINCE = (0, 22)
"""It schedules asynchronously by default since about this version: its pool shows one step in flight at 0.21, two
at 0.27 (docs/concepts/sizing.md, "Windows")."""

CACHED_STATE_SINCE = (0, 20)
"""Since this version, a prefix cache keeps one extra recurrent state (mamba_cache_mode, seen in 0.20.2)."""

HOST_MEMORY = HostMemory(process_bytes=4 * sizing.GIB, rank_bytes=2 * sizing.GIB, image_bytes=4 * sizing.GIB)
"""Resident: 3.8 to 4.6 GiB on one rank (0.29.0, vllm#54237), 9.8 GiB at the start of Qwen3-VL-2B (vllm#46268)."""


def vllm_args(serving: Serving) -> tuple[str, ...]:
    """Return the flags of one server, on GPUs or TPUs."""
    choice, shape, need = serving.choice, serving.shape, serving.need
    load = serving.load
    flags = [
        serving.loading.uri or serving.model_path,
        "--port",
        str(port_of(choice.engine.port)),
        # A canary answers to its primary's names: the caller does not know which of the two it asks. Former names
        # of a renamed model are answered too.
        "--served-model-name",
        *dict.fromkeys((serving.name, *names.entry_keys(serving.request))),
        "--tensor-parallel-size",
        str(shape.tensor_parallel),
        "--max-model-len",
        str(need.context),
        "--max-num-seqs",
        str(sizing.max_num_seqs(load)),
        "--max-num-batched-tokens",
        str(load.batch_tokens),
        "--gpu-memory-utilization",
        f"{load.memory_share:g}",
    ]
    flags += _load_flags(serving)
    if choice.pooling:
        flags += ["--runner", "pooling"]
    if late := late_architecture(serving.facts):
        flags += ["--hf-overrides", json.dumps({"architectures": [late]})]
    reranker = reranker_of(serving.facts, serving.geometry.name) if choice.ranks else None
    if reranker and (overrides := reranker.overrides_of(serving.geometry.name)):
        flags += ["--hf-overrides", overrides]
    if not shape.accelerator.bf16_native and shape.accelerator.kind is AcceleratorKind.GPU:
        flags += ["--dtype", "half"]
    flags += _parallel_flags(serving) + _feature_flags(serving)
    flags += parser_flags(serving.settings, serving.model_dir)
    if reranker and not serving.settings.chat_template:
        flags += ["--chat-template", reranker.template]
    if serving.settings.tool_call_parser:
        flags.append("--enable-auto-tool-choice")
    if choice.remote_code:
        flags.append("--trust-remote-code")
    return tuple(flags)


def _load_flags(serving: Serving) -> list[str]:
    """Return how vLLM reads its weights. The streamer's three keys: vllm runai_streamer_loader.py (0.32 wheel)."""
    loading = serving.loading
    if serving.is_mistral:
        return ["--tokenizer-mode", "mistral", "--config-format", "mistral", "--load-format", "mistral"]
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


def _feature_flags(serving: Serving) -> list[str]:
    flags: list[str] = []
    if lora := serving.load.lora:
        flags += ["--enable-lora", "--max-loras", str(lora.slots), "--max-lora-rank", str(lora.rank)]
        if lora.in_memory > lora.slots:
            flags += ["--max-cpu-loras", str(lora.in_memory)]
    served = [each for each in serving.companions if each.role is CompanionRole.ADAPTER]
    if served:
        flags += ["--lora-modules", *(f"{each.name}={each.weights.model_path}" for each in served)]
    if adapters := modality_adapters(serving.facts):
        flags += ["--default-mm-loras", json.dumps(adapters.paths(serving.model_dir), sort_keys=True)]
    if speculative := serving.settings.speculative:
        told: dict[str, object] = {"method": speculative.method, "num_speculative_tokens": speculative.tokens}
        if speculative.method == "ngram":
            told["prompt_lookup_max"] = 4
        for draft in (each for each in serving.companions if each.role is CompanionRole.DRAFT):
            # Its own load format: the model may be streamed, or have another one.
            format_ = "safetensors" if draft.provenance.weights_format == WeightsFormat.SAFETENSORS else "pt"
            told |= {"model": draft.weights.model_path, "draft_load_config": {"load_format": format_}}
        flags += ["--speculative-config", json.dumps(told, sort_keys=True)]
    return flags


def vllm_env(window_seconds: int) -> dict[str, str]:
    """Return its variables: caches where a pod may write, and the window of the startup probe."""
    return {
        "VLLM_CACHE_ROOT": "/tmp/vllm",  # noqa: S108  an emptyDir of the pod
        "VLLM_ENGINE_READY_TIMEOUT_S": str(window_seconds),
        "VLLM_NO_USAGE_STATS": "1",
    }


def _group(command: tuple[str, ...], args: tuple[str, ...], hosts: int, stages: int) -> NodeGroup:
    args = (
        *args,
        "--pipeline-parallel-size",
        str(stages),
        "--nnodes",
        str(hosts),
        "--node-rank",
        "$(LWS_WORKER_INDEX)",
        "--master-addr",
        "$(LWS_LEADER_ADDRESS)",
    )
    return NodeGroup(command=command, args=args, worker_args=(*args, "--headless"))


def _takes(model: Unassigned) -> Answer:
    """Return why vLLM serves one of the remaining models, or a refusal if no engine can."""
    if is_for_texts(model.facts):
        return _takes_texts(model)
    vllm, task = model.engine(EngineKind.VLLM), model.facts.pipeline_tag
    known = {"text_generation", "multimodal"} & set(vllm.uses_of(model.geometry.name))
    if task in GENERATE | TRANSCRIBE or (task is None and known):
        return _takes_generation(model, vllm)
    return None


def _takes_texts(model: Unassigned) -> str | Refusal:
    task, name = model.facts.pipeline_tag or "embedding", model.geometry.name
    if is_late(model.facts):
        return _takes_late_interaction(model, name)
    if is_sparse(model.facts):
        return Refusal(why="is a sparse embedder (SPLADE), which only tei serves, and tei cannot load it")
    if name and model.engine(EngineKind.VLLM).uses_of(name):
        return f"{task} with {name}: vLLM's pooling runner"
    family = model.geometry.model_type or name
    if not family:
        return _without_architecture(model.facts)
    return Refusal(why=f"is a {task} model of type `{family}`, which neither TEI nor vLLM supports")


def _takes_late_interaction(model: Unassigned, name: str) -> str | Refusal:
    late = late_architecture(model.facts) or name
    if has_late_encoder(model.facts) and "late_interaction" in model.engine(EngineKind.VLLM).uses_of(late):
        return f"late interaction with {late}: vLLM's pooling runner"
    family = model.geometry.model_type or name
    return Refusal(why=f"is a late-interaction model (ColBERT) with a `{family}` encoder, which no engine supports")


def _takes_generation(model: Unassigned, vllm: Engine) -> str | Refusal:
    task, name = model.facts.pipeline_tag or "text-generation", model.geometry.name
    if not name:
        return _without_architecture(model.facts)
    if vllm.uses_of(name):
        return f"{task} with {name}: supported by vLLM {vllm.version}"
    if model.facts.custom_code and model.request.settings.trust_remote_code:
        return f"{task} with the repository's own {name}, as `trust_remote_code:` allows"
    removed = vllm.removed_after(name)
    last = f" (last supported in {removed})" if removed else ""
    return Refusal(why=f"has the architecture {name}, which vLLM {vllm.version} does not support{last}")


def _caveat(engine: Engine, geometry: Geometry) -> str | None:
    if not geometry.name or engine.uses_of(geometry.name):
        return None
    return (
        f"vLLM {engine.version} has no implementation of {geometry.name}: it tries the repository's code in its "
        "Transformers backend, which needs replaceable attention and stops without it"
    )


def _without_architecture(facts: ModelFacts) -> Refusal:
    """Return the refusal of a model whose config does not say what it is, or could not be read."""
    has_file = any(file.path == "config.json" for file in facts.files)
    if facts.config or (facts.files and not (has_file and facts.gated)):
        lacks = "`architectures` in config.json" if facts.config or has_file else "config.json"
        is_other = facts.library not in {None, "transformers", "sentence-transformers"}
        library = f"; the Hub says that its library is `{facts.library}`" if is_other else ""
        hint = "choose a build of it whose config.json names the architecture, or a GGUF build"
        return Refusal(why=f"has no {lacks}, so no engine can be chosen{library}", hint=hint)
    return Refusal(
        why="has no `architectures` in config.json, so no engine can be chosen",
        hint="run `hubstack lock` with a token that can read the repository",
    )


SPEC = EngineSpec(
    kind=EngineKind.VLLM,
    memory=EngineMemory(
        share=MEMORY_SHARE,
        terms=vllm_terms,
        outside=gpu_outside_bytes,
        async_since=ASYNC_SINCE,
        needs_dimensions=True,
        pages_layers=True,
        cached_state_since=CACHED_STATE_SINCE,
    ),
    takes=_takes,
    turn=4,
    ranks_by_overrides=True,
    features=frozenset(
        {
            "tool_call_parser",
            "reasoning_parser",
            "chat_template",
            "expert_parallel",
            "kv_cache_dtype",
            "lora",
            "speculative",
            "batch",
        }
    ),
    negates_flags=True,
    not_streamed=None,
    host=HOST_MEMORY,
    compiles_kernels=True,
    old_driver_env=(("VLLM_ENABLE_CUDA_COMPATIBILITY", "1"),),
    api_key=ApiKey(variable="VLLM_API_KEY"),
    picker_metrics="vllm",
    start_seconds=240,
    args=vllm_args,
    env=vllm_env,
    on_tpu=EngineKind.VLLM_TPU,
    needs_bf16=True,
    cache_without_fp8="bfloat16",
    caveat=_caveat,
    group=_group,
)
