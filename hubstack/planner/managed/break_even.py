# SPDX-License-Identifier: Apache-2.0
"""How many busy hours a month make GKE cheaper than Cloud Run, for one replica of one model.

Owns the formula and its wording (docs/concepts/cloud-run.md, "Break-even"). Cloud Run bills the hours that an
instance runs. GKE bills nodes, either always or in busy hours only, plus the cluster's fixed cost (fee, system
node, NAT) if it exists for this model alone. Ignored on both sides: the minutes before an idle instance or node is
removed, and boot disks.
"""

from hubstack.plan.managed import BreakEven


def break_even(
    cloud_run_usd_per_hour: float, gke_usd_per_hour: float, gke_usd_per_month: float, hours_per_month: int
) -> BreakEven:
    """Compare the cost of one replica on both platforms.

    Always on, GKE costs `gke x hours_per_month + fixed` and Cloud Run `run x h`. With scale to zero GKE costs
    `gke x h + fixed`: it is cheaper from `fixed / (run - gke)` hours, and never if its hour is not cheaper.

    Args:
        cloud_run_usd_per_hour: USD per hour of one instance, above 0.
        gke_usd_per_hour: USD per hour of one replica's nodes.
        gke_usd_per_month: the cluster's fixed cost in USD a month; 0 if the cluster exists anyway.
        hours_per_month: hours in a month, the upper limit of busy hours.
    """
    always = (gke_usd_per_hour * hours_per_month + gke_usd_per_month) / cloud_run_usd_per_hour
    saved = cloud_run_usd_per_hour - gke_usd_per_hour
    to_zero = gke_usd_per_month / saved if saved > 0 else None
    return BreakEven(
        cloud_run_usd_per_hour=cloud_run_usd_per_hour,
        gke_usd_per_hour=gke_usd_per_hour,
        gke_usd_per_month=gke_usd_per_month,
        always_on_hours=always if always <= hours_per_month else None,
        scale_to_zero_hours=to_zero if to_zero is not None and to_zero <= hours_per_month else None,
    )


def sentence(found: BreakEven, gke: str, hours_per_month: int) -> str:
    """Describe the break-even with its arithmetic.

    Args:
        found: the comparison.
        gke: how to name the GKE nodes.
        hours_per_month: hours in a month.
    """
    run, node, fixed = found.cloud_run_usd_per_hour, found.gke_usd_per_hour, found.gke_usd_per_month
    fee = f" + ${fixed:,.2f} a month for the cluster" if fixed else " (the cluster exists anyway)"
    head = f"Cloud Run costs ${run:,.4f} an hour while an instance runs; {gke}, ${node:,.4f} an hour{fee}"
    plus = f" + {fixed:,.2f}" if fixed else ""
    always = f"({node:,.4f} x {hours_per_month}{plus}) / {run:,.4f}"
    return (
        f"{head}. Nodes that always run {_from(found.always_on_hours, always, hours_per_month)}. "
        f"Nodes that scale to zero {_to_zero(found, hours_per_month)}"
    )


def summary_sentence(found: BreakEven) -> str:
    """Describe the break-even hours without the arithmetic."""
    hours = (("always on", found.always_on_hours), ("scaled to zero when idle", found.scale_to_zero_hours))
    return ", ".join(
        f"{'never' if each is None else f'from {each:,.0f} busy hours'} ({how})" for how, each in hours
    )


def _from(hours: float | None, how: str, hours_per_month: int) -> str:
    if hours is None:
        return f"never cost less: {how} is more than the {hours_per_month} hours of a month"
    return f"cost less from {hours:,.0f} busy hours a month: {how}"


def _to_zero(found: BreakEven, hours_per_month: int) -> str:
    run, node, fixed = found.cloud_run_usd_per_hour, found.gke_usd_per_hour, found.gke_usd_per_month
    if run <= node:
        return "never cost less: an hour of them is not cheaper"
    if not fixed:
        return "cost less from the first hour: there is no monthly fee"
    return _from(found.scale_to_zero_hours, f"{fixed:,.2f} / ({run:,.4f} - {node:,.4f})", hours_per_month)
