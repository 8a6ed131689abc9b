# SPDX-License-Identifier: Apache-2.0
"""What a report of a change says, and in which order: the verdict, the answers, then the tables.

Owns the words and the order: first what a reviewer who knows nothing of GPUs must decide on, data at risk before
all.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hubstack.review.diff.change import Change
from hubstack.review.diff.facts import Topic
from hubstack.review.diff.gates import Tripped
from hubstack.review.diff.models import ModelAction, ModelChange
from hubstack.review.diff.money import MoneyLine
from hubstack.review.diff.render.protection import protection_answer, protection_decisions, protection_rows
from hubstack.review.diff.render.words import count, money, rise, usd, value
from hubstack.review.diff.resources import Action, ResourceChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    is_folded: bool = False
    """Whether a comment shows it closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A change in words."""

    title: str
    verdict: str
    """What the reviewer has to do, in a sentence."""
    answers: tuple[tuple[str, str], ...]
    """Question to answer, each one line."""
    sections: tuple[Section, ...]
    blind: str
    """What no comparison of two lists can know."""


_WAYS = {"on-demand": "on-demand or reserved", "spot": "spot or flex-start"}
BLIND = (
    "Compared are two programs, not the cloud: what was changed by hand, what providers fill in, and what a secret "
    "holds is not seen. `pulumi preview` against the real state has the last word."
)


def report(change: Change, gates: tuple[Tripped, ...] = ()) -> Report:
    """Put a change into words."""
    title = f"{change.environment}: {change.before} -> {change.after}"
    if change.failures:
        rows = tuple((each.side, each.error) for each in change.failures)
        table = Section(title="What failed", columns=("side", "error"), rows=rows)
        sides = " and ".join(each.side for each in change.failures)
        return Report(title=title, verdict=f"NOT COMPARED: {sides} cannot be run.", answers=(), sections=(table,),
                      blind=BLIND)  # fmt: skip
    answers = tuple(_answers(change))
    if gates:
        answers = (("Stopped by", "; ".join(f"{each.gate} ({each.why})" for each in gates)), *answers)
    sections = tuple(section for section in _sections(change) if section.rows)
    return Report(title=title, verdict=_verdict(change), answers=answers, sections=sections, blind=BLIND)


def _verdict(change: Change) -> str:
    """Say what is to be decided; the hardest first."""
    refused = [each for each in change.resources if each.refused]
    over = [row for row in change.accelerators if row.is_over]
    is_same = not (change.resources or change.models or change.hub or change.money.lines or change.reach_new)
    if is_same and not (change.protection or change.program):
        return "NO CHANGE: nothing that runs or is paid for would be another."
    decide = list(_decisions(change))
    if over:
        decide.insert(0, "it needs more accelerators than the quota")
    if refused:
        decide.insert(0, f"{count(len(refused), 'resource')} would be refused")
        return f"WILL NOT APPLY: {'; '.join(decide)}."
    if decide:
        return f"DECIDE: {'; '.join(decide)}."
    return "ROUTINE: nothing that holds data is deleted or replaced, no licence or access changes."


def _decisions(change: Change) -> Iterator[str]:
    yield from protection_decisions(change)
    if change.is_gone:
        yield "the whole environment is removed"
    if change.at_risk:
        yield f"{count(len(change.at_risk), 'resource that holds', 'resources that hold')} data would be lost"
    others = [each for each in change.of(Action.REPLACE) if not each.held]
    if others:
        yield f"{count(len(others), 'other resource')} would be replaced"
    for action, what in ((ModelAction.REMOVED, "removed"), (ModelAction.RENAMED, "renamed")):
        keys = [each.key for each in change.models if each.action is action and not each.is_kept]
        if keys:
            yield f"{count(len(keys), 'model')} {what}"
    risks = {each.topic for each in change.hub if each.is_risk}
    words = {
        Topic.LICENSE: "licences to accept",
        Topic.GATED: "a gated model",
        Topic.CODE: "code of a model's author",
        Topic.SECURITY: "files that the Hub's scan marks",
        Topic.TEMPLATE: "a chat template that may differ",
    }
    yield from (word for topic, word in words.items() if topic in risks)
    if any("internet" in sentence or "public" in sentence for sentence in change.reach_new):
        yield "it can be reached from the internet in a new way"
    unknown = [each for each in change.resources if each.is_unknown]
    if unknown:
        yield f"of {count(len(unknown), 'resource')} it is unknown whether they are replaced"


def _answers(change: Change) -> Iterator[tuple[str, str]]:
    yield "Money", money(change.money.before, change.money.after)
    yield "Protection", protection_answer(change)
    risk = [f"{each.name} ({each.held})" for each in change.at_risk]
    yield "Data at risk", _names(risk) or "none"
    yield "Replaced", _replaced(change)
    yield "Deleted", _names([each.name for each in change.of(Action.DELETE)]) or "nothing"
    yield "Models", _model_words(change) or "the same, served in the same way"
    licences = [f"{each.key}: {each.text}" for each in change.hub if each.topic is Topic.LICENSE]
    yield "Licences", "; ".join(licences) or "no change"
    topics = (Topic.REPOSITORY, Topic.CONTENT, Topic.CODE, Topic.SECURITY, Topic.GATED)
    said = [f"{each.key}: {each.text}" for each in change.hub if each.topic in topics]
    yield "Security of models", "; ".join(said) or "no change"
    yield "Who can reach it", _reach(change)
    yield "Accelerators", _accelerators(change)
    numbers = [(Action.CREATE, "created"), (Action.UPDATE, "updated in place"), (Action.REPLACE, "replaced"),
               (Action.DELETE, "deleted")]  # fmt: skip
    yield "Resources", ", ".join(f"{len(change.of(action)):,} {word}" for action, word in numbers)


def _replaced(change: Change) -> str:
    """Name what is replaced of itself, and count what follows from it."""
    every = change.of(Action.REPLACE)
    roots = [each for each in every if any(why == one.path for why in each.because for one in each.changes)]
    named = _names([f"{each.name} ({', '.join(each.because[:2])})" for each in roots])
    after = len(every) - len(roots)
    return f"{named}; {count(after, 'other')} because of them" if after else named or "nothing"


def _reach(change: Change) -> str:
    came, went = change.reach_new, change.reach_gone
    loud = [each for each in came if "internet" in each or "public" in each]
    if not came and not went:
        return "no change"
    counts = f"{count(len(came), 'new way')}, {len(went)} gone"
    return f"{counts}; {'; '.join(loud)}" if loud else f"{counts}; none of the new ones from the internet"


def _accelerators(change: Change) -> str:
    rows = [row for row in change.accelerators if row.before != row.after]
    said = [f"{row.accelerator} {row.way} in {row.region} {row.before} -> {row.after}" for row in rows]
    over = [
        f"{row.accelerator} {row.way}: {row.after} of {row.quota}" for row in change.accelerators if row.is_over
    ]
    quota = "; ".join(over) and f"OVER QUOTA: {'; '.join(over)}"
    if not quota:
        quota = "within the quota file" if change.has_quota else "quota unknown: no quota file"
    return f"{'; '.join(said) or 'at most as many as before'} ({quota})"


def _model_words(change: Change) -> str:
    return _names([f"{_called(each)} {each.action}" for each in change.models])


def _called(model: ModelChange) -> str:
    return f"{model.was} -> {model.key}" if model.was else model.key


def _names(names: list[str]) -> str:
    more = len(names) - 6
    return ", ".join(names[:6]) + (f" and {more} more" if more > 0 else "")


def _sections(change: Change) -> Iterator[Section]:
    yield Section(title="Protection", columns=("what", "", "how"), rows=protection_rows(change))
    lost = ("resource", "type", "what happens", "lost with it")
    yield Section(
        title="Data at risk",
        columns=lost,
        rows=tuple((each.name, each.type, _happens(each), each.held or "") for each in change.at_risk),
    )
    yield Section(
        title="Refused by `pulumi up`",
        columns=("resource", "type", "what would happen", "why not"),
        rows=tuple((each.name, each.type, each.action, each.refused) for each in change.resources if each.refused),
    )
    yield Section(
        title="Replaced",
        columns=("resource", "type", "what happens", "because of"),
        rows=tuple(
            (each.name, each.type, _happens(each), "; ".join(_because(each))) for each in change.of(Action.REPLACE)
        ),
    )
    yield Section(
        title="Deleted",
        columns=("resource", "type", "what happens"),
        rows=tuple((each.name, each.type, _happens(each)) for each in change.of(Action.DELETE)),
    )
    yield Section(
        title="Unknown whether replaced",
        columns=("resource", "type", "what differs"),
        rows=tuple(
            (each.name, each.type, ", ".join(c.path for c in each.changes))
            for each in change.resources
            if each.is_unknown
        ),
    )
    yield from _model_sections(change)
    yield from _money_sections(change)
    yield Section(
        title="Accelerators at most",
        columns=("region", "kind", "bought", "before", "after", "quota"),
        rows=tuple(
            (
                row.region,
                row.accelerator,
                _WAYS.get(row.way, row.way),
                f"{row.before:,}",
                f"{row.after:,}",
                _quota(row.quota, is_over=row.is_over),
            )
            for row in change.accelerators
        ),
    )
    yield Section(
        title="Who can reach it",
        columns=("", "what"),
        is_folded=len(change.reach_new) > 12,
        rows=(*(("new", each) for each in change.reach_new), *(("gone", each) for each in change.reach_gone)),
    )
    yield Section(
        title="Warnings of the plan",
        columns=("", "warning"),
        rows=(*(("new", each) for each in change.warnings_new), *(("gone", each) for each in change.warnings_gone)),
    )
    yield from _resource_sections(change)


def _happens(change: ResourceChange) -> str:
    if change.kept_in_cloud:
        return "leaves the stack, stays in the cloud"
    if change.action is Action.DELETE:
        return "deleted"
    return "deleted first, then made" if change.deletes_first else "made anew, the old one deleted last"


def _because(change: ResourceChange) -> Iterator[str]:
    shown = {each.path: each for each in change.changes}
    for path in change.because:
        found = shown.get(path)
        yield f"{path}: {value(found.before)} -> {value(found.after)}" if found else path


def _quota(quota: int | None, *, is_over: bool) -> str:
    return "unknown" if quota is None else f"{quota:,}{' (over)' if is_over else ''}"


def _model_sections(change: Change) -> Iterator[Section]:
    whole = [each for each in change.models if each.said]
    yield Section(
        title="Models that come, go or are renamed",
        columns=("model", "id", "", "what"),
        rows=tuple((_called(each), each.id, each.action, each.said) for each in whole),
    )
    rows = [
        (each.key, one.topic, one.before, one.after, one.why or "")
        for each in change.models
        for one in each.settings
    ]
    yield Section(
        title="Models decided otherwise", columns=("model", "what", "before", "after", "why"), rows=tuple(rows)
    )
    yield Section(
        title="What the Hub says",
        columns=("model", "about", "what", ""),
        rows=tuple((each.key, each.topic, each.text, "decide" if each.is_risk else "") for each in change.hub),
    )


def _bill_row(line: MoneyLine) -> tuple[str, ...]:
    before, after = line.before, line.after
    rises = rise(before.busy, after.busy), rise(before.idle, after.idle)
    return (line.item, usd(before.busy), usd(after.busy), *rises,
            "; ".join(line.reasons))  # fmt: skip


def _money_sections(change: Change) -> Iterator[Section]:
    bill = change.money
    rows = [_bill_row(line) for line in bill.lines]
    if rows:
        whole = MoneyLine(item="together", before=bill.before, after=bill.after, reasons=("with what stays",))
        rows.append(_bill_row(whole))
    note = f"No source gives a price for: {'; '.join(bill.unpriced)}." if bill.unpriced else ""
    yield Section(
        title="USD a month",
        columns=("item", "at most before", "at most after", "difference", "at rest", "why"),
        rows=tuple(rows),
        note=note,
    )


def _resource_sections(change: Change) -> Iterator[Section]:
    updated = [(each.name, each.type, one.path, value(one.before), value(one.after))
               for each in change.of(Action.UPDATE) for one in each.changes]  # fmt: skip
    columns = ("resource", "type", "argument", "before", "after")
    yield Section(title="Updated in place", columns=columns, rows=tuple(updated), is_folded=True)
    created = tuple((each.name, each.type) for each in change.of(Action.CREATE))
    yield Section(title="Created", columns=("resource", "type"), rows=created, is_folded=True)
    own = [(each.name, each.type, one.path, value(one.before), value(one.after))
           for each in change.of(Action.SETTINGS) for one in each.changes]  # fmt: skip
    moved = [
        (each.name, each.type, "name in Pulumi", str(each.old_urn), each.urn)
        for each in change.resources
        if each.old_urn
    ]
    yield Section(
        title="Pulumi's own settings (nothing in the cloud changes)",
        columns=columns,
        rows=(*own, *moved),
        is_folded=True,
    )
