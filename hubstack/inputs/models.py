# SPDX-License-Identifier: Apache-2.0
"""Reads the YAML model list into a request.

Owns reading with positions, and merging `extends`, `defaults` and `overrides`. Does not own the keys
(`hubstack.inputs.models_schema`), facts from the Hub or whether an accelerator exists: the planner checks those
against the lock and the catalogue.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hubstack import names
from hubstack.files.documents import Document, Loc, Mark, parse_document, read_text
from hubstack.files.errors import InputError
from hubstack.files.problems import MOST_GUESSED, Problem, listed, nearest
from hubstack.files.schema_errors import schema_problems
from hubstack.inputs.models_schema import (
    AcceleratorRequest,
    CanaryRequest,
    CapacityStepRequest,
    LoraRequest,
    RequestFile,
    Settings,
    SpeculativeRequest,
    TrafficRequest,
)
from hubstack.inputs.renames import rename_problems
from hubstack.kinds import DEFAULT_PLATFORM, CapacityKind, EngineKind, PlatformKind

EVERY = "*"
"""The key under `overrides:` that applies to every model."""
DEFAULT_CONTEXT = 8192
DEFAULT_CONCURRENCY = 2
MAX_LAYERS = 16
"""Maximum length of a chain of `extends:`."""
DEFAULT_QUEUE = 5
"""Our choice, like the two below: behind a short queue the first token still arrives within seconds."""
DEFAULT_KV_CACHE_PERCENT = 80
DEFAULT_IDLE_MINUTES = 15
MERGED = frozenset({"replicas", "scaling", "slo"})
"""Mappings that are merged key by key; a later value of any other setting replaces the earlier one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityStep:
    """One way to provision nodes."""

    kind: CapacityKind
    reservation: str | None = None
    accelerator: str | None = None
    """As written, not validated; None means that of the first step."""
    zones: tuple[str, ...] = ()
    """Not validated; empty means every zone that has the accelerator."""
    machine_type: str | None = None
    """Not validated; None means the cheapest that fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The load to plan a model for."""

    requests_per_second: float
    """At the peak."""
    input_tokens: int
    output_tokens: int
    prefix_percent: float
    """Percentage of input tokens in a prefix shared with an earlier request."""
    profile: tuple[float, ...]
    """Load in each hour of a day or week, as a fraction of the peak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One requested model with every setting resolved."""

    key: str
    was: tuple[str, ...] = ()
    """Former keys, oldest first."""
    id: str
    revision: str
    context: int | None
    """None means the model's own limit, at most DEFAULT_CONTEXT."""
    concurrency: int
    replicas_min: int
    replicas_max: int
    bounds_replicas: bool = False
    """Whether `replicas.max` was set, so that traffic cannot raise it."""
    capacity: tuple[CapacityStep, ...]
    accelerators: tuple[str, ...]
    """As written, not validated; empty means any."""
    engine: EngineKind | None
    file: str | None
    trust_remote_code: bool
    allow_pickle: bool
    allow_unsafe: bool
    scaling_queue: int = DEFAULT_QUEUE
    scaling_kv_cache_percent: int = DEFAULT_KV_CACHE_PERCENT
    scaling_idle_minutes: int = DEFAULT_IDLE_MINUTES
    share_gpu: bool = False
    kv_cache_dtype: str = "auto"
    expert_parallel: bool = False
    lora_slots: int = 0
    lora_rank: int = 16
    speculative_method: str | None = None
    speculative_tokens: int = 0
    slo_seconds: float | None = None
    slo_token_seconds: float | None = None
    slo_latency_percent: float | None = None
    slo_error_percent: float | None = None
    traffic: Traffic | None = None
    """None if not set; then it has no effect."""
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    chat_template: str | None = None
    """Path of the chat template in the repository."""
    platform: PlatformKind = DEFAULT_PLATFORM
    accept_eula: bool = False
    canary_of: str | None = None
    """Key of the primary, if this is a canary."""
    canary_weight: int = 0
    """Percentage of the primary's requests that this canary serves."""
    loading: str = "auto"
    cache: str = "none"
    keep_previous: bool = False
    marks: Mapping[str, Mark]
    """Where each setting is written; always has `id`."""

    def mark(self, field: str) -> Mark:
        """Return the place of a setting, or of the model's ID if it is not set."""
        return self.marks.get(field) or self.marks["id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The whole model list, sorted by key."""

    path: str
    models: tuple[ModelRequest, ...]


def load_request(path: Path, name: str | None = None) -> Request:
    """Read a model list and the files that it extends.

    Args:
        path: the file.
        name: its name in messages; defaults to the path.

    Raises:
        InputError: with every problem found.
    """
    return _resolve(_load_layers(path, name or str(path)))


def parse_request(text: str, name: str) -> Request:
    """Parse the text of a model list without `extends:`; otherwise like `load_request`."""
    return _resolve([_layer(name, text)])


@dataclass(frozen=True, slots=True)
class _Layer:
    document: Document
    file: RequestFile


def _load_layers(path: Path, name: str) -> list[_Layer]:
    """Return the layers, outermost base first."""
    root = _root(path, name)
    text = read_text(path, name, _EXAMPLE)
    if not path.resolve().is_relative_to(root):
        raise InputError(
            [Problem(path=name, message="is a symlink to a file outside the project", hint="copy the file")]
        )
    layers, seen = [_layer(name, text)], [path.resolve()]
    while (said := layers[0].file.extends) is not None:
        path, name, text = _base(layers[0].document.mark(("extends",)), said, seen, root)
        seen.append(path)
        layers.insert(0, _layer(name, text))
    return layers


def _layer(name: str, text: str) -> _Layer:
    document = parse_document(text, name)
    return _Layer(document, _validate(document))


def _base(mark: Mark, said: str, seen: list[Path], root: Path) -> tuple[Path, str, str]:
    """Return path, name and text of the file in `extends:`; problems are reported at that key."""
    hint = "name a file in this project, relative to this file: `base.models.yaml`"
    if "\0" in said:
        raise InputError([mark.problem(f"`{said}` is not a path", hint)])
    base = (seen[-1].parent / said).resolve()
    if base in seen:
        message = f"circular `extends:`: `{said}` extends this file in turn"
        raise InputError([mark.problem(message, "remove one `extends:` from the cycle")])
    if len(seen) > MAX_LAYERS:
        raise InputError(
            [mark.problem(f"the chain of `extends:` is longer than {MAX_LAYERS} files", "merge some of them")]
        )
    if not base.is_relative_to(root):
        raise InputError([mark.problem(f"`{said}` is outside the project", hint)])
    name = os.path.normpath(Path(mark.path).parent / said)
    try:
        return base, name, read_text(base, name)
    except InputError as error:
        raise InputError([mark.problem(f"`{said}` {each.message}", hint) for each in error.problems]) from None


def _root(path: Path, name: str) -> Path:
    """Return the project folder: the path without the relative part that messages show."""
    parts = Path(name).parts
    is_part = not Path(name).is_absolute() and path.parts[-len(parts) :] == parts
    return (path.parents[len(parts) - 1] if is_part else path.parent).resolve()


def _validate(document: Document) -> RequestFile:
    if document.value is None:
        raise InputError([Problem(path=document.path, message="is empty: no models listed", hint=_EXAMPLE)])
    try:
        return RequestFile.model_validate(document.value)
    except ValidationError as error:
        raise InputError(schema_problems(document, error, RequestFile, _REFERENCE, _HINTS)) from None


_EXAMPLE = "for example `models: [Qwen/Qwen3-8B]`; see docs/reference/models.md"
_REFERENCE = "for all keys see docs/reference/models.md"
_HINTS = {
    "id": "use `owner/name`, as in the URL of the model page: `Qwen/Qwen3-8B`",
    "name": "use lower-case letters, digits and single hyphens, starting with a letter; at most 40 characters",
    "was": "list one to four former keys, oldest first, of lower-case letters, digits and single hyphens",
    "revision": "use a branch, a tag or a 40-character commit hash",
    "reservation": "use its Compute Engine name, or `projects/OWNER/reservations/NAME` for a shared reservation",
    "models": _EXAMPLE,
}


@dataclass(slots=True)
class _Draft:
    """An entry while its layers are merged: its settings and where each is written."""

    key: str
    settings: dict[str, Any]
    marks: dict[str, Mark]


def _resolve(layers: list[_Layer]) -> Request:
    problems: list[Problem] = []
    top = layers[-1].document.path
    drafts = _collect(layers, problems)
    for layer in layers:
        _apply_overrides(layer, drafts, problems)
    if not drafts and not problems:
        problems.append(Problem(path=top, message="lists no models", hint="add at least one under `models:`"))
    models = [model for draft in drafts.values() for model in _with_canary(draft, drafts, problems)]
    problems += rename_problems(models)
    if problems:
        raise InputError(problems)
    return Request(path=top, models=tuple(sorted(models, key=lambda model: model.key)))


def _collect(layers: list[_Layer], problems: list[Problem]) -> dict[str, _Draft]:
    """Return drafts by key: each entry's own settings over the defaults of every layer."""
    drafts: dict[str, _Draft] = {}
    for layer in layers:
        for index, entry in enumerate(layer.file.models or []):
            loc: Loc = ("models", index)
            key = entry.name or names.key_of(entry.id)
            if key in drafts:
                first = drafts[key].marks["id"]
                problems.append(
                    layer.document.mark(loc).problem(
                        f"two models have the key `{key}` (first used at {first.path}:{first.line})",
                        "give one of them a different `name:`",
                    )
                )
                continue
            draft = _Draft(key, {}, {"id": layer.document.mark((*loc, "id"))})
            for each in layers:
                _lay(draft, each.document, ("defaults",), each.file.defaults)
            _lay(draft, layer.document, loc, entry)
            drafts[key] = draft
    return drafts


def _lay(draft: _Draft, document: Document, loc: Loc, settings: Settings | None) -> None:
    """Apply settings over those of the draft; some mappings are merged key by key."""
    for field in sorted(settings.model_fields_set) if settings is not None else ():
        value = getattr(settings, field)
        if value is None:
            continue
        if field in MERGED:
            held = draft.settings.get(field, {})
            value = {**held, **value.model_dump(exclude_none=True)}
        draft.settings[field] = value
        draft.marks[field] = document.mark((*loc, field))


def _apply_overrides(layer: _Layer, drafts: dict[str, _Draft], problems: list[Problem]) -> None:
    overrides = layer.file.overrides or {}
    # Overrides in other files may still use a model's former key.
    known = {former: draft for draft in drafts.values() for former in draft.settings.get("was", ())} | drafts
    for key in sorted(overrides, key=lambda key: (key != EVERY, key in drafts, key)):
        loc: Loc = ("overrides", key)
        if key != EVERY and key not in known:
            near = nearest(key, drafts) if len(problems) < MOST_GUESSED else None
            problems.append(
                layer.document.key_mark(loc).problem(
                    f"no model in the list has the key `{key}`",
                    f"did you mean `{near}`?" if near else f"keys: {listed(sorted(drafts))}",
                )
            )
            continue
        for draft in drafts.values() if key == EVERY else (known[key],):
            _lay(draft, layer.document, loc, overrides[key])


def _with_canary(draft: _Draft, drafts: Mapping[str, _Draft], problems: list[Problem]) -> list[ModelRequest]:
    """Return the model, followed by its canary if it has one."""
    model = _finish(draft, problems)
    canary: CanaryRequest | None = draft.settings.get("canary")
    if canary is None:
        return [model]
    mark = draft.marks["canary"]
    key, *was = (f"{each}{names.CANARY_SUFFIX}" for each in (model.key, *model.was))
    if key in drafts:
        first = drafts[key].marks["id"]
        message = (
            f"the canary of `{model.key}` needs the key `{key}`, which a model uses ({first.path}:{first.line})"
        )
        problems.append(mark.problem(message, "give that model a different `name:`"))
    for each in (model.key, *model.was):
        limit = names.KEY_MAX - len(names.CANARY_SUFFIX)
        if len(each) <= limit:
            continue
        message = f"`{each}` is too long for a model with a canary: at most {limit} characters, not {len(each)}"
        problems.append(mark.problem(message, "give the model a shorter `name:`, which replaces its resources"))
    other = replace(
        model,
        key=key,
        was=tuple(was),
        revision=canary.revision,
        replicas_min=1,
        replicas_max=canary.replicas,
        traffic=None,
        canary_of=model.key,
        canary_weight=canary.weight,
        marks={**model.marks, "revision": mark},
    )
    return [model, other]


def _finish(draft: _Draft, problems: list[Problem]) -> ModelRequest:
    said = draft.settings
    replicas: dict[str, int] = said.get("replicas", {})
    scaling: dict[str, int] = said.get("scaling", {})
    minimum = replicas.get("min", min(1, replicas.get("max", 1)))
    maximum = replicas.get("max", max(minimum, 1))
    if minimum > maximum:
        mark = draft.marks["replicas"]
        message = f"replicas of `{draft.key}`: min {minimum} is above max {maximum}"
        problems.append(mark.problem(message, "raise `max`, or lower `min`"))
    choice: AcceleratorRequest | None = said.get("accelerator")
    lora: LoraRequest | None = said.get("lora")
    speculative: SpeculativeRequest | None = said.get("speculative")
    slo: dict[str, float] = said.get("slo", {})
    return ModelRequest(
        key=draft.key,
        was=tuple(said.get("was", ())),
        id=said["id"],
        revision=said.get("revision", "main"),
        context=said.get("context"),
        concurrency=said.get("concurrency", DEFAULT_CONCURRENCY),
        replicas_min=minimum,
        replicas_max=maximum,
        bounds_replicas="max" in replicas,
        capacity=capacity_steps(said.get("capacity")),
        accelerators=tuple(choice.any) if choice else (),
        engine=said.get("engine"),
        file=said.get("file"),
        trust_remote_code=said.get("trust_remote_code", False),
        allow_pickle=said.get("allow_pickle", False),
        allow_unsafe=said.get("allow_unsafe", False),
        scaling_queue=scaling.get("queue", DEFAULT_QUEUE),
        scaling_kv_cache_percent=scaling.get("kv_cache_percent", DEFAULT_KV_CACHE_PERCENT),
        scaling_idle_minutes=scaling.get("idle_minutes", DEFAULT_IDLE_MINUTES),
        share_gpu=said.get("share_gpu", False),
        kv_cache_dtype=said.get("kv_cache_dtype", "auto"),
        expert_parallel=said.get("expert_parallel", False),
        lora_slots=lora.slots if lora else 0,
        lora_rank=lora.rank if lora else 16,
        speculative_method=speculative.method if speculative else None,
        speculative_tokens=speculative.tokens if speculative else 0,
        slo_seconds=slo.get("time_to_first_token_seconds"),
        slo_token_seconds=slo.get("time_per_output_token_seconds"),
        slo_latency_percent=slo.get("latency_percent"),
        slo_error_percent=slo.get("error_percent"),
        traffic=_traffic(draft, said.get("traffic"), problems),
        tool_call_parser=said.get("tool_call_parser"),
        reasoning_parser=said.get("reasoning_parser"),
        chat_template=said.get("chat_template"),
        platform=said.get("platform", DEFAULT_PLATFORM),
        accept_eula=said.get("accept_eula", False),
        loading=said.get("loading", "auto"),
        cache=said.get("cache", "none"),
        keep_previous=said.get("keep_previous", False),
        marks=draft.marks,
    )


def _traffic(draft: _Draft, said: TrafficRequest | None, problems: list[Problem]) -> Traffic | None:
    if said is None:
        return None
    mark = draft.marks["traffic"]
    if said.profile and said.hours_per_day:
        hint = "remove one of them: a profile covers every hour"
        problems.append(mark.problem("`profile` and `hours_per_day` cannot be combined", hint))
    if said.profile and not any(said.profile):
        problems.append(
            mark.problem("the profile is all zeros", "give percentages of the peak: 100 in the peak hour")
        )
    hours = said.hours_per_day or 24
    busy = tuple(min(max(hours - hour, 0.0), 1.0) for hour in range(24))
    return Traffic(
        requests_per_second=said.requests_per_second,
        input_tokens=said.input_tokens,
        output_tokens=said.output_tokens,
        prefix_percent=said.prefix_percent,
        profile=tuple(each / 100 for each in said.profile) if said.profile else busy,
    )


def capacity_steps(steps: Iterable[CapacityStepRequest] | None) -> tuple[CapacityStep, ...]:
    """Return the capacity steps of a setting; on-demand if not set."""
    if steps is None:
        return (CapacityStep(kind=CapacityKind.ON_DEMAND),)
    read = (
        CapacityStep(
            kind=CapacityKind(step.kind),
            reservation=step.reservation,
            accelerator=step.accelerator,
            zones=(step.zone,) if step.zone else tuple(step.zones or ()),
            machine_type=step.machine_type,
        )
        for step in steps
    )
    return tuple(dict.fromkeys(read))
