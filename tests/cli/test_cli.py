# SPDX-License-Identifier: Apache-2.0
"""The command as a user runs it: a process, its output, its exit code."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PLANTED = "hf_planted0token0that0must0not0show"


def hubstack(*arguments: str, cwd: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "HF_TOKEN": PLANTED, "HF_ENDPOINT": "http://127.0.0.1:9", "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(  # noqa: PLW1510  the exit code is what is tested
        [sys.executable, "-m", "hubstack", *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=60
    )
    assert PLANTED not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own with the quickstart list as stack `dev`."""
    shutil.copy(PROJECT / "Pulumi.yaml", tmp_path)
    stacks = tmp_path / "stacks"
    stacks.mkdir()
    shutil.copy(PROJECT / "stacks" / "Pulumi.dev.yaml", stacks)
    shutil.copy(PROJECT / "examples" / "quickstart" / "models.yaml", stacks / "dev.models.yaml")
    shutil.copy(PROJECT / "examples" / "quickstart" / "models.lock.yaml", stacks / "dev.models.lock.yaml")
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_plan_prints_a_row_for_each_model_and_the_price() -> None:
    done = hubstack("plan", "examples/quickstart")
    assert done.returncode == 0
    for key in ("bge-small-en-v1-5", "qwen3-4b-instruct-2507", "qwen3-embedding-0-6b", "total"):
        assert key in done.stdout
    assert "$214 idle (every model at its minimum replicas)" in done.stdout


def test_plan_json_is_the_plan() -> None:
    assert len(json.loads(hubstack("plan", "examples/quickstart", "--json").stdout)["models"]) == 3


def test_explain_shows_the_arithmetic_and_what_was_rejected() -> None:
    shown = hubstack("explain", "examples/fleet", "coder").stdout
    for word in ("weights", "activation", "KV cache", "B a token", "not 4 x g2-standard-48"):
        assert word in shown


def test_explain_of_an_unknown_model_names_the_nearest() -> None:
    done = hubstack("explain", "examples/fleet", "codr")
    assert done.returncode == 2
    assert "did you mean `coder`?" in done.stderr


def test_an_unknown_stack_names_the_nearest() -> None:
    done = hubstack("plan", "prd")
    assert done.returncode == 2
    assert "did you mean `prod`?" in done.stderr


def test_output_that_goes_to_no_terminal_has_no_colour() -> None:
    assert "\x1b" not in hubstack("plan", "examples/quickstart").stdout


def test_dev_and_prod_share_one_list_and_differ_by_overrides() -> None:
    dev, prod = (json.loads(hubstack("plan", stack, "--json").stdout) for stack in ("dev", "prod"))
    assert [model["id"] for model in dev["models"]] == [model["id"] for model in prod["models"]]
    assert {model["replicas"]["min"] for model in dev["models"]} == {0}
    assert all(model["replicas"]["min"] >= 1 for model in prod["models"])
    assert {pool["capacity"] for pool in prod["pools"]} == {"on-demand"}
    assert "spot" in {pool["capacity"] for pool in dev["pools"]}


def test_the_default_environment_is_announced_and_a_named_one_is_not(project: Path) -> None:
    default, named = hubstack("plan", cwd=project), hubstack("plan", "dev", cwd=project)
    assert default.stderr == "Environment: dev (the default). To use another one, name it as the first argument.\n"
    assert (default.stdout, named.stderr) == (named.stdout, "")


@pytest.mark.parametrize("arguments", [("dev",), ("dev", "--project", ".")])
def test_suggested_commands_run_as_printed(project: Path, arguments: tuple[str, ...]) -> None:
    printed = hubstack("plan", *arguments, cwd=project).stdout
    (suggested,) = re.findall(r"`hubstack (explain [^`]+)`", printed)
    assert hubstack(*shlex.split(suggested), cwd=project).returncode == 0


def test_a_lock_of_another_repository_is_a_warning_of_plan_check_and_lock(project: Path) -> None:
    lock = project / "stacks" / "dev.models.lock.yaml"
    models = project / "stacks" / "dev.models.yaml"
    models.write_text(models.read_text().replace("BAAI/bge-small-en-v1.5", "acme/bge-small"))
    entry = "- id: BAAI/bge-small-en-v1.5\n  "
    text = lock.read_text()
    assert entry in text
    changed = re.sub(r"(?<=\n)  content: .*\n", "", text.replace(entry, f"{entry}asked_id: acme/bge-small\n  "))
    lock.write_text(changed.replace("format: 2", "format: 1"))
    warning = "bge-small: the list names acme/bge-small, the lock has BAAI/bge-small-en-v1.5: verify on the Hub"
    for command in (("plan", "dev"), ("check", "dev"), ("lock", "dev", "--check")):
        done = hubstack(*command, cwd=project)
        assert warning in done.stdout + done.stderr, command


