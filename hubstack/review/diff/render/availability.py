# SPDX-License-Identifier: Apache-2.0
"""Changes that may make a model unavailable to its clients.

Owns the list of such changes and their texts.
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
"""Capacity that Google may reclaim or that is time-limited."""


def losses(change: Change) -> Iterator[str]:
    """Yield a sentence for each change that may affect availability or the address of a model."""
    for each in change.of(Action.DELETE, Action.REPLACE):
        if each.type in _ADDRESSES and not each.kept_in_cloud:
            yield f"static IP address {each.name} is released"
    for model in change.models:
        if model.action is ModelAction.CHANGED or model.action is ModelAction.RENAMED:
            yield from _of_model(model)
    nodes = [each for each in change.of(Action.REPLACE) if each.deletes_first and each.type in _NODES]
    if nodes:
        what = count(len(nodes), "node pool or cluster", "node pools and clusters")
        yield f"{what} deleted before the new one exists"
    away = [
        each
        for each in change.of(Action.REPLACE)
        if each.deletes_first and each.type.startswith("kubernetes:") and each.type.endswith(_SERVING)
    ]
    if away:
        yield f"{count(len(away), 'server or service', 'servers and services')} deleted before the new one starts"


def _of_model(model: ModelChange) -> Iterator[str]:
    said = {each.topic: each for each in model.settings}
    if platform := said.get("platform"):
        yield f"{model.key} moves from {platform.before} to {platform.after}: its URL changes"
    if served := said.get("served as"):
        yield f"{model.key} is served as {served.after}: requests for {served.before} fail"
    if (capacity := said.get("capacity")) and _is_reclaimed(capacity.after) and not _is_reclaimed(capacity.before):
        yield f"{model.key} was on {capacity.before} and is now on {capacity.after} only, which Google may reclaim"
    if replicas := said.get("replicas"):
        before, after = _min_replicas(replicas.before), _min_replicas(replicas.after)
        if after < before:
            wait = "" if after else ": the first request after an idle period has a cold start"
            yield f"{model.key} keeps {after} instead of {count(before, 'replica')} when idle{wait}"


def _is_reclaimed(capacity: str) -> bool:
    """Return whether all steps of a capacity list can be reclaimed, as in `spot, then flex-start`."""
    return bool(capacity) and all(step.startswith(_RECLAIMED) for step in capacity.split(", then "))


def _min_replicas(replicas: str) -> int:
    return int(replicas.partition("-")[0])
