# SPDX-License-Identifier: Apache-2.0
"""The plug-in for other languages: the real CLI reads its schema, and the real engine lets it construct."""

import json
from pathlib import Path
from typing import Any

import pytest

from hubstack.inputs.pulumi_config import load_stack_config
from proof.engine.engine import Engine
from proof.engine.stacks import engine_of
from tests.support.golden import environment, read_graph

pytestmark = pytest.mark.proof

PROJECT = Path(__file__).resolve().parents[3]
EXAMPLE = "cloud-run"
PROGRAM = """
import json
import os

import pulumi


class Remote(pulumi.ComponentResource):
    endpoints: pulumi.Output[dict]
    usdPerMonthMax: pulumi.Output[float]

    def __init__(self, **inputs):
        outputs = {"endpoints": None, "usdPerMonthMax": None}
        super().__init__("hubstack:index:ModelStack", "models", inputs | outputs, None, remote=True)


models = Remote(folder=os.getcwd(), settings=json.loads(SETTINGS))
pulumi.export("endpoints", models.endpoints)
pulumi.export("usdPerMonthMax", models.usdPerMonthMax)
"""
"""What Pulumi's YAML or an SDK made from the schema registers: a remote component of plain values."""


@pytest.fixture
def engine(tmp_path: Path, engine_programs: Path) -> Engine:
    made = engine_of(environment(EXAMPLE), tmp_path / "engine", engine_programs)
    plugin = f"plugins:\n  providers:\n    - {{name: hubstack, path: {PROJECT / 'plugin'}}}\n"
    file = made.project / "Pulumi.yaml"
    file.write_text(file.read_text() + plugin)
    return made


def settings() -> dict[str, Any]:
    return dict(load_stack_config(PROJECT, environment(EXAMPLE).config_file).config)


def test_the_cli_reads_the_schema_of_the_plugin(engine: Engine) -> None:
    said = engine.run("package", "get-schema", str(PROJECT / "plugin")).stdout
    schema, _ = json.JSONDecoder().raw_decode(said[said.index("{") :])
    assert schema["name"] == "hubstack"
    component = schema["resources"]["hubstack:index:ModelStack"]
    assert component["isComponent"]
    assert set(component["requiredInputs"]) == {"folder", "settings"}
    assert {"endpoints", "buckets", "gatewayUrl", "usdPerMonthMax"} == set(component["properties"])
    assert all(each["description"] for each in component["inputProperties"].values())


def test_a_program_that_declares_it_gets_the_resources_of_the_list_and_their_addresses(engine: Engine) -> None:
    (engine.project / "__main__.py").write_text(f"SETTINGS = {json.dumps(settings())!r}\n{PROGRAM}")
    done = engine.up()
    graph = read_graph(EXAMPLE)
    wanted = {(each["type"], each["name"]) for each in graph["resources"] if not each["type"].startswith("pulumi:")}
    parts = [urn.split("::") for urn, step in done.steps.items() if step == "create"]
    assert wanted - {(kind.split("$")[-1], name) for _, _, kind, name in parts} == {
        ("hubstack:fleet:Fleet", "fleet")
    }
    outputs = json.loads(engine.run("stack", "output", "--json").stdout)
    assert set(outputs["endpoints"]) == set(graph["outputs"]["endpoints"])
    assert outputs["usdPerMonthMax"] == graph["outputs"]["usdPerMonth"]["max"]


def test_bad_settings_are_told_with_their_cause_and_nothing_is_created(engine: Engine) -> None:
    wrong = {**settings(), "gcp:region": "nowhere"}
    (engine.project / "__main__.py").write_text(f"SETTINGS = {json.dumps(wrong)!r}\n{PROGRAM}")
    done = engine.up(check=False)
    assert done.code != 0
    assert "nowhere" in done.text
    assert engine.cloud.everything() == {}
