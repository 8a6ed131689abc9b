# SPDX-License-Identifier: Apache-2.0
"""Values and sums in words, the same in each rendering."""

import json
from typing import Any

from hubstack.review.diff.money import Amount
from hubstack.review.diff.paths import ABSENT

LONGEST = 160
"""Characters of a value in a table; the page shows whole texts side by side."""


def value(given: Any) -> str:
    """Return a value as one short line."""
    if given is ABSENT:
        return "(nothing)"
    if isinstance(given, str) and "\n" in given:
        return f"(a text of {len(given.splitlines())} lines)"
    return cut(given if isinstance(given, str) else json.dumps(given, sort_keys=True, ensure_ascii=False))


def cut(text: str, longest: int = LONGEST) -> str:
    """Return a text, or its beginning and its length where it is long."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"


def usd(cents: int) -> str:
    """Return cents as dollars."""
    return f"{cents / 100:,.2f}"


def rise(before: int, after: int) -> str:
    """Return a difference with its sign, and its share of what was."""
    if before == after:
        return "no change"
    share = f", {(after - before) * 100 / before:+.1f}%" if before else ""
    return f"{(after - before) / 100:+,.2f}{share}"


def money(before: Amount, after: Amount) -> str:
    """Say two bills in a sentence."""
    return (
        f"at most {usd(before.busy)} -> {usd(after.busy)} USD a month ({rise(before.busy, after.busy)}); "
        f"at rest {usd(before.idle)} -> {usd(after.idle)} ({rise(before.idle, after.idle)})"
    )


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
