# SPDX-License-Identifier: Apache-2.0
"""kube-router, which enforces network policies with iptables, built from its Go module once.

Owns how it is had; iptables and ipset are Debian's. The version is in router/go.mod, with hashes in go.sum.
"""

import shutil
from pathlib import Path

from proof.binaries import FLAGS, Parts, Say, built, go

HERE = Path(__file__).resolve().parent
ROUTER = "kube-router"
_COMMAND = "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
TOOLS = ("iptables", "ipset", "ip", "nsenter")


def router(say: Say = lambda _: None) -> Path:
    """Return kube-router, built first where that is needed."""
    notice = "building kube-router from source: minutes, once"
    return built(Parts("policies", (ROUTER,), (HERE / "router",), _build, notice), say) / ROUTER


def missing_tools() -> list[str]:
    """Return the programs that this machine lacks."""
    return [name for name in TOOLS if shutil.which(name) is None]


def _build(folder: Path, say: Say) -> None:
    say("kube-router")
    go(["build", *FLAGS, "-s -w", "-o", f"{folder}/{ROUTER}", _COMMAND], HERE / "router")
