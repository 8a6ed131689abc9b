# SPDX-License-Identifier: Apache-2.0
"""Which accelerators an unknown word may mean.

Owns the comparison of names. Does not own the names that are accepted (`Accelerator.words`).
"""

import re
from collections.abc import Collection

from hubstack.catalog.hardware import Accelerator
from hubstack.files.problems import nearest
from hubstack.kinds import AcceleratorKind

_SHORTEST_NAME = 4
"""Minimum length of a word that may be misspelt: of a shorter one, each letter makes another product."""


def accelerators_like(word: str, rows: Collection[Accelerator]) -> set[str]:
    """Return the IDs of the accelerators that a word in lower case may mean.

    Another number is another product: an L40S is no L4, an A10 no A100. Numbers of cards (`8xh100`) do not count.
    """
    of_row = {row.id: _parts_of(row) for row in rows}
    parts = _parts(re.sub(r"^\d+x|x\d+$", "", word))
    by_all = {
        key
        for key, own in of_row.items()
        for said in (parts, ["".join(parts)])
        if parts and all(_is_among(part, own) for part in said)
    }
    models = [part for part in parts if re.fullmatch(r"[a-z]+\d+[a-z]*", part)]
    by_model = {key for key, own in of_row.items() if any(_is_among(part, own) for part in models)}
    return by_all or by_model or _misspelt(word, {name: row.id for row in rows for name in row.words})


def _misspelt(word: str, known: dict[str, str]) -> set[str]:
    numbers = re.findall(r"\d+", word)
    alike = [each for each in known if re.findall(r"\d+", each) == numbers]
    is_long = len(word) >= _SHORTEST_NAME and not re.fullmatch(r"[a-z]\d+[a-z]?", word)
    near = nearest(word, alike) if is_long else None
    return {known[near]} if near else set()


def _parts_of(row: Accelerator) -> set[str]:
    # Google's names of TPUs are of one each; NVIDIA's (Blackwell) are of several cards.
    names = (*row.words, row.name) if row.kind is AcceleratorKind.TPU else row.words
    return {row.kind.value, *(part for name in names for part in _parts(name))}


def _parts(word: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", word.lower())


def _is_among(part: str, own: set[str]) -> bool:
    return any(_goes_on(part, each) or _goes_on(each, part) for each in own)


def _goes_on(start: str, word: str) -> bool:
    """Return whether a word has this start, with no number cut in two."""
    if word == start:
        return True
    return word.startswith(start) and bool(re.search(r"\d", start)) and not word[len(start)].isdigit()
