# SPDX-License-Identifier: Apache-2.0
"""CONTRIBUTING.md's recipes, followed on a copy of the project: each really adds a new one, in the files it names.

The copy's own command line then plans with what was added, so no list elsewhere can have been forgotten.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
LICENCE = "# SPDX-License-Identifier: Apache-2.0\n"
EXAMPLE = "examples/quickstart"
CHAT = "Qwen/Qwen3-4B-Instruct-2507"
Edit = Callable[[Any], None]


class Copy:
    """A copy of the project, and which of its files were touched."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.touched: set[str] = set()
        for name in ("hubstack", "components"):
            shutil.copytree(PROJECT / name, root / name)
        for name in (
            "Pulumi.yaml",
            "__main__.py",
            f"{EXAMPLE}/Pulumi.quickstart.yaml",
            f"{EXAMPLE}/models.lock.yaml",
        ):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, root / name)

    def write(self, name: str, text: str) -> None:
        self.touched.add(name)
        (self.root / name).write_text(text)

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert text.count(old) == 1, f"{name} has changed: follow its recipe anew"
        self.write(name, text.replace(old, new))

    def after(self, name: str, line: str, *more: str) -> None:
        """Add lines after one."""
        self.replace(name, f"{line}\n", "\n".join((line, *more, "")))

    def rows(self, name: str, edit: Edit) -> None:
        data = yaml.safe_load((self.root / name).read_text())
        edit(data)
        self.write(name, yaml.safe_dump(data, sort_keys=False))

    def plan(self, settings: str = "", **model: Any) -> Any:
        """Plan one model, which is asked for with these settings."""
        listed = {"models": [{"id": CHAT, **model}]}
        (self.root / EXAMPLE / "models.yaml").write_text(yaml.safe_dump(listed))
        path = self.root / EXAMPLE / "Pulumi.quickstart.yaml"
        path.write_text((PROJECT / EXAMPLE / path.name).read_text() + settings)
        return self.run("plan")

    def run(self, command: str) -> Any:
        """Run a command of the copy, and return what it prints as JSON."""
        env = os.environ | {"PYTHONPATH": f"{self.root}{os.pathsep}{self.root / 'components'}"}
        done = subprocess.run(
            [sys.executable, "-m", "hubstack", command, EXAMPLE, "--json"],
            cwd=self.root,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def placed(self, settings: str = "", **model: Any) -> Any:
        (found,) = self.plan(settings, **model)["models"]
        return found


def named(recipe: str) -> set[str]:
    """Return the files that a recipe of CONTRIBUTING.md names, its tests left out."""
    text = (PROJECT / "CONTRIBUTING.md").read_text()
    found = re.search(rf"^### {re.escape(recipe)}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"CONTRIBUTING.md has no recipe {recipe!r}"
    return set(re.findall(r"`((?:hubstack|components)/[^`]+)`", found[1]))


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def first(rows: Any, **fields: Any) -> Any:
    return next(row for row in rows if all(row[name] == value for name, value in fields.items()))


def test_an_accelerator(copy: Copy) -> None:
    """A card like the L4, with twice its memory."""

    def card(data: Any) -> None:
        more = {"id": "acme", "name": "NVIDIA Acme", "gke_label": "nvidia-acme", "memory_gib_visible": 44.0}
        data["accelerators"].append({**first(data["accelerators"], id="l4"), **more})

    def machine(data: Any) -> None:
        row = first(data["machine_types"], accelerator="l4")
        shape = {**row["shapes"][0], "name": "z1-standard-4"}
        data["machine_types"].append({**row, "accelerator": "acme", "shapes": [shape]})

    def zone(data: Any) -> None:
        data["zones"].append({**first(data["zones"], accelerator="l4"), "accelerator": "acme"})

    def price(data: Any) -> None:
        data["usd_per_machine_hour"]["z1-standard-4"] = data["usd_per_machine_hour"]["g2-standard-4"]

    def image(data: Any) -> None:
        first(data["engines"], id="vllm")["images"][0]["accelerators"].append("acme")

    for name, edit in (
        ("accelerators", card),
        ("machine_types", machine),
        ("zones", zone),
        ("prices", price),
        ("engines", image),
    ):
        copy.rows(f"hubstack/catalog/{name}.yaml", edit)
    model = copy.placed(accelerator="acme")
    assert (model["machine_type"], model["gke_accelerator"]) == ("z1-standard-4", "nvidia-acme")
    assert model["usd_per_replica_hour"] > 0
    assert copy.touched == named("An accelerator")


def test_an_engine(copy: Copy) -> None:
    copy.replace(
        "hubstack/kinds.py", '    LLAMA_CPP = "llama-cpp"\n', '    LLAMA_CPP = "llama-cpp"\n    ACME = "acme"\n'
    )

    def row(data: Any) -> None:
        like = first(data["engines"], id="llama-cpp")
        more = {
            "id": "acme",
            "name": "Acme",
            "formats": ["safetensors"],
            "command": ["acme"],
            "arguments": ["serve", "{model_path}", "--listen={port}"],
            "health_path": "/ready",
        }
        data["engines"].append({**like, **more})

    def metrics(data: Any) -> None:
        row = next(row for row in data["engine_metrics"] if "llama-cpp" in row["engines"])
        data["engine_metrics"].append({**row, "engines": ["acme"]})

    copy.rows("hubstack/catalog/engines.yaml", row)
    copy.rows("hubstack/catalog/engine_metrics.yaml", metrics)
    seat = """
        from hubstack.kinds import EngineKind
        from hubstack.plan import ApiKey
        from hubstack.planner.engines import arguments
        from hubstack.planner.engines.spec import EngineSpec
        from hubstack.planner.memory.workload import EngineMemory

        SPEC = EngineSpec(
            kind=EngineKind.ACME, memory=EngineMemory(share=0.9), start_seconds=60, args=arguments.of_row,
            api_key=ApiKey(variable="ACME_KEY"),
        )
    """
    copy.write("hubstack/planner/engines/acme.py", LICENCE + re.sub(r"^ {8}", "", seat, flags=re.MULTILINE))
    server = copy.placed(engine="acme", accelerator="l4")["server"]
    assert (server["engine"], server["api_key"]["variable"]) == ("acme", "ACME_KEY")
    assert server["args"] == ["serve", "/weights", "--listen=8080"]
    assert server["readiness"]["path"] == "/ready"
    assert copy.touched == named("An engine")


def test_an_engine_without_a_seat_is_said_to_lack_one(copy: Copy) -> None:
    copy.replace(
        "hubstack/kinds.py", '    LLAMA_CPP = "llama-cpp"\n', '    LLAMA_CPP = "llama-cpp"\n    ACME = "acme"\n'
    )
    with pytest.raises(AssertionError, match="acme"):
        copy.plan()


def test_a_key_of_the_list(copy: Copy) -> None:
    """Host memory that vLLM swaps sequences to."""
    field = "    swap_gib: int = Field(default=0, ge=0, le=64)"
    copy.after("hubstack/inputs/models_schema.py", "class Settings(_Strict):", field, '    """Host memory."""')
    flag = '    flags += ["--swap-space", str(serving.settings.swap_gib)]'
    copy.after("hubstack/planner/engines/vllm.py", "    flags += _load_flags(serving)", flag)
    args = copy.placed(accelerator="l4", swap_gib=4)["server"]["args"]
    assert args[args.index("--swap-space") + 1] == "4"
    assert copy.touched - {"hubstack/planner/engines/vllm.py"} == named("A key of the list")


def test_a_stack_setting(copy: Copy) -> None:
    """A label that Google's bill groups by."""
    field = '    cost_center: str = Field("none", validation_alias="hubstack:costCenter", examples=["research"])'
    text = '    """Label that the bill is grouped by."""'
    line = '    """Kubernetes namespace of the models."""'
    copy.after("hubstack/inputs/settings.py", line, field, text)
    labels = 'labels=labels(target.stack, {**target.labels, "cost-center": target.cost_center}),'
    copy.replace("hubstack/planner/planner.py", "labels=labels(target.stack, target.labels),", labels)
    target = copy.plan("  hubstack:costCenter: research\n", accelerator="l4")["target"]
    assert target["labels"]["cost-center"] == "research"
    assert copy.touched - {"hubstack/planner/planner.py"} == named("A stack setting")


def test_a_platform(copy: Copy) -> None:
    """Whole L4 machines that someone else runs."""
    copy.after("hubstack/kinds.py", '    VERTEX = "vertex"', '    ACME = "acme"')
    seat = """
        from collections.abc import Iterator

        from hubstack.catalog import Catalog
        from hubstack.files.problems import Problem
        from hubstack.inputs.models import ModelRequest
        from hubstack.inputs.settings import StackSettings
        from hubstack.kinds import PlatformKind
        from hubstack.planner.model_plan import Draft, Hosting, PlacedDraft
        from hubstack.planner.placement.candidates import Candidate
        from hubstack.planner.placement.offers import Offer, list_offers
        from hubstack.planner.platforms.rules import beside_nodes
        from hubstack.planner.platforms.spec import PlatformSpec
        from hubstack.planner.serving.choose_loading import mount_elsewhere


        def _offers(catalog: Catalog, target: StackSettings) -> tuple[Offer, ...]:
            return tuple(offer for offer in list_offers(catalog, target) if offer.machine.name == "g2-standard-8")


        def _find_problems(request: ModelRequest, _region: str, _catalog: Catalog) -> Iterator[Problem]:
            yield from beside_nodes(request)


        def _plan(draft: Draft, taken: Candidate, catalog: Catalog, _target: StackSettings) -> Hosting:
            loading = mount_elsewhere(draft.demand.weights.size_bytes, "Acme", catalog.load_rates)
            model = PlacedDraft(draft=draft, taken=taken, loading=loading, limits=catalog.termination)
            return Hosting(placed=model, platform_name="Acme", server=model.server)


        SPEC = PlatformSpec(kind=PlatformKind.ACME, offers=_offers, find_problems=_find_problems, plan=_plan)
    """
    copy.write("hubstack/planner/platforms/acme.py", LICENCE + re.sub(r"^ {8}", "", seat, flags=re.MULTILINE))
    registered = """
        import pulumi

        from hubstack.plan import ModelPlan
        from pulumi_hubstack.managed_models import ManagedModel, ManagedParts
        from pulumi_hubstack.platforms import PlatformResources


        def _create(parts: ManagedParts, model: ModelPlan) -> ManagedModel:
            server = pulumi.ComponentResource("hubstack:acme:Acme", model.key, None, parts.google)
            return ManagedModel(server, pulumi.Output.from_input("https://acme.example/v1"))


        RESOURCES = PlatformResources(service="acme", create=_create)
    """
    text = LICENCE + re.sub(r"^ {8}", "", registered, flags=re.MULTILINE)
    copy.write("components/pulumi_hubstack/platforms/acme.py", text)
    plan = copy.plan(platform="acme")
    (model,) = plan["models"]
    assert (model["platform"], model["platform_name"], model["machine_type"]) == ("acme", "Acme", "g2-standard-8")
    assert (plan["pools"], plan["classes"]) == ([], [])
    urns = [resource["urn"] for resource in copy.run("preview")["resources"]]
    assert [urn for urn in urns if urn.endswith(f"hubstack:acme:Acme::{model['key']}")]
    assert not [urn for urn in urns if "cluster" in urn.rpartition("::")[2]], "it needs no cluster"
    assert copy.touched == named("A platform")


def test_a_price_source(copy: Copy) -> None:
    """A price list of one's own, newer than all others."""

    def source(data: Any) -> None:
        data["sources"]["acme-list"] = {
            "title": "Acme's price list",
            "url": "https://acme.example",
            "as_of": "2026-11-01",
        }

    def price(data: Any) -> None:
        data["bases"]["acme"] = {"on_demand": {"source": "acme-list"}}
        rows = data["usd_per_machine_hour"]["g2-standard-4"]
        for region in rows.values():
            region.pop("us-central1", None)
        rows["acme"] = {"us-central1": {"on_demand": 0.5}}

    copy.rows("hubstack/catalog/sources.yaml", source)
    copy.rows("hubstack/catalog/prices.yaml", price)
    plan = copy.plan(accelerator="l4")
    assert plan["models"][0]["usd_per_replica_hour"] == 0.5
    assert "acme-list" in {line["source"] for line in plan["cost"]["lines"]}
    assert copy.touched == named("A price source")
