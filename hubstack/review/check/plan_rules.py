# SPDX-License-Identifier: Apache-2.0
"""The rules that need only list, lock and plan.

Owns the checks of models, accelerators, cost and quota. Pure: reads no files and no clock.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from hubstack.files.documents import Mark
from hubstack.hub.facts import ModelFacts
from hubstack.inputs.models import ModelRequest
from hubstack.names import is_own
from hubstack.plan import CompanionPlan, ModelPlan, Plan
from hubstack.plan.provenance import CLEAN, UNFINISHED, UNKNOWN
from hubstack.review.check.finding import Finding
from hubstack.review.check.policy_file import Policy
from hubstack.review.check.quota import Quota, lacking, pool_limit

Limits = Mapping[str, Any]


def model_findings(
    plan: Plan,
    facts: Mapping[str, ModelFacts],
    beside: Mapping[tuple[str, str], ModelFacts],
    requests: Mapping[str, ModelRequest],
    limits: Limits,
) -> Iterator[Finding]:
    """Check each model, and each adapter and draft model like a model of its own.

    Args:
        plan: the plan.
        facts: locked facts by model key.
        beside: locked facts of adapters and draft models by repository ID and commit.
        requests: the list entries by model key; they give the findings' locations.
        limits: resolved limits of policy.yaml.
    """
    for model in plan.models:
        for rule, field, look in _MODEL_RULES:
            for message in look(model, facts[model.key], limits):
                place = _place(requests[model.key], field)
                yield Finding(rule=rule, message=message, model=model.key, mark=place)
        for companion in () if model.canary_of else model.companions or ():
            own = beside[companion.id, companion.commit]
            yield from _companion_findings(model, companion, own, requests[model.key], limits)


def _companion_findings(
    model: ModelPlan, companion: CompanionPlan, own: ModelFacts, request: ModelRequest, limits: Limits
) -> Iterator[Finding]:
    alike = replace(model, license=companion.license, provenance=companion.provenance)
    asked = own.asked_id or own.id
    mark = next((request.mark(field) for repo_id, _, field in request.companions if repo_id == asked), None)
    for rule, _, look in _MODEL_RULES:
        for message in look(alike, own, limits):
            text = f"{companion.role} {companion.id}: {message}"
            yield Finding(rule=rule, message=text, model=model.key, mark=mark or request.mark("id"))


def _place(request: ModelRequest, field: str) -> Mark:
    return request.marks.get(field) or request.marks["id"]


def _license(model: ModelPlan, facts: ModelFacts, limits: Limits) -> Iterator[str]:  # noqa: ARG001  one signature
    allowed = limits["licenses"]
    if allowed is None:
        return
    known = {word.lower() for word in allowed}
    refused = [word for word in re.split(r",\s*", model.license or "") if word.lower() not in known]
    if refused:
        yield f"licence {', '.join(refused) or 'not stated'}; allowed: {', '.join(allowed)}"


def _license_stated(model: ModelPlan, facts: ModelFacts, limits: Limits) -> Iterator[str]:  # noqa: ARG001
    if not model.license:
        yield "no licence stated"


def _remote_code(model: ModelPlan, facts: ModelFacts, limits: Limits) -> Iterator[str]:  # noqa: ARG001
    if model.provenance.runs_remote_code:
        yield "the server runs Python code from the repository"


def _format(model: ModelPlan, facts: ModelFacts, limits: Limits) -> Iterator[str]:  # noqa: ARG001
    allowed: list[str] = limits["weights_formats"] or []
    held = model.provenance.weights_format
    if held not in allowed:
        yield f"weights use the {held} format; allowed: {', '.join(allowed)}"


def _scan_clean(model: ModelPlan, facts: ModelFacts, limits: Limits) -> Iterator[str]:  # noqa: ARG001
    if model.provenance.scan not in {CLEAN, UNFINISHED, UNKNOWN}:
        named = [f"{path} ({level})" for path, level in sorted(facts.security.issues.items())]
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        yield f"the Hub's scan flags {', '.join(named[:3])}{more}"


def _scan_known(model: ModelPlan, facts: ModelFacts, limits: Limits) -> Iterator[str]:  # noqa: ARG001
    if model.provenance.scan in {UNFINISHED, UNKNOWN}:
        yield "own weights are not scanned" if is_own(model.id) else f"the Hub's scan is {model.provenance.scan}"


_Look = Callable[[ModelPlan, ModelFacts, Limits], Iterator[str]]
_MODEL_RULES: tuple[tuple[str, str, _Look], ...] = (
    ("HS001", "id", _license),
    ("HS002", "id", _license_stated),
    ("HS003", "trust_remote_code", _remote_code),
    ("HS004", "allow_pickle", _format),
    ("HS005", "allow_unsafe", _scan_clean),
    ("HS006", "id", _scan_known),
)
"""Rule ID, the list key that a finding points at, and the check."""


def stack_findings(
    plan: Plan, policy: Policy, quota: Quota | None, budget: float | None, budget_mark: Mark | None
) -> Iterator[Finding]:
    """Check accelerators, cost and quota of the whole stack."""
    yield from _accelerators(plan, policy)
    largest, limit = plan.cost.usd_per_month_max, policy.limits["max_usd_per_month"]
    if limit is not None and largest > limit:
        text = f"the plan may cost up to ${largest:,.0f} a month; allowed: ${limit:,.0f}"
        yield Finding(rule="HS021", message=text, mark=policy.marks.get("max_usd_per_month"))
    if budget is not None and largest > budget:
        text = f"the plan may cost up to ${largest:,.0f} a month; `hubstack:budget`: ${budget:,.0f}"
        yield Finding(rule="HS021", message=text, mark=budget_mark)
    if quota is not None:
        for accelerator, message in lacking(plan, quota):
            yield Finding(rule="HS022", message=message, mark=quota.mark(plan.target.region, accelerator))


def _accelerators(plan: Plan, policy: Policy) -> Iterator[Finding]:
    limits = policy.limits["max_accelerators"]
    if limits is None:
        return
    counts: dict[str, int] = {}
    for pool in plan.pools:
        counts[pool.gke_accelerator] = counts.get(pool.gke_accelerator, 0) + pool_limit(pool)
    for model in plan.models:
        if not model.has_nodes:
            kind = model.gke_accelerator
            counts[kind] = counts.get(kind, 0) + model.accelerator_count * model.replicas.max
    for kind, count in sorted(counts.items()):
        if count > limits.get(kind, 0):
            text = f"node pools may grow to {count} {kind}; allowed: {limits.get(kind, 0)}"
            yield Finding(rule="HS020", message=text, mark=policy.marks.get("max_accelerators"))
