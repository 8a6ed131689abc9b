# SPDX-License-Identifier: Apache-2.0
"""What scales models and what groups their nodes: Autoscaling, GroupController, and what they bring to a fleet."""

from dataclasses import replace
from typing import Any

import pytest
from pulumi_hubstack import Fleet, FleetArgs
from pulumi_hubstack.autoscaling import Autoscaling
from pulumi_hubstack.foundation import autoscaling_args
from pulumi_hubstack.group_controller import GroupController, GroupControllerArgs
from pulumi_hubstack.model_server import ModelServer, ModelServerArgs

from hubstack.plan import ModelPlan, Plan
from tests.components.recorder import NUMBER, Recorded, record
from tests.support.plans import BUSY, GATED, RESTING, complete, make_plan, with_models

RELEASE = "kubernetes:helm.sh/v3:Release"
SCALED_OBJECT = "kubernetes:keda.sh/v1alpha1:ScaledObject"
WIDE = replace(GATED, hosts=2, server=replace(GATED.server, worker_args=("/weights", "--headless")))


def build(plan: Plan) -> Recorded:
    args = autoscaling_args(plan, "principal://keda", ())
    return record(lambda: Autoscaling("autoscaling", args))


def build_server(model: ModelPlan) -> Recorded:
    return record(
        lambda: ModelServer(model.key, ModelServerArgs(target=with_models(model).target, model=model, after=()))
    )


def fleet(plan: Plan) -> Recorded:
    return record(lambda: Fleet("fleet", FleetArgs(plan=complete(plan))))


def depends(recorded: Recorded, kind: str, name: str) -> set[str]:
    return {urn.rsplit("::", 1)[-1] for urn in recorded.one(kind, name).request.dependencies}


def test_autoscaling_is_a_namespace_a_grant_two_releases_and_an_authentication() -> None:
    _, children = build(with_models(RESTING)).component("hubstack:autoscaling:Autoscaling")
    assert children == [
        ("gcp:projects/iAMMember:IAMMember", "autoscaling-monitoring"),
        ("kubernetes:core/v1:Namespace", "autoscaling-namespace"),
        (RELEASE, "autoscaling-interceptor"),
        (RELEASE, "autoscaling-keda"),
        ("kubernetes:keda.sh/v1alpha1:TriggerAuthentication", "autoscaling-authentication"),
        ("kubernetes:networking.gke.io/v1alpha1:FQDNNetworkPolicy", "autoscaling-operator-to-metrics"),
        ("kubernetes:networking.k8s.io/v1:NetworkPolicy", "autoscaling-controllers"),
        ("kubernetes:networking.k8s.io/v1:NetworkPolicy", "autoscaling-interceptor-callers"),
        ("kubernetes:networking.k8s.io/v1:NetworkPolicy", "autoscaling-interceptor-to-servers"),
        ("kubernetes:networking.k8s.io/v1:NetworkPolicy", "autoscaling-operator-identity"),
    ]


def test_the_interceptor_comes_only_where_a_model_rests() -> None:
    assert [release.name for release in build(with_models(BUSY)).of_type(RELEASE)] == ["autoscaling-keda"]


def test_nothing_of_keda_starts_before_its_namespace_is_closed() -> None:
    recorded = build(with_models(RESTING))
    policies = {each.name for each in recorded.resources.values() if each.type.endswith("NetworkPolicy")}
    assert policies - {"autoscaling-interceptor-callers"} <= depends(recorded, RELEASE, "autoscaling-keda")
    assert "autoscaling-interceptor-callers" in depends(recorded, RELEASE, "autoscaling-interceptor")


def test_keda_may_look_at_metrics_and_nothing_else() -> None:
    grant = build(with_models(BUSY)).one("gcp:projects/iAMMember:IAMMember").inputs
    assert grant == {"project": "acme-models-test", "role": "roles/monitoring.viewer", "member": "principal://keda"}


def test_releases_are_pinned_and_taken_back_when_they_fail() -> None:
    inputs = build(with_models(RESTING)).one(RELEASE, "autoscaling-keda").inputs
    assert inputs["version"] == "2.20.2"
    assert inputs["repositoryOpts"] == {"repo": "https://kedacore.github.io/charts"}
    assert (inputs["namespace"], inputs["name"], inputs["atomic"]) == ("keda", "keda", True)


def test_the_add_on_and_what_names_keda_come_after_it() -> None:
    recorded = build(with_models(RESTING))
    assert "autoscaling-keda" in depends(recorded, RELEASE, "autoscaling-interceptor")
    kind = "kubernetes:keda.sh/v1alpha1:TriggerAuthentication"
    assert "autoscaling-keda" in depends(recorded, kind, "autoscaling-authentication")


