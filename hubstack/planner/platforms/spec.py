# SPDX-License-Identifier: Apache-2.0
"""The interface between the planner and a platform: each `platforms/<platform>.py` has one `PlatformSpec`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hubstack.catalog import Catalog
from hubstack.files.problems import Problem
from hubstack.inputs.models import ModelRequest
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import PlatformKind
from hubstack.planner.engines.spec import Refusal
from hubstack.planner.model_plan import Draft, Hosting
from hubstack.planner.placement.candidates import Candidate
from hubstack.planner.placement.offers import Offer


def _refuses_none(_draft: Draft, _catalog: Catalog) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSpec:
    """What the planner needs to know about one platform."""

    kind: PlatformKind
    offers: Callable[[Catalog, StackSettings], tuple[Offer, ...]]
    """Returns every machine that can serve a model on the platform."""
    find_problems: Callable[[ModelRequest, str, Catalog], Iterable[Problem]]
    """Yields a problem for each setting of a request that the platform does not support in the region."""
    refuse: Callable[[Draft, Catalog], Refusal | None] = _refuses_none
    """Returns why a model that fits cannot be deployed there, or None if it can."""
    takes_identity: bool = False
    """Whether each model has an address of its own, which takes Google's identity token of a caller."""
    own_api: str | None = None
    """Whose API its models answer by instead of OpenAI's."""
    plan: Callable[[Draft, Candidate, Catalog, StackSettings], Hosting] | None = None
    """Returns how the platform serves one model on its machine; None if its models are placed together on nodes."""
