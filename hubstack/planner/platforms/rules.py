# SPDX-License-Identifier: Apache-2.0
"""Settings of a model that its platform does not support.

Owns these rules and their messages, each of which points at the line of the setting. A setting with its default
value is always allowed, so that one model can override the list's `defaults`. Does not own memory or prices.
"""

from collections.abc import Iterator

from hubstack.catalog import Catalog
from hubstack.files.problems import Problem
from hubstack.inputs.models import DRAFT_FIELD, ModelRequest


def beside_nodes(request: ModelRequest) -> Iterator[Problem]:
    """Yield a problem for each setting that only a cluster supports."""
    settings = request.settings
    for setting, (why, hint) in _ON_NODES_ONLY.items():
        is_asked = request.canary_of is not None if setting == "canary" else not settings.is_default(setting)
        if is_asked:
            yield request.mark(setting).problem(f"`{setting}` is not supported on {settings.platform}: {why}", hint)
    if settings.speculative and settings.speculative.model:
        why = f"`speculative` with a model of another repository is not supported on {settings.platform}"
        said = f"{why}: only a cluster's loader stages it beside the weights"
        yield request.mark(DRAFT_FIELD).problem(said, "use `{method: ngram}`, or set `platform: gke`")


_ON_NODES_ONLY = {
    "capacity": ("it has no nodes to buy", "set `capacity: [on-demand]` for this model, or remove the key"),
    "share_gpu": ("each server gets its own GPU", "set `share_gpu: false` for this model, or remove the key"),
    "expert_parallel": ("a server runs on one GPU", "remove the key"),
    "batch": ("its Job runs on the nodes of a cluster", "remove the key, or set `platform: gke`"),
    "canary": ("only a cluster's gateway splits requests", "remove the key, or set `platform: gke`"),
    "loading": ("the platform loads the weights its own way", "remove the key"),
    "cache": ("only a cluster's nodes use the cache", "remove the key"),
    "files": ("only a cluster's servers mount them", "remove the key, or set `platform: gke`"),
    "keep_previous": ("earlier versions are not removed there", "remove the key"),
    "lora": (
        "only a cluster's loader stages adapters beside the weights",
        "remove the key, or set `platform: gke`",
    ),
}
"""Setting to the reason why other platforms do not have it, and what to do."""


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
