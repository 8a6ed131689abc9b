# SPDX-License-Identifier: Apache-2.0
"""The lock: what the Hub said of each model at a commit, as reviewable text.

Owns the format: version, order of fields (listed by hand, so that a new field of a class cannot change the file),
reading with positions, writing in one step. Does not fetch (`hubstack.hub`) and does not judge.
"""

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from hubstack.documents import Document, parse_document, read_text
from hubstack.errors import InputError, LockError
from hubstack.facts import FileFacts, ModelFacts, SecurityFacts
from hubstack.problems import Problem, nearest

FORMAT = 1
HEADER = "# Written by `hubstack lock`: what the Hub said of each model at its commit. Review it, do not edit it.\n"
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
HINT = "run `hubstack lock` and commit what it writes"

_TEXTS = ("id", "asked_id", "revision", "commit", "pipeline_tag", "library", "license", "license_name", "gated")
_MAPPINGS = ("parameters", "config", "quantization")
_FIELDS = (*_TEXTS, "custom_code", "security", "parameters_total", *_MAPPINGS, "files")
_FILE_FIELDS = ("path", "size_bytes", "sha256", "git_oid")


@dataclass(frozen=True, slots=True)
class Lock:
    """The facts of a lock, sorted by id and revision."""

    models: tuple[ModelFacts, ...] = ()

    def get(self, repo_id: str, revision: str) -> ModelFacts | None:
        """Return the facts of a model, asked for by its id of today or of before it was renamed."""
        found = (f for f in self.models if repo_id in {f.id, f.asked_id} and f.revision == revision)
        return next(found, None)


def render_lock(models: Iterable[ModelFacts]) -> str:
    """Return the text of a lock: sorted, and the same for the same facts in any order."""
    ordered = sorted(models, key=lambda facts: (facts.id, facts.revision))
    rows = [_row(facts) for facts in ordered]
    body = yaml.dump(
        {"format": FORMAT, "models": rows}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096
    )
    return HEADER + body


def _row(facts: ModelFacts) -> dict[str, Any]:
    security: dict[str, Any] = {}
    if facts.security.scans_done is not None:
        security["scans_done"] = facts.security.scans_done
    if facts.security.issues:
        security["issues"] = dict(sorted(facts.security.issues.items()))
    row: dict[str, Any] = {field: getattr(facts, field) for field in _TEXTS}
    row["custom_code"] = facts.custom_code or None
    row["security"] = security
    row["parameters_total"] = facts.parameters_total
    row |= {field: _sorted(getattr(facts, field)) for field in _MAPPINGS}
    row["files"] = [
        {name: value for name in _FILE_FIELDS if (value := getattr(file, name)) is not None}
        for file in sorted(facts.files, key=lambda file: file.path)
    ]
    return {key: value for key, value in row.items() if value not in (None, {}, [])}


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        return {key: _sorted(mapping[key]) for key in sorted(mapping)}
    return value


def load_lock(path: Path, name: str | None = None) -> Lock:
    """Read a lock; raise LockError with every problem."""
    shown = name or str(path)
    try:
        return parse_lock(read_text(path, shown, HINT), shown)
    except LockError:
        raise
    except InputError as error:
        raise LockError(error.problems) from None


def parse_lock(text: str, name: str) -> Lock:
    """Read the text of a lock.

    Raises:
        LockError: for text that is no lock, or of a format that this version does not read.
    """
    try:
        document = parse_document(text, name)
    except InputError as error:
        raise LockError(error.problems) from None
    reader = _Reader(document)
    models = reader.models()
    if reader.problems:
        raise LockError(reader.problems)
    return Lock(tuple(sorted(models, key=lambda facts: (facts.id, facts.revision))))


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def refuse(self, loc: tuple[str | int, ...], message: str, hint: str = HINT) -> None:
        self.problems.append(self.document.mark(loc).problem(message, hint))

    def models(self) -> list[ModelFacts]:
        value = self.document.value
        if not isinstance(value, dict):
            self.refuse((), "is no lock: it must begin with `format:`")
            return []
        held = cast("dict[str, Any]", value)
        if held.get("format") != FORMAT:
            self.refuse(("format",), f"is a lock of format {held.get('format')}, and this version reads {FORMAT}")
            return []
        rows: Any = held.get("models") or []
        if not isinstance(rows, list):
            self.refuse(("models",), "`models` must be a list")
            return []
        models: dict[tuple[str, str], ModelFacts] = {}
        for index, row in enumerate(cast("list[Any]", rows)):
            facts = self.model(row, index)
            if facts is None:
                continue
            if (facts.id, facts.revision) in models:
                self.refuse(("models", index), f"`{facts.id}` at `{facts.revision}` is locked twice")
            models[facts.id, facts.revision] = facts
        return list(models.values())

    def model(self, row: Any, index: int) -> ModelFacts | None:
        loc = ("models", index)
        before = len(self.problems)
        if not isinstance(row, dict):
            self.refuse(loc, "a model must be a mapping")
            return None
        held = cast("dict[str, Any]", row)
        for key in held:
            if key not in _FIELDS:
                near = nearest(key, _FIELDS)
                self.refuse((*loc, key), f"unknown field `{key}`", f"did you mean `{near}`?" if near else HINT)
        texts = {field: self.typed(held, loc, field, str) for field in _TEXTS}
        for field in ("id", "revision", "commit"):
            if texts[field] is None:
                self.refuse(loc, f"`{field}` is missing")
        mappings: dict[str, Any] = {field: self.typed(held, loc, field, dict) or {} for field in _MAPPINGS}
        facts: dict[str, Any] = {
            **texts,
            **mappings,
            "custom_code": self.typed(held, loc, "custom_code", bool) or False,
            "security": self.security(held, loc),
            "parameters_total": self.typed(held, loc, "parameters_total", int),
            "files": self.files(held, loc),
        }
        return ModelFacts(**facts) if len(self.problems) == before else None

    def typed(self, row: dict[str, Any], loc: tuple[str | int, ...], field: str, kind: type) -> Any:
        value = row.get(field)
        if value is None or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
            return value
        self.refuse((*loc, field), f"`{field}` must be of type {kind.__name__}")
        return None

    def security(self, row: dict[str, Any], loc: tuple[str | int, ...]) -> SecurityFacts:
        held: dict[str, Any] = self.typed(row, loc, "security", dict) or {}
        inner = (*loc, "security")
        issues: dict[str, Any] = self.typed(held, inner, "issues", dict) or {}
        done = self.typed(held, inner, "scans_done", bool)
        return SecurityFacts(scans_done=done, issues={path: str(level) for path, level in issues.items()})

    def files(self, row: dict[str, Any], loc: tuple[str | int, ...]) -> tuple[FileFacts, ...]:
        rows: list[Any] = self.typed(row, loc, "files", list) or []
        files: list[FileFacts] = []
        for index, item in enumerate(rows):
            place = (*loc, "files", index)
            held = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
            path = self.typed(held, place, "path", str)
            size = self.typed(held, place, "size_bytes", int)
            if path is None or size is None or set(held) - set(_FILE_FIELDS):
                self.refuse(place, f"a file has the fields {', '.join(_FILE_FIELDS)}; the first two must be there")
                continue
            digest, oid = self.typed(held, place, "sha256", str), self.typed(held, place, "git_oid", str)
            files.append(FileFacts(path=path, size_bytes=size, sha256=digest, git_oid=oid))
        return tuple(sorted(files, key=lambda file: file.path))


def write_text_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all: to a temporary file beside it, then renamed."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(path.stat().st_mode if path.exists() else 0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
