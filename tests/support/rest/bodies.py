# SPDX-License-Identifier: Apache-2.0
"""The request that the provider would send for a resource, made from its inputs by the table bodies.yaml.

Owns the table's meaning (its head says what each key is); knows no resource by name. Names and types are judged by
discovery.py, the SDK's own names by sdk.py.
"""

import base64
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hubstack.review.preview.values import MASKED, UNKNOWN
from tests.support.rest import discovery, sdk

TABLE = Path(__file__).parent / "bodies.yaml"
PROJECT = "acme-models"
"""Where neither the inputs nor the provider give a project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of a method."""

    document: str
    """Name and version of a discovery document."""
    method: str
    """The method's id there."""
    parameters: dict[str, Any]
    """Path and query."""
    body: dict[str, Any]


class UntranslatedError(Exception):
    """An input that the table refuses, or a resource that it does not have."""


@cache
def table() -> dict[str, dict[str, Any]]:
    return yaml.safe_load(TABLE.read_text(encoding="utf-8"))["resources"]


def problems(token: str, name: str, inputs: dict[str, Any], provider: dict[str, Any] | None = None) -> list[str]:
    """Return what is wrong with a resource, each with its place; empty when Google's documents allow it."""
    try:
        request = translate(token, name, inputs, provider)
    except UntranslatedError as error:
        return [str(error)]
    arguments = sdk.arguments(token)
    return [
        *(f"inputs: {name} is missing" for name in sdk.missing(arguments, inputs)),
        *(f"inputs: {name} is no input of {arguments.__name__}" for name in sdk.unknown(arguments, inputs)),
        *request_problems(request),
        *discovery.schema_problems(table()[token].get("also", {}), request.body),
    ]


def request_problems(request: Request) -> list[str]:
    """Return what the document alone finds wrong."""
    return [
        *discovery.parameter_problems(request.document, request.method, request.parameters),
        *discovery.body_problems(request.document, request.method, request.body),
    ]


def translate(token: str, name: str, inputs: dict[str, Any], provider: dict[str, Any] | None = None) -> Request:
    """Return the request that creates a resource of this logical name.

    Raises:
        UntranslatedError: the table lacks the resource, or refuses an input.
    """
    if token not in table():
        raise UntranslatedError(
            f"{token} is not in tests/support/rest/bodies.yaml: add it (docs/reference/request-bodies.md)"
        )
    entry = table()[token]
    # The bridge's lowercaseAutoName: the logical name and seven hexadecimal digits (pulumi-gcp, resources.go).
    named = {"name": f"{name.lower()}-0000000"} if entry.get("autonamed") else {}
    own = named | inputs
    parameters = _parameters(entry["parameters"], {"project": PROJECT} | (provider or {}) | own)
    in_path = set(re.findall(r"{(\w+)", " ".join(entry["parameters"].values())))
    body: dict[str, Any] = {}
    target = _object_at(body, _place(entry.get("under", ".")))
    _write({key: value for key, value in own.items() if key not in in_path}, entry["fields"], target, token)
    return Request(document=entry["document"], method=entry["method"], parameters=parameters, body=body)


def _parameters(templates: dict[str, str], given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for parameter, template in templates.items():
        names = re.findall(r"{(\w+)(?::last)?}", template)
        if template == f"{{{names[0]}}}":
            if names[0] in given:
                found[parameter] = given[names[0]]
        else:
            found[parameter] = re.sub(r"{(\w+)(:last)?}", lambda match: _part(match, given), template)
    return found


def _part(match: re.Match[str], given: dict[str, Any]) -> str:
    value = str(given.get(match[1], ""))
    return value.rsplit("/", 1)[-1] if match[2] else value


def _write(inputs: dict[str, Any], fields: dict[str, Any], out: dict[str, Any], at: str) -> None:
    for name, value in inputs.items():
        rule = fields.get(name, {})
        if isinstance(rule, str):
            rule = {"to": rule}
        if "untranslated" in rule:
            raise UntranslatedError(f"{at}.{name} is refused: {rule['untranslated']}")
        if "not_sent" not in rule:
            _put(value, name, rule, out, f"{at}.{name}")


def _put(value: Any, name: str, rule: dict[str, Any], out: dict[str, Any], at: str) -> None:
    place = _place(rule["to"]) if "to" in rule else (name,)
    fields = rule.get("fields", {})
    if "values" in rule and value not in (UNKNOWN, MASKED):
        if value not in rule["values"]:
            raise UntranslatedError(f"{at} is {value!r}, none of {', '.join(map(str, rule['values']))}")
        value = rule["values"][value]
    if "as" in rule and value not in (UNKNOWN, MASKED):
        value = _convert(value, rule["as"], at)
    if rule.get("one") and isinstance(value, list) and len(value) == 1:
        value = value[0]
    if "by" in rule and isinstance(value, list):
        value = _keyed(value, rule["by"], at)
        fields = {key: {"fields": fields} for key in value}
    if isinstance(value, dict):
        _write(value, fields, _object_at(out, place), at)
    elif isinstance(value, list):
        _leaf_at(out, place, [_item(item, fields, at) for item in value])
    else:
        _leaf_at(out, place, value)


def _keyed(items: list[dict[str, Any]], by: str, at: str) -> dict[str, Any]:
    if not all(isinstance(item.get(by, ""), str) for item in items):
        raise UntranslatedError(f"{at} has a {by} that is no text")
    return {item.get(by, ""): {key: value for key, value in item.items() if key != by} for item in items}


def _item(item: Any, fields: dict[str, Any], at: str) -> Any:
    if not isinstance(item, dict):
        return item
    found: dict[str, Any] = {}
    _write(item, fields, found, at)
    return found


def _convert(value: Any, kind: str, at: str) -> Any:
    if not all(isinstance(one, str) for one in (value.values() if kind == "lists" else [value])):
        raise UntranslatedError(f"{at} is no text")
    if kind == "lists":
        return {key: [one] for key, one in value.items()}
    if kind == "base64":
        return base64.b64encode(value.encode()).decode()
    try:
        return json.loads(value)
    except ValueError as error:
        raise UntranslatedError(f"{at} is not JSON: {error}") from error


def _place(text: str) -> tuple[str, ...]:
    return () if text == "." else tuple(text.split("."))


def _object_at(out: dict[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
    """Return the object at a place, made where it is not there yet."""
    for part in place:
        out = out.setdefault(part[:-2], [{}])[0] if part.endswith("[]") else out.setdefault(part, {})
    return out


def _leaf_at(out: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    *above, last = place
    out = _object_at(out, tuple(above))
    if last.endswith("[]"):
        out[last[:-2]] = value if isinstance(value, list) else [value]
    else:
        out[last] = value
