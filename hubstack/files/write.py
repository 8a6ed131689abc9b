# SPDX-License-Identifier: Apache-2.0
"""Write files whole or not at all; write through what is not a regular file.

Owns what an output option may name: a regular file is replaced atomically and keeps its mode, a device, FIFO or
process substitution is written to, and `-` is standard output.
"""

import contextlib
import hashlib
import os
import stat
import sys
from pathlib import Path

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem

STDOUT = "-"
_SCRATCH = ".tmp"
_LONGEST_NAME = 200
"""Bytes of a file's name that its scratch file repeats; file systems take 255, and the scratch name is longer."""
_STREAMS = ("/dev/", "/proc/")
"""Names below these stand for open files: to replace one would take it from whoever has it open."""


def write_text_atomically(path: Path, text: str) -> None:
    """Write a text to what a path names.

    A regular file is written whole or not at all: a reader never sees half of it, after a power cut neither.

    Raises:
        InputError: it cannot be written; a regular file is then unchanged.
    """
    try:
        if str(path) == STDOUT:
            write_out(text)
        elif is_stream(path):
            # Neither truncated nor from the start: what went to a redirected stream before stays.
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
        else:
            _replace(path.resolve(), text)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a symlink loop, before Python 3.13
        message = f"cannot be written: {getattr(error, 'strerror', None) or error}"
        hint = "check the folder, its permissions and the space left"
        raise InputError([Problem(path=str(path), message=message, hint=hint)]) from None


def write_out(text: str) -> None:
    """Write to standard output; where its reader has left, as `head` does, the rest goes nowhere.

    Raises:
        OSError: it is full or closed.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_stream(path: Path) -> bool:
    """Return whether a path names a device, a FIFO or an open file rather than a file to replace."""
    """Return whether a path names a device, a FIFO or an open file rather than a file to replace."""
    if str(path.absolute()).startswith(_STREAMS):
        return True
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _replace(target: Path, text: str) -> None:
    if target.is_dir():
        raise IsADirectoryError(21, "is a folder")
    scratch = target.with_name(f"{_prefix(target)}{os.getpid()}{_SCRATCH}")
    try:
        with scratch.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(OSError):
            held = target.stat()
            scratch.chmod(stat.S_IMODE(held.st_mode))
            os.chown(scratch, held.st_uid, held.st_gid)
        scratch.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise
    _flush_folder(target.parent)


def _prefix(target: Path) -> str:
    """Return how the names of a file's scratch files begin."""
    name = os.fsencode(target.name)
    return f".{target.name}." if len(name) <= _LONGEST_NAME else f".{hashlib.sha256(name).hexdigest()[:16]}."


def _flush_folder(folder: Path) -> None:
    """Make the new name last; what a file system refuses here is no failure of the write."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_scratch(path: Path) -> None:
    """Remove what a killed `write_text_atomically` left beside a file; the caller holds the file's lock."""
    target = path.resolve()
    for left in target.parent.iterdir():
        if left.name.startswith(_prefix(target)) and left.name.endswith(_SCRATCH):
            left.unlink(missing_ok=True)
