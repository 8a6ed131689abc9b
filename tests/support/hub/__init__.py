# SPDX-License-Identifier: Apache-2.0
"""An HTTP stand-in of the Hugging Face Hub, for the real client.

    real.py        facts of real models (models.yaml), what they lack labelled as invented
    invented.py    small repositories made up for one rule each; their owner is `stand-in`
    collection.py  collections in the Hub's shape

The server, its faults and what a repository is are in `proof/hub`, which `./dev up-local` uses too.
`python -m tests.support.hub` serves it by hand. What it cannot prove: that the live Hub still answers so. Its rules
come from the client's source, the Hub's documentation and public records, not from the live Hub.
"""

from proof.hub.fault import Fault
from proof.hub.repository import Commit, Repository, StoredFile
from proof.hub.server import TOKENS, StandIn
from tests.support.hub.collection import invented_collections
from tests.support.hub.invented import invented_repositories
from tests.support.hub.real import real_repositories

__all__ = [
    "TOKENS",
    "Commit",
    "Fault",
    "Repository",
    "StandIn",
    "StoredFile",
    "invented_collections",
    "invented_repositories",
    "real_repositories",
]
