# SPDX-License-Identifier: Apache-2.0
"""Models beside GKE: RunAccounts, RunLoader, CloudRunService, VertexEndpoint, and stacks of them."""

import json
from dataclasses import replace

import pulumi
import pytest
from pulumi_hubstack import Fleet, FleetArgs
from pulumi_hubstack.cloud_run_service import INGRESS, CloudRunService, CloudRunServiceArgs
from pulumi_hubstack.run_accounts import RunAccounts, RunAccountsArgs
from pulumi_hubstack.run_loader import RunLoader, RunLoaderArgs
from pulumi_hubstack.vertex_endpoint import VertexEndpoint, VertexEndpointArgs

from hubstack.deploy.weights_job import loader_script
from hubstack.kinds import Ingress
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.managed import CloudRunPlan
from tests.components.recorder import SECRET_SIGNATURE, Recorded, record
from tests.support.light_plans import GARDEN, LIGHT, RUN, SERVICE, VAULT, light_plan
from tests.support.plans import complete, make_plan

TOKEN_VALUE = "hf_averysecrettoken"
JOB, SERVICE_TYPE = "gcp:cloudrunv2/job:Job", "gcp:cloudrunv2/service:Service"
DEPLOYMENT = "gcp:vertex/aiEndpointWithModelGardenDeployment:AiEndpointWithModelGardenDeployment"


def build_service(model: ModelPlan = RUN, run: CloudRunPlan = SERVICE, plan: Plan | None = None) -> Recorded:
    args = CloudRunServiceArgs(
        target=(plan or light_plan()).target,
        model=model,
        run=run,
        account_email="server@x",
        bucket_name="acme-run",
        after=(),
    )
    return record(lambda: CloudRunService(model.key, args))


def build_loader(model: ModelPlan = RUN) -> Recorded:
    def program() -> None:
        accounts = RunAccounts("a", RunAccountsArgs(stack="test", key=model.key))
        args = RunLoaderArgs(
            target=light_plan().target,
            model=model,
            job=SERVICE.loader,
            account=accounts.loader,
            bucket_name="acme-run",
            hub_secret_id="hub-token",
            after=(),
        )
        RunLoader(f"{model.key}-loader", args)

    return record(program)


def build_endpoint(model: ModelPlan = GARDEN, token: str | None = TOKEN_VALUE) -> Recorded:
    def program() -> None:
        assert model.vertex
        secret = None if token is None else pulumi.Output.secret(token)
        args = VertexEndpointArgs(target=light_plan().target, model=model, vertex=model.vertex, hub_token=secret)
        VertexEndpoint(model.key, args)

    return record(program)


def build_fleet(plan: Plan) -> Recorded:
    return record(
        lambda: Fleet(
            "fleet",
            FleetArgs(plan=complete(plan), hub_token=pulumi.Output.secret(TOKEN_VALUE)),
        )
    )


def template(recorded: Recorded) -> dict:
    return recorded.one(SERVICE_TYPE).inputs["template"]


def test_server_and_loader_have_accounts_of_their_own() -> None:
    args = RunAccountsArgs(stack="test", key="a-model-with-a-name-that-is-rather-long")
    _, children = record(lambda: RunAccounts("a", args)).component("hubstack:run_accounts:RunAccounts")
    kind = "gcp:serviceaccount/account:Account"
    assert children == [(kind, "a-loader"), (kind, "a-server")]
    accounts = record(lambda: RunAccounts("a", args)).of_type(kind)
    ids = {account.inputs["accountId"] for account in accounts}
    assert len(ids) == 2
    assert all(6 <= len(each) <= 30 for each in ids)


def test_a_service_has_one_gpu_and_processors_that_are_always_there() -> None:
    said = template(build_service())
    (container,) = said["containers"]
    assert container["resources"] == {
        "limits": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"},
        "cpuIdle": False,
        "startupCpuBoost": True,
    }
    assert said["nodeSelector"] == {"accelerator": "nvidia-l4"}
    assert said["gpuZonalRedundancyDisabled"] is True, "a project's first quota is of GPUs without it"
    assert said["executionEnvironment"] == "EXECUTION_ENVIRONMENT_GEN2"


def test_a_service_scales_as_planned_and_waits_for_its_load() -> None:
    said = template(build_service())
    assert said["scaling"] == {"minInstanceCount": 0, "maxInstanceCount": 2}
    assert (said["maxInstanceRequestConcurrency"], said["timeout"]) == (64, "420s")
    probe = said["containers"][0]["startupProbe"]
    assert (probe["periodSeconds"], probe["failureThreshold"]) == (10, 90)
    assert probe["timeoutSeconds"] <= probe["periodSeconds"] <= 240


