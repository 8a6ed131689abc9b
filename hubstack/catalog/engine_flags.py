# SPDX-License-Identifier: Apache-2.0
"""The flags and metrics of an engine at a version, read from its wheel or its own help by `tools/engine_facts`.

Owns the check of arguments against them. Loaded only on request, because no plan needs the whole list.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hubstack.catalog.engines import Engine

FOLDER = Path(__file__).parent / "releases"
_NUMBERS = {"int": int, "float": float}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFlags:
    """The flags of a release."""

    version: str
    flags: Mapping[str, str | tuple[str, ...]]
    """Flag to its kind: `switch`, `int`, `float`, `str`, `words` (one or more), `json`, or its choices."""
    metrics: frozenset[str]
    """Names of metrics in its code; empty if they were not read."""

    def faults(self, args: Sequence[str]) -> list[str]:
        """Return the errors that the engine's parser would report for arguments that start with a flag."""
        found: list[str] = []
        rest = list(args)
        while rest:
            flag, values = rest.pop(0), list[str]()
            while rest and not (rest[0].startswith("--") or (values and self.flags.get(flag) != "words")):
                values.append(rest.pop(0))
            found += self._faults_of(flag, values)
        return found

    def _faults_of(self, flag: str, values: list[str]) -> list[str]:
        positive = flag.replace("--no-", "--", 1)
        kind = self.flags.get(flag) or (self.flags.get(positive) if self.flags.get(positive) == "switch" else None)
        if kind is None:
            return [f"{flag} is unknown"]
        if kind == "switch":
            return [f"{flag} takes no value, but got {values[0]}"] if values else []
        if not values:
            return [f"{flag} needs a value"]
        return [fault for value in values if (fault := _misfit(flag, kind, value))]


def _misfit(flag: str, kind: str | tuple[str, ...], value: str) -> str | None:
    if value.startswith("$("):  # an environment variable of the pod
        return None
    if isinstance(kind, tuple):
        return None if value in kind else f"{flag} does not accept {value}"
    try:
        if kind in _NUMBERS:
            _NUMBERS[kind](value)
        elif kind == "json":
            json.loads(value)
    except ValueError:
        return f"{flag} needs a value of type {kind}, not {value}"
    return None


def engine_flags(engine: Engine) -> EngineFlags:
    """Return the flags of an engine at its version, or of the version whose flags were read; none if none were."""
    return _read(engine.flags_file)


@cache
def _read(name: str) -> EngineFlags:
    if not (FOLDER / f"{name}.yaml").exists():
        return EngineFlags(version="", flags={}, metrics=frozenset())
    read: dict[str, Any] = yaml.load((FOLDER / f"{name}.yaml").read_bytes(), Loader=yaml.CSafeLoader)
    flags: dict[str, str | list[str]] = read["flags"]
    taken = {name: kind if isinstance(kind, str) else tuple(map(str, kind)) for name, kind in flags.items()}
    return EngineFlags(version=str(read["version"]), flags=taken, metrics=frozenset(read.get("metrics", ())))
