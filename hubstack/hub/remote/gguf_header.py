# SPDX-License-Identifier: Apache-2.0
"""Reads the header of a GGUF file from its first bytes. Pure.

Owns the format, versions 2 and 3 (ggml's docs/gguf.md), and the fields that a lock keeps. A header is untrusted
input: lengths are checked against the bytes at hand, lists are summarized, and anything malformed ends the reading.
"""

import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

WINDOWS = (256 * 1024, 4 * 1024**2, 16 * 1024**2)
"""Bytes to read from the start of a file, until the fields are found. The sizes of a model precede its tokenizer,
whose vocabulary takes megabytes."""
_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MOST_FIELDS, _LONGEST_KEY, _LONGEST_LIST = 10_000, 65_535, 4_096
_STRING, _ARRAY, _BOOL = 8, 9, 7
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", _BOOL: "?", 10: "Q", 11: "q", 12: "d"}
_LARGEST = 2**40
_ARCHITECTURE, _TOKENS = "general.architecture", "tokenizer.ggml.tokens"
_KEPT = frozenset(
    {
        "block_count",
        "context_length",
        "embedding_length",
        "feed_forward_length",
        "expert_feed_forward_length",
        "expert_count",
        "expert_used_count",
        "vocab_size",
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.value_length",
        "attention.key_length_swa",
        "attention.value_length_swa",
        "attention.sliding_window",
        "attention.sliding_window_pattern",
        "attention.shared_kv_layers",
        "full_attention_interval",
        "ssm.state_size",
        "ssm.inner_size",
        "ssm.group_count",
        "pooling_type",
    }
)
"""Fields of `<architecture>.` that sizing uses."""


class HeaderError(ValueError):
    """The bytes are not a GGUF header that hubstack reads."""


class TooShortError(ValueError):
    """The header continues after the bytes at hand."""


def read_header(content: bytes, *, is_whole: bool = False) -> dict[str, Any]:
    """Return the fields to keep, without the architecture's prefix.

    Args:
        content: the first bytes of the file.
        is_whole: whether these are all of its bytes, or all that will be read.

    Raises:
        HeaderError: the bytes are not a supported header.
        TooShortError: the fields are not complete, and more bytes may help.
    """
    if content[:4] != _MAGIC:
        raise HeaderError("does not start with GGUF")
    reader = _Reader(content, 4)
    version = reader.number("I")
    if version not in _VERSIONS:
        raise HeaderError(f"has the GGUF version {version}")
    reader.number("Q")  # tensors
    fields = min(reader.number("Q"), _MOST_FIELDS)
    said: dict[str, Any] = {}
    try:
        for _ in range(fields):
            key = reader.text(_LONGEST_KEY)
            value = reader.value()
            said[key] = value
            if key == _TOKENS:  # what follows does not concern sizing
                break
            reader.skip()
    except TooShortError:
        if not is_whole:
            raise
    return _kept(said)


def _kept(said: Mapping[str, Any]) -> dict[str, Any]:
    name = said.get(_ARCHITECTURE)
    if not isinstance(name, str) or not name:
        return {}
    found = {key: said.get(f"{name}.{key}") for key in sorted(_KEPT)}
    vocab = said.get(_TOKENS)
    if isinstance(vocab, _Strings) and found["vocab_size"] is None:
        found["vocab_size"] = vocab.count
    kept = {key: value for key, value in found.items() if _is_plausible(value)}
    return {"architecture": name[:100], **kept}


def _is_plausible(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(cast("dict[str, Any]", value))
    return isinstance(value, bool) or (isinstance(value, int) and 0 <= value < _LARGEST)


@dataclass(frozen=True, slots=True)
class _Strings:
    """A list of texts, of which only the number is read."""

    count: int


class _Reader:
    """Reads values one after the other."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content, self._at = content, at
        self._texts_to_skip = 0

    def number(self, code: str) -> Any:
        """Return one number of a struct format, little-endian."""
        return struct.unpack(f"<{code}", self._take(struct.calcsize(f"<{code}")))[0]

    def text(self, longest: int | None = None) -> str:
        """Return a text: its length, then UTF-8."""
        size = self.number("Q")
        if longest is not None and size > longest:
            raise HeaderError("has a name that is too long")
        return self._take(size).decode("utf-8", errors="replace")

    def value(self) -> Any:
        """Return a typed value: a scalar, a text, a short list as counts of its values, or the number of texts."""
        kind = self.number("I")
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            return self.number(self._code(kind))
        kind, count = self.number("I"), self.number("Q")
        if kind == _STRING:
            self._texts_to_skip = count
            return _Strings(count)
        code = self._code(kind)
        body = self._take(struct.calcsize(f"<{code}") * count)
        if count > _LONGEST_LIST:
            return None
        return _summary(list(struct.unpack(f"<{count}{code}", body)))

    def skip(self) -> None:
        """Skip the texts of the list that was read last."""
        for _ in range(self._texts_to_skip):
            self._take(self.number("Q"))
        self._texts_to_skip = 0

    @staticmethod
    def _code(kind: int) -> str:
        code = _SCALARS.get(kind)
        if code is None:
            raise HeaderError(f"has a value of the unknown type {kind}")
        return code

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._content):
            raise TooShortError
        part = self._content[self._at : end]
        self._at = end
        return part


def _summary(values: list[Any]) -> Any:
    """Return the common value of a list, or how often each value occurs: a lock needs no order."""
    if not values or any(isinstance(value, float) for value in values):
        return None
    if not isinstance(values[0], bool) and len(set(values)) == 1:
        return values[0]
    return {str(value).lower(): count for value, count in sorted(Counter(values).items())}