def test_the_bucket_is_mounted_read_only_by_an_account_of_the_servers_own() -> None:
    said = template(build_service())
    assert said["serviceAccount"] == "server@x"
    (volume,) = said["volumes"]
    assert volume["gcs"] == {"bucket": "acme-run", "readOnly": True, "mountOptions": ["implicit-dirs"]}
    assert said["containers"][0]["volumeMounts"] == [{"name": "weights", "mountPath": "/weights"}]


@pytest.mark.parametrize("ingress", list(Ingress))
def test_a_service_is_internal_unless_asked_and_never_open_to_everyone(ingress: Ingress) -> None:
    found = build_service(run=replace(SERVICE, ingress=ingress))
    inputs = found.one(SERVICE_TYPE).inputs
    assert inputs["ingress"] == INGRESS[ingress]
    assert inputs["invokerIamDisabled"] is False
    grants = found.of_type("gcp:cloudrunv2/serviceIamMember:ServiceIamMember")
    assert [(grant.inputs["role"], grant.inputs["member"]) for grant in grants] == [
        ("roles/run.invoker", "group:apps@example.com")
    ]
    assert "allUsers" not in json.dumps([r.inputs for r in found.resources.values()])
    assert INGRESS[SERVICE.ingress] == "INGRESS_TRAFFIC_INTERNAL_ONLY"


@pytest.mark.parametrize("protected", [True, False])
def test_a_service_may_leave_the_list_of_a_protected_stack(protected: bool) -> None:
    plan = light_plan()
    plan = replace(plan, target=replace(plan.target, deletion_protection=protected))
    assert build_service(plan=plan).one(SERVICE_TYPE).inputs["deletionProtection"] is False


def test_long_names_end_in_a_hash_within_cloud_runs_limit() -> None:
    names = set()
    for key in ("a" * 40, "a" * 39 + "b"):
        name = build_service(replace(RUN, key=key)).one(SERVICE_TYPE).inputs["name"]
        assert len(name) < 50
        names.add(name)
    assert len(names) == 2


def test_a_load_is_a_job_and_the_objects_that_it_reads() -> None:
    _, children = build_loader().component("hubstack:run_loader:RunLoader")
    assert [kind.rsplit(":", 1)[-1] for kind, _ in children] == ["Job", *["BucketObject"] * 3]
    objects = build_loader().of_type("gcp:storage/bucketObject:BucketObject")
    # The SDK marks the content of every object as a secret.
    contents = {each.inputs["name"].rsplit("/", 1)[-1]: each.inputs["content"]["value"] for each in objects}
    assert contents["load_weights.py"] == loader_script()
    assert json.loads(contents["manifest.json"])["commit"] == RUN.commit
    folders = {each.inputs["name"].rsplit("/", 1)[0] for each in objects}
    (folder,) = folders
    command = build_loader().one(JOB).inputs["template"]["template"]["containers"][0]["commands"][-1]
    assert f"/bucket/{folder}/load_weights.py --manifest /bucket/{folder}/manifest.json" in command
    assert f"--target /bucket/{RUN.commit}" in command


def test_pulumi_waits_for_the_load_and_does_not_run_it_again() -> None:
    job = build_loader().one(JOB)
    assert job.inputs["runExecutionToken"]
    assert list(job.request.ignoreChanges) == ["runExecutionToken"]
    assert job.request.customTimeouts.create == "6h"
    assert len(job.inputs["name"]) + len(job.inputs["runExecutionToken"]) < 63


def test_another_commit_is_another_job_beside_the_old_one() -> None:
    """What is ignored of an old Job cannot keep a new one from running."""
    weights = replace(RUN.weights, commit="9" * 40, prefix="9" * 40)
    old, new = (build_loader(model).one(JOB) for model in (RUN, replace(RUN, weights=weights)))
    assert old.urn != new.urn
    assert old.inputs["name"] != new.inputs["name"]


def test_a_job_has_the_planned_memory_and_no_gpu() -> None:
    task = build_loader().one(JOB).inputs["template"]["template"]
    assert task["containers"][0]["resources"]["limits"] == {"cpu": "4", "memory": "16Gi"}
    assert task["timeout"] == "21600s"
    assert "nodeSelector" not in task


