# SPDX-License-Identifier: Apache-2.0
"""The only room with a door to the Hugging Face Hub: asks what a model is at a commit, and locks it.

    client.py         one question to the Hub: retries, redirects, sizes; knows HTTP, decides nothing
    pace.py           what all questions share: waits, pauses that the Hub asks for, when to stop asking
    token.py          where the token comes from, and that it reaches no text
    refusal.py        what went wrong, as one message with its fix and without secrets
    config_fields.py  the fields of config.json that a lock keeps, listed by hand
    mapping.py        the Hub's answers -> ModelFacts, pure
    fetch.py          many models at once, in a fixed order, all refusals together
    locking.py        which entries of a lock stay, go, move or come
    unfinished.py     the answers of a run that did not end
    command.py        `hubstack lock`: files in, files out
    collection.py     `hubstack init --from-collection`: the models of a collection

Nothing else of hubstack imports this package or huggingface_hub (held by import-linter), but the commands do.
"""

from hubstack.hub.remote.endpoint import check_endpoint

check_endpoint()

from hubstack.hub.remote.collection import read_collection
from hubstack.hub.remote.command import check_lock, write_lock
from hubstack.hub.remote.fetch import Listener, fetch_each, fetch_facts
from hubstack.hub.remote.locking import LockChanges, lock_models
from hubstack.hub.remote.pace import JOBS, Patience
from hubstack.hub.remote.refusal import Refusal

__all__ = [
    "JOBS",
    "Listener",
    "LockChanges",
    "Patience",
    "Refusal",
    "check_lock",
    "fetch_each",
    "fetch_facts",
    "lock_models",
    "read_collection",
    "write_lock",
]
