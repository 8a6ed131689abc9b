# SPDX-License-Identifier: Apache-2.0
"""Models planned for Cloud Run and for Vertex AI: the same sizing and flags, other machines, other refusals."""

from pathlib import Path
from typing import Any

import pytest

from hubstack.files.errors import InputError, PlanError
from hubstack.hub.lock import Lock
from hubstack.inputs.models import Request, load_request
from hubstack.inputs.settings import StackSettings
from hubstack.inputs.what_if import change_request
from hubstack.kinds import EngineKind, Ingress, PlatformKind
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.gateway import GatewayPlan
from hubstack.planner.placement.placement_file import Placement
from hubstack.planner.planner import places_of, plan_stack
from tests.support.facts import GIB, ask, catalog, file, hub, llama, plan, plan_one, target

RUN, VERTEX = PlatformKind.CLOUD_RUN, PlatformKind.VERTEX
SMALL, LARGE, HUGE = "Qwen/Qwen3-4B-Instruct-2507", "Qwen/Qwen3-32B", "Qwen/Qwen2.5-72B-Instruct"


def run(repo_id: str, where: StackSettings | None = None, **settings: Any) -> ModelPlan:
    return plan_one(hub(repo_id), where, **{"platform": RUN, "replicas": {"min": 0}, **settings})


def refused(tmp_path: Path, text: str, **place: Any) -> list[str]:
    """Plan a list and return what is refused, as it is printed."""
    path = tmp_path / "acme.models.yaml"
    path.write_text(text)
    request = load_request(path, "acme.models.yaml")
    lock = Lock(path="x", models=tuple(hub(model.id, revision=model.revision) for model in request.models))
    with pytest.raises(InputError) as caught:
        plan_stack(request, lock, catalog(), target(**place))
    return [problem.render().splitlines()[0] for problem in caught.value.problems]


def test_a_small_model_takes_the_least_instance_with_an_l4() -> None:
    model = run(SMALL)
    assert model.cloud_run
    assert (model.cloud_run.accelerator, model.cloud_run.vcpu, model.cloud_run.memory_gib) == ("nvidia-l4", 4, 16)
    assert model.cloud_run.usd_per_instance_hour == pytest.approx(1.04652)
    assert (model.capacity_class, model.accelerator_count, model.hosts) == ("", 1, 1)


def test_a_model_that_outgrows_an_l4_takes_an_rtx_pro_6000() -> None:
    model = run(LARGE)
    assert model.cloud_run
    assert (model.cloud_run.accelerator, model.cloud_run.vcpu, model.cloud_run.memory_gib) == (
        "nvidia-rtx-pro-6000",
        20,
        80,
    )
    assert model.cloud_run.usd_per_instance_hour == pytest.approx(1.314792 + 20 * 0.0648 + 80 * 0.0072)
    assert any("61.0 GiB" in other.why for other in model.rejected)


def _without(args: tuple[str, ...], flag: str) -> list[str]:
    at = args.index(flag)
    return [*args[:at], *args[at + 2 :]]


def test_memory_context_and_flags_are_those_of_gke_on_the_same_card() -> None:
    here, there = run(SMALL), plan_one(hub(SMALL), accelerator="l4")
    assert here.need == there.need
    assert here.server.image == there.server.image
    # Cloud Run leaves ten seconds to finish answers, a node as many as the grace period has.
    assert _without(here.server.args[1:], "--shutdown-timeout") == _without(
        there.server.args[1:], "--shutdown-timeout"
    )
    assert here.server.args[0] == f"/weights/{here.commit}", "the engine sees one commit's folder of the bucket"


def test_a_template_is_looked_for_in_the_commits_folder() -> None:
    args = run(SMALL, chat_template="chat.jinja").server.args
    assert args[args.index("--chat-template") + 1].startswith("/weights/0123456789")


