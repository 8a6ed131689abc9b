# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects of adapters and draft models: their Jobs, where servers find them, which names lead there."""

import json
from dataclasses import replace

import pytest

from hubstack.deploy import manifests
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.gateway import GatewayMode, GatewayPlan
from hubstack.plan.images import ImagesPlan
from hubstack.plan.loading import LoadingMethod
from hubstack.planner.images import place_images
from hubstack.planner.model_plan import LOADER_IMAGE
from tests.planner.serving.test_companions import OTHER, adapter, head
from tests.support.facts import ask, llama, plan, target

GATED = replace(head(), commit="d" * 40, gated="manual")


def decided(mode: GatewayMode = GatewayMode.SERVICES, **settings: object) -> Plan:
    given = {
        "lora": {"adapters": ["acme/support"]},
        "speculative": {"method": "eagle3", "model": "acme/head"},
        **settings,
    }
    where = target(gateway=GatewayPlan(mode=mode, timeout_seconds=600))
    return plan((llama(), ask("acme/llama", **given)), where=where, beside=(adapter(), GATED))


def first(found: Plan) -> ModelPlan:
    return next(model for model in found.models if model.canary_of is None)


def test_each_is_copied_by_a_job_of_its_own_with_its_hashes_and_facts_for_policies() -> None:
    found = decided()
    loads = manifests.companion_loads(first(found))
    assert sorted(loads) == ["draft", "support"]
    jobs = {name: manifests.companion_job(found.target, load) for name, load in loads.items()}
    command = jobs["support"]["spec"]["template"]["spec"]["containers"][0]["command"][-1]
    assert f"--target /weights/companions/{OTHER}" in command
    told = json.loads(manifests.loader_config(found.target, loads["support"])["data"]["manifest.json"])
    assert (told["repo_id"], told["commit"]) == ("acme/support", OTHER)
    assert {each["path"]: each["sha256"] for each in told["files"]}["adapter_model.safetensors"] == "a" * 64
    notes = jobs["support"]["metadata"]["annotations"]
    assert notes["hubstack.dev/model"] == "acme/support"
    assert notes["hubstack.dev/weights-format"] == "safetensors"
    own = manifests.loader_job(found.target, first(found))
    names = [job["metadata"]["name"] for job in (own, *jobs.values())]
    assert len(set(names)) == 3


def test_their_jobs_run_the_image_that_the_lock_pins() -> None:
    images = ImagesPlan(mirrors={}, has_remote_repositories=False, digests={LOADER_IMAGE: f"sha256:{'1' * 64}"})
    placed = place_images(first(decided()), images)
    loads = manifests.companion_loads(placed)
    assert {load.weights.loader_image for load in loads.values()} == {placed.weights.loader_image}
    assert "sha256:" in placed.weights.loader_image


def test_only_a_gated_companion_gets_the_hub_token() -> None:
    found = decided()
    loads = manifests.companion_loads(first(found))
    mounted = {
        name: [
            each["name"]
            for each in manifests.companion_job(found.target, load)["spec"]["template"]["spec"]["volumes"]
        ]
        for name, load in loads.items()
    }
    assert "token" in mounted["draft"]
    assert "token" not in mounted["support"]
    assert first(found).needs_token


@pytest.mark.parametrize("loading", ["gcsfuse", "runai-streamer", "hyperdisk-ml"])
def test_a_server_mounts_them_beside_its_weights_whatever_loads_these(loading: str) -> None:
    more = {"accelerator": "h100-80gb"} if loading == "hyperdisk-ml" else {}
    found = decided(loading=loading, **more)
    model = first(found)
    assert model.loading.method is LoadingMethod(loading)
    template = manifests.deployment(found.target, model)["spec"]["template"]
    (volume,) = [each for each in template["spec"]["volumes"] if each["name"] == "companions"]
    options = volume["csi"]["volumeAttributes"]["mountOptions"].split(",")
    assert "only-dir=companions" in options
    assert volume["csi"]["readOnly"] is True
    (mount,) = [each for each in template["spec"]["containers"][0]["volumeMounts"] if each["name"] == "companions"]
    assert mount == {"name": "companions", "mountPath": "/companions", "readOnly": True}
    assert template["metadata"]["annotations"]["gke-gcsfuse/volumes"] == "true"


@pytest.mark.parametrize("mode", list(GatewayMode))
def test_the_gateway_sends_an_adapters_name_to_its_models_servers(mode: GatewayMode) -> None:
    found = decided(mode)
    model, traffic, gateway = first(found), found.traffic, found.gateway
    assert traffic
    assert gateway
    rule = manifests.route(found.target, gateway, traffic, model, None)["spec"]["rules"][0]
    names = [match["headers"][0]["value"] for match in rule["matches"]]
    assert names == ["llama", "acme/llama", "support"]
    assert found.endpoints["support"] == found.endpoints["llama"]


def test_a_canary_serves_the_same_adapters_of_the_same_copies() -> None:
    other = replace(llama(), revision="next", commit="e" * 40)
    asked = ask("acme/llama", lora={"adapters": ["acme/support"]})
    second = ask(
        "acme/llama", key="llama-canary", canary_of="llama", lora={"adapters": ["acme/support"]}, revision="next"
    )
    found = plan(
        (llama(), asked),
        (other, second),
        where=target(gateway=GatewayPlan(timeout_seconds=600)),
        beside=(adapter(),),
    )
    paths = {model.key: model.server.args[model.server.args.index("--lora-modules") + 1] for model in found.models}
    assert set(paths.values()) == {f"support=/companions/{OTHER}"}
    assert found.traffic
    assert found.traffic.names == {"llama": ("llama", "acme/llama", "support")}
