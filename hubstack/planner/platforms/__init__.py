# SPDX-License-Identifier: Apache-2.0
"""The platforms: each `platforms/<platform>.py` describes itself to the planner in `SPEC` (`spec.PlatformSpec`)."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from hubstack.kinds import PlatformKind
from hubstack.planner.platforms.spec import PlatformSpec

NODES = PlatformKind.GKE
"""The platform whose models share nodes and are therefore placed together."""


@cache
def platforms() -> Mapping[PlatformKind, PlatformSpec]:
    """Return the spec of every platform; module `cloud_run` defines `cloud-run`.

    Raises:
        ModuleNotFoundError: a platform of `PlatformKind` has no module.
    """
    return MappingProxyType(
        {kind: import_module(f"{__name__}.{kind.replace('-', '_')}").SPEC for kind in PlatformKind}
    )


def platform_of(kind: PlatformKind) -> PlatformSpec:
    """Return the spec of one platform."""
    return platforms()[kind]
