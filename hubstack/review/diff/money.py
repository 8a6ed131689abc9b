# SPDX-License-Identifier: Apache-2.0
"""Compares the bills of two plans to the cent, with the reason for each difference.

Owns the sums and the reasons. Reasons come from the plans; if neither has one, the report says so.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from hubstack.files.jsonable import OMITTED_IF_NONE
from hubstack.names import labels
from hubstack.review.diff.reported import Reported
from hubstack.review.diff.state import Data, State
from hubstack.review.report.labels import SHARED, WITHOUT, check_label

OWN_PRICES = "prices.yaml:"
"""In the source of a figure that the user's file of that name sets or lowers."""
NO_REASON = "reason unknown"
NO_TEAM = "(no team)"
"""The models without a team, in the costs by team."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount(Reported):
    """Monthly cost in US cents."""

    idle: int = 0
    """With every model at its minimum replicas."""
    busy: int = 0
    """With every model at its maximum replicas."""

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(idle=self.idle - other.idle, busy=self.busy - other.busy)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyLine(Reported):
    """One cost item that changed."""

    item: str
    """Key of a model, or another cost item (`cluster`)."""
    before: Amount
    """Cost in the base version."""
    after: Amount
    """Cost in the head version."""
    reasons: tuple[str, ...]
    """Reasons, one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCosts(Reported):
    """The costs by the values of one label."""

    label: str
    """Key of the label."""
    lines: tuple[MoneyLine, ...]
    """One for each value, also unchanged ones; then models without the label, and what belongs to no model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Money(Reported):
    """The costs of both versions."""

    before: Amount
    """Total of the base plan."""
    after: Amount
    """Total of the new plan."""
    lines: tuple[MoneyLine, ...]
    """Changed items; together with unchanged ones they add up to the totals."""
    unpriced: tuple[str, ...]
    """Items of the new plan without a known price."""
    by_team: tuple[MoneyLine, ...] | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Costs by team (`hubstack:teams`), also unchanged ones; None if neither version has teams."""
    by_label: LabelCosts | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Costs by the label that `--by` names; None without it."""
    budget: int | None = None
    """The new plan's limit (`hubstack:budget`), USD a month in cents; None: no limit."""
    own_prices: tuple[str, ...] = ()
    """What `prices.yaml` prices in another way than in the base version: whoever changes it changes the sums."""

    @property
    def over_budget(self) -> int:
        """Return by how many cents a month the new plan exceeds its budget."""
        return 0 if self.budget is None else max(0, self.after.busy - self.budget)


def compare_money(base: State, head: State, renamed: Mapping[str, str], label: str | None = None) -> Money:
    """Compare two bills.

    Args:
        base: the side before.
        head: the side after.
        renamed: new key to old key of each model that has another name.
        label: key of a label to split the costs by.

    Raises:
        InputError: neither version has the label.
    """
    items = _items(base), _items(head)
    former = set(renamed.values())
    kept = {was: key for key, was in renamed.items() if was in head.models[key].get("was", ())}
    lines: list[MoneyLine] = []
    for item in [*items[1], *(i for i in items[0] if i not in items[1] and i not in former)]:
        was = renamed.get(item, item)
        before, after = items[0].get(was, Amount()), items[1].get(item, Amount())
        if before != after:
            reasons = tuple(_reasons(base, head, was, item, kept)) or (NO_REASON,)
            lines.append(MoneyLine(item=item, before=before, after=after, reasons=reasons))
    cost = (head.plan or {}).get("cost", {})
    return Money(
        before=_total(base),
        after=_total(head),
        lines=tuple(lines),
        unpriced=tuple(cost.get("unpriced", ())),
        by_team=_by_team(base, head, items),
        by_label=_by_label(base, head, items, label) if label else None,
        budget=_limit(cost),
        own_prices=tuple(_own_prices(base, head)),
    )


def _own_prices(base: State, head: State) -> Iterator[str]:
    """Yield nodes and items whose price is, or was, one of `prices.yaml`, and differs."""
    priced = [_priced(side) for side in (base, head)]
    for name in sorted(priced[0].keys() & priced[1].keys()):
        (before, was), (after, now) = priced[0][name], priced[1][name]
        if before != after and any(OWN_PRICES in source for source in (was, now)):
            yield name


def _priced(state: State) -> Mapping[str, tuple[float | None, str]]:
    """Return USD and source by name: nodes per hour, and of other items only whose price it is."""
    nodes: dict[str, tuple[float | None, str]] = {
        f"{pool['machine_type']} {pool['capacity']}": (pool["price"]["usd_per_hour"], str(pool["price"]["source"]))
        for pool in state.pools
        if pool.get("price")
    }
    lines = (line for line in _lines(state) if line["item"] == "cluster" and line["source"])
    others = {str(line["what"]): (float(OWN_PRICES in line["source"]), str(line["source"])) for line in lines}
    return nodes | others


_Group = Callable[[State, Data], str]
"""Returns which group of costs a model belongs to."""
_Items = tuple[dict[str, Amount], dict[str, Amount]]
"""Cost by item of both versions."""


