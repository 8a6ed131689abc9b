# SPDX-License-Identifier: Apache-2.0
"""Every engine has a seat, and its seat agrees with its row of the catalogue."""

import pkgutil

import pytest

from hubstack.kinds import AcceleratorKind, EngineKind
from hubstack.planner import engines
from hubstack.planner.engines import spec_of, specs
from tests.support.facts import catalog

SHARED = {"arguments", "rerankers", "spec", "tasks", "vllm_memory"}


def test_every_engine_has_a_module_and_every_module_an_engine() -> None:
    modules = {module.name for module in pkgutil.iter_modules(engines.__path__)} - SHARED
    assert modules == {kind.replace("-", "_") for kind in EngineKind}
    assert {kind: spec.kind for kind, spec in specs().items()} == {kind: kind for kind in EngineKind}


@pytest.mark.parametrize("kind", EngineKind)
def test_a_seat_agrees_with_the_row(kind: EngineKind) -> None:
    row, spec = catalog().engines[kind], spec_of(kind)
    assert spec.is_for_tpu == (row.kind is AcceleratorKind.TPU)
    assert 0.5 < spec.memory.share < 1, "the rest is what the engine takes outside of its share"
    assert spec.start_seconds > 0
    assert row.has_tensor_parallel or spec.group is None, "a replica over several nodes is cut into ranks"
    assert spec.on_tpu is None or spec_of(spec.on_tpu).is_for_tpu
