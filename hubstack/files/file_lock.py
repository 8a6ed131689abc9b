# SPDX-License-Identifier: Apache-2.0
"""Locks a model list while the files generated from it are read and written, so that only one process writes.

Uses `flock` on the list itself: it leaves no lock file, and the kernel releases the lock when the process ends for
any reason. Does not protect against editors and git, which do not take this lock.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem


@contextmanager
def exclusive(path: Path, shown: str) -> Generator[None]:
    """Lock a file against other hubstack processes.

    Args:
        path: an existing file.
        shown: its name in messages.

    Raises:
        InputError: another process holds the lock, or the file cannot be locked.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise _refused(shown, error) from None
    try:
        if not lock_descriptor(descriptor, blocking=False):
            hint = f"wait until it is done; `fuser {shown}` shows the process"
            message = "another hubstack process is writing its lock"
            raise InputError([Problem(path=shown, message=message, hint=hint)])
        yield
    finally:
        os.close(descriptor)


def _refused(shown: str, error: OSError) -> InputError:
    message = f"cannot be locked for writing: {error.strerror or error}"
    return InputError([Problem(path=shown, message=message)])
