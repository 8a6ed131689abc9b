# SPDX-License-Identifier: Apache-2.0
"""What belongs to one model: WeightsBucket, WeightsLoader, ModelServer, and the HubToken of gated ones."""

from dataclasses import replace

import pulumi
import pytest
from pulumi_hubstack.hub_token import HubToken, HubTokenArgs
from pulumi_hubstack.model_server import ModelServer, ModelServerArgs
from pulumi_hubstack.weights_bucket import WeightsBucket, WeightsBucketArgs
from pulumi_hubstack.weights_loader import WeightsLoader, WeightsLoaderArgs

from hubstack.plan import ModelPlan
from tests.components.recorder import Recorded, record
from tests.support.plans import CHAT, GATED, make_plan


def build_bucket() -> Recorded:
    args = WeightsBucketArgs(
        bucket_name="acme-chat", region="us-central1", readers={"server": "s"}, writers={"loader": "l"}, labels={}
    )
    return record(lambda: WeightsBucket("chat-weights", args))


def build_loader(model: ModelPlan) -> Recorded:
    args = WeightsLoaderArgs(target=make_plan().target, model=model, hub_secret_id="secret", after=())
    return record(lambda: WeightsLoader(f"{model.key}-loader", args))


def build_server(model: ModelPlan) -> Recorded:
    return record(lambda: ModelServer(model.key, ModelServerArgs(target=make_plan().target, model=model, after=())))


def build_token(value: str | None) -> Recorded:
    def program() -> None:
        secret = None if value is None else pulumi.Output.secret(value)
        HubToken(
            "hub-token",
            HubTokenArgs(target=make_plan().target, secret_id="s", readers={"gated": "member"}, value=secret),
        )

    return record(program)


def test_a_bucket_has_a_grant_for_each_identity_and_nothing_else() -> None:
    _, children = build_bucket().component("hubstack:weights_bucket:WeightsBucket")
    grant = "gcp:storage/bucketIAMMember:BucketIAMMember"
    assert children == [
        ("gcp:storage/bucket:Bucket", "chat-weights-bucket"),
        (grant, "chat-weights-loader-bucketViewer"),
        (grant, "chat-weights-loader-objectUser"),
        (grant, "chat-weights-server-bucketViewer"),
        (grant, "chat-weights-server-objectViewer"),
    ]


def test_a_bucket_is_a_cache_that_costs_nothing_once_deleted() -> None:
    inputs = build_bucket().one("gcp:storage/bucket:Bucket").inputs
    assert inputs["softDeletePolicy"] == {"retentionDurationSeconds": 0}
    assert inputs["forceDestroy"] is True
    assert "versioning" not in inputs


@pytest.mark.parametrize(("model", "has_token"), [(CHAT, False), (GATED, True)])
def test_a_load_is_an_account_a_script_and_a_job(model: ModelPlan, has_token: bool) -> None:
    _, children = build_loader(model).component("hubstack:weights_loader:WeightsLoader")
    token = ("kubernetes:secrets-store.csi.x-k8s.io/v1:SecretProviderClass", f"{model.key}-loader-token")
    assert children == sorted(
        [
            ("kubernetes:batch/v1:Job", f"{model.key}-loader-job"),
            ("kubernetes:core/v1:ConfigMap", f"{model.key}-loader-script"),
            ("kubernetes:core/v1:ServiceAccount", f"{model.key}-loader-account"),
            *([token] if has_token else []),
        ]
    )


def test_a_job_waits_for_long_loads() -> None:
    assert build_loader(CHAT).one("kubernetes:batch/v1:Job").request.customTimeouts.create == "6h"


def test_another_commit_keeps_the_jobs_identity_and_changes_its_name() -> None:
    """The name is what makes the provider run a new Job; the old folder is not touched."""
    weights = replace(CHAT.weights, commit="9" * 40, prefix="9" * 40)
    old, new = (
        build_loader(model).one("kubernetes:batch/v1:Job") for model in (CHAT, replace(CHAT, weights=weights))
    )
    assert old.urn == new.urn
    assert old.inputs["metadata"]["name"] != new.inputs["metadata"]["name"]


def test_a_server_is_exactly_these_objects() -> None:
    _, children = build_server(CHAT).component("hubstack:model_server:ModelServer")
    assert children == [
        ("kubernetes:apps/v1:Deployment", "chat-deployment"),
        ("kubernetes:core/v1:Service", "chat-service"),
        ("kubernetes:core/v1:ServiceAccount", "chat-account"),
        ("kubernetes:policy/v1:PodDisruptionBudget", "chat-budget"),
    ]


def test_manifests_reach_the_sdk_in_kubernetes_own_field_names() -> None:
    pod = build_server(CHAT).one("kubernetes:apps/v1:Deployment").inputs["spec"]["template"]["spec"]
    assert {"serviceAccountName", "enableServiceLinks", "terminationGracePeriodSeconds"} <= pod.keys()
    assert pod["containers"][0]["volumeMounts"][0]["mountPath"] == "/weights"
    assert (
        "gke-gcsfuse/volumes"
        in (
            build_server(CHAT)
            .one("kubernetes:apps/v1:Deployment")
            .inputs["spec"]["template"]["metadata"]["annotations"]
        )
    )


def test_a_token_that_is_set_becomes_a_version_and_one_that_is_not_waits() -> None:
    kinds = [kind.rsplit(":", 1)[-1] for kind, _ in build_token("hf_x").component("hubstack:hub_token:HubToken")[1]]
    assert kinds == ["Secret", "SecretIamMember", "SecretVersion"]
    kinds = [kind.rsplit(":", 1)[-1] for kind, _ in build_token(None).component("hubstack:hub_token:HubToken")[1]]
    assert kinds == ["Secret", "SecretIamMember"]


def test_a_token_is_written_by_the_argument_that_is_not_read_back() -> None:
    inputs = build_token("hf_x").one("gcp:secretmanager/secretVersion:SecretVersion").inputs
    assert "secretData" not in inputs
    assert inputs["secretDataWo"]["value"] == "hf_x"


def test_a_model_that_spans_nodes_is_a_leader_worker_set() -> None:
    wide = replace(GATED, hosts=2, server=replace(GATED.server, worker_args=("/weights", "--headless")))
    found = build_server(wide)
    group = found.one("kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet")
    assert group.inputs["spec"]["leaderWorkerTemplate"]["size"] == 2
    assert not found.of_type("kubernetes:apps/v1:Deployment")
