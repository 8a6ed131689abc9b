# SPDX-License-Identifier: Apache-2.0
"""`hubstack smoke` against a server that answers like engines, with a pulumi and a kubectl that record; tests/proof
asks a running stack."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.review.smoke.engine import engine
from tests.support.project import copy_project

PROJECT = Path(__file__).resolve().parents[2]
ENV = "examples/production"
KUBECTL = """#!{python}
import json, sys
from pathlib import Path
here, words = Path(r"{folder}"), sys.argv[1:]
with (here / "kubectl.log").open("a") as log:
    log.write(json.dumps(words) + "\\n")
if "create" in words:
    (here / "created.json").write_text(sys.stdin.read())
elif "gateway.gateway.networking.k8s.io" in words:
    print(json.dumps({{"status": {{"addresses": [{{"value": "10.0.0.9"}}]}}}}))
elif "pods" in words:
    print((here / "pods.json").read_text())
elif "job" in words:
    print(json.dumps({{"status": {{"conditions": [{{"type": "Complete", "status": "True"}}]}}}}))
elif "logs" in words:
    print("some warning")
    items = json.loads((here / "created.json").read_text())["items"]
    asked = json.loads(next(each for each in items if each["kind"] == "ConfigMap")["data"]["asked.json"])
    check = {{"passed": True, "first_token_seconds": [0.1, 0.3, 0.2], "note": "streamed", "seconds": 1.0}}
    rows = [{{"key": model["key"], "checks": [check | {{"what": each["what"]}} for each in model["questions"]]}}
            for model in asked["models"]]
    print("hubstack-smoke-result: " + json.dumps(rows))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    copy_project(folder, ENV, "examples/quickstart")
    return folder


def program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def run(project: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{project / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(PROJECT), "COLUMNS": "250"}
    return subprocess.run(
        [sys.executable, "-m", "hubstack", *words],
        cwd=project,
        env=env | {"HOME": str(project)} | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def planned(project: Path) -> list[dict[str, Any]]:
    return json.loads(run(project, "plan", ENV, "--json").stdout)["models"]


def with_kubectl(project: Path, commits: dict[str, str]) -> None:
    program(project / "bin" / "kubectl", KUBECTL.format(python=sys.executable, folder=project))
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    pods = [
        {
            "metadata": {
                "labels": {
                    "app.kubernetes.io/name": "server",
                    "app.kubernetes.io/instance": key,
                    "hubstack.dev/commit": commit[:12],
                }
            },
            "status": ready,
        }
        for key, commit in commits.items()
    ]
    (project / "pods.json").write_text(json.dumps({"items": pods}))


def locked(project: Path) -> dict[str, str]:
    return {model["key"]: model["commit"] for model in planned(project)}


def test_every_model_answers_from_its_locked_commit_and_the_exit_code_is_0(project: Path) -> None:
    with_kubectl(project, locked(project))
    with engine() as served:
        ended = run(project, "smoke", ENV, "--url", f"{served.url}/v1", "--json", OPENAI_API_KEY="sk-hunter2")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(ended.stdout)
    assert {row["is_locked_commit"] for row in found["models"]} == {True}
    assert {row["key"] for row in found["models"] if row["checks"]} == {
        model["key"] for model in planned(project) if not model["canary_of"]
    }
    firsts = [check for row in found["models"] for check in row["checks"] if check["what"] == "chat"]
    assert firsts
    assert all(check["requests"] == 3 and check["first_token_ms"] >= 0 for check in firsts)
    assert "hunter2" not in ended.stdout + ended.stderr


def test_a_pod_of_another_commit_fails_though_it_answers(project: Path) -> None:
    commits = locked(project)
    first = next(iter(commits))
    with_kubectl(project, commits | {first: "f" * 40})
    with engine() as served:
        ended = run(project, "smoke", ENV, "--url", served.url)
    assert ended.returncode == 1
    assert f"NOT the locked {commits[first][:12]}: {'f' * 12}" in ended.stdout
    assert f"`hubstack doctor {ENV} {first}`" in ended.stdout


def test_a_stream_without_tokens_fails_with_1(project: Path) -> None:
    with_kubectl(project, locked(project))
    with engine("silent") as served:
        ended = run(project, "smoke", ENV, "--url", served.url, "--requests", "1")
    assert ended.returncode == 1
    assert "the stream held no token" in ended.stdout


def test_the_address_comes_from_the_stacks_outputs(project: Path) -> None:
    with_kubectl(project, locked(project))
    with engine() as served:
        outputs = {"endpoints": {}, "gateway": {"address": "127.0.0.1", "url": served.url}}
        program(project / "bin" / "pulumi", f"#!/bin/sh\necho '{json.dumps(outputs)}'\n")
        ended = run(project, "smoke", ENV, "--requests", "1", OPENAI_API_KEY="k")
        assert served.asked
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("said", "message"),
    [("exit 1", "reading the stack's outputs failed"), ("echo '{}'", "has no output `endpoints`")],
)
def test_a_stack_that_is_not_up_is_bad_input(project: Path, said: str, message: str) -> None:
    program(project / "bin" / "pulumi", f"#!/bin/sh\n{said}\n")
    ended = run(project, "smoke", ENV)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "--url" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_address_with_a_password_and_an_unknown_model_are_bad_input(project: Path) -> None:
    ended = run(project, "smoke", ENV, "--url", "http://me:hunter2@host")
    assert (ended.returncode, "hunter2" in ended.stderr) == (2, False)
    ended = run(project, "smoke", ENV, "--model", "no-such", "--url", "http://host")
    assert ended.returncode == 2
    assert "has no model `no-such`" in ended.stderr


def test_the_same_is_asked_by_a_job_that_reaches_the_gateway_and_nothing_else(project: Path) -> None:
    with_kubectl(project, locked(project))
    ended = run(project, "smoke", ENV, "--in-cluster")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "200" in ended.stdout, "the median of 100, 300 and 200 ms"
    items = json.loads((project / "created.json").read_text())["items"]
    assert [each["kind"] for each in items] == ["NetworkPolicy", "ConfigMap", "Job"]
    (rule,) = items[0]["spec"]["egress"]
    assert rule["to"] == [{"ipBlock": {"cidr": "10.0.0.9/32"}}]
    calls = [json.loads(line) for line in (project / "kubectl.log").read_text().splitlines()]
    assert "delete" in [word for call in calls for word in call]


def test_without_a_gateway_the_job_asks_the_models_own_addresses(project: Path) -> None:
    program(project / "bin" / "kubectl", KUBECTL.format(python=sys.executable, folder=project))
    ended = run(project, "smoke", "examples/quickstart", "--manifest")
    assert ended.returncode == 0, ended.stderr
    items = json.loads(ended.stdout)["items"]
    asked = json.loads(next(each for each in items if each["kind"] == "ConfigMap")["data"]["asked.json"])
    hosts = {question["url"].split("/")[2] for model in asked["models"] for question in model["questions"]}
    assert "qwen3-4b-instruct-2507-wake.models.svc.cluster.local:8080" in hosts
    policies = [each["metadata"]["namespace"] for each in items if each["kind"] == "NetworkPolicy"]
    assert policies == ["models", "models", "keda"], "the Job, the servers, and the interceptor that wakes them"
    unreachable = run(project, "smoke", "examples/quickstart")
    assert unreachable.returncode == 2
    assert "the stack has no gateway" in unreachable.stderr
    assert "--in-cluster" in unreachable.stderr
    outside = run(project, "smoke", "examples/quickstart", "--url", "http://127.0.0.1:9", "--timeout", "1")
    assert outside.returncode == 1
