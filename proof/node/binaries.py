# SPDX-License-Identifier: Apache-2.0
"""The kubelet, built from its Go module once; containerd, runc, busybox and the CNI plugins are Debian's.

Owns how they are had. The kubelet's version is in kubelet/go.mod, with hashes in go.sum.
"""

import shutil
from pathlib import Path

from proof.binaries import FLAGS, Parts, Say, built, go, version_of

HERE = Path(__file__).resolve().parent
KUBELET = "kubelet"
CNI = Path("/usr/lib/cni")
_TOOLS = ("containerd", "containerd-shim-runc-v2", "runc", "ctr", "busybox", "ip")


def kubelet(say: Say = lambda _: None) -> Path:
    """Return the kubelet, built first where that is needed."""
    notice = "building the kubelet from source: minutes, once"
    return built(Parts("node", (KUBELET,), (HERE / "kubelet",), _build, notice), say) / KUBELET


def missing_tools() -> list[str]:
    """Return what this machine lacks of Debian's packages."""
    found = [name for name in _TOOLS if shutil.which(name) is None]
    return found if (CNI / "ptp").exists() else [*found, str(CNI)]


def _build(folder: Path, say: Say) -> None:
    release = version_of("k8s.io/kubernetes", HERE / "kubelet")
    say(f"kubelet {release}")
    told = f"-X k8s.io/component-base/version.gitVersion={release}"
    go(
        ["build", *FLAGS, f"-s -w {told}", "-o", f"{folder}/{KUBELET}", "k8s.io/kubernetes/cmd/kubelet"],
        HERE / "kubelet",
    )
