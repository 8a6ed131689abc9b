# SPDX-License-Identifier: Apache-2.0
"""Pod Security on a real API server: every pod of every example, with its sidecar, and pods that break it.

Nothing is stored: each pod is sent as a dry run, which goes through all of admission.
"""

import copy
from collections.abc import Iterator

import pytest

from hubstack.deploy import manifests
from proof.api import ApiError, Object
from proof.sandbox import Sandbox
from proof.stack import read_objects, read_stack
from tests.proof.conftest import EXAMPLES, PROJECT
from tests.support.plans import make_plan

pytestmark = pytest.mark.proof
LEVELS = ("restricted", "baseline")
ROOT_ONLY = "runAsNonRoot != true"
"""What the API server says of a TPU server's pod, beside that its user is 0."""


@pytest.fixture(scope="module")
def spaces(sandbox: Sandbox) -> Iterator[dict[str, str]]:
    """A namespace of each level, labelled as hubstack labels the models' namespace."""
    made = {"restricted": make_plan(without=("tpu",)), "baseline": make_plan()}
    objects = {level: manifests.namespace(plan) for level, plan in made.items()}
    for level, value in objects.items():
        value["metadata"]["name"] = f"pods-{level}"
        assert value["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == level
        sandbox.api.create(value)
    yield {level: value["metadata"]["name"] for level, value in objects.items()}
    for value in objects.values():
        sandbox.api.delete(value)


@pytest.fixture(scope="module", params=EXAMPLES)
def templates(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    stack = read_stack(
        PROJECT, f"examples/{request.param}", tmp_path_factory.mktemp(request.param.replace("/", "-")) / "rendered"
    )
    found = []
    for value in read_objects(stack.folder):
        match value["kind"]:
            case "Deployment" | "Job":
                found.append(value["spec"]["template"])
            case "LeaderWorkerSet":
                group = value["spec"]["leaderWorkerTemplate"]
                found += [group["leaderTemplate"], group["workerTemplate"]]
    return found


def refusal(sandbox: Sandbox, namespace: str, template: Object) -> str:
    """Send a pod as a dry run and return why it is refused; empty where it is not."""
    pod = copy.deepcopy(template)
    pod["spec"].pop("serviceAccountName", None)  # no account is needed to judge it, and none is here
    body = {"apiVersion": "v1", "kind": "Pod", **pod}
    body["metadata"] = {**pod.get("metadata", {}), "name": "judged", "namespace": namespace}
    try:
        sandbox.api.call("POST", f"/api/v1/namespaces/{namespace}/pods", body, query={"dryRun": "All"})
    except ApiError as error:
        if error.status != 403 or "violates PodSecurity" not in str(error):
            raise
        return str(error)
    return ""


def is_tpu(template: Object) -> bool:
    return any("google.com/tpu" in each["resources"]["limits"] for each in template["spec"]["containers"])


def test_every_pod_meets_restricted_but_those_that_hold_a_tpu(
    sandbox: Sandbox, spaces: dict[str, str], templates: list[Object]
) -> None:
    assert templates
    for template in templates:
        found = refusal(sandbox, spaces["restricted"], template)
        if is_tpu(template):
            violations = found.split(": ", 2)[2]
            assert "runAsNonRoot" in violations
            assert not [
                word
                for word in ("capabilities", "allowPrivilege", "seccomp", "hostPath", "privileged")
                if word in violations
            ], "of restricted, a TPU server breaks the user only"
            assert not refusal(sandbox, spaces["baseline"], template)
        else:
            assert not found


def _good() -> Object:
    secure = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "any", "image": "any", "securityContext": secure}
    context = {"runAsNonRoot": True, "runAsUser": 2000, "seccompProfile": {"type": "RuntimeDefault"}}
    return {"spec": {"containers": [container], "securityContext": context}}


def _broken() -> dict[str, Object]:
    broken = {
        name: _good()
        for name in (
            "privileged",
            "hostPath",
            "root",
            "hostNetwork",
            "hostPID",
            "capability",
            "escalation",
            "seccomp",
            "hostPort",
        )
    }
    secure = {name: pod["spec"]["containers"][0]["securityContext"] for name, pod in broken.items()}
    secure["privileged"]["privileged"] = True
    del secure["privileged"]["allowPrivilegeEscalation"]
    secure["capability"]["capabilities"] = {"drop": ["ALL"], "add": ["SYS_ADMIN"]}
    secure["escalation"]["allowPrivilegeEscalation"] = True
    broken["hostPath"]["spec"]["volumes"] = [{"name": "node", "hostPath": {"path": "/"}}]
    broken["root"]["spec"]["securityContext"] |= {"runAsNonRoot": False, "runAsUser": 0}
    broken["hostNetwork"]["spec"]["hostNetwork"] = True
    broken["hostPID"]["spec"]["hostPID"] = True
    broken["seccomp"]["spec"]["securityContext"]["seccompProfile"] = {"type": "Unconfined"}
    broken["hostPort"]["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80}]
    return broken


def test_a_pod_that_meets_it_is_let_in(sandbox: Sandbox, spaces: dict[str, str]) -> None:
    assert not refusal(sandbox, spaces["restricted"], _good())


@pytest.mark.parametrize("broken", _broken())
def test_a_pod_that_asks_for_the_node_is_refused(sandbox: Sandbox, spaces: dict[str, str], broken: str) -> None:
    assert refusal(sandbox, spaces["restricted"], _broken()[broken])


@pytest.mark.parametrize("broken", sorted(set(_broken()) - {"root", "escalation"}))
def test_beside_a_tpu_the_node_is_refused_too(sandbox: Sandbox, spaces: dict[str, str], broken: str) -> None:
    assert refusal(sandbox, spaces["baseline"], _broken()[broken])
