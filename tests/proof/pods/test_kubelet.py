# SPDX-License-Identifier: Apache-2.0
"""The kubelet that runs pods as processes keeps Kubernetes' rules for them."""

import re
import textwrap
import time
from collections.abc import Callable
from typing import Any

import pytest

from proof.api import Object
from proof.binaries import SandboxError
from proof.nodes import Pool
from proof.pods.world import World
from proof.sandbox import Sandbox

pytestmark = pytest.mark.proof

SPACE = "lives"
POOL = Pool(
    name="pool",
    labels={"cloud.google.com/gke-nodepool": "pool", "topology.kubernetes.io/region": "r"},
    taints=(),
    allocatable={"cpu": "64", "memory": "256Gi", "pods": "110", "ephemeral-storage": "100Gi"},
    zones=("r-a",),
    min_nodes=0,
    max_nodes=1,
    slice_nodes=1,
)
SERVE = """
    import http.server, os, signal, sys, time
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if os.path.exists(sys.argv[2] + self.path) else 503)
            self.end_headers()
        def log_message(self, *_): pass
    signal.signal(signal.SIGTERM, lambda *_: (print("asked to end", time.time(), flush=True), sys.exit(0)))
    http.server.HTTPServer((sys.argv[1], 8000), Handler).serve_forever()
"""
"""Answers 200 for the files of a folder."""
GRPC = """
    import sys, grpc, time
    from concurrent.futures import ThreadPoolExecutor
    def check(question, context):
        return b"\\x08\\x01" if question.endswith(b"mine") else b"\\x08\\x02"
    handlers = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    server = grpc.server(ThreadPoolExecutor())
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),))
    server.add_insecure_port(sys.argv[1] + ":9003")
    server.start()
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def node(living: Sandbox) -> str:
    living.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    living.wait("the account is there", lambda: bool(living.api.objects("v1", "ServiceAccount", SPACE)))
    return living.add_node(POOL)["metadata"]["name"]


Run = Callable[..., Object]


@pytest.fixture
def run(living: Sandbox, node: str, request: pytest.FixtureRequest) -> Run:
    """Return a function that makes a pod of one container, of Python's image."""

    def made(container: Object, **spec: Any) -> Object:
        name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[-50:].strip("-")
        own = {"name": "main", "image": "python:3.12", **container}
        body = {"nodeName": node, "terminationGracePeriodSeconds": 3, "containers": [own], **spec}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": SPACE}, "spec": body}
        made = living.api.create(pod | {"metadata": pod["metadata"] | spec.pop("metadata", {})})
        request.addfinalizer(lambda: living.api.delete(made))
        return made

    return made


def phase(living: Sandbox, pod: Object) -> str:
    return living.api.get(pod)["status"].get("phase", "Pending")


def main_status(living: Sandbox, pod: Object) -> Object:
    found = living.api.get(pod)["status"].get("containerStatuses")
    return found[0] if found else {"ready": False, "restartCount": 0, "state": {}}


def python(source: str, *arguments: str) -> Object:
    return {"command": ["python", "-c", textwrap.dedent(source), *arguments]}


def ended(living: Sandbox, pod: Object, wanted: str = "Succeeded") -> None:
    living.wait(f"the pod {wanted}", lambda: phase(living, pod) == wanted, 20)


def test_variables_come_from_fields_objects_and_each_other_and_none_from_us(
    living: Sandbox, world: World, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "must not be seen")
    for kind, data in (("ConfigMap", {"key": "of the map"}), ("Secret", {"key": "b2YgdGhlIHNlY3JldA=="})):
        metadata = {"name": "held", "namespace": SPACE}
        living.api.create({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data})
    held = {"name": "held", "key": "key"}
    env = [
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        {"name": "MAP", "valueFrom": {"configMapKeyRef": held}},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": held}},
        {"name": "NONE", "valueFrom": {"secretKeyRef": held | {"key": "other", "optional": True}}},
        {"name": "BOTH", "value": "$(MAP) and $(SECRET), not $$(MAP)"},
        {"name": "EMPTY", "value": ""},
    ]
    show = 'for each in NAME MEMORY MAP SECRET NONE BOTH EMPTY OURS; do eval echo "$each=\\${$each-unset}"; done'
    container = {
        "command": ["sh", "-c", f"{show}; echo $0 $ADDRESS", "$(MAP)"],
        "env": env,
        "resources": {"limits": {"memory": "64Mi"}},
    }
    pod = run(container, restartPolicy="Never")
    ended(living, pod)
    assert world.kubelet.log(pod, "main").splitlines() == [
        f"NAME={pod['metadata']['name']}",
        "MEMORY=64",
        "MAP=of the map",
        "SECRET=of the secret",
        "NONE=unset",
        "BOTH=of the map and of the secret, not $(MAP)",
        "EMPTY=",
        "OURS=unset",
        f"of the map {living.api.get(pod)['status']['podIP']}",
    ]


