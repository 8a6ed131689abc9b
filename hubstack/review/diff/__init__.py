# SPDX-License-Identifier: Apache-2.0
"""Compares two versions of an environment by meaning. Pure: reads no file, process or clock.

Owns the comparison and its renderings. Does not own running the two versions (`hubstack.review.diff.base_head`) or
which arguments replace a resource (`hubstack.review.diff.replacement`).
"""

from hubstack.review.diff.change import Change, compare
from hubstack.review.diff.gates import read_gates, tripped
from hubstack.review.diff.state import State, Versions, parse_state

__all__ = ["Change", "State", "Versions", "compare", "parse_state", "read_gates", "tripped"]
