# SPDX-License-Identifier: Apache-2.0
"""What the engines on a processor are made of, without installing them."""

import tomllib
from pathlib import Path

import pytest
import yaml

from proof.engines.models import model_files, model_gguf

PROJECT = Path(__file__).resolve().parents[3]
ENGINES = PROJECT / "proof" / "engines"


def test_the_python_of_vllm_is_that_of_the_catalogue() -> None:
    release = yaml.safe_load((PROJECT / "hubstack" / "catalog" / "releases" / "vllm.yaml").read_text())
    (line,) = (line for line in (ENGINES / "vllm.txt").read_text().splitlines() if not line.startswith("#"))
    assert line == f"vllm=={release['version']} --hash=sha256:{release['sha256']}"


def test_the_transformers_they_run_with_are_those_that_the_release_allows() -> None:
    release = yaml.safe_load((PROJECT / "hubstack" / "catalog" / "releases" / "vllm.yaml").read_text())
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
