# SPDX-License-Identifier: Apache-2.0
"""One control plane for all tests of it: `./dev test -m proof -n 0`.

Nothing is skipped: without Go they fail.
"""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from proof.sandbox import Sandbox, running
from tests.support import golden

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(
    example
    for example in golden.EXAMPLES
    if any(each["type"].startswith("kubernetes:") for each in golden.read_graph(example)["resources"])
)
"""Those whose graph has an object in the cluster; Cloud Run and Vertex AI have none."""


@pytest.fixture(scope="session")
def sandbox() -> Generator[Sandbox]:
    with running(lambda text: sys.stderr.write(f"{text}\n")) as started:
        yield started
