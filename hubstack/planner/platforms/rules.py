# SPDX-License-Identifier: Apache-2.0
"""Settings of a model that its platform does not support.

Owns these rules and their messages, each of which points at the line of the setting. A setting with its default
value is always allowed, so that one model can override the list's `defaults`. Does not own memory or prices.
"""

from collections.abc import Iterator

from hubstack.catalog import Catalog
from hubstack.files.problems import Problem
from hubstack.inputs.models import ModelRequest
from hubstack.inputs.models_schema import ON_DEMAND


def beside_nodes(request: ModelRequest) -> Iterator[Problem]:
    """Yield a problem for each setting that only a cluster supports."""
    settings = request.settings
    asked = (
        (
            "capacity",
            settings.capacity != ON_DEMAND,
            "it has no nodes to buy",
            "set `capacity: [on-demand]` for this model, or remove the key",
        ),
        (
            "share_gpu",
            settings.share_gpu,
            "each server gets its own GPU",
            "set `share_gpu: false` for this model, or remove the key",
        ),
        ("expert_parallel", settings.expert_parallel, "a server runs on one GPU", "remove the key"),
        (
            "canary",
            request.canary_of is not None,
            "only a cluster's gateway splits requests",
            "remove the key, or set `platform: gke`",
        ),
        (
            "loading",
            settings.loading != "auto",
            "the platform loads the weights its own way",
            "remove the key",
        ),
        ("cache", settings.cache != "none", "only a cluster's nodes use the cache", "remove the key"),
        (
            "keep_previous",
            settings.keep_previous,
            "earlier versions are not removed there",
            "remove the key",
        ),
        (
            "lora",
            settings.lora is not None,
            "adapters loaded at run time are lost when the server stops",
            "remove the key, or set `platform: gke`",
        ),
    )
    for setting, is_asked, why, hint in asked:
        if is_asked:
            yield request.mark(setting).problem(f"`{setting}` is not supported on {settings.platform}: {why}", hint)


def absent_accelerators(request: ModelRequest, known: list[str], catalog: Catalog) -> Iterator[Problem]:
    """Yield a problem for each accelerator that the platform does not have; unknown names are checked elsewhere."""
    for word in request.settings.accelerators:
        row = catalog.accelerator(word)
        if row and row.id not in known:
            hint = f"accelerators on {request.settings.platform}: {', '.join(known)}"
            yield request.mark("accelerator").problem(f"{request.settings.platform} has no `{word}`", hint)


def no_eula(request: ModelRequest) -> Iterator[Problem]:
    """Yield a problem if the request accepts terms on a platform that has none to accept."""
    if request.settings.accept_eula:
        platform = request.settings.platform
        why = f"`accept_eula` applies to Model Garden only: on {platform} the weights come from the Hub"
        yield request.mark("accept_eula").problem(why, "remove the key, or set `platform: vertex`")
