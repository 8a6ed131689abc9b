# SPDX-License-Identifier: Apache-2.0
"""One control plane for all tests of it: `./dev test -m proof -n 0`.

Without Go they fail. Only where the kernel gives no namespaces, those that need them are skipped and say so.
"""

import subprocess
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
def namespaces() -> None:
    """Skip, with the reason, where the kernel gives no namespaces: a CI runner that is itself a container."""
    apart = ("unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child")
    tried = ("sh", "-c", "mount --make-rprivate / && mount -t tmpfs tried /mnt")
    done = subprocess.run([*apart, *tried], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip(f"containers with namespaces of their own were not run: {done.stderr.strip()}")


@pytest.fixture(scope="session")
def sandbox() -> Generator[Sandbox]:
    with running(lambda text: sys.stderr.write(f"{text}\n")) as started:
        yield started
