# SPDX-License-Identifier: Apache-2.0
"""The lock: facts about each model at its commit, and each image at its digest, as a text file to review.

Owns the stored format, its version, its order, and reading it with positions. The `_Stored...` models list the
fields explicitly, so that a new field in `hubstack.hub.facts` does not change the format. Does not own querying the
Hub (`hubstack.hub.remote`); nothing here accesses the network.

To change the format, increment FORMAT, and either keep reading the old one or name the command to run in the hint.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hubstack.files.documents import Document, Loc, parse_document, read_text
from hubstack.files.errors import InputError, LockError
from hubstack.files.problems import Problem, shown
from hubstack.files.schema_errors import schema_problems
from hubstack.hub.facts import FileFacts, LockedImage, ModelFacts, SecurityFacts, TokenizerFacts
from hubstack.hub.lock_hash import CONTENT, content_of, edited
from hubstack.inputs.hub_names import model_id_problem, path_problem, repo_id_problem, revision_problem

FORMAT, _WITH_IMAGES = 2, 3
"""A lock without images is written in format 2, which earlier releases read too."""
_READ = (1, 2, 3)
"""Format 1 has no `content`: its entries are accepted unchecked, and the next `hubstack lock` adds it."""
MAX_BYTES = 32_000_000
"""A thousand models of 32 kB each: the entry of a checkpoint with 160 files has 28 kB, with 16 files 4 kB."""
HEADER = (
    "# Written by `hubstack lock`: what the Hub said of each model at its commit. Review it, commit it, and do\n"
    "# not edit it: `hubstack lock --upgrade KEY` moves a model to its newest commit.\n"
)
_MERGE = (
    "take one side whole (`git checkout --ours FILE`, or `--theirs`), then run `hubstack lock`: it keeps what is "
    "locked there and asks the Hub for the rest"
)
_AGAIN = "the lock is generated: restore it from git, or delete it and run `hubstack lock`"


@dataclass(frozen=True, kw_only=True)
class Lock:
    """The models in one lock."""

    path: str
    """File as the user named it."""
    models: tuple[ModelFacts, ...]
    """Sorted by `lock_key`, which is unique."""
    images: tuple[LockedImage, ...] = ()
    """Sorted by name, which is unique; empty if no registry was asked."""

    def get(self, repo_id: str, revision: str) -> ModelFacts | None:
        """Return the entry for a requested ID, or for a repository's current ID; None if not locked."""
        return self._asked.get((repo_id, revision)) or self._named.get((repo_id, revision))

    @cached_property
    def _asked(self) -> Mapping[tuple[str, str], ModelFacts]:
        return {lock_key(facts): facts for facts in self.models}

    @cached_property
    def _named(self) -> Mapping[tuple[str, str], ModelFacts]:
        return {(facts.id, facts.revision): facts for facts in reversed(self.models)}


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleEntry:
    """A model that is locked, but not at the requested revision."""

    id: str
    revision: str
    locked_revisions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How a lock differs from a model list. Has no positions: the caller knows where each model is listed."""

    missing: tuple[tuple[str, str], ...]
    """Requested (ID, revision) pairs with no locked revision."""
    stale: tuple[StaleEntry, ...]
    extra: tuple[tuple[str, str], ...]
    """Locked (requested ID, revision) pairs that are no longer requested."""

    @property
    def is_fresh(self) -> bool:
        """Return whether `hubstack lock` would neither add nor remove an entry."""
        return not (self.missing or self.stale or self.extra)


def lock_key(facts: ModelFacts) -> tuple[str, str]:
    """Return the unique key of an entry: the requested ID and the revision."""
    return facts.asked_id or facts.id, facts.revision


def lock_path(request_path: Path) -> Path:
    """Return the path of a model list's lock: `dev.models.yaml` -> `dev.models.lock.yaml`."""
    return request_path.with_name(f"{request_path.name.removesuffix('.yaml')}.lock.yaml")


def other_repository(repo_id: str, facts: ModelFacts) -> str | None:
    """Return what to say if a list's ID is locked as another repository: renamed on the Hub, or an edited lock."""
    if facts.id == repo_id:
        return None
    return f"the list names {repo_id}, the lock has {facts.id}: verify on the Hub that the repository was renamed"


def check_fresh(lock: Lock, requested: Iterable[tuple[str, str]]) -> Freshness:
    """Compare a lock with the (ID, revision) pairs of a model list."""
    missing: list[tuple[str, str]] = []
    stale: list[StaleEntry] = []
    used: set[tuple[str, str]] = set()
    for repo_id, revision in sorted(set(requested)):
        facts = lock.get(repo_id, revision)
        if facts is not None:
            used.add(lock_key(facts))
        elif others := {f.revision for f in lock.models if repo_id in {f.id, f.asked_id}}:
            stale.append(StaleEntry(id=repo_id, revision=revision, locked_revisions=tuple(sorted(others))))
        else:
            missing.append((repo_id, revision))
    extra = tuple(lock_key(facts) for facts in lock.models if lock_key(facts) not in used)
    return Freshness(missing=tuple(missing), stale=tuple(stale), extra=extra)


