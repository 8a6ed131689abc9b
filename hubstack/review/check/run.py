# SPDX-License-Identifier: Apache-2.0
"""The sequence of a check: files, plan, graph, pack, waivers.

Owns the order and what is left out where an earlier step already failed. The day is asked by the caller.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hubstack.catalog import load_catalog
from hubstack.files.documents import Mark, parse_document, read_text
from hubstack.hub.facts import ModelFacts
from hubstack.hub.lock import check_fresh, load_lock, lock_path
from hubstack.inputs.environment import Environment
from hubstack.inputs.models import Request
from hubstack.inputs.renames import present_keys
from hubstack.inputs.stack import read_shard
from hubstack.names import made_as
from hubstack.plan import Plan
from hubstack.planner.placement.placement_file import placement_path
from hubstack.planner.placement.write_placement import differences
from hubstack.planner.planner import Inputs, places_of, plan_stack, read_inputs
from hubstack.review.check.finding import Finding, merged, settled
from hubstack.review.check.pack import judge_path, pack_findings
from hubstack.review.check.plan_rules import model_findings, stack_findings
from hubstack.review.check.policy_file import Policy, following, load_policy, policy_path
from hubstack.review.check.quota import NAME as QUOTA_NAME
from hubstack.review.check.quota import load_quota
from hubstack.review.preview.environment import preview_environment

BUDGET = "hubstack:budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a check has to say."""

    stack: str
    findings: tuple[Finding, ...]
    """Failures first."""
    notes: tuple[str, ...]
    """What was not judged, and why."""
    judged: int
    """Resources that the pack was shown."""

    @property
    def failures(self) -> int:
        """Count what fails the check."""
        return sum(1 for finding in self.findings if finding.is_failure)


def check_environment(environment: Environment, config: Mapping[str, str], today: dt.date) -> Report:
    """Check a stack.

    Args:
        environment: the stack and its files.
        config: full config key to text.
        today: the day that waivers are held against.

    Raises:
        InputError: a file cannot be read, or no plan can be made of a locked list.
        HubstackError: the program or the pack failed.
    """
    project = environment.project_dir
    policy = load_policy(path := policy_path(environment.config_file), _shown(path, project), environment.stack)
    shard = read_shard(project, environment.stack, config)
    target = shard.target
    policy = replace(policy, waivers=following(policy.waivers, present_keys(shard.listed.models)))
    lock_findings, is_locked = _lock_findings(project / target.models_path, target.models_path, shard.listed)
    if not is_locked:
        note = "only the lock was judged: no plan is made of a list that is not locked"
        found = settled(lock_findings, replace(policy, waivers=()), today)
        return Report(stack=environment.stack, findings=found, notes=(note,), judged=0)
    inputs = read_inputs(project, environment.stack, config)
    plan = plan_stack(inputs.request, inputs.lock, load_catalog(), target, inputs.placement)
    findings = [*_plan_findings(environment, inputs, plan, policy)]
    seen, notes, judged = _graph_findings(environment, inputs, policy)
    return Report(
        stack=environment.stack, findings=settled(merged([*lock_findings, *findings, *seen]), policy, today),
        notes=(*notes, *_notes(environment)), judged=judged,
    )  # fmt: skip


def _shown(path: Path, project: Path) -> str:
    return str(path.relative_to(project) if path.is_relative_to(project) else path)


def _lock_findings(models: Path, name: str, request: Request) -> tuple[list[Finding], bool]:
    """Return what is wrong with the lock, and whether it holds every model that is asked for."""
    path, shown = lock_path(models), str(lock_path(Path(name)))
    if not path.exists():
        return [Finding(rule="HS030", message=f"there is no {shown}", mark=Mark(name, 1, 1, ""))], False
    fresh = check_fresh(load_lock(path, shown), [(model.id, model.revision) for model in request.models])
    missing, stale = set(fresh.missing), {(entry.id, entry.revision): entry for entry in fresh.stale}
    found: list[Finding] = []
    for model in request.models:
        asked = (model.id, model.revision)
        if asked in missing:
            found.append(
                Finding(rule="HS030", message=f"{model.id} is not locked", model=model.key, mark=model.mark("id"))
            )
        elif asked in stale:
            held = ", ".join(stale[asked].locked_revisions)
            text = f"{model.id} is locked at {held}, not at {model.revision}"
            found.append(Finding(rule="HS030", message=text, model=model.key, mark=model.mark("revision")))
    for repo_id, revision in fresh.extra:
        text = f"{repo_id} at {revision} is locked, and the list does not ask for it"
        found.append(Finding(rule="HS030", message=text, mark=Mark(shown, 1, 1, "")))
    return found, not (missing or stale)


def _plan_findings(environment: Environment, inputs: Inputs, plan: Plan, policy: Policy) -> Iterator[Finding]:
    requests = {model.key: model for model in inputs.request.models}
    yield from model_findings(plan, _facts(inputs), requests, policy.limits)
    quota_file = environment.config_file.with_name(QUOTA_NAME)
    quota = load_quota(quota_file, _shown(quota_file, environment.project_dir))
    budget = inputs.target.budget_usd_per_month
    yield from stack_findings(plan, policy, quota, budget, _budget_mark(environment))
    places = placement_path(Path(inputs.target.models_path), environment.stack)
    for line in differences(inputs.placement.models, places_of(plan), present_keys(plan.models)):
        key, _, text = line.partition(": ")
        yield Finding(rule="HS031", message=text, model=key, mark=Mark(str(places), 1, 1, ""))


def _facts(inputs: Inputs) -> dict[str, ModelFacts]:
    found = ((model.key, inputs.lock.get(model.id, model.revision)) for model in inputs.request.models)
    return {key: facts for key, facts in found if facts is not None}


def _budget_mark(environment: Environment) -> Mark | None:
    shown = _shown(environment.config_file, environment.project_dir)
    document = parse_document(read_text(environment.config_file, shown), shown)
    return document.mark(("config", BUDGET))


def _graph_findings(
    environment: Environment, inputs: Inputs, policy: Policy
) -> tuple[list[Finding], tuple[str, ...], int]:
    """Run the program and show the pack what it registers."""
    judge = judge_path(environment.project_dir)
    if not judge.exists():
        return [], ("resources were not judged: the project has no policy/judge.py",), 0
    graph = preview_environment(environment)
    models = inputs.request.models
    places = {model.key: model.mark("id") for model in models}
    found = pack_findings(judge, graph, policy.limits, places, policy.marks, {made_as(m): m.key for m in models})
    return found, (), len(graph.resources)


def _notes(environment: Environment) -> Iterator[str]:
    if not environment.config_file.with_name(QUOTA_NAME).exists():
        yield f"quota was not judged: there is no {QUOTA_NAME} beside {environment.config_file.name}"
    yield "nobody was asked: quota, stock and the Hub's newest scan are what the files say"
