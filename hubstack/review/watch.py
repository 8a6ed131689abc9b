# SPDX-License-Identifier: Apache-2.0
"""`hubstack drift`, the Hub's part: asks for each locked commit and for its revision, and compares.

Owns what a refusal means: the commit is gone, or the gate was closed, or nothing is known. What counts as drift is
`hubstack.review.drift`'s.
"""

from collections.abc import Iterable, Mapping, Sequence

from hubstack.files.errors import HubError
from hubstack.hub.facts import ModelFacts
from hubstack.hub.remote.fetch import Asked, Listener, fetch_each
from hubstack.hub.remote.pace import Patience
from hubstack.hub.remote.refusal import Cause, Refusal
from hubstack.review.drift import Finding, gone, hub_findings

Locked = tuple[str, ModelFacts]
"""A model's key and what is locked of it."""


def watch_hub(
    locked: Sequence[Locked], listener: Listener | None = None, patience: Patience | None = None
) -> tuple[list[Finding], HubError | None]:
    """Return what is not as the lock says, in the order given, and what could not be found out.

    Args:
        locked: what to compare.
        listener: told how it goes.
        patience: how often and how long to try.
    """
    asked = [pair for _, held in locked for pair in ((held.id, held.commit), (held.id, held.revision))]
    answers = fetch_each(asked, patience=patience, listener=listener, with_config=False)
    findings: list[Finding] = []
    refusals: list[Refusal] = []
    for key, held in locked:
        found, refused = _compare(key, held, answers)
        findings += found
        refusals += refused
    unknown = "\n".join(dict.fromkeys(refusal.render() for refusal in refusals))
    return findings, HubError(f"{unknown}\nso nothing is said of these") if refusals else None


def _compare(
    key: str, held: ModelFacts, answers: Mapping[Asked, ModelFacts | Refusal]
) -> tuple[Iterable[Finding], list[Refusal]]:
    now, newest = answers[held.id, held.commit], answers[held.id, held.revision]
    if isinstance(now, Refusal):
        if now.cause is Cause.GONE or (now.cause is Cause.GATED and not held.gated):
            return [gone(key, held, f"the repository {now.message}")], []
        return [], [now]
    if isinstance(newest, Refusal):
        return hub_findings(key, held, now, None), [] if newest.cause is Cause.GONE else [newest]
    return hub_findings(key, held, now, newest), []
