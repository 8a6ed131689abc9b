# SPDX-License-Identifier: Apache-2.0
"""The two sides of a diff, run: the work tree, and what a git reference or a file holds.

Owns git and the processes. The old side is run by its own program, in a folder of its own: the work tree is only
read.
"""

from hubstack.sides.run import read_sides, save_side

__all__ = ["read_sides", "save_side"]
