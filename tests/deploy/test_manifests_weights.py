# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects of the ways to load weights, and of the removal of old commits.

What it cannot prove: that GKE's Volume Populator fills a disk, and that the streamer reads from a bucket.
"""

from dataclasses import replace
from typing import Any

import pytest

from hubstack.deploy import manifests
from hubstack.deploy.manifests import weights_disk
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.loading import LoadingMethod, LoadingPlan
from tests.support.plans import CHAT, GATED, GIB, make_plan

OLD = "9" * 40
STREAMED = replace(CHAT, loading=LoadingPlan(method=LoadingMethod.RUNAI_STREAMER, uri="gs://b/c", buffer_bytes=GIB))
ON_DISK = replace(
    CHAT, loading=LoadingPlan(method=LoadingMethod.HYPERDISK_ML, zone="us-central1-b", disk_throughput_mib=2400)
)
RELOCKED = replace(CHAT, weights=replace(CHAT.weights, replaces=OLD))
CANARY = replace(CHAT, key="chat-canary", canary_of="chat", weights=replace(CHAT.weights, prefix="d" * 40))


def plan_of(*models: ModelPlan) -> Plan:
    return replace(make_plan(), models=models)


def template(model: ModelPlan) -> dict[str, Any]:
    return manifests.deployment(plan_of(model).target, model)["spec"]["template"]


def test_a_streaming_server_has_no_mount_and_no_sidecar() -> None:
    pod = template(STREAMED)
    assert not any(name.startswith("gke-gcsfuse") for name in pod["metadata"]["annotations"])
    assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["tmp"]
    assert [mount["name"] for mount in pod["spec"]["containers"][0]["volumeMounts"]] == ["tmp"]


def test_every_pod_of_a_streaming_group_is_without_a_mount() -> None:
    wide = replace(STREAMED, hosts=2, server=replace(STREAMED.server, worker_args=("gs://b/c", "--headless")))
    group = manifests.leader_worker_set(plan_of(wide).target, wide)["spec"]["leaderWorkerTemplate"]
    for role in ("leaderTemplate", "workerTemplate"):
        assert "weights" not in [volume["name"] for volume in group[role]["spec"]["volumes"]]


def test_a_server_on_a_disk_mounts_its_claim_for_reading_and_runs_in_its_zone() -> None:
    spec = template(ON_DISK)["spec"]
    claim = spec["volumes"][0]["persistentVolumeClaim"]
    assert claim == {"claimName": weights_disk.claim_name(ON_DISK), "readOnly": True}
    assert spec["containers"][0]["volumeMounts"][0] == {
        "name": "weights",
        "mountPath": "/weights",
        "readOnly": True,
    }
    assert spec["nodeSelector"]["topology.kubernetes.io/zone"] == "us-central1-b"
    assert template(ON_DISK)["metadata"]["annotations"] == {}
    assert "topology.kubernetes.io/zone" not in template(CHAT)["spec"]["nodeSelector"]


def test_a_disk_is_filled_from_the_folder_of_its_commit_by_who_may_read_it() -> None:
    plan = plan_of(ON_DISK)
    source, claim = manifests.data_source(plan.target, ON_DISK), manifests.weights_claim(plan.target, ON_DISK)
    assert source["spec"]["cloudStorage"] == {
        "serviceAccountName": "chat-loader",
        "uri": f"gs://acme-models-test-test-chat/{CHAT.commit}/",
    }
    reference = claim["spec"]["dataSourceRef"]
    assert (reference["kind"], reference["name"]) == ("GCPDataSource", source["metadata"]["name"])
    assert reference["apiGroup"] == source["apiVersion"].split("/")[0]
    assert claim["metadata"]["namespace"] == source["metadata"]["namespace"] == "models"
    assert claim["spec"]["accessModes"] == ["ReadOnlyMany"]


@pytest.mark.parametrize("total", [1, 700 * 1000, 16 * GIB, 141_107_412_992])
def test_a_disk_has_room_for_its_weights_and_is_no_smaller_than_there_are(total: int) -> None:
    model = replace(ON_DISK, weights=replace(ON_DISK.weights, total_bytes=total))
    asked = manifests.weights_claim(plan_of(model).target, model)["spec"]["resources"]["requests"]["storage"]
    assert int(asked.removesuffix("Gi")) * GIB > total * 1.05
    assert int(asked.removesuffix("Gi")) > 4


def test_a_new_commit_or_zone_is_a_new_disk_beside_the_old_one() -> None:
    other = replace(ON_DISK, weights=replace(ON_DISK.weights, commit=OLD))
    moved = replace(ON_DISK, loading=replace(ON_DISK.loading, zone="us-central1-a"))
    assert len({weights_disk.claim_name(model) for model in (ON_DISK, other, moved)}) == 3


def test_a_storage_class_is_bound_to_its_zone_and_filled_at_once() -> None:
    made = manifests.storage_class("us-central1-b", 2400)
    assert (
        made["metadata"]["name"]
        == manifests.weights_claim(plan_of(ON_DISK).target, ON_DISK)["spec"]["storageClassName"]
    )
    assert made["parameters"] == {"type": "hyperdisk-ml", "provisioned-throughput-on-create": "2400Mi"}
    assert made["allowedTopologies"][0]["matchLabelExpressions"][0]["values"] == ["us-central1-b"]
    assert made["volumeBindingMode"] == "Immediate"
    assert manifests.disk_zones(plan_of(ON_DISK, GATED)) == ("us-central1-b",)


def test_the_copying_nodes_carry_the_class_that_the_populator_asks_for() -> None:
    made = manifests.transfer_class("hyperdisk-transfer")
    assert made["metadata"]["name"] == "gcs-to-hdml-compute-class"
    assert made["spec"]["priorities"] == [{"nodepools": ["hyperdisk-transfer"]}]


# The removal of old commits


def collector(model: ModelPlan, *others: ModelPlan) -> dict[str, Any]:
    plan = plan_of(model, *others)
    return manifests.collector_job(plan.target, model, manifests.sharing(plan.models, model))


def command(model: ModelPlan, *others: ModelPlan) -> list[str]:
    return collector(model, *others)["spec"]["template"]["spec"]["containers"][0]["command"]


def test_the_collector_keeps_the_commit_of_the_plan_and_no_other() -> None:
    assert command(RELOCKED)[-2:] == ["--current", CHAT.commit]


def test_a_replaced_commit_is_kept_where_asked_and_where_nobody_waits_for_the_rollout() -> None:
    kept = replace(RELOCKED, weights=replace(RELOCKED.weights, keep_replaced=True))
    wide = replace(RELOCKED, hosts=2)
    for model in (kept, wide):
        assert command(model)[-2:] == ["--keep", OLD]
    assert OLD not in command(RELOCKED)


def test_commits_of_other_models_in_the_same_bucket_are_kept() -> None:
    """A canary that reads the bucket of its model must not lose its folder."""
    canary = CANARY.weights.prefix
    assert command(RELOCKED, CANARY)[-2:] == ["--keep", canary]
    elsewhere = replace(CANARY, key="elsewhere", canary_of=None)
    assert canary not in command(RELOCKED, elsewhere)


def test_a_collector_is_a_new_job_only_when_what_is_kept_changes() -> None:
    def name(model: ModelPlan, *others: ModelPlan) -> str:
        return collector(model, *others)["metadata"]["name"]

    renewed = replace(RELOCKED, weights=replace(RELOCKED.weights, prefix="e" * 40))
    assert name(RELOCKED) == name(RELOCKED)
    assert len({name(RELOCKED), name(renewed), name(RELOCKED, CANARY)}) == 3


def test_a_collector_writes_to_the_whole_bucket_as_the_loader_and_takes_no_token() -> None:
    pod = collector(RELOCKED)["spec"]["template"]["spec"]
    attributes = pod["volumes"][0]["csi"]["volumeAttributes"]
    assert pod["serviceAccountName"] == "chat-loader"
    assert "only-dir" not in attributes["mountOptions"]
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert not any("token" in volume["name"] for volume in pod["volumes"])


def test_a_job_that_failed_for_good_is_made_anew_by_the_next_update() -> None:
    for job in (
        manifests.loader_job(plan_of(CHAT).target, CHAT),
        collector(RELOCKED),
    ):
        assert job["metadata"]["annotations"]["pulumi.com/replaceUnready"] == "true"
        assert job["spec"]["template"]["spec"]["containers"][0]["command"][3] == "retry"


def test_own_weights_are_copied_without_a_mount_a_disk_or_packages() -> None:
    own = replace(CHAT, id="gs://acme-tunes/support/v3")
    target = make_plan().target
    job = manifests.loader_job(target, own)
    pod = job["spec"]["template"]
    assert "annotations" not in pod["metadata"], "no sidecar"
    assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["loader"]
    (container,) = pod["spec"]["containers"]
    assert "pip" not in container["command"][-1]
    assert container["command"][-1].endswith(
        f"--bucket {manifests.bucket_name(target, own)} --folder {own.weights.prefix}"
    )
    assert set(manifests.loader_config(target, own)["data"]) == {"copy_objects.py", "manifest.json"}


def test_the_copy_of_another_generation_is_another_job() -> None:
    own = replace(CHAT, id="gs://acme-tunes/support/v3")
    files = tuple(replace(file, generation=7, crc32c="AAAAAA==") for file in own.weights.files)
    newer = tuple(replace(file, generation=8) for file in files)
    jobs = {
        manifests.loader_name(replace(own, weights=replace(own.weights, files=each))) for each in (files, newer)
    }
    assert len(jobs) == 2
