# SPDX-License-Identifier: Apache-2.0
"""The content of a report, in order: the verdict, the answers, then the tables.

Owns the words and the order: cost, protection, data, availability, then models and access. It is written for a
reader on a phone who does not know GPUs: the verdict and the answers fit on one screen.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hubstack.inputs.teams import LABEL
from hubstack.review.diff.change import Change
from hubstack.review.diff.facts import Topic
from hubstack.review.diff.gates import Tripped
from hubstack.review.diff.models import ENGINE_OWN_TOPICS, EVIDENCE, ModelAction, ModelChange, is_older_engine
from hubstack.review.diff.money import Money, MoneyLine
from hubstack.review.diff.render.availability import losses
from hubstack.review.diff.render.protection import protection_answer, protection_decisions, protection_rows
from hubstack.review.diff.render.words import (
    count,
    cut,
    cut_at_word,
    difference,
    money,
    named,
    rise,
    share,
    signed,
    usd,
)
from hubstack.review.diff.resources import Action, ResourceChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    is_bulk: bool = False
    """Whether its rows are dropped first if a comment is too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A change in words."""

    title: str
    verdict: str
    """What the reviewer has to do, in one sentence."""
    answers: tuple[tuple[str, str], ...]
    """Question to answer, each one line."""
    sections: tuple[Section, ...]
    blind: str
    """The limits of an offline comparison."""
    failures: tuple[tuple[str, str], ...] = ()
    """Version to the output of the program that failed; then nothing was compared."""


_WAYS = {"on-demand": "on-demand or reserved", "spot": "spot or flex-start"}
_REASON = 60
"""Maximum characters of a gate's reason; the tables have the full text."""
_SMALLEST_RISE = 100, 100
"""Minimum cost increase that needs a decision: in cents a month, and as a fraction (1/100) of the previous cost."""
BLIND = (
    "Compares two programs, not the cloud: manual changes, provider-computed values and the contents of secrets "
    "are not visible. Run `pulumi preview` against the real state for the final answer."
)


def report(change: Change, gates: tuple[Tripped, ...] = ()) -> Report:
    """Build the report of a change."""
    title = f"{change.environment}: {change.before} -> {change.after}"
    if change.failures:
        versions = " and ".join(each.side for each in change.failures)
        return Report(
            title=title,
            verdict=f"NOT COMPARED: {versions} failed to run.",
            answers=(),
            sections=(),
            blind=BLIND,
            failures=tuple((each.side, each.error) for each in change.failures),
        )
    answers = tuple(_answers(change))
    if gates:
        answers = (
            ("Stopped by", "; ".join(f"{each.gate} ({cut_at_word(each.why, _REASON)})" for each in gates)),
            *answers,
        )
    sections = tuple(section for section in _sections(change) if section.rows)
    return Report(title=title, verdict=_verdict(change, gates), answers=answers, sections=sections, blind=BLIND)


def _verdict(change: Change, gates: tuple[Tripped, ...]) -> str:
    """Return the verdict: cost first, then protection, data, availability and the rest."""
    is_same = not (change.resources or change.models or change.hub or change.money.lines or change.reach_new)
    if is_same and not (change.protection or change.program or gates):
        return "NO CHANGE: resources, models and cost are unchanged."
    decide = [*_decisions(change), *_own_price_words(change.money)]
    stops = [f"gate {each.gate}" for each in gates]
    if over := change.money.over_budget:
        stops.insert(0, f"over budget by {usd(over)}")
    said = "; ".join([_bill_words(change.money), *stops, *decide])
    if any(each.refused for each in change.resources):
        return f"WILL NOT APPLY: {said}."
    if stops:
        return f"STOPPED: {said}."
    if decide or _is_rise(change.money):
        return f"DECIDE: {said}."
    return f"ROUTINE: {said}; no data loss, no downtime, and no change of licence, code or access."


def _own_price_words(bill: Money) -> Iterator[str]:
    if bill.own_prices:
        yield f"`prices.yaml` changes the price of {named(list(bill.own_prices), 2)}"


def _bill_words(bill: Money) -> str:
    """Summarize the cost change."""
    before, after = bill.before, bill.after
    if before.busy != after.busy:
        words = f"{signed(after.busy - before.busy)} a month"
        return ", ".join(filter(None, (words, share(before.busy, after.busy))))
    if before.idle != after.idle:
        return f"{signed(after.idle - before.idle)} a month when idle, the same when busy"
    return "cost unchanged"


def _is_rise(bill: Money) -> bool:
    least, hundredths = _SMALLEST_RISE
    pairs = ((bill.before.busy, bill.after.busy), (bill.before.idle, bill.after.idle))
    return any(after - before >= least and (after - before) * hundredths >= before for before, after in pairs)


