# SPDX-License-Identifier: Apache-2.0
"""The bill of models: what stands in it, that it is CycloneDX, and that equal inputs give equal bytes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from hubstack.hub.facts import FileFacts, ModelFacts
from hubstack.planner.inputs import StackInputs
from hubstack.review.sbom.bom import bom_text
from hubstack.review.sbom.command import bill as bill_of
from tests.support import golden
from tests.support.facts import file, llama, plan

SHA = "c" * 64
FILES = (
    FileFacts(path="config.json", size_bytes=700, git_oid="b" * 40),
    FileFacts(path="model.safetensors", size_bytes=2_000_000_000, sha256=SHA),
)


def bill(*models: ModelFacts) -> dict[str, Any]:
    decided = plan(*models)
    by_key = {model.key: facts for model in decided.models for facts in models if facts.id == model.id}
    return json.loads(valid(bom_text(decided, by_key, {})))


def valid(text: str) -> str:
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert wrong is None, str(wrong)[:500]
    return text


def model_of(told: dict[str, Any]) -> dict[str, Any]:
    (one,) = [each for each in told["components"] if each["type"] == "machine-learning-model"]
    return one


def texts(example: str) -> str:
    return bill_of(StackInputs.load(golden.environment(example)))


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_the_bill_of_an_example_is_valid_and_names_every_model_at_its_commit(example: str) -> None:
    told = json.loads(valid(texts(example)))
    wanted = {
        (f"model/{each['key']}", each["commit"])
        for each in json.loads(golden.golden_path(example, "plan").read_text())["models"]
    }
    held = {(c["bom-ref"], c["version"]) for c in told["components"] if c["type"] == "machine-learning-model"}
    assert held == wanted
    for component in told["components"]:
        if component["type"] == "machine-learning-model":
            assert PackageURL.from_string(component["purl"]).version == component["version"]
    assert Bom.from_json(told) is not None, "the library reads back what it wrote"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_every_image_that_is_registered_is_in_the_bill(example: str) -> None:
    graph = golden.read_graph(example)
    images = set[str]()

    def look(value: Any) -> None:
        if isinstance(value, dict):
            images.update(value[key] for key in ("image",) if isinstance(value.get(key), str))
            for item in value.values():
                look(item)
        elif isinstance(value, list):
            for item in value:
                look(item)

    look([each.get("inputs") for each in graph["resources"] if "helm.sh" not in each["type"]])
    told = json.loads(texts(example))
    assert {c["bom-ref"] for c in told["components"] if c["type"] == "container"} == {f"image/{i}" for i in images}
    charts = {each["inputs"]["version"] for each in graph["resources"] if "helm.sh" in each["type"]}
    assert {c["version"] for c in told["components"] if c["bom-ref"].startswith("chart/")} == charts


def test_a_model_has_its_hashes_licence_card_and_ancestors() -> None:
    facts = llama(
        "acme/tuned", files=FILES, base_models=("meta-llama/Llama-3.1-8B",), datasets=("acme/talks", "allenai/c4")
    )
    one = model_of(bill(facts))
    assert one["purl"] == f"pkg:huggingface/acme/tuned@{facts.commit}"
    assert (one["group"], one["name"]) == ("acme", "tuned")
    assert one["licenses"] == [{"license": {"id": "Apache-2.0", "acknowledgement": "declared"}}]
    files = {each["name"]: each for each in one["components"]}
    assert files["model.safetensors"]["hashes"] == [{"alg": "SHA-256", "content": SHA}]
    assert "hashes" not in files["config.json"], "a git object id is no hash of the content"
    assert [a["purl"] for a in one["pedigree"]["ancestors"]] == ["pkg:huggingface/meta-llama/Llama-3.1-8B"]
    card = one["modelCard"]["modelParameters"]
    assert card["task"] == "text-generation"
    assert card["modelArchitecture"] == "LlamaForCausalLM"
    assert [each["name"] for each in card["datasets"]] == ["acme/talks", "allenai/c4"]


@pytest.mark.parametrize(
    ("said", "licenses"),
    [
        ({"license": "apache-2.0"}, [{"id": "Apache-2.0"}]),
        ({"license": "llama3.3"}, [{"name": "llama3.3"}]),
        ({"license": "other", "license_name": "acme-1"}, [{"name": "acme-1"}]),
        ({"license": "other"}, [{"name": "other"}]),
        ({"license": "mit, gemma"}, [{"id": "MIT"}, {"name": "gemma"}]),
        ({"license": None}, None),
    ],
)
def test_a_licence_is_an_spdx_id_where_it_is_one_and_else_its_own_name(
    said: dict[str, Any], licenses: list[dict[str, str]] | None
) -> None:
    held = model_of(bill(llama(files=FILES, **said))).get("licenses")
    told = held and [{k: v for k, v in each["license"].items() if k != "acknowledgement"} for each in held]
    assert (told and sorted(told, key=str)) == (licenses and sorted(licenses, key=str))


def test_nothing_is_said_that_the_lock_does_not_hold() -> None:
    one = model_of(bill(llama(pipeline_tag="text-generation")))
    assert "pedigree" not in one
    assert "components" not in one
    assert "datasets" not in one["modelCard"]["modelParameters"]
    assert any("not in the lock" in each["value"] for each in one["properties"])


def test_hostile_names_stay_texts() -> None:
    facts = llama(
        files=(*FILES, file("tokenizer.json"), file("<script>.json")),
        base_models=("a b/../c", "x"),
        datasets=('"; drop',),
        license="<b>",
    )
    assert model_of(bill(facts))["licenses"][0]["license"]["name"] == "<b>"


def test_no_time_is_written_and_the_serial_number_follows_from_the_content() -> None:
    first, again = bill(llama(files=FILES)), bill(llama(files=FILES))
    other = bill(llama(files=FILES, license="mit"))
    assert first == again
    assert "timestamp" not in first["metadata"]
    assert first["serialNumber"] != other["serialNumber"]


def test_the_order_of_the_list_and_of_hashes_change_nothing() -> None:
    one, two = llama("acme/one", files=FILES), llama("acme/two", files=FILES)
    assert bill(one, two) == bill(two, one)
    written = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "hubstack", "sbom", "examples/production"],
            cwd=golden.PROJECT,
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        )
        written.add(done.stdout)
    assert len(written) == 1


def test_the_command_writes_bill_and_page(tmp_path: Path) -> None:
    for arguments in (["--output", "b.json", "--page", "p.html"], ["--page", "p.md"]):
        subprocess.run(
            [
                sys.executable,
                "-m",
                "hubstack",
                "sbom",
                "examples/quickstart",
                "--project",
                str(golden.PROJECT),
                *arguments,
            ],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            env={"PYTHONPATH": str(golden.PROJECT)},
        )
    valid((tmp_path / "b.json").read_text())
    assert (tmp_path / "p.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "p.md").read_text().startswith("# quickstart")


def test_own_weights_are_named_by_their_folder_generations_and_checksums() -> None:
    files = (
        FileFacts(path="config.json", size_bytes=700, generation=7, crc32c="AAAAAA==", md5="d" * 32),
        FileFacts(path="model.safetensors", size_bytes=2_000_000_000, generation=8, crc32c="BBBBBB=="),
        FileFacts(path="tokenizer.json", size_bytes=700, generation=9, crc32c="CCCCCC=="),
    )
    told = bill(llama("gs://acme-tunes/support/v3", files=files))
    one = model_of(told)
    purl = PackageURL.from_string(one["purl"])
    assert (purl.type, purl.name) == ("generic", "v3")
    assert purl.qualifiers == {"download_url": "gs://acme-tunes/support/v3"}
    config, weights, _ = one["components"]
    assert config["hashes"] == [{"alg": "MD5", "content": "d" * 32}]
    assert "hashes" not in weights, "an object of parts has a CRC32C only"
    assert {"name": "hubstack:generation", "value": "8"} in weights["properties"]
    assert {"name": "hubstack:crc32c", "value": "BBBBBB=="} in weights["properties"]
    assert not any(each["bom-ref"].startswith("package/") for each in told["components"]), (
        "its loader installs none"
    )
