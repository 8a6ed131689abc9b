# SPDX-License-Identifier: Apache-2.0
"""Value formats of stack settings: how Pulumi config text is parsed and validated.

Pulumi passes every setting to a program as text, with lists and mappings as JSON; a settings file may contain YAML
values instead. Both are accepted here. Does not own the settings (`hubstack.inputs.settings`).
"""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from hubstack.inputs.pulumi_config import SECRET_PLACEHOLDER, parse_json

MOST_AMOUNT = 1e12


def _flag(value: Any) -> Any:
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _number(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _word_or_list(value: Any) -> Any:
    return [value.strip()] if isinstance(value, str) and not value.lstrip().startswith("[") else parse_json(value)


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((value for at, value in enumerate(values) if value in values[:at]), None)
    if twice is not None:
        raise refusal(f"contains `{twice}` more than once")
    return values


def _is_encrypted(value: Any) -> Any:
    if value != SECRET_PLACEHOLDER:
        raise refusal("is a secret in plain text")
    return value


def refusal(text: str) -> PydanticCustomError:
    """Return the error for an invalid value; messages put the text after the setting's name."""
    return PydanticCustomError("refused", "{text}", {"text": text})


def form(pattern: str, what: str) -> AfterValidator:
    """Return a validator that rejects text that does not match a pattern.

    Args:
        pattern: a regular expression for the whole text.
        what: the expected value with its article, for the message: `a Google Cloud project ID`.
    """

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise PydanticCustomError("form", "{what}", {"what": f"must be {what}"})
        return value

    return AfterValidator(check)


FROM_JSON = BeforeValidator(parse_json)
FROM_WORD_OR_JSON = BeforeValidator(_word_or_list)
LIST = Field(strict=False)
DISTINCT = AfterValidator(_distinct)
Flag = Annotated[bool, BeforeValidator(_flag)]


def _is_not_everyone(member: str) -> str:
    if member.lower() in {"allusers", "allauthenticatedusers"}:
        raise refusal(f"contains `{member}`: models are never open to everyone")
    return member


_MEMBER = r"(user|group|serviceAccount|domain|principal|principalSet):\S+"
Member = Annotated[
    str, AfterValidator(_is_not_everyone), form(_MEMBER, "an IAM member such as group:team@example.com")
]
AmountPerMonth = Annotated[float, BeforeValidator(_number), Field(gt=0, lt=MOST_AMOUNT)]
Secret = Annotated[
    str,
    BeforeValidator(_is_encrypted),
    WithJsonSchema({"type": "object", "required": ["secure"], "properties": {"secure": {"type": "string"}}}),
]
"""A text that Pulumi encrypts; no plan reads it, and its value is never available here."""


def check_currency(word: str) -> str:
    """Return an ISO 4217 code; checks only its form, since Google knows in which currencies it bills."""
    if not re.fullmatch(r"[A-Z]{3}", word):
        raise refusal(f"is `{word}`, which is not a currency code such as EUR")
    return word
