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
from hubstack.files.schema_errors import schema_problems
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
