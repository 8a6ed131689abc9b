# SPDX-License-Identifier: Apache-2.0
"""KEDA's operator and metrics adapter, and its HTTP add-on's interceptor and scaler, built from pinned modules.

Owns how they are built. Versions are in `operator/go.mod` and `http_add_on/go.mod`, hashes beside them.
"""

from pathlib import Path

from proof.binaries import FLAGS, Parts, Say, built, go, version_of

HERE = Path(__file__).resolve().parent
PROGRAMS = ("keda-operator", "keda-adapter", "keda-interceptor", "keda-scaler")
_KEDA, _ADD_ON = "github.com/kedacore/keda/v2", "github.com/kedacore/http-add-on"


def programs(say: Say = lambda _: None) -> Path:
    """Return the folder of the programs, built first where that is needed."""
    notice = "building KEDA and its HTTP add-on from source: ten minutes, once"
    modules = HERE / "operator", HERE / "http_add_on"
    return built(Parts("keda", PROGRAMS, modules, _build, notice), say)


def _build(folder: Path, say: Say) -> None:
    say(f"KEDA {version_of(_KEDA, HERE / 'operator')}")
    for name in ("operator", "adapter"):
        _one(folder / f"keda-{name}", f"{_KEDA}/cmd/{name}", HERE / "operator")
    say(f"KEDA's HTTP add-on {version_of(_ADD_ON, HERE / 'http_add_on')}")
    for name in ("interceptor", "scaler"):
        _one(folder / f"keda-{name}", f"{_ADD_ON}/{name}", HERE / "http_add_on")


def _one(target: Path, package: str, module: Path) -> None:
    go(["build", *FLAGS, "-s -w", "-o", str(target), package], module)
