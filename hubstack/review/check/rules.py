# SPDX-License-Identifier: Apache-2.0
"""The catalogue of rules: rules.yaml as data.

Owns the texts of each rule, which stand nowhere else. Does not own what a rule looks for.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict

PATH = Path(__file__).with_name("rules.yaml")
Level = Literal["error", "warn", "off"]


class Rule(BaseModel):
    """One rule, in the words that its reader sees."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str
    judges: tuple[str, ...]
    """`plan`, `graph` or both."""
    about: Literal["model", "resource", "stack", "waiver"]
    """What a finding, and so a waiver, is about."""
    level: Level
    """Where no policy.yaml says otherwise."""
    what: str
    why: str
    fix: str
    setting: str | None = None
    """Key of policy.yaml that it reads."""


@cache
def catalogue() -> Mapping[str, Rule]:
    """Return every rule by its id."""
    rules = [Rule.model_validate(row) for row in _held()["rules"]]
    return {rule.id: rule for rule in rules}


def defaults() -> dict[str, Any]:
    """Return the limits that hold where no policy.yaml says otherwise."""
    return dict(_held()["defaults"])


def pack_text() -> str:
    """Return the pack's copy of the catalogue: the rules that judge what is registered."""
    held = _held()
    rules = [row for row in held["rules"] if "graph" in row["judges"]]
    head = "# Written by `./dev gen` from hubstack/review/check/rules.yaml; do not edit.\n"
    return head + yaml.safe_dump({"defaults": held["defaults"], "rules": rules}, sort_keys=False, width=116)


@cache
def _held() -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load(PATH.read_text("utf-8")))
