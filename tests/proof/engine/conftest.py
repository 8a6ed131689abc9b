# SPDX-License-Identifier: Apache-2.0
"""The engine's programs, built once, and the charts; the control plane is that of the other tests."""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from proof.engine.binaries import programs
from proof.engine.charts import ChartRepository
from proof.sandbox import Sandbox


@pytest.fixture(scope="session")
def engine_programs() -> Path:
    return programs(lambda text: sys.stderr.write(f"{text}\n"))


@pytest.fixture(scope="session")
def charts(sandbox: Sandbox) -> Generator[ChartRepository]:
    with ChartRepository(sandbox.plane.certificates) as repository:
        yield repository
