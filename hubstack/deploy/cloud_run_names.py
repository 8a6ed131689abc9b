# SPDX-License-Identifier: Apache-2.0
"""Names and labels of a model's Cloud Run resources, within Cloud Run's limits.

Owns these names; each is derived from the stack and the model's original key. Does not own the general naming rules
(`hubstack.names`).
"""

from hubstack import names
from hubstack.deploy import manifests
from hubstack.plan import ModelPlan
from hubstack.plan.target import TargetPlan

SERVICE_MAX = 49
"""Cloud Run limits service and Job names to 49 characters, and a Job's name plus its execution suffix to 63."""


def service_name(target: TargetPlan, model: ModelPlan) -> str:
    """Return the service's name. It includes the stack, because names are unique per project and region."""
    return names.shorten(f"hubstack-{names.slug(target.stack)}-{names.original_key(model)}", SERVICE_MAX)


def load_digest(model: ModelPlan) -> str:
    """Return a hash of everything that affects a load: files, script, dependencies and image."""
    run = model.cloud_run
    room = (str(run.loader.vcpu), str(run.loader.memory_gib)) if run else ()
    return names.short_hash(*manifests.load_parts(model), *room, length=8)


def job_name(target: TargetPlan, model: ModelPlan) -> str:
    """Return the Job's name, which changes with the commit and the file list."""
    return names.shorten(f"{service_name(target, model)}-load-{load_digest(model)}", SERVICE_MAX)


def labels(target: TargetPlan, model: ModelPlan) -> dict[str, str]:
    """Return Google Cloud labels that name the stack, the model and its commit."""
    commit = {"hubstack-commit": model.commit[:12]}
    return names.model_labels(target.stack, names.original_key(model), {**(model.labels or {}), **commit})
