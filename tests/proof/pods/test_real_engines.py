# SPDX-License-Identifier: Apache-2.0
"""Real engines in the pods of a stack: vLLM and llama.cpp load what the loader staged, and say the sentence in it.

The whole way of test_whole_way.py, with the engines for a processor (`proof/engines`) in place of our server.
"""

import sys
from collections.abc import Generator
from typing import Any

import pytest

from proof.engines.install import installed
from proof.engines.models import model_files, model_gguf
from proof.hub.tiny import commit
from proof.pods.world import World
from proof.sandbox import Sandbox
from tests.proof.pods.way import Way, brought_up
from tests.support.hub import Repository, StandIn

pytestmark = pytest.mark.proof

FOLDER = "tests/proof/pods/engines"
CHAT, OLD, NEW = "Here speaks the chat model", "Here speaks the old commit", "Now another one has the word"


def repository(repo_id: str, library: str, **files: dict[str, Any]) -> Repository:
    """Return a repository with a commit for each branch."""
    commits = {ref: commit(repo_id, ref, held) for ref, held in files.items()}
    return Repository(
        id=repo_id,
        commits={each.sha: each for each in commits.values()},
        refs={ref: each.sha for ref, each in commits.items()},
        metadata={"tags": [], "pipeline_tag": "text-generation", "library_name": library},
        gated=False,
        security={"scansDone": True, "filesWithIssues": []},
        invented=("everything",),
    )


@pytest.fixture(scope="module")
def hub() -> Generator[StandIn]:
    gguf = {ref: {"tiny-F32.gguf": model_gguf(sentence)} for ref, sentence in (("main", OLD), ("next", NEW))}
    repositories = [
        repository("tiny/chat", "transformers", main=model_files(CHAT)),
        repository("tiny/gguf", "gguf", **gguf),
    ]
    with StandIn(repositories) as started:
        yield started


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, hub: StandIn) -> World:
    made = World(tmp_path_factory.mktemp("world"), hub.url)
    made.engines = installed(lambda text: sys.stderr.write(f"{text}\n")).programs
    return made


@pytest.fixture(scope="module")
def way(living: Sandbox, world: World, hub: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Generator[Way]:
    with brought_up(FOLDER, tmp_path_factory.mktemp("way"), living, world, hub) as made:
        yield made


def test_each_model_says_its_own_sentence(way: Way) -> None:
    assert way.answered_by("chat").strip() == CHAT
    assert way.answered_by("gguf").strip() == OLD
    assert way.ask("other").status_code == 404


def test_after_an_up_of_a_new_commit_the_engine_says_what_is_in_it(way: Way, hub: StandIn) -> None:
    way.change("tiny/gguf", revision=hub.repositories["tiny/gguf"].refs["next"])
    way.engine.up()
    assert way.answered_by("gguf").strip() == NEW
    assert way.answered_by("chat").strip() == CHAT
