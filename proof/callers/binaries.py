# SPDX-License-Identifier: Apache-2.0
"""Envoy's rate limit service, built from its Go module once, and a server of Valkey's protocol, as Debian has it.

Owns how they are had. The version is in limiter/go.mod, with hashes in go.sum; Envoy is that of `proof.gateway`.
"""

import shutil
from pathlib import Path

from proof.binaries import FLAGS, Parts, Say, built, go

HERE = Path(__file__).resolve().parent
LIMITER = "ratelimit"
_MODULE = "github.com/envoyproxy/ratelimit"
COUNTERS = ("valkey-server", "redis-server")
"""Programs that speak the protocol, the rendered one first."""


def limiter(say: Say = lambda _: None) -> Path:
    """Return the rate limit service, built first where that is needed."""
    notice = "building the rate limit service from source: a minute, once"
    return built(Parts("callers", (LIMITER,), (HERE / "limiter",), _build, notice), say) / LIMITER


def counters() -> Path | None:
    """Return the server that counts, or None where neither program is installed."""
    return next((Path(found) for name in COUNTERS if (found := shutil.which(name))), None)


def _build(folder: Path, say: Say) -> None:
    say("the rate limit service")
    go(["build", *FLAGS, "-s -w", "-o", f"{folder}/{LIMITER}", f"{_MODULE}/src/service_cmd"], HERE / "limiter")
