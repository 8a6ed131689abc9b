# SPDX-License-Identifier: Apache-2.0
"""What the planner asks of a platform: one `PlatformSpec` in each `platforms/<platform>.py`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hubstack.catalog import Catalog
from hubstack.files.problems import Problem
from hubstack.inputs.models import ModelRequest
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import PlatformKind
from hubstack.plan import ModelPlan
from hubstack.planner.engines.spec import Refusal
from hubstack.planner.model_plan import Draft
from hubstack.planner.placement.candidates import Candidate
from hubstack.planner.placement.offers import Offer


def _refuses_none(_draft: Draft, _catalog: Catalog) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSpec:
    """One platform."""

    kind: PlatformKind
    offers: Callable[[Catalog, StackSettings], tuple[Offer, ...]]
    """Every machine that may serve a model there."""
    find_problems: Callable[[ModelRequest, str, Catalog], Iterable[Problem]]
    """Settings of a request that make no sense there, given the region."""
    is_priced: bool = True
    """Whether a source gives its prices, so that they can be compared with those of nodes."""
    refuse: Callable[[Draft, Catalog], Refusal | None] = _refuses_none
    """Why a model that fits cannot be brought there; None where it can."""
    plan: Callable[[Draft, Candidate, Catalog, StackSettings], ModelPlan] | None = None
    """The plan of one model on the machine that it takes; None: its models are placed together, on nodes."""
