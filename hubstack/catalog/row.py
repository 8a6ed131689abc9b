# SPDX-License-Identifier: Apache-2.0
"""Reads one row of a catalogue file into typed values, and says clearly what is wrong with it.

Owns the rules that all rows share: no unknown key, no null, and no zero where a figure is meant (an unknown
figure is left out). Does not own what a row means.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from hubstack.errors import HubstackError


class CatalogError(HubstackError):
    """A catalogue file is wrong: a fault of who edited it, not of who plans with it."""


class Row:
    """A mapping of a catalogue file that knows where it stands."""

    __slots__ = ("_data", "_read", "where")

    def __init__(self, where: str, data: object) -> None:
        if not isinstance(data, dict):
            raise CatalogError(f"{where}: a mapping is wanted here, not {data!r}")
        self.where = where
        self._data = cast("dict[Any, Any]", data)
        self._read: set[str] = set()

    def text(self, key: str) -> str:
        """Return the text under the key."""
        value = self._get(key)
        if not isinstance(value, str):
            raise CatalogError(f"{self.where}: `{key}` must be text, not {value!r}")
        return value

    def maybe_text(self, key: str) -> str | None:
        """Return the text under the key, None where it is left out."""
        return self.text(key) if key in self._data else None

    def number(self, key: str, *, may_be_zero: bool = False) -> float:
        """Return the number under the key; zero only where zero is a fact."""
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise CatalogError(f"{self.where}: `{key}` must be a number, not {value!r}")
        if value < 0 or (value == 0 and not may_be_zero):
            raise CatalogError(f"{self.where}: `{key}` is {value}; leave out what is not known")
        return value

    def maybe_number(self, key: str) -> float | None:
        """Return the number under the key, None where it is left out."""
        return self.number(key) if key in self._data else None

    def integer(self, key: str, *, may_be_zero: bool = False) -> int:
        """Return the whole number under the key."""
        value = self.number(key, may_be_zero=may_be_zero)
        if not isinstance(value, int):
            raise CatalogError(f"{self.where}: `{key}` must be a whole number, not {value!r}")
        return value

    def maybe_integer(self, key: str) -> int | None:
        """Return the whole number under the key, None where it is left out."""
        return self.integer(key) if key in self._data else None

    def flag(self, key: str) -> bool:
        """Return the flag under the key; a flag that is left out is down."""
        return self.maybe_flag(key) or False

    def maybe_flag(self, key: str) -> bool | None:
        """Return the flag under the key, None where it is left out."""
        if key not in self._data:
            return None
        value = self._get(key)
        if not isinstance(value, bool):
            raise CatalogError(f"{self.where}: `{key}` must be true or false, not {value!r}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the list of texts under the key, empty where it is left out."""
        items = self._items(key)
        if not all(isinstance(item, str) for item in items):
            raise CatalogError(f"{self.where}: `{key}` must be a list of texts")
        return tuple(cast("list[str]", items))

    def numbers(self, key: str) -> Mapping[str, float]:
        """Return the mapping of numbers under the key, empty where it is left out."""
        row = self.maybe_row(key)
        return {} if row is None else {name: row.number(name) for name in row.names()}

    def figures(self, key: str) -> tuple[float, ...]:
        """Return the list of numbers under the key, empty where it is left out."""
        items = self._items(key)
        if not all(isinstance(item, int | float) and not isinstance(item, bool) and item > 0 for item in items):
            raise CatalogError(f"{self.where}: `{key}` must be a list of numbers above 0")
        return tuple(cast("list[float]", items))

    def _items(self, key: str) -> list[object]:
        if key not in self._data:
            return []
        values: object = self._get(key)
        if not isinstance(values, list):
            raise CatalogError(f"{self.where}: `{key}` must be a list, not {values!r}")
        return cast("list[object]", values)

    def row(self, key: str) -> "Row":
        """Return the mapping under the key."""
        return Row(f"{self.where}: {key}", self._get(key))

    def maybe_row(self, key: str) -> "Row | None":
        """Return the mapping under the key, None where it is left out."""
        return self.row(key) if key in self._data else None

    def rows(self, key: str) -> Iterator["Row"]:
        """Yield the rows of the list under the key, none where it is left out."""
        if key not in self._data:
            return
        values: object = self._get(key)
        if not isinstance(values, list):
            raise CatalogError(f"{self.where}: `{key}` must be a list, not {values!r}")
        for number, value in enumerate(cast("list[object]", values), start=1):
            yield Row(f"{self.where}: {key} {number}", value)

    def names(self) -> tuple[str, ...]:
        """Return the keys of a mapping whose keys are data (regions, machine types ...)."""
        return tuple(str(key) for key in self._data)

    def items(self) -> Iterator[tuple[str, "Row"]]:
        """Yield key and row of a mapping whose keys are data."""
        for key in self.names():
            yield key, self.row(key)

    def done(self) -> None:
        """Refuse keys that nobody read: a misspelt key would otherwise count as unknown."""
        for key in self._data:
            if key not in self._read:
                raise CatalogError(f"{self.where}: unknown key `{key}`")

    def _get(self, key: str) -> Any:
        self._read.add(key)
        if key not in self._data:
            raise CatalogError(f"{self.where}: `{key}` is missing")
        value = self._data[key]
        if value is None:
            raise CatalogError(f"{self.where}: `{key}` is empty; leave out what is not known")
        return value
