# SPDX-License-Identifier: Apache-2.0
"""Reads a row of a catalogue file into typed values and records everything that is wrong with it.

Owns the rules that all rows share: no unknown keys, no null, and no zero for a figure (omit unknown figures). The
dataclass of a row is its schema (`Row.fill`). Does not own what a row means.

After a fault, reading continues with a placeholder of the same type, so that later faults are found too; a
catalogue with faults is never used. The placeholder of a text is empty, which no text in the files may be, so rules
about names (`is_unknown`, duplicates) skip names that could not be read.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, TypeVar, cast, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from hubstack.files.errors import InputError
from hubstack.files.problems import nearest, shown

Loc = tuple[str | int, ...]
E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

_LARGEST = 10**15
"""Far above any real figure, and exactly representable as a float."""
_BELOW = frozenset({"greater_than", "greater_than_equal", "finite_number"})
_TEXT = TypeAdapter(Annotated[str, Field(strict=True, min_length=1)])
_TEXTS = TypeAdapter(list[Annotated[str, Field(strict=True, min_length=1)]])
_WHOLE = TypeAdapter(Annotated[int, Field(strict=True, gt=0, le=_LARGEST)])
_WHOLE_OR_ZERO = TypeAdapter(Annotated[int, Field(strict=True, ge=0, le=_LARGEST)])
_FLAG = TypeAdapter(Annotated[bool, Field(strict=True)])
_Real = Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True, allow_inf_nan=False)]
_NUMBER: TypeAdapter[float] = TypeAdapter(Annotated[_Real, Field(gt=0, le=_LARGEST)])
_NUMBER_OR_ZERO: TypeAdapter[float] = TypeAdapter(Annotated[_Real, Field(ge=0, le=_LARGEST)])
_NUMBERS: TypeAdapter[list[float]] = TypeAdapter(list[Annotated[_Real, Field(gt=0, le=_LARGEST)]])


class CatalogError(InputError):
    """Catalogue files are invalid: an error of whoever edited them, not of the user who plans with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A problem in a catalogue file."""

    message: str
    """Description, including the row if there is one."""
    file: str = ""
    loc: Loc = ()
    word: str | None = None
    """The offending value, if its file is not known."""


Faults = dict[Fault, None]
"""Insertion-ordered set: a value that is read twice is reported once."""


def is_unknown(name: str, known: Collection[str]) -> bool:
    """Return whether a name is not among the known ones, provided that it and all of them could be read."""
    return name != "" and name not in known and "" not in known


class Row:
    """A mapping in a catalogue file that knows its location."""

    __slots__ = ("_data", "_faults", "_read", "file", "is_sound", "loc", "where")

    def __init__(self, file: str, data: object, faults: Faults | None, where: str = "", loc: Loc = ()) -> None:
        """Wrap a value.

        Args:
            file: name of the file.
            data: the mapping.
            faults: where to record problems; None for the placeholder of an unreadable row.
            where: the row in words.
            loc: the row's location in the file.
        """
        self.file, self.where, self.loc = file, where, loc
        self._faults = faults
        self.is_sound = faults is not None
        """Whether no problem was found in this row, not counting nested rows."""
        if not isinstance(data, dict):
            self.refuse(f"must be a mapping, not {shown(data)}")
            self._faults, data = None, {}
        self._data = cast("dict[Any, Any]", data)
        self._read: set[str] = set()

    def refuse(self, message: str, *keys: str | int) -> None:
        """Record a problem with the row, or with the value at the given keys."""
        self.is_sound = False
        if self._faults is not None:
            said = f"{self.where}: {message}" if self.where else message
            self._faults[Fault(message=said, file=self.file, loc=(*self.loc, *keys))] = None

    def _below(self, key: str, value: object, *index: int) -> "Row":
        where = " ".join([key, *(str(number + 1) for number in index)])
        where = f"{self.where}: {where}" if self.where else where
        return Row(self.file, value, self._faults, where, (*self.loc, key, *index))

    def _stand_in(self) -> "Row":
        return Row(self.file, None, None)

    def fill(self, cls: type[T], /, **given: Any) -> T:
        """Return an object of a dataclass whose fields are the keys of this row, each read by the field's type.

        Args:
            cls: the dataclass.
            given: values of the fields that have no key of their name, or are derived.
        """
        read = {name: self._typed(name, hint) for name, hint in _fields_of(cls).items() if name not in given}
        return cls(**read, **given)

    def _typed(self, key: str, hint: Any) -> Any:
        if isinstance(hint, type) and issubclass(hint, StrEnum):
            return self.word(key, hint)
        return _READERS[hint](self, key)

    def text(self, key: str) -> str:
        """Return the text under the key."""
        return self._valid(key, _TEXT, "text", "")

    def word(self, key: str, words: type[E]) -> E:
        """Return the word under the key, which must be a member of an enumeration."""
        value, known = self.text(key), [each.value for each in words]
        if value in known:
            return words(value)
        if value:
            self._misfit(key, value, f"one of {', '.join(known)}")
        return next(iter(words))

    def words(self, key: str, words: type[E]) -> tuple[E, ...]:
        """Return the list of words under the key; empty if absent."""
        values, known = self.texts(key), [each.value for each in words]
        for number, value in enumerate(values):
            if value not in known:
                self.refuse(f"each of `{key}` must be one of {', '.join(known)}, not {shown(value)}", key, number)
        return tuple(words(value) for value in values if value in known)

    def maybe_text(self, key: str) -> str | None:
        """Return the text under the key, or None if absent."""
        return self.text(key) if key in self._data else None

    def number(self, key: str, *, may_be_zero: bool = False) -> float:
        """Return the number under the key; zero is accepted only if `may_be_zero`."""
        return self._valid(key, _NUMBER_OR_ZERO if may_be_zero else _NUMBER, "a number", 1)

    def maybe_number(self, key: str) -> float | None:
        """Return the number under the key, or None if absent."""
        return self.number(key) if key in self._data else None

    def integer(self, key: str, *, may_be_zero: bool = False) -> int:
        """Return the whole number under the key."""
        return self._valid(key, _WHOLE_OR_ZERO if may_be_zero else _WHOLE, "a whole number", 1)

    def maybe_integer(self, key: str) -> int | None:
        """Return the whole number under the key, or None if absent."""
        return self.integer(key) if key in self._data else None

    def flag(self, key: str) -> bool:
        """Return the flag under the key; False if absent."""
        return self.maybe_flag(key) or False

    def maybe_flag(self, key: str) -> bool | None:
        """Return the flag under the key, or None if absent."""
        return self._valid(key, _FLAG, "true or false", False) if key in self._data else None

    def texts_by_key(self, key: str) -> Mapping[str, str]:
        """Return the mapping of texts under the key; empty if absent."""
        row = self.maybe_row(key)
        return {} if row is None else {name: row.text(name) for name in row.names()}

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the list of strings under the key; empty if absent."""
        return tuple(self._valid(key, _TEXTS, "text", [])) if self._has_list(key) else ()

    def numbers(self, key: str) -> Mapping[str, float]:
        """Return the mapping of numbers under the key; empty if absent."""
        row = self.maybe_row(key)
        return {} if row is None else {name: row.number(name) for name in row.names()}

    def figures(self, key: str) -> tuple[float, ...]:
        """Return the list of numbers under the key; empty if absent."""
        return tuple(self._valid(key, _NUMBERS, "a number", [])) if self._has_list(key) else ()

    def _has_list(self, key: str) -> bool:
        return bool(self._items(key))

    def _items(self, key: str) -> list[object] | None:
        if key not in self._data and self._faults is not None:
            return []
        values: object = self._get(key)
        if isinstance(values, list):
            return cast("list[object]", values)
        self._misfit(key, values, "a list")
        return None

    def row(self, key: str) -> "Row":
        """Return the mapping under the key."""
        value = self._get(key)
        return self._stand_in() if value is None else self._below(key, value)

    def maybe_row(self, key: str) -> "Row | None":
        """Return the mapping under the key, or None if absent."""
        return self.row(key) if key in self._data else None

    def rows(self, key: str) -> Iterator["Row"]:
        """Yield the rows of the list under the key: none if absent, a placeholder if it is not a list."""
        items = self._items(key)
        if items is None:
            yield self._stand_in()
        for number, value in enumerate(items or []):
            yield self._below(key, value, number)

    def over(self, differing: "Row", *, without: Collection[str], **more: object) -> "Row":
        """Return this row with the keys of another over its own.

        Args:
            differing: the other row.
            without: keys that are not taken over.
            more: further values.
        """
        own = {key: value for key, value in self._data.items() if key not in without}
        return Row(self.file, own | differing._data | more, self._faults, differing.where, self.loc)  # noqa: SLF001  a Row

    def names(self) -> tuple[str, ...]:
        """Return the keys of a mapping whose keys are data (regions, machine types ...)."""
        if "" in self._data:
            self.refuse("a key is empty")
        return ("",) if self._faults is None else tuple(str(key) for key in self._data)

    def items(self) -> Iterator[tuple[str, "Row"]]:
        """Yield each key and row of a mapping whose keys are data."""
        for key in self.names():
            yield key, self.row(key)

    def done(self) -> None:
        """Reject keys that were not read: otherwise a misspelled key would count as an unknown figure."""
        for key in self._data:
            if key not in self._read:
                near = nearest(str(key), self._read)
                self.refuse(f"unknown key `{key}`{f'; did you mean `{near}`?' if near else ''}", str(key))

    def _get(self, key: str) -> Any:
        """Return the value under the key; if there is none, record that and return None."""
        self._read.add(key)
        value = self._data.get(key)
        if value is not None and value != "":
            return value
        said = "is empty; omit what is not known" if key in self._data else "is missing"
        self.refuse(f"`{key}` {said}", key)
        return None

    def _valid(self, key: str, schema: TypeAdapter[T], wanted: str, stand_in: T) -> T:
        """Return the value under the key if the schema accepts it, else record why not and return the stand-in."""
        value = self._get(key)
        if value is None:
            return stand_in
        try:
            return schema.validate_python(value)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_context=False)
        for at in dict.fromkeys(tuple(part for part in each["loc"] if isinstance(part, int)) for each in faults):
            kinds = {each["type"] for each in faults if not at or each["loc"][:1] == at}
            given = cast("list[object]", value)[at[0]] if at else value
            what = f"each of `{key}`" if at else f"`{key}`"
            self.refuse(f"{what} must be {_wanted(kinds, wanted, given)}", key, *at)
        return stand_in

    def _misfit(self, key: str, value: object, wanted: str) -> None:
        """Record that a value has the wrong type, unless it is None."""
        if value is not None:
            self.refuse(f"`{key}` must be {wanted}, not {shown(value)}", key)


def _wanted(kinds: set[str], wanted: str, given: object) -> str:
    """Return what a value must be, from the kinds of error that a schema found in it."""
    if kinds & _BELOW:
        return f"above 0, not {shown(given)}; omit a figure that is not known"
    return f"{f'at most {_LARGEST:,}' if 'less_than_equal' in kinds else wanted}, not {shown(given)}"


@cache
def _fields_of(kind: type) -> Mapping[str, Any]:
    """Return the fields of a dataclass and their types."""
    return get_type_hints(kind)


_READERS: Mapping[Any, Callable[[Row, str], Any]] = {
    str: Row.text,
    str | None: Row.maybe_text,
    float: Row.number,
    float | None: Row.maybe_number,
    int: Row.integer,
    int | None: Row.maybe_integer,
    bool: Row.flag,
    bool | None: Row.maybe_flag,
    tuple[str, ...]: Row.texts,
    tuple[float, ...]: Row.figures,
    frozenset[str]: lambda row, key: frozenset(row.texts(key)),
    Mapping[str, float]: Row.numbers,
    Mapping[str, str]: Row.texts_by_key,
}
"""How a key is read whose field has a type; any other field is given."""
