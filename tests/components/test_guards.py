# SPDX-License-Identifier: Apache-2.0
"""Binary Authorization, a key of one's own and VPC Service Controls: what each adds, and what stays as it is."""

import json
from dataclasses import replace
from functools import cache

import pytest
from pulumi_hubstack import Fleet, FleetArgs
from pulumi_hubstack.encryption import AGENTS, Encryption
from pulumi_hubstack.restricted_apis import RestrictedApis

from hubstack.plan import Plan
from hubstack.plan.gateway import GatewayPlan
from hubstack.plan.settings import MonitoringPlan, SecurityPlan
from tests.components.recorder import CERTIFICATE, NUMBER, PRIVATE_ADDRESS, Recorded, record
from tests.support.light_plans import light_plan
from tests.support.observed import observed_plan
from tests.support.plans import complete, make_plan, with_gateway

KEY = "projects/acme-keys/locations/us-central1/keyRings/models/cryptoKeys/weights"
PERIMETER = "accessPolicies/1234/servicePerimeters/models"
NODE_POOL, GRANT = "gcp:container/nodePool:NodePool", "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
ENCRYPTED = (
    "gcp:storage/bucket:Bucket",
    "gcp:secretmanager/secret:Secret",
    "gcp:container/cluster:Cluster",
    NODE_POOL,
)
assert Encryption
assert RestrictedApis

OPTIONAL_WORDS = (
    "binaryAuthorization",
    "cryptoKeys",
    "bootDiskKmsKey",
    "199.36.153",
    "servicePerimeters",
    "enableIntranodeVisibility",
    "enablePrivateEndpoint",
)


def build(plan: Plan, **asked: object) -> Recorded:
    security = SecurityPlan(**asked) if asked else None  # type: ignore[arg-type]
    plan = replace(plan, target=replace(plan.target, security=security))
    return record(lambda: Fleet("fleet", FleetArgs(plan=complete(plan))))


@cache
def plain() -> Recorded:
    return build(make_plan())


@cache
def keyed() -> Recorded:
    return build(make_plan(), kms_key=KEY)


def everything_on_nodes() -> Plan:
    """Return a stack with a gateway, dashboards, a budget and the removal of an old commit."""
    watched = observed_plan(MonitoringPlan(billing_account="0A1B2C-3D4E5F-678901"))
    newer = (replace(m, weights=replace(m.weights, replaces="9" * 40)) for m in watched.models)
    return with_gateway(replace(watched, models=tuple(newer)), GatewayPlan(timeout_seconds=3600))


def added(recorded: Recorded) -> set[str]:
    return {recorded.resources[urn].name for urn in recorded.resources.keys() - plain().resources.keys()}


def changed(recorded: Recorded) -> set[str]:
    before = plain().resources
    return {r.name for urn, r in before.items() if recorded.resources[urn].inputs != r.inputs}


def test_binary_authorization_changes_the_cluster_and_turns_its_api_on() -> None:
    recorded = build(make_plan(), binary_authorization=True)
    assert (added(recorded), changed(recorded)) == ({"api-binaryauthorization"}, {"cluster-gke"})
    cluster = recorded.one("gcp:container/cluster:Cluster").inputs
    assert cluster["binaryAuthorization"] == {"evaluationMode": "PROJECT_SINGLETON_POLICY_ENFORCE"}
    assert "binaryAuthorization" not in plain().one("gcp:container/cluster:Cluster").inputs


def test_on_cloud_run_services_and_loaders_are_held_to_the_policy_and_the_key_too() -> None:
    recorded = build(light_plan(), binary_authorization=True, kms_key=KEY)
    for kind in ("gcp:cloudrunv2/service:Service", "gcp:cloudrunv2/job:Job"):
        for resource in recorded.of_type(kind):
            assert resource.inputs["binaryAuthorization"] == {"useDefault": True}
            template = resource.inputs["template"]
            assert (template.get("template") or template)["encryptionKey"] == KEY
    assert "encryption-run" in {grant.name for grant in recorded.of_type(GRANT)}


