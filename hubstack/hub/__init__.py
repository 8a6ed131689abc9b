# SPDX-License-Identifier: Apache-2.0
"""The only room with a door to the Hub: facts of models at a commit, by the Hub's own client."""

from hubstack.hub.client import fetch_facts
from hubstack.hub.command import check_lock, write_lock

__all__ = ["check_lock", "fetch_facts", "write_lock"]
