# SPDX-License-Identifier: Apache-2.0
"""How requests reach a model: its names, its endpoint picker, and the rules for canaries.

Owns these rules and their warnings. Does not own the entry that `canary:` adds (`hubstack.inputs.models`) or the
routes (`hubstack.deploy.manifests.traffic`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from hubstack import names
from hubstack.files.problems import Problem
from hubstack.inputs.models import ModelRequest, Request
from hubstack.plan import ModelPlan
from hubstack.plan.addresses import INTERCEPTOR_PORT
from hubstack.plan.gateway import GatewayMode, GatewayPlan, TrafficPlan

BODY_ROUTER = "body-router"
"""Name of the objects that read the model's name from a request's body."""
PICKER_SUFFIX = "-picker"
CALLERS, COUNTERS = "callers", "callers-counters"
"""Names of the objects of the callers' proxy and of its counters."""
_SETTING = "add `hubstack:gateway: {mode: services}` to the settings (docs/concepts/gateway.md) or remove `canary:`"


class _Named(names.Keyed, Protocol):
    @property
    def id(self) -> str: ...


def model_names(models: Sequence[_Named]) -> dict[str, tuple[str, ...]]:
    """Return each model's names by key: its current and former keys, and its Hub ID if it has an unambiguous one.

    If several entries share a Hub ID, it belongs to the entry whose key is derived from it, or to none, so adding a
    second entry with its own `name:` does not affect the first. A canary has no names of its own: it serves
    requests for its primary.
    """
    own = [model for model in models if model.canary_of is None]
    keys = {key for model in own for key in names.entry_keys(model)}
    entries = Counter(model.id for model in own)
    found: dict[str, tuple[str, ...]] = {}
    for model in own:
        mine, model_id = names.entry_keys(model), model.id
        means_it = not names.is_own(model_id) and (entries[model_id] == 1 or names.key_of(model_id) in mine)
        found[model.key] = (*mine, model_id) if means_it and model_id not in keys else mine
    return found


def picked_models(models: Sequence[ModelPlan], gateway: GatewayPlan | None) -> frozenset[str]:
    """Return the keys of models that get an endpoint picker.

    Only models with several servers get one: for a single server it costs a CPU and has no choice to make. A canary
    follows its primary, so that a route never mixes both kinds of backend.
    """
    if gateway is None or gateway.mode is not GatewayMode.INFERENCE:
        return frozenset()
    by_key = {model.key: model for model in models}
    pairs = [(model, by_key.get(model.canary_of or "", model)) for model in models]
    unread = frozenset(
        first.key for model, first in pairs if not (model.server.picker_metrics and first.server.picker_metrics)
    )
    return frozenset(
        model.key
        for model, first in pairs
        if first.replicas.min > 0 and first.replicas.max > 1 and first.key not in unread
    )


def served_names(models: Sequence[ModelPlan]) -> dict[str, tuple[str, ...]]:
    """Return each model's names by key as `model_names` does, and the names of its adapters after them."""
    adapters = {model.key: tuple(each.name for each in model.adapters) for model in models}
    return {key: (*found, *adapters[key]) for key, found in model_names(models).items()}


def plan_traffic(models: Sequence[ModelPlan], gateway: GatewayPlan) -> TrafficPlan:
    """Return how a gateway routes requests to the models on GKE."""
    return TrafficPlan(names=served_names(models), picked=tuple(sorted(picked_models(models, gateway))))


def endpoints_of(models: Sequence[ModelPlan], namespaces: Mapping[str, str]) -> dict[str, str]:
    """Return the API's address inside the cluster by model name: a model's key, an adapter's name.

    Args:
        models: the models on GKE.
        namespaces: model key to its namespace.
    """
    found = {model.key: endpoint_of(model, namespaces[model.key]) for model in models}
    adapters = {each.name: found[model.key] for model in models for each in model.adapters if not model.canary_of}
    return found | dict(sorted(adapters.items()))


def endpoint_of(model: ModelPlan, namespace: str) -> str:
    """Return the API's address inside the cluster: the interceptor's if the model scales to zero."""
    name = names.original_key(model)
    if model.scaling and model.scaling.scales_to_zero:
        host = f"{names.cluster_host(names.activation_service_name(name), namespace)}:{INTERCEPTOR_PORT}"
    else:
        host = names.cluster_host(name, namespace)
    return f"http://{host}{model.server.api_path}"


def traffic_problems(
    request: Request, gateway: GatewayPlan | None, *, has_callers: bool = False
) -> Iterator[Problem]:
    """Yield a problem for each request setting that cannot be routed."""
    models = {model.key: model for model in request.models}
    made = {names.original_key(model): model for model in request.models}
    for model in request.models:
        primary = models.get(model.canary_of or "")
        if primary is not None and gateway is None:
            message = f"`{primary.key}` has a canary, but the stack has no gateway to split its requests"
            yield model.mark("canary").problem(message, _SETTING)
        elif primary is not None and primary.settings.replicas.min < 1:
            message = (
                f"`{primary.key}` has a canary and scales to zero: a share of its requests cannot keep it running"
            )
            yield model.mark("canary").problem(message, "set `replicas: {min: 1}`, or remove `canary:`")
        name = names.original_key(model)
        if gateway is not None and (why := _taken(name, made) or _taken_by_proxy(name, has_callers=has_callers)):
            message = f"`{name}` is reserved for {why}"
            yield model.mark("name").problem(message, "give the model another `name:`")


def _taken_by_proxy(name: str, *, has_callers: bool) -> str | None:
    return "the proxy of `hubstack:callers`" if has_callers and name in {CALLERS, COUNTERS} else None


def _taken(name: str, made: Mapping[str, ModelRequest]) -> str | None:
    """Return what a physical name is reserved for, or None; `made` maps original keys to models."""
    if name == BODY_ROUTER:
        return "the gateway"
    base = name.removesuffix(PICKER_SUFFIX)
    return f"the endpoint picker of `{made[base].key}`" if base != name and base in made else None


def traffic_warnings(models: Sequence[ModelPlan], gateway: GatewayPlan | None) -> Iterator[str]:
    """Yield a warning for each case of surprising routing."""
    by_key = {model.key: model for model in models}
    for model in models:
        primary = by_key.get(model.canary_of or "")
        if primary and primary.commit == model.commit and primary.server.image == model.server.image:
            yield f"{model.key}: its revision `{model.revision}` is the same commit as `{primary.key}`"
    if gateway is None:
        return
    found = model_names(models)
    keys_of: dict[str, list[str]] = {}
    for model in models:
        if model.canary_of is None:
            keys_of.setdefault(model.id, []).append(model.key)
    for repo_id, keys in sorted(keys_of.items()):
        if len(keys) > 1 and not names.is_own(repo_id) and not any(repo_id in found[key] for key in keys):
            together = " and ".join(keys)
            yield f"the gateway does not accept `{repo_id}`, because {together} share that ID: use their keys"
