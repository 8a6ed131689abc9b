# SPDX-License-Identifier: Apache-2.0
"""Checks of a stack's regions and zones against the catalogue.

Does not own the format of the settings (`hubstack.inputs.settings`).
"""

from collections.abc import Collection
from string import digits

from hubstack.catalog import Catalog
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest
from hubstack.inputs.settings import StackSettings

_EVERY = "any"


def region_hint(word: str, known: Collection[str]) -> str:
    """Return what to use instead of a region without accelerators; another number is another region, no typo."""
    beside = [each for each in known if each.rstrip(digits) == word.rstrip(digits)]
    near = None if beside else nearest(word, known)
    return f"did you mean `{near}`?" if near else f"regions with accelerators: {', '.join(beside or known)}"


def check_regions(catalog: Catalog, target: StackSettings) -> None:
    """Reject regions without accelerators in the catalogue.

    Raises:
        InputError: a problem for each such region, at its setting.
    """
    known = catalog.all_regions()
    said = [("gcp:region", "is", target.region)]
    said += [("hubstack:regions", "names", word) for word in target.regions if word != _EVERY]
    problems: list[Problem] = []
    for setting, verb, word in said:
        if word not in known:
            hint = region_hint(word, known)
            message = f"`{setting}` {verb} `{word}`, where the catalogue has no accelerators"
            problems.append(target.problem(setting, message, hint))
    if problems:
        raise InputError(problems)
