# SPDX-License-Identifier: Apache-2.0
"""A cluster's stack: what it takes from its environment, what it refuses; and one command for all."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from hubstack.catalog import load_catalog
from hubstack.files.errors import InputError
from hubstack.inputs.cluster_record import load_clusters_file
from hubstack.inputs.environment import find_environment
from hubstack.inputs.pulumi_config import load_project
from hubstack.inputs.stack import Group, Stack
from hubstack.planner.inputs import StackInputs
from hubstack.planner.placement.choose_clusters import write_group_places
from hubstack.planner.planner import plan_inputs, plan_stack
from tests.support import golden

PROJECT = Path(__file__).resolve().parents[2]
FILE = "examples/sharded/Pulumi.sharded.yaml"
CLUSTERS = ("eu", "us")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(PROJECT / name, tmp_path)
    shutil.copytree(PROJECT / "examples" / "sharded", tmp_path / "examples" / "sharded")
    (tmp_path / "components").symlink_to(PROJECT / "components")
    return tmp_path


def stack_of(project: Path, cluster: str) -> Stack:
    return Stack.load(find_environment(f"examples/sharded/{cluster}", project, project))


def group_of(project: Path) -> Group:
    return Group.load(load_project(project), FILE)


def edit(project: Path, name: str, before: str, after: str) -> None:
    path = project / "examples" / "sharded" / name
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after, 1))


def refused(project: Path, cluster: str = "eu") -> str:
    with pytest.raises(InputError) as caught:
        StackInputs.of(stack_of(project, cluster))
    return str(caught.value)


def hubstack(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command, env = [sys.executable, "-m", "hubstack", *words], {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.run(command, check=False, cwd=project, env=env, capture_output=True, text=True, timeout=300)


def test_each_model_of_the_list_is_planned_in_its_clusters_and_in_no_other() -> None:
    keys = {
        cluster: [m["key"] for m in json.loads(golden.plan_text(f"sharded/{cluster}"))["models"]]
        for cluster in CLUSTERS
    }
    assert keys == {
        "eu": ["bge-reranker-v2-m3", "qwen3-8b", "qwen3-embedding-0-6b"],
        "us": [
            "deepseek-r1-0528-qwen3-8b",
            "phi-3-5-mini-instruct",
            "qwen3-4b-instruct-2507",
            "qwen3-8b",
            "qwen3-embedding-0-6b",
        ],
    }


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_cluster_is_planned_as_the_same_list_would_be_alone(cluster: str) -> None:
    own = StackInputs.of(stack_of(PROJECT, cluster))
    lock = replace(own.lock, models=tuple(f for f in own.lock.models if f.id in {m.id for m in own.request.models}))
    alone = plan_stack(own.request, lock, load_catalog(), own.target, own.placement)
    assert plan_inputs(own) == alone
    assert (own.target.namespace, own.target.keda_namespace) == (f"models-{cluster}", f"keda-{cluster}")
    region = {"eu": "europe-west1", "us": "us-central1"}[cluster]
    assert {zone[:-2] for pool in alone.pools for zone in pool.zones} == {region}


def test_clusters_of_one_project_share_no_name_and_no_right() -> None:
    """But for APIs, which are turned on once."""
    seen: list[set[tuple[str, str]]] = []
    for cluster in CLUSTERS:
        graph = golden.live_graph(f"sharded/{cluster}")
        resources = [
            r
            for r in graph["resources"]
            if r["type"].startswith("gcp:") and r["type"] != "gcp:projects/service:Service"
        ]
        named = {
            (r["type"], str(r["inputs"][key]))
            for r in resources
            for key in ("name", "accountId", "secretId", "displayName")
            if key in r["inputs"]
        }
        titles = {
            ("dashboard", json.loads(r["inputs"]["dashboardJson"])["displayName"])
            for r in resources
            if "dashboardJson" in r["inputs"]
        }
        members = {
            ("member", r["inputs"]["member"]) for r in resources if "/subject/" in str(r["inputs"].get("member"))
        }
        assert len(members) > 5
        seen.append(named | titles | members)
    pools = {each for each in seen[0] & seen[1] if each[0] == "gcp:container/nodePool:NodePool"}
    assert seen[0] & seen[1] == pools, "a pool's name is its cluster's own matter"


def test_the_stack_of_several_clusters_is_none_itself() -> None:
    with pytest.raises(InputError, match="has several clusters, each a separate stack"):
        StackInputs.load(find_environment("examples/sharded", PROJECT, PROJECT))


def test_a_folders_environment_is_found_beside_its_clusters() -> None:
    assert find_environment("examples/sharded", PROJECT, PROJECT).stack == "sharded"
    assert find_environment("examples/sharded/us", PROJECT, PROJECT).stack == "sharded-us"
    with pytest.raises(InputError, match="must contain exactly one"):
        find_environment("examples/gitops/github", PROJECT, PROJECT)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (FILE, "../elsewhere/Pulumi.x.yaml", "which does not exist"),
        (FILE, "examples/sharded/models.yaml", "which does not exist"),
        (FILE, f"{FILE}\n  hubstack:budget: 5", "`hubstack:budget` is not read here"),
        (FILE, f"{FILE}\n  gcp:region: us-east4", "`gcp:region` is not read here"),
    ],
)
def test_a_stack_that_says_wrongly_whose_it_is_is_refused(project: Path, before: str, after: str, why: str) -> None:
    edit(project, "Pulumi.sharded-eu.yaml", before, after)
    said = refused(project)
    assert "Pulumi.sharded-eu.yaml" in said
    assert why in said


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("    eu:\n", "    asia:\n", "Pulumi.sharded-eu.yaml: `sharded-eu` is not a cluster of"),
        ("region: europe-west1", "region: Europe", f"{FILE}:7:15: `gcp:region` must be a region"),
        ("budget: 12000", "budget: lots", f"{FILE}:10:15: `hubstack:budget` must be a number"),
        ("  hubstack:deletionProtection: false", "  hubstack:budget: 5", f"{FILE}:4:3: `hubstack:budget`"),
        (
            "  hubstack:deletionProtection: false",
            "  hubstack:hfToken: {secure: v1:x}",
            f"{FILE}:4:3: `hubstack:hfToken` is encrypted for the stack `sharded`, which does not exist",
        ),
        (
            "models: [qwen3-8b, qwen3-embedding-0-6b]\n      rest: true\n      budget: 12000",
            "models: [qwen3-8bb]\n      rest: true\n      budget: 12000",
            "did you mean `qwen3-8b`?",
        ),
    ],
)
def test_a_wrong_environment_is_refused_in_its_own_file(project: Path, before: str, after: str, why: str) -> None:
    edit(project, "Pulumi.sharded.yaml", before, after)
    assert why in refused(project)


def test_a_cluster_without_a_model_is_refused(project: Path) -> None:
    edit(
        project,
        "Pulumi.sharded.yaml",
        "models: [qwen3-8b, qwen3-embedding-0-6b]\n      rest: true\n      budget: 12000",
        "rest: false",
    )
    assert "the cluster `eu` serves no model" in refused(project)


# place


def test_a_placed_environment_is_left_as_it_is(project: Path) -> None:
    assert write_group_places(group_of(project), check=True) == []


def test_a_new_model_moves_no_other_and_a_new_cluster_takes_none_that_stands(project: Path) -> None:
    edit(
        project,
        "models.yaml",
        "  - microsoft/Phi",
        "  - id: microsoft/Phi-3.5-mini-instruct\n    name: other\n  - microsoft/Phi",
    )
    edit(project, "Pulumi.sharded.yaml", "    us:\n", "    asia: {region: asia-southeast1}\n    us:\n")
    before = {path.name: path.read_text() for path in (project / "examples" / "sharded").glob("*.placement.yaml")}
    held = load_clusters_file(project / "examples/sharded/sharded.clusters.yaml", "x")
    config = project / "examples" / "sharded" / "Pulumi.sharded-asia.yaml"
    lines = write_group_places(group_of(project))
    after = load_clusters_file(project / "examples/sharded/sharded.clusters.yaml", "x")
    assert {key: after[key] for key in held} == held
    assert after.keys() - held.keys() == {"other"}
    assert yaml.safe_load(config.read_text()) == {"config": {"hubstack:shardOf": FILE}}
    for name, text in before.items():
        now = (project / "examples" / "sharded" / name).read_text()
        assert yaml.safe_load(text)["models"].items() <= yaml.safe_load(now)["models"].items()
    assert not [line for line in lines if "moves" in line or "leaves" in line]


def test_a_model_goes_to_a_cluster_whose_region_has_what_it_needs(project: Path) -> None:
    """europe-west1 has no v6e, whatever the model prefers."""
    (project / "examples/sharded/sharded.clusters.yaml").unlink()
    write_group_places(group_of(project))
    held = load_clusters_file(project / "examples/sharded/sharded.clusters.yaml", "x")
    assert held["deepseek-r1-0528-qwen3-8b"] == "us"
    assert "eu" in held.values()


def test_a_model_that_fits_nowhere_is_named_with_what_each_cluster_lacks(project: Path) -> None:
    (project / "examples/sharded/sharded.clusters.yaml").unlink()
    edit(project, "Pulumi.sharded.yaml", "us-central1", "europe-west6")
    with pytest.raises(InputError) as caught:
        write_group_places(group_of(project))
    said = str(caught.value)
    assert re.search(
        r"models.yaml:\d+:\d+: `deepseek-ai/DeepSeek-R1-0528-Qwen3-8B` does not fit in any cluster", said
    )
    assert "eu (europe-west1): " in said
    assert "us (europe-west6): " in said
    assert not (project / "examples/sharded/sharded.clusters.yaml").exists(), "nothing is half written"


def test_a_broken_record_is_refused_with_its_place(project: Path) -> None:
    edit(project, "sharded.clusters.yaml", "phi-3-5-mini-instruct: us", "phi-3-5-mini-instruct: 1")
    assert "examples/sharded/sharded.clusters.yaml:" in refused(project)


# one command for all


def test_plan_shows_all_clusters_in_order_and_their_sum(project: Path) -> None:
    done = hubstack(project, "plan", "examples/sharded")
    assert (done.returncode, done.stderr) == (0, "")
    eu, us = done.stdout.index("sharded-eu\n====="), done.stdout.index("sharded-us\n=====")
    assert eu < us
    plans = [json.loads(golden.plan_text(f"sharded/{cluster}")) for cluster in CLUSTERS]
    busy = sum(plan["cost"]["usd_per_month_max"] for plan in plans)
    assert f"{busy:,.0f}" in done.stdout.splitlines()[-1]
    assert " 8 " in done.stdout.splitlines()[-1], "models, those of both clusters twice"


def test_a_cluster_over_its_budget_is_shown_with_the_others(project: Path) -> None:
    edit(project, "Pulumi.sharded.yaml", "budget: 12000", "budget: 1")
    done = hubstack(project, "plan", "examples/sharded")
    assert (done.returncode, done.stderr) == (1, "")
    assert "OVER BUDGET by $" in done.stdout.partition("sharded-us\n===")[0]
    assert "failed" not in done.stdout


@pytest.mark.slow
def test_one_cluster_that_fails_is_named_and_hides_no_other(project: Path) -> None:
    edit(project, "Pulumi.sharded.yaml", "budget: 12000", "zones: [europe-north1-a]")
    done = hubstack(project, "plan", "examples/sharded", "--html", str(project / "plan.html"))
    assert done.returncode == 2
    assert done.stderr.startswith("sharded-eu:\n")
    assert "`europe-north1-a`" in done.stderr
    assert f"sharded-eu:\n{FILE}:10:14: `hubstack:zones` contains" in done.stderr
    assert (project / "plan-us.html").exists()
    assert not (project / "plan-eu.html").exists()
    said = json.loads(hubstack(project, "plan", "examples/sharded", "--json").stdout)
    assert list(said["clusters"]) == ["us"]


@pytest.mark.slow
def test_a_preview_of_all_is_what_each_registers(project: Path) -> None:
    done = hubstack(project, "preview", "examples/sharded", "--json")
    assert done.returncode == 0, done.stderr
    for cluster, graph in json.loads(done.stdout)["clusters"].items():
        assert golden.encode(graph) == golden.golden_path(f"sharded/{cluster}", "graph").read_text()


@pytest.mark.slow
def test_a_model_that_changes_its_cluster_is_one_move_and_its_data_is_named(project: Path) -> None:
    (project / "components").unlink()
    shutil.copytree(PROJECT / "components", project / "components")
    for words in (
        ["init", "-qb", "main"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "before"],
    ):
        subprocess.run(["git", *words], cwd=project, check=True)
    edit(project, "sharded.clusters.yaml", "phi-3-5-mini-instruct: us", "phi-3-5-mini-instruct: eu")
    done = hubstack(project, "diff", "examples/sharded", "--json")
    said = json.loads(done.stdout)["clusters"]
    assert {cluster: [(m["key"], m["action"]) for m in change["models"]] for cluster, change in said.items()} == {
        "eu": [("phi-3-5-mini-instruct", "moved")],
        "us": [("phi-3-5-mini-instruct", "moved")],
    }
    assert "phi-3-5-mini-instruct-weights-bucket" in json.dumps(said["us"])
