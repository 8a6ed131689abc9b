# SPDX-License-Identifier: Apache-2.0
"""Which flags and variables of an engine a list may not set, and why: engine_arguments.yaml.

Owns the format of the file and the look-up. Loaded only on request, because few lists set any.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hubstack.kinds import EngineKind

FILE = Path(__file__).parent / "engine_arguments.yaml"


class Owner(StrEnum):
    """Why a list may not set a flag."""

    KEY = "key"
    """A key of the list sets it."""
    HUBSTACK = "hubstack"
    """hubstack sets it, or it would break what hubstack sets."""
    UNSAFE = "unsafe"
    """It weakens security."""


@dataclass(frozen=True, slots=True)
class Ruled:
    """A flag that a list may not set."""

    owner: Owner
    why: str
    """The key of the list, or the reason as a clause."""


@dataclass(frozen=True, slots=True)
class ArgumentRules:
    """The rules of one engine; flags and variables may have stars."""

    flags: Mapping[str, Ruled]
    memory: tuple[str, ...]
    env_own: tuple[str, ...]
    env_unsafe: tuple[str, ...]

    def ruled(self, flag: str) -> Ruled | None:
        """Return why a list may not set a flag, or None if it may."""
        return next((rule for pattern, rule in self.flags.items() if fnmatchcase(flag, pattern)), None)

    def changes_memory(self, flag: str) -> bool:
        """Return whether a flag changes memory in a way that sizing does not know."""
        return any(fnmatchcase(flag, pattern) for pattern in self.memory)


def argument_rules(engine: EngineKind) -> ArgumentRules:
    """Return the rules of an engine; none if the file has none."""
    return _read().get(engine, ArgumentRules({}, (), (), ()))


@cache
def _read() -> Mapping[EngineKind, ArgumentRules]:
    file: Any = yaml.load(FILE.read_bytes(), Loader=yaml.CSafeLoader)
    return {EngineKind(engine): _rules(row) for row in file["engine_arguments"] for engine in row["engines"]}


def _rules(row: Mapping[str, Any]) -> ArgumentRules:
    owners = (("keys", Owner.KEY), ("own", Owner.HUBSTACK), ("unsafe", Owner.UNSAFE))
    flags = {
        flag: Ruled(owner, why) for group, owner in owners for why, named in row[group].items() for flag in named
    }
    env = row["env"]
    return ArgumentRules(flags, tuple(row["memory"]), tuple(env["own"]), tuple(env["unsafe"]))
