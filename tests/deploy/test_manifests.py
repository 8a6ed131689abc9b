# SPDX-License-Identifier: Apache-2.0
"""A plan's Kubernetes objects: what makes servers start, stay private, and find their weights.

What it cannot prove: that an API server takes them (the sandbox does) or that GKE's own webhooks do.
"""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hubstack.deploy import manifests
from hubstack.deploy.manifests.bench import bench_objects, server_url
from hubstack.plan import ModelPlan
from tests.support.plans import CHAT, CLASSES, EMBED, GATED, GIB, MODELS, TPU, make_plan

PLAN = make_plan()
OPTIONS = "mountOptions"


def server_pod(model: ModelPlan, **changes: object) -> dict:
    plan = replace(PLAN, **changes)
    return manifests.deployment(plan.target, model)["spec"]["template"]["spec"]


def loader_pod(model: ModelPlan) -> dict:
    return manifests.loader_job(PLAN.target, model)["spec"]["template"]["spec"]


def volume(pod: dict, name: str) -> dict:
    return next(volume for volume in pod["volumes"] if volume["name"] == name)


def options(pod: dict) -> list[str]:
    return volume(pod, "weights")["csi"]["volumeAttributes"][OPTIONS].split(",")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.key)
def test_a_server_runs_only_on_the_pools_of_its_class(model: ModelPlan) -> None:
    pod = server_pod(model)
    assert pod["nodeSelector"]["cloud.google.com/compute-class"] == model.capacity_class
    tolerated = {toleration["key"] for toleration in pod["tolerations"]}
    assert tolerated == {"cloud.google.com/compute-class", model.server.accelerator_resource}


def test_a_tpu_server_names_chip_and_topology_and_takes_all_chips_of_its_node() -> None:
    pod = server_pod(TPU)
    assert pod["nodeSelector"]["cloud.google.com/gke-tpu-accelerator"] == "tpu-v6e-slice"
    assert pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"] == "2x4"
    assert pod["containers"][0]["resources"]["limits"]["google.com/tpu"] == "8"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.key)
def test_accelerators_and_memory_are_limited_to_what_is_requested(model: ModelPlan) -> None:
    resources = server_pod(model)["containers"][0]["resources"]
    assert {
        key: value for key, value in resources["requests"].items() if key not in {"cpu", "ephemeral-storage"}
    } == resources["limits"]


@pytest.mark.parametrize(
    ("surge", "expected"), [(0, {"maxSurge": 0, "maxUnavailable": 1}), (1, {"maxSurge": 1, "maxUnavailable": 0})]
)
def test_a_rollout_takes_a_second_accelerator_only_where_the_plan_has_one(surge: int, expected: dict) -> None:
    strategy = manifests.deployment(PLAN.target, replace(CHAT, max_surge=surge))["spec"]["strategy"][
        "rollingUpdate"
    ]
    assert strategy == expected


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.key)
def test_a_healthy_load_is_never_a_failed_rollout(model: ModelPlan) -> None:
    window = model.server.startup.period_seconds * model.server.startup.failure_threshold
    assert (
        manifests.deployment(PLAN.target, model)["spec"]["progressDeadlineSeconds"]
        > window
        >= model.server.load_seconds
    )


def test_ranks_share_memory_and_a_single_one_needs_none() -> None:
    assert volume(server_pod(GATED), "shm")["emptyDir"] == {"medium": "Memory", "sizeLimit": str(8 * GIB)}
    assert [v["name"] for v in server_pod(CHAT)["volumes"]] == ["weights", "tmp"]


def test_a_server_sees_the_folder_of_its_commit_and_cannot_write_there() -> None:
    weights = volume(server_pod(CHAT), "weights")["csi"]
    assert weights["readOnly"] is True
    assert weights["volumeAttributes"]["bucketName"] == "acme-models-test-test-chat"
    assert f"only-dir={CHAT.commit}" in options(server_pod(CHAT))


def test_weights_are_cached_on_the_node_where_they_fit_its_disk() -> None:
    assert f"file-cache:max-size-mb:{16 * 1024 + 64}" in options(server_pod(CHAT))
    assert not any(option.startswith("file-cache") for option in options(server_pod(GATED))), (
        "140 GiB on a disk of 200 GiB would evict the pod"
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.key)
def test_mounted_files_belong_to_the_user_that_reads_them(model: ModelPlan) -> None:
    for pod in (server_pod(model), loader_pod(model)):
        user = pod["securityContext"]["runAsUser"]
        assert {f"uid={user}", f"gid={user}"} <= set(options(pod))


def test_a_loader_writes_where_the_server_reads() -> None:
    container = loader_pod(CHAT)["containers"][0]
    assert f"--target /weights/{CHAT.weights.prefix} " in container["command"][-1]
    assert volume(loader_pod(CHAT), "weights")["csi"]["readOnly"] is False


def test_a_loader_brings_disks_for_the_largest_file() -> None:
    for name in ("scratch", "gke-gcsfuse-buffer"):
        claim = volume(loader_pod(CHAT), name)["ephemeral"]["volumeClaimTemplate"]["spec"]
        assert claim["resources"]["requests"]["storage"] == "10Gi"
    large = replace(CHAT, weights=replace(CHAT.weights, largest_file_bytes=100 * GIB))
    claim = volume(loader_pod(large), "scratch")["ephemeral"]["volumeClaimTemplate"]["spec"]
    assert claim["resources"]["requests"]["storage"] == "104Gi"


def test_a_loader_takes_no_accelerator() -> None:
    pod = loader_pod(GATED)
    assert "tolerations" not in pod
    assert pod["containers"][0]["resources"]["limits"].keys() == {"memory"}


