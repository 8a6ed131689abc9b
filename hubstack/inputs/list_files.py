# SPDX-License-Identifier: Apache-2.0
"""Reads the files that a list mounts into a model's servers: chat templates, tool templates, settings of an engine.

Owns what such a file may be. Does not own where it is mounted (`hubstack.deploy.manifests.server`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hubstack.files.problems import RefusedError

MAX_BYTES, MAX_TOTAL_BYTES = 64 * 1024, 256 * 1024
"""Of a file, and of all files of a model: a ConfigMap holds 1 MiB, and each change is kept in the state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFile:
    """A file beside the list."""

    name: str
    """Its last part, which it keeps in the container."""
    text: str

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_list_files(folder: Path, paths: Sequence[str]) -> tuple[ListFile, ...]:
    """Read files in a folder.

    Raises:
        RefusedError: a file is missing, is no small text file, or lies outside.
    """
    found = tuple(ListFile(name=path.rpartition("/")[2], text=_text(folder, path)) for path in paths)
    total = sum(len(file.text.encode()) for file in found)
    if total > MAX_TOTAL_BYTES:
        raise RefusedError(f"the files have {total:,} bytes together; at most {MAX_TOTAL_BYTES:,}", "mount fewer")
    return found


def _text(folder: Path, path: str) -> str:
    file = folder / path
    parts = [folder.joinpath(*Path(path).parts[: i + 1]) for i in range(len(Path(path).parts))]
    if any(part.is_symlink() for part in parts):
        raise RefusedError(f"`{path}` is a symbolic link, or is in a linked folder", "copy the file")
    if not file.is_file():
        raise RefusedError(
            f"`{path}` is not a file", "name a file relative to the list's folder: `templates/a.jinja`"
        )
    with file.open("rb") as opened:
        data = opened.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise RefusedError(f"`{path}` is larger than {MAX_BYTES:,} bytes", "mount small text files only")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise RefusedError(f"`{path}` is not text in UTF-8", "mount small text files only")
    return text
