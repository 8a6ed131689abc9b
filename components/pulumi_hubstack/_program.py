# SPDX-License-Identifier: Apache-2.0
"""The program of a stack that is one fleet: config -> plan -> Fleet -> exports."""

import os

import pulumi

from hubstack.names import OFFLINE
from pulumi_hubstack.fleet import Fleet


def run() -> None:
    """Be the whole Pulumi program: register the running stack's fleet and export its addresses and cost."""
    pulumi.run(_program)


async def _program() -> None:
    """Register the fleet and wait until it is registered.

    Without the wait the SDK re-examines every open output each time one resolves, 30,000 for 200 models
    (pulumi/runtime/stack.py of 3.272.0; figures in docs/concepts/scale.md).
    """
    fleet = Fleet.from_stack()
    fleet.export()
    await fleet.urn.future()
    # Everything is registered, so `pulumi preview` lists it all, and fails. The offline preview marks it instead.
    if fleet.over_budget and OFFLINE not in os.environ:
        raise pulumi.RunError(fleet.over_budget)
