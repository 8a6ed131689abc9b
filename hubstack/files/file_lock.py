# SPDX-License-Identifier: Apache-2.0
"""One writer at a time: a list is held while what is generated from it is read, made and written.

The list itself is held (`flock`), so no file is left behind, and the kernel lets go when a process ends, however it
ends. Does not guard against editors and git, which ask for no such lock.
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
    """Hold a file against other runs of hubstack.

    Args:
        path: an existing file.
        shown: how to call it in messages.

    Raises:
        InputError: another run holds it, or it cannot be held.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise _refused(shown, error) from None
    try:
        if not lock_descriptor(descriptor, blocking=False):
            hint = f"wait until it is done; `fuser {shown}` names the process"
            message = "another hubstack process is writing its lock"
            raise InputError([Problem(path=shown, message=message, hint=hint)])
        yield
    finally:
        os.close(descriptor)


def _refused(shown: str, error: OSError) -> InputError:
    message = f"cannot be locked for writing: {error.strerror or error}"
    return InputError([Problem(path=shown, message=message)])
