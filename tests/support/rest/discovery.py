# SPDX-License-Identifier: Apache-2.0
"""Google's discovery documents as JSON Schema: what a request may say, and what is wrong with one.

Owns the reading of the documents that google-api-python-client carries, and the dialect's translation; knows no
resource of Pulumi (bodies.py does). Dialect: https://developers.google.com/discovery/v1/type-format. Numbers of 64
bits may be strings or numbers, durations and times are strings: https://protobuf.dev/programming-guides/json/.
"""

import difflib
import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import jsonschema
from jsonschema import validators

from hubstack.review.preview.values import MASKED, UNKNOWN

_INT64 = {"type": ["integer", "string"], "pattern": "^-?[0-9]{1,19}$"}
_FORMATS: dict[str, dict[str, Any]] = {
    "int32": {"minimum": -(2**31), "maximum": 2**31 - 1},
    "uint32": {"minimum": 0, "maximum": 2**32 - 1},
    "int64": {**_INT64, "minimum": -(2**63), "maximum": 2**63 - 1},
    "uint64": {**_INT64, "pattern": "^[0-9]{1,20}$", "minimum": 0, "maximum": 2**64 - 1},
    "google-duration": {"pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    "google-datetime": {"pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})$"},
    "date": {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    "byte": {"pattern": "^[A-Za-z0-9+/_-]*={0,2}$"},
}


