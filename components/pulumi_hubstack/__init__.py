# SPDX-License-Identifier: Apache-2.0
"""Pulumi components: the only place that registers resources. They register the Plan and compute nothing."""

from pulumi_hubstack._program import run
from pulumi_hubstack.fleet import Fleet, FleetArgs

__all__ = ["Fleet", "FleetArgs", "run"]
