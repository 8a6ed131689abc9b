# SPDX-License-Identifier: Apache-2.0
"""Reads files into Kubernetes objects, each value with its place.

Owns which files of a folder are read, documents, lists and templates. Does not own the meaning of objects.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from hubstack.files.documents import Document, Loc, Mark, decode, parse_documents
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem

MAX_BYTES, MAX_VALUES = 50_000_000, 2_000_000
"""Enough for a few thousand Deployments as printed by `kubectl get -o yaml`."""
STDIN = "-"
_SUFFIXES = (".json", ".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Part:
    """A value in a document; a missing one is None, at the place of its nearest parent."""

    document: Document
    loc: Loc
    value: Any

    def at(self, *path: str) -> "Part":
        """Return the value at a path below this one."""
        value: Any = self.value
        for key in path:
            value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
        return Part(self.document, (*self.loc, *path), value)

    def items(self) -> list["Part"]:
        """Return the items of a list; empty for anything else."""
        value: Any = self.value
        held = cast("list[Any]", value) if isinstance(value, list) else []
        return [Part(self.document, (*self.loc, index), item) for index, item in enumerate(held)]

    def pairs(self) -> list[tuple[str, "Part"]]:
        """Return the keys and values of a mapping; empty for anything else."""
        return [(key, self.at(key)) for key in cast("dict[str, Any]", self.value)] if self.is_mapping else []

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping."""
        return isinstance(self.value, dict)

    @property
    def text(self) -> str:
        """The value as a container would see it; empty if missing or not a scalar."""
        if isinstance(self.value, bool):
            return str(self.value).lower()
        return str(self.value) if isinstance(self.value, str | int | float) else ""

    @property
    def count(self) -> int | None:
        """The value if it is a whole number."""
        return self.value if isinstance(self.value, int) and not isinstance(self.value, bool) else None

    @property
    def mark(self) -> Mark:
        """Its place."""
        return self.document.mark(self.loc)


@dataclass(frozen=True, slots=True)
class Read:
    """What files and folders contain."""

    objects: list[Part]
    """Every Kubernetes object, and other YAML that is kept."""
    templates: list[str]
    """Files of folders that are templates of charts, each with the line that says so."""
    broken: list[Problem]
    """Why other files of folders are not read."""


def read_objects(names: Sequence[str], keep: Callable[[Part], bool]) -> Read:
    """Return every Kubernetes object in files, folders and `-` (standard input).

    Args:
        names: the files and folders.
        keep: whether other YAML, such as the values of a chart, is returned too.

    Raises:
        InputError: a named file cannot be read, is not YAML or contains no object; lists every problem.
    """
    problems: list[Problem] = []
    found: list[Part] = []
    templates: list[str] = []
    broken: list[Problem] = []
    for name in names:
        try:
            paths = _paths(name)
        except InputError as error:
            problems += error.problems
            continue
        before, wrong = len(found), len(problems)
        for path in paths:
            try:
                found += _objects(path, keep)
            except InputError as error:
                if path == name:
                    problems += [_told(each) for each in error.problems]
                elif all(_is_template(each) for each in error.problems):
                    templates.append(f"{path}:{error.problems[0].line}")
                else:
                    broken += [_told(each) for each in error.problems]
        if len(found) == before and len(problems) == wrong and not (templates or broken):
            hint = "pass YAML or JSON as printed by `kubectl get deployments -A -o yaml`"
            problems.append(Problem(path=_shown(name), message="contains no Kubernetes object", hint=hint))
    if problems:
        raise InputError(problems)
    return Read(found, templates, broken)


def _shown(name: str) -> str:
    return "standard input" if name == STDIN else name


def _paths(name: str) -> list[str]:
    folder = Path(name)
    if name == STDIN or not folder.is_dir():
        return [name]
    found = [path for path in sorted(folder.rglob("*")) if path.suffix in _SUFFIXES and path.is_file()]
    kept = [str(path) for path in found if not any(p.startswith(".") for p in path.relative_to(folder).parts)]
    if not kept:
        raise InputError([Problem(path=name, message="contains no .yaml, .yml or .json file")])
    return kept


def _objects(name: str, keep: Callable[[Part], bool]) -> Iterator[Part]:
    text, shown = _read(name), _shown(name)
    if name.endswith(".json"):
        _check_json(text, shown)
        text = text.replace("\t", " ")  # JSON may be indented with tabs, which YAML rejects; columns are unchanged
    for document in parse_documents(text, shown, MAX_VALUES):
        part = Part(document, (), document.value)
        objects = list(_unlisted(part))
        yield from objects or ([part] if keep(part) else [])


def _check_json(text: str, shown: str) -> None:
    """Reject text that YAML accepts but JSON does not."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        message = f"is not JSON: {error.msg[0].lower()}{error.msg[1:]}"
        raise InputError([Problem(path=shown, line=error.lineno, column=error.colno, message=message)]) from None
    except RecursionError:
        raise InputError([Problem(path=shown, message="is nested too deeply to be read")]) from None


def _read(name: str) -> str:
    try:
        content = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else (error.strerror or "")
        raise InputError([Problem(path=name, message=f"cannot be read: {reason}")]) from None
    return decode(content, _shown(name), MAX_BYTES)


def _is_template(problem: Problem) -> bool:
    return "{{" in (problem.source_line or "")


def _told(problem: Problem) -> Problem:
    """Omit the source line, which may contain a Secret."""
    hint = "this is a template, not a manifest: pass the output of `helm template`"
    return replace(problem, source_line=None, hint=hint if _is_template(problem) else problem.hint)


def _unlisted(part: Part) -> Iterator[Part]:
    """Yield the objects of a list or of an OpenShift template, or the object itself; nothing for other YAML."""
    kind = part.at("kind").text
    if isinstance(part.value, list):
        for item in part.items():
            yield from _unlisted(item)
    elif kind.endswith("List") and isinstance(part.at("items").value, list):
        for item in part.at("items").items():
            yield from _unlisted(_typed(item, kind.removesuffix("List"), part.at("apiVersion").text))
    elif kind == "Template" and part.at("objects").items():
        for item in part.at("objects").items():
            yield from _unlisted(item)
    elif (kind and part.at("apiVersion").text) or is_kustomization(part):
        yield part


def _typed(item: Part, kind: str, version: str) -> Part:
    """Return an item of a typed list, such as a DeploymentList, in which items may omit their kind."""
    if not kind or not item.is_mapping or item.at("kind").text:
        return item
    return replace(item, value={"apiVersion": version, "kind": kind, **item.value})


def is_kustomization(part: Part) -> bool:
    """Return whether it is a kustomization file, in which `kind` is optional, or a component of one."""
    named = Path(part.document.path).name.lower() in {"kustomization.yaml", "kustomization.yml", "kustomization"}
    is_component = part.at("apiVersion").text.startswith("kustomize.config.k8s.io/")
    return (
        is_component
        or part.at("kind").text == "Kustomization"
        or (named and part.is_mapping and not part.at("kind").text)
    )
