# SPDX-License-Identifier: Apache-2.0
"""Writes files atomically; writes directly to anything that is not a regular file.

Owns the targets of output options: a regular file is replaced atomically and keeps its mode, a device, FIFO or
process substitution is written to directly, and `-` is standard output.
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
"""Maximum bytes of a file name that its temporary file repeats; file systems allow 255, including the suffix."""
_STREAMS = ("/dev/", "/proc/")
"""Paths below these refer to open files, which must not be replaced."""


def write_text_atomically(path: Path, text: str) -> None:
    """Write text to a path.

    A regular file is replaced atomically: readers never see a partial file, even after a power failure.

    Raises:
        InputError: it cannot be written; a regular file is unchanged.
    """
    try:
        if str(path) == STDOUT:
            write_stdout(text)
        elif is_stream(path):
            # Append without truncating: keep what was already written to a redirected stream.
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
        else:
            _replace(path.resolve(), text)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a symlink loop, before Python 3.13
        message = f"cannot be written: {getattr(error, 'strerror', None) or error}"
        hint = "check the folder, its permissions and the space left"
        raise InputError([Problem(path=str(path), message=message, hint=hint)]) from None


def write_stdout(text: str) -> None:
    """Write to standard output; ignore a closed pipe, as with `head`.

    Raises:
        OSError: the device is full, or standard output is closed.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_stream(path: Path) -> bool:
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
    """Return the prefix of a file's temporary files."""
    name = os.fsencode(target.name)
    return f".{target.name}." if len(name) <= _LONGEST_NAME else f".{hashlib.sha256(name).hexdigest()[:16]}."


def _flush_folder(folder: Path) -> None:
    """Flush the rename to disk; not all file systems support this, so errors are ignored."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_scratch(path: Path) -> None:
    """Remove temporary files left by a killed `write_text_atomically`; the caller must hold the file's lock."""
    target = path.resolve()
    for left in target.parent.iterdir():
        if left.name.startswith(_prefix(target)) and left.name.endswith(_SCRATCH):
            left.unlink(missing_ok=True)
