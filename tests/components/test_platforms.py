# SPDX-License-Identifier: Apache-2.0
"""Every platform without nodes of the stack's own registers its models in a seat of its own."""

import pkgutil

from pulumi_hubstack import platforms

from hubstack.kinds import PlatformKind
from hubstack.planner.platforms import NODES


def test_every_managed_platform_has_a_module_and_every_module_a_platform() -> None:
    modules = {module.name for module in pkgutil.iter_modules(platforms.__path__)}
    managed = [kind for kind in PlatformKind if kind is not NODES]
    assert modules == {kind.replace("-", "_") for kind in managed}
    services = [platforms.resources_of(kind).service for kind in managed]
    assert len(set(services)) == len(services)
