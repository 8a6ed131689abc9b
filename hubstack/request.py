# SPDX-License-Identifier: Apache-2.0
"""What was asked: the YAML list of models that a person writes.

Owns the keys, their defaults and docstrings (the reference and the JSON Schema for editors are made from
them), reading with positions, and the merging of `extends`, `defaults` and `overrides`. Does not own what the
Hub says of a model or whether an accelerator exists: the planner checks those against lock and catalogue.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from hubstack import names
from hubstack.documents import Document, Loc, Mark, parse_document, read_text
from hubstack.errors import InputError
from hubstack.plan import CapacityKind, EngineKind
from hubstack.problems import Problem, nearest

EVERY = "*"
"""The key under `overrides:` that means every model."""
DEFAULT_CONTEXT = 8192
DEFAULT_CONCURRENCY = 2


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class ReplicasRequest(_Strict):
    """Bounds of the number of replicas."""

    min: int | None = Field(None, ge=0, le=1000)
    """Replicas that always run; 0 lets the model and its nodes stop. Default 1."""
    max: int | None = Field(None, ge=1, le=1000)
    """Most replicas. Default: `min`, at least 1."""


class CapacityStepRequest(_Strict):
    """One way to buy nodes."""

    kind: Literal["reservation", "spot", "flex-start", "on-demand"]
    reservation: str | None = Field(None, pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")


class AcceleratorRequest(_Strict):
    """Accelerators to choose from."""

    any: list[str] = Field(min_length=1)
    """Catalogue ids (`l4`, `h100-80gb`, `tpu-v6e`) or GKE labels (`nvidia-l4`)."""


_STEP_WORDS = tuple(kind.value for kind in CapacityKind if kind is not CapacityKind.RESERVATION)


def _read_step(value: Any) -> Any:
    if isinstance(value, str):
        if value not in _STEP_WORDS:
            near = nearest(value, [*_STEP_WORDS, "reservation"])
            meant = f"; did you mean `{near}`?" if near else ""
            raise ValueError(f"`{value}` is no capacity: one of {', '.join(_STEP_WORDS)} or "
                             f"`reservation: NAME`{meant}")  # fmt: skip
        return {"kind": value}
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        if set(mapping) == {"reservation"}:
            return {"kind": "reservation", **mapping}
    raise ValueError(f"a capacity is one of {', '.join(_STEP_WORDS)} or `reservation: NAME`")


def _read_accelerator(value: Any) -> Any:
    return {"any": [value]} if isinstance(value, str) else value


def _read_entry(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


class _ReservationJson(BaseModel):
    reservation: str


Step = Annotated[
    CapacityStepRequest,
    BeforeValidator(
        _read_step, json_schema_input_type=Literal["spot", "flex-start", "on-demand"] | _ReservationJson
    ),
]
AcceleratorChoice = Annotated[
    AcceleratorRequest, BeforeValidator(_read_accelerator, json_schema_input_type=str | AcceleratorRequest)
]


class Settings(_Strict):
    """What can be said of one model, of all by default, or of some as an override."""

    revision: str | None = Field(None, min_length=1, max_length=255, pattern=r"^[^\s\\^~:?*\[]+$")
    """Branch, tag or commit on the Hub; the lock holds the commit it resolved to. Default `main`."""
    context: int | None = Field(None, ge=128, le=16_777_216)
    """Tokens of one sequence, prompt and answer together. Default: the model's own limit, at most 8192."""
    concurrency: int | None = Field(None, ge=1, le=4096)
    """Sequences of full context that must fit in the KV cache at once. Default 2. More, shorter ones run
    together as memory allows."""
    replicas: ReplicasRequest | None = None
    """`{min: 0, max: 4}`. Default one replica."""
    capacity: list[Step] | None = Field(None, min_length=1, max_length=8)
    """Ways to buy nodes, first choice first: `spot`, `on-demand`, `flex-start`, `reservation: NAME`. Each
    must be sold for the chosen machine type. Default `[on-demand]`."""
    accelerator: AcceleratorChoice | None = None
    """An accelerator, or `{any: [...]}`. Default: the cheapest that fits."""
    engine: EngineKind | None = Field(None, strict=False)
    """Serving engine. Default: chosen from what the Hub says of the model."""
    file: str | None = None
    """For GGUF repositories: the file to serve. Default: the Q4_K_M one."""
    trust_remote_code: bool | None = None
    """Let the engine run Python from the repository. Default false: such a model is refused."""
    allow_pickle: bool | None = None
    """Load pickled weights (`.bin`, `.pt`), which can run code. Default false: safetensors or GGUF only."""
    allow_unsafe: bool | None = None
    """Serve a repository of which the Hub's scan reports a file that would be loaded. Default false."""


