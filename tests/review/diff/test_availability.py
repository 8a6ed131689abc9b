# SPDX-License-Identifier: Apache-2.0
"""Changes that take a model away from its clients, even for a while, are named; others are not."""

import pytest

from hubstack.review.diff import Change
from hubstack.review.diff.models import ModelAction, ModelChange, Setting
from hubstack.review.diff.money import Amount, Money
from hubstack.review.diff.render.availability import losses
from hubstack.review.diff.resources import Action, ResourceChange

NOTHING = Money(before=Amount(), after=Amount(), lines=(), unpriced=())


def said(*parts: ResourceChange | ModelChange) -> list[str]:
    change = Change(
        environment="dev",
        before="main",
        after="work tree",
        money=NOTHING,
        resources=tuple(each for each in parts if isinstance(each, ResourceChange)),
        models=tuple(each for each in parts if isinstance(each, ModelChange)),
    )
    return list(losses(change))


def model(topic: str, before: str, after: str, action: ModelAction = ModelAction.CHANGED) -> ModelChange:
    return ModelChange(
        key="chat", id="acme/chat", action=action, settings=(Setting(topic=topic, before=before, after=after),)
    )


def resource(kind: str, action: Action, **fields: bool) -> ResourceChange:
    return ResourceChange(urn="u", type=kind, name="it", action=action, **fields)


@pytest.mark.parametrize(
    ("topic", "before", "after", "words"),
    [
        ("platform", "gke", "cloud-run", "its URL changes"),
        ("platform", "vertex", "gke", "its URL changes"),
        ("served as", "acme/chat, chat", "acme/chat", "requests for acme/chat, chat fail"),
        ("capacity", "on-demand", "spot", "which Google may reclaim"),
        ("capacity", "spot, then on-demand", "spot", "which Google may reclaim"),
        ("capacity", "reservation acme", "spot, then flex-start", "which Google may reclaim"),
        ("replicas", "2-4", "1-4", "keeps 1 instead of 2 replicas when idle"),
        ("replicas", "1-4", "0-4", "cold start"),
    ],
)
def test_a_setting_that_takes_a_model_away_is_named(topic: str, before: str, after: str, words: str) -> None:
    (found,) = said(model(topic, before, after))
    assert words in found
    assert "chat" in found


@pytest.mark.parametrize(
    ("topic", "before", "after"),
    [
        ("capacity", "spot", "on-demand"),
        ("capacity", "spot", "flex-start"),
        ("capacity", "on-demand", "spot, then on-demand"),
        ("replicas", "1-2", "1-4"),
        ("replicas", "0-2", "1-1"),
        ("context", "8192", "4096"),
    ],
)
def test_a_setting_that_takes_nothing_away_is_not(topic: str, before: str, after: str) -> None:
    assert said(model(topic, before, after)) == []


@pytest.mark.parametrize("action", [ModelAction.ADDED, ModelAction.REMOVED])
def test_a_model_that_comes_or_goes_is_told_elsewhere(action: ModelAction) -> None:
    assert said(model("capacity", "on-demand", "spot", action)) == []


@pytest.mark.parametrize("kind", ["gcp:compute/address:Address", "gcp:compute/globalAddress:GlobalAddress"])
@pytest.mark.parametrize("action", [Action.DELETE, Action.REPLACE])
def test_a_static_address_that_is_lost_is_named_unless_it_is_kept(kind: str, action: Action) -> None:
    assert said(resource(kind, action)) == ["static IP address it is released"]
    assert said(resource(kind, action, kept_in_cloud=True)) == []
    assert said(resource(kind, Action.UPDATE)) == []


@pytest.mark.parametrize(
    "kind",
    [
        "gcp:container/nodePool:NodePool",
        "gcp:container/cluster:Cluster",
        "kubernetes:apps/v1:Deployment",
        "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet",
        "kubernetes:core/v1:Service",
    ],
)
def test_what_is_deleted_before_its_successor_is_there_is_named(kind: str) -> None:
    (found,) = said(resource(kind, Action.REPLACE, deletes_first=True))
    assert "deleted before the new one" in found
    assert said(resource(kind, Action.REPLACE)) == []


def test_a_bucket_serves_nobody() -> None:
    assert said(resource("gcp:storage/bucket:Bucket", Action.REPLACE, deletes_first=True)) == []
