# SPDX-License-Identifier: Apache-2.0
"""Adapters and draft models in what people and CI read: bill, page, drift, policy, diff."""

import json
from dataclasses import asdict, replace
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from hubstack.hub.facts import ModelFacts
from hubstack.plan import Plan
from hubstack.review.check.plan_rules import model_findings
from hubstack.review.diff.facts import compare_facts
from hubstack.review.diff.models import compare_models
from hubstack.review.diff.state import State
from hubstack.review.drift import MARKER, StoredObject, bucket_findings
from hubstack.review.sbom.bom import bom_text
from hubstack.review.sbom.transparency import sections
from tests.planner.serving.test_companions import OTHER, adapter, head
from tests.support.facts import ask, llama, plan

BASE = llama()
ADAPTER = replace(adapter(), license="cc-by-nc-4.0", base_models=("acme/llama",))
HEAD = replace(head(), commit="d" * 40, license="mit")
ASKED = ask(
    BASE.id,
    lora={"adapters": [ADAPTER.id]},
    speculative={"method": "eagle3", "model": HEAD.id},
)
BESIDE = {(each.id, each.commit): each for each in (ADAPTER, HEAD)}


def with_companions(*beside: ModelFacts) -> Plan:
    return plan((BASE, ASKED), beside=beside or (ADAPTER, HEAD))


def test_the_bill_has_them_as_components_with_their_files_and_licences() -> None:
    text = bom_text(with_companions(), {"llama": BASE}, BESIDE)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    by_ref = {each["bom-ref"]: each for each in json.loads(text)["components"]}
    found = by_ref["adapter/llama/support"]
    assert found["purl"] == f"pkg:huggingface/acme/support@{OTHER}"
    assert found["licenses"][0]["license"]["id"] == "CC-BY-NC-4.0"
    assert [file["name"] for file in found["components"]] == ["adapter_config.json", "adapter_model.safetensors"]
    assert found["pedigree"]["ancestors"][0]["name"] == "llama"
    assert by_ref["draft/llama/draft"]["version"] == "d" * 40


def test_the_transparency_page_names_their_licences() -> None:
    parts = {part.title: part for part in sections(with_companions(), {"llama": BASE}, BESIDE)}
    rows = {row[0]: row for row in parts["Licences and terms"].rows}
    assert rows["adapter of llama: support"][1] == "cc-by-nc-4.0"
    assert rows["draft of llama: draft"][1] == "mit"
    assert {row[0] for row in parts["What runs"].rows} == {row[0] for row in parts["Provenance"].rows} == set(rows)


def test_drift_compares_their_folders_and_notes_commits_that_nothing_uses() -> None:
    decided = with_companions()
    bucket, model = decided.buckets["llama"], decided.models[0]
    held = [
        StoredObject(bucket=bucket, name=f"{weights.prefix}/{path}", size_bytes=size)
        for weights in (model.weights, *(each.weights for each in model.companions or ()))
        for path, size in ((MARKER, 1), *((file.path, file.size_bytes or 0) for file in weights.files))
    ]
    assert not [each for each in bucket_findings(decided, held) if each.is_drift]
    lost = [each for each in held if each.name != f"companions/{OTHER}/adapter_model.safetensors"]
    stale = StoredObject(bucket=bucket, name=f"companions/{'9' * 40}/adapter_config.json", size_bytes=1)
    found = {each.text: each.is_drift for each in bucket_findings(decided, [*lost, stale])}
    assert found == {
        "the lock lists no files for llama: only the marker was checked": False,
        "adapter acme/support: `adapter_model.safetensors` is missing": True,
        "contains commit 999999999999 of an adapter or draft model, which no model uses": False,
    }


def test_policies_judge_them_like_models() -> None:
    limits = {"licenses": ["apache-2.0", "mit"], "weights_formats": ["safetensors"]}
    found = list(model_findings(with_companions(), {"llama": BASE}, BESIDE, {"llama": ASKED}, limits))
    messages = [(each.rule, each.message) for each in found if "adapter" in each.message and each.rule == "HS001"]
    assert messages == [("HS001", "adapter acme/support: licence cc-by-nc-4.0; allowed: apache-2.0, mit")]


def state(decided: Plan, *facts: ModelFacts) -> State:
    return State(name="dev", plan=json.loads(decided.to_json()), facts=tuple(_data(each) for each in facts))


def _data(facts: ModelFacts) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(facts)))


def test_a_diff_shows_added_and_moved_adapters_and_their_licences() -> None:
    without = state(plan(BASE), BASE)
    first = state(with_companions(), BASE, ADAPTER, HEAD)
    (change,) = compare_models(without, first, {})
    shown = {each.topic: (each.before, each.after) for each in change.settings}
    assert shown["adapters"] == ("none", "support: acme/support at ffffffffffff")
    assert shown["draft"] == ("none", "draft: acme/head at dddddddddddd")
    assert "--lora-modules" in shown["flags"][1]
    told = {each.text for each in compare_facts(without, first, {}) if each.is_risk}
    assert {"acme/support: licence cc-by-nc-4.0", "acme/head: licence mit"} <= told
    moved = replace(ADAPTER, commit="1" * 40, license="apache-2.0")
    second = state(with_companions(moved, HEAD), BASE, moved, HEAD)
    (change,) = compare_models(first, second, {})
    assert {each.topic: each.after for each in change.settings}[
        "adapters"
    ] == "support: acme/support at 111111111111"
    told = {each.text for each in compare_facts(first, second, {}) if each.is_risk}
    assert told == {"acme/support: licence cc-by-nc-4.0 -> apache-2.0"}
    (change,) = compare_models(first, without, {})
    assert {each.topic: each.after for each in change.settings}["adapters"] == "none"