def _decisions(change: Change) -> Iterator[str]:
    if any(row.is_over for row in change.accelerators):
        yield "accelerators exceed the quota file"
    yield from protection_decisions(change)
    if change.is_gone:
        yield "the whole environment is removed"
    yield from _data_decisions(change)
    if gone := list(losses(change)):
        yield gone[0] if len(gone) == 1 else f"availability: {named(gone, 2)}"
    if others := [each for each in _roots(change) if not each.held and not each.refused]:
        yield f"{count(len(others), 'resource')} would be replaced"
    for action in (ModelAction.REMOVED, ModelAction.RENAMED, ModelAction.MOVED):
        if keys := [each.key for each in change.models if each.action is action and not each.is_kept]:
            yield f"{count(len(keys), 'model')} {action}"
    yield from _hub_decisions(change)
    if any(_is_wide(sentence) for sentence in change.reach_new):
        yield "new access from the internet"
    if unknown := [each for each in change.resources if each.is_unknown]:
        yield f"{count(len(unknown), 'update')} that may be replacements"
    yield from _model_decisions(change)


def _model_decisions(change: Change) -> Iterator[str]:
    if older := sorted(each.key for each in change.models if any(map(is_older_engine, each.settings))):
        yield f"an older version of the engine of {named(older, 2)}"
    if own := sorted(
        {each.key for each in change.models for one in each.settings if one.topic in ENGINE_OWN_TOPICS}
    ):
        yield f"engine arguments, variables or files of {named(own, 2)} changed"
    if other := [(each.key, one.why) for each in change.models for one in each.settings if one.topic == EVIDENCE]:
        yield f"measured figures of {named([key for key, _ in other], 2)} changed by {other[0][1]}"


def _data_decisions(change: Change) -> Iterator[str]:
    if refused := [each for each in change.resources if each.refused]:
        yield f"{count(len(refused), 'resource')} would be refused"
    kept = [each for each in change.at_risk if not each.is_copy]
    if kept:
        yield f"{count(len(kept), 'resource that holds', 'resources that hold')} data would be lost"
    elif change.at_risk:
        yield f"{count(len(change.at_risk), 'copy', 'copies')} of weights would be deleted"


def _hub_decisions(change: Change) -> Iterator[str]:
    words = {
        Topic.LICENSE: "licences to review",
        Topic.GATED: "a gated model",
        Topic.CODE: "custom code from a model repository",
        Topic.SECURITY: "files flagged by the Hub's scan",
    }
    risks = {each.topic for each in change.hub if each.is_risk}
    yield from (word for topic, word in words.items() if topic in risks)
    templates = [each for each in change.hub if each.topic is Topic.TEMPLATE]
    if templates:
        yield (
            "a changed chat template"
            if any(each.is_risk for each in templates)
            else "a chat template that may have changed"
        )


def _is_wide(sentence: str) -> bool:
    return "internet" in sentence or "public" in sentence


def _answers(change: Change) -> Iterator[tuple[str, str]]:
    """Yield the answers; the last one lists what did not change."""
    said = {
        "Money": _money_answer(change.money),
        "Protection": protection_answer(change),
        "Data": named([f"{each.name} ({each.held})" for each in change.at_risk]),
        "Availability": named(list(losses(change))),
        "Replacements": _replaced(change),
        "Models": named([f"{_display_name(each)} {each.action}" for each in change.models], 6),
        "Models' licences, code and scan": _hub_answer(change),
        "Access": _reach(change),
        "Accelerators": _accelerators(change),
        "Resources": _resource_counts(change),
    }
    yield from ((question, answer) for question, answer in said.items() if answer)
    same = [question.lower() for question, answer in said.items() if not answer]
    if same:
        yield "Unchanged", ", ".join(same)


def _money_answer(bill: Money) -> str:
    parts = [money(bill.before, bill.after)]
    if bill.over_budget:
        parts.append(f"over budget by {usd(bill.over_budget)} (budget {usd(bill.budget or 0)})")
    lines = sorted(bill.lines, key=lambda line: -abs(line.after.busy - line.before.busy))
    if len(lines) > 1 and lines[0].after.busy != lines[0].before.busy:
        first = lines[0]
        parts.append(f"mostly {first.item}: {signed(first.after.busy - first.before.busy)}")
    if bill.unpriced:
        parts.append(f"{count(len(bill.unpriced), 'item')} without a price")
    return "; ".join(parts)


def _roots(change: Change) -> list[ResourceChange]:
    """Return resources whose replacement is not caused by another one."""
    return [each for each in change.of(Action.REPLACE) if each.follows is None]


def _followers(change: Change) -> Counter[str]:
    """Map the URN of each root replacement to the number of replacements it causes."""
    every = {each.urn: each for each in change.of(Action.REPLACE)}
    found: Counter[str] = Counter()
    for each in every.values():
        root, seen = each, {each.urn}
        while root.follows in every and root.follows not in seen:
            seen.add(root.follows)
            root = every[root.follows]
        if root is not each:
            found[root.urn] += 1
    return found


