# SPDX-License-Identifier: Apache-2.0
"""Checks of a stack's regions and zones against the catalogue.

Does not own the format of the settings (`hubstack.inputs.settings`).
"""

from hubstack.catalog import Catalog
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest
from hubstack.inputs.settings import StackSettings

_EVERY = "any"


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
            near = nearest(word, known)
            hint = f"did you mean `{near}`?" if near else f"regions with accelerators: {', '.join(known)}"
            message = f"`{setting}` {verb} `{word}`, where the catalogue has no accelerators"
            problems.append(target.problem(setting, message, hint))
    if problems:
        raise InputError(problems)
