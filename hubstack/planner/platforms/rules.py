# SPDX-License-Identifier: Apache-2.0
"""What a request may not ask for on the platform that it names.

Owns these rules and their words; each points at the line of the setting. A setting that says its default is no
question, so that one model of a list may go elsewhere than its `defaults`. Does not own memory or prices.
"""

from collections.abc import Iterator

from hubstack.catalog import Catalog
from hubstack.files.problems import Problem
from hubstack.inputs.models import CapacityStep, ModelRequest
from hubstack.kinds import CapacityKind

BOUGHT_AS_IS = (CapacityStep(kind=CapacityKind.ON_DEMAND),)


def beside_nodes(request: ModelRequest) -> Iterator[Problem]:
    """Yield what only a cluster has."""
    platform = request.platform
    asked = (
        ("capacity", request.capacity != BOUGHT_AS_IS, "no nodes are bought there",
         "say `capacity: [on-demand]` for this model, or leave it out"),
        ("share_gpu", request.share_gpu, "a server has a card of its own there",
         "say `share_gpu: false` for this model, or leave it out"),
        ("expert_parallel", request.expert_parallel, "a server has one machine there", "leave it out"),
        ("canary", request.canary_of is not None, "only the gateway of a cluster splits requests",
         "leave it out, or set `platform: gke`"),
        ("loading", request.loading != "auto", "the platform reads the weights in its own way", "leave it out"),
        ("cache", request.cache != "none", "it serves the nodes of a cluster", "leave it out"),
        ("keep_previous", request.keep_previous, "nothing is removed there", "leave it out"),
        ("lora", bool(request.lora_slots), "adapters that are loaded while it runs are lost when it stops",
         "leave it out, or set `platform: gke`"),
    )  # fmt: skip
    for setting, is_asked, why, hint in asked:
        if is_asked:
            yield request.mark(setting).problem(f"`{setting}` makes no sense on {platform}: {why}", hint)


def absent_accelerators(request: ModelRequest, known: list[str], catalog: Catalog) -> Iterator[Problem]:
    """Name each accelerator that the platform does not have; unknown words are another rule's."""
    for word in request.accelerators:
        row = catalog.accelerator(word)
        if row and row.id not in known:
            hint = f"it has: {', '.join(known)}"
            yield request.mark("accelerator").problem(f"{request.platform} has no `{word}`", hint)


def no_eula(request: ModelRequest) -> Iterator[Problem]:
    """Yield the problem of a request that accepts terms where there are none to accept."""
    if request.accept_eula:
        why = f"`accept_eula` is for Model Garden: on {request.platform} the weights come from the Hub"
        yield request.mark("accept_eula").problem(why, "leave it out, or set `platform: vertex`")
