# SPDX-License-Identifier: Apache-2.0
"""The limits that the pack holds a stack to: rules.yaml's defaults, stacks/policy.yaml, an environment's part.

Owns the reading for Pulumi, where nobody looks at line numbers: `hubstack check` says what is wrong with the file.
"""

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from resources import is_of

FOLDER = Path(__file__).resolve().parent
_HEAD = ("environments", "waivers", "levels")


def catalogue() -> dict[str, Any]:
    """Return rules.yaml: `defaults`, and `rules` with their texts and levels."""
    return yaml.safe_load((FOLDER / "rules.yaml").read_text("utf-8"))


def policy_file() -> Path:
    """Return the file of limits: `HUBSTACK_POLICY`, else stacks/policy.yaml beside the pack's folder."""
    return Path(os.environ.get("HUBSTACK_POLICY") or FOLDER.parent / "stacks" / "policy.yaml")


def read_settings(path: Path, stack: str) -> dict[str, Any]:
    """Return the settings of a stack; an environment's key is taken whole, its waivers are added."""
    said: dict[str, Any] = (yaml.safe_load(path.read_text("utf-8")) or {}) if path.exists() else {}
    environments = sorted((said.get("environments") or {}).items())
    parts = [said, *(part or {} for name, part in environments if is_of(stack, name))]
    held = catalogue()
    levels = {rule["id"]: rule["level"] for rule in held["rules"]}
    for part in parts:
        levels |= part.get("levels") or {}
    return {
        **held["defaults"],
        **{key: value for part in parts for key, value in part.items() if key not in _HEAD},
        "levels": levels,
        "waivers": [waiver for part in parts for waiver in part.get("waivers") or []],
    }


def is_waived(
    settings: Mapping[str, Any], rule: str, resource: str | None, model: str | None, today: dt.date
) -> bool:
    """Say whether a waiver that still holds names the rule and the resource, its model, or (None) the stack."""
    for waiver in settings["waivers"]:
        subjects = (waiver.get("resource"), waiver.get("model"))
        fits = subjects in {(resource, None), (None, model)} if any(subjects) else resource is None
        if waiver.get("rule") == rule and fits and waiver["until"] >= today:
            return True
    return False
