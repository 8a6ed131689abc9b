# SPDX-License-Identifier: Apache-2.0
"""Removes commits that a model's servers no longer use: script and Job.

Registered only for a model whose lock names the commit that it replaced. It depends on the servers, and Pulumi
waits for a Deployment's rollout, so no server reads what is removed.
"""

from dataclasses import dataclass

import pulumi

from hubstack.deploy import manifests
from hubstack.plan import ModelPlan
from hubstack.plan.target import TargetPlan
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child

TOKEN = "hubstack:weights_collector:WeightsCollector"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsCollectorArgs:
    """Inputs of a removal."""

    target: TargetPlan
    model: ModelPlan
    sharing: tuple[ModelPlan, ...]
    """Models that read the same bucket, this one among them; their commits are kept."""
    after: tuple[pulumi.Resource, ...]
    """Resources to create first: every server that reads the bucket, rolled out."""


class WeightsCollector(pulumi.ComponentResource):
    """The Kubernetes objects of the removal."""

    def __init__(self, name: str, args: WeightsCollectorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        target, model, after = args.target, args.model, list(args.after)
        script = register(
            f"{name}-script",
            manifests.collector_config(target, model, args.sharing),
            child(self, depends_on=after),
        )
        register(
            f"{name}-job",
            manifests.collector_job(target, model, args.sharing),
            child(
                self,
                depends_on=[*after, script],
                custom_timeouts=pulumi.CustomTimeouts(create="1h", update="1h"),
            ),
        )
        self.register_outputs({})
