# SPDX-License-Identifier: Apache-2.0
"""The Hyperdisk ML volume of one model's weights: its data source and claim.

Pulumi waits until the claim is bound, which means that the disk is filled, so servers that depend on this component
find their weights. A new commit gets a new claim; the old one is deleted after the servers have released it.
"""

from dataclasses import dataclass

import pulumi

from hubstack.deploy import manifests
from hubstack.plan import ModelPlan
from hubstack.plan.target import TargetPlan
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child

TOKEN = "hubstack:weights_disk:WeightsDisk"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsDiskArgs:
    """Inputs of a disk."""

    target: TargetPlan
    model: ModelPlan
    after: tuple[pulumi.Resource, ...]
    """Resources to create first: the filled bucket, the transfer nodes and their StorageClass."""


class WeightsDisk(pulumi.ComponentResource):
    """The Kubernetes objects of the disk."""

    def __init__(self, name: str, args: WeightsDiskArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        target, model = args.target, args.model
        source = register(
            f"{name}-source", manifests.data_source(target, model), child(self, depends_on=list(args.after))
        )
        self.claim = register(
            f"{name}-claim",
            manifests.weights_claim(target, model),
            child(
                self,
                # Deleting the data source first would block the claim's deletion (GKE docs, "About GKE Volume
                # Populator").
                depends_on=[*args.after, source],
                custom_timeouts=pulumi.CustomTimeouts(create="6h", update="6h"),
            ),
        )
        self.register_outputs({})