def test_the_controller_of_groups_is_a_closed_namespace_and_a_release() -> None:
    recorded = record(
        lambda: GroupController("group-controller", GroupControllerArgs(target=make_plan().target, after=()))
    )
    _, children = recorded.component("hubstack:group_controller:GroupController")
    assert children == [
        ("kubernetes:core/v1:Namespace", "group-controller-namespace"),
        (RELEASE, "group-controller-lws"),
        ("kubernetes:networking.k8s.io/v1:NetworkPolicy", "group-controller-controllers"),
    ]
    assert "group-controller-controllers" in depends(recorded, RELEASE, "group-controller-lws")
    inputs = recorded.one(RELEASE).inputs
    assert (inputs["chart"], inputs["version"]) == ("oci://registry.k8s.io/lws/charts/lws", "0.10.0")
    assert "repositoryOpts" not in inputs


def test_a_resting_model_has_a_scaler_a_route_and_an_address() -> None:
    kinds = {name: kind for kind, name in build_server(RESTING).component("hubstack:model_server:ModelServer")[1]}
    assert kinds["chat-scaler"] == SCALED_OBJECT
    assert kinds["chat-route"] == "kubernetes:http.keda.sh/v1beta1:InterceptorRoute"
    assert kinds["chat-wake"] == "kubernetes:core/v1:Service"


def test_a_model_that_always_runs_has_a_scaler_only() -> None:
    names = [name for _, name in build_server(BUSY).component("hubstack:model_server:ModelServer")[1]]
    assert names == ["gated-deployment", "gated-service", "gated-account", "gated-scaler", "gated-budget"]


def test_a_scaler_goes_before_its_target_and_before_keda() -> None:
    """Reverse order of what it depends on: a ScaledObject keeps a finalizer that KEDA takes off."""
    recorded = fleet(with_models(RESTING))
    assert {"chat-deployment", "chat-route"} <= depends(recorded, SCALED_OBJECT, "chat-scaler")
    assert {"autoscaling-keda", "autoscaling-interceptor"} <= depends(recorded, SCALED_OBJECT, "chat-scaler")


def test_servers_do_not_wait_for_keda() -> None:
    found = depends(fleet(with_models(RESTING)), "kubernetes:apps/v1:Deployment", "chat-deployment")
    assert not [name for name in found if name.startswith("autoscaling")]


def test_a_group_waits_for_its_controller_and_a_single_server_does_not() -> None:
    recorded = fleet(with_models(WIDE))
    group = "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet"
    assert "group-controller-lws" in depends(recorded, group, "gated-group")
    deployment = depends(recorded, "kubernetes:apps/v1:Deployment", "chat-deployment")
    assert "group-controller-lws" not in deployment


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (make_plan(), set()),
        (with_models(RESTING), {"autoscaling"}),
        (with_models(WIDE), {"group-controller"}),
    ],
)
def test_controllers_are_there_only_where_a_model_needs_them(plan: Plan, expected: set[str]) -> None:
    fleet_urn = (recorded := fleet(plan)).one("hubstack:fleet:Fleet").urn
    assert {name for _, name in recorded.children(fleet_urn)} & {"autoscaling", "group-controller"} == expected


def test_scaling_leaves_every_other_resource_as_it_is() -> None:
    before, after = fleet(make_plan()).resources, fleet(with_models(RESTING, BUSY)).resources
    changed = {resource.name for urn, resource in before.items() if after[urn].inputs != resource.inputs}
    assert changed == {"same-namespace"}, "the interceptor is let in"
    new = {after[urn].name for urn in after.keys() - before.keys()}
    assert all(name.startswith(("autoscaling", "chat-", "gated-scaler")) for name in new)


def test_keda_is_known_to_google_by_its_own_account() -> None:
    recorded = fleet(with_models(RESTING))
    member: Any = recorded.one("gcp:projects/iAMMember:IAMMember", "autoscaling-monitoring").inputs["member"]
    assert member == (
        f"principal://iam.googleapis.com/projects/{NUMBER}/locations/global/workloadIdentityPools/"
        "acme-models-test.svc.id.goog/subject/ns/keda/sa/keda-operator"
    )


def test_callers_are_told_the_address_that_wakes() -> None:
    recorded = fleet(with_models(RESTING))
    endpoints = recorded.outputs[recorded.one("hubstack:fleet:Fleet").urn]["endpoints"]
    assert endpoints["chat"] == "http://chat-wake.models.svc.cluster.local:8080/v1"
    assert endpoints["gated"] == "http://gated.models.svc.cluster.local/v1"
