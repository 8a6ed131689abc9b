# SPDX-License-Identifier: Apache-2.0
"""Every example, as rendered, on a real control plane.

Whatever kinds `hubstack render` writes are applied and judged. The nodes are those that the rendered node pools
would bring; the autoscaler, the kubelet and the disks are stand-ins (docs/concepts/sandbox.md).
"""

import json
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from hubstack.deploy.manifests.scaling import scale_to_zero_models
from proof.api import ApiError, Object, identity
from proof.binaries import SandboxError
from proof.nodes import CLASS_LABEL
from proof.places import group_size, missing, model_of, pods_of, scale_to_max, settle, wrong
from proof.sandbox import MANAGER, Sandbox
from proof.stack import Stack, pod_template, read_stack
from tests.proof.conftest import EXAMPLES, PROJECT

pytestmark = pytest.mark.proof


@dataclass(frozen=True)
class Applied:
    """An example that was applied to an empty cluster."""

    name: str
    stack: Stack
    objects: dict[tuple[str, str, str, str], Object]
    """As the server had them when all was quiet, by what tells them apart."""


@pytest.fixture(scope="module", params=EXAMPLES)
def applied(request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Applied:
    folder = tmp_path_factory.mktemp(request.param.replace("/", "-")) / "rendered"
    stack = read_stack(PROJECT, f"examples/{request.param}", folder)
    sandbox.empty()
    sandbox.use(stack.pools)
    sandbox.apply(stack.folder)
    expected = {each["metadata"]["name"]: each["spec"].get("replicas", 1) for each in stack.workloads}
    settle(sandbox, stack, expected)
    return Applied(request.param, stack, quiet(sandbox))


def managed(sandbox: Sandbox) -> dict[tuple[str, str, str, str], Object]:
    """Return everything in the cluster that was applied as hubstack."""
    found: dict[tuple[str, str, str, str], Object] = {}
    for kind in sandbox.api.kinds:
        if "list" in kind.verbs and kind.kind != "Event":
            for value in sandbox.api.items(kind):
                fields = value["metadata"].get("managedFields", ())
                if any((each["manager"], each["operation"]) == (MANAGER, "Apply") for each in fields):
                    found[identity(value)] = value
    return found


def quiet(sandbox: Sandbox) -> dict[tuple[str, str, str, str], Object]:
    """Return the same once no controller changes any of it any more."""
    seen: list[dict[tuple[str, str, str, str], Object]] = [{}]

    def is_quiet() -> bool:
        time.sleep(1)
        seen.append(managed(sandbox))
        return seen[-1] == seen[-2]

    sandbox.wait("controllers are done", is_quiet)
    return seen[-1]


def fresh(sandbox: Sandbox, stack: Stack) -> None:
    """Leave no server and no node of a class; everything is in stock."""
    sandbox.use(stack.pools)
    sandbox.set_out_of_stock(pool.name for pool in stack.pools if pool.capacity_class)
    scale_to_max(sandbox, stack, only=())
    sandbox.wait("servers are gone", lambda: not any(pods_of(each, sandbox.pods()) for each in stack.workloads))
    sandbox.wait("pods are gone", lambda: not any("deletionTimestamp" in pod["metadata"] for pod in sandbox.pods()))
    with sandbox.paused():
        for node in sandbox.nodes().values():
            if CLASS_LABEL in node["metadata"]["labels"]:
                sandbox.api.delete(node)
    sandbox.use(stack.pools)


def judge(sandbox: Sandbox, stack: Stack, steps_out: dict[str, int] | None = None) -> None:
    """Assert that every pod is where the plan wants it, none elsewhere, none missing."""
    expected = scale_to_max(sandbox, stack)
    for workload in stack.workloads:
        capacity_class = pod_template(workload)["spec"].get("nodeSelector", {}).get(CLASS_LABEL)
        has_none_left = capacity_class and (steps_out or {}).get(capacity_class, 0) >= len(
            stack.steps(capacity_class)
        )
        if has_none_left and is_exclusive(workload):
            # The controller makes the workers of a slice once their leader has one.
            expected[workload["metadata"]["name"]] //= group_size(workload)
    found = settle(sandbox, stack, expected, steps_out)
    assert not missing(sandbox, stack, expected)
    assert not wrong(found)


def test_every_object_is_accepted_and_kept(applied: Applied) -> None:
    assert set(applied.objects) == {identity(value) for value in applied.stack.objects}


def test_applying_twice_changes_nothing(sandbox: Sandbox, applied: Applied) -> None:
    """The defaults that a CRD gives to status are stored at the first update, which moves the version once."""
    before = quiet(sandbox)
    sandbox.apply(applied.stack.folder)
    second = quiet(sandbox)
    assert set(second) == set(before)
    assert not [key for key in second if _said(second[key]) != _said(before[key])]
    sandbox.apply(applied.stack.folder)
    third = managed(sandbox)
    changed = [key for key in third if third[key]["metadata"] != second[key]["metadata"]]
    assert not changed, "a GitOps tool would report these as changed for ever"


def _said(value: Object) -> Object:
    """Return all but the version and the status, which are the server's."""
    metadata = {key: each for key, each in value["metadata"].items() if key != "resourceVersion"}
    return {key: each for key, each in value.items() if key not in ("metadata", "status")} | {"metadata": metadata}


def test_every_pod_is_on_a_node_of_its_first_step_and_none_is_pending(sandbox: Sandbox, applied: Applied) -> None:
    stack = applied.stack
    fresh(sandbox, stack)
    judge(sandbox, stack)
    pods, nodes = sandbox.pods(), sandbox.nodes()
    for workload in stack.workloads:
        model = next((each for each in stack.plan.models if each.key == model_of(workload)), None)
        if model is not None:
            pools = {sandbox.pool_of_pod(pod, nodes) for pod in pods_of(workload, pods)}
            steps = stack.steps(model.capacity_class)
            assert model.steps[0].pool in steps[0]
            assert pools <= set(steps[0]), f"{model.key} is on {pools}"


def test_a_pool_out_of_stock_moves_its_models_to_their_next_step_and_no_other(
    sandbox: Sandbox, applied: Applied
) -> None:
    stack = applied.stack
    capacity_class = max(stack.plan.classes, key=lambda each: len(stack.steps(each.key))).key
    fresh(sandbox, stack)
    sandbox.set_out_of_stock(stack.steps(capacity_class)[0])
    judge(sandbox, stack, {capacity_class: 1})


def test_the_capacity_list_is_followed_to_its_end_and_then_pods_are_pending(
    sandbox: Sandbox, applied: Applied
) -> None:
    stack = applied.stack
    ladders = {each.key: stack.steps(each.key) for each in stack.plan.classes}
    for out in range(1, max(map(len, ladders.values())) + 1):
        fresh(sandbox, stack)
        sandbox.set_out_of_stock(pool for steps in ladders.values() for step in steps[:out] for pool in step)
        judge(sandbox, stack, dict.fromkeys(ladders, out))


def test_a_node_that_is_too_small_leaves_a_pod_pending(sandbox: Sandbox, applied: Applied) -> None:
    stack = applied.stack
    modelled = [each for each in stack.workloads if stack.max_replicas(each) and _is_of_model(stack, each)]
    workload = min(modelled, key=lambda each: (each["kind"] != "Deployment", is_exclusive(each)))
    model = next(each for each in stack.plan.models if each.key == model_of(workload))
    pool = next(each for each in stack.pools if each.name == model.steps[0].pool)
    fresh(sandbox, stack)
    sandbox.use(each for each in stack.pools if each.capacity_class is None)
    small = replace(pool, allocatable={**pool.allocatable, "memory": str(model.server.memory_bytes // 2)})
    sandbox.add_node(small)
    sandbox.scale(workload, 1)
    sandbox.wait(
        "the scheduler finds the node too small",
        lambda: any("Insufficient memory" in refusal(pod) for pod in pods_of(workload, sandbox.pods())),
    )
    assert not any("nodeName" in pod["spec"] for pod in pods_of(workload, sandbox.pods()))
    for number in range(group_size(workload)):
        sandbox.add_node(pool, number + 1)
    sandbox.wait(
        "nodes of the planned size take it",
        lambda: group_size(workload) == sum("nodeName" in pod["spec"] for pod in pods_of(workload, sandbox.pods())),
    )


def test_a_misspelt_field_is_refused_in_every_kind(sandbox: Sandbox, applied: Applied, tmp_path: Path) -> None:
    by_kind = {(value["apiVersion"], value["kind"]): value for value in applied.stack.objects}
    for (_, kind), value in by_kind.items():
        path = tmp_path / f"{kind}.yaml"
        inside = "spec" if "spec" in value else "metadata"
        path.write_text(yaml.safe_dump({**value, inside: {**value[inside], "relpicas": 1}}))
        with pytest.raises(SandboxError, match="relpicas"):
            sandbox.apply(path, "--dry-run=server")


def test_removing_a_model_removes_its_objects_only(sandbox: Sandbox, applied: Applied, tmp_path: Path) -> None:
    before, key = applied.stack, applied.stack.plan.models[0].key
    project = _project_without(applied.name, before.plan.models[0].id, tmp_path)
    after = read_stack(project, f"examples/{applied.name}", tmp_path / "rendered")
    left = {identity(value) for value in after.objects}
    gone = {identity(value): value for value in before.objects if identity(value) not in left}
    classes = {each.key for each in before.plan.classes} - {each.key for each in after.plan.classes}
    assert gone
    keys = [model.key for model in before.plan.models]
    for (_, kind, _, name), value in gone.items():
        # The longest key: `chat-picker` is of `chat`, unless there is a model of that name.
        owner = max((each for each in keys if name == each or name.startswith(f"{each}-")), key=len, default=None)
        # Where the last model that rests goes, nobody calls the interceptor any more, nor does it call a server.
        shared = (kind == "ComputeClass" and name in classes) or (
            name in {"interceptor", "interceptor-to-servers"} and not scale_to_zero_models(after.plan)
        )
        assert key in (model_of(value), owner) or shared
    for workload in before.workloads:  # else the server holds the scaler's number against the file's
        sandbox.scale(workload, workload["spec"]["replicas"])
    said = {identity(value): value for value in before.objects}
    altered = [value for value in after.objects if value != said[identity(value)]]
    assert not [value for value in altered if model_of(value)], "another model's object changes"
    same = [value for value in after.objects if value not in altered]
    kept = [uid(sandbox, value) for value in same]
    try:
        for value in gone.values():
            sandbox.api.delete(value)
        sandbox.apply(after.folder)
        sandbox.wait("its objects are gone", lambda: not managed(sandbox).keys() & gone.keys())
        assert set(managed(sandbox)) == left
        assert [uid(sandbox, value) for value in same] == kept, "others are as they were"
    finally:
        sandbox.apply(before.folder)


def test_the_namespaces_pod_security_level_is_enforced(sandbox: Sandbox, applied: Applied) -> None:
    level = "pod-security.kubernetes.io/enforce"
    namespaces = [each for each in applied.stack.objects if each["kind"] == "Namespace"]
    assert all(each["metadata"]["labels"][level] in ("restricted", "baseline") for each in namespaces)
    for namespace in namespaces:
        container = {"name": "any", "image": "any", "securityContext": {"privileged": True}}
        metadata = {"name": "privileged", "namespace": namespace["metadata"]["name"]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
        with pytest.raises(ApiError, match="violates PodSecurity") as refused:
            sandbox.api.create(pod)
        assert refused.value.status == 403


def test_a_drain_takes_one_replica_and_not_two(sandbox: Sandbox, applied: Applied) -> None:
    stack = applied.stack
    several = [each for each in stack.workloads if stack.max_replicas(each) > 1 and _is_of_model(stack, each)]
    if not several:
        assert all(model.replicas.max == 1 for model in stack.plan.models), "nothing here has two replicas"
        return
    fresh(sandbox, stack)
    keys = {model_of(each) or "" for each in several}
    expected = scale_to_max(sandbox, stack, only=keys)
    assert not wrong(settle(sandbox, stack, expected))
    for workload in several:
        sandbox.wait("a disruption is allowed", lambda workload=workload: _allowed(sandbox, workload) == 1)
        with sandbox.paused():
            first, second, *_ = pods_of(workload, sandbox.pods())
            evict(sandbox, first)
            with pytest.raises(ApiError) as refused:
                evict(sandbox, second)
        assert refused.value.status == 429


def test_a_rolling_update_needs_no_accelerator_more(
    sandbox: Sandbox, applied: Applied, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full nodes, nothing in stock, servers that take a while to end: an update that wanted one more would hang."""
    stack = applied.stack
    fresh(sandbox, stack)
    judge(sandbox, stack)
    sandbox.set_out_of_stock(pool.name for pool in stack.pools)
    monkeypatch.setattr(sandbox.kubelet, "stop_seconds", 1.0)
    nodes, room = set(sandbox.nodes()), _accelerators_of_nodes(sandbox)
    pods = sandbox.api.call("GET", "/api/v1/pods")
    bound = {pod["metadata"]["uid"]: pod for pod in pods["items"] if pod["spec"].get("nodeName")}
    deployments = [each for each in stack.workloads if each["kind"] == "Deployment" and stack.max_replicas(each)]
    if not deployments:
        return  # groups only: rolling those is LeaderWorkerSet's own work, which is not judged here
    for each in deployments:
        note = {"metadata": {"annotations": {"hubstack.dev/test": str(time.time_ns())}}}
        sandbox.api.patch(each, {"spec": {"template": note}})
    sandbox.wait("the updates are complete", lambda: all(_is_rolled(sandbox.api.get(each)) for each in deployments))
    assert set(sandbox.nodes()) == nodes
    for at in _history(sandbox, pods["metadata"]["resourceVersion"], bound):
        assert all(count <= room[node] for node, count in at.items()), "more accelerators in use than the node has"
    expected = {each["metadata"]["name"]: len(pods_of(each, sandbox.pods())) for each in stack.workloads}
    assert not wrong(settle(sandbox, stack, expected))


def is_exclusive(workload: Object) -> bool:
    """Return whether each group has a node pool, as a TPU slice is, for itself."""
    return "leaderworkerset.sigs.k8s.io/exclusive-topology" in workload["metadata"].get("annotations", {})


def _is_of_model(stack: Stack, workload: Object) -> bool:
    return model_of(workload) in {model.key for model in stack.plan.models}


def refusal(pod: Object) -> str:
    conditions = pod["status"].get("conditions", ())
    return next((each.get("message", "") for each in conditions if each["type"] == "PodScheduled"), "")


def evict(sandbox: Sandbox, pod: Object) -> None:
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {key: pod["metadata"][key] for key in ("name", "namespace")},
    }
    sandbox.api.call("POST", sandbox.api.path(pod) + "/eviction", body)


def uid(sandbox: Sandbox, value: Object) -> tuple[str, int | None]:
    found = sandbox.api.get(value)["metadata"]
    return found["uid"], found.get("generation")


def _allowed(sandbox: Sandbox, workload: Object) -> int:
    budgets = sandbox.api.objects("policy/v1", "PodDisruptionBudget", workload["metadata"]["namespace"])
    labels = pod_template(workload)["metadata"]["labels"]
    (budget,) = [each for each in budgets if each["spec"]["selector"]["matchLabels"].items() <= labels.items()]
    return budget["status"].get("disruptionsAllowed", 0)


def _is_rolled(deployment: Object) -> bool:
    status, wanted = deployment["status"], deployment["spec"]["replicas"]
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return status["observedGeneration"] == deployment["metadata"]["generation"] and counts == [wanted] * 3


def _accelerators(pod: Object) -> int:
    limits = [each.get("resources", {}).get("limits", {}) for each in pod["spec"]["containers"]]
    return sum(int(each.get(name, 0)) for each in limits for name in ("nvidia.com/gpu", "google.com/tpu"))


def _accelerators_of_nodes(sandbox: Sandbox) -> dict[str, int]:
    names = ("nvidia.com/gpu", "google.com/tpu")
    return {
        name: sum(int(node["status"]["allocatable"].get(each, 0)) for each in names)
        for name, node in sandbox.nodes().items()
    }


def _history(sandbox: Sandbox, since: str, bound: dict[str, Object]) -> list[dict[str, int]]:
    """Return accelerators in use on each node after every event since a version: none is missed, as in sampling."""
    query = {"watch": "1", "resourceVersion": since, "timeoutSeconds": "2"}
    states: list[dict[str, int]] = []
    for line in sandbox.api.call("GET", "/api/v1/pods", query=query, as_text=True).splitlines():
        event = json.loads(line)
        key = event["object"]["metadata"]["uid"]
        is_in_use = event["type"] != "DELETED" and event["object"]["spec"].get("nodeName")
        bound = {**bound, key: event["object"]} if is_in_use else {k: v for k, v in bound.items() if k != key}
        used: dict[str, int] = {}
        for pod in bound.values():
            used[pod["spec"]["nodeName"]] = used.get(pod["spec"]["nodeName"], 0) + _accelerators(pod)
        states.append(used)
    assert states, "the update made no event"
    return states


def _project_without(example: str, repo_id: str, tmp_path: Path) -> Path:
    """Return a copy of the project's inputs in which an example's list has one model less."""
    project = tmp_path / "project"
    folder = example.partition("/")[0]  # a cluster's list is its environment's
    shutil.copytree(PROJECT / "examples" / folder, project / "examples" / folder)
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(PROJECT / name, project / name)
    path = project / "examples" / folder / "models.yaml"
    said = yaml.safe_load(path.read_text())
    said["models"] = [each for each in said["models"] if (each if isinstance(each, str) else each["id"]) != repo_id]
    path.write_text(yaml.safe_dump(said, sort_keys=False))
    return project
