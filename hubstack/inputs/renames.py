# SPDX-License-Identifier: Apache-2.0
"""Former keys of models: which model had a key before, and which `was:` entries are invalid.

A former key stays reserved while the list names it, because the model's resources still use it. Does not own which
names derive from which key (`hubstack.names`).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from hubstack.files.documents import Mark
from hubstack.files.problems import Problem
from hubstack.names import Keyed


class _Asked(Keyed, Protocol):
    def mark(self, field: str) -> Mark: ...


def current_keys(models: Iterable[Keyed]) -> dict[str, str]:
    """Return former key to current key."""
    return {former: model.key for model in models for former in model.was if former != model.key}


def rename_problems(models: Sequence[_Asked]) -> Iterator[Problem]:
    """Yield the problems with the former keys of a whole list, including those of canaries."""
    present = {model.key: model for model in models}
    owners: dict[str, _Asked] = {}
    for model in models:
        mark = model.mark("canary" if model.canary_of else "was")
        for former in dict.fromkeys(model.was):
            other = present.get(former) or owners.setdefault(former, model)
            if former == model.key == model.was[-1] and not model.canary_of:
                hint = "list only former keys under `was`, the newest last"
                yield mark.problem(f"`{former}` is the model's current key", hint)
            elif other is not model and not (model.canary_of and other.canary_of):
                where = f"{other.mark('id').path}:{other.mark('id').line}"
                what = (
                    "is the key of another model" if former in present else "is a former key of another model too"
                )
                hint = "resources of one model still use that name: choose a different key for the other"
                yield mark.problem(f"`{former}` {what} ({where})", hint)
        if len(set(model.was)) < len(model.was) and not model.canary_of:
            yield mark.problem(
                f"`was` of `{model.key}` contains a duplicate key", "list each former key once, oldest first"
            )
