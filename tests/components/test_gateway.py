# SPDX-License-Identifier: Apache-2.0
"""Gateway under the real SDK: exactly its children, and that nothing else of a stack changes for it."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pulumi
from pulumi_hubstack import Fleet, FleetArgs

from hubstack.plan import ModelPlan, Plan
from hubstack.plan.gateway import Exposure, GatewayAuth, GatewayMode, GatewayPlan
from hubstack.plan.settings import SecretVersions
from tests.components.recorder import SECRET_SIGNATURE, Recorded, record
from tests.support.plans import GATED, RESTING, complete, make_plan, with_gateway, with_models

KEY = "a-very-secret-key"
INTERNAL = GatewayPlan(timeout_seconds=3600)
EXTERNAL = replace(
    INTERNAL, exposure=Exposure.EXTERNAL, auth=GatewayAuth.API_KEYS, certificate="acme", host="models.example.com"
)
CANARY = replace(GATED, key="gated-canary", commit="9" * 40, canary_of="gated", canary_weight=10)


def build(plan: Plan, *, key: bool = False) -> Recorded:
    def program() -> None:
        Fleet(
            "fleet",
            FleetArgs(
                plan=complete(plan),
                api_key=pulumi.Output.secret(KEY) if key else None,
            ),
        )

    return record(program)


def plan(gateway: GatewayPlan | None, *more: ModelPlan) -> Plan:
    made = with_models(RESTING)
    models = tuple(sorted((*made.models, *more), key=lambda m: m.key))
    return with_gateway(replace(made, models=models), gateway)


@cache
def internal() -> Recorded:
    return build(plan(INTERNAL))


def parts(recorded: Recorded) -> set[tuple[str, str]]:
    _, children = recorded.component("hubstack:gateway:Gateway")
    return {(kind.rsplit(":", 1)[-1], name.removeprefix("gateway-")) for kind, name in children}


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


BASE = {
    ("Subnetwork", "proxies"),
    ("Address", "address"),
    ("Gateway", "listener"),
    ("ServiceAccount", "body-router-account"),
    ("Deployment", "body-router-deployment"),
    ("Service", "body-router-service"),
    ("HealthCheckPolicy", "body-router-health"),
    ("PodDisruptionBudget", "body-router-budget"),
    ("GCPRoutingExtension", "body-router-extension"),
    ("NetworkPolicy", "to-servers"),
    ("NetworkPolicy", "to-callouts"),
    ("ReferenceGrant", "held-grant"),
    ("GCPBackendPolicy", "held-backend"),
    ("HealthCheckPolicy", "held-health"),
    *(("HTTPRoute", f"{key}-route") for key in ("chat", "embed", "gated", "tpu")),
    *(("GCPBackendPolicy", f"{key}-backend") for key in ("embed", "gated", "tpu")),
    *(("HealthCheckPolicy", f"{key}-health") for key in ("embed", "gated", "tpu")),
}


def test_a_private_gateway_of_services_is_made_of_exactly_these_parts() -> None:
    assert parts(internal()) == BASE


def test_inference_adds_a_pool_and_its_picker_where_there_is_a_choice() -> None:
    added = parts(build(plan(replace(INTERNAL, mode=GatewayMode.INFERENCE)))) - BASE
    assert added == {
        ("InferencePool", "gated-pool"),
        ("Deployment", "gated-picker-deployment"),
        ("Service", "gated-picker-service"),
        ("ServiceAccount", "gated-picker-account"),
        ("Role", "gated-picker-role"),
        ("RoleBinding", "gated-picker-binding"),
        ("ConfigMap", "gated-picker-config"),
    }


def test_without_a_resting_model_nothing_is_put_into_another_namespace() -> None:
    recorded = build(with_gateway(make_plan(without=("chat",)), INTERNAL))
    assert not {name for _, name in parts(recorded) if name.startswith("held")}
    spaces = {r.inputs["metadata"].get("namespace") for r in recorded.resources.values() if "metadata" in r.inputs}
    assert spaces <= {"models", None}


def test_a_gateway_changes_no_other_resource_but_the_cluster() -> None:
    before = build(plan(None))
    assert before.resources.keys() <= internal().resources.keys()
    changed = [r.name for urn, r in before.resources.items() if internal().resources[urn].inputs != r.inputs]
    assert sorted(changed) == ["autoscaling-interceptor-callers", "cluster-gke", "same-namespace"], "who may call"
    cluster = internal().one("gcp:container/cluster:Cluster").inputs
    assert cluster["gatewayApiConfig"] == {"channel": "CHANNEL_STANDARD"}
    assert cluster["addonsConfig"]["httpLoadBalancing"] == {"disabled": False}
    assert "secretSyncConfig" not in cluster


def test_the_proxies_have_a_subnet_of_their_own_and_the_address_is_inside() -> None:
    subnet = internal().one("gcp:compute/subnetwork:Subnetwork", "gateway-proxies").inputs
    assert (subnet["purpose"], subnet["role"]) == ("REGIONAL_MANAGED_PROXY", "ACTIVE")
    address = internal().one("gcp:compute/address:Address").inputs
    assert (address["addressType"], address["purpose"]) == ("INTERNAL", "SHARED_LOADBALANCER_VIP")
    assert "subnetwork" in address
    outside = build(plan(EXTERNAL)).one("gcp:compute/address:Address").inputs
    assert outside["addressType"] == "EXTERNAL"
    assert not outside.keys() & {"purpose", "subnetwork"}


def test_the_gateway_comes_after_what_its_load_balancer_needs() -> None:
    depends = set(internal().one("kubernetes:gateway.networking.k8s.io/v1:Gateway").request.dependencies)
    for kind, name in (
        ("gcp:compute/subnetwork:Subnetwork", "gateway-proxies"),
        ("gcp:compute/address:Address", "gateway-address"),
        ("kubernetes:networking.k8s.io/v1:NetworkPolicy", "default-deny"),
    ):
        assert internal().one(kind, name).urn in depends


def test_an_api_key_is_only_ever_sent_as_a_secret_and_one_account_may_read_it() -> None:
    recorded = build(plan(EXTERNAL), key=True)
    holders = [r for r in recorded.resources.values() if KEY in set(strings(r.inputs))]
    assert [r.name for r in holders] == ["gateway-api-key-version"]
    assert SECRET_SIGNATURE in str(holders[0].inputs["secretDataWo"])
    grant = recorded.one("gcp:secretmanager/secretIamMember:SecretIamMember", "gateway-api-key-reader").inputs
    assert grant["member"].endswith("/subject/ns/models/sa/gateway-secrets")
    assert recorded.one("gcp:container/cluster:Cluster").inputs["secretSyncConfig"] == {"enabled": True}
    assert not any(KEY in text for outputs in recorded.outputs.values() for text in strings(outputs))


def rotated(number: int) -> Recorded:
    made = plan(EXTERNAL)
    versions = SecretVersions(api_key=number) if number > 1 else None
    target = replace(made.target, requires_api_key=True, secret_versions=versions)
    return build(replace(made, target=target), key=True)


def names_of(recorded: Recorded) -> tuple[str, set[str], set[str]]:
    """Return the number of the secret's value, and the names of the Secret that is synced and that servers read."""
    version = recorded.one("gcp:secretmanager/secretVersion:SecretVersion", "gateway-api-key-version").inputs
    sync = recorded.of_type("kubernetes:secret-sync.gke.io/v1:SecretSync")
    env = [
        row["valueFrom"]["secretKeyRef"]["name"]
        for server in recorded.of_type("kubernetes:apps/v1:Deployment")
        for row in server.inputs["spec"]["template"]["spec"]["containers"][0].get("env", [])
        if "valueFrom" in row and "secretKeyRef" in row["valueFrom"]
    ]
    return version["secretDataWoVersion"], {each.inputs["metadata"]["name"] for each in sync}, set(env)


