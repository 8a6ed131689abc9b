# SPDX-License-Identifier: Apache-2.0
"""Which models each caller may use, what a token costs it, and in which unit costs are counted.

Owns these decisions and their problems. Does not own the settings (`hubstack.inputs.callers`) nor the proxy's
configuration (`hubstack.deploy.callers`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from hubstack import names
from hubstack.catalog import Catalog
from hubstack.catalog.gateway_images import COUNTERS, LIMITER, PROXY
from hubstack.files.problems import Problem, nearest
from hubstack.inputs.callers import MOST, SETTING
from hubstack.inputs.models import ModelRequest, Request
from hubstack.inputs.settings import StackSettings
from hubstack.plan import ModelPlan
from hubstack.plan.callers import CallerPlan, CallersPlan, ProxyImage, TokenPrice
from hubstack.planner.model_plan import LOADER_IMAGE
from hubstack.planner.platforms import NODES
from hubstack.planner.serving.routing import model_names

SMALLEST_UNIT = -6
"""Exponent of the smallest unit of cost: a millionth of a USD."""


def caller_problems(request: Request, target: StackSettings) -> Iterator[Problem]:
    """Yield a problem for each model of a caller that the gateway does not serve.

    In a stack that is one cluster of several, a model may be another cluster's, and is left out.
    """
    if target.clusters or target.shard_of:
        return
    own = [model for model in request.models if model.settings.platform is NODES]
    keys = _keys_by_name(own)
    elsewhere = {name: model for model in request.models if model not in own for name in (model.key, model.id)}
    refused = _keys_by_name(request.left_out)
    canaries = {model.key: model for model in own if model.canary_of}
    for caller, asked in sorted(target.callers.items()):
        setting = f"{SETTING}.{caller}.models"
        found: dict[str, str] = {}
        for name in asked.models:
            if name in canaries:
                primary = canaries[name].canary_of
                message = f"names `{name}`, a canary: it gets a share of the requests to `{primary}`"
                yield target.problem(setting, f"`{setting}` {message}", f"name `{primary}` alone")
            elif name in elsewhere:
                where = elsewhere[name].settings.platform
                message = f"names `{name}`, which runs on {where}: the gateway serves models on GKE only"
                yield target.problem(setting, f"`{setting}` {message}", "remove it from the list")
            elif name in refused:
                continue
            elif name not in keys:
                near = nearest(name, keys)
                hint = (
                    f"did you mean `{near}`?"
                    if near
                    else f"the gateway serves {', '.join(sorted(set(keys.values())))}"
                )
                message = f"names `{name}`, which is not a model of the list"
                yield target.problem(setting, f"`{setting}` {message}", hint)
            elif keys[name] in found:
                message = f"names `{keys[name]}` twice: as `{found[keys[name]]}` and as `{name}`"
                yield target.problem(setting, f"`{setting}` {message}", "remove one of them")
            else:
                found[keys[name]] = name


def plan_callers(models: Sequence[ModelPlan], target: StackSettings, catalog: Catalog) -> CallersPlan:
    """Return the callers of a stack with callers."""
    keys = _keys_by_name(models)
    prices = {model.key: price for model in models if (price := _price(model))}
    unit = unit_of([asked.usd_per_month for asked in target.callers.values() if asked.usd_per_month])
    callers = tuple(
        CallerPlan(
            name=name,
            secret_id=f"hubstack-{names.slug(target.stack)}-caller-{name}",
            readers=tuple(sorted(asked.readers)),
            models=tuple(sorted({keys[each] for each in asked.models if each in keys})),
            requests_per_minute=asked.requests_per_minute,
            tokens_per_minute=asked.tokens_per_minute,
            budget_units=None if asked.usd_per_month is None else max(1, round(asked.usd_per_month / 10.0**unit)),
        )
        for name, asked in sorted(target.callers.items())
    )
    images = {
        role: ProxyImage(image=row.image, command=row.command, user=row.user)
        for role in (PROXY, LIMITER, COUNTERS)
        for row in (catalog.gateway_images[role],)
    }
    return CallersPlan(
        callers=callers,
        prices=prices,
        unit_usd=10.0**unit,
        proxy=images[PROXY],
        limiter=images[LIMITER],
        counters=images[COUNTERS],
        keys_image=LOADER_IMAGE,
    )


def budget_problems(callers: CallersPlan, target: StackSettings) -> Iterator[Problem]:
    """Yield a problem for each budget that cannot be kept, because a model's cost per token is not known."""
    for caller in callers.callers:
        unknown = [key for key in caller.models if key not in callers.prices]
        if caller.budget_units is not None and unknown:
            setting = f"{SETTING}.{caller.name}.usd_per_month"
            listed = ", ".join(f"`{key}`" for key in unknown)
            message = f"`{setting}` cannot be enforced: the plan has no cost per token for {listed}"
            hint = (
                f"measure the model (`hubstack bench ENV {unknown[0]}`), remove it from the caller's models, or "
                "limit `tokens_per_minute` instead"
            )
            yield target.problem(setting, message, hint)


def caller_warnings(models: Sequence[ModelPlan], callers: CallersPlan, target: StackSettings) -> Iterator[str]:
    """Yield what a reader of the settings could miss."""
    used = {key for caller in callers.callers for key in caller.models}
    unused = [model.key for model in models if model.canary_of is None and model.key not in used]
    if unused:
        yield f"no caller may use {', '.join(unused)}: such requests are refused"
    if target.gateway and not target.gateway.certificate:
        yield "callers' keys cross the network without TLS: give the gateway a `host` and a certificate"


def unit_of(budgets: Sequence[float]) -> int:
    """Return the power of ten, in USD, in which the largest budget is a number of 32 bits."""
    most = max(budgets, default=0.0)
    return max(SMALLEST_UNIT, math.ceil(math.log10(most / MOST))) if most else SMALLEST_UNIT


def _keys_by_name(models: Sequence[ModelRequest] | Sequence[ModelPlan]) -> Mapping[str, str]:
    """Return every name that selects a model to its key."""
    return {name: key for key, each in model_names(models).items() for name in each}


def _price(model: ModelPlan) -> TokenPrice | None:
    """Return what a model's tokens cost under the traffic of the list, or else at full load."""
    found = model.performance
    if found is None:
        return None
    cost = (found.traffic.cost if found.traffic else None) or found.cost
    if cost is None:
        return None
    output = cost.usd_per_million_output_tokens
    return TokenPrice(
        usd_per_million_input=cost.usd_per_million_input_tokens.value,
        usd_per_million_output=output.value if output else 0.0,
    )
