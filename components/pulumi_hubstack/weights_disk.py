# SPDX-License-Identifier: Apache-2.0
"""The Hyperdisk ML volume of one model's weights: what fills it, and the claim.

Pulumi waits for the claim to be bound, which it is once it is filled, so servers that depend on this component find
their weights. A new commit is a new claim; the old one goes after the servers have let go of it.
"""

from dataclasses import dataclass

import pulumi

from hubstack.deploy import manifests
from hubstack.plan import ModelPlan, Plan
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child

TOKEN = "hubstack:weights_disk:WeightsDisk"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsDiskArgs:
    """What a disk needs."""

    plan: Plan
    model: ModelPlan
    after: tuple[pulumi.Resource, ...]
    """What must be there first: the filled bucket, the transfer nodes and their StorageClass."""


class WeightsDisk(pulumi.ComponentResource):
    """Kubernetes objects of the disk."""

    def __init__(self, name: str, args: WeightsDiskArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        plan, model = args.plan, args.model
        source = register(
            f"{name}-source", manifests.data_source(plan, model), child(self, depends_on=list(args.after))
        )
        self.claim = register(
            f"{name}-claim",
            manifests.weights_claim(plan, model),
            child(
                self,
                # A claim whose source is gone first hangs in its deletion (GKE's page on Volume Populator).
                depends_on=[*args.after, source],
                custom_timeouts=pulumi.CustomTimeouts(create="6h", update="6h"),
            ),
        )
        self.register_outputs({})
