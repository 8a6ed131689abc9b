# SPDX-License-Identifier: Apache-2.0
"""Says how `hubstack:callers` changes who may use which model, and how much.

Owns which changes open more than before. Reads settings that were not validated: those of a pull request.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

_LISTS = (
    ("models", "may now use", "may no longer use"),
    ("readers", "its keys may now be read by", "its keys may no longer be read by"),
)
_LIMITS = ("requests_per_minute", "tokens_per_minute", "usd_per_month")
_NONE = "no limit"


def caller_changes(base: Mapping[str, Any], head: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield each change, and whether more is allowed than before."""
    if base and not head:
        yield "keys, models and limits of callers no longer apply", True
        return
    if head and not base:
        yield "each caller now needs its own key", False
    for name in sorted({*base, *head}):
        said = f"`{name}`"
        if name not in base:
            yield (
                f"{said}: a new caller may use {_listed(_items(head, name, 'models'))}, {_limits(head, name)}",
                True,
            )
        elif name not in head:
            yield f"{said}: no longer a caller", False
        else:
            yield from _lists(said, base, head, name)
            yield from _changed_limits(said, base, head, name)


def _lists(said: str, base: Mapping[str, Any], head: Mapping[str, Any], name: str) -> Iterator[tuple[str, bool]]:
    for key, gained, lost in _LISTS:
        old, new = _items(base, name, key), _items(head, name, key)
        if more := [each for each in new if each not in old]:
            yield f"{said} {gained} {_listed(more)}", True
        if fewer := [each for each in old if each not in new]:
            yield f"{said} {lost} {_listed(fewer)}", False


def _changed_limits(
    said: str, base: Mapping[str, Any], head: Mapping[str, Any], name: str
) -> Iterator[tuple[str, bool]]:
    for key in _LIMITS:
        old, new = _values(base, name).get(key), _values(head, name).get(key)
        if old == new:
            continue
        if isinstance(old, int | float) and isinstance(new, int | float):
            is_more = new > old
        else:
            is_more = new is None or old is not None
        texts = [_NONE if each is None else f"{each}" for each in (old, new)]
        yield f"{said} `{key}`: {' -> '.join(texts)}", is_more


def _limits(callers: Mapping[str, Any], name: str) -> str:
    values = _values(callers, name)
    said = [f"`{key}: {values[key]}`" for key in _LIMITS if values.get(key) is not None]
    return f"with {' and '.join(said)}" if said else "without limits"


def _values(callers: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = callers.get(name)
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def _items(callers: Mapping[str, Any], name: str, key: str) -> list[str]:
    found = _values(callers, name).get(key)
    return [str(each) for each in cast("list[object]", found)] if isinstance(found, list) else []


def _listed(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words) or "no model"
