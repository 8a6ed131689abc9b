# SPDX-License-Identifier: Apache-2.0
"""Which of a repository's own Python code a server has to run, and whether it can.

Owns the decision, based on what the engine's release and its transformers support and on `auto_map`. An engine that
implements the architecture still gets a checkpoint's config, tokenizer and processor from transformers, or else
from the repository's code. Does not own the staging of files (`hubstack.planner.model.weights`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from hubstack.catalog import Engine
from hubstack.hub.facts import PROCESSOR_ROLES, ModelFacts
from hubstack.inputs.models import ModelRequest
from hubstack.planner.engines.spec import Refusal
from hubstack.planner.engines.tasks import is_for_texts, model_code
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import is_mistral_format


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryCode:
    """Whether the repository's code runs, or why the model cannot be served."""

    runs: bool = False
    """Whether the engine is started with remote code enabled."""
    refusal: Refusal | None = None
    warning: str | None = None


def decide_code(request: ModelRequest, facts: ModelFacts, geometry: Geometry, engine: Engine) -> RepositoryCode:
    """Decide whether the repository's code runs, or return why the model cannot be served."""
    needed = dict(_needed(facts, geometry, engine))
    if not facts.custom_code:
        return _without_code(request, geometry, engine, needed)
    if not _runs_python(engine):
        is_allowed = request.settings.trust_remote_code
        said = "`trust_remote_code` has no effect" if is_allowed else "that code does not run"
        why = f"the repository has its own Python code, but {engine.id} does not run Python: {said}"
        return RepositoryCode(warning=why)
    code = _with_needed(request, facts, needed) if needed else _with_unneeded(request, facts, engine)
    if code.refusal is None and _may_attend_both_ways(facts, geometry, engine):
        return replace(code, warning=_direction_unknown(geometry, engine))
    return code


def _with_needed(request: ModelRequest, facts: ModelFacts, needed: Mapping[str, tuple[str, ...]]) -> RepositoryCode:
    elsewhere = sorted({repo for refs in needed.values() for ref in refs if (repo := _repository(ref, facts))})
    if elsewhere:
        return RepositoryCode(refusal=_of_another_repository(elsewhere, needed))
    if not request.settings.trust_remote_code:
        return RepositoryCode(refusal=_not_trusted(needed))
    return RepositoryCode(runs=True)


def _with_unneeded(request: ModelRequest, facts: ModelFacts, engine: Engine) -> RepositoryCode:
    """Handle code that the engine does not need: it runs only if the request enables it."""
    if not request.settings.trust_remote_code:
        why = f"the repository's own Python code does not run: {engine.id} implements the model itself"
        return RepositoryCode(warning=why)
    others = sorted({repo for ref in _named(facts) if (repo := _repository(ref, facts))})
    if others:
        why = f"`trust_remote_code` is ignored: it would load code from {', '.join(others)}, which is not staged"
        return RepositoryCode(warning=f"{why}; {engine.id} implements the model itself")
    return RepositoryCode(runs=True)


def _may_attend_both_ways(facts: ModelFacts, geometry: Geometry, engine: Engine) -> bool:
    """Return whether an embedder has code for a language model's type, and its config says nothing of direction.

    gte-Qwen2-7B-instruct is such a model; vLLM reads `is_causal` (0.33.0, models/qwen2.py and llama.py).
    """
    says = {"is_causal", "use_bidirectional_attention"} & facts.config.keys()
    if says or not is_for_texts(facts) or not model_code(facts):
        return False
    language_model = f"{geometry.name.removesuffix('ForCausalLM').removesuffix('Model')}ForCausalLM"
    return "text_generation" in engine.uses_of(language_model)


def _direction_unknown(geometry: Geometry, engine: Engine) -> str:
    return (
        f"the repository has its own code for {geometry.name}, and {engine.id} embeds with its own: if the "
        "model card says that attention is bidirectional, embeddings are wrong without `engine_args: "
        "{hf-overrides: '{\"is_causal\": false}'}`"
    )


def _runs_python(engine: Engine) -> bool:
    """Return whether the engine includes transformers and therefore can run Python code."""
    return engine.release is not None