class EntryRequest(Settings):
    """One model of the list."""

    id: str
    """Repository id on the Hub: `owner/name`."""
    name: str | None = Field(None, max_length=names.KEY_MAX, pattern=f"^{names.KEY_PATTERN}$")
    """The key: root of the names of all its resources, so changing it replaces them. Lower-case letters,
    digits and hyphens. Default: made from the id."""

    @field_validator("id")
    @classmethod
    def _is_repo_id(cls, value: str) -> str:
        problem = _repo_id_problem(value)
        if problem:
            raise ValueError(problem)
        return value

    @field_validator("name")
    @classmethod
    def _is_free(cls, value: str | None) -> str | None:
        if value in names.RESERVED_KEYS:
            raise ValueError(f"`{value}` is a name that Kubernetes or an engine needs; choose another")
        return value


Entry = Annotated[EntryRequest, BeforeValidator(_read_entry, json_schema_input_type=str | EntryRequest)]


class RequestFile(_Strict):
    """A list of Hub models to serve, and how."""

    extends: str | None = None
    """Another file whose list, defaults and overrides this one builds upon; path relative to this file."""
    defaults: Settings | None = None
    """Settings of every model that does not say otherwise."""
    overrides: dict[str, Settings] | None = None
    """Settings by key that win over the list; `*` means every model. This is how environments that share a
    list differ."""
    models: list[Entry] | None = None
    """The models: a Hub id, or a mapping with an `id`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityStep:
    """One way to buy nodes."""

    kind: CapacityKind
    reservation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One model as asked, every setting resolved."""

    key: str
    id: str
    revision: str
    context: int | None
    """None: the model's own limit, at most DEFAULT_CONTEXT."""
    concurrency: int
    replicas_min: int
    replicas_max: int
    capacity: tuple[CapacityStep, ...]
    accelerators: tuple[str, ...]
    """Words of the request, unchecked; empty: any."""
    engine: EngineKind | None
    file: str | None
    trust_remote_code: bool
    allow_pickle: bool
    allow_unsafe: bool
    marks: Mapping[str, Mark]
    """Where each setting was made; `id` always."""

    def mark(self, field: str) -> Mark:
        """Return the place where a setting was made, else that of the model's id."""
        return self.marks.get(field) or self.marks["id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The whole list, sorted by key."""

    path: str
    models: tuple[ModelRequest, ...]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hubstack models",
        **RequestFile.model_json_schema(mode="validation"),
    }


def load_request(path: Path, name: str | None = None) -> Request:
    """Read a request and the files that it extends.

    Args:
        path: the file.
        name: how to call it in messages; the path by default.

    Raises:
        InputError: with every problem found.
    """
    return _resolve(_load_layers(path, name or str(path)))


@dataclass(frozen=True, slots=True)
class _Layer:
    document: Document
    file: RequestFile


def _load_layers(path: Path, name: str, seen: tuple[Path, ...] = ()) -> list[_Layer]:
    """Return the layers, the furthest base first."""
    hint = "a list looks like `models: [Qwen/Qwen3-8B]`; see docs/reference/models.md"
    document = parse_document(read_text(path, name, hint), name)
    file = _validate(document, hint)
    if file.extends is None:
        return [_Layer(document, file)]
    base = (path.parent / file.extends).resolve()
    if base in (*seen, path.resolve()):
        mark = document.mark(("extends",))
        raise InputError([mark.problem(f"`{file.extends}` extends this file in turn: a circle")])
    base_name = str(Path(name).parent / file.extends)
    return [*_load_layers(base, base_name, (*seen, path.resolve())), _Layer(document, file)]


