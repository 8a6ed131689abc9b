# SPDX-License-Identifier: Apache-2.0
"""Translates pydantic validation errors into problems with a place and a message for the user.

Owns the wording for all files that are validated against a schema, so that messages are consistent. Does not own
the schemas; the description of a key comes from its docstring there.
"""

import re
import types
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from hubstack.files.documents import Document, Loc
from hubstack.files.problems import MOST_SHOWN, Problem, nearest, shown

_MUST_BE = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list (`- item` lines, or `[a, b]`)",
    "list_type": "a list (`- item` lines, or `[a, b]`)",
    "dict_type": "a mapping (`key: value` lines)",
    "model_type": "a mapping (`key: value` lines)",
    "model_attributes_type": "a mapping (`key: value` lines)",
    "date_type": "a date such as `2027-01-31`, without quotes",
}

HintOfUnknown = Callable[[str, Collection[str]], str | None]


def schema_problems(
    document: Document,
    error: ValidationError,
    schema: Any,
    hint: str,
    hints: Mapping[str, str] | None = None,
    *,
    hint_of_unknown: HintOfUnknown | None = None,
    is_generated: bool = False,
) -> list[Problem]:
    """Return the problems of a document in reading order, up to a maximum.

    Args:
        document: the parsed document.
        error: the validation error.
        schema: the model, or the type of a TypeAdapter.
        hint: the hint if there is no better one.
        hints: key to hint; these take precedence over the key's docstring.
        hint_of_unknown: returns the hint for an unknown key, given the known ones; None suggests a similar one.
        is_generated: whether the file is generated, so that `hint` always applies.
    """
    faults = [each for each in error.errors(include_url=False) if each["type"] != "default_factory_not_called"]
    inside = {each["loc"][:end] for each in faults for end in range(len(each["loc"]))}
    found = [
        (_mark_of(document, each["type"], each["loc"]), each)
        for each in faults
        if each["type"] != "too_short" or each["loc"] not in inside  # its invalid items are not counted
    ]
    found.sort(key=lambda each: (each[0].line, each[0].column))
    words = _Words(document, schema, hint, hints or {}, hint_of_unknown)
    said = ((mark, *words.of(detail)) for mark, detail in found[:MOST_SHOWN])
    problems = [mark.problem(message, hint if is_generated else better) for mark, message, better in said]
    if len(found) > MOST_SHOWN:
        left = f"and {len(found) - MOST_SHOWN:,} more problems"
        problems.append(found[MOST_SHOWN][0].problem(left, "fix those above first"))
    return problems


def _mark_of(document: Document, kind: str, loc: Loc) -> Any:
    return document.key_mark(loc) if kind in {"extra_forbidden", "invalid_key"} else document.mark(loc)


class _Words:
    def __init__(
        self,
        document: Document,
        schema: Any,
        hint: str,
        hints: Mapping[str, str],
        hint_of_unknown: HintOfUnknown | None,
    ) -> None:
        self.document, self.schema, self.hint, self.hints = document, schema, hint, hints
        self.hint_of_unknown = hint_of_unknown

    def of(self, detail: ErrorDetails) -> tuple[str, str]:  # noqa: PLR0911  one a kind of error
        """Return message and hint."""
        loc, kind, context = detail["loc"], detail["type"], detail.get("ctx", {})
        names = [str(part) for part in loc if isinstance(part, str)]
        label = f"`{'.'.join(names)}`" if names else "the file"
        if loc and isinstance(loc[-1], int):
            label = f"item {loc[-1] + 1} of {label}"
        if kind == "extra_forbidden":
            return self._unknown(loc)
        if kind == "missing":
            return f"`{loc[-1]}` is missing", self._meaning(loc)
        given = shown(detail["input"])
        if kind == "value_error":
            error = context.get("error", detail["msg"])
            return str(error), getattr(error, "hint", None) or self._meaning(loc)
        if kind in _MUST_BE:
            return f"{label} must be {_MUST_BE[kind]}, not {given}", self._quote(kind, loc, detail["input"])
        if kind in {"literal_error", "enum"}:
            known = self._choices(loc, context)
            near = nearest(detail["input"], known) if isinstance(detail["input"], str) else None
            return f"{label} must be one of {', '.join(known)}, not {given}", _meant(near) or self._quote(
                "string_type", loc, detail["input"]
            )
        if kind == "refused":  # raised by a validator; the message follows the key and may not contain the value
            return f"{label} {detail['msg']}", self._meaning(loc)
        return f"{label} {_bound(kind, context, detail['input'], detail['msg'])}", self._meaning(loc)

    def _unknown(self, loc: Loc) -> tuple[str, str]:
        at, word = _type_at(self.schema, loc[:-1]), str(loc[-1])
        known = _keys_of(at)
        within = {inner: key for key in reversed(known) for inner in _keys_of(_item(_inner(at, key)))}
        parts = set(word.split("_"))
        there = next((each for each in within if each == word or {each, within[each]} == parts), None)
        there = there or next((each for each in within if each.startswith(f"{word}_")), None)
        near = nearest(word, known)
        if self.hint_of_unknown and (other := self.hint_of_unknown(word, known)):
            hint = other
        elif there and there not in known:
            hint = f"`{there}` is a key of `{within[there]}`"
        elif near:
            hint = f"did you mean `{near}`?"
        else:
            is_outside = any(word in _keys_of(_type_at(self.schema, loc[:end])) for end in range(len(loc) - 1))
            above = f"; `{word}` is a key of a level above" if is_outside else ""
            hint = f"known keys here: {', '.join(known)}{above}"
        return f"unknown key `{word}`", hint

    def _quote(self, kind: str, loc: Loc, given: object) -> str:
        """Return a hint to quote text that YAML reads as another type."""
        if kind == "string_type" and given is not None and not isinstance(given, list | dict | str):
            mark = self.document.mark(loc)
            word = re.match(r"[^\s,\]}#]+", mark.source_line[mark.column - 1 :])
            if word and not isinstance(given, bytes):
                return f'YAML reads `{word[0]}` as {_kind(given)}; if it is text, quote it: `"{word[0]}"`'
        return self._meaning(loc)

    def _choices(self, loc: Loc, context: Mapping[str, Any]) -> list[str]:
        at = _type_at(self.schema, loc)
        if get_origin(at) is Literal:
            return [str(word) for word in get_args(at)]
        if isinstance(at, type) and issubclass(at, Enum):
            return [str(each.value) for each in at]
        return re.findall(r"'([^']+)'", str(context.get("expected", "")))

    def _meaning(self, loc: Loc) -> str:
        """Return the description of the nearest key: the first sentence of its docstring."""
        names = [part for part in loc if isinstance(part, str)]
        if names and names[-1] in self.hints:
            return self.hints[names[-1]]
        for end in range(len(loc), 0, -1):
            field = _field_at(self.schema, loc[:end])
            if field is not None and field.description:
                return f"`{loc[end - 1]}`: {_sentence(field.description)}"
        return self.hint


