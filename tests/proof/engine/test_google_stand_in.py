# SPDX-License-Identifier: Apache-2.0
"""The stand-in for Google is strict: what the real provider or the service refuses, it refuses by name."""

from pathlib import Path
from typing import Any

import pytest

from proof.engine.google_cloud import Cloud, CloudError
from proof.engine.google_schema import schema_of
from tests.support.golden import EXAMPLES, read_graph

CLUSTER, POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
BUCKET = "gcp:storage/bucket:Bucket"
NETWORK, SUBNET = "gcp:compute/network:Network", "gcp:compute/subnetwork:Subnetwork"
SECRET_VERSION = "gcp:secretmanager/secretVersion:SecretVersion"
MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"
PROJECT, REGION = "acme", "us-central1"
HELD = {"name": "acme-weights", "location": "US-CENTRAL1"}


def google(folder: Path, *apis: str) -> Cloud:
    cloud = Cloud(folder)
    for api in apis:
        service = schema_of("gcp:projects/service:Service")
        cloud.create(service, {"service": f"{api}.googleapis.com", "disableOnDestroy": False}, PROJECT, REGION)
    return cloud


def make(cloud: Cloud, kind: str, **inputs: Any) -> str:
    return cloud.create(schema_of(kind), inputs, PROJECT, REGION)[0]


@pytest.mark.parametrize("example", EXAMPLES)
def test_it_takes_every_argument_of_the_examples(example: str) -> None:
    for each in read_graph(example)["resources"]:
        if each["type"].startswith("gcp:"):
            assert schema_of(each["type"]).check(each["inputs"]) == [], each["name"]


@pytest.mark.parametrize(
    ("kind", "inputs", "wrong"),
    [
        (BUCKET, {**HELD, "colour": "red"}, ("colour", "is no argument of this type")),
        (BUCKET, {**HELD, "forceDestroy": "yes"}, ("forceDestroy", "must be bool, not str")),
        (BUCKET, {"name": "acme-weights"}, ("location", "is required")),
        (
            BUCKET,
            {**HELD, "softDeletePolicy": {"days": 7}},
            ("softDeletePolicy.days", "is no argument of this type"),
        ),
        (BUCKET, {**HELD, "labels": ["a"]}, ("labels", "must be a map, not list")),
        (POOL, {"cluster": "c", "nodeLocations": "us-central1-a"}, ("nodeLocations", "must be a list, not str")),
        (
            POOL,
            {"cluster": "c", "nodeConfig": {"taints": [{"key": "a", "value": "b"}]}},
            ("nodeConfig.taints[0].effect", "is required"),
        ),
        (
            CLUSTER,
            {"binaryAuthorization": {"enabled": True, "evaluationMode": "DISABLED"}},
            ("binaryAuthorization.enabled", "conflicts with binaryAuthorization.evaluationMode"),
        ),
        (
            SECRET_VERSION,
            {"secret": "s", "secretData": "a", "secretDataWo": "b"},
            ("secretData", "exactly one of secretData, secretDataWo is needed, not ['secretData', 'secretDataWo']"),
        ),
    ],
)
def test_wrong_arguments_are_named(kind: str, inputs: dict[str, Any], wrong: tuple[str, str]) -> None:
    assert wrong in schema_of(kind).check(inputs)


@pytest.mark.parametrize(
    ("kind", "before", "after", "found"),
    [
        (BUCKET, HELD, {**HELD, "location": "EU"}, {"location": True}),
        (BUCKET, HELD, {**HELD, "labels": {"a": "b"}}, {"labels": False}),
        (BUCKET, HELD, {**HELD, "storageClass": "STANDARD"}, {}),
        (BUCKET, {**HELD, "uniformBucketLevelAccess": True}, HELD, {}),
        (
            POOL,
            {"nodeConfig": {"machineType": "a"}},
            {"nodeConfig": {"machineType": "b"}},
            {"nodeConfig.machineType": False},
        ),
        (POOL, {"nodeConfig": {"spot": True}}, {"nodeConfig": {}}, {"nodeConfig.spot": True}),
        (
            MEMBER,
            {"bucket": "b", "role": "r", "member": "m"},
            {"bucket": "b", "role": "r", "member": "n"},
            {"member": True},
        ),
    ],
)
def test_a_change_is_an_update_or_a_replacement_as_the_provider_has_it(
    kind: str, before: dict[str, Any], after: dict[str, Any], found: dict[str, bool]
) -> None:
    assert {each.path: each.replaces for each in schema_of(kind).diff(before, after)} == found


