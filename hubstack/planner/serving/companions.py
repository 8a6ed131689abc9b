# SPDX-License-Identifier: Apache-2.0
"""Whether the adapters and the draft model of a list entry suit its model, by what is locked of both.

Owns these checks; their reasons name what vLLM 0.33.0 refuses or would do wrongly. Does not own the memory that
they take (`hubstack.planner.memory`) or their flags (`hubstack.planner.engines`). Facts that the lock does not
have contradict nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from hubstack.catalog import Engine
from hubstack.hub.facts import ModelFacts
from hubstack.hub.parts import describe
from hubstack.inputs.hub_names import repo_id_problem
from hubstack.inputs.models import DRAFT, DRAFT_FIELD, ModelRequest, adapter_field
from hubstack.inputs.models_schema import RANKS, Adapter
from hubstack.plan import CompanionRole
from hubstack.planner.engines.spec import Refusal
from hubstack.planner.model.adapters import adapter_config, adapter_rank
from hubstack.planner.model.companions import ADAPTER_CONFIG, Companion, adapter_weights
from hubstack.planner.model.geometry import Geometry, read_geometry
from hubstack.planner.model.weights import WeightsFormat, choose_files, weights_size

_SAVED = frozenset({"classifier", "score"})
_PLAIN_INITS = frozenset({"gaussian", "eva", "orthogonal", "mica", "lora_ga"})
_UNSUPPORTED = {
    "use_dora": "DoRA",
    "lora_bias": "a bias in its matrices (`lora_bias`)",
    "alora_invocation_tokens": "Activated LoRA",
    "layer_replication": "replicated layers",
    "use_bdlora": "block-diagonal LoRA",
    "use_qalora": "QALoRA",
}
"""Fields of an adapter_config.json to what vLLM does not implement (0.33.0, lora/peft_helper.py)."""
_SPECULATORS = {"qwen3": "Eagle3Qwen3ForCausalLM", "llama": "Eagle3LlamaForCausalLM"}
"""Model type of a head in the speculators format to its architecture (vLLM 0.33.0, speculators/algos.py)."""
_HEADS = {"eagle": "Eagle", "eagle3": "Eagle3"}
"""Method to the prefix that vLLM adds to a head's architecture (0.33.0, transformers_utils/configs/eagle.py)."""


def find_companions(
    request: ModelRequest,
    facts: ModelFacts,
    geometry: Geometry,
    locked: Mapping[tuple[str, str], ModelFacts],
    engine: Engine,
) -> tuple[Companion, ...] | list[Refusal]:
    """Return the adapters and the draft model of an entry, sorted by name, or every reason why one cannot serve.

    Args:
        request: the entry.
        facts: locked facts of its model.
        geometry: the model's dimensions.
        locked: facts of each companion by ID and revision.
        engine: the engine that serves them.
    """
    refusals: list[Refusal] = []
    found: list[Companion] = []
    for index, adapter in enumerate(request.settings.lora.adapters if request.settings.lora else ()):
        own = locked[adapter.id, adapter.revision]
        why = list(_adapter_faults(request, facts, adapter, own))
        refusals += [replace(each, field=adapter_field(index)) for each in why]
        if not why:
            kind, files = adapter_weights(own)
            size = sum(file.size_bytes for file in files if file.path != ADAPTER_CONFIG)
            rank = adapter_rank(adapter_config(own))
            made = Companion(
                role=CompanionRole.ADAPTER,
                name=adapter.served_name,
                facts=own,
                format=kind,
                files=files,
                size_bytes=size,
                rank=rank,
            )
            found.append(made)
    asked = request.settings.speculative
    if asked and asked.model:
        own = locked[asked.model, asked.revision]
        draft = _draft(request, asked.method, facts, geometry, own, engine)
        refusals += [replace(each, field=DRAFT_FIELD) for each in draft] if isinstance(draft, list) else []
        found += [] if isinstance(draft, list) else [draft]
    return refusals or tuple(sorted(found, key=lambda each: (each.role, each.name)))


# Adapters


