# SPDX-License-Identifier: Apache-2.0
"""The callers' proxy, as rendered: real Envoy, its rate limit service and its counters."""

import http.client
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hubstack.deploy.callers.pods import callers_objects
from hubstack.deploy.monitoring import list_dashboards
from hubstack.inputs.environment import find_environment
from hubstack.inputs.stack import Stack
from hubstack.plan import Plan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from proof.callers import binaries
from proof.callers.run import CallersProxy
from proof.gateway.binaries import programs
from proof.processes import Child, free_ports

pytestmark = pytest.mark.proof
PROJECT = Path(__file__).resolve().parents[3]
STACK = "tests/deploy/callers/stack"
SERVER = PROJECT / "proof" / "pods" / "openai_server.py"
RESEARCH, SEARCH = "sk-research-0123456789abcdef", "sk-search-0123456789abcdef"
NEXT = "sk-search-fedcba9876543210"
ANSWER_TOKENS = 10
SECONDS = 10.0


def plan() -> Plan:
    """Return the fixture's plan, with limits that a test can reach, and prices that are easy to check."""
    found = plan_inputs(StackInputs.of(Stack.load(find_environment(STACK, PROJECT, PROJECT))))
    assert found.callers
    research, search = found.callers.callers
    prices = {
        key: replace(price, usd_per_million_input=1.0, usd_per_million_output=5000.0)
        for key, price in found.callers.prices.items()
    }
    limited = (
        replace(research, requests_per_minute=None, tokens_per_minute=None, budget_units=120_000),
        replace(search, models=("embeddings",), requests_per_minute=4, budget_units=None),
    )
    return replace(found, callers=replace(found.callers, callers=limited, prices=prices))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mapping[str, int]]:
    """Start the stand-in engine once for each model."""
    folder = tmp_path_factory.mktemp("servers")
    (folder / "weights.safetensors").write_bytes(b"tiny")
    (folder / ".hubstack-complete").write_text(json.dumps({"commit": "c0ffee"}))
    ports = dict(zip(("chat", "embeddings"), free_ports(2), strict=True))
    names = {"chat": ["chat", "Qwen/Qwen3-4B-Instruct-2507"], "embeddings": ["embeddings"]}
    running = [
        Child(
            [sys.executable, SERVER, "serve", folder, "--port", str(port), "--served-model-name", *names[key]],
            folder / f"{key}.log",
            dict(os.environ),
        )
        for key, port in ports.items()
    ]
    yield {f"{key}.models.svc.cluster.local": port for key, port in ports.items()}
    for each in running:
        each.stop(5)


@pytest.fixture
def proxy(servers: Mapping[str, int], tmp_path: Path) -> Generator[CallersProxy]:
    """Start the rendered proxy with a key for each caller."""
    counters = binaries.counters()
    if counters is None:
        pytest.skip("neither valkey-server nor redis-server is installed: apt-get install redis-server")
    local = {
        "proxy": programs() / "envoy",
        "limiter": binaries.limiter(),
        "counters": counters,
        "keys": Path(sys.executable),
        "first-keys": Path(sys.executable),
    }
    started = CallersProxy(callers_objects(plan()), local, servers, tmp_path / "pod")
    (started.secrets / "research").write_text(f"{RESEARCH}\n")
    (started.secrets / "search").write_text(f"{SEARCH}\n")
    try:
        started.start()
        yield started
    finally:
        started.stop()


def ask(
    proxy: CallersProxy, key: str | None, model: str, path: str = "/v1/chat/completions", **more: Any
) -> tuple[int, str, Mapping[str, str]]:
    """Return status, text and headers of a request."""
    body = {"model": model, "messages": [], "input": "text", "max_tokens": 1} | more
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    return send(proxy, path, body, headers)


