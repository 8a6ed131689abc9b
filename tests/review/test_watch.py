# SPDX-License-Identifier: Apache-2.0
"""`hubstack drift` beside the Hub: what a refusal means, and what is not known."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hubstack.hub.facts import ModelFacts
from hubstack.hub.remote import RetryLimits, fetch_facts
from hubstack.review.watch import watch_hub
from proof.hub.tiny import commit
from tests.support.hub import TOKENS, Fault, StandIn
from tests.support.hub.real import real_repositories

PROJECT = Path(__file__).resolve().parents[2]
ACCESS = next(token for token, right in TOKENS.items() if right == "access")
SHARDED = "stand-in/sharded"


@pytest.fixture
def held(hub: StandIn) -> ModelFacts:
    return fetch_facts([(SHARDED, "main")])[0]


def watch(held: ModelFacts, limits: RetryLimits | None = None) -> tuple[list[tuple[str, bool]], str]:
    findings, unknown = watch_hub([("m", held)], limits=limits)
    return [(finding.text, finding.is_drift) for finding in findings], str(unknown or "")


def test_nothing_changed_is_nothing_to_tell(hub: StandIn, held: ModelFacts) -> None:
    assert watch(held) == ([], "")


def test_a_newer_commit_is_told_and_is_no_drift(hub: StandIn, held: ModelFacts) -> None:
    repo = hub.repositories[SHARDED]
    new = commit(SHARDED, "newest", {"config.json": {}})
    repo.commits[new.sha], repo.refs["main"] = new, new.sha
    assert watch(held) == ([(f"`main` is now at {new.sha[:12]}; the lock has {held.commit[:12]}", False)], "")


def test_a_commit_that_is_gone_is_drift(hub: StandIn, held: ModelFacts) -> None:
    repo = hub.repositories[SHARDED]
    new = commit(SHARDED, "squashed", {"config.json": {}})
    del repo.commits[held.commit]
    repo.commits[new.sha], repo.refs["main"] = new, new.sha
    ((text, is_drift),), unknown = watch(held)
    assert is_drift
    assert "is no longer available: the repository has no revision" in text
    assert unknown == ""


def test_a_repository_that_is_gone_or_disabled_is_drift(hub: StandIn, held: ModelFacts) -> None:
    hub.repositories[SHARDED].is_disabled = True
    ((text, is_drift),), _ = watch(held)
    assert is_drift
    assert "is no longer available" in text
    del hub.repositories[SHARDED]
    ((text, is_drift),), _ = watch(held)
    assert is_drift
    assert "is not on the Hub, or is private" in text


def test_a_gate_that_was_closed_is_drift_with_and_without_access(
    hub: StandIn, held: ModelFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories[SHARDED].gated = "manual"
    ((text, is_drift),), unknown = watch(held)
    assert is_drift
    assert "is gated" in text
    assert unknown == ""
    monkeypatch.setenv("HF_TOKEN", ACCESS)
    assert watch(held) == ([("gate: open when locked, manual now", True)], "")


def test_a_gated_model_without_a_token_is_unknown_not_drift(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    held = fetch_facts([("stand-in/gated-auto", "main")], token=ACCESS)[0]
    findings, unknown = watch(held)
    assert findings == []
    assert "no valid token was sent" in unknown
    monkeypatch.setenv("HF_TOKEN", "hf_standinExpired")
    findings, unknown = watch(held)
    assert findings == [], "a bad token says nothing of the model"
    assert unknown


def test_a_hub_that_does_not_answer_is_unknown_not_drift(
    hub: StandIn, held: ModelFacts, hurry: RetryLimits
) -> None:
    hub.faults.append(Fault(route=SHARDED, count=99, status=503))
    findings, unknown = watch(held, hurry)
    assert findings == []
    assert "failed with status 503" in unknown


def test_a_renamed_repository_is_a_note(hub: StandIn) -> None:
    held = ModelFacts(
        id="stand-in/old-name", revision="main", commit=fetch_facts([("stand-in/new-name", "main")])[0].commit
    )
    findings, unknown = watch(held)
    assert (
        "was renamed to stand-in/new-name on the Hub; run `hubstack lock --upgrade` to record the new name",
        False,
    ) in findings
    assert unknown == ""


def run(project: Path, hub: StandIn, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    return subprocess.run(
        [sys.executable, "-m", "hubstack", "drift", "dev", *words, "--project", str(project)],
        cwd=PROJECT,
        env={**kept, "HF_ENDPOINT": hub.url, "HF_HOME": str(project / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_exit_code_tells_drift_from_what_is_unknown(hub: StandIn, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "stacks", tmp_path / "stacks")
    shutil.copy(PROJECT / "Pulumi.yaml", tmp_path)
    hub.repositories |= {repo.id: repo for repo in real_repositories(as_listed=True)}
    fine = run(tmp_path, hub)
    assert (fine.returncode, fine.stderr) == (0, f"fetching 6 model revisions from {hub.url} without a token\n")
    assert "Buckets were not checked" in fine.stdout
    assert "No drift: 3 models match the lock." in fine.stdout
    listing = tmp_path / "listing.json"
    listing.write_text("[]")
    drifted = run(tmp_path, hub, "--bucket-listing", str(listing))
    assert drifted.returncode == 1
    assert (
        "drift  gs://acme-models-dev-dev-qwen3-8b  qwen3-8b: is empty or missing from the listing" in drifted.stdout
    )
    assert json.loads(run(tmp_path, hub, "--bucket-listing", str(listing), "--json").stdout)["format"] == 1
    listing.write_text("gs://bucket/object")
    refused = run(tmp_path, hub, "--bucket-listing", str(listing))
    assert refused.returncode == 2
    assert "listing.json:1:1: is not JSON" in refused.stderr
    del hub.repositories["Qwen/Qwen3-8B"]
    hub.faults.append(Fault(route="bge-large", count=99, status=404))
    assert run(tmp_path, hub).returncode == 1
