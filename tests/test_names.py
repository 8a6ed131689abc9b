# SPDX-License-Identifier: Apache-2.0
import re

from hypothesis import given
from hypothesis import strategies as st

from hubstack import names

REPO_ID = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}", fullmatch=True)


@given(REPO_ID)
def test_a_key_of_any_hub_id_is_a_dns_label_with_room_for_suffixes(repo_id: str) -> None:
    key = names.key_of(repo_id)
    assert re.fullmatch(names.KEY_PATTERN, key), key
    assert len(key) <= names.KEY_MAX


@given(st.text("abcdefgh-", min_size=41, max_size=80), st.text("abcdefgh-", min_size=41, max_size=80))
def test_long_names_that_differ_stay_different_when_shortened(first: str, second: str) -> None:
    if first != second:
        assert names.shorten(first, 40) != names.shorten(second, 40)
    assert len(names.shorten(first, 40)) <= 40


def test_a_bucket_name_holds_project_stack_and_key_within_63_characters() -> None:
    assert names.bucket_name("acme", "dev", "qwen3-8b") == "acme-dev-qwen3-8b"
    for key in ("google-gemma-3-27b", "goog-x", "g00gle-x"):
        made = names.bucket_name("acme", "dev", key)
        assert not re.search("g[o0]{2}gle", made), "Cloud Storage refuses such names"
    assert not names.bucket_name("google-labs", "dev", "m").startswith("goog")
    assert names.bucket_name("acme", "dev", "goog-x") == "acme-dev-goog-x", "a prefix is of the whole name"
    two = {names.bucket_name("acme", "dev", key) for key in ("google-x", "g00gle-x", "gle-x")}
    assert len(two) == 3, "models stay apart"
    long_name = names.bucket_name("a" * 30, "production-europe", "k" * 40)
    assert len(long_name) <= 63
    assert long_name != names.bucket_name("a" * 30, "production-europe", "k" * 39 + "j")


def test_a_key_does_not_start_with_a_digit_even_when_the_model_does() -> None:
    assert names.key_of("acme/01-model") == "m-01-model"


def test_a_model_that_is_called_like_a_reserved_name_gets_another_key() -> None:
    assert names.key_of("acme/vllm") == "m-vllm"
