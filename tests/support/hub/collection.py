# SPDX-License-Identifier: Apache-2.0
"""Collections of the stand-in, in the shape in which the Hub answers `GET /api/collections/OWNER/TITLE-HASH`.

The shape: huggingface.js at 07b9af56, `packages/hub/src/lib/collection-info.spec.ts`, which compares a live answer
key by key, and the types beside it (`types/api/api-collection.ts` at 06c8387c). One answer holds every item. Not
known: the Hub's words for a collection that is not there, and whether it is a 404 for everybody.
"""

from typing import Any

from proof.hub.repository import fake_hash

MIXED = "stand-in/first-models-64f9a55bb3115b4f513ec026"


def item(kind: str, repo_id: str, position: int, note: str | None = None, **more: Any) -> dict[str, Any]:
    """Return an item as the Hub has it; `note` is there only where somebody wrote one."""
    row: dict[str, Any] = {
        "_id": fake_hash(f"item:{kind}:{repo_id}", 24),
        "id": repo_id,
        "type": kind,
        "position": position,
    }
    if kind in {"model", "dataset", "space"}:
        row |= {
            "author": repo_id.partition("/")[0],
            "repoType": kind,
            "private": False,
            "likes": 0,
            "isLikedByUser": False,
        }
    if kind == "model":
        row |= {"gated": False, "downloads": 0, "availableInferenceProviders": []}
    if kind == "collection":  # the id is the hash alone; the client takes the slug
        row |= {"slug": repo_id, "id": repo_id.rpartition("-")[2], "title": "Another", "numberItems": 1}
    if note is not None:
        row["note"] = {"html": f"<p>{note}</p>", "text": note}
    return row | more


def collection(slug: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a collection as the Hub has it."""
    owner = slug.partition("/")[0]
    return {
        "slug": slug,
        "title": "First models",
        "lastUpdated": "2026-11-07T13:24:26.277Z",
        "gating": False,
        "owner": {"_id": fake_hash(f"owner:{owner}", 24), "name": owner, "fullname": owner, "type": "org"},
        "items": items,
        "theme": "pink",
        "private": False,
        "position": 0,
        "upvotes": 0,
        "isUpvotedByUser": False,
        "shareUrl": f"https://hf.co/collections/{slug.rpartition('-')[0]}",
    }


def invented_collections() -> list[dict[str, Any]]:
    """Return one collection with an item of every type: open, gated, private and vanished models among them."""
    return [
        collection(
            MIXED,
            [
                item("model", "Qwen/Qwen3-8B", 0, "start here\nwith this one"),
                item("dataset", "stand-in/questions", 1),
                item("model", "google/gemma-3-27b-it", 2, gated="manual"),
                item("space", "stand-in/arena", 3),
                item("paper", "2505.09388", 4, title="Qwen3 Technical Report"),
                item("collection", "stand-in/older-models-64f9a55bb3115b4f513ec027", 5),
                item("model", "stand-in/private", 6, private=True),
                item("model", "stand-in/never-there", 7),
                item("model", "BAAI/bge-small-en-v1.5", 8),
                item("bucket", "stand-in/bucket", 9),
            ],
        )
    ]
