# SPDX-License-Identifier: Apache-2.0
"""What the rate limit service allows each caller, and under which names it counts.

Owns the descriptors that `hubstack.deploy.callers.proxy` sends, and the names of their metrics. Formats are those
of github.com/envoyproxy/ratelimit at the commit of its image (catalog/gateway_images.yaml).
"""

from collections.abc import Iterable

from hubstack.deploy.manifests.base import Object
from hubstack.plan.callers import CallerPlan, CallersPlan

DOMAIN = "callers"
CALLER, LIMIT, MODEL, USED = "caller", "limit", "model", "used"
REQUESTS, TOKENS, COST = "requests", "tokens", "cost"
METRICS_PREFIX = "hubstack_caller_"
LIMIT_HITS, LIMIT_REFUSED = f"{METRICS_PREFIX}limit_hits", f"{METRICS_PREFIX}limit_refused"
USED_METRIC, ERRORS_METRIC = f"{METRICS_PREFIX}used", f"{METRICS_PREFIX}limiter_errors"
"""Names of the metrics: by caller and limit; by caller, model and what was used; by kind of error."""
_UNITS = {REQUESTS: "minute", TOKENS: "minute", COST: "month"}
"""The service's month is 30 days."""
_COUNTED = {"unit": "minute", "requests_per_unit": 2**32 - 1}
"""The service counts only what has a limit; in shadow mode, the limit refuses nothing."""


def limits_config(callers: CallersPlan) -> Object:
    """Return the service's configuration."""
    return {"domain": DOMAIN, "descriptors": [_caller(each) for each in callers.callers]}


def _caller(caller: CallerPlan) -> Object:
    most = {REQUESTS: caller.requests_per_minute, TOKENS: caller.tokens_per_minute, COST: caller.budget_units}
    limits = [
        {"key": LIMIT, "value": name, "rate_limit": {"unit": _UNITS[name], "requests_per_unit": allowed}}
        for name, allowed in most.items()
        if allowed is not None
    ]
    used = [
        {
            "key": MODEL,
            "value": model,
            "descriptors": [
                {"key": USED, "value": what, "rate_limit": _COUNTED, "shadow_mode": True}
                for what in (REQUESTS, "input", "output", COST)
            ],
        }
        for model in caller.models
    ]
    return {"key": CALLER, "value": caller.name, "descriptors": [*limits, *used]}


def metric_names() -> Object:
    """Return the service's mapping of its statistics to Prometheus metrics."""
    head = rf"ratelimit\.service\.rate_limit\.{DOMAIN}\.{CALLER}_([^.]+)"
    limit, used = rf"\.{LIMIT}_([^.]+)", rf"\.{MODEL}_([^.]+)\.{USED}_([^.]+)"
    return {
        "mappings": [
            _mapping(rf"{head}{limit}\.total_hits", LIMIT_HITS, (CALLER, LIMIT)),
            _mapping(rf"{head}{limit}\.over_limit", LIMIT_REFUSED, (CALLER, LIMIT)),
            _mapping(rf"{head}{used}\.total_hits", USED_METRIC, (CALLER, MODEL, USED)),
            _mapping(r"ratelimit\.service\.call\.should_rate_limit\.([^.]+)", ERRORS_METRIC, ("error",)),
        ]
    }


def _mapping(match: str, name: str, labels: Iterable[str]) -> Object:
    found = {label: f"${number}" for number, label in enumerate(labels, 1)}
    return {"match": match, "match_type": "regex", "name": name, "labels": found}
