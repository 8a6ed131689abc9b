# SPDX-License-Identifier: Apache-2.0
"""What a new lock remembers of the old one: the commit that each model replaced."""

from collections.abc import Mapping, Sequence

import pytest

from hubstack.hub.facts import ModelFacts
from hubstack.hub.lock import Lock, parse_lock, render_lock
from hubstack.hub.remote.locking import IdAndRevision, lock_models

PAIR: IdAndRevision = ("acme/model", "main")
ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40


def lock(held: ModelFacts | None, commit: str) -> ModelFacts:
    """Return what is locked after the Hub has been asked anew and named a commit."""

    def fetch(pairs: Sequence[IdAndRevision]) -> Mapping[IdAndRevision, ModelFacts]:
        return {pair: ModelFacts(id=pair[0], revision=pair[1], commit=commit) for pair in pairs}

    before = Lock(path="", models=(held,)) if held else None
    models, _ = lock_models([PAIR], before, upgrade=[PAIR], fetch=fetch)
    return models[0]


def test_the_first_commit_replaces_nothing() -> None:
    assert lock(None, ONE).replaced is None


def test_an_upgrade_names_the_commit_that_it_replaced() -> None:
    second = lock(lock(None, ONE), TWO)
    assert (second.commit, second.replaced) == (TWO, ONE)
    assert lock(second, THREE).replaced == TWO


def test_an_upgrade_that_changes_nothing_forgets_nothing() -> None:
    second = lock(lock(None, ONE), TWO)
    assert lock(second, TWO) == second


def test_going_back_replaces_the_newer_commit() -> None:
    assert lock(lock(lock(None, ONE), TWO), ONE).replaced == TWO


def test_a_changed_revision_replaces_too() -> None:
    held = ModelFacts(id="acme/model", revision="v1", commit=ONE)
    assert lock(held, TWO).replaced == ONE


def test_two_revisions_of_one_repository_do_not_replace_each_other() -> None:
    held = Lock(path="", models=(ModelFacts(id="acme/model", revision="v1", commit=ONE),))
    both: list[IdAndRevision] = [("acme/model", "v1"), PAIR]
    found, _ = lock_models(
        both,
        held,
        fetch=lambda pairs: {pair: ModelFacts(id=pair[0], revision=pair[1], commit=TWO) for pair in pairs},
    )
    assert [facts.replaced for facts in found] == [None, None]


def test_the_replaced_commit_is_written_and_read() -> None:
    second = lock(lock(None, ONE), TWO)
    text = render_lock([second])
    assert f"replaced: '{ONE}'" in text or f"replaced: {ONE}" in text
    assert parse_lock(text, "x").models == (second,)


def test_a_first_lock_is_written_as_before() -> None:
    assert "replaced" not in render_lock([lock(None, ONE)])


def test_a_replaced_commit_that_is_none_is_refused() -> None:
    text = render_lock([lock(lock(None, "a" * 40), "b" * 40)]).replace("a" * 40, "main")
    with pytest.raises(Exception, match="replaced"):
        parse_lock(text, "x")
