# SPDX-License-Identifier: Apache-2.0
"""`hubstack check` as a user runs it: what is found, where it is shown, how it ends."""

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hubstack.inputs.environment import Environment
from hubstack.inputs.stack import Stack
from hubstack.review.check.run import check_stack
from tests.support.project import PROJECT, copy_project


def check(*arguments: str, cwd: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(PROJECT), "COLUMNS": "200"}
    done = subprocess.run(  # noqa: PLW1510  the exit code is what is tested
        [sys.executable, "-m", "hubstack", "check", *arguments],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def report(project: Path, code: int = 1) -> dict[str, Any]:
    done = check("dev", "--json", cwd=project)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def failed(told: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(f["rule"], f.get("resource") or f.get("model")) for f in told["findings"] if is_failure(f)]


def is_failure(finding: dict[str, Any]) -> bool:
    return finding["level"] == "error" and "waiver" not in finding


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path, "stacks", "policy")


def write(project: Path, name: str, text: str) -> None:
    (project / "stacks" / name).write_text(text)


STACKS = sorted(path.name[7:-5] for path in (PROJECT / "stacks").glob("Pulumi.*.yaml"))
CONFIGS = (path for path in (PROJECT / "examples").glob("*/Pulumi.*.yaml") if path.name != "Pulumi.sharded.yaml")
EXAMPLES = sorted(str(path.relative_to(PROJECT)) for path in CONFIGS)
"""Each is one stack; `sharded` is divided into two, which are among them."""
FIRST = {"stacks/Pulumi.dev.yaml", *(f"examples/{e}/Pulumi.{e}.yaml" for e in ("quickstart", "vertex"))}
"""Checked in the default lane."""


@pytest.mark.parametrize(
    "path",
    [
        path if path in FIRST else pytest.param(path, marks=pytest.mark.slow)
        for path in [*(f"stacks/Pulumi.{name}.yaml" for name in STACKS), *EXAMPLES]
    ],
)
def test_every_stack_of_the_repository_passes_and_its_resources_are_judged(path: str) -> None:
    config = PROJECT / path
    stack = Stack.load(Environment(project_dir=PROJECT, stack=config.name[7:-5], config_file=config))
    found = check_stack(stack, dt.date(2026, 11, 30))
    assert [finding.message for finding in found.findings if finding.is_failure] == []
    assert found.judged > 0
    assert found.passes


def test_a_project_without_the_pack_is_judged_by_the_one_of_hubstack(tmp_path: Path) -> None:
    project = copy_project(tmp_path, "stacks")
    assert report(project, 0)["resources_judged"] > 50
    write(project, "policy.yaml", "registries: [registry.example.org]\n")
    assert "HS017" in {rule for rule, _ in failed(report(project))}


def test_a_finding_names_rule_subject_place_reason_and_remedy(project: Path) -> None:
    write(project, "policy.yaml", "licenses: [mit]\nregions: [europe-west4]\n")
    told = report(project)
    found = {f["model"]: f for f in told["findings"] if f["rule"] == "HS001"}
    assert set(found) == {"qwen3-8b", "qwen3-embedding-0-6b"}
    one = found["qwen3-8b"]
    assert one["where"] == {"file": "stacks/base.models.yaml", "line": 4, "column": 9}
    assert one["message"] == "licence apache-2.0; allowed: mit"
    assert {"why", "fix", "name"} <= one.keys()
    pools = [f for f in told["findings"] if f["rule"] == "HS013" and "NodePool" not in f["message"]]
    assert any(f["resource"] == "cluster-gke" for f in pools)
    assert {f["where"]["file"] for f in pools if f["resource"] == "cluster-gke"} == {"stacks/policy.yaml"}
    printed = check("dev", cwd=project).stdout
    for word in ("HS001", "failed", "stacks/base.models.yaml:4", "A licence that nobody has reviewed"):
        assert word in printed


