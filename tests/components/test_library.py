# SPDX-License-Identifier: Apache-2.0
"""`import pulumi_hubstack` in a program of one's own, and the plug-in for other languages."""

import json
import re
import shutil
import tomllib
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import pulumi_hubstack
import pytest
import yaml
from pulumi.provider.experimental.component import ComponentProvider
from pulumi_hubstack import ModelStack

from hubstack.files.errors import PreviewError
from hubstack.inputs.new.repository import _range
from hubstack.review.preview.monitor import Monitor, Recorder
from hubstack.review.preview.run import preview

PROJECT = Path(__file__).resolve().parents[2]
SETTINGS = "config:\n  gcp:project: acme-models-own\n  gcp:region: us-central1\n"


def own_project(folder: Path, program: str, settings: str = SETTINGS) -> Path:
    (folder / "stacks").mkdir()
    (folder / "Pulumi.yaml").write_text("name: own\nruntime: python\nstackConfigDir: stacks\n")
    (folder / "__main__.py").write_text(program)
    (folder / "stacks" / "Pulumi.dev.yaml").write_text(settings)
    for name in ("models.yaml", "models.lock.yaml"):
        shutil.copy(PROJECT / "examples" / "quickstart" / name, folder / "stacks" / f"dev.{name}")
    return folder


BESIDE = """
import pulumi, pulumi_gcp
from pulumi_hubstack import Fleet

fleet = Fleet.from_stack()
key = next(iter(fleet.endpoints))
pulumi_gcp.storage.Bucket("ours", location="US", opts=pulumi.ResourceOptions(depends_on=[fleet]))
pulumi.export("address", fleet.endpoints[key])
"""


def test_a_fleet_stands_beside_resources_of_the_program(tmp_path: Path) -> None:
    graph = json.loads(preview(own_project(tmp_path, BESIDE), stack="dev").to_json())
    names = {each["name"] for each in graph["resources"]}
    assert {"fleet", "ours", "qwen3-4b-instruct-2507-deployment"} <= names
    assert list(graph["outputs"]) == ["address"]


IN_CODE = """
from pulumi_hubstack import Fleet, FleetArgs, plan_stack

plan = plan_stack({"gcp:project": "acme-models-own", "gcp:region": "REGION", "hubstack:zones": ["us-central1-a"]})
Fleet("fleet", FleetArgs(plan=plan)).export()
"""


def test_a_plan_made_in_code_is_the_fleet_of_its_settings(tmp_path: Path) -> None:
    folder = own_project(tmp_path, IN_CODE.replace("REGION", "us-central1"), "config: {}\n")
    graph = json.loads(preview(folder, stack="dev").to_json())
    assert set(graph["outputs"]) == {"cluster", "endpoints", "usdPerMonth"}
    pools = [each for each in graph["resources"] if each["type"] == "gcp:container/nodePool:NodePool"]
    accelerated = [each for each in pools if each["inputs"]["nodeConfig"].get("guestAccelerators")]
    assert {tuple(each["inputs"]["nodeLocations"]) for each in accelerated} == {("us-central1-a",)}


def test_a_mistake_in_settings_made_in_code_is_told_without_a_traceback(tmp_path: Path) -> None:
    folder = own_project(tmp_path, IN_CODE.replace("REGION", "Mars"), "config: {}\n")
    with pytest.raises(PreviewError, match="gcp:region") as caught:
        preview(folder, stack="dev")
    assert "Traceback" not in str(caught.value)


PARTS = """
import pulumi
from pulumi_hubstack import Network, NetworkArgs

network = Network("shared", NetworkArgs(region="us-central1"))
pulumi.export("subnet", network.subnet_id)
"""


def test_a_component_can_be_used_alone(tmp_path: Path) -> None:
    graph = json.loads(preview(own_project(tmp_path, PARTS), stack="dev").to_json())
    assert {"shared-vpc", "shared-subnet", "shared-router", "shared-nat"} <= {
        each["name"] for each in graph["resources"]
    }


def test_every_public_name_is_in_the_reference_with_its_text() -> None:
    page = (PROJECT / "docs" / "reference" / "library.md").read_text()
    titles = re.findall(r"^## `(\w+)", page, re.MULTILINE)
    assert titles == sorted(pulumi_hubstack.__all__, key=pulumi_hubstack.__all__.index)
    empty = re.findall(r"^\| `(\w+)` \| [^|]*(?:\\\|[^|]*)* \|\s*(?:Default: [^|]*)?\|$", page, re.MULTILINE)
    assert empty == [], "a field without a description"


def test_the_schema_of_the_plugin_describes_each_property() -> None:
    provider = ComponentProvider([ModelStack], "hubstack", None, version("hubstack"))
    component = json.loads(str(provider.schema))["resources"]["hubstack:index:ModelStack"]
    for each in (*component["inputProperties"].values(), *component["properties"].values()):
        assert each["description"]


def test_the_plugin_asks_for_the_version_that_it_comes_with() -> None:
    (needed,) = tomllib.loads((PROJECT / "plugin" / "pyproject.toml").read_text())["project"]["dependencies"]
    own = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert needed == f"hubstack{_range(own['version'])}"
    assert yaml.safe_load((PROJECT / "plugin" / "PulumiPlugin.yaml").read_text())["name"] == "hubstack"


OVER = SETTINGS + "  hubstack:budget: 100\n"


@pytest.mark.parametrize("is_offline", [True, False])
def test_a_preview_over_the_budget_registers_everything_and_then_fails_in_pulumi(
    tmp_path: Path, *, is_offline: bool
) -> None:
    start = "" if is_offline else "import os\nos.environ.pop('HUBSTACK_PREVIEW')\n"
    project = own_project(tmp_path, f"{start}import pulumi_hubstack\npulumi_hubstack.run()\n", OVER)
    seen: list[Recorder] = []

    def answer(recorder: Recorder) -> Monitor:
        seen.append(recorder)
        return Monitor(recorder)

    with nullcontext() if is_offline else pytest.raises(PreviewError, match=r"over budget by \$1,722"):
        preview(project, stack="dev", answer=answer)
    (recorder,) = seen
    assert recorder.graph().count > 110, "a budget hides nothing"
    assert any("over budget" in warning for warning in recorder.warnings)
