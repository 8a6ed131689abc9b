# SPDX-License-Identifier: Apache-2.0
"""A Hub collection as a first list: which of its items are models that can be asked for.

Owns what an item becomes. The Hub gives a collection in one answer, without pages (huggingface_hub 2.4,
`HfApi.get_collection`).
"""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from huggingface_hub import Collection, CollectionItem, ModelInfo

from hubstack.errors import HubError, InputError
from hubstack.hub.client import HubClient, Patience
from hubstack.hub.fetch import WORKERS
from hubstack.hub.refusal import Refusal, explain
from hubstack.init.entry import Entry, Found, Unknown
from hubstack.names import slug as slug_of
from hubstack.problems import Problem

_SLUG = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_MODEL = "model"


def read_collection(
    slug: str, on_done: Callable[[str], None], *, token: str | None = None, patience: Patience | None = None,
) -> Found:  # fmt: skip
    """Return the models of a collection, in its order.

    Args:
        slug: `OWNER/TITLE-HASH`, or the collection's address.
        on_done: told each model that the Hub was asked for.
        token: a token to send; by default the one that huggingface_hub finds.
        patience: how often and how long to try.

    Raises:
        InputError: this is no collection's name.
        HubError: the Hub does not give the collection.
    """
    slug = re.sub(r"^https?://[^/]+/collections/", "", slug.strip()).partition("?")[0].strip("/")
    if not _SLUG.fullmatch(slug) or ".." in slug:
        hint = "copy it from the collection's address: https://huggingface.co/collections/OWNER/TITLE-HASH"
        raise InputError(
            [Problem(path="--from-collection", message="is no collection: OWNER/TITLE-HASH", hint=hint)]
        )
    client = HubClient(token=token, timeout_seconds=30, patience=patience or Patience())
    try:
        collection = client.collection(slug)
    except Exception as error:  # noqa: BLE001  whatever it is, it is told as one line
        refusal = explain(
            error, repo_id=f"collections/{slug}", revision="main", endpoint=client.endpoint, token=token
        )
        raise HubError(refusal.render()) from None
    return _found(collection, client, token, on_done)


def _found(
    collection: Collection, client: HubClient, token: str | None, on_done: Callable[[str], None]
) -> Found:  # fmt: skip
    models = [item for item in collection.items if item.item_type == _MODEL]

    def ask(item: CollectionItem) -> ModelInfo | Refusal:
        try:
            return client.access(item.item_id)
        except Exception as error:  # noqa: BLE001  each model's trouble is told beside the others'
            return explain(error, repo_id=item.item_id, revision="main", endpoint=client.endpoint, token=token)

    entries: list[Entry] = []
    unknown: list[Unknown] = []
    with ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="hub") as pool:
        for item, answer in zip(models, pool.map(ask, models), strict=True):
            on_done(item.item_id)
            if isinstance(answer, Refusal):
                unknown.append(_unknown(item, answer))
            else:
                entries.append(_entry(item, answer))
    others = [item for item in collection.items if item.item_type != _MODEL]
    return Found(
        source=f"the collection {collection.slug}",
        entries=tuple(entries),
        unknown=tuple(unknown),
        skipped=tuple(f"no model: {item.item_type} {item.item_id}" for item in others),
    )


def _entry(item: CollectionItem, info: ModelInfo) -> Entry:
    notes = [f"the collection says: {item.note[:200]}"] if item.note else []
    if info.gated:
        notes.append(
            f"gated ({info.gated}): accept its terms, and give hubstack a token (docs/guide/gated-model.md)"
        )
    if info.private:
        notes.append("private: hubstack needs a token that can read it")
    return Entry(
        id=info.id, origin=f"item {item.position} of the collection", notes=tuple(notes),
        spare_name=slug_of(info.id.replace("/", "-")),
    )  # fmt: skip


def _unknown(item: CollectionItem, refusal: Refusal) -> Unknown:
    return Unknown(
        origin=f"item {item.position} of the collection", why=f"`{item.item_id}` {refusal.message}",
        hint=refusal.hint or "look at its page on the Hub", guess=item.item_id,
    )  # fmt: skip