def _adapter_faults(
    request: ModelRequest, facts: ModelFacts, adapter: Adapter, own: ModelFacts
) -> Iterator[Refusal]:
    config, named = adapter_config(own), f"has the adapter `{own.id}`, which"
    if not config:
        yield _no_adapter(named, own)
        return
    kind = config.get("peft_type", "LORA")
    if kind != "LORA":
        yield Refusal(why=f"{named} is of the type {kind}: vLLM serves LoRA adapters only", hint="remove it")
        return
    if why := _other_base(adapter, facts, own, config):
        yield Refusal(why=f"{named} {why[0]}", hint=why[1])
    yield from _rank_faults(request, named, config)
    lacking = [what for key, what in _UNSUPPORTED.items() if config.get(key)]
    if config.get("bias", "none") != "none":
        lacking.append(f"`bias: {config['bias']}`")
    init: Any = config.get("init_lora_weights")
    if isinstance(init, str) and init.lower() not in _PLAIN_INITS:
        lacking.append(f"`init_lora_weights: {init}`, which changes the model's own weights")
    saved = [name for name in _texts(config.get("modules_to_save")) if name not in _SAVED]
    if saved:
        lacking.append(f"whole modules besides the adapter ({', '.join(saved[:4])})")
    if lacking:
        hint = "merge it into the model and list the result, or train a plain LoRA adapter"
        yield Refusal(why=f"{named} uses {' and '.join(lacking)}, which vLLM does not load", hint=hint)
    kind, files = adapter_weights(own)
    if kind is WeightsFormat.NONE:
        why = f"{named} has no adapter_model.safetensors next to its {ADAPTER_CONFIG}"
        yield Refusal(why=why, hint="pin a commit that has it with `revision:`")
    yield from _unsafe(request, named, own, kind, [file.path for file in files])


def _no_adapter(named: str, own: ModelFacts) -> Refusal:
    if any(file.path == ADAPTER_CONFIG for file in own.files):
        hint = f"run `hubstack lock --upgrade {own.asked_id or own.id}`"
        return Refusal(why=f"{named} was locked without the contents of its {ADAPTER_CONFIG}", hint=hint)
    hint = "list a whole model under `models:`; an adapter's repository has an adapter_config.json"
    return Refusal(why=f"{named} is not an adapter: it has no {ADAPTER_CONFIG}", hint=hint)


def _other_base(
    adapter: Adapter, facts: ModelFacts, own: ModelFacts, config: Mapping[str, Any]
) -> tuple[str, str] | None:
    """Return why an adapter was trained on another model, and what to do; None if it was not, or nobody says."""
    said: Any = config.get("base_model_name_or_path")
    bases = [said] if isinstance(said, str) and said else list(own.base_models)
    model = {name.lower() for name in (facts.id, facts.asked_id) if name}
    if not bases or model & {base.lower() for base in bases}:
        return None
    base = bases[0]
    if adapter.base and adapter.base.lower() == base.lower():
        return None
    if facts.quantization and {each.lower() for each in facts.base_models} & {each.lower() for each in bases}:
        return None  # the model is a quantized build of what it was trained on
    copied = {each.lower() for each in _texts(own.config.get("adapter_base_quantized_from"))}
    if copied & (model | ({each.lower() for each in facts.base_models} if facts.quantization else set())):
        return None  # it was trained on a quantized build of the model, or of what the model is a build of
    hint = f"if that is the listed model under another name, say so: `base: {base}`"
    if repo_id_problem(base) is None:
        hint = f"list `{base}` and give it this adapter; if both have the same weights, say so: `base: {base}`"
    if base.lower() in {each.lower() for each in facts.base_models}:
        return f"was trained on `{base}`, from which this model was fine-tuned: the weights differ", hint
    return f"was trained on `{base}`, another model", hint


def _rank_faults(request: ModelRequest, named: str, config: Mapping[str, Any]) -> Iterator[Refusal]:
    rank, limit = adapter_rank(config), request.settings.lora.rank if request.settings.lora else None
    if rank is None:
        yield Refusal(why=f"{named} has no rank (`r`) in its {ADAPTER_CONFIG}", hint="remove it")
    elif rank > RANKS[-1]:
        yield Refusal(why=f"{named} has rank {rank}; vLLM takes at most {RANKS[-1]}", hint="remove it")
    elif limit is not None and rank > limit:
        hint = (
            f"set `rank: {next(each for each in RANKS if each >= rank)}`, or remove `rank`: it follows the adapters"
        )
        yield Refusal(why=f"{named} has rank {rank}, but `lora` sets `rank: {limit}`", hint=hint)


# Draft models


def _draft(
    request: ModelRequest, method: str, facts: ModelFacts, geometry: Geometry, own: ModelFacts, engine: Engine
) -> Companion | list[Refusal]:
    """Return the draft model, or why it does not suit the model."""
    named = f"drafts with `{own.id}`, which"
    if adapter_config(own):
        hint = "name a head or a small model of the same family"
        return [Refusal(why=f"{named} is a LoRA adapter", hint=hint)]
    chosen = choose_files(own, code=request.settings.trust_remote_code)
    layer = _map(own.config.get("transformer_layer_config"))
    shape = read_geometry(replace(own, config={**layer, "architectures": _architectures(own)}) if layer else own)
    refusals = list(_unsafe(request, named, own, chosen.format, [f.path for f in (*chosen.weights, *chosen.side)]))
    size = weights_size(own, chosen, shape)
    hint = "name a repository with safetensors next to its config.json"
    if chosen.format not in {WeightsFormat.SAFETENSORS, WeightsFormat.PICKLE}:
        refusals.append(
            Refusal(why=f"{named} has no weights that vLLM can draft with ({chosen.format})", hint=hint)
        )
    elif not chosen.weights or size is None:
        refusals.append(Refusal(why=f"{named} is locked without a list of its weights", hint=hint))
    if choose_files(facts).is_mistral:
        why = f"{named} would be read in Mistral's format, as the model is: vLLM takes one format for both"
        refusals.append(Refusal(why=why, hint="use `{method: ngram}`"))
    if own.custom_code and not request.settings.trust_remote_code:
        why = f"{named} contains Python code (`auto_map`)"
        refusals.append(Refusal(why=why, hint="set `trust_remote_code: true` if you trust it, or name another"))
    refusals += _mismatches(method, named, geometry, shape, own)
    refusals += _unknown_architecture(method, named, own, layer, engine)
    if refusals or size is None:
        return refusals
    return Companion(
        role=CompanionRole.DRAFT,
        name=DRAFT,
        facts=own,
        format=chosen.format,
        files=tuple(sorted((*chosen.weights, *chosen.side), key=lambda file: file.path)),
        size_bytes=size.size_bytes,
        geometry=shape,
        warnings=tuple(_drafts_for_others(facts, own)) if method in _HEADS else (),
    )


