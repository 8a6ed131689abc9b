# SPDX-License-Identifier: Apache-2.0
"""Own weights: how the planner treats what is on no Hub."""

from dataclasses import replace

import pytest

from hubstack.files.errors import HubstackError
from hubstack.hub.facts import FileFacts
from hubstack.hub.lock import Lock
from hubstack.inputs.models import parse_request
from hubstack.planner.inputs import locked_facts
from hubstack.planner.platforms.vertex import SPEC as VERTEX
from hubstack.planner.serving.routing import model_names
from tests.support.facts import ask, catalog, llama, made, plan

ID = "gs://acme-tunes/support/v3"
FILES = tuple(
    FileFacts(path=path, size_bytes=size, generation=7, crc32c="AAAAAA==")
    for path, size in (("config.json", 700), ("model.safetensors", 2_471_645_608), ("tokenizer.json", 9_000))
)


def test_callers_name_own_weights_by_their_key_and_never_by_their_bucket() -> None:
    (model,) = plan(llama(ID, files=FILES)).models
    assert model.key == "v3"
    assert model.server.served_model_name == "v3"
    assert not any("acme-tunes" in each for each in model.server.args)
    assert model.server.args.count("v3") == 1
    assert model_names([model]) == {"v3": ("v3",)}


def test_the_plan_pins_each_file_by_generation_and_checksum() -> None:
    (model,) = plan(llama(ID, files=FILES)).models
    assert model.weights.repo_id == ID
    assert {(file.generation, file.crc32c) for file in model.weights.files} == {(7, "AAAAAA==")}


def test_that_nobody_scanned_them_and_an_unknown_licence_are_said() -> None:
    (model,) = plan(llama(ID, files=FILES, license=None)).models
    said = " ".join(model.warnings)
    assert "were not scanned" in said
    assert "state it with `license:`" in said
    (model,) = plan(llama(ID, files=FILES)).models
    assert "licence is unknown" not in " ".join(model.warnings)
    (model,) = plan(llama(files=FILES)).models
    assert "not scanned" not in " ".join(model.warnings)


def test_pickles_are_refused_as_on_the_hub() -> None:
    files = (*FILES[::2], FileFacts(path="pytorch_model.bin", size_bytes=9, generation=1, crc32c="AAAAAA=="))
    with pytest.raises(HubstackError, match="only pickled weights"):
        plan(llama(ID, files=files))


def test_the_list_states_a_licence_over_that_of_the_card() -> None:
    request = parse_request(f"models: [{{id: '{ID}', license: llama3.1}}, acme/model]", "list")
    facts = made(ID, license="other", license_name="ours")
    lock = Lock(path="lock", models=(facts, made("acme/model", license="mit")))
    found = locked_facts(request, lock)
    assert found["v3"] == replace(facts, license="llama3.1", license_name=None)
    assert found["model"].license == "mit"


def test_model_garden_cannot_deploy_them() -> None:
    (problem,) = VERTEX.find_problems(ask(ID, platform="vertex"), "us-central1", catalog())
    assert "cannot be served on vertex" in problem.message
    assert "platform: gke" in (problem.hint or "")
