# SPDX-License-Identifier: Apache-2.0
"""`hubstack doctor` on folders and a kubectl that records; tests/proof asks a real control plane."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hubstack.review.doctor.cluster import read_cluster
from hubstack.review.kubectl import Kubectl

PROJECT = Path(__file__).resolve().parents[2]
ENV = "examples/quickstart"
KEY = "qwen3-4b-instruct-2507"
TOKEN = "hf_" + "q1W2e3R4" * 4
KUBECTL = """#!{python}
import json, sys
from pathlib import Path
here, words = Path(r"{folder}"), sys.argv[1:]
with (here / "kubectl.log").open("a") as log:
    log.write(json.dumps(words) + "\\n")
if "get" in words:
    file = here / (words[words.index("get") + 1] + ".json")
    print(file.read_text() if file.exists() else sys.exit("Error from server (NotFound)"))
elif "logs" in words:
    print((here / "server.log").read_text())
"""


def pod(key: str = KEY, *, name: str = "server", **status: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": key}
    return {
        "metadata": {"name": f"{key}-{name}-1", "labels": labels, "ownerReferences": [{"name": f"{key}-{name}"}]},
        "spec": {"containers": [{"name": name, "env": [{"name": "K", "value": "plain-secret"}]}]},
        "status": {"phase": "Pending", **status},
    }


def crashed(key: str = KEY, name: str = "server", code: int = 1) -> dict[str, Any]:
    ended = {"terminated": {"reason": "Error", "exitCode": code}}
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}
    container = {"name": name, "restartCount": 4, "state": waiting, "lastState": ended}
    found = pod(key, name=name, phase="Running", containerStatuses=[container])
    found["spec"]["nodeName"] = "node-1"
    return found


def event(reason: str, message: str, kind: str = "Pod", name: str = f"{KEY}-server-1") -> dict[str, Any]:
    about = {"kind": kind, "name": name}
    return {"metadata": {"name": "e"}, "involvedObject": about, "reason": reason, "message": message}


def written(folder: Path, pods: list[Any], events: list[Any] = (), log: str = "", jobs: list[Any] = ()) -> Path:  # type: ignore[assignment]
    folder.mkdir(exist_ok=True)
    for name, items in (("pods", pods), ("events", list(events)), ("jobs", list(jobs))):
        (folder / f"{name}.json").write_text(json.dumps({"items": items}))
    if log:
        (folder / "logs").mkdir(exist_ok=True)
        name = pods[0]["metadata"]["name"]
        (folder / "logs" / f"{name}--server--previous.log").write_text(log)
        (folder / "server.log").write_text(log)
    return folder


def run(*words: str, path: Path | None = None, folder: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    search = f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]
    env = {"PATH": search, "PYTHONPATH": str(PROJECT), "COLUMNS": "200", "HOME": str(folder)}
    command = [sys.executable, "-m", "hubstack", "doctor", ENV, *words]
    return subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, timeout=120, check=False)


def told(*words: str) -> dict[str, dict[str, Any]]:
    ended = run(*words, "--json")
    found = json.loads(ended.stdout)
    assert ended.returncode == (0 if found["is_well"] else 1), ended.stderr
    return {row["key"]: row for row in found["models"]}


READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


def test_a_stack_whose_models_rest_or_are_ready_is_well(tmp_path: Path) -> None:
    ended = run("--from", str(written(tmp_path, [pod(**READY)])))
    assert ended.returncode == 0, ended.stderr
    assert "Nothing is wrong." in ended.stdout
    assert "at zero replicas" in ended.stdout


def test_a_pod_without_a_node_is_named_by_the_autoscalers_event(tmp_path: Path) -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    said = "Node scale up in zones us-central1-c associated with this pod failed: GCE quota exceeded."
    folder = written(tmp_path, [pod(conditions=[condition])], [event("FailedScaleUp", said)])
    found = told("--from", str(folder))[KEY]
    assert (found["state"], found["cause"]) == ("wrong", "quota")
    assert found["line"] == f"FailedScaleUp: {said}"
    assert "capacity" in found["do"]


def test_an_event_of_a_step_that_is_over_explains_nothing(tmp_path: Path) -> None:
    said = event("FailedScaleUp", "GCE out of resources")
    folder = written(
        tmp_path,
        [crashed()],
        [said],
        "RuntimeError: CUDA out of memory occurred when warming up sampler with 256 dummy requests.",
    )
    found = told("--from", str(folder))[KEY]
    assert found["cause"] == "oom-sampler"
    assert found["figures"][0] == "the engine says: sequences 256"
    assert re.search(r"0\.\d\d GiB of activation, of 19\.83 GiB", found["figures"][1])


def test_a_full_kv_cache_shows_the_engines_figures_beside_the_plans(tmp_path: Path) -> None:
    said = (
        "ValueError: To serve at least one request with the models's max seq len (8192), (1.12 GiB KV cache is "
        "needed, which is larger than the available KV cache memory (0.84 GiB). Based on the available memory, the "
        "estimated maximum model length is 6128."
    )
    ended = run(KEY, "--from", str(written(tmp_path, [crashed()], log=said)))
    assert ended.returncode == 1
    assert "context 8192, needed 1.12, available 0.84, longest 6128" in ended.stdout
    assert "GiB of KV cache for a context of 8,192" in ended.stdout


def test_a_pod_that_a_policy_refuses_is_found_though_it_does_not_exist(tmp_path: Path) -> None:
    said = event(
        "FailedCreate", 'Error creating: pods "x" is forbidden: violates PodSecurity', "ReplicaSet", f"{KEY}-5c9"
    )
    loader = crashed(name="loader", code=3)
    found = told("--from", str(written(tmp_path, [loader], [said])))[KEY]
    assert found["cause"] == "policy"


def test_a_loader_that_refuses_a_file_is_named(tmp_path: Path) -> None:
    log = "error: model.safetensors has the hash 00ff, 11aa was locked"
    found = told("--from", str(written(tmp_path, [crashed(name="loader", code=3)], log=log)))[KEY]
    assert (found["cause"], found["line"]) == ("checksum", log)


def test_an_unknown_cause_shows_the_end_of_the_log_escaped_and_without_secrets(tmp_path: Path) -> None:
    log = f"line one\nAuthorization: Bearer abcdefgh12345678\ntoken {TOKEN}\n\x1b]0;owned\x07strange"
    ended = run("--from", str(written(tmp_path, [crashed()], log=log)))
    assert ended.returncode == 1
    assert "| line one" in ended.stdout
    assert "strange" in ended.stdout
    assert not [word for word in (TOKEN, "abcdefgh12345678", "\x1b", "plain-secret") if word in ended.stdout]


def test_a_pod_that_loads_is_not_wrong(tmp_path: Path) -> None:
    loading = pod(
        phase="Running", containerStatuses=[{"name": "server", "restartCount": 0, "state": {"running": {}}}]
    )
    found = told("--from", str(written(tmp_path, [loading])))[KEY]
    assert found["state"] == "starting"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"items": {}}', '{"items": [1, null, {"metadata": 3}]}'])
def test_a_folder_that_is_none_is_bad_input_or_empty_and_no_traceback(tmp_path: Path, text: str) -> None:
    (tmp_path / "pods.json").write_text(text)
    ended = run("--from", str(tmp_path))
    assert "Traceback" not in ended.stderr
    assert ended.returncode == (0 if text.startswith('{"items') else 2)


def test_the_cluster_is_read_and_saved_without_secrets(tmp_path: Path) -> None:
    held = written(
        tmp_path / "cluster", [crashed()], [event("BackOff", f"token={TOKEN}")], f"ok {TOKEN}\nCUDA out of memory"
    )
    (tmp_path / "bin").mkdir()
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.write_text(KUBECTL.format(python=sys.executable, folder=held))
    kubectl.chmod(0o755)
    ended = run("--save", str(tmp_path / "state"), path=tmp_path / "bin", folder=tmp_path)
    assert ended.returncode == 1, ended.stderr
    assert "out of memory on the accelerator" in ended.stdout
    calls = [json.loads(line) for line in (held / "kubectl.log").read_text().splitlines()]
    assert {next(word for word in call if word in {"get", "logs"}) for call in calls} == {"get", "logs"}, (
        "it only reads"
    )
    saved = "".join(path.read_text() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert "CUDA out of memory" in saved
    assert not [word for word in (TOKEN, "plain-secret") if word in saved + ended.stdout]
    again = run("--from", str(tmp_path / "state"))
    assert again.stdout.splitlines()[:3] == ended.stdout.splitlines()[:3]


def test_the_namespaces_of_teams_are_read_too(tmp_path: Path) -> None:
    """A pod in a namespace that is not read would be a model without any."""
    calls: list[tuple[str, ...]] = []

    class Recording(Kubectl):
        __slots__ = ()

        def text(self, doing: str, *words: str, given: str | None = None) -> str:
            calls.append((self.namespace, *words))
            return '{"items": []}'

        def maybe(self, *words: str) -> str | None:
            return None

    read_cluster(Recording(context="c", namespace="models"), ("models", "team-search"))
    assert [call[0] for call in calls if "pods" in call] == ["models", "team-search"]


def test_a_cluster_that_refuses_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.write_text('#!/bin/sh\necho "error: context \\"gke_x\\" does not exist" >&2\nexit 1\n')
    kubectl.chmod(0o755)
    ended = run(path=tmp_path / "bin", folder=tmp_path)
    assert ended.returncode == 2
    assert "get-credentials" in ended.stderr
    assert "Traceback" not in ended.stderr