def _replaced(change: Change) -> str:
    """Name the root replacements and count the resulting ones."""
    roots = _roots(change)
    said = named([f"{each.name} ({', '.join(each.because[:2])})" for each in roots], 2)
    after = len(change.of(Action.REPLACE)) - len(roots)
    return f"{said}; {count(after, 'other')} as a consequence" if after else said


def _hub_answer(change: Change) -> str:
    topics = (
        Topic.REPOSITORY,
        Topic.CONTENT,
        Topic.LICENSE,
        Topic.CODE,
        Topic.SECURITY,
        Topic.GATED,
        Topic.TEMPLATE,
    )
    return named([f"{each.key}: {each.text}" for each in change.hub if each.topic in topics])


def _reach(change: Change) -> str:
    came, went = change.reach_new, change.reach_gone
    if not came and not went:
        return ""
    loud = [each for each in came if _is_wide(each)]
    counts = f"{count(len(came), 'new grant')}, {len(went):,} removed"
    return f"{counts}; {named(loud)}" if loud else f"{counts}; none from the internet"


def _accelerators(change: Change) -> str:
    rows = [row for row in change.accelerators if row.before != row.after]
    said = [f"{row.accelerator} {row.way} in {row.region} {row.before} -> {row.after}" for row in rows]
    over = [
        f"{row.accelerator} {row.way}: {row.after} of {row.quota}" for row in change.accelerators if row.is_over
    ]
    if over:
        said.insert(0, f"OVER QUOTA: {named(over)}")
    if not said:
        return ""
    quota = "" if over else " (within the quota file)" if change.has_quota else " (no quota file given)"
    return f"{named(said)}{quota}"


def _resource_counts(change: Change) -> str:
    numbers = [
        (Action.CREATE, "created"),
        (Action.UPDATE, "updated in place"),
        (Action.REPLACE, "replaced"),
        (Action.DELETE, "deleted"),
    ]
    return ", ".join(f"{len(found):,} {word}" for action, word in numbers if (found := change.of(action)))


def _display_name(model: ModelChange) -> str:
    return f"{model.was} -> {model.key}" if model.was else model.key


def _kind(token: str) -> str:
    """Return the last word of a type token: `Deployment` of `kubernetes:apps/v1:Deployment`."""
    return token.rpartition(":")[2]


def _sections(change: Change) -> Iterator[Section]:
    yield from _money_sections(change)
    yield from _group_sections(change)
    yield Section(title="Protection", columns=("what", "", "how"), rows=protection_rows(change))
    yield Section(
        title="Data that would be lost",
        columns=("resource", "kind", "what happens", "lost with it"),
        rows=tuple((each.name, _kind(each.type), _effect(each), each.held or "") for each in change.at_risk),
    )
    yield Section(title="Availability", columns=("what",), rows=tuple((each,) for each in losses(change)))
    yield Section(
        title="Refused by `pulumi up`",
        columns=("resource", "kind", "what would happen", "why not"),
        rows=tuple(
            (each.name, _kind(each.type), each.action, each.refused) for each in change.resources if each.refused
        ),
    )
    followers = _followers(change)
    yield Section(
        title="Replaced",
        columns=("resource", "kind", "what happens", "because of", "also replaced"),
        rows=tuple(
            (
                each.name,
                _kind(each.type),
                _effect(each),
                "; ".join(_cause(each)),
                count(followers[each.urn], "resource") if followers[each.urn] else "",
            )
            for each in _roots(change)
        ),
    )
    yield from _model_sections(change)
    yield Section(
        title="Maximum accelerators",
        columns=("region", "accelerator", "provisioning", "before", "after", "quota"),
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
            if row.before != row.after or row.is_over
        ),
    )
    yield Section(
        title="Access",
        columns=("", "what"),
        is_bulk=True,
        rows=(*(("new", each) for each in change.reach_new), *(("removed", each) for each in change.reach_gone)),
    )
    yield Section(
        title="Warnings of the plan",
        columns=("", "warning"),
        rows=(*(("new", each) for each in change.warnings_new), *(("gone", each) for each in change.warnings_gone)),
    )
    yield from _resource_sections(change)


def _effect(change: ResourceChange) -> str:
    if change.kept_in_cloud:
        return "removed from the stack, kept in the cloud"
    if change.action is Action.DELETE:
        return "deleted"
    return "deleted first, then created" if change.deletes_first else "created, then the old one is deleted"


def _cause(change: ResourceChange) -> Iterator[str]:
    shown = {each.path: each for each in change.changes}
    for path in change.because:
        found = shown.get(path)
        yield f"{path}: {difference(found.before, found.after)}" if found else path


