# SPDX-License-Identifier: Apache-2.0
"""Builds the programs of the control plane once from pinned Go modules.

Owns the cache: `.proof/bin` of the clone, rebuilt when a go.mod or go.sum here (or the Go release) changes. Does
not own versions: they are in go.mod, their hashes in go.sum.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".proof"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "lws-manager")
_MODULES = (HERE, HERE / "lws")
_PINS = ("go.mod", "go.sum", "requirements.txt")
FLAGS = ("-trimpath", "-ldflags")
"""Build cache shared by all programs, so that common packages are compiled once."""

Say = Callable[[str], None]


class SandboxError(Exception):
    """The sandbox failed; the message says what to do."""


def programs(say: Say = lambda _: None) -> Path:
    """Return the folder of the control plane's programs, built first where that is needed.

    Raises:
        SandboxError: Go is missing, or a build failed.
    """
    return built(
        Parts("built", PROGRAMS, _MODULES, _build, "building the control plane from source: minutes, once"), say
    )


@dataclass(frozen=True)
class Parts:
    """Programs that are built together, and rebuilt when a file of their modules changes."""

    stamp: str
    """Cache file that records the inputs of the build."""
    programs: tuple[str, ...]
    modules: tuple[Path, ...]
    """Folders with a go.mod."""
    build: Callable[[Path, Say], None]
    """Builds the programs into a folder."""
    notice: str
    """Message printed before the build."""


def built(parts: Parts, say: Say) -> Path:
    """Return the folder of all programs, some of them built first where that is needed.

    Raises:
        SandboxError: Go is missing, or a build failed.
    """
    if shutil.which("go") is None:
        raise SandboxError("the sandbox builds its parts from source: install Go 1.26 or later (https://go.dev/dl)")
    CACHE.mkdir(exist_ok=True)
    with _alone():
        stamp, folder = CACHE / parts.stamp, CACHE / "bin"
        wanted = _digest(parts.modules)
        missing = any(not (folder / each).exists() for each in parts.programs)
        if missing or not stamp.exists() or stamp.read_text() != wanted:
            say(parts.notice)
            stamp.unlink(missing_ok=True)
            folder.mkdir(exist_ok=True)
            parts.build(folder, say)
            stamp.write_text(wanted)
    return folder


def module_folders(folder: Path) -> dict[str, Path]:
    """Return where the modules that a go.mod asks for are on disk, downloaded and checked against its go.sum."""
    text = go(["mod", "download", "-json"], folder)
    found: dict[str, Path] = {}
    decoder, at = json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        row, at = decoder.raw_decode(text, at)
        found[row["Path"]] = Path(row["Dir"])
        at += 1  # the line's end
    return found


def version_of(module: str, folder: Path = HERE) -> str:
    """Return the version of a module required by a go.mod."""
    return go(["list", "-m", "-f", "{{.Version}}", module], folder).strip()


def _build(folder: Path, say: Say) -> None:
    release = version_of("k8s.io/kubernetes")
    major, minor, _ = release.removeprefix("v").split(".")
    told = {"gitVersion": release, "gitMajor": major, "gitMinor": minor}
    said = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in told.items())
    say(f"Kubernetes {release} and etcd {version_of('go.etcd.io/etcd/server/v3')}")
    go(["build", *FLAGS, f"-s -w {said}", "-o", f"{folder}/", "tool"], HERE)
    (folder / "server").replace(folder / "etcd")
    say(f"LeaderWorkerSet {version_of('sigs.k8s.io/lws', HERE / 'lws')}")
    go(
        ["build", *FLAGS, "-s -w", "-o", f"{folder}/lws-manager", "sigs.k8s.io/lws/cmd"],
        HERE / "lws",
    )


def go(arguments: list[str], folder: Path) -> str:
    """Run a command of Go in a module's folder and return what it prints."""
    # Without cgo the programs need no C compiler and are the same on every machine.
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    done = subprocess.run(
        ["go", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise SandboxError(f"`go {' '.join(arguments[:2])}` in {folder} failed:\n{tail}")
    return done.stdout


def _digest(modules: tuple[Path, ...]) -> str:
    digest = hashlib.sha256(subprocess.run(["go", "version"], capture_output=True, check=True).stdout)
    digest.update(repr(FLAGS).encode())
    for module in modules:
        for path in (*sorted(module.glob("*.go")), *(module / name for name in _PINS if (module / name).exists())):
            digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def _alone() -> Generator[None]:
    """Let one process build at a time; others wait and reuse its result."""
    with (CACHE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