# Writing


def render_lock(models: Iterable[ModelFacts], images: Iterable[LockedImage] = ()) -> str:
    """Return the text of a lock; the order of models and images does not matter.

    Raises:
        ValueError: two models have the same `lock_key`.
    """
    by_key: dict[tuple[str, str], ModelFacts] = {}
    for facts in models:
        if by_key.setdefault(lock_key(facts), facts) != facts:
            raise ValueError(f"two models have the key {lock_key(facts)}")
    stored = [_entry(by_key[key]) for key in sorted(by_key)]
    pinned = [_image_entry(each) for each in sorted(images, key=lambda image: image.image)]
    text = yaml.dump(
        {"format": _WITH_IMAGES, "models": stored, "images": pinned}
        if pinned
        else {"format": FORMAT, "models": stored},
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        width=1_000_000,
        allow_unicode=False,
    )
    return HEADER + text


def lock_line(facts: ModelFacts) -> str:
    """Return the entry of one model as a line of JSON, for `parse_lock_line`."""
    return json.dumps(_entry(facts))


def parse_lock_line(line: str) -> ModelFacts:
    """Parse a line written by `lock_line`.

    Raises:
        ValueError: the line is incomplete or was changed.
    """
    entry: Any = json.loads(line)
    if entry.get(CONTENT) != content_of(entry):
        raise ValueError("the line was changed")
    stored = _StoredModel.model_validate(entry)
    if any(_misnamed(stored)):
        raise ValueError("a name in the line breaks the Hub's rules")
    return _facts(stored)


def _entry(facts: ModelFacts) -> dict[str, Any]:
    """Return the stored form of a model, with fields in written order; unknown values are omitted."""
    security = {
        "scans_done": facts.security.scans_done,
        "issues": _sorted(facts.security.issues) or None,
    }
    fields: dict[str, Any] = {
        "id": facts.id,
        "asked_id": facts.asked_id,
        "revision": facts.revision,
        "commit": facts.commit,
        "replaced": facts.replaced,
        "pipeline_tag": facts.pipeline_tag,
        "library": facts.library,
        "license": facts.license,
        "license_name": facts.license_name,
        "base_models": list(facts.base_models) or None,
        "quantized_builds": dict(facts.quantized_builds) or None,
        "datasets": list(facts.datasets) or None,
        "gated": facts.gated,
        "custom_code": facts.custom_code or None,
        "security": _known(security) or None,
        "parameters": _sorted(facts.parameters) or None,
        "parameters_total": facts.parameters_total,
        "config": _sorted(facts.config) or None,
        "quantization": _sorted(facts.quantization) or None,
        "tokenizer": _tokenizer(facts),
        "files": {file.path: _row(file) for file in sorted(facts.files, key=lambda file: file.path)} or None,
    }
    entry = _known(fields)
    return {**entry, CONTENT: content_of(entry)}


def _image_entry(image: LockedImage) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "image": image.image,
        "digest": image.digest,
        "platform": image.platform,
        "manifest": image.manifest,
        "created": image.created,
        "entrypoint": list(image.entrypoint) or None,
        "user": image.user,
    }
    entry = _known(fields)
    return {**entry, CONTENT: content_of(entry)}


def _tokenizer(facts: ModelFacts) -> dict[str, Any] | None:
    said = facts.tokenizer
    if said is None:
        return None
    fields = {"class": said.class_name, "code": list(said.code) or None, "chat_template": said.has_chat_template}
    return _known(fields)


def _row(file: FileFacts) -> "_Row":
    fields = {
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "git_oid": file.git_oid,
        "generation": file.generation,
        "crc32c": file.crc32c,
        "md5": file.md5,
    }
    return _Row(_known(fields))


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        return {key: _sorted(mapping[key]) for key in sorted(mapping)}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in cast("list[Any]", value)]
    return value


class _Row(dict[str, Any]):
    """A mapping written on one line, so that a changed file is one changed line in a review."""


_BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_BaseDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the signature is PyYAML's
        """Never write anchors, which a lock must not contain."""
        return True


def _represent_row(dumper: Any, row: _Row) -> Any:
    return dumper.represent_mapping("tag:yaml.org,2002:map", row.items(), flow_style=True)


