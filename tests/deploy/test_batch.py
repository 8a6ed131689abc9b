# SPDX-License-Identifier: Apache-2.0
"""The Job of offline requests: its form, and its script in a real shell with a stand-in of the engine's runner."""

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hubstack.deploy import manifests
from hubstack.plan.batch import BatchPlan
from tests.support.plans import CHAT, make_plan

BATCH = BatchPlan(
    bucket="acme-batch",
    input="in/may's x=1 requests.jsonl",
    output="out/may",
    parts=3,
    parallel=2,
    command=("vllm", "run-batch", "--model", "/weights"),
)
RUNNER = """#!/bin/sh
while [ $# -gt 0 ]; do case $1 in -i) input=$2; shift ;; -o) output=$2; shift ;; esac; shift; done
[ -z "$FAILS" ] || exit 1
sed 's/^/answer to /' "$input" > "$output"
"""


def job(batch: BatchPlan = BATCH) -> dict[str, Any]:
    return manifests.batch_job(make_plan().target, CHAT, batch)


class Bucket:
    """A folder in place of the mounted bucket, and the script's other folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bucket" / "in").mkdir(parents=True)
        (folder / "bin").mkdir()
        (folder / "scratch").mkdir()
        (folder / "bin" / "vllm").write_text(RUNNER)
        (folder / "bin" / "vllm").chmod(0o755)

    def run(self, part: int, *, fails: bool = False) -> subprocess.CompletedProcess[str]:
        (container,) = job()["spec"]["template"]["spec"]["containers"]
        script = container["command"][-1].replace("/tmp/", f"{self.folder}/scratch/")  # noqa: S108
        script = script.replace("/batch/", f"{self.folder}/bucket/")
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        env = {"PATH": path, "JOB_COMPLETION_INDEX": str(part), "FAILS": "yes" if fails else ""}
        return subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, check=False)

    def answers(self) -> dict[str, list[str]]:
        found = (self.folder / "bucket" / "out" / "may").glob("*")
        return {path.name: path.read_text().splitlines() for path in sorted(found)}


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    found = Bucket(tmp_path)
    lines = "".join(f"request {number}\n\n" for number in range(7))
    (tmp_path / "bucket" / BATCH.input).write_text(lines)
    return found


def test_every_request_is_answered_in_exactly_one_part(bucket: Bucket) -> None:
    for part in range(BATCH.parts):
        done = bucket.run(part)
        assert done.returncode == 0, done.stderr
    answers = bucket.answers()
    assert list(answers) == ["part-00000.jsonl", "part-00001.jsonl", "part-00002.jsonl"]
    every = [line for lines in answers.values() for line in lines]
    assert sorted(every) == [f"answer to request {number}" for number in range(7)]


def test_a_part_that_was_cut_off_leaves_no_answers_and_is_repeated(bucket: Bucket) -> None:
    assert bucket.run(1, fails=True).returncode != 0
    assert bucket.answers() == {}
    assert bucket.run(1).returncode == 0
    assert bucket.answers() == {"part-00001.jsonl": ["answer to request 1", "answer to request 4"]}


def test_a_part_that_is_there_is_not_answered_again(bucket: Bucket) -> None:
    bucket.run(0)
    again = bucket.run(0, fails=True)
    assert (again.returncode, again.stdout[:6]) == (0, "there:")


def test_a_disruption_is_not_counted_and_a_part_fails_alone() -> None:
    spec = job()["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 2)
    assert spec["backoffLimitPerIndex"] == 2
    assert "backoffLimit" not in spec
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")
    assert job()["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true", "`pulumi up` does not wait for days"


def test_its_pod_runs_where_the_server_would_but_serves_nobody() -> None:
    target = make_plan().target
    server = manifests.deployment(target, CHAT)["spec"]
    pod = job()["spec"]["template"]
    assert pod["spec"]["nodeSelector"] == server["template"]["spec"]["nodeSelector"]
    (container,) = pod["spec"]["containers"]
    assert container["resources"] == server["template"]["spec"]["containers"][0]["resources"]
    assert not {"ports", "readinessProbe", "args"} & container.keys()
    selected = server["selector"]["matchLabels"]
    assert any(pod["metadata"]["labels"].get(key) != value for key, value in selected.items())


def test_any_change_is_another_job() -> None:
    changes = ({"input": "in/june.jsonl"}, {"output": "out/june"}, {"parts": 4}, {"bucket": "acme-other"})
    found = {job(replace(BATCH, **change))["metadata"]["name"] for change in ({}, *changes)}
    assert len(found) == 5
    assert all(re.fullmatch(r"[a-z0-9-]{1,63}", name) for name in found)