def test_only_a_gated_models_loader_gets_the_token_and_only_by_reference() -> None:
    envs = build_loader(VAULT).one(JOB).inputs["template"]["template"]["containers"][0]["envs"]
    (token,) = [env for env in envs if env["name"] == "HF_TOKEN"]
    assert token["valueSource"] == {"secretKeyRef": {"secret": "hub-token", "version": "latest"}}
    grant = build_loader(VAULT).one("gcp:secretmanager/secretIamMember:SecretIamMember")
    assert grant.inputs["role"] == "roles/secretmanager.secretAccessor"
    assert "loader" in grant.inputs["member"]
    assert "HF_TOKEN" not in json.dumps(build_loader(RUN).one(JOB).inputs)
    assert "HF_TOKEN" not in json.dumps(template(build_service(VAULT)))


def test_a_deployment_names_the_hub_id_and_the_planned_machine() -> None:
    inputs = build_endpoint().one(DEPLOYMENT).inputs
    assert inputs["huggingFaceModelId"] == "acme/garden"
    assert inputs["deployConfig"]["dedicatedResources"] == {
        "machineSpec": {"machineType": "g2-standard-12", "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1},
        "minReplicaCount": 1,
        "maxReplicaCount": 2,
    }
    assert inputs["modelConfig"]["acceptEula"] is True


def test_a_deployments_token_is_a_secret_and_there_for_gated_models_only() -> None:
    config = build_endpoint().one(DEPLOYMENT).inputs["modelConfig"]
    # The SDK marks the whole of a nested input that holds a secret.
    assert SECRET_SIGNATURE in json.dumps(build_endpoint().one(DEPLOYMENT).inputs)
    assert "huggingFaceAccessToken" in json.dumps(config)
    assert GARDEN.vertex
    open_model = replace(GARDEN, vertex=replace(GARDEN.vertex, needs_token=False))
    assert TOKEN_VALUE not in json.dumps(build_endpoint(open_model).one(DEPLOYMENT).inputs)


def test_a_deployment_may_leave_the_list_of_a_protected_stack() -> None:
    assert light_plan().target.deletion_protection
    assert build_endpoint().one(DEPLOYMENT).inputs["deletionPolicy"] == "DELETE"


def test_a_stack_without_gke_models_has_no_network_cluster_or_kubernetes() -> None:
    found = build_fleet(light_plan())
    kinds = {resource.type for resource in found.resources.values()}
    refused = (
        "gcp:container/",
        "gcp:compute/",
        "kubernetes:",
        "pulumi:providers:kubernetes",
        "hubstack:network:",
        "hubstack:cluster:",
    )
    assert not [kind for kind in kinds if kind.startswith(refused)]
    apis = {api.inputs["service"].partition(".")[0] for api in found.of_type("gcp:projects/service:Service")}
    assert {"run", "storage", "iam", "secretmanager", "aiplatform"} <= apis
    assert not {"container", "compute"} & apis


def test_apis_are_turned_on_for_the_platforms_that_are_used_only() -> None:
    found = build_fleet(light_plan(RUN))
    apis = {api.inputs["service"].partition(".")[0] for api in found.of_type("gcp:projects/service:Service")}
    assert not {"aiplatform", "secretmanager"} & apis


def test_outputs_name_each_models_address() -> None:
    found = build_fleet(light_plan())
    fleet = found.one("hubstack:fleet:Fleet")
    outputs = found.outputs[fleet.urn]
    assert set(outputs["endpoints"]) == {"garden", "run", "vault"}
    assert outputs["endpoints"]["run"].endswith(".run.app/v1")
    assert set(outputs["buckets"]) == {"run", "vault"}
    assert "cluster_name" not in outputs


def test_a_mixed_stack_has_both_and_leaves_the_gke_part_as_it_is() -> None:
    plain = make_plan()
    mixed = replace(plain, models=tuple(sorted((*plain.models, *LIGHT), key=lambda model: model.key)))
    before, after = build_fleet(plain), build_fleet(mixed)
    assert before.resources.keys() <= after.resources.keys()
    for urn, resource in before.resources.items():
        assert after.resources[urn].inputs == resource.inputs, urn
    assert {resource.name for resource in after.of_type(SERVICE_TYPE)} == {"run-service", "vault-service"}
    assert len(after.of_type(DEPLOYMENT)) == 1


def test_services_come_after_their_weights() -> None:
    found = build_fleet(light_plan(RUN))
    job = found.one(JOB).urn
    assert job in found.one(SERVICE_TYPE).request.dependencies
    bucket = found.one("gcp:storage/bucket:Bucket").urn
    assert bucket in found.one(JOB).request.dependencies
