# SPDX-License-Identifier: Apache-2.0
"""Compares the maximum accelerators of two plans, by region, type and provisioning model, with a quota file.

Owns the counting and the parsing of the file. Google counts reservations as on-demand and flex-start as preemptible
(https://cloud.google.com/compute/resource-usage), so GKE has two quotas; Cloud Run and Vertex AI have their own. A
quota missing from the file is unknown, not zero.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from hubstack.catalog import load_catalog
from hubstack.files.documents import Loc, parse_document
from hubstack.files.errors import InputError
from hubstack.files.problems import nearest, shown
from hubstack.review.diff.reported import Reported
from hubstack.review.diff.state import State

WAYS = ("on-demand", "spot", "cloud-run", "vertex")
_WAY = {"on-demand": "on-demand", "reservation": "on-demand", "spot": "spot", "flex-start": "spot"}
_FORMER_WAYS = {"preemptible": "spot"}
Quota = Mapping[tuple[str, str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityRow(Reported):
    """Maximum accelerators of one type, region and provisioning model, with every pool at its maximum size."""

    region: str
    """Google Cloud region."""
    accelerator: str
    """Catalogue id."""
    way: str
    """One of WAYS."""
    before: int
    """Maximum in the base plan."""
    after: int
    """Maximum in the new plan."""
    quota: int | None
    """Granted quota; None if not in the quota file."""

    @property
    def is_over(self) -> bool:
        """Return whether the new plan may exceed the quota."""
        return self.quota is not None and self.after > self.quota


def compare_capacity(base: State, head: State, quota: Quota) -> tuple[CapacityRow, ...]:
    """Return the rows of both versions, sorted."""
    before, after = _count(base), _count(head)
    return tuple(
        CapacityRow(
            region=region,
            accelerator=accelerator,
            way=way,
            before=before[region, accelerator, way],
            after=after[region, accelerator, way],
            quota=quota.get((region, accelerator, way)),
        )
        for region, accelerator, way in sorted({*before, *after})
    )


def _count(state: State) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for pool in state.pools:
        key = (str(state.target["region"]), str(pool["accelerator"]), _WAY.get(str(pool["capacity"]), "on-demand"))
        found[key] += pool["max_nodes"] * pool["accelerators_per_node"]
    for model in state.models.values():
        if (platform := str(model.get("platform", "gke"))) != "gke":
            key = (str(state.target["region"]), str(model["accelerator"]), platform)
            found[key] += model["replicas"]["max"] * model["accelerator_count"]
    return found


def parse_quota(text: str, path: str) -> dict[tuple[str, str, str], int]:
    """Read a quota file: `quota: {REGION: {ACCELERATOR: {WAY: N}}}`, ways as in WAYS.

    A stack's quota.yaml of before 0.2 has no `quota:` on top, `preemptible` for `spot` and GKE's names.

    Raises:
        InputError: every problem of the file.
    """
    document = parse_document(text, path)
    value: Any = document.value
    held: dict[str, Any] = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    has_top = "quota" in held or not held
    above: Loc = ("quota",) if has_top else ()
    top: Any = held.get("quota") if has_top else held
    if not isinstance(top, dict):
        raise InputError([document.mark(("quota",)).problem("must be a mapping under `quota:`", _EXAMPLE)])
    found: dict[tuple[str, str, str], int] = {}
    problems = [
        document.key_mark((key,)).problem(f"unknown key `{key}`", _EXAMPLE)
        for key in cast("dict[str, Any]", value)
        if has_top and key != "quota"
    ]

    def items(loc: Loc, held: Any) -> list[tuple[str, Any]]:
        if isinstance(held, dict):
            return list(cast("dict[str, Any]", held).items())
        what = f"`{'.'.join(map(str, loc))}` must be a mapping (`key: value` lines), not {shown(held)}"
        problems.append(document.mark(loc).problem(what, _EXAMPLE))
        return []

    ids = {each.gke_label: each.id for each in load_catalog().accelerators.values()}
    for region, kinds in items(above, top):
        for kind, ways in items((*above, region), kinds):
            for written, count in items((*above, region, kind), ways):
                way = _FORMER_WAYS.get(written, written)
                mark = document.mark((*above, region, kind, written))
                if way not in WAYS:
                    near = nearest(way, WAYS)
                    hint = (
                        f"did you mean `{near}`?"
                        if near
                        else "on-demand (with reservations) or spot (with flex-start)"
                    )
                    place = document.key_mark((*above, region, kind, written))
                    problems.append(place.problem(f"`{way}` is not a provisioning model", hint))
                elif not isinstance(count, int) or isinstance(count, bool) or count < 0:
                    message = f"`{region}.{kind}.{way}` must be a whole number of 0 or more, not {shown(count)}"
                    problems.append(mark.problem(message, "enter the number of accelerators that Google granted"))
                else:
                    found[region, ids.get(kind, kind), way] = count
    if problems:
        raise InputError(problems)
    return found


_EXAMPLE = "expected format: `quota: {REGION: {ACCELERATOR: {on-demand: N, spot: N}}}`"
