# SPDX-License-Identifier: Apache-2.0
"""The engines, installed once."""

import sys

import pytest

from proof.engines.install import Engines, installed


@pytest.fixture(scope="session")
def engines() -> Engines:
    return installed(lambda text: print(text, file=sys.stderr))
