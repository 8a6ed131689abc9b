# SPDX-License-Identifier: Apache-2.0
"""Container images made by hand, of this machine's busybox and Python.

Owns the layout of a root file system and of the archive that `ctr images import` reads. No registry is asked.
"""

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

_SHELL = ("cat", "env", "id", "ls", "sh", "sleep", "touch")
_LEFT_OUT = re.compile(
    r"/(test|idlelib|tkinter|ensurepip|lib2to3|site-packages|__pycache__|config-[^/]*)(/|$)|\.a$"
)


def archive(path: Path, name: str, files: Mapping[str, str], *, with_python: bool, entrypoint: list[str]) -> None:
    """Write an image.

    Args:
        path: of the archive.
        name: of the image, with its tag.
        files: text by path in the image; scripts are executable.
        with_python: whether this interpreter is in it, as `python`.
        entrypoint: what runs where a container names no command.
    """
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        _add_file(tar, "bin/busybox", Path(shutil.which("busybox") or ""))
        for program in _SHELL:
            _add_link(tar, f"bin/{program}", "/bin/busybox")
        if with_python:
            _add_python(tar)
        for where, text in files.items():
            _add_text(tar, where, text)
        for folder in ("tmp", "proc", "sys", "dev", "etc", "run"):
            made = tarfile.TarInfo(folder)
            made.type, made.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(made)
    body = layer.getvalue()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/usr/local/bin:/bin"], "Entrypoint": entrypoint},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(body).hexdigest()}"]},
    }
    told = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        for where, content in (
            ("config.json", json.dumps(config).encode()),
            ("layer.tar", body),
            ("manifest.json", json.dumps(told).encode()),
        ):
            made = tarfile.TarInfo(where)
            made.size = len(content)
            tar.addfile(made, io.BytesIO(content))


def _add_python(tar: tarfile.TarFile) -> None:
    program = Path(sys.executable).resolve()
    _add_file(tar, str(program).lstrip("/"), program)
    _add_link(tar, "usr/local/bin/python", str(program))
    library = Path(json.__file__).resolve().parents[1]
    for each in sorted(library.rglob("*")):
        if each.is_file() and not _LEFT_OUT.search(str(each)[len(str(library)) :]):
            _add_file(tar, str(each).lstrip("/"), each)
    needed = [program, *(library / "lib-dynload").glob("*.so")]
    linked = subprocess.run(["ldd", *map(str, needed)], capture_output=True, text=True, check=False).stdout
    for found in sorted(set(re.findall(r"(?:=> )?(/[^\s:]+) \(0x", linked))):
        _add_file(tar, found.lstrip("/"), Path(found).resolve())


def _add_file(tar: tarfile.TarFile, where: str, path: Path) -> None:
    made = tarfile.TarInfo(where)
    made.size, made.mode = path.stat().st_size, 0o755
    with path.open("rb") as file:
        tar.addfile(made, file)


def _add_text(tar: tarfile.TarFile, where: str, text: str) -> None:
    made = tarfile.TarInfo(where.lstrip("/"))
    made.size, made.mode = len(text.encode()), 0o755
    tar.addfile(made, io.BytesIO(text.encode()))


def _add_link(tar: tarfile.TarFile, where: str, target: str) -> None:
    made = tarfile.TarInfo(where)
    made.type, made.linkname = tarfile.SYMTYPE, target
    tar.addfile(made)