def _validate(document: Document, hint: str) -> RequestFile:
    if document.value is None:
        raise InputError([Problem(path=document.path, message="is empty: it lists no models", hint=hint)])
    try:
        return RequestFile.model_validate(document.value)
    except ValidationError as error:
        raise InputError([_problem(document, detail) for detail in error.errors()]) from None


_KIND_WORDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list (`- item` lines, or `[a, b]`)",
    "dict_type": "a mapping (`key: value` lines)",
    "model_type": "a mapping (`key: value` lines)",
    "model_attributes_type": "a mapping (`key: value` lines)",
}


def _problem(document: Document, detail: ErrorDetails) -> Problem:  # noqa: PLR0911  one return per kind of error
    loc: Loc = detail["loc"]
    kind, given = detail["type"], detail["input"]
    context = detail.get("ctx", {})
    label = ".".join(str(part) for part in loc if isinstance(part, str)) or "the file"
    if kind == "extra_forbidden":
        key = str(loc[-1])
        known = list(_model_at(loc[:-1]).model_fields)
        near = nearest(key, known)
        hint = f"did you mean `{near}`?" if near else f"known keys here: {', '.join(known)}"
        return document.key_mark(loc).problem(f"unknown key `{key}`", hint)
    mark = document.mark(loc)
    if kind == "missing":
        return mark.problem(f"`{loc[-1]}` is missing")
    if kind in _KIND_WORDS:
        return mark.problem(f"`{label}` must be {_KIND_WORDS[kind]}, not {_shown(given, quoted=True)}")
    if kind == "enum":
        known = [engine.value for engine in EngineKind]
        near = nearest(str(given), known)
        return mark.problem(
            f"`{given}` is no engine: one of {', '.join(known)}", f"did you mean `{near}`?" if near else None
        )
    if kind == "string_pattern_mismatch":
        return mark.problem(f"`{label}`: {_shown(given)} is not allowed", _PATTERN_HINTS.get(str(loc[-1])))
    if kind == "value_error":
        return mark.problem(str(context.get("error", detail["msg"])))
    text = detail["msg"][0].lower() + detail["msg"][1:]
    return mark.problem(f"`{label}`: {_shown(given)}: {text}")


_PATTERN_HINTS = {
    "name": "lower-case letters, digits and single hyphens, starting with a letter",
    "revision": "a branch, a tag or a 40-digit commit, as `git` would take it",
    "reservation": "the reservation's name in Compute Engine: lower-case letters, digits and hyphens",
}


def _model_at(loc: Loc) -> type[BaseModel]:
    """Return the pydantic model that a location lies in, to name its known keys."""
    words = [part for part in loc if isinstance(part, str)]
    if not words:
        return EntryRequest if loc else RequestFile
    nested: dict[str, type[BaseModel]] = {"replicas": ReplicasRequest, "accelerator": AcceleratorRequest}
    if words[-1] in nested and words[0] != "overrides":
        return nested[words[-1]]
    if words[0] == "overrides" and len(words) > 2:
        return nested.get(words[-1], Settings)
    return EntryRequest if words[0] == "models" else Settings


def _shown(value: Any, *, quoted: bool = False) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str | int | float):
        text = f'"{value}"' if quoted and isinstance(value, str) else str(value)
        return f"`{text if len(text) <= 60 else text[:57] + '...'}`"
    return "a list" if isinstance(value, list) else "a mapping"


def _repo_id_problem(repo_id: str) -> str | None:
    """Return what breaks the Hub's rules for repository ids (huggingface_hub `validate_repo_id`), if any."""
    parts = repo_id.split("/")
    rules = (
        (len(parts) == 2 or (len(parts) == 1 and bool(repo_id)), "it must read `owner/name`"),
        (all(re.fullmatch(r"[A-Za-z0-9._-]{1,96}", part) for part in parts),
         "each part takes 1 to 96 letters, digits, `-`, `_` and `.`"),
        ("--" not in repo_id and ".." not in repo_id, "`--` and `..` are not allowed"),
        (all(part[:1] not in "-." and part[-1:] not in "-." for part in parts),
         "a part may not begin or end with `-` or `.`"),
        (not repo_id.endswith(".git"), "it may not end in `.git`"),
    )  # fmt: skip
    broken = next((text for fine, text in rules if not fine), None)
    return f"`{repo_id}` is no Hub id: {broken}" if broken else None


