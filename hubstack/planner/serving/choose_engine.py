# SPDX-License-Identifier: Apache-2.0
"""Which engine serves a model, or why none does.

Owns the choice (docs/sizing.md, "Engines") and the refusals that protect a company: pickled weights, remote
code, files that the Hub's scan reports. Does not own flags (`hubstack.planner.engines`) or the lists of
what each engine knows (catalog/engines.yaml).
"""

from dataclasses import dataclass, field

from hubstack.catalog import Catalog, Engine, ModelTypeSupport
from hubstack.files.problems import nearest
from hubstack.hub.facts import ModelFacts
from hubstack.hub.parts import describe, missing_parts
from hubstack.inputs.models import ModelRequest
from hubstack.kinds import EngineKind
from hubstack.plan import Reason
from hubstack.planner.engines.spec import EngineChoice, Refusal
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import (
    ChosenFiles,
    WeightsFormat,
    count_parameters,
    quantization_method,
)

GENERATE = frozenset({"text-generation", "image-text-to-text", "any-to-any", "video-text-to-text",
                      "audio-text-to-text", "text2text-generation", "conversational"})  # fmt: skip
TRANSCRIBE = frozenset({"automatic-speech-recognition"})
EMBED = frozenset({"feature-extraction", "sentence-similarity"})
RANK = frozenset({"text-ranking", "text-classification"})
TEI_LARGEST_PARAMETERS = 1_000_000_000
"""Decoder embedders above this run faster on vLLM, which batches them over bf16 (facts: gke.md 2.6, 2.7)."""


@dataclass(slots=True)
class _Checks:
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    warnings: list[str] = field(default_factory=list[str])


def choose_engine(
    request: ModelRequest, facts: ModelFacts, geometry: Geometry, chosen: ChosenFiles, catalog: Catalog
) -> EngineChoice | list[Refusal]:
    """Choose the engine of a model on GPUs, or return every reason why none may serve it."""
    checks = _Checks()
    _check_weights(request, facts, chosen, checks)
    _check_scan(request, facts, chosen, checks)
    if checks.refusals:
        return checks.refusals
    found = _find(request, facts, geometry, chosen, catalog)
    if isinstance(found, Refusal):
        return [found]
    kind, why = found
    engine = catalog.engines[kind.value]
    remote = _check_code(request, facts, geometry, engine, checks)
    _check_quantization(facts, engine, checks)
    _check_features(request, engine, kind, checks)
    if checks.refusals:
        return checks.refusals
    task = facts.pipeline_tag or ""
    embeds = not task and facts.library == "sentence-transformers"
    return EngineChoice(
        engine=engine,
        kind=kind,
        pooling=task in EMBED | RANK or embeds,
        ranks=task in RANK,
        remote_code=remote,
        reasons=(Reason(topic="engine", text=why, source="catalog/engines.yaml"),),
        warnings=tuple(checks.warnings),
    )


def _check_weights(request: ModelRequest, facts: ModelFacts, chosen: ChosenFiles, checks: _Checks) -> None:
    paths = [file.path for file in facts.files]
    if "adapter_config.json" in paths or facts.library == "peft":
        checks.refusals.append(
            Refusal(why="is an adapter (PEFT), not a model", hint="list the base model that it was trained on")
        )
    elif "model_index.json" in paths or facts.library == "diffusers":
        task = facts.pipeline_tag or "diffusion"
        checks.refusals.append(Refusal(why=f"is a diffusion pipeline ({task}), which no engine here serves"))
    elif chosen.format is WeightsFormat.PICKLE and not request.allow_pickle:
        checks.refusals.append(
            Refusal(
                why="has only pickled weights, and loading a pickle can run any code",
                hint="ask for safetensors on the Hub, or set `allow_pickle: true` if you trust it",
            )
        )
    elif chosen.format is WeightsFormat.NONE:
        why = "has no weights that the Hub lists (safetensors, GGUF or pickle)"
        checks.refusals.append(Refusal(why=why, hint="look at the repository's files on the Hub"))
    elif chosen.format is WeightsFormat.GGUF and facts.files and not chosen.weights:
        files = ", ".join(path for path in paths if path.endswith(".gguf"))
        why = f"has no file `{request.file}`: it holds {files}" if request.file else f"holds {files}"
        checks.refusals.append(Refusal(why=why, hint="choose one of them with `file:`", field="file"))
    elif request.file and chosen.format is not WeightsFormat.GGUF:
        why = f"has no GGUF file, and `file: {request.file}` chooses one"
        checks.refusals.append(Refusal(why=why, hint="leave `file:` out: all its weights are served", field="file"))
    elif missing := missing_parts(file.path for file in chosen.weights):
        why = f"is not complete: {describe(missing)} is missing"
        checks.refusals.append(Refusal(why=why, hint="lock a commit that has all parts"))
    elif _is_mlx(facts):
        checks.refusals.append(
            Refusal(
                why="is quantized for MLX (its config names no `quant_method`), which no engine here loads",
                hint="list the model that it was made from, or a GGUF, AWQ, GPTQ, FP8 or NVFP4 build of it",
            )
        )


