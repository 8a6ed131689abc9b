# SPDX-License-Identifier: Apache-2.0
"""`hubstack refresh`: asks Google, and returns what is written; the caller writes only a whole answer."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from hubstack.catalog import Catalog
from hubstack.catalog.hardware import region_of
from hubstack.inputs.refreshed import RefreshedPrices, RefreshedQuota
from hubstack.inputs.settings import USD, StackSettings
from hubstack.planner.placement.regions import ANY
from hubstack.review.refresh.google import Google
from hubstack.review.refresh.quota import Answers, last, refreshed_quota
from hubstack.review.refresh.skus import COMPUTE_ENGINE, exchange_of, refreshed_prices

_PAGE = 5000


def read_prices(google: Google, target: StackSettings, catalog: Catalog, today: dt.date) -> RefreshedPrices:
    """Return list prices in the stack's region and those that it compares, and the exchange rate.

    Raises:
        RefusedByGoogleError: Google refused, or answered in part.
    """
    regions = catalog.all_regions() if ANY in target.regions else {target.region, *target.regions}
    exchange = None
    if target.currency != USD:
        collection = google.service("cloudbilling").services().skus()
        request = collection.list(parent=COMPUTE_ENGINE, currencyCode=target.currency, pageSize=1)
        exchange = exchange_of(google.one(request).get("skus", ()), target.currency)
    return refreshed_prices(_skus(google), regions, catalog, today, exchange)


def read_quota(google: Google, target: StackSettings, catalog: Catalog, today: dt.date) -> RefreshedQuota:
    """Return the project's quotas and reservations, and what the zones of the stack's region have.

    Raises:
        RefusedByGoogleError: Google refused, or answered in part.
    """
    compute, project = google.service("compute"), target.project
    region = google.one(compute.regions().get(project=project, region=target.region))
    whole = google.one(compute.projects().get(project=project))
    zones: dict[str, tuple[set[str], set[str]]] = {}
    for zone in sorted(last(each) for each in region.get("zones", ())):
        if region_of(zone) == target.region:
            kinds = [_names(google, c, project, zone) for c in (compute.machineTypes(), compute.acceleratorTypes())]
            zones[zone] = kinds[0], kinds[1]
    answers = Answers(
        project=project,
        regions={target.region: region},
        whole=whole,
        metrics=list(_metrics(google, project)),
        reservations=list(_reservations(google, project)),
        zones=zones,
    )
    return refreshed_quota(answers, catalog, today)


def _skus(google: Google) -> Iterator[dict[str, Any]]:
    collection = google.service("cloudbilling").services().skus()
    request = collection.list(parent=COMPUTE_ENGINE, currencyCode=USD, pageSize=_PAGE)
    for page in google.pages(collection, request):
        yield from page.get("skus", ())


def _names(google: Google, collection: Any, project: str, zone: str) -> set[str]:
    pages = google.pages(collection, collection.list(project=project, zone=zone, maxResults=500))
    return {str(each["name"]) for page in pages for each in page.get("items", ())}


def _metrics(google: Google, project: str) -> Iterator[dict[str, Any]]:
    collection = google.service("serviceusage", "v1beta1").services().consumerQuotaMetrics()
    request = collection.list(parent=f"projects/{project}/services/compute.googleapis.com")
    for page in google.pages(collection, request):
        yield from page.get("metrics", ())


def _reservations(google: Google, project: str) -> Iterator[dict[str, Any]]:
    collection = google.service("compute").reservations()
    request = collection.aggregatedList(project=project, maxResults=500)
    for page in google.pages(collection, request, "aggregatedList_next"):
        for scope in page.get("items", {}).values():
            yield from scope.get("reservations", ())