@dataclass(slots=True)
class _Draft:
    """An entry on its way through the layers: settings and where each was made."""

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
    models = [_finish(draft, problems) for draft in drafts.values()]
    if problems:
        raise InputError(problems)
    return Request(path=top, models=tuple(sorted(models, key=lambda model: model.key)))


def _collect(layers: list[_Layer], problems: list[Problem]) -> dict[str, _Draft]:
    """Return drafts by key: the defaults of every layer, under the entry's own settings."""
    drafts: dict[str, _Draft] = {}
    for layer in layers:
        for index, entry in enumerate(layer.file.models or []):
            loc: Loc = ("models", index)
            key = entry.name or names.key_of(entry.id)
            if key in drafts:
                first = drafts[key].marks["id"]
                problems.append(
                    layer.document.mark(loc).problem(
                        f"two models have the key `{key}` (the first: {first.path}:{first.line})",
                        "give one of them another `name:`",
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
    """Put the settings that were made over those of the draft; `replicas` merges by its own keys."""
    for field in sorted(settings.model_fields_set) if settings is not None else ():
        value = getattr(settings, field)
        if value is None:
            continue
        if field == "replicas":
            held = draft.settings.get("replicas", {})
            value = {**held, **value.model_dump(exclude_none=True)}
        draft.settings[field] = value
        draft.marks[field] = document.mark((*loc, field))


def _apply_overrides(layer: _Layer, drafts: dict[str, _Draft], problems: list[Problem]) -> None:
    overrides = layer.file.overrides or {}
    for key in sorted(overrides, key=lambda key: (key != EVERY, key)):
        loc: Loc = ("overrides", key)
        if key != EVERY and key not in drafts:
            near = nearest(key, drafts)
            problems.append(
                layer.document.key_mark(loc).problem(
                    f"`{key}` is no key of the list",
                    f"did you mean `{near}`?" if near else f"keys: {', '.join(sorted(drafts))}",
                )
            )
            continue
        for draft in drafts.values() if key == EVERY else (drafts[key],):
            _lay(draft, layer.document, loc, overrides[key])


def _finish(draft: _Draft, problems: list[Problem]) -> ModelRequest:
    said = draft.settings
    replicas: dict[str, int] = said.get("replicas", {})
    minimum = replicas.get("min", min(1, replicas.get("max", 1)))
    maximum = replicas.get("max", max(minimum, 1))
    if minimum > maximum:
        mark = draft.marks["replicas"]
        problems.append(mark.problem(f"replicas of `{draft.key}`: min {minimum} is above max {maximum}"))
    choice: AcceleratorRequest | None = said.get("accelerator")
    return ModelRequest(
        key=draft.key,
        id=said["id"],
        revision=said.get("revision", "main"),
        context=said.get("context"),
        concurrency=said.get("concurrency", DEFAULT_CONCURRENCY),
        replicas_min=minimum,
        replicas_max=maximum,
        capacity=_steps(said.get("capacity")),
        accelerators=tuple(choice.any) if choice else (),
        engine=said.get("engine"),
        file=said.get("file"),
        trust_remote_code=said.get("trust_remote_code", False),
        allow_pickle=said.get("allow_pickle", False),
        allow_unsafe=said.get("allow_unsafe", False),
        marks=draft.marks,
    )


def _steps(steps: Iterable[CapacityStepRequest] | None) -> tuple[CapacityStep, ...]:
    if steps is None:
        return (CapacityStep(kind=CapacityKind.ON_DEMAND),)
    read = (CapacityStep(kind=CapacityKind(step.kind), reservation=step.reservation) for step in steps)
    return tuple(dict.fromkeys(read))
