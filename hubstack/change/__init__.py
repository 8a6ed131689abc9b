# SPDX-License-Identifier: Apache-2.0
"""What a change of the list does: two sides compared by meaning. Pure: no file, no process, no clock.

Owns the comparison and its renderings. Running the two sides is `hubstack.sides`; which argument replaces a
resource is `hubstack.change.replacement`.
"""

from hubstack.change.change import Change, compare
from hubstack.change.gates import read_gates, tripped
from hubstack.change.state import Sides, State, parse_state

__all__ = ["Change", "Sides", "State", "compare", "parse_state", "read_gates", "tripped"]
