# SPDX-License-Identifier: Apache-2.0
"""The gates of `--fail-on`, such as `replace,cost>+10%,license`.

Owns the grammar: words, and limits `cost>…` (busy) and `idle>…` in USD a month: `+10%` and `+500` of a rise,
`12000` of the whole.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest
from hubstack.review.diff.change import Change
from hubstack.review.diff.facts import Topic
from hubstack.review.diff.models import ENGINE_TOPICS, ModelAction
from hubstack.review.diff.money import Amount
from hubstack.review.diff.resources import Action

_LIMIT = re.compile(r"(cost|idle)>(?:(\+)(\d+(?:\.\d+)?)(%?)|(\d+(?:\.\d+)?))")
_HINT = "limits are written `cost>+10%`, `cost>+500`, `cost>12000`, and likewise for `idle`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tripped:
    """A gate that the change trips."""

    gate: str
    """The gate as given on the command line."""
    why: str


def _actions(*actions: Action) -> Callable[[Change], list[str]]:
    return lambda change: [each.name for each in change.of(*actions)]


def _hub(*topics: Topic) -> Callable[[Change], list[str]]:
    return lambda change: [
        f"{each.key}: {each.text}" for each in change.hub if each.topic in topics and each.is_risk
    ]


def _models(action: ModelAction) -> Callable[[Change], list[str]]:
    return lambda change: [each.key for each in change.models if each.action is action]


_WORDS: Mapping[str, Callable[[Change], list[str]]] = {
    "change": lambda change: [each.name for each in change.resources],
    "replace": _actions(Action.REPLACE),
    "delete": _actions(Action.DELETE),
    "data": lambda change: [each.name for each in change.at_risk],
    "refused": lambda change: [f"{each.name}: {each.refused}" for each in change.resources if each.refused],
    "unknown": lambda change: [each.name for each in change.resources if each.is_unknown],
    "remove": _models(ModelAction.REMOVED),
    "rename": _models(ModelAction.RENAMED),
    "engine": lambda change: [
        f"{each.key}: {one.topic} {one.before} -> {one.after}"
        for each in change.models
        for one in each.settings
        if one.topic in ENGINE_TOPICS
    ],
    "license": _hub(Topic.LICENSE),
    "gated": _hub(Topic.GATED),
    "code": _hub(Topic.CODE),
    "security": _hub(Topic.SECURITY, Topic.REPOSITORY, Topic.CONTENT),
    "template": _hub(Topic.TEMPLATE),
    "protection": lambda change: [f"{each.subject}: {each.text}" for each in change.weaker],
    "program": lambda change: list(change.program),
    "reach": lambda change: list(change.reach_new),
    "quota": lambda change: [
        f"{row.accelerator} {row.way} in {row.region}: {row.after} of {row.quota}"
        for row in change.accelerators
        if row.is_over
    ],
    "unpriced": lambda change: list(change.money.unpriced),
    "warning": lambda change: list(change.warnings_new),
}


def read_gates(text: str) -> tuple[str, ...]:
    """Return the gates of a `--fail-on`.

    Raises:
        InputError: lists every unknown gate.
    """
    gates = tuple(word.strip() for word in text.split(",") if word.strip())
    problems: list[Problem] = []
    for gate in gates:
        if gate in _WORDS or _LIMIT.fullmatch(gate):
            continue
        near = None if ">" in gate else nearest(gate, _WORDS)
        hint = f"did you mean `{near}`?" if near else f"gates: {', '.join(_WORDS)}; {_HINT}"
        problems.append(Problem(path="--fail-on", message=f"unknown gate `{gate}`", hint=hint))
    if problems:
        raise InputError(problems)
    return gates


def tripped(change: Change, gates: tuple[str, ...]) -> tuple[Tripped, ...]:
    """Return the tripped gates, in the given order."""
    found: list[Tripped] = []
    for gate in gates:
        limit = _LIMIT.fullmatch(gate)
        why = _over(change, limit) if limit else _named(_WORDS[gate](change))
        if why:
            found.append(Tripped(gate=gate, why=why))
    return tuple(found)


def _named(names: list[str]) -> str:
    more = len(names) - 5
    return "; ".join(names[:5]) + (f" and {more} more" if more > 0 else "")


def _over(change: Change, limit: re.Match[str]) -> str:
    """Return by how much a limit is exceeded, or an empty string."""
    which, plus, rises, percent, whole = limit.groups()

    def cents(amount: Amount) -> int:
        return amount.busy if which == "cost" else amount.idle

    before, after = cents(change.money.before), cents(change.money.after)
    rise, bound = after - before, Decimal(rises or whole)
    if percent:
        # From nothing, any rise is more than any share of it.
        is_over = Decimal(rise) * 100 > bound * before and rise > 0
        said = f"{Decimal(rise) * 100 / before:+.1f}%" if before else "from nothing"
    else:
        is_over = Decimal(rise if plus else after) > bound * 100
        said = f"{'-' if rise < 0 else '+'}${abs(rise) / 100:,.2f}" if plus else f"${after / 100:,.2f}"
    return f"{said} a month (${before / 100:,.2f} -> ${after / 100:,.2f})" if is_over else ""
