# SPDX-License-Identifier: Apache-2.0
"""Former keys of models: which model had a key before, and what forbids a `was:`.

A former key is taken for as long as a list names it: the model's resources still have its name. Does not own what
is named by which key (`hubstack.names`).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from hubstack.files.documents import Mark
from hubstack.files.problems import Problem
from hubstack.names import Keyed


class _Asked(Keyed, Protocol):
    def mark(self, field: str) -> Mark: ...


def present_keys(models: Iterable[Keyed]) -> dict[str, str]:
    """Return former key to present key."""
    return {former: model.key for model in models for former in model.was if former != model.key}


def former_problems(models: Sequence[_Asked]) -> Iterator[Problem]:
    """Yield what is wrong with the former keys of a whole list, its canaries among them."""
    present = {model.key: model for model in models}
    owners: dict[str, _Asked] = {}
    for model in models:
        mark = model.mark("canary" if model.canary_of else "was")
        for former in dict.fromkeys(model.was):
            other = present.get(former) or owners.setdefault(former, model)
            if former == model.key == model.was[-1] and not model.canary_of:
                hint = "`was` names former keys, the newest last"
                yield mark.problem(f"`{former}` is the key that the model has", hint)
            elif other is not model and not (model.canary_of and other.canary_of):
                where = f"{other.mark('id').path}:{other.mark('id').line}"
                what = (
                    "is the key of another model" if former in present else "is a former key of another model too"
                )
                hint = "resources of one model still have that name: the other one needs another key"
                yield mark.problem(f"`{former}` {what} ({where})", hint)
        if len(set(model.was)) < len(model.was) and not model.canary_of:
            yield mark.problem(f"`was` of `{model.key}` names a key twice", "each former key once, oldest first")
