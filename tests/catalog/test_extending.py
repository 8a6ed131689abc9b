# SPDX-License-Identifier: Apache-2.0
"""A model family and an engine's container are rows of data; whole recipes: tests/extending/test_recipes.py.

Each test writes the rows into a copy of the catalogue and plans with it, without and with them.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import hubstack.catalog
from hubstack.catalog import Catalog
from hubstack.catalog.loader import read_catalog
from hubstack.files.errors import PlanError
from hubstack.hub.facts import ModelFacts
from hubstack.hub.lock import Lock
from hubstack.inputs.models import Request
from hubstack.plan import ModelPlan
from hubstack.planner.planner import plan_stack
from tests.support.facts import ask, catalog, hub, llama, target

HERE = Path(hubstack.catalog.__file__).parent
Edit = Callable[[Any], None]


@pytest.fixture
def extended(tmp_path: Path) -> Callable[..., Catalog]:
    def extend(**edits: Edit) -> Catalog:
        folder = tmp_path / "catalog"
        shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        for name, edit in edits.items():
            path = folder / f"{name}.yaml"
            data = yaml.safe_load(path.read_text())
            edit(data)
            path.write_text(yaml.safe_dump(data, sort_keys=False))
        return read_catalog(folder)

    return extend


def planned(facts: ModelFacts, using: Catalog, **settings: Any) -> ModelPlan:
    request = Request(path="acme.models.yaml", models=(ask(facts.id, **settings),))
    return plan_stack(request, Lock(path="acme.lock.yaml", models=(facts,)), using, target()).models[0]


def engine(data: Any, name: str) -> Any:
    return next(row for row in data["engines"] if row["id"] == name)


def test_a_model_family_is_a_name_in_the_engines_row(extended: Callable[..., Catalog]) -> None:
    family = llama(
        config={
            "architectures": ["AcmeForCausalLM"],
            "model_type": "llama",
            "hidden_size": 2048,
            "num_hidden_layers": 16,
            "num_attention_heads": 16,
            "num_key_value_heads": 4,
            "vocab_size": 32000,
            "max_position_embeddings": 4096,
        }
    )
    with pytest.raises(PlanError, match="AcmeForCausalLM"):
        planned(family, catalog())

    def name_it(data: Any) -> None:
        engine(data, "vllm")["architectures"] = {"text_generation": ["AcmeForCausalLM"]}

    assert planned(family, extended(engines=name_it)).server.engine == "vllm"


def test_an_engines_container_is_its_row(extended: Callable[..., Catalog]) -> None:
    def other_tags(data: Any) -> None:
        row = engine(data, "tei")
        row["arguments"] = ["serve", "{model_path}", "--listen={port}", "--called={name}"]
        row["health_path"], row["port"] = "/ready", 8400

    facts = hub("BAAI/bge-large-en-v1.5")
    server = planned(facts, extended(engines=other_tags)).server
    assert server.args == ("serve", "/weights", "--listen=8400", "--called=BAAI/bge-large-en-v1.5")
    assert (server.port, server.readiness.path) == (8400, "/ready")
