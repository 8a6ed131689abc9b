# SPDX-License-Identifier: Apache-2.0
"""The Hub side of `hubstack drift`: fetches each locked commit and its revision, and compares them.

Owns the meaning of a refused request: the commit was deleted, the model became gated, or the state is unknown.
Does not own what counts as drift (`hubstack.review.drift`).
"""

from collections.abc import Iterable, Mapping, Sequence

from hubstack.files.errors import HubError
from hubstack.hub.facts import ModelFacts
from hubstack.hub.remote.fetch import IdAndRevision, Listener, fetch_each
from hubstack.hub.remote.pace import RetryLimits
from hubstack.hub.remote.refusal import Cause, Refusal
from hubstack.names import is_own
from hubstack.review.drift import Finding, gone, hub_findings, source_findings

Locked = tuple[str, ModelFacts]
"""A model's key and its locked facts."""


def watch_hub(
    locked: Sequence[Locked], listener: Listener | None = None, limits: RetryLimits | None = None
) -> tuple[list[Finding], HubError | None]:
    """Return the differences from the lock in input order, and an error for models that could not be compared.

    Args:
        locked: models to compare.
        listener: receives progress.
        limits: retry limits.
    """
    asked = [pair for _, held in locked for pair in _questions(held)]
    answers = fetch_each(asked, limits=limits, listener=listener, with_config=False)
    findings: list[Finding] = []
    refusals: list[Refusal] = []
    for key, held in locked:
        found, refused = _compare(key, held, answers)
        findings += found
        refusals += refused
    if not refusals:
        return findings, None
    lines = dict.fromkeys(refusal.render() for refusal in refusals)
    models = len({refusal.id for refusal in refusals})
    lines[f"{models} of {len({held.id for _, held in locked})} repositories were not compared with the Hub."] = None
    return findings, HubError("\n".join(lines))


def _questions(held: ModelFacts) -> tuple[IdAndRevision, ...]:
    """Return what to ask of a model: its commit and its revision; of own weights, their only listing."""
    listing = (held.id, held.revision)
    return (listing,) if is_own(held.id) else ((held.id, held.commit), listing)


def _compare(
    key: str, held: ModelFacts, answers: Mapping[IdAndRevision, ModelFacts | Refusal]
) -> tuple[Iterable[Finding], list[Refusal]]:
    if is_own(held.id):
        return _compare_source(key, held, answers[held.id, held.revision])
    now, newest = answers[held.id, held.commit], answers[held.id, held.revision]
    if isinstance(now, Refusal):
        if now.cause is Cause.GONE or (now.cause is Cause.GATED and not held.gated):
            return [gone(key, held, f"the repository {now.message}")], []
        return [], [now]
    if isinstance(newest, Refusal):
        return hub_findings(key, held, now, None), [] if newest.cause is Cause.GONE else [newest]
    return hub_findings(key, held, now, newest), []


def _compare_source(
    key: str, held: ModelFacts, now: ModelFacts | Refusal
) -> tuple[Iterable[Finding], list[Refusal]]:
    if isinstance(now, ModelFacts):
        return source_findings(key, held, now), []
    return ([gone(key, held, f"the folder {now.message}")], []) if now.cause is Cause.GONE else ([], [now])