def test_engines_are_chosen_by_the_same_rules() -> None:
    assert run("Qwen/Qwen3-Embedding-0.6B").server.engine is EngineKind.TEI
    model = llama(files=(file("m.Q4_K_M.gguf", 800_000_000), file("config.json")), library="gguf", config={})
    gguf = plan_one(model, platform=RUN, replicas={"min": 0})
    assert gguf.server.engine is EngineKind.LLAMA_CPP
    assert gguf.server.args[1] == f"/weights/{gguf.commit}/m.Q4_K_M.gguf"
    assert gguf.cloud_run
    assert gguf.cloud_run.concurrency == 2, "llama.cpp has as many slots as sequences were asked for"


def test_a_model_that_fits_no_single_gpu_is_refused_with_the_figure() -> None:
    with pytest.raises(PlanError, match=r"needs 13\d\.\d GiB per accelerator.*, but only \d\d\.\d GiB") as caught:
        run(HUGE)
    assert "hint: set `platform: gke`" in str(caught.value)


def test_a_large_file_takes_an_instance_with_more_memory() -> None:
    """Ten gigabytes in one file: 16 GiB do not hold its load."""
    facts = llama(
        files=(file("model.safetensors", 11 * GIB), file("config.json")), parameters={"BF16": 5_900_000_000}
    )
    model = plan_one(facts, platform=RUN, replicas={"min": 0})
    assert model.cloud_run
    assert (model.cloud_run.vcpu, model.cloud_run.memory_gib) == (6, 24)
    assert (model.cloud_run.loader.vcpu, model.cloud_run.loader.memory_gib) == (8, 32)


def test_a_file_that_no_job_holds_is_refused_with_the_figure() -> None:
    facts = llama(
        files=(file("model.safetensors", 15 * GIB), file("config.json")), parameters={"BF16": 8_000_000_000}
    )
    with pytest.raises(
        PlanError, match=r"a 15\.0 GiB file: a Cloud Run Job needs twice that in memory, and has at most 32 GiB"
    ):
        plan_one(facts, platform=RUN, replicas={"min": 0})


def test_startup_allows_for_the_load_and_stays_within_cloud_runs_limits() -> None:
    for repo_id in (SMALL, LARGE):
        model = run(repo_id)
        assert model.cloud_run
        period, failures = model.cloud_run.startup_period_seconds, model.cloud_run.startup_failure_threshold
        assert period <= 240
        assert model.server.load_seconds < period * failures <= 1800
        assert model.cloud_run.timeout_seconds <= 3600


def test_idle_costs_the_bucket_and_busy_every_instance() -> None:
    decided = plan((hub(SMALL), ask(SMALL, platform=RUN, replicas={"min": 0, "max": 3})))
    compute, bucket = decided.cost.lines
    assert (compute.usd_per_month_min, compute.usd_per_month_max) == (0, round(3 * 1.04652 * 730, 2))
    assert decided.cost.usd_per_month_min == bucket.usd_per_month_min
    assert not decided.pools


def test_without_a_rate_busy_is_unknown_and_never_nothing() -> None:
    decided = plan((hub(SMALL), ask(SMALL, platform=RUN, replicas={"min": 0})), where=target(region="europe-west4"))
    compute = decided.cost.lines[0]
    assert (compute.usd_per_month_min, compute.usd_per_month_max) == (0, None)
    assert decided.cost.unpriced
    held = plan((hub(SMALL), ask(SMALL, platform=RUN)), where=target(region="europe-west4")).cost.lines[0]
    assert held.usd_per_month_min is None, "one instance always runs"


def test_only_a_stack_with_gke_models_pays_for_a_cluster() -> None:
    light = (hub(SMALL), ask(SMALL, platform=RUN, replicas={"min": 0}))
    assert "cluster" not in {line.item for line in plan(light).cost.lines}
    assert "cluster" in {line.item for line in plan(light, hub("Qwen/Qwen3-8B")).cost.lines}


def test_models_stay_sorted_over_all_platforms_and_gkes_alone_have_places() -> None:
    decided = mixed()
    assert [model.key for model in decided.models] == sorted(model.key for model in decided.models)
    assert list(places_of(decided)) == ["qwen3-8b"]
    assert {model.key for pool in decided.pools for model in decided.models if model.key in pool.models} == {
        "qwen3-8b"
    }


