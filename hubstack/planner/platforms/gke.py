# SPDX-License-Identifier: Apache-2.0
"""GKE: nodes of the stack's own cluster, shared by its models; the solver decides where each model runs."""

from collections.abc import Iterator

from hubstack.catalog import Catalog
from hubstack.files.problems import Problem
from hubstack.inputs.models import ModelRequest
from hubstack.kinds import AcceleratorKind, PlatformKind
from hubstack.planner.placement.offers import list_offers
from hubstack.planner.platforms.rules import no_eula
from hubstack.planner.platforms.spec import PlatformSpec


def _find_problems(request: ModelRequest, _region: str, catalog: Catalog) -> Iterator[Problem]:
    yield from no_eula(request)
    settings = request.settings
    asked = [*settings.accelerators, *(step.accelerator for step in settings.capacity if step.accelerator)]
    rows = [row for word in asked if (row := catalog.accelerator(word))]
    if settings.share_gpu and rows and all(row.kind is AcceleratorKind.TPU for row in rows):
        message = (
            f"`share_gpu` is not supported on {', '.join(sorted({row.id for row in rows}))}: a TPU runs one server"
        )
        yield request.mark("share_gpu").problem(message, "remove the key, or name a GPU in `accelerator:`")


SPEC = PlatformSpec(kind=PlatformKind.GKE, offers=list_offers, find_problems=_find_problems)
