# SPDX-License-Identifier: Apache-2.0
"""Which parts of weights are missing, from names and from an index."""

import pytest

from hubstack.hub.parts import INDEX, indexed_parts, loaded_weights, missing_parts, needs_index, superseded_parts


@pytest.mark.parametrize(
    ("paths", "missing"),
    [
        (
            ["model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"],
            ["model-00002-of-00003.safetensors"],
        ),
        (["model-00001-of-00001.safetensors", "model.safetensors"], []),
        (["m-q4-00002-of-00002.gguf"], ["m-q4-00001-of-00002.gguf"]),
        (["model-00001-of-99999.safetensors"], []),
        ([], []),
    ],
)
def test_names_tell_which_parts_are_missing(paths: list[str], missing: list[str]) -> None:
    assert list(missing_parts(paths)) == missing


def test_only_what_an_engine_loads_must_be_complete() -> None:
    paths = [
        "model.safetensors",
        "consolidated-00001-of-00002.safetensors",
        "old/model-00001-of-00002.safetensors",
        "pytorch_model-00001-of-00002.bin",
    ]
    assert loaded_weights(paths) == ("model.safetensors",)
    assert loaded_weights(paths[1:]) == ("pytorch_model-00001-of-00002.bin",)


def test_an_index_is_read_where_names_do_not_tell() -> None:
    assert needs_index({INDEX, "layers-a.safetensors", "layers-b.safetensors"})
    assert not needs_index({INDEX, "model-00001-of-00002.safetensors"})
    assert not needs_index({INDEX, "model.safetensors"})
    assert needs_index({INDEX, "model-00001-of-00002.safetensors", "model-00001-of-00003.safetensors"})
    assert not needs_index({"model-00001-of-00002.safetensors", "model-00001-of-00003.safetensors"})
    named = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors", "z": 3}}
    assert indexed_parts(named) == {"a.safetensors", "b.safetensors"}
    assert indexed_parts({"weight_map": None}) == frozenset()


def test_parts_of_an_earlier_split_are_superseded_by_those_of_the_index() -> None:
    new, old = (f"model-00001-of-{count}.safetensors" for count in ("00002", "00003"))
    index = {"weight_map": {"x": new}}
    assert superseded_parts(index, [INDEX, new, old, "config.json", "extra.safetensors"]) == {old}
    assert superseded_parts({}, [new, old]) == frozenset()