def _represent_list(dumper: Any, items: list[Any]) -> Any:
    short = not any(isinstance(item, dict | list) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


_Dumper.add_representer(_Row, _represent_row)
_Dumper.add_representer(list, _represent_list)


# Reading


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_Text = Annotated[str, Field(min_length=1)]
_Count = Annotated[int, Field(ge=0)]
_Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
_Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class _StoredFile(_Stored):
    size_bytes: _Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    git_oid: _Commit | None = None
    generation: Annotated[int, Field(gt=0)] | None = None
    crc32c: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{6}==$")] | None = None
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None


class _StoredSecurity(_Stored):
    scans_done: bool | None = None
    issues: dict[str, str] = {}


class _StoredTokenizer(_Stored):
    class_name: str | None = Field(default=None, alias="class")
    code: list[_Text] = []
    chat_template: bool = False


class _StoredModel(_Stored):
    id: _Text
    asked_id: _Text | None = None
    revision: _Text
    commit: _Commit
    replaced: _Commit | None = None
    pipeline_tag: str | None = None
    library: str | None = None
    license: str | None = None
    license_name: str | None = None
    base_models: list[_Text] = []
    quantized_builds: dict[str, _Count] = {}
    datasets: list[_Text] = []
    gated: str | None = None
    custom_code: bool = False
    security: _StoredSecurity = _StoredSecurity()
    parameters: dict[str, _Count] = {}
    parameters_total: _Count | None = None
    config: dict[str, Any] = {}
    quantization: dict[str, Any] = {}
    tokenizer: _StoredTokenizer | None = None
    files: dict[str, _StoredFile] = {}
    content: str | None = None


class _StoredImage(_Stored):
    image: Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9._:/\[\]-]*:[A-Za-z0-9_][A-Za-z0-9._-]*$")]
    digest: _Digest
    platform: _Text
    manifest: _Digest | None = None
    created: _Text | None = None
    entrypoint: list[str] = []
    user: _Text
    content: str | None = None


class _StoredLock(_Stored):
    format: int
    models: list[_StoredModel]
    images: list[_StoredImage] = []


def load_lock(path: Path, name: str | None = None, to_refetch: Collection[tuple[str, str]] = ()) -> Lock:
    """Read a lock.

    Args:
        path: the file.
        name: its name in messages; defaults to the path.
        to_refetch: (ID, revision) pairs that are about to be locked again: their entries may have been edited.

    Raises:
        LockError: the lock cannot be read or is invalid; lists every problem.
    """
    called = name or str(path)
    try:
        text = read_text(path, called, "run `hubstack lock` and commit what it writes", MAX_BYTES)
    except InputError as error:
        raise LockError(error.problems) from None
    return parse_lock(text, called, to_refetch)


