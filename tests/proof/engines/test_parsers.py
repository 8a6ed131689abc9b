# SPDX-License-Identifier: Apache-2.0
"""The command line of every container, through the engine's own parser of the release that is deployed.

vLLM's and SGLang's parsers are their Python (of vLLM on TPU: of the same release as built for processors), run
without a GPU; llama.cpp's is its server. TEI's router is in no registry: its flags are read from its source
(tests/planner/serving/test_engine_flags.py).
"""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hubstack.kinds import EngineKind
from proof.engines.install import Engines
from proof.engines.parsers import refusals
from tests.planner.serving.test_companions import adapter, head, with_adapters, with_head
from tests.planner.serving.test_engine_flags import ASKED, planned
from tests.support.facts import catalog, file, hub_ids, made, plan_one
from tests.support.golden import EXAMPLES, golden_path

pytestmark = pytest.mark.proof

RELEASES = {"vllm": "vllm", "vllm-tpu": "vllm-tpu", "sglang": "sglang", "llama-cpp": "llama-server"}
"""Engine to the release whose parser is asked."""
GGUF = made(files=(file("m-Q4_K_M.gguf", 5_000_000_000),), pipeline_tag="text-generation")
WRONG = {
    "vllm": ["/weights", "--max-model-length", "8192"],
    "vllm-tpu": ["/weights", "--tensor-parallel-size", "two"],
    "sglang": ["--model-path", "/weights", "--max-model-len", "8192"],
    "llama-cpp": ["--model", "/weights/m.gguf", "--max-model-len", "8192"],
}
"""A command line that each must refuse, or its answer to the others would mean nothing."""


TEMPLATE = "/weights/chat_template.jinja"
"""A file of the model, which vLLM's parser looks for."""


def words_of(command: Sequence[str], args: Sequence[str]) -> list[str] | None:
    """Return what the engine's parser gets; None for a container that serves nothing (Ray's workers)."""
    if list(command) == ["/bin/sh", "-c"]:
        line = re.search(r"exec vllm serve (.*)$", args[0], re.MULTILINE)
        return shlex.split(line[1]) if line else None
    # The kubelet puts the values in: the rank of a node, the address of its leader.
    return [re.sub(r"\$\(LWS_\w+\)", lambda found: "1" if "INDEX" in found[0] else "leader", word) for word in args]


def of_examples(engine: str) -> Iterator[tuple[str, list[str]]]:
    for example in EXAMPLES:
        for model in json.loads(golden_path(example, "plan").read_text())["models"]:
            server = model["server"]
            for name in ("args", "worker_args"):
                words = words_of(server["command"], server[name]) if server[name] else None
                if server["engine"] == engine and words:
                    yield f"{example} {model['key']} {name}", words


def of_known_models(engine: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the arguments of every model that the tests know, with every setting that changes them."""
    wanted: dict[str, Any] = {} if engine == "vllm" else {"engine": EngineKind(engine)}
    for repo_id in sorted(hub_ids()):
        for asked in ASKED:
            model = planned(repo_id, **asked, **wanted)
            words = words_of(model.server.command, model.server.args) if model else None
            if model and model.server.engine == engine and words:
                yield f"{repo_id} {sorted(asked)}", words


def of_companions() -> Iterator[tuple[str, list[str]]]:
    """Yield the arguments of servers with adapters, also more than places, and with every kind of draft model."""
    plans = [
        with_adapters(adapter("acme/a"), adapter("acme/b", r=64)),
        with_adapters(*(adapter(f"acme/a{number}") for number in range(10)), slots=2),
        with_head(head()),
        with_head(head(weights="pytorch_model.bin"), allow_pickle=True, loading="runai-streamer"),
        with_head(head(architectures=["LlamaForCausalLM"]), speculative={"method": "eagle"}),
        with_head(head(architectures=["LlamaForCausalLM"]), speculative={"method": "draft_model"}),
    ]
    yield from ((f"companions {number}", list(model.server.args)) for number, model in enumerate(plans))


def commands(engine: str) -> dict[str, list[str]]:
    found = dict(of_examples(engine))
    if engine == "llama-cpp":
        made_plans = [plan_one(GGUF), plan_one(GGUF, concurrency=8), plan_one(GGUF, context=4096, share_gpu=True)]
        return found | {f"gguf {i}": list(model.server.args) for i, model in enumerate(made_plans)}
    return found | dict(of_known_models(engine)) | (dict(of_companions()) if engine == "vllm" else {})


@pytest.mark.parametrize("engine", RELEASES)
def test_every_container_is_accepted_by_its_engines_parser(engines: Engines, engine: str, tmp_path: Path) -> None:
    asked = commands(engine)
    template = tmp_path / "chat_template.jinja"
    template.write_text("{{ messages }}")
    lines = [[str(template) if word == TEMPLATE else word for word in words] for words in asked.values()]
    said = refusals(engines, RELEASES[engine], [*lines, WRONG[engine]])
    assert said[-1], "the parser accepts everything"
    refused = {label: why for label, why in zip(asked, said, strict=False) if why}
    assert refused == {}
    assert len(asked) >= (3 if engine == "llama-cpp" else 15)


ENGINE_ARGS = {
    "vllm": {
        "max-logprobs": 50,
        "enable-prefix-caching": False,
        "disable-fastapi-docs": True,
        "limit-mm-per-prompt": {"image": 2},
        "override-generation-config": {"temperature": 0.2},
        "allowed-origins": ["https://a.example", "https://b.example"],
        "tokenizer-mode": "slow",
        "seed": 7,
    },
    "sglang": {"random-seed": 7, "schedule-policy": "lpm", "disable-radix-cache": True, "log-level": "warning"},
    "llama-cpp": {"no-mmap": True, "threads-http": 4, "temp": 0.2, "jinja": True},
}
"""`engine_args:` of each kind of value."""


def versions_with_a_parser() -> list[tuple[str, str | None]]:
    others = [(engine, version) for engine in ("vllm", "sglang") for version in catalog().engine_versions[engine]]
    return [("vllm", None), ("sglang", None), ("llama-cpp", None), *others]


@pytest.mark.parametrize(("engine", "version"), versions_with_a_parser(), ids=str)
def test_engine_args_and_other_versions_are_accepted(engines: Engines, engine: str, version: str | None) -> None:
    pinned = {"engine": {"kind": engine, **({"version": version} if version else {})}}
    args = ENGINE_ARGS[engine]
    if engine == "llama-cpp":
        plans = [plan_one(GGUF, **pinned, engine_args=args)]
    else:
        names = sorted(hub_ids()) if version else ["Qwen/Qwen3-8B"]
        plans = [planned(name, **pinned, **asked) for name in names for asked in ({}, {"engine_args": args})]
    servers = [model.server for model in plans if model and model.server.engine == engine]
    lines = [words_of(server.command, server.args) or [] for server in servers]
    said = refusals(engines, RELEASES[engine], [*lines, WRONG[engine]], version)
    assert said[-1], "the parser accepts everything"
    assert [why for why in said[:-1] if why] == []
    assert lines