def test_a_key_encrypts_buckets_disks_secrets_and_what_etcd_holds() -> None:
    recorded = keyed()
    assert all(b.inputs["encryption"] == {"defaultKmsKeyName": KEY} for b in recorded.of_type(ENCRYPTED[0]))
    replication = recorded.one("gcp:secretmanager/secret:Secret").inputs["replication"]
    (replica,) = replication["userManaged"]["replicas"]
    assert replica == {"location": "us-central1", "customerManagedEncryption": {"kmsKeyName": KEY}}
    cluster = recorded.one("gcp:container/cluster:Cluster").inputs
    assert cluster["databaseEncryption"] == {"state": "ENCRYPTED", "keyName": KEY}
    assert cluster["nodeConfig"]["bootDiskKmsKey"] == KEY, "the pool that every new cluster has for minutes"
    pools = recorded.of_type(NODE_POOL)
    assert len(pools) == 5
    assert all(pool.inputs["nodeConfig"]["bootDiskKmsKey"] == KEY for pool in pools)


def test_a_loaders_disks_are_under_the_key_as_well() -> None:
    (made,) = keyed().of_type("kubernetes:storage.k8s.io/v1:StorageClass")
    assert made.inputs["parameters"]["disk-encryption-kms-key"] == KEY
    name = made.inputs["metadata"]["name"]
    for job in keyed().of_type("kubernetes:batch/v1:Job"):
        claims = [
            volume["ephemeral"]["volumeClaimTemplate"]["spec"]["storageClassName"]
            for volume in job.inputs["spec"]["template"]["spec"]["volumes"]
            if "ephemeral" in volume
        ]
        assert claims == [name, name]


def test_each_service_that_encrypts_may_use_the_key_and_no_other() -> None:
    grants = {grant.name: grant.inputs for grant in keyed().of_type(GRANT)}
    assert {grant["cryptoKeyId"] for grant in grants.values()} == {KEY}
    assert {grant["role"] for grant in grants.values()} == {"roles/cloudkms.cryptoKeyEncrypterDecrypter"}
    assert set(grants) == {f"encryption-{name}" for name in ("storage", "compute", "container", "secretmanager")}
    for service, domain in AGENTS.items():
        member = f"serviceAccount:service-{NUMBER}@{domain}.iam.gserviceaccount.com"
        assert grants[f"encryption-{service}"]["member"] == member
    (agent,) = keyed().of_type("gcp:projects/serviceIdentity:ServiceIdentity")
    assert agent.inputs["service"] == "secretmanager.googleapis.com"


def test_what_is_encrypted_comes_after_the_grants() -> None:
    grants = {grant.urn for grant in keyed().of_type(GRANT)}
    waited = set()
    for kind in ENCRYPTED:
        for resource in keyed().of_type(kind):
            assert grants <= reachable(keyed(), resource.urn), f"{resource.name} may come before them"
            waited.add(kind)
    assert waited == set(ENCRYPTED)


def reachable(recorded: Recorded, urn: str) -> set[str]:
    """Return what must be there before a resource: its dependencies, those of its parents, and theirs."""
    seen: set[str] = set()
    left = [urn]
    while left:
        at = left.pop()
        if at in seen or at not in recorded.resources:
            continue
        seen.add(at)
        resource = recorded.resources[at]
        left += [*resource.request.dependencies, resource.parent]
    return seen


def test_a_key_makes_no_new_identity_of_anything_that_was_there() -> None:
    assert plain().resources.keys() <= keyed().resources.keys()


