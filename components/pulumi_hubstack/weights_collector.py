# SPDX-License-Identifier: Apache-2.0
"""Removes commits that a model's servers no longer use: script and Job.

Registered only for a model whose lock names the commit that it replaced. It depends on the servers, and Pulumi
waits for a Deployment's rollout, so no server reads what is removed.
"""

from dataclasses import dataclass

import pulumi

from hubstack.deploy import manifests
from hubstack.plan import ModelPlan, Plan
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child

TOKEN = "hubstack:weights_collector:WeightsCollector"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsCollectorArgs:
    """Inputs of a removal."""

    plan: Plan
    model: ModelPlan
    after: tuple[pulumi.Resource, ...]
    """Resources to create first: every server that reads the bucket, rolled out."""
    keep: tuple[str, ...] = ()
    """Commits to keep in addition to those that the plan uses in the bucket."""


class WeightsCollector(pulumi.ComponentResource):
    """The Kubernetes objects of the removal."""

    def __init__(self, name: str, args: WeightsCollectorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        plan, model, after = args.plan, args.model, list(args.after)
        script = register(
            f"{name}-script", manifests.collector_config(plan, model, args.keep), child(self, depends_on=after)
        )
        register(
            f"{name}-job",
            manifests.collector_job(plan, model, args.keep),
            child(
                self,
                depends_on=[*after, script],
                custom_timeouts=pulumi.CustomTimeouts(create="1h", update="1h"),
            ),
        )
        self.register_outputs({})