def _is_mlx(facts: ModelFacts) -> bool:
    """MLX writes `group_size` and `bits` alone, and its weights are packed in U32."""
    said = facts.quantization
    has_method = any(
        said.get(key) for key in ("quant_method", "quant_algo", "format", "config_groups", "load_in_4bit")
    )
    return bool(said) and not has_method and bool(said.get("bits")) and not said.get("load_in_8bit")


def _check_scan(request: ModelRequest, facts: ModelFacts, chosen: ChosenFiles, checks: _Checks) -> None:
    loaded = {file.path for file in (*chosen.weights, *chosen.side)}
    bad = {path: level for path, level in facts.security.issues.items() if path in loaded or not facts.files}
    if bad and not request.allow_unsafe:
        found = ", ".join(f"{path} ({level})" for path, level in sorted(bad.items()))
        checks.refusals.append(
            Refusal(
                why=f"has files that the Hub's security scan reports: {found}",
                hint="pin an older commit with `revision:`, or set `allow_unsafe: true` if you have looked",
            )
        )
    elif facts.security.scans_done is False:
        checks.warnings.append("the Hub's security scan of this commit was not finished when it was locked")


def _check_code(
    request: ModelRequest, facts: ModelFacts, geometry: Geometry, engine: Engine, checks: _Checks
) -> bool:
    """Return whether remote code is switched on: only when the model needs it and the request allows it."""
    if not facts.custom_code:
        return False
    if _knows(engine, geometry):
        checks.warnings.append(
            f"the repository carries Python of its own; {engine.id} has its own, so none of it runs"
        )
        return False
    if not request.trust_remote_code:
        checks.refusals.append(
            Refusal(
                why="needs Python code of its repository to run (auto_map in config.json)",
                hint="read that code at the locked commit, then set `trust_remote_code: true`",
            )
        )
    return request.trust_remote_code


def _knows(engine: Engine, geometry: Geometry) -> bool:
    return bool(engine.uses_of(geometry.name)) or geometry.model_type in engine.model_types


def _check_quantization(facts: ModelFacts, engine: Engine, checks: _Checks) -> None:
    method = quantization_method(facts)
    if method and engine.quantization and engine.method_of(method) not in engine.quantization:
        known = ", ".join(sorted(engine.quantization))
        checks.refusals.append(
            Refusal(why=f"is quantized as `{method}`, which {engine.id} {engine.version} does not load ({known})")
        )


_PARSED = frozenset({EngineKind.VLLM, EngineKind.VLLM_TPU, EngineKind.SGLANG})


def _check_features(request: ModelRequest, engine: Engine, kind: EngineKind, checks: _Checks) -> None:
    """Refuse what the engine would not start with."""
    parsers = {"tool_call_parser": engine.tool_call_parsers, "reasoning_parser": engine.reasoning_parsers}
    for name, known in parsers.items():
        said: str | None = getattr(request, name)
        if said and known and said not in known:
            near = nearest(said, known)
            hint = f"did you mean `{near}`?" if near else f"known: {', '.join(known)}"
            what = f"{name.replace('_', ' ')} `{said}`"
            why = f"asks for the {what}, which {engine.id} {engine.version} does not have"
            checks.refusals.append(Refusal(why=why, hint=hint, field=name))
    only = {
        "tool_call_parser": (bool(request.tool_call_parser), _PARSED),
        "reasoning_parser": (bool(request.reasoning_parser), _PARSED),
        "chat_template": (bool(request.chat_template), _PARSED),
        "kv_cache_dtype": (request.kv_cache_dtype != "auto", frozenset({EngineKind.VLLM, EngineKind.SGLANG})),
        "expert_parallel": (request.expert_parallel, _PARSED),
        "lora": (bool(request.lora_slots), frozenset({EngineKind.VLLM})),
        "speculative": (bool(request.speculative_method), frozenset({EngineKind.VLLM})),
    }
    on = EngineKind.VLLM_TPU if request.engine is EngineKind.VLLM_TPU else kind
    for name, (is_asked, engines) in only.items():
        if is_asked and on not in engines:
            checks.refusals.append(Refusal(why=f"asks for `{name}`, which is not planned for {on}", field=name))


