# SPDX-License-Identifier: Apache-2.0
"""An HTTP stand-in of the Hugging Face Hub, for the real client.

    repository.py  what a repository is: commits, branches, files, card, access
    real.py        facts of real models (models.yaml), what they lack labelled as invented
    invented.py    small repositories made up for one rule each; their owner is `stand-in`
    fault.py       what can go wrong on a route, and how often
    collection.py  collections in the Hub's shape
    server.py      the routes, and the record of requests

`python -m tests.support.hub` serves it by hand. What it cannot prove: that the live Hub still answers so. Its rules
come from the client's source, the Hub's documentation and public records, not from the live Hub.
"""

from tests.support.hub.collection import invented_collections
from tests.support.hub.fault import Fault
from tests.support.hub.invented import invented_repositories
from tests.support.hub.real import real_repositories
from tests.support.hub.repository import Commit, Repository, StoredFile
from tests.support.hub.server import TOKENS, StandIn

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