def send(
    proxy: CallersProxy, path: str, body: Mapping[str, Any], headers: Mapping[str, str]
) -> tuple[int, str, Mapping[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    try:
        connection.request("POST", path, json.dumps(body), dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())
    finally:
        connection.close()


def until(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not become so"
        time.sleep(0.1)


def code_of(text: str) -> str:
    return json.loads(text)["error"]["code"]


def test_a_caller_s_key_reaches_its_models_and_no_other(proxy: CallersProxy) -> None:
    status, text, _ = ask(proxy, RESEARCH, "chat")
    assert (status, json.loads(text)["choices"][0]["finish_reason"]) == (200, "stop")
    assert ask(proxy, RESEARCH, "Qwen/Qwen3-4B-Instruct-2507")[0] == 200
    assert ask(proxy, SEARCH, "embeddings", "/v1/embeddings")[0] == 200
    status, text, _ = ask(proxy, SEARCH, "chat")
    assert (status, code_of(text)) == (403, "model_not_allowed")
    status, text, _ = ask(proxy, SEARCH, "chat", "/chat/v1/chat/completions")
    assert (status, code_of(text)) == (403, "model_not_allowed")


@pytest.mark.parametrize("key", [None, "", "wrong", SEARCH + "x", SEARCH[:-1], "research"])
def test_without_a_valid_key_nothing_is_answered(proxy: CallersProxy, key: str | None) -> None:
    for path in ("/v1/chat/completions", "/chat/v1/models", "/metrics", "/", "/v1/unknown"):
        status, text, _ = ask(proxy, key, "chat", path)
        assert (status, code_of(text)) == (401, "invalid_api_key"), path


def test_a_client_cannot_name_itself_another_caller(proxy: CallersProxy) -> None:
    own = {"authorization": f"Bearer {SEARCH}", "content-type": "application/json"}
    headers = own | {"x-hubstack-caller": "research", "x-hubstack-model": "embeddings"}
    for path in ("/v1/chat/completions", "/chat/v1/chat/completions"):
        assert send(proxy, path, {"model": "chat", "messages": []}, headers)[0] == 403
    # What is no JSON has no model, whatever the header says.
    assert send(proxy, "/v1/chat/completions", {}, headers | {"content-type": "text/plain"})[0] == 404


def test_an_unknown_model_or_path_is_not_found_and_no_administration_is_reachable(proxy: CallersProxy) -> None:
    for model, path in (
        ("unknown", "/v1/chat/completions"),
        ("chat", "/metrics"),
        ("chat", "/stats"),
        ("chat", "/chat/health"),
    ):
        status, text, _ = ask(proxy, RESEARCH, model, path)
        assert (status, code_of(text)) == (404, "model_not_found"), path
    with pytest.raises(urllib.error.HTTPError):
        proxy.status("/config_dump")


def test_too_many_requests_are_refused_and_the_header_says_until_when(proxy: CallersProxy) -> None:
    def statuses() -> list[int]:
        return [ask(proxy, SEARCH, "embeddings", "/v1/embeddings")[0] for _ in range(6)]

    found = statuses()
    if found.count(429) < 2:  # the minute ended in between
        found = statuses()
    assert found.count(429) >= 2
    status, text, headers = ask(proxy, SEARCH, "embeddings", "/v1/embeddings")
    assert (status, code_of(text)) == (429, "rate_limit_exceeded")
    assert 1 <= int(headers["retry-after"]) <= 60
    assert ask(proxy, RESEARCH, "chat")[0] == 200


def test_a_budget_is_used_up_by_the_cost_of_tokens_streamed_or_not(proxy: CallersProxy) -> None:
    # 1 prompt token at 1 USD a million and 10 generated at 5,000: 50,002 units of 120,000, rounded up.
    assert ask(proxy, RESEARCH, "chat", max_tokens=ANSWER_TOKENS)[0] == 200
    status, text, _ = ask(proxy, RESEARCH, "chat", stream=True, max_tokens=ANSWER_TOKENS)
    assert status == 200
    assert text.rstrip().endswith("data: [DONE]")
    assert ask(proxy, RESEARCH, "chat", max_tokens=ANSWER_TOKENS)[0] == 200
    until(lambda: ask(proxy, RESEARCH, "chat")[0] == 429)
    status, text, headers = ask(proxy, RESEARCH, "chat")
    assert (status, code_of(text)) == (429, "rate_limit_exceeded")
    assert 60 < int(headers["retry-after"]) <= 30 * 24 * 3600
    assert ask(proxy, SEARCH, "embeddings", "/v1/embeddings")[0] == 200


def test_a_key_is_rotated_without_a_restart_and_both_are_valid_in_between(proxy: CallersProxy) -> None:
    def status(key: str) -> int:
        return ask(proxy, key, "chat")[0]  # forbidden for this caller, but known: no limit is used up

    before = proxy.pid
    assert (status(SEARCH), status(NEXT)) == (403, 401)
    put(proxy.secrets / "search", f"{NEXT}\n{SEARCH}\n")
    until(lambda: status(NEXT) == 403)
    assert status(SEARCH) == 403
    put(proxy.secrets / "search", f"{NEXT}\n")
    until(lambda: status(SEARCH) == 401)
    assert status(NEXT) == 403
    (proxy.secrets / "search").unlink()
    until(lambda: status(NEXT) == 401)
    assert proxy.pid == before
    assert proxy.status("/ready").strip() == "LIVE"


def put(path: Path, text: str) -> None:
    """Write a file as the kubelet does: all of it at once."""
    fresh = path.with_name("..new")
    fresh.write_text(text)
    fresh.replace(path)


def test_usage_is_counted_by_caller_under_the_names_that_the_dashboard_asks_for(proxy: CallersProxy) -> None:
    assert ask(proxy, RESEARCH, "chat", max_tokens=10)[0] == 200
    assert ask(proxy, RESEARCH, "chat", stream=True, max_tokens=10)[0] == 200
    assert ask(proxy, SEARCH, "embeddings", "/v1/embeddings")[0] == 200
    assert ask(proxy, SEARCH, "chat")[0] == 403

    def used() -> dict[str, float]:
        row = r'^hubstack_caller_used\{caller="(.+?)",model="(.+?)",used="(.+?)"\} (.+)$'
        return {"/".join(each[:3]): float(each[3]) for each in re.findall(row, proxy.metrics(), re.MULTILINE)}

    until(lambda: used().get("research/chat/requests") == 2, 20)
    found = used()
    assert found["research/chat/input"] == 2
    assert found["research/chat/output"] == 20
    assert found["research/chat/cost"] == 2 * (1 + 10 * 5000 + 1)
    assert found["search/embeddings/requests"] == 1
    assert not any(each.startswith("search/chat") for each in found)
    asked = set(re.findall(r"hubstack_caller_\w+", str(list_dashboards(plan())[0].content)))
    exported = set(re.findall(r"^# TYPE (hubstack_caller_\w+)", proxy.metrics(), re.MULTILINE))
    assert asked - exported <= {"hubstack_caller_limit_refused"}  # nothing was refused yet
    assert {"hubstack_caller_used", "hubstack_caller_limit_hits"} <= exported


def test_without_counters_requests_pass_and_keys_are_still_checked(proxy: CallersProxy) -> None:
    proxy.stop_counting()
    assert ask(proxy, RESEARCH, "chat")[0] == 200
    assert ask(proxy, "wrong", "chat")[0] == 401
    assert ask(proxy, SEARCH, "chat")[0] == 403


def test_no_key_is_in_a_log_or_reaches_a_model(proxy: CallersProxy, tmp_path: Path) -> None:
    put(proxy.secrets / "search", f"{NEXT}\n{SEARCH}\nshort\n{RESEARCH}\n")
    until(lambda: ask(proxy, NEXT, "chat")[0] == 403)
    assert ask(proxy, RESEARCH, "chat")[0] == 200
    said = proxy.logs()
    assert "search 2" in said
    assert "key 3 is shorter than 20 characters" in said
    assert "key 4 is also a key of research" in said
    assert not [key for key in (RESEARCH, SEARCH, NEXT) if key in said]
    assert not subprocess.run(
        ["grep", "-rl", NEXT, str(tmp_path / "pod" / "config")], check=False, capture_output=True
    ).stdout
