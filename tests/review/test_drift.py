# SPDX-License-Identifier: Apache-2.0
"""What is told to be no longer as the lock says: of the buckets by a listing, of the Hub by its facts."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hubstack.deploy.weights_job import load_weights
from hubstack.hub.facts import FileFacts, ModelFacts, SecurityFacts
from hubstack.plan import Plan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.drift import (
    MARKER,
    bucket_findings,
    hub_findings,
    read_listing,
    source_findings,
    staged_buckets,
)
from tests.support.golden import environment

OLD, NEW = "1" * 40, "2" * 40


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_inputs(StackInputs.load(environment("production")))


def rows(plan: Plan) -> list[dict[str, Any]]:
    """Return what a listing holds of buckets that are as planned."""
    found = []
    for bucket, models in staged_buckets(plan).items():
        for model in models:
            files = [(file.path, file.size_bytes or 0) for file in model.weights.files]
            for path, size in [*files, (MARKER, 100)]:
                name = f"{model.weights.prefix}/{path}"
                found.append(
                    {
                        "url": f"gs://{bucket}/{name}#17",
                        "type": "cloud_object",
                        "metadata": {"bucket": bucket, "name": name, "size": str(size), "md5Hash": "x=="},
                    }
                )
    return found


def told(plan: Plan, listing: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Return what is drift, and what is a note."""
    found = list(bucket_findings(plan, read_listing(json.dumps(listing))))
    return [f.text for f in found if f.is_drift], [f.text for f in found if not f.is_drift]


def with_files(plan: Plan) -> Any:
    return next(model for model in plan.models if model.weights.files)


def test_the_marker_is_the_loaders() -> None:
    assert MARKER == load_weights.MARKER


def test_buckets_as_planned_are_no_drift(plan: Plan) -> None:
    assert told(plan, rows(plan))[0] == []


def test_a_canary_is_looked_for_in_its_models_bucket(plan: Plan) -> None:
    canary = next(model for model in plan.models if model.canary_of)
    (shared,) = [models for models in staged_buckets(plan).values() if canary in models]
    assert canary.canary_of in {model.key for model in shared}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _: None, "is missing"),
        (lambda row: row | {"metadata": row["metadata"] | {"size": "1"}}, "has 1 bytes; the lock has"),
    ],
)
def test_a_file_that_is_gone_or_has_another_size_is_drift(
    plan: Plan, change: Callable[[Any], Any], said: str
) -> None:
    wanted = f"{with_files(plan).weights.prefix}/{with_files(plan).weights.files[0].path}"
    listing = [change(row) if row["metadata"]["name"] == wanted else row for row in rows(plan)]
    drift, _ = told(plan, [row for row in listing if row])
    assert len(drift) == 1
    assert said in drift[0]


def test_a_folder_without_its_marker_is_drift(plan: Plan) -> None:
    first = with_files(plan)
    marker = f"{first.weights.prefix}/{MARKER}"
    drift, _ = told(plan, [row for row in rows(plan) if row["metadata"]["name"] != marker])
    assert drift == [f"{first.weights.commit[:12]} is not complete: it has no {MARKER}"]


def test_a_file_that_nobody_locked_is_drift_and_a_folder_a_note(plan: Plan) -> None:
    listing, first = rows(plan), with_files(plan)
    bucket = next(name for name, models in staged_buckets(plan).items() if first in models)
    for name in (f"{first.weights.prefix}/modeling.py", f"{NEW}/config.json", ".hubstack/x/load_weights.py"):
        listing.append({"url": f"gs://{bucket}/{name}", "type": "cloud_object", "metadata": {"size": "5"}})
    drift, notes = told(plan, listing)
    assert drift == ["`modeling.py` is not in the lock"]
    assert any("contains commit 222222222222, which no model uses" in note for note in notes)
    assert not any(".hubstack/" in note for note in notes)


def test_a_bucket_that_was_not_listed_is_never_called_fine(plan: Plan) -> None:
    drift, _ = told(plan, [])
    assert drift == ["is empty or missing from the listing"] * len(staged_buckets(plan))


