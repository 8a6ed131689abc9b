# SPDX-License-Identifier: Apache-2.0
"""A network namespace of this thread in which every address of the cluster is one of this machine.

Owns entering and leaving it. What the thread starts in it, threads and processes, is in it too; it ends with the
last of them, and nothing outside is changed. Needs root.
"""

import ctypes
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager

from proof.binaries import SandboxError

CLUSTER = "10.0.0.0/8"
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_OURS = "/proc/thread-self/ns/net"


@contextmanager
def own_namespace(cluster: str | None = CLUSTER) -> Generator[None]:
    """Be in a namespace while the context lasts.

    Args:
        cluster: the addresses that are of this machine; None for none but the loopback.

    Raises:
        SandboxError: this machine does not let us.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open(_OURS, os.O_RDONLY)
    try:
        if libc.unshare(_NEW_NETWORK):
            reason = os.strerror(ctypes.get_errno())
            raise SandboxError(f"a network namespace could not be made ({reason}): run this as root")
        try:
            for words in ("link set lo up", *([f"route add local {cluster} dev lo"] if cluster else [])):
                subprocess.run(["ip", *words.split()], check=True)
            yield
        finally:
            if libc.setns(before, _NEW_NETWORK):
                raise SandboxError("the network namespace could not be left")
    finally:
        os.close(before)
