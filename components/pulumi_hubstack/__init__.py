# SPDX-License-Identifier: Apache-2.0
"""Pulumi components: the only place that registers resources. They compute nothing; a Plan says it all."""

from pulumi_hubstack.fleet import Fleet, FleetArgs

__all__ = ["Fleet", "FleetArgs"]
