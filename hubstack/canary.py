# SPDX-License-Identifier: Apache-2.0
"""What a list must be for its requests to be routed: canaries, and the names by which models are asked for.

Owns these rules and warnings, and which name leads to which model. Does not own the entry that `canary:` makes
(`hubstack.request`) nor the routes (`hubstack.manifests.traffic`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from hubstack import names
from hubstack.gateway_plan import GatewayPlan
from hubstack.plan import ModelPlan
from hubstack.problems import Problem
from hubstack.request import ModelRequest, Request

BODY_ROUTER = "body-router"
"""Name of the objects that read the model's name from a request's body."""
PICKER_SUFFIX = "-picker"
_SETTING = "add `hubstack:gateway: {mode: services}` to the stack's settings (docs/gateway.md), or remove `canary:`"


class _Named(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def canary_of(self) -> str | None: ...


def model_names(models: Sequence[_Named]) -> dict[str, tuple[str, ...]]:
    """Return key to the names that lead to the model: its key, and its Hub id where that means no other model.

    Where several entries have one id it means the one whose key was made from it, else none: a second entry with a
    `name:` of its own then changes nothing of the first. A canary has no name: it answers to its primary's.
    """
    own = [model for model in models if model.canary_of is None]
    keys = {model.key for model in own}
    found: dict[str, tuple[str, ...]] = {}
    for model in own:
        others = [other for other in own if other.id == model.id and other.key != model.key]
        means_it = not others or model.key == names.key_of(model.id)
        found[model.key] = (model.key, model.id) if means_it and model.id not in keys else (model.key,)
    return found


def traffic_problems(request: Request, gateway: GatewayPlan | None) -> Iterator[Problem]:
    """Yield what cannot be routed as asked."""
    models = {model.key: model for model in request.models}
    for model in request.models:
        primary = models.get(model.canary_of or "")
        if primary is not None and gateway is None:
            message = f"`{primary.key}` has a canary, and nothing splits its requests: the stack has no gateway"
            yield model.mark("canary").problem(message, _SETTING)
        elif primary is not None and primary.replicas_min < 1:
            message = (
                f"`{primary.key}` has a canary and may rest: a share of its requests would keep no server awake"
            )
            yield model.mark("canary").problem(message, "set `replicas: {min: 1}`, or remove `canary:`")
        if gateway is not None and (why := _taken(model, models)):
            message = f"`{model.key}` is a name that {why} needs"
            yield model.mark("name").problem(message, "give the model another `name:`")


def _taken(model: ModelRequest, models: Mapping[str, ModelRequest]) -> str | None:
    if model.key == BODY_ROUTER:
        return "the gateway"
    base = model.key.removesuffix(PICKER_SUFFIX)
    return f"the endpoint picker of `{base}`" if base != model.key and base in models else None


def traffic_warnings(models: Sequence[ModelPlan], gateway: GatewayPlan | None) -> Iterator[str]:
    """Yield what is routed otherwise than one might think."""
    by_key = {model.key: model for model in models}
    for model in models:
        primary = by_key.get(model.canary_of or "")
        if primary and primary.commit == model.commit:
            yield f"{model.key}: its revision `{model.revision}` is the commit that `{primary.key}` has already"
    if gateway is None:
        return
    found = model_names(models)
    for repo_id in sorted({model.id for model in models}):
        keys = [model.key for model in models if model.id == repo_id and model.canary_of is None]
        if len(keys) > 1 and not any(repo_id in found[key] for key in keys):
            together = " and ".join(keys)
            yield f"the gateway does not know `{repo_id}` by its id, since {together} have it: use their keys"