def test_volumes_are_where_they_are_mounted_and_a_bucket_outlives_its_pod(
    living: Sandbox, world: World, run: Run
) -> None:
    metadata = {"name": "files", "namespace": SPACE}
    living.api.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a.txt": "from a map"}}
    )
    world.make_bucket("weights")
    bucket = {"bucketName": "weights", "mountOptions": "implicit-dirs,only-dir=commit,uid=1"}
    volumes = [
        {"name": "shared", "emptyDir": {}},
        {"name": "files", "configMap": {"name": "files"}},
        {"name": "bucket", "csi": {"driver": "gcsfuse.csi.storage.gke.io", "volumeAttributes": bucket}},
    ]
    first = {
        "name": "first",
        "image": "python:3.12",
        "command": ["sh", "-c", "cat /files/a.txt > /shared/copy"],
        "volumeMounts": [{"name": "shared", "mountPath": "/shared"}, {"name": "files", "mountPath": "/files"}],
    }
    mounts = [{"name": "shared", "mountPath": "/shared"}, {"name": "bucket", "mountPath": "/weights"}]
    container = {"command": ["sh", "-c", "cp /shared/copy /weights/model"], "volumeMounts": mounts}
    pod = run(container, restartPolicy="Never", initContainers=[first], volumes=volumes)
    ended(living, pod)
    assert (world.buckets / "weights" / "commit" / "model").read_text() == "from a map"


def test_an_init_container_that_fails_ends_a_pod_that_never_restarts(
    living: Sandbox, world: World, run: Run
) -> None:
    first = {"name": "first", "image": "python:3.12", "command": ["sh", "-c", "exit 3"]}
    pod = run({"command": ["sh", "-c", "echo ran"]}, restartPolicy="Never", initContainers=[first])
    ended(living, pod, "Failed")
    status = living.api.get(pod)["status"]
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    assert "waiting" in status["containerStatuses"][0]["state"]


def test_what_ends_is_started_again_and_killed_from_outside_too(living: Sandbox, world: World, run: Run) -> None:
    pod = run({"command": ["sleep", "600"]})
    living.wait("it runs", lambda: main_status(living, pod)["ready"])
    world.kubelet.kill(pod, "main")
    living.wait("it runs again", lambda: main_status(living, pod)["restartCount"] == 1, 20)
    living.wait("it is ready again", lambda: main_status(living, pod)["ready"], 20)
    assert main_status(living, pod)["lastState"]["terminated"]["exitCode"] == 137


def test_the_startup_probe_comes_first_then_readiness_and_liveness_decide(
    living: Sandbox, world: World, run: Run
) -> None:
    def probe(path: str, failures: int) -> Object:
        http = {"path": path, "port": "http"}
        return {"httpGet": http, "periodSeconds": 1, "failureThreshold": failures}

    folder = world.make_bucket("switches")
    container: Object = {
        "command": ["sh", "-c", 'exec python -c "$0" $LOCAL /switches', textwrap.dedent(SERVE)],
        "ports": [{"name": "http", "containerPort": 8000}],
        "startupProbe": probe("/started", 60),
        "readinessProbe": probe("/ready", 1),
        "livenessProbe": probe("/alive", 2),
        "volumeMounts": [{"name": "switches", "mountPath": "/switches"}],
    }
    volume = {"driver": "gcsfuse.csi.storage.gke.io", "volumeAttributes": {"bucketName": "switches"}}
    pod = run(container, volumes=[{"name": "switches", "csi": volume}])
    (folder / "ready").touch()
    (folder / "alive").touch()
    time.sleep(3)
    found = main_status(living, pod)
    assert (found["started"], found["ready"], found["restartCount"]) == (False, False, 0)
    (folder / "started").touch()
    living.wait("it is ready", lambda: main_status(living, pod)["ready"], 10)
    (folder / "ready").unlink()
    living.wait("it is not ready", lambda: not main_status(living, pod)["ready"], 10)
    assert main_status(living, pod)["restartCount"] == 0
    (folder / "alive").unlink()
    living.wait("it is started anew", lambda: main_status(living, pod)["restartCount"] == 1, 20)
    assert "asked to end" in world.kubelet.log(pod, "main")


