# SPDX-License-Identifier: Apache-2.0
"""Writes headers of GGUF files. Owns the bytes (ggml's docs/gguf.md), not what hubstack reads of them."""

import struct
from typing import Any

U32, F32, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5
QWEN3 = {
    "general.architecture": "qwen3",
    "general.name": "Tiny",
    "qwen3.block_count": 36,
    "qwen3.context_length": 40960,
    "qwen3.embedding_length": 4096,
    "qwen3.feed_forward_length": 12288,
    "qwen3.attention.head_count": 32,
    "qwen3.attention.head_count_kv": 8,
    "qwen3.attention.key_length": 128,
    "qwen3.attention.value_length": 128,
    "qwen3.attention.layer_norm_rms_epsilon": 1e-06,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.tokens": ["a", "b", "c"],
    "tokenizer.chat_template": "{{ messages }}",
}


def header(fields: dict[str, Any], version: int = 3) -> bytes:
    """Return a file's bytes up to its tensors, of which it has none."""
    body = b"".join(_text(key) + _value(value) for key, value in fields.items())
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(fields)) + body


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    kind = _kind(value)
    return struct.pack("<I", kind) + _body(value, kind)


def _kind(value: Any) -> int:
    kinds = {bool: BOOL, int: U32, float: F32, str: STRING, list: ARRAY}
    return kinds[type(value)]


def _body(value: Any, kind: int) -> bytes:
    if kind == STRING:
        return _text(value)
    if kind == ARRAY:
        inner = _kind(value[0])
        return struct.pack("<IQ", inner, len(value)) + b"".join(_body(item, inner) for item in value)
    return struct.pack({U32: "<I", F32: "<f", BOOL: "<?"}[kind], value)