BAD = {
    "unknown key": ("- id: Qwen/Qwen3-8B\n  contxt: 5\n", "2:3: unknown key `contxt`", "did you mean `context`?"),
    "bad id": ("- Qwen/Qwen3--8B\n", "is not a Hub ID", None),
    "not locked": ("- Qwen/Qwen3-4B-Instruct-2508\n", "is not in the lock", "Qwen/Qwen3-4B-Instruct-2507"),
    "stale lock": (
        "- id: BAAI/bge-small-en-v1.5\n  revision: v2\n",
        "the lock is stale",
        "run `hubstack lock dev`",
    ),
    "unknown accelerator": (
        "- id: BAAI/bge-small-en-v1.5\n  accelerator: h200\n",
        "`h200` is not an accelerator",
        "did you mean `h200-141gb`?",
    ),
}


@pytest.mark.parametrize("name", sorted(BAD))
@pytest.mark.parametrize("command", ["plan", "preview"])
def test_bad_input_gets_one_clear_message_exit_2_and_no_file_is_touched(
    name: str, command: str, project: Path
) -> None:
    entry, message, hint = BAD[name]
    request = project / "stacks" / "dev.models.yaml"
    request.write_text("models:\n" + entry)
    before = files(project)
    done = hubstack(command, "dev", cwd=project)
    assert done.returncode == 2
    assert message in done.stderr.replace("stacks/dev.models.yaml:3:3", "2:3")
    assert "stacks/dev.models.yaml:" in done.stderr
    assert hint is None or hint in done.stderr
    assert files(project) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: no models listed"),
        ("models:\n\t- a/b\n", "a tab"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "an alias"),
        ("models: []\n", "lists no models"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(text: str, message: str, project: Path) -> None:
    (project / "stacks" / "dev.models.yaml").write_text(text)
    before = files(project)
    done = hubstack("plan", "dev", cwd=project)
    assert (done.returncode, done.stderr.count("stacks/dev.models.yaml")) == (2, 1), done.stderr
    assert message in done.stderr
    assert files(project) == before


def test_all_problems_are_told_at_once(project: Path) -> None:
    (project / "stacks" / "dev.models.yaml").write_text(
        "models:\n- id: BAAI/bge-small-en-v1.5\n  contxt: 1\n- id: x--y/z\n  replicas: 3\n"
    )
    done = hubstack("plan", "dev", cwd=project)
    assert [line for line in done.stderr.splitlines() if line.startswith("stacks/")] == [
        "stacks/dev.models.yaml:3:3: unknown key `contxt`",
        "stacks/dev.models.yaml:4:7: `x--y/z` is not a Hub ID: `--` and `..` are not allowed",
        "stacks/dev.models.yaml:5:13: `models.replicas` must be a mapping (`key: value` lines), not `3`",
    ]


def test_a_wrong_stack_setting_is_refused_with_its_place(project: Path) -> None:
    (project / "stacks" / "Pulumi.dev.yaml").write_text(
        "config:\n  gcp:project: acme-models-dev\n  gcp:region: us-central1\n  hubstack:budgt: 5\n"
    )
    done = hubstack("plan", "dev", cwd=project)
    assert done.returncode == 2
    assert "stacks/Pulumi.dev.yaml:4:3: unknown key `hubstack:budgt`" in done.stderr
    assert "did you mean `hubstack:budget`?" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("plan", "dev"),
        ("plan", "dev", "--what-if", "qwen3-embedding-0-6b.context=4096"),
        ("explain", "dev", "qwen3-embedding-0-6b"),
        ("preview", "dev"),
    ],
    ids=" ".join,
)
def test_a_budget_hides_nothing_and_a_plan_over_it_exits_1(command: tuple[str, ...], project: Path) -> None:
    settings = project / "stacks" / "Pulumi.dev.yaml"
    base = "config:\n  gcp:project: acme-models-dev\n  gcp:region: us-central1\n"
    settings.write_text(base)
    shutil.copy(PROJECT / "__main__.py", project)
    within = hubstack(*command, cwd=project)
    settings.write_text(f"{base}  hubstack:budget: 100\n")
    over = hubstack(*command, cwd=project)
    assert (within.returncode, over.returncode, over.stderr) == (0, 1, "")
    assert "ver budget by $1,722" in over.stdout.replace("VER BUDGET", "ver budget")
    missing = [line for line in within.stdout.splitlines() if line.split("  ")[0] not in over.stdout]
    assert missing == [], "what is shown within the budget is shown over it too"