def _by_team(base: State, head: State, items: _Items) -> tuple[MoneyLine, ...] | None:
    """Return one line per team, then models without one, then what belongs to no model; None without teams."""
    if not any(model.get("team") for state in (base, head) for model in state.models.values()):
        return None
    return _split(base, head, items, lambda _, model: model.get("team") or NO_TEAM)


def _by_label(base: State, head: State, items: _Items, label: str) -> LabelCosts:
    """Return one line per value of a label, as `plan --by` has them."""
    models = ((state, model) for state in (base, head) for model in state.models.values())
    check_label(label, {key for state, model in models for key in _labels(state, model)})
    lines = _split(base, head, items, lambda state, model: _labels(state, model).get(label, WITHOUT))
    return LabelCosts(label=label, lines=lines)


def _labels(state: State, model: Data) -> dict[str, str]:
    """Return a model's labels over those of its stack, without hubstack's."""
    hubstacks = labels(str(state.target.get("stack")))
    every: dict[str, str] = state.target.get("labels") or {}
    own: dict[str, str] = model.get("labels") or {}
    return {**{key: value for key, value in every.items() if key not in hubstacks}, **own}


def _split(base: State, head: State, items: _Items, group_of: _Group) -> tuple[MoneyLine, ...]:
    """Return the costs by group: each version's models in the group that they have there."""
    sums = [_sums(state, held, group_of) for state, held in zip((base, head), items, strict=True)]
    last = {NO_TEAM: 1, WITHOUT: 1, SHARED: 2}
    groups = sorted(sums[0].keys() | sums[1].keys(), key=lambda group: (last.get(group, 0), group))
    return tuple(
        MoneyLine(
            item=group,
            before=sums[0].get(group, Amount()),
            after=sums[1].get(group, Amount()),
            reasons=(_members(base, head, group, group_of),),
        )
        for group in groups
    )


def _sums(state: State, items: Mapping[str, Amount], group_of: _Group) -> dict[str, Amount]:
    sums: dict[str, Amount] = {}
    for item, amount in items.items():
        model = state.models.get(item)
        group = SHARED if model is None else group_of(state, model)
        had = sums.get(group, Amount())
        sums[group] = Amount(idle=had.idle + amount.idle, busy=had.busy + amount.busy)
    return sums


def _members(base: State, head: State, group: str, group_of: _Group) -> str:
    """Describe which models a group has, and which of them came or left."""
    if group == SHARED:
        return "what belongs to no model"
    own = [{key for key, each in state.models.items() if group_of(state, each) == group} for state in (base, head)]
    came, left = sorted(own[1] - own[0]), sorted(own[0] - own[1])
    parts = [f"{len(own[1])} models" if len(own[1]) != 1 else "1 model"]
    parts += [f"new: {', '.join(came)}"] if came else []
    parts += [f"no longer: {', '.join(left)}"] if left else []
    return "; ".join(parts)


def _limit(cost: Data) -> int | None:
    limit = cost.get("budget_usd_per_month")
    return None if limit is None else _cents(limit)


def _total(state: State) -> Amount:
    cost = (state.plan or {}).get("cost", {})
    return Amount(idle=_cents(cost.get("usd_per_month_min")), busy=_cents(cost.get("usd_per_month_max")))


def _cents(usd: float | None) -> int:
    return round((usd or 0) * 100)


def _lines(state: State) -> list[Data]:
    return list((state.plan or {}).get("cost", {}).get("lines", ()))


def _items(state: State) -> dict[str, Amount]:
    sums: dict[str, Amount] = {}
    for line in _lines(state):
        had = sums.get(line["item"], Amount())
        sums[line["item"]] = Amount(
            idle=had.idle + _cents(line["usd_per_month_min"]), busy=had.busy + _cents(line["usd_per_month_max"])
        )
    return sums


def _reasons(base: State, head: State, was: str, item: str, kept: Mapping[str, str]) -> Iterator[str]:
    before, after = base.models.get(was), head.models.get(item)
    if before is not None and after is not None:
        found = tuple(_of_model(base, head, before, after, kept))
        yield from found
        if not found and was != item:  # of a sum that does not divide, who gets the odd cent goes by name
            yield "rounding of the shared node cost under the new name"
    elif after is not None:
        yield f"new: {_bought(after)}"
    elif before is not None:
        yield "no longer served"
    else:
        yield from _other_item_reasons(base, head, item)


def _other_item_reasons(base: State, head: State, item: str) -> Iterator[str]:
    """Return why the cost of an item that belongs to no model changed."""
    said = [{line["what"]: line for line in _lines(side) if line["item"] == item} for side in (base, head)]
    for what in sorted({*said[0], *said[1]}):
        before, after = said[0].get(what), said[1].get(what)
        if before is None:
            yield f"new: {what}"
        elif after is None:
            yield f"removed: {what}"
        elif before["usd_per_month_max"] != after["usd_per_month_max"]:
            rows = [f"{line['source']}, {line['as_of']}" for line in (before, after)]
            same = rows[0] == rows[1]  # then there are more or fewer nodes, or a commitment covers others
            yield f"{what}: {'with the nodes that run' if same else f'price changed ({rows[0]} -> {rows[1]})'}"


