# SPDX-License-Identifier: Apache-2.0
"""What a stack needs of an existing cluster, and what that lacks: each with a command."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pulumi_hubstack.existing_cluster import facts_of

from hubstack.files.errors import InputError
from hubstack.inputs.cluster_facts import load_cluster_facts
from hubstack.inputs.settings import StackSettings, read_settings
from hubstack.inputs.teams import TeamSettings
from hubstack.plan import Plan
from hubstack.plan.existing_cluster import ClusterFacts, Component, ExistingCluster
from hubstack.plan.gateway import GatewayAuth, GatewayPlan
from hubstack.planner.existing_cluster import AUTOPILOT_ACCELERATORS, lacks, needed
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from tests.support.facts import catalog
from tests.support.golden import environment
from tests.support.plans import make_plan

DESCRIBED: dict[str, Any] = {
    "name": "platform",
    "location": "us-central1",
    "currentMasterVersion": "1.36.3-gke.100",
    "endpoint": "203.0.113.9",
    "addonsConfig": {"gcsFuseCsiDriverConfig": {"enabled": True}},
    "binaryAuthorization": {"evaluationMode": "PROJECT_SINGLETON_POLICY_ENFORCE"},
    "controlPlaneEndpointsConfig": {
        "dnsEndpointConfig": {"allowExternalTraffic": True, "endpoint": "gke-1.us-central1.gke.goog"}
    },
    "monitoringConfig": {
        "componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "DCGM", "POD", "DEPLOYMENT"]},
        "managedPrometheusConfig": {"enabled": True},
    },
    "networkConfig": {
        "datapathProvider": "ADVANCED_DATAPATH",
        "enableFqdnNetworkPolicy": True,
        "gatewayApiConfig": {"channel": "CHANNEL_STANDARD"},
    },
    "privateClusterConfig": {"privateEndpoint": "172.16.0.2"},
    "secretManagerConfig": {"enabled": True},
    "secretSyncConfig": {"enabled": True},
    "workloadIdentityConfig": {"workloadPool": "acme-models.svc.id.goog"},
}
"""A cluster with everything, in the API's fields."""
GAPS = {
    "addonsConfig.gcsFuseCsiDriverConfig.enabled": "--update-addons=GcsFuseCsiDriver=ENABLED",
    "binaryAuthorization": "--binauthz-evaluation-mode=PROJECT_SINGLETON_POLICY_ENFORCE",
    "controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic": "--enable-dns-access",
    "monitoringConfig.componentConfig": "--monitoring=SYSTEM,DCGM,POD,DEPLOYMENT",
    "monitoringConfig.managedPrometheusConfig": "--enable-managed-prometheus",
    "networkConfig.datapathProvider": "--enable-dataplane-v2",
    "networkConfig.enableFqdnNetworkPolicy": "--enable-fqdn-network-policy",
    "networkConfig.gatewayApiConfig": "--gateway-api=standard",
    "secretManagerConfig": "--enable-secret-manager",
    "secretSyncConfig": "--enable-secret-sync",
    "workloadIdentityConfig": "--workload-pool=acme-models.svc.id.goog",
}
"""Path of what is missing to the flag that turns it on."""


def settings(**cluster: Any) -> StackSettings:
    told = {"name": "platform", "control_plane": ["172.16.0.0/28"], **cluster}
    return read_settings(
        "dev",
        {
            "gcp:project": "acme-models",
            "gcp:region": "us-central1",
            "hubstack:cluster": json.dumps(told),
            "hubstack:binaryAuthorization": "true",
        },
    )


def facts(folder: Path, described: dict[str, Any]) -> ClusterFacts:
    path = folder / "cluster.json"
    path.write_text(json.dumps(described))
    return load_cluster_facts(path, "cluster.json")


def without(path: str) -> dict[str, Any]:
    described = json.loads(json.dumps(DESCRIBED))
    *parents, last = path.split(".")
    held = described
    for key in parents:
        held = held[key]
    del held[last]
    return described


def used(plan: Plan | None = None, gateway: GatewayPlan | None = None) -> ExistingCluster:
    plan, target = plan or make_plan(), settings()
    assert target.cluster
    return replace(target.cluster, needs=needed(target, plan.on_gke, plan.pools, gateway, picked=False))


KEYS = GatewayPlan(timeout_seconds=3600, auth=GatewayAuth.API_KEYS)


@pytest.mark.parametrize("gap", GAPS)
def test_each_missing_feature_is_named_with_the_flag_that_turns_it_on(gap: str, tmp_path: Path) -> None:
    cluster = used(gateway=KEYS)
    assert list(lacks(cluster, facts(tmp_path, DESCRIBED))) == []
    (said,) = lacks(cluster, facts(tmp_path, without(gap)))
    assert GAPS[gap] in said
    if "dataplane" not in GAPS[gap]:
        assert "`gcloud container clusters update platform --location us-central1 --project acme-models --" in said


def test_only_what_the_stack_uses_is_needed(tmp_path: Path) -> None:
    bare = facts(tmp_path, {**DESCRIBED, "secretManagerConfig": {}, "secretSyncConfig": {}})
    assert list(lacks(used(make_plan(without=("gated",))), bare)) == []
    assert [each for each in lacks(used(), bare) if "Secret Manager" in each]


def test_an_old_control_plane_is_upgraded_to_what_the_stack_needs(tmp_path: Path) -> None:
    old = facts(tmp_path, {**DESCRIBED, "currentMasterVersion": "1.30.3-gke.999999"})
    (said,) = lacks(used(), old)
    assert "--master --cluster-version 1.30.3-gke.1451000" in said
    assert list(lacks(used(), facts(tmp_path, {**DESCRIBED, "currentMasterVersion": "1.30.4-gke.1"}))) == []