def _known(check: Any) -> Any:
    """Let a keyword pass over what a preview does not know: its name is checked, its value cannot be."""

    def checked(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if not (isinstance(instance, str) and instance in {UNKNOWN, MASKED}):
            yield from check(validator, value, instance, schema) or ()

    return checked


_BASE = jsonschema.Draft202012Validator
_Validator: Any = validators.create(
    _BASE.META_SCHEMA,
    validators={
        keyword: check if keyword == "$ref" else _known(check) for keyword, check in _BASE.VALIDATORS.items()
    },
    type_checker=_BASE.TYPE_CHECKER,
)


@cache
def document(name: str) -> dict[str, Any]:
    """Return a document by name and version (`container.v1beta1`)."""
    path = resources.files("googleapiclient") / "discovery_cache" / "documents" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def method(name: str, method_id: str) -> dict[str, Any]:
    """Return a method of a document by its id (`container.projects.locations.clusters.create`)."""
    return next(found for found in _methods(document(name)) if found["id"] == method_id)


def body_problems(name: str, method_id: str, body: Any) -> list[str]:
    """Return what is wrong with a method's request body, each with its place (`$.cluster.nodeConfig: …`)."""
    return _problems(_body_validator(name, method_id), body)


def schema_problems(schema: dict[str, Any], value: Any) -> list[str]:
    """Return what is wrong with a value by a JSON Schema of our own."""
    return _problems(_Validator(schema), value)


def parameter_problems(name: str, method_id: str, given: dict[str, Any]) -> list[str]:
    """Return what is wrong with what a method takes in its path and query."""
    found = method(name, method_id)["parameters"]
    schema = {
        "title": f"{method_id} (path and query)",
        "type": "object",
        "properties": {key: _schema(value, method_id) for key, value in found.items()},
        "additionalProperties": False,
        "required": sorted(key for key, value in found.items() if value.get("required")),
    }
    return _problems(_Validator(schema), given)


def _methods(room: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from room.get("methods", {}).values()
    for inner in room.get("resources", {}).values():
        yield from _methods(inner)


@cache
def _body_validator(name: str, method_id: str) -> Any:
    request = method(name, method_id).get("request")
    schemas = document(name)["schemas"]
    if request is None:
        return _Validator({"title": method_id, "type": "object", "additionalProperties": False})
    definitions = {key: {"title": key, **_schema(schemas[key], method_id)} for key in _reachable(schemas, request)}
    return _Validator({"$defs": definitions, **_schema(request, method_id)})


def _reachable(schemas: dict[str, Any], start: dict[str, Any]) -> set[str]:
    """Names of the schemas that a body may hold; whole documents have thousands."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        item = waiting.pop()
        waiting += [value for value in item.values() if isinstance(value, dict)]
        name = item.get("$ref")
        if isinstance(name, str) and name not in found:
            found.add(name)
            waiting.append(schemas[name])
    return found


def _schema(found: dict[str, Any], method_id: str) -> dict[str, Any]:
    """One schema of the dialect as JSON Schema."""
    if "$ref" in found:
        return {"$ref": f"#/$defs/{found['$ref']}"}
    kind = found.get("type", "any")
    if kind == "any":
        return {}
    if kind == "array" or found.get("repeated"):
        return {"type": "array", "items": _schema(found.get("items", {**found, "repeated": False}), method_id)}
    if kind == "object":
        return _object(found, method_id)
    schema: dict[str, Any] = {"type": kind, **_FORMATS.get(found.get("format", ""), {})}
    if "enum" in found:
        schema["enum"] = found["enum"]
    if "pattern" in found:
        # Compute Engine writes patterns without anchors, and means whole values.
        schema["pattern"] = f"^(?:{found['pattern']})$"
    return schema


def _object(found: dict[str, Any], method_id: str) -> dict[str, Any]:
    properties = found.get("properties", {})
    more = found.get("additionalProperties")
    return {
        "type": "object",
        "properties": {
            key: {"not": {}} if value.get("readOnly") else _schema(value, method_id)
            for key, value in properties.items()
        },
        "additionalProperties": _schema(more, method_id) if more else False,
        "required": sorted(key for key, value in properties.items() if _is_required(value, method_id)),
    }


def _is_required(found: dict[str, Any], method_id: str) -> bool:
    """By the annotation where there is one, else by the word that AIP-203 puts first in the description."""
    if method_id in found.get("annotations", {}).get("required", ()):
        return True
    return found.get("description", "").startswith("Required. ") and not found.get("readOnly")


def _problems(validator: Any, value: Any) -> list[str]:
    errors = sorted(validator.iter_errors(value), key=lambda error: (error.json_path, error.message))
    return [f"{error.json_path}: {sentence}" for error in errors for sentence in _sentences(error)]


def _sentences(error: Any) -> Iterator[str]:
    if error.validator == "additionalProperties" and error.schema["additionalProperties"] is False:
        known = error.schema.get("properties", {})
        for name in sorted(set(error.instance) - set(known)):
            near = difflib.get_close_matches(name, known, 1)
            yield f"{error.schema.get('title', 'the object')} has no field {name}" + (
                f"; nearest: {near[0]}" if near else ""
            )
    elif error.validator == "not":
        yield "is set by Google only, and ignored in a request"
    else:
        yield error.message


def response_problems(name: str, method_id: str, body: Any) -> list[str]:
    """Return what is wrong with a method's answer, which may have read-only fields and leave out required ones."""
    return _problems(_response_validator(name, method_id), body)


@cache
def _response_validator(name: str, method_id: str) -> Any:
    response = method(name, method_id)["response"]
    schemas = document(name)["schemas"]
    definitions = {
        key: {"title": key, **_schema(_as_answered(schemas[key]), method_id)}
        for key in _reachable(schemas, response)
    }
    return _Validator({"$defs": definitions, **_schema(response, method_id)})


def _as_answered(found: Any) -> Any:
    """Return a schema of the dialect without what applies to requests only."""
    if isinstance(found, dict):
        # A property may be called `description`: only texts are dropped.
        dropped = {"readOnly", "annotations"} | {k for k in ("description",) if isinstance(found.get(k), str)}
        return {key: _as_answered(value) for key, value in found.items() if key not in dropped}
    return [_as_answered(value) for value in found] if isinstance(found, list) else found


def methods(name: str) -> list[dict[str, Any]]:
    """Return every method of a document."""
    return list(_methods(document(name)))