def test_a_listing_of_several_addresses_is_read_whole() -> None:
    row = {"url": "gs://b/x/y", "type": "cloud_object", "metadata": {"name": "x/y", "size": "3"}}
    prefix = {"url": "gs://b/x/", "type": "prefix"}
    found = read_listing(f"{json.dumps([prefix, row])}\n{json.dumps([row])}\n")
    assert [(each.bucket, each.name, each.size_bytes) for each in found] == [("b", "x/y", 3)] * 2
    assert read_listing("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "gs://b/x",
        '{"a": 1}',
        "[",
        '[{"type": "cloud_object"}]',
        '[{"type": "cloud_object", "url": "gs://b/x", "metadata": {"size": "many"}}]',
    ],
)
def test_what_is_no_listing_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_listing(text)


HELD = ModelFacts(
    id="a/m",
    revision="main",
    commit=OLD,
    license="mit",
    security=SecurityFacts(issues={"x": "caution"}),
    files=(FileFacts(path="w", size_bytes=3, sha256="a"), FileFacts(path="s", size_bytes=1)),
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gated": "manual"}, "gate: open when locked, manual now"),
        ({"license": "other", "license_name": "made-up"}, "licence: mit when locked, other (made-up) now"),
        ({"security": SecurityFacts(issues={"x": "unsafe"})}, "security scan: `x` is now unsafe"),
        ({"files": (FileFacts(path="w", size_bytes=3, sha256="b"), HELD.files[1])}, "`w` is changed at the same"),
        ({"files": HELD.files[:1]}, "`s` is removed at the same commit"),
    ],
)
def test_what_the_hub_says_otherwise_of_the_locked_commit_is_drift(changes: dict[str, Any], said: str) -> None:
    (finding,) = hub_findings("m", HELD, replace(HELD, **changes), HELD)
    assert finding.is_drift
    assert said in finding.text


def test_a_newer_commit_is_a_note_and_a_lost_branch_is_drift() -> None:
    (newer,) = hub_findings("m", HELD, HELD, replace(HELD, commit=NEW))
    assert not newer.is_drift
    assert newer.text == "`main` is now at 222222222222; the lock has 111111111111"
    (lost,) = hub_findings("m", HELD, HELD, None)
    assert lost.is_drift


def test_what_the_lock_does_not_hold_cannot_drift() -> None:
    held = replace(HELD, files=(), security=SecurityFacts())
    assert list(hub_findings("m", held, replace(HELD, security=SecurityFacts()), HELD)) == []


def test_replaced_and_deleted_objects_of_own_weights_are_drift_and_new_ones_are_a_note() -> None:
    held = ModelFacts(
        id="gs://acme-tunes/v3",
        revision="main",
        commit=OLD,
        files=(
            FileFacts(path="config.json", size_bytes=2, generation=1, crc32c="AAAAAA=="),
            FileFacts(path="model.safetensors", size_bytes=9, generation=2, crc32c="BBBBBB=="),
            FileFacts(path="tokenizer.json", size_bytes=9, generation=3, crc32c="CCCCCC=="),
        ),
    )
    now = replace(
        held,
        commit=NEW,
        files=(
            FileFacts(path="config.json", size_bytes=2, generation=7, crc32c="AAAAAA=="),
            FileFacts(path="model.safetensors", size_bytes=9, generation=8, crc32c="DDDDDD=="),
            FileFacts(path="notes.txt", size_bytes=9, generation=9, crc32c="CCCCCC=="),
        ),
    )
    found = list(source_findings("support", held, now))
    assert {each.where for each in found} == {held.id}
    assert [each.text for each in found if each.is_drift] == [
        "`config.json` was replaced with the same content: generation 7; the lock has 1",
        "`model.safetensors` was replaced with other content: generation 8; the lock has 2",
        "`tokenizer.json` was deleted; the lock has generation 3",
    ]
    assert [each.text for each in found if not each.is_drift] == ["`notes.txt` is new"]
    assert list(source_findings("support", held, held)) == []
