# SPDX-License-Identifier: Apache-2.0
"""A control plane of its own whose pods run as processes."""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from proof.pods.world import World
from proof.sandbox import Sandbox, running
from tests.support.hub import StandIn


@pytest.fixture(scope="module")
def hub() -> Generator[StandIn]:
    with StandIn([]) as started:
        yield started


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, hub: StandIn) -> World:
    return World(Path(tmp_path_factory.mktemp("world")), hub.url)


@pytest.fixture(scope="module")
def living(world: World) -> Generator[Sandbox]:
    with running(lambda text: sys.stderr.write(f"{text}\n"), world.stand_ins) as started:
        yield started