def test_a_raised_number_writes_a_new_version_and_rolls_the_servers_to_a_secret_of_their_own() -> None:
    assert names_of(rotated(1)) == ("1", {"gateway-api-key"}, {"gateway-api-key"})
    assert names_of(rotated(2)) == ("2", {"gateway-api-key-2"}, {"gateway-api-key-2"})
    before, after = rotated(1).resources.keys(), rotated(2).resources.keys()
    assert before == after, "a rotation renames no resource of Pulumi's"


def test_a_secret_with_a_new_name_is_synced_after_its_new_value_is_written() -> None:
    recorded = rotated(2)
    (source,) = [name for name in recorded.resources if "SecretProviderClass" in name and "api-key-class" in name]
    assert "gateway-api-key-version" in " ".join(recorded.resources[source].request.dependencies)


def test_without_a_key_the_secret_waits_for_a_version_by_hand() -> None:
    recorded = build(plan(EXTERNAL))
    assert recorded.one("gcp:secretmanager/secret:Secret", "gateway-api-key")
    assert not recorded.of_type("gcp:secretmanager/secretVersion:SecretVersion")


def test_a_canary_changes_the_route_of_its_primary_and_nothing_else_that_was_there() -> None:
    after = build(plan(INTERNAL, CANARY))
    assert internal().resources.keys() <= after.resources.keys()
    changed = [r.name for urn, r in internal().resources.items() if after.resources[urn].inputs != r.inputs]
    assert changed == ["gateway-gated-route"]
    new = {urn.rsplit("::", 1)[-1] for urn in after.resources.keys() - internal().resources.keys()}
    assert all("canary" in name for name in new)
    assert "gateway-gated-canary-route" not in new, "it answers to its primary's names only"


def depends(recorded: Recorded, kind: str, name: str) -> set[str]:
    return {urn.rsplit("::", 1)[-1] for urn in recorded.one(f"kubernetes:{kind}", name).request.dependencies}


