# SPDX-License-Identifier: Apache-2.0
"""A plan's cost by the value of one label: what each team or cost centre pays.

Owns the grouping. A model's share of nodes is what `hubstack.planner.cost` charges it.
"""

from collections.abc import Collection

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, listed, nearest
from hubstack.plan import Plan
from hubstack.review.report.report import whole_dollars
from hubstack.review.report.tables import Column, FittedTable

WITHOUT, SHARED = "(no label)", "(shared)"


def check_label(label: str, known: Collection[str]) -> None:
    """Refuse a label that no model has.

    Args:
        label: what `--by` names.
        known: keys of the labels of all models, those of the stack included.

    Raises:
        InputError: it is none of them.
    """
    if label in known:
        return
    near = nearest(label, known)
    hint = (
        f"did you mean `{near}`?"
        if near
        else f"labels: {listed(sorted(known))}"
        if known
        else "set `hubstack:labels`"
    )
    message = f"neither the stack nor a model has the label `{label}`"
    raise InputError([Problem(path="--by", message=message, hint=hint)])


def label_table(plan: Plan, label: str) -> FittedTable:
    """Return one row per value of a label, then what belongs to no model: the control plane.

    Args:
        plan: the plan of a stack.
        label: key of a label of the stack or of a model.

    Raises:
        InputError: neither the stack nor any model has the label.
    """
    labels = {model.key: {**plan.target.own_labels, **(model.labels or {})} for model in plan.models}
    check_label(label, {key for held in labels.values() for key in held})
    models: dict[str, list[str]] = {}
    for key, held in labels.items():
        models.setdefault(held.get(label, WITHOUT), []).append(key)
    order = [*sorted(value for value in models if value != WITHOUT), *([WITHOUT] if WITHOUT in models else [])]
    rows = {value: models[value] for value in order}
    lines = plan.cost.by_item()
    others = [line for item, held in lines.items() if item not in labels for line in held]
    groups = [[line for key in keys for line in lines.get(key, [])] for keys in rows.values()]
    if others:
        rows, groups = {**rows, SHARED: []}, [*groups, others]
    idle = whole_dollars([sum(line.usd_per_month_min or 0 for line in held) for held in groups])
    busy = whole_dollars([sum(line.usd_per_month_max or 0 for line in held) for held in groups])
    notes = ["+ unpriced" if any(line.usd_per_month_max is None for line in held) else "" for held in groups]
    return FittedTable(
        (
            Column(name=label, cells=list(rows), footer="total"),
            Column(name="models", cells=[", ".join(keys) for keys in rows.values()], rank=1),
            Column(
                name="USD a month idle", cells=[f"{usd:,}" for usd in idle], footer=f"{sum(idle):,}", is_number=True
            ),
            Column(
                name="USD a month busy", cells=[f"{usd:,}" for usd in busy], footer=f"{sum(busy):,}", is_number=True
            ),
            *([Column(name="", cells=notes, rank=2)] if any(notes) else []),
        )
    )
