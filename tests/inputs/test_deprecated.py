# SPDX-License-Identifier: Apache-2.0
"""Deprecated keys: read under the new name with a warning, and refused from the announced release on."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from hubstack.files.errors import InputError
from hubstack.inputs import deprecated
from hubstack.inputs.deprecated import Deprecated
from hubstack.inputs.environment import find_environment
from hubstack.inputs.models import Request, load_request
from hubstack.inputs.models_schema import Settings
from hubstack.inputs.settings import KEYS, read_settings
from hubstack.inputs.stack import Stack
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from tests.support.golden import environment

MAX_LEN = Deprecated(key="max_len", instead="context", since="0.1", until="9")
SLOTS = Deprecated(key="lora.max_loras", instead="slots", since="0.1", until="9")
SPACE = Deprecated(key="hubstack:space", instead="hubstack:namespace", since="0.1", until="9")
HOST = Deprecated(key="hubstack:gateway.name", instead="host", since="0.1", until="9")
LEAST = {"gcp:project": "acme-models", "gcp:region": "us-central1"}


@pytest.fixture(autouse=True)
def _rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deprecated, "LIST_KEYS", (MAX_LEN, SLOTS))
    monkeypatch.setattr(deprecated, "SETTINGS", (SPACE, HOST))


def read(folder: Path, text: str) -> Request:
    path = folder / "dev.models.yaml"
    path.write_text(text)
    return load_request(path, path.name)


LIST = """\
defaults: {max_len: 4096}
models:
  - Qwen/Qwen3-0.6B
  - id: Qwen/Qwen3-8B
    max_len: 8192
    lora: {max_loras: 4}
overrides:
  qwen3-0-6b: {max_len: 2048}
"""


def test_a_deprecated_key_of_the_list_is_read_in_every_layer_and_warned_of_once(tmp_path: Path) -> None:
    request = read(tmp_path, LIST)
    assert {model.key: model.settings.context for model in request.models} == {"qwen3-0-6b": 2048, "qwen3-8b": 8192}
    lora = request.models[1].settings.lora
    assert lora
    assert lora.slots == 4
    assert request.warnings == (
        (
            "dev.models.yaml (3 places): `max_len` is deprecated since hubstack 0.1; write `context` instead: "
            "hubstack 9 refuses `max_len`"
        ),
        (
            "dev.models.yaml: `lora.max_loras` is deprecated since hubstack 0.1; write `slots` instead: "
            "hubstack 9 refuses `lora.max_loras`"
        ),
    )


def test_an_invalid_value_is_reported_where_the_user_wrote_it(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        read(tmp_path, LIST.replace("max_len: 8192", "max_len: much"))
    (problem,) = refused.value.problems
    assert (problem.line, problem.column) == (5, 14)


def test_both_names_of_a_key_are_refused_at_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        read(tmp_path, "models:\n  - {id: a/b, context: 1, max_len: 2}\n")
    (problem,) = refused.value.problems
    assert (problem.line, problem.column) == (2, 27)
    assert problem.message == "`max_len` and `context` are the same key"


@pytest.mark.parametrize("release", ["9.0.1", "9.0rc1", "10.2"])
def test_from_the_announced_release_on_the_key_is_refused_with_its_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str
) -> None:
    monkeypatch.setattr(deprecated, "version", lambda _: release)
    with pytest.raises(InputError) as refused:
        read(tmp_path, LIST)
    lines = {(each.line, each.message, each.hint) for each in refused.value.problems}
    assert (5, "`max_len` is not read since hubstack 9", "use `context`") in lines
    assert len(lines) == 4


@pytest.mark.parametrize("name", [{"name": "llm.example.com"}, '{"name": "llm.example.com"}'])
def test_a_deprecated_setting_is_read_as_pulumi_passes_it(name: object) -> None:
    text = name if isinstance(name, str) else json.dumps(name)
    settings = read_settings("dev", {**LEAST, "hubstack:space": "llm", "hubstack:gateway": text})
    assert settings.namespace == "llm"
    assert settings.gateway_settings.host == "llm.example.com"
    assert [warning.split("`")[1] for warning in settings.warnings] == ["hubstack:space", "hubstack:gateway.name"]


def project(folder: Path, settings: str) -> Stack:
    (folder / "stacks").mkdir()
    (folder / "Pulumi.yaml").write_text("name: x\nruntime: python\nstackConfigDir: stacks\n")
    (folder / "stacks" / "Pulumi.dev.yaml").write_text(settings)
    (folder / "stacks" / "dev.models.yaml").write_text("models: [Qwen/Qwen3-8B]\n")
    return Stack.load(find_environment("dev", folder, folder))


def test_a_deprecated_setting_of_a_file_keeps_its_place(tmp_path: Path) -> None:
    text = "config:\n  gcp:project: acme-models\n  gcp:region: us-central1\n  hubstack:space: Bad Name\n"
    with pytest.raises(InputError) as refused:
        _ = project(tmp_path, text).settings
    (problem,) = refused.value.problems
    assert (problem.line, problem.column) == (4, 19)
    assert "hubstack:namespace" in problem.message


def test_a_deprecated_setting_of_one_cluster_is_read_there(tmp_path: Path) -> None:
    text = (
        "config:\n  gcp:project: acme-models\n  gcp:region: us-central1\n  hubstack:clusters:\n"
        "    eu: {region: europe-west4, space: llm}\n    us: {region: us-central1}\n"
    )
    group = project(tmp_path, text).divided
    assert group
    eu, us = (group.settings(each) for each in group.clusters)
    assert (eu.namespace, us.namespace) == ("llm", "models-us")
    assert "`space` is deprecated" in eu.warnings[0]


def test_every_plan_says_which_deprecated_keys_its_files_have() -> None:
    inputs = StackInputs.load(environment("quickstart"))
    plan = plan_inputs(replace(inputs, request=replace(inputs.request, warnings=("dev: `a` is deprecated",))))
    assert "dev: `a` is deprecated" in plan.warnings


def test_every_row_of_the_project_names_a_key_that_is_there_and_a_release_that_may_refuse_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    for row in (*deprecated.LIST_KEYS, *deprecated.SETTINGS):
        assert re.fullmatch(r"\d+(\.\d+)?", row.since)
        assert re.fullmatch(r"\d+", row.until), "keys are removed in major versions"
    for row in deprecated.LIST_KEYS:
        if "." not in row.key:
            assert row.instead in Settings.model_fields
            assert row.key not in Settings.model_fields
    for row in deprecated.SETTINGS:
        if "." not in row.key:
            assert row.instead in KEYS
            assert row.key not in KEYS
