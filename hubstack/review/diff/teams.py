# SPDX-License-Identifier: Apache-2.0
"""Says how `hubstack:teams` changes who owns models, and how many accelerators they may use.

Owns which changes allow more than before. Reads settings that were not validated: those of a pull request.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from hubstack.files.problems import shown


def team_changes(base: Mapping[str, Any], head: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield each change, and whether more is allowed than before."""
    for name in sorted({*base, *head}):
        old, new = _mapping(base.get(name)), _mapping(head.get(name))
        if name not in head:
            yield f"`{name}`: no longer a team, its quota does not apply any more", bool(old.get("quota"))
        elif name not in base:
            yield f"`{name}`: a new team with{'' if new.get('quota') else 'out'} a quota", True
        else:
            for key in ("owner", "namespace", "labels"):
                if old.get(key) != new.get(key):
                    yield f"`{name}` `{key}`: {_text(old.get(key))} -> {_text(new.get(key))}", True
            yield from _quotas(name, _mapping(old.get("quota")), _mapping(new.get("quota")))
            if old.get("priority") != new.get("priority"):
                ranks = _number(old.get("priority")), _number(new.get("priority"))
                yield f"`{name}` `priority`: {ranks[0]:g} -> {ranks[1]:g}", ranks[1] > ranks[0]


def _quotas(team: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Compare quotas of accelerators: without one there is no limit; with one, unnamed kinds are forbidden."""
    if old and not new:
        yield f"`{team}` `quota`: removed, any number of accelerators is allowed", True
    elif new and not old:
        yield f"`{team}` `quota`: {_text(new)}", False
    else:
        for kind in sorted({*old, *new}):
            if old.get(kind, 0) != new.get(kind, 0):
                pair = _number(old.get(kind)), _number(new.get(kind))
                yield f"`{team}` `quota.{kind}`: {pair[0]:g} -> {pair[1]:g}", pair[1] > pair[0]


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    if value is None:
        return "not set"
    return shown(value if isinstance(value, str) else json.dumps(value, sort_keys=True))
