# SPDX-License-Identifier: Apache-2.0
"""llama.cpp's server: GGUF files on one GPU."""

from collections.abc import Iterator

from hubstack.kinds import EngineKind
from hubstack.plan import ApiKey, MemoryTerm
from hubstack.planner.engines import arguments
from hubstack.planner.engines.spec import Answer, EngineSpec, Refusal, Serving, Unassigned
from hubstack.planner.engines.tasks import EMBED, GENERATE, RANK
from hubstack.planner.memory.engine_memory import GIB
from hubstack.planner.memory.workload import MAX_NUM_BATCHED_TOKENS, Device, EngineMemory, Workload
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import WeightsFormat, projector_part
from hubstack.planner.placement.offers import host_memory_bytes


def _takes(model: Unassigned) -> Answer:
    """Return why llama.cpp serves a GGUF model, or a refusal for tasks that its server does not have."""
    if model.chosen.format is not WeightsFormat.GGUF:
        return None
    cannot = _cannot(model)
    return Refusal(why=cannot) if cannot else "the weights are GGUF, which llama.cpp serves"


def _cannot(model: Unassigned) -> str | None:
    task = model.facts.pipeline_tag
    if task is None or task in GENERATE | EMBED | RANK:
        return None
    return f"has the task {task} and GGUF weights, but llama.cpp's server only generates, embeds and reranks text"


RESIDENT_BYTES = 4 * 1024**3
"""Host memory of the server besides its prompt cache: CUDA libraries, buffers and context checkpoints."""
MAX_CACHE_MIB = 8192
"""llama.cpp's default (tools/server/README.md), which exceeds a small pod's memory (LLMKube#1406)."""


def _args(serving: Serving) -> tuple[str, ...]:
    """Return the row's flags, plus the prompt cache and the projector of a model that reads images or sounds.

    The prompt cache uses half of the memory that the server leaves, to stay within the container's limit.
    """
    memory = host_memory_bytes(serving.shape.machine, serving.shape.host_share)
    cache_mib = max(0, memory - RESIDENT_BYTES) // 2 // 1024**2
    part = projector_part(serving.facts, serving.model_path)
    projector = ("--mmproj", f"{serving.model_dir}/{part.path}") if part else ()
    cache = ("--cache-ram", str(min(MAX_CACHE_MIB, cache_mib)))
    return (*arguments.of_row(serving), *cache, *_text_flags(serving), *projector)


def _text_flags(serving: Serving) -> tuple[str, ...]:
    """Return what embedding and reranking need: their endpoint, and a batch that holds a whole text."""
    if not serving.choice.pooling:
        return ()
    tokens = str(serving.load.batch_tokens)
    mode = "--reranking" if serving.choice.ranks else "--embeddings"
    return (mode, "--batch-size", tokens, "--ubatch-size", tokens)


def _terms(weights_bytes: int, geometry: Geometry, _device: Device, load: Workload) -> Iterator[MemoryTerm]:
    """Yield llama.cpp's compute buffers, plus a guess for the KV cache if the number of layers is unknown."""
    if geometry.layers:
        hidden, ffn = geometry.hidden or 0, geometry.ffn or 0
        more = max(0, load.batch_tokens - MAX_NUM_BATCHED_TOKENS)
        size = GIB + more * 4 * (8 * hidden + 2 * ffn)
        widths = f" + {more:,} tokens x 4 B x (8 x {hidden:,} + 2 x {ffn:,})" if more else ""
        yield MemoryTerm(name="runtime", size_bytes=size, how=f"1 GiB of compute buffers{widths}")
        return
    size = weights_bytes // 4 + GIB
    how = "a quarter of the weights + 1 GiB: the lock does not say how many layers it has, so the cache is a guess"
    yield MemoryTerm(name="cache and runtime (estimate)", size_bytes=size, how=how)


SPEC = EngineSpec(
    kind=EngineKind.LLAMA_CPP,
    memory=EngineMemory(share=0.95, terms=_terms, estimates_without_layers=True),
    takes=_takes,
    turn=1,
    has_slots=True,
    not_streamed="llama-cpp can only load files",
    has_chat_templates=True,
    sees_with="--mmproj",
    api_key=ApiKey(variable="LLAMA_API_KEY"),
    flag_variables="LLAMA_ARG_",
    start_seconds=60,
    args=_args,
    cannot=_cannot,
)
