# SPDX-License-Identifier: Apache-2.0
"""Which models are a team's: their labels, the plans of the teams, and quotas that they exceed.

Owns the count of accelerators against a quota. Does not own the setting (`hubstack.inputs.teams`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from hubstack.catalog import Catalog
from hubstack.files.problems import Problem, listed, meant, nearest
from hubstack.inputs.models import ModelRequest, Request
from hubstack.inputs.settings import StackSettings
from hubstack.inputs.teams import SETTING, TeamSettings
from hubstack.kinds import AcceleratorKind
from hubstack.plan import ModelPlan
from hubstack.plan.teams import TeamPlan

_RESOURCES = {AcceleratorKind.GPU: "nvidia.com/gpu", AcceleratorKind.TPU: "google.com/tpu"}


def request_problems(request: Request, target: StackSettings, catalog: Catalog) -> Iterator[Problem]:
    """Yield a problem for each model of an unknown team, and each unknown accelerator of a quota."""
    teams = target.teams or {}
    for model in request.models:
        team = model.settings.team
        if team and team not in teams:
            near = nearest(team, teams)
            known = f"teams: {listed(sorted(teams))}" if teams else f"set `{SETTING}`, or remove `team:`"
            message = f"`{team}` is not a team of `{SETTING}`"
            yield model.mark("team").problem(message, f"did you mean `{near}`?" if near else known)
    for key, team in teams.items():
        for word in team.quota:
            if word not in catalog.accelerators:
                near = catalog.accelerators_meant(word)
                hint = meant(near) if near else f"known: {', '.join(sorted(catalog.accelerators))}"
                message = f"`{SETTING}.{key}.quota` has `{word}`, which is not an accelerator in the catalogue"
                yield target.problem(f"{SETTING}.{key}.quota.{word}", message, hint)


def with_team_labels(request: Request, target: StackSettings) -> Request:
    """Return the list with each team's labels on its models; a model's own labels come first."""
    teams = target.teams
    return (
        replace(request, models=tuple(_with_labels(model, teams) for model in request.models)) if teams else request
    )


def _with_labels(model: ModelRequest, teams: Mapping[str, TeamSettings]) -> ModelRequest:
    key = model.settings.team
    if key is None:
        return model
    labels = {**teams[key].model_labels(key), **model.settings.labels}
    return replace(model, settings=model.settings.model_copy(update={"labels": labels}))


def team_plans(models: Sequence[ModelPlan], target: StackSettings, catalog: Catalog) -> tuple[TeamPlan, ...] | None:
    """Return the teams, also those without models, whose namespaces stay; None without any."""
    found = sorted((target.teams or {}).items()) if any(model.has_nodes for model in models) else []
    plans = tuple(
        TeamPlan(
            key=key,
            namespace=team.namespace_of(key, target.namespace),
            home=target.namespace,
            owner=team.owner,
            quota=_resources(team, catalog),
            priority=team.priority,
        )
        for key, team in found
    )
    return plans or None


def _resources(team: TeamSettings, catalog: Catalog) -> dict[str, int]:
    """Return the most of each resource of Kubernetes; it does not distinguish accelerators of one kind."""
    if not team.quota:
        return {}
    most = dict.fromkeys(_RESOURCES.values(), 0)
    for word, count in team.quota.items():
        most[_RESOURCES[catalog.accelerators[word].kind]] += count
    return most


def quota_problems(models: Sequence[ModelPlan], target: StackSettings) -> Iterator[Problem]:
    """Yield a problem for each quota that the models of its team may exceed, with every replica running."""
    needs: dict[str, Counter[str]] = {}
    for model in models:
        if model.team and model.has_nodes:
            most = (model.replicas.max + model.max_surge) * model.accelerator_count
            needs.setdefault(model.team, Counter())[model.accelerator] += most
    for key, needed in sorted(needs.items()):
        quota = (target.teams or {})[key].quota
        for accelerator, count in sorted(needed.items()) if quota else ():
            if count > quota.get(accelerator, 0):
                message = (
                    f"`{SETTING}.{key}.quota` allows {quota.get(accelerator, 0)} x {accelerator}, but the team's "
                    f"models need {count} with every replica running"
                )
                at = f"{SETTING}.{key}.quota" + (f".{accelerator}" if accelerator in quota else "")
                yield target.problem(at, message, "raise the quota, or lower `replicas.max` of its models")