def test_an_api_that_is_off_does_not_answer(tmp_path: Path) -> None:
    cloud = google(tmp_path)
    with pytest.raises(CloudError, match=r"storage\.googleapis\.com has not been used"):
        make(cloud, BUCKET, **HELD)
    with pytest.raises(CloudError, match=r"cloudresourcemanager\.googleapis\.com has not been used"):
        cloud.invoke("gcp:organizations/getProject:getProject", {}, PROJECT)


def test_a_name_is_taken_once_and_an_account_is_taken_up_where_that_is_asked(tmp_path: Path) -> None:
    cloud = google(tmp_path, "storage", "iam")
    make(cloud, BUCKET, **HELD)
    with pytest.raises(CloudError, match="409"):
        make(cloud, BUCKET, **HELD)
    account = "gcp:serviceaccount/account:Account"
    made = make(cloud, account, accountId="nodes-of-acme")
    with pytest.raises(CloudError, match="409"):
        make(cloud, account, accountId="nodes-of-acme")
    assert make(cloud, account, accountId="nodes-of-acme", createIgnoreAlreadyExists=True) == made


def test_what_is_named_must_be_there_and_what_is_in_use_stays(tmp_path: Path) -> None:
    cloud = google(tmp_path, "compute")
    with pytest.raises(CloudError, match="404"):
        make(cloud, SUBNET, name="s", network="projects/acme/global/networks/none", ipCidrRange="10.0.0.0/20")
    network = make(cloud, NETWORK, name="n")
    subnet = make(cloud, SUBNET, name="s", network=network, ipCidrRange="10.0.0.0/20")
    with pytest.raises(CloudError, match="resourceInUse"):
        cloud.delete(schema_of(NETWORK), network)
    cloud.delete(schema_of(SUBNET), subnet)
    cloud.delete(schema_of(NETWORK), network)
    assert NETWORK not in cloud.everything()


def test_an_identity_of_a_cluster_is_unknown_before_the_first_cluster(tmp_path: Path) -> None:
    cloud = google(tmp_path, "storage")
    make(cloud, BUCKET, **HELD)
    with pytest.raises(CloudError, match="identity pool does not exist"):
        make(cloud, MEMBER, bucket="acme-weights", role="roles/storage.objectViewer", member="principal://iam/x")


def test_a_type_without_rules_is_refused() -> None:
    with pytest.raises(KeyError, match="no rules"):
        schema_of("gcp:sql/databaseInstance:DatabaseInstance")


def test_a_gateway_s_zone_record_and_issued_certificate_are_taken_and_the_proof_is_filled_in(
    tmp_path: Path,
) -> None:
    cloud = google(tmp_path, "dns", "certificatemanager")
    kind = schema_of("gcp:certificatemanager/dnsAuthorization:DnsAuthorization")
    asked = {"name": "gateway", "domain": "models.example.com", "location": REGION, "type": "PER_PROJECT_RECORD"}
    assert kind.check(asked) == []
    assert kind.check({"name": "gateway"}) == [("domain", "is required")]
    identity, stored = cloud.create(kind, asked, PROJECT, REGION)
    assert identity == f"projects/{PROJECT}/locations/{REGION}/dnsAuthorizations/gateway"
    (proof,) = stored["dnsResourceRecords"]
    record = {"managedZone": "example-com", "ttl": 300, "name": proof["name"], "type": proof["type"]}
    make(cloud, "gcp:dns/recordSet:RecordSet", **record, rrdatas=[proof["data"]])
    managed = {"domains": ["models.example.com"], "dnsAuthorizations": [identity]}
    certificate = {"name": "gateway", "location": REGION, "managed": managed}
    assert schema_of("gcp:certificatemanager/certificate:Certificate").check(certificate) == []
    make(cloud, "gcp:certificatemanager/certificate:Certificate", **certificate)
