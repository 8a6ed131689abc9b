# SPDX-License-Identifier: Apache-2.0
"""What holds for all tests: hypothesis has no deadline, since a busy machine is no defect, and no token is seen."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support import canary
from tests.support.canary import pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]
pytest_plugins = ["tests.support.hub.fixtures"]
canary.release()
os.environ["HUBSTACK_LOCK_IMAGES"] = "0"  # `hubstack lock` asks registries only in the tests of images
settings.register_profile("hubstack", deadline=None)
settings.load_profile("hubstack")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let the processes that a test starts hear SIGINT.

    A shell starts what it runs in the background with the signal ignored, and each child inherits that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
