# SPDX-License-Identifier: Apache-2.0
"""Pulumi components: the only place that registers resources. They register the Plan and compute nothing.

What is imported here is for programs that use hubstack (docs/reference/library.md); all else is private.
"""

from hubstack.plan.network import ExistingNetwork, NetworkPlan
from pulumi_hubstack._program import run
from pulumi_hubstack._stack import plan_stack
from pulumi_hubstack.cluster import Cluster, ClusterArgs
from pulumi_hubstack.fleet import Fleet, FleetArgs
from pulumi_hubstack.model_stack import ModelStack, ModelStackArgs
from pulumi_hubstack.network import Network, NetworkArgs

__all__ = [
    "Cluster",
    "ClusterArgs",
    "ExistingNetwork",
    "Fleet",
    "FleetArgs",
    "ModelStack",
    "ModelStackArgs",
    "Network",
    "NetworkArgs",
    "NetworkPlan",
    "plan_stack",
    "run",
]
