# SPDX-License-Identifier: Apache-2.0
"""What `hubstack init` found. Owns the types only."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The value of one key of the list."""

    value: Any
    """As YAML has it."""
    source: str
    """Where it was said: `--max-model-len, line 12`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model of the new list."""

    id: str
    origin: str
    """What it was made from: `Deployment models/chat, k8s/chat.yaml:3`."""
    settings: dict[str, Setting] = field(default_factory=dict[str, Setting])
    """Keys of the request schema."""
    notes: tuple[str, ...] = ()
    """What a person should look at; no secrets."""
    spare_name: str = ""
    """A key to take where another model has the usual one already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A model that is served, or listed, and cannot become an entry."""

    origin: str
    why: str
    hint: str
    guess: str | None = None
    """An id that it may be; written as a comment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All of it, in the order of the source."""

    source: str
    """What was read, for the list's first lines."""
    entries: tuple[Entry, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    skipped: tuple[str, ...] = ()
    """What is no model, a sentence each."""
