# SPDX-License-Identifier: Apache-2.0
"""Google's answers about a project -> quotas, reservations and what each zone has. Pure.

Owns the names of quota metrics (https://cloud.google.com/compute/resource-usage). H100 and later GPUs have one
metric by family in Service Usage; what Google did not say is absent.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hubstack.catalog import Catalog
from hubstack.inputs.refreshed import FORMAT, RefreshedQuota, RegionQuota, ReservationRow
from hubstack.kinds import AcceleratorKind

_METRICS = {
    "a100-40gb": "NVIDIA_A100_GPUS",
    "a100-80gb": "NVIDIA_A100_80GB_GPUS",
    "h100-80gb": "NVIDIA_H100_GPUS",
    "l4": "NVIDIA_L4_GPUS",
    "p4": "NVIDIA_P4_GPUS",
    "t4": "NVIDIA_T4_GPUS",
    "v100": "NVIDIA_V100_GPUS",
    "v5e": "TPU_LITE_PODSLICE_V5",
}
_FAMILIES = {
    "h100-80gb": "NVIDIA_H100",
    "h100-mega-80gb": "NVIDIA_H100_MEGA",
    "h200-141gb": "NVIDIA_H200",
    "b200": "NVIDIA_B200",
    "rtx-pro-6000": "NVIDIA_RTX_PRO_6000",
}
_FAMILY_METRICS = {"gpus_per_gpu_family": "on-demand", "preemptible_gpus_per_gpu_family": "spot"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What Google said of a project."""

    project: str
    """The project's ID."""
    regions: Mapping[str, Mapping[str, Any]]
    """Answer of `compute.regions.get` by region."""
    whole: Mapping[str, Any]
    """Answer of `compute.projects.get`."""
    metrics: Iterable[Mapping[str, Any]]
    """`ConsumerQuotaMetric`s of Compute Engine."""
    reservations: Iterable[Mapping[str, Any]]
    """`Reservation`s of the project."""
    zones: Mapping[str, tuple[set[str], set[str]]]
    """Machine types and accelerator types by zone."""


def refreshed_quota(answers: Answers, catalog: Catalog, today: dt.date) -> RefreshedQuota:
    """Return what is written: the answers in hubstack's words, with the date of the answers."""
    families, zones = list(_families(answers.metrics)), answers.zones
    quota: dict[str, dict[str, RegionQuota]] = {}
    for region, answer in answers.regions.items():
        limits = {str(each.get("metric")): int(each.get("limit", 0)) for each in answer.get("quotas", ())}
        by_family = {(family, way): limit for family, where, way, limit in families if where in {region, ""}}
        by_family |= {(family, way): limit for family, where, way, limit in families if where == region}
        granted: dict[str, RegionQuota] = {}
        for accelerator in sorted({*_METRICS, *_FAMILIES}):
            metric, family = _METRICS.get(accelerator, ""), _FAMILIES.get(accelerator, "")
            on_demand = limits.get(metric, by_family.get((family, "on-demand")))
            spot = limits.get(f"PREEMPTIBLE_{metric}", by_family.get((family, "spot")))
            if on_demand is not None or spot is not None:
                granted[accelerator] = RegionQuota.model_validate({"on-demand": on_demand, "spot": spot})
        quota[region] = granted
    totals = {str(each.get("metric")): int(each.get("limit", 0)) for each in answers.whole.get("quotas", ())}
    return RefreshedQuota(
        format=FORMAT,
        as_of=today,
        project=answers.project,
        quota=quota,
        all_regions=totals.get("GPUS_ALL_REGIONS"),
        reservations=dict(sorted(_reservations(answers.reservations))),
        zones={zone: tuple(_machines(*zones[zone], catalog)) for zone in sorted(zones)},
    )


def _families(metrics: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, str, int]]:
    """Yield GPU family, region (empty: the default of all), way and limit."""
    for metric in metrics:
        way = _FAMILY_METRICS.get(str(metric.get("metric", "")).rpartition("/")[2])
        for limit in metric.get("consumerQuotaLimits", ()) if way else ():
            for bucket in limit.get("quotaBuckets", ()):
                where = bucket.get("dimensions", {})
                if way and "gpu_family" in where and "effectiveLimit" in bucket:
                    granted = int(bucket["effectiveLimit"])
                    if granted >= 0:  # -1: no limit
                        yield str(where["gpu_family"]), str(where.get("region", "")), way, granted


def _reservations(reservations: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, ReservationRow]]:
    for each in reservations:
        specific = each.get("specificReservation")
        if specific:
            yield (
                str(each.get("name")),
                ReservationRow(
                    zone=last(each.get("zone")),
                    machine_type=str(specific.get("instanceProperties", {}).get("machineType", "")),
                    count=int(specific.get("count", 0)),
                    in_use=int(specific.get("inUseCount", 0)),
                ),
            )


def _machines(types: set[str], accelerators: set[str], catalog: Catalog) -> Iterator[str]:
    """Yield the catalogue's machine types that a zone has: the machine, and its GPUs."""
    for machine in catalog.machine_types.values():
        accelerator = catalog.accelerators[machine.accelerator]
        is_there = accelerator.kind is AcceleratorKind.TPU or accelerator.gke_label in accelerators
        if machine.gce_machine_type in types and is_there:
            yield machine.name


def last(url: object) -> str:
    """Return the last part of a resource's address."""
    return re.sub(r".*/", "", str(url))
