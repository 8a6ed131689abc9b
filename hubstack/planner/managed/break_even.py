# SPDX-License-Identifier: Apache-2.0
"""From how many busy hours a month GKE costs less than Cloud Run, for one replica of one model.

Owns the formula and its words (docs/concepts/cloud-run.md, "Break-even"). Cloud Run is paid by the hour that an
instance is
up. GKE is paid for its nodes, always or in the busy hours, and by the month for a cluster that is there for this
model alone. Left out on both sides: the minutes before an idle instance or node goes, and what no source prices
(system nodes, NAT, boot disks).
"""

from hubstack.plan.managed import BreakEven


def break_even(
    cloud_run_usd_per_hour: float, gke_usd_per_hour: float, gke_usd_per_month: float, hours_per_month: int
) -> BreakEven:
    """Compare one replica on both platforms.

    Args:
        cloud_run_usd_per_hour: of one instance, above 0.
        gke_usd_per_hour: of the nodes of one replica.
        gke_usd_per_month: of the cluster, 0 where it is there anyway.
        hours_per_month: in a month; a model is busy in at most so many.

    Always on, GKE costs `gke x hours_per_month + fixed`, and Cloud Run `run x h`. With scale to zero GKE costs
    `gke x h + fixed`: it is cheaper from `fixed / (run - gke)` hours, and never where its hour costs no less.
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
    """Say it with its arithmetic; `gke` names the nodes."""
    run, node, fixed = found.cloud_run_usd_per_hour, found.gke_usd_per_hour, found.gke_usd_per_month
    fee = f" + ${fixed:,.2f} a month for the cluster" if fixed else ", the cluster being there anyway"
    head = f"Cloud Run ${run:,.4f} an hour that an instance is up; {gke} ${node:,.4f} an hour{fee}"
    plus = f" + {fixed:,.2f}" if fixed else ""
    always = f"({node:,.4f} x {hours_per_month}{plus}) / {run:,.4f}"
    return (
        f"{head}. Nodes that always run {_from(found.always_on_hours, always, hours_per_month)}; "
        f"nodes that stop when idle {_to_zero(found, hours_per_month)}"
    )


def in_short(found: BreakEven) -> str:
    """Say the hours alone."""
    hours = (("always on", found.always_on_hours), ("stopped when idle", found.scale_to_zero_hours))
    return ", ".join(f"{how} {'never' if each is None else f'from {each:,.0f} hours'}" for how, each in hours)


def _from(hours: float | None, how: str, hours_per_month: int) -> str:
    if hours is None:
        return f"never cost less: {how} is above the {hours_per_month} hours of a month"
    return f"cost less from {hours:,.0f} busy hours a month = {how}"


def _to_zero(found: BreakEven, hours_per_month: int) -> str:
    run, node, fixed = found.cloud_run_usd_per_hour, found.gke_usd_per_hour, found.gke_usd_per_month
    if run <= node:
        return "never cost less: their hour is no cheaper"
    if not fixed:
        return "cost less from the first hour: nothing is due by the month"
    return _from(found.scale_to_zero_hours, f"{fixed:,.2f} / ({run:,.4f} - {node:,.4f})", hours_per_month)