def test_the_largest_items_of_a_plan_over_its_budget_are_named(project: Path) -> None:
    (project / "stacks" / "Pulumi.dev.yaml").write_text(
        "config:\n  gcp:project: acme-models-dev\n  gcp:region: us-central1\n  hubstack:budget: 100\n"
    )
    plan = json.loads(hubstack("plan", "dev", "--json", cwd=project).stdout)
    (warning,) = plan["warnings"]
    assert warning.count("1 x g2-standard-4") == 3
    assert plan["cost"]["budget_usd_per_month"] == 100


def test_a_hub_that_cannot_be_reached_leaves_the_lock_as_it_was(project: Path) -> None:
    (project / "stacks" / "dev.models.yaml").write_text("models: [BAAI/bge-small-en-v1.5]\n")
    before = files(project)
    assert hubstack("lock", "dev", "--check", cwd=project).returncode == 1, "two locked models are not asked for"
    assert files(project) == before


def test_explain_is_short_and_has_every_term_and_step() -> None:
    shown = hubstack("explain", "examples/fleet", "qwen3-8b").stdout
    assert len(shown.splitlines()) <= 75  # at 80 columns
    for word in ("runtime", "graphs", "reserved", "visible", "at most: ", "on-demand", "a2-highgpu-2g", "not 1 x "):
        assert word in shown
    bars = [line for line in shown.splitlines() if line.startswith(("weights ", "KV cache"))]
    assert any("█" in line for line in bars)
    assert any("░" in line for line in bars)


def test_what_if_shows_the_difference_and_writes_nothing() -> None:
    before = files(PROJECT / "examples" / "quickstart")
    done = hubstack("plan", "examples/quickstart", "--what-if", "replicas.max=3")
    assert done.returncode == 0
    plan = json.loads(hubstack("plan", "examples/quickstart", "--json").stdout)
    grows = ("0 to 1 x", "boot disks")
    lines = [line for line in plan["cost"]["lines"] if line["what"].startswith(grows)]
    more = round(2 * sum(line["usd_per_month_max"] for line in lines))
    assert any(f"{more:+,}" in line for line in done.stdout.splitlines() if line.startswith("total"))
    assert files(PROJECT / "examples" / "quickstart") == before


def test_a_page_is_written_where_asked(tmp_path: Path) -> None:
    page = tmp_path / "plan.html"
    assert hubstack("plan", "examples/quickstart", "--html", str(page)).returncode == 0
    assert page.read_text().startswith("<!doctype html>")


def test_explain_without_a_model_says_what_to_name() -> None:
    done = hubstack("explain", "examples/quickstart")
    assert done.returncode == 2
    assert "qwen3-4b-instruct-2507" in done.stderr


def test_place_check_finds_the_examples_fresh() -> None:
    for environment in ("dev", "prod", "examples/quickstart", "examples/fleet"):
        assert hubstack("place", environment, "--check").returncode == 0, environment


def test_regions_are_compared_and_nothing_moves() -> None:
    shown = hubstack("plan", "examples/quickstart", "--regions", "us-central1,europe-west4").stdout
    assert "us-central1 (this stack)" in shown
    assert "europe-west4" in shown
    assert "USD a million" in shown
    assert "Nothing was changed" in shown


def test_a_refused_model_hides_no_other(project: Path) -> None:
    listed = project / "stacks" / "dev.models.yaml"
    listed.write_text(listed.read_text().rstrip() + "\n  - acme/not-locked\n")
    done = hubstack("plan", "dev", cwd=project)
    assert done.returncode == 2, done.stdout
    assert "`acme/not-locked` is not in the lock" in done.stderr
    assert "qwen3-4b-instruct-2507" in done.stdout, "the others are shown"
    assert "1 model is invalid and not in this plan" in done.stdout
    told = json.loads(hubstack("plan", "dev", "--json", cwd=project).stdout)
    assert (len(told["models"]), len(told["refused"])) == (3, 1)
    assert hubstack("preview", "dev", cwd=project).returncode == 2, "nothing is deployed of half a list"
