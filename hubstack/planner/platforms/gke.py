# SPDX-License-Identifier: Apache-2.0
"""GKE: nodes of the stack's own cluster, shared by its models; the solver decides where each model runs."""

from collections.abc import Iterator

from hubstack.catalog import Catalog
from hubstack.files.problems import Problem
from hubstack.inputs.models import ModelRequest
from hubstack.kinds import PlatformKind
from hubstack.planner.placement.offers import list_offers
from hubstack.planner.platforms.rules import no_eula
from hubstack.planner.platforms.spec import PlatformSpec


def _find_problems(request: ModelRequest, _region: str, _catalog: Catalog) -> Iterator[Problem]:
    yield from no_eula(request)


SPEC = PlatformSpec(kind=PlatformKind.GKE, offers=list_offers, find_problems=_find_problems)
