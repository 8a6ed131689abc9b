# SPDX-License-Identifier: Apache-2.0
"""A server that has to go finishes its answers, within what its platform gives; the grace counts every wait."""

from typing import Any

import pytest

from hubstack.deploy.manifests.multi_host import leader_worker_set
from hubstack.kinds import EngineKind, PlatformKind
from hubstack.planner.serving.shutdown import Shutdown, plan_shutdown
from tests.support.facts import ask, catalog, file, hub, llama, made, plan, plan_one, steps

GGUF = made(files=(file("m-Q4_K_M.gguf", 5_000_000_000),), pipeline_tag="text-generation")
TEXTS = hub("BAAI/bge-large-en-v1.5")


def stop(engine: EngineKind, answer: int = 200, **settings: Any) -> Shutdown:
    request = ask("acme/model", **settings)
    return plan_shutdown(catalog().engines[engine.value], request, answer, catalog().termination)


@pytest.mark.parametrize("kind", list(EngineKind))
@pytest.mark.parametrize("capacity", [("on-demand",), ("spot",), ("spot", "on-demand")])
def test_the_grace_counts_wait_answers_and_end(kind: EngineKind, capacity: tuple[str, ...]) -> None:
    times = stop(kind, capacity=steps(*capacity))
    assert times.pre_stop + times.drain < times.grace


def test_an_engine_that_drains_waits_for_the_balancers_and_then_finishes() -> None:
    assert stop(EngineKind.VLLM) == Shutdown(pre_stop=20, drain=200, grace=225)


def test_an_engine_that_cuts_its_streams_is_told_only_when_they_are_through() -> None:
    assert stop(EngineKind.LLAMA_CPP) == Shutdown(pre_stop=220, drain=0, grace=225)


def test_spot_gives_25_seconds_in_all() -> None:
    assert stop(EngineKind.VLLM, capacity=steps("spot")) == Shutdown(pre_stop=15, drain=5, grace=25)
    assert stop(EngineKind.VLLM, capacity=steps("spot", "on-demand")).grace == 225, "one step may be none of Spot"


def test_cloud_run_gives_10_seconds_and_no_wait() -> None:
    for kind in (EngineKind.VLLM, EngineKind.LLAMA_CPP):
        times = stop(kind, platform=PlatformKind.CLOUD_RUN)
        assert (times.pre_stop, times.drain, times.grace) == (0, 5, 10)


def test_vllm_is_told_how_long_it_may_take() -> None:
    server = plan_one(hub("Qwen/Qwen3-32B")).server
    assert server.args[server.args.index("--shutdown-timeout") + 1] == str(server.drain_seconds)
    assert "--shutdown-timeout" not in plan_one(TEXTS).server.args


def test_the_workers_of_a_group_outlive_the_answers_of_its_leader() -> None:
    facts = hub("deepseek-ai/DeepSeek-V3")
    made_plan = plan((facts, ask(facts.id)))
    model = made_plan.models[0]
    template = leader_worker_set(made_plan.target, model)["spec"]["leaderWorkerTemplate"]
    waits = [
        template[pod]["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        for pod in ("leaderTemplate", "workerTemplate")
    ]
    assert waits == [model.server.pre_stop_seconds, model.server.pre_stop_seconds + model.server.drain_seconds]
    assert waits[1] < template["workerTemplate"]["spec"]["terminationGracePeriodSeconds"]


# What the container runs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "settings", "command"),
    [
        (llama(), {}, ("vllm", "serve")),
        (llama(), {"engine": EngineKind.SGLANG}, ("python3", "-m", "sglang.launch_server")),
        (TEXTS, {}, ("text-embeddings-router",)),
        (GGUF, {}, ("/app/llama-server",)),
        (hub("Qwen/Qwen3-8B"), {"engine": EngineKind.VLLM_TPU}, ("vllm", "serve")),
    ],
    ids=["vllm", "sglang", "tei", "llama-cpp", "vllm-tpu"],
)
def test_every_server_says_what_it_runs_and_a_gpu_server_where_its_driver_is(
    facts: Any, settings: dict[str, Any], command: tuple[str, ...]
) -> None:
    model = plan_one(facts, **settings)
    server, env = model.server, dict(model.server.env)
    assert server.command == command or server.command[0] == "/bin/sh"
    assert server.command, "an image's entry point may not serve"
    if model.accelerator_kind == "gpu":
        assert env["LD_LIBRARY_PATH"] == "/usr/local/nvidia/lib64:/usr/local/cuda/lib64"
        assert env["LIBRARY_PATH"] == "/usr/local/nvidia/lib64"
    else:
        assert "LD_LIBRARY_PATH" not in env
    assert ("/usr/local/nvidia/bin" in env.get("PATH", "")) is (server.engine is EngineKind.TEI)
