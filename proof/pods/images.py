# SPDX-License-Identifier: Apache-2.0
"""Reads images.yaml: which local program stands for which image.

Owns the table's shape. Does not start anything.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from proof.binaries import SandboxError

_PORT = re.compile(r"\{port:(\d+)\}")
TABLE = Path(__file__).with_name("images.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One row."""

    image: str
    """Without tag and digest."""
    programs: Mapping[str, str] = field(default_factory=dict[str, str])
    real: Mapping[str, str] = field(default_factory=dict[str, str])
    """In place of `programs`, where the engines are installed."""
    entrypoint: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    is_idle: bool = False

    @property
    def ports(self) -> tuple[int, ...]:
        """Ports of the container that its program takes by a flag or a variable."""
        return tuple(sorted({int(each) for each in _PORT.findall(self._text)}))

    @property
    def wants_kubeconfig(self) -> bool:
        """Whether its program is told where the API server is."""
        return "{kubeconfig}" in self._text

    @property
    def _text(self) -> str:
        return " ".join([self.entrypoint or "", *self.programs.values(), *self.environment.values()])


def image_of(reference: str, *, with_engines: bool = False) -> Image:
    """Return the row of an image.

    Args:
        reference: with or without a tag.
        with_engines: whether the engines for a processor are installed.

    Raises:
        SandboxError: there is none.
    """
    name = repository(reference)
    try:
        row = _table()[name]
    except KeyError:
        raise SandboxError(f"nothing stands for the image {name}: add a row to {TABLE.name}") from None
    return replace(row, programs={**row.programs, **row.real}) if with_engines else row


def repository(reference: str) -> str:
    """Return an image reference without tag and digest."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


@cache
def _table() -> dict[str, Image]:
    rows: list[dict[str, Any]] = yaml.safe_load(TABLE.read_text())["images"]
    return {row["image"]: Image(**row) for row in rows}
