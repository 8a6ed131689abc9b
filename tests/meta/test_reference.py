# SPDX-License-Identifier: Apache-2.0
import json

import jsonschema
import pytest
import yaml

from hubstack.files.documents import parse_document
from hubstack.files.errors import InputError
from hubstack.inputs.models import _validate
from hubstack.inputs.models_schema import RequestFile
from tools import reference

SCHEMA = json.loads((reference.FOLDER / "models.schema.json").read_text())


def test_the_reference_is_what_the_model_says() -> None:
    assert reference.main(["--check"]) == 0, "run ./dev gen"


def test_every_key_has_a_description() -> None:
    for name, definition in SCHEMA["$defs"].items():
        if name.startswith("_"):
            continue
        for key, field in definition.get("properties", {}).items():
            if name != "CapacityStep":
                assert field.get("description"), f"{name}.{key}"
    assert all(SCHEMA["properties"][key].get("description") for key in RequestFile.model_fields)


def test_every_key_of_a_comparison_has_a_description() -> None:
    schema = json.loads((reference.FOLDER / "change.schema.json").read_text())
    kinds = {"Change": schema, **schema["$defs"]}
    silent = [
        f"{name}.{key}"
        for name, kind in kinds.items()
        for key, field in kind.get("properties", {}).items()
        if not field.get("description")
    ]
    assert silent == []
    assert len(kinds) > 10


AGREED = {
    "models: [Qwen/Qwen3-8B]": True,
    "models: [{id: Qwen/Qwen3-8B, context: 4096, capacity: [spot, {reservation: a}]}]": True,
    "models: [{id: Qwen/Qwen3-8B, accelerator: l4, replicas: {min: 0}}]": True,
    "models: [{id: Qwen/Qwen3-8B, accelerator: {any: [l4]}}]": True,
    "extends: a.yaml\noverrides: {'*': {concurrency: 3}}": True,
    "models: [{id: Qwen/Qwen3-8B, contxt: 4096}]": False,
    "models: [{context: 4096}]": False,
    "models: {a: b}": False,
    "models: [{id: Qwen/Qwen3-8B, context: '4096'}]": False,
    "models: [{id: Qwen/Qwen3-8B, capacity: [sopt]}]": False,
    "models: [{id: Qwen/Qwen3-8B, capacity: []}]": False,
    "models: [{id: Qwen/Qwen3-8B, name: Upper}]": False,
    "models: [{id: Qwen/Qwen3-8B, engine: vlm}]": False,
    "models: [{id: Qwen/Qwen3-8B, replicas: {min: -1}}]": False,
    "models: [{id: Qwen/Qwen3-8B, trust_remote_code: 1}]": False,
    "- a": False,
}


@pytest.mark.parametrize("text", sorted(AGREED))
def test_schema_and_reader_agree(text: str) -> None:
    valid = not list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(yaml.safe_load(text)))
    try:
        _validate(parse_document(text, "m.yaml"))
        read = True
    except InputError:
        read = False
    assert (valid, read) == (AGREED[text], AGREED[text])
