# SPDX-License-Identifier: Apache-2.0
"""Rendered pods under the real kubelet, containerd and runc: their user, root, limits, hooks and grace hold.

A server's pod is as rendered, but for four things: its image is made by hand and has our server in place of vLLM
(`proof/pods/openai_server.py`), its weights are a ConfigMap in place of a bucket, no accelerator is asked for, and
the processors that it asks for are those of a small machine.
"""

import base64
import copy
import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from proof.api import Object, has_condition
from proof.binaries import SandboxError, programs
from proof.control_plane import ControlPlane
from proof.namespace import own_namespace
from proof.node.binaries import kubelet, missing_tools
from proof.node.machine import Machine
from proof.pods import openai_server
from tests.support.golden import read_graph

pytestmark = pytest.mark.proof

KEY, NAME = "qwen3-4b-instruct-2507", "Qwen/Qwen3-4B-Instruct-2507"
SPACE = "models"
SERVE = '#!/bin/sh\nexec python /opt/server.py --host 0.0.0.0 "$@"\n'
HOG = "held = []\nwhile True: held.append(bytearray(16 << 20))"


def rendered(example: str, kind: str, name: str) -> Object:
    found = (each.get("inputs", {}) for each in read_graph(example)["resources"])
    return copy.deepcopy(next(o for o in found if o.get("kind") == kind and o["metadata"]["name"] == name))