def _mismatches(method: str, named: str, model: Geometry, shape: Geometry, own: ModelFacts) -> Iterator[Refusal]:
    """Yield a refusal for each size that a head or draft model must share with its model."""
    if shape.vocab and model.vocab and shape.vocab != model.vocab:
        why = f"{named} has a vocabulary of {shape.vocab:,} tokens; the model has {model.vocab:,}"
        yield Refusal(why=why, hint="name one that was made for this model")
    if method not in _HEADS:
        return
    said: Any = own.config.get("target_hidden_size")
    hidden = said if type(said) is int else shape.hidden
    if hidden and model.hidden and hidden != model.hidden:
        why = f"{named} reads hidden states of {hidden:,} numbers; the model has {model.hidden:,}"
        yield Refusal(why=why, hint="name a head that was trained on this model")


def _unknown_architecture(
    method: str, named: str, own: ModelFacts, layer: Mapping[str, Any], engine: Engine
) -> Iterator[Refusal]:
    known = engine.release.draft_architectures if engine.release else frozenset[str]()
    listed = _architectures(own)
    if not known or not listed:
        return
    name = listed[0]
    if method == "draft_model":
        if not {"text_generation", "multimodal", "transformers_backend"} & set(engine.uses_of(name)):
            why = f"{named} has the architecture {name}, with which vLLM {engine.version} generates no text"
            yield Refusal(why=why, hint="name a small model of the same family")
        return
    if layer:
        meant = _SPECULATORS.get(str(layer.get("model_type", "llama")), name)
    else:
        prefix = _HEADS[method]
        is_named = name.startswith(prefix) or (method == "eagle3" and name.endswith(prefix))
        meant = name if is_named else f"{prefix}{name}"
    if meant not in known:
        why = f"{named} is a {method} head of the architecture {meant}, which vLLM {engine.version} does not have"
        others = [other for other, prefix in _HEADS.items() if other != method and f"{prefix}{name}" in known]
        hint = f"is it `method: {others[0]}`?" if others else "use `{method: ngram}`, which needs no head"
        yield Refusal(why=why, hint=hint)


def _drafts_for_others(facts: ModelFacts, own: ModelFacts) -> Iterator[str]:
    bases, model = {each.lower() for each in own.base_models}, {facts.id.lower(), (facts.asked_id or "").lower()}
    if bases and not bases & (model | {each.lower() for each in facts.base_models}):
        named = ", ".join(own.base_models)
        yield f"`{own.id}` drafts for {named} by its model card: with another model few of its tokens are accepted"


# Both


def _unsafe(
    request: ModelRequest, named: str, own: ModelFacts, kind: WeightsFormat, paths: Sequence[str]
) -> Iterator[Refusal]:
    """Yield the refusals that hold for weights of every kind: pickles, and files that the Hub's scan flags."""
    if kind is WeightsFormat.PICKLE and not request.settings.allow_pickle:
        hint = "name a repository with safetensors, or set `allow_pickle: true` for the model if you trust it"
        yield Refusal(why=f"{named} has only pickled weights, and a pickle can run arbitrary code", hint=hint)
    flagged = sorted(f"{path} ({level})" for path, level in own.security.issues.items() if path in paths)
    if flagged and not request.settings.allow_unsafe:
        hint = "pin an older commit with `revision:`, or review the files and set `allow_unsafe: true`"
        yield Refusal(
            why=f"{named} has files flagged by the Hub's security scan: {describe(tuple(flagged))}", hint=hint
        )


def _architectures(facts: ModelFacts) -> list[str]:
    return _texts(facts.config.get("architectures"))


def _texts(value: Any) -> list[str]:
    return [each for each in cast("list[Any]", value) if isinstance(each, str)] if isinstance(value, list) else []


def _map(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
