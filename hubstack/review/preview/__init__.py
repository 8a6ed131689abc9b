# SPDX-License-Identifier: Apache-2.0
"""Runs an unmodified Pulumi program offline in a separate process, and records the resources it registers.

Owns the stand-in for the Pulumi engine (docs/adr/0003). A preview shows what the program registers, not
whether a provider or Google would accept it: nothing is validated, compared with state, or created.
"""

from hubstack.review.preview.graph import Graph, Resource
from hubstack.review.preview.run import preview

__all__ = ["Graph", "Resource", "preview"]