@dataclass(frozen=True)
class Node:
    """A node, and kubectl for it."""

    plane: ControlPlane
    server: Object
    """The pod of a server, ready."""

    def kubectl(self, *words: str) -> str:
        command = [
            str(self.plane.programs / "kubectl"),
            f"--kubeconfig={self.plane.kubeconfig}",
            "-n",
            SPACE,
            *words,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SandboxError(done.stderr.strip())
        return done.stdout

    def within(self, script: str) -> str:
        return self.kubectl("exec", self.server["metadata"]["name"], "--", "sh", "-c", script)

    def ask(self, tokens: int) -> int:
        body = json.dumps({"model": NAME, "messages": [], "max_tokens": tokens}).encode()
        url = f"http://{self.plane.api.get(self.server)['status']['podIP']}:8000/v1/chat/completions"
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as answer:
            return answer.status


def server_pod() -> Object:
    template = rendered("quickstart", "Deployment", KEY)["spec"]["template"]
    spec = template["spec"]
    (container,) = spec["containers"]
    for each in container["resources"].values():
        each.pop("nvidia.com/gpu", None)
    container["resources"]["requests"]["cpu"] = "100m"
    for volume in spec["volumes"]:
        if volume["name"] == "weights":
            volume.pop("csi")
            volume["configMap"] = {"name": "weights"}
    metadata = {"name": "server", "namespace": SPACE, "labels": template["metadata"]["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def node(namespaces: None) -> Iterator[Node]:
    if missing := missing_tools():
        pytest.skip(f"no kubelet ran: {', '.join(missing)} is not installed")
    parts, _ = programs(), kubelet()
    pod = server_pod()
    (container,) = pod["spec"]["containers"]
    with own_namespace(None), ControlPlane(parts) as plane, Machine(plane, pod["spec"]["nodeSelector"]) as machine:
        machine.load(
            container["image"],
            {"/usr/local/bin/vllm": SERVE, "/opt/server.py": Path(openai_server.__file__).read_text()},
        )
        plane.api.create(rendered("quickstart", "Namespace", SPACE))
        account = {"name": pod["spec"]["serviceAccountName"], "namespace": SPACE}
        plane.api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
        weights = {"model.safetensors": b"tiny", ".hubstack-complete": b'{"commit": "abc"}'}
        held = {name: base64.b64encode(body).decode() for name, body in weights.items()}
        metadata = {"name": "weights", "namespace": SPACE}
        plane.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": held})
        plane.api.create(pod)
        plane.wait("the server is ready", lambda: has_condition(plane.api.get(pod), "Ready"), 60)
        yield Node(plane, pod)


def test_a_server_starts_passes_its_probes_and_answers(node: Node) -> None:
    status = node.plane.api.get(node.server)["status"]
    (container,) = status["containerStatuses"]
    assert (container["ready"], container["restartCount"]) == (True, 0)
    assert node.ask(1) == 200


def test_it_is_the_declared_user_without_capabilities_or_new_privileges_and_its_system_calls_are_filtered(
    node: Node,
) -> None:
    lines = (line.partition(":") for line in node.within("cat /proc/1/status").splitlines())
    told = {name: value.split() for name, _, value in lines}
    security = node.server["spec"]["securityContext"]
    assert set(told["Uid"]) == {str(security["runAsUser"])}
    assert set(told["Gid"]) == {str(security["runAsGroup"])}
    assert str(security["fsGroup"]) in told["Groups"]
    assert {int(told[name][0], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert told["NoNewPrivs"] == ["1"]
    assert told["Seccomp"] == ["2"], "a filter"


def test_it_writes_where_it_has_a_volume_and_nowhere_else(node: Node) -> None:
    (container,) = node.server["spec"]["containers"]
    home = next(each["value"] for each in container["env"] if each["name"] == "HOME")
    assert node.within(f"touch {home}/x && ls {home}/x").strip() == f"{home}/x"
    for folder in ("/", "/opt", "/usr/local/bin", "/weights"):
        with pytest.raises(SandboxError, match="Read-only file system"):
            node.within(f"touch {folder}/x")


def test_the_kernel_has_its_limit_of_memory(node: Node) -> None:
    (container,) = node.server["spec"]["containers"]
    limit = int(container["resources"]["limits"]["memory"])
    found = node.within(
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true"
    )
    assert limit - 4096 < int(found.split()[0]) <= limit, "whole pages"


def test_a_container_over_its_limit_is_killed_and_said_to_be(node: Node) -> None:
    """As the body router is limited, the smallest of a stack."""
    spec = rendered("production", "Deployment", "body-router")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    made = {
        "name": "hog",
        "image": node.server["spec"]["containers"][0]["image"],
        "command": ["python", "-c", HOG],
        "resources": container["resources"],
        "securityContext": container["securityContext"],
    }
    body = {"restartPolicy": "Never", "containers": [made], "securityContext": spec["securityContext"]}
    body["containers"][0]["resources"]["requests"]["cpu"] = "100m"
    metadata = {"name": "hog", "namespace": SPACE}
    pod: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body}
    node.plane.api.create(pod)
    node.plane.wait("it fails", lambda: node.plane.api.get(pod)["status"].get("phase") == "Failed", 60)
    (status,) = node.plane.api.get(pod)["status"]["containerStatuses"]
    assert (status["state"]["terminated"]["reason"], status["state"]["terminated"]["exitCode"]) == (
        "OOMKilled",
        137,
    )


def test_the_end_is_the_hook_then_the_signal_and_what_is_in_flight_is_answered(node: Node) -> None:
    """The last test: it ends the server."""
    (container,) = node.server["spec"]["containers"]
    hook = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    found: dict[str, Any] = {}

    def ask(name: str, tokens: int) -> None:
        try:
            found[name] = node.ask(tokens)
        except (OSError, urllib.error.URLError) as error:
            found[name] = error

    node.kubectl("delete", "pod", "server", "--wait=false")
    begun = time.monotonic()
    time.sleep(hook / 2)
    ask("new", 1)
    time.sleep(max(0.0, begun + hook - 2 - time.monotonic()))
    long = threading.Thread(target=ask, args=("in flight", 600))
    long.start()
    long.join()
    assert found == {"new": 200, "in flight": 200}, "while others learn that it leaves, it answers"
    assert time.monotonic() - begun > hook, "beyond the signal"
    node.kubectl("wait", "--for=delete", "pod/server", "--timeout=30s")
    assert time.monotonic() - begun < node.server["spec"]["terminationGracePeriodSeconds"], "it was not killed"
