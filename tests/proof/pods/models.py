# SPDX-License-Identifier: Apache-2.0
"""Tiny repositories of the Hub's stand-in, each commit with bytes of its own."""

import hashlib
from itertools import cycle, islice
from typing import Any

from tests.support.hub import Repository, StoredFile
from tests.support.hub.invented import TINY, commit, safetensors
from tests.support.hub.repository import Commit

SHAPES = {"embed": [1000, 64], "head": [1000, 64]}
PARAMETERS = 128_000


def weights(label: str) -> bytes:
    """Return a well-formed file whose bytes nobody else has."""
    seed = hashlib.sha256(label.encode()).digest()
    return safetensors("BF16", fill=lambda size: bytes(islice(cycle(seed), size)), **SHAPES)


def made_commit(repo_id: str, label: str) -> Commit:
    """Return a commit of a tiny model."""
    files: dict[str, Any] = {
        "config.json": TINY,
        "tokenizer.json": {"version": "1.0", "of": label},
        "model.safetensors": weights(f"{repo_id}@{label}"),
        "README.md": b"# Made up\n",
    }
    return commit(repo_id, label, files)


def tiny(repo_id: str, **refs: str) -> Repository:
    """Return a repository with a commit for each branch, by its label."""
    commits = {ref: made_commit(repo_id, label) for ref, label in refs.items()}
    counts = {"parameters": {"BF16": PARAMETERS}, "total": PARAMETERS}
    return Repository(
        id=repo_id,
        commits={each.sha: each for each in commits.values()},
        refs={ref: each.sha for ref, each in commits.items()},
        metadata={
            "tags": [],
            "pipeline_tag": "text-generation",
            "library_name": "transformers",
            "safetensors": counts,
        },
        gated=False,
        security={"scansDone": True, "filesWithIssues": []},
        invented=("everything",),
    )


def digest(found: Commit) -> str:
    """Return what the server of these weights answers with."""
    held = found.file("model.safetensors")
    assert isinstance(held, StoredFile)
    assert held.content is not None
    return hashlib.sha256(held.content).hexdigest()
