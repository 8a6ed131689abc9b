# SPDX-License-Identifier: Apache-2.0
"""The offline preview over a small real program: what is recorded, masked, left unknown and refused.

It proves what the program asked for. It cannot prove that a provider would accept it: none runs.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from hubstack.files.errors import InputError, PreviewError
from hubstack.review.preview import Graph, preview
from tests.support.project import small_project

PLAIN = Path(__file__).resolve().parents[2] / "support" / "program" / "plain"
PREFIX = "urn:pulumi:dev::plain::"
INNER = f"{PREFIX}plain:outer:Outer$plain:inner:Inner"
UNKNOWN_ID = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return preview(PLAIN, stack="dev")


@pytest.fixture(scope="module")
def resources(graph: Graph) -> dict[str, dict[str, Any]]:
    return {resource.urn: resource.plain() for resource in graph.resources}


def test_urns_carry_the_types_of_the_parents_but_not_of_the_stack(resources: dict[str, Any]) -> None:
    assert sorted(urn.removeprefix(PREFIX) for urn in resources) == [
        "gcp:secretmanager/secret:Secret::token",
        "gcp:secretmanager/secretVersion:SecretVersion::token",
        "kubernetes:core/v1:ConfigMap::facts",
        "plain:outer:Outer$plain:inner:Inner$gcp:storage/bucket:Bucket::outer-inner-bucket",
        "plain:outer:Outer$plain:inner:Inner::outer-inner",
        "plain:outer:Outer::outer",
        "pulumi:providers:gcp::google",
        "pulumi:providers:kubernetes::cluster",
    ]


def test_parents_and_providers_are_recorded(resources: dict[str, Any]) -> None:
    bucket = resources[f"{INNER}$gcp:storage/bucket:Bucket::outer-inner-bucket"]
    assert bucket["parent"] == f"{INNER}::outer-inner"
    assert bucket["provider"] == f"{PREFIX}pulumi:providers:gcp::google::{UNKNOWN_ID}"


def test_config_reaches_the_program_with_declared_defaults(resources: dict[str, Any]) -> None:
    bucket = resources[f"{INNER}$gcp:storage/bucket:Bucket::outer-inner-bucket"]
    assert bucket["inputs"]["labels"] == {"size": "3", "color": "blue"}
    assert resources[f"{PREFIX}pulumi:providers:gcp::google"]["inputs"]["project"] == "declared-project"


def test_secrets_are_masked_everywhere(graph: Graph, resources: dict[str, Any]) -> None:
    text = graph.to_json()
    assert "hf_not_for_eyes" not in text
    assert "AAABADQ5" not in text, "not even the ciphertext"
    assert resources[f"{PREFIX}gcp:secretmanager/secretVersion:SecretVersion::token"]["inputs"]["secretData"] == (
        "[secret]"
    )
    assert resources[f"{PREFIX}kubernetes:core/v1:ConfigMap::facts"]["inputs"]["data"]["token"] == "[secret]"
    assert graph.outputs["token"] == "[secret]"


def test_what_a_provider_would_compute_stays_unknown(graph: Graph, resources: dict[str, Any]) -> None:
    facts = resources[f"{PREFIX}kubernetes:core/v1:ConfigMap::facts"]["inputs"]["data"]
    assert facts["applied"] == "[]", "an apply ran on an id that nobody knows yet"
    assert facts["number"] == "[project number]", "a name stands for it, so that a text with it can be compared"
    assert graph.outputs["bucket"] == "[unknown]"


def test_the_program_sees_its_stack_its_project_and_that_it_is_a_preview(resources: dict[str, Any]) -> None:
    assert resources[f"{PREFIX}kubernetes:core/v1:ConfigMap::facts"]["inputs"]["data"]["stack"] == "plain/dev/True"


def test_dependencies_are_recorded_whole_and_by_property(resources: dict[str, Any]) -> None:
    version = resources[f"{PREFIX}gcp:secretmanager/secretVersion:SecretVersion::token"]
    secret = f"{PREFIX}gcp:secretmanager/secret:Secret::token"
    assert version["dependencies"] == [secret, f"{INNER}$gcp:storage/bucket:Bucket::outer-inner-bucket"]
    assert version["propertyDependencies"] == {"secret": [secret]}


def test_options_and_aliases_are_recorded(resources: dict[str, Any]) -> None:
    bucket = resources[f"{INNER}$gcp:storage/bucket:Bucket::outer-inner-bucket"]
    assert bucket["options"]["protect"] is True
    assert bucket["aliases"][0]["spec"]["name"] == "old"
    version = resources[f"{PREFIX}gcp:secretmanager/secretVersion:SecretVersion::token"]
    assert version["options"]["deleteBeforeReplace"] is False
    assert resources[f"{PREFIX}kubernetes:core/v1:ConfigMap::facts"]["options"]["ignoreChanges"] == ["data"]


def test_two_runs_give_the_same_bytes(graph: Graph) -> None:
    assert preview(PLAIN, stack="dev").to_json() == graph.to_json()


def test_the_graph_names_no_path_and_no_port_of_this_machine(graph: Graph) -> None:
    assert str(PLAIN) not in graph.to_json()
    assert "127.0.0.1" not in graph.to_json()
    assert json.loads(graph.to_json())["format"] == 1


TWICE = """
import pulumi
class Thing(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("small:thing:Thing", name)
Thing("same")
Thing("same")
"""


def test_two_resources_of_one_urn_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(PreviewError, match="duplicate URN urn:pulumi:dev::small::small:thing:Thing::same"):
        preview(small_project(tmp_path, TWICE), stack="dev")


def test_a_program_that_raises_is_told_by_its_own_line(tmp_path: Path) -> None:
    with pytest.raises(PreviewError) as caught:
        preview(small_project(tmp_path, "import pulumi\n\nraise ValueError('no such thing')\n"), stack="dev")
    assert str(caught.value) == "__main__.py:3: ValueError: no such thing"


def test_a_refusal_of_the_program_is_told_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(PreviewError) as caught:
        preview(small_project(tmp_path, "import pulumi\nraise pulumi.RunError('give it a list')\n"), stack="dev")
    assert str(caught.value) == "give it a list"


def test_an_output_that_ends_up_in_a_text_is_an_error(tmp_path: Path) -> None:
    program = "import pulumi\npulumi.export('text', f\"{pulumi.Output.from_input('x')}\")\n"
    with pytest.raises(PreviewError, match="Output"):
        preview(small_project(tmp_path, program), stack="dev")


def test_the_program_gets_no_credential_of_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_planted")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/planted.json")
    program = (
        "import os, pulumi\npulumi.export('env', sorted(k for k in os.environ if 'HF_' in k or 'GOOGLE' in k))\n"
    )
    assert preview(small_project(tmp_path, program), stack="dev").outputs == {"env": []}


def test_a_missing_setting_is_refused_before_the_program_runs(tmp_path: Path) -> None:
    declared = "config:\n  size:\n    type: integer\n"
    with pytest.raises(InputError, match="`small:size` is missing"):
        preview(small_project(tmp_path, "raise SystemExit(9)", declared=declared), stack="dev")


def test_a_setting_of_the_wrong_type_is_refused_with_its_place(tmp_path: Path) -> None:
    declared = "config:\n  size:\n    type: integer\n"
    config = "config:\n  small:size: big\n"
    with pytest.raises(InputError, match=r"stacks/Pulumi.dev.yaml:2:15: `small:size` must be a whole number"):
        preview(small_project(tmp_path, "", config, declared), stack="dev")


def test_settings_that_the_cli_has_rewritten_as_text_are_read(tmp_path: Path) -> None:
    declared = "config:\n  size:\n    type: integer\n  fast:\n    type: boolean\n"
    config = 'config:\n  small:size: "3"\n  small:fast: "false"\n'
    program = (
        "import pulumi\nc = pulumi.Config()\n"
        "pulumi.export('read', [c.require_int('size'), c.require_bool('fast')])\n"
    )
    assert preview(small_project(tmp_path, program, config, declared), stack="dev").outputs == {"read": [3, False]}
