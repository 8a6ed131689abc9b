# SPDX-License-Identifier: Apache-2.0
"""A Hub collection as a new environment's list: the real client beside the stand-in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hubstack.files.errors import HubError, InputError
from hubstack.hub.remote import RetryLimits, read_collection
from hubstack.inputs.init import Found, InitOptions, write_environment
from hubstack.inputs.models import load_request
from tests.support.hub import TOKENS, Fault, StandIn
from tests.support.hub.collection import MIXED, collection, item

PROJECT = Path(__file__).resolve().parents[3]
ACCESS = next(token for token, right in TOKENS.items() if right == "access")


def read(slug: str = MIXED, limits: RetryLimits | None = None, token: str | None = None) -> Found:
    return read_collection(slug, limits=limits, token=token)


def test_only_models_that_can_be_asked_for_become_entries_in_the_collections_order(hub: StandIn) -> None:
    found = read()
    assert [entry.id for entry in found.entries] == [
        "Qwen/Qwen3-8B",
        "google/gemma-3-27b-it",
        "BAAI/bge-small-en-v1.5",
    ]
    assert found.entries[0].notes == ("the collection says: start here\nwith this one",)
    assert found.entries[1].notes[0].startswith("gated (")


def test_what_is_no_model_and_what_cannot_be_seen_is_named(hub: StandIn) -> None:
    found = read()
    assert found.skipped == (
        "not a model: dataset stand-in/questions",
        "not a model: space stand-in/arena",
        "not a model: paper 2505.09388",
        "not a model: collection stand-in/older-models-64f9a55bb3115b4f513ec027",
        "not a model: bucket stand-in/bucket",
    )
    assert [(each.guess, "is not on the Hub, or is private" in each.why) for each in found.unknown] == [
        ("stand-in/private", True),
        ("stand-in/never-there", True),
    ]


def test_a_token_with_access_sees_the_private_model_and_reaches_no_text(hub: StandIn) -> None:
    found = read(token=ACCESS)
    private = next(entry for entry in found.entries if entry.id == "stand-in/private")
    assert private.notes == ("private: hubstack needs a token that can read it",)
    assert ACCESS not in repr(found)


def test_the_list_of_a_collection_is_one_that_hubstack_reads(hub: StandIn, tmp_path: Path) -> None:
    asked = InitOptions(env="new", project_dir=tmp_path, gcp_project="acme-new", region="us-central1")
    write_environment(asked, read())
    text = (tmp_path / "stacks" / "new.models.yaml").read_text()
    assert len(load_request(tmp_path / "stacks" / "new.models.yaml").models) == 3
    assert "# the collection says: start here with this one" in text, "a note of many lines stays a comment"
    assert "  # - id: stand-in/never-there" in text


def test_an_address_is_as_good_as_a_name_and_other_words_are_refused(hub: StandIn) -> None:
    assert len(read(f"https://huggingface.co/collections/{MIXED}?x=1").entries) == 3
    asked = len(hub.requests)
    for slug in ("Qwen", "../models/Qwen/Qwen3-8B", "a b/c", ""):
        with pytest.raises(InputError, match="OWNER/TITLE-HASH"):
            read(slug)
    assert len(hub.requests) == asked


def test_two_models_of_one_name_get_keys_of_their_own(hub: StandIn, tmp_path: Path) -> None:
    twice = collection("stand-in/twice-1", [item("model", "Qwen/Qwen3-8B", 0), item("model", "Qwen/Qwen3-8B", 1)])
    hub.collections[twice["slug"]] = twice
    asked = InitOptions(env="new", project_dir=tmp_path, gcp_project="acme-new", region="us-central1")
    write_environment(asked, read("stand-in/twice-1"))
    keys = [model.key for model in load_request(tmp_path / "stacks" / "new.models.yaml").models]
    assert keys == ["qwen-qwen3-8b", "qwen3-8b"]


def test_a_large_collection_comes_in_one_answer(hub: StandIn) -> None:
    many = collection("stand-in/many-1", [item("dataset", f"stand-in/d{i}", i) for i in range(300)])
    hub.collections[many["slug"]] = many
    assert len(read("stand-in/many-1").skipped) == 300
    assert len(hub.asked("/api/collections/")) == 1


def test_a_hub_that_answers_late_is_asked_again(hub: StandIn, hurry: RetryLimits, waits: list[float]) -> None:
    with hub.fault(Fault(route="api/collections", status=503, count=2)):
        assert len(read(limits=hurry).entries) == 3
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(route="api/collections", status=500, count=99), "failed with status 500"),
        (Fault(route="api/collections", status=429, count=99), "rate limit still applied"),
        (Fault(route="api/collections", truncates_json=True, count=99), "only malformed responses"),
        (Fault(route="api/collections", drops_keys=("items",)), "an answer that cannot be used (KeyError)"),
    ],
)
def test_trouble_with_the_hub_is_one_clear_line(hub: StandIn, hurry: RetryLimits, fault: Fault, words: str) -> None:
    with hub.fault(fault), pytest.raises(HubError) as caught:
        read(limits=hurry)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"`collections/{MIXED}` ")


def test_the_command_says_in_words_that_a_collection_is_not_there(hub: StandIn, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text((PROJECT / "Pulumi.yaml").read_text())
    held = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "hubstack",
            "init",
            "new",
            "--from-collection",
            "stand-in/none-1",
            "--gcp-project",
            "acme-new",
            "--region",
            "us-central1",
        ],
        cwd=tmp_path,
        env={**held, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "`collections/stand-in/none-1` is not on the Hub, or is private" in done.stderr
    assert "/collections/stand-in/none-1;" in done.stderr, "the page to look at"
    assert not (tmp_path / "stacks").exists()
