# SPDX-License-Identifier: Apache-2.0
"""The size limit of the system pool, which runs controllers and weight loads.

A load's Job requests 1 CPU and 4 GiB (`hubstack.deploy.manifests.loader`), and a node fits three. Nodes are added
for pending loads and removed afterwards, so the limit itself costs nothing.
"""

import math

LOADS_A_NODE = 3
_ROUNDS = 4
"""Loads that share one slot when every model is new, up to the maximum."""
_FEWEST, _MOST = 4, 24
"""The maximum: 72 concurrent loads; more would be limited by the Hub and the CPU quota (96 CPUs)."""


def max_system_nodes(models: int) -> int:
    """Return the maximum number of nodes for a number of models on GKE."""
    return min(_MOST, max(_FEWEST, math.ceil(models / (LOADS_A_NODE * _ROUNDS))))