def _needed(facts: ModelFacts, geometry: Geometry, engine: Engine) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each part that neither the engine nor its transformers implements, with the code that provides it."""
    if not _runs_python(engine) or not facts.config or engine.release is None:
        return
    if is_mistral_format(facts):  # config and tokenizer are Mistral's own
        return
    auto_map = _auto_map(facts)
    has_config = engine.release.has_config(geometry.model_type, geometry.name)
    if geometry.model_type and (not has_config or _is_another_model(geometry.model_type, auto_map, facts)):
        yield "config class", tuple(ref for key, ref in auto_map.items() if key == "AutoConfig")
    if geometry.name and not engine.uses_of(geometry.name):
        yield "model", tuple(ref for key, ref in auto_map.items() if key.startswith("AutoModel"))
    if lacking := tuple(_unknown_processor(auto_map, geometry, engine)):
        yield "processor", lacking
    tokenizer = facts.tokenizer
    if tokenizer and tokenizer.code:
        known = engine.release.has_tokenizer(geometry.model_type, tokenizer.class_name)
        # An embedder's own tokenizer ends each text with the token that is pooled, which the standard one leaves
        # out without a word (gte-Qwen2, transformers#34882).
        if not known or is_for_texts(facts) or _lacks_generic_tokenizer(facts, engine):
            yield "tokenizer", tokenizer.code


def _is_another_model(model_type: str, auto_map: Mapping[str, str], facts: ModelFacts) -> bool:
    """Return whether the config uses a known model type for a variant of it, whose code is in another repository.

    jina-embeddings-v3 declares itself as `xlm-roberta` and names an XLMRobertaFlashConfig: with the standard class
    vLLM stops (0.33.0, models/config.py, JinaRobertaModelConfig).
    """
    reference = auto_map.get("AutoConfig", "")
    if _repository(reference, facts) is None:
        return False
    named = reference.rpartition(".")[2].removesuffix("Config").lower()
    known = model_type.replace("-", "").replace("_", "").lower()
    return named.startswith(known) and named != known


def _unknown_processor(auto_map: Mapping[str, str], geometry: Geometry, engine: Engine) -> Iterator[str]:
    """Yield the code of the processor of images or sounds, if neither the engine nor its transformers has it."""
    release = engine.release
    if release is None or release.library is None or "multimodal" not in engine.uses_of(geometry.name):
        return
    reference = next((auto_map[role] for role in PROCESSOR_ROLES if role in auto_map), None)
    known = geometry.model_type in release.library.processor_types
    if reference and not known and reference.rpartition(".")[2] not in release.processor_classes:
        yield reference


def _lacks_generic_tokenizer(facts: ModelFacts, engine: Engine) -> bool:
    """Return whether transformers would fall back to tokenizer.json and the repository does not have it."""
    name = (facts.tokenizer.class_name if facts.tokenizer else None) or ""
    library = engine.release.library if engine.release else None
    is_known = library is not None and name.removesuffix("Fast") in library.tokenizer_classes
    return bool(facts.files) and not is_known and not any(file.path == "tokenizer.json" for file in facts.files)


def _auto_map(facts: ModelFacts) -> dict[str, str]:
    """Return the code that the config names, and that of processors, whose own files come first."""
    found: dict[str, str] = {}
    for said in (facts.config.get("auto_map"), facts.config.get("processor_code")):
        named = cast("Mapping[str, Any]", said) if isinstance(said, Mapping) else dict[str, Any]()
        found |= {str(key): ref for key, ref in named.items() if isinstance(ref, str)}
    return found


def _named(facts: ModelFacts) -> Iterator[str]:
    """Yield every code reference in the config: `module.Class` or `owner/name--module.Class`."""
    yield from _auto_map(facts).values()
    yield from facts.tokenizer.code if facts.tokenizer else ()


def _repository(reference: str, facts: ModelFacts) -> str | None:
    """Return the other repository that a reference points to, or None if it is this one."""
    repo, separator, _ = reference.partition("--")
    return repo if separator and repo not in {facts.id, facts.asked_id} else None


def _without_code(
    request: ModelRequest, geometry: Geometry, engine: Engine, needed: Mapping[str, object]
) -> RepositoryCode:
    if "config class" in needed and "model" not in needed:
        library = engine.release.library if engine.release else None
        known_by = f"transformers {library.version} of {engine.id} {engine.version}" if library else engine.id
        why = f"has the model type `{geometry.model_type}`, which {known_by} does not support"
        return RepositoryCode(
            refusal=Refusal(why=f"{why}, and includes no code for it", hint="choose a supported commit or build")
        )
    if request.settings.trust_remote_code:
        return RepositoryCode(
            warning="`trust_remote_code` has no effect: the repository has no Python code of its own"
        )
    return RepositoryCode()


def _not_trusted(needed: Mapping[str, object]) -> Refusal:
    parts = _listed(needed)
    return Refusal(
        why=f"needs Python code from its repository for its {parts} (auto_map)",
        hint="review that code at the locked commit, then set `trust_remote_code: true`",
    )


def _of_another_repository(elsewhere: list[str], needed: Mapping[str, object]) -> Refusal:
    parts, repos = _listed(needed), ", ".join(elsewhere)
    return Refusal(
        why=f"needs Python code from {repos} for its {parts}, and that repository is neither locked nor staged",
        hint="choose a repository that includes the code itself (`auto_map` without `--`)",
    )


def _listed(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
