# SPDX-License-Identifier: Apache-2.0
"""The flags of a pinned engine, as `tools/engine_facts` read them from its wheel.

Owns the question whether a parser would take them. Read only where it is asked: no plan needs the whole list.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "releases"
_NUMBERS = {"int": int, "float": float}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFlags:
    """Every flag of one release."""

    version: str
    flags: Mapping[str, str | tuple[str, ...]]
    """`switch`, `int`, `float`, `str`, `words` (one or more), `json`, or what it takes."""

    def faults(self, args: Sequence[str]) -> list[str]:
        """Return what the engine's parser would refuse of arguments that begin with a flag."""
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
            return [f"{flag} takes no value, not {values[0]}"] if values else []
        if not values:
            return [f"{flag} has no value"]
        return [fault for value in values if (fault := _misfit(flag, kind, value))]


def _misfit(flag: str, kind: str | tuple[str, ...], value: str) -> str | None:
    if value.startswith("$("):  # a variable of the pod
        return None
    if isinstance(kind, tuple):
        return None if value in kind else f"{flag} does not take {value}"
    try:
        if kind in _NUMBERS:
            _NUMBERS[kind](value)
        elif kind == "json":
            json.loads(value)
    except ValueError:
        return f"{flag} wants {kind}, not {value}"
    return None


@cache
def engine_flags(release: str) -> EngineFlags:
    """Return the flags of a release: `vllm` or `sglang`."""
    read: dict[str, Any] = yaml.load((FOLDER / f"{release}_flags.yaml").read_bytes(), Loader=yaml.CSafeLoader)
    flags: dict[str, str | list[str]] = read["flags"]
    taken = {name: kind if isinstance(kind, str) else tuple(map(str, kind)) for name, kind in flags.items()}
    return EngineFlags(version=str(read["version"]), flags=taken)
