# SPDX-License-Identifier: Apache-2.0
"""The engine's programs, built once; the control plane is that of tests/sandbox."""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from proof.engine.binaries import programs
from sandbox.sandbox import Sandbox, running


@pytest.fixture(scope="session")
def engine_programs() -> Path:
    return programs(lambda text: sys.stderr.write(f"{text}\n"))


@pytest.fixture(scope="session")
def sandbox() -> Generator[Sandbox]:
    with running(lambda text: sys.stderr.write(f"{text}\n")) as started:
        yield started