def _bound(kind: str, context: Mapping[str, Any], given: object, said: str) -> str:
    """Return a message with the bound that a value violates."""
    several = "character" if isinstance(given, str) else "item"
    bounds = {
        "greater_than_equal": ("at least", "ge"),
        "greater_than": ("above", "gt"),
        "less_than_equal": ("at most", "le"),
        "less_than": ("below", "lt"),
    }
    lengths = {
        "string_too_long": ("at most", "max_length"),
        "too_long": ("at most", "max_length"),
        "string_too_short": ("at least", "min_length"),
        "too_short": ("at least", "min_length"),
    }
    if kind in bounds:
        word, key = bounds[kind]
        bound = context[key]
        is_whole = isinstance(bound, int) or float(bound).is_integer()
        return (
            f"must be {word} {int(bound):,}, not {shown(given)}"
            if is_whole
            else (f"must be {word} {bound}, not {shown(given)}")
        )
    if kind == "form":
        return f"{said}, not {shown(given)}"
    if kind in lengths:
        word, key = lengths[kind]
        count = len(given) if isinstance(given, str) else context["actual_length"]
        return f"must have {word} {context[key]:,} {several}{'' if context[key] == 1 else 's'}, not {count}"
    return (
        f"may not be {shown(given)}"
        if kind == "string_pattern_mismatch"
        else (f"may not be {shown(given)}: {said[:1].lower()}{said[1:]}")
    )


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a number" if isinstance(value, int | float) else "a date"


def _meant(near: str | None) -> str | None:
    return f"did you mean `{near}`?" if near else None


def _sentence(description: str) -> str:
    text = " ".join(description.split())
    first = re.match(r".*?[^.]\.(?= [A-Z]|$)", text)
    return first[0].removesuffix(".") if first else text


# Types by location


def _plain(kind: Any) -> Any:
    """Return a type without Annotated and None; for a union, the first mapping-like type."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in {Union, types.UnionType}:
        parts = [_plain(part) for part in get_args(kind) if part is not type(None)]
        return next((part for part in parts if _fields(part)), parts[0])
    return kind


def _fields(kind: Any) -> dict[str, FieldInfo]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {_key_of(name, field): field for name, field in kind.model_fields.items()}
    return {}


def _key_of(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias or field.alias
    return alias if isinstance(alias, str) else name


def _keys_of(kind: Any) -> list[str]:
    """Return the keys that a file may have, without fields that are never written."""
    return [key for key, field in _fields(kind).items() if not field.exclude]


def _item(kind: Any) -> Any:
    """Return the type of an item of a list; any other type unchanged."""
    kind = _plain(kind)
    arguments = [each for each in get_args(kind) if each is not ...]
    return _plain(arguments[-1]) if arguments and get_origin(kind) in {list, tuple} else kind


def _inner(kind: Any, part: str | int) -> Any:
    kind = _plain(kind)
    if isinstance(part, str) and part in _fields(kind):
        return _fields(kind)[part].annotation
    arguments = [each for each in get_args(kind) if each is not ...]
    return arguments[-1] if arguments and get_origin(kind) in {list, dict, tuple} else None


def _type_at(schema: Any, loc: Loc) -> Any:
    kind = _plain(schema)
    for part in loc:
        kind = _plain(_inner(kind, part))
    return kind


def _field_at(schema: Any, loc: Loc) -> FieldInfo | None:
    return _fields(_type_at(schema, loc[:-1])).get(str(loc[-1]))
