# SPDX-License-Identifier: Apache-2.0
"""Every flag that hubstack writes is one that the pinned engine has, with a value that it takes.

The lists were read from the wheels (tools/engine_facts): to import the parsers needs the libraries of CUDA.
"""

from typing import Any

import pytest

from hubstack.catalog.engine_flags import engine_flags
from hubstack.files.errors import PlanError
from hubstack.kinds import EngineKind
from hubstack.plan import ModelPlan
from tests.support.facts import catalog, hub, hub_ids, llama, plan_one, steps

ASKED: list[dict[str, Any]] = [
    {},
    {"kv_cache_dtype": "fp8"},
    {"lora": {"slots": 4, "rank": 64}},
    {"tool_call_parser": "hermes", "reasoning_parser": "qwen3", "chat_template": "chat_template.jinja"},
    {"speculative": {"method": "ngram", "tokens": 4}},
    {"speculative": {"method": "mtp", "tokens": 1}},
    {"share_gpu": True},
    {"expert_parallel": True},
    {"capacity": steps("spot", "on-demand"), "replicas": {"max": 3}},
]
NEVER_ON_VLLM = {"nvidia/Qwen3-8B-NVFP4"}  # the sources give no architectures


def check(args: tuple[str, ...], release: str = "vllm") -> None:
    flags = args if args[0].startswith("--") else args[1:]
    assert engine_flags(release).faults(flags) == []


def planned(repo_id: str, **asked: Any) -> ModelPlan | None:
    """Return the plan of a model, None where a setting contradicts what it is."""
    try:
        return plan_one(hub(repo_id), **asked)
    except PlanError:
        return None


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: ",".join(asked) or "plain")
def test_the_flags_of_every_known_model_are_accepted(asked: dict[str, Any]) -> None:
    models = [planned(repo_id, **asked) for repo_id in sorted(set(hub_ids()) - NEVER_ON_VLLM)]
    on_vllm = [model for model in models if model and model.server.engine is EngineKind.VLLM]
    for model in on_vllm:
        check(model.server.args)
    # Only some are mixtures of experts, or have layers to draft with.
    assert len(on_vllm) > (2 if {"expert_parallel", "speculative"} & asked.keys() else 15)


def test_a_replica_over_nodes_tells_them_of_each_other() -> None:
    server = plan_one(hub("deepseek-ai/DeepSeek-V3")).server
    check(server.args)
    assert server.worker_args == (*server.args, "--headless")
    check(server.worker_args)
    assert server.args[server.args.index("--node-rank") + 1] == "$(LWS_WORKER_INDEX)"


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (["--context-length", "8192"], "--context-length is unknown"),
        (["--max-model-len"], "--max-model-len needs a value"),
        (["--tensor-parallel-size", "two"], "--tensor-parallel-size needs a value of type int, not two"),
        (["--load-format", "safetensors", "--kv-cache-dtype", "fp7"], "--kv-cache-dtype does not accept fp7"),
        (["--enable-expert-parallel", "yes"], "--enable-expert-parallel takes no value, but got yes"),
        (["--hf-overrides", "{x"], "--hf-overrides needs a value of type json, not {x"),
    ],
)
def test_what_the_parser_would_refuse_is_named(args: list[str], fault: str) -> None:
    assert fault in engine_flags("vllm").faults(args)


def test_flags_and_names_are_of_the_pinned_releases() -> None:
    for name in ("vllm", "sglang"):
        engine = catalog().engines[name]
        assert engine.release is not None
        assert engine.version == engine.release.version == engine_flags(name).version


def test_a_shared_card_is_cut_and_no_server_measures_its_neighbours() -> None:
    args = plan_one(llama(), share_gpu=True, replicas={"max": 8}).server.args
    share = float(args[args.index("--gpu-memory-utilization") + 1])
    assert share <= 0.45
    assert int(args[args.index("--kv-cache-memory-bytes") + 1]) > 0


@pytest.mark.parametrize(
    "asked", [{}, {"context": 128}, {"share_gpu": True}], ids=lambda asked: ",".join(asked) or "plain"
)
def test_tei_has_every_flag_that_it_is_given(asked: dict[str, Any]) -> None:
    models = [planned(repo_id, **asked) for repo_id in sorted(hub_ids())]
    on_tei = [model for model in models if model and model.server.engine is EngineKind.TEI]
    for model in on_tei:
        check(model.server.args, "tei")
        assert model.server.args[model.server.args.index("--served-model-name") + 1] == model.id
    assert len(on_tei) >= 3


def test_what_tei_would_refuse_is_named() -> None:
    assert engine_flags("tei").faults(["--dtype", "bfloat16"]) == ["--dtype does not accept bfloat16"]
    assert engine_flags("tei").faults(["--pooling", "first"]) == ["--pooling does not accept first"]
