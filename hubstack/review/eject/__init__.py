# SPDX-License-Identifier: Apache-2.0
"""The way out: a stack as a plain Pulumi program and plain Kubernetes files, without hubstack.

    areas.py    which resource stands in which file, so that no two files need each other
    values.py   what was registered -> Python expressions
    program.py  the files of the program
    command.py  `hubstack eject`: those, and the Kubernetes files

The trace of the program (`hubstack.review.preview.trace`) says what each value was made of; nothing of the plan is
read.
"""

from hubstack.review.eject.command import ejected_files
from hubstack.review.eject.program import program_files

__all__ = ["ejected_files", "program_files"]
