# SPDX-License-Identifier: Apache-2.0
"""What holds for all tests: hypothesis has no deadline, since a busy machine is no defect, and no token is seen."""

from hypothesis import settings

from tests.support import canary
from tests.support.canary import pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]
canary.release()
settings.register_profile("hubstack", deadline=None)
settings.load_profile("hubstack")
