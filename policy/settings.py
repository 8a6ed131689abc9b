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
    own = (said.get("environments") or {}).get(stack) or {}
    held = catalogue()
    levels = {rule["id"]: rule["level"] for rule in held["rules"]}
    limits = {key: value for part in (said, own) for key, value in part.items() if key not in _HEAD}
    return {
        **held["defaults"],
        **limits,
        "levels": {**levels, **(said.get("levels") or {}), **(own.get("levels") or {})},
        "waivers": [*(said.get("waivers") or []), *(own.get("waivers") or [])],
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