def parse_lock(text: str, path: str, to_refetch: Collection[tuple[str, str]] = ()) -> Lock:
    """Parse the text of a lock.

    Args:
        text: the file's text.
        path: the path shown to the user.
        to_refetch: as for `load_lock`.

    Raises:
        LockError: the lock is invalid; lists every problem with line and column.
    """
    try:
        document = parse_document(text, path, MAX_BYTES // 20)
    except InputError as error:
        raise LockError([_with_hint(problem) for problem in error.problems]) from None
    _check_format(document)
    try:
        stored = _StoredLock.model_validate(document.value)
    except ValidationError as error:
        raise LockError(schema_problems(document, error, _StoredLock, _AGAIN, is_generated=True)) from None
    _check_names(document, stored.models)
    models = [_facts(model) for model in stored.models]
    _check_unique(document, models)
    if stored.format > 1:
        _check_content(document, models, to_refetch)
    images = [_locked_image(image) for image in stored.images]
    _check_images(document, images)
    ordered = tuple(sorted(images, key=lambda image: image.image))
    return Lock(path=path, models=tuple(sorted(models, key=lock_key)), images=ordered)


def _with_hint(problem: Problem) -> Problem:
    return replace(problem, hint=_MERGE if "unresolved merge" in problem.message else _AGAIN)


def _check_format(document: Document) -> None:
    value: object = document.value
    if not isinstance(value, dict):
        message = "is empty" if value is None else "is not a lock: it needs `format:` and `models:`"
        raise LockError([Problem(path=document.path, message=message, hint=_AGAIN)])
    found: object = cast("dict[str, Any]", value).get("format")
    if found is None:
        raise LockError([document.mark(()).problem("the lock has no `format:`", _AGAIN)])
    if type(found) is not int or found not in _READ:
        hint = "use the hubstack that wrote it, or delete it and run `hubstack lock`"
        message = f"unknown lock format {shown(found)}: this hubstack reads {', '.join(map(str, _READ))}"
        raise LockError([document.mark(("format",)).problem(message, hint)])


def _check_names(document: Document, models: Iterable[_StoredModel]) -> None:
    """Reject names that break the Hub's rules: they could escape a folder or mislead a reviewer."""
    problems = [
        document.key_mark(("models", index, *loc)).problem(message, _AGAIN)
        for index, model in enumerate(models)
        for loc, message in _misnamed(model)
    ]
    if problems:
        raise LockError(problems)


def _misnamed(model: _StoredModel) -> Iterator[tuple[Loc, str]]:
    """Yield the place and the problem of each name that breaks the Hub's rules."""
    if fault := model_id_problem(model.id):
        yield ("id",), fault
    builds = tuple(("quantized_builds", repo_id) for repo_id in model.quantized_builds)
    for key, repo_id in (("asked_id", model.asked_id), *builds):
        if repo_id is not None and (fault := repo_id_problem(repo_id)):
            yield (key,), fault
    if fault := revision_problem(model.revision):
        yield ("revision",), f"`{model.revision}` {fault}"
    if re.fullmatch(r"[0-9a-f]{40}", model.revision) and model.revision != model.commit:
        yield ("commit",), f"the commit `{model.commit}` is not the one that `revision` names"
    for path in model.files:
        if fault := path_problem(path):
            yield ("files", path), f"the file path `{path}` {fault}"
    for path in model.security.issues:
        if fault := path_problem(path):
            yield ("security", "issues", path), f"the file path `{path}` {fault}"


def _check_unique(document: Document, models: list[ModelFacts]) -> None:
    first: dict[tuple[str, str], int] = {}
    problems: list[Problem] = []
    for index, facts in enumerate(models):
        earlier = first.setdefault(lock_key(facts), index)
        if earlier != index:
            line = document.mark(("models", earlier)).line
            message = f"`{lock_key(facts)[0]}` at `{facts.revision}` is locked twice (first on line {line})"
            problems.append(document.mark(("models", index)).problem(message, _AGAIN))
    if problems:
        raise LockError(problems)


def _check_content(document: Document, models: list[ModelFacts], to_refetch: Collection[tuple[str, str]]) -> None:
    """Reject entries that were edited after hubstack wrote them, except those about to be locked again."""
    problems: list[Problem] = []
    for index in edited(document.value["models"]):
        facts = models[index]
        if {lock_key(facts), (facts.id, facts.revision)}.isdisjoint(to_refetch):
            message = f"the entry of `{facts.id}` was edited or truncated after hubstack wrote it"
            command = f"`hubstack lock --upgrade {lock_key(facts)[0]}`"
            hint = f"restore it from git, or run {command}, which asks the Hub again"
            problems.append(document.key_mark(("models", index, CONTENT)).problem(message, hint))
    if problems:
        raise LockError(problems)


def _check_images(document: Document, images: list[LockedImage]) -> None:
    """Reject images that are locked twice or were edited after hubstack wrote them."""
    problems: list[Problem] = []
    names = [image.image for image in images]
    for index, name in enumerate(names):
        if names.index(name) != index:
            mark = document.mark(("images", index))
            problems.append(mark.problem(f"the image `{name}` is locked twice", _AGAIN))
    if not problems:
        for index in edited(document.value.get("images", [])):
            hint = "restore it from git, or delete the entry and run `hubstack lock`, which asks the registry again"
            message = f"the entry of the image `{names[index]}` was edited after hubstack wrote it"
            problems.append(document.mark(("images", index)).problem(message, hint))
    if problems:
        raise LockError(problems)


def _locked_image(stored: _StoredImage) -> LockedImage:
    return LockedImage(
        image=stored.image,
        digest=stored.digest,
        platform=stored.platform,
        manifest=stored.manifest,
        created=stored.created,
        entrypoint=tuple(stored.entrypoint),
        user=stored.user,
    )


def _facts(stored: _StoredModel) -> ModelFacts:
    return ModelFacts(
        id=stored.id,
        revision=stored.revision,
        commit=stored.commit,
        replaced=stored.replaced,
        asked_id=stored.asked_id,
        pipeline_tag=stored.pipeline_tag,
        library=stored.library,
        license=stored.license,
        license_name=stored.license_name,
        base_models=tuple(stored.base_models),
        quantized_builds=stored.quantized_builds,
        datasets=tuple(stored.datasets),
        gated=stored.gated,
        custom_code=stored.custom_code,
        security=SecurityFacts(scans_done=stored.security.scans_done, issues=stored.security.issues),
        parameters=stored.parameters,
        parameters_total=stored.parameters_total,
        config=stored.config,
        quantization=stored.quantization,
        tokenizer=TokenizerFacts(
            class_name=stored.tokenizer.class_name,
            code=tuple(stored.tokenizer.code),
            has_chat_template=stored.tokenizer.chat_template,
        )
        if stored.tokenizer
        else None,
        files=tuple(
            FileFacts(
                path=path,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                git_oid=file.git_oid,
                generation=file.generation,
                crc32c=file.crc32c,
                md5=file.md5,
            )
            for path, file in sorted(stored.files.items())
        ),
    )
