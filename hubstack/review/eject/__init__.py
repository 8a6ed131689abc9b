# SPDX-License-Identifier: Apache-2.0
"""Exports a stack as a plain Pulumi program and plain Kubernetes files that do not need hubstack.

    areas.py    assigns resources to files without circular imports
    values.py   writes registered values as Python expressions
    program.py  writes the program's files
    command.py  `hubstack eject`: the program and the Kubernetes files

The trace of the program (`hubstack.review.preview.trace`) records the source of each value; the plan is not read.
"""

from hubstack.review.eject.command import ejected_files
from hubstack.review.eject.program import program_files

__all__ = ["ejected_files", "program_files"]
