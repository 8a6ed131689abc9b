# SPDX-License-Identifier: Apache-2.0
"""The engines, one module each: `SPEC` in `engines/<engine>.py` describes the engine (`spec.EngineSpec`)."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from hubstack.kinds import EngineKind
from hubstack.planner.engines.spec import EngineSpec


@cache
def specs() -> Mapping[EngineKind, EngineSpec]:
    """Return the spec of every engine; module `llama_cpp` defines `llama-cpp`.

    Raises:
        ModuleNotFoundError: an engine of `EngineKind` has no module.
    """
    return MappingProxyType(
        {kind: import_module(f"{__name__}.{kind.replace('-', '_')}").SPEC for kind in EngineKind}
    )


def spec_of(kind: EngineKind) -> EngineSpec:
    """Return the spec of one engine."""
    return specs()[kind]
