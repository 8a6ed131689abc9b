# SPDX-License-Identifier: Apache-2.0
"""Every flag that hubstack writes is one that the pinned engine has, with a value that it takes.

The lists were read from the wheels (tools/engine_facts): to import the parsers needs the libraries of CUDA.
"""

from typing import Any

import pytest

from hubstack.catalog.engine_flags import EngineFlags, engine_flags
from hubstack.files.errors import PlanError
from hubstack.kinds import EngineKind
from hubstack.plan import ModelPlan, ServerPlan
from tests.support.facts import catalog, file, hub, hub_ids, llama, made, plan_one, steps

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
GGUF = made(files=(file("m-Q4_K_M.gguf", 5_000_000_000),), pipeline_tag="text-generation")
NEVER_ON_VLLM = {"nvidia/Qwen3-8B-NVFP4"}  # the sources give no architectures


def flags_of(engine: str, version: str | None = None) -> EngineFlags:
    return engine_flags(catalog().engine_at(engine, version))


def check(server: ServerPlan, args: tuple[str, ...] | None = None) -> None:
    given = args or server.args
    flags = given if given[0].startswith("--") else given[1:]
    assert flags_of(server.engine, server.version).faults(flags) == []


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
        check(model.server)
    # Only some are mixtures of experts, or have layers to draft with.
    assert len(on_vllm) > (2 if {"expert_parallel", "speculative"} & asked.keys() else 15)


OTHERS = [(kind, version) for kind in EngineKind for version in catalog().engine_versions[kind]]
"""Every version that a list can name besides the default."""


@pytest.mark.parametrize(("kind", "version"), OTHERS, ids=str)
def test_the_flags_of_another_version_are_those_that_it_has(kind: EngineKind, version: str) -> None:
    pinned = {"engine": {"kind": kind, "version": version}}
    plans = [planned(repo_id, **pinned, **asked) for repo_id in sorted(hub_ids()) for asked in ASKED[:4]]
    plans += [plan_one(GGUF, **pinned)] if kind is EngineKind.LLAMA_CPP else []
    found = [model for model in plans if model]
    for model in found:
        check(model.server)
        assert (model.server.engine, model.server.version) == (kind, version)
        assert version in model.server.image
    assert found


def test_a_replica_over_nodes_tells_them_of_each_other() -> None:
    server = plan_one(hub("deepseek-ai/DeepSeek-V3")).server
    check(server)
    assert server.worker_args == (*server.args, "--headless")
    check(server, server.worker_args)
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
    assert fault in flags_of("vllm").faults(args)


def test_flags_and_names_are_of_the_pinned_releases() -> None:
    for name in ("vllm", "sglang"):
        engine = catalog().engines[name]
        assert engine.release is not None
        assert engine.version == engine.release.version == flags_of(name).version


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
        check(model.server)
        assert model.server.args[model.server.args.index("--served-model-name") + 1] == model.id
    assert len(on_tei) >= 3


def test_what_tei_would_refuse_is_named() -> None:
    assert flags_of("tei").faults(["--dtype", "bfloat16"]) == ["--dtype does not accept bfloat16"]
    assert flags_of("tei").faults(["--pooling", "first"]) == ["--pooling does not accept first"]
