# SPDX-License-Identifier: Apache-2.0
"""Text Embeddings Inference: encoders and small embedders on one GPU."""

from collections.abc import Iterator

from hubstack.kinds import EngineKind
from hubstack.plan import ApiKey, MemoryTerm
from hubstack.planner.engines import arguments
from hubstack.planner.engines.spec import EngineSpec, Serving, Unassigned
from hubstack.planner.engines.tasks import (
    EMBED,
    GENERATE,
    POOL,
    RANK,
    TRANSCRIBE,
    files_beside_weights,
    is_for_texts,
    is_late,
    is_sparse,
    lacks_pooling,
    model_code,
)
from hubstack.planner.memory.engine_memory import GIB
from hubstack.planner.memory.workload import Device, EngineMemory, Workload
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import count_parameters

BATCH_TOKENS = 16384
"""TEI's default for `--max-batch-tokens`."""
LARGEST_PARAMETERS = 1_000_000_000
"""Parameters above which decoder embedders run faster on vLLM, which batches them in bf16."""


def _takes(model: Unassigned) -> str | None:
    """Return why TEI serves an encoder or small embedder; vLLM's pooling runner serves the others."""
    facts, geometry = model.facts, model.geometry
    support = model.engine(EngineKind.TEI).model_types.get(geometry.model_type)
    if "late_interaction" in model.engine(EngineKind.VLLM).uses_of(geometry.name):
        return None
    if not is_for_texts(facts) or facts.pipeline_tag in POOL or is_late(facts) or support is None:
        return None
    if facts.quantization or _cannot(model):
        return None
    task = facts.pipeline_tag or "embedding"
    classifies = task in RANK or geometry.name.endswith("ForSequenceClassification")
    if geometry.name.endswith("ForTokenClassification") or (classifies and not support.can_classify):
        return None
    # Models of unknown size are not considered small.
    is_small = 0 < count_parameters(facts, model.chosen, geometry) <= LARGEST_PARAMETERS
    suits = is_small and task not in RANK if _generates(geometry) else True
    pooled = bool(geometry.name and model.engine(EngineKind.VLLM).uses_of(geometry.name))
    if suits and (is_small or not pooled):
        return f"{task} with a {geometry.model_type} model: TEI is built for it"
    return None


def _cannot(model: Unassigned) -> str | None:
    """Return why TEI cannot serve: it generates nothing, reads only tokenizer.json (TEI#511), runs no own code."""
    facts = model.facts
    if facts.pipeline_tag in GENERATE | TRANSCRIBE and facts.library != "sentence-transformers":
        return f"has the task {facts.pipeline_tag}, but tei only embeds, ranks and classifies texts"
    paths = files_beside_weights(facts)
    if paths and "tokenizer.json" not in paths:
        return "has no tokenizer.json, the only tokenizer format that tei reads"
    support = model.engine(EngineKind.TEI).model_types.get(model.geometry.model_type)
    own = model.engine(EngineKind.TEI).own_code
    others = sorted({ref for ref in model_code(facts) if ref.partition("--")[0] not in own})
    if support and others and not support.is_custom:
        return f"uses custom model code ({others[0]}), which tei does not implement"
    if support and is_sparse(facts) and not support.is_sparse:
        return f"is a sparse embedder (SPLADE) of type `{model.geometry.model_type}`, which tei only embeds densely"
    return None


def _args(serving: Serving) -> tuple[str, ...]:
    """Return the row's arguments, with mean pooling if there is no pooling file, as in sentence-transformers."""
    given = arguments.of_row(serving)
    if is_sparse(serving.facts):
        return (*given, "--pooling", "splade")
    embeds = serving.facts.pipeline_tag in EMBED
    return (*given, "--pooling", "mean") if embeds and lacks_pooling(serving.facts) else given


def _generates(geometry: Geometry) -> bool:
    return geometry.name.endswith(("ForCausalLM", "LMHeadModel"))


def _terms(_weights_bytes: int, geometry: Geometry, device: Device, load: Workload) -> Iterator[MemoryTerm]:
    """Yield the activations of TEI's largest batch, plus attention scores without flash attention."""
    hidden, ffn = geometry.hidden or 1024, geometry.ffn or 4096
    tokens = max(BATCH_TOKENS, load.context)
    size = tokens * 2 * (12 * hidden + 2 * ffn) + GIB // 2
    how = f"{tokens:,} tokens x 2 B x (12 x {hidden:,} + 2 x {ffn:,}) + 0.5 GiB of runtime"
    if not device.has_flash_attention:
        size += tokens * load.context * (geometry.heads or 16) * 8
        how += f" + scores {tokens:,} x {load.context:,} x {geometry.heads or 16} heads x 8 B"
    yield MemoryTerm(name="activation", size_bytes=size, how=how)


SPEC = EngineSpec(
    kind=EngineKind.TEI,
    memory=EngineMemory(share=0.95, terms=_terms, has_kv_cache=False, batch_tokens=BATCH_TOKENS),
    takes=_takes,
    turn=2,
    means_without_pooling=True,
    not_streamed="tei can only load files",
    open_paths=("/v1", "/rerank"),
    more_paths=lambda facts: ("/embed_sparse",) if is_sparse(facts) else (),
    has_texts_api=True,
    api_key=ApiKey(variable="API_KEY"),
    flag_variables="",
    start_seconds=60,
    args=_args,
    cannot=_cannot,
)
