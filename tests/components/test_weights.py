# SPDX-License-Identifier: Apache-2.0
"""How weights get to servers and away again: WeightsDisk, DiskTransfer, WeightsCollector, caches, their order."""

from dataclasses import replace

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes
from pulumi_hubstack import Fleet, FleetArgs
from pulumi_hubstack.disk_transfer import DiskTransfer, DiskTransferArgs
from pulumi_hubstack.weights_bucket import WeightsBucket, WeightsBucketArgs
from pulumi_hubstack.weights_collector import WeightsCollector, WeightsCollectorArgs
from pulumi_hubstack.weights_disk import WeightsDisk, WeightsDiskArgs

from hubstack.plan.batch import BatchPlan
from hubstack.plan.loading import LoadingMethod, LoadingPlan
from tests.components.recorder import Recorded, record
from tests.support.plans import CHAT, complete, make_plan

ZONE = "us-central1-b"
ON_DISK = replace(CHAT, loading=LoadingPlan(method=LoadingMethod.HYPERDISK_ML, zone=ZONE, disk_throughput_mib=2400))
RELOCKED = replace(CHAT, weights=replace(CHAT.weights, replaces="9" * 40))
PLAN = make_plan()
CLAIM, SOURCE = "kubernetes:core/v1:PersistentVolumeClaim", "kubernetes:datalayer.gke.io/v1:GCPDataSource"
JOB, DEPLOYMENT = "kubernetes:batch/v1:Job", "kubernetes:apps/v1:Deployment"


def build_disk() -> Recorded:
    return record(lambda: WeightsDisk("chat-disk", WeightsDiskArgs(target=PLAN.target, model=ON_DISK, after=())))


def build_transfer() -> Recorded:
    def program() -> None:
        args = DiskTransferArgs(
            cluster_id="c",
            region="us-central1",
            zones=("us-central1-a", ZONE),
            max_nodes=2,
            throughput_mib=2400,
            node_account_email="nodes@acme",
            kubernetes=kubernetes.Provider("k"),
        )
        DiskTransfer("hyperdisk-ml", args, pulumi.ResourceOptions(providers=[gcp.Provider("g")]))

    return record(program)


def build_collector() -> Recorded:
    args = WeightsCollectorArgs(target=PLAN.target, model=RELOCKED, sharing=(RELOCKED,), after=())
    return record(lambda: WeightsCollector("chat-collector", args))


def build_fleet(model: object) -> Recorded:
    plan = replace(PLAN, models=tuple(model if each.key == "chat" else each for each in PLAN.models))
    return record(lambda: Fleet("fleet", FleetArgs(plan=complete(plan))))


def depends(found: Recorded, one: str, name: str) -> set[str]:
    """Return the names that a resource waits for."""
    waits = found.one(one, name).request.dependencies
    return {urn.rsplit("::", 1)[-1] for urn in waits}


def test_a_disk_is_its_source_and_a_claim_that_goes_first() -> None:
    found = build_disk()
    _, children = found.component("hubstack:weights_disk:WeightsDisk")
    assert children == [(CLAIM, "chat-disk-claim"), (SOURCE, "chat-disk-source")]
    assert "chat-disk-source" in depends(found, CLAIM, "chat-disk-claim"), "else its deletion hangs"
    assert found.one(CLAIM).request.customTimeouts.create == "6h"


def test_copying_has_nodes_of_its_own_that_come_and_go() -> None:
    found = build_transfer()
    pool = found.one("gcp:container/nodePool:NodePool").inputs
    assert pool["autoscaling"]["totalMinNodeCount"] == 0
    label = {"cloud.google.com/compute-class": "gcs-to-hdml-compute-class"}
    assert pool["nodeConfig"]["labels"] == label
    assert pool["nodeConfig"]["taints"][0]["value"] == "gcs-to-hdml-compute-class"
    classes = [
        each.inputs["metadata"]["name"] for each in found.of_type("kubernetes:storage.k8s.io/v1:StorageClass")
    ]
    assert classes == ["hubstack-hyperdisk-ml-us-central1-a", "hubstack-hyperdisk-ml-us-central1-b"]


