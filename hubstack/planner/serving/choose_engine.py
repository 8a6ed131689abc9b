# SPDX-License-Identifier: Apache-2.0
"""Which engine serves a model, or why none can.

Owns the choice (docs/concepts/sizing.md, "Engines") and the security refusals: pickled weights, remote code, files
flagged by the Hub's scan. Does not own flags (`hubstack.planner.engines`) or the lists of what each engine supports
(catalog/engines.yaml).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from hubstack.catalog import Catalog, Engine
from hubstack.files.problems import nearest
from hubstack.hub.facts import ModelFacts
from hubstack.hub.gguf_files import first_parts
from hubstack.hub.parts import describe, missing_parts
from hubstack.inputs.models import ModelRequest
from hubstack.kinds import EngineKind
from hubstack.names import is_own
from hubstack.plan import Reason
from hubstack.planner.engines import spec_of, specs
from hubstack.planner.engines.rerankers import reranker_of
from hubstack.planner.engines.spec import EngineChoice, EngineSpec, Refusal, Unassigned
from hubstack.planner.engines.tasks import GENERATE, RANK, is_for_texts, late_architecture
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import ChosenFiles, WeightsFormat, quantization_method
from hubstack.planner.serving.contradictions import contradictions
from hubstack.planner.serving.engine_arguments import check_arguments, memory_warnings
from hubstack.planner.serving.needed_files import file_warnings, missing_tokenizer
from hubstack.planner.serving.repository_code import decide_code

FEATURES = (
    "tool_call_parser",
    "reasoning_parser",
    "chat_template",
    "kv_cache_dtype",
    "expert_parallel",
    "lora",
    "speculative",
    "batch",
)
"""Settings that only some engines have flags for."""


@dataclass(slots=True)
class _Checks:
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    warnings: list[str] = field(default_factory=list[str])


def choose_engine(
    request: ModelRequest, facts: ModelFacts, geometry: Geometry, chosen: ChosenFiles, catalog: Catalog
) -> EngineChoice | list[Refusal]:
    """Choose the engine of a model on GPUs, or return every reason why none can serve it."""
    checks = _Checks()
    _check_weights(request, facts, chosen, checks)
    _check_scan(request, facts, chosen, checks)
    model = Unassigned(request=request, facts=facts, geometry=geometry, chosen=chosen, catalog=catalog)
    if checks.refusals:
        return _lasting(model, checks.refusals)
    asked = spec_of(request.settings.engine_kind) if request.settings.engine_kind else None
    found = _check_asked(asked, model) if asked and not asked.is_for_tpu else _find(model)
    if isinstance(found, Refusal):
        return [found]
    kind, why = found
    engine = model.engine(kind)
    code = decide_code(request, facts, geometry, engine)
    checks.refusals += [code.refusal] if code.refusal else []
    checks.warnings += [code.warning] if code.warning else []
    missing = missing_tokenizer(facts, chosen)
    checks.refusals += [missing] if missing else []
    _check_quantization(facts, engine, checks)
    _check_features(request, engine, asked or spec_of(kind), checks)
    # A pinned or unpinned `vllm` may still run on a TPU, where the flags are those of another engine.
    runs = model.engine(asked.kind) if asked and asked.is_for_tpu else engine
    writes = frozenset(_written_flags(facts, geometry, chosen))
    checks.refusals += check_arguments(request.settings, runs, asked or spec_of(kind), writes)
    checks.warnings += memory_warnings(request.settings, runs)
    _check_adapters(request, engine, geometry, checks)
    refused = {refusal.field for refusal in checks.refusals}
    checks.refusals += [each for each in contradictions(request, facts, geometry) if each.field not in refused]
    if checks.refusals:
        return checks.refusals
    choice = EngineChoice(
        engine=engine,
        kind=kind,
        pooling=is_for_texts(facts),
        ranks=facts.pipeline_tag in RANK,
        remote_code=code.runs,
        reasons=(
            Reason(topic="engine", text=why, source="catalog/engines.yaml"),
            *_suggest_parsers(request, facts, geometry, engine),
        ),
    )
    return replace(choice, warnings=(*checks.warnings, *file_warnings(request, facts, geometry, choice)))


def _lasting(model: Unassigned, refusals: list[Refusal]) -> list[Refusal]:
    """Return the refusals, or instead of those that a key would lift, why no engine serves the model even so."""
    asks = model.chosen.format is WeightsFormat.PICKLE or any(refusal.field == "file" for refusal in refusals)
    found = _find(model) if asks and not model.request.settings.engine_kind else None
    return [found] if isinstance(found, Refusal) else refusals


def _written_flags(facts: ModelFacts, geometry: Geometry, chosen: ChosenFiles) -> Iterator[str]:
    """Yield the flags that vLLM gets for some models only (`hubstack.planner.engines.vllm`)."""
    reranker = reranker_of(facts, geometry.name) if facts.pipeline_tag in RANK else None
    if late_architecture(facts) or (reranker and reranker.overrides_of(geometry.name)):
        yield "--hf-overrides"
    if chosen.is_mistral:
        yield "--tokenizer-mode"


def _check_weights(request: ModelRequest, facts: ModelFacts, chosen: ChosenFiles, checks: _Checks) -> None:
    paths = [file.path for file in facts.files]
    if _is_adapter(facts):
        base = ", ".join(f"`{name}`" for name in facts.base_models)
        hint = f"list the base model that it was trained on{f': {base}' if base else ''}"
        checks.refusals.append(Refusal(why="is an adapter (PEFT), not a model", hint=hint))
    elif "model_index.json" in paths or facts.library == "diffusers":
        task = facts.pipeline_tag or "diffusion"
        checks.refusals.append(
            Refusal(why=f"is a diffusion pipeline ({task}), which none of hubstack's engines serves")
        )
    elif chosen.format is WeightsFormat.PICKLE and not request.settings.allow_pickle:
        checks.refusals.append(
            Refusal(
                why="has only pickled weights, and loading a pickle can run arbitrary code",
                hint="choose a build with safetensors, or set `allow_pickle: true` if you trust the repository",
            )
        )
    elif elsewhere := _weights_elsewhere(facts, chosen):
        why = f"has only a part of its weights: the engine loads the others from {' and '.join(elsewhere)}, which"
        hint = "choose a repository that includes all weights, such as a GGUF build"
        checks.refusals.append(Refusal(why=f"{why} are neither locked nor staged", hint=hint))
    elif chosen.format is WeightsFormat.NONE:
        checks.refusals.append(_without_weights(facts))
    elif chosen.format is WeightsFormat.GGUF and facts.files and not chosen.weights:
        why = _unclear_gguf(request.settings.file, first_parts(paths))
        checks.refusals.append(Refusal(why=why, hint="choose one with `file:`", field="file"))
    elif request.settings.file and chosen.format is not WeightsFormat.GGUF:
        why = f"has no GGUF files, but `file: {request.settings.file}` selects one"
        checks.refusals.append(Refusal(why=why, hint="remove `file:` to serve the model's weights", field="file"))
    elif missing := missing_parts(file.path for file in chosen.weights):
        why = f"is incomplete: {describe(missing)} is missing"
        checks.refusals.append(Refusal(why=why, hint="set `revision:` to a commit that has all parts"))
    elif _is_mlx(facts):
        checks.refusals.append(
            Refusal(
                why="is quantized for MLX (its config has no `quant_method`), which hubstack's engines do not load",
                hint="list the original model, or a GGUF, AWQ, GPTQ, FP8 or NVFP4 build of it",
            )
        )


def _weights_elsewhere(facts: ModelFacts, chosen: ChosenFiles) -> tuple[str, ...]:
    """Return the repositories from which vLLM loads parts of a model (0.33.0, models/ultravox.py)."""
    if chosen.format is WeightsFormat.GGUF:
        return ()
    named = (facts.config.get(key) for key in ("audio_model_id", "text_model_id"))
    return tuple(str(repo) for repo in named if repo)


_OTHER_WEIGHTS = ("*.nemo", "*.pth", "*.ckpt", "*.onnx", "*.h5", "*.msgpack", "*.tflite", "*.engine", "*.mlmodel")


def _without_weights(facts: ModelFacts) -> Refusal:
    """Return the refusal of a repository without loadable weights, with the files that it has instead."""
    paths = [file.path for file in facts.files]
    others = [path for path in paths if any(fnmatchcase(path.lower(), pattern) for pattern in _OTHER_WEIGHTS)]
    deeper = [path for path in paths if path.endswith((".safetensors", ".bin"))]
    if others:
        named = describe(tuple(others))
        return Refusal(why=f"has its weights in {named}, a format that none of hubstack's engines loads")
    if deeper:
        why = f"has weights only in subfolders ({describe(tuple(deeper))}), where engines do not look"
        return Refusal(why=why, hint="choose a repository with the weights next to config.json")
    why = "has no safetensors, GGUF or pickle weights on the Hub"
    return Refusal(why=why, hint="check the repository's files on the Hub")


def _unclear_gguf(asked: str | None, models: Mapping[str, tuple[str, ...]]) -> str:
    """Return why no GGUF file was chosen, with the names to choose from."""
    files = [path for paths in models.values() for path in paths]
    found = [path for path in files if asked and fnmatchcase(path, asked)]
    if asked and not found:
        return f"has no file `{asked}`, only {', '.join(files) or 'projectors'}"
    if len(models) > 1:
        told = "; ".join(f"{model} ({', '.join(paths)})" for model, paths in models.items())
        return f"has several models{f' that match `{asked}`' if asked else ''}: {told}"
    return f"has several GGUF files, none of them Q4_K_M: {', '.join(files)}"


def _is_adapter(facts: ModelFacts) -> bool:
    """Return whether the repository is only an adapter; a full model may include one too (granite-speech)."""
    paths = [file.path for file in facts.files]
    whole = any(path.endswith(".safetensors") and "/" not in path and "adapter" not in path for path in paths)
    is_named = "adapter_config.json" in paths or facts.library == "peft"
    return is_named and not (whole and "config.json" in paths)


def _is_mlx(facts: ModelFacts) -> bool:
    """Return whether the weights are MLX: config with only `group_size` and `bits`, weights packed in U32."""
    said = facts.quantization
    has_method = any(
        said.get(key) for key in ("quant_method", "quant_algo", "format", "config_groups", "load_in_4bit")
    )
    return bool(said) and not has_method and bool(said.get("bits")) and not said.get("load_in_8bit")


def _check_scan(request: ModelRequest, facts: ModelFacts, chosen: ChosenFiles, checks: _Checks) -> None:
    loaded = {file.path for file in (*chosen.weights, *chosen.side)}
    bad = {path: level for path, level in facts.security.issues.items() if path in loaded or not facts.files}
    if bad and not request.settings.allow_unsafe:
        found = ", ".join(f"{path} ({level})" for path, level in sorted(bad.items()))
        checks.refusals.append(
            Refusal(
                why=f"has files flagged by the Hub's security scan: {found}",
                hint="pin an older commit with `revision:`, or review the files and set `allow_unsafe: true`",
            )
        )
    elif is_own(facts.id):
        checks.warnings.append("own weights: their files were not scanned, unlike those on the Hub")
        if not facts.license:
            checks.warnings.append("own weights: their licence is unknown; state it with `license:`")
    elif facts.security.scans_done is False:
        checks.warnings.append("the Hub had not finished its security scan of this commit when it was locked")


def _check_quantization(facts: ModelFacts, engine: Engine, checks: _Checks) -> None:
    method = quantization_method(facts)
    if method and engine.quantization and engine.method_of(method) not in engine.quantization:
        known, base = ", ".join(sorted(engine.quantization)), ", ".join(facts.base_models)
        hint = f"list the original `{base}`, or an AWQ, GPTQ or FP8 build of it" if base else None
        why = f"is quantized with `{method}`, which {engine.id} {engine.version} does not load (it loads {known})"
        checks.refusals.append(Refusal(why=why, hint=hint))


def _check_features(request: ModelRequest, engine: Engine, spec: EngineSpec, checks: _Checks) -> None:
    """Add a refusal for each requested feature with which the engine would not start."""
    parsers = {"tool_call_parser": engine.tool_call_parsers, "reasoning_parser": engine.reasoning_parsers}
    for name, known in parsers.items():
        said: str | None = getattr(request.settings, name)
        if said and said in engine.parser_packages:
            package = engine.parser_packages[said]
            why = f"sets `{name}: {said}`, which needs the package {package}; the image of {engine.id} lacks it"
            checks.refusals.append(Refusal(why=why, hint=f"remove `{name}:`", field=name))
        elif said and known and said not in known:
            near = nearest(said, known)
            hint = f"did you mean `{near}`?" if near else f"known: {', '.join(known)}"
            what = f"{name.replace('_', ' ')} `{said}`"
            why = f"requests the {what}, which {engine.id} {engine.version} does not have"
            checks.refusals.append(Refusal(why=why, hint=hint, field=name))
    for name in FEATURES:
        if not request.settings.is_default(name) and name not in spec.features:
            why = f"sets `{name}`, which hubstack does not support on {spec.kind}"
            checks.refusals.append(Refusal(why=why, field=name))


def _check_adapters(request: ModelRequest, engine: Engine, geometry: Geometry, checks: _Checks) -> None:
    """Add a refusal if the engine's implementation of the architecture takes no adapters."""
    known = engine.release.lora_architectures if engine.release else frozenset[str]()
    listed = any(geometry.name in names for names in engine.architectures.values())
    if request.settings.lora and known and listed and geometry.name not in known:
        why = f"sets `lora`, but {engine.id} {engine.version} takes no adapters for {geometry.name}"
        checks.refusals.append(Refusal(why=why, hint="merge the adapter into the model", field="lora"))


