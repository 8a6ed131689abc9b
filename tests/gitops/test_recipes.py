# SPDX-License-Identifier: Apache-2.0
"""The recipes of examples/gitops: linted as far as that goes without the services, and run as far as hubstack goes.

GitHub's workflows are read by actionlint and zizmor, Cloud Build's by Google's discovery document. GitLab's
has no linter here: its references are followed. No pipeline of any of the three has been run.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubstack.inputs.environment import find_environment
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.diff import read_gates
from hubstack.review.drift import MARKER, staged_buckets
from tests.support.go import go_tool
from tests.support.hub import StandIn, real_repositories
from tests.support.rest import discovery

PROJECT = Path(__file__).resolve().parents[2]
RECIPES = PROJECT / "examples" / "gitops"
WORKFLOWS = sorted((RECIPES / "github").glob("*.yml"))
SCRIPTS = sorted(RECIPES.glob("*.sh"))
PINNED = re.compile(r"uses: (\./\.github/workflows/[a-z]+\.yml|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose workflows are ours: both linters look for them there."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    for path in WORKFLOWS:
        shutil.copy(path, folder)
    (tmp_path / ".git").mkdir()
    return tmp_path


def actionlint() -> Path:
    package = "github.com/rhysd/actionlint/cmd/actionlint"
    return go_tool("actionlint", "the workflows are not linted by actionlint here", package)


def lint(repository: Path, *command: str) -> tuple[int, str]:
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_actionlint_finds_nothing_in_the_workflows(repository: Path) -> None:
    assert lint(repository, str(actionlint()), "-no-color") == (0, "")


def test_actionlint_would_find_something(repository: Path) -> None:
    path = repository / ".github" / "workflows" / "review.yml"
    path.write_text(path.read_text().replace("matrix.stack }}", "matrix.stak }}"))
    code, said = lint(repository, str(actionlint()), "-no-color")
    assert code == 1
    assert "stak" in said


def zizmor(repository: Path) -> tuple[int, str]:
    path = Path(sys.executable).with_name("zizmor")
    options = ("--offline", "--no-progress", "--persona=pedantic", "--min-severity=medium", ".")
    return lint(repository, str(path), *options)


def test_zizmor_finds_nothing_of_medium_severity_or_above(repository: Path) -> None:
    code, said = zizmor(repository)
    assert code == 0, said


def test_zizmor_would_find_something(repository: Path) -> None:
    path = repository / ".github" / "workflows" / "review.yml"
    path.write_text(path.read_text().replace('"$STACK" "$base"', '"$STACK" "${{ github.head_ref }}"'))
    code, said = zizmor(repository)
    assert code
    assert "template-injection" in said


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_no_right_by_default_and_pins_each_action_by_its_commit(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    for line in path.read_text().splitlines():
        if "uses:" in line:
            assert PINNED.search(line), line


def test_the_job_that_may_write_runs_nothing_of_the_pull_request() -> None:
    jobs = yaml.safe_load((RECIPES / "github" / "review.yml").read_text())["jobs"]
    assert jobs["diff"]["permissions"] == {"contents": "read"}
    assert not any("checkout" in step.get("uses", "") for step in jobs["comment"]["steps"])
    assert "secrets." not in (RECIPES / "github" / "review.yml").read_text()


def test_production_waits_for_staging_and_each_stack_for_its_environment() -> None:
    jobs = yaml.safe_load((RECIPES / "github" / "deploy.yml").read_text())["jobs"]
    assert (jobs["staging"]["needs"], jobs["prod"]["needs"]) == ("dev", "staging")
    assert {name: job["with"]["stack"] for name, job in jobs.items()} == {name: name for name in jobs}
    up = yaml.safe_load((RECIPES / "github" / "up.yml").read_text())["jobs"]["up"]
    assert up["environment"] == "${{ inputs.stack }}"
    assert up["concurrency"]["cancel-in-progress"] is False


@pytest.mark.parametrize("path", sorted((RECIPES / "cloud-build").glob("*.yaml")), ids=lambda path: path.name)
def test_a_cloud_build_file_is_a_build_that_google_describes(path: Path) -> None:
    build = yaml.safe_load(path.read_text())
    assert discovery.body_problems("cloudbuild.v1", "cloudbuild.projects.builds.create", build) == []
    given = {*build["substitutions"], "_BASE_BRANCH", "_PR_NUMBER"}
    for step in build["steps"]:
        assert "$_" not in step["script"], "a script sees its `env` only"
        for value in (step["name"], *step["env"]):
            assert set(re.findall(r"\$(_[A-Z_]+)", value)) <= given, value


def gitlab() -> dict[str, Any]:
    return yaml.safe_load((RECIPES / "gitlab" / ".gitlab-ci.yml").read_text())


def test_gitlabs_jobs_name_stages_and_templates_that_exist() -> None:
    file = gitlab()
    for name, job in file.items():
        if name in {"stages", "default"}:
            continue
        assert job.get("extends", ".google") in file, name
        if not name.startswith("."):
            assert job["stage"] in [*file["stages"], ".post"], name
            assert job.get("rules") or file[job["extends"]]["rules"], "a job without a rule runs on every push"


def test_gitlabs_job_with_the_comment_token_fetches_no_code() -> None:
    file = gitlab()
    holders = [name for name, job in file.items() if "REVIEW_TOKEN" in str(job)]
    assert holders == ["comment"]
    assert file["comment"]["variables"]["GIT_STRATEGY"] == "none"


def test_what_runs_a_pull_request_on_cloud_build_can_reach_no_secret() -> None:
    review, comment = (
        yaml.safe_load((RECIPES / "cloud-build" / name).read_text()) for name in ("review.yaml", "comment.yaml")
    )
    assert "availableSecrets" not in review
    assert "secretEnv" not in str(review)
    assert comment["availableSecrets"]
    assert "git " not in str(comment["steps"])
    assert "review.sh" not in str(comment["steps"])


COMMENTERS = ("github/review.yml", "gitlab/.gitlab-ci.yml", "cloud-build/comment.yaml")


@pytest.mark.parametrize("name", COMMENTERS)
def test_no_line_that_is_posted_is_a_command_to_the_host_or_a_bot(name: str, tmp_path: Path) -> None:
    """The filter of each recipe, run on what an author may have written instead of a report."""
    filters = re.findall(r"tr -d .*? \| head -c 65000", (RECIPES / name).read_text())
    assert len(filters) == 1
    command = re.sub(r" ?<\"?[$\w. ]+\"? \|", " |", filters[0])
    hostile = "/approve\n  /merge\n\t/gcbrun\r\n\r/close\x1b[2J\na /label\n### fine\n\n/assign @me\n"
    done = subprocess.run(["sh", "-c", command], input=hostile.encode(), capture_output=True, check=True)
    lines = done.stdout.decode().splitlines()
    assert [line for line in lines if line.lstrip().startswith("/")] == []
    assert "### fine" in lines
    assert "a /label" in lines
    assert "\x1b" not in done.stdout.decode()


def test_every_recipe_reviews_with_the_script_of_the_base_commit() -> None:
    for name in ("github/review.yml", "gitlab/.gitlab-ci.yml", "cloud-build/review.yaml"):
        text = (RECIPES / name).read_text()
        assert "git worktree add" in text
        assert re.findall(r"(\S*)examples/gitops/review\.sh", text) == ["../base/"], name


def test_a_change_of_gates_rules_recipes_or_program_starts_a_review() -> None:
    on = yaml.safe_load((RECIPES / "github" / "review.yml").read_text())[True]
    paths = set(on["pull_request"]["paths"])
    assert {
        "stacks/**",
        "policy/**",
        "examples/gitops/**",
        ".github/**",
        "hubstack/**",
        "components/**",
        "dev",
        "__main__.py",
        "Pulumi.yaml",
        "pyproject.toml",
        "uv.lock",
    } <= paths


def test_the_pull_request_of_an_upgrade_is_reviewed_as_any_other() -> None:
    on = yaml.safe_load((RECIPES / "github" / "review.yml").read_text())[True]
    assert "number" in on["workflow_dispatch"]["inputs"]
    upgrade = (RECIPES / "github" / "upgrade.yml").read_text()
    assert "gh workflow run review.yml --ref hubstack-upgrade" in upgrade


def test_the_script_names_gates_that_exist_and_those_that_protect() -> None:
    named = re.findall(r"--fail-on '([^']+)'", (RECIPES / "review.sh").read_text())
    assert len(named) == 1
    gates = set(read_gates(named[0]))
    assert {"protection", "reach", "refused", "data", "security", "license"} <= gates
    assert any(gate.startswith("idle>") for gate in gates)


DEV = """#!/bin/sh
echo "$*" >>"{asked}"
case "$*" in
  *"{failing}"*) echo "{failing}: wrong /approve @name"; exit 1 ;;
