# SPDX-License-Identifier: Apache-2.0
"""Runs a check: reads the files, plans, previews, runs the policy pack, applies waivers.

Owns the order, and which steps are skipped after an earlier failure. The caller passes the date.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hubstack.files.documents import Mark
from hubstack.hub.lock import Lock, check_fresh, lock_path, other_repository
from hubstack.inputs.renames import current_keys
from hubstack.inputs.stack import Stack
from hubstack.names import original_key
from hubstack.plan import Plan
from hubstack.planner.inputs import StackInputs, stack_lock
from hubstack.planner.placement.write_placement import differences
from hubstack.planner.planner import places_of, plan_inputs
from hubstack.review.check.finding import Finding, merged, settled
from hubstack.review.check.pack import judge_path, pack_findings
from hubstack.review.check.plan_rules import model_findings, stack_findings
from hubstack.review.check.policy_file import Policy, following, load_policy, policy_path
from hubstack.review.check.quota import NAME as QUOTA_NAME
from hubstack.review.check.quota import lacking_refreshed, load_quota, missing_zones
from hubstack.review.preview.environment import preview_stack
from hubstack.review.report.freshness import age_line

BUDGET = "hubstack:budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of a check."""

    stack: str
    findings: tuple[Finding, ...]
    """Failures first."""
    notes: tuple[str, ...]
    """What was not checked, and why."""
    judged: int
    """Number of resources that the policy pack checked."""

    @property
    def failures(self) -> int:
        """Return the number of failing findings."""
        return sum(1 for finding in self.findings if finding.is_failure)

    @property
    def passes(self) -> bool:
        """Return whether the check passes: nothing failed and at least one resource was checked."""
        return not self.failures and self.judged > 0


def check_stack(stack: Stack, today: dt.date) -> Report:
    """Check a stack.

    Args:
        stack: the loaded stack; policy.yaml and quota.yaml are next to its config file.
        today: the date on which waivers must be valid.

    Raises:
        InputError: a file cannot be read, or a locked list cannot be planned.
        HubstackError: the program or the pack failed.
    """
    config_file = stack.source.path
    policy = load_policy(path := policy_path(config_file), _shown(path, stack.project_dir), stack.name)
    policy = replace(policy, waivers=following(policy.waivers, current_keys(stack.all_models.models)))
    lock, lock_findings = _lock_findings(stack)
    if lock is None:
        note = "only the lock was checked: the plan needs every model locked"
        found = settled(lock_findings, replace(policy, waivers=()), today)
        return Report(stack=stack.name, findings=found, notes=(note,), judged=0)
    inputs = StackInputs.of(stack, lock)
    plan = plan_inputs(inputs)
    findings = [*_plan_findings(stack, inputs, plan, policy)]
    seen, judged = _graph_findings(stack, inputs, plan, policy)
    return Report(
        stack=stack.name,
        findings=settled(merged([*lock_findings, *findings, *seen]), policy, today),
        notes=(*_other_repositories(inputs), *_notes(config_file, inputs, today)),
        judged=judged,
    )


def _shown(path: Path, project: Path) -> str:
    return str(path.relative_to(project) if path.is_relative_to(project) else path)


def _lock_findings(stack: Stack) -> tuple[Lock | None, list[Finding]]:
    """Return the lock (None if it lacks a model of the list) and the findings about it."""
    request, name = stack.all_models, stack.models_path
    shown = str(lock_path(Path(name)))
    if not lock_path(stack.project_dir / name).exists():
        return None, [Finding(rule="HS030", message=f"{shown} does not exist", mark=Mark(name, 1, 1, ""))]
    lock = stack_lock(stack)
    fresh = check_fresh(lock, request.repositories)
    missing, stale = set(fresh.missing), {(entry.id, entry.revision): entry for entry in fresh.stale}
    found: list[Finding] = []
    asked = [
        (model, *each) for model in request.models for each in ((model.id, model.revision, "id"), *model.companions)
    ]
    for model, repo_id, revision, field in asked:
        if (repo_id, revision) in missing:
            found.append(
                Finding(rule="HS030", message=f"{repo_id} is not locked", model=model.key, mark=model.mark(field))
            )
        elif (repo_id, revision) in stale:
            held = ", ".join(stale[repo_id, revision].locked_revisions)
            text = f"{repo_id} is locked at {held}, not at {revision}"
            mark = model.mark("revision" if field == "id" else field)
            found.append(Finding(rule="HS030", message=text, model=model.key, mark=mark))
    for repo_id, revision in fresh.extra:
        text = f"{repo_id} at {revision} is locked but not in the list"
        found.append(Finding(rule="HS030", message=text, mark=Mark(shown, 1, 1, "")))
    return None if missing or stale else lock, found


def _plan_findings(stack: Stack, inputs: StackInputs, plan: Plan, policy: Policy) -> Iterator[Finding]:
    requests = {model.key: model for model in inputs.request.models}
    yield from model_findings(plan, inputs.facts, inputs.companions, requests, policy.limits)
    quota_file = stack.source.path.with_name(QUOTA_NAME)
    quota = load_quota(quota_file, _shown(quota_file, stack.project_dir))
    budget_mark = stack.source.document.mark(("config", BUDGET))
    yield from stack_findings(plan, policy, quota, inputs.target.budget_usd_per_month, budget_mark)
    if inputs.quota is not None:
        mark = Mark(inputs.quota_name, 1, 1, "")
        short = () if quota else lacking_refreshed(plan, inputs.quota)  # quota.yaml is the user's own word
        for message in (*short, *missing_zones(plan, inputs.quota)):
            yield Finding(rule="HS022", message=message, mark=mark)
    for line in differences(inputs.placement.models, places_of(plan), current_keys(plan.models)):
        key, _, text = line.partition(": ")
        yield Finding(rule="HS031", message=text, model=key, mark=Mark(inputs.placement_name, 1, 1, ""))


def _graph_findings(stack: Stack, inputs: StackInputs, plan: Plan, policy: Policy) -> tuple[list[Finding], int]:
    """Run the program and pass the registered resources to the policy pack; return how many there were."""
    graph = preview_stack(stack, plan)
    models = inputs.request.models
    places = {model.key: model.mark("id") for model in models}
    judge, keys = judge_path(stack.project_dir), {original_key(m): m.key for m in models}
    found = pack_findings(judge, graph, policy.limits, places, policy.marks, keys)
    return found, len(graph.resources)


def _other_repositories(inputs: StackInputs) -> Iterator[str]:
    for model in inputs.request.models:
        facts = inputs.facts.get(model.key)
        if facts and (text := other_repository(model.id, facts)):
            yield f"{model.key}: {text}"


def _notes(config_file: Path, inputs: StackInputs, today: dt.date) -> Iterator[str]:
    if not config_file.with_name(QUOTA_NAME).exists() and inputs.quota is None:
        yield f"quota was not checked: no {QUOTA_NAME} next to {config_file.name}, and no {inputs.quota_name}"
    for name, file in ((inputs.prices_name, inputs.refreshed), (inputs.quota_name, inputs.quota)):
        if file:
            yield age_line(name, file.as_of, today)
    yield "checked offline: quota and scan results come from files, and availability is unknown"
