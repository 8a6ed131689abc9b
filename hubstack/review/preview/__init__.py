# SPDX-License-Identifier: Apache-2.0
"""Run a Pulumi program offline, unchanged and in a process of its own, and record what it registers.

Owns the stand-in for the engine (docs/adr/0003). It proves what the program asks for; it does not prove that a
provider or Google would accept it: nothing is checked, compared with a state, or created.
"""

from hubstack.review.preview.graph import Graph, Resource
from hubstack.review.preview.run import preview

__all__ = ["Graph", "Resource", "preview"]
