# SPDX-License-Identifier: Apache-2.0
"""What a change of the list does: two sides compared by meaning. Pure: no file, no process, no clock.

Owns the comparison and its renderings. Running the two sides is `hubstack.review.diff.base_head`; which argument
replaces a resource is `hubstack.review.diff.replacement`.
"""

from hubstack.review.diff.change import Change, compare
from hubstack.review.diff.gates import read_gates, tripped
from hubstack.review.diff.state import Sides, State, parse_state

__all__ = ["Change", "Sides", "State", "compare", "parse_state", "read_gates", "tripped"]
