# SPDX-License-Identifier: Apache-2.0
"""What the catalogue has to say of a stack's settings.

Does not own what the settings may be (`hubstack.inputs.settings`).
"""

from hubstack.catalog import Catalog
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest
from hubstack.inputs.settings import StackSettings

_EVERY = "any"


def check_regions(catalog: Catalog, target: StackSettings) -> None:
    """Refuse regions in which the catalogue has no accelerator.

    Raises:
        InputError: each of them, at its setting.
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
