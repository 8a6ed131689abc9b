# SPDX-License-Identifier: Apache-2.0
"""Remote repositories for images: which are registered, who may read them, and what waits for them."""

from dataclasses import replace

from pulumi_hubstack import Fleet, FleetArgs
from pulumi_hubstack.image_repositories import ImageRepositories

from hubstack.plan import Plan
from hubstack.plan.gateway import GatewayPlan
from hubstack.plan.images import ImagesPlan, remote_mirrors
from hubstack.plan.settings import SecurityPlan
from hubstack.planner.images import place_images
from tests.components.recorder import Recorded, record
from tests.support.plans import complete, make_plan, with_gateway

assert ImageRepositories
REPOSITORY = "gcp:artifactregistry/repository:Repository"
READER = "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember"
KEY = "projects/acme/locations/us-central1/keyRings/ring/cryptoKeys/key"


def with_remote(plan: Plan, **images: object) -> Plan:
    target = plan.target
    mirrors = remote_mirrors(target.project, target.region, target.stack)
    asked = replace(ImagesPlan(mirrors=mirrors, has_remote_repositories=True, digests={}), **images)  # type: ignore[arg-type]
    models = tuple(place_images(model, asked) for model in plan.models)
    return replace(plan, target=replace(target, images=asked), models=models)


def build(plan: Plan) -> Recorded:
    return record(lambda: Fleet("fleet", FleetArgs(plan=complete(plan))))


def gateway_plan() -> Plan:
    return with_gateway(make_plan(), GatewayPlan(timeout_seconds=3600))


def test_each_registry_in_use_has_a_repository_that_only_the_nodes_read() -> None:
    recorded = build(with_remote(gateway_plan()))
    made = {
        each.inputs["repositoryId"]: each.inputs for each in recorded.resources.values() if each.type == REPOSITORY
    }
    assert made["hubstack-test-docker-io"]["remoteRepositoryConfig"]["dockerRepository"] == {
        "publicRepository": "DOCKER_HUB"
    }
    kubernetes = made["hubstack-test-registry-k8s-io"]["remoteRepositoryConfig"]["commonRepository"]
    assert kubernetes == {"uri": "https://registry.k8s.io"}
    assert {each["mode"] for each in made.values()} == {"REMOTE_REPOSITORY"}
    assert "hubstack-test-quay-io" not in made, "no image comes from there"
    readers = [each.inputs for each in recorded.resources.values() if each.type == READER]
    assert len(readers) == len(made)
    assert {(each["role"], each["member"].partition(":")[0]) for each in readers} == {
        ("roles/artifactregistry.reader", "serviceAccount")
    }
    assert "artifactregistry.googleapis.com" in {
        each.inputs["service"]
        for each in recorded.resources.values()
        if each.type.endswith("service:Service") and "service" in each.inputs
    }


def test_containers_and_charts_name_the_repositories() -> None:
    recorded = build(with_remote(gateway_plan()))
    text = str([each.inputs for each in recorded.resources.values() if each.type.startswith("kubernetes:")])
    home = "us-central1-docker.pkg.dev/"
    assert f"{home}" in text
    assert "'vllm/vllm-openai" not in text
    assert "'registry.k8s.io/gateway" not in text


def test_a_stack_without_the_setting_or_with_a_mirror_has_no_repository() -> None:
    for plan in (
        gateway_plan(),
        with_remote(gateway_plan(), mirrors={"*": "m.example"}, has_remote_repositories=False),
    ):
        assert REPOSITORY not in {each.type for each in build(plan).resources.values()}


def test_repositories_are_encrypted_with_the_key_of_the_stack() -> None:
    plan = with_remote(gateway_plan())
    plan = replace(plan, target=replace(plan.target, security=SecurityPlan(kms_key=KEY)))
    recorded = build(plan)
    made = [each.inputs for each in recorded.resources.values() if each.type == REPOSITORY]
    assert {each["kmsKeyName"] for each in made} == {KEY}
    agents = [each.inputs for each in recorded.resources.values() if each.type.endswith("ServiceIdentity")]
    assert "artifactregistry.googleapis.com" in {each["service"] for each in agents}
