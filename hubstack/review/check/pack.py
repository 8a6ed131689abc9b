# SPDX-License-Identifier: Apache-2.0
"""Runs the policy pack on a recorded graph.

Owns the child process: the pack shares no code with hubstack, so it runs in a separate interpreter, without Pulumi
and without this process's environment.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubstack.files.bundled import bundled
from hubstack.files.documents import Mark
from hubstack.files.errors import HubstackError
from hubstack.files.subprocess_env import kept_environment
from hubstack.review.check.finding import Finding
from hubstack.review.check.rules import catalogue
from hubstack.review.preview import Graph

TIMEOUT_SECONDS = 120
_JUDGE = "policy/judge.py"


def judge_path(project_dir: Path) -> Path:
    """Return the pack's entry point for graphs: of the project's own copy of the pack, if it has one."""
    own = project_dir / _JUDGE
    return own if own.is_file() and own.with_name("rules.yaml").is_file() else bundled(_JUDGE)


def pack_findings(
    judge: Path,
    graph: Graph,
    limits: Mapping[str, Any],
    places: Mapping[str, Mark],
    marks: Mapping[str, Mark],
    keys: Mapping[str, str],
) -> list[Finding]:
    """Return the pack's findings for a graph.

    Args:
        judge: path of the pack's judge.py.
        graph: the registered resources.
        limits: resolved limits of policy.yaml.
        places: location of each model in the list, by key.
        marks: location of each configured limit, by its key.
        keys: original model key, as in the labels, to current key.

    Raises:
        HubstackError: the pack failed.
    """
    told = {"stack": graph.stack, "settings": dict(limits), "resources": [each.plain() for each in graph.resources]}
    found = _run(judge, json.dumps(told))
    return [_finding({**each, "model": keys.get(each["model"], each["model"])}, places, marks) for each in found]


def _run(judge: Path, told: str) -> list[dict[str, Any]]:
    try:
        done = subprocess.run(  # noqa: S603  runs the pack without a shell
            [sys.executable, str(judge)],
            input=told,
            env=kept_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise HubstackError(f"{judge.parent.name}/{judge.name} timed out after {TIMEOUT_SECONDS} s") from None
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
