# SPDX-License-Identifier: Apache-2.0
"""How many nodes the system pool may have: controllers run there, and the loads of the weights.

A load's Job asks for 1 CPU and 4 GiB (`hubstack.deploy.manifests.loader`); a node holds three. Nodes come with the
loads that wait and go after them, so the bound costs nothing by itself.
"""

import math

LOADS_A_NODE = 3
_ROUNDS = 4
"""Loads that wait for one place when every model is new, as long as the most is not reached."""
_FEWEST, _MOST = 4, 24
"""The most: 72 loads at once; more would wait for the Hub and for CPU quota instead (96 CPUs)."""


def most_system_nodes(models: int) -> int:
    """Return the most nodes for so many models on GKE."""
    return min(_MOST, max(_FEWEST, math.ceil(models / (LOADS_A_NODE * _ROUNDS))))