def _find(
    request: ModelRequest, facts: ModelFacts, geometry: Geometry, chosen: ChosenFiles, catalog: Catalog
) -> tuple[EngineKind, str] | Refusal:
    task = facts.pipeline_tag
    if request.engine is not None and request.engine is not EngineKind.VLLM_TPU:
        return _check_asked(request.engine, geometry, chosen, catalog)
    if chosen.format is WeightsFormat.GGUF:
        return EngineKind.LLAMA_CPP, "the weights are GGUF, which llama.cpp serves"
    if task in EMBED | RANK or (task is None and facts.library == "sentence-transformers"):
        return _find_for_texts(facts, geometry, chosen, catalog)
    uses = catalog.engines["vllm"].uses_of(geometry.name)
    left_to_sglang = _why_sglang(facts, geometry, catalog)
    if task in GENERATE and left_to_sglang:
        return EngineKind.SGLANG, f"{task} {left_to_sglang}"
    if task in GENERATE | TRANSCRIBE or (task is None and {"text_generation", "multimodal"} & set(uses)):
        return _find_for_generation(request, facts, geometry, catalog.engines["vllm"])
    return Refusal(
        why=f"does {task or 'nothing that the Hub names'}, which no engine here serves",
        hint="served are text generation, vision-language, speech to text, embeddings and ranking",
    )


def _why_sglang(facts: ModelFacts, geometry: Geometry, catalog: Catalog) -> str | None:
    """Say why vLLM leaves a generating model to SGLang (facts: gke.md 2.2 and 2.7)."""
    vllm, sglang = catalog.engines["vllm"], catalog.engines["sglang"]
    if not vllm.uses_of(geometry.name) and sglang.uses_of(geometry.name):
        return f"with {geometry.name}, which vLLM has dropped: SGLang has it"
    if quantization_method(facts) == "bitsandbytes":
        return "from bitsandbytes weights: SGLang loads them, vLLM's image has no plug-in for them"
    return None


def _check_asked(
    kind: EngineKind, geometry: Geometry, chosen: ChosenFiles, catalog: Catalog
) -> tuple[EngineKind, str] | Refusal:
    """Take the engine that was asked for, unless it is sure to fail."""
    engine = catalog.engines[kind.value]
    stored = "pytorch" if chosen.format is WeightsFormat.PICKLE else chosen.format.value
    if stored not in engine.formats:
        known = ", ".join(engine.formats)
        return Refusal(why=f"has {stored} weights, and {engine.id} loads {known}", field="engine")
    family = geometry.model_type
    if engine.model_types and family and family not in engine.model_types:
        return Refusal(why=f"is of the `{family}` family, which {engine.id} does not know", field="engine")
    unchecked = "" if family or not engine.model_types else ", unchecked: the lock names no family of the model"
    return kind, f"{kind} was asked for{unchecked}"


def _generates(geometry: Geometry) -> bool:
    return geometry.name.endswith(("ForCausalLM", "LMHeadModel"))


def _find_for_texts(
    facts: ModelFacts, geometry: Geometry, chosen: ChosenFiles, catalog: Catalog
) -> tuple[EngineKind, str] | Refusal:
    """Embeddings and ranking: TEI for encoders and small embedders, else vLLM's pooling runner."""
    task = facts.pipeline_tag or "embedding"
    # What cannot be counted is not small.
    small = 0 < count_parameters(facts, chosen, geometry) <= TEI_LARGEST_PARAMETERS
    support = catalog.engines["tei"].model_types.get(geometry.model_type)
    suits = small and task not in RANK if _generates(geometry) else task not in RANK or _classifies(support)
    pooled = bool(geometry.name and catalog.engines["vllm"].uses_of(geometry.name))
    if support and suits and not facts.quantization and (small or not pooled):
        return EngineKind.TEI, f"{task} with a {geometry.model_type} model: TEI is built for it"
    if pooled:
        return EngineKind.VLLM, f"{task} with {geometry.name}: vLLM's pooling runner"
    family = geometry.model_type or geometry.name
    if not family:
        return _no_architecture()
    return Refusal(why=f"is a {task} model of the `{family}` family, which neither TEI nor vLLM knows")


def _classifies(support: ModelTypeSupport | None) -> bool:
    return support is not None and support.can_classify


def _find_for_generation(
    request: ModelRequest, facts: ModelFacts, geometry: Geometry, vllm: Engine
) -> tuple[EngineKind, str] | Refusal:
    task = facts.pipeline_tag or "text-generation"
    if not geometry.name:
        return _no_architecture()
    if vllm.uses_of(geometry.name):
        return EngineKind.VLLM, f"{task} with {geometry.name}: vLLM {vllm.version} has it"
    if facts.custom_code and request.trust_remote_code:
        return EngineKind.VLLM, f"{task} with the repository's own {geometry.name}, as asked"
    removed = vllm.removed_after(geometry.name)
    last = f" (its last version with it was {removed})" if removed else ""
    return Refusal(why=f"has the architecture {geometry.name}, which vLLM {vllm.version} does not have{last}")


def _no_architecture() -> Refusal:
    return Refusal(
        why="has no `architectures` in its locked config.json, so no engine can be chosen",
        hint="lock it with a token that may read the repository",
    )
