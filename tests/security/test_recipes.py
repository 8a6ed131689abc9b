# SPDX-License-Identifier: Apache-2.0
"""What a stranger's pull request may start in the pipelines that hubstack gives away."""

from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((PROJECT / "examples" / "gitops" / "github").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_pull_request_is_never_run_with_the_rights_of_its_target(path: Path) -> None:
    """`pull_request_target` and `workflow_run` would run with the repository's secrets, for a fork too."""
    workflow = yaml.safe_load(path.read_text())
    triggers = workflow[True]  # YAML 1.1 reads `on` as a boolean
    names = set(triggers if isinstance(triggers, dict) else [triggers])
    assert not names & {"pull_request_target", "workflow_run", "issue_comment"}
    if "pull_request" in names:
        assert "secrets." not in path.read_text()
        assert "id-token" not in path.read_text(), "no identity that a cloud would trust"


def test_there_is_a_workflow_of_pull_requests() -> None:
    assert any("\n  pull_request:" in path.read_text() for path in WORKFLOWS)
