# SPDX-License-Identifier: Apache-2.0
"""The only package that accesses the Hugging Face Hub: fetches the facts of models at a commit, and locks them.

    client.py         single requests to the Hub: retries, redirects, size limits; makes no decisions
    pace.py           shared by all requests: waits, rate limits, when to give up
    token.py          where the token comes from, and redacting it from messages
    refusal.py        errors as one message with a hint and without secrets
    config_fields.py  the fields of config.json that a lock keeps, listed explicitly
    mapping.py        responses of the Hub -> ModelFacts, pure
    fetch.py          many models concurrently, in a fixed order, with all errors together
    locking.py        which entries of a lock are kept, added, updated or removed
    saved_responses.py the responses received by an interrupted run
    command.py        `hubstack lock`: files in, files out
    collection.py     `hubstack init --from-collection`: the models of a collection

Only the commands import this package, and nothing else in hubstack imports huggingface_hub (enforced by
import-linter).
"""

from hubstack.hub.remote.endpoint import check_endpoint

check_endpoint()

from hubstack.hub.remote.collection import read_collection
from hubstack.hub.remote.command import check_lock, write_lock
from hubstack.hub.remote.fetch import Listener, fetch_each, fetch_facts
from hubstack.hub.remote.locking import LockChanges, lock_models
from hubstack.hub.remote.pace import JOBS, RetryLimits
from hubstack.hub.remote.refusal import Refusal

__all__ = [
    "JOBS",
    "Listener",
    "LockChanges",
    "Refusal",
    "RetryLimits",
    "check_lock",
    "fetch_each",
    "fetch_facts",
    "lock_models",
    "read_collection",
    "write_lock",
]
