# SPDX-License-Identifier: Apache-2.0
"""Reads one row of a catalogue file into typed values, and says clearly what is wrong with it.

Owns the rules that all rows share: no unknown key, no null, and no zero where a figure is meant (an unknown
figure is left out). Does not own what a row means.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from math import inf, isfinite
from typing import Any, TypeVar, cast

from hubstack.errors import InputError
from hubstack.problems import Problem, nearest, shown

Loc = tuple[str | int, ...]
E = TypeVar("E", bound=StrEnum)


class CatalogError(InputError):
    """A catalogue file is wrong: a fault of who edited it, not of who plans with it."""

    def __init__(self, message: str, *, file: str = "catalogue", loc: Loc = (), word: str | None = None) -> None:
        """Say what is wrong.

        Args:
            message: what, with the row where there is one.
            file: name of the file.
            loc: where in it.
            word: a value of some file, where it is not known of which.
        """
        super().__init__([Problem(path=file, message=message)])
        self.message, self.file, self.loc, self.word = message, file, loc, word

    def with_problems(self, problems: Sequence[Problem]) -> "CatalogError":
        """Return the same fault, said at its places."""
        placed = CatalogError(self.message, file=self.file, loc=self.loc, word=self.word)
        InputError.__init__(placed, problems)
        return placed


class Row:
    """A mapping of a catalogue file that knows where it stands."""

    __slots__ = ("_data", "_read", "file", "loc", "where")

    def __init__(self, file: str, data: object, where: str = "", loc: Loc = ()) -> None:
        self.file, self.where, self.loc = file, where, loc
        if not isinstance(data, dict):
            raise self.fault(f"a mapping is wanted here, not {shown(data)}")
        self._data = cast("dict[Any, Any]", data)
        self._read: set[str] = set()

    def fault(self, message: str, *keys: str | int) -> CatalogError:
        """Return what is wrong with the row, or with what stands under keys of it."""
        said = f"{self.where}: {message}" if self.where else message
        return CatalogError(said, file=self.file, loc=(*self.loc, *keys))

    def _below(self, key: str, value: object, *index: int) -> "Row":
        where = " ".join([key, *(str(number + 1) for number in index)])
        return Row(self.file, value, f"{self.where}: {where}" if self.where else where, (*self.loc, key, *index))

    def text(self, key: str) -> str:
        """Return the text under the key."""
        value = self._get(key)
        if not isinstance(value, str):
            raise self.fault(f"`{key}` must be text, not {shown(value)}", key)
        return value

    def word(self, key: str, words: type[E]) -> E:
        """Return the word under the key, which must be one of an enumeration's."""
        value, known = self.text(key), [each.value for each in words]
        if value not in known:
            raise self.fault(f"`{key}` must be one of {', '.join(known)}, not {shown(value)}", key)
        return words(value)

    def maybe_text(self, key: str) -> str | None:
        """Return the text under the key, None where it is left out."""
        return self.text(key) if key in self._data else None

    def number(self, key: str, *, may_be_zero: bool = False) -> float:
        """Return the number under the key; zero only where zero is a fact."""
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fault(f"`{key}` must be a number, not {shown(value)}", key)
        if not isfinite(value) or value < 0 or (value == 0 and not may_be_zero):
            raise self.fault(f"`{key}` is {shown(value)}, and must be above 0; leave out what is not known", key)
        return value

    def maybe_number(self, key: str) -> float | None:
        """Return the number under the key, None where it is left out."""
        return self.number(key) if key in self._data else None

    def integer(self, key: str, *, may_be_zero: bool = False) -> int:
        """Return the whole number under the key."""
        value = self.number(key, may_be_zero=may_be_zero)
        if not isinstance(value, int):
            raise self.fault(f"`{key}` must be a whole number, not {shown(value)}", key)
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
            raise self.fault(f"`{key}` must be true or false, not {shown(value)}", key)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the list of texts under the key, empty where it is left out."""
        items = self._items(key)
        if not all(isinstance(item, str) for item in items):
            raise self.fault(f"`{key}` must be a list of texts", key)
        return tuple(cast("list[str]", items))

    def numbers(self, key: str) -> Mapping[str, float]:
        """Return the mapping of numbers under the key, empty where it is left out."""
        row = self.maybe_row(key)
        return {} if row is None else {name: row.number(name) for name in row.names()}

    def figures(self, key: str) -> tuple[float, ...]:
        """Return the list of numbers under the key, empty where it is left out."""
        items = self._items(key)
        if not all(
            isinstance(item, int | float) and not isinstance(item, bool) and 0 < item < inf for item in items
        ):
            raise self.fault(f"`{key}` must be a list of numbers above 0", key)
        return tuple(cast("list[float]", items))

    def _items(self, key: str) -> list[object]:
        if key not in self._data:
            return []
        values: object = self._get(key)
        if not isinstance(values, list):
            raise self.fault(f"`{key}` must be a list, not {shown(values)}", key)
        return cast("list[object]", values)

    def row(self, key: str) -> "Row":
        """Return the mapping under the key."""
        return self._below(key, self._get(key))

    def maybe_row(self, key: str) -> "Row | None":
        """Return the mapping under the key, None where it is left out."""
        return self.row(key) if key in self._data else None

    def rows(self, key: str) -> Iterator["Row"]:
        """Yield the rows of the list under the key, none where it is left out."""
        if key not in self._data:
            return
        values: object = self._get(key)
        if not isinstance(values, list):
            raise self.fault(f"`{key}` must be a list, not {shown(values)}", key)
        for number, value in enumerate(cast("list[object]", values)):
            yield self._below(key, value, number)

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
                near = nearest(str(key), self._read)
                raise self.fault(f"unknown key `{key}`{f'; did you mean `{near}`?' if near else ''}", str(key))

    def _get(self, key: str) -> Any:
        self._read.add(key)
        if key not in self._data:
            raise self.fault(f"`{key}` is missing", key)
        value = self._data[key]
        if value is None:
            raise self.fault(f"`{key}` is empty; leave out what is not known", key)
        return value
