# SPDX-License-Identifier: Apache-2.0
"""The rule catalogue, loaded from rules.yaml.

Owns the texts of each rule. Does not own the checks themselves.
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
    """One rule with its user-visible texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str
    judges: tuple[str, ...]
    """`plan`, `graph` or both."""
    about: Literal["model", "resource", "stack", "waiver"]
    """What a finding, and therefore a waiver, refers to."""
    level: Level
    """Default level; policy.yaml can override it."""
    what: str
    why: str
    fix: str
    setting: str | None = None
    """The policy.yaml key that configures the rule."""


@cache
def catalogue() -> Mapping[str, Rule]:
    """Return every rule by ID."""
    rules = [Rule.model_validate(row) for row in _held()["rules"]]
    return {rule.id: rule for rule in rules}


def defaults() -> dict[str, Any]:
    """Return the default limits."""
    return dict(_held()["defaults"])


def pack_text() -> str:
    """Return the policy pack's copy of the catalogue: the rules on registered resources."""
    held = _held()
    rules = [row for row in held["rules"] if "graph" in row["judges"]]
    head = "# Written by `./dev gen` from hubstack/review/check/rules.yaml; do not edit.\n"
    return head + yaml.safe_dump({"defaults": held["defaults"], "rules": rules}, sort_keys=False, width=116)


@cache
def _held() -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load(PATH.read_text("utf-8")))