def test_restricted_apis_are_names_of_the_stacks_network_at_the_guarded_addresses() -> None:
    recorded = build(make_plan(), restricted_apis=True)
    assert changed(recorded) == set()
    zones = recorded.of_type("gcp:dns/managedZone:ManagedZone")
    assert {zone.inputs["dnsName"] for zone in zones} == {"googleapis.com.", "pkg.dev.", "gcr.io."}
    assert {zone.inputs["visibility"] for zone in zones} == {"private"}
    records = recorded.of_type("gcp:dns/recordSet:RecordSet")
    addresses = [each.inputs for each in records if each.inputs["type"] == "A"]
    assert {tuple(each["rrdatas"]) for each in addresses} == {tuple(f"199.36.153.{n}" for n in range(4, 8))}
    names = {each.inputs["name"]: each.inputs["rrdatas"] for each in records if each.inputs["type"] == "CNAME"}
    assert names["*.googleapis.com."] == ["restricted.googleapis.com."]
    assert {found for (found,) in names.values()} == {each["name"] for each in addresses}
    cluster = recorded.one("gcp:container/cluster:Cluster")
    found = {each.urn for each in records}
    assert found <= reachable(recorded, cluster.urn), "nodes start with the right names"


@pytest.mark.parametrize("plan", [everything_on_nodes(), light_plan()], ids=["nodes", "light"])
def test_a_perimeter_takes_the_project_in_after_all_else(plan: Plan) -> None:
    recorded = build(plan, restricted_apis=True, perimeter=PERIMETER)
    kind = "gcp:accesscontextmanager/servicePerimeterResource:ServicePerimeterResource"
    found = recorded.one(kind)
    assert found.inputs == {"perimeterName": PERIMETER, "resource": f"projects/{NUMBER}"}
    before = reachable(recorded, found.urn)
    late = {
        r.name
        for r in recorded.resources.values()
        if not r.type.startswith(("hubstack:", "pulumi:")) and r.urn not in before
    }
    assert not late, "from outside of the perimeter they could not be made"


def test_a_private_control_plane_is_reached_at_its_address_in_the_network_alone() -> None:
    recorded = build(make_plan(), private_control_plane=True)
    assert (added(recorded), changed(recorded)) == (set(), {"cluster-gke", "cluster"})
    cluster = recorded.one("gcp:container/cluster:Cluster").inputs
    assert cluster["controlPlaneEndpointsConfig"] == {
        "dnsEndpointConfig": {"allowExternalTraffic": False},
        "ipEndpointsConfig": {"enabled": True},
    }
    assert cluster["privateClusterConfig"]["enablePrivateEndpoint"] is True, "else it has a public address"
    assert cluster["masterAuthorizedNetworksConfig"] == {}, "the stack's own subnet and no other network"
    provider, before = (each.one("pulumi:providers:kubernetes").inputs for each in (recorded, plain()))
    (reached,) = json.loads(provider["kubeconfig"])["clusters"]
    assert reached["cluster"] == {
        "server": f"https://{PRIVATE_ADDRESS}",
        "certificate-authority-data": CERTIFICATE,
    }
    assert provider["clusterIdentifier"] == before["clusterIdentifier"], "another one would replace every object"


def test_flow_logs_and_intranode_visibility_change_one_resource_each() -> None:
    logged, seen = build(make_plan(), flow_logs=True), build(make_plan(), intranode_visibility=True)
    assert (added(logged), changed(logged)) == (set(), {"network-subnet"})
    assert logged.one("gcp:compute/subnetwork:Subnetwork").inputs["logConfig"]["metadata"] == "INCLUDE_ALL_METADATA"
    assert (added(seen), changed(seen)) == (set(), {"cluster-gke"})
    assert seen.one("gcp:container/cluster:Cluster").inputs["enableIntranodeVisibility"] is True


@pytest.mark.parametrize(
    "asked", [{"binary_authorization": True}, {"kms_key": KEY}, {"restricted_apis": True}, {"flow_logs": True}]
)
def test_an_option_that_is_off_leaves_no_trace(asked: dict[str, object]) -> None:
    said = json.dumps([r.inputs for r in plain().resources.values()])
    for word in (
        "binaryAuthorization",
        "cryptoKeys",
        "bootDiskKmsKey",
        "199.36.153",
        "servicePerimeters",
        "ntranodeVisibility",
    ):
        assert word not in said
    assert build(make_plan(), **asked).resources.keys() >= plain().resources.keys()
