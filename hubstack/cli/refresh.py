# SPDX-License-Identifier: Apache-2.0
"""The command `refresh`. Registered by `hubstack.cli.app`."""

import datetime as dt
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubstack.cli.console import print_parts, status
from hubstack.cli.each_cluster import each_cluster

if TYPE_CHECKING:
    from hubstack.inputs.refreshed import RefreshedPrices, RefreshedQuota
    from hubstack.inputs.stack import Stack


class Part(StrEnum):
    """What can be refreshed alone."""

    PRICES = "prices"
    QUOTA = "quota"


@each_cluster
def refresh(
    stack: "Stack",
    *,
    only: Annotated[Part | None, typer.Option("--only", help="Read only this.")] = None,
) -> None:
    """Read prices, quotas, reservations and zones of your project from Google.

    Writes `<stack>.prices.yaml` and `<stack>.quota.yaml`, which plans, checks and diffs then use. Needs Google's
    client (the extra `refresh`) and Application Default Credentials.
    """
    from hubstack.catalog import load_catalog  # noqa: PLC0415
    from hubstack.inputs.refreshed import prices_name, quota_name, write_refreshed  # noqa: PLC0415
    from hubstack.review.refresh.command import read_prices, read_quota  # noqa: PLC0415
    from hubstack.review.refresh.google import Google  # noqa: PLC0415

    target, catalog = stack.settings, load_catalog()
    today = dt.datetime.now(tz=dt.UTC).date()
    google = Google(target.project)
    prices, quota = None, None
    if only is not Part.QUOTA:
        with status("reading prices"):
            prices = read_prices(google, target, catalog, today)
    if only is not Part.PRICES:
        with status("reading quotas"):
            quota = read_quota(google, target, catalog, today)
    shown = Path(target.models_path).parent
    write_refreshed(stack.project_dir / shown, stack.name, prices, quota)
    if prices:
        print_parts(f"wrote {shown / prices_name(stack.name)}: {_priced(prices, target.region)}")
    if quota:
        print_parts(f"wrote {shown / quota_name(stack.name)}: {_granted(quota)}")
    print_parts("review and commit them")


def _priced(prices: "RefreshedPrices", region: str) -> str:
    here = sum(1 for regions in prices.items.values() if region in regions)
    rate = f", 1 USD = {prices.exchange.per_usd:g} {prices.exchange.currency}" if prices.exchange else ""
    return f"prices of {here} machine types and items in {region}{rate}; all others come from hubstack's catalogue"


def _granted(quota: "RefreshedQuota") -> str:
    kinds = sum(len(each) for each in quota.quota.values())
    return f"quotas of {kinds} accelerators, {len(quota.reservations)} reservations, {len(quota.zones)} zones"
