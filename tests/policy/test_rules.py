# SPDX-License-Identifier: Apache-2.0
"""Each rule of the pack finds what it says and leaves its opposite alone: one smallest resource for each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from resources import Resource
from rules import RESOURCE_RULES, STACK_RULES
from settings import catalogue, read_settings

DEFAULTS: dict[str, Any] = catalogue()["defaults"]
TOKEN = "hf_" + "a" * 34


def resource(kind: str, props: Mapping[str, Any], stack: str = "dev", **labels: str) -> Resource:
    return Resource(type=kind, name="it", props=props, stack=stack, default_labels=labels)


def found(rule: str, held: Resource, **settings: Any) -> list[str]:
    return list(RESOURCE_RULES[rule](held, {**DEFAULTS, **settings}))


def server(**told: str) -> Resource:
    notes = {"license": "mit", "weights-format": "safetensors", "remote-code": "false", "scan": "clean"} | told
    notes = {f"hubstack.dev/{key.replace('_', '-')}": text for key, text in notes.items()}
    return resource(
        "kubernetes:apps/v1:Deployment", {"metadata": {"annotations": {"hubstack.dev/model": "a/b", **notes}}}
    )


def chart(values: dict[str, Any]) -> Resource:
    return resource("kubernetes:helm.sh/v3:Release", {"chart": "c", "version": "1.0.0", "values": values})


def pod(**container: Any) -> Resource:
    spec = {"template": {"spec": {"containers": [{"name": "c", "image": "a/b:1", **container}]}}}
    return resource("kubernetes:apps/v1:Deployment", {"spec": spec})


def run(**props: Any) -> Resource:
    return resource("gcp:cloudrunv2/service:Service", {"ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY", **props})


def service(**spec: Any) -> Resource:
    return resource("kubernetes:core/v1:Service", {"metadata": spec.pop("metadata", {}), "spec": spec})


INTERNAL = {"annotations": {"networking.gke.io/load-balancer-type": "Internal"}}
CLUSTER = {
    "privateClusterConfig": {"enablePrivateNodes": True},
    "controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enabled": False}},
}
BUCKET = {"publicAccessPrevention": "enforced", "uniformBucketLevelAccess": True}
POOL = "gcp:container/nodePool:NodePool"
MIT: dict[str, Any] = {"licenses": ["mit"]}
US: dict[str, Any] = {"regions": ["us-central1"]}
DIGEST = f"docker.io/a/b@sha256:{'0' * 64}"

CASES: list[tuple[str, Resource, Resource, dict[str, Any]]] = [
    ("HS001", server(license="gemma"), server(license="MIT"), MIT),
    ("HS001", server(license="mit, gemma"), server(), MIT),
    ("HS001", server(license=""), pod(), MIT),
    ("HS002", server(license=""), server(), {}),
    ("HS003", server(remote_code="true"), server(), {}),
    ("HS003", pod(args=["--trust-remote-code"]), pod(args=["--model", "x"]), {}),
    ("HS003", pod(command=["sh", "-c", "vllm serve x --trust_remote_code"]), pod(), {}),
    ("HS003", run(template={"containers": [{"args": ["--trust-remote-code=true"]}]}), run(), {}),
    ("HS004", server(weights_format="pickle"), server(weights_format="gguf"), {}),
    ("HS004", server(weights_format="gguf"), server(), {"weights_formats": ["safetensors"]}),
    ("HS005", server(scan="unsafe"), server(scan="unknown"), {}),
    ("HS006", server(scan="unknown"), server(), {}),
    ("HS006", server(scan="unfinished"), server(scan="unsafe"), {}),
    ("HS010", service(type="LoadBalancer"), service(type="LoadBalancer", metadata=INTERNAL), {}),
    ("HS010", service(externalIPs=["1.2.3.4"]), service(type="ClusterIP"), {}),
    (
        "HS010",
        resource("kubernetes:networking.k8s.io/v1:Ingress", {}),
        resource("kubernetes:networking.k8s.io/v1:Ingress", {"spec": {"ingressClassName": "gce-internal"}}),
        {},
    ),
    (
        "HS010",
        resource(
            "kubernetes:gateway.networking.k8s.io/v1:Gateway",
            {"spec": {"gatewayClassName": "gke-l7-regional-external-managed"}},
        ),
        resource("kubernetes:gateway.networking.k8s.io/v1:Gateway", {"spec": {"gatewayClassName": "gke-l7-rilb"}}),
        {},
    ),
    (
        "HS010",
        resource("gcp:compute/forwardingRule:ForwardingRule", {}),
        resource("gcp:compute/forwardingRule:ForwardingRule", {"loadBalancingScheme": "INTERNAL_MANAGED"}),
        {},
    ),
    (
        "HS010",
        resource("gcp:compute/globalAddress:GlobalAddress", {}),
        resource("gcp:compute/address:Address", {"addressType": "INTERNAL"}),
        {},
    ),
    (
        "HS010",
        resource("gcp:compute/firewall:Firewall", {"sourceRanges": ["0.0.0.0/0"], "allows": [{"protocol": "tcp"}]}),
        resource(
            "gcp:compute/firewall:Firewall", {"sourceRanges": ["10.0.0.0/8"], "allows": [{"protocol": "tcp"}]}
        ),
        {},
    ),
    (
        "HS010",
        resource("gcp:container/cluster:Cluster", {}),
        resource("gcp:container/cluster:Cluster", CLUSTER),
        {},
    ),
    (
        "HS010",
        resource("gcp:compute/instance:Instance", {"networkInterfaces": [{"accessConfigs": [{"nat_ip": ""}]}]}),
        resource("gcp:compute/instance:Instance", {"networkInterfaces": [{"network": "a"}]}),
        {},
    ),
    ("HS010", run(ingress="INGRESS_TRAFFIC_ALL"), run(), {}),
    (
        "HS011",
        resource("gcp:storage/bucket:Bucket", {**BUCKET, "publicAccessPrevention": "inherited"}),
        resource("gcp:storage/bucket:Bucket", BUCKET),
        {},
    ),
    (
        "HS011",
        resource("gcp:storage/bucket:Bucket", {"publicAccessPrevention": "enforced"}),
        resource("gcp:storage/bucket:Bucket", BUCKET),
        {},
    ),
    (
        "HS011",
        resource("gcp:storage/bucketIAMMember:BucketIAMMember", {"member": "allUsers", "role": "r"}),
        resource("gcp:storage/bucketIAMMember:BucketIAMMember", {"member": "[unknown]", "role": "r"}),
        {},
    ),
    (
        "HS011",
        resource("gcp:cloudrunv2/serviceIamBinding:ServiceIamBinding", {"members": ["allAuthenticatedUsers"]}),
        resource("gcp:cloudrunv2/serviceIamBinding:ServiceIamBinding", {"members": ["group:a@b.c"]}),
        {},
    ),
    ("HS011", run(invokerIamDisabled=True), run(invokerIamDisabled=False), {}),
    (
        "HS012",
        resource("gcp:container/cluster:Cluster", {}),
        resource("gcp:container/cluster:Cluster", CLUSTER),
        {},
    ),
    ("HS012", resource(POOL, {"networkConfig": {"enablePrivateNodes": False}}), resource(POOL, {}), {}),
    (
        "HS013",
        resource("gcp:storage/bucket:Bucket", {"location": "US"}),
        resource("gcp:storage/bucket:Bucket", {"location": "US-CENTRAL1"}),
        US,
    ),
    (
        "HS013",
        resource(POOL, {"location": "us-central1", "nodeLocations": ["us-central1-a", "europe-west1-b"]}),
        resource(POOL, {"location": "us-central1", "nodeLocations": ["us-central1-a"]}),
        US,
    ),
    (
        "HS014",
        resource(POOL, {"nodeConfig": {"spot": True}}, "prod"),
        resource(POOL, {"nodeConfig": {"spot": True}}),
        {},
    ),
    (
        "HS014",
        resource(POOL, {"nodeConfig": {"spot": True}}, "prod-eu"),
        resource(POOL, {"nodeConfig": {"spot": True}}, "production"),
        {},
    ),
    (
        "HS014",
        resource("kubernetes:cloud.google.com/v1:ComputeClass", {"spec": {"priorities": [{"spot": True}]}}, "prod"),
        resource(
            "kubernetes:cloud.google.com/v1:ComputeClass", {"spec": {"priorities": [{"nodepools": ["a"]}]}}, "prod"
        ),
        {},
    ),
    (
        "HS015",
        resource("gcp:storage/bucket:Bucket", {"labels": {"managed-by": "hubstack"}}),
        resource("gcp:storage/bucket:Bucket", {"labels": {"managed-by": "x"}}, "dev", **{"hubstack-stack": "dev"}),
        {},
    ),
    (
        "HS016",
        pod(env=[{"name": "A", "value": TOKEN}]),
        pod(env=[{"name": "HF_TOKEN_PATH", "value": "/run/token"}]),
        {},
    ),
    (
        "HS016",
        pod(env=[{"name": "DB_PASSWORD", "value": "hunter2"}]),
        pod(env=[{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "a"}}}]),
        {},
    ),
    (
        "HS016",
        run(template={"containers": [{"envs": [{"name": "HF_TOKEN", "value": "anything"}]}]}),
        run(template={"containers": [{"envs": [{"name": "HF_TOKEN", "value": "[secret]"}]}]}),
        {},
    ),
    (
        "HS016",
        resource("kubernetes:core/v1:ConfigMap", {"data": {"key": "-----BEGIN PRIVATE KEY-----"}}),
        resource("gcp:secretmanager/secretVersion:SecretVersion", {"secretData": TOKEN}),
        {},
    ),
    (
        "HS017",
        pod(image="evil.example/a:1"),
        pod(image="ghcr.io/huggingface/x:1"),
        {"registries": ["ghcr.io/huggingface"]},
    ),
    ("HS017", pod(image="python:3.12"), pod(image="vllm/vllm-openai:v1"), {"registries": ["docker.io/vllm/"]}),
    (
        "HS017",
        pod(image="ghcr.io/huggingface-evil/x:1"),
        pod(image="[unknown]"),
        {"registries": ["ghcr.io/huggingface"]},
    ),
    (
        "HS017",
        chart({"image": {"keda": {"registry": "evil.example", "repository": "a/keda", "tag": "1"}}}),
        chart(
            {"image": {"keda": {"registry": "m.example/x", "repository": "a/keda", "tag": "1"}, "pullPolicy": "A"}}
        ),
        {"registries": ["m.example/x"]},
    ),
    (
        "HS017",
        chart({"images": {"operator": "evil.example/a"}}),
        chart({"images": {"operator": "m.example/a", "tag": "1"}}),
        {"registries": ["m.example"]},
    ),
    ("HS019", chart({"images": {"operator": "m.example/a"}}), chart({"replicas": 2}), {}),
    (
        "HS019",
        chart({"image": {"manager": {"repository": "a/b", "tag": "v1"}}}),
        chart({"image": {"manager": {"repository": "a/b", "tag": f"v1@{DIGEST.partition('@')[2]}"}}}),
        {},
    ),
    ("HS018", pod(image="a/b"), pod(image="a/b:1"), {}),
    ("HS018", pod(image="localhost:5000/a:latest"), pod(image=DIGEST), {}),
    (
        "HS018",
        resource("kubernetes:helm.sh/v3:Release", {"chart": "keda"}),
        resource("kubernetes:helm.sh/v3:Release", {"chart": "keda", "version": "2.20.2"}),
        {},
    ),
    ("HS019", pod(image="a/b:1"), pod(image=DIGEST), {}),
]


@pytest.mark.parametrize(
    ("rule", "bad", "good", "settings"), CASES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_rule_finds_what_it_says_and_nothing_else(
    rule: str, bad: Resource, good: Resource, settings: dict[str, Any]
) -> None:
    assert len(found(rule, bad, **settings)) == 1
    assert found(rule, good, **settings) == []


def test_every_rule_has_a_case_and_a_text() -> None:
    texts = {rule["id"] for rule in catalogue()["rules"]}
    assert texts == {*RESOURCE_RULES, *STACK_RULES}
    assert {rule for rule, *_ in CASES} == set(RESOURCE_RULES), "a rule without a case could find nothing at all"


@pytest.mark.parametrize("rule", sorted({"HS001", "HS013", "HS017"}))
def test_a_limit_that_nobody_set_finds_nothing(rule: str) -> None:
    for case in CASES:
        if case[0] == rule:
            assert found(rule, case[1]) == []


def test_an_environments_part_holds_for_its_clusters(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        "regions: [a]\nenvironments: {prod: {regions: [b], levels: {HS019: error}}, prod-eu: {regions: [c]}}\n"
    )
    asked = {stack: read_settings(path, stack) for stack in ("prod", "prod-eu", "prod-us", "production")}
    assert [said["regions"] for said in asked.values()] == [["b"], ["c"], ["b"], ["a"]]
    assert asked["prod-eu"]["levels"]["HS019"] == "error"


def test_a_secret_is_never_repeated() -> None:
    said = found("HS016", pod(env=[{"name": "A", "value": TOKEN}, {"name": "API_KEY", "value": "hunter2"}]))
    assert len(said) == 2
    assert not [text for text in said if TOKEN in text or "hunter2" in text]


GPUS = {
    "nodeConfig": {"machineType": "a3-highgpu-8g", "guestAccelerators": [{"type": "nvidia-h100-80gb", "count": 8}]}
}
TPUS = {"nodeConfig": {"machineType": "ct6e-standard-4t"}, "nodeLocations": ["a", "b"]}


@pytest.mark.parametrize(
    ("held", "kind", "count"),
    [
        (resource(POOL, {**GPUS, "autoscaling": {"totalMaxNodeCount": 3}}), "nvidia-h100-80gb", 24),
        (resource(POOL, {**TPUS, "autoscaling": {"maxNodeCount": 3}}), "tpu-v6e-slice", 24),
        (resource(POOL, {**GPUS, "nodeCount": 2}), "nvidia-h100-80gb", 16),
        (
            run(template={"nodeSelector": {"accelerator": "nvidia-l4"}, "scaling": {"maxInstanceCount": 5}}),
            "nvidia-l4",
            5,
        ),
        (
            resource(
                "gcp:vertex/x:AiEndpointWithModelGardenDeployment",
                {
                    "deployConfig": {
                        "dedicatedResources": {
                            "machineSpec": {"acceleratorType": "NVIDIA_L4", "acceleratorCount": 2},
                            "maxReplicaCount": 3,
                        }
                    }
                },
            ),
            "nvidia-l4",
            6,
        ),
    ],
)
def test_what_may_grow_is_counted_whole(held: Resource, kind: str, count: int) -> None:
    look = STACK_RULES["HS020"]
    assert list(look([held], {"max_accelerators": {kind: count}})) == []
    assert list(look([held], {"max_accelerators": {kind: count - 1}})) == [
        (None, f"node pools may grow to {count} {kind}; allowed: {count - 1}")
    ]
    assert len(list(look([held], {"max_accelerators": {}}))) == 1, "a kind that is not named is not allowed"
    assert list(look([held], {"max_accelerators": None})) == []


def test_a_service_without_a_bound_is_named() -> None:
    held = run(template={"nodeSelector": {"accelerator": "nvidia-l4"}})
    assert list(STACK_RULES["HS020"]([held], {"max_accelerators": {"nvidia-l4": 1}})) == [
        (held, "its number of nvidia-l4 instances is not limited")
    ]
