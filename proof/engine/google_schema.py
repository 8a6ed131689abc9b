# SPDX-License-Identifier: Apache-2.0
"""What an argument of Google's provider may be: names and types from the SDK, rules from the provider's source.

Owns the judgement of arguments (`TypeSchema.check`) and of a change (`TypeSchema.diff`). What the SDK's classes say
is read from them; google_schema.yaml has the rest. A type that the table does not know is one member of one role:
its required arguments are the SDK's, and all of it replaces.
"""

import hashlib
import importlib
import inspect
import os
import pickle
import re
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from proof.binaries import CACHE

TABLE = Path(__file__).with_name("google_schema.yaml")
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The protocol's placeholder for an unknown value."""
_MEMBER = ("IAMMember", "IamMember")
_PLAIN = {"str": str, "bool": bool, "int": (int, float), "float": (int, float)}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument as the SDK declares it."""

    name: str
    plain: str | None
    """`str`, `bool`, `int` or `float`; None for an object."""
    is_list: bool
    is_map: bool
    parts: "Mapping[str, Argument]"
    """Arguments of an object; empty for a plain value or a map."""
    is_required: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """One path whose value changes."""

    path: str
    kind: str
    """`add`, `delete` or `update`."""
    replaces: bool


@dataclass(frozen=True, slots=True)
class TypeSchema:
    """One type of resource."""

    kind: str
    arguments: Mapping[str, Argument]
    attributes: frozenset[str]
    """Outputs of the created resource."""
    rules: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_member(self) -> bool:
        """Whether it is an IAM member resource: one member of one role."""
        return self.kind.endswith(_MEMBER)

    @property
    def is_autonamed(self) -> bool:
        """Whether the provider generates a name if none is given."""
        named = self.arguments.get("name")
        return named is not None and not named.is_required and "name" in self.rules.get("required", ())

    @property
    def kept(self) -> frozenset[str]:
        """Paths that keep their value if omitted."""
        return frozenset(self.rules.get("kept", ()))

    def check(self, inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the path and reason of each invalid argument."""
        wrong = list(_check_object(inputs, self.arguments, ""))
        required = [path for path in self.rules.get("required", ()) if "." in path]
        for path in required:
            above, _, last = path.rpartition(".")
            wrong += [
                (path, "is required")
                for part in _at(inputs, above)
                if isinstance(part, Mapping) and part.get(last) is None
            ]
        for path, others in self.rules.get("conflicts", {}).items():
            if _is_set(inputs, path):
                wrong += [(path, f"conflicts with {other}") for other in others if _is_set(inputs, other)]
        for path, others in self.rules.get("with", {}).items():
            if _is_set(inputs, path):
                wrong += [(path, f"needs {other}") for other in others if not _is_set(inputs, other)]
        for path, others in self.rules.get("one_of", {}).items():
            above = path.rpartition(".")[0]
            if above and not _is_set(inputs, above):
                continue
            given = [each for each in (path, *others) if _is_set(inputs, each)]
            if len(given) != 1:
                wrong.append((path, f"exactly one of {', '.join(sorted((path, *others)))} is needed, not {given}"))
        return wrong

    def diff(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
        """Return every path that changes."""
        return list(self._differences(old, new, self.arguments, ""))

    def _differences(
        self, old: Mapping[str, Any], new: Mapping[str, Any], arguments: Mapping[str, Argument], prefix: str
    ) -> Iterator[Difference]:
        for name, argument in arguments.items():
            path = f"{prefix}{name}"
            before, after = old.get(name), new.get(name)
            if before == after or self._is_nothing(path, before, after):
                continue
            kind = "add" if before is None else "delete" if after is None else "update"
            if argument.parts and before is not None and after is not None:
                pairs = list(zip(_rows(before), _rows(after), strict=False))
                inner = [each for a, b in pairs for each in self._differences(a, b, argument.parts, f"{path}.")]
                yield from inner
                if len(_rows(before)) != len(_rows(after)):
                    yield Difference(path, kind, self._replaces(path))
            else:
                yield Difference(path, kind, self._replaces(path) or self._inside_replaces(path, argument))

    def _is_nothing(self, path: str, before: Any, after: Any) -> bool:
        if after is None and path in self.kept:
            return True
        defaults = self.rules.get("defaults", {})
        if path not in defaults:
            return False
        return (before if before is not None else defaults[path]) == (
            after if after is not None else defaults[path]
        )

    def _replaces(self, path: str) -> bool:
        return self.is_member or path in self.rules.get("replaced_by", ())

    def _inside_replaces(self, path: str, argument: Argument) -> bool:
        """Return whether adding or removing a block replaces: if a part without default that is not kept does."""
        return bool(argument.parts) and any(
            each.startswith(f"{path}.") and each not in self.kept for each in self.rules.get("replaced_by", ())
        )


_LOADING = threading.RLock()
"""Guards the SDK's lazy imports, which are not thread-safe."""


def schema_of(kind: str) -> TypeSchema:
    """Return the schema of a type.

    Raises:
        KeyError: the SDK has no such type, or the table no rules for it.
    """
    with _LOADING:
        return _kept(kind)


@cache
def _kept(kind: str) -> TypeSchema:
    """Return the cached schema, or read it: loading the SDK takes seconds."""
    made_of = f"{version('pulumi-gcp')} {sys.version} {TABLE.read_bytes()!r} {Path(__file__).read_bytes()!r} {kind}"
    path = CACHE / "google" / f"{hashlib.sha256(made_of.encode()).hexdigest()}.pickle"
    if path.exists():
        return pickle.loads(path.read_bytes())  # noqa: S301  our own
    with warnings.catch_warnings():
        # The SDK loads its modules at first use, and warns then of classes that it carries under old names.
        warnings.simplefilter("ignore", DeprecationWarning)
        schema = _read(kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(pickle.dumps(schema))
    part.replace(path)
    return schema


def _read(kind: str) -> TypeSchema:
    _, module, name = kind.split(":")
    package = importlib.import_module(f"pulumi_gcp.{module.split('/')[0]}")
    rules = _table().get(kind)
    if rules is None and not kind.endswith(_MEMBER):
        raise KeyError(f"google_schema.yaml has no rules for {kind}")
    arguments = _arguments(package, getattr(package, f"{name}Args"), ())
    cls = getattr(package, name)
    attributes = frozenset(
        _camel(each)
        for each, value in vars(cls).items()
        if isinstance(value, property) and not each.startswith("_")
    )
    return TypeSchema(kind, arguments, attributes, rules or {})


@cache
def _table() -> dict[str, Any]:
    return yaml.safe_load(TABLE.read_text())["types"]


def _arguments(package: Any, args: Any, above: tuple[str, ...]) -> dict[str, Argument]:
    found: dict[str, Argument] = {}
    for name, parameter in inspect.signature(args.__init__).parameters.items():
        if name == "__self__":
            continue
        text = str(parameter.annotation)
        nested = re.search(r"'(?:_\w+\.)?(\w+Args)'", text)
        cls = getattr(package, nested[1], None) if nested else None
        # A schema may hold itself (a matcher of matchers); nobody writes more than this.
        parts = _arguments(package, cls, (*above, nested[1])) if nested and cls and nested[1] not in above else {}
        plain = None if parts else next((each for each in _PLAIN if re.search(rf"\b{each}\b", text)), None)
        found[_camel(name)] = Argument(
            name=_camel(name),
            plain=plain,
            parts=parts,
            is_list="Sequence[" in text,
            is_map="Mapping[str, " in text and "TypedDict" not in text and not parts,
            is_required=parameter.default is inspect.Parameter.empty,
        )
    return found


def _check_object(
    value: Mapping[str, Any], arguments: Mapping[str, Argument], prefix: str
) -> Iterator[tuple[str, str]]:
    for name in value.keys() - arguments.keys():
        yield f"{prefix}{name}", "is no argument of this type"
    for name, argument in arguments.items():
        path, given = f"{prefix}{name}", value.get(name)
        if given is None:
            if argument.is_required:
                yield path, "is required"
        elif given != UNKNOWN:
            yield from _check_value(given, argument, path)


def _check_value(given: Any, argument: Argument, path: str) -> Iterator[tuple[str, str]]:
    if argument.is_list:
        if not isinstance(given, list):
            yield path, f"must be a list, not {type(given).__name__}"
            return
        for number, each in enumerate(given):
            if each != UNKNOWN:
                yield from _check_one(each, argument, f"{path}[{number}]")
    elif argument.is_map:
        if not isinstance(given, Mapping):
            yield path, f"must be a map, not {type(given).__name__}"
    else:
        yield from _check_one(given, argument, path)


def _check_one(given: Any, argument: Argument, path: str) -> Iterator[tuple[str, str]]:
    if argument.parts:
        if isinstance(given, Mapping):
            yield from _check_object(given, argument.parts, f"{path}.")
        else:
            yield path, f"must be an object, not {type(given).__name__}"
    elif argument.plain and not isinstance(given, _PLAIN[argument.plain]):
        yield path, f"must be {argument.plain}, not {type(given).__name__}"


def _at(inputs: Any, path: str) -> list[Any]:
    """Return the values at a path, in every item of a list."""
    values = [inputs]
    for part in path.split(".") if path else ():
        values = [each.get(part) for value in values for each in _rows(value) if isinstance(each, Mapping)]
    return [each for value in values for each in _rows(value)]


def _rows(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_set(inputs: Mapping[str, Any], path: str) -> bool:
    return any(each is not None for each in _at(inputs, path))


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)
