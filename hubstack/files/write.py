# SPDX-License-Identifier: Apache-2.0
"""Write files whole or not at all."""

import contextlib
import os
from pathlib import Path

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem

_SCRATCH = ".tmp"


def write_text_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all: a reader never sees half of it, after a power cut neither.

    Raises:
        InputError: the folder cannot be written to; nothing has changed.
    """
    target = path.resolve()
    scratch = target.with_name(f".{target.name}.{os.getpid()}{_SCRATCH}")
    try:
        with scratch.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        scratch.replace(target)
        _flush_folder(target.parent)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        message = f"cannot be written: {error.strerror or error}"
        hint = "check the folder, its permissions and the space left"
        raise InputError([Problem(path=str(path), message=message, hint=hint)]) from None


def _flush_folder(folder: Path) -> None:
    """Make the new name last; what a file system refuses here is no failure of the write."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_scratch(path: Path) -> None:
    """Remove what a killed `write_text_atomically` left beside a file; the caller holds the file against others."""
    target = path.resolve()
    for left in target.parent.iterdir():
        if left.name.startswith(f".{target.name}.") and left.name.endswith(_SCRATCH):
            left.unlink(missing_ok=True)
