# SPDX-License-Identifier: Apache-2.0
"""Settings that the model itself contradicts are refused before anything is created."""

from typing import Any

import pytest

from hubstack.hub.facts import ModelFacts
from hubstack.planner.engines.spec import EngineChoice, Refusal
from hubstack.planner.model.geometry import read_geometry
from hubstack.planner.model.weights import choose_files
from hubstack.planner.serving.choose_engine import choose_engine
from tests.support.facts import ask, catalog, file, llama, made

FILES = (
    file("config.json"),
    file("merges.txt"),
    file("model.safetensors", 2_000_000_000),
    file("tokenizer.json"),
    file("tool_use.jinja"),
)
EMBEDDER = made(
    config={"architectures": ["BertModel"], "model_type": "bert"},
    pipeline_tag="feature-extraction",
    parameters={"BF16": 300_000_000},
)


def choose(facts: ModelFacts, **settings: Any) -> EngineChoice | list[Refusal]:
    request = ask(facts.id, **settings)
    return choose_engine(request, facts, read_geometry(facts), choose_files(facts, gguf_file=None), catalog())


def of(model_type: str, **config: Any) -> ModelFacts:
    facts = llama()
    return made(
        config={**facts.config, "model_type": model_type, **config},
        pipeline_tag="text-generation",
        parameters={"BF16": 8_000_000_000},
    )


@pytest.mark.parametrize(
    ("facts", "field", "settings", "why"),
    [
        (llama(files=FILES), "chat_template", {"chat_template": "tool_us.jinja"}, "does not have at this commit"),
        (llama(files=FILES), "chat_template", {"chat_template": "config.json"}, "not a Jinja template"),
        (llama(files=FILES), "chat_template", {"chat_template": "model.safetensors"}, "not a Jinja template"),
        (llama(), "speculative", {"speculative": {"method": "mtp"}}, "no prediction layer"),
        (of("qwen3"), "speculative", {"speculative": {"method": "mtp"}}, "no prediction layer"),
        (llama(), "expert_parallel", {"expert_parallel": True}, "not a mixture of experts"),
        (EMBEDDER, "engine", {"engine": "vllm", "speculative": {"method": "ngram"}}, "generates no text"),
        (EMBEDDER, "engine", {"engine": "vllm", "reasoning_parser": "qwen3"}, "generates no text"),
        (EMBEDDER, "engine", {"engine": "vllm", "tool_call_parser": "hermes"}, "generates no text"),
        (llama(files=FILES), "engine", {"engine": "tei"}, "tei only embeds"),
    ],
)
def test_a_setting_that_the_model_contradicts_is_refused_with_its_reason(
    facts: ModelFacts, field: str, settings: dict[str, Any], why: str
) -> None:
    refusals = choose(facts, **settings)
    assert isinstance(refusals, list), refusals
    assert [why in each.why for each in refusals] == [True], refusals
    if field != "engine":
        assert refusals[0].field == field


def test_a_template_that_is_nearly_there_is_suggested() -> None:
    refusals = choose(llama(files=FILES), chat_template="tool_us.jinja")
    assert isinstance(refusals, list)
    assert "`tool_use.jinja`" in (refusals[0].hint or "")


@pytest.mark.parametrize(
    ("facts", "settings"),
    [
        (llama(files=FILES), {"chat_template": "tool_use.jinja"}),
        (llama(files=()), {"chat_template": "unlisted.jinja"}),
        (of("glm4_moe", num_nextn_predict_layers=1, n_routed_experts=8), {"speculative": {"method": "mtp"}}),
        (of("qwen3_next"), {"speculative": {"method": "mtp"}}),
        (llama(), {"speculative": {"method": "ngram"}}),
        (of("mixtral", num_local_experts=8), {"expert_parallel": True}),
    ],
)
def test_what_the_model_has_or_the_lock_does_not_know_is_accepted(
    facts: ModelFacts, settings: dict[str, Any]
) -> None:
    choice = choose(facts, **settings)
    assert isinstance(choice, EngineChoice), choice
