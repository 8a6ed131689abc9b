# SPDX-License-Identifier: Apache-2.0
"""Names and labels of what a model has on Cloud Run, within Cloud Run's limits.

Owns these names; they come from the stack and the key under which the model was made. Does not own the rules of
names (`hubstack.names`).
"""

from hubstack import names
from hubstack.deploy import manifests
from hubstack.plan import ModelPlan, Plan

SERVICE_MAX = 49
"""Cloud Run's services and Jobs have names of fewer than 50 characters; with its token a Job's execution has 63."""


def service_name(plan: Plan, model: ModelPlan) -> str:
    """Return the service's name: of one project and region, so the stack is in it."""
    return names.shorten(f"hubstack-{names.slug(plan.target.stack)}-{names.made_as(model)}", SERVICE_MAX)


def load_digest(model: ModelPlan) -> str:
    """Return the hash of all that a load does: its files, the script, what it installs and runs in."""
    run = model.cloud_run
    room = (str(run.loader.vcpu), str(run.loader.memory_gib)) if run else ()
    return names.short_hash(*manifests.load_parts(model), *room, length=8)


def job_name(plan: Plan, model: ModelPlan) -> str:
    """Return the Job's name: another commit or file list is another Job."""
    return names.shorten(f"{service_name(plan, model)}-load-{load_digest(model)}", SERVICE_MAX)


def labels(plan: Plan, model: ModelPlan) -> dict[str, str]:
    """Return Google Cloud labels that name the stack, the model and its commit."""
    extra = {"hubstack-model": names.label_value(names.made_as(model)), "hubstack-commit": model.commit[:12]}
    return names.labels(plan.target.stack, extra)
