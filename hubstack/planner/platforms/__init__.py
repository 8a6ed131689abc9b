# SPDX-License-Identifier: Apache-2.0
"""The platforms: `SPEC` of `platforms/<platform>.py` answers what the planner asks of one (`spec.PlatformSpec`)."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from hubstack.kinds import PlatformKind
from hubstack.planner.platforms.spec import PlatformSpec

NODES = PlatformKind.GKE
"""The platform whose models share nodes, so that they are placed together."""


@cache
def platforms() -> Mapping[PlatformKind, PlatformSpec]:
    """Return the seat of every platform: module `cloud_run` has `cloud-run`.

    Raises:
        ModuleNotFoundError: a platform of `PlatformKind` has no module.
    """
    return MappingProxyType({
        kind: import_module(f"{__name__}.{kind.replace('-', '_')}").SPEC for kind in PlatformKind
    })  # fmt: skip


def platform_of(kind: PlatformKind) -> PlatformSpec:
    """Return the seat of one platform."""
    return platforms()[kind]
