# SPDX-License-Identifier: Apache-2.0
"""quota.yaml: granted accelerator quota, by region, accelerator and provisioning model.

Owns the file format and the quota that a plan's node pools need. Does not query Google: you maintain the figures.

    quota:
      us-central1:
        l4: {on-demand: 8, spot: 16}

`hubstack diff --quota` reads the same file. The format used before 0.2 is still accepted: no top-level `quota:`,
`preemptible` instead of `spot`, and GKE accelerator names (`nvidia-l4`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hubstack.files.documents import Document, Mark, parse_document, read_text
from hubstack.files.errors import InputError
from hubstack.files.problems import nearest
from hubstack.files.schema_errors import schema_problems
from hubstack.inputs.refreshed import RefreshedQuota
from hubstack.kinds import AcceleratorKind, CapacityKind
from hubstack.plan import Plan, PoolPlan

NAME = "quota.yaml"


class Granted(BaseModel):
    """Granted quota of one accelerator in one region, in accelerators."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)

    on_demand: int = Field(0, ge=0, alias="on-demand")
    """On-demand nodes and reservations."""
    preemptible: int = Field(0, ge=0, validation_alias=AliasChoices("spot", "preemptible"))
    """Spot and flex-start."""
    cloud_run: int = Field(0, ge=0, alias="cloud-run")
    """Cloud Run; used by `hubstack diff`."""
    vertex: int = Field(0, ge=0)
    """Vertex AI; used by `hubstack diff`."""


_Regions = dict[str, dict[str, Granted]]
_Whole = dict[str, _Regions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The parsed quota file of a stack."""

    regions: Mapping[str, Mapping[str, Granted]]
    """Quota by region, then by accelerator name in the catalogue or in GKE."""
    document: Document

    def mark(self, region: str, accelerator: str) -> Mark:
        """Return the location of an accelerator's entry, or of its nearest parent."""
        top = ("quota",) if _has_top(self.document) else ()
        return self.document.mark((*top, region, accelerator))


def load_quota(path: Path, name: str) -> Quota | None:
    """Read the quota file; return None if it does not exist.

    Raises:
        InputError: with every problem found.
    """
    if not path.exists():
        return None
    document = parse_document(read_text(path, name), name)
    try:
        if _has_top(document):
            regions = TypeAdapter(_Whole).validate_python(document.value)["quota"]
        else:
            regions = TypeAdapter(_Regions).validate_python(document.value or {})
    except ValidationError as error:
        raise InputError(
            schema_problems(document, error, _Whole if _has_top(document) else _Regions, _HINT)
        ) from None
    return Quota(regions=regions, document=document)


def _has_top(document: Document) -> bool:
    value: Any = document.value
    return isinstance(value, dict) and "quota" in value


_HINT = "write entries such as `l4: {on-demand: 8, spot: 16}` under a region"


def pool_limit(pool: PoolPlan) -> int:
    """Return the accelerators of a fully scaled pool; a flex-start TPU pool's node limit is per zone."""
    by_zone = pool.capacity is CapacityKind.FLEX_START and pool.accelerator_kind is AcceleratorKind.TPU
    return pool.accelerators_per_node * pool.max_nodes * (len(pool.zones) if by_zone else 1)


def lacking(plan: Plan, quota: Quota) -> Iterator[tuple[str, str]]:
    """Yield accelerator and message for each quota that fully scaled node pools exceed."""
    needed: dict[tuple[str, str], int] = {}
    names = {pool.gke_accelerator: pool.accelerator for pool in plan.pools}
    for pool in plan.pools:
        way = "preemptible" if pool.capacity in {CapacityKind.SPOT, CapacityKind.FLEX_START} else "on-demand"
        needed[pool.gke_accelerator, way] = needed.get((pool.gke_accelerator, way), 0) + pool_limit(pool)
    held = quota.regions.get(plan.target.region, {})
    for (accelerator, way), count in sorted(needed.items()):
        granted = held.get(accelerator) or held.get(names[accelerator]) or Granted.model_validate({})
        limit = granted.preemptible if way == "preemptible" else granted.on_demand
        if count > limit:
            region = plan.target.region
            text = f"fully scaled node pools need {count} {way} {accelerator} in {region}; granted: {limit}"
            yield accelerator, text


def lacking_refreshed(plan: Plan, held: RefreshedQuota) -> Iterator[str]:
    """Yield what fully scaled node pools need beyond what `hubstack refresh` read; what it did not is unknown."""
    region = plan.target.region
    granted = held.quota.get(region, {})
    for (accelerator, way), count in sorted(_needed(plan).items()):
        row = granted.get(accelerator)
        limit = None if row is None else row.spot if way == "preemptible" else row.on_demand
        if limit is not None and count > limit:
            name = "spot" if way == "preemptible" else way
            yield f"fully scaled node pools need {count} {name} {accelerator} in {region}; granted: {limit}"
    kinds = {pool.capacity_class: pool.accelerator_kind for pool in plan.pools}
    busy = (each for each in plan.cost.pools if kinds.get(each.capacity_class) is AcceleratorKind.GPU)
    gpus = sum(each.accelerators_paid_busy for each in busy)  # one step of each class at a time
    if held.all_regions is not None and gpus > held.all_regions:
        most = held.all_regions
        yield f"with every model at its maximum, the plan needs {gpus} GPUs; granted over all regions: {most}"
    for pool in plan.pools:
        yield from _reservation(pool, held)


def missing_zones(plan: Plan, held: RefreshedQuota) -> Iterator[str]:
    """Yield each node pool whose machine type the project does not see in one of its zones."""
    for pool in plan.pools:
        known = [zone for zone in pool.zones if zone in held.zones]
        lacks = [zone for zone in known if pool.machine_type not in held.zones[zone]]
        if lacks:
            yield f"{pool.key}: the project sees no {pool.machine_type} in {', '.join(lacks)}"


def _needed(plan: Plan) -> dict[tuple[str, str], int]:
    needed: dict[tuple[str, str], int] = {}
    for pool in plan.pools:
        way = "preemptible" if pool.capacity in {CapacityKind.SPOT, CapacityKind.FLEX_START} else "on-demand"
        needed[pool.accelerator, way] = needed.get((pool.accelerator, way), 0) + pool_limit(pool)
    return needed


def _reservation(pool: PoolPlan, held: RefreshedQuota) -> Iterator[str]:
    if pool.reservation is None or "/" in pool.reservation:  # one of another project
        return
    row = held.reservations.get(pool.reservation)
    if row is None:
        near = nearest(pool.reservation, held.reservations)
        also = f"; nearest: `{near}`" if near else ""
        yield f"{pool.key}: the project has no reservation `{pool.reservation}`{also}"
    elif row.machine_type and row.machine_type != pool.gce_machine_type:
        yield f"{pool.key}: `{pool.reservation}` reserves {row.machine_type}, not {pool.gce_machine_type}"
    elif row.count < pool.max_nodes:
        yield f"{pool.key}: needs up to {pool.max_nodes} nodes; `{pool.reservation}` reserves {row.count}"