ROUTE, LISTENER = "gateway.networking.k8s.io/v1:HTTPRoute", "gateway.networking.k8s.io/v1:Gateway"


def test_a_route_comes_after_the_policies_that_guard_what_it_leads_to() -> None:
    assert {"gateway-gated-backend", "gateway-gated-health"} <= depends(internal(), ROUTE, "gateway-gated-route")
    assert {"gateway-held-grant", "gateway-held-backend"} <= depends(internal(), ROUTE, "gateway-chat-route")


def test_requests_are_split_only_once_the_canary_is_ready() -> None:
    found = depends(build(plan(INTERNAL, CANARY)), ROUTE, "gateway-gated-route")
    assert {"gated-canary-deployment", "gateway-gated-canary-backend"} <= found
    assert "gated-deployment" not in found, "a model that does not start would hold up its own address"


def test_nobody_outside_is_let_in_before_every_server_asks_for_the_key() -> None:
    servers = {f"{key}-deployment" for key in ("chat", "embed", "gated", "tpu")}
    assert servers <= depends(build(plan(EXTERNAL)), LISTENER, "gateway-listener")
    assert not servers & depends(internal(), LISTENER, "gateway-listener")


def test_a_canary_shares_the_bucket_and_has_grants_of_its_own() -> None:
    recorded = build(plan(INTERNAL, CANARY))
    buckets = [b.name for b in recorded.of_type("gcp:storage/bucket:Bucket")]
    assert buckets == [f"{key}-weights-bucket" for key in ("chat", "embed", "gated", "tpu")]
    grants = [
        (m.inputs["role"].rsplit(".", 1)[-1], m.inputs["member"].rsplit("/", 1)[-1])
        for m in recorded.of_type("gcp:storage/bucketIAMMember:BucketIAMMember")
        if m.inputs["bucket"] == "acme-models-test-test-gated"
    ]
    assert sorted(grants) == sorted(
        grant
        for key in ("gated", "gated-canary")
        for grant in (
            ("objectViewer", key),
            ("objectUser", f"{key}-loader"),
            ("bucketViewer", key),
            ("bucketViewer", f"{key}-loader"),
        )
    )


def test_the_address_and_the_base_url_are_outputs() -> None:
    recorded = build(plan(EXTERNAL))
    fleet = recorded.one("hubstack:fleet:Fleet")
    assert recorded.outputs[fleet.urn]["gateway"]["url"] == "https://models.example.com"
    assert "gateway" not in build(plan(None)).outputs[build(plan(None)).one("hubstack:fleet:Fleet").urn]


ZONED = replace(
    EXTERNAL, auth=None, certificate="hubstack-test-gateway", issues_certificate=True, dns_zone="example-com"
)


def test_a_zone_gets_the_host_s_record_and_the_proof_by_which_google_issues_its_certificate() -> None:
    found = build(plan(replace(ZONED, auth=GatewayAuth.API_KEYS)), key=True)
    added = parts(found) - parts(build(plan(EXTERNAL), key=True))
    assert added == {
        ("RecordSet", "record"),
        ("DnsAuthorization", "authorization"),
        ("RecordSet", "authorization-record"),
        ("Certificate", "certificate"),
    }
    proof = found.one("gcp:certificatemanager/dnsAuthorization:DnsAuthorization").inputs
    assert (proof["domain"], proof["location"], proof["type"]) == (
        "models.example.com",
        "us-central1",
        "PER_PROJECT_RECORD",
    )
    record = found.one("gcp:dns/recordSet:RecordSet", "gateway-record").inputs
    assert (record["managedZone"], record["name"], record["type"]) == ("example-com", "models.example.com.", "A")
    certificate = found.one("gcp:certificatemanager/certificate:Certificate").inputs
    listener = found.one("kubernetes:gateway.networking.k8s.io/v1:Gateway")
    (served,) = listener.inputs["spec"]["listeners"]
    assert served["tls"]["options"]["networking.gke.io/cert-manager-certs"] == certificate["name"]
    assert any("gateway-certificate" in urn for urn in listener.request.dependencies)
    services = {
        each.inputs["service"] for each in found.resources.values() if "projects/service:Service" in each.type
    }
    assert {"dns.googleapis.com", "certificatemanager.googleapis.com"} <= services


def test_with_a_certificate_of_one_s_own_the_zone_gets_the_host_s_record_alone() -> None:
    own = replace(ZONED, auth=GatewayAuth.API_KEYS, certificate="acme", issues_certificate=None)
    assert parts(build(plan(own), key=True)) - parts(build(plan(EXTERNAL), key=True)) == {("RecordSet", "record")}


def test_a_cloud_armor_policy_guards_every_backend() -> None:
    found = build(plan(replace(EXTERNAL, security_policy="edge")), key=True)
    policies = [each for each in found.resources.values() if each.type.endswith(":GCPBackendPolicy")]
    assert len(policies) > 3
    assert {each.inputs["spec"]["default"]["securityPolicy"] for each in policies} == {"edge"}
