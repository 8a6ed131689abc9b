# SPDX-License-Identifier: Apache-2.0
"""Formats values, differences and amounts, the same in each rendering.

A value that cannot be reviewed in a table (JSON, a query, a long text) is described rather than printed; the HTML
page shows both versions in full.
"""

import json
import re
from collections import Counter
from typing import Any, cast

from hubstack.review.diff.models import flag_pairs
from hubstack.review.diff.money import Amount
from hubstack.review.diff.paths import ABSENT

LONGEST = 60
"""Maximum characters of a value in a table; the HTML page shows full texts."""
_MOST_PARTS = 6
"""Maximum list items shown as removed and added."""
_COMMIT = re.compile(r"\b[0-9a-f]{40}\b")
_QUERY = re.compile(r"\w\{[^}]*=~?\"|\b(?:sum|rate|histogram_quantile|increase)\s*(?:by\s*\([^)]*\)\s*)?\(")


def value(given: Any) -> str:
    """Return a value as one short line."""
    if given is ABSENT:
        return "(nothing)"
    if isinstance(given, str):
        return _text(given)
    if isinstance(given, dict):
        return _block(cast("dict[str, Any]", given))
    if isinstance(given, list):
        items = cast("list[Any]", given)
        return (
            cut(", ".join(map(value, items)))
            if all(map(_is_scalar, items))
            else count(len(items), "entry", "entries")
        )
    return json.dumps(given)


def difference(before: Any, after: Any) -> str:
    """Describe how two values differ: list items removed and added, changed lines of a text, or both values."""
    lists = _parts(before), _parts(after)
    if lists[0] is not None and lists[1] is not None:
        return _list_difference(lists[0], lists[1])
    lines = _lines(before), _lines(after)
    if lines[0] is not None and lines[1] is not None:
        differing = max(len(_less(lines[0], lines[1])), len(_less(lines[1], lines[0])))
        return f"{differing:,} of {count(len(lines[1]), 'line')} changed"
    if before is ABSENT:
        return f"added: {value(after)}"
    return f"removed: {value(before)}" if after is ABSENT else f"{value(before)} -> {value(after)}"


def _list_difference(before: list[str], after: list[str]) -> str:
    gone, came = _less(before, after), _less(after, before)
    if not gone and not came:
        return "reordered"
    if len(gone) + len(came) > _MOST_PARTS:
        return f"{len(gone):,} removed, {len(came):,} added"
    said = [f"-{_one_line(each)}" for each in gone], [f"+{_one_line(each)}" for each in came]
    if [each[1:] for each in said[0]] == [each[1:] for each in said[1]]:
        return f"{count(len(came), 'entry', 'entries')} changed"
    return " ".join((*said[0], *said[1]))


def _one_line(text: str) -> str:
    return cut(" ".join(text.split()))


def cut(text: str, longest: int = LONGEST) -> str:
    """Shorten commits in a text, and truncate a long text."""
    return cut_at_word(_COMMIT.sub(lambda found: found[0][:12], text), longest)


def cut_at_word(text: str, longest: int) -> str:
    """Truncate a long text after a whole word; a single long word is cut inside."""
    if len(text) <= longest:
        return text
    start = text[:longest]
    words = start.rpartition(" ")[0].rstrip(" ,;:")
    return f"{words if 2 * len(words) > longest else start[:-1]}…"


def usd(cents: int) -> str:
    """Return cents as whole dollars."""
    return f"{'-' if cents <= -50 else ''}${abs(cents) / 100:,.0f}"


def signed(cents: int) -> str:
    """Return a difference as whole dollars with its sign."""
    if not cents:
        return "$0"
    if abs(cents) < 50:
        return "+under $1" if cents > 0 else "-under $1"
    return f"{'+' if cents > 0 else '-'}${abs(cents) / 100:,.0f}"


def share(before: int, after: int) -> str:
    """Return a relative difference such as `+273 %`; empty if the previous value is 0, or if one is a saving."""
    if not before or min(before, after) < 0:
        return ""
    percent = (after - before) * 100 / before
    return f"{percent:+.0f} %" if abs(percent) >= 1 else f"{percent:+.1f} %"


def rise(before: int, after: int) -> str:
    """Return a signed difference with its percentage."""
    if before == after:
        return "no change"
    return ", ".join(filter(None, (signed(after - before), share(before, after))))


def money(before: Amount, after: Amount) -> str:
    """Describe the cost before and after."""
    said = f"up to {usd(before.busy)} -> {usd(after.busy)} a month ({rise(before.busy, after.busy)})"
    if before.idle == after.idle:
        return f"{said}; idle {usd(after.idle)}, unchanged"
    return f"{said}; idle {usd(before.idle)} -> {usd(after.idle)} ({rise(before.idle, after.idle)})"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def named(names: list[str], most: int = 3) -> str:
    """Return the first names and the number of remaining ones."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def _text(given: str) -> str:
    if (lines := _lines(given)) is not None:
        return f"({count(len(lines), 'line')})"
    return "(a query)" if _QUERY.search(given) else cut(given)


def _block(given: dict[str, Any]) -> str:
    if given and all(map(_is_scalar, given.values())):
        said = ", ".join(f"{key}: {value(each)}" for key, each in sorted(given.items()))
        if len(said) <= LONGEST:
            return said
    return count(len(given), "setting")


def _is_scalar(given: Any) -> bool:
    return not isinstance(given, dict | list)


def _parts(given: Any) -> list[str] | None:
    """Return the items of a list, or of a text that contains one; a flag is joined with its value."""
    if isinstance(given, list) and all(map(_is_scalar, cast("list[Any]", given))):
        return flag_pairs(
            [each if isinstance(each, str) else json.dumps(each) for each in cast("list[Any]", given)]
        )
    if isinstance(given, str) and given.count(",") > 1 and _lines(given) is None and " " not in given:
        return given.split(",")
    return None


def _lines(given: Any) -> list[str] | None:
    """Return the lines of a multi-line or JSON text; None for anything else."""
    if not isinstance(given, str):
        return None
    if given[:1] in {"{", "["}:
        try:
            return json.dumps(json.loads(given), indent=1, sort_keys=True).splitlines()
        except (ValueError, RecursionError):
            pass
    return given.splitlines() if "\n" in given.rstrip("\n") else None


def _less(some: list[str], others: list[str]) -> list[str]:
    return list((Counter(some) - Counter(others)).elements())