def test_a_removal_is_a_script_and_a_job() -> None:
    _, children = build_collector().component("hubstack:weights_collector:WeightsCollector")
    assert children == [(JOB, "chat-collector-job"), ("kubernetes:core/v1:ConfigMap", "chat-collector-script")]


def test_a_bucket_has_a_cache_in_each_zone_and_time_to_lose_it() -> None:
    args = WeightsBucketArgs(
        bucket_name="b",
        region="us-central1",
        readers={},
        writers={},
        labels={},
        cache_zones=("us-central1-a", ZONE),
    )
    found = record(lambda: WeightsBucket("chat-weights", args))
    caches = found.of_type("gcp:storage/anywhereCache:AnywhereCache")
    assert [cache.name for cache in caches] == ["chat-weights-cache-us-central1-a", f"chat-weights-cache-{ZONE}"]
    assert {cache.request.customTimeouts.delete for cache in caches} == {"3h"}


def test_a_default_fleet_has_none_of_it() -> None:
    kinds = {
        resource.type
        for resource in record(lambda: Fleet("fleet", FleetArgs(plan=complete(PLAN)))).resources.values()
    }
    rooms = {f"hubstack:{name}" for name in ("weights_collector:WeightsCollector", "disk_transfer:DiskTransfer")}
    assert not kinds & {CLAIM, SOURCE, "gcp:storage/anywhereCache:AnywhereCache", *rooms}


def test_servers_wait_for_a_filled_disk_and_the_disk_for_a_filled_bucket() -> None:
    found = build_fleet(ON_DISK)
    assert "chat-disk-claim" in depends(found, DEPLOYMENT, "chat-deployment")
    assert "chat-loader-job" in depends(found, CLAIM, "chat-disk-claim")
    assert f"hyperdisk-ml-{ZONE}" in depends(found, CLAIM, "chat-disk-claim")


def test_nothing_is_removed_before_the_servers_have_switched() -> None:
    found = build_fleet(RELOCKED)
    assert "chat-deployment" in depends(found, JOB, "chat-collector-job")
    assert "chat-loader-job" in depends(found, DEPLOYMENT, "chat-deployment")
    assert not [
        each for each in found.of_type(JOB) if "collector" in each.name and not each.name.startswith("chat")
    ]


def test_only_the_loader_reads_the_bucket_of_own_weights_and_only_their_folder() -> None:
    own = replace(CHAT, id="gs://acme-tunes/support/v3")
    found = build_fleet(own)
    grants = [
        each
        for each in found.of_type("gcp:storage/bucketIAMMember:BucketIAMMember")
        if each.inputs["bucket"] == "acme-tunes"
    ]
    (grant,) = grants
    assert grant.name == "chat-weights-loader-source"
    assert grant.inputs["role"] == "roles/storage.objectViewer"
    assert grant.inputs["condition"]["expression"] == (
        'resource.name.startsWith("projects/_/buckets/acme-tunes/objects/support/v3/")'
    )
    assert "chat-loader" in grant.inputs["member"]


def test_a_batch_is_a_job_whose_server_may_read_and_write_its_bucket() -> None:
    batch = BatchPlan(
        bucket="acme-batch", input="in.jsonl", output="out", parts=2, parallel=1, command=("vllm", "run-batch")
    )
    found = build_fleet(replace(CHAT, batch=batch))
    _, children = found.component("hubstack:batch_job:BatchJob")
    assert children == [
        ("gcp:storage/bucketIAMMember:BucketIAMMember", "chat-batch-bucketViewer"),
        ("gcp:storage/bucketIAMMember:BucketIAMMember", "chat-batch-objectUser"),
        (JOB, "chat-batch-job"),
    ]
    assert {"chat", "chat-batch-objectUser"} <= depends(found, JOB, "chat-batch-job") | {"chat"}
    grant = found.one("gcp:storage/bucketIAMMember:BucketIAMMember", "chat-batch-objectUser")
    assert (grant.inputs["bucket"], grant.inputs["role"]) == ("acme-batch", "roles/storage.objectUser")
