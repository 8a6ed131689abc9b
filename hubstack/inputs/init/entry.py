# SPDX-License-Identifier: Apache-2.0
"""The results of `hubstack init`."""

import re
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The value of one key in the list."""

    value: Any
    """As in YAML."""
    source: str
    """Where it was found: `--max-model-len, line 12`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model in the new list."""

    id: str
    origin: str
    """The object that it was created from: `Deployment models/chat, k8s/chat.yaml:3`."""
    role: str = ""
    """The part of the object, if it has several; `prefill` or `decode` if the whole object is one of a pair."""
    settings: dict[str, Setting] = field(default_factory=dict[str, Setting])
    """Setting by key, as in the schema of models.yaml."""
    notes: tuple[str, ...] = ()
    """Points to review; contain no secrets."""
    spare_name: str = ""
    """A key to use if another model already has the default one."""


def with_note(entry: Entry, *notes: str) -> Entry:
    """Return an entry with more notes."""
    return replace(entry, notes=(*entry.notes, *notes)) if notes else entry


def clean(text: str) -> str:
    """Return a model reference with possible secrets removed."""
    return re.sub(r"(?<=//)[^/@\s]*@", "", text).partition("?")[0][:200]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A served or listed model that cannot become an entry."""

    origin: str
    why: str
    hint: str
    guess: str | None = None
    """A possible Hub ID, written as a comment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All results, in source order."""

    source: str
    """The source, for the header of the list."""
    entries: tuple[Entry, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    skipped: tuple[str, ...] = ()
    """One sentence for each group of items that are not models."""
