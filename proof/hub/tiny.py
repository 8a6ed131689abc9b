# SPDX-License-Identifier: Apache-2.0
"""Tiny repositories of the Hub's stand-in, each commit with bytes of its own."""

import hashlib
import json
import struct
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

from proof.hub.repository import Commit, Repository, StoredFile, fake_hash

TINY = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 1000,
    "max_position_embeddings": 2048,
    "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
}
_LARGE = (".safetensors", ".bin", ".gguf", ".pt")


def safetensors(dtype: str, *, fill: Callable[[int], bytes] = bytes, **shapes: list[int]) -> bytes:
    """Return a well-formed file: the header, and what `fill` gives for so many bytes (zeros)."""
    width = {"F32": 4, "BF16": 2, "F16": 2, "U8": 1, "I32": 4}[dtype]
    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        begin, size = end, width
        for length in shape:
            size *= length
        end = begin + size
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + fill(end)


def stored(path: str, content: Any) -> StoredFile:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return StoredFile.large(path, data) if path.endswith(_LARGE) else StoredFile.small(path, data)


def commit(repo_id: str, label: str, files: dict[str, Any]) -> Commit:
    return Commit(sha=fake_hash(f"commit:{repo_id}:{label}"), files=tuple(stored(p, c) for p, c in files.items()))


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
