# SPDX-License-Identifier: Apache-2.0
"""The project's policy pack, asked about a recorded graph.

Owns the process: the pack shares no code with hubstack, so its rules run in an interpreter of their own, without
Pulumi and without this process's environment.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubstack.files.documents import Mark
from hubstack.files.errors import HubstackError
from hubstack.files.subprocess_env import kept_environment
from hubstack.review.check.finding import Finding
from hubstack.review.check.rules import catalogue
from hubstack.review.preview import Graph

TIMEOUT_SECONDS = 120


def judge_path(project_dir: Path) -> Path:
    """Return the pack's own entry for graphs."""
    return project_dir / "policy" / "judge.py"


def pack_findings(
    judge: Path, graph: Graph, limits: Mapping[str, Any], places: Mapping[str, Mark], marks: Mapping[str, Mark],
    keys: Mapping[str, str],
) -> list[Finding]:  # fmt: skip
    """Return what the pack says of a graph.

    Args:
        judge: the pack's judge.py.
        graph: what the program registers.
        limits: resolved limits of policy.yaml.
        places: where a model stands in the list, by its key.
        marks: where a limit was set, by its key.
        keys: the key under which a model was made, which its labels have, to its present one.

    Raises:
        HubstackError: the pack failed.
    """
    told = {"stack": graph.stack, "settings": dict(limits), "resources": [each.plain() for each in graph.resources]}
    found = _run(judge, json.dumps(told))
    return [_finding({**each, "model": keys.get(each["model"], each["model"])}, places, marks) for each in found]


def _run(judge: Path, told: str) -> list[dict[str, Any]]:
    try:
        done = subprocess.run(  # noqa: S603  the project's own file, no shell
            [sys.executable, str(judge)], input=told, env=kept_environment(), capture_output=True, text=True,
            check=False, timeout=TIMEOUT_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise HubstackError(f"{judge.parent.name}/{judge.name} did not end within {TIMEOUT_SECONDS} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise HubstackError(f"{judge.parent.name}/{judge.name} failed: {last}")
    return json.loads(done.stdout)


def _finding(told: Mapping[str, Any], places: Mapping[str, Mark], marks: Mapping[str, Mark]) -> Finding:
    setting = catalogue()[told["rule"]].setting or ""
    mark = places.get(told["model"] or "") or marks.get(setting)
    return Finding(
        rule=told["rule"], message=told["message"], model=told["model"], resource=told["resource"], mark=mark
    )
