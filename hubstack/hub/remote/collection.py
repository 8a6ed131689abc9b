# SPDX-License-Identifier: Apache-2.0
"""Turns the models of a Hub collection into the first model list.

Owns how items become entries. The Hub returns a collection in one response, without pagination (huggingface_hub
2.4, `HfApi.get_collection`).
"""

import re
from collections.abc import Iterable

from huggingface_hub import Collection, CollectionItem, ModelInfo

from hubstack.files.errors import HubError, InputError
from hubstack.files.problems import Problem
from hubstack.hub.remote.fetch import Listener, query_each
from hubstack.hub.remote.pace import RetryLimits
from hubstack.hub.remote.refusal import Refusal
from hubstack.inputs.hub_names import DEFAULT_REVISION
from hubstack.inputs.init.entry import Entry, Found, Unknown
from hubstack.names import slug as slug_of

_SLUG = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_MODEL = "model"
"""Collections have no revisions."""


def read_collection(
    slug: str,
    *,
    token: str | None = None,
    limits: RetryLimits | None = None,
    listener: Listener | None = None,
) -> Found:
    """Return the models of a collection, in its order.

    Args:
        slug: `OWNER/TITLE-HASH`, or the collection's URL.
        token: the token to send; by default the one that huggingface_hub finds.
        limits: limits for retries and waits.
        listener: receives progress.

    Raises:
        InputError: the name is not that of a collection.
        HubError: the collection cannot be fetched.
    """
    slug = re.sub(r"^https?://[^/]+/collections/", "", slug.strip()).partition("?")[0].strip("/")
    if not _SLUG.fullmatch(slug) or ".." in slug:
        hint = "copy it from the collection's address: https://huggingface.co/collections/OWNER/TITLE-HASH"
        raise InputError(
            [Problem(path="--from-collection", message="is not a collection: write OWNER/TITLE-HASH", hint=hint)]
        )
    asked = (f"collections/{slug}", DEFAULT_REVISION)
    answer = query_each([asked], lambda client, _id, _at: client.collection(slug), token=token, limits=limits)[
        asked
    ]
    if isinstance(answer, Refusal):
        raise HubError(answer.render())
    models = [item for item in answer.items if item.item_type == _MODEL]
    answers = query_each(
        [(item.item_id, DEFAULT_REVISION) for item in models],
        lambda client, repo_id, _: client.access(repo_id),
        token=token,
        limits=limits,
        listener=listener,
    )
    return _found(answer, [(item, answers[item.item_id, DEFAULT_REVISION]) for item in models])


def _found(collection: Collection, models: Iterable[tuple[CollectionItem, ModelInfo | Refusal]]) -> Found:
    entries: list[Entry] = []
    unknown: list[Unknown] = []
    for item, answer in models:
        if isinstance(answer, Refusal):
            unknown.append(_unknown(item, answer))
        else:
            entries.append(_entry(item, answer))
    others = [item for item in collection.items if item.item_type != _MODEL]
    return Found(
        source=f"the collection {collection.slug}",
        entries=tuple(entries),
        unknown=tuple(unknown),
        skipped=tuple(f"not a model: {item.item_type} {item.item_id}" for item in others),
    )


def _entry(item: CollectionItem, info: ModelInfo) -> Entry:
    notes = [f"the collection says: {item.note[:200]}"] if item.note else []
    if info.gated:
        notes.append(
            f"gated ({info.gated}): accept its terms, and give hubstack a token (docs/guides/gated-model.md)"
        )
    if info.private:
        notes.append("private: hubstack needs a token that can read it")
    return Entry(
        id=info.id,
        origin=f"item {item.position} of the collection",
        notes=tuple(notes),
        spare_name=slug_of(info.id.replace("/", "-")),
    )


def _unknown(item: CollectionItem, refusal: Refusal) -> Unknown:
    return Unknown(
        origin=f"item {item.position} of the collection",
        why=f"`{item.item_id}` {refusal.message}",
        hint=refusal.hint or "look at its page on the Hub",
        guess=item.item_id,
    )
