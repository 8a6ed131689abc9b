# SPDX-License-Identifier: Apache-2.0
"""Every platform has a seat, and one alone shares nodes among its models."""

import pkgutil

from hubstack.kinds import DEFAULT_PLATFORM, PlatformKind
from hubstack.planner import platforms
from hubstack.planner.platforms import NODES, platform_of
from tests.support.facts import ask, catalog, target

SHARED = {"rules", "spec"}


def test_every_platform_has_a_module_and_every_module_a_platform() -> None:
    modules = {module.name for module in pkgutil.iter_modules(platforms.__path__)} - SHARED
    assert modules == {kind.replace("-", "_") for kind in PlatformKind}
    assert {kind: spec.kind for kind, spec in platforms.platforms().items()} == {
        kind: kind for kind in PlatformKind
    }


def test_models_are_placed_together_on_nodes_and_alone_everywhere_else() -> None:
    assert [kind for kind in PlatformKind if platform_of(kind).plan is None] == [NODES]
    assert DEFAULT_PLATFORM is NODES


def test_every_platform_sells_something_in_a_region_of_all_of_them() -> None:
    for kind in PlatformKind:
        spec = platform_of(kind)
        assert spec.offers(catalog(), target()), kind
        odd = list(spec.find_problems(ask("acme/model", platform=kind), target().region, catalog()))
        assert all(problem.hint for problem in odd), "what makes no sense comes with what to do"