esac
if [ "$1" = diff ]; then
  while [ "$1" != --markdown ]; do shift; done
  echo "### the report" >"$2"
fi
"""


def reviewed(tmp_path: Path, failing: str, ref: str = "base", planted: str = "") -> tuple[int, str, list[str]]:
    """Run review.sh of a base beside a checkout; return its exit code, the comment, what hubstack was asked."""
    base, head, asked = tmp_path / "base", tmp_path / "head", tmp_path / "asked"
    (base / "examples" / "gitops").mkdir(parents=True)
    shutil.copy(RECIPES / "review.sh", base / "examples" / "gitops")
    (base / "dev").write_text(DEV.format(asked=asked, failing=failing))
    (base / "dev").chmod(0o755)
    head.mkdir()
    names = ("-c", "user.name=t", "-c", "user.email=t@example.com")

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *names, *arguments], cwd=head, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--quiet", "--initial-branch", "main")
    git("commit", "--quiet", "--allow-empty", "--message", "base")
    sha = git("rev-parse", "HEAD")
    if planted:
        (head / (sha if planted == "sha" else planted)).write_text("{}")
        git("add", "--all")
        git("commit", "--quiet", "--message", "planted")
    script = base / "examples" / "gitops" / "review.sh"
    done = subprocess.run(
        [script, "prod", sha if ref == "base" else ref, tmp_path / "c.md"],
        cwd=head,
        capture_output=True,
        check=False,
    )
    comment = (tmp_path / "c.md").read_text()
    return done.returncode, comment, asked.read_text().splitlines() if asked.exists() else []


def test_a_review_asks_lock_places_rules_and_the_difference(tmp_path: Path) -> None:
    code, comment, asked = reviewed(tmp_path, "nothing fails")
    assert code == 0
    assert comment == "### the report\n"
    assert [line.split()[:2] for line in asked] == [[each, "prod"] for each in ("lock", "place", "check", "diff")]


@pytest.mark.parametrize("failing", ["lock prod", "place prod", "check prod", "diff prod"])
def test_a_review_that_fails_early_still_comments_and_says_why(tmp_path: Path, failing: str) -> None:
    code, comment, asked = reviewed(tmp_path, failing)
    assert code == 1
    assert len(asked) == 4
    assert f"    {failing}: wrong" in comment
    assert [line for line in comment.splitlines() if line.startswith("/")] == []


@pytest.mark.parametrize("planted", ["sha", "FETCH_HEAD", "HEAD"])
def test_a_tree_with_a_file_named_like_a_commit_is_refused(tmp_path: Path, planted: str) -> None:
    code, comment, asked = reviewed(tmp_path, "nothing fails", planted=planted)
    assert code == 1
    assert "named like a commit" in comment
    assert asked == []


def test_a_base_that_is_not_there_is_commented_too(tmp_path: Path) -> None:
    code, comment, asked = reviewed(tmp_path, "nothing fails", ref="no-such")
    assert (code, asked) == (2, [])
    assert "not in this clone" in comment


def test_no_recipe_holds_a_key() -> None:
    for path in (path for path in RECIPES.rglob("*") if path.is_file()):
        assert not re.search(r"credentials_json|private_key|PULUMI_ACCESS_TOKEN", path.read_text()), path.name


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_one_and_may_be_run(path: Path) -> None:
    assert os.access(path, os.X_OK)
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0


def listing(bucket: str) -> list[dict[str, Any]]:
    """Return what gcloud would say of a bucket of `dev` that is as planned."""
    inputs = StackInputs.load(find_environment("dev", PROJECT, PROJECT))
    models = staged_buckets(plan_inputs(inputs))[bucket]
    return [
        {"url": f"gs://{bucket}/{name}#1", "type": "cloud_object", "metadata": {"name": name, "size": str(size)}}
        for model in models
        for name, size in [
            (f"{model.weights.prefix}/{MARKER}", 9),
            *((f"{model.weights.prefix}/{file.path}", file.size_bytes) for file in model.weights.files),
        ]
    ]


@pytest.mark.parametrize("lost", [False, True])
def test_the_drift_script_compares_every_bucket_of_the_stack(tmp_path: Path, lost: bool) -> None:
    buckets = ["bge-large-en-v1-5", "qwen3-8b", "qwen3-embedding-0-6b"]
    for key in buckets:
        name = f"acme-models-dev-dev-{key}"
        (tmp_path / name).write_text(json.dumps(listing(name)[1 if lost else 0 :]) + "\n")
    stubs = {
        "dev": f'#!/bin/sh\nexec "{sys.executable}" -m hubstack "$@" --project "{PROJECT}"\n',
        "gcloud": f'#!/bin/sh\necho "$*" >>"{tmp_path}/asked"\nurl=${{5#gs://}}\n'
        f'cat "{tmp_path}/${{url%/\\*\\*}}"\n',
    }
    for name, text in stubs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    with StandIn(real_repositories(as_listed=True)) as hub:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        env = {**kept, "HF_ENDPOINT": hub.url, "PYTHONPATH": str(PROJECT), "PATH": f"{tmp_path}:{kept['PATH']}"}
        done = subprocess.run(
            [RECIPES / "drift.sh", "dev"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
    assert done.returncode == int(lost), done.stdout + done.stderr
    assert ("No drift: 3 models" in done.stdout) is not lost
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == [f"storage ls --json --recursive gs://acme-models-dev-dev-{key}/**" for key in buckets]
