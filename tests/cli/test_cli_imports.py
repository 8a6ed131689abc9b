# SPDX-License-Identifier: Apache-2.0
"""What a command loads before it answers: how fast it starts, told without a clock."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
_THEN_LIST = "import sys; from hubstack.cli.app import run; run(); print(*sys.modules, file=sys.stderr)"
_PROVIDERS = (
    "pulumi",
    "pulumi_gcp",
    "pulumi_kubernetes",
    "grpc",
    "google.protobuf",
    "huggingface_hub",
    "requests",
    "httpx",
    "jinja2",
)


def loaded(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _THEN_LIST, *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout
    return set(done.stderr.splitlines()[-1].split())


def test_help_loads_nothing_but_the_command_line() -> None:
    third_party = {"typer", "pydantic", "yaml", "rich", "jinja2", *_PROVIDERS}
    assert loaded("--help") & third_party == {"typer"}


@pytest.mark.parametrize("arguments", [("plan", "--help"), ("eject", "--help")])
def test_help_of_a_command_loads_no_library_that_only_its_work_needs(arguments: tuple[str, ...]) -> None:
    found = loaded(*arguments)
    assert not found & {*_PROVIDERS, "yaml", "hubstack.plan", "hubstack.catalog"}


def test_plan_and_explain_load_neither_pulumi_nor_the_hubs_client() -> None:
    for arguments in (("plan", "examples/quickstart"), ("explain", "examples/fleet", "coder")):
        found = loaded(*arguments)
        assert "hubstack.planner.planner" in found
        assert not found & set(_PROVIDERS)
