# SPDX-License-Identifier: Apache-2.0
"""The whole stack under the real SDK: what is there, under which name, and that none of it is open."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pulumi
import pytest
from pulumi_hubstack import Fleet, FleetArgs

from hubstack.plan import Plan
from tests.components.recorder import DNS_HOST, NUMBER, SECRET_SIGNATURE, UNKNOWN, Recorded, record
from tests.support.plans import CHAT, EMBED, GATED, L4, complete, make_plan, renamed

TOKEN_VALUE = "hf_averysecrettoken"


def build(plan: Plan, *, preview: bool = False, token: bool = False) -> Recorded:
    def program() -> None:
        secret = pulumi.Output.secret(TOKEN_VALUE) if token else None
        Fleet("fleet", FleetArgs(plan=complete(plan), hub_token=secret))

    return record(program, preview=preview)


@cache
def whole() -> Recorded:
    return build(make_plan(), token=True)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from strings(key)
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def names_of(recorded: Recorded, kind: str) -> list[str]:
    return [resource.name for resource in recorded.of_type(kind)]


def test_the_fleet_is_made_of_exactly_these_parts() -> None:
    fleet, children = whole().component("hubstack:fleet:Fleet")
    assert [child for child in children if child[0] != "gcp:projects/service:Service"] == sorted(
        [
            ("hubstack:accelerator_pool:AcceleratorPool", "a3-highgpu-4g-reservation-0a1b2c"),
            ("hubstack:accelerator_pool:AcceleratorPool", "ct6e-standard-8t-spot-0a1b2c"),
            ("hubstack:accelerator_pool:AcceleratorPool", "g2-standard-8-on-demand-0a1b2c"),
            ("hubstack:accelerator_pool:AcceleratorPool", "g2-standard-8-spot-0a1b2c"),
            ("hubstack:cluster:Cluster", "cluster"),
            ("hubstack:hub_token:HubToken", "hub-token"),
            ("hubstack:network:Network", "network"),
            ("hubstack:protection:Protection", "protection"),
            *(("hubstack:model_server:ModelServer", key) for key in ("chat", "embed", "gated", "tpu")),
            *(
                ("hubstack:weights_bucket:WeightsBucket", f"{key}-weights")
                for key in ("chat", "embed", "gated", "tpu")
            ),
            *(
                ("hubstack:weights_loader:WeightsLoader", f"{key}-loader")
                for key in ("chat", "embed", "gated", "tpu")
            ),
            ("kubernetes:cloud.google.com/v1:ComputeClass", "class-a3-highgpu-4g-reservation-1a2b"),
            ("kubernetes:cloud.google.com/v1:ComputeClass", "class-ct6e-standard-8t-spot"),
            ("kubernetes:cloud.google.com/v1:ComputeClass", "class-g2-standard-8-spot-on-demand"),
            ("kubernetes:core/v1:Namespace", "models"),
            *(
                ("kubernetes:networking.gke.io/v1alpha1:FQDNNetworkPolicy", name)
                for name in ("jobs-to-storage", "loaders-to-hub", "servers-to-storage")
            ),
            *(
                ("kubernetes:networking.k8s.io/v1:NetworkPolicy", name)
                for name in ("default-deny", "jobs-egress", "same-namespace", "servers-egress")
            ),
            ("pulumi:providers:gcp", "google"),
            ("pulumi:providers:kubernetes", "cluster"),
        ]
    )
    assert whole().outputs[fleet.urn]["endpoints"]["chat"] == "http://chat.models.svc.cluster.local/v1"


def test_nothing_starts_in_the_namespace_before_it_is_closed() -> None:
    """The barrier is the denial itself, which comes after all that is allowed."""
    fleet = whole()
    closed = fleet.one("kubernetes:networking.k8s.io/v1:NetworkPolicy", "default-deny")
    allowed = [r.urn for r in fleet.resources.values() if "NetworkPolicy" in r.type and r.urn != closed.urn]
    assert len(allowed) == 6
    assert set(allowed) <= set(closed.request.dependencies)
    for kind in ("kubernetes:apps/v1:Deployment", "kubernetes:batch/v1:Job"):
        assert all(closed.urn in resource.request.dependencies for resource in fleet.of_type(kind))


def test_the_cluster_holds_policies_of_both_kinds() -> None:
    cluster = whole().one("gcp:container/cluster:Cluster").inputs
    assert (cluster["datapathProvider"], cluster["enableFqdnNetworkPolicy"]) == ("ADVANCED_DATAPATH", True)


@pytest.mark.parametrize("preview", [True, False])
def test_a_preview_registers_what_an_update_does(preview: bool) -> None:
    assert build(make_plan(), preview=preview, token=True).resources.keys() == whole().resources.keys()


def test_the_order_of_the_list_changes_no_identity() -> None:
    plan = make_plan()
    other = build(replace(plan, models=plan.models[::-1], pools=plan.pools[::-1]), token=True)
    assert other.resources.keys() == whole().resources.keys()
    for urn, resource in other.resources.items():
        assert resource.inputs == whole().resources[urn].inputs, f"{urn} would be changed by sorting the list"


def test_a_new_model_touches_no_resource_of_another() -> None:
    before = build(make_plan())
    plan = make_plan()
    after = build(replace(plan, models=(*plan.models, renamed(CHAT, "second"))))
    for urn, resource in before.resources.items():
        assert after.resources[urn].inputs == resource.inputs
    new = after.resources.keys() - before.resources.keys()
    assert new, "the new model has resources"
    assert all("second" in urn.rsplit("::", 1)[-1] for urn in new)


def test_keys_that_begin_alike_do_not_collide() -> None:
    plan = make_plan()
    keys = ("a", "a-weights", "a-loader", "a-server", "network", "cluster", "models", "google", "hub-token")
    models = tuple(renamed(GATED, key) for key in keys)
    recorded = build(replace(plan, models=models))
    assert len(recorded.of_type("gcp:storage/bucket:Bucket")) == len(keys)


def test_every_resource_of_a_provider_uses_an_explicit_one() -> None:
    for resource in whole().resources.values():
        if resource.request.custom and not resource.type.startswith("pulumi:providers:"):
            package = resource.type.split(":")[0]
            assert f"pulumi:providers:{package}::" in resource.request.provider, resource.urn


def test_the_provider_labels_everything_and_names_project_and_region() -> None:
    inputs = whole().one("pulumi:providers:gcp").inputs
    assert inputs["project"] == "acme-models-test"
    assert inputs["region"] == "us-central1"
    assert json.loads(inputs["defaultLabels"]) == {"hubstack-stack": "test", "managed-by": "hubstack"}


def test_the_cluster_is_reached_by_its_dns_name_with_a_credential_made_at_each_use() -> None:
    inputs = whole().one("pulumi:providers:kubernetes").inputs
    config = json.loads(inputs["kubeconfig"])
    assert config["clusters"][0]["cluster"] == {"server": f"https://{DNS_HOST}"}
    assert config["users"][0]["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
    assert inputs["clusterIdentifier"] == DNS_HOST


def test_before_the_cluster_exists_its_address_is_unknown() -> None:
    inputs = build(make_plan(), preview=True).one("pulumi:providers:kubernetes").inputs
    assert inputs["kubeconfig"] == UNKNOWN, "a preview would take a host of no name for the cluster's"
    assert inputs["clusterIdentifier"] == UNKNOWN


def test_no_input_holds_an_output_that_was_turned_to_text() -> None:
    for resource in whole().resources.values():
        for text in strings(resource.inputs):
            assert "Calling __str__" not in text, resource.urn
            assert "object at 0x" not in text, resource.urn


def test_nothing_is_open_to_the_public() -> None:
    recorded = whole()
    for resource in recorded.resources.values():
        members = {"allUsers", "allAuthenticatedUsers", "0.0.0.0/0", "::/0", "LoadBalancer", "NodePort"}
        assert not members & set(strings(resource.inputs)), resource.urn
    for bucket in recorded.of_type("gcp:storage/bucket:Bucket"):
        assert bucket.inputs["publicAccessPrevention"] == "enforced"
        assert bucket.inputs["uniformBucketLevelAccess"] is True
    cluster = recorded.one("gcp:container/cluster:Cluster").inputs
    assert cluster["privateClusterConfig"]["enablePrivateNodes"] is True
    assert cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"] == {"enabled": False}
    for kind in ("kubernetes:gateway", "kubernetes:networking.k8s.io/v1:Ingress"):
        assert not [r for r in recorded.resources.values() if r.type.startswith(kind)]


def test_no_pod_is_privileged_or_may_write_to_its_image() -> None:
    recorded = whole()
    pods = recorded.of_type("kubernetes:apps/v1:Deployment") + recorded.of_type("kubernetes:batch/v1:Job")
    assert len(pods) == 8
    for resource in pods:
        pod = resource.inputs["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["securityContext"]["runAsNonRoot"] is (resource.name != "tpu-deployment"), resource.name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_only_gated_models_bring_the_token_and_their_loaders_alone_may_read_it() -> None:
    recorded = whole()
    grant = recorded.one("gcp:secretmanager/secretIamMember:SecretIamMember").inputs
    assert grant["role"] == "roles/secretmanager.secretAccessor"
    assert grant["member"].endswith("/subject/ns/models/sa/gated-loader")
    assert [r.name for r in recorded.resources.values() if "SecretProviderClass" in r.type] == [
        "gated-loader-token"
    ]
    assert recorded.one("gcp:container/cluster:Cluster").inputs["secretManagerConfig"] == {"enabled": True}
    open_only = build(make_plan(without=("gated",)), token=True)
    assert not [r for r in open_only.resources.values() if "secretmanager" in r.type or "SecretProvider" in r.type]
    assert "secretManagerConfig" not in open_only.one("gcp:container/cluster:Cluster").inputs


def test_the_token_is_only_ever_sent_as_a_secret() -> None:
    def holders(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            yield from ([value] if TOKEN_VALUE in [v for v in value.values() if isinstance(v, str)] else [])
            for item in value.values():
                yield from holders(item)

    found = [(r.type, holder) for r in whole().resources.values() for holder in holders(r.inputs)]
    assert [kind for kind, _ in found] == ["gcp:secretmanager/secretVersion:SecretVersion"]
    assert all(SECRET_SIGNATURE in holder for _, holder in found)
    assert not any(TOKEN_VALUE in text for outputs in whole().outputs.values() for text in strings(outputs))


def test_without_a_token_the_secret_waits_for_a_version_by_hand() -> None:
    recorded = build(make_plan())
    assert names_of(recorded, "gcp:secretmanager/secret:Secret") == ["hub-token-secret"]
    assert names_of(recorded, "gcp:secretmanager/secretVersion:SecretVersion") == []


def test_each_identity_gets_its_own_bucket_and_no_other() -> None:
    members = whole().of_type("gcp:storage/bucketIAMMember:BucketIAMMember")
    pool = f"principal://iam.googleapis.com/projects/{NUMBER}/locations/global/workloadIdentityPools"
    subject = f"{pool}/acme-models-test.svc.id.goog/subject/ns/models/sa"
    granted = {(m.inputs["bucket"], m.inputs["role"].rsplit(".", 1)[-1], m.inputs["member"]) for m in members}
    assert len(granted) == len(members)
    assert granted == {
        grant
        for key in ("chat", "embed", "gated", "tpu")
        for bucket in (f"acme-models-test-test-{key}",)
        for grant in (
            (bucket, "objectViewer", f"{subject}/{key}"),
            (bucket, "objectUser", f"{subject}/{key}-loader"),
            (bucket, "bucketViewer", f"{subject}/{key}"),
            (bucket, "bucketViewer", f"{subject}/{key}-loader"),
        )
    }


def test_accounts_of_different_models_never_share_a_name() -> None:
    accounts = whole().of_type("kubernetes:core/v1:ServiceAccount")
    found = [account.inputs["metadata"]["name"] for account in accounts]
    assert len(set(found)) == len(found) == 8


def test_a_server_starts_after_its_weights_and_its_capacity() -> None:
    recorded = whole()
    deployment = recorded.one("kubernetes:apps/v1:Deployment", "chat-deployment")
    depends = set(deployment.request.dependencies)
    assert recorded.one("kubernetes:batch/v1:Job", "chat-loader-job").urn in depends
    capacity = recorded.one("kubernetes:cloud.google.com/v1:ComputeClass", f"class-{L4}")
    assert capacity.urn in depends
    pools = {pool.urn for pool in recorded.of_type("gcp:container/nodePool:NodePool") if "g2-" in pool.name}
    assert pools <= set(capacity.request.dependencies), "a class would name pools that are not there yet"


def test_a_load_starts_after_its_grants() -> None:
    recorded = whole()
    depends = set(recorded.one("kubernetes:batch/v1:Job", "gated-loader-job").request.dependencies)
    grants = [m for m in recorded.of_type("gcp:storage/bucketIAMMember:BucketIAMMember") if "gated" in m.name]
    grants += recorded.of_type("gcp:secretmanager/secretIamMember:SecretIamMember")
    assert {grant.urn for grant in grants} <= depends


@pytest.mark.parametrize("protected", [True, False])
def test_deletion_protection_is_the_targets(protected: bool) -> None:
    cluster = build(make_plan(deletion_protection=protected)).one("gcp:container/cluster:Cluster")
    assert cluster.inputs["deletionProtection"] is protected


def test_replicas_that_were_scaled_by_hand_stay() -> None:
    for deployment in whole().of_type("kubernetes:apps/v1:Deployment"):
        assert list(deployment.request.ignoreChanges) == ["spec.replicas"]
    assert whole().one("kubernetes:apps/v1:Deployment", "chat-deployment").inputs["spec"]["replicas"] == 0


def test_a_fleet_of_one_model_needs_no_pool_of_another() -> None:
    recorded = build(replace(make_plan(without=("chat", "gated", "tpu")), models=(EMBED,)))
    assert len(recorded.of_type("hubstack:accelerator_pool:AcceleratorPool")) == 2