def _suggest_parsers(
    request: ModelRequest, facts: ModelFacts, geometry: Geometry, engine: Engine
) -> Iterator[Reason]:
    """Suggest the parsers of a chat model's family that the request does not set."""
    known = engine.parsers_of(geometry.model_type, facts.id.rpartition("/")[2])
    asked = {"tool_call": request.settings.tool_call_parser, "reasoning": request.settings.reasoning_parser}
    left = [f"`{kind}_parser: {name}`" for kind, name in known.items() if not asked[kind]]
    if left and facts.pipeline_tag in GENERATE:
        text = f"off by default, because they change responses: {' and '.join(left)} would suit this model family"
        yield Reason(topic="parsers", text=text, source="catalog/engines.yaml")


def _find(model: Unassigned) -> tuple[EngineKind, str] | Refusal:
    """Return the first engine, in order of priority, that serves the model."""
    for spec in sorted(specs().values(), key=lambda spec: spec.turn):
        answer = spec.takes(model) if spec.takes else None
        if isinstance(answer, Refusal):
            return answer
        if answer:
            return spec.kind, answer
    task = model.facts.pipeline_tag
    if not task:
        return Refusal(
            why="has no task (`pipeline_tag`) on the Hub, so no engine can be chosen",
            hint="set `engine:` if you know which one serves it",
        )
    return Refusal(
        why=f"has the task {task}, which none of hubstack's engines serves",
        hint="supported tasks: text generation, vision-language, speech to text, embeddings and reranking",
    )


def _check_asked(spec: EngineSpec, model: Unassigned) -> tuple[EngineKind, str] | Refusal:
    """Return the requested engine, unless it is certain to fail."""
    engine, family = model.engine(spec.kind), model.geometry.model_type
    format_ = model.chosen.format
    stored = "pytorch" if format_ is WeightsFormat.PICKLE else format_.value
    if stored not in engine.formats:
        known = ", ".join(engine.formats)
        return Refusal(why=f"has {stored} weights, but {engine.id} loads {known}", field="engine")
    if engine.model_types and family and family not in engine.model_types:
        return Refusal(why=f"has the model type `{family}`, which {engine.id} does not support", field="engine")
    cannot = spec.cannot(model)
    if cannot:
        return Refusal(why=cannot, field="engine")
    unchecked = "" if family or not engine.model_types else " (unchecked: the lock has no model type)"
    return spec.kind, f"{spec.kind}, as set by `engine:`{unchecked}"
