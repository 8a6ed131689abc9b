# SPDX-License-Identifier: Apache-2.0
"""What a benchmark asks of the load tool, and which of its results it believes."""

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest

from hubstack.files.errors import InputError
from hubstack.inputs.measured import Measurement
from hubstack.plan import ModelPlan
from hubstack.review.bench.load import Load, Server, loads_of, read_result, tool_command
from hubstack.review.callers import address_problem
from tests.planner.performance.test_traffic import traffic
from tests.support.facts import ask, hub, plan_one

CHAT, EMBEDDING = "Qwen/Qwen3-4B-Instruct-2507", "Qwen/Qwen3-Embedding-0.6B"
TOOL = ("vllm", "bench", "serve")
SERVER = Server(url="http://127.0.0.1:8000", name="chat", tokenizer="/weights")
RESULT: dict[str, Any] = {
    # The fields of vllm/benchmarks/serve.py (0.33.0) that are read, from a run of 8 requests.
    "model_id": "chat",
    "completed": 8,
    "failed": 0,
    "total_input_tokens": 8001,
    "total_output_tokens": 2400,
    "request_throughput": 1.1919,
    "median_ttft_ms": 33.90123,
    "p99_ttft_ms": 307.99,
    "median_tpot_ms": 2.41,
    "p99_tpot_ms": 5.63,
}
LOAD = Load(input_tokens=1000, prefix_tokens=0, output_tokens=300, concurrency=1, requests=8, seed=1)


def read(result: Any, load: Load = LOAD, model: ModelPlan | None = None) -> Measurement:
    text = result if isinstance(result, str) else json.dumps(result)
    day = dt.date(2026, 11, 30)
    return read_result(
        text, model or plan_one(hub(CHAT)), load, accelerator=None, date=day, tool="vllm bench serve"
    )


def flag(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def test_a_single_client_and_the_planned_peak_are_measured() -> None:
    model = plan_one(hub(CHAT), traffic=traffic(5.0))
    assert model.performance is not None
    assert model.performance.traffic is not None
    loads = loads_of(model, ask(CHAT, traffic=traffic(5.0)), hub(CHAT), seed=7)
    assert [load.concurrency for load in loads] == [1, model.performance.traffic.sequences]
    assert {(load.input_tokens, load.output_tokens) for load in loads} == {(1500, 300)}
    assert all(load.requests >= max(16, 4 * load.concurrency) for load in loads)


def test_no_two_runs_send_the_same_prompts() -> None:
    loads = loads_of(plan_one(hub(CHAT)), ask(CHAT), hub(CHAT), seed=7, concurrency=[1, 4, 16])
    assert len({load.seed for load in loads}) == 3


def test_a_shared_prefix_is_part_of_the_prompt_and_not_added_to_it() -> None:
    asked = traffic(5.0, prefix_percent=40.0)
    load = loads_of(plan_one(hub(CHAT), traffic=asked), ask(CHAT, traffic=asked), hub(CHAT), seed=1)[0]
    words = tool_command(TOOL, SERVER, load, "/results", "r.json")
    assert flag(words, "--random-prefix-len") == "600"
    assert flag(words, "--random-input-len") == "900"


def test_an_embedding_model_is_asked_for_embeddings() -> None:
    load = loads_of(plan_one(hub(EMBEDDING)), ask(EMBEDDING), hub(EMBEDDING), seed=1)[0]
    words = tool_command(TOOL, SERVER, load, "/results", "r.json")
    assert flag(words, "--endpoint") == "/v1/embeddings"
    assert "--random-output-len" not in words


def test_a_ranker_is_refused_with_its_line() -> None:
    ranker = hub(EMBEDDING, pipeline_tag="text-ranking")
    with pytest.raises(InputError, match="is for text-ranking: the load tool") as caught:
        loads_of(plan_one(hub(EMBEDDING)), ask(EMBEDDING), ranker, seed=1)
    assert "acme.models.yaml:3:5" in str(caught.value)


def test_a_result_becomes_a_row() -> None:
    found = read(RESULT)
    assert found.requests_per_second == 1.192
    assert found.first_token_ms is not None
    assert (found.first_token_ms.median, found.first_token_ms.p99) == (33.9, 308.0)
    assert found.max_num_seqs == 64
    assert found.setup.accelerator == plan_one(hub(CHAT)).accelerator


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"failed": 2, "completed": 6}, "2 of 8 requests for `chat` failed"),
        ({"completed": 6}, "2 of 8 requests for `chat` failed"),
        ({"total_output_tokens": 456}, "answers had 57 tokens on average instead of 300"),
        ({"total_input_tokens": 16000}, "prompts had 2,000 tokens on average instead of 1,000"),
        ({"median_tpot_ms": 0.0}, "the answers held no text"),
        ({"request_throughput": float("nan")}, "not positive numbers"),
        ({"request_throughput": 0.0}, "not positive numbers"),
        ({"completed": float("inf")}, "cannot be used"),
        ({"request_throughput": None}, "cannot be used"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_result_that_measured_something_else_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(RESULT | change)
    assert message in str(caught.value)
    assert "nothing was recorded" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"words"', "{}"])
def test_what_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="cannot be used"):
        read(text)


@pytest.mark.parametrize(
    "url",
    [
        "http://u:p@h",
        "http://@h",
        "http://h?key=1",
        "http://h#x",
        "http://h\n",
        "http://h\x1b[2J",
        "http://h:x",
        "http://[::1",
        "https://",
        "//h",
        "",
    ],
)
def test_what_is_no_address_of_a_server_is_refused(url: str) -> None:
    assert address_problem(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://models.acme.example/v1", "http://[::1]:80"])
def test_an_address_of_a_server_is_accepted(url: str) -> None:
    assert address_problem(url) is None


def test_answers_of_one_token_have_no_time_between_tokens() -> None:
    result = RESULT | {"total_output_tokens": 8, "median_tpot_ms": 0.0, "p99_tpot_ms": 0.0}
    assert read(result, replace(LOAD, output_tokens=1)).token_ms is None