def _bought(model: Data) -> str:
    ways = ", then ".join(str(step["kind"]) for step in model.get("steps", ()))
    replicas = model["replicas"]
    return f"{replicas['min']} to {replicas['max']} x {_shape(model)}, {ways}"


def _shape(model: Data) -> str:
    share = model.get("servers_per_accelerator", 1)
    count = f"1/{share}" if share > 1 else str(model["accelerator_count"])
    hosts = f" on {model['hosts']} nodes" if model.get("hosts", 1) > 1 else ""
    return f"{count} x {model['accelerator']} ({model['machine_type']}){hosts}"


def _of_model(base: State, head: State, before: Data, after: Data, kept: Mapping[str, str]) -> Iterator[str]:
    if base.target.get("region") != head.target.get("region"):
        yield f"region {base.target.get('region')} -> {head.target.get('region')}"
    if before["replicas"] != after["replicas"]:
        spans = [f"{m['replicas']['min']}-{m['replicas']['max']}" for m in (before, after)]
        yield f"replicas {spans[0]} -> {spans[1]}"
    if _shape(before) != _shape(after):
        yield f"accelerator {_shape(before)} -> {_shape(after)}"
    platforms = [str(model.get("platform", "gke")) for model in (before, after)]
    if platforms[0] != platforms[1]:
        yield f"platform {platforms[0]} -> {platforms[1]}"
    runs = [_instance_price(model) for model in (before, after)]
    if runs[0] != runs[1]:
        yield f"price of an instance {runs[0]} -> {runs[1]} USD/h"
    ways = [", ".join(_way(step) for step in model.get("steps", ())) for model in (before, after)]
    if ways[0] != ways[1]:
        yield f"bought as {ways[0]} -> {ways[1]}"
    yield from _prices(base, head, before, after)
    yield from _neighbours(base, head, before, after, kept)
    sizes = [model["weights"].get("total_bytes") or 0 for model in (before, after)]
    if sizes[0] != sizes[1]:
        yield f"weights {sizes[0] / 1e9:,.1f} -> {sizes[1] / 1e9:,.1f} GB"
    elif (rows := _storage(base, before["key"], head, after["key"])) and rows[0] != rows[1]:
        yield f"price of storage {rows[0][0]} -> {rows[1][0]} USD ({rows[1][1]}, {rows[1][2]})"


def _instance_price(model: Data) -> float | None:
    run: Data = model.get("cloud_run") or {}
    return run.get("usd_per_instance_hour")


def _way(step: Data) -> str:
    return f"{step['kind']} {step['reservation']}" if step.get("reservation") else str(step["kind"])


def _prices(base: State, head: State, before: Data, after: Data) -> Iterator[str]:
    """Yield the changed price rows of its nodes."""
    rows = [
        {
            (p["machine_type"], p["capacity"], p["reservation"]): p["price"]
            for p in side.pools
            if p["capacity_class"] == model["capacity_class"]
        }
        for side, model in ((base, before), (head, after))
    ]
    for way in sorted(rows[0].keys() & rows[1].keys(), key=str):
        was, now = rows[0][way], rows[1][way]
        if (was and was["usd_per_hour"]) != (now and now["usd_per_hour"]):
            shown = [
                f"{row['usd_per_hour']} USD/h ({row['source']}, {row['as_of']})" if row else "no price"
                for row in (was, now)
            ]
            yield f"price of {way[0]} {way[1]} {shown[0]} -> {shown[1]}"


def _neighbours(base: State, head: State, before: Data, after: Data, kept: Mapping[str, str]) -> Iterator[str]:
    """Say who shares its nodes now, where that is not as before: the nodes' bill is split between them.

    Models that keep their resources under another name, by their former key, neither came nor left.
    """
    if not before["capacity_class"] or not after["capacity_class"]:
        return  # no nodes of its own choosing: Cloud Run, Vertex AI
    shared = [
        {
            kept.get(m["key"], m["key"]): (m["replicas"]["min"], m["replicas"]["max"])
            for m in side.models.values()
            if m["capacity_class"] == model["capacity_class"] and m["key"] != model["key"]
        }
        for side, model in ((base, before), (head, after))
    ]
    came, went = sorted(shared[1].keys() - shared[0].keys()), sorted(shared[0].keys() - shared[1].keys())
    other = sorted(key for key in shared[0].keys() & shared[1].keys() if shared[0][key] != shared[1][key])
    named = sorted(key for key in shared[1] if key in kept.values()) if not (came or went or other) else []
    said = [
        f"{', '.join(keys)} {what}"
        for keys, what in (
            (came, "joined"),
            (went, "left"),
            (other, "changed replicas"),
            (named, "was renamed"),
        )
        if keys
    ]
    if said:
        yield f"node sharing changed: {'; '.join(said)}"


def _storage(base: State, was: str, head: State, key: str) -> list[tuple[object, object, object]]:
    return [
        (line["usd_per_month_max"], line["source"], line["as_of"])
        for side, item in ((base, was), (head, key))
        for line in _lines(side)
        if line["item"] == item and line["what"].startswith("weights in the bucket")
    ]