@pytest.mark.parametrize(
    ("action", "holds"),
    [
        ({"tcpSocket": {"port": 9003}}, True),
        ({"tcpSocket": {"port": 9004}}, False),
        ({"grpc": {"port": 9003, "service": "mine"}}, True),
        ({"grpc": {"port": 9003, "service": "other"}}, False),
        ({"exec": {"command": ["sh", "-c", "test -d /scratch"]}}, True),
        ({"exec": {"command": ["false"]}}, False),
    ],
)
def test_each_kind_of_probe_is_asked(living: Sandbox, run: Run, action: Object, holds: bool) -> None:
    container = {
        "command": ["sh", "-c", 'exec python -c "$0" $LOCAL', textwrap.dedent(GRPC)],
        "readinessProbe": action | {"periodSeconds": 1},
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }
    pod = run(container, volumes=[{"name": "scratch", "emptyDir": {}}])
    if holds:
        living.wait("it is ready", lambda: main_status(living, pod)["ready"], 15)
    else:
        living.wait("it runs", lambda: "running" in main_status(living, pod)["state"], 15)
        time.sleep(3)
        assert not main_status(living, pod)["ready"]


def test_an_end_is_the_hook_then_the_signal_and_a_kill_after_the_grace_period(
    living: Sandbox, world: World, run: Run
) -> None:
    deaf = """
        import signal, time
        signal.signal(signal.SIGTERM, lambda *_: print("deaf", time.time(), flush=True))
        print("up", flush=True)
        while True: time.sleep(1)
    """
    container = python(deaf) | {"lifecycle": {"preStop": {"sleep": {"seconds": 2}}}}
    pod = run(container, terminationGracePeriodSeconds=5)
    living.wait("it is up", lambda: "up" in _log(world, pod), 10)
    begun = time.time()
    living.api.delete(pod)
    living.wait("it is gone", lambda: _is_gone(living, pod), 20)
    took = time.time() - begun
    asked = float(world.kubelet.log(pod, "main").split()[-1]) - begun
    assert 1.9 < asked < 3.5, "the signal comes after the hook"
    assert 4.5 < took < 8, "and the end after the grace period, the hook's time in it"


def test_a_pod_whose_image_nothing_stands_for_waits_and_says_why(living: Sandbox, run: Run) -> None:
    pod = run({"image": "example.com/other:1"})
    living.wait("it says why", lambda: "example.com/other" in living.api.get(pod)["status"].get("message", ""), 10)
    assert phase(living, pod) == "Pending"


def _log(world: World, pod: Object) -> str:
    try:
        return world.kubelet.log(pod, "main")
    except FileNotFoundError:
        return ""


def _is_gone(living: Sandbox, pod: Object) -> bool:
    return pod["metadata"]["name"] not in {each["metadata"]["name"] for each in living.pods(SPACE)}


def test_kubectl_reads_and_follows_what_a_container_prints(living: Sandbox, run: Run) -> None:
    script = "echo first; sleep 2; echo second"
    pod = run({"command": ["sh", "-c", script]}, restartPolicy="Never")
    name = pod["metadata"]["name"]
    living.wait("it runs", lambda: phase(living, pod) == "Running")
    assert living.kubectl("logs", "-n", SPACE, name) == "first\n"
    assert living.kubectl("logs", "-n", SPACE, name, "--follow") == "first\nsecond\n", "until it ends"
    with pytest.raises(SandboxError, match="other"):
        living.kubectl("logs", "-n", SPACE, name, "-c", "other")
