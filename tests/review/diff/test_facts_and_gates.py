# SPDX-License-Identifier: Apache-2.0
"""Changes on the Hub of two commits, quotas, gates, and renderings of hostile and of large changes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hubstack.files.errors import InputError
from hubstack.review.check.quota import lacking, load_quota
from hubstack.review.diff.capacity import CapacityRow, parse_quota
from hubstack.review.diff.change import Change, Failure, compare
from hubstack.review.diff.facts import FactChange, Topic, _moved, _new
from hubstack.review.diff.gates import read_gates, tripped
from hubstack.review.diff.money import Amount, Money
from hubstack.review.diff.paths import PathChange
from hubstack.review.diff.render import MAX_BYTES, html_text, markdown_text, report
from hubstack.review.diff.resources import Action, ResourceChange
from hubstack.review.diff.state import State, Versions, parse_state
from tests.support.facts import hub, plan

FILE = {"path": "config.json", "size_bytes": 10, "git_oid": "a" * 40, "sha256": None}


def facts(commit: str, *files: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "acme/m",
        "commit": commit * 40,
        "license": "mit",
        "license_name": None,
        "gated": None,
        "custom_code": False,
        "security": {"issues": {}},
        "files": [FILE, *files],
        **more,
    }


def said(before: dict[str, Any], after: dict[str, Any]) -> dict[Topic, FactChange]:
    return {each.topic: each for each in _moved("m", before, after)}


def change(**more: Any) -> Change:
    empty = Money(before=Amount(), after=Amount(), lines=(), unpriced=())
    return Change(environment="dev", before="main", after="work tree", **{"money": empty, **more})


def test_files_are_told_apart_by_hash() -> None:
    template = {"path": "chat_template.jinja", "size_bytes": 5, "git_oid": "b" * 40}
    other = {**template, "git_oid": "c" * 40}
    found = said(facts("1", template), facts("2", other))
    assert "1 changed (chat_template.jinja)" in found[Topic.FILES].text
    assert found[Topic.TEMPLATE].is_risk
    assert Topic.TEMPLATE not in said(facts("1", template), facts("2", template))


def test_a_template_in_the_tokenizer_s_config_may_have_changed() -> None:
    config = {"path": "tokenizer_config.json", "size_bytes": 5, "git_oid": "b" * 40}
    found = said(facts("1", config), facts("2", {**config, "git_oid": "c" * 40}))
    assert "may have changed" in found[Topic.TEMPLATE].text
    nameless = {**config, "git_oid": None}
    found = said(facts("1", nameless), facts("2", nameless))
    assert "cannot be detected" in found[Topic.TEMPLATE].text
    assert not found[Topic.TEMPLATE].is_risk


def test_licence_gate_code_and_scan_are_risks() -> None:
    found = said(
        facts("1"),
        facts(
            "2",
            license="other",
            license_name="acme",
            gated="manual",
            custom_code=True,
            security={"issues": {"x.bin": "unsafe"}},
        ),
    )
    assert {topic for topic, each in found.items() if each.is_risk} == {
        Topic.LICENSE,
        Topic.GATED,
        Topic.CODE,
        Topic.SECURITY,
    }
    assert not said(facts("1", gated="auto"), facts("2"))[Topic.GATED].is_risk


def test_a_quota_is_read_with_all_its_problems() -> None:
    assert parse_quota("quota: {r: {l4: {spot: 8}}}", "q.yaml") == {("r", "l4", "spot"): 8}
    with pytest.raises(InputError) as caught:
        parse_quota("quota:\n  r:\n    l4: {sopt: 8, spot: many}\n", "q.yaml")
    assert "q.yaml:3" in str(caught.value)
    assert "did you mean `spot`?" in str(caught.value)
    assert "whole number" in str(caught.value)


def test_a_gate_that_is_none_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean `replace`") as caught:
        read_gates("repalce,cost>10%")
    assert "unknown gate `cost>10%`" in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after", "gate", "stops"),
    [
        (1000, 1101, "cost>+10%", True),
        (1000, 1100, "cost>+10%", False),
        (0, 1, "cost>+10%", True),
        (1000, 900, "cost>+0%", False),
        (1000, 51_000, "cost>+500", False),
        (1000, 51_001, "cost>+500", True),
        (0, 1_200_000, "cost>12000", False),
        (0, 1_200_001, "cost>12000", True),
        (1000, 1101, "idle>+10%", False),
    ],
)
def test_limits_of_cost_are_exact(before: int, after: int, gate: str, *, stops: bool) -> None:
    bill = Money(before=Amount(busy=before), after=Amount(busy=after), lines=(), unpriced=())
    assert bool(tripped(change(money=bill), read_gates(gate))) is stops


def test_more_than_the_quota_stops_and_what_is_unknown_does_not() -> None:
    row = CapacityRow(region="r", accelerator="l4", way="spot", before=0, after=9, quota=8)
    assert tripped(change(accelerators=(row,)), ("quota",))
    assert not tripped(change(accelerators=(replace(row, quota=None),)), ("quota",))


def resources(count: int, **more: Any) -> tuple[ResourceChange, ...]:
    return tuple(
        ResourceChange(
            urn=f"u{at}",
            type="gcp:storage/bucket:Bucket",
            name=f"bucket-{at}",
            action=Action.UPDATE,
            changes=(PathChange("labels", f"{at} {'x' * 300}", "y" * 300),),
            **more,
        )
        for at in range(count)
    )


def test_a_comment_stays_within_the_limit_and_keeps_what_is_at_risk() -> None:
    lost = ResourceChange(
        urn="v", type="gcp:storage/bucket:Bucket", name="the-lost-one", action=Action.DELETE, held="all"
    )
    large = change(resources=(*resources(5000), lost))
    text = markdown_text(report(large), "https://ci.example/run/1")
    assert len(text.encode()) <= MAX_BYTES
    assert "the-lost-one" in text
    assert "more rows in [the whole report](https://ci.example/run/1)" in text
    assert text.count("<details>") == text.count("</details>")
    many = change(resources=tuple(replace(each, action=Action.DELETE, held="all") for each in resources(5000)))
    assert len(markdown_text(report(many)).encode()) <= MAX_BYTES
    assert len(markdown_text(report(many), limit=700).encode()) <= 700


HOSTILE = "`x`|<img src=x onerror=a()> @team [a](https://evil.example) ![b](c) **d**\n# e"


def test_texts_from_the_hub_stay_texts() -> None:
    hostile = change(hub=(FactChange(key="m", topic=Topic.LICENSE, text=HOSTILE, is_risk=True),))
    text = markdown_text(report(hostile))
    assert "<img" not in text
    assert "@team" not in text
    assert "[a](" not in text
    assert "https://evil" not in text
    page = html_text(hostile, report(hostile))
    assert "<img" not in page
    assert "<script" not in page


def test_the_page_shows_an_argument_side_by_side_and_asks_for_nothing() -> None:
    one = replace(resources(1)[0], changes=(PathChange("data", "a\nb\nc\n", "a\nB\nc\n"),))
    page = html_text(change(resources=(one,)), report(change(resources=(one,))))
    assert '<td class="old">b</td><td class="new">B</td>' in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_side_that_fails_is_named_and_nothing_is_claimed() -> None:
    broken = State(name="main (1a2b3c4)", error="models.yaml:3:1: wrong")
    found = compare("dev", Versions(base=broken, head=State(name="work tree", plan={}, graph={})))
    assert found.failures == (Failure(side="main (1a2b3c4)", error="models.yaml:3:1: wrong"),)
    text = markdown_text(report(found))
    assert "NOT COMPARED" in text
    assert "models.yaml:3:1: wrong" in text


def test_a_file_that_is_no_side_is_refused() -> None:
    with pytest.raises(InputError, match="is not a file written by"):
        parse_state('{"format": 9}', "x.json")


def stopped_by_security(before: dict[str, Any], after: dict[str, Any]) -> str:
    made = change(hub=tuple(_moved("m", before, after)))
    return "".join(each.why for each in tripped(made, ("security",)))


def test_a_lock_that_swaps_the_repository_under_the_same_list_stops_security() -> None:
    swapped = facts("1", id="evil/m", asked_id="acme/m")
    why = stopped_by_security(facts("1"), swapped)
    assert "repository changed: acme/m -> evil/m" in why
    assert "the list names acme/m, the lock has evil/m" in why
    assert not stopped_by_security(swapped, swapped)
    assert "the list names acme/m" in "".join(each.text for each in _new("m", swapped))


def test_other_hashes_sizes_or_files_at_one_commit_stop_security() -> None:
    weights = {"path": "model.safetensors", "size_bytes": 5, "sha256": "d" * 64}
    before = facts("1", weights)
    for other in ({**weights, "sha256": "e" * 64}, {**weights, "size_bytes": 6}, {**weights, "path": "w.bin"}):
        assert "at the same commit" in stopped_by_security(before, facts("1", other))
    assert "at the same commit" in stopped_by_security(before, facts("1", weights, config={"hidden_size": 1}))
    assert not stopped_by_security(before, facts("2", {**weights, "sha256": "e" * 64}))


def test_a_hash_that_is_no_longer_locked_stops_security_at_any_commit() -> None:
    weights = {"path": "model.safetensors", "size_bytes": 5, "sha256": "d" * 64}
    for commit in "12":
        why = stopped_by_security(facts("1", weights), facts(commit, {**weights, "sha256": None}))
        assert "no longer has hashes of model.safetensors" in why
    assert "no longer lists files" in stopped_by_security(facts("1", weights), {**facts("1"), "files": []})


@pytest.mark.parametrize(
    "text",
    [
        "quota: {us-central1: {l4: {on-demand: 8, spot: 16}}}\n",
        "us-central1:\n  nvidia-l4: {on-demand: 8, preemptible: 16}\n",
    ],
    ids=["today", "before 0.2"],
)
def test_one_quota_file_serves_the_comparison_and_the_check(text: str, tmp_path: Path) -> None:
    counts = {("us-central1", "l4", "on-demand"): 8, ("us-central1", "l4", "spot"): 16}
    assert parse_quota(text, "quota.yaml") == counts
    (tmp_path / "quota.yaml").write_text(text)
    quota = load_quota(tmp_path / "quota.yaml", "quota.yaml")
    assert quota
    assert list(lacking(plan(hub("BAAI/bge-large-en-v1.5")), quota)) == []
    (tmp_path / "quota.yaml").write_text(text.replace("8", "0"))
    none = load_quota(tmp_path / "quota.yaml", "quota.yaml")
    assert none
    ((kind, _),) = lacking(plan(hub("BAAI/bge-large-en-v1.5")), none)
    assert kind == "nvidia-l4"