def mixed() -> Plan:
    embed = "Qwen/Qwen3-Embedding-0.6B"
    return plan(
        hub("Qwen/Qwen3-8B"),
        (hub(SMALL), ask(SMALL, platform=RUN, replicas={"min": 0})),
        (hub(embed), ask(embed, platform=VERTEX)),
    )


def test_a_light_model_changes_nothing_of_the_gke_ones() -> None:
    alone = {model.key: model for model in plan(hub("Qwen/Qwen3-8B")).models}
    assert next(model for model in mixed().models if model.key == "qwen3-8b") == alone["qwen3-8b"]


def test_who_may_call_comes_from_the_stack_and_is_closed_by_default() -> None:
    closed = run(SMALL).cloud_run
    assert closed
    assert (closed.ingress, closed.invokers) == (Ingress.INTERNAL, ())
    opened = run(SMALL, target(run_ingress=Ingress.ALL, run_invokers=("group:a@example.com",))).cloud_run
    assert opened
    assert (opened.ingress, opened.invokers) == (Ingress.ALL, ("group:a@example.com",))


@pytest.mark.parametrize(
    ("region", "settings", "warning"),
    [
        ("asia-south1", {}, "by invitation only"),
        ("us-central1", {}, "or by invitation only"),
        ("us-east4", {"replicas": {"max": 4}}, "4 instances exceed the default quota of 3"),
        ("us-east4", {}, "needs driver 580, but Cloud Run's NVIDIA L4 has 535"),
        ("us-central1", {"accelerator": "rtx-pro-6000"}, "in preview"),
    ],
)
def test_what_is_not_certain_is_a_warning(region: str, settings: dict[str, Any], warning: str) -> None:
    assert any(warning in each for each in run(SMALL, target(region=region), **settings).warnings)


def test_an_old_driver_is_helped_by_vllms_compatibility_package() -> None:
    assert ("VLLM_ENABLE_CUDA_COMPATIBILITY", "1") in run(SMALL).server.env
    assert "VLLM_ENABLE_CUDA_COMPATIBILITY" not in dict(run(LARGE).server.env)


HEAD = f"models:\n  - id: {SMALL}\n    platform: cloud-run\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("capacity: [spot, on-demand]", "`capacity` is not supported on cloud-run: it has no nodes to buy"),
        ("share_gpu: true", "`share_gpu` is not supported on cloud-run: each server gets its own GPU"),
        ("expert_parallel: true", "`expert_parallel` is not supported on cloud-run: a server runs on one GPU"),
        ("lora: {slots: 2}", "`lora` is not supported on cloud-run: only a cluster's loader stages adapters"),
        ("canary: {revision: next, weight: 5}", "`canary` is not supported on cloud-run: only a cluster's gateway"),
        ("accelerator: tpu-v6e", "cloud-run has no `tpu-v6e`"),
        ("accelerator: h100-80gb", "cloud-run has no `h100-80gb`"),
        (
            "accept_eula: true",
            "`accept_eula` applies to Model Garden only: on cloud-run the weights come from the Hub",
        ),
    ],
)
def test_a_setting_without_sense_is_refused_at_its_line(tmp_path: Path, line: str, message: str) -> None:
    (problem,) = refused(tmp_path, f"{HEAD}    {line}\n")
    assert problem.startswith("acme.models.yaml:4:")
    assert message in problem


def test_a_default_that_makes_no_sense_is_refused_where_it_stands(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, f"defaults:\n  capacity: [spot]\n{HEAD}")
    assert problem.startswith("acme.models.yaml:2:13: `capacity` is not supported on cloud-run")
    path = tmp_path / "fine.models.yaml"
    path.write_text(f"defaults:\n  capacity: [spot]\n{HEAD}    capacity: [on-demand]\n")
    assert load_request(path).models[0].settings.platform is RUN


