# SPDX-License-Identifier: Apache-2.0
"""Each model is asked what its task is, at the path where it answers."""

import struct
import zlib
from dataclasses import replace
from typing import Any

import pytest

from hubstack.cli.console import find_model
from hubstack.files.errors import InputError
from hubstack.hub.facts import ModelFacts, TokenizerFacts
from hubstack.kinds import EngineKind
from hubstack.plan import Plan
from hubstack.review.callers import Address
from hubstack.review.connect.snippets import call_of
from hubstack.review.smoke.questions import ask_of, png, wav
from tests.planner.serving.test_companions import adapter
from tests.support.facts import ask, hub, llama, plan

GATEWAY = Address(url="http://10.0.0.9", is_gateway=True)


def questions(facts: ModelFacts, decided: Plan, address: Address = GATEWAY) -> list[dict[str, Any]]:
    (key,) = [model.key for model in decided.models]
    asked, _ = ask_of(decided, {key: facts}, {key: address}, 5, None)
    return asked["models"][0]["questions"] if asked["models"] else []


def of(facts: ModelFacts, **settings: Any) -> list[tuple[str, str]]:
    decided = plan((facts, ask(facts.id, **settings)))
    return [(each["what"], each["url"]) for each in questions(facts, decided)]


@pytest.mark.parametrize(
    ("facts", "asked"),
    [
        (llama(), [("chat", "/v1/chat/completions")]),
        (hub("Qwen/Qwen3-Embedding-0.6B"), [("embedding", "/v1/embeddings")]),
        (hub("nomic-ai/nomic-embed-text-v1.5"), [("embedding", "/v1/embeddings")]),
        (hub("google/gemma-3-27b-it"), [("chat", "/v1/chat/completions"), ("image", "/v1/chat/completions")]),
    ],
    ids=lambda each: each.id if isinstance(each, ModelFacts) else "",
)
def test_a_model_is_asked_by_its_task(facts: ModelFacts, asked: list[tuple[str, str]]) -> None:
    assert of(facts) == [(what, f"http://10.0.0.9{path}") for what, path in asked]


def test_tools_are_asked_where_the_list_sets_a_parser() -> None:
    assert [what for what, _ in of(llama(), tool_call_parser="llama3_json")] == ["chat", "tools"]


def test_each_adapter_is_asked_once_by_its_name_and_a_snippet_names_it() -> None:
    facts, own = llama(), adapter()
    decided = plan((facts, ask(facts.id, lora={"adapters": [own.id]})), beside=(own,))
    base, tuned = questions(facts, decided)
    assert (base["what"], tuned["what"]) == ("chat", "chat, support")
    assert tuned["body"] == base["body"] | {"model": "support"}
    assert (base["repeat"], tuned.get("repeat")) == (5, None)
    (model,) = decided.models
    call = call_of(decided, model, facts, GATEWAY, "support")
    assert (call.model, call.body) == ("support", tuned["body"])
    assert call_of(decided, model, facts, GATEWAY, model.key) == call_of(decided, model, facts, GATEWAY)
    with pytest.raises(InputError, match=f"an adapter: it runs in the servers of `{model.key}`"):
        find_model(decided, "dev", "support")


def test_a_model_without_a_chat_template_completes_a_text() -> None:
    facts = llama(tokenizer=TokenizerFacts(class_name="PreTrainedTokenizerFast"))
    assert [what for what, _ in of(facts)] == ["completion"]


def test_only_the_first_question_is_repeated_and_a_model_at_zero_is_waited_for_as_long_as_its_cold_start() -> None:
    facts = llama()
    decided = plan((facts, ask(facts.id, replicas={"min": 0, "max": 1}, tool_call_parser="llama3_json")))
    (model,) = decided.models
    asked, _ = ask_of(decided, {model.key: facts}, {model.key: GATEWAY}, 5, None)
    assert [each.get("repeat", 1) for each in asked["models"][0]["questions"]] == [5, 1]
    assert model.scaling
    assert asked["models"][0]["timeout"] == model.scaling.activation_timeout_seconds > 300


def test_what_names_no_model_in_its_body_goes_by_the_models_path_and_an_unexposed_path_is_said() -> None:
    ranker = replace(hub("BAAI/bge-large-en-v1.5"), pipeline_tag="text-classification")
    decided = plan((ranker, ask(ranker.id)))
    (model,) = decided.models
    assert model.server.engine is EngineKind.TEI
    (question,) = questions(ranker, decided)
    assert question["url"] == f"http://10.0.0.9/{model.key}/rerank"
    assert "otherwise" not in question, "the gateway does not expose /predict"
    (question,) = questions(ranker, decided, Address(url="http://server:80", is_gateway=False))
    assert (question["url"], question["otherwise"]["url"]) == (
        "http://server:80/rerank",
        "http://server:80/predict",
    )


def test_the_picture_and_the_sound_are_whole_files() -> None:
    picture, sound = png(), wav()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    data = picture[picture.index(b"IDAT") + 4 : picture.index(b"IEND") - 8]
    assert len(zlib.decompress(data)) == 64 * (1 + 64 * 3)
    assert struct.unpack_from("<4sI4s", sound) == (b"RIFF", len(sound) - 8, b"WAVE")
    assert struct.unpack_from("<I", sound, 40)[0] == len(sound) - 44 == 32_000