@pytest.mark.slow
def test_a_waiver_lets_it_pass_and_its_end_is_a_finding(project: Path) -> None:
    line = "  - {rule: HS001, model: MODEL, owner: ada@example.com, until: DAY, why: read by counsel}\n"
    ours = [line.replace("MODEL", key) for key in ("qwen3-8b", "qwen3-embedding-0-6b")]
    write(project, "policy.yaml", "licenses: [mit]\nwaivers:\n" + "".join(ours).replace("DAY", "2999-01-01"))
    assert failed(report(project, 0)) == []
    assert "waived until 2999-01-01" in check("dev", cwd=project).stdout
    write(project, "policy.yaml", "licenses: [mit]\nwaivers:\n" + "".join(ours).replace("DAY", "2020-01-01"))
    told = report(project)
    assert {rule for rule, _ in failed(told)} == {"HS001", "HS040"}
    assert "its owner is ada@example.com" in next(f["message"] for f in told["findings"] if f["rule"] == "HS040")


def test_money_quota_and_accelerators_are_held_against_what_was_said(project: Path) -> None:
    config = (project / "stacks" / "Pulumi.dev.yaml").read_text()
    write(project, "Pulumi.dev.yaml", config.replace("3000", "200"))
    write(project, "policy.yaml", "max_usd_per_month: 100\nmax_accelerators: {nvidia-l4: 1}\n")
    write(project, "quota.yaml", "us-central1:\n  nvidia-l4: {on-demand: 64, preemptible: 1}\n")
    told = report(project)
    assert [rule for rule, _ in failed(told)] == ["HS020", "HS021", "HS021", "HS022"], "and the program still ran"
    places = {(f["rule"], f["where"]["file"], f["where"]["line"]) for f in told["findings"] if is_failure(f)}
    assert places == {
        ("HS020", "stacks/policy.yaml", 2),
        ("HS021", "stacks/policy.yaml", 1),
        ("HS021", "stacks/Pulumi.dev.yaml", 5),
        ("HS022", "stacks/quota.yaml", 2),
    }
    assert told["resources_judged"] > 60


def test_a_list_that_is_not_locked_ends_there(project: Path) -> None:
    base = project / "stacks" / "base.models.yaml"
    base.write_text(base.read_text() + "  - acme/new\n")
    told = report(project)
    assert failed(told) == [("HS030", "new")]
    assert told["findings"][0]["where"]["file"] == "stacks/base.models.yaml"
    assert "only the lock was checked" in told["notes"][0]
    (project / "stacks" / "dev.models.lock.yaml").unlink()
    assert [rule for rule, _ in failed(report(project))] == ["HS030"]


@pytest.mark.slow
def test_a_model_that_is_locked_in_vain_is_found_and_the_rest_is_judged(project: Path) -> None:
    base = project / "stacks" / "base.models.yaml"
    base.write_text("\n".join(line for line in base.read_text().splitlines() if "bge-large" not in line))
    told = report(project)
    assert ("HS030", None) in failed(told)
    assert ("HS031", "bge-large-en-v1-5") in failed(told), "its line of the placement file stands for nothing"
    assert told["resources_judged"] > 50


@pytest.mark.slow
def test_what_somebody_opens_in_a_component_is_found(project: Path) -> None:
    (project / "components").unlink()
    shutil.copytree(PROJECT / "components", project / "components")
    bucket = project / "components" / "pulumi_hubstack" / "weights_bucket.py"
    text = bucket.read_text()
    assert '"enforced"' in text
    bucket.write_text(text.replace('"enforced"', '"inherited"'))
    assert {rule for rule, _ in failed(report(project))} == {"HS011"}


@pytest.mark.slow
def test_a_pack_that_fails_is_no_clean_bill(project: Path) -> None:
    (project / "policy" / "rules.py").write_text("raise RuntimeError('broken')\n")
    done = check("dev", cwd=project)
    assert done.returncode == 2
    assert "policy/judge.py failed: RuntimeError: broken" in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("policy.yaml", "licences: [mit]\n", "stacks/policy.yaml:1:1: unknown key `licences`"),
        ("quota.yaml", "us-central1: {nvidia-l4: 3}\n", "stacks/quota.yaml:1:26"),
    ],
)
def test_bad_input_is_shown_and_ends_with_2(project: Path, name: str, text: str, said: str) -> None:
    write(project, name, text)
    done = check("dev", cwd=project)
    assert done.returncode == 2
    assert said in done.stderr