def _quota(quota: int | None, *, is_over: bool) -> str:
    return "unknown" if quota is None else f"{quota:,}{' (over)' if is_over else ''}"


def _model_sections(change: Change) -> Iterator[Section]:
    whole = [each for each in change.models if each.said]
    yield Section(
        title="Added, removed, moved and renamed models",
        columns=("model", "id", "", "what"),
        rows=tuple((_display_name(each), each.id, each.action, each.said) for each in whole),
    )
    yield Section(
        title="Changed models",
        columns=("model", "what", "before", "after", "why"),
        rows=tuple(
            (each.key, one.topic, cut(one.before), cut(one.after), one.why or "")
            for each in change.models
            for one in each.settings
        ),
    )
    yield Section(
        title="Changes on the Hub",
        columns=("model", "about", "what", ""),
        rows=tuple((each.key, each.topic, each.text, "decide" if each.is_risk else "") for each in change.hub),
    )


def _bill_row(line: MoneyLine) -> tuple[str, ...]:
    before, after = line.before, line.after
    rises = rise(before.busy, after.busy), rise(before.idle, after.idle)
    return (line.item, usd(before.busy), usd(after.busy), *rises, "; ".join(line.reasons))


def _money_sections(change: Change) -> Iterator[Section]:
    bill = change.money
    rows = [_bill_row(line) for line in bill.lines]
    if rows:
        whole = MoneyLine(
            item="total", before=bill.before, after=bill.after, reasons=("including unchanged items",)
        )
        rows.append(_bill_row(whole))
    note = f"No source gives a price for: {'; '.join(bill.unpriced)}." if bill.unpriced else ""
    yield Section(
        title="Money, USD a month",
        columns=("item", "busy, before", "busy, after", "difference", "idle", "reason"),
        rows=tuple(rows),
        note=note,
    )


def _group_sections(change: Change) -> Iterator[Section]:
    """Yield what each value of the requested label pays, and each team if there are teams and any of it changes."""
    asked, teams = change.money.by_label, change.money.by_team or ()
    if asked:
        yield _group_section(asked.label, asked.lines)
    if (asked is None or asked.label != LABEL) and any(line.before != line.after for line in teams):
        yield _group_section(LABEL, teams)


def _group_section(label: str, lines: Iterable[MoneyLine]) -> Section:
    return Section(
        title=f"Money by {label}, USD a month",
        columns=(label, "busy, before", "busy, after", "difference", "idle", "models"),
        rows=tuple(_bill_row(line) for line in lines),
    )


def _resource_sections(change: Change) -> Iterator[Section]:
    for title, action in (("Deleted", Action.DELETE), ("Created", Action.CREATE)):
        yield Section(title=title, columns=("what", "resources", "kinds"), rows=tuple(_by_owner(change, action)))
    yield Section(
        title="Possibly replaced",
        columns=("resource", "kind", "what differs"),
        rows=tuple(
            (each.name, _kind(each.type), named([c.path for c in each.changes]))
            for each in change.resources
            if each.is_unknown
        ),
    )
    columns = ("argument", "difference", "resources", "which")
    yield Section(
        title="Updated in place", columns=columns, rows=tuple(_alike(change.of(Action.UPDATE))), is_bulk=True
    )
    moved = [
        ("name in Pulumi", difference(each.old_urn, each.urn), "1", each.name)
        for each in change.resources
        if each.old_urn
    ]
    yield Section(
        title="Pulumi options (no change in the cloud)",
        columns=columns,
        rows=(*_alike(change.of(Action.SETTINGS)), *moved),
        is_bulk=True,
    )


def _by_owner(change: Change, action: Action) -> Iterator[tuple[str, ...]]:
    """Yield one row per added or removed model with its resources, and one per type of other resource."""
    owners = sorted((key for each in change.models for key in (each.key, each.was) if key), key=len, reverse=True)
    found: dict[str, list[ResourceChange]] = {}
    for each in change.of(action):
        owner = next((key for key in owners if each.name.startswith(f"{key}-")), None)
        found.setdefault(f"model {owner}" if owner else _kind(each.type), []).append(each)
    for what, held in found.items():
        if what.startswith("model "):
            yield what, f"{len(held):,}", named(sorted({_kind(each.type) for each in held}), 6)
        else:
            yield named([each.name for each in held]), f"{len(held):,}", what


def _alike(changes: Iterable[ResourceChange]) -> Iterator[tuple[str, ...]]:
    """Yield one row for each difference, with the resources that have it."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in changes:
        for one in each.changes:
            found.setdefault((one.path, difference(one.before, one.after)), []).append(each.name)
    for (path, differs), names in found.items():
        yield path, differs, f"{len(names):,}", named(names)
