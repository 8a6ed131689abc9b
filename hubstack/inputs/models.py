# SPDX-License-Identifier: Apache-2.0
"""Reads the YAML model list into a request.

Owns reading with positions, and merging `extends`, `defaults` and `overrides`. Does not own the keys
(`hubstack.inputs.models_schema`), facts from the Hub or whether an accelerator exists: the planner checks those
against the lock and the catalogue.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from hubstack import names
from hubstack.files.documents import Document, Loc, Mark, parse_document, project_of, read_text, refuse_outside
from hubstack.files.errors import InputError
from hubstack.files.problems import MOST_GUESSED, Problem, RefusedError, listed, nearest
from hubstack.files.schema_errors import schema_problems
from hubstack.inputs import deprecated
from hubstack.inputs.list_files import ListFile, read_list_files
from hubstack.inputs.models_schema import Replicas, RequestFile, Settings
from hubstack.inputs.other_words import hint_of_other_word
from hubstack.inputs.renames import rename_problems

EVERY = "*"
"""The key under `overrides:` that applies to every model."""
MAX_LAYERS = 16
"""Maximum length of a chain of `extends:`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One requested model."""

    key: str
    was: tuple[str, ...] = ()
    """Former keys, oldest first."""
    id: str
    settings: Settings
    """Every layer of the list applied, every default filled in; accelerators, zones and machine types are as
    written, not validated."""
    canary_of: str | None = None
    """Key of the primary, if this is a canary."""
    files: tuple[ListFile, ...] = ()
    """Contents of the setting `files`."""
    marks: Mapping[str, Mark]
    """Where each setting is written; always has `id`."""

    @property
    def revision(self) -> str:
        """Branch, tag or commit on the Hub."""
        return self.settings.revision

    @property
    def companions(self) -> tuple[tuple[str, str, str], ...]:
        """ID, revision and mark of each repository that is served with the model: its adapters, its draft model."""
        lora, speculative = self.settings.lora, self.settings.speculative
        adapters = lora.adapters if lora else ()
        found = [(each.id, each.revision, adapter_field(index)) for index, each in enumerate(adapters)]
        if speculative and speculative.model:
            found.append((speculative.model, speculative.revision, DRAFT_FIELD))
        return tuple(found)

    @property
    def repositories(self) -> tuple[tuple[str, str], ...]:
        """ID and revision of every repository that its server reads, its own first."""
        return ((self.id, self.revision), *((repo_id, revision) for repo_id, revision, _ in self.companions))

    @property
    def canary_weight(self) -> int:
        """Percentage of the primary's requests that this canary serves; 0 if it is none."""
        return self.settings.canary.weight if self.settings.canary and self.canary_of else 0

    def changed(self, **settings: Any) -> "ModelRequest":
        """Return the same request with some settings replaced."""
        return replace(self, settings=self.settings.changed(**settings))

    def mark(self, field: str) -> Mark:
        """Return the place of a setting, or of a key in one (`env.NAME`), or of the model's ID if it is not set."""
        return self.marks.get(field) or self.marks.get(field.partition(".")[0]) or self.marks["id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The whole model list, sorted by key."""

    path: str
    models: tuple[ModelRequest, ...]
    left_out: tuple[ModelRequest, ...] = ()
    """Models of the list that a plan leaves out because they are refused."""
    warnings: tuple[str, ...] = ()
    """About deprecated keys."""

    @property
    def repositories(self) -> tuple[tuple[str, str], ...]:
        """ID and revision of every repository to lock, without duplicates."""
        return tuple(dict.fromkeys(pair for model in self.models for pair in model.repositories))


DRAFT = "draft"
"""Name of every draft model in its server's plan."""
DRAFT_FIELD = "speculative.model"
"""Mark of the draft model."""


def adapter_field(index: int) -> str:
    """Return the mark of an adapter."""
    return f"lora.adapters.{index}"


def load_request(path: Path, name: str | None = None) -> Request:
    """Read a model list and the files that it extends.

    Args:
        path: the file.
        name: its name in messages; defaults to the path.

    Raises:
        InputError: with every problem found.
    """
    shown = name or str(path)
    request = _resolve(_load_layers(path, shown))
    return replace(request, models=_with_files(request.models, _root(path, shown)))


def parse_request(text: str, name: str) -> Request:
    """Parse the text of a model list without `extends:`; otherwise like `load_request`."""
    return _resolve([_layer(name, text)])


def _with_files(models: Sequence[ModelRequest], root: Path) -> tuple[ModelRequest, ...]:
    """Return the models with the files that they mount, which lie beside the list that names them."""
    found: list[ModelRequest] = []
    problems: list[Problem] = []
    for model in models:
        mark = model.mark("files")
        try:
            files = read_list_files((root / mark.path).parent, model.settings.files)
        except RefusedError as refused:
            problems.append(mark.problem(str(refused), refused.hint))
            files = ()
        found.append(replace(model, files=files))
    if problems:
        raise InputError(list(dict.fromkeys(problems)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Layer:
    document: Document
    file: RequestFile
    warnings: tuple[str, ...]


def _load_layers(path: Path, name: str) -> list[_Layer]:
    """Return the layers, outermost base first."""
    root = _root(path, name)
    text = read_text(path, name, _EXAMPLE)
    refuse_outside(path, name, root)
    layers, seen = [_layer(name, text)], [path.resolve()]
    while (said := layers[0].file.extends) is not None:
        path, name, text = _base(layers[0].document.mark(("extends",)), said, seen, root)
        seen.append(path)
        layers.insert(0, _layer(name, text))
    return layers


def _layer(name: str, text: str) -> _Layer:
    written = parse_document(text, name)
    document, warnings = deprecated.read_deprecated(written, deprecated.LIST_KEYS, _settings_in(written.value))
    return _Layer(document, _validate(document), warnings)


def _settings_in(value: Any) -> Iterator[Loc]:
    """Yield the location of each mapping of a model's settings in a list."""
    held = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    for key in ("models", "overrides"):
        each = held.get(key)
        inside = range(len(cast("list[Any]", each))) if isinstance(each, list) else ()
        yield from ((key, name) for name in (cast("dict[str, Any]", each) if isinstance(each, dict) else inside))
    if "defaults" in held:
        yield ("defaults",)


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
    """Return the project folder, or the list's own if messages do not show where it lies in a project."""
    return project_of(path, name) or path.parent.resolve()


def _validate(document: Document) -> RequestFile:
    if document.value is None:
        raise InputError([Problem(path=document.path, message="is empty: no models listed", hint=_EXAMPLE)])
    try:
        return RequestFile.model_validate(document.value)
    except ValidationError as error:
        found = schema_problems(
            document, error, RequestFile, _REFERENCE, _HINTS, hint_of_unknown=hint_of_other_word
        )
        raise InputError(found) from None


_EXAMPLE = "for example `models: [Qwen/Qwen3-8B]`; see docs/reference/models.md"
_REFERENCE = "for all keys see docs/reference/models.md"
_HINTS = {
    "id": "use `owner/name`, as in the URL of the model page: `Qwen/Qwen3-8B`; or `gs://bucket/folder`",
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
    id: str
    was: tuple[str, ...]
    settings: Settings
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
    problems += _shared_names(models)
    problems += _adapter_names(models)
    if problems:
        raise InputError(problems)
    warnings = tuple(warning for layer in layers for warning in layer.warnings)
    return Request(path=top, models=tuple(sorted(models, key=lambda model: model.key)), warnings=warnings)


def _shared_names(models: Sequence[ModelRequest]) -> Iterator[Problem]:
    """Yield a problem for each model whose server would run under the account of another model's loader."""
    by_name = {names.original_key(model): model for model in models}
    for name, model in by_name.items():
        owner = by_name.get(name.removesuffix(names.LOADER_SUFFIX))
        if owner is not None and owner is not model:
            message = f"`{name}` is also the name of the loader of `{owner.key}`: both would use one identity"
            mark = model.mark("name" if "name" in model.marks else "id")
            yield mark.problem(message, "give one of them a different `name:`")


def _adapter_names(models: Sequence[ModelRequest]) -> Iterator[Problem]:
    """Yield a problem for each adapter whose name requests use for something else."""
    own = [model for model in models if model.canary_of is None]
    taken = {name: f"the model `{model.key}`" for model in own for name in (*names.entry_keys(model), model.id)}
    for model in own:
        for index, adapter in enumerate(model.settings.lora.adapters if model.settings.lora else ()):
            name, mark = adapter.served_name, model.mark(adapter_field(index))
            if name == DRAFT:
                message = f"the adapter `{adapter.id}` has the name `{name}`, which is reserved for draft models"
                yield mark.problem(message, f"give it another name: `{{id: {adapter.id}, name: ...}}`")
            if name in taken:
                message = (
                    f"the adapter `{adapter.id}` has the name `{name}`, which is already used for {taken[name]}"
                )
                yield mark.problem(message, f"give it another name: `{{id: {adapter.id}, name: ...}}`")
            taken.setdefault(name, f"the adapter `{adapter.id}` of `{model.key}`")


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
            draft = _Draft(key, entry.id, entry.was, Settings(), {"id": layer.document.mark((*loc, "id"))})
            for each in layers:
                if each.file.defaults:
                    _apply_settings(draft, each.document, ("defaults",), each.file.defaults)
            _apply_settings(draft, layer.document, loc, entry)
            drafts[key] = draft
    return drafts


def _apply_settings(draft: _Draft, document: Document, loc: Loc, settings: Settings) -> None:
    """Apply settings over those of the draft."""
    draft.settings = draft.settings.under(settings)
    draft.marks |= {key: document.mark((*loc, key)) for key in sorted(settings.model_fields_set)}
    engine = settings.engine if "engine" in settings.model_fields_set else None
    if engine and engine.version:
        draft.marks["engine.version"] = document.mark((*loc, "engine", "version"))
    for key in ("engine_args", "env"):
        for name in getattr(settings, key) if key in settings.model_fields_set else ():
            # A flag may be written with its dashes.
            spelled = next((n for n in (name, f"--{name}") if (*loc, key, n) in document.places), name)
            draft.marks[f"{key}.{name}"] = document.key_mark((*loc, key, spelled))
    for index in range(len(settings.lora.adapters) if settings.lora else 0):
        draft.marks[adapter_field(index)] = document.mark((*loc, "lora", "adapters", index))
    if settings.speculative and settings.speculative.model:
        draft.marks[DRAFT_FIELD] = document.mark((*loc, *DRAFT_FIELD.split(".")))


def _apply_overrides(layer: _Layer, drafts: dict[str, _Draft], problems: list[Problem]) -> None:
    overrides = layer.file.overrides or {}
    # Overrides in other files may still use a model's former key.
    known = {former: draft for draft in drafts.values() for former in draft.was} | drafts
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
            _apply_settings(draft, layer.document, loc, overrides[key])


def _with_canary(draft: _Draft, drafts: Mapping[str, _Draft], problems: list[Problem]) -> list[ModelRequest]:
    """Return the model, followed by its canary if it has one."""
    model = _finish(draft, problems)
    canary = draft.settings.canary
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
    settings = draft.settings.changed(
        revision=canary.revision or draft.settings.revision,
        engine=canary.engine or draft.settings.engine,
        replicas=Replicas(min=1, max=canary.replicas),
        traffic=None,
        batch=None,
    )
    marks = {
        **draft.marks,
        **({"revision": mark} if canary.revision else {}),
        **({"engine": mark} if canary.engine else {}),
    }
    other = ModelRequest(key=key, was=tuple(was), id=draft.id, settings=settings, canary_of=model.key, marks=marks)
    return [model, other]


def _finish(draft: _Draft, problems: list[Problem]) -> ModelRequest:
    """Return the model, after the rules that need more than one key."""
    replicas, traffic = draft.settings.replicas, draft.settings.traffic
    if replicas.min > replicas.max:
        message = f"replicas of `{draft.key}`: min {replicas.min} is above max {replicas.max}"
        problems.append(draft.marks["replicas"].problem(message, "raise `max`, or lower `min`"))
    if traffic and traffic.profile and "hours_per_day" in traffic.model_fields_set:
        hint = "remove one of them: a profile covers every hour"
        problems.append(draft.marks["traffic"].problem("`profile` and `hours_per_day` cannot be combined", hint))
    if traffic and traffic.profile and not any(traffic.profile):
        hint = "give percentages of the peak: 100 in the peak hour"
        problems.append(draft.marks["traffic"].problem("the profile is all zeros", hint))
    problems += _source_problems(draft)
    batch = draft.settings.batch
    if batch and batch.parallel > replicas.max:
        shown = "1 replica" if replicas.max == 1 else f"{replicas.max} replicas"
        message = f"`batch` runs {batch.parallel} parts at once, but `{draft.key}` has at most {shown}"
        most = f"`replicas: {{max: {batch.parallel}}}`"
        hint = f"set {most}, which also sizes the node pools, or lower `parallel`"
        if (said := draft.marks.get("replicas")) and said.path != draft.marks["batch"].path:
            hint = f"set {most} for `{draft.key}` in {said.path}, whose `replicas` apply, or lower `parallel`"
        problems.append(draft.marks["batch"].problem(message, hint))
    return ModelRequest(key=draft.key, was=draft.was, id=draft.id, settings=draft.settings, marks=draft.marks)


def _source_problems(draft: _Draft) -> Iterator[Problem]:
    """Yield a problem for each setting that does not apply to where the model's files come from."""
    settings = draft.settings
    if not names.is_own(draft.id):
        if settings.license:
            why = f"`license` applies to own weights (`gs://`) only: `{draft.id}` states its licence on the Hub"
            yield draft.marks["license"].problem(why, "remove the key")
        return
    if not settings.is_default("revision"):
        why = f"`revision: {settings.revision}` does not apply to own weights: a bucket has no branches"
        hint = "remove the key: the lock pins each object's generation; a folder per version keeps several"
        yield draft.marks["revision"].problem(why, hint)
    if settings.canary is not None and settings.canary.revision:
        why = "`canary: {revision: ...}` does not apply to own weights: a bucket has no second revision"
        yield draft.marks["canary"].problem(why, "list the other folder as a model with its own `name:`")
