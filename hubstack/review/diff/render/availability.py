# SPDX-License-Identifier: Apache-2.0
"""What of a change may take a model away from its callers: read off the models and resources of a change.

Owns the list of such changes and their words. Whether callers notice is for a person to say.
"""

from collections.abc import Iterator

from hubstack.review.diff.change import Change
from hubstack.review.diff.models import ModelAction, ModelChange
from hubstack.review.diff.render.words import count
from hubstack.review.diff.resources import Action

_ADDRESSES = ("gcp:compute/address:Address", "gcp:compute/globalAddress:GlobalAddress")
_SERVING = ("Deployment", "StatefulSet", "LeaderWorkerSet", "Service")
_NODES = ("gcp:container/nodePool:NodePool", "gcp:container/cluster:Cluster")
_RECLAIMED = ("spot", "flex-start")
"""Capacity that Google may take back, or give for a limited time."""


def losses(change: Change) -> Iterator[str]:
    """Yield each change after which a model may be away, or may be reached in another way, a sentence each."""
    for each in change.of(Action.DELETE, Action.REPLACE):
        if each.type in _ADDRESSES and not each.kept_in_cloud:
            yield f"the static address {each.name} is lost"
    for model in change.models:
        if model.action is ModelAction.CHANGED or model.action is ModelAction.RENAMED:
            yield from _of_model(model)
    nodes = [each for each in change.of(Action.REPLACE) if each.deletes_first and each.type in _NODES]
    if nodes:
        what = count(len(nodes), "node pool or cluster", "node pools and clusters")
        yield f"{what} deleted before the new one exists"
    away = [
        each for each in change.of(Action.REPLACE)
        if each.deletes_first and each.type.startswith("kubernetes:") and each.type.endswith(_SERVING)
    ]  # fmt: skip
    if away:
        yield f"{count(len(away), 'server or service', 'servers and services')} deleted before the new one starts"


def _of_model(model: ModelChange) -> Iterator[str]:
    said = {each.topic: each for each in model.settings}
    if platform := said.get("platform"):
        yield f"{model.key} moves from {platform.before} to {platform.after}: another address for its callers"
    if served := said.get("served as"):
        yield f"{model.key} is served as {served.after}: requests for {served.before} fail"
    if (capacity := said.get("capacity")) and _is_reclaimed(capacity.after) and not _is_reclaimed(capacity.before):
        yield f"{model.key} was on {capacity.before} and is on {capacity.after} only: Google may reclaim it"
    if replicas := said.get("replicas"):
        before, after = _fewest(replicas.before), _fewest(replicas.after)
        if after < before:
            wait = "" if after else ": its first request after a pause waits for a start"
            yield f"{model.key} keeps {after} instead of {count(before, 'replica')} when idle{wait}"


def _is_reclaimed(capacity: str) -> bool:
    """Whether all steps of a capacity list may be taken back: `spot, then flex-start`."""
    return bool(capacity) and all(step.startswith(_RECLAIMED) for step in capacity.split(", then "))


def _fewest(replicas: str) -> int:
    return int(replicas.partition("-")[0])