def test_a_region_without_the_gpu_is_refused_with_those_that_have_it(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, HEAD, region="europe-west3")
    assert problem == ("acme.models.yaml:3:15: Cloud Run has no l4 or rtx-pro-6000 in europe-west3")
    (problem,) = refused(tmp_path, f"{HEAD}    accelerator: rtx-pro-6000\n", region="us-east4")
    assert "Cloud Run has no rtx-pro-6000 in us-east4" in problem


def test_a_misspelt_platform_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"models:\n  - id: {SMALL}\n    platform: cloudrun\n")
    with pytest.raises(InputError, match=r"must be one of gke, cloud-run, vertex, not") as caught:
        load_request(path, "a.yaml")
    assert "did you mean `cloud-run`?" in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("replicas: {min: 0, max: 1}", "keeps at least one replica"),
        ("revision: v1", "Model Garden does not accept a revision"),
        ("engine: sglang", "`engine` is not supported on vertex"),
        ("kv_cache_dtype: fp8", "`kv_cache_dtype` is not supported on vertex"),
        ("accelerator: rtx-pro-6000", "vertex has no `rtx-pro-6000`"),
        ("tool_call_parser: hermes", "`tool_call_parser` is not supported on vertex"),
    ],
)
def test_what_vertex_cannot_do_is_refused_at_its_line(tmp_path: Path, lines: str, message: str) -> None:
    (problem,) = refused(tmp_path, f"models:\n  - id: {SMALL}\n    platform: vertex\n    {lines}\n")
    assert problem.startswith("acme.models.yaml:4:")
    assert message in problem


def test_a_vertex_deployment_has_a_whole_machine_no_price_and_its_caveats() -> None:
    model = plan_one(hub(SMALL), platform=VERTEX, accept_eula=True)
    assert model.vertex
    assert (model.vertex.accelerator_type, model.vertex.accelerator_count) == ("NVIDIA_L4", 1)
    assert model.vertex.machine_type == model.machine_type
    assert model.usd_per_replica_hour is None
    assert not any("$" in reason.text for reason in model.reasons)
    said = " ".join(model.warnings)
    for caveat in ("does not accept a revision", "does not read", "replaces the deployment", "no Vertex AI prices"):
        assert caveat in said
    assert "accept_eula" not in said
    assert (model.server.args, model.weights.files, model.weights.prefix) == ((), (), "")


def test_vertex_takes_several_cards_of_a_whole_machine() -> None:
    model = plan_one(hub(HUGE), platform=VERTEX, accelerator={"any": ["a100-80gb", "h100-80gb"]})
    assert model.vertex
    machine = catalog().machine_types[model.machine_type]
    assert model.vertex.accelerator_count == machine.accelerator_count > 1


def test_a_gated_model_says_where_its_token_goes() -> None:
    facts = hub("meta-llama/Llama-3.3-70B-Instruct")
    model = plan_one(facts, platform=VERTEX)
    assert model.vertex
    assert model.vertex.needs_token
    assert any("Hub token" in warning for warning in model.warnings)


def test_what_if_moves_a_model_to_cloud_run() -> None:
    path, facts = "acme.models.yaml", hub(SMALL)
    request = change_request(Request(path=path, models=(ask(SMALL),)), ["platform=cloud-run", "replicas.min=0"])
    decided = plan_stack(request, Lock(path="x", models=(facts,)), catalog(), target(), Placement())
    assert decided.models[0].platform is RUN
    assert decided.cost.usd_per_month_min < 1


def test_a_gateway_leads_to_gke_models_only_and_is_not_made_without_one() -> None:
    there = target(gateway=GatewayPlan(timeout_seconds=900))
    light = (hub(SMALL), ask(SMALL, platform=RUN, replicas={"min": 0}))
    both = plan(light, hub("Qwen/Qwen3-8B"), where=there)
    assert both.gateway is not None
    assert any("on GKE only, not qwen3-4b-instruct-2507" in warning for warning in both.warnings)
    alone = plan(light, where=there)
    assert alone.gateway is None
    assert "no model runs on GKE, so no gateway is created" in alone.warnings
