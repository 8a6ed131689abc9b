# SPDX-License-Identifier: Apache-2.0
"""Every flag that hubstack writes is one that vLLM 0.33.0 has, with a value that it takes.

The list was read from the wheel (benchmarks/vllm_flags.py): to import the parser needs the libraries of CUDA.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubstack.kinds import EngineKind
from hubstack.plan import ModelPlan
from tests.support.facts import catalog, hub, hub_ids, llama, plan_one, steps

INTEGERS = {"--port", "--tensor-parallel-size", "--pipeline-parallel-size", "--max-model-len", "--max-num-seqs",
            "--max-num-batched-tokens", "--nnodes", "--max-loras", "--kv-cache-memory-bytes"}  # fmt: skip
ASKED: list[dict[str, Any]] = [
    {},
    {"kv_cache_dtype": "fp8"},
    {"lora_slots": 4, "lora_rank": 64},
    {"tool_call_parser": "hermes", "reasoning_parser": "qwen3", "chat_template": "chat_template.jinja"},
    {"speculative_method": "ngram", "speculative_tokens": 4},
    {"speculative_method": "mtp", "speculative_tokens": 1},
    {"share_gpu": True},
    {"expert_parallel": True},
    {"capacity": steps("spot", "on-demand"), "replicas_max": 3},
]
NEVER_ON_VLLM = {"nvidia/Qwen3-8B-NVFP4"}  # the sources give no architectures


@cache
def known() -> dict[str, Any]:
    return yaml.safe_load((Path(__file__).parents[2] / "support" / "vllm_flags.yaml").read_text())


def check(args: tuple[str, ...]) -> None:
    rest = list(args[1:])
    while rest:
        flag = rest.pop(0)
        assert flag in known()["flags"], flag
        if known()["flags"][flag] == "switch":
            continue
        values: list[str] = []
        while rest and not rest[0].startswith("--"):
            values.append(rest.pop(0))
        assert values, f"{flag} has no value"
        if flag in INTEGERS:
            assert int(values[0]) > 0
        elif flag == "--gpu-memory-utilization":
            assert 0 < float(values[0]) < 1
        elif flag == "--kv-cache-dtype":
            assert values[0] in known()["kv_cache_dtype"]
        elif flag == "--max-lora-rank":
            assert int(values[0]) in known()["max_lora_rank"]
        elif flag in {"--hf-overrides", "--speculative-config"}:
            json.loads(values[0])
        assert len(values) == 1 or flag == "--served-model-name"


def served(model: ModelPlan) -> bool:
    return model.server.engine is EngineKind.VLLM


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: ",".join(asked) or "plain")
def test_the_flags_of_every_known_model_are_accepted(asked: dict[str, Any]) -> None:
    checked = 0
    for repo_id in sorted(set(hub_ids()) - NEVER_ON_VLLM):
        plain = plan_one(hub(repo_id))
        if served(plain):
            model = plan_one(hub(repo_id), **asked)
            check(model.server.args)
            checked += 1
    assert checked > 15


def test_a_replica_over_nodes_tells_them_of_each_other() -> None:
    server = plan_one(hub("deepseek-ai/DeepSeek-V3")).server
    check(server.args)
    assert server.worker_args == (*server.args, "--headless")
    check(server.worker_args)
    assert server.args[server.args.index("--node-rank") + 1] == "$(LWS_WORKER_INDEX)"


def test_a_flag_of_another_engine_would_be_found() -> None:
    with pytest.raises(AssertionError, match="--context-length"):
        check(("/weights", "--context-length", "8192"))
    with pytest.raises(AssertionError, match="has no value"):
        check(("/weights", "--max-model-len"))


def test_the_catalogue_knows_the_parsers_of_the_wheel() -> None:
    vllm = catalog().engines["vllm"]
    assert list(vllm.tool_call_parsers) == known()["tool_call_parsers"]
    assert list(vllm.reasoning_parsers) == known()["reasoning_parsers"]
    assert vllm.version in known()["source"]


def test_a_shared_card_is_cut_and_no_server_measures_its_neighbours() -> None:
    args = plan_one(llama(), share_gpu=True, replicas_max=8).server.args
    share = float(args[args.index("--gpu-memory-utilization") + 1])
    assert share <= 0.45
    assert int(args[args.index("--kv-cache-memory-bytes") + 1]) > 0
