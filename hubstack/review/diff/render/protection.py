# SPDX-License-Identifier: Apache-2.0
"""The report's texts about protection, changed program files and access.

Owns these words. The order among the other topics is `hubstack.review.diff.render.sections`'.
"""

from collections.abc import Iterator

from hubstack.review.diff.change import Change
from hubstack.review.diff.facts import Topic
from hubstack.review.diff.render.words import count, cut, named

_LISTED = 12
_GRANTS = 2
_LONGEST = 110
"""Characters of one grant in the verdict; the table has all of it."""
LOCK_WORDS = {
    Topic.REPOSITORY: "a model's repository changed",
    Topic.CONTENT: "the lock has different content for the same commit",
}
"""Decisions about a change in the lock alone."""


def protection_decisions(change: Change) -> Iterator[str]:
    """Yield the decisions that a reviewer must approve."""
    if weaker := change.weaker:
        only = f"{weaker[0].subject}: {weaker[0].text}"
        subjects = [*dict.fromkeys(each.subject for each in weaker)]
        yield f"protection is weaker: {only if len(weaker) == 1 else named(subjects)}"
    if change.program:
        yield f"{count(len(change.program), 'file')} of the program, policy or pipelines changed"
    topics = {each.topic for each in change.hub if each.is_risk}
    yield from (words for topic, words in LOCK_WORDS.items() if topic in topics)
    if change.reach_new and not any("internet" in each or "public" in each for each in change.reach_new):
        grants = named([cut(each, _LONGEST) for each in change.reach_new], _GRANTS)
        yield f"{count(len(change.reach_new), 'new access grant')}: {grants}"


def protection_answer(change: Change) -> str:
    """Summarize protection changes in one line; empty if there are none."""
    said = [
        f"{each.subject} ({'weaker' if each.is_weaker else 'stronger'}): {each.text}" for each in change.protection
    ]
    if change.program:
        said.append(f"changed program: {named(list(change.program))}; the changed program produced this report")
    return "; ".join(said)


def protection_rows(change: Change) -> tuple[tuple[str, ...], ...]:
    """Return table rows: subject, weaker or stronger, description."""
    rows = [(each.subject, "weaker" if each.is_weaker else "stronger", each.text) for each in change.protection]
    more = len(change.program) - _LISTED
    files = [(name, "program", "changed") for name in change.program[:_LISTED]]
    return (*rows, *files, *([(f"{count(more, 'more file')}", "program", "changed")] if more > 0 else ()))
