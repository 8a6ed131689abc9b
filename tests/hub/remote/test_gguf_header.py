# SPDX-License-Identifier: Apache-2.0
"""What is read of a GGUF file's header, and how many bytes that takes."""

import struct

import pytest

from hubstack.hub.lock import parse_lock, render_lock
from hubstack.hub.remote import fetch_facts
from hubstack.hub.remote.gguf_header import WINDOWS, HeaderError, TooShortError, read_header
from tests.support.hub import StandIn
from tests.support.hub.gguf import QWEN3, header
from tests.support.hub.invented import repository

READ = {
    "architecture": "qwen3",
    "block_count": 36,
    "context_length": 40960,
    "embedding_length": 4096,
    "feed_forward_length": 12288,
    "attention.head_count": 32,
    "attention.head_count_kv": 8,
    "attention.key_length": 128,
    "attention.value_length": 128,
    "vocab_size": 3,
}


def test_the_sizes_of_a_model_are_read_and_its_texts_are_not() -> None:
    assert read_header(header(QWEN3)) == READ
    assert read_header(header(QWEN3, version=2)) == READ


def test_the_vocabulary_is_counted_without_its_bytes() -> None:
    whole = header({**QWEN3, "tokenizer.ggml.tokens": ["token"] * 150_000})
    start = whole[: whole.index(b"tokenizer.ggml.tokens") + 64]
    assert read_header(start)["vocab_size"] == 150_000


def test_lists_by_layer_are_counted() -> None:
    fields = {
        "general.architecture": "lfm2",
        "lfm2.attention.head_count_kv": [0, 0, 8, 0, 8],
        "lfm2.feed_forward_length": [9, 9, 9],
        "lfm2.attention.sliding_window_pattern": [True, True, False],
    }
    assert read_header(header(fields)) == {
        "architecture": "lfm2",
        "attention.head_count_kv": {"0": 3, "8": 2},
        "feed_forward_length": 9,
        "attention.sliding_window_pattern": {"false": 1, "true": 2},
    }


def test_a_header_that_goes_on_asks_for_more_and_then_gives_what_it_has() -> None:
    whole = header({**QWEN3, "qwen3.long": "x" * 1000})
    start = whole[: whole.index(b"qwen3.attention.head_count_kv")]
    with pytest.raises(TooShortError):
        read_header(start)
    assert read_header(start, is_whole=True)["block_count"] == 36


HOSTILE = {
    "no GGUF": b"PK\x03\x04" + bytes(100),
    "another version": b"GGUF" + struct.pack("<IQQ", 9, 0, 0),
    "an unknown type": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q1sI", 1, b"k", 77) + bytes(64),
    "a list of lists": b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 9, 2**60) + bytes(64),
    "a name of a gigabyte": b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**30) + bytes(64),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_what_is_malformed_ends_the_reading(content: bytes) -> None:
    with pytest.raises(HeaderError):
        read_header(content)


def test_lengths_beyond_the_bytes_at_hand_take_no_memory() -> None:
    list_of_texts = struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 8, 2**62)
    list_of_numbers = struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 4, 2**62)
    for body in (list_of_texts, list_of_numbers):
        with pytest.raises(TooShortError):
            read_header(b"GGUF" + body + bytes(64))
    assert read_header(b"GGUF" + list_of_texts, is_whole=True) == {}


def test_a_lock_records_the_header_of_one_file_of_each_model(hub: StandIn) -> None:
    files = {f"{name}.gguf": header(QWEN3) for name in ("a-Q4_K_M", "a-Q8_0", "b-Q8_0", "mmproj-F16")}
    hub.repositories["stand-in/two"] = repository("two", files, library_name="gguf")
    facts = fetch_facts([("stand-in/two", "main")])[0]
    assert facts.config["gguf"]["headers"] == {"a-Q4_K_M.gguf": READ, "b-Q8_0.gguf": READ}
    asked = [each for each in hub.requests if each.path.endswith(".gguf")]
    assert [each.range for each in asked] == [f"bytes=0-{WINDOWS[0] - 1}"] * 2
    again = parse_lock(render_lock([facts]), "lock").models[0]
    assert again.config == facts.config, "a lock keeps the header"


def test_a_longer_header_is_read_in_a_second_request(hub: StandIn) -> None:
    long = {"general.architecture": "qwen3", "general.text": "x" * WINDOWS[0], **QWEN3}
    hub.repositories["stand-in/long"] = repository("long", {"m.gguf": header(long)}, library_name="gguf")
    facts = fetch_facts([("stand-in/long", "main")])[0]
    assert facts.config["gguf"]["headers"]["m.gguf"] == READ
    assert sum(each.path.endswith(".gguf") for each in hub.requests) == 2


def test_a_file_without_a_header_is_locked_without_one(hub: StandIn) -> None:
    hub.repositories["stand-in/none"] = repository("none", {"m.gguf": b"no header"}, library_name="gguf")
    assert "gguf" not in fetch_facts([("stand-in/none", "main")])[0].config
