# SPDX-License-Identifier: Apache-2.0
"""Weights split over several files: `model-00001-of-00004.safetensors`, and their index.

Owns how parts are recognized, and which are missing. Does not own which of several copies is served
(`hubstack.planner.model.weights`).
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

PART = re.compile(r"(.*)-(\d{5,6})-of-(\d{5,6})(\.[a-z]+)")
INDEX = "model.safetensors.index.json"
WHOLE = "model.safetensors"
_MOST_PARTS = 10_000
"""Maximum number of parts to accept: file names are untrusted input."""


def missing_parts(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the missing parts of weights whose file names contain the number of parts, sorted."""
    there = set(paths)
    named = {
        f"{stem}-{number:0{width}}-of-{count}{suffix}"
        for stem, count, suffix, width in _splits(there)
        if int(count) <= _MOST_PARTS
        for number in range(1, int(count) + 1)
    }
    return tuple(sorted(named - there))


def loaded_weights(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the weights next to config.json that an engine would load: safetensors, otherwise pickles."""
    beside = [path for path in paths if "/" not in path and not path.startswith("consolidated")]
    safetensors = tuple(path for path in beside if path.endswith(".safetensors"))
    return safetensors or tuple(path for path in beside if path.endswith(".bin"))


def needs_index(paths: Collection[str]) -> bool:
    """Return whether the index is needed to tell which weights are loaded, because their names do not show it.

    They do not if a file has no part number, or if several sets of parts exist, as after an upload of a new split.
    """
    if INDEX not in paths:
        return False
    weights = loaded_weights(paths)
    return len(_splits(weights)) > 1 or (WHOLE not in weights and not all(PART.fullmatch(path) for path in weights))


def indexed_parts(index: Mapping[str, Any]) -> frozenset[str]:
    """Return the files in an index; empty if it names none."""
    said: Any = index.get("weight_map")
    named = cast("Mapping[str, Any]", said).values() if isinstance(said, Mapping) else ()
    return frozenset(name for name in named if isinstance(name, str))


def superseded_parts(index: Mapping[str, Any], paths: Collection[str]) -> frozenset[str]:
    """Return the weights that no engine loads, because the index names others: an earlier split."""
    named = indexed_parts(index)
    return (
        frozenset(path for path in loaded_weights(paths) if PART.fullmatch(path)) - named if named else frozenset()
    )


def _splits(paths: Iterable[str]) -> set[tuple[str, str, str, int]]:
    """Return stem, number of parts, suffix, and width of the part's number, of each set of parts."""
    found = [match for path in paths if (match := PART.fullmatch(path))]
    return {(part[1], part[3], part[4], len(part[2])) for part in found}


def describe(missing: tuple[str, ...]) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return f"{', '.join(missing[:3])}{more}"