def test_addresses_of_the_control_plane_come_from_the_description(tmp_path: Path) -> None:
    assert facts(tmp_path, DESCRIBED).control_plane == ("172.16.0.2/32", "203.0.113.9/32")


def test_the_api_and_gcloud_are_read_alike(tmp_path: Path) -> None:
    said = facts(tmp_path, DESCRIBED)

    class Block:
        def __init__(self, **values: Any) -> None:
            self.__dict__ |= values

        def __getattr__(self, name: str) -> Any:
            return None

    answer = Block(
        name="platform",
        location="us-central1",
        master_version="1.36.3-gke.100",
        datapath_provider="ADVANCED_DATAPATH",
        enable_fqdn_network_policy=True,
        addons_configs=[Block(gcs_fuse_csi_driver_configs=[Block(enabled=True)])],
        binary_authorizations=[Block(evaluation_mode="PROJECT_SINGLETON_POLICY_ENFORCE")],
        control_plane_endpoints_configs=[
            Block(dns_endpoint_configs=[Block(allow_external_traffic=True, endpoint="gke-1.us-central1.gke.goog")])
        ],
        gateway_api_configs=[Block(channel="CHANNEL_STANDARD")],
        monitoring_configs=[
            Block(enable_components=list(said.metrics), managed_prometheuses=[Block(enabled=True)])
        ],
        private_cluster_configs=[Block(private_endpoint="172.16.0.2")],
        secret_manager_configs=[Block(enabled=True)],
        secret_sync_configs=[Block(enabled=True)],
        workload_identity_configs=[Block(workload_pool="acme-models.svc.id.goog")],
    )
    assert facts_of(answer) == replace(said, control_plane=())


@pytest.fixture
def quickstart() -> StackInputs:
    return StackInputs.load(environment("quickstart"))


def planned(inputs: StackInputs, stack: str = "dev", **cluster: Any) -> Plan:
    target = settings(**cluster).changed(stack=stack)
    return plan_inputs(replace(inputs, target=target))


def test_two_stacks_of_one_list_share_no_name_in_a_cluster(quickstart: StackInputs) -> None:
    one, two = planned(quickstart, "dev"), planned(quickstart, "prod")
    for name in ("pools", "classes"):
        keys = [{each.key for each in getattr(plan, name)} for plan in (one, two)]
        assert not keys[0] & keys[1], name
    for plan in (one, two):
        assert {model.capacity_class for model in plan.on_gke} == {each.key for each in plan.classes}
        assert {step.pool for model in plan.on_gke for step in model.steps} == {each.key for each in plan.pools}


def test_a_namespace_of_the_stacks_own_is_the_default_in_an_existing_cluster() -> None:
    assert settings().namespace == "models-dev"
    assert settings().keda_namespace == "keda"
    assert settings(installed=["keda"], keda_namespace="autoscaling").keda_namespace == "autoscaling"


@pytest.mark.parametrize("endpoint", ["999.1.1.1", "\uff11.1.1.1", "1.1.1.1/0", "01.1.1.1", "fd00::1"])
def test_what_is_no_ipv4_address_is_in_no_policy(tmp_path: Path, endpoint: str) -> None:
    told = {"name": "a", "location": "b", "currentMasterVersion": "1.36.3", "endpoint": endpoint}
    assert facts(tmp_path, told).control_plane == ()


def test_the_bill_has_no_control_plane_that_others_pay(quickstart: StackInputs) -> None:
    plan = planned(quickstart)
    lines = {line.what for line in plan.cost.by_item()["cluster"]}
    assert lines == {"boot disks"}
    assert any("what platform costs without this stack" in each for each in plan.cost.not_counted)
    assert any("Autopilot's premium" in each for each in planned(quickstart, autopilot=True).cost.not_counted)


def test_scaling_to_zero_needs_the_add_on_of_an_installed_keda(quickstart: StackInputs) -> None:
    with pytest.raises(InputError, match="scales to zero through KEDA's HTTP add-on"):
        planned(quickstart, installed=["keda"])
    plan = planned(quickstart, installed=["keda", "http-add-on"])
    assert plan.target.has_installed(Component.HTTP_ADD_ON)
    assert any("roles/monitoring.viewer" in each for each in plan.warnings)
    assert any(
        "its interceptor must be able to reach the servers in namespace models-dev" in each
        for each in plan.warnings
    )


def test_an_installed_interceptor_must_be_let_to_the_namespaces_of_teams(quickstart: StackInputs) -> None:
    (name, *others) = (model.key for model in quickstart.request.models)
    owned = tuple(
        model.changed(team="search") if model.key != name else model for model in quickstart.request.models
    )
    assert others
    target = settings(installed=["keda", "http-add-on"]).changed(teams={"search": TeamSettings()})
    plan = plan_inputs(replace(quickstart, target=target, request=replace(quickstart.request, models=owned)))
    assert any("the servers in namespace models-dev and models-dev-search, and" in each for each in plan.warnings)


def test_the_accelerators_of_autopilot_are_in_the_catalogue() -> None:
    assert set(catalog().accelerators) >= AUTOPILOT_ACCELERATORS


def test_a_cluster_of_another_project_is_the_one_whose_metrics_and_identities_are_used(
    quickstart: StackInputs,
) -> None:
    plan = planned(quickstart, project="acme-platform")
    assert plan.target.cluster_project == "acme-platform"
    assert any("metrics scope" in each for each in plan.warnings)


def test_the_identity_pool_must_be_that_of_the_clusters_project(tmp_path: Path) -> None:
    (said,) = lacks(replace(used(), project="acme-platform"), facts(tmp_path, DESCRIBED))
    assert "--project acme-platform --workload-pool=acme-platform.svc.id.goog" in said
