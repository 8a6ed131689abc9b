# SPDX-License-Identifier: Apache-2.0
"""The limits of the pack: defaults from rules.yaml, overridden by stacks/policy.yaml and by its environment's part.

Owns reading for Pulumi, without line numbers; `hubstack check` reports errors in the file.
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
    """Return the path of the limits: `HUBSTACK_POLICY`, or stacks/policy.yaml next to the pack's folder."""
    return Path(os.environ.get("HUBSTACK_POLICY") or FOLDER.parent / "stacks" / "policy.yaml")


def read_settings(path: Path, stack: str) -> dict[str, Any]:
    """Return the settings of a stack; an environment's keys replace the general ones, and its waivers are added."""
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
    """Return whether an unexpired waiver covers the rule for the resource, its model, or (if None) the stack."""
    for waiver in settings["waivers"]:
        subjects = (waiver.get("resource"), waiver.get("model"))
        fits = subjects in {(resource, None), (None, model)} if any(subjects) else resource is None
        if waiver.get("rule") == rule and fits and waiver["until"] >= today:
            return True
    return False
