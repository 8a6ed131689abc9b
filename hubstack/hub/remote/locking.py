# SPDX-License-Identifier: Apache-2.0
"""Decides which entries of a lock are kept, added, updated or removed.

Owns the rules: an entry at the requested revision is kept until it is upgraded, and an entry that cannot be fetched
is kept as it is. Queries the Hub through a function that the caller passes.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from hubstack.hub.facts import ModelFacts
from hubstack.hub.lock import Lock, check_fresh, lock_key
from hubstack.inputs.hub_names import DEFAULT_REVISION

IdAndRevision = tuple[str, str]
"""Repository id and revision."""
_SHOWN = 12
"""Hex digits of a commit in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockChanges:
    """Differences between the old and the new lock. Each tuple is sorted."""

    added: tuple[ModelFacts, ...]
    moved: tuple[tuple[ModelFacts, ModelFacts], ...]
    """Old and new facts, at different commits."""
    dropped: tuple[ModelFacts, ...]
    kept: tuple[ModelFacts, ...]
    """At the same commit as before; upgraded entries may have newer counts or scan results."""

    def render(self) -> list[str]:
        """Return one line for each model that is not kept."""
        return [
            *(f"added {_named(new)} at {new.commit[:_SHOWN]}" for new in self.added),
            *(
                f"moved {_named(new)} from {old.commit[:_SHOWN]} to {new.commit[:_SHOWN]}"
                for old, new in self.moved
            ),
            *(f"removed {_named(old)}" for old in self.dropped),
        ]


def lock_models(
    asked: Collection[IdAndRevision],
    held: Lock | None,
    *,
    upgrade: Collection[IdAndRevision] = (),
    fetch: Callable[[Sequence[IdAndRevision]], Mapping[IdAndRevision, ModelFacts]],
) -> tuple[tuple[ModelFacts, ...], LockChanges]:
    """Return the sorted models of the new lock, and how it differs from the old one.

    Args:
        asked: IDs and revisions in the model list.
        held: the current lock; None if there is none.
        upgrade: those of `asked` to fetch again although they are locked.
        fetch: returns the facts of each pair; the current entry of an absent pair is kept.
    """
    before = held or Lock(path="", models=())
    wanted = sorted(set(asked))
    to_refetch = [pair for pair in wanted if pair in upgrade or before.get(*pair) is None]
    fetched = fetch(to_refetch) if to_refetch else dict[IdAndRevision, ModelFacts]()
    chosen = [
        _after(before.get(*pair) or _other_revision(before, pair, wanted), fetched.get(pair))
        if pair in fetched
        else before.get(*pair)
        for pair in wanted
    ]
    refused = {pair[0] for pair in to_refetch if pair not in fetched}
    chosen += [
        facts for facts in before.models if lock_key(facts) not in wanted and {facts.id, facts.asked_id} & refused
    ]
    after = {lock_key(facts): facts for facts in chosen if facts is not None}
    models = tuple(after[key] for key in sorted(after))
    return models, _changes(before, models, wanted)


def _other_revision(before: Lock, pair: IdAndRevision, wanted: Sequence[IdAndRevision]) -> ModelFacts | None:
    """Return the old entry of a model whose revision was changed; None if ambiguous."""
    old = [facts for facts in before.models if facts.id == pair[0] and lock_key(facts) not in wanted]
    new = [each for each in wanted if each[0] == pair[0] and before.get(*each) is None]
    return old[0] if len(old) == len(new) == 1 else None


def _after(held: ModelFacts | None, new: ModelFacts | None) -> ModelFacts | None:
    """Return the new entry with the commit that it replaces, whose weights are deleted after the switch."""
    if new is None or held is None:
        return new or held
    return replace(new, replaced=held.replaced if held.commit == new.commit else held.commit)


def _changes(before: Lock, models: Sequence[ModelFacts], wanted: Sequence[IdAndRevision]) -> LockChanges:
    old_of = {lock_key(new): before.get(*lock_key(new)) for new in models}
    pairs = [(old_of[lock_key(new)], new) for new in models]
    gone = set(check_fresh(before, wanted).extra) - {lock_key(new) for new in models}
    return LockChanges(
        added=tuple(new for old, new in pairs if old is None),
        moved=tuple((old, new) for old, new in pairs if old is not None and old.commit != new.commit),
        dropped=tuple(old for old in before.models if lock_key(old) in gone),
        kept=tuple(new for old, new in pairs if old is not None and old.commit == new.commit),
    )


def _named(facts: ModelFacts) -> str:
    return facts.id if facts.revision == DEFAULT_REVISION else f"{facts.id} ({facts.revision})"
