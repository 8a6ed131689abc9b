# SPDX-License-Identifier: Apache-2.0
"""How many accelerators two plans may use at most, by region, kind and way of buying, against a quota file.

Owns the counting and the file's reading. Google counts reservations with on-demand and flex-start with spot
(facts: gke.md 6), so there are two ways on GKE; Cloud Run and
Vertex AI count their own. A quota that the file does not name is unknown, not zero.
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
    """Accelerators of one kind in one region, bought in one way: with every pool at its most nodes."""

    region: str
    """Google Cloud region."""
    accelerator: str
    """Catalogue id."""
    way: str
    """One of WAYS."""
    before: int
    """How many the old plan may have."""
    after: int
    """How many the new plan may have."""
    quota: int | None
    """None where the quota file does not say."""

    @property
    def is_over(self) -> bool:
        """Whether the new plan may ask for more than the quota."""
        return self.quota is not None and self.after > self.quota


def compare_capacity(old: State, new: State, quota: Quota) -> tuple[CapacityRow, ...]:
    """Return every row of either side, sorted."""
    before, after = _count(old), _count(new)
    return tuple(
        CapacityRow(region=region, accelerator=accelerator, way=way, before=before[region, accelerator, way],
                    after=after[region, accelerator, way], quota=quota.get((region, accelerator, way)))
        for region, accelerator, way in sorted({*before, *after})
    )  # fmt: skip


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
                    problems.append(place.problem(f"`{way}` is no way of buying", hint))
                elif not isinstance(count, int) or isinstance(count, bool) or count < 0:
                    message = f"`{region}.{kind}.{way}` must be a whole number from 0, not {shown(count)}"
                    problems.append(mark.problem(message, "write how many accelerators Google has granted"))
                else:
                    found[region, ids.get(kind, kind), way] = count
    if problems:
        raise InputError(problems)
    return found


_EXAMPLE = "it reads `quota: {REGION: {ACCELERATOR: {on-demand: N, spot: N}}}`"