@pytest.mark.parametrize(("codes", "ends_with", "runs"), [("3", 3, 1), ("5 5 0", 0, 3), ("5 1 4", 4, 3)])
def test_a_refusal_ends_the_job_and_a_passing_failure_does_not(
    codes: str, ends_with: int, runs: int, tmp_path: Path
) -> None:
    shell, flag, retry, *_ = loader_pod(CHAT)["containers"][0]["command"]
    (tmp_path / "sleep").write_text("#!/bin/sh\n")
    (tmp_path / "sleep").chmod(0o755)
    (tmp_path / "codes").write_text("\n".join(codes.split()))
    script = "echo ran >> runs; code=$(head -n 1 codes); sed -i 1d codes; exit $code"
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        [shell, flag, retry, "retry", "sh", "-c", script], cwd=tmp_path, env={"PATH": path}, check=False
    )
    assert done.returncode == ends_with
    assert len((tmp_path / "runs").read_text().splitlines()) == runs


def test_a_pod_that_fails_ends_the_job_unless_its_node_went() -> None:
    spec = manifests.loader_job(PLAN.target, CHAT)["spec"]
    assert spec["backoffLimit"] == 0, "pulumi-kubernetes knows no other reason than BackoffLimitExceeded"
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert loader_pod(CHAT)["restartPolicy"] == "Never", "the API refuses a failure policy otherwise"


def test_only_a_gated_loader_is_given_the_token_and_as_a_file() -> None:
    def env(model: ModelPlan) -> dict[str, str]:
        return {entry["name"]: entry["value"] for entry in loader_pod(model)["containers"][0]["env"]}

    assert env(GATED)["HF_TOKEN_PATH"] == "/var/run/secrets/hub/token"
    assert volume(loader_pod(GATED), "token")["csi"]["driver"] == "secrets-store-gke.csi.k8s.io"
    assert "HF_TOKEN_PATH" not in env(CHAT)
    assert all("TOKEN" not in name for model in MODELS for name, _ in model.server.env)
    assert not [v for v in server_pod(GATED)["volumes"] if v["name"] == "token"], "a server never needs it"


def test_the_locked_hashes_reach_the_loader() -> None:
    told = json.loads(manifests.loader_config(PLAN.target, CHAT)["data"]["manifest.json"])
    assert told["commit"] == CHAT.commit
    assert [(f["path"], f["sha256"], f["git_oid"]) for f in told["files"]] == [
        ("config.json", None, "b" * 40),
        ("model.safetensors", "c" * 64, None),
    ]
    assert told["exclude"] == ["original/*"]


def test_all_that_a_load_is_made_of_is_in_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = CHAT.weights
    others = (
        replace(weights, commit="9" * 40),
        replace(weights, files=weights.files[:1]),
        replace(weights, loader_image="python:3.13"),
    )
    found = {manifests.loader_name(replace(CHAT, weights=other)) for other in (weights, *others)}
    with monkeypatch.context() as patched:
        patched.setattr("hubstack.deploy.manifests.loader.loader_requirements", lambda: "x==1")
        found.add(manifests.loader_name(CHAT))
    assert len(found) == 5, "an immutable object of the same name could not be changed"
    assert all(len(name) <= 63 for name in found)


def test_the_namespace_is_restricted_unless_a_tpu_server_must_be_root() -> None:
    def level(without: tuple[str, ...], mode: str = "enforce") -> str:
        labels = manifests.namespace(make_plan(without=without))["metadata"]["labels"]
        return labels[f"pod-security.kubernetes.io/{mode}"]

    assert level(("tpu",)) == "restricted"
    assert level(()) == "baseline"
    assert {level((), mode) for mode in ("audit", "warn")} == {"restricted"}, "what falls short of it is told"


def test_a_class_tries_its_pools_in_order_and_no_other_machine() -> None:
    spec = manifests.capacity_class(make_plan(), CLASSES[2])["spec"]
    assert spec["priorities"] == [
        {"nodepools": ["g2-standard-8-spot-0a1b2c"]},
        {"nodepools": ["g2-standard-8-on-demand-0a1b2c"]},
    ]
    assert spec["whenUnsatisfiable"] == "DoNotScaleUp"


def test_a_service_finds_its_own_servers_only() -> None:
    for model in MODELS:
        selector = manifests.service(PLAN.target, model)["spec"]["selector"]
        matching = [
            other.key
            for other in MODELS
            if selector.items()
            <= manifests.deployment(PLAN.target, other)["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert matching == [model.key]
        loader = manifests.loader_job(PLAN.target, model)["spec"]["template"]["metadata"]["labels"]
        assert not selector.items() <= loader.items(), "requests would be sent to a loader"


def test_objects_are_plain_data() -> None:
    for model in (CHAT, EMBED, GATED, TPU):
        found = [
            manifests.deployment(PLAN.target, model),
            manifests.loader_job(PLAN.target, model),
            manifests.service(PLAN.target, model),
        ]
        assert json.loads(json.dumps(found)) == found


def test_the_job_that_measures_asks_the_port_of_the_service_and_may_reach_that_of_the_server() -> None:
    target, model = make_plan().target, GATED
    made = manifests.service(target, model)
    url = urlsplit(server_url(target, model))
    ports = {port["port"]: port["targetPort"] for port in made["spec"]["ports"]}
    assert url.hostname == f"{made['metadata']['name']}.{made['metadata']['namespace']}.svc.cluster.local"
    assert (url.port or 80) in ports
    listed = bench_objects(target, model, "image", [(["bench"], "result")], "mark")["items"]
    (egress,) = [each for each in listed if each["kind"] == "NetworkPolicy" and "egress" in each["spec"]]
    assert [port["port"] for port in egress["spec"]["egress"][0]["ports"]] == [model.server.port]
