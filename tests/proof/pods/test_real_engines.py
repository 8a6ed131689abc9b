# SPDX-License-Identifier: Apache-2.0
"""Real engines in the pods of a stack: vLLM and llama.cpp load what the loader staged, and say the sentence in it.

The whole way of test_whole_way.py, with the engines for a processor (`proof/engines`) in place of our server.
"""

from collections.abc import Generator
from typing import Any

import pytest

from proof.engines.install import installed
from proof.engines.models import model_files, model_gguf
from proof.hub.tiny import commit
from proof.namespace import own_namespace
from proof.pods.world import World
from proof.sandbox import running
from tests.proof.pods.way import Way, brought_up, fetch_all, say
from tests.support.hub import Repository, StandIn

pytestmark = [pytest.mark.proof, pytest.mark.usefixtures("namespaces")]

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
def way(tmp_path_factory: pytest.TempPathFactory) -> Generator[Way]:
    """In a network namespace, where a Job reaches a Service by its name."""
    gguf = {ref: {"tiny-F32.gguf": model_gguf(sentence)} for ref, sentence in (("main", OLD), ("next", NEW))}
    repositories = [
        repository("tiny/chat", "transformers", main=model_files(CHAT)),
        repository("tiny/gguf", "gguf", **gguf),
    ]
    fetch_all()
    engines = installed(say).programs
    folder = tmp_path_factory.mktemp("engines")
    with own_namespace(), StandIn(repositories) as hub:
        world = World(folder / "world", hub.url, is_namespace=True)
        world.engines = engines
        with (
            running(say, world.stand_ins) as sandbox,
            brought_up(FOLDER, folder, sandbox, world, hub) as made,
        ):
            yield made


def test_each_model_says_its_own_sentence(way: Way) -> None:
    assert way.answered_by("chat").strip() == CHAT
    assert way.answered_by("gguf").strip() == OLD
    assert way.ask("other").status_code == 404


def test_a_model_is_measured_by_a_job_beside_it_and_the_next_plan_has_the_figures(way: Way) -> None:
    found = way.report("bench", FOLDER, "chat", "--concurrency", "2", "--requests", "4", "--minutes", "10")
    (row,) = found["measurements"]
    assert (row["setup"]["model"], row["concurrency"]) == ("tiny/chat", 2)
    assert row["requests_per_second"] > 0
    assert row["first_token_ms"]["median"] <= row["first_token_ms"]["p99"]
    explained = way.report("explain", FOLDER, "chat", context=False)
    assert explained["model"]["performance"]["evidence"] == "measured"
    names = [each["metadata"]["name"] for each in way.sandbox.api.objects("batch/v1", "Job", "models")]
    assert not [name for name in names if "bench" in name], "it deletes its Job"


def test_after_an_up_of_a_new_commit_the_engine_says_what_is_in_it(way: Way) -> None:
    way.change("tiny/gguf", revision=way.hub.repositories["tiny/gguf"].refs["next"])
    way.engine.up()
    assert way.answered_by("gguf").strip() == NEW
    assert way.answered_by("chat").strip() == CHAT
